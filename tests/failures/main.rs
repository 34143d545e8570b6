//! What a user reads when something is wrong: the whole message and the exit code of every failure.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod build;
mod builder;
mod daemon;
mod detection;
mod flags;
mod index;
mod output;
mod packages;
mod peelbox;
mod reconnect;
mod repository;
mod sources;
mod spec;
mod transport;

#[path = "../support/apk.rs"]
mod apk;
