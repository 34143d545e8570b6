//! Progress as it stands, for a terminal.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::event::{Event, Outcome, What};
use super::line::{Line, Tone};
use super::plain::{describe, reason};
use super::screen::Size;
use super::steps::{Detail, Steps};
use super::text::{escape, last_written, one_line};
use crate::buildkit::StatusResponse;

/// How many lines wait for a terminal that takes none, at most.
const WAITING: usize = 2000;

/// How many lines of a step are kept, and how long they are, in characters: more than a screen shows.
const TAIL: usize = 10;
const TAIL_WIDTH: usize = 1000;

/// Below how many seconds a step is not worth a line of its own.
pub(super) const BRIEF: f64 = 0.095;

/// Which app a [`Board`] is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Title {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub path: String,
    /// Its number in the run, from 1.
    pub number: usize,
    /// How many apps the run has.
    pub of: usize,
}

impl Title {
    /// What stands above an app's steps.
    #[must_use]
    pub fn line(&self) -> String {
        let place = match self.of {
            0 | 1 => String::new(),
            of => format!(", app {} of {of}", self.number),
        };
        let name = one_line(&self.name);
        format!("building {name} ({}){place}", one_line(&self.path))
    }
}

/// The state of one app's build, of which [`live`](Self::live) makes what a terminal shows now, and
/// [`settled`](Self::settled) what stays there.
///
/// Time is what the caller says it is, counted from any moment of its own: a recorded stream gives the same frames
/// every time. However long nobody asks for lines, memory stays bounded: old ones are given up.
#[derive(Clone, Debug)]
pub struct Board {
    pub(super) title: Title,
    is_verbose: bool,
    pub(super) steps: Steps,
    pub(super) shown: BTreeMap<usize, Shown>,
    waiting: VecDeque<Settled>,
    given_up: usize,
    /// What the daemon's clock shows less what the caller's does, in nanoseconds: the most that was seen, because a
    /// message needs time to arrive.
    ahead: Option<i64>,
    pub(super) begun: Option<Duration>,
    pub(super) is_stopping: bool,
}

/// A line that stays.
#[derive(Clone, Debug)]
struct Settled {
    line: Line,
    /// Whether it is of one row, however narrow the terminal is; what is cut off is in the log.
    is_row: bool,
}

/// What is known of a step that was shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) transfers: Vec<Transfer>,
    pub(super) tail: VecDeque<String>,
    pub(super) outcome: Option<Outcome>,
}

/// A part of a step that gets on.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    pub(super) name: String,
    pub(super) current: u64,
    pub(super) total: u64,
}

/// What a [`Board`] draws with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    pub(super) done: &'static str,
    pub(super) failed: &'static str,
    pub(super) stopped: &'static str,
    pub(super) warning: &'static str,
    pub(super) busy: &'static [&'static str],
    pub(super) output: &'static str,
    pub(super) full: &'static str,
    pub(super) empty: &'static str,
    /// What stands where text was cut.
    pub(super) ellipsis: &'static str,
}

impl Marks {
    /// For terminals that show Unicode.
    pub const UNICODE: Self = Self {
        done: "✓",
        failed: "✗",
        stopped: "–",
        warning: "!",
        busy: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
        output: "│",
        full: "━",
        empty: "─",
        ellipsis: "…",
    };
    /// For all others.
    pub const ASCII: Self = Self {
        done: "+",
        failed: "x",
        stopped: "-",
        warning: "!",
        busy: &["|", "/", "-", "\\"],
        output: "|",
        full: "=",
        empty: ".",
        ellipsis: "..",
    };
}

impl Board {
    /// Starts a board; a verbose one keeps every operation and all output on the terminal.
    #[must_use]
    pub fn new(title: Title, is_verbose: bool) -> Self {
        let detail = match is_verbose {
            true => Detail::Operations,
            false => Detail::Steps,
        };
        let mut board = Self {
            is_verbose,
            steps: Steps::new(detail).live(),
            shown: BTreeMap::new(),
            waiting: VecDeque::new(),
            given_up: 0,
            ahead: None,
            begun: None,
            is_stopping: false,
            title: Title {
                name: one_line(&title.name),
                path: one_line(&title.path),
                ..title
            },
        };
        let header = Line::default().with(Tone::Strong, board.title.line());
        board.settle(header);
        board
    }

    /// Takes the next message of the status stream, which arrived at `at`.
    pub fn feed(&mut self, status: &StatusResponse, at: Duration, marks: &Marks) {
        let events = self.steps.feed(status);
        let behind = nanoseconds(at);
        if self.steps.now() > 0 {
            let ahead = self.steps.now().saturating_sub(behind);
            self.ahead = Some(self.ahead.map_or(ahead, |known| known.max(ahead)));
        }
        self.take(events, marks);
    }

    /// Goes on to the time `at`.
    pub fn advance(&mut self, at: Duration, marks: &Marks) {
        self.begun.get_or_insert(at);
        if let Some(ahead) = self.ahead {
            let events = self.steps.advance(nanoseconds(at).saturating_add(ahead));
            self.take(events, marks);
        }
    }

    /// Says that the user wants the build to end.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Settles everything, the stream having ended.
    pub fn finish(&mut self, marks: &Marks) {
        let events = self.steps.finish();
        self.take(events, marks);
        let (_, cached, brief) = self.counts();
        let mut folded = Vec::new();
        if cached > 0 && !self.is_verbose {
            folded.push(format!("{} cached", steps(cached)));
        }
        if brief > 0 && !self.is_verbose {
            folded.push(format!("{} in less than 0.1s", steps(brief)));
        }
        if !folded.is_empty() {
            let line = format!("{INDENT}{}", folded.join(", "));
            self.settle(Line::default().with(Tone::Faint, line));
        }
    }

    /// Gives the lines that stay and were not given before, for a terminal of `size`.
    pub fn settled(&mut self, size: Size, marks: &Marks) -> Vec<Line> {
        let mut lines = Vec::new();
        if self.given_up > 0 {
            let text = format!("({} lines are left out here)", self.given_up);
            lines.push(Line::default().with(Tone::Faint, text));
            self.given_up = 0;
        }
        let columns = size.columns.saturating_sub(1).max(1);
        let waiting = self.waiting.drain(..);
        lines.extend(waiting.map(|settled| match settled.is_row {
            true => settled.line.fit(columns, marks.ellipsis),
            false => settled.line,
        }));
        lines
    }

    /// How many steps have ended, how many of them were cached, and how many others were brief.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let mut counts = (0, 0, 0);
        for outcome in self.shown.values().filter_map(|step| step.outcome.as_ref()) {
            counts.0 += 1;
            match outcome {
                Outcome::Cached => counts.1 += 1,
                Outcome::Done { seconds } if *seconds < BRIEF => counts.2 += 1,
                _ => {}
            }
        }
        counts
    }

    fn settle(&mut self, line: Line) {
        self.wait(Settled {
            line,
            is_row: false,
        });
    }

    fn settle_row(&mut self, line: Line) {
        self.wait(Settled { line, is_row: true });
    }

    fn wait(&mut self, settled: Settled) {
        self.waiting.push_back(settled);
        if self.waiting.len() > WAITING {
            self.waiting.pop_front();
            self.given_up += 1;
        }
    }

    fn take(&mut self, events: Vec<Event>, marks: &Marks) {
        for event in events {
            match event.what {
                What::Started { name, .. } => {
                    let name = self.short(&name);
                    self.shown.entry(event.step).or_default().name = name;
                }
                What::Log { line, .. } => self.log(event.step, &line, marks),
                What::Progress {
                    name,
                    current,
                    total,
                    completed,
                } => {
                    let transfer = Transfer {
                        name: short_digests(&one_line(&name)),
                        current,
                        total,
                    };
                    self.transfer(event.step, transfer, completed.is_some());
                }
                What::Warning { .. } => {
                    for line in describe(&event.what) {
                        let row = row(marks.warning, Tone::Odd, "");
                        self.settle(row.with(Tone::Plain, line));
                    }
                }
                What::Ended(outcome) => self.ended(event.step, outcome, marks),
            }
        }
    }

    /// The name of a step, without that of the app, which is known.
    fn short(&self, name: &str) -> String {
        let name = one_line(name);
        let app = format!("[{}] ", self.title.name);
        name.strip_prefix(&app).unwrap_or(&name).to_owned()
    }

    fn log(&mut self, step: usize, line: &str, marks: &Marks) {
        let shown = last_written(line);
        if self.is_verbose {
            let name = self.shown.get(&step).map_or("", |shown| &shown.name);
            let label = name.split(": ").next().unwrap_or(name);
            let line = Line::default()
                .with(Tone::Faint, format!("{label} {} ", marks.output))
                .with(Tone::Plain, shown.as_ref());
            self.settle(line);
        }
        let tail = &mut self.shown.entry(step).or_default().tail;
        tail.push_back(shown.chars().take(TAIL_WIDTH).collect());
        if tail.len() > TAIL {
            tail.pop_front();
        }
    }

    fn transfer(&mut self, step: usize, transfer: Transfer, is_complete: bool) {
        let transfers = &mut self.shown.entry(step).or_default().transfers;
        let known = transfers
            .iter()
            .position(|known| known.name == transfer.name);
        match (known, is_complete) {
            (Some(known), true) => {
                transfers.remove(known);
            }
            (Some(known), false) => transfers[known] = transfer,
            (None, true) => {}
            (None, false) => transfers.push(transfer),
        }
    }

    fn ended(&mut self, step: usize, outcome: Outcome, marks: &Marks) {
        let shown = self.shown.entry(step).or_default();
        let before = shown.outcome.replace(outcome.clone());
        let name = shown.name.clone();
        let tail = std::mem::take(&mut shown.tail);
        shown.transfers.clear();
        // It may end again: that it ran on is worth a second line if it was for long.
        let is_known = match (&before, &outcome) {
            (Some(Outcome::Done { seconds: told }), Outcome::Done { seconds }) => {
                seconds - told < 1.0
            }
            (Some(told), outcome) => told == outcome,
            (None, _) => false,
        };
        if is_known {
            return;
        }
        match outcome {
            Outcome::Cached if self.is_verbose => {
                let line = row(marks.done, Tone::Good, "cached");
                self.settle_row(line.with(Tone::Plain, name));
            }
            Outcome::Cached => {}
            Outcome::Done { seconds } if seconds < BRIEF && !self.is_verbose => {}
            Outcome::Done { seconds } => {
                let line = row(marks.done, Tone::Good, &duration(seconds));
                self.settle_row(line.with(Tone::Plain, name));
            }
            Outcome::Canceled => {
                let line = row(marks.stopped, Tone::Odd, "stopped");
                self.settle_row(line.with(Tone::Plain, name));
            }
            Outcome::Failed { error } => self.failed(&name, &error, tail, marks),
        }
    }

    fn failed(&mut self, name: &str, error: &str, tail: VecDeque<String>, marks: &Marks) {
        let line = row(marks.failed, Tone::Bad, "failed");
        self.settle_row(line.with(Tone::Strong, name));
        // A run of one app ends with them, and a verbose one has just shown them.
        if self.title.of > 1 && !self.is_verbose {
            for line in tail {
                self.settle_row(output(marks).with(Tone::Plain, line));
            }
        }
        for line in reason(error).lines().take(TAIL) {
            let line = Line::default().with(Tone::Bad, escape(line));
            self.settle(Line::default().with(Tone::Plain, INDENT).and(line));
        }
    }
}

/// Text with digests as short as people compare them.
fn short_digests(text: &str) -> String {
    const ALGORITHM: &str = "sha256:";
    let mut parts = text.split(ALGORITHM);
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|char: char| !char.is_ascii_hexdigit());
        let (digest, rest) = part.split_at(end.unwrap_or(part.len()));
        short.push_str(ALGORITHM);
        short.push_str(&digest[..digest.len().min(12)]);
        short.push_str(rest);
    }
    short
}

/// As wide as what stands before the name of a step.
pub(super) const INDENT: &str = "              ";

/// The beginning of a step's line.
pub(super) fn row(mark: &str, tone: Tone, time: &str) -> Line {
    Line::default()
        .with(tone, format!("  {mark}"))
        .with(Tone::Faint, format!(" {time:>8}  "))
}

/// The beginning of a line of a step's output.
pub(super) fn output(marks: &Marks) -> Line {
    Line::default().with(Tone::Faint, format!("{INDENT}{} ", marks.output))
}

pub(super) fn steps(count: usize) -> String {
    match count {
        1 => "1 step".to_owned(),
        count => format!("{count} steps"),
    }
}

/// A duration as people read it.
pub(super) fn duration(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).map_or(0, |duration| duration.as_secs());
    match whole {
        0..60 => format!("{seconds:.1}s"),
        60..3600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3600, whole / 60 % 60),
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
