//! Packages of language ecosystems and their purls.

use packageurl::PackageUrl;

use super::Checksum;

/// Where a library comes from: the type of its purl.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ecosystem {
    /// Rust crates.
    Cargo,
    /// PHP packages.
    Composer,
    /// Ruby gems.
    Gem,
    /// Go modules.
    Golang,
    /// Node packages.
    Npm,
    /// Python packages.
    Pypi,
}

impl Ecosystem {
    /// The type in a purl, such as `npm`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Composer => "composer",
            Self::Gem => "gem",
            Self::Golang => "golang",
            Self::Npm => "npm",
            Self::Pypi => "pypi",
        }
    }
}

/// A package of a language ecosystem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Library {
    /// Where it comes from.
    pub ecosystem: Ecosystem,
    /// Its whole name: `@scope/name`, `golang.org/x/net`.
    pub name: String,
    /// Its version as the ecosystem writes it.
    pub version: String,
    /// The licence that it declares.
    pub license: Option<String>,
    /// Checksums of the file it was distributed in.
    pub checksums: Vec<Checksum>,
    /// Where that file or its source comes from, a URL.
    pub source: Option<String>,
    /// What says that it is shipped.
    pub evidence: Option<Evidence>,
}

/// What says that a library is shipped, the surest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// This file of the image.
    Seen(String),
    /// This command, run where the program was built: it lists what is linked.
    Linked(&'static str),
    /// This lock file of the repository; nothing in the image tells.
    Locked(String),
}

impl Evidence {
    /// How sure it is; less is surer.
    fn rank(&self) -> u8 {
        match self {
            Self::Seen(_) => 0,
            Self::Linked(_) => 1,
            Self::Locked(_) => 2,
        }
    }
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seen(file) => write!(f, "read from the shipped file {file}"),
            Self::Linked(command) => {
                write!(
                    f,
                    "linked into a shipped program, as `{command}` told in its build"
                )
            }
            Self::Locked(file) => write!(f, "from the lock file {file}; not seen in the image"),
        }
    }
}

impl Library {
    /// A library of which nothing but name and version is known.
    #[must_use]
    pub fn new(ecosystem: Ecosystem, name: &str, version: &str) -> Self {
        Self {
            ecosystem,
            name: name.to_owned(),
            version: version.to_owned(),
            license: None,
            checksums: Vec::new(),
            source: None,
            evidence: None,
        }
    }

    /// The library with what says that it is shipped.
    #[must_use]
    pub fn with(mut self, evidence: Evidence) -> Self {
        self.evidence = Some(evidence);
        self
    }

    /// Takes in what else is known of the same library: the surer evidence counts, and gaps are filled.
    pub fn merge(&mut self, other: Self) {
        let rank = |evidence: &Option<Evidence>| evidence.as_ref().map_or(u8::MAX, Evidence::rank);
        if (rank(&other.evidence), &other.evidence) < (rank(&self.evidence), &self.evidence) {
            self.evidence = other.evidence;
        }
        self.license = self.license.take().or(other.license);
        self.source = self.source.take().or(other.source);
        if self.checksums.is_empty() {
            self.checksums = other.checksums;
        }
    }

    /// Its purl; `None` where name or version can be no part of one.
    ///
    /// See <https://github.com/package-url/purl-spec>.
    #[must_use]
    pub fn purl(&self) -> Option<String> {
        let name = match self.ecosystem {
            Ecosystem::Pypi => normal_python(&self.name),
            Ecosystem::Composer | Ecosystem::Golang => self.name.to_lowercase(),
            Ecosystem::Cargo | Ecosystem::Gem | Ecosystem::Npm => self.name.clone(),
        };
        let (namespace, name) = match self.ecosystem {
            Ecosystem::Composer | Ecosystem::Golang | Ecosystem::Npm => match name.rsplit_once('/')
            {
                Some((namespace, name)) => (Some(namespace), name),
                None => (None, name.as_str()),
            },
            Ecosystem::Cargo | Ecosystem::Gem | Ecosystem::Pypi => (None, name.as_str()),
        };
        purl(self.ecosystem.name(), namespace, name, &self.version, &[])
    }
}

/// The name of a Python package in its normal form.
///
/// See <https://packaging.python.org/en/latest/specifications/name-normalization/>.
pub(super) fn normal_python(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            c => normal.extend(c.to_lowercase()),
        }
    }
    normal
}

/// Writes a purl; `None` where a part of it cannot be written.
pub(super) fn purl(
    kind: &str,
    namespace: Option<&str>,
    name: &str,
    version: &str,
    qualifiers: &[(&str, &str)],
) -> Option<String> {
    let mut purl = PackageUrl::new(kind, name).ok()?;
    if let Some(namespace) = namespace {
        purl.with_namespace(namespace).ok()?;
    }
    if !version.is_empty() {
        purl.with_version(version).ok()?;
    }
    for (key, value) in qualifiers {
        purl.add_qualifier(*key, *value).ok()?;
    }
    Some(purl.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purls_follow_the_rules_of_their_ecosystem() {
        for (ecosystem, name, version, expected) in [
            (
                Ecosystem::Npm,
                "@babel/core",
                "7.0.0",
                "pkg:npm/%40babel/core@7.0.0",
            ),
            (
                Ecosystem::Npm,
                "left-pad",
                "1.3.0",
                "pkg:npm/left-pad@1.3.0",
            ),
            (
                Ecosystem::Pypi,
                "Zope.Interface__x",
                "6.0",
                "pkg:pypi/zope-interface-x@6.0",
            ),
            (
                Ecosystem::Golang,
                "github.com/Masterminds/semver/v3",
                "v3.2.1",
                "pkg:golang/github.com/masterminds/semver/v3@v3.2.1",
            ),
            (
                Ecosystem::Cargo,
                "serde_json",
                "1.0.0+x",
                "pkg:cargo/serde_json@1.0.0%2Bx",
            ),
        ] {
            assert_eq!(
                Library::new(ecosystem, name, version).purl().as_deref(),
                Some(expected)
            );
        }
        assert_eq!(Library::new(Ecosystem::Npm, "", "1").purl(), None);
    }

    #[test]
    fn the_surer_evidence_counts_and_gaps_are_filled() {
        let library = || Library::new(Ecosystem::Npm, "a", "1");
        let mut locked = library().with(Evidence::Locked("package-lock.json".to_owned()));
        locked.license = Some("MIT".to_owned());
        let seen = library().with(Evidence::Seen("/app/a".to_owned()));
        for (mut one, other) in [(locked.clone(), seen.clone()), (seen, locked)] {
            one.merge(other);
            assert_eq!(one.evidence, Some(Evidence::Seen("/app/a".to_owned())));
            assert_eq!(one.license.as_deref(), Some("MIT"));
        }
    }
}
