//! The report in markdown, for the summary of a CI run.

use std::fmt::Write as _;

use super::escape::{code, code_of_message, fenced, html, label, log_line, name, row, visible};
use super::model::{App, Failure, Kind, Outcome, Report};
use super::units::{count, duration, size};

/// GitHub shows at most 1 MiB of a step's summary (1,048,576 bytes) and drops it whole above that.
const BUDGET: usize = 1_000_000;
/// The most bytes of one table.
const TABLE: usize = 120_000;
/// The most bytes and lines of one log.
const LOG: usize = 48_000;
const LOG_LINES: usize = 200;
/// The most apps of the diagram, and of the sentences about failures.
const DIAGRAM: usize = 50;
const SENTENCES: usize = 10;

/// Renders a report as GitHub's markdown, for `$GITHUB_STEP_SUMMARY` and comments.
///
/// Nothing that comes from a build or a repository can be more than text in it: names, commands and logs are in code
/// spans and fences that they cannot close. It is less than 1 MiB whatever the report holds.
#[must_use]
pub fn summary(report: &Report) -> String {
    let mut out = headline(report);
    for app in failed(report).take(SENTENCES) {
        out.push_str(&sentence(app));
    }
    out.push_str(&apps(report));
    // These have bounded sizes; the failures take what is left.
    let rest = [
        warnings(report),
        digests(report),
        inside(report),
        times(report),
        environment(report),
        "<!-- peelbox-report:v1 -->\n".to_owned(),
    ]
    .concat();
    let mut left = BUDGET.saturating_sub(out.len() + rest.len() + 200);
    let mut omitted = 0;
    for app in failed(report) {
        let section = failure(report, app);
        if section.len() <= left {
            left -= section.len();
            out.push_str(&section);
        } else {
            omitted += 1;
        }
    }
    if omitted > 0 {
        let _ = writeln!(
            out,
            "{} more: see `report.json`.\n",
            count(omitted, "failure")
        ); // a String takes all
    }
    out + &rest
}

fn failed(report: &Report) -> impl Iterator<Item = &App> {
    report
        .apps
        .iter()
        .filter(|app| app.outcome == Outcome::Failed)
}

fn headline(report: &Report) -> String {
    let [built, planned] = [Outcome::Built, Outcome::Planned].map(|outcome| report.count(outcome));
    let all = report.apps.len();
    let what = if all == 0 {
        "no apps".to_owned()
    } else if planned == all {
        format!("{} planned", count(all, "app"))
    } else {
        format!("{built} of {} built", count(all, "image"))
    };
    let end = if report.complete {
        ""
    } else {
        ", and the run did not end"
    };
    format!("## peelbox: {what}{end}\n\n")
}

fn sentence(app: &App) -> String {
    let time = duration(app.duration_ms);
    let Some(error) = &app.error else {
        return format!("{} failed after {time}.\n\n", name(&app.name));
    };
    let step = error
        .step
        .as_deref()
        .map(|step| format!(" in {}", code(step)));
    let step = step.unwrap_or_default();
    let what = match (&error.command, error.exit_code) {
        (Some(command), Some(exit)) => format!("{} exited with code {exit}", code(command)),
        _ => code_of_message(&error.message),
    };
    format!("{} failed{step} after {time}: {what}.\n\n", name(&app.name))
}

/// A table that ends when it is large enough.
fn table(head: &str, rows: impl ExactSizeIterator<Item = String>) -> String {
    let columns = head.lines().next().unwrap_or_default().matches('|').count() - 1;
    let mut table = head.to_owned();
    let all = rows.len();
    for (at, row) in rows.enumerate() {
        if table.len() + row.len() > TABLE {
            let more = format!("| … {} more: see `report.json` ", all - at);
            table.push_str(&more);
            table.push_str(&"| ".repeat(columns));
            table.push('\n');
            break;
        }
        table.push_str(&row);
    }
    table
}

fn apps(report: &Report) -> String {
    let head = "| App | Result | Image | Size | Layers | Cached | Time | Packages |\n\
        | :-- | :-- | :-- | --: | --: | --: | --: | --: |\n";
    let mut text = table(head, report.apps.iter().map(summed));
    if report.apps.len() > 1 {
        text.push_str(&total(report));
    }
    text.push('\n');
    text
}

fn summed(app: &App) -> String {
    let mark = match app.outcome {
        Outcome::Built => ":white_check_mark: built",
        Outcome::Failed => ":x: failed",
        Outcome::Skipped => ":fast_forward: skipped",
        Outcome::Planned => ":memo: planned",
    };
    let tried = matches!(app.outcome, Outcome::Built | Outcome::Failed);
    let image = app.image.as_ref();
    let digest = image.map(|image| format!("`sha256:{}…`", &image.manifest.hex()[..12]));
    row([
        title(app),
        mark.to_owned(),
        digest.unwrap_or_default(),
        image.map(|image| size(image.size)).unwrap_or_default(),
        image
            .map(|image| image.layers.len().to_string())
            .unwrap_or_default(),
        if tried {
            cached(app.steps.cached, app.steps.total)
        } else {
            String::new()
        },
        if tried {
            duration(app.duration_ms)
        } else {
            String::new()
        },
        image.map(|_| packages(app).to_string()).unwrap_or_default(),
    ])
}

/// The app's name, and its platform unless that is the usual one.
fn title(app: &App) -> String {
    match &app.platform {
        Some(platform) if platform.to_string() != "linux/amd64" => {
            format!("{} {}", name(&app.name), code(&platform.to_string()))
        }
        _ => name(&app.name),
    }
}

fn cached(cached: u64, total: u64) -> String {
    match total {
        0 => String::new(),
        _ => format!("{cached} of {total}"),
    }
}

fn packages(app: &App) -> u64 {
    let libraries = app
        .libraries
        .values()
        .fold(0, |sum: u64, count| sum.saturating_add(*count));
    libraries.saturating_add(app.packages.len() as u64)
}

fn total(report: &Report) -> String {
    let sum = |of: fn(&App) -> u64| report.apps.iter().map(of).fold(0, u64::saturating_add);
    let outcomes: Vec<String> = [
        Outcome::Built,
        Outcome::Failed,
        Outcome::Skipped,
        Outcome::Planned,
    ]
    .into_iter()
    .filter(|outcome| report.count(*outcome) > 0)
    .map(|outcome| format!("{} {}", report.count(outcome), outcome.name()))
    .collect();
    let steps = cached(sum(|app| app.steps.cached), sum(|app| app.steps.total));
    format!(
        "| **{}** | {} | | {} | | {steps} | {} | {} |\n",
        count(report.apps.len(), "app"),
        outcomes.join(", "),
        size(sum(|app| app.image.as_ref().map_or(0, |image| image.size))),
        duration(sum(|app| app.duration_ms)),
        sum(packages),
    )
}

/// A section that opens with a click.
fn details(is_open: bool, title: &str, body: &str) -> String {
    let open = if is_open { " open" } else { "" };
    format!("<details{open}>\n<summary>{title}</summary>\n\n{body}\n</details>\n\n")
}

fn failure(report: &Report, app: &App) -> String {
    let Some(error) = &app.error else {
        return String::new();
    };
    let mut body = format!("{}\n\n", code_of_message(&error.message));
    if let Some(step) = &error.step {
        let _ = write!(body, "Step {}", code(step)); // a String takes all
        let command = error
            .command
            .as_ref()
            .filter(|command| !step.contains(command.as_str()));
        if let Some(command) = command {
            let _ = write!(body, ", command {}", code(command));
        }
        if let Some(place) = &error.place {
            let _ = write!(body, ", written at {}", code(place));
        }
        body.push_str("\n\n");
    }
    if let Some(hint) = &error.hint {
        let _ = write!(body, "Hint: {}\n\n", code(hint));
    }
    let (lines, omitted) = tail(error);
    if !lines.is_empty() {
        body.push_str(&fenced("text", &lines));
    }
    body.push_str(&again(report, app));
    let log = match (lines.len(), omitted) {
        (0, _) => "no log".to_owned(),
        (shown, 0) => format!("the last {}", count(shown, "log line")),
        (shown, _) => format!("the last {shown} of {}", count(shown + omitted, "log line")),
    };
    details(
        true,
        &format!("<strong>{}</strong>: {log}", html(&app.name)),
        &body,
    )
}

/// The last lines of the log, and how many are left out before them.
fn tail(error: &Failure) -> (Vec<String>, usize) {
    let mut lines: Vec<String> = Vec::new();
    let mut bytes = 0;
    for line in error.log.iter().rev().take(LOG_LINES) {
        let line = log_line(line);
        bytes += line.len() + 1;
        if bytes > LOG {
            break;
        }
        lines.push(line);
    }
    lines.reverse();
    let omitted = error.log.len() - lines.len();
    (lines, omitted)
}

/// How to run the same build by hand; nothing where the name needs more than quotes.
fn again(report: &Report, app: &App) -> String {
    if visible(&app.name) != app.name {
        return String::new();
    }
    let Ok(name) = shlex::try_quote(&app.name) else {
        return String::new();
    };
    let mut lines = Vec::new();
    let commit = report.run.commit.as_deref().unwrap_or_default();
    if !commit.is_empty()
        && commit.len() <= 64
        && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        lines.push(format!(
            "git fetch origin {commit} && git checkout {commit}"
        ));
    }
    lines.push(format!("peelbox ci --app {name}"));
    format!(
        "\nRun the same build on your machine:\n\n{}",
        fenced("sh", &lines)
    )
}

fn warnings(report: &Report) -> String {
    let own = report
        .warnings
        .iter()
        .map(|warning| format!("- {}\n", code(warning)));
    let apps = report.apps.iter().flat_map(|app| {
        let line = |warning: &String| format!("- {}: {}\n", name(&app.name), code(warning));
        app.warnings.iter().map(line)
    });
    let lines: Vec<String> = own.chain(apps).collect();
    if lines.is_empty() {
        return String::new();
    }
    let mut body = String::new();
    for (at, line) in lines.iter().enumerate() {
        if body.len() + line.len() > TABLE {
            let _ = writeln!(body, "- … {} more: see `report.json`", lines.len() - at); // a String takes all
            break;
        }
        body.push_str(line);
    }
    details(false, &count(lines.len(), "warning"), &body)
}

fn built(report: &Report) -> Vec<&App> {
    report
        .apps
        .iter()
        .filter(|app| app.image.is_some())
        .collect()
}

fn file(app: &App, kind: Kind) -> String {
    let found = app.artifacts.iter().find(|artifact| artifact.kind == kind);
    found
        .map(|artifact| code(&artifact.file))
        .unwrap_or_default()
}

fn digests(report: &Report) -> String {
    let rows: Vec<String> = built(report)
        .into_iter()
        .filter_map(|app| {
            let image = app.image.as_ref()?;
            let names = match image.pushed.is_empty() {
                true => &image.tags,
                false => &image.pushed,
            };
            let tags: Vec<String> = names.iter().take(10).map(|tag| code(tag)).collect();
            let (title, file) = (title(app), file(app, Kind::Image));
            Some(row([
                title,
                format!("`{}`", image.manifest),
                file,
                tags.join(" "),
            ]))
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = "| App | Manifest digest | Tarball | Tags |\n| :-- | :-- | :-- | :-- |\n";
    let how = "\n```sh\nskopeo copy oci-archive:<tarball> docker-daemon:<name>:<tag>\n```\n";
    let body = table(head, rows.into_iter()) + how;
    details(false, "Digests and how to use the images", &body)
}

fn inside(report: &Report) -> String {
    let rows: Vec<String> = built(report)
        .into_iter()
        .map(|app| {
            let libraries = app.libraries.iter().take(20);
            let libraries: Vec<String> = libraries
                .map(|(ecosystem, count)| format!("{count} {}", code(ecosystem)))
                .collect();
            let (title, apks) = (title(app), app.packages.len());
            let sbom = file(app, Kind::Sbom);
            row([title, apks.to_string(), libraries.join(", "), sbom])
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = "| App | Wolfi packages | Libraries | SBOM |\n| :-- | --: | --: | :-- |\n";
    details(
        false,
        "What is inside (SPDX)",
        &table(head, rows.into_iter()),
    )
}

fn times(report: &Report) -> String {
    let timed: Vec<&App> = report
        .apps
        .iter()
        .filter(|app| !app.phases.is_empty())
        .collect();
    if timed.is_empty() {
        return String::new();
    }
    let mut diagram = vec![
        "gantt".to_owned(),
        "  dateFormat x".to_owned(),
        "  axisFormat %M:%S".to_owned(),
    ];
    let mut now: u64 = 0;
    for app in timed.iter().take(DIAGRAM) {
        let name = label(&app.name);
        diagram.push(format!("  section {name}"));
        for phase in app.phases.iter().take(10) {
            let end = now.saturating_add(phase.duration_ms);
            let phase = label(&phase.name);
            diagram.push(format!(
                "  {} :{now}, {end}",
                phase.trim_start_matches("app ")
            ));
            now = end;
        }
    }
    let rows = timed.iter().map(|app| {
        let phases: Vec<String> = app
            .phases
            .iter()
            .take(10)
            .map(|phase| format!("{} {}", code(&phase.name), duration(phase.duration_ms)))
            .collect();
        row([title(app), phases.join(", "), duration(app.duration_ms)])
    });
    let head = "| App | Phases | Total |\n| :-- | :-- | --: |\n";
    let body = format!("{}\n{}", fenced("mermaid", &diagram), table(head, rows));
    details(false, "Where the time went", &body)
}

fn environment(report: &Report) -> String {
    let run = &report.run;
    let mut rows = vec![("peelbox", code(&run.peelbox))];
    if let Some(buildkit) = &run.buildkit {
        let version = buildkit
            .version
            .as_deref()
            .map(|version| format!("{}, ", code(version)));
        let version = version.unwrap_or_default();
        rows.push(("BuildKit", version + &code(&buildkit.endpoint)));
    }
    if let Some(index) = &run.index {
        let age = duration(index.age.saturating_mul(1000));
        rows.push(("Package index", format!("`{}`, {age} old", index.digest)));
    }
    rows.extend(
        run.repository
            .as_deref()
            .map(|repository| ("Repository", code(repository))),
    );
    rows.extend(run.commit.as_deref().map(|commit| ("Commit", code(commit))));
    rows.push(("Started", code(&run.started)));
    rows.extend(
        run.finished
            .as_deref()
            .map(|finished| ("Finished", code(finished))),
    );
    let rows = rows
        .into_iter()
        .map(|(key, value)| row([key.to_owned(), value]));
    details(
        false,
        "Inputs and environment",
        &table("| | |\n| :-- | :-- |\n", rows),
    )
}

#[cfg(test)]
pub(super) mod tests;
