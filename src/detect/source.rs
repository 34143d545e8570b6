//! Source text with comments and strings told apart, for the few facts that only code holds.

use super::repo::{Dir, Repo, is_within};

/// How a language writes comments and strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// C, C++, Zig.
    C,
    /// C# and F#.
    DotNet,
    Elixir,
    Erlang,
    Go,
    Haskell,
    /// Java, Kotlin, Groovy, Scala.
    Jvm,
    /// Clojure, dune.
    Lisp,
    Lua,
    Meson,
    OCaml,
    Php,
    Python,
    Ruby,
    Rust,
    /// JavaScript and TypeScript.
    Script,
    Swift,
}

/// The comments and strings of a family; of two that fit, the first one counts.
struct Grammar {
    /// What starts a comment that ends with its line.
    line: &'static [&'static str],
    /// What starts and ends other comments.
    block: &'static [(&'static str, &'static str)],
    quotes: &'static [Quote],
}

struct Quote {
    mark: &'static str,
    /// Whether a backslash takes the next character with it.
    escapes: bool,
    multiline: bool,
}

const fn quote(mark: &'static str, escapes: bool, multiline: bool) -> Quote {
    Quote {
        mark,
        escapes,
        multiline,
    }
}

const SLASHES: &[&str] = &["//"];
const HASH: &[&str] = &["#"];
const STARS: &[(&str, &str)] = &[("/*", "*/")];

impl Family {
    const fn grammar(self) -> Grammar {
        const WORDS: &[Quote] = &[quote("\"", true, false), quote("'", true, false)];
        const LONG_WORDS: &[Quote] = &[quote("\"", true, true), quote("'", true, true)];
        const DOUBLE: &[Quote] = &[quote("\"", true, true)];
        const JVM: &[Quote] = &[
            quote("\"\"\"", false, true),
            quote("'''", false, true),
            quote("\"", true, false),
            quote("'", true, false),
        ];
        const SCRIPT: &[Quote] = &[
            quote("\"", true, false),
            quote("'", true, false),
            quote("`", true, true),
        ];
        const GO: &[Quote] = &[
            quote("\"", true, false),
            quote("'", true, false),
            quote("`", false, true),
        ];
        const MESON: &[Quote] = &[quote("'''", false, true), quote("'", true, false)];
        const SWIFT: &[Quote] = &[quote("\"\"\"", false, true), quote("\"", true, false)];
        const ELIXIR: &[Quote] = &[
            quote("\"\"\"", false, true),
            quote("\"", true, true),
            quote("'", true, true),
        ];
        let (line, block, quotes): (_, &[(&str, &str)], _) = match self {
            Self::C | Self::DotNet => (SLASHES, STARS, WORDS),
            Self::Elixir => (HASH, &[], ELIXIR),
            Self::Erlang => (&["%"] as &[&str], &[], LONG_WORDS),
            Self::Go => (SLASHES, STARS, GO),
            Self::Haskell => (&["--"] as &[&str], &[("{-", "-}")], DOUBLE),
            Self::Jvm => (SLASHES, STARS, JVM),
            Self::Lisp => (&[";"] as &[&str], &[], DOUBLE),
            Self::Lua => (&["--"] as &[&str], &[("--[[", "]]")], WORDS),
            Self::Meson => (HASH, &[], MESON),
            Self::OCaml => (&[], &[("(*", "*)")], DOUBLE),
            Self::Php => (&["//", "#"] as &[&str], STARS, LONG_WORDS),
            Self::Python => (HASH, &[], JVM),
            Self::Ruby => (HASH, &[("\n=begin", "\n=end")], LONG_WORDS),
            Self::Rust => (SLASHES, STARS, DOUBLE),
            Self::Script => (SLASHES, STARS, SCRIPT),
            Self::Swift => (SLASHES, STARS, SWIFT),
        };
        Grammar {
            line,
            block,
            quotes,
        }
    }
}

/// Source text: the code with comments blanked and strings emptied, and the strings by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// As long as the file, byte for byte; quotes stay.
    pub(crate) code: String,
    /// Where the opening quote stands, and what is between the quotes, escapes left as they are.
    pub(crate) strings: Vec<(usize, String)>,
    newlines: Vec<usize>,
}

impl Source {
    /// Tells code, comments and strings apart.
    pub(crate) fn parse(text: &str, family: Family) -> Self {
        let page = (family == Family::Php).then(|| without_page(text));
        let text = page.as_deref().unwrap_or(text);
        let bytes = text.as_bytes();
        let grammar = family.grammar();
        let mut code = bytes.to_vec();
        let mut strings = Vec::new();
        let marks = marks(family, &grammar);
        let mut at = 0;
        while at < bytes.len() {
            let Some(plain) = bytes[at..].iter().position(|b| marks[usize::from(*b)]) else {
                break;
            };
            at += plain;
            let rest = &bytes[at..];
            // PHP's attributes start like a comment.
            let is_attribute = family == Family::Php && rest.starts_with(b"#[");
            if let Some(length) = comment(rest, &grammar).filter(|_| !is_attribute) {
                blank(&mut code[at..at + length]);
                at += length;
            } else if let Some((open, close)) = string(rest, family, &grammar, &code[..at]) {
                let inside = at + open;
                let end = inside + close;
                strings.push((at, text.get(inside..end).unwrap_or_default().to_owned()));
                blank(&mut code[inside..end]);
                at = (end + open.min(3)).min(bytes.len());
            } else {
                at += 1;
            }
        }
        let newlines = bytes
            .iter()
            .enumerate()
            .filter(|(_, b)| **b == b'\n')
            .map(|(at, _)| at)
            .collect();
        Self {
            // Most of the time all of it was valid, and is taken as it is.
            code: String::from_utf8(code)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            strings,
            newlines,
        }
    }

    /// The line of a position, from 1.
    pub(crate) fn line(&self, at: usize) -> u64 {
        self.newlines.partition_point(|newline| *newline < at) as u64 + 1
    }

    /// Where `name` stands as code, not as a part of a longer name before it.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.all(name).next()
    }

    /// Every place where `name` stands as code.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        let starts_with_word = name.starts_with(|c: char| c == '_' || c.is_alphanumeric());
        self.code
            .match_indices(name)
            .map(|(at, _)| at)
            .filter(move |at| {
                !starts_with_word
                    || !self.code[..*at].ends_with(|c: char| c == '_' || c.is_alphanumeric())
            })
    }

    /// The string that opens at or right after `at`, blanks aside.
    pub(crate) fn string_at(&self, at: usize) -> Option<&str> {
        let next = self.code.get(at..)?.find(|c: char| !c.is_whitespace())? + at;
        self.strings
            .binary_search_by_key(&next, |(start, _)| *start)
            .ok()
            .map(|found| self.strings[found].1.as_str())
    }

    /// The strings that open in a part of the text.
    pub(crate) fn strings_in(&self, part: std::ops::Range<usize>) -> &[(usize, String)] {
        let start = self.strings.partition_point(|(at, _)| *at < part.start);
        let rest = &self.strings[start..];
        &rest[..rest.partition_point(|(at, _)| *at < part.end)]
    }

    /// The first number at or after `at`, at most `within` bytes on, in the same statement.
    pub(crate) fn number_after(&self, at: usize, within: usize) -> Option<u16> {
        let rest = self.code.get(at..)?;
        let end = rest
            .char_indices()
            .map(|(i, _)| i)
            .find(|i| *i >= within)
            .unwrap_or(rest.len());
        let rest = &rest[..end];
        let rest = &rest[..rest.find([';', '\n', '{', '}']).unwrap_or(rest.len())];
        let start = rest.char_indices().find(|(i, c)| {
            c.is_ascii_digit()
                && !rest[..*i].ends_with(|b: char| b == '_' || b == '.' || b.is_alphanumeric())
        })?;
        port(
            rest[start.0..]
                .split(|c: char| !c.is_ascii_digit())
                .next()?,
        )
    }
}

/// A text that is a port an app would listen on.
pub(crate) fn port(text: &str) -> Option<u16> {
    text.parse::<u16>().ok().filter(|port| *port >= 80)
}

/// The bytes that a comment or a string may start with.
fn marks(family: Family, grammar: &Grammar) -> [bool; 256] {
    let mut marks = [false; 256];
    let open = grammar.block.iter().map(|(open, _)| *open);
    let quotes = grammar.quotes.iter().map(|quote| quote.mark);
    for mark in grammar.line.iter().copied().chain(open).chain(quotes) {
        marks[usize::from(mark.as_bytes()[0])] = true;
    }
    // Its characters are no strings.
    marks[usize::from(b'\'')] |= family == Family::Rust;
    marks
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// The text with everything outside of `<?php … ?>` blanked: a page's apostrophes open no strings.
fn without_page(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let open = text[at..].find("<?").map_or(bytes.len(), |open| at + open);
        blank(&mut bytes[at..open]);
        at = text[open..]
            .find("?>")
            .map_or(bytes.len(), |close| open + close + 2);
    }
    // Whole characters were blanked.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The length of the comment that `rest` starts with.
fn comment(rest: &[u8], grammar: &Grammar) -> Option<usize> {
    let starts = |mark: &str| rest.starts_with(mark.as_bytes());
    if let Some((open, close)) = grammar.block.iter().find(|(open, _)| starts(open)) {
        let inside = &rest[open.len()..];
        let end = position(inside, close.as_bytes());
        return Some(end.map_or(rest.len(), |end| open.len() + end + close.len()));
    }
    grammar.line.iter().find(|mark| starts(mark))?;
    let end = rest.iter().position(|byte| *byte == b'\n');
    Some(end.unwrap_or(rest.len()))
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|found| found == part)
}

/// The lengths of the opening quote and of the content of the string that `rest` starts with.
fn string(rest: &[u8], family: Family, grammar: &Grammar, before: &[u8]) -> Option<(usize, usize)> {
    if family == Family::Rust {
        match rest {
            [b'"', inside @ ..] if before.ends_with(b"#") => return Some((1, raw_content(inside))),
            // A character, which may be a quote; a lifetime has no closing quote.
            [b'\'', b'\\', ..] => return Some((1, content(&rest[1..], b'\'', false))),
            [b'\'', _, b'\'', ..] => return Some((1, 1)),
            _ => {}
        }
    }
    let starts = |quote: &&Quote| rest.starts_with(quote.mark.as_bytes());
    let quote = grammar.quotes.iter().find(starts)?;
    let mark = quote.mark.as_bytes();
    let inside = &rest[mark.len()..];
    let length = match (quote.escapes, mark) {
        (true, [mark]) => content(inside, *mark, quote.multiline),
        _ => position(inside, mark).unwrap_or(inside.len()),
    };
    Some((mark.len(), length))
}

fn content(rest: &[u8], quote: u8, multiline: bool) -> usize {
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 1,
            b'\n' if !multiline => return at,
            byte if byte == quote => return at,
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

fn raw_content(rest: &[u8]) -> usize {
    rest.windows(2)
        .position(|pair| pair == b"\"#")
        .unwrap_or(rest.len())
}

/// One of an app's own source files.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) source: Source,
}

/// Where a string that is `wanted` is the path `name`, or leads below it.
pub(crate) fn path<'a>(
    files: impl IntoIterator<Item = &'a File>,
    name: &str,
    wanted: &dyn Fn(&File, usize) -> bool,
) -> Option<Fact<String>> {
    files.into_iter().find_map(|file| {
        let (at, _) = file.source.strings.iter().find(|(at, text)| {
            let text = text.trim_start_matches("file://").trim_start_matches("./");
            let rest = text.strip_prefix(name);
            let is_it = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            is_it && wanted(file, *at)
        })?;
        Some(Fact {
            value: name.to_owned(),
            file: file.path.clone(),
            line: file.source.line(*at),
        })
    })
}

/// Files of an app that are read for facts, at most: what says how it listens has a telling name, or stands near its top.
const FILES: usize = 32;

/// Files that are read at most where each of them may decide.
const MORE_FILES: usize = 100;

/// What is a part of the names of files that say how an app starts and listens.
const TELLING: &[&str] = &[
    "api", "app", "asgi", "boot", "config", "endpoint", "health", "http", "index", "listen",
    "main", "program", "release", "route", "server", "setting", "start", "web", "wsgi",
];

/// The app's own sources with one of the extensions, in sorted order: below `path` but not below `others`, no tests; where
/// there are many, those nearest to `path`.
pub(crate) fn own(
    repo: &Repo,
    path: &str,
    others: &[String],
    extensions: &[&str],
    family: Family,
) -> Vec<File> {
    let found = listed(repo, path, others, extensions);
    read(likeliest(found), family)
}

/// [`own`], for what any of the files may decide: more of them, those that lie deepest left out where there are too many.
pub(crate) fn own_more(
    repo: &Repo,
    path: &str,
    others: &[String],
    extensions: &[&str],
    family: Family,
) -> Vec<File> {
    let found = listed(repo, path, others, extensions);
    read(first(found, MORE_FILES, |_, depth| depth), family)
}

/// Those of the app's own sources that `is_wanted` by their paths.
pub(crate) fn own_of(
    repo: &Repo,
    path: &str,
    others: &[String],
    extensions: &[&str],
    family: Family,
    is_wanted: &dyn Fn(&str) -> bool,
) -> Vec<File> {
    let mut found = listed(repo, path, others, extensions);
    found.retain(|place| is_wanted(&place.dir.join(place.name)));
    read(likeliest(found), family)
}

/// A source and how many directories it lies below the app's.
struct Place<'a> {
    depth: usize,
    dir: Dir<'a>,
    name: &'a str,
}

/// The app's own sources by their paths, sorted.
fn listed<'a>(
    repo: &'a Repo,
    path: &'a str,
    others: &[String],
    extensions: &[&str],
) -> Vec<Place<'a>> {
    let is_other = |other: &&String| *other != path && is_within(other, path);
    let others: Vec<&String> = others.iter().filter(is_other).collect();
    let mut found = Vec::new();
    for dir in repo.below(path) {
        let below = dir.path().get(path.len()..).unwrap_or_default();
        let below = below.trim_start_matches('/');
        let is_other = others.iter().any(|other| is_within(dir.path(), other));
        if is_other || below.split('/').any(is_test_dir) {
            continue;
        }
        let depth = if below.is_empty() {
            0
        } else {
            below.split('/').count()
        };
        for name in dir.files() {
            let is_source = name
                .rsplit_once('.')
                .is_some_and(|(_, end)| extensions.contains(&end));
            if is_source && !is_test_file(name) {
                found.push(Place { depth, dir, name });
            }
        }
    }
    found
}

fn likeliest(places: Vec<Place<'_>>) -> Vec<Place<'_>> {
    first(places, FILES, |name, depth| (!is_telling(name), depth))
}

fn is_telling(name: &str) -> bool {
    let name = name.as_bytes();
    let says = |at: usize, word: &str| {
        let found = name.get(at..at + word.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
    };
    // Large apps have thousands of names, so what differs in the first letter already is not looked at further.
    name.iter().enumerate().any(|(at, first)| {
        let first = first.to_ascii_lowercase();
        let mut words = TELLING.iter().filter(|word| word.as_bytes()[0] == first);
        words.any(|word| says(at, word))
    })
}

/// The first `most` in the order of what `rank` makes of name and depth, sorted by path again.
fn first<'a, R: Ord>(
    mut places: Vec<Place<'a>>,
    most: usize,
    rank: impl Fn(&str, usize) -> R,
) -> Vec<Place<'a>> {
    if places.len() > most {
        // Stable: sorted by path among those of one rank.
        places.sort_by_cached_key(|place| rank(place.name, place.depth));
        places.truncate(most);
        places.sort_by_key(|place| (place.dir.path(), place.name));
    }
    places
}

fn read(places: Vec<Place<'_>>, family: Family) -> Vec<File> {
    let files = places.iter().filter_map(|place| {
        let source = Source::parse(&place.dir.text(place.name).ok()?, family);
        let path = place.dir.join(place.name);
        Some(File { path, source })
    });
    files.collect()
}

fn is_test_dir(name: &str) -> bool {
    matches!(
        name,
        "test"
            | "tests"
            | "__tests__"
            | "spec"
            | "e2e"
            | "testdata"
            | "fixtures"
            | "examples"
            | "benches"
            | "dist"
            | "public"
            | "static"
            | "cypress"
    )
}

/// Whether a file's name says that it is a test.
pub(crate) fn is_test_file(name: &str) -> bool {
    let (stem, rest) = name.split_once('.').unwrap_or((name, ""));
    let is_other = |part: &str| matches!(part, "test" | "spec" | "stories" | "config");
    let between = rest.rsplit_once('.').map(|(between, _)| between);
    between.is_some_and(|between| between.split('.').any(is_other))
        || name.ends_with(".d.ts")
        || stem.ends_with("_test")
        || stem.starts_with("test_")
        || stem == "conftest"
}

/// Routes that answer whether an app is well, best first.
const HEALTH: &[&str] = &[
    "/healthz",
    "/health",
    "/livez",
    "/readyz",
    "/_health",
    "/health/live",
    "/healthcheck",
    "/health-check",
    "/api/health",
    "/api/healthz",
    "/up",
    "/ping",
    "/-/healthy",
];

/// A fact with its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fact<T> {
    pub(crate) value: T,
    pub(crate) file: String,
    pub(crate) line: u64,
}

/// The first of `calls` that a file holds, files in their order: the call without its bracket.
pub(crate) fn call<'a>(
    files: impl IntoIterator<Item = &'a File>,
    calls: &[&str],
) -> Option<Fact<String>> {
    files.into_iter().find_map(|file| {
        let mut found = calls.iter();
        let (call, at) = found.find_map(|call| Some((*call, file.source.find(call)?)))?;
        Some(Fact {
            value: call.trim_end_matches('(').to_owned(),
            file: file.path.clone(),
            line: file.source.line(at),
        })
    })
}

/// The route that answers whether the app is well, where its sources register one.
pub(crate) fn health(files: &[File]) -> Option<Fact<String>> {
    for route in HEALTH {
        for file in files {
            for (at, text) in &file.source.strings {
                // Go's patterns may start with the method.
                let text = text
                    .strip_prefix("GET ")
                    .unwrap_or(text)
                    .trim_end_matches("/{$}");
                if text == *route && !is_call_of_a_client(&file.source.code[..*at]) {
                    let line = file.source.line(*at);
                    return Some(Fact {
                        value: (*route).to_owned(),
                        file: file.path.clone(),
                        line,
                    });
                }
            }
        }
    }
    None
}

fn is_call_of_a_client(before: &str) -> bool {
    let before = before.trim_end();
    [
        "fetch(",
        "axios.get(",
        "axios(",
        "requests.get(",
        "httpx.get(",
        "http.Get(",
        "reqwest::get(",
    ]
    .iter()
    .any(|call| before.ends_with(call))
}

/// The port that a string such as `:8080` or `0.0.0.0:8080` names.
pub(crate) fn port_of_address(text: &str) -> Option<(u16, bool)> {
    let (host, number) = text.rsplit_once(':')?;
    let is_host = matches!(
        host,
        "" | "0.0.0.0" | "[::]" | "::" | "localhost" | "127.0.0.1" | "[::1]" | "*"
    );
    let is_local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    port(number)
        .filter(|_| is_host)
        .map(|port| (port, is_local))
}
