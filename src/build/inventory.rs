//! The libraries of languages that are shipped with an app: what was installed where that can be seen, else what was locked.

use std::collections::BTreeSet;
use std::path::Path;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::buildkit::{BuildReference, Error, Gateway};
use crate::image::{CRATES, Plan};
use crate::sbom::Library;
use crate::sbom::lockfile::{self, DistInfo, Kind, Selector};

use super::failure::Cause;
use super::inspect::{Files, read_section};

const CALLS: usize = 16;
const RECORD_LIMIT: u64 = 64 << 20;
const METADATA_LIMIT: u64 = 4 << 20;
const NPM_RECORD: &str = "/node_modules/.package-lock.json";
// The lock files of each language, the one that decides first.
const NODE_LOCKS: [&str; 4] = [
    "pnpm-lock.yaml",
    "yarn.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
];

/// Lists the libraries of what was built.
pub(super) async fn take(
    plan: &Plan<'_>,
    repository: &Path,
    gateway: &Gateway,
    output: &BuildReference,
    files: &Files,
) -> Result<Vec<Library>, Cause> {
    let mut libraries: BTreeSet<Library> = BTreeSet::new();
    let mut has_npm_record = false;
    for path in files.all.keys().filter(|path| path.ends_with(NPM_RECORD)) {
        let bytes = gateway.read_file(output, path, RECORD_LIMIT).await?;
        libraries
            .extend(lockfile::installed_npm(&bytes).map_err(|error| unreadable(path, &error))?);
        has_npm_record = true;
    }
    libraries.extend(python(gateway, output, files).await?);
    match plan.language.as_deref() {
        Some("go") => libraries.extend(go(gateway, output, files).await?),
        Some("rust") => libraries.extend(rust(plan, repository, gateway, output, files).await?),
        Some("node" | "javascript" | "typescript") if !has_npm_record && has_modules(files) => {
            libraries.extend(node(plan, repository)?);
        }
        _ => {}
    }
    Ok(libraries.into_iter().collect())
}

fn unreadable(file: &str, error: &lockfile::Error) -> Cause {
    Cause::Inventory {
        file: file.to_owned(),
        reason: error.to_string(),
    }
}

fn has_modules(files: &Files) -> bool {
    files
        .all
        .keys()
        .any(|path| path.contains("/node_modules/") || path.contains("/.yarn/cache/"))
}

async fn python(
    gateway: &Gateway,
    output: &BuildReference,
    files: &Files,
) -> Result<Vec<Library>, Error> {
    let records = files
        .all
        .keys()
        .filter(|path| path.ends_with(".dist-info/METADATA"));
    let read: Vec<(String, Vec<u8>)> = stream::iter(records)
        .map(async |path| {
            let directory = path
                .trim_end_matches("/METADATA")
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            Ok::<_, Error>((
                directory,
                gateway.read_file(output, path, METADATA_LIMIT).await?,
            ))
        })
        .buffered(CALLS)
        .try_collect()
        .await?;
    let infos: Vec<DistInfo<'_>> = read
        .iter()
        .map(|(directory, bytes)| DistInfo {
            directory,
            metadata: Some(bytes),
        })
        .collect();
    Ok(lockfile::installed_python(&infos))
}

async fn go(
    gateway: &Gateway,
    output: &BuildReference,
    files: &Files,
) -> Result<Vec<Library>, Cause> {
    let mut libraries = Vec::new();
    for path in &files.programs {
        let size = files
            .all
            .get(path)
            .map(|stat| stat.size)
            .unwrap_or_default();
        let bytes = read_section(gateway, output, path, size, ".go.buildinfo").await?;
        libraries.extend(lockfile::go_buildinfo(&bytes).map_err(|error| unreadable(path, &error))?);
    }
    Ok(libraries)
}

async fn rust(
    plan: &Plan<'_>,
    repository: &Path,
    gateway: &Gateway,
    output: &BuildReference,
    files: &Files,
) -> Result<Vec<Library>, Cause> {
    let Some((file, bytes, _)) = nearest(repository, &plan.path, &["Cargo.lock"]) else {
        return Ok(Vec::new());
    };
    let manifest = read(&repository.join(&plan.path).join("Cargo.toml")).unwrap_or_default();
    let manifest: Option<toml::Table> = String::from_utf8(manifest)
        .ok()
        .and_then(|text| text.parse().ok());
    let name = manifest
        .as_ref()
        .and_then(|table| table.get("package")?.get("name")?.as_str());
    let selector = Selector {
        member: name,
        platform: Some(&plan.platform),
        ..Selector::default()
    };
    let mut libraries = lockfile::read(Kind::CargoLock, &bytes, &selector)
        .map_err(|error| unreadable(&file, &error))?;
    if files.all.contains_key(CRATES) {
        let bytes = gateway.read_file(output, CRATES, RECORD_LIMIT).await?;
        let text = String::from_utf8_lossy(&bytes);
        let linked = lockfile::linked_crates(&text);
        libraries
            .retain(|library| linked.contains(&(library.name.as_str(), library.version.as_str())));
    }
    Ok(libraries)
}

fn node(plan: &Plan<'_>, repository: &Path) -> Result<Vec<Library>, Cause> {
    let Some((file, bytes, below)) = nearest(repository, &plan.path, &NODE_LOCKS) else {
        return Ok(Vec::new());
    };
    let name = file.rsplit('/').next().unwrap_or(&file);
    let Some(kind) = Kind::of(name) else {
        return Ok(Vec::new());
    };
    let manifest = read(&repository.join(&plan.path).join("package.json")).unwrap_or_default();
    let selector = Selector {
        member: Some(if below.is_empty() {
            "."
        } else {
            below.as_str()
        }),
        manifests: vec![&manifest],
        platform: Some(&plan.platform),
    };
    lockfile::read(kind, &bytes, &selector).map_err(|error| unreadable(&file, &error))
}

/// The first of `names` in the app's directory or the nearest one above it: its path, its bytes, and the app's path from there.
fn nearest(repository: &Path, path: &str, names: &[&str]) -> Option<(String, Vec<u8>, String)> {
    let path = path.trim_matches('/');
    let mut directory = if path == "." { "" } else { path };
    let mut below = String::new();
    loop {
        for name in names {
            let file = if directory.is_empty() {
                (*name).to_owned()
            } else {
                format!("{directory}/{name}")
            };
            if let Some(bytes) = read(&repository.join(&file)) {
                return Some((file, bytes, below));
            }
        }
        if directory.is_empty() {
            return None;
        }
        let (parent, last) = directory.rsplit_once('/').unwrap_or(("", directory));
        below = if below.is_empty() {
            last.to_owned()
        } else {
            format!("{last}/{below}")
        };
        directory = parent;
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let is_small = path
        .symlink_metadata()
        .is_ok_and(|file| file.is_file() && file.len() <= RECORD_LIMIT);
    is_small.then(|| std::fs::read(path).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_lock_file_counts_and_the_app_is_named_from_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b/c")).unwrap();
        std::fs::write(folder.path().join("yarn.lock"), "root").unwrap();
        std::fs::write(folder.path().join("a/yarn.lock"), "a").unwrap();
        let found = nearest(folder.path(), "a/b/c", &["yarn.lock"]).unwrap();
        assert_eq!(
            found,
            ("a/yarn.lock".to_owned(), b"a".to_vec(), "b/c".to_owned())
        );
        let found = nearest(folder.path(), ".", &["none", "yarn.lock"]).unwrap();
        assert_eq!(
            found,
            ("yarn.lock".to_owned(), b"root".to_vec(), String::new())
        );
        assert_eq!(nearest(folder.path(), "a", &["none"]), None);
    }
}
