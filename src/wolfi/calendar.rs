//! What is known about the upkeep of version streams.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};

/// Which streams of which families are maintained in Wolfi, and when their upstream ends them.
///
/// The index alone does not tell: the newest version of a name stays in it when its recipe is gone. So a table is
/// shipped with the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    made: Date,
    rows: BTreeMap<(String, Vec<u64>), Upkeep>,
}

/// What is known about one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upkeep {
    /// Whether Wolfi has a recipe for it, so that it still gets fixes.
    pub maintained: bool,
    /// The day on which its upstream ends support.
    pub end_of_life: Option<Date>,
    /// The day since which it is a long-term release.
    pub long_term: Option<Date>,
}

struct Row(&'static str, &'static str, bool, Option<Date>, Option<Date>);

impl Calendar {
    /// The table that the program was built with.
    #[must_use]
    pub fn embedded() -> Self {
        let rows = ROWS.iter().filter_map(|row| {
            let upkeep = Upkeep {
                maintained: row.2,
                end_of_life: row.3,
                long_term: row.4,
            };
            Some(((row.0.to_owned(), numbers(row.1)?), upkeep))
        });
        Self {
            made: MADE,
            rows: rows.collect(),
        }
    }

    /// The day on which the embedded table was made.
    #[must_use]
    pub fn made(&self) -> Date {
        self.made
    }

    /// What is known about a stream of a family (`nodejs`, `[24]`).
    ///
    /// A stream above all known ones is newer than the table and taken to be maintained; an unknown one among or
    /// below them is not. Of a family that is not in the table, nothing is held against any stream.
    #[must_use]
    pub fn upkeep(&self, family: &str, stream: &[u64]) -> Upkeep {
        let key = (family.to_owned(), stream.to_vec());
        if let Some(upkeep) = self.rows.get(&key) {
            return *upkeep;
        }
        let newest = self
            .rows
            .keys()
            .rev()
            .find(|(other, _)| other == family)
            .map(|(_, numbers)| numbers.as_slice());
        Upkeep {
            maintained: newest.is_none_or(|newest| stream > newest),
            end_of_life: None,
            long_term: None,
        }
    }
}

impl Default for Calendar {
    fn default() -> Self {
        Self::embedded()
    }
}

/// The numbers of a stream: `[3, 13]` of `3.13`.
pub(super) fn numbers(stream: &str) -> Option<Vec<u64>> {
    stream
        .split('.')
        .map(|part| {
            let is_plain = part == "0" || !part.starts_with(['0', '+']);
            part.parse().ok().filter(|_| is_plain)
        })
        .collect()
}

/// The day of the data below.
const MADE: Date = date(2026, 8, 22);

// Family, stream, has a recipe in wolfi-dev/os, end of life, long-term since: from the recipes of wolfi-dev/os
// and from endoflife.date, both of the day above. Sorted by family, then by number. Long-term releases without a
// date were so from the beginning. Rust has no ends of life: upstream ends a release with the next one, six weeks
// later, which says nothing about Wolfi's.
static ROWS: [Row; 93] = [
    Row(
        "dotnet",
        "8",
        false,
        Some(date(2026, 11, 10)),
        Some(Date::MIN),
    ),
    Row("dotnet", "9", true, Some(date(2026, 11, 10)), None),
    Row(
        "dotnet",
        "10",
        true,
        Some(date(2028, 11, 14)),
        Some(Date::MIN),
    ),
    Row("elixir", "1.17", false, None, None),
    Row("elixir", "1.18", false, None, None),
    Row("elixir", "1.19", false, None, None),
    Row("erlang", "25", true, Some(date(2025, 5, 17)), None),
    Row("erlang", "26", true, Some(date(2026, 5, 26)), None),
    Row("erlang", "27", true, Some(date(2027, 5, 20)), None),
    Row("erlang", "28", true, Some(date(2028, 5, 20)), None),
    Row("erlang", "29", true, Some(date(2029, 5, 11)), None),
    Row("go", "1.20", false, Some(date(2024, 2, 6)), None),
    Row("go", "1.21", false, Some(date(2024, 8, 13)), None),
    Row("go", "1.22", false, Some(date(2025, 2, 11)), None),
    Row("go", "1.23", false, Some(date(2025, 8, 12)), None),
    Row("go", "1.24", false, Some(date(2026, 2, 10)), None),
    Row("go", "1.25", false, Some(date(2026, 8, 19)), None),
    Row("go", "1.26", true, None, None),
    Row("go", "1.27", true, None, None),
    Row("gradle", "8", false, None, None),
    Row("gradle", "9", true, None, None),
    Row("maven", "3.9", true, None, None),
    Row(
        "nodejs",
        "16",
        false,
        Some(date(2023, 9, 11)),
        Some(date(2021, 10, 26)),
    ),
    Row(
        "nodejs",
        "18",
        false,
        Some(date(2025, 4, 30)),
        Some(date(2022, 10, 25)),
    ),
    Row(
        "nodejs",
        "20",
        false,
        Some(date(2026, 4, 30)),
        Some(date(2023, 10, 24)),
    ),
    Row("nodejs", "21", false, Some(date(2024, 6, 1)), None),
    Row(
        "nodejs",
        "22",
        false,
        Some(date(2027, 4, 30)),
        Some(date(2024, 10, 29)),
    ),
    Row("nodejs", "23", false, Some(date(2025, 6, 1)), None),
    Row(
        "nodejs",
        "24",
        true,
        Some(date(2028, 4, 30)),
        Some(date(2025, 10, 28)),
    ),
    Row("nodejs", "25", false, Some(date(2026, 6, 1)), None),
    Row(
        "nodejs",
        "26",
        true,
        Some(date(2029, 4, 30)),
        Some(date(2026, 10, 28)),
    ),
    Row("npm", "12", true, None, None),
    Row("openjdk", "7", false, None, None),
    Row(
        "openjdk",
        "8",
        true,
        Some(date(2030, 12, 31)),
        Some(Date::MIN),
    ),
    Row("openjdk", "9", false, None, None),
    Row("openjdk", "10", false, None, None),
    Row(
        "openjdk",
        "11",
        true,
        Some(date(2027, 10, 31)),
        Some(Date::MIN),
    ),
    Row("openjdk", "12", false, None, None),
    Row("openjdk", "13", false, None, None),
    Row("openjdk", "14", false, None, None),
    Row("openjdk", "15", false, None, None),
    Row("openjdk", "16", false, Some(date(2021, 9, 30)), None),
    Row(
        "openjdk",
        "17",
        true,
        Some(date(2027, 10, 31)),
        Some(Date::MIN),
    ),
    Row("openjdk", "18", false, Some(date(2022, 9, 30)), None),
    Row("openjdk", "19", false, Some(date(2023, 3, 31)), None),
    Row("openjdk", "20", false, Some(date(2023, 9, 19)), None),
    Row(
        "openjdk",
        "21",
        true,
        Some(date(2029, 12, 31)),
        Some(Date::MIN),
    ),
    Row("openjdk", "22", false, Some(date(2024, 9, 17)), None),
    Row("openjdk", "23", false, Some(date(2025, 3, 18)), None),
    Row("openjdk", "24", false, Some(date(2025, 9, 16)), None),
    Row(
        "openjdk",
        "25",
        true,
        Some(date(2031, 9, 30)),
        Some(Date::MIN),
    ),
    Row("openjdk", "26", true, Some(date(2026, 9, 15)), None),
    Row("php", "8.1", false, Some(date(2025, 12, 31)), None),
    Row("php", "8.2", true, Some(date(2026, 12, 31)), None),
    Row("php", "8.3", true, Some(date(2027, 12, 31)), None),
    Row("php", "8.4", true, Some(date(2028, 12, 31)), None),
    Row("php", "8.5", true, Some(date(2029, 12, 31)), None),
    Row("pnpm", "11", false, None, None),
    Row("pnpm", "11.8", true, None, None),
    Row("postgresql", "12", false, Some(date(2024, 11, 21)), None),
    Row("postgresql", "13", false, Some(date(2025, 11, 13)), None),
    Row("postgresql", "14", false, Some(date(2026, 11, 12)), None),
    Row("postgresql", "15", false, Some(date(2027, 11, 11)), None),
    Row("postgresql", "16", false, Some(date(2028, 11, 9)), None),
    Row("postgresql", "17", false, Some(date(2029, 11, 8)), None),
    Row("postgresql", "18", true, Some(date(2030, 11, 14)), None),
    Row("python", "3.10", true, Some(date(2026, 10, 31)), None),
    Row("python", "3.11", true, Some(date(2027, 10, 31)), None),
    Row("python", "3.12", true, Some(date(2028, 10, 31)), None),
    Row("python", "3.13", true, Some(date(2029, 10, 31)), None),
    Row("python", "3.14", true, Some(date(2030, 10, 31)), None),
    Row("ruby", "3.1", false, Some(date(2025, 3, 26)), None),
    Row("ruby", "3.2", true, Some(date(2026, 3, 31)), None),
    Row("ruby", "3.3", true, Some(date(2027, 3, 31)), None),
    Row("ruby", "3.4", true, Some(date(2028, 3, 31)), None),
    Row("ruby", "4.0", true, Some(date(2029, 3, 31)), None),
    Row("rust", "1.81", false, None, None),
    Row("rust", "1.82", false, None, None),
    Row("rust", "1.84", false, None, None),
    Row("rust", "1.85", false, None, None),
    Row("rust", "1.86", false, None, None),
    Row("rust", "1.87", false, None, None),
    Row("rust", "1.88", false, None, None),
    Row("rust", "1.89", false, None, None),
    Row("rust", "1.92", false, None, None),
    Row("rust", "1.93", false, None, None),
    Row("rust", "1.94", false, None, None),
    Row("rust", "1.95", false, None, None),
    Row("rust", "1.96", true, None, None),
    Row("rust", "1.97", true, None, None),
    Row("valkey", "8.1", false, Some(date(2030, 3, 31)), None),
    Row("valkey", "9.0", false, Some(date(2028, 10, 21)), None),
    Row("valkey", "9.1", true, None, None),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_stream_is_made_of_numbers() {
        let keys: Vec<(&str, Vec<u64>)> = ROWS
            .iter()
            .map(|row| (row.0, numbers(row.1).unwrap()))
            .collect();
        assert!(keys.is_sorted());
        assert_eq!(Calendar::embedded().rows.len(), ROWS.len());
    }

    #[test]
    fn a_stream_above_the_table_is_newer_than_it() {
        let calendar = Calendar::embedded();
        assert!(calendar.upkeep("nodejs", &[24]).maintained);
        assert!(!calendar.upkeep("nodejs", &[22]).maintained);
        assert!(calendar.upkeep("nodejs", &[28]).maintained);
        assert!(!calendar.upkeep("nodejs", &[19]).maintained);
        assert!(calendar.upkeep("unheard-of", &[1]).maintained);
    }

    #[test]
    fn a_stream_is_plain_numbers() {
        assert_eq!(numbers("3.13"), Some(vec![3, 13]));
        for text in [
            "",
            "3.",
            "3.13t",
            "03",
            "+3",
            "3.-1",
            "99999999999999999999",
        ] {
            assert_eq!(numbers(text), None, "{text}");
        }
    }
}
