//! What detection found, and why: the text and JSON of `--explain`.

use std::fmt::Write as _;

use serde::Serialize;

use crate::spec::Spec;
use crate::text::visible;

use super::Detection;

/// A value that was considered for a field and lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Candidate {
    /// The value.
    pub value: String,
    /// The file it comes from, relative to the repository's root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Why it lost.
    pub reason: String,
}

/// Where a field of a spec comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Evidence {
    /// The field: `toolchain`, `start`, `port` …
    pub field: String,
    /// Its value.
    pub value: String,
    /// The file that says so, relative to the repository's root; none for a default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What stands on that line and says so, where it is not the value itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The rule that was applied; those that end in `default` found nothing in the repository.
    pub rule: String,
    /// What else is worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The candidates that lost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losing: Vec<Candidate>,
}

impl Evidence {
    /// Evidence without a place in the repository.
    pub(crate) fn new(field: &str, value: impl Into<String>, rule: &str) -> Self {
        Self {
            field: field.to_owned(),
            value: value.into(),
            file: None,
            line: None,
            written: None,
            rule: rule.to_owned(),
            note: None,
            losing: Vec::new(),
        }
    }

    /// The same, found in a file.
    pub(crate) fn at(mut self, file: &str, line: Option<u64>) -> Self {
        self.file = Some(file.to_owned());
        self.line = line;
        self
    }

    /// The same, with what stands there in the place of the value.
    pub(crate) fn written(mut self, text: impl Into<String>) -> Self {
        self.written = Some(text.into());
        self
    }

    /// The same with a remark.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// A directory that looks like an app and is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Rejected {
    /// The directory, relative to the repository's root; `.` is the root itself.
    pub path: String,
    /// What it looked like: `an npm package`.
    pub looked_like: String,
    /// Why it is no app.
    pub reason: String,
}

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something could not be detected because of it.
    Error,
    /// The result may not be what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// Something to tell about a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Diagnostic {
    /// The file, relative to the repository's root.
    pub file: String,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column, in characters from 1, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// How grave it is.
    pub severity: Severity,
    /// The fact.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Detection {
    /// Everything as text for people: apps with their evidence, rejected candidates, diagnostics.
    #[must_use]
    pub fn explain_text(&self) -> String {
        let mut text = String::new();
        for app in &self.apps {
            explain_spec(&app.spec, &app.evidence, &mut text);
            text.push('\n');
        }
        for refused in &self.refused {
            explain_spec(&refused.spec, &refused.evidence, &mut text);
            let place = place(Some(refused.file.as_str()), refused.line);
            // a String takes everything
            let _ = writeln!(
                text,
                "  cannot be built: {place}{}",
                visible(&refused.reason)
            );
            if let Some(help) = &refused.help {
                let _ = writeln!(text, "  help: {}", visible(help));
            }
            text.push('\n');
        }
        if !self.rejected.is_empty() {
            text.push_str("not apps\n");
            let width = self
                .rejected
                .iter()
                .map(|r| r.path.chars().count())
                .max()
                .unwrap_or(0)
                .min(40);
            for rejected in &self.rejected {
                let (path, like, reason) = (
                    visible(&rejected.path),
                    visible(&rejected.looked_like),
                    visible(&rejected.reason),
                );
                let _ = writeln!(text, "  {path:width$}  {like}: {reason}"); // a String takes everything
            }
            text.push('\n');
        }
        for diagnostic in &self.diagnostics {
            let severity = match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            let mut place = place(Some(diagnostic.file.as_str()), diagnostic.line);
            if let (Some(_), Some(column)) = (diagnostic.line, diagnostic.column) {
                place = format!("{}:{column}: ", place.trim_end_matches(": "));
            }
            let _ = writeln!(
                text,
                "{severity}: {}{}",
                place,
                visible(&diagnostic.message)
            );
            if let Some(help) = &diagnostic.help {
                let _ = writeln!(text, "  help: {}", visible(help));
            }
        }
        text
    }

    /// Everything as JSON, indented, with keys in a fixed order.
    #[must_use]
    pub fn explain_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

fn explain_spec(spec: &Spec, evidence: &[Evidence], text: &mut String) {
    let metadata = &spec.metadata;
    let what: Vec<&str> = [
        &metadata.language,
        &metadata.build_system,
        &metadata.framework,
    ]
    .into_iter()
    .flatten()
    .map(String::as_str)
    .collect();
    let what = match what.as_slice() {
        [] => String::new(),
        what => format!(": {}", what.join(", ")),
    };
    let (name, path) = (visible(&metadata.project_name), visible(&metadata.path));
    let _ = writeln!(text, "{name} ({path}){what}");
    if let Some(reasoning) = &metadata.reasoning {
        let _ = writeln!(text, "  {}", visible(reasoning));
    }
    for evidence in evidence {
        let written = evidence.written.as_deref().map(visible);
        let written = written.map_or_else(String::new, |text| format!(" `{text}`"));
        let from = match &evidence.file {
            Some(file) => format!(
                " from {}",
                place(Some(file), evidence.line).trim_end_matches(": ")
            ),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "  {:<12} {}{from}{written} [{}]",
            evidence.field,
            visible(&evidence.value),
            evidence.rule
        );
        if let Some(note) = &evidence.note {
            let _ = writeln!(text, "  {:<12}   {}", "", visible(note));
        }
        for losing in &evidence.losing {
            let at = place(losing.file.as_deref(), losing.line);
            let _ = writeln!(
                text,
                "  {:<12}   not {at}{}: {}",
                "",
                visible(&losing.value),
                visible(&losing.reason)
            );
        }
    }
}

fn place(file: Option<&str>, line: Option<u64>) -> String {
    match (file, line) {
        (None | Some(""), _) => String::new(),
        (Some(file), Some(line)) => format!("{}:{line}: ", visible(file)),
        (Some(file), None) => format!("{}: ", visible(file)),
    }
}
