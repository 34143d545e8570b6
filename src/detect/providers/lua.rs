//! Lua: scripts that a rockspec or a `main.lua` names.

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::provider::{Draft, Problem, Provider, Scan};
use crate::detect::repo::Dir;
use crate::detect::source::{Family, Source};
use crate::spec::Copy;

use super::packaged::{self, Calls};

pub(crate) struct Lua;

const LANGUAGE: Language = Language {
    name: "Lua",
    build_systems: &["luarocks"],
    frameworks: &["lapis", "pegasus"],
    manifests: &[".rockspec", "main.lua"],
};

const LOOKS_LIKE: &str = "a Lua project";

const CALLS: Calls = Calls {
    manifests: LANGUAGE.manifests,
    listen: &[
        ("lapis.serve(", Some("lapis")),
        ("pegasus:new(", Some("pegasus")),
        ("socket.bind(", None),
        (":listen(", None),
    ],
    ports: &["socket.bind(", "port =", "port="],
    defaults: &[("lapis", 8080), ("pegasus", 9090)],
};

impl Provider for Lua {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in packaged::candidates(scan, LANGUAGE.manifests, LOOKS_LIKE) {
            // A game is no server: the engine that runs it has this file.
            if dir.has("conf.lua") {
                scan.reject(dir.path(), LOOKS_LIKE, "`conf.lua` makes it a game of LÖVE");
                continue;
            }
            match dir.first(&["main.lua", "app.lua", "server.lua"]) {
                Some(entry) => app(scan, dir, entry),
                None => {
                    let reason = "it has no `main.lua`, `app.lua` or `server.lua`: it is a library";
                    scan.reject(dir.path(), LOOKS_LIKE, reason);
                }
            }
        }
    }
}

/// The rocks that the rockspec depends on, with their lines.
fn rocks(dir: Dir<'_>) -> Option<(String, Vec<(u64, String)>)> {
    let name = dir
        .files()
        .iter()
        .find(|name| name.ends_with(".rockspec"))?;
    let source = Source::parse(&dir.text(name).ok()?, Family::Lua);
    let Some(at) = source.find("dependencies") else {
        return Some((dir.join(name), Vec::new()));
    };
    let end = source.code[at..]
        .find('}')
        .map_or(source.code.len(), |end| at + end);
    let inside = source.strings_in(at..end).iter();
    let rocks = inside
        .map(|(place, text)| (source.line(*place), text.clone()))
        .filter(|(_, text)| text.split_whitespace().next() != Some("lua"));
    Some((dir.join(name), rocks.collect()))
}

fn app(scan: &mut Scan<'_>, dir: Dir<'_>, entry: &str) {
    let file = dir.join(entry);
    let facts = packaged::facts(scan, dir.path(), &["lua"], Family::Lua, &CALLS);
    let mut draft = Draft::new(dir.path(), facts.kind(), "lua", "luarocks");
    draft
        .evidence
        .push(Evidence::new("entry", entry, "lua.script").at(&file, None));
    facts.tell(&mut draft, &CALLS, &format!("`{entry}` starts the project"));
    // The newest of the interpreters that the index has.
    let versions = scan
        .catalog
        .streams(&crate::wolfi::Pattern::new("lua", 2, ""));
    let newest = versions.iter().max_by(|a, b| a.numbers.cmp(&b.numbers));
    let name = newest.map_or_else(|| "lua".to_owned(), |stream| stream.package.clone());
    let mut problem = packaged::toolchain(scan, &mut draft, &file, "Lua", &[&name]);
    if let Some((spec, rocks)) = rocks(dir)
        && let Some((line, rock)) = rocks.first()
        && problem.is_none()
    {
        let message = format!("needs the rock `{rock}`, which is not packaged");
        let help = "keep the modules in the repository, or install them with `luarocks` in `build.commands` of `peelbox.yaml`";
        problem = Some(Problem::new(&spec, Some(*line), message).help(help));
    }
    draft.spec.build.packages.clear();
    packaged::packages(scan, &mut draft, &[&name]);
    draft.spec.runtime.copy = vec![Copy {
        from: ".".to_owned(),
        to: "/app".to_owned(),
    }];
    draft.spec.runtime.command = vec![format!("/usr/bin/{name}"), format!("/app/{entry}")];
    packaged::finish(scan, draft, problem);
}
