//! Go: every main package of every module.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::explain::{Evidence, Severity};
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{
    Draft, Problem, Provider, Scan, literal_glob, quoted, tree_glob, unavailable,
};
use crate::detect::repo::{is_within, join, relative, resolve, split, upwards};
use crate::detect::source::{self, Fact, Family, File, Source};
use crate::detect::version::{self, Tool};
use crate::detect::workspace::{self, directives};
use crate::spec::{Copy, Kind};

pub(crate) struct Go;

const TOOL: Tool = Tool {
    name: "Go",
    asdf: &["go", "golang"],
    prefix: "go-",
    numbers: 2,
    default: Some("go"),
    read: version::minimum,
};

const LOOKS_LIKE: &str = "a Go program";

/// Directories whose programs help developers and are not deployed.
const TOOLING: &[&str] = &[
    "gen", "generate", "hack", "misc", "script", "scripts", "tool", "tools",
];

/// Modules that need a C compiler.
const CGO: &[&str] = &[
    "github.com/confluentinc/confluent-kafka-go",
    "github.com/mattn/go-sqlite3",
];

/// Modules of programs that are run by hand.
const CLI: &[&str] = &[
    "github.com/alecthomas/kong",
    "github.com/spf13/cobra",
    "github.com/urfave/cli",
];

/// Frameworks, by module.
const FRAMEWORKS: &[(&str, &str)] = &[
    ("github.com/gin-gonic/gin", "gin"),
    ("github.com/go-chi/chi", "chi"),
    ("github.com/gofiber/fiber", "fiber"),
    ("github.com/gorilla/mux", "gorilla"),
    ("github.com/labstack/echo", "echo"),
    ("google.golang.org/grpc", "grpc"),
];

/// Calls that make a program listen.
const LISTEN: &[&str] = &[
    "ListenAndServe(",
    "ListenAndServeTLS(",
    "net.Listen(",
    ".Listen(",
    ".Serve(",
    "gin.Default(",
    "fiber.New(",
];

/// One module: a directory with a `go.mod`.
struct Module {
    dir: String,
    name: String,
    requires: Vec<String>,
    /// Directories of local replacements.
    replaced: Vec<String>,
}

/// A package's files that are built by default.
struct Package {
    files: Vec<File>,
    is_main: bool,
    imports: BTreeSet<String>,
}

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
        loose_programs(scan, &modules);
    }
}

/// Says what keeps `main.go` files outside of any module from being built.
fn loose_programs(scan: &mut Scan<'_>, modules: &BTreeMap<String, Module>) {
    let repo = scan.repo;
    for dir in scan.dirs_with(&["main.go"]) {
        if upwards(dir.path())
            .any(|above| modules.contains_key(above) || repo.has(&join(above, "go.mod")))
        {
            continue;
        }
        if !passed_over(scan, dir.path(), LOOKS_LIKE, false) {
            scan.reject(
                dir.path(),
                LOOKS_LIKE,
                "`main.go` belongs to no module: there is no `go.mod` at or above it",
            );
        }
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
    let packages = packages(scan, modules, path);
    let mut found = false;
    let entry = scan.entry(path);
    let mut named = false;
    for (dir, package) in packages.iter().filter(|(_, package)| package.is_main) {
        found = true;
        if let Some(entry) = &entry {
            if !is_named(&modules[path], dir, &entry.value) {
                let Fact { value, file, line } = entry;
                let reason = format!("`{file}:{line}` names `{value}` as the entry");
                scan.reject(dir, LOOKS_LIKE, reason);
                continue;
            }
            named = true;
        }
        let below = dir
            .get(path.len()..)
            .unwrap_or_default()
            .trim_start_matches('/');
        if passed_over(scan, below, LOOKS_LIKE, false) {
            continue;
        }
        if let Some(part) = below.split('/').find(|part| TOOLING.contains(part)) {
            scan.reject(
                dir,
                LOOKS_LIKE,
                format!("`{part}` directories hold tools for developers"),
            );
            continue;
        }
        match app(scan, modules, &packages, path, dir, package) {
            Ok(draft) => scan.drafts.push(draft),
            Err(problem) => {
                let mut draft = Draft::new(path, Kind::Worker, "go", "go");
                // What it does is not known as long as it is not looked at.
                draft.spec.metadata.kind = None;
                name(&mut draft, &modules[path], dir);
                found_main(&mut draft, package, path, dir);
                scan.refuse(draft, problem);
            }
        }
    }
    if let Some(entry) = entry.filter(|_| found && !named) {
        let message = format!("`{}` is no main package of the module", entry.value);
        scan.tell(
            Severity::Error,
            &entry.file,
            Some(entry.line),
            message,
            None,
        );
    }
    if !found {
        scan.reject(
            path,
            "a Go module",
            "it has no `package main` with a `func main`: it is a library",
        );
    }
}

/// Whether users mean this main package: by its directory, a file in it or the name of its program.
fn is_named(module: &Module, dir: &str, entry: &str) -> bool {
    let path = resolve(&module.dir, entry).unwrap_or_default();
    path == dir
        || (path.ends_with(".go") && split(&path).0 == dir)
        || target_name(module, dir) == entry
}

/// The packages of a module by directory, without those of modules nested in it.
fn packages(
    scan: &Scan<'_>,
    modules: &BTreeMap<String, Module>,
    path: &str,
) -> BTreeMap<String, Package> {
    let mut packages = BTreeMap::new();
    for dir in scan.repo.below(path) {
        let nested = modules
            .keys()
            .any(|other| other != path && is_within(other, path) && is_within(dir.path(), other));
        let hidden = dir
            .path()
            .split('/')
            .any(|part| part.starts_with(['_', '.']) || part == "testdata");
        if nested || hidden {
            continue;
        }
        let mut package = Package {
            files: Vec::new(),
            is_main: false,
            imports: BTreeSet::new(),
        };
        for name in dir
            .files()
            .iter()
            .filter(|name| name.ends_with(".go") && !name.ends_with("_test.go"))
        {
            let Ok(text) = dir.text(name) else { continue };
            if is_left_out(&text) {
                continue;
            }
            let source = Source::parse(&text, Family::Go);
            let is_main = source
                .code
                .lines()
                .any(|line| line.trim() == "package main");
            package.is_main |= is_main && source.find("func main()").is_some();
            package.imports.extend(imports(&source));
            package.files.push(File {
                path: dir.join(name),
                source,
            });
        }
        if !package.files.is_empty() {
            packages.insert(dir.path().to_owned(), package);
        }
    }
    packages
}

/// Whether a build constraint keeps a file out of an ordinary build for Linux.
fn is_left_out(text: &str) -> bool {
    text.lines()
        .take_while(|line| !line.starts_with("package "))
        .any(|line| {
            let Some(constraint) = line.strip_prefix("//go:build ") else {
                return false;
            };
            let constraint = constraint.trim();
            matches!(
                constraint,
                "ignore" | "tools" | "windows" | "darwin" | "js" | "wasip1" | "!linux"
            )
        })
}

fn imports(source: &Source) -> Vec<String> {
    let end = ["func ", "type ", "var ", "const "]
        .iter()
        .filter_map(|word| source.code.find(&format!("\n{word}")))
        .min()
        .unwrap_or(source.code.len());
    let start = source.code.find("import").unwrap_or(end);
    source
        .strings
        .iter()
        .filter(|(at, _)| (start..end).contains(at))
        .map(|(_, text)| text.clone())
        .collect()
}

/// The files of a main package and of the module's own packages that it imports.
fn closure<'p>(
    packages: &'p BTreeMap<String, Package>,
    module: &Module,
    main: &str,
) -> Vec<&'p Package> {
    let mut seen = BTreeSet::from([main.to_owned()]);
    let mut queue = vec![main.to_owned()];
    let mut found = Vec::new();
    while let Some(dir) = queue.pop() {
        let Some(package) = packages.get(&dir) else {
            continue;
        };
        found.push(package);
        for import in &package.imports {
            let Some(rest) = import.strip_prefix(&module.name) else {
                continue;
            };
            let dir = join(&module.dir, rest.trim_start_matches('/'));
            if (rest.is_empty() || rest.starts_with('/')) && seen.insert(dir.clone()) {
                queue.push(dir);
            }
        }
    }
    found
}

/// What the sources of one program say.
struct Facts {
    listens: Option<(String, u64, String)>,
    port: Option<Fact<u16>>,
    reads_port: bool,
    health: Option<Fact<String>>,
    framework: Option<&'static str>,
    is_cli: bool,
    needs_cgo: bool,
    data: Vec<String>,
}

fn facts(scan: &Scan<'_>, module: &Module, packages: &[&Package]) -> Facts {
    let files: Vec<&File> = packages.iter().flat_map(|package| &package.files).collect();
    let has_import = |name: &str| {
        packages
            .iter()
            .flat_map(|p| &p.imports)
            .any(|import| import == name || import.starts_with(&format!("{name}/")))
    };
    let listens = files.iter().find_map(|file| {
        let (call, at) = LISTEN
            .iter()
            .find_map(|call| file.source.find(call).map(|at| (*call, at)))?;
        Some((
            file.path.clone(),
            file.source.line(at),
            call.trim_end_matches('(').to_owned(),
        ))
    });
    let health = files
        .iter()
        .find_map(|file| source::health(std::slice::from_ref(*file)));
    Facts {
        listens,
        port: port(&files),
        reads_port: files
            .iter()
            .any(|file| file.source.strings.iter().any(|(_, text)| text == "PORT")),
        health,
        framework: FRAMEWORKS
            .iter()
            .find(|(name, _)| has_import(name))
            .map(|(_, framework)| *framework),
        is_cli: CLI.iter().any(|name| has_import(name))
            || (has_import("flag") || files.iter().any(|f| f.source.find("os.Args").is_some())),
        needs_cgo: has_import("C") || CGO.iter().any(|name| has_import(name)),
        data: data(scan, module, &files),
    }
}

/// The port in a literal address, or beside a read of `PORT`.
fn port(files: &[&File]) -> Option<Fact<u16>> {
    let mut found: Vec<Fact<u16>> = Vec::new();
    for file in files {
        let near_port = file
            .source
            .strings
            .iter()
            .find(|(_, text)| text == "PORT")
            .map(|(at, _)| *at);
        for (at, text) in &file.source.strings {
            let beside = near_port.is_some_and(|port| *at > port && *at - port < 200);
            let value = source::port_of_address(text)
                .map(|(port, _)| port)
                .or_else(|| if beside { source::port(text) } else { None });
            if let Some(value) = value {
                found.push(Fact {
                    value,
                    file: file.path.clone(),
                    line: file.source.line(*at),
                });
            }
        }
    }
    if found.is_empty() {
        None
    } else {
        Some(found.remove(0))
    }
}

/// Directories of the module that the program opens by a relative path.
fn data(scan: &Scan<'_>, module: &Module, files: &[&File]) -> Vec<String> {
    let Some(dir) = scan.repo.dir(&module.dir) else {
        return Vec::new();
    };
    let is_code = |name: &str| {
        scan.repo
            .below(&dir.join(name))
            .any(|dir| dir.files().iter().any(|file| file.ends_with(".go")))
    };
    dir.dirs()
        .iter()
        .filter(|name| {
            files.iter().any(|file| {
                file.source.strings.iter().any(|(_, text)| {
                    let text = text.trim_start_matches("file://").trim_start_matches("./");
                    text == name.as_str()
                        || text
                            .strip_prefix(name.as_str())
                            .is_some_and(|rest| rest.starts_with('/'))
                })
            }) && !is_code(name)
        })
        .cloned()
        .collect()
}

/// Names a draft after its program.
fn name(draft: &mut Draft, module: &Module, main: &str) -> String {
    let target = target_name(module, main);
    let place = if main == module.dir {
        &mut draft.fallback
    } else {
        &mut draft.target
    };
    *place = Some(target.clone());
    target
}

/// The evidence for the program of a main package.
fn found_main(draft: &mut Draft, package: &Package, path: &str, main: &str) {
    for file in &package.files {
        if let Some(at) = file.source.find("func main()") {
            let entry = Evidence::new("entry", relative(path, main), "go.package-main");
            let entry = entry.written("func main()");
            draft
                .evidence
                .push(entry.at(&file.path, Some(file.source.line(at))));
        }
    }
}

fn app(
    scan: &mut Scan<'_>,
    modules: &BTreeMap<String, Module>,
    packages: &BTreeMap<String, Package>,
    path: &str,
    main: &str,
    package: &Package,
) -> Result<Draft, Problem> {
    let module = &modules[path];
    let manifest = join(path, "go.mod");
    let chosen = toolchain(scan, path).map_err(|error| unavailable(&manifest, error))?;
    let facts = facts(scan, module, &closure(packages, module, main));
    let kind = match (&facts.listens, facts.is_cli) {
        (Some(_), _) => Kind::Web,
        (None, true) => Kind::Cli,
        (None, false) => Kind::Worker,
    };
    let mut draft = Draft::new(path, kind, "go", "go");
    let below = relative(path, main);
    let target = name(&mut draft, module, main);
    found_main(&mut draft, package, path, main);
    draft.evidence.push(chosen.evidence.clone());
    build(
        scan,
        modules,
        module,
        &mut draft,
        &facts,
        &Target {
            name: &target,
            below: &below,
        },
    );
    draft
        .spec
        .build
        .packages
        .insert(0, chosen.stream.package.clone());
    run(scan, &mut draft, &facts, &target);
    draft.spec.metadata.framework = facts.framework.map(str::to_owned);
    draft.spec.metadata.confidence = Some(if facts.listens.is_some() { 95 } else { 85 });
    let what = match &facts.listens {
        Some((file, line, call)) => format!("it listens with `{call}` in `{file}` line {line}"),
        None => "nothing in it listens".to_owned(),
    };
    draft.spec.metadata.reasoning = Some(format!(
        "`{}` is a main package of the module `{}`, and {what}",
        crate::detect::provider::shown(main),
        module.name
    ));
    Ok(draft)
}

/// The name of a program: its directory's, or the module's.
fn target_name(module: &Module, main: &str) -> String {
    if main != module.dir {
        return split(main).1.to_owned();
    }
    let mut parts = module.name.rsplit('/');
    parts
        .find(|part| !is_major(part))
        .unwrap_or("app")
        .to_owned()
}

/// Whether a part of a module path is a major version, `v2`, and no name.
fn is_major(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit()))
}

fn toolchain(scan: &mut Scan<'_>, path: &str) -> Result<version::Chosen, version::Unavailable> {
    let mut sources = Vec::new();
    if let Some(dir) = scan.repo.dir(path) {
        sources.extend(scan.tool_versions(dir, &TOOL));
        sources.extend(version::version_files(dir, &[".go-version"]));
    }
    for (file, verb) in [
        ("go.mod", "toolchain"),
        ("go.work", "toolchain"),
        ("go.mod", "go"),
        ("go.work", "go"),
    ] {
        let above = upwards(path)
            .map(|dir| join(dir, file))
            .find(|file| scan.repo.has(file));
        let Some(above) = above else { continue };
        let Ok(text) = scan.repo.text(&above) else {
            continue;
        };
        for (line, words) in directives(&text, verb).take(1) {
            if let Some(text) = words.into_iter().next().filter(|text| text != "default") {
                sources.push(version::Source {
                    text,
                    file: above.clone(),
                    line: Some(line),
                    rule: "version.minimum",
                });
            }
        }
    }
    scan.toolchain(&TOOL, &sources)
}

struct Target<'a> {
    name: &'a str,
    below: &'a str,
}

fn build(
    scan: &Scan<'_>,
    modules: &BTreeMap<String, Module>,
    module: &Module,
    draft: &mut Draft,
    facts: &Facts,
    target: &Target<'_>,
) {
    let build = &mut draft.spec.build;
    let work = work(scan, &module.dir);
    let used = used_modules(modules, module, work.as_ref());
    let mut files = Vec::new();
    let mut context: BTreeSet<String> = used.iter().map(|dir| tree_glob(dir)).collect();
    let listed: BTreeSet<&String> = used
        .iter()
        .chain(work.iter().flat_map(|(_, members)| members))
        .collect();
    for dir in listed {
        files.extend([join(dir, "go.mod"), join(dir, "go.sum")]);
    }
    if let Some((root, _)) = &work {
        files.extend([join(root, "go.work"), join(root, "go.work.sum")]);
    }
    files.retain(|file| scan.repo.has(file));
    build.install.files = files.iter().map(|file| literal_glob(file)).collect();
    context.extend(build.install.files.iter().cloned());
    if !context.contains("**") {
        build.context = context.into_iter().collect();
    }
    let vendored = scan.repo.has_pruned(&join(&module.dir, "vendor"));
    if !vendored && (!module.requires.is_empty() || work.is_some()) {
        build.install.commands = vec!["go mod download".to_owned()];
    } else {
        build.install.files.clear();
    }
    let below = if target.below == "." {
        ".".to_owned()
    } else {
        format!("./{}", target.below)
    };
    build.commands = vec![format!(
        "go build -trimpath -buildvcs=false -ldflags '-s -w' -o {} {}",
        quoted(&format!("/out/{}", target.name)),
        quoted(&below)
    )];
    let cgo = if facts.needs_cgo { "1" } else { "0" };
    let mut env = vec![
        ("CGO_ENABLED", cgo),
        ("GOCACHE", "/root/.cache/go-build"),
        ("GOMODCACHE", "/root/go/pkg/mod"),
        ("GOTOOLCHAIN", "local"),
    ];
    env.extend(vendored.then_some(("GOFLAGS", "-mod=vendor")));
    build.env = env
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    build.cache = vec![
        "/root/.cache/go-build".to_owned(),
        "/root/go/pkg/mod".to_owned(),
    ];
    if facts.needs_cgo {
        build.packages.push("build-base".to_owned());
        draft.evidence.push(
            Evidence::new("cgo", "CGO_ENABLED=1", "go.cgo-import")
                .at(&join(&module.dir, "go.mod"), None),
        );
    }
}

/// The module, and those of the repository that it needs, transitively.
fn used_modules(
    modules: &BTreeMap<String, Module>,
    module: &Module,
    work: Option<&(String, Vec<String>)>,
) -> Vec<String> {
    let mut used = BTreeSet::from([module.dir.clone()]);
    let mut queue = vec![module];
    while let Some(module) = queue.pop() {
        for other in modules.values() {
            let in_work = work.is_some_and(|(_, members)| members.contains(&other.dir));
            let is_needed = module.replaced.contains(&other.dir)
                || (in_work && module.requires.contains(&other.name));
            if is_needed && used.insert(other.dir.clone()) {
                queue.push(other);
            }
        }
    }
    used.into_iter().collect()
}

fn run(scan: &mut Scan<'_>, draft: &mut Draft, facts: &Facts, name: &str) {
    let runtime = &mut draft.spec.runtime;
    let names: &[&str] = if facts.needs_cgo {
        &["ca-certificates-bundle", "glibc", "libgcc", "tzdata"]
    } else {
        &["ca-certificates-bundle", "tzdata"]
    };
    runtime.packages = names
        .iter()
        .filter_map(|name| scan.catalog.package(name))
        .collect();
    runtime.copy = vec![Copy {
        from: format!("/out/{name}"),
        to: name.to_owned(),
    }];
    runtime.copy.extend(facts.data.iter().map(|dir| Copy {
        from: dir.clone(),
        to: dir.clone(),
    }));
    runtime.command = vec![format!("/app/{name}")];
    for dir in &facts.data {
        draft
            .evidence
            .push(Evidence::new("copy", dir, "go.relative-path"));
    }
    if let Some((file, line, call)) = &facts.listens {
        draft
            .evidence
            .push(Evidence::new("kind", call, "go.listens").at(file, Some(*line)));
        match &facts.port {
            Some(port) => draft.listens_on(port, "go.address"),
            None if facts.reads_port => draft.is_given_port(8080),
            None => {}
        }
        if let Some(health) = &facts.health {
            draft.answers(health);
        }
    }
}
