//! The tree of a package, from its recipe and the unpacked inputs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use globset::{GlobBuilder, GlobMatcher};

use crate::apk::{Content, Node};
use crate::inputs::{self, Inputs};
use crate::recipe::Recipe;
use crate::{Result, keystore};

/// Where the merge links of wolfi-baselayout lead.
const MERGED: [(&str, &str); 7] = [
    ("usr/sbin", "usr/bin"),
    ("usr/lib64", "usr/lib"),
    ("usr/local/lib64", "usr/local/lib"),
    ("bin", "usr/bin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib"),
    ("sbin", "usr/bin"),
];

/// What no package of Debian brings along.
const DROPPED: [&str; 12] = [
    "etc/default/**",
    "etc/init.d/**",
    "usr/lib/systemd/**",
    "usr/share/bash-completion/**",
    "usr/share/bug/**",
    "usr/share/doc/**",
    "usr/share/doc-base/**",
    "usr/share/gdb/**",
    "usr/share/info/**",
    "usr/share/lintian/**",
    "usr/share/locale/**",
    "usr/share/man/**",
];

type Tree = BTreeMap<String, Node>;

/// Makes the tree.
pub(crate) fn tree(recipe: &Recipe, inputs: &Inputs) -> Result<Tree> {
    let source = sources(recipe, inputs)?;
    let mut tree = take(&recipe.take, source.clone())?;
    for glob in &recipe.leave {
        let matcher = matcher(glob)?;
        let before = tree.len();
        tree.retain(|path, _| !matcher.is_match(path));
        if tree.len() == before {
            return Err(format!("nothing is left out by `{glob}`").into());
        }
    }
    for (place, glob) in &recipe.join {
        tree.insert(place.clone(), file(0o644, joined(glob, &source)?));
    }
    for (place, glob) in &recipe.keystore {
        tree.insert(
            place.clone(),
            file(0o644, keystore::write(&chosen(glob, &source)?)?),
        );
    }
    for (place, command) in &recipe.run {
        tree.insert(place.clone(), file(0o644, printed(command, &source)?));
    }
    for (place, input) in &recipe.whole {
        let path = inputs.path(input)?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let content = Content::Path(path);
        tree.insert(
            format!("{place}/{name}"),
            Node::File {
                mode: 0o644,
                content,
            },
        );
    }
    write(recipe, &mut tree)?;
    Ok(tree)
}

/// What the recipe says by itself: links, files, directories, changes, modes.
fn write(recipe: &Recipe, tree: &mut Tree) -> Result<()> {
    for (path, target) in &recipe.links {
        tree.insert(
            path.clone(),
            Node::Link {
                target: target.clone(),
            },
        );
    }
    for (path, text) in &recipe.files {
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        tree.insert(path.clone(), file(mode, text.clone().into_bytes()));
    }
    for (path, mode) in &recipe.directories {
        tree.insert(
            path.clone(),
            Node::Directory {
                mode: u32::from_str_radix(mode, 8)?,
            },
        );
    }
    for edit in &recipe.edit {
        let Some(Node::File { mode, content }) = tree.get(&edit.file) else {
            return Err(format!("there is no `{}` to edit", edit.file).into());
        };
        let text = String::from_utf8(content.read()?)?;
        if !text.contains(&edit.find) {
            return Err(format!("`{}` lacks the text to edit", edit.file).into());
        }
        let text = text.replace(&edit.find, &edit.replace);
        tree.insert(edit.file.clone(), file(*mode, text.into_bytes()));
    }
    for (path, bits) in &recipe.modes {
        match tree.get_mut(path) {
            Some(Node::File { mode, .. }) => *mode = u32::from_str_radix(bits, 8)?,
            _ => return Err(format!("there is no `{path}` to set a mode of").into()),
        }
    }
    Ok(())
}

/// The trees of all inputs, laid over each other.
fn sources(recipe: &Recipe, inputs: &Inputs) -> Result<Tree> {
    let dropped: Vec<GlobMatcher> = DROPPED
        .iter()
        .map(|glob| matcher(glob))
        .collect::<Result<_>>()?;
    let mut tree = Tree::new();
    for input in &recipe.from {
        let root = inputs.unpacked(input)?;
        let mut found = Tree::new();
        walk(&root, "", &mut found)?;
        let is_deb = input.starts_with("deb:");
        for (path, node) in found {
            if is_deb && dropped.iter().any(|glob| glob.is_match(&path)) {
                continue;
            }
            let path = if is_deb { merge(&path) } else { path };
            let is_directory = matches!(node, Node::Directory { .. });
            if tree.insert(path.clone(), node).is_some() && !is_directory {
                return Err(format!("two inputs have `{path}`").into());
            }
        }
    }
    Ok(tree)
}

fn walk(root: &Path, prefix: &str, tree: &mut Tree) -> Result<()> {
    for entry in fs::read_dir(root.join(prefix))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().ok_or("a file name is no UTF-8")?;
        let path = if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}/{name}")
        };
        let metadata = entry.metadata()?;
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_dir() {
            tree.insert(path.clone(), Node::Directory { mode });
            walk(root, &path, tree)?;
        } else if metadata.is_symlink() {
            let target = fs::read_link(entry.path())?;
            let target = target.to_str().ok_or("a link is no UTF-8")?.to_owned();
            tree.insert(path, Node::Link { target });
        } else {
            tree.insert(
                path,
                Node::File {
                    mode,
                    content: Content::Path(entry.path()),
                },
            );
        }
    }
    Ok(())
}

/// The place of a path on a root with merged directories.
fn merge(path: &str) -> String {
    for (from, to) in MERGED {
        if path == from {
            return to.to_owned();
        }
        if let Some(rest) = path
            .strip_prefix(from)
            .and_then(|rest| rest.strip_prefix('/'))
        {
            return format!("{to}/{rest}");
        }
    }
    path.to_owned()
}

/// The files that the patterns choose, at their places. Directories come with their files.
fn take(patterns: &[String], source: Tree) -> Result<Tree> {
    let mut tree = Tree::new();
    if patterns.is_empty() {
        tree = source;
    } else {
        for pattern in patterns {
            let (glob, place) = match pattern.split_once(" -> ") {
                Some((glob, place)) => (glob, Some(place)),
                None => (pattern.as_str(), None),
            };
            let matcher = matcher(glob)?;
            let mut any = false;
            for (path, node) in &source {
                if matches!(node, Node::Directory { .. }) || !matcher.is_match(path) {
                    continue;
                }
                any = true;
                tree.insert(placed(glob, place, path), node.clone());
            }
            if !any {
                return Err(format!("nothing is taken by `{glob}`").into());
            }
        }
    }
    tree.retain(|_, node| !matches!(node, Node::Directory { .. }));
    for node in tree.values_mut() {
        let Node::File { mode, .. } = node else {
            continue;
        };
        *mode = (*mode & 0o7000) | if *mode & 0o111 == 0 { 0o644 } else { 0o755 };
    }
    Ok(tree)
}

/// Where a taken path goes: a folder (`…/`) keeps what the glob left open.
fn placed(glob: &str, place: Option<&str>, path: &str) -> String {
    let Some(place) = place else {
        return path.to_owned();
    };
    if !place.ends_with('/') {
        return place.to_owned();
    }
    let fixed = glob.find(['*', '?', '{', '[']).unwrap_or(glob.len());
    let fixed = glob[..fixed].rfind('/').map_or(0, |slash| slash + 1);
    format!("{place}{}", &path[fixed.min(path.len())..])
}

fn matcher(glob: &str) -> Result<GlobMatcher> {
    Ok(GlobBuilder::new(glob)
        .literal_separator(true)
        .build()?
        .compile_matcher())
}

fn file(mode: u32, bytes: Vec<u8>) -> Node {
    Node::File {
        mode,
        content: Content::Bytes(bytes),
    }
}

/// The files of the inputs that a glob chooses, with their names.
fn chosen(glob: &str, source: &Tree) -> Result<Vec<(String, Vec<u8>)>> {
    let matcher = matcher(glob)?;
    let mut found = Vec::new();
    for (path, node) in source {
        if let Node::File { content, .. } = node
            && matcher.is_match(path)
        {
            let name = path.rsplit('/').next().unwrap_or(path);
            found.push((name.to_owned(), content.read()?));
        }
    }
    Ok(found)
}

fn joined(glob: &str, source: &Tree) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (_, one) in chosen(glob, source)? {
        bytes.extend(one);
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
    }
    Ok(bytes)
}

/// The lines that a program of the inputs prints, each with a leading slash.
fn printed(command: &str, source: &Tree) -> Result<Vec<u8>> {
    let mut words = command.split(' ');
    let program = words.next().unwrap_or_default();
    let Some(Node::File {
        content: Content::Path(path),
        ..
    }) = source.get(program)
    else {
        return Err(format!("there is no `{program}` to run").into());
    };
    let text = inputs::output(Command::new(path).args(words))?;
    Ok(text
        .lines()
        .map(|line| format!("/{line}\n"))
        .collect::<String>()
        .into_bytes())
}
