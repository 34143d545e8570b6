//! What the sources of a program say of it: whether it listens, where, and with what.

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Scan};
use crate::detect::source::{self, Fact, Family, File};

use super::{Program, fact, is_cxx, is_source};

/// Calls that make a program listen, with the framework whose they are.
const LISTEN: &[(&str, Option<&str>)] = &[
    ("MHD_start_daemon(", Some("microhttpd")),
    ("mg_http_listen(", Some("mongoose")),
    ("crow::SimpleApp", Some("crow")),
    ("drogon::app()", Some("drogon")),
    ("httplib::Server", Some("httplib")),
    ("httplib::SSLServer", Some("httplib")),
    ("tcp::acceptor", None),
    ("grpc::ServerBuilder", None),
    ("uWS::App", None),
    ("listen(", None),
    ("recvfrom(", None),
];

/// Calls whose arguments name the port.
const PORTS: &[&str] = &[
    "htons(",
    "MHD_start_daemon(",
    ".port(",
    ".listen(",
    "->listen(",
    ".addListener(",
    "tcp::v4(),",
    "tcp::v6(),",
];

/// Calls of one kind whose arguments are looked at, and places of a name, at most.
const CALLS: usize = 20;

/// What the sources of one program say.
pub(super) struct Facts {
    pub(super) listens: Option<Fact<String>>,
    pub(super) framework: Option<Fact<String>>,
    port: Option<Fact<u16>>,
    is_local: Option<(String, u64)>,
    reads_port: Option<Fact<String>>,
    health: Option<Fact<String>>,
    /// What makes it a program that is run by hand.
    pub(super) is_cli: Option<Fact<String>>,
    pub(super) is_cxx: bool,
}

/// Reads the sources of `program` in `dir`, without those that only `others` are made of and without the directories of
/// other builds.
pub(super) fn read(
    scan: &Scan<'_>,
    dir: &str,
    program: &Program,
    others: &BTreeSet<&str>,
    builds: &[String],
) -> Facts {
    let extensions = ["c", "cc", "cpp", "cxx", "h", "hpp"];
    let mut files = source::own(scan.repo, dir, builds, &extensions, Family::C);
    files.retain(|file| {
        let below = file.path.get(dir.len()..).unwrap_or_default();
        let is_foreign = below.split('/').any(|part| {
            matches!(
                part,
                "third_party" | "third-party" | "vendor" | "external" | "extern" | "deps"
            )
        });
        !others.contains(file.path.as_str()) && !is_foreign
    });
    let is_cxx = if program.sources.is_empty() {
        files.iter().any(|file| is_cxx(&file.path))
    } else {
        program.sources.iter().any(|source| is_cxx(source))
    };
    let listening = LISTEN.iter().find_map(|(call, framework)| {
        // A header declares what its library could do.
        let mut sources = files.iter().filter(|file| is_source(&file.path));
        let found = sources.find_map(|file| {
            let at = file.source.find(call)?;
            Some(fact(file, at, call.trim_end_matches('(').to_owned()))
        })?;
        Some((found, *framework))
    });
    let reads_port = files.iter().find_map(|file| {
        let (at, text) = file
            .source
            .strings
            .iter()
            .find(|(_, text)| text == "PORT")?;
        let before = file.source.code[..*at].trim_end();
        before
            .ends_with("getenv(")
            .then(|| fact(file, *at, text.clone()))
    });
    let (port, is_local) = port(&files);
    Facts {
        framework: listening.as_ref().and_then(|(found, framework)| {
            let value = (*framework)?.to_owned();
            Some(Fact {
                value,
                file: found.file.clone(),
                line: found.line,
            })
        }),
        listens: listening.map(|(found, _)| found),
        port,
        is_local,
        reads_port,
        health: source::health(&files),
        is_cli: source::call(&files, &["getopt", "argc"]),
        is_cxx,
    }
}

impl Facts {
    /// Adds what is known of kind, framework, port and health to the draft.
    pub(super) fn tell<'a>(&'a self, scan: &mut Scan<'_>, draft: &mut Draft) {
        let place = |fact: &'a Fact<String>| {
            Some((fact.file.as_str(), Some(fact.line), fact.value.as_str()))
        };
        let Some(call) = &self.listens else {
            match &self.is_cli {
                Some(word) => draft.is_so("native.reads-arguments", place(word)),
                None => draft.is_so("native.nothing-listens", None),
            }
            return;
        };
        draft.is_so("native.listens", place(call));
        if let Some(framework) = &self.framework {
            draft.evidence.push(
                Evidence::new("framework", &framework.value, "native.listens")
                    .at(&framework.file, Some(framework.line))
                    .written(&call.value),
            );
        }
        match (&self.port, &self.reads_port) {
            (Some(port), _) => draft.listens_on(port, "native.address"),
            (None, Some(_)) => draft.is_given_port(8080),
            (None, None) => {}
        }
        if let Some(health) = &self.health {
            draft.answers(health);
        }
        if let Some((file, line)) = &self.is_local {
            let message =
                "listens on the loopback address, which nothing outside the container reaches";
            scan.warn(file, Some(*line), message);
        }
    }
}

/// The port, and the place of a loopback address.
fn port(files: &[File]) -> (Option<Fact<u16>>, Option<(String, u64)>) {
    let local = files.iter().find_map(|file| {
        let at = file.source.find("INADDR_LOOPBACK")?;
        Some((file.path.clone(), file.source.line(at)))
    });
    for file in files {
        for call in PORTS {
            for at in file.source.all(call).take(CALLS) {
                if let Some(found) = argument(files, file, at + call.len()) {
                    return (Some(found), local);
                }
            }
        }
        for (at, text) in &file.source.strings {
            let address = text
                .split_once("://")
                .map_or(text.as_str(), |(_, rest)| rest);
            if let Some((value, is_local)) = source::port_of_address(address) {
                let place = is_local.then(|| (file.path.clone(), file.source.line(*at)));
                return (Some(fact(file, *at, value)), place.or(local));
            }
        }
    }
    (files.iter().find_map(beside_variable), local)
}

/// The port among the arguments at `at`: a number, or a name that stands for one.
fn argument(files: &[File], file: &File, at: usize) -> Option<Fact<u16>> {
    let rest = file.source.code.get(at..)?;
    let end = rest.find([')', ';', '{']).unwrap_or(rest.len()).min(200);
    let rest = rest.get(..end)?;
    let mut start = at;
    for word in rest.split(',') {
        let name = word.trim();
        if let Some(value) = source::port(name) {
            let blank = word.len() - word.trim_start().len();
            return Some(fact(file, start + blank, value));
        }
        let is_name = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
            && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
        if is_name && let Some(found) = named(files, file, name) {
            return Some(found);
        }
        start += word.len() + 1;
    }
    otherwise(file, at)
}

/// The last word of a choice such as `port ? atoi(port) : 8080`.
fn otherwise(file: &File, at: usize) -> Option<Fact<u16>> {
    let statement = file.source.code.get(at..)?.split([';', '\n']).next()?;
    let choice = at + statement.find('?')?;
    let value = file.source.number_after(choice, 80)?;
    Some(fact(file, choice, value))
}

/// The number that `name` is defined as, in `file` or in another one.
fn named(files: &[File], file: &File, name: &str) -> Option<Fact<u16>> {
    let define = format!("#define {name} ");
    let here = std::iter::once(file);
    let others = files.iter().filter(|other| other.path != file.path);
    for file in here.chain(others) {
        for at in file.source.all(&define).take(CALLS) {
            let rest = &file.source.code[at + define.len()..];
            let line = rest.lines().next().unwrap_or_default().trim();
            if let Some(value) = source::port(line) {
                return Some(fact(file, at, value));
            }
        }
        for at in file.source.all(name).take(CALLS) {
            let rest = file.source.code[at + name.len()..].trim_start();
            let Some(value) = rest.strip_prefix(['=', '{']) else {
                continue;
            };
            if let Some(found) = otherwise(file, at) {
                return Some(found);
            }
            let value = value.trim_start();
            let end = value
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(value.len());
            if let Some(value) = source::port(&value[..end]) {
                return Some(fact(file, at, value));
            }
        }
    }
    beside_variable(file)
}

/// The default beside `getenv("PORT")`.
fn beside_variable(file: &File) -> Option<Fact<u16>> {
    let (start, _) = file
        .source
        .strings
        .iter()
        .find(|(_, text)| text == "PORT")?;
    let beside = file.source.strings.iter().find_map(|(at, text)| {
        let is_near = at > start && at - start < 200;
        is_near
            .then(|| source::port(text))
            .flatten()
            .map(|value| (*at, value))
    });
    if let Some((at, value)) = beside {
        return Some(fact(file, at, value));
    }
    let value = file.source.number_after(start + "\"PORT\"".len(), 80)?;
    Some(fact(file, *start, value))
}
