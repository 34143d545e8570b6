//! R: Shiny and Plumber apps.

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan};
use crate::detect::repo::Dir;
use crate::detect::source::{Family, Source};
use crate::spec::{Copy, Kind};

use super::packaged;

pub(crate) struct R;

const LANGUAGE: Language = Language {
    name: "R",
    build_systems: &["r"],
    frameworks: &["plumber", "shiny"],
    manifests: &["DESCRIPTION", "app.R", "plumber.R", "renv.lock", "server.R"],
};

const LOOKS_LIKE: &str = "an R project";

/// Packages that come with R.
const BASE: &[&str] = &[
    "base",
    "compiler",
    "datasets",
    "grDevices",
    "graphics",
    "grid",
    "methods",
    "parallel",
    "splines",
    "stats",
    "stats4",
    "tcltk",
    "tools",
    "utils",
];

impl Provider for R {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in scan.dirs_with(LANGUAGE.manifests) {
            let entry = dir.first(&["app.R", "server.R", "plumber.R", "main.R"]);
            let has_other =
                !dir.files().iter().any(|name| name.ends_with(".R")) && !dir.has("renv.lock");
            if has_other && !dir.has_dir("R") {
                continue; // a DESCRIPTION of something else
            }
            if passed_over(scan, dir.path(), LOOKS_LIKE, false) {
                continue;
            }
            match entry {
                Some(entry) => app(scan, dir, entry),
                None if dir.has("DESCRIPTION") => {
                    scan.reject(
                        dir.path(),
                        LOOKS_LIKE,
                        "`DESCRIPTION` describes a package: it is a library",
                    );
                }
                None => {
                    scan.reject(
                        dir.path(),
                        LOOKS_LIKE,
                        "it has no `app.R`, `plumber.R` or `main.R`",
                    );
                }
            }
        }
    }
}

/// The packages that a script attaches, with their lines.
fn libraries(source: &Source) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    for call in ["library(", "require(", "requireNamespace("] {
        for at in source.all(call) {
            let start = at + call.len();
            let name = match source.string_at(start) {
                Some(name) => name.to_owned(),
                None => source.code[start..]
                    .split([')', ','])
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
            };
            if !name.is_empty() {
                found.push((source.line(at), name));
            }
        }
    }
    found.sort();
    found
}

/// Says what the script is, and what says so.
fn describe(
    draft: &mut Draft,
    file: &str,
    entry: &str,
    framework: Option<&str>,
    libraries: &[(u64, String)],
) {
    draft.spec.metadata.framework = framework.map(str::to_owned);
    draft.spec.metadata.reasoning = Some(format!("`{entry}` is the script of an R app"));
    draft.spec.metadata.confidence = Some(75);
    draft
        .evidence
        .push(Evidence::new("entry", entry, "r.script").at(file, None));
    let rule = if framework.is_some() {
        "r.script"
    } else {
        "r.no-server"
    };
    draft.is_so(rule, framework.map(|_| (file, None, entry)));
    if let Some(framework) = framework {
        let found = Evidence::new("framework", framework, "r.script");
        draft.evidence.push(found.at(file, None));
    }
    for (line, name) in libraries {
        draft
            .evidence
            .push(Evidence::new("library", name, "r.library").at(file, Some(*line)));
    }
}

fn app(scan: &mut Scan<'_>, dir: Dir<'_>, entry: &str) {
    let file = dir.join(entry);
    let Ok(text) = dir.text(entry) else {
        scan.reject(dir.path(), LOOKS_LIKE, format!("`{entry}` cannot be read"));
        return;
    };
    let source = Source::parse(&text, Family::Python);
    let libraries = libraries(&source);
    let framework = match entry {
        "plumber.R" => Some("plumber"),
        "app.R" | "server.R" => Some("shiny"),
        _ => None,
    };
    let kind = if framework.is_some() {
        Kind::Web
    } else {
        Kind::Worker
    };
    let mut draft = Draft::new(dir.path(), kind, "r", "r");
    describe(&mut draft, &file, entry, framework, &libraries);
    let mut problem = packaged::toolchain(scan, &mut draft, &file, "R", &["R"]);
    let foreign = libraries.iter().find(|(_, name)| {
        !BASE.contains(&name.as_str()) && !scan.catalog.has(&format!("R-{name}"))
    });
    if let (Some((line, name)), None) = (foreign, &problem) {
        let message = format!("needs the R package `{name}`, which is not packaged");
        let help = "install it with `install.packages` in `build.commands` of `peelbox.yaml`, into a directory that `runtime.copy` names";
        problem = Some(Problem::new(&file, Some(*line), message).help(help));
    }
    let mut packages = vec!["R".to_owned()];
    packages.extend(libraries.iter().map(|(_, name)| format!("R-{name}")));
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    packaged::packages(scan, &mut draft, &names);
    draft.spec.build.packages.clear();
    draft.spec.runtime.copy = vec![Copy {
        from: ".".to_owned(),
        to: "/app".to_owned(),
    }];
    draft.spec.runtime.command = vec!["/usr/bin/Rscript".to_owned(), format!("/app/{entry}")];
    if problem.is_none() {
        let message =
            "R is started by a shell script: the image gets the shell that its package asks for";
        scan.warn(&file, None, message);
    }
    packaged::finish(scan, draft, problem);
}
