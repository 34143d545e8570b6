//! Static site generators that are no part of a language's own ecosystem, or only of its tools.

mod packaged;
mod python;
mod ruby;

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan, shown, tree_glob};
use crate::detect::repo::{Dir, is_within, join, split, upwards};
use crate::spec::{Copy, Kind};

use super::static_site;

pub(crate) struct Generators;

/// The directory that sites are written to.
const SITE: &str = "/site";

const LANGUAGE: Language = Language {
    name: "Static site generators",
    build_systems: &["hugo", "jekyll", "mdbook", "mkdocs", "sphinx", "zola"],
    frameworks: &[],
    manifests: &[
        "_config.yaml",
        "_config.yml",
        "book.toml",
        "conf.py",
        "config.toml",
        "config.yaml",
        "hugo.json",
        "hugo.toml",
        "hugo.yaml",
        "hugo.yml",
        "mkdocs.yaml",
        "mkdocs.yml",
    ],
};

/// Manifests of projects that have their documentation beside or right below them.
const PROJECTS: &[&str] = &[
    "CMakeLists.txt",
    "Cargo.toml",
    "build.gradle",
    "build.gradle.kts",
    "composer.json",
    "go.mod",
    "meson.build",
    "mix.exs",
    "package.json",
    "pom.xml",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
];

/// What a file of configuration turned out to be.
enum Site {
    /// A site that can be built.
    Built(Draft),
    /// A site that cannot.
    Refused(Draft, Problem),
    /// No site, and why.
    Not(String),
    /// Something else altogether.
    Other,
}

type Read = fn(&mut Scan<'_>, Dir<'_>) -> Site;

const KINDS: &[(&[&str], &str, Read)] = &[
    (packaged::HUGO, "a Hugo site", packaged::hugo),
    (&["config.toml"], "a Zola site", packaged::zola),
    (&["book.toml"], "an mdBook", packaged::mdbook),
    (
        &["mkdocs.yaml", "mkdocs.yml"],
        "a MkDocs site",
        python::mkdocs,
    ),
    (&["conf.py"], "a Sphinx site", python::sphinx),
    (
        &["_config.yaml", "_config.yml"],
        "a Jekyll site",
        ruby::jekyll,
    ),
];

impl Provider for Generators {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn looks_at_others(&self) -> bool {
        true
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let mut sites: Vec<String> = Vec::new();
        for (names, looks_like, read) in KINDS {
            for dir in scan.dirs_with(names) {
                let path = dir.path();
                let site = read(scan, dir);
                if matches!(site, Site::Other) {
                    continue;
                }
                let owner = sites.iter().find(|site| is_within(path, site));
                if let Some(owner) = owner {
                    if owner != path {
                        let reason = format!("it is a part of the site `{}`", shown(owner));
                        scan.reject(path, looks_like, reason);
                    }
                    continue;
                }
                if passed_over(scan, path, looks_like, false) {
                    continue;
                }
                match site {
                    Site::Built(draft) => {
                        add(scan, &mut sites, &draft);
                        scan.drafts.push(draft);
                    }
                    Site::Refused(draft, problem) => {
                        add(scan, &mut sites, &draft);
                        scan.refuse(draft, problem);
                    }
                    Site::Not(reason) => {
                        scan.rejected
                            .retain(|rejected| rejected.path != shown(path));
                        scan.reject(path, looks_like, reason);
                    }
                    Site::Other => {}
                }
            }
        }
    }
}

/// Takes back what other languages said of the directory: they saw the tools that build the site.
fn add(scan: &mut Scan<'_>, sites: &mut Vec<String>, draft: &Draft) {
    let path = shown(&draft.path);
    scan.rejected.retain(|rejected| rejected.path != path);
    sites.push(draft.path.clone());
}

/// A site at `path` that `system` builds, as its configuration `manifest` says.
fn draft(scan: &Scan<'_>, path: &str, system: &str, manifest: &str, what: &str) -> Draft {
    let mut draft = Draft::new(path, Kind::Static, "static", system);
    draft.fallback = Some("site".to_owned());
    let spec = &mut draft.spec;
    spec.metadata.confidence = Some(90);
    spec.metadata.reasoning = Some(format!("`{manifest}` is the configuration of {what}"));
    spec.runtime.packages = scan.catalog.package("nginx").into_iter().collect();
    spec.runtime.ports = vec![static_site::PORT];
    spec.runtime.copy = vec![Copy {
        from: SITE.to_owned(),
        to: "/app".to_owned(),
    }];
    if !path.is_empty() {
        spec.build.context = vec![tree_glob(path)];
    }
    draft
        .evidence
        .push(Evidence::new("build_system", system, "static.generator").at(manifest, None));
    let port = static_site::PORT.to_string();
    draft
        .evidence
        .push(Evidence::new("port", port, "static.server-default"));
    draft
}

/// The draft as an answer: refused where it has no web server.
fn answer(scan: &Scan<'_>, draft: Draft, manifest: &str, problem: Option<Problem>) -> Site {
    let problem = problem.or_else(|| static_site::server(scan, manifest).err());
    match problem {
        None => Site::Built(draft),
        Some(problem) => Site::Refused(draft, problem),
    }
}

/// The project whose documentation lies in `dir`: one in it, right above it, or above its `docs`.
fn documented(scan: &Scan<'_>, dir: Dir<'_>) -> Option<String> {
    let mut above = upwards(dir.path());
    let own = above.next()?;
    let mut places = vec![own];
    let name = split(own).1;
    if matches!(name, "doc" | "docs" | "source" | "documentation") {
        places.extend(above.next());
        if name == "source" {
            places.extend(above.next());
        }
    }
    places.into_iter().find_map(|place| {
        let dir = scan.repo.dir(place)?;
        let manifest = dir.first(PROJECTS)?;
        Some(join(place, manifest))
    })
}
