//! What the client offers to the daemon during a build.

pub mod fsutil;
