//! From an endpoint to a byte stream that speaks HTTP/2 with prior knowledge.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tonic::transport::Channel;

use super::endpoint::{DockerHost, Endpoint};

/// A byte stream to a daemon.
pub type Stream = Box<dyn Duplex>;

/// Reading and writing on one object.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An endpoint that could not be connected to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing listens there, or it may not be used.
    #[error("cannot connect to `{endpoint}`: {source}")]
    Io {
        /// The endpoint.
        endpoint: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The Docker Engine refused to hand over to its BuildKit.
    #[error("the Docker Engine at `{endpoint}` refused: {reason}")]
    Engine {
        /// The endpoint.
        endpoint: String,
        /// The Engine's answer.
        reason: String,
    },
    /// The container or the program in it cannot be run.
    #[error("cannot reach buildkitd in the container `{container}`: {reason}")]
    Container {
        /// The container's name.
        container: String,
        /// The Engine's or the program's answer.
        reason: String,
    },
    /// There is a peer, but it does not speak BuildKit's protocol.
    #[error("`{endpoint}` does not answer as BuildKit: {reason}")]
    Protocol {
        /// The endpoint.
        endpoint: String,
        /// What it said instead.
        reason: String,
    },
    /// There was no answer in time.
    #[error("`{endpoint}` did not answer within {seconds} s")]
    Timeout {
        /// The endpoint.
        endpoint: String,
        /// How long was waited, in seconds.
        seconds: u64,
    },
}

// The daemon is local or near: an endpoint that needs longer to accept is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
// Error details carry stack traces and whole source files in trailers; hyper's default of 16 KiB resets such streams.
const MAX_HEADER_LIST: u32 = 16 << 20;
// A large window keeps h2's budget for small frames from closing a connection whose Status stream is read late.
const CONNECTION_WINDOW: u32 = 1 << 30;
const STREAM_WINDOW: u32 = 1 << 20;

/// Opens a byte stream to the daemon at `endpoint`; `docker` is the Engine for the schemes that need one.
///
/// # Errors
/// When nothing answers there, or what answers refuses.
pub async fn open(endpoint: &Endpoint, docker: &DockerHost) -> Result<Stream, ConnectError> {
    Ok(dial(endpoint, docker).await?.stream)
}

pub(super) struct Dialed {
    pub(super) stream: Stream,
    // What the program behind the stream wrote to stderr, for the error text.
    pub(super) complaint: Arc<Mutex<String>>,
}

impl From<Stream> for Dialed {
    fn from(stream: Stream) -> Self {
        Self {
            stream,
            complaint: Arc::default(),
        }
    }
}

pub(super) async fn dial(endpoint: &Endpoint, docker: &DockerHost) -> Result<Dialed, ConnectError> {
    let dialing = async {
        match endpoint {
            Endpoint::Unix(path) => raw(&DockerHost::Unix(path.clone()), endpoint)
                .await
                .map(Dialed::from),
            Endpoint::Tcp(address) => raw(&DockerHost::Tcp(address.clone()), endpoint)
                .await
                .map(Dialed::from),
            Endpoint::Docker(socket) => {
                let host = socket
                    .clone()
                    .map_or_else(|| docker.clone(), DockerHost::Unix);
                engine(&host, endpoint).await.map(Dialed::from)
            }
            Endpoint::DockerContainer(name) => exec(&DockerApi::new(docker)?, name).await,
        }
    };
    let timeout = || ConnectError::Timeout {
        endpoint: endpoint.to_string(),
        seconds: CONNECT_TIMEOUT.as_secs(),
    };
    tokio::time::timeout(CONNECT_TIMEOUT, dialing)
        .await
        .map_err(|_| timeout())?
}

/// Connects a gRPC channel over `stream`, which serves one connection only.
pub(super) async fn channel(stream: Stream) -> Result<Channel, tonic::transport::Error> {
    let mut stream = Some(TokioIo::new(stream));
    tonic::transport::Endpoint::from_static("http://buildkit")
        .http2_max_header_list_size(MAX_HEADER_LIST)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .connect_with_connector(tower::service_fn(move |_| {
            let stream = stream
                .take()
                .ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
            async move { stream }
        }))
        .await
}

async fn raw(host: &DockerHost, endpoint: &Endpoint) -> Result<Stream, ConnectError> {
    let stream: io::Result<Stream> = match host {
        DockerHost::Unix(path) => UnixStream::connect(path)
            .await
            .map(|stream| Box::new(stream) as Stream),
        DockerHost::Tcp(address) => TcpStream::connect(address).await.map(|stream| {
            let _ = stream.set_nodelay(true); // a slower connection is still one
            Box::new(stream) as Stream
        }),
    };
    stream.map_err(|source| ConnectError::Io {
        endpoint: endpoint.to_string(),
        source,
    })
}

/// The BuildKit of a Docker Engine: by an upgrade of `/grpc`, or natively where the Engine no longer has that.
///
/// Up to Engine 28 the socket speaks gRPC only behind the upgrade; Engine 29 speaks it natively and has
/// deprecated the upgrade: <https://github.com/moby/moby/pull/50744>.
async fn engine(host: &DockerHost, endpoint: &Endpoint) -> Result<Stream, ConnectError> {
    let mut stream = raw(host, endpoint).await?;
    match upgrade(&mut stream).await {
        Ok(Upgrade::Done(rest)) => Ok(Box::new(Rewind { rest, stream })),
        Ok(Upgrade::Refused {
            status: 404 | 400 | 426,
            ..
        }) => raw(host, endpoint).await,
        Ok(Upgrade::Refused { status, reason }) => Err(ConnectError::Engine {
            endpoint: endpoint.to_string(),
            reason: format!("{reason} (HTTP {status})"),
        }),
        Err(source) => Err(ConnectError::Io {
            endpoint: endpoint.to_string(),
            source,
        }),
    }
}

enum Upgrade {
    // The bytes behind the head belong to HTTP/2: the Engine sends its SETTINGS in the same write.
    Done(Bytes),
    Refused { status: u16, reason: String },
}

const UPGRADE: &[u8] =
    b"POST /grpc HTTP/1.1\r\nHost: docker\r\nUser-Agent: peelbox\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
const MAX_HEAD: usize = 64 << 10;

async fn upgrade(stream: &mut Stream) -> io::Result<Upgrade> {
    stream.write_all(UPGRADE).await?;
    let mut bytes = BytesMut::with_capacity(4 << 10);
    while bytes.len() < MAX_HEAD {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head
            .parse(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let httparse::Status::Complete(length) = parsed else {
            continue;
        };
        let status = head.code.unwrap_or_default();
        if status == 101 {
            bytes.advance(length);
            return Ok(Upgrade::Done(bytes.freeze()));
        }
        return Ok(Upgrade::Refused {
            status,
            reason: message(&bytes[length..]),
        });
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "the answer's head is too long",
    ))
}

// The Engine answers errors as `{"message": "…"}`.
fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Answer {
        message: String,
    }
    serde_json::from_slice(body).map_or_else(
        |_| String::from_utf8_lossy(body).trim().to_owned(),
        |answer: Answer| answer.message,
    )
}

/// A stream whose first bytes were already read.
struct Rewind {
    rest: Bytes,
    stream: Stream,
}

impl AsyncRead for Rewind {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewind {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The Docker Engine's own API, as far as a BuildKit client needs it.
pub struct DockerApi {
    docker: Docker,
    host: String,
}

// The API timeout, in seconds; loading a large image takes long.
const API_TIMEOUT: u64 = 3600;

impl DockerApi {
    /// Prepares calls to the Engine at `host`; nothing is sent yet.
    ///
    /// # Errors
    /// When the socket does not exist.
    pub fn new(host: &DockerHost) -> Result<Self, ConnectError> {
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
            host: host.to_string(),
        })
    }

    fn error(&self, error: &bollard::errors::Error) -> ConnectError {
        ConnectError::Engine {
            endpoint: self.host.clone(),
            reason: error.to_string(),
        }
    }

    async fn negotiated(&self) -> Result<Docker, ConnectError> {
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
                    endpoint: self.host.clone(),
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
async fn exec(api: &DockerApi, container: &str) -> Result<Dialed, ConnectError> {
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
    let complaint = Arc::<Mutex<String>>::default();
    let complaints = Arc::clone(&complaint);
    // Both tasks end with the connection: one when `ours` is dropped, the other when the program exits.
    tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut input).await; // the other direction reports it
        let _ = input.shutdown().await;
    });
    tokio::spawn(async move {
        while let Some(Ok(chunk)) = output.next().await {
            match chunk {
                LogOutput::StdErr { message } => append(&complaints, &message),
                LogOutput::StdOut { message }
                | LogOutput::Console { message }
                | LogOutput::StdIn { message } => {
                    // A missing program is reported by the runtime on stdout, where HTTP/2 is expected.
                    if message.starts_with(b"OCI runtime") {
                        append(&complaints, &message);
                    }
                    if to_client.write_all(&message).await.is_err() {
                        break;
                    }
                }
            }
        }
    });
    Ok(Dialed {
        stream: Box::new(ours),
        complaint,
    })
}

fn append(complaint: &Mutex<String>, bytes: &[u8]) {
    if let Ok(mut text) = complaint.lock()
        && text.len() < 4 << 10
    {
        text.push_str(&String::from_utf8_lossy(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn engine_that_answers(answer: &'static [u8]) -> io::Result<Upgrade> {
        let (client, mut server) = tokio::io::duplex(64 << 10);
        let serving = tokio::spawn(async move {
            let mut head = vec![0; UPGRADE.len()];
            server.read_exact(&mut head).await.unwrap();
            server.write_all(answer).await.unwrap();
            head
        });
        let mut stream: Stream = Box::new(client);
        let upgraded = upgrade(&mut stream).await;
        assert_eq!(serving.await.unwrap(), UPGRADE);
        upgraded
    }

    #[tokio::test]
    async fn bytes_behind_the_101_are_kept() {
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0";
        let Ok(Upgrade::Done(rest)) = engine_that_answers(answer).await else {
            panic!("not upgraded")
        };
        assert_eq!(&rest[..], b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0");
        let (inner, _peer) = tokio::io::duplex(16);
        let mut rewind = Rewind {
            rest,
            stream: Box::new(inner),
        };
        let mut first = [0; 4];
        rewind.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"\0\0\x06\x04");
    }

    #[tokio::test]
    async fn an_engine_without_the_upgrade_says_so() {
        let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 30\r\n\r\n{\"message\":\"page not found\"}\r\n";
        let Ok(Upgrade::Refused { status, reason }) = engine_that_answers(answer).await else {
            panic!("upgraded")
        };
        assert_eq!((status, reason.as_str()), (404, "page not found"));
    }

    #[tokio::test]
    async fn a_dead_socket_is_named() {
        let endpoint: Endpoint = "unix:///nonexistent/buildkitd.sock".parse().unwrap();
        let error = open(&endpoint, &DockerHost::default()).await.err().unwrap();
        assert_eq!(
            error.to_string(),
            "cannot connect to `unix:///nonexistent/buildkitd.sock`: No such file or directory (os error 2)"
        );
    }
}
