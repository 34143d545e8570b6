//! CMake's language, as far as commands with their arguments go.

/// One command: `add_executable(server main.c)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// In lower case.
    pub(super) name: String,
    /// As written, quotes and comments aside.
    pub(super) arguments: Vec<String>,
    pub(super) line: u64,
    /// The line of each argument.
    pub(super) lines: Vec<u64>,
}

/// The commands of a file; what is malformed ends it.
pub(super) fn parse(text: &str) -> Vec<Command> {
    let mut reader = Reader {
        bytes: text.as_bytes(),
        at: 0,
        line: 1,
    };
    let mut commands = Vec::new();
    while let Some(command) = reader.command(text) {
        commands.push(command);
    }
    commands
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn step(&mut self) {
        if self.peek() == Some(b'\n') {
            self.line += 1;
        }
        self.at += 1;
    }

    /// The length of `[`, any number of `=`, `[` here.
    fn bracket(&self) -> Option<usize> {
        let rest = &self.bytes[self.at..];
        let equals = rest.iter().skip(1).take_while(|b| **b == b'=').count();
        (rest.first() == Some(&b'[') && rest.get(1 + equals) == Some(&b'[')).then_some(equals)
    }

    /// Passes over a bracketed text and gives its limits.
    fn bracketed(&mut self, equals: usize) -> (usize, usize) {
        let close: Vec<u8> = [b"]".to_vec(), vec![b'='; equals], b"]".to_vec()].concat();
        let start = self.at + equals + 2;
        while self.at < self.bytes.len() && (self.at < start || !self.ends(&close)) {
            self.step();
        }
        let end = self.at.max(start).min(self.bytes.len());
        self.at = (end + close.len()).min(self.bytes.len());
        (start.min(end), end)
    }

    fn ends(&self, close: &[u8]) -> bool {
        self.bytes[self.at..].starts_with(close)
    }

    fn blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => {
                    self.step();
                    match self.bracket() {
                        Some(equals) => {
                            self.bracketed(equals);
                        }
                        None => {
                            while self.peek().is_some_and(|byte| byte != b'\n') {
                                self.step();
                            }
                        }
                    }
                }
                byte if byte.is_ascii_whitespace() => self.step(),
                _ => break,
            }
        }
    }

    fn command(&mut self, text: &str) -> Option<Command> {
        loop {
            self.blank();
            let (start, line) = (self.at, self.line);
            while self
                .peek()
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                self.at += 1;
            }
            let name = text.get(start..self.at)?.to_ascii_lowercase();
            if name.is_empty() {
                // Text that is no command: the next line may be one.
                self.peek()?;
                while self.peek().is_some_and(|byte| byte != b'\n') {
                    self.step();
                }
                continue;
            }
            self.blank();
            if self.peek() != Some(b'(') {
                continue;
            }
            self.step();
            let (arguments, lines) = self.arguments(text);
            return Some(Command {
                name,
                arguments,
                line,
                lines,
            });
        }
    }

    fn arguments(&mut self, text: &str) -> (Vec<String>, Vec<u64>) {
        let (mut arguments, mut lines) = (Vec::new(), Vec::new());
        let mut depth = 0;
        loop {
            self.blank();
            let line = self.line;
            let Some(byte) = self.peek() else { break };
            let argument = match byte {
                b'(' => {
                    depth += 1;
                    self.step();
                    "(".to_owned()
                }
                b')' if depth == 0 => {
                    self.step();
                    break;
                }
                b')' => {
                    depth -= 1;
                    self.step();
                    ")".to_owned()
                }
                b'"' => self.quoted(text),
                _ => match self.bracket() {
                    Some(equals) => {
                        let (start, end) = self.bracketed(equals);
                        text.get(start..end).unwrap_or_default().to_owned()
                    }
                    None => self.word(text),
                },
            };
            arguments.push(argument);
            lines.push(line);
        }
        (arguments, lines)
    }

    fn quoted(&mut self, text: &str) -> String {
        self.step();
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => break,
                b'\\' => {
                    self.step();
                    self.step();
                }
                _ => self.step(),
            }
        }
        let end = self.at.min(self.bytes.len());
        self.step();
        text.get(start..end)
            .unwrap_or_default()
            .replace("\\\"", "\"")
    }

    fn word(&mut self, text: &str) -> String {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'(' | b')' | b'#'))
        {
            self.at += 1;
        }
        text.get(start..self.at).unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn commands_are_read_with_comments_quotes_and_brackets() {
        let text = "# add_executable(no a.c)\n#[[ add_executable(no b.c)\n]]\nproject( shop )\nadd_executable(web\n  main.c # the server\n  \"two words.c\")\nset(X [=[a]]b]=])\nif((A) AND NOT B)\nendif()\n";
        let found: Vec<String> = parse(text)
            .iter()
            .map(|c| format!("{} {} {}", c.line, c.name, c.arguments.join("|")))
            .collect();
        assert_eq!(
            found,
            [
                "4 project shop",
                "5 add_executable web|main.c|two words.c",
                "8 set X|a]]b",
                "9 if (|A|)|AND|NOT|B",
                "10 endif ",
            ]
        );
    }

    #[test]
    fn what_never_ends_does_no_harm() {
        for text in ["a(", "a(\"", "a([[", "#[[", "a(\\", "\"", ")", "a(\"\\"] {
            parse(text);
        }
    }
}
