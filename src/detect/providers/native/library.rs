//! The packages with the headers of libraries that builds ask for, found in the index by pattern.

use crate::detect::catalog::Catalog;

/// How a build names a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `find_package(OpenSSL)`.
    CMake,
    /// A module of pkg-config.
    Module,
    /// `-lssl`.
    Linked,
    /// The name of a package.
    Tool,
}

/// Something that a build asks for.
#[derive(Clone, Debug)]
pub(super) struct Need {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    pub(super) file: String,
    pub(super) line: u64,
}

/// What the C library and the compiler bring, by the name that the linker knows; sorted.
const BUILTIN: &[&str] = &[
    "atomic", "c", "dl", "gcc", "gcc_s", "m", "pthread", "resolv", "rt", "stdc++", "stdc++fs",
    "util",
];

/// Names that do not follow from those of the packages, in lower case; sorted. The index decides whether they exist.
const OTHERWISE: &[(&str, &str)] = &[
    ("bz2", "bzip2"),
    ("crypt", "libxcrypt"),
    ("crypto", "openssl"),
    ("jpeg", "libjpeg-turbo"),
    ("libcrypto", "openssl"),
    ("liblzma", "xz"),
    ("libpcre2-8", "pcre2"),
    ("libpq", "postgresql"),
    ("libssl", "openssl"),
    ("libxml-2.0", "libxml2"),
    ("lzma", "xz"),
    ("microhttpd", "libmicrohttpd"),
    ("mysqlclient", "mariadb-connector-c"),
    ("pcre2-8", "pcre2"),
    ("pq", "postgresql"),
    ("ssl", "openssl"),
    ("tinfo", "ncurses"),
    ("uuid", "util-linux"),
    ("xml2", "libxml2"),
    ("z", "zlib"),
];

impl Need {
    /// The rule that found it.
    pub(super) fn rule(&self) -> &'static str {
        match self.kind {
            Kind::CMake => "native.find-package",
            Kind::Module => "native.pkg-config",
            Kind::Linked => "native.linked",
            Kind::Tool => "native.tool",
        }
    }

    /// Whether it comes with the compiler.
    pub(super) fn is_builtin(&self) -> bool {
        match self.kind {
            Kind::Linked => BUILTIN.binary_search(&self.name.as_str()).is_ok(),
            Kind::CMake => matches!(self.name.as_str(), "Threads" | "Git" | "Intl" | "Iconv"),
            Kind::Module | Kind::Tool => self.name == "threads",
        }
    }

    /// The package of the index that has it.
    pub(super) fn package(&self, catalog: &Catalog<'_>) -> Option<String> {
        if self.kind == Kind::Tool {
            return catalog.package(&self.name);
        }
        // What packages provide for pkg-config is exact.
        if self.kind == Kind::Module
            && let Some(package) = catalog.package(&format!("pc:{}", self.name))
        {
            return Some(package);
        }
        if self.kind == Kind::CMake && self.name == "PkgConfig" {
            return catalog.package("pkgconf");
        }
        candidates(&self.name)
            .into_iter()
            .find_map(|name| catalog.package(&name))
    }
}

/// Names that the package with the headers may have, best first.
fn candidates(name: &str) -> Vec<String> {
    let lower = name.to_ascii_lowercase();
    let mut names = Vec::new();
    if let Ok(found) = OTHERWISE.binary_search_by_key(&lower.as_str(), |(name, _)| name) {
        names.push(format!("{}-dev", OTHERWISE[found].1));
    }
    if lower.starts_with("boost_") {
        names.push("boost-dev".to_owned());
    }
    let bare = lower.strip_prefix("lib").unwrap_or(&lower);
    let unnumbered = bare.trim_end_matches(|c: char| c == '.' || c == '-' || c.is_ascii_digit());
    for stem in [lower.as_str(), bare, unnumbered] {
        for candidate in [format!("{stem}-dev"), format!("lib{stem}-dev")] {
            if !stem.is_empty() && !names.contains(&candidate) {
                names.push(candidate);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{BUILTIN, OTHERWISE, candidates};

    #[test]
    fn the_tables_are_sorted() {
        assert!(BUILTIN.is_sorted());
        assert!(OTHERWISE.is_sorted());
    }

    #[test]
    fn names_of_libraries_lead_to_names_of_packages() {
        assert_eq!(candidates("OpenSSL")[0], "openssl-dev");
        assert_eq!(candidates("ssl")[0], "openssl-dev");
        assert_eq!(candidates("PNG"), ["png-dev", "libpng-dev"]);
        assert!(candidates("sqlite3").contains(&"sqlite-dev".to_owned()));
    }
}
