//! What of a directory is worth looking at, before any transfer asks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, FileType};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use ignore::WalkBuilder;

use super::glob::GlobError;
use super::patterns::Patterns;

/// The largest `.dockerignore` that is read, in bytes.
const MAX_IGNORE_FILE: u64 = 1 << 20;

/// Which files of a directory a [`Listing`](super::Listing) holds.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    skips_git: bool,
    excluded: Patterns,
    left_out: Vec<PathBuf>,
    kept: BTreeSet<PathBuf>,
}

/// An ignore file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The file exists but cannot be read as text.
    #[error("cannot read `{path}`")]
    Read {
        /// The ignore file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than any that was meant as one.
    #[error("`{path}` has more than {MAX_IGNORE_FILE} bytes")]
    TooLarge {
        /// The ignore file.
        path: PathBuf,
    },
    /// A line of the file is no pattern.
    #[error("`{path}` has a pattern that means nothing")]
    Pattern {
        /// The ignore file.
        path: PathBuf,
        /// Which one.
        source: GlobError,
    },
}

impl Filter {
    /// Takes every file.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Takes what belongs to the sources in `root`: everything but `.git`, what the `.gitignore` files in `root` and
    /// below say, and what `.dockerignore` in `root` says.
    ///
    /// The machine's own git settings and ignore files above `root` have no say, nor has its umask: every file is sent with
    /// the mode that git keeps, so that everybody sends the same.
    ///
    /// # Errors
    ///
    /// The `.dockerignore` file cannot be read or has a malformed pattern. (Malformed lines of `.gitignore` are
    /// passed over, as git does.)
    pub fn for_context(root: &Path) -> Result<Self, FilterError> {
        let path = root.join(".dockerignore");
        let excluded = match read(&path)? {
            Some(text) => Patterns::dockerignore(&text)
                .map_err(|source| FilterError::Pattern { path, source })?,
            None => Patterns::default(),
        };
        Ok(Self {
            skips_git: true,
            excluded,
            ..Self::default()
        })
    }

    /// Leaves out the file or directory at `path`, which is given as the walk will meet it: below the root that is listed.
    #[must_use]
    pub fn without(mut self, path: impl Into<PathBuf>) -> Self {
        self.left_out.push(path.into());
        self
    }

    /// Takes the files at `paths`, relative to the root that is listed, although a `.gitignore` names them: git keeps those
    /// that were added all the same.
    #[must_use]
    pub fn keeping(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        self.kept.extend(paths);
        self
    }

    /// What the walk of `root` may have passed over: the files that are kept and the directories above them, in the
    /// protocol's order.
    pub(super) fn kept(&self, root: &Path) -> Vec<PathBuf> {
        let mut found = BTreeSet::new();
        let mut directories = BTreeMap::new();
        for path in &self.kept {
            let is_plain = |part| matches!(part, Component::Normal(name) if name != ".git");
            let full = root.join(path);
            let is_left_out = self.left_out.iter().any(|out| full.starts_with(out));
            if is_left_out || !path.components().all(is_plain) {
                continue;
            }
            // A link to a directory is not followed, as little as the walk does it.
            let above: Vec<&Path> = path.ancestors().skip(1).collect();
            let mut top_down = above
                .iter()
                .rev()
                .filter(|path| !path.as_os_str().is_empty());
            let is_reached = top_down.all(|directory| {
                let known = directories.entry(directory.to_path_buf());
                *known.or_insert_with(|| {
                    kind(&root.join(directory)).is_some_and(|kind| kind.is_dir())
                })
            });
            if is_reached && kind(&full).is_some_and(|kind| !kind.is_dir()) {
                found.extend(path.ancestors().map(Path::to_path_buf));
            }
        }
        found.remove(Path::new(""));
        found.into_iter().collect()
    }

    /// Whether what is listed are sources, of which git keeps no more than whether a file is executable.
    pub(super) fn is_for_sources(&self) -> bool {
        self.skips_git
    }

    pub(super) fn excluded(&self) -> &Patterns {
        &self.excluded
    }

    /// A walk of `root` in the protocol's order.
    pub(super) fn walk(&self, root: &Path) -> ignore::Walk {
        let mut builder = WalkBuilder::new(root);
        builder
            .standard_filters(false)
            .sort_by_file_name(std::ffi::OsStr::cmp)
            .git_ignore(self.skips_git)
            .require_git(false);
        let Self {
            skips_git,
            excluded,
            left_out,
            kept: _,
        } = self.clone();
        let base = root.to_path_buf();
        builder.filter_entry(move |entry| {
            if skips_git && entry.file_name() == ".git" && entry.depth() > 0 {
                return false;
            }
            if left_out.iter().any(|path| path == entry.path()) {
                return false;
            }
            let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
            if !is_directory {
                return true;
            }
            let relative = entry.path().strip_prefix(&base).ok().and_then(Path::to_str);
            match relative {
                Some(path) if !path.is_empty() => {
                    !excluded.matches(path) || excluded.may_except_below(path)
                }
                _ => true,
            }
        });
        builder.build()
    }
}

fn kind(path: &Path) -> Option<FileType> {
    fs::symlink_metadata(path)
        .ok()
        .map(|metadata| metadata.file_type())
}

fn read(path: &Path) -> Result<Option<String>, FilterError> {
    let failed = |source| FilterError::Read {
        path: path.to_path_buf(),
        source,
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_IGNORE_FILE + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > MAX_IGNORE_FILE {
        return Err(FilterError::TooLarge {
            path: path.to_path_buf(),
        });
    }
    Ok(Some(text))
}
