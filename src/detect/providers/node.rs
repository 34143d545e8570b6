//! Node.js: npm, Yarn and pnpm, alone and in workspaces.

mod entry;
mod framework;
mod manager;
mod port;
mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::detect::assets::Assets;
use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{
    Draft, Problem, Provider, Scan, literal_glob, shown, tree_glob, unavailable,
};
use crate::detect::repo::{is_within, join, relative, resolve};
use crate::detect::source;
use crate::detect::version::{self, Tool};
use crate::detect::workspace::{self, Workspace};
use crate::spec::{Copy, Kind, Secret};

use entry::Server;
use framework::Output;
use manager::Manager;

pub(crate) struct Node;

const TOOL: Tool = Tool {
    name: "Node.js",
    asdf: &["node", "nodejs"],
    prefix: "nodejs-",
    numbers: 1,
    default: Some("nodejs"),
    read: version::node,
};

const LOOKS_LIKE: &str = "a Node.js package";

/// Manifests of back ends, beside which a package.json without a server builds their assets.
const BACKENDS: &[(&str, &str)] = &[
    ("manage.py", "Django app"),
    ("Gemfile", "Ruby app"),
    ("artisan", "Laravel app"),
    ("composer.json", "PHP app"),
    ("mix.exs", "Elixir app"),
    ("pom.xml", "Java app"),
    ("build.gradle", "Java app"),
    ("build.gradle.kts", "Java app"),
];

/// One package of the repository.
struct Package {
    dir: String,
    name: Option<String>,
    document: Rc<Document>,
    dependencies: BTreeSet<String>,
    dev_dependencies: BTreeSet<String>,
    /// The directories of packages below it, relative to it.
    nested: BTreeSet<String>,
}

/// A package with what surrounds it.
struct Project<'a> {
    package: &'a Package,
    packages: &'a BTreeMap<String, Package>,
    manager: Manager,
    /// The members of its workspace.
    members: Vec<String>,
    /// The members that it needs to build or run, dependencies first.
    internal: Vec<String>,
    /// Of those, the ones that it needs to run.
    shipped: Vec<String>,
    context: Vec<String>,
}

impl Package {
    fn has(&self, name: &str) -> bool {
        self.dependencies.contains(name) || self.dev_dependencies.contains(name)
    }

    fn script(&self, name: &str) -> Option<&str> {
        self.document.str(&["scripts", name])
    }

    fn script_line(&self, name: &str) -> Option<u64> {
        self.document.line(&["scripts", name])
    }
}

impl Project<'_> {
    fn build_script(&self) -> &'static str {
        ["build:prod", "build:production", "build"]
            .into_iter()
            .rev()
            .find(|name| self.package.script(name).is_some())
            .unwrap_or("build")
    }

    fn has_build(&self) -> bool {
        self.package.script(self.build_script()).is_some()
    }

    /// How the manager is told which member is meant.
    fn filter(&self) -> String {
        match &self.package.name {
            Some(name) => name.clone(),
            None => format!("./{}", relative(&self.manager.root, &self.package.dir)),
        }
    }

    fn root_document(&self) -> &Document {
        self.packages
            .get(&self.manager.root)
            .map_or(&self.package.document, |package| &package.document)
    }

    fn is_member(&self) -> bool {
        self.manager.root != self.package.dir
    }
}

const LANGUAGE: Language = Language {
    name: "Node.js",
    build_systems: &["npm", "pnpm", "yarn"],
    frameworks: &[],
    manifests: &["package.json", "pnpm-workspace.yaml"],
};

impl Provider for Node {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let packages = packages(scan);
        let mut workspaces: Vec<Workspace> = Vec::new();
        for dir in scan.dirs_with(&["package.json", "pnpm-workspace.yaml"]) {
            workspaces.extend(workspace::node(scan, dir.path()));
        }
        for package in packages.values() {
            let workspace = workspaces.iter().find(|workspace| {
                workspace.members.contains(&package.dir) || workspace.root == package.dir
            });
            let is_member = workspace.is_some_and(|workspace| workspace.root != package.dir);
            if let Some(owner) = scan.claims.get(&package.dir) {
                let reason = format!("it builds the assets of {owner}");
                scan.reject(&package.dir, LOOKS_LIKE, reason);
                continue;
            }
            if passed_over(scan, &package.dir, LOOKS_LIKE, is_member) {
                continue;
            }
            match detect_package(scan, &packages, package, workspace) {
                Ok(Ok(draft)) => scan.drafts.push(draft),
                Ok(Err(reason)) => scan.reject(&package.dir, LOOKS_LIKE, reason),
                Err(problem) => scan.abstain(&package.dir, LOOKS_LIKE, problem),
            }
        }
    }
}

/// What the package.json in `dir` builds for the back end there, `owner`; nothing where it has no build or serves by itself.
///
/// The package is then no app of its own.
pub(super) fn assets(
    scan: &mut Scan<'_>,
    dir: &str,
    owner: &str,
) -> Result<Option<Assets>, Problem> {
    let packages = packages(scan);
    let Some(package) = packages.get(dir) else {
        return Ok(None);
    };
    let workspace = workspace::node(scan, dir);
    let project = project(scan, &packages, package, workspace.as_ref());
    // What cannot be started is no server: a Procfile there may be about the back end.
    let is_server = matches!(entry::server(scan, &project), Ok(entry::Found::Server(_)));
    if !project.has_build() || is_server {
        return Ok(None);
    }
    let manifest = &package.document.file;
    let chosen = toolchain(scan, &project).map_err(|error| unavailable(manifest, error))?;
    let steps = manager::steps(scan, &project)?;
    let mut packages = steps.packages;
    packages.push(chosen.stream.package.clone());
    let script = project.build_script();
    let built = Evidence::new("assets", script, "node.assets");
    let built = built.at(manifest, package.script_line(script));
    scan.claims.insert(dir.to_owned(), owner.to_owned());
    Ok(Some(Assets {
        packages,
        env: steps.env,
        files: steps.files,
        install: steps.install,
        commands: steps.build,
        cache: steps.cache,
        secrets: secrets(scan, &project),
        evidence: vec![chosen.evidence, project.manager.evidence.clone(), built],
    }))
}

fn packages(scan: &mut Scan<'_>) -> BTreeMap<String, Package> {
    let mut packages = BTreeMap::new();
    let repo = scan.repo;
    for dir in scan.dirs_with(&["package.json"]) {
        let Some(document) = scan.document(&dir.join("package.json"), Syntax::Json) else {
            continue;
        };
        let names = |tables: &[&str]| -> BTreeSet<String> {
            tables
                .iter()
                .flat_map(|table| document.keys(&[table]))
                .map(str::to_owned)
                .collect()
        };
        let package = Package {
            dir: dir.path().to_owned(),
            name: document.str(&["name"]).map(str::to_owned),
            dependencies: names(&["dependencies", "optionalDependencies"]),
            dev_dependencies: names(&["devDependencies"]),
            nested: repo
                .below(dir.path())
                .filter(|below| below.path() != dir.path() && below.has("package.json"))
                .map(|below| relative(dir.path(), below.path()))
                .collect(),
            document,
        };
        packages.insert(package.dir.clone(), package);
    }
    packages
}

/// The draft of an app, or the reason why the package is none.
fn detect_package(
    scan: &mut Scan<'_>,
    packages: &BTreeMap<String, Package>,
    package: &Package,
    workspace: Option<&Workspace>,
) -> Result<Result<Draft, String>, Problem> {
    let project = project(scan, packages, package, workspace);
    let dir = scan.repo.dir(&package.dir);
    let backend = BACKENDS
        .iter()
        .find(|(name, _)| dir.is_some_and(|dir| dir.has(name)));
    let output = match framework::output(scan, &project)? {
        Some(output) => Some(output),
        None => match entry::server(scan, &project)? {
            entry::Found::Server(server) => Some(Output::Server(server)),
            entry::Found::Files(dir) => Some(Output::files("serve", &dir, "node.serves-files")),
            entry::Found::Nothing(reason) => match framework::bundle(scan, &project)? {
                Some(output) => Some(output),
                None => return Ok(Err(library(&project, workspace, packages).unwrap_or(reason))),
            },
        },
    };
    let Some(output) = output else {
        return Ok(Err("it starts nothing".to_owned()));
    };
    if let Some((name, what)) = backend
        && !matches!(output, Output::Server(_))
    {
        let message =
            format!("builds assets of the {what}, which its image will lack: they are not built");
        scan.warn(
            &package.document.file,
            package.script_line("build"),
            message,
        );
        return Ok(Err(format!(
            "beside `{name}` it builds the assets of the {what}"
        )));
    }
    if let Some(reason) = depended_on(&project, packages, workspace) {
        return Ok(Err(reason));
    }
    app(scan, &project, output).map(Ok)
}

/// Why a package that other members depend on is a library although it has something to start.
fn depended_on(
    project: &Project<'_>,
    packages: &BTreeMap<String, Package>,
    workspace: Option<&Workspace>,
) -> Option<String> {
    let package = project.package;
    let user = user(project, packages, workspace)?;
    let is_published = ["exports", "types", "publishConfig", "files"]
        .iter()
        .any(|key| package.document.get(&[key]).is_some());
    is_published.then(|| format!("`{user}` depends on it, and its manifest describes a library"))
}

fn user(
    project: &Project<'_>,
    packages: &BTreeMap<String, Package>,
    workspace: Option<&Workspace>,
) -> Option<String> {
    let name = project.package.name.as_deref()?;
    workspace?
        .members
        .iter()
        .filter(|dir| **dir != project.package.dir)
        .find(|dir| packages.get(*dir).is_some_and(|other| other.has(name)))
        .map(|dir| shown(dir).to_owned())
}

/// The reason that says most about a package which starts nothing.
fn library(
    project: &Project<'_>,
    workspace: Option<&Workspace>,
    packages: &BTreeMap<String, Package>,
) -> Option<String> {
    let package = project.package;
    if workspace.is_some_and(|workspace| workspace.root == package.dir) {
        let count = workspace.map_or(0, |workspace| workspace.members.len());
        return (package.script("start").is_none())
            .then(|| format!("it is the root of a workspace with {count} members"));
    }
    if package.script("start").is_some() {
        return None;
    }
    if let Some(user) = user(project, packages, workspace) {
        return Some(format!(
            "it is a library: `{user}` depends on it, and it has no start script"
        ));
    }
    let has_code = package.document.get(&["main"]).is_some()
        || package.document.get(&["exports"]).is_some()
        || package.document.get(&["bin"]).is_some();
    if !has_code && package.document.get(&["scripts"]).is_none() {
        return Some("it has neither scripts nor an entry: it holds configuration".to_owned());
    }
    None
}

fn project<'a>(
    scan: &mut Scan<'_>,
    packages: &'a BTreeMap<String, Package>,
    package: &'a Package,
    workspace: Option<&Workspace>,
) -> Project<'a> {
    let root = workspace.map(|workspace| workspace.root.as_str());
    let manager = manager::find(scan, &package.dir, root, &package.document);
    let members = workspace
        .map(|workspace| workspace.members.clone())
        .unwrap_or_default();
    let by_name: BTreeMap<&str, &Package> = members
        .iter()
        .filter_map(|dir| packages.get(dir))
        .filter_map(|package| Some((package.name.as_deref()?, package)))
        .collect();
    let internal = closure(package, &by_name, true);
    let shipped = closure(package, &by_name, false);
    let mut project = Project {
        package,
        packages,
        manager,
        members,
        internal,
        shipped,
        context: Vec::new(),
    };
    project.context = context(scan, &project);
    project
}

/// The members that a package depends on, dependencies first; each once, cycles cut.
fn closure(package: &Package, by_name: &BTreeMap<&str, &Package>, with_dev: bool) -> Vec<String> {
    fn visit(
        package: &Package,
        by_name: &BTreeMap<&str, &Package>,
        with_dev: bool,
        seen: &mut BTreeSet<String>,
        order: &mut Vec<String>,
    ) {
        let dev = package.dev_dependencies.iter().filter(|_| with_dev);
        for name in package.dependencies.iter().chain(dev) {
            let Some(other) = by_name.get(name.as_str()) else {
                continue;
            };
            if seen.insert(other.dir.clone()) {
                visit(other, by_name, with_dev, seen, order);
                order.push(other.dir.clone());
            }
        }
    }
    let mut order = Vec::new();
    visit(
        package,
        by_name,
        with_dev,
        &mut BTreeSet::from([package.dir.clone()]),
        &mut order,
    );
    order
}

/// What the build may see: the package, the members it needs, and the files at the root of the workspace.
fn context(scan: &Scan<'_>, project: &Project<'_>) -> Vec<String> {
    if project.package.dir.is_empty() {
        return Vec::new();
    }
    let root = &project.manager.root;
    let mut globs: BTreeSet<String> = BTreeSet::from([tree_glob(&project.package.dir)]);
    if project.is_member() {
        globs.extend(project.internal.iter().map(|dir| tree_glob(dir)));
        globs.extend(
            project
                .members
                .iter()
                .map(|dir| literal_glob(&join(dir, "package.json"))),
        );
        // The installation runs the scripts of every member, whoever needs it.
        let scripted = project.members.iter().filter(|dir| {
            project
                .packages
                .get(*dir)
                .is_some_and(manager::runs_on_install)
        });
        globs.extend(scripted.map(|dir| tree_glob(dir)));
        if let Some(dir) = scan.repo.dir(root) {
            // Configuration that members extend lies at the root: tsconfig.base.json, turbo.json, .npmrc …
            let configs = dir.files().iter().filter(|name| is_config(name));
            globs.extend(configs.map(|name| literal_glob(&dir.join(name))));
        }
        for name in [".yarn", "patches"] {
            let dir = join(root, name);
            if scan.repo.has_pruned(&dir) {
                globs.insert(tree_glob(&dir));
            }
        }
    }
    // A tsconfig may extend a file of another member, which no dependency names.
    for dir in std::iter::once(&project.package.dir).chain(&project.internal) {
        globs.extend(extended(scan, dir));
    }
    globs.into_iter().collect()
}

/// Whether a file at the root of a workspace may be configuration that its members read.
fn is_config(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_dotted = name.starts_with('.') && name.ends_with("rc");
    let is_lock = matches!(
        name,
        "yarn.lock" | "pnpm-workspace.yaml" | "pnpm-lock.yaml" | ".yarnrc.yml"
    );
    is_dotted || is_lock || matches!(ending, "json" | "js" | "cjs" | "mjs" | "ts" | "mts")
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

fn app(scan: &mut Scan<'_>, project: &Project<'_>, output: Output) -> Result<Draft, Problem> {
    let package = project.package;
    let chosen =
        toolchain(scan, project).map_err(|error| unavailable(&package.document.file, error))?;
    let steps = manager::steps(scan, project)?;
    let kind = output.kind();
    let mut draft = Draft::new(&package.dir, kind, "node", project.manager.tool.name());
    draft.fallback.clone_from(&package.name);
    draft.evidence.push(chosen.evidence.clone());
    draft.evidence.push(project.manager.evidence.clone());
    let build = &mut draft.spec.build;
    build.packages = steps.packages.clone();
    build.packages.push(chosen.stream.package.clone());
    build.packages.sort();
    build.packages.dedup();
    build.env = steps.env.clone();
    build.install.files = steps.files.clone();
    build.install.commands = steps.install.clone();
    build.commands = steps.build.clone();
    build.cache = steps.cache.clone();
    build.secrets = secrets(scan, project);
    build.context = project.context.clone();
    match output {
        Output::Files { .. } => files(scan, project, &mut draft, &output)?,
        Output::Server(server) => serve(
            scan,
            project,
            &mut draft,
            *server,
            &steps,
            &chosen.stream.package,
        ),
    }
    Ok(draft)
}

fn toolchain(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
) -> Result<version::Chosen, version::Unavailable> {
    let mut sources = Vec::new();
    if let Some(dir) = scan.repo.dir(&project.package.dir) {
        sources.extend(scan.tool_versions(dir, &TOOL));
        sources.extend(version::version_files(dir, &[".nvmrc", ".node-version"]));
    }
    let documents = [&*project.package.document, project.root_document()];
    let count = if project.is_member() { 2 } else { 1 };
    for keys in [
        &["volta", "node"][..],
        &["devEngines", "runtime", "version"],
        &["engines", "node"],
    ] {
        for document in &documents[..count] {
            let rule = if keys[0] == "engines" {
                "version.engines"
            } else {
                "version.manifest"
            };
            sources.extend(version::manifest(document, keys, rule));
        }
    }
    scan.toolchain(&TOOL, &sources)
}

/// Variables that `.npmrc` reads hold credentials.
fn secrets(scan: &Scan<'_>, project: &Project<'_>) -> Vec<Secret> {
    let mut names = BTreeSet::new();
    for dir in [&project.package.dir, &project.manager.root] {
        let Ok(text) = scan.repo.text(&join(dir, ".npmrc")) else {
            continue;
        };
        for part in text.split("${").skip(1) {
            let Some((name, _)) = part.split_once('}') else {
                continue;
            };
            let name = name.trim_end_matches('?');
            if !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
                names.insert(name.to_owned());
            }
        }
    }
    names
        .into_iter()
        .map(|name| Secret {
            id: name.clone(),
            env: Some(name),
            target: None,
        })
        .collect()
}

fn files(
    scan: &Scan<'_>,
    project: &Project<'_>,
    draft: &mut Draft,
    output: &Output,
) -> Result<(), Problem> {
    let Output::Files {
        framework,
        dir,
        evidence,
        env,
    } = output
    else {
        return Ok(());
    };
    let server = super::static_site::server(scan, &project.package.document.file)?;
    let spec = &mut draft.spec;
    if spec.build.commands.is_empty() && !project.has_build() {
        let exists =
            resolve(&project.package.dir, dir).is_some_and(|dir| scan.repo.dir(&dir).is_some());
        if !exists {
            let message = format!(
                "serves `{dir}`, which neither exists nor is built: there is no `build` script"
            );
            return Err(Problem::new(&project.package.document.file, None, message));
        }
    }
    spec.build.env.extend(env.clone());
    spec.runtime.copy = vec![Copy {
        from: dir.clone(),
        to: "/app".to_owned(),
    }];
    spec.runtime.packages = vec![server];
    spec.runtime.ports = vec![super::static_site::PORT];
    spec.metadata.framework = Some(framework.clone()).filter(|name| name != "serve");
    spec.metadata.confidence = Some(90);
    spec.metadata.reasoning = Some(format!(
        "its build leaves files in `{dir}`, which only need to be served"
    ));
    draft.evidence.push((**evidence).clone());
    Ok(())
}

fn serve(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    draft: &mut Draft,
    server: Server,
    steps: &manager::Steps,
    node: &str,
) {
    let package = project.package;
    let spec = &mut draft.spec;
    spec.build.commands.extend(server.after.iter().cloned());
    spec.runtime.writable.clone_from(&server.writable);
    if server.bundle.is_none() {
        spec.build.commands.extend(steps.prune.iter().cloned());
    }
    spec.build.env.extend(server.build_env.clone());
    spec.runtime.packages = vec![node.to_owned()];
    spec.runtime
        .packages
        .extend(scan.catalog.package("ca-certificates-bundle"));
    spec.runtime.packages.sort();
    spec.runtime.env = server.env.clone();
    spec.runtime
        .env
        .entry("NODE_ENV".to_owned())
        .or_insert_with(|| "production".to_owned());
    let place = match &server.bundle {
        Some(copies) => {
            spec.runtime.copy.clone_from(copies);
            String::new()
        }
        None => ship(scan, project, draft, &server, steps),
    };
    let spec = &mut draft.spec;
    let workdir = join(&place, server.directory.as_deref().unwrap_or_default());
    if !workdir.is_empty() {
        spec.runtime.workdir = Some(format!("/app/{workdir}"));
    }
    let mut command = vec!["node".to_owned()];
    command.extend(server.arguments.iter().cloned());
    spec.runtime.command = command;
    spec.runtime.processes.clone_from(&server.processes);
    draft.evidence.extend(server.evidence.iter().cloned());
    facts(scan, draft, &server);
    let spec = &mut draft.spec;
    spec.metadata.kind = Some(if server.listens {
        Kind::Web
    } else {
        Kind::Worker
    });
    spec.metadata.framework = server.framework.clone();
    spec.metadata.confidence = Some(server.confidence);
    spec.metadata.reasoning = Some(format!("{} of `{}`", server.reason, package.document.file));
}

/// Names at the top of an app that nothing reads when it runs.
const LEFT_OUT: &[&str] = &[
    "Dockerfile",
    "Makefile",
    "Procfile",
    "__tests__",
    "cypress",
    "docker-compose.yml",
    "docs",
    "e2e",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "peelbox.yaml",
    "playwright",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "spec",
    "test",
    "tests",
    "turbo.json",
    "universalbuild.json",
    "universalbuild.yaml",
    "yarn.lock",
];

/// Directories that a compiled app reads at run time.
const DATA: &[&str] = &[
    "assets",
    "certs",
    "config",
    "data",
    "db",
    "drizzle",
    "emails",
    "i18n",
    "locales",
    "migrations",
    "prisma",
    "proto",
    "public",
    "resources",
    "static",
    "templates",
    "views",
];

/// Fills in what is copied; gives the app's place below `/app`.
fn ship(
    scan: &Scan<'_>,
    project: &Project<'_>,
    draft: &mut Draft,
    server: &Server,
    steps: &manager::Steps,
) -> String {
    let package = project.package;
    let mut copies = Vec::new();
    let keeps_layout = project.is_member() && steps.deployed.is_none();
    let place = if keeps_layout {
        relative(&project.manager.root, &package.dir)
    } else {
        String::new()
    };
    let mut names = own_names(scan, project, server);
    if let Some(out) = &steps.deployed {
        if !package.dependencies.is_empty() {
            copies.push(Copy {
                from: format!("{out}/node_modules"),
                to: "/app/node_modules".to_owned(),
            });
        }
    } else if !package.dependencies.is_empty() {
        // Where every dependency is hoisted to the root, the member has no directory of its own.
        let mut wanted = vec!["node_modules".to_owned()];
        names.push("node_modules".to_owned());
        if keeps_layout {
            let up = relative(&package.dir, &project.manager.root);
            wanted.push(format!("{up}/node_modules"));
            copies.push(Copy {
                from: join("/src", &join(&project.manager.root, "node_modules")),
                to: "/app/node_modules".to_owned(),
            });
            for dir in &project.shipped {
                let from = join("/src", dir);
                let to = format!("/app/{}", relative(&project.manager.root, dir));
                copies.push(Copy { from, to });
            }
        }
        wanted.sort();
        draft.spec.build.commands.push(format!(
            "mkdir -p {}",
            wanted
                .iter()
                .map(|dir| crate::detect::provider::quoted(dir))
                .collect::<Vec<_>>()
                .join(" ")
        ));
    }
    let to = |name: &str| join("/app", &join(&place, name));
    copies.extend(names.iter().map(|name| Copy {
        from: name.clone(),
        to: to(name),
    }));
    copies.sort();
    copies.dedup();
    draft.spec.runtime.copy = copies;
    place
}

/// What of the app's own directory is shipped.
fn own_names(scan: &Scan<'_>, project: &Project<'_>, server: &Server) -> Vec<String> {
    let Some(dir) = scan.repo.dir(&project.package.dir) else {
        return Vec::new();
    };
    let mut names: Vec<String> = vec!["package.json".to_owned()];
    if let Some(output) = &server.output {
        names.push(output.clone());
        names.extend(
            dir.dirs()
                .iter()
                .filter(|name| DATA.contains(&name.as_str()))
                .cloned(),
        );
        names.extend(
            server
                .extra
                .iter()
                .filter(|name| dir.has(name) || dir.has_dir(name))
                .cloned(),
        );
    } else {
        let others: Vec<&String> = project
            .packages
            .keys()
            .filter(|other| **other != project.package.dir)
            .collect();
        let holds_other = |name: &str| {
            let path = dir.join(name);
            others.iter().any(|other| is_within(other, &path))
        };
        let wanted = |name: &&String| !name.starts_with('.') && !LEFT_OUT.contains(&name.as_str());
        let is_config = |name: &str| {
            name.contains(".config.")
                || name.starts_with("tsconfig")
                || name.ends_with(".md")
                || source::is_test_file(name)
                || name.starts_with("LICENSE")
        };
        names.extend(
            dir.files()
                .iter()
                .filter(wanted)
                .filter(|name| !is_config(name))
                .cloned(),
        );
        names.extend(
            dir.dirs()
                .iter()
                .filter(wanted)
                .filter(|name| !holds_other(name))
                .cloned(),
        );
    }
    names.sort();
    names.dedup();
    names
}

/// Fills in ports and health from the app's own sources.
fn facts(scan: &mut Scan<'_>, draft: &mut Draft, server: &Server) {
    match &server.port {
        Some(port) => draft.listens_on(port, "node.port"),
        None if server.reads_port => draft.is_given_port(3000),
        None => {}
    }
    if let Some(health) = &server.health {
        draft.answers(health);
    }
    for (file, line) in &server.loopback {
        let message =
            "listens on the loopback address, which nothing outside the container reaches";
        scan.warn(file, Some(*line), message);
    }
}
