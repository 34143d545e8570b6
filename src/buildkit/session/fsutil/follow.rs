//! Following symbolic links within a listing.

use std::collections::BTreeSet;

use super::glob::Glob;
use super::listing::{Kind, Listing};
use super::path::{clean, is_within, parent};

/// How many paths are looked at, and how long they may be: links in a circle lead to ever new and longer ones.
const MAX_STEPS: usize = 10_000;
const MAX_LENGTH: usize = 4096;

/// The paths to include so that each of `paths` and every link on the way to it are there, sorted, none below another.
///
/// `None` if the root is among them: everything. The last part of a path may be a pattern.
pub(super) fn follow(listing: &Listing, paths: &[String]) -> Option<Vec<String>> {
    let mut resolved = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut queue: Vec<String> = paths.iter().rev().map(|path| relative(path)).collect();
    while let Some(path) = queue.pop() {
        let is_endless = seen.len() >= MAX_STEPS || path.len() > MAX_LENGTH;
        if is_endless || !seen.insert(path.clone()) {
            continue;
        }
        let (reached, targets) = resolve(listing, &path);
        resolved.insert(reached);
        queue.extend(targets.into_iter().rev());
    }
    let mut included: Vec<String> = Vec::new();
    for path in resolved {
        if path == "." {
            return None;
        }
        if !included.last().is_some_and(|last| is_within(&path, last)) {
            included.push(path);
        }
    }
    Some(included)
}

/// The part of `path` up to its first link, and where the whole then leads.
fn resolve(listing: &Listing, path: &str) -> (String, Vec<String>) {
    let mut ends: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    ends.push(path.len());
    for end in ends {
        let (reached, rest) = path.split_at(end);
        let targets = links(listing, reached);
        if !targets.is_empty() {
            let joined = targets.iter().map(|target| format!("{target}{rest}"));
            return (
                reached.to_owned(),
                joined.map(|path| relative(&path)).collect(),
            );
        }
    }
    (path.to_owned(), Vec::new())
}

/// Where `path` points to, if it is a link, or where the links among what it matches point to.
fn links(listing: &Listing, path: &str) -> Vec<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if !name.contains(['*', '?', '[']) {
        return link(listing, path).into_iter().collect();
    }
    let Ok(glob) = Glob::new(name) else {
        return Vec::new();
    };
    let directory = parent(path);
    let children = listing.entries().iter().map(super::Entry::path);
    let children = children.filter(|path| parent(path) == directory);
    let matching = children.filter(|path| {
        path.rsplit('/')
            .next()
            .is_some_and(|name| glob.matches(name))
    });
    matching.filter_map(|path| link(listing, path)).collect()
}

fn link(listing: &Listing, path: &str) -> Option<String> {
    let Kind::Symlink(target) = listing.get(path)?.kind() else {
        return None;
    };
    let directory = parent(path).filter(|_| !target.starts_with('/'));
    Some(format!("/{}/{target}", directory.unwrap_or_default()))
}

/// `path` as seen from the root, which `..` does not leave.
fn relative(path: &str) -> String {
    let path = clean(&format!("/{path}"));
    match path.trim_start_matches('/') {
        "" => ".".to_owned(),
        path => path.to_owned(),
    }
}
