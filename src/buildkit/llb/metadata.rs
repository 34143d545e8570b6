//! What accompanies an operation without being part of its digest.

use std::sync::Arc;

use buildkit_proto::pb;

/// Name, cache behaviour, group and source location of an operation.
///
/// A string converts into the metadata of an operation with that name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    name: Option<String>,
    ignore_cache: bool,
    group: Option<ProgressGroup>,
    location: Option<Location>,
}

/// A set of operations that a display shows as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressGroup {
    /// What its members have in common.
    pub id: String,
    /// What the display shows.
    pub name: String,
    /// Whether this member alone does not make the group visible.
    pub weak: bool,
}

/// A text that operations come from, such as a spec.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The name shown in errors.
    pub filename: String,
    /// The language, such as `YAML`; may be empty.
    pub language: String,
    /// The whole text. BuildKit sends it back with every error: keep it small.
    pub data: Vec<u8>,
}

/// The lines of a [`SourceFile`] that an operation comes from, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The text.
    pub file: Arc<SourceFile>,
    /// The first line.
    pub first: u32,
    /// The last line, included.
    pub last: u32,
}

impl Metadata {
    /// Names the operation in displays and errors.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::default()
        }
    }

    /// Runs the operation even if its result is known. On an exec this also empties its cache mounts.
    #[must_use]
    pub fn ignore_cache(mut self) -> Self {
        self.ignore_cache = true;
        self
    }

    /// Shows the operation as part of `group`.
    #[must_use]
    pub fn group(mut self, group: ProgressGroup) -> Self {
        self.group = Some(group);
        self
    }

    /// Says where the operation comes from.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// The name given, if any.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(super) fn location(&self) -> Option<&Location> {
        self.location.as_ref()
    }

    /// Joins the metadata of two equal operations: what either asks for holds, the first name and group win.
    pub(super) fn merge(&mut self, other: &Self) {
        self.ignore_cache |= other.ignore_cache;
        self.name = self.name.take().or_else(|| other.name.clone());
        self.group = self.group.take().or_else(|| other.group.clone());
        self.location = self.location.take().or_else(|| other.location.clone());
    }

    pub(super) fn proto(&self) -> pb::OpMetadata {
        // The daemon shows this description instead of the name it would make up:
        // https://github.com/moby/buildkit/blob/master/solver/llbsolver/vertex.go
        let name = self.name.iter().filter(|name| !name.is_empty());
        pb::OpMetadata {
            ignore_cache: self.ignore_cache,
            description: name
                .map(|name| ("llb.customname".to_owned(), name.clone()))
                .collect(),
            progress_group: self.group.as_ref().map(|group| pb::ProgressGroup {
                id: group.id.clone(),
                name: group.name.clone(),
                weak: group.weak,
            }),
            ..pb::OpMetadata::default()
        }
    }
}

impl From<&str> for Metadata {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl From<String> for Metadata {
    fn from(name: String) -> Self {
        Self::named(name)
    }
}
