//! The index as it lies in the cache: unpacked, with its tables, so that nothing has to be parsed again.

use flate2::Crc;
use serde::{Deserialize, Serialize};

use crate::oci::Digest;

use super::index::Index;

/// Names the layout below; a file of another one is fetched anew.
const MAGIC: &[u8] = b"peelbox index 2\n";

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

/// Magic, length and JSON of the origin, length of the tables, tables, text, CRC-32 of all before.
/// Numbers are little-endian. The sum is for what a crash or a disk does to the file; who can write it is the user.
pub(super) fn encode(origin: &Origin, index: &Index) -> Vec<u8> {
    let origin = serde_json::to_vec(origin).unwrap_or_default(); // texts and numbers only: cannot fail
    let text = index.text().as_bytes();
    let tables: Vec<u8> = index.tables().flat_map(u32::to_le_bytes).collect();
    let mut bytes = Vec::with_capacity(text.len() + tables.len() + origin.len() + 64);
    bytes.extend_from_slice(MAGIC);
    for part in [origin, tables] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&part);
    }
    bytes.extend_from_slice(text);
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
    let (origin, rest) = part(body.strip_prefix(MAGIC)?)?;
    let (tables, text) = part(rest)?;
    let origin: Origin = serde_json::from_slice(origin).ok()?;
    let (tables, odd) = tables.as_chunks::<4>();
    if !odd.is_empty() {
        return None;
    }
    let tables: Vec<u32> = tables
        .iter()
        .map(|bytes| u32::from_le_bytes(*bytes))
        .collect();
    // The text stays where it is: it is most of the file.
    let (start, end) = (body.len() - text.len(), body.len());
    bytes.truncate(end);
    bytes.drain(..start);
    let text = String::from_utf8(bytes).ok()?;
    let index = Index::from_tables(text, &origin.url, origin.digest, &tables)?;
    Some((origin, index))
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    rest.split_at_checked(length)
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
