//! The program of a package: from its scripts, or from a file that listens.

use std::collections::BTreeMap;

use crate::detect::explain::{Candidate, Evidence};
use crate::detect::provider::{Problem, Scan, quoted};
use crate::detect::repo::{is_within, join, resolve, split};
use crate::detect::source::{self, Fact, Family};

use super::Project;
use super::framework;
use super::locate::{Place, locate, module};
use super::manager::Tool;
use super::processes;
use super::script::{self, Followed, Program, Purpose, Resolved, Runtime};
use super::server::{Server, complete, listens};
use super::strip;

/// What a package starts.
pub(super) enum Found {
    Server(Box<Server>),
    /// A directory of files that its script would serve.
    Files(String, Evidence),
    /// Nothing: the reason.
    Nothing(String),
}

impl Found {
    fn server(server: Server) -> Self {
        Self::Server(Box::new(server))
    }
}

/// Scripts that start an app in production, best first.
pub(super) const SCRIPTS: &[&str] = &[
    "start:prod",
    "start:production",
    "serve:prod",
    "production",
    "start",
];

/// The script or file that users name.
pub(super) fn named(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    entry: &Fact<String>,
) -> Result<Found, Problem> {
    let Fact { value, file, line } = entry;
    let followed = script::resolve(project, value)
        .unwrap_or_else(|| script::resolve_line(project, &format!("node {}", quoted(value))));
    let evidence = Evidence::new("start", value, "override").at(file, Some(*line));
    found(scan, project, followed, evidence)
}

/// Finds the program of a package.
pub(super) fn server(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Found, Problem> {
    let package = project.package;
    let mut losing = Vec::new();
    let hints = scan.hints(&package.dir);
    let main = ["web", "worker"]
        .iter()
        .find_map(|name| Some((*name, hints.processes.get(*name)?)));
    if let Some((name, line)) = main {
        let followed = script::resolve_line(project, &line.value);
        let evidence =
            Evidence::new("start", &line.value, "node.procfile").at(&line.file, Some(line.line));
        let mut found = found(scan, project, followed, evidence)?;
        if let Found::Server(server) = &mut found {
            processes::further(scan, project, name, server);
        }
        return Ok(found);
    }
    for name in SCRIPTS {
        let Some(mut followed) = script::resolve(project, name) else {
            continue;
        };
        let line = package.script_line(name);
        let file = package.script_file(name).to_owned();
        let text = package.script(name).unwrap_or_default().to_owned();
        if let Resolved::Development(command) = &followed.resolved {
            losing.push(Candidate {
                value: text,
                file: Some(file),
                line,
                reason: format!("`{command}` is a development server"),
            });
            continue;
        }
        let rule = format!("node.script.{name}");
        let mut evidence = Evidence::new("start", shown(&text), &rule).at(&file, line);
        evidence.losing = losing;
        hooks(project, name, &mut followed)?;
        return found(scan, project, followed, evidence);
    }
    by_file(scan, project, losing)
}

/// A script as it stands in a manifest.
fn shown(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Refuses a start whose hooks do more than build or migrate: nothing would run them in the image.
fn hooks(project: &Project<'_>, name: &str, followed: &mut Followed) -> Result<(), Problem> {
    let package = project.package;
    for hook in [format!("pre{name}"), format!("post{name}")] {
        let Some(text) = package.script(&hook) else {
            continue;
        };
        match script::purpose(package, text) {
            Purpose::Builds => continue,
            Purpose::Migrates if hook.starts_with("pre") => {
                if let Some(hook) = script::resolve(project, &hook) {
                    followed.release.extend(hook.release);
                    followed.release.push((text.to_owned(), hook.resolved));
                }
                continue;
            }
            _ => {}
        }
        let message =
            format!("`{hook}` runs `{text}` around the start, which nothing does in an image");
        let line = package.script_line(&hook);
        return Err(Problem::new(package.script_file(&hook), line, message)
            .help("move it into the app, or into a process of its own"));
    }
    Ok(())
}

pub(super) fn problem(evidence: &Evidence, message: String) -> Problem {
    let file = evidence.file.as_deref().unwrap_or_default();
    Problem::new(file, evidence.line, message)
}

pub(super) fn found(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    followed: Followed,
    evidence: Evidence,
) -> Result<Found, Problem> {
    let what = match evidence.rule.as_str() {
        "node.procfile" => "the process",
        _ => "the start script",
    };
    let mut server = match followed.resolved {
        Resolved::File(program) => {
            if let Some(other) = delegated(project, &program) {
                return Ok(Found::Nothing(format!(
                    "its start script starts another package: `{other}`"
                )));
            }
            file(scan, project, program, &evidence)?
        }
        Resolved::Bin {
            package,
            path,
            program,
        } => {
            if !project.package.dependencies.contains(package) {
                let message = format!("starts `{package}`, which is no production dependency");
                return Err(
                    problem(&evidence, message).help(format!("move `{package}` to `dependencies`"))
                );
            }
            installed(scan, project, package, path, program)
        }
        Resolved::Named(name, program) => match locked(scan, project, &name) {
            Some((package, path)) => installed(scan, project, &package, &path, program),
            None => {
                let message = format!(
                    "{what} cannot become a command: `{name}` is no program whose place in the image is known"
                );
                return Err(problem(&evidence, message)
                    .help("add a script `start:prod` that runs `node` with a file"));
            }
        },
        Resolved::Files(dir) => return Ok(Found::Files(dir, evidence)),
        Resolved::Development(text) => {
            return Ok(Found::Nothing(format!("`{text}` is a development server")));
        }
        Resolved::Delegates(text) => {
            return Ok(Found::Nothing(format!(
                "its start script starts other packages: `{text}`"
            )));
        }
        Resolved::Refused(reason) => {
            let message = format!("{what} cannot become a command: {reason}");
            return Err(
                problem(&evidence, message).help("add a script `start:prod` that is one command")
            );
        }
    };
    if evidence.rule == "node.procfile" {
        server.reason = "its Procfile, with the dependencies".to_owned();
    }
    server.port = told_port(project, &server, &evidence);
    processes::released(scan, project, &mut server, &followed.release, &evidence)?;
    Ok(Found::server(complete(scan, project, server, evidence)))
}

/// The port that the program is told, which comes before what its sources fall back to.
fn told_port(project: &Project<'_>, server: &Server, evidence: &Evidence) -> Option<Fact<u16>> {
    let told = source::port(server.env.get("PORT")?)?;
    let by_script = script::port(project).filter(|port| port.value == told);
    by_script.or_else(|| {
        Some(Fact {
            value: told,
            file: evidence.file.clone()?,
            line: evidence.line?,
        })
    })
}

/// The server that a program of an installed package is.
fn installed(
    scan: &Scan<'_>,
    project: &Project<'_>,
    package: &str,
    path: &str,
    program: Program,
) -> Server {
    let mut arguments = vec![join(&module(scan, project, package), path)];
    arguments.extend(program.arguments);
    Server {
        arguments,
        env: program.env,
        directory: program.directory,
        output: built(project).filter(|_| project.has_build()),
        is_web: super::program::serves(package),
        given_port: program.given_port,
        confidence: 85,
        reason: "the start script".to_owned(),
        ..Server::default()
    }
}

/// The package and path of a program, from the lock file of npm, which knows them.
fn locked(scan: &Scan<'_>, project: &Project<'_>, name: &str) -> Option<(String, String)> {
    if project.manager.tool != Tool::Npm {
        return None;
    }
    let text = scan.repo.lock(project.manager.lock.as_deref()?)?;
    let lock: serde_json::Value = serde_json::from_str(&text).ok()?;
    let packages = lock.get("packages")?.as_object()?;
    project.package.dependencies.iter().find_map(|package| {
        let bin = packages
            .get(&format!("node_modules/{package}"))?
            .get("bin")?
            .get(name)?
            .as_str()?;
        Some((package.clone(), bin.trim_start_matches("./").to_owned()))
    })
}

/// The directory that the start of a built package usually needs: the first part of its `main`.
fn built(project: &Project<'_>) -> Option<String> {
    let main = project.package.document.str(&["main"])?;
    let main = main.trim_start_matches("./");
    main.split_once('/')
        .map(|(dir, _)| dir.to_owned())
        .filter(|dir| matches!(dir.as_str(), "dist" | "build" | "out" | "lib"))
}

fn file(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    mut program: Program,
    evidence: &Evidence,
) -> Result<Server, Problem> {
    without_env_files(scan, &mut program, evidence);
    let runtime = program.runtime.program();
    let Some(at) = entry_position(&program.arguments) else {
        let message = format!("the start script runs `{runtime}` without a file");
        return Err(problem(evidence, message));
    };
    let entry = program.arguments[at].clone();
    let directory = program.directory.as_deref().unwrap_or("");
    let base = resolve(&project.package.dir, directory);
    let Some(full) = base.and_then(|base| resolve(&base, &entry)) else {
        let message =
            format!("the start script runs `{entry}`, which is outside of the repository");
        return Err(problem(evidence, message));
    };
    // A directory stands for what its manifest names.
    let main = project.package.document.str(&["main"]);
    let full = match resolve(&project.package.dir, main.unwrap_or("index.js")) {
        Some(main) if full == project.package.dir => main,
        _ => full,
    };
    let located = locate(scan, project, &full);
    let mut server = Server {
        runtime: program.runtime,
        arguments: program.arguments,
        env: program.env,
        directory: program.directory,
        given_port: program.given_port,
        confidence: located.confidence,
        reason: "the start script".to_owned(),
        ..Server::default()
    };
    match located.place {
        Place::Missing => {
            let message =
                format!("the start script runs `{entry}`, which neither exists nor is built");
            return Err(problem(evidence, message)
                .help("add a `build` script that writes it, or correct the path"));
        }
        Place::Exists(file) => {
            if server.runtime == Runtime::Node
                && strip::is_typescript(&file)
                && !has_loader(&server.arguments[..at])
            {
                strip::check(scan, project, &file)
                    .map_err(|reason| problem(evidence, reason).help(strip::HELP))?;
            }
            server.also.extend(framework::out_dir(scan, project));
            server.extra.push(file);
        }
        Place::Built { output, source } => {
            server.output = Some(output);
            server.extra.extend(source);
        }
    }
    Ok(server)
}

/// The other package below a project whose file a program is.
fn delegated<'p>(project: &Project<'p>, program: &Program) -> Option<&'p str> {
    let own = &project.package.dir;
    let entry = program.arguments.get(entry_position(&program.arguments)?)?;
    let directory = program.directory.as_deref().unwrap_or_default();
    let file = resolve(&resolve(own, directory)?, entry)?;
    let below = project.packages.keys().filter(|dir| is_within(dir, own));
    let mut others = below.filter(|dir| *dir != own && is_within(&file, dir));
    others.next().map(String::as_str)
}

/// Takes out the files of variables, which no image has: without its file the program would not start.
fn without_env_files(scan: &mut Scan<'_>, program: &mut Program, evidence: &Evidence) {
    let mut kept = Vec::new();
    let mut words = std::mem::take(&mut program.arguments)
        .into_iter()
        .peekable();
    while let Some(word) = words.next() {
        let is_option = kept.iter().all(|kept: &String| kept.starts_with('-'));
        let flag = word.split('=').next().unwrap_or_default();
        if !is_option || !matches!(flag, "--env-file" | "--env-file-if-exists") {
            kept.push(word);
            continue;
        }
        let name = match word.split_once('=') {
            Some((_, name)) => name.to_owned(),
            None => words.next().unwrap_or_default(),
        };
        let message = format!(
            "reads variables from `{name}`, which is not in the image: they are expected in its environment"
        );
        let file = evidence.file.as_deref().unwrap_or_default();
        scan.warn(file, evidence.line, message);
    }
    program.arguments = kept;
}

/// Whether an option makes node read more than JavaScript.
fn has_loader(options: &[String]) -> bool {
    options.iter().any(|option| {
        [
            "--loader",
            "--import",
            "--experimental-loader",
            "-r",
            "--require",
        ]
        .iter()
        .any(|name| option.starts_with(name))
    })
}

/// Where the first argument stands that is neither an option nor the value of one.
pub(super) fn entry_position(arguments: &[String]) -> Option<usize> {
    const WITH_VALUE: &[&str] = &[
        "--env-file",
        "--experimental-loader",
        "--import",
        "--loader",
        "--preload",
        "--require",
        "-r",
        "-C",
        "--conditions",
    ];
    let mut at = 0;
    while at < arguments.len() {
        let argument = arguments[at].as_str();
        if WITH_VALUE.contains(&argument) {
            at += 1;
        } else if !argument.starts_with('-') {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Files that start an app by their name alone, if they listen.
const FILES: &[&str] = &[
    "server",
    "app",
    "main",
    "index",
    "src/server",
    "src/app",
    "src/main",
    "src/index",
];

fn by_file(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    losing: Vec<Candidate>,
) -> Result<Found, Problem> {
    let package = project.package;
    let reason = match losing.first() {
        Some(candidate) => candidate.reason.clone(),
        None => "it has no start script, and none of its entry files listens".to_owned(),
    };
    for name in &names(project) {
        let Some(full) = resolve(&package.dir, name) else {
            continue;
        };
        let located = locate(scan, project, &full);
        let (output, source) = match &located.place {
            Place::Exists(file) => (None, file.clone()),
            Place::Built {
                output,
                source: Some(source),
            } if located.confidence > 90 => (Some(output.clone()), source.clone()),
            _ => continue,
        };
        let Ok(text) = scan.repo.text(&source) else {
            continue;
        };
        let parsed = source::Source::parse(&text, Family::Script);
        let Some((call, at)) = listens(&parsed) else {
            continue;
        };
        let line = parsed.line(at);
        let mut runtime = Runtime::Node;
        if output.is_none() && strip::is_typescript(&source) {
            // What a bundler makes of it is another matter.
            if project.has_build() {
                continue;
            }
            if project.manager.tool == Tool::Bun {
                runtime = Runtime::Bun;
            } else {
                strip::check(scan, project, &source).map_err(|reason| {
                    Problem::new(&source, Some(line), reason).help(strip::HELP)
                })?;
            }
        }
        let start = format!("{} {name}", runtime.program());
        let mut evidence = Evidence::new("start", start, "node.listening-file")
            .at(&source, Some(line))
            .written(call);
        evidence.losing = losing;
        let server = Server {
            runtime,
            arguments: vec![name.clone()],
            output,
            extra: vec![source],
            confidence: 75,
            reason: "a file that listens beside the manifest".to_owned(),
            ..Server::default()
        };
        return Ok(Found::server(complete(scan, project, server, evidence)));
    }
    Ok(cli(scan, project).unwrap_or(Found::Nothing(reason)))
}

/// The files that may be the entry of a package without a start script, likeliest first.
fn names(project: &Project<'_>) -> Vec<String> {
    let main = project.package.document.str(&["main"]);
    let main = main.map(|main| main.trim_start_matches("./").to_owned());
    let mut names: Vec<String> = main.into_iter().collect();
    for endings in [["js", "mjs", "cjs"], ["ts", "mts", "cts"]] {
        for stem in FILES {
            names.extend(endings.map(|ending| format!("{stem}.{ending}")));
        }
    }
    names
}

/// A command line tool: a program that is not published for others, in a place where apps are.
fn cli(scan: &mut Scan<'_>, project: &Project<'_>) -> Option<Found> {
    let package = project.package;
    let document = &package.document;
    let bin = document.str(&["bin"]).map(str::to_owned).or_else(|| {
        let names = document.keys(&["bin"]);
        let [name] = names.as_slice() else {
            return None;
        };
        document.str(&["bin", name]).map(str::to_owned)
    })?;
    let parent = split(split(&package.dir).0).1;
    let stands_among_apps = ["apps", "cmd", "services", "tools"].contains(&parent);
    let is_app =
        document.is_true(&["private"]) && stands_among_apps && package.is_published().is_none();
    if !is_app || super::project::user(project).is_some() {
        return None;
    }
    let name = bin.trim_start_matches("./");
    let located = locate(scan, project, &resolve(&package.dir, name)?);
    let (output, extra) = match located.place {
        Place::Exists(file) => (None, vec![file]),
        Place::Built { output, source } => (Some(output), source.into_iter().collect()),
        Place::Missing => return None,
    };
    let line = document.line(&["bin"]);
    let server = Server {
        arguments: vec![name.to_owned()],
        output,
        extra,
        is_cli: true,
        confidence: 60,
        reason: "the program of the private package".to_owned(),
        processes: BTreeMap::new(),
        ..Server::default()
    };
    let evidence = Evidence::new("start", format!("node {name}"), "node.bin")
        .at(&document.file, line)
        .written("bin");
    Some(Found::server(complete(scan, project, server, evidence)))
}
