//! Credentials for registries.

use std::sync::Arc;

use buildkit_proto::moby::filesync::v1::auth_server::Auth as AuthService;
use buildkit_proto::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse,
    GetTokenAuthorityRequest, GetTokenAuthorityResponse, VerifyTokenAuthorityRequest,
    VerifyTokenAuthorityResponse,
};
use tonic::{Request, Response, Status};

use super::token::Tokens;

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
///
/// Where a registry wants bearer tokens, they are fetched on this side, and the daemon gets no password. One that takes
/// the password itself gets it from the daemon, which then has it too.
#[derive(Clone, Default)]
pub struct Auth {
    keychain: Option<Arc<dyn Keychain>>,
    tokens: Option<Arc<Tokens>>,
}

impl Auth {
    /// Answers from `keychain`.
    #[must_use]
    pub fn new(keychain: Arc<dyn Keychain>) -> Self {
        Self {
            keychain: Some(keychain),
            tokens: Tokens::new().map(Arc::new),
        }
    }

    /// Has the daemon fetch tokens too, with the password: for token services that only it can reach.
    #[must_use]
    pub fn with_tokens_of_the_daemon(self) -> Self {
        Self {
            tokens: None,
            ..self
        }
    }

    async fn found(&self, host: &str) -> Result<Option<(String, String)>, Status> {
        let Some(keychain) = self.keychain.clone() else {
            return Ok(None);
        };
        let host = host.to_owned();
        // A helper program may run for a while.
        tokio::task::spawn_blocking(move || keychain.credentials(&host))
            .await
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(Status::unauthenticated)
    }

    fn tokens(&self) -> Result<&Tokens, Status> {
        let tokens = self.tokens.as_deref();
        tokens.ok_or_else(|| Status::unimplemented("tokens are fetched by the daemon"))
    }
}

// https://github.com/moby/buildkit/blob/master/session/auth/auth.proto
#[tonic::async_trait]
impl AuthService for Auth {
    async fn credentials(
        &self,
        request: Request<CredentialsRequest>,
    ) -> Result<Response<CredentialsResponse>, Status> {
        let found = self.found(&request.into_inner().host).await?;
        let (username, secret) = found.unwrap_or_default();
        Ok(Response::new(CredentialsResponse { username, secret }))
    }

    async fn fetch_token(
        &self,
        request: Request<FetchTokenRequest>,
    ) -> Result<Response<FetchTokenResponse>, Status> {
        let request = request.into_inner();
        let tokens = self.tokens()?;
        let Some(login) = self.found(&request.host).await? else {
            let host = &request.host;
            return Err(Status::unauthenticated(format!("no login for {host}")));
        };
        let token = tokens.fetch(&request, &login).await;
        token
            .map(Response::new)
            .map_err(|error| Status::unauthenticated(error.to_string()))
    }

    // The daemon asks for tokens only where it gets a key. Without a login there is nothing to keep from it.
    async fn get_token_authority(
        &self,
        request: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        let GetTokenAuthorityRequest { host, salt } = request.into_inner();
        let tokens = self.tokens()?;
        if self.found(&host).await?.is_none() {
            return Err(Status::unimplemented("there is no login"));
        }
        let public_key = tokens.public_key(&host, &salt);
        let public_key = public_key.ok_or_else(|| Status::unimplemented("there is no key"))?;
        Ok(Response::new(GetTokenAuthorityResponse { public_key }))
    }

    async fn verify_token_authority(
        &self,
        request: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        let VerifyTokenAuthorityRequest {
            host,
            payload,
            salt,
        } = request.into_inner();
        let signed = self.tokens()?.signed(&host, &salt, &payload);
        let signed = signed.ok_or_else(|| Status::unimplemented("there is no key"))?;
        Ok(Response::new(VerifyTokenAuthorityResponse { signed }))
    }
}
