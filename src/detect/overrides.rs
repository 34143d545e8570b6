//! What users say against detection, in `peelbox.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::spec::{Build, Change, Metadata, Override, Runtime, Spec, overrides};

use super::explain::{Candidate, Diagnostic, Evidence, Rejected, Severity};
use super::provider::{lookalike, shown};
use super::repo::{Repo, is_within, resolve};
use super::source::Fact;
use super::{App, Detection, Refused};

/// The names of a file with overrides; where a directory has several, the first one counts.
pub const FILES: &[&str] = &["peelbox.yaml", "peelbox.yml"];

/// The overrides of a repository, those of outer directories first.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    all: Vec<Placed>,
    problems: Vec<Diagnostic>,
    /// The directories of the repository.
    dirs: BTreeSet<String>,
}

/// What the languages have to know while they look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// The directories that are named, which none passes over because of its name.
    pub(super) dirs: BTreeSet<String>,
    /// The entry points by directory.
    pub(super) entries: BTreeMap<String, Fact<String>>,
}

/// What one file says of one app.
#[derive(Debug)]
struct Placed {
    dir: String,
    file: String,
    says: Override,
}

/// Where an app is in what was detected.
#[derive(Clone, Copy)]
enum At {
    Built(usize),
    Refused(usize),
}

impl Overrides {
    /// Reads every file of overrides; what is wrong with them is kept.
    pub(super) fn read(repo: &Repo) -> Self {
        let mut read = Self::default();
        for dir in repo.dirs() {
            let mut names = FILES.iter().filter(|name| dir.has(name));
            let Some(name) = names.next() else {
                continue;
            };
            if lookalike(dir.path()).is_some() {
                continue;
            }
            if let Some(other) = names.next() {
                let message = format!("`{name}` beside it is the one that is read");
                read.problem(&dir.join(other), None, None, message, None);
            }
            read.file(dir.path(), &dir.join(name), repo);
        }
        if !read.all.is_empty() {
            read.dirs = repo.dirs().map(|dir| dir.path().to_owned()).collect();
        }
        read
    }

    fn file(&mut self, dir: &str, file: &str, repo: &Repo) {
        let text = match repo.text(file) {
            Ok(text) => text,
            Err(unreadable) => {
                self.problem(file, unreadable.line, None, unreadable.message, None);
                return;
            }
        };
        match overrides(Path::new(file), text.as_bytes()) {
            Ok(all) => self.all.extend(all.into_iter().map(|says| Placed {
                dir: dir.to_owned(),
                file: file.to_owned(),
                says,
            })),
            Err(errors) => {
                let last = errors.problems.len();
                for (problem, number) in errors.problems.iter().zip(1..) {
                    let (line, column) = (problem.line as u64, problem.column as u64);
                    let help = "`peelbox schema --overrides` prints what it may have";
                    let help = (number == last).then(|| help.to_owned());
                    let message = problem.fault.to_string();
                    self.problem(file, Some(line), Some(column), message, help);
                }
            }
        }
    }

    fn problem(
        &mut self,
        file: &str,
        line: Option<u64>,
        column: Option<u64>,
        message: String,
        help: Option<String>,
    ) {
        self.problems.push(Diagnostic {
            file: file.to_owned(),
            line,
            column,
            severity: Severity::Error,
            message,
            help,
        });
    }

    /// What the languages have to know: of apps known by their path, and by their name where `detection` tells it.
    pub(super) fn asked(&self, detection: Option<&Detection>) -> Asked {
        let mut entries = BTreeMap::new();
        let paths = self.all.iter().filter(|placed| !placed.says.hide);
        let paths = paths.filter_map(|placed| {
            let path = resolve(&placed.dir, placed.says.app.as_deref()?)?;
            self.dirs.contains(&path).then_some(path)
        });
        for placed in self.all.iter().filter(|placed| !placed.says.add) {
            let Some(entry) = &placed.says.entry else {
                continue;
            };
            let found = detection.and_then(|detection| placed.alone(detection));
            let by_path = || {
                let path = resolve(&placed.dir, placed.says.app.as_deref().unwrap_or("."))?;
                self.dirs.contains(&path).then_some(path)
            };
            if let Some(dir) = found.or_else(by_path) {
                let fact = Fact {
                    value: entry.value.clone(),
                    file: placed.file.clone(),
                    line: entry.line as u64,
                };
                entries.insert(dir, fact);
            }
        }
        Asked {
            dirs: paths.collect(),
            entries,
        }
    }

    /// Merges everything over what was detected; what matches nothing is an error.
    ///
    /// `taken` are the directories whose entry point a language has asked for.
    pub(super) fn apply(mut self, detection: &mut Detection, taken: &BTreeSet<String>) {
        if self.all.is_empty() && self.problems.is_empty() {
            return;
        }
        for placed in std::mem::take(&mut self.all) {
            let told = if placed.says.add {
                placed.add(detection)
            } else {
                placed.change(detection, taken)
            };
            if let Err(Told { message, help }) = told {
                let place = (placed.says.line as u64, placed.says.column as u64);
                self.problem(&placed.file, Some(place.0), Some(place.1), message, help);
            }
        }
        self.unique(detection);
        let key = |spec: &Spec| {
            (
                spec.metadata.path.clone(),
                spec.metadata.project_name.clone(),
            )
        };
        let in_order = |path: &str| path.trim_start_matches('.').to_owned();
        detection.apps.sort_by_cached_key(|app| {
            let (path, name) = key(&app.spec);
            (in_order(&path), name)
        });
        detection.diagnostics.extend(self.problems);
        detection.diagnostics.sort();
        detection.diagnostics.dedup();
        detection.rejected.sort();
    }

    /// Two apps may not come out with one name.
    fn unique(&mut self, detection: &Detection) {
        let mut names: BTreeMap<String, &App> = BTreeMap::new();
        for app in &detection.apps {
            let Some(other) = names.insert(app.spec.slug(), app) else {
                continue;
            };
            let by = |app: &App| {
                let mut evidence = app.evidence.iter();
                let found = evidence.find(|found| found.field == "name")?;
                Some((found.file.clone()?, found.line))
            };
            if let Some((file, line)) = by(app).or_else(|| by(other)) {
                let (a, b) = (&other.spec.metadata, &app.spec.metadata);
                let message = format!(
                    "the apps in `{}` and `{}` would both be called `{}`",
                    a.path, b.path, b.project_name
                );
                self.problem(&file, line, None, message, None);
            }
        }
    }
}

/// What is wrong with one override.
struct Told {
    message: String,
    help: Option<String>,
}

fn told<T>(message: String) -> Result<T, Told> {
    Err(Told {
        message,
        help: None,
    })
}

impl At {
    fn spec(self, detection: &Detection) -> &Spec {
        match self {
            Self::Built(at) => &detection.apps[at].spec,
            Self::Refused(at) => &detection.refused[at].spec,
        }
    }
}

/// Where every app is.
fn everything(detection: &Detection) -> impl Iterator<Item = (At, &Spec)> {
    let built = detection.apps.iter().enumerate();
    let refused = detection.refused.iter().enumerate();
    built
        .map(|(at, app)| (At::Built(at), &app.spec))
        .chain(refused.map(|(at, app)| (At::Refused(at), &app.spec)))
}

fn path(spec: &Spec) -> &str {
    match spec.metadata.path.as_str() {
        "." => "",
        path => path,
    }
}

impl Placed {
    /// The directory of the app that this is about, where it is the only one in it.
    fn alone(&self, detection: &Detection) -> Option<String> {
        let found = path(self.find(detection).ok()?.spec(detection));
        let mut there = everything(detection).filter(|(_, spec)| path(spec) == found);
        (there.next().is_some() && there.next().is_none()).then(|| found.to_owned())
    }

    /// The one app that this is about: known by its name, else by its directory.
    fn find(&self, detection: &Detection) -> Result<At, Told> {
        let here = || everything(detection).filter(|(_, spec)| is_within(path(spec), &self.dir));
        if let Some(name) = &self.says.app {
            let mut named = here().filter(|(_, spec)| spec.metadata.project_name == *name);
            if let Some((at, _)) = named.next() {
                return Ok(at);
            }
            let mut slugged = here().filter(|(_, spec)| spec.slug() == name.to_lowercase());
            if let Some((at, _)) = slugged.next() {
                return Ok(at);
            }
        }
        let named = self.says.app.as_deref();
        let wanted = resolve(&self.dir, named.unwrap_or("."));
        let Some(wanted) = wanted else {
            return told(format!(
                "`{}` leads out of the repository",
                named.unwrap_or_default()
            ));
        };
        let found: Vec<(At, &Spec)> = here().filter(|(_, spec)| path(spec) == wanted).collect();
        match found.as_slice() {
            [(at, _)] => Ok(*at),
            [] => Err(self.nothing(detection, &wanted)),
            several => {
                let names = several.iter().map(|(_, spec)| name(spec));
                Err(Told {
                    message: format!(
                        "`{}` holds several apps: {}",
                        shown(&wanted),
                        names.collect::<Vec<_>>().join(", ")
                    ),
                    help: Some("name them under `apps`".to_owned()),
                })
            }
        }
    }

    fn nothing(&self, detection: &Detection, wanted: &str) -> Told {
        let help = Some(
            "`add: true` makes an app of what is written here; `peelbox detect` prints what there is"
                .to_owned(),
        );
        let rejected = detection.rejected.iter();
        let mut rejected = rejected.filter(|rejected| rejected.path == shown(wanted));
        if let Some(rejected) = rejected.next() {
            let message = format!("`{}` is no app: {}", shown(wanted), rejected.reason);
            return Told { message, help };
        }
        let mut message = match &self.says.app {
            Some(name) => format!("there is no app `{name}`"),
            None => format!("there is no app in `{}`", shown(&self.dir)),
        };
        let wanted = self.says.app.as_deref().unwrap_or(wanted).to_lowercase();
        let distance = |text: &str| strsim::damerau_levenshtein(&text.to_lowercase(), &wanted);
        let names = everything(detection).flat_map(|(_, spec)| {
            let metadata = &spec.metadata;
            [metadata.project_name.as_str(), metadata.path.as_str()]
        });
        if let Some(nearest) = names.min_by_key(|name| (distance(name), (*name).to_owned())) {
            message.push_str(&format!(", the nearest one is `{nearest}`"));
        }
        Told { message, help }
    }

    /// An app that detection does not find.
    fn add(&self, detection: &mut Detection) -> Result<(), Told> {
        let key = self.says.app.as_deref();
        let by_path = resolve(&self.dir, key.unwrap_or("."));
        let is_path = key.is_none_or(|key| key.contains('/') || key == ".");
        let (dir, name) = match (is_path, by_path) {
            (true, None) => return told("the path leads out of the repository".to_owned()),
            (true, Some(dir)) => {
                let last = super::repo::split(&dir).1;
                let name = if last.is_empty() { "app" } else { last }.to_owned();
                (dir, name)
            }
            (false, _) => (self.dir.clone(), key.unwrap_or_default().to_owned()),
        };
        let empty = Spec {
            version: "1.0".to_owned(),
            metadata: Metadata {
                project_name: name,
                path: shown(&dir).to_owned(),
                kind: None,
                language: None,
                build_system: None,
                framework: None,
                confidence: None,
                reasoning: None,
            },
            build: Build::default(),
            runtime: Runtime::default(),
        };
        let Some((spec, changes)) = self.says.apply(&empty) else {
            return told("an app has a name and a path".to_owned());
        };
        let taken = everything(detection).find(|(_, other)| other.slug() == spec.slug());
        match taken {
            Some((At::Built(_), other)) => {
                return told(format!("there is an app {} already", self::name(other)));
            }
            Some((At::Refused(at), _)) => {
                detection.refused.remove(at);
            }
            None => {}
        }
        if self.says.entry.is_some() {
            return told(
                "`entry` is for apps that detection finds; this one has a `runtime.command`"
                    .to_owned(),
            );
        }
        let at = spec.metadata.path.clone();
        detection.rejected.retain(|rejected| rejected.path != at);
        let mut evidence = vec![
            Evidence::new("app", spec.metadata.project_name.clone(), "override")
                .at(&self.file, Some(self.says.line as u64))
                .written(self.says.app.clone().unwrap_or_default()),
        ];
        self.explain(&changes, &mut evidence);
        detection.apps.push(App { spec, evidence });
        Ok(())
    }

    /// Hides an app, or changes its spec.
    fn change(&self, detection: &mut Detection, taken: &BTreeSet<String>) -> Result<(), Told> {
        let at = match self.find(detection) {
            Ok(at) => at,
            Err(told) => return self.hide_rejected(detection, told),
        };
        let old = at.spec(detection).clone();
        if self.says.hide {
            match at {
                At::Built(at) => drop(detection.apps.remove(at)),
                At::Refused(at) => drop(detection.refused.remove(at)),
            }
            detection.rejected.push(Rejected {
                path: old.metadata.path.clone(),
                looked_like: format!("the app {}", name(&old)),
                reason: format!("`{}:{}` hides it", self.file, self.says.line),
            });
            return Ok(());
        }
        if self.says.entry.is_some() && !taken.contains(path(&old)) {
            let system = old.metadata.language.as_deref().unwrap_or("its language");
            return told(format!(
                "`entry` changes nothing for {}: {system} has nothing to choose there",
                name(&old)
            ));
        }
        let Some((mut spec, mut changes)) = self.says.apply(&old) else {
            return told("the name of an app cannot be taken away".to_owned());
        };
        if spec.metadata.path != old.metadata.path {
            return Err(Told {
                message: format!("the app {} is in `{}`", name(&old), old.metadata.path),
                help: Some("`add: true` makes an app of another directory".to_owned()),
            });
        }
        given_port(&old, &mut spec, &mut changes);
        match at {
            At::Built(at) => {
                let app = &mut detection.apps[at];
                app.spec = spec;
                self.explain(&changes, &mut app.evidence);
            }
            At::Refused(at) => self.answer(detection, at, spec, &changes),
        }
        Ok(())
    }

    /// A manifest that cannot be read, or an app without a spec, is no app; hiding it silences it.
    fn hide_rejected(&self, detection: &mut Detection, told: Told) -> Result<(), Told> {
        let wanted = resolve(&self.dir, self.says.app.as_deref().unwrap_or("."));
        let wanted = wanted.filter(|_| self.says.hide);
        let Some(wanted) = wanted else {
            return Err(told);
        };
        let rejected = detection.rejected.iter();
        let reasons: Vec<&str> = rejected
            .filter(|rejected| rejected.path == shown(&wanted))
            .map(|rejected| rejected.reason.as_str())
            .collect();
        let count = detection.diagnostics.len();
        detection.diagnostics.retain(|diagnostic| {
            let is_of_it = super::repo::split(&diagnostic.file).0 == wanted
                || reasons.contains(&diagnostic.message.as_str());
            !(diagnostic.severity == Severity::Error && is_of_it)
        });
        if count == detection.diagnostics.len() {
            return Err(told);
        }
        Ok(())
    }

    /// A refused app whose command is given, and of which everything else is known, can be built.
    fn answer(&self, detection: &mut Detection, at: usize, spec: Spec, changes: &[Change]) {
        let is_given = changes
            .iter()
            .any(|change| change.field == "runtime.command");
        let runtime = &spec.runtime;
        let is_whole = is_given
            && [&runtime.command, &runtime.packages]
                .iter()
                .all(|list| !list.is_empty())
            && !runtime.copy.is_empty();
        let Some(refused) = detection.refused.get_mut(at) else {
            return;
        };
        refused.spec = spec;
        self.explain(changes, &mut refused.evidence);
        if !is_whole {
            return;
        }
        let Refused {
            spec,
            evidence,
            file,
            line,
            reason,
            ..
        } = detection.refused.remove(at);
        detection.diagnostics.push(Diagnostic {
            file,
            line,
            column: None,
            severity: Severity::Warning,
            message: format!("{reason}; `{}` gives the command instead", self.file),
            help: None,
        });
        detection.apps.push(App { spec, evidence });
    }

    /// The evidence for what was changed; what stood there before is among the losers.
    fn explain(&self, changes: &[Change], evidence: &mut Vec<Evidence>) {
        if let Some(entry) = &self.says.entry {
            let is_said = |found: &Evidence| found.rule == "override" && found.value == entry.value;
            if !evidence.iter().any(is_said) {
                let found = Evidence::new("entry", &entry.value, "override");
                evidence.push(found.at(&self.file, Some(entry.line as u64)));
            }
        }
        for change in changes {
            let field = field(&change.field);
            let value = match change.value.as_str() {
                "" => "nothing",
                value => value,
            };
            let mut new = Evidence::new(field, value, "override")
                .at(&self.file, Some(change.line as u64))
                .written(&change.key);
            let (old, rest) = std::mem::take(evidence)
                .into_iter()
                .partition(|found| found.field == field);
            *evidence = rest;
            for found in old {
                let Evidence {
                    value,
                    file,
                    line,
                    losing,
                    ..
                } = found;
                new.losing.push(Candidate {
                    value,
                    file,
                    line,
                    reason: format!("`{}` overrides it", self.file),
                });
                new.losing.extend(losing);
            }
            evidence.push(new);
        }
    }
}

/// An app that reads the port from a variable reads the new one.
fn given_port(old: &Spec, spec: &mut Spec, changes: &mut Vec<Change>) {
    let (is, was) = (spec.runtime.ports.first(), old.runtime.ports.first());
    let (Some(is), Some(was)) = (is, was) else {
        return;
    };
    let Some(change) = changes
        .iter()
        .find(|change| change.field == "runtime.ports")
    else {
        return;
    };
    let variable = spec.runtime.env.get_mut("PORT");
    if let Some(variable) = variable.filter(|value| **value == was.to_string())
        && !changes
            .iter()
            .any(|change| change.field == "runtime.env.PORT")
    {
        *variable = is.to_string();
        let change = Change {
            field: "runtime.env.PORT".to_owned(),
            value: is.to_string(),
            ..change.clone()
        };
        changes.push(change);
    }
}

fn name(spec: &Spec) -> String {
    format!("`{}`", spec.metadata.project_name)
}

/// The word by which evidence knows a field of the spec.
fn field(name: &str) -> &str {
    match name {
        "metadata.build_system" => "build_system",
        "metadata.framework" => "framework",
        "metadata.kind" => "kind",
        "metadata.project_name" => "name",
        "runtime.command" => "start",
        "runtime.health" | "runtime.health.endpoint" => "health",
        "runtime.ports" => "port",
        name => name,
    }
}
