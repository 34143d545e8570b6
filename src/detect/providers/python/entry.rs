//! What a Python project starts.

mod application;
mod django;
mod facts;
mod named;
mod procfile;
mod program;
mod script;
mod server;

use std::collections::BTreeMap;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::{join, split};
use crate::detect::source::{self, Fact, Family, File};
use crate::spec::Kind;

use super::{PYTHON, Project};

/// The port of the servers for WSGI and ASGI, unless something says otherwise.
pub(super) const PORT: u16 = 8000;

/// How a project is started.
#[derive(Default)]
pub(super) struct Start {
    pub(super) kind: Option<Kind>,
    pub(super) command: Vec<String>,
    pub(super) processes: BTreeMap<String, Vec<String>>,
    pub(super) env: BTreeMap<String, String>,
    /// Commands that build what is served, after the installation.
    pub(super) build: Vec<String>,
    /// What they write, relative to the project.
    pub(super) built: Vec<String>,
    /// What says where they write it.
    pub(super) collected: Option<Fact<String>>,
    /// Whether a `package.json` beside it builds its assets.
    pub(super) has_assets: bool,
    pub(super) needs_src_path: bool,
    pub(super) writable: Vec<String>,
    pub(super) framework: Option<String>,
    pub(super) port: Option<Fact<u16>>,
    /// Whether it reads `PORT`.
    pub(super) reads_port: bool,
    pub(super) health: Option<Fact<String>>,
    /// The route that its framework has without being asked.
    pub(super) framework_health: Option<&'static str>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) confidence: u8,
    pub(super) reason: String,
    /// Why it cannot be started, although it is an app.
    pub(super) problem: Option<Problem>,
}

impl Start {
    /// What the project is, for others that belong to it.
    pub(super) fn owner(&self) -> String {
        let what = self.framework.as_deref().unwrap_or("Python");
        format!("the {what} app")
    }
}

/// Finds the start of a project, or the reason why it has none.
pub(super) fn find(
    scan: &mut Scan<'_>,
    project: &Project,
    others: &[String],
) -> Result<Start, String> {
    let files = source::own(scan.repo, &project.dir, others, &["py"], Family::Python);
    if let Some(entry) = scan.entry(&project.dir) {
        return Ok(named::start(project, &files, &entry));
    }
    if let Some(start) = procfile::start(scan, project, &files) {
        return Ok(start);
    }
    if project.has("django")
        && let Some(manage) = django::manage(scan, project)
    {
        return Ok(django::start(scan, project, &files, &manage));
    }
    let script = script::start(scan, project, &files);
    let listens = script
        .as_ref()
        .is_some_and(|start| start.kind == Some(Kind::Web));
    // A script that listens is how its authors serve the application.
    let mut script = match script {
        Some(start) if listens => return Ok(start),
        script => script,
    };
    if let Some(start) = program::interactive(project, &files) {
        return Ok(start);
    }
    match application::choose(scan, project, &files) {
        Ok(Some(object)) => {
            let mut start = server::start(project, &files, &object);
            // Where no server is among the dependencies, a script may still be what is meant.
            if start.problem.is_some()
                && let Some(script) = script.take()
            {
                return Ok(script);
            }
            worker(project, &files, &mut start);
            return Ok(start);
        }
        Ok(None) => {}
        Err(start) => return Ok(*start),
    }
    if let Some(start) = script {
        return Ok(start);
    }
    if let Some(start) = celery(project, &files) {
        return Ok(start);
    }
    program::start(scan, project, &files).ok_or_else(|| {
        let document = project.pyproject.as_ref();
        if document.is_some_and(|document| document.get(&["build-system"]).is_some()) {
            "it is a package without a script, a `__main__` module or an application: a library"
                .to_owned()
        } else {
            "nothing in it is a script, a `__main__` module or an application".to_owned()
        }
    })
}

/// The path of a file relative to the project.
fn below<'f>(project: &Project, file: &'f str) -> &'f str {
    file.get(project.dir.len()..)
        .unwrap_or_default()
        .trim_start_matches('/')
}

/// The module that a file is, and whether it lies below `src`.
fn module(project: &Project, file: &str) -> Option<(String, bool)> {
    let below = below(project, file).strip_suffix(".py")?;
    let (path, in_src) = match below.strip_prefix("src/") {
        Some(path) => (path, true),
        None => (below, false),
    };
    let path = path.strip_suffix("/__init__").unwrap_or(path);
    let is_name = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c == '_' || c.is_alphanumeric())
            && !part.starts_with(|c: char| c.is_ascii_digit())
    };
    path.split('/')
        .all(is_name)
        .then(|| (path.replace('/', "."), in_src))
}

/// The line of a position in a file, as it is written.
fn line_of(scan: &Scan<'_>, file: &str, line: u64) -> String {
    let text = scan.repo.text(file).ok();
    let at = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let line = text.as_ref().and_then(|text| text.lines().nth(at));
    line.unwrap_or_default().trim().to_owned()
}

fn python(arguments: &[&str]) -> Vec<String> {
    std::iter::once(PYTHON)
        .chain(arguments.iter().copied())
        .map(str::to_owned)
        .collect()
}

fn default_port(value: u16) -> Fact<u16> {
    Fact {
        value,
        file: String::new(),
        line: 0,
    }
}

/// The Celery application of a project, as a module, with its place.
fn celery_app<'f>(project: &Project, files: &'f [File]) -> Option<(String, &'f File, u64)> {
    if !project.has("celery") {
        return None;
    }
    files.iter().find_map(|file| {
        let at = file.source.find("Celery(")?;
        let (module, _) = module(project, &file.path)?;
        // Celery finds `package.celery` in the package by itself.
        let module = module.strip_suffix(".celery").unwrap_or(&module).to_owned();
        Some((module, file, file.source.line(at)))
    })
}

fn celery_worker(module: &str) -> Vec<String> {
    python(&["-m", "celery", "-A", module, "worker", "--loglevel", "info"])
}

/// Adds the worker of a project that has a Celery application beside what it serves.
fn worker(project: &Project, files: &[File], start: &mut Start) {
    let Some((module, file, line)) = celery_app(project, files) else {
        return;
    };
    if start.processes.contains_key("worker") || start.problem.is_some() {
        return;
    }
    start
        .processes
        .insert("worker".to_owned(), celery_worker(&module));
    let evidence = Evidence::new("process", "worker", "python.celery");
    start
        .evidence
        .push(evidence.at(&file.path, Some(line)).written("Celery("));
}

/// A project that is nothing but a worker of Celery.
fn celery(project: &Project, files: &[File]) -> Option<Start> {
    let (module, file, line) = celery_app(project, files)?;
    let evidence = Evidence::new("start", &module, "python.celery");
    Some(Start {
        kind: Some(Kind::Worker),
        command: celery_worker(&module),
        needs_src_path: below(project, &file.path).starts_with("src/"),
        framework: Some("celery".to_owned()),
        evidence: vec![
            evidence.at(&file.path, Some(line)).written("Celery("),
            Evidence::new("framework", "celery", "python.celery")
                .at(&file.path, Some(line))
                .written("Celery("),
            Evidence::new("kind", "worker", "python.celery")
                .at(&file.path, Some(line))
                .written("Celery("),
        ],
        confidence: 90,
        reason: format!("`{}` makes a Celery application on line {line}", file.path),
        ..Start::default()
    })
}

/// Whether a file with this name stands at the top of the project.
fn is_at_top(scan: &Scan<'_>, project: &Project, name: &str) -> bool {
    scan.repo.has(&join(&project.dir, name))
}

/// The name of a file without its ending.
fn stem(file: &File) -> &str {
    split(&file.path).1.trim_end_matches(".py")
}
