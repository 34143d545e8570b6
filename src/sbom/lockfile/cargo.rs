//! Cargo's lock file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Error, Selector, toml};
use crate::sbom::{Checksum, Ecosystem, Library};

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// The lock file does not tell what is for development, so that is in it too.
pub(super) fn read(bytes: &[u8], selector: &Selector<'_>) -> Result<BTreeSet<Library>, Error> {
    let lock: Lock = toml(bytes)?;
    let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, package) in lock.package.iter().enumerate() {
        named.entry(&package.name).or_default().push(at);
    }
    let mut open: Vec<usize> = match selector.member {
        Some(member) => {
            let is_local = |at: &usize| lock.package[*at].source.is_none();
            let found = named
                .get(member)
                .into_iter()
                .flatten()
                .copied()
                .find(is_local);
            vec![found.ok_or_else(|| Error::Member(member.to_owned()))?]
        }
        None => (0..lock.package.len()).collect(),
    };
    let mut seen: BTreeSet<usize> = open.iter().copied().collect();
    while let Some(at) = open.pop() {
        for dependency in &lock.package[at].dependencies {
            // `name`, `name version` or `name version (source)`, as much as is needed to tell.
            let mut words = dependency.splitn(3, ' ');
            let name = words.next().unwrap_or_default();
            let version = words.next();
            let found = named.get(name).into_iter().flatten().copied();
            for at in found
                .filter(|at| version.is_none_or(|version| lock.package[*at].version == version))
            {
                if seen.insert(at) {
                    open.push(at);
                }
            }
        }
    }
    Ok(seen
        .into_iter()
        .filter_map(|at| library(&lock.package[at]))
        .collect())
}

/// The names and versions in what `cargo tree --prefix none --format {p}` prints.
///
/// A line is `name vVERSION`, and behind that where it comes from: <https://doc.rust-lang.org/cargo/commands/cargo-tree.html>.
#[must_use]
pub fn linked_crates(text: &str) -> BTreeSet<(&str, &str)> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?.strip_prefix('v')?))
        })
        .collect()
}

/// Packages without a source are the repository's own.
fn library(package: &Package) -> Option<Library> {
    let source = package.source.as_deref()?;
    let mut library = Library::new(Ecosystem::Cargo, &package.name, &package.version);
    let checksum = package.checksum.as_deref();
    library.checksums = checksum
        .and_then(|sum| Checksum::new("SHA256", sum))
        .into_iter()
        .collect();
    if source.starts_with("git+") {
        let (url, commit) = source.rsplit_once('#').unwrap_or((source, ""));
        let url = url.split('?').next().unwrap_or(url);
        let at = if commit.is_empty() { "" } else { "@" };
        library.source = Some(format!("{url}{at}{commit}"));
    }
    Some(library)
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, read};
    use super::*;

    const LOCK: &str = r#"version = 4
[[package]]
name = "api"
version = "0.1.0"
dependencies = ["shared", "serde 1.0.0"]
[[package]]
name = "cli"
version = "0.1.0"
dependencies = ["serde 2.0.0 (registry+https://example.com/index)"]
[[package]]
name = "shared"
version = "0.1.0"
dependencies = ["git"]
[[package]]
name = "serde"
version = "1.0.0"
source = "registry+https://example.com/index"
checksum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
[[package]]
name = "serde"
version = "2.0.0"
source = "registry+https://example.com/index"
[[package]]
name = "git"
version = "0.3.0"
source = "git+https://github.com/a/git?branch=main#c0ffee"
"#;

    #[test]
    fn the_crates_that_cargo_lists_are_told_by_name_and_version() {
        let text = "search v1.0.0 (/src/services/search)\nlog v0.4.35\nlog v0.4.35 (*)\n\n[dev]\n";
        let linked: Vec<(&str, &str)> = linked_crates(text).into_iter().collect();
        assert_eq!(linked, [("log", "0.4.35"), ("search", "1.0.0")]);
    }

    #[test]
    fn a_package_has_its_closure_without_the_repositorys_own() {
        let selector = Selector {
            member: Some("api"),
            ..Selector::default()
        };
        let libraries = read(Kind::CargoLock, LOCK.as_bytes(), &selector).unwrap();
        let names: Vec<String> = libraries
            .iter()
            .map(|library| format!("{} {}", library.name, library.version))
            .collect();
        assert_eq!(names, ["git 0.3.0", "serde 1.0.0"]);
        assert_eq!(
            libraries[0].source.as_deref(),
            Some("git+https://github.com/a/git@c0ffee")
        );
        assert_eq!(libraries[1].checksums.len(), 1);
        assert_eq!(
            read(Kind::CargoLock, LOCK.as_bytes(), &Selector::default())
                .unwrap()
                .len(),
            3
        );
        let selector = Selector {
            member: Some("serde"),
            ..Selector::default()
        };
        assert!(matches!(
            read(Kind::CargoLock, LOCK.as_bytes(), &selector),
            Err(Error::Member(_))
        ));
    }
}
