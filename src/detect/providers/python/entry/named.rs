//! The entry that users name themselves.

use crate::detect::explain::Evidence;
use crate::detect::provider::Problem;
use crate::detect::source::{self, Fact, File};
use crate::spec::Kind;

use super::{Project, Start, application, below, facts, module, python, server};

/// The application, module or file that users name.
pub(super) fn start(project: &Project, files: &[File], entry: &Fact<String>) -> Start {
    let (place, object) = match entry.value.split_once(':') {
        Some((place, object)) => (place, Some(object.trim_end_matches("()"))),
        None => (entry.value.as_str(), None),
    };
    let path = place.trim_start_matches("./");
    let is_meant = |file: &&File| {
        below(project, &file.path) == path
            || module(project, &file.path).is_some_and(|(name, _)| name == place)
    };
    let refused = |message: String| Start {
        evidence: vec![chosen(entry)],
        problem: Some(
            Problem::new(&entry.file, Some(entry.line), message)
                .help("write `module:object`, `module` or a file"),
        ),
        ..Start::default()
    };
    let Some(file) = files.iter().find(is_meant) else {
        return refused(format!("`{place}` is no module or file of the project"));
    };
    if let Some(mut found) = application::named(project, files, &file.path, object) {
        found.decided = Some(chosen(entry));
        return server::start(project, files, &found);
    }
    if let Some(object) = object {
        return refused(format!("`{}` has no application `{object}`", file.path));
    }
    let command = match module(project, &file.path) {
        Some((name, _)) if path.contains('/') || name == place => python(&["-m", &name]),
        _ => python(&[below(project, &file.path)]),
    };
    let (kind, fact) = facts::kind(files);
    Start {
        kind: Some(kind),
        command,
        needs_src_path: below(project, &file.path).starts_with("src/"),
        port: facts::port(files).filter(|_| kind == Kind::Web),
        reads_port: facts::reads_port(files),
        health: source::health(files),
        evidence: vec![chosen(entry), facts::of_kind(kind, fact.as_ref())],
        confidence: 100,
        reason: format!("`{}` names the entry `{}`", entry.file, entry.value),
        ..Start::default()
    }
}

fn chosen(entry: &Fact<String>) -> Evidence {
    Evidence::new("start", &entry.value, "override").at(&entry.file, Some(entry.line))
}
