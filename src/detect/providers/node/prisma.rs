//! Prisma: its client is generated from a schema, and needs OpenSSL.

use crate::detect::provider::{Scan, quoted};
use crate::detect::repo::join;

use super::Project;
use super::manager::Tool;
use super::steps::{Steps, exec, in_root};

fn is_used(project: &Project<'_>) -> bool {
    !project.package.inherits
        && (project.package.has("prisma") || project.package.has("@prisma/client"))
}

/// Generates the client before the build, unless a script does.
pub(super) fn before(scan: &Scan<'_>, project: &Project<'_>, steps: &mut Steps) {
    if !is_used(project) {
        return;
    }
    steps.packages.extend(scan.catalog.package("openssl"));
    steps.runtime.extend(scan.catalog.package("openssl"));
    let package = project.package;
    let generates = [project.build_script(), "prebuild", "postinstall", "prepare"]
        .iter()
        .any(|name| {
            package
                .script(name)
                .is_some_and(|script| script.contains("prisma generate"))
        });
    let has_schema = package.document.get(&["prisma", "schema"]).is_some()
        || ["prisma/schema.prisma", "schema.prisma", "prisma.config.ts"]
            .iter()
            .any(|name| scan.repo.has(&join(&package.dir, name)))
        || scan
            .repo
            .dir(&join(&package.dir, "prisma/schema"))
            .is_some();
    if !generates && has_schema && package.has("prisma") {
        steps.build.push(exec(project, "prisma generate"));
    }
}

/// Keeps the generated client where pruning makes the installed packages anew.
pub(super) fn after(scan: &Scan<'_>, project: &Project<'_>, steps: &mut Steps) {
    let lies_in_source = ["prisma/schema.prisma", "schema.prisma"]
        .iter()
        .any(|name| {
            scan.repo
                .text(&join(&project.package.dir, name))
                .is_ok_and(|text| {
                    text.lines()
                        .any(|line| line.trim_start().starts_with("output"))
                })
        });
    if !is_used(project) || lies_in_source {
        return;
    }
    match (project.manager.tool, &steps.deployed) {
        (Tool::Pnpm, Some(out)) => {
            let modules = "node_modules/.pnpm";
            let copy = format!(
                "for to in {}/{modules}/@prisma+client@*/node_modules; do cp -a {modules}/@prisma+client@*/node_modules/.prisma \"$to\"; done",
                quoted(out)
            );
            steps.prune.push(in_root(project, &copy));
        }
        (Tool::Npm, _) if project.is_workspace_member() => keep(project, steps),
        (Tool::Bun | Tool::YarnBerry, _) => keep(project, steps),
        _ => {}
    }
}

fn keep(project: &Project<'_>, steps: &mut Steps) {
    let save = "cp -a node_modules/.prisma /tmp/prisma-client";
    steps.prune.insert(0, in_root(project, save));
    let restore = "rm -rf node_modules/.prisma && mv /tmp/prisma-client node_modules/.prisma";
    steps.prune.push(in_root(project, restore));
}
