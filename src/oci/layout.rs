//! An image layout that is read in place: a directory, or the uncompressed tarball of one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::archive::{Failure, Flaw, LARGEST_JSON, parse, small, too_much};
use super::manifest::media_type;
use super::tarball::{Extent, scan};
use super::{Descriptor, Digest, Index, Manifest, Platform};

/// The blobs of an image layout and what its `index.json` says of them.
///
/// Nothing is unpacked, and blobs are not hashed: who takes one has its digest to check it by.
#[derive(Debug)]
pub struct Layout {
    path: PathBuf,
    place: Place,
    index: Index,
}

/// Bytes of a file: one blob.
#[derive(Clone, Debug)]
pub struct Blob {
    file: Arc<File>,
    offset: u64,
    size: u64,
}

/// A layout that cannot be used, or that lacks what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// It cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The layout.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a compressed tarball, whose blobs cannot be read where they lie.
    #[error("`{path}` is compressed")]
    Compressed {
        /// The layout.
        path: PathBuf,
    },
    /// Its content is not what it must be.
    #[error("`{path}` is no sound image layout: {flaw}")]
    Unsound {
        /// The layout.
        path: PathBuf,
        /// What is wrong.
        flaw: Flaw,
    },
    /// It has no image of that name.
    #[error("`{path}` has no image `{name}`: {}", listed(known))]
    Unknown {
        /// The layout.
        path: PathBuf,
        /// The tag or digest that is asked for.
        name: String,
        /// The tags that it has.
        known: Vec<String>,
    },
    /// It has several images, of which none is asked for.
    #[error("`{path}` has several images: {}", listed(known))]
    Several {
        /// The layout.
        path: PathBuf,
        /// The tags that it has.
        known: Vec<String>,
    },
    /// Its image is for other platforms.
    #[error("the image of `{path}` is not for {platform}: {}", listed(known))]
    Platform {
        /// The layout.
        path: PathBuf,
        /// The platform that is asked for.
        platform: Platform,
        /// Those that it has.
        known: Vec<String>,
    },
}

fn listed(known: &[String]) -> String {
    match known {
        [] => "it has none that is named".to_owned(),
        known => format!("it has {}", known.join(", ")),
    }
}

#[derive(Debug)]
enum Place {
    Directory,
    Archive {
        file: Arc<File>,
        blobs: BTreeMap<Digest, Extent>,
    },
}

// https://github.com/opencontainers/image-spec/blob/main/annotations.md
const NAME: &str = "org.opencontainers.image.ref.name";
const LATEST: &str = "latest";
// The most deeply nested index that is followed, and the most manifests that are looked at.
const DEEPEST: usize = 3;
const MOST_MANIFESTS: usize = 1000;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

impl Layout {
    /// Opens the layout at `path`; of a tarball only the headers of its entries are read.
    ///
    /// # Errors
    /// When it cannot be read, or is no image layout.
    pub fn open(path: &Path) -> Result<Self, LayoutError> {
        let failed = |failure| match failure {
            Failure::Io(source) => LayoutError::Read {
                path: path.to_owned(),
                source,
            },
            Failure::Flaw(flaw) => LayoutError::Unsound {
                path: path.to_owned(),
                flaw,
            },
        };
        let metadata = std::fs::metadata(path).map_err(|error| failed(error.into()))?;
        let (place, index) = if metadata.is_dir() {
            (Place::Directory, directory(path).map_err(failed)?)
        } else {
            if !metadata.is_file() {
                // To open a pipe may wait for ever.
                let kind = io::Error::from(io::ErrorKind::InvalidInput);
                return Err(failed(kind.into()));
            }
            let mut file = File::open(path).map_err(|error| failed(error.into()))?;
            if is_compressed(&file) {
                let path = path.to_owned();
                return Err(LayoutError::Compressed { path });
            }
            let (blobs, index) = locate(&mut file).map_err(failed)?;
            let file = Arc::new(file);
            (Place::Archive { file, blobs }, index)
        };
        Ok(Self {
            path: path.to_owned(),
            place,
            index,
        })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The blob with this digest, as its name says; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn blob(&self, digest: Digest) -> io::Result<Option<Blob>> {
        match &self.place {
            Place::Directory => Blob::of(&self.path, digest),
            Place::Archive { file, blobs } => Ok(blobs.get(&digest).map(|extent| Blob {
                file: Arc::clone(file),
                offset: extent.offset,
                size: extent.size,
            })),
        }
    }

    /// Finds the image that is tagged `tag` and can run on `platform`; without a tag the only one, or else the latest.
    ///
    /// The answer describes a manifest, or the index that has one for the platform: what a registry would be asked for.
    ///
    /// # Errors
    /// When there is no such image, or its documents are not sound.
    pub fn find(&self, tag: Option<&str>, platform: &Platform) -> Result<Descriptor, LayoutError> {
        let candidates = self.tagged(tag)?;
        let mut known = BTreeSet::new();
        for candidate in &candidates {
            let mut left = MOST_MANIFESTS;
            let platforms = self.platforms(candidate, 0, &mut left)?;
            if platforms.iter().any(|found| serves(found, platform)) {
                return Ok((*candidate).clone());
            }
            known.extend(platforms.iter().map(ToString::to_string));
        }
        Err(LayoutError::Platform {
            path: self.path.clone(),
            platform: platform.clone(),
            known: known.into_iter().collect(),
        })
    }

    fn tagged(&self, tag: Option<&str>) -> Result<Vec<&Descriptor>, LayoutError> {
        let manifests = &self.index.manifests;
        let with = |tag: &str| -> Vec<&Descriptor> {
            let mut tagged = Vec::from_iter(manifests);
            tagged.retain(|descriptor| name(descriptor).is_some_and(|name| name == tag));
            tagged
        };
        let images: BTreeSet<&str> = manifests.iter().filter_map(name).collect();
        let found = match tag {
            Some(tag) => with(tag),
            // Several platforms of one image may be listed one by one.
            None if images.len() < 2 => manifests.iter().collect(),
            None => with(LATEST),
        };
        let path = self.path.clone();
        let known = self.tags();
        match (found.is_empty(), tag) {
            (false, _) => Ok(found),
            (true, Some(tag)) => Err(LayoutError::Unknown {
                path,
                name: tag.to_owned(),
                known,
            }),
            (true, None) if known.is_empty() => Err(LayoutError::Unknown {
                path,
                name: LATEST.to_owned(),
                known,
            }),
            (true, None) => Err(LayoutError::Several { path, known }),
        }
    }

    fn tags(&self) -> Vec<String> {
        let names: BTreeSet<&str> = self.index.manifests.iter().filter_map(name).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// The platforms of the images that `descriptor` describes.
    fn platforms(
        &self,
        descriptor: &Descriptor,
        depth: usize,
        left: &mut usize,
    ) -> Result<Vec<Platform>, LayoutError> {
        let unsound = |flaw| LayoutError::Unsound {
            path: self.path.clone(),
            flaw,
        };
        if depth > DEEPEST {
            return Err(unsound(too_much(DEEPEST as u64, "nested indexes")));
        }
        *left = left
            .checked_sub(1)
            .ok_or_else(|| unsound(too_much(MOST_MANIFESTS as u64, "manifests")))?;
        match descriptor.media_type.as_str() {
            media_type::INDEX | media_type::DOCKER_INDEX => {
                let index: Index = self.json(descriptor)?;
                let mut platforms = Vec::new();
                for nested in &index.manifests {
                    match &nested.platform {
                        Some(platform) => platforms.push(platform.clone()),
                        None => platforms.extend(self.platforms(nested, depth + 1, left)?),
                    }
                }
                Ok(platforms)
            }
            media_type::MANIFEST | media_type::DOCKER_MANIFEST => {
                let manifest: Manifest = self.json(descriptor)?;
                let platform: Configured = self.json(&manifest.config)?;
                Ok(vec![Platform {
                    os: platform.os,
                    architecture: platform.architecture,
                    variant: platform.variant,
                }])
            }
            // Artifacts may lie beside images.
            _ => Ok(Vec::new()),
        }
    }

    fn json<T: DeserializeOwned>(&self, descriptor: &Descriptor) -> Result<T, LayoutError> {
        let digest = descriptor.digest;
        let unsound = |flaw| LayoutError::Unsound {
            path: self.path.clone(),
            flaw,
        };
        let unreadable = |source| LayoutError::Read {
            path: self.path.clone(),
            source,
        };
        let blob = self.blob(digest).map_err(unreadable)?;
        let blob = blob.ok_or_else(|| unsound(Flaw::Missing(digest)))?;
        if blob.size > LARGEST_JSON {
            return Err(unsound(too_much(
                LARGEST_JSON,
                "bytes of JSON in one document",
            )));
        }
        let mut bytes = vec![0; usize::try_from(blob.size).unwrap_or_default()];
        blob.file
            .read_exact_at(&mut bytes, blob.offset)
            .map_err(unreadable)?;
        let actual = Digest::of(&bytes);
        if actual != digest {
            let name = digest;
            return Err(unsound(Flaw::Digest { name, actual }));
        }
        parse(&bytes, &digest.to_string()).map_err(unsound)
    }
}

/// The part of a config that says what the image runs on.
#[derive(Deserialize)]
struct Configured {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

impl Blob {
    /// The blob `digest` of the layout directory `directory`; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn of(directory: &Path, digest: Digest) -> io::Result<Option<Self>> {
        let path = directory.join("blobs/sha256").join(digest.hex());
        let absent = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        // What is no file, such as a pipe, is not opened: that may wait for ever.
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Ok(None),
            Err(error) if absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let file = File::open(&path)?;
        let size = file.metadata()?.len();
        Ok(Some(Self {
            file: Arc::new(file),
            offset: 0,
            size,
        }))
    }

    /// Its length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads from `offset` on into `buffer`, and says how much; 0 at its end.
    ///
    /// # Errors
    /// When the file cannot be read, or has become shorter.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size.saturating_sub(offset);
        let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if length == 0 {
            return Ok(0);
        }
        let read = self
            .file
            .read_at(&mut buffer[..length], self.offset + offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }
}

// Docker names the tag, containerd the whole image.
fn name(descriptor: &Descriptor) -> Option<&str> {
    let name = descriptor.annotations.get(NAME)?;
    Some(match name.rsplit_once(':') {
        Some((_, tag)) if !tag.contains('/') => tag,
        _ => name,
    })
}

// A variant counts only where both name one: `arm64` and `arm64/v8` are the same.
fn serves(found: &Platform, wanted: &Platform) -> bool {
    let both = found.variant.as_ref().zip(wanted.variant.as_ref());
    (&found.os, &found.architecture) == (&wanted.os, &wanted.architecture)
        && both.is_none_or(|(found, wanted)| found == wanted)
}

fn is_compressed(file: &File) -> bool {
    let mut start = [0; 4];
    file.read_exact_at(&mut start, 0)
        .is_ok_and(|()| start == ZSTD || start.starts_with(&GZIP))
}

fn directory(path: &Path) -> Result<Index, Failure> {
    let document = |name: &'static str| -> Result<Vec<u8>, Failure> {
        let path = path.join(name);
        if !path.is_file() {
            return Err(Flaw::NoLayout(name).into());
        }
        small(
            &mut File::open(path)?,
            LARGEST_JSON,
            "bytes of JSON in one document",
        )
    };
    document("oci-layout")?;
    Ok(parse(&document("index.json")?, "index.json")?)
}

/// Where every blob lies, and `index.json`.
fn locate(file: &mut File) -> Result<(BTreeMap<Digest, Extent>, Index), Failure> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut archive = tar::Archive::new(file);
    scan(archive.entries_with_seek()?, |entry| {
        let last = entry.extent.offset.checked_add(entry.extent.size);
        match entry.part {
            Some(_) if last.is_none_or(|last| last > end) => {
                Err(Flaw::Cut(entry.name.to_owned()).into())
            }
            _ => Ok(()),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Writes layouts, as directory and as tarball.
    struct Writer {
        folder: tempfile::TempDir,
        roots: Vec<Value>,
    }

    impl Writer {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(folder.path().join("layout/blobs/sha256")).unwrap();
            Self {
                folder,
                roots: Vec::new(),
            }
        }

        fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
            let digest = Digest::of(bytes);
            let path = self.folder.path().join("layout/blobs/sha256");
            std::fs::write(path.join(digest.hex()), bytes).unwrap();
            json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
        }

        fn json(&self, media_type: &str, value: &Value) -> Value {
            self.blob(media_type, value.to_string().as_bytes())
        }

        fn image(&self, architecture: &str) -> Value {
            let config = json!({"os": "linux", "architecture": architecture});
            let config = self.json(media_type::CONFIG, &config);
            let manifest = json!({"schemaVersion": 2, "config": config, "layers": []});
            self.json(media_type::MANIFEST, &manifest)
        }

        fn index(&self, manifests: &[Value]) -> Value {
            let index = json!({"schemaVersion": 2, "manifests": manifests});
            self.json(media_type::INDEX, &index)
        }

        fn root(mut self, mut descriptor: Value, name: &str) -> Self {
            if !name.is_empty() {
                descriptor["annotations"] = json!({ NAME: name });
            }
            self.roots.push(descriptor);
            self
        }

        /// The layout as it is found, as long as the folder lives.
        fn both(self) -> (tempfile::TempDir, [Layout; 2]) {
            let directory = self.folder.path().join("layout");
            let index = json!({"schemaVersion": 2, "manifests": self.roots});
            std::fs::write(directory.join("index.json"), index.to_string()).unwrap();
            std::fs::write(directory.join("oci-layout"), "{}").unwrap();
            let tarball = self.folder.path().join("layout.tar");
            let mut tar = tar::Builder::new(File::create(&tarball).unwrap());
            tar.append_dir_all(".", &directory).unwrap();
            tar.finish().unwrap();
            let layouts = [&directory, &tarball].map(|path| Layout::open(path).unwrap());
            (self.folder, layouts)
        }
    }

    fn digest(descriptor: &Value) -> Digest {
        descriptor["digest"].as_str().unwrap().parse().unwrap()
    }

    fn amd64() -> Platform {
        Platform::linux("amd64")
    }

    #[test]
    fn a_blob_is_read_where_it_lies() {
        let writer = Writer::new();
        let blob = writer.blob("text/plain", b"hello");
        let (_folder, layouts) = writer.both();
        for layout in layouts {
            let blob = layout.blob(digest(&blob)).unwrap().unwrap();
            let mut buffer = [0; 9];
            assert_eq!(blob.size(), 5);
            assert_eq!(blob.read_at(3, &mut buffer).unwrap(), 2);
            assert_eq!(&buffer[..2], b"lo");
            assert_eq!(blob.read_at(5, &mut buffer).unwrap(), 0);
            assert_eq!(blob.read_at(u64::MAX, &mut buffer).unwrap(), 0);
            assert!(layout.blob(Digest::of(b"other")).unwrap().is_none());
        }
    }

    #[test]
    fn an_index_is_taken_for_the_platform_that_it_has() {
        let writer = Writer::new();
        let index = writer.index(&[writer.image("amd64"), writer.image("arm64")]);
        let expected = digest(&index);
        let (_folder, layouts) = writer.root(index, "").both();
        for layout in layouts {
            for architecture in ["amd64", "arm64"] {
                let platform = Platform::linux(architecture);
                assert_eq!(layout.find(None, &platform).unwrap().digest, expected);
            }
            let error = layout.find(None, &Platform::linux("s390x")).unwrap_err();
            let text = format!(
                "the image of `{}` is not for linux/s390x: it has linux/amd64, linux/arm64",
                layout.path().display()
            );
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn images_of_several_platforms_may_be_listed_one_by_one() {
        let writer = Writer::new();
        let (amd64, arm64) = (writer.image("amd64"), writer.image("arm64"));
        let expected = digest(&arm64);
        let (_folder, layouts) = writer.root(amd64, "1").root(arm64, "1").both();
        for layout in layouts {
            let found = layout.find(None, &Platform::linux("arm64")).unwrap();
            assert_eq!(found.digest, expected);
        }
    }

    #[test]
    fn a_tag_chooses_among_images() {
        let writer = Writer::new();
        let (one, two) = (writer.image("amd64"), writer.image("arm64"));
        let expected = digest(&one);
        let (_folder, layouts) = writer
            .root(one, "example.test/a:1")
            .root(two, "example.test/a:2")
            .both();
        for layout in layouts {
            let found = layout.find(Some("1"), &amd64()).unwrap();
            assert_eq!(found.digest, expected);
            let error = layout.find(None, &amd64()).unwrap_err();
            assert!(matches!(error, LayoutError::Several { .. }), "{error}");
            let error = layout.find(Some("3"), &amd64()).unwrap_err();
            assert!(error.to_string().ends_with("no image `3`: it has 1, 2"));
        }
    }

    #[test]
    fn a_document_that_was_changed_is_not_taken() {
        let writer = Writer::new();
        let image = writer.image("amd64");
        let path = writer.folder.path().join("layout/blobs/sha256");
        let path = path.join(digest(&image).hex());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("layers", "legers")).unwrap();
        let (_folder, layouts) = writer.root(image, "").both();
        for layout in layouts {
            let error = layout.find(None, &amd64()).unwrap_err();
            assert!(error.to_string().contains("has the digest"), "{error}");
        }
    }

    #[test]
    fn what_is_no_layout_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let error = Layout::open(folder.path()).unwrap_err();
        assert!(
            error.to_string().ends_with("there is no oci-layout"),
            "{error}"
        );
        let path = folder.path().join("a.tar.gz");
        std::fs::write(&path, [0x1f, 0x8b, 8, 0]).unwrap();
        let error = Layout::open(&path).unwrap_err();
        assert!(matches!(error, LayoutError::Compressed { .. }), "{error}");
    }

    #[test]
    fn a_blob_beyond_the_end_is_refused() {
        let writer = Writer::new();
        writer.blob("text/plain", &[7; 4000]);
        let (folder, _) = writer.both();
        let path = folder.path().join("layout.tar");
        let bytes = std::fs::read(&path).unwrap();
        let start = bytes.windows(4000).position(|window| window == [7; 4000]);
        std::fs::write(&path, &bytes[..start.unwrap() + 2048]).unwrap();
        assert!(Layout::open(&path).is_err());
    }
}
