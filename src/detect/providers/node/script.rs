//! Start scripts of a package, followed to the program that they run.

use std::collections::BTreeMap;

use crate::detect::repo;
use crate::detect::source::Fact;
use crate::detect::start::{self, Command};

use super::Project;
use super::package::Package;
use super::program::{self, Known};

/// What a script runs in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// `node` or `bun` with these arguments; the first one that is no option is the entry.
    File(Program),
    /// A program of an installed package, with its arguments.
    Bin {
        package: &'static str,
        path: &'static str,
        program: Program,
    },
    /// A program that only a lock file may know.
    Named(String, Program),
    /// A directory that a file server would serve.
    Files(String),
    /// A development server, as written.
    Development(String),
    /// It starts other members of the workspace.
    Delegates(String),
    /// It cannot be run without a shell, or is not understood: the reason.
    Refused(String),
}

/// What executes a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Runtime {
    #[default]
    Node,
    Bun,
}

impl Runtime {
    /// The program by which it is called.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Bun => "bun",
        }
    }
}

/// Arguments, environment and directory of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) runtime: Runtime,
    pub(super) arguments: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// Relative to the package.
    pub(super) directory: Option<String>,
    /// The port that stands among the arguments, in the place of `$PORT`.
    pub(super) given_port: Option<u16>,
}

/// A script that was followed, with what it does to a database before it starts.
pub(super) struct Followed {
    pub(super) resolved: Resolved,
    pub(super) release: Vec<(String, Resolved)>,
}

/// The port that stands for `$PORT`.
pub(super) const PORT: u16 = 3000;

/// Scripts that may call each other, at most.
const DEPTH: u8 = 8;

/// Commands that are looked at for one start: scripts that call each other many times multiply.
const STEPS: usize = 400;

/// Follows the script `name` of a package.
pub(super) fn resolve(project: &Project<'_>, name: &str) -> Option<Followed> {
    let mut follower = Follower::new(project.package);
    let resolved = follower.script(name, &[], 0)?;
    Some(follower.done(resolved))
}

/// Follows a command line that stands outside the manifest, such as one of a Procfile.
pub(super) fn resolve_line(project: &Project<'_>, line: &str) -> Followed {
    let mut follower = Follower::new(project.package);
    let resolved = follower.line(line, &[], 0);
    follower.done(resolved)
}

/// What a script does beside building.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Builds,
    Migrates,
    Other,
}

/// What all commands of a script are for.
pub(super) fn purpose(package: &Package, script: &str) -> Purpose {
    let Ok(commands) = start::parse(script) else {
        return Purpose::Other;
    };
    let mut purpose = Purpose::Builds;
    let mut steps = 0;
    for command in &commands {
        match purpose_of(package, command, 0, &mut steps) {
            Purpose::Builds => {}
            Purpose::Migrates => purpose = Purpose::Migrates,
            Purpose::Other => return Purpose::Other,
        }
    }
    purpose
}

fn purpose_of(package: &Package, command: &Command, depth: u8, steps: &mut usize) -> Purpose {
    *steps += 1;
    if *steps > STEPS {
        return Purpose::Other;
    }
    let words = command.literals();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let called = match words.as_slice() {
        [
            "npm" | "yarn" | "pnpm" | "bun",
            "run" | "run-script",
            script,
            ..,
        ] => Some(*script),
        ["yarn" | "pnpm", script, ..] if package.script(script).is_some() => Some(*script),
        _ => None,
    };
    if let Some(script) = called {
        if script.starts_with("build") || script == "compile" {
            return Purpose::Builds;
        }
        let text = package.script(script).unwrap_or_default();
        return match start::parse(text) {
            Ok(commands) if depth < DEPTH && !commands.is_empty() => commands
                .iter()
                .map(|command| purpose_of(package, command, depth + 1, steps))
                .find(|purpose| *purpose != Purpose::Builds)
                .unwrap_or(Purpose::Builds),
            _ => Purpose::Other,
        };
    }
    let words = program::without_runner(&words);
    if program::migrates(words) {
        Purpose::Migrates
    } else if program::builds(words) {
        Purpose::Builds
    } else {
        Purpose::Other
    }
}

struct Follower<'p> {
    package: &'p Package,
    steps: usize,
    release: Vec<(String, Resolved)>,
}

impl<'p> Follower<'p> {
    fn new(package: &'p Package) -> Self {
        Self {
            package,
            steps: 0,
            release: Vec::new(),
        }
    }

    fn done(self, resolved: Resolved) -> Followed {
        Followed {
            resolved,
            release: self.release,
        }
    }

    fn script(&mut self, name: &str, extra: &[String], depth: u8) -> Option<Resolved> {
        let script = self.package.script(name)?.to_owned();
        Some(self.line(&script, extra, depth))
    }

    fn line(&mut self, script: &str, extra: &[String], depth: u8) -> Resolved {
        self.steps += 1;
        if depth > DEPTH || self.steps > STEPS {
            return Resolved::Refused("scripts call each other without an end".to_owned());
        }
        let commands = match start::parse(script) {
            Ok(commands) => commands,
            Err(refusal) => return Resolved::Refused(refusal.to_string()),
        };
        let Some((last, before)) = commands.split_last() else {
            return Resolved::Refused("the script is empty".to_owned());
        };
        for command in before {
            let text = command.literals().join(" ");
            match purpose_of(self.package, command, 0, &mut self.steps) {
                Purpose::Builds => {}
                Purpose::Migrates => {
                    let resolved = self.command(command, &[], depth + 1);
                    self.release.push((text, resolved));
                }
                Purpose::Other => {
                    return Resolved::Refused(format!(
                        "`{text}` runs before the start, which needs a shell"
                    ));
                }
            }
        }
        self.command(last, extra, depth)
    }

    fn command(&mut self, command: &Command, extra: &[String], depth: u8) -> Resolved {
        let mut program = Program {
            directory: command.directory.clone(),
            ..Program::default()
        };
        for (name, value) in &command.env {
            match value.literal() {
                Some(value) => {
                    program.env.insert(name.clone(), value);
                }
                // The variable is the same one.
                None if matches!(value.expand(&|_| Some(String::new())).as_deref(), Ok(""))
                    && name == "PORT" => {}
                None => return Resolved::Refused(format!("the value of `{name}` needs a shell")),
            }
        }
        let name = command.program().unwrap_or_default();
        let reads_port = program::reads_port(&name)
            || command
                .words
                .get(1)
                .and_then(start::Word::literal)
                .is_some_and(|word| program::reads_port(&word));
        let mut words: Vec<String> = Vec::new();
        for word in &command.words {
            if let Some(word) = word.literal() {
                words.push(word);
                continue;
            }
            let is_flag = words.last().is_some_and(|flag| {
                matches!(
                    flag.as_str(),
                    "-p" | "--port" | "-l" | "-H" | "--host" | "--hostname"
                )
            });
            if reads_port && is_flag {
                words.pop();
                continue;
            }
            // The script's own default comes before any other.
            let own = word.0.iter().find_map(|piece| match piece {
                start::Piece::Variable(name, default) if name == "PORT" => {
                    Some(default.as_deref().and_then(|port| port.parse().ok()))
                }
                _ => None,
            });
            let given = own.map(|own| own.unwrap_or(PORT));
            let port = |name: &str| {
                given
                    .filter(|_| name == "PORT")
                    .map(|port| port.to_string())
            };
            match word.expand(&port) {
                Ok(word) if reads_port && word.starts_with("--port=") => {}
                Ok(word) => {
                    program.given_port = program.given_port.or(given);
                    words.push(word);
                }
                Err(refusal) => return Resolved::Refused(refusal.to_string()),
            }
        }
        words.extend(extra.iter().cloned());
        self.words(&words, program, depth)
    }

    fn words(&mut self, words: &[String], mut program: Program, depth: u8) -> Resolved {
        let text = words.join(" ");
        let Some((name, rest)) = words.split_first() else {
            return Resolved::Refused("the script is empty".to_owned());
        };
        if depth > DEPTH {
            return Resolved::Refused("scripts call each other without an end".to_owned());
        }
        let name = name
            .strip_prefix("./node_modules/.bin/")
            .or_else(|| name.strip_prefix("node_modules/.bin/"))
            .unwrap_or(name);
        match name {
            "npm" | "pnpm" | "yarn" | "bun" => {
                let directory = program
                    .directory
                    .as_deref()
                    .and_then(|dir| repo::resolve("", dir));
                if directory.is_some_and(|dir| self.package.nested.contains(&dir)) {
                    return Resolved::Delegates(text);
                }
                self.manager(name, rest, program, depth)
            }
            "npx" | "pnpx" | "bunx" | "dumb-init" | "tini" => {
                self.words(after_options(rest), program, depth + 1)
            }
            "dotenv" | "dotenvx" | "infisical" | "doppler" => {
                match rest.iter().position(|word| word == "--") {
                    Some(at) => self.words(&rest[at + 1..], program, depth + 1),
                    None => Resolved::Refused(format!("`{text}` is not understood")),
                }
            }
            "pm2-runtime" => managed(rest, program, &text),
            "node" | "nodejs" => {
                let is_watch =
                    |word: &String| word == "--watch" || word.starts_with("--watch-path");
                if rest.iter().any(is_watch) {
                    return Resolved::Development(text);
                }
                program.arguments = rest.to_vec();
                Resolved::File(program)
            }
            "serve" | "http-server" | "sirv" | "serve-static" | "sirv-cli" => {
                let dir = served(rest).cloned();
                Resolved::Files(dir.unwrap_or_else(|| ".".to_owned()))
            }
            "concurrently" | "npm-run-all" | "npm-run-all2" | "run-p" | "run-s" => {
                self.several(name, rest, text, depth)
            }
            _ => tool(name, rest, program, text),
        }
    }

    /// Several commands at once: each one is a program of its own.
    fn several(&mut self, name: &str, rest: &[String], text: String, depth: u8) -> Resolved {
        if !self.package.nested.is_empty() {
            return Resolved::Delegates(text);
        }
        let commands = rest.iter().filter(|word| !word.starts_with('-'));
        let (mut develops, mut runs) = (false, false);
        for command in commands {
            let script = command.strip_prefix("npm:").unwrap_or(command);
            let resolved = if name == "concurrently" && !command.starts_with("npm:") {
                self.line(script, &[], depth + 1)
            } else {
                let Some(resolved) = self.script(script, &[], depth + 1) else {
                    continue;
                };
                resolved
            };
            develops |= matches!(resolved, Resolved::Development(_));
            runs |= matches!(
                resolved,
                Resolved::File(_) | Resolved::Bin { .. } | Resolved::Named(..)
            );
        }
        if develops && !runs {
            return Resolved::Development(text);
        }
        Resolved::Refused(format!("`{text}` starts several programs at once"))
    }

    /// `npm run x`, `yarn x`, `pnpm exec x` and their like.
    fn manager(
        &mut self,
        name: &str,
        rest: &[String],
        mut program: Program,
        depth: u8,
    ) -> Resolved {
        let text = || format!("{name} {}", rest.join(" "));
        if rest
            .iter()
            .take_while(|word| *word != "--")
            .any(|word| goes_elsewhere(word))
        {
            return Resolved::Delegates(text());
        }
        let is_watch = |word: &String| matches!(word.as_str(), "--watch" | "--hot");
        if name == "bun" && rest.iter().any(is_watch) {
            return Resolved::Development(text());
        }
        let words: Vec<&String> = rest
            .iter()
            .filter(|word| !matches!(word.as_str(), "-s" | "--silent" | "--if-present" | "--bun"))
            .collect();
        let (script, extra) = match words.as_slice() {
            [verb, script, extra @ ..] if matches!(verb.as_str(), "run" | "run-script") => {
                (script.as_str(), extra)
            }
            [verb, extra @ ..] if verb.as_str() == "start" => ("start", extra),
            [verb, command @ ..] if matches!(verb.as_str(), "exec" | "dlx" | "x") => {
                let command: Vec<String> = command.iter().map(|word| (*word).clone()).collect();
                return self.words(after_options(&command), program, depth + 1);
            }
            [script, extra @ ..] if name != "npm" => (script.as_str(), extra),
            _ => return Resolved::Refused(format!("`{}` is not understood", text())),
        };
        if name == "bun" && (script.contains('.') || script.starts_with('-')) {
            program.runtime = Runtime::Bun;
            let is_run = |word: &&String| word.as_str() != "run";
            program.arguments = rest.iter().filter(is_run).cloned().collect();
            return Resolved::File(program);
        }
        let extra: Vec<String> = extra
            .iter()
            .filter(|word| word.as_str() != "--")
            .map(|word| (*word).clone())
            .collect();
        match self.script(script, &extra, depth + 1) {
            Some(resolved) => with_env(resolved, &program),
            None if name != "npm" && !matches!(script, "start") => {
                let mut words = vec![script.to_owned()];
                words.extend(extra);
                self.words(&words, program, depth + 1)
            }
            None => Resolved::Refused(format!(
                "`{}` calls the script `{script}`, which does not exist",
                text()
            )),
        }
    }
}

/// The directory among the arguments of a file server.
fn served(arguments: &[String]) -> Option<&String> {
    const WITH_VALUE: &[&str] = &[
        "--config", "--host", "--listen", "--port", "--proxy", "-P", "-a", "-c", "-l", "-p",
    ];
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word.as_str()) {
            words.next();
        } else if !word.starts_with('-') {
            return Some(word);
        }
    }
    None
}

/// The port that the script which starts a package in production names: for its environment, or behind `-p` or `--port`.
pub(super) fn port(project: &Project<'_>) -> Option<Fact<u16>> {
    let followed = super::entry::SCRIPTS
        .iter()
        .find_map(|name| resolve(project, name))?;
    let (Resolved::File(program) | Resolved::Bin { program, .. } | Resolved::Named(_, program)) =
        followed.resolved
    else {
        return None;
    };
    let mut words = program.arguments.iter();
    let by_flag = words.find_map(|word| match word.as_str() {
        "-p" | "--port" => Some(String::new()),
        word => Some(word.strip_prefix("--port=")?.to_owned()),
    });
    let by_flag = match by_flag {
        Some(empty) if empty.is_empty() => words.next().cloned(),
        flag => flag,
    };
    let text = program.env.get("PORT").cloned().or(by_flag)?;
    let scripts = project.package.scripts.values();
    let mut named = scripts.filter(|script| script.value.contains(&text));
    let place = named.next()?;
    Some(Fact {
        value: crate::detect::source::port(&text)?,
        file: place.file.clone(),
        line: place.line,
    })
}

/// What a process manager starts: one file of its own is the program, and no manager is needed.
fn managed(arguments: &[String], mut program: Program, text: &str) -> Resolved {
    let rest = match arguments {
        [first, rest @ ..] if first == "start" => rest,
        rest => rest,
    };
    match rest {
        [file] if !file.contains(".config.") && !file.ends_with(".json") => {
            program.arguments = rest.to_vec();
            Resolved::File(program)
        }
        _ => Resolved::Refused(format!(
            "`{text}` manages processes, which the container's engine does"
        )),
    }
}

/// Whether a word makes a manager work on other members.
fn goes_elsewhere(word: &str) -> bool {
    matches!(
        word,
        "-w" | "--workspace"
            | "--workspaces"
            | "-F"
            | "--filter"
            | "-r"
            | "--prefix"
            | "--cwd"
            | "-C"
            | "workspace"
            | "workspaces"
    ) || ["--workspace=", "--filter=", "--prefix="]
        .iter()
        .any(|flag| word.starts_with(flag))
}

/// A program of an installed package.
fn tool(name: &str, rest: &[String], mut program: Program, text: String) -> Resolved {
    match program::known(name, rest) {
        Known::Development => Resolved::Development(text),
        Known::Delegates => Resolved::Delegates(text),
        Known::Bin(package, path) => {
            program.arguments = rest.to_vec();
            Resolved::Bin {
                package,
                path,
                program,
            }
        }
        Known::Unknown => {
            program.arguments = rest.to_vec();
            Resolved::Named(name.to_owned(), program)
        }
    }
}

fn after_options(words: &[String]) -> &[String] {
    let at = words
        .iter()
        .position(|word| !word.starts_with('-') || word == "--")
        .unwrap_or(words.len());
    let at = if words.get(at).is_some_and(|word| word == "--") {
        at + 1
    } else {
        at
    };
    &words[at..]
}

/// The environment of the caller, under that of the called script.
fn with_env(resolved: Resolved, outer: &Program) -> Resolved {
    let merge = |mut program: Program| {
        for (name, value) in &outer.env {
            program
                .env
                .entry(name.clone())
                .or_insert_with(|| value.clone());
        }
        if program.directory.is_none() {
            program.directory.clone_from(&outer.directory);
        }
        program
    };
    match resolved {
        Resolved::File(program) => Resolved::File(merge(program)),
        Resolved::Named(name, program) => Resolved::Named(name, merge(program)),
        Resolved::Bin {
            package,
            path,
            program,
        } => Resolved::Bin {
            package,
            path,
            program: merge(program),
        },
        other => other,
    }
}
