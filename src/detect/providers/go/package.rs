//! The packages of a module, and what their files say before they are compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::detect::provider::Scan;
use crate::detect::repo::{Dir, is_within, join, resolve};
use crate::detect::source::{Fact, Family, File, Source};

use super::constraint::is_built;
use super::{Module, Package};

/// What of a module matters.
pub(super) struct Packages {
    /// The main packages, and those of the module that they import, by directory.
    pub(super) read: BTreeMap<String, Package>,
    /// The directories of programs that make sources of the module.
    pub(super) generators: BTreeSet<String>,
}

/// The packages of a module, without those of modules nested in it: the first file of a directory tells whether it is a program.
pub(super) fn packages(
    scan: &Scan<'_>,
    modules: &BTreeMap<String, Module>,
    path: &str,
) -> Packages {
    let others = modules.keys();
    let nested: Vec<&String> = others
        .filter(|other| *other != path && is_within(other, path))
        .collect();
    let mut dirs = BTreeMap::new();
    for dir in scan.repo.below(path) {
        let is_nested = nested.iter().any(|other| is_within(dir.path(), other));
        let mut parts = dir.path().split('/');
        if is_nested || parts.any(|part| part.starts_with(['_', '.']) || part == "testdata") {
            continue;
        }
        let names: Vec<&str> = dir
            .files()
            .iter()
            .map(|name| name.as_str())
            .filter(|name| is_source(name))
            .collect();
        if !names.is_empty() {
            dirs.insert(dir.path(), (dir, names));
        }
    }
    let programs = dirs.values().filter(|(dir, names)| {
        let first = names.iter().find_map(|name| built(*dir, name));
        first.is_some_and(|text| is_of_main(&Source::parse(&text, Family::Go)))
    });
    let mut queue: Vec<String> = programs.map(|(dir, _)| dir.path().to_owned()).collect();
    let has_others = queue.iter().any(|dir| dir != path);
    let mut read = BTreeMap::new();
    while let Some(found) = queue.pop() {
        let Some((dir, names)) = dirs.get(found.as_str()) else {
            continue;
        };
        if read.contains_key(&found) {
            continue;
        }
        let package = package(*dir, names);
        if let Some(module) = modules.get(path) {
            let imports = package.imports.iter();
            queue.extend(imports.filter_map(|import| within(module, &import.value)));
        }
        read.insert(found, package);
    }
    // The program at the module's own directory is the one that the others help to make.
    let mut generators = BTreeSet::new();
    for (dir, names) in dirs.values().filter(|_| has_others) {
        for text in names.iter().filter_map(|name| built(*dir, name)) {
            let lines = text.lines().map(str::trim_start);
            let commands = lines.filter_map(|line| line.strip_prefix("//go:generate "));
            generators.extend(commands.filter_map(|command| generator(dir.path(), command)));
        }
    }
    Packages { read, generators }
}

fn is_source(name: &str) -> bool {
    name.ends_with(".go") && !name.ends_with("_test.go") && !name.starts_with(['_', '.'])
}

/// The text of a file that is built for Linux.
fn built(dir: Dir<'_>, name: &str) -> Option<Arc<str>> {
    dir.text(name).ok().filter(|text| is_built(name, text))
}

fn package(dir: Dir<'_>, names: &[&str]) -> Package {
    let mut package = Package::default();
    for name in names {
        if let Some(text) = built(dir, name) {
            add(&mut package, dir.path(), &dir.join(name), &text);
        }
    }
    package
}

fn is_of_main(source: &Source) -> bool {
    let mut lines = source.code.lines();
    lines.any(|line| line.trim() == "package main")
}

/// Adds what one file says.
fn add(package: &mut Package, dir: &str, path: &str, text: &str) {
    let source = Source::parse(text, Family::Go);
    package.is_main |= is_of_main(&source) && source.find("func main()").is_some();
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
            if let Some(dir) = within(module, &import.value)
                && seen.insert(dir.clone())
            {
                queue.push(dir);
            }
        }
    }
    found
}

/// The directory of an imported package, if it is one of the module's own.
fn within(module: &Module, import: &str) -> Option<String> {
    let rest = import.strip_prefix(&module.name)?;
    let is_own = rest.is_empty() || rest.starts_with('/');
    is_own.then(|| join(&module.dir, rest.trim_start_matches('/')))
}
