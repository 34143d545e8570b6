//! Generators that are one program: Hugo, Zola, mdBook.

use std::rc::Rc;

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Problem, Scan, shown};
use crate::detect::repo::{Dir, join, split};

use super::{SITE, Site, answer, draft};

/// The names of Hugo's configuration; the old ones are shared with others.
pub(super) const HUGO: &[&str] = &[
    "config.toml",
    "config.yaml",
    "hugo.json",
    "hugo.toml",
    "hugo.yaml",
    "hugo.yml",
];

/// A Hugo site.
pub(super) fn hugo(scan: &mut Scan<'_>, dir: Dir<'_>) -> Site {
    let Some((site, document)) = hugo_site(scan, dir) else {
        return Site::Other;
    };
    if site.has("theme.toml") {
        return Site::Not("`theme.toml` says that it is a theme for other sites".to_owned());
    }
    let path = site.path();
    let manifest = document.file.clone();
    let mut draft = draft(scan, path, "hugo", &manifest, "a Hugo site");
    let mut problem = theme(scan, site, &document, "hugo");
    let sass = scss(scan, path);
    let tool = if sass.is_some() {
        "hugo-extended"
    } else {
        "hugo"
    };
    let mut found = tools(scan, &mut draft, &manifest, &[tool]);
    if let (Some(file), Some(evidence)) = (&sass, draft.evidence.last_mut()) {
        evidence.note = Some(format!("`{file}` needs the extended edition"));
    }
    if site.has("go.mod") || document.get(&["module", "imports"]).is_some() {
        found = found.or(tools(scan, &mut draft, &manifest, &["git", "go"]));
        let message = "takes modules of Hugo from the network while it builds";
        scan.warn(&manifest, document.line(&["module"]), message);
    }
    problem = problem.or(found);
    if site.has("package.json") {
        match super::super::node::assets(scan, path, &format!("the Hugo site `{}`", shown(path))) {
            Ok(Some(assets)) => draft.with_assets(assets),
            Ok(None) => {}
            Err(other) => problem = problem.or(Some(other)),
        }
    }
    if let Some(key) = hugo_base_url(&document) {
        base_url(&mut draft, &document, key);
    }
    draft
        .spec
        .build
        .commands
        .push(format!("hugo --minify --destination {SITE}"));
    answer(scan, draft, &manifest, problem)
}

/// The site that the configuration of Hugo in `dir` belongs to, with the configuration.
fn hugo_site<'a>(scan: &mut Scan<'a>, dir: Dir<'_>) -> Option<(Dir<'a>, Rc<Document>)> {
    let name = HUGO.iter().rev().find(|name| dir.has(name))?;
    // `config/_default` belongs to the site two directories above it.
    let path = match dir.path().strip_suffix("config/_default") {
        Some(path) => path.trim_end_matches('/'),
        None => dir.path(),
    };
    let site = scan.repo.dir(path)?;
    let syntax = match name.rsplit('.').next() {
        Some("toml") => Syntax::Toml,
        Some("json") => Syntax::Json,
        _ => Syntax::Yaml,
    };
    let is_shared = name.starts_with("config.");
    if is_shared && !site.has_dir("content") {
        return None;
    }
    let document = scan.document(&dir.join(name), syntax)?;
    if is_shared && hugo_base_url(&document).is_none() {
        return None;
    }
    Some((site, document))
}

/// The key of Hugo's configuration that holds the address, in whatever case it is written.
fn hugo_base_url(document: &Document) -> Option<&str> {
    document
        .keys(&[])
        .into_iter()
        .find(|key| key.eq_ignore_ascii_case("baseURL"))
}

/// A Zola site.
pub(super) fn zola(scan: &mut Scan<'_>, dir: Dir<'_>) -> Site {
    if !dir.has_dir("content") && !dir.has_dir("templates") {
        return Site::Other;
    }
    let manifest = dir.join("config.toml");
    let Some(document) = scan.document(&manifest, Syntax::Toml) else {
        return Site::Other;
    };
    if document.str(&["base_url"]).is_none() {
        return Site::Other;
    }
    if dir.has("theme.toml") {
        return Site::Not("`theme.toml` says that it is a theme for other sites".to_owned());
    }
    let mut draft = draft(scan, dir.path(), "zola", &manifest, "a Zola site");
    let problem = theme(scan, dir, &document, "zola");
    let problem = problem.or(tools(scan, &mut draft, &manifest, &["zola"]));
    base_url(&mut draft, &document, "base_url");
    draft.spec.build.commands = vec![format!("zola build --output-dir {SITE}")];
    answer(scan, draft, &manifest, problem)
}

/// A book of mdBook.
pub(super) fn mdbook(scan: &mut Scan<'_>, dir: Dir<'_>) -> Site {
    let manifest = dir.join("book.toml");
    let Some(document) = scan.document(&manifest, Syntax::Toml) else {
        return Site::Other;
    };
    let source = document.str(&["book", "src"]).unwrap_or("src").to_owned();
    let summary = join(&dir.join(&source), "SUMMARY.md");
    if !scan.repo.has(&summary) {
        return Site::Not(format!("`{source}/SUMMARY.md` is missing"));
    }
    if let Some(project) = super::documented(scan, dir) {
        return Site::Not(format!(
            "it is the documentation of the project of `{project}`"
        ));
    }
    let mut draft = draft(scan, dir.path(), "mdbook", &manifest, "an mdBook");
    let mut names = vec!["mdbook".to_owned()];
    let processors = document.keys(&["preprocessor"]);
    let others = processors
        .into_iter()
        .filter(|name| !matches!(*name, "index" | "links"));
    names.extend(others.map(|name| format!("mdbook-{name}")));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let problem = tools(scan, &mut draft, &manifest, &names);
    draft.spec.build.commands = vec![format!("mdbook build --dest-dir {SITE}")];
    // With several renderers each of them gets a directory of its own.
    let renderers = document.keys(&["output"]);
    if renderers.len() > 1 {
        draft.spec.runtime.copy[0].from = format!("{SITE}/html");
    }
    answer(scan, draft, &manifest, problem)
}

/// Adds the packages of the tools, each of them by the index.
fn tools(scan: &Scan<'_>, draft: &mut Draft, manifest: &str, names: &[&str]) -> Option<Problem> {
    let mut problem = None;
    for name in names {
        match scan.catalog.package(name) {
            Some(package) => {
                draft.evidence.push(
                    Evidence::new("toolchain", &package, "static.generator").at(manifest, None),
                );
                draft.spec.build.packages.push(package);
            }
            None => {
                let message = format!("`{name}` is not packaged");
                let help = "build the site elsewhere and keep its files in the repository, or use a package repository that has it";
                problem = problem.or(Some(Problem::new(manifest, None, message).help(help)));
            }
        }
    }
    draft.spec.build.packages.sort();
    problem
}

fn base_url(draft: &mut Draft, document: &Rc<Document>, key: &str) {
    let Some(url) = document.str(&[key]) else {
        return;
    };
    let found = Evidence::new("base_url", url, "static.base-url");
    draft.evidence.push(
        found
            .at(&document.file, document.line(&[key]))
            .note("links of the site may start with it"),
    );
}

/// The theme that the site names and the repository does not have.
fn theme(scan: &Scan<'_>, dir: Dir<'_>, document: &Document, tool: &str) -> Option<Problem> {
    let mut names = document.strings(&["theme"]);
    names.extend(document.str(&["theme"]));
    let is_there = |name: &&str| {
        let place = dir.join(&format!("themes/{name}"));
        // A module is named by its host.
        split(name).0.contains('.') || scan.repo.below(&place).any(|dir| !dir.files().is_empty())
    };
    let missing = names.into_iter().find(|name| !is_there(name))?;
    if tool == "hugo" && dir.has("go.mod") {
        return None;
    }
    let message = format!("its theme `{missing}` is not in the repository");
    let help = format!("check out the git submodules, so that `themes/{missing}` has files");
    Some(Problem::new(&document.file, document.line(&["theme"]), message).help(help))
}

/// A style sheet that only the extended edition of Hugo compiles.
fn scss(scan: &Scan<'_>, path: &str) -> Option<String> {
    scan.repo.below(path).find_map(|dir| {
        let below = dir.path().get(path.len()..)?;
        if !below.split('/').any(|part| part == "assets") {
            return None;
        }
        let is_sass =
            |name: &&crate::detect::repo::Name| name.ends_with(".scss") || name.ends_with(".sass");
        dir.files().iter().find(is_sass).map(|name| dir.join(name))
    })
}
