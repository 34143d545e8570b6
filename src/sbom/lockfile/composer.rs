//! What Composer records of the packages that it installed.

use serde::Deserialize;

use super::{LARGEST, Library};
use crate::sbom::Ecosystem;

/// `vendor/composer/installed.json` of Composer 2; that of Composer 1 is the list alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Installed {
    Record { packages: Vec<Package> },
    List(Vec<Package>),
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    license: Option<Vec<String>>,
}

/// Lists the packages of a `vendor/composer/installed.json`, sorted; `None` where it cannot be read.
///
/// See <https://getcomposer.org/doc/07-runtime.md#installed-versions>.
#[must_use]
pub fn installed_composer(bytes: &[u8]) -> Option<Vec<Library>> {
    if bytes.len() > LARGEST {
        return None;
    }
    let (Installed::Record { packages } | Installed::List(packages)) =
        serde_json::from_slice(bytes).ok()?;
    let mut libraries: Vec<Library> = packages
        .into_iter()
        // A metapackage has no files.
        .filter(|package| package.kind.as_deref() != Some("metapackage"))
        .map(|package| {
            // Composer writes versions as their tags are written.
            let version = match package.version.strip_prefix('v') {
                Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
                _ => &package.version,
            };
            let mut library = Library::new(Ecosystem::Composer, &package.name, version);
            // Several licences are a choice.
            library.license = package.license.map(|list| list.join(" OR "));
            library.license = library.license.filter(|text| !text.is_empty());
            library
        })
        .collect();
    libraries.sort();
    Some(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_both_forms_are_listed_but_for_those_without_files() {
        let list = r#"[
            {"name": "twig/twig", "version": "v3.11.0", "type": "library", "license": ["BSD-3-Clause", "MIT"]},
            {"name": "example/own", "version": "dev-main"},
            {"name": "example/many", "version": "1.0.0", "type": "metapackage"}
        ]"#;
        let record = format!(r#"{{"packages": {list}, "dev": false}}"#);
        for text in [list, &record] {
            let libraries = installed_composer(text.as_bytes()).unwrap();
            let found: Vec<(Option<String>, Option<&str>)> = libraries
                .iter()
                .map(|library| (library.purl(), library.license.as_deref()))
                .collect();
            assert_eq!(
                found,
                [
                    (Some("pkg:composer/example/own@dev-main".to_owned()), None),
                    (
                        Some("pkg:composer/twig/twig@3.11.0".to_owned()),
                        Some("BSD-3-Clause OR MIT")
                    ),
                ]
            );
        }
    }

    #[test]
    fn another_file_is_no_record() {
        for text in ["", "{}", r#"{"packages": 1}"#, r#"[{"name": "a/b"}]"#] {
            assert!(installed_composer(text.as_bytes()).is_none(), "{text}");
        }
    }
}
