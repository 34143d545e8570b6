//! The sending side of a transfer.
//!
//! The order of packets is that of [`send.go`](https://github.com/tonistiigi/fsutil/blob/master/send.go).

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use buildkit_proto::fsutil::types::{Packet, packet::PacketType};
use futures_util::{Stream, StreamExt as _};
use rustix::fs::{Mode, OFlags};
use tokio::task::JoinSet;
use tonic::Status;

use super::glob::GlobError;
use super::listing::{Kind, Listing};
use super::outbox::{Batch, Closed, Outbox, error, packet};
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
        let _ = out.send(&error(&text(failure)));
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
    let select = {
        let listing = Arc::clone(&listing);
        move || selection.select(&listing)
    };
    let selected = Arc::new(tokio::task::spawn_blocking(select).await??);
    let mut wanted = Wanted::new(&listing, &selected);
    let queue = Queue::default();
    let mut threads: JoinSet<Result<Sent, SendError>> = JoinSet::new();
    let sender = Sender {
        listing,
        selected,
        out: out.clone(),
        queue: Arc::clone(&queue.0),
    };
    let lister = sender.clone();
    threads.spawn_blocking(move || lister.list());
    for _ in 0..READERS {
        let reader = sender.clone();
        threads.spawn_blocking(move || reader.read_all());
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
                queue.put(wanted.take(request.id)?);
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
    out.send(&packet(PacketType::PacketFin))?;
    Ok(sent)
}

/// The entries that may still be asked for, by id.
struct Wanted(Vec<bool>);

impl Wanted {
    fn new(listing: &Listing, selected: &[Selected]) -> Self {
        let files = selected.iter().map(|selected| {
            let kind = listing.entries()[selected.entry()].kind();
            matches!(kind, Kind::File { .. }) && selected.first().is_none()
        });
        Self(files.collect())
    }

    fn take(&mut self, id: u32) -> Result<u32, SendError> {
        let place = usize::try_from(id).ok().and_then(|id| self.0.get_mut(id));
        match place.map(std::mem::take) {
            Some(true) => Ok(id),
            _ => Err(SendError::Id { id }),
        }
    }
}

/// The files that were asked for and are not being read yet. It has room for every file: taking in a request never
/// waits.
#[derive(Default)]
struct Queue(Arc<Queued>);

#[derive(Default)]
struct Queued {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    ids: VecDeque<u32>,
    readers: usize,
    is_ended: bool,
}

impl Queued {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next file, if there is one already.
    fn try_next(&self) -> Option<u32> {
        self.waiting().ids.pop_front()
    }

    /// The next file; `None` when there will be none any more.
    fn next(&self) -> Option<u32> {
        let mut waiting = self.waiting();
        loop {
            if let Some(id) = waiting.ids.pop_front() {
                return Some(id);
            }
            if waiting.is_ended {
                return None;
            }
            waiting.readers += 1;
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
            waiting.readers -= 1;
        }
    }
}

impl Queue {
    fn put(&self, id: u32) {
        let has_reader = {
            let mut waiting = self.0.waiting();
            waiting.ids.push_back(id);
            waiting.readers > 0
        };
        if has_reader {
            self.0.changed.notify_one();
        }
    }
}

// Readers must not wait for a transfer that was given up.
impl Drop for Queue {
    fn drop(&mut self) {
        self.0.waiting().is_ended = true;
        self.0.changed.notify_all();
    }
}

#[derive(Clone)]
struct Sender {
    listing: Arc<Listing>,
    selected: Arc<Vec<Selected>>,
    out: Outbox,
    queue: Arc<Queued>,
}

impl Sender {
    fn list(&self) -> Result<Sent, SendError> {
        let entries = self.listing.entries();
        let mut batch = self.out.batch();
        for selected in self.selected.iter() {
            let first = selected.first().map(|first| entries[first].path());
            batch.put(&Packet {
                stat: Some(entries[selected.entry()].stat(first)),
                ..packet(PacketType::PacketStat)
            })?;
        }
        // The end of the list is a STAT without a stat.
        batch.put(&packet(PacketType::PacketStat))?;
        batch.flush()?;
        Ok(Sent {
            stats: self.selected.len() as u64,
            ..Sent::default()
        })
    }

    fn read_all(&self) -> Result<Sent, SendError> {
        let mut sent = Sent::default();
        let mut batch = self.out.batch();
        loop {
            let next = match self.queue.try_next() {
                Some(id) => Some(id),
                None => {
                    // The daemon may wait for what is there before it asks for more.
                    batch.flush()?;
                    self.queue.next()
                }
            };
            let Some(id) = next else {
                return Ok(sent);
            };
            sent.bytes += self.read(id, &mut batch)?;
            sent.files += 1;
        }
    }

    /// Sends the content of an entry, at most as long as it was when listed.
    fn read(&self, id: u32, batch: &mut Batch) -> Result<u64, SendError> {
        let place = usize::try_from(id).unwrap_or(usize::MAX);
        let entry = self.selected.get(place).ok_or(SendError::Id { id })?;
        let entry = &self.listing.entries()[entry.entry()];
        let path = self.listing.root().join(entry.path());
        let mut file = open(&path)?;
        let mut sent = 0;
        while sent < entry.size() {
            let read = batch.content(id, &mut file, entry.size() - sent)?;
            let read = read.map_err(|source| SendError::Read {
                path: path.clone(),
                source,
            })?;
            if read == 0 {
                break;
            }
            sent += read as u64;
        }
        // The end of a file is a DATA without data.
        batch.put(&Packet {
            id,
            ..packet(PacketType::PacketData)
        })?;
        Ok(sent)
    }
}

impl From<Closed> for SendError {
    fn from(_: Closed) -> Self {
        Self::Ended
    }
}

impl Sent {
    fn add(&mut self, other: Self) {
        self.stats += other.stats;
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// Opens a file if it still is one: no link is followed, and no pipe waited for.
fn open(path: &Path) -> Result<File, SendError> {
    let failed = |source| SendError::Read {
        path: path.to_path_buf(),
        source,
    };
    let changed = || SendError::Changed {
        path: path.to_path_buf(),
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        // A link; a socket.
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Err(changed()),
        Err(error) => return Err(failed(error.into())),
    };
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(changed());
    }
    Ok(file)
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
