//! A package repository: where the index comes from, and where the packages are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{
    ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use reqwest::{StatusCode, Url};

use crate::oci::Hasher;

use super::cache::{self, Origin};
use super::index::{Index, Package, is_file_safe};
use super::keys::Keys;
use super::pins::write_whole;
use super::signed::IndexError;

/// The repository of public Wolfi.
const WOLFI: &str = "https://packages.wolfi.dev/os";
const INDEX: &str = "APKINDEX.tar.gz";
/// How long an index is used without asking for a newer one.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// The published index is some 20 MiB.
const DOWNLOAD_LIMIT: usize = 256 << 20;

/// A repository of apk packages, and the keys that it may be signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    url: Url,
    keys: Keys,
}

/// Whether an index from the cache will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// One that was asked for within 24 hours.
    Day,
    /// None: the repository is asked whether it has a newer one.
    Now,
    /// Any: the repository is not asked.
    Offline,
}

/// An index, and how old it is.
#[derive(Debug)]
pub struct Fetched {
    /// The index.
    pub index: Index,
    /// The time since the repository last said that this is its index.
    pub age: Duration,
    /// Why an index beyond its life is used: what went wrong when a newer one was asked for.
    pub stale: Option<RepositoryError>,
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The address is none of a repository.
    #[error("`{url}` is not the address of a package repository")]
    Url {
        /// The address.
        url: String,
    },
    /// The address holds a name or a password, which would show in provenance and logs.
    #[error("the address of the package repository holds a name or password")]
    Credentials,
    /// The architecture cannot be part of an address.
    #[error("`{architecture}` is not an architecture")]
    Architecture {
        /// The architecture.
        architecture: String,
    },
    /// The server cannot be reached, or the transfer broke off.
    #[error("cannot fetch `{url}`")]
    Fetch {
        /// The address of the index.
        url: String,
        /// What the client says.
        source: reqwest::Error,
    },
    /// The server refuses.
    #[error("cannot fetch `{url}`: the server says {status}")]
    Status {
        /// The address of the index.
        url: String,
        /// Its answer.
        status: StatusCode,
    },
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The path of the index.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is larger than any index.
    #[error("`{url}` is larger than {} MiB", DOWNLOAD_LIMIT >> 20)]
    TooLarge {
        /// The address of the index.
        url: String,
    },
    /// The file must not be used.
    #[error("`{url}` is no package index to trust: {source}")]
    Index {
        /// The address of the index.
        url: String,
        /// What is wrong with it.
        source: IndexError,
    },
    /// The repository must not be asked, and the cache has no index.
    #[error("there is no cached copy of `{url}`")]
    Offline {
        /// The address of the index.
        url: String,
    },
    /// A package has a name or version that cannot be part of an address.
    #[error("the package `{package}` has no usable file name")]
    Package {
        /// The package with its version.
        package: String,
    },
}

enum Answer {
    Same,
    New {
        file: Vec<u8>,
        etag: Option<String>,
        modified: Option<String>,
    },
}

impl Default for Repository {
    /// Public Wolfi, with the key that is part of the program.
    fn default() -> Self {
        Self::new(WOLFI, Keys::wolfi())
            .unwrap_or_else(|_| unreachable!("the address is a constant"))
    }
}

impl Repository {
    /// A repository at `url` (`https://`, `http://` or `file://`, without the architecture), signed with one of
    /// `keys`.
    ///
    /// # Errors
    ///
    /// The address is of another kind, or has a query or fragment.
    pub fn new(url: &str, keys: Keys) -> Result<Self, RepositoryError> {
        let invalid = || RepositoryError::Url {
            url: url.to_owned(),
        };
        let mut url = Url::parse(url).map_err(|_| invalid())?;
        let is_repository = match url.scheme() {
            "http" | "https" => url.has_host(),
            "file" => url.to_file_path().is_ok(),
            _ => false,
        };
        // An address stands in the graph, the provenance and messages.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RepositoryError::Credentials);
        }
        if !is_repository || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self { url, keys })
    }

    /// The address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// The keys that index and packages may be signed with.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The directory of the repository, if it lies in the file system.
    #[must_use]
    pub fn directory(&self) -> Option<PathBuf> {
        let is_file = self.url.scheme() == "file";
        is_file.then(|| self.url.to_file_path().ok()).flatten()
    }

    /// The address of a package's file.
    ///
    /// # Errors
    ///
    /// Name, version or architecture have bytes that an address must not have.
    pub fn package_url(
        &self,
        architecture: &str,
        package: &Package,
    ) -> Result<String, RepositoryError> {
        if !package.is_installable() {
            let package = format!("{}-{}", package.name, package.version);
            return Err(RepositoryError::Package { package });
        }
        let url = self.file_url(architecture, &package.file_name())?;
        Ok(url.to_string())
    }

    /// The index for `architecture` from the cache, if that has one which is fresh enough; `cache` is as for
    /// [`Repository::index`].
    #[must_use]
    pub fn cached(
        &self,
        architecture: &str,
        cache: &Path,
        now: SystemTime,
        freshness: Freshness,
    ) -> Option<Fetched> {
        if self.url.scheme() == "file" {
            return None;
        }
        let url = self.file_url(architecture, INDEX).ok()?;
        let (origin, index) = load(&cache.join(self.cache_name(architecture)), &url)?;
        let now = seconds(now);
        is_fresh(&origin, now, freshness).then(|| fetched(index, &origin, now, None))
    }

    /// The index for `architecture` in apk's words, its signature checked; from the cache if it is fresh enough.
    ///
    /// `cache` is a directory of the user; without one, and for a repository in the file system, every call reads the
    /// repository. `http` brings timeouts, proxies and trust. An old index is used when the repository cannot be
    /// reached ([`Fetched::stale`]), not when what it sends cannot be trusted.
    ///
    /// # Errors
    ///
    /// There is no index, or none to trust.
    pub async fn index(
        &self,
        http: &reqwest::Client,
        architecture: &str,
        cache: Option<&Path>,
        now: SystemTime,
        freshness: Freshness,
    ) -> Result<Fetched, RepositoryError> {
        let url = self.file_url(architecture, INDEX)?;
        if self.url.scheme() == "file" {
            return self.read(&url);
        }
        let path = cache.map(|directory| directory.join(self.cache_name(architecture)));
        let cached = path.as_deref().and_then(|path| load(path, &url));
        let now = seconds(now);
        let cached = match cached {
            Some((origin, index)) if is_fresh(&origin, now, freshness) => {
                return Ok(fetched(index, &origin, now, None));
            }
            None if freshness == Freshness::Offline => {
                let url = url.to_string();
                return Err(RepositoryError::Offline { url });
            }
            cached => cached,
        };
        let origin = cached.as_ref().map(|(origin, _)| origin);
        match (ask(http, &url, origin).await, cached) {
            (Ok(Answer::Same), Some((mut origin, index))) => {
                origin.checked = now;
                store(path.as_deref(), &origin, &index);
                Ok(fetched(index, &origin, now, None))
            }
            (
                Ok(Answer::New {
                    file,
                    etag,
                    modified,
                }),
                _,
            ) => {
                let index = self.open(&file, &url)?;
                let origin = Origin {
                    url: url.to_string(),
                    digest: index.digest(),
                    checked: now,
                    etag,
                    modified,
                };
                store(path.as_deref(), &origin, &index);
                Ok(fetched(index, &origin, now, None))
            }
            (Ok(Answer::Same), None) => Err(RepositoryError::Status {
                url: url.to_string(),
                status: StatusCode::NOT_MODIFIED,
            }),
            (Err(error), Some((origin, index))) => Ok(fetched(index, &origin, now, Some(error))),
            (Err(error), None) => Err(error),
        }
    }

    fn read(&self, url: &Url) -> Result<Fetched, RepositoryError> {
        let path = url.to_file_path().unwrap_or_default();
        let size = fs::metadata(&path).map(|metadata| metadata.len());
        if size.is_ok_and(|size| size > DOWNLOAD_LIMIT as u64) {
            let url = url.to_string();
            return Err(RepositoryError::TooLarge { url });
        }
        let file = fs::read(&path).map_err(|source| RepositoryError::Read { path, source })?;
        Ok(Fetched {
            index: self.open(&file, url)?,
            age: Duration::ZERO,
            stale: None,
        })
    }

    fn open(&self, file: &[u8], url: &Url) -> Result<Index, RepositoryError> {
        let url = url.to_string();
        Index::open(file, &url, &self.keys).map_err(|source| RepositoryError::Index { url, source })
    }

    fn file_url(&self, architecture: &str, file: &str) -> Result<Url, RepositoryError> {
        if !is_file_safe(architecture) {
            let architecture = architecture.to_owned();
            return Err(RepositoryError::Architecture { architecture });
        }
        let mut url = self.url.clone();
        let path = url.path().trim_end_matches('/');
        let path = format!("{path}/{architecture}/{file}");
        url.set_path(&path);
        Ok(url)
    }

    // Other keys may trust another index at the same address.
    fn cache_name(&self, architecture: &str) -> String {
        let mut hasher = Hasher::new();
        for part in [self.url.as_str(), architecture] {
            hasher.update(part.as_bytes());
            hasher.update(&[0]);
        }
        hasher.update(self.keys.fingerprint().hex().as_bytes());
        format!("{architecture}-{}.index", &hasher.finish().hex()[..32])
    }
}

async fn ask(
    http: &reqwest::Client,
    url: &Url,
    known: Option<&Origin>,
) -> Result<Answer, RepositoryError> {
    let failed = |source: reqwest::Error| RepositoryError::Fetch {
        url: url.to_string(),
        source: source.without_url(), // the message has it
    };
    let mut request = http.get(url.clone());
    if let Some(origin) = known {
        let conditions = [
            (IF_NONE_MATCH, &origin.etag),
            (IF_MODIFIED_SINCE, &origin.modified),
        ];
        for (name, value) in conditions {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
    }
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED && known.is_some() {
        return Ok(Answer::Same);
    }
    if status != StatusCode::OK {
        let url = url.to_string();
        return Err(RepositoryError::Status { url, status });
    }
    let etag = text(response.headers(), &ETAG);
    let modified = text(response.headers(), &LAST_MODIFIED);
    let mut file = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if file.len() + chunk.len() > DOWNLOAD_LIMIT {
            let url = url.to_string();
            return Err(RepositoryError::TooLarge { url });
        }
        file.extend_from_slice(&chunk);
    }
    Ok(Answer::New {
        file,
        etag,
        modified,
    })
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn load(path: &Path, url: &Url) -> Option<(Origin, Index)> {
    let (origin, index) = cache::decode(fs::read(path).ok()?)?;
    (origin.url == url.as_str()).then_some((origin, index))
}

fn store(path: Option<&Path>, origin: &Origin, index: &Index) {
    if let Some(path) = path {
        let _ = write_whole(path, &cache::encode(origin, index)); // a cache that cannot be written is none
    }
}

fn is_fresh(origin: &Origin, now: u64, freshness: Freshness) -> bool {
    match freshness {
        Freshness::Offline => true,
        Freshness::Now => false,
        // A time in the future says that a clock was wrong.
        Freshness::Day => now
            .checked_sub(origin.checked)
            .is_some_and(|age| age < LIFE.as_secs()),
    }
}

fn fetched(index: Index, origin: &Origin, now: u64, stale: Option<RepositoryError>) -> Fetched {
    Fetched {
        index,
        age: Duration::from_secs(now.saturating_sub(origin.checked)),
        stale,
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |duration| duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{index, keys, tiny};
    use super::*;

    #[test]
    fn only_addresses_of_repositories_are_taken() {
        for url in [
            "https://wolfi.example/os/",
            "http://127.0.0.1:8080",
            "file:///srv/os",
        ] {
            assert!(Repository::new(url, keys()).is_ok(), "{url}");
        }
        for url in [
            "",
            "wolfi.example/os",
            "ftp://wolfi.example/os",
            "https://",
            "file://host/srv",
            "https://wolfi.example/os?x=1",
            "https://wolfi.example/os#x",
            "https://u:p@wolfi.example/os",
        ] {
            assert!(Repository::new(url, keys()).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        let error = Repository::new("https://u:geheim@wolfi.example/os", keys()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("geheim"));
    }

    #[test]
    fn the_default_is_public_wolfi() {
        let repository = Repository::default();
        assert_eq!(repository.url(), "https://packages.wolfi.dev/os");
        assert_eq!(repository.keys(), &Keys::wolfi());
    }

    #[test]
    fn a_package_lies_below_its_architecture() {
        let repository = Repository::new("https://wolfi.example/os/", keys()).unwrap();
        let index = tiny("libstdc++ 16.2.0-r0\nodd 1/../2");
        let url = |name| repository.package_url("x86_64", index.newest(name).unwrap());
        assert_eq!(
            url("libstdc++").unwrap(),
            "https://wolfi.example/os/x86_64/libstdc++-16.2.0-r0.apk"
        );
        assert!(matches!(url("odd"), Err(RepositoryError::Package { .. })));
        let package = index.newest("libstdc++").unwrap();
        for architecture in ["", "..", "x86/64", "x86_64?"] {
            let error = repository.package_url(architecture, package).unwrap_err();
            assert!(matches!(error, RepositoryError::Architecture { .. }));
        }
    }

    #[tokio::test]
    async fn a_repository_may_be_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("x86_64")).unwrap();
        let path = directory.path().join("x86_64/APKINDEX.tar.gz");
        fs::write(&path, index("P:foo\nV:1\n")).unwrap();
        let url = Url::from_file_path(directory.path()).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have done it
        let http = reqwest::Client::new();
        let fetch = async |keys, architecture| {
            let repository = Repository::new(url.as_str(), keys).unwrap();
            let now = SystemTime::UNIX_EPOCH;
            repository
                .index(&http, architecture, None, now, Freshness::Day)
                .await
        };
        let fetched = fetch(keys(), "x86_64").await.unwrap();
        assert_eq!(fetched.index.len(), 1);
        assert!(fetched.stale.is_none());
        let error = fetch(keys(), "aarch64").await.unwrap_err();
        assert!(matches!(error, RepositoryError::Read { .. }));
        let error = fetch(Keys::wolfi(), "x86_64").await.unwrap_err();
        assert!(matches!(error, RepositoryError::Index { .. }));
    }
}
