//! Angular: every application of `angular.json` is an app.

use std::rc::Rc;

use crate::detect::document::{Document, Syntax};
use crate::detect::provider::{Problem, Scan, quoted};
use crate::detect::repo::join;
use crate::spec::Copy;

use super::super::Project;
use super::super::server::Server;
use super::super::steps;
use super::{Output, listening, path, reachable};

pub(super) fn outputs(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Vec<Output>, Problem> {
    let file = join(&project.package.dir, "angular.json");
    let Some(document) = scan.document(&file, Syntax::Json) else {
        return Ok(Vec::new());
    };
    let names: Vec<&str> = document
        .keys(&["projects"])
        .into_iter()
        .filter(|name| {
            // The type is `application` unless it is said.
            document
                .str(&["projects", name, "projectType"])
                .is_none_or(|kind| kind == "application")
                && !name.ends_with("-e2e")
                && builder(&document, name).is_some()
        })
        .collect();
    let mut outputs = Vec::new();
    for name in &names {
        let mut output = output(scan, project, &document, name)?;
        if names.len() > 1 {
            output.target = Some((*name).to_owned());
            let command = format!("ng build {}", quoted(name));
            output.build = Some(vec![steps::exec(project, &command)]);
        }
        output.cache.push(".angular/cache".to_owned());
        outputs.push(output);
    }
    Ok(outputs)
}

fn builder<'d>(document: &'d Document, name: &str) -> Option<&'d str> {
    ["architect", "targets"].iter().find_map(|targets| {
        ["builder", "executor"]
            .iter()
            .find_map(|key| document.str(&["projects", name, targets, "build", key]))
    })
}

fn output(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    document: &Rc<Document>,
    name: &str,
) -> Result<Output, Problem> {
    let option = |key: &str| {
        ["architect", "targets"]
            .iter()
            .find_map(|targets| document.get(&["projects", name, targets, "build", "options", key]))
    };
    let line = document.line(&["projects", name]);
    let base = option("outputPath");
    let text = base.and_then(|value| {
        let inner = value.get("base").and_then(|base| base.as_str());
        value.as_str().or(inner)
    });
    let dist = text.map_or_else(|| format!("dist/{name}"), path);
    let directory = |key: &str| {
        let named = base.and_then(|value| value.get(key));
        named
            .and_then(|value| value.as_str())
            .unwrap_or(key)
            .to_owned()
    };
    let is_new = builder(document, name).is_some_and(|builder| builder.ends_with(":application"));
    let ssr = option("ssr").is_some_and(|ssr| !ssr.is_null() && *ssr != false);
    let mode = option("outputMode").and_then(|mode| mode.as_str());
    let renders = is_new && mode != Some("static") && (ssr || mode == Some("server"));
    if renders {
        let entry = format!("{dist}/{}/server.mjs", directory("server"));
        let output = rendered(scan, project, &dist, entry);
        return Ok(output.at(&document.file, line, name));
    }
    if !is_new
        && has_server_target(document, name)
        && project.package.script("start:prod").is_none()
    {
        let message =
            format!("`{name}` renders on a server by an old builder, whose start is not known");
        return Err(Problem::new(&document.file, line, message)
            .help("use the builder `@angular/build:application`, or add a script `start:prod`"));
    }
    let browser = directory("browser");
    let dir = if is_new && !browser.is_empty() {
        join(&dist, &browser)
    } else {
        dist
    };
    let output = Output::files(Some("angular"), &dir, "node.angular");
    Ok(output.at(&document.file, line, name))
}

/// The server that renders; the builder puts what it imports into it.
fn rendered(scan: &mut Scan<'_>, project: &Project<'_>, dist: &str, entry: String) -> Output {
    let server = Server {
        arguments: vec![entry],
        bundle: Some(vec![Copy {
            from: dist.to_owned(),
            to: format!("/app/{dist}"),
        }]),
        env: reachable("HOST", 4000),
        ..Server::default()
    };
    listening(
        scan,
        project,
        "angular",
        4000,
        server,
        "node.angular.server",
    )
}

fn has_server_target(document: &Document, name: &str) -> bool {
    ["architect", "targets"].iter().any(|targets| {
        document
            .get(&["projects", name, targets, "server"])
            .is_some()
    })
}
