//! Console scripts: the programs that a project's metadata names.

use crate::detect::explain::{Candidate, Evidence};
use crate::detect::provider::Scan;
use crate::detect::source::{self, File};
use crate::spec::Kind;

use super::super::dependencies::{setup_cfg, setup_py};
use super::super::manager::Manager;
use super::{Project, Start, below, facts, module, python};

/// One script.
struct Script {
    name: String,
    target: String,
    file: String,
    line: Option<u64>,
}

/// The start that the scripts of a project name: the only one, or the one with the name of the project or of a start.
pub(super) fn start(scan: &Scan<'_>, project: &Project, files: &[File]) -> Option<Start> {
    let scripts = scripts(scan, project);
    let own = project.name().unwrap_or_default();
    let is_start = |script: &&Script| {
        script.name == own || matches!(script.name.as_str(), "start" | "serve" | "server")
    };
    let script = match scripts.as_slice() {
        [only] => only,
        several => several.iter().find(is_start)?,
    };
    let (module_name, function) = script.target.split_once(':')?;
    if !is_path(module_name) || !is_path(function) {
        return None;
    }
    let file = files
        .iter()
        .find(|file| module(project, &file.path).is_some_and(|(found, _)| found == module_name))?;
    let command = if project.is_installed() {
        vec![format!("/app/.venv/bin/{}", script.name)]
    } else {
        let root = function.split('.').next().unwrap_or(function);
        let code = format!("import sys; from {module_name} import {root}; sys.exit({function}())");
        python(&["-c", &code])
    };
    let losing = scripts.iter().filter(|other| other.name != script.name);
    let losing = losing.map(|other| Candidate {
        value: other.name.clone(),
        file: Some(other.file.clone()),
        line: other.line,
        reason: format!("`{}` is the name of the project or of a start", script.name),
    });
    let mut evidence =
        Evidence::new("start", &script.target, "python.script").at(&script.file, script.line);
    evidence.losing = losing.collect();
    // What the script itself calls says more than what others in the project call.
    let (kind, fact) = match facts::kind(std::slice::from_ref(file)) {
        (Kind::Worker, None) => facts::kind(files),
        found => found,
    };
    let mut all = vec![evidence, facts::of_kind(kind, fact.as_ref())];
    let framework = facts::framework(project);
    let framework = framework.map(|(name, evidence)| {
        all.push(evidence);
        name
    });
    Some(Start {
        kind: Some(kind),
        command,
        needs_src_path: below(project, &file.path).starts_with("src/"),
        framework,
        port: facts::port(files).filter(|_| kind == Kind::Web),
        reads_port: facts::reads_port(files),
        health: source::health(files),
        evidence: all,
        confidence: 85,
        reason: format!("`{}` names the script `{}`", script.file, script.name),
        ..Start::default()
    })
}

fn scripts(scan: &Scan<'_>, project: &Project) -> Vec<Script> {
    if let Some(document) = &project.pyproject {
        for table in [&["project", "scripts"][..], &["tool", "poetry", "scripts"]] {
            let names = document.keys(table);
            if names.is_empty() {
                continue;
            }
            let scripts = names.into_iter().filter_map(|name| {
                let keys: Vec<&str> = table.iter().copied().chain([name]).collect();
                Some(Script {
                    name: name.to_owned(),
                    target: document.str(&keys)?.to_owned(),
                    file: document.file.clone(),
                    line: document.line(&keys),
                })
            });
            return scripts.collect();
        }
    }
    if !matches!(project.manager, Manager::Project(_)) {
        return Vec::new();
    }
    let key = "console_scripts";
    let found = setup_cfg(scan, &project.dir, key).into_iter();
    let found = found.chain(setup_py(scan, &project.dir, key));
    found
        .filter_map(|(text, file, line)| {
            let (name, target) = text.split_once('=')?;
            Some(Script {
                name: name.trim().to_owned(),
                target: target.trim().to_owned(),
                file,
                line: Some(line),
            })
        })
        .collect()
}

/// Whether a text is names with dots between, safe to stand in code.
fn is_path(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c == '_' || c == '.' || c.is_alphanumeric())
}
