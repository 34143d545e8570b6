//! A program whose standard streams are the connection: `podman`, `kubectl`, `ssh`.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;

use super::complaint::Complaint;
use super::endpoint::{KubePod, Ssh};

/// A program and what it is started with; nothing of it passes a shell on this machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invocation {
    pub(super) program: &'static str,
    arguments: Vec<String>,
}

const DIAL: [&str; 2] = ["buildctl", "dial-stdio"];

impl Invocation {
    pub(super) fn podman(container: &str) -> Self {
        Self::new("podman", [&["exec", "-i", container], &DIAL[..]].concat())
    }

    pub(super) fn kubectl(pod: &KubePod) -> Self {
        let flag = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("--{name}={value}"))
        };
        let context = flag("context", &pod.context);
        let namespace = flag("namespace", &pod.namespace);
        let container = flag("container", &pod.container);
        let mut arguments: Vec<&str> = context
            .iter()
            .chain(&namespace)
            .map(|flag| &**flag)
            .collect();
        arguments.push("exec");
        arguments.extend(container.as_deref());
        arguments.extend(["-i", &pod.pod, "--"]);
        Self::new("kubectl", [&arguments[..], &DIAL[..]].concat())
    }

    pub(super) fn ssh(machine: &Ssh) -> Self {
        let port = machine.port.map(|port| port.to_string());
        let socket = machine.socket.as_ref().map(|path| format!("unix://{path}"));
        // A question would have nobody to answer it: standard input is the connection.
        let mut arguments = vec!["-o", "BatchMode=yes"];
        if let Some(user) = &machine.user {
            arguments.extend(["-l", user]);
        }
        if let Some(port) = &port {
            arguments.extend(["-p", port]);
        }
        arguments.extend(["--", &machine.host, "buildctl"]);
        if let Some(socket) = &socket {
            arguments.extend(["--addr", socket]);
        }
        arguments.push("dial-stdio");
        Self::new("ssh", arguments)
    }

    fn new(program: &'static str, arguments: Vec<&str>) -> Self {
        Self {
            program,
            arguments: arguments.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Starts it.
    pub(super) fn start(&self, complaint: &Complaint) -> io::Result<Running> {
        let mut child = Command::new(self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in the terminal is for us: a build is cancelled over this connection.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let stdin = child.stdin.take().ok_or_else(gone)?;
        let stdout = child.stdout.take().ok_or_else(gone)?;
        let stderr = child.stderr.take().ok_or_else(gone)?;
        let (alive, closed) = oneshot::channel();
        // It ends with the program, which ends with the stream.
        tokio::spawn(keep(self.program, child, stderr, closed, complaint.clone()));
        Ok(Running {
            stdin: Some(stdin),
            stdout,
            opening: Opening::new(complaint.clone()),
            _alive: alive,
        })
    }
}

// How long a program may take to notice that nobody talks to it any more.
const GRACE: Duration = Duration::from_secs(2);
// What is still in the pipe when it has ended; somebody it has left behind may keep that open.
const LAST_WORDS: Duration = Duration::from_millis(250);

async fn keep(
    program: &str,
    mut child: Child,
    stderr: ChildStderr,
    closed: oneshot::Receiver<()>,
    complaint: Complaint,
) {
    let mut spoken = std::pin::pin!(listen(stderr, &complaint));
    let ended = async {
        tokio::select! {
            status = child.wait() => return status,
            _ = closed => {}
        }
        match tokio::time::timeout(GRACE, child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                child.kill().await?;
                child.wait().await
            }
        }
    };
    let mut ended = std::pin::pin!(ended);
    let status = tokio::select! {
        status = &mut ended => {
            let _ = tokio::time::timeout(LAST_WORDS, spoken).await; // more is not to be had
            status
        }
        () = &mut spoken => ended.await,
    };
    complaint.close(&match status {
        Ok(status) => format!("`{program}` ended with {status}"),
        Err(error) => format!("`{program}` is gone: {error}"),
    });
}

async fn listen(mut stderr: ChildStderr, complaint: &Complaint) {
    let mut chunk = [0; 1024];
    while let Ok(length @ 1..) = stderr.read(&mut chunk).await {
        complaint.say(&chunk[..length]);
    }
}

/// The first bytes of the other side, which are text where a program failed.
pub(super) struct Opening(Option<Complaint>);

impl Opening {
    pub(super) fn new(complaint: Complaint) -> Self {
        Self(Some(complaint))
    }

    /// Looks at the first bytes that came.
    pub(super) fn look(&mut self, bytes: &[u8]) {
        // A server of HTTP/2 begins with SETTINGS, whose length and type are these:
        // https://www.rfc-editor.org/rfc/rfc9113.html#section-3.4
        let is_http2 = |bytes: &[u8]| bytes[0] == 0 && bytes.get(3).is_none_or(|kind| *kind == 4);
        if bytes.is_empty() {
            return;
        }
        if let Some(complaint) = self.0.take()
            && !is_http2(bytes)
        {
            complaint.say(bytes);
        }
    }
}

/// The standard streams of a program; it is ended when this is dropped.
pub(super) struct Running {
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    opening: Opening,
    _alive: oneshot::Sender<()>,
}

impl AsyncRead for Running {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.stdout).poll_read(cx, buf);
        if done.is_ready() {
            self.opening.look(&buf.filled()[before..]);
        }
        done
    }
}

impl AsyncWrite for Running {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = std::task::ready!(self.as_mut().poll_flush(cx));
        self.stdin = None; // the program's end of input
        Poll::Ready(flushed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::Endpoint;
    use super::*;

    fn line(endpoint: &str) -> String {
        let invocation = match endpoint.parse().unwrap() {
            Endpoint::PodmanContainer(name) => Invocation::podman(&name),
            Endpoint::KubePod(pod) => Invocation::kubectl(&pod),
            Endpoint::Ssh(machine) => Invocation::ssh(&machine),
            other => panic!("{other}"),
        };
        format!("{} {}", invocation.program, invocation.arguments.join(" "))
    }

    #[test]
    fn the_command_lines_are_those_of_buildctl() {
        for (endpoint, expected) in [
            (
                "podman-container://b",
                "podman exec -i b buildctl dial-stdio",
            ),
            ("kube-pod://b", "kubectl exec -i b -- buildctl dial-stdio"),
            (
                "kube-pod://b?context=a%40b&namespace=n&container=c",
                "kubectl --context=a@b --namespace=n exec --container=c -i b -- buildctl dial-stdio",
            ),
            ("ssh://b", "ssh -o BatchMode=yes -- b buildctl dial-stdio"),
            (
                "ssh://me@[::1]:22/run/b.sock",
                "ssh -o BatchMode=yes -l me -p 22 -- ::1 buildctl --addr unix:///run/b.sock dial-stdio",
            ),
        ] {
            assert_eq!(line(endpoint), expected);
        }
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_by_itself_is_ended() {
        let complaint = Complaint::open();
        let invocation = Invocation::new("sleep", vec!["600"]);
        drop(invocation.start(&complaint).unwrap());
        let ended = async { while complaint.told().await.is_empty() {} };
        tokio::time::timeout(Duration::from_secs(20), ended)
            .await
            .unwrap();
        assert_eq!(
            complaint.told().await,
            "`sleep` ended with signal: 9 (SIGKILL)"
        );
    }

    #[tokio::test]
    async fn text_where_http2_should_be_is_a_complaint() {
        for (bytes, told) in [
            (&b"\0\0\x06\x04\0\0\0\0\0"[..], "nothing"),
            (b"\0", "nothing"),
            (
                b"bash: buildctl: command not found\n",
                "bash: buildctl: command not found",
            ),
        ] {
            let complaint = Complaint::open();
            let mut opening = Opening::new(complaint.clone());
            opening.look(b"");
            opening.look(bytes);
            opening.look(b"later");
            complaint.close("nothing");
            assert_eq!(complaint.told().await, told);
        }
    }
}
