//! Local directories for the daemon to read.
use super::Shared;
use buildkit_proto::fsutil::types::Packet;
use buildkit_proto::moby::filesync::v1::file_sync_server::FileSync;
use std::collections::BTreeMap;
use tonic::{Request, Response, Status, Streaming};
/// x
#[derive(Clone, Debug, Default)]
pub struct Local;
/// x
#[derive(Clone, Copy, Debug, Default)]
pub struct Transfer {
    /// x
    pub files: u64,
}
#[derive(Clone)]
pub(super) struct Sender {
    locals: Shared<BTreeMap<String, Local>>,
}
impl Sender {
    pub(super) fn new(locals: BTreeMap<String, Local>) -> Self {
        Self {
            locals: std::sync::Arc::new(std::sync::Mutex::new(locals)),
        }
    }
    pub(super) fn take_transfer(&self) -> Transfer {
        Transfer { files: 0 }
    }
}
#[tonic::async_trait]
impl FileSync for Sender {
    type DiffCopyStream = futures_util::stream::Empty<Result<Packet, Status>>;
    type TarStreamStream = futures_util::stream::Empty<Result<Packet, Status>>;
    async fn diff_copy(
        &self,
        _: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::DiffCopyStream>, Status> {
        Err(Status::unimplemented(""))
    }
    async fn tar_stream(
        &self,
        _: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented(""))
    }
}
