//! Languages that are recognised and not supported.

use crate::detect::language::Language;
use crate::detect::provider::{Provider, Scan, lookalike, shown};
use crate::detect::repo::{Dir, upwards};

pub(crate) struct Unsupported;

/// Names of manifests, or their endings where they start with a dot, and what a directory with one is.
const MANIFESTS: &[(&str, &str)] = &[
    (".cabal", "a Haskell package"),
    ("CMakeLists.txt", "a CMake project"),
    ("Package.swift", "a Swift package"),
    ("build.zig", "a Zig project"),
    ("hugo.toml", "a Hugo site"),
    ("meson.build", "a Meson project"),
    ("pubspec.yaml", "a Dart project"),
    ("shard.yml", "a Crystal project"),
];

const LANGUAGE: Language = Language {
    name: "Others",
    build_systems: &[],
    frameworks: &[],
    manifests: &[],
};

impl Provider for Unsupported {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let repo = scan.repo;
        for dir in repo.dirs() {
            let Some((name, what)) = manifest(dir) else {
                continue;
            };
            if let Some(reason) = lookalike(dir.path()) {
                scan.reject(dir.path(), what, reason);
                continue;
            }
            // The modules of a build are not separate things to report.
            let above = upwards(dir.path())
                .skip(1)
                .filter_map(|path| repo.dir(path));
            if above.filter_map(manifest).any(|(_, other)| other == what) {
                continue;
            }
            let is_app = scan
                .drafts
                .iter()
                .any(|draft| shown(&draft.path) == shown(dir.path()));
            let reason = if is_app {
                format!(
                    "the app there is built without `{name}`: this build system is not supported"
                )
            } else {
                format!("`{name}` is recognised, but this build system is not supported")
            };
            scan.reject(dir.path(), what, reason);
        }
    }
}

fn manifest(dir: Dir<'_>) -> Option<(&str, &'static str)> {
    MANIFESTS.iter().find_map(|(name, what)| {
        let found = if name.starts_with('.') {
            dir.files()
                .iter()
                .find(|file| file.ends_with(name))
                .map(String::as_str)
        } else {
            dir.first(&[name])
        };
        found.map(|found| (found, *what))
    })
}
