//! File systems described by graphs of operations.

use std::collections::BTreeMap;

use super::{Definition, Exec, MarshalError, Output, Ran};
use crate::oci::Platform;

/// A file system that operations produce, and what operations on it start from.
///
/// A value, never changed: every method gives a new state.
#[derive(Clone, Debug)]
pub struct State {
    output: Option<Output>,
    env: BTreeMap<String, String>,
    dir: String,
    user: String,
    platform: Option<Platform>,
}

impl State {
    /// The empty file system.
    #[must_use]
    pub fn scratch() -> Self {
        Self {
            output: None,
            env: BTreeMap::new(),
            dir: "/".to_owned(),
            user: String::new(),
            platform: None,
        }
    }

    /// The same metadata with another file system; `None` is scratch.
    #[must_use]
    pub fn with_output(&self, output: Option<Output>) -> Self {
        Self {
            output,
            ..self.clone()
        }
    }

    /// Sets an environment variable for the execs on this state.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets the working directory; a relative one is below the present one.
    #[must_use]
    pub fn dir(mut self, path: &str) -> Self {
        self.dir = resolve(&self.dir, path);
        self
    }

    /// Sets the user of the execs on this state, as a name or number, optionally with `:group`.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// Sets the platform of the execs on this state; without one the daemon takes its own.
    #[must_use]
    pub fn platform(mut self, platform: &Platform) -> Self {
        self.platform = Some(platform.clone());
        self
    }

    /// What produces the file system; `None` for scratch.
    #[must_use]
    pub fn output(&self) -> Option<&Output> {
        self.output.as_ref()
    }

    /// Runs a command on this file system.
    #[must_use]
    pub fn run(&self, exec: Exec) -> Ran {
        exec.on(self)
    }

    /// Collects the operations that produce this state.
    ///
    /// # Errors
    ///
    /// The state is scratch, which has no operations, or the graph is larger than BuildKit accepts.
    pub fn marshal(&self) -> Result<Definition, MarshalError> {
        Definition::of(self)
    }

    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    pub(super) fn directory(&self) -> &str {
        &self.dir
    }

    pub(super) fn username(&self) -> &str {
        &self.user
    }

    pub(super) fn target(&self) -> Option<&Platform> {
        self.platform.as_ref()
    }
}

/// `path` below `parent` unless absolute, without `.`, `..` and doubled slashes.
pub(super) fn resolve(parent: &str, path: &str) -> String {
    let base = if path.starts_with('/') { "" } else { parent };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_resolve_inside_the_root() {
        for (parent, path, resolved) in [
            ("/", "a//b/./c", "/a/b/c"),
            ("/src", "app", "/src/app"),
            ("/src", "/app/", "/app"),
            ("/src", "../../..", "/"),
        ] {
            assert_eq!(resolve(parent, path), resolved);
        }
    }

    #[test]
    fn a_state_is_not_changed_by_what_is_made_of_it() {
        let base = State::scratch().dir("/src");
        let _ = base.clone().dir("app").env("A", "1");
        assert_eq!((base.directory(), base.variables().len()), ("/src", 0));
    }
}
