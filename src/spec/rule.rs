//! What the values of a spec may be.

use std::str::Chars;

/// A rule: what is wrong with a text, if anything.
pub(super) type Rule = fn(&str) -> Result<(), String>;

fn claim(holds: bool, reason: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(reason.to_owned())
    }
}

fn is_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Any text without NUL, which no environment, label or argument can hold.
pub(super) fn value(text: &str) -> Result<(), String> {
    claim(!text.contains('\0'), "it holds a NUL")
}

/// One line that says something.
pub(super) fn line(text: &str) -> Result<(), String> {
    claim(!text.trim().is_empty(), "it is empty")?;
    claim(is_line(text), "it holds a control character")
}

/// Several lines, for people.
pub(super) fn prose(text: &str) -> Result<(), String> {
    claim(
        !text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\t')),
        "it holds a control character",
    )
}

/// A command for a shell: it may have several lines.
pub(super) fn command(text: &str) -> Result<(), String> {
    claim(!text.trim().is_empty(), "it is empty")?;
    prose(text)
}

/// An element of a command in exec form.
pub(super) fn argument(text: &str) -> Result<(), String> {
    claim(!text.is_empty(), "an element of a command is empty")?;
    value(text)
}

/// The version of the format.
pub(super) fn version(text: &str) -> Result<(), String> {
    claim(text == "1.0", "this peelbox reads version \"1.0\"")
}

/// An app's name.
pub(super) fn name(text: &str) -> Result<(), String> {
    line(text)?;
    claim(text.len() <= 200, "it is longer than 200 bytes")?;
    claim(
        text.chars().any(|c| c.is_ascii_alphanumeric()),
        "it has no letter or digit that a file name or tag can hold",
    )
}

/// `name`, `name=version` or `name~version`.
pub(super) fn package(text: &str) -> Result<(), String> {
    let (name, version) = match text.find(['=', '~']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let names = |c: char| c.is_ascii_alphanumeric() || "+._-:".contains(c);
    claim(
        name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && name.chars().all(names),
        "a package is written as name, name=version or name~version",
    )?;
    claim(
        version.is_none_or(|version| {
            version.starts_with(|c: char| c.is_ascii_digit())
                && version
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        }),
        "its version does not start with a digit or holds other characters than letters, digits, `.`, `_` and `-`",
    )
}

/// A variable's name.
pub(super) fn variable(text: &str) -> Result<(), String> {
    claim(
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)),
        "a variable's name is made of letters, digits, `_`, `.` and `-` and does not start with a digit",
    )
}

/// A process's or secret's name.
pub(super) fn word(text: &str) -> Result<(), String> {
    claim(
        text.len() <= 100
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)),
        "a name is made of at most 100 letters, digits, `_`, `.` and `-` and starts with a letter or digit",
    )
}

/// A path of either kind that stays where it starts.
pub(super) fn path(text: &str) -> Result<(), String> {
    line(text)?;
    claim(
        !text.split('/').any(|part| part == ".."),
        "a path must not hold `..`",
    )
}

/// A path relative to the directory that the field names.
pub(super) fn relative(text: &str) -> Result<(), String> {
    path(text)?;
    claim(!text.starts_with('/'), "it must be relative")
}

/// A path from the root.
pub(super) fn absolute(text: &str) -> Result<(), String> {
    path(text)?;
    claim(text.starts_with('/'), "it must be absolute")
}

/// A glob relative to the repository's root, in which BuildKit sees what everybody sees: its own reading of some is another one
/// (<https://github.com/moby/patternmatcher/blob/v0.6.0/patternmatcher.go>), and nobody would know why nothing matches.
pub(super) fn glob(text: &str) -> Result<(), String> {
    relative(text)?;
    let mut characters = text.chars();
    let mut alternatives = Vec::new();
    while let Some(character) = characters.next() {
        match character {
            '\\' => escaped(&mut characters)?,
            '[' => class(&mut characters)?,
            '{' => alternatives.push(false),
            ',' => {
                if let Some(is_divided) = alternatives.last_mut() {
                    *is_divided = true;
                }
            }
            '}' => claim(alternatives.pop() != Some(true), ALTERNATIVES)?,
            _ => {}
        }
    }
    Ok(())
}

/// The reason for which a glob like `{a,b}` is refused.
pub const ALTERNATIVES: &str = "it is no glob: there are no alternatives in braces";

// A letter would get the meaning that it has in regular expressions.
fn escaped(characters: &mut Chars<'_>) -> Result<(), String> {
    let escaped = characters.next();
    claim(escaped.is_some(), "it is no glob: it ends in `\\`")?;
    claim(
        escaped.is_some_and(|character| character.is_ascii_punctuation()),
        "it is no glob: a `\\` stands before a character that has no other meaning",
    )
}

fn class(characters: &mut Chars<'_>) -> Result<(), String> {
    claim(
        !characters.as_str().starts_with('!'),
        "it is no glob: a class of other characters is written `[^…]`",
    )?;
    let inside = characters.as_str();
    let inside = inside.strip_prefix('^').unwrap_or(inside);
    let (mut members, mut low, mut is_range) = (0, None, false);
    *characters = inside.chars();
    loop {
        let character = match characters.next() {
            None => return Err("it is no glob: a `[` has no `]`".to_owned()),
            Some(']') if members > 0 => return Ok(()),
            Some(']') => return Err("it is no glob: a class `[]` is empty".to_owned()),
            Some('*' | '?') => {
                return Err("it is no glob: in a class there is no `*` or `?`".to_owned());
            }
            Some('-') if low.is_some() && !is_range && !characters.as_str().starts_with(']') => {
                is_range = true;
                continue;
            }
            Some('\\') => {
                let next = characters.clone().next();
                escaped(characters)?;
                next
            }
            character => character,
        };
        claim(
            !is_range || low <= character,
            "it is no glob: a range in `[…]` is the wrong way round",
        )?;
        (low, is_range) = (character, false);
        members += 1;
    }
}

/// The path of an HTTP request.
pub(super) fn endpoint(text: &str) -> Result<(), String> {
    claim(text.starts_with('/'), "it must start with `/`")?;
    claim(
        text.bytes().all(|byte| byte.is_ascii_graphic()),
        "it holds a blank, a control character or one outside of ASCII",
    )
}

/// `uid` or `uid:gid`.
pub(super) fn user(text: &str) -> Result<(), String> {
    let is_id = |id: &str| {
        id.bytes().all(|byte| byte.is_ascii_digit())
            && id.parse::<u32>().is_ok_and(|id| id < u32::MAX)
    };
    let (uid, gid) = text.split_once(':').unwrap_or((text, "0"));
    claim(
        is_id(uid) && is_id(gid),
        "a user is written in numbers, as uid or uid:gid",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_is_one_that_buildkit_reads_alike() {
        for text in [
            "**",
            "src/**/*.js",
            r"apps/\[slug\]\*x\{a,b\}/**",
            "[a-z_][^a-z]x",
            "{one}",
            "a,b",
            "[[]x",
            "[a-]",
            r"[\]]",
        ] {
            assert_eq!(glob(text), Ok(()), "{text}");
        }
        for (text, reason) in [
            ("src/{a,b}", ALTERNATIVES),
            ("{a,{b}}", ALTERNATIVES),
            ("a\\", "it is no glob: it ends in `\\`"),
            (
                r"a\d",
                "it is no glob: a `\\` stands before a character that has no other meaning",
            ),
            ("[", "it is no glob: a `[` has no `]`"),
            ("[a", "it is no glob: a `[` has no `]`"),
            ("[*]", "it is no glob: in a class there is no `*` or `?`"),
            (
                "[!a]",
                "it is no glob: a class of other characters is written `[^…]`",
            ),
            (
                "[z-a]",
                "it is no glob: a range in `[…]` is the wrong way round",
            ),
        ] {
            assert_eq!(glob(text), Err(reason.to_owned()), "{text}");
        }
    }
}
