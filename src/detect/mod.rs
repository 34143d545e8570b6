//! Detection: from a repository to the spec of every app in it.

mod assets;
mod catalog;
mod document;
mod explain;
mod hints;
mod json5;
mod language;
mod overrides;
mod provider;
mod providers;
mod range;
mod repo;
mod settle;
mod source;
mod start;
mod version;
mod workspace;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use crate::spec::Spec;
use crate::wolfi::Index;

pub use explain::{Candidate, Diagnostic, Evidence, Rejected, Severity};
pub use language::Language;
pub use overrides::FILES as OVERRIDES;
pub use repo::{OpenError, Repo};

use catalog::Catalog;
use overrides::{Asked, Overrides};
use provider::{Draft, Findings, Ground, Provider, Scan, lookalike};

/// What was found in a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Detection {
    /// The apps, sorted by path and name.
    pub apps: Vec<App>,
    /// The apps that were recognised and cannot be built, sorted by path and name.
    pub refused: Vec<Refused>,
    /// The directories that look like apps and are none, sorted by path.
    pub rejected: Vec<Rejected>,
    /// What is to be said about files, sorted by file and line.
    pub diagnostics: Vec<Diagnostic>,
}

/// An app, with the reasons for what its spec says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct App {
    /// How to build and run it.
    pub spec: Spec,
    /// Where the fields of the spec come from.
    pub evidence: Vec<Evidence>,
}

/// An app that cannot be built as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// What is known of it.
    pub spec: Spec,
    /// Where that comes from.
    pub evidence: Vec<Evidence>,
    /// The file that says why, relative to the repository's root.
    pub file: String,
    /// The line in it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Why it cannot be built.
    pub reason: String,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// The languages that detection knows, in the order in which they are looked for.
pub fn languages() -> impl Iterator<Item = &'static Language> {
    providers::ALL.iter().map(|provider| provider.language())
}

/// Finds every app of a repository.
///
/// Packages are chosen from `index` by name. The same repository and index give the same answer, byte for byte; a
/// manifest that cannot be read costs its own app and leaves a diagnostic.
#[must_use]
pub fn detect(repo: &Repo, index: &Index) -> Detection {
    let catalog = Catalog::new(index);
    let overrides = Overrides::read(repo);
    let asked = overrides.asked(None);
    let (mut detection, mut taken) = look(repo, &catalog, &asked);
    // An entry of an app that is known by its name has its directory only now.
    let named = overrides.asked(Some(&detection));
    if named != asked {
        (detection, taken) = look(repo, &catalog, &named);
    }
    overrides.apply(&mut detection, &taken);
    detection
}

/// What the repository says by itself, and the directories whose entry point a language has asked for.
fn look(repo: &Repo, catalog: &Catalog<'_>, asked: &Asked) -> (Detection, BTreeSet<String>) {
    let ground = Ground::new(repo, catalog, asked);
    let mut scan = Scan::new(&ground);
    let (last, alone): (Vec<_>, Vec<_>) = providers::ALL
        .iter()
        .copied()
        .partition(|provider| provider.looks_at_others());
    let (found, mut taken) = each(&ground, &alone);
    for found in found.into_values() {
        scan.add(found);
    }
    for provider in last {
        provider.detect(&mut scan);
    }
    hints::apply(&mut scan, ground.gathered());
    settle::settle(&mut scan);
    for skipped in repo.skipped() {
        scan.warn(
            &skipped.path,
            None,
            format!("is left out: {}", skipped.reason),
        );
    }
    taken.append(&mut scan.taken());
    let Scan {
        drafts,
        rejected,
        diagnostics,
        ..
    } = scan;
    let (apps, refused) = named(drafts);
    let detection = Detection {
        apps,
        refused,
        rejected: rejected.into_iter().collect(),
        diagnostics: diagnostics.into_iter().collect(),
    };
    (detection, taken)
}

/// What each language found by its number, and the directories whose entry point one has asked for.
fn each(
    ground: &Ground<'_>,
    providers: &[&dyn Provider],
) -> (BTreeMap<usize, Findings>, BTreeSet<String>) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut scan = Scan::new(ground);
        let mut found = BTreeMap::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(provider) = providers.get(number) else {
                return (found, scan.taken());
            };
            provider.detect(&mut scan);
            found.insert(number, scan.take());
        }
    };
    // Most repositories are small: a thread takes longer to start than they take.
    let threads = match ground.places() {
        0..WORTH_A_THREAD => 1,
        _ => thread::available_parallelism().map_or(1, NonZero::get),
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(MOST_THREADS))
            .map(|_| scope.spawn(work))
            .collect();
        let (mut found, mut taken) = work();
        for other in others {
            let (mut more, mut asked) = other.join().unwrap_or_else(|panic| resume_unwind(panic));
            found.append(&mut more);
            taken.append(&mut asked);
        }
        (found, taken)
    })
}

/// As many places to look at are worth a second thread.
const WORTH_A_THREAD: usize = 16;

/// More threads than the longest languages can use.
const MOST_THREADS: usize = 4;

/// Directories that only group others: they are no part of a name.
const GROUPS: &[&str] = &[
    "app",
    "apps",
    "backends",
    "cmd",
    "components",
    "crates",
    "frontends",
    "libs",
    "modules",
    "packages",
    "pkg",
    "projects",
    "services",
    "sites",
    "src",
    "workers",
];

/// Gives every draft its name: from its path and target, longer where the short one is taken.
fn named(mut drafts: Vec<Draft>) -> (Vec<App>, Vec<Refused>) {
    drafts.sort_by(|a, b| (&a.path, &a.target).cmp(&(&b.path, &b.target)));
    let mut names: Vec<String> = drafts.iter().map(|draft| name(draft, true)).collect();
    for long in [name as fn(&Draft, bool) -> String, language_name] {
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for name in &names {
            *count.entry(name).or_default() += 1;
        }
        let taken: BTreeSet<String> = count
            .iter()
            .filter(|(_, n)| **n > 1)
            .map(|(name, _)| (*name).to_owned())
            .collect();
        for (draft, name) in drafts.iter().zip(&mut names) {
            if taken.contains(name) {
                *name = long(draft, false);
            }
        }
    }
    let mut used = BTreeSet::new();
    let (mut apps, mut refused) = (Vec::new(), Vec::new());
    for (draft, name) in drafts.into_iter().zip(names) {
        let mut unique = name.clone();
        let mut number = 2;
        while !used.insert(unique.clone()) {
            unique = format!("{name}-{number}");
            number += 1;
        }
        let Draft {
            mut spec,
            evidence,
            refusal,
            ..
        } = draft;
        spec.metadata.project_name = unique;
        match refusal {
            None => apps.push(App { spec, evidence }),
            Some(problem) => refused.push(Refused {
                spec,
                evidence,
                file: problem.file,
                line: problem.line,
                reason: problem.message,
                help: problem.help,
            }),
        }
    }
    (apps, refused)
}

fn language_name(draft: &Draft, _: bool) -> String {
    let language = draft.spec.metadata.language.as_deref().unwrap_or("app");
    format!("{}-{language}", name(draft, false))
}

fn name(draft: &Draft, short: bool) -> String {
    let mut parts: Vec<&str> = draft
        .named_after
        .as_deref()
        .unwrap_or(&draft.path)
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    if short {
        while parts.len() > 1 && GROUPS.contains(&parts[0]) {
            parts.remove(0);
        }
    }
    let base = slug(&parts.join("-"));
    let Some(target) = draft.target.as_deref().map(slug) else {
        let fallback = draft.fallback.as_deref().map(slug).unwrap_or_default();
        return [base, fallback]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_else(|| "app".to_owned());
    };
    let last = slug(parts.last().copied().unwrap_or_default());
    if base.is_empty() || target == base {
        target
    } else if target == last || target.is_empty() {
        base
    } else if let Some(rest) = target.strip_prefix(&format!("{last}-")) {
        format!("{base}-{rest}")
    } else {
        format!("{base}-{target}")
    }
}

/// Lower case letters, digits, dots and dashes, as image names have them.
fn slug(text: &str) -> String {
    let unscoped = text.rsplit('/').next().unwrap_or(text);
    let mut slug = String::new();
    for character in unscoped.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_lowercase() || character.is_ascii_digit() || character == '.' {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_matches(['-', '.']).to_owned()
}

/// Whether a directory is passed over because of its name, which is recorded; explicit members are not.
fn passed_over(scan: &mut Scan<'_>, path: &str, looked_like: &str, is_member: bool) -> bool {
    if is_member || scan.is_asked_for(path) {
        return false;
    }
    let Some(reason) = lookalike(path) else {
        return false;
    };
    scan.reject(path, looked_like, reason);
    true
}

#[cfg(test)]
mod tests;
