//! What `.gitignore` and `.dockerignore` leave out.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{TEXT_LIMIT, join};

/// The `.gitignore` files of a directory and of those above it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ignores(Option<Arc<Level>>);

#[derive(Debug)]
struct Level {
    patterns: Gitignore,
    above: Ignores,
}

impl Ignores {
    /// These, and the file in the directory at `dir`, relative to `root`.
    pub(super) fn with(self, root: &Path, dir: &str) -> Self {
        let mut builder = GitignoreBuilder::new(dir);
        let text = text(&root.join(join(dir, ".gitignore")));
        for line in text.lines() {
            let _ = builder.add_line(None, line); // a pattern that is none ignores nothing
        }
        match builder.build() {
            Ok(patterns) if !patterns.is_empty() => Self(Some(Arc::new(Level {
                patterns,
                above: self,
            }))),
            _ => self,
        }
    }

    /// Whether the entry at `path`, relative to the root, is ignored: the nearest file that says something decides.
    ///
    /// What lies below an ignored directory is not asked for.
    pub(super) fn excludes(&self, path: &str, is_dir: bool) -> bool {
        let mut next = self;
        while let Some(level) = &next.0 {
            match level.patterns.matched(path, is_dir) {
                Match::None => next = &level.above,
                found => return found.is_ignore(),
            }
        }
        false
    }
}

/// The `.dockerignore` of the root: its patterns are rooted there, unlike those of a `.gitignore`.
#[derive(Debug)]
pub(super) struct DockerIgnore {
    patterns: Gitignore,
    has_exceptions: bool,
}

impl DockerIgnore {
    pub(super) fn load(root: &Path) -> Self {
        let mut builder = GitignoreBuilder::new("");
        let mut has_exceptions = false;
        for line in text(&root.join(".dockerignore")).lines() {
            let line = line.trim();
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

    /// Whether the entry at `path`, relative to the root, is left out.
    pub(super) fn excludes(&self, path: &str, is_dir: bool) -> bool {
        // What lies below an excluded directory may be taken back by an exception.
        if self.patterns.is_empty() || (is_dir && self.has_exceptions) {
            return false;
        }
        self.patterns
            .matched_path_or_any_parents(path, is_dir)
            .is_ignore()
    }
}

/// The beginning of an ignore file, without a byte order mark; nothing where it is no regular file.
fn text(path: &Path) -> String {
    // Opening a pipe would block.
    let metadata = path.symlink_metadata();
    let mut bytes = Vec::new();
    if metadata.is_ok_and(|metadata| metadata.is_file())
        && let Ok(file) = File::open(path)
    {
        let _ = file.take(TEXT_LIMIT).read_to_end(&mut bytes); // what was read before an error counts
    }
    let text = String::from_utf8_lossy(&bytes);
    text.trim_start_matches('\u{feff}').to_owned()
}
