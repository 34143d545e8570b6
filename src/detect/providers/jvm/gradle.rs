//! Gradle: which projects are apps, and how each is built and started.

mod entry;
mod jdk;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::detect::document::Syntax;
use crate::detect::explain::Evidence;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Scan};
use crate::detect::repo::{join, resolve, split, upwards};
use crate::detect::source::Fact;
use crate::spec::Kind;

use super::build::{self, Tool};
use super::facts::Sources;
use super::project::{self, Facts, Start};
use super::script::{Catalog, Dependency, Needed, Plugin, Script, directory_name};

const LOOKS_LIKE: &str = "a Gradle project";
/// Projects above each other, at most.
const DEEPEST: usize = 16;
const HOME: &str = "/root/.gradle";
/// Where commands leave what has no name of its own.
const OUT: &str = "/out";

/// A build: its root, and the projects that its settings name.
struct Build {
    root: String,
    /// The name of the root project, where the settings say so.
    name: Option<String>,
    /// The directory of every project, by its path in the build: `:` is the root.
    projects: BTreeMap<String, String>,
    catalog: Catalog,
    /// Plugins that the root's script gives to all below.
    shared: Vec<Plugin>,
    /// Builds that this one includes, whose plugins it uses.
    included: Vec<String>,
}

/// A project of a build.
struct Project<'b> {
    build: &'b Build,
    path: &'b str,
    dir: &'b str,
    scripts: Vec<Rc<Script>>,
    plugins: Vec<Plugin>,
    dependencies: Vec<Dependency>,
    sources: Sources,
}

/// What a project builds.
struct Entry {
    evidence: Evidence,
    task: &'static str,
    start: Start,
    commands: Vec<String>,
}

enum Decision {
    App(Box<Entry>),
    NoApp(String),
    Refused(Problem),
}

pub(super) fn detect(scan: &mut Scan<'_>) {
    let builds = builds(scan);
    let nested: BTreeSet<&str> = builds
        .iter()
        .flat_map(|build| build.included.iter().map(String::as_str))
        .collect();
    for build in &builds {
        if nested.contains(build.root.as_str()) || split(&build.root).1 == "buildSrc" {
            let reason = "it holds plugins of the build around it";
            scan.reject(&build.root, LOOKS_LIKE, reason);
            continue;
        }
        let projects: Vec<Project<'_>> = build
            .projects
            .iter()
            .map(|(path, dir)| read(scan, build, path, dir))
            .collect();
        for project in &projects {
            project_app(scan, project, &projects);
        }
    }
}

/// The script in a directory: Groovy's or Kotlin's.
fn script(scan: &Scan<'_>, dir: &str, name: &str) -> Option<Rc<Script>> {
    let at = scan.repo.dir(dir)?;
    let (groovy, kotlin) = (format!("{name}.gradle"), format!("{name}.gradle.kts"));
    let found = at.first(&[groovy.as_str(), kotlin.as_str()])?;
    let text = at.text(found).ok()?;
    Some(Rc::new(Script::parse(&at.join(found), &text)))
}

fn builds(scan: &mut Scan<'_>) -> Vec<Build> {
    let mut builds: Vec<Build> = Vec::new();
    let manifests = [
        "settings.gradle",
        "settings.gradle.kts",
        "build.gradle",
        "build.gradle.kts",
    ];
    for dir in scan.dirs_with(&manifests) {
        let path = dir.path();
        let settings = script(scan, path, "settings");
        let is_member = builds
            .iter()
            .any(|build| build.projects.values().any(|member| member == path));
        // A script without settings is a part of the build above, or a build by itself.
        if settings.is_none() && is_member {
            continue;
        }
        builds.push(build(scan, path, settings.as_deref()));
    }
    // Settings further down may have been read before those that include their directory.
    let members: BTreeSet<(String, String)> = builds
        .iter()
        .flat_map(|build| {
            build
                .projects
                .values()
                .map(|dir| (build.root.clone(), dir.clone()))
        })
        .collect();
    builds.retain(|build| {
        !members
            .iter()
            .any(|(root, dir)| *dir == build.root && *root != build.root)
    });
    builds
}

fn build(scan: &mut Scan<'_>, root: &str, settings: Option<&Script>) -> Build {
    let mut projects = BTreeMap::from([(":".to_owned(), root.to_owned())]);
    let mut included = Vec::new();
    let mut name = None;
    if let Some(settings) = settings {
        let moved = settings.directories();
        for path in settings.includes() {
            // A project brings those above it.
            let parts: Vec<&str> = path.split(':').filter(|part| !part.is_empty()).collect();
            for length in 1..=parts.len().min(DEEPEST) {
                let path = format!(":{}", parts[..length].join(":"));
                let place = moved.get(&path).map_or_else(
                    || parts[..length].join("/"),
                    |dir| dir.replace("$rootDir/", ""),
                );
                let dir = resolve(root, &place).filter(|dir| scan.repo.dir(dir).is_some());
                if let Some(dir) = dir {
                    projects.entry(path).or_insert(dir);
                }
            }
        }
        let builds = settings.included_builds().into_iter();
        included = builds.filter_map(|path| resolve(root, &path)).collect();
        name = settings
            .text("rootProject.name", None)
            .map(|found| found.value);
    }
    let toml = join(root, "gradle/libs.versions.toml");
    let catalog = Catalog::new(scan.document(&toml, Syntax::Toml));
    let shared =
        script(scan, root, "build").map_or_else(Vec::new, |script| script.shared_plugins());
    Build {
        root: root.to_owned(),
        name,
        projects,
        catalog,
        shared,
        included,
    }
}

fn read<'b>(scan: &Scan<'_>, build: &'b Build, path: &'b str, dir: &'b str) -> Project<'b> {
    let mut scripts: Vec<Rc<Script>> = Vec::new();
    let mut plugins: Vec<Plugin> = Vec::new();
    // A moved project may have a script named after it; the usual name comes first.
    let name = path.rsplit(':').next().unwrap_or_default();
    scripts.extend(script(scan, dir, "build").or_else(|| script(scan, dir, name)));
    if path != ":" {
        plugins.extend(build.shared.iter().cloned());
    }
    let mut at = 0;
    while at < scripts.len() && at < 16 {
        let found = scripts[at].plugins(&build.catalog);
        for plugin in found {
            // A convention plugin is a script of the build itself.
            if let Some(convention) = convention(scan, build, &plugin.id)
                && !scripts.iter().any(|known| known.file == convention.file)
            {
                scripts.push(convention);
            }
            plugins.push(plugin);
        }
        at += 1;
    }
    let dependencies = scripts
        .iter()
        .flat_map(|script| script.dependencies(&build.catalog));
    Project {
        build,
        path,
        dir,
        dependencies: dependencies.collect(),
        plugins,
        scripts,
        sources: Sources::read(scan, dir),
    }
}

/// The script behind a plugin that the build defines by itself.
fn convention(scan: &Scan<'_>, build: &Build, id: &str) -> Option<Rc<Script>> {
    let mut places = vec![join(&build.root, "buildSrc")];
    places.extend(build.included.iter().cloned());
    for place in &places {
        // The plugins of an included build may lie in a project of its own.
        let nested = scan
            .repo
            .dir(place)
            .into_iter()
            .flat_map(|dir| dir.dirs().iter().map(move |name| dir.join(name)));
        for root in std::iter::once(place.clone()).chain(nested) {
            for sources in ["src/main/kotlin", "src/main/groovy"] {
                if let Some(found) = script(scan, &join(&root, sources), id) {
                    return Some(found);
                }
            }
        }
    }
    None
}

impl Project<'_> {
    fn has(&self, id: &str) -> Option<&Plugin> {
        self.plugins
            .iter()
            .find(|plugin| plugin.id == id && !plugin.is_only_declared)
    }

    fn has_any(&self, ids: &[&str]) -> Option<&Plugin> {
        ids.iter().find_map(|id| self.has(id))
    }

    fn text(&self, name: &str, block: Option<&str>) -> Option<Fact<String>> {
        self.scripts
            .iter()
            .find_map(|script| script.text(name, block))
    }

    fn argument(&self, name: &str) -> Option<Fact<String>> {
        self.scripts.iter().find_map(|script| script.argument(name))
    }

    /// The name, which for a root without settings is that of the directory it was cloned to.
    fn name(&self) -> Option<String> {
        if self.path == ":" {
            return self
                .build
                .name
                .clone()
                .or_else(|| directory_name(self.dir).map(str::to_owned));
        }
        self.path.rsplit(':').next().map(str::to_owned)
    }

    fn dependency(&self, matches: impl Fn(&str) -> bool) -> Option<Fact<String>> {
        let mut shipped = self.dependencies.iter().filter(|one| one.is_shipped());
        shipped.find_map(|one| match &one.what {
            Needed::Module(module) if matches(module) => Some(one.place.clone()),
            _ => None,
        })
    }

    /// The file name of an archive; nothing where a part of it is not known before the build.
    fn archive(
        &self,
        scan: &Scan<'_>,
        block: &str,
        classifier: &str,
        ending: &str,
    ) -> Option<String> {
        if let Some(name) = self.text("archiveFileName", Some(block)) {
            return Some(name.value);
        }
        let base = self.text("archiveBaseName", Some(block));
        let base = base.or_else(|| self.text("archivesName", Some("base")));
        let base = base
            .or_else(|| self.text("archivesBaseName", None))
            .map(|found| found.value);
        // What is set and not understood is not guessed at.
        if base.is_none()
            && ["archivesName", "archivesBaseName", "archiveBaseName"]
                .iter()
                .any(|name| self.mentions(name))
        {
            return None;
        }
        let base = base.or_else(|| self.name())?;
        let version = self
            .text("archiveVersion", Some(block))
            .map(|found| found.value);
        let version = match version {
            Some(version) => version,
            None => self.version(scan)?,
        };
        let written = self
            .text("archiveClassifier", Some(block))
            .map(|found| found.value);
        let classifier = written.unwrap_or_else(|| classifier.to_owned());
        let parts = [base, version, classifier];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Some(format!("{}.{ending}", parts.join("-")))
    }

    fn mentions(&self, name: &str) -> bool {
        self.scripts
            .iter()
            .any(|script| script.source.find(name).is_some())
    }

    /// The version: of the project, or of all projects.
    fn version(&self, scan: &Scan<'_>) -> Option<String> {
        let own = self.scripts.first().filter(|script| script.sets("version"));
        if own.is_some() {
            // A version that is computed is not known.
            return self.text("version", None).map(|found| found.value);
        }
        let root = script(scan, &self.build.root, "build");
        let shared = root.as_ref().and_then(|script| {
            let found = script.text("version", Some("allprojects"));
            let below = || {
                script
                    .text("version", Some("subprojects"))
                    .filter(|_| self.path != ":")
            };
            found.or_else(below)
        });
        let found = self.text("version", None).or(shared);
        if let Some(found) = found {
            return Some(found.value);
        }
        for dir in [self.dir, &self.build.root] {
            if let Ok(text) = scan.repo.text(&join(dir, "gradle.properties")) {
                let mut lines = text.lines().filter_map(|line| line.split_once('='));
                if let Some((_, version)) = lines.find(|(name, _)| name.trim() == "version") {
                    return Some(version.trim().to_owned());
                }
            }
        }
        let is_computed = self.scripts.iter().any(|script| script.sets("version"))
            || root.is_some_and(|script| script.sets("version"));
        (!is_computed).then(String::new)
    }

    /// The task by its full path.
    fn task(&self, name: &str) -> String {
        if self.path == ":" {
            format!(":{name}")
        } else {
            format!("{}:{name}", self.path)
        }
    }
}

fn project_app(scan: &mut Scan<'_>, project: &Project<'_>, all: &[Project<'_>]) {
    if project.scripts.is_empty() {
        if project.path == ":" {
            scan.reject(project.dir, LOOKS_LIKE, container(project));
        }
        return;
    }
    if passed_over(scan, project.dir, LOOKS_LIKE, project.path != ":") {
        return;
    }
    match entry::decide(scan, project, all) {
        Decision::NoApp(reason) => scan.reject(project.dir, LOOKS_LIKE, reason),
        Decision::Refused(problem) => {
            let mut draft = draft(project);
            describe(scan, &mut draft, project);
            scan.refuse(draft, problem);
        }
        Decision::App(entry) => {
            let mut draft = draft(project);
            match app(scan, &mut draft, project, all, *entry) {
                Ok(()) => scan.drafts.push(draft),
                Err(problem) => scan.refuse(draft, problem),
            }
        }
    }
}

fn container(project: &Project<'_>) -> String {
    let count = project.build.projects.len() - 1;
    let projects = if count == 1 { "project" } else { "projects" };
    format!("it only groups {count} {projects}")
}

fn draft(project: &Project<'_>) -> Draft {
    let is_kotlin = project
        .has_any(&[
            "org.jetbrains.kotlin.jvm",
            "org.jetbrains.kotlin.multiplatform",
        ])
        .is_some();
    let has_kotlin = project
        .sources
        .files
        .iter()
        .any(|file| file.path.ends_with(".kt"));
    let language = if is_kotlin && has_kotlin {
        "kotlin"
    } else {
        "java"
    };
    let mut draft = Draft::new(project.dir, Kind::Web, language, "gradle");
    draft.fallback = project.name();
    draft
}

/// The framework, by its plugin or by a dependency.
fn framework(project: &Project<'_>) -> Option<(&'static str, Fact<String>)> {
    /// Names, plugins, and what the dependencies begin with; the more special come first.
    const FRAMEWORKS: &[(&str, &str, &str)] = &[
        ("quarkus", "io.quarkus", "io.quarkus"),
        ("micronaut", "io.micronaut.application", "io.micronaut"),
        (
            "spring-boot",
            "org.springframework.boot",
            "org.springframework.boot:",
        ),
        ("ktor", "io.ktor.plugin", "io.ktor:"),
    ];
    FRAMEWORKS.iter().find_map(|(name, plugin, group)| {
        let by_plugin = project.has(plugin).map(|plugin| plugin.place.clone());
        let fact = by_plugin.or_else(|| project.dependency(|module| module.starts_with(group)))?;
        Some((*name, fact))
    })
}

fn describe(scan: &mut Scan<'_>, draft: &mut Draft, project: &Project<'_>) {
    let framework = framework(project);
    if let Some((name, fact)) = &framework {
        let evidence = Evidence::new("framework", *name, "gradle.plugin-or-dependency");
        let evidence = evidence.written(&fact.value);
        draft
            .evidence
            .push(evidence.at(&fact.file, Some(fact.line)));
    }
    let first = |names: &'static [&'static str]| {
        names.iter().find_map(|name| {
            project.dependency(|module| {
                module
                    .split(':')
                    .nth(1)
                    .is_some_and(|found| found.starts_with(name))
            })
        })
    };
    // Micronaut's plugin adds the server that `runtime` names.
    let server = first(project::SERVERS).or_else(|| {
        let found = project.text("runtime", Some("micronaut"))?;
        let servers = ["netty", "jetty", "tomcat", "undertow", "http_poja"];
        servers.contains(&found.value.as_str()).then_some(found)
    });
    let facts = Facts {
        framework: framework.map(|(name, fact)| Fact {
            value: name.to_owned(),
            ..fact
        }),
        command_line: first(project::COMMAND_LINE),
        server,
        health: first(project::HEALTH),
        sources: Sources::read(scan, project.dir),
    };
    project::describe(scan, draft, &facts);
}

fn app(
    scan: &mut Scan<'_>,
    draft: &mut Draft,
    project: &Project<'_>,
    all: &[Project<'_>],
    entry: Entry,
) -> Result<(), Problem> {
    draft.evidence.push(entry.evidence.clone());
    describe(scan, draft, project);
    draft.spec.metadata.reasoning = Some(format!(
        "its task `{}` makes a program of it",
        project.task(entry.task)
    ));
    draft.spec.metadata.confidence = Some(if entry.evidence.rule == "gradle.only-main-class" {
        80
    } else {
        95
    });
    let root = &project.build.root;
    let place = upwards(root).map(|dir| join(dir, "gradle/wrapper/gradle-wrapper.properties"));
    let place = place.into_iter().find(|file| scan.repo.has(file));
    let wrapper = place
        .as_deref()
        .and_then(|file| build::wrapper(scan, file, "gradle-"));
    let home = place
        .as_deref()
        .and_then(|file| file.strip_suffix("gradle/wrapper/gradle-wrapper.properties"));
    let home = home.unwrap_or_default().trim_end_matches('/').to_owned();
    let scripts = [
        join(&home, "gradlew"),
        join(&home, "gradle/wrapper/gradle-wrapper.jar"),
    ];
    let tool = build::tool(
        scan,
        draft,
        ("Gradle", "gradle"),
        wrapper.as_ref(),
        &scripts,
    )?;
    let version = match (&tool, &wrapper) {
        (Tool::Wrapper, Some(wrapper)) => wrapper.version.value.clone(),
        // The packaged one is newer than what the table ends with.
        _ => "9.99".to_owned(),
    };
    let jdk = jdk::jdk(scan, draft, project, &version)?;
    steps::steps(draft, project, &entry, (&tool, &home));
    steps::files(scan, draft, project, all);
    if !own_node(scan, draft, project) {
        super::with_front_end(scan, draft, "the Java app")?;
    }
    let mut start = entry.start;
    let flags = steps::default_flags(project);
    start.arguments.splice(0..0, flags);
    project::run(draft, &jdk, start);
    Ok(())
}

/// Whether a plugin brings Node.js by itself, which is told.
fn own_node(scan: &mut Scan<'_>, draft: &mut Draft, project: &Project<'_>) -> bool {
    let ids = [
        "com.github.node-gradle.node",
        "org.siouan.frontend-jdk17",
        "org.siouan.frontend-jdk21",
    ];
    let Some(plugin) = project.has_any(&ids) else {
        return false;
    };
    let place = &plugin.place;
    super::warn_of_own_node(scan, draft, &plugin.id, &place.file, place.line);
    scan.claims
        .insert(project.dir.to_owned(), "the Java app".to_owned());
    true
}
