//! Holds the source to its five layers: a module names modules of lower layers only.
//!
//! The source is read as tokens, so comments, doc comments and strings are no paths, while paths inside macro calls are. A path
//! counts wherever it stands, in a `use` as well as in an expression, once it is anchored: `crate::x`, or as many `super` as lead
//! out of the module (`super::x` in `wolfi/mod.rs` is `crate::x`). Paths through a name that an import brought into scope need no
//! look of their own, because the import had one.

use std::{
    fs,
    iter::Peekable,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream};

/// Every top-level module with its layer, highest first; the order of `lib.rs`.
const LAYERS: &[(&str, u8)] = &[
    ("cli", 4),
    ("build", 3),
    ("detect", 2),
    ("image", 2),
    ("melange", 2),
    ("progress", 2),
    ("report", 2),
    ("buildkit", 1),
    ("github", 1),
    ("sbom", 1),
    ("spec", 1),
    ("wolfi", 1),
    ("oci", 0),
    ("text", 0),
];

/// The name under which `main.rs` sees the library.
const CRATE: &str = "peelbox";

fn layer(module: &str) -> Option<u8> {
    LAYERS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, layer)| *layer)
}

/// What an anchored path leads to.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// A top-level module, or an item of `lib.rs`.
    Module(String),
    /// The crate's root itself, in a form that hides what is taken from it: a group, a glob, another name.
    Root,
}

/// A path out of the module it stands in.
struct Import {
    target: Target,
    line: usize,
}

/// The paths of a file that leave its module, `depth` modules below the crate's root.
fn imports(tokens: TokenStream, depth: usize, found: &mut Vec<Import>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut names_module = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => {
                let is_module = names_module && group.delimiter() == Delimiter::Brace;
                imports(group.stream(), depth + usize::from(is_module), found);
                names_module = false;
            }
            TokenTree::Ident(ident) if ident == "mod" => names_module = true,
            TokenTree::Ident(ident) => {
                let line = ident.span().start().line;
                if let Some(target) = resolve(&ident.to_string(), depth, &mut tokens) {
                    found.push(Import { target, line });
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => names_module = false,
        }
    }
}

/// Where a path leads that starts with `first`; `None` if it stays inside the module or is anchored nowhere.
fn resolve(
    first: &str,
    depth: usize,
    tokens: &mut Peekable<token_stream::IntoIter>,
) -> Option<Target> {
    let mut above_root = match first {
        "crate" => depth,
        "super" => 1,
        "self" => 0,
        _ => return None,
    };
    loop {
        if !path_goes_on(tokens) {
            // `pub(crate)` is no path; `use crate as name` and `use super as name` would hide one.
            let renamed = matches!(tokens.peek(), Some(TokenTree::Ident(next)) if next == "as");
            return (renamed && above_root >= depth).then_some(Target::Root);
        }
        match tokens.peek() {
            Some(TokenTree::Ident(next)) if next == "super" => above_root += 1,
            Some(TokenTree::Ident(next)) if above_root >= depth => {
                return Some(Target::Module(next.to_string()));
            }
            Some(TokenTree::Ident(_)) => return None,
            _ => return (above_root >= depth).then_some(Target::Root),
        }
        tokens.next();
    }
}

/// Takes `::`, if it comes next.
fn path_goes_on(tokens: &mut Peekable<token_stream::IntoIter>) -> bool {
    let mut colon = || {
        tokens.next_if(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':'))
    };
    colon().is_some() && colon().is_some()
}

/// What is wrong in a file of the library; `path` is relative to `src`.
fn check(path: &Path, source: &str) -> Vec<String> {
    let modules = module_path(path);
    let Ok(tokens) = source.parse() else {
        return vec![format!("{}: is not Rust", path.display())];
    };
    let mut found = Vec::new();
    imports(tokens, modules.len(), &mut found);
    let own = modules.first().map(String::as_str);
    found
        .iter()
        .filter_map(|import| {
            let problem = problem(own, &import.target)?;
            Some(format!("{}:{}: {problem}", path.display(), import.line))
        })
        .collect()
}

/// Why a module may not name a target; `own` is `None` for `lib.rs`, which names nothing.
fn problem(own: Option<&str>, target: &Target) -> Option<String> {
    let Target::Module(name) = target else {
        return Some("takes from the crate's root as a whole: name each module by itself".into());
    };
    let Some(own) = own else {
        return Some(format!(
            "`lib.rs` uses `{name}`: it declares modules and nothing else"
        ));
    };
    if name == own {
        return None;
    }
    let Some(theirs) = layer(name) else {
        return Some(format!(
            "`crate::{name}` is no module of the table of layers"
        ));
    };
    match layer(own) {
        Some(mine) if theirs < mine => None,
        Some(mine) => Some(format!(
            "`{own}` of layer {mine} uses `{name}` of layer {theirs}"
        )),
        None => Some(format!("`{own}` is no module of the table of layers")),
    }
}

/// The module that a file holds: `wolfi/index.rs` is `wolfi::index`, `wolfi/mod.rs` is `wolfi`, `lib.rs` is the root.
fn module_path(path: &Path) -> Vec<String> {
    let mut modules: Vec<String> = path
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if matches!(modules.last().map(String::as_str), Some("mod" | "lib")) {
        modules.pop();
    }
    modules
}

/// What is wrong in `main.rs`: it may use `cli` and nothing else of the library.
fn check_main(source: &str) -> Vec<String> {
    let Ok(tokens) = source.parse() else {
        return vec!["main.rs: is not Rust".into()];
    };
    let mut problems = Vec::new();
    main_uses(tokens, &mut problems);
    problems
}

fn main_uses(tokens: TokenStream, problems: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => main_uses(group.stream(), problems),
            TokenTree::Ident(ident) if ident == CRATE => {
                let line = ident.span().start().line;
                let is_cli = path_goes_on(&mut tokens)
                    && matches!(tokens.peek(), Some(TokenTree::Ident(next)) if next == "cli");
                if !is_cli {
                    problems.push(format!(
                        "main.rs:{line}: uses `{CRATE}` other than `{CRATE}::cli`"
                    ));
                }
            }
            TokenTree::Ident(ident) if ident == "mod" => {
                problems.push(format!(
                    "main.rs:{}: declares a module",
                    ident.span().start().line
                ));
            }
            _ => {}
        }
    }
}

/// The top-level modules of `files` that the table does not have.
fn unlisted(files: &[PathBuf]) -> Vec<String> {
    let mut modules: Vec<String> = files
        .iter()
        .filter_map(|path| module_path(path).into_iter().next())
        .collect();
    modules.dedup();
    modules.retain(|module| module != "main" && layer(module).is_none());
    modules
}

/// Every Rust file below `directory`, relative to it and sorted.
fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(&next).expect("the source is readable") {
            let path = entry.expect("the source is readable").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(
                    path.strip_prefix(directory)
                        .expect("it lies below")
                        .to_owned(),
                );
            }
        }
    }
    files.sort();
    files
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn every_module_uses_lower_layers_only() {
    let problems: Vec<String> = rust_files(&source())
        .iter()
        .filter(|path| *path != Path::new("main.rs"))
        .flat_map(|path| check(path, &fs::read_to_string(source().join(path)).unwrap()))
        .collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_top_level_module_has_a_layer() {
    assert_eq!(unlisted(&rust_files(&source())), Vec::<String>::new());
}

#[test]
fn the_program_uses_the_command_line_only() {
    let main = fs::read_to_string(source().join("main.rs")).unwrap();
    assert_eq!(check_main(&main), Vec::<String>::new());
}

/// The problems of a file, without its name.
fn problems(path: &str, source: &str) -> Vec<String> {
    let prefix = format!("{path}:");
    check(Path::new(path), source)
        .into_iter()
        .map(|problem| problem.strip_prefix(&prefix).unwrap_or(&problem).to_owned())
        .collect()
}

#[test]
fn a_lower_layer_may_be_used() {
    assert!(
        problems(
            "image/plan.rs",
            "use crate::wolfi::Index; use crate::oci::Digest;"
        )
        .is_empty()
    );
    assert!(
        problems(
            "buildkit/llb/mod.rs",
            "fn f() -> crate::oci::Digest { todo!() }"
        )
        .is_empty()
    );
}

#[test]
fn a_higher_layer_is_refused_with_its_line() {
    assert_eq!(
        problems("oci/mod.rs", "use std::fmt;\nuse crate::wolfi::Index;"),
        ["2: `oci` of layer 0 uses `wolfi` of layer 1"]
    );
    assert_eq!(
        problems("build/mod.rs", "pub use crate::cli::Options;"),
        ["1: `build` of layer 3 uses `cli` of layer 4"]
    );
}

#[test]
fn a_neighbour_is_refused() {
    assert_eq!(
        problems("buildkit/client.rs", "use crate::wolfi::Index;"),
        ["1: `buildkit` of layer 1 uses `wolfi` of layer 1"]
    );
    assert_eq!(
        problems("report.rs", "use crate::detect::App;"),
        ["1: `report` of layer 2 uses `detect` of layer 2"]
    );
}

#[test]
fn a_module_may_use_itself() {
    assert!(problems("wolfi/index.rs", "use crate::wolfi::Version;").is_empty());
    assert!(
        problems(
            "wolfi/index.rs",
            "use super::version::Version; use self::row::Row;"
        )
        .is_empty()
    );
}

#[test]
fn a_path_in_an_expression_or_a_macro_call_counts() {
    for source in [
        "fn f() { crate::cli::run(); }",
        "fn f(run: crate::cli::Run) {}",
        "fn f() { g::<crate::cli::Run>(); }",
        "fn f() { println!(\"{}\", crate::cli::NAME); }",
        "macro_rules! m { () => { $crate::cli::run() } }",
        "impl From<crate::cli::Error> for Error {}",
        "#[serde(with = \"x\")] struct S(Vec<crate::cli::Run>);",
    ] {
        assert_eq!(problems("oci/mod.rs", source).len(), 1, "{source}");
    }
}

#[test]
fn the_way_up_through_super_counts() {
    assert_eq!(
        problems("oci/mod.rs", "use super::wolfi::Index;"),
        ["1: `oci` of layer 0 uses `wolfi` of layer 1"]
    );
    assert_eq!(
        problems("oci/digest.rs", "use super::super::wolfi::Index;").len(),
        1
    );
    assert_eq!(
        problems("oci/digest.rs", "use self::super::super::wolfi::Index;").len(),
        1
    );
    assert_eq!(
        problems(
            "oci/mod.rs",
            "mod tests { use super::super::wolfi::Index; }"
        )
        .len(),
        1
    );
    assert_eq!(
        problems(
            "oci/mod.rs",
            "mod a; impl S { fn f() { super::wolfi::g() } }"
        )
        .len(),
        1
    );
    assert!(problems("oci/mod.rs", "mod tests { use super::wolfi::Index; }").is_empty());
    assert!(
        problems(
            "oci/digest.rs",
            "fn f() { if x { super::wolfi::index(); } }"
        )
        .is_empty()
    );
}

#[test]
fn the_root_as_a_whole_is_refused() {
    for source in [
        "use crate::{oci::Digest, spec::Spec};",
        "use crate::*;",
        "use crate as all;",
        "use super::super::{oci, spec};",
    ] {
        assert_eq!(
            problems("wolfi/index.rs", source),
            ["1: takes from the crate's root as a whole: name each module by itself"],
            "{source}"
        );
    }
}

#[test]
fn comments_and_strings_are_no_paths() {
    for source in [
        "//! See [`crate::cli::run`].",
        "/// Read by `crate::cli`.\nfn f() {}",
        "/* use crate::cli::run; */",
        "const TEXT: &str = \"use crate::cli::run;\";",
        "const TEXT: &str = r#\"use crate::cli::{\"run\"};\"#;",
        "const BYTES: &[u8] = b\"crate::cli\"; const QUOTE: char = '\"';",
    ] {
        assert!(problems("oci/mod.rs", source).is_empty(), "{source}");
    }
}

#[test]
fn a_visibility_is_no_import() {
    assert!(problems("oci/digest.rs", "pub(crate) fn f() {} pub(super) fn g() {}").is_empty());
    assert!(problems("oci/digest.rs", "pub(in crate::oci) fn f() {}").is_empty());
}

#[test]
fn a_name_that_only_looks_like_a_root_is_no_root() {
    assert!(
        problems(
            "oci/mod.rs",
            "use serde::cli::run; fn f() { other::crate_::cli(); }"
        )
        .is_empty()
    );
}

#[test]
fn an_unknown_module_is_refused() {
    assert_eq!(
        problems("wolfi/index.rs", "use crate::utils::trim;"),
        ["1: `crate::utils` is no module of the table of layers"]
    );
    assert_eq!(
        unlisted(&["cli/mod.rs", "helpers.rs", "main.rs", "utils/mod.rs"].map(PathBuf::from)),
        ["helpers", "utils"]
    );
}

#[test]
fn the_library_root_uses_nothing() {
    assert_eq!(
        problems("lib.rs", "pub mod oci; pub use crate::oci::Digest;"),
        ["1: `lib.rs` uses `oci`: it declares modules and nothing else"]
    );
}

#[test]
fn a_program_that_uses_more_than_the_command_line_is_refused() {
    assert!(check_main("fn main() { peelbox::cli::run() }").is_empty());
    for source in [
        "fn main() { peelbox::build::run() }",
        "use peelbox::{cli, build}; fn main() {}",
        "use peelbox as p; fn main() {}",
        "mod build; fn main() {}",
    ] {
        assert_eq!(check_main(source).len(), 1, "{source}");
    }
}

#[test]
fn a_file_that_is_not_rust_is_refused() {
    assert_eq!(
        check(Path::new("oci/mod.rs"), "fn f( {"),
        ["oci/mod.rs: is not Rust"]
    );
}
