//! The Java version: who asks for one, and the development kit and runtime of the index that answer.

use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan, unavailable};
use crate::detect::range::{Interval, Range};
use crate::detect::repo::Dir;
use crate::detect::source::Fact;
use crate::detect::version::{self, Source, Tool, Want, numbers};
use crate::wolfi::Pattern;

const TOOL: Tool = Tool {
    name: "Java",
    asdf: &["java"],
    prefix: "openjdk-",
    numbers: 1,
    default: None,
    read,
};

/// The rule of a language level: a newer kit compiles and runs it.
pub(crate) const LEVEL: &str = "java.level";
/// The rule of what a framework needs at least.
pub(crate) const MINIMUM: &str = "java.framework-minimum";
/// The rule of a kit that must be this one: Gradle looks for it by itself.
pub(crate) const TOOLCHAIN: &str = "java.toolchain";
const NEXT: &str = "java.next-major";

/// A development kit, and the runtime of the same stream.
#[derive(Clone, Debug)]
pub(crate) struct Jdk {
    pub(crate) number: u64,
    /// The kit with the links that put it on the path.
    pub(crate) kit: String,
    pub(crate) runtime: String,
    pub(crate) evidence: Evidence,
}

/// What files that are no build scripts ask for, seen from `dir`.
pub(crate) fn sources(scan: &mut Scan<'_>, dir: &str) -> Vec<Source> {
    let Some(dir) = scan.repo.dir(dir) else {
        return Vec::new();
    };
    let mut sources = scan.tool_versions(dir, &TOOL);
    sources.extend(version::version_files(dir, &[".java-version"]));
    sources.extend(property_files(dir, ".sdkmanrc", "java", "java.sdkmanrc"));
    sources
}

/// What Heroku's file asks for, which comes after the build scripts.
pub(crate) fn system_properties(scan: &Scan<'_>, dir: &str) -> Vec<Source> {
    let Some(dir) = scan.repo.dir(dir) else {
        return Vec::new();
    };
    let key = "java.runtime.version";
    property_files(dir, "system.properties", key, "java.system-properties")
}

fn property_files(dir: Dir<'_>, name: &str, key: &str, rule: &'static str) -> Vec<Source> {
    let mut sources = Vec::new();
    for dir in dir.upwards() {
        let Ok(text) = dir.text(name) else { continue };
        for (line, number) in text.lines().zip(1..) {
            let Some((found, value)) = line.split_once('=') else {
                continue;
            };
            if found.trim() == key && !value.trim().is_empty() {
                sources.push(Source {
                    text: value.trim().to_owned(),
                    file: dir.join(name),
                    line: Some(number),
                    rule,
                });
            }
        }
    }
    sources
}

/// A fact of a build script as a source.
pub(crate) fn source(fact: Fact<String>, rule: &'static str) -> Source {
    Source {
        text: fact.value,
        file: fact.file,
        line: (fact.line > 0).then_some(fact.line),
        rule,
    }
}

/// Reads a version with or without its vendor: `temurin-21.0.2`, `21.0.2-tem`, `1.8`, `[17,)`.
fn read(source: &Source) -> Result<Want, String> {
    let text = source.text.trim();
    if matches!(
        text,
        "latest" | "lts" | "system" | "openjdk" | "temurin" | "zulu" | "corretto"
    ) {
        return Ok(Want::Any);
    }
    if text.starts_with(['[', '(']) {
        return maven_range(text).map(Want::Range);
    }
    let version = number_of(text).ok_or_else(|| "it has no number".to_owned())?;
    Ok(if matches!(source.rule, LEVEL | MINIMUM | NEXT) {
        Want::AtLeast(version.into_iter().take(1).collect())
    } else {
        Want::Prefix(version)
    })
}

/// The numbers of a Java version; before Java 9 the second one is the major.
pub(crate) fn number_of(text: &str) -> Option<Vec<u64>> {
    let lower = text.to_ascii_lowercase();
    // GraalVM counts by itself and names the Java behind it.
    let inner = lower.match_indices("java").find_map(|(at, word)| {
        let found = numbers(&lower[at + word.len()..]);
        (!found.is_empty()).then_some(found)
    });
    let mut found = match inner {
        Some(found) => found,
        None => lower
            .split(['-', '_', ' '])
            .map(numbers)
            .find(|found| !found.is_empty())?,
    };
    if found.len() > 1 && found[0] == 1 {
        found.remove(0);
    }
    Some(found)
}

/// The stream for `sources`, of which the first wins; no older one than `at_least`.
///
/// A level is met by the next stream that is maintained, which is told; so is a pin whose stream does not exist.
pub(crate) fn choose(
    scan: &mut Scan<'_>,
    manifest: &str,
    sources: &[Source],
    at_least: u64,
) -> Result<Jdk, Problem> {
    let pattern = Pattern::new(TOOL.prefix, TOOL.numbers, "");
    let streams = scan.catalog.streams(&pattern);
    let mut sources = sources.to_vec();
    let first = sources.iter().position(|source| read(source).is_ok());
    let asked = first.and_then(|at| number_of(&sources[at].text));
    let mut only = None;
    if let (Some(at), Some(asked)) = (first, asked)
        && let Some(asked) = asked.first().copied()
        && !sources[at].text.starts_with(['[', '('])
    {
        let exists = streams.iter().any(|stream| stream.numbers == [asked]);
        let is_level = matches!(sources[at].rule, LEVEL | MINIMUM);
        if is_level || (!exists && sources[at].rule != TOOLCHAIN) {
            let floor = asked.max(at_least);
            only = streams
                .iter()
                .find(|stream| stream.numbers >= vec![floor] && stream.status.is_maintained())
                .map(|stream| stream.numbers.clone());
            if !is_level && only.is_some() {
                sources[at].rule = NEXT;
            }
            if let Some(number) = &only
                && asked >= 8
                && number[0] != asked
                && asked >= at_least
            {
                let source = &sources[at];
                let (file, line) = (source.file.clone(), source.line);
                let message = format!(
                    "Java {asked} is not packaged or no longer maintained; the next one, {}, is used",
                    number[0]
                );
                scan.warn(&file, line, message);
            }
        }
    } else if first.is_none() {
        only = usual(scan, at_least);
    }
    let without: Vec<Vec<u64>> = streams
        .iter()
        .map(|stream| stream.numbers.clone())
        .filter(|number| {
            only.as_ref().is_some_and(|only| only != number)
                || number.as_slice() < [at_least].as_slice()
        })
        .collect();
    let chosen = version::choose_except(scan.catalog, &TOOL, &sources, &without)
        .map_err(|error| unavailable(manifest, error))?;
    for (file, line, message) in &chosen.warnings {
        scan.warn(file, *line, message.clone());
    }
    let number = chosen.stream.numbers.first().copied().unwrap_or_default();
    let mut evidence = chosen.evidence;
    if evidence.rule == MINIMUM {
        let framework = evidence.written.clone().unwrap_or_default();
        evidence.note = Some(format!(
            "Spring Boot {framework} needs Java {at_least} or newer"
        ));
    }
    kit(scan, manifest, number, evidence)
}

/// The stream that the distribution takes where nothing is said.
fn usual(scan: &Scan<'_>, at_least: u64) -> Option<Vec<u64>> {
    let package = scan.catalog.package("default-jvm-lts")?;
    let found = numbers(package.strip_prefix(TOOL.prefix)?);
    (found.as_slice() >= [at_least].as_slice()).then_some(found)
}

fn kit(scan: &Scan<'_>, manifest: &str, number: u64, evidence: Evidence) -> Result<Jdk, Problem> {
    let kit = format!("openjdk-{number}-default-jdk");
    let runtime = format!("openjdk-{number}-default-jvm");
    for package in [&kit, &runtime] {
        if !scan.catalog.has(package) {
            let message = format!("the index has no package `{package}`");
            return Err(Problem::new(manifest, None, message));
        }
    }
    Ok(Jdk {
        number,
        kit,
        runtime,
        evidence,
    })
}

/// The newest maintained stream between two numbers, both included.
pub(crate) fn between(scan: &Scan<'_>, from: u64, to: u64) -> Option<u64> {
    let pattern = Pattern::new(TOOL.prefix, TOOL.numbers, "");
    let streams = scan.catalog.streams(&pattern);
    let usual = usual(scan, from).filter(|number| number.as_slice() <= [to].as_slice());
    let fitting = streams.iter().rev().filter(|stream| {
        let number = stream.numbers.as_slice();
        number >= [from].as_slice() && number <= [to].as_slice()
    });
    let mut fitting = fitting.filter(|stream| stream.status.is_maintained());
    usual
        .or_else(|| fitting.next().map(|stream| stream.numbers.clone()))
        .and_then(|number| number.first().copied())
}

/// Maven's ranges: `[1.8,)`, `(,17]`, `[11,12),[17,)`, `[21]`
/// (<https://maven.apache.org/pom.html#dependency-version-requirement-specification>).
pub(crate) fn maven_range(text: &str) -> Result<Range, String> {
    let mut any_of = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let from_in = match rest.as_bytes()[0] {
            b'[' => true,
            b'(' => false,
            _ => return Err("it is no range".to_owned()),
        };
        let end = rest
            .find([']', ')'])
            .ok_or_else(|| "its end is missing".to_owned())?;
        let to_in = rest.as_bytes()[end] == b']';
        let inside = &rest[1..end];
        let bound = |text: &str| -> Result<Option<Vec<u64>>, String> {
            let text = text.trim();
            if text.is_empty() {
                return Ok(None);
            }
            number_of(text)
                .map(Some)
                .ok_or_else(|| format!("`{text}` is no version"))
        };
        any_of.push(match inside.split_once(',') {
            Some((from, to)) => Interval {
                from: bound(from)?.map(|version| (version, from_in)),
                to: bound(to)?.map(|version| (version, to_in)),
                except: Vec::new(),
            },
            None => {
                let only = bound(inside)?.ok_or_else(|| "it is empty".to_owned())?;
                Interval::starting_with(&only)
            }
        });
        rest = rest[end + 1..].trim_start_matches([',', ' ']);
    }
    Ok(Range { any_of })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_every_vendor() {
        for (text, expected) in [
            ("1.8", &[8][..]),
            ("1.8.0_402", &[8, 0]),
            ("temurin-21.0.2+13.0.LTS", &[21, 0, 2]),
            ("21.0.2-tem", &[21, 0, 2]),
            ("openjdk64-11.0.2", &[11, 0, 2]),
            ("graalvm-ce-java17-22.3.0", &[17]),
            ("graalvm-22.3.1+java11", &[11]),
            ("17", &[17]),
        ] {
            assert_eq!(number_of(text).unwrap(), expected, "{text}");
        }
        assert_eq!(number_of("temurin"), None);
    }

    #[test]
    fn ranges_of_maven_are_ranges() {
        for (range, version, is_in) in [
            ("[1.8,)", 8, true),
            ("[1.8,)", 7, false),
            ("(,17]", 17, true),
            ("(,17)", 17, false),
            ("[11,12),[17,)", 11, true),
            ("[11,12),[17,)", 12, false),
            ("[11,12),[17,)", 25, true),
            ("[21]", 21, true),
            ("[21]", 22, false),
        ] {
            let read = maven_range(range).unwrap();
            assert_eq!(read.holds(&[version]), is_in, "{range} {version}");
        }
        assert!(maven_range("[17").is_err() && maven_range("17").is_err());
    }
}
