//! JSON and YAML as values that know where they are written.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use jsonc_parser::ast;

use super::problem::{Fault, Problem};

/// The largest file that is read, in bytes.
const LARGEST: usize = 4 << 20;
/// The most values of a file, those behind aliases counted each time.
const MOST: usize = 200_000;
/// The deepest nesting: that of serde_json's parser, which reads the file first.
const DEEPEST: usize = 100;

/// A value and where it starts.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) line: usize,
    pub(super) column: usize,
    /// How many values it is made of, itself included.
    size: usize,
}

/// A value as written: numbers and booleans keep their text.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(String),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The name of a map's entry.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Value {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// The two languages of spec files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Yaml,
}

/// Reads a file; `None` is an empty one.
pub(super) fn parse(format: Format, bytes: &[u8]) -> Result<Option<Node>, Problem> {
    if bytes.len() > LARGEST {
        return Err(too_much(LARGEST, "bytes", 1, 1));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = str::from_utf8(bytes).map_err(|error| {
        let (line, column) = place(&bytes[..error.valid_up_to()]);
        let reason = "a byte that is no UTF-8".to_owned();
        syntax(format, reason, line, column)
    })?;
    match format {
        Format::Json => json(text),
        Format::Yaml => Yaml::read(text),
    }
}

fn syntax(format: Format, reason: String, line: usize, column: usize) -> Problem {
    let format = match format {
        Format::Json => "JSON",
        Format::Yaml => "YAML",
    };
    let fault = Fault::Syntax { format, reason };
    Problem {
        line,
        column,
        fault,
    }
}

fn too_much(limit: usize, unit: &'static str, line: usize, column: usize) -> Problem {
    let fault = Fault::TooMuch { limit, unit };
    Problem {
        line,
        column,
        fault,
    }
}

/// Line and column behind `bytes`.
fn place(bytes: &[u8]) -> (usize, usize) {
    let line = bytes.iter().filter(|byte| **byte == b'\n').count();
    let start = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let column = String::from_utf8_lossy(&bytes[start..]).chars().count();
    (line + 1, column + 1)
}

/// Turns growing offsets into places, in one pass over the text.
struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    line: usize,
    column: usize,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
            column: 1,
        }
    }

    fn place(&mut self, offset: usize) -> (usize, usize) {
        for c in self
            .text
            .get(self.offset..offset)
            .unwrap_or_default()
            .chars()
        {
            (self.line, self.column) = match c {
                '\n' => (self.line + 1, 1),
                _ => (self.line, self.column + 1),
            };
        }
        self.offset = self.offset.max(offset);
        (self.line, self.column)
    }
}

fn json(text: &str) -> Result<Option<Node>, Problem> {
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    // serde_json is the judge of what JSON is; the other parser only says where things are.
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        let (line, column) = (error.line().max(1), error.column().max(1));
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or(&reason);
        return Err(syntax(Format::Json, reason.to_owned(), line, column));
    }
    let mut cursor = Cursor::new(text);
    let parsed =
        jsonc_parser::parse_to_ast(text, &Default::default(), &strict()).map_err(|error| {
            let (line, column) = cursor.place(error.range().start);
            syntax(Format::Json, error.kind().to_string(), line, column)
        })?;
    let node = parsed.value.map(|value| from_json(&value, &mut cursor));
    match node {
        Some(node) if node.size > MOST => Err(too_much(MOST, "values", node.line, node.column)),
        node => Ok(node),
    }
}

fn strict() -> jsonc_parser::ParseOptions {
    jsonc_parser::ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

// The depth is bounded: serde_json has refused everything deeper than 128.
fn from_json(value: &ast::Value<'_>, cursor: &mut Cursor<'_>) -> Node {
    use jsonc_parser::common::Ranged as _;
    let (line, column) = cursor.place(value.start());
    let value = match value {
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::BooleanLit(lit) => Value::Bool(lit.value.to_string()),
        ast::Value::NumberLit(lit) => Value::Number(lit.value.to_owned()),
        ast::Value::StringLit(lit) => Value::Text(lit.value.clone().into_owned()),
        ast::Value::Array(array) => Value::List(
            array
                .elements
                .iter()
                .map(|value| from_json(value, cursor))
                .collect(),
        ),
        ast::Value::Object(object) => Value::Map(
            object
                .properties
                .iter()
                .map(|entry| {
                    let (line, column) = cursor.place(entry.range.start);
                    let name = entry.name.as_str().to_owned();
                    (Key { name, line, column }, from_json(&entry.value, cursor))
                })
                .collect(),
        ),
    };
    let mut node = Node::new(value, line, column);
    node.size += match &node.value {
        Value::List(list) => list.iter().map(|node| node.size).sum(),
        Value::Map(map) => map.iter().map(|(_, node)| node.size).sum(),
        _ => 0,
    };
    node
}

/// A YAML document that is being read.
struct Yaml {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    document: Option<Node>,
    documents: usize,
    budget: usize,
}

/// A list or map whose end has not come yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
}

impl Yaml {
    fn read(text: &str) -> Result<Option<Node>, Problem> {
        let mut yaml = Self {
            open: Vec::new(),
            anchors: BTreeMap::new(),
            document: None,
            documents: 0,
            budget: MOST,
        };
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| scan_error(&error))?;
            yaml.event(event, span)?;
        }
        Ok(yaml
            .document
            .filter(|node| !matches!(node.value, Value::Null)))
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let (line, column) = (span.start.line(), span.start.col() + 1);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let reason = "a second document; several apps are written as a list".to_owned();
                    return Err(syntax(Format::Yaml, reason, line, column));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref())
                    .map_err(|reason| syntax(Format::Yaml, reason, line, column))?;
                self.spend(1, line, column)?;
                self.close(Node::new(value, line, column), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => self.enter(
                Value::List(Vec::new()),
                anchor,
                tag.as_deref(),
                line,
                column,
            ),
            Event::MappingStart(_, anchor, tag) => {
                self.enter(Value::Map(Vec::new()), anchor, tag.as_deref(), line, column)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.close(open.node, open.anchor),
                None => Ok(()),
            },
            Event::Alias(id) => {
                let Some(size) = self.anchors.get(&id).map(|target| target.size) else {
                    let reason = "an alias inside of what it names".to_owned();
                    return Err(syntax(Format::Yaml, reason, line, column));
                };
                // Charged before it is copied: nested aliases grow exponentially.
                self.spend(size, line, column)?;
                let mut node = self.anchors[&id].clone();
                (node.line, node.column) = (line, column);
                self.close(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn enter(
        &mut self,
        value: Value,
        anchor: usize,
        tag: Option<&Tag>,
        line: usize,
        column: usize,
    ) -> Result<(), Problem> {
        if let Some(tag) = tag.filter(|tag| tag.is_custom()) {
            return Err(syntax(Format::Yaml, unknown_tag(tag), line, column));
        }
        if self.open.len() >= DEEPEST {
            return Err(too_much(DEEPEST, "levels", line, column));
        }
        self.spend(1, line, column)?;
        self.open.push(Open {
            node: Node::new(value, line, column),
            anchor,
            key: None,
        });
        Ok(())
    }

    fn spend(&mut self, values: usize, line: usize, column: usize) -> Result<(), Problem> {
        self.budget = self
            .budget
            .checked_sub(values)
            .ok_or_else(|| too_much(MOST, "values", line, column))?;
        Ok(())
    }

    /// Puts a finished value where it belongs.
    fn close(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        if anchor != 0 {
            self.spend(node.size, node.line, node.column)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.document = Some(node);
            return Ok(());
        };
        open.add(node)
    }
}

impl Open {
    fn add(&mut self, node: Node) -> Result<(), Problem> {
        self.node.size += node.size;
        match (&mut self.node.value, self.key.take()) {
            (Value::List(list), _) => list.push(node),
            (Value::Map(map), Some(key)) => map.push((key, node)),
            (Value::Map(_), None) => {
                let Node { line, column, .. } = node;
                let name = match node.value {
                    Value::Text(text) | Value::Bool(text) | Value::Number(text) => text,
                    Value::Null => "null".to_owned(),
                    other => {
                        let reason = format!("a key that is {}", other.kind());
                        return Err(syntax(Format::Yaml, reason, line, column));
                    }
                };
                self.key = Some(Key { name, line, column });
            }
            _ => {}
        }
        Ok(())
    }
}

impl Node {
    fn new(value: Value, line: usize, column: usize) -> Self {
        Self {
            value,
            line,
            column,
            size: 1,
        }
    }
}

fn scan_error(error: &ScanError) -> Problem {
    let at = error.marker();
    syntax(Format::Yaml, error.info(), at.line().max(1), at.col() + 1)
}

fn unknown_tag(tag: &Tag) -> String {
    format!("a tag that means nothing here: {:?}", tag.original())
}

/// Resolves a scalar as YAML 1.2's core schema does.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema_tag("str") => Ok(Value::Text(text.to_owned())),
        Some(tag) if tag.is_custom() && tag.original() != "!" => Err(unknown_tag(tag)),
        Some(tag) if !tag.is_yaml_core_schema() => Ok(Value::Text(text.to_owned())),
        _ if style != ScalarStyle::Plain => Ok(Value::Text(text.to_owned())),
        _ => Ok(match text {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Value::Bool(text.to_owned()),
            _ if is_number(text) => Value::Number(text.to_owned()),
            _ => Value::Text(text.to_owned()),
        }),
    }
}

/// Whether YAML 1.2's core schema takes a plain scalar for a number.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.contains(|digit: char| digit.is_ascii_digit())
        && unsigned.parse::<f64>().is_ok()
}
