//! Which daemon is used, and why.

use std::io;
use std::path::{Path, PathBuf};

use crate::buildkit::{
    Client, ConnectError, Daemon, DockerApi, DockerHost, Endpoint, Engine, OldDaemon,
};

use super::environment::Environment;
use super::failure::Failure;

/// The daemon of this run.
pub(super) struct Found {
    pub(super) client: Client,
    pub(super) daemon: Daemon,
    /// Why it was chosen.
    pub(super) reason: String,
    pub(super) docker: DockerHost,
}

const CONTAINER: &str = "peelbox-buildkitd";
const SOCKET: &str = "/run/buildkit/buildkitd.sock";
// How the reason begins where the user chose.
const NAMED: &str = "named by ";
// The variable of `--buildkit`.
const BUILDKIT: &str = "PEELBOX_BUILDKIT";

const NEEDED: &str = "BuildKit 0.11 or newer is needed, which Docker Engine 23 and Docker Desktop 4.17 have: update it, or name another daemon with `--buildkit` or BUILDKIT_HOST";
const START: &str = "`docker run --detach --privileged --name peelbox-buildkitd moby/buildkit` starts one that is found";
const NAME: &str =
    "start a buildkitd or a Docker Engine, or name one with `--buildkit` or BUILDKIT_HOST";
const STORE: &str = "turn on \"containerd-snapshotter\" under \"features\" in the Engine's daemon.json (in Docker Desktop: Settings, General, containerd) and restart it";

/// The Engine of the environment.
pub(super) fn docker_host(environment: &Environment) -> Result<DockerHost, Failure> {
    environment.get("DOCKER_HOST").map_or_else(
        || Ok(DockerHost::default()),
        |text| {
            text.parse::<DockerHost>().map_err(|error| {
                Failure::input(format!("DOCKER_HOST: {error}"))
                    .hint("it is unix:///PATH or tcp://HOST:PORT")
            })
        },
    )
}

/// The endpoint that the user named, if any, and where.
fn named(
    flag: Option<&str>,
    environment: &Environment,
) -> Result<Option<(Endpoint, String)>, Failure> {
    let (text, origin) = match (flag, environment.get("BUILDKIT_HOST")) {
        (Some(text), _) if environment.get(BUILDKIT) == Some(text) => (text, BUILDKIT),
        (Some(text), _) => (text, "--buildkit"),
        (None, Some(text)) => (text, "BUILDKIT_HOST"),
        (None, None) => return Ok(None),
    };
    let endpoint = text.parse::<Endpoint>().map_err(|error| {
        Failure::input(format!("{origin}: {error}"))
            .hint("it is unix:///PATH, tcp://HOST:PORT, docker-container://NAME, docker:// or docker:///SOCKET")
    })?;
    Ok(Some((endpoint, format!("{NAMED}{origin}"))))
}

/// The daemon that is named, else the first that is there, in the order of the documentation; and why it is this one.
async fn choose(
    flag: Option<&str>,
    environment: &Environment,
) -> Result<(Endpoint, DockerHost, String), Failure> {
    let docker = docker_host(environment)?;
    if let Some((endpoint, reason)) = named(flag, environment)? {
        return Ok((endpoint, docker, reason));
    }
    let mut tried = Vec::new();
    let sockets = [Some(PathBuf::from(SOCKET)), environment.rootless_socket()];
    for socket in sockets.into_iter().flatten() {
        if socket.exists() {
            return Ok((
                Endpoint::Unix(socket),
                docker,
                "its socket exists".to_owned(),
            ));
        }
        tried.push(format!("unix://{}: no such socket", socket.display()));
    }
    match engine(&docker).await {
        Ok(Candidate::Container) => {
            let endpoint = Endpoint::DockerContainer(CONTAINER.to_owned());
            Ok((endpoint, docker, "the container runs".to_owned()))
        }
        Ok(Candidate::Engine) => Ok((
            Endpoint::Docker(None),
            docker,
            "the Engine has the containerd image store".to_owned(),
        )),
        Ok(Candidate::None(engine)) => {
            tried.push(format!("docker://: {}", classic(&engine)));
            Err(with_store(nothing_found(&tried), &engine))
        }
        Err(reason) => {
            tried.push(format!("docker://: {reason}"));
            Err(nothing_found(&tried).hint(NAME))
        }
    }
}

/// The endpoint of the daemon, and the Engine that some endpoints need.
pub(super) async fn endpoint(
    flag: Option<&str>,
    environment: &Environment,
) -> Result<(Endpoint, DockerHost), Failure> {
    let (endpoint, docker, _) = choose(flag, environment).await?;
    Ok((endpoint, docker))
}

/// Finds the daemon, connects to it, and asks what can be asked without a build.
pub(super) async fn discover(
    flag: Option<&str>,
    environment: &Environment,
) -> Result<Found, Failure> {
    let (endpoint, docker, reason) = choose(flag, environment).await?;
    let failed = |error: ConnectError| match reason.strip_prefix(NAMED) {
        Some(_) => unreachable(&error),
        None => unreachable(&error).hint(format!(
            "it was chosen because {reason}: `--buildkit` or BUILDKIT_HOST names another one"
        )),
    };
    let client = Client::connect(endpoint, &docker).await.map_err(failed)?;
    let daemon = client.daemon().await.map_err(failed)?;
    if let Endpoint::Docker(socket) = client.endpoint()
        && daemon.check_version().is_ok()
    {
        let host = socket.clone().map(DockerHost::Unix);
        let host = host.unwrap_or_else(|| docker.clone());
        check_store(&host, client.endpoint()).await?;
    }
    Ok(Found {
        client,
        daemon,
        reason,
        docker,
    })
}

// Without it an Engine's BuildKit has neither the export of OCI archives nor attestations.
async fn check_store(host: &DockerHost, endpoint: &Endpoint) -> Result<(), Failure> {
    let Ok(api) = DockerApi::new(host) else {
        return Ok(()); // connecting to it tells why
    };
    match api.engine().await {
        Ok(engine) if !engine.has_containerd_store => {
            let message = format!("`{endpoint}`: {}", classic(&engine));
            Err(with_store(Failure::environment(message), &engine))
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
        true => failure.hint(START),
        false => failure.hint(STORE).hint(START),
    }
}

fn classic(engine: &Engine) -> String {
    format!(
        "Docker Engine {} keeps its images outside of containerd",
        engine.version
    )
}

enum Candidate {
    Container,
    Engine,
    // An Engine that serves only to start a container.
    None(Engine),
}

async fn engine(docker: &DockerHost) -> Result<Candidate, String> {
    if let DockerHost::Unix(path) = docker
        && !Path::new(path).exists()
    {
        return Err(format!("no Engine at {docker}"));
    }
    let failed = |error: ConnectError| error.to_string();
    let api = DockerApi::new(docker).map_err(failed)?;
    if api.is_running(CONTAINER).await.map_err(failed)? {
        return Ok(Candidate::Container);
    }
    let engine = api.engine().await.map_err(failed)?;
    Ok(if engine.has_containerd_store {
        Candidate::Engine
    } else {
        Candidate::None(engine)
    })
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
        ConnectError::Protocol { .. } => {
            "it must be a buildkitd without TLS; the socket of a Docker Engine is written docker:///PATH"
        }
    };
    Failure::environment(error.to_string()).hint(hint)
}

/// The failure for a daemon that lacks what a build needs.
pub(super) fn too_old(endpoint: &Endpoint, error: &OldDaemon) -> Failure {
    Failure::environment(format!("`{endpoint}`: {error}")).hint(NEEDED)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn chosen(flag: Option<&str>, environment: Environment) -> Result<String, String> {
        match choose(flag, &environment).await {
            Ok((endpoint, _, reason)) => Ok(format!("{endpoint} {reason}")),
            Err(failure) => Err(failure.problems[0].message.clone()),
        }
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
