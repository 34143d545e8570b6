//! The commands that install, build and prune a project, and the files that they read.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::provider::{Problem, Scan, literal_glob, quoted, tree_glob};
use crate::detect::repo::{join, relative};

use super::Project;
use super::group::Kind;
use super::manager::{Manager, Tool};
use super::orchestrator;
use super::package::Package;
use super::project::MANY;
use super::{native, prisma, prune};

/// The commands and files that a manager needs for one project.
#[derive(Default)]
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
    /// Packages that the program needs beside its runtime.
    pub(super) runtime: Vec<String>,
    /// What the program needs in its environment.
    pub(super) runtime_env: BTreeMap<String, String>,
}

/// Files beside the manifest that an installation reads.
const CONFIGS: &[&str] = &[
    ".npmrc",
    ".pnpmfile.cjs",
    ".pnpmfile.mjs",
    ".yarnrc",
    ".yarnrc.yml",
    "bunfig.toml",
    "lerna.json",
    "pnpm-workspace.yaml",
    "rush.json",
];

/// Plans the installation, build and pruning of a project; `commands` build it in the place of its own script.
pub(super) fn steps(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    commands: Option<&[String]>,
) -> Result<Steps, Problem> {
    check(scan, project)?;
    let manager = &project.manager;
    let mut steps = Steps {
        packages: program(scan, project)?,
        env: env(project),
        files: files(scan, project),
        install: vec![in_root(project, &install(scan, project))],
        cache: caches(project),
        ..Steps::default()
    };
    prisma::before(scan, project, &mut steps);
    steps.build.extend(build(scan, project, commands)?);
    prune::prune(scan, project, &mut steps)?;
    native::native(scan, project, &mut steps);
    native::browsers(scan, project, &mut steps);
    prisma::after(scan, project, &mut steps);
    if manager.lock.is_none() && manager.tool != Tool::Rush {
        let message = format!(
            "has no lock file of {}: the build takes whatever versions are newest",
            manager.tool.program()
        );
        scan.warn(&project.root_document().file, None, message);
    }
    Ok(steps)
}

/// Refuses what the packaged manager cannot install.
fn check(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<(), Problem> {
    let manager = &project.manager;
    if let Some(group) = project.group
        && group.kind == Kind::Lerna
        && !project.internal.is_empty()
    {
        let message = "Lerna links the packages, which no package manager installs together";
        return Err(Problem::new(&group.file, group.line, message)
            .help("name them in `workspaces` of the package.json at the root"));
    }
    if manager.tool == Tool::Rush {
        let script = manager.vendored.clone().unwrap_or_default();
        if !scan.repo.has(&script) {
            let message = format!("needs `{script}`, which is not in the repository");
            let file = join(&manager.root, "rush.json");
            return Err(Problem::new(&file, None, message).help("run `rush init`, and commit it"));
        }
    }
    if manager.tool == Tool::Pnpm
        && let Some(lock) = &manager.lock
        && let Some(version) = lock_version(scan, lock)
        && version < 9.0
    {
        let message =
            format!("is of version {version:.1}, which the packaged pnpm no longer reads");
        return Err(Problem::new(lock, Some(1), message)
            .help("run `pnpm install` with pnpm 9 or later, and commit the lock file"));
    }
    Ok(())
}

/// The version of the format in which a lock file of pnpm is written.
fn lock_version(scan: &Scan<'_>, lock: &str) -> Option<f64> {
    let text = scan.repo.lock(lock)?;
    let line = text
        .lines()
        .take(40)
        .find_map(|line| line.strip_prefix("lockfileVersion:"))?;
    line.trim().trim_matches(['\'', '"']).parse().ok()
}

/// The packages that bring the manager.
fn program(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Vec<String>, Problem> {
    let manager = &project.manager;
    if manager.tool == Tool::Rush {
        // It asks git which files there are.
        return Ok(scan.catalog.package("git").into_iter().collect());
    }
    if manager.vendored.is_some() {
        return Ok(Vec::new());
    }
    let name = manager.tool.name();
    let Some(package) = scan.catalog.package(name) else {
        let message = format!("the index has no package that provides `{name}`");
        return Err(Problem::new(&project.package.document.file, None, message));
    };
    if let Some((asked, file, line)) = &manager.version
        && let Some(packaged) = scan.catalog.version(&package)
    {
        let major = |text: &str| {
            let text = text.trim_start_matches(['^', '~', '>', '=', 'v', ' ']);
            text.split('.').next().unwrap_or_default().to_owned()
        };
        if major(asked) != major(&packaged) && major(asked).parse::<u32>().is_ok() {
            let program = manager.tool.program();
            let message = format!("{program} `{asked}` is not packaged; {packaged} is used");
            scan.warn(file, *line, message);
        }
    }
    Ok(vec![package])
}

fn env(project: &Project<'_>) -> BTreeMap<String, String> {
    let pairs: &[(&str, &str)] = match project.manager.tool {
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
        Tool::Rush => &[("RUSH_PNPM_STORE_PATH", "/root/.rush-pnpm-store")],
        Tool::YarnClassic => &[("YARN_CACHE_FOLDER", "/root/.cache/yarn")],
        Tool::YarnBerry => &[
            ("YARN_ENABLE_TELEMETRY", "0"),
            ("YARN_GLOBAL_FOLDER", "/root/.yarn/berry"),
            // Without node_modules every file of a package lies in an archive that only Yarn's loader reads.
            ("YARN_NODE_LINKER", "node-modules"),
        ],
        Tool::Bun => &[("BUN_INSTALL_CACHE_DIR", "/root/.bun/install/cache")],
    };
    // Warnings are no errors outside of the project's own continuous integration.
    let ci = if project.package.has("react-scripts") {
        "false"
    } else {
        "true"
    };
    let orchestrator = project.orchestrator.as_ref();
    let orchestrator = orchestrator.map_or(&[][..], |orchestrator| orchestrator.tool.env());
    pairs
        .iter()
        .chain(orchestrator)
        .chain(&[("CI", ci)])
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn caches(project: &Project<'_>) -> Vec<String> {
    let cache = match project.manager.tool {
        Tool::Npm => "/root/.npm",
        Tool::Pnpm => "/root/.local/share/pnpm/store",
        Tool::Rush => "/root/.rush-pnpm-store",
        Tool::YarnClassic => "/root/.cache/yarn",
        Tool::YarnBerry => "/root/.yarn/berry/cache",
        Tool::Bun => "/root/.bun/install/cache",
    };
    vec![cache.to_owned()]
}

fn install(scan: &mut Scan<'_>, project: &Project<'_>) -> String {
    let manager = &project.manager;
    let call = manager.call(&manager.root);
    let arguments = match (manager.tool, manager.lock.as_deref()) {
        (Tool::Bun, Some(_)) => "install --frozen-lockfile --linker=hoisted",
        (Tool::Bun, None) => "install --linker=hoisted",
        (Tool::Npm, Some(_)) => "ci",
        (Tool::Npm, None) => "install",
        (Tool::Pnpm, Some(_)) => "install --frozen-lockfile --prefer-offline",
        (Tool::Pnpm, None) => "install --no-frozen-lockfile",
        (Tool::Rush, _) => "install",
        (Tool::YarnClassic, Some(_)) => "install --frozen-lockfile --non-interactive",
        (Tool::YarnClassic, None) => "install --non-interactive",
        (Tool::YarnBerry, Some(lock)) if is_old(scan, manager, lock) => "install --no-immutable",
        (Tool::YarnBerry, Some(_)) => "install --immutable",
        (Tool::YarnBerry, None) => "install --no-immutable",
    };
    format!("{call} {arguments}")
}

/// The version of the lock files that the packaged Yarn writes; it takes no earlier one for complete.
const LOCK: u32 = 10;

/// Whether the packaged Yarn has to write a lock file anew, because an earlier one wrote it.
fn is_old(scan: &mut Scan<'_>, manager: &Manager, lock: &str) -> bool {
    if manager.vendored.is_some() {
        return false;
    }
    let Some(text) = scan.repo.lock(lock) else {
        return false;
    };
    let found = text
        .lines()
        .zip(1_u64..)
        .take(20)
        .find_map(|(line, number)| {
            let version = line.trim().strip_prefix("version:")?.trim().parse::<u32>();
            Some((version.ok()?, number))
        });
    let Some((version, line)) = found.filter(|(version, _)| *version < LOCK) else {
        return false;
    };
    let message = format!(
        "is of version {version}, which the packaged Yarn writes anew: the versions in it stay, and nothing checks that it is complete"
    );
    scan.warn(lock, Some(line), message);
    true
}

/// The command, run where the manager installs.
pub(super) fn in_root(project: &Project<'_>, command: &str) -> String {
    let up = relative(&project.package.dir, &project.manager.root);
    if up == "." {
        command.to_owned()
    } else {
        format!("cd {} && {command}", quoted(&up))
    }
}

/// The files that an installation reads, as globs relative to the repository's root.
fn files(scan: &Scan<'_>, project: &Project<'_>) -> Vec<String> {
    if needs_source(project) {
        return match project.context.as_slice() {
            [] => vec!["**".to_owned()],
            context => context.to_vec(),
        };
    }
    let root = &project.manager.root;
    let mut dirs: BTreeSet<&str> = BTreeSet::from([root.as_str(), project.package.dir.as_str()]);
    let mut files: BTreeSet<String> = BTreeSet::new();
    if project.members().len() > MANY {
        let below = tree_glob(root);
        let below = below.trim_end_matches("**");
        let names = [".npmrc", "package.json", "package.json5", "prisma/**"];
        files.extend(names.map(|name| format!("{below}**/{name}")));
    } else {
        dirs.extend(project.members().iter().map(String::as_str));
    }
    for dir in dirs {
        for name in ["package.json", "package.json5", ".npmrc"] {
            let file = join(dir, name);
            if scan.repo.has(&file) {
                files.insert(literal_glob(&file));
            }
        }
        if scan.repo.dir(&join(dir, "prisma")).is_some() {
            files.insert(tree_glob(&join(dir, "prisma")));
        }
    }
    let configs = CONFIGS
        .iter()
        .map(|name| join(root, name))
        .filter(|file| scan.repo.has(file));
    files.extend(configs.map(|file| literal_glob(&file)));
    files.extend(project.manager.lock.iter().map(|lock| literal_glob(lock)));
    for name in [
        ".yarn/cache",
        ".yarn/patches",
        ".yarn/plugins",
        ".yarn/releases",
        "common/config",
        "common/scripts",
        "patches",
    ] {
        let is_rush = project.manager.tool == Tool::Rush;
        let dir = join(root, name);
        let exists = scan.repo.dir(&dir).is_some() || scan.repo.has_pruned(&dir);
        if exists && (is_rush || !name.starts_with("common")) {
            files.insert(tree_glob(&dir));
        }
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
            let script = package.script(name).filter(|_| !package.inherits);
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
        .members()
        .iter()
        .filter_map(|dir| project.packages.get(dir));
    let root = project.packages.get(&project.manager.root);
    let mut packages = members.chain(root).chain([project.package]);
    packages.any(runs_on_install) || by_path(project)
}

/// Whether a package depends on another one by its path.
fn by_path(project: &Project<'_>) -> bool {
    let document = &project.package.document;
    ["dependencies", "devDependencies", "optionalDependencies"]
        .iter()
        .any(|table| {
            document.keys(&[table]).iter().any(|name| {
                let from = document.str(&[table, name]).unwrap_or_default();
                ["file:", "link:", "portal:"]
                    .iter()
                    .any(|prefix| from.starts_with(prefix))
            })
        })
}

/// What builds the members that a project needs, and then the project.
fn build(
    scan: &Scan<'_>,
    project: &Project<'_>,
    own: Option<&[String]>,
) -> Result<Vec<String>, Problem> {
    let manager = &project.manager;
    let mut commands = Vec::new();
    if manager.tool == Tool::YarnBerry && scan.repo.has(&join(&manager.root, ".pnp.cjs")) {
        // With it Yarn would look for the packages in its archives.
        commands.push(in_root(project, "rm -f .pnp.cjs .pnp.loader.mjs"));
    }
    let any_build =
        project.has_build() || project.internal.iter().any(|dir| has_build(project, dir));
    if let Some(own) = own {
        commands.extend(before(project));
        commands.extend(own.iter().cloned());
        return Ok(commands);
    }
    if !any_build {
        return Ok(commands);
    }
    if manager.tool == Tool::Rush {
        let call = manager.call(&manager.root);
        let name = quoted(&project.filter());
        commands.push(in_root(project, &format!("{call} build --to {name}")));
        return Ok(commands);
    }
    if let Some(orchestrator) = &project.orchestrator
        && project.has_build()
    {
        commands.push(in_root(
            project,
            &orchestrator::build(orchestrator, project)?,
        ));
        return Ok(commands);
    }
    if manager.tool == Tool::Pnpm && !project.internal.is_empty() {
        let filter = quoted(&format!("{}...", project.filter()));
        let script = project.build_script();
        let every = format!("pnpm --filter {filter} run --if-present {script}");
        commands.push(in_root(project, &every));
        return Ok(commands);
    }
    commands.extend(before(project));
    if project.has_build() {
        commands.push(script(project, project.build_script()));
    }
    Ok(commands)
}

/// What builds the members that a project needs, one after the other.
fn before(project: &Project<'_>) -> Vec<String> {
    let internal = project
        .internal
        .iter()
        .filter(|dir| has_build(project, dir));
    let packages = internal.filter_map(|dir| project.packages.get(dir));
    packages
        .map(|package| {
            let name = quoted(package.name.as_deref().unwrap_or_default());
            let manager = &project.manager;
            let call = manager.call(&manager.root);
            let command = match manager.tool {
                Tool::Bun => format!("bun run --filter {name} build"),
                Tool::Npm => format!("npm run build -w {name}"),
                Tool::Pnpm => format!("pnpm --filter {name} run build"),
                Tool::Rush => format!("{call} build --only {name}"),
                Tool::YarnBerry | Tool::YarnClassic => {
                    format!("{call} workspace {name} run build")
                }
            };
            in_root(project, &command)
        })
        .collect()
}

/// The command that runs a script of a project.
pub(super) fn script(project: &Project<'_>, script: &str) -> String {
    let manager = &project.manager;
    match (manager.tool, &project.package.name) {
        (Tool::Npm, Some(name)) if project.is_workspace_member() => {
            in_root(project, &format!("npm run {script} -w {}", quoted(name)))
        }
        _ => format!("{} run {script}", manager.call(&project.package.dir)),
    }
}

/// The command that runs a program of an installed package in a project's directory.
pub(super) fn exec(project: &Project<'_>, words: &str) -> String {
    let manager = &project.manager;
    if manager.root == project.package.dir {
        return manager.exec(words);
    }
    match manager.tool {
        Tool::Npm => format!("npm exec -- {words}"),
        Tool::Pnpm => format!("pnpm exec {words}"),
        Tool::Rush => format!("node_modules/.bin/{words}"),
        _ => format!("{} run {words}", manager.call(&project.package.dir)),
    }
}

fn has_build(project: &Project<'_>, dir: &str) -> bool {
    project
        .packages
        .get(dir)
        .is_some_and(|package| package.script("build").is_some())
}
