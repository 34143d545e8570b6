//! The report for a terminal.

use super::escape::{log_line, message, visible};
use super::model::{App, Failure, Outcome, Report};
use super::units::{count, duration, size};

/// The most lines of a log that are shown of a failed step.
const MOST_LINES: usize = 20;

/// Renders a report for the end of a run: a table of the apps, then what failed and why.
///
/// `width` is that of the terminal in columns, if it is one: lines that are longer lose their last columns. There are no colours.
#[must_use]
pub fn text(report: &Report, width: Option<usize>) -> String {
    let mut lines = table(report);
    lines.push(total(report));
    for warning in &report.warnings {
        lines.push(format!("warning: {}", visible(warning)));
    }
    for app in &report.apps {
        for warning in &app.warnings {
            lines.push(format!(
                "warning: {}: {}",
                visible(&app.name),
                visible(warning)
            ));
        }
    }
    for app in &report.apps {
        if let Some(error) = &app.error {
            lines.push(String::new());
            failure(&mut lines, &app.name, error);
        }
    }
    let mut text = String::new();
    for line in lines {
        text.push_str(&fitted(line.trim_end(), width));
        text.push('\n');
    }
    text
}

fn table(report: &Report) -> Vec<String> {
    let mut rows = vec![["app", "result", "size", "time", "digest"].map(str::to_owned)];
    rows.extend(report.apps.iter().map(row));
    let widths: Vec<usize> = (0..5)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).enumerate();
            let cells = cells.map(|(column, (cell, width))| match column {
                // Numbers stand at the right.
                2 | 3 => format!("{cell:>width$}"),
                _ => format!("{cell:width$}"),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

fn row(app: &App) -> [String; 5] {
    let name = short(&app.name);
    let name = match &app.platform {
        Some(platform) if platform.to_string() != "linux/amd64" => {
            format!("{name} ({})", visible(&platform.to_string()))
        }
        _ => name,
    };
    let tried = matches!(app.outcome, Outcome::Built | Outcome::Failed);
    let image = app.image.as_ref();
    [
        name,
        app.outcome.name().to_owned(),
        image.map(|image| size(image.size)).unwrap_or_default(),
        if tried {
            duration(app.duration_ms)
        } else {
            String::new()
        },
        image
            .map(|image| format!("sha256:{}", &image.manifest.hex()[..12]))
            .unwrap_or_default(),
    ]
}

/// A name that leaves room for the rest of its line.
fn short(name: &str) -> String {
    fitted(&visible(name), Some(40))
}

fn total(report: &Report) -> String {
    let mut parts = Vec::new();
    for outcome in [
        Outcome::Built,
        Outcome::Failed,
        Outcome::Skipped,
        Outcome::Planned,
    ] {
        let number = report.count(outcome);
        if number > 0 {
            parts.push(format!("{number} {}", outcome.name()));
        }
    }
    let apps = count(report.apps.len(), "app");
    let parts = parts.join(", ");
    let end = if report.complete {
        ""
    } else {
        " (the run did not end)"
    };
    let colon = if parts.is_empty() { "" } else { ": " };
    format!("{apps}{colon}{parts}{end}")
}

fn failure(lines: &mut Vec<String>, app: &str, error: &Failure) {
    let app = short(app);
    let step = error
        .step
        .as_deref()
        .map(|step| format!(" in {}", visible(step)));
    let step = step.unwrap_or_default();
    let code = error.exit_code.map(|code| format!(" (exit code {code})"));
    let code = code.unwrap_or_default();
    lines.push(format!(
        "{app} failed{step}{code}: {}",
        message(&error.message)
    ));
    if let Some(command) = &error.command {
        lines.push(format!("  command: {}", visible(command)));
    }
    if let Some(place) = &error.place {
        lines.push(format!("  at: {}", visible(place)));
    }
    let skipped = error.log.len().saturating_sub(MOST_LINES);
    if skipped > 0 {
        lines.push(format!("  | … {} before", count(skipped, "line")));
    }
    let shown = error.log.iter().skip(skipped);
    lines.extend(shown.map(|line| format!("  | {}", log_line(line))));
    if let Some(hint) = &error.hint {
        lines.push(format!("  hint: {}", visible(hint)));
    }
}

fn fitted(line: &str, width: Option<usize>) -> String {
    match width {
        Some(width) if width > 1 && line.chars().count() > width => {
            let mut fitted: String = line.chars().take(width - 1).collect();
            fitted.push('…');
            fitted
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::{hostile, report};
    use super::*;

    #[test]
    fn apps_and_failures_are_listed() {
        insta::assert_snapshot!(text(&report(), None), @r#"
        app                   result       size      time  digest
        web                   built    41.8 MiB  1 m 02 s  sha256:4b5e57f6eb2f
        api                   failed               56.5 s
        worker (linux/arm64)  skipped
        3 apps: 1 built, 1 failed, 1 skipped
        warning: web: no health endpoint

        api failed in [build 4/5] cargo build --release (exit code 101): a build command failed
          command: cargo build --release
          | error[E0425]: cannot find `timeout`
          |   --> src/server.rs:88
          hint: run it by hand
        "#);
    }

    #[test]
    fn hostile_texts_stay_in_their_line() {
        let text = text(&hostile(), Some(100));
        insta::assert_snapshot!(text, @r#"
        app                                       result      size   time  digest
        a|b`</details>\n::error::x\n# h ```\u{1…  built   41.8 MiB  0.0 s  sha256:4b5e57f6eb2f
        |b`</details>\n::error::x\n# h ```\u{1b…  failed            0.0 s
        2 apps: 1 built, 1 failed
        warning: a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.e…

        |b`</details>\n::error::x\n# h ```\u{1b… failed in a|b`</details>\n::error::x\n# h ```\u{1b}[31m<im…
          command: a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil…
          | ```
          | </details><script>
          | a|b`</details>\n::error::x\n# h ```<img src=x onerror=y> @octo #1 https://evil.example :x:\u{20…
          hint: a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.ex…
        "#);
        assert!(!text.contains('\u{1b}'));
        assert!(text.lines().all(|line| line.chars().count() <= 100));
        assert!(!text.lines().any(|line| line.starts_with("::")));
    }
}
