//! What of a built app is shipped.

use crate::detect::explain::Evidence;
use crate::detect::provider::{Scan, quoted};
use crate::detect::repo::{is_within, join, relative};
use crate::detect::source;
use crate::spec::Copy;

use super::Project;
use super::manager::Tool;
use super::server::Server;
use super::steps::Steps;

/// What is copied into the image.
#[derive(Default)]
pub(super) struct Shipped {
    /// The app's place below `/app`.
    pub(super) place: String,
    /// Commands before the copies.
    pub(super) commands: Vec<String>,
    pub(super) copies: Vec<Copy>,
    /// Why, where it is not obvious.
    pub(super) reasons: Vec<Evidence>,
}

/// Names at the top of an app that nothing reads when it runs.
const LEFT_OUT: &[&str] = &[
    "Dockerfile",
    "Makefile",
    "Procfile",
    "__tests__",
    "bun.lock",
    "bun.lockb",
    "bunfig.toml",
    "cypress",
    "docker-compose.yml",
    "docs",
    "e2e",
    "npm-shrinkwrap.json",
    "package-lock.json",
    "peelbox.yaml",
    "moon.yml",
    "playwright",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "project.json",
    "spec",
    "test",
    "tests",
    "turbo.json",
    "universalbuild.json",
    "universalbuild.yaml",
    "yarn.lock",
];

/// Directories that a compiled app reads at run time.
const DATA: &[&str] = &[
    "assets",
    "certs",
    "config",
    "data",
    "db",
    "drizzle",
    "emails",
    "i18n",
    "locales",
    "migrations",
    "prisma",
    "proto",
    "public",
    "resources",
    "static",
    "templates",
    "views",
];

/// Decides what is copied.
pub(super) fn ship(
    scan: &Scan<'_>,
    project: &Project<'_>,
    server: &Server,
    steps: &Steps,
) -> Shipped {
    if let Some(shipped) = whole(project, server) {
        return shipped;
    }
    let package = project.package;
    let base = base(project, steps);
    let place = match relative(&base, &package.dir).as_str() {
        "." => String::new(),
        place => place.to_owned(),
    };
    let place = if steps.deployed.is_some() {
        String::new()
    } else {
        place
    };
    let mut shipped = Shipped {
        place: place.clone(),
        ..Shipped::default()
    };
    let mut names = own_names(scan, project, server);
    if !package.dependencies.is_empty() {
        if let Some(out) = &steps.deployed {
            let from = format!("{out}/node_modules");
            shipped.copies.push(copy(&from, "/app/node_modules"));
        } else {
            modules(project, &base, &mut names, &mut shipped);
        }
        let note = if steps.deployed.is_some() {
            "a tree of its own, with the dependencies of production alone"
        } else {
            "the dependencies of production alone"
        };
        let reason = Evidence::new("copies", "node_modules", "node.production-dependencies");
        shipped.reasons.push(reason.note(note));
    }
    let to = |name: &str| join("/app", &join(&place, name));
    let own = names.iter().map(|name| copy(name, &to(name)));
    shipped.copies.extend(own);
    if let Some(output) = &server.output {
        let reason = Evidence::new("copies", output, "node.build-output");
        let note = "what the build writes; of the rest only what is data by its name";
        shipped.reasons.push(reason.note(note));
    }
    shipped.copies.sort();
    shipped.copies.dedup();
    shipped
}

/// What is copied where something complete was made: by the build, or by Rush.
fn whole(project: &Project<'_>, server: &Server) -> Option<Shipped> {
    if let Some(copies) = &server.bundle {
        let from = copies.first().map(|copy| copy.from.clone());
        let bundle = Evidence::new("copies", from.unwrap_or_default(), "node.bundle");
        return Some(Shipped {
            copies: copies.clone(),
            reasons: vec![bundle.note(if server.needs_modules {
                "what the build writes, with the dependencies of production"
            } else {
                "the build leaves the server with all that it needs"
            })],
            ..Shipped::default()
        });
    }
    if project.manager.tool == Tool::Rush {
        let place = relative(&project.manager.root, &project.package.dir);
        let copies = vec![copy("/out", "/app")];
        let deployed = Evidence::new("copies", "/out", "node.rush-deploy");
        return Some(Shipped {
            place,
            copies,
            reasons: vec![deployed.note("the tree that `rush deploy` makes")],
            ..Shipped::default()
        });
    }
    None
}

fn copy(from: &str, to: &str) -> Copy {
    Copy {
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

/// The directory that becomes `/app`: links among members lead from place to place below it.
fn base(project: &Project<'_>, steps: &Steps) -> String {
    let package = project.package;
    if steps.deployed.is_some() {
        return package.dir.clone();
    }
    let mut base = if project.is_member() {
        project.manager.root.clone()
    } else {
        package.dir.clone()
    };
    for local in &project.local {
        while !is_within(local, &base) {
            base = crate::detect::repo::split(&base).0.to_owned();
        }
    }
    base
}

/// Adds the installed packages, and the members that links among them lead to.
fn modules(project: &Project<'_>, base: &str, names: &mut Vec<String>, shipped: &mut Shipped) {
    let package = project.package;
    let root = &project.manager.root;
    // Where every dependency is hoisted to the root, the member has no directory of its own.
    let mut wanted = vec!["node_modules".to_owned()];
    if !package.inherits {
        names.push("node_modules".to_owned());
    }
    let below = |dir: &str| match relative(base, dir).as_str() {
        "." => "/app".to_owned(),
        path => format!("/app/{path}"),
    };
    if project.is_member() {
        wanted.push(format!("{}/node_modules", relative(&package.dir, root)));
        let from = join("/src", &join(root, "node_modules"));
        let to = format!("{}/node_modules", below(root));
        shipped.copies.push(copy(&from, &to));
    }
    if package.inherits {
        wanted.remove(0);
    }
    for dir in project.shipped.iter().chain(&project.local) {
        shipped.copies.push(copy(&join("/src", dir), &below(dir)));
    }
    wanted.sort();
    let wanted: Vec<String> = wanted.iter().map(|dir| quoted(dir)).collect();
    shipped
        .commands
        .push(format!("mkdir -p {}", wanted.join(" ")));
}

/// What of the app's own directory is shipped.
fn own_names(scan: &Scan<'_>, project: &Project<'_>, server: &Server) -> Vec<String> {
    let Some(dir) = scan.repo.dir(&project.package.dir) else {
        return Vec::new();
    };
    // Without it node would take the files for another kind of modules.
    let manifest = dir.has("package.json").then(|| "package.json".to_owned());
    let mut names: Vec<String> = manifest.into_iter().collect();
    if let Some(output) = &server.output {
        names.push(output.clone());
        names.extend(
            dir.dirs()
                .iter()
                .filter(|name| DATA.contains(&name.as_str()))
                .map(ToString::to_string),
        );
        names.extend(
            server
                .extra
                .iter()
                .filter(|name| dir.has(name) || dir.has_dir(name))
                .cloned(),
        );
    } else {
        let others: Vec<&String> = project
            .packages
            .keys()
            .filter(|other| **other != project.package.dir)
            .collect();
        let holds_other = |name: &str| {
            let path = dir.join(name);
            others.iter().any(|other| is_within(other, &path))
        };
        let wanted = |name: &&crate::detect::repo::Name| {
            !name.starts_with('.') && !LEFT_OUT.contains(&name.as_str())
        };
        let is_config = |name: &str| {
            name.contains(".config.")
                || name.starts_with("tsconfig")
                || name.ends_with(".md")
                || source::is_test_file(name)
                || name.starts_with("LICENSE")
        };
        names.extend(
            dir.files()
                .iter()
                .filter(wanted)
                .filter(|name| !is_config(name))
                .map(ToString::to_string),
        );
        names.extend(
            dir.dirs()
                .iter()
                .filter(wanted)
                .filter(|name| !holds_other(name))
                .map(ToString::to_string),
        );
    }
    names.extend(server.also.iter().cloned());
    names.sort();
    names.dedup();
    names
}
