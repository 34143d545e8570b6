//! Progress as lines of text.

use super::event::{Event, Outcome, What};
use super::steps::{Detail, Steps};
use super::text::{escape, last_written, one_line};
use crate::buildkit::StatusResponse;

/// A display that only ever adds lines, for terminals and logs alike.
#[derive(Clone, Debug)]
pub struct Plain {
    steps: Steps,
}

impl Plain {
    /// Starts a display.
    #[must_use]
    pub fn new(detail: Detail) -> Self {
        Self {
            steps: Steps::new(detail),
        }
    }

    /// Takes the next message of the status stream and gives the lines to print, without their ends.
    pub fn feed(&mut self, status: &StatusResponse) -> Vec<String> {
        self.steps.feed(status).iter().flat_map(lines).collect()
    }

    /// Gives the last lines when the stream has ended.
    pub fn finish(&mut self) -> Vec<String> {
        self.steps.finish().iter().flat_map(lines).collect()
    }
}

fn lines(event: &Event) -> Vec<String> {
    let text = match &event.what {
        What::Log { seconds, line } => vec![format!("{seconds:.2} {}", last_written(line))],
        what => describe(what),
    };
    let number = event.step;
    text.into_iter()
        .map(|text| format!("#{number} {text}").trim_end().to_owned())
        .collect()
}

/// What both displays say alike.
pub(super) fn describe(what: &What) -> Vec<String> {
    match what {
        What::Started { name, .. } => vec![one_line(name)],
        What::Log { seconds, line } => vec![format!("{seconds:.3} {}", escape(line))],
        What::Progress {
            name,
            current,
            total,
            completed,
        } => {
            let mut line = one_line(name);
            line.extend(amount(*current, *total).map(|amount| format!(" {amount}")));
            line.extend(completed.map(|seconds| format!(" {seconds:.1}s done")));
            vec![line]
        }
        What::Warning { lines, url } => {
            let url = Some(url).filter(|url| !url.is_empty());
            let lines = lines.iter().chain(url);
            lines
                .map(|line| format!("WARN: {}", one_line(line)))
                .collect()
        }
        What::Ended(Outcome::Done { seconds }) => vec![format!("DONE {seconds:.1}s")],
        What::Ended(Outcome::Cached) => vec!["CACHED".to_owned()],
        What::Ended(Outcome::Canceled) => vec!["CANCELED".to_owned()],
        What::Ended(Outcome::Failed { error }) => reason(error)
            .lines()
            .map(|line| format!("ERROR: {}", escape(line)))
            .collect(),
    }
}

/// The error of a step; for a command that failed, what came of it: the command is the step's name already.
pub(super) fn reason(error: &str) -> &str {
    const ENDED: &str = "did not complete successfully: ";
    match error.rsplit_once(ENDED) {
        Some((process, reason)) if process.starts_with("process ") => reason,
        _ => error,
    }
}

/// How much of a transfer is done, of how much where that is known; `None` before its first byte.
pub(super) fn amount(current: u64, total: u64) -> Option<String> {
    match (current, total) {
        (0, 0) => None,
        (current, 0) => Some(bytes(current)),
        (current, total) => Some(format!("{} / {}", bytes(current), bytes(total))),
    }
}

/// An amount as people read it, with decimal units as BuildKit has them.
fn bytes(amount: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if amount < 1000 {
        return format!("{amount}B");
    }
    let mut tenths = u128::from(amount) * 10;
    let mut unit = 0;
    tenths = (tenths + 500) / 1000;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths = (tenths + 500) / 1000;
        unit += 1;
    }
    format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
}
