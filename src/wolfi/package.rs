//! Packages in apk's second format, checked against the index.

mod fault;
#[cfg(test)]
mod tests;
mod verified;

use std::collections::BTreeSet;

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use super::gzip::{Member, Pushed};
use super::identity::Identity;
use super::index::Package;
use super::keys::{Keys, Signature, SignatureError};
use super::untar::{Entry, EntryKind, Keep, Members, TarError, Untar, Visit};
use crate::oci::Hasher;

pub use fault::{Fault, PackageError};
pub use verified::{PackageInfo, Verified};

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

fn identity(control: &[u8]) -> Identity {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(control);
    let mut bytes = [0; 20];
    bytes.copy_from_slice(context.finish().as_ref());
    Identity::from_bytes(bytes)
}
