//! What a Python project depends on.

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan, literal_glob};
use crate::detect::repo::{join, resolve, split};
use crate::wolfi::Stream;

use super::{Manager, Project, internal_path};

/// A name as the package index compares it (PEP 503).
pub(super) fn normal(name: &str) -> String {
    let mut normal = String::new();
    for character in name.trim().chars() {
        if matches!(character, '-' | '_' | '.') {
            if !normal.ends_with('-') {
                normal.push('-');
            }
        } else {
            normal.push(character.to_ascii_lowercase());
        }
    }
    normal
}

/// The name in a requirement, with its extras: `fastapi[standard]>=0.115`.
fn requirement(text: &str) -> Option<(String, Vec<String>)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c))
        .unwrap_or(text.len());
    let name = text[..end].trim_end_matches(['.', '-', '_']);
    if name.is_empty() {
        return None;
    }
    let extras = text[end..]
        .trim_start()
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'));
    let extras = extras
        .map(|(extras, _)| extras.split(',').map(normal).collect())
        .unwrap_or_default();
    Some((normal(name), extras))
}

/// Fills in what the project names and what its lock file adds.
pub(super) fn read(scan: &mut Scan<'_>, project: &mut Project) {
    let mut direct = BTreeSet::new();
    let mut extras = BTreeSet::new();
    let add = |text: &str, direct: &mut BTreeSet<String>, extras: &mut BTreeSet<String>| {
        if let Some((name, found)) = requirement(text) {
            extras.extend(found.into_iter().map(|extra| format!("{name}[{extra}]")));
            direct.insert(name);
        }
    };
    if let Some(document) = &project.pyproject {
        for text in document.strings(&["project", "dependencies"]) {
            add(text, &mut direct, &mut extras);
        }
        for name in document.keys(&["tool", "poetry", "dependencies"]) {
            direct.insert(normal(name));
            for extra in document.strings(&["tool", "poetry", "dependencies", name, "extras"]) {
                extras.insert(format!("{}[{}]", normal(name), normal(extra)));
            }
        }
        direct.remove("python");
    }
    if let Manager::Requirements(file) = &project.manager {
        for (_, text) in requirement_lines(scan, &join(&project.dir, file)) {
            for line in text.lines() {
                if !line.trim_start().starts_with(['-', '#']) {
                    add(line, &mut direct, &mut extras);
                }
            }
        }
    }
    project.all = direct.union(&extras).cloned().collect();
    // uvicorn comes with it.
    if project.all.contains("fastapi[standard]") {
        project.all.insert("uvicorn".to_owned());
    }
    let lock = match &project.manager {
        Manager::Uv(Some(root)) if *root == project.dir => Some(join(root, "uv.lock")),
        Manager::Poetry => Some(join(&project.dir, "poetry.lock")),
        _ => None,
    };
    project.direct = direct;
    if let Some(text) = lock.and_then(|lock| scan.repo.lock(&lock)) {
        let names = text
            .lines()
            .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        project.all.extend(names.map(normal));
    }
}

/// A requirements file and those that it includes, with their text.
fn requirement_lines(scan: &Scan<'_>, file: &str) -> Vec<(String, std::sync::Arc<str>)> {
    let mut seen = BTreeSet::new();
    let mut queue = vec![file.to_owned()];
    let mut found = Vec::new();
    while let Some(file) = queue.pop() {
        if found.len() > 20 || !seen.insert(file.clone()) {
            continue;
        }
        let Ok(text) = scan.repo.text(&file) else {
            continue;
        };
        for line in text.lines() {
            let line = line.trim();
            let included = [
                "-r ",
                "-c ",
                "--requirement ",
                "--constraint ",
                "--requirement=",
                "--constraint=",
            ]
            .iter()
            .find_map(|flag| line.strip_prefix(flag));
            if let Some(other) = included.and_then(|other| resolve(split(&file).0, other.trim())) {
                queue.push(other);
            }
        }
        found.push((file, text));
    }
    found
}

/// The files that `pip install -r` reads; none where it needs the source.
pub(super) fn requirement_files(scan: &Scan<'_>, project: &Project) -> Option<Vec<String>> {
    let Manager::Requirements(file) = &project.manager else {
        return None;
    };
    let files = requirement_lines(scan, &join(&project.dir, file));
    let needs_source = files.iter().any(|(_, text)| {
        text.lines().map(str::trim).any(|line| {
            line == "."
                || line.starts_with("./")
                || line.starts_with("../")
                || line.starts_with("-e")
                || line.starts_with("--editable")
                || line.contains("file:")
        })
    });
    let mut globs: Vec<String> = files.iter().map(|(file, _)| literal_glob(file)).collect();
    globs.sort();
    (!needs_source).then_some(globs)
}

/// The directories that a project names as sources of dependencies.
pub(super) fn paths(project: &Project) -> Vec<String> {
    let Some(document) = &project.pyproject else {
        return Vec::new();
    };
    let mut paths = Vec::new();
    for table in [
        &["tool", "uv", "sources"][..],
        &["tool", "poetry", "dependencies"],
    ] {
        for name in document.keys(table) {
            let keys: Vec<&str> = table.iter().copied().chain([name, "path"]).collect();
            paths.extend(
                document
                    .str(&keys)
                    .and_then(|path| internal_path(project, path)),
            );
        }
    }
    paths
}

/// Distributions whose source needs development files of a library.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("cryptography", &["openssl-dev", "pkgconf"]),
    ("lxml", &["libxml2-dev", "libxslt-dev", "pkgconf"]),
    ("mysqlclient", &["mariadb-connector-c-dev", "pkgconf"]),
    ("pillow", &["libjpeg-turbo-dev", "zlib-dev"]),
    ("psycopg-c", &["postgresql-dev"]),
    ("psycopg2", &["postgresql-dev"]),
    ("pycairo", &["cairo-dev", "pkgconf"]),
    ("python-ldap", &["openldap-dev"]),
    ("xmlsec", &["xmlsec-dev", "pkgconf"]),
];

/// Distributions that are published as source only, or nearly so, for projects without a lock file that tells.
const SOURCE_ONLY: &[&str] = &[
    "mysqlclient",
    "psycopg-c",
    "psycopg2",
    "pycairo",
    "python-ldap",
    "uwsgi",
];

/// The packages that building from source needs, with the reason for each.
pub(super) fn native(
    scan: &Scan<'_>,
    project: &Project,
    stream: &Stream,
) -> Result<Vec<(String, Evidence)>, Problem> {
    let (compiled, file) = match &project.manager {
        Manager::Uv(Some(root)) => {
            let lock = join(root, "uv.lock");
            (without_wheel(scan, &lock, &stream.name), lock)
        }
        _ => {
            let known = SOURCE_ONLY
                .iter()
                .filter(|name| project.all.contains(**name));
            (
                known.map(|name| (*name).to_owned()).collect(),
                project.manifest.clone(),
            )
        }
    };
    let mut packages: BTreeSet<(String, String)> = BTreeSet::new();
    for name in &compiled {
        packages.insert(("build-base".to_owned(), name.clone()));
        packages.insert((format!("python-{}-dev", stream.name), name.clone()));
        let needs = LIBRARIES
            .iter()
            .find(|(library, _)| library == name)
            .map_or(&[][..], |(_, needs)| needs);
        for need in needs {
            packages.insert(((*need).to_owned(), name.clone()));
        }
    }
    let mut found: Vec<(String, Evidence)> = Vec::new();
    for (need, name) in packages {
        let Some(package) = scan.catalog.package(&need) else {
            let message = format!(
                "`{name}` is built from source and needs `{need}`, which the index does not have"
            );
            return Err(Problem::new(&file, None, message));
        };
        if found.iter().any(|(known, _)| *known == package) {
            continue;
        }
        let evidence = Evidence::new("package", &package, "python.source-distribution")
            .at(&file, None)
            .note(format!("`{name}` has no wheel for this Python on Linux"));
        found.push((package, evidence));
    }
    Ok(found)
}

/// The locked distributions that have no wheel for this Python on Linux.
fn without_wheel(scan: &Scan<'_>, lock: &str, stream: &str) -> Vec<String> {
    let Some(text) = scan.repo.lock(lock) else {
        return Vec::new();
    };
    let tag = format!("-cp{}-", stream.replace('.', ""));
    text.split("[[package]]")
        .skip(1)
        .filter(|block| block.contains("\nsdist = {") && block.contains("source = { registry"))
        .filter(|block| {
            !block
                .lines()
                .filter(|line| line.contains(".whl"))
                .any(|line| {
                    line.contains("-none-any.whl")
                        || (line.contains("manylinux")
                            && (line.contains(&tag)
                                || line.contains("-abi3-")
                                || line.contains("-none-manylinux")))
                })
        })
        .filter(|block| is_compiled(block))
        .filter_map(|block| {
            block
                .lines()
                .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        })
        .map(normal)
        .collect()
}

/// A source distribution without any wheel may be pure Python; one with wheels for other platforms is not.
fn is_compiled(block: &str) -> bool {
    let name = block
        .lines()
        .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .map(normal);
    block.contains(".whl") || name.is_some_and(|name| SOURCE_ONLY.contains(&name.as_str()))
}

/// Programs that a distribution calls when it runs, by package.
const PROGRAMS: &[(&str, &str)] = &[
    ("pdf2image", "poppler-utils"),
    ("pydub", "ffmpeg"),
    ("pytesseract", "tesseract"),
];

/// The packages that dependencies call at run time without being linked to them.
pub(super) fn runtime(scan: &Scan<'_>, project: &Project) -> Vec<String> {
    PROGRAMS
        .iter()
        .filter(|(name, _)| project.direct.contains(*name))
        .filter_map(|(_, package)| scan.catalog.package(package))
        .collect()
}
