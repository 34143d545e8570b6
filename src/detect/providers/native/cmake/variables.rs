//! Variables and conditions of CMake, as far as they are known without it.

use crate::detect::repo::join;

use super::super::{BUILD, in_build};
use super::Build;

/// Bytes that all variables of a build become, at most: one that holds others twice doubles with each line.
const ROOM: usize = 4 << 20;

/// Variables of platforms that no image has.
const ELSEWHERE: &[&str] = &[
    "ANDROID",
    "APPLE",
    "BORLAND",
    "CYGWIN",
    "EMSCRIPTEN",
    "IOS",
    "MINGW",
    "MSVC",
    "WIN32",
];

impl Build {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Whether a condition holds, where that is known.
    pub(super) fn holds(&self, condition: &[String]) -> Option<bool> {
        if condition.iter().any(|word| word == "OR" || word == "(") {
            return None;
        }
        let mut answer = Some(true);
        for term in condition.split(|word| word == "AND") {
            match self.term(term) {
                Some(false) => return Some(false),
                None => answer = None,
                Some(true) => {}
            }
        }
        answer
    }

    fn term(&self, term: &[String]) -> Option<bool> {
        match term {
            [not, rest @ ..] if not == "NOT" => self.term(rest).map(|holds| !holds),
            [name] => {
                let upper = name.to_ascii_uppercase();
                let is_aside = ["TEST", "EXAMPLE", "SAMPLE", "BENCH", "FUZZ", "DOC"]
                    .iter()
                    .any(|word| upper.contains(word));
                if ELSEWHERE.contains(&name.as_str()) {
                    Some(false)
                } else if matches!(name.as_str(), "UNIX" | "LINUX" | "TRUE" | "ON" | "1") {
                    Some(true)
                } else if is_aside || matches!(name.as_str(), "FALSE" | "OFF" | "0") {
                    Some(false)
                } else {
                    self.options.get(name).copied()
                }
            }
            _ => None,
        }
    }

    /// The text with its variables replaced; none where one is not known.
    pub(super) fn expanded(&self, text: &str, dir: &str) -> Option<String> {
        let mut rest = text;
        let mut whole = String::new();
        while let Some(at) = rest.find("${") {
            let end = rest[at..].find('}')? + at;
            whole.push_str(&rest[..at]);
            let value = self.value(&rest[at + 2..end], dir)?;
            self.expanded.set(self.expanded.get() + value.len());
            if self.expanded.get() > ROOM {
                return None;
            }
            whole.push_str(&value);
            rest = &rest[end + 1..];
        }
        whole.push_str(rest);
        (!whole.contains("$<")).then_some(whole)
    }

    fn value(&self, name: &str, dir: &str) -> Option<String> {
        if let Some(value) = self.variables.get(name) {
            return Some(value.clone());
        }
        let below = dir
            .get(self.root.len()..)
            .unwrap_or_default()
            .trim_start_matches('/');
        let known = match name {
            "CMAKE_SOURCE_DIR" | "PROJECT_SOURCE_DIR" => in_build(&self.root),
            "CMAKE_CURRENT_SOURCE_DIR" | "CMAKE_CURRENT_LIST_DIR" => in_build(dir),
            "CMAKE_BINARY_DIR" | "PROJECT_BINARY_DIR" => BUILD.to_owned(),
            "CMAKE_CURRENT_BINARY_DIR" => join(BUILD, below),
            "CMAKE_INSTALL_BINDIR" => "bin".to_owned(),
            "CMAKE_INSTALL_SBINDIR" => "sbin".to_owned(),
            "CMAKE_INSTALL_LIBDIR" => "lib".to_owned(),
            "CMAKE_INSTALL_DATADIR" | "CMAKE_INSTALL_DATAROOTDIR" => "share".to_owned(),
            "CMAKE_INSTALL_SYSCONFDIR" => "etc".to_owned(),
            "CMAKE_INSTALL_INCLUDEDIR" => "include".to_owned(),
            "CMAKE_BUILD_TYPE" => "Release".to_owned(),
            "CMAKE_EXECUTABLE_SUFFIX" => String::new(),
            _ => return None,
        };
        Some(known)
    }
}
