//! The format of a spec.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to build one app and what to ship of it.
#[doc(alias = "UniversalBuild")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The version of this format: `1.0`.
    pub version: String,
    /// What the app is.
    pub metadata: Metadata,
    /// How it is built.
    #[serde(default, skip_serializing_if = "is_default")]
    pub build: Build,
    /// What is shipped, and how it runs.
    #[serde(default)]
    pub runtime: Runtime,
}

/// What kind of program an app is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It listens for requests.
    Web,
    /// It runs without listening.
    Worker,
    /// It is run by hand, does its work and ends.
    Cli,
    /// Files that a web server of the image serves.
    Static,
}

/// What an app is, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The app's name, unique in the file; slugged for file names and tags.
    pub project_name: String,
    /// The app's directory, relative to the repository's root; `.` is the root itself.
    #[serde(default = "root", skip_serializing_if = "is_root")]
    pub path: String,
    /// What kind of program it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The programming language, in lower case: `node`, `python`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The build system, in lower case: `npm`, `cargo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_system: Option<String>,
    /// The framework, in lower case: `fastapi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// How sure detection is, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub confidence: Option<u8>,
    /// Why detection thinks so, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
}

/// How an app is built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Build {
    /// The apk packages that the build needs, as `name`, `name=version` or `name~version`.
    #[serde(skip_serializing_if = "is_default")]
    pub packages: Vec<String>,
    /// The environment of every build step.
    #[serde(skip_serializing_if = "is_default")]
    pub env: BTreeMap<String, String>,
    /// The dependency step; it is cached as long as its files do not change.
    #[serde(skip_serializing_if = "is_default")]
    pub install: Install,
    /// The build commands, each a step with a log of its own, run by `/bin/sh -c` in the app's directory.
    #[serde(skip_serializing_if = "is_default")]
    pub commands: Vec<String>,
    /// The directories kept between builds: absolute, or relative to the app's directory.
    #[serde(skip_serializing_if = "is_default")]
    pub cache: Vec<String>,
    /// The secrets that build steps may read.
    #[serde(skip_serializing_if = "is_default")]
    pub secrets: Vec<Secret>,
    /// What the build may see of the repository, as globs relative to its root; empty means all of it.
    #[serde(skip_serializing_if = "is_default")]
    pub context: Vec<String>,
}

/// The step that installs an app's dependencies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Install {
    /// The files the commands read, as globs relative to the repository's root.
    #[serde(skip_serializing_if = "is_default")]
    pub files: Vec<String>,
    /// The commands, run by `/bin/sh -c` in the app's directory before its source is there.
    #[serde(skip_serializing_if = "is_default")]
    pub commands: Vec<String>,
}

/// A secret that build steps may read, and where they find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The name under which it is given on the command line.
    pub id: String,
    /// The environment variable that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// The file that holds it, an absolute path; `/run/secrets/<id>` where neither is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What is shipped of an app, and how it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// The apk packages that the app needs to run.
    #[serde(skip_serializing_if = "is_default")]
    pub packages: Vec<String>,
    /// The environment of the image.
    #[serde(skip_serializing_if = "is_default")]
    pub env: BTreeMap<String, String>,
    /// What is copied from the build into the image.
    #[serde(skip_serializing_if = "is_default")]
    pub copy: Vec<Copy>,
    /// The command that runs the app, in exec form.
    #[serde(skip_serializing_if = "is_default")]
    pub command: Vec<String>,
    /// Further processes of the app by name (worker, release), each in exec form.
    #[serde(skip_serializing_if = "is_default")]
    pub processes: BTreeMap<String, Vec<String>>,
    /// The TCP ports the app listens on.
    #[serde(skip_serializing_if = "is_default")]
    pub ports: Vec<u16>,
    /// How to ask the app whether it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// The user it runs as, `uid` or `uid:gid`; 65532 where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The directory it runs in; `/app` where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Labels of the image.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// The directories the app writes to, absolute or relative to the working directory.
    #[serde(skip_serializing_if = "is_default")]
    pub writable: Vec<String>,
    /// Reserved for the start test.
    #[serde(skip_serializing_if = "is_default")]
    pub smoke: BTreeMap<String, serde_json::Value>,
}

/// A file or directory of the build that is shipped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// Its path in the build: absolute, or relative to the app's directory.
    pub from: String,
    /// Its path in the image: absolute, or relative to the working directory.
    pub to: String,
}

/// How to ask an app whether it is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The path of an HTTP GET that answers with a success status, such as `/healthz`.
    pub endpoint: String,
}

fn root() -> String {
    ".".to_owned()
}

fn is_root(path: &str) -> bool {
    path == "."
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
