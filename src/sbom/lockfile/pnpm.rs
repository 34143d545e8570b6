//! pnpm's lock file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Error, Selector, fits, integrity, word};
use crate::sbom::{Ecosystem, Library};

/// A lock file of version 5, 6 or 9.
///
/// See <https://github.com/pnpm/spec/tree/master/lockfile>.
struct Lock<'l> {
    importers: BTreeMap<&'l str, &'l Value>,
    packages: BTreeMap<&'l str, &'l Value>,
    /// Where dependencies are listed: apart from version 9 on.
    snapshots: BTreeMap<&'l str, &'l Value>,
}

pub(super) fn read(document: &Value, selector: &Selector<'_>) -> Result<BTreeSet<Library>, Error> {
    let section = |name: &str| -> BTreeMap<&str, &Value> {
        let entries = document.get(name).and_then(Value::as_object);
        entries
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_str(), value))
            .collect()
    };
    let mut lock = Lock {
        importers: section("importers"),
        packages: section("packages"),
        snapshots: section("snapshots"),
    };
    // Without a workspace, older versions have the importer at the top.
    if lock.importers.is_empty() {
        lock.importers.insert(".", document);
    }
    let members: Vec<&str> = match selector.member {
        Some(member) => vec![lock.member(member)?],
        None => lock.importers.keys().copied().collect(),
    };
    Ok(lock
        .closure(members, selector)
        .into_iter()
        .filter_map(|key| library(key, lock.meta(key)))
        .collect())
}

fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(|item| word(Some(item))).collect(),
        value => word(value).into_iter().collect(),
    }
}

impl<'l> Lock<'l> {
    fn member(&self, member: &str) -> Result<&'l str, Error> {
        let plain = match member.trim_matches('/') {
            "" => ".",
            plain => plain,
        };
        let found = self.importers.get_key_value(plain);
        found
            .map(|(key, _)| *key)
            .ok_or_else(|| Error::Member(member.to_owned()))
    }

    /// What is said of a package: under its key, or under the key without peers.
    fn meta(&self, key: &str) -> Option<&'l Value> {
        let plain = key.split('(').next().unwrap_or(key);
        self.packages
            .get(key)
            .or_else(|| self.packages.get(plain))
            .copied()
    }

    fn fits(&self, key: &str, selector: &Selector<'_>) -> bool {
        let meta = self.meta(key);
        let list = |name: &str| words(meta.and_then(|meta| meta.get(name)));
        fits(selector.platform, &list("os"), &list("cpu"), &list("libc"))
    }

    fn dependencies(&self, key: &str) -> Option<&'l Value> {
        self.snapshots
            .get(key)
            .or_else(|| self.packages.get(key))
            .copied()
    }

    /// The keys of all packages that the members need in production.
    fn closure(&self, members: Vec<&'l str>, selector: &Selector<'_>) -> BTreeSet<&'l str> {
        let mut importers: BTreeSet<&str> = members.iter().copied().collect();
        let mut open: Vec<(Option<&str>, &Value)> = members
            .into_iter()
            .map(|member| (Some(member), self.importers[member]))
            .collect();
        let mut seen = BTreeSet::new();
        while let Some((importer, node)) = open.pop() {
            for (name, version) in needed(node) {
                if let Some(target) = version.strip_prefix("link:") {
                    let linked = self.linked(importer, target);
                    if let Some((key, node)) = linked.filter(|(key, _)| importers.insert(key)) {
                        open.push((Some(key), node));
                    }
                    continue;
                }
                let Some(key) = self.key(name, &version) else {
                    continue;
                };
                if self.fits(key, selector) && seen.insert(key) {
                    open.extend(self.dependencies(key).map(|node| (None, node)));
                }
            }
        }
        seen
    }

    /// The importer behind a link, which is relative to the importer that has it.
    fn linked(&self, importer: Option<&str>, target: &str) -> Option<(&'l str, &'l Value)> {
        let mut parts: Vec<&str> = importer?.split('/').filter(|part| *part != ".").collect();
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        let path = if parts.is_empty() {
            ".".to_owned()
        } else {
            parts.join("/")
        };
        let (key, node) = self.importers.get_key_value(path.as_str())?;
        Some((key, node))
    }

    /// The key of a dependency: its version may be one, be an alias' whole key, or need the name before it.
    fn key(&self, name: &str, version: &str) -> Option<&'l str> {
        let candidates = [
            format!("{name}@{version}"),
            version.to_owned(),
            format!("/{name}@{version}"),
            format!("/{name}/{version}"),
        ];
        candidates.iter().find_map(|key| {
            let found = self.snapshots.get_key_value(key.as_str());
            let found = found.or_else(|| self.packages.get_key_value(key.as_str()));
            found.map(|(key, _)| *key)
        })
    }
}

/// Names and versions of what a package or importer needs in production.
fn needed(node: &Value) -> Vec<(&str, String)> {
    ["dependencies", "optionalDependencies"]
        .into_iter()
        .filter_map(|section| node.get(section)?.as_object())
        .flatten()
        .filter_map(|(name, value)| {
            let version = word(Some(value)).or_else(|| word(value.get("version")));
            Some((name.as_str(), version?))
        })
        .collect()
}

fn library(key: &str, meta: Option<&Value>) -> Option<Library> {
    let plain = key.strip_prefix('/').unwrap_or(key);
    let plain = plain.split('(').next().unwrap_or(plain);
    let said = |name: &str| word(meta.and_then(|meta| meta.get(name)));
    let (name, version) = parts(plain)?;
    let name = said("name").unwrap_or_else(|| name.to_owned());
    let version = said("version").unwrap_or_else(|| version.to_owned());
    if version.starts_with("file:") || version.starts_with("link:") {
        return None;
    }
    let mut library = Library::new(Ecosystem::Npm, &name, &version);
    let resolution = meta.and_then(|meta| meta.get("resolution"));
    let resolved = |name: &str| word(resolution.and_then(|resolution| resolution.get(name)));
    library.source = resolved("tarball");
    library.checksums = resolved("integrity")
        .as_deref()
        .map(integrity)
        .unwrap_or_default();
    Some(library)
}

/// Name and version of `name@version`, and of version 5's `name/version_peers`.
fn parts(key: &str) -> Option<(&str, &str)> {
    let scope = if key.starts_with('@') {
        key.find('/')? + 1
    } else {
        0
    };
    let end = scope + key[scope..].find(['@', '/'])?;
    let (name, rest) = key.split_at(end);
    Some(match rest.strip_prefix('/') {
        Some(version) => (name, version.split(['_', '/']).next().unwrap_or(version)),
        None => (name, &rest[1..]),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, read};
    use super::*;
    use crate::oci::Platform;

    fn names(lock: &str, member: Option<&str>) -> Vec<String> {
        let platform = Platform::linux("arm64");
        let selector = Selector {
            member,
            platform: Some(&platform),
            ..Selector::default()
        };
        read(Kind::PnpmLock, lock.as_bytes(), &selector)
            .unwrap()
            .into_iter()
            .map(|library| format!("{} {}", library.name, library.version))
            .collect()
    }

    #[test]
    fn version_nine_is_followed_through_snapshots_and_links() {
        let lock = "lockfileVersion: '9.0'
importers:
  .: {devDependencies: {tool: {specifier: ^1, version: 1.0.0}}}
  apps/web:
    dependencies:
      '@s/a': {specifier: ^1, version: 1.0.0(peer@2.0.0)}
      alias: {specifier: 'npm:real@^3', version: real@3.0.0}
      ui: {specifier: 'workspace:*', version: link:../../packages/ui}
    devDependencies:
      tool: {specifier: ^1, version: 1.0.0}
  packages/ui: {dependencies: {b: {specifier: ^1, version: 1.0.0}}}
packages:
  '@s/a@1.0.0': {resolution: {integrity: sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==}}
  b@1.0.0: {resolution: {integrity: sha512-x}}
  native@1.0.0: {os: [linux], cpu: [x64]}
  peer@2.0.0: {}
  real@3.0.0: {}
  tool@1.0.0: {}
snapshots:
  '@s/a@1.0.0(peer@2.0.0)': {dependencies: {peer: 2.0.0}, optionalDependencies: {native: 1.0.0}}
  b@1.0.0: {}
  native@1.0.0: {optional: true}
  peer@2.0.0: {}
  real@3.0.0: {}
  tool@1.0.0: {}
";
        let expected = ["@s/a 1.0.0", "b 1.0.0", "peer 2.0.0", "real 3.0.0"];
        assert_eq!(names(lock, Some("apps/web")), expected);
        assert_eq!(names(lock, None), expected);
        assert_eq!(names(lock, Some(".")), Vec::<String>::new());
    }

    #[test]
    fn versions_six_and_five_are_read_too() {
        let six = "lockfileVersion: '6.0'
dependencies: {'@s/a': {specifier: ^1, version: 1.0.0(peer@2.0.0)}}
devDependencies: {tool: {specifier: ^1, version: 1.0.0}}
packages:
  /@s/a@1.0.0(peer@2.0.0): {resolution: {integrity: sha512-x}, dependencies: {peer: 2.0.0}, dev: false}
  /peer@2.0.0: {dev: false}
  /tool@1.0.0: {dev: true}
";
        assert_eq!(names(six, None), ["@s/a 1.0.0", "peer 2.0.0"]);
        let five = "lockfileVersion: 5.4
dependencies: {'@s/a': 1.0.0_peer@2.0.0}
packages:
  /@s/a/1.0.0_peer@2.0.0: {dependencies: {peer: 2.0.0}}
  /peer/2.0.0: {}
";
        assert_eq!(names(five, Some(".")), ["@s/a 1.0.0", "peer 2.0.0"]);
    }
}
