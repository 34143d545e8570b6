//! Tools that build the members of a workspace in their order: Turborepo, Nx, moon, Lerna.

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan, quoted};
use crate::detect::repo::join;

use super::Project;
use super::group::Kind;
use super::package::Package;

/// A tool that builds members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Lerna,
    Moon,
    Nx,
    Turbo,
}

/// The tool that builds a project, and who says so.
#[derive(Clone, Debug)]
pub(super) struct Orchestrator {
    pub(super) tool: Tool,
    pub(super) evidence: Evidence,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Lerna => "lerna",
            Self::Moon => "moon",
            Self::Nx => "nx",
            Self::Turbo => "turbo",
        }
    }

    /// The package that brings its program.
    fn package(self) -> &'static str {
        match self {
            Self::Moon => "@moonrepo/cli",
            other => other.name(),
        }
    }

    /// What its runs need in their environment.
    pub(super) fn env(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Lerna => &[("NX_DAEMON", "false")],
            // It would fetch a toolchain of its own.
            Self::Moon => &[("MOON_TOOLCHAIN_FORCE_GLOBALS", "true")],
            Self::Nx => &[("NX_DAEMON", "false"), ("NX_NO_CLOUD", "true")],
            Self::Turbo => &[("TURBO_TELEMETRY_DISABLED", "1")],
        }
    }
}

/// The target of Nx that builds a package, where its `project.json` has one.
pub(super) fn target(package: &Package) -> Option<&'static str> {
    let nx = package.nx.as_ref()?;
    ["build", "bundle", "export"]
        .into_iter()
        .find(|name| nx.get(&["targets", name]).is_some())
}

/// Finds the tool that builds a project; one that the root does not depend on is not there when it is built.
pub(super) fn find(scan: &mut Scan<'_>, project: &Project<'_>) -> Option<Orchestrator> {
    let package = project.package;
    if !project.is_member() || project.group.is_some_and(|group| group.kind == Kind::Rush) {
        return None;
    }
    let root = project.manager.root.clone();
    let file = |name: &str| Some(join(&root, name)).filter(|file| scan.repo.has(file));
    let candidates = [
        (
            Tool::Turbo,
            file("turbo.json").or_else(|| file("turbo.jsonc")),
        ),
        (Tool::Moon, file(".moon/workspace.yml")),
        (Tool::Nx, file("nx.json")),
        (Tool::Lerna, file("lerna.json")),
    ];
    for (tool, file) in candidates {
        let Some(file) = file else { continue };
        let is_asked = match tool {
            // Without the name of a manager it builds nothing.
            Tool::Turbo => {
                project.root_document().get(&["packageManager"]).is_some()
                    && scan
                        .document(&file, Syntax::Json)
                        .is_some_and(|turbo| has_task(&turbo, project))
            }
            Tool::Moon => package.moon.is_some(),
            Tool::Nx | Tool::Lerna => true,
        };
        if !is_asked || (!project.root_package().has(tool.package()) && !package.inherits) {
            continue;
        }
        let root = project.root_package();
        let line = root.dependency_line(tool.package());
        let evidence = Evidence::new("orchestrator", tool.name(), "node.orchestrator");
        let evidence = match line {
            Some(line) => evidence.at(&root.document.file, Some(line)),
            None => evidence.at(&file, None),
        };
        return Some(Orchestrator { tool, evidence });
    }
    None
}

fn has_task(turbo: &Document, project: &Project<'_>) -> bool {
    let script = project.build_script();
    let own = format!(
        "{}#{script}",
        project.package.name.as_deref().unwrap_or_default()
    );
    ["tasks", "pipeline"].iter().any(|table| {
        turbo.get(&[table, script]).is_some() || turbo.get(&[table, own.as_str()]).is_some()
    })
}

/// The command that builds a project with what it needs, run at the root.
pub(super) fn build(orchestrator: &Orchestrator, project: &Project<'_>) -> Result<String, Problem> {
    let tool = orchestrator.tool;
    let package = project.package;
    let root = project.root_package();
    if !root.has(tool.package()) {
        let message = format!(
            "{} builds it, and no package.json depends on `{}`",
            tool.name(),
            tool.package()
        );
        let help = format!(
            "add `{}` to `devDependencies` of `{}`",
            tool.package(),
            root.document.file
        );
        let file = orchestrator.evidence.file.as_deref().unwrap_or_default();
        return Err(Problem::new(file, None, message).help(help));
    }
    let script = project.build_script();
    let name = package.name.clone().unwrap_or_default();
    let words = match tool {
        Tool::Lerna => format!(
            "lerna run {script} --scope={} --include-dependencies",
            quoted(&name)
        ),
        Tool::Moon => {
            let id = moon_id(package);
            format!("moon run {}", quoted(&format!("{id}:{script}")))
        }
        Tool::Nx => {
            let project_name = package
                .nx
                .as_ref()
                .and_then(|nx| nx.str(&["name"]))
                .unwrap_or(&name);
            let target = target(package).unwrap_or(script);
            let production = package.nx.as_ref().is_some_and(|nx| {
                nx.get(&["targets", target, "configurations", "production"])
                    .is_some()
                    && nx
                        .get(&["targets", target, "defaultConfiguration"])
                        .is_none()
            });
            let ending = if production { ":production" } else { "" };
            format!(
                "nx run {}",
                quoted(&format!("{project_name}:{target}{ending}"))
            )
        }
        Tool::Turbo => format!(
            "turbo run {script} --filter={}",
            quoted(&format!("{name}..."))
        ),
    };
    Ok(project.manager.exec(&words))
}

/// The name by which moon knows a project: the folder's, unless it is told another.
fn moon_id(package: &Package) -> String {
    let named = package.moon.as_ref().and_then(|moon| moon.str(&["id"]));
    named
        .unwrap_or_else(|| crate::detect::repo::split(&package.dir).1)
        .to_owned()
}
