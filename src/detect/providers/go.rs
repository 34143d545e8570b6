//! Go: every main package of every module.

mod build;
mod constraint;
mod facts;
mod package;

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::explain::{Evidence, Severity};
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan, shown, unavailable};
use crate::detect::repo::{join, relative, resolve, split, upwards};
use crate::detect::source::{Fact, File};
use crate::detect::version::{self, Chosen, Source, Tool, Unavailable, Want};
use crate::detect::workspace::{self, directives};
use crate::spec::Kind;

use facts::Facts;

pub(crate) struct Go;

const TOOL: Tool = Tool {
    name: "Go",
    asdf: &["go", "golang"],
    prefix: "go-",
    numbers: 2,
    default: Some("go"),
    read,
};

/// Files that hold a version are pins, the lines of a module are minima.
fn read(source: &Source) -> Result<Want, String> {
    let text = source.text.trim().trim_start_matches("go");
    // A minimum that is a candidate for a release is met by the release.
    let end = text.find("rc").or(text.find("beta")).unwrap_or(text.len());
    let numbers = version::exact(&text[..end]);
    if matches!(source.rule, "version.minimum" | "version.toolchain") {
        numbers.map(Want::AtLeast)
    } else {
        numbers.map(Want::Prefix)
    }
}

const LOOKS_LIKE: &str = "a Go program";

/// Directories whose programs help developers and are not deployed.
const TOOLING: &[&str] = &[
    "gen", "generate", "hack", "misc", "script", "scripts", "tool", "tools",
];

/// One module: a directory with a `go.mod`, or a program without one.
struct Module {
    dir: String,
    /// Its path; empty for a program without a module.
    name: String,
    requires: Vec<String>,
    /// Directories of local replacements.
    replaced: Vec<String>,
}

impl Module {
    /// The file that stands for it in messages.
    fn manifest(&self) -> String {
        let name = if self.name.is_empty() {
            "main.go"
        } else {
            "go.mod"
        };
        join(&self.dir, name)
    }
}

/// A package's files that are built for Linux.
#[derive(Default)]
struct Package {
    files: Vec<File>,
    is_main: bool,
    imports: BTreeSet<Import>,
    /// Paths that are built into the program.
    embeds: BTreeSet<String>,
    /// The lines `#cgo`.
    cgo_flags: Vec<String>,
}

type Import = Fact<String>;

const LANGUAGE: Language = Language {
    name: "Go",
    build_systems: &["go"],
    frameworks: &["chi", "echo", "fiber", "gin", "gorilla", "grpc"],
    manifests: &["go.mod", "main.go"],
};

impl Provider for Go {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let mut modules: BTreeMap<String, Module> = BTreeMap::new();
        for dir in scan.dirs_with(&["go.mod"]) {
            if let Some(module) = module(scan, dir.path()) {
                modules.insert(dir.path().to_owned(), module);
            }
        }
        for path in modules.keys().cloned().collect::<Vec<_>>() {
            let is_member = work(scan, &path).is_some_and(|(_, members)| members.contains(&path));
            if !passed_over(scan, &path, "a Go module", is_member) {
                detect_module(scan, &modules, &path);
            }
        }
        loose_programs(scan, &mut modules);
    }
}

/// Programs outside of any module: one at the root needs nothing but the standard library, or a module.
fn loose_programs(scan: &mut Scan<'_>, modules: &mut BTreeMap<String, Module>) {
    let repo = scan.repo;
    for dir in scan.dirs_with(&["main.go"]) {
        let path = dir.path();
        if upwards(path)
            .any(|above| modules.contains_key(above) || repo.has(&join(above, "go.mod")))
        {
            continue;
        }
        if passed_over(scan, path, LOOKS_LIKE, false) {
            continue;
        }
        let is_named = dir.has("Dockerfile") || dir.has("Procfile");
        if !path.is_empty() && !is_named {
            let reason = "`main.go` belongs to no module: there is no `go.mod` at or above it";
            scan.reject(path, LOOKS_LIKE, reason);
            continue;
        }
        let module = Module {
            dir: path.to_owned(),
            name: String::new(),
            requires: Vec::new(),
            replaced: Vec::new(),
        };
        let mut alone = BTreeMap::from([(path.to_owned(), module)]);
        let packages = package::packages(scan, &alone, path).read;
        match packages.get(path).filter(|package| package.is_main) {
            Some(package) => app(scan, &alone, &packages, path, path, package),
            None => scan.reject(path, LOOKS_LIKE, "`main.go` has no `func main`"),
        }
        modules.append(&mut alone);
    }
}

fn module(scan: &mut Scan<'_>, dir: &str) -> Option<Module> {
    let file = join(dir, "go.mod");
    let text = match scan.repo.text(&file) {
        Ok(text) => text,
        Err(error) => {
            scan.tell(Severity::Error, &file, error.line, error.message, None);
            return None;
        }
    };
    let Some(name) = directives(&text, "module").find_map(|(_, words)| words.into_iter().next())
    else {
        scan.tell(Severity::Error, &file, None, "has no `module` line", None);
        return None;
    };
    let requires = directives(&text, "require")
        .filter_map(|(_, words)| words.into_iter().next())
        .collect();
    let replaced = directives(&text, "replace")
        .filter_map(|(_, words)| {
            let at = words.iter().position(|word| word == "=>")?;
            words
                .get(at + 1)
                .filter(|path| path.starts_with('.'))
                .and_then(|path| resolve(dir, path))
        })
        .collect();
    Some(Module {
        dir: dir.to_owned(),
        name,
        requires,
        replaced,
    })
}

/// The workspace that a module is built in: the nearest `go.work` at or above it.
fn work(scan: &Scan<'_>, path: &str) -> Option<(String, Vec<String>)> {
    let root = upwards(path).find(|above| scan.repo.has(&join(above, "go.work")))?;
    let workspace = workspace::go(scan.repo, root)?;
    Some((workspace.root, workspace.members))
}

fn detect_module(scan: &mut Scan<'_>, modules: &BTreeMap<String, Module>, path: &str) {
    let package::Packages {
        read: packages,
        generators,
    } = package::packages(scan, modules, path);
    let mut found = false;
    let entry = scan.entry(path);
    let mut named = false;
    for (dir, package) in packages.iter().filter(|(_, package)| package.is_main) {
        found = true;
        if let Some(entry) = &entry {
            if is_named(&modules[path], dir, &entry.value) {
                named = true;
            } else {
                let Fact { value, file, line } = entry;
                let reason = format!("`{file}:{line}` names `{value}` as the entry");
                scan.reject(dir, LOOKS_LIKE, reason);
                continue;
            }
        }
        let below = dir
            .get(path.len()..)
            .unwrap_or_default()
            .trim_start_matches('/');
        if passed_over(scan, below, LOOKS_LIKE, false) {
            continue;
        }
        let tooling = below.split('/').find(|part| TOOLING.contains(part));
        if let Some(part) = tooling {
            let reason = format!("`{part}` directories hold tools for developers");
            scan.reject(dir, LOOKS_LIKE, reason);
        } else if generators.contains(dir) {
            let reason = "`//go:generate` runs it: it makes sources of this module";
            scan.reject(dir, LOOKS_LIKE, reason);
        } else {
            app(scan, modules, &packages, path, dir, package);
        }
    }
    if let Some(entry) = entry.filter(|_| found && !named) {
        let message = format!("`{}` is no main package of the module", entry.value);
        scan.no_entry(&entry, message);
    }
    if !found {
        let reason = "it has no `package main` with a `func main`: it is a library";
        scan.reject(path, "a Go module", reason);
    }
}

/// Whether users mean this main package: by its directory, a file in it or the name of its program.
fn is_named(module: &Module, dir: &str, entry: &str) -> bool {
    let path = resolve(&module.dir, entry).unwrap_or_default();
    path == dir
        || (path.ends_with(".go") && split(&path).0 == dir)
        || target_name(module, dir) == entry
}

/// Adds the app that a main package is.
fn app(
    scan: &mut Scan<'_>,
    modules: &BTreeMap<String, Module>,
    packages: &BTreeMap<String, Package>,
    path: &str,
    main: &str,
    package: &Package,
) {
    let module = &modules[path];
    let used = package::closure(packages, module, main);
    let facts = facts::facts(scan, module, &used);
    let mut draft = described(module, main, package, &facts);
    let name = target_name(module, main);
    if module.name.is_empty()
        && let Some(import) = foreign_import(&used)
    {
        let message = format!("imports `{}`, but there is no `go.mod`", import.value);
        let problem = Problem::new(&import.file, Some(import.line), message)
            .help("make a module with `go mod init` and `go mod tidy`");
        scan.refuse(draft, problem);
        return;
    }
    let chosen = match toolchain(scan, path) {
        Ok(chosen) => chosen,
        Err(error) => {
            scan.refuse(draft, unavailable(&module.manifest(), error));
            return;
        }
    };
    draft.evidence.insert(1, chosen.evidence.clone());
    let target = build::Target {
        name: &name,
        below: &relative(path, main),
        packages: &used,
    };
    draft.spec.build.packages.push(chosen.stream.package);
    build::run(scan, &mut draft, &facts, &name);
    match build::build(scan, modules, module, &mut draft, &facts, &target) {
        Ok(()) => scan.drafts.push(draft),
        Err(problem) => scan.refuse(draft, problem),
    }
}

/// An import that is not of the standard library, whose paths have no dot in their first part.
fn foreign_import<'p>(packages: &[&'p Package]) -> Option<&'p Import> {
    let mut imports = packages.iter().flat_map(|package| &package.imports);
    let is_foreign = |import: &&Import| {
        let first = import.value.split('/').next().unwrap_or_default();
        first.contains('.')
    };
    imports.find(is_foreign)
}

/// What is known of a program before it is known whether it can be built.
fn described(module: &Module, main: &str, package: &Package, facts: &Facts) -> Draft {
    let (kind, evidence) = kind(facts);
    let mut draft = Draft::new(&module.dir, kind, "go", "go");
    let place = if main == module.dir {
        &mut draft.fallback
    } else {
        &mut draft.target
    };
    *place = Some(target_name(module, main));
    let below = relative(&module.dir, main);
    for file in &package.files {
        if let Some(at) = file.source.find("func main()") {
            let entry = Evidence::new("entry", &below, "go.package-main").written("func main()");
            let line = file.source.line(at);
            draft.evidence.push(entry.at(&file.path, Some(line)));
        }
    }
    draft.evidence.push(evidence);
    if let Some((name, import)) = &facts.framework {
        let found = Evidence::new("framework", *name, "go.import").written(import.value.clone());
        let found = found.at(&import.file, Some(import.line));
        draft.evidence.push(found);
        draft.spec.metadata.framework = Some((*name).to_owned());
    }
    draft.spec.metadata.confidence = Some(if facts.listens.is_some() { 95 } else { 85 });
    let what = match &facts.listens {
        Some(call) => format!(
            "it listens with `{}` in `{}` line {}",
            call.value, call.file, call.line
        ),
        None => "nothing in it listens".to_owned(),
    };
    let of = if module.name.is_empty() {
        "a program without a module".to_owned()
    } else {
        format!("a main package of the module `{}`", module.name)
    };
    draft.spec.metadata.reasoning = Some(format!("`{}` is {of}, and {what}", shown(main)));
    draft
}

/// What a program is: what listens is for the web, what reads arguments and ends is run by hand.
fn kind(facts: &Facts) -> (Kind, Evidence) {
    let found = |kind, name: &str, rule: &str, fact: &Fact<String>| {
        let evidence = Evidence::new("kind", name, rule).at(&fact.file, Some(fact.line));
        (kind, evidence.written(fact.value.clone()))
    };
    match (&facts.listens, &facts.stays, &facts.is_cli) {
        (Some(call), _, _) => found(Kind::Web, "web", "go.listens", call),
        (None, Some(call), _) => found(Kind::Worker, "worker", "go.runs-until-stopped", call),
        (None, None, Some(fact)) => found(Kind::Cli, "cli", "go.reads-arguments", fact),
        (None, None, None) => {
            let evidence = Evidence::new("kind", "worker", "go.nothing-listens");
            (Kind::Worker, evidence)
        }
    }
}

/// The name of a program: its directory's, or the module's.
fn target_name(module: &Module, main: &str) -> String {
    if main != module.dir || (module.name.is_empty() && !main.is_empty()) {
        return split(main).1.to_owned();
    }
    let mut parts = module.name.rsplit('/');
    parts
        .find(|part| !is_major(part) && !part.is_empty())
        .unwrap_or("app")
        .to_owned()
}

/// Whether a part of a module path is a major version, `v2`, and no name.
fn is_major(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit()))
}

/// The stream for a module. Its `toolchain` line is what it would like; only the `go` line is what it needs.
fn toolchain(scan: &mut Scan<'_>, path: &str) -> Result<Chosen, Unavailable> {
    let mut sources = Vec::new();
    if let Some(dir) = scan.repo.dir(path) {
        sources.extend(scan.tool_versions(dir, &TOOL));
        sources.extend(version::version_files(dir, &[".go-version"]));
    }
    for (file, verb, rule) in [
        ("go.mod", "toolchain", "version.toolchain"),
        ("go.work", "toolchain", "version.toolchain"),
        ("go.mod", "go", "version.minimum"),
        ("go.work", "go", "version.minimum"),
    ] {
        let above = upwards(path)
            .map(|dir| join(dir, file))
            .find(|file| scan.repo.has(file));
        let Some(above) = above else { continue };
        let Ok(text) = scan.repo.text(&above) else {
            continue;
        };
        for (line, words) in directives(&text, verb).take(1) {
            let name = words.into_iter().next();
            if let Some(text) = name.filter(|text| text != "default" && text != "local") {
                sources.push(Source {
                    text,
                    file: above.clone(),
                    line: Some(line),
                    rule,
                });
            }
        }
    }
    match scan.toolchain(&TOOL, &sources) {
        Err(error)
            if sources
                .first()
                .is_some_and(|s| s.rule == "version.toolchain") =>
        {
            let needed: Vec<Source> = sources
                .into_iter()
                .filter(|source| source.rule != "version.toolchain")
                .collect();
            let chosen = scan.toolchain(&TOOL, &needed)?;
            let file = error.file.unwrap_or_default();
            let package = &chosen.stream.package;
            let message = format!(
                "{}; `{package}` is used, which the `go` line allows",
                error.message
            );
            scan.warn(&file, error.line, message);
            Ok(chosen)
        }
        chosen => chosen,
    }
}
