//! Python: pip, uv, Poetry, PDM, Pipenv, setuptools.

mod dependencies;
mod editable;
mod entry;
mod image;
mod install;
mod lock;
mod manager;
mod native;
mod toolchain;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::{Evidence, Severity};
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Provider, Scan, shown, unavailable};
use crate::detect::repo::{Dir, join, resolve, split};
use crate::detect::workspace::{self, Workspace};
use crate::spec::Kind;

use manager::Manager;
pub(super) use toolchain::TOOL;

pub(crate) struct Python;

const LOOKS_LIKE: &str = "a Python project";

const VENV: &str = "/app/.venv";

/// The interpreter of the app, in the build and in the image.
const PYTHON: &str = "/app/.venv/bin/python";

/// Files that make a directory a project.
const MANIFESTS: &[&str] = &[
    "Pipfile",
    "pdm.lock",
    "poetry.lock",
    "pyproject.toml",
    "requirements.txt",
    "requirements-prod.txt",
    "requirements-production.txt",
    "requirements_prod.txt",
    "setup.py",
    "uv.lock",
    "manage.py",
];

/// Of those, the ones that say so without being read.
const TRIGGERS: &[&str] = &[
    "Pipfile",
    "manage.py",
    "poetry.lock",
    "requirements.txt",
    "setup.py",
    "uv.lock",
];

/// Programs that need no manifest beside them, best first.
const LOOSE: &[&str] = &[
    "main.py",
    "app.py",
    "server.py",
    "start.py",
    "bot.py",
    "hello.py",
];

/// One project of the repository.
struct Project {
    dir: String,
    pyproject: Option<Rc<Document>>,
    pipfile: Option<Rc<Document>>,
    manager: Manager,
    /// Why that one.
    managed: Evidence,
    /// The file that stands for the project in messages.
    manifest: String,
    /// Dependencies that it names, normalised.
    direct: BTreeSet<String>,
    /// Those, their extras as `name[extra]`, and what they bring along.
    all: BTreeSet<String>,
    /// Directories of the repository that it names as dependencies.
    paths: Vec<String>,
    /// Where a dependency is named that Git has to fetch.
    git: Option<(String, u64)>,
    /// The workspace that locks it.
    workspace: Option<Workspace>,
    /// Projects of the repository that it depends on.
    internal: Vec<String>,
}

impl Project {
    fn name(&self) -> Option<&str> {
        let document = self.pyproject.as_ref()?;
        document
            .str(&["project", "name"])
            .or_else(|| document.str(&["tool", "poetry", "name"]))
    }

    /// Whether the project itself is installed into the environment.
    fn is_installed(&self) -> bool {
        match &self.manager {
            Manager::Uv(_) => {
                let Some(document) = &self.pyproject else {
                    return false;
                };
                let is_package = document.get(&["tool", "uv", "package"]);
                match is_package.and_then(serde_json::Value::as_bool) {
                    Some(is_package) => is_package,
                    None => document.get(&["build-system"]).is_some(),
                }
            }
            Manager::Project(_) => true,
            _ => false,
        }
    }

    /// Whether one of its dependencies, or of theirs, has this name.
    fn has(&self, name: &str) -> bool {
        self.all.contains(name)
    }
}

const LANGUAGE: Language = Language {
    name: "Python",
    build_systems: &["pip", "uv", "poetry", "pdm", "pipenv", "setuptools"],
    frameworks: &[
        "aiohttp",
        "bottle",
        "celery",
        "django",
        "fastapi",
        "flask",
        "gradio",
        "litestar",
        "quart",
        "sanic",
        "starlette",
        "streamlit",
    ],
    manifests: &[
        "Pipfile",
        "Procfile",
        "PyProject.toml",
        "Requirements.txt",
        "manage.py",
        "pdm.lock",
        "poetry.lock",
        "pyproject.toml",
        "requirement.txt",
        "requirements-prod.txt",
        "requirements-production.txt",
        "requirements.txt",
        "requirements_prod.txt",
        "requirments.txt",
        "setup.py",
        "uv.lock",
    ],
};

impl Provider for Python {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let dirs = dirs(scan);
        near_misses(scan);
        let mut workspaces = Vec::new();
        for dir in &dirs {
            workspaces.extend(workspace::uv(scan, dir.path()));
        }
        let mut projects = BTreeMap::new();
        for dir in dirs {
            if let Some(project) = project(scan, dir, &workspaces) {
                projects.insert(dir.path().to_owned(), project);
            }
        }
        loose(scan, &mut projects);
        within_django(&mut projects);
        link(&mut projects);
        for project in projects.values() {
            let is_member = workspaces
                .iter()
                .any(|workspace| workspace.members.contains(&project.dir));
            if passed_over(scan, &project.dir, LOOKS_LIKE, is_member) {
                continue;
            }
            if let Err(reason) = detect_project(scan, &projects, project) {
                scan.reject(&project.dir, LOOKS_LIKE, reason);
            }
        }
    }
}

/// The directories that may be projects: those with a manifest, and those with a directory of requirements.
fn dirs<'a>(scan: &Scan<'a>) -> Vec<Dir<'a>> {
    let mut dirs = scan.dirs_with(MANIFESTS);
    let places = scan.repo.dirs().filter(|dir| {
        let is_named = split(dir.path()).1 == "requirements";
        is_named && dir.files().iter().any(|name| name.ends_with(".txt"))
    });
    let above = places.filter_map(|place| scan.repo.dir(split(place.path()).0));
    let above = above.filter(|dir| dir.first(MANIFESTS).is_none());
    dirs.extend(above.filter(|dir| manager::requirements(scan, *dir).is_some()));
    dirs.sort_by_key(|dir| dir.path());
    dirs
}

/// Names that are nearly those of a manifest.
fn near_misses(scan: &mut Scan<'_>) {
    const NAMES: &[(&str, &str)] = &[
        ("PyProject.toml", "pyproject.toml"),
        ("Requirements.txt", "requirements.txt"),
        ("requirement.txt", "requirements.txt"),
        ("requirments.txt", "requirements.txt"),
    ];
    for (name, right) in NAMES {
        for dir in scan.dirs_with(&[name]) {
            // A file system without cases holds both names at once.
            if !dir.has(right) {
                scan.tell(
                    Severity::Warning,
                    &dir.join(name),
                    None,
                    format!("is not read: the name is `{right}`"),
                    Some(format!("rename it to `{right}`")),
                );
            }
        }
    }
}

/// Leaves out directories that hold the `manage.py` of the project above them.
fn within_django(projects: &mut BTreeMap<String, Project>) {
    let is_part = |project: &Project| {
        let above = projects.get(split(&project.dir).0);
        project.manager == Manager::Nothing
            && !project.dir.is_empty()
            && above.is_some_and(|above| above.has("django"))
    };
    let parts: Vec<String> = projects
        .values()
        .filter(|project| is_part(project))
        .map(|project| project.dir.clone())
        .collect();
    for part in parts {
        projects.remove(&part);
    }
}

/// Programs that have no manifest at all: at the root, or beside a Procfile.
fn loose(scan: &mut Scan<'_>, projects: &mut BTreeMap<String, Project>) {
    let mut dirs = scan.dirs_with(&["Procfile"]);
    dirs.extend(scan.repo.dir(""));
    for dir in dirs {
        if projects.contains_key(dir.path()) || is_of_another_language(dir) {
            continue;
        }
        let Some(name) = dir.first(LOOSE) else {
            continue;
        };
        let file = dir.join(name);
        let mut project = Project {
            dir: dir.path().to_owned(),
            pyproject: None,
            pipfile: None,
            manager: Manager::Nothing,
            managed: Evidence::new("build_system", "pip", "python.no-manifest").at(&file, None),
            manifest: file.clone(),
            direct: BTreeSet::new(),
            all: BTreeSet::new(),
            paths: Vec::new(),
            git: None,
            workspace: None,
            internal: Vec::new(),
        };
        if let Some((manager, managed)) = manager::of_loose(scan, dir, &file) {
            (project.manager, project.managed) = (manager, managed);
        }
        dependencies::read(scan, &mut project);
        projects.insert(dir.path().to_owned(), project);
    }
}

/// Whether a directory holds the manifest of another language, which a program in Python only helps.
fn is_of_another_language(dir: Dir<'_>) -> bool {
    super::ALL
        .iter()
        .map(|provider| provider.language())
        .filter(|language| language.name != LANGUAGE.name)
        .flat_map(|language| language.manifests)
        .filter(|name| !LANGUAGE.manifests.contains(name))
        .any(|name| match name.strip_prefix('.') {
            Some(_) if !name.contains('/') => dir.files().iter().any(|file| file.ends_with(name)),
            _ => dir.has(name),
        })
}

fn project(scan: &mut Scan<'_>, at: Dir<'_>, workspaces: &[Workspace]) -> Option<Project> {
    let pyproject = scan.document(&at.join("pyproject.toml"), Syntax::Toml);
    let pipfile = scan.document(&at.join("Pipfile"), Syntax::Toml);
    let workspace = workspaces
        .iter()
        .find(|workspace| workspace.members.iter().any(|member| member == at.path()))
        .cloned();
    let is_project = pyproject.as_ref().is_some_and(|document| {
        document.get(&["project"]).is_some() || document.get(&["tool", "poetry"]).is_some()
    });
    let listed = manager::requirements(scan, at);
    if !is_project && at.first(TRIGGERS).is_none() && listed.is_none() {
        // A pyproject.toml of settings for tools, or one that cannot be read.
        return None;
    }
    let manifest = match at.first(MANIFESTS) {
        Some(_) if is_project => "pyproject.toml",
        Some(name) => name,
        None => listed.as_deref().unwrap_or("pyproject.toml"),
    };
    let locked_root = workspace
        .as_ref()
        .map(|workspace| workspace.root.clone())
        .filter(|root| scan.repo.has(&join(root, "uv.lock")));
    let document = pyproject.as_deref().filter(|_| is_project);
    let (manager, managed) = manager::find(scan, at, document, locked_root);
    let mut found = Project {
        dir: at.path().to_owned(),
        pyproject,
        pipfile,
        manager,
        managed,
        manifest: at.join(manifest),
        direct: BTreeSet::new(),
        all: BTreeSet::new(),
        paths: Vec::new(),
        git: None,
        workspace,
        internal: Vec::new(),
    };
    dependencies::read(scan, &mut found);
    Some(found)
}

/// Finds the projects of the repository that each one depends on, transitively.
fn link(projects: &mut BTreeMap<String, Project>) {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for project in projects.values() {
        let mut targets: BTreeSet<String> = project.paths.iter().cloned().collect();
        for other in projects.values() {
            let root = |project: &Project| Some(project.workspace.as_ref()?.root.clone());
            if project.workspace.is_none() || root(project) != root(other) {
                continue;
            }
            let name = other.name().map(dependencies::normal);
            if name.is_some_and(|name| project.direct.contains(&name)) {
                targets.insert(other.dir.clone());
            }
        }
        edges.insert(project.dir.clone(), targets);
    }
    for (dir, project) in projects.iter_mut() {
        let mut seen = BTreeSet::new();
        let mut queue = vec![dir.clone()];
        while let Some(at) = queue.pop() {
            for next in edges.get(&at).into_iter().flatten() {
                if next != dir && seen.insert(next.clone()) {
                    queue.push(next.clone());
                }
            }
        }
        project.internal = seen.into_iter().collect();
    }
}

/// Adds the app that a project is, or says why it is none.
fn detect_project(
    scan: &mut Scan<'_>,
    projects: &BTreeMap<String, Project>,
    project: &Project,
) -> Result<(), String> {
    let others: Vec<String> = projects
        .keys()
        .filter(|dir| **dir != project.dir)
        .cloned()
        .collect();
    let start = match entry::find(scan, project, &others) {
        Ok(start) => start,
        Err(reason) => {
            let user = projects
                .values()
                .find(|other| other.internal.contains(&project.dir));
            return Err(match user {
                Some(user) => format!(
                    "it is a library: `{}` depends on it, and {}",
                    shown(&user.dir),
                    reason.trim_end_matches(": a library")
                ),
                None => reason,
            });
        }
    };
    let kind = start.kind.unwrap_or(Kind::Worker);
    let mut draft = Draft::new(&project.dir, kind, "python", project.manager.name());
    draft.fallback = project.name().map(str::to_owned);
    draft.evidence.push(project.managed.clone());
    image::start(&mut draft, &start);
    if let Some(problem) = start.problem {
        scan.refuse(draft, problem);
        return Ok(());
    }
    let chosen = match toolchain::choose(scan, project) {
        Ok(chosen) => chosen,
        Err(error) => {
            scan.refuse(draft, unavailable(&project.manifest, error));
            return Ok(());
        }
    };
    draft.evidence.insert(0, chosen.evidence.clone());
    image::run(scan, project, &others, &start, &chosen, &mut draft);
    match install::build(scan, projects, project, &start, &chosen, &mut draft) {
        Ok(()) => scan.drafts.push(draft),
        Err(problem) => scan.refuse(draft, problem),
    }
    Ok(())
}

/// The path of a dependency by path, seen from a project.
fn internal_path(project: &Project, path: &str) -> Option<String> {
    resolve(&project.dir, path)
}
