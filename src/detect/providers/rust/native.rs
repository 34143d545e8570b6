//! What the crates of a lock file need beyond Rust.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan};

use super::Crate;

/// Crates that bind to C libraries, the packages that have them, and crates whose presence makes them needless.
const NATIVE: &[(&str, &[&str], &[&str])] = &[
    ("alsa-sys", &["alsa-lib-dev", "pkgconf"], &[]),
    ("aws-lc-sys", &["cmake"], &[]),
    ("bindgen", &["clang", "llvm-dev"], &[]),
    ("boring-sys", &["cmake", "go"], &[]),
    ("clang-sys", &["clang", "llvm-dev"], &[]),
    ("cmake", &["cmake"], &[]),
    ("curl-sys", &["curl-dev", "pkgconf"], &[]),
    ("dbus", &["dbus-dev", "pkgconf"], &[]),
    ("libpq-sys", &["postgresql-dev", "pkgconf"], &[]),
    (
        "libsqlite3-sys",
        &["sqlite-dev", "pkgconf"],
        &["sqlite-src"],
    ),
    ("libgit2-sys", &["cmake", "pkgconf"], &[]),
    ("libsodium-sys", &["libsodium-dev", "pkgconf"], &[]),
    ("libudev-sys", &["libudev-dev", "pkgconf"], &[]),
    ("libz-ng-sys", &["cmake"], &[]),
    (
        "mysqlclient-sys",
        &["mariadb-connector-c-dev", "pkgconf"],
        &[],
    ),
    ("openssl-sys", &["openssl-dev", "pkgconf"], &["openssl-src"]),
    ("openssl-src", &["perl"], &[]),
    ("pq-sys", &["postgresql-dev", "pkgconf"], &["pq-src"]),
    (
        "prost-build",
        &["protoc"],
        &["protoc-bin-vendored", "protobuf-src"],
    ),
    ("protobuf-src", &["autoconf", "automake", "cmake"], &[]),
    ("rdkafka-sys", &["cmake", "pkgconf"], &[]),
];

/// One locked crate.
struct Locked<'t> {
    line: u64,
    dependencies: Vec<&'t str>,
}

/// The locked crates by name; several versions of one count together.
fn locked(text: &str) -> BTreeMap<&str, Locked<'_>> {
    let mut crates: BTreeMap<&str, Locked<'_>> = BTreeMap::new();
    let mut current: Option<&str> = None;
    let mut is_list = false;
    for (line, number) in text.lines().zip(1..) {
        if line == "[[package]]" {
            current = None;
            is_list = false;
        } else if let Some(name) = line.strip_prefix("name = \"") {
            let name = name.trim_end_matches('"');
            current = Some(name);
            crates.entry(name).or_insert(Locked {
                line: number,
                dependencies: Vec::new(),
            });
        } else if line == "dependencies = [" {
            is_list = true;
        } else if line.starts_with(']') {
            is_list = false;
        } else if is_list && let Some(locked) = current.and_then(|name| crates.get_mut(name)) {
            let name = line.trim().trim_matches(['"', ',']);
            let name = name.split(' ').next().unwrap_or_default();
            locked.dependencies.push(name.trim_end_matches('"'));
        }
    }
    crates
}

/// The crates that one program needs: from what its manifest names, through the lock file.
fn closure<'t>(crates: &BTreeMap<&'t str, Locked<'t>>, member: &'t Crate) -> BTreeSet<&'t str> {
    let mut seen = BTreeSet::new();
    let mut queue: Vec<&str> = member.dependencies.iter().map(String::as_str).collect();
    while let Some(name) = queue.pop() {
        if let Some(locked) = crates.get(name)
            && seen.insert(name)
        {
            queue.extend(&locked.dependencies);
        }
    }
    // It brings SQLite's source along if it has a compiler to build it with.
    if seen.contains("libsqlite3-sys")
        && crates
            .get("libsqlite3-sys")
            .is_some_and(|locked| locked.dependencies.contains(&"cc"))
    {
        seen.insert("sqlite-src");
    }
    seen
}

/// The packages that the crates need, with the reason for each.
pub(super) fn packages(
    scan: &Scan<'_>,
    member: &Crate,
    lock: Option<&str>,
) -> Result<Vec<(String, Evidence)>, Problem> {
    let text = lock.and_then(|lock| scan.repo.lock(lock));
    let (Some(file), Some(text)) = (lock, text) else {
        return Ok(Vec::new());
    };
    let crates = locked(&text);
    let needed = closure(&crates, member);
    let mut found: Vec<(String, Evidence)> = Vec::new();
    for (name, needs, unless) in NATIVE {
        if !needed.contains(name) || unless.iter().any(|other| needed.contains(other)) {
            continue;
        }
        let line = crates.get(name).map(|locked| locked.line);
        for need in *needs {
            let Some(package) = scan.catalog.package(need) else {
                let message =
                    format!("the crate `{name}` needs `{need}`, which the index does not have");
                return Err(Problem::new(file, line, message));
            };
            if found.iter().any(|(known, _)| *known == package) {
                continue;
            }
            let evidence = Evidence::new("package", &package, "rust.native-crate")
                .at(file, line)
                .written(*name)
                .note(format!("the crate `{name}` needs it"));
            found.push((package, evidence));
        }
    }
    Ok(found)
}
