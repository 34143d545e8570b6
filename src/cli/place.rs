//! Where an output is written until it is whole, and how it gets to its place.

use std::fs::{self, File, FileType, Permissions};
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::buildkit::{Directory, Target};
use crate::oci::Descriptor;

use super::failure::Failure;
use super::output::Output;
use super::unwritable;

/// The place of an output.
pub(super) enum Place {
    /// The caller sees to it.
    Own,
    /// The daemon keeps it or pushes it.
    Daemon,
    /// The Engine takes the archive.
    Engine(NamedTempFile),
    /// Stdout takes the archive.
    Stdout(NamedTempFile),
    /// A file. What is no ordinary file, such as a pipe, is written to; all else is replaced at once.
    File {
        partial: NamedTempFile,
        path: PathBuf,
        is_ordinary: bool,
    },
    /// A directory, which has other files too if it is there already.
    Files { partial: TempDir, path: PathBuf },
    /// An image layout, which has other images too if it is there already.
    Layout {
        partial: Option<TempDir>,
        path: PathBuf,
    },
}

impl Place {
    pub(super) fn engine() -> Result<Self, Failure> {
        temporary().map(Self::Engine)
    }

    pub(super) fn stdout() -> Result<Self, Failure> {
        temporary().map(Self::Stdout)
    }

    pub(super) fn file(path: &Path) -> Result<Self, Failure> {
        let (path, kind) = found(path)?;
        if kind.is_some_and(|kind| kind.is_dir()) {
            return Err(
                Failure::input(format!("`{}` is a directory", path.display()))
                    .hint("name a file in it"),
            );
        }
        let is_ordinary = kind.is_none_or(|kind| kind.is_file());
        let partial = match is_ordinary {
            // It gets its final name when it is whole.
            true => NamedTempFile::new_in(parent(&path)),
            false => NamedTempFile::new(),
        };
        Ok(Self::File {
            partial: partial.map_err(|error| unwritable(&path, &error))?,
            path,
            is_ordinary,
        })
    }

    pub(super) fn files(path: &Path) -> Result<Self, Failure> {
        let (path, kind) = found(path)?;
        if kind.is_some_and(|kind| !kind.is_dir()) {
            return Err(
                Failure::input(format!("`{}` is no directory", path.display()))
                    .hint("name a directory, or one that is not there yet"),
            );
        }
        Ok(Self::Files {
            partial: directory(&path)?,
            path,
        })
    }

    pub(super) fn layout(path: &Path) -> Result<Self, Failure> {
        let (path, kind) = found(path)?;
        let is_empty =
            kind.is_none() || fs::read_dir(&path).is_ok_and(|mut all| all.next().is_none());
        if !is_empty && !path.join("oci-layout").is_file() {
            return Err(Failure::input(format!(
                "`{}` is there already and is no image layout",
                path.display()
            ))
            .hint("name an image layout, or a directory that is not there yet"));
        }
        Ok(Self::Layout {
            partial: match is_empty {
                true => Some(directory(&path)?),
                // Blobs have their digests as names, and count only once the index names them.
                false => None,
            },
            path,
        })
    }

    /// Where the exporter's output goes, if it is not the caller's.
    pub(super) fn target(&self) -> Target {
        match self {
            Self::Own | Self::Daemon => Target::Daemon,
            Self::Engine(partial) | Self::Stdout(partial) | Self::File { partial, .. } => {
                Target::File(partial.path().to_owned())
            }
            Self::Files { partial, .. } => Target::Files(partial.path().to_owned()),
            Self::Layout {
                partial: Some(partial),
                ..
            } => Target::Layout(partial.path().to_owned()),
            Self::Layout { path, .. } => Target::Layout(path.clone()),
        }
    }
}

/// Refuses to write an archive to a terminal.
pub(super) fn check_stdout(output: &Output) -> Result<(), Failure> {
    match io::stdout().is_terminal() {
        false => Ok(()),
        true => Err(Failure::input(format!(
            "`--output {output}`: an archive is nothing for a terminal"
        ))
        .hint("send stdout to a file or another program, or name a file with dest=FILE")),
    }
}

/// Writes the archive to stdout.
pub(super) fn pour(partial: &NamedTempFile) -> Result<(), Failure> {
    let copied = partial
        .reopen()
        .and_then(|mut file| io::copy(&mut file, &mut io::stdout().lock()));
    match copied {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::environment(format!(
            "cannot write to stdout: {error}"
        ))),
    }
}

/// Gives the file its final name; a temporary file is its owner's alone, an output is not.
pub(super) fn keep(partial: NamedTempFile, path: &Path, is_ordinary: bool) -> Result<(), Failure> {
    let kept = || -> io::Result<()> {
        if !is_ordinary {
            let mut place = File::options().write(true).open(path)?;
            io::copy(&mut partial.reopen()?, &mut place)?;
            return Ok(());
        }
        let file = partial.as_file();
        file.set_permissions(Permissions::from_mode(0o644))?;
        partial.persist(path)?;
        Ok(())
    };
    kept().map_err(|error| unwritable(path, &error))
}

/// Moves the files to their directory: all at once where it is not there yet, else one by one over those of the same name.
pub(super) fn settle(partial: TempDir, path: &Path) -> Result<(), Failure> {
    let failed = |error: &io::Error| unwritable(path, error);
    fs::set_permissions(partial.path(), Permissions::from_mode(0o755))
        .map_err(|error| failed(&error))?;
    // The system replaces an empty directory too.
    if fs::rename(partial.path(), path).is_ok() {
        let _ = partial.keep(); // there is nothing any more to remove
        return Ok(());
    }
    if let Some(obstacle) = obstacle(partial.path(), path).map_err(|error| failed(&error))? {
        return Err(Failure::environment(format!(
            "`{}` is in the way: a directory cannot take the place of a file, nor a file that of a directory",
            obstacle.display()
        ))
        .hint("remove it, or name another directory"));
    }
    merge(partial.path(), path).map_err(|error| failed(&error))
}

/// Names what the layout has got and gives it its place.
pub(super) fn publish(
    partial: Option<TempDir>,
    path: &Path,
    root: &Descriptor,
    names: &[(String, String)],
) -> Result<(), Failure> {
    let place = partial.as_ref().map_or(path, TempDir::path);
    let directory = Directory::new(place.to_owned());
    for (name, tag) in names {
        let mut descriptor = root.clone();
        descriptor
            .annotations
            .insert("io.containerd.image.name".to_owned(), name.clone());
        directory
            .name(descriptor, tag)
            .map_err(|error| unwritable(path, &error))?;
    }
    partial.map_or(Ok(()), |partial| settle(partial, path))
}

/// Something of `to` whose place something else of `from` would take.
fn obstacle(from: &Path, to: &Path) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let Ok(there) = fs::symlink_metadata(&to) else {
            continue;
        };
        match (entry.file_type()?.is_dir(), there.is_dir()) {
            (true, true) => {
                if let Some(found) = obstacle(&from, &to)? {
                    return Ok(Some(found));
                }
            }
            (false, false) => {}
            _ => return Ok(Some(to)),
        }
    }
    Ok(None)
}

// Nothing is written through a link: what is one in `to` is replaced, never followed.
fn merge(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let is_there = fs::symlink_metadata(&to).is_ok();
        match entry.file_type()?.is_dir() && is_there {
            true => merge(&from, &to)?,
            false => fs::rename(&from, &to)?,
        }
    }
    Ok(())
}

/// The place that `path` leads to, and what is there.
fn found(path: &Path) -> Result<(PathBuf, Option<FileType>), Failure> {
    match fs::metadata(path) {
        Ok(metadata) => {
            let path = path
                .canonicalize()
                .map_err(|error| unwritable(path, &error))?;
            Ok((path, Some(metadata.file_type())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((path.to_owned(), None)),
        Err(error) => Err(unwritable(path, &error)),
    }
}

fn temporary() -> Result<NamedTempFile, Failure> {
    NamedTempFile::new().map_err(|error| unwritable(&std::env::temp_dir(), &error))
}

// Beside its place, so that it can be moved there at once.
fn directory(path: &Path) -> Result<TempDir, Failure> {
    let parent = parent(path);
    let made = fs::create_dir_all(parent).and_then(|()| {
        tempfile::Builder::new()
            .prefix(".peelbox-")
            .tempdir_in(parent)
    });
    made.map_err(|error| unwritable(path, &error))
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn partial(folder: &TempDir, files: &[&str]) -> TempDir {
        let partial = tempfile::tempdir_in(folder.path()).unwrap();
        for file in files {
            let path = partial.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "new").unwrap();
        }
        partial
    }

    #[test]
    fn files_go_into_a_directory_that_has_others() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("out");
        settle(partial(&folder, &["a/b", "c"]), &place).unwrap();
        fs::write(place.join("a/mine"), "mine").unwrap();
        fs::write(place.join("c"), "old").unwrap();
        settle(partial(&folder, &["a/d", "c"]), &place).unwrap();
        for (file, text) in [
            ("a/b", "new"),
            ("a/d", "new"),
            ("a/mine", "mine"),
            ("c", "new"),
        ] {
            assert_eq!(
                fs::read_to_string(place.join(file)).unwrap(),
                text,
                "{file}"
            );
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_written_through_a_link_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let (place, outside) = (folder.path().join("out"), folder.path().join("outside"));
        fs::create_dir_all(&place).unwrap();
        fs::create_dir(&outside).unwrap();
        symlink(&outside, place.join("a")).unwrap();
        let failure = settle(partial(&folder, &["a/b", "c"]), &place).unwrap_err();
        assert!(
            failure.problems[0].message.contains("out/a` is in the way"),
            "{failure:?}"
        );
        assert!(!place.join("c").exists(), "not even what comes before");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let Ok(Place::File {
            partial,
            path,
            is_ordinary,
        }) = Place::file(Path::new("/dev/null"))
        else {
            panic!("a device is a place");
        };
        assert!(!is_ordinary);
        keep(partial, &path, is_ordinary).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_directory_that_is_no_layout_is_not_made_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine"), "").unwrap();
        assert!(Place::layout(folder.path()).is_err());
        assert!(Place::layout(&folder.path().join("new")).is_ok());
    }
}
