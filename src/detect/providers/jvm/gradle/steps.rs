//! The steps of a Gradle build: its command, and the files that it reads.

use std::collections::BTreeSet;

use crate::detect::provider::{Draft, Scan, quoted};
use crate::detect::repo::{join, relative};

use super::super::build::{self, Tool};
use super::super::java;
use super::super::script::Needed;
use super::{Entry, HOME, Project};

/// `applicationDefaultJvmArgs`, where they are literal.
pub(super) fn default_flags(project: &Project<'_>) -> Vec<String> {
    for script in &project.scripts {
        let Some(at) = script.source.find("applicationDefaultJvmArgs") else {
            continue;
        };
        let rest = &script.source.code[at..];
        let end = at + rest.find([']', ')', '\n']).unwrap_or(rest.len());
        let within = script
            .source
            .strings
            .iter()
            .filter(|(from, _)| (at..end).contains(from));
        // A variable of the script is not known here, nor is a development flag wanted.
        let known = within.filter(|(_, text)| text.starts_with('-') && !text.contains('$'));
        return known.map(|(_, text)| text.clone()).collect();
    }
    Vec::new()
}

pub(super) fn steps(
    draft: &mut Draft,
    project: &Project<'_>,
    entry: &Entry,
    (tool, home): (&Tool, &str),
) {
    let root = &project.build.root;
    let up = relative(project.dir, root);
    let mut command = match tool {
        Tool::Packaged(package) => {
            draft.spec.build.packages.insert(0, package.clone());
            "gradle".to_owned()
        }
        Tool::Wrapper => {
            let home = relative(project.dir, home);
            format!(
                "sh {}",
                quoted(&join(if home == "." { "" } else { &home }, "gradlew"))
            )
        }
    };
    command.push_str(" --no-daemon");
    if up != "." {
        command.push_str(&format!(" -p {}", quoted(&up)));
    }
    if draft
        .evidence
        .iter()
        .any(|found| found.rule == java::TOOLCHAIN)
    {
        command.push_str(" -Porg.gradle.java.installations.auto-download=false");
    }
    command.push_str(&format!(" {}", quoted(&project.task(entry.task))));
    let mut commands = vec![command];
    commands.extend(entry.commands.iter().cloned());
    draft.spec.build.commands = commands;
    let java_home = "/usr/lib/jvm/default-jvm".to_owned();
    draft
        .spec
        .build
        .env
        .insert("JAVA_HOME".to_owned(), java_home);
    draft.spec.build.cache = vec![HOME.to_owned()];
    build::no_install(draft, HOME, "Gradle");
}

/// The project, those that it needs, and the scripts of all: Gradle reads every one.
pub(super) fn files(
    scan: &Scan<'_>,
    draft: &mut Draft,
    project: &Project<'_>,
    all: &[Project<'_>],
) {
    let root = project.build.root.as_str();
    let mut needed = vec![project];
    let mut at = 0;
    while let Some(one) = needed.get(at).copied() {
        for dependency in &one.dependencies {
            let Needed::Project(path) = &dependency.what else {
                continue;
            };
            let found = all
                .iter()
                .find(|other| other.path == path || accessor_path(other.path) == *path);
            if let Some(found) = found
                && !needed.iter().any(|known| known.path == found.path)
            {
                needed.push(found);
            }
        }
        at += 1;
    }
    let mut trees: BTreeSet<String> = needed.iter().map(|one| one.dir.to_owned()).collect();
    let mut files = BTreeSet::new();
    let is_alone = needed.len() == 1 && project.path == ":" && all.len() == 1;
    if !is_alone {
        if project.path != ":" {
            trees.remove(root);
        }
        for other in all {
            files.extend(other.scripts.iter().map(|script| script.file.clone()));
            files.extend(
                [join(other.dir, "gradle.properties")]
                    .into_iter()
                    .filter(|file| scan.repo.has(file)),
            );
        }
        build::surroundings(scan, root, &mut trees, &mut files);
    }
    trees.extend(project.build.included.iter().cloned());
    build::context(draft, &trees, &files);
}

/// A path as type-safe accessors write it: `:my-lib` is `:myLib`.
fn accessor_path(path: &str) -> String {
    let mut written = String::new();
    let mut is_next_upper = false;
    for character in path.chars() {
        match character {
            '-' | '_' => is_next_upper = true,
            other if is_next_upper => {
                written.push(other.to_ascii_uppercase());
                is_next_upper = false;
            }
            other => written.push(other),
        }
    }
    written
}
