//! Addresses of BuildKit daemons.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a BuildKit daemon listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `unix:///path`: a buildkitd on a Unix socket.
    Unix(PathBuf),
    /// `tcp://host:port`: a buildkitd on TCP, with or without TLS.
    Tcp(String),
    /// `docker-container://NAME`: a buildkitd in a container, reached through `buildctl dial-stdio` in it.
    DockerContainer(String),
    /// `podman-container://NAME`: the same in a container of Podman, through the program `podman`.
    PodmanContainer(String),
    /// `kube-pod://POD?context=&namespace=&container=`: the same in a pod, through the program `kubectl`.
    KubePod(KubePod),
    /// `ssh://[user@]host[:port][/socket]`: the same on another machine, through the program `ssh`.
    Ssh(Ssh),
    /// `docker://` or `docker:///socket`: the BuildKit inside a Docker Engine; without a path the Engine of
    /// the environment.
    Docker(Option<PathBuf>),
}

/// A pod of Kubernetes; what is `None` is left to `kubectl`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubePod {
    /// Its name.
    pub pod: String,
    /// The context of kubectl's configuration.
    pub context: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The container in it.
    pub container: Option<String>,
}

/// A machine that is logged in to; what is `None` is left to `ssh`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ssh {
    /// The user there.
    pub user: Option<String>,
    /// Its name, an alias of ssh's configuration, or its address.
    pub host: String,
    /// Its port.
    pub port: Option<u16>,
    /// The socket of buildkitd there; `None` for the one that `buildctl` uses by itself.
    pub socket: Option<String>,
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
    /// A password stands in the address, which is not repeated here.
    #[error("an address of `{scheme}://` cannot have a password")]
    Password {
        /// The scheme.
        scheme: String,
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
            "podman-container" if is_container_name(rest) => {
                Ok(Self::PodmanContainer(rest.to_owned()))
            }
            "docker-container" | "podman-container" => Err(address("the name of a container")),
            "kube-pod" => kube_pod(rest).map(Self::KubePod).map_err(address),
            "ssh" if has_password(rest) => Err(ParseEndpointError::Password {
                scheme: scheme.to_owned(),
            }),
            "ssh" => ssh(rest)
                .map(Self::Ssh)
                .ok_or_else(|| address("[user@]host[:port][/socket]")),
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
            Self::PodmanContainer(name) => write!(f, "podman-container://{name}"),
            Self::KubePod(pod) => write!(f, "kube-pod://{pod}"),
            Self::Ssh(machine) => write!(f, "ssh://{machine}"),
            Self::Docker(None) => f.write_str("docker://"),
            Self::Docker(Some(path)) => write!(f, "docker://{}", path.display()),
        }
    }
}

impl fmt::Display for KubePod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pod)?;
        let fields = [
            ("context", &self.context),
            ("namespace", &self.namespace),
            ("container", &self.container),
        ];
        let mut separator = '?';
        for (name, value) in fields {
            if let Some(value) = value {
                let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
                write!(f, "{separator}{name}={value}")?;
                separator = '&';
            }
        }
        Ok(())
    }
}

impl fmt::Display for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.socket.as_deref().unwrap_or_default())
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

// The forms of all of these are those of BuildKit's own client:
// https://github.com/moby/buildkit/tree/master/client/connhelper
fn kube_pod(text: &str) -> Result<KubePod, &'static str> {
    const FORM: &str = "POD, or POD?context=&namespace=&container=,";
    let (pod, query) = text.split_once('?').unwrap_or((text, ""));
    let mut parsed = KubePod {
        pod: pod.to_owned(),
        context: None,
        namespace: None,
        container: None,
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let (field, is_valid) = match name.as_ref() {
            "context" => (&mut parsed.context, is_context_name(&value)),
            "namespace" => (&mut parsed.namespace, is_kubernetes_name(&value)),
            "container" => (&mut parsed.container, is_kubernetes_name(&value)),
            _ => return Err(FORM),
        };
        if value.is_empty() {
            continue;
        }
        if !is_valid || field.is_some() {
            return Err(FORM);
        }
        *field = Some(value.into_owned());
    }
    match is_kubernetes_name(pod) {
        true => Ok(parsed),
        false => Err(FORM),
    }
}

fn ssh(text: &str) -> Option<Ssh> {
    let (authority, socket) = match text.find('/') {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, authority),
    };
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            let _: std::net::Ipv6Addr = host.parse().ok()?;
            (
                host,
                rest.strip_prefix(':').or(rest.is_empty().then_some(""))?,
            )
        }
        None => address.split_once(':').unwrap_or((address, "")),
    };
    let is_named = !host.is_empty() && user.is_none_or(|user| !user.is_empty());
    // ssh gives all that follows the host to a shell there.
    let is_plain = [host, user.unwrap_or_default(), socket].iter().all(|part| {
        !part.starts_with('-')
            && part.bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'/' | b':')
            })
    });
    let port = match port {
        "" if !address.ends_with(':') => None,
        port => Some(port.parse().ok().filter(|port| *port != 0)?),
    };
    (is_named && is_plain).then(|| Ssh {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
        socket: (!matches!(socket, "" | "/")).then(|| socket.to_owned()),
    })
}

fn has_password(text: &str) -> bool {
    let authority = text.split('/').next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .is_some_and(|(user, _)| user.contains(':'))
}

fn is_kubernetes_name(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-')
        })
}

// Names of contexts are free text: cloud providers put addresses of all kinds there.
fn is_context_name(text: &str) -> bool {
    !text.starts_with('-') && !text.chars().any(char::is_control)
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
            "podman-container://buildkitd",
            "kube-pod://buildkitd-0",
            "kube-pod://buildkitd-0?context=arn%3Aaws%3Aeks%3Aa%2Fb&namespace=ci&container=buildkitd",
            "ssh://builder",
            "ssh://me@builder.example:2222/run/user/1000/buildkit/buildkitd.sock",
            "ssh://[fe80::1]:22",
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
            (
                "podman-container://-a",
                "`podman-container://-a` needs the name of a container behind `podman-container://`",
            ),
            (
                "ssh://me:word@builder",
                "an address of `ssh://` cannot have a password",
            ),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn what_a_program_would_take_for_a_flag_or_a_shell_for_a_command_is_refused() {
        for text in [
            "docker-container://--privileged",
            "podman-container://a;b",
            "kube-pod://",
            "kube-pod://-n",
            "kube-pod://Pod",
            "kube-pod://a?namespace=-n",
            "kube-pod://a?context=--as%3Droot",
            "kube-pod://a?container=a%20b",
            "kube-pod://a?ns=b",
            "kube-pod://a?namespace=b&namespace=c",
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://@a",
            "ssh://-l@a",
            "ssh://a:",
            "ssh://a:0",
            "ssh://a:b",
            "ssh://[::1",
            "ssh://[a]",
            "ssh://a/run/$(id)",
            "ssh://a/run/a b",
            "ssh://a/run;id",
            "ssh://a?b",
            "ssh://a#b",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_pod_leaves_out_is_left_to_kubectl() {
        let text = "kube-pod://a?context=&namespace=&container=";
        assert_eq!(
            text.parse::<Endpoint>().unwrap().to_string(),
            "kube-pod://a"
        );
    }
}
