//! The read-only view of a repository: one walk, then lazy and bounded reads.

mod ignored;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::buffer::spare_capacity;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use rustix::io::{Errno, retry_on_intr};

use walk::{Listing, walk};

pub(crate) use walk::Name;

/// Bytes of a manifest or source file that are read at most; a larger one is a diagnostic.
const TEXT_LIMIT: u64 = 2 << 20;

/// Bytes of a lock file that are read at most.
const LOCK_LIMIT: u64 = 16 << 20;

/// Bytes of texts that are kept, of all files together.
const ROOM: usize = 32 << 20;

/// The error of [`Repo::open`].
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path is no directory.
    #[error("`{}` is not a directory", path.display())]
    NotADirectory {
        /// The path as given.
        path: PathBuf,
    },
    /// The path cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The path as given.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

const MISSING: &str = "does not exist";

/// Why a file's text is not available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The line that is at fault, from 1.
    pub(crate) line: Option<u64>,
    /// The fact, in the style of an error message.
    pub(crate) message: String,
}

/// A part of the repository that the walk left out although it is not ignored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Skipped {
    pub(crate) path: String,
    pub(crate) reason: String,
}

/// A repository: the listing of one walk, and the text of files as they are asked for.
#[derive(Debug)]
pub struct Repo {
    root: PathBuf,
    dirs: BTreeMap<String, Listing>,
    skipped: Vec<Skipped>,
    has_ignored: bool,
    handle: OwnedFd,
    texts: Mutex<Texts>,
    locks: Mutex<BTreeMap<String, Option<Arc<str>>>>,
}

/// The texts that were read.
#[derive(Debug, Default)]
struct Texts {
    kept: BTreeMap<String, Result<Arc<str>, Unreadable>>,
    size: usize,
}

impl Repo {
    /// Lists the repository at `path`, honouring `.gitignore` and `.dockerignore` also where there is no `.git`.
    ///
    /// Files that are read later are read from there; links that lead out of it are not followed.
    ///
    /// # Errors
    /// When `path` is no directory or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, None)
    }

    /// The same with at most so many threads; the answer does not depend on them.
    ///
    /// # Errors
    /// When `path` is no directory or cannot be read.
    pub fn open_with(
        path: impl AsRef<Path>,
        threads: Option<NonZero<usize>>,
    ) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let unreadable = |source| OpenError::Read {
            path: path.to_owned(),
            source,
        };
        let root = path.canonicalize().map_err(unreadable)?;
        if !root.is_dir() {
            return Err(OpenError::NotADirectory {
                path: path.to_owned(),
            });
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(&root, flags, Mode::empty());
        let handle = handle.map_err(|error| unreadable(error.into()))?;
        let walked = walk(&root, &handle, threads);
        Ok(Self {
            root,
            dirs: walked.dirs,
            skipped: walked.skipped,
            has_ignored: walked.has_ignored,
            handle,
            texts: Mutex::default(),
            locks: Mutex::default(),
        })
    }

    /// Whether something was left out because of a `.gitignore`: git may keep it nevertheless.
    #[must_use]
    pub fn has_ignored(&self) -> bool {
        self.has_ignored
    }

    /// Adds the files `kept`, relative to the root, which git keeps although a `.gitignore` names them.
    pub fn keep(&mut self, kept: &BTreeSet<PathBuf>) {
        for (above, file) in walk::kept(&self.root, kept) {
            for path in above {
                let (parent, name) = split(path);
                add(
                    &mut self.dirs.entry(parent.to_owned()).or_default().dirs,
                    name,
                );
                self.dirs.entry(path.to_owned()).or_default();
            }
            let (parent, name) = split(file);
            add(
                &mut self.dirs.entry(parent.to_owned()).or_default().files,
                name,
            );
        }
    }

    /// The directory at `path`, relative to the root; the empty path is the root itself.
    pub(crate) fn dir<'a>(&'a self, path: &str) -> Option<Dir<'a>> {
        let (path, listing) = self.dirs.get_key_value(path)?;
        Some(Dir {
            repo: self,
            path,
            listing,
        })
    }

    /// Every directory, sorted by path.
    pub(crate) fn dirs(&self) -> impl Iterator<Item = Dir<'_>> {
        self.dirs.iter().map(|(path, listing)| Dir {
            repo: self,
            path,
            listing,
        })
    }

    /// Every directory at or below `path`, sorted by path.
    pub(crate) fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = Dir<'a>> {
        self.dirs
            .range(path.to_owned()..)
            .take_while(move |(found, _)| found.starts_with(path))
            .filter(move |(found, _)| is_within(found, path))
            .map(|(path, listing)| Dir {
                repo: self,
                path,
                listing,
            })
    }

    /// What the walk left out with a reason, sorted by path.
    pub(crate) fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Whether the directory at `path` exists although the walk did not descend into it: `vendor` beside a `go.mod`.
    pub(crate) fn has_pruned(&self, path: &str) -> bool {
        self.root
            .join(path)
            .canonicalize()
            .is_ok_and(|full| full.starts_with(&self.root) && full.is_dir())
    }

    /// Whether there is a file at `path`.
    pub(crate) fn has(&self, path: &str) -> bool {
        let (parent, name) = split(path);
        self.dir(parent).is_some_and(|dir| dir.has(name))
    }

    /// The text of the file at `path`, read once as long as there is room: UTF-8 without a byte order mark, 2 MiB at most.
    pub(crate) fn text(&self, path: &str) -> Result<Arc<str>, Unreadable> {
        let (parent, name) = split(path);
        match self.dir(parent) {
            Some(dir) => self.text_in(dir, name, path),
            None => Err(unreadable(MISSING)),
        }
    }

    fn text_in(&self, dir: Dir<'_>, name: &str, path: &str) -> Result<Arc<str>, Unreadable> {
        if !dir.has(name) {
            return Err(unreadable(MISSING));
        }
        let texts = || self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts().kept.get(path) {
            return text.clone();
        }
        let text = self.read(path, TEXT_LIMIT).and_then(|(bytes, whole)| {
            if whole {
                decode(bytes)
            } else {
                Err(unreadable("is larger than 2 MiB"))
            }
        });
        let length = text.as_ref().map_or(0, |text| text.len());
        let mut texts = texts();
        if texts.size + length <= ROOM {
            texts.size += length;
            texts.kept.insert(path.to_owned(), text.clone());
        }
        text
    }

    /// The first 16 MiB of a lock file, read once, with what is no UTF-8 replaced: a part of one says enough.
    pub(crate) fn lock(&self, path: &str) -> Option<Arc<str>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = locks.get(path) {
            return text.clone();
        }
        let read = self.has(path).then(|| self.read(path, LOCK_LIMIT).ok());
        let text = read.flatten().map(|(bytes, _)| {
            Arc::from(String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}'))
        });
        locks.insert(path.to_owned(), text.clone());
        text
    }

    fn read(&self, path: &str, limit: u64) -> Result<(Vec<u8>, bool), Unreadable> {
        let failed = |error: std::io::Error| unreadable(&format!("cannot be read: {error}"));
        let file = match self.beneath(path) {
            Ok(file) => file,
            Err(_) => self.resolved(path)?,
        };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(unreadable("is not a regular file"));
        }
        let bytes = filled(file, metadata.len(), limit + 1).map_err(failed)?;
        let whole = bytes.len() as u64 <= limit;
        let mut bytes = bytes;
        bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok((bytes, whole))
    }

    /// Opens a file in a way that the system itself lets lead nowhere else; not every one can, nor with absolute links.
    fn beneath(&self, path: &str) -> Result<File, Errno> {
        // A pipe would block.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        openat2(&self.handle, path, flags, Mode::empty(), within).map(File::from)
    }

    fn resolved(&self, path: &str) -> Result<File, Unreadable> {
        let failed = |error: std::io::Error| unreadable(&format!("cannot be read: {error}"));
        let full = self.root.join(path).canonicalize().map_err(failed)?;
        if !full.starts_with(&self.root) {
            return Err(unreadable("is a link that leads out of the repository"));
        }
        // A pipe or a device would block or never end.
        if !full.metadata().map_err(failed)?.is_file() {
            return Err(unreadable("is not a regular file"));
        }
        File::open(&full).map_err(failed)
    }
}

/// One directory of a repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dir<'a> {
    repo: &'a Repo,
    path: &'a str,
    listing: &'a Listing,
}

impl<'a> Dir<'a> {
    /// The path relative to the root; empty for the root itself.
    pub(crate) fn path(&self) -> &'a str {
        self.path
    }

    /// Whether it holds a file of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.listing
            .files
            .binary_search_by(|file| file.as_str().cmp(name))
            .is_ok()
    }

    /// The first of `names` that is a file here.
    pub(crate) fn first<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names.iter().find(|name| self.has(name)).copied()
    }

    /// Whether it holds a directory of this name.
    pub(crate) fn has_dir(&self, name: &str) -> bool {
        self.listing
            .dirs
            .binary_search_by(|dir| dir.as_str().cmp(name))
            .is_ok()
    }

    /// The names of its files, sorted.
    pub(crate) fn files(&self) -> &'a [Name] {
        &self.listing.files
    }

    /// The names of its directories, sorted.
    pub(crate) fn dirs(&self) -> &'a [Name] {
        &self.listing.dirs
    }

    /// The path, relative to the root, of `name` in this directory.
    pub(crate) fn join(&self, name: &str) -> String {
        join(self.path, name)
    }

    /// The text of a file in this directory.
    pub(crate) fn text(&self, name: &str) -> Result<Arc<str>, Unreadable> {
        if name.contains('/') {
            return self.repo.text(&self.join(name));
        }
        self.repo.text_in(*self, name, &self.join(name))
    }

    /// The directory at a path relative to this one.
    pub(crate) fn below(&self, path: &str) -> Option<Self> {
        self.repo.dir(&self.join(path))
    }

    /// This directory, then each one above it up to the root.
    pub(crate) fn upwards(&self) -> impl Iterator<Item = Self> {
        let repo = self.repo;
        upwards(self.path).filter_map(move |path| repo.dir(path))
    }
}

/// Adds a name to sorted ones.
fn add(names: &mut Vec<Name>, name: &str) {
    if let Err(at) = names.binary_search_by(|known| known.as_str().cmp(name)) {
        names.insert(at, Name::new(name));
    }
}

/// `path`, then each path above it; the last one is empty, the root.
pub(crate) fn upwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| (!path.is_empty()).then(|| split(path).0))
}

/// Joins two relative paths; an empty one or `.` adds nothing.
pub(crate) fn join(dir: &str, name: &str) -> String {
    match (dir, name) {
        ("" | ".", name) => name.to_owned(),
        (dir, "" | ".") => dir.to_owned(),
        (dir, name) => {
            let mut path = String::with_capacity(dir.len() + 1 + name.len());
            path.push_str(dir);
            path.push('/');
            path.push_str(name);
            path
        }
    }
}

/// Resolves `.` and `..` in `path` seen from `dir`; nothing where it leads out of the repository or is absolute.
pub(crate) fn resolve(dir: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\\') || path.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The relative path that leads from the directory `from` to `to`, both relative to the root.
pub(crate) fn relative(from: &str, to: &str) -> String {
    let parts = |path: &str| -> Vec<String> {
        path.split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (from, to) = (parts(from), parts(to));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut steps = vec!["..".to_owned(); from.len() - shared];
    steps.extend_from_slice(&to[shared..]);
    if steps.is_empty() {
        ".".to_owned()
    } else {
        steps.join("/")
    }
}

/// Whether `path` is `dir` or lies below it.
pub(crate) fn is_within(path: &str, dir: &str) -> bool {
    dir.is_empty()
        || path
            .strip_prefix(dir)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The directory and the last part of a path.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The first `limit` bytes of a file that is said to be of `size`: where one read brings just these, there is no more.
fn filled(file: File, size: u64, limit: u64) -> std::io::Result<Vec<u8>> {
    let size = usize::try_from(size.min(limit)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(size + 1);
    let length = retry_on_intr(|| rustix::io::read(&file, spare_capacity(&mut bytes)))?;
    if length != size || size as u64 == limit {
        let rest = limit - length as u64;
        file.take(rest).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn unreadable(message: &str) -> Unreadable {
    Unreadable {
        line: None,
        message: message.to_owned(),
    }
}

fn decode(bytes: Vec<u8>) -> Result<Arc<str>, Unreadable> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        Unreadable {
            line: Some(line),
            message: "is not valid UTF-8".to_owned(),
        }
    })?;
    Ok(Arc::from(text.trim_start_matches('\u{feff}')))
}
