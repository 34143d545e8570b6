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
