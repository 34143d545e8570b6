//! The part of a listing that one transfer is about.

use std::sync::Arc;

use super::follow::follow;
use super::glob::GlobError;
use super::listing::{Entry, Kind, Listing};
use super::patterns::{Matched, Patterns};

/// What a local source asks for: the sender applies these, not the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    include: Vec<String>,
    exclude: Patterns,
    follow: Vec<String>,
}

impl Selection {
    /// Selects what is covered by `include` or reached through `follow`, everything if both are empty, and of that
    /// what `exclude` does not cover.
    ///
    /// # Errors
    ///
    /// A pattern is malformed.
    pub fn new(
        include: Vec<String>,
        exclude: &[String],
        follow: Vec<String>,
    ) -> Result<Self, GlobError> {
        Patterns::new(&include)?;
        Ok(Self {
            include,
            exclude: Patterns::new(exclude)?,
            follow,
        })
    }

    /// Whether every entry is sent.
    pub(super) fn is_everything(&self) -> bool {
        self.include.is_empty() && self.follow.is_empty() && self.exclude.is_empty()
    }

    /// The entries to send, in order; their places are the ids of the protocol.
    pub(super) fn select(&self, listing: &Arc<Listing>) -> Result<Vec<Selected>, GlobError> {
        let include = self.included(listing)?;
        let entries = listing.entries();
        let mut chosen = vec![false; entries.len()];
        let mut above: Vec<Above> = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            while let Some(directory) = above.last()
                && !is_child(entry.path(), entries[directory.at].path())
            {
                above.pop();
            }
            let none = (Matched::default(), Matched::default());
            let (included, excluded) = above.last().map_or((&none.0, &none.1), |directory| {
                (&directory.included, &directory.excluded)
            });
            let (is_included, included) = match &include {
                Some(patterns) => patterns.matches_in(entry.path(), included),
                None => (true, Matched::default()),
            };
            let (is_excluded, excluded) = self.exclude.matches_in(entry.path(), excluded);
            if is_included && !is_excluded {
                chosen[at] = true;
                // The parents of what is sent are sent, whatever the patterns say of them.
                for directory in &above {
                    chosen[directory.at] = true;
                }
            }
            if matches!(entry.kind(), Kind::Directory) {
                above.push(Above {
                    at,
                    included,
                    excluded,
                });
            }
        }
        Ok(link(entries, &chosen))
    }

    fn included(&self, listing: &Listing) -> Result<Option<Patterns>, GlobError> {
        let mut include = self.include.clone();
        if !self.follow.is_empty() {
            include.extend(follow(listing, &self.follow).unwrap_or_default());
        }
        let patterns = Patterns::new(&include)?;
        Ok((!patterns.is_empty()).then_some(patterns))
    }
}

/// An entry to send. There may be very many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Selected {
    entry: u32,
    first: u32,
}

impl Selected {
    const NONE: u32 = u32::MAX;

    fn new(entry: usize, first: Option<usize>) -> Self {
        let number = |place: usize| u32::try_from(place).unwrap_or(Self::NONE);
        Self {
            entry: number(entry),
            first: first.map_or(Self::NONE, number),
        }
    }

    /// The entry's place in the listing.
    pub(super) fn entry(self) -> usize {
        self.entry as usize
    }

    /// The place of the entry that is the same file and was sent before.
    pub(super) fn first(self) -> Option<usize> {
        (self.first != Self::NONE).then_some(self.first as usize)
    }
}

struct Above {
    at: usize,
    included: Matched,
    excluded: Matched,
}

/// Joins the names of one file under the first that is sent: a link must not point to what the filter removed.
fn link(entries: &[Entry], chosen: &[bool]) -> Vec<Selected> {
    let mut firsts: std::collections::BTreeMap<u32, usize> = std::collections::BTreeMap::new();
    let chosen = chosen.iter().enumerate().filter(|(_, chosen)| **chosen);
    let selected = chosen.map(|(entry, _)| {
        let first = match entries[entry].kind() {
            Kind::File { link: Some(link) } => {
                let first = *firsts.entry(*link).or_insert(entry);
                (first != entry).then_some(first)
            }
            _ => None,
        };
        Selected::new(entry, first)
    });
    selected.collect()
}

fn is_child(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}
