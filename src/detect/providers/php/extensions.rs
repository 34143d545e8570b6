//! The extensions that a PHP app needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::detect::document::Document;
use crate::detect::explain::Evidence;
use crate::detect::source::{self, Family};

use super::{Project, Scan};

/// What PHP is built with: nothing is installed for these.
const BUILT_IN: &[&str] = &[
    "core",
    "date",
    "filter",
    "hash",
    "json",
    "lexbor",
    "libxml",
    "pcre",
    "random",
    "readline",
    "reflection",
    "session",
    "spl",
    "sqlite3",
    "standard",
    "tokenizer",
    "uri",
    "zlib",
];

/// Extensions whose library is loaded only where another one was loaded before.
const BEFORE: &[(&str, &[&str])] = &[
    ("memcached", &["igbinary"]),
    ("mysqli", &["mysqlnd"]),
    ("pdo_dblib", &["pdo"]),
    ("pdo_mysql", &["mysqlnd", "pdo"]),
    ("pdo_odbc", &["pdo"]),
    ("pdo_pgsql", &["pdo"]),
    ("pdo_sqlite", &["pdo"]),
    ("redis", &["igbinary"]),
    ("xmlreader", &["dom"]),
    ("xsl", &["dom"]),
];

/// What shows that code uses an extension, for apps that do not say so: <https://www.php.net/manual/en/extensions.php>.
const USES: &[(&str, &[&str])] = &[
    ("bcmath", &["bcadd(", "bcmul(", "bcdiv("]),
    ("ctype", &["ctype_alnum(", "ctype_alpha(", "ctype_digit("]),
    ("curl", &["curl_init("]),
    ("dom", &["DOMDocument("]),
    ("exif", &["exif_read_data("]),
    ("fileinfo", &["finfo_open(", "finfo(", "mime_content_type("]),
    ("gd", &["imagecreatetruecolor(", "imagecreatefrom"]),
    ("iconv", &["iconv("]),
    (
        "intl",
        &["NumberFormatter(", "IntlDateFormatter(", "Collator("],
    ),
    (
        "mbstring",
        &[
            "mb_strlen(",
            "mb_substr(",
            "mb_strtolower(",
            "mb_convert_encoding(",
        ],
    ),
    ("mysqli", &["mysqli_connect(", "mysqli("]),
    (
        "openssl",
        &["openssl_encrypt(", "openssl_decrypt(", "openssl_sign("],
    ),
    ("pdo", &["PDO("]),
    ("pgsql", &["pg_connect("]),
    ("redis", &["Redis("]),
    (
        "simplexml",
        &["simplexml_load_string(", "simplexml_load_file("],
    ),
    ("sodium", &["sodium_crypto_secretbox("]),
    ("xmlwriter", &["XMLWriter("]),
    ("zip", &["ZipArchive("]),
];

/// Databases, as data source names and settings call them, and what connects to them.
const DATABASES: &[(&str, &str)] = &[
    ("mariadb", "pdo_mysql"),
    ("mysql", "pdo_mysql"),
    ("pgsql", "pdo_pgsql"),
    ("postgres", "pdo_pgsql"),
    ("postgresql", "pdo_pgsql"),
    ("sqlite", "pdo_sqlite"),
];

/// The extensions to install, and why.
#[derive(Default)]
pub(super) struct Extensions {
    found: BTreeMap<String, Evidence>,
}

impl Extensions {
    /// Finds the extensions of a project; `base` are those of its framework.
    pub(super) fn find(scan: &Scan<'_>, project: &Project, base: &[&str]) -> Self {
        let mut extensions = Self::default();
        if let Some(manifest) = &project.manifest {
            let table = manifest.get(&["require"]);
            extensions.required(manifest, &["require"], table);
        }
        if let Some(lock) = &project.lock {
            let packages = lock.get(&["packages"]).and_then(Value::as_array);
            for (number, package) in packages.into_iter().flatten().enumerate() {
                let place = ["packages", &number.to_string(), "require"];
                extensions.required(lock, &place, package.get("require"));
            }
        }
        extensions.settings(scan, project);
        for name in base {
            extensions.add(
                name,
                Evidence::new("extension", *name, "php.framework-extensions"),
            );
        }
        extensions.used(scan, project);
        extensions
    }

    fn add(&mut self, name: &str, evidence: Evidence) {
        self.found.entry(name.to_owned()).or_insert(evidence);
    }

    /// The `ext-` entries of a table of requirements.
    fn required(&mut self, document: &Document, place: &[&str], table: Option<&Value>) {
        let keys = table.and_then(Value::as_object).into_iter();
        for key in keys.flat_map(serde_json::Map::keys) {
            let Some(name) = key.strip_prefix("ext-") else {
                continue;
            };
            let name = name.to_ascii_lowercase();
            let name = name.strip_prefix("zend-").unwrap_or(&name);
            let line = document.line(&[place, &[key]].concat());
            let found = Evidence::new("extension", name, "php.ext").written(key);
            self.add(name, found.at(&document.file, line));
        }
    }

    /// The database and the cache that the settings beside the app name.
    fn settings(&mut self, scan: &Scan<'_>, project: &Project) {
        let Some(dir) = scan.repo.dir(&project.dir) else {
            return;
        };
        for file in [".env.example", ".env", ".env.dist"] {
            let Ok(text) = dir.text(file) else { continue };
            for (line, number) in text.lines().zip(1..) {
                let Some((name, value)) = line.trim().split_once('=') else {
                    continue;
                };
                let value = value.trim().trim_matches(['"', '\'']);
                let scheme = value.split([':', '+']).next().unwrap_or_default();
                let extension = match name.trim() {
                    "DB_CONNECTION" | "DATABASE_URL" => DATABASES
                        .iter()
                        .find(|(database, _)| *database == scheme)
                        .map(|(_, extension)| *extension),
                    "REDIS_CLIENT" if value == "phpredis" && uses_redis(&text) => Some("redis"),
                    _ => None,
                };
                if let Some(extension) = extension {
                    let found = Evidence::new("extension", extension, "php.settings");
                    let found = found
                        .written(value_of(extension, scheme, value))
                        .at(&dir.join(file), Some(number));
                    self.add(extension, found);
                }
            }
        }
    }

    /// What the app's own code calls.
    fn used(&mut self, scan: &Scan<'_>, project: &Project) {
        let files = source::own_more(
            scan.repo,
            &project.dir,
            &project.others,
            &["php"],
            Family::Php,
        );
        for file in files.iter().chain(&project.pages) {
            for (extension, calls) in USES {
                let Some((call, at)) = calls
                    .iter()
                    .find_map(|call| file.source.find(call).map(|at| (call, at)))
                else {
                    continue;
                };
                let found = Evidence::new("extension", *extension, "php.call")
                    .written(call.trim_end_matches('('));
                self.add(extension, found.at(&file.path, Some(file.source.line(at))));
                if *extension == "pdo" {
                    self.data_source(file);
                }
            }
        }
    }

    fn data_source(&mut self, file: &source::File) {
        for (at, text) in &file.source.strings {
            let scheme = text.split_once(':').map(|(scheme, _)| scheme);
            let known = DATABASES
                .iter()
                .find(|(database, _)| Some(*database) == scheme);
            if let Some((_, extension)) = known {
                let found = Evidence::new("extension", *extension, "php.data-source")
                    .written(scheme.unwrap_or_default());
                self.add(extension, found.at(&file.path, Some(file.source.line(*at))));
            }
        }
    }

    /// The packages for the stream whose package is `php`, the evidence, and the extensions that there are not.
    pub(super) fn packages(self, scan: &Scan<'_>, php: &str) -> Packages {
        let mut packages = Packages::default();
        for (name, evidence) in self.found {
            let is_built_in = BUILT_IN.contains(&name.as_str());
            if is_built_in || (name == "opcache" && package(scan, php, &name).is_none()) {
                continue;
            }
            let Some(found) = package(scan, php, &name) else {
                packages.missing.push((name, evidence));
                continue;
            };
            packages.add(scan, php, &name, found);
            packages.evidence.push(evidence);
        }
        packages
    }
}

/// The packages of extensions.
#[derive(Default)]
pub(super) struct Packages {
    pub(super) names: BTreeSet<String>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) missing: Vec<(String, Evidence)>,
}

impl Packages {
    fn add(&mut self, scan: &Scan<'_>, php: &str, name: &str, found: String) {
        self.names.insert(found);
        let before = BEFORE.iter().filter(|(after, _)| *after == name);
        for first in before.flat_map(|(_, first)| *first) {
            self.names.extend(package(scan, php, first));
        }
    }
}

/// The package of an extension for a stream of PHP, where there is one.
pub(super) fn package(scan: &Scan<'_>, php: &str, extension: &str) -> Option<String> {
    [
        format!("{php}-{extension}"),
        // PECL's are also packaged under names that say so.
        format!("{php}-pecl-{extension}"),
    ]
    .into_iter()
    .find(|name| scan.catalog.has(name))
}

/// The part of a setting that says which extension it needs; the rest of it may be a secret.
fn value_of<'t>(extension: &str, scheme: &'t str, value: &'t str) -> &'t str {
    if extension == "redis" { value } else { scheme }
}

fn uses_redis(settings: &str) -> bool {
    settings
        .lines()
        .filter_map(|line| line.trim().split_once('='))
        .any(|(name, value)| {
            let name = name.trim();
            let is_driver = [
                "CACHE_STORE",
                "CACHE_DRIVER",
                "QUEUE_CONNECTION",
                "SESSION_DRIVER",
            ];
            is_driver.contains(&name) && value.trim() == "redis"
        })
}
