//! A tar stream, read as its bytes come.

use serde::{Deserialize, Serialize};
use tar::{EntryType, Header};

use super::keys::{SIGNATURE_PREFIX, Signature};

const BLOCK: usize = 512;
/// Extended headers and long names beyond this are refused.
const HEADER_LIMIT: u64 = 1 << 20;
const PATH_LIMIT: usize = 4096;

/// A member of a package's data, as it will lie in the file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The path, relative to the root, without `.` and `..` and without a slash at either end.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// The permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    /// The owner's number.
    pub uid: u64,
    /// The group's number.
    pub gid: u64,
    /// The size of a file in bytes.
    pub size: u64,
    /// What a link points to: any text for a symbolic one, the path of an entry for a hard one.
    pub link: Option<String>,
    /// The SHA-1 of a file's content or a link's text, in hex, as the package states it.
    pub sha1: Option<String>,
}

/// What an [`Entry`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A second name of another entry.
    Hardlink,
}

/// Why bytes are no acceptable tar stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TarError {
    /// A header is malformed.
    #[error("it has a malformed tar header at byte {offset}")]
    Header {
        /// Where, in the unpacked stream.
        offset: u64,
    },
    /// The stream ends within an entry.
    #[error("its tar stream is cut short")]
    Truncated,
    /// An entry would lie outside the root, or its path has odd bytes.
    #[error("its entry `{path}` has an unsafe path")]
    Path {
        /// The path, escaped.
        path: String,
    },
    /// A hard link points to something outside, or to nothing.
    #[error("its entry `{path}` is a hard link to `{link}`, which is no entry before it")]
    Link {
        /// The entry.
        path: String,
        /// Its target, escaped.
        link: String,
    },
    /// An entry lies below a symbolic link of the same package.
    #[error("its entry `{path}` lies below a link")]
    BelowLink {
        /// The entry.
        path: String,
    },
    /// An entry is a device, a pipe or something unknown.
    #[error("its entry `{path}` is neither file, directory nor link")]
    Kind {
        /// The entry.
        path: String,
    },
    /// There are more or larger entries than any package has.
    #[error("its tar stream has more entries or longer headers than any package")]
    TooLarge,
}

/// What to do with the content of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    Nothing,
    /// All of it; the limit was checked against the size in the entry.
    Content,
}

/// Takes what an [`Untar`] finds.
pub(super) trait Visit {
    fn entry(&mut self, entry: Entry) -> Result<Keep, TarError>;
    fn content(&mut self, bytes: Vec<u8>);
}

/// The members of a section that holds only small files in its root: a signature, or the control files.
#[derive(Default)]
pub(super) struct Members {
    pub(super) members: Vec<(String, Vec<u8>)>,
    /// Whether the first member is no signature.
    pub(super) is_unsigned: bool,
}

pub(super) struct Untar {
    block: Vec<u8>,
    offset: u64,
    state: State,
    kept: Vec<u8>,
    extended: Extended,
}

enum State {
    Header,
    /// Content that is left of the current entry, and the padding behind it.
    Content {
        left: u64,
        padding: u64,
        purpose: Purpose,
    },
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Skip,
    Keep,
    Pax,
    LongPath,
    LongLink,
}

// What extended headers say about the next entry.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    sha1: Option<String>,
}

impl Visit for Members {
    fn entry(&mut self, entry: Entry) -> Result<Keep, TarError> {
        // Nothing of these sections is meant to be a file of the package.
        let is_control = entry.path.starts_with('.') && !entry.path.contains('/');
        if self.members.is_empty() && !entry.path.starts_with(SIGNATURE_PREFIX) {
            self.is_unsigned = true;
        }
        if !is_control || entry.kind != EntryKind::File {
            return Err(TarError::Path { path: entry.path });
        }
        self.members.push((entry.path, Vec::new()));
        Ok(Keep::Content)
    }

    fn content(&mut self, bytes: Vec<u8>) {
        if let Some((_, content)) = self.members.last_mut() {
            *content = bytes;
        }
    }
}

impl Members {
    /// The members as signatures, if the first is one.
    pub(super) fn into_signatures(self) -> Vec<Signature> {
        self.members
            .into_iter()
            .map(|(member, bytes)| Signature { member, bytes })
            .collect()
    }
}

impl Untar {
    pub(super) fn new() -> Self {
        Self {
            block: Vec::with_capacity(BLOCK),
            offset: 0,
            state: State::Header,
            kept: Vec::new(),
            extended: Extended::default(),
        }
    }

    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        visit: &mut impl Visit,
    ) -> Result<(), TarError> {
        while !bytes.is_empty() {
            let taken = match self.state {
                State::End => bytes.len(),
                State::Header => {
                    let taken = bytes.len().min(BLOCK - self.block.len());
                    self.block.extend_from_slice(&bytes[..taken]);
                    if self.block.len() == BLOCK {
                        self.header(visit)?;
                        self.block.clear();
                    }
                    taken
                }
                State::Content { .. } => self.content(bytes, visit)?,
            };
            self.offset += taken as u64;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Ends the stream, and says whether it had an end-of-archive block.
    pub(super) fn finish(&self) -> Result<bool, TarError> {
        match self.state {
            State::End => Ok(true),
            State::Header if self.block.is_empty() => Ok(false),
            _ => Err(TarError::Truncated),
        }
    }

    fn content(&mut self, bytes: &[u8], visit: &mut impl Visit) -> Result<usize, TarError> {
        let State::Content {
            left,
            padding,
            purpose,
        } = &mut self.state
        else {
            return Ok(0);
        };
        let (counter, is_content) = match *left {
            0 => (padding, false),
            _ => (left, true),
        };
        let taken = (bytes.len() as u64).min(*counter) as usize;
        *counter -= taken as u64;
        let is_kept = is_content && *purpose != Purpose::Skip;
        if is_kept {
            self.kept.extend_from_slice(&bytes[..taken]);
        }
        self.end_content(visit)?;
        Ok(taken)
    }

    fn end_content(&mut self, visit: &mut impl Visit) -> Result<(), TarError> {
        let State::Content {
            left: 0,
            padding: 0,
            purpose,
        } = self.state
        else {
            return Ok(());
        };
        self.state = State::Header;
        let kept = std::mem::take(&mut self.kept);
        match purpose {
            Purpose::Skip => {}
            Purpose::Keep => visit.content(kept),
            Purpose::Pax => self.extended.read(&kept).ok_or(TarError::Header {
                offset: self.offset,
            })?,
            Purpose::LongPath => self.extended.path = Some(without_end(kept)),
            Purpose::LongLink => self.extended.link = Some(without_end(kept)),
        }
        Ok(())
    }

    fn header(&mut self, visit: &mut impl Visit) -> Result<(), TarError> {
        if self.block.iter().all(|byte| *byte == 0) {
            self.state = State::End;
            return Ok(());
        }
        let malformed = TarError::Header {
            offset: self.offset,
        };
        let header = Header::from_byte_slice(&self.block);
        if !has_right_checksum(&self.block, header) {
            return Err(malformed);
        }
        let Ok(size) = header.entry_size() else {
            return Err(malformed);
        };
        let special = match header.entry_type() {
            EntryType::XHeader => Some(Purpose::Pax),
            EntryType::GNULongName => Some(Purpose::LongPath),
            EntryType::GNULongLink => Some(Purpose::LongLink),
            EntryType::XGlobalHeader => Some(Purpose::Skip),
            _ => None,
        };
        if special.is_some() && size > HEADER_LIMIT {
            return Err(TarError::TooLarge);
        }
        if let Some(purpose) = special {
            return self.start_content(size, purpose, visit);
        }
        let entry = std::mem::take(&mut self.extended).entry(header, size);
        let entry = entry.unwrap_or(Err(malformed))?;
        let size = entry.size;
        let purpose = match visit.entry(entry)? {
            Keep::Nothing => Purpose::Skip,
            Keep::Content => Purpose::Keep,
        };
        self.start_content(size, purpose, visit)
    }

    fn start_content(
        &mut self,
        size: u64,
        purpose: Purpose,
        visit: &mut impl Visit,
    ) -> Result<(), TarError> {
        self.state = State::Content {
            left: size,
            padding: (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64,
            purpose,
        };
        self.end_content(visit)
    }
}

impl Extended {
    // Records of the form `<length> <key>=<value>\n`, POSIX.1-2001 pax.
    fn read(&mut self, mut records: &[u8]) -> Option<()> {
        while !records.is_empty() {
            let space = records.iter().position(|byte| *byte == b' ')?;
            let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
            let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
            records = &records[length..];
            let split = record.iter().position(|byte| *byte == b'=')?;
            let (key, value) = (&record[..split], &record[split + 1..]);
            let number = || std::str::from_utf8(value).ok()?.parse().ok();
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(number()?),
                b"uid" => self.uid = Some(number()?),
                b"gid" => self.gid = Some(number()?),
                b"APK-TOOLS.checksum.SHA1" => {
                    let text = std::str::from_utf8(value).ok()?;
                    let is_sum = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
                    self.sha1 = is_sum.then(|| text.to_ascii_lowercase());
                }
                // GNU's sparse files keep their real name and size in records of their own.
                key if key.starts_with(b"GNU.sparse.") => return None,
                _ => {}
            }
        }
        Some(())
    }

    // `None` for a malformed header.
    fn entry(self, header: &Header, size: u64) -> Option<Result<Entry, TarError>> {
        let raw = self
            .path
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let Some(path) = safe_path(&raw) else {
            let path = String::from_utf8_lossy(&raw).escape_debug().to_string();
            return Some(Err(TarError::Path { path }));
        };
        let kind = match header.entry_type() {
            // Some readers take such a file for a directory.
            EntryType::Regular | EntryType::Continuous if raw.ends_with(b"/") => {
                return Some(Err(TarError::Path { path }));
            }
            EntryType::Regular | EntryType::Continuous => EntryKind::File,
            EntryType::Directory => EntryKind::Directory,
            EntryType::Symlink => EntryKind::Symlink,
            EntryType::Link => EntryKind::Hardlink,
            _ => return Some(Err(TarError::Kind { path })),
        };
        let link = match kind {
            EntryKind::Symlink | EntryKind::Hardlink => {
                let raw = self
                    .link
                    .or_else(|| header.link_name_bytes().map(|link| link.into_owned()))?;
                Some(String::from_utf8(raw).ok().filter(|link| is_text(link))?)
            }
            _ => None,
        };
        let size = match kind {
            EntryKind::File => self.size.unwrap_or(size),
            _ => 0,
        };
        Some(Ok(Entry {
            path,
            kind,
            mode: header.mode().ok()? & 0o7777,
            uid: self.uid.or_else(|| header.uid().ok())?,
            gid: self.gid.or_else(|| header.gid().ok())?,
            size,
            link,
            sha1: self.sha1,
        }))
    }
}

fn has_right_checksum(block: &[u8], header: &Header) -> bool {
    // The field of the sum itself, bytes 148 to 155, counts as blanks.
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| match at {
            148..156 => u32::from(b' '),
            _ => u32::from(*byte),
        })
        .sum();
    header.cksum().is_ok_and(|stated| stated == sum)
}

fn without_end(mut text: Vec<u8>) -> Vec<u8> {
    while text.last() == Some(&0) {
        text.pop();
    }
    text
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= PATH_LIMIT && !text.contains(char::is_control)
}

/// The path without a slash at its end, if it stays below the root.
pub(super) fn safe_path(raw: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(raw).ok()?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let is_safe = is_text(path)
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    is_safe.then(|| path.to_owned())
}
