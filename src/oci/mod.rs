//! The vocabulary of the Open Container Initiative.

mod archive;
mod config;
mod digest;
mod layout;
mod manifest;
mod platform;
mod reference;
mod tarball;

pub use archive::{Archive, ArchiveError, ArchivedImage, Attestation, Flaw};
pub use config::{Empty, Execution, Healthcheck, History, ImageConfig, RootFs};
pub use digest::{Digest, Hasher, ParseDigestError};
pub use layout::{Blob, Layout, LayoutError};
pub use manifest::{Descriptor, Index, Manifest, media_type};
pub use platform::{ParsePlatformError, Platform};
pub use reference::{ParseReferenceError, Reference};
