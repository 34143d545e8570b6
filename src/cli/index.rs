//! The package index of a run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;

use crate::progress::escape;
use crate::wolfi::{
    Freshness, Index, IndexError, Keys, Pins, Repository, RepositoryError, SignatureError,
};

use super::environment::Environment;
use super::failure::{Failure, causes, refuse, unreadable};
use super::say;

/// The repository and its index.
pub(super) struct Source {
    pub(super) repository: Repository,
    pub(super) index: Index,
    pub(super) architecture: &'static str,
    /// Where it was needed already.
    http: Option<reqwest::Client>,
    /// What earlier runs verified.
    pub(super) pins: Option<Pins>,
    /// How long ago the repository said that this is its index.
    pub(super) age: Duration,
    /// What the user should know about the index.
    pub(super) warning: Option<String>,
}

impl Source {
    /// What fetches over HTTP.
    pub(super) fn http(&self) -> Result<reqwest::Client, Failure> {
        match &self.http {
            Some(http) => Ok(http.clone()),
            None => client().map_err(|error| unusable_client(&error)),
        }
    }

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
            say(
                "the repository has changed since its index was cached: fetching the index again\n",
            );
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

/// Where packages come from.
pub(super) struct Origin {
    repository: Repository,
    /// Made when it is needed: it reads all certificates that the machine trusts, which takes longer than most commands. Those
    /// that the user names can be wrong, which is told at once.
    http: Option<reqwest::Client>,
    /// Those certificates.
    named: Option<PathBuf>,
    cache: Option<PathBuf>,
}

impl Origin {
    /// The same for what asks only where the cache has no answer: of the certificates, only that the file is there is checked.
    pub(super) fn read_lazily(environment: &Environment) -> Result<Self, Failure> {
        let named = environment.certificates();
        let known = named.as_ref().map(|path| {
            std::fs::File::open(path).map_err(|error| unreadable("SSL_CERT_FILE", path, &error))
        });
        Self::from(environment, named, known.transpose().map(|_| None))
    }

    /// The repository that the environment names, or Wolfi's.
    pub(super) fn read(environment: &Environment) -> Result<Self, Failure> {
        let named = environment.certificates();
        let http = named
            .as_ref()
            .map(|path| client().map_err(|error| certificates(path, &error)));
        Self::from(environment, named.clone(), http.transpose())
    }

    fn from(
        environment: &Environment,
        named: Option<PathBuf>,
        http: Result<Option<reqwest::Client>, Failure>,
    ) -> Result<Self, Failure> {
        let repository = repository(environment);
        let wrong = [repository.as_ref().err(), http.as_ref().err()];
        refuse(wrong.into_iter().flatten().cloned())?;
        Ok(Self {
            repository: repository?,
            http: http?,
            named,
            cache: environment.cache(),
        })
    }
}

/// Reads the index of `origin`.
pub(super) async fn open(
    origin: &Origin,
    architecture: &'static str,
    freshness: Freshness,
) -> Result<Source, Failure> {
    let repository = &origin.repository;
    let cache = origin.cache.as_ref();
    let directory = cache.map(|path| path.join("index"));
    let now = SystemTime::now();
    let cached = directory
        .as_deref()
        .and_then(|directory| repository.cached(architecture, directory, now, freshness));
    let mut http = origin.http.clone();
    let fetched = match cached {
        Some(cached) => cached,
        None => {
            let made = http.map_or_else(client, Ok);
            let client = made.map_err(|error| match &origin.named {
                Some(path) => certificates(path, &error),
                None => unusable_client(&error),
            })?;
            let fetched =
                repository.index(&client, architecture, directory.as_deref(), now, freshness);
            let fetched = fetched.await.map_err(|error| unusable(&error))?;
            http = Some(client);
            fetched
        }
    };
    let warning = fetched.stale.map(|error| {
        let hours = fetched.age.as_secs() / 3600;
        format!(
            "the package index is {hours} hours old and could not be refreshed: {}",
            causes(&error)
        )
    });
    Ok(Source {
        repository: repository.clone(),
        index: fetched.index,
        age: fetched.age,
        architecture,
        http,
        pins: cache.map(|path| Pins::new(&path.join("packages"))),
        warning,
    })
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("peelbox/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
}

fn unusable_client(error: &reqwest::Error) -> Failure {
    Failure::environment(format!("cannot set up HTTP: {}", causes(error)))
}

// The only input of the client that can be wrong.
fn certificates(named: &Path, error: &reqwest::Error) -> Failure {
    match std::fs::read(named) {
        Err(error) => unreadable("SSL_CERT_FILE", named, &error),
        Ok(_) => Failure::input(format!("SSL_CERT_FILE: {}", causes(error)))
            .hint("it is a file of certificates in PEM form"),
    }
}

fn repository(environment: &Environment) -> Result<Repository, Failure> {
    let Some(url) = environment.get("PEELBOX_APK_REPOSITORY") else {
        return Ok(Repository::default());
    };
    let keys = keys(environment);
    // Whether an address can be one has nothing to do with keys.
    let known = keys.as_ref().map_or_else(|_| Keys::wolfi(), Keys::clone);
    let repository = Repository::new(url, known).map_err(|error| {
        let text = escape(&error.to_string()).into_owned();
        let failure = Failure::input(format!("PEELBOX_APK_REPOSITORY: {text}"));
        match error {
            RepositoryError::Credentials => {
                failure.hint("it would show in logs and provenance: use a mirror that needs none")
            }
            _ => failure.hint("it is an address like https://packages.wolfi.dev/os"),
        }
    });
    let wrong = [repository.as_ref().err(), keys.as_ref().err()];
    refuse(wrong.into_iter().flatten().cloned())?;
    repository
}

fn keys(environment: &Environment) -> Result<Keys, Failure> {
    let Some(path) = environment.get("PEELBOX_APK_KEY").map(PathBuf::from) else {
        return Ok(Keys::wolfi());
    };
    let pem = std::fs::read(&path).map_err(|error| unreadable("PEELBOX_APK_KEY", &path, &error))?;
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    Keys::default().with(&name, &pem).map_err(|error| {
        Failure::input(format!("PEELBOX_APK_KEY: {error}"))
            .hint("it is the .rsa.pub file of the key that the repository is signed with, under its own name")
    })
}

fn unusable(error: &RepositoryError) -> Failure {
    let failure = Failure::environment(causes(error));
    match error {
        RepositoryError::Index { source, .. } => failure.hint(untrusted(source)),
        RepositoryError::Fetch { .. } => failure.hint(unreached(error)),
        RepositoryError::Status { status, .. } => failure.hint(refused(*status)),
        RepositoryError::TooLarge { .. } => failure.hint(ADDRESS),
        RepositoryError::Read { .. } => {
            failure.hint("a repository in a directory has an index for every architecture")
        }
        RepositoryError::Offline { .. } => failure.hint("the first run needs the network"),
        // What is wrong with an address was told when it was read.
        RepositoryError::Url { .. }
        | RepositoryError::Credentials
        | RepositoryError::Architecture { .. }
        | RepositoryError::Package { .. } => failure,
    }
}

const ADDRESS: &str =
    "PEELBOX_APK_REPOSITORY is the address of an apk repository, without the architecture";

fn untrusted(error: &IndexError) -> &'static str {
    match error {
        IndexError::Signature(SignatureError::Unsigned) => {
            "only signed repositories are used: sign it, for instance with `melange sign-index`"
        }
        IndexError::Signature(SignatureError::UnknownKey { .. }) => {
            "PEELBOX_APK_KEY names the public key of a repository that you trust"
        }
        IndexError::Signature(SignatureError::Altered { .. }) => {
            "something changed the index, or PEELBOX_APK_KEY is another key: peelbox does not use it"
        }
        IndexError::Gzip | IndexError::Tar(_) | IndexError::TooLarge | IndexError::Empty => {
            "is this an apk repository, without the architecture, or does a proxy answer with a page of its own?"
        }
    }
}

/// What to do where a server cannot be reached.
pub(super) fn unreached(error: &(dyn std::error::Error + 'static)) -> &'static str {
    if causes(error).contains("certificate") {
        "SSL_CERT_FILE names the certificates to trust, where a proxy or a mirror has its own"
    } else {
        "is the network up? HTTPS_PROXY and HTTP_PROXY name a proxy, PEELBOX_APK_REPOSITORY a mirror"
    }
}

/// What to do where a server refuses.
pub(super) fn refused(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 | 407 => "the server or a proxy does not let this machine in",
        404 | 410 => ADDRESS,
        500.. => "the server has a problem: try again later",
        _ => "is this an apk repository?",
    }
}
