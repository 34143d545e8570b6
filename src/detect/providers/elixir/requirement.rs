//! Hex's and Mix's requirements: <https://hexdocs.pm/elixir/Version.html#module-requirements>.

use crate::detect::range::{Interval, Range};
use crate::detect::version::{Source, Want, exact};

/// What a source asks for: a requirement of a manifest, a plain version elsewhere.
pub(in super::super) fn read(source: &Source) -> Result<Want, String> {
    let text = source.text.trim();
    match source.rule {
        "version.mix" => parse(text).map(Want::Range),
        // `1.18.4-otp-27` is a build of 1.18.4.
        _ => exact(text.split("-otp").next().unwrap_or(text)).map(Want::Prefix),
    }
}

/// Reads a requirement.
pub(in super::super) fn parse(text: &str) -> Result<Range, String> {
    let mut any_of = Vec::new();
    for alternative in text.split(" or ") {
        let all = alternative
            .split(" and ")
            .try_fold(Range::any(), |range, part| {
                let one = Range {
                    any_of: vec![single(part.trim())?],
                };
                Ok::<Range, String>(range.and(&one))
            })?;
        any_of.extend(all.any_of);
    }
    Ok(Range { any_of })
}

fn single(text: &str) -> Result<Interval, String> {
    // What stands behind the numbers tells prereleases and builds, of which none is packaged.
    let text = text.split(['-', '+']).next().unwrap_or(text).trim_end();
    if text.starts_with("<>") || (text.starts_with('=') && !text.starts_with("==")) {
        return Err("it is no requirement of Mix".to_owned());
    }
    match text.strip_prefix('!').filter(|rest| !rest.starts_with('=')) {
        Some(version) => Interval::compared(&format!("!={version}"), "Mix"),
        None => Interval::compared(text, "Mix"),
    }
}

#[cfg(test)]
mod tests {
    use crate::detect::version::numbers;

    use super::*;

    #[test]
    fn requirements_hold_what_elixirs_documentation_says() {
        let elixir = &["1.14.5", "1.17.3", "1.18.0", "1.18.4", "1.19.5", "2.0.0"];
        for (requirement, expected) in [
            ("~> 1.17", &["1.17.3", "1.18.0", "1.18.4", "1.19.5"][..]),
            ("~> 1.18.1", &["1.18.4"]),
            ("~> 1.18.0", &["1.18.0", "1.18.4"]),
            (">= 1.17.0 and < 1.19.0", &["1.17.3", "1.18.0", "1.18.4"]),
            ("~> 1.14.0 or ~> 1.19.0", &["1.14.5", "1.19.5"]),
            ("== 1.18.4", &["1.18.4"]),
            ("1.18.4", &["1.18.4"]),
            ("> 1.18.4", &["1.19.5", "2.0.0"]),
            ("!= 1.18.0 and ~> 1.18.0", &["1.18.4"]),
            ("~> 2.0-rc", &["2.0.0"]),
        ] {
            let range = parse(requirement).unwrap();
            let held: Vec<&str> = elixir
                .iter()
                .filter(|text| range.holds(&numbers(text)))
                .copied()
                .collect();
            assert_eq!(held, expected, "{requirement}");
        }
        for text in ["", "latest", "=> 1", "1.18, 1.19"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
