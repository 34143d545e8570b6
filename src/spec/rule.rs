//! What the values of a spec may be.

use globset::GlobBuilder;

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

/// A glob relative to the repository's root.
pub(super) fn glob(text: &str) -> Result<(), String> {
    relative(text)?;
    GlobBuilder::new(text)
        .literal_separator(true)
        .build()
        .map(|_| ())
        .map_err(|error| format!("it is no glob: {}", error.kind()))
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
