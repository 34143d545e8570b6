//! The libraries of languages that are shipped with an app: what the image itself tells, else what its build told, else what
//! was locked.

mod locked;
mod manifests;
mod node;
mod rust;
mod sources;

use std::collections::BTreeMap;
use std::path::Path;

use crate::buildkit::{BuildReference, Error, Gateway};
use crate::image::Plan;
use crate::sbom::lockfile::{self, DistInfo};
use crate::sbom::{Ecosystem, Evidence, Library};

use super::failure::Cause;
use super::inspect::Files;
use manifests::Manifests;
use sources::Sources;

const METADATA: &str = ".dist-info/METADATA";
const INSTALLED: &str = "/vendor/composer/installed.json";

/// The libraries of an app.
#[derive(Clone, Debug, Default)]
pub(super) struct Inventory {
    libraries: BTreeMap<(Ecosystem, String, String), Library>,
    /// What is less sure than it could be.
    pub(super) warnings: Vec<String>,
}

/// How many libraries are listed on which evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceCount {
    /// A file of the image tells.
    pub seen: u64,
    /// The build listed them as linked into a program.
    pub linked: u64,
    /// Only a lock file names them.
    pub locked: u64,
}

impl Inventory {
    /// The libraries, sorted, each once.
    pub(super) fn libraries(&self) -> Vec<Library> {
        self.libraries.values().cloned().collect()
    }

    /// How many there are of each ecosystem.
    pub(super) fn ecosystems(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (ecosystem, _, _) in self.libraries.keys() {
            *counts.entry(ecosystem.name().to_owned()).or_default() += 1;
        }
        counts
    }

    /// How many there are on which evidence.
    pub(super) fn evidence(&self) -> EvidenceCount {
        let mut count = EvidenceCount::default();
        for library in self.libraries.values() {
            match &library.evidence {
                Some(Evidence::Seen(_)) => count.seen += 1,
                Some(Evidence::Linked(_)) => count.linked += 1,
                Some(Evidence::Locked(_)) | None => count.locked += 1,
            }
        }
        count
    }

    fn add(&mut self, libraries: impl IntoIterator<Item = Library>) {
        for library in libraries {
            let key = (
                library.ecosystem,
                library.name.clone(),
                library.version.clone(),
            );
            match self.libraries.get_mut(&key) {
                Some(known) => known.merge(library),
                None => drop(self.libraries.insert(key, library)),
            }
        }
    }

    fn has(&self, ecosystem: Ecosystem) -> bool {
        self.libraries
            .keys()
            .any(|(known, _, _)| *known == ecosystem)
    }

    /// Says in a line what is only locked.
    fn warn_of_locked(&mut self) {
        let mut locked: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for library in self.libraries.values() {
            if let Some(Evidence::Locked(file)) = &library.evidence {
                *locked.entry((library.ecosystem.name(), file)).or_default() += 1;
            }
        }
        let parts: Vec<String> = locked
            .into_iter()
            .map(|((kind, file), count)| format!("{count} of {kind} from `{file}`"))
            .collect();
        if !parts.is_empty() {
            self.warnings.push(format!(
                "libraries that are in the SBOM because they are locked, and were not seen in the image: {}",
                parts.join(", ")
            ));
        }
    }

    /// Says in a line which files nobody looks into.
    fn warn_of_jars<'f>(&mut self, files: impl Iterator<Item = &'f String>) {
        let jars: Vec<&String> = files.filter(|path| path.ends_with(".jar")).collect();
        if let Some(first) = jars.first() {
            let more = match jars.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            self.warnings.push(format!(
                "the SBOM does not list the libraries in `{first}`{more}: jars are not looked into"
            ));
        }
    }
}

/// Lists the libraries of what was built.
pub(super) async fn take(
    plan: &Plan<'_>,
    repository: &Path,
    gateway: &Gateway,
    output: &BuildReference,
    files: &Files,
) -> Result<Inventory, Cause> {
    let sources = Sources { repository, plan };
    let mut inventory = Inventory::default();
    for (path, libraries) in &files.linked {
        let seen = |library: &Library| library.clone().with(Evidence::Seen(path.clone()));
        inventory.add(libraries.iter().map(seen));
    }
    let manifests = Manifests::open(gateway, output, files).await?;
    inventory.add(python(&manifests).await?);
    inventory.add(node::seen(&manifests).await?);
    inventory.add(php(&manifests).await?);
    inventory.add(ruby(&manifests).await?);
    rust::add(&sources, gateway, output, files, &mut inventory).await?;
    locked::add(&sources, files, &mut inventory);
    inventory.warn_of_locked();
    inventory.warn_of_jars(files.all.keys());
    Ok(inventory)
}

/// The Python distributions that are installed in what is shipped.
async fn python(manifests: &Manifests<'_>) -> Result<Vec<Library>, Error> {
    let read = manifests.all(|path| path.ends_with(METADATA)).await?;
    let libraries = read.into_iter().flat_map(|(path, metadata)| {
        let directory = path.trim_end_matches("/METADATA");
        let info = DistInfo {
            directory: directory.rsplit('/').next().unwrap_or_default(),
            metadata: Some(&metadata),
        };
        let seen = Evidence::Seen(path.to_owned());
        let libraries = lockfile::installed_python(&[info]).into_iter();
        libraries.map(move |library| library.with(seen.clone()))
    });
    Ok(libraries.collect())
}

/// The packages that Composer installed into what is shipped.
async fn php(manifests: &Manifests<'_>) -> Result<Vec<Library>, Error> {
    let paths = manifests.files.all.keys();
    let mut libraries = Vec::new();
    for path in paths.filter(|path| path.ends_with(INSTALLED)) {
        let seen = Evidence::Seen(path.clone());
        let found = lockfile::installed_composer(&manifests.record(path).await?);
        let found = found.unwrap_or_default().into_iter();
        libraries.extend(found.map(|library| library.with(seen.clone())));
    }
    Ok(libraries)
}

/// The gems that are installed in what is shipped.
async fn ruby(manifests: &Manifests<'_>) -> Result<Vec<Library>, Error> {
    let read = manifests.all(is_specification).await?.into_iter();
    let libraries = read.filter_map(|(path, bytes)| {
        let library = lockfile::installed_gem(&bytes)?;
        Some(library.with(Evidence::Seen(path.to_owned())))
    });
    Ok(libraries.collect())
}

/// Whether the file at `path` is the specification of an installed gem, as in `ruby/3.3.0/specifications/rack-3.1.8.gemspec`.
fn is_specification(path: &str) -> bool {
    path.ends_with(".gemspec")
        && path
            .rsplit_once('/')
            .is_some_and(|(directory, _)| directory.ends_with("/specifications"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_which_jars_are_not_looked_into() {
        for (files, expected) in [
            (&["/app/a.txt"][..], vec![]),
            (
                &["/app/a.jar"],
                vec![
                    "the SBOM does not list the libraries in `/app/a.jar`: jars are not looked into",
                ],
            ),
            (
                &["/app/a.jar", "/app/b.jar", "/app/c.jar"],
                vec![
                    "the SBOM does not list the libraries in `/app/a.jar` and 2 more: jars are not looked into",
                ],
            ),
        ] {
            let mut inventory = Inventory::default();
            let files: Vec<String> = files.iter().map(|path| (*path).to_owned()).collect();
            inventory.warn_of_jars(files.iter());
            assert_eq!(inventory.warnings, expected);
        }
    }

    #[test]
    fn a_library_counts_once_and_a_line_says_what_is_only_locked() {
        let library = |name: &str, evidence| Library::new(Ecosystem::Npm, name, "1").with(evidence);
        let seen = || Evidence::Seen("/app/x".to_owned());
        let locked = || Evidence::Locked("web/yarn.lock".to_owned());
        let mut inventory = Inventory::default();
        inventory.add([library("a", locked()), library("b", locked())]);
        inventory.add([
            library("a", seen()),
            library("c", Evidence::Linked("cargo tree")),
        ]);
        inventory.warn_of_locked();
        let count = EvidenceCount {
            seen: 1,
            linked: 1,
            locked: 1,
        };
        assert_eq!(inventory.evidence(), count);
        assert_eq!(inventory.ecosystems(), [("npm".to_owned(), 3)].into());
        assert_eq!(
            inventory.warnings,
            [
                "libraries that are in the SBOM because they are locked, and were not seen in the image: 1 of npm from `web/yarn.lock`"
            ]
        );
    }
}
