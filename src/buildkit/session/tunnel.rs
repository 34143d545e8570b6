//! An HTTP/2 connection inside the Control.Session stream, in which the daemon is the client.

use std::io;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::server::Router;
use tower::ServiceExt as _;

use super::super::client::{Client, answered};
use super::super::error::Error;
use super::pipe::{Outbound, Pipe, outbound};
use super::wire::Contents;

const SESSION: &str = "/moby.buildkit.v1.Control/Session";
const CLOSE_GRACE: Duration = Duration::from_secs(5);

// The daemon calls file services only where they are listed.
const METHODS: [&str; 10] = [
    "/grpc.health.v1.Health/Check",
    "/moby.filesync.v1.FileSync/DiffCopy",
    "/moby.filesync.v1.FileSend/DiffCopy",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.filesync.v1.Auth/FetchToken",
    "/moby.filesync.v1.Auth/GetTokenAuthority",
    "/moby.filesync.v1.Auth/VerifyTokenAuthority",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
];

pub(super) struct Tunnel {
    server: JoinHandle<()>,
    outbound: Outbound,
    ended: watch::Receiver<Option<String>>,
}

/// Opens the stream and serves `router` in it; the receiver tells why the session ended, once it has.
///
/// The call is made below the generated client: that would copy all that goes through it, twice.
pub(super) async fn open(
    client: &Client,
    id: &str,
    name: &str,
    router: Router,
) -> Result<(Tunnel, watch::Receiver<Option<String>>), Error> {
    let (outbound, body) = outbound();
    let mut request = http::Request::post(SESSION)
        .body(Body::new(body))
        .map_err(|error| Error::Session(error.to_string()))?;
    describe(request.headers_mut(), id, name)?;
    let call = client.channel.clone().oneshot(request);
    let call = async { call.await.map_err(|error| Status::from_error(error.into())) };
    let answer = answered("Session", client.patience, call).await?;
    if let Some(status) = Status::from_header_map(answer.headers()) {
        return Err(status.into());
    }
    let (reason, ended) = watch::channel(None);
    let pipe = Pipe::new(Contents::new(answer.into_body()), outbound.clone(), reason);
    let incoming = futures_util::stream::iter([Ok::<_, io::Error>(pipe)])
        .chain(futures_util::stream::pending());
    let server = tokio::spawn(async move {
        let _ = router.serve_with_incoming(incoming).await; // the daemon's side reports it
    });
    let tunnel = Tunnel {
        server,
        outbound,
        ended: ended.clone(),
    };
    Ok((tunnel, ended))
}

fn describe(headers: &mut HeaderMap, id: &str, name: &str) -> Result<(), Error> {
    let value = |text: &str| {
        HeaderValue::from_str(text)
            .map_err(|_| Error::Session(format!("`{text}` is no header value")))
    };
    headers.insert(http::header::CONTENT_TYPE, value("application/grpc")?);
    headers.insert(http::header::TE, value("trailers")?);
    headers.insert("x-docker-expose-session-uuid", value(id)?);
    headers.insert("x-docker-expose-session-sharedkey", value("")?);
    headers.insert("x-docker-expose-session-name", value(name)?);
    for method in METHODS {
        headers.append("x-docker-expose-session-grpc-method", value(method)?);
    }
    Ok(())
}

impl Tunnel {
    pub(super) async fn close(mut self) {
        // The end of our half of the stream is the sign for the daemon to end the session.
        self.outbound.end();
        let ended = self.ended.wait_for(Option::is_some);
        let _ = tokio::time::timeout(CLOSE_GRACE, ended).await; // a daemon that is gone answers nothing
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.outbound.end();
        self.server.abort();
    }
}
