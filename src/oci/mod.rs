//! The vocabulary of the Open Container Initiative.

mod digest;
mod platform;
mod reference;

pub use digest::{Digest, Hasher, ParseDigestError};
pub use platform::{ParsePlatformError, Platform};
pub use reference::{ParseReferenceError, Reference};
