//! What leaves only the dependencies that an app needs to run.

use std::collections::BTreeSet;

use crate::detect::provider::{Problem, Scan, quoted};
use crate::detect::repo::join;

use super::Project;
use super::manager::Tool;
use super::steps::{Steps, in_root, runs_on_install};

/// Adds the commands that prune the installed packages.
pub(super) fn prune(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    steps: &mut Steps,
) -> Result<(), Problem> {
    let manager = &project.manager;
    if project.package.dependencies.is_empty() && manager.tool != Tool::Rush {
        // Nothing of what is installed is shipped.
        return Ok(());
    }
    let is_member = project.is_workspace_member();
    let is_root = !project.is_member() && !project.members().is_empty();
    let name = quoted(&project.filter());
    let call = manager.call(&manager.root);
    match manager.tool {
        Tool::Npm if is_member => npm_member(scan, project, steps),
        Tool::Npm => {
            steps
                .prune
                .push(in_root(project, "npm prune --omit=dev --ignore-scripts"));
        }
        Tool::Pnpm if is_member || is_root => {
            let command = format!(
                "pnpm --filter {name} deploy --prod --legacy /out && {}",
                without_times("/out/node_modules")
            );
            steps.prune.push(in_root(project, &command));
            steps.deployed = Some("/out".to_owned());
        }
        Tool::Pnpm => {
            let command = format!(
                "pnpm prune --prod --ignore-scripts && {}",
                without_times("node_modules")
            );
            steps.prune.push(in_root(project, &command));
        }
        Tool::Rush => return rush(scan, project, steps),
        Tool::YarnClassic => {
            let frozen = if manager.lock.is_some() {
                "--frozen-lockfile "
            } else {
                ""
            };
            let command = format!(
                "{call} install --production {frozen}--ignore-scripts --prefer-offline --non-interactive"
            );
            steps.prune.push(in_root(project, &command));
        }
        Tool::YarnBerry => berry(scan, project, steps),
        Tool::Bun => bun(project, steps),
    }
    Ok(())
}

fn npm_member(scan: &Scan<'_>, project: &Project<'_>, steps: &mut Steps) {
    // A second installation, because `npm prune` keeps what the other members need.
    let name = quoted(&project.filter());
    let only = format!("npm ci --omit=dev --ignore-scripts --prefer-offline -w {name}");
    steps.prune.push(in_root(project, &only));
    steps.prune.extend(unlink(project));
    let scripted = scripted(scan, project);
    if !scripted.is_empty() {
        let names: Vec<String> = scripted.iter().map(|name| quoted(name)).collect();
        let rebuild = format!("npm rebuild {}", names.join(" "));
        steps.prune.push(in_root(project, &rebuild));
    }
}

fn berry(scan: &mut Scan<'_>, project: &Project<'_>, steps: &mut Steps) {
    let manager = &project.manager;
    if let Some(vendored) = &manager.vendored {
        let is_old = ["yarn-2.", "yarn-3.", "yarn-berry"]
            .iter()
            .any(|start| crate::detect::repo::split(vendored).1.starts_with(start));
        let plugin = join(&manager.root, ".yarnrc.yml");
        let has_plugin = scan
            .repo
            .text(&plugin)
            .is_ok_and(|text| text.contains("plugin-workspace-tools"));
        if is_old && !has_plugin {
            let message = "this Yarn cannot leave out development dependencies, which will be in the image: `plugin-workspace-tools` is not there";
            scan.warn(&plugin, None, message);
            return;
        }
    }
    let call = manager.call(&manager.root);
    let mut command = format!("{call} workspaces focus --production");
    if project.is_workspace_member() {
        command.push(' ');
        command.push_str(&quoted(&project.filter()));
    }
    steps.prune.push(in_root(project, &command));
}

fn bun(project: &Project<'_>, steps: &mut Steps) {
    let mut command = "rm -rf node_modules && bun install --production --linker=hoisted".to_owned();
    if project.manager.lock.is_some() {
        command.push_str(" --frozen-lockfile");
    }
    if project.is_workspace_member() {
        command.push_str(" --filter ");
        command.push_str(&quoted(&project.filter()));
    }
    // Hooks of the package itself need what is left out.
    let root = project.packages.get(&project.manager.root);
    let hooked = root.into_iter().chain([project.package]).any(|package| {
        runs_on_install(package)
            || ["prepare", "postinstall"]
                .iter()
                .any(|name| package.script(name).is_some())
    });
    if hooked {
        command.push_str(" --ignore-scripts");
    }
    steps.prune.push(in_root(project, &command));
}

/// The tree of one project of Rush, which its own configuration describes.
fn rush(scan: &Scan<'_>, project: &Project<'_>, steps: &mut Steps) -> Result<(), Problem> {
    let manager = &project.manager;
    let config = join(&manager.root, "common/config/rush/deploy.json");
    if !scan.repo.has(&config) {
        steps.deployed = None;
        return Ok(());
    }
    let command = format!(
        "{} deploy --project {} --target-folder /out --overwrite",
        manager.call(&manager.root),
        quoted(&project.filter())
    );
    steps.prune.push(in_root(project, &command));
    steps.deployed = Some("/out".to_owned());
    Ok(())
}

/// Removes the files in which pnpm notes when it ran.
fn without_times(modules: &str) -> String {
    format!("rm -f {modules}/.modules.yaml {modules}/.pnpm-workspace-state-v1.json")
}

/// Removes the links to members that only the build needs, which would lead nowhere in the image.
fn unlink(project: &Project<'_>) -> Option<String> {
    let build_only = project
        .internal
        .iter()
        .filter(|dir| !project.shipped.contains(dir));
    let links: Vec<String> = build_only
        .filter_map(|dir| project.packages.get(dir)?.name.clone())
        .map(|name| quoted(&format!("node_modules/{name}")))
        .collect();
    (!links.is_empty()).then(|| in_root(project, &format!("rm -f {}", links.join(" "))))
}

/// Locked production packages whose own scripts have to run: native addons and the like.
fn scripted(scan: &Scan<'_>, project: &Project<'_>) -> BTreeSet<String> {
    let Some(lock) = project.manager.lock.as_deref() else {
        return BTreeSet::new();
    };
    let Some(text) = scan.repo.lock(lock) else {
        return BTreeSet::new();
    };
    if !text.contains("\"hasInstallScript\"") {
        return BTreeSet::new();
    }
    let Ok(lock) = serde_json::from_str::<serde_json::Value>(&text) else {
        return BTreeSet::new();
    };
    let Some(packages) = lock.get("packages").and_then(serde_json::Value::as_object) else {
        return BTreeSet::new();
    };
    packages
        .iter()
        .filter(|(_, package)| {
            let is =
                |key: &str| package.get(key).and_then(serde_json::Value::as_bool) == Some(true);
            is("hasInstallScript") && !is("dev")
        })
        .filter_map(|(path, _)| {
            path.rsplit_once("node_modules/")
                .map(|(_, name)| name.to_owned())
        })
        .collect()
}
