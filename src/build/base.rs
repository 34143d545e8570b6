//! The base image of build stages: Wolfi, resolved once and pinned.

use tokio::sync::OnceCell;

use crate::buildkit::llb::{Image, State};
use crate::buildkit::{Error, Gateway};
use crate::oci::{Platform, Reference};

/// The base image of a run.
pub struct Base {
    reference: Reference,
    platform: Platform,
    pinned: OnceCell<Reference>,
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

const OS_RELEASE_LIMIT: u64 = 64 << 10;

impl Base {
    /// The base image `reference` for `platform`.
    #[must_use]
    pub fn new(reference: Reference, platform: Platform) -> Self {
        Self { reference: reference.or_latest(), platform, pinned: OnceCell::new() }
    }

    /// The image with its digest, if a build has resolved it.
    #[must_use]
    pub fn pinned(&self) -> Option<&Reference> {
        self.pinned.get()
    }

    /// Resolves the image to its digest, once per run, and checks that it is Wolfi.
    ///
    /// # Errors
    /// When it cannot be had, or is another system.
    pub async fn resolve(&self, gateway: &Gateway) -> Result<&Reference, BaseError> {
        self.pinned.get_or_try_init(async || self.pin(gateway).await).await
    }

    async fn pin(&self, gateway: &Gateway) -> Result<Reference, BaseError> {
        let unresolved = |source| BaseError::Unresolved { reference: self.reference.to_string(), source };
        let image = gateway.resolve_image(&self.reference, &self.platform, "base image").await.map_err(unresolved)?;
        let pinned = self.reference.clone().pinned(image.digest);
        let state = State::from(Image::new(&pinned).platform(&self.platform).with("base image"));
        let missing = || unresolved(Error::Incomplete { call: "Solve", missing: "base image" });
        let definition = state.marshal().map_err(|_| missing())?;
        let reference = gateway.solve(definition.proto().clone()).await.map_err(unresolved)?;
        let text = match gateway.stat(&reference, "/usr/lib/os-release").await.map_err(unresolved)? {
            Some(_) => gateway.read_file(&reference, "/usr/lib/os-release", OS_RELEASE_LIMIT).await,
            None => gateway.read_file(&reference, "/etc/os-release", OS_RELEASE_LIMIT).await,
        };
        let id = text.map(|text| id(&text)).unwrap_or_default();
        if id == "wolfi" || id == "chainguard" {
            Ok(pinned)
        } else {
            Err(BaseError::Foreign { reference: self.reference.to_string(), id })
        }
    }
}

// https://www.freedesktop.org/software/systemd/man/latest/os-release.html
fn id(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let value = text.lines().find_map(|line| line.trim().strip_prefix("ID=")).unwrap_or_default();
    value.trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_read_as_a_shell_would() {
        assert_eq!(id(b"# a test\nNAME=\"Wolfi\"\nID=wolfi\n"), "wolfi");
        assert_eq!(id(b"VERSION_ID=12\nID=\"debian\"\n"), "debian");
        assert_eq!(id(b""), "");
    }
}
