//! One gzip member after the other, with the border between them.

use flate2::{Decompress, FlushDecompress, Status};

const CHUNK: usize = 64 * 1024;

/// Unpacks one gzip member from bytes as they come.
pub(super) struct Member {
    inflate: Decompress,
    chunk: Vec<u8>,
}

/// What [`Member::push`] made of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// All of it belongs to the member, which is not complete.
    All,
    /// The member ended behind so many bytes.
    Ended(usize),
}

/// Bytes that are no gzip member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotGzip;

impl Member {
    pub(super) fn new() -> Self {
        Self {
            inflate: Decompress::new_gzip(15), // the largest window, which fits all
            chunk: vec![0; CHUNK],
        }
    }

    /// Unpacks `input` and hands every piece to `sink`.
    pub(super) fn push<E: From<NotGzip>>(
        &mut self,
        mut input: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Pushed, E> {
        let whole = input.len();
        loop {
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(input, &mut self.chunk, FlushDecompress::None)
                .map_err(|_| NotGzip)?;
            let taken = (self.inflate.total_in() - before_in) as usize;
            let made = (self.inflate.total_out() - before_out) as usize;
            input = &input[taken..];
            sink(&self.chunk[..made])?;
            if status == Status::StreamEnd {
                return Ok(Pushed::Ended(whole - input.len()));
            }
            // A chunk that was filled may leave more behind in the inflater.
            if made < CHUNK && input.is_empty() {
                return Ok(Pushed::All);
            }
            if taken == 0 && made == 0 {
                return Err(NotGzip.into());
            }
        }
    }
}
