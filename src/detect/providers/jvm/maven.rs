//! Maven: which modules are apps, and how each is built and started.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::explain::Evidence;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Scan, quoted, shown};
use crate::detect::repo::{join, relative};
use crate::detect::source::Fact;
use crate::detect::version::{Source, numbers};
use crate::spec::Kind;

use super::build::{self, Tool};
use super::facts::Sources;
use super::java;
use super::pom::{Pom, Poms, Project};
use super::project::{self, Facts, Start, copy};

const LOOKS_LIKE: &str = "a Maven project";
const REPOSITORY: &str = "/root/.m2/repository";

/// A module on its way to a draft.
struct Module<'p> {
    poms: &'p Poms,
    pom: &'p Pom,
    project: Project<'p>,
    dependencies: Vec<super::pom::Dependency>,
    sources: Sources,
    /// The directory of the file that Maven is told to read.
    root: &'p Pom,
    profiles: Vec<String>,
    /// The modules of the repository that it is made of, itself included.
    closure: Vec<&'p Pom>,
}

/// What makes a module an app.
struct Entry {
    /// The plugin or class that says so.
    evidence: Evidence,
    start: Start,
    /// Goals after `package`.
    goals: Vec<String>,
    /// Commands after Maven's.
    commands: Vec<String>,
}

/// What a module is.
enum Decision {
    App(Box<Entry>),
    NoApp(String),
    Refused(Problem),
}

pub(super) fn detect(scan: &mut Scan<'_>) {
    let poms = Poms::read(scan);
    let mut by_coordinates = BTreeMap::new();
    for pom in poms.all() {
        by_coordinates.insert(poms.project(pom).coordinates(), pom);
    }
    let mut users: BTreeMap<&str, String> = BTreeMap::new();
    for pom in poms.all() {
        for dependency in poms.project(pom).dependencies() {
            let key = (dependency.group, dependency.artifact);
            if let Some(used) = by_coordinates.get(&key)
                && dependency.scope != "test"
            {
                let user = shown(&pom.dir).to_owned();
                users.entry(used.file.as_str()).or_insert(user);
            }
        }
    }
    for pom in poms.all() {
        if passed_over(scan, &pom.dir, LOOKS_LIKE, poms.is_module(pom)) {
            continue;
        }
        let module = module(scan, &poms, pom, &by_coordinates);
        let user = users.get(pom.file.as_str()).map(String::as_str);
        match decide(&module, user) {
            Decision::NoApp(reason) => scan.reject(&pom.dir, LOOKS_LIKE, reason),
            Decision::Refused(problem) => {
                let mut draft = draft(&module);
                describe(scan, &mut draft, &module);
                if module.is_war() {
                    draft.spec.metadata.kind = Some(Kind::Web);
                    draft.evidence.retain(|found| found.field != "kind");
                    draft
                        .evidence
                        .push(Evidence::new("kind", "web", "maven.war"));
                }
                scan.refuse(draft, problem);
            }
            Decision::App(entry) => {
                let mut draft = draft(&module);
                match app(scan, &mut draft, &module, *entry) {
                    Ok(()) => scan.drafts.push(draft),
                    Err(problem) => scan.refuse(draft, problem),
                }
            }
        }
    }
}

fn module<'p>(
    scan: &Scan<'_>,
    poms: &'p Poms,
    pom: &'p Pom,
    by_coordinates: &BTreeMap<(String, String), &'p Pom>,
) -> Module<'p> {
    let project = poms.project(pom);
    let (root, profiles) = poms.reactor(pom).unwrap_or((pom, Vec::new()));
    let is_aggregator = project
        .first_own_packaging()
        .is_some_and(|found| found.value == "pom");
    let sources = if is_aggregator {
        Sources { files: Vec::new() }
    } else {
        Sources::read(scan, &pom.dir)
    };
    Module {
        poms,
        pom,
        dependencies: project.dependencies(),
        closure: closure(poms, pom, by_coordinates),
        project,
        sources,
        root,
        profiles,
    }
}

/// The module, the modules that it needs, and all their parents.
fn closure<'p>(
    poms: &'p Poms,
    pom: &'p Pom,
    by_coordinates: &BTreeMap<(String, String), &'p Pom>,
) -> Vec<&'p Pom> {
    let mut found = vec![pom];
    let mut at = 0;
    while let Some(pom) = found.get(at).copied() {
        for dependency in poms.project(pom).dependencies() {
            let key = (dependency.group, dependency.artifact);
            if let Some(needed) = by_coordinates.get(&key)
                && !found.iter().any(|known| known.file == needed.file)
            {
                found.push(needed);
            }
        }
        at += 1;
    }
    found
}

fn draft(module: &Module<'_>) -> Draft {
    let kotlin = module.project.plugin("kotlin-maven-plugin").is_some()
        && module
            .sources
            .files
            .iter()
            .any(|file| file.path.ends_with(".kt"));
    let language = if kotlin { "kotlin" } else { "java" };
    let mut draft = Draft::new(&module.pom.dir, Kind::Web, language, "maven");
    draft.fallback = Some(module.project.coordinates().1);
    draft
}

impl Module<'_> {
    fn property(&self, name: &str) -> Option<Fact<String>> {
        self.project.property(name)
    }

    fn dependency(&self, matches: impl Fn(&str, &str) -> bool) -> Option<Fact<String>> {
        let mut found = self.dependencies.iter().filter(|one| one.scope != "test");
        let found = found.find(|one| matches(&one.group, &one.artifact))?;
        Some(Fact {
            value: found.artifact.clone(),
            file: found.file.clone(),
            line: found.line,
        })
    }

    /// The path of the artifact without its ending; nothing where the version is not known before the build.
    fn final_name(&self) -> Option<String> {
        if let Some(name) = self.project.first(&["build", "finalName"]) {
            return Some(name.value);
        }
        let version = self.property("project.version")?.value;
        Some(format!("{}-{version}", self.project.coordinates().1))
    }

    fn is_war(&self) -> bool {
        let packaging = self.project.first_own_packaging();
        packaging.is_some_and(|found| found.value == "war")
    }

    fn output(&self) -> String {
        let found = self.project.first(&["build", "directory"]);
        found.map_or_else(|| "target".to_owned(), |found| found.value)
    }

    /// The jar with this ending of its name, or the command that finds it.
    fn artifact(&self, name: Option<String>, ending: &str) -> (String, Vec<String>) {
        match name.or_else(|| self.final_name()) {
            Some(name) => (format!("{}/{name}{ending}", self.output()), Vec::new()),
            None => {
                let to = "/out/app.jar";
                let pick = build::pick(&self.output(), "", to);
                (to.to_owned(), vec![format!("mkdir -p /out; {pick}")])
            }
        }
    }
}

fn decide(module: &Module<'_>, user: Option<&str>) -> Decision {
    let packaging = module.project.first_own_packaging();
    let boot = module.project.plugin("spring-boot-maven-plugin");
    let boot = boot.filter(|plugin| !plugin.is_true(&module.project, "skip"));
    match packaging
        .as_ref()
        .map_or("jar", |found| found.value.as_str())
    {
        "jar" | "quarkus" | "kjar" => {}
        "pom" => {
            let count = module.pom.modules().len();
            let modules = if count == 1 { "module" } else { "modules" };
            return Decision::NoApp(match count {
                0 => "it is a parent: others inherit from it".to_owned(),
                _ => format!("it only groups {count} {modules}"),
            });
        }
        "war" if boot.is_some() => {}
        "war" => {
            let line = packaging
                .as_ref()
                .map(|found| found.line)
                .filter(|line| *line > 0);
            let message = "a `war` needs a servlet container, and none is packaged";
            let help = "let `spring-boot-maven-plugin` make it start by itself, or package a `jar` with an embedded server";
            return Decision::Refused(Problem::new(&module.pom.file, line, message).help(help));
        }
        other => {
            return Decision::NoApp(format!("its packaging is `{other}`, which nothing starts"));
        }
    }
    let name = module.project.coordinates().1;
    if ["-test", "-tests", "-it", "-e2e"]
        .iter()
        .any(|ending| name.ends_with(ending))
        && module.sources.files.is_empty()
    {
        return Decision::NoApp("it holds tests only".to_owned());
    }
    if let Some(entry) = by_plugin(module, boot.as_ref()) {
        return entry;
    }
    by_class(module, user)
}

impl Project<'_> {
    /// The packaging, which is not inherited.
    fn first_own_packaging(&self) -> Option<Fact<String>> {
        let element = self.own().root.at(&["packaging"])?;
        self.value(self.own(), element)
    }
}

/// The app that a plugin makes of the module.
fn by_plugin(module: &Module<'_>, boot: Option<&super::pom::Plugin<'_>>) -> Option<Decision> {
    let project = &module.project;
    let app = |evidence: Evidence, (path, commands): (String, Vec<String>)| {
        Decision::App(Box::new(Entry {
            evidence,
            start: Start::jar(&path),
            goals: Vec::new(),
            commands,
        }))
    };
    if let Some(plugin) = boot {
        let main = module
            .sources
            .find("SpringApplication")
            .or_else(|| module.sources.find("runApplication"));
        if main.is_none() && !plugin.is_own {
            return Some(Decision::NoApp("it is a library: it inherits `spring-boot-maven-plugin` and has no class that starts".to_owned()));
        }
        let inherits = project
            .external()
            .is_some_and(|parent| parent.artifact.value == "spring-boot-starter-parent");
        if inherits || plugin.runs("repackage") {
            let evidence = Evidence::new("entry", "spring-boot-maven-plugin", "maven.spring-boot");
            let name = plugin
                .configured(project, &["finalName"])
                .map(|found| found.value);
            let classifier = plugin.configured(project, &["classifier"]);
            let classifier =
                classifier.map_or_else(String::new, |found| format!("-{}", found.value));
            let ending = if module.is_war() { "war" } else { "jar" };
            let artifact = module.artifact(name, &format!("{classifier}.{ending}"));
            return Some(app(evidence.at(&plugin.file, Some(plugin.line)), artifact));
        }
    }
    if let Some(plugin) = project.plugin("quarkus-maven-plugin") {
        return Some(quarkus(module, &plugin));
    }
    for (artifact, rule) in [
        ("maven-shade-plugin", "maven.shade"),
        ("maven-assembly-plugin", "maven.assembly"),
    ] {
        let Some(plugin) = project.plugin(artifact) else {
            continue;
        };
        let main = plugin
            .anywhere(project, "mainClass")
            .or_else(|| plugin.anywhere(project, "Main-Class"));
        let Some(main) = main else { continue };
        let evidence = Evidence::new("entry", &main.value, rule).at(&main.file, Some(main.line));
        let name = plugin
            .configured(project, &["finalName"])
            .map(|found| found.value);
        if artifact == "maven-shade-plugin" {
            let name = name.or_else(|| shaded(module, &plugin));
            return Some(app(evidence, module.artifact(name, ".jar")));
        }
        let ending = if plugin
            .configured(project, &["appendAssemblyId"])
            .is_some_and(|found| found.value == "false")
        {
            String::new()
        } else {
            let id = plugin.anywhere(project, "descriptorRef");
            format!(
                "-{}",
                id.map_or_else(|| "jar-with-dependencies".to_owned(), |found| found.value)
            )
        };
        return Some(app(
            evidence,
            module.artifact(name, &format!("{ending}.jar")),
        ));
    }
    let micronaut = project
        .external()
        .filter(|parent| parent.artifact.value == "micronaut-parent");
    if micronaut.is_some()
        && let Some(main) = module.property("exec.mainClass")
    {
        // The parent shades the jar around this class.
        let evidence = Evidence::new("entry", &main.value, "maven.micronaut");
        return Some(app(
            evidence.at(&main.file, Some(main.line)),
            module.artifact(None, ".jar"),
        ));
    }
    None
}

/// The name of a shaded jar that does not take the place of the usual one; the build's final name is not a part of it.
fn shaded(module: &Module<'_>, plugin: &super::pom::Plugin<'_>) -> Option<String> {
    let project = &module.project;
    if !plugin.is_true(project, "shadedArtifactAttached") {
        return None;
    }
    let classifier = plugin.configured(project, &["shadedClassifierName"]);
    let classifier = classifier.map_or_else(|| "shaded".to_owned(), |found| found.value);
    let version = module.property("project.version")?.value;
    Some(format!(
        "{}-{version}-{classifier}",
        project.coordinates().1
    ))
}

fn quarkus(module: &Module<'_>, plugin: &super::pom::Plugin<'_>) -> Decision {
    if module.sources.files.is_empty() && !plugin.is_own {
        return Decision::NoApp(
            "it is a library: it inherits `quarkus-maven-plugin` and has no sources".to_owned(),
        );
    }
    let evidence = Evidence::new("entry", "quarkus-maven-plugin", "maven.quarkus");
    let evidence = evidence.at(&plugin.file, Some(plugin.line));
    let kind = ["quarkus.package.jar.type", "quarkus.package.type"]
        .iter()
        .find_map(|name| module.property(name));
    let native = ["quarkus.native.enabled", "quarkus.package.type"]
        .iter()
        .find_map(|name| module.property(name));
    if let Some(native) = native.filter(|found| matches!(found.value.as_str(), "true" | "native")) {
        return Decision::Refused(no_native(&native));
    }
    let (start, commands) = match kind.as_ref().map_or("fast-jar", |kind| kind.value.as_str()) {
        "uber-jar" | "legacy-jar" => {
            let (path, commands) = module.artifact(None, "-runner.jar");
            (Start::jar(&path), commands)
        }
        _ => (
            Start::quarkus(&format!("{}/quarkus-app", module.output())),
            Vec::new(),
        ),
    };
    Decision::App(Box::new(Entry {
        evidence,
        start,
        goals: Vec::new(),
        commands,
    }))
}

/// Native images are made by a compiler that is not packaged.
pub(super) fn no_native(by: &Fact<String>) -> Problem {
    let message = "a native image needs GraalVM, which is not packaged";
    let problem = Problem::new(&by.file, Some(by.line), message);
    problem.help("ask for the native image in a profile, so that the usual build makes a jar")
}

/// The app that a class with a main method makes of the module.
fn by_class(module: &Module<'_>, user: Option<&str>) -> Decision {
    let project = &module.project;
    let named = [
        "maven-jar-plugin",
        "exec-maven-plugin",
        "mainframer-maven-plugin",
    ]
    .iter()
    .find_map(|artifact| project.plugin(artifact)?.anywhere(project, "mainClass"));
    let named = named.or_else(|| {
        ["exec.mainClass", "main.class", "mainClass", "start-class"]
            .iter()
            .find_map(|name| module.property(name))
    });
    let mains = module.sources.mains();
    let main = match (&named, mains.as_slice()) {
        (Some(main), _) => main.clone(),
        (None, [main]) => main.clone(),
        (None, []) => {
            let reason = match (user, module.sources.files.is_empty()) {
                (Some(user), _) => {
                    format!("it is a library: `{user}` depends on it, and it has no main class")
                }
                (None, true) => "it has no sources of its own".to_owned(),
                (None, false) => "it is a library: it has no main class".to_owned(),
            };
            return Decision::NoApp(reason);
        }
        (None, several) => {
            if let Some(user) = user {
                return Decision::NoApp(format!("it is a library: `{user}` depends on it"));
            }
            let names: Vec<String> = several
                .iter()
                .map(|main| format!("`{}`", main.value))
                .collect();
            let message = format!("has several main classes: {}", names.join(", "));
            let problem = Problem::new(&module.pom.file, None, message);
            return Decision::Refused(problem.help("name one in the property `exec.mainClass`"));
        }
    };
    if let Some(user) = user
        && named.is_none()
    {
        return Decision::NoApp(format!(
            "it is a library: `{user}` depends on it, and its build names no main class"
        ));
    }
    let rule = if named.is_some() {
        "maven.main-class"
    } else {
        "maven.only-main-class"
    };
    let evidence = Evidence::new("entry", &main.value, rule).at(&main.file, Some(main.line));
    let evidence = if named.is_some() {
        evidence
    } else {
        evidence.written("main")
    };
    let (jar, commands) = module.artifact(None, ".jar");
    let needs = module
        .dependencies
        .iter()
        .any(|one| matches!(one.scope.as_str(), "compile" | "runtime"));
    let mut copies = vec![copy(&jar, "app.jar")];
    let mut goals = Vec::new();
    if needs {
        copies.push(copy(&format!("{}/dependency", module.output()), "lib"));
        goals.push("dependency:copy-dependencies -DincludeScope=runtime".to_owned());
    }
    Decision::App(Box::new(Entry {
        evidence,
        start: Start::class_path(copies, &main.value),
        goals,
        commands,
    }))
}

fn describe(scan: &mut Scan<'_>, draft: &mut Draft, module: &Module<'_>) {
    let starts_with =
        |prefix: &'static str| move |_: &str, artifact: &str| artifact.starts_with(prefix);
    let group = |name: &'static str| {
        move |group: &str, _: &str| group == name || group.starts_with(&format!("{name}."))
    };
    let parent = module.project.external();
    let by_parent = parent
        .filter(|parent| parent.artifact.value == "spring-boot-starter-parent")
        .map(|parent| parent.artifact);
    let spring = by_parent.or_else(|| module.dependency(group("org.springframework.boot")));
    let found = [
        ("quarkus", module.dependency(group("io.quarkus"))),
        ("micronaut", module.dependency(group("io.micronaut"))),
        ("spring-boot", spring),
        ("ktor", module.dependency(group("io.ktor"))),
    ];
    let framework = found
        .into_iter()
        .find_map(|(name, fact)| fact.map(|fact| (name, fact)));
    if let Some((name, fact)) = &framework {
        let evidence = Evidence::new("framework", *name, "maven.dependency");
        draft.evidence.push(
            evidence
                .at(&fact.file, Some(fact.line))
                .written(&fact.value),
        );
    }
    let framework = framework.map(|(name, fact)| Fact {
        value: name.to_owned(),
        ..fact
    });
    let server = project::SERVERS
        .iter()
        .find_map(|name| module.dependency(starts_with(name)));
    let health = project::HEALTH
        .iter()
        .find_map(|name| module.dependency(|_, artifact| artifact == *name));
    let command_line = project::COMMAND_LINE
        .iter()
        .find_map(|name| module.dependency(|_, artifact| artifact == *name));
    let facts = Facts {
        framework,
        command_line,
        server,
        health,
        sources: Sources::read(scan, &module.pom.dir),
    };
    project::describe(scan, draft, &facts);
}

fn app(
    scan: &mut Scan<'_>,
    draft: &mut Draft,
    module: &Module<'_>,
    entry: Entry,
) -> Result<(), Problem> {
    draft.evidence.push(entry.evidence.clone());
    describe(scan, draft, module);
    let at = match (&entry.evidence.file, entry.evidence.line) {
        (Some(file), Some(line)) => format!(" in `{file}` line {line}"),
        _ => String::new(),
    };
    draft.spec.metadata.reasoning =
        Some(format!("`{}` makes it a program{at}", entry.evidence.value));
    draft.spec.metadata.confidence = Some(if entry.evidence.rule == "maven.only-main-class" {
        80
    } else {
        95
    });
    let jdk = jdk(scan, module)?;
    draft.evidence.push(jdk.evidence.clone());
    let wrapper_dir = join(&module.root.dir, ".mvn/wrapper/maven-wrapper.properties");
    let wrapper = build::wrapper(scan, &wrapper_dir, "apache-maven-");
    let script = join(&module.root.dir, "mvnw");
    let tool = build::tool(
        scan,
        draft,
        ("Maven", "maven"),
        wrapper.as_ref(),
        std::slice::from_ref(&script),
    )?;
    steps(scan, draft, module, &entry, &tool);
    draft.spec.build.packages.push(jdk.kit.clone());
    own_node(scan, draft, module);
    super::with_front_end(scan, draft, "the Java app")?;
    project::run(draft, &jdk, entry.start);
    Ok(())
}

fn own_node(scan: &mut Scan<'_>, draft: &mut Draft, module: &Module<'_>) {
    let plugin = "frontend-maven-plugin";
    let found = module.closure.iter().find_map(|pom| {
        let project = module.poms.project(pom);
        let found = project.plugin(plugin)?;
        let place = found.configured(&project, &["workingDirectory"]);
        Some((found.file.clone(), found.line, pom.dir.clone(), place))
    });
    let Some((file, line, dir, place)) = found else {
        return;
    };
    super::warn_of_own_node(scan, draft, plugin, &file, line);
    let place = place.map_or_else(String::new, |found| found.value);
    let front_end = crate::detect::repo::resolve(&dir, &place).unwrap_or(dir);
    scan.claims.insert(front_end, "the Java app".to_owned());
}

fn jdk(scan: &mut Scan<'_>, module: &Module<'_>) -> Result<java::Jdk, Problem> {
    let project = &module.project;
    let mut sources = java::sources(scan, &module.pom.dir);
    let toolchain = project.plugin("maven-toolchains-plugin");
    let toolchain =
        toolchain.and_then(|plugin| plugin.configured(project, &["toolchains", "jdk", "version"]));
    sources.extend(toolchain.map(|fact| java::source(fact, java::LEVEL)));
    let compiler = project.plugin("maven-compiler-plugin");
    let configured = |name: &str| compiler.as_ref()?.configured(project, &[name]);
    let levels = [
        configured("release"),
        module.property("maven.compiler.release"),
        configured("target"),
        module.property("maven.compiler.target"),
        configured("source"),
        module.property("maven.compiler.source"),
        project
            .plugin("kotlin-maven-plugin")
            .and_then(|plugin| plugin.configured(project, &["jvmTarget"])),
        module.property("kotlin.compiler.jvmTarget"),
        module.property("java.version"),
        module.property("jdk.version"),
    ];
    // Two of them often say the same in two places.
    let level = levels.into_iter().flatten().next();
    sources.extend(level.map(|fact| java::source(fact, java::LEVEL)));
    let enforced = project
        .plugin("maven-enforcer-plugin")
        .and_then(|plugin| plugin.configured(project, &["rules", "requireJavaVersion", "version"]));
    sources.extend(enforced.map(|fact| java::source(fact, java::LEVEL)));
    sources.extend(java::system_properties(scan, &module.pom.dir));
    let boot = boot_version(module);
    let mut floor = 8;
    if let Some(version) = &boot {
        floor = boot_needs(&version.value);
        if sources.is_empty() {
            sources.push(Source {
                text: version.value.clone(),
                file: version.file.clone(),
                line: Some(version.line),
                rule: java::MINIMUM,
            });
        }
    }
    java::choose(scan, &module.pom.file, &sources, floor)
}

/// Spring Boot's version, by its parent, its plugin, or its list of versions.
fn boot_version(module: &Module<'_>) -> Option<Fact<String>> {
    let parent = module.project.external();
    let parent = parent.filter(|parent| parent.artifact.value == "spring-boot-starter-parent");
    parent.map(|parent| parent.version)
}

/// The Java that a version of Spring Boot runs on at least.
pub(super) fn boot_needs(version: &str) -> u64 {
    match numbers(version).first() {
        Some(major) if *major >= 3 => 17,
        _ => 8,
    }
}

fn steps(scan: &mut Scan<'_>, draft: &mut Draft, module: &Module<'_>, entry: &Entry, tool: &Tool) {
    let (root, own) = (&module.root.dir, &module.pom.dir);
    let up = relative(own, root);
    let mut command = match tool {
        Tool::Packaged(package) => {
            draft.spec.build.packages.push(package.clone());
            "mvn".to_owned()
        }
        Tool::Wrapper => format!(
            "sh {}",
            quoted(&join(if up == "." { "" } else { &up }, "mvnw"))
        ),
    };
    command.push_str(" -B -ntp -DskipTests");
    let is_alone = module.root.file == module.pom.file;
    let file = join(
        if up == "." { "" } else { &up },
        crate::detect::repo::split(&module.root.file).1,
    );
    if file != "pom.xml" {
        command.push_str(&format!(" -f {}", quoted(&file)));
    }
    if !module.profiles.is_empty() {
        command.push_str(&format!(" -P {}", quoted(&module.profiles.join(","))));
    }
    if !is_alone {
        command.push_str(&format!(" -pl {} -am", quoted(&relative(root, own))));
    }
    let git = ["git-commit-id-maven-plugin", "git-commit-id-plugin"]
        .iter()
        .find_map(|name| module.project.plugin(name));
    if let Some(git) = git {
        command.push_str(" -Dmaven.gitcommitid.skip=true");
        let evidence = Evidence::new(
            "build",
            "-Dmaven.gitcommitid.skip=true",
            "maven.no-git-history",
        );
        draft.evidence.push(
            evidence
                .at(&git.file, Some(git.line))
                .written("git-commit-id"),
        );
    }
    command.push_str(" package");
    for goal in &entry.goals {
        command.push_str(&format!(" {goal}"));
    }
    let mut commands = vec![command];
    commands.extend(entry.commands.iter().cloned());
    draft.spec.build.commands = commands;
    draft.spec.build.env.insert(
        "JAVA_HOME".to_owned(),
        "/usr/lib/jvm/default-jvm".to_owned(),
    );
    draft.spec.build.cache = vec![REPOSITORY.to_owned()];
    build::no_install(draft, REPOSITORY, "Maven");
    let (mut trees, mut files) = (BTreeSet::new(), BTreeSet::new());
    for pom in &module.closure {
        trees.insert(pom.dir.clone());
        files.extend(
            module
                .poms
                .project(pom)
                .chain
                .iter()
                .map(|parent| parent.file.clone()),
        );
    }
    if !is_alone {
        trees.remove(root.as_str());
        files.extend(
            module
                .poms
                .members(module.root)
                .iter()
                .map(|pom| pom.file.clone()),
        );
        build::surroundings(scan, root, &mut trees, &mut files);
    }
    build::context(draft, &trees, &files);
}
