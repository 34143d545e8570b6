//! A build from its first call to the end of its exports.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use buildkit_proto::moby::buildkit::v1::{self as control, StatusResponse};
use tokio::task::JoinHandle;
use tonic::metadata::AsciiMetadataValue;

use super::client::Client;
use super::error::Error;
use super::gateway::{Gateway, Outcome};
use super::session::Session;

/// What a build asks of the daemon besides its graph.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// What is made of the result.
    pub exports: Vec<Export>,
    /// Attributes that the daemon itself reads: `attest:provenance`, `build-arg:SOURCE_DATE_EPOCH`.
    pub attributes: BTreeMap<String, String>,
    /// Where the daemon looks for steps that it has not run itself.
    pub cache_imports: Vec<Cache>,
    /// Where the daemon writes the steps of this build.
    pub cache_exports: Vec<Cache>,
    /// What steps may do that others may not, such as `network.host`; the daemon must allow it too.
    pub entitlements: Vec<String>,
}

/// A place outside of the daemon where it finds or puts the results of steps.
///
/// See <https://github.com/moby/buildkit#export-cache> for the kinds and their attributes. The attributes `src` and
/// `dest` of a local cache are the name of one of the session's [`Stores::caches`](super::Stores::caches).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Cache {
    /// The kind: `registry`, `local`, `inline`, `gha`, `s3`, `azblob`.
    pub kind: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

// Some attributes are passwords.
impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("kind", &self.kind)
            .field("attributes", &self.attributes.keys())
            .finish()
    }
}

/// One output of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The exporter: `oci`, `docker`, `image`, `moby`.
    pub kind: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Where what it sends goes.
    pub target: Target,
}

/// Where the output of an exporter goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Nothing is sent: the daemon keeps the result, or pushes it.
    #[default]
    Daemon,
    /// The file that takes an archive: exporters `oci`, `docker`, `tar`.
    File(PathBuf),
    /// The empty directory that takes files: exporter `local`.
    Files(PathBuf),
    /// The directory that takes the blobs of an image layout: exporter `oci` with `tar=false`, of which a build has one.
    ///
    /// The daemon does not write `index.json`: [`Directory::name`](super::Directory::name) does.
    Layout(PathBuf),
}

/// The daemon's answer to a build that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// What the exporters say, such as `containerimage.digest`; with several exporters the last one wins.
    pub exporter: BTreeMap<String, String>,
}

/// A build that failed, on either side.
#[derive(Debug, thiserror::Error)]
pub enum BuildError<E> {
    /// The client gave up.
    #[error(transparent)]
    Drive(E),
    /// The daemon did.
    #[error(transparent)]
    Daemon(Error),
}

// Status ends by itself when the job is gone; the Go client allows as long.
const STATUS_GRACE: Duration = Duration::from_secs(5);
// What ends all calls at once is told to one after the other.
const SOLVE_GRACE: Duration = Duration::from_millis(100);

impl Client {
    /// Runs a build that `drive` steers: it solves, reads, and says what the result is.
    ///
    /// Status events go to `on_status` as they arrive; it must return at once. When `interrupt` completes, the build
    /// is cancelled in the order that leaves nothing behind at the daemon.
    ///
    /// # Errors
    /// The error of `drive`, or of the daemon: of a lost session, an exporter, an interrupt.
    pub async fn build<T, E: From<Error> + AsError>(
        &self,
        session: &Session,
        job: Job,
        interrupt: impl Future<Output = ()>,
        on_status: impl FnMut(StatusResponse) + Send + 'static,
        drive: impl AsyncFnOnce(&Gateway) -> Result<(Outcome, T), E>,
    ) -> Result<(Response, T), BuildError<E>> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let build_id = build_id(&id).map_err(BuildError::Daemon)?;
        let gateway = Gateway::new(self, build_id, &job.cache_imports);
        let status = self.follow(id.clone(), on_status);
        session.expect(&job.exports);
        let ended = {
            let solved = pin!(self.solve(&id, session, job));
            let interrupt = pin!(interrupt);
            run(&gateway, solved, drive, interrupt, session).await
        };
        // Everything is dropped but the session: the daemon ends the job, and Status with it.
        status.finish().await;
        ended
    }

    fn follow(
        &self,
        id: String,
        mut on_status: impl FnMut(StatusResponse) + Send + 'static,
    ) -> Follower {
        let mut control = self.control();
        Follower(tokio::spawn(async move {
            let Ok(answer) = control.status(control::StatusRequest { r#ref: id }).await else {
                return; // the build itself reports why
            };
            let mut events = answer.into_inner();
            while let Ok(Some(event)) = events.message().await {
                on_status(event);
            }
        }))
    }

    async fn solve(&self, id: &str, session: &Session, job: Job) -> Result<Response, Error> {
        let exporters: Vec<control::Exporter> = job
            .exports
            .into_iter()
            .map(|export| control::Exporter {
                r#type: export.kind,
                attrs: export.attributes.into_iter().collect(),
            })
            .collect();
        let exports = job.cache_exports.into_iter();
        let exports = exports.map(|cache| control::CacheOptionsEntry {
            r#type: cache.kind,
            attrs: cache.attributes.into_iter().collect(),
        });
        let exports = exports.collect();
        let first = exporters.first().cloned().unwrap_or_default();
        let request = control::SolveRequest {
            r#ref: id.to_owned(),
            // Neither definition nor frontend: the daemon waits for a client-side gateway build.
            definition: None,
            session: session.id().to_owned(),
            // Daemons before v0.13 know only this pair, later ones ignore it where `exporters` is set.
            exporter_deprecated: first.r#type,
            exporter_attrs_deprecated: first.attrs,
            exporters,
            entitlements: job.entitlements,
            frontend_attrs: job.attributes.into_iter().collect(),
            cache: Some(control::CacheOptions {
                exports,
                ..Default::default()
            }),
            ..Default::default()
        };
        let answer = self.control().solve(request).await?.into_inner();
        Ok(Response {
            exporter: answer.exporter_response.into_iter().collect(),
        })
    }
}

/// An error that can be told to the daemon.
pub trait AsError {
    /// The client's error in it, if that is what failed.
    fn as_error(&self) -> Option<&Error>;
}

impl AsError for Error {
    fn as_error(&self) -> Option<&Error> {
        Some(self)
    }
}

fn build_id(id: &str) -> Result<AsciiMetadataValue, Error> {
    id.parse().map_err(|_| Error::Incomplete {
        call: "Solve",
        missing: "usable build id",
    })
}

// Every path ends in exactly one Return, or drops the solve: otherwise Control.Solve hangs.
async fn run<T, E: From<Error> + AsError>(
    gateway: &Gateway,
    mut solved: impl Future<Output = Result<Response, Error>> + Unpin,
    drive: impl AsyncFnOnce(&Gateway) -> Result<(Outcome, T), E>,
    mut interrupt: impl Future<Output = ()> + Unpin,
    session: &Session,
) -> Result<(Response, T), BuildError<E>> {
    let interrupted = || BuildError::Daemon(Error::Interrupted);
    let driven = tokio::select! {
        driven = drive(gateway) => driven,
        answer = &mut solved => {
            // The job ended under our hands: the daemon or the session went away.
            let error = answer.err().unwrap_or(Error::Incomplete { call: "Solve", missing: "returned result" });
            return Err(BuildError::Daemon(error));
        }
        reason = session.ended() => return Err(BuildError::Daemon(lost(reason, solved).await)),
        () = &mut interrupt => return Err(interrupted()),
    };
    let (outcome, value) = match driven {
        Ok(driven) => driven,
        // There is nobody to tell it to.
        Err(error) if matches!(error.as_error(), Some(Error::Silent { .. })) => {
            return Err(BuildError::Drive(error));
        }
        Err(error) => {
            let status = error.as_error().unwrap_or(&Error::Interrupted).to_status();
            // The first error is the one that counts; the daemon repeats it as the answer to the solve.
            tokio::select! {
                _ = gateway.return_error(status) => {}
                () = interrupt => {}
            }
            return Err(BuildError::Drive(error));
        }
    };
    tokio::select! {
        returned = gateway.return_outcome(outcome) => {
            returned.map_err(|error| BuildError::Drive(error.into()))?;
        }
        // It may answer both at once.
        answer = &mut solved => return Ok((answer.map_err(BuildError::Daemon)?, value)),
        reason = session.ended() => return Err(BuildError::Daemon(lost(reason, solved).await)),
        () = &mut interrupt => return Err(interrupted()),
    }
    tokio::select! {
        answer = &mut solved => Ok((answer.map_err(BuildError::Daemon)?, value)),
        reason = session.ended() => Err(BuildError::Daemon(lost(reason, solved).await)),
        () = interrupt => Err(interrupted()),
    }
}

/// Why a build was lost whose session has ended: where the connection is gone, the solve that it carried knows more of
/// that than what went on inside it.
async fn lost(reason: String, solved: impl Future<Output = Result<Response, Error>>) -> Error {
    match tokio::time::timeout(SOLVE_GRACE, solved).await {
        Ok(Err(error @ Error::Transport(_))) => error,
        _ => Error::Session(reason),
    }
}

// The task that drains Status; it does not outlive the build.
struct Follower(JoinHandle<()>);

impl Follower {
    async fn finish(mut self) {
        let _ = tokio::time::timeout(STATUS_GRACE, &mut self.0).await; // what is late is noise
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}
