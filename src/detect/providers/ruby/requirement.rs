//! RubyGems' requirements, as its guide to declaring dependencies has them.

use crate::detect::range::{Interval, Range};
use crate::detect::version::{Source, Want, exact, numbers};

/// What a source asks for: a requirement of a Gemfile, a plain version elsewhere.
pub(super) fn read(source: &Source) -> Result<Want, String> {
    let text = source.text.trim();
    match source.rule {
        "version.gemfile" => parse(text).map(Want::Range),
        // Bundler notes the Ruby that it ran with: the stream is what counts.
        "version.lock" => {
            let mut found = numbers(text);
            found.truncate(2);
            (found.len() == 2)
                .then_some(Want::Prefix(found))
                .ok_or_else(|| "it is no version".to_owned())
        }
        _ => {
            let plain = text.strip_prefix("ruby-").unwrap_or(text);
            if plain.starts_with(|c: char| c.is_ascii_alphabetic()) {
                return Err("only Ruby itself is packaged".to_owned());
            }
            exact(plain.split("-p").next().unwrap_or(plain)).map(Want::Prefix)
        }
    }
}

/// Reads requirements with commas between.
pub(super) fn parse(text: &str) -> Result<Range, String> {
    text.split(',').try_fold(Range::any(), |range, part| {
        let one = Range {
            any_of: vec![Interval::compared(part.trim(), "RubyGems")?],
        };
        Ok(range.and(&one))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_hold_what_the_guides_of_rubygems_say() {
        let ruby = &["3.2.11", "3.3.0", "3.3.12", "3.4.10", "4.0.6"];
        for (requirement, expected) in [
            ("~> 3.3", &["3.3.0", "3.3.12", "3.4.10"][..]),
            ("~> 3.3.0", &["3.3.0", "3.3.12"]),
            ("~> 3.3.1", &["3.3.12"]),
            ("~> 3", &["3.2.11", "3.3.0", "3.3.12", "3.4.10"]),
            (">= 3.2, < 4", &["3.2.11", "3.3.0", "3.3.12", "3.4.10"]),
            (">=3.3, != 3.3.0", &["3.3.12", "3.4.10", "4.0.6"]),
            ("3.3", &["3.3.0"]),
            ("= 3.4.10", &["3.4.10"]),
            ("> 3.4.10", &["4.0.6"]),
            ("<= 3.3", &["3.2.11", "3.3.0"]),
        ] {
            let range = parse(requirement).unwrap();
            let held: Vec<&str> = ruby
                .iter()
                .filter(|text| range.holds(&numbers(text)))
                .copied()
                .collect();
            assert_eq!(held, expected, "{requirement}");
        }
        for text in ["", "latest", "=> 3", "~> "] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
