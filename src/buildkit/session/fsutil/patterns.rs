//! Lists of patterns with exceptions, by the rules of `.dockerignore`.
//!
//! A path matches if it or a directory above it matches a pattern and no later `!` pattern; the rules are those of
//! [`moby/patternmatcher`](https://github.com/moby/patternmatcher), which the daemon's other clients use.

use super::glob::{Glob, GlobError};
use super::path::{clean, is_within, parent};

/// A list of patterns, of which the later ones overrule the earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    text: String,
    glob: Glob,
    is_exception: bool,
}

/// Which patterns matched a directory: what is in it need not be tried again.
#[derive(Clone, Debug, Default)]
pub(super) struct Matched(Vec<bool>);

impl Patterns {
    /// Compiles a list in which `!` starts an exception. Empty patterns are left out.
    ///
    /// # Errors
    ///
    /// A pattern is malformed.
    pub fn new(patterns: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, GlobError> {
        let patterns = patterns.into_iter();
        let compiled = patterns.filter_map(|pattern| {
            let pattern = pattern.as_ref().trim();
            (!pattern.is_empty()).then(|| Pattern::new(&clean(pattern)))
        });
        compiled.collect::<Result<_, _>>().map(Self)
    }

    /// Compiles the text of a `.dockerignore` file: a pattern per line, relative to the root with or without a slash
    /// in front, `#` for comments.
    ///
    /// # Errors
    ///
    /// A pattern is malformed.
    pub fn dockerignore(text: &str) -> Result<Self, GlobError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self::new(lines.map(|line| {
            let line = line.trim();
            let (sign, pattern) = match line.strip_prefix('!') {
                Some(pattern) => ("!", pattern.trim()),
                None => ("", line),
            };
            if pattern.is_empty() {
                return line.to_owned();
            }
            let pattern = clean(pattern);
            let relative = pattern.strip_prefix('/').filter(|rest| !rest.is_empty());
            format!("{sign}{}", relative.unwrap_or(&pattern))
        }))
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the list covers `path`, which is relative and clean.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let mut above = Vec::new();
        let mut directory = parent(path);
        while let Some(path) = directory {
            above.push(path);
            directory = parent(path);
        }
        let mut matched = Matched::default();
        for directory in above.into_iter().rev() {
            matched = self.matches_in(directory, &matched).1;
        }
        self.matches_in(path, &matched).0
    }

    /// Whether the list covers `path`, whose directory had the result `above`, and the result for what is in it.
    pub(super) fn matches_in(&self, path: &str, above: &Matched) -> (bool, Matched) {
        let mut covered = false;
        let mut matched = Vec::with_capacity(self.0.len());
        for (at, pattern) in self.0.iter().enumerate() {
            let inherited = above.0.get(at).copied().unwrap_or(false);
            // A pattern that would change nothing is not tried, and what is below may try it again.
            let matches =
                inherited || (pattern.is_exception == covered && pattern.glob.matches(path));
            if matches {
                covered = !pattern.is_exception;
            }
            matched.push(matches);
        }
        (covered, Matched(matched))
    }

    /// Whether an exception may uncover something in `directory`, which the list covers.
    pub(super) fn may_except_below(&self, directory: &str) -> bool {
        let mut exceptions = self.0.iter().filter(|pattern| pattern.is_exception);
        exceptions.any(|pattern| {
            let text = &*pattern.text;
            let fixed = text.strip_suffix("/**").or(text.strip_suffix("/*"));
            let fixed = fixed.unwrap_or(text);
            fixed.contains(['*', '?', '[', '\\']) || is_within(fixed, directory)
        })
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, GlobError> {
        let (is_exception, text) = match text.strip_prefix('!') {
            Some("") => {
                return Err(GlobError {
                    pattern: "!".to_owned(),
                    reason: "nothing follows the `!`",
                });
            }
            Some(text) => (true, text),
            None => (false, text),
        };
        Ok(Self {
            text: text.to_owned(),
            glob: Glob::new(text)?,
            is_exception,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_patterns_overrule_earlier_ones() {
        for (patterns, path, expected) in [
            (&["node_modules"][..], "node_modules/a/b.js", true),
            (&["node_modules"], "web/node_modules", false),
            (&["**/node_modules"], "web/node_modules/a", true),
            (&["*", "!src"], "src/a/b", false),
            (&["*", "!src"], "target", true),
            (&["a", "!a/b", "a/b/c"], "a/b/c/d", true),
            (&["a", "!a/b", "a/b/c"], "a/b/x", false),
            (&["!a", "a"], "a", true),
            (&["docs/*", "!docs/**/*.md"], "docs/x/y.md", false),
            (&["docs/*", "!docs/**/*.md"], "docs/x/y.txt", true),
            (&["a/"], "a/b", true),
            (&["./a"], "a", true),
            (&[" a ", ""], "a", true),
            (&["/a"], "a", false),
            (&["é*"], "é/ü.txt", true),
        ] {
            let compiled = Patterns::new(patterns).unwrap();
            assert_eq!(compiled.matches(path), expected, "{patterns:?} on {path}");
        }
    }

    #[test]
    fn a_dockerignore_file_is_read_as_docker_reads_it() {
        let text = "\u{feff}# a comment\r\n/build\n\n  ! /build/keep  \n*.log\n #x\n";
        let expected = Patterns::new(["build", "!build/keep", "*.log", "#x"]).unwrap();
        assert_eq!(Patterns::dockerignore(text), Ok(expected));
        assert!(Patterns::dockerignore("!").is_err());
        assert!(Patterns::dockerignore("a[").is_err());
    }

    #[test]
    fn a_covered_directory_is_read_only_where_an_exception_may_lie() {
        let patterns = Patterns::new(["*", "!src/app/**"]).unwrap();
        assert!(patterns.may_except_below("src"));
        assert!(patterns.may_except_below("src/app"));
        assert!(!patterns.may_except_below("node_modules"));
        for wild in ["!*/keep", "!node_modules/*/**"] {
            let patterns = Patterns::new(["*", wild]).unwrap();
            assert!(patterns.may_except_below("node_modules/a"), "{wild}");
        }
    }
}
