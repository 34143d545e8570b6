//! What a package was found to hold.

use serde::{Deserialize, Serialize};

use super::super::untar::{Entry, EntryKind};
use crate::oci::Digest;

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
