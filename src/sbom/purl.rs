//! Packages of language ecosystems and their purls.

use packageurl::PackageUrl;

use super::Checksum;

/// Where a library comes from: the type of its purl.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ecosystem {
    /// Rust crates.
    Cargo,
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
        }
    }

    /// Its purl; `None` where name or version can be no part of one.
    ///
    /// See <https://github.com/package-url/purl-spec>.
    #[must_use]
    pub fn purl(&self) -> Option<String> {
        let name = match self.ecosystem {
            Ecosystem::Pypi => normal_python(&self.name),
            Ecosystem::Golang => self.name.to_lowercase(),
            Ecosystem::Cargo | Ecosystem::Npm => self.name.clone(),
        };
        let (namespace, name) = match self.ecosystem {
            Ecosystem::Golang | Ecosystem::Npm => match name.rsplit_once('/') {
                Some((namespace, name)) => (Some(namespace), name),
                None => (None, name.as_str()),
            },
            Ecosystem::Cargo | Ecosystem::Pypi => (None, name.as_str()),
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
}
