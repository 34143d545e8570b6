//! A connection to one daemon, and what that daemon can do.

use std::collections::BTreeSet;
use std::time::Duration;

use buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use buildkit_proto::moby::buildkit::v1::types::WorkerRecord;
use buildkit_proto::moby::buildkit::v1::{InfoRequest, ListWorkersRequest};
use semver::Version;
use tonic::transport::Channel;

use super::complaint::Complaint;
use super::connect::{self, Access, ConnectError, Silence};
use super::endpoint::Endpoint;
use super::error::Error;
use super::session::Session;
use super::solve::{AsError, BuildError, Job};

// Go's limit, both ways: https://github.com/moby/buildkit/blob/master/util/grpcutil/grpcutil.go
pub(super) const MAX_MESSAGE: usize = 16 << 20;
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
// For what the daemon answers without doing anything for it, however busy it is.
const PATIENCE: Duration = Duration::from_secs(60);
const HUNG_UP: &str = "it does not speak gRPC, or has hung up";

/// A connection to one BuildKit daemon; all builds of a run share it.
pub struct Client {
    pub(super) channel: Channel,
    /// How long the daemon has for an answer that it gives at once.
    pub(super) patience: Duration,
    endpoint: Endpoint,
    access: Access,
    complaint: Complaint,
}

/// What a daemon says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// BuildKit's version; `None` where the daemon gives none (builds from source, Docker Engines).
    pub version: Option<Version>,
    /// Whether it can be asked for its version, which came with v0.11.
    pub has_info: bool,
    /// Whether it is the BuildKit inside a Docker Engine.
    pub is_docker: bool,
    /// The platforms it can build for, sorted.
    pub platforms: Vec<String>,
}

/// What a daemon can do, by the names BuildKit gives to its features.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Features of the gateway API.
    pub gateway: BTreeSet<String>,
    /// Features of LLB and of the exporters.
    pub llb: BTreeSet<String>,
}

/// A daemon that lacks what a build needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OldDaemon {
    /// It is older than the first version that will do.
    #[error("BuildKit {found} is too old")]
    Version {
        /// Its version.
        found: Version,
    },
    /// It cannot even be asked for its version.
    #[error("this BuildKit is older than {}", Capabilities::MINIMUM)]
    Ancient,
    /// It gives no usable version, and features are missing.
    #[error("this BuildKit is too old: it lacks {}", missing.join(", "))]
    Capabilities {
        /// The missing features.
        missing: Vec<&'static str>,
    },
}

impl Capabilities {
    /// The first BuildKit release that has all that is needed; it came with Docker Engine 23.
    pub const MINIMUM: Version = Version::new(0, 11, 0);

    // They came with v0.11, exactly: https://github.com/moby/buildkit/releases/tag/v0.11.0
    const NEEDED_GATEWAY: [&'static str; 2] = ["gateway.evaluate", "reference.attestations"];
    const NEEDED_LLB: [&'static str; 1] = ["exporter.image.attestations"];

    /// Whether several exporters may run in one solve (since v0.13).
    #[must_use]
    pub fn has_several_exporters(&self) -> bool {
        self.llb.contains("exporter.multiple")
    }

    /// Whether exporters can rewrite the times of files (v0.13, the release that brought several exporters).
    #[must_use]
    pub fn can_rewrite_timestamps(&self) -> bool {
        self.has_several_exporters()
    }

    /// Judges by version where there is one, otherwise by features.
    ///
    /// # Errors
    /// When the daemon lacks what a build needs.
    pub fn check(&self, daemon: &Daemon) -> Result<(), OldDaemon> {
        daemon.check_version()?;
        if daemon.version.is_some() {
            return Ok(());
        }
        let mut missing: Vec<&'static str> = Self::NEEDED_GATEWAY
            .into_iter()
            .filter(|name| !self.gateway.contains(*name))
            .collect();
        missing.extend(
            Self::NEEDED_LLB
                .into_iter()
                .filter(|name| !self.llb.contains(*name)),
        );
        if missing.is_empty() {
            Ok(())
        } else {
            Err(OldDaemon::Capabilities { missing })
        }
    }
}

impl Daemon {
    /// Judges by the version alone; a daemon that gives none passes.
    ///
    /// # Errors
    /// When the version is older than the first that will do.
    pub fn check_version(&self) -> Result<(), OldDaemon> {
        match &self.version {
            _ if !self.has_info => Err(OldDaemon::Ancient),
            // A release candidate of the first good version is good.
            Some(found)
                if (found.major, found.minor)
                    < (Capabilities::MINIMUM.major, Capabilities::MINIMUM.minor) =>
            {
                Err(OldDaemon::Version {
                    found: found.clone(),
                })
            }
            _ => Ok(()),
        }
    }
}

impl Client {
    /// Connects to the daemon at `endpoint`.
    ///
    /// # Errors
    /// When nothing answers there, or what answers does not speak HTTP/2.
    pub async fn connect(endpoint: Endpoint, access: &Access) -> Result<Self, ConnectError> {
        let dialed = connect::open(&endpoint, access).await?;
        match connect::channel(dialed.stream, Silence::MAX).await {
            Ok(channel) => Ok(Self {
                channel,
                patience: PATIENCE,
                endpoint,
                access: access.clone(),
                complaint: dialed.complaint,
            }),
            Err(_) => {
                let known = connect::explain(&endpoint, access, &dialed.complaint).await;
                Err(known.unwrap_or_else(|| ConnectError::Protocol {
                    endpoint: endpoint.to_string(),
                    reason: HUNG_UP.to_owned(),
                }))
            }
        }
    }

    /// Connects to the same daemon once more, in the same way.
    ///
    /// # Errors
    /// As those of [`Self::connect`].
    pub async fn reconnect(&self) -> Result<Self, ConnectError> {
        let client = Self::connect(self.endpoint.clone(), &self.access).await?;
        Ok(Self {
            patience: self.patience,
            ..client
        })
    }

    /// The endpoint this client is connected to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn control(&self) -> ControlClient<Channel> {
        ControlClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }

    /// Asks the daemon for its version and workers.
    ///
    /// # Errors
    /// When it does not answer as BuildKit does.
    pub async fn daemon(&self) -> Result<Daemon, ConnectError> {
        let (asked, timeout) = match tokio::time::timeout(CALL_TIMEOUT, self.ask()).await {
            Ok(Ok(daemon)) => return Ok(daemon),
            Ok(Err(error)) => (error, false),
            Err(_) => (Error::Interrupted, true),
        };
        // An answer is one, whatever was said beside it.
        if asked.remote().is_none()
            && let Some(known) =
                connect::explain(&self.endpoint, &self.access, &self.complaint).await
        {
            return Err(known);
        }
        let endpoint = self.endpoint.to_string();
        Err(match asked {
            _ if timeout => ConnectError::Timeout {
                endpoint,
                seconds: CALL_TIMEOUT.as_secs(),
            },
            // What is below says only that the one connection is gone.
            Error::Transport(_) => ConnectError::Protocol {
                endpoint,
                reason: HUNG_UP.to_owned(),
            },
            other => ConnectError::Protocol {
                endpoint,
                reason: other.to_string(),
            },
        })
    }

    /// Whether the daemon answers over this connection.
    pub async fn is_alive(&self) -> bool {
        let asked = tokio::time::timeout(CALL_TIMEOUT, self.ask()).await;
        matches!(asked, Ok(Ok(_)))
    }

    async fn ask(&self) -> Result<Daemon, Error> {
        let mut control = self.control();
        let workers = control
            .list_workers(ListWorkersRequest::default())
            .await?
            .into_inner()
            .record;
        let (version, has_info) = match control.info(InfoRequest {}).await.map_err(Error::from) {
            Ok(info) => (info.into_inner().buildkit_version, true),
            Err(Error::Remote(error)) if error.is_unimplemented() => (None, false),
            Err(error) => return Err(error),
        };
        let version = version.map(|version| version.version).or_else(|| {
            workers
                .first()
                .and_then(|worker| worker.buildkit_version.clone())
                .map(|version| version.version)
        });
        Ok(Daemon {
            version: version.as_deref().and_then(usable_version),
            has_info,
            is_docker: workers.iter().any(is_docker_worker),
            platforms: platforms(&workers),
        })
    }

    /// Asks the daemon what it can do, by a build that ends before it begins.
    ///
    /// # Errors
    /// When the daemon is too old even to be asked, or the connection fails.
    pub async fn capabilities(&self, session: &Session) -> Result<Capabilities, Error> {
        let asked = self
            .build(
                session,
                Job::default(),
                std::future::pending(),
                |_| {},
                async |gateway| {
                    let capabilities = gateway.ping().await?;
                    Err::<(_, ()), _>(Probe::Done(capabilities))
                },
            )
            .await;
        match asked {
            Err(BuildError::Drive(Probe::Done(capabilities))) => Ok(capabilities),
            Err(BuildError::Drive(Probe::Failed(error)) | BuildError::Daemon(error)) => Err(error),
            Ok(_) => Ok(Capabilities::default()),
        }
    }
}

/// The answer to `call`, for which the daemon has the time `patience`.
///
/// # Errors
/// The error of the call, or that there is no answer.
pub(super) async fn answered<T>(
    call: &'static str,
    patience: Duration,
    answer: impl Future<Output = Result<T, tonic::Status>>,
) -> Result<T, Error> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::Silent {
            call,
            seconds: patience.as_secs(),
        }),
    }
}

enum Probe {
    Done(Capabilities),
    Failed(Error),
}

impl AsError for Probe {
    fn as_error(&self) -> Option<&Error> {
        match self {
            Self::Done(_) => None,
            Self::Failed(error) => Some(error),
        }
    }
}

impl From<Error> for Probe {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

// Builds from source and Docker Engines answer `v0.0.0+unknown`.
fn usable_version(text: &str) -> Option<Version> {
    let version = Version::parse(text.trim_start_matches('v')).ok()?;
    ((version.major, version.minor, version.patch) != (0, 0, 0)).then_some(version)
}

fn is_docker_worker(worker: &WorkerRecord) -> bool {
    worker
        .labels
        .keys()
        .any(|key| key.starts_with("org.mobyproject.buildkit.worker.moby."))
        || worker
            .labels
            .get("org.mobyproject.buildkit.worker.containerd.namespace")
            .is_some_and(|name| name == "moby")
}

fn platforms(workers: &[WorkerRecord]) -> Vec<String> {
    let platforms: BTreeSet<String> = workers
        .iter()
        .flat_map(|worker| &worker.platforms)
        .map(|platform| match platform.variant.as_str() {
            "" => format!("{}/{}", platform.os, platform.architecture),
            variant => format!("{}/{}/{variant}", platform.os, platform.architecture),
        })
        .collect();
    platforms.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;
    use crate::buildkit::Gateway;

    #[tokio::test]
    async fn a_daemon_that_never_answers_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let endpoint: Endpoint = format!("unix://{}", path.display()).parse().unwrap();
        let access = Access::default();
        let (connected, accepted) =
            tokio::join!(Client::connect(endpoint, &access), listener.accept());
        let mut client = connected.unwrap();
        client.patience = Duration::from_millis(10);
        let told = |error: Error| error.to_string();
        let gateway = Gateway::new(&client, "0".parse().unwrap(), &[]);
        assert_eq!(
            gateway.ping().await.err().map(told),
            Some("the daemon has not answered Ping for 0 s".to_owned())
        );
        let status = Error::Interrupted.to_status();
        assert_eq!(
            gateway.return_error(status).await.err().map(told),
            Some("the daemon has not answered Return for 0 s".to_owned())
        );
        drop(accepted);
    }

    #[tokio::test]
    async fn a_connection_from_which_nothing_comes_is_given_up() {
        let (ours, _theirs) = tokio::io::duplex(1 << 20);
        let silence = Silence {
            allowed: Duration::from_millis(10),
            answer: Duration::from_millis(10),
        };
        let channel = connect::channel(Box::new(ours), silence).await.unwrap();
        let mut control = ControlClient::new(channel);
        let asked = control.list_workers(ListWorkersRequest::default());
        let asked = tokio::time::timeout(Duration::from_secs(10), asked).await;
        let error = Error::from(asked.unwrap().unwrap_err());
        assert_eq!(
            error.to_string(),
            "the connection to the daemon failed: nothing comes from it any more, not even an answer to a PING"
        );
    }

    fn daemon(version: Option<Version>) -> Daemon {
        Daemon {
            version,
            has_info: true,
            is_docker: false,
            platforms: Vec::new(),
        }
    }

    fn capabilities(gateway: &[&str], llb: &[&str]) -> Capabilities {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Capabilities {
            gateway: set(gateway),
            llb: set(llb),
        }
    }

    #[test]
    fn an_old_version_is_refused_before_features_are_looked_at() {
        let error = Capabilities::default()
            .check(&daemon(Some(Version::new(0, 10, 6))))
            .unwrap_err();
        assert_eq!(error.to_string(), "BuildKit 0.10.6 is too old");
    }

    #[test]
    fn a_daemon_that_cannot_be_asked_is_too_old() {
        let ancient = Daemon {
            has_info: false,
            ..daemon(None)
        };
        assert_eq!(ancient.check_version(), Err(OldDaemon::Ancient));
    }

    #[test]
    fn without_a_version_features_decide() {
        let all = capabilities(
            &["gateway.evaluate", "reference.attestations"],
            &["exporter.image.attestations"],
        );
        assert_eq!(all.check(&daemon(None)), Ok(()));
        assert_eq!(
            capabilities(&["gateway.evaluate"], &[])
                .check(&daemon(None))
                .unwrap_err()
                .to_string(),
            "this BuildKit is too old: it lacks reference.attestations, exporter.image.attestations"
        );
    }

    #[test]
    fn a_version_that_says_nothing_is_none() {
        assert_eq!(usable_version("v0.0.0+unknown"), None);
        assert_eq!(usable_version("not a version"), None);
        assert_eq!(usable_version("v0.13.2"), Some(Version::new(0, 13, 2)));
    }
}
