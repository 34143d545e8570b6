//! Procfiles: the processes that a project's authors name.

use std::collections::BTreeMap;

use crate::detect::explain::{Evidence, Severity};
use crate::detect::provider::{Problem, Scan, kind_word};
use crate::detect::source::{self, Fact, File};
use crate::detect::start::{self, Command};
use crate::spec::Kind;

use super::{PORT, Project, Start, below, facts, python};

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
    "rq",
    "sanic",
    "streamlit",
    "uvicorn",
    "waitress",
];

/// One process, as arguments.
struct Process {
    argv: Vec<String>,
    env: BTreeMap<String, String>,
}

/// The start that a Procfile names: `web`, else `worker`; the others are processes beside it.
pub(super) fn start(scan: &mut Scan<'_>, project: &Project, files: &[File]) -> Option<Start> {
    let hints = scan.hints(&project.dir);
    let name = ["web", "worker"]
        .into_iter()
        .find(|name| hints.processes.contains_key(*name))?;
    let main = hints.processes.get(name)?;
    let is_web = name == "web";
    let kind = if is_web { Kind::Web } else { Kind::Worker };
    let mut start = Start {
        kind: Some(kind),
        has_assets: is_web,
        needs_src_path: files
            .iter()
            .any(|file| below(project, &file.path).starts_with("src/")),
        health: source::health(files),
        evidence: vec![
            Evidence::new("start", &main.value, "python.procfile").at(&main.file, Some(main.line)),
            Evidence::new("kind", kind_word(kind), "python.procfile")
                .at(&main.file, Some(main.line))
                .written(name),
        ],
        confidence: 95,
        reason: format!("`{}` names the process `{name}`", main.file),
        ..Start::default()
    };
    framework(project, &mut start);
    let has_config = super::is_at_top(scan, project, "gunicorn.conf.py");
    match process(&main.value, has_config) {
        Ok(process) => {
            start.port = is_web.then(|| port(&process.argv, main));
            start.command = process.argv;
            start.env = process.env;
        }
        Err(reason) => {
            start.problem = Some(
                Problem::new(&main.file, Some(main.line), reason)
                    .help("name a program of a dependency, or `python` with a file or a module"),
            );
            return Some(start);
        }
    }
    for (other, fact) in hints.processes.iter().filter(|(other, _)| *other != name) {
        beside(scan, &mut start, other, fact, has_config);
    }
    Some(start)
}

/// Adds a process that runs beside the main one; one that cannot is told and left out.
fn beside(
    scan: &mut Scan<'_>,
    start: &mut Start,
    name: &str,
    fact: &Fact<String>,
    has_config: bool,
) {
    let found = process(&fact.value, has_config).and_then(|process| {
        let differs = process
            .env
            .iter()
            .find(|(key, value)| start.env.get(*key).is_some_and(|known| known != *value));
        match differs {
            Some((key, _)) => Err(format!(
                "sets `{key}` to another value than the main process"
            )),
            None => Ok(process),
        }
    });
    match found {
        Ok(process) => {
            start.env.extend(process.env);
            start.processes.insert(name.to_owned(), process.argv);
            let evidence = Evidence::new("process", name, "python.procfile");
            start
                .evidence
                .push(evidence.at(&fact.file, Some(fact.line)));
        }
        Err(reason) => {
            let message = format!("the process `{name}` is left out: {reason}");
            let help = Some("make it a single command of Python".to_owned());
            scan.tell(
                Severity::Warning,
                &fact.file,
                Some(fact.line),
                message,
                help,
            );
        }
    }
}

/// The port that stands in the command, else the usual one.
fn port(argv: &[String], line: &Fact<String>) -> Fact<u16> {
    let named = argv
        .iter()
        .find_map(|word| word.rsplit([':', '=']).next().and_then(source::port));
    let value = named.unwrap_or(PORT);
    // `$PORT` stands there where the usual one is taken for it.
    if line.value.contains(&value.to_string()) {
        Fact {
            value,
            file: line.file.clone(),
            line: line.line,
        }
    } else {
        super::default_port(value)
    }
}

fn framework(project: &Project, start: &mut Start) {
    if project.has("django") {
        start.framework = Some("django".to_owned());
        let evidence = Evidence::new("framework", "django", "python.dependency");
        start.evidence.push(evidence.at(&project.manifest, None));
    } else if let Some((name, evidence)) = facts::framework(project) {
        start.framework = Some(name);
        start.evidence.push(evidence);
    }
}

/// A Procfile line as arguments.
fn process(line: &str, has_config: bool) -> Result<Process, String> {
    let commands = start::parse(line).map_err(|refusal| refusal.to_string())?;
    let [command] = commands.as_slice() else {
        return Err(format!(
            "is more than one command, which needs a shell: `{}`",
            line.trim()
        ));
    };
    let port = |name: &str| (name == "PORT").then(|| PORT.to_string());
    let mut env = BTreeMap::new();
    for (name, word) in &command.env {
        let value = word.expand(&port).map_err(|refusal| refusal.to_string())?;
        env.insert(name.clone(), value);
    }
    let words = words(command, &port)?;
    let mut argv = resolved(&words)?;
    if let Some(directory) = &command.directory {
        argv = inside(argv, directory)?;
    }
    listen(&mut argv, has_config, &mut env);
    Ok(Process { argv, env })
}

/// Servers that listen on the loopback address unless told otherwise: the flags that tell them, and what is added.
const LISTENERS: &[(&str, &[&str], &[&str])] = &[
    (
        "daphne",
        &["-b", "--bind", "-e", "-u", "-f"],
        &["-b", "0.0.0.0"],
    ),
    ("granian", &["--host", "--uds"], &["--host", "0.0.0.0"]),
    (
        "gunicorn",
        &["-b", "--bind", "-c", "--config"],
        &["--bind", "0.0.0.0:8000"],
    ),
    (
        "hypercorn",
        &["-b", "--bind", "-c", "--config"],
        &["--bind", "0.0.0.0:8000"],
    ),
    ("sanic", &["--host", "-H", "--unix"], &["--host", "0.0.0.0"]),
    ("streamlit", &["--server.port"], &["--server.port", "8000"]),
    (
        "uvicorn",
        &["--host", "--uds", "--fd"],
        &["--host", "0.0.0.0"],
    ),
    (
        "waitress",
        &["--listen", "--port", "--unix-socket"],
        &["--listen", "0.0.0.0:8000"],
    ),
];

/// Makes a server listen to the outside, on the port that is declared, and write where an image can be written.
fn listen(argv: &mut Vec<String>, has_config: bool, env: &mut BTreeMap<String, String>) {
    let name = argv.get(2).cloned().unwrap_or_default();
    let says = |flags: &[&str]| {
        argv.iter().skip(3).any(|word| {
            flags.iter().any(|flag| {
                word.strip_prefix(flag).is_some_and(|rest| {
                    rest.is_empty() || rest.starts_with('=') || !flag.starts_with("--")
                })
            })
        })
    };
    let mut added: Vec<&str> = Vec::new();
    if let Some((_, flags, more)) = LISTENERS.iter().find(|(server, _, _)| *server == name)
        && !says(flags)
    {
        if name == "gunicorn" && has_config {
            // What the file says comes first; without that this is where it listens.
            env.entry("PORT".to_owned()).or_insert(PORT.to_string());
        } else if name == "streamlit" {
            argv.extend(more.iter().map(|word| (*word).to_owned()));
            return;
        } else {
            added.extend(*more);
        }
    }
    // The worker's heartbeat needs a place that can be written.
    if name == "gunicorn" && !says(&["--worker-tmp-dir"]) {
        added.extend(["--worker-tmp-dir", "/dev/shm"]);
    }
    if !added.is_empty() {
        argv.splice(3..3, added.into_iter().map(str::to_owned));
    }
}

/// The same in another directory, where the program has an option for it.
fn inside(mut argv: Vec<String>, directory: &str) -> Result<Vec<String>, String> {
    let flag = match argv.get(2).map(String::as_str) {
        Some("gunicorn") => "--chdir",
        Some("uvicorn") => "--app-dir",
        Some("celery") => "--workdir",
        _ => return Err(format!("runs in another directory: `cd {directory}`")),
    };
    argv.splice(3..3, [flag.to_owned(), directory.to_owned()]);
    Ok(argv)
}

/// The command with its program where the image has it.
fn resolved(words: &[String]) -> Result<Vec<String>, String> {
    let (program, rest) = words
        .split_first()
        .ok_or_else(|| "is an empty command".to_owned())?;
    let plain: Vec<&str> = rest.iter().map(String::as_str).collect();
    let last = program.rsplit('/').next().unwrap_or(program);
    match (last, plain.as_slice()) {
        ("python" | "python3", [file, "runserver", ..]) if file.ends_with("manage.py") => {
            Err("starts a development server: `manage.py runserver`".to_owned())
        }
        ("python" | "python3", ["-m", "flask", "run", ..]) | ("flask", ["run", ..]) => {
            Err("starts a development server: `flask run`".to_owned())
        }
        ("fastapi", ["dev", ..]) => Err("starts a development server: `fastapi dev`".to_owned()),
        ("uvicorn", words) if words.contains(&"--reload") => {
            Err("starts a development server: `uvicorn --reload`".to_owned())
        }
        ("python" | "python3", words) => Ok(python(words)),
        ("uv" | "poetry" | "pdm" | "pipenv", ["run", ..]) => resolved(&rest[1..]),
        ("fastapi", ["run", ..]) => Ok(python(&[&["-m", "fastapi"][..], &plain].concat())),
        ("waitress-serve", words) => Ok(python(&[&["-m", "waitress"][..], words].concat())),
        (name, words) if MODULES.contains(&name) => {
            Ok(python(&[&["-m", name][..], words].concat()))
        }
        (name, _) => Err(format!(
            "runs `{name}`, whose place in the image is not known"
        )),
    }
}

fn words(command: &Command, port: &dyn Fn(&str) -> Option<String>) -> Result<Vec<String>, String> {
    command
        .words
        .iter()
        .map(|word| word.expand(port).map_err(|refusal| refusal.to_string()))
        .collect()
}
