//! fsutil, BuildKit's file transfer.
//!
//! The sender lists the files, the receiver asks for the content of some, both finish. A [`Listing`] is read from
//! disk once per run, by a [`Walk`]; every transfer sends the part of it that its [`Selection`] asks for, and the first
//! one while it is still read.
//!
//! Decided here, where Go's client does otherwise or the protocol leaves it open:
//!
//! * Owners are root and extended attributes are left out: both belong to the machine, not to the sources.
//! * Sockets are left out ([`Listing::skipped`]); Go sends an empty file in their place.
//! * A name or link target that is not UTF-8 is an error unless ignored: the protocol cannot carry it.
//! * A requested file that cannot be read, has vanished or is none any more ends the transfer with its name; Go sends an
//!   empty file, or follows the link that took its place.
//! * A file that changes meanwhile is sent as it is then, but never longer than it was listed: its entry has the old time
//!   and size, by which the next transfer finds out.
//!
//! Holes, hard links, links that lead nowhere or around, pipes, names with any character: as Go's client sends them.

mod filter;
mod follow;
mod glob;
mod listing;
mod outbox;
mod path;
mod patterns;
mod receive;
mod request;
mod selection;
mod send;
#[cfg(test)]
mod tests;
mod walk;

pub use filter::{Filter, FilterError};
pub use glob::GlobError;
pub use listing::{Entry, Kind, Listing, ListingError};
pub use outbox::{Outbox, Outgoing, outbox};
pub use patterns::Patterns;
pub use receive::{ReceiveError, Received, receive};
pub use request::{Request, RequestError};
pub use selection::Selection;
pub use send::{SendError, Sent, send};
pub use walk::Walk;
