//! The servers that run an application object.

use crate::detect::explain::Evidence;
use crate::detect::provider::Problem;
use crate::detect::source::{self, File};
use crate::spec::Kind;

use super::application::{self, Object};
use super::{PORT, Project, Start, below, default_port, facts, python};

/// Serves an application object with the server that the dependencies have.
pub(super) fn start(project: &Project, files: &[File], object: &Object) -> Start {
    let port = facts::port(files);
    let number = port.as_ref().map_or(PORT, |port| port.value);
    let target = object.target();
    let mut chosen = object.decided.clone().unwrap_or_else(|| {
        Evidence::new("start", &target, &format!("python.{}", object.framework))
            .at(&object.file, Some(object.line))
            .written(object.written.clone())
    });
    chosen.losing.clone_from(&object.losing);
    let framework = application::evidence(object);
    let kind = application::kind(object);
    let mut start = Start {
        kind: Some(Kind::Web),
        has_assets: true,
        needs_src_path: below(project, &object.file).starts_with("src/"),
        framework: Some(object.framework.to_owned()),
        port: Some(port.unwrap_or_else(|| default_port(PORT))),
        health: source::health(files),
        evidence: vec![framework, kind, chosen],
        confidence: 95,
        reason: format!(
            "`{}` makes a {} application on line {}",
            object.file, object.framework, object.line
        ),
        ..Start::default()
    };
    match command(project, object, &target, number) {
        Ok((command, server)) => {
            let evidence = Evidence::new("server", server, "python.server-dependency");
            start.evidence.push(evidence.at(&project.manifest, None));
            start.command = command;
        }
        Err(problem) => start.problem = Some(problem),
    }
    start
}

/// The command of the server that runs an application, the best of those that the dependencies have.
fn command(
    project: &Project,
    object: &Object,
    target: &str,
    port: u16,
) -> Result<(Vec<String>, &'static str), Problem> {
    const ASGI: &[&str] = &["uvicorn", "hypercorn", "granian", "daphne"];
    const WSGI: &[&str] = &["gunicorn", "waitress", "granian", "uwsgi"];
    if object.framework == "sanic" {
        return Ok((run("sanic", object, target, port), "sanic"));
    }
    let is_asgi = object.framework != "flask";
    let known = if is_asgi { ASGI } else { WSGI };
    // Daphne and uWSGI call no factories.
    let takes = |server: &str| !object.is_factory || !matches!(server, "daphne" | "uwsgi");
    let server = known
        .iter()
        .find(|name| project.has(name) && takes(name))
        .copied();
    let Some(server) = server else {
        let (what, name) = if is_asgi {
            ("ASGI", "uvicorn")
        } else {
            ("WSGI", "gunicorn")
        };
        let message = format!(
            "`{target}` is a {} application, but no {what} server is among the dependencies",
            object.framework
        );
        return Err(Problem::new(&object.file, Some(object.line), message)
            .help(format!("add `{name}` to the dependencies")));
    };
    Ok((run(server, object, target, port), server))
}

fn run(server: &str, object: &Object, target: &str, port: u16) -> Vec<String> {
    let number = port.to_string();
    let address = format!("0.0.0.0:{port}");
    let callable = if object.is_factory {
        format!("{target}()")
    } else {
        target.to_owned()
    };
    let with_flag = |flag: &'static str, mut command: Vec<String>| {
        command.extend(object.is_factory.then(|| flag.to_owned()));
        command
    };
    let listen = ["--host", "0.0.0.0", "--port", &number];
    match server {
        "hypercorn" => python(&["-m", server, &callable, "--bind", &address]),
        "granian" => {
            let interface = if object.framework == "flask" {
                "wsgi"
            } else {
                "asgi"
            };
            let words = [&["-m", server, "--interface", interface][..], &listen].concat();
            let mut command = with_flag("--factory", python(&words));
            command.push(target.to_owned());
            command
        }
        "daphne" => python(&["-m", server, "-b", "0.0.0.0", "-p", &number, target]),
        "gunicorn" => gunicorn(&callable, port),
        "waitress" => {
            let mut command = with_flag("--call", python(&["-m", server, "--listen", &address]));
            command.push(target.to_owned());
            command
        }
        "uwsgi" => uwsgi(target, port),
        _ => {
            let words = [&["-m", server, target][..], &listen].concat();
            with_flag("--factory", python(&words))
        }
    }
}

/// Gunicorn's workers beat their heart in a file, for which a read-only root leaves this place.
pub(super) fn gunicorn(target: &str, port: u16) -> Vec<String> {
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

/// uWSGI is a program and no module.
pub(super) fn uwsgi(target: &str, port: u16) -> Vec<String> {
    let address = format!("0.0.0.0:{port}");
    [
        "/app/.venv/bin/uwsgi",
        "--http",
        &address,
        "--master",
        "--module",
        target,
    ]
    .map(str::to_owned)
    .to_vec()
}
