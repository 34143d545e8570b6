//! The content of `report.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::oci::{Digest, Platform};

/// The version of the format that is written and read.
const VERSION: u32 = 1;
/// The largest `report.json` that is read, in bytes.
const LARGEST: usize = 64 << 20;

/// What a run did: the content of `report.json`, of which all other output is a rendering.
///
/// New fields may come within a version; readers skip those they do not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The version of the format: 1.
    pub version: u32,
    /// Whether the run came to its end; a report without it was left by a run that was killed.
    pub complete: bool,
    /// Facts about the whole run.
    pub run: Run,
    /// The apps in the order in which they were built.
    pub apps: Vec<App>,
    /// What the user should know that is no failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Facts about a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The version of peelbox.
    pub peelbox: String,
    /// When it started, in RFC 3339.
    pub started: String,
    /// When it ended, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// The URL of the repository, without user and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The commit that was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The daemon that built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buildkit: Option<Buildkit>,
    /// The package index that packages were chosen from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<PackageIndex>,
}

/// The daemon that built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buildkit {
    /// How it was reached, such as `unix:///run/buildkit/buildkitd.sock`.
    pub endpoint: String,
    /// Its version, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The package index that packages were chosen from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageIndex {
    /// The digest of its file.
    pub digest: Digest,
    /// How old it was, in seconds.
    pub age: u64,
}

/// How it went with an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Its image was built.
    Built,
    /// It was tried.
    Failed,
    /// It was not tried, as after a failure with `--fail-fast` or because nothing of it changed.
    Skipped,
    /// It would be built; nothing was.
    Planned,
}

/// What became of an app on a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Its name.
    pub name: String,
    /// Its directory in the repository.
    pub path: String,
    /// What it was built for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// How it went.
    pub outcome: Outcome,
    /// The image, where it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// The files that were written for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// The apk packages in the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<Package>,
    /// How many libraries of each ecosystem are in the image: `npm`, `pypi`, `golang`, `cargo`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub libraries: BTreeMap<String, u64>,
    /// How many of the libraries are listed on which evidence.
    #[serde(default)]
    pub evidence: Evidence,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What that time went to, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// How many of its steps were cached.
    #[serde(default)]
    pub steps: Steps,
    /// What of the repository was sent to the daemon for it.
    #[serde(default)]
    pub sent: Transfer,
    /// What the user should know that is no failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The references it was tagged with.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The digest of its manifest, the same from run to run.
    pub manifest: Digest,
    /// The digest of the index around it, where it has attestations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Digest>,
    /// What a pull transfers, in bytes.
    pub size: u64,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
    /// The references that it was pushed as, each with the digest that the registry has it under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pushed: Vec<String>,
    /// How it runs.
    #[serde(default)]
    pub config: Config,
}

/// A layer as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The digest of the compressed layer.
    pub digest: Digest,
    /// Its compressed size in bytes.
    pub size: u64,
}

/// How an image runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The user, `uid` or `uid:gid`.
    #[serde(default)]
    pub user: String,
    /// The working directory.
    #[serde(default)]
    pub workdir: String,
    /// Entry point and command in one.
    #[serde(default)]
    pub command: Vec<String>,
    /// The ports it exposes, as `8080/tcp`.
    #[serde(default)]
    pub ports: Vec<String>,
}

/// What an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The image as an OCI tarball.
    Image,
    /// The SPDX document.
    Sbom,
    /// The SLSA provenance.
    Provenance,
    /// The build log.
    Log,
}

/// A file that was written for an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// What it is.
    pub kind: Kind,
    /// Its name, relative to the report.
    pub file: String,
    /// The digest of its bytes.
    pub sha256: Digest,
}

/// An apk package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// How many libraries are listed on which evidence, the surest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// A file of the image tells.
    #[serde(default)]
    pub seen: u64,
    /// The build listed them as linked into a program that does not tell itself.
    #[serde(default)]
    pub linked: u64,
    /// A lock file names them, and they were not seen in the image.
    #[serde(default)]
    pub locked: u64,
}

/// A part of an app's time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// What was done: `packages`, `build`, `export`.
    pub name: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// How many steps there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// Those that were cached.
    pub cached: u64,
    /// All.
    pub total: u64,
}

/// Files that were sent to the daemon; those that it had already are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// How many.
    pub files: u64,
    /// The bytes of their content.
    pub bytes: u64,
}

/// What went wrong with an app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step, such as `[build 4/5] cargo build`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The command that the step ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Where the command is written, as `file:line:column` of the spec file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The exit code of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// What went wrong, as a fact.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The last lines of the step's log, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

/// A text that is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is larger than any report.
    #[error("the report has more than {LARGEST} bytes")]
    TooLarge,
    /// It does not parse.
    #[error("the report does not parse")]
    Json(#[from] serde_json::Error),
    /// It is of a version that this peelbox does not know.
    #[error("the report has version {0}, and only version {VERSION} is known")]
    Version(u32),
}

impl Report {
    /// A report of a run that has only started.
    #[must_use]
    pub fn new(run: Run) -> Self {
        Self {
            version: VERSION,
            complete: false,
            run,
            apps: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Takes in what became of an app, in place of what was known of it on that platform.
    pub fn add(&mut self, app: App) {
        let is_same = |known: &&mut App| known.name == app.name && known.platform == app.platform;
        match self.apps.iter_mut().find(is_same) {
            Some(known) => *known = app,
            None => self.apps.push(app),
        }
    }

    /// Takes in the apps of another run, such as that of another job of a matrix.
    ///
    /// The run's own facts stay; the end is the later one, and the whole is complete if both are.
    pub fn merge(&mut self, other: Self) {
        for app in other.apps {
            self.add(app);
        }
        self.complete &= other.complete;
        for warning in other.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        self.run.started = self.run.started.clone().min(other.run.started);
        self.run.finished = self.run.finished.take().max(other.run.finished);
        self.run.commit = self.run.commit.take().or(other.run.commit);
        self.run.repository = self.run.repository.take().or(other.run.repository);
    }

    /// How many apps have this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.apps
            .iter()
            .filter(|app| app.outcome == outcome)
            .count()
    }

    /// Its bytes: indented JSON, the same for equal reports.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Every key is a string, so there is nothing that JSON cannot hold.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads a `report.json`.
    ///
    /// # Errors
    ///
    /// If `bytes` are no report of a known version.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        if bytes.len() > LARGEST {
            return Err(ReadError::TooLarge);
        }
        let Versioned { version } = serde_json::from_slice(bytes)?;
        if version != VERSION {
            return Err(ReadError::Version(version));
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}

impl Outcome {
    /// The outcome in one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Planned => "planned",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str, outcome: Outcome) -> App {
        App {
            name: name.to_owned(),
            path: ".".to_owned(),
            platform: Some(Platform::linux("amd64")),
            outcome,
            image: None,
            artifacts: Vec::new(),
            packages: Vec::new(),
            libraries: BTreeMap::new(),
            evidence: Evidence::default(),
            duration_ms: 0,
            phases: Vec::new(),
            steps: Steps::default(),
            sent: Transfer::default(),
            warnings: Vec::new(),
            error: None,
        }
    }

    #[test]
    fn an_app_that_is_added_again_takes_its_place() {
        let mut report = Report::new(Run::default());
        report.add(app("a", Outcome::Planned));
        report.add(app("b", Outcome::Planned));
        report.add(app("a", Outcome::Built));
        let outcomes: Vec<(&str, Outcome)> = report
            .apps
            .iter()
            .map(|app| (app.name.as_str(), app.outcome))
            .collect();
        assert_eq!(outcomes, [("a", Outcome::Built), ("b", Outcome::Planned)]);
    }

    #[test]
    fn a_merged_report_is_complete_only_if_all_are() {
        let mut one = Report::new(Run::default());
        one.run.finished = Some("2026-01-01T00:00:01Z".to_owned());
        one.complete = true;
        let mut two = Report::new(Run::default());
        two.add(app("b", Outcome::Built));
        one.merge(two);
        assert!(!one.complete);
        assert_eq!(one.count(Outcome::Built), 1);
        assert_eq!(one.run.finished.as_deref(), Some("2026-01-01T00:00:01Z"));
    }

    #[test]
    fn reports_read_back_and_other_versions_are_refused() {
        let mut report = Report::new(Run::default());
        report.add(app("a", Outcome::Built));
        assert_eq!(Report::read(&report.to_json()).unwrap(), report);
        assert!(matches!(
            Report::read(br#"{"version": 2}"#),
            Err(ReadError::Version(2))
        ));
        assert!(matches!(Report::read(b"[]"), Err(ReadError::Json(_))));
    }
}
