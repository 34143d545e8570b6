//! What installs a project's dependencies.

use crate::detect::document::Document;
use crate::detect::explain::{Candidate, Evidence, Severity};
use crate::detect::provider::Scan;
use crate::detect::repo::{Dir, join};

/// What installs a project's dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Manager {
    /// With the directory of the lock file, where there is one.
    Uv(Option<String>),
    Poetry,
    /// Whether there is a lock file.
    Pdm(bool),
    /// Whether there is a lock file.
    Pipenv(bool),
    /// With the requirements file, relative to the project.
    Requirements(String),
    /// `pip install .`, with the name of what it runs.
    Project(&'static str),
    /// The dependencies that a program names in its own comments (PEP 723).
    Inline(String),
    /// There is nothing to install.
    Nothing,
}

impl Manager {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Uv(_) | Self::Inline(_) => "uv",
            Self::Poetry => "poetry",
            Self::Pdm(_) => "pdm",
            Self::Pipenv(_) => "pipenv",
            Self::Requirements(_) | Self::Nothing => "pip",
            Self::Project(name) => name,
        }
    }
}

/// A manager that something asks for.
struct Asked {
    manager: Manager,
    file: String,
    line: Option<u64>,
    /// What stands on that line.
    written: Option<String>,
    rule: &'static str,
    is_lock: bool,
}

impl Asked {
    fn by(at: Dir<'_>, name: &str, manager: Manager, rule: &'static str) -> Self {
        Self {
            manager,
            file: at.join(name),
            line: None,
            written: None,
            rule,
            is_lock: false,
        }
    }

    fn locked(mut self) -> Self {
        self.is_lock = true;
        self
    }

    fn on(mut self, document: &Document, keys: &[&str]) -> Self {
        self.line = document.line(keys);
        self.written = keys.last().map(|key| (*key).to_owned());
        self
    }
}

/// What installs the project in `at`, and why; `locked_root` is that of a workspace with a lock file.
///
/// A lock file beats everything that is not one, and what loses is told.
pub(super) fn find(
    scan: &mut Scan<'_>,
    at: Dir<'_>,
    project: Option<&Document>,
    locked_root: Option<String>,
) -> (Manager, Evidence) {
    let mut asked = locks(at, locked_root);
    if let Some(name) = requirements(scan, at) {
        let manager = Manager::Requirements(name.clone());
        asked.push(Asked::by(at, &name, manager, "python.requirements"));
    }
    asked.extend(project.and_then(|document| of_project(at, document)));
    if at.has("setup.py") {
        let manager = Manager::Project("setuptools");
        asked.push(Asked::by(at, "setup.py", manager, "python.setup"));
    }
    let mut asked = asked.into_iter();
    let Some(first) = asked.next() else {
        let file = at.first(super::MANIFESTS).map(|name| at.join(name));
        let evidence = Evidence::new("build_system", "pip", "python.nothing-to-install");
        return (
            Manager::Nothing,
            match file {
                Some(file) => evidence.at(&file, None),
                None => evidence,
            },
        );
    };
    let losing: Vec<Asked> = asked
        .filter(|other| other.manager.name() != first.manager.name())
        .collect();
    for other in &losing {
        tell(scan, &first, other);
    }
    (first.manager.clone(), evidence(first, &losing))
}

fn evidence(first: Asked, losing: &[Asked]) -> Evidence {
    let mut evidence =
        Evidence::new("build_system", first.manager.name(), first.rule).at(&first.file, first.line);
    evidence.written = first.written;
    evidence.losing = losing
        .iter()
        .map(|other| Candidate {
            value: other.manager.name().to_owned(),
            file: Some(other.file.clone()),
            line: other.line,
            reason: if first.is_lock && !other.is_lock {
                format!("the lock file `{}` wins", first.file)
            } else {
                format!("`{}` is of higher rank", first.file)
            },
        })
        .collect();
    evidence
}

fn tell(scan: &mut Scan<'_>, first: &Asked, other: &Asked) {
    let used = first.manager.name();
    if other.is_lock {
        let tool = other.manager.name();
        scan.tell(
            Severity::Warning,
            &other.file,
            None,
            format!(
                "is a lock file of {tool}, but `{}` comes first and {used} is used",
                first.file
            ),
            Some("keep the lock file of one tool".to_owned()),
        );
    } else if matches!(other.manager, Manager::Requirements(_)) {
        let message = format!("is not read: `{}` decides, and {used} is used", first.file);
        scan.tell(Severity::Note, &other.file, None, message, None);
    }
}

/// The lock files, best first; `Pipfile` counts as one, because nothing else reads it.
fn locks(at: Dir<'_>, locked_root: Option<String>) -> Vec<Asked> {
    let mut asked = Vec::new();
    if at.has("uv.lock") || locked_root.is_some() {
        let root = locked_root.unwrap_or_else(|| at.path().to_owned());
        let file = join(&root, "uv.lock");
        let mut lock = Asked::by(at, "uv.lock", Manager::Uv(Some(root)), "python.uv-lock").locked();
        lock.file = file;
        asked.push(lock);
    }
    if at.has("poetry.lock") {
        asked.push(Asked::by(at, "poetry.lock", Manager::Poetry, "python.poetry-lock").locked());
    }
    if at.has("pdm.lock") {
        asked.push(Asked::by(at, "pdm.lock", Manager::Pdm(true), "python.pdm-lock").locked());
    }
    let is_locked = at.has("Pipfile.lock");
    if is_locked {
        let manager = Manager::Pipenv(true);
        asked.push(Asked::by(at, "Pipfile.lock", manager, "python.pipfile-lock").locked());
    } else if at.has("Pipfile") {
        let manager = Manager::Pipenv(false);
        asked.push(Asked::by(at, "Pipfile", manager, "python.pipfile"));
    }
    asked
}

/// What a `pyproject.toml` asks for without a lock file.
fn of_project(at: Dir<'_>, document: &Document) -> Option<Asked> {
    let by = |manager: Manager, rule| Asked::by(at, "pyproject.toml", manager, rule);
    let tools = [
        ("uv", Manager::Uv(None)),
        ("poetry", Manager::Poetry),
        ("pdm", Manager::Pdm(false)),
    ];
    for (tool, manager) in tools {
        let keys = ["tool", tool];
        if document.get(&keys).is_some() {
            // A table is written through those below it as well.
            let line = document.line(&keys);
            let asked = by(manager, "python.tool-table");
            return Some(match line {
                Some(_) => asked.on(document, &keys),
                None => asked,
            });
        }
    }
    let keys = ["build-system", "build-backend"];
    let backend = document.str(&keys);
    let asked = match backend {
        Some(name) if name.starts_with("poetry") => by(Manager::Poetry, "python.build-backend"),
        Some(name) if name.starts_with("pdm") => by(Manager::Pdm(false), "python.build-backend"),
        Some(name) if name.starts_with("setuptools") => {
            by(Manager::Project("setuptools"), "python.build-backend")
        }
        Some(_) => by(Manager::Project("pip"), "python.build-backend"),
        None if document.get(&["build-system"]).is_some() => {
            return Some(
                by(Manager::Project("setuptools"), "python.build-system")
                    .on(document, &["build-system"]),
            );
        }
        // Its directory is no package that could be built: only the dependencies are installed.
        None => {
            return Some(by(Manager::Uv(None), "python.dependencies").on(document, &["project"]));
        }
    };
    Some(asked.on(document, &keys))
}

/// The requirements file of a project: the usual name, those for production, or the only one.
pub(super) fn requirements(scan: &Scan<'_>, at: Dir<'_>) -> Option<String> {
    const NAMES: &[&str] = &[
        "requirements.txt",
        "requirements/production.txt",
        "requirements/prod.txt",
        "requirements-production.txt",
        "requirements-prod.txt",
        "requirements_prod.txt",
        "requirements/requirements.txt",
        "requirements/base.txt",
    ];
    if let Some(name) = NAMES.iter().find(|name| scan.repo.has(&at.join(name))) {
        return Some((*name).to_owned());
    }
    let is_for_developers = |name: &str| {
        ["dev", "test", "doc", "lint", "ci"]
            .iter()
            .any(|word| name.contains(word))
    };
    let mut others = at.files().iter().filter(|name| {
        name.starts_with("requirements") && name.ends_with(".txt") && !is_for_developers(name)
    });
    match (others.next(), others.next()) {
        (Some(only), None) => Some(only.to_string()),
        _ => None,
    }
}

/// What installs the dependencies of a program without a manifest.
pub(super) fn of_loose(scan: &Scan<'_>, dir: Dir<'_>, file: &str) -> Option<(Manager, Evidence)> {
    if let Some(name) = requirements(scan, dir) {
        let evidence = Evidence::new("build_system", "pip", "python.requirements");
        let evidence = evidence.at(&dir.join(&name), None);
        return Some((Manager::Requirements(name), evidence));
    }
    let text = scan.repo.text(file).ok()?;
    let line = text.lines().position(|line| line == "# /// script")?;
    let evidence = Evidence::new("build_system", "uv", "python.inline-metadata")
        .at(file, Some(line as u64 + 1))
        .written("# /// script");
    let name = file.rsplit('/').next().unwrap_or(file).to_owned();
    Some((Manager::Inline(name), evidence))
}
