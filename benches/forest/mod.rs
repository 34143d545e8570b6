//! A repository of many apps of all kinds: the same in every run, and what is true of it.

mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use peelbox::detect::languages;

use kinds::{APPS, HOMES, Kind, LIBRARIES, TRAPS};

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) apps: usize,
    pub(crate) libraries: usize,
    /// What looks like an app and is none.
    pub(crate) traps: usize,
    /// All files, those of apps and of nobody.
    pub(crate) files: usize,
}

impl Size {
    /// The large one, which is measured.
    #[allow(dead_code, reason = "the tests grow the small one only")]
    pub(crate) const FULL: Self = Self {
        apps: 200,
        libraries: 40,
        traps: 40,
        files: 100_000,
    };
    /// One that shows the same in little time.
    pub(crate) const SMALL: Self = Self {
        apps: 60,
        libraries: 20,
        traps: 20,
        files: 3_000,
    };
}

/// Language and build system as a spec has them.
pub(crate) type Made = (String, String);

/// What is true of the repository; nothing in it tells.
#[derive(Debug)]
pub(crate) struct Truth {
    /// What every app is made with, by its directory.
    pub(crate) apps: BTreeMap<String, Made>,
    /// How many kinds of apps there are.
    pub(crate) kinds: usize,
    /// How many files there are.
    pub(crate) files: usize,
}

/// The groups that apps lie in; those of `None` have no directory above their own.
const GROUPS: &[&str] = &[
    "apps",
    "services",
    "",
    "platform/edge",
    "teams/red/services",
    "teams/blue/src",
];
/// Parts of names; some are those of directories that tools write.
const WORDS: &[&str] = &[
    "billing", "build", "storage", "search", "deps", "orders", "mail", "audit", "bin", "ledger",
    "catalog", "out", "pricing", "vendor", "chat", "reports",
];
/// Files in one directory.
const PART: usize = 25;
/// Of all files, those that belong to nobody.
const COMMON: usize = 10;

/// Writes the repository into the empty directory `root`.
pub(crate) fn grow(root: &Path, size: Size) -> Truth {
    let mut forest = Forest {
        root,
        written: BTreeSet::new(),
        directories: BTreeSet::new(),
    };
    let known = |kind: &&Kind| {
        languages().any(|language| language.build_systems.contains(&kind.build_system))
    };
    let kinds: Vec<&Kind> = APPS.iter().filter(known).collect();
    let libraries: Vec<&Kind> = LIBRARIES.iter().filter(known).collect();
    for (home, _, _, files) in HOMES {
        forest.put(home, "", files);
    }
    let mut apps = BTreeMap::new();
    let mut grown: Vec<(String, String, &Kind)> = Vec::new();
    for number in 0..size.apps {
        let kind = kinds[number % kinds.len()];
        let word = WORDS[number % WORDS.len()];
        let name = match number / WORDS.len() {
            0 => word.to_owned(),
            _ => format!("{word}-{number:03}"),
        };
        let group = GROUPS[number / kinds.len() % GROUPS.len()];
        let place = home(kind, |(home, apps, ..)| format!("{home}/{apps}"));
        let dir = join(&place.unwrap_or_else(|| group.to_owned()), &name);
        forest.put(&dir, &name, kind.files);
        let made = (kind.language.to_owned(), kind.build_system.to_owned());
        apps.insert(dir.clone(), made);
        grown.push((dir, name, kind));
    }
    for number in 0..size.libraries {
        let kind = libraries[number % libraries.len()];
        let name = format!("lib-{number:03}");
        let place = home(kind, |(home, _, libraries, _)| {
            format!("{home}/{libraries}")
        });
        let dir = join(&place.unwrap_or_else(|| "libs".to_owned()), &name);
        forest.put(&dir, &name, kind.files);
        grown.push((dir, name, kind));
    }
    for number in 0..size.traps {
        let name = format!("trap-{number:03}");
        forest.put(
            &format!("extras/{name}"),
            &name,
            TRAPS[number % TRAPS.len()],
        );
    }
    forest.fill(&grown, size.files);
    Truth {
        apps,
        kinds: kinds.len(),
        files: forest.written.len(),
    }
}

fn home(
    kind: &Kind,
    place: impl Fn(&(&str, &str, &str, &[(&str, &str)])) -> String,
) -> Option<String> {
    let found = HOMES.iter().find(|(home, ..)| kind.home == Some(*home))?;
    Some(place(found))
}

fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() {
        name.to_owned()
    } else {
        format!("{dir}/{name}")
    }
}

struct Forest<'a> {
    root: &'a Path,
    written: BTreeSet<String>,
    directories: BTreeSet<String>,
}

impl Forest<'_> {
    fn put(&mut self, dir: &str, name: &str, files: &[(&str, &str)]) {
        for (path, text) in files {
            self.write(&join(dir, &named(path, name)), &named(text, name));
        }
    }

    fn write(&mut self, path: &str, text: &str) {
        if !self.written.insert(path.to_owned()) {
            return;
        }
        let full = self.root.join(path);
        let (dir, _) = path.rsplit_once('/').unwrap_or_default();
        if self.directories.insert(dir.to_owned()) {
            fs::create_dir_all(self.root.join(dir)).unwrap();
        }
        fs::write(full, text).unwrap();
    }

    /// Adds sources to what grew, and notes that belong to nobody, until there are `files`.
    fn fill(&mut self, grown: &[(String, String, &Kind)], files: usize) {
        let own = files - files / COMMON;
        let mut number = 0;
        while self.written.len() < own {
            let (part, unit) = (
                format!("{:02}", number / PART),
                format!("{:02}", number % PART),
            );
            for (dir, name, kind) in grown {
                if self.written.len() == own {
                    break;
                }
                let fitted = |text: &str| {
                    let text = text.replace("@part@", &part).replace("@unit@", &unit);
                    named(&text, name)
                };
                self.write(
                    &join(dir, &fitted(kind.source.path)),
                    &fitted(kind.source.text),
                );
            }
            number += 1;
        }
        let mut number = 0;
        while self.written.len() < files {
            let path = format!("handbook/{:03}/page-{:02}.md", number / PART, number % PART);
            self.write(&path, "# A page\n\nSee `package.json`.\n");
            number += 1;
        }
    }
}

/// Puts the name into a template.
fn named(text: &str, name: &str) -> String {
    if !text.contains("@name") && !text.contains("@Name@") {
        return text.to_owned();
    }
    let parts = name.split('-').map(|part| {
        let (first, rest) = part.split_at(part.len().min(1));
        format!("{}{rest}", first.to_uppercase())
    });
    let as_type: String = parts.collect();
    text.replace("@name@", name)
        .replace("@Name@", &as_type)
        .replace("@name_@", &name.replace('-', "_"))
}
