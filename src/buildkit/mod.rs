//! A BuildKit client: endpoints, sessions, LLB, and builds that the client itself drives through the gateway API.
//!
//! ```text
//! Endpoint ─ connect ─► Client ─ Session (local files, exports, credentials)
//!                          └──── build(Job, drive) ─ Gateway: solve, read, return ─► Response
//! ```

mod client;
mod connect;
mod endpoint;
mod error;
mod gateway;
pub mod llb;
mod session;
mod solve;

pub use client::{Capabilities, Client, Daemon, OldDaemon};
pub use connect::{ConnectError, DockerApi, Engine, Stream, open};
pub use endpoint::{DockerHost, Endpoint, ParseEndpointError};
pub use error::{Error, RemoteError};
pub use gateway::{Attestation, BuildReference, FileStat, Gateway, ImageConfigBytes, Outcome};
pub use session::fsutil;
pub use session::{
    Agents, Auth, Directory, DockerConfig, DockerConfigError, Keychain, Received, Secrets,
    Services, Session, Stores,
};
pub use solve::{AsError, BuildError, Cache, Export, Job, Response};

pub use buildkit_proto::moby::buildkit::v1::{
    StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning,
};
