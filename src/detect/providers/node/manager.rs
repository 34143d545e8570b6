//! Package managers: which one a project uses, and its commands.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::document::Document;
use crate::detect::explain::{Candidate, Evidence};
use crate::detect::provider::{Problem, Scan, literal_glob, quoted};
use crate::detect::repo::{join, relative, upwards};

use super::{Package, Project};

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Npm,
    Pnpm,
    YarnBerry,
    YarnClassic,
    Bun,
}

/// The package manager of a project, and where its lock file lies.
#[derive(Clone, Debug)]
pub(super) struct Manager {
    pub(super) tool: Tool,
    /// The directory in which it installs.
    pub(super) root: String,
    /// The lock file, relative to the repository's root.
    pub(super) lock: Option<String>,
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

/// Files beside the manifest that an installation reads.
const CONFIGS: &[&str] = &[
    ".npmrc",
    ".pnpmfile.cjs",
    ".yarnrc",
    ".yarnrc.yml",
    "pnpm-workspace.yaml",
];

impl Tool {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnBerry | Self::YarnClassic => "yarn",
            Self::Bun => "bun",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Self::YarnBerry => "yarn-berry",
            other => other.name(),
        }
    }

    fn caches(self) -> &'static [&'static str] {
        match self {
            Self::Npm => &["/root/.npm"],
            Self::Pnpm => &["/root/.local/share/pnpm/store"],
            Self::YarnClassic => &["/root/.cache/yarn"],
            Self::YarnBerry => &["/root/.yarn/berry/cache"],
            Self::Bun => &[],
        }
    }
}

/// Finds the package manager for `dir`, whose installation happens in `root` if it is a workspace member.
pub(super) fn find(
    scan: &mut Scan<'_>,
    dir: &str,
    root: Option<&str>,
    document: &Document,
) -> Manager {
    let manifest_root = root.unwrap_or(dir).to_owned();
    let root_manifest = join(&manifest_root, "package.json");
    let declared = scan
        .document(&root_manifest, crate::detect::document::Syntax::Json)
        .and_then(|root| declared(&root))
        .or_else(|| declared(document));
    let mut locks = Vec::new();
    for above in upwards(&manifest_root) {
        locks = LOCKS
            .iter()
            .filter(|(name, _)| scan.repo.has(&join(above, name)))
            .map(|(name, tool)| (join(above, name), *tool))
            .collect();
        // A lock file above belongs to this project only if the project is part of what it locks.
        if !locks.is_empty() || root.is_some() || above != manifest_root {
            break;
        }
    }
    if root.is_none()
        && locks
            .iter()
            .any(|(lock, _)| crate::detect::repo::split(lock).0 != manifest_root)
    {
        locks.clear();
    }
    choose(scan, manifest_root, declared, locks)
}

fn choose(
    scan: &mut Scan<'_>,
    root: String,
    declared: Option<(Tool, Evidence)>,
    locks: Vec<(String, Tool)>,
) -> Manager {
    let flavour = |tool: Tool| {
        if tool == Tool::YarnClassic {
            yarn(scan, &root)
        } else {
            tool
        }
    };
    let locks: Vec<(String, Tool)> = locks
        .into_iter()
        .map(|(lock, tool)| (lock, flavour(tool)))
        .collect();
    let (tool, mut evidence) = match (declared, locks.first()) {
        (Some((tool, evidence)), _) => (tool, evidence),
        (None, Some((lock, tool))) => (
            *tool,
            Evidence::new("build_system", tool.name(), "node.lock-file").at(lock, None),
        ),
        (None, None) => (
            Tool::Npm,
            Evidence::new("build_system", "npm", "node.manager-default"),
        ),
    };
    let same = |other: Tool| other.name() == tool.name();
    let lock = locks
        .iter()
        .find(|(_, of)| same(*of))
        .map(|(lock, _)| lock.clone());
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
        scan.warn(
            other,
            None,
            format!(
                "is a lock file of {}, but {} is used",
                of.name(),
                tool.name()
            ),
        );
    }
    Manager {
        tool,
        root,
        lock,
        evidence,
    }
}

/// The manager that a manifest names.
fn declared(document: &Document) -> Option<(Tool, Evidence)> {
    for keys in [
        &["packageManager"][..],
        &["devEngines", "packageManager", "name"],
    ] {
        let Some(text) = document.str(keys) else {
            continue;
        };
        let (name, version) = text.split_once('@').unwrap_or((text, ""));
        let version = document
            .str(&["devEngines", "packageManager", "version"])
            .unwrap_or(version);
        let tool = match name {
            "npm" => Tool::Npm,
            "pnpm" => Tool::Pnpm,
            "yarn"
                if version
                    .trim_start_matches(['^', '~', '>', '='])
                    .starts_with("1.") =>
            {
                Tool::YarnClassic
            }
            "yarn" => Tool::YarnBerry,
            "bun" => Tool::Bun,
            _ => continue,
        };
        let evidence = Evidence::new("build_system", tool.name(), "node.package-manager");
        return Some((tool, evidence.at(&document.file, document.line(&keys[..1]))));
    }
    None
}

fn yarn(scan: &Scan<'_>, root: &str) -> Tool {
    let berry = scan.repo.has(&join(root, ".yarnrc.yml"))
        || scan
            .repo
            .lock(&join(root, "yarn.lock"))
            .is_some_and(|head| head.contains("__metadata:"));
    if berry {
        Tool::YarnBerry
    } else {
        Tool::YarnClassic
    }
}

/// The commands and files that a manager needs for one project.
pub(super) struct Steps {
    pub(super) packages: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) files: Vec<String>,
    pub(super) install: Vec<String>,
    /// What builds the internal dependencies and then the project.
    pub(super) build: Vec<String>,
    /// What leaves only the production dependencies.
    pub(super) prune: Vec<String>,
    pub(super) cache: Vec<String>,
    /// The directory of a self-contained production tree, where the manager makes one apart from the source.
    pub(super) deployed: Option<String>,
}

/// Plans the installation, build and pruning of a project.
pub(super) fn steps(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Steps, Problem> {
    let manager = &project.manager;
    let manifest = &project.package.document.file;
    if manager.tool == Tool::Bun {
        return Err(Problem::new(
            manifest,
            None,
            "installs with bun, which is not supported",
        ));
    }
    let name = manager.tool.package();
    let Some(package) = scan.catalog.package(name) else {
        return Err(Problem::new(
            manifest,
            None,
            format!("the index has no package that provides `{name}`"),
        ));
    };
    if manager.lock.is_none() {
        let message = format!(
            "has no lock file of {}: the build takes whatever versions are newest",
            manager.tool.name()
        );
        scan.warn(&join(&manager.root, "package.json"), None, message);
    }
    let mut steps = Steps {
        packages: vec![package],
        env: env(manager.tool),
        files: files(scan, project),
        install: vec![in_root(project, install(manager))],
        build: build(project),
        prune: Vec::new(),
        cache: manager
            .tool
            .caches()
            .iter()
            .map(|path| (*path).to_owned())
            .collect(),
        deployed: None,
    };
    prune(scan, project, &mut steps);
    native(scan, project, &mut steps);
    Ok(steps)
}

fn env(tool: Tool) -> BTreeMap<String, String> {
    let pairs: &[(&str, &str)] = match tool {
        Tool::Npm => &[
            ("NPM_CONFIG_AUDIT", "false"),
            ("NPM_CONFIG_FUND", "false"),
            ("NPM_CONFIG_UPDATE_NOTIFIER", "false"),
        ],
        // Whatever `packageManager` names, the packaged pnpm is the one that runs, without downloading another.
        Tool::Pnpm => &[
            ("npm_config_manage_package_manager_versions", "false"),
            ("pnpm_config_confirm_modules_purge", "false"),
            ("pnpm_config_deploy_all_files", "true"),
            ("pnpm_config_pm_on_fail", "ignore"),
            ("pnpm_config_store_dir", "/root/.local/share/pnpm/store"),
        ],
        Tool::YarnClassic => &[("YARN_CACHE_FOLDER", "/root/.cache/yarn")],
        Tool::YarnBerry => &[
            ("YARN_ENABLE_TELEMETRY", "0"),
            ("YARN_GLOBAL_FOLDER", "/root/.yarn/berry"),
            // Without node_modules every file of a package lies in an archive that only Yarn's loader reads.
            ("YARN_NODE_LINKER", "node-modules"),
        ],
        Tool::Bun => &[],
    };
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn install(manager: &Manager) -> String {
    let is_locked = manager.lock.is_some();
    match manager.tool {
        Tool::Npm if is_locked => "npm ci",
        Tool::Npm | Tool::Bun => "npm install",
        Tool::Pnpm if is_locked => "pnpm install --frozen-lockfile",
        Tool::Pnpm => "pnpm install --no-frozen-lockfile",
        Tool::YarnClassic if is_locked => "yarn install --frozen-lockfile --non-interactive",
        Tool::YarnClassic => "yarn install --non-interactive",
        Tool::YarnBerry if is_locked => "yarn install --immutable",
        Tool::YarnBerry => "yarn install --no-immutable",
    }
    .to_owned()
}

/// The command, run where the manager installs.
fn in_root(project: &Project<'_>, command: String) -> String {
    let up = relative(&project.package.dir, &project.manager.root);
    if up == "." {
        command
    } else {
        format!("cd {} && {command}", quoted(&up))
    }
}

/// The files that an installation reads, as globs relative to the repository's root.
fn files(scan: &Scan<'_>, project: &Project<'_>) -> Vec<String> {
    let root = &project.manager.root;
    let mut dirs: BTreeSet<&str> = BTreeSet::from([root.as_str(), project.package.dir.as_str()]);
    dirs.extend(project.members.iter().map(String::as_str));
    let mut files: BTreeSet<String> = BTreeSet::new();
    for dir in dirs {
        for name in ["package.json", ".npmrc"] {
            let file = join(dir, name);
            if scan.repo.has(&file) {
                files.insert(literal_glob(&file));
            }
        }
        if scan.repo.dir(&join(dir, "prisma")).is_some() {
            files.insert(format!("{}/**", literal_glob(&join(dir, "prisma"))));
        }
    }
    let configs = CONFIGS
        .iter()
        .map(|name| join(root, name))
        .filter(|file| scan.repo.has(file));
    files.extend(configs.map(|file| literal_glob(&file)));
    files.extend(project.manager.lock.iter().map(|lock| literal_glob(lock)));
    for name in [
        "patches",
        ".yarn/patches",
        ".yarn/plugins",
        ".yarn/releases",
    ] {
        let dir = join(root, name);
        if scan.repo.dir(&dir).is_some() || scan.repo.has_pruned(&dir) {
            files.insert(format!("{}/**", literal_glob(&dir)));
        }
    }
    if needs_source(project) {
        return project.context.clone();
    }
    files.into_iter().collect()
}

/// Scripts that run on installation and read nothing but what is installed.
const HARMLESS: &[&str] = &[
    "husky",
    "is-ci",
    "lefthook install",
    "npx only-allow",
    "only-allow",
    "patch-package",
    "prisma generate",
    "simple-git-hooks",
];

/// Whether a package has a script that runs on installation and may read any of its files.
pub(super) fn runs_on_install(package: &Package) -> bool {
    ["preinstall", "install", "postinstall", "prepare"]
        .iter()
        .any(|name| {
            let script = package.script(name);
            script.is_some_and(|script| {
                !HARMLESS
                    .iter()
                    .any(|known| script.trim().starts_with(known))
            })
        })
}

/// Whether the installation reads more than manifests: scripts, or packages by path.
fn needs_source(project: &Project<'_>) -> bool {
    let members = project
        .members
        .iter()
        .filter_map(|dir| project.packages.get(dir));
    let root = project.packages.get(&project.manager.root);
    let mut packages = members.chain(root).chain([project.package]);
    packages.any(runs_on_install)
        || project
            .package
            .document
            .keys(&["dependencies"])
            .iter()
            .any(|name| {
                let from = project
                    .package
                    .document
                    .str(&["dependencies", name])
                    .unwrap_or_default();
                ["file:", "link:", "portal:"]
                    .iter()
                    .any(|prefix| from.starts_with(prefix))
            })
}

fn build(project: &Project<'_>) -> Vec<String> {
    let manager = &project.manager;
    let mut commands = Vec::new();
    if manager.tool == Tool::Pnpm && !project.internal.is_empty() {
        if project.has_build() || project.internal.iter().any(|dir| has_build(project, dir)) {
            let filter = quoted(&format!("{}...", project.filter()));
            commands.push(in_root(
                project,
                format!("pnpm --filter {filter} run --if-present build"),
            ));
        }
        return commands;
    }
    for dir in project
        .internal
        .iter()
        .filter(|dir| has_build(project, dir))
    {
        let name = project.packages[dir].name.clone().unwrap_or_default();
        commands.push(in_root(
            project,
            match manager.tool {
                Tool::Npm | Tool::Bun => format!("npm run build -w {}", quoted(&name)),
                Tool::Pnpm => format!("pnpm --filter {} run build", quoted(&name)),
                Tool::YarnBerry | Tool::YarnClassic => {
                    format!("yarn workspace {} run build", quoted(&name))
                }
            },
        ));
    }
    if project.has_build() {
        let script = project.build_script();
        let is_member = manager.root != project.package.dir;
        commands.push(match (manager.tool, &project.package.name) {
            (Tool::Npm, Some(name)) if is_member => {
                in_root(project, format!("npm run {script} -w {}", quoted(name)))
            }
            (tool, _) => format!("{} run {script}", tool.name()),
        });
    }
    commands
}

fn has_build(project: &Project<'_>, dir: &str) -> bool {
    project
        .packages
        .get(dir)
        .is_some_and(|package| package.document.str(&["scripts", "build"]).is_some())
}

fn prune(scan: &Scan<'_>, project: &Project<'_>, steps: &mut Steps) {
    let manager = &project.manager;
    let is_member = manager.root != project.package.dir || !project.members.is_empty();
    let name = project.filter();
    match manager.tool {
        Tool::Npm if is_member && manager.root != project.package.dir => {
            // A second installation, because `npm prune` keeps what the other members need.
            let install = if manager.lock.is_some() { "npm ci" } else { "npm install" };
            let only = format!("{install} --omit=dev --ignore-scripts --prefer-offline -w {}", quoted(&name));
            steps.prune.push(in_root(project, only));
            steps.prune.extend(unlink(project));
            let scripted = scripted(scan, project);
            if !scripted.is_empty() {
                let names: Vec<String> = scripted.iter().map(|name| quoted(name)).collect();
                steps.prune.push(in_root(project, format!("npm rebuild {}", names.join(" "))));
            }
        }
        Tool::Npm => steps.prune.push("npm prune --omit=dev --ignore-scripts".to_owned()),
        Tool::Pnpm if is_member => {
            steps.prune.push(in_root(
                project,
                format!("pnpm --filter {} deploy --prod --legacy /out && {}",
                    quoted(&name),
                    without_times("/out/node_modules")),
            ));
            steps.deployed = Some("/out".to_owned());
        }
        Tool::Pnpm => steps
            .prune
            .push(format!("pnpm prune --prod --ignore-scripts && {}", without_times("node_modules"))),
        Tool::YarnClassic => steps.prune.push(in_root(
            project,
            "yarn install --production --frozen-lockfile --ignore-scripts --prefer-offline --non-interactive".to_owned(),
        )),
        Tool::YarnBerry if is_member => {
            steps.prune.push(in_root(project, format!("yarn workspaces focus --production {}", quoted(&name))));
        }
        Tool::YarnBerry => steps.prune.push("yarn workspaces focus --production".to_owned()),
        Tool::Bun => {}
    }
}

/// Removes the files in which pnpm notes when it ran.
fn without_times(modules: &str) -> String {
    format!("rm -f {modules}/.modules.yaml {modules}/.pnpm-workspace-state-v1.json")
}

/// Removes the links to members that only the build needs, which would lead nowhere in the image.
fn unlink(project: &Project<'_>) -> Option<String> {
    let build_only = project
        .internal
        .iter()
        .filter(|dir| !project.shipped.contains(dir));
    let links: Vec<String> = build_only
        .filter_map(|dir| project.packages.get(dir)?.name.clone())
        .map(|name| quoted(&format!("node_modules/{name}")))
        .collect();
    (!links.is_empty()).then(|| in_root(project, format!("rm -f {}", links.join(" "))))
}

/// Locked production packages whose own scripts have to run: native addons and the like.
fn scripted(scan: &Scan<'_>, project: &Project<'_>) -> BTreeSet<String> {
    let Some(lock) = project.manager.lock.as_deref() else {
        return BTreeSet::new();
    };
    let Some(text) = scan.repo.lock(lock) else {
        return BTreeSet::new();
    };
    if !text.contains("\"hasInstallScript\"") {
        return BTreeSet::new();
    }
    let Ok(lock) = serde_json::from_str::<serde_json::Value>(&text) else {
        return BTreeSet::new();
    };
    let Some(packages) = lock.get("packages").and_then(serde_json::Value::as_object) else {
        return BTreeSet::new();
    };
    packages
        .iter()
        .filter(|(_, package)| {
            let is =
                |key: &str| package.get(key).and_then(serde_json::Value::as_bool) == Some(true);
            is("hasInstallScript") && !is("dev")
        })
        .filter_map(|(path, _)| {
            path.rsplit_once("node_modules/")
                .map(|(_, name)| name.to_owned())
        })
        .collect()
}

/// Packages that are compiled on installation, or compile those that depend on them.
const NATIVE: &[&str] = &[
    "@mapbox/node-pre-gyp",
    "bindings",
    "nan",
    "node-addon-api",
    "node-gyp",
    "node-gyp-build",
    "prebuild-install",
];

fn native(scan: &Scan<'_>, project: &Project<'_>, steps: &mut Steps) {
    let manager = &project.manager;
    let Some(text) = manager
        .lock
        .as_deref()
        .and_then(|lock| scan.repo.lock(lock))
    else {
        return;
    };
    let is_locked = |name: &str| match manager.tool {
        Tool::Npm | Tool::Bun => text.contains(&format!("node_modules/{name}\"")),
        Tool::Pnpm => text.contains(&format!("{name}@")),
        Tool::YarnClassic | Tool::YarnBerry => {
            text.contains(&format!("\n{name}@")) || text.contains(&format!("\n\"{name}@"))
        }
    };
    if NATIVE.iter().any(|name| is_locked(name)) {
        for name in ["build-base", "python3"] {
            steps.packages.extend(scan.catalog.package(name));
        }
        if manager.tool != Tool::Npm {
            steps.packages.extend(scan.catalog.package("node-gyp"));
        }
    }
    if text.contains("git+ssh://") || text.contains("git+https://") || text.contains("codeload.") {
        steps.packages.extend(scan.catalog.package("git"));
    }
    let has_policy = project.root_document().get(&["allowScripts"]).is_some();
    if manager.tool == Tool::Npm && text.contains("\"hasInstallScript\": true") && !has_policy {
        // npm 12 runs no scripts of dependencies unless a policy allows them; earlier ones ran all, and so do
        // repositories without a policy expect it.
        steps.env.insert(
            "NPM_CONFIG_DANGEROUSLY_ALLOW_ALL_SCRIPTS".to_owned(),
            "true".to_owned(),
        );
    }
}
