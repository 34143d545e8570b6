//! What a package needs and offers, computed from the files in it.

use std::collections::{BTreeMap, BTreeSet};

use object::Endianness;
use object::elf::{DT_NEEDED, DT_SONAME, FileHeader64, PT_INTERP};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

use crate::Result;
use crate::apk::Node;

/// The directories whose libraries the loader finds by themselves.
const LIBRARIES: [&str; 2] = ["usr/lib", "usr/lib/x86_64-linux-gnu"];

/// The atoms of a package that nobody writes by hand.
#[derive(Default)]
pub(crate) struct Relations {
    /// `so:…` and `python-3.N-base`
    pub(crate) depends: BTreeSet<String>,
    /// `so:…`, `so-ver:…`, `cmd:…`, `pc:…`
    pub(crate) provides: BTreeSet<String>,
}

#[derive(Default)]
struct Dynamic {
    needed: Vec<String>,
    soname: Option<String>,
    interpreter: Option<String>,
}

/// Looks at every file of a package.
pub(crate) fn relations(tree: &BTreeMap<String, Node>, version: &str) -> Result<Relations> {
    let mut found = Relations::default();
    let mut needed = BTreeSet::new();
    let mut own = BTreeSet::new();
    for (path, node) in tree {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        own.insert(name.to_owned());
        if let Some((python, _)) = path.split_once("/site-packages/")
            && let Some(stream) = python.strip_prefix("usr/lib/python")
        {
            found.depends.insert(format!("python-{stream}-base"));
        }
        let Node::File { mode, content } = node else {
            continue;
        };
        if parent == "usr/bin" && mode & 0o555 == 0o555 {
            found.provides.insert(format!("cmd:{name}={version}"));
        }
        let bytes = content.read()?;
        if parent.ends_with("/pkgconfig") && name.ends_with(".pc") {
            let text = String::from_utf8_lossy(&bytes);
            let release = text.lines().find_map(|line| line.strip_prefix("Version:"));
            let release = release.map_or("0", str::trim);
            found
                .provides
                .insert(format!("pc:{}={release}", &name[..name.len() - 3]));
        }
        let Some(dynamic) = read(&bytes) else {
            continue;
        };
        needed.extend(dynamic.needed);
        needed.extend(dynamic.interpreter);
        if let Some(soname) = dynamic.soname {
            if LIBRARIES.contains(&parent) {
                let series = soname.split_once(".so.").map_or("0", |(_, series)| series);
                found.provides.insert(format!("so:{soname}={series}"));
                found.provides.insert(format!("so-ver:{soname}={version}"));
            }
            own.insert(soname);
        }
    }
    found
        .depends
        .extend(needed.difference(&own).map(|name| format!("so:{name}")));
    Ok(found)
}

/// The dynamic section of a file for this machine; none for anything else.
fn read(bytes: &[u8]) -> Option<Dynamic> {
    if !bytes.starts_with(b"\x7fELF") {
        return None;
    }
    let header = FileHeader64::<Endianness>::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let mut found = Dynamic::default();
    for segment in header.program_headers(endian, bytes).ok()? {
        if segment.p_type(endian) == PT_INTERP {
            let text = segment.data(endian, bytes).ok()?;
            let text = String::from_utf8_lossy(text)
                .trim_end_matches('\0')
                .to_owned();
            found.interpreter = text.rsplit('/').next().map(str::to_owned);
        }
    }
    let sections = header.sections(endian, bytes).ok()?;
    if let Some((entries, link)) = sections.dynamic(endian, bytes).ok()? {
        let strings = sections.strings(endian, bytes, link).ok()?;
        for entry in entries {
            let text = || {
                let text = entry.string(endian, strings).ok()?;
                Some(String::from_utf8_lossy(text).into_owned())
            };
            match entry.tag(endian) {
                DT_NEEDED => found.needed.extend(text()),
                DT_SONAME => found.soname = text(),
                _ => {}
            }
        }
    }
    Some(found)
}
