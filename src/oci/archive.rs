//! The tarball of an OCI image layout, read back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::manifest::media_type;
use super::tarball::{Extent, Part, scan};
use super::{Descriptor, Digest, Hasher, ImageConfig, Index, Manifest};

/// The largest index, manifest or config, in bytes: that of registries.
pub(super) const LARGEST_JSON: u64 = 4 << 20;
/// The largest attestation, in bytes: a statement around the 40 MiB predicate that BuildKit takes.
const LARGEST_STATEMENT: u64 = 48 << 20;
/// The largest sum of all attestations of an archive, in bytes.
const MOST_STATEMENTS: u64 = 256 << 20;
/// The most manifests of an archive, and the deepest nesting of indexes.
const MOST_MANIFESTS: usize = 1000;
const DEEPEST: usize = 4;

/// Images and their attestations, of which every blob has the digest and size that is said of it.
#[derive(Clone, Debug)]
pub struct Archive {
    /// What `index.json` lists: an image, or an index that holds images and attestations.
    pub roots: Vec<Descriptor>,
    /// The images, in the order in which they are listed.
    pub images: Vec<ArchivedImage>,
    /// The size of the tarball in bytes.
    pub size: u64,
}

/// An image of an [`Archive`].
#[derive(Clone, Debug)]
pub struct ArchivedImage {
    /// What is said of its manifest: digest, platform, annotations.
    pub descriptor: Descriptor,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its config.
    pub config: ImageConfig,
    /// What is attested about it, in the order in which it is listed.
    pub attestations: Vec<Attestation>,
}

/// An in-toto statement about an image.
///
/// How BuildKit stores it: <https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md>.
#[derive(Clone, Debug)]
pub struct Attestation {
    /// Where it is stored.
    pub descriptor: Descriptor,
    /// The type of its predicate, such as `https://spdx.dev/Document`.
    pub predicate_type: String,
    /// The statement as stored, JSON whose predicate has [`Attestation::predicate_type`] and whose subject is the image.
    pub statement: Vec<u8>,
}

/// A tarball that is no sound image layout.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file cannot be read, or its tar structure is broken.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The content is not what it must be.
    #[error("`{path}` is no sound image archive: {flaw}")]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        flaw: Flaw,
    },
}

/// What is wrong with an archive's content.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// A blob that is neither a file nor a directory, or that tar extensions describe.
    #[error("entry {0} is not an ordinary file")]
    Kind(String),
    /// Two entries of the same name.
    #[error("entry {0} comes twice")]
    Twice(String),
    /// The tarball ends inside of an entry.
    #[error("entry {0} is cut off")]
    Cut(String),
    /// A blob whose name is not the digest of its bytes.
    #[error("blob {name} has the digest {actual}")]
    Digest {
        /// The digest in its name.
        name: Digest,
        /// The digest of its bytes.
        actual: Digest,
    },
    /// A blob that is not there, though something refers to it.
    #[error("blob {0} is missing")]
    Missing(Digest),
    /// A blob of another size than its descriptor says.
    #[error("blob {digest} has {actual} bytes instead of {expected}")]
    Size {
        /// Its digest.
        digest: Digest,
        /// The size in the descriptor.
        expected: u64,
        /// The size in the tarball.
        actual: u64,
    },
    /// More of something than images have.
    #[error("more than {limit} {unit}")]
    TooMuch {
        /// The bound.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// Without `oci-layout` or `index.json` it is no layout.
    #[error("there is no {0}")]
    NoLayout(&'static str),
    /// A JSON document that does not parse.
    #[error("{name} does not parse: {source}")]
    Json {
        /// The entry or blob.
        name: String,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A descriptor of something that does not belong into an image index.
    #[error("{digest} has the unknown media type {media_type:?}")]
    MediaType {
        /// The blob.
        digest: Digest,
        /// Its media type.
        media_type: String,
    },
    /// A config that lists another number of layers than the manifest.
    #[error("the config of {image} lists {configured} layers, its manifest {listed}")]
    Layers {
        /// The image's manifest.
        image: Digest,
        /// The layers of the config.
        configured: usize,
        /// The layers of the manifest.
        listed: usize,
    },
    /// An attestation about something that is not in the archive.
    #[error("attestation {0} is not about an image of this archive")]
    Subject(Digest),
    /// An attestation whose predicate is not of the type that is said of it.
    #[error("attestation {digest} holds {actual:?} instead of {expected:?}")]
    Predicate {
        /// The statement.
        digest: Digest,
        /// The type in its annotation.
        expected: String,
        /// The type in the statement.
        actual: String,
    },
}

impl Archive {
    /// Reads the uncompressed tarball of an OCI image layout and checks all of its blobs.
    ///
    /// It is read once from start to end, then the JSON documents again; layers are hashed, never held.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is no image layout, or anything in it is not what is said of it.
    pub fn read(path: &Path) -> Result<Self, ArchiveError> {
        let unreadable = |source| ArchiveError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(unreadable)?;
        read(&mut file).map_err(|failure| match failure {
            Failure::Io(source) => unreadable(source),
            Failure::Flaw(flaw) => ArchiveError::Unsound {
                path: path.to_owned(),
                flaw,
            },
        })
    }
}

impl ArchivedImage {
    /// The first statement whose predicate has this type.
    #[must_use]
    pub fn attestation(&self, predicate_type: &str) -> Option<&Attestation> {
        self.attestations
            .iter()
            .find(|attestation| attestation.predicate_type == predicate_type)
    }
}

impl Attestation {
    /// The predicate alone, its bytes as they stand in the statement; `null` where there is none.
    #[must_use]
    pub fn predicate(&self) -> &[u8] {
        #[derive(Deserialize)]
        struct Statement<'a> {
            #[serde(borrow)]
            predicate: &'a RawValue,
        }
        serde_json::from_slice::<Statement<'_>>(&self.statement)
            .map_or(b"null", |statement| statement.predicate.get().as_bytes())
    }
}

pub(super) enum Failure {
    Io(io::Error),
    Flaw(Flaw),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Flaw> for Failure {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

struct Reader<'f, F> {
    file: &'f mut F,
    blobs: BTreeMap<Digest, Extent>,
    seen: BTreeSet<Digest>,
    manifests: usize,
    statements: u64,
}

fn read<F: Read + Seek>(file: &mut F) -> Result<Archive, Failure> {
    let (blobs, index) = hash(file)?;
    let size = file.seek(SeekFrom::End(0))?;
    let mut reader = Reader {
        file,
        blobs,
        seen: BTreeSet::new(),
        manifests: 0,
        statements: 0,
    };
    let mut found = Found::default();
    reader.index(&index, 0, &mut found)?;
    for (descriptor, manifest) in std::mem::take(&mut found.attestations) {
        reader.attest(&descriptor, &manifest, &mut found.images)?;
    }
    Ok(Archive {
        roots: index.manifests,
        images: found.images,
        size,
    })
}

/// Hashes every blob and reads `index.json`.
fn hash<F: Read + Seek>(file: &mut F) -> Result<(BTreeMap<Digest, Extent>, Index), Failure> {
    let mut archive = tar::Archive::new(file);
    scan(archive.entries()?, |entry| {
        let kind = entry.content.header().entry_type();
        match entry.part {
            Some(Part::Blob(digest)) => {
                verify(entry.content, entry.extent.size, digest, entry.name)
            }
            // Another reader may see something else in an archive that has more than files.
            None if !kind.is_file() && !kind.is_dir() => {
                Err(Flaw::Kind(entry.name.to_owned()).into())
            }
            _ => Ok(()),
        }
    })
}

fn verify(entry: &mut impl Read, size: u64, name: Digest, entry_name: &str) -> Result<(), Failure> {
    let mut hasher = Hasher::new();
    let copied = io::copy(
        &mut io::BufReader::with_capacity(1 << 17, entry),
        &mut hasher,
    )?;
    if copied != size {
        return Err(Flaw::Cut(entry_name.to_owned()).into());
    }
    let actual = hasher.finish();
    if actual != name {
        return Err(Flaw::Digest { name, actual }.into());
    }
    Ok(())
}

pub(super) fn small(
    reader: &mut impl Read,
    limit: u64,
    unit: &'static str,
) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_much(limit, unit).into());
    }
    Ok(bytes)
}

pub(super) fn too_much(limit: u64, unit: &'static str) -> Flaw {
    Flaw::TooMuch { limit, unit }
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], name: &str) -> Result<T, Flaw> {
    serde_json::from_slice(bytes).map_err(|source| Flaw::Json {
        name: name.to_owned(),
        source,
    })
}

/// What the walk through the indexes has found.
#[derive(Default)]
struct Found {
    images: Vec<ArchivedImage>,
    attestations: Vec<(Descriptor, Manifest)>,
}

impl<F: Read + Seek> Reader<'_, F> {
    /// Walks an index and those it lists.
    fn index(&mut self, index: &Index, depth: usize, found: &mut Found) -> Result<(), Failure> {
        if depth > DEEPEST {
            return Err(too_much(DEEPEST as u64, "nested indexes").into());
        }
        for descriptor in &index.manifests {
            self.manifests += 1;
            if self.manifests > MOST_MANIFESTS {
                return Err(too_much(MOST_MANIFESTS as u64, "manifests").into());
            }
            // An image with several names is listed once per name.
            if !self.seen.insert(descriptor.digest) {
                continue;
            }
            match descriptor.media_type.as_str() {
                media_type::INDEX | media_type::DOCKER_INDEX => {
                    let nested = self.json(descriptor)?;
                    self.index(&nested, depth + 1, found)?;
                }
                media_type::MANIFEST | media_type::DOCKER_MANIFEST => {
                    self.manifest(descriptor, found)?;
                }
                other => {
                    let media_type = other.to_owned();
                    let digest = descriptor.digest;
                    return Err(Flaw::MediaType { digest, media_type }.into());
                }
            }
        }
        Ok(())
    }

    fn manifest(&mut self, descriptor: &Descriptor, found: &mut Found) -> Result<(), Failure> {
        let manifest: Manifest = self.json(descriptor)?;
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            self.locate(blob)?;
        }
        let kind = descriptor.annotations.get("vnd.docker.reference.type");
        if kind.is_some_and(|kind| kind == "attestation-manifest") {
            found.attestations.push((descriptor.clone(), manifest));
            return Ok(());
        }
        let config: ImageConfig = self.json(&manifest.config)?;
        let (configured, listed) = (config.rootfs.diff_ids.len(), manifest.layers.len());
        if configured != listed {
            let image = descriptor.digest;
            return Err(Flaw::Layers {
                image,
                configured,
                listed,
            }
            .into());
        }
        found.images.push(ArchivedImage {
            descriptor: descriptor.clone(),
            manifest,
            config,
            attestations: Vec::new(),
        });
        Ok(())
    }

    /// Adds the statements of an attestation manifest to the image that it is about.
    fn attest(
        &mut self,
        descriptor: &Descriptor,
        manifest: &Manifest,
        images: &mut [ArchivedImage],
    ) -> Result<(), Failure> {
        let about: Option<Digest> = descriptor
            .annotations
            .get("vnd.docker.reference.digest")
            .and_then(|digest| digest.parse().ok());
        let image = images
            .iter_mut()
            .find(|image| Some(image.descriptor.digest) == about)
            .ok_or(Flaw::Subject(descriptor.digest))?;
        for layer in &manifest.layers {
            if layer.media_type != media_type::IN_TOTO {
                continue;
            }
            let statement = self.statement(layer)?;
            image
                .attestations
                .push(check(layer, statement, image.descriptor.digest)?);
        }
        Ok(())
    }

    fn statement(&mut self, descriptor: &Descriptor) -> Result<Vec<u8>, Failure> {
        self.statements = self.statements.saturating_add(descriptor.size);
        if self.statements > MOST_STATEMENTS {
            return Err(too_much(MOST_STATEMENTS, "bytes of attestations").into());
        }
        self.bytes(descriptor, LARGEST_STATEMENT, "bytes in one attestation")
    }

    fn json<T: DeserializeOwned>(&mut self, descriptor: &Descriptor) -> Result<T, Failure> {
        let bytes = self.bytes(descriptor, LARGEST_JSON, "bytes of JSON in one document")?;
        Ok(parse(&bytes, &descriptor.digest.to_string())?)
    }

    /// Reads a blob again, now that it is known to be a document.
    fn bytes(
        &mut self,
        descriptor: &Descriptor,
        limit: u64,
        unit: &'static str,
    ) -> Result<Vec<u8>, Failure> {
        let (offset, size) = self.locate(descriptor)?;
        if size > limit {
            return Err(too_much(limit, unit).into());
        }
        self.file.seek(SeekFrom::Start(offset))?;
        let bytes = small(&mut (&mut *self.file).take(size), limit, unit)?;
        let actual = Digest::of(&bytes);
        // The file may have changed since it was hashed.
        if actual != descriptor.digest {
            let name = descriptor.digest;
            return Err(Flaw::Digest { name, actual }.into());
        }
        Ok(bytes)
    }

    /// Where a blob lies, and how long it is: as long as its descriptor says.
    fn locate(&self, descriptor: &Descriptor) -> Result<(u64, u64), Flaw> {
        let digest = descriptor.digest;
        let blob = self.blobs.get(&digest).ok_or(Flaw::Missing(digest))?;
        if blob.size != descriptor.size {
            return Err(Flaw::Size {
                digest,
                expected: descriptor.size,
                actual: blob.size,
            });
        }
        Ok((blob.offset, blob.size))
    }
}

/// The parts of a statement that must fit its place.
#[derive(Deserialize)]
struct Claim {
    #[serde(rename = "predicateType")]
    predicate_type: String,
    #[serde(default)]
    subject: Vec<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

fn check(layer: &Descriptor, statement: Vec<u8>, image: Digest) -> Result<Attestation, Flaw> {
    let digest = layer.digest;
    let claim: Claim = parse(&statement, &digest.to_string())?;
    let expected = layer.annotations.get("in-toto.io/predicate-type");
    if let Some(expected) = expected.filter(|expected| **expected != claim.predicate_type) {
        return Err(Flaw::Predicate {
            digest,
            expected: expected.clone(),
            actual: claim.predicate_type,
        });
    }
    let hex = image.hex();
    if !claim
        .subject
        .iter()
        .any(|subject| subject.digest.get("sha256") == Some(&hex))
    {
        return Err(Flaw::Subject(digest));
    }
    Ok(Attestation {
        descriptor: layer.clone(),
        predicate_type: claim.predicate_type,
        statement,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use serde_json::json;

    use super::*;

    /// A layout in the making.
    #[derive(Default)]
    struct Layout(Vec<(String, Vec<u8>)>);

    impl Layout {
        fn add(&mut self, media_type: &str, bytes: &[u8]) -> serde_json::Value {
            let digest = Digest::of(bytes);
            let path = format!("blobs/sha256/{}", digest.hex());
            if !self.0.iter().any(|(name, _)| *name == path) {
                self.0.push((path, bytes.to_vec()));
            }
            json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
        }

        fn json(&mut self, media_type: &str, value: &serde_json::Value) -> serde_json::Value {
            self.add(media_type, value.to_string().as_bytes())
        }

        fn index(mut self, manifests: &[serde_json::Value]) -> Self {
            let index = json!({"schemaVersion": 2, "manifests": manifests});
            self.0
                .push(("index.json".to_owned(), index.to_string().into_bytes()));
            self.0.push((
                "oci-layout".to_owned(),
                br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
            ));
            self
        }

        fn tar(&self) -> Vec<u8> {
            let mut tar = tar::Builder::new(Vec::new());
            for (path, bytes) in &self.0 {
                let mut header = tar::Header::new_ustar();
                header.set_size(bytes.len() as u64);
                header.set_mode(0o444);
                tar.append_data(&mut header, path, bytes.as_slice())
                    .unwrap();
            }
            tar.into_inner().unwrap()
        }

        fn read(&self) -> Result<Archive, Failure> {
            read(&mut Cursor::new(self.tar()))
        }
    }

    fn image(layout: &mut Layout) -> serde_json::Value {
        let layer = layout.add("application/vnd.oci.image.layer.v1.tar+gzip", b"layer");
        let config = json!({"architecture": "amd64", "os": "linux", "config": {"User": "65532"},
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(b"diff").to_string()]}});
        let config = layout.json(media_type::CONFIG, &config);
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        let mut descriptor = layout.json(media_type::MANIFEST, &manifest);
        descriptor["platform"] = json!({"os": "linux", "architecture": "amd64"});
        descriptor
    }

    fn attestation(
        layout: &mut Layout,
        about: &serde_json::Value,
        subject: &str,
    ) -> serde_json::Value {
        let statement = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"x","digest":{{"sha256":"{subject}"}}}}],"predicateType":"https://spdx.dev/Document","predicate":{{"b":1, "a":2}}}}"#
        );
        let mut layer = layout.add(media_type::IN_TOTO, statement.as_bytes());
        layer["annotations"] = json!({"in-toto.io/predicate-type": "https://spdx.dev/Document"});
        let config = layout.add("application/vnd.oci.empty.v1+json", b"{}");
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        let mut descriptor = layout.json(media_type::MANIFEST, &manifest);
        descriptor["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        descriptor["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": about["digest"]});
        descriptor
    }

    fn hex(descriptor: &serde_json::Value) -> String {
        descriptor["digest"].as_str().unwrap()["sha256:".len()..].to_owned()
    }

    fn flaw(result: Result<Archive, Failure>) -> String {
        match result {
            Err(Failure::Flaw(flaw)) => flaw.to_string(),
            Err(Failure::Io(error)) => format!("io: {error}"),
            Ok(archive) => panic!("{archive:?}"),
        }
    }

    #[test]
    fn an_image_with_attestations_is_read_through_its_index() {
        let mut layout = Layout::default();
        let image = image(&mut layout);
        let attestation = attestation(&mut layout, &image, &hex(&image));
        let index = json!({"schemaVersion": 2, "manifests": [image, attestation]});
        let index = layout.json(media_type::INDEX, &index);
        let archive = layout
            .index(std::slice::from_ref(&index))
            .read()
            .ok()
            .unwrap();
        assert_eq!(archive.roots[0].digest.to_string(), index["digest"]);
        let [image] = archive.images.as_slice() else {
            panic!("{archive:?}")
        };
        assert_eq!(image.config.config.user, "65532");
        assert_eq!(
            image.descriptor.platform.as_ref().unwrap().to_string(),
            "linux/amd64"
        );
        let sbom = image.attestation("https://spdx.dev/Document").unwrap();
        assert_eq!(sbom.predicate(), br#"{"b":1, "a":2}"#);
        assert!(
            image
                .attestation("https://slsa.dev/provenance/v1")
                .is_none()
        );
    }

    #[test]
    fn a_blob_that_was_changed_is_found_even_if_nothing_refers_to_it() {
        let mut layout = Layout::default();
        let image = image(&mut layout);
        layout.add("x", b"loose");
        layout.0.last_mut().unwrap().1 = b"l0ose".to_vec();
        let expected = format!(
            "blob {} has the digest {}",
            Digest::of(b"loose"),
            Digest::of(b"l0ose")
        );
        assert_eq!(flaw(layout.index(&[image]).read()), expected);
    }

    #[test]
    fn missing_cut_and_wrongly_sized_blobs_are_named() {
        let mut layout = Layout::default();
        let mut manifest = image(&mut layout);
        layout.0.retain(|(_, bytes)| bytes != b"layer");
        let missing = format!("blob {} is missing", Digest::of(b"layer"));
        assert_eq!(flaw(layout.index(&[manifest.clone()]).read()), missing);

        let mut layout = Layout::default();
        image(&mut layout);
        manifest["size"] = json!(7);
        assert!(flaw(layout.index(&[manifest]).read()).ends_with("bytes instead of 7"));

        let mut layout = Layout::default();
        layout.add("x", &[7; 2000]);
        let mut tar = layout.tar();
        tar.truncate(1500);
        assert!(flaw(read(&mut Cursor::new(tar))).ends_with("is cut off"));
    }

    #[test]
    fn attestations_about_other_images_are_refused() {
        for (about, subject) in [(false, true), (true, false)] {
            let mut layout = Layout::default();
            let image = image(&mut layout);
            let other = json!({"digest": Digest::of(b"other").to_string()});
            let subject = if subject { hex(&image) } else { hex(&other) };
            let about = if about { image.clone() } else { other };
            let attestation = attestation(&mut layout, &about, &subject);
            let text = flaw(layout.index(&[image, attestation]).read());
            assert!(
                text.ends_with("is not about an image of this archive"),
                "{text}"
            );
        }
    }

    #[test]
    fn hostile_tarballs_are_refused() {
        let plain = |path: &str, kind: tar::EntryType| {
            let mut tar = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_size(0);
            tar.append_data(&mut header, path, [].as_slice()).unwrap();
            flaw(read(&mut Cursor::new(tar.into_inner().unwrap())))
        };
        assert_eq!(
            plain("index.json", tar::EntryType::Symlink),
            "entry index.json is not an ordinary file"
        );
        assert_eq!(
            plain("a", tar::EntryType::XHeader),
            "entry a is not an ordinary file"
        );
        assert_eq!(
            plain("a", tar::EntryType::Regular),
            "there is no oci-layout"
        );
        assert_eq!(
            flaw(read(&mut Cursor::new(Vec::new()))),
            "there is no oci-layout"
        );
        assert!(flaw(read(&mut Cursor::new(vec![1; 4096]))).starts_with("io: "));

        let mut layout = Layout::default().index(&[]);
        layout.0.push(layout.0[0].clone());
        assert_eq!(flaw(layout.read()), "entry index.json comes twice");

        let mut layout = Layout::default();
        layout
            .0
            .push(("index.json".to_owned(), vec![b' '; (4 << 20) + 1]));
        assert_eq!(
            flaw(layout.read()),
            "more than 4194304 bytes of JSON in one document"
        );
    }

    #[test]
    fn nesting_and_numbers_are_bounded() {
        let mut layout = Layout::default();
        let mut inner = image(&mut layout);
        for _ in 0..6 {
            let index = json!({"schemaVersion": 2, "manifests": [inner]});
            inner = layout.json(media_type::INDEX, &index);
        }
        assert_eq!(
            flaw(layout.index(&[inner]).read()),
            "more than 4 nested indexes"
        );

        let mut layout = Layout::default();
        let image = image(&mut layout);
        assert_eq!(
            flaw(layout.index(&vec![image; 1001]).read()),
            "more than 1000 manifests"
        );
    }

    #[test]
    fn an_image_of_two_names_is_one_image() {
        let mut layout = Layout::default();
        let image = image(&mut layout);
        let archive = layout.index(&[image.clone(), image]).read().ok().unwrap();
        assert_eq!((archive.roots.len(), archive.images.len()), (2, 1));
    }

    #[test]
    fn a_layer_count_that_differs_from_the_config_is_refused() {
        let mut layout = Layout::default();
        let config = layout.json(
            media_type::CONFIG,
            &json!({"architecture": "amd64", "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(b"a").to_string()]}}),
        );
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": null});
        let manifest = layout.json(media_type::MANIFEST, &manifest);
        assert!(flaw(layout.index(&[manifest]).read()).ends_with("lists 1 layers, its manifest 0"));
    }
}
