//! What a Python project depends on.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::detect::document::{Document, Syntax};
use crate::detect::provider::{Scan, literal_glob};
use crate::detect::repo::{join, resolve, split};
use crate::detect::source::{Family, Source};

use super::lock;
use super::manager::Manager;
use super::{Project, internal_path};

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
    if name.is_empty() || text[end..].starts_with(['+', ':', '/']) {
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

/// Distributions that bring others along by themselves, for projects without a lock file that tells.
const IMPLIED: &[(&str, &str)] = &[
    ("channels[daphne]", "daphne"),
    ("fastapi[all]", "uvicorn"),
    ("fastapi[standard]", "uvicorn"),
    ("litestar[standard]", "uvicorn"),
    ("quart", "hypercorn"),
];

/// What was found so far.
#[derive(Default)]
struct Found {
    direct: BTreeSet<String>,
    extras: BTreeSet<String>,
    paths: Vec<String>,
    git: Option<(String, u64)>,
}

impl Found {
    fn add(&mut self, text: &str) {
        if let Some((name, extras)) = requirement(text) {
            let extras = extras.into_iter().map(|extra| format!("{name}[{extra}]"));
            self.extras.extend(extras);
            self.direct.insert(name);
        }
    }
}

/// Fills in what the project names and what its lock file adds.
pub(super) fn read(scan: &mut Scan<'_>, project: &mut Project) {
    let mut found = Found::default();
    if let Some(document) = project.pyproject.clone() {
        of_document(project, &document, &mut found);
    }
    match &project.manager {
        Manager::Requirements(file) => {
            let file = join(&project.dir, file);
            of_requirements(scan, project, &file, &mut found);
        }
        Manager::Pipenv(_) => of_pipfile(scan, project, &mut found),
        Manager::Project(_) => {
            for text in setup_list(scan, &project.dir, "install_requires") {
                found.add(&text);
            }
        }
        Manager::Inline(file) => {
            for text in inline(scan, &join(&project.dir, file)) {
                found.add(&text);
            }
        }
        _ => {}
    }
    found.direct.remove("python");
    project.all = found.direct.union(&found.extras).cloned().collect();
    for (name, implied) in IMPLIED {
        if project.all.contains(*name) {
            project.all.insert((*implied).to_owned());
        }
    }
    project.direct = found.direct;
    project.paths = found.paths;
    project.git = found.git;
    if let Some(text) = lock_file(project).and_then(|lock| scan.repo.lock(&lock)) {
        let packages = lock::packages(&text);
        project
            .all
            .extend(lock::closure(&packages, &project.direct));
    }
}

/// The lock file whose packages are listed as TOML.
pub(super) fn lock_file(project: &Project) -> Option<String> {
    match &project.manager {
        Manager::Uv(Some(root)) => Some(join(root, "uv.lock")),
        Manager::Poetry => Some(join(&project.dir, "poetry.lock")),
        Manager::Pdm(true) => Some(join(&project.dir, "pdm.lock")),
        _ => None,
    }
}

fn of_document(project: &Project, document: &Document, found: &mut Found) {
    for text in document.strings(&["project", "dependencies"]) {
        found.add(text);
        if text.contains("git+") && found.git.is_none() {
            let line = document.line(&["project", "dependencies"]).unwrap_or(0);
            found.git = Some((document.file.clone(), line));
        }
    }
    for name in document.keys(&["tool", "poetry", "dependencies"]) {
        found.direct.insert(normal(name));
        for extra in document.strings(&["tool", "poetry", "dependencies", name, "extras"]) {
            found
                .extras
                .insert(format!("{}[{}]", normal(name), normal(extra)));
        }
    }
    for table in [
        &["tool", "uv", "sources"][..],
        &["tool", "poetry", "dependencies"],
    ] {
        for name in document.keys(table) {
            let key = |last| -> Vec<&str> { table.iter().copied().chain([name, last]).collect() };
            let path = document.str(&key("path"));
            found
                .paths
                .extend(path.and_then(|path| internal_path(project, path)));
            if document.str(&key("git")).is_some() && found.git.is_none() {
                let line = document.line(&key("git")).unwrap_or(0);
                found.git = Some((document.file.clone(), line));
            }
        }
    }
}

fn of_pipfile(scan: &mut Scan<'_>, project: &Project, found: &mut Found) {
    if let Some(document) = &project.pipfile {
        for name in document.keys(&["packages"]) {
            found.direct.insert(normal(name));
            for extra in document.strings(&["packages", name, "extras"]) {
                found
                    .extras
                    .insert(format!("{}[{}]", normal(name), normal(extra)));
            }
            let path = document.str(&["packages", name, "path"]);
            found
                .paths
                .extend(path.and_then(|path| internal_path(project, path)));
            if document.str(&["packages", name, "git"]).is_some() && found.git.is_none() {
                let line = document.line(&["packages", name]).unwrap_or(0);
                found.git = Some((document.file.clone(), line));
            }
        }
    }
    let lock = scan.document(&join(&project.dir, "Pipfile.lock"), Syntax::Json);
    for name in lock.iter().flat_map(|lock| lock.keys(&["default"])) {
        found.extras.insert(normal(name));
    }
}

fn of_requirements(scan: &Scan<'_>, project: &Project, file: &str, found: &mut Found) {
    for (file, text) in requirement_lines(scan, file) {
        for (line, number) in text.lines().zip(1..) {
            let line = line.split(" #").next().unwrap_or_default().trim();
            if line.contains("git+") && found.git.is_none() {
                found.git = Some((file.clone(), number));
            }
            if let Some(path) = local_path(line) {
                // pip reads paths as seen from where it runs.
                let dir = internal_path(project, path).filter(|dir| *dir != project.dir);
                found.paths.extend(dir);
            } else if !line.starts_with(['-', '#']) {
                found.add(line);
            }
        }
    }
}

/// The directory that a line of a requirements file installs from.
fn local_path(line: &str) -> Option<&str> {
    let line = editable(line).unwrap_or(line);
    let path = line.split(['[', ';']).next().unwrap_or_default().trim();
    let path = path.strip_prefix("file:").unwrap_or(path);
    let is_path = path == "." || path.starts_with("./") || path.starts_with("../");
    (is_path && !path.ends_with(".whl") && !path.ends_with(".gz")).then_some(path)
}

/// What stands behind the flag for an editable installation.
fn editable(line: &str) -> Option<&str> {
    ["-e ", "--editable ", "--editable="]
        .iter()
        .find_map(|flag| line.strip_prefix(flag))
        .map(str::trim)
}

/// The directories that a project's requirements install in place, which an image without the source cannot have.
pub(super) fn editables(scan: &Scan<'_>, project: &Project) -> Vec<String> {
    let Manager::Requirements(file) = &project.manager else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (_, text) in requirement_lines(scan, &join(&project.dir, file)) {
        let lines = text
            .lines()
            .map(|line| line.split(" #").next().unwrap_or_default().trim());
        let paths = lines.filter(|line| editable(line).is_some());
        found.extend(paths.filter_map(local_path).map(str::to_owned));
    }
    found.sort();
    found.dedup();
    found
}

/// A requirements file and those that it includes, with their text.
fn requirement_lines(scan: &Scan<'_>, file: &str) -> Vec<(String, Arc<str>)> {
    let mut seen = BTreeSet::from([file.to_owned()]);
    let mut queue = vec![file.to_owned()];
    let mut found = Vec::new();
    while let Some(file) = queue.pop() {
        if found.len() > 20 {
            break;
        }
        let Ok(text) = scan.repo.text(&file) else {
            continue;
        };
        for line in text.lines() {
            let line = line.split(" #").next().unwrap_or_default().trim();
            let included = [
                "-r ",
                "-c ",
                "-r",
                "-c",
                "--requirement ",
                "--constraint ",
                "--requirement=",
                "--constraint=",
            ]
            .iter()
            .find_map(|flag| line.strip_prefix(flag));
            if let Some(other) = included.and_then(|other| resolve(split(&file).0, other.trim()))
                && scan.repo.has(&other)
                && seen.insert(other.clone())
            {
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
            local_path(line).is_some()
                || line.starts_with("./")
                || line.starts_with("../")
                || (line.contains("file:") && !line.starts_with('#'))
        })
    });
    let mut globs: Vec<String> = files.iter().map(|(file, _)| literal_glob(file)).collect();
    globs.sort();
    (!needs_source).then_some(globs)
}

/// The dependencies that a program names in its comments, PEP 723.
fn inline(scan: &Scan<'_>, file: &str) -> Vec<String> {
    let document = inline_metadata(scan, file);
    let list = document.iter().flat_map(|d| d.strings(&["dependencies"]));
    list.map(str::to_owned).collect()
}

/// The metadata in the comments of a program; its lines are those of the metadata.
pub(super) fn inline_metadata(scan: &Scan<'_>, file: &str) -> Option<Document> {
    let text = scan.repo.text(file).ok()?;
    let lines = text.lines().skip_while(|line| *line != "# /// script");
    let lines = lines.skip(1).take_while(|line| *line != "# ///");
    let metadata: Vec<&str> = lines
        .map(|line| line.trim_start_matches('#').trim_start())
        .collect();
    Document::parse(file, &metadata.join("\n"), Syntax::Toml).ok()
}

/// The texts of a list in `setup.cfg` or `setup.py`.
pub(super) fn setup_list(scan: &Scan<'_>, dir: &str, key: &str) -> Vec<String> {
    let texts = setup_cfg(scan, dir, key)
        .into_iter()
        .chain(setup_py(scan, dir, key));
    texts.map(|(text, _, _)| text).collect()
}

/// The lines below a key of `setup.cfg`, with their place.
pub(super) fn setup_cfg(scan: &Scan<'_>, dir: &str, key: &str) -> Vec<(String, String, u64)> {
    let file = join(dir, "setup.cfg");
    let Ok(text) = scan.repo.text(&file) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut is_open = false;
    for (line, number) in text.lines().zip(1..) {
        let value = if line.starts_with([' ', '\t']) {
            line
        } else {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            is_open = name.trim() == key;
            value
        };
        let value = value.trim();
        if is_open && !value.is_empty() && !value.starts_with('#') {
            found.push((value.to_owned(), file.clone(), number));
        }
    }
    found
}

/// The strings of an argument in `setup.py`, with their place.
pub(super) fn setup_py(scan: &Scan<'_>, dir: &str, key: &str) -> Vec<(String, String, u64)> {
    let file = join(dir, "setup.py");
    let Ok(text) = scan.repo.text(&file) else {
        return Vec::new();
    };
    let source = Source::parse(&text, Family::Python);
    // A key is an argument, or a string in a table.
    let quoted = source.strings.iter().find(|(_, text)| text == key);
    let Some(at) = source
        .find(key)
        .or(quoted.map(|(at, _)| at + key.len() + 2))
    else {
        return Vec::new();
    };
    let end = source.code[at..]
        .find([']', ')', '}'])
        .map_or(source.code.len(), |end| at + end);
    let strings = source.strings_in(at..end).iter();
    strings
        .map(|(start, text)| (text.clone(), file.clone(), source.line(*start)))
        .collect()
}
