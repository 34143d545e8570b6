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
pub(super) mod tests {
    use super::super::{
        Artifact, Buildkit, Config, Image, Layer, Package, PackageIndex, Phase, Run, Steps,
        Transfer,
    };
    use super::*;
    use crate::oci::{Digest, Platform};

    fn app(name: &str, outcome: Outcome) -> App {
        App {
            name: name.to_owned(),
            path: name.to_owned(),
            platform: Some(Platform::linux("amd64")),
            outcome,
            image: None,
            artifacts: Vec::new(),
            packages: Vec::new(),
            libraries: [].into(),
            evidence: Default::default(),
            duration_ms: 0,
            phases: Vec::new(),
            steps: Steps::default(),
            sent: Transfer::default(),
            warnings: Vec::new(),
            error: None,
        }
    }

    fn web() -> App {
        let layer = |bytes: &[u8], size| Layer {
            digest: Digest::of(bytes),
            size,
        };
        let artifact = |kind, file: &str| Artifact {
            kind,
            file: file.to_owned(),
            sha256: Digest::of(b""),
        };
        let phase = |name: &str, duration_ms| Phase {
            name: name.to_owned(),
            duration_ms,
        };
        App {
            image: Some(Image {
                tags: vec!["ghcr.io/octo/web:1".to_owned()],
                manifest: Digest::of(b"web"),
                index: None,
                size: 43_830_477,
                layers: vec![layer(b"1", 40_000_000), layer(b"2", 3_000_000)],
                pushed: Vec::new(),
                config: Config::default(),
            }),
            artifacts: vec![
                artifact(Kind::Image, "web.oci.tar"),
                artifact(Kind::Sbom, "web.spdx.json"),
            ],
            packages: vec![Package {
                name: "glibc".to_owned(),
                version: "2.41-r3".to_owned(),
            }],
            libraries: [("npm".to_owned(), 234)].into(),
            evidence: Default::default(),
            duration_ms: 62_000,
            phases: vec![phase("packages", 6_300), phase("build", 55_700)],
            steps: Steps {
                cached: 9,
                total: 14,
            },
            warnings: vec!["no health endpoint".to_owned()],
            ..app("web", Outcome::Built)
        }
    }

    fn api() -> App {
        App {
            duration_ms: 56_500,
            steps: Steps {
                cached: 6,
                total: 11,
            },
            error: Some(Failure {
                step: Some("[build 4/5] cargo build --release".to_owned()),
                command: Some("cargo build --release".to_owned()),
                place: None,
                exit_code: Some(101),
                message: "a build command failed".to_owned(),
                hint: Some("run it by hand".to_owned()),
                log: vec![
                    "\u{1b}[31merror[E0425]\u{1b}[0m: cannot find `timeout`".to_owned(),
                    "  --> src/server.rs:88".to_owned(),
                ],
            }),
            ..app("api", Outcome::Failed)
        }
    }

    /// Two apps, of which one failed, and one that was skipped.
    pub(in super::super) fn report() -> Report {
        let mut report = Report::new(Run {
            peelbox: "1.0.0".to_owned(),
            started: "2026-11-20T09:00:00Z".to_owned(),
            commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
            buildkit: Some(Buildkit {
                endpoint: "unix:///run/buildkit/buildkitd.sock".to_owned(),
                version: Some("v0.32.2".to_owned()),
            }),
            index: Some(PackageIndex {
                digest: Digest::of(b"index"),
                age: 3700,
            }),
            ..Run::default()
        });
        report.add(web());
        report.add(api());
        report.add(App {
            platform: Some(Platform::linux("arm64")),
            ..app("worker", Outcome::Skipped)
        });
        report.run.finished = Some("2026-11-20T09:02:00Z".to_owned());
        report.complete = true;
        report
    }

    /// Every text is an attack.
    pub(in super::super) fn hostile() -> Report {
        let bad = "a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}";
        let mut report = report();
        let App {
            image,
            artifacts,
            phases,
            ..
        } = report.apps[0].clone();
        report.run.commit = Some(bad.to_owned());
        report.run.peelbox = bad.to_owned();
        report.warnings = vec![bad.to_owned()];
        report.apps.clear();
        let mut built = app(bad, Outcome::Built);
        built.image = image;
        built.artifacts = artifacts;
        built.artifacts[0].file = bad.to_owned();
        built.phases = phases;
        built.phases[0].name = format!("end: {bad}");
        built.libraries = [(bad.to_owned(), u64::MAX)].into();
        report.add(built);
        let mut failed = app(&bad[1..], Outcome::Failed);
        failed.error = Some(Failure {
            step: Some(bad.to_owned()),
            command: Some(bad.to_owned()),
            place: None,
            exit_code: Some(1),
            message: bad.to_owned(),
            hint: Some(bad.to_owned()),
            log: vec![
                "```".to_owned(),
                "</details><script>".to_owned(),
                bad.to_owned(),
            ],
        });
        report.add(failed);
        report
    }

    #[expect(clippy::too_many_lines, reason = "the expected text is long")]
    #[test]
    fn a_run_is_summed_up() {
        insta::assert_snapshot!(summary(&report()), @r#"
        ## peelbox: 1 of 3 images built

        **api** failed in `[build 4/5] cargo build --release` after 56.5 s: `cargo build --release` exited with code 101.

        | App | Result | Image | Size | Layers | Cached | Time | Packages |
        | :-- | :-- | :-- | --: | --: | --: | --: | --: |
        | **web** | :white_check_mark: built | `sha256:4b5e57f6eb2f…` | 41.8 MiB | 2 | 9 of 14 | 1 m 02 s | 235 |
        | **api** | :x: failed |  |  |  | 6 of 11 | 56.5 s |  |
        | **worker** `linux/arm64` | :fast_forward: skipped |  |  |  |  |  |  |
        | **3 apps** | 1 built, 1 failed, 1 skipped | | 41.8 MiB | | 15 of 25 | 1 m 59 s | 235 |

        <details open>
        <summary><strong><code>api</code></strong>: the last 2 log lines</summary>

        `a build command failed`

        Step `[build 4/5] cargo build --release`

        Hint: `run it by hand`

        ```text
        error[E0425]: cannot find `timeout`
          --> src/server.rs:88
        ```

        Run the same build on your machine:

        ```sh
        git fetch origin 0123456789abcdef0123456789abcdef01234567 && git checkout 0123456789abcdef0123456789abcdef01234567
        peelbox ci --app api
        ```

        </details>

        <details>
        <summary>1 warning</summary>

        - **web**: `no health endpoint`

        </details>

        <details>
        <summary>Digests and how to use the images</summary>

        | App | Manifest digest | Tarball | Tags |
        | :-- | :-- | :-- | :-- |
        | **web** | `sha256:4b5e57f6eb2f42b9039b3d1e13929295f231749c510cbe341cd68036d9af97e2` | `web.oci.tar` | `ghcr.io/octo/web:1` |

        ```sh
        skopeo copy oci-archive:<tarball> docker-daemon:<name>:<tag>
        ```

        </details>

        <details>
        <summary>What is inside (SPDX)</summary>

        | App | Wolfi packages | Libraries | SBOM |
        | :-- | --: | --: | :-- |
        | **web** | 1 | 234 `npm` | `web.spdx.json` |

        </details>

        <details>
        <summary>Where the time went</summary>

        ```mermaid
        gantt
          dateFormat x
          axisFormat %M:%S
          section app web
          packages :0, 6300
          build :6300, 62000
        ```

        | App | Phases | Total |
        | :-- | :-- | --: |
        | **web** | `packages` 6.3 s, `build` 55.7 s | 1 m 02 s |

        </details>

        <details>
        <summary>Inputs and environment</summary>

        | | |
        | :-- | :-- |
        | peelbox | `1.0.0` |
        | BuildKit | `v0.32.2`, `unix:///run/buildkit/buildkitd.sock` |
        | Package index | `sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6`, 1 h 01 m old |
        | Commit | `0123456789abcdef0123456789abcdef01234567` |
        | Started | `2026-11-20T09:00:00Z` |
        | Finished | `2026-11-20T09:02:00Z` |

        </details>

        <!-- peelbox-report:v1 -->
        "#);
    }

    #[expect(clippy::too_many_lines, reason = "the expected text is long")]
    #[test]
    fn hostile_texts_are_only_text() {
        insta::assert_snapshot!(summary(&hostile()), @r#"
        ## peelbox: 1 of 2 images built

        ````|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` failed in ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` after 0.0 s: ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` exited with code 1.

        | App | Result | Image | Size | Layers | Cached | Time | Packages |
        | :-- | :-- | :-- | --: | --: | --: | --: | --: |
        | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | :white_check_mark: built | `sha256:4b5e57f6eb2f…` | 41.8 MiB | 2 |  | 0.0 s | 18446744073709551615 |
        | ````\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | :x: failed |  |  |  |  | 0.0 s |  |
        | **2 apps** | 1 built, 1 failed | | 41.8 MiB | |  | 0.0 s | 18446744073709551615 |

        <details open>
        <summary><strong><code>|b`&lt;/details&gt;\n::error::x\n# h ```\u{1b}[31m&lt;img src=x onerror=y&gt; @octo #1 https://evil.example :x:\u{202e}</code></strong>: the last 3 log lines</summary>

        ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}````

        Step ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}````

        Hint: ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}````

        ````text
        ```
        </details><script>
        a|b`</details>\n::error::x\n# h ```<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}
        ````

        </details>

        <details>
        <summary>1 warning</summary>

        - ````a|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}````

        </details>

        <details>
        <summary>Digests and how to use the images</summary>

        | App | Manifest digest | Tarball | Tags |
        | :-- | :-- | :-- | :-- |
        | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | `sha256:4b5e57f6eb2f42b9039b3d1e13929295f231749c510cbe341cd68036d9af97e2` | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | `ghcr.io/octo/web:1` |

        ```sh
        skopeo copy oci-archive:<tarball> docker-daemon:<name>:<tag>
        ```

        </details>

        <details>
        <summary>What is inside (SPDX)</summary>

        | App | Wolfi packages | Libraries | SBOM |
        | :-- | --: | --: | :-- |
        | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | 0 | 18446744073709551615 ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | `web.spdx.json` |

        </details>

        <details>
        <summary>Where the time went</summary>

        ```mermaid
        gantt
          dateFormat x
          axisFormat %M:%S
          section app a-b-details-error-x-h-31m-i
          end-a-b-details-error-x-h :0, 6300
          build :6300, 62000
        ```

        | App | Phases | Total |
        | :-- | :-- | --: |
        | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` | ````end: a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` 6.3 s, `build` 55.7 s | 0.0 s |

        </details>

        <details>
        <summary>Inputs and environment</summary>

        | | |
        | :-- | :-- |
        | peelbox | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` |
        | BuildKit | `v0.32.2`, `unix:///run/buildkit/buildkitd.sock` |
        | Package index | `sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6`, 1 h 01 m old |
        | Commit | ````a\|b`</details>\n::error::x\n# h ```\u{1b}[31m<img src=x onerror=y> @octo #1 https://evil.example :x:\u{202e}```` |
        | Started | `2026-11-20T09:00:00Z` |
        | Finished | `2026-11-20T09:02:00Z` |

        </details>

        <!-- peelbox-report:v1 -->
        "#);
    }

    #[test]
    fn it_stays_below_the_limit_whatever_happened() {
        let mut report = Report::new(Run::default());
        let long = "\u{202e}`|".repeat(3000);
        for at in 0..1000 {
            let mut failed = app(&format!("{at}{long}"), Outcome::Failed);
            failed.warnings = vec![long.clone()];
            failed.phases = vec![
                Phase {
                    name: long.clone(),
                    duration_ms: u64::MAX
                };
                20
            ];
            failed.image.clone_from(&self::report().apps[0].image);
            failed.error = Some(Failure {
                message: long.clone(),
                log: vec![long.clone(); if at < 20 { 300 } else { 1 }],
                ..Failure::default()
            });
            report.apps.push(failed);
        }
        let text = summary(&report);
        assert!(text.len() <= 1_000_000, "{}", text.len());
        assert!(text.contains("more: see `report.json`"));
        assert!(text.starts_with("## peelbox: 0 of 1000 images built, and the run did not end\n"));
        assert!(text.ends_with("<!-- peelbox-report:v1 -->\n"));
        assert_eq!(
            text.matches("<details").count(),
            text.matches("</details>").count()
        );
    }

    #[test]
    fn a_run_without_apps_says_so() {
        let mut report = Report::new(Run::default());
        assert!(summary(&report).starts_with("## peelbox: no apps, and the run did not end\n"));
        report.add(app("a", Outcome::Planned));
        report.complete = true;
        assert!(summary(&report).starts_with("## peelbox: 1 app planned\n"));
    }
}
