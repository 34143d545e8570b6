//! The libraries of which nothing in the image tells: a bundle has swallowed them, or a program was stripped.

use std::collections::BTreeSet;

use crate::image::calls;
use crate::sbom::lockfile::{self, Kind, Selector};
use crate::sbom::{Ecosystem, Library};

use super::sources::{Nearest, Sources, in_repository, join};
use super::{Files, Inventory, node, rust};

// The lock files of each language, the one that decides first.
const NODE: [&str; 4] = [
    "pnpm-lock.yaml",
    "yarn.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
];
const PYTHON: [&str; 3] = ["uv.lock", "poetry.lock", "requirements.txt"];
const GO: [&str; 1] = ["go.mod"];
// What bundles, or runs what does.
const NODE_TOOLS: [&str; 8] = ["bun", "bunx", "node", "npm", "npx", "pnpm", "pnpx", "yarn"];
const DIRECTORY_OPTIONS: [&str; 4] = ["--cwd", "--dir", "--prefix", "-C"];

/// Adds what the lock files name and the image does not show.
pub(super) fn add(sources: &Sources<'_>, files: &Files, inventory: &mut Inventory) {
    for project in node_projects(sources) {
        add_node(sources, &project, files, inventory);
    }
    match sources.plan.language.as_deref() {
        Some("rust") if !inventory.has(Ecosystem::Cargo) && !rust::is_told(files) => {
            add_read(rust::locked(sources), inventory);
        }
        Some("go") if !inventory.has(Ecosystem::Golang) => {
            add_nearest(sources, &GO, "go.mod", inventory);
        }
        Some("python") if !inventory.has(Ecosystem::Pypi) => {
            add_nearest(sources, &PYTHON, "pyproject.toml", inventory);
        }
        _ => {}
    }
}

fn add_nearest(sources: &Sources<'_>, names: &[&str], manifest: &str, inventory: &mut Inventory) {
    let Some(lock) = sources.nearest(sources.app(), names) else {
        return;
    };
    add_lock(sources, &lock, &join(sources.app(), manifest), inventory);
}

/// The directories of the repository whose packages a command of the app's build may bundle.
fn node_projects(sources: &Sources<'_>) -> BTreeSet<String> {
    let app = sources.app();
    let mut projects = BTreeSet::new();
    for call in calls(sources.plan) {
        if !NODE_TOOLS.contains(&call.words[0].as_str()) {
            continue;
        }
        let options = call.words.windows(2);
        let option = options.filter(|pair| DIRECTORY_OPTIONS.contains(&pair[0].as_str()));
        let named = option.map(|pair| {
            pair[1]
                .trim_start_matches("./")
                .trim_matches('/')
                .to_owned()
        });
        let here = call
            .directory
            .as_deref()
            .and_then(in_repository)
            .unwrap_or(app);
        for directory in std::iter::once(here.to_owned()).chain(named.map(|name| join(here, &name)))
        {
            // A workspace is installed from above; its member is the app.
            let is_above =
                directory.is_empty() || format!("{app}/").starts_with(&format!("{directory}/"));
            let candidates = [app.to_owned(), directory];
            let mut candidates = candidates.into_iter().skip(usize::from(!is_above));
            projects.extend(
                candidates.find(|project| sources.read(&join(project, "package.json")).is_some()),
            );
        }
    }
    projects
}

/// Adds the packages of a project of Node that are not in a `node_modules` of the image, if it needs any that is in none.
fn add_node(sources: &Sources<'_>, project: &str, files: &Files, inventory: &mut Inventory) {
    let manifest = join(project, "package.json");
    let needed = lockfile::needed_packages(&sources.read(&manifest).unwrap_or_default());
    let names = node::names(files);
    if needed.iter().all(|name| names.contains(name.as_str())) {
        return;
    }
    let Some(lock) = sources.nearest(project, &NODE) else {
        inventory.warnings.push(format!(
            "the SBOM lacks what `{manifest}` needs: it is not seen in the image, and no lock file tells its versions"
        ));
        return;
    };
    add_lock(sources, &lock, &manifest, inventory);
}

/// Adds what `lock` holds for the project of `manifest`.
fn add_lock(sources: &Sources<'_>, lock: &Nearest, manifest: &str, inventory: &mut Inventory) {
    let manifest = sources.read(manifest).unwrap_or_default();
    let selector = Selector {
        member: match (lock.kind(), lock.below.as_str()) {
            (Some(Kind::GoMod | Kind::Requirements | Kind::PoetryLock), _) => None,
            (_, "") => Some("."),
            (_, below) => Some(below),
        },
        manifests: vec![&manifest],
        platform: Some(&sources.plan.platform),
    };
    add_read(lock.libraries(&selector), inventory);
}

fn add_read(read: Result<Vec<Library>, String>, inventory: &mut Inventory) {
    match read {
        Ok(libraries) => inventory.add(libraries),
        Err(warning) => inventory.warnings.push(warning),
    }
}
