//! Writes APKv2 packages and signed indexes, for repositories that tests make themselves.
//!
//! The bytes are cut as genuine ones are: a package is three gzip members (signature, control,
//! data) whose tars concatenate to one valid stream, an index is two. The same input gives the
//! same bytes.
#![allow(
    dead_code,
    reason = "every test that includes this file uses its own part of it"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use tar::{EntryType, Header};

/// The time of everything that is written, in seconds since 1970: 22 August 2026.
pub(crate) const EPOCH: u64 = 1_787_356_800;

/// The kinds of scripts, by their member names in the control section.
pub(crate) const SCRIPTS: [&str; 7] = [
    ".post-deinstall",
    ".post-install",
    ".post-upgrade",
    ".pre-deinstall",
    ".pre-install",
    ".pre-upgrade",
    ".trigger",
];

const BLOCK: usize = 512;
const END_OF_ARCHIVE: usize = 2 * BLOCK;
const DIRECTORY_SIZE: u64 = 4096;
const TEST_KEY: &str = include_str!("test-only.rsa");

/// An RSA key that signs packages and indexes.
pub(crate) struct Key {
    name: String,
    pair: RsaKeyPair,
}

impl Key {
    /// The key of the tests: everybody has its private half, nobody may trust it.
    pub(crate) fn test() -> Self {
        Self::from_pem("test-only.rsa.pub", TEST_KEY).expect("the key beside this file is valid")
    }

    /// Reads an unencrypted PKCS#8 key; `name` is the file name of its public half.
    pub(crate) fn from_pem(name: &str, pem: &str) -> Result<Self, String> {
        let body: String = pem
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let der = BASE64
            .decode(body)
            .map_err(|error| format!("key is no PEM: {error}"))?;
        let pair =
            RsaKeyPair::from_pkcs8(&der).map_err(|error| format!("key is refused: {error}"))?;
        Ok(Self {
            name: name.to_owned(),
            pair,
        })
    }

    /// The file name that signatures carry, such as `test-only.rsa.pub`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The same key under another file name.
    pub(crate) fn renamed(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The public half as a PKCS#1 structure, as `ring` verifies with it.
    pub(crate) fn public_der(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The public half as `PEM` (SubjectPublicKeyInfo), as it lies in `/etc/apk/keys`.
    pub(crate) fn public_pem(&self) -> String {
        // AlgorithmIdentifier of rsaEncryption with its NULL parameter (RFC 8017, A.1).
        const ALGORITHM: [u8; 15] = [
            0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
            0x00,
        ];
        let mut bits = vec![0];
        bits.extend_from_slice(self.public_der());
        let mut body = ALGORITHM.to_vec();
        body.extend(der(0x03, &bits));
        let text = BASE64.encode(der(0x30, &body));
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = tail;
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        pem
    }

    /// The gzip member that stands before `signed` bytes: a cut tar with one signature.
    fn signature(&self, signed: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed,
                &mut signature,
            )
            .expect("the signature is as long as the modulus");
        let mut tar = Tar::new();
        tar.file(&format!(".SIGN.RSA256.{}", self.name), 0o644, &signature);
        gzip(&tar.cut())
    }
}

/// What a path in a package is.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// A directory.
    Directory {
        /// Permission bits.
        mode: u32,
    },
    /// A regular file.
    File {
        /// Permission bits, with setuid and its like.
        mode: u32,
        /// Where its bytes are.
        content: Content,
    },
    /// A symbolic link.
    Link {
        /// Its text, as it is.
        target: String,
    },
}

/// The bytes of a file.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// At hand.
    Bytes(Vec<u8>),
    /// On disk, read while the package is written.
    Path(PathBuf),
}

impl Content {
    /// The bytes, read from disk if they lie there.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Path(path) => std::fs::read(path),
        }
    }
}

/// A package before it is written.
///
/// `Package::new("foo", "1.2.3-r0").depends(["so:libc.so.6"]).file("usr/bin/foo", 0o755, "…").build(&key)`
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// `P:`
    pub(crate) name: String,
    /// `V:`, with its `-rN`.
    pub(crate) version: String,
    /// `A:`
    pub(crate) architecture: String,
    /// `T:`
    pub(crate) description: String,
    /// `U:`
    pub(crate) url: String,
    /// `L:`, an SPDX expression.
    pub(crate) license: String,
    /// `o:`
    pub(crate) origin: String,
    /// `c:`
    pub(crate) commit: String,
    /// `D:`
    pub(crate) depends: Vec<String>,
    /// `p:`
    pub(crate) provides: Vec<String>,
    /// `replaces` of .PKGINFO; no index has it.
    pub(crate) replaces: Vec<String>,
    /// `k:`
    pub(crate) provider_priority: Option<i32>,
    /// Directories whose change runs `.trigger`.
    pub(crate) triggers: Vec<String>,
    /// Further members of the control section, by member name: scripts and `.melange.yaml`.
    pub(crate) control: BTreeMap<String, Vec<u8>>,
    /// What is installed, by path without a leading slash.
    pub(crate) tree: BTreeMap<String, Node>,
    /// `size` and `I:` where they shall be something else than the true sum.
    pub(crate) installed_size: Option<u64>,
    /// Who wrote the SPDX document at `var/lib/db/sbom`, such as `Tool: …`; none, no document.
    pub(crate) sbom_creator: Option<String>,
    /// A purl of what the package was made of, for its SPDX document.
    pub(crate) source: Option<String>,
}

impl Package {
    /// A package for x86_64 with nothing in it but its SPDX document.
    pub(crate) fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: "x86_64".to_owned(),
            description: format!("{name} of a test"),
            url: String::new(),
            license: "Apache-2.0".to_owned(),
            origin: name.to_owned(),
            commit: String::new(),
            depends: Vec::new(),
            provides: Vec::new(),
            replaces: Vec::new(),
            provider_priority: None,
            triggers: Vec::new(),
            control: BTreeMap::new(),
            tree: BTreeMap::new(),
            installed_size: None,
            sbom_creator: Some("Tool: peelbox-tests".to_owned()),
            source: None,
        }
    }

    /// Adds dependencies.
    pub(crate) fn depends<T: Into<String>>(mut self, atoms: impl IntoIterator<Item = T>) -> Self {
        self.depends.extend(atoms.into_iter().map(Into::into));
        self
    }

    /// Adds provided names.
    pub(crate) fn provides<T: Into<String>>(mut self, atoms: impl IntoIterator<Item = T>) -> Self {
        self.provides.extend(atoms.into_iter().map(Into::into));
        self
    }

    /// Sets the provider priority.
    pub(crate) fn priority(mut self, priority: i32) -> Self {
        self.provider_priority = Some(priority);
        self
    }

    /// Sets the recipe the package comes from.
    pub(crate) fn origin(mut self, origin: &str) -> Self {
        origin.clone_into(&mut self.origin);
        self
    }

    /// Sets the licence expression.
    pub(crate) fn license(mut self, license: &str) -> Self {
        license.clone_into(&mut self.license);
        self
    }

    /// Adds a file; its parents come by themselves.
    pub(crate) fn file(self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        self.node(
            path,
            Node::File {
                mode,
                content: Content::Bytes(bytes.into()),
            },
        )
    }

    /// Adds a symbolic link.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.node(
            path,
            Node::Link {
                target: target.to_owned(),
            },
        )
    }

    /// Adds a directory with a mode of its own.
    pub(crate) fn directory(self, path: &str, mode: u32) -> Self {
        self.node(path, Node::Directory { mode })
    }

    /// Adds anything.
    pub(crate) fn node(mut self, path: &str, node: Node) -> Self {
        self.tree.insert(path.to_owned(), node);
        self
    }

    /// Adds a member of the control section, such as `.post-install`.
    pub(crate) fn script(mut self, member: &str, text: &str) -> Self {
        self.control
            .insert(member.to_owned(), text.as_bytes().to_vec());
        self
    }

    /// Pretends an installed size.
    pub(crate) fn size(mut self, size: u64) -> Self {
        self.installed_size = Some(size);
        self
    }

    /// Leaves the SPDX document out.
    pub(crate) fn without_sbom(mut self) -> Self {
        self.sbom_creator = None;
        self
    }

    /// Where the SPDX document lies.
    pub(crate) fn sbom_path(&self) -> String {
        format!("var/lib/db/sbom/{}-{}.spdx.json", self.name, self.version)
    }

    /// Writes the package, signed.
    ///
    /// # Errors
    /// When a file on disk cannot be read.
    pub(crate) fn try_build(&self, key: &Key) -> io::Result<Built> {
        self.write(Some(key))
    }

    /// Writes a package whose files are all at hand, signed.
    pub(crate) fn build(&self, key: &Key) -> Built {
        self.write(Some(key)).expect("the files are at hand")
    }

    /// Writes a package that lacks its first member.
    pub(crate) fn build_unsigned(&self) -> Built {
        self.write(None).expect("the files are at hand")
    }

    fn write(&self, key: Option<&Key>) -> io::Result<Built> {
        let tree = self.complete();
        let mut data = Tar::new();
        let mut size = 0;
        for (path, node) in &tree {
            size += data.node(path, node)?;
        }
        let size = self.installed_size.unwrap_or(size);
        let data = gzip(&data.end());
        let mut control = Tar::new();
        control.file(
            ".PKGINFO",
            0o644,
            self.pkginfo(size, &hex(&sha256(&data))).as_bytes(),
        );
        for (member, bytes) in &self.control {
            let mode = if SCRIPTS.contains(&member.as_str()) {
                0o755
            } else {
                0o644
            };
            control.file(member, mode, bytes);
        }
        let control = gzip(&control.cut());
        let mut bytes = key.map(|key| key.signature(&control)).unwrap_or_default();
        let signature = bytes.len();
        bytes.extend_from_slice(&control);
        let middle = bytes.len();
        bytes.extend_from_slice(&data);
        let identity = format!("Q1{}", BASE64.encode(sha1(&control)));
        Ok(Built {
            file_name: format!("{}-{}.apk", self.name, self.version),
            record: self.record(&identity, bytes.len(), size),
            identity,
            paths: tree.into_keys().collect(),
            control: signature..middle,
            data: middle..bytes.len(),
            bytes,
        })
    }

    /// The tree with parents and SPDX document.
    fn complete(&self) -> BTreeMap<String, Node> {
        let mut tree = self.tree.clone();
        if let Some(creator) = &self.sbom_creator {
            let content = Content::Bytes(self.sbom(creator).into_bytes());
            tree.insert(
                self.sbom_path(),
                Node::File {
                    mode: 0o644,
                    content,
                },
            );
        }
        let mut parents = BTreeSet::new();
        for path in tree.keys() {
            let mut parent = path.as_str();
            while let Some((head, _)) = parent.rsplit_once('/') {
                parents.insert(head.to_owned());
                parent = head;
            }
        }
        for parent in parents {
            tree.entry(parent)
                .or_insert(Node::Directory { mode: 0o755 });
        }
        tree
    }

    fn pkginfo(&self, size: u64, datahash: &str) -> String {
        let mut text = String::from("# Generated by the test repository of peelbox\n");
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(text, "{key} = {value}"); // a String takes everything
        };
        line("pkgname", &self.name);
        line("pkgver", &self.version);
        line("arch", &self.architecture);
        line("size", &size.to_string());
        line("origin", &self.origin);
        line("pkgdesc", &self.description);
        line("url", &self.url);
        line("commit", &self.commit);
        line("builddate", &EPOCH.to_string());
        line("license", &self.license);
        for (key, values) in [
            ("depend", &self.depends),
            ("provides", &self.provides),
            ("replaces", &self.replaces),
        ] {
            for value in values {
                line(key, value);
            }
        }
        if let Some(priority) = self.provider_priority {
            line("provider_priority", &priority.to_string());
        }
        if !self.triggers.is_empty() {
            line("triggers", &self.triggers.join(" "));
        }
        line("datahash", datahash);
        text
    }

    fn record(&self, identity: &str, bytes: usize, size: u64) -> String {
        let mut text = String::new();
        let mut line = |key: char, value: &str| {
            if !value.is_empty() {
                let _ = writeln!(text, "{key}:{value}"); // a String takes everything
            }
        };
        line('C', identity);
        line('P', &self.name);
        line('V', &self.version);
        line('A', &self.architecture);
        line('S', &bytes.to_string());
        line('I', &size.to_string());
        line('T', &self.description);
        line('U', &self.url);
        line('L', &self.license);
        line('o', &self.origin);
        line('t', &EPOCH.to_string());
        line('c', &self.commit);
        line('D', &self.depends.join(" "));
        line('p', &self.provides.join(" "));
        if let Some(priority) = self.provider_priority {
            line('k', &priority.to_string());
        }
        text
    }

    fn sbom(&self, creator: &str) -> String {
        let id = format!("SPDXRef-Package-{}-{}", self.name, self.version);
        let id: String = id
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || ".-".contains(c) {
                    c
                } else {
                    '-'
                }
            })
            .collect();
        let namespace = hex(&sha256(format!("{id} {creator}").as_bytes()));
        let purl = format!(
            "pkg:apk/wolfi/{}@{}?arch={}",
            self.name.replace('+', "%2B"),
            self.version,
            self.architecture
        );
        let mut packages = vec![self.sbom_package(&id, &self.name, &self.version, &purl)];
        let mut relationships = Vec::new();
        if let Some(source) = &self.source {
            let (name, version) = source.rsplit_once('@').unwrap_or((source, ""));
            let name = name.rsplit('/').next().unwrap_or(name);
            packages.push(self.sbom_package("SPDXRef-Package-source", name, version, source));
            relationships.push(serde_json::json!({
                "spdxElementId": id, "relationshipType": "GENERATED_FROM",
                "relatedSpdxElement": "SPDXRef-Package-source",
            }));
        }
        let document = serde_json::json!({
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": format!("apk-{}-{}", self.name, self.version),
            "spdxVersion": "SPDX-2.3",
            "creationInfo": { "created": "2026-08-22T00:00:00Z", "creators": [creator] },
            "dataLicense": "CC0-1.0",
            "documentNamespace": format!("https://spdx.org/spdxdocs/peelbox-tests/{namespace}"),
            "documentDescribes": [id],
            "packages": packages,
            "relationships": relationships,
        });
        let mut text = format!("{document:#}");
        text.push('\n');
        text
    }

    fn sbom_package(&self, id: &str, name: &str, version: &str, purl: &str) -> serde_json::Value {
        let is_apk = purl.starts_with("pkg:apk/");
        serde_json::json!({
            "SPDXID": id,
            "name": name,
            "versionInfo": version,
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": if is_apk { self.license.as_str() } else { "NOASSERTION" },
            "downloadLocation": "NOASSERTION",
            "originator": "Organization: test stand-in",
            "supplier": "Organization: test stand-in",
            "copyrightText": "NOASSERTION",
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceLocator": purl,
                "referenceType": "purl",
            }],
        })
    }
}

/// A package as it lies in a repository.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    /// `<name>-<version>.apk`
    pub(crate) file_name: String,
    /// The whole file.
    pub(crate) bytes: Vec<u8>,
    /// Its record in an index, without the empty line behind it.
    pub(crate) record: String,
    /// `C:`
    pub(crate) identity: String,
    /// Every path in it, directories too.
    pub(crate) paths: Vec<String>,
    /// Where the control member is; the signature is before it.
    pub(crate) control: Range<usize>,
    /// Where the data member is.
    pub(crate) data: Range<usize>,
}

/// Writes a signed index of records, in the order given.
pub(crate) fn index<'a>(
    description: &str,
    records: impl IntoIterator<Item = &'a str>,
    key: &Key,
) -> Vec<u8> {
    let unsigned = unsigned_index(description, records);
    let mut bytes = key.signature(&unsigned);
    bytes.extend(unsigned);
    bytes
}

/// Writes an index that lacks its signature.
pub(crate) fn unsigned_index<'a>(
    description: &str,
    records: impl IntoIterator<Item = &'a str>,
) -> Vec<u8> {
    let mut text = String::new();
    for record in records {
        text.push_str(record);
        text.push('\n');
    }
    let mut tar = Tar::new();
    tar.file("DESCRIPTION", 0o644, description.as_bytes());
    tar.file("APKINDEX", 0o644, text.as_bytes());
    gzip(&tar.end())
}

/// A ustar archive in memory, with the PAX records that apk reads.
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// A file without a checksum record, as in the control section.
    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        self.member(&[], path, EntryType::Regular, mode, "", bytes);
    }

    /// A path of the data section; returns what it counts in the installed size.
    pub(crate) fn node(&mut self, path: &str, node: &Node) -> io::Result<u64> {
        const SHA1: &str = "APK-TOOLS.checksum.SHA1";
        match node {
            Node::Directory { mode } => {
                self.member(&[], path, EntryType::Directory, *mode, "", &[]);
                Ok(DIRECTORY_SIZE)
            }
            Node::Link { target } => {
                let sum = hex(&sha1(target.as_bytes()));
                self.member(
                    &[(SHA1, &sum)],
                    path,
                    EntryType::Symlink,
                    0o777,
                    target,
                    &[],
                );
                Ok(target.len() as u64)
            }
            Node::File { mode, content } => {
                let bytes = content.read()?;
                let sum = hex(&sha1(&bytes));
                self.member(&[(SHA1, &sum)], path, EntryType::Regular, *mode, "", &bytes);
                Ok(bytes.len() as u64)
            }
        }
    }

    /// A directory of an account.
    pub(crate) fn home(&mut self, path: &str, mode: u32, account: u64) {
        self.member(&[], path, EntryType::Directory, mode, "", &[]);
        let at = self.0.len() - BLOCK;
        let mut header = Header::new_ustar();
        header.as_mut_bytes().copy_from_slice(&self.0[at..]);
        header.set_uid(account);
        header.set_gid(account);
        let _ = header.set_username(""); // fits
        let _ = header.set_groupname(""); // fits
        header.set_cksum();
        self.0[at..].copy_from_slice(header.as_bytes());
    }

    fn member(
        &mut self,
        records: &[(&str, &str)],
        path: &str,
        kind: EntryType,
        mode: u32,
        target: &str,
        bytes: &[u8],
    ) {
        let mut header = Header::new_ustar();
        let mut long = Vec::new();
        if header.set_path(path).is_err() {
            long.push(("path", path));
            let _ = header.set_path("long"); // readers take the PAX record
        }
        if !target.is_empty() && header.set_link_name_literal(target).is_err() {
            long.push(("linkpath", target));
        }
        long.extend_from_slice(records);
        if !long.is_empty() {
            let body: String = long.iter().map(|(key, value)| pax(key, value)).collect();
            let mut extension = Header::new_ustar();
            let _ = extension.set_path("PaxHeaders/member"); // its own name is never looked at
            self.append(extension, EntryType::XHeader, 0o644, body.as_bytes());
        }
        self.append(header, kind, mode, bytes);
    }

    fn append(&mut self, mut header: Header, kind: EntryType, mode: u32, bytes: &[u8]) {
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(EPOCH);
        header.set_size(bytes.len() as u64);
        let _ = header.set_username("root"); // fits
        let _ = header.set_groupname("root"); // fits
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
    }

    /// The archive without its end, so that another may follow.
    pub(crate) fn cut(self) -> Vec<u8> {
        self.0
    }

    /// The archive with its end.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + END_OF_ARCHIVE, 0);
        self.0
    }
}

/// One gzip member without a name and a time.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(1));
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
    }
    text
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

/// SHA-1, which the format names its members and its packages by.
pub(crate) fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes)
        .as_ref()
        .to_vec()
}

/// One PAX record, whose length counts itself.
fn pax(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

/// One DER element with a definite length.
fn der(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    if body.len() < 0x80 {
        bytes.push(u8::try_from(body.len()).expect("below 128"));
    } else {
        let length = body.len().to_be_bytes();
        let first = length.iter().position(|byte| *byte != 0).expect("not zero");
        bytes.push(0x80 | u8::try_from(length.len() - first).expect("at most 8"));
        bytes.extend_from_slice(&length[first..]);
    }
    bytes.extend_from_slice(body);
    bytes
}
