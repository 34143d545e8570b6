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

    /// What in GitHub Actions tells the runs that may share caches from all others; `None` elsewhere.
    ///
    /// Runs that only those with write access start share the caches of their branch or tag. A pull request has caches of its
    /// own. Other events may run the code of a fork under the name of the default branch (`pull_request_target`,
    /// `workflow_run`, `issue_comment`), so each of their runs is alone:
    /// <https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows>.
    pub(super) fn trust(&self) -> Option<String> {
        if self.get("GITHUB_ACTIONS") != Some("true") {
            return None;
        }
        let variable = |name: &str| self.get(name).unwrap_or_default();
        let (event, name) = (variable("GITHUB_EVENT_NAME"), variable("GITHUB_REF"));
        let run = variable("GITHUB_RUN_ID");
        Some(match event {
            "push" | "schedule" | "workflow_dispatch" if !name.is_empty() => name.to_owned(),
            "pull_request" if name.starts_with("refs/pull/") => format!("{event} {name}"),
            _ => format!("{event} {name} {run}"),
        })
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
        Self::from(variables.as_slice())
    }
}

#[cfg(test)]
impl From<&[(&str, &str)]> for Environment {
    fn from(variables: &[(&str, &str)]) -> Self {
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
        assert_eq!(
            cache([("HOME", "/h"), ("PEELBOX_CACHE_DIR", "/p")].into()).as_deref(),
            Some("/p")
        );
        assert_eq!(cache(Environment::default()), None);
    }

    fn trust(event: &str, name: &str, run: &str) -> String {
        let environment = Environment::from([
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", event),
            ("GITHUB_REF", name),
            ("GITHUB_RUN_ID", run),
        ]);
        environment.trust().unwrap()
    }

    #[test]
    fn runs_of_a_branch_share_what_no_pull_request_may_write_to() {
        let main = trust("push", "refs/heads/main", "1");
        assert_eq!(trust("schedule", "refs/heads/main", "2"), main);
        assert_eq!(trust("workflow_dispatch", "refs/heads/main", "3"), main);
        assert_ne!(trust("push", "refs/heads/other", "4"), main);
        for event in [
            "pull_request",
            "pull_request_target",
            "workflow_run",
            "issue_comment",
            "",
        ] {
            assert_ne!(trust(event, "refs/heads/main", "5"), main, "{event}");
            assert_ne!(trust(event, "refs/pull/7/merge", "5"), main, "{event}");
        }
        let unknown = [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "push")];
        assert_ne!(Environment::from(unknown).trust().unwrap(), main);
    }

    #[test]
    fn a_pull_request_keeps_its_caches_and_shares_them_with_no_other() {
        let one = trust("pull_request", "refs/pull/7/merge", "1");
        assert_eq!(trust("pull_request", "refs/pull/7/merge", "2"), one);
        assert_ne!(trust("pull_request", "refs/pull/8/merge", "3"), one);
        // That event does not say which pull request it is about.
        let target = trust("pull_request_target", "refs/heads/main", "1");
        assert_ne!(trust("pull_request_target", "refs/heads/main", "2"), target);
    }

    #[test]
    fn outside_of_actions_there_is_no_such_distinction() {
        let laptop = Environment::from([("GITHUB_EVENT_NAME", "push")]);
        assert_eq!(laptop.trust(), None);
    }
}
