//! Whether the libraries of a program are where its loader looks, in the image as it will be.

use std::collections::{BTreeSet, VecDeque};

use crate::buildkit::{BuildReference, Error, Gateway};
use crate::image::{Needs, Plan};

use super::failure::Cause;
use super::inspect::read_needs;

/// What a loader searches behind the directories that files name: <https://man7.org/linux/man-pages/man8/ld.so.8.html>. The
/// ones with a triplet are those of other systems' builds of it.
const SYSTEM: [&str; 4] = [
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
];
// A list that was made beforehand; what it says is not known here.
const CACHE: &str = "/etc/ld.so.cache";
// The kernel's limit: https://man7.org/linux/man-pages/man7/path_resolution.7.html
const MOST_LINKS: usize = 40;
// More than any program loads.
const MOST_FILES: usize = 2000;

/// A file to be loaded, and the directories of the files that asked for it which count for it too.
struct Loaded {
    path: String,
    inherited: Vec<String>,
}

/// Follows what the loader does at the start of the program at `path`, which the command `process` runs.
///
/// # Errors
/// When it, or a library of it, needs a library that the loader would not find.
pub(super) async fn check(
    gateway: &Gateway,
    image: &BuildReference,
    plan: &Plan<'_>,
    process: &str,
    path: &str,
) -> Result<(), Cause> {
    if gateway.stat(image, CACHE).await?.is_some() {
        return Ok(());
    }
    let mut known = BTreeSet::new();
    let mut queue = VecDeque::from([Loaded {
        path: real(gateway, image, path).await?,
        inherited: Vec::new(),
    }]);
    while let Some(file) = queue.pop_front() {
        let Some(needs) = needs(gateway, image, &file.path).await? else {
            continue;
        };
        // The loader is there before all others, and may be named like a library.
        if let Some(loader) = needs.interpreter.as_deref().and_then(name) {
            known.insert(loader.to_owned());
        }
        let (directories, inherited) = search(&needs, &file, plan);
        for library in &needs.libraries {
            if known.len() >= MOST_FILES || !known.insert(library.clone()) {
                continue;
            }
            let Some(path) = find(gateway, image, &directories, library).await? else {
                return Err(Cause::Loading {
                    process: process.to_owned(),
                    file: file.path,
                    library: library.clone(),
                });
            };
            let inherited = inherited.clone();
            queue.push_back(Loaded { path, inherited });
        }
    }
    Ok(())
}

/// Where the libraries of `file` are looked for, and which of it counts for their libraries.
fn search(needs: &Needs, file: &Loaded, plan: &Plan<'_>) -> (Vec<String>, Vec<String>) {
    let origin = file.path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let own = needs.directories(origin);
    let environment = plan.env.get("LD_LIBRARY_PATH").map_or("", String::as_str);
    let environment = environment
        .split([':', ';'])
        .filter(|entry| entry.starts_with('/'))
        .map(str::to_owned);
    let system = SYSTEM.iter().map(|&directory| directory.to_owned());
    if needs.is_search_inherited() || own.is_empty() {
        let inherited: Vec<String> = own.into_iter().chain(file.inherited.clone()).collect();
        let all = inherited.clone().into_iter();
        (all.chain(environment).chain(system).collect(), inherited)
    } else {
        // With a RUNPATH of its own, a file does without what others pass on.
        let all = environment.chain(own).chain(system).collect();
        (all, file.inherited.clone())
    }
}

async fn find(
    gateway: &Gateway,
    image: &BuildReference,
    directories: &[String],
    library: &str,
) -> Result<Option<String>, Error> {
    let candidates: Vec<String> = if library.contains('/') {
        vec![library.to_owned()]
    } else {
        let below = |directory: &String| format!("{directory}/{library}");
        directories.iter().map(below).collect()
    };
    for candidate in candidates {
        let stat = gateway.stat(image, &candidate).await?;
        if stat.is_some_and(|stat| stat.is_file) {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

async fn needs(
    gateway: &Gateway,
    image: &BuildReference,
    path: &str,
) -> Result<Option<Needs>, Cause> {
    let Some(stat) = gateway.stat(image, path).await? else {
        return Ok(None);
    };
    read_needs(gateway, image, path, stat.size).await
}

/// The path of a program without the links that lead to it: its directory is the origin of what it names.
async fn real(gateway: &Gateway, image: &BuildReference, path: &str) -> Result<String, Error> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let directory = if parent.is_empty() { "/" } else { parent };
        let entries = gateway.read_dir(image, directory).await?;
        let entry = entries.into_iter().find(|entry| entry.path == name);
        let Some(target) = entry.and_then(|entry| entry.link) else {
            break;
        };
        path = if target.starts_with('/') {
            target
        } else {
            format!("{parent}/{target}")
        };
    }
    Ok(path)
}

fn name(path: &str) -> Option<&str> {
    path.rsplit('/').next()
}
