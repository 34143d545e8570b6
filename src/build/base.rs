//! The base image of build stages: Wolfi, resolved once and pinned.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::buildkit::{BuildReference, Error, Gateway};
use crate::image::BaseImage;
use crate::oci::{Digest, Layout, LayoutError, Platform, Reference};

/// The base image of a run.
pub struct Base {
    place: Place,
    platform: Platform,
    pinned: OnceCell<BaseImage>,
}

enum Place {
    Registry(Reference),
    Layout { layout: Arc<Layout>, digest: Digest },
}

/// A base image that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// It cannot be had.
    #[error("the base image `{reference}` cannot be resolved: {source}")]
    Unresolved {
        /// The image.
        reference: String,
        /// What the daemon says.
        source: Error,
    },
    /// It is another system.
    #[error("the base image `{reference}` is not Wolfi: its /etc/os-release says ID={id}")]
    Foreign {
        /// The image.
        reference: String,
        /// The system it is, or nothing.
        id: String,
    },
}

const OS_RELEASE: &str = "/etc/os-release";
const OS_RELEASE_LIMIT: u64 = 64 << 10;

/// The name of the base image's content store in the session.
const STORE: &str = "base-image";

impl Base {
    /// The base image `reference` for `platform`.
    #[must_use]
    pub fn new(reference: Reference, platform: Platform) -> Self {
        Self {
            place: Place::Registry(reference.or_latest()),
            platform,
            pinned: OnceCell::new(),
        }
    }

    /// The base image of an image layout: the one tagged `tag`, or the only one there is.
    ///
    /// # Errors
    /// When the layout has no such image for `platform`.
    pub fn of_layout(
        layout: Layout,
        tag: Option<&str>,
        platform: Platform,
    ) -> Result<Self, LayoutError> {
        let digest = layout.find(tag, &platform)?.digest;
        Ok(Self {
            place: Place::Layout {
                layout: Arc::new(layout),
                digest,
            },
            platform,
            pinned: OnceCell::new(),
        })
    }

    /// The image layouts that the session must offer for it, by the names of their stores.
    #[must_use]
    pub fn layouts(&self) -> BTreeMap<String, Arc<Layout>> {
        match &self.place {
            Place::Registry(_) => BTreeMap::new(),
            Place::Layout { layout, .. } => {
                BTreeMap::from([(STORE.to_owned(), Arc::clone(layout))])
            }
        }
    }

    /// The image with its digest, if a build has resolved it.
    #[must_use]
    pub fn pinned(&self) -> Option<&BaseImage> {
        self.pinned.get()
    }

    fn name(&self) -> String {
        match &self.place {
            Place::Registry(reference) => reference.to_string(),
            Place::Layout { layout, .. } => format!("oci-layout://{}", layout.path().display()),
        }
    }

    /// Resolves the image to its digest, once per run, and checks that it is Wolfi.
    ///
    /// # Errors
    /// When it cannot be had, or is another system.
    pub async fn resolve(&self, gateway: &Gateway) -> Result<&BaseImage, BaseError> {
        self.pinned
            .get_or_try_init(async || self.pin(gateway).await)
            .await
    }

    async fn pin(&self, gateway: &Gateway) -> Result<BaseImage, BaseError> {
        let unresolved = |source| BaseError::Unresolved {
            reference: self.name(),
            source,
        };
        let pinned = match &self.place {
            Place::Registry(reference) => BaseImage::Registry {
                digest: gateway
                    .resolve_image(reference, &self.platform, "base image")
                    .await
                    .map_err(unresolved)?
                    .digest,
                reference: reference.clone(),
            },
            Place::Layout { layout, digest } => BaseImage::Layout {
                store: STORE.to_owned(),
                path: layout.path().display().to_string(),
                digest: *digest,
            },
        };
        let state = pinned.state(&self.platform, "base image");
        let missing = || {
            unresolved(Error::Incomplete {
                call: "Solve",
                missing: "base image",
            })
        };
        let definition = state.marshal().map_err(|_| missing())?;
        let reference = gateway
            .solve(definition.proto().clone())
            .await
            .map_err(unresolved)?;
        let system = Self::system(gateway, &reference)
            .await
            .map_err(unresolved)?;
        if system.id == "wolfi" || system.id == "chainguard" {
            Ok(pinned)
        } else {
            Err(BaseError::Foreign {
                reference: self.name(),
                id: system.id,
            })
        }
    }

    /// The system that a root file system says it is; empty where it says nothing.
    pub(super) async fn system(gateway: &Gateway, root: &BuildReference) -> Result<System, Error> {
        let Some(_) = gateway.stat(root, OS_RELEASE).await? else {
            return Ok(System::default());
        };
        let text = gateway
            .read_file(root, OS_RELEASE, OS_RELEASE_LIMIT)
            .await?;
        Ok(System {
            id: value(&text, "ID"),
            version: value(&text, "VERSION_ID"),
        })
    }
}

/// An operating system as its `os-release` names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct System {
    pub(super) id: String,
    pub(super) version: String,
}

// https://www.freedesktop.org/software/systemd/man/latest/os-release.html
fn value(text: &[u8], key: &str) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().filter_map(|line| line.trim().split_once('='));
    let value = lines
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
        .unwrap_or_default();
    value.trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_read_as_a_shell_would() {
        assert_eq!(
            value(b"# a test\nNAME=\"Wolfi\"\nID=wolfi\n", "ID"),
            "wolfi"
        );
        assert_eq!(value(b"VERSION_ID=12\nID=\"debian\"\n", "ID"), "debian");
        assert_eq!(value(b"", "ID"), "");
    }
}
