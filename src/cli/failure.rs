//! Errors as the user sees them, and what to do about them.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::text::is_hidden;

/// Why a command ends without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// A sentence in lower case, without a period.
    pub(super) message: String,
    /// What to do, one line each.
    pub(super) hints: Vec<String>,
}

/// The exit codes of design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// An app failed to build.
    App = 1,
    /// The user's input is wrong.
    Input = 2,
    /// The environment lacks something.
    Environment = 3,
    /// The user stopped it.
    Interrupted = 130,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            problems: vec![Problem {
                message: message.into(),
                hints: Vec::new(),
            }],
        }
    }

    /// Several problems of one kind.
    pub(super) fn several(exit: Exit, problems: Vec<Problem>) -> Self {
        Self { exit, problems }
    }

    pub(super) fn input(message: impl Into<String>) -> Self {
        Self::new(Exit::Input, message)
    }

    pub(super) fn environment(message: impl Into<String>) -> Self {
        Self::new(Exit::Environment, message)
    }

    /// Adds a hint to the last problem.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(problem) = self.problems.last_mut() {
            problem.hints.push(hint.into());
        }
        self
    }

    /// The text for stderr. Every line is safe for a terminal: messages may quote files of the repository.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "error: {}", indented(&problem.message));
            for hint in &problem.hints {
                let _ = writeln!(text, "hint: {}", indented(hint));
            }
        }
        text
    }
}

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hints: Vec::new(),
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// Ends with everything that is wrong, each told once; the user's input is what is to be mended first.
pub(super) fn refuse(failures: impl IntoIterator<Item = Failure>) -> Result<(), Failure> {
    let mut exits = Vec::new();
    let mut problems: Vec<Problem> = Vec::new();
    for failure in failures {
        exits.push(failure.exit);
        for problem in failure.problems {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    match exits.into_iter().min() {
        None => Ok(()),
        Some(exit) => Err(Failure::several(exit, problems)),
    }
}

/// All values, or everything that is wrong with any of them.
pub(super) fn all<T, C: FromIterator<T>>(
    results: impl IntoIterator<Item = Result<T, Failure>>,
) -> Result<C, Failure> {
    let (mut values, mut failures) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(failure) => failures.push(failure),
        }
    }
    refuse(failures)?;
    Ok(values.into_iter().collect())
}

// What the layers of an HTTP client say while the next one says why.
const EMPTY_WORDS: [&str; 4] = [
    "error sending request",
    "client error (Connect)",
    "tcp connect error",
    "dns error",
];

/// An error with its causes in one line; what an error repeats of its cause is said once.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        let text = error.to_string();
        let is_said = texts.iter().any(|said| said.contains(&text));
        if !is_said && !EMPTY_WORDS.contains(&text.as_str()) {
            texts.push(text);
        }
    }
    if texts.is_empty() {
        return error.to_string();
    }
    texts.join(": ")
}

/// The failure for a file of the user that cannot be read; `origin` is the flag or variable that names it.
pub(super) fn unreadable(origin: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::input(format!(
        "{origin}: cannot read `{}`: {error}",
        path.display()
    ))
}

fn indented(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.trim_end().chars() {
        match character {
            '\n' => safe.push_str("\n  "),
            '\t' => safe.push(' '),
            hidden if is_hidden(hidden) => {
                let _ = write!(safe, "{}", hidden.escape_unicode()); // writing to a String cannot fail
            }
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once_and_without_empty_words() {
        #[derive(Debug, thiserror::Error)]
        #[error("{text}")]
        struct Layer {
            text: &'static str,
            source: Option<Box<Self>>,
        }
        let layers = |texts: &[&'static str]| {
            texts
                .iter()
                .rev()
                .fold(None, |source, text| Some(Box::new(Layer { text, source })))
        };
        for (texts, expected) in [
            (
                &[
                    "cannot fetch `x`",
                    "error sending request",
                    "client error (Connect)",
                    "refused",
                ][..],
                "cannot fetch `x`: refused",
            ),
            (&["cannot read `x`: gone", "gone"], "cannot read `x`: gone"),
            (&["dns error"], "dns error"),
        ] {
            assert_eq!(causes(&*layers(texts).unwrap()), expected);
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_once_and_input_before_the_environment() {
        let failures = [
            Failure::environment("a"),
            Failure::input("b").hint("c"),
            Failure::environment("a"),
        ];
        let told = refuse(failures).unwrap_err();
        assert_eq!(told.exit, Exit::Input);
        assert_eq!(told.render(), "error: a\nerror: b\nhint: c\n");
        assert_eq!(refuse([]), Ok(()));
        assert_eq!(all([Ok(1), Ok(2)]), Ok(vec![1, 2]));
    }

    #[test]
    fn a_failure_has_one_line_per_problem_and_hint_and_nothing_hidden() {
        let failure = Failure {
            exit: Exit::Input,
            problems: vec![
                Problem::new("`a\u{1b}[31m` is odd").hint("rename it"),
                Problem::new("two\nlines"),
                Problem::new("`app\u{202e}gpj` reads as another").hint("remove \u{200b}"),
            ],
        };
        assert_eq!(
            failure.render(),
            "error: `a\\u{1b}[31m` is odd\nhint: rename it\nerror: two\n  lines\nerror: `app\\u{202e}gpj` reads as another\nhint: remove \\u{200b}\n"
        );
    }
}
