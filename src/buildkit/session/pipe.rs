//! A byte stream made of the two bodies of a call: what is written goes out as one, what comes in is read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf as _, Bytes};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tonic::Status;
use tonic::transport::server::Connected;

use super::super::error::Error;
use super::wire::{BYTES_FIELD, Contents, MAX_VARINT, PREFIX, prefix};

/// The most that is written into one message: large enough that messages cost nothing, small enough for the cache.
const MESSAGE: usize = 64 << 10;

/// Room for what precedes the content of a message.
const HEAD: usize = PREFIX + 1 + MAX_VARINT;

/// Joins the writing half with the body that sends it.
pub(super) fn outbound() -> (Outbound, OutboundBody) {
    let shared = Arc::new(Shared::default());
    let body = OutboundBody(Arc::clone(&shared));
    (Outbound(shared), body)
}

/// Where the stream is written to; it can be ended apart from the stream.
#[derive(Clone)]
pub(super) struct Outbound(Arc<Shared>);

/// The body that carries what is written.
pub(super) struct OutboundBody(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The message that is being filled, behind room for its head.
    filling: Vec<u8>,
    /// Buffers that were sent.
    spare: Vec<Vec<u8>>,
    writer: Option<Waker>,
    reader: Option<Waker>,
    is_ended: bool,
    is_gone: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbound {
    /// Ends the body, as soon as what was written is sent.
    pub(super) fn end(&self) {
        let reader = {
            let mut state = self.0.state();
            state.is_ended = true;
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn poll_write(
        &self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (written, reader) = {
            let mut state = self.0.state();
            if state.is_gone || state.is_ended {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if state.filling.len() >= HEAD + MESSAGE {
                state.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            if state.filling.is_empty() {
                let mut buffer = state
                    .spare
                    .pop()
                    .unwrap_or_else(|| Vec::with_capacity(HEAD + MESSAGE));
                buffer.clear();
                buffer.resize(HEAD, 0);
                state.filling = buffer;
            }
            let mut written = 0;
            for slice in slices {
                let room = HEAD + MESSAGE - state.filling.len();
                let piece = &slice[..slice.len().min(room)];
                state.filling.extend_from_slice(piece);
                written += piece.len();
            }
            (written, state.reader.take())
        };
        if let Some(reader) = reader {
            reader.wake();
        }
        Poll::Ready(Ok(written))
    }
}

impl http_body::Body for OutboundBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let (filled, writer) = {
            let mut state = self.0.state();
            if state.filling.is_empty() {
                if state.is_ended {
                    return Poll::Ready(None);
                }
                state.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
            (std::mem::take(&mut state.filling), state.writer.take())
        };
        if let Some(writer) = writer {
            writer.wake();
        }
        let message = Message::new(filled, Arc::clone(&self.0));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(message)))))
    }
}

impl Drop for OutboundBody {
    fn drop(&mut self) {
        let writer = {
            let mut state = self.0.state();
            state.is_gone = true;
            state.writer.take()
        };
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

/// A message on its way, whose buffer is used again.
struct Message {
    buffer: Vec<u8>,
    start: usize,
    shared: Arc<Shared>,
}

impl Message {
    /// Writes the head right before the content.
    fn new(mut buffer: Vec<u8>, shared: Arc<Shared>) -> Self {
        let content = buffer.len() - HEAD;
        let mut field = [0; 1 + MAX_VARINT];
        field[0] = BYTES_FIELD;
        let length = content as u64;
        prost::encoding::encode_varint(length, &mut &mut field[1..]);
        let field = &field[..1 + prost::encoding::encoded_len_varint(length)];
        let prefix = prefix(field.len() + content);
        let start = HEAD - field.len() - PREFIX;
        buffer[start..start + PREFIX].copy_from_slice(&prefix);
        buffer[start + PREFIX..HEAD].copy_from_slice(field);
        Self {
            buffer,
            start,
            shared,
        }
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.shared
            .state()
            .spare
            .push(std::mem::take(&mut self.buffer));
    }
}

/// The stream. When it ends, `reason` learns why.
pub(super) struct Pipe {
    inbound: Contents,
    bytes: Bytes,
    outbound: Outbound,
    reason: watch::Sender<Option<String>>,
}

impl Pipe {
    pub(super) fn new(
        inbound: Contents,
        outbound: Outbound,
        reason: watch::Sender<Option<String>>,
    ) -> Self {
        Self {
            inbound,
            bytes: Bytes::new(),
            outbound,
            reason,
        }
    }

    fn ended(&self, reason: impl FnOnce() -> String) {
        self.reason.send_if_modified(|known| {
            let is_news = known.is_none();
            if is_news {
                *known = Some(reason());
            }
            is_news
        });
    }
}

impl Connected for Pipe {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.outbound.end();
        self.ended(|| "our server closed it".to_owned());
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // As much as fits, lest every small message be a read of its own.
        let before = buffer.filled().len();
        while buffer.remaining() > 0 {
            if self.bytes.is_empty() {
                match self.inbound.poll_next(context) {
                    Poll::Ready(Some(Ok(bytes))) => self.bytes = bytes,
                    Poll::Ready(Some(Err(status))) => {
                        self.ended(|| Error::from(status).to_string());
                        break;
                    }
                    Poll::Ready(None) => {
                        self.ended(|| "the daemon closed it".to_owned());
                        break;
                    }
                    Poll::Pending if buffer.filled().len() > before => break,
                    Poll::Pending => return Poll::Pending,
                }
            }
            let length = self.bytes.len().min(buffer.remaining());
            buffer.put_slice(&self.bytes[..length]);
            self.bytes.advance(length);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.outbound.poll_write(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.outbound.poll_write(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    // What is written is sent as soon as the connection below has room.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outbound.end();
        Poll::Ready(Ok(()))
    }
}
