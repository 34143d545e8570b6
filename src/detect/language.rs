//! What detection says of itself: the languages, build systems and frameworks that it knows.

/// A language, as the documentation lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    /// Its name as people write it.
    pub name: &'static str,
    /// The build systems, as `metadata.build_system` has them.
    pub build_systems: &'static [&'static str],
    /// The frameworks, as `metadata.framework` has them.
    pub frameworks: &'static [&'static str],
    /// The names of files that lead to its directories; one that starts with a dot is an ending.
    pub(crate) manifests: &'static [&'static str],
}
