//! What the sources of one program in Rust say.

use std::collections::BTreeSet;

use crate::detect::document::Syntax;
use crate::detect::provider::Scan;
use crate::detect::repo::{is_within, join, split};
use crate::detect::source::{self, Fact, Family, File, Source};

use super::Crate;
use super::target::Bin;

/// Frameworks by crate, with the port that they listen on by themselves.
const FRAMEWORKS: &[(&str, Option<u16>)] = &[
    ("actix-web", None),
    ("axum", None),
    ("poem", None),
    ("rocket", Some(8000)),
    ("salvo", None),
    ("tonic", None),
    ("warp", None),
    ("hyper", None),
];

/// Calls that make a program listen.
const LISTEN: &[&str] = &[
    "TcpListener::bind",
    "TcpListener::new",
    "HttpServer::new",
    "Server::bind",
    "Server::http",
    "Server::try_bind",
    "axum::serve",
    "axum_server::bind",
    "Server::builder",
    "rocket::build",
    "rocket::custom",
    "warp::serve",
    "UdpSocket::bind",
    "#[launch]",
];

/// Crates that read arguments.
const ARGUMENTS: &[&str] = &["argh", "bpaf", "clap", "lexopt", "pico-args", "structopt"];

/// Modules that are followed at most.
const MODULES: usize = 400;

/// A file and a line in it.
type Place = (String, u64);

pub(super) struct Facts {
    /// The call that listens.
    pub(super) listens: Option<Fact<String>>,
    pub(super) port: Option<Fact<u16>>,
    /// Where it listens on the loopback address only.
    pub(super) is_local: Option<Place>,
    pub(super) reads_port: bool,
    pub(super) health: Option<Fact<String>>,
    /// The framework, with the port that it has by itself.
    pub(super) framework: Option<(&'static str, Option<u16>)>,
    /// The crate that reads arguments.
    pub(super) arguments: Option<&'static str>,
    /// Directories and files that it opens by a relative path.
    pub(super) data: Vec<Fact<String>>,
    /// A query that is checked against a database when it is compiled.
    pub(super) query: Option<Fact<String>>,
}

pub(super) fn facts(scan: &mut Scan<'_>, member: &Crate, bin: &Bin) -> Facts {
    let entry = join(&member.dir, &bin.entry);
    let src = join(&member.dir, "src");
    let bin_dir = join(&src, "bin");
    // The other targets of the crate are other programs.
    let own_dir = if split(&entry).1 == "main.rs" && is_within(&entry, &bin_dir) {
        split(&entry).0
    } else {
        &entry
    };
    let declared = modules(scan, &[entry.clone(), join(&src, "lib.rs")]);
    let is_its = |path: &str| {
        let is_near = is_within(path, own_dir) || !is_within(path, &bin_dir);
        path == entry
            || !member.entries.contains(path)
                && match &declared {
                    Some(files) => files.contains(path),
                    None => is_within(path, &src) && is_near,
                }
    };
    let files = source::own_of(scan.repo, &member.dir, &[], &["rs"], Family::Rust, &is_its);
    let has = |name: &str| member.dependencies.contains(name);
    let framework = FRAMEWORKS.iter().find(|(name, _)| has(name)).copied();
    let (port, is_local) = port(&files);
    let settings = Some(()).filter(|()| framework.is_some_and(|(name, _)| name == "rocket"));
    let settings = settings.and_then(|()| rocket(scan, member));
    let (port, is_local) = match &settings {
        Some(Settings {
            port: Some(found), ..
        }) => (Some(found.clone()), None),
        _ => (port, is_local),
    };
    let mut data = data(scan, member, &files);
    data.extend(settings.map(|settings| settings.file));
    Facts {
        listens: source::call(&files, LISTEN),
        port,
        is_local,
        reads_port: files
            .iter()
            .any(|file| file.source.strings.iter().any(|(_, text)| text == "PORT")),
        health: source::health(&files),
        framework,
        arguments: ARGUMENTS.iter().find(|name| has(name)).copied(),
        data,
        query: source::call(
            &files,
            &["query!(", "query_as!(", "query_scalar!(", "query_file!("],
        )
        .filter(|_| has("sqlx")),
    }
}

/// What Rocket reads from the directory that it runs in.
struct Settings {
    file: Fact<String>,
    port: Option<Fact<u16>>,
}

/// The settings of Rocket beside the crate: those for a release come before those for all.
fn rocket(scan: &mut Scan<'_>, member: &Crate) -> Option<Settings> {
    let document = scan.document(&join(&member.dir, "Rocket.toml"), Syntax::Toml)?;
    let port = ["release", "default", "global"]
        .into_iter()
        .find_map(|profile| {
            let keys = [profile, "port"];
            let value = document.get(&keys)?.as_u64()?;
            Some(Fact {
                value: u16::try_from(value).ok()?,
                file: document.file.clone(),
                line: document.line(&keys)?,
            })
        });
    Some(Settings {
        file: Fact {
            value: "Rocket.toml".to_owned(),
            file: document.file.clone(),
            line: 0,
        },
        port,
    })
}

/// The files that the modules of `roots` declare, these included; nothing where only the compiler can tell.
fn modules(scan: &Scan<'_>, roots: &[String]) -> Option<BTreeSet<String>> {
    const UNCERTAIN: &[&str] = &["include!", "automod::", "path =", "mod r#"];
    let mut found = BTreeSet::new();
    let mut queue: Vec<String> = roots.to_vec();
    while let Some(file) = queue.pop() {
        if !scan.repo.has(&file) || !found.insert(file.clone()) {
            continue;
        }
        let source = Source::parse(&scan.repo.text(&file).ok()?, Family::Rust);
        if found.len() > MODULES || UNCERTAIN.iter().any(|word| source.code.contains(word)) {
            return None;
        }
        let (dir, name) = split(&file);
        let stem = name.strip_suffix(".rs").unwrap_or(name);
        let base = if stem == "mod" || roots.contains(&file) {
            dir.to_owned()
        } else {
            join(dir, stem)
        };
        for at in source.all("mod ") {
            let rest = source.code[at + "mod ".len()..].trim_start();
            let is_part = |c: char| c == '_' || c.is_alphanumeric();
            let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
            if rest[end..].trim_start().starts_with(';') {
                let below = join(&base, &rest[..end]);
                let files = [format!("{below}.rs"), join(&below, "mod.rs")];
                queue.push(files.into_iter().find(|file| scan.repo.has(file))?);
            }
        }
    }
    Some(found)
}

/// What of the crate's directory the program opens by a relative path, and does not build in.
fn data(scan: &Scan<'_>, member: &Crate, files: &[File]) -> Vec<Fact<String>> {
    let Some(dir) = scan.repo.dir(&member.dir) else {
        return Vec::new();
    };
    let is_source = |name: &str| {
        matches!(
            name,
            "src" | "tests" | "benches" | "examples" | "crates" | "migrations"
        ) || scan
            .repo
            .below(&dir.join(name))
            .any(|below| below.has("Cargo.toml"))
    };
    let is_opened = |file: &File, at: usize| !is_built_in(&file.source.code[..at]);
    let opened = |name: &str| source::path(files, name, &is_opened);
    let is_data = |name: &&crate::detect::repo::Name| {
        let is_manifest = matches!(name.as_str(), "Cargo.toml" | "clippy.toml" | "rustfmt.toml");
        !is_manifest
            && [".html", ".json", ".sql", ".toml", ".txt", ".yaml", ".yml"]
                .iter()
                .any(|end| name.ends_with(end))
    };
    let dirs = dir
        .dirs()
        .iter()
        .filter(|name| !name.starts_with('.') && !is_source(name));
    let names = dirs.chain(dir.files().iter().filter(is_data));
    names.filter_map(|name| opened(name)).collect()
}

/// Whether the string behind this code names something that the compiler reads.
fn is_built_in(before: &str) -> bool {
    let before = before.trim_end();
    [
        "include_str!(",
        "include_bytes!(",
        "include_dir!(",
        "include!(",
        "migrate!(",
        "folder =",
        "path =",
    ]
    .iter()
    .any(|call| before.ends_with(call))
}

/// The port of an address that is written as a pair: `.bind(("0.0.0.0", 8080))`, `([127, 0, 0, 1], 3030)`.
fn bound(file: &File) -> Option<(Fact<u16>, Option<Place>)> {
    const CALLS: &[&str] = &[
        ".bind((",
        ".bind_auto_h2c((",
        ".bind_openssl((",
        ".bind_rustls_0_23((",
        "TcpListener::bind((",
        "TcpListener::new((",
    ];
    let source = &file.source;
    let fact = |at: usize, value: u16| Fact {
        value,
        file: file.path.clone(),
        line: source.line(at),
    };
    let of_call = CALLS.iter().find_map(|call| {
        let start = source.find(call)? + call.len();
        let host = source.string_at(start)?;
        let after = start + source.code[start..].find(',')?;
        let value = source.number_after(after, 12)?;
        let local = matches!(host, "127.0.0.1" | "localhost" | "::1");
        Some((
            fact(after, value),
            local.then(|| (file.path.clone(), source.line(start))),
        ))
    });
    of_call.or_else(|| {
        let call = ["[127, 0, 0, 1], ", "LOCALHOST, ", "LOCALHOST), "]
            .into_iter()
            .find_map(|call| Some((source.code.find(call)?, call.len())));
        let (at, length) = call?;
        let value = source.number_after(at + length, 8)?;
        Some((fact(at, value), Some((file.path.clone(), source.line(at)))))
    })
}

fn port(files: &[File]) -> (Option<Fact<u16>>, Option<Place>) {
    let fact = |file: &File, at: usize, value: u16| Fact {
        value,
        file: file.path.clone(),
        line: file.source.line(at),
    };
    for file in files {
        for (at, text) in &file.source.strings {
            if let Some((value, is_local)) = source::port_of_address(text) {
                let local = is_local.then(|| (file.path.clone(), file.source.line(*at)));
                return (Some(fact(file, *at, value)), local);
            }
        }
        if let Some((port, local)) = bound(file) {
            return (Some(port), local);
        }
        for call in [
            "[0, 0, 0, 0], ",
            "([0, 0, 0, 0], ",
            "[0; 4], ",
            "UNSPECIFIED, ",
            "UNSPECIFIED), ",
        ] {
            if let Some(at) = file.source.code.find(call)
                && let Some(value) = file.source.number_after(at + call.len(), 8)
            {
                return (Some(fact(file, at, value)), None);
            }
        }
        let read = file.source.strings.iter().find(|(_, text)| text == "PORT");
        if let Some((start, _)) = read {
            let beside =
                file.source.strings.iter().find(|(at, text)| {
                    at > start && at - start < 200 && source::port(text).is_some()
                });
            if let Some((at, text)) = beside
                && let Some(value) = source::port(text)
            {
                return (Some(fact(file, *at, value)), None);
            }
            if let Some(value) = file.source.number_after(start + "\"PORT\"".len(), 60) {
                return (Some(fact(file, *start, value)), None);
            }
        }
    }
    (None, None)
}
