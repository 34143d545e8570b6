//! A repository of many apps of all kinds: the same in every run, and what is true of it.

mod kinds;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use kinds::{HOMES, Home, Kind, files};

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
        libraries: 44,
        traps: 54,
        files: 100_000,
    };
    /// One that shows the same in little time.
    pub(crate) const SMALL: Self = Self {
        apps: 120,
        libraries: 44,
        traps: 54,
        files: 6_000,
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
    "clients/Grün & Co/2026/back ends",
];
/// Parts of names; some are those of directories that tools write.
const WORDS: &[&str] = &[
    "billing", "build", "storage", "search", "deps", "orders", "mail", "audit", "bin", "ledger",
    "catalog", "out", "pricing", "vendor", "chat", "reports",
];
/// How a name is written as that of a directory.
const STYLES: &[fn(&str) -> String] = &[
    str::to_owned,
    |name| name.replace('-', "_"),
    |name| format!("{name}-service"),
    as_type,
    |name| format!("{name}.v2"),
];
/// The endings of files that are fine with the line ends of Windows; those of `MARKED` may begin with a byte order mark, too.
const LINES: &[&str] = &[
    "cs", "csproj", "fs", "fsproj", "gradle", "html", "java", "js", "json", "kt", "kts", "lock",
    "md", "py", "rs", "toml", "ts", "vb", "vbproj", "xml", "yaml", "yml",
];
const MARKED: &[&str] = &["csproj", "fsproj", "json", "vbproj", "xml"];
/// Files in one directory.
const PART: usize = 25;
/// Of all files, those that belong to nobody.
const COMMON: usize = 10;

/// What grew in a directory.
struct Grown {
    dir: String,
    name: String,
    kind: &'static Kind,
}

/// Writes the repository into the empty directory `root`.
pub(crate) fn grow(root: &Path, size: Size) -> Truth {
    let mut forest = Forest {
        root,
        written: BTreeSet::new(),
        directories: BTreeSet::new(),
    };
    let kinds = kinds::apps();
    let mut apps = BTreeMap::new();
    let mut grown: Vec<Grown> = Vec::new();
    let kinds_of_libraries = kinds::libraries();
    for number in 0..size.libraries {
        let kind = kinds_of_libraries[number % kinds_of_libraries.len()];
        let name = format!("lib-{number:03}");
        let home = home(kind).map(|home| join(home.path, home.libraries));
        let dir = join(&home.unwrap_or_else(|| "libs".to_owned()), &name);
        grown.push(Grown { dir, name, kind });
    }
    for number in 0..size.apps {
        let word = WORDS[number % WORDS.len()];
        let name = match number / WORDS.len() {
            0 => word.to_owned(),
            _ => format!("{word}-{number:03}"),
        };
        let kind = kinds[number % kinds.len()];
        let group = GROUPS[(number / kinds.len() + number) % GROUPS.len()];
        let style = STYLES[number / 2 % STYLES.len()];
        let home = home(kind).map(|home| join(home.path, home.apps));
        let dir = join(&home.unwrap_or_else(|| group.to_owned()), &style(&name));
        let path = kind.below.map_or(dir.clone(), |below| join(&dir, below));
        let made = (kind.language.to_owned(), kind.build_system.to_owned());
        let before = apps.insert(path, made);
        assert!(before.is_none(), "two apps have one directory");
        grown.push(Grown { dir, name, kind });
    }
    for (number, one) in grown.iter().enumerate() {
        forest.plant(one, &grown[..size.libraries], number);
    }
    for home in HOMES {
        forest.settle(home, &grown);
    }
    let traps = kinds::traps();
    for number in 0..size.traps {
        let (_, archive) = traps[number % traps.len()];
        let name = format!("trap-{number:03}");
        forest.put(&join("extras", &name), archive, |text| named(text, &name));
    }
    forest.fill(&grown, size.files);
    Truth {
        apps,
        kinds: kinds.len(),
        files: forest.written.len(),
    }
}

fn home(kind: &Kind) -> Option<&'static Home> {
    HOMES.iter().find(|home| kind.home == Some(home.path))
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
    /// Writes what makes an app or a library what it is.
    fn plant(&mut self, one: &Grown, libraries: &[Grown], number: usize) {
        let Grown { dir, name, kind } = one;
        let member = home(kind).and_then(|home| dir.strip_prefix(home.path));
        let member = member.unwrap_or(dir).trim_start_matches('/');
        let beside = libraries
            .iter()
            .filter(|library| library.kind.home == kind.home);
        let beside: Vec<&str> = beside.map(|library| library.name.as_str()).collect();
        self.put(dir, kind.files, |text| {
            let text = repeated(text, "ibrary@", &beside, |line, library| {
                line.replace("@library@", library)
                    .replace("@Library@", &as_type(library))
            });
            named(&text, name).replace("@dir@", member)
        });
        if number % 7 == 3 {
            self.come_from_windows(dir, kind, number.is_multiple_of(2));
        }
    }

    /// Gives the files of a directory the line ends of Windows and, where `is_marked`, byte order marks.
    fn come_from_windows(&self, dir: &str, kind: &Kind, is_marked: bool) {
        let below = format!("{dir}/");
        for path in self.written.iter().filter(|path| path.starts_with(&below)) {
            let (_, ending) = path.rsplit_once('.').unwrap_or_default();
            if !LINES.contains(&ending) || kind.language == "shell" {
                continue;
            }
            let full = self.root.join(path);
            let mut text = fs::read_to_string(&full).unwrap().replace('\n', "\r\n");
            if is_marked && MARKED.contains(&ending) {
                text.insert(0, '\u{feff}');
            }
            fs::write(full, text).unwrap();
        }
    }

    /// Writes the root of a workspace.
    fn settle(&mut self, home: &Home, grown: &[Grown]) {
        let members = grown.iter().filter(|one| one.kind.home == Some(home.path));
        let members: Vec<(&str, &str)> = members
            .map(|one| (one.dir[home.path.len() + 1..].as_ref(), one.name.as_str()))
            .collect();
        self.put(home.path, home.files, |text| {
            let text = repeated(text, "@project@", &members, |line, (member, _)| {
                line.replace("@project@", &member.replace('/', ":"))
            });
            repeated(&text, "@member@", &members, |line, (member, name)| {
                named(&line.replace("@member@", member), name)
            })
        });
    }

    fn put(&mut self, dir: &str, archive: &str, fitted: impl Fn(&str) -> String) {
        for file in files(archive) {
            let path = join(dir, &fitted(file.path));
            match file.target {
                Some(target) => self.link(&path, target),
                None => self.write(&path, &fitted(file.text)),
            }
        }
    }

    fn write(&mut self, path: &str, text: &str) {
        if !self.written.insert(path.to_owned()) {
            return;
        }
        self.make_room(path);
        let text = text.replace("@bytes@", "\u{0}\u{1}\u{7f}");
        fs::write(self.root.join(path), text).unwrap();
    }

    fn link(&mut self, path: &str, target: &str) {
        self.make_room(path);
        symlink(target, self.root.join(path)).unwrap();
    }

    fn make_room(&mut self, path: &str) {
        let (dir, _) = path.rsplit_once('/').unwrap_or_default();
        if self.directories.insert(dir.to_owned()) {
            fs::create_dir_all(self.root.join(dir)).unwrap();
        }
    }

    /// Adds sources to what grew, and notes that belong to nobody, until there are `files`.
    fn fill(&mut self, grown: &[Grown], files: usize) {
        let own = files - files / COMMON;
        let mut number = 0;
        while self.written.len() < own {
            let (part, unit) = (
                format!("{:02}", number / PART),
                format!("{:02}", number % PART),
            );
            for one in grown {
                if self.written.len() == own {
                    break;
                }
                let fitted = |text: &str| {
                    let text = text.replace("@part@", &part).replace("@unit@", &unit);
                    named(&text, &one.name)
                };
                let source = one.kind.source;
                self.write(&join(&one.dir, &fitted(source.path)), &fitted(source.text));
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

/// The text with every line that has the mark once for each of `all`.
fn repeated<T>(text: &str, mark: &str, all: &[T], fitted: impl Fn(&str, &T) -> String) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        if line.contains(mark) {
            all.iter().map(|one| fitted(line, one)).collect()
        } else {
            line.to_owned()
        }
    });
    lines.collect()
}

/// Puts the name into a template.
fn named(text: &str, name: &str) -> String {
    if !text.contains("@name") && !text.contains("@Name@") {
        return text.to_owned();
    }
    text.replace("@name@", name)
        .replace("@Name@", &as_type(name))
        .replace("@name_@", &name.replace('-', "_"))
}

/// The name as a type would be called.
fn as_type(name: &str) -> String {
    let parts = name.split('-').map(|part| {
        let (first, rest) = part.split_at(part.len().min(1));
        format!("{}{rest}", first.to_uppercase())
    });
    parts.collect()
}
