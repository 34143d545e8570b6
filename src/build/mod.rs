//! One app through BuildKit, from its plan to its image.

mod app;
mod base;
mod cache;
mod document;
mod failure;
mod inspect;
mod inventory;
mod loading;
mod packages;
mod programs;

pub use app::{Options, Run, Solved, StepCount, Variant};
pub use base::{Base, BaseError};
pub use cache::{Caches, Local, Name, Place};
pub use failure::{Cause, Failure};
pub use inventory::EvidenceCount;
pub use packages::{PackageError, Packages};
