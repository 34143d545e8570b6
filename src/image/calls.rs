//! The programs that a plan's commands call, as far as a look at the commands tells.

use super::layout::join;
use super::plan::Plan;

/// A program that a command calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The directory of the build stage that it runs in; `None` where only the shell knows.
    pub directory: Option<String>,
    /// The variables that are set for it alone, `NAME=VALUE`.
    pub variables: Vec<String>,
    /// The program's name without its directory, and its arguments. What the shell would put in place of variables stands
    /// as it was written.
    pub words: Vec<String>,
}

/// The calls of the commands that install and build, in order.
#[must_use]
pub fn calls(plan: &Plan<'_>) -> Vec<Call> {
    let commands = plan.install.iter().chain(&plan.commands);
    commands
        .flat_map(|command| read(command, &plan.directory))
        .collect()
}

/// The calls of one command that starts in `directory`.
pub(super) fn read(command: &str, directory: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut here = Some(directory.to_owned());
    let mut above = Vec::new();
    for part in parts(command) {
        match part {
            Part::Open => above.push(here.clone()),
            Part::Close => here = above.pop().unwrap_or(here),
            Part::Command(text) => {
                let Some(call) = call(&text, here.clone()) else {
                    continue;
                };
                match &call.words[..] {
                    [cd, target] if cd == "cd" => {
                        let is_known = !target.contains(['$', '`', '~', '*']);
                        here = here
                            .filter(|_| is_known)
                            .and_then(|here| join(&here, target));
                    }
                    _ => calls.push(call),
                }
            }
        }
    }
    calls
}

fn call(text: &str, directory: Option<String>) -> Option<Call> {
    // What no shell would read is no call.
    let words = shlex::split(text)?;
    let mut words = words.into_iter().peekable();
    let mut variables = Vec::new();
    while let Some(word) = words.next_if(|word| is_assignment(word)) {
        variables.push(word);
    }
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        let operator = word.trim_start_matches(|c: char| c.is_ascii_digit());
        match operator.trim_start_matches(['<', '>', '&']) {
            target if target.len() == operator.len() => kept.push(word),
            "" => drop(words.next()), // the file that it leads to
            _ => {}
        }
    }
    let program = kept.first_mut()?;
    if let Some((_, name)) = program.rsplit_once('/') {
        *program = name.to_owned();
    }
    Some(Call {
        directory,
        variables,
        words: kept,
    })
}

fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

#[derive(Debug)]
enum Part {
    /// A simple command.
    Command(String),
    /// A subshell begins.
    Open,
    /// It ends.
    Close,
}

/// Cuts a command where the shell does, outside of quotes.
fn parts(command: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut quote = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None | Some('"'), '\\') => match chars.next() {
                // The command goes on.
                Some('\n') => {}
                next => {
                    text.push(c);
                    text.extend(next);
                }
            },
            (Some(open), c) => {
                text.push(c);
                quote = quote.filter(|_| c != open);
            }
            (None, '\'' | '"') => {
                text.push(c);
                quote = Some(c);
            }
            // A part of `2>&1`, not of `&&`.
            (None, '&') if text.ends_with(['>', '<']) => text.push(c),
            (None, '\n' | ';' | '&' | '|' | '(' | ')') => {
                parts.push(Part::Command(std::mem::take(&mut text)));
                match c {
                    '(' => parts.push(Part::Open),
                    ')' => parts.push(Part::Close),
                    _ => {}
                }
            }
            (None, c) => text.push(c),
        }
    }
    parts.push(Part::Command(text));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(command: &str) -> Vec<String> {
        let calls = read(command, "/src/app");
        let tell = |call: Call| {
            let directory = call.directory.unwrap_or_else(|| "?".to_owned());
            format!(
                "{directory}: {}",
                [call.variables, call.words].concat().join(" ")
            )
        };
        calls.into_iter().map(tell).collect()
    }

    #[test]
    fn commands_are_cut_as_the_shell_cuts_them() {
        assert_eq!(
            told("cd .. && npm ci; A=1 B='x y' /usr/bin/make 'a;b' > log 2>&1 || exit 1"),
            ["/src: npm ci", "/src: A=1 B=x y make a;b", "/src: exit 1"]
        );
        assert_eq!(
            told("(cd web && npm run build)\ngo build \\\n  ./cmd"),
            ["/src/app/web: npm run build", "/src/app: go build ./cmd"]
        );
        assert_eq!(
            told("cd $HOME && make && cd /src/b && make"),
            ["?: make", "?: make"]
        );
        assert_eq!(
            told("2>/dev/null echo a &> b & wait"),
            ["/src/app: echo a", "/src/app: wait"]
        );
    }

    #[test]
    fn what_no_shell_reads_has_no_calls() {
        for command in ["", "'", "\"a", "\\", "((((", "))))", "&&&", "> "] {
            let _ = told(command); // only panics matter
        }
        assert_eq!(told("echo 'a"), Vec::<String>::new());
    }
}
