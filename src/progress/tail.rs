//! The last output of every operation, for error messages.

use std::collections::{BTreeMap, VecDeque};

use super::text::{Lines, last_written};
use crate::buildkit::StatusResponse;

/// Keeps the last lines of each operation.
#[derive(Clone, Debug)]
pub struct Tail {
    limit: usize,
    operations: BTreeMap<String, Operation>,
}

#[derive(Clone, Debug, Default)]
struct Operation {
    lines: VecDeque<String>,
    partial: BTreeMap<i64, Lines>,
}

impl Tail {
    /// Keeps at most `limit` lines of each operation.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            operations: BTreeMap::new(),
        }
    }

    /// Takes the next message of the status stream.
    pub fn feed(&mut self, status: &StatusResponse) {
        for log in &status.logs {
            let operation = self.operations.entry(log.vertex.clone()).or_default();
            let partial = operation.partial.entry(log.stream).or_default();
            for line in partial.push(&log.msg) {
                operation.add(&line, self.limit);
            }
        }
    }

    /// The last lines of the operation `digest`, made harmless, the latest last.
    #[must_use]
    pub fn lines(&self, digest: &str) -> Vec<String> {
        let Some(operation) = self.operations.get(digest) else {
            return Vec::new();
        };
        let mut operation = operation.clone();
        let partial = operation.partial.values_mut();
        let rests: Vec<String> = partial.filter_map(Lines::rest).collect();
        for rest in rests {
            operation.add(&rest, self.limit);
        }
        operation.lines.into()
    }
}

impl Operation {
    fn add(&mut self, line: &str, limit: usize) {
        self.lines.push_back(last_written(line).into_owned());
        while self.lines.len() > limit {
            self.lines.pop_front();
        }
    }
}
