//! Reads archives of images and files of packages, independently of the program under test.
#![allow(
    dead_code,
    reason = "every test that includes this file uses its own part of it"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use ring::digest::{Context, SHA256, digest};
use serde_json::Value;
use tar::EntryType;

/// An archive of one image with its attestations.
pub(crate) struct Image {
    path: PathBuf,
    blobs: BTreeMap<String, (u64, u64)>,
    /// The digest of the image's manifest.
    pub(crate) manifest: String,
    /// The image's configuration.
    pub(crate) config: Value,
    /// The layers, lowest first.
    pub(crate) layers: Vec<BTreeMap<String, Entry>>,
    /// The statements of the attestation manifest, by the type of their predicates.
    pub(crate) statements: BTreeMap<String, Vec<u8>>,
}

/// An entry of a tar.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: EntryType,
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    pub(crate) time: u64,
    pub(crate) size: u64,
    /// The target of a link, else nothing.
    pub(crate) target: String,
    /// The digest of a file's content.
    pub(crate) sha256: String,
}

impl Image {
    /// Reads the archive at `path`; every blob must have the digest that it is named after.
    pub(crate) fn read(path: &Path) -> Self {
        let mut image = Self {
            path: path.to_owned(),
            blobs: blobs(path),
            manifest: String::new(),
            config: Value::Null,
            layers: Vec::new(),
            statements: BTreeMap::new(),
        };
        let top = json(&image.file("index.json"));
        let roots = list(&top["manifests"]);
        assert_eq!(roots.len(), 1, "{top}");
        let root = image.blob(text(&roots[0]["digest"]));
        match root.get("manifests") {
            None => image.take_manifest(text(&roots[0]["digest"])),
            Some(manifests) => {
                for descriptor in list(manifests) {
                    let digest = text(&descriptor["digest"]);
                    let kind = &descriptor["annotations"]["vnd.docker.reference.type"];
                    match kind.as_str() {
                        Some("attestation-manifest") => {
                            assert_eq!(
                                descriptor["annotations"]["vnd.docker.reference.digest"],
                                Value::String(image.manifest.clone())
                            );
                            image.take_statements(digest);
                        }
                        _ => image.take_manifest(digest),
                    }
                }
            }
        }
        image
    }

    /// All files of the image, upper layers over lower ones.
    pub(crate) fn flattened(&self) -> BTreeMap<String, Entry> {
        let mut all: BTreeMap<String, Entry> = BTreeMap::new();
        for layer in &self.layers {
            for path in layer.keys() {
                let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
                let Some(hidden) = name.strip_prefix(".wh.") else {
                    continue;
                };
                let below = match (hidden, parent) {
                    (".wh..opq", "") => String::new(),
                    (".wh..opq", parent) => format!("{parent}/"),
                    (hidden, "") => hidden.to_owned(),
                    (hidden, parent) => format!("{parent}/{hidden}"),
                };
                all.retain(|path, _| {
                    !(path == &below
                        || path.starts_with(below.trim_end_matches('/'))
                            && path[below.trim_end_matches('/').len()..].starts_with('/'))
                });
            }
            for (path, entry) in layer {
                if !path.rsplit('/').next().unwrap().starts_with(".wh.") {
                    all.insert(path.clone(), entry.clone());
                }
            }
        }
        all
    }

    /// Whether `needle` is anywhere in the archive, layers unpacked.
    pub(crate) fn holds(&self, needle: &[u8]) -> bool {
        self.blobs.keys().any(|name| {
            let raw = self.open(name);
            contains(&mut { raw }, needle)
                || contains(&mut MultiGzDecoder::new(self.open(name)), needle)
        })
    }

    fn take_manifest(&mut self, digest: &str) {
        let manifest = self.blob(digest);
        self.manifest = digest.to_owned();
        self.config = self.blob(text(&manifest["config"]["digest"]));
        for layer in list(&manifest["layers"]) {
            let blob = self.open(&blob_path(text(&layer["digest"])));
            self.layers.push(entries(MultiGzDecoder::new(blob), false));
        }
    }

    fn take_statements(&mut self, digest: &str) {
        let manifest = self.blob(digest);
        for layer in list(&manifest["layers"]) {
            let kind = text(&layer["annotations"]["in-toto.io/predicate-type"]).to_owned();
            let statement = self.file(&blob_path(text(&layer["digest"])));
            assert!(self.statements.insert(kind, statement).is_none());
        }
    }

    fn blob(&self, digest: &str) -> Value {
        json(&self.file(&blob_path(digest)))
    }

    fn file(&self, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.open(name).read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn open(&self, name: &str) -> impl Read + use<> {
        let (from, size) = self.blobs[name];
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(from)).unwrap();
        file.take(size)
    }
}

fn blobs(path: &Path) -> BTreeMap<String, (u64, u64)> {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let mut blobs = BTreeMap::new();
    for entry in archive.entries_with_seek().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        if let Some(expected) = name.strip_prefix("blobs/sha256/") {
            assert_eq!(hash(&mut entry), expected, "{}", path.display());
        }
        blobs.insert(name, (entry.raw_file_position(), entry.size()));
    }
    blobs
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

/// The entries of a tar by their paths, without a slash at either end; a package's own bookkeeping is left out on demand.
fn entries(reader: impl Read, is_package: bool) -> BTreeMap<String, Entry> {
    let mut archive = tar::Archive::new(reader);
    let mut entries = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let path = path.trim_start_matches("./").trim_matches('/').to_owned();
        if path.is_empty() || is_package && path.starts_with('.') && !path.contains('/') {
            continue;
        }
        let target = entry.link_name().unwrap();
        let target = target.map_or_else(String::new, |path| path.to_str().unwrap().to_owned());
        let header = entry.header().clone();
        entries.insert(
            path,
            Entry {
                kind: header.entry_type(),
                mode: header.mode().unwrap() & 0o7777,
                owner: (header.uid().unwrap(), header.gid().unwrap()),
                time: header.mtime().unwrap(),
                size: entry.size(),
                target,
                sha256: hash(&mut entry),
            },
        );
    }
    entries
}

/// An apk as it is served.
pub(crate) struct Apk {
    /// The digest of the whole file.
    pub(crate) sha256: String,
    /// What it installs.
    pub(crate) entries: BTreeMap<String, Entry>,
}

impl Apk {
    /// Reads an apk; its three parts make one tar.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        Self {
            sha256: hex(digest(&SHA256, bytes).as_ref()),
            entries: entries(MultiGzDecoder::new(bytes), true),
        }
    }
}

/// The directories above `paths`.
pub(crate) fn parents<'a>(paths: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    let mut parents = BTreeSet::new();
    for path in paths {
        let mut path = path.as_str();
        while let Some((parent, _)) = path.rsplit_once('/') {
            parents.insert(parent.to_owned());
            path = parent;
        }
    }
    parents
}

/// Whether `needle` is in what `reader` gives; what cannot be read on does not hold it.
pub(crate) fn contains(reader: &mut impl Read, needle: &[u8]) -> bool {
    let mut buffer = vec![0; 1 << 20];
    let mut kept = 0;
    loop {
        let Ok(length @ 1..) = reader.read(&mut buffer[kept..]) else {
            return false;
        };
        let end = kept + length;
        if buffer[..end]
            .windows(needle.len())
            .any(|window| window == needle)
        {
            return true;
        }
        kept = end.min(needle.len() - 1);
        buffer.copy_within(end - kept..end, 0);
    }
}

fn hash(reader: &mut impl Read) -> String {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => return hex(context.finish().as_ref()),
            length => context.update(&buffer[..length]),
        }
    }
}

/// The digest of `bytes`, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().expect("a list").clone()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
