//! The program of a package: from its scripts, or from a file that listens.

use std::collections::BTreeMap;

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::{Candidate, Evidence};
use crate::detect::provider::{Problem, Scan, quoted};
use crate::detect::repo::{is_within, join, relative, resolve, split};
use crate::detect::source::{self, Fact, Family, File};
use crate::spec::Copy;

use super::Project;
use super::manager::Tool;
use super::port;
use super::script::{self, Program, Resolved};

/// A program that node runs.
#[derive(Default)]
pub(super) struct Server {
    pub(super) arguments: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// Further processes by name, each with its arguments.
    pub(super) processes: BTreeMap<String, Vec<String>>,
    /// Where it runs, relative to the app's directory, or below `/app` for a bundle.
    pub(super) directory: Option<String>,
    pub(super) framework: Option<String>,
    /// The directory that the build writes, where only that is shipped.
    pub(super) output: Option<String>,
    /// Files beside it that it reads.
    pub(super) extra: Vec<String>,
    /// What is copied, where the build leaves something complete.
    pub(super) bundle: Option<Vec<Copy>>,
    pub(super) build_env: BTreeMap<String, String>,
    /// Commands after the build and before the copies.
    pub(super) after: Vec<String>,
    pub(super) writable: Vec<String>,
    pub(super) listens: bool,
    pub(super) port: Option<Fact<u16>>,
    pub(super) reads_port: bool,
    pub(super) health: Option<Fact<String>>,
    pub(super) loopback: Vec<(String, u64)>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) confidence: u8,
    pub(super) reason: String,
}

/// What a package starts.
pub(super) enum Found {
    Server(Box<Server>),
    /// A directory of files that its script would serve.
    Files(String),
    /// Nothing: the reason.
    Nothing(String),
}

impl Found {
    fn server(server: Server) -> Self {
        Self::Server(Box::new(server))
    }
}

/// Scripts that start an app in production, best first.
const SCRIPTS: &[&str] = &[
    "start:prod",
    "start:production",
    "serve:prod",
    "production",
    "start",
];

/// Finds the program of a package: the one that users name, else its own.
pub(super) fn server(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Found, Problem> {
    match scan.entry(&project.package.dir) {
        Some(entry) => named(scan, project, &entry),
        None => own(scan, project),
    }
}

/// The script or file that users name.
fn named(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    entry: &Fact<String>,
) -> Result<Found, Problem> {
    let Fact { value, file, line } = entry;
    let resolved = match script::resolve(project, value) {
        Some(resolved) => resolved,
        None => script::resolve_line(project, &format!("node {}", quoted(value))),
    };
    let evidence = Evidence::new("start", value, "override").at(file, Some(*line));
    found(scan, project, resolved, evidence)
}

/// The program that the package names itself.
pub(super) fn own(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Found, Problem> {
    let package = project.package;
    let mut losing = Vec::new();
    let mut lines = procfile(scan, &package.dir);
    let main = ["web", "worker"]
        .iter()
        .find_map(|name| lines.iter().position(|line| line.name == *name));
    if let Some(main) = main {
        let main = lines.remove(main);
        let resolved = script::resolve_line(project, &main.text);
        let evidence =
            Evidence::new("start", &main.text, "node.procfile").at(&main.file, Some(main.line));
        let mut found = found(scan, project, resolved, evidence)?;
        if let Found::Server(server) = &mut found {
            server.processes = processes(scan, project, lines);
        }
        return Ok(found);
    }
    for name in SCRIPTS {
        let Some(resolved) = script::resolve(project, name) else {
            continue;
        };
        let line = package.script_line(name);
        let text = package.script(name).unwrap_or_default();
        if let Resolved::Development(command) = &resolved {
            losing.push(Candidate {
                value: text.to_owned(),
                file: Some(package.document.file.clone()),
                line,
                reason: format!("`{command}` is a development server"),
            });
            continue;
        }
        let rule = format!("node.script.{name}");
        let mut evidence = Evidence::new("start", text, &rule).at(&package.document.file, line);
        evidence.losing = losing;
        hooks(project, name)?;
        return found(scan, project, resolved, evidence);
    }
    by_file(scan, project, losing)
}

/// Refuses a start whose hooks do more than build: nothing would run them in the image.
fn hooks(project: &Project<'_>, name: &str) -> Result<(), Problem> {
    let document = &project.package.document;
    for hook in [format!("pre{name}"), format!("post{name}")] {
        let Some(text) = project.package.script(&hook) else {
            continue;
        };
        if !script::only_builds(text) {
            let message =
                format!("`{hook}` runs `{text}` around the start, which nothing does in an image");
            return Err(
                Problem::new(&document.file, project.package.script_line(&hook), message)
                    .help("move it into the app, or into a process of its own"),
            );
        }
    }
    Ok(())
}

/// One process of a Procfile.
struct Line {
    name: String,
    text: String,
    file: String,
    line: u64,
}

fn procfile(scan: &mut Scan<'_>, dir: &str) -> Vec<Line> {
    let hints = scan.hints(dir);
    let lines = hints.processes.iter();
    lines
        .map(|(name, process)| Line {
            name: name.clone(),
            text: process.value.clone(),
            file: process.file.clone(),
            line: process.line,
        })
        .collect()
}

/// The further processes of a Procfile; one that needs more than its arguments is told and left out.
fn processes(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    lines: Vec<Line>,
) -> BTreeMap<String, Vec<String>> {
    let mut processes = BTreeMap::new();
    for line in lines {
        match script::resolve_line(project, &line.text) {
            Resolved::Node(program) if program.env.is_empty() && program.directory.is_none() => {
                let command = std::iter::once("node".to_owned()).chain(program.arguments);
                processes.insert(line.name, command.collect());
            }
            _ => {
                let message = format!(
                    "the process `{}` cannot become a command: `{}`",
                    line.name, line.text
                );
                scan.warn(&line.file, Some(line.line), message);
            }
        }
    }
    processes
}

fn found(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    resolved: Resolved,
    evidence: Evidence,
) -> Result<Found, Problem> {
    let problem = |message: String| {
        Problem::new(
            evidence.file.as_deref().unwrap_or_default(),
            evidence.line,
            message,
        )
    };
    match resolved {
        Resolved::Node(program) => {
            let server = node(scan, project, program, &evidence)?;
            Ok(Found::server(complete(scan, project, server, evidence)))
        }
        Resolved::Bin {
            package,
            path,
            program,
        } => {
            if !project.package.dependencies.contains(package) {
                let message = format!("starts `{package}`, which is no production dependency");
                return Err(problem(message).help(format!("move `{package}` to `dependencies`")));
            }
            let mut arguments = vec![join(&module(scan, project, package), path)];
            arguments.extend(program.arguments);
            let server = Server {
                arguments,
                env: program.env,
                directory: program.directory,
                framework: None,
                output: built(project).filter(|_| project.has_build()),
                confidence: 85,
                reason: "the start script".to_owned(),
                ..Server::default()
            };
            Ok(Found::server(complete(scan, project, server, evidence)))
        }
        Resolved::Files(dir) => Ok(Found::Files(dir)),
        Resolved::Development(text) => {
            Ok(Found::Nothing(format!("`{text}` is a development server")))
        }
        Resolved::Delegates(text) => Ok(Found::Nothing(format!(
            "its start script starts other packages: `{text}`"
        ))),
        Resolved::Refused(reason) => Err(problem(format!(
            "the start script cannot become a command: {reason}"
        ))
        .help("add a script `start:prod` that is one command, or name a file in peelbox.yaml: `entry: server.js`")),
    }
}

/// The directory that the start of a built package usually needs: the first part of its `main`.
fn built(project: &Project<'_>) -> Option<String> {
    let main = project.package.document.str(&["main"])?;
    let main = main.trim_start_matches("./");
    main.split_once('/')
        .map(|(dir, _)| dir.to_owned())
        .filter(|dir| matches!(dir.as_str(), "dist" | "build" | "out" | "lib"))
}

fn node(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    program: Program,
    evidence: &Evidence,
) -> Result<Server, Problem> {
    let Some(at) = entry_position(&program.arguments) else {
        let message = "the start script runs `node` without a file".to_owned();
        return Err(Problem::new(
            evidence.file.as_deref().unwrap_or_default(),
            evidence.line,
            message,
        ));
    };
    let entry = program.arguments[at].clone();
    let base = resolve(
        &project.package.dir,
        program.directory.as_deref().unwrap_or(""),
    );
    let Some(full) = base.and_then(|base| resolve(&base, &entry)) else {
        let message =
            format!("the start script runs `{entry}`, which is outside of the repository");
        return Err(Problem::new(
            evidence.file.as_deref().unwrap_or_default(),
            evidence.line,
            message,
        ));
    };
    let located = locate(scan, project, &full);
    let mut server = Server {
        arguments: program.arguments,
        env: program.env,
        directory: program.directory,
        confidence: located.confidence,
        reason: "the start script".to_owned(),
        ..Server::default()
    };
    match located.place {
        Place::Missing => {
            let message =
                format!("the start script runs `{entry}`, which neither exists nor is built");
            return Err(Problem::new(
                evidence.file.as_deref().unwrap_or_default(),
                evidence.line,
                message,
            )
            .help("add a `build` script that writes it, or correct the path"));
        }
        Place::Exists(file) => server.extra.push(file),
        Place::Built { output, source } => {
            server.output = Some(output);
            server.extra.extend(source);
        }
    }
    Ok(server)
}

/// Where the first argument stands that is neither an option nor the value of one.
fn entry_position(arguments: &[String]) -> Option<usize> {
    const WITH_VALUE: &[&str] = &[
        "--env-file",
        "--experimental-loader",
        "--import",
        "--loader",
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

enum Place {
    /// A file of the repository.
    Exists(String),
    /// The build writes it to this directory of the app; its source, where that is known.
    Built {
        output: String,
        source: Option<String>,
    },
    Missing,
}

struct Located {
    place: Place,
    confidence: u8,
}

/// Finds a program's file, or what it is compiled from.
fn locate(scan: &mut Scan<'_>, project: &Project<'_>, full: &str) -> Located {
    let endings = [
        "",
        ".js",
        ".mjs",
        ".cjs",
        "/index.js",
        "/index.mjs",
        "/server.js",
    ];
    let existing = endings
        .iter()
        .map(|ending| format!("{full}{ending}"))
        .find(|file| scan.repo.has(file));
    if let Some(file) = existing {
        return Located {
            place: Place::Exists(file),
            confidence: 95,
        };
    }
    let dir = &project.package.dir;
    let below = full
        .strip_prefix(dir.as_str())
        .unwrap_or(full)
        .trim_start_matches('/')
        .to_owned();
    if !project.has_build() || !is_within(full, dir) {
        return Located {
            place: Place::Missing,
            confidence: 0,
        };
    }
    if let Some((output, source)) = compiled(scan, project, &below) {
        return Located {
            place: Place::Built {
                output,
                source: Some(source),
            },
            confidence: 95,
        };
    }
    match below.split_once('/') {
        Some((first, _)) => {
            let source = likely_source(scan, dir, &below);
            Located {
                place: Place::Built {
                    output: first.to_owned(),
                    source,
                },
                confidence: 75,
            }
        }
        None => Located {
            place: Place::Built {
                output: below,
                source: None,
            },
            confidence: 70,
        },
    }
}

/// What a bundler's output is probably made from.
fn likely_source(scan: &Scan<'_>, dir: &str, below: &str) -> Option<String> {
    let stem = split(below)
        .1
        .split('.')
        .next()
        .unwrap_or_default()
        .to_owned();
    ["ts", "mts", "js", "mjs", "tsx"]
        .iter()
        .flat_map(|ending| [format!("src/{stem}.{ending}"), format!("{stem}.{ending}")])
        .map(|file| join(dir, &file))
        .find(|file| scan.repo.has(file))
}

/// The output directory and the source of a file that `tsc` writes.
fn compiled(scan: &mut Scan<'_>, project: &Project<'_>, below: &str) -> Option<(String, String)> {
    let build = project
        .package
        .script(project.build_script())
        .unwrap_or_default()
        .to_owned();
    let named = build
        .split_whitespace()
        .skip_while(|word| !matches!(*word, "-p" | "--project" | "-b" | "--build"))
        .nth(1);
    let config = named
        .filter(|name| name.ends_with(".json"))
        .unwrap_or("tsconfig.json");
    let dir = project.package.dir.clone();
    let options = tsconfig(scan, &join(&dir, config), 0)?;
    let output = options
        .out
        .as_ref()
        .map_or_else(|| dir.clone(), Clone::clone);
    let full = join(&dir, below);
    let rest = full.strip_prefix(output.as_str())?.trim_start_matches('/');
    let stem = ["", ".js", ".mjs", ".cjs"]
        .iter()
        .rev()
        .find_map(|ending| rest.strip_suffix(ending))
        .unwrap_or(rest);
    let roots = match &options.root {
        Some(root) => vec![root.clone()],
        None => vec![join(&dir, "src"), dir.clone()],
    };
    let source = roots.iter().find_map(|root| {
        ["ts", "mts", "cts", "tsx", "js"]
            .iter()
            .flat_map(|ending| [format!("{stem}.{ending}"), format!("{stem}/index.{ending}")])
            .map(|name| join(root, &name))
            .find(|file| scan.repo.has(file))
    })?;
    let output = relative(&dir, &output);
    let first = output.split('/').next().unwrap_or_default().to_owned();
    (first != "." && first != "..").then_some((first, source))
}

#[derive(Clone, Debug, Default)]
struct Options {
    /// Relative to the repository's root, as are all paths here.
    out: Option<String>,
    root: Option<String>,
}

fn tsconfig(scan: &mut Scan<'_>, file: &str, depth: u8) -> Option<Options> {
    let document = scan.document(file, Syntax::Json)?;
    let dir = split(file).0;
    let mut options = Options::default();
    let mut parents: Vec<String> = document
        .strings(&["extends"])
        .iter()
        .map(|text| (*text).to_owned())
        .collect();
    parents.extend(document.str(&["extends"]).map(str::to_owned));
    for parent in parents
        .iter()
        .filter(|parent| parent.starts_with('.') && depth < 8)
    {
        let Some(path) = resolve(dir, parent) else {
            continue;
        };
        let path = if scan.repo.has(&path) {
            path
        } else {
            format!("{path}.json")
        };
        if let Some(inherited) = tsconfig(scan, &path, depth + 1) {
            options = inherited;
        }
    }
    own_options(&document, dir, &mut options);
    Some(options)
}

fn own_options(document: &Document, dir: &str, options: &mut Options) {
    let path = |key: &str| {
        document
            .str(&["compilerOptions", key])
            .and_then(|path| resolve(dir, &path.replace("${configDir}", ".")))
    };
    if let Some(out) = path("outDir") {
        options.out = Some(out);
    }
    if let Some(root) = path("rootDir") {
        options.root = Some(root);
    }
}

/// The path of an installed package, relative to the app's directory.
pub(super) fn module(scan: &Scan<'_>, project: &Project<'_>, name: &str) -> String {
    let manager = &project.manager;
    let own = format!("node_modules/{name}");
    if !project.is_member() || manager.tool == Tool::Pnpm {
        return own;
    }
    let below = relative(&manager.root, &project.package.dir);
    let is_nested = manager.tool == Tool::Npm
        && manager
            .lock
            .as_deref()
            .and_then(|lock| scan.repo.lock(lock))
            .is_some_and(|text| text.contains(&format!("\"{below}/{own}\"")));
    if is_nested {
        own
    } else {
        join(&relative(&project.package.dir, &manager.root), &own)
    }
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
    let main = package
        .document
        .str(&["main"])
        .map(|main| main.trim_start_matches("./").to_owned());
    let mut names: Vec<String> = main.into_iter().collect();
    for stem in FILES {
        names.extend(["js", "mjs", "cjs"].map(|ending| format!("{stem}.{ending}")));
    }
    for name in &names {
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
        let mut evidence = Evidence::new("start", format!("node {name}"), "node.listening-file");
        evidence = evidence
            .at(&source, Some(parsed.line(at)))
            .note(format!("`{call}` listens"));
        evidence.losing = losing;
        let server = Server {
            arguments: vec![name.clone()],
            output,
            extra: vec![source],
            confidence: 75,
            reason: "a file that listens beside the manifest".to_owned(),
            ..Server::default()
        };
        return Ok(Found::server(complete(scan, project, server, evidence)));
    }
    Ok(Found::Nothing(reason))
}

/// The call by which a source listens.
fn listens(parsed: &source::Source) -> Option<(&'static str, usize)> {
    [
        ".listen(",
        "createServer(",
        "serve(",
        "Deno.serve(",
        "Bun.serve(",
    ]
    .into_iter()
    .find_map(|call| parsed.find(call).map(|at| (call.trim_end_matches('('), at)))
}

/// Frameworks of servers, by package.
const FRAMEWORKS: &[(&str, &str)] = &[
    ("@nestjs/core", "nestjs"),
    ("express", "express"),
    ("fastify", "fastify"),
    ("hono", "hono"),
    ("koa", "koa"),
    ("@hapi/hapi", "hapi"),
    ("@strapi/strapi", "strapi"),
];

/// Adds what the sources say: framework, port, health.
pub(super) fn complete(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    mut server: Server,
    evidence: Evidence,
) -> Server {
    let package = project.package;
    server.evidence.insert(0, evidence);
    if server.framework.is_none() {
        server.framework = FRAMEWORKS
            .iter()
            .find(|(name, _)| package.dependencies.contains(*name))
            .map(|(_, name)| (*name).to_owned());
    }
    let others: Vec<String> = project.packages.keys().cloned().collect();
    let endings = ["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx"];
    let mut files = source::own(scan.repo, &package.dir, &others, &endings, Family::Script);
    for dir in &project.shipped {
        files.extend(source::own(
            scan.repo,
            dir,
            &others,
            &endings,
            Family::Script,
        ));
    }
    // The entry says more than what it imports.
    files.sort_by_key(|file| !server.extra.contains(&file.path));
    if server.health.is_none() {
        server.health = source::health(&files);
    }
    if server.port.is_none() {
        server.port = port::find(&files);
    }
    server.reads_port |= port::is_read(&files);
    server.listens |= files.iter().any(|file| listens(&file.source).is_some());
    if package.dependencies.contains("fastify") && server.framework.as_deref() == Some("fastify") {
        server.loopback = fastify_loopback(&files);
    }
    if !server.listens {
        server.port = None;
        server.reads_port = false;
        server.health = None;
    }
    server
}

/// Fastify listens on the loopback address unless it is told otherwise.
fn fastify_loopback(files: &[File]) -> Vec<(String, u64)> {
    let says_host = files.iter().any(|file| {
        file.source
            .strings
            .iter()
            .any(|(_, text)| matches!(text.as_str(), "0.0.0.0" | "::"))
            || file.source.find("process.env.HOST").is_some()
            || file.source.find("env.HOST").is_some()
    });
    if says_host {
        return Vec::new();
    }
    files
        .iter()
        .filter_map(|file| {
            file.source
                .find(".listen(")
                .map(|at| (file.path.clone(), file.source.line(at)))
        })
        .take(1)
        .collect()
}
