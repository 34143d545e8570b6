//! Compose files: <https://github.com/compose-spec/compose-spec/blob/main/spec.md>.

use serde_json::Value;

use crate::detect::document::Document;
use crate::detect::repo::{join, split};

use super::{Hints, Places, below, docker, expand, fact, line_of, probe};

/// A service that is built from the repository.
pub(super) struct Service {
    pub(super) dir: String,
    pub(super) hints: Hints,
    /// The last part of its image's name.
    pub(super) image: Option<String>,
    pub(super) dockerfile: Option<String>,
    /// The stage of the Dockerfile that is built.
    pub(super) stage: Option<String>,
}

/// The services of a compose file that are built from the repository.
pub(super) fn services(places: &Places<'_>, document: &Document) -> Vec<Service> {
    let services = document.keys(&["services"]).into_iter();
    services
        .filter_map(|name| service(places, document, name))
        .collect()
}

fn service(places: &Places<'_>, document: &Document, name: &str) -> Option<Service> {
    let base = split(&document.file).0;
    let build = document.get(&["services", name, "build"])?;
    let text = |key: &str| {
        build
            .get(key)
            .and_then(Value::as_str)
            .and_then(interpolated)
    };
    let context = match build {
        Value::String(context) => interpolated(context)?,
        Value::Object(_) => text("context").unwrap_or_else(|| ".".to_owned()),
        _ => return None,
    };
    let context = below(base, &context)?;
    places.repo.dir(&context)?;
    let dockerfile = match text("dockerfile") {
        Some(path) => below(&context, &path)?,
        None => join(&context, "Dockerfile"),
    };
    let dir = places.built(&context, &dockerfile, &[docker::suffix(&dockerfile), name]);
    let image = document.str(&["services", name, "image"]).map(image_name);
    Some(Service {
        hints: hints(document, name),
        dir,
        image,
        dockerfile: places.repo.has(&dockerfile).then_some(dockerfile),
        stage: text("target"),
    })
}

/// The last part of an image's name, without tag and digest.
pub(super) fn image_name(image: &str) -> String {
    let name = image.split('@').next().unwrap_or_default();
    let name = split(name).1;
    name.split(':').next().unwrap_or_default().to_owned()
}

fn interpolated(text: &str) -> Option<String> {
    expand(text, &|_| None)
}

fn hints(document: &Document, name: &str) -> Hints {
    let at = |keys: &[&str]| {
        let mut all = vec!["services", name];
        all.extend(keys);
        document.line(&all).unwrap_or_default()
    };
    let get = |key: &str| document.get(&["services", name, key]);
    let file = document.file.as_str();
    let mut hints = Hints::default();
    let named = format!("the service `{name}`");
    hints.named.push(fact(named, file, at(&[])));
    for key in ["ports", "expose"] {
        let Some(list) = get(key).and_then(Value::as_array) else {
            continue;
        };
        for (number, port) in list.iter().enumerate() {
            let number = number.to_string();
            let line = match port {
                Value::Object(_) => at(&[key, &number, "target"]),
                _ => at(&[key, &number]),
            };
            if let Some(port) = container_port(port) {
                hints.listens_on(fact(port, file, line));
            }
        }
    }
    environment(document, name, &mut hints);
    for key in ["command", "entrypoint"] {
        let Some(line) = get(key).and_then(command) else {
            continue;
        };
        let is_list = get(key).is_some_and(Value::is_array);
        let number = if is_list { at(&[key, "0"]) } else { at(&[key]) };
        hints.commands.push(fact(line, file, number));
    }
    let test = document.get(&["services", name, "healthcheck", "test"]);
    let (words, lines): (Vec<&str>, Vec<u64>) = match test {
        Some(Value::String(text)) => (vec![text], vec![at(&["healthcheck", "test"])]),
        Some(Value::Array(words)) => words
            .iter()
            .enumerate()
            .filter_map(|(number, word)| {
                let line = at(&["healthcheck", "test", &number.to_string()]);
                Some((word.as_str()?, line))
            })
            .unzip(),
        _ => (Vec::new(), Vec::new()),
    };
    for (word, line) in words.into_iter().zip(lines) {
        if let Some((path, port)) = probe(word) {
            hints.health = Some(fact(path, file, line));
            hints.health_port = port;
        }
    }
    hints
}

fn environment(document: &Document, name: &str, hints: &mut Hints) {
    let file = document.file.as_str();
    let keys = ["services", name, "environment"];
    let mut variables: Vec<(String, String, u64)> = Vec::new();
    match document.get(&keys) {
        Some(Value::Object(map)) => {
            for (key, value) in map {
                let line = document.line(&[keys[0], keys[1], keys[2], key]);
                let value = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                variables.push((key.clone(), value, line.unwrap_or_default()));
            }
        }
        Some(Value::Array(list)) => {
            for (number, text) in list.iter().enumerate() {
                let line = document.line(&[keys[0], keys[1], keys[2], &number.to_string()]);
                let text = text.as_str().unwrap_or_default();
                let (key, value) = text.split_once('=').unwrap_or((text, ""));
                variables.push((key.to_owned(), value.to_owned(), line.unwrap_or_default()));
            }
        }
        _ => {}
    }
    for (key, value, line) in variables {
        let port = interpolated(&value).and_then(|value| value.parse().ok());
        match port.filter(|port| key == "PORT" && *port > 0) {
            Some(port) => hints.listens_on(fact(port, file, line)),
            None => hints.expects(&key, file, line),
        }
    }
}

/// A command as a text, or as words.
pub(super) fn command(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Array(words) if !words.is_empty() => {
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
            line_of(&words?)
        }
        _ => None,
    }
}

/// The port inside of the container: `8080:3000`, `127.0.0.1::3000/tcp`, `3000`, or a map with `target`.
fn container_port(value: &Value) -> Option<u16> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => interpolated(text)?,
        Value::Object(_) => {
            if value.get("protocol").and_then(Value::as_str) == Some("udp") {
                return None;
            }
            return container_port(value.get("target")?);
        }
        _ => return None,
    };
    let (text, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
    let port = text.rsplit(':').next()?.parse().ok()?;
    (protocol == "tcp" && port > 0).then_some(port)
}
