//! The version catalog of a Gradle build.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::detect::document::Document;

/// The version catalog, `gradle/libs.versions.toml`.
#[derive(Default)]
pub(in super::super) struct Catalog {
    document: Option<Rc<Document>>,
    /// Names as scripts write them, with the key in the document.
    plugins: BTreeMap<String, String>,
    libraries: BTreeMap<String, String>,
    bundles: BTreeMap<String, String>,
}

impl Catalog {
    pub(in super::super) fn new(document: Option<Rc<Document>>) -> Self {
        let names = |table: &str| -> BTreeMap<String, String> {
            let keys = document.iter().flat_map(|document| document.keys(&[table]));
            keys.map(|key| (accessor(key), key.to_owned())).collect()
        };
        Self {
            plugins: names("plugins"),
            libraries: names("libraries"),
            bundles: names("bundles"),
            document,
        }
    }

    /// The id and version of a plugin's alias.
    pub(super) fn plugin(&self, alias: &str) -> Option<(String, Option<String>)> {
        let document = self.document.as_ref()?;
        let key = self.plugins.get(&accessor(alias))?.as_str();
        if let Some(text) = document.str(&["plugins", key]) {
            let (id, version) = text.split_once(':')?;
            return Some((id.to_owned(), Some(version.to_owned())));
        }
        let id = document.str(&["plugins", key, "id"])?.to_owned();
        Some((id, self.version(&["plugins", key])))
    }

    fn version(&self, at: &[&str]) -> Option<String> {
        let document = self.document.as_ref()?;
        let with = |last: &[&'static str]| -> Option<String> {
            let keys: Vec<&str> = at.iter().copied().chain(last.iter().copied()).collect();
            document.str(&keys).map(str::to_owned)
        };
        if let Some(name) = with(&["version", "ref"]) {
            return document.str(&["versions", &name]).map(str::to_owned);
        }
        with(&["version"])
    }

    /// The modules behind an alias, of which a bundle has several.
    pub(super) fn modules(&self, alias: &str) -> Vec<String> {
        let Some(document) = &self.document else {
            return Vec::new();
        };
        let alias = accessor(alias);
        if let Some(bundle) = alias
            .strip_prefix("bundles.")
            .and_then(|name| self.bundles.get(name))
        {
            let names = document.strings(&["bundles", bundle]);
            return names.iter().flat_map(|name| self.modules(name)).collect();
        }
        let Some(key) = self.libraries.get(&alias) else {
            return Vec::new();
        };
        let at = |last: &str| document.str(&["libraries", key, last]);
        let text = document.str(&["libraries", key]).or_else(|| at("module"));
        let module = match text {
            Some(text) => text.split(':').take(2).collect::<Vec<_>>().join(":"),
            None => match (at("group"), at("name")) {
                (Some(group), Some(name)) => format!("{group}:{name}"),
                _ => return Vec::new(),
            },
        };
        vec![module]
    }
}

/// How scripts write an alias: every separator is a dot.
fn accessor(alias: &str) -> String {
    alias.replace(['-', '_'], ".")
}
