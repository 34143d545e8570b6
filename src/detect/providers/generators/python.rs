//! Generators of Python: MkDocs and Sphinx.

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Problem, Scan, literal_glob, quoted, unavailable};
use crate::detect::repo::{Dir, join, relative, split};
use crate::detect::source::{Family, Source};
use crate::detect::version;

use super::super::python::TOOL;
use super::{SITE, Site, answer, documented, draft};

/// The environment that the tools are installed to.
const VENV: &str = "/venv";

/// Files that list what a site is built with.
const REQUIREMENTS: &[&str] = &[
    "requirements.txt",
    "docs/requirements.txt",
    "requirements-docs.txt",
    "docs-requirements.txt",
    "requirements/docs.txt",
];

/// A MkDocs site.
pub(super) fn mkdocs(scan: &mut Scan<'_>, dir: Dir<'_>) -> Site {
    let Some(name) = dir.first(&["mkdocs.yml", "mkdocs.yaml"]) else {
        return Site::Other;
    };
    let manifest = dir.join(name);
    if let Some(project) = documented(scan, dir) {
        return Site::Not(format!(
            "it is the documentation of the project of `{project}`"
        ));
    }
    let mut draft = draft(scan, dir.path(), "mkdocs", &manifest, "a MkDocs site");
    let problem = install(scan, &mut draft, dir, &manifest, "mkdocs");
    let file = if name == "mkdocs.yml" {
        ""
    } else {
        " -f mkdocs.yaml"
    };
    let build = format!("{VENV}/bin/mkdocs build{file} --site-dir {SITE}");
    draft.spec.build.commands.push(build);
    answer(scan, draft, &manifest, problem)
}

/// A Sphinx site.
pub(super) fn sphinx(scan: &mut Scan<'_>, dir: Dir<'_>) -> Site {
    if dir.first(&["index.rst", "index.md"]).is_none() {
        return Site::Other;
    }
    let manifest = dir.join("conf.py");
    let Ok(text) = dir.text("conf.py") else {
        return Site::Other;
    };
    let source = Source::parse(&text, Family::Python);
    let is_configuration = source.code.lines().any(|line| {
        let name = line.split('=').next().unwrap_or_default().trim();
        line.contains('=') && matches!(name, "extensions" | "html_theme" | "project" | "master_doc")
    });
    if !is_configuration {
        return Site::Other;
    }
    if let Some(project) = documented(scan, dir) {
        return Site::Not(format!(
            "it is the documentation of the project of `{project}`"
        ));
    }
    // `docs/source` with its requirements in `docs`, or beside `docs`.
    let (parent, name) = split(dir.path());
    let root = match scan.repo.dir(parent) {
        Some(above) if name == "source" && dir.first(REQUIREMENTS).is_none() => above,
        _ => dir,
    };
    let mut draft = draft(scan, root.path(), "sphinx", &manifest, "a Sphinx site");
    let problem = install(scan, &mut draft, root, &manifest, "sphinx");
    let from = relative(root.path(), dir.path());
    let from = if from.is_empty() {
        ".".to_owned()
    } else {
        quoted(&from)
    };
    let build = format!("{VENV}/bin/python -m sphinx -b html {from} {SITE}");
    draft.spec.build.commands.push(build);
    answer(scan, draft, &manifest, problem)
}

/// Installs what the requirements file lists, among which `tool` must be.
fn install(
    scan: &mut Scan<'_>,
    draft: &mut Draft,
    dir: Dir<'_>,
    manifest: &str,
    tool: &str,
) -> Option<Problem> {
    let mut sources = scan.tool_versions(dir, &TOOL);
    sources.extend(version::version_files(dir, &[".python-version"]));
    let chosen = match scan.toolchain(&TOOL, &sources) {
        Ok(chosen) => chosen,
        Err(error) => return Some(unavailable(manifest, error)),
    };
    draft.evidence.push(chosen.evidence.clone());
    draft.spec.build.packages = vec![chosen.stream.package.clone()];
    let found = REQUIREMENTS.iter().find_map(|name| {
        let file = dir.join(name);
        let text = scan.repo.text(&file).ok()?;
        let line = requirement(&text, tool)?;
        Some((*name, file, text, line))
    });
    let Some((name, file, text, (line, written))) = found else {
        let message = format!("no requirements file beside it names `{tool}`");
        let help = format!(
            "write `requirements.txt` with `{tool}` and its plugins, best with their versions"
        );
        return Some(Problem::new(manifest, None, message).help(help));
    };
    draft.evidence.push(
        Evidence::new("install", name, "static.requirements")
            .at(&file, Some(line))
            .written(written),
    );
    let build = &mut draft.spec.build;
    for (name, value) in [
        ("PIP_CACHE_DIR", "/root/.cache/pip"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_NO_INPUT", "1"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
    ] {
        build.env.insert(name.to_owned(), value.to_owned());
    }
    build.cache = vec!["/root/.cache/pip".to_owned()];
    let commands = vec![
        format!("/usr/bin/python{} -m venv {VENV}", chosen.stream.name),
        format!("{VENV}/bin/python -m pip install -r {}", quoted(name)),
    ];
    // A file that names others, or directories of the repository, needs them all.
    let is_alone = !text
        .lines()
        .any(|line| line.starts_with('-') || line.starts_with('.'));
    if is_alone {
        build.install.files = vec![literal_glob(&join(dir.path(), name))];
        build.install.commands = commands;
    } else {
        build.commands.extend(commands);
    }
    None
}

/// The line of a requirement whose name is `tool` or that brings it as a theme of it does.
fn requirement(text: &str, tool: &str) -> Option<(u64, String)> {
    text.lines().zip(1..).find_map(|(line, number)| {
        let end = line.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c));
        let name = line[..end.unwrap_or(line.len())]
            .to_ascii_lowercase()
            .replace(['_', '.'], "-");
        let theme = format!("{tool}-");
        (name == tool || name.starts_with(&theme)).then(|| (number, line.trim().to_owned()))
    })
}
