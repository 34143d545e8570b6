//! One package of a repository: its manifest, and what the orchestrators beside it say.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::detect::document::{Document, Syntax};
use crate::detect::provider::Scan;
use crate::detect::repo::{Dir, relative};
use crate::detect::source::Fact;

/// All packages, by directory.
pub(crate) type Packages = BTreeMap<String, Package>;

/// One package of the repository.
#[derive(Debug)]
pub(crate) struct Package {
    pub(super) dir: String,
    pub(super) name: Option<String>,
    /// `package.json`, or what stands in its place.
    pub(super) document: Rc<Document>,
    /// Its `project.json`, where Nx reads one.
    pub(super) nx: Option<Rc<Document>>,
    /// Its `moon.yml`.
    pub(super) moon: Option<Rc<Document>>,
    pub(super) dependencies: BTreeSet<String>,
    pub(super) dev_dependencies: BTreeSet<String>,
    /// Scripts by name: those of the manifest, then the tasks of an orchestrator that are commands.
    pub(super) scripts: BTreeMap<String, Fact<String>>,
    /// The directories of packages below it, relative to it.
    pub(super) nested: BTreeSet<String>,
    /// Whether its dependencies are those of the repository's root, because it has no manifest of its own.
    pub(super) inherits: bool,
}

impl Package {
    /// Whether it depends on `name`, at run time or for the build.
    pub(super) fn has(&self, name: &str) -> bool {
        self.dependencies.contains(name) || self.dev_dependencies.contains(name)
    }

    pub(super) fn script(&self, name: &str) -> Option<&str> {
        self.scripts.get(name).map(|script| script.value.as_str())
    }

    pub(super) fn script_line(&self, name: &str) -> Option<u64> {
        self.scripts.get(name).map(|script| script.line)
    }

    /// The file in which a script stands.
    pub(super) fn script_file(&self, name: &str) -> &str {
        self.scripts
            .get(name)
            .map_or(&self.document.file, |script| &script.file)
    }

    /// The line on which a dependency stands, if it does in the package's own manifest.
    pub(super) fn dependency_line(&self, name: &str) -> Option<u64> {
        ["dependencies", "devDependencies", "optionalDependencies"]
            .iter()
            .find_map(|table| self.document.line(&[table, name]))
    }

    /// Whether it is written for others to use.
    pub(super) fn is_published(&self) -> Option<(&'static str, Option<u64>)> {
        [
            "exports",
            "types",
            "publishConfig",
            "files",
            "typings",
            "module",
        ]
        .into_iter()
        .find(|key| self.document.get(&[key]).is_some())
        .map(|key| (key, self.document.line(&[key])))
    }
}

/// Reads every package.
pub(crate) fn read(scan: &mut Scan<'_>) -> Rc<Packages> {
    if let Some(packages) = &scan.node {
        return Rc::clone(packages);
    }
    let mut packages = Packages::new();
    let found = scan.dirs_with(&["package.json", "package.json5"]);
    let paths: BTreeSet<&str> = found.iter().map(Dir::path).collect();
    for dir in &found {
        if let Some(package) = package(scan, *dir, &paths) {
            packages.insert(package.dir.clone(), package);
        }
    }
    for dir in scan.dirs_with(&["project.json", "moon.yml"]) {
        if packages.contains_key(dir.path()) {
            continue;
        }
        if let Some(package) = member(scan, dir, &packages) {
            packages.insert(package.dir.clone(), package);
        }
    }
    let packages = Rc::new(packages);
    scan.node = Some(Rc::clone(&packages));
    packages
}

fn package(scan: &mut Scan<'_>, dir: Dir<'_>, all: &BTreeSet<&str>) -> Option<Package> {
    let document = if dir.has("package.json") {
        scan.document(&dir.join("package.json"), Syntax::Json)?
    } else {
        scan.document(&dir.join("package.json5"), Syntax::Json5)?
    };
    let names = |tables: &[&str]| -> BTreeSet<String> {
        tables
            .iter()
            .flat_map(|table| document.keys(&[table]))
            .map(str::to_owned)
            .collect()
    };
    let (nx, moon) = orchestrated(scan, dir);
    let mut scripts = tasks(nx.as_deref(), moon.as_deref());
    for name in document.keys(&["scripts"]) {
        if let Some(text) = document.str(&["scripts", name]) {
            let line = document.line(&["scripts", name]).unwrap_or(1);
            scripts.insert(name.to_owned(), fact(&document, text, line));
        }
    }
    let path = dir.path();
    let below = if path.is_empty() {
        String::new()
    } else {
        format!("{path}/")
    };
    let nested = all
        .range(below.as_str()..)
        .take_while(|other| other.starts_with(&below))
        .filter(|other| **other != path)
        .map(|other| relative(path, other))
        .collect();
    Some(Package {
        dir: path.to_owned(),
        name: document.str(&["name"]).map(str::to_owned),
        dependencies: names(&["dependencies", "optionalDependencies"]),
        dev_dependencies: names(&["devDependencies"]),
        document,
        nx,
        moon,
        scripts,
        nested,
        inherits: false,
    })
}

/// A member that only an orchestrator knows; its dependencies are those of the root.
fn member(scan: &mut Scan<'_>, dir: Dir<'_>, packages: &Packages) -> Option<Package> {
    let (nx, moon) = orchestrated(scan, dir);
    let document = nx.clone().or_else(|| moon.clone())?;
    let root = dir
        .upwards()
        .skip(1)
        .find_map(|above| packages.get(above.path()))?;
    let scripts = tasks(nx.as_deref(), moon.as_deref());
    let name = document
        .str(&["name"])
        .or_else(|| document.str(&["id"]))
        .unwrap_or_else(|| crate::detect::repo::split(dir.path()).1);
    Some(Package {
        dir: dir.path().to_owned(),
        name: Some(name.to_owned()),
        dependencies: root.dependencies.clone(),
        dev_dependencies: root.dev_dependencies.clone(),
        document,
        nx,
        moon,
        scripts,
        nested: BTreeSet::new(),
        inherits: true,
    })
}

/// What Nx and moon say of a directory, each only below the root that makes it one of theirs.
fn orchestrated(scan: &mut Scan<'_>, dir: Dir<'_>) -> (Option<Rc<Document>>, Option<Rc<Document>>) {
    let is_nx = dir.has("project.json") && dir.upwards().any(|above| above.has("nx.json"));
    let nx = is_nx
        .then(|| scan.document(&dir.join("project.json"), Syntax::Json))
        .flatten();
    let moon = dir
        .has("moon.yml")
        .then(|| scan.document(&dir.join("moon.yml"), Syntax::Yaml))
        .flatten();
    (nx, moon)
}

/// The tasks of an orchestrator that are commands, by name.
fn tasks(nx: Option<&Document>, moon: Option<&Document>) -> BTreeMap<String, Fact<String>> {
    let mut scripts = BTreeMap::new();
    for name in moon.iter().flat_map(|moon| moon.keys(&["tasks"])) {
        let Some(moon) = moon else { continue };
        let keys = ["tasks", name, "command"];
        let text = match moon
            .str(&keys)
            .or_else(|| moon.str(&["tasks", name, "script"]))
        {
            Some(text) => text.to_owned(),
            None => moon.strings(&keys).join(" "),
        };
        if !text.is_empty() {
            let line = moon
                .line(&keys)
                .or_else(|| moon.line(&["tasks", name]))
                .unwrap_or(1);
            scripts.insert(name.to_owned(), fact(moon, &text, line));
        }
    }
    for name in nx.iter().flat_map(|nx| nx.keys(&["targets"])) {
        let Some(nx) = nx else { continue };
        for keys in [
            &["targets", name, "command"][..],
            &["targets", name, "options", "command"],
        ] {
            if let Some(text) = nx.str(keys) {
                let line = nx.line(keys).unwrap_or(1);
                scripts.insert(name.to_owned(), fact(nx, text, line));
            }
        }
    }
    scripts
}

fn fact(document: &Document, text: &str, line: u64) -> Fact<String> {
    Fact {
        value: text.to_owned(),
        file: document.file.clone(),
        line,
    }
}
