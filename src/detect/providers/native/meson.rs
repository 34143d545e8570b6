//! Meson: the executables of a project and of its subdirectories.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::{Dir, join, resolve};
use crate::detect::source::{Family, Source};
use crate::spec::Copy;

use super::super::packaged::PROGRAMS;
use super::library::{Kind, Need};
use super::{BUILD, Found, OUT, Program, Project, is_for_developers, is_source, no_program};

/// Directories below one another, at most.
const DEPTH: usize = 24;
/// Bytes of the arguments of a call, at most.
const LONGEST: usize = 16 << 10;

#[derive(Default)]
struct Build {
    root: String,
    project: String,
    programs: Vec<Program>,
    is_installed: bool,
    data: BTreeSet<String>,
    left_out: BTreeMap<String, String>,
    needs: Vec<Need>,
    reached: BTreeSet<String>,
}

/// A call of a function: where its arguments begin and end.
struct Call {
    at: usize,
    end: usize,
}

/// Reads the project at `dir`.
pub(super) fn read(scan: &mut Scan<'_>, dir: Dir<'_>) -> Found {
    let path = dir.path();
    let manifest = dir.join("meson.build");
    let text = match dir.text("meson.build") {
        Ok(text) => text,
        Err(error) => return Found::Not(format!("`meson.build` {}", error.message)),
    };
    let source = Source::parse(&text, Family::Meson);
    let project = calls(&source, "project").into_iter().next();
    let Some(name) = project.and_then(|call| strings(&source, &call).into_iter().next()) else {
        return Found::Not("`meson.build` has no `project()`: it is a part of a build".to_owned());
    };
    let mut build = Build {
        root: path.to_owned(),
        project: name.1,
        ..Build::default()
    };
    build.visit(scan, path, 0);
    if build.programs.is_empty() {
        let what = format!("`{}` builds libraries only", build.project);
        return Found::Not(no_program(&build.left_out, &what));
    }
    let mut warnings = Vec::new();
    if let Some(subprojects) = dir.below("subprojects") {
        let wraps = subprojects
            .files()
            .iter()
            .filter(|name| name.ends_with(".wrap"));
        for wrap in wraps {
            let message = "is downloaded while it builds, where the system does not have it";
            warnings.push(Problem::new(&subprojects.join(wrap), None, message));
        }
    }
    Found::Project(Box::new(build.into_project(manifest, warnings)))
}

/// The calls of a function, whose name is no part of a longer one or of a method.
fn calls(source: &Source, name: &str) -> Vec<Call> {
    let open = format!("{name}(");
    let places = source
        .all(&open)
        .filter(|at| !source.code[..*at].ends_with('.'))
        .take(PROGRAMS * 2);
    let calls = places.map(|at| {
        let start = at + open.len();
        let mut depth = 1;
        let most = source.code.floor_char_boundary(start + LONGEST);
        let end = source.code[start..most].bytes().position(|byte| {
            match byte {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        Call {
            at,
            end: end.map_or(most, |end| start + end),
        }
    });
    calls.collect()
}

/// The strings among the arguments of a call.
fn strings(source: &Source, call: &Call) -> Vec<(usize, String)> {
    source.strings_in(call.at..call.end).to_vec()
}

/// What follows a keyword among the arguments.
fn keyword<'s>(source: &'s Source, call: &Call, name: &str) -> Option<(usize, &'s str)> {
    let inside = source.code.get(call.at..call.end)?;
    let at = inside.match_indices(name).find_map(|(at, _)| {
        let is_word = !inside[..at].ends_with(|c: char| c == '_' || c.is_alphanumeric());
        let rest = inside[at + name.len()..].trim_start();
        (is_word && rest.starts_with(':')).then_some(at)
    })?;
    let colon = inside[at..].find(':')? + at + 1;
    Some((call.at + colon, inside[colon..].trim_start()))
}

fn is_true(source: &Source, call: &Call, name: &str) -> bool {
    keyword(source, call, name).is_some_and(|(_, value)| value.starts_with("true"))
}

impl Build {
    fn visit(&mut self, scan: &Scan<'_>, dir: &str, depth: usize) {
        let file = join(dir, "meson.build");
        let Ok(text) = scan.repo.text(&file) else {
            return;
        };
        if depth > DEPTH || !self.reached.insert(dir.to_owned()) {
            return;
        }
        let source = Source::parse(&text, Family::Meson);
        for call in calls(&source, "executable") {
            self.executable(&source, &call, dir, &file);
        }
        for call in calls(&source, "dependency") {
            let Some((at, name)) = strings(&source, &call).into_iter().next() else {
                continue;
            };
            let is_optional = keyword(&source, &call, "required")
                .is_some_and(|(_, value)| !value.starts_with("true"));
            let need = Need {
                is_required: !is_optional,
                kind: Kind::Module,
                file: file.clone(),
                line: source.line(at),
                name,
            };
            if !need.is_builtin() {
                self.needs.push(need);
            }
        }
        for name in ["install_data", "install_subdir"] {
            for call in calls(&source, name) {
                self.installs(&source, &call);
            }
        }
        for call in calls(&source, "subdir") {
            let Some((_, name)) = strings(&source, &call).into_iter().next() else {
                continue;
            };
            if is_for_developers(&name).is_none()
                && let Some(below) = resolve(dir, &name)
            {
                self.visit(scan, &below, depth + 1);
            }
        }
    }

    fn executable(&mut self, source: &Source, call: &Call, dir: &str, file: &str) {
        let strings = strings(source, call);
        let Some((at, name)) = self.named(source, call, &strings) else {
            return;
        };
        if let Some(what) = is_for_developers(&name).or(is_tested(source, call).then_some("a test"))
        {
            self.left_out.insert(name, what.to_owned());
            return;
        }
        let native = is_true(source, call, "native");
        let is_default = !keyword(source, call, "build_by_default")
            .is_some_and(|(_, value)| value.starts_with("false"));
        if native || !is_default {
            self.left_out.insert(name, "a tool of the build".to_owned());
            return;
        }
        let install = is_true(source, call, "install");
        self.is_installed |= install;
        let sources = strings.iter().filter(|(_, text)| is_source(text));
        let sources = sources.filter_map(|(_, text)| resolve(dir, text)).collect();
        let below = dir.get(self.root.len()..).unwrap_or_default();
        let built = join(&join(BUILD, below.trim_start_matches('/')), &name);
        let (from, to) = if install {
            (format!("{OUT}/app/bin/{name}"), format!("bin/{name}"))
        } else {
            (built, name.clone())
        };
        let line = source.line(at);
        let written = if at == call.at {
            "meson.project_name()".to_owned()
        } else {
            name.clone()
        };
        self.programs.push(Program {
            name,
            file: file.to_owned(),
            line,
            written,
            rule: "meson.executable",
            sources,
            from,
            to,
        });
    }

    /// The name of an executable and where it stands, if it can be known without Meson.
    fn named(
        &mut self,
        source: &Source,
        call: &Call,
        strings: &[(usize, String)],
    ) -> Option<(usize, String)> {
        let inside = source.code.get(call.at + "executable(".len()..call.end);
        let first = inside.unwrap_or_default().trim_start();
        if first.starts_with("meson.project_name()") {
            return Some((call.at, self.project.clone()));
        }
        if first.starts_with('\'') {
            return strings.first().cloned();
        }
        let what = "named by a variable that only Meson knows";
        let word = first.split([',', ')']).next().unwrap_or_default();
        self.left_out
            .insert(word.trim().to_owned(), what.to_owned());
        None
    }

    fn installs(&mut self, source: &Source, call: &Call) {
        let Some((at, _)) = keyword(source, call, "install_dir") else {
            return;
        };
        let inside = strings(source, call);
        let place: Vec<&str> = inside
            .iter()
            .filter(|(place, _)| *place >= at)
            .map(|(_, text)| text.as_str())
            .collect();
        let code = source.code.get(at..call.end).unwrap_or_default();
        if code.trim_start().starts_with("get_option(") {
            self.data.insert("share".to_owned());
        } else if let Some(place) = place.first().filter(|place| !place.starts_with('/')) {
            self.data.insert((*place).to_owned());
        }
    }

    fn into_project(self, manifest: String, warnings: Vec<Problem>) -> Project {
        let mut commands = vec![
            format!("meson setup {BUILD} --prefix=/app --libdir=lib --buildtype=release"),
            format!("meson compile -C {BUILD}"),
        ];
        let mut shared = Vec::new();
        if self.is_installed {
            commands.push(format!(
                "DESTDIR={OUT} meson install -C {BUILD} --no-rebuild --strip"
            ));
            shared = self
                .data
                .iter()
                .map(|place| Copy {
                    from: format!("{OUT}/app/{place}"),
                    to: place.clone(),
                })
                .collect();
        }
        Project {
            dir: self.root,
            system: "meson",
            manifest,
            tools: vec!["meson", "ninja"],
            needs: self.needs,
            commands,
            programs: self.programs,
            shared,
            reached: self.reached,
            problem: None,
            warnings,
        }
    }
}

/// Whether the variable that an executable is assigned to is named by a `test`.
fn is_tested(source: &Source, call: &Call) -> bool {
    let assigned = source.code[..call.at].trim_end();
    let variable = assigned
        .strip_suffix('=')
        .map(str::trim_end)
        .unwrap_or_default();
    let variable = variable
        .rsplit(|c: char| c != '_' && !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    !variable.is_empty()
        && calls(source, "test").iter().any(|test| {
            let inside = source.code.get(test.at..test.end).unwrap_or_default();
            inside
                .split(|c: char| c != '_' && !c.is_alphanumeric())
                .any(|w| w == variable)
        })
}
