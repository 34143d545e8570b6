//! What happens in a build, step by step.

/// Something that happened in a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The number of the step, counted from 1 in the order of their starts.
    pub step: usize,
    /// What happened.
    pub what: What,
}

/// The kinds of [`Event`]. Text is as it came: [`escape`](super::escape) it before showing it.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The step began.
    Started {
        /// Its name.
        name: String,
        /// When, in nanoseconds since 1970 by the daemon's clock; 0 if it did not say.
        at: i64,
    },
    /// The step wrote a line.
    Log {
        /// Seconds since the step began.
        seconds: f64,
        /// The line, without its end. A carriage return within it means that what follows overwrote the line.
        line: String,
    },
    /// A transfer, download or other part of the step got on.
    Progress {
        /// What it is.
        name: String,
        /// How much is done, in bytes.
        current: u64,
        /// How much there is, in bytes; 0 if nobody knows.
        total: u64,
        /// How long it took, in seconds, if it is complete.
        completed: Option<f64>,
    },
    /// BuildKit warns of something.
    Warning {
        /// The short form and the details, a line each.
        lines: Vec<String>,
        /// Where to read more; may be empty.
        url: String,
    },
    /// The step ended. It may end again if more of it was needed later.
    Ended(Outcome),
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It ran.
    Done {
        /// For how many seconds.
        seconds: f64,
    },
    /// Its result was known.
    Cached,
    /// It was stopped, because another failed or the user wanted it.
    Canceled,
    /// It failed.
    Failed {
        /// The daemon's words.
        error: String,
    },
}
