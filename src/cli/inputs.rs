//! What is to be built: the specs of a repository, and their plans.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::detect::OVERRIDES;
use crate::image::{self, Plan, ProblemKind, Scope};
use crate::oci::Platform;
use crate::progress::escape;
use crate::spec::{self, Spec};
use crate::wolfi::{Index, UnknownPackage};

use super::args::Building;
use super::detect;
use super::environment::Environment;
use super::failure::{Exit, Failure, Problem, all, refuse};
use super::say;
use super::setup::{self, Sources};
use super::steps::{self, Arguments};

/// The spec files that are looked for in a repository's root.
pub(super) const SPEC_FILES: [&str; 3] = [
    "universalbuild.yaml",
    "universalbuild.yml",
    "universalbuild.json",
];
// More than any hand-written file has.
const SPEC_LIMIT: u64 = 16 << 20;

/// What is built of a repository, and what the command line adds to it.
pub(super) struct Choice {
    /// The file that the apps are read from; `None` where they are detected.
    pub(super) spec: Option<PathBuf>,
    apps: Vec<Pattern>,
    /// Whether the warnings of detection are errors.
    is_strict: bool,
    entrypoint: Option<Vec<String>>,
    labels: BTreeMap<String, String>,
    pub(super) arguments: Arguments,
    /// Who shares the cache directories of build steps.
    sharers: Option<String>,
}

impl Choice {
    /// Reads flags and environment; without a `repository`, what does not depend on it.
    pub(super) fn read(
        building: &Building,
        repository: Option<&Path>,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let spec = spec_file(repository, building.spec.as_deref());
        let apps = patterns(&building.app);
        let entrypoint = steps::entrypoint(building.entrypoint.as_deref());
        let labels = steps::labels(&building.label);
        let arguments = Arguments::read(&building.build_arg, environment);
        let wrong = [
            spec.as_ref().err(),
            apps.as_ref().err(),
            entrypoint.as_ref().err(),
            labels.as_ref().err(),
            arguments.as_ref().err(),
        ];
        refuse(wrong.into_iter().flatten().cloned())?;
        Ok(Self {
            spec: spec?,
            apps: apps?,
            is_strict: building.strict,
            entrypoint: entrypoint?,
            labels: labels?,
            arguments: arguments?,
            sharers: setup::sharers(building.cache_scope.as_deref(), environment),
        })
    }
}

/// The named spec file, else the one at the root of `repository`.
fn spec_file(repository: Option<&Path>, named: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    if let Some(path) = named {
        return match std::fs::metadata(path) {
            Ok(_) => Ok(Some(path.to_owned())),
            Err(error) => Err(no_spec(path, &error)),
        };
    }
    let paths = SPEC_FILES
        .iter()
        .filter_map(|name| Some(repository?.join(name)));
    Ok(paths.into_iter().find(|path| path.is_file()))
}

/// The plans of a run: of the apps of the spec file, else of detection, those that `--app` names, with what the command line
/// adds to them.
///
/// They come by platform: the apps for the first of `targets`, the same for the second. What detection decides is for all.
pub(super) fn plans<'a>(
    sources: &Sources,
    choice: &Choice,
    targets: &[(&'a Index, &Platform)],
) -> Result<Vec<Vec<Plan<'a>>>, Failure> {
    let (specs, problems) = match &choice.spec {
        Some(file) => {
            overridden(&sources.path, file);
            (load(file)?, Vec::new())
        }
        None => match targets.first() {
            Some((index, _)) => detect::specs(sources, index, &choice.apps, choice.is_strict)?,
            None => (Vec::new(), Vec::new()),
        },
    };
    let scope = setup::scope(&sources.path, choice.sharers.as_deref());
    if let (false, Some((index, platform))) = (problems.is_empty(), targets.first()) {
        return Err(with_plans(problems, &specs, index, platform, &scope));
    }
    let mut specs = select(specs, &choice.apps)?;
    steps::start(&mut specs, choice.entrypoint.as_deref())?;
    let targets = targets.iter();
    targets
        .map(|(index, platform)| {
            let mut plans = plan(&specs, index, platform, &scope)?;
            for plan in &mut plans {
                plan.labels.extend(choice.labels.clone());
            }
            choice.arguments.apply(&mut plans);
            Ok(plans)
        })
        .collect()
}

/// The problems of detection, and those of the apps that it found.
pub(super) fn with_plans(
    mut problems: Vec<Problem>,
    specs: &[Spec],
    index: &Index,
    platform: &Platform,
    scope: &Scope,
) -> Failure {
    if let Err(failure) = plan(specs, index, platform, scope) {
        problems.extend(failure.problems);
    }
    Failure::several(Exit::Input, problems)
}

// What is written in vain is worth a word.
fn overridden(repository: &Path, spec: &Path) {
    let mut names = OVERRIDES.iter();
    if let Some(name) = names.find(|name| repository.join(name).is_file()) {
        let spec = shown(spec);
        say(&format!(
            "warning: {name} is not read, which changes what is detected: the apps come from `{}`\n",
            escape(&spec)
        ));
    }
}

fn no_spec(path: &Path, error: &io::Error) -> Failure {
    let shown = shown(path);
    let failure = Failure::input(format!(
        "cannot read the spec file `{}`: {error}",
        escape(&shown)
    ));
    match error.kind() {
        io::ErrorKind::NotFound => {
            failure.hint("`peelbox detect --format yaml --output universalbuild.yaml` writes one")
        }
        _ => failure,
    }
}

/// Reads a spec file.
pub(super) fn load(path: &Path) -> Result<Vec<Spec>, Failure> {
    let shown = shown(path);
    let unreadable = |error: io::Error| no_spec(path, &error);
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > SPEC_LIMIT {
        return Err(Failure::input(format!(
            "the spec file `{shown}` has more than {} MiB",
            SPEC_LIMIT >> 20
        )));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    spec::load(path, &bytes).map_err(|errors| {
        let told = |problem: &spec::Problem| {
            let (line, column) = (problem.line, problem.column);
            let told = Problem::new(format!("{shown}:{line}:{column}: {}", problem.fault));
            match &problem.fault {
                spec::Fault::BadValue { reason, .. } if reason == spec::ALTERNATIVES => {
                    told.hint("write a pattern for each; `\\{` stands for the brace itself")
                }
                _ => told,
            }
        };
        let is_text = |problem: &spec::Problem| matches!(problem.fault, spec::Fault::Syntax { .. });
        let failure = Failure::several(Exit::Input, errors.problems.iter().map(told).collect());
        match errors.problems.iter().all(is_text) {
            true => failure,
            false => failure.hint("`peelbox schema` prints what a spec may have"),
        }
    })
}

/// Where the command of a step such as `build 1/2`, or `build` where it is the only one, of `app` is written in the spec file.
pub(super) fn place(file: &Path, app: &str, step: &str) -> Option<String> {
    let (kind, number) = step.split_once(' ').unwrap_or((step, "1"));
    let keys = match kind {
        "install" => &["build", "install", "commands"][..],
        "build" => &["build", "commands"],
        _ => return None,
    };
    let number = number.split('/').next()?.parse().ok()?;
    let bytes = std::fs::read(file).ok()?;
    let (line, column) = spec::place(file, &bytes, app, keys, number)?;
    Some(format!("{}:{line}:{column}", shown(file)))
}

/// A path as the user would write it, relative to the working directory where it lies below.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let short = here.ok().and_then(|here| path.strip_prefix(here).ok());
    short.unwrap_or(path).display().to_string()
}

/// What `--app` names.
pub(super) struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

/// Reads `--app`.
pub(super) fn patterns(flags: &[String]) -> Result<Vec<Pattern>, Failure> {
    all(flags.iter().map(|text| {
        let glob = GlobBuilder::new(text).literal_separator(false).build();
        let glob = glob.map_err(|error| {
            let (text, kind) = (escape(text), error.kind());
            Failure::input(format!("`--app {text}` is no pattern: {kind}"))
                .hint("`*` stands for any text")
        })?;
        Ok(Pattern {
            text: text.clone(),
            matcher: glob.compile_matcher(),
        })
    }))
}

/// Keeps the specs whose names match one of `patterns`; without patterns all.
pub(super) fn select(specs: Vec<Spec>, patterns: &[Pattern]) -> Result<Vec<Spec>, Failure> {
    let chosen = chosen(&specs.iter().collect::<Vec<_>>(), patterns)?;
    let specs = specs.into_iter().zip(chosen);
    Ok(specs
        .filter_map(|(spec, is_chosen)| is_chosen.then_some(spec))
        .collect())
}

/// Which of the specs have a name that matches one of `patterns`; without patterns all have.
pub(super) fn chosen(specs: &[&Spec], patterns: &[Pattern]) -> Result<Vec<bool>, Failure> {
    let matches = |spec: &Spec, pattern: &Pattern| {
        pattern.matcher.is_match(&spec.metadata.project_name)
            || pattern.matcher.is_match(spec.slug())
    };
    let idle = patterns
        .iter()
        .filter(|pattern| !specs.iter().any(|spec| matches(spec, pattern)));
    refuse(idle.map(|pattern| {
        let names = specs.iter().map(|spec| spec.metadata.project_name.clone());
        let names: Vec<String> = names.collect();
        Failure::input(format!("no app matches `--app {}`", escape(&pattern.text)))
            .hint(format!("there is {}", list(&names)))
    }))?;
    let chosen = specs
        .iter()
        .map(|spec| patterns.is_empty() || patterns.iter().any(|pattern| matches(spec, pattern)));
    Ok(chosen.collect())
}

/// Plans every spec; all problems of all apps are told at once.
pub(super) fn plan<'a>(
    specs: &[Spec],
    index: &'a Index,
    platform: &Platform,
    scope: &Scope,
) -> Result<Vec<Plan<'a>>, Failure> {
    let mut plans = Vec::new();
    let mut problems = Vec::new();
    let mut solved = image::Solved::default();
    for spec in specs {
        match image::plan_beside(&mut solved, spec, index, platform, scope) {
            Ok(plan) => plans.push(plan),
            Err(found) => problems.extend(found.iter().map(advise)),
        }
    }
    if problems.is_empty() {
        Ok(plans)
    } else {
        Err(Failure::several(Exit::Input, problems))
    }
}

fn advise(problem: &image::Problem) -> Problem {
    let told = Problem::new(format!(
        "app `{}`, {}: {}",
        problem.app, problem.field, problem.kind
    ));
    match &problem.kind {
        ProblemKind::Unknown(error) => unknown(told, error),
        ProblemKind::Atom(_) => told.hint(ATOM),
        ProblemKind::NothingToShip => told.hint("list what the app needs to run, each with `from` and `to`"),
        ProblemKind::NoCommand => told.hint("give it as a list of words; no shell is involved"),
        ProblemKind::NotBuilt(_) => told.hint("take it from the app's own directory, or add the command that makes it to build.commands"),
        ProblemKind::Path(_) => told.hint("use a path below the app's directory, or an absolute one"),
        ProblemKind::Unsatisfiable { .. } => {
            told.hint("`peelbox packages versions NAME` lists the versions that there are")
        }
    }
}

/// Adds what may have been meant.
pub(super) fn unknown(told: Problem, error: &UnknownPackage) -> Problem {
    match error {
        UnknownPackage::Missing { suggestions, .. } if !suggestions.is_empty() => {
            told.hint(format!("did you mean {}?", list_or(suggestions)))
        }
        UnknownPackage::Missing { .. } => {
            told.hint("`peelbox packages search WORD` looks in descriptions too")
        }
        UnknownPackage::Version { available, .. } => {
            let versions: Vec<String> = available.iter().map(ToString::to_string).collect();
            told.hint(format!("there is {}", list(&versions)))
        }
        UnknownPackage::Virtual { providers, .. } => {
            told.hint(format!("choose {}", list_or(providers)))
        }
        UnknownPackage::Invalid(_) => told.hint(ATOM),
    }
}

const ATOM: &str = "a package is written as name, name=version or name~version";
const MOST: usize = 5;

/// The first of `names`, and how many more there are.
fn list(names: &[String]) -> String {
    joined(names, "and")
}

/// The first of `names` to choose from, and how many more there are.
pub(super) fn list_or(names: &[String]) -> String {
    joined(names, "or")
}

fn joined(names: &[String], word: &str) -> String {
    let quoted = names.iter().take(MOST).map(|name| format!("`{name}`"));
    let mut shown: Vec<String> = quoted.collect();
    if names.len() > MOST {
        shown.push(format!("{} more", names.len() - MOST));
    }
    match shown.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {word} {last}", rest.join(", ")),
        _ => shown.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(patterns: &[&str]) -> Result<Vec<String>, String> {
        let spec = |name: &str| {
            let text = format!(r#"{{"version":"1.0","metadata":{{"project_name":"{name}"}}}}"#);
            spec::load(Path::new("a.json"), text.as_bytes())
                .unwrap()
                .remove(0)
        };
        let specs = vec![spec("web"), spec("Order API"), spec("web-admin")];
        let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
        match self::patterns(&patterns).and_then(|patterns| select(specs, &patterns)) {
            Ok(specs) => Ok(specs
                .into_iter()
                .map(|spec| spec.metadata.project_name)
                .collect()),
            Err(failure) => Err(failure.problems[0].message.clone()),
        }
    }

    #[test]
    fn apps_are_selected_by_name_slug_and_pattern_in_their_own_order() {
        let names = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(selected(&[]), names(&["web", "Order API", "web-admin"]));
        assert_eq!(
            selected(&["web-admin", "web"]),
            names(&["web", "web-admin"])
        );
        assert_eq!(selected(&["order-api"]), names(&["Order API"]));
        assert_eq!(
            selected(&["web*", "Order API"]),
            names(&["web", "Order API", "web-admin"])
        );
        assert_eq!(
            selected(&["web", "api"]),
            Err("no app matches `--app api`".to_owned())
        );
    }

    #[test]
    fn lists_end_where_they_would_be_long() {
        let names = |count: usize| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(list(&names(1)), "`1`");
        assert_eq!(list_or(&names(2)), "`1` or `2`");
        assert_eq!(list(&names(7)), "`1`, `2`, `3`, `4`, `5` and 2 more");
    }
}
