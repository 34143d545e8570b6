//! Overrides: parts of specs that are merged over what was detected.

use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::load::{REST, Walk, format, is_rest_mark, join, normal, plain};
use super::model::Spec;
use super::node::{self, Key, Node, Value};
use super::problem::{Errors, Fault};
use super::rule;
use super::write::schema;

const APP: &[&str] = &[
    "add", "build", "entry", "hide", "metadata", "runtime", "version",
];
const FILE: &[&str] = &[
    "add", "apps", "build", "entry", "hide", "metadata", "runtime", "version",
];

/// What a file says of one app.
#[derive(Clone, Debug)]
pub struct Override {
    /// The app's name, or its directory seen from the file; none is the app of the file's own directory.
    pub app: Option<String>,
    /// The line where that begins, counted from 1.
    pub line: usize,
    /// Its column, counted in characters from 1.
    pub column: usize,
    /// Whether the app is left out.
    pub hide: bool,
    /// Whether detection does not find the app: the spec is written here.
    pub add: bool,
    /// What is started, where detection cannot choose.
    pub entry: Option<Entry>,
    /// The fields of the spec.
    fields: Vec<(Key, Node)>,
}

/// What is started, in the words of its language: a file, a target, or `module:object`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: String,
    /// The line of the value, counted from 1.
    pub line: usize,
}

/// A field that an override has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its full name, such as `runtime.ports`.
    pub field: String,
    /// Its new value, lists as JSON; empty where it was taken away.
    pub value: String,
    /// The key that stands in the file.
    pub key: String,
    /// The line of that key, counted from 1.
    pub line: usize,
    /// Its column, counted in characters from 1.
    pub column: usize,
}

/// Reads a file of overrides: a part of a spec for the app of its directory, and `apps` with one for each app by name or path.
///
/// # Errors
///
/// Everything that is wrong with the file, each with its line and column.
pub fn overrides(path: &Path, bytes: &[u8]) -> Result<Vec<Override>, Errors> {
    let mut walk = Walk {
        is_partial: true,
        ..Walk::default()
    };
    let mut found = Vec::new();
    match node::parse(format(path, bytes), bytes) {
        Ok(Some(document)) => file(&mut walk, &document, &mut found),
        Ok(None) => {}
        Err(problem) => walk.problems.push(problem),
    }
    walk.finish(path).map(|()| found)
}

fn file(walk: &mut Walk, document: &Node, found: &mut Vec<Override>) {
    let Some(fields) = walk.fields(document, "", FILE) else {
        return;
    };
    let (line, column) = (document.line, document.column);
    if fields.entries.keys().any(|key| *key != "apps") {
        found.push(app(walk, document, None, "", (line, column)));
    }
    let Some(apps) = fields.entries.get("apps") else {
        return;
    };
    for (key, node) in walk.unrepeated(apps, "apps").unwrap_or_default() {
        if let Err(reason) = rule::line(&key.name) {
            let fault = Fault::BadValue {
                key: "apps".to_owned(),
                value: super::problem::quoted(&key.name),
                reason,
            };
            walk.add(key.line, key.column, fault);
            continue;
        }
        let at = join("apps", &key.name);
        if walk.fields(node, &at, APP).is_some() {
            let place = (key.line, key.column);
            found.push(app(walk, node, Some(key.name.clone()), &at, place));
        }
    }
}

/// One app; its keys are known to be right.
fn app(
    walk: &mut Walk,
    node: &Node,
    app: Option<String>,
    at: &str,
    (line, column): (usize, usize),
) -> Override {
    let mut one = Override {
        app,
        line,
        column,
        hide: false,
        add: false,
        entry: None,
        fields: Vec::new(),
    };
    let Value::Map(entries) = &node.value else {
        return one;
    };
    for (key, node) in entries {
        let full = join(at, &key.name);
        match (key.name.as_str(), &node.value) {
            ("hide", _) => one.hide = flag(walk, node, &full),
            ("add", _) => one.add = flag(walk, node, &full),
            (_, Value::Null) => {}
            ("entry", Value::Text(text)) if rule::line(text).is_ok() => {
                let (value, line) = (text.trim().to_owned(), node.line);
                one.entry = Some(Entry { value, line });
            }
            ("entry", _) => walk.mistyped(node, &full, "a text that names a file or target"),
            ("version", Value::Number(text) | Value::Text(text)) => {
                walk.checked(text, node, &full, rule::version);
            }
            ("version", _) => walk.mistyped(node, &full, "a text"),
            ("metadata", _) => {
                walk.metadata(node, &mut std::collections::BTreeMap::new());
                one.fields.push((key.clone(), node.clone()));
            }
            ("build", _) => {
                walk.build(node);
                one.fields.push((key.clone(), node.clone()));
            }
            ("runtime", _) => {
                walk.runtime(node);
                one.fields.push((key.clone(), node.clone()));
            }
            _ => {}
        }
    }
    one
}

fn flag(walk: &mut Walk, node: &Node, at: &str) -> bool {
    match &node.value {
        Value::Bool(text) => text.eq_ignore_ascii_case("true"),
        Value::Null => false,
        _ => {
            walk.mistyped(node, at, "true or false");
            false
        }
    }
}

impl Override {
    /// Merges it over `spec`: maps by key, lists whole unless `...` stands in them for the old one, and null takes away.
    ///
    /// The answer names every field that it sets. `None` where the result is no spec, which only a missing part of a new field
    /// can make.
    #[must_use]
    pub fn apply(&self, spec: &Spec) -> Option<(Spec, Vec<Change>)> {
        let mut merged = serde_json::to_value(spec).ok()?;
        let mut changes = Vec::new();
        for (key, node) in &self.fields {
            merge(&mut merged, key, node, "", &mut changes);
        }
        let mut spec: Spec = serde_json::from_value(merged).ok()?;
        spec.metadata.path = normal(&spec.metadata.path);
        Some((spec, changes))
    }
}

/// Lists in which nothing is there twice.
const SETS: &[&str] = &["cache", "context", "files", "packages", "ports", "writable"];

/// A list with the old one in the place of its mark.
fn spliced(items: &[Node], old: Option<&Vec<Json>>, is_set: bool) -> Vec<Json> {
    let mut list: Vec<Json> = Vec::new();
    for item in items {
        if is_rest_mark(item) {
            list.extend(old.into_iter().flatten().cloned());
        } else {
            list.push(plain(item));
        }
    }
    if is_set {
        let mut seen: Vec<Json> = Vec::new();
        list.retain(|item| {
            let is_new = !seen.contains(item);
            seen.push(item.clone());
            is_new
        });
    }
    list
}

fn merge(into: &mut Json, key: &Key, node: &Node, at: &str, changes: &mut Vec<Change>) {
    let full = join(at, &key.name);
    if !into.is_object() {
        *into = Json::Object(Map::new());
    }
    let Json::Object(map) = into else {
        return;
    };
    let value = match &node.value {
        Value::Map(entries) => {
            let inner = map.entry(key.name.clone()).or_insert(Json::Null);
            if !inner.is_object() {
                *inner = Json::Object(Map::new());
            }
            for (key, node) in entries {
                merge(inner, key, node, &full, changes);
            }
            return;
        }
        Value::Null => {
            map.remove(&key.name);
            String::new()
        }
        Value::List(items) => {
            let old = map.get(&key.name).and_then(Json::as_array);
            let list = spliced(items, old, SETS.contains(&key.name.as_str()));
            let shown = match list.as_slice() {
                [Json::Number(one)] => one.to_string(),
                _ => Json::Array(list.clone()).to_string(),
            };
            map.insert(key.name.clone(), Json::Array(list));
            shown
        }
        Value::Bool(text) | Value::Number(text) | Value::Text(text) => {
            let is_text = matches!(at, "build.env" | "runtime.env" | "runtime.labels")
                || full == "runtime.user";
            let value = if is_text {
                text.clone().into()
            } else {
                plain(node)
            };
            map.insert(key.name.clone(), value);
            text.clone()
        }
    };
    changes.push(Change {
        field: full,
        value,
        key: key.name.clone(),
        line: key.line,
        column: key.column,
    });
}

/// The JSON Schema of a file of overrides.
///
/// It is what editors complete and check by; [`overrides`] checks more than a schema can say.
#[must_use]
pub fn overrides_schema() -> Json {
    let mut document = schema();
    let mut definitions = match document.get_mut("$defs") {
        Some(Json::Object(map)) => std::mem::take(map),
        _ => Map::new(),
    };
    for (name, definition) in &mut definitions {
        // What stands in lists is written whole.
        if !matches!(name.as_str(), "Copy" | "Health" | "Kind" | "Secret") {
            partial(definition);
        }
    }
    let mut app = match definitions.remove("Spec") {
        Some(Json::Object(map)) => map,
        _ => Map::new(),
    };
    if let Some(Json::Object(properties)) = app.get_mut("properties") {
        for (name, kind, description) in [
            (
                "add",
                "boolean",
                "Whether detection does not find the app: its spec is written here.",
            ),
            (
                "entry",
                "string",
                "What is started, where detection cannot choose: a file, a target, or module:object.",
            ),
            ("hide", "boolean", "Whether the app is left out."),
        ] {
            let field = json!({ "description": description, "type": [kind, "null"] });
            properties.insert(name.to_owned(), field);
        }
    }
    app.insert(
        "description".to_owned(),
        "A part of the spec of one app, merged over what was detected.".into(),
    );
    let mut file = app.clone();
    if let Some(Json::Object(properties)) = file.get_mut("properties") {
        let apps = json!({
            "description": "The apps at and below the file's directory, by name or path.",
            "type": ["object", "null"],
            "additionalProperties": { "$ref": "#/$defs/App" },
        });
        properties.insert("apps".to_owned(), apps);
    }
    file.insert(
        "description".to_owned(),
        "Parts of specs, merged over what was detected: of the app of this directory, and of those named in `apps`.".into(),
    );
    definitions.insert("App".to_owned(), Json::Object(app));
    let mut whole = Map::new();
    if let Some(version) = document.get("$schema") {
        whole.insert("$schema".to_owned(), version.clone());
    }
    whole.insert("title".to_owned(), "peelbox overrides".into());
    whole.extend(file.into_iter().filter(|(key, _)| key != "title"));
    whole.insert("$defs".to_owned(), Json::Object(definitions));
    Json::Object(whole)
}

/// Nothing has to be there, null takes away, and `...` stands in lists for what was detected.
fn partial(definition: &mut Json) {
    let Json::Object(map) = definition else {
        return;
    };
    map.remove("required");
    let Some(Json::Object(properties)) = map.get_mut("properties") else {
        return;
    };
    for property in properties.values_mut() {
        let Json::Object(field) = property else {
            continue;
        };
        field.remove("default");
        if let Some(items) = field.get_mut("items") {
            *items = json!({ "anyOf": [items.take(), { "const": REST }] });
        }
        if let Some(Json::Object(values)) = field.get_mut("additionalProperties") {
            if let Some(items) = values.get_mut("items") {
                *items = json!({ "anyOf": [items.take(), { "const": REST }] });
            }
            if let Some(kind) = values.get("type").and_then(Json::as_str) {
                let kind = json!([kind, "null"]);
                values.insert("type".to_owned(), kind);
            }
        }
        if let Some(kind) = field.get("type").and_then(Json::as_str) {
            let kind = json!([kind, "null"]);
            field.insert("type".to_owned(), kind);
        } else if let Some(reference) = field.remove("$ref") {
            let either = json!([{ "$ref": reference }, { "type": "null" }]);
            field.insert("anyOf".to_owned(), either);
        }
    }
}
