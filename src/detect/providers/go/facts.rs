//! What the sources of one program in Go say.

use std::collections::BTreeSet;

use crate::detect::provider::Scan;
use crate::detect::repo::{is_within, join};
use crate::detect::source::{self, Fact, File};

use super::{Module, Package};

/// Modules that need a C compiler, and those that bring such a module along.
const CGO: &[&str] = &[
    "github.com/confluentinc/confluent-kafka-go",
    "github.com/golang-migrate/migrate/v4/database/sqlite3",
    "github.com/mattn/go-sqlite3",
    "github.com/mutecomm/go-sqlcipher",
    "github.com/rocksdb",
    "gorm.io/driver/sqlite",
];

/// Modules of programs that are run by hand.
const CLI: &[&str] = &[
    "github.com/alecthomas/kong",
    "github.com/spf13/cobra",
    "github.com/urfave/cli",
];

/// Frameworks, by module.
const FRAMEWORKS: &[(&str, &str)] = &[
    ("github.com/gin-gonic/gin", "gin"),
    ("github.com/go-chi/chi", "chi"),
    ("github.com/gofiber/fiber", "fiber"),
    ("github.com/gorilla/mux", "gorilla"),
    ("github.com/labstack/echo", "echo"),
    ("google.golang.org/grpc", "grpc"),
];

/// Calls that make a program listen.
const LISTEN: &[&str] = &[
    "ListenAndServe(",
    "ListenAndServeTLS(",
    "net.Listen(",
    ".Listen(",
    ".Serve(",
    "gin.Default(",
    "fiber.New(",
    "echo.New(",
];

/// Calls of programs that run until they are stopped.
const STAYS: &[&str] = &["signal.Notify(", "signal.NotifyContext(", "time.NewTicker("];

pub(super) struct Facts {
    /// The call that listens.
    pub(super) listens: Option<Fact<String>>,
    pub(super) port: Option<Fact<u16>>,
    /// Where `PORT` is read.
    pub(super) reads_port: bool,
    pub(super) health: Option<Fact<String>>,
    /// The framework, with the import that says so.
    pub(super) framework: Option<(&'static str, Fact<String>)>,
    /// What makes it a program that is run by hand.
    pub(super) is_cli: Option<Fact<String>>,
    /// What makes it a program that runs until it is stopped.
    pub(super) stays: Option<Fact<String>>,
    /// The import that needs a C compiler.
    pub(super) cgo: Option<Fact<String>>,
    /// The subcommand that serves.
    pub(super) subcommand: Option<Fact<String>>,
    /// Directories and files that it opens by a relative path.
    pub(super) data: Vec<Fact<String>>,
}

pub(super) fn facts(scan: &Scan<'_>, module: &Module, packages: &[&Package]) -> Facts {
    let files: Vec<&File> = packages.iter().flat_map(|package| &package.files).collect();
    let import = |names: &[&str]| -> Option<Fact<String>> {
        let is_one = |import: &str| {
            names
                .iter()
                .any(|name| import == *name || import.starts_with(&format!("{name}/")))
        };
        let imports = packages.iter().flat_map(|package| &package.imports);
        imports
            .filter(|fact| is_one(&fact.value))
            .min_by(|left, right| (&left.file, left.line).cmp(&(&right.file, right.line)))
            .cloned()
    };
    let call = |names: &[&str]| source::call(files.iter().copied(), names);
    let health = files
        .iter()
        .find_map(|file| source::health(std::slice::from_ref(*file)));
    let framework = FRAMEWORKS
        .iter()
        .find_map(|(name, framework)| Some((*framework, import(&[name])?)));
    let subcommand = import(&CLI[1..])
        .and_then(|_| files.iter().find_map(|file| subcommand(file)))
        .filter(|_| call(LISTEN).is_some());
    Facts {
        listens: call(LISTEN),
        port: port(&files),
        reads_port: files
            .iter()
            .any(|file| file.source.strings.iter().any(|(_, text)| text == "PORT")),
        health,
        framework,
        is_cli: import(CLI)
            .or_else(|| import(&["flag"]))
            .or_else(|| call(&["os.Args"])),
        stays: call(STAYS),
        cgo: import(&["C"]).or_else(|| import(CGO)),
        subcommand,
        data: data(scan, module, packages, &files),
    }
}

/// The subcommand of Cobra or of urfave's library that serves: `Use: "serve"`.
fn subcommand(file: &File) -> Option<Fact<String>> {
    const NAMES: &[&str] = &["serve", "server", "start", "run", "api", "web", "daemon"];
    let source = &file.source;
    source.strings.iter().find_map(|(at, text)| {
        let before = source.code[..*at].trim_end();
        let is_name = before.ends_with("Use:") || before.ends_with("Name:");
        let name = text.split_whitespace().next()?;
        (is_name && NAMES.contains(&name)).then(|| Fact {
            value: name.to_owned(),
            file: file.path.clone(),
            line: source.line(*at),
        })
    })
}

/// The port in a literal address, or beside a read of `PORT`.
fn port(files: &[&File]) -> Option<Fact<u16>> {
    files.iter().find_map(|file| {
        let near_port = file
            .source
            .strings
            .iter()
            .find(|(_, text)| text == "PORT")
            .map(|(at, _)| *at);
        file.source.strings.iter().find_map(|(at, text)| {
            let beside = near_port.is_some_and(|port| *at > port && *at - port < 200);
            let value = source::port_of_address(text)
                .map(|(port, _)| port)
                .or_else(|| if beside { source::port(text) } else { None })?;
            Some(Fact {
                value,
                file: file.path.clone(),
                line: file.source.line(*at),
            })
        })
    })
}

/// What of the module's directory the program opens by a relative path, and does not embed.
fn data(
    scan: &Scan<'_>,
    module: &Module,
    packages: &[&Package],
    files: &[&File],
) -> Vec<Fact<String>> {
    let Some(dir) = scan.repo.dir(&module.dir) else {
        return Vec::new();
    };
    let embedded: BTreeSet<&String> = packages
        .iter()
        .flat_map(|package| &package.embeds)
        .collect();
    let is_embedded = |name: &str| {
        let path = join(&module.dir, name);
        embedded
            .iter()
            .any(|embed| is_within(embed, &path) || is_within(&path, embed))
    };
    let is_code = |name: &str| {
        scan.repo
            .below(&dir.join(name))
            .any(|dir| dir.files().iter().any(|file| file.ends_with(".go")))
    };
    let opened = |name: &str| source::path(files.iter().copied(), name, &|_, _| true);
    let is_data = |name: &&crate::detect::repo::Name| {
        [
            ".csv", ".html", ".json", ".sql", ".tmpl", ".toml", ".txt", ".yaml", ".yml",
        ]
        .iter()
        .any(|end| name.ends_with(end))
    };
    let dirs = dir.dirs().iter().filter(|name| !is_code(name));
    let names = dirs.chain(dir.files().iter().filter(is_data));
    names
        .filter(|name| !is_embedded(name))
        .filter_map(|name| opened(name))
        .collect()
}
