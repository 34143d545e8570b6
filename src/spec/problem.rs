//! What can be wrong with a spec file.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong with one spec file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    /// The file, as it was named to [`load`](super::load()).
    pub file: PathBuf,
    /// What is wrong; never empty.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted in characters from 1.
    pub column: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong at one place of a spec file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text is no JSON or no YAML.
    #[error("not valid {format}: {reason}")]
    Syntax {
        /// `JSON` or `YAML`.
        format: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// The file is larger, deeper or has more values (aliases expanded) than any spec needs.
    #[error("more than {limit} {unit}")]
    TooMuch {
        /// The bound.
        limit: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// The file holds no spec.
    #[error("there is no spec in it")]
    Empty,
    /// No field has this name.
    #[error("unknown key `{key}`{}", near(nearest.as_deref()))]
    UnknownKey {
        /// Its full name, such as `runtime.prot`.
        key: String,
        /// The full name of the known key that is most like it.
        nearest: Option<String>,
    },
    /// A field that specs do not have, though other formats or earlier versions do.
    #[error("there is no key `{key}`{}: {reason}", place_of(*instead))]
    OldKey {
        /// Its full name, such as `runtime.base`.
        key: String,
        /// Why there is none.
        reason: &'static str,
        /// The full name of the key that has its place.
        instead: Option<&'static str>,
    },
    /// A key that is given twice.
    #[error("key `{key}` is given twice, first in line {first}")]
    DuplicateKey {
        /// Its full name.
        key: String,
        /// The line of the first one.
        first: usize,
    },
    /// A field that must be there is not.
    #[error("`{key}` is missing")]
    MissingKey {
        /// Its full name.
        key: String,
    },
    /// A value of another type than the field has.
    #[error("`{key}` must be {expected}, but is {found}")]
    WrongType {
        /// The full name of the field.
        key: String,
        /// What the field holds.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A value of the right type that cannot be meant.
    #[error("`{key}` is {value}: {reason}")]
    BadValue {
        /// The full name of the field.
        key: String,
        /// The value, quoted, escaped and shortened.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two apps whose names come out as the same file name and tag.
    #[error(
        "the app name {name} is taken: it comes out as `{slug}`, as the one in line {first} does"
    )]
    DuplicateName {
        /// The second name, quoted and escaped.
        name: String,
        /// What both come out as.
        slug: String,
        /// The line of the first one.
        first: usize,
    },
}

fn near(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |key| {
        format!(", the nearest known one is `{key}`")
    })
}

fn place_of(instead: Option<&str>) -> String {
    instead.map_or_else(String::new, |key| {
        format!(", its place is taken by `{key}`")
    })
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let file = self.file.display();
            let Problem {
                line,
                column,
                fault,
            } = problem;
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{file}:{line}:{column}: {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// Quotes, escapes and shortens a text of a file for a message.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
