//! The report as files.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Report;
use crate::oci::Digest;

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file could not be written or renamed.
    #[error("cannot write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An artifact whose name would break the list of checksums, or lead elsewhere.
    #[error("{0:?} is no name of an artifact")]
    Name(String),
}

impl Report {
    /// Writes `report.json`, and `checksums.txt` over it and all artifacts, into `directory`.
    ///
    /// Each file is written under a temporary name and renamed, so that neither is ever there in half.
    ///
    /// # Errors
    ///
    /// If an artifact's name is not a plain relative path, or a file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), WriteError> {
        let json = self.to_json();
        let checksums = self.checksums(&json)?;
        write(directory, "report.json", &json)?;
        write(directory, "checksums.txt", checksums.as_bytes())
    }

    /// The list that `sha256sum --check` reads.
    fn checksums(&self, json: &[u8]) -> Result<String, WriteError> {
        let mut sums: BTreeMap<&str, Digest> = BTreeMap::new();
        for artifact in self.apps.iter().flat_map(|app| &app.artifacts) {
            let name = artifact.file.as_str();
            let is_plain = !name.is_empty()
                && !name.contains(['\\', '\n', '\r'])
                && !name.chars().any(char::is_control)
                && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
            if !is_plain {
                return Err(WriteError::Name(name.to_owned()));
            }
            sums.insert(name, artifact.sha256);
        }
        sums.insert("report.json", Digest::of(json));
        let lines = sums
            .iter()
            .map(|(name, sum)| format!("{}  {name}\n", sum.hex()));
        Ok(lines.collect())
    }
}

fn write(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
    let path = directory.join(name);
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".peelbox-")
            // As any file that the user makes: other jobs upload and read it.
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(|source| WriteError::Write {
        path: path.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{App, Outcome, Run};
    use super::*;

    fn report(file: &str) -> Report {
        let mut report = Report::new(Run::default());
        let app = format!(
            r#"{{"name":"a","path":".","outcome":"built","duration_ms":1,"artifacts":[{{"kind":"log","file":{},"sha256":"{}"}}]}}"#,
            serde_json::to_string(file).unwrap(),
            Digest::of(b"log")
        );
        let app: App = serde_json::from_str(&app).unwrap();
        assert_eq!(app.outcome, Outcome::Built);
        report.add(app);
        report
    }

    #[test]
    fn the_report_and_its_checksums_are_written_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let report = report("a.log");
        report.write(directory.path()).unwrap();
        report.write(directory.path()).unwrap();
        let json = std::fs::read(directory.path().join("report.json")).unwrap();
        assert_eq!(Report::read(&json).unwrap(), report);
        let sums = std::fs::read_to_string(directory.path().join("checksums.txt")).unwrap();
        let expected = format!(
            "{}  a.log\n{}  report.json\n",
            Digest::of(b"log").hex(),
            Digest::of(&json).hex()
        );
        assert_eq!(sums, expected);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
        let mode = std::fs::metadata(directory.path().join("report.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o444, 0o444 & mode);
        assert_ne!(mode & 0o040, 0);
    }

    #[test]
    fn names_that_lead_elsewhere_or_forge_lines_are_refused() {
        for name in ["", "../x", "/etc/passwd", "a\nb", "a\\b", "a//b", "./a"] {
            let directory = tempfile::tempdir().unwrap();
            assert!(
                matches!(
                    report(name).write(directory.path()),
                    Err(WriteError::Name(_))
                ),
                "{name:?}"
            );
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = report("a")
            .write(&directory.path().join("gone"))
            .unwrap_err();
        assert!(error.to_string().ends_with("gone/report.json`"), "{error}");
    }
}
