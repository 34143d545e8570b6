//! TypeScript that node runs as it is: it takes the types away, and nothing else.

use crate::detect::provider::Scan;
use crate::detect::source::{self, Family};

use super::Project;
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
        return Err(format!("`{entry}` is TypeScript, which nothing compiles and this Node.js does not run"));
    }
    let others: Vec<String> = project.packages.keys().cloned().collect();
    let files = source::own(scan.repo, &project.package.dir, &others, &["ts", "mts", "cts", "tsx"], Family::Script);
    for file in &files {
        let relative = file.source.strings.iter().find(|(at, text)| {
            let before = file.source.code[..*at].trim_end();
            let is_import = before.ends_with("from")
                || before.ends_with("import")
                || before.ends_with("import(")
                || before.ends_with("require(");
            is_import && text.starts_with('.') && !has_ending(text)
        });
        if let Some((_, text)) = relative {
            return Err(format!(
                "`{entry}` is TypeScript, which nothing compiles, and node finds no `{text}` as `{}` imports it",
                file.path
            ));
        }
        let is_enum = file.source.find("enum ").is_some_and(|at| {
            let before = file.source.code[..at].trim_end();
            before.is_empty() || before.ends_with(['}', ';', '\n']) || before.ends_with("export") || before.ends_with("const")
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

fn has_ending(text: &str) -> bool {
    ["ts", "mts", "cts", "json", "mjs", "cjs", "node"]
        .contains(&text.rsplit('.').next().unwrap_or_default())
        || text.ends_with(".js")
}
