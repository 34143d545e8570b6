//! The steps of a Maven build: Java, its command, and the files that it reads.

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Problem, Scan, quoted};
use crate::detect::repo::{join, relative, split};
use crate::detect::source::Fact;
use crate::detect::version::{Source, numbers};

use super::super::build::{self, Tool};
use super::super::java;
use super::{Entry, Module, REPOSITORY};

/// Whether a plugin brings Node.js by itself, which is told.
pub(super) fn own_node(scan: &mut Scan<'_>, draft: &mut Draft, module: &Module<'_>) -> bool {
    let plugin = "frontend-maven-plugin";
    let found = module.closure.iter().find_map(|pom| {
        let project = module.poms.project(pom);
        let found = project.plugin(plugin)?;
        let place = found.configured(&project, &["workingDirectory"]);
        Some((found.file.clone(), found.line, pom.dir.clone(), place))
    });
    let Some((file, line, dir, place)) = found else {
        return false;
    };
    super::super::warn_of_own_node(scan, draft, plugin, &file, line);
    let place = place.map_or_else(String::new, |found| found.value);
    let front_end = crate::detect::repo::resolve(&dir, &place).unwrap_or(dir);
    scan.claims.insert(front_end, "the Java app".to_owned());
    true
}

pub(super) fn jdk(scan: &mut Scan<'_>, module: &Module<'_>) -> Result<java::Jdk, Problem> {
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
pub(in crate::detect::providers::jvm) fn boot_needs(version: &str) -> u64 {
    match numbers(version).first() {
        Some(major) if *major >= 3 => 17,
        _ => 8,
    }
}

/// Maven's call up to its goals, run in the module's directory.
fn call(draft: &mut Draft, module: &Module<'_>, tool: &Tool) -> String {
    let (root, own) = (&module.root.dir, &module.pom.dir);
    let up = relative(own, root);
    let up = if up == "." { "" } else { up.as_str() };
    let mut call = match tool {
        Tool::Packaged(package) => {
            draft.spec.build.packages.push(package.clone());
            "mvn".to_owned()
        }
        Tool::Wrapper => format!("sh {}", quoted(&join(up, "mvnw"))),
    };
    call.push_str(" -B -ntp -DskipTests");
    let file = join(up, split(&module.root.file).1);
    if file != "pom.xml" {
        call.push_str(&format!(" -f {}", quoted(&file)));
    }
    if !module.profiles.is_empty() {
        call.push_str(&format!(" -P {}", quoted(&module.profiles.join(","))));
    }
    if !module.is_alone() {
        call.push_str(&format!(" -pl {} -am", quoted(&relative(root, own))));
    }
    call
}

/// The plugin that reads git's history, which no build stage has.
fn without_git(draft: &mut Draft, module: &Module<'_>) -> Option<&'static str> {
    let names = ["git-commit-id-maven-plugin", "git-commit-id-plugin"];
    let plugin = names.iter().find_map(|name| module.project.plugin(name))?;
    let flag = "-Dmaven.gitcommitid.skip=true";
    let evidence = Evidence::new("build", flag, "maven.no-git-history").written("git-commit-id");
    draft
        .evidence
        .push(evidence.at(&plugin.file, Some(plugin.line)));
    Some(flag)
}

pub(super) fn steps(
    scan: &mut Scan<'_>,
    draft: &mut Draft,
    module: &Module<'_>,
    entry: &Entry,
    tool: &Tool,
) {
    let mut words = vec![call(draft, module, tool)];
    words.extend(without_git(draft, module).map(str::to_owned));
    words.push("package".to_owned());
    words.extend(entry.goals.iter().cloned());
    let mut commands = vec![words.join(" ")];
    commands.extend(entry.commands.iter().cloned());
    let build = &mut draft.spec.build;
    build.commands = commands;
    let home = "/usr/lib/jvm/default-jvm".to_owned();
    build.env.insert("JAVA_HOME".to_owned(), home);
    build.cache = vec![REPOSITORY.to_owned()];
    build::no_install(draft, REPOSITORY, "Maven");
    let (mut trees, mut files) = (BTreeSet::new(), BTreeSet::new());
    for pom in &module.closure {
        trees.insert(pom.dir.clone());
        let project = module.poms.project(pom);
        files.extend(project.chain.iter().map(|parent| parent.file.clone()));
    }
    if !module.is_alone() {
        let root = &module.root.dir;
        trees.remove(root.as_str());
        let members = module.poms.members(module.root);
        files.extend(members.iter().map(|pom| pom.file.clone()));
        build::surroundings(scan, root, &mut trees, &mut files);
    }
    build::context(draft, &trees, &files);
}
