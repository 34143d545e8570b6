//! The steps of Maven and Gradle: packages, commands, caches, and the files that they read.

use std::collections::BTreeSet;

use crate::detect::explain::{Evidence, Severity};
use crate::detect::provider::{Draft, Problem, Scan, literal_glob, quoted, tree_glob};
use crate::detect::repo::{is_within, join};
use crate::detect::source::Fact;

/// A build tool as the repository's wrapper asks for it.
pub(super) enum Tool {
    /// The packaged one.
    Packaged(String),
    /// The wrapper's script, which downloads its own.
    Wrapper,
}

/// What a wrapper's properties say.
pub(super) struct Wrapper {
    /// The version, as a part of the address.
    pub(super) version: Fact<String>,
    pub(super) is_checked: bool,
}

/// Reads `distributionUrl` of the wrapper's properties at `file`; `name` is what the archive's name begins with.
pub(super) fn wrapper(scan: &Scan<'_>, file: &str, name: &str) -> Option<Wrapper> {
    if !scan.repo.has(file) {
        return None;
    }
    let text = scan.repo.text(file).ok()?;
    let is_checked = text
        .lines()
        .any(|line| line.trim().starts_with("distributionSha256Sum"));
    text.lines().zip(1..).find_map(|(line, number)| {
        let url = line.trim().strip_prefix("distributionUrl")?;
        let archive = url.rsplit('/').next()?.trim();
        let version = archive.strip_prefix(name)?;
        let version = version.split("-bin").next()?.split("-all").next()?;
        let version = version.trim_end_matches(".zip").to_owned();
        Some(Wrapper {
            version: Fact {
                value: version,
                file: file.to_owned(),
                line: number,
            },
            is_checked,
        })
    })
}

/// The packaged tool where its major is the wrapper's, else the wrapper where it is complete.
pub(super) fn tool(
    scan: &mut Scan<'_>,
    draft: &mut Draft,
    (name, virtual_name): (&str, &str),
    wrapper: Option<&Wrapper>,
    scripts: &[String],
) -> Result<Tool, Problem> {
    let major = |text: &str| crate::detect::version::numbers(text).first().copied();
    let found = scan.catalog.package(virtual_name);
    let packaged = found.map(|package| {
        let number = package
            .strip_prefix(virtual_name)
            .and_then(|rest| major(rest.trim_start_matches('-')));
        (package, number)
    });
    let Some(wrapper) = wrapper else {
        let (package, _) = packaged.ok_or_else(|| {
            Problem::new(
                &draft.path,
                None,
                format!("the index has no package that provides `{virtual_name}`"),
            )
        })?;
        let evidence = Evidence::new("build tool", &package, "jvm.packaged-default");
        draft.evidence.push(evidence);
        return Ok(Tool::Packaged(package));
    };
    let wanted = &wrapper.version;
    let evidence = |value: &str, rule: &str| {
        Evidence::new("build tool", value, rule)
            .at(&wanted.file, Some(wanted.line))
            .written(&wanted.value)
    };
    if let Some((package, number)) = &packaged
        && *number == major(&wanted.value)
    {
        let note = format!(
            "the wrapper asks for {name} {}; the packaged one of the same major is used",
            wanted.value
        );
        draft
            .evidence
            .push(evidence(package, "jvm.wrapper-version").note(note));
        return Ok(Tool::Packaged(package.clone()));
    }
    let other = packaged.map_or_else(String::new, |(package, _)| format!("; `{package}` is"));
    by_wrapper(scan, (name, &other), wrapper, scripts)?;
    draft.evidence.push(evidence("wrapper", "jvm.wrapper"));
    Ok(Tool::Wrapper)
}

/// Says that the wrapper downloads its tool, or why it cannot.
fn by_wrapper(
    scan: &mut Scan<'_>,
    (name, other): (&str, &str),
    wrapper: &Wrapper,
    scripts: &[String],
) -> Result<(), Problem> {
    let wanted = &wrapper.version;
    let version = &wanted.value;
    if let Some(missing) = scripts.iter().find(|file| !scan.repo.has(file)) {
        let message =
            format!("{name} {version} is not packaged{other}, and the wrapper lacks `{missing}`");
        let help = format!("move to the {name} of the index, or commit the whole wrapper");
        return Err(Problem::new(&wanted.file, Some(wanted.line), message).help(help));
    }
    let checked = if wrapper.is_checked {
        "and checks its digest"
    } else {
        "without a digest to check it by"
    };
    let message =
        format!("{name} {version} is not packaged{other}: the wrapper downloads it, {checked}");
    let help = "add `distributionSha256Sum` to the wrapper's properties".to_owned();
    let help = (!wrapper.is_checked).then_some(help);
    scan.tell(
        Severity::Warning,
        &wanted.file,
        Some(wanted.line),
        message,
        help,
    );
    Ok(())
}

/// The context of a module: the directories that it is made of, and single files.
pub(super) fn context(draft: &mut Draft, trees: &BTreeSet<String>, files: &BTreeSet<String>) {
    if trees.contains("") {
        return;
    }
    let is_in_tree = |file: &str| trees.iter().any(|tree| is_within(file, tree));
    let mut globs: BTreeSet<String> = trees.iter().map(|tree| tree_glob(tree)).collect();
    globs.extend(
        files
            .iter()
            .filter(|file| !is_in_tree(file))
            .map(|file| literal_glob(file)),
    );
    draft.spec.build.context = globs.into_iter().collect();
}

/// The files beside a build's root, and its directories of settings, which any module may read.
pub(super) fn surroundings(
    scan: &Scan<'_>,
    root: &str,
    trees: &mut BTreeSet<String>,
    files: &mut BTreeSet<String>,
) {
    let Some(dir) = scan.repo.dir(root) else {
        return;
    };
    files.extend(dir.files().iter().map(|file| dir.join(file)));
    for name in [".mvn", "buildSrc", "checkstyle", "config", "etc", "gradle"] {
        if dir.has_dir(name) {
            trees.insert(join(root, name));
        }
    }
}

/// Copies the one archive with this ending that counts to a fixed name, where its own is not known before the build.
pub(super) fn pick(directory: &str, ending: &str, to: &str) -> String {
    let left_out = "*-plain.jar|*-sources.jar|*-javadoc.jar|*-tests.jar|*-test.jar|*/original-*";
    let (directory, ending) = (quoted(directory), quoted(ending));
    let several = format!("if [ -e {to} ]; then echo \"$jar is one of several\" >&2; exit 1; fi");
    format!(
        "for jar in {directory}/*{ending}; do case \"$jar\" in {left_out}) ;; *) {several}; cp \"$jar\" {to} ;; esac; done; test -f {to}"
    )
}

/// The reason why there is no separate step for dependencies.
pub(super) fn no_install(draft: &mut Draft, cache: &str, tool: &str) {
    let note = format!(
        "{tool} knows what it needs only while it builds; `{cache}` is kept between builds, so nothing is fetched twice"
    );
    draft
        .evidence
        .push(Evidence::new("install", "none", "jvm.cached-by-the-build").note(note));
}
