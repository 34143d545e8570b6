//! The index as it lies in the cache: unpacked, with its tables, so that nothing has to be parsed again.

use flate2::Crc;
use serde::{Deserialize, Serialize};

use crate::oci::Digest;

use super::index::{Index, Parts};

/// Names the layout below; a file of another one is fetched anew.
const MAGIC: &[u8] = b"peelbox index 3\n";

/// What is known about the file that the index came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) url: String,
    pub(super) digest: Digest,
    /// Seconds since 1970.
    pub(super) checked: u64,
    pub(super) etag: Option<String>,
    pub(super) modified: Option<String>,
}

/// Text, tables, JSON of the origin, lengths of the two, magic, CRC-32 of all before. Numbers are little-endian. The text comes first, so that it
/// can stay where the file was read to. The sum is for what a crash or a disk does to the file; who can write it is the user.
pub(super) fn encode(origin: &Origin, index: &Index) -> Vec<u8> {
    let origin = serde_json::to_vec(origin).unwrap_or_default(); // texts and numbers only: cannot fail
    let mut bytes = index.text().as_bytes().to_vec();
    let text = bytes.len();
    bytes.extend(index.tables().flat_map(u32::to_le_bytes));
    let tables = bytes.len() - text;
    bytes.extend_from_slice(&origin);
    for length in [tables, origin.len()] {
        bytes.extend_from_slice(&(length as u64).to_le_bytes());
    }
    bytes.extend_from_slice(MAGIC);
    let sum = sum(&bytes);
    bytes.extend_from_slice(&sum);
    bytes
}

fn sum(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}

/// What [`encode`] wrote; `None` for anything else.
pub(super) fn decode(mut bytes: Vec<u8>) -> Option<(Origin, Index)> {
    let (body, end) = bytes.split_last_chunk::<4>()?;
    if sum(body) != *end {
        return None;
    }
    let body = body.strip_suffix(MAGIC)?;
    let (body, origin_length) = length(body)?;
    let (body, tables_length) = length(body)?;
    let (body, origin) = body.split_at(body.len().checked_sub(origin_length)?);
    let origin: Origin = serde_json::from_slice(origin).ok()?;
    let text = body.len().checked_sub(tables_length)?;
    let (numbers, odd) = body[text..].as_chunks::<4>();
    if !odd.is_empty() {
        return None;
    }
    let tables = Parts::read(numbers.iter().map(|bytes| u32::from_le_bytes(*bytes)))?;
    bytes.truncate(text);
    let text = String::from_utf8(bytes).ok()?;
    let index = Index::from_parts(text, &origin.url, origin.digest, tables)?;
    Some((origin, index))
}

/// The length that stands at the end, and what comes before it.
fn length(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (before, length) = bytes.split_last_chunk::<8>()?;
    Some((before, usize::try_from(u64::from_le_bytes(*length)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Dice, tiny};
    use super::*;

    fn origin(index: &Index) -> Origin {
        Origin {
            url: "https://wolfi.example/x86_64".to_owned(),
            digest: index.digest(),
            checked: 1_782_986_139,
            etag: Some("\"a\"".to_owned()),
            modified: None,
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        let index = tiny("foo 2 | p:cmd:foo=2 | D:bar\nfoo 1\nbar 1 | t:7");
        let origin = origin(&index);
        let (found, back) = decode(encode(&origin, &index)).unwrap();
        assert_eq!(found, origin);
        assert_eq!(back.text(), index.text());
        assert!(back.tables().eq(index.tables()));
        assert_eq!(back.digest(), index.digest());
    }

    #[test]
    fn an_empty_index_is_one_too() {
        let index = tiny("");
        assert!(
            decode(encode(&origin(&index), &index))
                .unwrap()
                .1
                .is_empty()
        );
    }

    #[test]
    fn a_damaged_file_is_none() {
        let index = tiny("foo 2 | p:cmd:foo=2\nbar 1");
        let bytes = encode(&origin(&index), &index);
        for length in 0..bytes.len() {
            assert!(decode(bytes[..length].to_vec()).is_none(), "{length} bytes");
        }
        let mut dice = Dice(9);
        for _ in 0..1000 {
            let mut altered = bytes.clone();
            let at = dice.roll(altered.len());
            altered[at] ^= 1 << dice.roll(8);
            assert!(decode(altered).is_none(), "byte {at}");
        }
    }
}
