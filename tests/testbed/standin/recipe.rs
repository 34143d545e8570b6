//! What the packages of the stand-in are made of: `packages.toml`, read.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Result;

const PACKAGES: &str = include_str!("packages.toml");

/// How much is made.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[derive(clap::ValueEnum)]
pub(crate) enum Set {
    /// What the example repository is built of.
    #[default]
    Small,
    /// All of it.
    Full,
}

/// One package. Its serialised form is part of the key that its file is cached under.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Recipe {
    /// The name in Wolfi.
    pub(crate) name: String,
    /// The smallest set that has it.
    pub(crate) set: Set,
    /// Whether the base image has it.
    pub(crate) base: bool,
    /// A literal `1.2-r3`, or an input whose version it takes.
    pub(crate) version: String,
    /// The `N` of `-rN`, for versions taken from an input.
    pub(crate) release: u32,
    /// The recipe in Wolfi, if it is called otherwise.
    pub(crate) origin: Option<String>,
    /// SPDX expression.
    pub(crate) license: String,
    /// What it is, in a few words.
    pub(crate) about: String,
    /// Inputs: `deb:…`, `pypi:…`, `npm:…`, `rust:`.
    pub(crate) from: Vec<String>,
    /// Globs over the unpacked inputs, as `GLOB` or `GLOB -> PLACE`; none takes everything.
    pub(crate) take: Vec<String>,
    /// Globs over the package that are dropped again.
    pub(crate) leave: Vec<String>,
    /// Links, path to text.
    pub(crate) links: BTreeMap<String, String>,
    /// Files, path to text; executable if they start with `#!`.
    pub(crate) files: BTreeMap<String, String>,
    /// Directories, path to octal mode.
    pub(crate) directories: BTreeMap<String, String>,
    /// Octal modes of files that have another one.
    pub(crate) modes: BTreeMap<String, String>,
    /// Files joined of others: path to glob over the unpacked inputs.
    pub(crate) join: BTreeMap<String, String>,
    /// Java key stores made of certificates: path to glob over the unpacked inputs.
    pub(crate) keystore: BTreeMap<String, String>,
    /// Files that hold the output of a program of the inputs: path to command line.
    pub(crate) run: BTreeMap<String, String>,
    /// Inputs that are put in as they are: directory to input.
    pub(crate) whole: BTreeMap<String, String>,
    /// Changes of text files.
    pub(crate) edit: Vec<Edit>,
    /// Dependencies beside the computed ones.
    pub(crate) depends: Vec<String>,
    /// Provided names beside the computed ones.
    pub(crate) provides: Vec<String>,
    /// Packages of the same origin that have some of its files too.
    pub(crate) replaces: Vec<String>,
    /// Computed names that are not provided.
    pub(crate) private: Vec<String>,
    /// `k:`
    pub(crate) priority: Option<i32>,
    /// Directories whose change runs the trigger.
    pub(crate) triggers: Vec<String>,
    /// Scripts, member to text.
    pub(crate) scripts: BTreeMap<String, String>,
}

/// A change of a text file: the text must be there.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Edit {
    /// Path in the package.
    pub(crate) file: String,
    /// What is there.
    pub(crate) find: String,
    /// What replaces it, every time.
    pub(crate) replace: String,
}

impl Recipe {
    /// Every input it needs.
    pub(crate) fn inputs(&self) -> BTreeSet<&str> {
        let mut inputs: BTreeSet<&str> = self.from.iter().map(String::as_str).collect();
        inputs.extend(self.whole.values().map(String::as_str));
        if self.version.contains(':') {
            inputs.insert(&self.version);
        }
        inputs
    }
}

/// The recipes of a set, by name.
pub(crate) fn read(set: Set) -> Result<Vec<Recipe>> {
    #[derive(Deserialize)]
    struct File {
        package: Vec<Recipe>,
    }
    let file: File = toml::from_str(PACKAGES)?;
    let mut recipes = file.package;
    recipes.retain(|recipe| recipe.set <= set);
    recipes.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = recipes.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(format!("two recipes for `{}`", pair[0].name).into());
    }
    Ok(recipes)
}
