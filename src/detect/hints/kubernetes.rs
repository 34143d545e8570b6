//! Kubernetes manifests: the containers of workloads.

use serde_json::Value;

use crate::detect::document::{Document, Syntax};

use super::{Hints, compose, fact};

/// One container of a workload.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// What it may be called in the repository, best first: its image, the workload, the container.
    pub(crate) names: Vec<String>,
    pub(crate) hints: Hints,
}

/// Directories that hold manifests of clusters.
const DIRECTORIES: &[&str] = &[
    ".k8s",
    "deploy",
    "deployment",
    "deployments",
    "gitops",
    "infra",
    "k8s",
    "kube",
    "kubernetes",
    "kustomize",
    "manifests",
];

/// Whether a directory holds manifests of clusters, by its path.
pub(super) fn is_directory(path: &str) -> bool {
    path.split('/')
        .any(|part| DIRECTORIES.binary_search(&part).is_ok())
}

/// Whether a YAML file outside of such directories is a manifest, by its name.
pub(super) fn is_file(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    ["deploy", "deployment", "k8s", "kubernetes", "statefulset"]
        .iter()
        .any(|word| {
            stem == *word
                || stem
                    .strip_suffix(word)
                    .is_some_and(|rest| rest.ends_with(['-', '.']))
        })
}

/// The most documents of one file that are read.
const MOST_DOCUMENTS: usize = 500;

/// The containers of all workloads of a file; a document that is none, or a template of one, has none.
pub(super) fn workloads(file: &str, text: &str) -> Vec<Workload> {
    let mut found = Vec::new();
    if !text.contains("containers:") || !text.contains("kind:") {
        return found;
    }
    for (offset, part) in documents(text).into_iter().take(MOST_DOCUMENTS) {
        if !part.contains("containers:") {
            continue;
        }
        if let Ok(document) = Document::parse(file, part, Syntax::Yaml) {
            found.extend(containers(&document, offset));
        }
    }
    found
}

/// The documents of a YAML stream, each with the lines before it.
fn documents(text: &str) -> Vec<(u64, &str)> {
    let (mut found, mut start, mut first, mut at) = (Vec::new(), 0, 0, 0);
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        at += line.len();
        // Such a line ends a document wherever it stands: <https://yaml.org/spec/1.2.2/#914-explicit-documents>.
        let marker = line.strip_prefix("---");
        if marker
            .is_some_and(|rest| rest.trim_start().is_empty() || rest.trim_start().starts_with('#'))
        {
            found.push((first, &text[start..at - line.len()]));
            (start, first) = (at, number);
        }
    }
    found.push((first, &text[start..]));
    found
}

fn containers(document: &Document, offset: u64) -> Vec<Workload> {
    let pod: &[&str] = match document.str(&["kind"]) {
        Some("DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet" | "Job") => {
            &["spec", "template", "spec"]
        }
        Some("CronJob") => &["spec", "jobTemplate", "spec", "template", "spec"],
        Some("Pod") => &["spec"],
        _ => return Vec::new(),
    };
    let workload = document.str(&["metadata", "name"]);
    let mut keys = pod.to_vec();
    keys.push("containers");
    let count = document.get(&keys).and_then(Value::as_array);
    let count = count.map_or(0, |list| list.len().min(20));
    (0..count)
        .filter_map(|number| {
            let number = number.to_string();
            let mut keys = keys.clone();
            keys.push(&number);
            container(document, &keys, offset, workload.filter(|_| count == 1))
        })
        .collect()
}

fn container(
    document: &Document,
    keys: &[&str],
    offset: u64,
    workload: Option<&str>,
) -> Option<Workload> {
    let value = document.get(keys)?;
    let image = value.get("image")?.as_str()?;
    let name = value.get("name").and_then(Value::as_str);
    let names = [
        Some(compose::image_name(image)),
        workload.map(str::to_owned),
        name.map(str::to_owned),
    ];
    let mut container = Container {
        document,
        keys,
        offset,
        value,
        hints: Hints::default(),
    };
    let what = format!("the container `{}`", name.unwrap_or(image));
    let line = container.line(&["name"]);
    let named = fact(what, &document.file, line);
    container.hints.named.push(named);
    let ports = container.ports();
    container.probes(&ports);
    container.command();
    container.environment();
    Some(Workload {
        names: names.into_iter().flatten().collect(),
        hints: container.hints,
    })
}

/// A container while its hints are collected.
struct Container<'d> {
    document: &'d Document,
    keys: &'d [&'d str],
    /// The lines before its document.
    offset: u64,
    value: &'d Value,
    hints: Hints,
}

impl<'d> Container<'d> {
    fn line(&self, more: &[&str]) -> u64 {
        let mut all = self.keys.to_vec();
        all.extend(more);
        let line = self.document.line(&all);
        line.map_or(0, |line| line + self.offset)
    }

    fn list(&self, key: &str) -> impl Iterator<Item = &'d Value> + use<'d> {
        let list = self.value.get(key).and_then(Value::as_array);
        list.into_iter().flatten().take(200)
    }

    /// Its ports with their names.
    fn ports(&mut self) -> Vec<(&'d str, u16)> {
        let mut ports = Vec::new();
        for (number, port) in self.list("ports").enumerate() {
            let declared = port.get("containerPort").and_then(Value::as_u64);
            let declared = declared.and_then(|port| u16::try_from(port).ok());
            let is_tcp = port.get("protocol").and_then(Value::as_str) != Some("UDP");
            if let Some(declared) = declared.filter(|port| is_tcp && *port > 0) {
                let name = port.get("name").and_then(Value::as_str);
                ports.push((name.unwrap_or_default(), declared));
                let line = self.line(&["ports", &number.to_string(), "containerPort"]);
                let port = fact(declared, &self.document.file, line);
                self.hints.listens_on(port);
            }
        }
        ports
    }

    fn probes(&mut self, ports: &[(&str, u16)]) {
        let file = &self.document.file;
        for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
            let asked = self.value.get(probe).and_then(|probe| probe.get("httpGet"));
            let Some(asked) = asked else {
                continue;
            };
            if self.hints.web.is_none() {
                let line = self.line(&[probe, "httpGet"]);
                self.hints.web = Some(fact("httpGet".to_owned(), file, line));
            }
            let path = asked.get("path").and_then(Value::as_str).unwrap_or("");
            let path = path.split('?').next().unwrap_or_default();
            if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()) {
                let line = self.line(&[probe, "httpGet", "path"]);
                self.hints.health = Some(fact(path.to_owned(), file, line));
                self.hints.health_port = match asked.get("port") {
                    Some(Value::String(name)) => {
                        let known = ports.iter().find(|(known, _)| known == name);
                        known.map(|(_, port)| *port)
                    }
                    Some(port) => port.as_u64().and_then(|port| u16::try_from(port).ok()),
                    None => None,
                };
                return;
            }
        }
    }

    fn command(&mut self) {
        let words = self.list("command").chain(self.list("args"));
        let words: Vec<Value> = words.cloned().collect();
        if let Some(line) = compose::command(&Value::Array(words)) {
            let has_command = self.value.get("command").is_some();
            let key = if has_command { "command" } else { "args" };
            let number = self.line(&[key, "0"]);
            let command = fact(line, &self.document.file, number);
            self.hints.commands.push(command);
        }
    }

    fn environment(&mut self) {
        for (number, variable) in self.list("env").enumerate() {
            if let Some(name) = variable.get("name").and_then(Value::as_str) {
                let line = self.line(&["env", &number.to_string(), "name"]);
                self.hints.expects(name, &self.document.file, line);
            }
        }
    }
}
