//! An HTTP/2 connection inside the Control.Session stream, in which the daemon is the client.

use std::time::Duration;

use buildkit_proto::moby::buildkit::v1::BytesMessage;
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::transport::server::Router;
use tonic::{Request, Streaming};

use super::super::client::{Client, answered};
use super::super::error::Error;

// Large enough for a DATA packet of a file and its framing; messages of any size are fine for the daemon.
const CHUNK: usize = 64 << 10;
const PIPE: usize = 1 << 20;
const QUEUE: usize = 8;
const CLOSE_GRACE: Duration = Duration::from_secs(5);

// The daemon calls file services only where they are listed.
const METHODS: [&str; 7] = [
    "/grpc.health.v1.Health/Check",
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.filesync.v1.FileSend/DiffCopy",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
];

pub(super) struct Tunnel {
    server: JoinHandle<()>,
    outbound: JoinHandle<()>,
    inbound: JoinHandle<()>,
}

/// Opens the stream and serves `router` in it; the receiver tells why the session ended, once it has.
pub(super) async fn open(
    client: &Client,
    id: &str,
    name: &str,
    router: Router,
) -> Result<(Tunnel, watch::Receiver<Option<String>>), Error> {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let (read, write) = tokio::io::split(ours);
    let incoming = futures_util::stream::iter([Ok::<_, std::io::Error>(theirs)])
        .chain(futures_util::stream::pending());
    let (messages, queue) = mpsc::channel(QUEUE);
    let mut request = Request::new(ReceiverStream::new(queue));
    describe(request.metadata_mut(), id, name)?;
    let server = tokio::spawn(async move {
        let _ = router.serve_with_incoming(incoming).await; // the daemon's side reports it
    });
    let outbound = tokio::spawn(send(read, messages));
    let mut control = client.control();
    let answer = match answered("Session", client.patience, control.session(request)).await {
        Ok(answer) => answer.into_inner(),
        Err(error) => {
            server.abort();
            outbound.abort();
            return Err(error);
        }
    };
    let (reason, ended) = watch::channel(None);
    let inbound = tokio::spawn(receive(answer, write, reason));
    Ok((
        Tunnel {
            server,
            outbound,
            inbound,
        },
        ended,
    ))
}

fn describe(metadata: &mut MetadataMap, id: &str, name: &str) -> Result<(), Error> {
    let value = |text: &str| {
        AsciiMetadataValue::try_from(text)
            .map_err(|_| Error::Session(format!("`{text}` is no header value")))
    };
    metadata.insert("x-docker-expose-session-uuid", value(id)?);
    metadata.insert("x-docker-expose-session-sharedkey", value("")?);
    metadata.insert("x-docker-expose-session-name", value(name)?);
    for method in METHODS {
        metadata.append("x-docker-expose-session-grpc-method", value(method)?);
    }
    Ok(())
}

async fn send(mut from: ReadHalf<DuplexStream>, to: mpsc::Sender<BytesMessage>) {
    loop {
        let mut data = Vec::with_capacity(CHUNK);
        match from.read_buf(&mut data).await {
            Ok(0) | Err(_) => return, // dropping `to` half-closes the stream
            Ok(_) => {
                if to.send(BytesMessage { data }).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn receive(
    mut from: Streaming<BytesMessage>,
    mut to: WriteHalf<DuplexStream>,
    reason: watch::Sender<Option<String>>,
) {
    let ended = loop {
        match from.message().await {
            Ok(Some(message)) => {
                if to.write_all(&message.data).await.is_err() {
                    break "our server closed it".to_owned();
                }
            }
            Ok(None) => break "the daemon closed it".to_owned(),
            Err(status) => break Error::from(status).to_string(),
        }
    };
    let _ = to.shutdown().await; // the server may be gone already
    reason.send_replace(Some(ended));
}

impl Tunnel {
    pub(super) async fn close(mut self) {
        // The end of our half of the stream is the sign for the daemon to end the session.
        self.outbound.abort();
        let _ = tokio::time::timeout(CLOSE_GRACE, &mut self.inbound).await; // a daemon that is gone answers nothing
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.outbound.abort();
        self.inbound.abort();
        self.server.abort();
    }
}
