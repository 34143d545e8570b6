//! What is said beside a connection: on stderr of the program that carries it, or by TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use super::tls::TlsFault;
use crate::text::visible;

/// Collects the words of whoever carries the connection, for the error text.
#[derive(Clone, Debug)]
pub struct Complaint(Arc<watch::Sender<Words>>);

#[derive(Debug, Default)]
struct Words {
    text: String,
    // What is told where nothing was said.
    otherwise: String,
    fault: Option<TlsFault>,
    // Whether a speaker is left.
    is_open: bool,
}

// Only the end is kept: what goes wrong is said last.
const LIMIT: usize = 4 << 10;
const LINES: usize = 5;
// A program says why after it has closed the connection.
const PATIENCE: Duration = Duration::from_secs(2);

impl Complaint {
    /// Of a connection that nobody speaks beside.
    pub(super) fn silent() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }

    /// Of a connection that somebody speaks beside until [`Self::close`].
    pub(super) fn open() -> Self {
        let words = Words {
            is_open: true,
            ..Words::default()
        };
        Self(Arc::new(watch::Sender::new(words)))
    }

    pub(super) fn say(&self, bytes: &[u8]) {
        let more = String::from_utf8_lossy(bytes);
        self.0.send_modify(|words| {
            words.text.push_str(&more);
            if words.text.len() > LIMIT {
                let from = words.text.ceil_char_boundary(words.text.len() - LIMIT);
                words.text.drain(..from);
            }
        });
    }

    /// Ends it; `otherwise` is what is told where nothing was said.
    pub(super) fn close(&self, otherwise: &str) {
        self.0.send_modify(|words| {
            otherwise.clone_into(&mut words.otherwise);
            words.is_open = false;
        });
    }

    // The first is the one that counts, but for one that says only that the connection is gone.
    pub(super) fn fault(&self, fault: TlsFault) {
        self.0.send_modify(|words| {
            if matches!(words.fault, None | Some(TlsFault::Other(_))) {
                words.fault = Some(fault);
            }
        });
    }

    /// What TLS said.
    pub(super) fn tls(&self) -> Option<TlsFault> {
        self.0.borrow().fault.clone()
    }

    /// The last lines that were said, in which nothing is hidden; empty where nothing was. Waits for a speaker that is
    /// about to end, two seconds at most.
    pub async fn told(&self) -> String {
        let mut words = self.0.subscribe();
        let over = words.wait_for(|words| !words.is_open);
        let _ = tokio::time::timeout(PATIENCE, over).await; // what was said until then will do
        let words = self.0.borrow();
        // A program that has ended may have said something that is read only now.
        let text = match words.text.trim().is_empty() {
            true => &words.otherwise,
            false => &words.text,
        };
        let lines: Vec<String> = text
            .lines()
            .map(|line| visible(line.trim()).into_owned())
            .filter(|line| !line.is_empty())
            .collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

/// A stream whose errors are told somebody else too.
pub(super) struct Overheard<S, F> {
    stream: S,
    tell: F,
}

impl<S, F> Overheard<S, F> {
    pub(super) fn new(stream: S, tell: F) -> Self {
        Self { stream, tell }
    }
}

impl<S, F: Fn(&io::Error)> Overheard<S, F> {
    fn heard<T>(&self, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &done {
            (self.tell)(error);
        }
        done
    }
}

impl<S: AsyncRead + Unpin, F: Fn(&io::Error) + Unpin> Overheard<S, F> {
    // Who cannot be written to any more may have said why before, and nobody reads it then.
    fn last_words(&mut self, cx: &mut Context<'_>) {
        let mut bytes = [0; 1 << 10];
        let mut buf = ReadBuf::new(&mut bytes);
        while let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
            if let Err(error) = &read {
                (self.tell)(error);
            }
            if read.is_err() || buf.filled().is_empty() {
                return;
            }
            buf.clear();
        }
    }
}

impl<S: AsyncRead + Unpin, F: Fn(&io::Error) + Unpin> AsyncRead for Overheard<S, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.heard(done)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, F: Fn(&io::Error) + Unpin> AsyncWrite for Overheard<S, F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if matches!(done, Poll::Ready(Err(_))) {
            self.last_words(cx);
        }
        self.heard(done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(done, Poll::Ready(Err(_))) {
            self.last_words(cx);
        }
        self.heard(done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_last_lines_are_told_and_safely() {
        let complaint = Complaint::open();
        for number in 0..2000 {
            complaint.say(format!("line {number}\r\n").as_bytes());
        }
        complaint.say(b"\x1b[31mred\n\n");
        complaint.close("nothing");
        assert_eq!(
            complaint.told().await,
            "line 1996\nline 1997\nline 1998\nline 1999\n\\u{1b}[31mred"
        );
        let silent = Complaint::open();
        silent.close("it ended");
        assert_eq!(silent.told().await, "it ended");
        silent.say(b"what was on its way\n");
        assert_eq!(silent.told().await, "what was on its way");
    }
}
