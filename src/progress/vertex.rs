//! One operation as the status stream tells of it.

use std::collections::BTreeSet;

use buildkit_proto::google::protobuf::Timestamp;

use crate::buildkit as control;

/// What is known of an operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Vertex {
    pub(super) inputs: BTreeSet<String>,
    pub(super) is_cached: bool,
    pub(super) error: String,
    /// When the run began that the error is of.
    error_of: i64,
    /// Start and end of every time it ran, in nanoseconds; sources run for each of their cache keys too.
    intervals: Vec<(i64, Option<i64>)>,
}

impl Vertex {
    /// Takes in an event. What an event leaves empty stays as it was, except `cached`, of which the last one counts,
    /// and the error of an earlier run when a later one ended without.
    pub(super) fn update(&mut self, event: &control::Vertex) {
        if !event.inputs.is_empty() {
            self.inputs = event.inputs.iter().cloned().collect();
        }
        self.is_cached = event.cached;
        let completed = event.completed.as_ref().map(nanoseconds);
        let started = event.started.as_ref().map(nanoseconds).or(completed);
        self.blame(&event.error, started, completed);
        let Some(started) = started else {
            return;
        };
        let known = self
            .intervals
            .iter_mut()
            .find(|(start, _)| *start == started);
        match known {
            Some((_, end)) => *end = completed.or(*end),
            None => self.intervals.push((started, completed)),
        }
    }

    /// Takes in what an event says of an error. The daemon closes what is still open at the end of a job as canceled,
    /// failed operations too: the real error stays.
    fn blame(&mut self, error: &str, started: Option<i64>, completed: Option<i64>) {
        let is_later = started.is_some_and(|started| started > self.error_of);
        if error.is_empty() {
            if completed.is_some() && is_later {
                self.error.clear();
            }
        } else if self.error.is_empty() || !error.ends_with(control::CANCELED) {
            error.clone_into(&mut self.error);
            self.error_of = started.unwrap_or(self.error_of);
        }
    }

    pub(super) fn started(&self) -> Option<i64> {
        self.intervals.iter().map(|(start, _)| *start).min()
    }

    /// When it last ended, if it has started and is not running.
    pub(super) fn ended(&self) -> Option<i64> {
        let ends: Option<Vec<i64>> = self.intervals.iter().map(|(_, end)| *end).collect();
        ends?.into_iter().max()
    }

    pub(super) fn is_canceled(&self) -> bool {
        self.error.ends_with(control::CANCELED)
    }

    pub(super) fn has_failed(&self) -> bool {
        !self.error.is_empty() && !self.is_canceled() && self.ended().is_some()
    }

    /// Whether it runs.
    pub(super) fn is_open(&self) -> bool {
        self.intervals.iter().any(|(_, end)| end.is_none())
    }

    /// Every time it ran, as if what runs ended `now`.
    pub(super) fn intervals_until(&self, now: i64) -> impl Iterator<Item = (i64, i64)> {
        let all = self.intervals.iter();
        all.map(move |(start, end)| (*start, end.unwrap_or(now)))
    }

    pub(super) fn intervals(&self) -> impl Iterator<Item = (i64, i64)> {
        let closed = self.intervals.iter();
        closed.filter_map(|(start, end)| Some((*start, (*end)?)))
    }
}

/// How long at least one of `intervals` lasted, in nanoseconds.
pub(super) fn covered(intervals: impl Iterator<Item = (i64, i64)>) -> i64 {
    let mut intervals: Vec<_> = intervals.collect();
    intervals.sort_unstable();
    let mut total: i64 = 0;
    let mut until = i64::MIN;
    for (start, end) in intervals {
        let fresh = end.saturating_sub(start.max(until));
        total = total.saturating_add(fresh.max(0));
        until = until.max(end);
    }
    total
}

pub(super) fn nanoseconds(timestamp: &Timestamp) -> i64 {
    let seconds = timestamp.seconds.saturating_mul(1_000_000_000);
    seconds.saturating_add(i64::from(timestamp.nanos))
}

/// Nanoseconds in seconds, as shown: a quarter of a microsecond is lost in the worst case.
#[expect(
    clippy::cast_precision_loss,
    reason = "durations are shown with two decimals"
)]
pub(super) fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds.max(0) as f64 / 1e9
}
