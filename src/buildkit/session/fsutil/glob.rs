//! One pattern in the language of `.dockerignore`.
//!
//! `*` and `?` stay within a name, `**` crosses directories, `[…]` is a class, `\` takes the next character as it is.
//! Matching takes steps in proportion to pattern and path, whatever the pattern.

/// A pattern that means nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{pattern}` is not a file pattern: {reason}")]
pub struct GlobError {
    /// The pattern as given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`
    Any,
    /// `*`
    Star,
    /// `**/`: any number of directories.
    Directories,
    /// `**` at the end: anything.
    Rest,
    /// `[…]`
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// Compiles `pattern`, which is clean.
    pub(super) fn new(pattern: &str) -> Result<Self, GlobError> {
        let error = |reason| GlobError {
            pattern: pattern.to_owned(),
            reason,
        };
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(char) = chars.next() {
            tokens.push(match char {
                '*' if chars.next_if_eq(&'*').is_some() => {
                    let _ = chars.next_if_eq(&'/'); // the slash belongs to `**/`
                    match chars.peek() {
                        Some(_) => Token::Directories,
                        None => Token::Rest,
                    }
                }
                '*' => Token::Star,
                '?' => Token::Any,
                '[' => class(&mut chars).map_err(error)?,
                '\\' => Token::Char(chars.next().ok_or_else(|| error("it ends in `\\`"))?),
                char => Token::Char(char),
            });
        }
        // The daemon's matcher takes `**name` for everything that ends in `name`, not for a name behind directories.
        let is_suffix =
            pattern.starts_with("**") && !pattern.starts_with("**/") && !pattern.contains('\\');
        let is_plain = |token: &Token| matches!(token, Token::Char(_));
        if let (true, Some((first, rest))) = (is_suffix, tokens.split_first_mut())
            && rest.iter().all(is_plain)
        {
            *first = Token::Rest;
        }
        Ok(Self { tokens })
    }

    /// Whether the whole of `path` matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        let mut states = vec![false; self.tokens.len() + 1];
        let mut next = states.clone();
        self.enter(&mut states, 0);
        for char in path.chars() {
            next.fill(false);
            for (at, token) in self.tokens.iter().enumerate() {
                if states[at] {
                    self.step(&mut next, at, token, char);
                }
            }
            std::mem::swap(&mut states, &mut next);
        }
        states[self.tokens.len()]
    }

    /// Marks the state before token `at`, and those behind it that need no character.
    fn enter(&self, states: &mut [bool], at: usize) {
        let optional = |token| matches!(token, &Token::Star | &Token::Directories | &Token::Rest);
        let skipped = self.tokens[at..].iter().take_while(|token| optional(token));
        let last = at + skipped.count();
        states[at..=last].fill(true);
    }

    fn step(&self, next: &mut [bool], at: usize, token: &Token, char: char) {
        match token {
            Token::Char(expected) if *expected == char => self.enter(next, at + 1),
            Token::Any if char != '/' => self.enter(next, at + 1),
            Token::Class { negated, ranges } => {
                let within = ranges
                    .iter()
                    .any(|(low, high)| (low..=high).contains(&&char));
                if within != *negated {
                    self.enter(next, at + 1);
                }
            }
            Token::Star if char != '/' => self.enter(next, at),
            Token::Rest => self.enter(next, at),
            Token::Directories => {
                // Within the directories: what follows starts only behind a slash.
                next[at] = true;
                if char == '/' {
                    self.enter(next, at + 1);
                }
            }
            Token::Char(_) | Token::Any | Token::Star => {}
        }
    }
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    const OPEN: &str = "a `[` has no `]`";
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    let member = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        let char = chars.next().ok_or(OPEN)?;
        if char == '\\' {
            chars.next().ok_or(OPEN)
        } else {
            Ok(char)
        }
    };
    loop {
        if !ranges.is_empty() && chars.next_if_eq(&']').is_some() {
            return Ok(Token::Class { negated, ranges });
        }
        if chars.peek() == Some(&']') {
            return Err("a class `[]` is empty");
        }
        let low = member(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() {
            member(chars)?
        } else {
            low
        };
        if high < low {
            return Err("a range in `[…]` is the wrong way round");
        }
        ranges.push((low, high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_daemon_matches_them() {
        for (pattern, path, expected) in [
            ("a.txt", "a.txt", true),
            ("a.txt", "aXtxt", false),
            ("*", "a", true),
            ("*", "a/b", false),
            ("*.go", ".go", true),
            ("a/*/c", "a/b/c", true),
            ("a/*/c", "a/c", false),
            ("?", "/", false),
            ("**", "a/b", true),
            ("**/a", "a", true),
            ("**/a", "x/y/a", true),
            ("**/a", "xa", false),
            ("**a", "xa", true),
            ("**a*", "xa", false),
            ("**a*", "x/ab", true),
            (r"**\a", "xa", false),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/xb", false),
            ("a**", "ab/c", true),
            ("**/*.pyc", "x/y.pyc", true),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            (r"[\]]", "]", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("é?", "éü", true),
            ("a{b,c}", "a{b,c}", true),
            ("a^b", "a^b", true),
        ] {
            let glob = Glob::new(pattern).unwrap();
            assert_eq!(glob.matches(path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        for pattern in ["[", "[]", "[a", "[a-", "a\\", "[b-a]", "[\\"] {
            assert!(Glob::new(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        let glob = Glob::new(&"*a".repeat(500)).unwrap();
        assert!(!glob.matches(&"a".repeat(499)), "2^499 ways to try");
    }
}
