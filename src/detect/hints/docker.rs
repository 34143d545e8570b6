//! Dockerfiles: what the last stage, or the named one, listens on, runs and is asked.

use std::collections::BTreeMap;

use crate::detect::repo::split;

use super::{Hints, Places, expand, fact, line_of, probe};

/// Words in the names of Dockerfiles that are not for production.
const OTHER: &[&str] = &[
    "base",
    "build",
    "builder",
    "ci",
    "debug",
    "dev",
    "devcontainer",
    "development",
    "e2e",
    "local",
    "test",
    "tests",
];
/// Those that say nothing of the app.
const PRODUCTION: &[&str] = &["prod", "production", "release"];

/// Whether a file is a Dockerfile for production, by its name.
pub(super) fn is_file(name: &str) -> bool {
    // Hardly any file is one, and all are asked.
    if !name.starts_with(['C', 'D']) && !name.ends_with("file") {
        return false;
    }
    let Some(suffix) = named(name) else {
        return false;
    };
    !suffix.ends_with("dockerignore") && !OTHER.contains(&suffix)
}

/// What distinguishes a Dockerfile from others: `api` of `Dockerfile.api` and `api.Dockerfile`.
fn named(name: &str) -> Option<&str> {
    for word in ["Dockerfile", "Containerfile"] {
        if let Some(rest) = name.strip_prefix(word) {
            return match rest.strip_prefix(['.', '-']) {
                Some(suffix) => Some(suffix),
                None => rest.is_empty().then_some(""),
            };
        }
        let before = name.strip_suffix(word);
        if let Some(prefix) = before.and_then(|before| before.strip_suffix('.')) {
            return Some(prefix);
        }
    }
    name.strip_suffix(".dockerfile")
}

/// The name of the app that a Dockerfile's own name holds, else that of its directory.
pub(super) fn suffix(path: &str) -> &str {
    let (dir, name) = split(path);
    match named(name) {
        Some(suffix) if !suffix.is_empty() && !PRODUCTION.contains(&suffix) => suffix,
        _ => split(dir).1,
    }
}

/// The directory of the app that a Dockerfile is for, which nothing else says.
pub(super) fn place(places: &Places<'_>, path: &str) -> Option<String> {
    let (dir, name) = split(path);
    let suffix = named(name).filter(|suffix| !suffix.is_empty() && !PRODUCTION.contains(suffix));
    if let Some(suffix) = suffix {
        return places.named(suffix);
    }
    if places.manifests.contains(dir) {
        return Some(dir.to_owned());
    }
    if dir.split('/').any(|part| part == ".devcontainer") {
        return None;
    }
    if let Some(named) = places.named(split(dir).1) {
        return Some(named);
    }
    // A directory with nothing but a Dockerfile is no app by itself.
    let listing = places.repo.dir(dir)?;
    let has_more = listing
        .files()
        .iter()
        .any(|file| !is_file(file) && file != ".dockerignore");
    (has_more || !listing.dirs().is_empty()).then(|| dir.to_owned())
}

/// One instruction: its continued lines joined.
struct Instruction {
    keyword: String,
    text: String,
    lines: Vec<(u64, String)>,
}

impl Instruction {
    fn new(part: &str, line: &str, number: u64) -> Self {
        let word = part.split_whitespace().next().unwrap_or_default();
        let mut instruction = Self {
            keyword: word.to_ascii_uppercase(),
            text: String::new(),
            lines: Vec::new(),
        };
        instruction.add(part.get(word.len()..).unwrap_or_default(), line, number);
        instruction
    }

    fn add(&mut self, part: &str, line: &str, number: u64) {
        self.text.push(' ');
        self.text.push_str(part.trim());
        self.lines.push((number, line.to_owned()));
    }

    /// The line that ends the text which follows, where one does.
    fn heredoc(&self, part: &str) -> Option<String> {
        if !matches!(self.keyword.as_str(), "RUN" | "COPY" | "ADD") {
            return None;
        }
        let (_, word) = part.split_once("<<")?;
        let word = word.trim_start_matches('-').split_whitespace().next()?;
        let word = word.trim_matches(['"', '\'']);
        (!word.is_empty()).then(|| word.to_owned())
    }

    /// The line that holds `text`.
    fn line(&self, text: &str) -> u64 {
        let found = self.lines.iter().find(|(_, line)| line.contains(text));
        found
            .or(self.lines.first())
            .map_or(0, |(number, _)| *number)
    }
}

/// The most instructions that are read, and the most variables of a stage.
const MOST: usize = 2000;
const MOST_VARIABLES: usize = 200;

/// What joins lines, which a comment at the top may change.
fn escape(text: &str) -> char {
    let is_other = |line: &str| line.replace(' ', "").eq_ignore_ascii_case("#escape=`");
    if text.lines().take(5).any(is_other) {
        '`'
    } else {
        '\\'
    }
}

fn instructions(text: &str) -> Vec<Instruction> {
    let escape = escape(text);
    let mut found: Vec<Instruction> = Vec::new();
    let mut open: Option<Instruction> = None;
    let mut heredoc: Option<String> = None;
    for (line, number) in text.lines().zip(1..) {
        let trimmed = line.trim();
        if let Some(end) = &heredoc {
            if trimmed == end {
                heredoc = None;
            }
            continue;
        }
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (part, goes_on) = match trimmed.strip_suffix(escape) {
            Some(part) => (part.trim_end(), true),
            None => (trimmed, false),
        };
        let instruction = match open.take() {
            Some(mut instruction) => {
                instruction.add(part, line, number);
                instruction
            }
            None => Instruction::new(part, line, number),
        };
        heredoc = instruction.heredoc(part);
        if goes_on {
            open = Some(instruction);
        } else {
            found.push(instruction);
        }
        if found.len() >= MOST {
            return found;
        }
    }
    found.extend(open);
    found
}

/// What a stage leaves to its image.
#[derive(Clone, Default)]
struct Stage {
    hints: Hints,
    /// The values of variables, with the line of each.
    variables: BTreeMap<String, (String, u64)>,
    entrypoint: Option<(Words, u64)>,
    command: Option<(Words, u64)>,
}

/// A command as words, or as a line for a shell.
#[derive(Clone)]
enum Words {
    Exec(Vec<String>),
    Shell(String),
}

/// The hints of the named stage, else of the last one.
pub(super) fn read(file: &str, text: &str, target: Option<&str>) -> Hints {
    let mut stages: BTreeMap<String, Stage> = BTreeMap::new();
    let mut stage = Stage::default();
    let mut name = String::new();
    let mut start = 0;
    let mut global: BTreeMap<String, (String, u64)> = BTreeMap::new();
    for instruction in instructions(text) {
        if instruction.keyword == "FROM" {
            stages.insert(std::mem::take(&mut name), std::mem::take(&mut stage));
            if target.is_some_and(|target| stages.contains_key(&target.to_lowercase())) {
                break;
            }
            let words = instruction
                .text
                .split_whitespace()
                .filter(|word| !word.starts_with("--"));
            let words: Vec<String> = words.map(str::to_lowercase).collect();
            stage = words
                .first()
                .and_then(|base| stages.get(base))
                .cloned()
                .unwrap_or_default();
            stage.variables.extend(global.clone());
            name = words.get(2).cloned().unwrap_or_default();
            start = instruction.line("FROM");
        } else if start == 0 {
            variable(&instruction, &mut global);
        } else {
            stage.read(file, &instruction);
        }
    }
    let wanted = target.and_then(|target| stages.remove(&target.to_lowercase()));
    let stage = wanted.unwrap_or(stage);
    if start == 0 {
        return Hints::default();
    }
    stage.finish(file, start)
}

/// `ENV` and `ARG`: both `NAME=value` and, for `ENV`, `NAME value`.
fn variable(instruction: &Instruction, variables: &mut BTreeMap<String, (String, u64)>) {
    let is_env = match instruction.keyword.as_str() {
        "ENV" => true,
        "ARG" => false,
        _ => return,
    };
    let words = shlex::split(&instruction.text).unwrap_or_default();
    let mut set = |name: &str, value: &str| {
        let known = |name: &str| variables.get(name).map(|(value, _)| value.clone());
        let has_room = variables.len() < MOST_VARIABLES || variables.contains_key(name);
        if let Some(value) = expand(value, &known).filter(|_| has_room) {
            variables.insert(name.to_owned(), (value, instruction.line(name)));
        }
    };
    if is_env
        && let [name, value, ..] = words.as_slice()
        && !name.contains('=')
    {
        set(name, value);
        return;
    }
    for word in &words {
        if let Some((name, value)) = word.split_once('=') {
            set(name, value);
        }
    }
}

impl Stage {
    fn read(&mut self, file: &str, instruction: &Instruction) {
        let text = instruction.text.trim();
        match instruction.keyword.as_str() {
            "ENV" | "ARG" => variable(instruction, &mut self.variables),
            "EXPOSE" => self.expose(file, instruction),
            "CMD" => self.command = words(text).map(|words| (words, instruction.line("CMD"))),
            "ENTRYPOINT" => {
                self.entrypoint = words(text).map(|words| (words, instruction.line("ENTRYPOINT")));
                self.command = None;
            }
            "HEALTHCHECK" => {
                let known = |name: &str| self.variables.get(name).map(|(value, _)| value.clone());
                let text = expand(text, &known).unwrap_or_else(|| text.to_owned());
                if let Some((path, port)) = probe(&text) {
                    let line = instruction.line(&path);
                    self.hints.health = Some(fact(path, file, line));
                    self.hints.health_port = port;
                } else {
                    self.hints.health = None;
                }
            }
            _ => {}
        }
    }

    fn expose(&mut self, file: &str, instruction: &Instruction) {
        let words = instruction.text.split_whitespace();
        for word in words.take(MOST_VARIABLES) {
            let used = word
                .strip_prefix('$')
                .map(|rest| rest.trim_matches(['{', '}']));
            let known = |name: &str| self.variables.get(name).map(|(value, _)| value.clone());
            let Some(expanded) = expand(word, &known) else {
                continue;
            };
            let (number, protocol) = expanded.split_once('/').unwrap_or((&expanded, "tcp"));
            let Ok(port) = number.parse::<u16>() else {
                continue;
            };
            // The number stands where the variable has its value.
            let line =
                used.and_then(|name| self.variables.get(name.split([':', '-', '/', '}']).next()?));
            let line = line.map_or_else(|| instruction.line(number), |(_, line)| *line);
            if protocol == "tcp" && port > 0 {
                self.hints.listens_on(fact(port, file, line));
            }
        }
    }

    fn finish(mut self, file: &str, start: u64) -> Hints {
        if let Some((port, line)) = self.variables.get("PORT")
            && let Ok(port) = port.parse::<u16>()
            && port > 0
        {
            self.hints.listens_on(fact(port, file, *line));
        }
        let entrypoint = self
            .entrypoint
            .and_then(|(words, line)| Some((unwrapped(words)?, line)));
        let whole = match (entrypoint, self.command) {
            (Some((Words::Exec(mut entry), line)), Some((Words::Exec(more), _))) => {
                entry.extend(more);
                Some((Words::Exec(entry), line))
            }
            (Some(entrypoint), _) => Some(entrypoint),
            (None, command) => command,
        };
        let line = whole.and_then(|(words, line)| {
            let text = match words {
                Words::Exec(words) => {
                    line_of(&words.iter().map(String::as_str).collect::<Vec<_>>())?
                }
                Words::Shell(text) => text,
            };
            Some((text, line))
        });
        if let Some((text, line)) = line {
            self.hints.commands.push(fact(text, file, line));
        }
        self.hints
            .named
            .push(fact("the last stage".to_owned(), file, start));
        self.hints
    }
}

/// An entry point without the programs that only start the command.
fn unwrapped(words: Words) -> Option<Words> {
    let program = match &words {
        Words::Exec(words) => words.first().map(String::as_str),
        Words::Shell(text) => text.split_whitespace().next(),
    };
    let program = program.map_or("", |program| split(program).1).to_owned();
    match words {
        Words::Exec(words) if matches!(program.as_str(), "dumb-init" | "tini") => {
            let rest = words
                .into_iter()
                .skip(1)
                .skip_while(|word| word.starts_with('-'));
            let rest: Vec<String> = rest.collect();
            (!rest.is_empty()).then_some(Words::Exec(rest))
        }
        _ if matches!(program.as_str(), "sh" | "bash") || program.contains("entrypoint") => None,
        words => Some(words),
    }
}

fn words(text: &str) -> Option<Words> {
    if text.starts_with('[')
        && let Ok(words) = serde_json::from_str::<Vec<String>>(text)
    {
        return (!words.is_empty()).then_some(Words::Exec(words));
    }
    (!text.is_empty()).then(|| Words::Shell(text.to_owned()))
}
