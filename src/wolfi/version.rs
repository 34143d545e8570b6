//! The order of apk versions.

use std::cmp::Ordering;
use std::fmt;

/// A package version as apk writes it: `1.2.3_rc1-r0`.
///
/// The grammar is `digits{.digits}[a-z]{_suffix[digits]}[~hex][-rN]`. A text that does not follow it is kept
/// (the published index holds a few) and sorts before every version that does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(Box<str>);

impl Version {
    /// Takes `text` as it is; see [`Version::is_valid`].
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The version as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the text follows apk's grammar.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let mut tokens = Tokens::new(&self.0);
        loop {
            match tokens.next() {
                Token::End => return true,
                Token::Invalid => return false,
                _ => {}
            }
        }
    }

    /// The version without its build number: `1.2.3` of `1.2.3-r0`.
    #[must_use]
    pub fn upstream(&self) -> &str {
        match self.0.rsplit_once("-r") {
            Some((upstream, build)) if is_number(build) => upstream,
            _ => &self.0,
        }
    }

    /// apk's order: two versions of different text can be equal (`1.0` and `01.0`), unlike with `Ord`.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self.is_valid(), other.is_valid()) {
            (true, true) => compare(&self.0, &other.0),
            (false, false) => self.0.cmp(&other.0),
            (left, right) => left.cmp(&right),
        }
    }

    /// Whether `prefix` is a leading part of this version, as the operator `~` asks: `1.2.3-r0` starts with `1.2`
    /// and with `1.2.3`, not with `1.2.30`.
    #[must_use]
    pub fn starts_with(&self, prefix: &Self) -> bool {
        if !(self.is_valid() && prefix.is_valid()) {
            return self == prefix;
        }
        let (mut ours, mut theirs) = (Tokens::new(&self.0), Tokens::new(&prefix.0));
        loop {
            match (ours.next(), theirs.next()) {
                (_, Token::End) => return true,
                (left, right) if left.order(&right).is_eq() => {}
                _ => return false,
            }
        }
    }
}

impl Ord for Version {
    /// apk's order, then the text, so that only equal texts are equal.
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// What may follow `_`, in ascending order; "no suffix" stands between `rc` and `cvs`.
static SUFFIXES: [&str; 9] = ["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"];
const FIRST_POST_SUFFIX: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    First(&'a str),
    Number(&'a str),
    Letter(u8),
    Suffix(usize),
    SuffixNumber(&'a str),
    Hash(&'a str),
    Build(&'a str),
    End,
    Invalid,
}

impl Token<'_> {
    // Where one version goes on with a part that the other lacks, the part of the lower rank is the greater:
    // 1.0.0 > 1.0a > 1.0_p1 > 1.0~ab > 1.0-r0 > 1.0.
    fn rank(&self) -> u8 {
        match self {
            Token::First(_) | Token::Number(_) => 0,
            Token::Letter(_) => 1,
            Token::Suffix(_) => 2,
            Token::SuffixNumber(_) => 3,
            Token::Hash(_) => 4,
            Token::Build(_) => 5,
            Token::End | Token::Invalid => 6,
        }
    }

    fn is_before_release(&self) -> bool {
        matches!(self, Token::Suffix(suffix) if *suffix < FIRST_POST_SUFFIX)
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Token::First(left), Token::First(right))
            | (Token::SuffixNumber(left), Token::SuffixNumber(right))
            | (Token::Build(left), Token::Build(right)) => compare_numbers(left, right),
            (Token::Number(left), Token::Number(right)) => {
                if left.starts_with('0') || right.starts_with('0') {
                    left.cmp(right)
                } else {
                    compare_numbers(left, right)
                }
            }
            (Token::Letter(left), Token::Letter(right)) => left.cmp(right),
            (Token::Suffix(left), Token::Suffix(right)) => left.cmp(right),
            (Token::Hash(left), Token::Hash(right)) => left.cmp(right),
            _ => match (self.is_before_release(), other.is_before_release()) {
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                _ => other.rank().cmp(&self.rank()),
            },
        }
    }
}

fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (Tokens::new(left), Tokens::new(right));
    loop {
        let (ours, theirs) = (left.next(), right.next());
        let order = ours.order(&theirs);
        if order.is_ne() || matches!(ours, Token::End | Token::Invalid) {
            return order;
        }
    }
}

// Digits of any length, so that no number overflows.
fn compare_numbers(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

struct Tokens<'a> {
    rest: &'a str,
    last: u8,
    started: bool,
    after_suffix: bool,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            last: 0,
            started: false,
            after_suffix: false,
        }
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.read();
        // The parts come in the order of their ranks; numbers and suffixes may repeat.
        let rank = token.rank();
        let suffix_again = matches!(token, Token::Suffix(_)) && self.last <= 3;
        if rank < self.last && !suffix_again || rank == self.last && rank != 0 && !suffix_again {
            self.rest = "";
            self.last = 7;
            return if matches!(token, Token::End) {
                token
            } else {
                Token::Invalid
            };
        }
        self.last = rank;
        self.after_suffix = matches!(token, Token::Suffix(_));
        token
    }

    fn read(&mut self) -> Token<'a> {
        if !self.started {
            self.started = true;
            return self.digits().map_or(Token::Invalid, Token::First);
        }
        let Some(&first) = self.rest.as_bytes().first() else {
            return Token::End;
        };
        match first {
            b'.' => self.skip(1).digits().map_or(Token::Invalid, Token::Number),
            b'a'..=b'z' => {
                self.skip(1);
                Token::Letter(first)
            }
            b'_' => self.skip(1).suffix(),
            b'0'..=b'9' if self.after_suffix => {
                self.digits().map_or(Token::Invalid, Token::SuffixNumber)
            }
            b'~' => self
                .skip(1)
                .take(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                .map_or(Token::Invalid, Token::Hash),
            b'-' if self.rest.starts_with("-r") => {
                self.skip(2).digits().map_or(Token::Invalid, Token::Build)
            }
            _ => Token::Invalid,
        }
    }

    fn skip(&mut self, count: usize) -> &mut Self {
        self.rest = &self.rest[count..];
        self
    }

    fn digits(&mut self) -> Option<&'a str> {
        self.take(|byte| byte.is_ascii_digit())
    }

    fn suffix(&mut self) -> Token<'a> {
        let word = self.take(|byte| byte.is_ascii_lowercase()).unwrap_or("");
        SUFFIXES
            .iter()
            .position(|suffix| *suffix == word)
            .map_or(Token::Invalid, Token::Suffix)
    }

    fn take(&mut self, accept: impl Fn(u8) -> bool) -> Option<&'a str> {
        let length = self.rest.bytes().take_while(|byte| accept(*byte)).count();
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        (!taken.is_empty()).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_apk_orders_them() {
        // Left, relation and right, as `apk version -t` answered; ERR where one side is no version.
        let vectors = include_str!("../../tests/fixtures/wolfi/versions.tsv");
        let mut count = 0;
        for line in vectors.lines() {
            let [left, relation, right] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            let (left, right) = (Version::new(left), Version::new(right));
            let found = match left.compare(&right) {
                _ if !left.is_valid() || !right.is_valid() => "ERR",
                Ordering::Less => "<",
                Ordering::Equal => "=",
                Ordering::Greater => ">",
            };
            assert_eq!(found, relation, "{left} {right}");
            assert_eq!(left.compare(&right), right.compare(&left).reverse());
            count += 1;
        }
        assert!(count > 200, "{count} vectors");
    }

    #[test]
    fn what_breaks_the_grammar_is_no_version() {
        let invalid = [
            "",
            "1.0.",
            "1.0-r",
            "v1.0",
            "1.0_foo",
            "1.0A",
            "1.2.3-4",
            "1.0ab",
            "1.0a2",
            "1..2",
            "1.0_",
            "1.0~",
            "1.0~xyz",
            "1.0-r1.2",
            "1.0-r1_p1",
            "1.0~ab_p1",
            ".1",
            "1.0 ",
            "é",
        ];
        for text in invalid {
            assert!(!Version::new(text).is_valid(), "{text}");
        }
        let valid = [
            "0",
            "1.0a_rc1",
            "1.0_alpha_pre1",
            "1_p2_git3",
            "1.0~ab12-r3",
            "007",
        ];
        for text in valid {
            assert!(Version::new(text).is_valid(), "{text}");
        }
    }

    #[test]
    fn an_invalid_version_sorts_before_every_valid_one() {
        let mut versions = ["2.0", "v9", "0_alpha", "2.1.28-r50`"].map(Version::new);
        versions.sort();
        let texts: Vec<&str> = versions.iter().map(Version::as_str).collect();
        assert_eq!(texts, ["2.1.28-r50`", "v9", "0_alpha", "2.0"]);
    }

    #[test]
    fn a_number_of_any_length_is_compared() {
        let small = Version::new("99999999999999999999999999998");
        let large = Version::new("99999999999999999999999999999");
        assert!(small < large);
    }

    #[test]
    fn a_prefix_ends_where_a_part_ends() {
        let cases = [
            ("1.2.3-r0", "1.2.3", true),
            ("1.2.3-r0", "1.2", true),
            ("1.2.3-r0", "1", true),
            ("1.2.3-r0", "1.2.3-r0", true),
            ("1.2.30-r0", "1.2.3", false),
            ("1.2.3-r0", "1.2.3-r1", false),
            ("1.2-r0", "1.2.3", false),
            ("1.2_rc1-r0", "1.2", true),
        ];
        for (version, prefix, expected) in cases {
            let found = Version::new(version).starts_with(&Version::new(prefix));
            assert_eq!(found, expected, "{version} {prefix}");
        }
    }

    #[test]
    fn the_upstream_version_lacks_the_build_number() {
        let cases = [("1.2.3-r0", "1.2.3"), ("1.2", "1.2"), ("3-rc", "3-rc")];
        for (version, upstream) in cases {
            assert_eq!(Version::new(version).upstream(), upstream);
        }
    }
}
