//! Ctrl-C and SIGTERM: the first cancels in order, the second leaves at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::display;
use super::failure::{Exit, Failure};

/// Completes when the user wants the run to end.
#[derive(Clone)]
pub(super) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens from now on.
    pub(super) fn listen() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::environment(format!("cannot listen for signals: {error}"))
        };
        let mut interrupts = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminations = signal(SignalKind::terminate()).map_err(failed)?;
        let (sender, receiver) = watch::channel(false);
        // It listens until the process ends.
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = interrupts.recv() => {}
                    _ = terminations.recv() => {}
                }
            };
            next().await;
            sender.send_replace(true);
            next().await;
            leave();
        });
        Ok(Self(receiver))
    }

    /// Whether the user wants the run to end.
    pub(super) fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Does `work`, which leaves nothing behind when it is dropped, unless the user wants the run to end.
    pub(super) async fn cuts<T, E: From<Failure>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::select! {
            biased;
            () = self.raised() => Err(Failure::new(Exit::Interrupted, "interrupted").into()),
            done = work => done,
        }
    }

    /// Waits until the user wants the run to end.
    pub(super) async fn raised(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|raised| *raised).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[expect(
    clippy::exit,
    reason = "the user asked twice: nothing may hold the process any more"
)]
fn leave() {
    display::restore();
    std::process::exit(Exit::Interrupted as i32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_ends_when_the_user_wants_it_to() {
        let (sender, receiver) = watch::channel(false);
        let interrupt = Interrupt(receiver);
        assert_eq!(interrupt.cuts(async { Ok::<_, Failure>(1) }).await, Ok(1));
        sender.send_replace(true);
        let cut = interrupt.cuts(std::future::pending::<Result<(), Failure>>());
        assert_eq!(cut.await.unwrap_err().exit, Exit::Interrupted);
    }
}
