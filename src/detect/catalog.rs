//! The package index as detection asks it.

use crate::wolfi::{Choice, Index, Pattern, Stream, choose, streams};

/// The names that detection may write into a spec.
pub(crate) struct Catalog<'a> {
    index: &'a Index,
}

impl<'a> Catalog<'a> {
    pub(crate) fn new(index: &'a Index) -> Self {
        Self { index }
    }

    /// Whether a package of this very name exists.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.index.newest(name).is_some()
    }

    /// The package that a request for `name`, real or provided, would install.
    pub(crate) fn package(&self, name: &str) -> Option<String> {
        self.index
            .preferred(name)
            .map(|package| package.name.clone())
    }

    /// The version of the package that a request for `name` would install, without its build number.
    pub(crate) fn version(&self, name: &str) -> Option<String> {
        let package = self.index.preferred(name)?;
        Some(package.version.upstream().to_owned())
    }

    /// The streams of a family, by number.
    pub(crate) fn streams(&self, pattern: &Pattern) -> Vec<Stream> {
        streams(self.index, pattern)
    }

    /// The best stream whose newest version, without the revision, is accepted.
    pub(crate) fn choose(
        &self,
        pattern: &Pattern,
        accept: &dyn Fn(&str) -> bool,
    ) -> Option<Choice> {
        choose(self.index, pattern, |version| accept(version.upstream())).ok()
    }
}
