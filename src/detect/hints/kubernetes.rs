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
    let file = document.file.as_str();
    let at = |more: &[&str]| {
        let mut all = keys.to_vec();
        all.extend(more);
        document.line(&all).map_or(0, |line| line + offset)
    };
    let image = value.get("image")?.as_str()?;
    let name = value.get("name").and_then(Value::as_str);
    let names = [
        Some(compose::image_name(image)),
        workload.map(str::to_owned),
        name.map(str::to_owned),
    ];
    let mut hints = Hints::default();
    let what = format!("the container `{}`", name.unwrap_or(image));
    hints.named.push(fact(what, file, at(&["name"])));
    let list = |key: &str| {
        value
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let mut ports: Vec<(&str, u16)> = Vec::new();
    for (number, port) in list("ports").enumerate().take(50) {
        let declared = port.get("containerPort").and_then(Value::as_u64);
        let declared = declared.and_then(|port| u16::try_from(port).ok());
        let is_tcp = port.get("protocol").and_then(Value::as_str) != Some("UDP");
        if let Some(declared) = declared.filter(|port| is_tcp && *port > 0) {
            ports.push((
                port.get("name").and_then(Value::as_str).unwrap_or_default(),
                declared,
            ));
            let line = at(&["ports", &number.to_string(), "containerPort"]);
            hints.listens_on(fact(declared, file, line));
        }
    }
    for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
        let Some(get) = value.get(probe).and_then(|probe| probe.get("httpGet")) else {
            continue;
        };
        let path = get.get("path").and_then(Value::as_str).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        let line = at(&[probe, "httpGet", "path"]);
        hints
            .web
            .get_or_insert_with(|| fact("httpGet".to_owned(), file, at(&[probe, "httpGet"])));
        if is_path {
            hints.health = Some(fact(path.to_owned(), file, line));
            hints.health_port = match get.get("port") {
                Some(Value::String(name)) => ports
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, port)| *port),
                Some(port) => port.as_u64().and_then(|port| u16::try_from(port).ok()),
                None => None,
            };
            break;
        }
    }
    let words: Vec<Value> = list("command").chain(list("args")).cloned().collect();
    if let Some(line) = compose::command(&Value::Array(words)) {
        let key = if value.get("command").is_some() {
            "command"
        } else {
            "args"
        };
        hints.commands.push(fact(line, file, at(&[key, "0"])));
    }
    for (number, variable) in list("env").enumerate().take(200) {
        if let Some(name) = variable.get("name").and_then(Value::as_str) {
            hints.expects(name, file, at(&["env", &number.to_string(), "name"]));
        }
    }
    Some(Workload {
        names: names.into_iter().flatten().collect(),
        hints,
    })
}
