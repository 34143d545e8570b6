//! The other processes of a PHP app: workers, and what is run once before a release.

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Scan};
use crate::detect::repo::join;
use crate::detect::start;

use super::{Project, Start, server};

/// Adds the processes of the Procfile, and the framework's migrations.
pub(super) fn add(scan: &mut Scan<'_>, project: &Project, start: &Start, draft: &mut Draft) {
    let hints = scan.hints(&project.dir);
    for (name, line) in &hints.processes {
        let argv = resolve(&line.value, start);
        let argv = match argv {
            Ok(argv) => argv,
            Err(reason) => {
                let message = format!("the process `{name}` is left out: {reason}");
                scan.warn(&line.file, Some(line.line), message);
                continue;
            }
        };
        let field = if name == "web" { "start" } else { "process" };
        let found = Evidence::new(field, argv.join(" "), "hint.procfile");
        let found = found.written(&line.value).at(&line.file, Some(line.line));
        draft.evidence.push(found);
        if name != "web" {
            draft.spec.runtime.processes.insert(name.clone(), argv);
        }
    }
    if draft.spec.runtime.processes.contains_key("release") {
        return;
    }
    let Some((place, argv)) = migrations(scan, project) else {
        return;
    };
    let mut found = Evidence::new("process", argv.join(" "), "php.migrations");
    found.note = Some("it is run once before a release, never by the build or at start".to_owned());
    draft.evidence.push(found.at(&place, None));
    draft
        .spec
        .runtime
        .processes
        .insert("release".to_owned(), argv);
}

/// The command that brings the database up to date.
fn migrations(scan: &Scan<'_>, project: &Project) -> Option<(String, Vec<String>)> {
    let name = project.framework?.name;
    let (dir, words): (&str, &[&str]) = match name {
        "laravel" => ("database/migrations", &["artisan", "migrate", "--force"]),
        "symfony" if project.requires("doctrine/doctrine-migrations-bundle") => (
            "migrations",
            &[
                "bin/console",
                "doctrine:migrations:migrate",
                "--no-interaction",
            ],
        ),
        _ => return None,
    };
    let place = join(&project.dir, dir);
    scan.repo
        .dir(&place)
        .filter(|dir| !dir.files().is_empty())?;
    Some((place, php(words)))
}

fn php(words: &[&str]) -> Vec<String> {
    let mut argv = vec!["/usr/bin/php".to_owned(), format!("/app/{}", words[0])];
    argv.extend(words[1..].iter().map(|word| (*word).to_owned()));
    argv
}

/// A line of a Procfile as the image can run it.
fn resolve(line: &str, start: &Start) -> Result<Vec<String>, String> {
    let commands = start::parse(line).map_err(|refusal| refusal.to_string())?;
    let [command] = commands.as_slice() else {
        return Err(format!("`{line}` is more than one command"));
    };
    let port = |name: &str| (name == "PORT").then(|| server::PORT.to_string());
    let words: Result<Vec<String>, _> = command
        .words
        .iter()
        .map(|word| word.expand(&port))
        .collect();
    let words = words.map_err(|refusal| refusal.to_string())?;
    let Some((program, arguments)) = words.split_first() else {
        return Err("it is empty".to_owned());
    };
    let base = program.rsplit('/').next().unwrap_or(program);
    // The servers of the platform where Procfiles come from: the image's own takes their place.
    if base.starts_with("heroku-php-") && start.site.is_some() {
        return Ok(server::command());
    }
    if base == "php" {
        if arguments.iter().any(|word| word == "-S" || word == "serve") {
            return Err(format!("`{line}` is a development server"));
        }
        let mut argv = vec!["/usr/bin/php".to_owned()];
        argv.extend(arguments.iter().cloned());
        return Ok(argv);
    }
    if program.contains('/') || base == "artisan" {
        let mut argv = vec![
            "/usr/bin/php".to_owned(),
            program.trim_start_matches("./").to_owned(),
        ];
        argv.extend(arguments.iter().cloned());
        return Ok(argv);
    }
    Err(format!("`{program}` is not in the image"))
}
