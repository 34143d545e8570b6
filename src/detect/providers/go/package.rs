//! The packages of a module, and what their files say before they are compiled.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::provider::Scan;
use crate::detect::repo::{is_within, join, resolve};
use crate::detect::source::{Fact, Family, File, Source};

use super::constraint::is_built;
use super::{Module, Package};

/// The packages of a module by directory, without those of modules nested in it.
pub(super) fn packages(
    scan: &Scan<'_>,
    modules: &BTreeMap<String, Module>,
    path: &str,
) -> BTreeMap<String, Package> {
    let mut packages = BTreeMap::new();
    for dir in scan.repo.below(path) {
        let nested = modules
            .keys()
            .any(|other| other != path && is_within(other, path) && is_within(dir.path(), other));
        let hidden = dir
            .path()
            .split('/')
            .any(|part| part.starts_with(['_', '.']) || part == "testdata");
        if nested || hidden {
            continue;
        }
        let mut package = Package::default();
        for name in dir.files() {
            if !name.ends_with(".go") || name.ends_with("_test.go") || name.starts_with(['_', '.'])
            {
                continue;
            }
            let Ok(text) = dir.text(name) else { continue };
            if is_built(name, &text) {
                add(&mut package, dir.path(), &dir.join(name), &text);
            }
        }
        if !package.files.is_empty() {
            packages.insert(dir.path().to_owned(), package);
        }
    }
    packages
}

/// Adds what one file says.
fn add(package: &mut Package, dir: &str, path: &str, text: &str) {
    let source = Source::parse(text, Family::Go);
    let is_main = source
        .code
        .lines()
        .any(|line| line.trim() == "package main");
    package.is_main |= is_main && source.find("func main()").is_some();
    package
        .imports
        .extend(imports(&source).map(|(at, text)| Fact {
            value: text.clone(),
            file: path.to_owned(),
            line: source.line(*at),
        }));
    for line in text.lines().map(str::trim_start) {
        if let Some(patterns) = line.strip_prefix("//go:embed ") {
            let patterns = patterns.split_whitespace();
            package
                .embeds
                .extend(patterns.filter_map(|p| embed(dir, p)));
        } else if let Some(command) = line.strip_prefix("//go:generate ") {
            package.generators.extend(generator(dir, command));
        } else if let Some(flags) = line.trim_start_matches("// ").strip_prefix("#cgo ") {
            package.cgo_flags.push(flags.to_owned());
        }
    }
    package.files.push(File {
        path: path.to_owned(),
        source,
    });
}

/// What a pattern of `//go:embed` takes, up to its first wildcard.
fn embed(dir: &str, pattern: &str) -> Option<String> {
    let pattern = pattern.trim_matches(['"', '`']);
    let pattern = pattern.strip_prefix("all:").unwrap_or(pattern);
    let parts: Vec<&str> = pattern
        .split('/')
        .take_while(|part| !part.contains(['*', '?', '[']))
        .collect();
    if parts.is_empty() {
        return None;
    }
    resolve(dir, &parts.join("/"))
}

/// The directory of the program that `//go:generate` runs.
fn generator(dir: &str, command: &str) -> Option<String> {
    let path = command.strip_prefix("go run ")?;
    let path = path
        .split_whitespace()
        .find(|word| !word.starts_with('-'))?;
    path.starts_with('.').then(|| resolve(dir, path)).flatten()
}

fn imports(source: &Source) -> impl Iterator<Item = &(usize, String)> {
    let end = ["func ", "type ", "var ", "const "]
        .iter()
        .filter_map(|word| source.code.find(&format!("\n{word}")))
        .min()
        .unwrap_or(source.code.len());
    let start = source.code.find("import").unwrap_or(end);
    source
        .strings
        .iter()
        .filter(move |(at, _)| (start..end).contains(at))
}

/// The files of a main package and of the module's own packages that it imports.
pub(super) fn closure<'p>(
    packages: &'p BTreeMap<String, Package>,
    module: &Module,
    main: &str,
) -> Vec<&'p Package> {
    let mut seen = BTreeSet::from([main.to_owned()]);
    let mut queue = vec![main.to_owned()];
    let mut found = Vec::new();
    while let Some(dir) = queue.pop() {
        let Some(package) = packages.get(&dir) else {
            continue;
        };
        found.push(package);
        for import in &package.imports {
            let Some(rest) = import.value.strip_prefix(&module.name) else {
                continue;
            };
            let dir = join(&module.dir, rest.trim_start_matches('/'));
            if (rest.is_empty() || rest.starts_with('/')) && seen.insert(dir.clone()) {
                queue.push(dir);
            }
        }
    }
    found
}
