//! How a program in Go is built, and what its image holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Problem, Scan, literal_glob, quoted, tree_glob};
use crate::detect::repo::{is_within, join, upwards};
use crate::spec::{Copy, Kind, Secret};

use super::super::node;
use super::facts::Facts;
use super::{Module, Package, work};

/// The program to build.
pub(super) struct Target<'a> {
    pub(super) name: &'a str,
    /// Its directory, relative to the module's.
    pub(super) below: &'a str,
    /// Its package, and those of the module that it imports.
    pub(super) packages: &'a [&'a Package],
}

pub(super) fn build(
    scan: &mut Scan<'_>,
    modules: &BTreeMap<String, Module>,
    module: &Module,
    draft: &mut Draft,
    facts: &Facts,
    target: &Target<'_>,
) -> Result<(), Problem> {
    let work = work(scan, &module.dir);
    inputs(scan, modules, module, work.as_ref(), draft);
    let vendored = [Some(&module.dir), work.as_ref().map(|(root, _)| root)]
        .into_iter()
        .flatten()
        .find(|dir| scan.repo.has_pruned(&join(dir, "vendor")));
    let build = &mut draft.spec.build;
    let is_vendored = vendored.is_some();
    if !is_vendored && (!module.requires.is_empty() || work.is_some()) {
        build.install.commands = vec!["go mod download".to_owned()];
    } else {
        build.install.files.clear();
    }
    let below = match target.below {
        "." if module.name.is_empty() => sources(module, target),
        "." => ".".to_owned(),
        below => quoted(&format!("./{below}")),
    };
    build.commands = vec![format!(
        "go build -trimpath -buildvcs=false -ldflags '-s -w' -o {} {below}",
        quoted(&format!("/out/{}", target.name)),
    )];
    let cgo = if facts.cgo.is_some() { "1" } else { "0" };
    let mut env = vec![
        ("CGO_ENABLED", cgo),
        ("GOCACHE", "/root/.cache/go-build"),
        ("GOMODCACHE", "/root/go/pkg/mod"),
        ("GOTOOLCHAIN", "local"),
    ];
    env.extend(is_vendored.then_some(("GOFLAGS", "-mod=vendor")));
    let env = env.into_iter();
    build.env = env
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    build.cache = vec![
        "/root/.cache/go-build".to_owned(),
        "/root/go/pkg/mod".to_owned(),
    ];
    assets(scan, module, draft, target)?;
    if let Some(dir) = vendored {
        let vendor = join(dir, "vendor/modules.txt");
        let evidence = Evidence::new("install", "-mod=vendor", "go.vendor").at(&vendor, None);
        draft.evidence.push(evidence);
    } else {
        private(scan, module, draft);
    }
    compiler(scan, draft, facts, target)
}

/// Adds the front end whose build leaves what the program embeds and the repository does not hold.
fn assets(
    scan: &mut Scan<'_>,
    module: &Module,
    draft: &mut Draft,
    target: &Target<'_>,
) -> Result<(), Problem> {
    let embeds = target.packages.iter().flat_map(|package| &package.embeds);
    let missing = embeds.filter(|path| scan.repo.dir(path).is_none() && !scan.repo.has(path));
    let places: BTreeSet<String> = missing
        .filter_map(|path| {
            let mut above = upwards(path)
                .skip(1)
                .filter(|dir| is_within(dir, &module.dir));
            let found = above.find(|dir| scan.repo.has(&join(dir, "package.json")));
            found.map(str::to_owned)
        })
        .collect();
    for place in places {
        let found = node::assets_below(scan, &module.dir, &place, "the Go app")?;
        if let Some(assets) = found {
            draft.with_assets(assets);
        }
    }
    Ok(())
}

/// The files of a program without a module, by name: Go takes them as they are.
fn sources(module: &Module, target: &Target<'_>) -> String {
    let files = target.packages.iter().flat_map(|package| &package.files);
    let names = files.map(|file| {
        let below = file.path.get(module.dir.len()..).unwrap_or_default();
        quoted(below.trim_start_matches('/'))
    });
    names.collect::<Vec<_>>().join(" ")
}

/// The files that the installation reads, and those that the app may see.
fn inputs(
    scan: &Scan<'_>,
    modules: &BTreeMap<String, Module>,
    module: &Module,
    work: Option<&(String, Vec<String>)>,
    draft: &mut Draft,
) {
    let used = used_modules(modules, module, work);
    let mut files = Vec::new();
    let mut context: BTreeSet<String> = used.iter().map(|dir| tree_glob(dir)).collect();
    let listed: BTreeSet<&String> = used
        .iter()
        .chain(work.iter().flat_map(|(_, members)| members))
        .collect();
    for dir in listed {
        files.extend([join(dir, "go.mod"), join(dir, "go.sum")]);
    }
    if let Some((root, _)) = work {
        files.extend([join(root, "go.work"), join(root, "go.work.sum")]);
        if scan.repo.has_pruned(&join(root, "vendor")) {
            context.insert(tree_glob(&join(root, "vendor")));
        }
    }
    files.retain(|file| scan.repo.has(file));
    let build = &mut draft.spec.build;
    build.install.files = files.iter().map(|file| literal_glob(file)).collect();
    context.extend(build.install.files.iter().cloned());
    if !context.contains("**") {
        build.context = context.into_iter().collect();
    }
}

/// The module, and those of the repository that it needs, transitively.
fn used_modules(
    modules: &BTreeMap<String, Module>,
    module: &Module,
    work: Option<&(String, Vec<String>)>,
) -> Vec<String> {
    let mut used = BTreeSet::from([module.dir.clone()]);
    let mut queue = vec![module];
    while let Some(module) = queue.pop() {
        for other in modules.values() {
            let in_work = work.is_some_and(|(_, members)| members.contains(&other.dir));
            let is_needed = module.replaced.contains(&other.dir)
                || (in_work && module.requires.contains(&other.name));
            if is_needed && used.insert(other.dir.clone()) {
                queue.push(other);
            }
        }
    }
    used.into_iter().collect()
}

/// Modules that only some may read: where a file of the repository names them in `GOPRIVATE`, Git and a secret are needed.
fn private(scan: &Scan<'_>, module: &Module, draft: &mut Draft) {
    for name in ["Dockerfile", "Makefile", ".envrc", ".env.example"] {
        let file = join(&module.dir, name);
        let Ok(text) = scan.repo.text(&file) else {
            continue;
        };
        let found = text.lines().zip(1..).find_map(|(line, number)| {
            let (before, rest) = line.split_once("GOPRIVATE")?;
            let value = rest.trim_start_matches([':', '=', ' ', '"', '?']);
            let value = value.split([' ', '"', '\\']).next()?.trim();
            let is_value = !value.is_empty() && !value.contains('$') && !before.contains('#');
            is_value.then(|| (number, value.to_owned()))
        });
        let Some((line, value)) = found else { continue };
        let is_used = |pattern: &str| {
            let prefix = pattern.trim_end_matches('*').trim_end_matches('/');
            let prefix = prefix.trim_start_matches("*.");
            module.requires.iter().any(|name| name.contains(prefix))
        };
        if !value.split(',').any(is_used) {
            continue;
        }
        let build = &mut draft.spec.build;
        build.env.insert("GOPRIVATE".to_owned(), value.clone());
        build.packages.extend(scan.catalog.package("git"));
        build.secrets.push(Secret {
            id: "netrc".to_owned(),
            env: None,
            target: Some("/root/.netrc".to_owned()),
        });
        let evidence = Evidence::new("secret", "netrc", "go.private-modules")
            .at(&file, Some(line))
            .written(value)
            .note("modules of these hosts need a login, which `/root/.netrc` gives");
        draft.evidence.push(evidence);
        return;
    }
}

/// Adds the compiler and the libraries of a program that is partly in C.
fn compiler(
    scan: &mut Scan<'_>,
    draft: &mut Draft,
    facts: &Facts,
    target: &Target<'_>,
) -> Result<(), Problem> {
    let Some(import) = &facts.cgo else {
        return Ok(());
    };
    let mut packages = vec!["build-base".to_owned()];
    let flags = target
        .packages
        .iter()
        .flat_map(|package| &package.cgo_flags);
    for flags in flags {
        let (kind, words) = flags.split_once(':').unwrap_or(("", flags.as_str()));
        let is_config = kind.contains("pkg-config");
        if is_config {
            packages.push("pkgconf".to_owned());
        }
        for word in words.split_whitespace() {
            let name = match word.strip_prefix("-l") {
                Some(name) if kind.contains("LDFLAGS") => name,
                _ if is_config && !word.starts_with('-') => word,
                _ => continue,
            };
            // What the C library itself has.
            if matches!(name, "m" | "dl" | "pthread" | "rt" | "c" | "stdc++") {
                continue;
            }
            match development_files(scan, name) {
                Some(package) => packages.push(package),
                None => {
                    let message = format!("links with `{name}`, for which no package is known");
                    scan.warn(&import.file, Some(import.line), message);
                }
            }
        }
    }
    for name in packages {
        let Some(package) = scan.catalog.package(&name) else {
            let message = format!("needs `{name}`, which the index does not have");
            return Err(Problem::new(&import.file, Some(import.line), message));
        };
        if draft.spec.build.packages.contains(&package) {
            continue;
        }
        let evidence = Evidence::new("package", &package, "go.cgo")
            .at(&import.file, Some(import.line))
            .written(import.value.clone());
        draft.evidence.push(evidence);
        draft.spec.build.packages.push(package);
    }
    Ok(())
}

/// The package with the headers of a library.
fn development_files(scan: &Scan<'_>, name: &str) -> Option<String> {
    let plain = name.strip_prefix("lib").unwrap_or(name);
    let unnumbered = plain.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    [
        format!("{name}-dev"),
        format!("lib{plain}-dev"),
        format!("{plain}-dev"),
        format!("{unnumbered}-dev"),
        format!("lib{unnumbered}-dev"),
    ]
    .iter()
    .find_map(|name| scan.catalog.package(name))
}

pub(super) fn run(scan: &Scan<'_>, draft: &mut Draft, facts: &Facts, name: &str) {
    let runtime = &mut draft.spec.runtime;
    let names: &[&str] = if facts.cgo.is_some() {
        &["ca-certificates-bundle", "glibc", "libgcc", "tzdata"]
    } else {
        &["ca-certificates-bundle", "tzdata"]
    };
    let names = names.iter();
    runtime.packages = names
        .filter_map(|name| scan.catalog.package(name))
        .collect();
    runtime.copy = vec![Copy {
        from: format!("/out/{name}"),
        to: name.to_owned(),
    }];
    runtime.command = vec![format!("/app/{name}")];
    for data in &facts.data {
        runtime.copy.push(Copy {
            from: data.value.clone(),
            to: data.value.clone(),
        });
        let evidence = Evidence::new("copy", &data.value, "go.relative-path");
        let evidence = evidence.at(&data.file, Some(data.line));
        draft.evidence.push(evidence);
    }
    if let Some(subcommand) = &facts.subcommand {
        let runtime = &mut draft.spec.runtime;
        runtime.command.push(subcommand.value.clone());
        let evidence = Evidence::new("start", &subcommand.value, "go.subcommand");
        let evidence = evidence.at(&subcommand.file, Some(subcommand.line));
        draft.evidence.push(evidence);
    }
    if draft.spec.metadata.kind != Some(Kind::Web) {
        return;
    }
    match &facts.port {
        Some(port) => draft.listens_on(port, "go.address"),
        None if facts.reads_port => draft.is_given_port(8080),
        None => {}
    }
    if let Some(health) = &facts.health {
        draft.answers(health);
    }
}
