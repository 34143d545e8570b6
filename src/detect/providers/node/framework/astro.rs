//! Astro.

use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::join;
use crate::detect::source::{self, Family};

use super::super::Project;
use super::super::server::Server;
use super::{Output, config, decisive, listening, path, reachable};

pub(super) fn output(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
) -> Result<Option<Output>, Problem> {
    let Some(config) = config(scan, project, "astro.config") else {
        let output = Output::files(Some("astro"), "dist", "node.astro.static");
        return Ok(Some(output.by_script(project)));
    };
    let out = config.at(&["outDir"]);
    decisive(&config, "outDir", &out)?;
    let dist = out.text().map_or("dist".to_owned(), path);
    let adapter = config.at(&["adapter"]);
    if adapter.called().is_none() {
        decisive(&config, "adapter", &adapter)?;
    }
    let Some(name) = adapter.called() else {
        let output = Output::files(Some("astro"), &dist, "node.astro.static");
        return Ok(Some(output.by_script(project)));
    };
    let line = config.string(name);
    if name != "@astrojs/node" {
        let message = format!("the Astro adapter `{name}` builds for another platform");
        return Err(Problem::new(&config.file, line, message).help("use `@astrojs/node`"));
    }
    let mode = config.at(&["output"]);
    let is_server = matches!(mode.text(), Some("server" | "hybrid"));
    if !is_server && !has_dynamic_page(scan, project) {
        let output = Output::files(Some("astro"), &dist, "node.astro.prerendered");
        return Ok(Some(output.by_script(project)));
    }
    if adapter.option("mode").as_deref() == Some("middleware") {
        // The server that uses it is the app's own.
        if project.package.script("start").is_some() {
            return Ok(None);
        }
        let message = "the adapter only makes a middleware, and no start script runs a server";
        return Err(Problem::new(&config.file, line, message)
            .help("set its mode to `standalone`, or add a start script"));
    }
    let server = Server {
        arguments: vec![format!("{dist}/server/entry.mjs")],
        output: Some(dist),
        env: reachable("HOST", 4321),
        ..Server::default()
    };
    let output = listening(scan, project, "astro", 4321, server, "node.astro.node");
    Ok(Some(output.at(&config.file, line, name)))
}

/// Whether a page says that it is made for each request.
fn has_dynamic_page(scan: &Scan<'_>, project: &Project<'_>) -> bool {
    let pages = join(&project.package.dir, "src/pages");
    let endings = ["astro", "ts", "js", "mjs", "md", "mdx"];
    let files = source::own_more(scan.repo, &pages, &[], &endings, Family::Script);
    files.iter().any(|file| {
        let code = &file.source.code;
        file.source.all("prerender").any(|at| {
            let rest = code[at + "prerender".len()..].trim_start();
            rest.strip_prefix('=')
                .is_some_and(|value| value.trim_start().starts_with("false"))
        })
    })
}
