//! Frameworks whose build decides what is served.

mod angular;
mod astro;
mod nest;
mod next;
mod nitro;
mod nx;
mod router;
mod site;
mod svelte;

use std::collections::BTreeMap;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::join;
use crate::detect::source::Fact;

use super::Project;
use super::config::{Config, Setting};
use super::script;
use super::server::{self, Server, complete};

pub(super) use site::out_dir;

/// What a package's build leaves.
pub(super) struct Output {
    pub(super) framework: Option<String>,
    /// Which of several apps of the package it is.
    pub(super) target: Option<String>,
    /// What builds it, where that is not the package's own script.
    pub(super) build: Option<Vec<String>>,
    pub(super) build_env: BTreeMap<String, String>,
    pub(super) cache: Vec<String>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) content: Content,
}

/// A server, or files to be served.
pub(super) enum Content {
    Server(Box<Server>),
    Files {
        /// Relative to the app's directory.
        dir: String,
    },
}

impl Output {
    pub(super) fn files(framework: Option<&str>, dir: &str, rule: &str) -> Self {
        Self {
            framework: framework.map(str::to_owned),
            target: None,
            build: None,
            build_env: BTreeMap::new(),
            cache: Vec::new(),
            evidence: vec![Evidence::new("static", dir, rule)],
            content: Content::Files {
                dir: dir.to_owned(),
            },
        }
    }

    pub(super) fn server(server: Server) -> Self {
        Self {
            framework: server.framework.clone(),
            target: None,
            build: None,
            build_env: BTreeMap::new(),
            cache: Vec::new(),
            evidence: Vec::new(),
            content: Content::Server(Box::new(server)),
        }
    }

    /// The same, with the place that says so and what is written there.
    pub(super) fn at(mut self, file: &str, line: Option<u64>, written: &str) -> Self {
        let first = match &mut self.content {
            Content::Files { .. } => self.evidence.first_mut(),
            Content::Server(server) => server.evidence.first_mut(),
        };
        if let Some(first) = first {
            *first = first.clone().at(file, line);
            if line.is_some() {
                *first = first.clone().written(written);
            }
        }
        self
    }

    /// The same, said by the script that builds it.
    fn by_script(self, project: &Project<'_>) -> Self {
        let script = project.build_script();
        let file = project.package.script_file(script).to_owned();
        let line = project.package.script_line(script);
        self.at(&file, line, script)
    }

    pub(super) fn is_server(&self) -> bool {
        matches!(self.content, Content::Server(_))
    }
}

/// The frameworks by the package that brings each, those that are built upon others first.
pub(super) const NAMES: &[(&str, &str)] = &[
    ("next", "nextjs"),
    ("nuxt", "nuxt"),
    ("@tanstack/react-start", "tanstack-start"),
    ("@react-router/dev", "react-router"),
    ("@remix-run/node", "remix"),
    ("@remix-run/react", "remix"),
    ("@sveltejs/kit", "sveltekit"),
    ("astro", "astro"),
    ("@docusaurus/core", "docusaurus"),
    ("gatsby", "gatsby"),
    ("vitepress", "vitepress"),
    ("@11ty/eleventy", "eleventy"),
    ("expo", "expo"),
    ("@angular/core", "angular"),
    ("@nestjs/core", "nestjs"),
    ("react-scripts", "create-react-app"),
    ("@vue/cli-service", "vue-cli"),
];

/// The configuration that each framework is known by where dependencies are shared.
const STEMS: &[(&str, &[&str])] = &[
    ("@docusaurus/core", &["docusaurus.config"]),
    ("@sveltejs/kit", &["svelte.config"]),
    ("@react-router/dev", &["react-router.config"]),
    ("astro", &["astro.config"]),
    ("gatsby", &["gatsby-config"]),
    ("next", &["next.config"]),
    ("nuxt", &["nuxt.config"]),
];

/// The framework of a package as its dependencies have it, before its program is known.
pub(super) fn named(scan: &Scan<'_>, project: &Project<'_>) -> Option<(String, Evidence)> {
    let all = NAMES.iter().chain(server::FRAMEWORKS);
    let (_, name) = all
        .filter(|(package, _)| uses(scan, project, package))
        .map(|(package, name)| (*package, (*name).to_owned()))
        .next()?;
    let evidence = evidence(project, &name);
    Some((name, evidence))
}

fn uses(scan: &Scan<'_>, project: &Project<'_>, package: &str) -> bool {
    let stems = STEMS.iter().find(|(name, _)| *name == package);
    let stems = stems.map_or(&[][..], |(_, stems)| stems);
    project.uses(scan, package, stems)
}

/// Where a framework stands among the dependencies.
pub(super) fn evidence(project: &Project<'_>, framework: &str) -> Evidence {
    let evidence = Evidence::new("framework", framework, "node.dependency");
    let all = NAMES
        .iter()
        .chain(server::FRAMEWORKS)
        .chain(&[("vite", "vite")]);
    // Where dependencies are shared they stand at the root.
    let package = if project.package.inherits {
        project.root_package()
    } else {
        project.package
    };
    for (name, _) in all.filter(|(_, name)| *name == framework) {
        if let Some(line) = package.dependency_line(name) {
            return evidence
                .at(&package.document.file, Some(line))
                .written(*name);
        }
    }
    evidence
}

/// The apps of a framework that serves by itself or decides whether it does.
pub(super) fn decided(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Vec<Output>, Problem> {
    if let Some(output) = nx::output(scan, project)? {
        return Ok(vec![output]);
    }
    if let Some(outputs) = nest::monorepo(scan, project)? {
        return Ok(outputs);
    }
    if let Some(output) = site::expo(scan, project)? {
        return Ok(vec![output]);
    }
    if !project.has_build() {
        return Ok(Vec::new());
    }
    let is = |package: &str| uses(scan, project, package);
    let output = if is("next") {
        next::output(scan, project)?
    } else if is("nuxt") {
        Some(nitro::nuxt(scan, project)?)
    } else if is("@tanstack/react-start") {
        nitro::tanstack(scan, project)?
    } else if is("@react-router/dev") || is("@remix-run/node") || is("@remix-run/react") {
        router::output(scan, project)?
    } else if is("@sveltejs/kit") {
        Some(svelte::output(scan, project)?)
    } else if is("astro") {
        astro::output(scan, project)?
    } else {
        None
    };
    Ok(output.into_iter().collect())
}

/// The apps of a bundler or site generator, of a package that starts no server of its own.
pub(super) fn bundled(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Vec<Output>, Problem> {
    if !project.has_build() {
        return Ok(Vec::new());
    }
    if project.package.has("@angular/core") {
        let outputs = angular::outputs(scan, project)?;
        if !outputs.is_empty() {
            return Ok(outputs);
        }
    }
    if project.package.has("@nestjs/core") && !project.package.inherits {
        return Ok(nest::output(scan, project).into_iter().collect());
    }
    Ok(site::output(scan, project)?.into_iter().collect())
}

/// The server of a framework, which listens on `port` unless it is told otherwise.
fn listening(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    framework: &str,
    port: u16,
    mut server: Server,
    rule: &str,
) -> Output {
    server.framework = Some(framework.to_owned());
    let usual = Fact {
        value: port,
        file: String::new(),
        line: 0,
    };
    // What the start script says holds, where the server reads it from the environment.
    let said = script::port(project).filter(|_| server.env.contains_key("PORT"));
    let port = said.unwrap_or(usual);
    if let Some(given) = server.env.get_mut("PORT") {
        *given = port.value.to_string();
    }
    server.port = Some(port);
    server.is_web = true;
    server.confidence = 95;
    let article = if framework.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    };
    server.reason = format!("{article} {framework} app with a build, from the dependencies");
    let start = format!("node {}", server.arguments.join(" "));
    let evidence = Evidence {
        field: "start".to_owned(),
        value: start,
        rule: rule.to_owned(),
        ..evidence(project, framework)
    };
    Output::server(complete(scan, project, server, evidence))
}

/// The environment that makes a server reachable.
fn reachable(host: &str, port: u16) -> BTreeMap<String, String> {
    BTreeMap::from([
        (host.to_owned(), "0.0.0.0".to_owned()),
        ("PORT".to_owned(), port.to_string()),
    ])
}

/// A configuration of the project.
fn config(scan: &Scan<'_>, project: &Project<'_>, stem: &str) -> Option<Config> {
    Config::read(scan, &project.package.dir, stem)
}

/// Refuses a setting that decides what is built and that only a run would tell.
fn decisive(config: &Config, key: &str, setting: &Setting) -> Result<(), Problem> {
    if !setting.is_unknown() {
        return Ok(());
    }
    let message =
        format!("`{key}` is only known when the configuration runs, and it decides what is built");
    Err(Problem::new(&config.file, setting.line, message)
        .help(format!("write the value of `{key}` as it is")))
}

/// A path of a configuration, relative to the app's directory.
fn path(text: &str) -> String {
    let text = text.trim_end_matches('/');
    text.strip_prefix("./").unwrap_or(text).to_owned()
}

/// Whether a directory of the project exists.
fn has_dir(scan: &Scan<'_>, project: &Project<'_>, name: &str) -> bool {
    scan.repo.dir(&join(&project.package.dir, name)).is_some()
}
