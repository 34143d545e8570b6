//! `peelbox detect`: the spec of every app of a repository.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::detect::{Detection, Repo, Severity, detect};
use crate::image::Scope;
use crate::progress::escape;
use crate::spec::{self, Spec};
use crate::wolfi::{Freshness, Index};

use super::args::{Detect, Format};
use super::environment::Environment;
use super::failure::{Failure, Problem, causes, refuse};
use super::index::Origin;
use super::inputs::Pattern;
use super::setup::Sources;
use super::{index, inputs, print, say, settings, setup, target, write};

/// Detects and prints.
pub(super) async fn run(
    arguments: &Detect,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    if arguments.format == Some(Format::Dockerfile) {
        return Err(Failure::input(
            "there is no `--format dockerfile`: images are built without a Dockerfile",
        )
        .hint("`--format yaml` prints the spec, which `peelbox build --spec` reads"));
    }
    let (path, patterns, packages) = read(arguments, environment)?;
    let (platform, architecture) = target::target()?;
    let source = index::open(&packages, architecture, Freshness::Day).await?;
    source.warn();
    let mut detection = detect(&repository(&path)?, &source.index);
    let format = arguments
        .format
        .unwrap_or(match std::io::stdout().is_terminal() {
            true => Format::Text,
            false => Format::Json,
        });
    keep(&mut detection, &patterns)?;
    let specs: Vec<Spec> = detection.apps.iter().map(|app| app.spec.clone()).collect();
    let text = match (format, arguments.explain) {
        (Format::Json, true) => detection.explain_json(),
        (_, true) => detection.explain_text(),
        (Format::Json, false) => spec::to_json(&specs),
        (Format::Yaml, false) => spec::to_yaml(&specs),
        (Format::Text | Format::Dockerfile, false) => table(&specs),
    };
    let judged = Judged::of(&detection, &patterns, arguments.strict);
    judged.tell();
    match &arguments.output {
        _ if specs.is_empty() && !arguments.explain => {}
        Some(path) => write(path, text.as_bytes())?,
        None => {
            print(&text)?;
        }
    }
    if specs.is_empty() && judged.problems.is_empty() {
        return Err(nothing(&detection));
    }
    // What cannot be planned is told here already, not only when it is built.
    let scope = Scope {
        name: String::new(), // nothing is built
        is_closed: false,
    };
    if !judged.problems.is_empty() {
        let (problems, index) = (judged.problems, &source.index);
        return Err(inputs::with_plans(
            problems, &specs, index, &platform, &scope,
        ));
    }
    inputs::plan(&specs, &source.index, &platform, &scope)?;
    Ok(ExitCode::SUCCESS)
}

/// What flags and environment say; everything that is wrong is told at once.
fn read(
    arguments: &Detect,
    environment: &Environment,
) -> Result<(PathBuf, Vec<Pattern>, Origin), Failure> {
    let repository = settings::repository(&arguments.path);
    let patterns = inputs::patterns(&arguments.app);
    let packages = Origin::read_lazily(environment);
    let wrong = [
        repository.as_ref().err(),
        patterns.as_ref().err(),
        packages.as_ref().err(),
    ];
    refuse(wrong.into_iter().flatten().cloned())?;
    Ok((repository?, patterns?, packages?))
}

/// The repository as git has it; git is asked only where it may say something that the files do not.
fn repository(path: &Path) -> Result<Repo, Failure> {
    let mut repo = open(path)?;
    if repo.has_ignored() {
        let (kept, warning) = setup::kept(path);
        if let Some(warning) = &warning {
            say(&format!("warning: {}\n", escape(warning)));
        }
        repo.keep(&kept);
    }
    Ok(repo)
}

fn open(path: &Path) -> Result<Repo, Failure> {
    Repo::open(path).map_err(|error| Failure::input(causes(&error)))
}

fn look(sources: &Sources, index: &Index) -> Result<Detection, Failure> {
    let mut repo = open(&sources.path)?;
    repo.keep(&sources.kept);
    Ok(detect(&repo, index))
}

/// The specs that are built without a spec file, and what stops the run: an app that cannot be built, a manifest that cannot be
/// read.
pub(super) fn specs(
    sources: &Sources,
    index: &Index,
    patterns: &[Pattern],
    is_strict: bool,
) -> Result<(Vec<Spec>, Vec<Problem>), Failure> {
    let mut detection = look(sources, index)?;
    keep(&mut detection, patterns)?;
    let judged = Judged::of(&detection, patterns, is_strict);
    judged.tell();
    let specs: Vec<Spec> = detection.apps.iter().map(|app| app.spec.clone()).collect();
    if specs.is_empty() && judged.problems.is_empty() {
        return Err(nothing(&detection));
    }
    Ok((specs, judged.problems))
}

/// Keeps the apps, those that cannot be built among them, whose names match one of `patterns`; without patterns all.
fn keep(detection: &mut Detection, patterns: &[Pattern]) -> Result<(), Failure> {
    let built = detection.apps.iter().map(|app| &app.spec);
    let refused = detection.refused.iter().map(|app| &app.spec);
    let all: Vec<&Spec> = built.chain(refused).collect();
    if all.is_empty() {
        return Ok(());
    }
    let mut chosen = inputs::chosen(&all, patterns)?.into_iter();
    detection.apps.retain(|_| chosen.next().unwrap_or_default());
    detection
        .refused
        .retain(|_| chosen.next().unwrap_or_default());
    Ok(())
}

/// What is to be said about a detection, and what of it stops the run.
#[derive(Default)]
struct Judged {
    told: Vec<String>,
    problems: Vec<Problem>,
}

impl Judged {
    /// With `patterns`, what lies elsewhere than the chosen apps stops nothing; a strict run is stopped by warnings too.
    fn of(detection: &Detection, patterns: &[Pattern], is_strict: bool) -> Self {
        let mut judged = Self::default();
        for found in &detection.diagnostics {
            let message = place(&found.file, found.line, found.column, &found.message);
            let stops = match found.severity {
                Severity::Error => true,
                Severity::Warning => is_strict,
                Severity::Note => false,
            };
            if stops && (patterns.is_empty() || concerns(detection, &found.file)) {
                let told = Problem::new(message);
                let told = found.help.iter().fold(told, |told, help| told.hint(help));
                judged.problems.push(told);
                continue;
            }
            let word = match found.severity {
                Severity::Note => "note",
                _ => "warning",
            };
            let mut text = format!("{word}: {message}\n");
            if let Some(help) = &found.help {
                let _ = writeln!(text, "hint: {}", escape(help)); // writing to a String cannot fail
            }
            judged.told.push(text);
        }
        for refused in &detection.refused {
            let name = &refused.spec.metadata.project_name;
            let reason = format!("app `{name}` cannot be built: {}", refused.reason);
            let told = Problem::new(place(&refused.file, refused.line, None, &reason));
            let help = refused.help.iter();
            judged
                .problems
                .push(help.fold(told, |told, help| told.hint(help)));
        }
        if !detection.refused.is_empty()
            && let Some(last) = judged.problems.pop()
        {
            let way = match patterns.is_empty() {
                true => {
                    "`--app` builds others alone; `hide: true` in peelbox.yaml leaves an app out"
                }
                false => "`hide: true` in peelbox.yaml leaves an app out",
            };
            judged.problems.push(last.hint(way));
        }
        judged
    }

    fn tell(&self) {
        for text in &self.told {
            say(text);
        }
    }
}

/// Whether a file may say something about the apps that are left: it lies above one, or in it.
fn concerns(detection: &Detection, file: &str) -> bool {
    let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
    let built = detection.apps.iter().map(|app| &app.spec);
    let refused = detection.refused.iter().map(|app| &app.spec);
    built.chain(refused).any(|spec| {
        let path = match spec.metadata.path.as_str() {
            "." => "",
            path => path,
        };
        is_within(path, directory) || is_within(directory, path)
    })
}

fn is_within(path: &str, directory: &str) -> bool {
    let rest = path.strip_prefix(directory);
    directory.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn place(file: &str, line: Option<u64>, column: Option<u64>, message: &str) -> String {
    let (file, message) = (escape(file), escape(message));
    match (line, column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}: {message}"),
        (Some(line), None) => format!("{file}:{line}: {message}"),
        (None, _) => format!("{file}: {message}"),
    }
}

// What fits on a screen.
const MOST: usize = 20;

fn nothing(detection: &Detection) -> Failure {
    let mut message = "there is no app in this repository".to_owned();
    for rejected in detection.rejected.iter().take(MOST) {
        // Writing to a String cannot fail.
        let _ = write!(
            message,
            "\n{}, {}: {}",
            rejected.path, rejected.looked_like, rejected.reason
        );
    }
    if detection.rejected.len() > MOST {
        let _ = write!(message, "\nand {} more", detection.rejected.len() - MOST); // as above
    }
    Failure::input(message)
        .hint("`peelbox detect --explain` says more")
        .hint(format!(
            "or describe the apps in {}; `peelbox schema` prints what it may have",
            inputs::SPEC_FILES[0]
        ))
}

fn table(specs: &[Spec]) -> String {
    let mut rows = vec![["app", "path", "kind", "built with", "runs"].map(str::to_owned)];
    for spec in specs {
        let metadata = &spec.metadata;
        let parts = [
            &metadata.language,
            &metadata.build_system,
            &metadata.framework,
        ];
        let built: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        let kind = metadata
            .kind
            .map(|kind| format!("{kind:?}").to_lowercase())
            .unwrap_or_default();
        rows.push([
            metadata.project_name.clone(),
            metadata.path.clone(),
            kind,
            built.join(", "),
            spec.runtime.command.join(" "),
        ]);
    }
    let widths: Vec<usize> = (0..4)
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "{:<width$}  ", escape(cell)); // writing to a String cannot fail
        }
        text.push_str(escape(&row[4]).trim_end());
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
