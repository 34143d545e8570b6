//! What packages need that are more than JavaScript: compilers, git, browsers.

use crate::detect::provider::Scan;

use super::Project;
use super::manager::Tool;
use super::steps::Steps;

/// Packages that are compiled on installation, or compile those that depend on them.
const NATIVE: &[&str] = &[
    "@mapbox/node-pre-gyp",
    "bindings",
    "nan",
    "node-addon-api",
    "node-gyp",
    "node-gyp-build",
    "prebuild-install",
];

/// Adds what the installation of native addons and of packages from git needs.
pub(super) fn native(scan: &Scan<'_>, project: &Project<'_>, steps: &mut Steps) {
    let manager = &project.manager;
    let Some(text) = manager
        .lock
        .as_deref()
        .and_then(|lock| scan.repo.lock(lock))
    else {
        return;
    };
    let is_locked = |name: &str| match manager.tool {
        Tool::Npm => text.contains(&format!("node_modules/{name}\"")),
        Tool::Pnpm | Tool::Rush => text.contains(&format!("{name}@")),
        Tool::Bun => text.contains(&format!("\n    \"{name}\": [")),
        Tool::YarnClassic | Tool::YarnBerry => {
            text.contains(&format!("\n{name}@")) || text.contains(&format!("\n\"{name}@"))
        }
    };
    if NATIVE.iter().any(|name| is_locked(name)) {
        for name in ["build-base", "python3"] {
            steps.packages.extend(scan.catalog.package(name));
        }
        if manager.tool != Tool::Npm {
            steps.packages.extend(scan.catalog.package("node-gyp"));
        }
    }
    let from_git = ["git+ssh://", "git+https://", "codeload.", "git@github.com"];
    if from_git.iter().any(|mark| text.contains(mark)) {
        steps.packages.extend(scan.catalog.package("git"));
    }
    let has_policy = project.root_document().get(&["allowScripts"]).is_some();
    if manager.tool == Tool::Npm && text.contains("\"hasInstallScript\": true") && !has_policy {
        // npm 12 runs no scripts of dependencies unless a policy allows them; earlier ones ran all, and so do
        // repositories without a policy expect it.
        steps.env.insert(
            "NPM_CONFIG_DANGEROUSLY_ALLOW_ALL_SCRIPTS".to_owned(),
            "true".to_owned(),
        );
    }
}

/// Packages that drive a browser, and the variable that keeps each from fetching one.
const BROWSERS: &[(&str, &str)] = &[
    ("playwright", "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD"),
    ("playwright-chromium", "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD"),
    ("playwright-core", "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD"),
    ("puppeteer", "PUPPETEER_SKIP_DOWNLOAD"),
    ("puppeteer-core", "PUPPETEER_SKIP_DOWNLOAD"),
];

/// Tells that an app drives a browser, which is not in its image unless it is packaged.
pub(super) fn browsers(scan: &mut Scan<'_>, project: &Project<'_>, steps: &mut Steps) {
    let package = project.package;
    if package.inherits {
        return;
    }
    for (name, variable) in BROWSERS {
        if package.has(name) {
            steps.env.insert((*variable).to_owned(), "1".to_owned());
        }
        if !package.dependencies.contains(*name) {
            continue;
        }
        let line = package.dependency_line(name);
        let chromium = scan.catalog.package("chromium");
        let message = match (&chromium, name.starts_with("puppeteer")) {
            (Some(chromium), true) => {
                steps.runtime.push(chromium.clone());
                steps.runtime_env.insert(
                    "PUPPETEER_EXECUTABLE_PATH".to_owned(),
                    "/usr/bin/chromium".to_owned(),
                );
                format!("`{name}` runs the packaged `{chromium}`, whose version may be another one")
            }
            _ => format!("`{name}` drives a browser, and the image has none"),
        };
        scan.warn(&package.document.file, line, message);
        return;
    }
}
