//! The index as it lies in the cache: unpacked, with its tables, so that nothing has to be parsed again.

use serde::{Deserialize, Serialize};

use crate::oci::Digest;

use super::index::Index;

/// Names the layout below; a file of another one is fetched anew.
const MAGIC: &[u8] = b"peelbox index 1\n";
/// The sum stands at the end in hex digits.
const SUM: usize = 64;

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

/// Magic, length and JSON of the origin, length of the text, text, tables, SHA-256 of all before.
/// Numbers are little-endian.
pub(super) fn encode(origin: &Origin, index: &Index) -> Vec<u8> {
    let origin = serde_json::to_vec(origin).unwrap_or_default(); // texts and numbers only: cannot fail
    let text = index.text().as_bytes();
    let mut bytes = Vec::with_capacity(text.len() + text.len() / 8 + 4096);
    bytes.extend_from_slice(MAGIC);
    for part in [origin.as_slice(), text] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    for number in index.tables() {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let sum = Digest::of(&bytes).hex();
    bytes.extend_from_slice(sum.as_bytes());
    bytes
}

/// What [`encode`] wrote; `None` for anything else.
pub(super) fn decode(mut bytes: Vec<u8>) -> Option<(Origin, Index)> {
    let body = bytes.len().checked_sub(SUM)?;
    if Digest::of(&bytes[..body]).hex().as_bytes() != &bytes[body..] {
        return None;
    }
    bytes.truncate(body);
    let rest = bytes.strip_prefix(MAGIC)?;
    let (origin, rest) = part(rest)?;
    let (text, tables) = part(rest)?;
    let origin: Origin = serde_json::from_slice(origin).ok()?;
    let (tables, odd) = tables.as_chunks::<4>();
    if !odd.is_empty() {
        return None;
    }
    let tables: Vec<u32> = tables
        .iter()
        .map(|bytes| u32::from_le_bytes(*bytes))
        .collect();
    let text = String::from_utf8(text.to_vec()).ok()?;
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
