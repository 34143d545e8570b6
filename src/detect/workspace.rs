//! Workspaces: which directories a manifest names as its members.

use std::collections::BTreeSet;
use std::rc::Rc;

use globset::{GlobBuilder, GlobMatcher};

use super::document::{Document, Syntax};
use super::provider::Scan;
use super::repo::{Repo, is_within, resolve, split, upwards};

/// A directory whose manifest names members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workspace {
    /// The directory of the manifest.
    pub(crate) root: String,
    /// The member directories, sorted; the root is one only if the rules of its tool say so.
    pub(crate) members: Vec<String>,
}

/// The longest pattern that is read, and the most of one manifest: each becomes a matcher of its own.
const LONGEST: usize = 500;
const MOST: usize = 2000;

/// Expands globs seen from `base` to the directories that hold `marker`; a later `!glob` takes away.
///
/// `*` does not cross `/`; `**` and `{a,b}` work. Patterns that lead out of the repository match nothing.
pub(crate) fn expand(repo: &Repo, base: &str, patterns: &[&str], marker: &str) -> Vec<String> {
    let rules: Vec<Rule> = patterns
        .iter()
        .filter(|pattern| pattern.len() <= LONGEST)
        .take(MOST)
        .filter_map(|pattern| Rule::parse(base, pattern))
        .collect();
    // Only what the patterns can reach is looked at: a repository may have many workspaces.
    let takes_all = rules.iter().all(|rule| rule.takes);
    let mut found = BTreeSet::new();
    for rule in rules.iter().filter(|rule| rule.takes) {
        let below = rule.pattern.start();
        let reached = repo.below(below).filter(|dir| dir.has(marker));
        for dir in reached {
            if takes_all {
                if rule.pattern.matches(dir.path()) {
                    found.insert(dir.path().to_owned());
                }
                continue;
            }
            let decides = rules.iter().rfind(|rule| rule.pattern.matches(dir.path()));
            if decides.is_some_and(|rule| rule.takes) {
                found.insert(dir.path().to_owned());
            }
        }
    }
    found.into_iter().collect()
}

/// One pattern of a workspace.
struct Rule {
    takes: bool,
    pattern: Pattern,
}

enum Pattern {
    /// The directory itself.
    Literal(String),
    /// The directories directly in one.
    Children(String),
    /// What else there is, and the directory that all of it lies in.
    Glob(GlobMatcher, String),
}

impl Rule {
    fn parse(base: &str, pattern: &str) -> Option<Self> {
        let (takes, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (false, pattern),
            None => (true, pattern),
        };
        let pattern = pattern.trim_end_matches('/');
        let is_plain = |path: &str| !path.contains(['*', '?', '[', ']', '{', '}', '\\', '!']);
        let (dir, last) = split(pattern);
        let pattern = if is_plain(pattern) {
            Pattern::Literal(resolve(base, pattern)?)
        } else if last == "*" && is_plain(dir) {
            Pattern::Children(resolve(base, dir)?)
        } else {
            let full = resolve(&globset::escape(base), pattern)?;
            let glob = GlobBuilder::new(&full).literal_separator(true).build();
            let start = plain_start(pattern, is_plain).and_then(|start| resolve(base, start));
            let start = start.unwrap_or_default();
            Pattern::Glob(glob.ok()?.compile_matcher(), start)
        };
        Some(Self { takes, pattern })
    }
}

/// The parts of a pattern before the first that is one; with `..` behind that, nothing is known.
fn plain_start(pattern: &str, is_plain: impl Fn(&str) -> bool) -> Option<&str> {
    let mut end = 0;
    for part in pattern.split_inclusive('/') {
        if !is_plain(part) {
            break;
        }
        end += part.len();
    }
    let (start, rest) = pattern.split_at(end);
    (!rest.split('/').any(|part| part == "..")).then_some(start)
}

impl Pattern {
    /// The directory at or below which all that it matches lies.
    fn start(&self) -> &str {
        match self {
            Self::Literal(path) | Self::Children(path) | Self::Glob(_, path) => path,
        }
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Literal(literal) => path == literal,
            Self::Children(dir) => !path.is_empty() && split(path).0 == dir,
            Self::Glob(glob, _) => glob.is_match(path),
        }
    }
}

/// The workspace of npm, Yarn or pnpm whose manifest is in `dir`.
pub(crate) fn node(scan: &mut Scan<'_>, dir: &str) -> Option<Workspace> {
    let at = scan.repo.dir(dir)?;
    let pnpm = at.join("pnpm-workspace.yaml");
    if at.has("pnpm-workspace.yaml") {
        let document = scan.document(&pnpm, Syntax::Yaml)?;
        let patterns = document.strings(&["packages"]);
        if patterns.is_empty() {
            return None;
        }
        let members = expand(scan.repo, dir, &patterns, "package.json");
        return Some(Workspace {
            root: dir.to_owned(),
            members,
        });
    }
    let document = scan.document(&at.join("package.json"), Syntax::Json)?;
    let mut patterns = document.strings(&["workspaces"]);
    if patterns.is_empty() {
        patterns = document.strings(&["workspaces", "packages"]);
    }
    if patterns.is_empty() {
        return None;
    }
    let members = expand(scan.repo, dir, &patterns, "package.json");
    Some(Workspace {
        root: dir.to_owned(),
        members,
    })
}

/// The Cargo workspace whose root is `dir`: literal and globbed members, path dependencies of the root, less `exclude`.
pub(crate) fn cargo(scan: &mut Scan<'_>, dir: &str) -> Option<Rc<Workspace>> {
    if let Some(known) = scan.cargo.get(dir) {
        return known.clone();
    }
    let workspace = find_cargo(scan, dir).map(Rc::new);
    scan.cargo.insert(dir.to_owned(), workspace.clone());
    workspace
}

fn find_cargo(scan: &mut Scan<'_>, dir: &str) -> Option<Workspace> {
    let document = scan.document(&super::repo::join(dir, "Cargo.toml"), Syntax::Toml)?;
    document.get(&["workspace"])?;
    let patterns = document.strings(&["workspace", "members"]);
    let mut members = expand(scan.repo, dir, &patterns, "Cargo.toml");
    if document.get(&["package"]).is_some() {
        members.push(dir.to_owned());
    }
    let excluded: Vec<String> = document
        .strings(&["workspace", "exclude"])
        .iter()
        .filter_map(|path| resolve(dir, path))
        .collect();
    // Path dependencies below the root are members without being named.
    let mut at = 0;
    members.sort();
    members.dedup();
    while at < members.len() {
        for path in cargo_paths(scan, &members[at].clone(), true) {
            if is_within(&path, dir) && !members.contains(&path) {
                members.push(path);
            }
        }
        at += 1;
    }
    members.retain(|member| !excluded.iter().any(|path| is_within(member, path)));
    members.sort();
    Some(Workspace {
        root: dir.to_owned(),
        members,
    })
}

/// The directories that a crate's path dependencies name, also those `for_tests` only: Cargo loads these as well.
pub(crate) fn cargo_paths(scan: &mut Scan<'_>, dir: &str, for_tests: bool) -> Vec<String> {
    let manifest = super::repo::join(dir, "Cargo.toml");
    let Some(document) = scan.document(&manifest, Syntax::Toml) else {
        return Vec::new();
    };
    let root = cargo_root(scan, dir);
    let mut paths = Vec::new();
    let names = ["dependencies", "build-dependencies", "dev-dependencies"];
    let names = &names[..if for_tests { 3 } else { 2 }];
    let mut tables: Vec<Vec<&str>> = names.iter().map(|name| vec![*name]).collect();
    for target in document.keys(&["target"]) {
        tables.extend(names.iter().map(|name| vec!["target", target, name]));
    }
    for table in &tables {
        for name in document.keys(table) {
            let key = |last| -> Vec<&str> { table.iter().copied().chain([name, last]).collect() };
            if let Some(path) = document.str(&key("path")) {
                paths.extend(resolve(dir, path));
            } else if document.is_true(&key("workspace"))
                && let Some((root_dir, root)) = &root
                && let Some(path) = root.str(&["workspace", "dependencies", name, "path"])
            {
                paths.extend(resolve(root_dir, path));
            }
        }
    }
    paths.retain(|path| scan.repo.has(&super::repo::join(path, "Cargo.toml")));
    paths
}

/// The nearest manifest at or above `dir` that has a `[workspace]`.
pub(crate) fn cargo_root(scan: &mut Scan<'_>, dir: &str) -> Option<(String, Rc<Document>)> {
    for above in upwards(dir) {
        let manifest = super::repo::join(above, "Cargo.toml");
        if let Some(document) = scan.document(&manifest, Syntax::Toml)
            && document.get(&["workspace"]).is_some()
        {
            return Some((above.to_owned(), document));
        }
    }
    None
}

/// The uv workspace whose root is `dir`; the root itself is a member where it is a project.
pub(crate) fn uv(scan: &mut Scan<'_>, dir: &str) -> Option<Workspace> {
    let document = scan.document(&super::repo::join(dir, "pyproject.toml"), Syntax::Toml)?;
    document.get(&["tool", "uv", "workspace"])?;
    let mut patterns: Vec<String> = document
        .strings(&["tool", "uv", "workspace", "members"])
        .iter()
        .map(|pattern| (*pattern).to_owned())
        .collect();
    for pattern in document.strings(&["tool", "uv", "workspace", "exclude"]) {
        patterns.push(format!("!{pattern}"));
    }
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let mut members = expand(scan.repo, dir, &patterns, "pyproject.toml");
    if document.get(&["project"]).is_some() && !members.contains(&dir.to_owned()) {
        members.push(dir.to_owned());
        members.sort();
    }
    Some(Workspace {
        root: dir.to_owned(),
        members,
    })
}

/// The Go workspace whose `go.work` is in `dir`.
pub(crate) fn go(repo: &Repo, dir: &str) -> Option<Workspace> {
    let text = repo.text(&super::repo::join(dir, "go.work")).ok()?;
    let mut members: Vec<String> = directives(&text, "use")
        .filter_map(|(_, words)| resolve(dir, words.first()?))
        .filter(|path| repo.has(&super::repo::join(path, "go.mod")))
        .collect();
    members.sort();
    members.dedup();
    Some(Workspace {
        root: dir.to_owned(),
        members,
    })
}

/// The directives of one kind in a `go.mod` or `go.work`, alone or in a block: line and words.
pub(crate) fn directives<'a>(
    text: &'a str,
    verb: &'a str,
) -> impl Iterator<Item = (u64, Vec<String>)> + 'a {
    let mut block = false;
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let line = line.split("//").next().unwrap_or_default().trim();
        let words: Vec<String> = line
            .split_whitespace()
            .map(|word| word.trim_matches('"').to_owned())
            .collect();
        if block {
            if line == ")" {
                block = false;
                return None;
            }
            return (!words.is_empty()).then_some((number, words));
        }
        if words.first().is_none_or(|word| word != verb) {
            return None;
        }
        if words.get(1).is_some_and(|word| word == "(") {
            block = true;
            return None;
        }
        Some((number, words[1..].to_vec()))
    })
}
