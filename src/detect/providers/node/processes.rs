//! The processes beside the one that is started: those of a Procfile, and what is run once per release.

use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::{is_within, join, relative, resolve};

use super::Project;
use super::entry::{self, Found, entry_position, problem};
use super::framework::{Content, Output};
use super::locate::{Place, locate, module};
use super::script::{self, Followed, Resolved};
use super::server::Server;

/// Adds the processes of the Procfile but for `main`, which is started.
pub(super) fn further(scan: &mut Scan<'_>, project: &Project<'_>, main: &str, server: &mut Server) {
    let hints = scan.hints(&project.package.dir);
    for (name, line) in hints.processes.iter().filter(|(name, _)| *name != main) {
        let resolved = script::resolve_line(project, &line.value).resolved;
        let command = process(scan, project, &resolved);
        let command = command.filter(|_| keep(scan, project, server, &resolved));
        let Some(command) = command else {
            let message = format!(
                "the process `{name}` cannot become a command: `{}`",
                line.value
            );
            scan.warn(&line.file, Some(line.line), message);
            continue;
        };
        let found = Evidence::new("process", command.join(" "), "hint.procfile");
        let found = found.written(&line.value).at(&line.file, Some(line.line));
        server.evidence.push(found);
        server.processes.insert(name.clone(), command);
    }
}

/// What a Procfile changes of the app of a framework: it has processes of its own, and its `web` may be a server of its own.
pub(super) fn of_framework(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    outputs: &mut [Output],
) -> Result<(), Problem> {
    let [output] = outputs else { return Ok(()) };
    let Content::Server(server) = &mut output.content else {
        return Ok(());
    };
    let hints = scan.hints(&project.package.dir);
    if let Some(line) = hints.processes.get("web") {
        let followed = script::resolve_line(project, &line.value);
        if let Resolved::Refused(reason) = &followed.resolved {
            let message = format!(
                "the process `web` cannot become a command, and the server of the framework is started: {reason}"
            );
            scan.warn(&line.file, Some(line.line), message);
        } else if let Some(Place::Exists(_)) = place_of(scan, project, &followed.resolved) {
            let evidence = Evidence::new("start", &line.value, "node.procfile")
                .at(&line.file, Some(line.line));
            own_server(scan, project, followed, evidence, server)?;
        }
    }
    further(scan, project, "web", server);
    Ok(())
}

/// Whether the image has what a build writes to `output`; a single file that nothing is known of is none of that.
fn built(server: &mut Server, output: String) -> bool {
    if server.output.as_ref() == Some(&output) || server.also.contains(&output) {
        return true;
    }
    let is_known = server.bundle.is_none() && !output.contains('.');
    if is_known {
        server.also.push(output);
    }
    is_known
}

/// Starts the app's own server in the place of the framework's.
fn own_server(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    followed: Followed,
    evidence: Evidence,
    server: &mut Server,
) -> Result<(), Problem> {
    if server.bundle.is_some() {
        let file = evidence.file.clone().unwrap_or_default();
        let message = "names a server of its own, and the build leaves one with all that it needs, which is started";
        scan.warn(&file, evidence.line, message);
        return Ok(());
    }
    let Found::Server(own) = entry::found(scan, project, followed, evidence)? else {
        return Ok(());
    };
    let usual = std::mem::replace(server, *own);
    server.also.extend(usual.output);
    server.also.extend(usual.also);
    for (name, value) in usual.env {
        server.env.entry(name).or_insert(value);
    }
    match &server.port {
        // It reads what the framework's would have read.
        Some(port) => {
            let port = port.value.to_string();
            server.env.insert("PORT".to_owned(), port);
        }
        None => server.port = usual.port,
    }
    server.is_web = true;
    server.framework = usual.framework;
    server.build_env = usual.build_env;
    server.cache = usual.cache;
    server.after = usual.after;
    server.writable = usual.writable;
    Ok(())
}

/// Where the file of a program is.
fn place_of(scan: &mut Scan<'_>, project: &Project<'_>, resolved: &Resolved) -> Option<Place> {
    let Resolved::File(program) = resolved else {
        return None;
    };
    let entry = &program.arguments[entry_position(&program.arguments)?];
    let directory = program.directory.as_deref().unwrap_or_default();
    let base = resolve(&project.package.dir, directory)?;
    Some(locate(scan, project, &resolve(&base, entry)?).place)
}

/// Whether a process has its files in the image, which has all sources where the build alone would not do.
fn keep(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    server: &mut Server,
    resolved: &Resolved,
) -> bool {
    let file = match place_of(scan, project, resolved) {
        Some(Place::Exists(file)) => file,
        Some(Place::Missing) => return false,
        Some(Place::Built { output, .. }) => return built(server, output),
        None => return true,
    };
    if server.bundle.is_some() {
        return false;
    }
    let place = relative(&project.package.dir, &file);
    if let Some(output) = server.output.take_if(|output| !is_within(&place, output)) {
        server.also.push(output);
    }
    true
}

/// The command of a further process, where it is nothing but arguments.
fn process(scan: &Scan<'_>, project: &Project<'_>, resolved: &Resolved) -> Option<Vec<String>> {
    let (path, program) = match resolved {
        Resolved::File(program) => (None, program),
        Resolved::Bin {
            package,
            path,
            program,
        } => {
            let is_shipped = project.package.dependencies.contains(*package);
            let module = is_shipped.then(|| module(scan, project, package))?;
            (Some(join(&module, path)), program)
        }
        _ => return None,
    };
    if !program.env.is_empty() || program.directory.is_some() {
        return None;
    }
    let runtime = program.runtime.program();
    let words = std::iter::once(runtime.to_owned()).chain(path);
    Some(words.chain(program.arguments.iter().cloned()).collect())
}

/// Keeps what changes a database before the start apart from it, as a process that is run once per release.
pub(super) fn released(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    server: &mut Server,
    release: &[(String, Resolved)],
    evidence: &Evidence,
) -> Result<(), Problem> {
    for (number, (text, resolved)) in release.iter().enumerate() {
        let Some(command) = process(scan, project, resolved) else {
            let message = format!(
                "`{text}` runs before the start, and its program is not among the production dependencies"
            );
            return Err(problem(evidence, message)
                .help("move its package to `dependencies`: it becomes the process `release`"));
        };
        let name = match number {
            0 => "release".to_owned(),
            more => format!("release-{}", more + 1),
        };
        let message = format!(
            "runs `{text}` before the start: it is the process `{name}` instead, to be run once per release"
        );
        scan.warn(
            evidence.file.as_deref().unwrap_or_default(),
            evidence.line,
            message,
        );
        let found = Evidence::new("process", command.join(" "), "node.runs-before-start");
        let found = Evidence {
            file: evidence.file.clone(),
            line: evidence.line,
            ..found.written(text)
        };
        server.evidence.push(found);
        keep(scan, project, server, resolved);
        server.processes.insert(name, command);
    }
    Ok(())
}
