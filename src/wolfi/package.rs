//! Packages in apk's second format, checked against the index.

use std::collections::BTreeSet;

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use serde::{Deserialize, Serialize};

use crate::oci::{Digest, Hasher};

use super::gzip::{Member, NotGzip, Pushed};
use super::identity::Identity;
use super::index::Package;
use super::keys::{Keys, Signature, SignatureError};
use super::untar::{Entry, EntryKind, Keep, Members, TarError, Untar, Visit};

/// Limits on the first two sections, packed and unpacked, and on what is kept of the third.
const SIGNATURE_LIMIT: usize = 64 * 1024;
const CONTROL_LIMIT: usize = 8 << 20;
const SBOM_LIMIT: u64 = 32 << 20;
const ENTRIES_LIMIT: usize = 300_000;
/// How far the unpacked data may exceed what the control section states, beside the headers.
const DATA_SLACK: u64 = 64 << 20;
const ENTRY_SLACK: u64 = 8 * 1024;

/// Where a package keeps the SPDX document about itself.
const SBOM_DIRECTORY: &str = "var/lib/db/sbom/";

/// Paths that are links in a usr-merged root: a package that brings a directory of that name would replace the link.
static MERGED: [&str; 9] = [
    "bin",
    "lib",
    "lib64",
    "sbin",
    "usr/lib64",
    "usr/local/lib64",
    "usr/sbin",
    "var/lock",
    "var/run",
];

/// What a verified package holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The digest of the whole file.
    pub sha256: Digest,
    /// The size of the whole file in bytes.
    pub size: u64,
    /// What the package says about itself.
    pub info: PackageInfo,
    /// The files, directories and links, in the order of the archive.
    pub entries: Vec<Entry>,
    /// The SPDX document about the package that it carries.
    #[serde(with = "base64_bytes")]
    pub sbom: Option<Vec<u8>>,
    /// The members of the first two sections (`.SIGN…`, `.PKGINFO`, scripts), which an unpacker that takes the file
    /// for one tar stream leaves in the root.
    pub leftovers: Vec<String>,
}

/// The fields of `.PKGINFO`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageInfo {
    /// `pkgname`
    pub name: String,
    /// `pkgver`
    pub version: String,
    /// `arch`
    pub architecture: String,
    /// `origin`, the recipe
    pub origin: String,
    /// `pkgdesc`
    pub description: String,
    /// `url`
    pub url: String,
    /// `commit` of the recipe
    pub commit: String,
    /// `builddate`, seconds since 1970
    pub build_date: i64,
    /// `size`, the installed size in bytes
    pub size: u64,
    /// `license`, every line
    pub license: Vec<String>,
    /// `depend`, every line
    pub depends: Vec<String>,
    /// `provides`, every line
    pub provides: Vec<String>,
    /// `replaces`, every line
    pub replaces: Vec<String>,
    /// `triggers`, the watched directories
    pub triggers: Vec<String>,
    /// `datahash`, the SHA-256 of the packed data section in hex
    pub data_hash: String,
}

/// A package that must not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("package `{package}` is not what the index lists: {fault}")]
pub struct PackageError {
    /// The package with its version, from the index.
    pub package: String,
    /// What is wrong.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The signature of the control section does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The control section is another one than the index lists.
    #[error("its identity is `{found}`, not `{expected}`")]
    Identity {
        /// The identity in the index.
        expected: Identity,
        /// The identity of the file.
        found: Identity,
    },
    /// The data section is not the one that the control section was made for.
    #[error("its data has the SHA-256 `{found}`, not `{expected}`")]
    Data {
        /// The sum in the control section.
        expected: String,
        /// The sum of the file.
        found: String,
    },
    /// The control section describes another package.
    #[error("it calls itself `{found}`")]
    Name {
        /// Name and version in the control section.
        found: String,
    },
    /// The file is longer or shorter than the index says.
    #[error("it has {found} bytes, not {expected}")]
    Size {
        /// The size in the index.
        expected: u64,
        /// The size of the file; of a longer one, what had come until it was noticed.
        found: u64,
    },
    /// The file is not made of gzip members.
    #[error("its section {section} is not gzip")]
    Gzip {
        /// Which of the three.
        section: u8,
    },
    /// A section is no acceptable tar stream.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// The first or second section ends the archive, so that an unpacker would stop there.
    #[error("its section {section} has an end-of-archive mark")]
    EndMark {
        /// Which of the three.
        section: u8,
    },
    /// A section is larger than any package has.
    #[error("its section {section} is too large")]
    TooLarge {
        /// Which of the three.
        section: u8,
    },
    /// The control section lacks `.PKGINFO` or one of its fields.
    #[error("it does not describe itself: {lacks}")]
    Undescribed {
        /// What is missing or wrong.
        lacks: &'static str,
    },
    /// Something follows the third section.
    #[error("it goes on behind its data")]
    Trailing,
    /// The file ends early, or the check was given up.
    #[error("it is cut short")]
    Truncated,
}

/// Checks a package while its bytes come: signature, identity, hash of the data, name, size, and every path in it.
///
/// Memory is bounded by the size of the control section and the number of entries, not by the size of the package.
pub struct Verifier {
    package: String,
    expected: Package,
    keys: Keys,
    section: Section,
    member: Member,
    untar: Untar,
    packed: Vec<u8>,
    members: Members,
    unpacked: u64,
    signatures: Vec<Signature>,
    info: PackageInfo,
    leftovers: Vec<String>,
    data: Data,
    whole: Hasher,
    data_hash: Hasher,
    size: u64,
    has_failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Signature,
    Control,
    Data,
    Complete,
}

#[derive(Default)]
struct Data {
    own_sbom: String,
    entries: Vec<Entry>,
    links: BTreeSet<String>,
    files: BTreeSet<String>,
    sbom: Option<Vec<u8>>,
    is_own: bool,
}

impl From<NotGzip> for Fault {
    fn from(_: NotGzip) -> Self {
        Self::Gzip { section: 0 } // the section is filled in where it is known
    }
}

impl Verifier {
    /// Starts to check a file that should be `expected`, signed with one of `keys`.
    #[must_use]
    pub fn new(expected: &Package, keys: &Keys) -> Self {
        let package = format!("{}-{}", expected.name, expected.version);
        Self {
            data: Data {
                own_sbom: format!("{SBOM_DIRECTORY}{package}.spdx.json"),
                ..Data::default()
            },
            package,
            expected: expected.clone(),
            keys: keys.clone(),
            section: Section::Signature,
            member: Member::new(),
            untar: Untar::new(),
            packed: Vec::new(),
            members: Members::default(),
            unpacked: 0,
            signatures: Vec::new(),
            info: PackageInfo::default(),
            leftovers: Vec::new(),
            whole: Hasher::new(),
            data_hash: Hasher::new(),
            size: 0,
            has_failed: false,
        }
    }

    /// Takes the next bytes of the file.
    ///
    /// # Errors
    ///
    /// Something is already known to be wrong; nothing more needs to be pushed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), PackageError> {
        if self.has_failed {
            return Err(self.error(Fault::Truncated));
        }
        self.take(bytes).map_err(|fault| {
            self.has_failed = true;
            self.error(fault)
        })
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// The package is not complete, or not the expected one.
    pub fn finish(self) -> Result<Verified, PackageError> {
        let package = self.package.clone();
        self.check()
            .map_err(|fault| PackageError { package, fault })
    }

    fn error(&self, fault: Fault) -> PackageError {
        PackageError {
            package: self.package.clone(),
            fault,
        }
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        self.size += bytes.len() as u64;
        if self.size > self.expected.size {
            return Err(self.wrong_size());
        }
        self.whole.update(bytes);
        while !bytes.is_empty() {
            let pushed = match self.section {
                Section::Signature | Section::Control => self.take_small(bytes)?,
                Section::Data => self.take_data(bytes)?,
                Section::Complete => return Err(Fault::Trailing),
            };
            bytes = match pushed {
                Pushed::All => &[],
                Pushed::Ended(length) => {
                    self.end_section()?;
                    &bytes[length..]
                }
            };
        }
        Ok(())
    }

    fn take_small(&mut self, bytes: &[u8]) -> Result<Pushed, Fault> {
        let (section, limit) = match self.section {
            Section::Signature => (1, SIGNATURE_LIMIT),
            _ => (2, CONTROL_LIMIT),
        };
        let (untar, members) = (&mut self.untar, &mut self.members);
        let unpacked = &mut self.unpacked;
        let pushed = self.member.push(bytes, |piece| {
            *unpacked += piece.len() as u64;
            if *unpacked > limit as u64 {
                return Err(Fault::TooLarge { section });
            }
            let pushed = untar.push(piece, members);
            if section == 1 && members.is_unsigned {
                return Err(SignatureError::Unsigned.into());
            }
            Ok(pushed?)
        });
        let pushed = pushed.map_err(|fault| fault.in_section(section))?;
        let length = match pushed {
            Pushed::All => bytes.len(),
            Pushed::Ended(length) => length,
        };
        self.packed.extend_from_slice(&bytes[..length]);
        if self.packed.len() > limit {
            return Err(Fault::TooLarge { section });
        }
        Ok(pushed)
    }

    fn take_data(&mut self, bytes: &[u8]) -> Result<Pushed, Fault> {
        let (untar, data) = (&mut self.untar, &mut self.data);
        let (unpacked, stated) = (&mut self.unpacked, self.info.size);
        let pushed = self.member.push(bytes, |piece| {
            *unpacked += piece.len() as u64;
            let headers = ENTRY_SLACK * (data.entries.len() as u64 + 1);
            if *unpacked
                > stated
                    .saturating_mul(2)
                    .saturating_add(DATA_SLACK + headers)
            {
                return Err(Fault::TooLarge { section: 3 });
            }
            Ok(untar.push(piece, data)?)
        });
        let pushed = pushed.map_err(|fault| fault.in_section(3))?;
        let length = match pushed {
            Pushed::All => bytes.len(),
            Pushed::Ended(length) => length,
        };
        self.data_hash.update(&bytes[..length]);
        Ok(pushed)
    }

    fn end_section(&mut self) -> Result<(), Fault> {
        let untar = std::mem::replace(&mut self.untar, Untar::new());
        let has_end_mark = untar.finish()?;
        self.member = Member::new();
        let members = std::mem::take(&mut self.members);
        self.unpacked = 0;
        let packed = std::mem::take(&mut self.packed);
        self.leftovers
            .extend(members.members.iter().map(|(name, _)| name.clone()));
        let section = match self.section {
            Section::Signature => 1,
            _ => 2,
        };
        if has_end_mark && matches!(self.section, Section::Signature | Section::Control) {
            return Err(Fault::EndMark { section });
        }
        self.section = match self.section {
            Section::Signature => {
                self.signatures = members.into_signatures();
                Section::Control
            }
            Section::Control => {
                self.check_control(members, &packed)?;
                Section::Data
            }
            Section::Data | Section::Complete => Section::Complete,
        };
        Ok(())
    }

    fn check_control(&mut self, members: Members, packed: &[u8]) -> Result<(), Fault> {
        self.keys.verify(&self.signatures, packed)?;
        let found = identity(packed);
        let expected = self.expected.identity;
        if found != expected {
            return Err(Fault::Identity { expected, found });
        }
        let info = members
            .members
            .iter()
            .find(|(name, _)| name == ".PKGINFO")
            .ok_or(Fault::Undescribed {
                lacks: "there is no `.PKGINFO`",
            })?;
        self.info = PackageInfo::parse(&String::from_utf8_lossy(&info.1));
        let is_expected = self.info.name == self.expected.name
            && self.info.version == self.expected.version.as_str();
        if !is_expected {
            let found = format!("{}-{}", self.info.name, self.info.version);
            return Err(Fault::Name { found });
        }
        if self.info.data_hash.len() != 64 {
            return Err(Fault::Undescribed {
                lacks: "there is no `datahash`",
            });
        }
        Ok(())
    }

    fn check(self) -> Result<Verified, Fault> {
        if self.has_failed || self.section != Section::Complete {
            return Err(Fault::Truncated);
        }
        if self.size != self.expected.size {
            return Err(self.wrong_size());
        }
        let found = self.data_hash.finish().hex();
        if found != self.info.data_hash {
            return Err(Fault::Data {
                expected: self.info.data_hash,
                found,
            });
        }
        Ok(Verified {
            sha256: self.whole.finish(),
            size: self.size,
            info: self.info,
            entries: self.data.entries,
            sbom: self.data.sbom,
            leftovers: self.leftovers,
        })
    }

    fn wrong_size(&self) -> Fault {
        Fault::Size {
            expected: self.expected.size,
            found: self.size,
        }
    }
}

impl Fault {
    fn in_section(self, section: u8) -> Self {
        match self {
            Self::Gzip { .. } => Self::Gzip { section },
            other => other,
        }
    }
}

impl Visit for Data {
    fn entry(&mut self, entry: Entry) -> Result<Keep, TarError> {
        if self.entries.len() >= ENTRIES_LIMIT {
            return Err(TarError::TooLarge);
        }
        let is_below_link = entry
            .path
            .match_indices('/')
            .any(|(end, _)| self.links.contains(&entry.path[..end]));
        if is_below_link {
            return Err(TarError::BelowLink { path: entry.path });
        }
        match (entry.kind, &entry.link) {
            (EntryKind::Hardlink, Some(link)) if !self.files.contains(link) => {
                return Err(TarError::Link {
                    link: link.clone(),
                    path: entry.path,
                });
            }
            (EntryKind::Symlink, _) => {
                self.links.insert(entry.path.clone());
            }
            (EntryKind::File | EntryKind::Hardlink, _) => {
                self.files.insert(entry.path.clone());
            }
            _ => {}
        }
        let keep = self.keeps(&entry);
        self.entries.push(entry);
        Ok(if keep { Keep::Content } else { Keep::Nothing })
    }

    fn content(&mut self, bytes: Vec<u8>) {
        self.sbom = Some(bytes);
    }
}

impl Data {
    // The document of the package's own name, else the first one.
    fn keeps(&mut self, entry: &Entry) -> bool {
        let is_document = entry.kind == EntryKind::File
            && entry.size <= SBOM_LIMIT
            && entry.path.starts_with(SBOM_DIRECTORY)
            && entry.path.ends_with(".spdx.json");
        let is_own = entry.path == self.own_sbom;
        let keeps = is_document && !self.is_own && (is_own || self.sbom.is_none());
        self.is_own |= keeps && is_own;
        keeps
    }
}

impl Verified {
    /// The entries that would replace a link of a usr-merged root (`/lib`, `/bin` …) by a directory or file, or that
    /// lie below one.
    pub fn merge_breakers(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| {
            MERGED.iter().any(|merged| {
                entry
                    .path
                    .strip_prefix(merged)
                    .is_some_and(|rest| match rest.is_empty() {
                        true => entry.kind != EntryKind::Symlink,
                        false => rest.starts_with('/'),
                    })
            })
        })
    }
}

impl PackageInfo {
    /// Reads the text of a `.PKGINFO`: `key = value` lines, `#` begins a comment.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut info = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim();
            let owned = || value.to_owned();
            match key.trim() {
                "pkgname" => info.name = owned(),
                "pkgver" => info.version = owned(),
                "arch" => info.architecture = owned(),
                "origin" => info.origin = owned(),
                "pkgdesc" => info.description = owned(),
                "url" => info.url = owned(),
                "commit" => info.commit = owned(),
                "builddate" => info.build_date = value.parse().unwrap_or(0),
                "size" => info.size = value.parse().unwrap_or(0),
                "license" => info.license.push(owned()),
                "depend" => info.depends.push(owned()),
                "provides" => info.provides.push(owned()),
                "replaces" => info.replaces.push(owned()),
                "triggers" => info
                    .triggers
                    .extend(value.split_ascii_whitespace().map(str::to_owned)),
                "datahash" => info.data_hash = value.to_ascii_lowercase(),
                _ => {}
            }
        }
        info
    }
}

fn identity(control: &[u8]) -> Identity {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(control);
    let mut bytes = [0; 20];
    bytes.copy_from_slice(context.finish().as_ref());
    Identity::from_bytes(bytes)
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bytes
            .as_ref()
            .map(|bytes| STANDARD.encode(bytes))
            .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| STANDARD.decode(text).map_err(D::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests;
