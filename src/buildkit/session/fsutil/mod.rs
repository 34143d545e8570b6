//! fsutil, BuildKit's file transfer.
//!
//! The sender lists the files, the receiver asks for the content of some, both finish. A [`Listing`] is read from
//! disk once per run, by a [`Walk`]; every transfer sends the part of it that its [`Selection`] asks for, and the first
//! one while it is still read.
//!
//! Decided here, where Go's client does otherwise or the protocol leaves it open:
//!
//! * Of a context ([`Filter::for_context`]) is sent what git keeps, so that everybody sends the same: modes are those of
//!   a checkout, a hard link is a file of its own, and extended attributes are left out, which say more of the machine
//!   than of the sources.
//! * Sockets are left out ([`Listing::skipped`]); Go sends an empty file in their place.
//! * A name or link target that is not UTF-8 is an error unless ignored: the protocol says that it is text, and what is
//!   read back of a build is named by text. Go sends its bytes.
//! * A requested file that cannot be read, has vanished or is none any more ends the transfer with its name; Go sends an
//!   empty file, or follows the link that took its place.
//! * A file that changes meanwhile is sent as it is then, but never longer than it was listed: its entry has the old time
//!   and size, by which the next transfer finds out.
//!
//! As Go's client sends them: holes, links that lead nowhere or around, pipes and devices, names with any character, and of
//! a directory that is taken whole ([`Filter::everything`]) hard links and extended attributes. Owners are root for both.

mod attributes;
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
