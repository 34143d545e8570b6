//! What platforms are told: fly.toml, render.yaml, railway.json or railway.toml, and Heroku's app.json.

use serde_json::Value;

use crate::detect::document::Document;
use crate::detect::repo::split;

use super::{Hints, Kind, Places, below, docker, fact, probe};

/// The hints of a file, each with its directory.
pub(super) fn read(kind: Kind, places: &Places<'_>, document: &Document) -> Vec<(String, Hints)> {
    match kind {
        Kind::Fly => fly(places, document).into_iter().collect(),
        Kind::Render => render(places, document),
        Kind::Railway => railway(places, document).into_iter().collect(),
        Kind::AppJson => app_json(document).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn port(value: Option<&Value>) -> Option<u16> {
    let port = match value? {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    (port > 0).then_some(port)
}

/// A document whose keys are asked with their lines.
struct Keys<'d> {
    document: &'d Document,
    hints: Hints,
}

impl<'d> Keys<'d> {
    fn new(document: &'d Document) -> Self {
        Self {
            document,
            hints: Hints::default(),
        }
    }

    fn line(&self, keys: &[&str]) -> u64 {
        self.document.line(keys).unwrap_or_default()
    }

    fn named(&mut self, what: String, keys: &[&str]) {
        let line = self.line(keys);
        let fact = fact(what, &self.document.file, line);
        self.hints.named.push(fact);
    }

    fn port(&mut self, keys: &[&str]) {
        if let Some(port) = port(self.document.get(keys)) {
            let line = self.line(keys);
            self.hints.listens_on(fact(port, &self.document.file, line));
        }
    }

    fn command(&mut self, keys: &[&str]) {
        if let Some(text) = self.document.str(keys).map(str::trim)
            && !text.is_empty()
        {
            let fact = fact(text.to_owned(), &self.document.file, self.line(keys));
            self.hints.commands.push(fact);
        }
    }

    fn health(&mut self, keys: &[&str]) {
        let Some(text) = self.document.str(keys) else {
            return;
        };
        let path = probe(text).map_or_else(|| text.to_owned(), |(path, _)| path);
        let is_path = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        if self.hints.health.is_none() && is_path {
            let fact = fact(path, &self.document.file, self.line(keys));
            self.hints.health = Some(fact);
        }
    }

    fn web(&mut self, text: &str, keys: &[&str]) {
        if self.hints.web.is_none() && self.document.get(keys).is_some() {
            let fact = fact(text.to_owned(), &self.document.file, self.line(keys));
            self.hints.web = Some(fact);
        }
    }

    fn expects(&mut self, keys: &[&str]) {
        for name in self.document.keys(keys) {
            let mut all = keys.to_vec();
            all.push(name);
            if name == "PORT" {
                self.port(&all);
                continue;
            }
            let line = self.line(&all);
            self.hints.expects(name, &self.document.file, line);
        }
    }
}

/// <https://fly.io/docs/reference/configuration/>
fn fly(places: &Places<'_>, document: &Document) -> Option<(String, Hints)> {
    let context = split(&document.file).0;
    let mut keys = Keys::new(document);
    let name = document.str(&["app"]).unwrap_or("fly.toml");
    keys.named(format!("the app `{name}`"), &["app"]);
    keys.port(&["http_service", "internal_port"]);
    keys.web("http_service", &["http_service"]);
    let checks = ["http_service", "checks"];
    for at in numbers(document, &checks) {
        keys.health(&[checks[0], checks[1], &at, "path"]);
    }
    for name in document.keys(&["checks"]) {
        keys.health(&["checks", name, "path"]);
    }
    for at in numbers(document, &["services"]) {
        keys.port(&["services", &at, "internal_port"]);
        for check in numbers(document, &["services", &at, "http_checks"]) {
            keys.health(&["services", &at, "http_checks", &check, "path"]);
        }
    }
    for process in document.keys(&["processes"]) {
        if process == "app" || process == "web" {
            keys.command(&["processes", process]);
        }
    }
    keys.command(&["experimental", "cmd"]);
    keys.expects(&["env"]);
    let dockerfile = document.str(&["build", "dockerfile"]);
    let dockerfile = dockerfile.and_then(|path| below(context, path));
    let dir = match &dockerfile {
        Some(file) => places.built(context, file, &[docker::suffix(file), name]),
        None => context.to_owned(),
    };
    Some((dir, keys.hints))
}

/// The positions of a list, as keys.
fn numbers(document: &Document, keys: &[&str]) -> Vec<String> {
    let list = document.get(keys).and_then(Value::as_array);
    (0..list.map_or(0, |list| list.len().min(100)))
        .map(|number| number.to_string())
        .collect()
}

/// <https://render.com/docs/blueprint-spec>
fn render(places: &Places<'_>, document: &Document) -> Vec<(String, Hints)> {
    let base = split(&document.file).0;
    let mut found = Vec::new();
    for at in numbers(document, &["services"]) {
        let text = |key: &str| document.str(&["services", &at, key]);
        let kind = text("type").unwrap_or_default();
        if !matches!(kind, "web" | "pserv" | "worker" | "cron" | "static") {
            continue;
        }
        let runtime = text("runtime").or_else(|| text("env")).unwrap_or_default();
        if runtime == "image" {
            continue;
        }
        let name = text("name").unwrap_or(kind);
        let root = text("rootDir").unwrap_or(".");
        let Some(root) = below(base, root).filter(|dir| places.repo.dir(dir).is_some()) else {
            continue;
        };
        let context = text("dockerContext").and_then(|path| below(&root, path));
        let context = context.unwrap_or_else(|| root.clone());
        let dockerfile = text("dockerfilePath").and_then(|path| below(&root, path));
        let dir = match &dockerfile {
            Some(file) => places.built(&context, file, &[docker::suffix(file), name]),
            None => root,
        };
        let mut keys = Keys::new(document);
        keys.named(format!("the service `{name}`"), &["services", &at, "name"]);
        keys.command(&["services", &at, "startCommand"]);
        keys.command(&["services", &at, "dockerCommand"]);
        keys.health(&["services", &at, "healthCheckPath"]);
        if kind == "web" && runtime != "static" {
            keys.web("web", &["services", &at, "type"]);
        }
        for variable in numbers(document, &["services", &at, "envVars"]) {
            let one = ["services", &at, "envVars", &variable];
            let key = [one[0], one[1], one[2], one[3], "key"];
            let Some(name) = document.str(&key) else {
                continue;
            };
            if name == "PORT" {
                keys.port(&[one[0], one[1], one[2], one[3], "value"]);
            } else {
                let line = keys.line(&key);
                keys.hints.expects(name, &document.file, line);
            }
        }
        found.push((dir, keys.hints));
    }
    found
}

/// <https://docs.railway.com/reference/config-as-code>
fn railway(places: &Places<'_>, document: &Document) -> Option<(String, Hints)> {
    let context = split(&document.file).0;
    let mut keys = Keys::new(document);
    let first = ["deploy", "build"]
        .into_iter()
        .find(|key| document.get(&[key]).is_some())?;
    keys.named(format!("`{first}`"), &[first]);
    keys.command(&["deploy", "startCommand"]);
    keys.health(&["deploy", "healthcheckPath"]);
    keys.web("healthcheckPath", &["deploy", "healthcheckPath"]);
    let dockerfile = document.str(&["build", "dockerfilePath"]);
    let dockerfile = dockerfile.and_then(|path| below(context, path));
    let dir = match &dockerfile {
        Some(file) => places.built(context, file, &[docker::suffix(file)]),
        None => context.to_owned(),
    };
    Some((dir, keys.hints))
}

/// <https://devcenter.heroku.com/articles/app-json-schema>; Expo's file of this name is another one.
fn app_json(document: &Document) -> Option<(String, Hints)> {
    if document.get(&["expo"]).is_some() {
        return None;
    }
    let first = ["formation", "buildpacks", "dokku"]
        .into_iter()
        .find(|key| document.get(&[key]).is_some())?;
    let mut keys = Keys::new(document);
    keys.named(format!("`{first}`"), &[first]);
    keys.expects(&["env"]);
    keys.web("web", &["formation", "web"]);
    Some((split(&document.file).0.to_owned(), keys.hints))
}
