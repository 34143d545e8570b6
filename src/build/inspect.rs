//! What the built files are and need, read through the gateway before anything is exported.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::buildkit::{BuildReference, Error, FileStat, Gateway};
use crate::image::{Needs, NeedsError, Pages, link, section};
use crate::sbom::{Library, lockfile};

use super::failure::Cause;

/// The built files, as they will lie in the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// All of them by absolute path.
    pub(super) all: BTreeMap<String, FileStat>,
    /// The sonames that they need and do not find in their own directories.
    pub(super) sonames: BTreeMap<String, Wanted>,
    /// The ELF programs.
    pub(super) programs: Vec<String>,
    /// What ELF files tell of the libraries that are linked into them.
    pub(super) linked: BTreeMap<String, Vec<Library>>,
}

/// A library that a built file needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// A file that needs it.
    pub(super) file: String,
    /// Whether the build made a library of that name, if not where the loader looks by itself: a program may load it
    /// before it is needed.
    pub(super) is_brought: bool,
}

// The daemon answers one call in well under a millisecond; this keeps it busy without a queue of its own.
const CALLS: usize = 16;
const ELF: &[u8] = b"\x7fELF";
const HEAD: u64 = 4 << 10;
// A list of modules is some kilobytes.
const SECTION_LIMIT: u64 = 4 << 20;
// Wolfi's loaders live here; everything else is another system's.
const LOADERS: [&str; 4] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib64/ld-linux-aarch64.so.1",
];

/// Lists the files of `reference` and finds the libraries they need.
pub(super) async fn inspect(gateway: &Gateway, reference: &BuildReference) -> Result<Files, Cause> {
    let all = list(gateway, reference).await?;
    let candidates: Vec<(&String, &FileStat)> = all
        .iter()
        .filter(|(path, stat)| may_be_elf(path, stat))
        .collect();
    let read: Vec<(String, Needs, Vec<Library>)> = stream::iter(candidates)
        .map(async |(path, stat)| {
            let Some(mut pages) = open(gateway, reference, path, stat.size).await? else {
                return Ok::<_, Cause>(None);
            };
            let needs = read_pages(gateway, reference, path, &mut pages, Needs::read).await?;
            let linked = linked(gateway, reference, path, &mut pages).await?;
            Ok(Some((path.clone(), needs, linked)))
        })
        .buffered(CALLS)
        .try_filter_map(async |read| Ok(read))
        .try_collect()
        .await?;
    let mut needs = Vec::new();
    let mut linked = BTreeMap::new();
    for (path, needed, libraries) in read {
        if !libraries.is_empty() {
            linked.insert(path.clone(), libraries);
        }
        needs.push((path, needed));
    }
    let sonames = missing(&all, &needs)?;
    let programs = needs
        .iter()
        .filter(|(_, needs)| needs.is_program())
        .map(|(path, _)| path.clone())
        .collect();
    Ok(Files {
        all,
        sonames,
        programs,
        linked,
    })
}

async fn list(
    gateway: &Gateway,
    reference: &BuildReference,
) -> Result<BTreeMap<String, FileStat>, Cause> {
    let mut all = BTreeMap::new();
    let mut level = vec!["/".to_owned()];
    while !level.is_empty() {
        let listed: Vec<(String, Vec<FileStat>)> = stream::iter(level)
            .map(async |directory| {
                let entries = gateway.read_dir(reference, &directory).await?;
                Ok::<_, Error>((directory, entries))
            })
            .buffered(CALLS)
            .try_collect()
            .await?;
        level = Vec::new();
        for (directory, entries) in listed {
            for entry in entries {
                let path = format!("{}/{}", directory.trim_end_matches('/'), entry.path);
                if entry.is_directory {
                    if let Some(target) = link(&path) {
                        return Err(Cause::Linked {
                            directory: path,
                            target,
                        });
                    }
                    level.push(path);
                } else if entry.is_file || entry.link.is_some() {
                    // Reading a pipe would wait for whoever writes to it.
                    all.insert(path, entry);
                }
            }
        }
    }
    Ok(all)
}

// A program is executable; a library is not always, but says what it is by its name.
fn may_be_elf(path: &str, stat: &FileStat) -> bool {
    let name = file_name(path);
    stat.link.is_none()
        && (stat.permissions & 0o111 != 0 || name.ends_with(".node") || is_library_name(name))
}

fn is_library_name(name: &str) -> bool {
    name.ends_with(".so") || name.contains(".so.")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What the file at `path` needs, `size` bytes long; nothing where it is no ELF file.
pub(super) async fn read_needs(
    gateway: &Gateway,
    reference: &BuildReference,
    path: &str,
    size: u64,
) -> Result<Option<Needs>, Cause> {
    let Some(mut pages) = open(gateway, reference, path, size).await? else {
        return Ok(None);
    };
    read_pages(gateway, reference, path, &mut pages, Needs::read)
        .await
        .map(Some)
}

/// The first page of an ELF file.
async fn open(
    gateway: &Gateway,
    reference: &BuildReference,
    path: &str,
    size: u64,
) -> Result<Option<Pages>, Error> {
    let head = gateway.read_range(reference, path, 0, HEAD).await?;
    if !head.starts_with(ELF) {
        return Ok(None);
    }
    let mut pages = Pages::new(size);
    pages.insert(0, head);
    Ok(Some(pages))
}

/// Reads what `parse` asks for until it is content.
async fn read_pages<T>(
    gateway: &Gateway,
    reference: &BuildReference,
    path: &str,
    pages: &mut Pages,
    parse: impl Fn(&Pages) -> Result<T, NeedsError>,
) -> Result<T, Cause> {
    let malformed = |reason: String| Cause::Elf {
        file: path.to_owned(),
        reason,
    };
    loop {
        let (offset, length) = match parse(pages) {
            Ok(parsed) => return Ok(parsed),
            Err(error) => error
                .missing()
                .ok_or_else(|| malformed(error.to_string()))?,
        };
        let page = gateway.read_range(reference, path, offset, length).await?;
        if page.is_empty() {
            return Err(malformed("it is shorter than it says".to_owned()));
        }
        pages.insert(offset, page);
    }
}

// The sections in which programs tell what is linked into them, and who reads them.
type Parse = fn(&[u8]) -> Result<Vec<Library>, lockfile::Error>;
const TELLING: [(&str, Parse); 2] = [
    (".dep-v0", lockfile::auditable),
    (".go.buildinfo", lockfile::go_buildinfo),
];

/// The libraries that the file at `path` tells of; none where it does not, or not in a form that can be read.
async fn linked(
    gateway: &Gateway,
    reference: &BuildReference,
    path: &str,
    pages: &mut Pages,
) -> Result<Vec<Library>, Cause> {
    let mut libraries = Vec::new();
    for (name, parse) in TELLING {
        let find = |pages: &Pages| section(pages, name);
        let range = match read_pages(gateway, reference, path, pages, find).await {
            Ok(Some(range)) => range,
            // A program runs without its sections.
            Ok(None) | Err(Cause::Elf { .. }) => continue,
            Err(error) => return Err(error),
        };
        let length = range.end.saturating_sub(range.start).min(SECTION_LIMIT);
        let bytes = gateway
            .read_range(reference, path, range.start, length)
            .await?;
        libraries.extend(parse(&bytes).unwrap_or_default());
    }
    Ok(libraries)
}

fn missing(
    all: &BTreeMap<String, FileStat>,
    needs: &[(String, Needs)],
) -> Result<BTreeMap<String, Wanted>, Cause> {
    let brought: BTreeSet<&str> = all
        .keys()
        .map(|path| file_name(path))
        .filter(|name| is_library_name(name))
        .chain(
            needs
                .iter()
                .filter_map(|(_, needs)| needs.soname.as_deref()),
        )
        .collect();
    let mut sonames = BTreeMap::new();
    for (file, needs) in needs {
        // Packages often bring a build for musl beside the one for glibc, and load the one that fits.
        let is_musl = needs
            .libraries
            .iter()
            .any(|library| library.starts_with("libc.musl-"));
        if !needs.is_native() || (is_musl && !needs.is_program()) {
            continue;
        }
        if let Some(loader) = &needs.interpreter
            && !LOADERS.contains(&loader.as_str())
        {
            return Err(Cause::Loader {
                file: file.clone(),
                loader: loader.clone(),
            });
        }
        let origin = file
            .rsplit_once('/')
            .map_or("/", |(directory, _)| directory);
        let directories = needs.directories(origin);
        let is_found = |library: &str| {
            directories
                .iter()
                .any(|directory| all.contains_key(&format!("{directory}/{library}")))
        };
        for library in needs.libraries.iter().filter(|library| !is_found(library)) {
            let wanted = || Wanted {
                file: file.clone(),
                is_brought: brought.contains(library.as_str()),
            };
            sonames.entry(library.clone()).or_insert_with(wanted);
        }
    }
    Ok(sonames)
}
