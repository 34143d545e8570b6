//! The steps of a build, from its status stream.
//!
//! A step is an operation, or a progress group with all its members. Operations come and go: a source runs once for
//! each cache key and then for its files, and whether a result was cached may be told differently several times. So
//! an end is told when it can be taken for one: when an operation that needs the result has started, or after a second
//! of the daemon's time.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::event::{Event, Outcome, What};
use super::text::Lines;
use super::vertex::{Vertex, covered, nanoseconds, seconds};
use crate::buildkit as control;

/// How long an operation must have ended before its step has, in nanoseconds.
const SETTLED: i64 = 1_000_000_000;

/// How often the state of a long transfer is told, in nanoseconds.
const PROGRESS: i64 = 5_000_000_000;

/// How much [`Steps`] tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What people read: a progress group is one step, and a long transfer tells of itself now and then.
    #[default]
    Steps,
    /// Every operation is a step of its own.
    Operations,
}

/// A state machine that takes the status stream of one solve.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    detail: Detail,
    is_live: bool,
    vertices: BTreeMap<String, Vertex>,
    /// The step of every operation.
    steps_by_vertex: BTreeMap<String, usize>,
    steps: Vec<Step>,
    /// The steps of progress groups.
    groups: BTreeMap<String, usize>,
    /// The results that a started operation needs.
    used: BTreeSet<String>,
    lines: BTreeMap<(String, i64), Lines>,
    progress: BTreeMap<(String, String), Progress>,
    shown: usize,
    now: i64,
}

#[derive(Clone, Debug, Default)]
struct Step {
    name: String,
    members: BTreeSet<String>,
    /// Whether members alone that are weak keep it hidden.
    is_weak: bool,
    number: Option<usize>,
    /// What was told of its end, and whether it has told anything since.
    outcome: Option<Outcome>,
    is_stale: bool,
}

#[derive(Clone, Debug)]
struct Progress {
    told: i64,
    is_complete: bool,
    /// What came since it was last told.
    untold: Option<What>,
}

/// A step that is under way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Open<'a> {
    pub(super) step: usize,
    pub(super) name: &'a str,
    /// For how long it has run, in seconds.
    pub(super) seconds: f64,
    pub(super) is_running: bool,
    /// How many of its operations have ended.
    pub(super) ended: usize,
    /// How many operations it has.
    pub(super) members: usize,
    /// The beginning of a line that it has written.
    pub(super) begun: Option<Cow<'a, str>>,
}

impl Steps {
    /// Starts without any step.
    #[must_use]
    pub fn new(detail: Detail) -> Self {
        Self {
            detail,
            ..Self::default()
        }
    }

    /// Tells every message of a transfer.
    #[must_use]
    pub(super) fn live(mut self) -> Self {
        self.is_live = true;
        self
    }

    /// The latest time of the stream, in nanoseconds by the daemon's clock; 0 before the first.
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    /// Tells what has ended by `now`, in nanoseconds by the daemon's clock.
    pub(super) fn advance(&mut self, now: i64) -> Vec<Event> {
        let mut events = Vec::new();
        if self.now > 0 {
            self.now = self.now.max(now);
            self.end(&mut events, false);
        }
        events
    }

    /// The steps that are shown and have not ended, in the order of their starts.
    pub(super) fn open(&self) -> Vec<Open<'_>> {
        let steps = self.steps.iter().filter_map(|step| self.opened(step));
        let mut open: Vec<Open<'_>> = steps.collect();
        open.sort_by_key(|open| open.step);
        open
    }

    fn opened<'a>(&'a self, step: &'a Step) -> Option<Open<'a>> {
        let number = step.number?;
        let members = || {
            step.members
                .iter()
                .filter_map(|digest| self.vertices.get(digest))
        };
        let is_running = members().any(Vertex::is_open);
        if step.outcome.is_some() && !is_running {
            return None;
        }
        let intervals = members().flat_map(|vertex| vertex.intervals_until(self.now));
        let lines = self.lines.iter();
        let mut lines = lines.filter(|((vertex, _), _)| step.members.contains(vertex));
        Some(Open {
            step: number,
            name: &step.name,
            seconds: seconds(covered(intervals)),
            is_running,
            ended: members().filter(|vertex| vertex.ended().is_some()).count(),
            members: step.members.len(),
            begun: lines.find_map(|(_, lines)| lines.begun()),
        })
    }

    /// Takes the next message of the stream.
    pub fn feed(&mut self, status: &control::StatusResponse) -> Vec<Event> {
        let mut events = Vec::new();
        let vertices = status.vertexes.iter();
        let begun: Vec<usize> = vertices.filter_map(|vertex| self.vertex(vertex)).collect();
        // What is under way has its say before what begins, so that a step is seen to end before the next begins.
        let is_shown: Vec<String> = self.shown_vertices();
        let is_old = |vertex: &String| is_shown.binary_search(vertex).is_ok();
        self.tell_all(status, is_old, &mut events);
        self.end(&mut events, false);
        for step in begun {
            self.show(step, &mut events);
        }
        self.tell_all(status, |vertex| !is_old(vertex), &mut events);
        self.end(&mut events, false);
        events
    }

    /// Tells what is still to be told when the stream has ended.
    pub fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.end(&mut events, true);
        events
    }

    /// Takes in an operation, and gives its step if that is to be shown.
    fn vertex(&mut self, event: &control::Vertex) -> Option<usize> {
        let step = self.step_of(event);
        let vertex = self.vertices.entry(event.digest.clone()).or_default();
        vertex.update(event);
        vertex.started()?;
        self.used.extend(vertex.inputs.iter().cloned());
        for at in [&event.started, &event.completed].into_iter().flatten() {
            self.now = self.now.max(nanoseconds(at));
        }
        (!self.steps[step].is_weak).then_some(step)
    }

    /// The operations of the steps that are shown, sorted.
    fn shown_vertices(&self) -> Vec<String> {
        let vertices = self.steps_by_vertex.iter();
        let shown = vertices.filter(|(_, step)| self.steps[**step].number.is_some());
        shown.map(|(vertex, _)| vertex.clone()).collect()
    }

    fn tell_all(
        &mut self,
        status: &control::StatusResponse,
        of: impl Fn(&String) -> bool,
        events: &mut Vec<Event>,
    ) {
        for warning in status.warnings.iter().filter(|warning| of(&warning.vertex)) {
            self.warning(warning, events);
        }
        for log in status.logs.iter().filter(|log| of(&log.vertex)) {
            self.log(log, events);
        }
        for progress in status.statuses.iter().filter(|status| of(&status.vertex)) {
            self.progress(progress, events);
        }
    }

    /// The step of an operation, new or known.
    fn step_of(&mut self, event: &control::Vertex) -> usize {
        let group = event.progress_group.as_ref();
        let group = group.filter(|_| self.detail != Detail::Operations);
        let known = self.steps_by_vertex.get(&event.digest).copied();
        let step = known.or_else(|| self.groups.get(&group?.id).copied());
        let step = step.unwrap_or_else(|| {
            let name = group.map_or(&event.name, |group| &group.name);
            self.steps.push(Step {
                name: name.clone(),
                is_weak: group.is_some(),
                ..Step::default()
            });
            let step = self.steps.len() - 1;
            if let Some(group) = group {
                self.groups.insert(group.id.clone(), step);
            }
            step
        });
        let this = &mut self.steps[step];
        if this.name.is_empty() {
            this.name.clone_from(&event.name);
        }
        // A group shows itself when a member that is not weak has started.
        if event.started.is_some() && group.is_none_or(|group| !group.weak) {
            this.is_weak = false;
        }
        this.members.insert(event.digest.clone());
        self.steps_by_vertex.insert(event.digest.clone(), step);
        step
    }

    /// The number of a step, told to have started if it was not.
    fn show(&mut self, step: usize, events: &mut Vec<Event>) -> usize {
        let this = &mut self.steps[step];
        if let Some(number) = this.number {
            return number;
        }
        let members = this.members.iter();
        let members = members.filter_map(|digest| self.vertices.get(digest));
        let at = members.filter_map(Vertex::started).min().unwrap_or(0);
        self.shown += 1;
        this.number = Some(self.shown);
        let name = if this.name.is_empty() {
            "unnamed".to_owned()
        } else {
            this.name.clone()
        };
        events.push(Event {
            step: self.shown,
            what: What::Started { name, at },
        });
        self.shown
    }

    /// Tells of something that `vertex` did.
    fn tell(&mut self, vertex: &str, what: What, events: &mut Vec<Event>) {
        let step = match self.steps_by_vertex.get(vertex) {
            Some(step) => *step,
            // Of something that was never introduced.
            None => self.step_of(&control::Vertex {
                digest: vertex.to_owned(),
                name: vertex.to_owned(),
                ..control::Vertex::default()
            }),
        };
        // A group that nobody asked for does its transfers unseen.
        if self.steps[step].is_weak && matches!(what, What::Progress { .. }) {
            return;
        }
        let step_number = self.show(step, events);
        self.steps[step].is_stale = true;
        events.push(Event {
            step: step_number,
            what,
        });
    }

    fn log(&mut self, log: &control::VertexLog, events: &mut Vec<Event>) {
        let at = log.timestamp.as_ref().map_or(self.now, nanoseconds);
        self.now = self.now.max(at);
        let key = (log.vertex.clone(), log.stream);
        let seconds = self.since_start(&log.vertex, at);
        for line in self.lines.entry(key).or_default().push(&log.msg) {
            self.tell(&log.vertex, What::Log { seconds, line }, events);
        }
    }

    fn since_start(&self, vertex: &str, at: i64) -> f64 {
        let vertex = self.vertices.get(vertex);
        let started = vertex.and_then(Vertex::started).unwrap_or(at);
        seconds(at.saturating_sub(started))
    }

    fn warning(&mut self, warning: &control::VertexWarning, events: &mut Vec<Event>) {
        let lines = std::iter::once(&warning.short).chain(&warning.detail);
        let what = What::Warning {
            lines: lines
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect(),
            url: warning.url.clone(),
        };
        self.tell(&warning.vertex, what, events);
    }

    fn progress(&mut self, status: &control::VertexStatus, events: &mut Vec<Event>) {
        let at = status.timestamp.as_ref().map_or(self.now, nanoseconds);
        let completed = status.completed.as_ref().map(nanoseconds);
        self.now = self.now.max(at).max(completed.unwrap_or(at));
        let started = status.started.as_ref().map_or(at, nanoseconds);
        let key = (status.vertex.clone(), status.id.clone());
        let name = if status.name.is_empty() {
            &status.id
        } else {
            &status.name
        };
        let what = What::Progress {
            name: name.clone(),
            current: u64::try_from(status.current).unwrap_or(0),
            total: u64::try_from(status.total).unwrap_or(0),
            completed: completed.map(|end| seconds(end.saturating_sub(started))),
        };
        let known = self.progress.entry(key).or_insert(Progress {
            told: started,
            is_complete: false,
            untold: None,
        });
        let is_due =
            completed.is_some() || self.is_live || at.saturating_sub(known.told) >= PROGRESS;
        if known.is_complete {
            return;
        }
        if !is_due {
            known.untold = Some(what);
            return;
        }
        *known = Progress {
            told: at,
            is_complete: completed.is_some(),
            untold: None,
        };
        self.tell(&status.vertex, what, events);
    }

    /// Tells what was withheld of transfers that will not end any more: those of operations that have.
    fn catch_up(&mut self, events: &mut Vec<Event>, is_last: bool) {
        let vertices = &self.vertices;
        let has_ended = |vertex: &String| {
            let vertex = vertices.get(vertex);
            is_last || vertex.is_some_and(|vertex| vertex.ended().is_some())
        };
        let transfers = self.progress.iter_mut();
        let withheld: Vec<_> = transfers
            .filter(|((vertex, _), _)| has_ended(vertex))
            .filter_map(|((vertex, _), known)| Some((vertex.clone(), known.untold.take()?)))
            .collect();
        for (vertex, what) in withheld {
            self.tell(&vertex, what, events);
        }
    }

    /// Tells the ends of steps, all of them if this is the last word.
    fn end(&mut self, events: &mut Vec<Event>, is_last: bool) {
        self.flush(events, is_last);
        self.catch_up(events, is_last);
        for step in 0..self.steps.len() {
            let this = &self.steps[step];
            let Some(outcome) = self.outcome(this, is_last) else {
                continue;
            };
            let is_news = match (&this.outcome, &outcome) {
                (None, _) => true,
                (Some(told), Outcome::Failed { .. }) => *told != outcome,
                (Some(_), _) => this.is_stale,
            };
            if is_news {
                let number = self.show(step, events);
                let this = &mut self.steps[step];
                this.outcome = Some(outcome.clone());
                this.is_stale = false;
                events.push(Event {
                    step: number,
                    what: What::Ended(outcome),
                });
            }
        }
    }

    /// Tells the unfinished last lines of operations that have ended.
    fn flush(&mut self, events: &mut Vec<Event>, is_last: bool) {
        let vertices = &self.vertices;
        let has_ended = |vertex: &String| {
            let vertex = vertices.get(vertex);
            is_last || vertex.is_some_and(|vertex| vertex.ended().is_some())
        };
        let lines = self.lines.iter_mut();
        let ended = lines.filter(|((vertex, _), _)| has_ended(vertex));
        let rests: Vec<_> = ended
            .filter_map(|((vertex, _), lines)| Some((vertex.clone(), lines.rest()?)))
            .collect();
        for (vertex, line) in rests {
            let seconds = self.since_start(&vertex, self.now);
            self.tell(&vertex, What::Log { seconds, line }, events);
        }
    }

    /// How a step has ended, if it has.
    fn outcome(&self, step: &Step, is_last: bool) -> Option<Outcome> {
        let members = step.members.iter();
        let members: Vec<(&String, &Vertex)> = members
            .filter_map(|digest| Some((digest, self.vertices.get(digest)?)))
            .filter(|(_, vertex)| vertex.started().is_some())
            .collect();
        if step.number.is_none() || members.is_empty() {
            return None;
        }
        if let Some((_, failed)) = members.iter().find(|(_, vertex)| vertex.has_failed()) {
            return Some(Outcome::Failed {
                error: failed.error.clone(),
            });
        }
        let ends: Option<Vec<i64>> = members.iter().map(|(_, vertex)| vertex.ended()).collect();
        let Some(last) = ends.and_then(|ends| ends.into_iter().max()) else {
            return is_last.then_some(Outcome::Canceled);
        };
        let is_used = members
            .iter()
            .any(|(digest, _)| self.used.contains(*digest));
        let is_settled = self.now.saturating_sub(last) >= SETTLED;
        if !(is_last || is_used || is_settled) {
            return None;
        }
        // It may yet run again, for another that needs its result.
        if members.iter().any(|(_, vertex)| vertex.is_canceled()) {
            return is_last.then_some(Outcome::Canceled);
        }
        if members.iter().all(|(_, vertex)| vertex.is_cached) {
            return Some(Outcome::Cached);
        }
        let intervals = members.iter().flat_map(|(_, vertex)| vertex.intervals());
        Some(Outcome::Done {
            seconds: seconds(covered(intervals)),
        })
    }
}
