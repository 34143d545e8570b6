//! The sending side of a transfer.
//!
//! The order of packets is that of [`send.go`](https://github.com/tonistiigi/fsutil/blob/master/send.go).

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use buildkit_proto::fsutil::types::{Packet, packet::PacketType};
use futures_util::{Stream, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Status;

use super::glob::GlobError;
use super::listing::{Kind, Listing};
use super::outbox::{CHUNK, Closed, Outbox, error, packet};
use super::selection::{Selected, Selection};

/// How many files are read at the same time.
const READERS: usize = 4;

/// What a transfer came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The entries listed.
    pub stats: u64,
    /// The files asked for.
    pub files: u64,
    /// The bytes of their content.
    pub bytes: u64,
}

/// A transfer that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// A file that the daemon asked for cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that the daemon asked for is now something else.
    #[error("`{path}` is no longer a file")]
    Changed {
        /// The path.
        path: PathBuf,
    },
    /// The daemon asked for what is no file, or twice.
    #[error("the daemon asked for entry {id}, which is not there to be sent")]
    Id {
        /// The number of the entry.
        id: u32,
    },
    /// The daemon reports an error.
    #[error("the daemon refused the files: {text}")]
    Receiver {
        /// Its words.
        text: String,
    },
    /// The connection failed.
    #[error("the connection broke while files were sent")]
    Stream(#[from] Status),
    /// The daemon went away before it had what it wanted.
    #[error("the daemon ended the transfer early")]
    Ended,
    /// A pattern that followed links led to is malformed.
    #[error("a file pattern means nothing")]
    Pattern(#[from] GlobError),
    /// A thread of the transfer failed.
    #[error("a thread that sends files failed")]
    Thread(#[from] tokio::task::JoinError),
}

/// Sends what `selection` takes of `listing`, and then the files that `requests` ask for.
///
/// Requests are taken in as fast as they come, since the daemon sends one for every file at once and HTTP/2 has a
/// budget for small frames that nobody reads. Content is read by threads of their own, four files at a time. If the
/// future is dropped, so are they.
///
/// # Errors
///
/// A file that is asked for cannot be read, the daemon reports an error or goes away. The daemon has been told.
pub async fn send<R>(
    listing: Arc<Listing>,
    selection: Selection,
    requests: R,
    out: Outbox,
) -> Result<Sent, SendError>
where
    R: Stream<Item = Result<Packet, Status>> + Unpin,
{
    let result = transfer(listing, selection, requests, &out).await;
    if let Err(failure) = &result {
        // Nobody is left to tell if this fails too.
        let _ = out.send(error(&text(failure))).await;
    }
    result
}

async fn transfer<R>(
    listing: Arc<Listing>,
    selection: Selection,
    mut requests: R,
    out: &Outbox,
) -> Result<Sent, SendError>
where
    R: Stream<Item = Result<Packet, Status>> + Unpin,
{
    let runtime = Handle::current();
    let select = {
        let listing = Arc::clone(&listing);
        move || selection.select(&listing)
    };
    let selected = Arc::new(tokio::task::spawn_blocking(select).await??);
    let mut wanted = Wanted::new(&listing, &selected);
    // Room for every file: taking in a request never waits.
    let (queue, queued) = mpsc::channel(selected.len().max(1));
    let queued = Arc::new(Mutex::new(queued));
    let mut threads: JoinSet<Result<Sent, SendError>> = JoinSet::new();
    let sender = Sender {
        listing,
        selected,
        out: out.clone(),
        runtime,
    };
    let lister = sender.clone();
    threads.spawn_blocking(move || lister.list());
    for _ in 0..READERS {
        let (reader, queued) = (sender.clone(), Arc::clone(&queued));
        threads.spawn_blocking(move || reader.read_all(&queued));
    }
    drop(sender);
    let mut sent = Sent::default();
    loop {
        let request = tokio::select! {
            request = requests.next() => request.ok_or(SendError::Ended)??,
            Some(ended) = threads.join_next() => {
                sent.add(ended??);
                continue;
            }
        };
        match request.r#type() {
            PacketType::PacketReq => {
                let entry = wanted.take(request.id)?;
                let _ = queue.try_send((request.id, entry)); // only fails when a reader has
            }
            PacketType::PacketErr => {
                let text = String::from_utf8_lossy(&request.data).into_owned();
                return Err(SendError::Receiver { text });
            }
            PacketType::PacketFin => break,
            PacketType::PacketStat | PacketType::PacketData => {}
        }
    }
    drop(queue);
    while let Some(ended) = threads.join_next().await {
        sent.add(ended??);
    }
    out.send(packet(PacketType::PacketFin))
        .await
        .map_err(|Closed| SendError::Ended)?;
    Ok(sent)
}

/// The entries that may still be asked for, by id.
struct Wanted(Vec<Option<usize>>);

impl Wanted {
    fn new(listing: &Listing, selected: &[Selected]) -> Self {
        let files = selected.iter().map(|selected| {
            let kind = listing.entries()[selected.entry].kind();
            let is_file = matches!(kind, Kind::File { .. });
            (is_file && selected.first.is_none()).then_some(selected.entry)
        });
        Self(files.collect())
    }

    fn take(&mut self, id: u32) -> Result<usize, SendError> {
        let place = usize::try_from(id).ok().and_then(|id| self.0.get_mut(id));
        place.and_then(Option::take).ok_or(SendError::Id { id })
    }
}

#[derive(Clone)]
struct Sender {
    listing: Arc<Listing>,
    selected: Arc<Vec<Selected>>,
    out: Outbox,
    runtime: Handle,
}

impl Sender {
    fn list(&self) -> Result<Sent, SendError> {
        let entries = self.listing.entries();
        for selected in self.selected.iter() {
            let first = selected.first.map(|first| entries[first].path());
            self.put(Packet {
                stat: Some(entries[selected.entry].stat(first)),
                ..packet(PacketType::PacketStat)
            })?;
        }
        // The end of the list is a STAT without a stat.
        self.put(packet(PacketType::PacketStat))?;
        Ok(Sent {
            stats: self.selected.len() as u64,
            ..Sent::default()
        })
    }

    fn read_all(&self, queued: &Mutex<mpsc::Receiver<(u32, usize)>>) -> Result<Sent, SendError> {
        let mut sent = Sent::default();
        loop {
            let next = queued
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .blocking_recv();
            let Some((id, entry)) = next else {
                return Ok(sent);
            };
            sent.bytes += self.read(id, entry)?;
            sent.files += 1;
        }
    }

    /// Sends the content of an entry, at most as long as it was when listed.
    fn read(&self, id: u32, entry: usize) -> Result<u64, SendError> {
        let entry = &self.listing.entries()[entry];
        let path = self.listing.root().join(entry.path());
        let mut file = open(&path)?;
        let mut sent = 0;
        while sent < entry.size() {
            let size = (entry.size() - sent).min(CHUNK as u64);
            let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or(CHUNK));
            let read = file.by_ref().take(size).read_to_end(&mut data);
            let read = read.map_err(|source| SendError::Read {
                path: path.clone(),
                source,
            })?;
            if read == 0 {
                break;
            }
            sent += read as u64;
            self.put(Packet {
                id,
                data,
                ..packet(PacketType::PacketData)
            })?;
        }
        // The end of a file is a DATA without data.
        self.put(Packet {
            id,
            ..packet(PacketType::PacketData)
        })?;
        Ok(sent)
    }

    fn put(&self, packet: Packet) -> Result<(), SendError> {
        let sent = self.out.send_blocking(packet, &self.runtime);
        sent.map_err(|Closed| SendError::Ended)
    }
}

impl Sent {
    fn add(&mut self, other: Self) {
        self.stats += other.stats;
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

fn open(path: &Path) -> Result<File, SendError> {
    let failed = |source| SendError::Read {
        path: path.to_path_buf(),
        source,
    };
    // Opening a pipe would wait for a writer.
    if !fs::symlink_metadata(path).map_err(failed)?.is_file() {
        return Err(SendError::Changed {
            path: path.to_path_buf(),
        });
    }
    File::open(path).map_err(failed)
}

/// An error with its causes in one line.
fn text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
