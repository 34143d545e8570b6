//! What a build is doing, from BuildKit's status stream.
//!
//! [`Steps`] turns the stream into events, of which [`Plain`] makes lines for people, [`Board`] what a terminal shows
//! while they wait, and [`LogFile`] a complete record; [`Tail`] keeps what an error message needs, and [`json`] is
//! for programs. Before any of them [`MaskedStatus`] takes the values of secrets out. None of them reads a clock: a
//! recorded stream gives the same output every time.

mod board;
mod event;
mod line;
mod live;
mod log_file;
mod mask;
mod plain;
mod raw;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod replay;
mod screen;
mod steps;
mod tail;
#[cfg(test)]
mod tests;
mod text;
mod vertex;

pub use board::{Board, Marks, Title};
pub use event::{Event, Outcome, What};
pub use line::Line;
pub use log_file::LogFile;
pub use mask::{Mask, MaskedStatus};
pub use plain::Plain;
pub use raw::json;
pub use screen::{RESTORE, Screen, Size};
pub use steps::{Detail, Steps};
pub use tail::Tail;
pub use text::escape;
