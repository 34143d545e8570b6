//! The crates of programs that do not tell them.

use std::collections::BTreeSet;

use crate::buildkit::{BuildReference, Gateway};
use crate::image::CRATES;
use crate::sbom::lockfile::{Crates, Selector};
use crate::sbom::{Evidence, Library};

use super::sources::{Sources, in_repository, join};
use super::{Cause, Files, Inventory};

const LIST_LIMIT: u64 = 64 << 20;
const COMMAND: &str = "cargo tree";

/// Adds what Cargo listed in the build, unless every program tells for itself.
pub(super) async fn add(
    sources: &Sources<'_>,
    gateway: &Gateway,
    output: &BuildReference,
    files: &Files,
    inventory: &mut Inventory,
) -> Result<(), Cause> {
    if !files.all.contains_key(CRATES) || is_told(files) {
        return Ok(());
    }
    let bytes = gateway.read_file(output, CRATES, LIST_LIMIT).await?;
    let crates = Crates::read(&String::from_utf8_lossy(&bytes));
    let locked = locked(sources).unwrap_or_default(); // it adds checksums, no crates
    for library in crates.linked(&chosen(sources, files, &crates)) {
        let is_same =
            |known: &&Library| known.name == library.name && known.version == library.version;
        let mut library = library.clone().with(Evidence::Linked(COMMAND));
        if let Some(known) = locked.iter().find(is_same) {
            library.merge(known.clone());
        }
        inventory.add([library]);
    }
    Ok(())
}

/// Whether there are programs and all of them tell what is linked into them.
pub(super) fn is_told(files: &Files) -> bool {
    let is_told = |program: &String| files.linked.contains_key(program);
    !files.programs.is_empty() && files.programs.iter().all(is_told)
}

/// The directories of the crates whose programs are shipped; none where a program is not known by its name.
fn chosen(sources: &Sources<'_>, files: &Files, crates: &Crates) -> BTreeSet<String> {
    let mut chosen = BTreeSet::new();
    for program in files
        .programs
        .iter()
        .filter(|program| !files.linked.contains_key(*program))
    {
        let copies = sources
            .plan
            .copies
            .iter()
            .filter(|copy| copy.to == *program);
        let mut names: BTreeSet<&str> = copies.map(|copy| file_name(&copy.from)).collect();
        names.insert(file_name(program));
        let makers = crates
            .roots()
            .filter(|(_, directory)| !programs(sources, directory).is_disjoint(&owned(&names)));
        let makers: BTreeSet<String> = makers.map(|(_, directory)| directory.to_owned()).collect();
        if makers.is_empty() {
            return BTreeSet::new();
        }
        chosen.extend(makers);
    }
    chosen
}

fn owned(names: &BTreeSet<&str>) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn file_name(path: &str) -> &str {
    path.trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(path)
}

/// The names that the programs of a crate can have.
///
/// See <https://doc.rust-lang.org/cargo/guide/project-layout.html>.
fn programs(sources: &Sources<'_>, directory: &str) -> BTreeSet<String> {
    let Some(directory) = in_repository(directory) else {
        return BTreeSet::new();
    };
    let manifest = manifest(sources, directory).unwrap_or_default();
    let text = |table: &toml::Value| Some(table.get("name")?.as_str()?.to_owned());
    let mut names: BTreeSet<String> = manifest.get("package").and_then(text).into_iter().collect();
    let bins = manifest.get("bin").and_then(toml::Value::as_array);
    names.extend(bins.into_iter().flatten().filter_map(text));
    let found = std::fs::read_dir(sources.repository.join(join(directory, "src/bin")));
    let found = found.into_iter().flatten().flatten();
    names.extend(found.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_suffix(".rs").map_or(name.clone(), str::to_owned))
    }));
    names
}

fn manifest(sources: &Sources<'_>, directory: &str) -> Option<toml::Table> {
    let bytes = sources.read(&join(directory, "Cargo.toml"))?;
    str::from_utf8(&bytes).ok()?.parse().ok()
}

/// What Cargo's lock file holds for the app.
pub(super) fn locked(sources: &Sources<'_>) -> Result<Vec<Library>, String> {
    let Some(lock) = sources.nearest(sources.app(), &["Cargo.lock"]) else {
        return Ok(Vec::new());
    };
    let manifest = manifest(sources, sources.app()).unwrap_or_default();
    let member = manifest
        .get("package")
        .and_then(|package| package.get("name")?.as_str());
    let selector = Selector {
        member,
        platform: Some(&sources.plan.platform),
        ..Selector::default()
    };
    lock.libraries(&selector)
}
