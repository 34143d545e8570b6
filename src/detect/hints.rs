//! What files that are no manifests say of a directory: evidence for what it is, never copied blindly.

mod apply;
mod compose;
mod docker;
mod kubernetes;
mod platform;
mod procfile;

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Document, Syntax};
use super::provider::{lookalike, shown};
use super::repo::{Dir, Repo, split, upwards};
use super::source::Fact;

pub(crate) use apply::apply;
pub(crate) use kubernetes::Workload;

/// The hints for one directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    /// Who says that the directory is an app, as a noun phrase.
    pub(crate) named: Vec<Fact<String>>,
    /// The process types of its Procfile, by name, as written.
    pub(crate) processes: BTreeMap<String, Fact<String>>,
    /// What is run according to others, best source first, as a line that [`super::start::parse`] reads.
    pub(crate) commands: Vec<Fact<String>>,
    /// The ports that it is said to listen on, best source first, each once.
    pub(crate) ports: Vec<Fact<u16>>,
    /// The route that is asked whether it is well.
    pub(crate) health: Option<Fact<String>>,
    /// The port that is asked, where it is named.
    pub(crate) health_port: Option<u16>,
    /// Who speaks HTTP with it, or shows it to the world: a text of that line.
    pub(crate) web: Option<Fact<String>>,
    /// The names of variables that it is given.
    pub(crate) environment: BTreeMap<String, Fact<()>>,
}

impl Hints {
    /// Adds those of a source of lower rank.
    fn add(&mut self, other: Self) {
        self.named.extend(other.named);
        for (name, process) in other.processes {
            self.processes.entry(name).or_insert(process);
        }
        self.commands.extend(other.commands);
        for port in other.ports {
            self.listens_on(port);
        }
        if self.health.is_none() {
            self.health = other.health;
            self.health_port = other.health_port;
        }
        self.web = self.web.take().or(other.web);
        for (name, fact) in other.environment {
            self.environment.entry(name).or_insert(fact);
        }
    }

    fn listens_on(&mut self, port: Fact<u16>) {
        let is_known = self.ports.iter().any(|known| known.value == port.value);
        if !is_known && self.ports.len() < MOST_PORTS {
            self.ports.push(port);
        }
    }

    fn expects(&mut self, name: &str, file: &str, line: u64) {
        let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if !name.is_empty() && name.len() <= 100 && name.chars().all(is_name) {
            let fact = fact((), file, line);
            self.environment.entry(name.to_owned()).or_insert(fact);
        }
    }
}

/// The most ports of a directory that are noted.
const MOST_PORTS: usize = 64;

/// The longest text that variables are put into: those that double each other must not fill the memory.
const LONGEST: usize = 4096;

fn fact<T>(value: T, file: &str, line: u64) -> Fact<T> {
    Fact {
        value,
        file: file.to_owned(),
        line,
    }
}

/// What a file may hold, by its name; the order is that in which their words count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Procfile,
    Kubernetes,
    Fly,
    Render,
    Railway,
    AppJson,
    Compose,
    Dockerfile,
}

/// The files of a repository that may hold hints, sorted.
pub(crate) type Files = BTreeSet<(Kind, String)>;

/// Notes the files of a directory that may hold hints.
pub(crate) fn note(dir: Dir<'_>, files: &mut Files) {
    let is_kubernetes = kubernetes::is_directory(dir.path());
    for name in dir.files() {
        let Some(kind) = kind(name, is_kubernetes) else {
            continue;
        };
        if lookalike(dir.path()).is_none() {
            files.insert((kind, dir.join(name)));
        }
    }
}

fn kind(name: &str, is_kubernetes: bool) -> Option<Kind> {
    match name {
        "Procfile" => Some(Kind::Procfile),
        "fly.toml" => Some(Kind::Fly),
        "render.yaml" | "render.yml" => Some(Kind::Render),
        "railway.json" | "railway.toml" => Some(Kind::Railway),
        "app.json" => Some(Kind::AppJson),
        "compose.yaml" | "compose.yml" | "docker-compose.yaml" | "docker-compose.yml" => {
            Some(Kind::Compose)
        }
        _ if docker::is_file(name) => Some(Kind::Dockerfile),
        _ if name.ends_with(".yaml") || name.ends_with(".yml") => {
            (is_kubernetes || kubernetes::is_file(name)).then_some(Kind::Kubernetes)
        }
        _ => None,
    }
}

/// What the files of a repository say.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// By directory.
    pub(crate) hints: BTreeMap<String, Hints>,
    /// Workloads whose directory only the names of the apps can tell.
    pub(crate) workloads: Vec<Workload>,
    /// What cannot be read: file, line, message.
    pub(crate) warnings: Vec<(String, Option<u64>, String)>,
}

/// The most files of one kind that are read, in the order of their paths.
const MOST_FILES: usize = 2000;

/// Reads all of `files`; `manifests` are the directories that hold a manifest of any language.
pub(crate) fn gather(repo: &Repo, files: &Files, manifests: BTreeSet<String>) -> Gathered {
    let mut gather = Gather {
        places: Places { repo, manifests },
        gathered: Gathered::default(),
        by_kind: BTreeMap::new(),
        images: BTreeMap::new(),
        dockerfiles: BTreeMap::new(),
    };
    // Compose files say which Dockerfiles and images are whose.
    for first in [true, false] {
        let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
        for (kind, path) in files {
            let count = counts.entry(*kind).or_default();
            *count += 1;
            if (*kind == Kind::Compose) == first && *count <= MOST_FILES {
                gather.file(*kind, path);
            }
        }
    }
    let Gather {
        mut gathered,
        by_kind,
        ..
    } = gather;
    for (dir, hints) in by_kind.into_values().flatten() {
        gathered.hints.entry(dir).or_default().add(hints);
    }
    gathered
}

struct Gather<'a> {
    places: Places<'a>,
    gathered: Gathered,
    by_kind: BTreeMap<Kind, Vec<(String, Hints)>>,
    /// The directories that compose files build images from, by the last part of their names.
    images: BTreeMap<String, String>,
    /// Where compose files use a Dockerfile: the app's directory and the stage.
    dockerfiles: BTreeMap<String, (String, Option<String>)>,
}

impl Gather<'_> {
    fn file(&mut self, kind: Kind, path: &str) {
        let text = match self.places.repo.text(path) {
            Ok(text) => text,
            Err(unreadable) => {
                self.warn(path, unreadable.line, &unreadable.message);
                return;
            }
        };
        let dir = split(path).0;
        match kind {
            Kind::Procfile => self.keep(kind, dir, procfile(path, &text)),
            Kind::Dockerfile => self.dockerfile(path, &text),
            Kind::Kubernetes => self.kubernetes(path, &text),
            Kind::Compose => {
                let Some(document) = self.document(path, &text, Syntax::Yaml) else {
                    return;
                };
                for service in compose::services(&self.places, &document) {
                    if let Some(image) = service.image {
                        self.images.insert(image, service.dir.clone());
                    }
                    if let Some(file) = service.dockerfile {
                        let used = (service.dir.clone(), service.stage);
                        self.dockerfiles.entry(file).or_insert(used);
                    }
                    self.keep(kind, &service.dir, service.hints);
                }
            }
            Kind::Fly | Kind::Render | Kind::Railway | Kind::AppJson => {
                let syntax = match path.rsplit('.').next() {
                    Some("toml") => Syntax::Toml,
                    Some("json") => Syntax::Json,
                    _ => Syntax::Yaml,
                };
                let Some(document) = self.document(path, &text, syntax) else {
                    return;
                };
                for (dir, hints) in platform::read(kind, &self.places, &document) {
                    self.keep(kind, &dir, hints);
                }
            }
        }
    }

    fn dockerfile(&mut self, path: &str, text: &str) {
        let (dir, stage) = match self.dockerfiles.get(path) {
            Some((dir, stage)) => (dir.clone(), stage.clone()),
            None => match docker::place(&self.places, path) {
                Some(dir) => (dir, None),
                None => return,
            },
        };
        let hints = docker::read(path, text, stage.as_deref());
        self.keep(Kind::Dockerfile, &dir, hints);
    }

    fn kubernetes(&mut self, path: &str, text: &str) {
        for workload in kubernetes::workloads(path, text) {
            let by_image = || self.images.get(workload.names.first()?).cloned();
            let by_name = || {
                let mut names = workload.names.iter();
                names.find_map(|name| self.places.named(name))
            };
            match by_image().or_else(by_name) {
                Some(dir) => self.keep(Kind::Kubernetes, &dir, workload.hints),
                None => self.gathered.workloads.push(workload),
            }
        }
    }

    fn keep(&mut self, kind: Kind, dir: &str, hints: Hints) {
        if hints != Hints::default() {
            let list = self.by_kind.entry(kind).or_default();
            list.push((dir.to_owned(), hints));
        }
    }

    /// A document; a template of another tool is none.
    fn document(&mut self, path: &str, text: &str, syntax: Syntax) -> Option<Document> {
        match Document::parse(path, text, syntax) {
            Ok(document) => Some(document),
            Err(_) if text.contains("{{") => None,
            Err(malformed) => {
                self.warn(path, malformed.line, &malformed.message);
                None
            }
        }
    }

    fn warn(&mut self, path: &str, line: Option<u64>, message: &str) {
        let message = format!("{message}, so nothing is known from it");
        self.gathered
            .warnings
            .push((path.to_owned(), line, message));
    }
}

/// Where apps may be.
struct Places<'a> {
    repo: &'a Repo,
    /// The directories that hold a manifest of any language.
    manifests: BTreeSet<String>,
}

impl Places<'_> {
    /// The only directory with a manifest that has this name.
    fn named(&self, name: &str) -> Option<String> {
        let mut found = self
            .manifests
            .iter()
            .filter(|dir| !dir.is_empty() && split(dir).1.eq_ignore_ascii_case(name))
            .filter(|dir| lookalike(dir).is_none());
        let first = found.next()?;
        found.next().is_none().then(|| first.clone())
    }

    /// The app that a Dockerfile builds in a context, known to others by one of `names`.
    fn built(&self, context: &str, dockerfile: &str, names: &[&str]) -> String {
        let beside = split(dockerfile).0;
        let is_app = |dir: &str| self.manifests.contains(dir);
        if beside != context && is_app(beside) {
            return beside.to_owned();
        }
        // A context above several apps says little; the name of what is built may say which one.
        let is_above = |dir: &str| context.is_empty() || upwards(dir).any(|above| above == context);
        let named = names.iter().find_map(|name| self.named(name));
        if let Some(dir) = named.filter(|dir| dir != context && is_above(dir)) {
            return dir;
        }
        context.to_owned()
    }
}

/// The lines `name: command` of a Procfile.
fn procfile(file: &str, text: &str) -> Hints {
    let mut hints = Hints::default();
    for (line, number) in text.lines().zip(1..) {
        let Some((name, command)) = line.split_once(':') else {
            continue;
        };
        let (name, command) = (name.trim(), command.trim());
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !name.is_empty() && name.chars().all(is_name) && !command.is_empty() {
            let fact = fact(command.to_owned(), file, number);
            hints.processes.insert(name.to_owned(), fact);
        }
    }
    if let Some((name, process)) = hints.processes.iter().next() {
        let fact = fact(format!("the process `{name}`"), file, process.line);
        hints.named.push(fact);
    }
    hints
}

/// Text with `$NAME`, `${NAME}`, `${NAME:-default}` replaced; none where a value is missing, or all of it is too long.
fn expand(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
            continue;
        }
        let (name, default) = if let Some(after) = rest.strip_prefix('{') {
            let end = after.find('}')?;
            rest = &after[end + 1..];
            let inner = &after[..end];
            match inner.find([':', '-', '?', '+']) {
                Some(at) => {
                    let operator = inner[at..].trim_start_matches(':');
                    (&inner[..at], operator.strip_prefix('-'))
                }
                None => (inner, None),
            }
        } else {
            let end = rest
                .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            let name = &rest[..end];
            rest = &rest[end..];
            (name, None)
        };
        expanded.push_str(&value(name).or_else(|| default.map(str::to_owned))?);
        if expanded.len() > LONGEST {
            return None;
        }
    }
    expanded.push_str(rest);
    Some(expanded)
}

/// What a URL in a command such as `curl -f http://localhost:3000/health` asks: path and port.
fn probe(text: &str) -> Option<(String, Option<u16>)> {
    let at = text.find("http://").or_else(|| text.find("https://"))?;
    let rest = text[at..].split_once("://")?.1;
    let end = rest
        .find(|c: char| c.is_whitespace() || "\"'`|;)&<>\\]".contains(c))
        .unwrap_or(rest.len());
    let (host, path) = match rest[..end].find('/') {
        Some(slash) => (&rest[..slash], &rest[slash..end]),
        None => (&rest[..end], ""),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    let port = host
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    (is_path && !path.contains(['$', '{'])).then(|| (path.to_owned(), port))
}

/// Words as a line that a shell reads back as them.
fn line_of(words: &[&str]) -> Option<String> {
    shlex::try_join(words.iter().copied()).ok()
}

/// A path as people read it.
fn place(path: &str, line: u64) -> String {
    match line {
        0 => format!("`{}`", shown(path)),
        line => format!("`{}:{line}`", shown(path)),
    }
}

/// A path of a hint, seen from the file that names it.
fn below(base: &str, path: &str) -> Option<String> {
    let path = path.trim_end_matches('/');
    let path = if path.is_empty() { "." } else { path };
    if path.contains("://") || path.starts_with("git@") {
        return None;
    }
    super::repo::resolve(base, path)
}
