//! Packets on their way out, many in one piece.
//!
//! A piece is a buffer of a fixed number, filled by a thread with the bytes of gRPC messages and given back once the
//! connection has taken it. So memory is bounded, and nothing is copied between a file and the connection.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use buildkit_proto::fsutil::types::{Packet, packet::PacketType};
use bytes::Bytes;
use http_body::Frame;
use prost::Message as _;
use prost::encoding::{encode_varint, encoded_len_varint};
use tokio::sync::mpsc;
use tonic::Status;

use super::super::wire::{PREFIX, done, prefix};
use super::listing::{Entry, Kind};

/// The size of a buffer: the most content that one packet can have. Larger ones save processor time, but cost memory
/// at both ends.
const BUFFER: usize = 256 << 10;

/// How many buffers there are: one for every thread of a transfer, and some that are on their way.
const BUFFERS: usize = 8;

/// From here on a buffer of small packets goes out, so that the daemon has something to do meanwhile.
const ENOUGH: usize = 64 << 10;

/// The content for which it is not worth beginning a packet at the end of a buffer.
const TOO_LITTLE: usize = 16 << 10;

/// What precedes the content of a DATA packet: the frame of gRPC, the type, the id, and the length.
const MAX_DATA_HEAD: usize = PREFIX + 2 + 6 + 6;

/// Where a transfer puts its packets.
#[derive(Clone, Debug)]
pub struct Outbox {
    pieces: mpsc::UnboundedSender<Bytes>,
    pool: Arc<Pool>,
}

/// The packets of a transfer: the body of the answer.
#[derive(Debug)]
pub struct Outgoing {
    pieces: mpsc::UnboundedReceiver<Bytes>,
    pool: Arc<Pool>,
    is_done: bool,
}

/// The receiving end no longer wants anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed;

/// Joins a transfer with the stream of its packets.
#[must_use]
pub fn outbox() -> (Outbox, Outgoing) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let pool = Arc::new(Pool::default());
    let outgoing = Outgoing {
        pieces: receiver,
        pool: Arc::clone(&pool),
        is_done: false,
    };
    let pieces = sender;
    (Outbox { pieces, pool }, outgoing)
}

#[derive(Debug, Default)]
struct Pool {
    state: Mutex<Buffers>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Buffers {
    free: Vec<Vec<u8>>,
    made: usize,
    is_closed: bool,
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, Buffers> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a buffer.
    fn take(&self) -> Result<Vec<u8>, Closed> {
        let mut state = self.state();
        loop {
            if state.is_closed {
                return Err(Closed);
            }
            if let Some(buffer) = state.free.pop() {
                return Ok(buffer);
            }
            if state.made < BUFFERS {
                state.made += 1;
                return Ok(vec![0; BUFFER]);
            }
            state = self
                .returned
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, buffer: Vec<u8>) {
        self.state().free.push(buffer);
        self.returned.notify_one();
    }

    fn close(&self) {
        self.state().is_closed = true;
        self.returned.notify_all();
    }
}

/// A filled buffer, which goes back when the last of it is sent.
struct Piece {
    buffer: Vec<u8>,
    used: usize,
    pool: Arc<Pool>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.used]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.buffer));
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        let frame = match std::task::ready!(self.pieces.poll_recv(context)) {
            Some(piece) => Frame::data(piece),
            None => {
                self.is_done = true;
                done()
            }
        };
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.pool.close();
    }
}

impl Outbox {
    /// Sends one packet, apart from all batches. It waits for nothing: for the few packets that end a transfer.
    pub(super) fn send(&self, packet: &Packet) -> Result<(), Closed> {
        let mut bytes = prefix(packet.encoded_len()).to_vec();
        packet.encode_raw(&mut bytes);
        self.pieces.send(bytes.into()).map_err(|_| Closed)
    }

    /// A place for the packets of one thread, which may wait.
    pub(super) fn batch(&self) -> Batch {
        Batch {
            out: self.clone(),
            buffer: Vec::new(),
            used: 0,
        }
    }
}

/// Packets that go out together. What is not flushed is lost.
pub(super) struct Batch {
    out: Outbox,
    /// Empty, or of full length.
    buffer: Vec<u8>,
    used: usize,
}

impl Batch {
    /// Adds a packet, whose content is short.
    pub(super) fn put(&mut self, packet: &Packet) -> Result<(), Closed> {
        let length = packet.encoded_len();
        if PREFIX + length > BUFFER {
            // A path or link target that long is none that a file system has.
            self.flush()?;
            return self.out.send(packet);
        }
        self.make_room(PREFIX + length)?;
        let mut room = &mut self.buffer[self.used..];
        room[..PREFIX].copy_from_slice(&prefix(length));
        room = &mut room[PREFIX..];
        packet.encode_raw(&mut room);
        self.used += PREFIX + length;
        self.flush_if_enough()
    }

    /// Adds `stats`, of which none is left.
    pub(super) fn stats(&mut self, stats: &mut Stats) -> Result<(), Closed> {
        let bytes = std::mem::take(&mut stats.0);
        if bytes.len() > BUFFER {
            // A path or link target that long is none that a file system has, but attributes may be.
            self.flush()?;
            return self.out.pieces.send(bytes.into()).map_err(|_| Closed);
        }
        self.make_room(bytes.len())?;
        self.buffer[self.used..][..bytes.len()].copy_from_slice(&bytes);
        self.used += bytes.len();
        stats.0 = bytes;
        stats.0.clear();
        self.flush_if_enough()
    }

    /// Adds at most `left` bytes of what `file` has as content of entry `id`, and says how many it had; 0 at the end.
    pub(super) fn content(
        &mut self,
        id: u32,
        file: &mut impl Read,
        left: u64,
    ) -> Result<io::Result<usize>, Closed> {
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        self.make_room(MAX_DATA_HEAD + left.min(TOO_LITTLE))?;
        let room = (BUFFER - self.used - MAX_DATA_HEAD).min(left);
        let start = self.used + data_head(&mut [0; MAX_DATA_HEAD], id, room);
        let read = match fill(file, &mut self.buffer[start..start + room]) {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        if read > 0 {
            let mut head = [0; MAX_DATA_HEAD];
            let length = data_head(&mut head, id, read);
            self.buffer[self.used..self.used + length].copy_from_slice(&head[..length]);
            if start != self.used + length {
                // The file is shorter than it was, and so is its length.
                let content = start..start + read;
                self.buffer.copy_within(content, self.used + length);
            }
            self.used += length + read;
            self.flush_if_enough()?;
        }
        Ok(Ok(read))
    }

    /// Sends what is there.
    pub(super) fn flush(&mut self) -> Result<(), Closed> {
        if self.used == 0 {
            return Ok(());
        }
        let piece = Piece {
            buffer: std::mem::take(&mut self.buffer),
            used: std::mem::take(&mut self.used),
            pool: Arc::clone(&self.out.pool),
        };
        let sent = self.out.pieces.send(Bytes::from_owner(piece));
        sent.map_err(|_| Closed)
    }

    fn make_room(&mut self, length: usize) -> Result<(), Closed> {
        if self.used + length > BUFFER {
            self.flush()?;
        }
        if self.buffer.is_empty() {
            self.buffer = self.out.pool.take()?;
        }
        Ok(())
    }

    fn flush_if_enough(&mut self) -> Result<(), Closed> {
        if self.used < ENOUGH {
            return Ok(());
        }
        self.flush()
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if !self.buffer.is_empty() {
            let buffer = std::mem::take(&mut self.buffer);
            self.out.pool.give_back(buffer);
        }
    }
}

/// Reads until `buffer` is full or `file` at its end.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

// The fields of a packet, each with the kind of its value:
// https://github.com/tonistiigi/fsutil/blob/master/types/wire.proto
const TYPE: u8 = 1 << 3;
const ID: u8 = 3 << 3;
const DATA: u8 = 4 << 3 | 2;

const STAT: u8 = 2 << 3 | 2;

// And of a stat: https://github.com/tonistiigi/fsutil/blob/master/types/stat.proto
const STAT_PATH: u8 = 1 << 3 | 2;
const STAT_MODE: u8 = 2 << 3;
const STAT_SIZE: u8 = 5 << 3;
const STAT_MODIFIED: u8 = 6 << 3;
const STAT_LINK: u8 = 7 << 3 | 2;
const STAT_MAJOR: u8 = 8 << 3;
const STAT_MINOR: u8 = 9 << 3;
const STAT_ATTRIBUTE: u8 = 10 << 3 | 2;
// What an attribute has, which is an entry of a map.
const NAME: u8 = 1 << 3 | 2;
const VALUE: u8 = 2 << 3 | 2;

/// STAT packets as they are sent: there are very many, so nothing is made for one of them.
#[derive(Default)]
pub(super) struct Stats(Vec<u8>);

impl Stats {
    /// Whether they should go out.
    pub(super) fn are_enough(&self) -> bool {
        self.0.len() >= ENOUGH
    }

    /// Adds an entry; `first` is the path under which a file of several names was already sent.
    pub(super) fn put(&mut self, entry: &Entry, first: Option<&str>) {
        let (target, (major, minor)) = match entry.kind() {
            Kind::Symlink(target) => (target.as_str(), (0, 0)),
            Kind::Device(major, minor) => ("", (*major, *minor)),
            Kind::Directory | Kind::Fifo | Kind::File { .. } => ("", (0, 0)),
        };
        // A negative number is written as the positive one of the same bits.
        let fields = [
            Field::Bytes(STAT_PATH, entry.path().as_bytes()),
            Field::Number(STAT_MODE, u64::from(entry.mode())),
            Field::Number(STAT_SIZE, entry.stated_size().cast_unsigned()),
            Field::Number(STAT_MODIFIED, entry.modified().cast_unsigned()),
            Field::Bytes(STAT_LINK, first.unwrap_or(target).as_bytes()),
            Field::Number(STAT_MAJOR, major.cast_unsigned()),
            Field::Number(STAT_MINOR, minor.cast_unsigned()),
        ];
        let attributes: Vec<Vec<u8>> = entry.attributes().map(attribute).collect();
        let attributes = attributes
            .iter()
            .map(|attribute| Field::Bytes(STAT_ATTRIBUTE, attribute));
        let fields = fields.into_iter().chain(attributes);
        let length: usize = fields.clone().map(Field::length).sum();
        let bytes = &mut self.0;
        // The type of a STAT packet is zero, and a field that is zero is left out.
        let packet = 1 + encoded_len_varint(length as u64) + length;
        bytes.extend_from_slice(&prefix(packet));
        bytes.push(STAT);
        encode_varint(length as u64, bytes);
        for field in fields {
            field.write(bytes);
        }
    }
}

/// An extended attribute as an entry of the map that a stat has of them.
fn attribute((name, value): (&str, &[u8])) -> Vec<u8> {
    let mut bytes = Vec::new();
    Field::Bytes(NAME, name.as_bytes()).write(&mut bytes);
    Field::Bytes(VALUE, value).write(&mut bytes);
    bytes
}

#[derive(Clone, Copy)]
enum Field<'a> {
    Number(u8, u64),
    Bytes(u8, &'a [u8]),
}

impl Field<'_> {
    fn length(self) -> usize {
        match self {
            Self::Number(_, 0) | Self::Bytes(_, []) => 0,
            Self::Number(_, value) => 1 + encoded_len_varint(value),
            Self::Bytes(_, content) => 1 + encoded_len_varint(content.len() as u64) + content.len(),
        }
    }

    fn write(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Number(_, 0) | Self::Bytes(_, []) => {}
            Self::Number(key, value) => {
                bytes.push(key);
                encode_varint(value, bytes);
            }
            Self::Bytes(key, content) => {
                bytes.push(key);
                encode_varint(content.len() as u64, bytes);
                bytes.extend_from_slice(content);
            }
        }
    }
}

/// Writes what precedes `length` bytes of content, and says how long that is.
fn data_head(head: &mut [u8; MAX_DATA_HEAD], id: u32, length: usize) -> usize {
    let mut fields = [0; MAX_DATA_HEAD - PREFIX];
    let mut rest = &mut fields[..];
    let number = |rest: &mut &mut [u8], key: u8, value: u64| {
        encode_varint(u64::from(key), rest);
        encode_varint(value, rest);
        1 + encoded_len_varint(value)
    };
    let mut size = number(&mut rest, TYPE, PacketType::PacketData as u64);
    // A field that is zero is left out.
    if id > 0 {
        size += number(&mut rest, ID, u64::from(id));
    }
    size += number(&mut rest, DATA, length as u64);
    head[..PREFIX].copy_from_slice(&prefix(size + length));
    head[PREFIX..PREFIX + size].copy_from_slice(&fields[..size]);
    PREFIX + size
}

/// A packet of `kind` without anything in it.
pub(super) fn packet(kind: PacketType) -> Packet {
    Packet {
        r#type: kind.into(),
        ..Packet::default()
    }
}

/// The packet that ends a transfer with `text` as the reason.
pub(super) fn error(text: &str) -> Packet {
    Packet {
        data: text.as_bytes().to_vec(),
        ..packet(PacketType::PacketErr)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use buildkit_proto::fsutil::types::Stat;

    use super::super::{Filter, Listing};
    use super::*;

    fn stat(bytes: &[u8]) -> Stat {
        assert_eq!(bytes[..PREFIX], prefix(bytes.len() - PREFIX));
        let packet = Packet::decode(&bytes[PREFIX..]).unwrap();
        assert_eq!(packet.r#type(), PacketType::PacketStat);
        packet.stat.unwrap()
    }

    #[test]
    fn a_stat_has_the_fields_of_its_entry() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("directory")).unwrap();
        std::os::unix::fs::symlink("to/something", at("link")).unwrap();
        fs::write(at(&"x".repeat(200)), "1234567").unwrap();
        let file = fs::File::create(at("old")).unwrap();
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1500);
        file.set_modified(before).unwrap();
        let none = rustix::fs::XattrFlags::empty();
        rustix::fs::fsetxattr(&file, "user.note", b"\xff\0", none).unwrap();
        let listing = Listing::read(root.path(), &Filter::everything()).unwrap();
        assert_eq!(listing.entries().len(), 4);
        assert_eq!(listing.get("old").unwrap().modified(), -1_500_000_000);
        for entry in listing.entries() {
            for first in [None, Some("first")] {
                let mut stats = Stats::default();
                stats.put(entry, first);
                let stat = stat(&stats.0);
                let is_link = entry.path() == "link";
                let target = if is_link { "to/something" } else { "" };
                assert_eq!(stat.path, entry.path());
                assert_eq!(stat.mode, entry.mode());
                assert_eq!(stat.size, entry.stated_size());
                assert_eq!(stat.mod_time, entry.modified());
                assert_eq!(stat.linkname, first.unwrap_or(target));
                let note = stat.xattrs.get("user.note").map(Vec::as_slice);
                assert_eq!(note, (entry.path() == "old").then_some(&b"\xff\0"[..]));
                // It is what the generated code makes of it.
                let again = Packet {
                    stat: Some(stat),
                    ..packet(PacketType::PacketStat)
                };
                assert_eq!(stats.0[PREFIX..], again.encode_to_vec());
            }
        }
    }

    #[test]
    fn a_stat_of_a_device_has_its_numbers() {
        let mut stats = Stats::default();
        stats.put(&Entry::device("null", 1, 300), None);
        let stat = stat(&stats.0);
        assert_eq!((stat.devmajor, stat.devminor), (1, 300));
    }
}
