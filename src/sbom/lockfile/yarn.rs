//! Yarn's lock files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Error, Selector, fits, integrity, keys, needed, word, yaml};
use crate::sbom::{Ecosystem, Library};

/// A package of a lock file of either kind.
#[derive(Default)]
struct Package {
    library: Option<Library>,
    /// The directory of a workspace member.
    workspace: Option<String>,
    /// Names and ranges, as `name@range`.
    needs: Vec<(String, String)>,
    fits: bool,
}

/// A lock file: packages, and which one a `name@range` is.
#[derive(Default)]
struct Lock {
    packages: Vec<Package>,
    found: BTreeMap<String, usize>,
    /// The packages of each name, for ranges that the root overrides.
    named: BTreeMap<String, BTreeSet<usize>>,
}

pub(super) fn read(text: &str, selector: &Selector<'_>) -> Result<BTreeSet<Library>, Error> {
    let lock = if text.lines().any(|line| line.starts_with("__metadata:")) {
        berry(text, selector)?
    } else {
        classic(text)?
    };
    let mut manifests = Vec::new();
    for bytes in selector.manifests.iter().filter(|bytes| !bytes.is_empty()) {
        manifests.push(serde_json::from_slice::<Value>(bytes)?);
    }
    let chosen = lock.closure(&manifests, selector)?;
    let packages = chosen.into_iter().map(|at| &lock.packages[at]);
    Ok(packages
        .filter(|package| package.fits)
        .filter_map(|package| package.library.clone())
        .collect())
}

impl Lock {
    fn add(&mut self, descriptors: &[String], package: Package) {
        let at = self.packages.len();
        for descriptor in descriptors {
            if let Some((name, _)) = split(descriptor) {
                self.named.entry(name.to_owned()).or_default().insert(at);
            }
            self.found.insert(descriptor.clone(), at);
        }
        self.packages.push(package);
    }

    fn resolve(&self, name: &str, range: &str) -> Vec<usize> {
        let candidates = [format!("{name}@{range}"), format!("{name}@npm:{range}")];
        match candidates.iter().find_map(|key| self.found.get(key)) {
            Some(at) => vec![*at],
            // The root may override ranges; then any package of that name may be meant.
            None => self
                .named
                .get(name)
                .into_iter()
                .flatten()
                .copied()
                .collect(),
        }
    }

    /// The packages that count.
    fn closure(
        &self,
        manifests: &[Value],
        selector: &Selector<'_>,
    ) -> Result<BTreeSet<usize>, Error> {
        let member = selector
            .member
            .map(|member| match member.trim_matches('/') {
                "" => ".",
                plain => plain,
            });
        let root = self.packages.iter().position(|package| {
            package.workspace.is_some()
                && package.workspace.as_deref() == Some(member.unwrap_or("."))
        });
        let mut open: Vec<(String, String)> = match (manifests.first(), root) {
            (Some(manifest), _) => wanted(manifest),
            (None, Some(root)) if member.is_some() => self.packages[root].needs.clone(),
            (None, None)
                if member.is_some()
                    && self
                        .packages
                        .iter()
                        .any(|package| package.workspace.is_some()) =>
            {
                return Err(Error::Member(member.unwrap_or_default().to_owned()));
            }
            _ => return Ok((0..self.packages.len()).collect()),
        };
        let local: BTreeMap<&str, &Value> = manifests
            .iter()
            .filter_map(|manifest| Some((manifest.get("name")?.as_str()?, manifest)))
            .collect();
        let mut seen = BTreeSet::new();
        let mut visited: BTreeSet<String> = BTreeSet::new();
        while let Some((name, range)) = open.pop() {
            // A workspace package: its manifest tells what is for development, the lock file does not.
            if let Some(manifest) = local.get(name.as_str()) {
                if visited.insert(name) {
                    open.extend(wanted(manifest));
                }
                continue;
            }
            for at in self.resolve(&name, &range) {
                if self.packages[at].fits && seen.insert(at) {
                    open.extend(self.packages[at].needs.iter().cloned());
                }
            }
        }
        Ok(seen)
    }
}

fn wanted(manifest: &Value) -> Vec<(String, String)> {
    needed(manifest)
        .filter_map(|(name, range)| Some((name.clone(), range.as_str()?.to_owned())))
        .collect()
}

/// Splits `@scope/name@range`.
fn split(descriptor: &str) -> Option<(&str, &str)> {
    let at = descriptor
        .char_indices()
        .skip(1)
        .find(|(_, c)| *c == '@')?
        .0;
    Some((&descriptor[..at], &descriptor[at + 1..]))
}

/// Reads a lock file of Yarn 1: entries of `key value` lines, indented by two.
fn classic(text: &str) -> Result<Lock, Error> {
    let mut lock = Lock::default();
    let mut entry: Option<(Vec<String>, Package, Fields)> = None;
    for line in text.lines().map(str::trim_end) {
        if line.trim_start().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let words = unquoted(line.trim_start());
        if indent == 0 {
            if let Some((descriptors, package, fields)) = entry.take() {
                lock.add(&descriptors, fields.into_package(&descriptors, package));
            }
            entry = Some((words, Package::default(), Fields::default()));
            continue;
        }
        let Some((_, package, fields)) = &mut entry else {
            return Err(Error::Form("a field before the first package"));
        };
        match (indent, words.as_slice()) {
            (2, [section]) => fields.lists_needs = section.ends_with("ependencies"),
            (2, [key, value]) => fields.set(key, value),
            (4, [name, range]) if fields.lists_needs => {
                package.needs.push((name.clone(), range.clone()));
            }
            _ => {}
        }
    }
    if let Some((descriptors, package, fields)) = entry {
        lock.add(&descriptors, fields.into_package(&descriptors, package));
    }
    Ok(lock)
}

/// What an entry of Yarn 1 says.
#[derive(Default)]
struct Fields {
    version: String,
    resolved: Option<String>,
    integrity: Option<String>,
    lists_needs: bool,
}

impl Fields {
    fn set(&mut self, key: &str, value: &str) {
        self.lists_needs = false;
        match key {
            "version" => value.clone_into(&mut self.version),
            "resolved" => self.resolved = Some(value.to_owned()),
            "integrity" => self.integrity = Some(value.to_owned()),
            _ => {}
        }
    }

    fn into_package(self, descriptors: &[String], mut package: Package) -> Package {
        let first = descriptors.first().and_then(|descriptor| split(descriptor));
        if let Some((name, range)) = first.filter(|(_, range)| !range.starts_with("file:")) {
            // `alias@npm:name@range` is the package `name`.
            let real = range.strip_prefix("npm:").and_then(split);
            let name = real.map_or(name, |(real, _)| real);
            let mut library = Library::new(Ecosystem::Npm, name, &self.version);
            library.source = self.resolved;
            library.checksums = self.integrity.as_deref().map(integrity).unwrap_or_default();
            package.library = Some(library);
        }
        package.fits = true;
        package
    }
}

/// The words of a line, separated by blanks or commas, quoted or not; a colon ends a key.
fn unquoted(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', ',', ':']);
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some(end) = quoted.find('"') else {
                words.push(quoted.to_owned());
                return words;
            };
            words.push(quoted[..end].to_owned());
            rest = &quoted[end + 1..];
        } else if rest.is_empty() {
            return words;
        } else {
            let end = rest.find([' ', ',']).unwrap_or(rest.len());
            words.push(rest[..end].trim_end_matches(':').to_owned());
            rest = &rest[end..];
        }
    }
}

/// Reads a lock file of Yarn 2 or later.
fn berry(text: &str, selector: &Selector<'_>) -> Result<Lock, Error> {
    let document = yaml(text.as_bytes())?;
    let mut lock = Lock::default();
    for (key, entry) in document.as_object().into_iter().flatten() {
        let Some(resolution) = word(entry.get("resolution")) else {
            continue;
        };
        let Some((name, reference)) = split(&resolution) else {
            continue;
        };
        let workspace = reference.strip_prefix("workspace:").map(str::to_owned);
        let mut package = Package {
            fits: meets(&word(entry.get("conditions")).unwrap_or_default(), selector),
            ..Package::default()
        };
        if workspace.is_none()
            && let Some(version) = word(entry.get("version"))
        {
            package.library = Some(Library::new(Ecosystem::Npm, name, &version));
        }
        package.workspace = workspace;
        let needs = entry.get("dependencies");
        package.needs = keys(needs)
            .filter_map(|name| Some((name.clone(), word(needs?.get(name))?)))
            .collect();
        let descriptors: Vec<String> = key.split(", ").map(str::to_owned).collect();
        lock.add(&descriptors, package);
    }
    Ok(lock)
}

/// Whether the platform meets conditions such as `os=linux & cpu=x64`.
fn meets(conditions: &str, selector: &Selector<'_>) -> bool {
    let only = |name: &str| -> Vec<String> {
        conditions
            .split(" & ")
            .filter_map(|condition| condition.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
            .collect()
    };
    // `(os=linux | os=darwin)` stays: only plain conditions are understood.
    conditions.contains('|') || fits(selector.platform, &only("os"), &only("cpu"), &only("libc"))
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, read};
    use super::*;
    use crate::oci::Platform;

    fn names(lock: &str, selector: &Selector<'_>) -> Vec<String> {
        let libraries = read(Kind::YarnLock, lock.as_bytes(), selector).unwrap();
        libraries
            .into_iter()
            .map(|library| format!("{} {}", library.name, library.version))
            .collect()
    }

    const CLASSIC: &str = "# yarn lockfile v1\n\n
\"@s/a@^1.0.0\", \"@s/a@^1.1.0\":
  version \"1.1.0\"
  resolved \"https://example.com/a.tgz#0000\"
  integrity sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==
  dependencies:
    b \"^2.0.0\"
  optionalDependencies:
    c \">= 1\"

alias@npm:real@^3:
  version \"3.0.0\"

b@^2.0.0:
  version \"2.0.0\"

\"c@>= 1\":
  version \"1.0.0\"

tool@^1:
  version \"1.0.0\"
";

    #[test]
    fn yarn_one_is_followed_from_the_manifests() {
        let web: &[u8] = br#"{"name": "web", "dependencies": {"@s/a": "^1.0.0", "ui": "*"}, "devDependencies": {"tool": "^1"}}"#;
        let ui: &[u8] = br#"{"name": "ui", "dependencies": {"alias": "npm:real@^3", "web": "*"}}"#;
        let selector = Selector {
            manifests: vec![web, ui],
            ..Selector::default()
        };
        assert_eq!(
            names(CLASSIC, &selector),
            ["@s/a 1.1.0", "b 2.0.0", "c 1.0.0", "real 3.0.0"]
        );
        assert_eq!(names(CLASSIC, &Selector::default()).len(), 5);
        let all = read(Kind::YarnLock, CLASSIC.as_bytes(), &selector).unwrap();
        assert_eq!(all[0].checksums.len(), 1);
    }

    #[test]
    fn later_yarns_are_followed_from_a_member() {
        let lock = r#"__metadata:
  version: 8
"@s/a@npm:^1.0.0, @s/a@npm:^1.1.0":
  version: 1.1.0
  resolution: "@s/a@npm:1.1.0"
  dependencies:
    b: "npm:^2.0.0"
    native: "npm:1.0.0"
  checksum: 10/00
"b@npm:^2.0.0":
  version: 2.0.0
  resolution: "b@npm:2.0.0"
"native@npm:1.0.0":
  version: 1.0.0
  resolution: "native@npm:1.0.0"
  conditions: os=darwin & cpu=arm64
"tool@npm:^1":
  version: 1.0.0
  resolution: "tool@npm:1.0.0"
"ui@workspace:*, ui@workspace:packages/ui":
  version: 0.0.0-use.local
  resolution: "ui@workspace:packages/ui"
  dependencies:
    b: "npm:^2.0.0"
"web@workspace:apps/web":
  version: 0.0.0-use.local
  resolution: "web@workspace:apps/web"
  dependencies:
    "@s/a": "npm:^1.0.0"
    tool: "npm:^1"
    ui: "workspace:*"
"#;
        let platform = Platform::linux("amd64");
        let mut selector = Selector {
            member: Some("apps/web"),
            platform: Some(&platform),
            ..Selector::default()
        };
        assert_eq!(
            names(lock, &selector),
            ["@s/a 1.1.0", "b 2.0.0", "tool 1.0.0"]
        );
        selector.manifests = vec![br#"{"name": "web", "dependencies": {"@s/a": "^1.0.0"}, "devDependencies": {"tool": "^1"}}"#];
        assert_eq!(names(lock, &selector), ["@s/a 1.1.0", "b 2.0.0"]);
        let selector = Selector {
            member: Some("apps/gone"),
            ..Selector::default()
        };
        assert!(matches!(
            read(Kind::YarnLock, lock.as_bytes(), &selector),
            Err(Error::Member(_))
        ));
    }
}
