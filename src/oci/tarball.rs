//! The tarball of an image layout, entry by entry.

use std::collections::BTreeMap;
use std::io::Read;

use super::archive::{Failure, Flaw, LARGEST_JSON, parse, small, too_much};
use super::{Digest, Index};

/// The most entries of a tarball.
const MOST_ENTRIES: usize = 100_000;

/// Where a blob lies in a tarball.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Its first byte, from the start of the tarball.
    pub(super) offset: u64,
    /// Its length in bytes.
    pub(super) size: u64,
}

/// An entry, for whoever asks more of a tarball than [`scan`] does.
pub(super) struct Entry<'e, 'a, R: Read> {
    /// Its name as a message shows it.
    pub(super) name: &'e str,
    /// What it is in the layout; `None` for an entry that is no part of one.
    pub(super) part: Option<Part>,
    /// Where its content lies.
    pub(super) extent: Extent,
    /// Its content.
    pub(super) content: &'e mut tar::Entry<'a, R>,
}

/// A part of an image layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `index.json`.
    Index,
    /// `oci-layout`.
    Mark,
    /// A blob of that name.
    Blob(Digest),
}

/// Where every blob lies, and `index.json`. Every entry is shown to `check` before its content is read.
pub(super) fn scan<'a, R: Read>(
    entries: tar::Entries<'a, R>,
    mut check: impl FnMut(Entry<'_, 'a, R>) -> Result<(), Failure>,
) -> Result<(BTreeMap<Digest, Extent>, Index), Failure> {
    let mut blobs = BTreeMap::new();
    let mut index = None;
    let mut mark = None;
    // Raw: no path of a layout needs an extension, and extensions would be read into memory.
    for (count, content) in entries.raw(true).enumerate() {
        let mut content = content?;
        if count >= MOST_ENTRIES {
            return Err(too_much(MOST_ENTRIES as u64, "entries").into());
        }
        let path = content.path_bytes().into_owned();
        let path = path.strip_prefix(b"./").unwrap_or(&path);
        let name = String::from_utf8_lossy(path).escape_debug().to_string();
        let part = part(path);
        let extent = Extent {
            offset: content.raw_file_position(),
            size: content.size(),
        };
        if part.is_some() && !content.header().entry_type().is_file() {
            return Err(Flaw::Kind(name).into());
        }
        check(Entry {
            name: &name,
            part,
            extent,
            content: &mut content,
        })?;
        let mut document = || small(&mut content, LARGEST_JSON, "bytes of JSON in one document");
        let is_new = match part {
            None => true,
            Some(Part::Index) => index.replace(document()?).is_none(),
            Some(Part::Mark) => mark.replace(document()?).is_none(),
            Some(Part::Blob(digest)) => blobs.insert(digest, extent).is_none(),
        };
        if !is_new {
            return Err(Flaw::Twice(name).into());
        }
    }
    if mark.is_none() {
        return Err(Flaw::NoLayout("oci-layout").into());
    }
    let index = index.ok_or(Flaw::NoLayout("index.json"))?;
    Ok((blobs, parse(&index, "index.json")?))
}

fn part(path: &[u8]) -> Option<Part> {
    match path {
        b"index.json" => Some(Part::Index),
        b"oci-layout" => Some(Part::Mark),
        path => {
            let hex = str::from_utf8(path).ok()?.strip_prefix("blobs/sha256/")?;
            format!("sha256:{hex}").parse().ok().map(Part::Blob)
        }
    }
}
