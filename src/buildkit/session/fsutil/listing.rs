//! What a directory holds.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, StatxFlags, statx};

use super::attributes::{Attributes, Unreadable, attributes};
use super::filter::Filter;
use super::path::compare;
use super::patterns::Matched;

/// The file mode bits of Go, which the protocol uses instead of those of Unix:
/// <https://pkg.go.dev/io/fs#FileMode>.
pub(super) mod mode {
    pub(crate) const DIRECTORY: u32 = 1 << 31;
    pub(crate) const SYMLINK: u32 = 1 << 27;
    pub(crate) const DEVICE: u32 = 1 << 26;
    pub(crate) const FIFO: u32 = 1 << 25;
    pub(crate) const SOCKET: u32 = 1 << 24;
    pub(crate) const SETUID: u32 = 1 << 23;
    pub(crate) const SETGID: u32 = 1 << 22;
    pub(crate) const CHARACTER: u32 = 1 << 21;
    pub(crate) const STICKY: u32 = 1 << 20;
    /// What makes an entry other than a regular file.
    pub(crate) const TYPE: u32 = DIRECTORY | SYMLINK | DEVICE | FIFO | SOCKET | CHARACTER;
}

/// The files of a directory as they were when it was read, in the protocol's order.
#[derive(Clone, Debug)]
pub struct Listing {
    root: PathBuf,
    entries: Vec<Entry>,
    skipped: Vec<String>,
}

/// A file, directory, link or device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    path: String,
    mode: u32,
    size: i64,
    modified: i64,
    kind: Kind,
    attributes: Attributes,
}

/// What an [`Entry`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file. Those with the same number are one file under several names.
    File {
        /// The number, if the file has several names.
        link: Option<u32>,
    },
    /// A symbolic link to the path it holds.
    Symlink(String),
    /// A pipe.
    Fifo,
    /// A device by its major and minor number.
    Device(i64, i64),
}

/// A directory that cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// A file or directory cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory to list is none.
    #[error("`{path}` is not a directory")]
    NotDirectory {
        /// The path given.
        path: PathBuf,
    },
    /// A name that is no text.
    #[error("the name `{path}` is not UTF-8, and cannot be sent")]
    Name {
        /// The name, with a mark for what is not UTF-8.
        path: String,
    },
    /// A link target that is no text.
    #[error("the link `{path}` points to a name that is not UTF-8, and cannot be sent")]
    Target {
        /// The link.
        path: String,
    },
    /// An extended attribute whose name is no text.
    #[error("the name of `{path}`'s extended attribute `{name}` is not UTF-8, and cannot be sent")]
    Attribute {
        /// The file.
        path: String,
        /// The attribute's name, with a mark for what is not UTF-8.
        name: String,
    },
}

impl Listing {
    /// Reads the directory `root` with everything in it that `filter` takes.
    ///
    /// What vanishes meanwhile is passed over.
    ///
    /// # Errors
    ///
    /// A directory cannot be read, or a name, link target or name of an attribute is not UTF-8.
    pub fn read(root: &Path, filter: &Filter) -> Result<Self, ListingError> {
        let root = directory(root)?;
        let mut entries = Vec::new();
        let skipped = walk(&root, filter, |more| {
            entries.append(more);
            true
        })?;
        Ok(Self::new(root, entries, skipped))
    }

    pub(super) fn new(root: PathBuf, entries: Vec<Entry>, skipped: Vec<String>) -> Self {
        Self {
            root,
            entries,
            skipped,
        }
    }

    /// The directory that was read, without symbolic links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All entries, directories before what is in them.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The paths of the sockets, which are left out.
    #[must_use]
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// The entry at `path`, which is relative and clean.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        let found = self
            .entries
            .binary_search_by(|entry| compare(&entry.path, path));
        found.ok().map(|at| &self.entries[at])
    }
}

impl Entry {
    /// The path from the root of the listing.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The size in bytes: of a link that of its target's name, of a directory 0.
    #[must_use]
    pub fn size(&self) -> u64 {
        u64::try_from(self.size).unwrap_or(0)
    }

    /// The mode, in Go's bits.
    pub(super) fn mode(&self) -> u32 {
        self.mode
    }

    /// The size as the protocol has it.
    pub(super) fn stated_size(&self) -> i64 {
        self.size
    }

    /// The time of the last change, in nanoseconds since 1970.
    pub(super) fn modified(&self) -> i64 {
        self.modified
    }

    /// The extended attributes, by name.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let all = self.attributes.iter().flat_map(|all| all.iter());
        all.map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    #[cfg(test)]
    pub(super) fn device(path: &str, major: i64, minor: i64) -> Self {
        Self {
            path: path.to_owned(),
            mode: mode::DEVICE,
            size: 0,
            modified: 0,
            kind: Kind::Device(major, minor),
            attributes: None,
        }
    }
}

/// The directory at `path`, without symbolic links.
pub(super) fn directory(path: &Path) -> Result<PathBuf, ListingError> {
    let root = fs::canonicalize(path).map_err(|source| ListingError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    match root.is_dir() {
        true => Ok(root),
        false => Err(ListingError::NotDirectory { path: root }),
    }
}

/// How many entries are given on at once.
const SOME: usize = 256;

/// Gives what is in `root` to `sink`, in order, until it answers that it wants no more. The rest is the paths of sockets.
pub(super) fn walk(
    root: &Path,
    filter: &Filter,
    mut sink: impl FnMut(&mut Vec<Entry>) -> bool,
) -> Result<Vec<String>, ListingError> {
    let mut reader = Reader::new(root, filter)?;
    let kept = filter.kept(root);
    let mut kept = kept.iter().map(|path| root.join(path)).peekable();
    for entry in filter.walk(root) {
        match entry {
            Ok(entry) if entry.depth() == 0 => {}
            Ok(entry) => {
                let path = entry.path();
                while let Some(before) = kept.next_if(|kept| &**kept < path) {
                    reader.take(&before)?;
                }
                let _ = kept.next_if(|kept| kept == path); // that is this one
                reader.take(path)?;
            }
            Err(error) => failed(error, root)?,
        }
        if reader.entries.len() >= SOME && !sink(&mut reader.entries) {
            return Ok(reader.skipped);
        }
    }
    kept.try_for_each(|path| reader.take(&path))?;
    sink(&mut reader.entries);
    Ok(reader.skipped)
}

struct Reader<'a> {
    root: &'a Path,
    /// The root, from which files are looked up: the way to it is as long as that of all below.
    handle: OwnedFd,
    filter: &'a Filter,
    entries: Vec<Entry>,
    skipped: Vec<String>,
    /// The numbers of files with several names, by device and inode.
    links: BTreeMap<((u32, u32), u64), u32>,
    /// The directories above the present path, those not taken among them.
    above: Vec<Above>,
}

struct Above {
    path: String,
    matched: Matched,
    /// The directory as long as it is not taken.
    pending: Option<Entry>,
}

impl<'a> Reader<'a> {
    fn new(root: &'a Path, filter: &'a Filter) -> Result<Self, ListingError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(root, flags, Mode::empty());
        Ok(Self {
            root,
            handle: handle.map_err(|error| ListingError::Read {
                path: root.to_path_buf(),
                source: error.into(),
            })?,
            filter,
            entries: Vec::new(),
            skipped: Vec::new(),
            links: BTreeMap::new(),
            above: Vec::new(),
        })
    }

    /// The way from the root to `path`, which is below it.
    fn relative<'p>(&self, path: &'p Path) -> &'p Path {
        let root = self.root.as_os_str().as_bytes();
        let below = path.as_os_str().as_bytes().strip_prefix(root);
        let below = below.map(|below| below.strip_prefix(b"/").unwrap_or(below));
        below.map_or(path, |below| Path::new(std::ffi::OsStr::from_bytes(below)))
    }

    fn take(&mut self, path: &Path) -> Result<(), ListingError> {
        let relative = self.relative(path);
        let Some(name) = relative.to_str() else {
            return Err(ListingError::Name {
                path: relative.to_string_lossy().into_owned(),
            });
        };
        while let Some(above) = self.above.last()
            && !is_child(name, &above.path)
        {
            self.above.pop();
        }
        let inherited = Matched::default();
        let inherited = self.above.last().map_or(&inherited, |above| &above.matched);
        let (excluded, matched) = self.filter.excluded().matches_in(name, inherited);
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let metadata = match statx(&self.handle, relative, flags, StatxFlags::BASIC_STATS) {
            Ok(metadata) => metadata,
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(error) => {
                return Err(ListingError::Read {
                    path: path.to_path_buf(),
                    source: error.into(),
                });
            }
        };
        let is_directory = kind(&metadata) == FileType::Directory;
        if excluded && !is_directory {
            return Ok(());
        }
        let Some(entry) = self.entry(path, name, &metadata)? else {
            self.skipped.push(name.to_owned());
            return Ok(());
        };
        if !excluded {
            let pending = self
                .above
                .iter_mut()
                .filter_map(|above| above.pending.take());
            self.entries.extend(pending);
        }
        let pending = if excluded {
            Some(entry)
        } else {
            self.entries.push(entry);
            None
        };
        if is_directory {
            let path = name.to_owned();
            self.above.push(Above {
                path,
                matched,
                pending,
            });
        }
        Ok(())
    }

    /// The entry of a file; `None` for a socket.
    fn entry(
        &mut self,
        path: &Path,
        name: &str,
        metadata: &Statx,
    ) -> Result<Option<Entry>, ListingError> {
        let kind = match kind(metadata) {
            FileType::Directory => Kind::Directory,
            FileType::RegularFile => Kind::File {
                link: self.link(metadata),
            },
            FileType::Symlink => Kind::Symlink(target(path, name)?),
            FileType::Fifo => Kind::Fifo,
            FileType::BlockDevice | FileType::CharacterDevice => Kind::Device(
                metadata.stx_rdev_major.into(),
                metadata.stx_rdev_minor.into(),
            ),
            FileType::Socket | FileType::Unknown => return Ok(None),
        };
        let size = match &kind {
            Kind::Directory => 0,
            Kind::Symlink(target) => i64::try_from(target.len()).unwrap_or(i64::MAX),
            _ => i64::try_from(metadata.stx_size).unwrap_or(i64::MAX),
        };
        let seconds = metadata.stx_mtime.tv_sec.saturating_mul(1_000_000_000);
        Ok(Some(Entry {
            path: name.to_owned(),
            mode: if self.filter.is_for_sources() {
                source_mode(metadata)
            } else {
                go_mode(metadata)
            },
            size,
            modified: seconds.saturating_add(metadata.stx_mtime.tv_nsec.into()),
            kind,
            attributes: self.attributes(path, name)?,
        }))
    }

    fn attributes(&self, path: &Path, name: &str) -> Result<Attributes, ListingError> {
        // Git keeps none either.
        if self.filter.is_for_sources() {
            return Ok(None);
        }
        attributes(path).map_err(|error| match error {
            Unreadable::System(error) => ListingError::Read {
                path: path.to_path_buf(),
                source: error.into(),
            },
            Unreadable::Name(attribute) => ListingError::Attribute {
                path: name.to_owned(),
                name: attribute,
            },
        })
    }

    fn link(&mut self, metadata: &Statx) -> Option<u32> {
        // Git keeps no such links either.
        if metadata.stx_nlink < 2 || self.filter.is_for_sources() {
            return None;
        }
        let next = u32::try_from(self.links.len()).ok()?;
        let device = (metadata.stx_dev_major, metadata.stx_dev_minor);
        let key = (device, metadata.stx_ino);
        Some(*self.links.entry(key).or_insert(next))
    }
}

fn is_child(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn target(path: &Path, name: &str) -> Result<String, ListingError> {
    let target = fs::read_link(path).map_err(|source| ListingError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    target
        .into_os_string()
        .into_string()
        .map_err(|_| ListingError::Target {
            path: name.to_owned(),
        })
}

/// Passes over what has vanished since its directory was read, and malformed lines of ignore files.
fn failed(error: ignore::Error, root: &Path) -> Result<(), ListingError> {
    let mut path = root.to_path_buf();
    let mut inner = &error;
    loop {
        inner = match inner {
            ignore::Error::WithPath { path: at, err } => {
                path.clone_from(at);
                err
            }
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => err,
            _ => break,
        };
    }
    match error.into_io_error() {
        Some(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ListingError::Read { path, source })
        }
        _ => Ok(()),
    }
}

fn kind(metadata: &Statx) -> FileType {
    FileType::from_raw_mode(metadata.stx_mode.into())
}

/// The mode as git would check it out: what else its bits say comes from the umask of this machine.
fn source_mode(metadata: &Statx) -> u32 {
    let mode = go_mode(metadata);
    let permissions = match mode & mode::TYPE {
        mode::SYMLINK => 0o777,
        mode::DIRECTORY => 0o755,
        _ if mode & 0o100 != 0 => 0o755,
        _ => 0o644,
    };
    mode & mode::TYPE | permissions
}

fn go_mode(metadata: &Statx) -> u32 {
    let kind = kind(metadata);
    let unix = u32::from(metadata.stx_mode);
    let bits = [
        (kind == FileType::Directory, mode::DIRECTORY),
        (kind == FileType::Symlink, mode::SYMLINK),
        (kind == FileType::Fifo, mode::FIFO),
        (kind == FileType::BlockDevice, mode::DEVICE),
        (
            kind == FileType::CharacterDevice,
            mode::DEVICE | mode::CHARACTER,
        ),
        (unix & 0o4000 != 0, mode::SETUID),
        (unix & 0o2000 != 0, mode::SETGID),
        (unix & 0o1000 != 0, mode::STICKY),
    ];
    let set = bits.iter().filter(|(holds, _)| *holds);
    set.fold(unix & 0o777, |all, (_, bit)| all | bit)
}
