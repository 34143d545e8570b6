//! What files that are no manifests say of a directory: evidence for what it is, never copied blindly.

use std::collections::BTreeMap;

use super::provider::Scan;
use super::repo::join;
use super::source::Fact;

/// The hints for one directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    /// Who says that the directory is an app, as a noun phrase.
    pub(crate) named: Vec<Fact<String>>,
    /// The process types of its Procfile, by name, as written.
    pub(crate) processes: BTreeMap<String, Fact<String>>,
    /// What is run according to others, best source first, as written.
    pub(crate) commands: Vec<Fact<String>>,
    /// The ports that it is said to listen on, best source first.
    pub(crate) ports: Vec<Fact<u16>>,
    /// The route that is asked whether it is well.
    pub(crate) health: Option<Fact<String>>,
}

impl Hints {
    /// Reads the hints for the directory at `dir`.
    pub(crate) fn read(scan: &mut Scan<'_>, dir: &str) -> Self {
        Self {
            processes: procfile(scan, dir),
            ..Self::default()
        }
    }
}

/// The lines `name: command` of a Procfile.
fn procfile(scan: &Scan<'_>, dir: &str) -> BTreeMap<String, Fact<String>> {
    let file = join(dir, "Procfile");
    let Ok(text) = scan.repo.text(&file) else {
        return BTreeMap::new();
    };
    let lines = text.lines().zip(1..).filter_map(|(line, number)| {
        let (name, command) = line.split_once(':')?;
        let (name, command) = (name.trim(), command.trim());
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let is_process = !name.is_empty() && name.chars().all(is_name) && !command.is_empty();
        is_process.then(|| {
            let fact = Fact {
                value: command.to_owned(),
                file: file.clone(),
                line: number,
            };
            (name.to_owned(), fact)
        })
    });
    lines.collect()
}
