//! What of a Ruby app is shipped, and how it runs.

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Scan};
use crate::detect::repo::{is_within, join};
use crate::detect::source::{self, Family};
use crate::detect::version::Chosen;
use crate::spec::{Copy, Health, Kind};

use super::build::{bundler_package, owned, settings};
use super::start::{self, Start};
use super::{BUNDLE, Project, native};

/// Names that are not shipped.
const LEFT_OUT: &[&str] = &[
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "Makefile",
    "Procfile",
    "Procfile.dev",
    "README.md",
    "app.json",
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docs",
    "examples",
    "log",
    "node_modules",
    "package-lock.json",
    "package.json",
    "peelbox.yaml",
    "pnpm-lock.yaml",
    "spec",
    "storage",
    "test",
    "tmp",
    "universalbuild.json",
    "universalbuild.yaml",
    "yarn.lock",
];

pub(super) fn run(
    scan: &mut Scan<'_>,
    project: &Project,
    start: &Start,
    chosen: &Chosen,
    native: &native::Native,
    draft: &mut Draft,
) {
    let mut packages = vec![chosen.stream.package.clone()];
    packages.extend(
        project
            .gemfile
            .as_ref()
            .and_then(|_| bundler_package(scan, chosen)),
    );
    for name in ["ca-certificates-bundle", "tzdata"] {
        packages.extend(scan.catalog.package(name));
    }
    packages.extend(native.runtime.iter().cloned());
    packages.sort();
    packages.dedup();
    let writable: &[&str] = if project.framework == Some("rails") {
        &[
            "log",
            "storage",
            "tmp",
            "tmp/cache",
            "tmp/pids",
            "tmp/sockets",
        ]
    } else {
        &[]
    };
    if start.kind == Kind::Web {
        let files = source::own(
            scan.repo,
            &project.dir,
            &project.others,
            &["rb", "ru"],
            Family::Ruby,
        );
        answers(&files, draft);
    }
    for dir in writable {
        let found = Evidence::new("writable", *dir, "ruby.rails-writes");
        draft.evidence.push(found);
    }
    let runtime = &mut draft.spec.runtime;
    runtime.writable = writable.iter().map(|dir| (*dir).to_owned()).collect();
    runtime.packages = packages;
    runtime.env.extend(owned(&environment(project)));
    runtime.command.clone_from(&start.command);
    runtime.copy = shipped(scan, project);
}

fn environment(project: &Project) -> Vec<(&'static str, &'static str)> {
    let mut env = vec![
        ("APP_ENV", "production"),
        ("LANG", "C.UTF-8"),
        ("RACK_ENV", "production"),
    ];
    if project.gemfile.is_some() {
        env.extend(settings());
        // Nothing is to be written at a start, not even the lock file that the build made.
        let is_locked = project.lock.is_some();
        env.push((
            if is_locked {
                "BUNDLE_DEPLOYMENT"
            } else {
                "BUNDLE_FROZEN"
            },
            "1",
        ));
    }
    let own: &[(&str, &str)] = match project.framework {
        Some("rails") => &[
            ("BOOTSNAP_READONLY", "1"),
            ("RAILS_ENV", "production"),
            ("RAILS_LOG_TO_STDOUT", "1"),
            ("RAILS_SERVE_STATIC_FILES", "1"),
        ],
        Some("hanami") => &[
            ("HANAMI_ENV", "production"),
            ("HANAMI_SERVE_ASSETS", "true"),
        ],
        _ => &[],
    };
    env.extend(own);
    env
}

/// Declares the route that answers; Rails writes its own without the slash: `get "up" => "rails/health#show"`.
fn answers(files: &[source::File], draft: &mut Draft) {
    let routes = files
        .iter()
        .find(|file| file.path.ends_with("config/routes.rb"));
    let rails = routes.and_then(|file| {
        let (at, _) = file.source.strings.iter().find(|(_, text)| text == "up")?;
        Some((file, file.source.line(*at)))
    });
    let Some((file, line)) = rails else {
        if let Some(health) = source::health(files) {
            draft.answers(&health);
        }
        return;
    };
    draft.spec.runtime.health = Some(Health {
        endpoint: "/up".to_owned(),
    });
    let found = Evidence::new("health", "/up", "ruby.rails-health").written("up");
    draft.evidence.push(found.at(&file.path, Some(line)));
}

fn shipped(scan: &Scan<'_>, project: &Project) -> Vec<Copy> {
    let Some(dir) = scan.repo.dir(&project.dir) else {
        return Vec::new();
    };
    let is_wanted = |name: &&crate::detect::repo::Name| {
        let is_hidden = name.starts_with('.') && *name != ".ruby-version";
        !is_hidden && !LEFT_OUT.contains(&name.as_str()) && !source::is_test_file(name)
    };
    let is_other = |name: &&crate::detect::repo::Name| {
        let path = dir.join(name);
        let holds = |other: &String| is_within(other, &path);
        project.others.iter().any(holds) && !project.paths.iter().any(holds)
    };
    let mut names: BTreeSet<String> = dir
        .files()
        .iter()
        .filter(is_wanted)
        .map(ToString::to_string)
        .collect();
    let dirs = dir.dirs().iter().filter(is_wanted);
    names.extend(dirs.filter(|name| !is_other(name)).map(ToString::to_string));
    if scan.repo.has_pruned(&dir.join("vendor")) {
        names.insert("vendor".to_owned());
    }
    if project.gemfile.is_some() && project.lock.is_none() {
        // Bundler writes it, and reads it again at every start.
        names.insert("Gemfile.lock".to_owned());
    }
    let mut copies: Vec<Copy> = names
        .into_iter()
        .map(|name| Copy {
            from: name.clone(),
            to: name,
        })
        .collect();
    if project.gemfile.is_some() {
        copies.push(Copy {
            from: BUNDLE.to_owned(),
            to: BUNDLE.to_owned(),
        });
    }
    copies
}

/// The other processes of the Procfile, and the migrations of Rails.
pub(super) fn processes(scan: &mut Scan<'_>, project: &Project, start: &Start, draft: &mut Draft) {
    let hints = scan.hints(&project.dir);
    for (name, line) in hints.processes.iter().filter(|(name, _)| *name != "web") {
        match start::resolve(scan, project, &line.value, start.usual_port) {
            Ok(argv) if argv != start.command => {
                let found = Evidence::new("process", argv.join(" "), "hint.procfile");
                let found = found.written(&line.value).at(&line.file, Some(line.line));
                draft.evidence.push(found);
                draft.spec.runtime.processes.insert(name.clone(), argv);
            }
            Ok(_) => {}
            Err(reason) => {
                let message = format!("the process `{name}` is left out: {reason}");
                scan.warn(&line.file, Some(line.line), message);
            }
        }
    }
    let migrations = join(&project.dir, "db/migrate");
    let has_migrations = scan
        .repo
        .dir(&migrations)
        .is_some_and(|dir| !dir.files().is_empty());
    let has_program = scan.repo.has(&join(&project.dir, "bin/rails"));
    let processes = &mut draft.spec.runtime.processes;
    if project.framework == Some("rails")
        && has_migrations
        && has_program
        && !processes.contains_key("release")
    {
        let argv = [start::RUBY, "/app/bin/rails", "db:migrate"]
            .map(str::to_owned)
            .to_vec();
        let mut found = Evidence::new("process", argv.join(" "), "ruby.migrations");
        found.note =
            Some("it is run once before a release, never by the build or at start".to_owned());
        draft.evidence.push(found.at(&migrations, None));
        processes.insert("release".to_owned(), argv);
    }
}
