//! The libraries that lock files, package managers' own records and Go binaries name.

mod cargo;
mod composer;
mod gem;
mod go;
mod npm;
mod pnpm;
mod python;
mod yarn;

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use super::{Checksum, Library};
use crate::oci::Platform;

pub use cargo::{Crates, auditable};
pub use composer::installed_composer;
pub use gem::installed_gem;
pub use go::go_buildinfo;
pub use npm::{installed_npm, installed_package, needed_packages};
pub use python::{DistInfo, installed_python};

/// The largest lock file that is read, in bytes.
const LARGEST: usize = 64 << 20;

/// A kind of lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `Cargo.lock`.
    CargoLock,
    /// `go.mod`: its requirements are the build list from Go 1.17 on.
    GoMod,
    /// `go.sum`: more than the build list.
    GoSum,
    /// `package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3.
    PackageLock,
    /// `pnpm-lock.yaml`.
    PnpmLock,
    /// `poetry.lock`.
    PoetryLock,
    /// `requirements.txt`, of which the pinned lines count.
    Requirements,
    /// `uv.lock`.
    UvLock,
    /// `yarn.lock`, of Yarn 1 and of later ones.
    YarnLock,
}

impl Kind {
    /// The kind of the file of this name, without directory.
    #[must_use]
    pub fn of(file_name: &str) -> Option<Self> {
        Some(match file_name {
            "Cargo.lock" => Self::CargoLock,
            "go.mod" => Self::GoMod,
            "go.sum" => Self::GoSum,
            "npm-shrinkwrap.json" | "package-lock.json" => Self::PackageLock,
            "pnpm-lock.yaml" => Self::PnpmLock,
            "poetry.lock" => Self::PoetryLock,
            "requirements.txt" => Self::Requirements,
            "uv.lock" => Self::UvLock,
            "yarn.lock" => Self::YarnLock,
            _ => return None,
        })
    }
}

/// Which part of a lock file counts.
#[derive(Clone, Debug, Default)]
pub struct Selector<'a> {
    /// The workspace member: its directory relative to the lock file (npm, pnpm, Yarn 2 and later, uv), or its name (Cargo, uv).
    /// None means the root where the lock file tells it, else all that is not for development.
    pub member: Option<&'a str>,
    /// The member's own manifest, and behind it those of the workspace packages it may use: `package.json` for Yarn,
    /// whose lock file does not tell what is for development, and `pyproject.toml` for Poetry before 1.5 and 2.0.
    pub manifests: Vec<&'a [u8]>,
    /// The platform: packages for other ones are left out where the lock file tells.
    pub platform: Option<&'a Platform>,
}

/// A lock file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is larger than any lock file.
    #[error("the lock file has more than {LARGEST} bytes")]
    TooLarge,
    /// It is not JSON or not what it should be.
    #[error("the lock file does not parse")]
    Json(#[from] serde_json::Error),
    /// It is not TOML or not what it should be.
    #[error("the lock file does not parse")]
    Toml(#[from] toml::de::Error),
    /// It is not YAML or not what it should be.
    #[error("the lock file does not parse")]
    Yaml(#[from] serde_yaml::Error),
    /// It is not text.
    #[error("the lock file is not UTF-8")]
    Text(#[from] std::str::Utf8Error),
    /// It does not have the form of its kind.
    #[error("the lock file does not parse: {0}")]
    Form(&'static str),
    /// The workspace member that was asked for is not in it.
    #[error("the lock file has no member `{0}`")]
    Member(String),
}

/// Lists the libraries that `bytes` lock for production, sorted and each once.
///
/// What has been *installed* is known better from [`installed_npm`], [`installed_python`] and [`go_buildinfo`].
///
/// # Errors
///
/// If the file does not parse, or the member that is asked for is not in it.
pub fn read(kind: Kind, bytes: &[u8], selector: &Selector<'_>) -> Result<Vec<Library>, Error> {
    if bytes.len() > LARGEST {
        return Err(Error::TooLarge);
    }
    let found = match kind {
        Kind::CargoLock => cargo::read(bytes, selector)?,
        Kind::GoMod => go::read_mod(text(bytes)?),
        Kind::GoSum => go::read_sum(text(bytes)?),
        Kind::PackageLock => npm::read(bytes, selector)?,
        Kind::PnpmLock => pnpm::read(&yaml(bytes)?, selector)?,
        Kind::PoetryLock => python::read_poetry(bytes, selector)?,
        Kind::Requirements => python::read_requirements(text(bytes)?),
        Kind::UvLock => python::read_uv(bytes, selector)?,
        Kind::YarnLock => yarn::read(text(bytes)?, selector)?,
    };
    Ok(found.into_iter().collect())
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    Ok(str::from_utf8(bytes)?)
}

fn toml<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    Ok(toml::from_str(text(bytes)?)?)
}

/// Lock files of large workspaces have more nodes than the parser allows by itself; aliases stay bounded.
fn yaml(bytes: &[u8]) -> Result<serde_json::Value, Error> {
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_events: 10_000_000,
            max_nodes: 5_000_000,
        },
    };
    Ok(serde_yaml::from_slice_with_options(bytes, options)?)
}

/// A string of a JSON value; numbers as they are written.
fn word(value: Option<&serde_json::Value>) -> Option<String> {
    match value? {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The keys of a JSON object; none where it is something else.
fn keys(value: Option<&serde_json::Value>) -> impl Iterator<Item = &String> {
    value
        .and_then(serde_json::Value::as_object)
        .into_iter()
        .flat_map(serde_json::Map::keys)
}

/// The names that a `package.json` needs in production, with the ranges it gives.
fn needed(manifest: &serde_json::Value) -> impl Iterator<Item = (&String, &serde_json::Value)> {
    ["dependencies", "optionalDependencies"]
        .into_iter()
        .filter_map(|section| manifest.get(section)?.as_object())
        .flatten()
}

/// npm's `sha512-<base64> …`.
fn integrity(text: &str) -> Vec<Checksum> {
    let sums: BTreeSet<Checksum> = text
        .split_whitespace()
        .take(10)
        .filter_map(|sum| sum.split_once('-'))
        .filter_map(|(algorithm, sum)| Checksum::from_base64(algorithm, sum.split('?').next()?))
        .collect();
    sums.into_iter().collect()
}

/// Whether a package that names these systems, processors and C libraries can run on `platform`, in npm's words.
fn fits(platform: Option<&Platform>, os: &[String], cpu: &[String], libc: &[String]) -> bool {
    let Some(platform) = platform else {
        return true;
    };
    let processor = match platform.architecture.as_str() {
        "amd64" => "x64",
        "386" => "ia32",
        other => other,
    };
    let allows = |list: &[String], own: &str| {
        let denied = list.iter().any(|item| item.strip_prefix('!') == Some(own));
        let mut wanted = list.iter().filter(|item| !item.starts_with('!')).peekable();
        !denied && (wanted.peek().is_none() || wanted.any(|item| item == own || item == "any"))
    };
    allows(os, &platform.os) && allows(cpu, processor) && allows(libc, "glibc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_matched_in_the_words_of_npm() {
        let list = |items: &[&str]| {
            items
                .iter()
                .map(|item| (*item).to_owned())
                .collect::<Vec<_>>()
        };
        let platform = Platform::linux("amd64");
        let fits = |os: &[&str], cpu: &[&str], libc: &[&str]| {
            fits(Some(&platform), &list(os), &list(cpu), &list(libc))
        };
        assert!(fits(&[], &[], &[]));
        assert!(fits(&["linux", "darwin"], &["x64"], &["glibc"]));
        assert!(fits(&["!win32"], &[], &[]));
        assert!(!fits(&["darwin"], &[], &[]));
        assert!(!fits(&["!linux"], &[], &[]));
        assert!(!fits(&["linux"], &["arm64"], &[]));
        assert!(!fits(&["linux"], &["x64"], &["musl"]));
    }

    #[test]
    fn hostile_text_is_an_error_and_no_panic() {
        let kinds = [
            Kind::CargoLock,
            Kind::GoMod,
            Kind::GoSum,
            Kind::PackageLock,
            Kind::PnpmLock,
            Kind::PoetryLock,
            Kind::Requirements,
            Kind::UvLock,
            Kind::YarnLock,
        ];
        let texts = [
            "",
            "\0",
            "{",
            "[]",
            "{}",
            "null",
            "1",
            "a: b",
            "[[package]]",
            "\u{feff}x",
            "\"",
            "require (",
            "==",
            "x==",
            "-r a",
            "{\"packages\":{\"\":null}}",
            "{\"packages\":{\"node_modules/\":{}}}",
            "a@:\n  version",
            "\"@\":\n  version \"1\"",
            "importers: {.: {dependencies: {a: {version: 'link:../../..'}}}}",
            "packages: {'': {}, '@': {}, '/': {}, '(': {}}",
            "[[package]]\nname='a'\nversion='1'\ndependencies=['']",
        ];
        let deep = "[".repeat(200_000);
        for kind in kinds {
            for text in texts.iter().chain([&deep.as_str()]) {
                for member in [None, Some("a"), Some("../..")] {
                    let selector = Selector {
                        member,
                        ..Selector::default()
                    };
                    let _ = read(kind, text.as_bytes(), &selector); // only panics and hangs matter
                }
            }
            assert!(
                read(kind, b"\xff\xfe\xff", &Selector::default()).is_err(),
                "{kind:?}"
            );
        }
    }
}
