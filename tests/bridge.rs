//! A bridge: `peelbox dial-stdio` gives a daemon another face, here a Unix socket and a TCP port.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::process::Stdio;

use peelbox::buildkit::{Access, Client, Endpoint};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional, join};
use tokio::net::{TcpListener, UnixListener};
use tokio::process::Command;

/// Serves one connection with a `dial-stdio` of its own, as `docker exec … buildctl dial-stdio` would.
async fn serve(mut connection: impl AsyncRead + AsyncWrite + Unpin) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_peelbox"))
        .args(["dial-stdio", "--buildkit", &support::endpoint().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut program = join(child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let _ = copy_bidirectional(&mut connection, &mut program).await; // either side may end it
}

/// The daemon behind `endpoint` answers, and can be asked to build.
async fn answers(endpoint: Endpoint) {
    let client = Client::connect(endpoint, &Access::default()).await.unwrap();
    let daemon = client.daemon().await.unwrap();
    let session = support::session(&client).await;
    let capabilities = client.capabilities(&session).await.unwrap();
    capabilities.check(&daemon).unwrap();
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dial_stdio_gives_a_daemon_the_face_of_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bridge.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let bridge = tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    answers(Endpoint::Unix(path)).await;
    bridge.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn dial_stdio_gives_a_daemon_the_face_of_a_tcp_port() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bridge = tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    answers(Endpoint::Tcp(address.to_string())).await;
    bridge.abort();
}
