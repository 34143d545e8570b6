//! Runs the program as a user would, with nothing in its environment but what a test puts there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::repository::Repository;

/// The user: a home, a repository to work in, and an environment.
pub(crate) struct Peelbox {
    directory: TempDir,
    variables: BTreeMap<String, String>,
    hidden: Vec<(String, &'static str)>,
}

/// A variable of the test bed; the test fails without it.
pub(crate) fn testbed(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run scripts/testbed up, then eval \"$(scripts/testbed env)\"")
    })
}

/// Runs the client of the test bed's Engine, which must succeed.
#[track_caller]
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new(testbed("PEELBOX_TESTBED_DOCKER"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?} {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Peelbox {
    /// Nothing is there: no daemon, no package repository, an empty directory.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["home", "repo", "bin"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let path = directory.path().display().to_string();
        let peelbox = Self {
            directory,
            variables: BTreeMap::new(),
            hidden: vec![(path.clone(), "[DIR]")],
        };
        peelbox
            .set("HOME", format!("{path}/home"))
            .set("PATH", format!("{path}/bin"))
            // Nobody listens there, and the Engine of this machine is not the test's.
            .set("DOCKER_HOST", format!("unix://{path}/docker.sock"))
            .set("PEELBOX_APK_REPOSITORY", "http://127.0.0.1:1/os")
    }

    /// The packages that `repository` serves.
    pub(crate) fn with(mut self, repository: &Repository) -> Self {
        self.hidden.push((repository.address(), "[SERVER]"));
        let key = self.path("home").join(repository.key.name());
        fs::write(&key, repository.key.public_pem()).unwrap();
        self.set("PEELBOX_APK_REPOSITORY", repository.url())
            .set("PEELBOX_APK_KEY", key.display().to_string())
    }

    /// The packages, the base image and the newest BuildKit of the test bed.
    pub(crate) fn on_testbed(self) -> Self {
        let mut peelbox = self;
        for name in [
            "PEELBOX_APK_REPOSITORY",
            "PEELBOX_APK_KEY",
            "PEELBOX_BASE_IMAGE",
        ] {
            peelbox = match std::env::var(name) {
                Ok(value) => peelbox.set(name, value),
                Err(_) => peelbox.unset(name),
            };
        }
        // What one test has verified need not be verified by the next.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("failures");
        let image = testbed("PEELBOX_TESTBED_BASE_IMAGE_REGISTRY");
        peelbox
            .hide(&testbed("PEELBOX_TESTBED_REGISTRY"), "[REGISTRY]")
            .set("PEELBOX_BASE_IMAGE", image)
            .set("DOCKER_CONFIG", testbed("DOCKER_CONFIG"))
            .set("PEELBOX_CACHE_DIR", cache.display().to_string())
            .buildkit(&testbed("PEELBOX_TESTBED_BUILDKIT_LATEST"))
    }

    /// Uses the daemon at `endpoint`.
    pub(crate) fn buildkit(self, endpoint: &str) -> Self {
        let path = endpoint.split_once("://").map_or("", |(_, path)| path);
        let user = match path.is_empty() {
            true => self,
            false => self.hide(path, "[DAEMON]"),
        };
        user.set("BUILDKIT_HOST", endpoint)
    }

    /// Sets a variable.
    pub(crate) fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Removes a variable.
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Shows `text` as `shown`, since it differs from run to run.
    pub(crate) fn hide(mut self, text: &str, shown: &'static str) -> Self {
        self.hidden.push((text.to_owned(), shown));
        self
    }

    /// Writes a file of the repository.
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.repo().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Writes the spec file of the repository.
    pub(crate) fn spec(self, text: &str) -> Self {
        self.file("universalbuild.yaml", text)
    }

    /// The repository, in which the program runs.
    pub(crate) fn repo(&self) -> PathBuf {
        self.path("repo")
    }

    /// A path of the test's own directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The command, ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peelbox"));
        command
            .args(arguments)
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.repo())
            .stdin(Stdio::null());
        command
    }

    /// Runs it, and gives what was written to stdout, to stderr, and the exit code.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.shown(&self.command(arguments).output().unwrap())
    }

    /// What doctor says of the daemon, without what it says of the package index.
    pub(crate) fn doctor(&self) -> String {
        let told = self.run(&["doctor"]);
        let is_kept = |line: &&str| {
            !["package index:", "platforms:", "base image:", "warning: "]
                .iter()
                .any(|start| line.starts_with(start))
        };
        told.lines().filter(is_kept).collect::<Vec<_>>().join("\n")
    }

    /// The output as it is compared.
    pub(crate) fn shown(&self, output: &Output) -> String {
        let mut text = String::new();
        if !output.stdout.is_empty() {
            let stdout = String::from_utf8(output.stdout.clone()).unwrap();
            write!(text, "stdout:\n{stdout}stderr:\n").unwrap();
        }
        text.push_str(std::str::from_utf8(&output.stderr).unwrap());
        let code = output.status.code().unwrap();
        write!(text, "exit: {code}").unwrap();
        let mut hidden = self.hidden.clone();
        hidden.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        for (own, shown) in &hidden {
            text = text.replace(own, shown);
        }
        let lines = text
            .lines()
            // How many it is depends on what ran before.
            .filter(|line| !line.starts_with("verifying "))
            .map(without_durations);
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// `12.3 s` becomes `[TIME]`.
fn without_durations(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let mut kept: Vec<&str> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_number = word.parse::<f64>().is_ok() && word.contains('.');
        if is_number && words.get(at + 1) == Some(&"s") {
            kept.push("[TIME]");
        } else if !(*word == "s" && kept.last() == Some(&"[TIME]")) {
            kept.push(word);
        }
    }
    kept.join(" ")
}
