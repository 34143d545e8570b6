//! `peelbox dial-stdio`: stdin and stdout as a connection to the daemon.

use std::process::ExitCode;

use tokio::io::AsyncWriteExt as _;

use crate::buildkit;

use super::args::Connection;
use super::discover::{self, Wanted};
use super::environment::Environment;
use super::failure::Failure;
use super::say;

/// Connects until either side ends.
pub(super) async fn dial(
    connection: &Connection,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let (endpoint, access) =
        discover::endpoint(&Wanted::read(connection, environment)?, say).await?;
    let dialed = buildkit::open(&endpoint, &access)
        .await
        .map_err(|error| discover::unreachable(&error))?;
    let (mut from_daemon, mut to_daemon) = tokio::io::split(dialed.stream);
    let upstream = async {
        let copied = tokio::io::copy(&mut tokio::io::stdin(), &mut to_daemon).await;
        let _ = to_daemon.shutdown().await; // a daemon that is gone needs no end
        copied
    };
    let downstream = async {
        let mut stdout = tokio::io::stdout();
        let copied = tokio::io::copy(&mut from_daemon, &mut stdout).await;
        let _ = stdout.flush().await; // who reads has gone, which ends the connection anyway
        copied
    };
    // The daemon's end is the end; after ours it may still have something to say.
    let (upstream, downstream) = (std::pin::pin!(upstream), std::pin::pin!(downstream));
    let ended = match futures_util::future::select(downstream, upstream).await {
        futures_util::future::Either::Left((ended, _)) => ended,
        futures_util::future::Either::Right((_, downstream)) => downstream.await,
    };
    let length =
        ended.map_err(|error| Failure::environment(format!("the connection broke: {error}")))?;
    // Every daemon has something to say, a program that cannot reach one only beside it.
    if length == 0 {
        let known = buildkit::explain(&endpoint, &access, &dialed.complaint).await;
        if let Some(error) = known {
            return Err(discover::unreachable(&error));
        }
    }
    Ok(ExitCode::SUCCESS)
}
