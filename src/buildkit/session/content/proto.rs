//! The messages of containerd's content service, and its place in a server.
//!
//! They are those of [`containerd.services.content.v1`]; fields that BuildKit neither sends nor reads are left out.
//!
//! [`containerd.services.content.v1`]: https://github.com/containerd/containerd/blob/main/api/services/content/v1/content.proto

use std::convert::Infallible;
use std::future::ready;
use std::task::{Context, Poll};

use tonic::codegen::{Body, BoxFuture, StdError};
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::super::super::client::MAX_MESSAGE;
use super::Content;

/// A blob that is there.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Info {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
    #[prost(int64, tag = "2")]
    pub(super) size: i64,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct InfoRequest {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct InfoResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) info: Option<Info>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct ReadRequest {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
    #[prost(int64, tag = "2")]
    pub(super) offset: i64,
    /// How much is read; all of it where this is 0.
    #[prost(int64, tag = "3")]
    pub(super) size: i64,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct ReadResponse {
    #[prost(int64, tag = "1")]
    pub(super) offset: i64,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) data: Vec<u8>,
}

/// What a message of a write asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Action {
    /// How far it has come.
    Stat = 0,
    /// To take the data.
    Write = 1,
    /// To take the data and keep the blob.
    Commit = 2,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct WriteRequest {
    #[prost(enumeration = "Action", tag = "1")]
    pub(super) action: i32,
    /// The name of the write, in its first message at least.
    #[prost(string, tag = "2")]
    pub(super) reference: String,
    /// The size of the blob, where it is known.
    #[prost(int64, tag = "3")]
    pub(super) total: i64,
    /// The digest of the blob, where it is known.
    #[prost(string, tag = "4")]
    pub(super) expected: String,
    #[prost(int64, tag = "5")]
    pub(super) offset: i64,
    #[prost(bytes = "vec", tag = "6")]
    pub(super) data: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct WriteResponse {
    #[prost(enumeration = "Action", tag = "1")]
    pub(super) action: i32,
    #[prost(int64, tag = "4")]
    pub(super) offset: i64,
    #[prost(int64, tag = "5")]
    pub(super) total: i64,
    #[prost(string, tag = "6")]
    pub(super) digest: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct AbortRequest {
    #[prost(string, tag = "1")]
    pub(super) reference: String,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct Empty {}

/// The service as a tonic server takes it.
#[derive(Clone)]
pub(in super::super) struct ContentServer(Content);

impl ContentServer {
    pub(in super::super) fn new(content: Content) -> Self {
        Self(content)
    }
}

impl NamedService for ContentServer {
    const NAME: &'static str = "containerd.services.content.v1.Content";
}

type Answer = http::Response<tonic::body::Body>;

impl<B> tower::Service<http::Request<B>> for ContentServer
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = BoxFuture<Answer, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let content = self.0.clone();
        Box::pin(async move {
            let method = request.uri().path().rsplit_once('/');
            let method = method.map(|(_, method)| method.to_owned());
            Ok(match method.as_deref() {
                Some("Info") => {
                    let serve = |request: Request<InfoRequest>| ready(content.info(&request));
                    grpc().unary(service_fn(serve), request).await
                }
                Some("Read") => {
                    let serve = |request: Request<ReadRequest>| ready(content.read(&request));
                    grpc().server_streaming(service_fn(serve), request).await
                }
                Some("Write") => {
                    let serve = |request| content.clone().write(request);
                    grpc().streaming(service_fn(serve), request).await
                }
                Some("Abort") => {
                    let serve = |request: Request<AbortRequest>| ready(content.abort(&request));
                    grpc().unary(service_fn(serve), request).await
                }
                // BuildKit calls no other: it neither lists nor labels nor deletes what a client has.
                _ => Status::unimplemented("this content store only gives and takes blobs")
                    .into_http(),
            })
        })
    }
}

fn grpc<Encoded, Decoded>() -> Grpc<ProstCodec<Encoded, Decoded>>
where
    Encoded: prost::Message + Send + 'static,
    Decoded: prost::Message + Default + Send + 'static,
{
    Grpc::new(ProstCodec::default()).apply_max_message_size_config(Some(MAX_MESSAGE), None)
}
