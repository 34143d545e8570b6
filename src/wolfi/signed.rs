//! The signed file that an index comes in.

use crate::oci::Digest;

use super::gzip::{Member, NotGzip, Pushed};
use super::index::Index;
use super::keys::{Keys, SignatureError};
use super::untar::{Entry, Keep, Members, TarError, Untar, Visit};

const SIGNATURE_LIMIT: usize = 64 * 1024;
/// The published index unpacks to some 100 MiB.
const TEXT_LIMIT: u64 = 1 << 30;

/// Why a file is no acceptable index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// Its signature does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It is not made of gzip members.
    #[error("it is not gzip, or cut short")]
    Gzip,
    /// Within the gzip it is no tar stream.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// It unpacks to more than any index.
    #[error("it unpacks to more than {} MiB", TEXT_LIMIT >> 20)]
    TooLarge,
    /// There is no `APKINDEX` in it.
    #[error("it holds no `APKINDEX`")]
    Empty,
}

impl From<NotGzip> for IndexError {
    fn from(_: NotGzip) -> Self {
        Self::Gzip
    }
}

impl Index {
    /// Reads an `APKINDEX.tar.gz`; `source` names it in messages.
    ///
    /// The signature is checked over the packed bytes before one of them is unpacked.
    ///
    /// # Errors
    ///
    /// The file is not signed by one of `keys`, or is no index.
    pub fn open(file: &[u8], source: &str, keys: &Keys) -> Result<Self, IndexError> {
        let (members, signed) = signature(file)?;
        keys.verify(&members.into_signatures(), signed)?;
        let text = unpack(signed)?;
        Ok(Self::parse(&text, source).with_digest(Digest::of(file)))
    }
}

// The first gzip member, and what it signs: all that follows.
fn signature(file: &[u8]) -> Result<(Members, &[u8]), IndexError> {
    let (mut untar, mut members) = (Untar::new(), Members::default());
    let mut unpacked = 0;
    let pushed = Member::new().push(file, |piece| {
        unpacked += piece.len();
        let pushed = untar.push(piece, &mut members);
        if members.is_unsigned {
            return Err(SignatureError::Unsigned.into());
        }
        if unpacked > SIGNATURE_LIMIT {
            return Err(IndexError::TooLarge);
        }
        Ok(pushed?)
    })?;
    let Pushed::Ended(length) = pushed else {
        return Err(IndexError::Gzip);
    };
    if members.members.is_empty() {
        return Err(SignatureError::Unsigned.into());
    }
    untar.finish()?;
    Ok((members, &file[length..]))
}

fn unpack(mut packed: &[u8]) -> Result<Vec<u8>, IndexError> {
    let (mut untar, mut text) = (Untar::new(), Text::default());
    let mut unpacked = 0;
    while !packed.is_empty() {
        let pushed = Member::new().push(packed, |piece| {
            unpacked += piece.len() as u64;
            if unpacked > TEXT_LIMIT {
                return Err(IndexError::TooLarge);
            }
            Ok(untar.push(piece, &mut text)?)
        })?;
        let Pushed::Ended(length) = pushed else {
            return Err(IndexError::Gzip);
        };
        packed = &packed[length..];
    }
    untar.finish()?;
    text.found.ok_or(IndexError::Empty)
}

#[derive(Default)]
struct Text {
    found: Option<Vec<u8>>,
}

impl Visit for Text {
    fn entry(&mut self, entry: Entry) -> Result<Keep, TarError> {
        let is_index = entry.path == "APKINDEX" && self.found.is_none();
        if is_index && entry.size > TEXT_LIMIT {
            return Err(TarError::TooLarge);
        }
        Ok(if is_index {
            Keep::Content
        } else {
            Keep::Nothing
        })
    }

    fn content(&mut self, bytes: Vec<u8>) {
        self.found = Some(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Dice, KEY_NAME, gzip, index, keys, member, sections, sign};
    use super::*;

    fn open(file: &[u8]) -> Result<usize, IndexError> {
        Index::open(file, "test", &keys()).map(|index| index.len())
    }

    #[test]
    fn a_signed_index_is_read_and_has_the_digest_of_its_file() {
        let file = index("P:foo\nV:1\n\nP:bar\nV:2\n");
        let index = Index::open(&file, "test", &keys()).unwrap();
        assert_eq!(index.names().collect::<Vec<_>>(), ["bar", "foo"]);
        assert_eq!(index.digest(), Digest::of(&file));
    }

    #[test]
    fn both_kinds_of_signature_hold() {
        let packed = gzip(&member("APKINDEX", b'0', b"P:foo\nV:1\n", ""));
        for kind in ["RSA256", "RSA512"] {
            let file = [sign(kind, &packed), packed.clone()].concat();
            assert_eq!(open(&file), Ok(1), "{kind}");
        }
    }

    #[test]
    fn unsigned_unknown_and_altered_are_told_apart() {
        let file = index("P:foo\nV:1\n");
        let packed = gzip(&member("APKINDEX", b'0', b"P:foo\nV:1\n", ""));
        let unsigned = Err(IndexError::Signature(SignatureError::Unsigned));
        assert_eq!(open(&packed), unsigned);
        // An empty first member signs nothing either.
        assert_eq!(open(&[gzip(b""), packed.clone()].concat()), unsigned);

        let names = vec![KEY_NAME.to_owned()];
        let unknown = Index::open(&file, "test", &Keys::wolfi()).unwrap_err();
        assert_eq!(unknown, SignatureError::UnknownKey { names }.into());

        let name = KEY_NAME.to_owned();
        let altered = [sign("RSA256", b"other"), packed.clone()].concat();
        assert_eq!(
            open(&altered),
            Err(SignatureError::Altered { name: name.clone() }.into())
        );
        let longer = [file, packed].concat();
        assert_eq!(open(&longer), Err(SignatureError::Altered { name }.into()));
    }

    #[test]
    fn a_signed_file_without_an_index_is_refused() {
        let packed = gzip(&member("DESCRIPTION", b'0', b"nothing", ""));
        let file = [sign("RSA256", &packed), packed].concat();
        assert_eq!(open(&file), Err(IndexError::Empty));
        let file = [sign("RSA256", b"plain"), b"plain".to_vec()].concat();
        assert_eq!(open(&file), Err(IndexError::Gzip));
    }

    #[test]
    fn a_signature_that_never_ends_is_given_up() {
        let huge = member(
            &format!(".SIGN.RSA256.{KEY_NAME}"),
            b'0',
            &vec![0; 1 << 20],
            "",
        );
        assert_eq!(open(&gzip(&huge)), Err(IndexError::TooLarge));
    }

    #[test]
    fn no_altered_or_shortened_file_is_accepted() {
        let file = index("P:foo\nV:1\nD:bar\n\nP:bar\nV:2\n");
        for length in 0..file.len() {
            assert!(open(&file[..length]).is_err(), "{length} bytes");
        }
        let signature = sections(&file)[0].len();
        let mut dice = Dice(5);
        for _ in 0..3000 {
            let mut altered = file.clone();
            let at = dice.roll(altered.len());
            altered[at] ^= 1 << dice.roll(8);
            // What the signature does not cover may differ in the first member's own header and names.
            if let Ok(count) = open(&altered) {
                assert!(at < signature && count == 2, "byte {at}");
            }
        }
    }
}
