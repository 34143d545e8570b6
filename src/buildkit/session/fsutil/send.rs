//! The sending side of a transfer.
//!
//! The order of packets is that of [`send.go`](https://github.com/tonistiigi/fsutil/blob/master/send.go).

use std::collections::{BTreeMap, VecDeque};
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
use super::listing::{Entry, Kind, Listing, ListingError};
use super::outbox::{Batch, Closed, Outbox, Stats, error, packet};
use super::selection::{Selected, Selection};
use super::walk::Walk;

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
    /// The directory cannot be listed.
    #[error("the files cannot be listed")]
    Listing(#[from] Arc<ListingError>),
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

/// Sends what `selection` takes of the files of `walk`, and then those that `requests` ask for.
///
/// If that is all of them, they are sent while they are still listed. Requests are taken in as fast as they come, since
/// the daemon sends one for every file at once and HTTP/2 has a budget for small frames that nobody reads. Content is
/// read by threads of their own, four files at a time. If the future is dropped, so are they.
///
/// # Errors
///
/// The directory cannot be listed, a file that is asked for cannot be read, the daemon reports an error or goes away.
/// The daemon has been told.
pub async fn send<R>(
    walk: Walk,
    selection: Selection,
    requests: R,
    out: Outbox,
) -> Result<Sent, SendError>
where
    R: Stream<Item = Result<Packet, Status>> + Unpin,
{
    let result = transfer(walk, selection, requests, &out).await;
    if let Err(failure) = &result {
        // Nobody is left to tell if this fails too.
        let _ = out.send(&error(&text(failure)));
    }
    result
}

async fn transfer<R>(
    walk: Walk,
    selection: Selection,
    mut requests: R,
    out: &Outbox,
) -> Result<Sent, SendError>
where
    R: Stream<Item = Result<Packet, Status>> + Unpin,
{
    let files = match selection.is_everything() {
        true => Files::All(walk),
        false => tokio::task::spawn_blocking(move || Files::select(walk, &selection)).await??,
    };
    let queue = Queue::default();
    let mut threads: JoinSet<Result<Sent, SendError>> = JoinSet::new();
    let sender = Sender {
        files: files.clone(),
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
    let mut wanted = Wanted::default();
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
                queue.put(wanted.take(request.id, &files)?);
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

/// What is sent, by id.
#[derive(Clone)]
enum Files {
    /// An entry's place is its id.
    All(Walk),
    Selected(Arc<Listing>, Arc<Vec<Selected>>),
}

impl Files {
    fn select(walk: Walk, selection: &Selection) -> Result<Self, SendError> {
        let listing = walk.listing()?;
        let selected = selection.select(&listing)?;
        Ok(Self::Selected(listing, Arc::new(selected)))
    }

    fn root(&self) -> &Path {
        match self {
            Self::All(walk) => walk.root(),
            Self::Selected(listing, _) => listing.root(),
        }
    }

    fn is_file(&self, id: usize) -> bool {
        match self {
            Self::All(walk) => walk.is_file(id),
            Self::Selected(listing, selected) => selected.get(id).is_some_and(|selected| {
                let kind = listing.entries()[selected.entry()].kind();
                matches!(kind, Kind::File { .. }) && selected.first().is_none()
            }),
        }
    }

    fn entry(&self, id: usize) -> Option<Entry> {
        match self {
            Self::All(walk) => walk.entry(id),
            Self::Selected(listing, selected) => {
                let selected = selected.get(id)?;
                Some(listing.entries()[selected.entry()].clone())
            }
        }
    }
}

/// The entries that were asked for, by id.
#[derive(Default)]
struct Wanted(Vec<bool>);

impl Wanted {
    fn take(&mut self, id: u32, files: &Files) -> Result<u32, SendError> {
        let place = usize::try_from(id).unwrap_or(usize::MAX);
        if !files.is_file(place) {
            return Err(SendError::Id { id });
        }
        if self.0.len() <= place {
            self.0.resize(place + 1, false);
        }
        match std::mem::replace(&mut self.0[place], true) {
            true => Err(SendError::Id { id }),
            false => Ok(id),
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
    files: Files,
    out: Outbox,
    queue: Arc<Queued>,
}

impl Sender {
    fn list(&self) -> Result<Sent, SendError> {
        let mut batch = self.out.batch();
        let stats = match &self.files {
            Files::All(walk) => list_all(walk, &mut batch)?,
            Files::Selected(listing, selected) => list(listing, selected, &mut batch)?,
        };
        // The end of the list is a STAT without a stat.
        batch.put(&packet(PacketType::PacketStat))?;
        batch.flush()?;
        let stats = stats as u64;
        Ok(Sent {
            stats,
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
        let entry = self.files.entry(place).ok_or(SendError::Id { id })?;
        let path = self.files.root().join(entry.path());
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

fn list(listing: &Listing, selected: &[Selected], batch: &mut Batch) -> Result<usize, SendError> {
    let entries = listing.entries();
    let mut stats = Stats::default();
    for selected in selected {
        let first = selected.first().map(|first| entries[first].path());
        stats.put(&entries[selected.entry()], first);
        if stats.are_enough() {
            batch.stats(&mut stats)?;
        }
    }
    batch.stats(&mut stats)?;
    Ok(selected.len())
}

fn list_all(walk: &Walk, batch: &mut Batch) -> Result<usize, SendError> {
    let mut firsts: BTreeMap<u32, String> = BTreeMap::new();
    let mut stats = Stats::default();
    let mut listed = 0;
    // The walk waits while this looks, so what may take its time comes after.
    while let Some(more) = walk.look(listed, |entries| put_all(entries, &mut firsts, &mut stats))? {
        listed += more;
        if stats.are_enough() {
            batch.stats(&mut stats)?;
        }
    }
    batch.stats(&mut stats)?;
    Ok(listed)
}

/// Puts as many of `entries` into `stats` as should go out together, and says how many those are.
fn put_all(entries: &[Entry], firsts: &mut BTreeMap<u32, String>, stats: &mut Stats) -> usize {
    for (at, entry) in entries.iter().enumerate() {
        if stats.are_enough() {
            return at;
        }
        let Kind::File { link: Some(link) } = entry.kind() else {
            stats.put(entry, None);
            continue;
        };
        stats.put(entry, firsts.get(link).map(String::as_str));
        let path = || entry.path().to_owned();
        firsts.entry(*link).or_insert_with(path);
    }
    entries.len()
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
