//! Credentials for registries.

use std::sync::Arc;

use buildkit_proto::moby::filesync::v1::auth_server::Auth as AuthService;
use buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse,
    GetTokenAuthorityRequest, GetTokenAuthorityResponse, VerifyTokenAuthorityRequest,
    VerifyTokenAuthorityResponse,
};
use tonic::{Request, Response, Status};

/// Looks up the credentials of a registry.
pub trait Keychain: Send + Sync {
    /// The user name and secret for the registry at `host`; `None` where there are none.
    ///
    /// An identity token has an empty user name.
    ///
    /// # Errors
    /// When credentials are configured but cannot be had; the text is shown to the user.
    fn credentials(&self, host: &str) -> Result<Option<(String, String)>, String>;
}

/// The session's answers to the daemon's questions for credentials.
#[derive(Clone, Default)]
pub struct Auth(Option<Arc<dyn Keychain>>);

impl Auth {
    /// Answers from `keychain`.
    #[must_use]
    pub fn new(keychain: Arc<dyn Keychain>) -> Self {
        Self(Some(keychain))
    }
}

// With `Credentials` alone the daemon fetches bearer tokens itself; the other three calls would only keep the
// password on this side.
#[tonic::async_trait]
impl AuthService for Auth {
    async fn credentials(
        &self,
        request: Request<CredentialsRequest>,
    ) -> Result<Response<CredentialsResponse>, Status> {
        let Some(keychain) = self.0.clone() else {
            return Ok(Response::new(CredentialsResponse::default()));
        };
        let host = request.into_inner().host;
        // A helper program may run for a while.
        let found = tokio::task::spawn_blocking(move || keychain.credentials(&host))
            .await
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(Status::unauthenticated)?;
        let (username, secret) = found.unwrap_or_default();
        Ok(Response::new(CredentialsResponse { username, secret }))
    }

    async fn fetch_token(
        &self,
        _: Request<FetchTokenRequest>,
    ) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unimplemented("tokens are fetched by the daemon"))
    }

    async fn get_token_authority(
        &self,
        _: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("tokens are fetched by the daemon"))
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("tokens are fetched by the daemon"))
    }
}
