//! A program that serves or works, and what its sources say of it.

use std::collections::BTreeMap;

use crate::detect::explain::Evidence;
use crate::detect::provider::Scan;
use crate::detect::repo::is_within;
use crate::detect::source::{self, Fact, File};
use crate::spec::Copy;

use super::Project;
use super::port;
use super::reach;
use super::script::Runtime;

/// A program that node or bun runs.
#[derive(Default)]
pub(super) struct Server {
    pub(super) runtime: Runtime,
    pub(super) arguments: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// Further processes by name, each with its whole command.
    pub(super) processes: BTreeMap<String, Vec<String>>,
    /// Where it runs, relative to the app's directory, or below `/app` for a bundle.
    pub(super) directory: Option<String>,
    pub(super) framework: Option<String>,
    /// The directory that the build writes, where only that is shipped.
    pub(super) output: Option<String>,
    /// What the build writes beside it, where all of the app is shipped.
    pub(super) also: Vec<String>,
    /// Whether the bundle needs the installed packages as well.
    pub(super) needs_modules: bool,
    /// The directories of its own sources, where others of the package are not its own.
    pub(super) sources: Vec<String>,
    /// Files beside it that it reads.
    pub(super) extra: Vec<String>,
    /// What is copied, where the build leaves something complete.
    pub(super) bundle: Option<Vec<Copy>>,
    pub(super) build_env: BTreeMap<String, String>,
    /// Directories of the build that are kept from one to the next.
    pub(super) cache: Vec<String>,
    /// Commands after the build and before the copies.
    pub(super) after: Vec<String>,
    pub(super) writable: Vec<String>,
    /// The call by which it listens, with its place; a framework's server has none.
    pub(super) listens: Option<Fact<String>>,
    /// Whether its framework says that it listens.
    pub(super) is_web: bool,
    pub(super) is_cli: bool,
    pub(super) port: Option<Fact<u16>>,
    pub(super) reads_port: bool,
    pub(super) given_port: Option<u16>,
    pub(super) health: Option<Fact<String>>,
    pub(super) loopback: Vec<(String, u64)>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) confidence: u8,
    pub(super) reason: String,
}

/// The endings of sources.
pub(super) const ENDINGS: &[&str] = &["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx"];

/// The call by which a source listens.
pub(super) fn listens(parsed: &source::Source) -> Option<(&'static str, usize)> {
    [
        ".listen(",
        "createServer(",
        "Bun.serve(",
        "Deno.serve(",
        "Hapi.server(",
        "serve(",
    ]
    .into_iter()
    .find_map(|call| parsed.find(call).map(|at| (call.trim_end_matches('('), at)))
}

/// Frameworks of servers, by package.
pub(super) const FRAMEWORKS: &[(&str, &str)] = &[
    ("@nestjs/core", "nestjs"),
    ("@hapi/hapi", "hapi"),
    ("express", "express"),
    ("fastify", "fastify"),
    ("hono", "hono"),
    ("koa", "koa"),
];

/// Adds what the sources say: framework, port, health.
pub(super) fn complete(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    mut server: Server,
    evidence: Evidence,
) -> Server {
    let package = project.package;
    server.evidence.insert(0, evidence);
    let mut files = reach::sources(scan, project, &server.extra);
    let is_known = FRAMEWORKS
        .iter()
        .any(|(name, _)| !package.inherits && package.dependencies.contains(*name));
    if is_known && !files.iter().any(|file| listens(&file.source).is_some()) {
        // It may load its parts by their place; with such a dependency it serves, and not what other packages do.
        files = reach::sources(scan, project, &[]);
    }
    if !server.sources.is_empty() {
        let is_own = |file: &File| server.sources.iter().any(|dir| is_within(&file.path, dir));
        files.retain(is_own);
    }
    if server.framework.is_none() {
        let imports = |name: &str| {
            !package.inherits
                || files
                    .iter()
                    .any(|file| file.source.strings.iter().any(|(_, text)| text == name))
        };
        server.framework = FRAMEWORKS
            .iter()
            .find(|(name, _)| package.dependencies.contains(*name) && imports(name))
            .map(|(_, name)| (*name).to_owned());
    }
    if server.health.is_none() {
        server.health = source::health(&files);
    }
    if server.port.is_none() {
        server.port = port::find(&files);
    }
    server.reads_port |= port::is_read(&files);
    server.listens = files.iter().find_map(|file| {
        let (call, at) = listens(&file.source)?;
        Some(Fact {
            value: call.to_owned(),
            file: file.path.clone(),
            line: file.source.line(at),
        })
    });
    if server.listens.is_none() && server.runtime == Runtime::Bun {
        exported(&files, &mut server);
    }
    if server.framework.as_deref() == Some("fastify") {
        server.loopback = fastify_loopback(&files);
    }
    // Servers of packages read it.
    server.reads_port |= server.is_web && server.port.is_none();
    if server.listens.is_none() && !server.is_web {
        server.port = None;
        server.reads_port = false;
        server.health = None;
    }
    server
}

/// bun serves what the entry exports by default, where that has a `fetch`: <https://bun.sh/docs/runtime/http/server>.
fn exported(files: &[File], server: &mut Server) {
    let Some(entry) = files.first() else { return };
    let Some(at) = entry.source.find("export default") else {
        return;
    };
    let rest = &entry.source.code[at + "export default".len()..];
    let is_app = server.framework.as_deref() == Some("hono") && !rest.trim_start().starts_with('{');
    let names_fetch = rest.contains("fetch(") || rest.contains("fetch:") || rest.contains(".fetch");
    if !is_app && !names_fetch && !rest.contains("fetch,") {
        return;
    }
    let fact = |value: &str, at: usize| Fact {
        value: value.to_owned(),
        file: entry.path.clone(),
        line: entry.source.line(at),
    };
    server.listens = Some(fact("export default", at));
    let key = rest
        .find("port:")
        .map(|key| at + "export default".len() + key);
    let number = key.and_then(|key| Some((key, entry.source.number_after(key, 40)?)));
    server.port = server.port.take().or_else(|| {
        let (at, value) = number?;
        Some(Fact {
            value,
            file: entry.path.clone(),
            line: entry.source.line(at),
        })
    });
    server.reads_port |= server.port.is_none();
}

/// Fastify listens on the loopback address unless it is told otherwise.
fn fastify_loopback(files: &[File]) -> Vec<(String, u64)> {
    let says_host = files.iter().any(|file| {
        file.source
            .strings
            .iter()
            .any(|(_, text)| matches!(text.as_str(), "0.0.0.0" | "::"))
            || file.source.find("process.env.HOST").is_some()
            || file.source.find("env.HOST").is_some()
    });
    if says_host {
        return Vec::new();
    }
    files
        .iter()
        .filter_map(|file| {
            file.source
                .find(".listen(")
                .map(|at| (file.path.clone(), file.source.line(at)))
        })
        .take(1)
        .collect()
}
