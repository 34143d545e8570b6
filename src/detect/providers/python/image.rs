//! What of a project is shipped, and how it runs.

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Scan};
use crate::detect::repo::{is_within, join};
use crate::detect::source;
use crate::spec::{Copy, Health, Kind};

use super::entry::Start;
use super::toolchain::Interpreter;
use super::{Project, VENV, editable, native};

/// Names at the top of a project that nothing reads when it runs.
const LEFT_OUT: &[&str] = &[
    "Dockerfile",
    "Makefile",
    "Pipfile",
    "Pipfile.lock",
    "Procfile",
    "Taskfile.yml",
    "compose.yaml",
    "compose.yml",
    "conftest.py",
    "docker-compose.yaml",
    "docker-compose.yml",
    "docs",
    "fly.toml",
    "justfile",
    "mypy.ini",
    "noxfile.py",
    "package-lock.json",
    "package.json",
    "pdm.lock",
    "peelbox.lock",
    "peelbox.yaml",
    "pnpm-lock.yaml",
    "poetry.lock",
    "poetry.toml",
    "postcss.config.js",
    "pyproject.toml",
    "pytest.ini",
    "render.yaml",
    "requirements",
    "runtime.txt",
    "setup.cfg",
    "setup.py",
    "tailwind.config.js",
    "test",
    "tests",
    "tox.ini",
    "tsconfig.json",
    "universalbuild.json",
    "universalbuild.yaml",
    "uv.lock",
    "uv.toml",
    "vite.config.js",
    "vite.config.ts",
    "webpack.config.js",
    "yarn.lock",
];

/// Fills in what is known of an app before it is known whether it can be built.
pub(super) fn start(draft: &mut Draft, start: &Start) {
    let spec = &mut draft.spec;
    spec.metadata.framework.clone_from(&start.framework);
    spec.metadata.confidence = Some(start.confidence);
    spec.metadata.reasoning = Some(start.reason.clone());
    spec.runtime.command.clone_from(&start.command);
    spec.runtime.processes.clone_from(&start.processes);
    draft.evidence.extend(start.evidence.iter().cloned());
    if let Some(port) = &start.port {
        draft.listens_on(port, "python.port");
    } else if start.reads_port && start.kind == Some(Kind::Web) {
        draft.is_given_port(super::entry::PORT);
    }
    if let Some(health) = &start.health
        && start.kind == Some(Kind::Web)
    {
        draft.answers(health);
    } else if let Some(path) = start.framework_health {
        let endpoint = path.to_owned();
        draft.spec.runtime.health = Some(Health { endpoint });
    }
}

/// Fills in the image.
pub(super) fn run(
    scan: &mut Scan<'_>,
    project: &Project,
    others: &[String],
    start: &Start,
    python: &Interpreter,
    draft: &mut Draft,
) {
    let mut packages = vec![python.package.clone()];
    packages.extend(scan.catalog.package("ca-certificates-bundle"));
    for (package, evidence) in native::runtime(scan, project) {
        packages.push(package);
        draft.evidence.push(evidence);
    }
    packages.sort();
    packages.dedup();
    let runtime = &mut draft.spec.runtime;
    runtime.packages = packages;
    let settings = [
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONFAULTHANDLER", "1"),
        ("PYTHONUNBUFFERED", "1"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    runtime.env.extend(settings);
    runtime.env.extend(start.env.clone());
    if start.needs_src_path && !project.is_installed() {
        let path = "/app/src".to_owned();
        runtime.env.insert("PYTHONPATH".to_owned(), path);
    }
    runtime.writable.clone_from(&start.writable);
    runtime.copy = vec![Copy {
        from: VENV.to_owned(),
        to: VENV.to_owned(),
    }];
    let names = shipped(scan, project, others, start);
    let built = start.built.iter().cloned();
    runtime
        .copy
        .extend(names.into_iter().chain(built).map(|name| Copy {
            to: name.clone(),
            from: name,
        }));
    for (path, evidence) in editable::referred_to(scan, project) {
        let runtime = &mut draft.spec.runtime;
        runtime.copy.push(Copy {
            from: path.clone(),
            to: path,
        });
        draft.evidence.push(evidence);
    }
    let runtime = &mut draft.spec.runtime;
    runtime.copy.sort();
    runtime.copy.dedup();
    for name in &start.built {
        let evidence = Evidence::new("copy", name, "python.collected-files");
        draft.evidence.push(match &start.collected {
            Some(fact) => evidence.at(&fact.file, Some(fact.line)),
            None => evidence,
        });
    }
}

/// What of the project's own directory is shipped.
fn shipped(scan: &Scan<'_>, project: &Project, others: &[String], start: &Start) -> Vec<String> {
    let Some(dir) = scan.repo.dir(&project.dir) else {
        return Vec::new();
    };
    let wanted = |name: &&crate::detect::repo::Name| {
        !name.starts_with('.') && !LEFT_OUT.contains(&name.as_str())
    };
    let is_text = |name: &str| {
        name.ends_with(".md")
            || name.ends_with(".rst")
            || name.starts_with("LICENSE")
            || name.starts_with("requirements")
            || source::is_test_file(name)
    };
    // Settings of Django find templates and collected files from where they lie, and that is beside manage.py.
    let is_imported_in_place = start.framework.as_deref() == Some("django");
    let is_installed = project.is_installed() && !is_imported_in_place;
    let files = dir.files().iter().filter(wanted);
    let mut names: Vec<String> = files
        .filter(|name| !is_text(name))
        .map(ToString::to_string)
        .collect();
    let dirs = dir.dirs().iter().filter(wanted).filter(|name| {
        let path = dir.join(name);
        // What is installed lies in the environment already.
        let in_environment =
            is_installed && (*name == "src" || scan.repo.has(&join(&path, "__init__.py")));
        !in_environment
            && !name.ends_with(".egg-info")
            && !others.iter().any(|other| is_within(other, &path))
            && !holds_only(scan, &path, |file| source::is_test_file(file))
            && !holds_only(scan, &path, |file| {
                project.internal.contains(&join(&path, file))
            })
    });
    names.extend(dirs.map(ToString::to_string));
    names
}

fn holds_only(
    scan: &Scan<'_>,
    path: &str,
    is_such: impl Fn(&crate::detect::repo::Name) -> bool,
) -> bool {
    scan.repo.dir(path).is_some_and(|dir| {
        dir.dirs().is_empty() && !dir.files().is_empty() && dir.files().iter().all(is_such)
    })
}
