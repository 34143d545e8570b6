//! Zig: the executables that `build.zig` installs.

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::provider::{Draft, Provider, Scan};
use crate::detect::repo::Dir;
use crate::detect::source::{Family, Source};

use super::packaged::{self, Calls, PROGRAMS};

pub(crate) struct Zig;

const LANGUAGE: Language = Language {
    name: "Zig",
    build_systems: &["zig"],
    frameworks: &["httpz", "zap"],
    manifests: &["build.zig"],
};

const LOOKS_LIKE: &str = "a Zig project";

const CALLS: Calls = Calls {
    manifests: LANGUAGE.manifests,
    listen: &[
        ("zap.HttpListener.init(", Some("zap")),
        ("httpz.Server(", Some("httpz")),
        (".listen(", None),
        ("posix.listen(", None),
    ],
    ports: &[".port =", "parseIp(", "parseIp4(", "initIp4(", "resolveIp("],
    defaults: &[],
};

impl Provider for Zig {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in packaged::candidates(scan, &["build.zig"], LOOKS_LIKE) {
            let Ok(text) = dir.text("build.zig") else {
                scan.reject(dir.path(), LOOKS_LIKE, "`build.zig` cannot be read");
                continue;
            };
            let source = Source::parse(&text, Family::C);
            let names = executables(&source);
            let names = packaged::bounded(scan, &dir.join("build.zig"), names);
            if names.is_empty() {
                let reason = match source.find("addExecutable(") {
                    Some(_) => "of its executables none is an app with a name that is written out",
                    None => "`build.zig` adds no executable: it is a library",
                };
                scan.reject(dir.path(), LOOKS_LIKE, reason);
            }
            for (line, name) in names {
                app(scan, dir, &source, line, &name);
            }
        }
    }
}

/// The executables with a name of letters, and the lines of the names.
fn executables(source: &Source) -> Vec<(u64, String)> {
    let calls = source.all("addExecutable(").take(PROGRAMS * 2);
    let names = calls.filter_map(|at| {
        let rest = source.code.get(at..)?;
        let key = at + rest.find(".name")?;
        let equals = key + source.code.get(key..)?.find('=')? + 1;
        let name = source.string_at(equals)?;
        Some((source.line(equals), name.to_owned()))
    });
    names
        .filter(|(_, name)| {
            let mut words = name.split(['-', '_']);
            let is_aside = words.any(|word| matches!(word, "bench" | "example" | "test" | "tests"));
            !name.is_empty() && !is_aside
        })
        .collect()
}

fn app(scan: &mut Scan<'_>, dir: Dir<'_>, source: &Source, line: u64, name: &str) {
    let manifest = dir.join("build.zig");
    let facts = packaged::facts(scan, dir.path(), &["zig"], Family::C, &CALLS);
    let mut draft = Draft::new(dir.path(), facts.kind(), "zig", "zig");
    draft.target = Some(name.to_owned());
    draft
        .evidence
        .push(Evidence::new("entry", name, "zig.add-executable").at(&manifest, Some(line)));
    facts.tell(
        &mut draft,
        &CALLS,
        &format!("`{name}` is an executable of `build.zig`"),
    );
    let problem = packaged::toolchain(scan, &mut draft, &manifest, "Zig", &["zig"]);
    minimum(scan, dir);
    // The image may run on another machine than the one that builds.
    let cpu = if source.find("standardTargetOptions(").is_some() {
        " -Dcpu=baseline"
    } else {
        ""
    };
    let build = &mut draft.spec.build;
    build.commands = vec![format!("zig build --release=safe{cpu} --prefix /out")];
    let cache = "/root/.cache/zig".to_owned();
    build
        .env
        .insert("ZIG_GLOBAL_CACHE_DIR".to_owned(), cache.clone());
    build.cache = vec![cache];
    let links_c = ["linkLibC(", "link_libc = true", "linkSystemLibrary("]
        .iter()
        .any(|call| source.find(call).is_some());
    let runtime: &[&str] = if links_c {
        &["ca-certificates-bundle", "glibc", "libgcc"]
    } else {
        &["ca-certificates-bundle"]
    };
    packaged::program(scan, &mut draft, &format!("/out/bin/{name}"), name, runtime);
    packaged::finish(scan, draft, problem);
}

/// Says where the project was written for another release: Zig changes what builds are written in with each.
fn minimum(scan: &mut Scan<'_>, dir: Dir<'_>) {
    let Ok(text) = dir.text("build.zig.zon") else {
        return;
    };
    let source = Source::parse(&text, Family::C);
    let Some(at) = source.find(".minimum_zig_version") else {
        return;
    };
    let equals = source.code[at..].find('=').map(|found| at + found + 1);
    let Some(wanted) = equals.and_then(|at| source.string_at(at)) else {
        return;
    };
    let packaged = scan.catalog.version("zig").unwrap_or_default();
    let minor = |version: &str| version.split('.').take(2).collect::<Vec<_>>().join(".");
    if !packaged.is_empty() && minor(wanted) != minor(&packaged) {
        let message = format!("is written for Zig {wanted}, and {packaged} is packaged");
        scan.warn(&dir.join("build.zig.zon"), Some(source.line(at)), message);
    }
}
