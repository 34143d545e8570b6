//! What a terminal shows of a build that runs.

use std::time::Duration;

use super::board::{BRIEF, Board, INDENT, Marks, Shown, Transfer, duration, output, row, steps};
use super::line::{Line, Tone, fit, width};
use super::plain::amount;
use super::screen::Size;
use super::steps::Open;
use super::text::last_written;

/// How many lines are shown at most, on a terminal of any height.
const HEIGHT: usize = 24;

/// How many transfers and lines of output a step shows at most.
const TRANSFERS: usize = 5;
const OUTPUT: usize = 6;

/// How many cells the bar of a transfer takes, and that of a group.
const BAR: usize = 24;
const SHORT_BAR: usize = 12;

/// How long a busy mark stands, in milliseconds.
const BEAT: u128 = 100;

impl Board {
    /// The lines to show at the time `at` on a terminal of `size`: the steps that run, and how far the build is.
    ///
    /// They are at most one fewer than the terminal has rows and each is narrower than it; there is at least one.
    #[must_use]
    pub fn live(&self, at: Duration, size: Size, marks: &Marks) -> Vec<Line> {
        let columns = size.columns.saturating_sub(1).max(1);
        let room = size.rows.saturating_sub(1).clamp(1, HEIGHT) - 1;
        let mut open = self.steps.open();
        // What has just ended waits for what may come of it; brief steps are not worth the look.
        open.retain(|open| open.is_running || open.seconds >= BRIEF);
        let mut lines = self.under_way(&open, at, (columns, room), marks);
        lines.push(self.summary(at, marks));
        let lines = lines.into_iter();
        lines
            .map(|line| line.fit(columns, marks.ellipsis))
            .collect()
    }

    fn under_way(
        &self,
        open: &[Open<'_>],
        at: Duration,
        (columns, room): (usize, usize),
        marks: &Marks,
    ) -> Vec<Line> {
        let hidden = match open.len() <= room {
            true => 0,
            false => open.len() - room.saturating_sub(1),
        };
        // The latest ones are at the end.
        let shown = &open[hidden..];
        let mut left = room.saturating_sub(shown.len() + usize::from(hidden > 0));
        let details: Vec<Details<'_>> = shown
            .iter()
            .map(|open| Details::of(open, self.shown.get(&open.step)))
            .collect();
        let shares = share(&details, &mut left);
        let mut lines = Vec::new();
        if hidden > 0 && room > 0 {
            let text = format!("{INDENT}{} more", steps(hidden));
            lines.push(Line::default().with(Tone::Faint, text));
        }
        for ((open, details), (transfers, output)) in shown.iter().zip(&details).zip(shares) {
            lines.push(self.step(open, at, marks));
            let last = details.transfers.len() - transfers;
            let bars = details.transfers[last..].iter();
            let names = bars.clone().map(|transfer| width(&transfer.name));
            let column = names.max().unwrap_or(0);
            lines.extend(bars.map(|transfer| bar(transfer, column, columns, marks)));
            let last = details.output.len() - output;
            lines.extend(details.output[last..].iter().map(|text| {
                let line = self::output(marks);
                line.with(Tone::Faint, text.as_str())
            }));
        }
        lines
    }

    fn step(&self, open: &Open<'_>, at: Duration, marks: &Marks) -> Line {
        let name = self.shown.get(&open.step).map(|shown| &shown.name);
        let name = name.map_or(open.name, String::as_str);
        let line = match open.is_running {
            true => row(busy(at, marks), Tone::Busy, &duration(open.seconds)),
            false => row(marks.done, Tone::Faint, &duration(open.seconds)),
        };
        let line = line.with(Tone::Plain, name);
        // A group of few is over before it is read.
        if open.members < 4 {
            return line;
        }
        let part = filled(open.ended as u64, open.members as u64, SHORT_BAR);
        line.with(Tone::Plain, "  ")
            .with(Tone::Busy, marks.full.repeat(part))
            .with(Tone::Faint, marks.empty.repeat(SHORT_BAR - part))
    }

    fn summary(&self, at: Duration, marks: &Marks) -> Line {
        let since = at.saturating_sub(self.begun.unwrap_or(at));
        let line = row(busy(at, marks), Tone::Busy, &duration(since.as_secs_f64()));
        let place = match self.title.of {
            0 | 1 => String::new(),
            of => format!("{}/{of} ", self.title.number),
        };
        let (ended, cached, _) = self.counts();
        let cached = match cached {
            0 => String::new(),
            cached => format!(", {cached} cached"),
        };
        let line = line.with(Tone::Strong, format!("{place}{}", self.title.name));
        match self.is_stopping {
            true => line.with(Tone::Odd, "  stopping; once more leaves at once"),
            false => line.with(Tone::Faint, format!("  {} done{cached}", steps(ended))),
        }
    }
}

/// What can be shown of a step below its name.
struct Details<'a> {
    transfers: &'a [Transfer],
    output: Vec<String>,
}

impl<'a> Details<'a> {
    fn of(open: &Open<'_>, shown: Option<&'a Shown>) -> Self {
        let Some(shown) = shown else {
            return Self {
                transfers: &[],
                output: Vec::new(),
            };
        };
        let mut output: Vec<String> = shown.tail.iter().cloned().collect();
        output.extend(
            open.begun
                .iter()
                .map(|begun| last_written(begun).into_owned()),
        );
        // Blank lines are no news.
        while output.last().is_some_and(|line| line.trim().is_empty()) {
            output.pop();
        }
        Self {
            transfers: &shown.transfers,
            output: output.split_off(output.len().saturating_sub(OUTPUT)),
        }
    }
}

/// Gives each step in turn a line of what is `left`, transfers before output.
fn share(details: &[Details<'_>], left: &mut usize) -> Vec<(usize, usize)> {
    let mut shares = vec![(0, 0); details.len()];
    loop {
        let before = *left;
        for (share, details) in shares.iter_mut().zip(details) {
            if *left == 0 {
                return shares;
            }
            if share.0 < details.transfers.len().min(TRANSFERS) {
                share.0 += 1;
                *left -= 1;
            } else if share.1 < details.output.len() {
                share.1 += 1;
                *left -= 1;
            }
        }
        if *left == before {
            return shares;
        }
    }
}

/// The line of a transfer, its name in a column of `column` cells.
fn bar(transfer: &Transfer, column: usize, columns: usize, marks: &Marks) -> Line {
    let amount = amount(transfer.current, transfer.total)
        .map_or_else(String::new, |amount| format!("  {amount}"));
    let has_bar = transfer.total > 0 && columns >= INDENT.len() + BAR + 40;
    let taken = INDENT.len() + width(&amount) + if has_bar { BAR + 2 } else { 0 };
    let room = columns.saturating_sub(taken).max(8);
    let name = fit(&transfer.name, room, marks.ellipsis);
    let line = Line::default().with(Tone::Faint, format!("{INDENT}{name}"));
    let line = match has_bar {
        true => {
            let space = column.min(room).saturating_sub(width(&name));
            let full = filled(transfer.current, transfer.total, BAR);
            line.with(Tone::Plain, " ".repeat(space + 2))
                .with(Tone::Busy, marks.full.repeat(full))
                .with(Tone::Faint, marks.empty.repeat(BAR - full))
        }
        false => line,
    };
    line.with(Tone::Plain, amount)
}

/// How many of `cells` are full when `current` of `total` is done.
fn filled(current: u64, total: u64, cells: usize) -> usize {
    let done = u128::from(current.min(total)) * cells as u128 / u128::from(total.max(1));
    usize::try_from(done).unwrap_or(cells)
}

fn busy(at: Duration, marks: &Marks) -> &'static str {
    let beat = at.as_millis() / BEAT % marks.busy.len().max(1) as u128;
    let beat = usize::try_from(beat).unwrap_or_default();
    marks.busy.get(beat).copied().unwrap_or_default()
}
