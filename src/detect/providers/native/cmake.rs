//! CMake: the executables of a project and of the directories that it adds.

mod variables;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::detect::provider::{Problem, Scan, quoted};
use crate::detect::repo::{Dir, join, resolve};
use crate::spec::Copy;

use super::command::{self, Command};
use super::library::{Kind, Need};
use super::{
    BUILD, Found, OUT, Program, Project, in_build, is_for_developers, is_source, no_program,
};

/// Directories below one another, at most.
const DEPTH: usize = 24;

struct Executable {
    name: String,
    dir: String,
    line: u64,
    file: String,
    written: String,
    sources: Vec<String>,
    /// The directory that the build leaves it in.
    output: Option<String>,
}

#[derive(Default)]
struct Build {
    root: String,
    variables: BTreeMap<String, String>,
    options: BTreeMap<String, bool>,
    executables: Vec<Executable>,
    /// Names of libraries, and whether they are shared ones.
    libraries: BTreeMap<String, bool>,
    links: BTreeMap<String, Vec<String>>,
    properties: BTreeMap<(String, String), String>,
    /// Executables that are installed, and where.
    installed: BTreeMap<String, String>,
    /// Other directories that the installation makes.
    data: BTreeSet<String>,
    /// Executables that are no apps, and what they are.
    left_out: BTreeMap<String, String>,
    needs: Vec<Need>,
    warnings: Vec<Problem>,
    reached: BTreeSet<String>,
    project: Option<String>,
    has_git: bool,
    problem: Option<Problem>,
    /// Bytes that variables became.
    expanded: Cell<usize>,
}

/// Reads the project at `dir`.
pub(super) fn read(scan: &mut Scan<'_>, dir: Dir<'_>) -> Found {
    let path = dir.path();
    let mut build = Build {
        root: path.to_owned(),
        ..Build::default()
    };
    build.visit(scan, path, 0);
    let Some(name) = build.project.clone() else {
        return Found::Not(
            "`CMakeLists.txt` has no `project()`: it is a part of a build".to_owned(),
        );
    };
    for (manifest, what) in [
        ("vcpkg.json", "vcpkg"),
        ("conanfile.txt", "Conan"),
        ("conanfile.py", "Conan"),
    ] {
        if dir.has(manifest) && build.problem.is_none() {
            let message = format!("takes its libraries from {what}, which is not packaged");
            let help = "take them from the distribution with `find_package`, or keep their sources in the repository";
            build.problem = Some(Problem::new(&dir.join(manifest), None, message).help(help));
        }
    }
    let programs = build.programs();
    if programs.is_empty() {
        return Found::Not(no_program(
            &build.left_out,
            &format!("`{name}` builds libraries only"),
        ));
    }
    Found::Project(Box::new(
        build.into_project(dir.join("CMakeLists.txt"), programs),
    ))
}

impl Build {
    fn visit(&mut self, scan: &Scan<'_>, dir: &str, depth: usize) {
        let file = join(dir, "CMakeLists.txt");
        let Ok(text) = scan.repo.text(&file) else {
            return;
        };
        if depth > DEPTH || !self.reached.insert(dir.to_owned()) {
            return;
        }
        let outer = self.variables.clone();
        // Whether the branch is taken, and whether one of the same `if` was.
        let mut branches: Vec<(bool, bool)> = Vec::new();
        let mut definition = false;
        for command in command::parse(&text) {
            match command.name.as_str() {
                "function" | "macro" => definition = true,
                "endfunction" | "endmacro" => definition = false,
                _ if definition => {}
                "if" => {
                    let taken = self.holds(&command.arguments) != Some(false);
                    branches.push((taken, taken));
                }
                "elseif" => {
                    let holds = self.holds(&command.arguments) != Some(false);
                    if let Some((taken, before)) = branches.last_mut() {
                        *taken = holds && !*before;
                        *before |= *taken;
                    }
                }
                "else" => {
                    if let Some((taken, before)) = branches.last_mut() {
                        *taken = !*before;
                    }
                }
                "endif" => {
                    branches.pop();
                }
                _ if branches.iter().all(|(taken, _)| *taken) => {
                    self.command(scan, dir, &file, &command, depth);
                }
                _ => {}
            }
        }
        if depth > 0 {
            self.variables = outer;
        }
    }

    fn command(&mut self, scan: &Scan<'_>, dir: &str, file: &str, command: &Command, depth: usize) {
        let arguments: Vec<Option<String>> = command
            .arguments
            .iter()
            .map(|argument| self.expanded(argument, dir))
            .collect();
        let known: Vec<String> = arguments.iter().flatten().cloned().collect();
        let first = arguments.first().cloned().flatten();
        match (command.name.as_str(), first) {
            ("project", Some(name)) => {
                if depth == 0 {
                    self.project = Some(name.clone());
                    self.set("CMAKE_PROJECT_NAME", &name);
                }
                self.set("PROJECT_NAME", &name);
            }
            ("set", Some(name)) => {
                let end = known
                    .iter()
                    .position(|word| word == "CACHE" || word == "PARENT_SCOPE");
                let values = known.get(1..end.unwrap_or(known.len())).unwrap_or_default();
                if arguments.iter().all(Option::is_some) {
                    self.set(&name, &values.join(";"));
                } else {
                    self.variables.remove(&name);
                }
            }
            ("option", Some(name)) => {
                let is_on = known
                    .get(2)
                    .is_some_and(|value| value.eq_ignore_ascii_case("ON"));
                self.options.insert(name, is_on);
            }
            ("add_subdirectory", Some(name)) => {
                let Some(below) = self.directory(dir, &name) else {
                    return;
                };
                if is_foreign(&name) {
                    self.reached.insert(below);
                } else if is_for_developers(&name).is_none() {
                    self.visit(scan, &below, depth + 1);
                }
            }
            ("add_library", Some(name)) => {
                let is_shared = known.get(1).is_some_and(|kind| kind == "SHARED");
                self.libraries.insert(name, is_shared);
            }
            ("add_executable", first) => {
                self.executable(dir, file, command, &arguments, first);
            }
            _ => self.more(file, command, &known),
        }
    }

    fn more(&mut self, file: &str, command: &Command, known: &[String]) {
        let Some(first) = known.first().cloned() else {
            return;
        };
        match command.name.as_str() {
            "target_link_libraries" => {
                self.links
                    .entry(first)
                    .or_default()
                    .extend_from_slice(&known[1..]);
            }
            "set_target_properties" => self.set_properties(known),
            "set_property" => {
                if let Some(at) = known.iter().position(|word| word == "PROPERTY")
                    && let [property, value, ..] = &known[at + 1..]
                {
                    for target in known.iter().take(at).skip(1) {
                        let key = (target.clone(), property.clone());
                        self.properties.insert(key, value.clone());
                    }
                }
            }
            "add_test" => {
                for word in known.iter().skip(1) {
                    self.leave_out(word, "a test");
                }
            }
            "gtest_discover_tests" | "catch_discover_tests" | "doctest_discover_tests" => {
                self.leave_out(&first, "a test");
            }
            "add_custom_command" | "add_custom_target" => {
                let at = known.iter().position(|word| word == "COMMAND");
                if let Some(program) = at.and_then(|at| known.get(at + 1)) {
                    self.leave_out(&program.clone(), "a tool of the build");
                }
            }
            "install" => self.install(known),
            _ => self.need(file, command, known, &first),
        }
    }

    fn set_properties(&mut self, known: &[String]) {
        let Some(at) = known.iter().position(|word| word == "PROPERTIES") else {
            return;
        };
        for pair in known[at + 1..].chunks(2) {
            let [property, value] = pair else { continue };
            for target in &known[..at] {
                let key = (target.clone(), property.clone());
                self.properties.insert(key, value.clone());
            }
        }
    }

    fn leave_out(&mut self, target: &str, what: &str) {
        self.left_out
            .entry(target.to_owned())
            .or_insert_with(|| what.to_owned());
    }

    fn executable(
        &mut self,
        dir: &str,
        file: &str,
        command: &Command,
        arguments: &[Option<String>],
        first: Option<String>,
    ) {
        const WORDS: &[&str] = &["EXCLUDE_FROM_ALL", "MACOSX_BUNDLE", "WIN32"];
        let written = command.arguments.first().cloned().unwrap_or_default();
        let Some(name) = first else {
            self.leave_out(&written, "named by a variable that only CMake knows");
            return;
        };
        let is_other = |word: &str| arguments.iter().flatten().any(|found| found == word);
        if is_other("IMPORTED") || is_other("ALIAS") {
            return;
        }
        if let Some(what) = is_for_developers(&name) {
            self.leave_out(&name, what);
        }
        if is_other("EXCLUDE_FROM_ALL") {
            self.leave_out(&name, "left out of the default target");
        }
        let words = arguments
            .iter()
            .skip(1)
            .flatten()
            .flat_map(|word| word.split(';'));
        let sources = words.filter(|word| !WORDS.contains(word) && is_source(word));
        let sources = sources
            .filter_map(|word| self.directory(dir, word))
            .collect();
        let set = ["CMAKE_RUNTIME_OUTPUT_DIRECTORY", "EXECUTABLE_OUTPUT_PATH"];
        let output = set
            .iter()
            .find_map(|name| self.variables.get(*name).cloned());
        self.executables.push(Executable {
            line: command.lines.first().copied().unwrap_or(command.line),
            dir: dir.to_owned(),
            file: file.to_owned(),
            name,
            written,
            sources,
            output,
        });
    }

    fn install(&mut self, known: &[String]) {
        let after = |word: &str| {
            let at = known.iter().position(|found| found == word)?;
            known.get(at + 1).cloned()
        };
        let destination = after("DESTINATION");
        match known[0].as_str() {
            "TARGETS" => {
                const WORDS: &[&str] = &[
                    "ARCHIVE",
                    "BUNDLE",
                    "COMPONENT",
                    "DESTINATION",
                    "EXPORT",
                    "FILE_SET",
                    "INCLUDES",
                    "LIBRARY",
                    "OPTIONAL",
                    "PERMISSIONS",
                    "PUBLIC_HEADER",
                    "RUNTIME",
                ];
                let place = match known.iter().position(|word| word == "RUNTIME") {
                    Some(at) if known.get(at + 1).is_some_and(|word| word == "DESTINATION") => {
                        known.get(at + 2).cloned()
                    }
                    _ => destination.clone(),
                };
                let targets = known[1..]
                    .iter()
                    .take_while(|word| !WORDS.contains(&word.as_str()));
                for target in targets {
                    let place = place.clone().unwrap_or_else(|| "bin".to_owned());
                    self.installed.insert(target.clone(), place);
                }
            }
            "FILES" | "DIRECTORY" => {
                let place = destination.unwrap_or_default();
                let is_for_builds = [
                    "include",
                    "lib/cmake",
                    "lib/pkgconfig",
                    "share/man",
                    "share/doc",
                ]
                .iter()
                .any(|other| place.starts_with(other));
                if !place.is_empty() && !place.starts_with('/') && !is_for_builds {
                    self.data.insert(place.trim_end_matches('/').to_owned());
                }
            }
            _ => {}
        }
    }

    /// What the build asks the system and the network for.
    fn need(&mut self, file: &str, command: &Command, known: &[String], first: &str) {
        let line = |at: usize| command.lines.get(at).copied().unwrap_or(command.line);
        let is_required = known.iter().any(|word| word == "REQUIRED");
        match command.name.as_str() {
            "find_package" => {
                let is_for_tests = matches!(
                    first,
                    "Catch2" | "Doxygen" | "GTest" | "GMock" | "benchmark" | "doctest"
                );
                self.needs.push(Need {
                    name: first.to_owned(),
                    kind: Kind::CMake,
                    is_required: is_required && !is_for_tests,
                    file: file.to_owned(),
                    line: line(0),
                });
            }
            "pkg_check_modules" | "pkg_search_module" => {
                for (at, word) in command.arguments.iter().enumerate().skip(1) {
                    if matches!(
                        word.as_str(),
                        "REQUIRED" | "QUIET" | "IMPORTED_TARGET" | "GLOBAL"
                    ) {
                        continue;
                    }
                    let name = word.split(['>', '<', '=']).next().unwrap_or_default();
                    self.needs.push(Need {
                        name: name.to_owned(),
                        kind: Kind::Module,
                        is_required,
                        file: file.to_owned(),
                        line: line(at),
                    });
                }
            }
            "fetchcontent_declare" | "externalproject_add" | "cpmaddpackage" => {
                self.has_git |= known
                    .iter()
                    .any(|word| word.contains("GIT") || word.contains("git"));
                let what = first.trim_start_matches("NAME");
                let message = format!("downloads `{what}` while it builds");
                self.warnings
                    .push(Problem::new(file, Some(command.line), message));
            }
            _ => {}
        }
    }

    /// The repository's path of a directory or file that is named in `dir`.
    fn directory(&self, dir: &str, name: &str) -> Option<String> {
        let root = in_build("");
        match name.strip_prefix(&root) {
            Some(rest) => resolve("", rest.trim_start_matches('/')),
            None if name.starts_with('/') => None,
            None => resolve(dir, name),
        }
    }

    /// The executables that are apps.
    fn programs(&mut self) -> Vec<Program> {
        const FRAMEWORKS: &[&str] = &["gtest", "gmock", "catch2", "benchmark", "doctest"];
        for executable in &self.executables {
            let links = self
                .links
                .get(&executable.name)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let is_test = links.iter().any(|library| {
                let library = library.to_ascii_lowercase();
                FRAMEWORKS.iter().any(|name| library.starts_with(name))
            });
            if is_test {
                self.left_out
                    .insert(executable.name.clone(), "a test".to_owned());
            }
        }
        // Tests and commands also name what no `add_executable` does.
        let executables = self.executables.iter().map(|found| found.name.as_str());
        let executables: BTreeSet<&str> = executables.collect();
        self.left_out
            .retain(|name, _| executables.contains(name.as_str()) || name.contains("${"));
        let apps = self
            .executables
            .iter()
            .filter(|found| !self.left_out.contains_key(&found.name));
        apps.map(|found| self.program(found)).collect()
    }

    fn program(&self, found: &Executable) -> Program {
        let property = |name: &str| {
            let key = (found.name.clone(), name.to_owned());
            self.properties.get(&key).cloned()
        };
        let file = property("OUTPUT_NAME").unwrap_or_else(|| found.name.clone());
        let below = found.dir.get(self.root.len()..).unwrap_or_default();
        let built = join(BUILD, below.trim_start_matches('/'));
        let output = property("RUNTIME_OUTPUT_DIRECTORY").or_else(|| found.output.clone());
        let output = match output {
            Some(output) if output.starts_with('/') => output,
            Some(output) => join(&built, &output),
            None => built,
        };
        let (from, to) = match self.installed.get(&found.name) {
            Some(place) => {
                let to = join(place.trim_matches('/'), &file);
                (format!("{OUT}/app/{to}"), to)
            }
            None => (join(&output, &file), file),
        };
        Program {
            name: found.name.clone(),
            file: found.file.clone(),
            line: found.line,
            written: found.written.clone(),
            rule: "cmake.add-executable",
            sources: found.sources.clone(),
            from,
            to,
        }
    }

    fn into_project(mut self, manifest: String, programs: Vec<Program>) -> Project {
        let is_installed = programs
            .iter()
            .any(|program| self.installed.contains_key(&program.name));
        let has_shared = self.libraries.values().any(|is_shared| *is_shared);
        let mut configure = format!(
            "cmake -S . -B {BUILD} -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF"
        );
        let mut shared = Vec::new();
        if is_installed {
            configure.push_str(" -DCMAKE_INSTALL_PREFIX=/app");
            if has_shared {
                configure
                    .push_str(" -DCMAKE_INSTALL_LIBDIR=lib '-DCMAKE_INSTALL_RPATH=$ORIGIN/../lib'");
                self.data.insert("lib".to_owned());
            }
            shared = self.data.iter().map(|place| copy(place)).collect();
        } else if has_shared && self.problem.is_none() {
            let message =
                "builds a shared library and has no `install(TARGETS)` that says where it belongs";
            let help = "add `install(TARGETS …)` for the program and its libraries";
            self.problem = Some(Problem::new(&manifest, None, message).help(help));
        }
        let targets: Vec<String> = programs
            .iter()
            .map(|program| quoted(&program.name))
            .collect();
        let mut commands = vec![configure];
        if is_installed {
            commands.push(format!("cmake --build {BUILD}"));
            commands.push(format!("DESTDIR={OUT} cmake --install {BUILD} --strip"));
        } else {
            commands.push(format!(
                "cmake --build {BUILD} --target {}",
                targets.join(" ")
            ));
        }
        self.needs.retain(|need| !need.is_builtin());
        let mut tools = vec!["cmake", "ninja"];
        if self.has_git {
            tools.push("git");
        }
        Project {
            dir: self.root,
            system: "cmake",
            manifest,
            tools,
            needs: self.needs,
            commands,
            programs,
            shared,
            reached: self.reached,
            problem: self.problem,
            warnings: self.warnings,
        }
    }
}

/// Whether a directory holds the code of others, whose programs are no apps of this repository.
fn is_foreign(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "deps",
        "extern",
        "external",
        "third-party",
        "third_party",
        "vendor",
    ];
    name.split('/').any(|part| NAMES.contains(&part))
}

fn copy(place: &str) -> Copy {
    Copy {
        from: format!("{OUT}/app/{place}"),
        to: place.to_owned(),
    }
}
