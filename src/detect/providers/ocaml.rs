//! OCaml: the executables of a dune project.

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan, quoted};
use crate::detect::repo::{Dir, join};
use crate::detect::source::{Family, Source};

use super::packaged::{self, Calls, PROGRAMS};

pub(crate) struct OCaml;

const LANGUAGE: Language = Language {
    name: "OCaml",
    build_systems: &["dune"],
    frameworks: &["dream", "opium"],
    manifests: &["dune-project"],
};

const LOOKS_LIKE: &str = "a dune project";

const CALLS: Calls = Calls {
    manifests: LANGUAGE.manifests,
    listen: &[
        ("Dream.run", Some("dream")),
        ("Opium.App", Some("opium")),
        ("Unix.listen", None),
        ("Cohttp_lwt_unix.Server", None),
    ],
    ports: &["~port:", "App.port", "ADDR_INET"],
    defaults: &[("dream", 8080), ("opium", 3000)],
};

/// Libraries that come with the compiler.
const BUILTIN: &[&str] = &["dynlink", "str", "threads", "threads.posix", "unix"];

struct Stanza {
    file: String,
    line: u64,
    name: String,
    dir: String,
    libraries: Vec<(u64, String)>,
    is_library: bool,
}

impl Provider for OCaml {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let mut roots: Vec<String> = Vec::new();
        for dir in scan.dirs_with(&["dune-project"]) {
            let path = dir.path();
            let is_inside = roots
                .iter()
                .any(|root| crate::detect::repo::is_within(path, root));
            if is_inside || passed_over(scan, path, LOOKS_LIKE, false) {
                continue;
            }
            roots.push(path.to_owned());
            let stanzas = stanzas(scan, path);
            let own: BTreeSet<&str> = stanzas
                .iter()
                .filter(|stanza| stanza.is_library)
                .map(|stanza| stanza.name.as_str())
                .collect();
            let programs: Vec<&Stanza> =
                stanzas.iter().filter(|stanza| !stanza.is_library).collect();
            if programs.is_empty() {
                let reason = "no `dune` file has an `executable`: it is a library";
                scan.reject(path, LOOKS_LIKE, reason);
            }
            for program in packaged::bounded(scan, &dir.join("dune-project"), programs) {
                app(scan, dir, program, &own);
            }
        }
    }
}

/// The libraries and executables of the `dune` files below `root`.
fn stanzas(scan: &Scan<'_>, root: &str) -> Vec<Stanza> {
    let mut found = Vec::new();
    for dir in scan.repo.below(root) {
        let below = dir.path().get(root.len()..).unwrap_or_default();
        let is_aside = below.split('/').any(|part| {
            matches!(
                part,
                "_build" | "bench" | "example" | "examples" | "test" | "tests"
            )
        });
        let Some(text) = dir.text("dune").ok().filter(|_| !is_aside) else {
            continue;
        };
        let source = Source::parse(&text, Family::Lisp);
        for (word, is_library) in [
            ("executable", false),
            ("executables", false),
            ("library", true),
        ] {
            let open = format!("({word}");
            let places = source.code.match_indices(&open).map(|(at, _)| at);
            for at in places.take(PROGRAMS * 2) {
                let rest = &source.code[at + open.len()..];
                if !rest.starts_with(|c: char| c.is_whitespace() || c == '(') {
                    continue;
                }
                let end = closing(&source.code, at);
                let libraries = field(&source, at, end, "libraries");
                let names = [
                    field(&source, at, end, "name"),
                    field(&source, at, end, "names"),
                ];
                for (line, name) in names.concat() {
                    found.push(Stanza {
                        file: dir.join("dune"),
                        line,
                        name,
                        dir: dir.path().to_owned(),
                        libraries: libraries.clone(),
                        is_library,
                    });
                }
            }
        }
    }
    found
}

/// Where the list that opens at `at` ends.
fn closing(code: &str, at: usize) -> usize {
    let mut depth = 0usize;
    for (offset, byte) in code[at..].bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + offset;
        }
    }
    code.len()
}

/// The words of `(name …)` in the list, each with its line.
fn field(source: &Source, at: usize, end: usize, name: &str) -> Vec<(u64, String)> {
    let open = format!("({name}");
    let Some(inside) = source.code.get(at..end) else {
        return Vec::new();
    };
    let mut found = inside
        .match_indices(&open)
        .map(|(found, _)| at + found + open.len());
    let start = found.find(|start| source.code[*start..].starts_with(char::is_whitespace));
    let Some(start) = start else {
        return Vec::new();
    };
    let stop = start
        + source.code[start..end]
            .find([')', '('])
            .unwrap_or(end - start);
    let mut words = Vec::new();
    let mut place = start;
    for word in source.code[start..stop].split(char::is_whitespace) {
        if !word.is_empty() {
            words.push((source.line(place), word.to_owned()));
        }
        place += word.len() + 1;
    }
    words
}

fn app(scan: &mut Scan<'_>, dir: Dir<'_>, program: &Stanza, own: &BTreeSet<&str>) {
    let facts = packaged::facts(scan, dir.path(), &["ml"], Family::OCaml, &CALLS);
    let mut draft = Draft::new(dir.path(), facts.kind(), "ocaml", "dune");
    draft.target = Some(program.name.clone()).filter(|name| name != "main");
    let found = Evidence::new("entry", &program.name, "ocaml.executable");
    draft
        .evidence
        .push(found.at(&program.file, Some(program.line)));
    let what = format!("`{}` is an executable of `{}`", program.name, program.file);
    facts.tell(&mut draft, &CALLS, &what);
    let manifest = dir.join("dune-project");
    let tools = ["build-base", "ocaml", "ocaml-dune"];
    let mut problem = packaged::toolchain(scan, &mut draft, &manifest, "OCaml", &tools);
    let foreign = program
        .libraries
        .iter()
        .find(|(_, name)| !BUILTIN.contains(&name.as_str()) && !own.contains(name.as_str()));
    if let (Some((line, name)), None) = (foreign, &problem) {
        let message = format!("needs the library `{name}`, which is not packaged");
        let help = "keep the sources of the libraries in the repository, as `dune` builds them along (`opam monorepo`)";
        problem = Some(Problem::new(&program.file, Some(*line), message).help(help));
    }
    let below = program.dir.get(dir.path().len()..).unwrap_or_default();
    let file = join(
        below.trim_start_matches('/'),
        &format!("{}.exe", program.name),
    );
    let word = quoted(&format!("./{file}"));
    draft.spec.build.commands = vec![format!("dune build --profile release {word}")];
    let runtime = ["ca-certificates-bundle", "glibc", "libgcc"];
    let from = format!("_build/default/{file}");
    packaged::program(scan, &mut draft, &from, &program.name, &runtime);
    packaged::finish(scan, draft, problem);
}
