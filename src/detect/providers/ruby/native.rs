//! Gems that are compiled against libraries, or load them.

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;

use super::{Project, Scan};

/// A gem, what it is compiled against, and what it loads; the names may be provided by versioned packages.
const NATIVE: &[(&str, &[&str], &[&str])] = &[
    ("charlock_holmes", &["icu-dev", "zlib-dev"], &["icu"]),
    ("curb", &["curl-dev"], &["libcurl-abi"]),
    ("ffi", &["libffi-dev"], &["libffi"]),
    (
        "mysql2",
        &["mariadb-connector-c-dev"],
        &["mariadb-connector-c"],
    ),
    ("nokogiri", &["libxml2-dev", "libxslt-dev"], &[]),
    ("openssl", &["openssl-dev"], &[]),
    ("pg", &["postgresql-dev"], &["libpq"]),
    ("psych", &["yaml-dev"], &[]),
    ("puma", &["openssl-dev"], &[]),
    ("rbnacl", &["libsodium-dev"], &["libsodium"]),
    ("rmagick", &["imagemagick-dev"], &["imagemagick"]),
    ("ruby-filemagic", &["libmagic-dev"], &["libmagic"]),
    ("ruby-vips", &[], &["vips"]),
    ("sqlite3", &["sqlite-dev"], &["sqlite-libs"]),
    ("trilogy", &["openssl-dev"], &[]),
];

/// The packages that the gems of an app need.
#[derive(Default)]
pub(super) struct Native {
    pub(super) build: BTreeSet<String>,
    pub(super) runtime: BTreeSet<String>,
    pub(super) evidence: Vec<Evidence>,
    /// Gems, with their places, whose library there is no package for.
    pub(super) missing: Vec<(String, Evidence)>,
}

/// Finds them in the lock file, or in the Gemfile where there is none.
pub(super) fn find(scan: &Scan<'_>, project: &Project) -> Native {
    let mut native = Native::default();
    for (gem, build, runtime) in NATIVE {
        let Some(place) = project.gem(gem) else {
            continue;
        };
        if project.is_precompiled(gem) {
            continue;
        }
        let package = |name: &&str| scan.catalog.package(name).ok_or_else(|| (*name).to_owned());
        let mut names = Vec::new();
        for (wanted, found) in [(build, &mut native.build), (runtime, &mut native.runtime)] {
            for name in *wanted {
                match package(name) {
                    Ok(package) => {
                        names.push(package.clone());
                        found.insert(package);
                    }
                    Err(missing) => native.missing.push((missing, place.clone())),
                }
            }
        }
        if !names.is_empty() {
            let mut evidence = place;
            "library".clone_into(&mut evidence.field);
            evidence.value = names.join(", ");
            "ruby.native-gem".clone_into(&mut evidence.rule);
            native.evidence.push(evidence);
        }
    }
    native
}
