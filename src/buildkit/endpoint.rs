//! Addresses of BuildKit daemons.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a BuildKit daemon listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `unix:///path`: a buildkitd on a Unix socket.
    Unix(PathBuf),
    /// `tcp://host:port`: a buildkitd on TCP, without TLS.
    Tcp(String),
    /// `docker-container://NAME`: a buildkitd in a container, reached through `buildctl dial-stdio` in it.
    DockerContainer(String),
    /// `docker://` or `docker:///socket`: the BuildKit inside a Docker Engine; without a path the Engine of
    /// the environment.
    Docker(Option<PathBuf>),
}

/// Where the Docker Engine's API listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerHost {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port`, without TLS.
    Tcp(String),
}

/// A text that is no endpoint.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseEndpointError {
    /// There is no `scheme://`.
    #[error("`{0}` has no scheme")]
    NoScheme(String),
    /// The scheme is unknown.
    #[error("`{text}` has the unknown scheme `{scheme}`")]
    Scheme {
        /// The whole text.
        text: String,
        /// Its scheme.
        scheme: String,
    },
    /// What follows the scheme is missing or malformed.
    #[error("`{text}` needs {needs} behind `{scheme}://`")]
    Address {
        /// The whole text.
        text: String,
        /// Its scheme.
        scheme: String,
        /// What is expected there.
        needs: &'static str,
    },
}

impl Default for DockerHost {
    fn default() -> Self {
        Self::Unix(PathBuf::from("/var/run/docker.sock"))
    }
}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = split(text)?;
        let address = |needs| ParseEndpointError::Address {
            text: text.to_owned(),
            scheme: scheme.to_owned(),
            needs,
        };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            "unix" => Err(address("an absolute path")),
            "tcp" if is_host_port(rest) => Ok(Self::Tcp(rest.to_owned())),
            "tcp" => Err(address("host:port")),
            "docker-container" if is_container_name(rest) => {
                Ok(Self::DockerContainer(rest.to_owned()))
            }
            "docker-container" => Err(address("the name of a container")),
            "docker" if rest.is_empty() => Ok(Self::Docker(None)),
            "docker" if rest.starts_with('/') => Ok(Self::Docker(Some(rest.into()))),
            "docker" => Err(address(
                "nothing, or the absolute path of the Engine's socket",
            )),
            _ => Err(ParseEndpointError::Scheme {
                text: text.to_owned(),
                scheme: scheme.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::DockerContainer(name) => write!(f, "docker-container://{name}"),
            Self::Docker(None) => f.write_str("docker://"),
            Self::Docker(Some(path)) => write!(f, "docker://{}", path.display()),
        }
    }
}

impl FromStr for DockerHost {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = split(text)?;
        let address = |needs| ParseEndpointError::Address {
            text: text.to_owned(),
            scheme: scheme.to_owned(),
            needs,
        };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            "unix" => Err(address("an absolute path")),
            "tcp" | "http" if is_host_port(rest) => Ok(Self::Tcp(rest.to_owned())),
            "tcp" | "http" => Err(address("host:port")),
            _ => Err(ParseEndpointError::Scheme {
                text: text.to_owned(),
                scheme: scheme.to_owned(),
            }),
        }
    }
}

impl fmt::Display for DockerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

fn split(text: &str) -> Result<(&str, &str), ParseEndpointError> {
    text.split_once("://")
        .ok_or_else(|| ParseEndpointError::NoScheme(text.to_owned()))
}

fn is_host_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && port.parse::<u16>().is_ok_and(|port| port != 0)
            && !host.contains(['/', '@', ' '])
    })
}

// Docker's own rule for container names; it keeps query strings and paths out as well.
fn is_container_name(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_back_as_written() {
        for text in [
            "unix:///run/buildkit/buildkitd.sock",
            "tcp://127.0.0.1:1234",
            "tcp://[::1]:1234",
            "docker-container://peelbox-buildkitd",
            "docker://",
            "docker:///var/run/docker.sock",
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_malformed_endpoint_says_what_it_needs() {
        for (text, message) in [
            ("/run/buildkitd.sock", "`/run/buildkitd.sock` has no scheme"),
            (
                "npipe:////x",
                "`npipe:////x` has the unknown scheme `npipe`",
            ),
            (
                "unix://relative",
                "`unix://relative` needs an absolute path behind `unix://`",
            ),
            ("tcp://host", "`tcp://host` needs host:port behind `tcp://`"),
            (
                "tcp://host:0",
                "`tcp://host:0` needs host:port behind `tcp://`",
            ),
            (
                "docker-container://a/b",
                "`docker-container://a/b` needs the name of a container behind `docker-container://`",
            ),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap_err().to_string(), message);
        }
    }
}
