//! The spec of an app: what is known of it, how it is built, what is shipped.

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Problem, Scan};
use crate::detect::repo::{join, resolve};
use crate::spec::{Copy, Kind, Secret};

use super::Project;
use super::framework::{self, Content, Output};
use super::manager::Tool;
use super::script::Runtime;
use super::server::Server;
use super::ship::{self, Shipped};
use super::steps::{self, Steps};
use super::toolchain::{self, Toolchain};

/// What is known of a package before anything about its program: enough to name it where it cannot be built.
pub(super) fn known(scan: &mut Scan<'_>, project: &Project<'_>) -> Draft {
    let package = project.package;
    let system = project.manager.tool.name();
    let mut draft = Draft::new(&package.dir, Kind::Web, "node", system);
    draft.fallback.clone_from(&package.name);
    draft.evidence.push(project.manager.evidence.clone());
    if let Some(workspace) = workspace(project) {
        draft.evidence.push(workspace);
    }
    draft.spec.build.context.clone_from(&project.context);
    if let Some((name, evidence)) = framework::named(scan, project) {
        draft.spec.metadata.framework = Some(name);
        draft.evidence.push(evidence);
    }
    draft
}

/// The group that a package is a member of.
fn workspace(project: &Project<'_>) -> Option<Evidence> {
    let group = project.group.filter(|_| project.is_member())?;
    let root = crate::detect::provider::shown(&project.manager.root);
    let evidence = Evidence::new("workspace", root, "node.workspace");
    let written = match group.kind {
        super::group::Kind::Manager if group.file.ends_with("package.json") => "workspaces",
        super::group::Kind::Manager | super::group::Kind::Lerna => "packages",
        super::group::Kind::Rush => "projects",
        super::group::Kind::Folders => return Some(evidence.at(&group.file, None)),
    };
    Some(evidence.at(&group.file, group.line).written(written))
}

/// The draft of an app with this output.
pub(super) fn app(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    output: &Output,
) -> Result<Draft, Box<(Draft, Problem)>> {
    let mut draft = known(scan, project);
    draft.target.clone_from(&output.target);
    match fill(scan, project, output, &mut draft) {
        Ok(()) => Ok(draft),
        Err(problem) => Err(Box::new((draft, problem))),
    }
}

fn fill(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    output: &Output,
    draft: &mut Draft,
) -> Result<(), Problem> {
    // First what it is, which holds also where it cannot be built.
    describe(project, output, draft);
    let runs = match &output.content {
        Content::Server(server) => server.runtime,
        Content::Files { .. } => Runtime::Node,
    };
    let toolchain = toolchain::choose(scan, project, runs)?;
    draft.evidence.push(toolchain.evidence.clone());
    let steps = steps::steps(scan, project, output.build.as_deref())?;
    if let Some(orchestrator) = &project.orchestrator {
        draft.evidence.push(orchestrator.evidence.clone());
    }
    if project.manager.tool == Tool::YarnBerry {
        draft.evidence.push(linker(scan, project));
    }
    let build = &mut draft.spec.build;
    build.packages.clone_from(&steps.packages);
    build.packages.extend(toolchain.build.iter().cloned());
    build.packages.sort();
    build.packages.dedup();
    build.env.clone_from(&steps.env);
    build.env.extend(output.build_env.clone());
    build.install.files.clone_from(&steps.files);
    build.install.commands.clone_from(&steps.install);
    build.commands.clone_from(&steps.build);
    build.cache.clone_from(&steps.cache);
    build.cache.extend(output.cache.iter().cloned());
    build.secrets = secrets(scan, project);
    match &output.content {
        Content::Files { dir } => files(scan, project, draft, dir),
        Content::Server(server) => serve(scan, project, draft, server, &steps, &toolchain),
    }
}

/// How the packages are linked, which decides whether `node` alone finds them.
fn linker(scan: &mut Scan<'_>, project: &Project<'_>) -> Evidence {
    let file = join(&project.manager.root, ".yarnrc.yml");
    let evidence = Evidence::new("linker", "node-modules", "node.yarn-linker");
    let Some(document) = scan.document(&file, crate::detect::document::Syntax::Yaml) else {
        return evidence.note("not Plug'n'Play, whose archives only Yarn's own loader reads");
    };
    match document.str(&["nodeLinker"]) {
        Some("node-modules") => evidence.at(&file, document.line(&["nodeLinker"])),
        Some(other) => evidence
            .at(&file, document.line(&["nodeLinker"]))
            .written(other)
            .note(format!(
                "in the place of `{other}`: `node` alone finds the packages"
            )),
        None => evidence.note("not Plug'n'Play, whose archives only Yarn's own loader reads"),
    }
}

/// Fills in kind and framework.
fn describe(project: &Project<'_>, output: &Output, draft: &mut Draft) {
    let metadata = &mut draft.spec.metadata;
    let kind = match &output.content {
        Content::Files { .. } => Kind::Static,
        Content::Server(server) if server.is_cli => Kind::Cli,
        Content::Server(server) if server.listens.is_some() || server.is_web => Kind::Web,
        Content::Server(_) => Kind::Worker,
    };
    metadata.kind = Some(kind);
    if let Some(framework) = &output.framework {
        metadata.framework = Some(framework.clone());
        draft
            .evidence
            .retain(|evidence| evidence.field != "framework");
        draft.evidence.push(framework::evidence(project, framework));
    } else if let Content::Files { .. } = &output.content {
        metadata.framework = None;
        draft
            .evidence
            .retain(|evidence| evidence.field != "framework");
    }
    let found = match (&output.content, kind) {
        (Content::Files { dir }, _) => Evidence::new("kind", "static", "node.files")
            .note(format!("the build leaves files in `{dir}`")),
        (Content::Server(server), Kind::Web) => match &server.listens {
            Some(call) if !server.is_web => Evidence::new("kind", "web", "node.listens")
                .at(&call.file, Some(call.line))
                .written(&call.value),
            _ => Evidence::new("kind", "web", "node.framework"),
        },
        (_, Kind::Cli) => Evidence::new("kind", "cli", "node.bin"),
        _ => Evidence::new("kind", "worker", "node.listens").note("none of its sources listens"),
    };
    draft.evidence.push(found);
    draft.evidence.extend(output.evidence.iter().cloned());
    let metadata = &mut draft.spec.metadata;
    metadata.confidence = Some(match &output.content {
        Content::Server(server) => server.confidence,
        Content::Files { .. } => 90,
    });
    metadata.reasoning = Some(match &output.content {
        Content::Server(server) => {
            format!("{} of `{}`", server.reason, project.package.document.file)
        }
        Content::Files { dir } => {
            format!("its build leaves files in `{dir}`, which only need to be served")
        }
    });
}

/// Variables that `.npmrc` and `.yarnrc.yml` read hold credentials.
pub(super) fn secrets(scan: &Scan<'_>, project: &Project<'_>) -> Vec<Secret> {
    let mut names = BTreeSet::new();
    for dir in [&project.package.dir, &project.manager.root] {
        for file in [".npmrc", ".yarnrc.yml", "bunfig.toml"] {
            let Ok(text) = scan.repo.text(&join(dir, file)) else {
                continue;
            };
            for part in text.split("${").skip(1) {
                let Some((name, _)) = part.split_once('}') else {
                    continue;
                };
                let name = name.split([':', '-']).next().unwrap_or_default();
                let name = name.trim_end_matches('?');
                let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
                if !name.is_empty() && name.chars().all(is_name) {
                    names.insert(name.to_owned());
                }
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
    dir: &str,
) -> Result<(), Problem> {
    let manifest = &project.package.document.file;
    let server = super::super::static_site::server(scan, manifest)?;
    let spec = &mut draft.spec;
    if spec.build.commands.is_empty() && !project.has_build() {
        let exists =
            resolve(&project.package.dir, dir).is_some_and(|dir| scan.repo.dir(&dir).is_some());
        if !exists {
            let message = format!(
                "serves `{dir}`, which neither exists nor is built: there is no `build` script"
            );
            return Err(Problem::new(manifest, None, message));
        }
    }
    spec.runtime.copy = vec![Copy {
        from: dir.to_owned(),
        to: "/app".to_owned(),
    }];
    spec.runtime.packages = vec![server];
    spec.runtime.ports = vec![super::super::static_site::PORT];
    let port = super::super::static_site::PORT.to_string();
    draft
        .evidence
        .push(Evidence::new("port", port, "static.port"));
    Ok(())
}

fn serve(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    draft: &mut Draft,
    server: &Server,
    steps: &Steps,
    toolchain: &Toolchain,
) -> Result<(), Problem> {
    let spec = &mut draft.spec;
    spec.build.commands.extend(server.after.iter().cloned());
    spec.build.cache.extend(server.cache.iter().cloned());
    spec.runtime.writable.clone_from(&server.writable);
    if server.bundle.is_none() || server.needs_modules {
        if project.manager.tool == Tool::Rush && steps.deployed.is_none() {
            let file = join(&project.manager.root, "rush.json");
            let message = "the packages of a project of Rush are shipped by `rush deploy`, which has no configuration";
            return Err(Problem::new(&file, None, message)
                .help("run `rush init-deploy --project` with its name, and commit `common/config/rush/deploy.json`"));
        }
        spec.build.commands.extend(steps.prune.iter().cloned());
    }
    spec.build.env.extend(server.build_env.clone());
    spec.runtime.packages = vec![toolchain.runtime.clone()];
    spec.runtime
        .packages
        .extend(scan.catalog.package("ca-certificates-bundle"));
    spec.runtime.packages.extend(steps.runtime.iter().cloned());
    spec.runtime.packages.sort();
    spec.runtime.packages.dedup();
    spec.runtime.env = server.env.clone();
    spec.runtime.env.extend(steps.runtime_env.clone());
    spec.runtime
        .env
        .entry("NODE_ENV".to_owned())
        .or_insert_with(|| "production".to_owned());
    let Shipped {
        place,
        commands,
        copies,
        reasons,
    } = ship::ship(scan, project, server, steps);
    let spec = &mut draft.spec;
    spec.build.commands.extend(commands);
    spec.runtime.copy = copies;
    draft.evidence.extend(reasons);
    let spec = &mut draft.spec;
    let workdir = join(&place, server.directory.as_deref().unwrap_or_default());
    let workdir = resolve("", &workdir).unwrap_or(workdir);
    if !workdir.is_empty() {
        spec.runtime.workdir = Some(format!("/app/{workdir}"));
    }
    let mut command = vec![server.runtime.program().to_owned()];
    command.extend(server.arguments.iter().cloned());
    spec.runtime.command = command;
    spec.runtime.processes.clone_from(&server.processes);
    draft.evidence.extend(server.evidence.iter().cloned());
    facts(scan, draft, server);
    Ok(())
}

/// Fills in ports and health from the app's own sources.
fn facts(scan: &mut Scan<'_>, draft: &mut Draft, server: &Server) {
    if let Some(port) = server.given_port {
        draft.spec.runtime.ports = vec![port];
        let place = server.evidence.iter().find(|found| found.field == "start");
        let given = match place {
            Some(start) if start.value.contains(&format!("-{port}")) => {
                Evidence::new("port", port.to_string(), "node.port-argument")
                    .at(start.file.as_deref().unwrap_or_default(), start.line)
            }
            _ => Evidence::new("port", port.to_string(), "node.port-argument-default"),
        };
        draft.evidence.push(given);
    } else {
        match &server.port {
            Some(port) => draft.listens_on(port, "node.port"),
            None if server.reads_port => draft.is_given_port(3000),
            None => {}
        }
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
