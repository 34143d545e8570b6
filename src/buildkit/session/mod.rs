//! What the daemon may ask of the client while it builds: local files, a place for exports, credentials, secrets, SSH
//! agents, content stores.

mod auth;
mod content;
mod docker_config;
mod filesend;
mod filesync;
pub mod fsutil;
mod pipe;
mod secrets;
mod ssh;
mod token;
mod tunnel;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use buildkit_proto::health::health_check_response::ServingStatus;
use buildkit_proto::health::health_server::{Health, HealthServer};
use buildkit_proto::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use buildkit_proto::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use buildkit_proto::moby::filesync::v1::auth_server::AuthServer;
use buildkit_proto::moby::sshforward::v1::ssh_server::SshServer;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::client::Client;
use super::error::Error;
use super::solve::{Export, Target};
pub use auth::{Auth, Keychain};
use content::{Content, ContentServer};
pub use content::{Directory, Stores};
pub use docker_config::{DockerConfig, DockerConfigError};
pub use filesend::Received;
use filesend::Receiver;
use filesync::Sender;
use fsutil::{Sent, Walk};
pub use secrets::Secrets;
pub use ssh::Agents;

/// What a session offers to the daemon.
#[derive(Clone, Default)]
pub struct Services {
    /// The name shown in the daemon's logs.
    pub name: String,
    /// The local directories, by the name that LLB's local sources give.
    pub locals: BTreeMap<String, Walk>,
    /// The credentials for registries.
    pub auth: Auth,
    /// The secrets for build steps.
    pub secrets: Secrets,
    /// The SSH agents for build steps.
    pub agents: Agents,
    /// The content stores of images and caches.
    pub stores: Stores,
}

/// A session: the daemon's way back to the client. One serves all builds of a run, so that the daemon reads a local
/// directory once for all of them.
pub struct Session {
    id: String,
    receiver: Receiver,
    sender: Sender,
    content: Content,
    ended: watch::Receiver<Option<String>>,
    tunnel: tunnel::Tunnel,
}

// h2 charges small frames that nobody has read against a budget that grows with the connection's window; the daemon
// sends one small request per file it wants, all at once.
const CONNECTION_WINDOW: u32 = 1 << 30;
const STREAM_WINDOW: u32 = 1 << 20;

impl Session {
    /// Opens a session over the client's connection.
    ///
    /// # Errors
    /// When the daemon refuses it.
    pub async fn start(client: &Client, services: Services) -> Result<Self, Error> {
        let id = uuid::Uuid::new_v4().to_string();
        let receiver = Receiver::default();
        let sender = Sender::new(services.locals);
        let content = Content::new(services.stores);
        let router = Server::builder()
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .add_service(HealthServer::new(Healthy))
            .add_service(sender.clone())
            .add_service(receiver.clone())
            .add_service(AuthServer::new(services.auth))
            .add_service(SecretsServer::new(services.secrets))
            .add_service(SshServer::new(services.agents))
            .add_service(ContentServer::new(content.clone()));
        let (tunnel, ended) = tunnel::open(client, &id, &services.name, router).await?;
        Ok(Self {
            id,
            receiver,
            sender,
            content,
            ended,
            tunnel,
        })
    }

    /// The session's id, which solves name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Says what takes the exports of the build that comes next.
    pub(super) fn expect(&self, exports: &[Export]) {
        let targets = exports.iter().map(|export| export.target.clone());
        self.receiver.expect(targets.collect());
        let layout = exports.iter().find_map(|export| match &export.target {
            Target::Layout(path) => Some(Directory::new(path.clone())),
            _ => None,
        });
        self.content.expect(layout);
    }

    /// What the exporters of the last build sent, by the index of the export.
    #[must_use]
    pub fn received(&self) -> BTreeMap<usize, Received> {
        self.receiver.received()
    }

    /// What was sent of local directories since the last call.
    #[must_use]
    pub fn take_sent(&self) -> Sent {
        self.sender.take_sent()
    }

    /// Whether neither the daemon nor the connection has ended the session.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ended.borrow().is_none()
    }

    /// Waits until the daemon or the connection ends the session, and says why.
    pub(super) async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "its task is gone".to_owned(),
        }
    }

    /// Ends the session in order: our half first, then the daemon's.
    pub async fn close(self) {
        self.tunnel.close().await;
    }
}

// Without this service the daemon drops the session ten seconds in, while the build goes on.
struct Healthy;

fn serving() -> HealthCheckResponse {
    HealthCheckResponse {
        status: ServingStatus::Serving.into(),
    }
}

#[tonic::async_trait]
impl Health for Healthy {
    type WatchStream = futures_util::stream::Pending<Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(serving()))
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        Ok(Response::new(HealthListResponse {
            statuses: [(String::new(), serving())].into(),
        }))
    }

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("watch"))
    }
}

pub(super) type Shared<T> = Arc<std::sync::Mutex<T>>;
