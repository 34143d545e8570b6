//! What is remembered about packages that were verified once.

use std::fs;
use std::io;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::oci::Digest;

use super::identity::Identity;
use super::package::Verified;

/// What is remembered about a package: all that its verification found.
pub type Pinned = Verified;

/// A directory of the user with one file per verified package.
///
/// Who can write to it can make peelbox trust other bytes than the verified ones, as with any cache of results.
#[derive(Clone, Debug)]
pub struct Pins {
    directory: PathBuf,
}

impl Pins {
    /// Uses `directory`, which is made when the first package is remembered.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// What is remembered about the package of this identity; nothing if its file is missing or damaged.
    #[must_use]
    pub fn get(&self, identity: &Identity) -> Option<Pinned> {
        let bytes = fs::read(self.path(identity)).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (sum, body) = (&bytes[..end], &bytes[end + 1..]);
        let is_whole = sum == Digest::of(body).to_string().as_bytes();
        serde_json::from_slice(body).ok().filter(|_| is_whole)
    }

    /// Remembers a package. The file appears whole or not at all, also when several processes write it.
    ///
    /// # Errors
    ///
    /// The directory or the file cannot be written.
    pub fn put(&self, identity: &Identity, pinned: &Pinned) -> io::Result<()> {
        let body = serde_json::to_vec(pinned)?;
        let mut bytes = Digest::of(&body).to_string().into_bytes();
        bytes.push(b'\n');
        bytes.extend(body);
        write_whole(&self.path(identity), &bytes)
    }

    fn path(&self, identity: &Identity) -> PathBuf {
        self.directory.join(format!("{}.json", identity.hex()))
    }
}

/// Writes a file under a temporary name beside it and renames it, making its directory if needed.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}
