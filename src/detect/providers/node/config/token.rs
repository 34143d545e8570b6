//! Tokens of JavaScript and TypeScript.

use crate::detect::source::{Family, Source};

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name(String),
    /// A string; a template without parts that are computed.
    Text(String),
    /// A template with parts that are computed.
    Template,
    Number,
    Mark(&'static str),
}

/// A token with its line.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: u64,
}

/// Operators of more than one character, longest first, and then the rest.
const MARKS: &[&str] = &[
    "===", "!==", "...", "=>", "==", "!=", "&&", "||", "??", "?.", "{", "}", "(", ")", "[", "]",
    ",", ";", ":", ".", "?", "=", "!", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "~", "@",
    "#",
];

/// Tokens that are read at most: a configuration is short.
const LIMIT: usize = 50_000;

/// Splits a text into its tokens.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let source = Source::parse(text, Family::Script);
    let code = source.code.as_str();
    let mut strings = source.strings.iter().peekable();
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut line = 1;
    while let Some(character) = code.get(at..).and_then(|rest| rest.chars().next()) {
        if tokens.len() == LIMIT {
            break;
        }
        line += u64::from(character == '\n');
        if let Some((_, text)) = strings.next_if(|(start, _)| *start == at) {
            let kind = if character == '`' && text.contains("${") {
                Kind::Template
            } else {
                Kind::Text(text.clone())
            };
            tokens.push(Token { kind, line });
            line += text.bytes().filter(|byte| *byte == b'\n').count() as u64;
            // Both quotes; an unclosed string may end with the text.
            at = (at + text.len() + 2).min(code.len());
            continue;
        }
        let rest = &code[at..];
        let is_part = |c: char| c == '_' || c == '$' || c.is_alphanumeric();
        if is_part(character) {
            let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
            let kind = if character.is_ascii_digit() {
                Kind::Number
            } else {
                Kind::Name(rest[..end].to_owned())
            };
            tokens.push(Token { kind, line });
            at += end;
            continue;
        }
        match MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            Some(mark) => {
                tokens.push(Token {
                    kind: Kind::Mark(mark),
                    line,
                });
                at += mark.len();
            }
            None => at += character.len_utf8(),
        }
    }
    tokens
}

/// The strings among tokens, with their lines.
pub(super) fn strings(tokens: &[Token]) -> Vec<(String, u64)> {
    let strings = tokens.iter().filter_map(|token| match &token.kind {
        Kind::Text(text) => Some((text.clone(), token.line)),
        _ => None,
    });
    strings.collect()
}
