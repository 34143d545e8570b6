//! The runtime of a project: which Node.js, or bun.

use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan, unavailable};
use crate::detect::version::{self, Source, Tool};

use super::Project;
use super::manager;
use super::script::Runtime;

const TOOL: Tool = Tool {
    name: "Node.js",
    asdf: &["node", "nodejs"],
    prefix: "nodejs-",
    numbers: 1,
    default: Some("nodejs"),
    read: version::node,
};

/// The packages of a project's runtimes.
pub(super) struct Toolchain {
    /// What the build needs.
    pub(super) build: Vec<String>,
    /// What the program runs with.
    pub(super) runtime: String,
    pub(super) evidence: Evidence,
}

/// Chooses the runtimes; `runs` is what the program runs with, where it is one.
pub(super) fn choose(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    runs: Runtime,
) -> Result<Toolchain, Problem> {
    let manifest = &project.package.document.file;
    if runs == Runtime::Bun {
        let Some(bun) = scan.catalog.package("bun") else {
            let message = "bun runs it, and bun is not packaged";
            return Err(Problem::new(manifest, None, message).help("start it with `node`"));
        };
        let mut build = vec![bun.clone()];
        if !is_all_bun(project) {
            build.push(node(scan, project)?.stream.package);
        }
        let rule = "node.bun-runs-it";
        let evidence = Evidence::new("toolchain", &bun, rule);
        return Ok(Toolchain {
            build,
            runtime: bun,
            evidence,
        });
    }
    let chosen = node(scan, project)?;
    let package = chosen.stream.package;
    Ok(Toolchain {
        build: vec![package.clone()],
        runtime: package,
        evidence: chosen.evidence,
    })
}

/// Whether all that the build runs is bun: it installs, and no script calls another program.
fn is_all_bun(project: &Project<'_>) -> bool {
    let text = project.build_text();
    project.manager.tool == manager::Tool::Bun
        && (text.is_empty() || text.starts_with("bun "))
        && project.package.document.get(&["engines", "node"]).is_none()
}

fn node(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<version::Chosen, Problem> {
    let sources = sources(scan, project);
    scan.toolchain(&TOOL, &sources)
        .map_err(|error| unavailable(&project.package.document.file, error))
}

/// The numbers of the version that would be chosen, without a word about it.
pub(super) fn peek(scan: &mut Scan<'_>, project: &Project<'_>) -> Vec<u64> {
    let sources = sources(scan, project);
    match version::choose(scan.catalog, &TOOL, &sources) {
        Ok(chosen) => version::numbers(chosen.stream.newest.upstream()),
        Err(_) => Vec::new(),
    }
}

fn sources(scan: &mut Scan<'_>, project: &Project<'_>) -> Vec<Source> {
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
            let is_other = keys[0] == "devEngines"
                && document
                    .str(&["devEngines", "runtime", "name"])
                    .is_some_and(|name| name != "node");
            if !is_other {
                sources.extend(version::manifest(document, keys, rule));
            }
        }
    }
    if project.manager.tool == manager::Tool::Rush {
        let file = crate::detect::repo::join(&project.manager.root, "rush.json");
        if let Some(rush) = scan.document(&file, crate::detect::document::Syntax::Json) {
            let keys = ["nodeSupportedVersionRange"];
            sources.extend(version::manifest(&rush, &keys, "version.rush"));
        }
    }
    sources
}
