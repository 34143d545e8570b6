//! What makes a Gradle project an app: its plugins.

use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan, shown};

use super::super::build;
use super::super::maven::no_native;
use super::super::project::{Start, copy};
use super::super::script::{Needed, Plugin};
use super::super::settings;
use super::{Decision, Entry, OUT, Project, container};

pub(super) fn decide(scan: &Scan<'_>, project: &Project<'_>, all: &[Project<'_>]) -> Decision {
    if project.has("com.android.application").is_some() {
        return Decision::NoApp("it is an Android app, which runs on phones".to_owned());
    }
    let file = &project.scripts[0].file;
    if let Some(plugin) = project.has("org.springframework.boot") {
        let has_main = project
            .sources
            .find("SpringApplication")
            .or_else(|| project.sources.find("runApplication"));
        let is_own = plugin.place.file == *file;
        if has_main.is_none() && !is_own {
            return Decision::NoApp("it is a library: it is given `org.springframework.boot` and has no class that starts".to_owned());
        }
        let (task, ending) = if project.has("war").is_some() {
            ("bootWar", "war")
        } else {
            ("bootJar", "jar")
        };
        return jar(scan, project, plugin, task, "", ending);
    }
    if let Some(plugin) = project.has("io.quarkus") {
        return quarkus(scan, project, plugin);
    }
    let application = [
        "application",
        "io.micronaut.application",
        "io.micronaut.minimal.application",
        "io.ktor.plugin",
    ];
    if project.has_any(&application).is_some() {
        return application_plugin(project);
    }
    let shadow = [
        "com.gradleup.shadow",
        "com.github.johnrengelman.shadow",
        "io.github.goooler.shadow",
    ];
    if let Some(plugin) = project.has_any(&shadow)
        && project.scripts.iter().any(|script| {
            script
                .source
                .strings
                .iter()
                .any(|(_, text)| text == "Main-Class")
        })
    {
        return jar(scan, project, plugin, "shadowJar", "all", "jar");
    }
    if let Some(plugin) = project.has("war") {
        let message = "a `war` needs a servlet container, and none is packaged";
        let problem = Problem::new(&plugin.place.file, Some(plugin.place.line), message);
        return Decision::Refused(
            problem.help("use an embedded server with the plugin `application`"),
        );
    }
    Decision::NoApp(library(project, all))
}

/// Why a project is no app.
fn library(project: &Project<'_>, all: &[Project<'_>]) -> String {
    let needs = |other: &&Project<'_>| {
        let mut shipped = other.dependencies.iter().filter(|one| one.is_shipped());
        shipped.any(|one| one.what == Needed::Project(project.path.to_owned()))
    };
    if let Some(user) = all.iter().find(needs) {
        return format!(
            "it is a library: `{}` depends on it, and no plugin makes a program of it",
            shown(user.dir)
        );
    }
    if project.sources.files.is_empty() {
        return if project.path == ":" && project.build.projects.len() > 1 {
            container(project)
        } else {
            "it has no sources of its own".to_owned()
        };
    }
    if let Some(main) = project.sources.mains().first() {
        return format!(
            "`{}` has a main method, but no plugin makes a program of it: `application` does",
            main.value
        );
    }
    "it is a library: no plugin makes a program of it".to_owned()
}

fn of_plugin(plugin: &Plugin, rule: &str) -> Evidence {
    let evidence = Evidence::new("entry", &plugin.id, rule);
    let evidence = evidence.at(&plugin.place.file, Some(plugin.place.line));
    evidence.written(&plugin.place.value)
}

/// A task that makes one jar of everything.
fn jar(
    scan: &Scan<'_>,
    project: &Project<'_>,
    plugin: &Plugin,
    task: &'static str,
    classifier: &str,
    ending: &str,
) -> Decision {
    let (path, commands) = match project.archive(scan, task, classifier, ending) {
        Some(name) => (format!("build/libs/{name}"), Vec::new()),
        None => {
            let to = format!("{OUT}/app.{ending}");
            let written = project.text("archiveClassifier", Some(task));
            let classifier = written.map_or_else(|| classifier.to_owned(), |found| found.value);
            let ending = match classifier.as_str() {
                "" => format!(".{ending}"),
                classifier => format!("-{classifier}.{ending}"),
            };
            let pick = build::pick("build/libs", &ending, &to);
            (to, vec![format!("mkdir -p {OUT}; {pick}")])
        }
    };
    Decision::App(Box::new(Entry {
        evidence: of_plugin(plugin, "gradle.plugin"),
        task,
        start: Start::jar(&path),
        commands,
    }))
}

fn quarkus(scan: &Scan<'_>, project: &Project<'_>, plugin: &Plugin) -> Decision {
    let setting = |key: &str| settings::value(scan, project.dir, key);
    let kind = setting("quarkus.package.jar.type").or_else(|| setting("quarkus.package.type"));
    let native = [setting("quarkus.native.enabled"), kind.clone()]
        .into_iter()
        .flatten();
    for found in native {
        if matches!(found.value.as_str(), "true" | "native") {
            return Decision::Refused(no_native(&found));
        }
    }
    let is_uber = kind.is_some_and(|kind| matches!(kind.value.as_str(), "uber-jar" | "legacy-jar"));
    let (start, commands) = if is_uber {
        let to = format!("{OUT}/app.jar");
        let command = format!("mkdir -p {OUT}; cp build/*-runner.jar {to}");
        (Start::jar(&to), vec![command])
    } else {
        (Start::quarkus("build/quarkus-app"), Vec::new())
    };
    Decision::App(Box::new(Entry {
        evidence: of_plugin(plugin, "gradle.plugin"),
        task: "quarkusBuild",
        start,
        commands,
    }))
}

/// `installDist`: all jars in one directory, and the class that the scripts name.
fn application_plugin(project: &Project<'_>) -> Decision {
    let main = ["mainClass", "mainClassName"].iter().find_map(|name| {
        project
            .text(name, Some("application"))
            .or_else(|| project.text(name, None))
    });
    let mains = project.sources.mains();
    let file = &project.scripts[0].file;
    let (main, rule) = match (main, mains.as_slice()) {
        (Some(main), _) => (main, "gradle.main-class"),
        (None, [only]) => (only.clone(), "gradle.only-main-class"),
        (None, _) => {
            let message = "does not say which class is started";
            let problem = Problem::new(file, None, message);
            return Decision::Refused(problem.help("set `mainClass` in the block `application`"));
        }
    };
    let evidence = Evidence::new("entry", &main.value, rule).at(&main.file, Some(main.line));
    let evidence = if rule == "gradle.main-class" {
        evidence
    } else {
        evidence.written("main")
    };
    let name = project
        .text("applicationName", Some("application"))
        .map(|found| found.value);
    let name = name.or_else(|| {
        project
            .name()
            .filter(|_| !project.mentions("applicationName"))
    });
    let (from, commands) = match name {
        Some(name) => (format!("build/install/{name}/lib"), Vec::new()),
        // The name of the directory that it is built in.
        None => (
            format!("{OUT}/lib"),
            vec![format!(
                "mkdir -p {OUT}; cp -R build/install/*/lib {OUT}/lib"
            )],
        ),
    };
    Decision::App(Box::new(Entry {
        evidence,
        task: "installDist",
        start: Start::class_path(vec![copy(&from, "lib")], &main.value),
        commands,
    }))
}
