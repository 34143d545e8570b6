//! Rust: every binary target of every crate.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::{Evidence, Severity};
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{
    Draft, Problem, Provider, Scan, literal_glob, quoted, shown, tree_glob, unavailable,
};
use crate::detect::repo::{Dir, is_within, join, split, upwards};
use crate::detect::source::{self, Family, File};
use crate::detect::version::{self, Chosen, Tool};
use crate::detect::workspace;
use crate::spec::{Copy, Kind};

pub(crate) struct Rust;

const TOOL: Tool = Tool {
    name: "Rust",
    asdf: &["rust"],
    prefix: "rust-",
    numbers: 2,
    default: Some("rust"),
    read: version::rust,
};

const LOOKS_LIKE: &str = "a Rust program";

/// Frameworks by crate, with the port that they listen on by themselves.
const FRAMEWORKS: &[(&str, Option<u16>)] = &[
    ("actix-web", None),
    ("axum", None),
    ("poem", None),
    ("rocket", Some(8000)),
    ("salvo", None),
    ("tonic", None),
    ("warp", None),
    ("hyper", None),
];

/// Crates that bind to C libraries, the packages that have them, and crates whose presence makes them needless.
const NATIVE: &[(&str, &[&str], &[&str])] = &[
    ("alsa-sys", &["alsa-lib-dev", "pkgconf"], &[]),
    ("aws-lc-sys", &["cmake"], &[]),
    ("bindgen", &["clang"], &[]),
    ("boring-sys", &["cmake", "go"], &[]),
    ("clang-sys", &["clang"], &[]),
    ("cmake", &["cmake"], &[]),
    ("curl-sys", &["curl-dev", "pkgconf"], &[]),
    ("dbus", &["dbus-dev", "pkgconf"], &[]),
    ("libpq-sys", &["postgresql-dev", "pkgconf"], &[]),
    (
        "libsqlite3-sys",
        &["sqlite-dev", "pkgconf"],
        &["sqlite-src"],
    ),
    ("libsodium-sys", &["libsodium-dev", "pkgconf"], &[]),
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
];

/// Calls that make a program listen.
const LISTEN: &[&str] = &[
    "TcpListener::bind",
    "HttpServer::new",
    "Server::http",
    "axum::serve",
    "Server::builder",
    "rocket::build",
    "warp::serve",
    "UdpSocket::bind",
    "#[launch]",
];

/// One crate of the repository.
struct Crate {
    dir: String,
    name: String,
    document: Rc<Document>,
    root: String,
    dependencies: BTreeSet<String>,
}

/// One binary target.
struct Bin {
    name: String,
    entry: String,
    /// The key of the manifest that names it.
    line: Option<u64>,
    features: Vec<String>,
}

const LANGUAGE: Language = Language {
    name: "Rust",
    build_systems: &["cargo"],
    frameworks: &[],
    manifests: &["Cargo.toml"],
};

impl Provider for Rust {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in scan.dirs_with(&["Cargo.toml"]) {
            let path = dir.path();
            let Some(document) = scan.document(&dir.join("Cargo.toml"), Syntax::Toml) else {
                continue;
            };
            if document.get(&["package"]).is_none() {
                if document.get(&["workspace"]).is_none() {
                    scan.reject(
                        path,
                        "a Rust crate",
                        "`Cargo.toml` has neither `[package]` nor `[workspace]`",
                    );
                }
                continue;
            }
            let root = root(scan, path);
            let is_member = root.as_deref().is_some_and(|root| root != path);
            if !passed_over(scan, path, "a Rust crate", is_member) {
                detect_crate(scan, dir, document, root.unwrap_or_else(|| path.to_owned()));
            }
        }
    }
}

/// The root of the workspace that has the crate as a member.
fn root(scan: &mut Scan<'_>, path: &str) -> Option<String> {
    let (root, _) = workspace::cargo_root(scan, path)?;
    let workspace = workspace::cargo(scan, &root)?;
    workspace
        .members
        .iter()
        .any(|member| member == path)
        .then_some(root)
}

fn detect_crate(scan: &mut Scan<'_>, dir: Dir<'_>, document: Rc<Document>, root: String) {
    let path = dir.path();
    let Some(name) = document.str(&["package", "name"]).map(str::to_owned) else {
        scan.warn(
            &document.file,
            document.line(&["package"]),
            "has a `[package]` without a `name`",
        );
        return;
    };
    let mut bins = bins(dir, &document, &name);
    if let Some(entry) = scan.entry(path) {
        let is_named = |bin: &Bin| bin.name == entry.value || bin.entry == entry.value;
        if bins.iter().any(is_named) {
            bins.retain(is_named);
        } else {
            let message = format!("`{}` is no binary target of `{name}`", entry.value);
            scan.tell(
                Severity::Error,
                &entry.file,
                Some(entry.line),
                message,
                None,
            );
        }
    }
    if bins.is_empty() {
        scan.reject(
            path,
            "a Rust crate",
            format!("`{name}` has no binary target: it is a library"),
        );
        return;
    }
    if is_tool(path, &name) {
        scan.reject(
            path,
            LOOKS_LIKE,
            format!("`{name}` is a tool for developers"),
        );
        return;
    }
    let document = &document;
    let dependencies = dependencies(document);
    let member = Crate {
        dir: path.to_owned(),
        name,
        document: Rc::clone(document),
        root,
        dependencies,
    };
    for bin in bins {
        match app(scan, &member, &bin) {
            Ok(draft) => scan.drafts.push(draft),
            Err(problem) => scan.abstain(path, LOOKS_LIKE, problem),
        }
    }
}

fn is_tool(path: &str, name: &str) -> bool {
    let last = split(path).1;
    ["xtask", "codegen", "tools", "tooling"]
        .iter()
        .any(|tool| *tool == name || *tool == last)
        || path
            .split('/')
            .any(|part| matches!(part, "tools" | "tooling" | "fuzz"))
}

/// The binary targets: declared ones, and those that Cargo finds by itself.
fn bins(dir: Dir<'_>, document: &Document, name: &str) -> Vec<Bin> {
    let mut bins: BTreeMap<String, Bin> = BTreeMap::new();
    let found = |relative: &str| exists(dir, relative);
    if document
        .get(&["package", "autobins"])
        .and_then(serde_json::Value::as_bool)
        != Some(false)
    {
        if found("src/main.rs") {
            bins.insert(name.to_owned(), bin(name, "src/main.rs"));
        }
        for (target, entry) in auto_bins(dir) {
            bins.insert(target.clone(), bin(&target, &entry));
        }
    }
    let declared = document
        .get(&["bin"])
        .and_then(serde_json::Value::as_array)
        .map_or(0, Vec::len);
    for at in 0..declared {
        let index = at.to_string();
        let Some(table) = document.get(&["bin"]).and_then(|bins| bins.get(at)) else {
            continue;
        };
        let text = |key: &str| table.get(key).and_then(serde_json::Value::as_str);
        let Some(target) = text("name") else { continue };
        let entry = text("path").map(str::to_owned).or_else(|| {
            [
                format!("src/bin/{target}.rs"),
                format!("src/bin/{target}/main.rs"),
                "src/main.rs".to_owned(),
            ]
            .into_iter()
            .find(|entry| found(entry))
        });
        let Some(entry) = entry else { continue };
        bins.retain(|_, bin| bin.entry != entry);
        let features = table
            .get("required-features")
            .and_then(serde_json::Value::as_array)
            .map(|all| {
                all.iter()
                    .filter_map(|one| one.as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default();
        let line = document.line(&["bin", &index]);
        bins.insert(
            target.to_owned(),
            Bin {
                name: target.to_owned(),
                entry,
                line,
                features,
            },
        );
    }
    bins.into_values().collect()
}

fn bin(name: &str, entry: &str) -> Bin {
    Bin {
        name: name.to_owned(),
        entry: entry.to_owned(),
        line: None,
        features: Vec::new(),
    }
}

fn exists(dir: Dir<'_>, relative: &str) -> bool {
    let (below, name) = split(relative);
    dir.below(below).is_some_and(|dir| dir.has(name))
}

fn auto_bins(dir: Dir<'_>) -> Vec<(String, String)> {
    let Some(bin) = dir.below("src/bin") else {
        return Vec::new();
    };
    let files = bin.files().iter().filter_map(|file| {
        Some((
            file.strip_suffix(".rs")?.to_owned(),
            format!("src/bin/{file}"),
        ))
    });
    let dirs = bin
        .dirs()
        .iter()
        .filter(|name| bin.below(name).is_some_and(|dir| dir.has("main.rs")))
        .map(|name| (name.clone(), format!("src/bin/{name}/main.rs")));
    files.chain(dirs).collect()
}

fn dependencies(document: &Document) -> BTreeSet<String> {
    let table = "dependencies";
    document
        .keys(&[table])
        .into_iter()
        .map(|name| {
            document
                .str(&[table, name, "package"])
                .unwrap_or(name)
                .to_owned()
        })
        .collect()
}

/// What the sources of one program say.
struct Facts {
    listens: Option<(String, u64, String)>,
    port: Option<source::Fact<u16>>,
    is_local: Option<(String, u64)>,
    reads_port: bool,
    health: Option<source::Fact<String>>,
    framework: Option<(&'static str, Option<u16>)>,
    is_cli: bool,
}

fn facts(scan: &Scan<'_>, member: &Crate, bin: &Bin) -> Facts {
    let mut files = source::own(scan.repo, &member.dir, &[], &["rs"], Family::Rust);
    let entry = join(&member.dir, &bin.entry);
    let bin_dir = join(&member.dir, "src/bin");
    // The other targets of the crate are other programs.
    let own_dir = if split(&entry).1 == "main.rs" && is_within(&entry, &bin_dir) {
        split(&entry).0
    } else {
        &entry
    };
    files.retain(|file| {
        is_within(&file.path, &join(&member.dir, "src"))
            && (file.path == entry
                || is_within(&file.path, own_dir)
                || !is_within(&file.path, &bin_dir))
            && (file.path == entry || file.path != join(&member.dir, "src/main.rs"))
    });
    let framework = FRAMEWORKS
        .iter()
        .find(|(name, _)| member.dependencies.contains(*name))
        .copied();
    let listens = files.iter().find_map(|file| {
        let (call, at) = LISTEN
            .iter()
            .find_map(|call| file.source.find(call).map(|at| (*call, at)))?;
        Some((file.path.clone(), file.source.line(at), call.to_owned()))
    });
    let (port, is_local) = port(&files);
    Facts {
        listens,
        port,
        is_local,
        reads_port: files
            .iter()
            .any(|file| file.source.strings.iter().any(|(_, text)| text == "PORT")),
        health: source::health(&files),
        framework,
        is_cli: ["clap", "argh", "pico-args", "structopt"]
            .iter()
            .any(|name| member.dependencies.contains(*name)),
    }
}

fn port(files: &[File]) -> (Option<source::Fact<u16>>, Option<(String, u64)>) {
    let fact = |file: &File, at: usize, value: u16| source::Fact {
        value,
        file: file.path.clone(),
        line: file.source.line(at),
    };
    for file in files {
        for (at, text) in &file.source.strings {
            if let Some((value, is_local)) = source::port_of_address(text) {
                let local = is_local.then(|| (file.path.clone(), file.source.line(*at)));
                return (Some(fact(file, *at, value)), local);
            }
        }
        for call in [
            "[0, 0, 0, 0], ",
            "([0, 0, 0, 0], ",
            "[0; 4], ",
            "UNSPECIFIED, ",
            "UNSPECIFIED), ",
        ] {
            if let Some(at) = file.source.code.find(call)
                && let Some(value) = file.source.number_after(at + call.len(), 8)
            {
                return (Some(fact(file, at, value)), None);
            }
        }
        let read = file.source.strings.iter().find(|(_, text)| text == "PORT");
        if let Some((start, _)) = read {
            let beside =
                file.source.strings.iter().find(|(at, text)| {
                    at > start && at - start < 200 && source::port(text).is_some()
                });
            if let Some((at, text)) = beside
                && let Some(value) = source::port(text)
            {
                return (Some(fact(file, *at, value)), None);
            }
            if let Some(value) = file.source.number_after(start + "\"PORT\"".len(), 60) {
                return (Some(fact(file, *start, value)), None);
            }
        }
    }
    (None, None)
}

fn app(scan: &mut Scan<'_>, member: &Crate, bin: &Bin) -> Result<Draft, Problem> {
    let chosen =
        toolchain(scan, member).map_err(|error| unavailable(&member.document.file, error))?;
    let facts = facts(scan, member, bin);
    let kind = match (&facts.listens, facts.is_cli) {
        (Some(_), _) => Kind::Web,
        (None, true) => Kind::Cli,
        (None, false) => Kind::Worker,
    };
    let mut draft = Draft::new(&member.dir, kind, "rust", "cargo");
    draft.target = Some(bin.name.clone()).filter(|name| *name != member.name);
    draft.fallback = Some(member.name.clone());
    let entry = join(&member.dir, &bin.entry);
    let rule = if bin.line.is_some() {
        "rust.bin-table"
    } else {
        "rust.bin-file"
    };
    let place = if bin.line.is_some() {
        (&member.document.file, bin.line)
    } else {
        (&entry, None)
    };
    draft
        .evidence
        .push(Evidence::new("entry", &bin.name, rule).at(place.0, place.1));
    draft.evidence.push(chosen.evidence.clone());
    build(scan, member, bin, &mut draft, &chosen)?;
    run(scan, &mut draft, &facts, bin);
    draft.spec.metadata.framework = facts.framework.map(|(name, _)| name.to_owned());
    draft.spec.metadata.confidence = Some(if facts.listens.is_some() { 95 } else { 85 });
    let what = match &facts.listens {
        Some((file, line, call)) => format!("it listens with `{call}` in `{file}` line {line}"),
        None if facts.is_cli => "it parses arguments and nothing in it listens".to_owned(),
        None => "nothing in it listens".to_owned(),
    };
    draft.spec.metadata.reasoning = Some(format!(
        "`{}` is a binary target of the crate `{}`, and {what}",
        bin.name, member.name
    ));
    Ok(draft)
}

fn toolchain(scan: &mut Scan<'_>, member: &Crate) -> Result<Chosen, version::Unavailable> {
    let mut sources = Vec::new();
    let Some(dir) = scan.repo.dir(&member.dir) else {
        return scan.toolchain(&TOOL, &sources);
    };
    sources.extend(scan.tool_versions(dir, &TOOL));
    for above in dir.upwards() {
        for name in ["rust-toolchain.toml", "rust-toolchain"] {
            let Ok(text) = above.text(name) else { continue };
            let file = above.join(name);
            if !text.contains('[') {
                let text = text.trim().to_owned();
                sources.push(version::Source {
                    text,
                    file,
                    line: Some(1),
                    rule: "version.file",
                });
            } else if let Some(document) = scan.document(&file, Syntax::Toml) {
                sources.extend(version::manifest(
                    &document,
                    &["toolchain", "channel"],
                    "version.file",
                ));
            }
        }
    }
    let keys = &["package", "rust-version"];
    sources.extend(version::manifest(&member.document, keys, "version.minimum"));
    if member
        .document
        .is_true(&["package", "rust-version", "workspace"])
        && let Some((_, root)) = workspace::cargo_root(scan, &member.dir)
    {
        sources.extend(version::manifest(
            &root,
            &["workspace", "package", "rust-version"],
            "version.minimum",
        ));
    }
    scan.toolchain(&TOOL, &sources)
}

fn build(
    scan: &mut Scan<'_>,
    member: &Crate,
    bin: &Bin,
    draft: &mut Draft,
    chosen: &Chosen,
) -> Result<(), Problem> {
    builds_for_host(scan, member)?;
    let lock = upwards(&member.dir)
        .filter(|above| is_within(above, &member.root))
        .map(|above| join(above, "Cargo.lock"))
        .find(|lock| scan.repo.has(lock));
    let locked = locked_crates(scan, lock.as_deref());
    let mut packages = BTreeSet::from(["build-base".to_owned(), chosen.stream.package.clone()]);
    for (name, needs, unless) in NATIVE {
        if !locked.contains(*name) || unless.iter().any(|other| locked.contains(*other)) {
            continue;
        }
        for need in *needs {
            let Some(package) = scan.catalog.package(need) else {
                let message =
                    format!("the crate `{name}` needs `{need}`, which the index does not have");
                return Err(Problem::new(&member.document.file, None, message));
            };
            let why = Evidence::new("package", &package, "rust.native-crate")
                .note(format!("the crate `{name}` needs it"));
            draft.evidence.push(match &lock {
                Some(lock) => why.at(lock, None),
                None => why,
            });
            packages.insert(package);
        }
    }
    let build = &mut draft.spec.build;
    build.packages = packages.into_iter().collect();
    let locked_flag = if lock.is_some() { " --locked" } else { "" };
    if lock.is_none() {
        let message = "has no `Cargo.lock`: the build takes whatever versions are newest";
        scan.warn(&member.document.file, None, message);
    }
    let features = if bin.features.is_empty() {
        String::new()
    } else {
        format!(" --features {}", quoted(&bin.features.join(",")))
    };
    build.commands = vec![format!(
        "cargo build --release{locked_flag} -p {} --bin {}{features}",
        quoted(&member.name),
        quoted(&bin.name)
    )];
    build
        .env
        .insert("CARGO_HOME".to_owned(), "/root/.cargo".to_owned());
    build
        .env
        .insert("CARGO_TARGET_DIR".to_owned(), "/target".to_owned());
    build.cache = ["/root/.cargo/git", "/root/.cargo/registry", "/target"]
        .map(str::to_owned)
        .to_vec();
    let from = format!("/target/release/{}", bin.name);
    draft.spec.runtime.copy = vec![Copy {
        from,
        to: bin.name.clone(),
    }];
    draft.spec.build.context = context(scan, member, lock.as_deref());
    Ok(())
}

/// Refuses a configuration that fixes the target: it moves the output, and the packaged toolchain holds the standard
/// library of its own target only.
fn builds_for_host(scan: &mut Scan<'_>, member: &Crate) -> Result<(), Problem> {
    for above in upwards(&member.dir) {
        let file = join(above, ".cargo/config.toml");
        let Some(config) = scan.document(&file, Syntax::Toml) else {
            continue;
        };
        if let Some(triple) = config.str(&["build", "target"]) {
            let line = config.line(&["build", "target"]);
            let message =
                format!("fixes the target to `{triple}`, whatever the platform of the image is");
            return Err(Problem::new(&file, line, message).help("remove `build.target`"));
        }
    }
    Ok(())
}

/// The names of all locked crates.
fn locked_crates(scan: &Scan<'_>, lock: Option<&str>) -> BTreeSet<String> {
    let Some(text) = lock.and_then(|lock| scan.repo.lock(lock)) else {
        return BTreeSet::new();
    };
    let mut names = BTreeSet::new();
    for block in text.split("[[package]]").skip(1) {
        let Some(name) = block
            .lines()
            .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        else {
            continue;
        };
        // It brings SQLite's source along if it has a compiler to build it with.
        if name == "libsqlite3-sys"
            && block.contains(
                "
 \"cc\",",
            )
        {
            names.insert("sqlite-src".to_owned());
        }
        names.insert(name.to_owned());
    }
    names
}

/// The crate, its path dependencies, and of the rest of the workspace what Cargo needs to load it.
fn context(scan: &mut Scan<'_>, member: &Crate, lock: Option<&str>) -> Vec<String> {
    let mut used = BTreeSet::from([member.dir.clone()]);
    let mut queue = vec![member.dir.clone()];
    while let Some(dir) = queue.pop() {
        for path in workspace::cargo_paths(scan, &dir) {
            if used.insert(path.clone()) {
                queue.push(path);
            }
        }
    }
    if used.contains("") {
        return Vec::new();
    }
    let mut globs: BTreeSet<String> = used.iter().map(|dir| tree_glob(dir)).collect();
    let members = workspace::cargo(scan, &member.root)
        .map(|workspace| workspace.members.clone())
        .unwrap_or_default();
    for other in members.iter().filter(|other| !used.contains(*other)) {
        // Cargo loads the manifest of every member, and asks that its targets exist.
        globs.insert(literal_glob(&join(other, "Cargo.toml")));
        globs.insert(tree_glob(&join(other, "src")));
    }
    for name in [
        "Cargo.toml",
        "rust-toolchain",
        "rust-toolchain.toml",
        "build.rs",
    ] {
        let file = join(&member.root, name);
        if scan.repo.has(&file) {
            globs.insert(literal_glob(&file));
        }
    }
    globs.extend(lock.map(literal_glob));
    for above in upwards(&member.dir) {
        let config = join(above, ".cargo");
        if scan.repo.dir(&config).is_some() {
            globs.insert(tree_glob(&config));
        }
    }
    globs.into_iter().collect()
}

fn run(scan: &mut Scan<'_>, draft: &mut Draft, facts: &Facts, bin: &Bin) {
    let runtime = &mut draft.spec.runtime;
    runtime.packages = ["ca-certificates-bundle", "glibc", "libgcc"]
        .iter()
        .filter_map(|name| scan.catalog.package(name))
        .collect();
    runtime.command = vec![format!("/app/{}", bin.name)];
    if let Some((file, line, call)) = &facts.listens {
        draft
            .evidence
            .push(Evidence::new("kind", call, "rust.listens").at(file, Some(*line)));
        let default = facts.framework.and_then(|(_, port)| port);
        match (&facts.port, default) {
            (Some(port), _) => draft.listens_on(port, "rust.address"),
            (None, Some(value)) => draft.listens_on(
                &source::Fact {
                    value,
                    file: String::new(),
                    line: 0,
                },
                "",
            ),
            (None, None) if facts.reads_port => draft.is_given_port(8080),
            (None, None) => {}
        }
        if let Some(health) = &facts.health {
            draft.answers(health);
        }
    }
    let runtime = &mut draft.spec.runtime;
    if facts.framework.is_some_and(|(name, _)| name == "rocket") {
        runtime
            .env
            .insert("ROCKET_ADDRESS".to_owned(), "0.0.0.0".to_owned());
    }
    if let Some((file, line)) = &facts.is_local {
        let path = shown(file).to_owned();
        scan.warn(
            &path,
            Some(*line),
            "listens on the loopback address, which nothing outside the container reaches",
        );
    }
}
