//! Julia: projects with a script that starts them.

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Provider, Scan};
use crate::detect::repo::Dir;
use crate::detect::source::Family;
use crate::spec::Copy;

use super::packaged::{self, Calls};

pub(crate) struct Julia;

const LANGUAGE: Language = Language {
    name: "Julia",
    build_systems: &["pkg"],
    frameworks: &["genie", "oxygen"],
    manifests: &["JuliaProject.toml", "Project.toml"],
};

const LOOKS_LIKE: &str = "a Julia project";

const CALLS: Calls = Calls {
    manifests: LANGUAGE.manifests,
    listen: &[
        ("using Genie", Some("genie")),
        ("using Oxygen", Some("oxygen")),
        ("HTTP.serve(", None),
        ("listen(", None),
    ],
    ports: &["HTTP.serve(", "listen(", "serve(", "up("],
    defaults: &[("genie", 8000), ("oxygen", 8080)],
};

/// Scripts that start an app, best first.
const SCRIPTS: &[&str] = &[
    "main.jl",
    "app.jl",
    "server.jl",
    "bin/main.jl",
    "bin/server.jl",
    "src/main.jl",
];

impl Provider for Julia {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in scan.dirs_with(LANGUAGE.manifests) {
            let Some(name) = dir.first(LANGUAGE.manifests) else {
                continue;
            };
            if passed_over(scan, dir.path(), LOOKS_LIKE, false) {
                continue;
            }
            let Some(document) = scan.document(&dir.join(name), Syntax::Toml) else {
                continue;
            };
            if document.get(&["deps"]).is_none() && document.get(&["uuid"]).is_none() {
                continue;
            }
            let script = SCRIPTS
                .iter()
                .find(|script| scan.repo.has(&dir.join(script)));
            let Some(script) = script else {
                let reason = "it has no script that starts it, such as `main.jl`: it is a library";
                scan.reject(dir.path(), LOOKS_LIKE, reason);
                continue;
            };
            app(scan, dir, &document, script);
        }
    }
}

/// The app that `script` starts.
fn app(scan: &mut Scan<'_>, dir: Dir<'_>, document: &Document, script: &str) {
    let manifest = &document.file;
    let facts = packaged::facts(scan, dir.path(), &["jl"], Family::Python, &CALLS);
    let mut draft = Draft::new(dir.path(), facts.kind(), "julia", "pkg");
    draft.fallback = document.str(&["name"]).map(str::to_owned);
    draft
        .evidence
        .push(Evidence::new("entry", script, "julia.script").at(&dir.join(script), None));
    facts.tell(
        &mut draft,
        &CALLS,
        &format!("`{script}` starts the project"),
    );
    let problem = packaged::toolchain(scan, &mut draft, manifest, "Julia", &["julia"]);
    packaged::packages(scan, &mut draft, &["julia"]);
    let build = &mut draft.spec.build;
    build.commands =
        vec!["julia --project=. -e 'using Pkg; Pkg.instantiate(); Pkg.precompile()'".to_owned()];
    build
        .env
        .insert("JULIA_DEPOT_PATH".to_owned(), "/app/.julia".to_owned());
    let runtime = &mut draft.spec.runtime;
    runtime
        .env
        .insert("JULIA_DEPOT_PATH".to_owned(), "/app/.julia".to_owned());
    runtime.copy = [(".", "/app"), ("/app/.julia", "/app/.julia")]
        .map(|(from, to)| Copy {
            from: from.to_owned(),
            to: to.to_owned(),
        })
        .to_vec();
    runtime.command = [
        "/usr/bin/julia",
        "--project=/app",
        &format!("/app/{script}"),
    ]
    .map(str::to_owned)
    .to_vec();
    packaged::finish(scan, draft, problem);
}
