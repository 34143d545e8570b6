//! Rust: every binary target of every crate.

mod build;
mod facts;
mod native;
mod target;

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan, unavailable};
use crate::detect::repo::{Dir, join, split};
use crate::detect::version::{self, Chosen, Source, Tool, Unavailable, Want};
use crate::detect::workspace;
use crate::spec::Kind;

use facts::Facts;
use target::Bin;

pub(crate) struct Rust;

const TOOL: Tool = Tool {
    name: "Rust",
    asdf: &["rust"],
    prefix: "rust-",
    numbers: 2,
    default: Some("rust"),
    read,
};

/// The first release that compiles an edition.
const EDITIONS: &[(&str, [u64; 2])] = &[("2018", [1, 31]), ("2021", [1, 56]), ("2024", [1, 85])];

/// An edition is a minimum as well.
fn read(source: &Source) -> Result<Want, String> {
    if source.rule != "version.edition" {
        return version::rust(source);
    }
    let known = EDITIONS.iter().find(|(name, _)| *name == source.text);
    Ok(known.map_or(Want::Any, |(_, floor)| Want::AtLeast(floor.to_vec())))
}

const LOOKS_LIKE: &str = "a Rust program";

/// One crate of the repository.
struct Crate {
    dir: String,
    name: String,
    document: Rc<Document>,
    root: String,
    /// What it needs to be built and to run.
    dependencies: BTreeSet<String>,
    /// The main files of all its binary targets.
    entries: BTreeSet<String>,
}

const LANGUAGE: Language = Language {
    name: "Rust",
    build_systems: &["cargo"],
    frameworks: &[
        "actix-web",
        "axum",
        "hyper",
        "poem",
        "rocket",
        "salvo",
        "tonic",
        "warp",
    ],
    manifests: &["Cargo.toml"],
};

impl Provider for Rust {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in scan.dirs_with(&["Cargo.toml"]) {
            let path = dir.path();
            let Some(document) = scan.document(&dir.join("Cargo.toml"), Syntax::Toml) else {
                continue;
            };
            if document.get(&["package"]).is_none() {
                if document.get(&["workspace"]).is_none() {
                    scan.reject(
                        path,
                        "a Rust crate",
                        "`Cargo.toml` has neither `[package]` nor `[workspace]`",
                    );
                }
                continue;
            }
            let root = root(scan, path);
            let is_member = root.as_deref().is_some_and(|root| root != path);
            if !passed_over(scan, path, "a Rust crate", is_member) {
                let root = root.unwrap_or_else(|| path.to_owned());
                detect_crate(scan, dir, &document, root);
            }
        }
    }
}

/// The root of the workspace that has the crate as a member.
fn root(scan: &mut Scan<'_>, path: &str) -> Option<String> {
    let (root, _) = workspace::cargo_root(scan, path)?;
    let workspace = workspace::cargo(scan, &root)?;
    workspace
        .members
        .iter()
        .any(|member| member == path)
        .then_some(root)
}

fn detect_crate(scan: &mut Scan<'_>, dir: Dir<'_>, document: &Rc<Document>, root: String) {
    let path = dir.path();
    let Some(name) = document.str(&["package", "name"]).map(str::to_owned) else {
        scan.warn(
            &document.file,
            document.line(&["package"]),
            "has a `[package]` without a `name`",
        );
        return;
    };
    let mut bins = target::bins(dir, document, &name);
    let entries = bins.iter().map(|bin| join(path, &bin.entry)).collect();
    if let Some(entry) = scan.entry(path) {
        let is_named = |bin: &Bin| bin.name == entry.value || bin.entry == entry.value;
        if bins.iter().any(is_named) {
            bins.retain(is_named);
        } else {
            let message = format!("`{}` is no binary target of `{name}`", entry.value);
            scan.no_entry(&entry, message);
        }
    }
    if bins.is_empty() {
        let reason = format!("`{name}` has no binary target: it is a library");
        scan.reject(path, "a Rust crate", reason);
        return;
    }
    if is_tool(path, &name) {
        scan.reject(
            path,
            LOOKS_LIKE,
            format!("`{name}` is a tool for developers"),
        );
        return;
    }
    let member = Crate {
        dir: path.to_owned(),
        name,
        document: Rc::clone(document),
        root,
        dependencies: dependencies(scan, path, document),
        entries,
    };
    if member.dependencies.contains("tauri") {
        let reason = "it is a desktop application: it depends on `tauri`";
        scan.reject(path, LOOKS_LIKE, reason);
        return;
    }
    for bin in bins {
        app(scan, dir, &member, &bin);
    }
}

fn is_tool(path: &str, name: &str) -> bool {
    let last = split(path).1;
    ["xtask", "codegen", "tools", "tooling"]
        .iter()
        .any(|tool| *tool == name || *tool == last)
        || path
            .split('/')
            .any(|part| matches!(part, "tools" | "tooling" | "fuzz"))
}

/// The names of the crates that a crate is built from, also those for some platforms only.
fn dependencies(scan: &mut Scan<'_>, dir: &str, document: &Document) -> BTreeSet<String> {
    let root = workspace::cargo_root(scan, dir).map(|(_, root)| root);
    let mut tables: Vec<Vec<&str>> = vec![vec!["dependencies"], vec!["build-dependencies"]];
    for target in document.keys(&["target"]) {
        tables.push(vec!["target", target, "dependencies"]);
    }
    let mut names = BTreeSet::new();
    for table in tables {
        for name in document.keys(&table) {
            let key = |last| -> Vec<&str> { table.iter().copied().chain([name, last]).collect() };
            let inherited = root
                .as_ref()
                .filter(|_| document.is_true(&key("workspace")));
            let renamed = document
                .str(&key("package"))
                .or_else(|| inherited?.str(&["workspace", "dependencies", name, "package"]));
            names.insert(renamed.unwrap_or(name).to_owned());
        }
    }
    names
}

/// Adds the app that a binary target is.
fn app(scan: &mut Scan<'_>, dir: Dir<'_>, member: &Crate, bin: &Bin) {
    let facts = facts::facts(scan, member, bin);
    let mut draft = described(member, bin, &facts);
    if dir.has("Trunk.toml") {
        let file = dir.join("Trunk.toml");
        let message = "is built for browsers by Trunk, which is not packaged";
        let help = "build it elsewhere, and serve its `dist` directory as a static site";
        scan.refuse(draft, Problem::new(&file, None, message).help(help));
        return;
    }
    let chosen = match toolchain(scan, member) {
        Ok(chosen) => chosen,
        Err(error) => {
            scan.refuse(draft, unavailable(&member.document.file, error));
            return;
        }
    };
    draft.evidence.insert(1, chosen.evidence.clone());
    build::run(scan, &mut draft, &facts, bin);
    match build::build(scan, member, bin, &facts, &mut draft, &chosen) {
        Ok(()) => scan.drafts.push(draft),
        Err(problem) => scan.refuse(draft, problem),
    }
}

/// What is known of a program before it is known whether it can be built.
fn described(member: &Crate, bin: &Bin, facts: &Facts) -> Draft {
    let document = &member.document;
    let (kind, evidence) = kind(member, facts);
    let mut draft = Draft::new(&member.dir, kind, "rust", "cargo");
    let keys = ["package", "default-run"];
    let is_default = document.str(&keys) == Some(bin.name.as_str());
    draft.target = Some(bin.name.clone()).filter(|name| *name != member.name && !is_default);
    draft.fallback = Some(member.name.clone());
    let entry = Evidence::new("entry", &bin.name, "rust.bin-file");
    let mut entry = match bin.line {
        Some(line) => {
            let mut entry = entry.at(&document.file, Some(line));
            "rust.bin-table".clone_into(&mut entry.rule);
            entry
        }
        None => entry.at(&join(&member.dir, &bin.entry), None),
    };
    if is_default {
        entry = entry.note("`default-run` names it: the app has the crate's name");
    }
    draft.evidence.extend([entry, evidence]);
    if !bin.features.is_empty() {
        let features = bin.features.join(",");
        let found = Evidence::new("features", features, "rust.required-features");
        draft.evidence.push(found.at(&document.file, None));
    }
    if let Some((name, _)) = facts.framework {
        let line = document.line(&["dependencies", name]);
        let found = Evidence::new("framework", name, "rust.dependency");
        draft.evidence.push(found.at(&document.file, line));
        draft.spec.metadata.framework = Some(name.to_owned());
    }
    draft.spec.metadata.confidence = Some(if facts.listens.is_some() { 95 } else { 85 });
    let what = match &facts.listens {
        Some(call) => format!(
            "it listens with `{}` in `{}` line {}",
            call.value, call.file, call.line
        ),
        None if facts.arguments.is_some() => {
            "it parses arguments and nothing in it listens".to_owned()
        }
        None => "nothing in it listens".to_owned(),
    };
    draft.spec.metadata.reasoning = Some(format!(
        "`{}` is a binary target of the crate `{}`, and {what}",
        bin.name, member.name
    ));
    draft
}

/// What a program is: what listens is for the web, what only reads arguments is run by hand.
fn kind(member: &Crate, facts: &Facts) -> (Kind, Evidence) {
    match (&facts.listens, facts.arguments) {
        (Some(call), _) => {
            let evidence = Evidence::new("kind", "web", "rust.listens")
                .at(&call.file, Some(call.line))
                .written(call.value.clone());
            (Kind::Web, evidence)
        }
        (None, Some(name)) => {
            let line = member.document.line(&["dependencies", name]);
            let evidence = Evidence::new("kind", "cli", "rust.reads-arguments")
                .at(&member.document.file, line)
                .written(name);
            (Kind::Cli, evidence)
        }
        (None, None) => (
            Kind::Worker,
            Evidence::new("kind", "worker", "rust.nothing-listens"),
        ),
    }
}

fn toolchain(scan: &mut Scan<'_>, member: &Crate) -> Result<Chosen, Unavailable> {
    let mut sources = Vec::new();
    let Some(dir) = scan.repo.dir(&member.dir) else {
        return scan.toolchain(&TOOL, &sources);
    };
    sources.extend(scan.tool_versions(dir, &TOOL));
    for above in dir.upwards() {
        for name in ["rust-toolchain", "rust-toolchain.toml"] {
            let Ok(text) = above.text(name) else { continue };
            let file = above.join(name);
            if !text.contains('[') {
                let text = text.trim().to_owned();
                sources.push(Source {
                    text,
                    file,
                    line: Some(1),
                    rule: "version.file",
                });
            } else if let Some(document) = scan.document(&file, Syntax::Toml) {
                sources.extend(version::manifest(
                    &document,
                    &["toolchain", "channel"],
                    "version.file",
                ));
            }
        }
    }
    let keys = &["package", "rust-version"];
    sources.extend(version::manifest(&member.document, keys, "version.minimum"));
    if member
        .document
        .is_true(&["package", "rust-version", "workspace"])
        && let Some((_, root)) = workspace::cargo_root(scan, &member.dir)
    {
        sources.extend(version::manifest(
            &root,
            &["workspace", "package", "rust-version"],
            "version.minimum",
        ));
    }
    let keys = ["package", "edition"];
    sources.extend(version::manifest(
        &member.document,
        &keys,
        "version.edition",
    ));
    scan.toolchain(&TOOL, &sources)
}
