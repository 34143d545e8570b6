//! The package index of a run.

use std::error::Error as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use crate::progress::escape;
use crate::wolfi::{
    Freshness, Index, IndexError, Keys, Pins, Repository, RepositoryError, SignatureError,
};

use super::environment::Environment;
use super::failure::Failure;
use super::say;

/// The repository and its index.
pub(super) struct Source {
    pub(super) repository: Repository,
    pub(super) index: Index,
    pub(super) architecture: &'static str,
    pub(super) http: reqwest::Client,
    /// What earlier runs verified.
    pub(super) pins: Option<Pins>,
    /// How long ago the repository said that this is its index.
    pub(super) age: Duration,
    /// What the user should know about the index.
    pub(super) warning: Option<String>,
}

impl Source {
    /// Tells what the user should know about the index.
    pub(super) fn warn(&self) {
        if let Some(warning) = &self.warning {
            say(&format!("warning: {}\n", escape(warning)));
        }
    }
}

/// Why an attempt at a run ended.
pub(super) enum Stop {
    /// For good.
    Failed(Failure),
    /// The repository has changed since its index was cached.
    Outdated(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Runs `attempt` with the index of the day, and once more with one of this moment if that was outdated.
pub(super) async fn up_to_date(
    attempt: impl AsyncFn(Freshness) -> Result<ExitCode, Stop>,
) -> Result<ExitCode, Failure> {
    match attempt(Freshness::Day).await {
        Err(Stop::Outdated(_)) => {
            say("the repository has changed since its index was cached: fetching the index again\n")
        }
        Err(Stop::Failed(failure)) => return Err(failure),
        Ok(code) => return Ok(code),
    }
    match attempt(Freshness::Now).await {
        Err(Stop::Failed(failure) | Stop::Outdated(failure)) => Err(failure),
        Ok(code) => Ok(code),
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads the index of the repository that the environment names, or of Wolfi.
pub(super) async fn open(
    environment: &Environment,
    architecture: &'static str,
    freshness: Freshness,
) -> Result<Source, Failure> {
    let repository = repository(environment)?;
    let http = reqwest::Client::builder()
        .user_agent(concat!("peelbox/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
        .map_err(|error| {
            Failure::environment(format!("cannot set up HTTP: {error}"))
                .hint("is SSL_CERT_FILE a file of certificates?")
        })?;
    let cache = environment.cache();
    let fetched = repository
        .index(
            &http,
            architecture,
            cache.as_ref().map(|path| path.join("index")).as_deref(),
            SystemTime::now(),
            freshness,
        )
        .await
        .map_err(|error| unusable(&error))?;
    let warning = fetched.stale.map(|reason| {
        let hours = fetched.age.as_secs() / 3600;
        format!("the package index is {hours} hours old and could not be refreshed: {reason}")
    });
    Ok(Source {
        repository,
        index: fetched.index,
        age: fetched.age,
        architecture,
        http,
        pins: cache.map(|path| Pins::new(&path.join("packages"))),
        warning,
    })
}

fn repository(environment: &Environment) -> Result<Repository, Failure> {
    let Some(url) = environment.get("PEELBOX_APK_REPOSITORY") else {
        return Ok(Repository::default());
    };
    let keys = match environment.get("PEELBOX_APK_KEY").map(PathBuf::from) {
        None => Keys::wolfi(),
        Some(path) => {
            let pem = std::fs::read(&path).map_err(|error| {
                Failure::input(format!(
                    "PEELBOX_APK_KEY: cannot read `{}`: {error}",
                    path.display()
                ))
            })?;
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            Keys::default().with(&name, &pem).map_err(|error| {
                Failure::input(format!("PEELBOX_APK_KEY: {error}"))
                    .hint("it is the .rsa.pub file of the key that the repository is signed with, under its own name")
            })?
        }
    };
    Repository::new(url, keys).map_err(|error| {
        Failure::input(format!("PEELBOX_APK_REPOSITORY: {error}"))
            .hint("an address like https://packages.wolfi.dev/os")
    })
}

fn unusable(error: &RepositoryError) -> Failure {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        source = cause.source();
    }
    let failure = Failure::environment(message);
    match error {
        RepositoryError::Index { source: IndexError::Signature(flaw), .. } => match flaw {
            SignatureError::Unsigned => failure.hint("peelbox uses signed repositories only"),
            SignatureError::UnknownKey { .. } => {
                failure.hint("set PEELBOX_APK_KEY to the public key of this repository, if you trust it")
            }
            SignatureError::Altered { .. } => failure
                .hint("the index or the key is not the right one: check PEELBOX_APK_KEY, and what lies between here and the repository"),
        },
        RepositoryError::Index { .. } => failure.hint("is this the address of an apk repository, without the architecture?"),
        RepositoryError::Fetch { .. } | RepositoryError::Status { .. } => failure
            .hint("is the network up, and is PEELBOX_APK_REPOSITORY right? SSL_CERT_FILE and HTTPS_PROXY are honoured"),
        _ => failure,
    }
}
