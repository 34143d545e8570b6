//! Groups of packages that belong together: the workspaces of package managers, and what orchestrators make of folders.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::document::{Document, Syntax};
use crate::detect::provider::Scan;
use crate::detect::repo::{is_within, join, resolve};
use crate::detect::workspace::{self, Workspace};

use super::package::Packages;

/// What makes a group of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A package manager: npm, Yarn, pnpm or bun install all members together.
    Manager,
    /// Rush, which installs with a manager of its own.
    Rush,
    /// Lerna alone, which links the members.
    Lerna,
    /// Nx or moon: the members have no dependencies of their own.
    Folders,
}

/// A group of packages.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) kind: Kind,
    pub(super) workspace: Workspace,
    /// The file that names the members, and the line.
    pub(super) file: String,
    pub(super) line: Option<u64>,
    /// The directories of the members that have a name, by that.
    pub(super) names: BTreeMap<String, String>,
}

/// Finds every group; what is named first comes first.
pub(super) fn all(scan: &mut Scan<'_>, packages: &Packages) -> Vec<Group> {
    let mut groups = Vec::new();
    for dir in scan.dirs_with(&["package.json", "pnpm-workspace.yaml"]) {
        groups.extend(managed(scan, dir.path(), packages));
    }
    for dir in scan.dirs_with(&["rush.json"]) {
        groups.extend(rush(scan, dir.path()));
    }
    for dir in scan.dirs_with(&["lerna.json"]) {
        let is_known = groups
            .iter()
            .any(|group| group.workspace.root == dir.path() && group.kind == Kind::Manager);
        if !is_known {
            groups.extend(lerna(scan, dir.path()));
        }
    }
    groups.extend(folders(packages));
    for group in &mut groups {
        let members = group.workspace.members.iter();
        let members = members.filter_map(|dir| packages.get(dir));
        let named = members.filter_map(|one| Some((one.name.clone()?, one.dir.clone())));
        group.names = named.collect();
    }
    groups
}

/// The group in which the package in `dir` is a member, or whose root it is.
pub(super) fn of<'g>(groups: &'g [Group], dir: &str) -> Option<&'g Group> {
    let is_member = |group: &&Group| group.workspace.members.iter().any(|member| member == dir);
    let is_root = |group: &&Group| group.workspace.root == dir;
    groups
        .iter()
        .find(is_member)
        .or_else(|| groups.iter().find(is_root))
}

fn managed(scan: &mut Scan<'_>, dir: &str, packages: &Packages) -> Option<Group> {
    let mut workspace = workspace::node(scan, dir)?;
    // Members of pnpm may have a manifest in another syntax.
    let pnpm = join(dir, "pnpm-workspace.yaml");
    let (file, line) = if scan.repo.has(&pnpm) {
        let document = scan.document(&pnpm, Syntax::Yaml)?;
        let patterns = document.strings(&["packages"]);
        let more = workspace::expand(scan.repo, dir, &patterns, "package.json5");
        workspace.members.extend(more);
        workspace.members.sort();
        workspace.members.dedup();
        (pnpm, document.line(&["packages"]))
    } else {
        let file = join(dir, "package.json");
        let document = scan.document(&file, Syntax::Json)?;
        (file, document.line(&["workspaces"]))
    };
    workspace
        .members
        .retain(|member| packages.contains_key(member) && member != dir);
    if workspace.members.is_empty() {
        scan.warn(&file, line, "names workspaces that match no package");
    }
    Some(Group {
        kind: Kind::Manager,
        workspace,
        file,
        line,
        names: BTreeMap::new(),
    })
}

fn rush(scan: &mut Scan<'_>, dir: &str) -> Option<Group> {
    let file = join(dir, "rush.json");
    let document = scan.document(&file, Syntax::Json)?;
    let projects = document.get(&["projects"])?.as_array()?;
    let folders = projects
        .iter()
        .filter_map(|project| project.get("projectFolder")?.as_str())
        .filter_map(|folder| resolve(dir, folder));
    let members: BTreeSet<String> = folders
        .filter(|folder| scan.repo.has(&join(folder, "package.json")))
        .collect();
    Some(Group {
        kind: Kind::Rush,
        workspace: Workspace {
            root: dir.to_owned(),
            members: members.into_iter().collect(),
        },
        line: document.line(&["projects"]),
        file,
        names: BTreeMap::new(),
    })
}

fn lerna(scan: &mut Scan<'_>, dir: &str) -> Option<Group> {
    let file = join(dir, "lerna.json");
    let document = scan.document(&file, Syntax::Json)?;
    let mut patterns = document.strings(&["packages"]);
    if patterns.is_empty() {
        patterns.push("packages/*");
    }
    let members = workspace::expand(scan.repo, dir, &patterns, "package.json");
    Some(Group {
        kind: Kind::Lerna,
        workspace: Workspace {
            root: dir.to_owned(),
            members,
        },
        line: document.line(&["packages"]),
        file,
        names: BTreeMap::new(),
    })
}

/// The members that have no manifest of their own, with the root whose dependencies they share.
fn folders(packages: &Packages) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for package in packages.values().filter(|package| package.inherits) {
        let root = packages
            .values()
            .filter(|other| !other.inherits && is_within(&package.dir, &other.dir))
            .max_by_key(|other| other.dir.len());
        let Some(root) = root else { continue };
        match groups
            .iter_mut()
            .find(|group| group.workspace.root == root.dir)
        {
            Some(group) => group.workspace.members.push(package.dir.clone()),
            None => groups.push(Group {
                kind: Kind::Folders,
                workspace: Workspace {
                    root: root.dir.clone(),
                    members: vec![package.dir.clone()],
                },
                file: package.document.file.clone(),
                line: Some(1),
                names: BTreeMap::new(),
            }),
        }
    }
    groups
}

/// The directories that the aliases of a TypeScript configuration lead to, by what an import begins with.
pub(super) fn aliases(document: &Document, base: &str) -> Vec<(String, String)> {
    let keys = document.keys(&["compilerOptions", "paths"]);
    let targets = keys.iter().filter_map(|key| {
        let paths = document.strings(&["compilerOptions", "paths", key]);
        let target = resolve(base, paths.first()?.trim_end_matches("/*"))?;
        Some((key.trim_end_matches("/*").to_owned(), target))
    });
    targets.collect()
}
