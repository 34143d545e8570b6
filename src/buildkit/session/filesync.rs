//! Local directories for the daemon to read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use buildkit_proto::fsutil::types::Packet;
use buildkit_proto::moby::filesync::v1::file_sync_server::FileSync;
use tonic::{Request, Response, Status, Streaming};

use super::Shared;
use super::fsutil::{self, Listing, Outgoing, Sent, outbox};

/// Offers the listed directories; a listing is read once and serves all builds of the session.
#[derive(Clone, Default)]
pub(super) struct Sender {
    locals: Arc<BTreeMap<String, Arc<Listing>>>,
    sent: Shared<Sent>,
}

impl Sender {
    pub(super) fn new(locals: BTreeMap<String, Arc<Listing>>) -> Self {
        Self {
            locals: Arc::new(locals),
            sent: Shared::default(),
        }
    }

    pub(super) fn take_sent(&self) -> Sent {
        std::mem::take(&mut *Mutex::lock(&self.sent).unwrap_or_else(PoisonError::into_inner))
    }
}

fn add(total: &Mutex<Sent>, sent: Sent) {
    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
    total.stats += sent.stats;
    total.files += sent.files;
    total.bytes += sent.bytes;
}

#[tonic::async_trait]
impl FileSync for Sender {
    type DiffCopyStream = Outgoing;
    type TarStreamStream = Outgoing;

    async fn diff_copy(
        &self,
        request: Request<Streaming<Packet>>,
    ) -> Result<Response<Outgoing>, Status> {
        let wanted = fsutil::Request::parse(request.metadata())
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let listing = self.locals.get(&wanted.name).cloned();
        let listing = listing
            .ok_or_else(|| Status::not_found(format!("no local directory `{}`", wanted.name)))?;
        let (out, outgoing) = outbox();
        let total = Arc::clone(&self.sent);
        // It ends with the stream that it feeds.
        tokio::spawn(async move {
            if let Ok(sent) =
                fsutil::send(listing, wanted.selection, request.into_inner(), out).await
            {
                add(&total, sent);
            }
        });
        Ok(Response::new(outgoing))
    }

    async fn tar_stream(
        &self,
        _: Request<Streaming<Packet>>,
    ) -> Result<Response<Outgoing>, Status> {
        Err(Status::unimplemented(
            "daemons read directories with DiffCopy",
        ))
    }
}
