//! What is in an image, as an SPDX document.

mod document;
mod inner;
mod license;
pub mod lockfile;

mod purl;

pub use document::{Apk, App, Checksum, Document, Image, System, TooLarge, Warning, write};
pub use purl::{Ecosystem, Evidence, Library};
