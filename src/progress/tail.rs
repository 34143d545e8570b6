//! The last output of every operation, for error messages.

use std::collections::{BTreeMap, VecDeque};

use super::text::{Lines, escape, last_written};
use super::vertex::Vertex;
use crate::buildkit::StatusResponse;

/// Keeps the last lines of each operation, and which one failed first.
#[derive(Clone, Debug)]
pub struct Tail {
    limit: usize,
    operations: BTreeMap<String, Operation>,
    failed: Option<String>,
}

/// The operation that failed first; those that were stopped because of it do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Its digest.
    pub digest: String,
    /// Its name, made harmless.
    pub name: String,
    /// The daemon's words, as they came.
    pub error: String,
    /// Its last lines, made harmless.
    pub lines: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Operation {
    name: String,
    state: Vertex,
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
            failed: None,
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
        for vertex in &status.vertexes {
            let operation = self.operations.entry(vertex.digest.clone()).or_default();
            operation.state.update(vertex);
            if !vertex.name.is_empty() {
                operation.name = escape(&vertex.name).into_owned();
            }
            if operation.state.has_failed() && self.failed.is_none() {
                self.failed = Some(vertex.digest.clone());
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

    /// The operation that failed first, if any did.
    #[must_use]
    pub fn failed(&self) -> Option<Failed> {
        let digest = self.failed.as_ref()?;
        let operation = self.operations.get(digest)?;
        Some(Failed {
            digest: digest.clone(),
            name: operation.name.clone(),
            error: operation.state.error.clone(),
            lines: self.lines(digest),
        })
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
