//! What a build is doing, from BuildKit's status stream.
//!
//! [`Steps`] turns the stream into events, of which [`Plain`] makes lines for people and [`LogFile`] a complete
//! record; [`Tail`] keeps what an error message needs. Before any of them [`MaskedStatus`] takes secret values out. None of them reads a clock: a recorded stream gives the
//! same output every time.

mod event;
mod log_file;
mod mask;
mod plain;
mod steps;
mod tail;
#[cfg(test)]
mod tests;
mod text;
mod vertex;

pub use event::{Event, Outcome, What};
pub use log_file::LogFile;
pub use mask::{Mask, MaskedStatus};
pub use plain::{Mode, Plain};
pub use steps::Steps;
pub use tail::{Failed, Tail};
pub use text::escape;
