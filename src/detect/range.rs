//! Version ranges of ecosystems that have no library: unions of intervals between lists of numbers.

use std::cmp::Ordering;

use super::version::numbers;

/// A range: a version is in it that is in one of its intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) any_of: Vec<Interval>,
}

/// Versions between two ends, without some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interval {
    /// The lowest, and whether it is in the interval.
    pub(crate) from: Option<(Vec<u64>, bool)>,
    /// The highest, and whether it is in the interval.
    pub(crate) to: Option<(Vec<u64>, bool)>,
    /// Those that are not; a short list leaves out all that begin with it.
    pub(crate) except: Vec<Vec<u64>>,
}

impl Range {
    /// All versions.
    pub(crate) fn any() -> Self {
        Self {
            any_of: vec![Interval::default()],
        }
    }

    /// Whether `version` is in it.
    pub(crate) fn holds(&self, version: &[u64]) -> bool {
        self.any_of.iter().any(|interval| interval.holds(version))
    }

    /// The lowest version in it, where it has one.
    pub(crate) fn lowest(&self) -> Option<&[u64]> {
        let ends = self.any_of.iter().map(|interval| interval.from.as_ref());
        let ends: Option<Vec<&[u64]>> = ends
            .map(|end| end.map(|(version, _)| version.as_slice()))
            .collect();
        ends?.into_iter().min_by(|left, right| compare(left, right))
    }

    /// Whether some interval of it ends.
    pub(crate) fn is_bounded(&self) -> bool {
        self.any_of.iter().all(|interval| interval.to.is_some())
    }

    /// The versions that are in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let pairs = self
            .any_of
            .iter()
            .flat_map(|left| other.any_of.iter().map(move |right| left.and(right)));
        Self {
            any_of: pairs.collect(),
        }
    }
}

impl Interval {
    /// This version or a newer one.
    pub(crate) fn at_least(version: Vec<u64>) -> Self {
        Self {
            from: Some((version, true)),
            ..Self::default()
        }
    }

    /// Any version that is older than this one.
    pub(crate) fn below(version: Vec<u64>) -> Self {
        Self {
            to: Some((version, false)),
            ..Self::default()
        }
    }

    /// From the first version on, below the second.
    pub(crate) fn between(from: Vec<u64>, to: Vec<u64>) -> Self {
        Self {
            from: Some((from, true)),
            to: Some((to, false)),
            ..Self::default()
        }
    }

    /// Reads an operator and a version behind it, as `>= 3.2`; `~>` is the pessimistic one of RubyGems and of Hex.
    ///
    /// # Errors
    /// The operator is none, or what is behind it is more or less than numbers with dots between.
    pub(crate) fn compared(text: &str, ecosystem: &str) -> Result<Self, String> {
        let at = text
            .find(|c: char| !"<>=!~".contains(c))
            .unwrap_or(text.len());
        let (operator, version) = text.split_at(at);
        let version = version.trim();
        let found = numbers(version);
        if found.is_empty() || version.split('.').count() != found.len() {
            return Err(format!("it is no requirement of {ecosystem}"));
        }
        match operator {
            "~>" => Some(Self::pessimistic(found)),
            _ => Self::comparing(operator, found),
        }
        .ok_or_else(|| format!("`{operator}` is no operator"))
    }

    /// The versions for which `version operator numbers` is true, with the operators that all ecosystems share.
    pub(crate) fn comparing(operator: &str, numbers: Vec<u64>) -> Option<Self> {
        let interval = match operator {
            "" | "=" | "==" => Self {
                from: Some((numbers.clone(), true)),
                to: Some((numbers, true)),
                ..Self::default()
            },
            "!=" | "<>" => {
                // A short list would leave out its whole stream.
                let zeros = std::iter::repeat(0);
                let length = numbers.len().max(3);
                Self {
                    except: vec![numbers.into_iter().chain(zeros).take(length).collect()],
                    ..Self::default()
                }
            }
            "<" => Self::below(numbers),
            "<=" => Self {
                to: Some((numbers, true)),
                ..Self::default()
            },
            ">" => Self {
                from: Some((numbers, false)),
                ..Self::default()
            },
            ">=" => Self::at_least(numbers),
            _ => return None,
        };
        Some(interval)
    }

    /// The pessimistic operator `~>`: the last number that is written may rise.
    pub(crate) fn pessimistic(numbers: Vec<u64>) -> Self {
        let kept = numbers.len().saturating_sub(1).max(1).min(numbers.len());
        match next(&numbers[..kept]) {
            Some(end) => Self::between(numbers, end),
            None => Self::at_least(numbers),
        }
    }

    /// All versions that begin with these numbers.
    pub(crate) fn starting_with(numbers: &[u64]) -> Self {
        match next(numbers) {
            Some(end) => Self::between(numbers.to_vec(), end),
            None => Self::default(),
        }
    }

    /// Whether `version` is in it.
    pub(crate) fn holds(&self, version: &[u64]) -> bool {
        let above = self
            .from
            .as_ref()
            .is_none_or(|(end, is_in)| match compare(version, end) {
                Ordering::Greater => true,
                Ordering::Equal => *is_in,
                Ordering::Less => false,
            });
        let below = self
            .to
            .as_ref()
            .is_none_or(|(end, is_in)| match compare(version, end) {
                Ordering::Less => true,
                Ordering::Equal => *is_in,
                Ordering::Greater => false,
            });
        above && below && !self.except.iter().any(|out| version.starts_with(out))
    }

    fn and(&self, other: &Self) -> Self {
        // At the same place the end that is left out is the narrower one.
        let from = [&self.from, &other.from].into_iter().flatten();
        let from = from
            .max_by(|left, right| compare(&left.0, &right.0).then_with(|| right.1.cmp(&left.1)));
        let to = [&self.to, &other.to].into_iter().flatten();
        let to =
            to.min_by(|left, right| compare(&left.0, &right.0).then_with(|| left.1.cmp(&right.1)));
        let except = self.except.iter().chain(&other.except);
        Self {
            from: from.cloned(),
            to: to.cloned(),
            except: except.cloned().collect(),
        }
    }
}

/// The first version after all that begin with `numbers`: `3.13` after `3.12`.
pub(crate) fn next(numbers: &[u64]) -> Option<Vec<u64>> {
    let mut next = numbers.to_vec();
    let last = next.last_mut()?;
    *last = last.checked_add(1)?;
    Some(next)
}

/// Compares two versions; numbers that are not written are 0.
pub(crate) fn compare(left: &[u64], right: &[u64]) -> Ordering {
    let length = left.len().max(right.len());
    let padded = |version: &[u64]| -> Vec<u64> {
        let zeros = std::iter::repeat(0);
        version.iter().copied().chain(zeros).take(length).collect()
    };
    padded(left).cmp(&padded(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_count_or_not_and_missing_numbers_are_zero() {
        let range = Range {
            any_of: vec![Interval::between(vec![8, 2], vec![9])],
        };
        for (version, is_in) in [
            (&[8, 2][..], true),
            (&[8, 2, 0], true),
            (&[8, 1, 99], false),
            (&[8, 99], true),
            (&[9], false),
            (&[9, 0, 0], false),
        ] {
            assert_eq!(range.holds(version), is_in, "{version:?}");
        }
    }

    #[test]
    fn two_ranges_meet_in_what_both_hold() {
        let low = Range {
            any_of: vec![Interval::at_least(vec![3, 1])],
        };
        let high = Range {
            any_of: vec![Interval::below(vec![4]), Interval::starting_with(&[5, 2])],
        };
        let both = low.and(&high);
        for (version, is_in) in [
            (&[3, 0][..], false),
            (&[3, 9], true),
            (&[4], false),
            (&[5, 2, 7], true),
            (&[5, 3], false),
        ] {
            assert_eq!(both.holds(version), is_in, "{version:?}");
        }
        assert_eq!(both.lowest(), Some(&[3, 1][..]));
        assert!(both.is_bounded() && !low.is_bounded());
    }

    #[test]
    fn what_is_excepted_is_out() {
        let mut interval = Interval::at_least(vec![3]);
        interval.except = vec![vec![3, 9]];
        assert!(!interval.holds(&[3, 9, 4]) && interval.holds(&[3, 10]));
    }
}
