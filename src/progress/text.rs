//! Text from builds, made harmless.

use std::borrow::Cow;

use crate::text::is_hidden;

/// The longest line kept together, in bytes; output without line ends is cut here.
const MAX_LINE: usize = 16 << 10;

/// Makes output harmless for terminals and logs: what would be hidden stands there as its code, such as `\u{1b}`.
///
/// Tabs stay, and complete colour sequences (`ESC [ … m`) vanish.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    let is_harmful = |char| char != '\t' && is_hidden(char);
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        if let Some(after) = without_colour(rest) {
            rest = after;
            continue;
        }
        rest = &rest[char.len_utf8()..];
        match is_harmful(char) {
            true => safe.extend(char.escape_default()),
            false => safe.push(char),
        }
    }
    Cow::Owned(safe)
}

/// Text that belongs on one line, with its line ends as spaces, made harmless.
pub(super) fn one_line(text: &str) -> String {
    let text = text.trim().replace(['\n', '\r'], " ");
    escape(&text).into_owned()
}

/// What a terminal would show of a line in the end: the text behind the last return to its start, made harmless.
pub(super) fn last_written(line: &str) -> Cow<'_, str> {
    let shown = line.rsplit('\r').find(|part| !part.is_empty());
    escape(shown.unwrap_or_default())
}

/// What follows the colour sequence at the start of `text`, if there is one.
fn without_colour(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|char: char| !matches!(char, '0'..='9' | ';' | ':'))?;
    parameters[end..].strip_prefix('m')
}

/// Puts lines together from chunks that may end anywhere, within a character too.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Takes a chunk and gives the lines that it completes, without their ends.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            self.0.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.0.pop();
                lines.extend(self.end());
            }
            while self.0.len() > MAX_LINE {
                let rest = self.0.split_off(cut(&self.0));
                lines.extend(self.end());
                self.0 = rest;
            }
        }
        lines
    }

    /// What there is of the line that has begun but not ended.
    pub(super) fn begun(&self) -> Option<Cow<'_, str>> {
        (!self.0.is_empty()).then(|| String::from_utf8_lossy(&self.0))
    }

    /// The line that has begun but not ended, which it ends.
    pub(super) fn rest(&mut self) -> Option<String> {
        if self.0.is_empty() { None } else { self.end() }
    }

    fn end(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.0);
        let line = bytes.strip_suffix(b"\r").unwrap_or(&bytes);
        Some(String::from_utf8_lossy(line).into_owned())
    }
}

/// Where to cut a long line: at its greatest length, but not within a character.
fn cut(bytes: &[u8]) -> usize {
    let is_start = |at: &usize| bytes[*at] & 0xc0 != 0x80;
    let near = (MAX_LINE - 3..=MAX_LINE).rev().find(is_start);
    near.unwrap_or(MAX_LINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_output_does_not_control_the_terminal() {
        for (text, safe) in [
            ("plain\ttext é", "plain\ttext é"),
            ("\u{1b}[1;32mgreen\u{1b}[0m", "green"),
            (
                "\u{1b}[2J\u{1b}]0;title\u{7}",
                "\\u{1b}[2J\\u{1b}]0;title\\u{7}",
            ),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\rb\u{8}", "a\\rb\\u{8}"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("\u{61c}1\u{e0041}", "\\u{61c}1\\u{e0041}"),
            ("\u{1b}[", "\\u{1b}["),
        ] {
            assert_eq!(escape(text), safe);
        }
    }

    #[test]
    fn lines_are_put_together_from_any_chunks() {
        let text = "erste Zeile: äöü\r\n\nlast";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let mut all: Vec<String> = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                all.extend(lines.push(chunk));
            }
            all.extend(lines.rest());
            assert_eq!(all, ["erste Zeile: äöü", "", "last"], "chunks of {size}");
            assert_eq!(lines.rest(), None);
        }
    }

    #[test]
    fn endless_lines_are_cut_between_characters() {
        let mut lines = Lines::default();
        let text = "ä".repeat(MAX_LINE);
        let mut all = lines.push(b"x");
        all.extend(lines.push(text.as_bytes()));
        all.extend(lines.rest());
        assert!(all.iter().all(|line| line.len() <= MAX_LINE));
        assert_eq!(all.concat(), format!("x{text}"));
    }

    #[test]
    fn what_is_not_utf_8_is_marked() {
        assert_eq!(Lines::default().push(b"caf\xe9\n"), ["caf\u{fffd}"]);
    }
}
