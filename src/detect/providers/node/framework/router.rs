//! React Router as a framework, and Remix before it.

use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::join;

use super::super::Project;
use super::super::config::Value;
use super::super::locate::module;
use super::super::script::{self, Resolved};
use super::super::server::Server;
use super::{Output, config, decisive, listening, path, reachable};

pub(super) fn output(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
) -> Result<Option<Output>, Problem> {
    let package = project.package;
    let is_remix = !package.has("@react-router/dev");
    let framework = if is_remix { "remix" } else { "react-router" };
    let mut build = "build".to_owned();
    if let Some(config) = config(scan, project, "react-router.config") {
        let ssr = config.at(&["ssr"]);
        decisive(&config, "ssr", &ssr)?;
        if let Some(text) = config.at(&["buildDirectory"]).text() {
            build = path(text);
        }
        if ssr.is(false) {
            let dir = join(&build, "client");
            let output = Output::files(Some(framework), &dir, "node.react-router.spa");
            return Ok(Some(output.at(&config.file, ssr.line, "ssr")));
        }
    }
    if let Some((file, line)) = remix_spa(scan, project) {
        let output = Output::files(Some(framework), "build/client", "node.remix.spa");
        return Ok(Some(output.at(&file, line, "ssr")));
    }
    let (serve, bin) = if is_remix {
        ("@remix-run/serve", "dist/cli.js")
    } else {
        ("@react-router/serve", "bin.cjs")
    };
    if !package.dependencies.contains(serve) {
        // A server of its own: its start script names it.
        if package.script("start").is_some() {
            return Ok(None);
        }
        let message = format!(
            "nothing serves it: there is no start script, and `{serve}` is no production dependency"
        );
        return Err(Problem::new(&package.document.file, None, message)
            .help(format!("add `{serve}` to `dependencies`")));
    }
    // The compiler before Vite writes another file, which the start script names.
    let named = script::resolve(project, "start").map(|followed| followed.resolved);
    let entry = match named {
        Some(Resolved::Bin { program, .. }) => program
            .arguments
            .into_iter()
            .find(|word| !word.starts_with('-')),
        _ => None,
    };
    let entry = entry.unwrap_or_else(|| join(&build, "server/index.js"));
    let server = Server {
        arguments: vec![join(&module(scan, project, serve), bin), path(&entry)],
        output: Some(build),
        env: reachable("HOST", 3000),
        ..Server::default()
    };
    Ok(Some(listening(
        scan,
        project,
        framework,
        3000,
        server,
        "node.router.serve",
    )))
}

/// Where the plugin of Remix is told not to render on a server.
fn remix_spa(scan: &Scan<'_>, project: &Project<'_>) -> Option<(String, Option<u64>)> {
    if project.package.has("@react-router/dev") {
        return None;
    }
    let config = config(scan, project, "vite.config")?;
    let Value::Array(plugins) = config.at(&["plugins"]).value else {
        return None;
    };
    plugins.iter().find_map(|plugin| {
        let Value::Call(name, arguments) = plugin else {
            return None;
        };
        let Some(Value::Object(options)) = arguments.first() else {
            return None;
        };
        let is_off =
            |(key, value, _): &&(String, Value, u64)| key == "ssr" && *value == Value::Bool(false);
        let (_, _, line) = options.iter().find(is_off)?;
        name.starts_with("@remix-run/")
            .then(|| (config.file.clone(), Some(*line)))
    })
}
