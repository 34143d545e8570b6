//! Holds detection to its fixtures: a small repository for every build system and framework that it knows.
//!
//! `tests/fixtures/detect/NAME` is a repository, `NAME.yaml` beside it what `detect --format yaml` prints for it, and `NAME.txt`
//! what `--explain` prints. `PEELBOX_BLESS=1 cargo test --test detect` writes the last two, and the table in the README.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../benches/forest/mod.rs"]
mod forest;
#[path = "support/index.rs"]
mod index;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use index::index;
use peelbox::detect::{Detection, Language, Repo, detect, languages};
use peelbox::spec::{self, Kind};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixtures() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/fixtures/detect")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut fixtures: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    fixtures.sort();
    assert!(!fixtures.is_empty());
    fixtures
}

fn found(fixture: &Path) -> Detection {
    detect(&Repo::open(fixture).unwrap(), &index())
}

fn is_blessed() -> bool {
    std::env::var_os("PEELBOX_BLESS").is_some()
}

/// Compares `text` with the file at `path`, or writes it there.
fn hold(path: &Path, text: &str, wrong: &mut Vec<String>) {
    if is_blessed() {
        fs::write(path, text).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected != text {
        let differing = text
            .lines()
            .zip(expected.lines().map(Some).chain(std::iter::repeat(None)));
        let at = differing
            .take_while(|(new, old)| Some(*new) == *old)
            .count();
        wrong.push(format!(
            "{}:{}: expected `{}`, found `{}`",
            path.strip_prefix(root()).unwrap().display(),
            at + 1,
            expected.lines().nth(at).unwrap_or_default(),
            text.lines().nth(at).unwrap_or_default(),
        ));
    }
}

#[test]
fn every_fixture_gives_its_specs_and_its_explanation() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let found = found(&fixture);
        let specs: Vec<_> = found.apps.iter().map(|app| app.spec.clone()).collect();
        hold(
            &fixture.with_extension("yaml"),
            &spec::to_yaml(&specs),
            &mut wrong,
        );
        hold(
            &fixture.with_extension("txt"),
            &found.explain_text(),
            &mut wrong,
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_evidence_names_stands_where_it_says() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        follow(&fixture, &found(&fixture), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_an_app_is_has_its_evidence() {
    let mut without = Vec::new();
    for fixture in fixtures() {
        let found = found(&fixture);
        let built = found.apps.iter();
        let built = built.map(|app| (&app.spec, &app.evidence, true));
        let refused = found.refused.iter();
        let refused = refused.map(|app| (&app.spec, &app.evidence, false));
        for (spec, evidence, is_built) in built.chain(refused) {
            let (metadata, runtime) = (&spec.metadata, &spec.runtime);
            // One that is written by hand says itself what it is.
            let is_found = metadata.language.is_some();
            let is_static = metadata.kind == Some(Kind::Static);
            // What serves is of the web by itself.
            let tells_kind = |field: &str| matches!(field, "entry" | "framework" | "start");
            let is_told = evidence.iter().any(|found| tells_kind(&found.field));
            for (field, is_there) in [
                ("kind", is_found && is_built && !is_told && !is_static),
                ("framework", metadata.framework.is_some()),
                ("port", is_found && !runtime.ports.is_empty() && !is_static),
                ("health", is_found && runtime.health.is_some()),
            ] {
                if is_there && !evidence.iter().any(|found| found.field == field) {
                    let name = fixture.file_name().unwrap().to_string_lossy();
                    without.push(format!("{name}: {}: {field}", metadata.project_name));
                }
            }
        }
    }
    assert!(without.is_empty(), "{}", without.join("\n"));
}

/// Looks for the value of every evidence on the line that it names.
fn follow(root: &Path, found: &Detection, wrong: &mut Vec<String>) {
    let built = found.apps.iter().map(|app| &app.evidence);
    let refused = found.refused.iter().map(|app| &app.evidence);
    for evidence in built.chain(refused).flatten() {
        let (Some(file), Some(line)) = (&evidence.file, evidence.line) else {
            continue;
        };
        let expected = evidence.written.as_ref().unwrap_or(&evidence.value);
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        let line_text = text.lines().nth(usize::try_from(line).unwrap() - 1);
        if !line_text.is_some_and(|text| text.contains(expected.as_str())) {
            let (name, field) = (root.display(), &evidence.field);
            wrong.push(format!("{name}/{file}:{line}: no `{expected}` for {field}"));
        }
    }
}

/// The language and the build system of every app, built or refused, by its path.
fn made(found: &Detection) -> BTreeMap<String, forest::Made> {
    let built = found.apps.iter().map(|app| &app.spec.metadata);
    let refused = found.refused.iter().map(|app| &app.spec.metadata);
    let all = built.chain(refused).map(|metadata| {
        let language = metadata.language.clone().unwrap_or_default();
        let build_system = metadata.build_system.clone().unwrap_or_default();
        (metadata.path.clone(), (language, build_system))
    });
    let count = found.apps.len() + found.refused.len();
    let made: BTreeMap<_, _> = all.collect();
    assert_eq!(made.len(), count, "two apps have one path");
    made
}

#[test]
fn every_app_of_a_large_repository_is_found_and_none_is_invented() {
    let folder = tempfile::tempdir().unwrap();
    let truth = forest::grow(folder.path(), forest::Size::SMALL);
    assert_eq!(truth.files, forest::Size::SMALL.files);
    let found = found(folder.path());
    let made = made(&found);
    let missing = truth
        .apps
        .iter()
        .filter(|(path, _)| !made.contains_key(*path));
    let missing: Vec<_> = missing.collect();
    let invented = made
        .iter()
        .filter(|(path, _)| !truth.apps.contains_key(*path));
    let invented: Vec<_> = invented.collect();
    let wrong: Vec<_> = truth
        .apps
        .iter()
        .filter_map(|(path, made_with)| Some((path, made_with, made.get(path)?)))
        .filter(|(_, expected, made)| expected != made)
        .collect();
    assert!(
        missing.is_empty() && invented.is_empty() && wrong.is_empty(),
        "{} kinds\nmissing {missing:?}\ninvented {invented:?}\nwrong {wrong:?}\n{}",
        truth.kinds,
        found.explain_text()
    );
    let mut untrue = Vec::new();
    follow(folder.path(), &found, &mut untrue);
    assert!(untrue.is_empty(), "{}", untrue.join("\n"));
}

/// Build systems without an app in the forest, and why.
const NOT_GROWN: &[(&str, &str)] = &[];

#[test]
fn the_large_repository_has_an_app_of_every_build_system() {
    let folder = tempfile::tempdir().unwrap();
    let truth = forest::grow(folder.path(), forest::Size::SMALL);
    let grown: BTreeSet<&str> = truth.apps.values().map(|made| made.1.as_str()).collect();
    let systems = languages().flat_map(|language| language.build_systems);
    let known: BTreeSet<&str> = systems.copied().collect();
    let excepted: BTreeSet<&str> = NOT_GROWN.iter().map(|(name, _)| *name).collect();
    let without: Vec<_> = known.difference(&grown).collect();
    let without: Vec<_> = without
        .iter()
        .filter(|name| !excepted.contains(**name))
        .collect();
    assert!(
        without.is_empty(),
        "`benches/forest/kinds` has no app that is built with {without:?}"
    );
    let outdated: Vec<_> = excepted
        .iter()
        .filter(|name| grown.contains(**name))
        .collect();
    assert!(
        outdated.is_empty(),
        "{outdated:?} grow: they are no exceptions"
    );
}

/// What the fixtures show of a build system or framework.
#[derive(Default)]
struct Shown {
    is_built: bool,
    is_refused: bool,
}

/// The build systems and the frameworks of all fixtures.
fn shown() -> (BTreeMap<String, Shown>, BTreeSet<String>) {
    let mut systems: BTreeMap<String, Shown> = BTreeMap::new();
    let mut frameworks = BTreeSet::new();
    for fixture in fixtures() {
        let found = found(&fixture);
        let built = found.apps.iter().map(|app| (&app.spec.metadata, true));
        let refused = found.refused.iter().map(|app| (&app.spec.metadata, false));
        for (metadata, is_built) in built.chain(refused) {
            // One that is written by hand names none.
            let Some(system) = metadata.build_system.clone() else {
                continue;
            };
            let shown = systems.entry(system).or_default();
            shown.is_built |= is_built;
            shown.is_refused |= !is_built;
            frameworks.extend(metadata.framework.clone());
        }
    }
    (systems, frameworks)
}

#[test]
fn every_build_system_and_framework_has_a_fixture_and_is_listed() {
    let (systems, frameworks) = shown();
    let known = |list: fn(&'static Language) -> &'static [&'static str]| -> BTreeSet<String> {
        let names = languages().flat_map(list);
        names.map(|name| (*name).to_owned()).collect()
    };
    let known_systems = known(|language| language.build_systems);
    let known_frameworks = known(|language| language.frameworks);
    let shown_systems: BTreeSet<String> = systems.into_keys().collect();
    let without: Vec<&String> = known_systems
        .difference(&shown_systems)
        .chain(known_frameworks.difference(&frameworks))
        .collect();
    let unlisted: Vec<&String> = shown_systems
        .difference(&known_systems)
        .chain(frameworks.difference(&known_frameworks))
        .collect();
    assert!(without.is_empty(), "no fixture shows {without:?}");
    assert!(unlisted.is_empty(), "no `Language` lists {unlisted:?}");
}

#[test]
fn the_table_in_the_readme_lists_every_language() {
    const MARKS: (&str, &str) = ("<!-- languages -->\n", "<!-- end of languages -->\n");
    let (systems, _) = shown();
    let mut table = "\n| language | built with | frameworks |\n|---|---|---|\n".to_owned();
    for language in languages().filter(|language| !language.build_systems.is_empty()) {
        let systems: Vec<String> = language
            .build_systems
            .iter()
            .map(|name| match systems.get(*name) {
                Some(shown) if shown.is_built => (*name).to_owned(),
                _ => format!("{name} (recognised, not built)"),
            })
            .collect();
        let frameworks = language.frameworks.join(", ");
        let (name, systems) = (language.name, systems.join(", "));
        table.push_str(&format!("| {name} | {systems} | {frameworks} |\n"));
    }
    table.push('\n');
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme
        .split_once(MARKS.0)
        .expect("the README has the first mark");
    let (_, after) = rest
        .split_once(MARKS.1)
        .expect("the README has the last mark");
    let expected = format!("{before}{}{table}{}{after}", MARKS.0, MARKS.1);
    let mut wrong = Vec::new();
    hold(&path, &expected, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
