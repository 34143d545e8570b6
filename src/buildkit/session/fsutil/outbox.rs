//! Packets on their way out, bounded by number and by bytes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use buildkit_proto::fsutil::types::{Packet, packet::PacketType};
use futures_util::Stream;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::Status;

/// How many packets wait at most: enough that small ones do not wait for each other.
const PACKETS: usize = 256;

/// How many bytes of file content wait at most, in packets of at most [`CHUNK`] bytes.
const BYTES: usize = 1 << 20;

/// The most content of one packet. Larger ones save processor time, but cost memory at both ends.
pub(super) const CHUNK: usize = 256 << 10;

/// Where a transfer puts its packets.
#[derive(Clone, Debug)]
pub struct Outbox {
    packets: mpsc::Sender<Weighed>,
    bytes: Arc<Semaphore>,
}

/// The stream of the packets of a transfer: the response of the service.
#[derive(Debug)]
pub struct Outgoing(mpsc::Receiver<Weighed>);

#[derive(Debug)]
struct Weighed {
    packet: Packet,
    // Given back when the packet leaves the queue.
    _weight: Option<OwnedSemaphorePermit>,
}

/// The receiving end no longer wants anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed;

/// Joins a transfer with the stream of its packets.
#[must_use]
pub fn outbox() -> (Outbox, Outgoing) {
    let (packets, receiver) = mpsc::channel(PACKETS);
    let bytes = Arc::new(Semaphore::new(BYTES));
    (Outbox { packets, bytes }, Outgoing(receiver))
}

impl Stream for Outgoing {
    type Item = Result<Packet, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0
            .poll_recv(context)
            .map(|weighed| weighed.map(|weighed| Ok(weighed.packet)))
    }
}

impl Outbox {
    /// Sends a packet without content, from asynchronous code.
    pub(super) async fn send(&self, packet: Packet) -> Result<(), Closed> {
        let weighed = Weighed {
            packet,
            _weight: None,
        };
        self.packets.send(weighed).await.map_err(|_| Closed)
    }

    /// Sends a packet from a thread of its own, waiting for room.
    pub(super) fn send_blocking(&self, packet: Packet, runtime: &Handle) -> Result<(), Closed> {
        let weight = u32::try_from(packet.data.len().min(CHUNK)).unwrap_or(u32::MAX);
        let weight = if weight == 0 {
            None
        } else {
            let bytes = Arc::clone(&self.bytes);
            let acquired = match Arc::clone(&bytes).try_acquire_many_owned(weight) {
                Ok(permit) => Ok(permit),
                Err(_) => runtime.block_on(async {
                    tokio::select! {
                        permit = bytes.acquire_many_owned(weight) => permit.map_err(|_| Closed),
                        () = self.packets.closed() => Err(Closed),
                    }
                }),
            };
            Some(acquired?)
        };
        let weighed = Weighed {
            packet,
            _weight: weight,
        };
        self.packets.blocking_send(weighed).map_err(|_| Closed)
    }
}

/// A packet of `kind` without anything in it.
pub(super) fn packet(kind: PacketType) -> Packet {
    Packet {
        r#type: kind.into(),
        ..Packet::default()
    }
}

/// The packet that ends a transfer with `text` as the reason.
pub(super) fn error(text: &str) -> Packet {
    Packet {
        data: text.as_bytes().to_vec(),
        ..packet(PacketType::PacketErr)
    }
}
