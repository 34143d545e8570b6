//! The extended attributes of a file.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::fs::{lgetxattr, llistxattr};
use rustix::io::{Errno, Result};

/// Linux's limit for a value, and for all names of a file together.
const MAX: usize = 64 << 10;

/// What nearly all names and values need.
const USUAL: usize = 1 << 10;

/// What Go's client leaves out: <https://github.com/tonistiigi/fsutil/blob/master/stat_unix.go>.
const LEFT_OUT: &str = "com.apple.";

/// Values by their names. Few files have any.
pub(super) type Attributes = Option<Box<BTreeMap<String, Vec<u8>>>>;

/// A file whose attributes cannot be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The system does not say which there are.
    System(Errno),
    /// The name of one is not UTF-8; what is not has a mark in its place.
    Name(String),
}

/// The attributes of the file, directory or link at `path`. What vanishes, or may not be read, is none, as it is for
/// Go's client.
pub(super) fn attributes(path: &Path) -> std::result::Result<Attributes, Unreadable> {
    let names = match whole(|buffer| llistxattr(path, buffer)) {
        Ok(names) if names.is_empty() => return Ok(None),
        Ok(names) => names,
        // The file system has none; the file is gone.
        Err(Errno::NOTSUP | Errno::NOENT) => return Ok(None),
        Err(error) => return Err(Unreadable::System(error)),
    };
    let mut found = BTreeMap::new();
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let Ok(name) = std::str::from_utf8(name) else {
            let name = String::from_utf8_lossy(name).into_owned();
            return Err(Unreadable::Name(name));
        };
        if name.starts_with(LEFT_OUT) {
            continue;
        }
        if let Ok(value) = whole(|buffer| lgetxattr(path, name, buffer)) {
            found.insert(name.to_owned(), value);
        }
    }
    Ok((!found.is_empty()).then(|| Box::new(found)))
}

/// What `read` writes into a buffer that is large enough.
fn whole(read: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let mut usual = [0; USUAL];
    match read(&mut usual) {
        Err(Errno::RANGE) => {
            let mut buffer = vec![0; MAX];
            let length = read(&mut buffer)?;
            buffer.truncate(length);
            Ok(buffer)
        }
        length => Ok(usual[..length?].to_vec()),
    }
}
