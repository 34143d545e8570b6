//! The binary targets of a crate.

use std::collections::BTreeMap;

use crate::detect::document::Document;
use crate::detect::repo::{Dir, resolve, split};

/// One binary target.
pub(super) struct Bin {
    pub(super) name: String,
    pub(super) entry: String,
    /// The line of the manifest that names it.
    pub(super) line: Option<u64>,
    pub(super) features: Vec<String>,
}

/// The binary targets: declared ones, and those that Cargo finds by itself.
pub(super) fn bins(dir: Dir<'_>, document: &Document, name: &str) -> Vec<Bin> {
    let mut bins: BTreeMap<String, Bin> = BTreeMap::new();
    let found = |relative: &str| exists(dir, relative);
    if document
        .get(&["package", "autobins"])
        .and_then(serde_json::Value::as_bool)
        != Some(false)
    {
        if found("src/main.rs") {
            bins.insert(name.to_owned(), bin(name, "src/main.rs"));
        }
        for (target, entry) in auto_bins(dir) {
            bins.insert(target.clone(), bin(&target, &entry));
        }
    }
    declared(dir, document, &mut bins);
    bins.into_values().collect()
}

/// Adds the targets of the `[[bin]]` tables, which replace those that were found by their place.
fn declared(dir: Dir<'_>, document: &Document, bins: &mut BTreeMap<String, Bin>) {
    let found = |relative: &str| exists(dir, relative);
    let declared = document
        .get(&["bin"])
        .and_then(serde_json::Value::as_array)
        .map_or(0, Vec::len);
    for at in 0..declared {
        let index = at.to_string();
        let Some(table) = document.get(&["bin"]).and_then(|bins| bins.get(at)) else {
            continue;
        };
        let text = |key: &str| table.get(key).and_then(serde_json::Value::as_str);
        let Some(target) = text("name") else { continue };
        let entry = match text("path") {
            // Written as a person does: `./cmd/server.rs`.
            Some(path) => resolve("", path).filter(|entry| found(entry)),
            None => [
                format!("src/bin/{target}.rs"),
                format!("src/bin/{target}/main.rs"),
                "src/main.rs".to_owned(),
            ]
            .into_iter()
            .find(|entry| found(entry)),
        };
        let Some(entry) = entry else { continue };
        bins.retain(|_, bin| bin.entry != entry);
        let features = table
            .get("required-features")
            .and_then(serde_json::Value::as_array)
            .map(|all| {
                all.iter()
                    .filter_map(|one| one.as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default();
        let line = document.line(&["bin", &index, "name"]);
        bins.insert(
            target.to_owned(),
            Bin {
                name: target.to_owned(),
                entry,
                line,
                features,
            },
        );
    }
}

fn bin(name: &str, entry: &str) -> Bin {
    Bin {
        name: name.to_owned(),
        entry: entry.to_owned(),
        line: None,
        features: Vec::new(),
    }
}

fn exists(dir: Dir<'_>, relative: &str) -> bool {
    let (below, name) = split(relative);
    dir.below(below).is_some_and(|dir| dir.has(name))
}

fn auto_bins(dir: Dir<'_>) -> Vec<(String, String)> {
    let Some(bin) = dir.below("src/bin") else {
        return Vec::new();
    };
    let files = bin.files().iter().filter_map(|file| {
        Some((
            file.strip_suffix(".rs")?.to_owned(),
            format!("src/bin/{file}"),
        ))
    });
    let dirs = bin
        .dirs()
        .iter()
        .filter(|name| bin.below(name).is_some_and(|dir| dir.has("main.rs")))
        .map(|name| (name.to_string(), format!("src/bin/{name}/main.rs")));
    files.chain(dirs).collect()
}
