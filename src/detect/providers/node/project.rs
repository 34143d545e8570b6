//! A package with what surrounds it: its manager, the members that it needs, the files that its build may see.

use std::collections::BTreeSet;

use crate::detect::document::{Document, Syntax};
use crate::detect::provider::{Scan, literal_glob, shown, tree_glob};
use crate::detect::repo::{is_within, join, relative, resolve};
use crate::detect::source::{self, Family};

use super::config;
use super::group::{self, Group, Kind};
use super::manager::{self, Manager};
use super::orchestrator::{self, Orchestrator};
use super::package::{Package, Packages};
use super::steps;

/// A workspace of more members is not described member by member, in the plan of each of them.
pub(super) const MANY: usize = 1000;

/// A package with what surrounds it.
pub(super) struct Project<'a> {
    pub(super) package: &'a Package,
    pub(super) packages: &'a Packages,
    pub(super) manager: Manager,
    pub(super) group: Option<&'a Group>,
    pub(super) orchestrator: Option<Orchestrator>,
    /// The members that it needs to build or run, dependencies first.
    pub(super) internal: Vec<String>,
    /// Of those, the ones that it needs to run.
    pub(super) shipped: Vec<String>,
    /// Packages by path that belong to no workspace.
    pub(super) local: Vec<String>,
    pub(super) context: Vec<String>,
}

impl Project<'_> {
    pub(super) fn build_script(&self) -> &'static str {
        ["build", "build:production", "build:prod"]
            .into_iter()
            .find(|name| self.package.script(name).is_some())
            .unwrap_or("build")
    }

    /// Whether anything builds it: a script, or a target of an orchestrator.
    pub(super) fn has_build(&self) -> bool {
        self.package.script(self.build_script()).is_some()
            || orchestrator::target(self.package).is_some()
    }

    /// The text of the script that builds it.
    pub(super) fn build_text(&self) -> &str {
        self.package.script(self.build_script()).unwrap_or_default()
    }

    /// How the manager is told which member is meant.
    pub(super) fn filter(&self) -> String {
        match &self.package.name {
            Some(name) => name.clone(),
            None => format!("./{}", relative(&self.manager.root, &self.package.dir)),
        }
    }

    pub(super) fn root_package(&self) -> &Package {
        self.packages
            .get(&self.manager.root)
            .unwrap_or(self.package)
    }

    pub(super) fn root_document(&self) -> &Document {
        &self.root_package().document
    }

    pub(super) fn is_member(&self) -> bool {
        self.manager.root != self.package.dir
    }

    /// Whether the manager itself knows it as a member.
    pub(super) fn is_workspace_member(&self) -> bool {
        self.is_member() && self.group.is_some_and(|group| group.kind != Kind::Folders)
    }

    pub(super) fn members(&self) -> &[String] {
        self.group.map_or(&[], |group| &group.workspace.members)
    }

    /// Whether it uses a framework: it depends on it, and where all dependencies are the root's, it has the configuration.
    pub(super) fn uses(&self, scan: &Scan<'_>, name: &str, stems: &[&str]) -> bool {
        self.package.has(name)
            && (!self.package.inherits
                || stems
                    .iter()
                    .any(|stem| config::find(scan, &self.package.dir, stem).is_some()))
    }
}

/// Looks around a package.
pub(super) fn project<'a>(
    scan: &mut Scan<'_>,
    packages: &'a Packages,
    package: &'a Package,
    group: Option<&'a Group>,
) -> Project<'a> {
    let root = group.map(|group| group.workspace.root.as_str());
    // A root that Lerna alone links installs nothing for its members.
    let root = root.filter(|_| group.is_none_or(|group| group.kind != Kind::Lerna));
    let manager = manager::find(scan, package, root, group);
    let named = |name: &str| packages.get(group?.names.get(name)?);
    let mut project = Project {
        package,
        packages,
        manager,
        group,
        orchestrator: None,
        internal: closure(package, &named, true),
        shipped: closure(package, &named, false),
        local: local(packages, package),
        context: Vec::new(),
    };
    if package.inherits {
        project.internal = imported(scan, &project);
        project.shipped = Vec::new();
    }
    project.orchestrator = orchestrator::find(scan, &project);
    project.context = context(scan, &project);
    project
}

/// The members that a package depends on, dependencies first; each once, cycles cut.
fn closure<'p>(
    package: &'p Package,
    named: &dyn Fn(&str) -> Option<&'p Package>,
    with_dev: bool,
) -> Vec<String> {
    let needed = |package: &'p Package| -> Vec<&'p Package> {
        if package.inherits {
            return Vec::new();
        }
        let dev = package.dev_dependencies.iter().filter(|_| with_dev);
        let names = package.dependencies.iter().chain(dev);
        // What is taken from the end comes first.
        let found = names.filter_map(|name| named(name));
        found.collect::<Vec<_>>().into_iter().rev().collect()
    };
    let mut order = Vec::new();
    let mut seen = BTreeSet::from([package.dir.as_str()]);
    // A line of members may be longer than any stack is deep.
    let mut open = vec![(package, needed(package))];
    while let Some((_, waiting)) = open.last_mut() {
        match waiting.pop() {
            Some(next) if seen.insert(&next.dir) => open.push((next, needed(next))),
            Some(_) => {}
            None => order.extend(open.pop().map(|(done, _)| done.dir.clone())),
        }
    }
    order.pop();
    order
}

/// Packages that a path leads to: `file:`, `link:` and `portal:` dependencies.
fn local(packages: &Packages, package: &Package) -> Vec<String> {
    let mut found = BTreeSet::new();
    for table in ["dependencies", "devDependencies", "optionalDependencies"] {
        for name in package.document.keys(&[table]) {
            let Some(text) = package.document.str(&[table, name]) else {
                continue;
            };
            let path = ["file:", "link:", "portal:"]
                .iter()
                .find_map(|prefix| text.strip_prefix(prefix));
            let path = path.and_then(|path| resolve(&package.dir, path));
            found.extend(
                path.filter(|path| packages.contains_key(path) && !is_within(path, &package.dir)),
            );
        }
    }
    found.into_iter().collect()
}

/// The members whose files a member without a manifest imports by an alias, and those that they import.
fn imported(scan: &mut Scan<'_>, project: &Project<'_>) -> Vec<String> {
    let root = project.manager.root.clone();
    let mut aliases = Vec::new();
    for name in ["tsconfig.base.json", "tsconfig.json"] {
        if let Some(document) = scan.document(&join(&root, name), Syntax::Json) {
            aliases.extend(group::aliases(&document, &root));
        }
    }
    let members = project.members().to_vec();
    let mut found: Vec<String> = vec![project.package.dir.clone()];
    let mut at = 0;
    while at < found.len() {
        let others: Vec<String> = project.packages.keys().cloned().collect();
        let endings = ["ts", "tsx", "js", "jsx", "mts", "mjs"];
        let files = source::own_more(scan.repo, &found[at], &others, &endings, Family::Script);
        let strings = files.iter().flat_map(|file| &file.source.strings);
        for (_, text) in strings {
            let target = aliases.iter().find(|(alias, _)| {
                text == alias
                    || text
                        .strip_prefix(alias.as_str())
                        .is_some_and(|rest| rest.starts_with('/'))
            });
            let Some((_, target)) = target else { continue };
            let member = members.iter().find(|member| is_within(target, member));
            if let Some(member) = member.filter(|member| !found.contains(member)) {
                found.push(member.clone());
            }
        }
        at += 1;
    }
    found.remove(0);
    found.sort();
    found
}

/// What the build may see: the package, the members it needs, and the files at the root of the workspace.
fn context(scan: &Scan<'_>, project: &Project<'_>) -> Vec<String> {
    if project.package.dir.is_empty() {
        return Vec::new();
    }
    if project.is_member() && project.members().len() > MANY {
        // To name what is needed would take longer than to send it.
        let root = tree_glob(&project.manager.root);
        return if root == "**" { Vec::new() } else { vec![root] };
    }
    let mut globs: BTreeSet<String> = BTreeSet::from([tree_glob(&project.package.dir)]);
    globs.extend(project.local.iter().map(|dir| tree_glob(dir)));
    if project.is_member() {
        around(scan, project, &mut globs);
    }
    let whole: Vec<String> = project
        .internal
        .iter()
        .chain([&project.package.dir])
        .map(|dir| format!("{}/", literal_glob(dir)))
        .collect();
    globs.retain(|glob| {
        glob.ends_with("/**") || !whole.iter().any(|dir| glob.starts_with(dir.as_str()))
    });
    // A tsconfig may extend a file of another member, which no dependency names.
    for dir in std::iter::once(&project.package.dir).chain(&project.internal) {
        globs.extend(extended(scan, dir));
        if let Some(package) = project.packages.get(dir) {
            globs.extend(called(scan, package));
        }
    }
    globs.into_iter().collect()
}

/// What a member's build needs of its workspace.
fn around(scan: &Scan<'_>, project: &Project<'_>, globs: &mut BTreeSet<String>) {
    let root = &project.manager.root;
    globs.extend(project.internal.iter().map(|dir| tree_glob(dir)));
    for dir in project.members() {
        for name in ["package.json", "package.json5", "project.json", "moon.yml"] {
            let file = join(dir, name);
            if scan.repo.has(&file) {
                globs.insert(literal_glob(&file));
            }
        }
        // The installation runs the scripts of every member, whoever needs it.
        if project
            .packages
            .get(dir)
            .is_some_and(steps::runs_on_install)
        {
            globs.insert(tree_glob(dir));
        }
    }
    if let Some(dir) = scan.repo.dir(root) {
        // Configuration that members extend lies at the root: tsconfig.base.json, turbo.json, .npmrc …
        let configs = dir.files().iter().filter(|name| is_config(name));
        globs.extend(configs.map(|name| literal_glob(&dir.join(name))));
    }
    for name in [
        ".yarn",
        "patches",
        ".moon",
        "common/config",
        "common/scripts",
    ] {
        let dir = join(root, name);
        if scan.repo.has_pruned(&dir) {
            globs.insert(tree_glob(&dir));
        }
    }
}

/// Whether a file at the root of a workspace may be configuration that its members read.
fn is_config(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_dotted = name.starts_with('.') && name.ends_with("rc");
    let is_lock = matches!(
        name,
        "yarn.lock"
            | "pnpm-workspace.yaml"
            | "pnpm-lock.yaml"
            | ".yarnrc.yml"
            | "bun.lock"
            | "bun.lockb"
            | "bunfig.toml"
            | "moon.yml"
    );
    let is_code = matches!(
        ending,
        "json" | "json5" | "js" | "cjs" | "mjs" | "ts" | "mts"
    );
    is_dotted || is_lock || is_code
}

/// The files outside of a package that its scripts name, each with what lies beside it.
fn called(scan: &Scan<'_>, package: &Package) -> Vec<String> {
    let words = package
        .scripts
        .values()
        .flat_map(|script| script.value.split_whitespace());
    let paths = words
        .map(|word| word.trim_matches(['"', '\'']))
        .filter(|word| word.starts_with("../"))
        .filter_map(|word| resolve(&package.dir, word));
    paths
        .filter_map(|path| {
            let dir = if scan.repo.has(&path) {
                crate::detect::repo::split(&path).0.to_owned()
            } else {
                path.clone()
            };
            let is_root = dir.is_empty() || scan.repo.has(&join(&dir, "package.json"));
            match (is_root, scan.repo.has(&path)) {
                (true, true) => Some(literal_glob(&path)),
                (true, false) => None,
                (false, _) => scan.repo.dir(&dir).map(|dir| tree_glob(dir.path())),
            }
        })
        .collect()
}

/// The files that a tsconfig extends outside of its directory.
fn extended(scan: &Scan<'_>, dir: &str) -> Vec<String> {
    let Ok(text) = scan.repo.text(&join(dir, "tsconfig.json")) else {
        return Vec::new();
    };
    let Ok(document) = Document::parse("tsconfig.json", &text, Syntax::Json) else {
        return Vec::new();
    };
    let mut paths = document.strings(&["extends"]);
    paths.extend(document.str(&["extends"]));
    paths
        .into_iter()
        .filter(|path| path.starts_with("../"))
        .filter_map(|path| {
            let file = resolve(dir, path)?;
            [file.clone(), format!("{file}.json")]
                .into_iter()
                .find(|file| scan.repo.has(file))
        })
        .map(|file| literal_glob(&file))
        .collect()
}

/// The first member that depends on a package.
pub(super) fn user(project: &Project<'_>) -> Option<String> {
    let name = project.package.name.as_deref()?;
    project
        .members()
        .iter()
        .filter(|dir| **dir != project.package.dir)
        .find(|dir| {
            project
                .packages
                .get(*dir)
                .is_some_and(|other| !other.inherits && other.has(name))
        })
        .map(|dir| shown(dir).to_owned())
}
