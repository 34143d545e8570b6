//! gRPC's messages as bytes, for streams whose content is too much to be copied.
//!
//! A message is [framed] by a byte that says whether it is compressed, which none here is, and its length.
//!
//! [framed]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md

use std::pin::Pin;
use std::task::{Context, Poll};

use buildkit_proto::fsutil::types::Packet;
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::Stream;
use http_body::{Body as _, Frame};
use prost::Message as _;
use tonic::Status;
use tonic::body::Body;

use super::super::client::MAX_MESSAGE;

/// The length of what stands before a message.
pub(super) const PREFIX: usize = 5;

/// The longest number that the encoding has.
pub(super) const MAX_VARINT: usize = 10;

/// What precedes the content of a `BytesMessage`: field 1, which is of the kind that states its length.
pub(super) const BYTES_FIELD: u8 = 0x0a;

/// The bytes before a message of `length` bytes.
pub(super) fn prefix(length: usize) -> [u8; PREFIX] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [0, a, b, c, d]
}

/// An answer that goes on as long as `body` does.
pub(super) fn answer<B>(body: B) -> http::Response<Body>
where
    B: http_body::Body<Data = Bytes, Error = Status> + Send + 'static,
{
    let mut response = http::Response::new(Body::new(body));
    let kind = http::HeaderValue::from_static("application/grpc");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    response
}

/// The frame that ends an answer well.
pub(super) fn done() -> Frame<Bytes> {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    Frame::trailers(trailers)
}

/// The next bytes of `body`; `None` at its end, which may be an error.
fn poll_bytes(body: &mut Body, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
    loop {
        let Some(frame) = std::task::ready!(Pin::new(&mut *body).poll_frame(context)?) else {
            return Poll::Ready(None);
        };
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => return Poll::Ready(Some(Ok(data))),
            Err(frame) => {
                let status = frame.trailers_ref().and_then(Status::from_header_map);
                return match status {
                    Some(status) if status.code() != tonic::Code::Ok => {
                        Poll::Ready(Some(Err(status)))
                    }
                    _ => Poll::Ready(None),
                };
            }
        }
    }
}

/// The content of a stream of `BytesMessage`, in pieces that are no copies and know nothing of where messages end.
pub(super) struct Contents {
    body: Body,
    parser: Parser,
    bytes: Bytes,
}

impl Contents {
    pub(super) fn new(body: Body) -> Self {
        Self {
            body,
            parser: Parser::default(),
            bytes: Bytes::new(),
        }
    }

    /// The next piece, which is not empty; `None` at the end.
    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Status>>> {
        loop {
            if let Some(piece) = self.parser.take(&mut self.bytes)? {
                return Poll::Ready(Some(Ok(piece)));
            }
            match std::task::ready!(poll_bytes(&mut self.body, context)?) {
                Some(bytes) => self.bytes = bytes,
                None if self.parser.is_between() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(malformed("ends within a message")))),
            }
        }
    }

    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Status>> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }
}

fn malformed(what: &str) -> Status {
    Status::internal(format!("the daemon's stream {what}"))
}

/// Finds the content in a stream of `BytesMessage`, whatever pieces it comes in.
#[derive(Debug, Default)]
struct Parser {
    /// The beginning of a message, as far as it has come.
    head: Vec<u8>,
    /// What is left of the content of the message.
    left: usize,
}

impl Parser {
    fn is_between(&self) -> bool {
        self.head.is_empty() && self.left == 0
    }

    /// Takes content from the front of `bytes`; `None` when all of them are used up.
    fn take(&mut self, bytes: &mut Bytes) -> Result<Option<Bytes>, Status> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let piece = bytes.split_to(self.left.min(bytes.len()));
                self.left -= piece.len();
                return Ok(Some(piece));
            }
            self.head.push(bytes.get_u8());
            if let Some(length) = content(&self.head)? {
                self.left = length;
                self.head.clear();
            }
        }
        Ok(None)
    }
}

/// The length of the content behind `head`; `None` if more of the head has to come.
fn content(head: &[u8]) -> Result<Option<usize>, Status> {
    let Some((prefix, message)) = head.split_at_checked(PREFIX) else {
        return Ok(None);
    };
    if prefix[0] != 0 {
        return Err(malformed("is compressed, which was not offered"));
    }
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_MESSAGE {
        return Err(malformed("has a message that is too long"));
    }
    match message {
        [] if length == 0 => Ok(Some(0)),
        [] => Ok(None),
        [BYTES_FIELD, varint @ ..] => {
            if varint.last().is_none_or(|last| last & 0x80 != 0) && varint.len() < MAX_VARINT {
                return Ok(None);
            }
            let mut rest = varint;
            let stated = prost::encoding::decode_varint(&mut rest);
            let stated = stated.ok().and_then(|stated| usize::try_from(stated).ok());
            match stated {
                Some(stated) if stated.checked_add(message.len()) == Some(length) => {
                    Ok(Some(stated))
                }
                _ => Err(malformed("has a message with more in it than bytes")),
            }
        }
        _ => Err(malformed("has a message with more in it than bytes")),
    }
}

/// The packets of a file transfer that arrive in a body.
pub(super) struct Packets {
    body: Body,
    bytes: BytesMut,
}

impl Packets {
    pub(super) fn new(body: Body) -> Self {
        Self {
            body,
            bytes: BytesMut::new(),
        }
    }

    fn take(&mut self) -> Result<Option<Packet>, Status> {
        let Some(head) = self.bytes.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if head[0] != 0 || length > MAX_MESSAGE {
            return Err(malformed("has a message that is compressed or too long"));
        }
        if self.bytes.len() - PREFIX < length {
            return Ok(None);
        }
        self.bytes.advance(PREFIX);
        let message = Packet::decode(&self.bytes[..length]);
        self.bytes.advance(length);
        message
            .map(Some)
            .map_err(|_| malformed("has a message that is no packet"))
    }
}

impl Stream for Packets {
    type Item = Result<Packet, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(packet) = self.take()? {
                return Poll::Ready(Some(Ok(packet)));
            }
            match std::task::ready!(poll_bytes(&mut self.body, context)?) {
                Some(bytes) => self.bytes.extend_from_slice(&bytes),
                None => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use buildkit_proto::moby::buildkit::v1::BytesMessage;

    use super::*;

    fn framed(messages: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for data in messages {
            let data = data.to_vec();
            let message = BytesMessage { data }.encode_to_vec();
            bytes.extend(prefix(message.len()));
            bytes.extend(message);
        }
        bytes
    }

    fn contents(parser: &mut Parser, bytes: &[u8]) -> Result<Vec<u8>, Status> {
        let mut bytes = Bytes::copy_from_slice(bytes);
        let mut all = Vec::new();
        while let Some(piece) = parser.take(&mut bytes)? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    #[test]
    fn content_is_found_in_whatever_pieces_it_comes() {
        let long = vec![7; 300];
        let bytes = framed(&[b"one", b"", &long, b"\0\0"]);
        let expected = [b"one".as_slice(), &long, b"\0\0"].concat();
        for size in [1, 2, 7, 100, bytes.len()] {
            let mut parser = Parser::default();
            let pieces = bytes.chunks(size);
            let all = pieces.flat_map(|piece| contents(&mut parser, piece).unwrap());
            assert_eq!(all.collect::<Vec<u8>>(), expected, "in pieces of {size}");
            assert!(parser.is_between());
        }
    }

    #[test]
    fn a_message_that_is_not_bytes_alone_is_refused() {
        let mut other = framed(&[b"one"]);
        other[PREFIX] = 0x12;
        let mut longer = framed(&[b"one"]);
        longer[PREFIX - 1] += 1;
        let mut compressed = framed(&[b"one"]);
        compressed[0] = 1;
        let endless = [prefix(100).as_slice(), &[BYTES_FIELD], &[0xff; 12]].concat();
        for bytes in [other, longer, compressed, endless, vec![0, 0xff, 0, 0, 0]] {
            assert!(
                contents(&mut Parser::default(), &bytes).is_err(),
                "{bytes:?}"
            );
        }
    }
}
