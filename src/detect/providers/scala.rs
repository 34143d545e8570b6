//! Scala with sbt.

mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan};
use crate::detect::repo::{join, resolve, split};
use crate::detect::source::{Fact, Family, Source};
use crate::spec::Kind;

use super::jvm::{JAVA, Sources, java};

pub(crate) struct Scala;

const LANGUAGE: Language = Language {
    name: "Scala",
    build_systems: &["sbt"],
    frameworks: &["play"],
    manifests: &["build.sbt"],
};

const LOOKS_LIKE: &str = "an sbt project";
const OUT: &str = "/out";

impl Provider for Scala {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let mut claimed: Vec<String> = Vec::new();
        for dir in scan.dirs_with(&["build.sbt"]) {
            let path = dir.path();
            if split(path).1 == "project" || claimed.iter().any(|other| other == path) {
                continue;
            }
            if passed_over(scan, path, LOOKS_LIKE, false) {
                continue;
            }
            let Ok(text) = dir.text("build.sbt") else {
                continue;
            };
            let build = Build::read(scan, path, &text);
            claimed.extend(build.projects.iter().map(|project| project.dir.clone()));
            for project in &build.projects {
                build.app(scan, project);
            }
        }
    }
}

/// A build: its script, and the plugins of `project/plugins.sbt`.
struct Build {
    root: String,
    file: String,
    source: Source,
    projects: Vec<Project>,
    /// Plugins by artifact, with their place.
    plugins: BTreeMap<String, Fact<String>>,
}

/// A project: `lazy val api = (project in file("api"))`.
struct Project {
    id: String,
    dir: String,
    /// The part of the script that describes it.
    text: Range<usize>,
    line: u64,
}

/// How a program is made of a project.
enum Packager {
    /// `stage`, for a server that Play starts.
    Play,
    /// `stage` puts every jar into one directory.
    Stage,
    /// One jar.
    Assembly,
}

impl Packager {
    fn task(&self) -> &'static str {
        match self {
            Self::Play | Self::Stage => "stage",
            Self::Assembly => "assembly",
        }
    }
}

impl Build {
    fn read(scan: &Scan<'_>, root: &str, text: &str) -> Self {
        let source = Source::parse(text, Family::Jvm);
        let starts = declared(&source, root);
        let mut projects: Vec<Project> = Vec::new();
        for (index, (at, id, dir)) in starts.iter().enumerate() {
            let next = starts
                .get(index + 1)
                .map_or(source.code.len(), |(next, _, _)| *next);
            projects.push(Project {
                id: id.clone(),
                dir: dir.clone(),
                text: *at..next,
                line: source.line(*at),
            });
        }
        if !projects.iter().any(|project| project.dir == root) {
            let end = starts.first().map_or(source.code.len(), |(at, _, _)| *at);
            projects.insert(
                0,
                Project {
                    id: String::new(),
                    dir: root.to_owned(),
                    text: 0..end,
                    line: 1,
                },
            );
        }
        Self {
            root: root.to_owned(),
            file: join(root, "build.sbt"),
            source,
            projects,
            plugins: plugins(scan, root),
        }
    }

    /// Every place in a part of the script where `name` stands as a word.
    fn all<'b>(&'b self, range: &Range<usize>, name: &'b str) -> impl Iterator<Item = usize> + 'b {
        let (code, start) = (&self.source.code, range.start);
        let part = code.get(range.clone()).unwrap_or_default();
        let places = part.match_indices(name).map(move |(at, _)| start + at);
        let is_part = |c: char| c == '_' || c.is_alphanumeric();
        let is_word = name.starts_with(is_part);
        places.filter(move |at| !is_word || !code[..*at].ends_with(is_part))
    }

    /// The string that a setting has, in the project or for the whole build.
    fn setting(&self, project: &Project, name: &str) -> Option<Fact<String>> {
        let ranges = [
            project.text.clone(),
            0..self
                .projects
                .iter()
                .map(|one| one.text.start)
                .filter(|start| *start > 0)
                .min()
                .unwrap_or(0),
        ];
        ranges.into_iter().find_map(|range| {
            self.all(&range, name).find_map(|at| {
                let rest = &self.source.code[at + name.len()..];
                let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
                if !line.contains(":=") {
                    return None;
                }
                let quote = line.find('"')?;
                let value = self.source.string_at(at + name.len() + quote)?;
                Some(Fact {
                    value: value.to_owned(),
                    file: self.file.clone(),
                    line: self.source.line(at),
                })
            })
        })
    }

    fn enables(&self, project: &Project, plugin: &str) -> Option<u64> {
        let mut places = self.all(&project.text, plugin);
        places.next().map(|at| self.source.line(at))
    }

    fn needs(&self, group: &str) -> Option<Fact<String>> {
        let (at, text) = self.source.strings.iter().find(|(_, text)| text == group)?;
        Some(Fact {
            value: text.clone(),
            file: self.file.clone(),
            line: self.source.line(*at),
        })
    }

    fn app(&self, scan: &mut Scan<'_>, project: &Project) {
        let sources = sources(scan, project);
        if sources.files.is_empty() {
            let groups = self.all(&project.text, ".aggregate(").next().is_some();
            let reason = if groups || project.id.is_empty() {
                let count = self.projects.len() - 1;
                format!("it only groups {count} projects")
            } else {
                "it has no sources of its own".to_owned()
            };
            scan.reject(&project.dir, LOOKS_LIKE, reason);
            return;
        }
        let mains = sources.mains();
        let main = self.setting(project, "mainClass");
        let is_program = main.is_some() || !mains.is_empty();
        let Some((packager, evidence)) = self.packager(project, is_program) else {
            self.no_app(scan, project, mains.first());
            return;
        };
        let mut draft = self.draft(project);
        draft.evidence.push(evidence);
        let main = main.or_else(|| mains.first().cloned().filter(|_| mains.len() == 1));
        match self.write(scan, &mut draft, project, (&packager, main, &sources)) {
            Ok(()) => scan.drafts.push(draft),
            Err(problem) => scan.refuse(draft, problem),
        }
    }

    fn draft(&self, project: &Project) -> Draft {
        let mut draft = Draft::new(&project.dir, Kind::Web, "scala", "sbt");
        let name = self.setting(project, "name");
        draft.fallback = Some(name.map_or_else(|| project.id.clone(), |found| found.value));
        draft
    }

    /// How a project is packaged, by the plugins that it enables.
    fn packager(&self, project: &Project, is_program: bool) -> Option<(Packager, Evidence)> {
        let first = |names: [&str; 2]| names.iter().find_map(|name| self.enables(project, name));
        if let Some(line) = first(["PlayScala", "PlayJava"]) {
            let evidence = Evidence::new("entry", "Play", "sbt.play");
            return Some((Packager::Play, evidence.at(&self.file, Some(line))));
        }
        if let Some(line) = first(["JavaAppPackaging", "JavaServerAppPackaging"]) {
            let evidence = Evidence::new("entry", "AppPackaging", "sbt.native-packager");
            return Some((Packager::Stage, evidence.at(&self.file, Some(line))));
        }
        let plugin = self.plugins.get("sbt-assembly")?;
        if !is_program || self.user(project).is_some() {
            return None;
        }
        let evidence = Evidence::new("entry", "sbt-assembly", "sbt.assembly");
        Some((
            Packager::Assembly,
            evidence.at(&plugin.file, Some(plugin.line)),
        ))
    }

    /// A library, or a program that nothing packages.
    fn no_app(&self, scan: &mut Scan<'_>, project: &Project, main: Option<&Fact<String>>) {
        let reason = match (self.user(project), main) {
            (Some(user), _) => format!("it is a library: `{user}` depends on it"),
            (None, None) => "it is a library: nothing in it starts".to_owned(),
            (None, Some(main)) => {
                let mut draft = self.draft(project);
                draft.spec.metadata.kind = Some(Kind::Worker);
                let short = main.value.rsplit('.').next().unwrap_or_default().to_owned();
                let evidence = Evidence::new("entry", &main.value, "sbt.main-class").written(short);
                draft
                    .evidence
                    .push(evidence.at(&main.file, Some(main.line)));
                let message = format!("`{}` is a program, but no plugin packages it", main.value);
                let problem = Problem::new(&self.file, Some(project.line), message);
                scan.refuse(
                    draft,
                    problem.help("enable `JavaAppPackaging` of sbt-native-packager"),
                );
                return;
            }
        };
        scan.reject(&project.dir, LOOKS_LIKE, reason);
    }

    fn write(
        &self,
        scan: &mut Scan<'_>,
        draft: &mut Draft,
        project: &Project,
        (packager, main, sources): (&Packager, Option<Fact<String>>, &Sources),
    ) -> Result<(), Problem> {
        let is_play = matches!(packager, Packager::Play);
        self.describe(draft, is_play, sources);
        draft.spec.metadata.confidence = Some(90);
        draft.spec.metadata.reasoning = Some(format!(
            "its task `{}` makes a program of it",
            packager.task()
        ));
        let mut asked = java::sources(scan, &project.dir);
        asked.extend(
            self.release(project)
                .map(|fact| java::source(fact, java::LEVEL)),
        );
        asked.extend(java::system_properties(scan, &project.dir));
        let jdk = java::choose(scan, &self.file, &asked, 8)?;
        draft.evidence.push(jdk.evidence.clone());
        let sbt = scan.catalog.package("sbt");
        let sbt = sbt.ok_or_else(|| Problem::new(&self.file, None, "sbt is not packaged"))?;
        let is_new = self.sbt_version(scan, draft, &sbt);
        let main = match main {
            Some(main) => main.value,
            None if is_play => "play.core.server.ProdServerStart".to_owned(),
            None => {
                let message = "does not say which class is started";
                let problem = Problem::new(&self.file, Some(project.line), message);
                return Err(problem.help("set `Compile / mainClass := Some(\"…\")`"));
            }
        };
        draft.evidence.push(Evidence::new(
            "command",
            &main,
            if is_play {
                "sbt.play-server"
            } else {
                "sbt.main-class"
            },
        ));
        self.steps(scan, draft, project, (packager, is_new));
        draft.spec.build.packages = vec![sbt, jdk.kit.clone()];
        let runtime = &mut draft.spec.runtime;
        runtime.packages = vec![jdk.runtime.clone()];
        let mut command = vec![JAVA.to_owned(), "-XX:MaxRAMPercentage=75".to_owned()];
        if is_play {
            // The pid file has no place on a file system that is only read.
            command.push("-Dpidfile.path=/dev/null".to_owned());
        }
        let class_path = match packager {
            Packager::Assembly => "/app/app.jar",
            Packager::Play | Packager::Stage => "/app/lib/*",
        };
        command.extend(["-cp".to_owned(), class_path.to_owned(), main]);
        runtime.command = command;
        Ok(())
    }

    fn describe(&self, draft: &mut Draft, is_play: bool, sources: &Sources) {
        let servers = [
            "com.typesafe.akka",
            "org.apache.pekko",
            "org.http4s",
            "dev.zio",
            "com.twitter",
            "com.softwaremill.sttp.tapir",
            "com.lihaoyi",
        ];
        if is_play {
            draft.spec.metadata.framework = Some("play".to_owned());
            let line = draft.evidence.first().and_then(|entry| entry.line);
            draft.evidence.push(
                Evidence::new("framework", "play", "sbt.play")
                    .at(&self.file, line)
                    .written("Play"),
            );
            let port = Fact {
                value: 9000,
                file: String::new(),
                line: 0,
            };
            draft.listens_on(&port, "");
            return;
        }
        let listens = sources.listens();
        let by_library = servers
            .iter()
            .find_map(|group| self.needs(group))
            .filter(|_| listens.is_some());
        let Some(found) = listens.or(by_library) else {
            draft.spec.metadata.kind = Some(Kind::Worker);
            draft
                .evidence
                .push(Evidence::new("kind", "worker", "jvm.listens-nowhere"));
            return;
        };
        let evidence = Evidence::new("kind", "web", "jvm.listens").written(&found.value);
        draft
            .evidence
            .push(evidence.at(&found.file, Some(found.line)));
        match sources.port() {
            Some(port) => draft.listens_on(&port, "jvm.port-in-code"),
            None if sources.reads_port() => draft.is_given_port(8080),
            None => {}
        }
        if let Some(health) = sources.health() {
            draft.answers(&health);
        }
    }

    /// `javacOptions ++= Seq("--release", "17")`, `scalacOptions += "-release:17"`.
    fn release(&self, project: &Project) -> Option<Fact<String>> {
        let strings = &self.source.strings;
        let within = |at: usize| {
            project.text.contains(&at) || at < self.projects.first().map_or(0, |one| one.text.end)
        };
        strings
            .iter()
            .enumerate()
            .filter(|(_, (at, _))| within(*at))
            .find_map(|(index, (at, text))| {
                let fact = |at: usize, value: &str| Fact {
                    value: value.to_owned(),
                    file: self.file.clone(),
                    line: self.source.line(at),
                };
                if let Some(number) = text
                    .strip_prefix("-release:")
                    .or_else(|| text.strip_prefix("-java-output-version:"))
                {
                    return Some(fact(*at, number));
                }
                if matches!(
                    text.as_str(),
                    "--release" | "-release" | "-target" | "-java-output-version"
                ) {
                    let (next, value) = strings.get(index + 1)?;
                    return java::number_of(value).map(|_| fact(*next, value));
                }
                None
            })
    }

    /// The packaged runner starts whatever `project/build.properties` asks for, and downloads it; whether that is sbt 2.
    fn sbt_version(&self, scan: &Scan<'_>, draft: &mut Draft, sbt: &str) -> bool {
        let file = join(&self.root, "project/build.properties");
        let Ok(text) = scan.repo.text(&file) else {
            draft
                .evidence
                .push(Evidence::new("build tool", sbt, "jvm.packaged-default"));
            return true;
        };
        let mut is_new = false;
        for (line, number) in text.lines().zip(1..) {
            if let Some(version) = line
                .trim()
                .strip_prefix("sbt.version")
                .and_then(|rest| rest.trim_start().strip_prefix('='))
            {
                let evidence = Evidence::new("build tool", sbt, "sbt.build-properties");
                let note = "the packaged runner fetches this sbt as it fetches libraries";
                draft.evidence.push(
                    evidence
                        .at(&file, Some(number))
                        .written(version.trim())
                        .note(note),
                );
                is_new = !version.trim().starts_with("1.") && !version.trim().starts_with("0.");
            }
        }
        is_new
    }
}

/// The projects that a script declares: where, their names and their directories.
fn declared(source: &Source, root: &str) -> Vec<(usize, String, String)> {
    const WORD: &str = "lazy val ";
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for at in source.all(WORD) {
        let rest = &source.code[at + WORD.len()..];
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '`' | '-');
        let id = rest
            .split(|c: char| !is_part(c))
            .next()
            .unwrap_or_default()
            .trim_matches('`');
        // The value may begin on the next line.
        let head: usize = rest.split_inclusive('\n').take(2).map(str::len).sum();
        let head = &rest[..head];
        let Some((_, value)) = head.split_once('=') else {
            continue;
        };
        if !value
            .trim_start()
            .trim_start_matches('(')
            .starts_with("project")
        {
            continue;
        }
        let file = head
            .find("file(")
            .map(|file| at + WORD.len() + file + "file(".len());
        let place = file.and_then(|file| source.string_at(file)).unwrap_or(id);
        // sbt refuses a second project in a directory.
        if let Some(dir) = resolve(root, place).filter(|dir| seen.insert(dir.clone())) {
            found.push((at, id.to_owned(), dir));
        }
    }
    found
}

/// `addSbtPlugin("group" % "artifact" % "version")` of the files in `project`.
fn plugins(scan: &Scan<'_>, root: &str) -> BTreeMap<String, Fact<String>> {
    let mut found = BTreeMap::new();
    let Some(dir) = scan.repo.dir(&join(root, "project")) else {
        return found;
    };
    for name in dir.files().iter().filter(|name| name.ends_with(".sbt")) {
        let Ok(text) = dir.text(name) else { continue };
        let source = Source::parse(&text, Family::Jvm);
        for at in source.all("addSbtPlugin(") {
            let artifact = source
                .strings
                .iter()
                .filter(|(place, _)| *place > at)
                .nth(1);
            if let Some((place, artifact)) = artifact {
                let fact = Fact {
                    value: artifact.clone(),
                    file: dir.join(name),
                    line: source.line(*place),
                };
                found.insert(artifact.clone(), fact);
            }
        }
    }
    found
}

/// Play keeps its sources in `app`, everything else in `src/main`.
fn sources(scan: &Scan<'_>, project: &Project) -> Sources {
    let mut sources = Sources::read(scan, &project.dir);
    let app = join(&project.dir, "app");
    if sources.files.is_empty() && scan.repo.dir(&app).is_some() {
        sources.files =
            crate::detect::source::own(scan.repo, &app, &[], &["scala", "java"], Family::Jvm);
    }
    sources
}
