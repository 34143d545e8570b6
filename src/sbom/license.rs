//! Declared licences as SPDX expressions.

use std::collections::BTreeMap;

use spdx::{Expression, ParseMode};

use super::field::short_hash;

/// The longest licence that is read as an expression, in bytes.
const LONGEST: usize = 2000;

/// The licences of a document that are not on SPDX's list: id → text.
#[derive(Default)]
pub(super) struct Licenses {
    extracted: BTreeMap<String, Extracted>,
}

/// A licence that is not on SPDX's list.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Extracted {
    /// What it was called.
    pub(super) name: String,
    /// Its text, or a sentence that says that it is not known.
    pub(super) text: String,
}

impl Licenses {
    /// Turns a declared licence into an expression that is valid in the document.
    ///
    /// `texts` are the licence texts that came with it, by their `LicenseRef-` ids.
    pub(super) fn declare(&mut self, declared: &str, texts: &BTreeMap<String, String>) -> String {
        let declared = declared.trim();
        if declared.is_empty() || matches!(declared, "NOASSERTION" | "NONE" | "UNKNOWN") {
            return "NOASSERTION".to_owned();
        }
        let Some(tokens) = tokens(declared) else {
            return self.refer(declared, texts);
        };
        // Tried before anything is registered, with a stand-in for every licence that is not on the list.
        let trial = tokens.iter().map(|token| match token {
            Token::Fixed(text) => text.as_str(),
            Token::Other(_) => "LicenseRef-x",
        });
        let mode = ParseMode {
            allow_deprecated: true,
            allow_postfix_plus_on_gpl: true,
            ..ParseMode::STRICT
        };
        let trial: Vec<&str> = trial.collect();
        if Expression::parse_mode(&trial.join(" "), mode).is_err() {
            return self.refer(declared, texts);
        }
        let words: Vec<String> = tokens
            .into_iter()
            .map(|token| match token {
                Token::Fixed(text) => text,
                Token::Other(name) => self.refer(&name, texts),
            })
            .collect();
        words.join(" ").replace("( ", "(").replace(" )", ")")
    }

    /// The id of a licence that is not on the list.
    fn refer(&mut self, name: &str, texts: &BTreeMap<String, String>) -> String {
        let plain = name.strip_prefix("LicenseRef-").unwrap_or(name);
        let mut id: String = plain
            .chars()
            .take(100)
            .map(|c| match c {
                c if c.is_ascii_alphanumeric() || c == '.' || c == '-' => c,
                _ => '-',
            })
            .collect();
        if id != plain || id.is_empty() {
            id = format!("{id}-{}", short_hash(plain.as_bytes()));
        }
        let id = format!("LicenseRef-{id}");
        let unknown = || {
            let shown: String = name.chars().take(LONGEST).collect();
            format!("The text of the license that is declared as {shown:?} is not known.")
        };
        let extracted = Extracted {
            name: plain.chars().take(200).collect(),
            text: texts.get(name).cloned().unwrap_or_else(unknown),
        };
        // Two packages may mean different texts by one id.
        match self.extracted.get(&id) {
            Some(known) if *known != extracted => {
                let other = format!("{id}-{}", short_hash(extracted.text.as_bytes()));
                self.extracted.insert(other.clone(), extracted);
                other
            }
            Some(_) => id,
            None => {
                self.extracted.insert(id.clone(), extracted);
                id
            }
        }
    }

    /// All that is not on the list, by id.
    pub(super) fn into_extracted(self) -> BTreeMap<String, Extracted> {
        self.extracted
    }
}

/// A word of an expression.
enum Token {
    /// An operator, a parenthesis, or a name on SPDX's lists.
    Fixed(String),
    /// A name that is not on them.
    Other(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    if text.len() > LONGEST {
        return None;
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut tokens = Vec::new();
    let mut is_exception = false;
    for word in spaced.split_whitespace() {
        let upper = word.to_ascii_uppercase();
        let token = match upper.as_str() {
            "(" | ")" | "AND" | "OR" | "WITH" => Token::Fixed(upper.clone()),
            // They are no licences, so nothing that holds them is an expression.
            "NOASSERTION" | "NONE" => return None,
            _ if is_exception => Token::Fixed(exception(word)?),
            _ => match listed(word) {
                Some(name) => Token::Fixed(name),
                None => Token::Other(word.to_owned()),
            },
        };
        is_exception = upper == "WITH";
        tokens.push(token);
    }
    Some(tokens)
}

/// Deprecated names that hold an exception, sorted, and what replaces them: validators take such a name for an exception.
///
/// See <https://github.com/spdx/license-list-data/blob/main/json/licenses.json>.
static WITH_EXCEPTION: &[(&str, &str)] = &[
    (
        "GPL-2.0-with-GCC-exception",
        "GPL-2.0-only WITH GCC-exception-2.0",
    ),
    (
        "GPL-2.0-with-autoconf-exception",
        "GPL-2.0-only WITH Autoconf-exception-2.0",
    ),
    (
        "GPL-2.0-with-bison-exception",
        "GPL-2.0-only WITH Bison-exception-2.2",
    ),
    (
        "GPL-2.0-with-classpath-exception",
        "GPL-2.0-only WITH Classpath-exception-2.0",
    ),
    (
        "GPL-2.0-with-font-exception",
        "GPL-2.0-only WITH Font-exception-2.0",
    ),
    (
        "GPL-3.0-with-GCC-exception",
        "GPL-3.0-only WITH GCC-exception-3.1",
    ),
    (
        "GPL-3.0-with-autoconf-exception",
        "GPL-3.0-only WITH Autoconf-exception-3.0",
    ),
];

/// The name on SPDX's list, whose case does not matter.
///
/// `+` behind other names than the listed ones is valid but refused by the validators in use, so it is not listed.
fn listed(word: &str) -> Option<String> {
    let replaced = WITH_EXCEPTION
        .iter()
        .find(|(old, _)| old.eq_ignore_ascii_case(word));
    if let Some((_, name)) = replaced {
        return Some((*name).to_owned());
    }
    spdx::identifiers::LICENSES
        .iter()
        .map(|license| license.name)
        .find(|known| known.eq_ignore_ascii_case(word))
        .map(str::to_owned)
}

fn exception(word: &str) -> Option<String> {
    spdx::identifiers::EXCEPTIONS
        .iter()
        .map(|exception| exception.name)
        .find(|known| known.eq_ignore_ascii_case(word))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declare(text: &str) -> (String, Vec<String>) {
        let mut licenses = Licenses::default();
        let declared = licenses.declare(text, &BTreeMap::new());
        (declared, licenses.into_extracted().into_keys().collect())
    }

    #[test]
    fn expressions_of_listed_licenses_stay() {
        for (text, expected) in [
            ("MIT", "MIT"),
            ("bsd-3-clause", "BSD-3-Clause"),
            (
                "GPL-2.0 WITH Classpath-exception-2.0",
                "GPL-2.0 WITH Classpath-exception-2.0",
            ),
            (
                "GPL-3.0-or-later AND ( GPL-2.0-or-later or MIT )",
                "GPL-3.0-or-later AND (GPL-2.0-or-later OR MIT)",
            ),
            ("GPL-2.0+", "GPL-2.0+"),
            (
                "GPL-2.0-with-classpath-exception",
                "GPL-2.0-only WITH Classpath-exception-2.0",
            ),
            ("", "NOASSERTION"),
            ("NONE", "NOASSERTION"),
        ] {
            assert_eq!(declare(text), (expected.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn what_is_not_listed_becomes_a_reference() {
        assert_eq!(
            declare("MIT AND LicenseRef-berkeley-db"),
            (
                "MIT AND LicenseRef-berkeley-db".to_owned(),
                vec!["LicenseRef-berkeley-db".to_owned()]
            )
        );
        assert_eq!(declare("UNLICENSED").0, "LicenseRef-UNLICENSED");
        for text in [
            "SEE LICENSE IN x",
            "MIT AND",
            "((MIT",
            "MIT WITH nothing",
            "a\u{1b}[0m\n",
            "DocumentRef-x:LicenseRef-y",
            "é",
            "LicenseRef-",
            "Apache-2.0+",
            "MIT AND NONE",
        ] {
            let (declared, ids) = declare(text);
            assert_eq!(ids, std::slice::from_ref(&declared), "{text}");
            assert!(declared.starts_with("LicenseRef-"));
            assert!(
                declared
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
            );
        }
    }

    #[test]
    fn two_texts_of_one_name_are_two_licenses() {
        let text = |text: &str| BTreeMap::from([("LicenseRef-custom".to_owned(), text.to_owned())]);
        let mut licenses = Licenses::default();
        let first = licenses.declare("LicenseRef-custom", &text("one"));
        let second = licenses.declare("LicenseRef-custom", &text("two"));
        assert_eq!(first, "LicenseRef-custom");
        assert!(second.starts_with("LicenseRef-custom-"), "{second}");
        assert_eq!(licenses.declare("LicenseRef-custom", &text("one")), first);
        assert_eq!(licenses.into_extracted()[&second].text, "two");
    }
}
