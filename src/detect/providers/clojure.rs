//! Clojure with Leiningen or tools.build.

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan};
use crate::detect::repo::{Dir, join};
use crate::detect::source::{self, Fact, Family, File, Source};
use crate::spec::{Copy, Kind};

use super::jvm::{JAVA, java};

pub(crate) struct Clojure;

const LANGUAGE: Language = Language {
    name: "Clojure",
    build_systems: &["leiningen", "tools.build"],
    frameworks: &[],
    manifests: &["build.clj", "deps.edn", "project.clj"],
};

const LOOKS_LIKE: &str = "a Clojure project";
const OUT: &str = "/out";

impl Provider for Clojure {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        for dir in scan.dirs_with(&["build.clj", "deps.edn", "project.clj"]) {
            if passed_over(scan, dir.path(), LOOKS_LIKE, false) {
                continue;
            }
            if dir.has("project.clj") {
                leiningen(scan, dir);
            } else if dir.has("deps.edn") {
                tools_build(scan, dir);
            }
        }
    }
}

/// A manifest with where its keywords stand.
struct Manifest {
    file: String,
    source: Source,
}

impl Manifest {
    fn read(dir: Dir<'_>, name: &str) -> Option<Self> {
        let text = dir.text(name).ok()?;
        Some(Self {
            file: dir.join(name),
            source: Source::parse(&text, Family::Lisp),
        })
    }

    fn fact(&self, at: usize, value: &str) -> Fact<String> {
        Fact {
            value: value.to_owned(),
            file: self.file.clone(),
            line: self.source.line(at),
        }
    }

    /// The keyword, alone and not as the beginning of a longer one.
    fn keyword(&self, name: &str) -> Option<usize> {
        let code = &self.source.code;
        let places = code.match_indices(name).map(|(at, _)| at);
        let mut whole = places.filter(|at| {
            let next = code[at + name.len()..].chars().next();
            next.is_none_or(|next| next.is_whitespace() || matches!(next, '{' | '[' | '"' | '('))
        });
        whole.next()
    }

    /// The symbol after a keyword: `:main shop.core`, `:main ^:skip-aot shop.core`.
    fn symbol(&self, keyword: &str) -> Option<Fact<String>> {
        let at = self.keyword(keyword)? + keyword.len();
        let mut words = self.source.code.get(at..)?.split_whitespace();
        let word = words.find(|word| !word.starts_with('^'))?;
        let word = word.trim_matches(|c: char| matches!(c, ')' | '}' | ']' | '\''));
        let is_name = word.starts_with(char::is_alphabetic);
        is_name.then(|| self.fact(at, word)).map(|fact| {
            let place = self.source.code[at..]
                .find(word)
                .map_or(at, |found| at + found);
            Fact {
                line: self.source.line(place),
                ..fact
            }
        })
    }

    fn string(&self, keyword: &str) -> Option<Fact<String>> {
        let at = self.keyword(keyword)? + keyword.len();
        self.source.string_at(at).map(|text| self.fact(at, text))
    }
}

/// What the sources say, in the same words for both tools.
fn describe(scan: &Scan<'_>, draft: &mut Draft) {
    let files: Vec<File> = source::own(
        scan.repo,
        &join(&draft.path, "src"),
        &[],
        &["clj", "cljc"],
        Family::Lisp,
    );
    let servers = [
        "run-jetty",
        "run-server",
        "start-server",
        "aleph.http",
        "io.pedestal.http",
    ];
    let found = files.iter().find_map(|file| {
        let (call, at) = servers
            .iter()
            .find_map(|call| file.source.find(call).map(|at| (*call, at)))?;
        Some((file, call, at))
    });
    let Some((file, call, at)) = found else {
        draft.spec.metadata.kind = Some(Kind::Worker);
        draft
            .evidence
            .push(Evidence::new("kind", "worker", "clojure.listens-nowhere"));
        return;
    };
    let evidence = Evidence::new("kind", "web", "clojure.listens").written(call);
    draft
        .evidence
        .push(evidence.at(&file.path, Some(file.source.line(at))));
    let port = files.iter().find_map(|file| {
        let at = file.source.find(":port")?;
        // Its default may stand on the line of the variable.
        let value = file.source.number_after(at, 80).or_else(|| {
            let strings = file.source.strings.iter();
            strings
                .filter(|(place, _)| *place > at && *place - at < 120)
                .find_map(|(_, text)| source::port(text))
        })?;
        Some(Fact {
            value,
            file: file.path.clone(),
            line: file.source.line(at),
        })
    });
    match port {
        Some(port) => draft.listens_on(&port, "clojure.port-in-code"),
        None if files
            .iter()
            .any(|file| file.source.strings.iter().any(|(_, text)| text == "PORT")) =>
        {
            draft.is_given_port(8080);
        }
        None => {}
    }
    if let Some(health) = source::health(&files) {
        draft.answers(&health);
    }
}

fn leiningen(scan: &mut Scan<'_>, dir: Dir<'_>) {
    let Some(manifest) = Manifest::read(dir, "project.clj") else {
        return;
    };
    let main = manifest
        .symbol(":main")
        .or_else(|| manifest.symbol(":handler"));
    let Some(main) = main else {
        scan.reject(
            dir.path(),
            LOOKS_LIKE,
            "it is a library: `project.clj` names no `:main`",
        );
        return;
    };
    let is_ring = manifest.keyword(":main").is_none();
    let task = if is_ring {
        "lein ring uberjar"
    } else {
        "lein uberjar"
    };
    let name = manifest.string(":uberjar-name");
    let mut draft = Draft::new(dir.path(), Kind::Web, "clojure", "leiningen");
    let project = manifest
        .source
        .code
        .split_once("defproject")
        .map(|(_, rest)| rest);
    let project = project
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap_or_default();
    draft.fallback = Some(project.rsplit('/').next().unwrap_or_default().to_owned());
    draft.evidence.push(
        Evidence::new("entry", &main.value, "leiningen.main").at(&main.file, Some(main.line)),
    );
    let mut commands = vec![task.to_owned()];
    let jar = match name {
        Some(name) => format!("target/{}", name.value),
        None => {
            commands.push(format!(
                "mkdir -p {OUT}; cp target/*-standalone.jar {OUT}/app.jar"
            ));
            format!("{OUT}/app.jar")
        }
    };
    draft.spec.build.install.files = vec![crate::detect::provider::literal_glob(&manifest.file)];
    draft.spec.build.cache = vec!["/root/.m2/repository".to_owned()];
    finish(
        scan,
        draft,
        &manifest,
        ("leiningen", "Leiningen"),
        commands,
        &jar,
    );
}

fn tools_build(scan: &mut Scan<'_>, dir: Dir<'_>) {
    let Some(manifest) = Manifest::read(dir, "deps.edn") else {
        return;
    };
    let Some(build) = Manifest::read(dir, "build.clj") else {
        scan.reject(
            dir.path(),
            LOOKS_LIKE,
            "it is a library or a set of scripts: it has no `build.clj`",
        );
        return;
    };
    let task = ["uber", "uberjar", "ci"].into_iter().find_map(|name| {
        let at = build.source.find(&format!("defn {name}"))?;
        Some(build.fact(at, name))
    });
    let Some(task) = task else {
        scan.reject(
            dir.path(),
            LOOKS_LIKE,
            "it is a library: `build.clj` makes no uberjar",
        );
        return;
    };
    let mut draft = Draft::new(dir.path(), Kind::Web, "clojure", "tools.build");
    let main = build.symbol(":main");
    let name = main.as_ref().and_then(|main| main.value.split('.').next());
    draft.fallback = name.map(str::to_owned);
    let entry = main.as_ref().unwrap_or(&task);
    draft.evidence.push(
        Evidence::new("entry", &entry.value, "tools-build.uber").at(&entry.file, Some(entry.line)),
    );
    let jar = build.string(":uber-file");
    let mut commands = vec![format!("clojure -T:build {}", task.value)];
    let jar = match jar {
        Some(jar) => jar.value,
        None => {
            commands.push(format!("mkdir -p {OUT}; cp target/*.jar {OUT}/app.jar"));
            format!("{OUT}/app.jar")
        }
    };
    draft.spec.build.install.files = vec![crate::detect::provider::literal_glob(&manifest.file)];
    draft.spec.build.install.commands = vec!["clojure -P".to_owned()];
    draft.spec.build.cache = vec![
        "/root/.gitlibs".to_owned(),
        "/root/.m2/repository".to_owned(),
    ];
    finish(
        scan,
        draft,
        &manifest,
        ("clojure", "the Clojure command line"),
        commands,
        &jar,
    );
}

/// The rest, which is decided by whether the index has the tool.
fn finish(
    scan: &mut Scan<'_>,
    mut draft: Draft,
    manifest: &Manifest,
    (package, tool): (&str, &str),
    commands: Vec<String>,
    jar: &str,
) {
    describe(scan, &mut draft);
    draft.spec.build.commands = commands;
    draft.spec.metadata.confidence = Some(90);
    let entry = draft
        .evidence
        .first()
        .map(|found| found.value.clone())
        .unwrap_or_default();
    draft.spec.metadata.reasoning =
        Some(format!("`{}` makes a program of `{entry}`", manifest.file));
    draft.spec.runtime.copy = vec![Copy {
        from: jar.to_owned(),
        to: "app.jar".to_owned(),
    }];
    let java = [JAVA, "-XX:MaxRAMPercentage=75", "-jar", "/app/app.jar"];
    draft.spec.runtime.command = java.map(str::to_owned).into();
    let mut asked = java::sources(scan, &draft.path);
    asked.extend(java::system_properties(scan, &draft.path));
    let jdk = match java::choose(scan, &manifest.file, &asked, 8) {
        Ok(jdk) => jdk,
        Err(problem) => {
            scan.refuse(draft, problem);
            return;
        }
    };
    draft.evidence.push(jdk.evidence.clone());
    draft.spec.build.packages = vec![jdk.kit.clone()];
    draft.spec.runtime.packages = vec![jdk.runtime.clone()];
    match scan.catalog.package(package) {
        Some(found) => {
            draft.spec.build.packages.push(found);
            scan.drafts.push(draft);
        }
        None => {
            let message = format!("{tool} is not packaged: the index has no `{package}`");
            let problem = Problem::new(&manifest.file, None, message);
            scan.refuse(
                draft,
                problem.help("describe the build in `peelbox.yaml` with tools of your own"),
            );
        }
    }
}
