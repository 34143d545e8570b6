//! What a program needs of the system it runs on, read from as little of its file as possible.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

use object::elf;
use object::endian::Endianness;
use object::read::ReadRef;
use object::read::elf::{FileHeader, ProgramHeader as _, SectionHeader as _};

/// What an ELF file needs and offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The sonames of the libraries it is linked to, in its order.
    pub libraries: Vec<String>,
    /// The loader that a dynamically linked program asks for.
    pub interpreter: Option<String>,
    /// The name under which it can be linked to.
    pub soname: Option<String>,
    /// Where its libraries are looked for first, as it was linked: RUNPATH, or RPATH where it has none.
    search: Vec<String>,
    /// Whether that is an RPATH, which counts for the libraries of its libraries too.
    is_search_inherited: bool,
    machine: u16,
    is_executable: bool,
}

/// The pages of a file that were read so far.
#[derive(Debug)]
pub struct Pages {
    size: u64,
    pages: BTreeMap<u64, Vec<u8>>,
    missing: Cell<Option<(u64, u64)>>,
}

/// An ELF file that cannot be read, or not yet.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NeedsError {
    /// A part of the file is not there yet.
    #[error("{length} bytes at {offset} are needed")]
    Missing {
        /// Where it starts.
        offset: u64,
        /// How long it is.
        length: u64,
    },
    /// The file is malformed.
    #[error("{0}")]
    Malformed(String),
}

// A page that holds all that is needed of most files, read at once.
const PAGE: u64 = 16 << 10;
// Less than one answer of the daemon holds, and more than any part that is read.
const LARGEST: u64 = 4 << 20;
// What an honest dynamic section has, many times over.
const MOST_ENTRIES: usize = 100_000;

impl NeedsError {
    /// The offset and length of the part that must be read first.
    #[must_use]
    pub fn missing(&self) -> Option<(u64, u64)> {
        match self {
            Self::Missing { offset, length } => Some((*offset, *length)),
            Self::Malformed(_) => None,
        }
    }
}

impl Pages {
    /// A file of `size` bytes of which nothing was read.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self {
            size,
            pages: BTreeMap::new(),
            missing: Cell::new(None),
        }
    }

    /// Adds what was read at `offset`.
    pub fn insert(&mut self, offset: u64, bytes: Vec<u8>) {
        // A longer page at the same place is the newer answer.
        if self
            .pages
            .get(&offset)
            .is_none_or(|page| page.len() < bytes.len())
        {
            self.pages.insert(offset, bytes);
        }
    }

    fn find(&self, range: Range<u64>) -> Result<&[u8], ()> {
        if range.end < range.start || range.end > self.size {
            return Err(());
        }
        let length = range.end - range.start;
        if length > LARGEST {
            return Err(());
        }
        for (offset, page) in self.pages.range(..=range.start).rev() {
            let start = usize::try_from(range.start - offset).map_err(|_| ())?;
            let end = start
                .checked_add(usize::try_from(length).map_err(|_| ())?)
                .ok_or(())?;
            if let Some(bytes) = page.get(start..end) {
                return Ok(bytes);
            }
        }
        self.missing.set(Some((
            range.start,
            length.max(PAGE).min(self.size - range.start),
        )));
        Err(())
    }
}

impl<'a> ReadRef<'a> for &'a Pages {
    fn len(self) -> Result<u64, ()> {
        Ok(self.size)
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        self.find(offset..offset.checked_add(size).ok_or(())?)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        let bytes = self.find(range)?;
        let end = bytes.iter().position(|byte| *byte == delimiter).ok_or(())?;
        Ok(&bytes[..end])
    }
}

impl Needs {
    /// Reads the needs of the file whose first pages, and any others asked for, are in `pages`.
    ///
    /// # Errors
    /// [`NeedsError::Missing`] says which part to read before the next try.
    pub fn read(pages: &Pages) -> Result<Self, NeedsError> {
        pages.missing.set(None);
        let ident = pages
            .find(0..pages.size.min(16))
            .map_err(|()| error(pages, "it is too short"))?;
        match ident.get(4).map(|class| elf::FileClass(*class)) {
            Some(elf::ELFCLASS64) => parse::<elf::FileHeader64<Endianness>>(pages),
            Some(elf::ELFCLASS32) => parse::<elf::FileHeader32<Endianness>>(pages),
            _ => Err(NeedsError::Malformed("it has no known class".to_owned())),
        }
    }

    /// Whether it is for a machine that Wolfi is made for, rather than one of several builds that a package brings.
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.machine == elf::EM_X86_64.0 || self.machine == elf::EM_AARCH64.0
    }

    /// The absolute directories in which its libraries are looked for before the system's, if it lies in `origin`.
    ///
    /// What depends on the machine (`$LIB`, `$PLATFORM`) or on the directory it is started in is left out.
    /// See <https://man7.org/linux/man-pages/man8/ld.so.8.html>.
    #[must_use]
    pub fn directories(&self, origin: &str) -> Vec<String> {
        self.search
            .iter()
            .map(|entry| {
                entry
                    .replace("${ORIGIN}", origin)
                    .replace("$ORIGIN", origin)
            })
            .filter(|entry| entry.starts_with('/') && !entry.contains('$'))
            .map(|entry| normal(&entry))
            .collect()
    }

    /// Whether [`Needs::directories`] count for the libraries of its libraries too, as an RPATH does and a RUNPATH does not.
    #[must_use]
    pub fn is_search_inherited(&self) -> bool {
        self.is_search_inherited
    }

    /// Whether it is a program rather than a library.
    #[must_use]
    pub fn is_program(&self) -> bool {
        self.is_executable || self.interpreter.is_some()
    }
}

// A read that failed for want of bytes is no fault of the file.
fn error(pages: &Pages, reason: impl ToString) -> NeedsError {
    match pages.missing.take() {
        Some((offset, length)) => NeedsError::Missing { offset, length },
        None => NeedsError::Malformed(reason.to_string()),
    }
}

fn parse<Header: FileHeader<Endian = Endianness>>(pages: &Pages) -> Result<Needs, NeedsError> {
    let header = Header::parse(pages).map_err(|reason| error(pages, reason))?;
    let endian = header.endian().map_err(|reason| error(pages, reason))?;
    let segments = header
        .program_headers(endian, pages)
        .map_err(|reason| error(pages, reason))?;
    let mut needs = Needs {
        machine: header.e_machine(endian).0,
        is_executable: header.e_type(endian) == elf::ET_EXEC,
        ..Needs::default()
    };
    let mut strings = Strings {
        pages,
        loads: Vec::new(),
        table: (0, 0),
    };
    let mut entries = &[][..];
    for segment in segments {
        let (offset, size) = segment.file_range(endian);
        match segment.p_type(endian) {
            elf::PT_LOAD => strings
                .loads
                .push((segment.p_vaddr(endian).into(), offset, size)),
            elf::PT_INTERP => {
                let bytes = pages
                    .read_bytes_at(offset, size)
                    .map_err(|()| error(pages, "its loader lies outside of it"))?;
                needs.interpreter = Some(text(bytes));
            }
            elf::PT_DYNAMIC => {
                let found = segment
                    .dynamic(endian, pages)
                    .map_err(|reason| error(pages, reason))?;
                entries = found.unwrap_or_default();
            }
            _ => {}
        }
    }
    dynamic(entries, endian, &mut strings, &mut needs)?;
    Ok(needs)
}

/// Takes what the loader is told from the dynamic section.
fn dynamic<Entry: object::read::elf::Dyn<Endian = Endianness>>(
    entries: &[Entry],
    endian: Endianness,
    strings: &mut Strings<'_>,
    needs: &mut Needs,
) -> Result<(), NeedsError> {
    for entry in entries.iter().take(MOST_ENTRIES) {
        match entry.tag(endian) {
            elf::DT_STRTAB => strings.table.0 = entry.val(endian),
            elf::DT_STRSZ => strings.table.1 = entry.val(endian),
            _ => {}
        }
    }
    let (mut rpath, mut runpath) = (Vec::new(), None);
    for entry in entries.iter().take(MOST_ENTRIES) {
        match entry.tag(endian) {
            elf::DT_NEEDED => needs.libraries.push(strings.get(entry.val(endian))?),
            elf::DT_SONAME => needs.soname = Some(strings.get(entry.val(endian))?),
            elf::DT_RUNPATH => runpath = Some(paths(&strings.get(entry.val(endian))?)),
            elf::DT_RPATH => rpath = paths(&strings.get(entry.val(endian))?),
            _ => {}
        }
    }
    needs.is_search_inherited = runpath.is_none() && !rpath.is_empty();
    needs.search = runpath.unwrap_or(rpath);
    Ok(())
}

fn paths(list: &str) -> Vec<String> {
    list.split(':')
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

/// An absolute path without `.`, `..` and doubled slashes.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Where the section `name` lies in the file, such as Go's `.go.buildinfo`; none where it was stripped or never there.
///
/// # Errors
/// [`NeedsError::Missing`] says which part to read before the next try.
pub fn section(pages: &Pages, name: &str) -> Result<Option<Range<u64>>, NeedsError> {
    pages.missing.set(None);
    let ident = pages
        .find(0..pages.size.min(16))
        .map_err(|()| error(pages, "it is too short"))?;
    match ident.get(4).map(|class| elf::FileClass(*class)) {
        Some(elf::ELFCLASS64) => find_section::<elf::FileHeader64<Endianness>>(pages, name),
        Some(elf::ELFCLASS32) => find_section::<elf::FileHeader32<Endianness>>(pages, name),
        _ => Err(NeedsError::Malformed("it has no known class".to_owned())),
    }
}

fn find_section<Header: FileHeader<Endian = Endianness>>(
    pages: &Pages,
    name: &str,
) -> Result<Option<Range<u64>>, NeedsError> {
    let header = Header::parse(pages).map_err(|reason| error(pages, reason))?;
    let endian = header.endian().map_err(|reason| error(pages, reason))?;
    let sections = header
        .sections(endian, pages)
        .map_err(|reason| error(pages, reason))?;
    for section in sections.iter() {
        let found = sections
            .section_name(endian, section)
            .map_err(|reason| error(pages, reason))?;
        if found == name.as_bytes() {
            return Ok(section.file_range(endian).and_then(|(offset, size)| {
                let end = offset.checked_add(size).filter(|end| *end <= pages.size)?;
                Some(offset..end)
            }));
        }
    }
    Ok(None)
}

/// The string table of the dynamic section, which is named by its address in memory.
struct Strings<'a> {
    pages: &'a Pages,
    /// Address, offset and size of the loaded segments.
    loads: Vec<(u64, u64, u64)>,
    table: (u64, u64),
}

impl Strings<'_> {
    fn get(&self, index: u64) -> Result<String, NeedsError> {
        let outside =
            || NeedsError::Malformed("a name lies outside of its string table".to_owned());
        let (address, size) = self.table;
        let load = self
            .loads
            .iter()
            .find(|(start, _, size)| (*start..start.saturating_add(*size)).contains(&address));
        let (start, offset, _) = load.ok_or_else(outside)?;
        let table = offset.checked_add(address - start).ok_or_else(outside)?;
        let range = match (table.checked_add(index), table.checked_add(size)) {
            // The table of a large program has megabytes; no name has a page.
            (Some(from), Some(to)) if from < to => from..to.min(from.saturating_add(PAGE)),
            _ => return Err(outside()),
        };
        let bytes = self
            .pages
            .read_bytes_at_until(range, 0)
            .map_err(|()| error(self.pages, "a name has no end"))?;
        Ok(text(bytes))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches('\0')
        .to_owned()
}

/// The first line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shebang {
    /// The absolute path of the program that runs it.
    pub interpreter: String,
    /// What that program is given before the script, in one piece.
    pub argument: Option<String>,
}

/// The interpreter that the first bytes of a file name, if it is a script.
///
/// It is read as the kernel does: blanks and tabs around the parts are dropped, a carriage return is not, so that a script
/// with the line ends of Windows names a program that is nowhere.
/// See <https://github.com/torvalds/linux/blob/master/fs/binfmt_script.c>.
#[must_use]
pub fn shebang(head: &[u8]) -> Option<Shebang> {
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| matches!(byte, b'\n' | 0))
        .next()?;
    let line = String::from_utf8_lossy(line);
    let line = line.trim_matches([' ', '\t']);
    let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let argument = argument.trim_start_matches([' ', '\t']);
    if interpreter.is_empty() {
        return None;
    }
    Some(Shebang {
        interpreter: interpreter.to_owned(),
        argument: (!argument.is_empty()).then(|| argument.to_owned()),
    })
}

impl Shebang {
    /// The program that `env` looks for in `PATH`, where the interpreter is `env`.
    ///
    /// Without `-S` the whole argument is one name: `env node --flag` looks for a program called `node --flag`.
    /// See <https://www.gnu.org/software/coreutils/manual/html_node/env-invocation.html>.
    #[must_use]
    pub fn program(&self) -> Option<String> {
        if self.interpreter.rsplit('/').next() != Some("env") {
            return None;
        }
        let argument = self.argument.as_deref()?;
        // `-S` may end a bundle of flags, as in `-vS`, and its string may follow at once.
        let split = argument.strip_prefix("--split-string").or_else(|| {
            let flags = argument.strip_prefix('-')?;
            let at = flags.find('S')?;
            let is_bundle = flags[..at].bytes().all(|flag| b"iv0".contains(&flag));
            is_bundle.then(|| &flags[at + 1..])
        });
        let Some(split) = split else {
            return Some(argument.to_owned());
        };
        let words = shlex::split(split.trim_start_matches('='))?;
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                // Their value is a word of its own.
                "-u" | "--unset" | "-C" | "--chdir" => {
                    words.next();
                }
                word if word.starts_with('-') || word.contains('=') => {}
                _ => return Some(word),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], page: u64) -> Result<Needs, NeedsError> {
        let mut pages = Pages::new(bytes.len() as u64);
        pages.insert(0, bytes[..bytes.len().min(page as usize)].to_vec());
        for _ in 0..50 {
            match Needs::read(&pages) {
                Err(NeedsError::Missing { offset, length }) => {
                    let (start, end) = (offset as usize, (offset + length) as usize);
                    pages.insert(offset, bytes[start..end].to_vec());
                }
                other => return other,
            }
        }
        panic!("it asks for ever more");
    }

    #[test]
    fn this_very_program_needs_libc_and_a_loader_and_is_read_in_pages() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = read(&bytes, 64).unwrap();
        assert!(
            needs.libraries.contains(&"libc.so.6".to_owned()),
            "{needs:?}"
        );
        assert!(
            needs
                .interpreter
                .as_ref()
                .is_some_and(|loader| loader.contains("ld-linux")),
            "{needs:?}"
        );
        assert!(needs.is_native() && needs.is_program());
        assert_eq!(needs.soname, None);
    }

    #[test]
    fn a_part_that_no_answer_holds_is_not_asked_for() {
        let mut file = vec![0; 120];
        file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        file[18] = 62; // for this machine
        file[20] = 1; // its version
        file[32] = 64; // the offset of the segments
        file[54] = 56; // their size
        file[56] = 1; // their number
        file[64] = 3; // a loader,
        file[64 + 32 + 3] = 6; // 96 MiB long
        let mut pages = Pages::new(1 << 30);
        pages.insert(0, file);
        let read = Needs::read(&pages);
        assert!(matches!(read, Err(NeedsError::Malformed(_))), "{read:?}");
    }

    #[test]
    fn a_damaged_file_is_refused_and_never_panics() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let head = &bytes[..4096.min(bytes.len())];
        assert!(matches!(read(head, 64), Err(NeedsError::Malformed(_))));
        for position in 0..64 {
            let mut damaged = head.to_vec();
            damaged[position] ^= 0xff;
            let _ = read(&damaged, 64);
        }
        assert!(matches!(
            read(b"\x7fELF", 64),
            Err(NeedsError::Malformed(_))
        ));
    }

    #[test]
    fn a_script_names_its_interpreter() {
        let script =
            |text: &str| shebang(text.as_bytes()).map(|line| (line.interpreter, line.argument));
        assert_eq!(
            script("#!/bin/sh\nexit"),
            Some(("/bin/sh".to_owned(), None))
        );
        let env = |argument: &str| Some(("/usr/bin/env".to_owned(), Some(argument.to_owned())));
        assert_eq!(
            script("#! \t/usr/bin/env  node --no-warnings \n"),
            env("node --no-warnings")
        );
        assert_eq!(
            script("#!/usr/bin/env node\r\n"),
            env("node\r"),
            "the kernel keeps a carriage return"
        );
        assert_eq!(script("#!\n/bin/sh"), None);
        assert_eq!(script("\x7fELF"), None);
    }

    #[test]
    fn env_names_the_program_it_looks_for() {
        for (line, expected) in [
            ("#!/bin/sh -e", None),
            ("#!/usr/bin/env", None),
            ("#!/usr/bin/env python3", Some("python3")),
            ("#!/usr/bin/env node --flag", Some("node --flag")),
            ("#!/usr/bin/env -S node --flag", Some("node")),
            ("#!/usr/bin/env -vS node", Some("node")),
            ("#!/usr/bin/env -Sdeno run", Some("deno")),
            (
                "#!/usr/bin/env --split-string=A=b -u X ruby -w",
                Some("ruby"),
            ),
            ("#!/usr/bin/env -S 'unclosed", None),
        ] {
            let program = shebang(line.as_bytes()).unwrap().program();
            assert_eq!(program.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn search_directories_are_seen_from_where_the_file_lies() {
        let needs = Needs {
            search: paths(
                "$ORIGIN/../lib:${ORIGIN}::/opt/x//lib:relative:/usr/$LIB:$ORIGIN/../../../..",
            ),
            ..Needs::default()
        };
        assert_eq!(
            needs.directories("/app/bin"),
            ["/app/lib", "/app/bin", "/opt/x/lib", "/"]
        );
    }

    #[test]
    fn a_section_is_found_by_its_name() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let find = |name: &str| {
            let mut pages = Pages::new(bytes.len() as u64);
            for _ in 0..50 {
                match section(&pages, name) {
                    Err(NeedsError::Missing { offset, length }) => {
                        let (start, end) = (offset as usize, (offset + length) as usize);
                        pages.insert(offset, bytes[start..end].to_vec());
                    }
                    other => return other,
                }
            }
            panic!("it asks for ever more");
        };
        let interpreter = find(".interp").unwrap().unwrap();
        let interpreter = &bytes[interpreter.start as usize..interpreter.end as usize];
        assert!(interpreter.ends_with(b".so.2\0") || interpreter.ends_with(b".so.1\0"));
        assert_eq!(find(".go.buildinfo"), Ok(None));
    }
}
