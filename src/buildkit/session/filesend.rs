//! The place where exporters put archives and files.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::mpsc;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use super::super::solve::Target;
use super::Shared;
use super::fsutil::{self, outbox};
use super::wire::{Contents, Packets, answer, done};

/// What an exporter sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The number of bytes written.
    pub bytes: u64,
    /// What the exporter said of it, such as `containerimage.digest`.
    ///
    /// The answer to the solve merges all exporters' words; only these are certain to be of this one.
    pub metadata: BTreeMap<String, String>,
}

/// Takes what exporters send, below the generated server, whose messages would be copies.
#[derive(Clone, Default)]
pub(super) struct Receiver {
    state: Shared<State>,
}

#[derive(Default)]
struct State {
    targets: Vec<Target>,
    received: BTreeMap<usize, Received>,
}

/// How much is written at once.
const BUFFER: usize = 256 << 10;

/// One buffer is being filled, one written, one waits.
const BUFFERS: usize = 3;

impl Receiver {
    fn state(&self) -> MutexGuard<'_, State> {
        Mutex::lock(&self.state).unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn expect(&self, targets: Vec<Target>) {
        *self.state() = State {
            targets,
            received: BTreeMap::new(),
        };
    }

    pub(super) fn received(&self) -> BTreeMap<usize, Received> {
        self.state().received.clone()
    }

    fn target(&self, headers: &HeaderMap) -> Option<(usize, Target)> {
        // Absent before v0.13, where there is one exporter only.
        let index = match headers.get("buildkit-attachable-exporter-id") {
            Some(id) => id.to_str().ok()?.parse().ok()?,
            None => 0,
        };
        let target = self.state().targets.get(index)?.clone();
        Some((index, target))
    }

    // Archives and files come by the same method, as messages of different types: what was asked for tells which.
    async fn diff_copy(self, request: http::Request<Body>) -> Result<http::Response<Body>, Status> {
        let (head, body) = request.into_parts();
        match self.target(&head.headers) {
            Some((index, Target::File(path))) => {
                let bytes = take(Contents::new(body), path).await?;
                let metadata = metadata(&head.headers);
                self.put(index, Received { bytes, metadata });
                Ok(answer(Empty { is_done: false }))
            }
            Some((index, Target::Files(path))) => {
                let metadata = metadata(&head.headers);
                let (out, outgoing) = outbox();
                // It ends with the stream that it reads; what goes wrong it tells the daemon, which fails the build.
                tokio::spawn(async move {
                    let packets = Packets::new(body);
                    if let Ok(received) = fsutil::receive(&path, packets, out).await {
                        let bytes = received.bytes;
                        self.put(index, Received { bytes, metadata });
                    }
                });
                Ok(answer(outgoing))
            }
            _ => Err(Status::not_found(
                "nothing was asked for under this exporter id",
            )),
        }
    }

    fn put(&self, index: usize, received: Received) {
        self.state().received.insert(index, received);
    }
}

fn metadata(headers: &HeaderMap) -> BTreeMap<String, String> {
    let said = headers.iter().filter_map(|(key, value)| {
        let key = key.as_str().strip_prefix("exporter-md-")?;
        Some((key.to_owned(), value.to_str().ok()?.to_owned()))
    });
    said.collect()
}

/// Writes all of `contents` to the file at `path`, on a thread of its own.
///
/// They are copied, since what HTTP/2 reads into can be used again only when nothing of it is left.
async fn take(mut contents: Contents, path: PathBuf) -> Result<u64, Status> {
    let (full, filled) = mpsc::channel(BUFFERS);
    let (emptied, mut empty) = mpsc::channel(BUFFERS);
    for _ in 1..BUFFERS {
        let _ = emptied.try_send(Vec::with_capacity(BUFFER)); // there is room for all
    }
    let writing = tokio::task::spawn_blocking(move || {
        write(&path, filled, &emptied).map_err(|error| {
            Status::internal(format!("cannot write `{}`: {error}", path.display()))
        })
    });
    let mut buffer = Vec::with_capacity(BUFFER);
    let ended = 'contents: loop {
        let mut piece = match contents.next().await {
            None => break Ok(()),
            Some(Err(status)) => break Err(status),
            Some(Ok(piece)) => piece,
        };
        while !piece.is_empty() {
            let room = BUFFER - buffer.len();
            buffer.extend_from_slice(&piece.split_to(room.min(piece.len())));
            if buffer.len() < BUFFER {
                break;
            }
            // When the writer has ended, it says why.
            let Ok(()) = full.send(buffer).await else {
                buffer = Vec::new();
                break 'contents Ok(());
            };
            buffer = empty.recv().await.unwrap_or_default();
        }
    };
    let _ = full.send(buffer).await; // as above
    drop(full);
    let written = writing
        .await
        .map_err(|error| Status::internal(error.to_string()))??;
    ended.map(|()| written)
}

fn write(
    path: &Path,
    mut filled: mpsc::Receiver<Vec<u8>>,
    emptied: &mpsc::Sender<Vec<u8>>,
) -> io::Result<u64> {
    let mut file = File::create(path)?;
    let mut bytes = 0;
    while let Some(mut buffer) = filled.blocking_recv() {
        file.write_all(&buffer)?;
        bytes += buffer.len() as u64;
        buffer.clear();
        let _ = emptied.blocking_send(buffer); // nothing more comes
    }
    Ok(bytes)
}

impl NamedService for Receiver {
    const NAME: &'static str = "moby.filesync.v1.FileSend";
}

/// The body of an answer that has nothing but an end.
struct Empty {
    is_done: bool,
}

impl http_body::Body for Empty {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Status>>> {
        let is_done = std::mem::replace(&mut self.is_done, true);
        Poll::Ready((!is_done).then(|| Ok(done())))
    }
}

impl Service<http::Request<Body>> for Receiver {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let receiver = self.clone();
        Box::pin(async move {
            let taken = match request.uri().path() {
                "/moby.filesync.v1.FileSend/DiffCopy" => receiver.diff_copy(request).await,
                _ => Err(Status::unimplemented("there is no such method")),
            };
            Ok(taken.unwrap_or_else(Status::into_http))
        })
    }
}
