//! What a Python project starts.

use std::collections::BTreeMap;

use crate::detect::explain::{Candidate, Evidence};
use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::{join, split};
use crate::detect::source::{self, Fact, Family, File};
use crate::detect::start::{self, Command};
use crate::spec::Kind;

use super::{PYTHON, Project};

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
    pub(super) needs_src_path: bool,
    pub(super) framework: Option<String>,
    pub(super) port: Option<Fact<u16>>,
    pub(super) health: Option<Fact<String>>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) confidence: u8,
    pub(super) reason: String,
}

/// The port of the servers for WSGI and ASGI, unless something says otherwise.
const PORT: u16 = 8000;

/// An application object: `app = FastAPI(` in a file.
struct Object {
    module: String,
    /// The variable, or the factory with `()`.
    name: String,
    is_factory: bool,
    file: String,
    line: u64,
    framework: &'static str,
}

/// Constructors of applications, with the framework.
const CONSTRUCTORS: &[(&str, &str)] = &[
    ("FastAPI(", "fastapi"),
    ("Flask(", "flask"),
    ("Litestar(", "litestar"),
    ("Quart(", "quart"),
    ("Sanic(", "sanic"),
    ("Starlette(", "starlette"),
];

/// Files that usually hold the application, best first; others come after them.
const NAMES: &[&str] = &[
    "asgi",
    "wsgi",
    "main",
    "app",
    "server",
    "api",
    "application",
    "__init__",
    "run",
];

/// Finds the start of a project, or the reason why it has none.
pub(super) fn find(
    scan: &mut Scan<'_>,
    project: &Project,
    others: &[String],
) -> Result<Result<Start, String>, Problem> {
    let files = source::own(scan.repo, &project.dir, others, &["py"], Family::Python);
    if let Some(entry) = scan.entry(&project.dir) {
        return named(project, &files, &entry).map(Ok);
    }
    if let Some(start) = procfile(scan, project, &files)? {
        return Ok(Ok(start));
    }
    if scan.repo.has(&join(&project.dir, "manage.py")) && project.all.contains("django") {
        return django(project, &files).map(Ok);
    }
    let script = script(project, &files);
    if let Some(start) = script {
        return Ok(Ok(start));
    }
    for (name, command, port, health) in [
        ("streamlit", "streamlit", 8501, Some("/_stcore/health")),
        ("gradio", "gradio", 7860, None),
    ] {
        if project.direct.contains(name)
            && let Some(file) = importer(&files, name)
        {
            return Ok(Ok(interactive(project, file, command, port, health)));
        }
    }
    if let Some(object) = object(project, &files)? {
        return served(project, &files, object).map(Ok);
    }
    Ok(program(project, &files).ok_or_else(|| {
        let has_build = project
            .pyproject
            .as_ref()
            .is_some_and(|document| document.get(&["build-system"]).is_some());
        if has_build {
            "it is a package without a script, a `__main__` module or an application: a library"
                .to_owned()
        } else {
            "nothing in it is a script, a `__main__` module or an application".to_owned()
        }
    }))
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

/// The only application object, or the best by name; two of the same rank are a question.
fn object(project: &Project, files: &[File]) -> Result<Option<Object>, Problem> {
    let mut objects: Vec<(usize, usize, Object)> = Vec::new();
    for file in files {
        let Some((module, _)) = module(project, &file.path) else {
            continue;
        };
        let stem = split(&file.path).1.trim_end_matches(".py");
        let rank = NAMES
            .iter()
            .position(|name| *name == stem)
            .unwrap_or(NAMES.len());
        let depth = below(project, &file.path)
            .trim_start_matches("src/")
            .matches('/')
            .count();
        for (name, is_factory, at, framework) in definitions(file) {
            let line = file.source.line(at);
            let object = Object {
                module: module.clone(),
                name,
                is_factory,
                file: file.path.clone(),
                line,
                framework,
            };
            objects.push((rank + if is_factory { 100 } else { 0 }, depth, object));
        }
    }
    objects.sort_by(|a, b| (a.0, a.1, &a.2.file, a.2.line).cmp(&(b.0, b.1, &b.2.file, b.2.line)));
    let mut objects = objects.into_iter();
    let Some((rank, depth, first)) = objects.next() else {
        return Ok(None);
    };
    if let Some((other_rank, other_depth, other)) = objects.next()
        && (other_rank, other_depth) == (rank, depth)
        && other.file != first.file
    {
        let message = format!(
            "two applications are equally likely: `{}:{}` and `{}:{}`",
            first.module, first.name, other.module, other.name
        );
        return Err(Problem::new(&first.file, Some(first.line), message)
            .help(format!(
                "name one in peelbox.yaml: `entry: {}:{}`, or with a Procfile line such as `web: uvicorn package.module:app`",
                first.module, first.name
            )));
    }
    Ok(Some(first))
}

/// The application objects and factories at the top level of a file: name, whether a factory, place, framework.
fn definitions(file: &File) -> Vec<(String, bool, usize, &'static str)> {
    let code = &file.source.code;
    let mut found = Vec::new();
    let mut factory: Option<(String, usize)> = None;
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let indented = trimmed.len() < line.len();
        if !indented && (line.starts_with("def ") || line.starts_with("async def ")) {
            let name: String = line
                .split("def ")
                .nth(1)
                .unwrap_or_default()
                .chars()
                .take_while(|c| *c == '_' || c.is_alphanumeric())
                .collect();
            // A factory that needs arguments cannot be called by a server.
            let takes_nothing = line.contains("()");
            factory = takes_nothing.then_some((name, at));
        } else if !indented && !trimmed.is_empty() && !trimmed.starts_with(['#', ')', '@']) {
            factory = None;
        }
        for (constructor, framework) in CONSTRUCTORS {
            let Some(position) = call(line, constructor) else {
                continue;
            };
            let before = line[..position].trim();
            if !indented {
                let name = before
                    .trim_end_matches(['=', ' '])
                    .split(':')
                    .next()
                    .unwrap_or_default()
                    .trim();
                if before.ends_with('=')
                    && name.chars().all(|c| c == '_' || c.is_alphanumeric())
                    && !name.is_empty()
                {
                    found.push((name.to_owned(), false, at, *framework));
                }
            } else if let Some((name, place)) = factory.take()
                && (name.starts_with("create_")
                    || name.starts_with("make_")
                    || name.starts_with("build_")
                    || name.starts_with("get_"))
            {
                found.push((name, true, place, *framework));
            }
        }
        at += line.len();
    }
    found
}

fn call(line: &str, constructor: &str) -> Option<usize> {
    line.match_indices(constructor)
        .map(|(at, _)| at)
        .find(|at| !line[..*at].ends_with(|c: char| c == '_' || c.is_alphanumeric()))
        .map(|at| {
            if line[..at].ends_with('.') {
                line[..at].rfind([' ', '=']).map_or(0, |space| space + 1)
            } else {
                at
            }
        })
}

/// Serves an application object with the server that the dependencies have.
fn served(project: &Project, files: &[File], object: Object) -> Result<Start, Problem> {
    let port = port(files);
    let number = port.as_ref().map_or(PORT, |port| port.value);
    let target = format!("{}:{}", object.module, object.name);
    let command = server(project, &object, &target, number)?;
    let evidence = Evidence::new("start", &target, &format!("python.{}", object.framework))
        .at(&object.file, Some(object.line))
        .written(&object.name);
    Ok(Start {
        kind: Some(Kind::Web),
        command,
        needs_src_path: below(project, &object.file).starts_with("src/"),
        framework: Some(object.framework.to_owned()),
        port: Some(port.unwrap_or_else(default_port)),
        health: source::health(files),
        evidence: vec![evidence],
        confidence: 95,
        reason: format!(
            "`{}` makes a {} application on line {}",
            object.file, object.framework, object.line
        ),
        ..Start::default()
    })
}

/// The command of the server that runs an application, the best of those that the dependencies have.
fn server(
    project: &Project,
    object: &Object,
    target: &str,
    port: u16,
) -> Result<Vec<String>, Problem> {
    let is_asgi = object.framework != "flask";
    let has = |name: &str| project.all.contains(name);
    let number = port.to_string();
    let address = format!("0.0.0.0:{port}");
    let callable = callable(target, object.is_factory);
    let listen = ["--host", "0.0.0.0", "--port", &number];
    let with = |arguments: &[&str], factory: &str| {
        let mut command = python(&["-m"]);
        command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        command.extend(object.is_factory.then(|| factory.to_owned()));
        command
    };
    if object.framework == "sanic" {
        return Ok(with(
            &[&["sanic", target][..], &listen].concat(),
            "--factory",
        ));
    }
    match (
        is_asgi,
        ["uvicorn", "hypercorn", "granian", "gunicorn", "waitress"].map(has),
    ) {
        (true, [true, ..]) => Ok(with(
            &[&["uvicorn", target][..], &listen].concat(),
            "--factory",
        )),
        (true, [_, true, ..]) => Ok(python(&["-m", "hypercorn", &callable, "--bind", &address])),
        (true, [_, _, true, ..]) => {
            let mut command = with(
                &[&["granian", "--interface", "asgi"][..], &listen].concat(),
                "--factory",
            );
            command.push(target.to_owned());
            Ok(command)
        }
        (false, [_, _, _, true, _]) => Ok(gunicorn(&callable, port)),
        (false, [_, _, _, _, true]) => {
            let mut command = with(&["waitress", "--listen", &address], "--call");
            command.push(target.to_owned());
            Ok(command)
        }
        _ => {
            let (what, name) = if is_asgi {
                ("ASGI", "uvicorn")
            } else {
                ("WSGI", "gunicorn")
            };
            let message = format!(
                "`{target}` is a {} application, but no {what} server is among the dependencies",
                object.framework
            );
            Err(Problem::new(&object.file, Some(object.line), message)
                .help(format!("add `{name}` to the dependencies")))
        }
    }
}

fn callable(target: &str, is_factory: bool) -> String {
    if is_factory {
        format!("{target}()")
    } else {
        target.to_owned()
    }
}

fn default_port() -> Fact<u16> {
    Fact {
        value: PORT,
        file: String::new(),
        line: 0,
    }
}

fn python(arguments: &[&str]) -> Vec<String> {
    std::iter::once(PYTHON)
        .chain(arguments.iter().copied())
        .map(str::to_owned)
        .collect()
}

/// Gunicorn's workers beat their heart in a file, for which a read-only root leaves this place.
fn gunicorn(target: &str, port: u16) -> Vec<String> {
    python(&[
        "-m",
        "gunicorn",
        "--bind",
        &format!("0.0.0.0:{port}"),
        "--worker-tmp-dir",
        "/dev/shm",
        target,
    ])
}

/// The port that the sources run a server on.
fn port(files: &[File]) -> Option<Fact<u16>> {
    for file in files {
        for call in ["uvicorn.run(", "app.run(", "serve("] {
            for at in file.source.all(call) {
                let rest = &file.source.code[at..];
                let end = rest.find('\n').map_or(rest.len(), |line| {
                    line.max(rest.find("\n\n").unwrap_or(line)).min(400)
                });
                let Some(key) = rest.get(..end).and_then(|part| part.find("port=")) else {
                    continue;
                };
                let text = file.source.strings.iter().find(|(string, text)| {
                    (at + key..at + end).contains(string) && source::port(text).is_some()
                });
                let text = text.and_then(|(_, text)| source::port(text));
                if let Some(value) = text.or_else(|| file.source.number_after(at + key, 60)) {
                    return Some(Fact {
                        value,
                        file: file.path.clone(),
                        line: file.source.line(at),
                    });
                }
            }
        }
    }
    None
}

/// The start that `[project.scripts]` names, if it is one.
fn script(project: &Project, files: &[File]) -> Option<Start> {
    let document = project.pyproject.as_ref()?;
    let (table, names) = [&["project", "scripts"][..], &["tool", "poetry", "scripts"]]
        .into_iter()
        .map(|table| (table, document.keys(table)))
        .find(|(_, names)| !names.is_empty())?;
    let own = project.name().map(str::to_owned).unwrap_or_default();
    let name = match names.as_slice() {
        [only] => *only,
        several => several
            .iter()
            .copied()
            .find(|name| *name == own || matches!(*name, "start" | "serve" | "server"))?,
    };
    let keys: Vec<&str> = table.iter().copied().chain([name]).collect();
    let target = document.str(&keys)?;
    let (module_name, function) = target.split_once(':')?;
    if !is_path(module_name) || !is_path(function) {
        return None;
    }
    let file = files
        .iter()
        .find(|file| module(project, &file.path).is_some_and(|(found, _)| found == module_name))?;
    let command = if project.is_installed() {
        vec![format!("/app/.venv/bin/{name}")]
    } else {
        let root = function.split('.').next().unwrap_or(function);
        python(&[
            "-c",
            &format!("import sys; from {module_name} import {root}; sys.exit({function}())"),
        ])
    };
    let losing = names
        .iter()
        .filter(|other| **other != name)
        .map(|other| Candidate {
            value: (*other).to_owned(),
            file: Some(document.file.clone()),
            line: document.line(&table.iter().copied().chain([*other]).collect::<Vec<_>>()),
            reason: format!("`{name}` is the name of the project or of a start"),
        });
    let mut evidence =
        Evidence::new("start", target, "python.script").at(&document.file, document.line(&keys));
    evidence.losing = losing.collect();
    let kind = kind(project, files);
    let port = port(files);
    Some(Start {
        kind: Some(kind),
        command,
        needs_src_path: below(project, &file.path).starts_with("src/"),
        framework: framework(project),
        port: port.filter(|_| kind == Kind::Web),
        health: source::health(files),
        evidence: vec![evidence],
        confidence: 85,
        reason: format!("`{}` names the script `{name}`", document.file),
        ..Start::default()
    })
}

/// Whether a text is names with dots between, safe to stand in code.
fn is_path(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c == '_' || c == '.' || c.is_alphanumeric())
}

fn framework(project: &Project) -> Option<String> {
    [
        "fastapi",
        "flask",
        "litestar",
        "aiohttp",
        "sanic",
        "quart",
        "starlette",
        "celery",
    ]
    .iter()
    .find(|name| project.direct.contains(**name))
    .map(|name| (*name).to_owned())
}

/// What a program is, by what its sources call.
fn kind(project: &Project, files: &[File]) -> Kind {
    let calls = |names: &[&str]| {
        files
            .iter()
            .any(|file| names.iter().any(|name| file.source.find(name).is_some()))
    };
    let listens = [
        "uvicorn.run(",
        "web.run_app(",
        "serve_forever(",
        "app.run(",
        "HTTPServer(",
        "TCPServer(",
        "start_server(",
        "serve(",
        "add_insecure_port(",
    ];
    if calls(&listens) {
        Kind::Web
    } else if calls(&[
        "argparse.ArgumentParser(",
        "ArgumentParser(",
        "typer.Typer(",
        "click.command",
        "click.group",
    ]) || project.direct.contains("typer")
    {
        Kind::Cli
    } else {
        Kind::Worker
    }
}

fn importer<'f>(files: &'f [File], name: &str) -> Option<&'f File> {
    let rank = |file: &&File| {
        let stem = split(&file.path).1.trim_end_matches(".py").to_owned();
        let named = NAMES
            .iter()
            .chain(&["streamlit_app", "Home"])
            .position(|known| *known == stem)
            .unwrap_or(99);
        (file.path.matches('/').count(), named, file.path.clone())
    };
    files
        .iter()
        .filter(|file| {
            file.source.code.lines().any(|line| {
                line.starts_with(&format!("import {name}"))
                    || line.starts_with(&format!("from {name}"))
            })
        })
        .min_by_key(rank)
}

fn interactive(
    project: &Project,
    file: &File,
    tool: &str,
    port: u16,
    health: Option<&str>,
) -> Start {
    let path = below(project, &file.path);
    let number = port.to_string();
    let mut env = BTreeMap::new();
    let command = if tool == "streamlit" {
        python(&[
            "-m",
            "streamlit",
            "run",
            path,
            "--server.address",
            "0.0.0.0",
            "--server.port",
            &number,
            "--server.headless",
            "true",
        ])
    } else {
        env.insert("GRADIO_SERVER_NAME".to_owned(), "0.0.0.0".to_owned());
        env.insert("GRADIO_SERVER_PORT".to_owned(), number);
        python(&[path])
    };
    Start {
        kind: Some(Kind::Web),
        command,
        env,
        framework: Some(tool.to_owned()),
        port: Some(Fact {
            value: port,
            file: String::new(),
            line: 0,
        }),
        health: health.map(|path| Fact {
            value: path.to_owned(),
            file: file.path.clone(),
            line: 1,
        }),
        evidence: vec![
            Evidence::new("start", path, &format!("python.{tool}")).at(&file.path, Some(1)),
        ],
        confidence: 90,
        reason: format!("`{}` is a {tool} program", file.path),
        ..Start::default()
    }
}

fn django(project: &Project, files: &[File]) -> Result<Start, Problem> {
    let manage = join(&project.dir, "manage.py");
    let find = |name: &str, variable: &str| {
        files.iter().find(|file| {
            split(&file.path).1 == name && file.source.find(&format!("{variable} =")).is_some()
        })
    };
    let wsgi = find("wsgi.py", "application");
    let asgi = find("asgi.py", "application");
    let has = |name: &str| project.all.contains(name);
    let (file, server) = match (wsgi, asgi) {
        (Some(file), _) if has("gunicorn") => (file, "gunicorn"),
        (_, Some(file)) if has("uvicorn") => (file, "uvicorn"),
        (_, Some(file)) if has("daphne") => (file, "daphne"),
        (Some(file), _) if has("waitress") => (file, "waitress"),
        (None, None) => {
            let message = "belongs to a Django project without `wsgi.py` and `asgi.py`";
            return Err(Problem::new(&manage, None, message));
        }
        _ => {
            let message =
                "belongs to a Django project, but no WSGI or ASGI server is among the dependencies";
            return Err(
                Problem::new(&manage, None, message).help("add `gunicorn` to the dependencies")
            );
        }
    };
    let Some((module, _)) = module(project, &file.path) else {
        let message = "lies in a directory whose name is no module name";
        return Err(Problem::new(&file.path, None, message));
    };
    let command = django_server(server, &format!("{module}:application"));
    let (build, built) = static_files(project, files);
    let line = file
        .source
        .find("application =")
        .map(|at| file.source.line(at));
    let processes = BTreeMap::from([(
        "release".to_owned(),
        python(&["manage.py", "migrate", "--noinput"]),
    )]);
    Ok(Start {
        kind: Some(Kind::Web),
        command,
        processes,
        build,
        built,
        framework: Some("django".to_owned()),
        port: Some(default_port()),
        health: source::health(files),
        evidence: vec![Evidence::new("start", "application", "python.django").at(&file.path, line)],
        confidence: 95,
        reason: format!(
            "`{manage}` stands beside the Django application of `{}`",
            file.path
        ),
        ..Start::default()
    })
}

fn django_server(server: &str, target: &str) -> Vec<String> {
    let port = PORT.to_string();
    match server {
        "uvicorn" => python(&["-m", server, target, "--host", "0.0.0.0", "--port", &port]),
        "daphne" => python(&["-m", server, "-b", "0.0.0.0", "-p", &port, target]),
        "waitress" => python(&["-m", server, "--listen", &format!("0.0.0.0:{port}"), target]),
        _ => gunicorn(target, PORT),
    }
}

/// What collects the static files, where the settings name a place inside the project for them.
fn static_files(project: &Project, files: &[File]) -> (Vec<String>, Vec<String>) {
    if !project.all.contains("whitenoise") {
        return (Vec::new(), Vec::new());
    }
    for file in files.iter().filter(|file| file.path.contains("settings")) {
        let Some(at) = file.source.find("STATIC_ROOT =") else {
            continue;
        };
        let line_end = file.source.code[at..]
            .find('\n')
            .map_or(file.source.code.len(), |end| at + end);
        let mut strings = file
            .source
            .strings
            .iter()
            .filter(|(start, _)| (at..line_end).contains(start));
        let (Some((_, name)), None) = (strings.next(), strings.next()) else {
            continue;
        };
        if name.is_empty() || name.starts_with(['/', '.']) || name.contains("..") {
            continue;
        }
        let command = format!("{PYTHON} manage.py collectstatic --noinput");
        return (vec![command], vec![name.trim_end_matches('/').to_owned()]);
    }
    (Vec::new(), Vec::new())
}

/// The application, module or file that users name.
fn named(project: &Project, files: &[File], entry: &Fact<String>) -> Result<Start, Problem> {
    let (place, object) = match entry.value.split_once(':') {
        Some((place, object)) => (place, Some(object.trim_end_matches("()"))),
        None => (entry.value.as_str(), None),
    };
    let problem = |message: String| Problem::new(&entry.file, Some(entry.line), message);
    let path = place.trim_start_matches("./");
    let is_meant = |file: &&File| {
        below(project, &file.path) == path
            || module(project, &file.path).is_some_and(|(name, _)| {
                name == place || name.strip_suffix(".__init__") == Some(place)
            })
    };
    let Some(file) = files.iter().find(is_meant) else {
        let message = format!("`{place}` is no module or file of the project");
        return Err(problem(message).help("write `module:object`, `module` or a file"));
    };
    let mut found = definitions(file).into_iter();
    let found = match object {
        Some(object) => found.find(|(name, ..)| name == object),
        None => found.next(),
    };
    match (found, module(project, &file.path)) {
        (Some((name, is_factory, at, framework)), Some((module, _))) => {
            let object = Object {
                module,
                name,
                is_factory,
                file: file.path.clone(),
                line: file.source.line(at),
                framework,
            };
            served(project, files, object)
        }
        _ if object.is_some() => Err(problem(format!(
            "`{}` has no application `{}`",
            file.path,
            object.unwrap_or_default()
        ))),
        (_, name) => {
            let command = match name {
                Some((name, _)) if path.contains('/') || name == place => python(&["-m", &name]),
                _ => python(&[below(project, &file.path)]),
            };
            let found = Evidence::new("start", &entry.value, "override");
            let found = found.at(&entry.file, Some(entry.line));
            Ok(run(project, files, file, command, found))
        }
    }
}

/// A program without a framework: `__main__`, or a file that is run by its name.
fn program(project: &Project, files: &[File]) -> Option<Start> {
    let main = files
        .iter()
        .filter(|file| split(&file.path).1 == "__main__.py")
        .min_by_key(|file| (file.path.matches('/').count(), file.path.clone()));
    let is_run = |file: &File| {
        file.source
            .code
            .lines()
            .any(|line| line.starts_with("if __name__ =="))
    };
    let names = [
        "main.py",
        "app.py",
        "server.py",
        "run.py",
        "worker.py",
        "bot.py",
        "start.py",
        "hello.py",
        "consumer.py",
        "scheduler.py",
    ];
    let top = |file: &File| below(project, &file.path).matches('/').count();
    let plain = names.iter().find_map(|name| {
        files
            .iter()
            .filter(|file| split(&file.path).1 == *name)
            .filter(|file| is_run(file) || (top(file) == 0 && main.is_none()))
            .min_by_key(|file| (top(file), file.path.clone()))
    });
    let (file, command, rule) = if let Some(file) = main {
        let (name, _) = module(project, split(&file.path).0)
            .or_else(|| module(project, &format!("{}.py", split(&file.path).0)))?;
        (file, python(&["-m", &name]), "python.main-module")
    } else {
        let file = plain?;
        let path = below(project, &file.path);
        let command = match module(project, &file.path) {
            Some((name, _)) if path.contains('/') => python(&["-m", &name]),
            _ => python(&[path]),
        };
        (file, command, "python.main-file")
    };
    let found = Evidence::new("start", command[1..].join(" "), rule).at(&file.path, Some(1));
    Some(run(project, files, file, command, found))
}

/// A start that runs one file.
fn run(
    project: &Project,
    files: &[File],
    file: &File,
    command: Vec<String>,
    found: Evidence,
) -> Start {
    let kind = kind(project, files);
    Start {
        kind: Some(kind),
        evidence: vec![found],
        command,
        needs_src_path: below(project, &file.path).starts_with("src/"),
        framework: framework(project),
        port: port(files).filter(|_| kind == Kind::Web),
        health: source::health(files),
        confidence: 75,
        reason: format!("`{}` is the program of the project", file.path),
        ..Start::default()
    }
}

/// Programs of packages that `python -m` runs under the same name.
const MODULES: &[&str] = &[
    "alembic",
    "arq",
    "celery",
    "daphne",
    "dramatiq",
    "flask",
    "granian",
    "gunicorn",
    "hypercorn",
    "streamlit",
    "uvicorn",
    "waitress",
];

fn procfile(
    scan: &mut Scan<'_>,
    project: &Project,
    files: &[File],
) -> Result<Option<Start>, Problem> {
    let hints = scan.hints(&project.dir);
    let mut processes = BTreeMap::new();
    for (name, process) in &hints.processes {
        let argv = command_line(&process.value)
            .map_err(|reason| Problem::new(&process.file, Some(process.line), reason))?;
        processes.insert(name.clone(), argv);
    }
    let main = ["web", "worker"]
        .into_iter()
        .find_map(|name| Some((name, processes.remove(name)?, hints.processes.get(name)?)));
    let Some((name, command, Fact { value, file, line })) = main else {
        return Ok(None);
    };
    let (text, path, line) = (value.clone(), file.clone(), *line);
    let is_web = name == "web";
    let port = command
        .iter()
        .find_map(|word| word.rsplit(':').next().and_then(source::port))
        .unwrap_or(PORT);
    Ok(Some(Start {
        kind: Some(if is_web { Kind::Web } else { Kind::Worker }),
        command,
        processes,
        needs_src_path: files
            .iter()
            .any(|file| below(project, &file.path).starts_with("src/")),
        framework: if project.all.contains("django") {
            Some("django".to_owned())
        } else {
            framework(project)
        },
        port: is_web.then(|| Fact {
            value: port,
            file: path.clone(),
            line,
        }),
        health: source::health(files),
        evidence: vec![Evidence::new("start", text, "python.procfile").at(&path, Some(line))],
        confidence: 95,
        reason: format!("`{path}` names the process `{name}`"),
        ..Start::default()
    }))
}

/// A Procfile line as arguments.
fn command_line(line: &str) -> Result<Vec<String>, String> {
    let commands = start::parse(line).map_err(|refusal| refusal.to_string())?;
    let [command] = commands.as_slice() else {
        return Err(format!(
            "is more than one command, which needs a shell: `{}`",
            line.trim()
        ));
    };
    let words = words(command)?;
    let (program, rest) = words
        .split_first()
        .ok_or_else(|| "is an empty command".to_owned())?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match program.as_str() {
        "python" | "python3"
            if rest.first() == Some(&"manage.py") && rest.get(1) == Some(&"runserver") =>
        {
            Err("starts a development server: `manage.py runserver`".to_owned())
        }
        "flask" if rest.first() == Some(&"run") => {
            Err("starts a development server: `flask run`".to_owned())
        }
        "python" | "python3" => Ok(python(&rest)),
        "uv" | "poetry" if rest.first() == Some(&"run") => command_line(&rest[1..].join(" ")),
        name if MODULES.contains(&name) => {
            let mut arguments = vec!["-m", name];
            arguments.extend(rest);
            Ok(python(&arguments))
        }
        name => Err(format!(
            "runs `{name}`, whose place in the image is not known"
        )),
    }
}

fn words(command: &Command) -> Result<Vec<String>, String> {
    if let Some(name) = command.env.keys().next() {
        return Err(format!(
            "sets `{name}`, which belongs into the environment of the image"
        ));
    }
    let port = |name: &str| (name == "PORT").then(|| PORT.to_string());
    command
        .words
        .iter()
        .map(|word| word.expand(&port).map_err(|refusal| refusal.to_string()))
        .collect()
}
