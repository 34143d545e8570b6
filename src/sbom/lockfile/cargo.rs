//! Cargo's lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use flate2::read::ZlibDecoder;
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

/// What `cargo tree --prefix depth --format {p}` prints, of one call or several.
///
/// A line is the depth, `name vVERSION`, and behind that where it comes from, if not from the default registry; `(*)` stands
/// for what was told before: <https://doc.rust-lang.org/cargo/commands/cargo-tree.html>.
#[derive(Clone, Debug, Default)]
pub struct Crates {
    /// The crates by what the lines say of them.
    crates: BTreeMap<String, Crate>,
    roots: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
struct Crate {
    name: String,
    version: String,
    source: Option<String>,
    needs: BTreeSet<String>,
}

impl Crate {
    fn is_local(&self) -> bool {
        self.directory().is_some()
    }

    fn directory(&self) -> Option<&str> {
        self.source
            .as_deref()
            .filter(|source| source.starts_with('/'))
    }
}

impl Crates {
    /// Reads the lines; what is no such line is left out.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut crates = Self::default();
        let mut above: Vec<String> = Vec::new();
        for line in text.lines() {
            let line = line.trim_end().trim_end_matches(" (*)");
            let at = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
            let (depth, told) = line.split_at(at);
            let (Ok(depth), Some(found)) = (depth.parse::<usize>(), parse(told)) else {
                continue;
            };
            above.truncate(depth);
            match above.last().and_then(|above| crates.crates.get_mut(above)) {
                Some(above) => {
                    above.needs.insert(told.to_owned());
                }
                None => {
                    crates.roots.insert(told.to_owned());
                }
            }
            above.push(told.to_owned());
            crates.crates.entry(told.to_owned()).or_insert(found);
        }
        crates
    }

    /// The names and directories of the repository's own crates that were asked for.
    pub fn roots(&self) -> impl Iterator<Item = (&str, &str)> {
        self.roots.iter().filter_map(|root| {
            let root = self.crates.get(root)?;
            Some((root.name.as_str(), root.directory()?))
        })
    }

    /// The libraries that the roots in these directories link, or those of all roots where there is none.
    #[must_use]
    pub fn linked(&self, directories: &BTreeSet<String>) -> BTreeSet<Library> {
        let is_chosen = |root: &&String| {
            let directory = self.crates.get(*root).and_then(Crate::directory);
            directory.is_some_and(|directory| directories.contains(directory))
        };
        let mut open: Vec<&String> = self.roots.iter().filter(is_chosen).collect();
        if open.is_empty() {
            open.extend(&self.roots);
        }
        let mut seen: BTreeSet<&String> = open.iter().copied().collect();
        while let Some(told) = open.pop() {
            let needs = self
                .crates
                .get(told)
                .into_iter()
                .flat_map(|found| &found.needs);
            for needed in needs {
                if seen.insert(needed) {
                    open.push(needed);
                }
            }
        }
        let found = seen.into_iter().filter_map(|told| self.crates.get(told));
        found
            .filter(|found| !found.is_local())
            .map(|found| Library::new(Ecosystem::Cargo, &found.name, &found.version))
            .collect()
    }
}

/// `name v1.0.0`, `name v1.0.0 (proc-macro) (/directory)`, `name v1.0.0 (https://…#commit)`.
fn parse(told: &str) -> Option<Crate> {
    let mut words = told.splitn(3, ' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let source = words.next().unwrap_or_default();
    let source = source.rsplit(" (").next().unwrap_or(source);
    let source = source.trim_start_matches('(').trim_end_matches(')');
    Some(Crate {
        name: name.to_owned(),
        version: version.to_owned(),
        source: (!source.is_empty() && source != "proc-macro").then(|| source.to_owned()),
        needs: BTreeSet::new(),
    })
}

/// The largest list of crates in a program, in bytes, as its readers have it.
const LARGEST_LIST: u64 = 8 << 20;

/// Lists the crates that `cargo auditable` wrote into a program, from its section `.dep-v0`: those that are linked, without the
/// repository's own and without what only ran while it was built.
///
/// See <https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md>.
///
/// # Errors
///
/// If the section is no such list.
pub fn auditable(section: &[u8]) -> Result<Vec<Library>, Error> {
    let mut text = Vec::new();
    ZlibDecoder::new(section)
        .take(LARGEST_LIST + 1)
        .read_to_end(&mut text)
        .map_err(|_| Error::Form("the list of crates is not compressed as it should be"))?;
    if text.len() as u64 > LARGEST_LIST {
        return Err(Error::TooLarge);
    }
    let list: Audited = serde_json::from_slice(&text)?;
    let found: BTreeSet<Library> = list
        .packages
        .iter()
        .filter(|package| package.kind.as_deref() != Some("build"))
        .filter(|package| package.source != "local")
        .map(|package| Library::new(Ecosystem::Cargo, &package.name, &package.version))
        .collect();
    Ok(found.into_iter().collect())
}

#[derive(Deserialize)]
struct Audited {
    packages: Vec<AuditedPackage>,
}

#[derive(Deserialize)]
struct AuditedPackage {
    name: String,
    version: String,
    source: String,
    kind: Option<String>,
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

    fn names(libraries: impl IntoIterator<Item = Library>) -> Vec<String> {
        libraries
            .into_iter()
            .map(|library| format!("{} {}", library.name, library.version))
            .collect()
    }

    #[test]
    fn a_crate_that_was_told_before_keeps_what_it_links() {
        let text = "0api v1.0.0 (/src/api)\n1log v0.4.35\n1git v0.3.0 (https://example.com/git#c0ffee)\n2errno v1.0.0\n\n\
            0worker v1.0.0 (/src/worker)\n1shared v1.0.0 (/src/shared)\n2git v0.3.0 (https://example.com/git#c0ffee) (*)\n\n\
            0macros v0.1.0 (proc-macro) (/src/macros)\n1syn v2.0.0\n[dev]\nwarning: x\n7\n99999999999999999999x v1\n";
        let crates = Crates::read(text);
        let roots: Vec<_> = crates.roots().collect();
        let expected = [
            ("api", "/src/api"),
            ("macros", "/src/macros"),
            ("worker", "/src/worker"),
        ];
        assert_eq!(roots, expected);
        let linked = |directory: &str| names(crates.linked(&[directory.to_owned()].into()));
        assert_eq!(
            linked("/src/api"),
            ["errno 1.0.0", "git 0.3.0", "log 0.4.35"]
        );
        assert_eq!(linked("/src/worker"), ["errno 1.0.0", "git 0.3.0"]);
        assert_eq!(linked("/src/none").len(), 4);
    }

    fn section(json: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, json).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_crates_in_a_program_are_those_that_are_linked() {
        let json = br#"{"packages": [
            {"name": "api", "version": "1.0.0", "source": "local", "root": true, "dependencies": [1, 2, 3]},
            {"name": "cc", "version": "1.1.0", "source": "crates.io", "kind": "build"},
            {"name": "git", "version": "0.3.0", "source": "git"},
            {"name": "log", "version": "0.4.35", "source": "crates.io", "kind": "runtime"}], "format": 1}"#;
        assert_eq!(
            names(auditable(&section(json)).unwrap()),
            ["git 0.3.0", "log 0.4.35"]
        );
    }

    #[test]
    fn a_hostile_list_of_crates_is_an_error() {
        assert!(matches!(auditable(b"no zlib"), Err(Error::Form(_))));
        assert!(matches!(auditable(&section(b"[]")), Err(Error::Json(_))));
        assert!(matches!(
            auditable(b""),
            Err(Error::Json(_) | Error::Form(_))
        ));
        let bomb = section(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert!(matches!(auditable(&bomb), Err(Error::TooLarge)));
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
