//! Python: uv, Poetry, pip.

mod dependencies;
mod entry;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{
    Draft, Problem, Provider, Scan, literal_glob, quoted, tree_glob, unavailable,
};
use crate::detect::repo::{Dir, is_within, join, resolve, upwards};
use crate::detect::source;
use crate::detect::version::{self, Chosen, Tool};
use crate::detect::workspace::{self, Workspace};
use crate::spec::{Copy, Kind};

use entry::Start;

pub(crate) struct Python;

const TOOL: Tool = Tool {
    name: "Python",
    asdf: &["python"],
    prefix: "python-",
    numbers: 2,
    default: Some("python3"),
    read: version::python,
};

const LOOKS_LIKE: &str = "a Python project";

const VENV: &str = "/app/.venv";

/// The interpreter of the app, in the build and in the image.
const PYTHON: &str = "/app/.venv/bin/python";

/// Files that make a directory a project.
const MANIFESTS: &[&str] = &[
    "Pipfile",
    "manage.py",
    "pdm.lock",
    "poetry.lock",
    "pyproject.toml",
    "requirements.txt",
    "setup.py",
    "uv.lock",
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

/// What installs a project's dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Manager {
    /// With the directory of the lock file, where there is one.
    Uv(Option<String>),
    Poetry,
    /// With the requirements file, relative to the project.
    Requirements(String),
    /// `pip install .`
    Project,
    /// There is nothing to install.
    Nothing,
}

impl Manager {
    fn name(&self) -> &'static str {
        match self {
            Self::Uv(_) => "uv",
            Self::Poetry => "poetry",
            Self::Requirements(_) | Self::Project | Self::Nothing => "pip",
        }
    }
}

/// One project of the repository.
struct Project {
    dir: String,
    pyproject: Option<Rc<Document>>,
    manager: Manager,
    /// The file that stands for the project in messages.
    manifest: String,
    /// Dependencies that it names, normalised.
    direct: BTreeSet<String>,
    /// Those, and what a lock file adds.
    all: BTreeSet<String>,
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
        let Some(document) = &self.pyproject else {
            return false;
        };
        match &self.manager {
            Manager::Uv(_) => match document
                .get(&["tool", "uv", "package"])
                .and_then(serde_json::Value::as_bool)
            {
                Some(is_package) => is_package,
                None => document.get(&["build-system"]).is_some(),
            },
            Manager::Project => true,
            _ => false,
        }
    }
}

const LANGUAGE: Language = Language {
    name: "Python",
    build_systems: &["pip", "poetry", "uv"],
    frameworks: &[],
    manifests: &["pyproject.toml"],
};

impl Provider for Python {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let repo = scan.repo;
        let dirs: Vec<String> = repo
            .dirs()
            .filter(|dir| dir.first(MANIFESTS).is_some())
            .map(|dir| dir.path().to_owned())
            .collect();
        near_misses(scan);
        let mut workspaces = Vec::new();
        for dir in &dirs {
            workspaces.extend(workspace::uv(scan, dir));
        }
        let mut projects = BTreeMap::new();
        for dir in &dirs {
            match project(scan, dir, &workspaces) {
                Ok(Some(project)) => {
                    projects.insert(dir.clone(), project);
                }
                Ok(None) => {}
                Err(problem) if !is_passed_over(scan, dir, &workspaces) => {
                    scan.abstain(dir, LOOKS_LIKE, problem);
                }
                Err(_) => {}
            }
        }
        loose(scan, &mut projects);
        link(&mut projects);
        for project in projects.values() {
            if is_passed_over(scan, &project.dir, &workspaces) {
                continue;
            }
            match detect_project(scan, &projects, project) {
                Ok(Ok(draft)) => scan.drafts.push(draft),
                Ok(Err(reason)) => scan.reject(&project.dir, LOOKS_LIKE, reason),
                Err(problem) => scan.abstain(&project.dir, LOOKS_LIKE, problem),
            }
        }
    }
}

fn is_passed_over(scan: &mut Scan<'_>, dir: &str, workspaces: &[Workspace]) -> bool {
    let is_member = workspaces
        .iter()
        .any(|workspace| workspace.members.iter().any(|member| member == dir));
    passed_over(scan, dir, LOOKS_LIKE, is_member)
}

/// Names that are nearly those of a manifest.
fn near_misses(scan: &mut Scan<'_>) {
    let repo = scan.repo;
    for dir in repo.dirs() {
        for name in [
            "Requirements.txt",
            "requirement.txt",
            "requirments.txt",
            "PyProject.toml",
        ] {
            if dir.has(name) && dir.first(MANIFESTS).is_none() {
                scan.warn(
                    &dir.join(name),
                    None,
                    "is not read: the name is `requirements.txt` or `pyproject.toml`",
                );
            }
        }
    }
}

/// A program at the root that has no manifest at all.
fn loose(scan: &Scan<'_>, projects: &mut BTreeMap<String, Project>) {
    let Some(root) = scan.repo.dir("") else {
        return;
    };
    let Some(name) = root.first(&["main.py", "app.py", "server.py", "bot.py"]) else {
        return;
    };
    if projects.contains_key("") {
        return;
    }
    projects.insert(
        String::new(),
        Project {
            dir: String::new(),
            pyproject: None,
            manager: Manager::Nothing,
            manifest: name.to_owned(),
            direct: BTreeSet::new(),
            all: BTreeSet::new(),
            workspace: None,
            internal: Vec::new(),
        },
    );
}

fn project(
    scan: &mut Scan<'_>,
    dir: &str,
    workspaces: &[Workspace],
) -> Result<Option<Project>, Problem> {
    let Some(at) = scan.repo.dir(dir) else {
        return Ok(None);
    };
    let pyproject = scan.document(&at.join("pyproject.toml"), Syntax::Toml);
    let workspace = workspaces
        .iter()
        .find(|workspace| workspace.members.iter().any(|member| member == dir))
        .cloned();
    let is_project = pyproject.as_ref().is_some_and(|document| {
        document.get(&["project"]).is_some() || document.get(&["tool", "poetry"]).is_some()
    });
    if !is_project && at.first(TRIGGERS).is_none() {
        // A pyproject.toml of settings for tools, or one that cannot be read.
        return Ok(None);
    }
    let manifest = at
        .first(MANIFESTS)
        .map_or_else(|| dir.to_owned(), |name| at.join(name));
    let manifest = if is_project {
        at.join("pyproject.toml")
    } else {
        manifest
    };
    let locked_root = workspace
        .as_ref()
        .map(|workspace| workspace.root.clone())
        .filter(|root| scan.repo.has(&join(root, "uv.lock")));
    let manager = manager(
        scan,
        at,
        pyproject.as_deref().filter(|_| is_project),
        locked_root,
    )?;
    let mut found = Project {
        dir: dir.to_owned(),
        pyproject,
        manager,
        manifest,
        direct: BTreeSet::new(),
        all: BTreeSet::new(),
        workspace,
        internal: Vec::new(),
    };
    dependencies::read(scan, &mut found);
    Ok(Some(found))
}

/// What installs the project in `at`; `locked_root` is that of a workspace with a lock file.
fn manager(
    scan: &mut Scan<'_>,
    at: Dir<'_>,
    project: Option<&Document>,
    locked_root: Option<String>,
) -> Result<Manager, Problem> {
    let has = |keys: &[&str]| project.is_some_and(|document| document.get(keys).is_some());
    let refused = |name: &str, message: &str| Err(Problem::new(&at.join(name), None, message));
    let manager = if at.has("uv.lock") || locked_root.is_some() {
        Manager::Uv(Some(locked_root.unwrap_or_else(|| at.path().to_owned())))
    } else if at.has("poetry.lock") || has(&["tool", "poetry", "dependencies"]) {
        Manager::Poetry
    } else if at.has("pdm.lock") {
        return refused("pdm.lock", "is a lock file of PDM, which is not supported");
    } else if at.has("Pipfile") {
        return refused("Pipfile", "installs with Pipenv, which is not supported");
    } else if at.has("requirements.txt") {
        Manager::Requirements("requirements.txt".to_owned())
    } else if has(&["tool", "uv"]) {
        Manager::Uv(None)
    } else if project.is_some() || at.has("setup.py") {
        Manager::Project
    } else {
        Manager::Nothing
    };
    for (lock, tool) in [
        ("uv.lock", "uv"),
        ("poetry.lock", "poetry"),
        ("pdm.lock", "pdm"),
    ] {
        if at.has(lock) && tool != manager.name() {
            let message = format!("is a lock file of {tool}, but {} is used", manager.name());
            scan.warn(&at.join(lock), None, message);
        }
    }
    Ok(manager)
}

/// Finds the projects of the repository that each one depends on, transitively.
fn link(projects: &mut BTreeMap<String, Project>) {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for project in projects.values() {
        let mut targets: BTreeSet<String> = dependencies::paths(project).into_iter().collect();
        for other in projects.values() {
            let same = project.workspace.is_some() && project.workspace == other.workspace;
            let name = other.name().map(dependencies::normal);
            if same && name.is_some_and(|name| project.direct.contains(&name)) {
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

fn detect_project(
    scan: &mut Scan<'_>,
    projects: &BTreeMap<String, Project>,
    project: &Project,
) -> Result<Result<Draft, String>, Problem> {
    let others: Vec<String> = projects
        .keys()
        .filter(|dir| **dir != project.dir)
        .cloned()
        .collect();
    let start = match entry::find(scan, project, &others)? {
        Ok(start) => start,
        Err(reason) => {
            let user = projects
                .values()
                .find(|other| other.internal.contains(&project.dir));
            return Ok(Err(match user {
                Some(user) => format!(
                    "it is a library: `{}` depends on it, and {reason}",
                    crate::detect::provider::shown(&user.dir)
                ),
                None => reason,
            }));
        }
    };
    let chosen = toolchain(scan, project).map_err(|error| unavailable(&project.manifest, error))?;
    let mut draft = Draft::new(
        &project.dir,
        start.kind.unwrap_or(Kind::Worker),
        "python",
        project.manager.name(),
    );
    draft.fallback = project.name().map(str::to_owned);
    draft.evidence.push(chosen.evidence.clone());
    draft.evidence.push(
        Evidence::new("build_system", project.manager.name(), "python.manager")
            .at(&project.manifest, None),
    );
    build(scan, projects, project, &chosen, &mut draft)?;
    run(scan, project, &others, start, &chosen, &mut draft);
    Ok(Ok(draft))
}

fn toolchain(scan: &mut Scan<'_>, project: &Project) -> Result<Chosen, version::Unavailable> {
    let mut sources = Vec::new();
    if let Some(dir) = scan.repo.dir(&project.dir) {
        sources.extend(scan.tool_versions(dir, &TOOL));
        sources.extend(version::version_files(
            dir,
            &[".python-version", "runtime.txt"],
        ));
    }
    if let Some(document) = &project.pyproject {
        sources.extend(version::manifest(
            document,
            &["project", "requires-python"],
            "version.requires-python",
        ));
        sources.extend(version::manifest(
            document,
            &["tool", "poetry", "dependencies", "python"],
            "version.poetry",
        ));
    }
    if project.manager != Manager::Poetry {
        return scan.toolchain(&TOOL, &sources);
    }
    // Poetry is packaged for some streams only; the stream has to be one of them.
    let streams = scan
        .catalog
        .streams(&crate::wolfi::Pattern::new("python-", 2, ""));
    let without: Vec<Vec<u64>> = streams
        .iter()
        .filter(|stream| poetry(scan, &stream.name).is_none())
        .map(|stream| stream.numbers.clone())
        .collect();
    version::choose_except(scan.catalog, &TOOL, &sources, &without).inspect(|chosen| {
        for (file, line, message) in &chosen.warnings {
            scan.warn(file, *line, message.clone());
        }
    })
}

fn poetry(scan: &Scan<'_>, stream: &str) -> Option<String> {
    [
        format!("py{stream}-poetry-bin"),
        format!("py{stream}-poetry"),
    ]
    .into_iter()
    .find(|name| scan.catalog.has(name))
}

fn build(
    scan: &mut Scan<'_>,
    projects: &BTreeMap<String, Project>,
    project: &Project,
    chosen: &Chosen,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let build = &mut draft.spec.build;
    build.packages.push(chosen.stream.package.clone());
    let interpreter = format!("/usr/bin/python{}", chosen.stream.name);
    match &project.manager {
        Manager::Uv(root) => {
            let Some(uv) = scan.catalog.package("uv") else {
                return Err(Problem::new(
                    &project.manifest,
                    None,
                    "the index has no package `uv`",
                ));
            };
            build.packages.push(uv);
            if root.is_none() {
                let message = "has no `uv.lock`: the build takes whatever versions are newest";
                scan.warn(&project.manifest, None, message);
            }
            uv_steps(
                scan,
                projects,
                project,
                root.as_deref(),
                &interpreter,
                build,
            );
        }
        Manager::Poetry => {
            let Some(poetry) = poetry(scan, &chosen.stream.name) else {
                let message = format!("the index has no Poetry for `{}`", chosen.stream.package);
                return Err(Problem::new(&project.manifest, None, message));
            };
            build.packages.push(poetry);
            poetry_steps(scan, project, &interpreter, build);
        }
        Manager::Requirements(file) => {
            let install = format!("{PYTHON} -m pip install -r {}", quoted(file));
            let files = dependencies::requirement_files(scan, project);
            pip_steps(project, &interpreter, build, &install, files);
        }
        Manager::Project => {
            let install = format!("{PYTHON} -m pip install .");
            pip_steps(project, &interpreter, build, &install, None);
        }
        Manager::Nothing => build
            .commands
            .push(format!("{interpreter} -m venv --without-pip {VENV}")),
    }
    build.context = context(scan, project);
    let native = dependencies::native(scan, project, &chosen.stream)?;
    for (package, evidence) in native {
        draft.spec.build.packages.push(package);
        draft.evidence.push(evidence);
    }
    draft.spec.build.packages.sort();
    draft.spec.build.packages.dedup();
    Ok(())
}

fn set(build: &mut crate::spec::Build, pairs: &[(&str, &str)]) {
    build.env.extend(
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
}

fn uv_steps(
    scan: &Scan<'_>,
    projects: &BTreeMap<String, Project>,
    project: &Project,
    root: Option<&str>,
    interpreter: &str,
    build: &mut crate::spec::Build,
) {
    set(
        build,
        &[
            // Debug information would hold the name of uv's temporary directory.
            ("CFLAGS", "-g0"),
            ("PYC_INVALIDATION_MODE", "UNCHECKED_HASH"),
            ("UV_COMPILE_BYTECODE", "1"),
            ("UV_LINK_MODE", "copy"),
            // Else uv writes the times of source files into the environment.
            ("UV_NO_INSTALLER_METADATA", "1"),
            ("UV_NO_PROGRESS", "1"),
            ("UV_PROJECT_ENVIRONMENT", VENV),
            ("UV_PYTHON", interpreter),
            ("UV_PYTHON_DOWNLOADS", "never"),
        ],
    );
    build.cache = vec!["/root/.cache/uv".to_owned()];
    let locked = if root.is_some() { " --locked" } else { "" };
    let is_member = root.is_some_and(|root| root != project.dir);
    let package = match project.name() {
        Some(name) if is_member => format!(" --package {}", quoted(name)),
        _ => String::new(),
    };
    let skip = if project.workspace.is_some() {
        "--no-install-workspace"
    } else {
        "--no-install-project"
    };
    let root = root.unwrap_or(&project.dir);
    let mut files = BTreeSet::from([
        join(root, "pyproject.toml"),
        join(root, "uv.lock"),
        join(root, "uv.toml"),
    ]);
    files.insert(join(&project.dir, "pyproject.toml"));
    for member in project
        .workspace
        .iter()
        .flat_map(|workspace| &workspace.members)
    {
        files.insert(join(member, "pyproject.toml"));
    }
    let mut globs: BTreeSet<String> = files
        .iter()
        .filter(|file| scan.repo.has(file))
        .map(|file| literal_glob(file))
        .collect();
    // Sources outside of the workspace are built when dependencies are installed.
    let outside = project.internal.iter().filter(|dir| {
        projects
            .get(*dir)
            .is_none_or(|other| other.workspace.is_none() || other.workspace != project.workspace)
    });
    globs.extend(outside.map(|dir| tree_glob(dir)));
    build.install.files = globs.into_iter().collect();
    build.install.commands = vec![format!("uv sync{locked} --no-dev {skip}{package}")];
    if project.is_installed() || !project.internal.is_empty() {
        build
            .commands
            .push(format!("uv sync{locked} --no-dev --no-editable{package}"));
    }
    // Everybody may write to it, and nothing needs it any more.
    build.commands.push(format!("rm -f {VENV}/.lock"));
}

fn poetry_steps(
    scan: &mut Scan<'_>,
    project: &Project,
    interpreter: &str,
    build: &mut crate::spec::Build,
) {
    set(
        build,
        &[
            ("POETRY_CACHE_DIR", "/root/.cache/pypoetry"),
            ("POETRY_NO_INTERACTION", "1"),
            ("POETRY_VIRTUALENVS_CREATE", "false"),
            ("VIRTUAL_ENV", VENV),
        ],
    );
    build.cache = vec!["/root/.cache/pypoetry".to_owned()];
    let mut files: Vec<String> = ["poetry.lock", "poetry.toml", "pyproject.toml"]
        .iter()
        .map(|name| join(&project.dir, name))
        .filter(|file| scan.repo.has(file))
        .map(|file| literal_glob(&file))
        .collect();
    files.extend(project.internal.iter().map(|dir| tree_glob(dir)));
    build.install.files = files;
    build.install.commands = vec![
        format!("{interpreter} -m venv --without-pip {VENV}"),
        "poetry install --only main --no-root".to_owned(),
    ];
    if !scan.repo.has(&join(&project.dir, "poetry.lock")) {
        scan.warn(
            &project.manifest,
            None,
            "has no `poetry.lock`: the build takes whatever versions are newest",
        );
    }
}

fn pip_steps(
    project: &Project,
    interpreter: &str,
    build: &mut crate::spec::Build,
    install: &str,
    files: Option<Vec<String>>,
) {
    set(
        build,
        &[
            ("PIP_CACHE_DIR", "/root/.cache/pip"),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
            ("PIP_NO_INPUT", "1"),
            ("PIP_ROOT_USER_ACTION", "ignore"),
            // With it, byte code is tied to the content of its source and not to a time that the image rewrites.
            ("SOURCE_DATE_EPOCH", "315532800"),
        ],
    );
    build.cache = vec!["/root/.cache/pip".to_owned()];
    let commands = vec![format!("{interpreter} -m venv {VENV}"), install.to_owned()];
    match files {
        Some(files) => {
            build.install.files = files;
            build.install.commands = commands;
        }
        None => build.commands.extend(commands),
    }
    if !project.direct.contains("pip") {
        build
            .commands
            .push(format!("{PYTHON} -m pip uninstall --yes pip"));
    }
}

fn context(scan: &Scan<'_>, project: &Project) -> Vec<String> {
    if project.dir.is_empty() {
        return Vec::new();
    }
    let mut globs = BTreeSet::from([tree_glob(&project.dir)]);
    globs.extend(project.internal.iter().map(|dir| tree_glob(dir)));
    if let Some(workspace) = &project.workspace {
        for name in ["pyproject.toml", "uv.lock", "uv.toml", "README.md"] {
            let file = join(&workspace.root, name);
            if scan.repo.has(&file) {
                globs.insert(literal_glob(&file));
            }
        }
        globs.extend(
            workspace
                .members
                .iter()
                .map(|dir| literal_glob(&join(dir, "pyproject.toml"))),
        );
    }
    for above in upwards(&project.dir).skip(1) {
        let file = join(above, ".python-version");
        if scan.repo.has(&file) {
            globs.insert(literal_glob(&file));
        }
    }
    globs.into_iter().collect()
}

/// Names at the top of a project that nothing reads when it runs.
const LEFT_OUT: &[&str] = &[
    "Dockerfile",
    "Makefile",
    "Pipfile",
    "Pipfile.lock",
    "Procfile",
    "conftest.py",
    "docker-compose.yml",
    "docs",
    "noxfile.py",
    "peelbox.yaml",
    "poetry.lock",
    "poetry.toml",
    "pyproject.toml",
    "runtime.txt",
    "setup.cfg",
    "setup.py",
    "test",
    "tests",
    "tox.ini",
    "universalbuild.json",
    "universalbuild.yaml",
    "uv.lock",
];

fn run(
    scan: &mut Scan<'_>,
    project: &Project,
    others: &[String],
    start: Start,
    chosen: &Chosen,
    draft: &mut Draft,
) {
    let names = shipped(scan, project, others);
    let spec = &mut draft.spec;
    spec.build.commands.extend(start.build.iter().cloned());
    let runtime = &mut spec.runtime;
    runtime.packages = vec![chosen.stream.package.clone()];
    runtime
        .packages
        .extend(scan.catalog.package("ca-certificates-bundle"));
    runtime
        .packages
        .extend(dependencies::runtime(scan, project));
    runtime.packages.sort();
    runtime.packages.dedup();
    set_runtime(
        runtime,
        &[
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PYTHONFAULTHANDLER", "1"),
            ("PYTHONUNBUFFERED", "1"),
        ],
    );
    runtime.env.extend(start.env.clone());
    if start.needs_src_path && !project.is_installed() {
        runtime
            .env
            .insert("PYTHONPATH".to_owned(), "/app/src".to_owned());
    }
    runtime.copy = vec![Copy {
        from: VENV.to_owned(),
        to: VENV.to_owned(),
    }];
    runtime.copy.extend(names.into_iter().map(|name| Copy {
        to: name.clone(),
        from: name,
    }));
    runtime.copy.extend(start.built.iter().map(|name| Copy {
        from: name.clone(),
        to: name.clone(),
    }));
    runtime.copy.sort();
    runtime.copy.dedup();
    runtime.command = start.command.clone();
    runtime.processes = start.processes.clone();
    if let Some(port) = &start.port {
        draft.listens_on(port, "python.port");
    }
    if let Some(health) = start
        .health
        .as_ref()
        .filter(|_| start.kind == Some(Kind::Web))
    {
        draft.answers(health);
    }
    draft.evidence.extend(start.evidence);
    let spec = &mut draft.spec;
    spec.metadata.framework = start.framework;
    spec.metadata.confidence = Some(start.confidence);
    spec.metadata.reasoning = Some(start.reason);
}

fn set_runtime(runtime: &mut crate::spec::Runtime, pairs: &[(&str, &str)]) {
    runtime.env.extend(
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
}

/// What of the project's own directory is shipped.
fn shipped(scan: &Scan<'_>, project: &Project, others: &[String]) -> Vec<String> {
    let Some(dir) = scan.repo.dir(&project.dir) else {
        return Vec::new();
    };
    let wanted = |name: &&String| !name.starts_with('.') && !LEFT_OUT.contains(&name.as_str());
    let is_text = |name: &str| {
        name.ends_with(".md")
            || name.ends_with(".rst")
            || name.starts_with("LICENSE")
            || name.starts_with("requirements")
            || source::is_test_file(name)
    };
    let is_installed = project.is_installed();
    let mut names: Vec<String> = dir
        .files()
        .iter()
        .filter(wanted)
        .filter(|name| !is_text(name))
        .cloned()
        .collect();
    names.extend(
        dir.dirs()
            .iter()
            .filter(wanted)
            .filter(|name| {
                let path = dir.join(name);
                // What is installed lies in the environment already.
                let in_environment =
                    is_installed && (*name == "src" || scan.repo.has(&join(&path, "__init__.py")));
                !in_environment
                    && !name.ends_with(".egg-info")
                    && !others.iter().any(|other| is_within(other, &path))
                    && !holds_only_tests(scan, &path)
            })
            .cloned(),
    );
    names
}

fn holds_only_tests(scan: &Scan<'_>, path: &str) -> bool {
    scan.repo.dir(path).is_some_and(|dir| {
        dir.dirs().is_empty()
            && !dir.files().is_empty()
            && dir.files().iter().all(|file| source::is_test_file(file))
    })
}

/// The path of a dependency by path, seen from a project.
fn internal_path(project: &Project, path: &str) -> Option<String> {
    resolve(&project.dir, path)
}
