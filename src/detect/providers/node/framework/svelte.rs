//! SvelteKit.

use std::collections::BTreeMap;

use crate::detect::provider::{Problem, Scan};

use super::super::Project;
use super::super::server::Server;
use super::{Output, config, decisive, listening, path, reachable};

const NODE: &str = "@sveltejs/adapter-node";
const STATIC: &str = "@sveltejs/adapter-static";
const AUTO: &str = "@sveltejs/adapter-auto";

/// The adapter in use, its place, and the directory that it is told to write.
struct Adapter {
    name: String,
    file: String,
    line: Option<u64>,
    dir: String,
}

pub(super) fn output(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Output, Problem> {
    let adapter = adapter(scan, project)?;
    let written = adapter.name.clone();
    match adapter.name.as_str() {
        STATIC => {
            let output = Output::files(Some("sveltekit"), &adapter.dir, "node.sveltekit.static");
            Ok(output.at(&adapter.file, adapter.line, &written))
        }
        NODE | AUTO => {
            let mut build_env = BTreeMap::new();
            if adapter.name == AUTO {
                // By this variable the adapter knows a platform for which it takes the one for node.
                build_env.insert("GCP_BUILDPACKS".to_owned(), "true".to_owned());
                if !project.package.has(NODE) {
                    let message = format!(
                        "`{AUTO}` fetches `{NODE}` in the build, in whatever version is newest: add it to `devDependencies`"
                    );
                    scan.warn(&adapter.file, adapter.line, message);
                }
            }
            let server = Server {
                arguments: vec![format!("{}/index.js", adapter.dir)],
                output: Some(adapter.dir),
                env: reachable("HOST", 3000),
                build_env,
                ..Server::default()
            };
            let rule = if adapter.name == AUTO {
                "node.sveltekit.auto"
            } else {
                "node.sveltekit.node"
            };
            let output = listening(scan, project, "sveltekit", 3000, server, rule);
            Ok(output.at(&adapter.file, adapter.line, &written))
        }
        other => {
            let message = format!("the SvelteKit adapter `{other}` builds for another platform");
            Err(Problem::new(&adapter.file, adapter.line, message)
                .help(format!("use `{NODE}` or `{STATIC}`")))
        }
    }
}

fn adapter(scan: &Scan<'_>, project: &Project<'_>) -> Result<Adapter, Problem> {
    if let Some(config) = config(scan, project, "svelte.config") {
        let setting = config.at(&["kit", "adapter"]);
        if setting.called().is_none() {
            decisive(&config, "kit.adapter", &setting)?;
        }
        if let Some(name) = setting.called() {
            let key = if name == STATIC { "pages" } else { "out" };
            let dir = setting
                .option(key)
                .map_or("build".to_owned(), |dir| path(&dir));
            // The module stands on the line of its import.
            let line = config.string(name);
            return Ok(Adapter {
                name: name.to_owned(),
                file: config.file,
                line,
                dir,
            });
        }
    }
    let package = project.package;
    let found = [STATIC, NODE, AUTO]
        .into_iter()
        .find(|name| package.has(name));
    let Some(name) = found else {
        let message = "the SvelteKit adapter decides what is built, and none is there";
        let line = package.dependency_line("@sveltejs/kit");
        return Err(Problem::new(&package.document.file, line, message)
            .help(format!("add `{NODE}` to the configuration")));
    };
    Ok(Adapter {
        name: name.to_owned(),
        file: package.document.file.clone(),
        line: package.dependency_line(name),
        dir: "build".to_owned(),
    })
}
