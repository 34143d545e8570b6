//! Maven: which modules are apps, and how each is built and started.

mod steps;

use std::collections::BTreeMap;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Problem, Scan, shown};
use crate::detect::repo::join;
use crate::detect::source::Fact;
use crate::spec::Kind;

use super::build::{self};
use super::facts::Sources;
use super::pom::{Plugin, Pom, Poms, Project};
use super::project::{self, Facts, Start, copy};

pub(super) use steps::boot_needs;

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
    let poms = Poms::read(scan, LOOKS_LIKE);
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

    /// Whether the build is the module's own.
    fn is_alone(&self) -> bool {
        self.root.file == self.pom.file
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
                let archive = if ending.ends_with(".war") {
                    "war"
                } else {
                    "jar"
                };
                let to = format!("/out/app.{archive}");
                let pick = build::pick(&self.output(), ending, &to);
                (to, vec![format!("mkdir -p /out; {pick}")])
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
fn by_plugin(module: &Module<'_>, boot: Option<&Plugin<'_>>) -> Option<Decision> {
    if let Some(plugin) = boot
        && let Some(decision) = spring_boot(module, plugin)
    {
        return Some(decision);
    }
    if let Some(plugin) = module.project.plugin("quarkus-maven-plugin") {
        return Some(quarkus(module, &plugin));
    }
    shade(module)
        .or_else(|| assembly(module))
        .or_else(|| micronaut(module))
}

/// An app whose jar holds everything.
fn one_jar(evidence: Evidence, (path, commands): (String, Vec<String>)) -> Decision {
    Decision::App(Box::new(Entry {
        evidence,
        start: Start::jar(&path),
        goals: Vec::new(),
        commands,
    }))
}

fn spring_boot(module: &Module<'_>, plugin: &Plugin<'_>) -> Option<Decision> {
    let project = &module.project;
    let sources = &module.sources;
    let main = sources
        .find("SpringApplication")
        .or_else(|| sources.find("runApplication"));
    if main.is_none() && !plugin.is_own {
        let reason =
            "it is a library: it inherits `spring-boot-maven-plugin` and has no class that starts";
        return Some(Decision::NoApp(reason.to_owned()));
    }
    let parent = project.external();
    let is_bound =
        parent.is_some_and(|parent| parent.artifact.value == "spring-boot-starter-parent");
    // Without the parent the goal has to be asked for: the plugin alone leaves a jar that starts nothing.
    if !is_bound && !plugin.runs("repackage") {
        return None;
    }
    let evidence = Evidence::new("entry", "spring-boot-maven-plugin", "maven.spring-boot");
    let name = plugin
        .configured(project, &["finalName"])
        .map(|found| found.value);
    let classifier = plugin.configured(project, &["classifier"]);
    let classifier = classifier.map_or_else(String::new, |found| format!("-{}", found.value));
    let ending = if module.is_war() { "war" } else { "jar" };
    let artifact = module.artifact(name, &format!("{classifier}.{ending}"));
    Some(one_jar(
        evidence.at(&plugin.file, Some(plugin.line)),
        artifact,
    ))
}

/// The class in the manifest that a plugin writes.
fn main_of(module: &Module<'_>, plugin: &Plugin<'_>, rule: &str) -> Option<Evidence> {
    let main = plugin.anywhere(&module.project, "mainClass");
    let main = main.or_else(|| plugin.anywhere(&module.project, "Main-Class"))?;
    Some(Evidence::new("entry", &main.value, rule).at(&main.file, Some(main.line)))
}

fn shade(module: &Module<'_>) -> Option<Decision> {
    let project = &module.project;
    let plugin = project.plugin("maven-shade-plugin")?;
    let evidence = main_of(module, &plugin, "maven.shade")?;
    let name = plugin
        .configured(project, &["finalName"])
        .map(|found| found.value);
    let name = name.or_else(|| shaded(module, &plugin));
    Some(one_jar(evidence, module.artifact(name, ".jar")))
}

fn assembly(module: &Module<'_>) -> Option<Decision> {
    let project = &module.project;
    let plugin = project.plugin("maven-assembly-plugin")?;
    let evidence = main_of(module, &plugin, "maven.assembly")?;
    let name = plugin
        .configured(project, &["finalName"])
        .map(|found| found.value);
    let appends = plugin.configured(project, &["appendAssemblyId"]);
    let ending = if appends.is_some_and(|found| found.value == "false") {
        String::new()
    } else {
        let id = plugin.anywhere(project, "descriptorRef");
        let id = id.map_or_else(|| "jar-with-dependencies".to_owned(), |found| found.value);
        format!("-{id}")
    };
    Some(one_jar(
        evidence,
        module.artifact(name, &format!("{ending}.jar")),
    ))
}

/// The parent of Micronaut shades the jar around the class that a property names.
fn micronaut(module: &Module<'_>) -> Option<Decision> {
    let parent = module.project.external()?;
    let main = module
        .property("exec.mainClass")
        .filter(|_| parent.artifact.value == "micronaut-parent")?;
    let evidence = Evidence::new("entry", &main.value, "maven.micronaut");
    Some(one_jar(
        evidence.at(&main.file, Some(main.line)),
        module.artifact(None, ".jar"),
    ))
}

/// The name of a shaded jar that does not take the place of the usual one; the build's final name is not a part of it.
fn shaded(module: &Module<'_>, plugin: &Plugin<'_>) -> Option<String> {
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

fn quarkus(module: &Module<'_>, plugin: &Plugin<'_>) -> Decision {
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

/// What a module is whose build names no main class, and whose sources do not say it either.
fn no_main(module: &Module<'_>, user: Option<&str>, mains: &[Fact<String>]) -> Decision {
    if let Some(user) = user {
        let what = if mains.is_empty() {
            "it has no main class"
        } else {
            "its build names no main class"
        };
        return Decision::NoApp(format!(
            "it is a library: `{user}` depends on it, and {what}"
        ));
    }
    if mains.is_empty() {
        let reason = if module.sources.files.is_empty() {
            "it has no sources of its own"
        } else {
            "it is a library: it has no main class"
        };
        return Decision::NoApp(reason.to_owned());
    }
    let names: Vec<String> = mains
        .iter()
        .map(|main| format!("`{}`", main.value))
        .collect();
    let message = format!("has several main classes: {}", names.join(", "));
    let problem = Problem::new(&module.pom.file, None, message);
    Decision::Refused(problem.help("name one in the property `exec.mainClass`"))
}

/// The app that a class with a main method makes of the module.
fn by_class(module: &Module<'_>, user: Option<&str>) -> Decision {
    let project = &module.project;
    let plugins = ["maven-jar-plugin", "exec-maven-plugin"].iter();
    let mut named =
        plugins.filter_map(|artifact| project.plugin(artifact)?.anywhere(project, "mainClass"));
    let named = named.next().or_else(|| {
        let names = ["exec.mainClass", "main.class", "mainClass", "start-class"];
        names.iter().find_map(|name| module.property(name))
    });
    let mains = module.sources.mains();
    let main = match (&named, mains.as_slice()) {
        (Some(main), _) => main.clone(),
        (None, [main]) if user.is_none() => main.clone(),
        (None, several) => return no_main(module, user, several),
    };
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
    let jdk = steps::jdk(scan, module)?;
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
    steps::steps(scan, draft, module, &entry, &tool);
    draft.spec.build.packages.push(jdk.kit.clone());
    if !steps::own_node(scan, draft, module) {
        super::with_front_end(scan, draft, "the Java app")?;
    }
    project::run(draft, &jdk, entry.start);
    Ok(())
}
