//! The package index of the fixtures of detection.

use std::fs;
use std::path::Path;

use peelbox::wolfi::Index;

/// An index of packages with the names that Wolfi has.
pub(crate) fn index() -> Index {
    index_with(&[])
}

/// The same with more names.
pub(crate) fn index_with(more: &[&str]) -> Index {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/packages.txt");
    let packages = fs::read_to_string(path).unwrap();
    let mut text = String::new();
    for line in packages.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        let provides = words.next().unwrap_or_default();
        // Every record needs an identity; none of them is ever fetched.
        text.push_str("C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
        text.push_str(&format!("P:{name}\nV:{version}\np:{provides}\n\n"));
    }
    for name in more {
        text.push_str("C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
        text.push_str(&format!("P:{name}\nV:1.19.5-r0\n\n"));
    }
    Index::parse(text.as_bytes(), "the fixtures")
}
