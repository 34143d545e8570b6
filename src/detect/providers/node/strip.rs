//! TypeScript that node runs as it is: it takes the types away, and nothing else.

use crate::detect::provider::Scan;
use crate::detect::repo::{resolve, split};

use super::Project;
use super::reach;
use super::toolchain;

/// What helps where node cannot run it.
pub(super) const HELP: &str = "add a `build` script that compiles it, and start what that writes";

/// Whether a file holds TypeScript.
pub(super) fn is_typescript(file: &str) -> bool {
    ["ts", "mts", "cts", "tsx"].contains(&file.rsplit('.').next().unwrap_or_default())
}

/// Whether the node of a project runs its TypeScript; else why not.
pub(super) fn check(scan: &mut Scan<'_>, project: &Project<'_>, entry: &str) -> Result<(), String> {
    let version = toolchain::peek(scan, project);
    let strips = match version.as_slice() {
        [22, minor, ..] => *minor >= 18,
        [23, minor, ..] => *minor >= 6,
        [major, ..] => *major > 23,
        [] => false,
    };
    if !strips {
        return Err(format!(
            "`{entry}` is TypeScript, which nothing compiles and this Node.js does not run"
        ));
    }
    let files = reach::sources(scan, project, &[entry.to_owned()]);
    for file in files.iter().filter(|file| is_typescript(&file.path)) {
        let relative = reach::imports(&file.source)
            .find(|text| text.starts_with('.') && !is_there(scan, &file.path, text));
        if let Some(text) = relative {
            return Err(format!(
                "`{entry}` is TypeScript, which nothing compiles, and node finds no `{text}` as `{}` imports it",
                file.path
            ));
        }
        let is_enum = file.source.find("enum ").is_some_and(|at| {
            let before = file.source.code[..at].trim_end();
            before.is_empty()
                || before.ends_with(['}', ';', '\n'])
                || before.ends_with("export")
                || before.ends_with("const")
        });
        if is_enum || file.path.ends_with(".tsx") {
            return Err(format!(
                "`{entry}` is TypeScript, which nothing compiles, and `{}` is more than node takes types from",
                file.path
            ));
        }
    }
    Ok(())
}

/// Whether node finds what a source imports: it adds no ending.
fn is_there(scan: &Scan<'_>, from: &str, text: &str) -> bool {
    resolve(split(from).0, text).is_some_and(|path| scan.repo.has(&path))
}
