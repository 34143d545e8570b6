//! The receiving side of a transfer, for results that are exported to a directory.
//!
//! The order of packets is that of [`receive.go`](https://github.com/tonistiigi/fsutil/blob/master/receive.go).

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use buildkit_proto::fsutil::types::{Packet, Stat, packet::PacketType};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tonic::Status;

use super::listing::mode;
use super::outbox::{Closed, Outbox, error, packet};
use super::path::{clean, compare, parent};

/// How many packets wait for the disk; the daemon's packets have 32 KiB.
const QUEUE: usize = 32;

/// How many files are open at the same time; Go's sender has four under way.
const MAX_OPEN: usize = 64;

/// What a transfer brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The entries listed.
    pub entries: u64,
    /// The bytes of content.
    pub bytes: u64,
    /// The paths of pipes, sockets and devices, which are left out.
    pub skipped: Vec<String>,
}

/// A transfer that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Something cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file, directory or link.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The daemon sent a path that leaves the directory, is out of order, or lies in what is no directory.
    #[error("the daemon sent the path `{path}` where it cannot be")]
    Path {
        /// The path.
        path: String,
    },
    /// The daemon sent content that was not asked for, or more or less than it announced.
    #[error("the daemon sent other content for entry {id} than it had announced")]
    Data {
        /// The number of the entry.
        id: u32,
    },
    /// The daemon reports an error.
    #[error("the daemon could not send the files: {text}")]
    Sender {
        /// Its words.
        text: String,
    },
    /// The connection failed.
    #[error("the connection broke while files were received")]
    Stream(#[from] Status),
    /// The daemon went away before everything was there.
    #[error("the daemon ended the transfer early")]
    Ended,
    /// The thread that writes failed.
    #[error("the thread that writes files failed")]
    Thread(#[from] tokio::task::JoinError),
}

/// Writes what `packets` bring into the empty directory `root`.
///
/// Owners are not set, and set-user-id and set-group-id are not kept: the files belong to who runs this. Pipes, sockets
/// and devices are left out. The daemon resets the stream when it has finished; that is no error.
///
/// # Errors
///
/// A file cannot be written, `root` is not empty where a path of the transfer goes, or the daemon breaks the protocol.
pub async fn receive<R>(root: &Path, mut packets: R, out: Outbox) -> Result<Received, ReceiveError>
where
    R: Stream<Item = Result<Packet, Status>> + Unpin,
{
    let (queue, queued) = mpsc::channel(QUEUE);
    let writer = Writer::new(root.to_path_buf(), out.clone());
    let writing = tokio::task::spawn_blocking(move || writer.run(queued));
    let broken = loop {
        let next = tokio::select! {
            next = packets.next() => next,
            () = queue.closed() => break ReceiveError::Ended, // the writer knows better
        };
        match next {
            Some(Ok(packet)) => {
                let _ = queue.send(packet).await; // a closed queue is noticed above
            }
            Some(Err(status)) => break ReceiveError::Stream(status),
            None => break ReceiveError::Ended,
        }
    };
    drop(queue);
    let result = match writing.await? {
        Err(ReceiveError::Ended) => Err(broken),
        written => written,
    };
    if let Err(failure) = &result {
        // Nobody is left to tell if this fails too.
        let _ = out.send(&error(&failure.to_string()));
    }
    result
}

struct Writer {
    root: PathBuf,
    out: Outbox,
    received: Received,
    last: String,
    directories: BTreeMap<String, Stat>,
    /// The regular files so far, for hard links to point to.
    files: BTreeMap<String, u32>,
    /// What is asked for and not complete.
    pending: BTreeMap<u32, Pending>,
    open: usize,
    id: u32,
    is_listed: bool,
    has_finished: bool,
}

struct Pending {
    stat: Stat,
    file: Option<File>,
    left: u64,
}

impl Writer {
    fn new(root: PathBuf, out: Outbox) -> Self {
        Self {
            root,
            out,
            received: Received::default(),
            last: String::new(),
            directories: BTreeMap::new(),
            files: BTreeMap::new(),
            pending: BTreeMap::new(),
            open: 0,
            id: 0,
            is_listed: false,
            has_finished: false,
        }
    }

    fn run(mut self, mut queued: mpsc::Receiver<Packet>) -> Result<Received, ReceiveError> {
        while let Some(next) = queued.blocking_recv() {
            match next.r#type() {
                PacketType::PacketStat => match next.stat {
                    Some(stat) => self.stat(stat)?,
                    None => self.is_listed = true,
                },
                PacketType::PacketData => self.data(next.id, &next.data)?,
                PacketType::PacketErr => {
                    let text = String::from_utf8_lossy(&next.data).into_owned();
                    return Err(ReceiveError::Sender { text });
                }
                PacketType::PacketFin if self.has_finished => return Ok(self.received),
                PacketType::PacketFin => return Err(ReceiveError::Ended),
                PacketType::PacketReq => {}
            }
            if self.is_listed && self.pending.is_empty() && !self.has_finished {
                self.finish()?;
            }
        }
        Err(ReceiveError::Ended)
    }

    /// Makes the entry; a file is made empty and asked for.
    fn stat(&mut self, stat: Stat) -> Result<(), ReceiveError> {
        let id = self.id;
        self.id = self.id.saturating_add(1);
        self.check(&stat.path)?;
        self.received.entries += 1;
        let path = self.root.join(&stat.path);
        let failed = |source| ReceiveError::Write {
            path: path.clone(),
            source,
        };
        self.last.clone_from(&stat.path);
        match stat.mode & mode::TYPE {
            mode::DIRECTORY => {
                fs::create_dir(&path).map_err(failed)?;
                self.directories.insert(stat.path.clone(), stat);
            }
            mode::SYMLINK => symlink(&stat.linkname, &path).map_err(failed)?,
            0 if stat.linkname.is_empty() => {
                create(&path).map_err(failed)?;
                self.files.insert(stat.path.clone(), id);
                let left = u64::try_from(stat.size).unwrap_or(0);
                let file = None;
                self.pending.insert(id, Pending { stat, file, left });
                self.put(Packet {
                    id,
                    ..packet(PacketType::PacketReq)
                })?;
            }
            0 if self.files.contains_key(&stat.linkname) => {
                fs::hard_link(self.root.join(&stat.linkname), &path).map_err(failed)?;
            }
            0 => return Err(ReceiveError::Path { path: stat.path }),
            _ => self.received.skipped.push(stat.path),
        }
        Ok(())
    }

    /// Refuses what would leave the directory: every path is clean, behind the one before, in a listed directory.
    fn check(&self, path: &str) -> Result<(), ReceiveError> {
        let is_inside = !path.starts_with('/') && !path.split('/').any(|part| part == "..");
        let is_clean = path != "." && clean(path) == path;
        let is_next = self.last.is_empty() || compare(&self.last, path).is_lt();
        let has_parent = parent(path).is_none_or(|parent| self.directories.contains_key(parent));
        if !self.is_listed && is_inside && is_clean && is_next && has_parent {
            return Ok(());
        }
        Err(ReceiveError::Path {
            path: path.to_owned(),
        })
    }

    fn data(&mut self, id: u32, data: &[u8]) -> Result<(), ReceiveError> {
        let unannounced = ReceiveError::Data { id };
        let Some(pending) = self.pending.get_mut(&id) else {
            return Err(unannounced);
        };
        let path = self.root.join(&pending.stat.path);
        let failed = |source| ReceiveError::Write {
            path: path.clone(),
            source,
        };
        if data.is_empty() {
            if pending.left > 0 {
                return Err(unannounced);
            }
            self.open -= usize::from(pending.file.is_some());
            let stat = pending.stat.clone();
            self.pending.remove(&id);
            return restore(&path, &stat).map_err(failed);
        }
        let size = data.len() as u64;
        pending.left = match pending.left.checked_sub(size) {
            Some(left) if pending.file.is_some() || self.open < MAX_OPEN => left,
            _ => return Err(unannounced),
        };
        let file = match &mut pending.file {
            Some(file) => file,
            none => {
                self.open += 1;
                none.insert(
                    OpenOptions::new()
                        .append(true)
                        .open(&path)
                        .map_err(failed)?,
                )
            }
        };
        file.write_all(data).map_err(failed)?;
        self.received.bytes += size;
        Ok(())
    }

    /// Gives directories their modes and times, the inner ones first, and tells the daemon that all is there.
    fn finish(&mut self) -> Result<(), ReceiveError> {
        for (path, stat) in self.directories.iter().rev() {
            let path = self.root.join(path);
            restore(&path, stat).map_err(|source| ReceiveError::Write { path, source })?;
        }
        self.has_finished = true;
        self.put(packet(PacketType::PacketFin))
    }

    fn put(&self, packet: Packet) -> Result<(), ReceiveError> {
        let sent = self.out.send(&packet);
        sent.map_err(|Closed| ReceiveError::Ended)
    }
}

fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path).map(drop)
}

fn restore(path: &Path, stat: &Stat) -> io::Result<()> {
    let modified = u64::try_from(stat.mod_time).unwrap_or(0);
    let modified = SystemTime::UNIX_EPOCH + Duration::from_nanos(modified);
    File::open(path)?.set_times(FileTimes::new().set_modified(modified))?;
    let sticky = if stat.mode & mode::STICKY == 0 {
        0
    } else {
        0o1000
    };
    fs::set_permissions(path, Permissions::from_mode(stat.mode & 0o777 | sticky))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use tokio_stream::wrappers::ReceiverStream;

    use super::super::tests::packets;
    use super::super::{Filter, Listing, Selection, outbox, send};
    use super::*;

    fn stat(path: &str, mode: u32, linkname: &str) -> Packet {
        Packet {
            stat: Some(Stat {
                path: path.to_owned(),
                mode,
                size: 4,
                linkname: linkname.to_owned(),
                mod_time: 1_000_000_000,
                ..Stat::default()
            }),
            ..packet(PacketType::PacketStat)
        }
    }

    fn data(id: u32, data: &[u8]) -> Packet {
        Packet {
            id,
            data: data.to_vec(),
            ..packet(PacketType::PacketData)
        }
    }

    async fn run(root: &Path, packets: Vec<Packet>) -> Result<Received, ReceiveError> {
        let (out, _outgoing) = outbox();
        let packets = tokio_stream::iter(packets.into_iter().map(Ok));
        let end = packet(PacketType::PacketFin);
        let packets = packets.chain(tokio_stream::once(Ok(end)));
        // The daemon ends with a reset of the stream.
        let reset = tokio_stream::once(Err(Status::cancelled("reset")));
        receive(root, packets.chain(reset), out).await
    }

    #[tokio::test]
    async fn what_is_sent_arrives() {
        let source = tempfile::tempdir().unwrap();
        let target = tempfile::tempdir().unwrap();
        fs::create_dir_all(source.path().join("a/b")).unwrap();
        fs::write(source.path().join("a/b/long"), vec![7; 1_000_000]).unwrap();
        fs::write(source.path().join("empty"), "").unwrap();
        fs::hard_link(source.path().join("a/b/long"), source.path().join("hard")).unwrap();
        symlink("a/b", source.path().join("link")).unwrap();
        let modified = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        let directory = File::open(source.path().join("a")).unwrap();
        directory.set_times(modified).unwrap();
        let listing = Listing::read(source.path(), &Filter::everything()).unwrap();

        let (there, arriving) = outbox();
        let (back, returning) = outbox();
        let (returning, arriving) = (packets(returning), packets(arriving));
        let sending = send(listing.into(), Selection::default(), returning, there);
        let receiving = receive(target.path(), arriving, back);
        let (sent, received) = tokio::join!(sending, receiving);
        assert_eq!(sent.unwrap().bytes, received.unwrap().bytes);

        let read = |path: &str| fs::read(target.path().join(path)).unwrap();
        assert_eq!(read("a/b/long"), vec![7; 1_000_000]);
        assert_eq!(read("empty"), b"");
        let metadata = |path: &str| fs::metadata(target.path().join(path)).unwrap();
        assert_eq!(metadata("hard").ino(), metadata("a/b/long").ino());
        assert_eq!(metadata("a").mtime(), 0);
        let link = fs::read_link(target.path().join("link")).unwrap();
        assert_eq!(link, Path::new("a/b"));
    }

    #[tokio::test]
    async fn a_reset_behind_the_end_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        let packets = vec![
            stat("f", 0o100, ""),
            packet(PacketType::PacketStat),
            data(0, b"text"),
            data(0, b""),
        ];
        assert_eq!(run(root.path(), packets).await.unwrap().bytes, 4);
        let metadata = fs::metadata(root.path().join("f")).unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.mtime()), (0o100, 1));
    }

    #[tokio::test]
    async fn nothing_is_written_outside_the_directory() {
        for packets in [
            vec![stat("../f", 0o644, "")],
            vec![stat("/f", 0o644, "")],
            vec![stat("a/../../f", 0o644, "")],
            vec![stat(".", mode::DIRECTORY, "")],
            vec![stat("", mode::DIRECTORY, "")],
            vec![stat("a/f", 0o644, "")],
            vec![stat("a", mode::SYMLINK, "/"), stat("a/f", 0o644, "")],
            vec![stat("b", 0o644, ""), stat("a", 0o644, "")],
            vec![stat("a", 0o644, ""), stat("a", mode::SYMLINK, "/")],
            vec![stat("a", 0o644, "/etc/passwd")],
        ] {
            let root = tempfile::tempdir().unwrap();
            let text = format!("{packets:?}");
            let result = run(root.path(), packets).await;
            assert!(matches!(result, Err(ReceiveError::Path { .. })), "{text}");
        }
    }

    #[tokio::test]
    async fn content_that_was_not_announced_is_refused() {
        for packets in [
            vec![data(0, b"x")],
            vec![stat("f", 0o644, ""), data(0, b"12345")],
            vec![stat("f", 0o644, ""), data(0, b"123"), data(0, b"")],
            vec![stat("d", mode::DIRECTORY, ""), data(0, b"x")],
        ] {
            let root = tempfile::tempdir().unwrap();
            let result = run(root.path(), packets).await;
            assert!(matches!(result, Err(ReceiveError::Data { id: 0 })));
        }
    }

    #[tokio::test]
    async fn an_end_before_everything_is_there_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let result = run(root.path(), vec![stat("f", 0o644, "")]).await;
        assert!(result.is_err());
        let (out, _outgoing) = outbox();
        let (_, packets) = mpsc::channel(1);
        let result = receive(root.path(), ReceiverStream::new(packets), out).await;
        assert!(matches!(result, Err(ReceiveError::Ended)));
    }

    #[tokio::test]
    async fn devices_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        let packets = vec![
            stat("null", mode::DEVICE | mode::CHARACTER, ""),
            packet(PacketType::PacketStat),
        ];
        let received = run(root.path(), packets).await.unwrap();
        assert_eq!(received.skipped, ["null"]);
    }
}
