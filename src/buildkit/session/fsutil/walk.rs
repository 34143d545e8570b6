//! A directory whose files are sent while it is still being read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::{io, thread};

use super::filter::Filter;
use super::listing::{self, Entry, Kind, Listing, ListingError};

/// The [`Listing`] of a directory, which a thread of its own may still be making. It is made once, whoever asks how often.
///
/// The thread ends with the last of its clones.
#[derive(Clone, Debug)]
pub struct Walk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
enum State {
    Growing(Vec<Entry>),
    Done(Arc<Listing>),
    Failed(Arc<ListingError>),
}

impl Walk {
    /// Begins to list the directory `root` with everything in it that `filter` takes, as [`Listing::read`] does.
    ///
    /// # Errors
    ///
    /// `root` is no directory. What else goes wrong is known later: [`Self::failure`].
    pub fn start(root: &Path, filter: Filter) -> Result<Self, ListingError> {
        let root = listing::directory(root)?;
        let started = Self::new(root.clone(), State::Growing(Vec::new()));
        let reader = Reader(Arc::downgrade(&started.0));
        let thread = thread::Builder::new().name("walk".to_owned());
        let thread = thread.spawn(move || reader.read(&root, &filter));
        thread.map_err(|source| ListingError::Read {
            path: started.0.root.clone(),
            source,
        })?;
        Ok(started)
    }

    fn new(root: PathBuf, state: State) -> Self {
        Self(Arc::new(Shared {
            root,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }))
    }

    /// Why the directory cannot be listed, if that is known already. A transfer that fails for this reason comes after.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<ListingError>> {
        match &*self.0.state() {
            State::Failed(error) => Some(Arc::clone(error)),
            State::Growing(_) | State::Done(_) => None,
        }
    }

    /// Waits for the whole list.
    ///
    /// # Errors
    ///
    /// Those of [`Listing::read`].
    pub fn listing(&self) -> Result<Arc<Listing>, Arc<ListingError>> {
        let mut state = self.0.state();
        loop {
            match &*state {
                State::Growing(_) => state = self.0.wait(state),
                State::Done(listing) => return Ok(Arc::clone(listing)),
                State::Failed(error) => return Err(Arc::clone(error)),
            }
        }
    }

    /// The directory, without symbolic links.
    pub(super) fn root(&self) -> &Path {
        &self.0.root
    }

    /// Waits for entries from the place `from` on and looks at all that are there, which keeps the walk from going on;
    /// `None` if there are no more.
    pub(super) fn look<T>(
        &self,
        from: usize,
        look: impl FnOnce(&[Entry]) -> T,
    ) -> Result<Option<T>, Arc<ListingError>> {
        let mut state = self.0.state();
        loop {
            let entries = match &*state {
                State::Growing(entries) if entries.len() <= from => {
                    state = self.0.wait(state);
                    continue;
                }
                State::Growing(entries) => entries,
                State::Done(listing) => listing.entries(),
                State::Failed(error) => return Err(Arc::clone(error)),
            };
            let rest = entries.get(from..).unwrap_or_default();
            return Ok((!rest.is_empty()).then(|| look(rest)));
        }
    }

    /// What the entry at a place is, if it was reached already.
    pub(super) fn is_file(&self, place: usize) -> bool {
        let kind = self.with(place, |entry| matches!(entry.kind(), Kind::File { .. }));
        kind == Some(true)
    }

    /// The entry at a place, if it was reached already.
    pub(super) fn entry(&self, place: usize) -> Option<Entry> {
        self.with(place, Entry::clone)
    }

    fn with<T>(&self, place: usize, look: impl FnOnce(&Entry) -> T) -> Option<T> {
        match &*self.0.state() {
            State::Growing(entries) => entries.get(place).map(look),
            State::Done(listing) => listing.entries().get(place).map(look),
            State::Failed(_) => None,
        }
    }
}

impl From<Listing> for Walk {
    fn from(listing: Listing) -> Self {
        let root = listing.root().to_path_buf();
        Self::new(root, State::Done(Arc::new(listing)))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait(state);
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread knows: not so much that it would keep the list for itself.
struct Reader(Weak<Shared>);

impl Reader {
    fn read(&self, root: &Path, filter: &Filter) {
        let read = listing::walk(root, filter, |more| {
            let Some(shared) = self.0.upgrade() else {
                return false;
            };
            if let State::Growing(entries) = &mut *shared.state() {
                entries.append(more);
            }
            shared.changed.notify_all();
            true
        });
        self.end(read);
    }

    fn end(&self, read: Result<Vec<String>, ListingError>) {
        let Some(shared) = self.0.upgrade() else {
            return;
        };
        let mut state = shared.state();
        if let State::Growing(entries) = &mut *state {
            let entries = std::mem::take(entries);
            let root = shared.root.clone();
            *state = match read {
                Ok(skipped) => State::Done(Arc::new(Listing::new(root, entries, skipped))),
                Err(error) => State::Failed(Arc::new(error)),
            };
        }
        drop(state);
        shared.changed.notify_all();
    }
}

// Nobody must wait for a thread that is gone.
impl Drop for Reader {
    fn drop(&mut self) {
        let path = self.0.upgrade().map(|shared| shared.root.clone());
        let source = io::Error::other("its walk came to no end");
        self.end(Err(ListingError::Read {
            path: path.unwrap_or_default(),
            source,
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;

    use buildkit_proto::fsutil::types::packet::PacketType;
    use futures_util::StreamExt as _;
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;

    use super::super::outbox::packet;
    use super::super::tests::packets;
    use super::super::{Selection, SendError, outbox, send};
    use super::*;

    #[tokio::test]
    async fn what_is_listed_is_sent_before_the_walk_is_over() {
        const FILES: usize = 3000;
        let root = tempfile::tempdir().unwrap();
        for file in 0..FILES {
            fs::write(root.path().join(format!("file-with-a-name-{file:04}")), "").unwrap();
        }
        let listing = Listing::read(root.path(), &Filter::everything()).unwrap();
        let all = listing.entries().to_vec();
        // A walk that has come to its last file.
        let growing = State::Growing(all[..FILES - 1].to_vec());
        let walk = Walk::new(root.path().to_path_buf(), growing);
        let (requests, requested) = mpsc::channel(1);
        let (out, outgoing) = outbox();
        let requested = ReceiverStream::new(requested);
        let sending = tokio::spawn(send(walk.clone(), Selection::default(), requested, out));
        let mut outgoing = packets(outgoing);
        let first = outgoing.next().await.unwrap().unwrap().stat.unwrap();
        assert_eq!(first.path, all[0].path());
        if let State::Growing(entries) = &mut *walk.0.state() {
            entries.push(all[FILES - 1].clone());
        }
        Reader(Arc::downgrade(&walk.0)).end(Ok(Vec::new()));
        let mut rest = 1;
        while outgoing.next().await.unwrap().unwrap().stat.is_some() {
            rest += 1;
        }
        assert_eq!(rest, FILES);
        requests
            .send(Ok(packet(PacketType::PacketFin)))
            .await
            .unwrap();
        assert_eq!(sending.await.unwrap().unwrap().stats, FILES as u64);
        assert_eq!(walk.listing().unwrap().entries(), all);
    }

    #[tokio::test]
    async fn a_walk_that_fails_ends_the_transfer_with_its_reason() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a"), "").unwrap();
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
        fs::write(root.path().join(name), "").unwrap();
        let walk = Walk::start(root.path(), Filter::everything()).unwrap();
        let (_requests, requested) = mpsc::channel(1);
        let (out, outgoing) = outbox();
        let requested = ReceiverStream::new(requested);
        let sent = send(walk.clone(), Selection::default(), requested, out).await;
        assert!(matches!(sent, Err(SendError::Listing(_))), "{sent:?}");
        assert!(walk.failure().is_some());
        let told = packets(outgoing).next().await.unwrap().unwrap();
        assert_eq!(told.r#type(), PacketType::PacketErr);
        assert_eq!(
            String::from_utf8(told.data).unwrap(),
            "the files cannot be listed: the name `caf\u{fffd}` is not UTF-8, and cannot be sent"
        );
    }
}
