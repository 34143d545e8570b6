//! The packages of `uv.lock`, `poetry.lock` and `pdm.lock`, which are TOML of a fixed form.

use std::collections::{BTreeMap, BTreeSet};

use super::dependencies::normal;

/// One locked package.
pub(super) struct Locked<'t> {
    pub(super) name: String,
    pub(super) dependencies: Vec<String>,
    /// Its part of the file.
    pub(super) block: &'t str,
    /// The line of its name, from 1.
    pub(super) line: u64,
}

impl Locked<'_> {
    /// Whether one of the files that are locked for it is a wheel.
    pub(super) fn has_wheel(&self) -> bool {
        self.block.contains(".whl\"")
    }

    /// Whether it comes from an index, and not from a directory or a repository.
    pub(super) fn is_from_index(&self) -> bool {
        let is_key = |line: &str| {
            ["git = ", "path = ", "url = "]
                .iter()
                .any(|key| line.starts_with(key))
        };
        if let Some(source) = self.block.lines().find(|l| l.starts_with("source = ")) {
            return source.contains("registry");
        }
        !self.block.contains("[package.source]") && !self.block.lines().any(is_key)
    }

    /// The directory that Poetry refers to in place of installing from it, and the line that names it.
    pub(super) fn in_place(&self) -> Option<(&str, u64)> {
        let is_for_production = self
            .groups()
            .is_none_or(|groups| groups.contains("\"main\""));
        let has = |wanted| self.block.lines().any(|line| line == wanted);
        if !is_for_production || !has("develop = true") || !has("type = \"directory\"") {
            return None;
        }
        let name = self
            .block
            .lines()
            .position(|line| line.starts_with("name = \""))?;
        let at = self
            .block
            .lines()
            .position(|line| line.starts_with("url = \""))?;
        let line = self.block.lines().nth(at)?;
        let path = line.strip_prefix("url = \"")?.strip_suffix('"')?;
        Some((path, self.line + at.saturating_sub(name) as u64))
    }

    /// The groups that want it, where the lock file knows them.
    pub(super) fn groups(&self) -> Option<&str> {
        self.block
            .lines()
            .find_map(|line| line.strip_prefix("groups = "))
    }
}

/// The packages of a lock file, in its order.
pub(super) fn packages(text: &str) -> Vec<Locked<'_>> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut blocks = text.split("[[package]]");
    line += blocks.next().map_or(0, newlines);
    for block in blocks {
        let at = block.lines().position(|line| line.starts_with("name = \""));
        let name = at.and_then(|at| {
            let line = block.lines().nth(at)?;
            line.strip_prefix("name = \"")?.strip_suffix('"')
        });
        if let (Some(at), Some(name)) = (at, name) {
            found.push(Locked {
                name: normal(name),
                dependencies: dependencies(block),
                block,
                line: line + at as u64,
            });
        }
        line += newlines(block);
    }
    found
}

fn newlines(text: &str) -> u64 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u64
}

/// The names of the dependencies in one block: a list of tables (uv), a list of texts (PDM), a table (Poetry).
fn dependencies(block: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_list = false;
    let mut is_table = false;
    for line in block.lines() {
        if is_list && line.starts_with(']') {
            is_list = false;
        } else if line == "dependencies = [" {
            is_list = true;
        } else if line.starts_with('[') {
            is_table = line == "[package.dependencies]";
        } else if is_list {
            let line = line.trim();
            let text = line.strip_prefix("{ name = \"").or(line.strip_prefix('"'));
            names.extend(text.and_then(leading_name));
        } else if is_table {
            names.extend(leading_name(line.trim_start_matches('"')));
        }
    }
    names
}

fn leading_name(text: &str) -> Option<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    (end > 0).then(|| normal(&text[..end]))
}

/// The names of the packages that `roots` bring along, themselves included; without roots all of them.
pub(super) fn closure(packages: &[Locked<'_>], roots: &BTreeSet<String>) -> BTreeSet<String> {
    let mut known: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        let needs = package.dependencies.iter().map(String::as_str);
        known.entry(&package.name).or_default().extend(needs);
    }
    if roots.is_empty() {
        return known.keys().map(|name| (*name).to_owned()).collect();
    }
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut queue: Vec<&str> = roots.iter().map(String::as_str).collect();
    while let Some(name) = queue.pop() {
        if known.contains_key(name) && seen.insert(name.to_owned()) {
            queue.extend(known.get(name).into_iter().flatten());
        }
    }
    seen
}
