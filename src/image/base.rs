//! The base image of a build stage.

use std::fmt;

use crate::buildkit::llb::{Image, OciLayout, ResolveMode, State};
use crate::oci::{Digest, Platform, Reference};

/// A base image that is pinned: the same bytes whenever it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseImage {
    /// Of a registry.
    Registry {
        /// Its name.
        reference: Reference,
        /// The digest of its manifest or index.
        digest: Digest,
    },
    /// Of an image layout that the client serves.
    Layout {
        /// The name of the content store in the session.
        store: String,
        /// Where it lies, for messages.
        path: String,
        /// The digest of its manifest or index.
        digest: Digest,
    },
}

impl BaseImage {
    /// The digest of its manifest or index.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::Registry { digest, .. } | Self::Layout { digest, .. } => *digest,
        }
    }

    /// Its root file system for `platform`, under `name` in the progress.
    #[must_use]
    pub fn state(&self, platform: &Platform, name: &str) -> State {
        let state = match self {
            Self::Registry { reference, digest } => State::from(
                Image::new(&reference.clone().pinned(*digest))
                    .platform(platform)
                    .resolve(ResolveMode::Default)
                    .with(name),
            ),
            Self::Layout { store, digest, .. } => {
                State::from(OciLayout::new(store, *digest).platform(platform).with(name))
            }
        };
        state.platform(platform)
    }
}

impl fmt::Display for BaseImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { reference, digest } => {
                fmt::Display::fmt(&reference.clone().pinned(*digest), f)
            }
            Self::Layout { path, digest, .. } => write!(f, "oci-layout://{path}@{digest}"),
        }
    }
}
