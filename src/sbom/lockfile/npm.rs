//! npm's lock files and its record of what is installed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Error, LARGEST, Selector, fits, integrity, keys};
use crate::sbom::{Ecosystem, Library};

/// The longest path of a package that is followed, in bytes.
const LONGEST: usize = 4096;

/// See <https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json>.
#[derive(Deserialize)]
struct Lock {
    packages: Option<BTreeMap<String, Package>>,
    dependencies: Option<BTreeMap<String, Nested>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Package {
    #[serde(deserialize_with = "text")]
    name: Option<String>,
    #[serde(deserialize_with = "text")]
    version: Option<String>,
    #[serde(deserialize_with = "text")]
    resolved: Option<String>,
    #[serde(deserialize_with = "text")]
    integrity: Option<String>,
    #[serde(deserialize_with = "text")]
    license: Option<String>,
    link: bool,
    dev: bool,
    dev_optional: bool,
    extraneous: bool,
    #[serde(deserialize_with = "names")]
    dependencies: Vec<String>,
    #[serde(deserialize_with = "names")]
    optional_dependencies: Vec<String>,
    #[serde(deserialize_with = "names")]
    peer_dependencies: Vec<String>,
    #[serde(deserialize_with = "list")]
    os: Vec<String>,
    #[serde(deserialize_with = "list")]
    cpu: Vec<String>,
    #[serde(deserialize_with = "list")]
    libc: Vec<String>,
}

impl Package {
    fn fits(&self, selector: &Selector<'_>) -> bool {
        fits(selector.platform, &self.os, &self.cpu, &self.libc)
    }
}

/// A package of version 1, where installed copies are nested as their directories are.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Nested {
    #[serde(deserialize_with = "text")]
    version: Option<String>,
    #[serde(deserialize_with = "text")]
    resolved: Option<String>,
    #[serde(deserialize_with = "text")]
    integrity: Option<String>,
    dev: bool,
    dependencies: BTreeMap<String, Self>,
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        // Old packages wrote `{"type": "MIT", "url": …}`.
        Value::Object(map) => map.get("type").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    })
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Object(map) => map.into_iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    })
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => vec![text],
        Value::Array(items) => items
            .into_iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    })
}

pub(super) fn read(bytes: &[u8], selector: &Selector<'_>) -> Result<BTreeSet<Library>, Error> {
    let lock: Lock = serde_json::from_slice(bytes)?;
    let mut found = BTreeSet::new();
    match (&lock.packages, &lock.dependencies) {
        (Some(packages), _) => {
            let paths = match selector.member {
                Some(member) => closure(packages, member.trim_matches('/'), selector)?,
                None => packages
                    .iter()
                    .filter(|(_, package)| {
                        !package.dev && !package.dev_optional && !package.extraneous
                    })
                    .map(|(path, _)| path.as_str())
                    .collect(),
            };
            for path in paths {
                let package = &packages[path];
                if package.fits(selector) {
                    found.extend(library(path, package));
                }
            }
        }
        (None, Some(dependencies)) => nested(dependencies, &mut found),
        (None, None) => {}
    }
    Ok(found)
}

/// Lists what npm has installed, from the bytes of `node_modules/.package-lock.json`, by the directories of the packages
/// relative to the one that `node_modules` lies in.
///
/// npm writes that file behind every installation; what was deleted later is still in it.
///
/// # Errors
///
/// If it does not parse.
pub fn installed_npm(bytes: &[u8]) -> Result<BTreeMap<String, Library>, Error> {
    if bytes.len() > LARGEST {
        return Err(Error::TooLarge);
    }
    let lock: Lock = serde_json::from_slice(bytes)?;
    let packages = lock.packages.unwrap_or_default();
    let found = packages.into_iter().filter_map(|(path, package)| {
        let library = library(&path, &package)?;
        Some((path, library))
    });
    Ok(found.collect())
}

/// The library that a `package.json` in `node_modules` describes; none where it has no name or version, or is private:
/// that is the repository's own, which no registry has.
#[must_use]
pub fn installed_package(bytes: &[u8]) -> Option<Library> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let package: Installed = serde_json::from_slice(bytes).ok()?;
    if package.private == Value::Bool(true) {
        return None;
    }
    let mut library = Library::new(Ecosystem::Npm, &package.name?, &package.version?);
    library.license = package.license;
    Some(library)
}

/// The names of the packages that a `package.json` cannot do without; none where it does not parse.
#[must_use]
pub fn needed_packages(bytes: &[u8]) -> BTreeSet<String> {
    let manifest: Value = serde_json::from_slice(bytes).unwrap_or_default();
    keys(manifest.get("dependencies")).cloned().collect()
}

#[derive(Deserialize)]
struct Installed {
    #[serde(default, deserialize_with = "text")]
    name: Option<String>,
    #[serde(default, deserialize_with = "text")]
    version: Option<String>,
    #[serde(default, deserialize_with = "text")]
    license: Option<String>,
    #[serde(default)]
    private: Value,
}

/// The library that is installed at `path`; workspace members and links to them are none.
fn library(path: &str, package: &Package) -> Option<Library> {
    let (before, directory) = path.rsplit_once("node_modules/")?;
    if package.link || !(before.is_empty() || before.ends_with('/')) {
        return None;
    }
    let name = package.name.as_deref().unwrap_or(directory);
    let mut library = Library::new(Ecosystem::Npm, name, package.version.as_deref()?);
    library.license.clone_from(&package.license);
    library.source.clone_from(&package.resolved);
    library.checksums = package
        .integrity
        .as_deref()
        .map(integrity)
        .unwrap_or_default();
    Some(library)
}

/// The paths of what `member` needs in production, resolved as Node does.
fn closure<'l>(
    packages: &'l BTreeMap<String, Package>,
    member: &str,
    selector: &Selector<'_>,
) -> Result<BTreeSet<&'l str>, Error> {
    let member = if member == "." { "" } else { member };
    let (root, _) = packages
        .get_key_value(member)
        .ok_or_else(|| Error::Member(member.to_owned()))?;
    let mut seen = BTreeSet::from([root.as_str()]);
    let mut open = vec![root.as_str()];
    while let Some(path) = open.pop() {
        let package = &packages[path];
        let needed = package
            .dependencies
            .iter()
            .chain(&package.optional_dependencies)
            .chain(&package.peer_dependencies);
        for name in needed {
            // Optional ones, and peers that nothing installs, may be missing.
            let Some(found) = resolve(packages, path, name) else {
                continue;
            };
            if packages[found].fits(selector) && seen.insert(found) {
                open.push(found);
            }
        }
    }
    Ok(seen)
}

/// Where `name` is found from `path`, walking up as Node does, and through links.
fn resolve<'l>(packages: &'l BTreeMap<String, Package>, path: &str, name: &str) -> Option<&'l str> {
    if path.len() + name.len() > LONGEST {
        return None;
    }
    let mut directory = path;
    loop {
        let candidate = match directory {
            "" => format!("node_modules/{name}"),
            _ => format!("{directory}/node_modules/{name}"),
        };
        if let Some((found, package)) = packages.get_key_value(&candidate) {
            let target = package.resolved.as_deref().filter(|_| package.link);
            return Some(match target {
                Some(target) => packages.get_key_value(target)?.0,
                None => found,
            });
        }
        if directory.is_empty() {
            return None;
        }
        directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
}

// The depth is bounded by that of the JSON parser.
fn nested(dependencies: &BTreeMap<String, Nested>, found: &mut BTreeSet<Library>) {
    for (name, package) in dependencies.iter().filter(|(_, package)| !package.dev) {
        nested(&package.dependencies, found);
        let Some(version) = &package.version else {
            continue;
        };
        if version.starts_with("file:") {
            continue;
        }
        let mut library = match version
            .strip_prefix("npm:")
            .and_then(|alias| alias.rsplit_once('@'))
        {
            Some((name, version)) => Library::new(Ecosystem::Npm, name, version),
            None => Library::new(Ecosystem::Npm, name, version),
        };
        library.source.clone_from(&package.resolved);
        library.checksums = package
            .integrity
            .as_deref()
            .map(integrity)
            .unwrap_or_default();
        found.insert(library);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, read};
    use super::*;
    use crate::oci::Platform;

    const LOCK: &str = r#"{"lockfileVersion": 3, "packages": {
        "": {"workspaces": ["apps/*"], "devDependencies": {"tool": "1"}},
        "apps/web": {"version": "1.0.0", "dependencies": {"a": "1", "ui": "*"}, "devDependencies": {"tool": "1"}},
        "apps/api": {"version": "1.0.0", "dependencies": {"c": "1"}},
        "packages/ui": {"version": "1.0.0", "dependencies": {"b": "2"}, "peerDependencies": {"peer": "1"}},
        "packages/ui/node_modules/b": {"version": "2.0.0"},
        "node_modules/ui": {"resolved": "packages/ui", "link": true},
        "node_modules/web": {"resolved": "apps/web", "link": true},
        "node_modules/a": {"version": "1.0.0", "license": "MIT", "resolved": "https://example.com/a-1.0.0.tgz",
            "integrity": "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
            "dependencies": {"b": "1"}, "optionalDependencies": {"native-linux": "1", "native-mac": "1", "gone": "1"}},
        "node_modules/a/node_modules/@s/deep": {"version": "3.0.0"},
        "node_modules/b": {"version": "1.0.0", "dependencies": {"@s/deep": "1"}},
        "node_modules/@s/deep": {"version": "1.0.0", "license": {"type": "ISC"}},
        "node_modules/c": {"name": "real-c", "version": "1.0.0"},
        "node_modules/peer": {"version": "1.0.0", "peer": true},
        "node_modules/native-linux": {"version": "1.0.0", "optional": true, "os": ["linux"], "cpu": ["x64"]},
        "node_modules/native-mac": {"version": "1.0.0", "optional": true, "os": ["darwin"]},
        "node_modules/tool": {"version": "1.0.0", "dev": true}
    }}"#;

    fn names(libraries: Vec<Library>) -> Vec<String> {
        libraries
            .into_iter()
            .map(|library| format!("{} {}", library.name, library.version))
            .collect()
    }

    #[test]
    fn a_member_has_what_node_would_resolve_for_it() {
        let platform = Platform::linux("amd64");
        let selector = Selector {
            member: Some("apps/web"),
            platform: Some(&platform),
            ..Selector::default()
        };
        let libraries = read(Kind::PackageLock, LOCK.as_bytes(), &selector).unwrap();
        assert_eq!(libraries[1].license.as_deref(), Some("MIT"));
        assert_eq!(libraries[1].checksums.len(), 1);
        assert_eq!(
            names(libraries),
            [
                "@s/deep 1.0.0",
                "a 1.0.0",
                "b 1.0.0",
                "b 2.0.0",
                "native-linux 1.0.0",
                "peer 1.0.0"
            ]
        );
        let selector = Selector {
            member: Some("apps/api"),
            ..Selector::default()
        };
        assert_eq!(
            names(read(Kind::PackageLock, LOCK.as_bytes(), &selector).unwrap()),
            ["real-c 1.0.0"]
        );
        let selector = Selector {
            member: Some("apps/gone"),
            ..Selector::default()
        };
        assert!(matches!(
            read(Kind::PackageLock, LOCK.as_bytes(), &selector),
            Err(Error::Member(_))
        ));
    }

    #[test]
    fn without_a_member_all_that_is_not_for_development_counts() {
        let libraries =
            names(read(Kind::PackageLock, LOCK.as_bytes(), &Selector::default()).unwrap());
        assert!(!libraries.contains(&"tool 1.0.0".to_owned()));
        assert!(!libraries.iter().any(|library| library.starts_with("ui")));
        assert_eq!(libraries.len(), 9);
    }

    #[test]
    fn what_is_installed_counts_in_full() {
        let installed = installed_npm(LOCK.as_bytes()).unwrap();
        assert!(names(installed.into_values().collect()).contains(&"tool 1.0.0".to_owned()));
    }

    #[test]
    fn an_installed_package_describes_itself_unless_it_is_private() {
        let of = |text: &str| {
            let library = installed_package(text.as_bytes())?;
            Some(format!(
                "{} {} {:?}",
                library.name, library.version, library.license
            ))
        };
        let text = r#"{"name": "@a/b", "version": "1.0.0", "license": {"type": "MIT"}}"#;
        assert_eq!(of(text).unwrap(), "@a/b 1.0.0 Some(\"MIT\")");
        assert_eq!(
            of(r#"{"name": "a", "version": "1", "private": true}"#),
            None
        );
        assert_eq!(of(r#"{"type": "module"}"#), None);
        assert_eq!(of("["), None);
    }

    #[test]
    fn version_one_is_read_through_its_nesting() {
        let lock = r#"{"lockfileVersion": 1, "dependencies": {
            "a": {"version": "1.0.0", "resolved": "https://example.com/a.tgz", "dependencies": {"b": {"version": "2.0.0"}}},
            "alias": {"version": "npm:real@3.0.0"},
            "local": {"version": "file:../local"},
            "tool": {"version": "1.0.0", "dev": true}}}"#;
        let libraries = read(Kind::PackageLock, lock.as_bytes(), &Selector::default()).unwrap();
        assert_eq!(names(libraries), ["a 1.0.0", "b 2.0.0", "real 3.0.0"]);
    }
}
