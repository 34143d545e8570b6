//! Python's lock files and its record of what is installed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::{Table, Value};

use super::{Error, Selector, toml};
use crate::sbom::{Ecosystem, Library, purl::normal_python};

/// The longest metadata that is read, in bytes; the description behind the headers may be long.
const LONGEST: usize = 1 << 20;

/// An installed Python package.
#[derive(Clone, Copy, Debug)]
pub struct DistInfo<'a> {
    /// The name of its directory, such as `requests-2.32.3.dist-info`.
    pub directory: &'a str,
    /// The bytes of `METADATA` in it.
    pub metadata: Option<&'a [u8]>,
}

/// Lists what is installed in a `site-packages`, sorted; directories that are no `.dist-info` do not count.
///
/// See <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>.
#[must_use]
pub fn installed_python(installed: &[DistInfo<'_>]) -> Vec<Library> {
    let found: BTreeSet<Library> = installed
        .iter()
        .filter_map(|info| {
            let stem = info.directory.strip_suffix(".dist-info")?;
            let (name, version) = stem.rsplit_once('-')?;
            let library = Library::new(Ecosystem::Pypi, name, version);
            Some(match info.metadata {
                Some(bytes) => described(library, bytes),
                None => library,
            })
        })
        .collect();
    found.into_iter().collect()
}

/// Takes name, version and licence from the headers of `METADATA`.
fn described(mut library: Library, bytes: &[u8]) -> Library {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]);
    let mut license = None;
    for line in text.lines().take_while(|line| !line.trim().is_empty()) {
        let Some((key, value)) = line.split_once(": ") else {
            continue;
        };
        let value = value.trim();
        match key {
            "Name" if !value.is_empty() => value.clone_into(&mut library.name),
            "Version" if !value.is_empty() => value.clone_into(&mut library.version),
            // An expression wins over the free text that older packages have.
            "License-Expression" => library.license = Some(value.to_owned()),
            // Some put the whole text there.
            "License" if value.len() < 100 && value != "UNKNOWN" => {
                license = Some(value.to_owned());
            }
            _ => {}
        }
    }
    library.license = library.license.or(license).filter(|text| !text.is_empty());
    library
}

/// Lists the lines of a `requirements.txt` that are pinned by `==` or `===`.
///
/// See <https://pip.pypa.io/en/stable/reference/requirements-file-format/>.
pub(super) fn read_requirements(text: &str) -> BTreeSet<Library> {
    text.lines().filter_map(pinned).collect()
}

fn pinned(line: &str) -> Option<Library> {
    // A comment starts at the line's start or behind a blank.
    let line = line.trim();
    let line = line.split(" #").next().unwrap_or(line);
    if line.starts_with(['#', '-']) {
        return None;
    }
    let requirement = line.split([';', '\\']).next()?.split(" --").next()?;
    let (name, version) = requirement.split_once("==")?;
    let version = version.trim_start_matches('=').trim();
    let name = name.split('[').next()?.trim();
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let is_version = !version.is_empty()
        && version
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-+!".contains(c));
    (is_name && is_version).then(|| Library::new(Ecosystem::Pypi, name, version))
}

#[derive(Deserialize)]
struct UvLock {
    #[serde(default)]
    package: Vec<UvPackage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct UvPackage {
    name: String,
    version: Option<String>,
    #[serde(default)]
    source: Table,
    #[serde(default)]
    dependencies: Vec<UvDependency>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<UvDependency>>,
}

#[derive(Deserialize)]
struct UvDependency {
    name: String,
    version: Option<String>,
    marker: Option<String>,
    #[serde(default)]
    extra: Vec<String>,
}

impl UvPackage {
    /// The directory of a package of the repository, relative to the lock file.
    fn directory(&self) -> Option<&str> {
        ["virtual", "editable", "directory"]
            .into_iter()
            .find_map(|key| self.source.get(key)?.as_str())
    }
}

/// Development groups of uv are listed apart and never followed.
pub(super) fn read_uv(bytes: &[u8], selector: &Selector<'_>) -> Result<BTreeSet<Library>, Error> {
    let lock: UvLock = toml(bytes)?;
    let packages = &lock.package;
    let root = match selector.member {
        Some(member) => {
            let plain = member.trim_matches('/');
            let plain = if plain.is_empty() { "." } else { plain };
            let is_it = |package: &UvPackage| {
                package.directory().is_some_and(|directory| {
                    directory == plain || package.name == normal_python(plain)
                })
            };
            let found = packages.iter().position(is_it);
            Some(found.ok_or_else(|| Error::Member(member.to_owned()))?)
        }
        None => packages
            .iter()
            .position(|package| package.directory() == Some(".")),
    };
    let roots = root.map_or_else(|| (0..packages.len()).collect(), |root| vec![root]);
    let chosen = uv_closure(packages, roots);
    Ok(chosen
        .into_iter()
        .map(|at| &packages[at])
        .filter(|package| package.directory().is_none())
        .filter_map(|package| {
            let mut library =
                Library::new(Ecosystem::Pypi, &package.name, package.version.as_deref()?);
            library.source = package
                .source
                .get("url")
                .and_then(Value::as_str)
                .map(str::to_owned);
            Some(library)
        })
        .collect())
}

fn uv_closure(packages: &[UvPackage], roots: Vec<usize>) -> BTreeSet<usize> {
    let mut named: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, package) in packages.iter().enumerate() {
        named.entry(&package.name).or_default().push(at);
    }
    // A package and one of its extras are followed apart.
    let mut open: Vec<(usize, Option<&str>)> = roots.into_iter().map(|at| (at, None)).collect();
    let mut seen: BTreeSet<(usize, Option<&str>)> = open.iter().copied().collect();
    while let Some((at, extra)) = open.pop() {
        let package = &packages[at];
        let needed = match extra {
            Some(extra) => package.optional_dependencies.get(extra),
            None => Some(&package.dependencies),
        };
        for dependency in needed
            .into_iter()
            .flatten()
            .filter(|dependency| applies(dependency.marker.as_deref()))
        {
            let is_it = |at: &&usize| {
                let wanted = dependency.version.as_ref();
                wanted.is_none_or(|version| packages[**at].version.as_ref() == Some(version))
            };
            let found = named.get(dependency.name.as_str()).into_iter().flatten();
            for at in found.filter(is_it) {
                let extras = dependency.extra.iter().map(|extra| Some(extra.as_str()));
                for next in std::iter::once(None).chain(extras) {
                    if seen.insert((*at, next)) {
                        open.push((*at, next));
                    }
                }
            }
        }
    }
    seen.into_iter().map(|(at, _)| at).collect()
}

/// Whether a marker lets a dependency in on Linux; what is not understood does.
///
/// See <https://packaging.python.org/en/latest/specifications/dependency-specifiers/>.
fn applies(marker: Option<&str>) -> bool {
    const LINUX: &[(&str, &str)] = &[
        ("os_name", "posix"),
        ("platform_system", "Linux"),
        ("sys_platform", "linux"),
    ];
    let Some(marker) =
        marker.filter(|marker| !marker.contains([')', '(']) && !marker.contains(" or "))
    else {
        return true;
    };
    marker.split(" and ").all(|term| {
        let words: Vec<&str> = term.split_whitespace().collect();
        let [name, operator, value] = words.as_slice() else {
            return true;
        };
        let own = LINUX.iter().find(|(known, _)| known == name);
        let value = value.trim_matches(['\'', '"']);
        match (own, *operator) {
            (Some((_, own)), "==") => value == *own,
            (Some((_, own)), "!=") => value != *own,
            _ => true,
        }
    })
}

#[derive(Deserialize)]
struct PoetryLock {
    #[serde(default)]
    package: Vec<PoetryPackage>,
}

#[derive(Deserialize)]
struct PoetryPackage {
    name: String,
    version: String,
    #[serde(default)]
    optional: bool,
    /// Before 1.5.
    category: Option<String>,
    /// From 2.0 on.
    groups: Option<Vec<String>>,
    #[serde(default)]
    dependencies: Table,
}

/// Between Poetry 1.5 and 2.0 the lock file does not tell what is for development: then the manifest is followed.
pub(super) fn read_poetry(
    bytes: &[u8],
    selector: &Selector<'_>,
) -> Result<BTreeSet<Library>, Error> {
    let lock: PoetryLock = toml(bytes)?;
    let packages = &lock.package;
    let tells = |package: &PoetryPackage| package.category.is_some() || package.groups.is_some();
    let chosen: BTreeSet<usize> = match selector.manifests.first().filter(|bytes| !bytes.is_empty())
    {
        Some(manifest) if !packages.iter().any(tells) => {
            let manifest: Table = toml(manifest)?;
            poetry_closure(packages, poetry_roots(&manifest))
        }
        _ => (0..packages.len()).collect(),
    };
    let is_main = |package: &&PoetryPackage| {
        let category = package
            .category
            .as_ref()
            .is_none_or(|category| category == "main");
        let group = package.groups.as_ref();
        category
            && group.is_none_or(|groups| groups.iter().any(|group| group == "main"))
            && !package.optional
    };
    Ok(chosen
        .into_iter()
        .map(|at| &packages[at])
        .filter(is_main)
        .map(|package| Library::new(Ecosystem::Pypi, &package.name, &package.version))
        .collect())
}

/// The normal names of what a `pyproject.toml` needs in production.
fn poetry_roots(manifest: &Table) -> Vec<String> {
    let poetry = manifest.get("tool").and_then(|tool| tool.get("poetry"));
    let own = poetry.and_then(|poetry| poetry.get("dependencies")?.as_table());
    let own = own
        .into_iter()
        .flat_map(Table::keys)
        .map(|name| normal_python(name));
    let project = manifest
        .get("project")
        .and_then(|project| project.get("dependencies")?.as_array());
    let project = project
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|requirement| {
            let end = requirement.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
            normal_python(&requirement[..end.unwrap_or(requirement.len())])
        });
    own.chain(project).collect()
}

fn poetry_closure(packages: &[PoetryPackage], roots: Vec<String>) -> BTreeSet<usize> {
    let mut named: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, package) in packages.iter().enumerate() {
        named
            .entry(normal_python(&package.name))
            .or_default()
            .push(at);
    }
    let mut open = roots;
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        for at in named.get(&name).into_iter().flatten() {
            if seen.insert(*at) {
                let needed = packages[*at].dependencies.keys();
                open.extend(needed.map(|name| normal_python(name)));
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, read};
    use super::*;

    fn names(libraries: &[Library]) -> Vec<String> {
        libraries
            .iter()
            .map(|library| format!("{} {}", library.name, library.version))
            .collect()
    }

    const UV: &str = r#"version = 1
[[package]]
name = "web"
version = "0.1.0"
source = { virtual = "apps/web" }
dependencies = [
    { name = "uvicorn", extra = ["standard"] },
    { name = "shared" },
    { name = "colorama", marker = "sys_platform == 'win32'" },
]
[package.dev-dependencies]
dev = [{ name = "pytest" }]
[[package]]
name = "shared"
version = "0.1.0"
source = { editable = "libs/shared" }
dependencies = [{ name = "numpy", version = "2.0.0", marker = "python_full_version >= '3.12'" }]
[[package]]
name = "uvicorn"
version = "0.30.0"
source = { registry = "https://example.com/simple" }
dependencies = [{ name = "h11" }]
[package.optional-dependencies]
standard = [{ name = "httptools" }]
[[package]]
name = "h11"
version = "0.14.0"
[[package]]
name = "httptools"
version = "0.6.0"
[[package]]
name = "numpy"
version = "1.0.0"
[[package]]
name = "numpy"
version = "2.0.0"
[[package]]
name = "colorama"
version = "0.4.0"
[[package]]
name = "pytest"
version = "8.0.0"
"#;

    #[test]
    fn uv_is_followed_from_a_member_through_extras() {
        for member in ["apps/web", "web"] {
            let selector = Selector {
                member: Some(member),
                ..Selector::default()
            };
            let libraries = read(Kind::UvLock, UV.as_bytes(), &selector).unwrap();
            assert_eq!(
                names(&libraries),
                [
                    "h11 0.14.0",
                    "httptools 0.6.0",
                    "numpy 2.0.0",
                    "uvicorn 0.30.0"
                ]
            );
        }
        let selector = Selector {
            member: Some("gone"),
            ..Selector::default()
        };
        assert!(matches!(
            read(Kind::UvLock, UV.as_bytes(), &selector),
            Err(Error::Member(_))
        ));
    }

    #[test]
    fn markers_of_other_systems_keep_a_dependency_out() {
        for (marker, expected) in [
            ("sys_platform == 'win32'", false),
            ("platform_system != 'Windows'", true),
            ("python_version < '3.11' and os_name == \"nt\"", false),
            ("sys_platform == 'win32' or python_version < '3.11'", true),
            ("extra == 'x'", true),
        ] {
            assert_eq!(applies(Some(marker)), expected, "{marker}");
        }
    }

    #[test]
    fn poetry_tells_groups_or_is_followed_from_the_manifest() {
        let two = "[[package]]\nname = 'a'\nversion = '1'\noptional = false\ngroups = ['main', 'dev']\n[[package]]\nname = 'pytest'\nversion = '8'\ngroups = ['dev']\n[[package]]\nname = 'extra'\nversion = '8'\noptional = true\ngroups = ['main']\n";
        assert_eq!(
            names(&read(Kind::PoetryLock, two.as_bytes(), &Selector::default()).unwrap()),
            ["a 1"]
        );
        let one = "[[package]]\nname = 'A.b'\nversion = '1'\n[package.dependencies]\nc = '>=1'\n[[package]]\nname = 'c'\nversion = '2'\n[[package]]\nname = 'pytest'\nversion = '8'\n";
        for manifest in [
            "[tool.poetry.dependencies]\npython = '^3.12'\na-b = '^1'\n",
            "[project]\ndependencies = ['a_b[x]>=1 ; python_version > \"3\"']\n",
        ] {
            let selector = Selector {
                manifests: vec![manifest.as_bytes()],
                ..Selector::default()
            };
            assert_eq!(
                names(&read(Kind::PoetryLock, one.as_bytes(), &selector).unwrap()),
                ["A.b 1", "c 2"]
            );
        }
    }

    #[test]
    fn only_pinned_requirements_count() {
        let text = "# pip-compile\n-r other.txt\nflask==3.0.0 \\\n    --hash=sha256:00 \\\nuvicorn[standard]==0.30.1 ; python_version >= '3.8'  # via x\nrequests>=2\nwheel===0.43.0+local --hash=sha256:00\nx @ https://example.com/x.whl\nbad==*\n";
        let libraries = read(Kind::Requirements, text.as_bytes(), &Selector::default()).unwrap();
        assert_eq!(
            names(&libraries),
            ["flask 3.0.0", "uvicorn 0.30.1", "wheel 0.43.0+local"]
        );
    }

    #[test]
    fn installed_packages_are_named_by_their_metadata() {
        let metadata = b"Metadata-Version: 2.4\nName: Zope.Interface\nVersion: 7.0\nLicense: see file\nLicense-Expression: ZPL-2.1\n\nName: not a header\n";
        let installed = [
            DistInfo {
                directory: "zope_interface-7.0.dist-info",
                metadata: Some(metadata),
            },
            DistInfo {
                directory: "idna-3.7.dist-info",
                metadata: None,
            },
            DistInfo {
                directory: "__pycache__",
                metadata: None,
            },
        ];
        let libraries = installed_python(&installed);
        assert_eq!(names(&libraries), ["Zope.Interface 7.0", "idna 3.7"]);
        assert_eq!(libraries[0].license.as_deref(), Some("ZPL-2.1"));
    }
}
