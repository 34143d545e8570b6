//! Parts of a directory's names, for directories whose list does not fit into one message.

use std::sync::LazyLock;

/// The names whose first characters are in certain classes.
///
/// There are two classes, of characters with an even and with an odd number of bits: they divide digits, letters, and even or
/// odd numbers alike, so that what tells the names of a large directory apart divides it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// A class of each of the first characters.
    classes: Vec<usize>,
    /// Whether more characters may follow.
    is_open: bool,
}

const CLASSES: usize = 2;
// Names have at most 255 bytes, of which so many differ in the end.
const DEEPEST: usize = 128;

impl Names {
    /// All of them.
    pub(super) fn all() -> Self {
        Self {
            classes: Vec::new(),
            is_open: true,
        }
    }

    /// The same names in several parts; `None` where they cannot be told apart.
    pub(super) fn split(&self) -> Option<Vec<Self>> {
        if !self.is_open || self.classes.len() == DEEPEST {
            return None;
        }
        let longer = (0..CLASSES).map(|class| Self {
            classes: self.classes.iter().copied().chain([class]).collect(),
            is_open: true,
        });
        let ended = Self {
            is_open: false,
            ..self.clone()
        };
        Some(longer.chain([ended]).collect())
    }

    /// The pattern of the daemon's that matches them; the empty one matches all.
    pub(super) fn pattern(&self) -> String {
        let classes = self.classes.iter().map(|class| &*PATTERNS[*class]);
        let end = if self.is_open && !self.classes.is_empty() {
            "*"
        } else {
            ""
        };
        classes.chain([end]).collect()
    }

    /// Whether there can be none.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_open && self.classes.is_empty()
    }
}

// The second class takes all that is not in the first. A `/` is in none: no name has one, and a class of others would take it.
static PATTERNS: LazyLock<[String; CLASSES]> = LazyLock::new(|| {
    let even = ('!'..='~').filter(|member| (*member as u32).count_ones().is_multiple_of(2));
    let members: String = even
        .filter(|member| *member != '/')
        .flat_map(escaped)
        .collect();
    [format!("[{members}]"), format!("[^\\/{members}]")]
});

fn escaped(member: char) -> impl Iterator<Item = char> {
    let escape = member.is_ascii_punctuation().then_some('\\');
    escape.into_iter().chain([member])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildkit::fsutil::Patterns;

    #[test]
    fn every_name_is_in_one_part_of_every_split() {
        let printable: String = ('!'..='~').filter(|letter| *letter != '/').collect();
        let names = [
            "a",
            "chunk-1.js",
            " b",
            "ü~[x]^",
            "\\",
            "*?",
            "]",
            "-",
            &printable,
        ];
        let mut parts = vec![Names::all()];
        for _ in 0..4 {
            parts = parts
                .iter()
                .flat_map(|part| part.split().unwrap_or(vec![part.clone()]))
                .collect();
            let patterns: Vec<String> = parts.iter().map(Names::pattern).collect();
            for name in names {
                let of = |pattern: &&String| {
                    !pattern.is_empty() && Patterns::new([pattern]).unwrap().matches(name)
                };
                let found = patterns.iter().filter(of).count();
                assert_eq!(found, 1, "{name:?}");
            }
        }
    }

    #[test]
    fn a_pattern_leads_into_no_directory() {
        for part in Names::all().split().unwrap() {
            let Some(longer) = part.split() else { continue };
            for part in longer.iter().filter(|part| !part.is_empty()) {
                let patterns = Patterns::new([part.pattern()]).unwrap();
                assert!(
                    !patterns.matches("/b") && !patterns.matches("/"),
                    "{part:?}"
                );
            }
        }
    }
}
