//! Dart: the programs in `bin`, compiled ahead of time.

use std::rc::Rc;

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::provider::{Draft, Problem, Provider, Scan, literal_glob, quoted};
use crate::detect::repo::{Dir, upwards};
use crate::detect::source::{Fact, Family, Source};

use super::packaged::{self, Calls};

pub(crate) struct Dart;

const LANGUAGE: Language = Language {
    name: "Dart",
    build_systems: &["dart"],
    frameworks: &["dart_frog", "shelf"],
    manifests: &["pubspec.yaml"],
};

const LOOKS_LIKE: &str = "a Dart package";

const CALLS: Calls = Calls {
    manifests: LANGUAGE.manifests,
    listen: &[
        ("shelf_io.serve(", Some("shelf")),
        ("HttpServer.bind(", None),
        ("ServerSocket.bind(", None),
        ("serve(", Some("shelf")),
    ],
    ports: &["HttpServer.bind(", "ServerSocket.bind(", "serve("],
    defaults: &[("dart_frog", 8080)],
};

impl Provider for Dart {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in packaged::candidates(scan, &["pubspec.yaml"], LOOKS_LIKE) {
            let Some(document) = scan.document(&dir.join("pubspec.yaml"), Syntax::Yaml) else {
                continue;
            };
            if document.get(&["dependencies", "flutter"]).is_some() {
                flutter(scan, dir, &document);
                continue;
            }
            if document.get(&["dependencies", "dart_frog"]).is_some() && dir.has_dir("routes") {
                frog(scan, dir, &document);
                continue;
            }
            let programs = programs(dir);
            if programs.is_empty() {
                let reason = "no file in `bin` has a `main`: it is a library";
                scan.reject(dir.path(), LOOKS_LIKE, reason);
            }
            for (line, name) in programs {
                app(scan, dir, &document, line, &name);
            }
        }
    }
}

/// A user interface: for the web it would be a static site, if its tools were there.
fn flutter(scan: &mut Scan<'_>, dir: Dir<'_>, document: &Rc<Document>) {
    if !dir.has_dir("web") {
        scan.reject(
            dir.path(),
            "a Flutter app",
            "it has no `web` directory: it runs on devices",
        );
        return;
    }
    let mut draft = Draft::new(dir.path(), crate::spec::Kind::Static, "dart", "dart");
    draft.fallback = document.str(&["name"]).map(str::to_owned);
    let line = document.line(&["dependencies", "flutter"]);
    draft.is_so("dart.flutter", Some((&document.file, line, "flutter")));
    let problem = packaged::toolchain(scan, &mut draft, &document.file, "Flutter", &["flutter"]);
    draft.spec.build.commands = vec!["flutter build web --release".to_owned()];
    let problem = problem.or_else(|| {
        let message = "is a Flutter app, which peelbox cannot build";
        Some(Problem::new(&document.file, line, message))
    });
    packaged::finish(scan, draft, problem);
}

/// A Dart Frog server: its `main` is generated from the routes.
fn frog(scan: &mut Scan<'_>, dir: Dir<'_>, document: &Rc<Document>) {
    let package = document.str(&["name"]).unwrap_or("app").to_owned();
    let mut draft = Draft::new(dir.path(), crate::spec::Kind::Web, "dart", "dart");
    draft.fallback = Some(package);
    let metadata = &mut draft.spec.metadata;
    metadata.framework = Some("dart_frog".to_owned());
    metadata.reasoning = Some("`dart_frog` makes a server of the files in `routes`".to_owned());
    metadata.confidence = Some(85);
    let line = document.line(&["dependencies", "dart_frog"]);
    let found = Evidence::new("framework", "dart_frog", "dart.dependency");
    draft.evidence.push(found.at(&document.file, line));
    draft.is_so("dart.dependency", Some((&document.file, line, "dart_frog")));
    let port = Fact {
        value: 8080,
        file: String::new(),
        line: 0,
    };
    draft.listens_on(&port, "");
    let problem = packaged::toolchain(scan, &mut draft, &document.file, "Dart", &["dart"]);
    steps(scan, dir, document, "server", &mut draft);
    let build = &mut draft.spec.build;
    build.commands.pop();
    build.commands.extend([
        "dart pub global activate dart_frog_cli".to_owned(),
        "dart pub global run dart_frog_cli:dart_frog build".to_owned(),
        "mkdir -p /out && dart compile exe build/bin/server.dart -o /out/server".to_owned(),
    ]);
    let runtime = ["ca-certificates-bundle", "glibc", "libgcc"];
    packaged::program(scan, &mut draft, "/out/server", "server", &runtime);
    let message = "`dart_frog_cli` is taken from the network in its newest version while it builds";
    scan.warn(&document.file, line, message);
    packaged::finish(scan, draft, problem);
}

/// The files of `bin` with a `main`, by name without the ending.
fn programs(dir: Dir<'_>) -> Vec<(u64, String)> {
    let Some(bin) = dir.below("bin") else {
        return Vec::new();
    };
    let files = bin.files().iter().filter_map(|file| {
        let name = file.strip_suffix(".dart")?;
        let source = Source::parse(&bin.text(file).ok()?, Family::Script);
        let at = source.find("main(")?;
        Some((source.line(at), name.to_owned()))
    });
    files.collect()
}

fn app(scan: &mut Scan<'_>, dir: Dir<'_>, document: &Rc<Document>, line: u64, name: &str) {
    let package = document.str(&["name"]).unwrap_or("app").to_owned();
    let facts = packaged::facts(scan, dir.path(), &["dart"], Family::Script, &CALLS);
    let mut draft = Draft::new(dir.path(), facts.kind(), "dart", "dart");
    draft.target = Some(name.to_owned()).filter(|name| *name != package && name != "server");
    draft.fallback = Some(package);
    let entry = dir.join(&format!("bin/{name}.dart"));
    let found = Evidence::new("entry", format!("bin/{name}.dart"), "dart.main");
    draft
        .evidence
        .push(found.at(&entry, Some(line)).written("main("));
    facts.tell(
        &mut draft,
        &CALLS,
        &format!("`bin/{name}.dart` has a `main`"),
    );
    let mut problem = packaged::toolchain(scan, &mut draft, &document.file, "Dart", &["dart"]);
    if let Some(wanted) = document.str(&["environment", "sdk"])
        && let Some(version) = scan.catalog.version("dart")
        && let Ok(range) = nodejs_semver::Range::parse(wanted)
        && let Ok(packaged) = nodejs_semver::Version::parse(&version)
    {
        let at = document.line(&["environment", "sdk"]);
        let found = Evidence::new("toolchain", format!("dart {version}"), "dart.environment");
        draft
            .evidence
            .push(found.at(&document.file, at).written(wanted));
        if !range.satisfies(&packaged) && problem.is_none() {
            let message = format!("asks for Dart `{wanted}`, and {version} is packaged");
            problem = Some(Problem::new(&document.file, at, message));
        }
    }
    steps(scan, dir, document, name, &mut draft);
    let runtime = ["ca-certificates-bundle", "glibc", "libgcc"];
    packaged::program(scan, &mut draft, &format!("/out/{name}"), name, &runtime);
    let is_member = document.str(&["resolution"]) == Some("workspace");
    packaged::finish(scan, draft, problem);
    // The members of a workspace are resolved together.
    if is_member && let Some(draft) = scan.drafts.last_mut() {
        draft.spec.build.context.clear();
    }
}

fn steps(scan: &Scan<'_>, dir: Dir<'_>, document: &Document, name: &str, draft: &mut Draft) {
    let build = &mut draft.spec.build;
    let cache = "/root/.pub-cache".to_owned();
    build.env.insert("PUB_CACHE".to_owned(), cache.clone());
    build.cache = vec![cache];
    let lock = upwards(dir.path())
        .map(|above| crate::detect::repo::join(above, "pubspec.lock"))
        .find(|lock| scan.repo.has(lock));
    let get = if lock.is_some() {
        "dart pub get --enforce-lockfile"
    } else {
        "dart pub get"
    };
    let text = dir.text("pubspec.yaml").unwrap_or_else(|_| "".into());
    let names_paths = text
        .lines()
        .any(|line| line.trim_start().starts_with("path:"));
    if names_paths || document.get(&["resolution"]).is_some() {
        build.commands.push(get.to_owned());
    } else {
        build.install.files = std::iter::once(dir.join("pubspec.yaml"))
            .chain(lock)
            .map(|file| literal_glob(&file))
            .collect();
        build.install.files.sort();
        build.install.commands = vec![get.to_owned()];
    }
    let program = quoted(&format!("bin/{name}.dart"));
    let out = quoted(&format!("/out/{name}"));
    build.commands.push(format!(
        "mkdir -p /out && dart compile exe {program} -o {out}"
    ));
}
