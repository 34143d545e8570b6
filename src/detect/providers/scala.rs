//! Scala with sbt.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan, quoted};
use crate::detect::repo::{join, relative, resolve, split};
use crate::detect::source::{Fact, Family, Source};
use crate::spec::{Copy, Kind};

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
    /// `stage` puts every jar into one directory.
    Stage,
    /// One jar.
    Assembly,
}

impl Build {
    fn read(scan: &Scan<'_>, root: &str, text: &str) -> Self {
        let source = Source::parse(text, Family::Jvm);
        let mut starts: Vec<(usize, String, String)> = Vec::new();
        for at in source.all("lazy val ") {
            let rest = &source.code[at + "lazy val ".len()..];
            let id = rest
                .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '`' || c == '-'))
                .next()
                .unwrap_or_default();
            let head = &rest[..rest.find('\n').map_or(rest.len(), |end| {
                rest[end + 1..]
                    .find('\n')
                    .map_or(rest.len(), |next| end + 1 + next)
            })];
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
            let id = id.trim_matches('`').to_owned();
            let file = head
                .find("file(")
                .and_then(|file| source.string_at(at + "lazy val ".len() + file + "file(".len()));
            let place = file.unwrap_or(&id);
            if let Some(dir) = resolve(root, place) {
                starts.push((at, id, dir));
            }
        }
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
            let places = self.source.all(name).filter(|at| range.contains(at));
            places.into_iter().find_map(|at| {
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
        let mut places = self
            .source
            .all(plugin)
            .filter(|at| project.text.contains(at));
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
        let play = self
            .enables(project, "PlayScala")
            .or_else(|| self.enables(project, "PlayJava"));
        let java_app = self
            .enables(project, "JavaAppPackaging")
            .or_else(|| self.enables(project, "JavaServerAppPackaging"));
        let mains = sources.mains();
        if project.id.is_empty() && sources.files.is_empty() {
            let count = self.projects.len() - 1;
            scan.reject(
                &project.dir,
                LOOKS_LIKE,
                format!("it only groups {count} projects"),
            );
            return;
        }
        let assembly = self.plugins.get("sbt-assembly").cloned();
        let main = self.setting(project, "mainClass");
        let user = self.user(project);
        let (packager, evidence) = match (play, java_app, &assembly) {
            (Some(line), ..) => (
                Packager::Stage,
                Evidence::new("entry", "Play", "sbt.play").at(&self.file, Some(line)),
            ),
            (None, Some(line), _) => {
                let evidence = Evidence::new("entry", "AppPackaging", "sbt.native-packager");
                (Packager::Stage, evidence.at(&self.file, Some(line)))
            }
            (None, None, Some(plugin))
                if user.is_none() && (main.is_some() || !mains.is_empty()) =>
            {
                let evidence = Evidence::new("entry", "sbt-assembly", "sbt.assembly");
                (
                    Packager::Assembly,
                    evidence.at(&plugin.file, Some(plugin.line)),
                )
            }
            _ => {
                let reason = match (user, mains.first()) {
                    (Some(user), _) => format!("it is a library: `{user}` depends on it"),
                    (None, Some(main)) => {
                        let mut draft = Draft::new(&project.dir, Kind::Worker, "scala", "sbt");
                        draft.fallback = Some(project.id.clone());
                        let short = main.value.rsplit('.').next().unwrap_or_default().to_owned();
                        let evidence = Evidence::new("entry", &main.value, "sbt.main-class");
                        draft
                            .evidence
                            .push(evidence.at(&main.file, Some(main.line)).written(short));
                        let message =
                            format!("`{}` is a program, but no plugin packages it", main.value);
                        let problem = Problem::new(&self.file, Some(project.line), message);
                        scan.refuse(
                            draft,
                            problem.help("enable `JavaAppPackaging` of sbt-native-packager"),
                        );
                        return;
                    }
                    (None, None) => "it is a library: nothing in it starts".to_owned(),
                };
                scan.reject(&project.dir, LOOKS_LIKE, reason);
                return;
            }
        };
        let mut draft = Draft::new(&project.dir, Kind::Web, "scala", "sbt");
        let name = self
            .setting(project, "name")
            .map_or_else(|| project.id.clone(), |found| found.value);
        draft.fallback = Some(name);
        draft.evidence.push(evidence);
        let main = main.or_else(|| mains.first().cloned().filter(|_| mains.len() == 1));
        match self.write(
            scan,
            &mut draft,
            project,
            (&packager, main, play.is_some(), &sources),
        ) {
            Ok(()) => scan.drafts.push(draft),
            Err(problem) => scan.refuse(draft, problem),
        }
    }

    /// The project that depends on this one.
    fn user(&self, project: &Project) -> Option<&str> {
        let id = project.id.as_str();
        let is_used = |other: &&Project| {
            other.id != id
                && self.source.all("dependsOn(").any(|at| {
                    let inside = &self.source.code[at..];
                    let end = inside.find('\n').unwrap_or(inside.len());
                    let mut words = inside["dependsOn(".len()..end]
                        .split(|c: char| !(c.is_alphanumeric() || c == '_'));
                    other.text.contains(&at) && words.any(|word| word == id)
                })
        };
        self.projects
            .iter()
            .find(is_used)
            .map(|other| other.id.as_str())
    }

    fn write(
        &self,
        scan: &mut Scan<'_>,
        draft: &mut Draft,
        project: &Project,
        (packager, main, is_play, sources): (&Packager, Option<Fact<String>>, bool, &Sources),
    ) -> Result<(), Problem> {
        self.describe(draft, is_play, sources);
        draft.spec.metadata.confidence = Some(90);
        let how = match packager {
            Packager::Stage => "stage",
            Packager::Assembly => "assembly",
        };
        draft.spec.metadata.reasoning = Some(format!("its task `{how}` makes a program of it"));
        let mut asked = java::sources(scan, &project.dir);
        let release = self.release(project);
        asked.extend(release.map(|fact| java::source(fact, java::LEVEL)));
        asked.extend(java::system_properties(scan, &project.dir));
        // sbt's package brings a kit of its own; a newer one builds as well.
        let jdk = java::choose(scan, &self.file, &asked, 8)?;
        draft.evidence.push(jdk.evidence.clone());
        let sbt = scan
            .catalog
            .package("sbt")
            .ok_or_else(|| Problem::new(&self.file, None, "sbt is not packaged"))?;
        let is_new = self.sbt_version(scan, draft, &sbt);
        let main = match (main, is_play) {
            (Some(main), _) => main,
            (None, true) => Fact {
                value: "play.core.server.ProdServerStart".to_owned(),
                file: self.file.clone(),
                line: 0,
            },
            (None, false) => {
                let problem = Problem::new(
                    &self.file,
                    Some(project.line),
                    "does not say which class is started",
                );
                return Err(problem.help("set `Compile / mainClass := Some(\"…\")`"));
            }
        };
        let up = relative(&project.dir, &self.root);
        let prefix = if project.id.is_empty() || project.dir == self.root {
            String::new()
        } else {
            format!("{}/", project.id)
        };
        let go = if up == "." {
            String::new()
        } else {
            format!("cd {} && ", quoted(&up))
        };
        let build = &mut draft.spec.build;
        build.packages = vec![sbt, jdk.kit.clone()];
        build.env = [
            ("JAVA_HOME", "/usr/lib/jvm/default-jvm"),
            ("COURSIER_CACHE", "/root/.cache/coursier"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        build.cache = ["/root/.cache/coursier", "/root/.ivy2", "/root/.sbt"]
            .map(str::to_owned)
            .into();
        let task = |name: &str| format!("{go}sbt -batch {}", quoted(&format!("{prefix}{name}")));
        // Since sbt 2 every project has a part of the root's `target`.
        let (target, own) = if is_new {
            (
                join(if up == "." { "" } else { &up }, "target"),
                format!("*/{}", project.id),
            )
        } else {
            ("target".to_owned(), "*".to_owned())
        };
        let find = |what: &str| {
            format!(
                "\"$(find {target} -path {} | head -n 1)\"",
                quoted(&format!("{own}{what}"))
            )
        };
        let (copies, class_path, commands) = match packager {
            Packager::Stage if !is_new => (
                vec![
                    ("target/universal/stage/lib", "lib"),
                    ("target/universal/stage/conf", "conf"),
                ],
                "/app/lib/*",
                vec![task("stage")],
            ),
            Packager::Stage => (
                vec![("/out/lib", "lib"), ("/out/conf", "conf")],
                "/app/lib/*",
                vec![
                    task("stage"),
                    format!("mkdir -p {OUT}; cp -R {}/. {OUT}", find("/universal/stage")),
                ],
            ),
            Packager::Assembly => {
                let jar = self.setting(project, "assemblyJarName");
                let jar = jar.map_or_else(
                    || "/*-assembly-*.jar".to_owned(),
                    |found| format!("/{}", found.value),
                );
                let command = format!("mkdir -p {OUT}; cp {} {OUT}/app.jar", find(&jar));
                (
                    vec![("/out/app.jar", "app.jar")],
                    "/app/app.jar",
                    vec![task("assembly"), command],
                )
            }
        };
        build.commands = commands;
        draft
            .evidence
            .push(Evidence::new("install", "none", "jvm.cached-by-the-build"));
        let conf = scan.repo.dir(&join(&project.dir, "conf")).is_some();
        let runtime = &mut draft.spec.runtime;
        let copies = copies.into_iter().filter(|(_, to)| *to != "conf" || conf);
        runtime.copy = copies
            .map(|(from, to)| Copy {
                from: from.to_owned(),
                to: to.to_owned(),
            })
            .collect();
        runtime.packages = vec![jdk.runtime.clone()];
        let mut command = vec![JAVA.to_owned(), "-XX:MaxRAMPercentage=75".to_owned()];
        if is_play {
            // The pid file has no place on a file system that is only read.
            command.extend([
                "-Dpidfile.path=/dev/null".to_owned(),
                "-Duser.dir=/app".to_owned(),
            ]);
        }
        command.extend(["-cp".to_owned(), class_path.to_owned(), main.value.clone()]);
        runtime.command = command;
        let evidence = Evidence::new(
            "command",
            &main.value,
            if main.line == 0 {
                "sbt.play-server"
            } else {
                "sbt.main-class"
            },
        );
        let short = main.value.rsplit('.').next().unwrap_or_default().to_owned();
        draft.evidence.push(if main.line == 0 {
            evidence
        } else {
            evidence.at(&main.file, Some(main.line)).written(short)
        });
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
