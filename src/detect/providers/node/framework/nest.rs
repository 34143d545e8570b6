//! Nest: one app, or several in its monorepo mode.

use std::rc::Rc;

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan, quoted};
use crate::detect::repo::{join, relative, resolve};

use super::super::Project;
use super::super::locate::compiled;
use super::super::server::{Server, complete};
use super::super::steps;
use super::Output;

fn document(scan: &mut Scan<'_>, project: &Project<'_>) -> Option<Rc<Document>> {
    if !project.package.has("@nestjs/core") {
        return None;
    }
    let dir = &project.package.dir;
    ["nest-cli.json", ".nestcli.json"]
        .iter()
        .find_map(|name| scan.document(&join(dir, name), Syntax::Json))
}

/// The apps of its monorepo mode.
pub(super) fn monorepo(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
) -> Result<Option<Vec<Output>>, Problem> {
    let Some(document) = document(scan, project) else {
        return Ok(None);
    };
    if !document.is_true(&["monorepo"]) {
        return Ok(None);
    }
    let mut outputs = Vec::new();
    for name in document.keys(&["projects"]) {
        let at = |key: &str| document.str(&["projects", name, key]);
        if at("type") != Some("application") {
            continue;
        }
        let root = at("root").map_or_else(|| format!("apps/{name}"), str::to_owned);
        let source = at("sourceRoot").map_or_else(|| join(&root, "src"), str::to_owned);
        let entry = at("entryFile").unwrap_or("main");
        let dir = &project.package.dir;
        let sources = resolve(dir, &source).unwrap_or_default();
        let server = Server {
            arguments: vec![format!("dist/{root}/{entry}.js")],
            output: Some("dist".to_owned()),
            extra: vec![join(&sources, &format!("{entry}.ts"))],
            sources: vec![sources],
            confidence: 90,
            framework: Some("nestjs".to_owned()),
            reason: format!("the application `{name}`, with the dependencies"),
            ..Server::default()
        };
        let start = format!("node {}", server.arguments.join(" "));
        let evidence = Evidence::new("start", start, "node.nest.monorepo")
            .at(&document.file, document.line(&["projects", name]))
            .written(name);
        let mut output = Output::server(complete(scan, project, server, evidence));
        output.target = Some(name.to_owned());
        let command = format!("nest build {}", quoted(name));
        output.build = Some(vec![steps::exec(project, &command)]);
        outputs.push(output);
    }
    Ok(Some(outputs))
}

/// The app of a package with a single one, where no script starts it.
pub(super) fn output(scan: &mut Scan<'_>, project: &Project<'_>) -> Option<Output> {
    let document = document(scan, project)?;
    let source = document.str(&["sourceRoot"]).unwrap_or("src");
    let entry = document.str(&["entryFile"]).unwrap_or("main");
    let dir = &project.package.dir;
    let file = format!("{entry}.ts");
    let full = join(&resolve(dir, source)?, &file);
    // Where the compiler's configuration says so, the sources keep their directory below the output.
    let below = [
        format!("dist/{entry}.js"),
        format!("dist/{source}/{entry}.js"),
    ];
    let place = below
        .iter()
        .find(|place| compiled(scan, project, place).is_some_and(|(_, source)| source == full))
        .unwrap_or(&below[0]);
    let server = Server {
        arguments: vec![place.clone()],
        output: Some("dist".to_owned()),
        extra: vec![full.clone()],
        confidence: 85,
        framework: Some("nestjs".to_owned()),
        reason: "a Nest app with a build, from the dependencies".to_owned(),
        ..Server::default()
    };
    let rule = "node.nest.main";
    let evidence = Evidence::new("start", format!("node {place}"), rule)
        .at(&document.file, None)
        .note(format!("compiled from `{}`", relative(dir, &full)));
    Some(Output::server(complete(scan, project, server, evidence)))
}
