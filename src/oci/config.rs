//! The image config.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::or_default;
use super::{Digest, Platform};

/// What an image is for, how it runs and how it came about.
///
/// See <https://github.com/opencontainers/image-spec/blob/main/config.md>. Fields at their defaults are
/// left out, and maps are sorted, so that equal configs are equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When the image was made, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The architecture as Go names it: `amd64`, `arm64`.
    pub architecture: String,
    /// The variant of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The operating system: `linux`.
    pub os: String,
    /// How it runs.
    #[serde(default, deserialize_with = "or_default")]
    pub config: Execution,
    /// Its layers, uncompressed; BuildKit fills it in where it is empty.
    #[serde(default, deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "RootFs::is_empty")]
    pub rootfs: RootFs,
    /// How its layers came about, lowest first.
    #[serde(default, deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
}

/// How a container of an image runs, unless it is told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Execution {
    /// The user, `uid` or `uid:gid`.
    #[serde(deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The ports it listens on, as `8080/tcp`.
    #[serde(deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Empty>,
    /// The environment as `NAME=value`.
    #[serde(deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// What follows the entry point; the program where there is none.
    #[serde(deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// The directories that are volumes.
    #[serde(deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Empty>,
    /// The directory it runs in.
    #[serde(deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that ends it, such as `SIGTERM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// How to ask it whether it is well; Docker's extension of the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
}

/// The value of a set's members, which is written as an empty object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// How a container is asked whether it is well; durations are in nanoseconds, 0 means the engine's default.
///
/// See <https://github.com/moby/docker-image-spec/blob/main/spec.md>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `CMD` with a program and its arguments, or `NONE`.
    #[serde(deserialize_with = "or_default")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// How long to wait between two tests.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: u64,
    /// How long a test may take.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: u64,
    /// How long failed tests do not count after the start.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: u64,
    /// How many failed tests in a row make it unhealthy.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: u64,
}

/// The layers of an image, uncompressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digests of the uncompressed layers, lowest first.
    #[serde(default, deserialize_with = "or_default")]
    pub diff_ids: Vec<Digest>,
}

/// How one layer came about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What else is said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether it made no layer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// A config for `platform` that says nothing else.
    #[must_use]
    pub fn new(platform: &Platform) -> Self {
        Self {
            architecture: platform.architecture.clone(),
            variant: platform.variant.clone(),
            os: platform.os.clone(),
            ..Self::default()
        }
    }

    /// Its bytes: compact JSON, the same for equal configs.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Every key is a string, so there is nothing that JSON cannot hold.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Default for RootFs {
    fn default() -> Self {
        Self {
            kind: "layers".to_owned(),
            diff_ids: Vec::new(),
        }
    }
}

impl RootFs {
    fn is_empty(&self) -> bool {
        self.diff_ids.is_empty()
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_is_written_in_the_words_of_the_specification() {
        let mut config = ImageConfig::new(&Platform::linux("amd64"));
        config.created = Some("1970-01-01T00:00:00Z".to_owned());
        config.config.user = "65532".to_owned();
        config
            .config
            .exposed_ports
            .insert("8080/tcp".to_owned(), Empty {});
        config.config.cmd = vec!["node".to_owned()];
        config.config.working_dir = "/app".to_owned();
        config.config.healthcheck = Some(Healthcheck {
            test: vec!["CMD".to_owned(), "/healthy".to_owned()],
            interval: 30_000_000_000,
            ..Healthcheck::default()
        });
        config.history.push(History::default());
        let text = String::from_utf8(config.to_json()).unwrap();
        assert_eq!(
            text,
            r#"{"created":"1970-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{"User":"65532","ExposedPorts":{"8080/tcp":{}},"Cmd":["node"],"WorkingDir":"/app","Healthcheck":{"Test":["CMD","/healthy"],"Interval":30000000000}},"history":[{}]}"#
        );
        assert_eq!(serde_json::from_str::<ImageConfig>(&text).unwrap(), config);
    }

    #[test]
    fn the_nulls_that_go_writes_are_empty() {
        let text = r#"{"architecture":"arm64","os":"linux","config":{"Entrypoint":null,"Labels":null,"Volumes":null,"OnBuild":null},"rootfs":{"type":"layers","diff_ids":null},"history":null}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config, ImageConfig::new(&Platform::linux("arm64")));
    }
}
