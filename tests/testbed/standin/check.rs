//! Whether the packages of a repository fit together.

use std::collections::{BTreeMap, BTreeSet};

use crate::Result;
use crate::make::Made;

/// Paths that only the merge links of wolfi-baselayout may take.
const MERGED: [&str; 7] = [
    "bin",
    "lib",
    "lib64",
    "sbin",
    "usr/lib64",
    "usr/sbin",
    "usr/local/lib64",
];

/// What an index record says of names.
struct Names {
    depends: Vec<String>,
    provides: BTreeMap<String, Option<String>>,
}

/// Refuses dependencies that nothing satisfies, files with two owners, and paths that break merged
/// directories.
pub(crate) fn repository(made: &BTreeMap<String, Made>) -> Result<()> {
    let names: BTreeMap<&str, Names> = made
        .iter()
        .map(|(name, one)| (name.as_str(), names(&one.record)))
        .collect();
    let mut problems = Vec::new();
    dependencies(&names, &mut problems);
    owners(made, &names, &mut problems);
    for (name, one) in made {
        if !one
            .record
            .lines()
            .any(|line| is_version(line.strip_prefix("V:")))
        {
            problems.push(format!("`{name}` has no version"));
        }
        for path in MERGED {
            let is_real = one.directories.contains(path);
            let is_link = one.files.contains(path) && name != "wolfi-baselayout";
            if is_real || is_link {
                problems.push(format!("`{name}` has `{path}`"));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("the repository is not sound:\n  {}", problems.join("\n  ")).into())
}

/// Whether a version is a number with a release.
fn is_version(version: Option<&str>) -> bool {
    version
        .and_then(|version| version.split_once("-r"))
        .is_some_and(|(number, release)| {
            number.starts_with(|c: char| c.is_ascii_digit()) && release.parse::<u32>().is_ok()
        })
}

fn names(record: &str) -> Names {
    let field = |key: &str| -> Vec<String> {
        let line = record.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default()
            .split(' ')
            .filter(|atom| !atom.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut provides = BTreeMap::new();
    for atom in field("p:") {
        let (name, version) = match atom.split_once('=') {
            Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
            None => (atom, None),
        };
        provides.insert(name, version);
    }
    if let (Some(name), version) = (field("P:").pop(), field("V:").pop()) {
        provides.insert(name, version);
    }
    Names {
        depends: field("D:"),
        provides,
    }
}

fn dependencies(names: &BTreeMap<&str, Names>, problems: &mut Vec<String>) {
    let mut offered: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
    for one in names.values() {
        for (name, version) in &one.provides {
            offered.entry(name).or_default().insert(version.as_deref());
        }
    }
    for (package, one) in names {
        for atom in one.depends.iter().filter(|atom| !atom.starts_with('!')) {
            let end = atom.find(['=', '<', '>', '~']).unwrap_or(atom.len());
            let (name, rest) = atom.split_at(end);
            let wanted = rest.trim_start_matches(['=', '<', '>', '~']);
            let is_met = offered.get(name).is_some_and(|versions| {
                rest.is_empty()
                    || versions
                        .iter()
                        .flatten()
                        .any(|version| match rest.chars().next() {
                            Some('~') => version.starts_with(wanted),
                            Some('=') => *version == wanted,
                            _ => true,
                        })
            });
            if !is_met {
                problems.push(format!(
                    "`{package}` needs `{atom}`, which nothing provides"
                ));
            }
        }
    }
}

/// Two packages may have the same file only if they can never be in one root.
fn owners(
    made: &BTreeMap<String, Made>,
    names: &BTreeMap<&str, Names>,
    problems: &mut Vec<String>,
) {
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, one) in made {
        for path in &one.files {
            owners.entry(path).or_default().push(name);
        }
    }
    let mut clashes: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for (path, packages) in owners {
        for (at, first) in packages.iter().enumerate() {
            for second in &packages[at + 1..] {
                clashes.entry((first, second)).or_insert(path);
            }
        }
    }
    for ((first, second), path) in clashes {
        let (one, other) = (&names[first].provides, &names[second].provides);
        let is_exclusive = one.iter().any(|(name, version)| {
            version.is_some() && other.get(name).is_some_and(Option::is_some)
        });
        let replaces = |a: &str, b: &str| made[a].replaces.iter().any(|name| name == b);
        if !is_exclusive && !replaces(first, second) && !replaces(second, first) {
            problems.push(format!("`{first}` and `{second}` both have `{path}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BTreeMap, Made, repository};

    fn made(packages: &[(&str, &str, &[&str])]) -> BTreeMap<String, Made> {
        let one = |(name, relations, files): &(&str, &str, &[&str])| {
            let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
            let json = serde_json::json!({
                "key": "", "file": "", "files": files, "directories": [],
                "record": format!("P:{name}\nV:1-r0\n{relations}"),
            });
            ((*name).to_owned(), serde_json::from_value(json).unwrap())
        };
        packages.iter().map(one).collect()
    }

    #[test]
    fn a_dependency_that_nothing_provides_is_refused() {
        let error = repository(&made(&[("a", "D:so:libb.so.1\n", &[])])).unwrap_err();
        assert!(error.to_string().contains("`a` needs `so:libb.so.1`"));
    }

    #[test]
    fn a_package_has_a_version() {
        let mut packages = made(&[("a", "", &[])]);
        repository(&packages).unwrap();
        if let Some(one) = packages.get_mut("a") {
            one.record = "P:a\nV:-r0\n".to_owned();
        }
        assert!(
            repository(&packages)
                .unwrap_err()
                .to_string()
                .contains("`a` has no version")
        );
    }

    #[test]
    fn a_file_has_one_owner() {
        let packages = made(&[("a", "", &["usr/bin/x"]), ("b", "", &["usr/bin/x"])]);
        assert!(
            repository(&packages)
                .unwrap_err()
                .to_string()
                .contains("both have `usr/bin/x`")
        );
    }

    #[test]
    fn streams_that_exclude_each_other_may_share_files() {
        let packages = made(&[
            ("a-1", "p:a=1\n", &["usr/bin/a"]),
            ("a-2", "p:a=2\n", &["usr/bin/a"]),
        ]);
        assert!(repository(&packages).is_ok());
    }
}
