//! C and C++: the programs that CMake, Meson, the autotools and make build.

mod autotools;
mod cmake;
mod command;
mod facts;
mod library;
mod make;
mod meson;

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan, tree_glob};
use crate::detect::repo::{Dir, is_within};
use crate::detect::source;
use crate::spec::{Copy, Kind};

use super::packaged;
use library::Need;

pub(crate) struct Native;

const LANGUAGE: Language = Language {
    name: "C and C++",
    build_systems: &["autotools", "cmake", "make", "meson"],
    frameworks: &["crow", "drogon", "httplib", "microhttpd", "mongoose"],
    manifests: &[
        "CMakeLists.txt",
        "GNUmakefile",
        "Makefile",
        "binding.gyp",
        "configure.ac",
        "makefile",
        "meson.build",
    ],
};

/// Endings of sources that are compiled.
const SOURCES: &[&str] = &["c", "cc", "cpp", "cxx"];

/// Manifests of languages whose builds use a Makefile as a list of shortcuts, or compile C for themselves.
const OTHERS: &[&str] = &[
    "Cargo.toml",
    "Gemfile",
    "Package.swift",
    "build.gradle",
    "build.gradle.kts",
    "build.zig",
    "composer.json",
    "dune-project",
    "go.mod",
    "mix.exs",
    "package.json",
    "pom.xml",
    "pyproject.toml",
    "rebar.config",
    "setup.py",
    "shard.yml",
];

/// Libraries that one build asks for, at most: each is looked up under several names.
const NEEDS: usize = 500;

/// The directory that builds go to, outside of the sources.
const BUILD: &str = "/build";
/// The directory that installations go to.
const OUT: &str = "/out";

/// One build of a directory.
#[derive(Debug, Default)]
struct Project {
    dir: String,
    system: &'static str,
    /// The file that stands for it in messages.
    manifest: String,
    /// Packages that the build system itself needs.
    tools: Vec<&'static str>,
    needs: Vec<Need>,
    commands: Vec<String>,
    programs: Vec<Program>,
    /// What is copied for each of the programs.
    shared: Vec<Copy>,
    /// Directories that are built by it.
    reached: BTreeSet<String>,
    problem: Option<Problem>,
    warnings: Vec<Problem>,
}

/// One executable.
#[derive(Clone, Debug)]
struct Program {
    name: String,
    file: String,
    line: u64,
    /// What stands on that line.
    written: String,
    rule: &'static str,
    /// The sources that are known to be its own.
    sources: Vec<String>,
    /// Where the build leaves it.
    from: String,
    /// Where it lies in the image, relative to the working directory.
    to: String,
}

/// What a directory with a build file is.
enum Found {
    Project(Box<Project>),
    Not(String),
}

impl Provider for Native {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn looks_at_others(&self) -> bool {
        true
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let mut reached: BTreeSet<String> = BTreeSet::new();
        type Read = fn(&mut Scan<'_>, Dir<'_>) -> Found;
        let systems: [(&[&str], &str, Read); 4] = [
            (&["CMakeLists.txt"], "a CMake project", cmake::read),
            (&["meson.build"], "a Meson project", meson::read),
            (&["configure.ac"], "an autotools project", autotools::read),
            (make::NAMES, "a program built with make", make::read),
        ];
        for (names, looks_like, read) in systems {
            for dir in scan.dirs_with(names) {
                let path = dir.path();
                if reached.contains(path) || is_foreign(scan, dir, looks_like, names) {
                    continue;
                }
                if passed_over(scan, path, looks_like, false) {
                    continue;
                }
                match read(scan, dir) {
                    Found::Project(project) => {
                        reached.extend(project.reached.iter().cloned());
                        reached.insert(path.to_owned());
                        drafts(scan, *project);
                    }
                    Found::Not(reason) => {
                        reached.insert(path.to_owned());
                        scan.reject(path, looks_like, reason);
                    }
                }
            }
        }
    }
}

/// Whether the build file is part of something that is no C program.
fn is_foreign(scan: &mut Scan<'_>, dir: Dir<'_>, looks_like: &str, names: &[&str]) -> bool {
    if dir.has("binding.gyp") {
        let reason = "`binding.gyp` makes it a native addon of Node.js";
        scan.reject(dir.path(), looks_like, reason);
        return true;
    }
    if names != make::NAMES {
        return false;
    }
    // A Makefile without C beside it is a list of shortcuts: nearly every repository has one.
    if !make::has_sources(dir) {
        return true;
    }
    if let Some(other) = dir.first(OTHERS) {
        let reason = format!("its Makefile serves the project of `{other}`");
        scan.reject(dir.path(), looks_like, reason);
        return true;
    }
    let path = dir.path();
    scan.drafts.iter().any(|draft| {
        let system = draft.spec.metadata.build_system.as_deref();
        draft.path == path || (system == Some("make") && is_within(path, &draft.path))
    })
}

fn drafts(scan: &mut Scan<'_>, mut project: Project) {
    project.programs = packaged::bounded(scan, &project.manifest, project.programs);
    project.needs.truncate(NEEDS);
    let count = project.programs.len();
    let builds = builds(scan, &project);
    for warning in &project.warnings {
        let (file, message) = (warning.file.clone(), warning.message.clone());
        scan.warn(&file, warning.line, message);
    }
    for program in &project.programs {
        let others: BTreeSet<&str> = project
            .programs
            .iter()
            .filter(|other| other.name != program.name)
            .flat_map(|other| other.sources.iter().map(String::as_str))
            .filter(|source| !program.sources.iter().any(|own| own == source))
            .collect();
        let facts = facts::read(scan, &project.dir, program, &others, &builds);
        let kind = match (&facts.listens, &facts.is_cli) {
            (Some(_), _) => Kind::Web,
            (None, Some(_)) => Kind::Cli,
            (None, None) => Kind::Worker,
        };
        let language = if facts.is_cxx { "c++" } else { "c" };
        let mut draft = Draft::new(&project.dir, kind, language, project.system);
        draft.target = Some(program.name.clone());
        draft.evidence.push(
            Evidence::new("entry", &program.name, program.rule)
                .at(&program.file, Some(program.line))
                .written(&program.written),
        );
        draft.spec.metadata.framework = facts.framework.clone().map(|fact| fact.value);
        facts.tell(scan, &mut draft);
        let reasoning = reasoning(program, &facts, count);
        draft.spec.metadata.reasoning = Some(reasoning);
        draft.spec.metadata.confidence = Some(if facts.listens.is_some() { 90 } else { 75 });
        let problem = build(scan, &project, program, &mut draft);
        run(scan, &mut draft, program, facts.is_cxx);
        match problem {
            None => scan.drafts.push(draft),
            Some(problem) => scan.refuse(draft, problem),
        }
    }
}

/// The directories whose sources belong to other builds or apps.
fn builds(scan: &Scan<'_>, project: &Project) -> Vec<String> {
    // Makefiles below one another are one build.
    let manifests: &[&str] = match project.system {
        "make" => &[
            "CMakeLists.txt",
            "binding.gyp",
            "configure.ac",
            "meson.build",
        ],
        _ => LANGUAGE.manifests,
    };
    let others = scan.dirs_with(manifests);
    let others = others.iter().map(|dir| dir.path());
    let apps = scan.drafts.iter().map(|draft| draft.path.as_str());
    others
        .chain(apps)
        .filter(|dir| *dir != project.dir && !project.reached.contains(*dir))
        .map(str::to_owned)
        .collect()
}

fn reasoning(program: &Program, facts: &facts::Facts, count: usize) -> String {
    let what = match &facts.listens {
        Some(call) => format!(
            "it listens with `{}` in `{}` line {}",
            call.value, call.file, call.line
        ),
        None => "nothing in it listens".to_owned(),
    };
    let one = if count == 1 { "the" } else { "an" };
    let name = &program.name;
    format!("`{name}` is {one} executable of the build, and {what}")
}

/// Fills in the build; what it needs and cannot have is the answer.
fn build(
    scan: &Scan<'_>,
    project: &Project,
    program: &Program,
    draft: &mut Draft,
) -> Option<Problem> {
    let mut problem = project.problem.clone();
    let mut packages = BTreeSet::new();
    for tool in std::iter::once(&"build-base").chain(&project.tools) {
        match scan.catalog.package(tool) {
            Some(package) => {
                draft.evidence.push(
                    Evidence::new("toolchain", &package, "native.build-system")
                        .at(&project.manifest, None),
                );
                packages.insert(package);
            }
            None => {
                let message = format!("the index has no package `{tool}`");
                problem = problem.or(Some(Problem::new(&project.manifest, None, message)));
            }
        }
    }
    for need in &project.needs {
        match need.package(scan.catalog) {
            Some(package) => {
                draft.evidence.push(
                    Evidence::new("package", &package, need.rule())
                        .at(&need.file, Some(need.line))
                        .written(&need.name)
                        .note(format!("the build asks for `{}`", need.name)),
                );
                packages.insert(package);
            }
            None if need.is_required => {
                let message = format!("needs `{}`, for which the index has no package", need.name);
                problem = problem.or(Some(Problem::new(&need.file, Some(need.line), message)));
            }
            None => {}
        }
    }
    let build = &mut draft.spec.build;
    build.packages = packages.into_iter().collect();
    build.commands.clone_from(&project.commands);
    if !project.dir.is_empty() {
        build.context = vec![tree_glob(&project.dir)];
    }
    let copy = Copy {
        from: program.from.clone(),
        to: program.to.clone(),
    };
    draft.spec.runtime.copy = std::iter::once(copy)
        .chain(project.shared.iter().cloned())
        .collect();
    problem
}

fn run(scan: &Scan<'_>, draft: &mut Draft, program: &Program, is_cxx: bool) {
    let names: &[&str] = if is_cxx {
        &["ca-certificates-bundle", "glibc", "libgcc", "libstdc++"]
    } else {
        &["ca-certificates-bundle", "glibc", "libgcc"]
    };
    let runtime = &mut draft.spec.runtime;
    runtime.packages = names
        .iter()
        .filter_map(|name| scan.catalog.package(name))
        .collect();
    runtime.command = vec![format!("/app/{}", program.to)];
    draft.evidence.push(
        Evidence::new("command", format!("/app/{}", program.to), "native.program")
            .at(&program.file, Some(program.line))
            .written(&program.written)
            .note("libraries that it is linked with are added when it is built"),
    );
}

/// Whether a name says that a program is there to test, show or make others.
fn is_for_developers(name: &str) -> Option<&'static str> {
    const WORDS: &[(&str, &str)] = &[
        ("bench", "a benchmark"),
        ("benchmark", "a benchmark"),
        ("benchmarks", "a benchmark"),
        ("demo", "an example"),
        ("example", "an example"),
        ("examples", "an example"),
        ("fuzz", "a fuzz test"),
        ("fuzzer", "a fuzz test"),
        ("test", "a test"),
        ("tests", "a test"),
        ("unittest", "a test"),
        ("unittests", "a test"),
    ];
    let lower = name.to_ascii_lowercase();
    lower
        .split(['_', '-', '.', '/'])
        .find_map(|part| WORDS.iter().find(|(word, _)| *word == part))
        .map(|(_, what)| *what)
}

/// Why none of the executables of a build is an app.
fn no_program(left_out: &BTreeMap<String, String>, what: &str) -> String {
    match left_out.iter().next() {
        None => what.to_owned(),
        Some((name, why)) => format!("of its executables none is an app: `{name}` is {why}"),
    }
}

/// The path of a file or directory of the app in the build stage.
fn in_build(dir: &str) -> String {
    if dir.is_empty() {
        "/src".to_owned()
    } else {
        format!("/src/{dir}")
    }
}

fn is_source(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, end)| SOURCES.contains(&end))
}

/// Whether the source is C++.
fn is_cxx(name: &str) -> bool {
    is_source(name) && !name.ends_with(".c")
}

/// A fact about a source file.
fn fact<T>(file: &source::File, at: usize, value: T) -> source::Fact<T> {
    source::Fact {
        value,
        file: file.path.clone(),
        line: file.source.line(at),
    }
}
