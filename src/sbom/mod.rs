//! What is in an image, as an SPDX document.

mod checksum;
mod document;
mod field;
mod image;
mod inner;
mod license;
pub mod lockfile;
mod purl;
mod spdx;

pub use checksum::Checksum;
pub use document::{Document, TooLarge, Warning, write};
pub use image::{Apk, App, Image, System};
pub use purl::{Ecosystem, Evidence, Library};
