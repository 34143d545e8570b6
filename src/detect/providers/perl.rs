//! Perl: PSGI apps, Mojolicious apps and scripts beside a `cpanfile`.

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::provider::{Draft, Problem, Provider, Scan, literal_glob};
use crate::detect::repo::Dir;
use crate::detect::source::{Fact, Family, Source};
use crate::spec::{Copy, Kind};

use super::packaged::{self, Calls};

pub(crate) struct Perl;

const LANGUAGE: Language = Language {
    name: "Perl",
    build_systems: &["cpanm"],
    frameworks: &["catalyst", "dancer2", "mojolicious", "plack"],
    manifests: &["Makefile.PL", "app.psgi", "cpanfile"],
};

const LOOKS_LIKE: &str = "a Perl project";

/// Modules by the framework whose they are, best first.
const FRAMEWORKS: &[(&str, &str)] = &[
    ("Mojolicious", "mojolicious"),
    ("Dancer2", "dancer2"),
    ("Catalyst", "catalyst"),
    ("Plack", "plack"),
];

const CALLS: Calls = Calls {
    manifests: LANGUAGE.manifests,
    listen: &[
        ("IO::Socket::INET->new(", None),
        ("IO::Socket::IP->new(", None),
        ("HTTP::Daemon->new(", None),
    ],
    ports: &["LocalPort"],
    defaults: &[],
};

/// Where modules are installed.
const LOCAL: &str = "/app/local";

impl Provider for Perl {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in packaged::candidates(scan, LANGUAGE.manifests, LOOKS_LIKE) {
            match entry(dir) {
                Some(entry) => app(scan, dir, &entry),
                None => {
                    let reason = "it has no `app.psgi`, `app.pl` or `main.pl`: it is a library";
                    scan.reject(dir.path(), LOOKS_LIKE, reason);
                }
            }
        }
    }
}

/// The file that starts the app.
fn entry(dir: Dir<'_>) -> Option<String> {
    let first = dir.first(&["app.psgi", "app.pl", "main.pl", "server.pl"]);
    if let Some(name) = first {
        return Some(name.to_owned());
    }
    let script = dir.below("script")?;
    let name = script.files().iter().find(|name| {
        script
            .text(name)
            .is_ok_and(|text| text.contains("Mojolicious::Commands"))
    })?;
    Some(format!("script/{name}"))
}

/// The modules that the `cpanfile` requires for the run, with their lines.
fn modules(dir: Dir<'_>) -> Vec<(u64, String)> {
    let Ok(text) = dir.text("cpanfile") else {
        return Vec::new();
    };
    let source = Source::parse(&text, Family::Ruby);
    let (mut seen, mut open, mut closed) = (0, 0, 0);
    let required = source.all("requires").filter_map(|at| {
        // A block is of another phase, such as the tests.
        open += source.code[seen..at].matches('{').count();
        closed += source.code[seen..at].matches('}').count();
        seen = at;
        let is_open = open > closed;
        let name = source.string_at(at + "requires".len())?;
        (!is_open && name != "perl").then(|| (source.line(at), name.to_owned()))
    });
    required.collect()
}

fn app(scan: &mut Scan<'_>, dir: Dir<'_>, entry: &str) {
    let modules = modules(dir);
    let framework = FRAMEWORKS
        .iter()
        .find_map(|(module, name)| Some((required(&modules, module)?, *name)));
    let facts = packaged::facts(scan, dir.path(), &["pl", "psgi"], Family::Ruby, &CALLS);
    let is_web = framework.is_some() || entry.ends_with(".psgi");
    let kind = if is_web { Kind::Web } else { facts.kind() };
    let mut draft = Draft::new(dir.path(), kind, "perl", "cpanm");
    let first = dir.first(&["cpanfile", "Makefile.PL", "app.psgi"]);
    let manifest = dir.join(first.unwrap_or(entry));
    let place = dir.join(entry);
    draft
        .evidence
        .push(Evidence::new("entry", entry, "perl.script").at(&place, None));
    if let Some(((line, module), _)) = &framework {
        draft.is_so("perl.cpanfile", Some((&manifest, Some(*line), module)));
    } else if is_web {
        draft.is_so("perl.psgi", Some((&place, None, entry)));
    } else {
        facts.tell(&mut draft, &CALLS, &format!("`{entry}` is a Perl script"));
    }
    let metadata = &mut draft.spec.metadata;
    metadata.confidence = Some(80);
    if is_web {
        metadata.reasoning = Some(format!("`{entry}` starts a Perl app"));
    }
    if let Some(((line, module), name)) = &framework {
        metadata.framework = Some((*name).to_owned());
        let found = Evidence::new("framework", *name, "perl.cpanfile");
        draft
            .evidence
            .push(found.at(&manifest, Some(*line)).written(module));
    }
    let is_mojolicious = framework.is_some_and(|(_, name)| name == "mojolicious");
    let problem = start(
        &mut draft,
        &modules,
        entry,
        &place,
        &manifest,
        is_mojolicious,
    );
    let found = build(scan, dir, &mut draft, &manifest, &modules);
    packaged::finish(scan, draft, problem.or(found));
}

/// The requirement of a module or of one below it.
fn required(modules: &[(u64, String)], name: &str) -> Option<(u64, String)> {
    let below = format!("{name}::");
    let mut modules = modules.iter();
    let found = modules.find(|(_, module)| module == name || module.starts_with(&below))?;
    Some(found.clone())
}

/// Sets the command, with a server that is made for production, and its port.
fn start(
    draft: &mut Draft,
    modules: &[(u64, String)],
    entry: &str,
    place: &str,
    manifest: &str,
    is_mojolicious: bool,
) -> Option<Problem> {
    let script = format!("/app/{entry}");
    let plackup = format!("{LOCAL}/bin/plackup");
    let mut words: Vec<&str> = vec!["/usr/bin/perl"];
    let servers = ["Starman", "Starlet", "Twiggy", "Gazelle"];
    let server = servers.iter().find_map(|name| required(modules, name));
    let port = if entry.ends_with(".psgi") {
        let Some((line, server)) = &server else {
            let message =
                "no server for it is in the `cpanfile`: that of `plackup` is for development";
            let help = "add `requires 'Starman';` to the `cpanfile`";
            return Some(Problem::new(place, None, message).help(help));
        };
        draft
            .evidence
            .push(Evidence::new("server", server, "perl.cpanfile").at(manifest, Some(*line)));
        words.extend([
            &plackup,
            "-E",
            "deployment",
            "-s",
            server,
            "--port",
            "5000",
            &script,
        ]);
        Some(5000)
    } else if is_mojolicious {
        words.extend([
            &script,
            "prefork",
            "-m",
            "production",
            "-l",
            "http://*:3000",
        ]);
        Some(3000)
    } else {
        words.push(&script);
        None
    };
    draft.spec.runtime.command = words.into_iter().map(str::to_owned).collect();
    if let Some(value) = port {
        let port = Fact {
            value,
            file: String::new(),
            line: 0,
        };
        draft.listens_on(&port, "");
    }
    None
}

fn build(
    scan: &Scan<'_>,
    dir: Dir<'_>,
    draft: &mut Draft,
    manifest: &str,
    modules: &[(u64, String)],
) -> Option<Problem> {
    packaged::packages(scan, draft, &["ca-certificates-bundle", "perl"]);
    let runtime = &mut draft.spec.runtime;
    runtime.copy = vec![Copy {
        from: ".".to_owned(),
        to: "/app".to_owned(),
    }];
    let mut problem = packaged::toolchain(scan, draft, manifest, "Perl", &["perl"]);
    if modules.is_empty() {
        return problem;
    }
    let tools = ["build-base", "perl-app-cpanminus", "perl-dev"];
    problem = problem.or(packaged::toolchain(scan, draft, manifest, "cpanm", &tools));
    let build = &mut draft.spec.build;
    build.install.files = ["cpanfile", "cpanfile.snapshot"]
        .iter()
        .filter(|name| dir.has(name))
        .map(|name| literal_glob(&dir.join(name)))
        .collect();
    build.install.commands = vec![format!(
        "cpanm --notest --local-lib-contained {LOCAL} --installdeps ."
    )];
    build
        .env
        .insert("PERL_CPANM_HOME".to_owned(), "/root/.cpanm".to_owned());
    build.cache = vec!["/root/.cpanm".to_owned()];
    let runtime = &mut draft.spec.runtime;
    runtime
        .env
        .insert("PERL5LIB".to_owned(), format!("{LOCAL}/lib/perl5:/app/lib"));
    runtime.copy.push(Copy {
        from: LOCAL.to_owned(),
        to: LOCAL.to_owned(),
    });
    problem
}
