//! Secrets for build steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use buildkit_proto::moby::buildkit::secrets::v1::secrets_server::Secrets as SecretsService;
use buildkit_proto::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use tonic::{Request, Response, Status};

/// The secrets that build steps may read, by id; at most 500 KiB each, which is the daemon's limit.
#[derive(Clone, Default)]
pub struct Secrets(Arc<BTreeMap<String, Vec<u8>>>);

impl Secrets {
    /// Offers `secrets`.
    #[must_use]
    pub fn new(secrets: BTreeMap<String, Vec<u8>>) -> Self {
        Self(Arc::new(secrets))
    }
}

#[tonic::async_trait]
impl SecretsService for Secrets {
    async fn get_secret(
        &self,
        request: Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let id = request.into_inner().id;
        let data = self
            .0
            .get(&id)
            .cloned()
            .ok_or_else(|| Status::not_found(format!("secret {id} was not given")))?;
        Ok(Response::new(GetSecretResponse { data }))
    }
}
