//! Gleam, compiled for Erlang's machine.

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan};
use crate::detect::repo::join;
use crate::spec::Kind;

pub(crate) struct Gleam;

const LOOKS_LIKE: &str = "a Gleam project";

const LANGUAGE: Language = Language {
    name: "Gleam",
    build_systems: &["gleam"],
    frameworks: &["wisp"],
    manifests: &["gleam.toml"],
};

impl Provider for Gleam {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in scan.dirs_with(&["gleam.toml"]) {
            let path = dir.path();
            let Some(document) = scan.document(&dir.join("gleam.toml"), Syntax::Toml) else {
                continue;
            };
            if passed_over(scan, path, LOOKS_LIKE, false) {
                continue;
            }
            let Some(name) = document.str(&["name"]) else {
                scan.reject(
                    path,
                    LOOKS_LIKE,
                    format!("`{}` has no `name`", document.file),
                );
                continue;
            };
            let entry = join(path, &format!("src/{name}.gleam"));
            let main = scan.repo.text(&entry).ok().and_then(|text| {
                let line = text
                    .lines()
                    .position(|line| line.starts_with("pub fn main("));
                line.map(|line| line as u64 + 1)
            });
            let Some(line) = main else {
                let reason = format!("`{entry}` has no `pub fn main`: it is a library");
                scan.reject(path, LOOKS_LIKE, reason);
                continue;
            };
            let entry = Evidence::new("entry", name, "gleam.main")
                .written("pub fn main(")
                .at(&entry, Some(line));
            let draft = draft(path, name, &document, entry);
            let problem = problem(scan, &document);
            scan.refuse(draft, problem);
        }
    }
}

fn draft(path: &str, name: &str, document: &Document, entry: Evidence) -> Draft {
    let server = ["wisp", "mist"]
        .into_iter()
        .find(|name| document.get(&["dependencies", name]).is_some());
    let kind = if server.is_some() {
        Kind::Web
    } else {
        Kind::Cli
    };
    let mut draft = Draft::new(path, kind, "gleam", "gleam");
    draft.fallback = Some(name.to_owned());
    let manifest = Evidence::new("build_system", "gleam", "gleam.manifest");
    draft.evidence.push(manifest.at(&document.file, None));
    draft.evidence.push(entry);
    let metadata = &mut draft.spec.metadata;
    metadata.confidence = Some(85);
    metadata.reasoning = Some(format!(
        "`{}` names `{name}`, which has a main function",
        document.file
    ));
    if let Some(server) = server {
        let line = document.line(&["dependencies", server]);
        if server == "wisp" {
            metadata.framework = Some(server.to_owned());
            let found = Evidence::new("framework", server, "gleam.dependency");
            draft.evidence.push(found.at(&document.file, line));
        }
        draft.is_so("gleam.dependency", Some((&document.file, line, server)));
        draft.is_given_port(8000);
    } else {
        draft.is_so("gleam.no-server", None);
    }
    if let Some(version) = document.str(&["gleam"]) {
        let found = Evidence::new("toolchain", version, "version.gleam");
        draft
            .evidence
            .push(found.at(&document.file, document.line(&["gleam"])));
    }
    draft
}

/// Why it is not built.
fn problem(scan: &Scan<'_>, document: &Document) -> Problem {
    let file = &document.file;
    if document.str(&["target"]) == Some("javascript") {
        let line = document.line(&["target"]);
        return Problem::new(
            file,
            line,
            "compiles to JavaScript, for which Gleam exports nothing that starts",
        )
        .help("set `target = \"erlang\"`");
    }
    if scan.catalog.package("gleam").is_none() {
        return Problem::new(file, None, "Gleam is not packaged").help(
            "build the image with a Dockerfile whose base has Gleam, until the package index has it",
        );
    }
    Problem::new(
        file,
        None,
        "the start script of Gleam's shipment needs a shell",
    )
    .help("write the spec by hand, with `erlexec` of the packaged Erlang as its command")
}
