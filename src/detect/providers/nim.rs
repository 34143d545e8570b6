//! Nim: the programs that a nimble file names.

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Provider, Scan};
use crate::detect::source::{Family, Source};

use super::packaged::{self, Calls};

pub(crate) struct Nim;

const LANGUAGE: Language = Language {
    name: "Nim",
    build_systems: &["nimble"],
    frameworks: &["jester", "prologue"],
    manifests: &[".nimble"],
};

const LOOKS_LIKE: &str = "a Nim package";

const CALLS: Calls = Calls {
    manifests: LANGUAGE.manifests,
    listen: &[
        ("import jester", Some("jester")),
        ("import prologue", Some("prologue")),
        ("newAsyncHttpServer(", None),
        (".listen(", None),
    ],
    ports: &["Port(", "port ="],
    defaults: &[("jester", 5000), ("prologue", 8080)],
};

impl Provider for Nim {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in scan.dirs_with(&[".nimble"]) {
            let Some(name) = dir.files().iter().find(|name| name.ends_with(".nimble")) else {
                continue;
            };
            if passed_over(scan, dir.path(), LOOKS_LIKE, false) {
                continue;
            }
            let manifest = dir.join(name);
            let Ok(text) = dir.text(name) else { continue };
            let source = Source::parse(&text, Family::Python);
            let programs = programs(&source);
            if programs.is_empty() {
                scan.reject(dir.path(), LOOKS_LIKE, "it names no `bin`: it is a library");
            }
            for (line, program) in packaged::bounded(scan, &manifest, programs) {
                let facts = packaged::facts(scan, dir.path(), &["nim"], Family::Python, &CALLS);
                let mut draft = Draft::new(dir.path(), facts.kind(), "nim", "nimble");
                draft.target = Some(program.clone());
                let found = Evidence::new("entry", &program, "nim.bin");
                draft.evidence.push(found.at(&manifest, Some(line)));
                facts.tell(
                    &mut draft,
                    &CALLS,
                    &format!("`{program}` is a `bin` of `{name}`"),
                );
                let problem = packaged::toolchain(scan, &mut draft, &manifest, "Nim", &["nim"]);
                draft.spec.build.commands = vec!["nimble build -y -d:release".to_owned()];
                let runtime = ["ca-certificates-bundle", "glibc", "libgcc"];
                packaged::program(scan, &mut draft, &program, &program, &runtime);
                packaged::finish(scan, draft, problem);
            }
        }
    }
}

/// The strings of `bin = @["server"]`.
fn programs(source: &Source) -> Vec<(u64, String)> {
    let mut start = 0;
    let at = source.code.split_inclusive('\n').find_map(|line| {
        let at = start;
        start += line.len();
        let rest = line.trim_start().strip_prefix("bin")?;
        rest.trim_start().starts_with('=').then_some(at)
    });
    let Some(at) = at else {
        return Vec::new();
    };
    let end = source.code[at..]
        .find(']')
        .map_or(source.code.len(), |end| at + end);
    let inside = source.strings_in(at..end).iter();
    inside
        .map(|(place, text)| (source.line(*place), text.clone()))
        .collect()
}
