//! Start scripts of a package, followed to the program that they run.

use std::collections::BTreeMap;

use crate::detect::repo;
use crate::detect::start::{self, Command};

use super::{Package, Project};

/// What a script runs in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// `node` with these arguments; the first one that is no option is the entry.
    Node(Program),
    /// A program of an installed package, with its arguments.
    Bin {
        package: &'static str,
        path: &'static str,
        program: Program,
    },
    /// A directory that a file server would serve.
    Files(String),
    /// A development server, as written.
    Development(String),
    /// It starts other members of the workspace.
    Delegates(String),
    /// It cannot be run without a shell, or is not understood: the reason.
    Refused(String),
}

/// Arguments, environment and directory of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) arguments: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// Relative to the package.
    pub(super) directory: Option<String>,
}

/// Programs of packages that serve, with the path that the package's `bin` field names.
const BINS: &[(&str, &str, &str)] = &[
    ("fastify", "fastify-cli", "cli.js"),
    ("next", "next", "dist/bin/next"),
    ("probot", "probot", "bin/probot.js"),
    ("react-router-serve", "@react-router/serve", "bin.cjs"),
    ("remix-serve", "@remix-run/serve", "dist/cli.js"),
    ("srvx", "srvx", "bin/srvx.mjs"),
    ("strapi", "@strapi/strapi", "bin/strapi.js"),
    ("tsx", "tsx", "dist/cli.mjs"),
];

/// Programs, and the argument that makes them a development server; `*` stands for any.
const DEVELOPMENT: &[(&str, &str)] = &[
    ("astro", "*"),
    ("docusaurus", "start"),
    ("eleventy", "--serve"),
    ("expo", "*"),
    ("gatsby", "*"),
    ("http-server", "-dev"),
    ("nest", "start"),
    ("next", "dev"),
    ("ng", "*"),
    ("nodemon", "*"),
    ("nuxt", "*"),
    ("nuxi", "*"),
    ("parcel", "*"),
    ("react-router", "dev"),
    ("react-scripts", "start"),
    ("remix", "*"),
    ("rollup", "*"),
    ("start-storybook", "*"),
    ("storybook", "*"),
    ("svelte-kit", "*"),
    ("ts-node-dev", "*"),
    ("tsc", "*"),
    ("tsc-watch", "*"),
    ("tsnd", "*"),
    ("tsup", "*"),
    ("vinxi", "dev"),
    ("vite", "*"),
    ("vitepress", "*"),
    ("vue-cli-service", "*"),
    ("webpack", "*"),
    ("webpack-dev-server", "*"),
    ("wrangler", "*"),
];

/// Orchestrators, and managers' flags that start other members.
const DELEGATES: &[&str] = &[
    "concurrently",
    "lerna",
    "moon",
    "npm-run-all",
    "npm-run-all2",
    "nx",
    "run-p",
    "run-s",
    "turbo",
    "wireit",
];

/// Follows the script `name` of a package.
pub(super) fn resolve(project: &Project<'_>, name: &str) -> Option<Resolved> {
    follow(project.package, name, &[], 0)
}

/// Follows a command line that stands outside the manifest, such as one of a Procfile.
pub(super) fn resolve_line(project: &Project<'_>, line: &str) -> Resolved {
    line_of(project.package, line, &[], 0)
}

fn follow(package: &Package, name: &str, extra: &[String], depth: u8) -> Option<Resolved> {
    let script = package.document.str(&["scripts", name])?;
    Some(line_of(package, script, extra, depth))
}

fn line_of(package: &Package, script: &str, extra: &[String], depth: u8) -> Resolved {
    if depth > 8 {
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
        if !is_build_step(command) {
            let text = command.literals().join(" ");
            return Resolved::Refused(format!(
                "`{text}` runs before the start, which needs a shell"
            ));
        }
    }
    command(package, last, extra, depth)
}

/// Whether all that a script does is to build.
pub(super) fn only_builds(script: &str) -> bool {
    start::parse(script).is_ok_and(|commands| commands.iter().all(is_build_step))
}

/// Whether a command before the start only builds, which the build has done already.
fn is_build_step(command: &Command) -> bool {
    let words = command.literals();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["npm" | "yarn" | "pnpm", "run", script, ..] => {
            script.starts_with("build") || *script == "compile"
        }
        ["yarn" | "pnpm", script, ..] => script.starts_with("build"),
        [
            "next" | "vite" | "astro" | "nuxt" | "remix" | "nest",
            "build",
            ..,
        ] => true,
        [
            "tsc" | "tsup" | "esbuild" | "swc" | "webpack" | "rollup" | "rimraf",
            ..,
        ] => true,
        ["npx", rest @ ..] => matches!(rest.first(), Some(&"tsc")),
        _ => false,
    }
}

fn command(package: &Package, command: &Command, extra: &[String], depth: u8) -> Resolved {
    let mut env = BTreeMap::new();
    for (name, value) in &command.env {
        match value.literal() {
            Some(value) => {
                env.insert(name.clone(), value);
            }
            None => return Resolved::Refused(format!("the value of `{name}` needs a shell")),
        }
    }
    let mut words = Vec::new();
    let mut at = 0;
    while at < command.words.len() {
        match command.words[at].literal() {
            Some(word) => words.push(word),
            // `-p $PORT`: the program reads PORT by itself, or its default is declared.
            None if words.last().is_some_and(|flag: &String| {
                matches!(
                    flag.as_str(),
                    "-p" | "--port" | "-l" | "-H" | "--host" | "--hostname"
                )
            }) =>
            {
                words.pop();
            }
            None => match command.words[at].expand(&|_| None) {
                Ok(word) if word.starts_with("--port=") => {}
                Ok(word) => words.push(word),
                Err(refusal) => return Resolved::Refused(refusal.to_string()),
            },
        }
        at += 1;
    }
    words.extend(extra.iter().cloned());
    let program = Program {
        arguments: Vec::new(),
        env,
        directory: command.directory.clone(),
    };
    words_of(package, &words, program, depth)
}

fn words_of(package: &Package, words: &[String], mut program: Program, depth: u8) -> Resolved {
    let text = words.join(" ");
    let (name, rest) = match words.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => return Resolved::Refused("the script is empty".to_owned()),
    };
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
            if directory.is_some_and(|dir| package.nested.contains(&dir)) {
                return Resolved::Delegates(text);
            }
            return manager(package, name, rest, program, depth);
        }
        "npx" | "pnpx" | "bunx" => return words_of(package, after_options(rest), program, depth),
        "dotenv" | "dotenvx" | "infisical" | "doppler" => {
            let at = rest.iter().position(|word| word == "--").map(|at| at + 1);
            return match at {
                Some(at) => words_of(package, &rest[at..], program, depth),
                None => Resolved::Refused(format!("`{text}` is not understood")),
            };
        }
        "dumb-init" | "tini" => return words_of(package, after_options(rest), program, depth),
        "node" | "nodejs" => {
            if rest
                .iter()
                .any(|word| word == "--watch" || word.starts_with("--watch-path"))
            {
                return Resolved::Development(text);
            }
            program.arguments = rest.to_vec();
            return Resolved::Node(program);
        }
        "serve" | "http-server" | "sirv" | "serve-static" => {
            let dir = rest
                .iter()
                .find(|word| !word.starts_with('-') && word.parse::<u16>().is_err());
            return Resolved::Files(dir.cloned().unwrap_or_else(|| ".".to_owned()));
        }
        _ => {}
    }
    tool(name, rest, program, text)
}

/// A program of an installed package.
fn tool(name: &str, rest: &[String], mut program: Program, text: String) -> Resolved {
    let first = rest.first().map(String::as_str).unwrap_or_default();
    if DELEGATES.contains(&name) {
        return Resolved::Delegates(text);
    }
    let is_watch = rest.iter().any(|word| word == "watch" || word == "--watch");
    if DEVELOPMENT
        .iter()
        .any(|(tool, verb)| *tool == name && (*verb == "*" || *verb == first))
        || (name == "tsx" && is_watch)
    {
        return Resolved::Development(text);
    }
    match BINS.iter().find(|(bin, _, _)| *bin == name) {
        Some((_, package, path)) => {
            program.arguments = rest.to_vec();
            Resolved::Bin {
                package,
                path,
                program,
            }
        }
        None => Resolved::Refused(format!(
            "`{name}` is no program whose place in the image is known"
        )),
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

/// `npm run x`, `yarn x`, `pnpm exec x` and their like.
fn manager(
    package: &Package,
    name: &str,
    rest: &[String],
    program: Program,
    depth: u8,
) -> Resolved {
    let text = || format!("{name} {}", rest.join(" "));
    let goes_elsewhere = |word: &String| {
        matches!(
            word.as_str(),
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
    };
    if rest
        .iter()
        .take_while(|word| *word != "--")
        .any(goes_elsewhere)
    {
        return Resolved::Delegates(text());
    }
    let words: Vec<&String> = rest
        .iter()
        .filter(|word| !matches!(word.as_str(), "-s" | "--silent" | "--if-present"))
        .collect();
    let (script, extra) = match words.as_slice() {
        [verb, script, extra @ ..] if matches!(verb.as_str(), "run" | "run-script") => {
            (script.as_str(), extra)
        }
        [verb, extra @ ..] if verb.as_str() == "start" => ("start", extra),
        [verb, command @ ..] if matches!(verb.as_str(), "exec" | "dlx" | "x") => {
            let command: Vec<String> = command.iter().map(|word| (*word).clone()).collect();
            return words_of(package, after_options(&command), program, depth + 1);
        }
        [script, extra @ ..] if name != "npm" => (script.as_str(), extra),
        _ => return Resolved::Refused(format!("`{}` is not understood", text())),
    };
    let extra: Vec<String> = extra
        .iter()
        .filter(|word| word.as_str() != "--")
        .map(|word| (*word).clone())
        .collect();
    let followed = follow(package, script, &extra, depth + 1);
    match followed {
        Some(resolved) => with_env(resolved, &program),
        None if name != "npm" && !matches!(script, "start") => {
            let mut words = vec![script.to_owned()];
            words.extend(extra);
            words_of(package, &words, program, depth + 1)
        }
        None => Resolved::Refused(format!(
            "`{}` calls the script `{script}`, which does not exist",
            text()
        )),
    }
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
        Resolved::Node(program) => Resolved::Node(merge(program)),
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
