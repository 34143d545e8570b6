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

#[cfg(test)]
mod tests {
    use super::super::package::PackageInfo;
    use super::*;

    fn pinned() -> Pinned {
        Verified {
            sha256: Digest::of(b"foo"),
            size: 3,
            info: PackageInfo {
                name: "foo".to_owned(),
                ..PackageInfo::default()
            },
            entries: Vec::new(),
            sbom: Some(b"{}\xff".to_vec()),
            leftovers: vec![".PKGINFO".to_owned()],
        }
    }

    #[test]
    fn what_was_put_is_got() {
        let directory = tempfile::tempdir().unwrap();
        let pins = Pins::new(&directory.path().join("new"));
        let identity = Identity::from_bytes([7; 20]);
        assert_eq!(pins.get(&identity), None);
        pins.put(&identity, &pinned()).unwrap();
        pins.put(&identity, &pinned()).unwrap();
        assert_eq!(pins.get(&identity), Some(pinned()));
        assert_eq!(pins.get(&Identity::from_bytes([8; 20])), None);
    }

    #[test]
    fn a_damaged_file_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let pins = Pins::new(directory.path());
        let identity = Identity::from_bytes([7; 20]);
        pins.put(&identity, &pinned()).unwrap();
        let path = pins.path(&identity);
        let bytes = fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            assert_eq!(pins.get(&identity), None, "{length} bytes");
        }
    }

    #[test]
    fn no_temporary_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let pins = Pins::new(directory.path());
        pins.put(&Identity::default(), &pinned()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
