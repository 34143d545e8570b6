//! The BuildKit that peelbox starts in a container, and `peelbox builder`.

use std::process::ExitCode;

use crate::buildkit::{Builder, BuilderStep, DockerApi, DockerConfig, Keychain as _, Recipe};
use crate::oci::{ParseReferenceError, Reference};
use crate::progress::escape;

use super::args;
use super::discover;
use super::environment::Environment;
use super::failure::{Failure, causes};
use super::print;

/// The container's name.
pub(super) const NAME: &str = "peelbox-buildkitd";
/// The image it is made of: the newest release of BuildKit that peelbox was tested with.
const IMAGE: &str = "docker.io/moby/buildkit:v0.33.1";

/// What the environment says of the container.
pub(super) struct Wanted {
    image: Reference,
    network: Option<String>,
}

impl Wanted {
    pub(super) fn read(environment: &Environment) -> Result<Self, Failure> {
        let text = environment.get("PEELBOX_BUILDKIT_IMAGE").unwrap_or(IMAGE);
        let image: Reference = text.parse().map_err(|error: ParseReferenceError| {
            Failure::input(format!(
                "PEELBOX_BUILDKIT_IMAGE: {}",
                escape(&error.to_string())
            ))
            .hint(format!("it names a copy of {IMAGE}"))
        })?;
        let network = environment.get("PEELBOX_BUILDKIT_NETWORK");
        Ok(Self {
            image: image.or_latest(),
            network: network.map(str::to_owned),
        })
    }

    /// How the container is made; `logins` are those of the Docker configuration.
    pub(super) fn recipe(&self, logins: Option<&DockerConfig>) -> Recipe {
        Recipe {
            name: NAME.to_owned(),
            image: self.image.to_string(),
            network: self.network.clone(),
            // A login that cannot be had is told where it is needed: by the registry.
            credentials: logins
                .and_then(|config| config.credentials(self.image.registry()).ok().flatten()),
        }
    }
}

/// What is being done, in the user's words.
pub(super) fn step(recipe: &Recipe, step: BuilderStep) -> String {
    let Recipe { name, image, .. } = recipe;
    match step {
        BuilderStep::Pulling => format!("pulling {image} for the container {name}"),
        BuilderStep::Starting => format!("starting BuildKit in the container {name}"),
    }
}

/// What is to be said of a container that was made of another image.
pub(super) fn difference(recipe: &Recipe, builder: &Builder) -> Option<String> {
    let is_other = builder.is_ours && builder.image != recipe.image;
    is_other.then(|| {
        format!(
            "the container `{}` was made of `{}`, and would now be made of `{}`: `peelbox builder rm` makes room for that",
            builder.name, builder.image, recipe.image
        )
    })
}

/// Lists, stops or removes what peelbox has started.
pub(super) async fn run(
    order: &args::Builder,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let failed = |error| discover::unreachable(&error);
    let api = DockerApi::new(&discover::docker_host(environment)?).map_err(failed)?;
    let builders = api.builders().await.map_err(failed)?;
    match order {
        args::Builder::Ls => {
            for builder in &builders {
                let state = if builder.is_running {
                    "running"
                } else {
                    "stopped"
                };
                print(&escape(&format!(
                    "{}\t{state}\t{}",
                    builder.name, builder.image
                )))?;
                print("\n")?;
            }
        }
        args::Builder::Stop { name } => {
            for builder in chosen(&api, builders, name.as_deref()).await? {
                api.stop_builder(&builder).await.map_err(failed)?;
                print(&format!("{}\n", builder.name))?;
            }
        }
        args::Builder::Rm { name, keep_state } => {
            for builder in chosen(&api, builders, name.as_deref()).await? {
                let removed = api.remove_builder(&builder, *keep_state).await;
                removed.map_err(failed)?;
                print(&format!("{}\n", builder.name))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The builders that are meant; one that is not there needs nothing done.
async fn chosen(
    api: &DockerApi,
    builders: Vec<Builder>,
    name: Option<&str>,
) -> Result<Vec<Builder>, Failure> {
    let Some(name) = name else {
        return Ok(builders);
    };
    let chosen: Vec<Builder> = builders
        .into_iter()
        .filter(|builder| builder.name == name)
        .collect();
    if chosen.is_empty() {
        let found = api.builder(name).await;
        if found
            .map_err(|error| Failure::environment(causes(&error)))?
            .is_some()
        {
            return Err(
                Failure::input(format!("the container `{name}` was not made by peelbox"))
                    .hint("`peelbox builder ls` lists those that were; Docker removes others"),
            );
        }
    }
    Ok(chosen)
}
