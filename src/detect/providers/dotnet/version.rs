//! The .NET version: target frameworks, the kit of `global.json`, and what the index has.

use crate::detect::document::Syntax;
use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan, unavailable};
use crate::detect::range::{Interval, Range, next};
use crate::detect::source::Fact;
use crate::detect::version::{self, Source, Tool, Want, numbers};
use crate::wolfi::Pattern;

use super::msbuild;

const TOOL: Tool = Tool {
    name: ".NET",
    asdf: &["dotnet", "dotnet-core"],
    prefix: "dotnet-",
    numbers: 1,
    default: None,
    read,
};

const TARGET: &str = "dotnet.target-framework";
const ROLL_FORWARD: &str = "dotnet.roll-forward";

/// What a target framework is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `net10.0`: the major, and whether it is for one system only.
    Net(u64, Option<String>),
    /// `netstandard2.0`: for libraries.
    Standard,
    /// `net48`: Windows only.
    Framework,
}

/// Reads a target framework whole: `net10.0` is ten, `net48` is the old one.
pub(super) fn target(text: &str) -> Option<Target> {
    let text = text.trim().to_ascii_lowercase();
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if !text.chars().all(is_part) {
        return None;
    }
    let (name, system) = match text.split_once('-') {
        Some((name, system)) => (name, Some(system.to_owned())),
        None => (text.as_str(), None),
    };
    if name.starts_with("netstandard") {
        return Some(Target::Standard);
    }
    if let Some(version) = name.strip_prefix("netcoreapp") {
        return Some(Target::Net(*numbers(version).first()?, system));
    }
    let version = name
        .strip_prefix("net")
        .or_else(|| name.strip_prefix('v'))?;
    let found = numbers(version);
    match found.as_slice() {
        [major, _, ..] if *major >= 5 => Some(Target::Net(*major, system)),
        [_, ..] => Some(Target::Framework),
        [] => None,
    }
}

/// The runtime.
pub(super) struct Toolchain {
    pub(super) number: u64,
    /// Whether the app runs on a newer one than it asks for.
    pub(super) rolls_forward: bool,
    pub(super) evidence: Evidence,
}

/// The kit that builds.
pub(super) struct Kit {
    pub(super) package: String,
    pub(super) evidence: Option<Evidence>,
}

fn read(source: &Source) -> Result<Want, String> {
    if !matches!(source.rule, TARGET | ROLL_FORWARD) {
        let found = numbers(&source.text);
        return if found.is_empty() {
            Err("it has no number".to_owned())
        } else {
            Ok(Want::Prefix(found))
        };
    }
    let Some(Target::Net(major, _)) = target(&source.text) else {
        return Err("it is no target framework".to_owned());
    };
    Ok(if source.rule == ROLL_FORWARD {
        Want::AtLeast(vec![major])
    } else {
        Want::Prefix(vec![major])
    })
}

/// Chooses for a target framework, written as a part of `asked`.
pub(super) fn choose(
    scan: &mut Scan<'_>,
    manifest: &str,
    asked: &Fact<String>,
    major: u64,
) -> Result<Toolchain, Problem> {
    let streams = scan.catalog.streams(&Pattern::new(TOOL.prefix, 1, ""));
    let exists = streams.iter().any(|stream| stream.numbers == [major]);
    let next = streams
        .iter()
        .find(|stream| {
            stream.numbers.as_slice() > [major].as_slice() && stream.status.is_maintained()
        })
        .map(|stream| stream.numbers.clone());
    let rolls_forward = !exists && next.is_some();
    let source = Source {
        text: asked.value.clone(),
        file: asked.file.clone(),
        line: Some(asked.line),
        rule: if rolls_forward { ROLL_FORWARD } else { TARGET },
    };
    let without: Vec<Vec<u64>> = match &next {
        Some(next) if rolls_forward => streams
            .iter()
            .map(|one| one.numbers.clone())
            .filter(|one| one != next)
            .collect(),
        _ => Vec::new(),
    };
    let chosen = version::choose_except(scan.catalog, &TOOL, &[source], &without)
        .map_err(|error| unavailable(manifest, error))?;
    for (file, line, message) in &chosen.warnings {
        scan.warn(file, *line, message.clone());
    }
    let number = chosen.stream.numbers.first().copied().unwrap_or_default();
    if rolls_forward {
        let message = format!(
            "the runtime of .NET {major} is not packaged: the app is made to run on .NET {number}"
        );
        scan.warn(&asked.file, Some(asked.line), message);
    }
    Ok(Toolchain {
        number,
        rolls_forward,
        evidence: chosen.evidence,
    })
}

/// The kit: what `global.json` accepts, else the one of the runtime.
pub(super) fn kit(
    scan: &mut Scan<'_>,
    dir: &str,
    manifest: &str,
    number: u64,
) -> Result<Kit, Problem> {
    let usual = Kit {
        package: format!("dotnet-{number}-sdk"),
        evidence: None,
    };
    let Some(file) = msbuild::above(scan, dir, "global.json") else {
        return if scan.catalog.has(&usual.package) {
            Ok(usual)
        } else {
            Err(Problem::new(
                manifest,
                None,
                format!("the index has no package `{}`", usual.package),
            ))
        };
    };
    let Some(document) = scan.document(&file, Syntax::Json) else {
        return Ok(usual);
    };
    let Some(asked) = document.str(&["sdk", "version"]) else {
        return Ok(usual);
    };
    let line = document.line(&["sdk", "version"]);
    let policy = document
        .str(&["sdk", "rollForward"])
        .unwrap_or("latestPatch");
    let accepted = roll_forward(asked, policy).map_err(|why| Problem::new(&file, line, why))?;
    let least = [number];
    let choice = scan
        .catalog
        .choose(&Pattern::new("dotnet-", 1, "-sdk"), &|version| {
            let found = numbers(version);
            accepted.holds(&found) && found.as_slice() >= least.as_slice()
        });
    let Some(choice) = choice else {
        let message =
            format!("the .NET SDK `{asked}` with `rollForward: {policy}` is not packaged");
        return Err(Problem::new(&file, line, message).help(packaged(scan)));
    };
    let package = choice.stream.package;
    let note = format!(
        "`rollForward: {policy}` accepts {}",
        choice.stream.newest.upstream()
    );
    let evidence = Evidence::new("sdk", &package, "dotnet.global-json")
        .at(&file, line)
        .written(asked)
        .note(note);
    Ok(Kit {
        package,
        evidence: Some(evidence),
    })
}

/// What could be asked for.
fn packaged(scan: &Scan<'_>) -> String {
    let streams = scan.catalog.streams(&Pattern::new("dotnet-", 1, "-sdk"));
    let known = streams
        .iter()
        .filter(|stream| stream.status.is_maintained());
    let known: Vec<&str> = known.map(|stream| stream.newest.upstream()).collect();
    let known = known.join(" and ");
    format!("packaged are {known}: ask for one of them, or set `rollForward` to `latestMajor`")
}

/// The kits that `global.json` accepts; the hundreds of the last number are the feature band
/// (<https://learn.microsoft.com/dotnet/core/tools/global-json#rollforward>).
fn roll_forward(asked: &str, policy: &str) -> Result<Range, String> {
    let found = numbers(asked);
    let [major, minor, patch] = found.as_slice() else {
        return Err(format!(
            "`{asked}` is not the version of a .NET SDK, such as `10.0.100`"
        ));
    };
    let from = vec![*major, *minor, *patch];
    let to = match policy {
        "disable" => next(&from),
        "patch" | "latestPatch" => {
            let band = (patch / 100 + 1).checked_mul(100);
            band.map(|band| vec![*major, *minor, band])
        }
        "feature" | "latestFeature" => next(&from[..2]),
        "minor" | "latestMinor" => next(&from[..1]),
        "major" | "latestMajor" => None,
        other => return Err(format!("`{other}` is no policy of `rollForward`")),
    };
    let interval = match to {
        Some(to) => Interval::between(from, to),
        None => Interval::at_least(from),
    };
    Ok(Range {
        any_of: vec![interval],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_frameworks_are_read_whole() {
        for (text, expected) in [
            ("net10.0", Some(Target::Net(10, None))),
            (
                "net8.0-windows",
                Some(Target::Net(8, Some("windows".to_owned()))),
            ),
            ("netcoreapp3.1", Some(Target::Net(3, None))),
            ("netstandard2.1", Some(Target::Standard)),
            ("net48", Some(Target::Framework)),
            ("net472", Some(Target::Framework)),
            ("v4.7.2", Some(Target::Framework)),
            ("silverlight", None),
        ] {
            assert_eq!(target(text), expected, "{text}");
        }
    }

    #[test]
    fn kits_roll_forward_as_they_are_told() {
        for (asked, policy, version, is_in) in [
            ("10.0.100", "latestPatch", [10, 0, 111], true),
            ("10.0.100", "latestPatch", [10, 0, 200], false),
            ("10.0.105", "patch", [10, 0, 104], false),
            ("10.0.100", "latestFeature", [10, 0, 305], true),
            ("9.0.100", "latestFeature", [10, 0, 111], false),
            ("9.0.100", "latestMinor", [9, 1, 100], true),
            ("8.0.400", "latestMajor", [10, 0, 111], true),
            ("10.0.111", "disable", [10, 0, 111], true),
            ("10.0.110", "disable", [10, 0, 111], false),
        ] {
            let range = roll_forward(asked, policy).unwrap();
            assert_eq!(range.holds(&version), is_in, "{asked} {policy} {version:?}");
        }
        assert!(
            roll_forward("10.0", "patch").is_err()
                && roll_forward("10.0.100", "sometimes").is_err()
        );
    }
}
