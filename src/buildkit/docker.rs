//! The Docker Engine's own API, as far as a BuildKit client needs it.

use std::io;
use std::path::Path;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::complaint::Complaint;
use super::connect::{ConnectError, Stream};
use super::endpoint::DockerHost;
use super::program::Opening;

/// Calls to a Docker Engine.
pub struct DockerApi {
    docker: Docker,
    host: DockerHost,
}

// The API timeout, in seconds; loading a large image takes long.
const API_TIMEOUT: u64 = 3600;

impl DockerApi {
    /// Prepares calls to the Engine at `host`; nothing is sent yet.
    ///
    /// # Errors
    /// When the socket does not exist.
    pub fn new(host: &DockerHost) -> Result<Self, ConnectError> {
        if let DockerHost::Unix(path) = host {
            std::fs::metadata(path).map_err(|source| ConnectError::Io {
                endpoint: host.to_string(),
                source,
            })?;
        }
        let docker = match host {
            DockerHost::Unix(path) => Docker::connect_with_unix(
                &path.to_string_lossy(),
                API_TIMEOUT,
                bollard::API_DEFAULT_VERSION,
            ),
            DockerHost::Tcp(_) => Docker::connect_with_host(&host.to_string()),
        };
        let docker = docker.map_err(|error| ConnectError::Engine {
            endpoint: host.to_string(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            docker,
            host: host.clone(),
        })
    }

    pub(super) fn host(&self) -> &DockerHost {
        &self.host
    }

    pub(super) fn error(&self, error: &bollard::errors::Error) -> ConnectError {
        ConnectError::Engine {
            endpoint: self.host.to_string(),
            reason: error.to_string(),
        }
    }

    pub(super) async fn negotiated(&self) -> Result<Docker, ConnectError> {
        self.docker
            .clone()
            .negotiate_version()
            .await
            .map_err(|error| self.error(&error))
    }

    /// Whether a container of this name runs.
    ///
    /// # Errors
    /// When the Engine does not answer.
    pub async fn is_running(&self, container: &str) -> Result<bool, ConnectError> {
        match self
            .negotiated()
            .await?
            .inspect_container(container, None)
            .await
        {
            Ok(inspected) => Ok(inspected
                .state
                .and_then(|state| state.running)
                .unwrap_or_default()),
            Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(false),
            Err(error) => Err(self.error(&error)),
        }
    }

    /// The Engine's version, and whether it keeps images in containerd's store.
    ///
    /// # Errors
    /// When the Engine does not answer.
    pub async fn engine(&self) -> Result<Engine, ConnectError> {
        let info = self
            .negotiated()
            .await?
            .info()
            .await
            .map_err(|error| self.error(&error))?;
        let containerd = info.driver_status.unwrap_or_default().iter().any(|row| {
            row.first().is_some_and(|key| key == "driver-type")
                && row
                    .get(1)
                    .is_some_and(|kind| kind.starts_with("io.containerd."))
        });
        Ok(Engine {
            version: info.server_version.unwrap_or_default(),
            has_containerd_store: containerd,
        })
    }

    /// Loads the image archive at `path` into the Engine's images.
    ///
    /// # Errors
    /// When the file cannot be read or the Engine refuses it.
    pub async fn load(&self, path: &Path) -> Result<(), ConnectError> {
        let file = tokio::fs::File::open(path)
            .await
            .map_err(|source| ConnectError::Io {
                endpoint: path.display().to_string(),
                source,
            })?;
        let body = futures_util::stream::try_unfold(file, async |mut file| {
            let mut chunk = BytesMut::with_capacity(256 << 10);
            let length = file.read_buf(&mut chunk).await?;
            Ok::<_, io::Error>((length > 0).then(|| (chunk.freeze(), file)))
        });
        let options = bollard::query_parameters::ImportImageOptions {
            quiet: true,
            ..Default::default()
        };
        let docker = self.negotiated().await?;
        let mut answers =
            std::pin::pin!(docker.import_image(options, bollard::body_try_stream(body), None));
        while let Some(answer) = answers.next().await {
            let answer = answer.map_err(|error| self.error(&error))?;
            if let Some(error) = answer.error_detail.and_then(|detail| detail.message) {
                return Err(ConnectError::Engine {
                    endpoint: self.host.to_string(),
                    reason: error,
                });
            }
        }
        Ok(())
    }
}

/// What a Docker Engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Its version, such as `28.5.2`.
    pub version: String,
    /// Whether it keeps images in containerd's store, without which it has no OCI export and no attestations.
    pub has_containerd_store: bool,
}

/// Runs `buildctl dial-stdio` in a container and connects to its standard streams.
pub(super) async fn exec(
    api: &DockerApi,
    container: &str,
    complaint: &Complaint,
) -> Result<Stream, ConnectError> {
    let error = |error: bollard::errors::Error| ConnectError::Container {
        container: container.to_owned(),
        reason: match error {
            bollard::errors::Error::DockerResponseServerError { message, .. } => message,
            other => other.to_string(),
        },
    };
    let docker = api.negotiated().await?;
    let options = CreateExecOptions {
        cmd: Some(vec!["buildctl", "dial-stdio"]),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..Default::default()
    };
    let created = docker
        .create_exec(container, options)
        .await
        .map_err(error)?;
    let StartExecResults::Attached {
        mut output,
        mut input,
    } = docker.start_exec(&created.id, None).await.map_err(error)?
    else {
        return Err(ConnectError::Container {
            container: container.to_owned(),
            reason: "the Engine did not attach".to_owned(),
        });
    };
    let (ours, theirs) = tokio::io::duplex(256 << 10);
    let (mut from_client, mut to_client) = tokio::io::split(theirs);
    let complaint = complaint.clone();
    // Both tasks end with the connection: one when `ours` is dropped, the other when the program exits.
    tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut input).await; // the other direction reports it
        let _ = input.shutdown().await;
    });
    tokio::spawn(async move {
        let mut opening = Opening::new(complaint.clone());
        while let Some(Ok(chunk)) = output.next().await {
            match chunk {
                LogOutput::StdErr { message } => complaint.say(&message),
                LogOutput::StdOut { message }
                | LogOutput::Console { message }
                | LogOutput::StdIn { message } => {
                    opening.look(&message);
                    if to_client.write_all(&message).await.is_err() {
                        break;
                    }
                }
            }
        }
        complaint.close("");
    });
    Ok(Box::new(ours))
}
