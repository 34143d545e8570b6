//! Text of others, on its way to people.

use std::borrow::Cow;

/// Whether a character moves the cursor, turns the writing direction or is not seen: it can make a text read as another.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Text in which nothing is hidden: what would be stands there as its code, such as `\n` or `\u{1b}`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) {
            true => visible.extend(c.escape_default()),
            false => visible.push(c),
        }
    }
    Cow::Owned(visible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_stays_hidden() {
        for (text, expected) in [
            ("straße 日本 🦀 \"'`\\", "straße 日本 🦀 \"'`\\"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{1b}[2J\u{7}\u{9b}31m", "\\u{1b}[2J\\u{7}\\u{9b}31m"),
            ("\u{202e}txt.exe\u{2069}", "\\u{202e}txt.exe\\u{2069}"),
            ("no\u{200b}de\u{feff}", "no\\u{200b}de\\u{feff}"),
            ("\u{e0041}\u{61c}", "\\u{e0041}\\u{61c}"),
        ] {
            assert_eq!(visible(text), expected);
        }
    }
}
