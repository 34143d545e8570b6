//! The version streams of a language, and the choice among them.

use std::cmp::Reverse;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::calendar::{Upkeep, numbers};
use super::index::Index;
use super::version::Version;

/// The package names of a family of streams: a prefix, a stream of numbers, a suffix, and nothing else.
///
/// A mere prefix would also catch `nodejs-24-minimal` or `python-3.14t`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    prefix: String,
    numbers: usize,
    suffix: String,
    default: Option<String>,
}

/// One stream of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The package name.
    pub package: String,
    /// The stream alone: `24`, `3.13`.
    pub name: String,
    /// The stream's numbers, by which streams are sorted.
    pub numbers: Vec<u64>,
    /// The newest version of the package in the index.
    pub newest: Version,
    /// What is known about its upkeep.
    pub upkeep: Upkeep,
    /// What follows from that on the day of the index.
    pub status: Status,
}

/// How well a stream is kept up, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Wolfi maintains it, and upstream supports it for long.
    LongTerm,
    /// Wolfi maintains it, and upstream has not ended it.
    Maintained,
    /// Wolfi maintains it, but upstream has ended it.
    EndOfLife,
    /// Wolfi does not build it any more: it is in the index and gets no fixes.
    Frozen,
}

/// The stream that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The stream.
    pub stream: Stream,
    /// The nearest streams with the best status of all, where the chosen one has a worse status than maintained.
    pub alternatives: Vec<Stream>,
}

/// No stream has an acceptable version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of the streams of `{pattern}` has an acceptable version")]
pub struct NoStream {
    /// The family's names, with `N` for a number.
    pub pattern: String,
    /// The streams that there are, by number.
    pub streams: Vec<Stream>,
}

impl Pattern {
    /// Names of `prefix`, then `numbers` numbers with dots between (0: any count), then `suffix`.
    #[must_use]
    pub fn new(prefix: &str, numbers: usize, suffix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            numbers,
            suffix: suffix.to_owned(),
            default: None,
        }
    }

    /// Names the virtual package by which Wolfi marks its own default among the streams: `python3`.
    #[must_use]
    pub fn with_default(mut self, name: &str) -> Self {
        self.default = Some(name.to_owned());
        self
    }

    /// The stream in a package name, if the name fits: `3.13` of `python-3.13`.
    #[must_use]
    pub fn stream<'a>(&self, name: &'a str) -> Option<&'a str> {
        let stream = name
            .strip_prefix(self.prefix.as_str())?
            .strip_suffix(self.suffix.as_str())?;
        let count = numbers(stream)?.len();
        (self.numbers == 0 || self.numbers == count).then_some(stream)
    }

    // The name by which the calendar knows the family.
    fn family(&self) -> &str {
        let prefix = self.prefix.trim_end_matches('-');
        match prefix {
            "aspnet" => "dotnet",
            _ if prefix.ends_with("-elixir") => "elixir",
            _ => prefix,
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers = ["N"].repeat(self.numbers.max(1)).join(".");
        write!(f, "{}{numbers}{}", self.prefix, self.suffix)
    }
}

impl Status {
    /// Whether the stream gets fixes from Wolfi and from its upstream.
    #[must_use]
    pub fn is_maintained(self) -> bool {
        self <= Self::Maintained
    }

    fn of(upkeep: &Upkeep, day: Date) -> Self {
        let is_over = upkeep.end_of_life.is_some_and(|end| end < day);
        let is_long_term = upkeep.long_term.is_some_and(|since| since <= day);
        match (upkeep.maintained, is_over, is_long_term) {
            (false, _, _) => Self::Frozen,
            (true, true, _) => Self::EndOfLife,
            (true, false, true) => Self::LongTerm,
            (true, false, false) => Self::Maintained,
        }
    }
}

/// The streams of a family in the index, by number.
///
/// Whether support has ended is judged on the day of the newest package of the index, not by a clock.
#[must_use]
pub fn streams(index: &Index, pattern: &Pattern) -> Vec<Stream> {
    let day = day(index);
    let mut streams: Vec<Stream> = index
        .names_with_prefix(&pattern.prefix)
        .filter_map(|package| {
            let name = pattern.stream(package)?;
            let numbers = numbers(name)?;
            let upkeep = index.calendar().upkeep(pattern.family(), &numbers);
            Some(Stream {
                package: package.to_owned(),
                name: name.to_owned(),
                newest: index.newest(package)?.version.clone(),
                status: Status::of(&upkeep, day),
                upkeep,
                numbers,
            })
        })
        .collect();
    streams.sort_by(|left, right| left.numbers.cmp(&right.numbers));
    streams
}

/// Chooses among the streams of which the newest version is acceptable: by status, then what Wolfi itself takes for
/// the default, then the highest.
///
/// # Errors
///
/// No stream is acceptable.
pub fn choose(
    index: &Index,
    pattern: &Pattern,
    accept: impl Fn(&Version) -> bool,
) -> Result<Choice, NoStream> {
    let streams = streams(index, pattern);
    let default = pattern
        .default
        .as_ref()
        .and_then(|name| index.preferred(name))
        .map(|package| package.name.as_str());
    let best = streams
        .iter()
        .filter(|stream| accept(&stream.newest))
        .min_by_key(|stream| {
            let is_default = default == Some(stream.package.as_str());
            let rank = (stream.status, Reverse(is_default));
            (rank, Reverse(stream.numbers.clone()))
        });
    let Some(best) = best.cloned() else {
        return Err(NoStream {
            pattern: pattern.to_string(),
            streams,
        });
    };
    let alternatives = if best.status.is_maintained() {
        Vec::new()
    } else {
        nearest(&best, streams)
    };
    Ok(Choice {
        stream: best,
        alternatives,
    })
}

// The next maintained stream above and the next below.
fn nearest(chosen: &Stream, streams: Vec<Stream>) -> Vec<Stream> {
    let (above, below): (Vec<Stream>, Vec<Stream>) = streams
        .into_iter()
        .filter(|stream| stream.status.is_maintained())
        .partition(|stream| stream.numbers > chosen.numbers);
    let above = above.into_iter().next();
    above
        .into_iter()
        .chain(below.into_iter().next_back())
        .collect()
}

fn day(index: &Index) -> Date {
    match index.newest_build() {
        0 => index.calendar().made(),
        seconds => Timestamp::from_second(seconds).map_or(index.calendar().made(), |time| {
            time.to_zoned(TimeZone::UTC).date()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::tiny;
    use super::*;

    const AUGUST_2026: &str = "t:1787356800";

    fn node() -> Index {
        tiny(&format!(
            "nodejs-18 18.20.8-r9 | p:nodejs=18.20.8-r9
             nodejs-9 9.1.0-r0
             nodejs-22 22.23.2-r1 | p:nodejs=22.23.2-r1
             nodejs-24 24.19.0-r0 | p:nodejs=24.19.0-r0 | {AUGUST_2026}
             nodejs-24 24.18.0-r0
             nodejs-26 26.7.0-r0 | p:nodejs=26.7.0-r0
             nodejs-24-minimal 24.19.0-r0
             nodejs-24.1 1
             nodejs-x 1"
        ))
    }

    fn pattern() -> Pattern {
        Pattern::new("nodejs-", 1, "").with_default("nodejs")
    }

    fn chosen(index: &Index, pattern: &Pattern, accept: impl Fn(&Version) -> bool) -> String {
        choose(index, pattern, accept).map_or_else(
            |error| error.to_string(),
            |choice| {
                let near: Vec<&str> = choice
                    .alternatives
                    .iter()
                    .map(|stream| stream.package.as_str())
                    .collect();
                format!(
                    "{} {:?} {near:?}",
                    choice.stream.package, choice.stream.status
                )
            },
        )
    }

    #[test]
    fn only_whole_names_are_streams_and_they_sort_by_number() {
        let index = node();
        let streams: Vec<String> = streams(&index, &pattern())
            .into_iter()
            .map(|stream| format!("{} {} {:?}", stream.name, stream.newest, stream.status))
            .collect();
        assert_eq!(
            streams,
            [
                "9 9.1.0-r0 Frozen",
                "18 18.20.8-r9 Frozen",
                "22 22.23.2-r1 Frozen",
                "24 24.19.0-r0 LongTerm",
                "26 26.7.0-r0 Maintained",
            ]
        );
    }

    #[test]
    fn without_a_range_the_long_term_release_is_chosen_not_the_highest() {
        assert_eq!(
            chosen(&node(), &pattern(), |_| true),
            "nodejs-24 LongTerm []"
        );
    }

    #[test]
    fn a_range_is_met_by_the_best_kept_stream_in_it() {
        let index = node();
        let at_least = |major: u64| {
            move |version: &Version| {
                let number = version.as_str().split('.').next().unwrap();
                number.parse::<u64>().unwrap() >= major
            }
        };
        assert_eq!(
            chosen(&index, &pattern(), at_least(18)),
            "nodejs-24 LongTerm []"
        );
        assert_eq!(
            chosen(&index, &pattern(), at_least(25)),
            "nodejs-26 Maintained []"
        );
        assert_eq!(
            chosen(&index, &pattern(), at_least(27)),
            "none of the streams of `nodejs-N` has an acceptable version"
        );
    }

    #[test]
    fn a_frozen_stream_is_chosen_only_if_nothing_else_fits_and_names_its_neighbours() {
        let only_22 = |version: &Version| version.upstream().starts_with("22.");
        let expected = r#"nodejs-22 Frozen ["nodejs-24"]"#;
        assert_eq!(chosen(&node(), &pattern(), only_22), expected);
    }

    #[test]
    fn without_long_term_releases_wolfis_own_default_is_chosen() {
        let index = tiny(
            "python-3.9 3.9.1-r0\npython-3.12 3.12.1-r0 | p:python3=3.12.1-r0
             python-3.13 3.13.1-r0 | p:python3=3.13.1-r0\npython-3.14 3.14.1-r0 | p:python3=0\npython-3.14t 3.14.1-r0",
        );
        let pattern = Pattern::new("python-", 2, "").with_default("python3");
        assert_eq!(
            chosen(&index, &pattern, |_| true),
            "python-3.13 Maintained []"
        );
        let pattern = Pattern::new("python-", 2, "");
        assert_eq!(
            chosen(&index, &pattern, |_| true),
            "python-3.14 Maintained []"
        );
    }

    #[test]
    fn support_is_judged_on_the_day_of_the_index() {
        let pattern = Pattern::new("dotnet-", 1, "-sdk");
        let status = |build: &str| {
            let index = tiny(&format!("dotnet-9-sdk 9.0.120-r0\nother 1 | t:{build}"));
            streams(&index, &pattern)[0].status
        };
        assert_eq!(status("1787356800"), Status::Maintained); // 22 August 2026
        assert_eq!(status("1794355200"), Status::EndOfLife); // 11 November 2026
        assert_eq!(status("0"), Status::Maintained); // nothing known: the day of the table
    }

    #[test]
    fn a_stream_stands_between_prefix_and_suffix() {
        let pattern = Pattern::new("openjdk-", 1, "-default-jdk");
        assert_eq!(pattern.stream("openjdk-21-default-jdk"), Some("21"));
        assert_eq!(pattern.stream("openjdk-21"), None);
        assert_eq!(pattern.stream("openjdk-default-jdk"), None);
        assert_eq!(pattern.to_string(), "openjdk-N-default-jdk");
        let any = Pattern::new("pnpm-", 0, "");
        assert_eq!(any.stream("pnpm-11.8"), Some("11.8"));
        assert_eq!(any.stream("pnpm-11"), Some("11"));
    }
}
