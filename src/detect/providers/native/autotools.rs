//! Autotools: the programs that the `Makefile.am` files install.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::{Dir, join};

use super::library::{Kind, Need};
use super::{Found, OUT, Program, Project, is_for_developers, is_source, no_program};

/// Macros of `configure.ac`, and the packages with the tools behind them.
const TOOLS: &[(&str, &str)] = &[
    ("AM_GNU_GETTEXT", "gettext-dev"),
    ("AC_PROG_LEX", "flex"),
    ("AC_PROG_YACC", "bison"),
    ("LT_INIT", "libtool"),
    ("AC_PROG_LIBTOOL", "libtool"),
];

/// Reads the project at `dir`.
pub(super) fn read(scan: &mut Scan<'_>, dir: Dir<'_>) -> Found {
    let path = dir.path();
    let manifest = dir.join("configure.ac");
    let text = match dir.text("configure.ac") {
        Ok(text) => text,
        Err(error) => return Found::Not(format!("`configure.ac` {}", error.message)),
    };
    let mut left_out = BTreeMap::new();
    let mut programs = Vec::new();
    let mut reached = BTreeSet::new();
    for below in scan.repo.below(path) {
        if !below.has("Makefile.am") {
            continue;
        }
        reached.insert(below.path().to_owned());
        let relative = below.path().get(path.len()..).unwrap_or_default();
        if relative
            .split('/')
            .any(|part| is_for_developers(part).is_some())
        {
            continue;
        }
        let Ok(text) = below.text("Makefile.am") else {
            continue;
        };
        programs.extend(installed(below, &text, &mut left_out));
    }
    let needs = needs(&text, &manifest);
    let (tools, commands) = steps(dir, &text);
    let mut problem = None;
    if programs.is_empty() {
        if !left_out.is_empty() || !reached.is_empty() {
            return Found::Not(no_program(&left_out, "no `Makefile.am` installs a program"));
        }
        let Some(program) = named(&text, &manifest) else {
            return Found::Not("`configure.ac` has no `AC_INIT`".to_owned());
        };
        programs.push(program);
        let message = "has no `Makefile.am` that says which program it builds";
        problem = Some(
            Problem::new(&manifest, None, message)
                .help("write the build commands and the files of the image into `peelbox.yaml`"),
        );
    }
    Found::Project(Box::new(Project {
        dir: path.to_owned(),
        system: "autotools",
        manifest,
        tools,
        needs,
        commands,
        programs,
        shared: Vec::new(),
        reached,
        problem,
        warnings: Vec::new(),
    }))
}

/// The packages with the tools that `configure.ac` asks for, and the commands that build.
fn steps(dir: Dir<'_>, text: &str) -> (Vec<&'static str>, Vec<String>) {
    let mut tools = Vec::new();
    let mut commands = Vec::new();
    if !dir.has("configure") {
        tools.extend(["autoconf", "automake"]);
        commands.push("autoreconf --install".to_owned());
    }
    for (name, tool) in TOOLS {
        let is_used = text.lines().any(|line| line.trim_start().starts_with(name));
        if is_used && !tools.contains(tool) && (*tool != "libtool" || !dir.has("configure")) {
            tools.push(*tool);
        }
    }
    commands.push("./configure --prefix=/app".to_owned());
    commands.push("make".to_owned());
    commands.push(format!("make install DESTDIR={OUT}"));
    (tools, commands)
}

/// The programs of one `Makefile.am`.
fn installed(dir: Dir<'_>, text: &str, left_out: &mut BTreeMap<String, String>) -> Vec<Program> {
    let mut programs = Vec::new();
    let all: Vec<(u64, String, Vec<String>)> = assignments(text).collect();
    let of_variable: BTreeMap<&str, &Vec<String>> = all
        .iter()
        .map(|(_, name, values)| (name.as_str(), values))
        .collect();
    for (line, name, values) in &all {
        let place = match name.as_str() {
            "bin_PROGRAMS" => "bin",
            "sbin_PROGRAMS" => "sbin",
            "check_PROGRAMS" | "noinst_PROGRAMS" | "EXTRA_PROGRAMS" => {
                for value in values {
                    left_out.insert(value.clone(), "not installed".to_owned());
                }
                continue;
            }
            _ => continue,
        };
        for program in values {
            if program.contains(['$', '@']) {
                let what = "named by a variable that only `configure` knows";
                left_out.insert(program.clone(), what.to_owned());
                continue;
            }
            if let Some(what) = is_for_developers(program) {
                left_out.insert(program.clone(), what.to_owned());
                continue;
            }
            let variable = program.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            let sources = of_variable.get(format!("{variable}_SOURCES").as_str());
            let sources = sources.into_iter().copied().flatten();
            let sources = sources.filter(|source| is_source(source));
            programs.push(Program {
                file: dir.join("Makefile.am"),
                line: *line,
                written: program.clone(),
                rule: "autotools.programs",
                sources: sources.map(|source| dir.join(source)).collect(),
                from: format!("{OUT}/app/{place}/{program}"),
                to: format!("{place}/{program}"),
                name: program.clone(),
            });
        }
    }
    programs
}

/// The assignments of a `Makefile.am`: line, variable, words.
fn assignments(text: &str) -> impl Iterator<Item = (u64, String, Vec<String>)> + '_ {
    let mut lines = text.lines().zip(1..);
    std::iter::from_fn(move || {
        loop {
            let (line, number) = lines.next()?;
            let mut whole = line.split('#').next().unwrap_or_default().to_owned();
            while whole.trim_end().ends_with('\\') {
                whole.truncate(whole.trim_end().len() - 1);
                let Some((next, _)) = lines.next() else { break };
                whole.push(' ');
                whole.push_str(next);
            }
            if whole.starts_with('\t') {
                continue;
            }
            if let Some((name, value)) = whole.split_once('=') {
                let name = name.trim_end_matches('+').trim().to_owned();
                let values = value.split_whitespace().map(str::to_owned).collect();
                return Some((number, name, values));
            }
        }
    })
}

/// The libraries that `configure` looks for.
fn needs(text: &str, file: &str) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim_start();
        let arguments = |name: &str| -> Option<Vec<String>> {
            let rest = line.strip_prefix(name)?.strip_prefix('(')?;
            let words = rest.split(',');
            Some(
                words
                    .map(|word| word.trim_matches(|c: char| "[]() ".contains(c)).to_owned())
                    .collect(),
            )
        };
        let mut found: Vec<(String, Kind)> = Vec::new();
        if let Some(words) = arguments("AC_CHECK_LIB") {
            found.extend(words.first().map(|name| (name.clone(), Kind::Linked)));
        } else if let Some(words) = arguments("AC_SEARCH_LIBS") {
            let names = words.get(1).map(String::as_str).unwrap_or_default();
            let first = names.split_whitespace().next();
            found.extend(first.map(|name| (name.to_owned(), Kind::Linked)));
        } else if let Some(words) = arguments("PKG_CHECK_MODULES") {
            let names = words.get(1).map(String::as_str).unwrap_or_default();
            let mut is_version = false;
            for word in names.split_whitespace() {
                let is_operator = word.starts_with(['<', '>', '=']);
                if !is_operator && !is_version {
                    found.push((word.to_owned(), Kind::Module));
                }
                is_version = is_operator;
            }
        }
        for (name, kind) in found {
            let need = Need {
                name,
                kind,
                is_required: true,
                file: file.to_owned(),
                line: number,
            };
            if !need.is_builtin() {
                needs.push(need);
            }
        }
    }
    needs
}

/// The program that `AC_INIT` names, as far as anything does.
fn named(text: &str, manifest: &str) -> Option<Program> {
    let (line, at) = text.lines().zip(1..).find_map(|(line, number)| {
        let rest = line.trim_start().strip_prefix("AC_INIT(")?;
        Some((rest.to_owned(), number))
    })?;
    let name = line.split([',', ')']).next()?;
    let name = name.trim_matches(|c: char| "[] ".contains(c)).to_owned();
    (!name.is_empty()).then(|| Program {
        file: manifest.to_owned(),
        line: at,
        written: name.clone(),
        rule: "autotools.init",
        sources: Vec::new(),
        from: join(&format!("{OUT}/app/bin"), &name),
        to: join("bin", &name),
        name,
    })
}
