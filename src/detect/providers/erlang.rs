//! Erlang: releases of rebar3.

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{
    Draft, Problem, Provider, Scan, literal_glob, tree_glob, unavailable,
};
use crate::detect::repo::{join, resolve};
use crate::detect::source::{self, Fact, Family, File, Source};
use crate::detect::version::{self, Chosen, Unavailable};
use crate::spec::Kind;
use crate::wolfi::Pattern;

use super::{beam, packaged};

pub(crate) struct Erlang;

const LOOKS_LIKE: &str = "an Erlang project";

const LANGUAGE: Language = Language {
    name: "Erlang",
    build_systems: &["rebar3"],
    frameworks: &[],
    manifests: &["rebar.config"],
};

/// Calls that make a program listen.
const LISTEN: &[&str] = &[
    "cowboy:start_clear(",
    "elli:start_link(",
    "gen_tcp:listen(",
    "mochiweb_http:start(",
    "ranch:start_listener(",
];

/// What `rebar.config` says.
struct Config {
    file: String,
    source: Source,
}

impl Config {
    /// The names of the releases, with their lines.
    fn releases(&self) -> Vec<Fact<String>> {
        const OPEN: &str = "{release, {";
        let all = self.source.all(OPEN);
        all.map(|at| {
            let at = at + OPEN.len();
            let name = self.source.code[at..].split([',', '}']).next();
            Fact {
                value: name.unwrap_or_default().trim().to_owned(),
                file: self.file.clone(),
                line: self.source.line(at),
            }
        })
        .filter(|fact| {
            let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
            !fact.value.is_empty() && fact.value.chars().all(is_name)
        })
        .collect()
    }

    /// The string behind a key, with its line.
    fn text(&self, key: &str) -> Option<(String, u64)> {
        let at = self.source.find(key)?;
        let text = self.source.string_at(at + key.len())?;
        Some((text.to_owned(), self.source.line(at)))
    }

    fn has_deps(&self) -> bool {
        let list = self
            .source
            .find("{deps, [")
            .map(|at| &self.source.code[at + 8..]);
        list.is_some_and(|list| !list.trim_start().starts_with(']'))
    }
}

impl Provider for Erlang {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let mut found: Vec<(String, Config, Vec<Fact<String>>)> = Vec::new();
        for dir in scan.dirs_with(&["rebar.config"]) {
            let path = dir.path();
            // A project of Mix may keep one for its dependencies.
            if dir.has("mix.exs") || passed_over(scan, path, LOOKS_LIKE, false) {
                continue;
            }
            let file = dir.join("rebar.config");
            let Ok(text) = scan.repo.text(&file) else {
                continue;
            };
            let source = Source::parse(&text, Family::Erlang);
            let config = Config { file, source };
            let releases = packaged::bounded(scan, &config.file, config.releases());
            if releases.is_empty() {
                let reason = format!(
                    "`{}` names no release: it is a library or a tool",
                    config.file
                );
                scan.reject(path, LOOKS_LIKE, reason);
                continue;
            }
            found.push((path.to_owned(), config, releases));
        }
        let all: Vec<String> = found.iter().map(|(path, ..)| path.clone()).collect();
        for (path, config, releases) in &found {
            let others: Vec<String> = all.iter().filter(|other| *other != path).cloned().collect();
            for release in releases {
                app(scan, path, &others, config, release, releases.len() == 1);
            }
        }
    }
}

fn app(
    scan: &mut Scan<'_>,
    path: &str,
    others: &[String],
    config: &Config,
    release: &Fact<String>,
    is_single: bool,
) {
    let files = source::own(scan.repo, path, others, &["erl"], Family::Erlang);
    let listens = files.iter().find_map(|file| {
        let (call, at) = LISTEN
            .iter()
            .find_map(|call| Some((*call, file.source.find(call)?)))?;
        Some((call.trim_end_matches('('), file, file.source.line(at)))
    });
    let kind = if listens.is_some() {
        Kind::Web
    } else {
        Kind::Worker
    };
    let mut draft = Draft::new(path, kind, "erlang", "rebar3");
    let name = release.value.clone();
    if is_single {
        draft.fallback = Some(name.clone());
    } else {
        draft.target = Some(name.clone());
    }
    let manifest = Evidence::new("build_system", "rebar3", "erlang.rebar");
    draft.evidence.push(manifest.at(&config.file, None));
    let entry = Evidence::new("entry", &name, "erlang.release");
    draft
        .evidence
        .push(entry.at(&config.file, Some(release.line)));
    let metadata = &mut draft.spec.metadata;
    metadata.confidence = Some(90);
    metadata.reasoning = Some(format!("`{}` names the release `{name}`", config.file));
    if let Some((call, file, line)) = listens {
        draft.is_so("erlang.listens", Some((&file.path, Some(line), call)));
        listen(&files, &mut draft);
    } else {
        draft.is_so("erlang.nothing-listens", None);
    }
    match build(scan, path, config, &name, &mut draft) {
        Ok(()) => scan.drafts.push(draft),
        Err(problem) => scan.refuse(draft, problem),
    }
}

/// The port beside a read of `PORT`, and the route that answers.
fn listen(files: &[File], draft: &mut Draft) {
    let port = files.iter().find_map(|file| {
        let mut strings = file.source.strings.iter();
        let (at, _) = strings.find(|(_, text)| text == "PORT")?;
        let (beside, text) = strings.next()?;
        let line = file.source.line(*at);
        (file.source.line(*beside) == line).then_some(())?;
        let value = source::port(text)?;
        Some(Fact {
            value,
            file: file.path.clone(),
            line,
        })
    });
    match port {
        Some(port) => {
            draft.listens_on(&port, "erlang.port");
            let number = port.value.to_string();
            draft.spec.runtime.env.insert("PORT".to_owned(), number);
        }
        None => draft.is_given_port(8080),
    }
    if let Some(health) = source::health(files) {
        draft.answers(&health);
    }
}

/// The release of OTP, among those that rebar3 is packaged for.
fn toolchain(
    scan: &mut Scan<'_>,
    path: &str,
    config: &Config,
) -> Result<(Chosen, String), Problem> {
    let mut sources = Vec::new();
    if let Some(dir) = scan.repo.dir(path) {
        sources.extend(scan.tool_versions(dir, &beam::ERLANG));
        sources.extend(version::version_files(dir, &[".erlang-version"]));
    }
    sources.extend(
        config
            .text("{minimum_otp_vsn,")
            .map(|(text, line)| version::Source {
                text,
                file: config.file.clone(),
                line: Some(line),
                rule: "version.minimum",
            }),
    );
    let streams = scan.catalog.streams(&Pattern::new("erlang-", 1, ""));
    let without: Vec<Vec<u64>> = streams
        .iter()
        .filter(|stream| !scan.catalog.has(&format!("erl{}-rebar3", stream.name)))
        .map(|stream| stream.numbers.clone())
        .collect();
    if without.len() == streams.len() {
        let message = "rebar3 is not packaged for any release of Erlang";
        return Err(Problem::new(&config.file, None, message));
    }
    let missing = |error: Unavailable| unavailable(&config.file, error);
    let chosen =
        version::choose_except(scan.catalog, &beam::ERLANG, &sources, &without).map_err(missing)?;
    for (file, line, message) in &chosen.warnings {
        scan.warn(file, *line, message.clone());
    }
    let rebar = beam::companion(scan, &chosen, "rebar3").ok_or_else(|| {
        let message = format!("rebar3 is not packaged for `{}`", chosen.stream.package);
        Problem::new(&config.file, None, message)
    })?;
    Ok((chosen, rebar))
}

fn build(
    scan: &mut Scan<'_>,
    path: &str,
    config: &Config,
    release: &str,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let (erlang, rebar) = toolchain(scan, path, config)?;
    draft.evidence.push(erlang.evidence.clone());
    for key in ["{sys_config_src,", "{vm_args_src,"] {
        if let Some((text, line)) = config.text(key) {
            let message =
                format!("has `{text}` filled in at every start by a script that needs a shell");
            return Err(Problem::new(&config.file, Some(line), message).help(
                "use `sys_config` and `vm_args`, and read the environment with `os:getenv`",
            ));
        }
    }
    let package = &erlang.stream.package;
    let build = &mut draft.spec.build;
    build.packages = vec![rebar, package.clone()];
    build
        .packages
        .extend(scan.catalog.package(&format!("{package}-dev")));
    build.packages.sort();
    if config.has_deps() {
        let files = ["rebar.config", "rebar.lock"].map(|name| join(path, name));
        let files = files.iter().filter(|file| scan.repo.has(file));
        build.install.files = files.map(|file| literal_glob(file)).collect();
        build.install.commands = vec!["rebar3 as prod compile --deps_only".to_owned()];
        build.packages.extend(scan.catalog.package("git"));
        build.cache = vec!["/root/.cache/rebar3".to_owned()];
    }
    build.commands = vec![format!(
        "rebar3 as prod release -n {release} --dev-mode false --include-erts true -o /out"
    )];
    if !path.is_empty() {
        build.context = vec![tree_glob(path)];
    }
    build.commands.push(beam::link(release));
    distribution(scan, path, config);
    // A node of a cluster would start a daemon of its own, through a shell; relx makes a node where it is not told.
    draft.spec.build.commands.push(format!(
            "sed -i -e '/^-s\\{{0,1\\}}name /d' -e '/^-setcookie /d' /out/{release}/releases/current/vm.args"
    ));
    let command = beam::erlexec("start", &[], &[]);
    beam::ship(scan, release, command, draft);
    Ok(())
}

/// Says where the flags of the machine make it a node of a cluster.
fn distribution(scan: &mut Scan<'_>, path: &str, config: &Config) {
    let file = config
        .text("{vm_args,")
        .and_then(|(text, _)| resolve(path, &text));
    let Some(file) = file else { return };
    let Ok(text) = scan.repo.text(&file) else {
        return;
    };
    let mut lines = text.lines().zip(1..);
    let named = lines.find(|(line, _)| line.starts_with("-name ") || line.starts_with("-sname "));
    if let Some((line, number)) = named {
        let message = format!("`{line}` is left out: the image has no shell to start `epmd` with");
        scan.warn(&file, Some(number), message);
    }
}
