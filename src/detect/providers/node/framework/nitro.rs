//! Frameworks that Nitro serves: Nuxt, TanStack Start.

use std::collections::BTreeMap;

use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::join;
use crate::spec::Copy;

use super::super::Project;
use super::super::locate::module;
use super::super::server::Server;
use super::{Output, config, decisive, listening, reachable};

/// Presets with which Nitro writes a server for node.
const SERVERS: &[&str] = &["node", "node-server", "node_server"];

fn server() -> Server {
    Server {
        arguments: vec!["server/index.mjs".to_owned()],
        bundle: Some(vec![Copy {
            from: ".output".to_owned(),
            to: "/app".to_owned(),
        }]),
        env: reachable("HOST", 3000),
        ..Server::default()
    }
}

pub(super) fn nuxt(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Output, Problem> {
    let telemetry = BTreeMap::from([("NUXT_TELEMETRY_DISABLED".to_owned(), "1".to_owned())]);
    let generates = project
        .build_text()
        .split_whitespace()
        .any(|word| word == "generate" || word == "--prerender");
    if generates {
        let mut output = Output::files(Some("nuxt"), ".output/public", "node.nuxt.generate");
        output.build_env = telemetry;
        return Ok(output.by_script(project));
    }
    if let Some(config) = config(scan, project, "nuxt.config") {
        let preset = config.at(&["nitro", "preset"]);
        decisive(&config, "nitro.preset", &preset)?;
        match preset.text() {
            Some(name) if name == "static" || name == "github-pages" => {
                let mut output = Output::files(Some("nuxt"), ".output/public", "node.nuxt.static");
                output.build_env = telemetry;
                return Ok(output.at(&config.file, preset.line, "preset"));
            }
            Some(name) if !SERVERS.contains(&name) => {
                let message = format!("the Nitro preset `{name}` builds for another platform");
                return Err(Problem::new(&config.file, preset.line, message)
                    .help("remove it, or set `node-server`"));
            }
            _ => {}
        }
    }
    let server = Server {
        build_env: telemetry,
        ..server()
    };
    Ok(listening(
        scan,
        project,
        "nuxt",
        3000,
        server,
        "node.nuxt.server",
    ))
}

pub(super) fn tanstack(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
) -> Result<Option<Output>, Problem> {
    let package = project.package;
    let has_nitro = [
        "nitro",
        "nitropack",
        "vinxi",
        "@tanstack/nitro-v2-vite-plugin",
    ]
    .iter()
    .any(|name| package.has(name));
    if has_nitro {
        let output = listening(
            scan,
            project,
            "tanstack-start",
            3000,
            server(),
            "node.nitro.server",
        );
        return Ok(Some(output));
    }
    if package.script("start").is_some() || package.script("start:prod").is_some() {
        return Ok(None);
    }
    if !package.dependencies.contains("srvx") {
        let line = package.dependency_line("@tanstack/react-start");
        let message = "TanStack Start leaves a handler, and nothing is there that serves it";
        return Err(Problem::new(&package.document.file, line, message)
            .help("add `nitro` to the plugins of Vite, or `srvx` to `dependencies`"));
    }
    let bin = join(&module(scan, project, "srvx"), "bin/srvx.mjs");
    let arguments = [&bin, "--prod", "-s", "../client", "dist/server/server.js"];
    let server = Server {
        arguments: arguments.map(str::to_owned).to_vec(),
        output: Some("dist".to_owned()),
        env: reachable("HOST", 3000),
        ..Server::default()
    };
    let output = listening(
        scan,
        project,
        "tanstack-start",
        3000,
        server,
        "node.tanstack.srvx",
    );
    Ok(Some(output))
}
