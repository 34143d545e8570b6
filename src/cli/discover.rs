//! Which daemon is used, and why.

use std::path::{Path, PathBuf};

use crate::buildkit::{Client, ConnectError, Daemon, DockerApi, DockerHost, Endpoint, OldDaemon};

use super::environment::Environment;
use super::failure::{Exit, Failure};

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

pub(super) const NEEDED: &str = "peelbox needs BuildKit 0.11 or newer: Docker Engine 23 with the containerd image store, Docker Desktop 4.17, or a buildkitd";
const UPGRADE: &str =
    "update Docker Engine to 23 or newer, or name another daemon with --buildkit or BUILDKIT_HOST";

/// The Engine of the environment.
pub(super) fn docker_host(environment: &Environment) -> Result<DockerHost, Failure> {
    environment.get("DOCKER_HOST").map_or_else(
        || Ok(DockerHost::default()),
        |text| {
            text.parse::<DockerHost>().map_err(|error| {
                Failure::input(format!("DOCKER_HOST: {error}"))
                    .hint("unix:///PATH and tcp://HOST:PORT are understood")
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
        (Some(text), _) => (text, "--buildkit"),
        (None, Some(text)) => (text, "BUILDKIT_HOST"),
        (None, None) => return Ok(None),
    };
    let endpoint = text.parse::<Endpoint>().map_err(|error| {
        Failure::input(format!("{origin}: {error}"))
            .hint("unix:///PATH, tcp://HOST:PORT, docker-container://NAME and docker://[/SOCKET] are understood")
    })?;
    Ok(Some((endpoint, format!("named by {origin}"))))
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
        Ok(Candidate::None(reason)) | Err(reason) => {
            tried.push(reason);
            Err(nothing_found(&tried))
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
    let client = Client::connect(endpoint, &docker)
        .await
        .map_err(|error| unreachable(&error))?;
    let daemon = client.daemon().await.map_err(|error| unreachable(&error))?;
    Ok(Found {
        client,
        daemon,
        reason,
        docker,
    })
}

enum Candidate {
    Container,
    Engine,
    None(String),
}

async fn engine(docker: &DockerHost) -> Result<Candidate, String> {
    if let DockerHost::Unix(path) = docker
        && !Path::new(path).exists()
    {
        return Err(format!("docker://: no Engine at {docker}"));
    }
    let failed = |error: ConnectError| format!("docker://: {error}");
    let api = DockerApi::new(docker).map_err(failed)?;
    if api.is_running(CONTAINER).await.map_err(failed)? {
        return Ok(Candidate::Container);
    }
    let engine = api.engine().await.map_err(failed)?;
    Ok(if engine.has_containerd_store {
        Candidate::Engine
    } else {
        Candidate::None(format!(
            "docker://: Docker Engine {} keeps its images outside of containerd",
            engine.version
        ))
    })
}

fn nothing_found(tried: &[String]) -> Failure {
    let mut message = "no BuildKit was found".to_owned();
    for line in tried {
        message.push_str("\ntried ");
        message.push_str(line);
    }
    Failure::environment(message)
        .hint(NEEDED)
        .hint("start one, or name one with --buildkit or BUILDKIT_HOST")
}

/// The failure for an endpoint that cannot be used.
pub(super) fn unreachable(error: &ConnectError) -> Failure {
    let hint = match error {
        ConnectError::Io { .. } | ConnectError::Timeout { .. } => {
            "is the daemon running, and may this user reach it?"
        }
        ConnectError::Engine { .. } => "is this a Docker Engine 23 or newer?",
        ConnectError::Container { .. } => {
            "the container must run and have buildctl in it, as moby/buildkit does"
        }
        ConnectError::Protocol { .. } => "is this a BuildKit daemon, and one without TLS?",
    };
    Failure::environment(error.to_string())
        .hint(hint)
        .hint("`peelbox doctor` shows what would be used")
}

/// The failure for a daemon that lacks what a build needs.
pub(super) fn too_old(endpoint: &Endpoint, error: &OldDaemon) -> Failure {
    Failure::new(Exit::Environment, format!("`{endpoint}`: {error}"))
        .hint(NEEDED)
        .hint(UPGRADE)
}
