//! Local directories for the daemon to read.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::server::NamedService;
use tower::Service;

use super::Shared;
use super::fsutil::{self, Outgoing, Sent, Walk, outbox};
use super::wire::{Packets, answer};

/// Offers the directories; each is listed once, which serves all builds of the session.
///
/// It answers below the generated server, whose messages would be copies.
#[derive(Clone, Default)]
pub(super) struct Sender {
    locals: Arc<BTreeMap<String, Walk>>,
    sent: Shared<Sent>,
}

impl Sender {
    pub(super) fn new(locals: BTreeMap<String, Walk>) -> Self {
        Self {
            locals: Arc::new(locals),
            sent: Shared::default(),
        }
    }

    pub(super) fn take_sent(&self) -> Sent {
        std::mem::take(&mut *Mutex::lock(&self.sent).unwrap_or_else(PoisonError::into_inner))
    }

    fn diff_copy(&self, request: http::Request<Body>) -> Result<Outgoing, Status> {
        let (head, body) = request.into_parts();
        let wanted = fsutil::Request::parse(&MetadataMap::from_headers(head.headers))
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let walk = self.locals.get(&wanted.name).cloned();
        let walk =
            walk.ok_or_else(|| Status::not_found(format!("no local directory `{}`", wanted.name)))?;
        let (out, outgoing) = outbox();
        let total = Arc::clone(&self.sent);
        // It ends with the stream that it feeds.
        tokio::spawn(async move {
            let packets = Packets::new(body);
            if let Ok(sent) = fsutil::send(walk, wanted.selection, packets, out).await {
                add(&total, sent);
            }
        });
        Ok(outgoing)
    }
}

fn add(total: &Mutex<Sent>, sent: Sent) {
    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
    total.stats += sent.stats;
    total.files += sent.files;
    total.bytes += sent.bytes;
}

impl NamedService for Sender {
    const NAME: &'static str = "moby.filesync.v1.FileSync";
}

impl Service<http::Request<Body>> for Sender {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answered = match request.uri().path() {
            "/moby.filesync.v1.FileSync/DiffCopy" => self.diff_copy(request),
            _ => Err(Status::unimplemented(
                "daemons read directories with DiffCopy",
            )),
        };
        ready(Ok(match answered {
            Ok(outgoing) => answer(outgoing),
            Err(status) => status.into_http(),
        }))
    }
}
