//! Gradle: which projects are apps, and how each is built and started.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::detect::document::Syntax;
use crate::detect::explain::Evidence;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Scan, quoted};
use crate::detect::repo::{is_within, join, relative, resolve, split, upwards};
use crate::detect::source::Fact;
use crate::detect::version::numbers;
use crate::spec::Kind;

use super::build::{self, Tool};
use super::facts::Sources;
use super::java;
use super::maven::{boot_needs, no_native};
use super::project::{self, Facts, Start, copy};
use super::script::{Catalog, Dependency, Needed, Plugin, Script, directory_name};

const LOOKS_LIKE: &str = "a Gradle project";
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
            for length in 1..=parts.len() {
                let path = format!(":{}", parts[..length].join(":"));
                let place = moved.get(&path).map_or_else(
                    || parts[..length].join("/"),
                    |dir| dir.replace("$rootDir/", ""),
                );
                if let Some(dir) = resolve(root, &place) {
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
    match decide(scan, project, all) {
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

fn decide(scan: &Scan<'_>, project: &Project<'_>, all: &[Project<'_>]) -> Decision {
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
            crate::detect::provider::shown(user.dir)
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
            let pick =
                build::pick("build/libs", "", &to).replace("*.jar; do", &format!("*.{ending}; do"));
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
    let setting = |key: &str| super::settings::value(scan, project.dir, key);
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

fn describe(scan: &mut Scan<'_>, draft: &mut Draft, project: &Project<'_>) {
    let group = |prefix: &'static str| move |module: &str| module.starts_with(prefix);
    let by_plugin = |id: &str| project.has(id).map(|plugin| plugin.place.clone());
    let found = [
        (
            "quarkus",
            by_plugin("io.quarkus").or_else(|| project.dependency(group("io.quarkus"))),
        ),
        (
            "micronaut",
            by_plugin("io.micronaut.application")
                .or_else(|| project.dependency(group("io.micronaut"))),
        ),
        (
            "spring-boot",
            by_plugin("org.springframework.boot")
                .or_else(|| project.dependency(group("org.springframework.boot:"))),
        ),
        (
            "ktor",
            by_plugin("io.ktor.plugin").or_else(|| project.dependency(group("io.ktor:"))),
        ),
    ];
    let framework = found
        .into_iter()
        .find_map(|(name, fact)| fact.map(|fact| (name, fact)));
    if let Some((name, fact)) = &framework {
        let evidence = Evidence::new("framework", *name, "gradle.plugin-or-dependency");
        draft.evidence.push(
            evidence
                .at(&fact.file, Some(fact.line))
                .written(&fact.value),
        );
    }
    let artifact = |name: &'static str| {
        move |module: &str| {
            module
                .split(':')
                .nth(1)
                .is_some_and(|found| found.starts_with(name))
        }
    };
    let server = project::SERVERS
        .iter()
        .find_map(|name| project.dependency(artifact(name)));
    // Micronaut's plugin adds the server that `runtime` names.
    let server = server.or_else(|| {
        let found = project
            .scripts
            .iter()
            .find_map(|script| script.text("runtime", Some("micronaut")))?;
        matches!(
            found.value.as_str(),
            "netty" | "jetty" | "tomcat" | "undertow" | "http_poja"
        )
        .then_some(found)
    });
    let health = project::HEALTH
        .iter()
        .find_map(|name| project.dependency(artifact(name)));
    let facts = Facts {
        framework: framework.map(|(name, fact)| Fact {
            value: name.to_owned(),
            ..fact
        }),
        command_line: project::COMMAND_LINE
            .iter()
            .find_map(|name| project.dependency(artifact(name))),
        server,
        health,
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
    let jdk = jdk(scan, draft, project, &version)?;
    steps(draft, project, &entry, (&tool, &home));
    files(scan, draft, project, all);
    let node = [
        "com.github.node-gradle.node",
        "org.siouan.frontend-jdk17",
        "org.siouan.frontend-jdk21",
    ];
    if let Some(plugin) = project.has_any(&node) {
        super::warn_of_own_node(
            scan,
            draft,
            &plugin.id,
            &plugin.place.file,
            plugin.place.line,
        );
        scan.claims
            .insert(project.dir.to_owned(), "the Java app".to_owned());
    }
    super::with_front_end(scan, draft, "the Java app")?;
    let mut start = entry.start;
    let flags = default_flags(project);
    start.arguments.splice(0..0, flags);
    project::run(draft, &jdk, start);
    Ok(())
}

/// `applicationDefaultJvmArgs`, where they are literal.
fn default_flags(project: &Project<'_>) -> Vec<String> {
    for script in &project.scripts {
        let Some(at) = script.source.find("applicationDefaultJvmArgs") else {
            continue;
        };
        let rest = &script.source.code[at..];
        let end = at + rest.find([']', ')', '\n']).unwrap_or(rest.len());
        let within = script
            .source
            .strings
            .iter()
            .filter(|(from, _)| (at..end).contains(from));
        // A variable of the script is not known here, nor is a development flag wanted.
        let known = within.filter(|(_, text)| text.starts_with('-') && !text.contains('$'));
        return known.map(|(_, text)| text.clone()).collect();
    }
    Vec::new()
}

/// The Java that the program runs on; the one that Gradle itself runs on may be another.
fn jdk(
    scan: &mut Scan<'_>,
    draft: &mut Draft,
    project: &Project<'_>,
    gradle: &str,
) -> Result<java::Jdk, Problem> {
    let manifest = project.scripts[0].file.clone();
    let toolchain = project
        .argument("JavaLanguageVersion.of")
        .or_else(|| project.argument("jvmToolchain"));
    let toolchain = toolchain.or_else(|| {
        let root = script(scan, &project.build.root, "build")?;
        root.argument("JavaLanguageVersion.of")
            .or_else(|| root.argument("jvmToolchain"))
    });
    let toolchain = toolchain.filter(|found| java::number_of(&found.value).is_some());
    let mut sources = Vec::new();
    let is_pinned = toolchain.is_some();
    // Gradle itself looks for this one and takes no other.
    sources.extend(toolchain.map(|fact| java::source(fact, java::TOOLCHAIN)));
    if sources.is_empty() {
        sources = java::sources(scan, project.dir);
    }
    let levels = [
        "targetCompatibility",
        "sourceCompatibility",
        "jvmTarget",
        "options.release",
    ];
    for name in levels {
        let found = project.argument(name).and_then(level);
        sources.extend(found.map(|fact| java::source(fact, java::LEVEL)));
    }
    sources.extend(java::system_properties(scan, project.dir));
    let boot = project
        .plugins
        .iter()
        .find(|plugin| plugin.id == "org.springframework.boot");
    let boot = boot.and_then(|plugin| Some((plugin, plugin.version.clone()?)));
    let boot = boot.or_else(|| {
        let root = script(scan, &project.build.root, "build")?;
        let found = root.plugins(&project.build.catalog);
        let found = found
            .into_iter()
            .find(|plugin| plugin.id == "org.springframework.boot")?;
        let version = found.version.clone()?;
        // It outlives the list only as a version.
        project
            .plugins
            .iter()
            .find(|plugin| plugin.id == found.id)
            .map(|plugin| (plugin, version))
    });
    let (least, most) = runs_on(gradle);
    let floor = boot.as_ref().map_or(8, |(_, version)| boot_needs(version));
    if is_pinned {
        let jdk = java::choose(scan, &manifest, &sources, floor)?;
        draft.evidence.push(jdk.evidence.clone());
        let build = &mut draft.spec.build;
        if (least..=most).contains(&jdk.number) {
            build.packages.push(jdk.kit.clone());
        } else {
            let host = java::between(scan, least, most)
                .ok_or_else(|| cannot_run(&manifest, gradle, most))?;
            build.packages.push(format!("openjdk-{host}-default-jdk"));
            build.packages.push(format!("openjdk-{}", jdk.number));
            let note = format!(
                "Gradle runs on this one and compiles with Java {}",
                jdk.number
            );
            let evidence = Evidence::new("toolchain", format!("openjdk-{host}"), "gradle.runs-on");
            draft.evidence.push(evidence.note(note));
        }
        return Ok(jdk);
    }
    let jdk = java::choose(scan, &manifest, &sources, floor.max(least))?;
    if jdk.number <= most {
        draft.spec.build.packages.push(jdk.kit.clone());
        draft.evidence.push(jdk.evidence.clone());
        return Ok(jdk);
    }
    if sources.is_empty() {
        // Nobody asks for the usual one.
        let number = java::between(scan, floor.max(least), most)
            .ok_or_else(|| cannot_run(&manifest, gradle, most))?;
        let asked = Fact {
            value: number.to_string(),
            file: String::new(),
            line: 0,
        };
        let mut jdk = java::choose(
            scan,
            &manifest,
            &[java::source(asked, java::LEVEL)],
            floor.max(least),
        )?;
        let note = format!("Gradle {gradle} runs on Java {most} at most");
        jdk.evidence =
            Evidence::new("toolchain", format!("openjdk-{number}"), "gradle.runs-on").note(note);
        draft.spec.build.packages.push(jdk.kit.clone());
        draft.evidence.push(jdk.evidence.clone());
        return Ok(jdk);
    }
    draft.evidence.push(jdk.evidence.clone());
    Err(cannot_run(&manifest, gradle, most))
}

fn cannot_run(manifest: &str, gradle: &str, most: u64) -> Problem {
    let message = format!("Gradle {gradle} runs on Java {most} at most, and no packaged one fits");
    Problem::new(manifest, None, message).help("move to a newer Gradle")
}

/// `JavaVersion.VERSION_17`, `JvmTarget.JVM_17`, `'1.8'`, `17`.
fn level(fact: Fact<String>) -> Option<Fact<String>> {
    let number = fact.value.rsplit(['.', '_']).next()?;
    let number = if fact.value.starts_with("1.") {
        &fact.value
    } else {
        number
    };
    let number = java::number_of(number)?;
    let value = number.first()?.to_string();
    Some(Fact { value, ..fact })
}

/// The oldest and the newest Java that a Gradle runs on
/// (<https://docs.gradle.org/current/userguide/compatibility.html>).
fn runs_on(gradle: &str) -> (u64, u64) {
    /// Since which Gradle, which Java; sorted.
    const NEWEST: &[([u64; 2], u64)] = &[
        ([2, 0], 8),
        ([4, 7], 10),
        ([5, 0], 11),
        ([5, 4], 12),
        ([6, 0], 13),
        ([6, 3], 14),
        ([6, 7], 15),
        ([7, 0], 16),
        ([7, 3], 17),
        ([7, 5], 18),
        ([7, 6], 19),
        ([8, 3], 20),
        ([8, 5], 21),
        ([8, 8], 22),
        ([8, 10], 23),
        ([8, 14], 24),
        ([9, 1], 25),
        ([9, 4], 26),
    ];
    let found = numbers(gradle);
    let at = |index: usize| found.get(index).copied().unwrap_or(0);
    let version = [at(0), at(1)];
    let newest = NEWEST.iter().rfind(|(since, _)| *since <= version);
    let least = if version[0] >= 9 { 17 } else { 8 };
    (least, newest.map_or(8, |(_, java)| *java))
}

fn steps(draft: &mut Draft, project: &Project<'_>, entry: &Entry, (tool, home): (&Tool, &str)) {
    let root = &project.build.root;
    let up = relative(project.dir, root);
    let mut command = match tool {
        Tool::Packaged(package) => {
            draft.spec.build.packages.insert(0, package.clone());
            "gradle".to_owned()
        }
        Tool::Wrapper => {
            let home = relative(project.dir, home);
            format!(
                "sh {}",
                quoted(&join(if home == "." { "" } else { &home }, "gradlew"))
            )
        }
    };
    command.push_str(" --no-daemon");
    if up != "." {
        command.push_str(&format!(" -p {}", quoted(&up)));
    }
    if draft
        .evidence
        .iter()
        .any(|found| found.rule == java::TOOLCHAIN)
    {
        command.push_str(" -Porg.gradle.java.installations.auto-download=false");
    }
    command.push_str(&format!(" {}", quoted(&project.task(entry.task))));
    let mut commands = vec![command];
    commands.extend(entry.commands.iter().cloned());
    draft.spec.build.commands = commands;
    let java_home = "/usr/lib/jvm/default-jvm".to_owned();
    draft
        .spec
        .build
        .env
        .insert("JAVA_HOME".to_owned(), java_home);
    draft.spec.build.cache = vec![HOME.to_owned()];
    build::no_install(draft, HOME, "Gradle");
}

/// The project, those that it needs, and the scripts of all: Gradle reads every one.
fn files(scan: &Scan<'_>, draft: &mut Draft, project: &Project<'_>, all: &[Project<'_>]) {
    let root = project.build.root.as_str();
    let mut needed = vec![project];
    let mut at = 0;
    while let Some(one) = needed.get(at).copied() {
        for dependency in &one.dependencies {
            let Needed::Project(path) = &dependency.what else {
                continue;
            };
            let found = all
                .iter()
                .find(|other| other.path == path || accessor_path(other.path) == *path);
            if let Some(found) = found
                && !needed.iter().any(|known| known.path == found.path)
            {
                needed.push(found);
            }
        }
        at += 1;
    }
    let mut trees: BTreeSet<String> = needed.iter().map(|one| one.dir.to_owned()).collect();
    let mut files = BTreeSet::new();
    let is_alone = needed.len() == 1 && project.path == ":" && all.len() == 1;
    if !is_alone {
        if project.path != ":" {
            trees.remove(root);
        }
        for other in all {
            files.extend(other.scripts.iter().map(|script| script.file.clone()));
            files.extend(
                [join(other.dir, "gradle.properties")]
                    .into_iter()
                    .filter(|file| scan.repo.has(file)),
            );
        }
        build::surroundings(scan, root, &mut trees, &mut files);
    }
    trees.extend(
        project
            .build
            .included
            .iter()
            .filter(|dir| is_within(dir, ""))
            .cloned(),
    );
    build::context(draft, &trees, &files);
}

/// A path as type-safe accessors write it: `:my-lib` is `:myLib`.
fn accessor_path(path: &str) -> String {
    let mut written = String::new();
    let mut is_next_upper = false;
    for character in path.chars() {
        match character {
            '-' | '_' => is_next_upper = true,
            other if is_next_upper => {
                written.push(other.to_ascii_uppercase());
                is_next_upper = false;
            }
            other => written.push(other),
        }
    }
    written
}
