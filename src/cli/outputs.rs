//! The files of an app: where they go, and what is read back from the archive.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::oci::{Archive, ArchivedImage, Digest, Hasher, Platform};
use crate::report::{Artifact, Kind};

use super::failure::Failure;
use super::write;

/// The files of one app in the output directory.
#[derive(Clone)]
pub(super) struct Files {
    directory: PathBuf,
    name: String,
    /// What the names of files about one platform have, if it is not the first.
    platform: String,
}

const SPDX: &str = "https://spdx.dev/Document";
const SLSA: &str = "https://slsa.dev/provenance/";

impl Files {
    pub(super) fn new(directory: &Path, name: &str) -> Self {
        Self {
            directory: directory.to_owned(),
            name: name.to_owned(),
            platform: String::new(),
        }
    }

    /// The files about the image for another platform.
    pub(super) fn for_other(&self, platform: &Platform) -> Self {
        let platform = format!(".{}", platform.to_string().replace('/', "-"));
        Self {
            platform,
            ..self.clone()
        }
    }

    fn file_name(&self, kind: Kind) -> String {
        let ending = match kind {
            Kind::Image => "oci.tar",
            Kind::Sbom => "spdx.json",
            Kind::Provenance => "provenance.json",
            Kind::Log => "log",
        };
        let platform = match kind {
            Kind::Sbom | Kind::Provenance => self.platform.as_str(),
            Kind::Image | Kind::Log => "",
        };
        format!("{}{platform}.{ending}", self.name)
    }

    fn path(&self, kind: Kind) -> PathBuf {
        self.directory.join(self.file_name(kind))
    }

    /// Where the archive is written until it was checked.
    pub(super) fn partial(&self) -> PathBuf {
        self.directory
            .join(format!(".{}.oci.tar.partial", self.name))
    }

    /// Removes what an earlier run left, so that nothing of it is taken for this one's.
    pub(super) fn clear(&self) -> Result<(), Failure> {
        let kinds = [Kind::Image, Kind::Sbom, Kind::Provenance, Kind::Log];
        for path in kinds
            .map(|kind| self.path(kind))
            .into_iter()
            .chain([self.partial()])
        {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Failure::environment(format!(
                        "cannot remove `{}`: {error}",
                        path.display()
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The log file, new.
    pub(super) fn log(&self) -> Result<File, Failure> {
        let path = self.path(Kind::Log);
        File::create(&path).map_err(|error| {
            Failure::environment(format!("cannot write `{}`: {error}", path.display()))
        })
    }

    /// Checks the archive, takes SBOM and provenance of each platform out of it, and gives everything its final name; `first` is
    /// the platform whose files have no platform in their names.
    pub(super) fn finish(&self, first: &Platform) -> Result<Archive, String> {
        let archive = Archive::read(&self.partial()).map_err(|error| error.to_string())?;
        image(&archive)?;
        for image in &archive.images {
            let platform = image.descriptor.platform.as_ref();
            match platform.filter(|platform| *platform != first) {
                Some(other) => self.for_other(other).put(image)?,
                None => self.put(image)?,
            }
        }
        std::fs::rename(self.partial(), self.path(Kind::Image))
            .map_err(|error| error.to_string())?;
        Ok(archive)
    }

    fn put(&self, image: &ArchivedImage) -> Result<(), String> {
        let put = |kind, bytes: &[u8]| {
            write(&self.path(kind), bytes).map_err(|failure| {
                failure
                    .problems
                    .first()
                    .map(|p| p.message.clone())
                    .unwrap_or_default()
            })
        };
        if let Some(document) = image.attestation(SPDX) {
            put(Kind::Sbom, document.predicate())?;
        }
        let provenance = image
            .attestations
            .iter()
            .find(|attestation| attestation.predicate_type.starts_with(SLSA));
        match provenance {
            Some(provenance) => put(Kind::Provenance, &provenance.statement),
            None => Ok(()),
        }
    }

    /// The artifacts that are there, with their digests.
    pub(super) fn artifacts(&self) -> Result<Vec<Artifact>, Failure> {
        let mut artifacts = Vec::new();
        for kind in [Kind::Image, Kind::Sbom, Kind::Provenance, Kind::Log] {
            let path = self.path(kind);
            if path.is_file() {
                let sha256 = digest(&path).map_err(|error| {
                    Failure::environment(format!("cannot read `{}`: {error}", path.display()))
                })?;
                artifacts.push(Artifact {
                    kind,
                    file: self.file_name(kind),
                    sha256,
                });
            }
        }
        Ok(artifacts)
    }
}

fn digest(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..length]);
    }
}

/// Keeps other runs from writing to `directory` as long as the answer lives.
pub(super) fn lock(directory: &Path) -> Result<Option<File>, Failure> {
    // A file system without locks is no reason not to build.
    let Ok(file) = File::open(directory) else {
        return Ok(None);
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Failure::environment(format!(
            "another run is writing to `{}`",
            directory.display()
        ))
        .hint("--output-dir names another directory")),
        _ => Ok(Some(file)),
    }
}

/// The image of an archive for `platform`; without a platform of its own, the only one.
pub(super) fn image_for<'a>(
    archive: &'a Archive,
    platform: &Platform,
) -> Option<&'a ArchivedImage> {
    let mut images = archive.images.iter();
    images.find(|image| {
        let own = image.descriptor.platform.as_ref();
        own.map_or(archive.images.len() == 1, |own| own == platform)
    })
}

/// The one image of an archive.
pub(super) fn image(archive: &Archive) -> Result<&ArchivedImage, String> {
    archive
        .images
        .first()
        .ok_or_else(|| "the archive holds no image".to_owned())
}

/// The attributes of an exporter of images, with everything set that digests depend on.
pub(super) fn attributes(
    names: &[String],
    epoch: i64,
    rewrites_times: bool,
) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::from(
        [
            ("name", names.join(",")),
            ("oci-mediatypes", "true".to_owned()),
            ("oci-artifact", "false".to_owned()),
            ("compression", "gzip".to_owned()),
            ("source-date-epoch", epoch.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    if rewrites_times {
        attributes.insert("rewrite-timestamp".to_owned(), "true".to_owned());
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_writes_to_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert!(lock(folder.path()).is_err());
        drop(first);
        assert!(lock(folder.path()).is_ok());
    }
}
