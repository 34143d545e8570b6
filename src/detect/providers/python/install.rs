//! The steps that fill a project's environment, manager by manager.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Problem, Scan, literal_glob, quoted, tree_glob};
use crate::detect::repo::{join, upwards};
use crate::detect::version;
use crate::spec::Build;
use crate::wolfi::Pattern;

use super::entry::Start;
use super::manager::Manager;
use super::toolchain::Interpreter;
use super::{PYTHON, Project, VENV, dependencies, lock, native};

/// Fills in the build of a project.
pub(super) fn build(
    scan: &mut Scan<'_>,
    projects: &BTreeMap<String, Project>,
    project: &Project,
    start: &Start,
    python: &Interpreter,
    draft: &mut Draft,
) -> Result<(), Problem> {
    draft.spec.build.packages.push(python.package.clone());
    match &project.manager {
        Manager::Uv(root) => {
            uv(scan, project, draft)?;
            uv_steps(scan, projects, project, root.as_deref(), python, draft);
        }
        Manager::Inline(file) => {
            uv(scan, project, draft)?;
            inline_steps(project, file, python, draft);
        }
        Manager::Poetry => poetry_steps(scan, project, python, draft)?,
        Manager::Pdm(is_locked) => {
            uv(scan, project, draft)?;
            pdm_steps(scan, project, *is_locked, python, draft)?;
        }
        Manager::Pipenv(is_locked) => pipenv_steps(scan, project, *is_locked, python, draft)?,
        Manager::Requirements(file) => {
            let install = format!("{PYTHON} -m pip install -r {}", quoted(file));
            let files = dependencies::requirement_files(scan, project);
            pip_steps(project, python, &mut draft.spec.build, &install, files);
            in_place(scan, project, draft);
        }
        Manager::Project(_) => {
            let install = format!("{PYTHON} -m pip install .");
            pip_steps(project, python, &mut draft.spec.build, &install, None);
        }
        Manager::Nothing => {
            let python = python.path();
            let command = format!("{python} -m venv --without-pip {VENV}");
            draft.spec.build.commands.push(command);
        }
    }
    draft.spec.build.context = context(scan, project);
    for (package, evidence) in native::build(scan, project, python)? {
        draft.spec.build.packages.push(package);
        draft.evidence.push(evidence);
    }
    draft.spec.build.packages.sort();
    draft.spec.build.packages.dedup();
    if start.has_assets
        && scan.repo.has(&join(&project.dir, "package.json"))
        && let Some(assets) = super::super::node::assets(scan, &project.dir, &start.owner())?
    {
        draft.with_assets(assets);
    }
    draft
        .spec
        .build
        .commands
        .extend(start.build.iter().cloned());
    Ok(())
}

/// With it, byte code is tied to the content of its source and not to a time that the image rewrites.
const SOURCE_DATE: (&str, &str) = ("SOURCE_DATE_EPOCH", "315532800");

fn set(build: &mut Build, pairs: &[(&str, &str)]) {
    let pairs = pairs.iter();
    build
        .env
        .extend(pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
}

/// Adds uv itself.
fn uv(scan: &Scan<'_>, project: &Project, draft: &mut Draft) -> Result<(), Problem> {
    let Some(uv) = scan.catalog.package("uv") else {
        let message = "needs uv, which the index does not have";
        return Err(Problem::new(&project.manifest, None, message));
    };
    draft.spec.build.packages.push(uv);
    set(
        &mut draft.spec.build,
        &[
            // Debug information would hold the name of uv's temporary directory.
            ("CFLAGS", "-g0"),
            ("PYC_INVALIDATION_MODE", "UNCHECKED_HASH"),
            ("UV_COMPILE_BYTECODE", "1"),
            ("UV_LINK_MODE", "copy"),
            // Else uv writes the times of source files into the environment.
            ("UV_NO_INSTALLER_METADATA", "1"),
            ("UV_NO_PROGRESS", "1"),
            ("UV_PYTHON_DOWNLOADS", "never"),
        ],
    );
    draft.spec.build.cache = vec!["/root/.cache/uv".to_owned()];
    Ok(())
}

/// Says that the versions are not fixed.
fn is_unlocked(scan: &mut Scan<'_>, project: &Project, lock: &str) {
    let message = format!("has no `{lock}`: the build takes whatever versions are newest");
    scan.warn(&project.manifest, None, message);
}

fn uv_steps(
    scan: &mut Scan<'_>,
    projects: &BTreeMap<String, Project>,
    project: &Project,
    root: Option<&str>,
    python: &Interpreter,
    draft: &mut Draft,
) {
    let build = &mut draft.spec.build;
    set(
        build,
        &[
            ("UV_PROJECT_ENVIRONMENT", VENV),
            ("UV_PYTHON", &python.path()),
        ],
    );
    if root.is_none() && (!project.direct.is_empty() || project.is_installed()) {
        is_unlocked(scan, project, "uv.lock");
    }
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
    let mut files: BTreeSet<String> = ["pyproject.toml", "uv.lock", "uv.toml"]
        .iter()
        .map(|name| join(root, name))
        .collect();
    files.insert(join(&project.dir, "pyproject.toml"));
    let workspace = project.workspace.iter();
    for member in workspace.flat_map(|workspace| &workspace.members) {
        files.insert(join(member, "pyproject.toml"));
    }
    files.retain(|file| scan.repo.has(file));
    let mut globs: BTreeSet<String> = files.iter().map(|file| literal_glob(file)).collect();
    // Sources outside of the workspace are built when dependencies are installed.
    let outside = project.internal.iter().filter(|dir| {
        projects
            .get(*dir)
            .is_none_or(|other| other.workspace.is_none() || other.workspace != project.workspace)
    });
    globs.extend(outside.map(|path| path_glob(scan, path)));
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

fn inline_steps(project: &Project, file: &str, python: &Interpreter, draft: &mut Draft) {
    let build = &mut draft.spec.build;
    set(build, &[("VIRTUAL_ENV", VENV)]);
    build.install.files = vec![literal_glob(&join(&project.dir, file))];
    build.install.commands = vec![
        format!("uv venv --python {} {VENV}", python.path()),
        format!("uv pip install -r {}", quoted(file)),
    ];
    build.commands.push(format!("rm -f {VENV}/.lock"));
}

/// The package of a program that is made for some streams only: for this stream, else for the newest one.
fn companion(
    scan: &Scan<'_>,
    project: &Project,
    python: &Interpreter,
    name: &str,
) -> Result<(String, Evidence), Problem> {
    let streams = scan.catalog.streams(&Pattern::new("python-", 2, ""));
    let others = streams.iter().rev().map(|stream| stream.name.as_str());
    let numbers = std::iter::once(python.numbers.as_str()).chain(others);
    let found = numbers
        .flat_map(|numbers| {
            [
                format!("py{numbers}-{name}-bin"),
                format!("py{numbers}-{name}"),
            ]
        })
        .find(|package| scan.catalog.has(package));
    let Some(package) = found else {
        let message = format!("needs {name}, which the index does not have for any Python");
        return Err(Problem::new(&project.manifest, None, message));
    };
    let mut evidence = Evidence::new("package", &package, "python.manager-package");
    if let Some(file) = &project.managed.file {
        evidence = evidence.at(file, None);
    }
    if !package.starts_with(&format!("py{}-", python.numbers)) {
        let note = format!("there is no {name} for Python {}", python.numbers);
        evidence = evidence.note(note);
    }
    Ok((package, evidence))
}

fn venv(python: &Interpreter) -> String {
    format!("{} -m venv --without-pip {VENV}", python.path())
}

/// The globs of those files of the project that there are, and of the directories that it depends on.
fn inputs(scan: &Scan<'_>, project: &Project, names: &[&str]) -> Vec<String> {
    let files = names.iter().map(|name| join(&project.dir, name));
    let files = files.filter(|file| scan.repo.has(file));
    files
        .map(|file| literal_glob(&file))
        .chain(project.internal.iter().map(|path| path_glob(scan, path)))
        .collect()
}

/// A manager that is a program of its own and works in an environment that is there.
struct Program<'a> {
    name: &'a str,
    env: &'a [(&'a str, &'a str)],
    cache: &'a [&'a str],
    files: &'a [&'a str],
    install: &'a str,
    /// Its lock file, where there is none.
    missing: Option<&'a str>,
}

fn program_steps(
    scan: &mut Scan<'_>,
    project: &Project,
    python: &Interpreter,
    draft: &mut Draft,
    program: &Program<'_>,
) -> Result<(), Problem> {
    let (package, evidence) = companion(scan, project, python, program.name)?;
    draft.evidence.push(evidence);
    let build = &mut draft.spec.build;
    build.packages.push(package);
    set(build, program.env);
    set(build, &[("VIRTUAL_ENV", VENV)]);
    build.cache = program.cache.iter().map(|dir| (*dir).to_owned()).collect();
    let commands = vec![venv(python), program.install.to_owned()];
    if project.paths.contains(&project.dir) {
        // The project is a dependency of itself, and what is installed is its source.
        build.commands.extend(commands);
    } else {
        build.install.files = inputs(scan, project, program.files);
        build.install.commands = commands;
    }
    if let Some(lock) = program.missing {
        is_unlocked(scan, project, lock);
    }
    Ok(())
}

/// The glob of a dependency by path: an archive, or a directory with all that is in it.
fn path_glob(scan: &Scan<'_>, path: &str) -> String {
    if scan.repo.has(path) {
        literal_glob(path)
    } else {
        tree_glob(path)
    }
}

fn poetry_steps(
    scan: &mut Scan<'_>,
    project: &Project,
    python: &Interpreter,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let is_locked = scan.repo.has(&join(&project.dir, "poetry.lock"));
    let poetry = Program {
        name: "poetry",
        env: &[
            ("POETRY_CACHE_DIR", "/root/.cache/pypoetry"),
            ("POETRY_NO_INTERACTION", "1"),
            ("POETRY_VIRTUALENVS_CREATE", "false"),
        ],
        cache: &["/root/.cache/pypoetry"],
        files: &["poetry.lock", "poetry.toml", "pyproject.toml"],
        install: "poetry install --only main --no-root",
        missing: (!is_locked).then_some("poetry.lock"),
    };
    program_steps(scan, project, python, draft, &poetry)
}

/// What writes the locked packages of PDM as requirements: PDM itself is not packaged, and its lock file says it all.
const PDM_EXPORT: &str = r#"import tomllib; [print(p["name"] + "==" + p["version"] + (" ; " + p["marker"] if "marker" in p else ""), *("--hash=" + f["hash"] for f in p["files"])) for p in tomllib.load(open("pdm.lock", "rb"))["package"] if "default" in p["groups"] and "extras" not in p]"#;

fn pdm_steps(
    scan: &mut Scan<'_>,
    project: &Project,
    is_locked: bool,
    python: &Interpreter,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let build = &mut draft.spec.build;
    set(build, &[("VIRTUAL_ENV", VENV)]);
    build.install.files = inputs(scan, project, &["pdm.lock", "pyproject.toml"]);
    let mut commands = vec![format!("uv venv --python {} {VENV}", python.path())];
    if is_locked {
        let file = join(&project.dir, "pdm.lock");
        pdm_lock_is_complete(scan, project, &file, python)?;
        commands.push(format!(
            "{PYTHON} -c '{PDM_EXPORT}' > /tmp/requirements.txt"
        ));
        commands.push("uv pip install --no-deps -r /tmp/requirements.txt".to_owned());
        let evidence = Evidence::new("install", "uv pip install", "python.pdm-by-uv")
            .at(&file, None)
            .note("PDM is not packaged: uv installs the packages that its lock file names, with their hashes");
        draft.evidence.push(evidence);
    } else {
        is_unlocked(scan, project, "pdm.lock");
        commands.push("uv pip install -r pyproject.toml".to_owned());
    }
    let build = &mut draft.spec.build;
    build.install.commands = commands;
    build.commands.push(format!("rm -f {VENV}/.lock"));
    Ok(())
}

/// Whether the lock file of PDM says enough for others than PDM.
fn pdm_lock_is_complete(
    scan: &Scan<'_>,
    project: &Project,
    file: &str,
    python: &Interpreter,
) -> Result<(), Problem> {
    let help = "export it with `pdm export --production --output requirements.txt`, and remove the lock file";
    let refuse = |line: u64, message: String| {
        let line = Some(line).filter(|line| *line > 0);
        Err(Problem::new(file, line, message).help(help))
    };
    if version::numbers(&python.numbers) < vec![3, 11] {
        let message =
            "is a lock file of PDM, which takes Python 3.11 or newer to be read without PDM";
        return refuse(0, message.to_owned());
    }
    let text = scan.repo.lock(file).unwrap_or_default();
    for package in lock::packages(&text) {
        if package.groups().is_none() {
            let message = "does not say which packages are for production: it was locked without `inherit_metadata`";
            return refuse(package.line, message.to_owned());
        }
        if !package.is_from_index() && project.all.contains(&package.name) {
            let message = format!(
                "locks `{}` from another place than an index, which only PDM can install",
                package.name
            );
            return refuse(package.line, message);
        }
    }
    Ok(())
}

fn pipenv_steps(
    scan: &mut Scan<'_>,
    project: &Project,
    is_locked: bool,
    python: &Interpreter,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let pipenv = Program {
        name: "pipenv",
        env: &[
            ("PIPENV_CACHE_DIR", "/root/.cache/pipenv"),
            ("PIPENV_NOSPIN", "1"),
            // It works in the environment that exists, and need not say so.
            ("PIPENV_VERBOSITY", "-1"),
            ("PIP_CACHE_DIR", "/root/.cache/pip"),
            ("PIP_NO_INPUT", "1"),
            SOURCE_DATE,
        ],
        cache: &["/root/.cache/pip", "/root/.cache/pipenv"],
        files: &["Pipfile", "Pipfile.lock"],
        install: if is_locked {
            "pipenv install --deploy --ignore-pipfile"
        } else {
            "pipenv install --skip-lock"
        },
        missing: (!is_locked).then_some("Pipfile.lock"),
    };
    program_steps(scan, project, python, draft, &pipenv)
}

fn pip_steps(
    project: &Project,
    python: &Interpreter,
    build: &mut Build,
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
            SOURCE_DATE,
        ],
    );
    build.cache = vec!["/root/.cache/pip".to_owned()];
    let commands = vec![
        format!("{} -m venv {VENV}", python.path()),
        install.to_owned(),
    ];
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

/// What is installed in place is a reference to the source, which the image does not have: it is installed again.
fn in_place(scan: &Scan<'_>, project: &Project, draft: &mut Draft) {
    let commands = &mut draft.spec.build.commands;
    for path in dependencies::editables(scan, project) {
        let path = if path == "." { path } else { quoted(&path) };
        let again = format!("{PYTHON} -m pip install --no-deps --force-reinstall {path}");
        let at = commands
            .iter()
            .position(|command| command.ends_with("uninstall --yes pip"))
            .unwrap_or(commands.len());
        commands.insert(at, again);
        let evidence = Evidence::new("install", &path, "python.editable")
            .at(&project.manifest, None)
            .note("it is named as editable, which would refer to a source that the image lacks");
        draft.evidence.push(evidence);
    }
}

fn context(scan: &Scan<'_>, project: &Project) -> Vec<String> {
    if project.dir.is_empty() {
        return Vec::new();
    }
    let mut globs = BTreeSet::from([tree_glob(&project.dir)]);
    globs.extend(project.internal.iter().map(|path| path_glob(scan, path)));
    if let Some(workspace) = &project.workspace {
        for name in ["pyproject.toml", "uv.lock", "uv.toml", "README.md"] {
            let file = join(&workspace.root, name);
            if scan.repo.has(&file) {
                globs.insert(literal_glob(&file));
            }
        }
        let members = workspace.members.iter();
        globs.extend(members.map(|dir| literal_glob(&join(dir, "pyproject.toml"))));
    }
    if let Some(files) = dependencies::requirement_files(scan, project) {
        // Those that it includes may lie above it.
        globs.extend(files);
    }
    for above in upwards(&project.dir).skip(1) {
        let file = join(above, ".python-version");
        if scan.repo.has(&file) {
            globs.insert(literal_glob(&file));
        }
    }
    globs.into_iter().collect()
}
