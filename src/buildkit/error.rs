//! What a daemon says when something fails.

use std::error::Error as _;
use std::fmt;

use buildkit_proto::google::rpc;
use prost::Message as _;
use serde::Deserialize;
use tonic::Code;

use crate::oci::Digest;

/// How the error of an operation in the status stream ends that was stopped rather than failed.
pub const CANCELED: &str = "context canceled";

/// A call to the daemon that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The daemon answered with an error.
    #[error("{0}")]
    Remote(Box<RemoteError>),
    /// The connection failed; nothing is known of the call's fate.
    #[error("the connection to the daemon failed: {0}")]
    Transport(String),
    /// The daemon's answer lacks what the protocol promises.
    #[error("the daemon's answer to {call} has no {missing}")]
    Incomplete {
        /// The call.
        call: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// The daemon takes calls and does not answer them.
    #[error("the daemon has not answered {call} for {seconds} s")]
    Silent {
        /// The call.
        call: &'static str,
        /// How long it had, in seconds.
        seconds: u64,
    },
    /// The session ended while it was needed.
    #[error("the session with the daemon ended: {0}")]
    Session(String),
    /// The caller asked for an end.
    #[error("interrupted")]
    Interrupted,
}

/// An error of the daemon with the facts that came in its details.
#[derive(Clone, PartialEq)]
pub struct RemoteError {
    /// The gRPC status code; nearly always `Unknown`.
    pub code: Code,
    /// The daemon's text.
    pub message: String,
    /// The vertex that failed.
    pub vertex: Option<Digest>,
    /// The exit code of the process that failed.
    pub exit_code: Option<u32>,
    status: rpc::Status,
}

impl Error {
    /// The remote error, if it is one.
    #[must_use]
    pub fn remote(&self) -> Option<&RemoteError> {
        match self {
            Self::Remote(error) => Some(error),
            _ => None,
        }
    }

    /// The status to hand back in a gateway `Return`, details and all.
    ///
    /// Control.Solve knows only the message of a failed gateway build unless the details are passed through.
    pub(super) fn to_status(&self) -> rpc::Status {
        match self {
            Self::Remote(error) => error.status.clone(),
            other => rpc::Status {
                code: Code::Unknown as i32,
                message: other.to_string(),
                details: Vec::new(),
            },
        }
    }
}

impl RemoteError {
    /// Whether the daemon does not know the method that was called.
    #[must_use]
    pub fn is_unimplemented(&self) -> bool {
        self.code == Code::Unimplemented
    }
}

// The details repeat all this, with stack traces.
impl fmt::Debug for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteError")
            .field("code", &self.code)
            .field("message", &self.message)
            .field("vertex", &self.vertex)
            .field("exit_code", &self.exit_code)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        // Statuses made by tonic itself for a broken connection carry a source; those of the daemon never do.
        if status.source().is_some() && status.details().is_empty() {
            return Self::Transport(match is_silence(&status) {
                true => SILENCE.to_owned(),
                false => causes(status.message(), &status),
            });
        }
        Self::Remote(Box::new(RemoteError::from_status(&status)))
    }
}

/// What a connection is ended with from which nothing comes any more.
const SILENCE: &str = "nothing comes from it any more, not even an answer to a PING";

/// Whether the connection was given up because nothing came from it.
fn is_silence(status: &tonic::Status) -> bool {
    let causes = std::iter::successors(status.source(), |&error| error.source());
    let mut of_hyper = causes.filter_map(|cause| cause.downcast_ref::<hyper::Error>());
    of_hyper.any(hyper::Error::is_timeout)
}

/// `text` with what caused `error`, in one line.
fn causes(text: &str, error: &dyn std::error::Error) -> String {
    let mut text = text.to_owned();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}

#[derive(Deserialize)]
struct VertexDetail {
    digest: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExitDetail {
    #[serde(default)]
    code: u32,
}

impl RemoteError {
    // Every `Any.value` is JSON, and the type is named without the usual `type.googleapis.com/`:
    // https://github.com/moby/buildkit/blob/master/util/grpcerrors/grpcerrors.go
    fn from_status(status: &tonic::Status) -> Self {
        let details = rpc::Status::decode(status.details()).unwrap_or_default();
        let mut error = Self {
            code: status.code(),
            message: status.message().to_owned(),
            vertex: None,
            exit_code: None,
            status: rpc::Status {
                code: status.code() as i32,
                message: status.message().to_owned(),
                details: details.details,
            },
        };
        for any in &error.status.details {
            if any.type_url.ends_with("errdefs.Vertex+json") {
                let vertex: Option<VertexDetail> = serde_json::from_slice(&any.value).ok();
                error.vertex = error
                    .vertex
                    .or_else(|| vertex.and_then(|vertex| vertex.digest.parse().ok()));
            } else if any.type_url.ends_with("ExitMessage+json") {
                let exit: Option<ExitDetail> = serde_json::from_slice(&any.value).ok();
                error.exit_code = error.exit_code.or_else(|| exit.map(|exit| exit.code));
            }
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use buildkit_proto::google::protobuf::Any;

    use super::*;

    #[test]
    fn details_are_read_from_json() {
        let details = rpc::Status {
            code: 2,
            message: "failed".to_owned(),
            details: vec![
                Any {
                    type_url: "github.com/moby/buildkit/errdefs.Vertex+json".to_owned(),
                    value: format!("{{\"digest\":\"{}\"}}", Digest::of(b"")).into_bytes(),
                },
                Any {
                    type_url: "github.com/moby/buildkit/gatewayapi.ExitMessage+json".to_owned(),
                    value: b"{\"Code\":7}".to_vec(),
                },
                Any {
                    type_url: "github.com/moby/buildkit/stack.Stack+json".to_owned(),
                    value: b"not json".to_vec(),
                },
            ],
        };
        let status =
            tonic::Status::with_details(Code::Unknown, "failed", details.encode_to_vec().into());
        let error = Error::from(status);
        let remote = error.remote().unwrap();
        assert_eq!(
            (remote.vertex, remote.exit_code),
            (Some(Digest::of(b"")), Some(7))
        );
        assert_eq!(error.to_status(), details);
    }
}
