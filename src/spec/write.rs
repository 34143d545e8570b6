//! Specs as text.

use serde::Serialize;

use super::Spec;

impl Spec {
    /// The app's name as file names and tags hold it: lower-case letters and digits, joined by `-`.
    ///
    /// It is at most 100 bytes long, and `app` where the name has no letter or digit of ASCII.
    #[must_use]
    pub fn slug(&self) -> String {
        slug(&self.metadata.project_name)
    }
}

pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(100);
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() {
        slug.push_str("app");
    }
    slug
}

/// One spec is written as an object, several as an array.
#[derive(Serialize)]
#[serde(untagged)]
enum Document<'s> {
    One(&'s Spec),
    Several(&'s [Spec]),
}

impl<'s> Document<'s> {
    fn of(specs: &'s [Spec]) -> Self {
        match specs {
            [one] => Self::One(one),
            several => Self::Several(several),
        }
    }
}

/// Writes specs as indented JSON: one as an object, several as an array.
///
/// The same specs give the same bytes, [`load`](super::load()) gives them back, and fields at their defaults are left out.
#[must_use]
pub fn to_json(specs: &[Spec]) -> String {
    // Every key of a spec is a string, so there is nothing that JSON cannot hold.
    let mut text = serde_json::to_string_pretty(&Document::of(specs)).unwrap_or_default();
    text.push('\n');
    text
}

/// Writes specs as YAML: one as a map, several as a list.
///
/// The same specs give the same bytes, [`load`](super::load()) gives them back, and fields at their defaults are left out.
#[must_use]
pub fn to_yaml(specs: &[Spec]) -> String {
    // Every key of a spec is a string, so there is nothing that YAML cannot hold.
    let mut text = serde_yaml::to_string(&Document::of(specs)).unwrap_or_default();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The JSON Schema of a spec file: one spec or a list of them.
///
/// It is what editors complete and check by; [`load`](super::load()) checks more than a schema can say.
#[must_use]
pub fn schema() -> serde_json::Value {
    let spec = schemars::schema_for!(Spec).to_value();
    let mut document = serde_json::Map::new();
    let mut definitions = serde_json::Map::new();
    let mut one = serde_json::Map::new();
    if let serde_json::Value::Object(fields) = spec {
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("$schema", value) => {
                    document.insert(key, value);
                }
                ("$defs", serde_json::Value::Object(map)) => definitions = map,
                (_, value) => {
                    one.insert(key, value);
                }
            }
        }
    }
    let reference = serde_json::json!({ "$ref": "#/$defs/Spec" });
    definitions.insert("Spec".to_owned(), serde_json::Value::Object(one));
    document.insert("title".to_owned(), "peelbox spec".into());
    let list = serde_json::json!({ "type": "array", "minItems": 1, "items": reference });
    document.insert("anyOf".to_owned(), serde_json::json!([reference, list]));
    document.insert("$defs".to_owned(), serde_json::Value::Object(definitions));
    serde_json::Value::Object(document)
}
