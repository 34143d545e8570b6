//! The packages that distributions need beyond Python: to be compiled, to be fetched, to run.

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan};

use super::Project;
use super::dependencies::lock_file;
use super::lock::{self, Locked};
use super::toolchain::Interpreter;

/// Distributions whose source needs development files of a library; of several names the index has one.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("cffi", &["libffi-dev"]),
    ("confluent-kafka", &["librdkafka-dev"]),
    ("cryptography", &["openssl-dev", "pkgconf"]),
    ("gssapi", &["krb5-dev"]),
    ("h5py", &["hdf5-dev", "pkgconf"]),
    ("lxml", &["libxml2-dev", "libxslt-dev", "pkgconf"]),
    ("mysqlclient", &["mariadb-connector-c-dev", "pkgconf"]),
    (
        "pillow",
        &[
            "freetype-dev",
            "libjpeg-turbo-dev",
            "libwebp-dev",
            "zlib-dev",
        ],
    ),
    ("psycopg-c", &["postgresql-dev"]),
    ("psycopg2", &["postgresql-dev"]),
    ("pycairo", &["cairo-dev", "pkgconf"]),
    ("pyodbc", &["unixodbc-dev"]),
    ("python-ldap", &["openldap-dev"]),
    ("pyzmq", &["zeromq-dev", "pkgconf"]),
    ("xmlsec", &["xmlsec-dev", "pkgconf"]),
];

/// Distributions that are published as source only, or nearly so, for projects without a lock file that tells.
const SOURCE_ONLY: &[&str] = &[
    "gssapi",
    "mysqlclient",
    "psycopg-c",
    "psycopg2",
    "pycairo",
    "pyodbc",
    "python-ldap",
    "uwsgi",
];

/// The packages that the build needs besides, with the reason for each.
pub(super) fn build(
    scan: &Scan<'_>,
    project: &Project,
    python: &Interpreter,
) -> Result<Vec<(String, Evidence)>, Problem> {
    let mut found: Vec<(String, Evidence)> = Vec::new();
    if let Some((file, line)) = &project.git {
        let Some(git) = scan.catalog.package("git") else {
            let message = "a dependency comes from a Git repository, and the index has no `git`";
            return Err(Problem::new(file, Some(*line), message));
        };
        let line = Some(*line).filter(|line| *line > 0);
        let evidence = Evidence::new("package", &git, "python.git-dependency").at(file, line);
        found.push((git, evidence.written("git")));
    }
    for source in compiled(scan, project, python) {
        let needs = LIBRARIES.iter().find(|(name, _)| *name == source.name);
        let needs = needs.map_or(&[][..], |(_, needs)| *needs);
        let dev = format!("{}-dev", python.package);
        for need in ["build-base", &dev]
            .into_iter()
            .chain(needs.iter().copied())
        {
            let Some(package) = scan.catalog.package(need) else {
                let message = format!(
                    "`{}` is built from source and needs `{need}`, which the index does not have",
                    source.name
                );
                return Err(Problem::new(&source.file, source.line, message));
            };
            if found.iter().any(|(known, _)| *known == package) {
                continue;
            }
            let mut evidence = Evidence::new("package", &package, "python.source-distribution")
                .at(&source.file, source.line)
                .note(source.why.clone());
            evidence.written = source.line.map(|_| source.written.clone());
            found.push((package, evidence));
        }
    }
    Ok(found)
}

/// A distribution that is compiled when it is installed.
struct Compiled {
    name: String,
    file: String,
    line: Option<u64>,
    written: String,
    why: String,
}

fn compiled(scan: &Scan<'_>, project: &Project, python: &Interpreter) -> Vec<Compiled> {
    let lock = lock_file(project);
    let text = lock.as_ref().and_then(|lock| scan.repo.lock(lock));
    if let (Some(file), Some(text)) = (lock, text) {
        let packages = lock::packages(&text);
        let without = packages.iter().filter(|package| {
            project.all.contains(&package.name) && is_compiled(package, &python.numbers)
        });
        return without
            .map(|package| Compiled {
                name: package.name.clone(),
                file: file.clone(),
                line: Some(package.line),
                written: "name = ".to_owned(),
                why: format!("`{}` has no wheel for this Python on Linux", package.name),
            })
            .collect();
    }
    // pip's extras stand for distributions of their own.
    let is_named = |name: &str| match name {
        "psycopg-c" => project.has("psycopg[c]") || project.has(name),
        _ => project.has(name),
    };
    let known = SOURCE_ONLY.iter().filter(|name| is_named(name));
    known
        .map(|name| Compiled {
            name: (*name).to_owned(),
            file: project.manifest.clone(),
            line: None,
            written: String::new(),
            why: format!("`{name}` is published without wheels for Linux"),
        })
        .collect()
}

/// Whether a locked distribution has no wheel for this Python on Linux.
fn is_compiled(package: &Locked<'_>, python: &str) -> bool {
    if !package.is_from_index() {
        return false;
    }
    let tag = format!("-cp{}-", python.replace('.', ""));
    let fits = |line: &str| {
        line.contains("-none-any.whl")
            || (line.contains("manylinux")
                && (line.contains(&tag)
                    || line.contains("-abi3-")
                    || line.contains("-none-manylinux")))
    };
    let mut wheels = package.block.lines().filter(|line| line.contains(".whl"));
    if wheels.any(fits) {
        return false;
    }
    // One without any wheel may be pure Python; one with wheels for other platforms is not.
    package.has_wheel() || SOURCE_ONLY.contains(&package.name.as_str())
}

/// Programs and libraries that a distribution looks for when it runs, by package.
const PROGRAMS: &[(&str, &str)] = &[
    ("ffmpeg-python", "ffmpeg"),
    ("gitpython", "git"),
    ("pdf2image", "poppler-utils"),
    ("pydub", "ffmpeg"),
    ("pytesseract", "tesseract"),
    ("python-magic", "libmagic"),
];

/// The packages that dependencies need at run time without being linked to them.
pub(super) fn runtime(scan: &mut Scan<'_>, project: &Project) -> Vec<(String, Evidence)> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, package) in PROGRAMS {
        if !project.direct.contains(*name) {
            continue;
        }
        match scan.catalog.package(package) {
            Some(package) if seen.insert(package.clone()) => {
                let evidence = Evidence::new("package", &package, "python.runtime-program")
                    .at(&project.manifest, None)
                    .note(format!("`{name}` calls it"));
                found.push((package, evidence));
            }
            Some(_) => {}
            None => {
                let message = format!("`{name}` calls `{package}`, which the index does not have");
                scan.warn(&project.manifest, None, message);
            }
        }
    }
    let has_libpq = [
        "psycopg[binary]",
        "psycopg[c]",
        "psycopg-binary",
        "psycopg-c",
    ];
    if project.direct.contains("psycopg") && !has_libpq.iter().any(|name| project.has(name)) {
        let message =
            "`psycopg` without an extra looks for libpq with programs that the image lacks";
        scan.tell(
            crate::detect::explain::Severity::Warning,
            &project.manifest,
            None,
            message,
            Some("depend on `psycopg[binary]`, which brings it along".to_owned()),
        );
    }
    found
}
