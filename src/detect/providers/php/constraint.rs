//! Composer's version constraints: <https://getcomposer.org/doc/articles/versions.md>.

use crate::detect::range::{Interval, Range, next};
use crate::detect::version::{Source, Want, exact, numbers};

/// What a source asks for: a constraint of a manifest, a plain version elsewhere.
pub(super) fn read(source: &Source) -> Result<Want, String> {
    let text = source.text.trim();
    match source.rule {
        // What Composer is told to take the machine for: a later patch of it serves.
        "version.platform" => {
            let mut numbers = exact(text)?;
            numbers.truncate(2);
            Ok(Want::Prefix(numbers))
        }
        "version.composer" => parse(text).map(Want::Range),
        _ if matches!(text, "latest" | "system") => Ok(Want::Any),
        _ => exact(text).map(Want::Prefix),
    }
}

/// The longest constraint that is read.
const LONGEST: usize = 1000;

/// Reads a constraint.
pub(super) fn parse(text: &str) -> Result<Range, String> {
    if text.len() > LONGEST {
        return Err("it is too long".to_owned());
    }
    let mut any_of = Vec::new();
    for part in text.replace("||", "|").split('|') {
        any_of.extend(conjunction(part.trim())?.any_of);
    }
    Ok(Range { any_of })
}

fn conjunction(text: &str) -> Result<Range, String> {
    if let Some((low, high)) = text.split_once(" - ") {
        let (low, high) = (version(low.trim())?, version(high.trim())?);
        let upper = match next(&high) {
            Some(end) if high.len() < 3 => Interval::below(end),
            _ => Interval {
                to: Some((high, true)),
                ..Interval::default()
            },
        };
        return Ok(one(Interval::at_least(low)).and(&one(upper)));
    }
    let words = words(text);
    if words.is_empty() {
        return Err("it is empty".to_owned());
    }
    words.iter().try_fold(Range::any(), |range, word| {
        Ok(range.and(&one(single(word)?)))
    })
}

/// The parts that commas and blanks separate; a blank behind an operator separates nothing.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for character in text.chars() {
        if character != ',' && !character.is_whitespace() {
            word.push(character);
        } else if word.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '*') {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn single(word: &str) -> Result<Interval, String> {
    let word = word.split_once('@').map_or(word, |(version, _)| version);
    let at = word
        .find(|c: char| !"<>=!~^".contains(c))
        .unwrap_or(word.len());
    let (operator, text) = word.split_at(at);
    let wildcard = text.strip_suffix(['*', 'x', 'X']);
    if let Some(prefix) = wildcard {
        let prefix = prefix.trim_end_matches(['*', 'x', 'X', '.']);
        if prefix.is_empty() {
            return Ok(Interval::default());
        }
        let numbers = version(prefix)?;
        return match operator {
            "!=" | "<>" => Ok(Interval {
                except: vec![numbers],
                ..Interval::default()
            }),
            "" | "=" | "==" | "^" | "~" => Ok(Interval::starting_with(&numbers)),
            _ => compared(operator, numbers),
        };
    }
    let numbers = version(text)?;
    match operator {
        "^" => {
            let last = numbers.len() - 1;
            let at = numbers.iter().position(|number| *number > 0);
            let end = next(&numbers[..=at.unwrap_or(last)]);
            Ok(Interval {
                to: end.map(|end| (end, false)),
                ..Interval::at_least(numbers)
            })
        }
        "~" => Ok(Interval::pessimistic(numbers)),
        _ => compared(operator, numbers),
    }
}

fn compared(operator: &str, numbers: Vec<u64>) -> Result<Interval, String> {
    Interval::comparing(operator, numbers).ok_or_else(|| format!("`{operator}` is no operator"))
}

/// The numbers of a version; a suffix such as `-dev` or `-RC1` is let go.
fn version(text: &str) -> Result<Vec<u64>, String> {
    let text = text.trim_start_matches(['v', 'V']);
    let plain = text.split(['-', '+']).next().unwrap_or_default();
    let found = numbers(plain);
    if found.is_empty() || plain.split('.').count() != found.len() {
        return Err("it is no constraint of Composer".to_owned());
    }
    Ok(found)
}

fn one(interval: Interval) -> Range {
    Range {
        any_of: vec![interval],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(constraint: &str, versions: &[&str]) -> Vec<String> {
        let range = parse(constraint).unwrap();
        let held = versions.iter().filter(|text| range.holds(&numbers(text)));
        held.map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn constraints_hold_what_composers_documentation_says() {
        let php = &["7.4.33", "8.1.34", "8.2.0", "8.2.33", "8.4.24", "9.0.0"];
        for (constraint, expected) in [
            ("^8.2", &["8.2.0", "8.2.33", "8.4.24"][..]),
            ("^8.2 || ^9.0", &["8.2.0", "8.2.33", "8.4.24", "9.0.0"]),
            ("^7.4|^8.4", &["7.4.33", "8.4.24"]),
            (">=8.2", &["8.2.0", "8.2.33", "8.4.24", "9.0.0"]),
            (">= 8.2, < 8.4", &["8.2.0", "8.2.33"]),
            (">=8.1 <8.2", &["8.1.34"]),
            ("~8.2.0", &["8.2.0", "8.2.33"]),
            ("~8.2", &["8.2.0", "8.2.33", "8.4.24"]),
            ("~8", &["8.1.34", "8.2.0", "8.2.33", "8.4.24"]),
            ("8.2.*", &["8.2.0", "8.2.33"]),
            ("8.x", &["8.1.34", "8.2.0", "8.2.33", "8.4.24"]),
            ("*", php),
            ("8.1 - 8.2", &["8.1.34", "8.2.0", "8.2.33"]),
            ("8.1 - 8.2.0", &["8.1.34", "8.2.0"]),
            (">8.2.0 !=8.4.24", &["8.2.33", "9.0.0"]),
            ("!=8.2.* ^8.1", &["8.1.34", "8.4.24"]),
            ("8.2", &["8.2.0"]),
            ("v8.2.33@stable", &["8.2.33"]),
            ("<8.2", &["7.4.33", "8.1.34"]),
        ] {
            assert_eq!(held(constraint, php), expected, "{constraint}");
        }
    }

    #[test]
    fn a_caret_keeps_the_first_number_that_is_not_zero() {
        let versions = &["0.2.9", "0.3.0", "0.3.9", "0.4.0", "1.0.0"];
        assert_eq!(held("^0.3", versions), ["0.3.0", "0.3.9"]);
        assert_eq!(held("^0.3.1", versions), ["0.3.9"]);
        assert_eq!(held("^0", versions), ["0.2.9", "0.3.0", "0.3.9", "0.4.0"]);
    }

    #[test]
    fn what_is_no_constraint_is_said() {
        for text in ["", "dev-main", "latest", "^8.2 ||", "=>8"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
