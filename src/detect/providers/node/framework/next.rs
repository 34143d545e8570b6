//! Next.js.

use std::collections::BTreeMap;

use crate::detect::provider::{Problem, Scan, quoted};
use crate::detect::repo::{join, relative};
use crate::spec::Copy;

use super::super::Project;
use super::super::locate::{Place, locate, module};
use super::super::script::{self, Resolved};
use super::super::server::Server;
use super::{Output, config, decisive, has_dir, listening, path, reachable};

pub(super) fn output(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
) -> Result<Option<Output>, Problem> {
    // Without pages `next` is a tool, or it belongs to another member.
    let pages = ["app", "pages", "src/app", "src/pages"];
    if !pages.iter().any(|name| has_dir(scan, project, name)) {
        return Ok(None);
    }
    let config = config(scan, project, "next.config");
    let mut dist = ".next".to_owned();
    let mut found = None;
    if let Some(config) = &config {
        let output = config.at(&["output"]);
        decisive(config, "output", &output)?;
        let dir = config.at(&["distDir"]);
        decisive(config, "distDir", &dir)?;
        if let Some(text) = dir.text() {
            dist = path(text);
        }
        found = output
            .text()
            .map(|text| (text.to_owned(), config.file.clone(), output.line));
    }
    let telemetry = BTreeMap::from([("NEXT_TELEMETRY_DISABLED".to_owned(), "1".to_owned())]);
    let server = Server {
        env: reachable("HOSTNAME", 3000),
        build_env: telemetry.clone(),
        writable: vec![format!("{dist}/cache")],
        ..Server::default()
    };
    let cache = format!("{dist}/cache");
    let output = match found {
        None if exports(project.build_text()) => {
            let mut output = Output::files(Some("nextjs"), "out", "node.next.export-script");
            output.build_env = telemetry;
            output.by_script(project)
        }
        Some((text, file, line)) if text == "export" => {
            let dir = if dist == ".next" { "out" } else { &dist };
            let mut output = Output::files(Some("nextjs"), dir, "node.next.export");
            output.build_env = telemetry;
            if dist == ".next" {
                output.cache.push(cache);
            }
            output.at(&file, line, "output")
        }
        Some((text, file, line)) if text == "standalone" => {
            let mut server = standalone(scan, project, &dist, server);
            server.cache.push(cache);
            let output = listening(
                scan,
                project,
                "nextjs",
                3000,
                server,
                "node.next.standalone",
            );
            output.at(&file, line, "output")
        }
        _ => started(scan, project, &dist, server)?,
    };
    Ok(Some(output))
}

/// Whether a script exports files, as versions before 13.3 do without a setting.
fn exports(script: &str) -> bool {
    let words: Vec<&str> = script.split_whitespace().collect();
    words.windows(2).any(|pair| pair == ["next", "export"])
}

/// The server that a standalone build brings along, at its place in the workspace.
fn standalone(scan: &Scan<'_>, project: &Project<'_>, dist: &str, server: Server) -> Server {
    let place = relative(&project.manager.root, &project.package.dir);
    let place = if place == "." { String::new() } else { place };
    let copy = |from: &str, to: String| Copy {
        from: from.to_owned(),
        to,
    };
    let to = |name: &str| join("/app", &join(&place, name));
    let files = format!("{dist}/static");
    let mut copies = vec![
        copy(&format!("{dist}/standalone"), "/app".to_owned()),
        copy(&files, to(&files)),
    ];
    if has_dir(scan, project, "public") {
        copies.push(copy("public", to("public")));
    }
    Server {
        arguments: vec!["server.js".to_owned()],
        directory: Some(place),
        bundle: Some(copies),
        ..server
    }
}

fn started(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    dist: &str,
    server: Server,
) -> Result<Output, Problem> {
    let package = project.package;
    if !package.dependencies.contains("next") {
        let message = "`next` is a development dependency, but it is what serves the app";
        let line = package.dependency_line("next");
        return Err(Problem::new(&package.document.file, line, message)
            .help("move `next` to `dependencies`, or set `output: 'standalone'`"));
    }
    // The cache of the bundler is of no use at run time, and differs from build to build.
    let after = vec![format!("rm -rf {}", quoted(&format!("{dist}/cache")))];
    let custom = script::resolve(project, "start").map(|followed| followed.resolved);
    if let Some(Resolved::File(program)) = custom
        && let [file] = program.arguments.as_slice()
        && let Place::Exists(full) = locate(scan, project, &join(&package.dir, file)).place
    {
        let server = Server {
            arguments: vec![file.clone()],
            also: vec![dist.to_owned()],
            extra: vec![full],
            after,
            ..server
        };
        let output = listening(
            scan,
            project,
            "nextjs",
            3000,
            server,
            "node.next.custom-server",
        );
        let line = package.script_line("start");
        return Ok(output.at(&package.document.file, line, file));
    }
    let bin = join(&module(scan, project, "next"), "dist/bin/next");
    let server = Server {
        arguments: vec![bin, "start".to_owned()],
        output: Some(dist.to_owned()),
        extra: ["cjs", "js", "mjs", "ts"]
            .map(|ending| format!("next.config.{ending}"))
            .to_vec(),
        after,
        ..server
    };
    Ok(listening(
        scan,
        project,
        "nextjs",
        3000,
        server,
        "node.next.start",
    ))
}
