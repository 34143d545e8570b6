//! The daemon, the session and the options of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::build::{self, Caches, PackageError, Packages};
use crate::buildkit::fsutil::{Filter, ListingError, Walk};
use crate::buildkit::{Agents, Capabilities, Error, Secrets, Services, Session, Stores};
use crate::image::{Context, Origin, Plan, Scope};
use crate::oci::Digest;
use crate::progress::escape;
use crate::wolfi::Package;

use super::discover::{self, Found};
use super::display::Mode;
use super::environment::Environment;
use super::failure::{Failure, causes};
use super::index::{Source, Stop};
use super::settings::{Settings, Target};
use super::{cache, git, outcome, say};

/// A run that is ready to build.
pub(super) struct Ready {
    pub(super) found: Found,
    pub(super) session: Session,
    services: Services,
    /// The sources, which may still be read.
    context: Walk,
    pub(super) capabilities: Capabilities,
    pub(super) options: build::Options,
    /// The file that the apps were read from, where it was one.
    pub(super) spec: Option<PathBuf>,
    /// What the user should know.
    pub(super) warnings: Vec<String>,
    mode: Mode,
}

const CONTEXT: &str = "context";
// Between the attempts to reach a daemon again: long enough for one that restarts.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// The repository that is built.
pub(super) struct Sources {
    /// Its absolute path.
    pub(super) path: PathBuf,
    /// The files that belong to it although a `.gitignore` names them, relative to it.
    pub(super) kept: BTreeSet<PathBuf>,
    /// Why they are not known.
    pub(super) warning: Option<String>,
}

/// The files in `path` that git keeps although a `.gitignore` names them, and why they are not known.
pub(super) fn kept(path: &Path) -> (BTreeSet<PathBuf>, Option<String>) {
    match git::kept(path) {
        Ok(kept) => (kept, None),
        Err(said) => (
            BTreeSet::new(),
            Some(format!(
                "git does not tell which files it keeps, so all that a .gitignore names are left out: {said}"
            )),
        ),
    }
}

/// The repository at the absolute `path`, with what git knows of its files.
pub(super) fn sources(path: &Path) -> Sources {
    let (kept, warning) = kept(path);
    Sources {
        path: path.to_owned(),
        kept,
        warning,
    }
}

/// What tells this checkout from others at the daemon.
fn checkout(repository: &Path) -> String {
    named(repository, &repository.to_string_lossy(), 8)
}

/// Who shares cache directories: `given` names them, else GitHub Actions says it.
pub(super) fn sharers(given: Option<&str>, environment: &Environment) -> Option<String> {
    match given {
        Some(name) => Some(format!("given\0{name}")),
        None => Some(format!("actions\0{}", environment.trust()?)),
    }
}

/// Which builds share cache directories. They are builds of one repository: by where it was cloned from, so that another one at
/// the same path, as on a CI machine, has caches of its own; by its path where it was not cloned. What is in a cache ends up in
/// images, so they trust each other too: `sharers` says who does.
pub(super) fn scope(repository: &Path, sharers: Option<&str>) -> Scope {
    let place =
        git::origin(repository).unwrap_or_else(|| repository.to_string_lossy().into_owned());
    let identity = match sharers {
        Some(sharers) => format!("{place}\0{sharers}"),
        None => place,
    };
    // Whoever names a branch must not find a name with the digest of another scope.
    let name = named(repository, &identity, 32);
    Scope {
        name,
        is_closed: sharers.is_some(),
    }
}

fn named(repository: &Path, identity: &str, digits: usize) -> String {
    let name = repository
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let digest = Digest::of(identity.as_bytes()).hex();
    let safe: String = name
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
        .collect();
    format!("{safe}-{}", &digest[..digits])
}

/// Finds the daemon, checks what it can do, and opens the session that all builds use; `output` is no part of the sources.
pub(super) async fn prepare(
    settings: &Settings,
    sources: &Sources,
    caches: cache::Parsed,
    output: &[PathBuf],
) -> Result<Ready, Failure> {
    let repository = &sources.path;
    let context = walk(sources, output, &caches)?;
    let services = Services {
        name: name(repository),
        locals: BTreeMap::from([(CONTEXT.to_owned(), context.clone())]),
        auth: settings.auth.clone(),
        secrets: Secrets::new(settings.hidden.secrets.clone()),
        agents: Agents::new(settings.agents.clone()),
        stores: stores(&settings.targets, &caches),
    };
    let tell = |text: &str| {
        if settings.mode.is_for_people() {
            say(text);
        }
    };
    let found = discover::discover(&settings.daemon, tell).await?;
    let (session, capabilities) = open(&found, services.clone()).await?;
    let mut warnings = found.notes.clone();
    let options = options(settings, repository, &session, caches.caches);
    warnings.extend(outdated(&capabilities));
    warnings.extend(settings.caches.warnings.iter().cloned());
    warnings.extend(settings.choice.arguments.warnings.iter().cloned());
    warnings.extend(sources.warning.clone());
    warnings.extend(ahead(options.epoch, SystemTime::now()));
    Ok(Ready {
        found,
        session,
        services,
        context,
        capabilities,
        options,
        spec: settings.choice.spec.clone(),
        warnings,
        mode: settings.mode,
    })
}

// What the clocks of two machines may differ.
const SKEW: Duration = Duration::from_secs(600);

/// A warning where the time that everything in the images gets has not come yet: other tools mistrust such files.
fn ahead(epoch: i64, now: SystemTime) -> Option<String> {
    let epoch = u64::try_from(epoch).ok()?;
    let limit = now.duration_since(SystemTime::UNIX_EPOCH).ok()? + SKEW;
    (epoch > limit.as_secs()).then(|| {
        format!("the source date epoch {epoch} is in the future: everything in the images gets that time")
    })
}

fn stores(targets: &[Target], caches: &cache::Parsed) -> Stores {
    let layouts = targets.iter().flat_map(|target| target.base.layouts());
    Stores {
        layouts: layouts.collect(),
        caches: caches.directories.clone(),
    }
}

fn outdated(capabilities: &Capabilities) -> Option<String> {
    let text = "this BuildKit is older than 0.13 and cannot rewrite the times of files: the same commit will not give the same digests";
    (!capabilities.can_rewrite_timestamps()).then(|| text.to_owned())
}

// The name of a session is shown in logs of the daemon, which take ASCII only.
fn name(repository: &Path) -> String {
    repository
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.is_ascii())
        .unwrap_or_default()
}

async fn open(found: &Found, services: Services) -> Result<(Session, Capabilities), Failure> {
    let old = |error| discover::too_old(found, &error);
    found.daemon.check_version().map_err(old)?;
    let session = Session::start(&found.client, services)
        .await
        .map_err(|error| lost(&error))?;
    let capabilities = found.client.capabilities(&session).await;
    let capabilities = capabilities.map_err(|error| lost(&error))?;
    capabilities.check(&found.daemon).map_err(old)?;
    Ok((session, capabilities))
}

fn options(
    settings: &Settings,
    repository: &Path,
    session: &Session,
    caches: BTreeMap<String, Caches>,
) -> build::Options {
    let commit = git::commit(repository);
    let epoch = settings.epoch;
    let epoch = epoch.or(commit.as_ref().map(|commit| commit.time));
    let (steps, hidden) = (&settings.steps, &settings.hidden);
    build::Options {
        context: Context {
            name: CONTEXT.to_owned(),
            shared_key_hint: checkout(repository),
            session: session.id().to_owned(),
        },
        repository: repository.to_owned(),
        certificates: hidden.certificates.clone(),
        proxy: hidden.proxy.clone(),
        secret_env: hidden.variables.clone(),
        mask: settings.mask(),
        agents: settings.agents.keys().cloned().collect(),
        caches,
        network: steps.network,
        hosts: steps.hosts.clone(),
        no_cache: steps.no_cache,
        sbom: steps.sbom,
        provenance: steps.provenance.clone(),
        epoch: epoch.unwrap_or_default(),
        origin: Origin {
            revision: commit.as_ref().map(|commit| commit.id.clone()),
            source: commit.and_then(|commit| commit.source),
            base: None,
        },
    }
}

impl Ready {
    /// Tells what the user should know before anything is built.
    pub(super) fn warn(&self) {
        for warning in &self.warnings {
            say(&format!("warning: {}\n", escape(warning)));
        }
    }

    /// Sees to it that the daemon answers before the next app is built: a connection that was lost since the last one is
    /// made anew, with a new session. Nothing that was under way is repeated.
    pub(super) async fn renew(&mut self) -> Result<(), Failure> {
        if self.session.is_open() && self.found.client.is_alive().await {
            return Ok(());
        }
        if self.mode.is_for_people() {
            say(&format!(
                "the connection to {} was lost: connecting again\n",
                self.found.client.endpoint()
            ));
        }
        let mut pauses = PAUSES.iter();
        loop {
            let failure = match self.reconnect().await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(failure),
            }
        }
    }

    async fn reconnect(&mut self) -> Result<(), Failure> {
        let failed = |error| discover::unreachable(&error);
        let client = self.found.client.reconnect().await.map_err(failed)?;
        // The daemon may have been exchanged meanwhile.
        self.found.daemon = client.daemon().await.map_err(failed)?;
        self.found.client = client;
        let (session, capabilities) = open(&self.found, self.services.clone()).await?;
        session.id().clone_into(&mut self.options.context.session);
        self.session = session;
        self.capabilities = capabilities;
        Ok(())
    }
    /// Why no app can be built, where the sources turn out to be of a kind that cannot be sent.
    pub(super) fn unlisted(&self) -> Option<Failure> {
        self.context.failure().map(|error| unlisted(&error))
    }
}

/// The packages of the run; those of the plans are verified before anything is built.
pub(super) async fn packages<'a>(
    source: &'a Source,
    plans: &[Plan<'_>],
    mode: Mode,
) -> Result<Packages<'a>, Stop> {
    let failed = |error: PackageError| {
        let failure = Failure::environment(causes(&error)).hint(outcome::package_hint(&error));
        // What the index lists is no longer what is there; a fresh one was just compared with the repository.
        let is_outdated = matches!(
            error,
            PackageError::Status { .. } | PackageError::Untrusted { .. }
        ) && !source.age.is_zero();
        if is_outdated {
            Stop::Outdated(failure)
        } else {
            Stop::Failed(failure)
        }
    };
    let packages = Packages::new(
        &source.repository,
        source.architecture,
        source.http()?,
        source.pins.clone(),
    )
    .map_err(failed)?;
    let needed: BTreeMap<String, &Package> = plans
        .iter()
        .flat_map(|plan| {
            plan.build_packages
                .packages()
                .chain(plan.runtime_packages.packages())
        })
        .map(|package| (package.identity.to_string(), package))
        .collect();
    let unknown = packages.unknown(needed.values().copied());
    if unknown > 0 && mode.is_for_people() {
        say(&format!(
            "verifying {unknown} packages that were not used before\n"
        ));
    }
    packages
        .verify(needed.into_values())
        .await
        .map_err(failed)?;
    Ok(packages)
}

/// Makes the output directory and gives its absolute path.
pub(super) fn output_directory(path: &Path) -> Result<PathBuf, Failure> {
    let made = std::fs::create_dir_all(path).and_then(|()| path.canonicalize());
    made.map_err(|error| {
        Failure::environment(format!(
            "cannot make the directory `{}`: {error}",
            path.display()
        ))
        .hint("`--output-dir` names another one")
    })
}

// What earlier runs left is no source.
fn walk(sources: &Sources, output: &[PathBuf], caches: &cache::Parsed) -> Result<Walk, Failure> {
    let repository = &*sources.path;
    let filter = Filter::for_context(repository);
    let filter = filter.map_err(|error| Failure::input(causes(&error)))?;
    let mut filter = filter.keeping(sources.kept.iter().cloned());
    let directories = caches.directories.values();
    let own = directories
        .map(|directory| directory.path())
        .chain(output.iter().map(PathBuf::as_path));
    for path in own.filter(|path| path.starts_with(repository) && *path != repository) {
        filter = filter.without(path);
    }
    Walk::start(repository, filter).map_err(|error| unlisted(&error))
}

fn unlisted(error: &ListingError) -> Failure {
    Failure::input(causes(error)).hint("a line in .dockerignore leaves a file or directory out")
}

fn lost(error: &Error) -> Failure {
    Failure::environment(causes(error)).hint("is the daemon still running?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_date_epoch_in_the_future_is_told() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let told = "the source date epoch 4102444800 is in the future: everything in the images gets that time";
        assert_eq!(ahead(4_102_444_800, now).as_deref(), Some(told));
        for epoch in [0, -1, 1_700_000_000, 1_700_000_599] {
            assert_eq!(ahead(epoch, now), None, "{epoch}");
        }
    }

    #[test]
    fn a_repository_is_told_from_others_of_its_name() {
        let scope = |path: &str| scope(Path::new(path), None).name;
        let (one, two) = (scope("/a/shop"), scope("/b/shop"));
        assert!(one.starts_with("shop-") && two.starts_with("shop-"));
        assert_ne!(one, two);
        assert!(scope("/a/../ü b").is_ascii());
    }

    #[test]
    fn who_may_not_write_to_a_cache_has_another() {
        let scope = |given: Option<&str>, environment: &Environment| {
            scope(Path::new("/a/shop"), sharers(given, environment).as_deref())
        };
        let actions = |event: &'static str, name: &'static str| {
            let environment = Environment::from([
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_EVENT_NAME", event),
                ("GITHUB_REF", name),
            ]);
            scope(None, &environment).name
        };
        let none = Environment::default();
        let scopes = BTreeSet::from([
            scope(None, &none).name,
            scope(Some("refs/heads/main"), &none).name,
            actions("push", "refs/heads/main"),
            actions("pull_request", "refs/pull/7/merge"),
            actions("pull_request_target", "refs/heads/main"),
        ]);
        assert_eq!(scopes.len(), 5, "{scopes:?}");
        let given = Environment::from([("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "x")]);
        assert_eq!(scope(Some("a"), &given), scope(Some("a"), &none));
    }
}
