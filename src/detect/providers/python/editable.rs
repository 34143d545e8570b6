//! Dependencies that an environment refers to by their path, in place of having them.

use std::collections::BTreeMap;

use crate::detect::document::Syntax;
use crate::detect::explain::Evidence;
use crate::detect::provider::Scan;
use crate::detect::repo::{join, resolve};

use super::manager::Manager;
use super::{Project, lock};

/// Where the repository lies while the environment is made, and so where the references point to.
const SOURCE: &str = "/src";

/// The directories in the build stage that the project's environment refers to.
///
/// Its own is not among them: what is started finds that in the directory it runs in.
pub(super) fn referred_to(scan: &mut Scan<'_>, project: &Project) -> BTreeMap<String, Evidence> {
    let found = match &project.manager {
        Manager::Poetry => by_poetry(scan, project),
        Manager::Pipenv(_) => by_pipenv(scan, project),
        _ => Vec::new(),
    };
    let dirs = found.into_iter().filter_map(|(path, file, line)| {
        let dir = resolve(&project.dir, &path).filter(|dir| *dir != project.dir)?;
        let evidence = Evidence::new("copy", &dir, "python.editable")
            .at(&file, line)
            .written(&path)
            .note("it is installed in place: the environment refers to it by its path");
        Some((format!("{SOURCE}/{dir}"), evidence))
    });
    dirs.collect()
}

/// A path as it is written, its file and its line.
type Written = (String, String, Option<u64>);

fn by_poetry(scan: &Scan<'_>, project: &Project) -> Vec<Written> {
    let file = join(&project.dir, "poetry.lock");
    if let Some(text) = scan.repo.lock(&file) {
        let packages = lock::packages(&text);
        let paths = packages.iter().filter_map(lock::Locked::in_place);
        return paths
            .map(|(path, line)| (path.to_owned(), file.clone(), Some(line)))
            .collect();
    }
    let Some(document) = &project.pyproject else {
        return Vec::new();
    };
    let table = ["tool", "poetry", "dependencies"];
    let key = |name, last| [table[0], table[1], table[2], name, last];
    document
        .keys(&table)
        .into_iter()
        .filter(|name| {
            let develop = document.get(&key(name, "develop"));
            develop.and_then(serde_json::Value::as_bool) == Some(true)
        })
        .filter_map(|name| {
            let path = document.str(&key(name, "path"))?.to_owned();
            Some((
                path,
                document.file.clone(),
                document.line(&key(name, "path")),
            ))
        })
        .collect()
}

fn by_pipenv(scan: &mut Scan<'_>, project: &Project) -> Vec<Written> {
    let lock = scan.document(&join(&project.dir, "Pipfile.lock"), Syntax::Json);
    let (document, table) = match (&lock, &project.pipfile) {
        (Some(lock), _) => (lock, "default"),
        (None, Some(pipfile)) => (pipfile, "packages"),
        (None, None) => return Vec::new(),
    };
    document
        .keys(&[table])
        .into_iter()
        .filter(|name| {
            let editable = document.get(&[table, name, "editable"]);
            editable.and_then(serde_json::Value::as_bool) == Some(true)
        })
        .filter_map(|name| {
            let key = [table, name, "path"];
            let path = document.str(&key)?.to_owned();
            Some((path, document.file.clone(), document.line(&key)))
        })
        .collect()
}
