//! Node.js: npm, Yarn, pnpm, bun and Rush, alone and in workspaces.

mod assets;
mod config;
mod entry;
mod framework;
mod group;
mod image;
mod locate;
mod manager;
mod native;
mod orchestrator;
mod package;
mod port;
mod prisma;
mod processes;
mod program;
mod project;
mod prune;
mod reach;
mod script;
mod server;
mod ship;
mod steps;
mod strip;
mod toolchain;

use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Problem, Provider, Scan};
use crate::detect::repo::{is_within, split};
use crate::detect::source::{Family, Source};

#[allow(
    unused_imports,
    reason = "the rules of back ends call what they need of it"
)]
pub(crate) use assets::{assets, assets_below};
pub(crate) use package::Packages;

use entry::Found;
use framework::Output;
use group::Group;
use package::Package;
use project::Project;

pub(crate) struct Node;

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

const LANGUAGE: Language = Language {
    name: "Node.js",
    build_systems: &["bun", "npm", "pnpm", "rush", "yarn", "yarn-berry"],
    frameworks: &[
        "angular",
        "astro",
        "create-react-app",
        "docusaurus",
        "eleventy",
        "expo",
        "express",
        "fastify",
        "gatsby",
        "hapi",
        "hono",
        "koa",
        "nestjs",
        "nextjs",
        "nuxt",
        "react-router",
        "remix",
        "sveltekit",
        "tanstack-start",
        "vite",
        "vitepress",
        "vue-cli",
    ],
    manifests: &[
        "lerna.json",
        "moon.yml",
        "package.json",
        "package.json5",
        "pnpm-workspace.yaml",
        "project.json",
        "rush.json",
    ],
};

impl Provider for Node {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn looks_at_others(&self) -> bool {
        true
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let packages = package::read(scan);
        let groups = group::all(scan, &packages);
        for package in packages.values() {
            let group = group::of(&groups, &package.dir);
            let is_member = group.is_some_and(|group| group.workspace.root != package.dir);
            if let Some(owner) = scan.claims.get(&package.dir) {
                let reason = format!("it builds the assets of {owner}");
                scan.reject(&package.dir, LOOKS_LIKE, reason);
                continue;
            }
            let is_deno = |draft: &&crate::detect::provider::Draft| {
                draft.path == package.dir && draft.spec.metadata.language.as_deref() == Some("deno")
            };
            if scan.drafts.iter().any(|draft| is_deno(&draft)) {
                scan.reject(&package.dir, LOOKS_LIKE, "it belongs to the Deno app there");
                continue;
            }
            if is_template(package) {
                let reason = "its manifest holds placeholders: it is a template";
                scan.reject(&package.dir, LOOKS_LIKE, reason);
                continue;
            }
            if passed_over(scan, &package.dir, LOOKS_LIKE, is_member) {
                continue;
            }
            let project = project::project(scan, &packages, package, group);
            detect_package(scan, &project);
        }
    }
}

/// Whether the name of a package is filled in by whoever copies it.
fn is_template(package: &Package) -> bool {
    let name = package.name.as_deref().unwrap_or_default();
    name.contains("{{") || name.contains("<%") || name.contains("${")
}

/// Adds the apps of a package, or the reason why it is none.
fn detect_package(scan: &mut Scan<'_>, project: &Project<'_>) {
    let package = project.package;
    let outputs = match outputs(scan, project) {
        Ok(Ok(outputs)) => outputs,
        Ok(Err(reason)) => {
            scan.reject(&package.dir, LOOKS_LIKE, reason);
            return;
        }
        Err(problem) => {
            if let Some(reason) = depended_on(project)
                .or_else(|| tooling(project))
                .or_else(|| windowed(project))
            {
                scan.reject(&package.dir, LOOKS_LIKE, reason);
            } else {
                let draft = image::known(scan, project);
                scan.refuse(draft, problem);
            }
            return;
        }
    };
    if let Some(reason) = folded(scan, project, &outputs).or_else(|| depended_on(project)) {
        scan.reject(&package.dir, LOOKS_LIKE, reason);
        return;
    }
    for output in &outputs {
        match image::app(scan, project, output) {
            Ok(draft) => scan.drafts.push(draft),
            Err(refused) => {
                let (draft, problem) = *refused;
                scan.refuse(draft, problem);
            }
        }
    }
}

/// What a package leaves, or why it is no app.
fn outputs(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
) -> Result<Result<Vec<Output>, String>, Problem> {
    let package = project.package;
    let named = scan.entry(&package.dir);
    let found = if let Some(named) = &named {
        entry::named(scan, project, named)
    } else {
        if let Some(reason) = declared_library(project) {
            return Ok(Err(reason));
        }
        let mut decided = framework::decided(scan, project)?;
        if !decided.is_empty() {
            processes::of_framework(scan, project, &mut decided)?;
            return Ok(Ok(decided));
        }
        entry::server(scan, project)
    };
    let reason = match found {
        Ok(Found::Server(server)) => return Ok(Ok(vec![Output::server(*server)])),
        Ok(Found::Files(dir, evidence)) => {
            let framework = bundler(scan, project);
            let mut output = Output::files(framework.as_deref(), &dir, "node.serves-files");
            if let (Some(file), Some(line)) = (&evidence.file, evidence.line) {
                output = output.at(file, Some(line), &evidence.value);
            }
            return Ok(Ok(vec![output]));
        }
        Ok(Found::Nothing(reason)) => match named {
            Some(named) => return Err(Problem::new(&named.file, Some(named.line), reason)),
            None => reason,
        },
        Err(problem) if named.is_some() => return Err(problem),
        Err(problem) => return bundled_instead(scan, project, problem).map(Ok),
    };
    let bundled = framework::bundled(scan, project)?;
    if !bundled.is_empty() {
        return Ok(Ok(bundled));
    }
    if let Some(hint) = scan.hints(&package.dir).named.first().cloned() {
        let message = format!(
            "{} names it as an app, and nothing says what it starts: {reason}",
            hint.value
        );
        return Err(Problem::new(&hint.file, Some(hint.line), message)
            .help(format!("add a start script to `{}`", package.document.file)));
    }
    if package.has("expo") || package.has("react-native") {
        return Ok(Err("it is an app for mobile devices".to_owned()));
    }
    Ok(Err(library(project).unwrap_or(reason)))
}

/// The files of a bundler, which need no start script, where the one there is cannot be used.
fn bundled_instead(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    problem: Problem,
) -> Result<Vec<Output>, Problem> {
    let bundled = framework::bundled(scan, project)?;
    if bundled.is_empty() || bundled.iter().any(Output::is_server) {
        return Err(problem);
    }
    let message = format!(
        "{}; the files of the build are served instead",
        problem.message
    );
    scan.warn(&problem.file, problem.line, message);
    Ok(bundled)
}

/// The bundler whose output a file server would serve.
fn bundler(scan: &mut Scan<'_>, project: &Project<'_>) -> Option<String> {
    let outputs = framework::bundled(scan, project).ok()?;
    outputs.first()?.framework.clone()
}

/// Why a package is no app where its orchestrator says what it is.
fn declared_library(project: &Project<'_>) -> Option<String> {
    let package = project.package;
    let nx = package.nx.as_ref().and_then(|nx| nx.str(&["projectType"]));
    if nx == Some("library") {
        return Some("its `project.json` says that it is a library".to_owned());
    }
    let moon = package.moon.as_ref();
    let kind = moon.and_then(|moon| moon.str(&["type"]).or_else(|| moon.str(&["layer"])));
    match kind {
        Some(kind @ ("library" | "tool" | "automation" | "configuration" | "scaffolding")) => {
            Some(format!("its `moon.yml` says that it is a {kind}"))
        }
        _ => None,
    }
}

/// Why the assets of a back end are no app of their own.
fn folded(scan: &mut Scan<'_>, project: &Project<'_>, outputs: &[Output]) -> Option<String> {
    let package = project.package;
    let dir = scan.repo.dir(&package.dir)?;
    let (name, what) = BACKENDS.iter().find(|(name, _)| dir.has(name))?;
    if outputs.iter().any(Output::is_server) {
        return None;
    }
    let message =
        format!("builds assets of the {what}, which its image will lack: they are not built");
    scan.warn(
        &package.document.file,
        package.script_line("build"),
        message,
    );
    Some(format!(
        "beside `{name}` it builds the assets of the {what}"
    ))
}

/// Why a package that other members depend on is a library although it has something to start.
fn depended_on(project: &Project<'_>) -> Option<String> {
    let user = project::user(project)?;
    let (key, _) = project.package.is_published()?;
    Some(format!(
        "`{user}` depends on it, and its manifest describes a library: it has `{key}`"
    ))
}

/// Why a package that cannot start lies where libraries do, and so is none that should.
fn tooling(project: &Project<'_>) -> Option<String> {
    let package = project.package;
    let lies_low = ["packages", "libs", "tooling", "tools", "config"];
    let parent = split(split(&package.dir).0).1;
    let (key, _) = package.is_published()?;
    lies_low.contains(&parent).then(|| {
        format!("it lies in `{parent}`, and its manifest describes a library: it has `{key}`")
    })
}

/// Programs that open windows.
const WINDOWED: &[&str] = &[
    "electron",
    "electron-forge",
    "electron-vite",
    "neu",
    "nw",
    "tauri",
];

/// Why a package whose start script is no command is an app for desktops.
fn windowed(project: &Project<'_>) -> Option<String> {
    let script = project.package.script("start")?;
    let program = script
        .split_whitespace()
        .find(|word| WINDOWED.contains(word))?;
    Some(format!(
        "`{program}` starts it: it is an app with windows of its own, for desktops"
    ))
}

/// The reason that says most about a package which starts nothing.
fn library(project: &Project<'_>) -> Option<String> {
    let package = project.package;
    let group: Option<&Group> = project.group;
    if let Some(group) = group.filter(|group| group.workspace.root == package.dir) {
        let count = group.workspace.members.len();
        return package
            .script("start")
            .is_none()
            .then(|| format!("it is the root of a workspace with {count} members"));
    }
    if package.script("start").is_some() {
        return depended_on(project);
    }
    if let Some(user) = project::user(project) {
        return Some(format!(
            "it is a library: `{user}` depends on it, and it has no start script"
        ));
    }
    let below = |other: &&String| **other != package.dir && is_within(other, &package.dir);
    let nested = project.packages.keys().filter(below).count();
    let has_code = ["main", "exports", "bin"]
        .iter()
        .any(|key| package.document.get(&[key]).is_some());
    if !has_code && package.scripts.is_empty() {
        return Some(if nested > 0 {
            format!("it holds nothing of its own beside {nested} packages below it")
        } else {
            "it has neither scripts nor an entry: it holds configuration".to_owned()
        });
    }
    if let Some((key, _)) = package.is_published() {
        return Some(format!(
            "it is a library: it has `{key}` and no start script"
        ));
    }
    None
}

/// Whether a text of a script imports what only Deno has: remote modules, `jsr:` or `npm:` specifiers.
pub(super) fn imports_deno(text: &str) -> Option<(String, u64)> {
    let source = Source::parse(text, Family::Script);
    let found = source.strings.iter().find(|(at, text)| {
        let before = source.code[..*at].trim_end();
        let is_import =
            before.ends_with("from") || before.ends_with("import") || before.ends_with("import(");
        let is_remote = ["https://", "jsr:", "npm:"]
            .iter()
            .any(|start| text.starts_with(start));
        is_import && is_remote
    });
    found.map(|(at, text)| (text.clone(), source.line(*at)))
}
