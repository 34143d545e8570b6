//! Texts of a build where they can do no harm: in markdown, HTML, mermaid and a terminal.

use crate::text::is_hidden;

/// The longest text that stands in a line of its own or in a cell, in characters.
const LONGEST: usize = 200;
/// The longest error message, in characters: its cause stands at its end.
const LONGEST_MESSAGE: usize = 2000;
/// The longest line of a log, in characters.
const LONGEST_LINE: usize = 2000;

/// One line of at most 200 characters in which nothing is hidden.
pub(super) fn visible(text: &str) -> String {
    shown(text, LONGEST)
}

/// An error message in one line, in which nothing is hidden.
pub(super) fn message(text: &str) -> String {
    shown(text, LONGEST_MESSAGE)
}

fn shown(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == longest {
            shown.push('…');
            break;
        }
        match c {
            '\t' => shown.push(' '),
            c if is_hidden(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// A line of a log: colours are dropped, and nothing is hidden.
pub(super) fn log_line(line: &str) -> String {
    let mut plain = String::with_capacity(line.len().min(LONGEST_LINE * 4));
    let mut chars = line.chars().take(4 * LONGEST_LINE).peekable();
    while let Some(c) = chars.next() {
        // A control sequence: ESC [ parameters, and one letter or the like.
        if c == '\u{1b}' && chars.peek() == Some(&'[') {
            chars.next();
            while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
            chars.next_if(|c| matches!(c, '@'..='~'));
        } else if c == '\t' {
            plain.push_str("    ");
        } else {
            plain.push(c);
        }
    }
    // What a carriage return overwrites on a terminal is not seen there.
    let plain = plain.trim_end_matches('\r');
    let plain = plain.rsplit('\r').next().unwrap_or(plain);
    shown(plain, LONGEST_LINE)
}

/// A code span: in it markdown, HTML, links, mentions and emoji are plain text.
///
/// See <https://spec.commonmark.org/0.31.2/#code-spans>.
pub(super) fn code(text: &str) -> String {
    span(visible(text))
}

/// A code span of an error message, which may be longer than other texts.
pub(super) fn code_of_message(text: &str) -> String {
    span(message(text))
}

fn span(text: String) -> String {
    if text.trim().is_empty() {
        return "` `".to_owned();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    // A blank on both sides is dropped again; without it a backtick at an end would belong to the fence.
    let is_padded = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let pad = if is_padded { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A row of a table; a bar needs a backslash in its cells, even in a code span.
///
/// See <https://github.github.com/gfm/#tables-extension->.
pub(super) fn row<const N: usize>(cells: [String; N]) -> String {
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

/// An app's name in bold: as plain text where it is nothing else, as a code span otherwise.
pub(super) fn name(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.len() <= 60
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-');
    if is_plain {
        format!("**{text}**")
    } else {
        code(text)
    }
}

/// A text inside of HTML, where it is neither markdown nor a mention.
pub(super) fn html(text: &str) -> String {
    let mut html = "<code>".to_owned();
    for c in visible(text).chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html.push_str("</code>");
    html
}

/// A fenced block that nothing in `lines` can close.
pub(super) fn fenced(language: &str, lines: &[String]) -> String {
    let longest = lines.iter().map(|line| longest_run(line)).max();
    let fence = "`".repeat(longest.unwrap_or_default().max(2) + 1);
    let mut block = format!("{fence}{language}\n");
    for line in lines {
        block.push_str(line);
        block.push('\n');
    }
    block.push_str(&fence);
    block.push('\n');
    block
}

/// A label of a mermaid diagram, in which most punctuation means something.
pub(super) fn label(text: &str) -> String {
    let mut label = String::new();
    for c in text.chars().take(40) {
        match c {
            c if c.is_alphanumeric() || c == '.' => label.push(c),
            _ if label.ends_with('-') => {}
            _ => label.push('-'),
        }
    }
    // `end` and the like are words of mermaid.
    format!("app {}", label.trim_matches('-'))
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for byte in text.bytes() {
        run = if byte == b'`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_holds_what_is_in_it() {
        for (text, expected) in [
            ("a|b", "`a|b`"),
            ("`x`", "`` `x` ``"),
            ("``", "``` `` ```"),
            ("a\n\n# b", r"`a\n\n# b`"),
            ("<img src=x>@user", "`<img src=x>@user`"),
            ("", "` `"),
            ("\u{202e}abc\u{1b}[31m", r"`\u{202e}abc\u{1b}[31m`"),
        ] {
            assert_eq!(code(text), expected);
        }
        assert_eq!(code(&"x".repeat(300)).chars().count(), 203);
    }

    #[test]
    fn a_cell_does_not_end_its_row() {
        assert_eq!(row([code("a|b"), code("\\|")]), "| `a\\|b` | `\\\\|` |\n");
    }

    #[test]
    fn a_fence_is_longer_than_any_in_the_log() {
        let lines = ["```".to_owned(), "`````` </details>".to_owned()];
        let block = fenced("text", &lines);
        assert!(block.starts_with("```````text\n"));
        assert!(block.ends_with("\n```````\n"));
    }

    #[test]
    fn a_log_line_is_what_a_terminal_would_show() {
        assert_eq!(
            log_line("\u{1b}[1;31merror\u{1b}[0m: x\ty"),
            "error: x    y"
        );
        assert_eq!(log_line("10 %\r20 %\r"), "20 %");
        assert_eq!(log_line("\u{1b}]0;title\u{7}"), r"\u{1b}]0;title\u{7}");
        assert_eq!(log_line(&"x".repeat(5000)).chars().count(), 2001);
    }

    #[test]
    fn html_and_mermaid_are_plain_text() {
        assert_eq!(
            html("<script>\"&'"),
            "<code>&lt;script&gt;&quot;&amp;&#39;</code>"
        );
        assert_eq!(label("a:b, end\nsection x%%"), "app a-b-end-section-x");
        assert_eq!(name("web"), "**web**");
        assert_eq!(name("__proto__"), "`__proto__`");
    }
}
