//! The kinds of apps, of libraries and of look-alikes that grow in the forest.
//!
//! In paths and texts `@name@` is the name of what grows there, `@Name@` the same as a type would be called, `@name_@` as a
//! variable would, and `@dir@` its directory within its workspace. A line
//! with `@library@` stands there once for every library of the workspace.
//!
//! Files are written one after the other, each below a line `-- path --`; `-- path -> target --` is a link.

mod beam;
mod dotnet;
mod homes;
mod jvm;
mod libraries;
mod native;
mod node;
mod places;
mod python;
mod scripts;
mod shared;
mod sites;
mod systems;
mod traps;
mod workspaces;

pub(crate) use homes::{HOMES, Home};

use super::sources::Source;

/// A kind of app or library.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// As `metadata.language` has it.
    pub(crate) language: &'static str,
    /// As `metadata.build_system` has it.
    pub(crate) build_system: &'static str,
    /// The directory of its workspace, for one that is in one.
    pub(crate) home: Option<&'static str>,
    /// One of the many sources beside what makes it what it is.
    pub(crate) source: Source,
    /// The directory below it that a spec has as the app's.
    pub(crate) below: Option<&'static str>,
    /// The files that make it what it is.
    pub(crate) files: &'static str,
}

/// Every kind of app; a new one is an entry in its family.
const FAMILIES: &[&[Kind]] = &[
    systems::APPS,
    node::APPS,
    workspaces::APPS,
    python::APPS,
    native::APPS,
    sites::APPS,
    jvm::APPS,
    dotnet::APPS,
    scripts::APPS,
    beam::APPS,
];

/// Every kind of app.
pub(crate) fn apps() -> Vec<&'static Kind> {
    FAMILIES.iter().copied().flatten().collect()
}

/// Every kind of library.
pub(crate) fn libraries() -> Vec<&'static Kind> {
    let all = [libraries::LIBRARIES, shared::LIBRARIES];
    all.into_iter().flatten().collect()
}

const fn kind(
    language: &'static str,
    build_system: &'static str,
    source: Source,
    files: &'static str,
) -> Kind {
    Kind {
        language,
        build_system,
        home: None,
        source,
        below: None,
        files,
    }
}

const fn member(
    home: &'static str,
    language: &'static str,
    build_system: &'static str,
    source: Source,
    files: &'static str,
) -> Kind {
    Kind {
        language,
        build_system,
        home: Some(home),
        source,
        below: None,
        files,
    }
}

/// Every look-alike: what it is, and its files.
pub(crate) fn traps() -> Vec<(&'static str, &'static str)> {
    [places::TRAPS, traps::TRAPS].concat()
}

/// A file of an archive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'a> {
    pub(crate) path: &'a str,
    /// What a link leads to.
    pub(crate) target: Option<&'a str>,
    pub(crate) text: &'a str,
}

/// The files that are written in `archive`.
pub(crate) fn files(archive: &str) -> Vec<File<'_>> {
    let mut found: Vec<File<'_>> = Vec::new();
    let mut at = 0;
    let mut start = 0;
    for line in archive.split_inclusive('\n') {
        let head = line.trim_end().strip_prefix("-- ");
        if let Some(head) = head.and_then(|head| head.strip_suffix(" --")) {
            if let Some(file) = found.last_mut() {
                file.text = &archive[start..at];
            }
            let (path, target) = match head.split_once(" -> ") {
                Some((path, target)) => (path, Some(target)),
                None => (head, None),
            };
            start = at + line.len();
            found.push(File {
                path,
                target,
                text: "",
            });
        }
        at += line.len();
    }
    if let Some(file) = found.last_mut() {
        file.text = &archive[start..];
    }
    found
}
