//! The sources that a program loads, followed from its entry: what else lies in the directory says nothing of it.

use std::collections::BTreeSet;

use crate::detect::provider::Scan;
use crate::detect::repo::{is_within, join, resolve, split};
use crate::detect::source::{self, Family, File, Source};

use super::Project;
use super::package::Package;
use super::server::ENDINGS;

/// Sources that are followed at most.
const FILES: usize = 400;

/// The sources that the entries load, entries first; those of the whole directory where an import cannot be followed.
pub(super) fn sources(scan: &Scan<'_>, project: &Project<'_>, entries: &[String]) -> Vec<File> {
    let mut queue: Vec<String> = entries
        .iter()
        .filter(|file| scan.repo.has(file) && is_source(file))
        .cloned()
        .collect();
    let mut seen: BTreeSet<String> = queue.iter().cloned().collect();
    let mut files = Vec::new();
    let mut is_whole = !queue.is_empty();
    let mut at = 0;
    while at < queue.len() && files.len() < FILES {
        let path = queue[at].clone();
        at += 1;
        let Ok(text) = scan.repo.text(&path) else {
            continue;
        };
        let source = Source::parse(&text, Family::Script);
        for text in imports(&source) {
            match target(scan, project, &path, text) {
                Target::File(file) => {
                    if seen.insert(file.clone()) {
                        queue.push(file);
                    }
                }
                Target::Package => {}
                Target::Unknown => is_whole = false,
            }
        }
        files.push(File { path, source });
    }
    if !is_whole {
        let others: Vec<String> = project.packages.keys().cloned().collect();
        let own = source::own_more(
            scan.repo,
            &project.package.dir,
            &others,
            ENDINGS,
            Family::Script,
        );
        files.extend(own.into_iter().filter(|file| !seen.contains(&file.path)));
    }
    files
}

fn is_source(file: &str) -> bool {
    let ending = file.rsplit('.').next().unwrap_or_default();
    ENDINGS.contains(&ending) && !source::is_test_file(split(file).1)
}

/// What a source imports, as written.
pub(super) fn imports(source: &Source) -> impl Iterator<Item = &str> {
    source.strings.iter().filter_map(|(at, text)| {
        let before = source.code[..*at].trim_end();
        let before = before.strip_suffix('(').unwrap_or(before).trim_end();
        ["from", "import", "require"]
            .iter()
            .any(|word| {
                before
                    .strip_suffix(word)
                    .is_some_and(|rest| !rest.ends_with(|c: char| c == '_' || c.is_alphanumeric()))
            })
            .then_some(text.as_str())
    })
}

enum Target {
    File(String),
    /// An installed package, or something that is no code.
    Package,
    Unknown,
}

fn target(scan: &Scan<'_>, project: &Project<'_>, from: &str, text: &str) -> Target {
    if text.starts_with('.') {
        let Some(path) = resolve(split(from).0, text) else {
            return Target::Unknown;
        };
        return match file(scan, &path) {
            Some(file) if is_source(&file) => Target::File(file),
            Some(_) => Target::Package,
            // What the build writes is not there yet.
            None => Target::Unknown,
        };
    }
    let members = project.shipped.iter().chain(&project.internal);
    for dir in members {
        let Some(package) = project.packages.get(dir) else {
            continue;
        };
        let name = package.name.as_deref().unwrap_or_default();
        if let Some(rest) = text.strip_prefix(name).filter(|_| !name.is_empty())
            && (rest.is_empty() || rest.starts_with('/'))
        {
            let entry = entry(scan, package, rest.trim_start_matches('/'));
            return entry.map_or(Target::Package, Target::File);
        }
    }
    let is_alias = ["@/", "~/", "~", "#", "src/"]
        .iter()
        .any(|start| text.starts_with(start));
    let is_installed = project
        .package
        .dependencies
        .iter()
        .chain(&project.package.dev_dependencies)
        .any(|name| {
            text == name
                || text
                    .strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
        });
    if is_alias && !is_installed {
        return Target::Unknown;
    }
    Target::Package
}

/// The file that a path without an ending, or with that of what is compiled, stands for.
fn file(scan: &Scan<'_>, path: &str) -> Option<String> {
    let stem = [".js", ".mjs", ".cjs", ".jsx"]
        .iter()
        .find_map(|ending| path.strip_suffix(ending));
    let stems = std::iter::once(path).chain(stem);
    let candidates = stems.flat_map(|stem| {
        let with = ENDINGS.iter().map(move |ending| format!("{stem}.{ending}"));
        let index = ENDINGS
            .iter()
            .map(move |ending| format!("{stem}/index.{ending}"));
        std::iter::once(stem.to_owned()).chain(with).chain(index)
    });
    candidates.into_iter().find(|file| scan.repo.has(file))
}

/// The source behind a member's name, or behind a path below it.
fn entry(scan: &Scan<'_>, package: &Package, below: &str) -> Option<String> {
    let document = &package.document;
    let exports = document.str(&["exports"]).or_else(|| {
        ["import", "require", "default"]
            .iter()
            .find_map(|key| document.str(&["exports", ".", key]))
            .or_else(|| document.str(&["exports", "."]))
    });
    let named = exports
        .or_else(|| document.str(&["module"]))
        .or_else(|| document.str(&["main"]))
        .unwrap_or("index");
    let named = if below.is_empty() { named } else { below };
    let path = resolve(&package.dir, named)?;
    if let Some(found) = file(scan, &path).filter(|file| is_within(file, &package.dir)) {
        return Some(found);
    }
    // What it names is built: the source has the same name in another directory.
    let name = split(&path).1;
    ["src", "", "lib"].iter().find_map(|dir| {
        let path = join(&join(&package.dir, dir), name);
        file(scan, &path)
    })
}
