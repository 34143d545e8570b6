//! Progress of one app, on stderr and in its log file.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use crate::buildkit::StatusResponse;
use crate::progress::{LogFile, Mode, Plain};

/// Shows status events and writes them to a log.
#[derive(Clone)]
pub(super) struct Display(Arc<Mutex<State>>);

struct State {
    plain: Plain,
    log: Option<LogFile<BufWriter<File>>>,
}

impl Display {
    pub(super) fn new(mode: Mode, log: Option<File>) -> Self {
        let log = log.map(|file| LogFile::new(BufWriter::new(file)));
        Self(Arc::new(Mutex::new(State {
            plain: Plain::new(mode),
            log,
        })))
    }

    pub(super) fn feed(&self, event: &StatusResponse) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        show(&state.plain.feed(event));
        // A log that cannot be written is given up; the build is worth more.
        if state
            .log
            .as_mut()
            .is_some_and(|log| log.feed(event).is_err())
        {
            state.log = None;
        }
    }

    /// Shows what is left, and ends the log.
    pub(super) fn finish(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        show(&state.plain.finish());
        if let Some(log) = state.log.take() {
            let _ = log.finish(); // as above
        }
    }
}

fn show(lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let mut text = lines.join("\n");
    text.push('\n');
    let _ = std::io::stderr().lock().write_all(text.as_bytes()); // there is nobody else to tell
}
