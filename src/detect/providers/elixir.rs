//! Elixir: projects of Mix, with Phoenix, and umbrellas of them.

mod mix;
pub(super) mod requirement;

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{
    Draft, Problem, Provider, Scan, literal_glob, quoted, shown, tree_glob, unavailable,
};
use crate::detect::repo::{is_within, join, resolve};
use crate::detect::source::{self, Fact, Family, File, Source};
use crate::detect::version::{self, Chosen, Tool};
use crate::spec::Kind;
use crate::wolfi::{Pattern, Stream};

use super::{beam, packaged};
use mix::{Mix, Release};

pub(crate) struct Elixir;

const LOOKS_LIKE: &str = "an Elixir project";

const LANGUAGE: Language = Language {
    name: "Elixir",
    build_systems: &["mix"],
    frameworks: &["phoenix"],
    manifests: &["mix.exs"],
};

/// Servers of HTTP, which make an app without Phoenix one of the web.
const SERVERS: &[&str] = &["bandit", "plug_cowboy", "cowboy"];

/// Dependencies that are compiled from C.
const NATIVE: &[&str] = &[
    "argon2_elixir",
    "bcrypt_elixir",
    "exqlite",
    "picosat_elixir",
];

struct Project {
    dir: String,
    mix: Mix,
    /// The projects of its umbrella.
    members: Vec<(String, Mix)>,
}

impl Project {
    /// Where it depends on a package, itself or through a member.
    fn dep(&self, name: &str) -> Option<(&str, u64)> {
        let all = std::iter::once(&self.mix).chain(self.members.iter().map(|(_, mix)| mix));
        all.into_iter()
            .find_map(|mix| Some((mix.file.as_str(), *mix.deps.get(name)?)))
    }
}

impl Provider for Elixir {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let mut found: Vec<(String, Mix)> = Vec::new();
        for dir in scan.dirs_with(&["mix.exs"]) {
            let file = dir.join("mix.exs");
            match scan.repo.text(&file) {
                Ok(text) => found.push((dir.path().to_owned(), Mix::parse(&file, &text))),
                Err(error) => scan.tell(
                    crate::detect::explain::Severity::Error,
                    &file,
                    error.line,
                    error.message,
                    None,
                ),
            }
        }
        for (dir, mix) in &found {
            if passed_over(scan, dir, LOOKS_LIKE, false) {
                continue;
            }
            if let Some(root) = umbrella(&found, dir) {
                let reason = format!("it is a part of the umbrella `{}`", shown(root));
                scan.reject(dir, LOOKS_LIKE, reason);
                continue;
            }
            let members = members(&found, dir, mix);
            let project = Project {
                dir: dir.clone(),
                mix: mix.clone(),
                members,
            };
            match library(&project) {
                Some(reason) => scan.reject(dir, LOOKS_LIKE, reason),
                None => apps(scan, &project),
            }
        }
    }
}

/// The umbrella whose apps lie around `dir`.
fn umbrella<'f>(found: &'f [(String, Mix)], dir: &str) -> Option<&'f str> {
    let roots = found.iter().filter(|(root, _)| root != dir);
    roots
        .filter_map(|(root, mix)| Some((root, resolve(root, &mix.apps_path.as_ref()?.value)?)))
        .find(|(_, apps)| is_within(dir, apps))
        .map(|(root, _)| root.as_str())
}

fn members(found: &[(String, Mix)], dir: &str, mix: &Mix) -> Vec<(String, Mix)> {
    let apps = mix
        .apps_path
        .as_ref()
        .and_then(|path| resolve(dir, &path.value));
    let Some(apps) = apps else {
        return Vec::new();
    };
    let below = found.iter().filter(|(other, _)| is_within(other, &apps));
    below.cloned().collect()
}

fn library(project: &Project) -> Option<String> {
    let mix = &project.mix;
    if mix.apps_path.is_some() || !mix.releases.is_empty() || mix.escript.is_some() {
        return None;
    }
    if mix.module.is_none() {
        return Some(format!("`{}` starts no module: it is a library", mix.file));
    }
    (mix.package.is_some() && project.dep("phoenix").is_none())
        .then(|| format!("`{}` describes a package: it is a library", mix.file))
}

/// One app for every release, or the one that Mix makes without being told.
fn apps(scan: &mut Scan<'_>, project: &Project) {
    let mix = &project.mix;
    let own = mix.app.iter().map(|app| Release {
        name: app.clone(),
        apps: BTreeSet::new(),
    });
    let releases: Vec<Release> = if mix.releases.is_empty() {
        own.collect()
    } else {
        packaged::bounded(scan, &mix.file, mix.releases.clone())
    };
    if mix.apps_path.is_some() && mix.releases.is_empty() {
        let draft = draft(scan, project, None);
        let line = mix.apps_path.as_ref().map(|path| path.line);
        let problem = Problem::new(
            &mix.file,
            line,
            "is an umbrella that names no release, so nothing says which of its apps run together",
        );
        scan.refuse(
            draft,
            problem
                .help("add `releases: [NAME: [applications: [APP: :permanent]]]` to its project"),
        );
        return;
    }
    let assets = join(&project.dir, "assets");
    if scan.repo.has(&join(&assets, "package.json")) {
        scan.claims.insert(assets, LOOKS_LIKE.to_owned());
    }
    let is_single = releases.len() == 1;
    for release in releases {
        // What it does not start does not make it what it is.
        let mut project = Project {
            dir: project.dir.clone(),
            mix: mix.clone(),
            members: project.members.clone(),
        };
        project.members.retain(|(_, member)| {
            let app = member.app.as_ref().map(|app| app.value.as_str());
            release.apps.is_empty() || app.is_some_and(|app| release.apps.contains(app))
        });
        let mut draft = draft(scan, &project, Some(&release.name));
        let name = release.name.value.clone();
        if is_single {
            draft.fallback = Some(name.clone());
        } else {
            draft.target = Some(name.clone());
        }
        match build(scan, &project, &name, &mut draft) {
            Ok(()) => scan.drafts.push(draft),
            Err(problem) => scan.refuse(draft, problem),
        }
    }
}

fn draft(scan: &mut Scan<'_>, project: &Project, release: Option<&Fact<String>>) -> Draft {
    let mix = &project.mix;
    let server = SERVERS.iter().find_map(|name| project.dep(name));
    let phoenix = project.dep("phoenix");
    let kind = match (phoenix.or(server), mix.escript) {
        (Some(_), _) => Kind::Web,
        (None, Some(_)) => Kind::Cli,
        (None, None) => Kind::Worker,
    };
    let mut draft = Draft::new(&project.dir, kind, "elixir", "mix");
    let manifest = Evidence::new("build_system", "mix", "elixir.mix");
    draft.evidence.push(manifest.at(&mix.file, None));
    if let Some(release) = release {
        let found = Evidence::new("entry", &release.value, "elixir.release");
        draft
            .evidence
            .push(found.at(&release.file, Some(release.line)));
    }
    let metadata = &mut draft.spec.metadata;
    metadata.confidence = Some(if phoenix.is_some() { 95 } else { 85 });
    let name = release.map_or("its apps", |release| release.value.as_str());
    metadata.reasoning = Some(format!(
        "`{}` is a project of Mix that runs `{name}`",
        mix.file
    ));
    if let Some((file, line)) = phoenix {
        metadata.framework = Some("phoenix".to_owned());
        let found = Evidence::new("framework", "phoenix", "elixir.dependency");
        draft.evidence.push(found.at(file, Some(line)));
        draft.is_so("elixir.server", Some((file, Some(line), "phoenix")));
    } else if let Some((file, line)) = server {
        let name = SERVERS.iter().find(|name| project.dep(name).is_some());
        let name = name.copied().unwrap_or_default();
        draft.is_so("elixir.server", Some((file, Some(line), name)));
    } else if let Some(line) = mix.escript {
        draft.is_so("elixir.escript", Some((&mix.file, Some(line), "escript:")));
    } else {
        draft.is_so("elixir.no-server", None);
    }
    if kind == Kind::Web {
        web(scan, project, &mut draft);
    }
    draft
}

/// The port and the route that answers.
fn web(scan: &Scan<'_>, project: &Project, draft: &mut Draft) {
    let runtime = join(&project.dir, "config/runtime.exs");
    let port = scan.repo.text(&runtime).ok().and_then(|text| {
        let source = Source::parse(&text, Family::Elixir);
        let (at, _) = source.strings.iter().find(|(_, text)| text == "PORT")?;
        // `System.get_env("PORT") || "4000"` and `System.get_env("PORT", "4000")`.
        let line = source.line(*at);
        let beside = source.strings.iter().find(|(place, _)| place > at)?;
        (source.line(beside.0) == line).then_some(())?;
        Some(Fact {
            value: source::port(&beside.1)?,
            file: runtime.clone(),
            line,
        })
    });
    match port {
        Some(port) => {
            draft.listens_on(&port, "elixir.runtime-config");
            let number = port.value.to_string();
            draft.spec.runtime.env.insert("PORT".to_owned(), number);
        }
        None => draft.is_given_port(4000),
    }
    let files: Vec<File> = source::own(scan.repo, &project.dir, &[], &["ex"], Family::Elixir);
    if let Some(health) = source::health(&files) {
        draft.answers(&health);
    }
}

/// Elixir's names; its streams are packaged for one release of Erlang each, which the prefix has to name.
const ELIXIR: Tool<'_> = Tool {
    name: "Elixir",
    asdf: &["elixir"],
    prefix: "",
    numbers: 2,
    default: None,
    read: requirement::read,
};

/// What asks for Elixir, and what for Erlang.
fn asked(
    scan: &mut Scan<'_>,
    project: &Project,
) -> (Vec<version::Source>, Option<version::Source>) {
    let (mut elixir, mut erlang) = (Vec::new(), Vec::new());
    if let Some(dir) = scan.repo.dir(&project.dir) {
        elixir.extend(scan.tool_versions(dir, &ELIXIR));
        elixir.extend(version::version_files(dir, &[".elixir-version"]));
        erlang.extend(scan.tool_versions(dir, &beam::ERLANG));
        erlang.extend(version::version_files(dir, &[".erlang-version"]));
    }
    elixir.extend(project.mix.elixir.as_ref().map(|asked| version::Source {
        text: asked.value.clone(),
        file: asked.file.clone(),
        line: Some(asked.line),
        rule: "version.mix",
    }));
    (elixir, erlang.into_iter().next())
}

/// The streams of Elixir and Erlang: the first release of Erlang that has the Elixir that is asked for.
fn toolchain(scan: &mut Scan<'_>, project: &Project) -> Result<(Chosen, Stream), Problem> {
    let (elixir, erlang) = asked(scan, project);
    let mut streams = scan.catalog.streams(&Pattern::new("erlang-", 1, ""));
    streams.sort_by_key(|stream| (stream.status, std::cmp::Reverse(stream.numbers.clone())));
    if let Some(asked) = &erlang {
        streams.retain(|stream| {
            (beam::ERLANG.read)(asked).is_ok_and(|want| want.holds(stream.newest.upstream()))
        });
    }
    let mut refusal = None;
    for stream in streams {
        let prefix = format!("erl{}-elixir-", stream.name);
        let packaged = scan.catalog.streams(&Pattern::new(&prefix, 2, ""));
        if packaged.is_empty() {
            continue;
        }
        let tool = Tool {
            prefix: &prefix,
            ..ELIXIR
        };
        match scan.toolchain(&tool, &elixir) {
            Ok(elixir) => return Ok((elixir, stream)),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(match refusal {
        Some(error) => unavailable(&project.mix.file, error),
        None => Problem::new(&project.mix.file, None, "Elixir is not packaged").help(
            "build the image with a Dockerfile whose base has Elixir, until the package index has it",
        ),
    })
}

fn build(
    scan: &mut Scan<'_>,
    project: &Project,
    release: &str,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let mix = &project.mix;
    let (elixir, erlang) = toolchain(scan, project)?;
    draft.evidence.push(elixir.evidence.clone());
    if let (Some(line), true) = (mix.escript, mix.releases.is_empty()) {
        let message =
            "builds an escript, a file that needs an installed Erlang and a shell to start";
        return Err(
            Problem::new(&mix.file, Some(line), message).help("add `releases:` to its project")
        );
    }
    let build = &mut draft.spec.build;
    build.packages = vec![elixir.stream.package.clone(), erlang.package.clone()];
    build.packages.extend(scan.catalog.package("git"));
    if NATIVE.iter().any(|name| project.dep(name).is_some()) {
        build.packages.extend(scan.catalog.package("build-base"));
    }
    build.packages.sort();
    build.env = environment();
    build.install.files = inputs(scan, project);
    build.install.commands = INSTALL
        .iter()
        .map(|command| (*command).to_owned())
        .collect();
    build.cache = vec!["/root/.hex/packages".to_owned()];
    let mut commands = vec!["mix compile".to_owned()];
    for alias in ["assets.setup", "assets.deploy"] {
        if mix.aliases.contains(alias) {
            commands.push(format!("mix {alias}"));
        }
    }
    commands.push(format!(
        "mix release {} --path {}",
        quoted(release),
        quoted(&format!("/out/{release}"))
    ));
    commands.push(beam::link(release));
    build.commands = commands;
    if !project.dir.is_empty() {
        build.context = vec![tree_glob(&project.dir)];
    }
    let elixir = ["-s", "elixir", "start_cli"];
    let command = beam::erlexec("start", &elixir, &["-extra", "--no-halt"]);
    beam::ship(scan, release, command, draft);
    if project.dep("phoenix").is_some() {
        let server = ("PHX_SERVER".to_owned(), "true".to_owned());
        draft.spec.runtime.env.extend([server]);
    }
    migrations(scan, project, draft);
    front_end(scan, project, draft);
    Ok(())
}

/// What fetches and compiles the dependencies.
const INSTALL: &[&str] = &[
    "mix local.hex --force",
    "mix local.rebar --force",
    "mix deps.get --only prod",
    "mix deps.compile",
];

fn environment() -> BTreeMap<String, String> {
    [
        ("HEX_HOME", "/root/.hex"),
        ("LANG", "C.UTF-8"),
        ("MIX_ENV", "prod"),
        ("MIX_HOME", "/root/.mix"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// What the dependencies are made from: manifests, the lock file, and the configuration of the compilation.
fn inputs(scan: &Scan<'_>, project: &Project) -> Vec<String> {
    let mut files: BTreeSet<String> = BTreeSet::new();
    let names = [
        "mix.exs",
        "mix.lock",
        "config/config.exs",
        "config/prod.exs",
    ];
    files.extend(names.iter().map(|name| join(&project.dir, name)));
    // An umbrella resolves the dependencies of all its members, whatever a release starts.
    let members = project
        .mix
        .apps_path
        .as_ref()
        .and_then(|path| resolve(&project.dir, &path.value));
    if let Some(apps) = members {
        let dirs = scan.dirs_with(&["mix.exs"]);
        let inside = dirs.iter().filter(|dir| is_within(dir.path(), &apps));
        files.extend(inside.map(|dir| dir.join("mix.exs")));
    }
    files.retain(|file| scan.repo.has(file));
    files.iter().map(|file| literal_glob(file)).collect()
}

/// Phoenix's own way to migrate: `MyApp.Release.migrate`.
fn migrations(scan: &Scan<'_>, project: &Project, draft: &mut Draft) {
    let files = source::own(scan.repo, &project.dir, &[], &["ex"], Family::Elixir);
    for file in files
        .iter()
        .filter(|file| file.path.ends_with("/release.ex"))
    {
        let (Some(at), Some(_)) = (
            file.source.find("defmodule "),
            file.source.find("def migrate"),
        ) else {
            continue;
        };
        let name = file.source.code[at + "defmodule ".len()..]
            .split_whitespace()
            .next();
        let name = name.unwrap_or_default();
        let call = format!("{name}.migrate");
        let elixir = ["-s", "elixir", "start_cli"];
        let argv = beam::erlexec("start_clean", &elixir, &["-extra", "--eval", &call]);
        let found = Evidence::new("process", &call, "elixir.release-module").written(name);
        draft
            .evidence
            .push(found.at(&file.path, Some(file.source.line(at))));
        draft
            .spec
            .runtime
            .processes
            .insert("release".to_owned(), argv);
        return;
    }
}

/// Packages of npm that Phoenix's bundler reads.
fn front_end(scan: &Scan<'_>, project: &Project, draft: &mut Draft) {
    let assets = join(&project.dir, "assets");
    let manifest = join(&assets, "package.json");
    if !scan.repo.has(&manifest) {
        return;
    }
    let has_lock = scan.repo.has(&join(&assets, "package-lock.json"));
    let command = if has_lock {
        "npm ci --prefix assets"
    } else {
        "npm install --prefix assets"
    };
    let build = &mut draft.spec.build;
    build.packages.extend(
        ["nodejs", "npm"]
            .iter()
            .filter_map(|name| scan.catalog.package(name)),
    );
    build.commands.insert(0, command.to_owned());
    let found = Evidence::new("assets", command, "elixir.assets");
    draft.evidence.push(found.at(&manifest, None));
}
