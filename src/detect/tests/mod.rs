//! Repositories written by the tests, and what has to come out of them.

mod go;
mod node;
mod python;
mod robustness;
mod rust;
mod static_site;

use std::path::Path;

use crate::spec::Spec;
use crate::wolfi::Index;

use super::{Detection, Repo, detect};

/// Names as the real index has them; versions are of no importance to most tests.
const INDEX: &str = "\
C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:build-base\nV:1-r9\n
P:ca-certificates-bundle\nV:20260413-r1\n
P:cmake\nV:4.4.2-r0\n
P:git\nV:2.55.0-r0\n
P:glibc-2.43\nV:2.43-r15\np:glibc=2.43-r15\n
P:go-1.26\nV:1.26.7-r0\np:go=1.26.7-r0\n
P:go-1.27\nV:1.27.0-r1\np:go=1.27.0-r1\n
P:libgcc\nV:16.2.0-r0\n
P:nginx-mainline\nV:1.31.4-r0\np:nginx=1.31.4-r0\n
P:node-gyp\nV:13.0.1-r1\n
P:nodejs-22\nV:22.23.2-r1\np:nodejs=22.23.2-r1\n
P:nodejs-24\nV:24.19.0-r0\np:nodejs=24.19.0-r0\n
P:nodejs-26\nV:26.7.0-r0\np:nodejs=26.7.0-r0\n
P:nodejs-26-minimal\nV:26.7.0-r0\n
P:npm-12\nV:12.0.2-r2\np:npm=12.0.2-r2\n
P:openssl-dev\nV:3.6.3-r5\n
P:pkgconf\nV:2.5.1-r0\n
P:pnpm-11.8\nV:11.8.0-r3\np:pnpm=11.8.0-r3\n
P:postgresql-18-dev\nV:18.6-r0\np:postgresql-dev=18.6-r0\n
P:py3.12-poetry-bin\nV:2.4.1-r0\n
P:python-3.12\nV:3.12.14-r2\np:python3=3.12.14-r2\n
P:python-3.12-dev\nV:3.12.14-r2\n
P:python-3.13\nV:3.13.15-r1\np:python3=3.13.15-r1\n
P:python-3.13-dev\nV:3.13.15-r1\n
P:python-3.14\nV:3.14.7-r1\np:python3=0\n
P:rust-1.96\nV:1.96.1-r0\np:rust=1.96.1-r0\n
P:rust-1.97\nV:1.97.1-r0\np:rust=1.97.1-r0\n
P:sqlite-dev\nV:3.53.4-r0\n
P:tzdata\nV:2026c-r0\n
P:uv\nV:0.12.5-r0\n
P:yarn\nV:1.22.22-r8\n
P:yarn-berry\nV:4.12.0-r0\n
";

fn index() -> Index {
    // Every record needs an identity; none of them is ever fetched.
    let mut text = String::new();
    for record in INDEX.split("\n\n") {
        let record: Vec<&str> = record
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("C:"))
            .collect();
        text.push_str("C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
        text.push_str(&record.join("\n"));
        text.push_str("\n\n");
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
    let root = tempfile::tempdir().unwrap();
    write(root.path(), files);
    detect(&Repo::open(root.path()).unwrap(), &index())
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
