//! From an endpoint to a byte stream that speaks HTTP/2 with prior knowledge.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tonic::transport::Channel;

use super::complaint::Complaint;
use super::docker::{self, DockerApi};
use super::endpoint::{DockerHost, Endpoint};
use super::program::Invocation;
use super::tls::{self, Tls, TlsFault};

/// A byte stream to a daemon.
pub type Stream = Box<dyn Duplex>;

/// Reading and writing on one object.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What it takes to reach a daemon besides its address.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The Docker Engine, for the endpoints that need one.
    pub docker: DockerHost,
    /// TLS for `tcp://`, which is spoken without it otherwise.
    pub tls: Option<Tls>,
}

impl From<DockerHost> for Access {
    fn from(docker: DockerHost) -> Self {
        Self { docker, tls: None }
    }
}

/// A byte stream to a daemon, and what is said beside it.
pub struct Dialed {
    /// The bytes.
    pub stream: Stream,
    /// What the program that carries them says.
    pub complaint: Complaint,
}

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
    /// There is no such program on this machine, or it cannot be started.
    #[error("`{endpoint}` needs the program `{program}`: {source}")]
    NoProgram {
        /// The endpoint.
        endpoint: String,
        /// The program.
        program: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The program that should carry the connection does not.
    #[error("cannot reach `{endpoint}` through `{program}`: {reason}")]
    Program {
        /// The endpoint.
        endpoint: String,
        /// The program.
        program: &'static str,
        /// What it said last.
        reason: String,
    },
    /// There is a peer, and TLS with it failed.
    #[error("cannot connect to `{endpoint}`: {fault}")]
    Tls {
        /// The endpoint.
        endpoint: String,
        /// Why.
        fault: TlsFault,
    },
    /// The peer speaks TLS, and was spoken to without.
    #[error("`{endpoint}` speaks TLS")]
    NeedsTls {
        /// The endpoint.
        endpoint: String,
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

/// When a connection counts as dead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    /// How long nothing may arrive before the daemon is asked for a sign of life, by a PING of HTTP/2.
    pub(super) allowed: Duration,
    /// How long it has for that.
    pub(super) answer: Duration,
}

impl Silence {
    /// A daemon looks after each of its sessions: every 5 s it calls us, and gives one call at least 15 s. So as long as it
    /// lives, no PING is ever sent to it, which is well, because its gRPC ends connections on which more than two arrive
    /// within five minutes with nothing of its own between them:
    /// <https://github.com/grpc/grpc-go/blob/master/Documentation/keepalive.md>. BuildKit's own client sends none, and
    /// waits for ever. A daemon that cannot even answer within this time has ended the session by its own rules.
    pub(super) const MAX: Self = Self {
        allowed: Duration::from_secs(30),
        answer: Duration::from_secs(30),
    };
}

/// Opens a byte stream to the daemon at `endpoint`.
///
/// # Errors
/// When nothing answers there, or what answers refuses.
pub async fn open(endpoint: &Endpoint, access: &Access) -> Result<Dialed, ConnectError> {
    let timeout = || ConnectError::Timeout {
        endpoint: endpoint.to_string(),
        seconds: CONNECT_TIMEOUT.as_secs(),
    };
    tokio::time::timeout(CONNECT_TIMEOUT, dial(endpoint, access))
        .await
        .map_err(|_| timeout())?
}

async fn dial(endpoint: &Endpoint, access: &Access) -> Result<Dialed, ConnectError> {
    let silent = |stream| Dialed {
        stream,
        complaint: Complaint::silent(),
    };
    match endpoint {
        Endpoint::Unix(path) => raw(&DockerHost::Unix(path.clone()), endpoint)
            .await
            .map(silent),
        Endpoint::Tcp(address) => {
            let stream = raw(&DockerHost::Tcp(address.clone()), endpoint).await?;
            let complaint = Complaint::silent();
            let stream = match &access.tls {
                Some(tls) => tls
                    .wrap(stream, address, &complaint)
                    .await
                    .map_err(|fault| ConnectError::Tls {
                        endpoint: endpoint.to_string(),
                        fault,
                    })?,
                None => stream,
            };
            Ok(Dialed { stream, complaint })
        }
        Endpoint::Docker(socket) => {
            let host = socket.clone().map(DockerHost::Unix);
            let host = host.unwrap_or_else(|| access.docker.clone());
            engine(&host, endpoint).await.map(silent)
        }
        Endpoint::DockerContainer(name) => {
            let complaint = Complaint::open();
            let api = DockerApi::new(&access.docker)?;
            let stream = docker::exec(&api, name, &complaint).await?;
            Ok(Dialed { stream, complaint })
        }
        Endpoint::PodmanContainer(name) => start(&Invocation::podman(name), endpoint),
        Endpoint::KubePod(pod) => start(&Invocation::kubectl(pod), endpoint),
        Endpoint::Ssh(machine) => start(&Invocation::ssh(machine), endpoint),
    }
}

fn start(invocation: &Invocation, endpoint: &Endpoint) -> Result<Dialed, ConnectError> {
    let complaint = Complaint::open();
    let stream = invocation
        .start(&complaint)
        .map_err(|source| ConnectError::NoProgram {
            endpoint: endpoint.to_string(),
            program: invocation.program,
            source,
        })?;
    Ok(Dialed {
        stream: Box::new(stream),
        complaint,
    })
}

// How long what listens may take to answer TLS's greeting.
const GREETING_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a connection to `endpoint` does not serve, where more can be found out about that: from what is said beside it, or by
/// asking whether it is TLS that is spoken there.
pub async fn explain(
    endpoint: &Endpoint,
    access: &Access,
    complaint: &Complaint,
) -> Option<ConnectError> {
    let name = endpoint.to_string();
    if let Some(fault) = complaint.tls() {
        return Some(ConnectError::Tls {
            endpoint: name,
            fault,
        });
    }
    let program = match endpoint {
        Endpoint::Tcp(_) if access.tls.is_none() => {
            let stream = raw_of(endpoint).await?;
            let spoken = tokio::time::timeout(GREETING_TIMEOUT, tls::is_spoken(stream)).await;
            return (spoken == Ok(true)).then_some(ConnectError::NeedsTls { endpoint: name });
        }
        Endpoint::DockerContainer(_) => None,
        Endpoint::PodmanContainer(_) => Some("podman"),
        Endpoint::KubePod(_) => Some("kubectl"),
        Endpoint::Ssh(_) => Some("ssh"),
        _ => return None,
    };
    let reason = complaint.told().await;
    match (endpoint, program) {
        _ if reason.is_empty() => None,
        (_, Some(program)) => Some(ConnectError::Program {
            endpoint: name,
            program,
            reason,
        }),
        (Endpoint::DockerContainer(container), None) => Some(ConnectError::Container {
            container: container.clone(),
            reason,
        }),
        _ => None,
    }
}

async fn raw_of(endpoint: &Endpoint) -> Option<Stream> {
    let Endpoint::Tcp(address) = endpoint else {
        return None;
    };
    raw(&DockerHost::Tcp(address.clone()), endpoint).await.ok()
}

/// Connects a gRPC channel over `stream`, which serves one connection only.
pub(super) async fn channel(
    stream: Stream,
    silence: Silence,
) -> Result<Channel, tonic::transport::Error> {
    let mut stream = Some(TokioIo::new(stream));
    tonic::transport::Endpoint::from_static("http://buildkit")
        .http2_max_header_list_size(MAX_HEADER_LIST)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .http2_keep_alive_interval(silence.allowed)
        .keep_alive_timeout(silence.answer)
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
        let error = open(&endpoint, &Access::default()).await.err().unwrap();
        assert_eq!(
            error.to_string(),
            "cannot connect to `unix:///nonexistent/buildkitd.sock`: No such file or directory (os error 2)"
        );
    }
}
