//! The files of the repository that tell what an app is made of.

use std::path::Path;

use crate::image::Plan;
use crate::sbom::lockfile::{self, Kind, Selector};
use crate::sbom::{Evidence, Library};

const LARGEST: u64 = 64 << 20;
// The repository in the build stage.
const STAGE: &str = "/src";

/// The repository and the app in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sources<'a> {
    pub(super) repository: &'a Path,
    pub(super) plan: &'a Plan<'a>,
}

/// A file that was found in a directory or above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nearest {
    /// Its path in the repository.
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
    /// The directory that it was looked for in, from the one it lies in.
    pub(super) below: String,
}

impl Nearest {
    /// The kind of lock file that it is, if it is one.
    pub(super) fn kind(&self) -> Option<Kind> {
        Kind::of(self.path.rsplit('/').next().unwrap_or(&self.path))
    }

    /// What it locks, or why it cannot be told.
    pub(super) fn libraries(&self, selector: &Selector<'_>) -> Result<Vec<Library>, String> {
        let Some(kind) = self.kind() else {
            return Ok(Vec::new());
        };
        let libraries = lockfile::read(kind, &self.bytes, selector)
            .map_err(|error| format!("the SBOM lacks what `{}` locks: {error}", self.path))?;
        let evidence = Evidence::Locked(self.path.clone());
        let locked = |library: Library| library.with(evidence.clone());
        Ok(libraries.into_iter().map(locked).collect())
    }
}

impl Sources<'_> {
    /// The app's directory; the root's is empty.
    pub(super) fn app(&self) -> &str {
        match self.plan.path.trim_matches('/') {
            "." => "",
            path => path,
        }
    }

    /// The bytes of a file of the repository.
    pub(super) fn read(&self, path: &str) -> Option<Vec<u8>> {
        let path = self.repository.join(path);
        let is_small = path
            .symlink_metadata()
            .is_ok_and(|file| file.is_file() && file.len() <= LARGEST);
        is_small.then(|| std::fs::read(path).ok()).flatten()
    }

    /// The first of `names` in a directory of the repository or the nearest one above it.
    pub(super) fn nearest(&self, directory: &str, names: &[&str]) -> Option<Nearest> {
        let mut above = directory;
        loop {
            for name in names {
                let path = join(above, name);
                if let Some(bytes) = self.read(&path) {
                    let below = directory[above.len()..].trim_matches('/').to_owned();
                    return Some(Nearest { path, bytes, below });
                }
            }
            if above.is_empty() {
                return None;
            }
            above = above.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }
}

/// A path below a directory of the repository.
pub(super) fn join(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_owned(),
        _ => format!("{directory}/{name}"),
    }
}

/// The directory of the repository that lies at `path` in the build stage.
pub(super) fn in_repository(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(STAGE)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/'))
}
