//! One record of an index.

use std::collections::BTreeMap;

use super::super::atom::{Atom, Provide};
use super::super::identity::Identity;
use super::super::version::Version;

/// One version of one package, as the index describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The name (`P:`).
    pub name: String,
    /// The version (`V:`), which may be no valid one.
    pub version: Version,
    /// The architecture in apk's words (`A:`), `x86_64` or `aarch64`.
    pub architecture: String,
    /// The recipe that the package came from (`o:`), which vulnerability data is keyed by.
    pub origin: String,
    /// The first licence of the recipe (`L:`), an SPDX expression where it is right.
    pub license: String,
    /// One line about the package (`T:`).
    pub description: String,
    /// The home page (`U:`), often empty.
    pub url: String,
    /// Who maintains it (`m:`).
    pub maintainer: String,
    /// The commit of the recipe (`c:`).
    pub commit: String,
    /// The identity (`C:`), the SHA-1 of the control section.
    pub identity: Identity,
    /// The size of the file in bytes (`S:`).
    pub size: u64,
    /// The installed size in bytes (`I:`).
    pub installed_size: u64,
    /// The time of the build in seconds since 1970 (`t:`).
    pub build_time: i64,
    /// What it needs and what it conflicts with (`D:`).
    pub depends: Vec<Atom>,
    /// What else it can be asked for as (`p:`).
    pub provides: Vec<Provide>,
    /// Its rank among the providers of a name (`k:`), higher wins.
    pub provider_priority: i64,
    /// The first entry of `D:` that could not be read; such a package cannot be installed.
    pub unreadable: Option<String>,
}

impl Package {
    /// The name of its file in the repository, `name-version.apk`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.apk", self.name, self.version)
    }

    /// Whether it can be installed: its version makes a safe file name, and its dependencies could be read.
    #[must_use]
    pub fn is_installable(&self) -> bool {
        self.unreadable.is_none() && is_file_safe(self.version.as_str())
    }

    /// The version that it has under `name`: its own, or that of the provided name.
    #[must_use]
    pub fn version_as(&self, name: &str) -> Option<&Version> {
        if self.name == name {
            return Some(&self.version);
        }
        self.provides
            .iter()
            .find(|provide| provide.name == name)
            .and_then(|provide| provide.version.as_ref())
    }

    pub(super) fn parse(record: &str) -> Self {
        let mut fields: BTreeMap<u8, &str> = BTreeMap::new();
        for line in record.lines() {
            if let [letter, b':', ..] = line.as_bytes() {
                fields.entry(*letter).or_insert(&line[2..]);
            }
        }
        let text = |letter: u8| fields.get(&letter).copied().unwrap_or_default();
        let number = |letter: u8| text(letter).parse().unwrap_or(0);
        let signed = |letter: u8| text(letter).parse().unwrap_or(0);
        // These two may take several lines.
        let list = |letter: u8| {
            record
                .lines()
                .filter(
                    move |line| matches!(line.as_bytes(), [first, b':', ..] if *first == letter),
                )
                .flat_map(|line| line[2..].split_ascii_whitespace())
        };
        let (depends, unreadable) = read_depends(list(b'D'));
        Self {
            name: text(b'P').to_owned(),
            version: Version::new(text(b'V')),
            architecture: text(b'A').to_owned(),
            origin: text(b'o').to_owned(),
            license: text(b'L').to_owned(),
            description: text(b'T').to_owned(),
            url: text(b'U').to_owned(),
            maintainer: text(b'm').to_owned(),
            commit: text(b'c').to_owned(),
            identity: text(b'C').parse().unwrap_or_default(),
            size: number(b'S'),
            installed_size: number(b'I'),
            build_time: signed(b't'),
            depends,
            provides: list(b'p').filter_map(Provide::parse).collect(),
            provider_priority: signed(b'k'),
            unreadable,
        }
    }
}

fn read_depends<'a>(entries: impl Iterator<Item = &'a str>) -> (Vec<Atom>, Option<String>) {
    let mut unreadable = None;
    let atoms = entries
        .filter_map(|entry| match Atom::parse_lenient(entry) {
            Ok(atom) => Some(atom),
            Err(_) => {
                unreadable.get_or_insert_with(|| entry.to_owned());
                None
            }
        })
        .collect();
    (atoms, unreadable)
}

pub(super) fn field(record: &str, letter: u8) -> Option<&str> {
    record.lines().find_map(|line| match line.as_bytes() {
        [first, b':', ..] if *first == letter => Some(&line[2..]),
        _ => None,
    })
}

/// Whether `text` can stand in a file name and in a URL as it is.
pub(in super::super) fn is_file_safe(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= 200
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-' | b'~')
        })
}
