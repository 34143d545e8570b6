//! SSH agents for build steps.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use buildkit_proto::moby::sshforward::v1::ssh_server::Ssh;
use buildkit_proto::moby::sshforward::v1::{BytesMessage, CheckAgentRequest, CheckAgentResponse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// The agents that build steps may use, as the sockets that they listen at, by id.
///
/// A step can have what it sends signed, and no more: it neither adds nor removes keys.
#[derive(Clone, Debug, Default)]
pub struct Agents(Arc<BTreeMap<String, PathBuf>>);

// https://github.com/moby/buildkit/blob/master/session/sshforward/ssh.go
const ID: &str = "buildkit.ssh.id";
const DEFAULT: &str = "default";
// https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent
const REQUEST_IDENTITIES: u8 = 11;
const SIGN_REQUEST: u8 = 13;
const FAILURE: [u8; 5] = [0, 0, 0, 1, 5];
// OpenSSH's agent takes no more.
const LARGEST_REQUEST: usize = 256 << 10;
const HEADER: usize = 4;
const PAGE: usize = 32 << 10;
const QUEUE: usize = 4;
const CONNECT: Duration = Duration::from_secs(5);

impl Agents {
    /// Offers the agents at `sockets`.
    #[must_use]
    pub fn new(sockets: BTreeMap<String, PathBuf>) -> Self {
        Self(Arc::new(sockets))
    }

    async fn connect(&self, id: &str) -> Result<UnixStream, Status> {
        let id = if id.is_empty() { DEFAULT } else { id };
        let socket = self
            .0
            .get(id)
            .ok_or_else(|| Status::not_found(format!("SSH agent {id} was not given")))?;
        let failed = |reason: &dyn std::fmt::Display| {
            Status::unavailable(format!(
                "SSH agent {id} at `{}` cannot be reached: {reason}",
                socket.display()
            ))
        };
        match tokio::time::timeout(CONNECT, UnixStream::connect(socket)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(failed(&error)),
            Err(elapsed) => Err(failed(&elapsed)),
        }
    }
}

#[tonic::async_trait]
impl Ssh for Agents {
    type ForwardAgentStream = ReceiverStream<Result<BytesMessage, Status>>;

    async fn check_agent(
        &self,
        request: Request<CheckAgentRequest>,
    ) -> Result<Response<CheckAgentResponse>, Status> {
        self.connect(&request.get_ref().id).await?;
        Ok(Response::new(CheckAgentResponse {}))
    }

    async fn forward_agent(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::ForwardAgentStream>, Status> {
        let id = request.metadata().get(ID);
        let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
        let agent = self.connect(id).await?;
        let messages = request.into_inner();
        let (answers, stream) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            // A step that is gone waits for no answer, however long an agent may think about it.
            let ended = tokio::select! {
                ended = forward(messages, agent, &answers) => ended,
                () = answers.closed() => return,
            };
            if let Err(status) = ended {
                let _ = answers.send(Err(status)).await; // the step may be gone
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

type Answers = mpsc::Sender<Result<BytesMessage, Status>>;

/// Takes one request after the other, as the protocol of agents does, and gives the answer to each.
async fn forward(
    mut messages: Streaming<BytesMessage>,
    mut agent: UnixStream,
    answers: &Answers,
) -> Result<(), Status> {
    let failed = |error: std::io::Error| Status::unavailable(format!("SSH agent: {error}"));
    let mut requests = Requests::default();
    while let Some(message) = messages.message().await? {
        requests.feed(&message.data);
        while let Some(request) = requests.next()? {
            if !is_allowed(&request) {
                answer(answers, FAILURE.to_vec()).await?;
                continue;
            }
            agent.write_all(&request).await.map_err(failed)?;
            let mut header = [0; HEADER];
            agent.read_exact(&mut header).await.map_err(failed)?;
            let mut left = length(header)?;
            answer(answers, header.to_vec()).await?;
            while left > 0 {
                let mut data = vec![0; left.min(PAGE)];
                agent.read_exact(&mut data).await.map_err(failed)?;
                left -= data.len();
                answer(answers, data).await?;
            }
        }
    }
    Ok(())
}

async fn answer(answers: &Answers, data: Vec<u8>) -> Result<(), Status> {
    let sent = answers.send(Ok(BytesMessage { data })).await;
    sent.map_err(|_| Status::cancelled("the step is gone"))
}

fn length(header: [u8; HEADER]) -> Result<usize, Status> {
    let length = u32::from_be_bytes(header) as usize;
    if length > LARGEST_REQUEST {
        return Err(Status::invalid_argument(format!(
            "a message of {length} bytes is no agent's"
        )));
    }
    Ok(length)
}

fn is_allowed(request: &[u8]) -> bool {
    matches!(
        request.get(HEADER),
        Some(&(REQUEST_IDENTITIES | SIGN_REQUEST))
    )
}

/// Cuts a stream of bytes into the requests of the agent protocol: a length of four bytes before each.
#[derive(Default)]
struct Requests(Vec<u8>);

impl Requests {
    fn feed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole request with its length.
    fn next(&mut self) -> Result<Option<Vec<u8>>, Status> {
        let Some(header) = self.0.first_chunk() else {
            return Ok(None);
        };
        let end = HEADER + length(*header)?;
        if self.0.len() < end {
            return Ok(None);
        }
        let rest = self.0.split_off(end);
        Ok(Some(std::mem::replace(&mut self.0, rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_cut_wherever_messages_end() {
        let mut requests = Requests::default();
        requests.feed(&[0, 0, 0]);
        assert_eq!(requests.next().unwrap(), None);
        requests.feed(&[1, 11, 0, 0, 0, 2, 13]);
        assert_eq!(requests.next().unwrap().unwrap(), [0, 0, 0, 1, 11]);
        assert_eq!(requests.next().unwrap(), None);
        requests.feed(&[7]);
        assert_eq!(requests.next().unwrap().unwrap(), [0, 0, 0, 2, 13, 7]);
    }

    #[test]
    fn a_request_is_no_larger_than_an_agent_takes() {
        let mut requests = Requests::default();
        requests.feed(&u32::MAX.to_be_bytes());
        assert!(requests.next().is_err());
    }

    #[test]
    fn a_step_may_list_and_sign_only() {
        assert!(is_allowed(&[0, 0, 0, 1, 11]));
        assert!(is_allowed(&[0, 0, 0, 1, 13]));
        // Add, remove, remove all, lock, extension, nothing.
        for request in [
            &[0, 0, 0, 1, 17][..],
            &[0, 0, 0, 1, 18],
            &[0, 0, 0, 1, 19],
            &[0, 0, 0, 1, 22],
            &[0, 0, 0, 1, 27],
            &[0, 0, 0, 0],
        ] {
            assert!(!is_allowed(request), "{request:?}");
        }
    }
}
