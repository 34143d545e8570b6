//! Lines for a terminal, measured in its cells.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

/// A line of text of several tones.
///
/// Its text is harmless: it holds no control character, so only [`paint`](Self::paint) makes escape sequences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Tone, String)>);

/// How text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Bad,
    Odd,
    Busy,
}

impl Tone {
    /// The parameters of ECMA-48's SGR for the tone; the sixteen colours are the terminal's own.
    fn parameters(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Faint => Some("2"),
            Self::Good => Some("32"),
            Self::Bad => Some("31"),
            Self::Odd => Some("33"),
            Self::Busy => Some("36"),
        }
    }
}

impl Line {
    /// Adds text; tabs and what is left of control characters become spaces.
    pub(super) fn with(mut self, tone: Tone, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.contains(char::is_control) {
            text = text.replace(char::is_control, " ");
        }
        if !text.is_empty() {
            self.0.push((tone, text));
        }
        self
    }

    /// The line with another behind it.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// How many cells it takes.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| width(text)).sum()
    }

    /// The line, cut to `columns` cells.
    #[must_use]
    pub fn fit(self, columns: usize, ellipsis: &str) -> Self {
        let mut left = columns;
        let mut fitted = Self::default();
        for (tone, text) in self.0 {
            let text = fit(&text, left, ellipsis).into_owned();
            let is_cut = text.ends_with(ellipsis) && width(&text) == left;
            left = left.saturating_sub(width(&text));
            fitted.0.push((tone, text));
            if is_cut || left == 0 {
                break;
            }
        }
        fitted
    }

    /// The text alone.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// The text with the sequences that colour it.
    #[must_use]
    pub fn paint(&self) -> String {
        let spans = self.0.iter();
        spans
            .map(|(tone, text)| match tone.parameters() {
                Some(parameters) => format!("\x1b[{parameters}m{text}\x1b[0m"),
                None => text.clone(),
            })
            .collect()
    }
}

/// How many cells text takes. Characters that terminals may join are counted one by one: less room taken than
/// reserved does no harm, more does.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|char| char.width().unwrap_or(0)).sum()
}

/// The text, cut to `columns` cells; with `ellipsis` where something is missing.
pub(super) fn fit<'a>(text: &'a str, columns: usize, ellipsis: &str) -> Cow<'a, str> {
    // Marks without a width of their own could be many.
    let is_short = text.len() <= 8 * columns.max(8);
    if is_short && width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(width(ellipsis)) else {
        return Cow::Owned(".".repeat(columns));
    };
    let mut taken = 0;
    let mut fitted = String::new();
    for char in text.chars().take(4 * columns) {
        taken += char.width().unwrap_or(0);
        if taken > room {
            break;
        }
        fitted.push(char);
    }
    fitted.push_str(ellipsis);
    Cow::Owned(fitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_cells() {
        for (text, columns, expected) in [
            ("short", 5, "short"),
            ("longer", 5, "long…"),
            ("漢字漢字", 5, "漢字…"),
            ("漢字漢字", 4, "漢…"),
            ("e\u{301}e\u{301}e\u{301}", 3, "e\u{301}e\u{301}e\u{301}"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(fit(text, columns, "…"), expected, "{text} in {columns}");
            assert!(width(&fit(text, columns, "…")) <= columns);
        }
    }

    #[test]
    fn marks_without_width_do_not_make_a_line_endless() {
        let text = format!("e{}", "\u{301}".repeat(100_000));
        assert!(fit(&text, 80, "…").chars().count() <= 321);
    }

    #[test]
    fn a_line_is_cut_where_it_is_full() {
        let line = Line::default()
            .with(Tone::Good, "abc")
            .with(Tone::Plain, "defg")
            .with(Tone::Plain, "h");
        assert_eq!(line.clone().fit(5, "…").text(), "abcd…");
        assert_eq!(line.clone().fit(8, "…").text(), "abcdefgh");
        assert_eq!(line.clone().fit(3, "…").text(), "abc");
        assert_eq!(line.fit(5, "…").paint(), "\x1b[32mabc\x1b[0md…");
    }

    #[test]
    fn control_characters_do_not_get_into_a_line() {
        let line = Line::default().with(Tone::Plain, "a\tb\x1b[2J\u{9b}c");
        assert_eq!(line.text(), "a b [2J c");
    }
}
