//! Versions: what a repository asks for, and the stream of the index that answers it.

use crate::wolfi::{Choice, Pattern, Status, Stream};

use super::catalog::Catalog;
use super::document::Document;
use super::explain::{Candidate, Evidence};
use super::range::Range;
use super::repo::{Dir, split};

/// What a source asks for.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    /// Whatever is best.
    Any,
    /// A range with npm's rules.
    Node(nodejs_semver::Range),
    /// Specifiers with Python's rules (PEP 440).
    Python(pep440_rs::VersionSpecifiers),
    /// These leading numbers; a shorter list leaves the rest open.
    Prefix(Vec<u64>),
    /// A range with the rules of another ecosystem.
    Range(Range),
    /// These numbers, or anything newer.
    AtLeast(Vec<u64>),
}

impl Want {
    /// Whether a version such as `24.19.0` is in it.
    pub(crate) fn holds(&self, version: &str) -> bool {
        let numbers = numbers(version);
        match self {
            Self::Any => true,
            Self::Node(range) => nodejs_semver::Version::parse(padded(&numbers))
                .is_ok_and(|version| range.satisfies(&version)),
            Self::Python(specifiers) => version
                .parse::<pep440_rs::Version>()
                .is_ok_and(|version| specifiers.contains(&version)),
            Self::Prefix(prefix) => numbers.starts_with(prefix),
            Self::Range(range) => range.holds(&numbers),
            Self::AtLeast(floor) => {
                let length = floor.len().max(numbers.len());
                let pad = |list: &[u64]| -> Vec<u64> {
                    list.iter()
                        .copied()
                        .chain(std::iter::repeat(0))
                        .take(length)
                        .collect()
                };
                pad(&numbers) >= pad(floor)
            }
        }
    }

    /// The lowest version in it, which names the stream that it was written for.
    fn floor(&self) -> Option<Vec<u64>> {
        match self {
            Self::Any | Self::AtLeast(_) => None,
            Self::Node(range) => {
                let version = range.min_version()?;
                Some(vec![version.major(), version.minor(), version.patch()])
            }
            Self::Python(specifiers) => specifiers
                .iter()
                .filter(|one| {
                    use pep440_rs::Operator::{Equal, ExactEqual, TildeEqual};
                    matches!(one.operator(), Equal | ExactEqual | TildeEqual)
                })
                .map(|one| one.version().release().to_vec())
                .next(),
            Self::Prefix(prefix) => Some(prefix.clone()),
            // One without an end is a minimum.
            Self::Range(range) if range.is_bounded() => range.lowest().map(<[u64]>::to_vec),
            Self::Range(_) => None,
        }
    }
}

/// Where a version is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The constraint as written.
    pub(crate) text: String,
    pub(crate) file: String,
    pub(crate) line: Option<u64>,
    pub(crate) rule: &'static str,
}

/// A language's toolchain.
pub(crate) struct Tool<'p> {
    /// Its name as people write it.
    pub(crate) name: &'static str,
    /// The names under which `.tool-versions` and `mise.toml` know it.
    pub(crate) asdf: &'static [&'static str],
    /// What its streams' package names begin with.
    pub(crate) prefix: &'p str,
    /// How many numbers a stream has.
    pub(crate) numbers: usize,
    /// The virtual package by which the distribution marks its default.
    pub(crate) default: Option<&'static str>,
    /// How its constraints are read.
    pub(crate) read: fn(&Source) -> Result<Want, String>,
}

impl Tool<'_> {
    /// The pattern of its streams' package names.
    fn pattern(&self) -> Pattern {
        let pattern = Pattern::new(self.prefix, self.numbers, "");
        match self.default {
            Some(name) => pattern.with_default(name),
            None => pattern,
        }
    }
}

/// A stream that was chosen.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) stream: Stream,
    pub(crate) evidence: Evidence,
    /// What the user should know: file, line, message.
    pub(crate) warnings: Vec<(String, Option<u64>, String)>,
}

/// Why there is no stream.
#[derive(Clone, Debug)]
pub(crate) struct Unavailable {
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u64>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Chooses the stream for `sources`, of which the first one that can be read wins.
pub(crate) fn choose(
    catalog: &Catalog<'_>,
    tool: &Tool<'_>,
    sources: &[Source],
) -> Result<Chosen, Unavailable> {
    choose_except(catalog, tool, sources, &[])
}

/// The longest text that is read as a version or a range.
const LONGEST: usize = 1000;

/// The same, without the streams of these numbers.
pub(crate) fn choose_except(
    catalog: &Catalog<'_>,
    tool: &Tool<'_>,
    sources: &[Source],
    without: &[Vec<u64>],
) -> Result<Chosen, Unavailable> {
    let mut warnings = Vec::new();
    let mut wants = Vec::new();
    for source in nearest_first(sources) {
        if source.text.len() > LONGEST {
            let message = format!("is longer than a {} version can be", tool.name);
            warnings.push((source.file.clone(), source.line, message));
            continue;
        }
        match (tool.read)(source) {
            Ok(want) => wants.push((source, want)),
            Err(why) => {
                let message = format!("`{}` is not a {} version: {why}", source.text, tool.name);
                warnings.push((source.file.clone(), source.line, message));
            }
        }
    }
    let (source, want) = match wants.first() {
        Some((source, want)) => (Some(*source), want.clone()),
        None => (None, Want::Any),
    };
    let stream = match catalog.choose(&tool.pattern(), &|version| {
        want.holds(version) && !without.iter().any(|out| numbers(version).starts_with(out))
    }) {
        Some(choice) => {
            if !choice.stream.status.is_maintained() {
                warnings.push(unmaintained(&choice, source));
            }
            choice.stream
        }
        None => substitute(catalog, tool, &want, source, &mut warnings)?,
    };
    for (other, also) in wants.iter().skip(1) {
        if !also.holds(stream.newest.upstream())
            && !also
                .floor()
                .is_some_and(|floor| floor.starts_with(&stream.numbers))
        {
            let (winner, file) = source.map_or(("", ""), |s| (s.text.as_str(), s.file.as_str()));
            let message = format!(
                "{} `{}` contradicts `{winner}` in `{file}`, which wins",
                tool.name, other.text
            );
            warnings.push((other.file.clone(), other.line, message));
        }
    }
    Ok(Chosen {
        evidence: evidence(&stream, source, &wants),
        stream,
        warnings,
    })
}

/// The same, with the files that say nothing but versions in the order of their directories: the nearest wins, whatever its name.
fn nearest_first(sources: &[Source]) -> Vec<&Source> {
    let is_file = |source: &&Source| {
        matches!(
            source.rule,
            "version.file" | "version.mise" | "version.tool-versions"
        )
    };
    let mut files: Vec<&Source> = sources.iter().filter(is_file).collect();
    // All of them lie on the way up from one app.
    files.sort_by_key(|source| std::cmp::Reverse(home(&source.file).len()));
    let mut files = files.into_iter();
    let in_place = sources.iter().map(|source| match is_file(&source) {
        true => files.next().unwrap_or(source),
        false => source,
    });
    in_place.collect()
}

/// The directory that a file with versions is about.
fn home(file: &str) -> &str {
    let name = MISE.iter().find(|name| {
        let above = file.strip_suffix(**name);
        above.is_some_and(|above| above.is_empty() || above.ends_with('/'))
    });
    match name {
        Some(name) => file[..file.len() - name.len()].trim_end_matches('/'),
        None => split(file).0,
    }
}

fn unmaintained(choice: &Choice, source: Option<&Source>) -> (String, Option<u64>, String) {
    let (file, line) = source.map_or((String::new(), None), |s| (s.file.clone(), s.line));
    let what = if choice.stream.status == Status::Frozen {
        "is no longer built: it stays in the index and gets no fixes"
    } else {
        "is past its end of life"
    };
    let others: Vec<String> = choice
        .alternatives
        .iter()
        .map(|stream| format!("`{}`", stream.package))
        .collect();
    let package = &choice.stream.package;
    let message = if others.is_empty() {
        format!("`{package}` {what}, and no stream of it is maintained")
    } else {
        format!("`{package}` {what}; maintained are {}", others.join(", "))
    };
    (file, line, message)
}

fn evidence(stream: &Stream, source: Option<&Source>, wants: &[(&Source, Want)]) -> Evidence {
    let losing = wants
        .iter()
        .skip(1)
        .map(|(other, _)| Candidate {
            value: other.text.clone(),
            file: Some(other.file.clone()),
            line: other.line,
            reason: "a source of higher rank wins".to_owned(),
        })
        .collect();
    Evidence {
        field: "toolchain".to_owned(),
        value: stream.package.clone(),
        file: source.map(|source| source.file.clone()),
        line: source.and_then(|source| source.line),
        written: source.map(|source| source.text.clone()),
        rule: source
            .map_or("version.default", |source| source.rule)
            .to_owned(),
        note: source.map(|source| {
            format!(
                "`{}` is satisfied by {}",
                source.text,
                stream.newest.upstream()
            )
        }),
        losing,
    }
}

/// The stream that a pin was written for, where its exact version is not packaged.
fn substitute(
    catalog: &Catalog<'_>,
    tool: &Tool<'_>,
    want: &Want,
    source: Option<&Source>,
    warnings: &mut Vec<(String, Option<u64>, String)>,
) -> Result<Stream, Unavailable> {
    let streams = catalog.streams(&tool.pattern());
    let text = source.map_or("", |source| source.text.as_str());
    let file = source.map(|source| source.file.clone());
    let line = source.and_then(|source| source.line);
    if let Some(floor) = want.floor()
        && let Some(stream) = streams
            .iter()
            .find(|stream| floor.starts_with(&stream.numbers))
    {
        let message = format!(
            "{} `{text}` is not packaged; `{}` {} of the same stream is used",
            tool.name,
            stream.package,
            stream.newest.upstream()
        );
        warnings.push((file.unwrap_or_default(), line, message));
        let newest = stream.newest.upstream();
        if let Some(choice) = catalog.choose(&tool.pattern(), &|version| version == newest)
            && !choice.stream.status.is_maintained()
        {
            warnings.push(unmaintained(&choice, source));
        }
        return Ok(stream.clone());
    }
    let known: Vec<String> = streams
        .iter()
        .filter(|stream| stream.status.is_maintained())
        .map(|stream| format!("`{}`", stream.package))
        .collect();
    let message = if text.is_empty() {
        format!("no {} is packaged", tool.name)
    } else {
        format!("{} `{text}` is not packaged", tool.name)
    };
    let help = (!known.is_empty()).then(|| format!("the maintained ones are {}", known.join(", ")));
    Err(Unavailable {
        file,
        line,
        message,
        help,
    })
}

/// Where mise looks in a directory, best first: <https://mise.jdx.dev/configuration.html>. Those for one machine are left out.
const MISE: &[&str] = &[
    "mise.toml",
    ".mise.toml",
    "mise/config.toml",
    ".mise/config.toml",
    ".config/mise.toml",
    ".config/mise/config.toml",
];

/// What `.tool-versions` and mise's files ask for, from `dir` upwards; the nearest comes first.
pub(crate) fn tool_versions(
    dir: Dir<'_>,
    tool: &Tool<'_>,
    document: &mut dyn FnMut(&str) -> Option<std::rc::Rc<Document>>,
) -> Vec<Source> {
    let mut sources = Vec::new();
    for dir in dir.upwards() {
        for name in MISE {
            let (below, file) = split(name);
            if !dir.below(below).is_some_and(|dir| dir.has(file)) {
                continue;
            }
            if let Some(mise) = document(&dir.join(name)) {
                sources.extend(tool.asdf.iter().filter_map(|key| mise_source(&mise, key)));
            }
        }
        let Ok(text) = dir.text(".tool-versions") else {
            continue;
        };
        for (line, words) in version_lines(&text) {
            let mut words = words.split_whitespace();
            if words.next().is_some_and(|name| tool.asdf.contains(&name))
                && let Some(version) = words.next()
            {
                sources.push(Source {
                    text: version.to_owned(),
                    file: dir.join(".tool-versions"),
                    line: Some(line),
                    rule: "version.tool-versions",
                });
            }
        }
    }
    sources
}

/// The version of a tool in a file of mise: a text, a number, a table with `version`, or a list of those, of which the first one
/// is active.
fn mise_source(mise: &Document, key: &str) -> Option<Source> {
    let full = format!("core:{key}");
    let key = [key, full.as_str()]
        .into_iter()
        .find(|key| mise.get(&["tools", key]).is_some())?;
    let places: [&[&str]; 4] = [
        &["tools", key],
        &["tools", key, "version"],
        &["tools", key, "0"],
        &["tools", key, "0", "version"],
    ];
    places.into_iter().find_map(|keys| {
        let text = match mise.get(keys)? {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let text = text.strip_prefix("prefix:").unwrap_or(&text).to_owned();
        Some(Source {
            text,
            file: mise.file.clone(),
            line: mise.line(keys),
            rule: "version.mise",
        })
    })
}

/// What files that hold nothing but a version ask for, from `dir` upwards.
pub(crate) fn version_files(dir: Dir<'_>, names: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for dir in dir.upwards() {
        for name in names {
            let Ok(text) = dir.text(name) else { continue };
            if let Some((line, version)) = version_lines(&text).next() {
                sources.push(Source {
                    text: version.to_owned(),
                    file: dir.join(name),
                    line: Some(line),
                    rule: "version.file",
                });
            }
        }
    }
    sources
}

/// A key of a manifest as a source.
pub(crate) fn manifest(document: &Document, keys: &[&str], rule: &'static str) -> Option<Source> {
    Some(Source {
        text: document.str(keys)?.to_owned(),
        file: document.file.clone(),
        line: document.line(keys),
        rule,
    })
}

fn version_lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    text.lines()
        .zip(1..)
        .map(|(line, number)| (number, line.split('#').next().unwrap_or_default().trim()))
        .filter(|(_, line)| !line.is_empty())
}

/// The leading numbers of a version: `24.19.0-r1` gives 24, 19, 0.
pub(crate) fn numbers(text: &str) -> Vec<u64> {
    let end = text
        .find(|c: char| c != '.' && !c.is_ascii_digit())
        .unwrap_or(text.len());
    text[..end]
        .split('.')
        .map_while(|part| part.parse().ok())
        .take(4)
        .collect()
}

/// The numbers of a text that is a version and nothing else.
pub(crate) fn exact(text: &str) -> Result<Vec<u64>, String> {
    let text = text.trim().trim_start_matches('v');
    let numbers = numbers(text);
    // A pre-release may follow; what makes a range of it may not.
    let is_range = text.contains(|c: char| c.is_whitespace() || "<>=|,^~*".contains(c));
    if is_range || numbers.is_empty() || text.split('.').count() != numbers.len() {
        return Err("it is neither a number nor a known alias".to_owned());
    }
    Ok(numbers)
}

fn padded(numbers: &[u64]) -> String {
    let at = |index: usize| numbers.get(index).copied().unwrap_or(0);
    format!("{}.{}.{}", at(0), at(1), at(2))
}

/// npm's ranges, and the aliases of `.nvmrc`.
pub(crate) fn node(source: &Source) -> Result<Want, String> {
    let text = source.text.trim();
    let alias = text.to_ascii_lowercase();
    if matches!(
        alias.as_str(),
        "" | "*" | "x" | "latest" | "lts" | "lts/*" | "node" | "stable" | "current" | "system"
    ) {
        return Ok(Want::Any);
    }
    if let Some(name) = alias.strip_prefix("lts/") {
        return LTS_NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, major)| Want::Prefix(vec![*major]))
            .ok_or_else(|| "the LTS name is not known".to_owned());
    }
    if let Ok(numbers) = exact(text) {
        return Ok(Want::Prefix(numbers));
    }
    let alternatives = text.split("||").map(|one| hyphen(one.trim()));
    let text: Vec<String> = alternatives.collect();
    nodejs_semver::Range::parse(text.join(" || "))
        .map(Want::Node)
        .map_err(|_| "it is no range".to_owned())
}

/// `18 - 22` as comparisons: all of 22 is in it, which the parser does not know.
fn hyphen(text: &str) -> String {
    let ends = text.split_once(" - ").and_then(|(from, to)| {
        let (from, to) = (exact(from).ok()?, exact(to).ok()?);
        Some((padded(&from), to))
    });
    match ends {
        Some((from, to)) if to.len() < 3 => match super::range::next(&to) {
            Some(end) => format!(">={from} <{}", padded(&end)),
            None => format!(">={from}"),
        },
        Some((from, to)) => format!(">={from} <={}", padded(&to)),
        None => text.to_owned(),
    }
}

/// Node's names of its long-term support lines (nodejs/Release), oldest first.
const LTS_NAMES: &[(&str, u64)] = &[
    ("argon", 4),
    ("boron", 6),
    ("carbon", 8),
    ("dubnium", 10),
    ("erbium", 12),
    ("fermium", 14),
    ("gallium", 16),
    ("hydrogen", 18),
    ("iron", 20),
    ("jod", 22),
    ("krypton", 24),
];

/// Python's specifiers, the caret and tilde of Poetry, and plain versions.
pub(crate) fn python(source: &Source) -> Result<Want, String> {
    let text = source.text.trim();
    let text = text
        .strip_prefix("python-")
        .or_else(|| text.strip_prefix("cpython-"))
        .unwrap_or(text);
    if text.ends_with('t') && text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("the free-threaded build is not supported".to_owned());
    }
    if matches!(text, "" | "*" | "3" | "system" | "latest") {
        return Ok(Want::Any);
    }
    if let Ok(numbers) = exact(text) {
        return Ok(Want::Prefix(numbers));
    }
    if text.contains('^') || text.contains("||") || (text.contains('~') && !text.contains("~=")) {
        let range = text.replace(',', " ");
        return nodejs_semver::Range::parse(range)
            .map(Want::Node)
            .map_err(|_| "it is no range".to_owned());
    }
    text.parse()
        .map(Want::Python)
        .map_err(|_| "it is no specifier".to_owned())
}

/// A minimum: `go` lines, `rust-version`.
pub(crate) fn minimum(source: &Source) -> Result<Want, String> {
    exact(source.text.trim_start_matches("go")).map(Want::AtLeast)
}

/// A rust-toolchain channel is a pin, everything else a minimum.
pub(crate) fn rust(source: &Source) -> Result<Want, String> {
    let text = source.text.trim();
    if source.rule == "version.minimum" {
        return minimum(source);
    }
    match text.split_once('-').map_or(text, |(channel, _)| channel) {
        "stable" | "latest" => Ok(Want::Any),
        "nightly" | "beta" => Err("only releases are packaged".to_owned()),
        _ => exact(text).map(Want::Prefix),
    }
}
