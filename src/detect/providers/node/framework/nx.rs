//! Projects of Nx, whose `project.json` says what builds them.

use serde_json::Value;

use crate::detect::document::Document;
use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::{join, resolve};
use crate::spec::Copy;

use super::super::Project;
use super::super::locate::module;
use super::super::orchestrator;
use super::super::server::{Server, complete};
use super::{Output, listening, reachable};

/// What an executor leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Files,
    /// Files in a directory of the output.
    Browser,
    Next,
    Server,
}

fn leaves(executor: &str, options: Option<&Value>) -> Option<Leaves> {
    let text = |key: &str| options.and_then(|options| options.get(key)?.as_str());
    let (package, name) = executor.split_once(':')?;
    let leaves = match (package, name) {
        ("@nx/next", _) => Leaves::Next,
        ("@nx/webpack" | "@nx/rspack", _) if text("target") == Some("node") => Leaves::Server,
        ("@nx/esbuild" | "@nx/node" | "@nx/js", _) => Leaves::Server,
        ("@angular-devkit/build-angular" | "@angular/build" | "@nx/angular", "application") => {
            Leaves::Browser
        }
        (
            "@angular-devkit/build-angular"
            | "@nx/angular"
            | "@nx/expo"
            | "@nx/rspack"
            | "@nx/vite"
            | "@nx/web"
            | "@nx/webpack",
            _,
        ) => Leaves::Files,
        _ => return None,
    };
    Some(leaves)
}

/// The directory that a target writes, relative to the repository's root.
fn output_path(project: &Project<'_>, options: Option<&Value>) -> String {
    let root = &project.manager.root;
    let place = project
        .package
        .dir
        .strip_prefix(root.as_str())
        .unwrap_or(&project.package.dir)
        .trim_start_matches('/');
    let text = options.and_then(|options| options.get("outputPath")?.as_str());
    let text = text.map_or_else(|| format!("dist/{place}"), str::to_owned);
    let name = project.package.name.as_deref().unwrap_or_default();
    let text = text
        .replace("{workspaceRoot}/", "")
        .replace("{projectRoot}", place)
        .replace("{projectName}", name);
    resolve(root, &text).unwrap_or(text)
}

/// The output of a project whose build target names an executor.
pub(super) fn output(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
) -> Result<Option<Output>, Problem> {
    let Some(nx) = project.package.nx.clone() else {
        return Ok(None);
    };
    let Some(target) = orchestrator::target(project.package) else {
        return Ok(None);
    };
    if nx.str(&["projectType"]) == Some("library") {
        return Ok(None);
    }
    let options = nx.get(&["targets", target, "options"]);
    let executor = nx.str(&["targets", target, "executor"]).unwrap_or_default();
    let Some(leaves) = leaves(executor, options) else {
        return Ok(None);
    };
    let path = output_path(project, options);
    let full = join("/src", &path);
    let line = nx.line(&["targets", target, "executor"]);
    let output = match leaves {
        Leaves::Files => Output::files(None, &full, "node.nx.files"),
        Leaves::Browser => Output::files(Some("angular"), &join(&full, "browser"), "node.nx.files"),
        Leaves::Server => server(scan, project, &nx, target, &path),
        Leaves::Next => {
            let bin = join(&module(scan, project, "next"), "dist/bin/next");
            let place = join("/app", &below(project, &path));
            let server = Server {
                arguments: vec![bin, "start".to_owned()],
                directory: Some(below(project, &project.package.dir)),
                bundle: Some(vec![
                    modules(project),
                    copy(&full, &join("/app", &below(project, &project.package.dir))),
                ]),
                needs_modules: true,
                env: reachable("HOSTNAME", 3000),
                writable: vec![format!("{place}/.next/cache")],
                ..Server::default()
            };
            listening(scan, project, "nextjs", 3000, server, "node.nx.next")
        }
    };
    let mut output = output.at(&nx.file, line, executor);
    if leaves == Leaves::Files && executor.contains("vite") {
        output.framework = Some("vite".to_owned());
    }
    Ok(Some(output))
}

fn below(project: &Project<'_>, path: &str) -> String {
    path.strip_prefix(project.manager.root.as_str())
        .unwrap_or(path)
        .trim_start_matches('/')
        .to_owned()
}

fn copy(from: &str, to: &str) -> Copy {
    Copy {
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

fn modules(project: &Project<'_>) -> Copy {
    let from = join("/src", &join(&project.manager.root, "node_modules"));
    copy(&from, "/app/node_modules")
}

fn server(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    nx: &Document,
    target: &str,
    path: &str,
) -> Output {
    let option = |key: &str| nx.get(&["targets", target, "options", key]);
    let main = option("main")
        .and_then(Value::as_str)
        .unwrap_or("src/main.ts");
    let executor = nx.str(&["targets", target, "executor"]).unwrap_or_default();
    let stem = crate::detect::repo::split(main).1;
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let named = option("outputFileName").and_then(Value::as_str);
    let file = match named {
        Some(name) => name.to_owned(),
        // The compiler keeps the directories of the sources.
        None if executor.starts_with("@nx/js") => format!("src/{stem}.js"),
        None => format!("{stem}.js"),
    };
    let place = below(project, path);
    let is_whole = option("thirdParty").and_then(Value::as_bool) == Some(true);
    let mut copies = vec![copy(&join("/src", path), &join("/app", &place))];
    if !is_whole {
        copies.push(modules(project));
    }
    copies.sort();
    let entry = resolve(&project.manager.root, main).unwrap_or_default();
    let server = Server {
        arguments: vec![join(&place, &file)],
        bundle: Some(copies),
        needs_modules: !is_whole,
        extra: vec![entry],
        confidence: 90,
        reason: "the build target".to_owned(),
        ..Server::default()
    };
    let start = format!("node {}", server.arguments.join(" "));
    let evidence = Evidence::new("start", start, "node.nx.main");
    Output::server(complete(scan, project, server, evidence))
}
