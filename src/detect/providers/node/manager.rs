//! Package managers: which one a project uses.

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::{Candidate, Evidence};
use crate::detect::provider::Scan;
use crate::detect::repo::{join, relative, resolve, split, upwards};

use super::group::{Group, Kind};
use super::package::Package;

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Bun,
    Npm,
    Pnpm,
    /// Rush, which fetches the manager that it installs with.
    Rush,
    YarnBerry,
    YarnClassic,
}

/// The package manager of a project, and where its lock file lies.
#[derive(Clone, Debug)]
pub(super) struct Manager {
    pub(super) tool: Tool,
    /// The directory in which it installs.
    pub(super) root: String,
    /// The lock file, relative to the repository's root.
    pub(super) lock: Option<String>,
    /// The program in the repository that is the manager, relative to the repository's root.
    pub(super) vendored: Option<String>,
    /// The version that the repository names, with its place.
    pub(super) version: Option<(String, String, Option<u64>)>,
    pub(super) evidence: Evidence,
}

/// Lock files, the surest first.
const LOCKS: &[(&str, Tool)] = &[
    ("pnpm-lock.yaml", Tool::Pnpm),
    ("bun.lock", Tool::Bun),
    ("bun.lockb", Tool::Bun),
    ("yarn.lock", Tool::YarnClassic),
    ("package-lock.json", Tool::Npm),
    ("npm-shrinkwrap.json", Tool::Npm),
];

impl Tool {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bun => "bun",
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Rush => "rush",
            Self::YarnBerry => "yarn-berry",
            Self::YarnClassic => "yarn",
        }
    }

    /// The name under which people and manifests know it.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::YarnBerry => "yarn",
            other => other.name(),
        }
    }
}

impl Manager {
    /// How the manager is called from a directory.
    pub(super) fn call(&self, from: &str) -> String {
        match &self.vendored {
            Some(file) => {
                let file = relative(from, file);
                format!("node {}", crate::detect::provider::quoted(&file))
            }
            None => self.tool.program().to_owned(),
        }
    }

    /// A program of an installed package, called from the directory in which the manager installs.
    pub(super) fn exec(&self, words: &str) -> String {
        let call = self.call(&self.root);
        match self.tool {
            Tool::Npm => format!("npm exec -- {words}"),
            Tool::Pnpm => format!("pnpm exec {words}"),
            Tool::Rush => format!("node_modules/.bin/{words}"),
            Tool::Bun | Tool::YarnBerry | Tool::YarnClassic => format!("{call} run {words}"),
        }
    }
}

/// A manager that something names, with its version.
struct Named {
    tool: Tool,
    version: Option<(String, String, Option<u64>)>,
    vendored: Option<String>,
    evidence: Evidence,
}

/// Finds the package manager of a package, whose installation happens in `root` if it is a workspace member.
pub(super) fn find(
    scan: &mut Scan<'_>,
    package: &Package,
    root: Option<&str>,
    group: Option<&Group>,
) -> Manager {
    let root_dir = root.unwrap_or(&package.dir).to_owned();
    if let Some(group) = group.filter(|group| group.kind == Kind::Rush) {
        return rush(scan, group);
    }
    let root_manifest = join(&root_dir, "package.json");
    let at_root = scan.document(&root_manifest, Syntax::Json);
    let named = vendored(scan, &root_dir)
        .or_else(|| at_root.as_ref().and_then(|root| declared(root)))
        .or_else(|| declared(&package.document));
    let (locks, is_own) = locks(scan, &root_dir);
    let named = named
        .or_else(|| by_lock(&locks))
        .or_else(|| by_syntax(scan, &root_dir, package))
        .or_else(|| at_root.as_ref().and_then(|root| by_engines(root)))
        .or_else(|| by_engines(&package.document))
        .unwrap_or_else(|| Named {
            tool: Tool::Npm,
            version: None,
            vendored: None,
            evidence: Evidence::new("build_system", "npm", "node.manager-default"),
        });
    let locks = if is_own { locks } else { Vec::new() };
    chosen(scan, root_dir, named, &locks)
}

fn rush(scan: &Scan<'_>, group: &Group) -> Manager {
    let root = group.workspace.root.clone();
    let lock = join(&root, "common/config/rush/pnpm-lock.yaml");
    let evidence = Evidence::new("build_system", "rush", "node.rush").at(&group.file, None);
    Manager {
        tool: Tool::Rush,
        lock: scan.repo.has(&lock).then_some(lock),
        vendored: Some(join(&root, "common/scripts/install-run-rush.js")),
        root,
        version: None,
        evidence,
    }
}

/// The lock files of the nearest directory that has one, and whether that is where the manager installs.
fn locks(scan: &Scan<'_>, root: &str) -> (Vec<(String, Tool)>, bool) {
    for above in upwards(root) {
        let found: Vec<(String, Tool)> = LOCKS
            .iter()
            .map(|(name, tool)| (join(above, name), *tool))
            .filter(|(lock, _)| scan.repo.has(lock))
            .map(|(lock, tool)| match tool {
                Tool::YarnClassic if is_berry(scan, above) => (lock, Tool::YarnBerry),
                _ => (lock, tool),
            })
            .collect();
        if !found.is_empty() {
            return (found, above == root);
        }
    }
    (Vec::new(), true)
}

fn is_berry(scan: &Scan<'_>, dir: &str) -> bool {
    scan.repo.has(&join(dir, ".yarnrc.yml"))
        || scan
            .repo
            .lock(&join(dir, "yarn.lock"))
            .is_some_and(|head| head.contains("__metadata:"))
}

fn by_lock(locks: &[(String, Tool)]) -> Option<Named> {
    let (lock, tool) = locks.first()?;
    let evidence = Evidence::new("build_system", tool.name(), "node.lock-file").at(lock, None);
    Some(Named {
        tool: *tool,
        version: None,
        vendored: None,
        evidence,
    })
}

/// Files that only one manager reads.
fn by_syntax(scan: &Scan<'_>, root: &str, package: &Package) -> Option<Named> {
    let pnpm = join(root, "pnpm-workspace.yaml");
    let yarn = join(root, ".yarnrc.yml");
    let (tool, file) = if scan.repo.has(&pnpm) {
        (Tool::Pnpm, pnpm)
    } else if package.document.file.ends_with(".json5") {
        (Tool::Pnpm, package.document.file.clone())
    } else if scan.repo.has(&yarn) {
        (Tool::YarnBerry, yarn)
    } else {
        return None;
    };
    let evidence = Evidence::new("build_system", tool.name(), "node.manager-file").at(&file, None);
    Some(Named {
        tool,
        version: None,
        vendored: None,
        evidence,
    })
}

fn by_engines(document: &Document) -> Option<Named> {
    let known = [Tool::Pnpm, Tool::Bun, Tool::YarnClassic, Tool::Npm];
    let (tool, text) = known
        .into_iter()
        .find_map(|tool| Some((tool, document.str(&["engines", tool.name()])?)))?;
    let tool = if tool == Tool::YarnClassic {
        flavour(text)
    } else {
        tool
    };
    let line = document.line(&["engines", tool.program()]);
    let evidence = Evidence::new("build_system", tool.name(), "node.engines")
        .at(&document.file, line)
        .written(tool.program());
    Some(Named {
        tool,
        version: None,
        vendored: None,
        evidence,
    })
}

/// The Yarn that the repository carries along.
fn vendored(scan: &mut Scan<'_>, root: &str) -> Option<Named> {
    let file = join(root, ".yarnrc.yml");
    let document = scan.document(&file, Syntax::Yaml)?;
    let path = document.str(&["yarnPath"])?;
    let line = document.line(&["yarnPath"]);
    let full = resolve(root, path)?;
    if !scan.repo.has_pruned(split(&full).0) {
        let message = format!("names `{path}` as Yarn, which is not in the repository");
        scan.warn(&file, line, message);
        return None;
    }
    let tool = if split(&full).1.starts_with("yarn-1.") {
        Tool::YarnClassic
    } else {
        Tool::YarnBerry
    };
    let evidence = Evidence::new("build_system", tool.name(), "node.yarn-path")
        .at(&file, line)
        .written(path);
    Some(Named {
        tool,
        version: None,
        vendored: Some(full),
        evidence,
    })
}

/// Which Yarn a version is of.
fn flavour(version: &str) -> Tool {
    let version = version.trim_start_matches(['^', '~', '>', '=', 'v', ' ']);
    if version == "1" || version.starts_with("1.") || version.starts_with("0.") {
        Tool::YarnClassic
    } else {
        Tool::YarnBerry
    }
}

/// The manager that a manifest names.
fn declared(document: &Document) -> Option<Named> {
    for keys in [
        &["packageManager"][..],
        &["devEngines", "packageManager", "name"],
    ] {
        let Some(text) = document.str(keys) else {
            continue;
        };
        let (name, version) = text.split_once('@').unwrap_or((text, ""));
        let version = if keys.len() > 1 {
            document
                .str(&["devEngines", "packageManager", "version"])
                .unwrap_or_default()
        } else {
            version.split('+').next().unwrap_or_default()
        };
        let tool = match name {
            "bun" => Tool::Bun,
            "npm" => Tool::Npm,
            "pnpm" => Tool::Pnpm,
            "yarn" => flavour(version),
            _ => continue,
        };
        let line = document.line(keys);
        let evidence = Evidence::new("build_system", tool.name(), "node.package-manager")
            .at(&document.file, line)
            .written(name);
        let version =
            (!version.is_empty()).then(|| (version.to_owned(), document.file.clone(), line));
        return Some(Named {
            tool,
            version,
            vendored: None,
            evidence,
        });
    }
    None
}

fn chosen(scan: &mut Scan<'_>, root: String, named: Named, locks: &[(String, Tool)]) -> Manager {
    let Named {
        tool,
        version,
        vendored,
        mut evidence,
    } = named;
    let lock = locks.iter().find(|(_, of)| of.program() == tool.program());
    let lock = lock.map(|(lock, _)| lock.clone());
    for (other, of) in locks
        .iter()
        .filter(|(other, _)| Some(other) != lock.as_ref())
    {
        evidence.losing.push(Candidate {
            value: of.name().to_owned(),
            file: Some(other.clone()),
            line: None,
            reason: format!("{} is used", tool.name()),
        });
        let (of, used) = (of.name(), tool.name());
        let message = if of == used {
            format!(
                "is a second lock file of {of}: `{}` is used",
                lock.as_deref().unwrap_or_default()
            )
        } else {
            format!("is a lock file of {of}, but {used} is used")
        };
        scan.warn(other, None, message);
    }
    Manager {
        tool,
        root,
        lock,
        vendored,
        version,
        evidence,
    }
}
