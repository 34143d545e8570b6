//! The package index of an apk repository.

mod record;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use super::atom::{Atom, Constraint, ParseAtomError};
use super::calendar::Calendar;
use super::suggest;
use super::version::Version;
use crate::oci::Digest;
use record::field;
use tables::{Name, Record, Tables, read_records};

pub use record::Package;
pub(super) use record::is_file_safe;
pub(super) use tables::Parts;

/// The packages of one repository for one architecture: every version of every name, and what they provide.
///
/// The text stays as it came; a record is turned into a [`Package`] when it is first looked at.
pub struct Index {
    text: String,
    source: String,
    digest: Digest,
    skipped: usize,
    newest_build: i64,
    calendar: Calendar,
    /// By name, then newest first, then in the order of the file.
    records: Vec<Record>,
    packages: Vec<OnceLock<Box<Package>>>,
    /// Real and provided names, sorted.
    names: Vec<Name>,
    /// Record numbers, name by name, each in the order of the file.
    providers: Vec<u32>,
}

/// A name that the index cannot serve, with what may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPackage {
    /// The text is no atom.
    #[error(transparent)]
    Invalid(#[from] ParseAtomError),
    /// No package has or provides the name.
    #[error("no package is named `{name}`")]
    Missing {
        /// The name that was asked for.
        name: String,
        /// Near names, best first.
        suggestions: Vec<String>,
    },
    /// The name is there, a version that satisfies the atom is not.
    #[error("no version of `{name}` satisfies `{atom}`")]
    Version {
        /// The name that was asked for.
        name: String,
        /// The whole atom.
        atom: String,
        /// The versions under that name, newest first.
        available: Vec<Version>,
    },
    /// The name is only provided, by packages of which none may be chosen by itself.
    #[error("`{name}` is no package, it is only provided by others")]
    Virtual {
        /// The name that was asked for.
        name: String,
        /// The names of the packages that provide it, sorted.
        providers: Vec<String>,
    },
}

/// The number of a real or provided name of an index, in sorted order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameId(pub(super) u32);

/// The number of a record of an index; within a name, the newest version has the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PackageId(pub(super) u32);

impl Index {
    /// Reads the text of an `APKINDEX`; `source` names it in messages.
    ///
    /// A record without a usable name or without a version is left out and counted ([`Index::skipped`]); an invalid
    /// version is kept and sorts last. Text behind the first 4 GiB is ignored.
    #[must_use]
    pub fn parse(text: &[u8], source: &str) -> Self {
        let digest = Digest::of(text);
        let text = &text[..text.len().min(u32::MAX as usize)];
        let text = String::from_utf8_lossy(text).into_owned();
        let (raws, skipped) = read_records(&text);
        let newest_build = raws.iter().map(|raw| raw.build_time).max().unwrap_or(0);
        let tables = Tables::build(&text, raws);
        Self {
            packages: tables.records.iter().map(|_| OnceLock::new()).collect(),
            source: source.to_owned(),
            digest,
            skipped,
            newest_build,
            calendar: Calendar::embedded(),
            records: tables.records,
            names: tables.names,
            providers: tables.providers,
            text,
        }
    }

    /// The index whose text and tables lie in a cache; `None` if they do not belong together.
    pub(super) fn from_parts(
        text: String,
        source: &str,
        digest: Digest,
        parts: Parts,
    ) -> Option<Self> {
        let records = parts.tables.records.len();
        let index = Self {
            packages: std::iter::repeat_with(OnceLock::new)
                .take(records)
                .collect(),
            source: source.to_owned(),
            digest,
            skipped: parts.skipped,
            newest_build: parts.newest_build,
            calendar: Calendar::embedded(),
            records: parts.tables.records,
            names: parts.tables.names,
            providers: parts.tables.providers,
            text,
        };
        index.is_sound().then_some(index)
    }

    /// The numbers that [`Parts::read`] takes.
    pub(super) fn tables(&self) -> impl Iterator<Item = u32> {
        let time = self.newest_build as u64;
        let head = [
            self.skipped as u32,
            (time >> 32) as u32,
            time as u32,
            self.records.len() as u32,
            self.names.len() as u32,
            self.providers.len() as u32,
        ];
        let records = self
            .records
            .iter()
            .flat_map(|record| [record.start, record.end]);
        let names = self.names.iter().flat_map(|name| name.to_numbers());
        head.into_iter()
            .chain(records)
            .chain(names)
            .chain(self.providers.iter().copied())
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    // Whether every number of the tables is within its bounds.
    fn is_sound(&self) -> bool {
        let is_range = |start: u32, count: u32, length: usize| {
            start
                .checked_add(count)
                .is_some_and(|end| end as usize <= length)
        };
        let is_text = |start: u32, end: u32| self.text.get(start as usize..end as usize).is_some();
        let records = self.records.len();
        self.records
            .iter()
            .all(|record| is_text(record.start, record.end))
            && self.providers.iter().all(|id| (*id as usize) < records)
            && self.names.iter().all(|name| {
                let end = name.start.checked_add(name.length);
                end.is_some_and(|end| is_text(name.start, end))
                    && is_range(name.first_record, name.records, records)
                    && is_range(name.first_provider, name.providers, self.providers.len())
            })
    }

    /// Takes `digest` for that of the file which the text came out of.
    #[must_use]
    pub fn with_digest(mut self, digest: Digest) -> Self {
        self.digest = digest;
        self
    }

    /// What is known about the upkeep of version streams.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The digest of the index file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many package versions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no package at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many records had no usable name or no version.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The build time of the newest package in seconds since 1970, which tells the age of an index.
    #[must_use]
    pub fn newest_build(&self) -> i64 {
        self.newest_build
    }

    /// All versions of the real name `name`, newest first.
    pub fn packages<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Package> + use<'a> {
        let ids = self.name_id(name).map(|id| self.real_packages(id));
        ids.into_iter().flatten().map(|id| self.package(id))
    }

    /// The newest version of the real name `name`.
    #[must_use]
    pub fn newest(&self, name: &str) -> Option<&Package> {
        self.packages(name).next()
    }

    /// All versions of all packages that have or provide `name`, in the order of the file.
    pub fn providers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Package> + use<'a> {
        let ids = self.name_id(name).map(|id| self.provider_ids(id));
        ids.into_iter().flatten().map(|id| self.package(id))
    }

    /// The real names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names
            .iter()
            .filter(|name| name.records > 0)
            .map(|name| self.name_text(*name))
    }

    /// The real names that begin with `prefix`, sorted.
    pub fn names_with_prefix<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        let first = self
            .names
            .partition_point(|name| self.name_text(*name) < prefix);
        self.names[first..]
            .iter()
            .take_while(move |name| self.name_text(**name).starts_with(prefix))
            .filter(|name| name.records > 0)
            .map(|name| self.name_text(*name))
    }

    /// The package that a request for `atom` alone would install first, chosen as apk does among all versions and
    /// providers; nothing also where `atom` is none.
    #[must_use]
    pub fn preferred(&self, atom: &str) -> Option<&Package> {
        let atom: Atom = atom.parse().ok()?;
        super::resolve::preferred(self, self.name_id(&atom.name)?, &atom)
    }

    /// [`Index::preferred`], or why there is no such package; looking for names like it takes its time.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the atom, or what there is instead.
    pub fn check(&self, atom: &str) -> Result<&Package, UnknownPackage> {
        let parsed: Atom = atom.parse()?;
        let name = parsed.name.clone();
        let Some(id) = self.name_id(&name) else {
            let suggestions = suggest::near(self, &name);
            return Err(UnknownPackage::Missing { name, suggestions });
        };
        if let Some(package) = super::resolve::preferred(self, id, &parsed) {
            return Ok(package);
        }
        let mut available = self.versions(id);
        available.dedup();
        if parsed.constraint != Constraint::Any && !available.is_empty() {
            return Err(UnknownPackage::Version {
                name,
                atom: atom.to_owned(),
                available,
            });
        }
        let mut providers: Vec<String> = self.providers(&name).map(|p| p.name.clone()).collect();
        providers.sort();
        providers.dedup();
        Err(UnknownPackage::Virtual { name, providers })
    }

    /// The newest version of every name that has all `words` in its name, its provided names or its description,
    /// whatever their case; those with the words in the name come first.
    #[must_use]
    pub fn search(&self, words: &[&str]) -> Vec<&Package> {
        let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        let mut found: Vec<(u8, &Package)> = self
            .names
            .iter()
            .filter(|name| name.records > 0)
            .filter_map(|name| {
                let id = PackageId(name.first_record);
                let record = self.record_text(self.records[id.0 as usize]);
                let rank = rank(self.name_text(*name), record, &words)?;
                Some((rank, self.package(id)))
            })
            .collect();
        found.sort_by_key(|(rank, _)| *rank);
        found.into_iter().map(|(_, package)| package).collect()
    }

    /// Every version under the name, real or provided, newest first.
    fn versions(&self, id: NameId) -> Vec<Version> {
        let name = self.name_text(self.names[id.0 as usize]);
        let mut versions: Vec<Version> = self
            .provider_ids(id)
            .filter_map(|provider| self.package(provider).version_as(name).cloned())
            .collect();
        versions.sort_by(|left, right| right.cmp(left));
        versions
    }

    pub(super) fn name_count(&self) -> usize {
        self.names.len()
    }

    pub(super) fn name_id(&self, name: &str) -> Option<NameId> {
        self.names
            .binary_search_by(|entry| self.name_text(*entry).cmp(name))
            .ok()
            .map(|position| NameId(position as u32))
    }

    pub(super) fn name_of(&self, id: NameId) -> &str {
        self.name_text(self.names[id.0 as usize])
    }

    pub(super) fn all_names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.names
            .iter()
            .map(|name| (self.name_text(*name), name.records > 0))
    }

    fn real_packages(&self, id: NameId) -> impl Iterator<Item = PackageId> + use<> {
        let name = self.names[id.0 as usize];
        (name.first_record..name.first_record + name.records).map(PackageId)
    }

    pub(super) fn provider_ids(&self, id: NameId) -> impl Iterator<Item = PackageId> + use<'_> {
        let name = self.names[id.0 as usize];
        let first = name.first_provider as usize;
        self.providers[first..first + name.providers as usize]
            .iter()
            .map(|id| PackageId(*id))
    }

    pub(super) fn package(&self, id: PackageId) -> &Package {
        let number = id.0 as usize;
        self.packages[number].get_or_init(|| {
            let text = self.record_text(self.records[number]);
            Box::new(Package::parse(text))
        })
    }

    fn name_text(&self, name: Name) -> &str {
        &self.text[name.start as usize..(name.start + name.length) as usize]
    }

    fn record_text(&self, record: Record) -> &str {
        &self.text[record.start as usize..record.end as usize]
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index")
            .field("source", &self.source)
            .field("digest", &self.digest)
            .field("packages", &self.records.len())
            .field("names", &self.names.len())
            .finish_non_exhaustive()
    }
}

// How well a package fits the words: 0 it is the name, 1 all are in the name, 2 some are elsewhere.
fn rank(name: &str, record: &str, words: &[String]) -> Option<u8> {
    let name = name.to_lowercase();
    if let [word] = words
        && *word == name
    {
        return Some(0);
    }
    if words.iter().all(|word| name.contains(word.as_str())) {
        return Some(1);
    }
    let mut text = name;
    for letter in [b'T', b'p'] {
        text.push('\n');
        text.push_str(&field(record, letter).unwrap_or_default().to_lowercase());
    }
    words
        .iter()
        .all(|word| text.contains(word.as_str()))
        .then_some(2)
}
