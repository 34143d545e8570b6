//! Start scripts as argument vectors: a shell's grammar, of which only what needs no shell is accepted.

use std::collections::BTreeMap;

/// Why a script cannot run without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The part of the script that is at fault, as written.
    pub(crate) text: String,
    /// What it is, as a noun phrase.
    pub(crate) what: &'static str,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} needs a shell: `{}`", self.what, self.text)
    }
}

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text as it is.
    Text(String),
    /// `$NAME`, or `${NAME:-default}` with its default.
    Variable(String, Option<String>),
}

/// A word after quotes are removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) Vec<Piece>);

impl Word {
    /// The word, where it holds no variable.
    pub(crate) fn literal(&self) -> Option<String> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Some(text.as_str()),
                Piece::Variable(..) => None,
            })
            .collect()
    }

    /// The word with `variable` standing for each name that it knows; a variable's own default comes second.
    pub(crate) fn expand(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<String, Refusal> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Variable(name, default) => {
                    let value = variable(name).or_else(|| default.clone());
                    text.push_str(&value.ok_or_else(|| Refusal {
                        text: format!("${name}"),
                        what: "a variable",
                    })?);
                }
            }
        }
        Ok(text)
    }

    fn push(&mut self, character: char) {
        if let Some(Piece::Text(text)) = self.0.last_mut() {
            text.push(character);
        } else {
            self.0.push(Piece::Text(character.to_string()));
        }
    }
}

/// A simple command: assignments, a directory to be in, words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// `NAME=value` before the program, also through `env` and `cross-env`.
    pub(crate) env: BTreeMap<String, Word>,
    /// The directory of a `cd` before it, relative to where the script runs.
    pub(crate) directory: Option<String>,
    /// The program and its arguments.
    pub(crate) words: Vec<Word>,
}

impl Command {
    /// The program, where it is literal.
    pub(crate) fn program(&self) -> Option<String> {
        self.words.first()?.literal()
    }

    /// The literal words; those with variables are left out.
    pub(crate) fn literals(&self) -> Vec<String> {
        self.words.iter().filter_map(Word::literal).collect()
    }
}

/// The longest script that is read.
const LONGEST: usize = 16 << 10;

/// Parses a script into the commands that `&&` joins.
///
/// # Errors
/// At the first thing that only a shell can do.
pub(crate) fn parse(script: &str) -> Result<Vec<Command>, Refusal> {
    if script.len() > LONGEST {
        return Err(Refusal {
            text: script.chars().take(60).collect(),
            what: "a script of this length",
        });
    }
    let mut commands = Vec::new();
    let mut directory: Option<String> = None;
    for words in Lexer::new(script).commands()? {
        let mut command = simple(words, script)?;
        if command.program().as_deref() == Some("cd") {
            let target = command.words.get(1).and_then(Word::literal);
            let (Some(target), 2) = (target, command.words.len()) else {
                return Err(Refusal {
                    text: script.trim().to_owned(),
                    what: "a computed directory",
                });
            };
            directory = Some(match directory {
                Some(before) => format!("{before}/{target}"),
                None => target,
            });
            continue;
        }
        command.directory.clone_from(&directory);
        commands.push(command);
    }
    Ok(commands)
}

/// Programs that only run another one, with the options of theirs that take no value.
const WRAPPERS: &[&str] = &["command", "cross-env", "cross-env-shell", "env", "exec"];

const KEYWORDS: &[&str] = &[
    "!", "[[", "case", "do", "done", "elif", "else", "esac", "eval", "fi", "for", "function", "if",
    "source", "then", "trap", "until", "while", "{", "}", ".", "[", "export", "set", "ulimit",
    "umask", "wait",
];

fn simple(words: Vec<Word>, script: &str) -> Result<Command, Refusal> {
    let mut command = Command::default();
    let mut words = words.into_iter().peekable();
    loop {
        while let Some((name, value)) = words.peek().and_then(assignment) {
            command.env.insert(name, value);
            words.next();
        }
        let literal = words.peek().and_then(Word::literal).unwrap_or_default();
        if !WRAPPERS.contains(&literal.as_str()) {
            break;
        }
        words.next();
        if words
            .peek()
            .and_then(Word::literal)
            .is_some_and(|word| word.starts_with('-'))
        {
            return Err(Refusal {
                text: script.trim().to_owned(),
                what: "an option of a wrapper",
            });
        }
    }
    command.words = words.collect();
    let program = command.program().unwrap_or_default();
    if KEYWORDS.contains(&program.as_str()) {
        return Err(Refusal {
            text: script.trim().to_owned(),
            what: "a shell builtin",
        });
    }
    Ok(command)
}

fn assignment(word: &Word) -> Option<(String, Word)> {
    let Some(Piece::Text(text)) = word.0.first() else {
        return None;
    };
    let (name, value) = text.split_once('=')?;
    let is_name = name
        .chars()
        .enumerate()
        .all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit()));
    if name.is_empty() || !is_name {
        return None;
    }
    let mut rest = word.clone();
    rest.0[0] = Piece::Text(value.to_owned());
    Some((name.to_owned(), rest))
}

struct Lexer<'a> {
    text: &'a str,
    rest: std::iter::Peekable<std::str::CharIndices<'a>>,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        let text = text.trim();
        Self {
            text,
            rest: text.char_indices().peekable(),
        }
    }

    /// The words of each command; commands are joined by `&&`.
    fn commands(mut self) -> Result<Vec<Vec<Word>>, Refusal> {
        let mut commands = vec![Vec::new()];
        while let Some((at, character)) = self.rest.peek().copied() {
            match character {
                ' ' | '\t' | '\r' | '\x0c' => {
                    self.rest.next();
                }
                '#' => break,
                '&' => {
                    self.rest.next();
                    if self.rest.next_if(|(_, next)| *next == '&').is_none() {
                        return Err(self.refuse(at, "a background job"));
                    }
                    if commands.last().is_some_and(Vec::is_empty) {
                        return Err(self.refuse(at, "an operator without a command"));
                    }
                    commands.push(Vec::new());
                }
                ';' | '\n' => return Err(self.refuse(at, "a list of commands")),
                '|' => {
                    let is_or = self.text[at..].starts_with("||");
                    return Err(self.refuse(at, if is_or { "an alternative" } else { "a pipe" }));
                }
                '<' | '>' => return Err(self.refuse(at, "a redirection")),
                '(' | ')' => return Err(self.refuse(at, "a subshell")),
                _ => {
                    let word = self.word()?;
                    if let Some(command) = commands.last_mut() {
                        command.push(word);
                    }
                }
            }
        }
        if commands.iter().any(Vec::is_empty) {
            return Err(Refusal {
                text: self.text.to_owned(),
                what: "an empty command",
            });
        }
        Ok(commands)
    }

    fn refuse(&self, at: usize, what: &'static str) -> Refusal {
        let text: String = self.text[at..].chars().take(60).collect();
        Refusal {
            text: text.trim_end().to_owned(),
            what,
        }
    }

    fn word(&mut self) -> Result<Word, Refusal> {
        let mut word = Word::default();
        let start = self.rest.peek().map_or(0, |(at, _)| *at);
        while let Some((at, character)) = self.rest.peek().copied() {
            if character.is_ascii_whitespace() || "&;|<>()".contains(character) {
                // A number before a redirection belongs to it: `2>&1`.
                return Ok(word);
            }
            self.rest.next();
            match character {
                '\'' => self.single_quoted(at, &mut word)?,
                '"' => self.double_quoted(at, &mut word)?,
                '\\' => match self.rest.next() {
                    Some((_, '\n')) => {}
                    Some((_, escaped)) => word.push(escaped),
                    None => return Err(self.refuse(at, "an unfinished escape")),
                },
                '$' => self.variable(at, &mut word)?,
                '`' => return Err(self.refuse(at, "a command substitution")),
                '*' | '?' => return Err(self.refuse(start, "a file name pattern")),
                '[' if at > start => return Err(self.refuse(start, "a file name pattern")),
                '~' if at == start => return Err(self.refuse(at, "a home directory")),
                other => word.push(other),
            }
        }
        Ok(word)
    }

    fn single_quoted(&mut self, start: usize, word: &mut Word) -> Result<(), Refusal> {
        if word.0.is_empty() {
            word.0.push(Piece::Text(String::new()));
        }
        loop {
            match self.rest.next() {
                Some((_, '\'')) => return Ok(()),
                Some((_, character)) => word.push(character),
                None => return Err(self.refuse(start, "an unclosed quote")),
            }
        }
    }

    fn double_quoted(&mut self, start: usize, word: &mut Word) -> Result<(), Refusal> {
        if word.0.is_empty() {
            word.0.push(Piece::Text(String::new()));
        }
        loop {
            match self.rest.next() {
                Some((_, '"')) => return Ok(()),
                Some((at, '$')) => self.variable(at, word)?,
                Some((at, '`')) => return Err(self.refuse(at, "a command substitution")),
                Some((_, '\\')) => match self.rest.next() {
                    Some((_, escaped @ ('"' | '\\' | '$' | '`'))) => word.push(escaped),
                    Some((_, '\n')) => {}
                    Some((_, other)) => {
                        word.push('\\');
                        word.push(other);
                    }
                    None => return Err(self.refuse(start, "an unclosed quote")),
                },
                Some((_, character)) => word.push(character),
                None => return Err(self.refuse(start, "an unclosed quote")),
            }
        }
    }

    /// Reads a variable after its `$`, which stands at `at`.
    fn variable(&mut self, at: usize, word: &mut Word) -> Result<(), Refusal> {
        let after = &self.text[at + 1..];
        if after.starts_with('(') {
            return Err(self.refuse(at, "a command substitution"));
        }
        let length = |text: &str| {
            text.find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
                .unwrap_or(text.len())
        };
        if let Some(inside) = after.strip_prefix('{') {
            let name = &inside[..length(inside)];
            let rest = &inside[name.len()..];
            let Some(end) = rest.find('}') else {
                return Err(self.refuse(at, "an unclosed expansion"));
            };
            let default = match &rest[..end] {
                "" => None,
                text => match text.strip_prefix(":-").or_else(|| text.strip_prefix('-')) {
                    Some(default) if !default.contains(['$', '`', '"', '\'', '\\']) => {
                        Some(default.to_owned())
                    }
                    _ => return Err(self.refuse(at, "an expansion")),
                },
            };
            if name.is_empty() {
                return Err(self.refuse(at, "an expansion"));
            }
            word.0.push(Piece::Variable(name.to_owned(), default));
            self.skip_to(at + 2 + name.len() + end + 1);
            return Ok(());
        }
        let name = &after[..length(after)];
        if after.starts_with(['@', '*', '#', '?', '$', '!', '-'])
            || after.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(self.refuse(at, "a special parameter"));
        }
        if name.is_empty() {
            word.push('$');
        } else {
            word.0.push(Piece::Variable(name.to_owned(), None));
            self.skip_to(at + 1 + name.len());
        }
        Ok(())
    }

    fn skip_to(&mut self, end: usize) {
        while self.rest.next_if(|(at, _)| *at < end).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(script: &str) -> Vec<Vec<String>> {
        parse(script)
            .unwrap()
            .iter()
            .map(Command::literals)
            .collect()
    }

    #[test]
    fn quotes_group_and_disappear() {
        assert_eq!(
            argv(r#"node --title "my app" 'a b'c\ d "x\"y""#),
            [["node", "--title", "my app", "a bc d", "x\"y"]]
        );
        assert_eq!(argv("node ''"), [["node", ""]]);
        assert_eq!(argv("node 'a && b; c'"), [["node", "a && b; c"]]);
    }

    #[test]
    fn assignments_and_wrappers_become_the_environment() {
        let commands =
            parse("NODE_ENV=production cross-env A=1 exec node 'B=2' server.js").unwrap();
        let env: Vec<_> = commands[0]
            .env
            .iter()
            .map(|(name, word)| (name.as_str(), word.literal().unwrap()))
            .collect();
        assert_eq!(
            env,
            [("A", "1".to_owned()), ("NODE_ENV", "production".to_owned())]
        );
        assert_eq!(commands[0].literals(), ["node", "B=2", "server.js"]);
    }

    #[test]
    fn a_literal_cd_is_a_directory() {
        let commands = parse("cd build && cd out && node main.js").unwrap();
        assert_eq!(commands.len(), 1);
        assert_eq!(commands[0].directory.as_deref(), Some("build/out"));
        assert!(parse("cd $DIR && node main.js").is_err());
    }

    #[test]
    fn what_needs_a_shell_is_refused_with_its_text() {
        for (script, refusal) in [
            ("a; b", "a list of commands needs a shell: `; b`"),
            ("a || b", "an alternative needs a shell: `|| b`"),
            ("a | b", "a pipe needs a shell: `| b`"),
            ("a & b", "a background job needs a shell: `& b`"),
            ("a > log", "a redirection needs a shell: `> log`"),
            ("a 2>&1", "a redirection needs a shell: `>&1`"),
            ("a $(b)", "a command substitution needs a shell: `$(b)`"),
            ("a `b`", "a command substitution needs a shell: ``b``"),
            ("(a)", "a subshell needs a shell: `(a)`"),
            ("a *.js", "a file name pattern needs a shell: `*.js`"),
            ("a ~/x", "a home directory needs a shell: `~/x`"),
            ("a 'b", "an unclosed quote needs a shell: `'b`"),
            ("a $1", "a special parameter needs a shell: `$1`"),
            ("a ${B:?no}", "an expansion needs a shell: `${B:?no}`"),
            ("if a", "a shell builtin needs a shell: `if a`"),
            ("a &&", "an empty command needs a shell: `a &&`"),
            ("a\nb", "a list of commands needs a shell: `\nb`"),
        ] {
            assert_eq!(parse(script).unwrap_err().to_string(), refusal, "{script}");
        }
    }

    #[test]
    fn variables_keep_their_name_and_default() {
        let commands = parse(r#"serve -p ${PORT:-3000} --host "$HOST:$PORT" '$X'"#).unwrap();
        let words = &commands[0].words;
        assert_eq!(
            words[2].0,
            [Piece::Variable("PORT".to_owned(), Some("3000".to_owned()))]
        );
        assert_eq!(words[4].literal(), None);
        assert_eq!(words[5].literal().as_deref(), Some("$X"));
        let port = |name: &str| (name == "PORT").then(|| "80".to_owned());
        assert_eq!(words[2].expand(&port).unwrap(), "80");
        assert_eq!(words[4].expand(&port).unwrap_err().text, "$HOST");
    }
}
