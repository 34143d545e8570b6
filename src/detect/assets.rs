//! Asset stages: the front end that is built as a part of a back end's app.

use std::collections::BTreeMap;

use crate::spec::Secret;

use super::explain::Evidence;
use super::provider::Draft;

/// What an app's build needs for the assets that a package.json of its own makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Assets {
    pub(crate) packages: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    /// The files that the installation reads, as globs relative to the repository's root.
    pub(crate) files: Vec<String>,
    /// The installation, run in the app's directory.
    pub(crate) install: Vec<String>,
    /// The build, run in the app's directory.
    pub(crate) commands: Vec<String>,
    pub(crate) cache: Vec<String>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) evidence: Vec<Evidence>,
}

impl Draft {
    /// Builds the assets before the app's own commands.
    pub(crate) fn with_assets(&mut self, assets: Assets) {
        let build = &mut self.spec.build;
        for package in assets.packages {
            if !build.packages.contains(&package) {
                build.packages.push(package);
            }
        }
        for (name, value) in assets.env {
            build.env.entry(name).or_insert(value);
        }
        build.install.files.extend(assets.files);
        build.install.files.sort();
        build.install.files.dedup();
        build.install.commands.extend(assets.install);
        build.commands.splice(0..0, assets.commands);
        build.cache.extend(assets.cache);
        for secret in assets.secrets {
            if !build.secrets.contains(&secret) {
                build.secrets.push(secret);
            }
        }
        self.evidence.extend(assets.evidence);
    }
}
