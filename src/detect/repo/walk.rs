//! The one walk over a repository: several threads, and the kinds of entries from the directories themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::io;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use compact_str::CompactString;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, openat, statat};

use super::ignored::{DockerIgnore, Ignores};
use super::{Skipped, join};

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

/// A virtual environment can have any name; this file marks it.
const ENVIRONMENT: &str = "pyvenv.cfg";

/// A build result has no manifest of its own; a service that is called `build` has one.
const OWN_MANIFESTS: &[&str] = &["package.json", "pyproject.toml", "go.mod", "Cargo.toml"];

/// The longest path that is followed, in bytes: about what the system takes.
const LONGEST: usize = 4000;

/// As many directories that wait are worth a second thread.
const WORTH_A_THREAD: usize = 16;

/// More threads gain nothing: the file system's locks are what they wait for.
const MOST_THREADS: usize = 8;

/// Bytes of entries that are read at once.
const BUFFER: usize = 32 << 10;

/// The names in one directory, sorted.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: Vec<Name>,
    pub(super) dirs: Vec<Name>,
}

/// The name of an entry: most are short enough to need no memory of their own.
pub(crate) type Name = CompactString;

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) dirs: BTreeMap<String, Listing>,
    pub(super) skipped: Vec<Skipped>,
    /// Whether something was left out because of a `.gitignore`.
    pub(super) has_ignored: bool,
}

/// Lists everything below `root`, an absolute path without links that `handle` stands for, with `threads` threads at most.
pub(super) fn walk(root: &Path, handle: &OwnedFd, threads: Option<NonZero<usize>>) -> Walked {
    let shared = Shared {
        root,
        handle,
        docker: DockerIgnore::load(root),
        given: Mutex::default(),
        changed: Condvar::new(),
        threads: AtomicUsize::new(1),
        idle: AtomicUsize::new(0),
    };
    let mut first = Worker::new(&shared);
    first.waiting.push(Job {
        path: String::new(),
        ignores: Ignores::default(),
    });
    // Most repositories are small: a thread takes longer to start, and to ask how many there may be, than they take to list.
    first.work(WORTH_A_THREAD);
    if first.waiting.is_empty() {
        return merge(vec![first]);
    }
    let threads = threads.or_else(|| thread::available_parallelism().ok());
    let threads = threads.map_or(1, NonZero::get).min(MOST_THREADS);
    shared.threads.store(threads, Ordering::Relaxed);
    let mut workers = thread::scope(|scope| {
        let run = |_| {
            scope.spawn(|| {
                let mut worker = Worker::new(&shared);
                worker.share();
                worker
            })
        };
        let others: Vec<_> = (1..threads).map(run).collect();
        first.share();
        let others = others.into_iter().filter_map(|other| other.join().ok());
        others.collect::<Vec<_>>()
    });
    workers.push(first);
    merge(workers)
}

fn merge(workers: Vec<Worker<'_>>) -> Walked {
    let mut walked = Walked::default();
    let mut listed = Vec::new();
    for worker in workers {
        listed.extend(worker.listed);
        walked.skipped.extend(worker.skipped);
        walked.has_ignored |= worker.has_ignored;
    }
    walked.skipped.sort_unstable();
    listed.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let paths: Vec<String> = listed.iter().map(|(path, _)| path.clone()).collect();
    walked.dirs = listed.into_iter().collect();
    // In the order of the paths, the names of each directory come sorted.
    for path in paths.iter().filter(|path| !path.is_empty()) {
        let (parent, name) = super::split(path);
        if let Some(parent) = walked.dirs.get_mut(parent) {
            parent.dirs.push(Name::new(name));
        }
    }
    for listing in walked.dirs.values_mut() {
        listing.dirs.sort_unstable();
    }
    walked
}

/// What the threads have in common.
struct Shared<'a> {
    root: &'a Path,
    handle: &'a OwnedFd,
    docker: DockerIgnore,
    /// Directories that threads gave away.
    given: Mutex<Vec<Vec<Job>>>,
    changed: Condvar,
    threads: AtomicUsize,
    /// The threads that have no directory left.
    idle: AtomicUsize,
}

impl Shared<'_> {
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<Job>>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, jobs: Vec<Job>) {
        self.lock().push(jobs);
        self.changed.notify_one();
    }

    /// Waits for directories; nothing once all threads wait for some.
    fn take(&self) -> Option<Vec<Job>> {
        let mut given = self.lock();
        let idle = self.idle.fetch_add(1, Ordering::Relaxed) + 1;
        if idle == self.threads.load(Ordering::Relaxed) && given.is_empty() {
            self.changed.notify_all();
            return None;
        }
        loop {
            if let Some(jobs) = given.pop() {
                self.idle.fetch_sub(1, Ordering::Relaxed);
                return Some(jobs);
            }
            if self.idle.load(Ordering::Relaxed) == self.threads.load(Ordering::Relaxed) {
                return None;
            }
            let changed = self.changed.wait(given);
            given = changed.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A directory to be listed.
struct Job {
    path: String,
    /// What the directories above it ignore.
    ignores: Ignores,
}

struct Worker<'a> {
    shared: &'a Shared<'a>,
    /// The directories that it is to list next, the last one first.
    waiting: Vec<Job>,
    buffer: Vec<u8>,
    listed: Vec<(String, Listing)>,
    skipped: Vec<Skipped>,
    has_ignored: bool,
}

/// An entry of a directory: a regular file, a link, a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    File,
    Link,
    Directory,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared<'a>) -> Self {
        Self {
            shared,
            waiting: Vec::new(),
            buffer: Vec::with_capacity(BUFFER),
            listed: Vec::new(),
            skipped: Vec::new(),
            has_ignored: false,
        }
    }

    /// Lists directories until none is left, or until `enough` of its own wait.
    fn work(&mut self, enough: usize) {
        while self.waiting.len() < enough {
            let Some(job) = self.waiting.pop() else {
                return;
            };
            self.list(job);
        }
    }

    /// Lists directories until no thread has one left.
    fn share(&mut self) {
        loop {
            while let Some(job) = self.waiting.pop() {
                self.list(job);
                // Those nearest to the root have most below them.
                if self.shared.idle.load(Ordering::Relaxed) > 0 && self.waiting.len() > 1 {
                    let half = self.waiting.drain(..self.waiting.len() / 2).collect();
                    self.shared.give(half);
                }
            }
            let Some(more) = self.shared.take() else {
                return;
            };
            self.waiting = more;
        }
    }

    fn list(&mut self, job: Job) {
        let Some(entries) = self.entries(&job.path) else {
            return;
        };
        let is_environment = entries.iter().any(|(name, _)| name == ENVIRONMENT);
        if is_environment && !job.path.is_empty() {
            return;
        }
        let gitignore = entries
            .iter()
            .any(|(name, kind)| name == ".gitignore" && *kind == Entry::File);
        let ignores = if gitignore {
            job.ignores.with(self.shared.root, &job.path)
        } else {
            job.ignores
        };
        let results: Vec<bool> = entries
            .iter()
            .map(|(name, kind)| {
                *kind == Entry::Directory && self.is_result(&job.path, name, &entries)
            })
            .collect();
        let mut listing = Listing::default();
        let mut path = join(&job.path, "");
        if !path.is_empty() {
            path.push('/');
        }
        let dir = path.len();
        for ((name, kind), is_result) in entries.into_iter().zip(results) {
            path.truncate(dir);
            path.push_str(&name);
            let is_dir = kind == Entry::Directory;
            if is_result || self.shared.docker.excludes(&path, is_dir) {
                continue;
            }
            if ignores.excludes(&path, is_dir) {
                self.has_ignored = true;
                continue;
            }
            match kind {
                Entry::Directory if path.len() <= LONGEST => self.waiting.push(Job {
                    path: path.clone(),
                    ignores: ignores.clone(),
                }),
                Entry::Directory => self.skipped.push(Skipped {
                    path: path.clone(),
                    reason: "its path is too long".to_owned(),
                }),
                Entry::Link if !leads_to_file(self.shared.root, &path) => {}
                Entry::Link | Entry::File => listing.files.push(name),
            }
        }
        listing.files.sort_unstable();
        self.listed.push((job.path, listing));
    }

    /// What the directory at `path` holds; nothing where it vanished, or became something else.
    fn entries(&mut self, path: &str) -> Option<Vec<(Name, Entry)>> {
        match self.read(path) {
            Ok(entries) => Some(entries),
            Err(error) if is_gone(&error) => None,
            Err(error) => {
                self.skipped.push(Skipped {
                    path: path.to_owned(),
                    reason: format!("cannot be read: {error}"),
                });
                self.listed.push((path.to_owned(), Listing::default()));
                None
            }
        }
    }

    /// Whether the directory `name` among the `entries` of `dir` is not looked into.
    fn is_result(&self, dir: &str, name: &str, entries: &[(Name, Entry)]) -> bool {
        let stands_beside = |manifest: &str| {
            let mut names = entries.iter().map(|(entry, _)| entry.as_str());
            names.any(|entry| is_manifest(entry, manifest))
        };
        is_pruned(name)
            || (is_beside(name, &stands_beside)
                && !holds_manifest(&self.shared.root.join(join(dir, name)), name))
    }

    fn read(&mut self, path: &str) -> io::Result<Vec<(Name, Entry)>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let at = if path.is_empty() { "." } else { path };
        let directory = openat(self.shared.handle, at, flags, Mode::empty())?;
        let mut entries = Vec::new();
        let mut raw = RawDir::new(&directory, self.buffer.spare_capacity_mut());
        while let Some(entry) = raw.next() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Some(kind) = kind(&directory, name, entry.file_type()) else {
                continue;
            };
            match name.to_str() {
                Ok(name) => entries.push((Name::new(name), kind)),
                Err(_) => self.skipped.push(Skipped {
                    path: join(path, &name.to_string_lossy()),
                    reason: "the name is not UTF-8".to_owned(),
                }),
            }
        }
        Ok(entries)
    }
}

/// What an entry is; nothing for what is neither a file nor a directory nor a link.
fn kind(directory: &OwnedFd, name: &CStr, told: FileType) -> Option<Entry> {
    // Not every file system tells.
    let kind = if told == FileType::Unknown {
        let found = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        FileType::from_raw_mode(found.st_mode)
    } else {
        told
    };
    match kind {
        FileType::RegularFile => Some(Entry::File),
        FileType::Directory => Some(Entry::Directory),
        FileType::Symlink => Some(Entry::Link),
        _ => None,
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    ) || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

fn is_pruned(name: &str) -> bool {
    PRUNED.binary_search(&name).is_ok() || name.starts_with("bazel-")
}

/// Whether a directory of this name is a build result, by what stands beside it.
fn is_beside(name: &str, stands_beside: &dyn Fn(&str) -> bool) -> bool {
    let found = PRUNED_BESIDE.binary_search_by_key(&name, |(name, _)| *name);
    found.is_ok_and(|found| {
        let mut manifests = PRUNED_BESIDE[found].1.iter();
        manifests.any(|manifest| stands_beside(manifest))
    })
}

/// Whether a file is the manifest of this name, or of this ending where that begins with a dot.
fn is_manifest(file: &str, manifest: &str) -> bool {
    if manifest.starts_with('.') {
        file.ends_with(manifest)
    } else {
        file == manifest
    }
}

fn holds_manifest(path: &Path, name: &str) -> bool {
    let mut own = OWN_MANIFESTS.iter();
    name != "vendor" && name != "target" && own.any(|name| path.join(name).exists())
}

fn leads_to_file(root: &Path, path: &str) -> bool {
    let target = root.join(path).canonicalize();
    target.is_ok_and(|target| target.starts_with(root) && target.is_file())
}

/// The files of `kept`, relative to `root`, that the walk would have found but for a `.gitignore`, with the directories
/// above each, from the root on.
pub(super) fn kept<'a>(
    root: &Path,
    kept: &'a BTreeSet<PathBuf>,
) -> impl Iterator<Item = (Vec<&'a str>, &'a str)> {
    let docker = DockerIgnore::load(root);
    let mut directories: BTreeMap<&Path, bool> = BTreeMap::new();
    kept.iter().filter_map(move |path| {
        let is_plain = |part| matches!(part, Component::Normal(name) if name != ".git");
        let name = path.to_str()?;
        if !path.components().all(is_plain) || docker.excludes(name, false) {
            return None;
        }
        let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
        above.pop(); // the root
        let is_looked_into = above.iter().rev().all(|directory| {
            let known = directories.entry(directory);
            *known.or_insert_with(|| is_looked_into(root, directory, &docker))
        });
        let above = above.into_iter().rev().filter_map(Path::to_str).collect();
        (is_looked_into && leads_to_file(root, name)).then_some((above, name))
    })
}

/// Whether the walk descends into the directory at `path`, seen from above.
fn is_looked_into(root: &Path, path: &Path, docker: &DockerIgnore) -> bool {
    let full = root.join(path);
    let (Some(relative), Some(name), Some(parent)) = (
        path.to_str(),
        path.file_name().and_then(|name| name.to_str()),
        full.parent(),
    ) else {
        return false;
    };
    let stands_beside = |manifest: &str| {
        if !manifest.starts_with('.') {
            return parent.join(manifest).exists();
        }
        let names = parent.read_dir().into_iter().flatten().flatten();
        let mut names = names.map(|entry| entry.file_name());
        names.any(|name| is_manifest(&name.to_string_lossy(), manifest))
    };
    let metadata = full.symlink_metadata();
    metadata.is_ok_and(|metadata| metadata.is_dir())
        && !is_pruned(name)
        && !full.join(ENVIRONMENT).exists()
        && !docker.excludes(relative, true)
        && (!is_beside(name, &stands_beside) || holds_manifest(&full, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_as_they_are_searched() {
        assert!(PRUNED.is_sorted());
        assert!(PRUNED_BESIDE.is_sorted_by_key(|(name, _)| name));
    }
}
