//! Shell scripts that are all there is: `start.sh`.

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::provider::{Draft, Problem, Provider, Scan, shown};
use crate::detect::repo::{Dir, is_within};
use crate::spec::{Copy, Kind};

use super::packaged;

pub(crate) struct Shell;

const LANGUAGE: Language = Language {
    name: "Shell",
    build_systems: &["shell"],
    frameworks: &[],
    manifests: &["start.sh"],
};

const LOOKS_LIKE: &str = "a shell script";

/// The script that is an app by its name.
const SCRIPT: &str = "start.sh";

/// Shells, the package of each, and where it has the shell.
const SHELLS: &[(&str, &str, &str)] = &[
    ("ash", "busybox", "/bin/sh"),
    ("bash", "bash", "/bin/bash"),
    ("sh", "busybox", "/bin/sh"),
];

impl Provider for Shell {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn looks_at_others(&self) -> bool {
        true
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in packaged::candidates(scan, &[SCRIPT], LOOKS_LIKE) {
            if let Some(reason) = owned(scan, dir) {
                scan.reject(dir.path(), LOOKS_LIKE, reason);
                continue;
            }
            app(scan, dir);
        }
    }
}

/// What the script starts or belongs to, where that is an app of its own.
fn owned(scan: &Scan<'_>, dir: Dir<'_>) -> Option<String> {
    let path = dir.path();
    if let Some(app) = scan.drafts.iter().find(|app| is_within(path, &app.path)) {
        return Some(format!(
            "`{SCRIPT}` belongs to the app in `{}`",
            shown(&app.path)
        ));
    }
    if let Some(app) = scan.drafts.iter().find(|app| is_within(&app.path, path)) {
        return Some(format!(
            "`{SCRIPT}` stands above the app in `{}`",
            shown(&app.path)
        ));
    }
    let mut rejected = scan.rejected.iter();
    let other = rejected.find(|rejected| rejected.path == shown(path))?;
    Some(format!(
        "`{SCRIPT}` belongs to what is {} there",
        other.looked_like
    ))
}

fn app(scan: &mut Scan<'_>, dir: Dir<'_>) {
    let file = dir.join(SCRIPT);
    let text = match dir.text(SCRIPT) {
        Ok(text) => text,
        Err(error) => {
            scan.reject(
                dir.path(),
                LOOKS_LIKE,
                format!("`{SCRIPT}` {}", error.message),
            );
            return;
        }
    };
    let (mut draft, program) = read(dir, &file, &text);
    let Some((_, package, path)) = SHELLS.iter().find(|(name, _, _)| *name == program) else {
        let message =
            format!("its first line asks for `{program}`, which is no shell that can be added");
        let problem = Problem::new(&file, Some(1), message);
        packaged::finish(scan, draft, Some(problem));
        return;
    };
    // Scripts need the tools beside the shell, too.
    let mut names: BTreeSet<&str> = BTreeSet::from(["busybox", *package]);
    let called = called(scan, &text);
    names.extend(called.iter().map(|(_, name)| name.as_str()));
    let mut problem = None;
    for name in &names {
        if scan.catalog.package(name).is_none() {
            let message = format!("the index has no package `{name}`");
            problem = Some(Problem::new(&file, None, message));
        }
    }
    for (line, name) in &called {
        let found = Evidence::new("package", name, "shell.calls");
        draft.evidence.push(found.at(&file, Some(*line)));
    }
    let names: Vec<&str> = names.into_iter().collect();
    packaged::packages(scan, &mut draft, &names);
    draft.spec.runtime.copy = vec![Copy {
        from: ".".to_owned(),
        to: "/app".to_owned(),
    }];
    draft.spec.runtime.command = vec![(*path).to_owned(), format!("/app/{SCRIPT}")];
    if problem.is_none() {
        let message = format!("is a shell script: the image gets `{package}`, and with it a shell");
        scan.warn(&file, Some(1), message);
    }
    packaged::finish(scan, draft, problem);
}

/// The draft of a script, and the program that its first line asks for.
fn read<'t>(dir: Dir<'_>, file: &str, text: &'t str) -> (Draft, &'t str) {
    let mut draft = Draft::new(dir.path(), Kind::Worker, "shell", "shell");
    let first = text.lines().next().unwrap_or_default();
    let shebang = first.strip_prefix("#!").map(str::trim);
    let words: Vec<&str> = shebang.unwrap_or("/bin/sh").split_whitespace().collect();
    let program = match words.first() {
        Some(env) if env.ends_with("/env") => words.get(1).copied().unwrap_or_default(),
        Some(path) => path.rsplit('/').next().unwrap_or_default(),
        None => "sh",
    };
    let found = match shebang {
        Some(_) => Evidence::new("toolchain", program, "shell.shebang").at(file, Some(1)),
        None => Evidence::new("toolchain", program, "shell.default"),
    };
    draft.evidence.push(found);
    draft
        .evidence
        .push(Evidence::new("entry", SCRIPT, "shell.script").at(file, None));
    draft.is_so("shell.script", None);
    draft.spec.metadata.reasoning = Some(format!(
        "`{SCRIPT}` is all that there is: no other build claims the directory"
    ));
    draft.spec.metadata.confidence = Some(50);
    (draft, program)
}

/// Programs at the start of lines that are packages of that very name, with their lines.
fn called(scan: &Scan<'_>, text: &str) -> Vec<(u64, String)> {
    let mut found: Vec<(u64, String)> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let mut words = line.split_whitespace();
        let word = match words.next() {
            Some("exec") => words.next().unwrap_or_default(),
            Some(word) => word,
            None => continue,
        };
        let is_program = PROGRAMS.binary_search(&word).is_ok() && scan.catalog.has(word);
        if is_program && !found.iter().any(|(_, name)| name == word) {
            found.push((number, word.to_owned()));
        }
    }
    found
}

/// Programs that scripts are written around and busybox does not have; sorted.
const PROGRAMS: &[&str] = &[
    "aws-cli", "curl", "git", "jq", "openssl", "rsync", "socat", "yq",
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_sorted() {
        assert!(super::PROGRAMS.is_sorted());
    }
}
