//! The complete record of a build.

use std::io::{self, Write};

use super::event::What;
use super::plain::describe;
use super::steps::{Detail, Steps};
use super::text::escape;
use crate::buildkit::StatusResponse;

/// Writes every operation of one app's build with all of its output, whatever the display shows.
///
/// Members of a group are steps of their own, with the time they began. Text that was overwritten on its line is
/// kept, on lines of its own, and of every transfer at least the last state.
#[derive(Debug)]
pub struct LogFile<W> {
    out: W,
    steps: Steps,
}

impl<W: Write> LogFile<W> {
    /// Starts a record that is written to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            steps: Steps::new(Detail::Operations),
        }
    }

    /// Takes the next message of the status stream.
    ///
    /// # Errors
    ///
    /// Writing fails.
    pub fn feed(&mut self, status: &StatusResponse) -> io::Result<()> {
        let events = self.steps.feed(status);
        self.write(&events)
    }

    /// Writes what is left when the stream has ended, and gives the writer back.
    ///
    /// # Errors
    ///
    /// Writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        let events = self.steps.finish();
        self.write(&events)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn write(&mut self, events: &[super::Event]) -> io::Result<()> {
        for event in events {
            let lines = match &event.what {
                What::Log { seconds, line } => {
                    let parts = line.split('\r').filter(|part| !part.is_empty());
                    parts
                        .map(|part| format!("{seconds:.3} {}", escape(part)))
                        .collect()
                }
                What::Started { at, .. } => {
                    let mut lines = describe(&event.what);
                    lines.extend(time(*at).map(|time| format!("started {time}")));
                    lines
                }
                what => describe(what),
            };
            for line in lines {
                writeln!(self.out, "#{} {line}", event.step)?;
            }
        }
        Ok(())
    }
}

fn time(nanoseconds: i64) -> Option<String> {
    let time = jiff::Timestamp::from_nanosecond(nanoseconds.into()).ok()?;
    (nanoseconds > 0).then(|| format!("{time:.3}"))
}
