//! Which daemon is used, and why.

use std::io;
use std::path::{Path, PathBuf};

use crate::buildkit::{
    Access, Client, ConnectError, Daemon, DockerApi, DockerConfig, DockerHost, Endpoint, Engine,
    OldDaemon, TlsFault,
};
use crate::progress::escape;

use super::args::Connection;
use super::environment::Environment;
use super::failure::{Failure, causes, refuse};
use super::{builder, login, tls};

/// The daemon of this run.
pub(super) struct Found {
    pub(super) client: Client,
    pub(super) daemon: Daemon,
    /// Why it was chosen.
    pub(super) reason: String,
    /// What the user should know of the choice.
    pub(super) notes: Vec<String>,
    pub(super) docker: DockerHost,
    /// The Engine whose BuildKit it is.
    pub(super) engine: Option<Engine>,
}

/// What was chosen, before it is connected to.
struct Choice {
    endpoint: Endpoint,
    access: Access,
    reason: String,
    notes: Vec<String>,
}

const SOCKET: &str = "/run/buildkit/buildkitd.sock";
// How the reason begins where the user chose.
const NAMED: &str = "named by ";
// The variable of `--buildkit`.
const BUILDKIT: &str = "PEELBOX_BUILDKIT";

const FORMS: &str = "it is unix:///PATH, tcp://HOST:PORT, docker-container://NAME, podman-container://NAME, kube-pod://POD?context=&namespace=&container=, ssh://USER@HOST:PORT/SOCKET, docker:// or docker:///SOCKET";
const NEEDED: &str = "BuildKit 0.11 or newer is needed, which Docker Engine 23 and Docker Desktop 4.17 have: update it, or name another daemon with `--buildkit` or BUILDKIT_HOST";
const MIRROR: &str =
    "PEELBOX_BUILDKIT_IMAGE names a copy of moby/buildkit that the Engine has or can pull";
const NAME: &str =
    "start a buildkitd or a Docker Engine, or name one with `--buildkit` or BUILDKIT_HOST";
const STORE: &str = "turn on \"containerd-snapshotter\" under \"features\" in the Engine's daemon.json (in Docker Desktop: Settings, General, containerd) and restart it";

/// The Engine of the environment.
pub(super) fn docker_host(environment: &Environment) -> Result<DockerHost, Failure> {
    environment.get("DOCKER_HOST").map_or_else(
        || Ok(DockerHost::default()),
        |text| {
            text.parse::<DockerHost>().map_err(|error| {
                Failure::input(format!("DOCKER_HOST: {}", escape(&error.to_string())))
                    .hint("it is unix:///PATH or tcp://HOST:PORT")
            })
        },
    )
}

/// What flags and environment say of the daemon.
pub(super) struct Wanted {
    /// The one that the user named, and where.
    named: Option<(Endpoint, String)>,
    access: Access,
    rootless_socket: Option<PathBuf>,
    builder: builder::Wanted,
    /// Logins for the image of the container, which no other daemon needs.
    logins: Option<DockerConfig>,
}

impl Wanted {
    /// Reads them; nothing is looked for yet.
    pub(super) fn read(
        connection: &Connection,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let docker = docker_host(environment);
        let named = named(connection.buildkit.as_deref(), environment);
        let fits = match &named {
            Ok(named) => tls::check(connection, named.as_ref().map(|(endpoint, _)| endpoint)),
            Err(_) => Ok(()),
        };
        let tls = tls::load(connection);
        let builder = builder::Wanted::read(environment);
        let logins = match &named {
            Ok(None) => login::read(environment),
            _ => Ok(None),
        };
        let wrong = [
            docker.as_ref().err(),
            named.as_ref().err(),
            fits.as_ref().err(),
            tls.as_ref().err(),
            builder.as_ref().err(),
            logins.as_ref().err(),
        ];
        refuse(wrong.into_iter().flatten().cloned())?;
        Ok(Self {
            named: named?,
            access: Access {
                docker: docker?,
                tls: tls?,
            },
            rootless_socket: environment.rootless_socket(),
            builder: builder?,
            logins: logins?,
        })
    }
}

/// The endpoint that the user named, if any, and where.
fn named(
    flag: Option<&str>,
    environment: &Environment,
) -> Result<Option<(Endpoint, String)>, Failure> {
    let (text, origin) = match (flag, environment.get("BUILDKIT_HOST")) {
        (Some(text), _) if environment.get(BUILDKIT) == Some(text) => (text, BUILDKIT),
        (Some(text), _) => (text, "`--buildkit`"),
        (None, Some(text)) => (text, "BUILDKIT_HOST"),
        (None, None) => return Ok(None),
    };
    let endpoint = text.parse::<Endpoint>().map_err(|error| {
        Failure::input(format!("{origin}: {}", escape(&error.to_string()))).hint(FORMS)
    })?;
    let origin = origin.trim_matches('`');
    Ok(Some((endpoint, format!("{NAMED}{origin}"))))
}

/// The daemon that is named, else the first that is there, in the order of the documentation; and why it is this one.
async fn choose(wanted: &Wanted, tell: impl Fn(&str)) -> Result<Choice, Failure> {
    let access = &wanted.access;
    let choice = |endpoint, reason: &str, notes| Choice {
        endpoint,
        access: access.clone(),
        reason: reason.to_owned(),
        notes,
    };
    if let Some((endpoint, reason)) = &wanted.named {
        return Ok(choice(endpoint.clone(), reason, Vec::new()));
    }
    let mut tried = Vec::new();
    let sockets = [Some(PathBuf::from(SOCKET)), wanted.rootless_socket.clone()];
    for socket in sockets.into_iter().flatten() {
        if socket.exists() {
            let endpoint = Endpoint::Unix(socket);
            return Ok(choice(endpoint, "its socket exists", Vec::new()));
        }
        tried.push(format!("unix://{}: no such socket", socket.display()));
    }
    let (api, engine) = match engine(&access.docker).await {
        Ok(found) => found,
        Err(reason) => {
            tried.push(format!("docker://: {reason}"));
            return Err(nothing_found(&tried).hint(NAME));
        }
    };
    let container = Endpoint::DockerContainer(builder::NAME.to_owned());
    let recipe = wanted.builder.recipe(wanted.logins.as_ref());
    let told = |step| tell(&format!("{}\n", builder::step(&recipe, step)));
    let failed = match api.have_builder(&recipe, told).await {
        Ok(found) => {
            let notes = builder::difference(&recipe, &found).into_iter().collect();
            return Ok(choice(container, "the container runs", notes));
        }
        Err(error) => format!("{container}: {}", causes(&error)),
    };
    if engine.has_containerd_store {
        let reason = "the Engine has the containerd image store";
        let note = format!("{failed}; the BuildKit of the Engine is used");
        return Ok(choice(Endpoint::Docker(None), reason, vec![note]));
    }
    tried.extend([failed, format!("docker://: {}", classic(&engine))]);
    Err(with_store(nothing_found(&tried), &engine))
}

/// The endpoint of the daemon, and what it takes to reach it. What takes long is told, and what the user should know.
pub(super) async fn endpoint(
    wanted: &Wanted,
    tell: impl Fn(&str),
) -> Result<(Endpoint, Access), Failure> {
    let choice = choose(wanted, &tell).await?;
    for note in &choice.notes {
        tell(&format!("note: {}\n", escape(note)));
    }
    Ok((choice.endpoint, choice.access))
}

/// Finds the daemon, connects to it, and asks what can be asked without a build. What takes long is told.
pub(super) async fn discover(wanted: &Wanted, tell: impl Fn(&str)) -> Result<Found, Failure> {
    let choice = choose(wanted, tell).await?;
    let reason = &choice.reason;
    let failed = |error: ConnectError| match reason.strip_prefix(NAMED) {
        Some(_) => unreachable(&error),
        None => unreachable(&error).hint(format!(
            "it was chosen because {reason}: `--buildkit` or BUILDKIT_HOST names another one"
        )),
    };
    let (client, daemon) = match connect(&choice).await {
        Err(_) if has_just_started(&choice).await => connect(&choice).await,
        connected => connected,
    }
    .map_err(failed)?;
    let docker = choice.access.docker.clone();
    let engine = match client.endpoint() {
        Endpoint::Docker(socket) => {
            let host = socket.clone().map(DockerHost::Unix);
            engine(&host.unwrap_or_else(|| docker.clone())).await.ok()
        }
        _ => None,
    };
    if daemon.check_version().is_ok() {
        check_store(engine.as_ref().map(|(_, engine)| engine), client.endpoint())?;
    }
    Ok(Found {
        client,
        daemon,
        reason: choice.reason,
        notes: choice.notes,
        docker,
        engine: engine.map(|(_, engine)| engine),
    })
}

async fn connect(choice: &Choice) -> Result<(Client, Daemon), ConnectError> {
    let client = Client::connect(choice.endpoint.clone(), &choice.access).await?;
    let daemon = client.daemon().await?;
    Ok((client, daemon))
}

/// Whether the container was being started by somebody else, and answers by now.
async fn has_just_started(choice: &Choice) -> bool {
    if choice.endpoint != Endpoint::DockerContainer(builder::NAME.to_owned())
        || choice.reason.starts_with(NAMED)
    {
        return false;
    }
    let Ok(api) = DockerApi::new(&choice.access.docker) else {
        return false;
    };
    let found = api.builder(builder::NAME).await;
    let is_ours = matches!(found, Ok(Some(found)) if found.is_ours);
    is_ours && api.await_builder(builder::NAME).await.is_ok()
}

// Without it an Engine's BuildKit has neither the export of OCI archives nor attestations.
fn check_store(engine: Option<&Engine>, endpoint: &Endpoint) -> Result<(), Failure> {
    match engine {
        Some(engine) if !engine.has_containerd_store => {
            let message = format!("`{endpoint}`: {}", classic(engine));
            Err(with_store(Failure::environment(message), engine))
        }
        _ => Ok(()),
    }
}

// The store came to Engines with 23 and can be turned on by its name since 24.
fn with_store(failure: Failure, engine: &Engine) -> Failure {
    const FIRST: u64 = 24;
    let major = engine.version.split('.').next();
    let major: Option<u64> = major.and_then(|major| major.parse().ok());
    match major.is_some_and(|major| major < FIRST) {
        true => failure.hint(MIRROR),
        false => failure.hint(STORE).hint(MIRROR),
    }
}

fn classic(engine: &Engine) -> String {
    format!(
        "Docker Engine {} keeps its images outside of containerd",
        engine.version
    )
}

/// The Engine, if it answers.
async fn engine(docker: &DockerHost) -> Result<(DockerApi, Engine), String> {
    if let DockerHost::Unix(path) = docker
        && !Path::new(path).exists()
    {
        return Err(format!("no Engine at {docker}"));
    }
    let failed = |error: ConnectError| error.to_string();
    let api = DockerApi::new(docker).map_err(failed)?;
    let engine = api.engine().await.map_err(failed)?;
    Ok((api, engine))
}

fn nothing_found(tried: &[String]) -> Failure {
    let mut message = "no BuildKit was found".to_owned();
    for line in tried {
        message.push_str("\ntried ");
        message.push_str(line);
    }
    Failure::environment(message)
}

/// The failure for an endpoint that cannot be used.
pub(super) fn unreachable(error: &ConnectError) -> Failure {
    let hint = match error {
        ConnectError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            "may this user reach it? for a Docker Engine, the group `docker` may"
        }
        ConnectError::Io { .. } | ConnectError::Timeout { .. } => {
            "is the daemon running, and is this its address?"
        }
        ConnectError::Engine { .. } => "is this a Docker Engine 23 or newer?",
        ConnectError::Container { .. } => {
            "the container must run and have buildctl in it, as moby/buildkit does"
        }
        ConnectError::NoProgram { .. } => "install it, and have it in PATH",
        ConnectError::Program { program, .. } => match *program {
            "ssh" => {
                "ssh must log in there without asking anything, and find buildctl: `ssh HOST buildctl --version` shows it"
            }
            "kubectl" => {
                "`kubectl exec` into that pod must work, and buildctl be in it, as in moby/buildkit"
            }
            _ => "the container must run and have buildctl in it, as moby/buildkit does",
        },
        ConnectError::Tls { fault, .. } => tls_hint(fault),
        ConnectError::NeedsTls { .. } => {
            "`--tls-ca FILE` names the certificate of the authority that signed its own; `--tls-dir DIR` has a client certificate too"
        }
        ConnectError::Protocol { .. } => {
            "it must be a buildkitd; the socket of a Docker Engine is written docker:///PATH"
        }
    };
    Failure::environment(error.to_string()).hint(hint)
}

fn tls_hint(fault: &TlsFault) -> &'static str {
    match fault {
        TlsFault::UnknownIssuer => {
            "`--tls-ca` (in `--tls-dir`: ca.pem) must be the certificate of the authority that signed the daemon's"
        }
        TlsFault::Expired => "the daemon needs a new one; or is this machine's clock wrong?",
        TlsFault::NotYetValid => "is this machine's clock right?",
        TlsFault::Name { .. } => "`--tls-server-name` says which name its certificate must have",
        TlsFault::NoClientCertificate => {
            "give one with `--tls-cert` and `--tls-key`, or with `--tls-dir`"
        }
        TlsFault::ClientCertificate(_) => {
            "it must not be expired, and be signed by the authority that the daemon was given as `ca`"
        }
        TlsFault::Plain => "is this its port for TLS? without TLS flags it is spoken to without",
        TlsFault::Other(_) => "is this the address of a buildkitd with TLS?",
    }
}

/// The failure for a daemon that lacks what a build needs.
pub(super) fn too_old(found: &Found, error: &OldDaemon) -> Failure {
    let endpoint = found.client.endpoint();
    let engine = found.engine.as_ref();
    let engine = engine.map(|engine| format!(" of Docker Engine {}", engine.version));
    let engine = engine.unwrap_or_default();
    Failure::environment(format!("`{endpoint}`{engine}: {error}")).hint(NEEDED)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn chosen(flag: Option<&str>, environment: Environment) -> Result<String, String> {
        let connection = Connection {
            buildkit: flag.map(str::to_owned),
            ..Connection::default()
        };
        let message = |failure: Failure| failure.problems[0].message.clone();
        let wanted = Wanted::read(&connection, &environment).map_err(message)?;
        let choice = choose(&wanted, |_| {}).await.map_err(message)?;
        Ok(format!("{} {}", choice.endpoint, choice.reason))
    }

    #[tokio::test]
    async fn what_is_named_comes_before_what_is_found() {
        let environment = || Environment::from([("BUILDKIT_HOST", "tcp://127.0.0.1:1")]);
        let flag = Some("unix:///a.sock");
        assert_eq!(
            chosen(flag, environment()).await.unwrap(),
            "unix:///a.sock named by --buildkit"
        );
        assert_eq!(
            chosen(None, environment()).await.unwrap(),
            "tcp://127.0.0.1:1 named by BUILDKIT_HOST"
        );
        let variable = Environment::from([(BUILDKIT, "unix:///a.sock")]);
        assert_eq!(
            chosen(flag, variable).await.unwrap(),
            "unix:///a.sock named by PEELBOX_BUILDKIT"
        );
    }

    #[tokio::test]
    async fn the_socket_of_a_rootless_daemon_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("buildkit/buildkitd.sock");
        std::fs::create_dir(directory.path().join("buildkit")).unwrap();
        std::fs::write(&socket, "").unwrap();
        let runtime = directory.path().display().to_string();
        let environment = Environment::from([("XDG_RUNTIME_DIR", runtime.as_str())]);
        if Path::new(SOCKET).exists() {
            return; // a daemon of this machine comes first
        }
        let expected = format!("unix://{} its socket exists", socket.display());
        assert_eq!(chosen(None, environment).await.unwrap(), expected);
    }
}
