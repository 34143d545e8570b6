//! The Node packages that lie in what is shipped.

use std::collections::{BTreeMap, BTreeSet};

use crate::buildkit::Error;
use crate::sbom::lockfile;
use crate::sbom::{Evidence, Library};

use super::{Files, Manifests};

const RECORD: &str = "/node_modules/.package-lock.json";
const MODULES: &str = "/node_modules/";

/// Lists the packages that are installed in what is shipped, whoever installed them.
///
/// npm keeps a record that knows checksums and origins; of other packages their own manifests are read.
pub(super) async fn seen(manifests: &Manifests<'_>) -> Result<Vec<Library>, Error> {
    let files = manifests.files;
    let mut recorded: BTreeMap<String, Library> = BTreeMap::new();
    for path in files.all.keys().filter(|path| path.ends_with(RECORD)) {
        let base = path.trim_end_matches(RECORD);
        // Without a record that can be read there are still the manifests.
        let known = lockfile::installed_npm(&manifests.record(path).await?).unwrap_or_default();
        let packages = known
            .into_iter()
            .map(|(key, library)| (format!("{base}/{key}/package.json"), library));
        recorded.extend(packages.filter(|(manifest, _)| files.all.contains_key(manifest)));
    }
    let is_unknown = |path: &str| is_manifest(path) && !recorded.contains_key(path);
    let read = manifests.all(is_unknown).await?.into_iter();
    let read = read.filter_map(|(path, bytes)| {
        let library = lockfile::installed_package(&bytes)?;
        Some(library.with(Evidence::Seen(path.to_owned())))
    });
    let mut libraries: Vec<Library> = read.collect();
    let recorded = recorded.into_iter();
    libraries.extend(recorded.map(|(path, library)| library.with(Evidence::Seen(path))));
    Ok(libraries)
}

/// The names that Node finds in what is shipped, links to the repository's own among them.
pub(super) fn names(files: &Files) -> BTreeSet<&str> {
    let all = files.all.iter();
    all.filter_map(|(path, stat)| {
        let place = match stat.link {
            Some(_) => path,
            None => path.strip_suffix("/package.json")?,
        };
        let (_, name) = place.rsplit_once(MODULES)?;
        is_name(name).then_some(name)
    })
    .collect()
}

/// Whether the file at `path` is the manifest of an installed package, not one that a package has for its tests.
fn is_manifest(path: &str) -> bool {
    let Some(directory) = path.strip_suffix("/package.json") else {
        return false;
    };
    // `/app/node_modules/a/node_modules/@b/c`, `…/node_modules/.pnpm/a@1.0.0/node_modules/a`
    let mut places = directory.split(MODULES).skip(1).peekable();
    let mut is_installed = places.peek().is_some();
    while let Some(place) = places.next() {
        let is_last = places.peek().is_none();
        is_installed &= is_name(place) || is_stored(place, is_last);
    }
    is_installed
}

fn is_name(place: &str) -> bool {
    let name = match place.strip_prefix('@').map(|scoped| scoped.split_once('/')) {
        Some(Some((_, name))) => name,
        Some(None) => return false,
        None => place,
    };
    !name.is_empty() && !name.starts_with('.') && !name.contains('/')
}

/// The directories of their own in which pnpm, Bun, Yarn and npm keep packages that are linked from elsewhere:
/// `.pnpm/a@1.0.0` around another `node_modules`, or Yarn's `.store/a-npm-1.0.0-0123456789/package`.
fn is_stored(place: &str, is_last: bool) -> bool {
    let parts: Vec<&str> = place.split('/').collect();
    match &parts[..] {
        [store, _] => !is_last && store.starts_with('.'),
        [".store", _, "package"] => is_last,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_that_of_an_installed_package() {
        for (path, expected) in [
            ("/app/node_modules/a/package.json", true),
            ("/app/node_modules/@a/b/package.json", true),
            ("/app/node_modules/a/node_modules/@b/c/package.json", true),
            (
                "/app/node_modules/.pnpm/@a+b@1.0.0/node_modules/@a/b/package.json",
                true,
            ),
            (
                "/app/node_modules/.bun/a@1.0.0/node_modules/a/package.json",
                true,
            ),
            (
                "/app/node_modules/.store/a-npm-1-0/package/package.json",
                true,
            ),
            ("/app/.next/standalone/node_modules/a/package.json", true),
            ("/app/package.json", false),
            ("/app/node_modules/package.json", false),
            ("/app/node_modules/a/dist/package.json", false),
            ("/app/node_modules/@a/package.json", false),
            ("/app/node_modules/.cache/package.json", false),
            ("/app/node_modules/.pnpm/a@1/package.json", false),
            (
                "/app/node_modules/a/test/fixture/node_modules/b/package.json",
                false,
            ),
        ] {
            assert_eq!(is_manifest(path), expected, "{path}");
        }
    }
}
