//! A BuildKit client: endpoints, sessions, LLB, and builds that the client itself drives through the gateway API.
//!
//! ```text
//! Endpoint ─ connect ─► Client ─ Session (local files, exports, credentials)
//!                          └──── build(Job, drive) ─ Gateway: solve, read, return ─► Response
//! ```

mod builder;
mod client;
mod complaint;
mod connect;
mod docker;
mod endpoint;
mod error;
mod gateway;
pub mod llb;
mod names;
mod program;
mod session;
mod solve;
mod tls;

pub use builder::{Builder, BuilderError, BuilderStep, Recipe};
pub use client::{Capabilities, Client, Daemon, OldDaemon};
pub use complaint::Complaint;
pub use connect::{Access, ConnectError, Dialed, Duplex, Stream, explain, open};
pub use docker::{DockerApi, Engine};
pub use endpoint::{DockerHost, Endpoint, KubePod, ParseEndpointError, Ssh};
pub use error::{CANCELED, Error, RemoteError};
pub use gateway::{
    Attestation, BuildReference, BuiltImage, FileStat, Gateway, ImageConfigBytes, Outcome,
};
pub use session::fsutil;
pub use session::{
    Agents, Auth, Directory, DockerConfig, DockerConfigError, Keychain, Received, Secrets,
    Services, Session, Stores,
};
pub use solve::{AsError, BuildError, Cache, Export, Job, Response, Target};
pub use tls::{Tls, TlsError, TlsFault, TlsFiles};

pub use buildkit_proto::moby::buildkit::v1::{
    StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning,
};
