//! Make: the executables of the default target.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::{Dir, join};

use super::library::{Kind, Need};
use super::{Found, Program, Project, is_for_developers, is_source, no_program};

/// The names of the file, in the order in which make looks for them.
pub(super) const NAMES: &[&str] = &["GNUmakefile", "makefile", "Makefile"];

/// Expansions of variables within one another, at most.
const DEPTH: usize = 16;
/// The longest text that a variable becomes.
const LONGEST: usize = 16 << 10;
/// Bytes that all variables of a file become, and lines and needs of its rules, at most; each variable counts as one besides.
const ROOM: usize = 4 << 20;

/// Whether sources of C or C++ lie in the directory or where they usually do.
pub(super) fn has_sources(dir: Dir<'_>) -> bool {
    let places = ["src", "source", "source/src", "app"];
    let below = places.iter().filter_map(|name| dir.below(name));
    std::iter::once(dir)
        .chain(below)
        .any(|dir| dir.files().iter().any(|name| is_source(name)))
}

#[derive(Clone, Debug, Default)]
struct Rule {
    line: u64,
    /// As written, without blanks.
    written: String,
    needs: Vec<String>,
    recipe: Vec<(u64, String)>,
}

#[derive(Debug, Default)]
struct Makefile {
    variables: BTreeMap<String, (String, u64)>,
    rules: BTreeMap<String, Rule>,
    /// The first target that is no special one.
    first: Option<String>,
    phony: BTreeSet<String>,
    /// The lines with what they say, variables replaced.
    text: Vec<(u64, String)>,
    /// What is used of the room.
    used: Cell<usize>,
}

/// Reads the Makefile of `dir`.
pub(super) fn read(_: &mut Scan<'_>, dir: Dir<'_>) -> Found {
    let Some(name) = NAMES.iter().find(|name| dir.has(name)) else {
        return Found::Not("it has no Makefile".to_owned());
    };
    let file = dir.join(name);
    let text = match dir.text(name) {
        Ok(text) => text,
        Err(error) => return Found::Not(format!("`{name}` {}", error.message)),
    };
    let makefile = Makefile::parse(&text);
    let goal = makefile
        .variables
        .get(".DEFAULT_GOAL")
        .map(|(value, _)| makefile.expanded(value, 0))
        .or_else(|| makefile.first.clone());
    let Some(goal) = goal else {
        return Found::Not(format!("`{name}` has no default target"));
    };
    let mut left_out = BTreeMap::new();
    let mut programs = Vec::new();
    let mut queue = vec![goal.clone()];
    let mut seen = BTreeSet::new();
    while let Some(target) = queue.pop() {
        if !seen.insert(target.clone()) {
            continue;
        }
        let Some(rule) = makefile.rules.get(&target) else {
            if let Some(program) = implicit(dir, &file, &makefile, &target, &goal) {
                programs.push(program);
            }
            continue;
        };
        match makefile.executable(dir, &target, rule) {
            Some(path) => {
                let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
                match is_for_developers(&path) {
                    Some(what) => {
                        left_out.insert(name, what.to_owned());
                    }
                    None => programs.push(makefile.program(dir, &file, name, &path, rule)),
                }
            }
            None => queue.extend(rule.needs.iter().rev().cloned()),
        }
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    programs.dedup_by(|a, b| a.name == b.name);
    if programs.is_empty() {
        let wraps = makefile.rules.get(&goal).and_then(wraps);
        let what = match wraps {
            Some(program) => format!("its default target `{goal}` only calls `{program}`"),
            None => format!("its default target `{goal}` links no program"),
        };
        return Found::Not(no_program(&left_out, &what));
    }
    Found::Project(Box::new(makefile.into_project(dir, file, programs)))
}

/// The program that a recipe hands everything to.
fn wraps(rule: &Rule) -> Option<String> {
    let (_, line) = rule.recipe.first()?;
    let word = line.split_whitespace().next()?;
    Some(word.trim_start_matches(['@', '-', '+']).to_owned())
}

/// A program that make knows how to build without a rule, from the source of its name.
fn implicit(
    dir: Dir<'_>,
    file: &str,
    makefile: &Makefile,
    target: &str,
    goal: &str,
) -> Option<Program> {
    let source = ["c", "cc", "cpp"].map(|end| format!("{target}.{end}"));
    let source = source.iter().find(|name| dir.has(name))?;
    let rule = makefile.rules.get(goal)?;
    is_for_developers(target).is_none().then(|| Program {
        name: target.to_owned(),
        file: file.to_owned(),
        line: rule.line,
        written: rule.written.clone(),
        rule: "make.implicit",
        sources: vec![dir.join(source)],
        from: target.to_owned(),
        to: target.to_owned(),
    })
}

impl Makefile {
    fn parse(text: &str) -> Self {
        let mut makefile = Self::default();
        let mut lines = text.lines().zip(1..);
        let mut targets: Vec<String> = Vec::new();
        let mut skipping = false;
        while let Some((line, number)) = lines.next() {
            let mut whole = line.to_owned();
            while whole.ends_with('\\') && whole.len() < LONGEST {
                whole.pop();
                let Some((next, _)) = lines.next() else { break };
                whole.push(' ');
                whole.push_str(next.trim());
            }
            if let Some(recipe) = whole.strip_prefix('\t') {
                let recipe = recipe.trim().to_owned();
                for target in &targets {
                    if makefile.is_full(recipe.len()) {
                        break;
                    }
                    if let Some(rule) = makefile.rules.get_mut(target) {
                        rule.recipe.push((number, recipe.clone()));
                    }
                }
                makefile.text.push((number, recipe));
                continue;
            }
            let plain = whole.split('#').next().unwrap_or_default().trim();
            if plain.starts_with("define ") {
                skipping = true;
            } else if plain == "endef" {
                skipping = false;
            }
            if plain.is_empty() || skipping {
                continue;
            }
            makefile.text.push((number, plain.to_owned()));
            if !makefile.assign(plain, number) {
                targets = makefile.rule(plain, number);
            }
        }
        makefile
    }

    fn assign(&mut self, line: &str, number: u64) -> bool {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some(at) = line.find('=') else {
            return false;
        };
        let name = line[..at].trim_end_matches([':', '?', '+', '!']).trim();
        let is_name = name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if name.is_empty() || !is_name {
            return false;
        }
        let value = line[at + 1..].trim().to_owned();
        let operator = &line[name.len()..at];
        let found = self.variables.get(name).cloned();
        let value = match (operator.trim(), found) {
            ("+", Some((before, _))) if before.len() < LONGEST => format!("{before} {value}"),
            ("?", Some((before, _))) => before,
            _ => value,
        };
        self.variables.insert(name.to_owned(), (value, number));
        true
    }

    /// Adds a rule and gives its targets.
    fn rule(&mut self, line: &str, number: u64) -> Vec<String> {
        let Some((left, right)) = line.split_once(':') else {
            return Vec::new();
        };
        let (needs, recipe) = right.split_once(';').unwrap_or((right, ""));
        let needs = needs
            .trim_start_matches(':')
            .split('|')
            .next()
            .unwrap_or_default();
        let needs: Vec<String> = self
            .expanded(needs, 0)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let targets: Vec<String> = self
            .expanded(left, 0)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        let size: usize = needs.iter().map(|need| need.len() + 32).sum();
        for target in &targets {
            if target == ".PHONY" {
                self.phony.extend(needs.iter().cloned());
                continue;
            }
            if target.starts_with('.') && !target.contains('/') {
                continue;
            }
            if self.first.is_none() && !target.contains('%') {
                self.first = Some(target.clone());
            }
            let is_full = self.is_full(size);
            let rule = self.rules.entry(target.clone()).or_default();
            if rule.line == 0 || !needs.is_empty() {
                rule.line = number;
                rule.written = left.trim().to_owned();
            }
            if !is_full {
                rule.needs.extend(needs.iter().cloned());
            }
            if !recipe.trim().is_empty() {
                rule.recipe.push((number, recipe.trim().to_owned()));
            }
        }
        targets
    }

    /// Takes room for so many bytes; whether there is none left.
    fn is_full(&self, bytes: usize) -> bool {
        self.used.set(self.used.get().saturating_add(bytes + 16));
        self.used.get() > ROOM
    }

    /// The text with its variables replaced; functions of make stay as they are.
    fn expanded(&self, text: &str, depth: usize) -> String {
        let mut whole = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            whole.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let close = match after.as_bytes().first() {
                Some(b'(') => ')',
                Some(b'{') => '}',
                _ => {
                    let end = at + 1 + after.chars().next().map_or(0, char::len_utf8);
                    whole.push_str(&rest[at..end]);
                    rest = &rest[end..];
                    continue;
                }
            };
            let Some(end) = after.find(close) else { break };
            let name = &after[1..end];
            match self.variables.get(name) {
                Some((value, _))
                    if depth < DEPTH && whole.len() < LONGEST && !self.is_full(value.len()) =>
                {
                    whole.push_str(&self.expanded(value, depth + 1));
                }
                _ => whole.push_str(&rest[at..=at + 1 + end]),
            }
            rest = &rest[at + 1 + end + 1..];
        }
        whole.push_str(rest);
        whole.truncate(whole.floor_char_boundary(LONGEST));
        whole
    }

    /// The path of the program that a rule links.
    fn executable(&self, dir: Dir<'_>, target: &str, rule: &Rule) -> Option<String> {
        const OTHER: &[&str] = &[
            ".a", ".o", ".so", ".d", ".h", ".c", ".dylib", ".wasm", ".js",
        ];
        if OTHER.iter().any(|end| target.ends_with(end)) || target.contains(['$', '%']) {
            return None;
        }
        let is_phony = self.phony.contains(target);
        for (_, line) in &rule.recipe {
            let line = line.replace("$@", target).replace("$(@)", target);
            let line = self.expanded(&line, 0);
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.contains(&"-c") || words.contains(&"-shared") {
                continue;
            }
            let output = words
                .iter()
                .position(|word| *word == "-o")
                .and_then(|at| words.get(at + 1));
            let Some(output) = output else { continue };
            let output = output.trim_start_matches("./");
            let is_link = words.iter().any(|word| {
                is_compiler(word)
                    || word.starts_with("$(CC)")
                    || word.starts_with("$(CXX)")
                    || word.starts_with("$(LD)")
                    || word.starts_with("$(LINK")
            });
            if is_link && !output.contains(['$', '%', '*']) && !output.starts_with('/') {
                return Some(output.to_owned());
            }
        }
        // Make links a program of objects by itself.
        let has_source = || {
            let source = ["c", "cc", "cpp"].map(|end| format!("{target}.{end}"));
            source.iter().any(|name| dir.has(name))
        };
        let is_linked = !is_phony
            && rule.recipe.is_empty()
            && rule.needs.iter().any(|need| need.ends_with(".o"))
            && (has_source() || rule.needs.contains(&format!("{target}.o")));
        is_linked.then(|| target.to_owned())
    }

    fn program(&self, dir: Dir<'_>, file: &str, name: String, path: &str, rule: &Rule) -> Program {
        let mut sources = Vec::new();
        for need in &rule.needs {
            let stem = need.strip_suffix(".o").unwrap_or(need);
            let bare = stem.rsplit('/').next().unwrap_or(stem);
            let names = ["c", "cc", "cpp", "cxx"].map(|end| format!("{bare}.{end}"));
            let places = [dir.path().to_owned(), dir.join("src")];
            let paths = places
                .iter()
                .flat_map(|p| names.iter().map(move |n| join(p, n)));
            if is_source(need) {
                sources.push(dir.join(need));
            } else if need.ends_with(".o") {
                sources.extend(paths.filter(|path| {
                    let (parent, name) = crate::detect::repo::split(path);
                    let below = parent.get(dir.path().len()..).unwrap_or_default();
                    let below = below.trim_start_matches('/');
                    let found = if below.is_empty() {
                        Some(dir)
                    } else {
                        dir.below(below)
                    };
                    found.is_some_and(|dir| dir.has(name))
                }));
            }
        }
        Program {
            file: file.to_owned(),
            line: rule.line,
            written: rule.written.clone(),
            rule: "make.default-target",
            sources,
            from: path.to_owned(),
            to: name.clone(),
            name,
        }
    }

    /// The libraries that lines of the Makefile link with or ask pkg-config for.
    fn needs(&self, file: &str) -> Vec<Need> {
        let mut needs: Vec<Need> = Vec::new();
        let mut seen = BTreeSet::new();
        for (line, text) in &self.text {
            let mut modules = false;
            for word in text.split([' ', '\t', '`', '(', ')', '"', '\'']) {
                let found = match word.strip_prefix("-l") {
                    Some(name) => Some((name, Kind::Linked)),
                    None if modules && !word.starts_with('-') => Some((word, Kind::Module)),
                    None => None,
                };
                if word == "pkg-config" || word == "pkgconf" {
                    modules = true;
                }
                let Some((name, kind)) = found else { continue };
                let is_name = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
                if name.is_empty() || !name.chars().all(is_name) {
                    modules = false;
                    continue;
                }
                let need = Need {
                    name: name.to_owned(),
                    kind,
                    is_required: true,
                    file: file.to_owned(),
                    line: *line,
                };
                if !need.is_builtin() && seen.insert(need.name.clone()) {
                    needs.push(need);
                }
            }
        }
        needs
    }

    fn into_project(self, dir: Dir<'_>, file: String, programs: Vec<Program>) -> Project {
        let mut tools = Vec::new();
        for name in ["CC", "CXX"] {
            if let Some((value, _)) = self.variables.get(name)
                && value.starts_with("clang")
            {
                tools = vec!["clang"];
            }
        }
        let mut problem = None;
        if let Some((line, value)) = self.text.iter().find_map(|(line, text)| {
            let word = text
                .split_whitespace()
                .find(|word| word.starts_with("-march=native"))?;
            Some((*line, word.to_owned()))
        }) {
            let message = format!(
                "`{value}` builds for the machine that builds, which may not be the one that runs"
            );
            problem = Some(Problem::new(&file, Some(line), message));
        }
        Project {
            dir: dir.path().to_owned(),
            system: "make",
            needs: self.needs(&file),
            manifest: file,
            tools,
            commands: vec!["make".to_owned()],
            programs,
            warnings: problem.into_iter().collect(),
            ..Project::default()
        }
    }
}

fn is_compiler(word: &str) -> bool {
    let word = word.trim_start_matches(['@', '-', '+']);
    let name = word.rsplit('/').next().unwrap_or(word);
    let name = name.trim_end_matches(|c: char| c == '-' || c.is_ascii_digit());
    matches!(
        name,
        "c++" | "cc" | "clang" | "clang++" | "g++" | "gcc" | "ld"
    ) || word.starts_with("$(CC)")
        || word.starts_with("$(CXX)")
        || word.starts_with("${CC}")
        || word.starts_with("${CXX}")
}
