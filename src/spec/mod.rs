//! How to build an app, as written by detection or by a person.

mod check;
mod load;
mod model;
mod node;
mod overrides;
mod problem;
mod rule;
#[cfg(test)]
mod tests;
mod write;

pub use check::fault;
pub use load::{load, place};
pub use model::{Build, Copy, Health, Install, Kind, Metadata, Runtime, Secret, Spec};
pub use overrides::{Change, Entry, Override, overrides, overrides_schema};
pub use problem::{Errors, Fault, Problem};
pub use rule::ALTERNATIVES;
pub use write::{schema, to_json, to_yaml};
