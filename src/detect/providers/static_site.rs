//! Directories of files that only need to be served.

use crate::detect::document::Syntax;
use crate::detect::explain::{Evidence, Severity};
use crate::detect::language::Language;
use crate::detect::provider::{Draft, Problem, Provider, Scan, lookalike, tree_glob};
use crate::detect::repo::{Dir, is_within, resolve, split};
use crate::spec::{Copy, Kind};

pub(crate) struct StaticSite;

/// The port that the image's web server listens on.
pub(crate) const PORT: u16 = 8080;

/// Directories in which the files of a site lie; the app is then named after what holds them.
const ROOTS: &[&str] = &["_site", "dist", "docs", "public", "site", "static", "www"];

/// Manifests of other languages: an `index.html` beside one belongs to it.
const MANIFESTS: &[&str] = &[
    "CMakeLists.txt",
    "Cargo.toml",
    "Gemfile",
    "Package.swift",
    "angular.json",
    "build.gradle",
    "build.gradle.kts",
    "build.sbt",
    "build.zig",
    "composer.json",
    "configure.ac",
    "deno.json",
    "deno.jsonc",
    "deps.edn",
    "dune-project",
    "gleam.toml",
    "go.mod",
    "index.php",
    "meson.build",
    "mix.exs",
    "package.json",
    "pom.xml",
    "project.clj",
    "pubspec.yaml",
    "pyproject.toml",
    "rebar.config",
    "requirements.txt",
    "setup.py",
    "shard.yml",
    "stack.yaml",
];

/// Directories that tools write pages into, by which people read of code.
const REPORTS: &[&str] = &[
    "allure-report",
    "apidocs",
    "htmlcov",
    "javadoc",
    "lcov-report",
    "playwright-report",
    "storybook-static",
];

/// What tools that measure the coverage of tests write beside their pages.
const MEASURED: &[&str] = &["clover.xml", "coverage-final.json", "lcov.info"];

/// Files that are about a site and not of it.
const LEFT_OUT: &[&str] = &[
    "CONTRIBUTING.md",
    "Caddyfile",
    "Dockerfile",
    "LICENSE",
    "LICENSE.md",
    "Makefile",
    "README.md",
    "Staticfile",
    "docker-compose.yml",
    "netlify.toml",
    "nginx.conf",
    "peelbox.yaml",
    "universalbuild.json",
    "universalbuild.yaml",
    "vercel.json",
];

const LANGUAGE: Language = Language {
    name: "Static sites",
    build_systems: &["none"],
    frameworks: &[],
    manifests: &["Staticfile", "index.html"],
};

impl Provider for StaticSite {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn looks_at_others(&self) -> bool {
        true
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let mut sites = staticfiles(scan);
        for dir in scan.dirs_with(&["index.html"]) {
            let path = dir.path();
            if sites.iter().any(|site| is_within(path, site)) {
                continue;
            }
            if let Some(reason) = lookalike(path) {
                scan.reject(path, "a static site", reason);
                continue;
            }
            if let Some(reason) = report(dir) {
                scan.reject(path, "a static site", reason);
                continue;
            }
            if let Some(manifest) = extended(scan, dir) {
                let reason = format!("it belongs to the browser extension of `{manifest}`");
                scan.reject(path, "a static site", reason);
                continue;
            }
            let mut claims = scan.claims.iter();
            if let Some((_, owner)) = claims.find(|(claim, _)| is_within(path, claim)) {
                let reason = format!("it belongs to {owner}");
                scan.reject(path, "a static site", reason);
                continue;
            }
            if let Some(site) = generated(scan, path) {
                if site == path {
                    continue;
                }
                let site = crate::detect::provider::shown(&site).to_owned();
                scan.reject(
                    path,
                    "a static site",
                    format!("it belongs to the site `{site}`"),
                );
                continue;
            }
            if let Some(owner) = owner(scan, dir) {
                // The page of an app is no site beside it, and need not be told.
                let is_page = owner == path && scan.is_claimed(path);
                let is_told =
                    !scan.is_claimed(path) || (owner.is_empty() && !ROOTS.contains(&split(path).1));
                if is_told && !is_page {
                    let owner = crate::detect::provider::shown(&owner).to_owned();
                    scan.reject(path, "a static site", format!("it belongs to `{owner}`"));
                }
                continue;
            }
            sites.push(path.to_owned());
            match site(scan, dir) {
                Ok(draft) => scan.drafts.push(draft),
                Err(problem) => {
                    let draft = Draft::new(path, Kind::Static, "static", "none");
                    scan.refuse(draft, problem);
                }
            }
        }
    }
}

/// Why the page is what a tool wrote about code.
fn report(dir: Dir<'_>) -> Option<String> {
    let reports = dir.upwards().find_map(|above| {
        let (_, name) = split(above.path());
        REPORTS.contains(&name).then_some(name)
    });
    if let Some(name) = reports {
        return Some(format!("`{name}` directories hold reports of tools"));
    }
    let mut places = dir.upwards().filter(|above| !above.path().is_empty());
    places.find_map(|above| {
        let file = above.first(MEASURED)?;
        Some(format!(
            "`{}` says that it is a report of tests",
            above.join(file)
        ))
    })
}

/// The manifest of the browser extension that shows the page.
fn extended(scan: &mut Scan<'_>, dir: Dir<'_>) -> Option<String> {
    let manifests = dir.upwards().filter(|above| above.has("manifest.json"));
    let mut manifests = manifests.map(|above| above.join("manifest.json"));
    manifests.find(|file| {
        let document = scan.document(file, Syntax::Json);
        document.is_some_and(|document| document.get(&["manifest_version"]).is_some())
    })
}

/// The site that a generator builds, where the page lies in it.
fn generated(scan: &Scan<'_>, path: &str) -> Option<String> {
    let found = scan.drafts.iter().find(|draft| {
        let metadata = &draft.spec.metadata;
        metadata.language.as_deref() == Some("static")
            && metadata.build_system.as_deref() != Some("none")
            && is_within(path, &draft.path)
    });
    found.map(|draft| draft.path.clone())
}

/// The sites that a `Staticfile` declares, and the directories that they take.
fn staticfiles(scan: &mut Scan<'_>) -> Vec<String> {
    let mut sites = Vec::new();
    for dir in scan.dirs_with(&["Staticfile"]) {
        let path = dir.path();
        if let Some(reason) = lookalike(path) {
            scan.reject(path, "a static site", reason);
            continue;
        }
        let file = dir.join("Staticfile");
        let document = scan.document(&file, Syntax::Yaml);
        let root = document
            .as_ref()
            .and_then(|document| document.str(&["root"]));
        let root = root.unwrap_or(".").to_owned();
        let Some(place) = resolve(path, &root).and_then(|place| scan.repo.dir(&place)) else {
            let line = document.and_then(|document| document.line(&["root"]));
            let message = format!("names the directory `{root}`, which does not exist");
            scan.tell(Severity::Error, &file, line, message, None);
            scan.reject(
                path,
                "a static site",
                format!("its root `{root}` does not exist"),
            );
            continue;
        };
        if let Some(owner) = generated(scan, path) {
            let owner = crate::detect::provider::shown(&owner).to_owned();
            scan.reject(path, "a static site", format!("it belongs to `{owner}`"));
            continue;
        }
        sites.push(path.to_owned());
        match site(scan, place) {
            Ok(mut draft) => {
                draft.named_after = Some(path.to_owned());
                let line = document
                    .as_ref()
                    .and_then(|document| document.line(&["root"]));
                draft
                    .evidence
                    .push(Evidence::new("root", &root, "static.staticfile").at(&file, line));
                let metadata = &mut draft.spec.metadata;
                metadata.confidence = Some(95);
                metadata.reasoning = Some(format!("`{file}` declares a static site"));
                if let Some(document) = document
                    && document.get(&["pushstate"]).is_some()
                {
                    let message = "asks for `pushstate`: pages that do not exist are answered with 404 and not with the first page";
                    scan.warn(&file, document.line(&["pushstate"]), message);
                }
                scan.drafts.push(draft);
            }
            Err(problem) => {
                let draft = Draft::new(path, Kind::Static, "static", "none");
                scan.refuse(draft, problem);
            }
        }
    }
    sites
}

/// The directory at or above a page whose manifest the page belongs to.
fn owner(scan: &Scan<'_>, dir: Dir<'_>) -> Option<String> {
    if let Some(app) = scan
        .drafts
        .iter()
        .find(|draft| !draft.path.is_empty() && is_within(dir.path(), &draft.path))
    {
        return Some(app.path.clone());
    }
    for above in dir.upwards() {
        let has_manifest = above.first(MANIFESTS).is_some();
        if !has_manifest {
            continue;
        }
        // A root that only groups its members owns no pages, except in the places where tools put them.
        let is_container =
            above.path().is_empty() && !scan.drafts.iter().any(|draft| draft.path.is_empty());
        let below = dir
            .path()
            .get(above.path().len()..)
            .unwrap_or_default()
            .trim_start_matches('/');
        if !is_container
            || below.is_empty()
            || ["public", "src", "static"].contains(&split(below).1)
        {
            return Some(above.path().to_owned());
        }
    }
    None
}

fn site(scan: &mut Scan<'_>, dir: Dir<'_>) -> Result<Draft, Problem> {
    let path = dir.path();
    let page = dir.join("index.html");
    let server = server(scan, &page)?;
    let mut draft = Draft::new(path, Kind::Static, "static", "none");
    let (parent, name) = split(path);
    if ROOTS.contains(&name) {
        // `landing/public` is called `landing`.
        draft.named_after = Some(parent.to_owned());
    }
    let names = dir
        .files()
        .iter()
        .filter(|name| !name.starts_with('.') && !LEFT_OUT.contains(&name.as_str()))
        .chain(
            dir.dirs()
                .iter()
                .filter(|name| !name.starts_with('.') || *name == ".well-known"),
        );
    let spec = &mut draft.spec;
    spec.runtime.copy = names
        .map(|name| Copy {
            from: name.to_string(),
            to: name.to_string(),
        })
        .collect();
    spec.runtime.copy.sort();
    spec.runtime.packages = vec![server];
    spec.runtime.ports = vec![PORT];
    if !path.is_empty() {
        spec.build.context = vec![tree_glob(path)];
    }
    spec.metadata.confidence = Some(if name == "docs" { 60 } else { 80 });
    spec.metadata.reasoning = Some(format!(
        "`{page}` is a page that no build produces and no other app claims"
    ));
    draft
        .evidence
        .push(Evidence::new("kind", "static", "static.index-html").at(&page, None));
    Ok(draft)
}

/// The web server's package.
pub(crate) fn server(scan: &Scan<'_>, file: &str) -> Result<String, Problem> {
    scan.catalog
        .package("nginx")
        .ok_or_else(|| Problem::new(file, None, "the index has no package that provides `nginx`"))
}
