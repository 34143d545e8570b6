//! Where the program of a start command comes from: a file of the repository, or what the build makes of one.

use crate::detect::document::{Document, Syntax};
use crate::detect::provider::Scan;
use crate::detect::repo::{is_within, join, relative, resolve, split};

use super::Project;
use super::manager::Tool;

/// Where the file of a program is.
pub(super) enum Place {
    /// A file of the repository.
    Exists(String),
    /// The build writes it to this directory of the app; its source, where that is known.
    Built {
        output: String,
        source: Option<String>,
    },
    Missing,
}

/// A place, and how sure it is.
pub(super) struct Located {
    pub(super) place: Place,
    pub(super) confidence: u8,
}

/// Finds a program's file, or what it is compiled from.
pub(super) fn locate(scan: &mut Scan<'_>, project: &Project<'_>, full: &str) -> Located {
    let endings = [
        "",
        ".js",
        ".mjs",
        ".cjs",
        "/index.js",
        "/index.mjs",
        "/server.js",
    ];
    let existing = endings
        .iter()
        .map(|ending| format!("{full}{ending}"))
        .find(|file| scan.repo.has(file));
    if let Some(file) = existing {
        return Located {
            place: Place::Exists(file),
            confidence: 95,
        };
    }
    let dir = &project.package.dir;
    let below = full
        .strip_prefix(dir.as_str())
        .unwrap_or(full)
        .trim_start_matches('/')
        .to_owned();
    if !project.has_build() || !is_within(full, dir) {
        return Located {
            place: Place::Missing,
            confidence: 0,
        };
    }
    if let Some((output, source)) = compiled(scan, project, &below) {
        return Located {
            place: Place::Built {
                output,
                source: Some(source),
            },
            confidence: 95,
        };
    }
    match below.split_once('/') {
        Some((first, _)) => {
            let source = likely_source(scan, dir, &below);
            Located {
                place: Place::Built {
                    output: first.to_owned(),
                    source,
                },
                confidence: 75,
            }
        }
        None => Located {
            place: Place::Built {
                output: below,
                source: None,
            },
            confidence: 70,
        },
    }
}

/// What a bundler's output is probably made from.
fn likely_source(scan: &Scan<'_>, dir: &str, below: &str) -> Option<String> {
    let stem = split(below)
        .1
        .split('.')
        .next()
        .unwrap_or_default()
        .to_owned();
    ["ts", "mts", "js", "mjs", "tsx"]
        .iter()
        .flat_map(|ending| [format!("src/{stem}.{ending}"), format!("{stem}.{ending}")])
        .map(|file| join(dir, &file))
        .find(|file| scan.repo.has(file))
}

/// The output directory and the source of a file that `tsc` writes.
pub(super) fn compiled(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    below: &str,
) -> Option<(String, String)> {
    let build = project.build_text().to_owned();
    let named = build
        .split_whitespace()
        .skip_while(|word| !matches!(*word, "-p" | "--project" | "-b" | "--build"))
        .nth(1);
    let config = named
        .filter(|name| name.ends_with(".json"))
        .unwrap_or("tsconfig.json");
    let dir = project.package.dir.clone();
    let options = tsconfig(scan, &join(&dir, config), 0)?;
    let output = options
        .out
        .as_ref()
        .map_or_else(|| dir.clone(), Clone::clone);
    let full = join(&dir, below);
    let rest = full.strip_prefix(output.as_str())?.trim_start_matches('/');
    let stem = ["", ".js", ".mjs", ".cjs"]
        .iter()
        .rev()
        .find_map(|ending| rest.strip_suffix(ending))
        .unwrap_or(rest);
    let roots = match &options.root {
        Some(root) => vec![root.clone()],
        None => vec![join(&dir, "src"), dir.clone()],
    };
    let source = roots.iter().find_map(|root| {
        ["ts", "mts", "cts", "tsx", "js"]
            .iter()
            .flat_map(|ending| [format!("{stem}.{ending}"), format!("{stem}/index.{ending}")])
            .map(|name| join(root, &name))
            .find(|file| scan.repo.has(file))
    })?;
    let output = relative(&dir, &output);
    let first = output.split('/').next().unwrap_or_default().to_owned();
    (first != "." && first != "..").then_some((first, source))
}

#[derive(Clone, Debug, Default)]
struct Options {
    /// Relative to the repository's root, as are all paths here.
    out: Option<String>,
    root: Option<String>,
}

fn tsconfig(scan: &mut Scan<'_>, file: &str, depth: u8) -> Option<Options> {
    let document = scan.document(file, Syntax::Json)?;
    let dir = split(file).0;
    let mut options = Options::default();
    let mut parents: Vec<String> = document
        .strings(&["extends"])
        .iter()
        .map(|text| (*text).to_owned())
        .collect();
    parents.extend(document.str(&["extends"]).map(str::to_owned));
    for parent in parents
        .iter()
        .filter(|parent| parent.starts_with('.') && depth < 8)
    {
        let Some(path) = resolve(dir, parent) else {
            continue;
        };
        let path = if scan.repo.has(&path) {
            path
        } else {
            format!("{path}.json")
        };
        if let Some(inherited) = tsconfig(scan, &path, depth + 1) {
            options = inherited;
        }
    }
    own_options(&document, dir, &mut options);
    Some(options)
}

fn own_options(document: &Document, dir: &str, options: &mut Options) {
    let path = |key: &str| {
        document
            .str(&["compilerOptions", key])
            .and_then(|path| resolve(dir, &path.replace("${configDir}", ".")))
    };
    if let Some(out) = path("outDir") {
        options.out = Some(out);
    }
    if let Some(root) = path("rootDir") {
        options.root = Some(root);
    }
}

/// The path of an installed package, relative to the app's directory.
pub(super) fn module(scan: &Scan<'_>, project: &Project<'_>, name: &str) -> String {
    let manager = &project.manager;
    let own = format!("node_modules/{name}");
    if !project.is_member() || matches!(manager.tool, Tool::Pnpm | Tool::Rush) {
        return own;
    }
    let below = relative(&manager.root, &project.package.dir);
    let is_nested = manager.tool == Tool::Npm
        && manager
            .lock
            .as_deref()
            .and_then(|lock| scan.repo.lock(lock))
            .is_some_and(|text| text.contains(&format!("\"{below}/{own}\"")));
    if is_nested {
        own
    } else {
        join(&relative(&project.package.dir, &manager.root), &own)
    }
}
