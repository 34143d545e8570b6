//! How a program in Rust is built, and what its image holds.

use std::collections::BTreeSet;

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Problem, Scan, literal_glob, quoted, tree_glob};
use crate::detect::repo::{is_within, join, resolve, split, upwards};
use crate::detect::source::Fact;
use crate::detect::version::Chosen;
use crate::detect::workspace;
use crate::spec::{Copy, Kind};

use super::facts::Facts;
use super::target::Bin;
use super::{Crate, native};

pub(super) fn build(
    scan: &mut Scan<'_>,
    member: &Crate,
    bin: &Bin,
    facts: &Facts,
    draft: &mut Draft,
    chosen: &Chosen,
) -> Result<(), Problem> {
    let lock = upwards(&member.dir)
        .filter(|above| is_within(above, &member.root))
        .map(|above| join(above, "Cargo.lock"))
        .find(|lock| scan.repo.has(lock));
    draft.spec.build.context = context(scan, member, lock.as_deref());
    let mut packages = BTreeSet::from(["build-base".to_owned(), chosen.stream.package.clone()]);
    for (package, evidence) in native::packages(scan, member, lock.as_deref())? {
        packages.insert(package);
        draft.evidence.push(evidence);
    }
    for (package, evidence) in configured(scan, member)? {
        packages.insert(package);
        draft.evidence.push(evidence);
    }
    offline_queries(scan, member, facts, draft)?;
    if lock.is_none() {
        let message = "has no `Cargo.lock`: the build takes whatever versions are newest";
        scan.warn(&member.document.file, None, message);
    }
    let build = &mut draft.spec.build;
    build.packages = packages.into_iter().collect();
    let locked = if lock.is_some() { " --locked" } else { "" };
    let features = if bin.features.is_empty() {
        String::new()
    } else {
        format!(" --features {}", quoted(&bin.features.join(",")))
    };
    build.commands = vec![format!(
        "cargo build --release{locked} -p {} --bin {}{features}",
        quoted(&member.name),
        quoted(&bin.name)
    )];
    for (name, value) in [
        ("CARGO_HOME", "/root/.cargo"),
        ("CARGO_TARGET_DIR", "/target"),
    ] {
        build.env.insert(name.to_owned(), value.to_owned());
    }
    build.cache = ["/root/.cargo/git", "/root/.cargo/registry", "/target"]
        .map(str::to_owned)
        .to_vec();
    Ok(())
}

/// What `.cargo/config.toml` at or above the crate asks for: a target of its own is refused, as it moves the output, and
/// the packaged toolchain holds the standard library of its own target only; linkers are packages.
fn configured(scan: &mut Scan<'_>, member: &Crate) -> Result<Vec<(String, Evidence)>, Problem> {
    let mut found = Vec::new();
    for config in configs(scan, member) {
        let keys = ["build", "target"];
        let list = config.strings(&keys);
        if let Some(triple) = config.str(&keys).or(list.first().copied()) {
            let message =
                format!("fixes the target to `{triple}`, whatever the platform of the image is");
            return Err(Problem::new(&config.file, config.line(&keys), message)
                .help("remove `build.target`"));
        }
        for triple in config.keys(&["target"]) {
            if !triple.contains("linux") && !triple.starts_with("cfg(") {
                continue;
            }
            let keys = ["target", triple, "linker"];
            let linker = config.str(&keys).map(|name| split(name).1.to_owned());
            if let Some(name) = linker.filter(|name| !matches!(name.as_str(), "cc" | "gcc")) {
                found.push(linker_package(scan, &config, &keys, &name)?);
            }
            let keys = ["target", triple, "rustflags"];
            let flags = config.strings(&keys);
            let flag = flags.iter().find_map(|flag| flag.split("-fuse-ld=").nth(1));
            if let Some(name) = flag.map(str::to_owned) {
                found.push(linker_package(scan, &config, &keys, &name)?);
            }
        }
    }
    Ok(found)
}

fn linker_package(
    scan: &Scan<'_>,
    config: &Document,
    keys: &[&str],
    name: &str,
) -> Result<(String, Evidence), Problem> {
    let line = config.line(keys);
    let Some(package) = scan.catalog.package(name) else {
        let message = format!("links with `{name}`, which the index does not have");
        return Err(Problem::new(&config.file, line, message));
    };
    let key = keys.last().copied().unwrap_or_default();
    let evidence = Evidence::new("package", &package, "rust.linker")
        .at(&config.file, line)
        .written(key);
    Ok((package, evidence))
}

/// The configurations of Cargo that apply to a crate, nearest first.
fn configs(scan: &mut Scan<'_>, member: &Crate) -> Vec<std::rc::Rc<Document>> {
    let mut found = Vec::new();
    for above in upwards(&member.dir) {
        for name in [".cargo/config.toml", ".cargo/config"] {
            found.extend(scan.document(&join(above, name), Syntax::Toml));
        }
    }
    found
}

/// SQLx checks queries against a database when it compiles, or against what was written down for that.
fn offline_queries(
    scan: &Scan<'_>,
    member: &Crate,
    facts: &Facts,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let Some(query) = &facts.query else {
        return Ok(());
    };
    let places = [&member.dir, &member.root];
    let data = places.iter().find_map(|dir| {
        let data = join(dir, ".sqlx");
        let has_data =
            scan.repo.dir(&data).is_some() || scan.repo.has(&join(dir, "sqlx-data.json"));
        has_data.then_some(data)
    });
    let Some(data) = data else {
        let message = format!(
            "`{}` is checked against a database when it is compiled, and there is no `.sqlx` directory",
            query.value
        );
        return Err(Problem::new(&query.file, Some(query.line), message)
            .help("write it down with `cargo sqlx prepare`, and commit `.sqlx`"));
    };
    let build = &mut draft.spec.build;
    build
        .env
        .insert("SQLX_OFFLINE".to_owned(), "true".to_owned());
    if !build.context.is_empty() {
        build.context.push(tree_glob(&data));
        build.context.sort();
        build.context.dedup();
    }
    let evidence = Evidence::new("build-env", "SQLX_OFFLINE=true", "rust.sqlx-offline")
        .at(&query.file, Some(query.line))
        .written(query.value.clone());
    draft.evidence.push(evidence);
    Ok(())
}

/// The crate, its path dependencies, and of the rest of the workspace what Cargo needs to load it.
fn context(scan: &mut Scan<'_>, member: &Crate, lock: Option<&str>) -> Vec<String> {
    let mut used = BTreeSet::from([member.dir.clone()]);
    let mut queue = vec![member.dir.clone()];
    while let Some(dir) = queue.pop() {
        for path in workspace::cargo_paths(scan, &dir, false) {
            if used.insert(path.clone()) {
                queue.push(path);
            }
        }
    }
    if used.contains("") {
        return Vec::new();
    }
    let mut globs: BTreeSet<String> = used.iter().map(|dir| tree_glob(dir)).collect();
    for other in loaded(scan, member, &used).difference(&used) {
        // Cargo asks that the targets of what it loads exist.
        globs.insert(literal_glob(&join(other, "Cargo.toml")));
        globs.insert(tree_glob(&join(other, "src")));
        globs.extend(targets(scan, other).iter().map(|dir| tree_glob(dir)));
    }
    globs.extend(patches(scan, member).iter().map(|dir| tree_glob(dir)));
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
    for config in configs(scan, member) {
        // A directory of vendored crates is named as seen from beside the `.cargo` directory.
        let base = split(split(&config.file).0).0.to_owned();
        for source in config.keys(&["source"]) {
            let dir = config.str(&["source", source, "directory"]);
            globs.extend(
                dir.and_then(|dir| resolve(&base, dir))
                    .map(|dir| tree_glob(&dir)),
            );
        }
    }
    globs.into_iter().collect()
}

/// The crates whose manifests Cargo loads: every member of the workspace, and what they and the `used` ones depend on, also for tests.
fn loaded(scan: &mut Scan<'_>, member: &Crate, used: &BTreeSet<String>) -> BTreeSet<String> {
    let mut loaded = used.clone();
    if let Some(workspace) = workspace::cargo(scan, &member.root) {
        loaded.extend(workspace.members.iter().cloned());
    }
    let mut queue: Vec<String> = loaded.iter().cloned().collect();
    while let Some(dir) = queue.pop() {
        for path in workspace::cargo_paths(scan, &dir, true) {
            if loaded.insert(path.clone()) {
                queue.push(path);
            }
        }
    }
    loaded
}

/// The directories in which Cargo looks for the targets that a manifest names without a path.
fn targets(scan: &mut Scan<'_>, dir: &str) -> Vec<String> {
    let Some(document) = scan.document(&join(dir, "Cargo.toml"), Syntax::Toml) else {
        return Vec::new();
    };
    let is_named = |table: &&(&str, &str)| {
        let all = document
            .get(&[table.0])
            .and_then(serde_json::Value::as_array);
        let mut all = all.into_iter().flatten();
        all.any(|target| target.get("path").is_none())
    };
    let tables = [
        ("bench", "benches"),
        ("example", "examples"),
        ("test", "tests"),
    ];
    let named = tables.iter().filter(is_named);
    named.map(|(_, below)| join(dir, below)).collect()
}

/// The directories that stand in for crates of a registry.
fn patches(scan: &mut Scan<'_>, member: &Crate) -> Vec<String> {
    let file = join(&member.root, "Cargo.toml");
    let Some(document) = scan.document(&file, Syntax::Toml) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for source in document.keys(&["patch"]) {
        for name in document.keys(&["patch", source]) {
            let path = document.str(&["patch", source, name, "path"]);
            found.extend(path.and_then(|path| resolve(&member.root, path)));
        }
    }
    found
}

pub(super) fn run(scan: &mut Scan<'_>, draft: &mut Draft, facts: &Facts, bin: &Bin) {
    let names = ["ca-certificates-bundle", "glibc", "libgcc"];
    let packages = names.iter().filter_map(|name| scan.catalog.package(name));
    let runtime = &mut draft.spec.runtime;
    runtime.packages = packages.collect();
    runtime.command = vec![format!("/app/{}", bin.name)];
    runtime.copy = vec![Copy {
        from: format!("/target/release/{}", bin.name),
        to: bin.name.clone(),
    }];
    for data in &facts.data {
        draft.spec.runtime.copy.push(Copy {
            from: data.value.clone(),
            to: data.value.clone(),
        });
        let line = Some(data.line).filter(|line| *line > 0);
        let rule = match line {
            Some(_) => "rust.relative-path",
            None => "rust.rocket-settings",
        };
        let evidence = Evidence::new("copy", &data.value, rule);
        draft.evidence.push(evidence.at(&data.file, line));
    }
    if draft.spec.metadata.kind != Some(Kind::Web) {
        return;
    }
    let default = facts.framework.and_then(|(_, port)| port);
    match (&facts.port, default) {
        (Some(port), _) => draft.listens_on(port, "rust.address"),
        (None, Some(value)) => draft.listens_on(
            &Fact {
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
    if facts.framework.is_some_and(|(name, _)| name == "rocket") {
        let address = ("ROCKET_ADDRESS".to_owned(), "0.0.0.0".to_owned());
        draft.spec.runtime.env.extend([address]);
        let evidence = Evidence::new("env", "ROCKET_ADDRESS=0.0.0.0", "rust.rocket-default");
        draft.evidence.push(evidence);
    }
    if let Some((file, line)) = &facts.is_local {
        let message =
            "listens on the loopback address, which nothing outside the container reaches";
        scan.warn(file, Some(*line), message);
    }
}
