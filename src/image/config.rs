//! The configuration of an image.

use crate::oci::{Empty, Execution, History, ImageConfig};

use super::base::BaseImage;
use super::plan::Plan;

/// What an image says of where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The commit that was built.
    pub revision: Option<String>,
    /// The address of the repository.
    pub source: Option<String>,
    /// The base image of the build stage.
    pub base: Option<BaseImage>,
}

/// The configuration of the image of `plan`, with every time at `epoch`, seconds since 1970.
///
/// Each of the two layers has a history entry of ours: without one, `created_by` comes from the daemon's cache and differs
/// from daemon to daemon.
#[must_use]
pub fn config(plan: &Plan<'_>, origin: &Origin, epoch: i64) -> ImageConfig {
    let created = timestamp(epoch);
    let layer = |created_by: &str| History {
        created: Some(created.clone()),
        created_by: Some(created_by.to_owned()),
        comment: None,
        author: None,
        empty_layer: false,
    };
    let mut config = ImageConfig::new(&plan.platform);
    config.created = Some(created.clone());
    config.history = vec![layer("peelbox: packages"), layer("peelbox: app")];
    config.config = Execution {
        user: user(plan),
        exposed_ports: plan
            .ports
            .iter()
            .map(|port| (format!("{port}/tcp"), Empty {}))
            .collect(),
        env: plan
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        entrypoint: plan.command.clone(),
        working_dir: plan.workdir.clone(),
        labels: plan.labels.clone(),
        ..Execution::default()
    };
    let labels = &mut config.config.labels;
    let mut label = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            labels
                .entry(format!("org.opencontainers.image.{key}"))
                .or_insert(value);
        }
    };
    label("created", Some(created.clone()));
    label("title", Some(plan.name.clone()));
    label("revision", origin.revision.clone());
    label("source", origin.source.clone());
    // Not `…image.base.digest`, which means the image whose layers this one has: ours has none of another.
    let base = origin.base.as_ref().map(BaseImage::digest);
    let own = [
        (
            "peelbox.build.base.digest",
            base.map(|digest| digest.to_string()),
        ),
        ("peelbox.health", plan.health.clone()),
    ];
    for (key, value) in own {
        if let Some(value) = value {
            labels.entry(key.to_owned()).or_insert(value);
        }
    }
    config
}

// Docker completes a lone uid with group 0 unless passwd knows the user; ours always has both.
fn user(plan: &Plan<'_>) -> String {
    let (uid, gid) = plan.user;
    format!("{uid}:{gid}")
}

/// Seconds since 1970 as RFC 3339, in UTC; what cannot be a time is 1970.
#[must_use]
pub(crate) fn timestamp(epoch: i64) -> String {
    jiff::Timestamp::from_second(epoch)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        assert_eq!(timestamp(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(timestamp(i64::MAX), "1970-01-01T00:00:00Z");
    }
}
