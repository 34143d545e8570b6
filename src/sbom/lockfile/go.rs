//! Go's module files, and what Go writes into binaries.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use crate::sbom::{Ecosystem, Library};

/// Lists the requirements of a `go.mod`, replacements applied; modules replaced by a directory are the repository's own.
///
/// See <https://go.dev/ref/mod#go-mod-file>.
pub(super) fn read_mod(text: &str) -> BTreeSet<Library> {
    let mut required = BTreeSet::new();
    let mut replaced: BTreeMap<(String, Option<String>), (String, Option<String>)> =
        BTreeMap::new();
    let mut block = None;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let words: Vec<&str> = line
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '`']))
            .collect();
        let (directive, words) = match (block, words.as_slice()) {
            (_, []) => continue,
            (Some(_), [")"]) => {
                block = None;
                continue;
            }
            (Some(directive), words) => (directive, words),
            (None, [directive, "("]) => {
                block = Some(*directive);
                continue;
            }
            (None, [directive, words @ ..]) => (*directive, words),
        };
        match (directive, words) {
            ("require", [module, version]) => {
                required.insert(((*module).to_owned(), (*version).to_owned()));
            }
            ("replace", [module, rest @ ..]) => {
                let arrow = rest.iter().position(|word| *word == "=>");
                let Some((from, [_, path, version @ ..])) = arrow.map(|at| rest.split_at(at))
                else {
                    continue;
                };
                let key = (
                    (*module).to_owned(),
                    from.first().map(|from| (*from).to_owned()),
                );
                let version = version.first().map(|version| (*version).to_owned());
                replaced.insert(key, ((*path).to_owned(), version));
            }
            _ => {}
        }
    }
    let replacement = |module: &String, version: &String| {
        let exact = replaced.get(&(module.clone(), Some(version.clone())));
        exact.or_else(|| replaced.get(&(module.clone(), None)))
    };
    required
        .iter()
        .filter_map(|(module, version)| match replacement(module, version) {
            Some((path, version)) => Some(golang(path, version.as_deref()?)),
            None => Some(golang(module, version)),
        })
        .collect()
}

/// Lists the modules of a `go.sum` whose content, not only whose `go.mod`, was needed.
pub(super) fn read_sum(text: &str) -> BTreeSet<Library> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (module, version) = (words.next()?, words.next()?);
            (words.next().is_some() && !version.ends_with("/go.mod"))
                .then(|| golang(module, version))
        })
        .collect()
}

fn golang(module: &str, version: &str) -> Library {
    Library::new(Ecosystem::Golang, module, version)
}

/// The start of Go's build information; it is 16 bytes aligned in a section of its own, `.go.buildinfo`.
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The text starts here, behind magic, pointer size, flags and padding.
const HEADER: usize = 32;
/// Both ends of the module information are marked by 16 bytes each.
const MARK: usize = 16;

/// Lists the modules that a Go binary was made from, the standard library (`stdlib`) among them; nothing where `bytes`
/// hold no build information, or one of Go before 1.18.
///
/// `bytes` are the binary, or its section `.go.buildinfo`. It is exact: only modules whose packages are linked are in it.
/// See <https://go.dev/src/debug/buildinfo/buildinfo.go>.
///
/// # Errors
///
/// If the build information is cut off or is no text.
pub fn go_buildinfo(bytes: &[u8]) -> Result<Vec<Library>, Error> {
    let Some(at) = find(bytes) else {
        return Ok(Vec::new());
    };
    let header = bytes.get(at..at + HEADER).ok_or(CUT)?;
    // Older ones have pointers here instead of the text.
    if header[15] & 2 == 0 {
        return Ok(Vec::new());
    }
    let (version, rest) = string(&bytes[at + HEADER..]).ok_or(CUT)?;
    let (modules, _) = string(rest).ok_or(CUT)?;
    let modules = match modules.len().checked_sub(2 * MARK) {
        Some(length) => &modules[MARK..MARK + length],
        None => &[],
    };
    let mut libraries = BTreeSet::new();
    // `go1.26.1 X:boringcrypto` is the version 1.26.1 with an experiment.
    let version = str::from_utf8(version)?;
    let version = version.split(' ').next().unwrap_or(version);
    if let Some(version) = version.strip_prefix("go") {
        libraries.insert(golang("stdlib", version));
    }
    libraries.extend(dependencies(str::from_utf8(modules)?));
    Ok(libraries.into_iter().collect())
}

const CUT: Error = Error::Form("the build information of Go is cut off");

fn find(bytes: &[u8]) -> Option<usize> {
    let mut blocks = bytes.chunks(16).enumerate();
    blocks
        .find(|(_, block)| block.starts_with(MAGIC))
        .map(|(at, _)| at * 16)
}

/// A string behind its length, which is a varint.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length: u64 = 0;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        length |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return bytes[at + 1..].split_at_checked(usize::try_from(length).ok()?);
        }
    }
    None
}

/// The lines `dep module version sum`, each of which `=> module version sum` may replace.
fn dependencies(text: &str) -> Vec<Library> {
    let mut found = Vec::new();
    let mut follows_dependency = false;
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields.as_slice() {
            ["dep", module, version, ..] => {
                found.push(golang(module, version));
                follows_dependency = true;
                continue;
            }
            ["=>", module, version, ..] if follows_dependency => {
                found.pop();
                // A directory has no version: it is the repository's own.
                if !version.is_empty() && !module.starts_with(['.', '/']) {
                    found.push(golang(module, version));
                }
            }
            _ => {}
        }
        follows_dependency = false;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Selector, read};
    use super::*;

    fn names(libraries: &[Library]) -> Vec<String> {
        libraries
            .iter()
            .map(|library| format!("{} {}", library.name, library.version))
            .collect()
    }

    #[test]
    fn requirements_are_listed_with_their_replacements() {
        let text = "module example.com/app
go 1.26
require golang.org/x/net v0.30.0 // indirect
require (
	github.com/a/b v1.0.0
	\"github.com/c/d\" v1.0.0
	github.com/e/f v1.0.0
)
replace (
	github.com/a/b => ../b
	github.com/c/d v1.0.0 => github.com/fork/d v1.1.0
	github.com/e/f v2.0.0 => github.com/fork/f v2.0.0
)
exclude github.com/x/y v1.0.0
";
        let libraries = read(Kind::GoMod, text.as_bytes(), &Selector::default()).unwrap();
        assert_eq!(
            names(&libraries),
            [
                "github.com/e/f v1.0.0",
                "github.com/fork/d v1.1.0",
                "golang.org/x/net v0.30.0"
            ]
        );
    }

    #[test]
    fn sums_of_module_files_alone_do_not_count() {
        let text = "a v1.0.0 h1:x=\na v1.0.0/go.mod h1:y=\nb v2.0.0/go.mod h1:z=\n";
        let libraries = read(Kind::GoSum, text.as_bytes(), &Selector::default()).unwrap();
        assert_eq!(names(&libraries), ["a v1.0.0"]);
    }

    fn binary(modules: &str) -> Vec<u8> {
        let mut bytes = vec![0; 48];
        bytes.extend(MAGIC);
        bytes.extend([8, 2]);
        bytes.resize(48 + HEADER, 0);
        let version = "go1.26.1 X:boringcrypto";
        bytes.push(u8::try_from(version.len()).unwrap());
        bytes.extend(version.as_bytes());
        let length = modules.len() + 2 * MARK;
        bytes.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
        bytes.extend([1; MARK]);
        bytes.extend(modules.as_bytes());
        bytes.extend([2; MARK]);
        bytes
    }

    #[test]
    fn a_binary_names_the_modules_it_was_made_from() {
        let modules = "path\texample.com/app\nmod\texample.com/app\t(devel)\t\ndep\tgithub.com/a/b\tv1.0.0\th1:x=\ndep\tgithub.com/c/d\tv1.0.0\n=>\tgithub.com/fork/d\tv1.1.0\th1:y=\ndep\tgithub.com/e/f\tv1.0.0\n=>\t./f\t(devel)\t\nbuild\t-compiler=gc\n";
        let bytes = binary(modules);
        let expected = [
            "github.com/a/b v1.0.0",
            "github.com/fork/d v1.1.0",
            "stdlib 1.26.1",
        ];
        assert_eq!(names(&go_buildinfo(&bytes).unwrap()), expected);
        for length in 0..bytes.len() {
            let _ = go_buildinfo(&bytes[..length]); // only panics matter
        }
        assert!(go_buildinfo(&bytes[..100]).is_err());
        assert!(go_buildinfo(b"no binary").unwrap().is_empty());
    }
}
