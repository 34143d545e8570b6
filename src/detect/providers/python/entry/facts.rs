//! What the sources of a Python project say: what they listen with, and where.

use crate::detect::explain::Evidence;
use crate::detect::source::{self, Fact, File};
use crate::spec::Kind;

use super::Project;

/// Calls that make a program listen.
const LISTEN: &[&str] = &[
    "uvicorn.run(",
    "hypercorn.run(",
    "run_app(",
    "serve_forever(",
    "app.run(",
    "HTTPServer(",
    "TCPServer(",
    "start_server(",
    "add_insecure_port(",
    "add_secure_port(",
    "serve(",
    "make_server(",
    "run_server(",
];

/// Calls that read arguments.
const ARGUMENTS: &[&str] = &[
    "ArgumentParser(",
    "typer.Typer(",
    "typer.run(",
    "click.command",
    "click.group",
    "docopt(",
    "fire.Fire(",
];

/// What a program is, with the call that says so.
pub(super) fn kind(files: &[File]) -> (Kind, Option<Fact<String>>) {
    let call = |names: &[&str]| source::call(files, names);
    if let Some(fact) = call(LISTEN).or_else(|| files.iter().find_map(run_call)) {
        (Kind::Web, Some(fact))
    } else if let Some(fact) = call(ARGUMENTS) {
        (Kind::Cli, Some(fact))
    } else {
        (Kind::Worker, None)
    }
}

/// Calls of `run` that are given a host or a port.
fn run_calls(file: &File) -> impl Iterator<Item = usize> {
    file.source.all("run(").filter_map(move |at| {
        let start = at + "run(".len();
        let arguments = &file.source.code[start..end_of_call(&file.source.code, start)];
        let is_server = arguments.contains("port=") || arguments.contains("host=");
        is_server.then_some(start)
    })
}

fn run_call(file: &File) -> Option<Fact<String>> {
    let at = run_calls(file).next()?;
    Some(Fact {
        value: "run".to_owned(),
        file: file.path.clone(),
        line: file.source.line(at),
    })
}

/// The evidence for a kind.
pub(super) fn of_kind(kind: Kind, fact: Option<&Fact<String>>) -> Evidence {
    let (name, rule) = match kind {
        Kind::Web => ("web", "python.listens"),
        Kind::Cli => ("cli", "python.reads-arguments"),
        _ => ("worker", "python.nothing-listens"),
    };
    let evidence = Evidence::new("kind", name, rule);
    match fact {
        Some(fact) => evidence
            .at(&fact.file, Some(fact.line))
            .written(fact.value.clone()),
        None => evidence,
    }
}

/// The framework among the dependencies that a program uses.
pub(super) fn framework(project: &Project) -> Option<(String, Evidence)> {
    let name = [
        "fastapi",
        "flask",
        "litestar",
        "aiohttp",
        "bottle",
        "sanic",
        "quart",
        "starlette",
    ]
    .iter()
    .find(|name| project.direct.contains(**name))?;
    let evidence = Evidence::new("framework", *name, "python.dependency");
    Some(((*name).to_owned(), evidence.at(&project.manifest, None)))
}

/// The port that the sources run a server on.
pub(super) fn port(files: &[File]) -> Option<Fact<u16>> {
    let of_call = files.iter().find_map(|file| {
        let calls = LISTEN
            .iter()
            .flat_map(|call| file.source.all(call).map(move |at| at + call.len()));
        calls
            .chain(run_calls(file))
            .find_map(|at| in_call(file, at))
    });
    of_call
        .or_else(|| files.iter().find_map(beside_port))
        .or_else(|| files.iter().find_map(constant))
}

fn fact(file: &File, at: usize, value: u16) -> Fact<u16> {
    Fact {
        value,
        file: file.path.clone(),
        line: file.source.line(at),
    }
}

/// Where the parenthesis that is open at `at` is closed.
fn end_of_call(code: &str, at: usize) -> usize {
    let mut depth = 1_usize;
    for (offset, character) in code[at..].char_indices().take(2000) {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + offset;
        }
    }
    at
}

/// The port among the arguments that begin at `at`: named, in an address, or the only number.
fn in_call(file: &File, at: usize) -> Option<Fact<u16>> {
    let source = &file.source;
    let end = end_of_call(&source.code, at);
    let arguments = &source.code[at..end];
    let mut strings = source.strings_in(at..end).iter();
    if let Some(key) = arguments.find("port=") {
        let from = at + key + "port=".len();
        let next = source.code[from..].trim_start();
        if next.starts_with(['"', '\'']) {
            let (start, text) = strings.find(|(start, _)| *start >= from)?;
            return Some(fact(file, *start, source::port(text)?));
        }
        if next.starts_with(|c: char| c.is_ascii_digit()) {
            return Some(fact(file, from, source.number_after(from, 12)?));
        }
        return None;
    }
    let address = strings
        .find_map(|(start, text)| source::port_of_address(text).map(|(port, _)| (*start, port)));
    if let Some((start, port)) = address {
        return Some(fact(file, start, port));
    }
    let tuple = arguments.find([',', '('])?;
    let number = source.number_after(at + tuple, end - at - tuple)?;
    Some(fact(file, at, number)).filter(|fact| {
        // The number may stand on a line of its own.
        let text = fact.value.to_string();
        arguments.lines().next().is_some_and(|l| l.contains(&text))
    })
}

/// The default beside a read of `PORT`.
fn beside_port(file: &File) -> Option<Fact<u16>> {
    let source = &file.source;
    let (read, _) = source.strings.iter().find(|(_, text)| text == "PORT")?;
    let after = read + "\"PORT\"".len();
    let rest = source.code.get(after..)?;
    let end = after + rest.find('\n').unwrap_or(rest.len());
    let text = source
        .strings_in(after..end)
        .iter()
        .find_map(|(start, text)| source::port(text).map(|port| (*start, port)));
    if let Some((start, port)) = text {
        return Some(fact(file, start, port));
    }
    let port = source.number_after(after, 40)?;
    Some(fact(file, after, port))
}

/// `PORT = 8080` at the top level.
fn constant(file: &File) -> Option<Fact<u16>> {
    let mut at = 0;
    for line in file.source.code.split_inclusive('\n') {
        if ["PORT =", "PORT=", "PORT: int ="]
            .iter()
            .any(|name| line.starts_with(name))
            && let Some(port) = file.source.number_after(at, line.len())
        {
            return Some(fact(file, at, port));
        }
        at += line.len();
    }
    None
}

/// Whether the sources read `PORT`.
pub(super) fn reads_port(files: &[File]) -> bool {
    files
        .iter()
        .any(|file| file.source.strings.iter().any(|(_, text)| text == "PORT"))
}

/// Where a program listens on the loopback address only.
pub(super) fn is_local(files: &[File]) -> Option<(String, u64)> {
    files.iter().find_map(|file| {
        let mut calls = LISTEN
            .iter()
            .flat_map(|call| file.source.all(call).map(move |at| at + call.len()));
        calls.find_map(|at| {
            let end = end_of_call(&file.source.code, at);
            let mut strings = file.source.strings_in(at..end).iter();
            let is_loopback = |text: &str| matches!(text, "127.0.0.1" | "localhost");
            let (start, _) = strings.find(|(_, text)| is_loopback(text))?;
            Some((file.path.clone(), file.source.line(*start)))
        })
    })
}
