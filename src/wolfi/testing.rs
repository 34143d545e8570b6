//! A small maker of signed packages and indexes, for tests.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::oci::Digest;

use super::gzip::{Member, NotGzip, Pushed};
use super::identity::Identity;
use super::index::Index;
use super::keys::Keys;

pub(super) const KEY_NAME: &str = "test-only.rsa.pub";
pub(super) const PUBLIC_KEY: &[u8] = include_bytes!("../../tests/fixtures/wolfi/test-only.rsa.pub");
const PRIVATE_KEY: &[u8] = include_bytes!("../../tests/fixtures/wolfi/test-only.rsa");

pub(super) fn keys() -> Keys {
    Keys::default().with(KEY_NAME, PUBLIC_KEY).unwrap()
}

/// A signature member over `message`, packed: `kind` is `RSA256` or `RSA512`.
pub(super) fn sign(kind: &str, message: &[u8]) -> Vec<u8> {
    let encoding: &dyn RsaEncoding = match kind {
        "RSA512" => &RSA_PKCS1_SHA512,
        _ => &RSA_PKCS1_SHA256,
    };
    let key = PrivatePkcs8KeyDer::from_pem_slice(PRIVATE_KEY).unwrap();
    let key = KeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message, &mut signature)
        .unwrap();
    let name = format!(".SIGN.{kind}.{KEY_NAME}");
    gzip(&member(&name, b'0', &signature, ""))
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The gzip members of a file.
pub(super) fn sections(mut file: &[u8]) -> Vec<&[u8]> {
    let mut sections = Vec::new();
    while !file.is_empty() {
        let pushed = Member::new().push(file, |_| Ok::<(), NotGzip>(()));
        let Ok(Pushed::Ended(length)) = pushed else {
            panic!("{pushed:?}");
        };
        sections.push(&file[..length]);
        file = &file[length..];
    }
    sections
}

/// One tar member: `kind` is the type flag of its header.
pub(super) fn member(path: &str, kind: u8, content: &[u8], link: &str) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(if kind == b'5' { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(content.len() as u64);
    header.set_entry_type(tar::EntryType::new(kind));
    let bytes = header.as_mut_bytes(); // `set_path` would refuse the hostile ones
    bytes[..path.len()].copy_from_slice(path.as_bytes());
    bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut member = header.as_bytes().to_vec();
    member.extend_from_slice(content);
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

/// A package to be made.
pub(super) struct Apk {
    name: String,
    version: String,
    data: Vec<u8>,
    pub(super) info: String,
    pub(super) scripts: Vec<u8>,
}

/// A made package.
pub(super) struct Made {
    pub(super) file: Vec<u8>,
    /// Its record in an index.
    pub(super) record: String,
}

impl Apk {
    pub(super) fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            data: Vec::new(),
            info: format!("pkgname = {name}\npkgver = {version}\nsize = 4096\n"),
            scripts: Vec::new(),
        }
    }

    pub(super) fn file(self, path: &str, content: &[u8]) -> Self {
        self.raw(&member(path, b'0', content, ""))
    }

    pub(super) fn directory(self, path: &str) -> Self {
        self.raw(&member(path, b'5', b"", ""))
    }

    pub(super) fn link(self, path: &str, target: &str) -> Self {
        self.raw(&member(path, b'2', b"", target))
    }

    pub(super) fn raw(mut self, member: &[u8]) -> Self {
        self.data.extend_from_slice(member);
        self
    }

    pub(super) fn make(&self) -> Made {
        let mut data = self.data.clone();
        data.extend_from_slice(&[0; 1024]);
        let data = gzip(&data);
        let info = format!("{}datahash = {}\n", self.info, Digest::of(&data).hex());
        let mut control = member(".PKGINFO", b'0', info.as_bytes(), "");
        control.extend_from_slice(&self.scripts);
        let control = gzip(&control);
        let file = [sign("RSA256", &control), control.clone(), data].concat();
        let record = format!(
            "C:{}\nP:{}\nV:{}\nA:x86_64\nS:{}\nI:4096\n\n",
            identity(&control),
            self.name,
            self.version,
            file.len()
        );
        Made { file, record }
    }
}

/// A signed index of these records.
pub(super) fn index(records: &str) -> Vec<u8> {
    let mut tar = member("DESCRIPTION", b'0', b"made for a test", "");
    tar.extend(member("APKINDEX", b'0', records.as_bytes(), ""));
    tar.extend_from_slice(&[0; 1024]);
    let packed = gzip(&tar);
    [sign("RSA256", &packed), packed].concat()
}

fn identity(control: &[u8]) -> Identity {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(control);
    Identity::from_bytes(context.finish().as_ref().try_into().unwrap())
}

/// Bytes that look random and are the same in every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

/// An index of one package per line: name, version, then fields, with `|` between: `foo 1-r0 | D:bar | k:10`.
pub(super) fn tiny(lines: &str) -> Index {
    let mut text = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut fields = line.split(" | ");
        let (name, version) = fields.next().unwrap().split_once(' ').unwrap();
        text.push_str(&format!("P:{name}\nV:{version}\n"));
        for field in fields {
            text.push_str(&format!("{field}\n"));
        }
        text.push('\n');
    }
    Index::parse(text.as_bytes(), "test")
}
