//! The read-only view of a repository: one walk, then lazy and bounded reads.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{DirEntry, WalkBuilder, WalkState};

/// Bytes of a manifest or source file that are read at most; a larger one is a diagnostic.
const TEXT_LIMIT: u64 = 2 << 20;

/// Bytes of a lock file that are read at most.
const LOCK_LIMIT: u64 = 16 << 20;

/// Directories that never hold an app's own source, wherever they stand.
const PRUNED: &[&str] = &[
    ".bzr",
    ".cache",
    ".git",
    ".gradle",
    ".hg",
    ".idea",
    ".mypy_cache",
    ".next",
    ".nox",
    ".nuxt",
    ".nx",
    ".output",
    ".parcel-cache",
    ".pnpm-store",
    ".pytest_cache",
    ".ruff_cache",
    ".svelte-kit",
    ".svn",
    ".terraform",
    ".tox",
    ".turbo",
    ".venv",
    ".yarn",
    "Pods",
    "__pycache__",
    "__pypackages__",
    "bower_components",
    "node_modules",
];

/// Directories that are build results only beside one of these files.
const PRUNED_BESIDE: &[(&str, &[&str])] = &[
    ("_build", &["mix.exs"]),
    ("bin", &[".csproj", ".fsproj", ".vbproj"]),
    (
        "build",
        &[
            "package.json",
            "build.gradle",
            "build.gradle.kts",
            "setup.py",
        ],
    ),
    ("deps", &["mix.exs"]),
    ("dist", &["package.json", "pyproject.toml", "setup.py"]),
    ("obj", &[".csproj", ".fsproj", ".vbproj"]),
    ("out", &["package.json", "build.gradle", "build.gradle.kts"]),
    (
        "target",
        &["Cargo.toml", "pom.xml", "build.sbt", "project.clj"],
    ),
    (
        "vendor",
        &["go.mod", "composer.json", "Gemfile", "Cargo.toml"],
    ),
];

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

/// Why a file's text is not available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The line that is at fault, from 1.
    pub(crate) line: Option<u64>,
    /// The fact, in the style of an error message.
    pub(crate) message: String,
}

/// The names in one directory, sorted.
#[derive(Debug, Default)]
struct Listing {
    files: Vec<String>,
    dirs: Vec<String>,
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
    texts: Mutex<BTreeMap<String, Result<Arc<str>, Unreadable>>>,
    locks: Mutex<BTreeMap<String, Option<Arc<str>>>>,
}

enum Found {
    Dir(String),
    File(String),
    Skipped(Skipped),
}

impl Repo {
    /// Lists the repository at `path`, honouring `.gitignore` and `.dockerignore` also where there is no `.git`.
    ///
    /// Files that are read later are read from there; links that lead out of it are not followed.
    ///
    /// # Errors
    /// When `path` is no directory or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_keeping(path, &BTreeSet::new())
    }

    /// The same with the files `kept`, relative to `path`, which git keeps although a `.gitignore` names them.
    ///
    /// # Errors
    /// When `path` is no directory or cannot be read.
    pub fn open_keeping(
        path: impl AsRef<Path>,
        kept: &BTreeSet<PathBuf>,
    ) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let root = path.canonicalize().map_err(|source| OpenError::Read {
            path: path.to_owned(),
            source,
        })?;
        if !root.is_dir() {
            return Err(OpenError::NotADirectory {
                path: path.to_owned(),
            });
        }
        std::fs::read_dir(&root).map_err(|source| OpenError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut dirs: BTreeMap<String, Listing> = BTreeMap::new();
        let mut skipped = Vec::new();
        dirs.insert(String::new(), Listing::default());
        for found in walk(&root).into_iter().chain(added(&root, kept)) {
            match found {
                Found::Dir(path) => {
                    let (parent, name) = split(&path);
                    dirs.entry(parent.to_owned())
                        .or_default()
                        .dirs
                        .push(name.to_owned());
                    dirs.entry(path).or_default();
                }
                Found::File(path) => {
                    let (parent, name) = split(&path);
                    dirs.entry(parent.to_owned())
                        .or_default()
                        .files
                        .push(name.to_owned());
                }
                Found::Skipped(part) => skipped.push(part),
            }
        }
        for listing in dirs.values_mut() {
            listing.files.sort_unstable();
            listing.files.dedup();
            listing.dirs.sort_unstable();
            listing.dirs.dedup();
        }
        skipped.sort_unstable();
        Ok(Self {
            root,
            dirs,
            skipped,
            texts: Mutex::default(),
            locks: Mutex::default(),
        })
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

    /// The text of the file at `path`, read once: UTF-8 without a byte order mark, 2 MiB at most.
    pub(crate) fn text(&self, path: &str) -> Result<Arc<str>, Unreadable> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts.get(path) {
            return text.clone();
        }
        let text = self.read(path, TEXT_LIMIT).and_then(|(bytes, whole)| {
            if whole {
                decode(bytes)
            } else {
                Err(unreadable("is larger than 2 MiB"))
            }
        });
        texts.insert(path.to_owned(), text.clone());
        text
    }

    /// The first 16 MiB of a lock file, read once, with what is no UTF-8 replaced: a part of one says enough.
    pub(crate) fn lock(&self, path: &str) -> Option<Arc<str>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = locks.get(path) {
            return text.clone();
        }
        let text = self.read(path, LOCK_LIMIT).ok().map(|(bytes, _)| {
            Arc::from(String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}'))
        });
        locks.insert(path.to_owned(), text.clone());
        text
    }

    fn read(&self, path: &str, limit: u64) -> Result<(Vec<u8>, bool), Unreadable> {
        if !self.has(path) {
            return Err(unreadable("does not exist"));
        }
        let failed = |error: std::io::Error| unreadable(&format!("cannot be read: {error}"));
        let full = self.root.join(path).canonicalize().map_err(failed)?;
        if !full.starts_with(&self.root) {
            return Err(unreadable("is a link that leads out of the repository"));
        }
        // A pipe or a device would block or never end.
        if !full.metadata().map_err(failed)?.is_file() {
            return Err(unreadable("is not a regular file"));
        }
        let mut bytes = Vec::new();
        File::open(&full)
            .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
            .map_err(failed)?;
        let whole = bytes.len() as u64 <= limit;
        bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok((bytes, whole))
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
    pub(crate) fn files(&self) -> &'a [String] {
        &self.listing.files
    }

    /// The names of its directories, sorted.
    pub(crate) fn dirs(&self) -> &'a [String] {
        &self.listing.dirs
    }

    /// The path, relative to the root, of `name` in this directory.
    pub(crate) fn join(&self, name: &str) -> String {
        join(self.path, name)
    }

    /// The text of a file in this directory.
    pub(crate) fn text(&self, name: &str) -> Result<Arc<str>, Unreadable> {
        self.repo.text(&self.join(name))
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

/// `path`, then each path above it; the last one is empty, the root.
pub(crate) fn upwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| (!path.is_empty()).then(|| split(path).0))
}

/// Joins two relative paths; an empty one or `.` adds nothing.
pub(crate) fn join(dir: &str, name: &str) -> String {
    match (dir, name) {
        ("" | ".", name) => name.to_owned(),
        (dir, "" | ".") => dir.to_owned(),
        (dir, name) => format!("{dir}/{name}"),
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

/// Lists everything below `root`, in no order.
fn walk(root: &Path) -> Vec<Found> {
    let docker = Arc::new(DockerIgnore::load(root));
    let (sender, receiver) = mpsc::channel();
    let filter_root = root.to_owned();
    let filter_docker = Arc::clone(&docker);
    WalkBuilder::new(root)
        .standard_filters(false)
        .git_ignore(true)
        .ignore(false)
        .parents(false)
        .require_git(false)
        .hidden(false)
        .follow_links(false)
        .filter_entry(move |entry| {
            let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
            !is_directory
                || entry.depth() == 0
                || is_wanted(entry.path(), &filter_root, &filter_docker)
        })
        .build_parallel()
        .run(|| {
            let sender = sender.clone();
            let docker = Arc::clone(&docker);
            Box::new(move |entry| {
                if let Some(found) = classify(root, &docker, entry) {
                    let _ = sender.send(found); // the receiver outlives the walk
                }
                WalkState::Continue
            })
        });
    drop(sender);
    receiver.into_iter().collect()
}

fn classify(
    root: &Path,
    docker: &DockerIgnore,
    entry: Result<DirEntry, ignore::Error>,
) -> Option<Found> {
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => return skipped_by(root, &error).map(Found::Skipped),
    };
    let relative = entry.path().strip_prefix(root).ok()?;
    if relative.as_os_str().is_empty() {
        return None;
    }
    let Some(path) = relative.to_str() else {
        let path = relative.to_string_lossy().into_owned();
        return Some(Found::Skipped(Skipped {
            path,
            reason: "the name is not UTF-8".to_owned(),
        }));
    };
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return Some(Found::Dir(path.to_owned()));
    }
    if docker.excludes(relative, false) {
        return None;
    }
    if kind.is_file() || (kind.is_symlink() && leads_to_file(root, entry.path())) {
        return Some(Found::File(path.to_owned()));
    }
    None
}

/// The files of `kept`, which the walk may have passed over, with the directories above them.
fn added(root: &Path, kept: &BTreeSet<PathBuf>) -> Vec<Found> {
    let docker = DockerIgnore::load(root);
    let mut directories: BTreeMap<&Path, bool> = BTreeMap::new();
    let mut found = Vec::new();
    for path in kept {
        let is_plain = |part| matches!(part, Component::Normal(name) if name != ".git");
        if !path.components().all(is_plain) || docker.excludes(path, false) {
            continue;
        }
        let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
        above.pop(); // the root
        let is_looked_into = above.iter().rev().all(|directory| {
            *directories.entry(*directory).or_insert_with(|| {
                let full = root.join(directory);
                let metadata = full.symlink_metadata();
                metadata.is_ok_and(|metadata| metadata.is_dir()) && is_wanted(&full, root, &docker)
            })
        });
        let (true, Some(name)) = (is_looked_into, path.to_str()) else {
            continue;
        };
        if leads_to_file(root, &root.join(path)) {
            let above = above.into_iter().rev().filter_map(Path::to_str);
            found.extend(above.map(|path| Found::Dir(path.to_owned())));
            found.push(Found::File(name.to_owned()));
        }
    }
    found
}

fn leads_to_file(root: &Path, path: &Path) -> bool {
    path.canonicalize()
        .is_ok_and(|target| target.starts_with(root) && target.is_file())
}

fn skipped_by(root: &Path, error: &ignore::Error) -> Option<Skipped> {
    match error {
        ignore::Error::WithPath { path, err } => Some(Skipped {
            path: path.strip_prefix(root).ok()?.to_string_lossy().into_owned(),
            reason: format!(
                "cannot be read: {}",
                err.io_error()
                    .map_or_else(|| err.to_string(), ToString::to_string)
            ),
        }),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            skipped_by(root, err)
        }
        _ => None,
    }
}

/// Whether the directory at `path` is looked into.
fn is_wanted(path: &Path, root: &Path, docker: &DockerIgnore) -> bool {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else {
        return false;
    };
    if PRUNED.binary_search(&name).is_ok() || name.starts_with("bazel-") {
        return false;
    }
    // A virtual environment can have any name; this file marks it.
    if path.join("pyvenv.cfg").exists() {
        return false;
    }
    if let Ok(found) = PRUNED_BESIDE.binary_search_by_key(&name, |(name, _)| *name)
        && is_beside(path, PRUNED_BESIDE[found].1)
    {
        // A build result has no manifest of its own; a service that is called `build` has one.
        return holds_manifest(path);
    }
    path.strip_prefix(root)
        .is_ok_and(|relative| !docker.excludes(relative, true))
}

fn holds_manifest(path: &Path) -> bool {
    ["package.json", "pyproject.toml", "go.mod", "Cargo.toml"]
        .iter()
        .any(|name| path.join(name).exists())
        && path
            .file_name()
            .is_some_and(|name| name != "vendor" && name != "target")
}

fn is_beside(path: &Path, names: &[&str]) -> bool {
    let Some(parent) = path.parent() else {
        return false;
    };
    names.iter().any(|name| {
        if !name.starts_with('.') {
            return parent.join(name).exists();
        }
        parent.read_dir().is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().ends_with(name))
        })
    })
}

/// The `.dockerignore` of the root: its patterns are rooted there, unlike those of a `.gitignore`.
#[derive(Debug)]
struct DockerIgnore {
    patterns: Gitignore,
    has_exceptions: bool,
}

impl DockerIgnore {
    fn load(root: &Path) -> Self {
        let mut builder = GitignoreBuilder::new(root);
        let mut has_exceptions = false;
        let path = root.join(".dockerignore");
        // Opening a pipe would block.
        let is_file = path
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_file());
        let mut text = Vec::new();
        if is_file && let Ok(file) = File::open(&path) {
            let _ = file.take(TEXT_LIMIT).read_to_end(&mut text); // what was read before an error counts
        }
        for line in String::from_utf8_lossy(&text).lines() {
            let line = line.trim().trim_start_matches('\u{feff}');
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (bang, pattern) = match line.strip_prefix('!') {
                Some(pattern) => ("!", pattern.trim()),
                None => ("", line),
            };
            has_exceptions |= !bang.is_empty();
            let pattern = pattern.trim_start_matches("./").trim_matches('/');
            if pattern.is_empty() || pattern == "." {
                continue;
            }
            let _ = builder.add_line(None, &format!("{bang}/{pattern}")); // a pattern that is none excludes nothing
        }
        Self {
            patterns: builder.build().unwrap_or_else(|_| Gitignore::empty()),
            has_exceptions,
        }
    }

    fn excludes(&self, relative: &Path, is_dir: bool) -> bool {
        // What lies below an excluded directory may be taken back by an exception.
        if self.patterns.is_empty() || (is_dir && self.has_exceptions) {
            return false;
        }
        self.patterns
            .matched_path_or_any_parents(relative, is_dir)
            .is_ignore()
    }
}
