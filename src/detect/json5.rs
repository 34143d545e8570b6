//! JSON5 as JSON, line by line.

/// Rewrites names without quotes, single quotes and numbers that JSON does not have; comments and commas stay.
pub(crate) fn to_json(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '"' | '\'' => string(character, &mut rest, &mut json),
            '/' if rest.peek() == Some(&'/') => {
                json.push('/');
                while let Some(next) = rest.next_if(|next| *next != '\n') {
                    json.push(next);
                }
            }
            '/' if rest.peek() == Some(&'*') => {
                json.push('/');
                let mut before = ' ';
                for next in rest.by_ref() {
                    json.push(next);
                    if before == '*' && next == '/' && json.len() > 3 {
                        break;
                    }
                    before = next;
                }
            }
            '+' | '.' | '0'..='9' | '_' | '$' | 'a'..='z' | 'A'..='Z' => {
                let mut word = String::from(character);
                while let Some(next) = rest.next_if(|next| {
                    next.is_alphanumeric() || matches!(next, '_' | '$' | '.' | '+' | '-')
                }) {
                    word.push(next);
                }
                json.push_str(&plain(&word));
            }
            other => json.push(other),
        }
    }
    json
}

/// A word as JSON has it: a literal, a number, or a name in quotes.
fn plain(word: &str) -> String {
    match word {
        "true" | "false" | "null" => return word.to_owned(),
        "Infinity" | "NaN" | "+Infinity" => return "null".to_owned(),
        _ => {}
    }
    let number = word.trim_start_matches('+');
    if let Some(digits) = number
        .strip_prefix("0x")
        .or_else(|| number.strip_prefix("0X"))
    {
        return u64::from_str_radix(digits, 16)
            .map_or_else(|_| "null".to_owned(), |n| n.to_string());
    }
    if number.starts_with(|c: char| c == '.' || c.is_ascii_digit()) {
        let number = if number.starts_with('.') {
            format!("0{number}")
        } else {
            number.to_owned()
        };
        return number
            .strip_suffix('.')
            .map_or(number.clone(), |whole| format!("{whole}.0"));
    }
    format!("\"{word}\"")
}

/// Copies a string up to its closing quote, with the escapes that JSON knows.
fn string(quote: char, rest: &mut std::iter::Peekable<std::str::Chars<'_>>, json: &mut String) {
    json.push('"');
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next() {
                // The line goes on; the line's end stays, where JSON allows one.
                Some('\n') | None => {}
                Some('\'') => json.push('\''),
                Some(escaped @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u')) => {
                    json.push('\\');
                    json.push(escaped);
                }
                Some('0') => json.push_str("\\u0000"),
                Some('v') => json.push_str("\\u000b"),
                Some('x') => json.push_str("\\u00"),
                Some(other) => json.push(other),
            },
            '"' if quote == '\'' => json.push_str("\\\""),
            found if found == quote => break,
            other => json.push(other),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::to_json;

    #[test]
    fn what_json_does_not_have_is_rewritten() {
        for (json5, json) in [
            (
                "{a: 1, $b_2: 'it\\'s \"x\"'}",
                r#"{"a": 1, "$b_2": "it's \"x\""}"#,
            ),
            (
                "{'k': +.5, h: 0xFF, d: 5.}",
                r#"{"k": 0.5, "h": 255, "d": 5.0}"#,
            ),
            (
                "{ // a 'b'\n t: true, /* n: 'x' */ }",
                "{ // a 'b'\n \"t\": true, /* n: 'x' */ }",
            ),
            ("'open", "\"open\""),
        ] {
            assert_eq!(to_json(json5), json);
        }
    }
}
