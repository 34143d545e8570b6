//! `peelbox detect`: the spec of every app of a repository.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::detect::{Detection, Repo, Severity, detect};
use crate::progress::escape;
use crate::spec::{self, Spec};
use crate::wolfi::{Freshness, Index};

use super::args::{Detect, Format};
use super::environment::Environment;
use super::failure::{Exit, Failure, Problem, causes, refuse};
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
    let (repository, patterns, packages) = read(arguments, environment)?;
    let sources = setup::sources(&repository);
    if let Some(warning) = &sources.warning {
        say(&format!("warning: {}\n", escape(warning)));
    }
    let (platform, architecture) = target::target()?;
    let source = index::open(&packages, architecture, Freshness::Day).await?;
    source.warn();
    let mut detection = look(&sources, &source.index)?;
    let format = arguments
        .format
        .unwrap_or(match std::io::stdout().is_terminal() {
            true => Format::Text,
            false => Format::Json,
        });
    let specs = detection.apps.iter().map(|app| app.spec.clone()).collect();
    let specs = inputs::select(specs, &patterns)?;
    detection.apps.retain(|app| specs.contains(&app.spec));
    let text = match (format, arguments.explain) {
        (Format::Json, true) => detection.explain_json(),
        (_, true) => detection.explain_text(),
        (Format::Json, false) => spec::to_json(&specs),
        (Format::Yaml, false) => spec::to_yaml(&specs),
        (Format::Text | Format::Dockerfile, false) => table(&specs),
    };
    tell(&detection);
    let errors = errors(&detection);
    if specs.is_empty() && errors.is_empty() {
        if arguments.explain {
            print(&text)?;
        }
        return Err(nothing(&detection));
    }
    match &arguments.output {
        _ if specs.is_empty() => {}
        Some(path) => write(path, text.as_bytes())?,
        None => {
            print(&text)?;
        }
    }
    if !errors.is_empty() {
        return Err(Failure::several(Exit::Input, errors));
    }
    // What cannot be planned is told here already, not only when it is built.
    let scope = setup::scope(&sources.path, setup::sharers(None, environment).as_deref());
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
    let packages = Origin::read(environment);
    let wrong = [
        repository.as_ref().err(),
        patterns.as_ref().err(),
        packages.as_ref().err(),
    ];
    refuse(wrong.into_iter().flatten().cloned())?;
    Ok((repository?, patterns?, packages?))
}

fn look(sources: &Sources, index: &Index) -> Result<Detection, Failure> {
    let repo = Repo::open_keeping(&sources.path, &sources.kept);
    let repo = repo.map_err(|error| Failure::input(causes(&error)))?;
    Ok(detect(&repo, index))
}

/// The specs that are built without a spec file; a manifest that cannot be read stops the run.
pub(super) fn specs(sources: &Sources, index: &Index) -> Result<Vec<Spec>, Failure> {
    let detection = look(sources, index)?;
    tell(&detection);
    let errors = errors(&detection);
    if !errors.is_empty() {
        return Err(Failure::several(Exit::Input, errors));
    }
    let specs: Vec<Spec> = detection.apps.iter().map(|app| app.spec.clone()).collect();
    if specs.is_empty() {
        Err(nothing(&detection))
    } else {
        Ok(specs)
    }
}

// What makes detection incomplete, such as a manifest that cannot be read.
fn errors(detection: &Detection) -> Vec<Problem> {
    let errors = detection
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error);
    errors
        .map(|error| {
            let told = Problem::new(place(&error.file, error.line, &error.message));
            error.help.iter().fold(told, |told, help| told.hint(help))
        })
        .collect()
}

fn tell(detection: &Detection) {
    for diagnostic in detection
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity != Severity::Error)
    {
        let mut text = format!(
            "warning: {}\n",
            place(&diagnostic.file, diagnostic.line, &diagnostic.message)
        );
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(text, "hint: {}", escape(help)); // writing to a String cannot fail
        }
        say(&text);
    }
}

fn place(file: &str, line: Option<u64>, message: &str) -> String {
    let (file, message) = (escape(file), escape(message));
    match line {
        Some(line) => format!("{file}:{line}: {message}"),
        None => format!("{file}: {message}"),
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
