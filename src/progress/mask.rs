//! Secret values, taken out of what is shown and written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

use crate::buildkit::StatusResponse;
use crate::buildkit::VertexLog;

/// The shortest value that is masked, in bytes: a shorter one stands in every other word.
const SHORTEST: usize = 4;
/// The shortest line of a value with several, and the shortest other form of a value, in bytes.
const SHORTEST_PART: usize = 6;
/// The shortest word of a value that counts by itself, in bytes, such as the token in a line of `.npmrc`.
const SHORTEST_TOKEN: usize = 20;
/// What is longer is masked in pieces, in bytes: no more than that is held back of a stream.
const LONGEST: usize = 4 << 10;
/// The longest value whose wrapped base64 is known, in bytes.
const LONGEST_WRAPPED: usize = 16 << 10;
/// The lengths of the lines that programs wrap base64 to.
const WRAPS: [usize; 2] = [64, 76];
const MASK: &[u8] = b"***";

/// Replaces secret values by `***`.
///
/// What is masked of a value is all of it, without blanks around it, from 4 bytes on; each of its lines from 6 bytes on; words
/// of at least 20 bytes with letters and digits in it; and all of it in base64, as a JSON string, and percent-encoded.
#[derive(Clone, Default)]
pub struct Mask(Arc<Patterns>);

#[derive(Default)]
struct Patterns {
    /// What is masked, sorted.
    sorted: Vec<Vec<u8>>,
    /// The bytes that one of them starts with.
    firsts: BTreeSet<u8>,
}

// The values must not be told by a message either.
impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask").finish_non_exhaustive()
    }
}

impl Mask {
    /// A mask of `values`.
    #[must_use]
    pub fn new<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let patterns: BTreeSet<Vec<u8>> = values.into_iter().flat_map(forms).collect();
        Self(Arc::new(Patterns {
            firsts: patterns.iter().map(|pattern| pattern[0]).collect(),
            sorted: patterns.into_iter().collect(),
        }))
    }

    /// `text` without the values.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let masked = Tape::default().push(&self.0, text.as_bytes(), true);
        match masked == text.as_bytes() {
            true => Cow::Borrowed(text),
            false => Cow::Owned(String::from_utf8_lossy(&masked).into_owned()),
        }
    }
}

impl Patterns {
    /// Whether more bytes can make `text` one of the patterns, or a longer one.
    fn may_grow(&self, text: &[u8]) -> bool {
        let behind = self.sorted.partition_point(|pattern| &pattern[..] <= text);
        let next = self.sorted.get(behind);
        next.is_some_and(|pattern| pattern.starts_with(text))
    }

    /// The length of the longest pattern at the start of `text`.
    fn longest(&self, text: &[u8]) -> Option<usize> {
        let mut start = text;
        loop {
            // What starts `start` is not behind it in order, and the longest of it is the last.
            let behind = self.sorted.partition_point(|pattern| &pattern[..] <= start);
            let last = self.sorted.get(behind.checked_sub(1)?)?;
            if start.starts_with(last) {
                return Some(last.len());
            }
            let common = start.iter().zip(last).take_while(|(a, b)| a == b).count();
            start = &start[..common];
        }
    }
}

/// A stream of bytes that comes in chunks.
#[derive(Debug, Default)]
struct Tape {
    /// What may become a value with the next chunk.
    held: Vec<u8>,
    /// How many of the next bytes belong to a value.
    covered: usize,
    /// Whether the last byte belonged to one.
    is_masked: bool,
}

impl Tape {
    /// Takes a chunk, and gives what can be told of all so far.
    fn push(&mut self, patterns: &Patterns, chunk: &[u8], is_last: bool) -> Vec<u8> {
        self.held.extend_from_slice(chunk);
        let mut told = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while let Some(byte) = self.held.get(at) {
            if patterns.firsts.contains(byte) {
                let rest = &self.held[at..];
                if !is_last && patterns.may_grow(rest) {
                    break;
                }
                self.covered = self.covered.max(patterns.longest(rest).unwrap_or(0));
            }
            if self.covered == 0 {
                told.push(*byte);
            } else if !self.is_masked {
                told.extend_from_slice(MASK);
            }
            self.is_masked = self.covered > 0;
            self.covered = self.covered.saturating_sub(1);
            at += 1;
        }
        self.held.drain(..at);
        told
    }
}

/// Masks a status stream, before anything else sees it; values that are cut over several messages too.
///
/// The end of a step's output is held back while it may be the start of a value: 4 KiB at most, and no longer than the step runs.
#[derive(Debug, Default)]
pub struct MaskedStatus {
    mask: Mask,
    tapes: BTreeMap<(String, i64), Tape>,
}

impl MaskedStatus {
    /// Starts with the first message of a stream.
    #[must_use]
    pub fn new(mask: Mask) -> Self {
        Self {
            mask,
            tapes: BTreeMap::new(),
        }
    }

    /// Takes the next message, and gives what may be shown of it.
    pub fn feed(&mut self, mut status: StatusResponse) -> StatusResponse {
        if self.mask.0.sorted.is_empty() {
            return status;
        }
        for log in &mut status.logs {
            let tape = self.tapes.entry((log.vertex.clone(), log.stream));
            log.msg = tape.or_default().push(&self.mask.0, &log.msg, false);
        }
        for vertex in &mut status.vertexes {
            if vertex.completed.is_some() {
                let ended = |log: &VertexLog| log.vertex == vertex.digest;
                let rest = self.rest(ended);
                status.logs.extend(rest);
            }
            self.clean(&mut vertex.name);
            self.clean(&mut vertex.error);
            if let Some(group) = &mut vertex.progress_group {
                self.clean(&mut group.name);
            }
        }
        for progress in &mut status.statuses {
            self.clean(&mut progress.id);
            self.clean(&mut progress.name);
        }
        for warning in &mut status.warnings {
            for text in std::iter::once(&mut warning.short).chain(&mut warning.detail) {
                *text = Tape::default().push(&self.mask.0, text, true);
            }
            self.clean(&mut warning.url);
        }
        status
    }

    /// Gives what was held back when the stream has ended.
    pub fn finish(&mut self) -> StatusResponse {
        StatusResponse {
            logs: self.rest(|_| true),
            ..StatusResponse::default()
        }
    }

    fn clean(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask.text(text) {
            *text = masked;
        }
    }

    fn rest(&mut self, is_over: impl Fn(&VertexLog) -> bool) -> Vec<VertexLog> {
        let mut logs = Vec::new();
        for ((vertex, stream), tape) in &mut self.tapes {
            let mut log = VertexLog {
                vertex: vertex.clone(),
                stream: *stream,
                ..VertexLog::default()
            };
            if !tape.held.is_empty() && is_over(&log) {
                log.msg = tape.push(&self.mask.0, &[], true);
                logs.push(log);
            }
        }
        logs
    }
}

/// Everything that gives a value away.
fn forms(value: &[u8]) -> BTreeSet<Vec<u8>> {
    let whole = value.trim_ascii();
    let mut forms = BTreeSet::new();
    if whole.len() < SHORTEST {
        return forms;
    }
    forms.insert(whole.to_vec());
    let text = String::from_utf8_lossy(whole);
    let lines = whole.split(|byte| matches!(byte, b'\n' | b'\r'));
    let parts = lines
        .map(<[u8]>::trim_ascii)
        .filter(|line| line.iter().any(u8::is_ascii_alphanumeric))
        .map(<[u8]>::to_vec)
        .chain(base64(whole))
        .chain([json(&text), percent(whole)]);
    forms.extend(parts.filter(|part| part.len() >= SHORTEST_PART));
    // Keys stand in JSON with their line ends as `\n`.
    let unescaped = text.replace("\\n", "\n");
    forms.extend(tokens(&unescaped).map(|token| token.as_bytes().to_vec()));
    forms.into_iter().flat_map(pieces).collect()
}

fn pieces(pattern: Vec<u8>) -> Vec<Vec<u8>> {
    let count = pattern.len().div_ceil(LONGEST);
    let size = pattern.len().div_ceil(count);
    pattern.chunks(size).map(<[u8]>::to_vec).collect()
}

fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    text.split(move |c| !is_part(c))
        .map(|word| word.trim_matches('='))
        .flat_map(|word| [Some(word), word.split_once('=').map(|(_, value)| value)])
        .flatten()
        .filter(|word| word.len() >= SHORTEST_TOKEN)
        .filter(|word| word.bytes().any(|byte| byte.is_ascii_digit()))
        .filter(|word| word.bytes().any(|byte| byte.is_ascii_alphabetic()))
}

/// The base64 of a value that stands alone or, without the characters that it shares with its neighbours, within other text.
fn base64(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![
        BASE64_STANDARD.encode(value).into_bytes(),
        BASE64_URL_SAFE.encode(value).into_bytes(),
    ];
    for before in 0..3_usize {
        let text = [&[0; 2][..before], value].concat();
        // Six bits are a character.
        let whole = (8 * before).div_ceil(6)..8 * text.len() / 6;
        for encoded in [BASE64_STANDARD.encode(&text), BASE64_URL_SAFE.encode(&text)] {
            forms.push(encoded.as_bytes()[whole.clone()].to_vec());
        }
    }
    if value.len() <= LONGEST_WRAPPED {
        let line = forms[0].clone();
        for width in WRAPS.into_iter().filter(|width| line.len() > *width) {
            forms.extend(line.chunks(width).map(<[u8]>::to_vec));
        }
    }
    forms
}

/// The value as it stands between the quotes of a JSON string.
fn json(value: &str) -> Vec<u8> {
    let quoted = serde_json::to_string(value).unwrap_or_default();
    quoted
        .trim_start_matches('"')
        .strip_suffix('"')
        .unwrap_or_default()
        .as_bytes()
        .to_vec()
}

/// The value as it stands in a URL.
fn percent(value: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(value.len());
    for byte in value {
        match byte {
            b'-' | b'.' | b'_' | b'~' => encoded.push(*byte),
            byte if byte.is_ascii_alphanumeric() => encoded.push(*byte),
            byte => encoded.extend(format!("%{byte:02X}").bytes()),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use crate::buildkit::Vertex;

    use super::*;

    fn masked(secret: &str, text: &str) -> String {
        Mask::new([secret.as_bytes()]).text(text).into_owned()
    }

    #[test]
    fn a_value_is_masked_wherever_it_stands() {
        for (secret, text, expected) in [
            ("hunter2\n", "password=hunter2!", "password=***!"),
            ("hunter2", "hunter2hunter2 hunter", "*** hunter"),
            ("abcab", "xabcabcaby", "x***y"),
            ("pin", "pins and needles", "pins and needles"),
            (
                "a b\"c",
                "{\"x\":\"a b\\\"c\"} a%20b%22c",
                "{\"x\":\"***\"} ***",
            ),
            (
                "höchst geheim",
                "ganz höchst geheim, höchst",
                "ganz ***, höchst",
            ),
        ] {
            assert_eq!(masked(secret, text), expected, "{secret}");
        }
        let mask = Mask::new([&b"abcdef"[..], b"abc4", b"efghij", b"\n "]);
        assert_eq!(mask.text("abcdefghij abc4 abcd"), "*** *** abcd");
        assert!(matches!(mask.text("nothing"), Cow::Borrowed("nothing")));
        assert_eq!(format!("{mask:?}"), "Mask { .. }");
    }

    #[test]
    fn lines_and_tokens_of_a_file_are_masked_alone() {
        let key = "-----BEGIN KEY-----\r\nMIIEvQIBADANBgkq\r\nab==\r\n-----END KEY-----\n";
        assert_eq!(
            masked(key, "a MIIEvQIBADANBgkq b\nab== -----END KEY-----"),
            "a *** b\nab== ***"
        );
        let npmrc =
            "registry=https://npm.example/\n//npm.example/:_authToken=npm_0123456789abcdefghij\n";
        assert_eq!(
            masked(
                npmrc,
                "401 with npm_0123456789abcdefghij at https://npm.example/"
            ),
            "401 with *** at https://npm.example/"
        );
        let json = r#"{"private_key": "-----BEGIN-----\nMIIEvQIBADANBgkqhkiG9w0B\n"}"#;
        assert_eq!(masked(json, "key MIIEvQIBADANBgkqhkiG9w0B"), "key ***");
    }

    #[test]
    fn base64_is_masked_at_every_offset() {
        let secret =
            "correct horse battery staple, and then some more of it to fill lines of its own";
        for (before, after) in [
            ("", ""),
            ("a", ""),
            ("ab", "cd"),
            ("abc", "d"),
            ("user:", "\n"),
        ] {
            for engine in [&BASE64_STANDARD, &BASE64_URL_SAFE] {
                let text = engine.encode(format!("{before}{secret}{after}"));
                let left = masked(secret, &text);
                // What is left is of the neighbours, and a few bits of the ends.
                let bound = (before.len() + after.len()) * 4 / 3 + 8;
                assert!(left.contains("***") && left.len() <= bound, "{left}");
            }
        }
        let text = BASE64_STANDARD.encode(secret);
        for width in WRAPS {
            let lines = text
                .as_bytes()
                .chunks(width)
                .map(|line| String::from_utf8_lossy(line));
            let wrapped: Vec<_> = lines.collect();
            let left = masked(secret, &wrapped.join("\n"));
            assert_eq!(left, vec!["***"; wrapped.len()].join("\n"));
        }
    }

    #[test]
    fn a_value_is_masked_however_it_is_cut() {
        let mask = Mask::new([&b"abcdef"[..], b"defghijk", b"abcd"]);
        let text = "xabcdefghijk abcd abc abcde abcdef";
        let expected = mask.text(text).into_owned();
        assert_eq!(expected, "x*** *** abc ***e ***");
        for size in 1..text.len() {
            let mut tape = Tape::default();
            let chunks = text.as_bytes().chunks(size);
            let mut told: Vec<u8> = chunks
                .flat_map(|chunk| tape.push(&mask.0, chunk, false))
                .collect();
            told.extend(tape.push(&mask.0, &[], true));
            assert_eq!(
                String::from_utf8(told).unwrap(),
                expected,
                "chunks of {size}"
            );
        }
    }

    #[test]
    fn a_long_value_is_masked_and_little_is_held_back() {
        let secret: String = (0..20_000).map(|at| at.to_string()).collect();
        let mask = Mask::new([secret.as_bytes()]);
        let mut tape = Tape::default();
        let mut told = tape.push(&mask.0, b"<", false);
        for chunk in secret.as_bytes().chunks(1000) {
            told.extend(tape.push(&mask.0, chunk, false));
            assert!(tape.held.len() < LONGEST);
        }
        told.extend(tape.push(&mask.0, b">", true));
        assert_eq!(told, b"<***>");
    }

    fn log(vertex: &str, stream: i64, msg: &str) -> StatusResponse {
        StatusResponse {
            logs: vec![VertexLog {
                vertex: vertex.to_owned(),
                stream,
                msg: msg.as_bytes().to_vec(),
                ..VertexLog::default()
            }],
            ..StatusResponse::default()
        }
    }

    fn told(status: &StatusResponse) -> String {
        let logs = status.logs.iter();
        logs.map(|log| String::from_utf8_lossy(&log.msg)).collect()
    }

    #[test]
    fn every_step_and_stream_is_masked_by_itself_and_ends_with_its_step() {
        let mut status = MaskedStatus::new(Mask::new([&b"hunter2"[..]]));
        assert_eq!(told(&status.feed(log("a", 1, "x hun"))), "x ");
        assert_eq!(told(&status.feed(log("b", 1, "ter2"))), "ter2");
        assert_eq!(told(&status.feed(log("a", 2, "hunter"))), "");
        assert_eq!(told(&status.feed(log("a", 1, "ter2\n"))), "***\n");
        let mut end = StatusResponse {
            vertexes: vec![Vertex {
                digest: "a".to_owned(),
                name: "echo hunter2".to_owned(),
                error: "process \"echo hunter2\"".to_owned(),
                completed: Some(Default::default()),
                ..Vertex::default()
            }],
            ..StatusResponse::default()
        };
        end = status.feed(end);
        assert_eq!(told(&end), "hunter");
        assert_eq!(end.vertexes[0].name, "echo ***");
        assert_eq!(end.vertexes[0].error, "process \"echo ***\"");
        assert_eq!(told(&status.feed(log("b", 1, "\nhu"))), "\n");
        assert_eq!(told(&status.finish()), "hu");
    }
}
