//! Spec files, checked with every problem at its line.

use std::collections::BTreeMap;
use std::path::Path;

use super::model::{Build, Copy, Health, Install, Kind, Metadata, Runtime, Secret, Spec};
use super::node::{self, Format, Key, Node, Value};
use super::problem::{Errors, Fault, Problem, quoted};
use super::rule::{self, Rule};
use super::write::slug;

/// The most problems of one file that are listed.
const MOST_PROBLEMS: usize = 200;

const SPEC: &[&str] = &["build", "metadata", "runtime", "version"];
pub(super) const METADATA: &[&str] = &[
    "build_system",
    "confidence",
    "framework",
    "kind",
    "language",
    "path",
    "project_name",
    "reasoning",
];
const BUILD: &[&str] = &[
    "cache", "commands", "context", "env", "install", "packages", "secrets",
];
const INSTALL: &[&str] = &["commands", "files"];
const SECRET: &[&str] = &["env", "id", "target"];
const RUNTIME: &[&str] = &[
    "command",
    "copy",
    "env",
    "health",
    "labels",
    "packages",
    "ports",
    "processes",
    "smoke",
    "user",
    "workdir",
    "writable",
];
const COPY: &[&str] = &["from", "to"];
const HEALTH: &[&str] = &["endpoint"];

/// Every map of a spec by its full name, to say where a misplaced key belongs.
const MAPS: &[(&str, &[&str])] = &[
    ("", SPEC),
    ("build", BUILD),
    ("build.install", INSTALL),
    ("metadata", METADATA),
    ("runtime", RUNTIME),
    ("runtime.health", HEALTH),
];

const NO_BASE: &str = "images are assembled from Wolfi packages, so there is no base image to choose; what an app needs is listed in `packages`";

/// Keys that specs do not have though one might expect them, sorted: full name, reason, the key in its place.
static OLD: &[(&str, &str, Option<&str>)] = &[
    ("base", NO_BASE, None),
    ("base_image", NO_BASE, None),
    (
        "build.args",
        "build steps read `build.env`",
        Some("build.env"),
    ),
    (
        "build.artifacts",
        "what is shipped is listed with where it goes",
        Some("runtime.copy"),
    ),
    ("build.base", NO_BASE, Some("build.packages")),
    ("build.base_image", NO_BASE, Some("build.packages")),
    (
        "build.dockerfile",
        "images are built without a Dockerfile",
        None,
    ),
    (
        "build.environment",
        "it is written shorter",
        Some("build.env"),
    ),
    ("build.image", NO_BASE, Some("build.packages")),
    (
        "build.runtime_copy",
        "what is shipped is listed under `runtime`",
        Some("runtime.copy"),
    ),
    ("image", NO_BASE, None),
    (
        "metadata.name",
        "it has another name",
        Some("metadata.project_name"),
    ),
    ("runtime.base", NO_BASE, Some("runtime.packages")),
    ("runtime.base_image", NO_BASE, Some("runtime.packages")),
    (
        "runtime.cmd",
        "it has another name",
        Some("runtime.command"),
    ),
    (
        "runtime.entrypoint",
        "a command is one list, program first",
        Some("runtime.command"),
    ),
    (
        "runtime.environment",
        "it is written shorter",
        Some("runtime.env"),
    ),
    (
        "runtime.expose",
        "it has another name",
        Some("runtime.ports"),
    ),
    (
        "runtime.healthcheck",
        "it has another name",
        Some("runtime.health"),
    ),
    ("runtime.image", NO_BASE, Some("runtime.packages")),
    ("runtime.port", "ports are a list", Some("runtime.ports")),
    (
        "runtime.volumes",
        "the directories that the app writes to are listed",
        Some("runtime.writable"),
    ),
    ("schema_version", "it has another name", Some("version")),
];

/// Reads a spec file: JSON or YAML, one spec or a list of them.
///
/// The ending of `path` decides (`.json`, `.yaml`, `.yml`), else the first character. Nothing is read but `bytes`.
///
/// # Errors
///
/// Everything that is wrong with the file, each with its line and column.
pub fn load(path: &Path, bytes: &[u8]) -> Result<Vec<Spec>, Errors> {
    let mut walk = Walk::default();
    let specs = match node::parse(format(path, bytes), bytes) {
        Ok(Some(document)) => walk.document(&document),
        Ok(None) => {
            walk.add(1, 1, Fault::Empty);
            Vec::new()
        }
        Err(problem) => {
            walk.problems.push(problem);
            Vec::new()
        }
    };
    walk.finish(path).map(|()| specs)
}

/// Where a command of the app `name` is written in a spec file that [`load`] has read: its line and column, counted from 1.
///
/// `keys` lead to the list of commands, `number` counts from 1. `None` where the file is another one by now.
pub fn place(
    path: &Path,
    bytes: &[u8],
    name: &str,
    keys: &[&str],
    number: usize,
) -> Option<(usize, usize)> {
    let document = node::parse(format(path, bytes), bytes).ok()??;
    let specs = match &document.value {
        Value::List(list) => list.as_slice(),
        _ => std::slice::from_ref(&document),
    };
    let spec = specs.iter().find(|spec| {
        let named = descend(spec, &["metadata", "project_name"]);
        matches!(named, Some(Node { value: Value::Text(text), .. }) if text == name)
    })?;
    match &descend(spec, keys)?.value {
        Value::List(list) => {
            let command = list.get(number.checked_sub(1)?)?;
            Some((command.line, command.column))
        }
        _ => None,
    }
}

fn descend<'n>(node: &'n Node, keys: &[&str]) -> Option<&'n Node> {
    keys.iter().try_fold(node, |node, key| match &node.value {
        Value::Map(entries) => entries
            .iter()
            .find(|(name, _)| name.name == *key)
            .map(|(_, value)| value),
        _ => None,
    })
}

pub(super) fn format(path: &Path, bytes: &[u8]) -> Format {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Format::Json,
        Some("yaml" | "yml") => Format::Yaml,
        _ => match bytes.trim_ascii_start().first() {
            Some(b'{' | b'[') => Format::Json,
            _ => Format::Yaml,
        },
    }
}

/// The walk through a file, and what it has found.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) problems: Vec<Problem>,
    /// Whether specs are only parts, in which nothing must be there and `...` stands for the rest of a list.
    pub(super) is_partial: bool,
}

/// What stands for the rest of a list in a part of a spec.
pub(super) const REST: &str = "...";

/// The entries of a map that are there and not null.
pub(super) struct Fields<'n> {
    at: String,
    line: usize,
    column: usize,
    pub(super) entries: BTreeMap<&'n str, &'n Node>,
}

impl Fields<'_> {
    fn name(&self, key: &str) -> String {
        join(&self.at, key)
    }
}

pub(super) fn join(at: &str, key: &str) -> String {
    if at.is_empty() {
        key.to_owned()
    } else {
        format!("{at}.{key}")
    }
}

impl Walk {
    /// Everything that was found to be wrong.
    pub(super) fn finish(self, path: &Path) -> Result<(), Errors> {
        let mut problems = self.problems;
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems.truncate(MOST_PROBLEMS);
        Err(Errors {
            file: path.to_owned(),
            problems,
        })
    }

    pub(super) fn add(&mut self, line: usize, column: usize, fault: Fault) {
        self.problems.push(Problem {
            line,
            column,
            fault,
        });
    }

    fn document(&mut self, document: &Node) -> Vec<Spec> {
        let nodes = match &document.value {
            Value::List(list) => list.as_slice(),
            _ => std::slice::from_ref(document),
        };
        if nodes.is_empty() {
            self.add(document.line, document.column, Fault::Empty);
        }
        let mut names = BTreeMap::new();
        nodes
            .iter()
            .filter_map(|node| self.spec(node, &mut names))
            .collect()
    }

    fn spec(&mut self, node: &Node, names: &mut BTreeMap<String, usize>) -> Option<Spec> {
        let fields = self.fields(node, "", SPEC)?;
        let version = self.required(&fields, "version", Self::loose, rule::version);
        let metadata = self
            .needed(&fields, "metadata")
            .and_then(|node| self.metadata(node, names));
        let build = fields
            .entries
            .get("build")
            .and_then(|node| self.build(node));
        let runtime = fields
            .entries
            .get("runtime")
            .and_then(|node| self.runtime(node));
        Some(Spec {
            version: version?,
            metadata: metadata?,
            build: build.unwrap_or_default(),
            runtime: runtime.unwrap_or_default(),
        })
    }

    pub(super) fn metadata(
        &mut self,
        node: &Node,
        names: &mut BTreeMap<String, usize>,
    ) -> Option<Metadata> {
        let fields = self.fields(node, "metadata", METADATA)?;
        let project_name = if self.is_partial {
            self.text(&fields, "project_name", rule::name)
        } else {
            self.required(&fields, "project_name", Self::text, rule::name)
        };
        if let (Some(name), Some(at)) = (&project_name, fields.entries.get("project_name")) {
            self.unique(name, at, names);
        }
        let path = self.text(&fields, "path", rule::relative);
        let kind = self.kind(&fields);
        let language = self.text(&fields, "language", rule::line);
        let build_system = self.text(&fields, "build_system", rule::line);
        let framework = self.text(&fields, "framework", rule::line);
        let confidence = fields
            .entries
            .get("confidence")
            .and_then(|node| self.number(node, "metadata.confidence", 0, 100))
            .and_then(|number| u8::try_from(number).ok());
        let reasoning = self.text(&fields, "reasoning", rule::prose);
        Some(Metadata {
            project_name: project_name?,
            path: path.map_or_else(|| ".".to_owned(), |path| normal(&path)),
            kind,
            language,
            build_system,
            framework,
            confidence,
            reasoning,
        })
    }

    fn unique(&mut self, name: &str, node: &Node, names: &mut BTreeMap<String, usize>) {
        let slug = slug(name);
        if let Some(first) = names.get(&slug) {
            let fault = Fault::DuplicateName {
                name: quoted(name),
                slug,
                first: *first,
            };
            self.add(node.line, node.column, fault);
        } else {
            names.insert(slug, node.line);
        }
    }

    fn kind(&mut self, fields: &Fields<'_>) -> Option<Kind> {
        const KINDS: &[(&str, Kind)] = &[
            ("cli", Kind::Cli),
            ("static", Kind::Static),
            ("web", Kind::Web),
            ("worker", Kind::Worker),
        ];
        let is_kind: Rule = |text| match KINDS.iter().any(|(name, _)| *name == text) {
            true => Ok(()),
            false => Err("a kind is one of web, worker, cli and static".to_owned()),
        };
        let text = self.text(fields, "kind", is_kind)?;
        let found = KINDS.iter().find(|(name, _)| *name == text);
        found.map(|(_, kind)| *kind)
    }

    pub(super) fn build(&mut self, node: &Node) -> Option<Build> {
        let fields = self.fields(node, "build", BUILD)?;
        let install = fields.entries.get("install").and_then(|node| {
            let fields = self.fields(node, "build.install", INSTALL)?;
            Some(Install {
                files: self.texts(&fields, "files", rule::glob),
                commands: self.texts(&fields, "commands", rule::command),
            })
        });
        let secrets = self.list(&fields, "secrets");
        Some(Build {
            packages: self.texts(&fields, "packages", rule::package),
            env: self.map(&fields, "env", rule::variable),
            install: install.unwrap_or_default(),
            commands: self.texts(&fields, "commands", rule::command),
            cache: self.texts(&fields, "cache", rule::path),
            secrets: secrets
                .into_iter()
                .filter_map(|(at, node)| self.secret(node, &at))
                .collect(),
            context: self.texts(&fields, "context", rule::glob),
        })
    }

    fn secret(&mut self, node: &Node, at: &str) -> Option<Secret> {
        let fields = self.fields(node, at, SECRET)?;
        let id = self.required(&fields, "id", Self::text, rule::word);
        let env = self.text(&fields, "env", rule::variable);
        let target = self.text(&fields, "target", rule::absolute);
        if let (Some(_), Some(_), Some(second)) = (&env, &target, fields.entries.get("target")) {
            let fault = Fault::BadValue {
                key: fields.name("target"),
                value: target.as_deref().map(quoted).unwrap_or_default(),
                reason: "a secret is a variable or a file, and `env` is given too".to_owned(),
            };
            self.add(second.line, second.column, fault);
        }
        Some(Secret {
            id: id?,
            env,
            target,
        })
    }

    pub(super) fn runtime(&mut self, node: &Node) -> Option<Runtime> {
        let fields = self.fields(node, "runtime", RUNTIME)?;
        let copies = self.list(&fields, "copy");
        Some(Runtime {
            packages: self.texts(&fields, "packages", rule::package),
            env: self.map(&fields, "env", rule::variable),
            copy: copies
                .into_iter()
                .filter_map(|(at, node)| self.copy(node, &at))
                .collect(),
            command: self.command(&fields),
            processes: self.processes(&fields),
            ports: self.ports(&fields),
            health: fields
                .entries
                .get("health")
                .and_then(|node| self.health(node)),
            user: self.loose(&fields, "user", rule::user),
            workdir: self.text(&fields, "workdir", rule::absolute),
            labels: self.map(&fields, "labels", rule::line),
            writable: self.texts(&fields, "writable", rule::path),
            smoke: self.smoke(&fields),
        })
    }

    fn copy(&mut self, node: &Node, at: &str) -> Option<Copy> {
        let fields = self.fields(node, at, COPY)?;
        let from = self.required(&fields, "from", Self::text, rule::path);
        let to = self.required(&fields, "to", Self::text, rule::path);
        Some(Copy {
            from: from?,
            to: to?,
        })
    }

    fn health(&mut self, node: &Node) -> Option<Health> {
        let fields = self.fields(node, "runtime.health", HEALTH)?;
        let endpoint = self.required(&fields, "endpoint", Self::text, rule::endpoint);
        Some(Health {
            endpoint: endpoint?,
        })
    }

    fn command(&mut self, fields: &Fields<'_>) -> Vec<String> {
        self.texts(fields, "command", rule::argument)
    }

    fn processes(&mut self, fields: &Fields<'_>) -> BTreeMap<String, Vec<String>> {
        let entries = self.entries(fields, "processes", rule::word);
        let mut processes = BTreeMap::new();
        for (name, node) in entries {
            let at = join(&fields.name("processes"), &name);
            let problems = self.problems.len();
            let command = self.items(node, &at, rule::argument);
            let is_rest = self.is_partial && is_rest(node);
            if command.is_empty() && problems == self.problems.len() && !is_rest {
                let fault = Fault::BadValue {
                    key: at,
                    value: "[]".to_owned(),
                    reason: "it has no command".to_owned(),
                };
                self.add(node.line, node.column, fault);
            }
            processes.insert(name, command);
        }
        processes
    }

    fn ports(&mut self, fields: &Fields<'_>) -> Vec<u16> {
        let mut ports = Vec::new();
        for (at, node) in self.list(fields, "ports") {
            let port = self
                .number(node, &at, 1, 65_535)
                .and_then(|port| u16::try_from(port).ok());
            match port {
                Some(port) if ports.contains(&port) => {
                    let fault = Fault::BadValue {
                        key: at,
                        value: port.to_string(),
                        reason: "it is listed twice".to_owned(),
                    };
                    self.add(node.line, node.column, fault);
                }
                port => ports.extend(port),
            }
        }
        ports
    }

    fn smoke(&mut self, fields: &Fields<'_>) -> BTreeMap<String, serde_json::Value> {
        self.entries(fields, "smoke", rule::line)
            .into_iter()
            .map(|(name, node)| (name, plain(node)))
            .collect()
    }
}

/// The pieces that fields are made of.
impl Walk {
    /// The entries of a map, of which only `known` ones are allowed.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        at: &str,
        known: &'static [&'static str],
    ) -> Option<Fields<'n>> {
        let entries = self.unrepeated(node, at)?;
        let mut fields = Fields {
            at: at.to_owned(),
            line: node.line,
            column: node.column,
            entries: BTreeMap::new(),
        };
        for (key, node) in entries {
            if !known.contains(&key.name.as_str()) {
                self.add(key.line, key.column, unknown(at, &key.name, known));
            } else if !matches!(node.value, Value::Null) {
                fields.entries.insert(&key.name, node);
            }
        }
        Some(fields)
    }

    /// The entries of a map, each key once.
    pub(super) fn unrepeated<'n>(
        &mut self,
        node: &'n Node,
        at: &str,
    ) -> Option<Vec<(&'n Key, &'n Node)>> {
        let Value::Map(map) = &node.value else {
            self.mistyped(node, at, "a map");
            return None;
        };
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut entries = Vec::with_capacity(map.len());
        for (key, node) in map {
            if let Some(first) = seen.get(key.name.as_str()) {
                let fault = Fault::DuplicateKey {
                    key: join(at, &shown(&key.name)),
                    first: *first,
                };
                self.add(key.line, key.column, fault);
            } else {
                seen.insert(&key.name, key.line);
                entries.push((key, node));
            }
        }
        Some(entries)
    }

    fn needed<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Option<&'n Node> {
        let node = fields.entries.get(key).copied();
        if node.is_none() {
            let key = fields.name(key);
            self.add(fields.line, fields.column, Fault::MissingKey { key });
        }
        node
    }

    fn required(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        read: fn(&mut Self, &Fields<'_>, &str, Rule) -> Option<String>,
        rule: Rule,
    ) -> Option<String> {
        self.needed(fields, key)?;
        read(self, fields, key, rule)
    }

    /// A text.
    pub(super) fn text(&mut self, fields: &Fields<'_>, key: &str, rule: Rule) -> Option<String> {
        let node = fields.entries.get(key)?;
        self.item(node, &fields.name(key), rule)
    }

    /// A text that people write as a number too.
    fn loose(&mut self, fields: &Fields<'_>, key: &str, rule: Rule) -> Option<String> {
        let node = fields.entries.get(key)?;
        match &node.value {
            Value::Number(text) => self.checked(text, node, &fields.name(key), rule),
            _ => self.item(node, &fields.name(key), rule),
        }
    }

    fn item(&mut self, node: &Node, at: &str, rule: Rule) -> Option<String> {
        match &node.value {
            Value::Text(text) => self.checked(text, node, at, rule),
            _ => {
                self.mistyped(node, at, "a text");
                None
            }
        }
    }

    pub(super) fn checked(
        &mut self,
        text: &str,
        node: &Node,
        at: &str,
        rule: Rule,
    ) -> Option<String> {
        match rule(text) {
            Ok(()) => Some(text.to_owned()),
            Err(reason) => {
                let fault = Fault::BadValue {
                    key: at.to_owned(),
                    value: quoted(text),
                    reason,
                };
                self.add(node.line, node.column, fault);
                None
            }
        }
    }

    /// The elements of a list with their full names.
    fn list<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Vec<(String, &'n Node)> {
        match fields.entries.get(key) {
            Some(node) => self.elements(node, &fields.name(key)),
            None => Vec::new(),
        }
    }

    fn elements<'n>(&mut self, node: &'n Node, at: &str) -> Vec<(String, &'n Node)> {
        let Value::List(list) = &node.value else {
            self.mistyped(node, at, "a list");
            return Vec::new();
        };
        if self.is_partial
            && let Some(second) = list.iter().filter(|node| is_rest_mark(node)).nth(1)
        {
            let fault = Fault::BadValue {
                key: at.to_owned(),
                value: quoted(REST),
                reason: "what was detected is in the list twice".to_owned(),
            };
            self.add(second.line, second.column, fault);
        }
        list.iter()
            .enumerate()
            .filter(|(_, node)| !(self.is_partial && is_rest_mark(node)))
            .map(|(index, node)| (format!("{at}[{index}]"), node))
            .collect()
    }

    fn texts(&mut self, fields: &Fields<'_>, key: &str, rule: Rule) -> Vec<String> {
        match fields.entries.get(key) {
            Some(node) => self.items(node, &fields.name(key), rule),
            None => Vec::new(),
        }
    }

    fn items(&mut self, node: &Node, at: &str, rule: Rule) -> Vec<String> {
        self.elements(node, at)
            .into_iter()
            .filter_map(|(at, node)| self.item(node, &at, rule))
            .collect()
    }

    /// The entries of a map whose names are free, but follow `rule`.
    fn entries<'n>(
        &mut self,
        fields: &Fields<'n>,
        key: &str,
        rule: Rule,
    ) -> Vec<(String, &'n Node)> {
        let Some(node) = fields.entries.get(key) else {
            return Vec::new();
        };
        let at = fields.name(key);
        let mut entries = Vec::new();
        for (key, node) in self.unrepeated(node, &at).unwrap_or_default() {
            match rule(&key.name) {
                Ok(()) => entries.push((key.name.clone(), node)),
                Err(reason) => {
                    let fault = Fault::BadValue {
                        key: at.clone(),
                        value: quoted(&key.name),
                        reason,
                    };
                    self.add(key.line, key.column, fault);
                }
            }
        }
        entries.retain(|(_, node)| !matches!(node.value, Value::Null));
        entries
    }

    /// A map of texts; numbers and booleans are taken as they are written.
    fn map(&mut self, fields: &Fields<'_>, key: &str, rule: Rule) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        for (name, node) in self.entries(fields, key, rule) {
            let at = join(&fields.name(key), &name);
            let text = match &node.value {
                Value::Number(text) | Value::Bool(text) => Some(text.clone()),
                _ => self.item(node, &at, rule::value),
            };
            map.extend(text.map(|text| (name, text)));
        }
        map
    }

    fn number(&mut self, node: &Node, at: &str, least: u64, most: u64) -> Option<u64> {
        let Value::Number(text) = &node.value else {
            self.mistyped(node, at, "a whole number");
            return None;
        };
        match text.parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                let fault = Fault::BadValue {
                    key: at.to_owned(),
                    value: text.chars().take(40).collect(),
                    reason: format!("it must be a whole number from {least} to {most}"),
                };
                self.add(node.line, node.column, fault);
                None
            }
        }
    }

    pub(super) fn mistyped(&mut self, node: &Node, at: &str, expected: &'static str) {
        let key = if at.is_empty() { "spec" } else { at };
        let fault = Fault::WrongType {
            key: key.to_owned(),
            expected,
            found: node.value.kind(),
        };
        self.add(node.line, node.column, fault);
    }
}

/// Whether an element of a list stands for what was detected.
pub(super) fn is_rest_mark(node: &Node) -> bool {
    matches!(&node.value, Value::Text(text) if text == REST)
}

fn is_rest(node: &Node) -> bool {
    matches!(&node.value, Value::List(list) if list.iter().any(is_rest_mark))
}

/// A key as messages show it: keys of a file may hold anything.
fn shown(key: &str) -> String {
    let quoted = quoted(key);
    let inner = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(&quoted).to_owned()
}

fn unknown(at: &str, key: &str, known: &[&str]) -> Fault {
    let full = join(at, key);
    if let Some((_, reason, instead)) = OLD.iter().find(|(old, ..)| *old == full) {
        return Fault::OldKey {
            key: full,
            reason,
            instead: *instead,
        };
    }
    Fault::UnknownKey {
        key: join(at, &shown(key)),
        nearest: nearest(at, key, known),
    }
}

/// The known key that `key` was meant to be: one spelled alike in the same map, else the same one of another map.
fn nearest(at: &str, key: &str, known: &[&str]) -> Option<String> {
    let key: String = key.chars().take(40).collect::<String>().to_lowercase();
    let plain = |text: &str| text.replace(['_', '-'], "");
    let distance = |candidate: &str| strsim::damerau_levenshtein(&plain(candidate), &plain(&key));
    let near = |candidate: &str| distance(candidate) <= 1 + key.chars().count() / 4;
    let best = known.iter().min_by_key(|candidate| distance(candidate))?;
    if near(best) {
        return Some(join(at, best));
    }
    let elsewhere = MAPS
        .iter()
        .flat_map(|(map, keys)| keys.iter().map(move |known| (map, known)))
        .min_by_key(|(_, known)| distance(known))?;
    if near(elsewhere.1) {
        return Some(join(elsewhere.0, elsewhere.1));
    }
    (distance(best) < key.chars().count()).then(|| join(at, best))
}

/// A relative path without `.` parts and doubled slashes; the root itself is `.`.
pub(super) fn normal(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    match parts.is_empty() {
        true => ".".to_owned(),
        false => parts.join("/"),
    }
}

/// A value without its places.
pub(super) fn plain(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(text) => text.eq_ignore_ascii_case("true").into(),
        Value::Number(text) => {
            serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.clone()))
        }
        Value::Text(text) => text.clone().into(),
        Value::List(list) => list.iter().map(plain).collect(),
        Value::Map(map) => map
            .iter()
            .map(|(key, node)| (key.name.clone(), plain(node)))
            .collect(),
    }
}
