//! What installed packages say of themselves.

use std::borrow::Cow;
use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::buildkit::{BuildReference, Error, FileStat, Gateway};
use crate::image::MANIFESTS;

use super::Files;

// The daemon answers one call in a millisecond; this keeps it busy without a queue of its own.
const CALLS: usize = 16;
const LARGEST: u64 = 4 << 20;
const LARGEST_RECORD: u64 = 64 << 20;

/// The shipped files that describe packages.
pub(super) struct Manifests<'a> {
    gateway: &'a Gateway,
    output: &'a BuildReference,
    pub(super) files: &'a Files,
    /// What the build put together, and where in it the files are.
    together: Vec<u8>,
    places: BTreeMap<String, std::ops::Range<usize>>,
}

impl<'a> Manifests<'a> {
    /// Reads what the build put together, if it did.
    pub(super) async fn open(
        gateway: &'a Gateway,
        output: &'a BuildReference,
        files: &'a Files,
    ) -> Result<Self, Error> {
        let size = files.all.get(MANIFESTS).map_or(0, |stat| stat.size);
        let together = match size {
            1..=LARGEST_RECORD => gateway.read_file(output, MANIFESTS, LARGEST_RECORD).await?,
            _ => Vec::new(),
        };
        Ok(Self {
            gateway,
            output,
            files,
            places: places(&together).unwrap_or_default(),
            together,
        })
    }

    /// The regular files whose paths are `wanted`, with what is in them, at most 4 MiB of each.
    pub(super) async fn all(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(&'a str, Cow<'_, [u8]>)>, Error> {
        let files = self.files.all.iter();
        let wanted: Vec<(&'a String, &FileStat)> = files
            .filter(|(path, stat)| stat.link.is_none() && wanted(path))
            .collect();
        stream::iter(wanted)
            .map(async |(path, stat)| {
                let bytes = match self.together(path, stat) {
                    Some(bytes) => Cow::Borrowed(bytes),
                    None => Cow::Owned(self.read(path).await?),
                };
                Ok((path.as_str(), bytes))
            })
            .buffered(CALLS)
            .try_collect()
            .await
    }

    /// A package manager's own record of what it installed.
    pub(super) async fn record(&self, path: &str) -> Result<Vec<u8>, Error> {
        match self.files.all.get(path) {
            Some(stat) if stat.is_file && stat.size <= LARGEST_RECORD => {
                self.gateway
                    .read_file(self.output, path, LARGEST_RECORD)
                    .await
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.gateway.read_range(self.output, path, 0, LARGEST).await
    }

    fn together(&self, path: &str, stat: &FileStat) -> Option<&[u8]> {
        let bytes = self.together.get(self.places.get(path)?.clone())?;
        (bytes.len() as u64 == stat.size).then_some(bytes)
    }
}

/// Where the files are in what the build put together; `None` where its parts do not fit.
fn places(together: &[u8]) -> Option<BTreeMap<String, std::ops::Range<usize>>> {
    let end = together.windows(2).position(|pair| pair == b"\n\n")?;
    let list = str::from_utf8(&together[..end]).ok()?;
    let mut places = BTreeMap::new();
    let mut at = end + 2;
    for line in list.lines() {
        let (size, name) = line.split_once(' ')?;
        let next = at.checked_add(size.parse().ok()?)?;
        places.insert(name.strip_prefix('.')?.to_owned(), at..next);
        at = next;
    }
    (at == together.len()).then_some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_sizes() {
        let places = places(b"3 ./a b\n0 ./c\n2 ./d\n\n\n\nxyz").unwrap();
        let expected = [("/a b", 21..24), ("/c", 24..24), ("/d", 24..26)];
        assert_eq!(
            places,
            expected
                .map(|(name, place)| (name.to_owned(), place))
                .into()
        );
    }

    #[test]
    fn what_does_not_fit_is_not_used() {
        for text in [
            "",
            "\n\n",
            "1 ./a\n\n",
            "1 ./a\n\nab",
            "x ./a\n\n",
            "1 a\n\nx",
            "99999999999999999999 ./a\n\n",
            "1 ./a\n./b\n\nx",
        ] {
            let places = places(text.as_bytes());
            assert!(places.is_none_or(|places| places.is_empty()), "{text}");
        }
    }
}
