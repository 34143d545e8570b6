//! Containers with a buildkitd, started and kept in a Docker Engine.

use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::errors::Error as DockerError;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerSummary, HostConfig,
};
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptions, ListContainersOptions, LogsOptions,
    RemoveContainerOptions, RemoveVolumeOptions, StopContainerOptions,
};
use futures_util::StreamExt as _;

use super::client::Client;
use super::complaint::Complaint;
use super::connect::{Access, ConnectError};
use super::docker::DockerApi;
use super::endpoint::Endpoint;

/// How a builder is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The name of the container, and of the volume that keeps its state.
    pub name: String,
    /// The image, with its tag or digest.
    pub image: String,
    /// The container's network; `None` for the Engine's default.
    pub network: Option<String>,
    /// User name and secret for the image's registry; an identity token has an empty user name.
    pub credentials: Option<(String, String)>,
}

/// A container with a buildkitd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builder {
    /// Its name.
    pub name: String,
    /// The image it was made of, as it was named then.
    pub image: String,
    /// Whether it runs.
    pub is_running: bool,
    /// Whether it was made by [`DockerApi::have_builder`], and may be stopped and removed.
    pub is_ours: bool,
}

/// What is being done about a builder, for somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuilderStep {
    /// The image is pulled.
    Pulling,
    /// The container is started.
    Starting,
}

/// A builder that is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum BuilderError {
    /// The Engine does not answer, or refuses.
    #[error(transparent)]
    Engine(#[from] ConnectError),
    /// The image is not there and cannot be pulled.
    #[error("cannot pull `{image}`: {reason}")]
    Pull {
        /// The image.
        image: String,
        /// The Engine's reason.
        reason: String,
    },
    /// A container of that name has stopped, and is somebody else's.
    #[error("the container `{name}` does not run, and was not made by peelbox")]
    Foreign {
        /// Its name.
        name: String,
    },
    /// The container does not get to answer.
    #[error("buildkitd in the container `{name}` does not answer: {reason}")]
    Silent {
        /// Its name.
        name: String,
        /// What it logged last.
        reason: String,
    },
}

// What marks a container and its volume as made here.
const LABEL: &str = "peelbox.builder";
// Where the image of BuildKit keeps its state: https://github.com/moby/buildkit/blob/master/Dockerfile
const STATE: &str = "/var/lib/buildkit";
// The registry must answer this fast: there are other daemons to try.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(4);
// A pull that gets nowhere for this long is given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
const START_TIMEOUT: Duration = Duration::from_secs(20);
const START_POLL: Duration = Duration::from_millis(100);
// How long buildkitd may take to end its builds, in seconds.
const STOP_TIMEOUT: i32 = 10;
const NOT_MODIFIED: u16 = 304;
const NOT_FOUND: u16 = 404;
const CONFLICT: u16 = 409;

fn status(error: &DockerError) -> Option<u16> {
    match error {
        DockerError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

fn text(error: &DockerError) -> String {
    match error {
        DockerError::DockerResponseServerError { message, .. } => message.clone(),
        DockerError::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    }
}

impl DockerApi {
    /// Has the builder of `recipe` running and answering: the container that is there, else a new one. Who else wants it at
    /// the same time gets the same. `tell` hears of what takes long.
    ///
    /// # Errors
    /// When there is none and none can be made.
    pub async fn have_builder(
        &self,
        recipe: &Recipe,
        tell: impl Fn(BuilderStep),
    ) -> Result<Builder, BuilderError> {
        let found = match self.builder(&recipe.name).await? {
            Some(found) => found,
            None => {
                self.have_image(recipe, &tell).await?;
                self.create(recipe).await?
            }
        };
        if found.is_running && !found.is_ours {
            return Ok(found);
        }
        if !found.is_ours {
            return Err(BuilderError::Foreign { name: found.name });
        }
        if !found.is_running {
            tell(BuilderStep::Starting);
            self.start(&found.name).await?;
            self.await_builder(&found.name).await?;
        }
        Ok(Builder {
            is_running: true,
            ..found
        })
    }

    /// The container of this name, if there is one.
    ///
    /// # Errors
    /// When the Engine does not answer.
    pub async fn builder(&self, name: &str) -> Result<Option<Builder>, ConnectError> {
        let docker = self.negotiated().await?;
        match docker.inspect_container(name, None).await {
            Ok(inspected) => Ok(Some(inspected_builder(name, inspected))),
            Err(error) if status(&error) == Some(NOT_FOUND) => Ok(None),
            Err(error) => Err(self.error(&error)),
        }
    }

    /// The builders that were made here, by name.
    ///
    /// # Errors
    /// When the Engine does not answer.
    pub async fn builders(&self) -> Result<Vec<Builder>, ConnectError> {
        let options = ListContainersOptions {
            all: true,
            filters: Some([("label".to_owned(), vec![LABEL.to_owned()])].into()),
            ..ListContainersOptions::default()
        };
        let docker = self.negotiated().await?;
        let listed = docker.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| self.error(&error))?;
        let mut builders: Vec<Builder> = listed.into_iter().filter_map(listed_builder).collect();
        builders.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(builders)
    }

    /// Stops a builder; it keeps its state.
    ///
    /// # Errors
    /// When the Engine does not answer, or refuses.
    pub async fn stop_builder(&self, builder: &Builder) -> Result<(), ConnectError> {
        let options = StopContainerOptions {
            t: Some(STOP_TIMEOUT),
            ..StopContainerOptions::default()
        };
        let docker = self.negotiated().await?;
        let stopped = docker.stop_container(&builder.name, Some(options)).await;
        self.unless(stopped, &[NOT_MODIFIED, NOT_FOUND])
    }

    /// Removes a builder; its state too, unless `keeps_state`.
    ///
    /// # Errors
    /// When the Engine does not answer, or refuses.
    pub async fn remove_builder(
        &self,
        builder: &Builder,
        keeps_state: bool,
    ) -> Result<(), ConnectError> {
        self.stop_builder(builder).await?;
        let docker = self.negotiated().await?;
        let options = RemoveContainerOptions {
            force: true,
            ..RemoveContainerOptions::default()
        };
        let removed = docker.remove_container(&builder.name, Some(options)).await;
        // Somebody else may be removing it just now.
        self.unless(removed, &[NOT_FOUND, CONFLICT])?;
        if keeps_state {
            return Ok(());
        }
        let options = None::<RemoveVolumeOptions>;
        let removed = docker.remove_volume(&builder.name, options).await;
        self.unless(removed, &[NOT_FOUND])
    }

    // What is so already is no error.
    fn unless<T>(&self, done: Result<T, DockerError>, fine: &[u16]) -> Result<(), ConnectError> {
        match done {
            Ok(_) => Ok(()),
            Err(error) if status(&error).is_some_and(|code| fine.contains(&code)) => Ok(()),
            Err(error) => Err(self.error(&error)),
        }
    }

    async fn have_image(
        &self,
        recipe: &Recipe,
        tell: impl Fn(BuilderStep),
    ) -> Result<(), BuilderError> {
        let docker = self.negotiated().await?;
        if docker.inspect_image(&recipe.image).await.is_ok() {
            return Ok(());
        }
        let failed = |reason| BuilderError::Pull {
            image: recipe.image.clone(),
            reason,
        };
        let credentials = recipe.credentials.as_ref().map(credentials);
        // A pull tries for minutes what this finds out at once.
        let asked = docker.inspect_registry_image(&recipe.image, credentials.clone());
        match tokio::time::timeout(REGISTRY_TIMEOUT, asked).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(failed(text(&error))),
            Err(_) => {
                let seconds = REGISTRY_TIMEOUT.as_secs();
                return Err(failed(format!(
                    "its registry does not answer within {seconds} s"
                )));
            }
        }
        tell(BuilderStep::Pulling);
        let options = CreateImageOptions {
            from_image: Some(recipe.image.clone()),
            ..CreateImageOptions::default()
        };
        let mut pulling = std::pin::pin!(docker.create_image(Some(options), None, credentials));
        loop {
            match tokio::time::timeout(STALL_TIMEOUT, pulling.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Err(error))) => return Err(failed(text(&error))),
                Ok(Some(Ok(event))) => {
                    if let Some(reason) = event.error_detail.and_then(|detail| detail.message) {
                        return Err(failed(reason));
                    }
                }
                Err(_) => {
                    let seconds = STALL_TIMEOUT.as_secs();
                    return Err(failed(format!("nothing came for {seconds} s")));
                }
            }
        }
    }

    async fn create(&self, recipe: &Recipe) -> Result<Builder, BuilderError> {
        let labels = [(LABEL.to_owned(), recipe.name.clone())];
        let body = ContainerCreateBody {
            image: Some(recipe.image.clone()),
            labels: Some(labels.into()),
            host_config: Some(HostConfig {
                privileged: Some(true),
                binds: Some(vec![format!("{}:{STATE}", recipe.name)]),
                network_mode: recipe.network.clone(),
                // An Engine that maps users allows no privileged containers otherwise.
                userns_mode: Some("host".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptions {
            name: Some(recipe.name.clone()),
            ..CreateContainerOptions::default()
        };
        let docker = self.negotiated().await?;
        let created = docker.create_container(Some(options), body).await;
        // Somebody else was faster.
        self.unless(created, &[CONFLICT])?;
        let found = self.builder(&recipe.name).await?;
        found.ok_or_else(|| BuilderError::Silent {
            name: recipe.name.clone(),
            reason: "it was removed".to_owned(),
        })
    }

    async fn start(&self, name: &str) -> Result<(), BuilderError> {
        let docker = self.negotiated().await?;
        let started = docker.start_container(name, None).await;
        Ok(self.unless(started, &[NOT_MODIFIED])?)
    }

    /// Waits until the builder `name`, which runs, answers: who has started it may be another process.
    ///
    /// # Errors
    /// When it ends, or does not answer within twenty seconds.
    pub async fn await_builder(&self, name: &str) -> Result<(), BuilderError> {
        let access = Access::from(self.host().clone());
        let endpoint = Endpoint::DockerContainer(name.to_owned());
        let asking = async {
            loop {
                let client = Client::connect(endpoint.clone(), &access).await;
                if let Ok(client) = client
                    && client.daemon().await.is_ok()
                {
                    return true;
                }
                if !self.is_running(name).await.unwrap_or_default() {
                    return false;
                }
                tokio::time::sleep(START_POLL).await;
            }
        };
        if tokio::time::timeout(START_TIMEOUT, asking).await == Ok(true) {
            return Ok(());
        }
        Err(BuilderError::Silent {
            name: name.to_owned(),
            reason: self.last_words(name).await,
        })
    }

    async fn last_words(&self, name: &str) -> String {
        let complaint = Complaint::open();
        if let Ok(docker) = self.negotiated().await {
            let options = LogsOptions {
                stdout: true,
                stderr: true,
                tail: "5".to_owned(),
                ..LogsOptions::default()
            };
            let mut logs = std::pin::pin!(docker.logs(name, Some(options)));
            while let Some(Ok(line)) = logs.next().await {
                complaint.say(&line.into_bytes());
            }
        }
        complaint.close("it says nothing");
        complaint.told().await
    }
}

fn credentials((user, secret): &(String, String)) -> DockerCredentials {
    match user.is_empty() {
        true => DockerCredentials {
            identitytoken: Some(secret.clone()),
            ..DockerCredentials::default()
        },
        false => DockerCredentials {
            username: Some(user.clone()),
            password: Some(secret.clone()),
            ..DockerCredentials::default()
        },
    }
}

fn inspected_builder(name: &str, inspected: ContainerInspectResponse) -> Builder {
    let config = inspected.config.unwrap_or_default();
    Builder {
        name: name.to_owned(),
        image: config.image.unwrap_or_default(),
        is_running: inspected
            .state
            .and_then(|state| state.running)
            .unwrap_or_default(),
        is_ours: config
            .labels
            .is_some_and(|labels| labels.contains_key(LABEL)),
    }
}

fn listed_builder(listed: ContainerSummary) -> Option<Builder> {
    use bollard::models::ContainerSummaryStateEnum as State;
    let name = listed.names?.into_iter().next()?;
    Some(Builder {
        name: name.trim_start_matches('/').to_owned(),
        image: listed.image.unwrap_or_default(),
        is_running: listed.state == Some(State::RUNNING),
        is_ours: true,
    })
}
