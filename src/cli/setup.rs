//! From flags and environment to the daemon, the session and the options of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::build::{self, PackageError, Packages, Run};
use crate::buildkit::fsutil::{Filter, ListingError, Walk};
use crate::buildkit::llb::{Network, Proxy};
use crate::buildkit::{
    Agents, Auth, Capabilities, DockerConfig, Error, Secrets, Services, Session, Stores,
};
use crate::image::{Certificates, Context, Origin, Plan, Scope};
use crate::oci::{Digest, Layout, LayoutError, Platform, Reference};
use crate::progress::{Mask, escape};
use crate::wolfi::Package;

use super::args::{self, Building, Provenance};
use super::discover::{self, Found};
use super::display::Mode;
use super::environment::Environment;
use super::failure::{Exit, Failure, Problem, causes, unreadable};
use super::index::{Source, Stop};
use super::steps::{self, Arguments};
use super::{cache, git, inputs, outcome, say, ssh};

/// A run that is ready to build.
pub(super) struct Ready {
    pub(super) found: Found,
    pub(super) session: Session,
    services: Services,
    /// The sources, which may still be read.
    context: Walk,
    pub(super) capabilities: Capabilities,
    pub(super) options: build::Options,
    pub(super) base: build::Base,
    /// The base images for the other platforms.
    pub(super) other_bases: Vec<build::Base>,
    /// The file that the apps were read from, where it was one.
    pub(super) spec: Option<PathBuf>,
    /// What the user should know.
    pub(super) warnings: Vec<String>,
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
const CERTIFICATES: &str = "peelbox-ca-certificates";
const SECRET_LIMIT: usize = 500 << 10;
const LAYOUT: &str = "oci-layout://";
const BASE_IMAGE: &str = "cgr.dev/chainguard/wolfi-base";

/// The platform of this machine, which is the one that images are built for, and its architecture in apk's words.
pub(super) fn target() -> Result<(Platform, &'static str), Failure> {
    let platform = Platform::linux(match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    });
    let architecture = platform.apk_architecture();
    let architecture = architecture
        .ok_or_else(|| Failure::environment(format!("Wolfi is not made for {platform}")))?;
    Ok((platform, architecture))
}

/// The platforms that images are built for, each once, and their architectures in apk's words; that of this machine if none
/// is given.
pub(super) fn targets(given: &[String]) -> Result<Vec<(Platform, &'static str)>, Failure> {
    let given = given
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty());
    let mut targets: Vec<(Platform, &'static str)> = Vec::new();
    for text in given {
        const HINT: &str = "there is linux/amd64 and linux/arm64";
        let parsed: Result<Platform, _> = text.parse();
        let mut platform =
            parsed.map_err(|error| Failure::input(format!("`--platform`: {error}")).hint(HINT))?;
        // It is the only one of its kind, and has no name of its own then.
        if platform.architecture == "arm64" && platform.variant.as_deref() == Some("v8") {
            platform.variant = None;
        }
        let architecture = platform
            .apk_architecture()
            .filter(|_| platform.variant.is_none());
        let architecture = architecture.ok_or_else(|| {
            Failure::input(format!("`--platform {text}`: Wolfi is not made for it")).hint(HINT)
        })?;
        if !targets.iter().any(|(known, _)| *known == platform) {
            targets.push((platform, architecture));
        }
    }
    match targets.is_empty() {
        true => Ok(vec![target()?]),
        false => Ok(targets),
    }
}

/// The repository that is built.
pub(super) struct Sources {
    /// Its absolute path.
    pub(super) path: PathBuf,
    /// The files that belong to it although a `.gitignore` names them, relative to it.
    pub(super) kept: BTreeSet<PathBuf>,
    /// Why they are not known.
    pub(super) warning: Option<String>,
}

/// The repository at `path`, with what git knows of its files.
pub(super) fn sources(path: &Path) -> Result<Sources, Failure> {
    let path = repository(path)?;
    let (kept, warning) = match git::kept(&path) {
        Ok(kept) => (kept, None),
        Err(said) => (
            BTreeSet::new(),
            Some(format!(
                "git does not tell which files it keeps, so all that a .gitignore names are left out: {said}"
            )),
        ),
    };
    Ok(Sources {
        path,
        kept,
        warning,
    })
}

fn repository(path: &Path) -> Result<PathBuf, Failure> {
    let wrong = |reason: String| {
        Failure::input(format!(
            "`{}` is not a repository: {reason}",
            path.display()
        ))
        .hint("name the directory of the sources")
    };
    let absolute = path
        .canonicalize()
        .map_err(|error| wrong(error.to_string()))?;
    if absolute.is_dir() {
        Ok(absolute)
    } else {
        Err(wrong("it is no directory".to_owned()))
    }
}

/// What tells this checkout from others at the daemon.
fn checkout(repository: &Path) -> String {
    named(repository, &repository.to_string_lossy(), 8)
}

/// Which builds share cache directories. They are builds of one repository: by where it was cloned from, so that another one at
/// the same path, as on a CI machine, has caches of its own; by its path where it was not cloned. What is in a cache ends up in
/// images, so they trust each other too: `given` names who does, else GitHub Actions says it.
pub(super) fn scope(repository: &Path, given: Option<&str>, environment: &Environment) -> Scope {
    let place =
        git::origin(repository).unwrap_or_else(|| repository.to_string_lossy().into_owned());
    let (identity, is_closed) = match (given, environment.trust()) {
        (Some(name), _) => (format!("{place}\0given\0{name}"), true),
        (None, Some(trust)) => (format!("{place}\0actions\0{trust}"), true),
        (None, None) => (place, false),
    };
    // Whoever names a branch must not find a name with the digest of another scope.
    let name = named(repository, &identity, 32);
    Scope { name, is_closed }
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

/// Finds the daemon, checks what it can do, and opens the session that all builds use.
pub(super) async fn prepare(
    building: &Building,
    environment: &Environment,
    sources: &Sources,
    platforms: &[Platform],
    plans: &[Plan<'_>],
    output: &[PathBuf],
) -> Result<Ready, Failure> {
    let repository = &sources.path;
    let (base, other_bases) = bases(environment, platforms)?;
    let caches = cache::parse(&building.cache_from, &building.cache_to, environment, plans)?;
    let agents = ssh::agents(&building.ssh, environment)?;
    let certificates = certificates(building, environment)?;
    let mut secrets = secrets(&building.secret, environment)?;
    check_secrets(plans, &secrets)?;
    let arguments = Arguments::read(&building.build_arg, environment)?;
    let mut proxy = arguments.proxy(environment.proxy());
    let secret_env = hide(&mut proxy, &mut secrets);
    let hidden = secrets.values().map(Vec::as_slice);
    let mask = Mask::new(hidden.chain(caches.secrets.iter().map(String::as_bytes)));
    let certificates = trusted(certificates, &mut secrets);
    let context = walk(sources, output, &caches)?;
    let services = Services {
        name: name(repository),
        locals: BTreeMap::from([(CONTEXT.to_owned(), context.clone())]),
        auth: auth(environment)?,
        secrets: Secrets::new(secrets),
        agents: Agents::new(agents.clone()),
        stores: stores(&base, &caches),
    };
    let tell = |text: &str| {
        if !building.quiet {
            say(text);
        }
    };
    let found = discover::discover(&building.connection, environment, tell).await?;
    let (session, capabilities) = open(&found, services.clone()).await?;
    let mut warnings = found.notes.clone();
    let options = build::Options {
        certificates,
        proxy,
        secret_env,
        mask,
        agents: agents.into_keys().collect(),
        caches: caches.caches,
        ..options(building, repository, &session)?
    };
    let told = outdated(&capabilities).into_iter().chain(caches.warnings);
    let told = told
        .chain(arguments.warnings)
        .chain(sources.warning.clone());
    warnings.extend(told.chain(ahead(options.epoch, SystemTime::now())));
    Ok(Ready {
        found,
        session,
        services,
        context,
        capabilities,
        options,
        base,
        other_bases,
        spec: inputs::spec_file(repository, building.spec.as_deref()),
        warnings,
    })
}

/// Gives certificates to the build steps as a secret, which they are not.
fn trusted(
    certificates: Option<Vec<u8>>,
    secrets: &mut BTreeMap<String, Vec<u8>>,
) -> Option<Certificates> {
    let id = CERTIFICATES.to_owned();
    secrets.insert(id.clone(), certificates?);
    Some(Certificates { secret: id })
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

fn stores(base: &build::Base, caches: &cache::Parsed) -> Stores {
    Stores {
        layouts: base.layouts(),
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
    building: &Building,
    repository: &Path,
    session: &Session,
) -> Result<build::Options, Failure> {
    let commit = git::commit(repository);
    let epoch = building
        .source_date_epoch
        .or(commit.as_ref().map(|commit| commit.time))
        .unwrap_or_default();
    Ok(build::Options {
        context: Context {
            name: CONTEXT.to_owned(),
            shared_key_hint: checkout(repository),
            session: session.id().to_owned(),
        },
        repository: repository.to_owned(),
        certificates: None,
        proxy: Proxy::default(),
        secret_env: BTreeMap::new(),
        mask: Mask::default(),
        agents: Vec::new(),
        caches: BTreeMap::new(),
        network: match building.network {
            args::Network::Default => Network::Sandbox,
            args::Network::Host => Network::Host,
            args::Network::None => Network::None,
        },
        hosts: steps::hosts(&building.add_host)?,
        no_cache: building.no_cache,
        sbom: !building.no_sbom && !building.no_attestations,
        provenance: provenance(building),
        epoch,
        origin: Origin {
            revision: commit.as_ref().map(|commit| commit.id.clone()),
            source: commit.and_then(|commit| commit.source),
            base: None,
        },
    })
}

/// Refuses a run whose apps need secrets that were not given; all of them are told.
fn check_secrets(plans: &[Plan<'_>], given: &BTreeMap<String, Vec<u8>>) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for plan in plans {
        let missing = plan
            .secrets
            .iter()
            .filter(|secret| !given.contains_key(&secret.id));
        problems.extend(missing.map(|secret| {
            let id = &secret.id;
            Problem::new(format!("app `{}` needs the secret `{id}`", plan.name)).hint(format!(
                "give it with `--secret id={id},src=FILE` or `--secret id={id},env=VARIABLE`"
            ))
        }));
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Failure::several(Exit::Input, problems)),
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
        say(&format!(
            "the connection to {} was lost: connecting again\n",
            self.found.client.endpoint()
        ));
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

    /// What all apps of the run share.
    pub(super) fn run<'a>(&'a self, source: &'a Source, packages: &'a Packages<'a>) -> Run<'a> {
        Run {
            client: &self.found.client,
            session: &self.session,
            index: &source.index,
            packages,
            base: &self.base,
            options: &self.options,
        }
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
        source.http.clone(),
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

/// Adds the labels of the command line to every plan.
pub(super) fn label(plans: &mut [Plan<'_>], labels: &[String]) -> Result<(), Failure> {
    for label in labels.iter().filter(|label| !label.trim().is_empty()) {
        let (key, value) = label
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| {
                Failure::input(format!("`--label {label}` has no key"))
                    .hint("write --label KEY=VALUE")
            })?;
        for plan in plans.iter_mut() {
            plan.labels.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(())
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

fn provenance(building: &Building) -> Option<String> {
    if building.no_provenance || building.no_attestations {
        return None;
    }
    let mode = match building.provenance {
        Provenance::Min => "min",
        Provenance::Max => "max",
    };
    // The default version differs between releases of BuildKit.
    Some(format!("mode={mode},version=v1"))
}

/// The base image for the first platform, and those for the others.
fn bases(
    environment: &Environment,
    platforms: &[Platform],
) -> Result<(build::Base, Vec<build::Base>), Failure> {
    let bases = platforms.iter().map(|platform| base(environment, platform));
    let mut bases: Vec<build::Base> = bases.collect::<Result<_, _>>()?;
    // The first is there: no run is without a platform.
    Ok((bases.remove(0), bases))
}

/// The base image that the environment names, or Wolfi's.
pub(super) fn base(environment: &Environment, platform: &Platform) -> Result<build::Base, Failure> {
    let text = environment.get("PEELBOX_BASE_IMAGE").unwrap_or(BASE_IMAGE);
    if let Some(path) = text.strip_prefix(LAYOUT) {
        return layout(path, platform.clone()).map_err(|error| {
            let hint = layout_hint(&error);
            Failure::input(format!("PEELBOX_BASE_IMAGE: {}", causes(&error))).hint(hint)
        });
    }
    let reference: Reference = text.parse().map_err(|error| {
        Failure::input(format!("PEELBOX_BASE_IMAGE: {error}"))
            .hint(format!("it names a copy of {BASE_IMAGE}"))
    })?;
    Ok(build::Base::new(reference, platform.clone()))
}

/// The base image of the image layout at `path`, behind which a tag may stand.
fn layout(path: &str, platform: Platform) -> Result<build::Base, LayoutError> {
    let (path, tag) = match path.rsplit_once(':') {
        Some((directory, tag)) if !tag.contains('/') && !Path::new(path).exists() => {
            (directory, Some(tag))
        }
        _ => (path, None),
    };
    build::Base::of_layout(Layout::open(Path::new(path))?, tag, platform)
}

fn layout_hint(error: &LayoutError) -> String {
    let form = "write oci-layout://PATH:TAG, where PATH is an image layout or the tarball of one";
    match error {
        LayoutError::Read { .. } | LayoutError::Unknown { .. } | LayoutError::Several { .. } => {
            form.to_owned()
        }
        LayoutError::Compressed { .. } => {
            "decompress it: its blobs are read where they lie".to_owned()
        }
        LayoutError::Unsound { .. } => {
            format!("`skopeo copy docker://{BASE_IMAGE} oci:DIR` makes an image layout")
        }
        LayoutError::Platform { .. } => {
            "`skopeo copy --all` copies an image with all its platforms".to_owned()
        }
    }
}

fn certificates(
    building: &Building,
    environment: &Environment,
) -> Result<Option<Vec<u8>>, Failure> {
    let (path, origin) = match (&building.ca_certificates, environment.certificates()) {
        (Some(path), _) => (path.clone(), "`--ca-certificates`"),
        (None, Some(path)) => (path, "SSL_CERT_FILE"),
        (None, None) => return Ok(None),
    };
    let bytes = std::fs::read(&path).map_err(|error| unreadable(origin, &path, &error))?;
    if bytes.len() > SECRET_LIMIT {
        return Err(Failure::input(format!("{origin}: `{}` has more than {} KiB", path.display(), SECRET_LIMIT >> 10))
            .hint("build steps get it as a secret, which BuildKit limits: give only the certificates that are needed"));
    }
    Ok(Some(bytes))
}

const SECRET_FORM: &str = "write id=NAME,src=FILE or id=NAME,env=VARIABLE";

/// The secrets of the flags, by id.
fn secrets(
    flags: &[String],
    environment: &Environment,
) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let given = flags.iter().filter(|flag| !flag.trim().is_empty());
    given.map(|flag| secret(flag.trim(), environment)).collect()
}

/// Reads `id=NAME,src=FILE` and `id=NAME,env=VARIABLE`.
fn secret(flag: &str, environment: &Environment) -> Result<(String, Vec<u8>), Failure> {
    let (mut id, mut file, mut variable) = (None, None, None);
    for field in flag.split(',') {
        match field.split_once('=') {
            Some(("id", value)) if !value.is_empty() => id = Some(value),
            Some(("src" | "source", value)) => file = Some(value),
            Some(("env", value)) => variable = Some(value),
            Some(("type", "file" | "env")) => {} // Docker's way to tell which of the two it is
            // A value is not repeated: it may be the secret itself.
            field => {
                let name = field.map_or("a part without `=`", |(name, _)| name);
                return Err(
                    Failure::input(format!("`--secret` has an unknown field: {name}"))
                        .hint(SECRET_FORM),
                );
            }
        }
    }
    let id = id.ok_or_else(|| Failure::input("`--secret` has no id").hint(SECRET_FORM))?;
    let origin = format!("`--secret id={id}`");
    let value = match (file, variable) {
        (Some(_), Some(_)) => {
            return Err(Failure::input(format!("{origin} has both src and env")).hint(SECRET_FORM));
        }
        (Some(path), None) => {
            let path = Path::new(path);
            std::fs::read(path).map_err(|error| unreadable(&origin, path, &error))?
        }
        (None, variable) => {
            let name = variable.unwrap_or(id);
            let value = environment.get(name).ok_or_else(|| {
                Failure::input(format!("{origin}: the variable `{name}` is not set"))
                    .hint(SECRET_FORM)
            })?;
            value.as_bytes().to_vec()
        }
    };
    if value.len() > SECRET_LIMIT {
        return Err(
            Failure::input(format!("{origin} has more than {} KiB", SECRET_LIMIT >> 10))
                .hint("that is the most that BuildKit takes"),
        );
    }
    Ok((id.to_owned(), value))
}

/// Makes secrets of the proxies of which credentials are a part: what BuildKit takes as proxies stands in the provenance.
/// Gives the ids of the secrets by variable.
fn hide(proxy: &mut Proxy, secrets: &mut BTreeMap<String, Vec<u8>>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (name, value) in [
        ("http_proxy", &mut proxy.http),
        ("https_proxy", &mut proxy.https),
        ("ftp_proxy", &mut proxy.ftp),
        ("all_proxy", &mut proxy.all),
    ] {
        if value.contains('@') {
            let id = format!("peelbox-{name}");
            secrets.insert(id.clone(), std::mem::take(value).into_bytes());
            variables.insert(name.to_uppercase(), id.clone());
            variables.insert(name.to_owned(), id);
        }
    }
    variables
}

/// The credentials of the Docker configuration.
pub(super) fn auth(environment: &Environment) -> Result<Auth, Failure> {
    let config = docker_config(environment)?;
    let auth = config.map_or_else(Auth::default, |config| Auth::new(Arc::new(config)));
    // BuildKit's own variable, read as Go reads it: https://pkg.go.dev/strconv#ParseBool
    let is_set = |text| matches!(text, "1" | "t" | "T" | "true" | "True" | "TRUE");
    Ok(match environment.get("BUILDKIT_NO_CLIENT_TOKEN") {
        Some(text) if is_set(text) => auth.with_tokens_of_the_daemon(),
        _ => auth,
    })
}

/// The Docker configuration.
pub(super) fn docker_config(environment: &Environment) -> Result<Option<DockerConfig>, Failure> {
    let config = match environment.docker_config() {
        Some(directory) => Some(DockerConfig::load(&directory).map_err(|error| {
            Failure::input(causes(&error)).hint(
                "logins for registries are read from it; DOCKER_CONFIG names another directory",
            )
        })?),
        None => None,
    };
    let Some(text) = environment.get("DOCKER_AUTH_CONFIG") else {
        return Ok(config);
    };
    let config = config.unwrap_or_default().with_logins(text);
    config.map(Some).map_err(|error| {
        Failure::input(format!(
            "DOCKER_AUTH_CONFIG is no Docker configuration: {error}"
        ))
        .hint(r#"it is what `docker login` writes: {"auths": {"HOST": {"auth": "…"}}}"#)
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
    fn a_proxy_with_credentials_is_a_secret() {
        let mut proxy = Proxy {
            http: "http://proxy.example:3128".to_owned(),
            https: "http://user:word@proxy.example:3128".to_owned(),
            ..Proxy::default()
        };
        let mut secrets = BTreeMap::new();
        let variables = hide(&mut proxy, &mut secrets);
        assert_eq!(proxy.http, "http://proxy.example:3128");
        assert_eq!(proxy.https, "");
        assert_eq!(variables.len(), 2);
        let secret = &secrets[&variables["HTTPS_PROXY"]];
        assert_eq!(secret, b"http://user:word@proxy.example:3128");
    }

    fn given(flag: &str) -> Result<(String, String), String> {
        let environment = Environment::from([("TOKEN", "from TOKEN"), ("npm", "from npm")]);
        match secret(flag, &environment) {
            Ok((id, value)) => Ok((id, String::from_utf8(value).unwrap())),
            Err(failure) => Err(failure.problems[0].message.clone()),
        }
    }

    #[test]
    fn a_secret_comes_from_a_file_or_a_variable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        std::fs::write(&path, "from a file").unwrap();
        let flag = format!("type=file,id=a,src={}", path.display());
        let pair = |id: &str, value: &str| Ok((id.to_owned(), value.to_owned()));
        assert_eq!(given(&flag), pair("a", "from a file"));
        assert_eq!(given("id=a,env=TOKEN"), pair("a", "from TOKEN"));
        assert_eq!(given("id=npm"), pair("npm", "from npm"));
    }

    #[test]
    fn a_message_about_a_secret_does_not_repeat_what_may_be_it() {
        for flag in ["hunter2", "id=a,hunter2", "id=a,value=hunter2"] {
            let message = given(flag).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_repository_is_told_from_others_of_its_name() {
        let scope = |path: &str| scope(Path::new(path), None, &Environment::default()).name;
        let (one, two) = (scope("/a/shop"), scope("/b/shop"));
        assert!(one.starts_with("shop-") && two.starts_with("shop-"));
        assert_ne!(one, two);
        assert!(scope("/a/../ü b").is_ascii());
    }

    #[test]
    fn who_may_not_write_to_a_cache_has_another() {
        let path = Path::new("/a/shop");
        let actions = |event: &'static str, name: &'static str| {
            let environment = Environment::from([
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_EVENT_NAME", event),
                ("GITHUB_REF", name),
            ]);
            scope(path, None, &environment).name
        };
        let none = Environment::default();
        let scopes = BTreeSet::from([
            scope(path, None, &none).name,
            scope(path, Some("refs/heads/main"), &none).name,
            actions("push", "refs/heads/main"),
            actions("pull_request", "refs/pull/7/merge"),
            actions("pull_request_target", "refs/heads/main"),
        ]);
        assert_eq!(scopes.len(), 5, "{scopes:?}");
        let given = Environment::from([("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "x")]);
        assert_eq!(
            scope(path, Some("a"), &given),
            scope(path, Some("a"), &none)
        );
    }
}
