//! What the languages share whose toolchain is one package, or none.

use crate::detect::explain::Evidence;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Scan, tree_glob};
use crate::detect::repo::Dir;
use crate::detect::source::{self, Fact, Family, File};
use crate::spec::{Copy, Kind};

/// Adds the packages of the toolchain, each of them by the index; the first one that it does not have is the problem.
pub(super) fn toolchain(
    scan: &Scan<'_>,
    draft: &mut Draft,
    manifest: &str,
    language: &str,
    names: &[&str],
) -> Option<Problem> {
    let mut problem = None;
    for name in names {
        let Some(package) = scan.catalog.package(name) else {
            let message = format!("{language} is not packaged: the index has no `{name}`");
            let help = format!(
                "use a package repository that has `{name}`, or build it with a Dockerfile"
            );
            problem = problem.or(Some(Problem::new(manifest, None, message).help(help)));
            continue;
        };
        draft
            .evidence
            .push(Evidence::new("toolchain", &package, "toolchain.package").at(manifest, None));
        draft.spec.build.packages.push(package);
    }
    draft.spec.build.packages.sort();
    draft.spec.build.packages.dedup();
    problem
}

/// The directories with one of the manifests that are not passed over because of their names.
pub(super) fn candidates<'a>(
    scan: &mut Scan<'a>,
    manifests: &[&str],
    looks_like: &str,
) -> Vec<Dir<'a>> {
    let mut dirs = scan.dirs_with(manifests);
    dirs.retain(|dir| !passed_over(scan, dir.path(), looks_like, false));
    dirs
}

/// Programs that one manifest names, at most: no person writes more.
pub(super) const PROGRAMS: usize = 200;

/// The first of the programs that a manifest names; it is told where there are more than are looked at.
pub(super) fn bounded<T>(scan: &mut Scan<'_>, manifest: &str, mut programs: Vec<T>) -> Vec<T> {
    if programs.len() > PROGRAMS {
        programs.truncate(PROGRAMS);
        let message = format!("names more than {PROGRAMS} programs: the others are left out");
        scan.warn(manifest, None, message);
    }
    programs
}

/// Adds the draft, refused where it has a problem.
pub(super) fn finish(scan: &mut Scan<'_>, mut draft: Draft, problem: Option<Problem>) {
    if !draft.path.is_empty() {
        draft.spec.build.context = vec![tree_glob(&draft.path)];
    }
    match problem {
        None => scan.drafts.push(draft),
        Some(problem) => scan.refuse(draft, problem),
    }
}

/// The program that the build leaves at `from`, as the image runs it.
pub(super) fn program(
    scan: &Scan<'_>,
    draft: &mut Draft,
    from: &str,
    name: &str,
    runtime: &[&str],
) {
    draft.spec.runtime.copy = vec![Copy {
        from: from.to_owned(),
        to: name.to_owned(),
    }];
    draft.spec.runtime.command = vec![format!("/app/{name}")];
    packages(scan, draft, runtime);
}

/// Adds packages to the image, as far as the index has them.
pub(super) fn packages(scan: &Scan<'_>, draft: &mut Draft, names: &[&str]) {
    let found = names.iter().filter_map(|name| scan.catalog.package(name));
    draft.spec.runtime.packages.extend(found);
    draft.spec.runtime.packages.sort();
    draft.spec.runtime.packages.dedup();
}

/// What makes a program of the language listen.
pub(super) struct Calls {
    /// The manifests of the language: a directory below with one of them is another program's.
    pub(super) manifests: &'static [&'static str],
    /// The calls, with the framework whose they are, best first.
    pub(super) listen: &'static [(&'static str, Option<&'static str>)],
    /// What stands right before the number of a port.
    pub(super) ports: &'static [&'static str],
    /// The ports that frameworks listen on by themselves.
    pub(super) defaults: &'static [(&'static str, u16)],
}

/// What the sources of a program say.
pub(super) struct Facts {
    pub(super) listens: Option<(Fact<String>, Option<&'static str>)>,
    port: Option<Fact<u16>>,
    reads_port: bool,
    health: Option<Fact<String>>,
}

/// Reads the sources below `dir` that end in one of `extensions`.
pub(super) fn facts(
    scan: &Scan<'_>,
    dir: &str,
    extensions: &[&str],
    family: Family,
    calls: &Calls,
) -> Facts {
    let others = scan.dirs_with(calls.manifests);
    let others: Vec<String> = others
        .iter()
        .map(|other| other.path().to_owned())
        .filter(|other| other != dir)
        .collect();
    let files = source::own(scan.repo, dir, &others, extensions, family);
    let listens = calls.listen.iter().find_map(|(call, framework)| {
        let (file, at) = files
            .iter()
            .find_map(|file| Some((file, file.source.find(call)?)))?;
        let value = call.trim_end_matches('(').to_owned();
        Some((fact(file, at, value), *framework))
    });
    let reads_port = files
        .iter()
        .any(|file| file.source.strings.iter().any(|(_, text)| text == "PORT"));
    Facts {
        listens,
        port: port(&files, calls.ports),
        reads_port,
        health: source::health(&files),
    }
}

fn fact<T>(file: &File, at: usize, value: T) -> Fact<T> {
    Fact {
        value,
        file: file.path.clone(),
        line: file.source.line(at),
    }
}

fn port(files: &[File], calls: &[&str]) -> Option<Fact<u16>> {
    for file in files {
        let source = &file.source;
        if let Some((start, _)) = source.strings.iter().find(|(_, text)| text == "PORT") {
            let beside = source.strings.iter().find_map(|(at, text)| {
                let is_near = at > start && at - start < 120;
                let value = source::port(text).filter(|_| is_near)?;
                Some(fact(file, *at, value))
            });
            if let Some(found) = beside {
                return Some(found);
            }
            if let Some(value) = source.number_after(start + "\"PORT\"".len(), 60) {
                return Some(fact(file, *start, value));
            }
        }
        for call in calls {
            for at in source.all(call) {
                if let Some(value) = source.number_after(at + call.len(), 60) {
                    return Some(fact(file, at, value));
                }
            }
        }
        for (at, text) in &source.strings {
            let address = text
                .split_once("://")
                .map_or(text.as_str(), |(_, rest)| rest);
            if let Some((value, _)) = source::port_of_address(address) {
                return Some(fact(file, *at, value));
            }
        }
    }
    None
}

impl Facts {
    /// The kind of a program that listens or does not.
    pub(super) fn kind(&self) -> Kind {
        if self.listens.is_some() {
            Kind::Web
        } else {
            Kind::Worker
        }
    }

    /// Adds what they say of framework, port and health, and the reasoning that starts with `what`.
    pub(super) fn tell(&self, draft: &mut Draft, calls: &Calls, what: &str) {
        let metadata = &mut draft.spec.metadata;
        metadata.confidence = Some(if self.listens.is_some() { 90 } else { 75 });
        let Some((call, framework)) = &self.listens else {
            metadata.reasoning = Some(format!("{what}, and nothing in it listens"));
            draft.is_so("source.nothing-listens", None);
            return;
        };
        metadata.reasoning = Some(format!(
            "{what}, and it listens with `{}` in `{}` line {}",
            call.value, call.file, call.line
        ));
        metadata.framework = framework.map(str::to_owned);
        let place = (&call.file, Some(call.line));
        draft.is_so("source.listens", Some((place.0, place.1, &call.value)));
        if let Some(framework) = framework {
            draft.evidence.push(
                Evidence::new("framework", *framework, "source.listens")
                    .at(place.0, place.1)
                    .written(&call.value),
            );
        }
        let default = calls
            .defaults
            .iter()
            .find(|(name, _)| Some(*name) == *framework);
        match (&self.port, default) {
            (Some(port), _) => draft.listens_on(port, "source.address"),
            (None, _) if self.reads_port => draft.is_given_port(8080),
            (None, Some((_, value))) => {
                let port = Fact {
                    value: *value,
                    file: String::new(),
                    line: 0,
                };
                draft.listens_on(&port, "");
            }
            (None, None) => {}
        }
        if let Some(health) = &self.health {
            draft.answers(health);
        }
    }
}
