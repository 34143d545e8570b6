//! The assets of a back end: a package.json whose build is a stage of another app.

use crate::detect::assets::Assets;
use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan, quoted};
use crate::detect::repo::{join, relative};

use super::entry::{self, Found};
use super::image;
use super::script::Runtime;
use super::{group, package, project, steps, toolchain};

/// What the package.json in `dir` builds for the back end there, `owner`; nothing where it has no build or serves by itself.
///
/// The package is then no app of its own.
pub(crate) fn assets(
    scan: &mut Scan<'_>,
    dir: &str,
    owner: &str,
) -> Result<Option<Assets>, Problem> {
    assets_below(scan, dir, dir, owner)
}

/// The same for a package in `dir` at or below `app`, the directory of the back end, where its commands will be run.
pub(crate) fn assets_below(
    scan: &mut Scan<'_>,
    app: &str,
    dir: &str,
    owner: &str,
) -> Result<Option<Assets>, Problem> {
    let packages = package::read(scan);
    let Some(package) = packages.get(dir) else {
        return Ok(None);
    };
    let groups = group::all(scan, &packages);
    let project = project::project(scan, &packages, package, group::of(&groups, dir));
    if !project.has_build() || matches!(entry::server(scan, &project), Ok(Found::Server(_))) {
        return Ok(None);
    }
    let chosen = toolchain::choose(scan, &project, Runtime::Node)?;
    let steps = steps::steps(scan, &project, None)?;
    let mut packages = steps.packages;
    packages.extend(chosen.build);
    let script = project.build_script();
    let built = Evidence::new("assets", script, "node.assets");
    let built = built.at(package.script_file(script), package.script_line(script));
    let as_assets = |evidence: Evidence| Evidence {
        field: "assets".to_owned(),
        ..evidence
    };
    let manager = as_assets(project.manager.evidence.clone());
    let version = as_assets(chosen.evidence);
    scan.claims.insert(dir.to_owned(), owner.to_owned());
    // Members that only this build uses belong to it as well.
    for member in &project.internal {
        scan.claims
            .entry(member.clone())
            .or_insert_with(|| owner.to_owned());
    }
    let mut files = steps.files;
    if files == ["**"] {
        files = vec![crate::detect::provider::tree_glob(app)];
    }
    let place = relative(app, dir);
    let there = |command: String| {
        if place == "." {
            command
        } else {
            format!("cd {} && {command}", quoted(&place))
        }
    };
    let cache = steps.cache.into_iter().map(|path| {
        if path.starts_with('/') || place == "." {
            path
        } else {
            join(&place, &path)
        }
    });
    Ok(Some(Assets {
        packages,
        env: steps.env,
        files,
        install: steps.install.into_iter().map(there).collect(),
        commands: steps.build.into_iter().map(there).collect(),
        cache: cache.collect(),
        secrets: image::secrets(scan, &project),
        evidence: vec![version, manager, built],
    }))
}
