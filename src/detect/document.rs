//! Manifests as values that know the line of every key.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use granit_parser::{Event, Parser};
use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// The syntax of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Syntax {
    /// JSON, with comments and trailing commas allowed.
    Json,
    /// JSON5: also names without quotes, and other quotes and numbers.
    Json5,
    Toml,
    Yaml,
}

/// Why a manifest has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) line: Option<u64>,
    pub(crate) message: String,
}

/// A parsed manifest.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// Its path, relative to the repository's root.
    pub(crate) file: String,
    value: Value,
    text: Box<str>,
    syntax: Syntax,
    /// Found when first asked for: most manifests, and lock files above all, are never asked.
    lines: OnceCell<Lines>,
}

/// Bytes of keys whose lines are known, with all that lead to each: in a deep place a short key takes much.
const ROOM: usize = 8 << 20;

/// The line of every key, by the keys that lead to it.
#[derive(Clone, Debug, Default)]
struct Lines {
    known: BTreeMap<String, u64>,
    size: usize,
}

impl Lines {
    fn note(&mut self, path: &Path, line: u64) {
        self.size = self.size.saturating_add(path.keys.len());
        if self.size <= ROOM {
            self.known.insert(path.keys.clone(), line);
        }
    }
}

/// The keys that lead to a place, in one text.
#[derive(Default)]
struct Path {
    keys: String,
    ends: Vec<usize>,
}

impl Path {
    fn of(keys: &[&str]) -> Self {
        let mut path = Self::default();
        for key in keys {
            path.push(key);
        }
        path
    }

    fn push(&mut self, key: &str) {
        self.ends.push(self.keys.len());
        self.keys.push_str(key);
        self.keys.push('\0');
    }

    fn pop(&mut self) {
        self.keys.truncate(self.ends.pop().unwrap_or_default());
    }
}

impl Document {
    /// Parses `text`, the content of `file`.
    pub(crate) fn parse(file: &str, text: &str, syntax: Syntax) -> Result<Self, Malformed> {
        let value = match syntax {
            Syntax::Json => json(&plain_json(text))?,
            Syntax::Json5 => json(&plain_json(&super::json5::to_json(text)))?,
            Syntax::Toml => toml(text)?,
            Syntax::Yaml => yaml(text)?,
        };
        Ok(Self {
            file: file.to_owned(),
            value,
            text: text.into(),
            syntax,
            lines: OnceCell::new(),
        })
    }

    /// The value at `keys`; the elements of a list are numbered from 0.
    pub(crate) fn get(&self, keys: &[&str]) -> Option<&Value> {
        keys.iter().try_fold(&self.value, |value, key| match value {
            Value::Array(list) => list.get(key.parse::<usize>().ok()?),
            other => other.get(key),
        })
    }

    /// The text at `keys`.
    pub(crate) fn str(&self, keys: &[&str]) -> Option<&str> {
        self.get(keys)?.as_str()
    }

    /// Whether the value at `keys` is true.
    pub(crate) fn is_true(&self, keys: &[&str]) -> bool {
        self.get(keys).and_then(Value::as_bool) == Some(true)
    }

    /// The texts of the array at `keys`; other elements are left out.
    pub(crate) fn strings(&self, keys: &[&str]) -> Vec<&str> {
        self.get(keys)
            .and_then(Value::as_array)
            .map(|items| items.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default()
    }

    /// The keys of the table at `keys`, in the document's order for JSON.
    pub(crate) fn keys(&self, keys: &[&str]) -> Vec<&str> {
        self.get(keys)
            .and_then(Value::as_object)
            .map(|table| table.keys().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// The line of the key at `keys`, from 1.
    pub(crate) fn line(&self, keys: &[&str]) -> Option<u64> {
        let lines = self.lines.get_or_init(|| match self.syntax {
            Syntax::Json => json_lines(&self.text),
            Syntax::Json5 => json_lines(&super::json5::to_json(&self.text)),
            Syntax::Toml => toml_lines(&self.text),
            Syntax::Yaml => yaml_lines(&self.text),
        });
        lines.known.get(&Path::of(keys).keys).copied()
    }
}

fn json(plain: &str) -> Result<Value, Malformed> {
    serde_json::from_str(plain).map_err(|error| Malformed {
        line: Some(error.line() as u64),
        message: format!(
            "is not valid JSON: {}",
            without_position(&error.to_string())
        ),
    })
}

/// The lines of JSON that is known to be valid.
fn json_lines(text: &str) -> Lines {
    let plain = plain_json(text);
    let mut lines = Lines::default();
    Reader {
        bytes: plain.as_bytes(),
        at: 0,
        line: 1,
    }
    .value(&mut Path::default(), &mut lines);
    lines
}

fn without_position(message: &str) -> &str {
    message
        .split_once(" at line ")
        .map_or(message, |(fact, _)| fact)
}

/// Blanks comments and trailing commas, keeping every position.
fn plain_json(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    let mut comma = None;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(&bytes, at);
                comma = None;
                continue;
            }
            b'/' if matches!(bytes.get(at + 1), Some(b'/' | b'*')) => {
                let end = comment_end(&bytes, at);
                for byte in &mut bytes[at..end] {
                    if *byte != b'\n' {
                        *byte = b' ';
                    }
                }
                at = end;
                continue;
            }
            b',' => comma = Some(at),
            b'}' | b']' => {
                if let Some(comma) = comma.take() {
                    bytes[comma] = b' ';
                }
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => comma = None,
        }
        at += 1;
    }
    // Only whole characters of comments were blanked, so nothing can be lost here.
    String::from_utf8_lossy(&bytes).into_owned()
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn comment_end(bytes: &[u8], start: usize) -> usize {
    let rest = &bytes[start..];
    let length = if bytes[start + 1] == b'/' {
        rest.iter().position(|byte| *byte == b'\n')
    } else {
        rest[2..]
            .windows(2)
            .position(|pair| pair == b"*/")
            .map(|at| at + 4)
    };
    length.map_or(bytes.len(), |length| start + length)
}

/// Finds the line of every key in JSON that is known to be valid, which also bounds the depth.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !byte.is_ascii_whitespace() {
                return Some(*byte);
            }
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        None
    }

    fn string(&mut self) -> String {
        let end = string_end(self.bytes, self.at);
        let raw = &self.bytes[self.at..end];
        self.at = end;
        serde_json::from_slice(raw).unwrap_or_default()
    }

    fn value(&mut self, path: &mut Path, lines: &mut Lines) {
        match self.peek() {
            Some(b'{') => self.members(path, lines, true),
            Some(b'[') => self.members(path, lines, false),
            Some(b'"') => {
                self.string();
            }
            _ => {
                while self
                    .bytes
                    .get(self.at)
                    .is_some_and(|byte| !b",}] \t\r\n".contains(byte))
                {
                    self.at += 1;
                }
            }
        }
    }

    fn members(&mut self, path: &mut Path, lines: &mut Lines, is_object: bool) {
        self.at += 1;
        let mut count = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'}' | b']' => {
                    self.at += 1;
                    return;
                }
                b',' | b':' => self.at += 1,
                _ => {
                    let key = if is_object {
                        self.string()
                    } else {
                        count.to_string()
                    };
                    count += 1;
                    path.push(&key);
                    lines.note(path, self.line);
                    if is_object && self.peek() == Some(b':') {
                        self.at += 1;
                    }
                    self.value(path, lines);
                    path.pop();
                }
            }
        }
    }
}

fn toml(text: &str) -> Result<Value, Malformed> {
    let table = DeTable::parse(text).map_err(|error| Malformed {
        line: error.span().map(|span| line_at(text, span.start)),
        message: format!(
            "is not valid TOML: {}",
            error.message().trim().replace('\n', ", ")
        ),
    })?;
    Ok(toml_table(table.get_ref()))
}

fn toml_table(table: &DeTable<'_>) -> Value {
    let members = table.iter();
    let members =
        members.map(|(key, value)| (key.get_ref().to_string(), toml_value(value.get_ref())));
    Value::Object(members.collect())
}

fn toml_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.as_str().to_owned()), Value::from),
        DeValue::Float(number) => Value::String(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => items
            .iter()
            .map(|item| toml_value(item.get_ref()))
            .collect(),
        DeValue::Table(table) => toml_table(table),
    }
}

/// The lines of TOML that is known to be valid.
fn toml_lines(text: &str) -> Lines {
    let mut lines = Lines::default();
    let starts: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    if let Ok(table) = DeTable::parse(text) {
        toml_table_lines(table.get_ref(), &starts, &mut Path::default(), &mut lines);
    }
    lines
}

fn toml_table_lines(table: &DeTable<'_>, starts: &[usize], path: &mut Path, lines: &mut Lines) {
    for (key, value) in table {
        path.push(key.get_ref());
        let line = starts.partition_point(|start| *start < key.span().start) as u64 + 1;
        lines.note(path, line);
        toml_value_lines(value.get_ref(), starts, path, lines);
        path.pop();
    }
}

fn toml_value_lines(value: &DeValue<'_>, starts: &[usize], path: &mut Path, lines: &mut Lines) {
    match value {
        DeValue::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push(&at.to_string());
                let line = starts.partition_point(|start| *start < item.span().start) as u64 + 1;
                lines.note(path, line);
                toml_value_lines(item.get_ref(), starts, path, lines);
                path.pop();
            }
        }
        DeValue::Table(table) => toml_table_lines(table, starts, path, lines),
        _ => {}
    }
}

fn yaml(text: &str) -> Result<Value, Malformed> {
    serde_yaml::from_str(text).map_err(|error| Malformed {
        line: error.location().map(|location| location.line()),
        message: "is not valid YAML".to_owned(),
    })
}

/// The line of every key and list element of YAML that is known to be valid; what is behind an alias has none.
fn yaml_lines(text: &str) -> Lines {
    let mut lines = Lines::default();
    let mut open: Vec<Open> = Vec::new();
    let mut path = Path::default();
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { break };
        let line = span.start.line() as u64;
        match event {
            Event::DocumentStart(..) if documents == 1 => break,
            Event::DocumentStart(..) => documents += 1,
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                finish(&mut open, &mut path);
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                start(&mut open, &mut path, &mut lines, line, None);
                open.push(match event {
                    Event::MappingStart(..) => Open::Key,
                    _ => Open::Item(0),
                });
            }
            Event::Scalar(name, ..) => {
                start(&mut open, &mut path, &mut lines, line, Some(&name));
                finish(&mut open, &mut path);
            }
            Event::Alias(..) => {
                start(&mut open, &mut path, &mut lines, line, Some(""));
                finish(&mut open, &mut path);
            }
            _ => {}
        }
        if open.len() > DEEPEST {
            break;
        }
    }
    lines
}

/// The deepest nesting of YAML whose lines are known.
const DEEPEST: usize = 100;

/// What comes next in a collection of YAML.
enum Open {
    Key,
    Value,
    Item(usize),
}

/// A node begins: a key is noted, an element of a list too.
fn start(open: &mut [Open], path: &mut Path, lines: &mut Lines, line: u64, scalar: Option<&str>) {
    match open.last() {
        Some(Open::Key) => path.push(scalar.unwrap_or_default()),
        Some(Open::Item(number)) => path.push(&number.to_string()),
        Some(Open::Value) | None => return,
    }
    lines.note(path, line);
}

/// A node ends: behind a key comes its value, and behind the value the next key.
fn finish(open: &mut [Open], path: &mut Path) {
    match open.last_mut() {
        Some(next @ Open::Key) => *next = Open::Value,
        Some(next @ Open::Value) => {
            path.pop();
            *next = Open::Key;
        }
        Some(Open::Item(number)) => {
            path.pop();
            *number += 1;
        }
        None => {}
    }
}

fn line_at(text: &str, offset: usize) -> u64 {
    text.bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count() as u64
        + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_yaml_knows_its_line() {
        let text = "# comment\na: 1\nlist:\n  - x\n  - {k: v}\n  -\n    deep:\n      z: &t [1,\n 2]\nalias: *t\nlast: |\n  text\n  more\nend: true\n";
        let document = Document::parse("f", text, Syntax::Yaml).unwrap();
        for (keys, line) in [
            (&["a"][..], 2),
            (&["list"], 3),
            (&["list", "0"], 4),
            (&["list", "1", "k"], 5),
            (&["list", "2", "deep", "z"], 8),
            (&["list", "2", "deep", "z", "1"], 9),
            (&["alias"], 10),
            (&["last"], 11),
            (&["end"], 14),
        ] {
            assert_eq!(document.line(keys), Some(line), "{keys:?}");
        }
    }
}
