//! What the environment says, read once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::buildkit::llb::Proxy;

/// The environment variables of the process.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the process's own; a value that is no Unicode counts as unset.
    pub(super) fn read() -> Self {
        let text = |value: std::ffi::OsString| value.into_string().ok();
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
                .collect(),
        )
    }

    /// The value of a variable; an empty one counts as unset.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// The user's cache directory for peelbox: the one that is named, else by the XDG rules.
    pub(super) fn cache(&self) -> Option<PathBuf> {
        if let Some(named) = self.path("PEELBOX_CACHE_DIR") {
            return Some(named);
        }
        let base = self
            .path("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute());
        base.or_else(|| Some(self.path("HOME")?.join(".cache")))
            .map(|base| base.join("peelbox"))
    }

    /// The directory of Docker's configuration.
    pub(super) fn docker_config(&self) -> Option<PathBuf> {
        self.path("DOCKER_CONFIG")
            .or_else(|| Some(self.path("HOME")?.join(".docker")))
    }

    /// The certificates that the tools of this machine trust, where that was set.
    pub(super) fn certificates(&self) -> Option<PathBuf> {
        self.path("SSL_CERT_FILE")
    }

    /// The socket of a rootless buildkitd.
    pub(super) fn rootless_socket(&self) -> Option<PathBuf> {
        self.path("XDG_RUNTIME_DIR")
            .map(|path| path.join("buildkit/buildkitd.sock"))
    }

    /// The proxies, as build steps shall see them.
    pub(super) fn proxy(&self) -> Proxy {
        let either = |name: &str| {
            self.get(name)
                .or_else(|| self.get(&name.to_lowercase()))
                .unwrap_or_default()
                .to_owned()
        };
        Proxy {
            http: either("HTTP_PROXY"),
            https: either("HTTPS_PROXY"),
            ftp: either("FTP_PROXY"),
            all: either("ALL_PROXY"),
            none: either("NO_PROXY"),
        }
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_follows_xdg_and_ignores_a_relative_one() {
        let cache =
            |environment: Environment| environment.cache().map(|path| path.display().to_string());
        assert_eq!(
            cache([("HOME", "/h")].into()).as_deref(),
            Some("/h/.cache/peelbox")
        );
        assert_eq!(
            cache([("HOME", "/h"), ("XDG_CACHE_HOME", "/c")].into()).as_deref(),
            Some("/c/peelbox")
        );
        assert_eq!(
            cache([("HOME", "/h"), ("XDG_CACHE_HOME", "c")].into()).as_deref(),
            Some("/h/.cache/peelbox")
        );
        assert_eq!(cache([("HOME", "/h"), ("PEELBOX_CACHE_DIR", "/p")].into()).as_deref(), Some("/p"));
        assert_eq!(cache(Environment::default()), None);
    }
}
