//! The logins of the Docker configuration.

use std::sync::Arc;

use crate::buildkit::{Auth, DockerConfig};

use super::environment::Environment;
use super::failure::{Failure, causes};

/// The Docker configuration.
pub(super) fn read(environment: &Environment) -> Result<Option<DockerConfig>, Failure> {
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

/// What answers for registries.
pub(super) fn auth(environment: &Environment) -> Result<Auth, Failure> {
    let config = read(environment)?;
    let auth = config.map_or_else(Auth::default, |config| Auth::new(Arc::new(config)));
    // BuildKit's own variable, read as Go reads it: https://pkg.go.dev/strconv#ParseBool
    let is_set = |text| matches!(text, "1" | "t" | "T" | "true" | "True" | "TRUE");
    Ok(match environment.get("BUILDKIT_NO_CLIENT_TOKEN") {
        Some(text) if is_set(text) => auth.with_tokens_of_the_daemon(),
        _ => auth,
    })
}
