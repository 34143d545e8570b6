//! Packages, verified once and pinned by the digest of their files.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::image::PinnedPackage;
use crate::wolfi::{self, Fault, Package, Pinned, Pins, Repository, RepositoryError, Verifier};

/// The packages of one repository for one architecture.
///
/// A package is downloaded and verified when it is first needed: its signature, its identity in the index, the hash of its
/// data. What that yields is kept for the user, and the graph carries the digest, so the daemon takes these bytes or none.
pub struct Packages<'a> {
    repository: &'a Repository,
    architecture: &'a str,
    http: reqwest::Client,
    pins: Option<Pins>,
    known: Mutex<BTreeMap<String, Arc<Pinned>>>,
}

/// A package that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Its name or version cannot be part of an address.
    #[error(transparent)]
    Address(#[from] RepositoryError),
    /// The server cannot be reached, or the transfer broke off.
    #[error("cannot download the package `{package}` from `{url}`")]
    Download {
        /// `name-version`.
        package: String,
        /// Where it should be.
        url: String,
        /// Why not.
        source: reqwest::Error,
    },
    /// The server refuses.
    #[error("cannot download the package `{package}` from `{url}`: the server says {status}")]
    Status {
        /// `name-version`.
        package: String,
        /// Where it should be.
        url: String,
        /// Its answer.
        status: reqwest::StatusCode,
    },
    /// It is not what the index says, or not signed.
    #[error("the package `{package}` from `{url}` is not the one of the index: {fault}")]
    Untrusted {
        /// `name-version`.
        package: String,
        /// Where it lies.
        url: String,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
    /// It would break the links that make `/bin` and `/lib` one with `/usr`.
    #[error("the package `{package}` has `{path}` as a real directory, where Wolfi has a link")]
    Layout {
        /// `name-version`.
        package: String,
        /// The path.
        path: String,
    },
    /// The repository is in the file system of this machine, where the daemon does not look.
    #[error("the daemon cannot fetch packages from `{url}`")]
    Local {
        /// The repository.
        url: String,
    },
}

/// A package with what was learned when it was verified.
#[derive(Clone, Debug)]
pub(super) struct VerifiedPackage<'a> {
    pub(super) package: &'a Package,
    pub(super) pinned: Arc<Pinned>,
    pub(super) url: String,
}

// Enough to keep a connection busy; more would only take turns.
const DOWNLOADS: usize = 6;

impl VerifiedPackage<'_> {
    /// The package as the graph takes it.
    pub(super) fn source(&self) -> PinnedPackage {
        PinnedPackage {
            name: format!("{}-{}", self.package.name, self.package.version),
            file_name: self.package.file_name(),
            url: self.url.clone(),
            sha256: self.pinned.sha256,
            leftovers: self
                .pinned
                .leftovers
                .iter()
                .map(|path| format!("/{path}"))
                .collect(),
        }
    }
}

impl<'a> Packages<'a> {
    /// The packages of `repository` for `architecture`, in apk's words; `pins` is what earlier runs verified.
    ///
    /// # Errors
    /// When the repository is one that no daemon can reach.
    pub fn new(
        repository: &'a Repository,
        architecture: &'a str,
        http: reqwest::Client,
        pins: Option<Pins>,
    ) -> Result<Self, PackageError> {
        if repository.directory().is_some() {
            return Err(PackageError::Local {
                url: repository.url(),
            });
        }
        Ok(Self {
            repository,
            architecture,
            http,
            pins,
            known: Mutex::default(),
        })
    }

    /// How many of `packages` were never verified.
    #[must_use]
    pub fn unknown<'p>(&self, packages: impl IntoIterator<Item = &'p Package>) -> usize {
        packages
            .into_iter()
            .filter(|package| self.remembered(package).is_none())
            .count()
    }

    /// Verifies those of `packages` that were never verified, several at a time.
    ///
    /// # Errors
    /// The first package that cannot be used.
    pub async fn verify<'p>(
        &self,
        packages: impl IntoIterator<Item = &'p Package>,
    ) -> Result<(), PackageError> {
        self.verified(packages).await.map(|_| ())
    }

    pub(super) async fn verified<'p>(
        &self,
        packages: impl IntoIterator<Item = &'p Package>,
    ) -> Result<Vec<VerifiedPackage<'p>>, PackageError> {
        stream::iter(packages)
            .map(async |package| {
                let url = self.repository.package_url(self.architecture, package)?;
                let pinned = match self.remembered(package) {
                    Some(pinned) => pinned,
                    None => self.learn(package, &url).await?,
                };
                check_layout(package, &pinned)?;
                Ok(VerifiedPackage {
                    package,
                    pinned,
                    url,
                })
            })
            .buffered(DOWNLOADS)
            .try_collect()
            .await
    }

    fn remembered(&self, package: &Package) -> Option<Arc<Pinned>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = package.identity.to_string();
        if let Some(pinned) = known.get(&key) {
            return Some(Arc::clone(pinned));
        }
        let pinned = Arc::new(self.pins.as_ref()?.get(&package.identity)?);
        known.insert(key, Arc::clone(&pinned));
        Some(pinned)
    }

    async fn learn(&self, package: &Package, url: &str) -> Result<Arc<Pinned>, PackageError> {
        let failed = |error: reqwest::Error| PackageError::Download {
            package: format!("{}-{}", package.name, package.version),
            url: url.to_owned(),
            source: error.without_url(), // the message has it
        };
        let untrusted = |error: wolfi::PackageError| PackageError::Untrusted {
            package: error.package,
            url: url.to_owned(),
            fault: error.fault,
        };
        let answer = self.http.get(url).send().await.map_err(failed)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(PackageError::Status {
                package: format!("{}-{}", package.name, package.version),
                url: url.to_owned(),
                status: answer.status(),
            });
        }
        let mut chunks = answer.bytes_stream();
        let mut verifier = Verifier::new(package, self.repository.keys());
        while let Some(chunk) = chunks.next().await {
            verifier.push(&chunk.map_err(failed)?).map_err(untrusted)?;
        }
        let pinned = Arc::new(verifier.finish().map_err(untrusted)?);
        if let Some(pins) = &self.pins {
            let _ = pins.put(&package.identity, &pinned); // what is not remembered is verified again
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(package.identity.to_string(), Arc::clone(&pinned));
        Ok(pinned)
    }
}

fn check_layout(package: &Package, pinned: &Pinned) -> Result<(), PackageError> {
    // BuildKit's unpacker replaces a link by the directory of that name, and the root falls apart.
    pinned.merge_breakers().next().map_or(Ok(()), |entry| {
        Err(PackageError::Layout {
            package: format!("{}-{}", package.name, package.version),
            path: entry.path.clone(),
        })
    })
}
