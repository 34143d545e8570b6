//! Repositories written by the tests, and what has to come out of them.

mod deno;
mod dotnet;
mod elixir;
mod generators;
mod go;
mod hints;
mod hostile;
mod jvm;
mod names;
mod native;
mod node;
mod node_start;
mod others;
mod overrides;
mod php;
mod python;
mod robustness;
mod ruby;
mod rust;
mod settle;
mod static_site;
mod versions;

use std::path::Path;

use crate::spec::Spec;
use crate::wolfi::Index;

use super::{Detection, Repo, detect};

/// Names as the real index has them; versions are of no importance to most tests.
const PACKAGES: &str = include_str!("../../../tests/fixtures/packages.txt");

fn index() -> Index {
    index_with("")
}

/// The same with more packages.
fn index_with(more: &str) -> Index {
    let mut text = String::new();
    for line in PACKAGES
        .lines()
        .chain(more.lines())
        .filter(|line| !line.starts_with('#'))
    {
        let mut words = line.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        let provides: Vec<&str> = words.collect();
        let provides = provides.join(" ");
        // Every record needs an identity; none of them is ever fetched.
        text.push_str("C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
        text.push_str(&format!("P:{name}\nV:{version}\np:{provides}\n\n"));
    }
    Index::parse(text.as_bytes(), "a test")
}

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Detects in a repository of these files.
fn found(files: &[(&str, &str)]) -> Detection {
    found_with(files, "")
}

/// The same with more packages in the index.
fn found_with(files: &[(&str, &str)], packages: &str) -> Detection {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), files);
    detect(&Repo::open(root.path()).unwrap(), &index_with(packages))
}

impl Detection {
    fn spec(&self, name: &str) -> &Spec {
        let found = self
            .apps
            .iter()
            .find(|app| app.spec.metadata.project_name == name);
        &found
            .unwrap_or_else(|| panic!("no app `{name}`:\n{}", self.explain_text()))
            .spec
    }

    fn names(&self) -> Vec<&str> {
        self.apps
            .iter()
            .map(|app| app.spec.metadata.project_name.as_str())
            .collect()
    }

    fn reason(&self, path: &str) -> &str {
        let found = self.rejected.iter().find(|rejected| rejected.path == path);
        &found
            .unwrap_or_else(|| panic!("`{path}` is not rejected:\n{}", self.explain_text()))
            .reason
    }

    /// The evidence for a field of an app: value, place and rule.
    fn evidence(&self, name: &str, field: &str) -> Vec<String> {
        let apps = self.apps.iter().map(|app| (&app.spec, &app.evidence));
        let refused = self.refused.iter().map(|app| (&app.spec, &app.evidence));
        let mut all = apps.chain(refused);
        let found = all.find(|(spec, _)| spec.metadata.project_name == name);
        let (_, evidence) =
            found.unwrap_or_else(|| panic!("no app `{name}`:\n{}", self.explain_text()));
        let those = evidence.iter().filter(|found| found.field == field);
        those
            .map(|found| {
                let file = found.file.as_deref().unwrap_or("-");
                let line = found.line.unwrap_or_default();
                format!("{} {file}:{line} {}", found.value, found.rule)
            })
            .collect()
    }

    /// Why an app that was recognised cannot be built.
    fn refusal(&self, name: &str) -> &str {
        let found = self
            .refused
            .iter()
            .find(|app| app.spec.metadata.project_name == name);
        &found
            .unwrap_or_else(|| panic!("`{name}` is not refused:\n{}", self.explain_text()))
            .reason
    }

    fn messages(&self) -> Vec<String> {
        let place = |d: &super::Diagnostic| match d.line {
            Some(line) => format!("{}:{line}", d.file),
            None => d.file.clone(),
        };
        self.diagnostics
            .iter()
            .map(|d| format!("{}: {}", place(d), d.message))
            .collect()
    }
}

fn copies(spec: &Spec) -> Vec<String> {
    spec.runtime
        .copy
        .iter()
        .map(|copy| format!("{} -> {}", copy.from, copy.to))
        .collect()
}

fn command(spec: &Spec) -> String {
    spec.runtime.command.join(" ")
}
