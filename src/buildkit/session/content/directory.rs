//! An image layout in a directory that grows: where local caches lie.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::json;
use tempfile::NamedTempFile;

use crate::oci::{Blob, Descriptor, Digest, Hasher, Index, media_type};

/// A directory that takes blobs, and names some of them in its `index.json`.
///
/// Blobs stay where they are when no name leads to them any more.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    // `index.json` is read, changed and written back.
    index: Mutex<()>,
}

const NAME: &str = "org.opencontainers.image.ref.name";
const INDEX: &str = "index.json";
const LAYOUT: &str = "oci-layout";
// Where containerd has blobs that are not whole yet.
const INGEST: &str = "ingest";
const LARGEST_INDEX: u64 = 4 << 20;

impl Directory {
    /// The store at `path`, which need not be there before something is written.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            index: Mutex::default(),
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The blob with this digest; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn blob(&self, digest: Digest) -> io::Result<Option<Blob>> {
        Blob::of(&self.path, digest)
    }

    /// What is named `tag`; `None` where nothing is.
    ///
    /// # Errors
    /// When `index.json` cannot be read or is none.
    pub fn find(&self, tag: &str) -> io::Result<Option<Descriptor>> {
        let manifests = self.read()?.manifests.into_iter();
        let mut named = manifests.filter(|descriptor| is_named(descriptor, tag));
        Ok(named.next())
    }

    /// Names a blob `tag`, which until now may have been the name of another one.
    ///
    /// # Errors
    /// When the store does not have the blob, or cannot be written to.
    pub fn name(&self, mut descriptor: Descriptor, tag: &str) -> io::Result<()> {
        let _guard = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let size = self.blob(descriptor.digest)?.map(|blob| blob.size());
        if size != Some(descriptor.size) {
            let digest = descriptor.digest;
            let text = format!("it has no blob {digest} of {} bytes", descriptor.size);
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        let mut index = self.read()?;
        index.manifests.retain(|known| !is_named(known, tag));
        descriptor
            .annotations
            .insert(NAME.to_owned(), tag.to_owned());
        index.manifests.push(descriptor);
        self.put(
            LAYOUT,
            json!({"imageLayoutVersion": "1.0.0"})
                .to_string()
                .as_bytes(),
        )?;
        self.put(INDEX, serde_json::to_string(&index)?.as_bytes())?;
        let _ = std::fs::remove_dir(self.path.join(INGEST)); // somebody may still write
        Ok(())
    }

    fn read(&self) -> io::Result<Index> {
        let path = self.path.join(INDEX);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() > LARGEST_INDEX => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{INDEX} has more than {} MiB", LARGEST_INDEX >> 20),
            )),
            Ok(_) => Ok(serde_json::from_slice(&std::fs::read(&path)?)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Index {
                schema_version: 2,
                media_type: Some(media_type::INDEX.to_owned()),
                manifests: Vec::new(),
                annotations: std::collections::BTreeMap::new(),
            }),
            Err(error) => Err(error),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(&self.path)?;
        file.write_all(bytes)?;
        keep(file, &self.path.join(name))
    }

    /// Starts a blob; it is in the store once it is committed.
    pub(super) fn create(&self) -> io::Result<Writer> {
        let blobs = self.path.join("blobs/sha256");
        std::fs::create_dir_all(&blobs)?;
        let ingest = self.path.join(INGEST);
        std::fs::create_dir_all(&ingest)?;
        Ok(Writer {
            file: NamedTempFile::new_in(ingest)?,
            hasher: Hasher::new(),
            length: 0,
            blobs,
        })
    }
}

fn is_named(descriptor: &Descriptor, tag: &str) -> bool {
    descriptor
        .annotations
        .get(NAME)
        .is_some_and(|name| name == tag)
}

// A temporary file is its owner's alone; a cache may be shared.
fn keep(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file()
        .set_permissions(Permissions::from_mode(0o644))?;
    file.persist(path)?;
    Ok(())
}

/// A blob that is being written.
pub(super) struct Writer {
    file: NamedTempFile,
    hasher: Hasher,
    length: u64,
    blobs: PathBuf,
}

/// A blob that is not what was said of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("the blob has {actual} bytes instead of {expected}")]
    Size { expected: u64, actual: u64 },
    #[error("the blob has the digest {actual} instead of {expected}")]
    Digest { expected: Digest, actual: Digest },
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Writer {
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The digest of what was written so far.
    pub(super) fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Begins again.
    pub(super) fn reset(&mut self) -> io::Result<()> {
        let file: &mut File = self.file.as_file_mut();
        file.set_len(0)?;
        io::Seek::rewind(file)?;
        self.hasher = Hasher::new();
        self.length = 0;
        Ok(())
    }

    /// Keeps the blob under its digest, if size and digest are those that are expected.
    pub(super) fn commit(
        self,
        size: Option<u64>,
        digest: Option<Digest>,
    ) -> Result<Digest, WriteError> {
        let (actual, length) = (self.digest(), self.length);
        if let Some(expected) = size.filter(|expected| *expected != length) {
            return Err(WriteError::Size {
                expected,
                actual: length,
            });
        }
        if let Some(expected) = digest.filter(|expected| *expected != actual) {
            return Err(WriteError::Digest { expected, actual });
        }
        keep(self.file, &self.blobs.join(actual.hex()))?;
        Ok(actual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(directory: &Directory, bytes: &[u8]) -> Descriptor {
        let mut writer = directory.create().unwrap();
        writer.write(bytes).unwrap();
        let digest = writer.commit(None, None).unwrap();
        Descriptor {
            media_type: media_type::INDEX.to_owned(),
            digest,
            size: bytes.len() as u64,
            platform: None,
            artifact_type: None,
            annotations: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn a_blob_that_is_not_the_expected_one_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("cache"));
        let mut writer = directory.create().unwrap();
        writer.write(b"abc").unwrap();
        let error = writer.commit(Some(4), None).unwrap_err();
        assert_eq!(error.to_string(), "the blob has 3 bytes instead of 4");
        let mut writer = directory.create().unwrap();
        writer.write(b"abc").unwrap();
        let other = Digest::of(b"other");
        assert!(writer.commit(None, Some(other)).is_err());
        assert!(directory.blob(other).unwrap().is_none());
        assert!(directory.blob(Digest::of(b"abc")).unwrap().is_none());
        let left = std::fs::read_dir(folder.path().join("cache/ingest")).unwrap();
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn a_write_that_begins_again_forgets_what_came_before() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().to_owned());
        let mut writer = directory.create().unwrap();
        writer.write(b"nonsense").unwrap();
        writer.reset().unwrap();
        writer.write(b"abc").unwrap();
        let digest = writer.commit(Some(3), Some(Digest::of(b"abc"))).unwrap();
        assert_eq!(directory.blob(digest).unwrap().unwrap().size(), 3);
    }

    #[test]
    fn a_name_leads_to_the_last_blob_that_got_it() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().to_owned());
        assert_eq!(directory.find("latest").unwrap(), None);
        let (one, two) = (written(&directory, b"1"), written(&directory, b"22"));
        directory.name(one.clone(), "latest").unwrap();
        directory.name(one.clone(), "other").unwrap();
        directory.name(two.clone(), "latest").unwrap();
        let found = |tag| directory.find(tag).unwrap().unwrap().digest;
        assert_eq!((found("latest"), found("other")), (two.digest, one.digest));
        assert!(folder.path().join(LAYOUT).is_file());
    }

    #[test]
    fn what_is_not_there_gets_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().to_owned());
        let mut descriptor = written(&directory, b"1");
        descriptor.digest = Digest::of(b"2");
        let error = directory.name(descriptor, "latest").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
