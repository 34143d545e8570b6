//! Ruby: Bundler, with Rails, Sinatra, Hanami and other apps of Rack.
//!
//! Gems are installed into one directory, which has the same path in the image. Bootsnap is not warmed up by the build: its keys
//! hold the path and the time of every file, and both differ in the image. Rails writes its process id, caches and
//! uploads below directories of its own, so these belong to the user that the image runs as.

mod build;
mod gemfile;
mod image;
mod native;
mod requirement;
mod start;

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan, unavailable};
use crate::detect::repo::resolve;
use crate::detect::version::{self, Chosen, Source, Tool};
use crate::spec::Kind;
use crate::wolfi::Pattern;

use gemfile::{Gemfile, Lock};
use start::Start;

pub(crate) struct Ruby;

const TOOL: Tool = Tool {
    name: "Ruby",
    asdf: &["ruby"],
    prefix: "ruby-",
    numbers: 2,
    default: Some("ruby"),
    read: requirement::read,
};

const LOOKS_LIKE: &str = "a Ruby project";

/// Where gems are, in the build and in the image.
const BUNDLE: &str = "/usr/local/bundle";

/// Frameworks, by gem; what is built upon another one comes first.
const FRAMEWORKS: &[&str] = &["rails", "hanami", "sinatra", "roda", "grape"];

/// Generators of sites: their directories are not apps of Ruby.
const GENERATORS: &[&str] = &["bridgetown", "jekyll", "middleman", "nanoc"];

const LANGUAGE: Language = Language {
    name: "Ruby",
    build_systems: &["bundler"],
    frameworks: &["grape", "hanami", "rails", "roda", "sinatra"],
    manifests: &["Gemfile", "config.ru", "gems.rb"],
};

/// A directory of Ruby.
struct Project {
    dir: String,
    /// The file that stands for it in messages.
    file: String,
    gemfile: Option<Gemfile>,
    lock: Option<Lock>,
    framework: Option<&'static str>,
    has_rackup: bool,
    /// Directories of gems that lie in the repository.
    paths: BTreeSet<String>,
    /// The directories of other projects.
    others: Vec<String>,
}

impl Project {
    /// The place of a gem that the app runs with; of one that only another gem needs, the lock file's.
    fn gem(&self, name: &str) -> Option<Evidence> {
        let gemfile = self.gemfile.as_ref()?;
        let found = Evidence::new("gem", name, "ruby.gem").written(name);
        match gemfile.gems.get(name) {
            Some(gem) if gem.is_development => None,
            Some(gem) => Some(found.at(&gemfile.file, Some(gem.line))),
            None => {
                let lock = self.lock.as_ref()?;
                let (_, line) = lock.gems.get(name)?;
                Some(found.at(&lock.file, Some(*line)))
            }
        }
    }

    /// Whether the lock file has a gem as it was compiled by its makers.
    fn is_precompiled(&self, name: &str) -> bool {
        let gem = self.lock.as_ref().and_then(|lock| lock.gems.get(name));
        gem.is_some_and(|(versions, _)| {
            versions
                .iter()
                .any(|version| version.contains("-linux") && !version.ends_with("-musl"))
        })
    }

    /// The version of a gem that the lock file has.
    fn locked(&self, name: &str) -> Option<Vec<u64>> {
        let (versions, _) = self.lock.as_ref()?.gems.get(name)?;
        versions.first().map(|version| version::numbers(version))
    }

    fn has_gems(&self) -> bool {
        match (&self.lock, &self.gemfile) {
            (Some(lock), _) => lock.has_remote,
            (None, Some(gemfile)) => gemfile.gems.values().any(|gem| gem.path.is_none()),
            (None, None) => false,
        }
    }
}

impl Provider for Ruby {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let dirs = scan.dirs_with(LANGUAGE.manifests);
        let dirs: Vec<String> = dirs.iter().map(|dir| dir.path().to_owned()).collect();
        for path in &dirs {
            let Some(project) = project(scan, path, &dirs) else {
                continue;
            };
            let is_site = GENERATORS.iter().any(|name| project.gem(name).is_some());
            let dir = scan.repo.dir(path);
            if is_site && !dir.is_some_and(|dir| dir.has("config.ru")) {
                other_site(scan, &project);
                continue;
            }
            if passed_over(scan, path, LOOKS_LIKE, false) {
                continue;
            }
            let gemspec = dir.and_then(|dir| {
                let is_gemspec = |name: &&crate::detect::repo::Name| name.ends_with(".gemspec");
                dir.files().iter().find(is_gemspec)
            });
            let is_named = !scan.hints(path).processes.is_empty();
            if let Some(gemspec) = gemspec.filter(|_| !is_named) {
                scan.reject(
                    path,
                    LOOKS_LIKE,
                    format!("it is a gem: `{gemspec}` describes it"),
                );
                continue;
            }
            app(scan, &project);
        }
    }
}

/// Says which generator builds a site that nothing else here knows of; Jekyll has rules of its own.
fn other_site(scan: &mut Scan<'_>, project: &Project) {
    let others = GENERATORS.iter().filter(|name| **name != "jekyll");
    let found = others.filter_map(|name| project.gem(name)).next();
    if let Some(gem) = found.filter(|_| project.gem("jekyll").is_none()) {
        let reason = format!(
            "`{}` builds a site of it, and how is not known: its files can be built elsewhere and served as they are",
            gem.value
        );
        scan.reject(&project.dir, "a site generated by Ruby", reason);
    }
}

fn project(scan: &Scan<'_>, path: &str, dirs: &[String]) -> Option<Project> {
    let dir = scan.repo.dir(path)?;
    let gemfile = Gemfile::read(dir);
    let lock = gemfile.as_ref().and_then(|_| Lock::read(dir, scan.repo));
    let own = gemfile.iter().flat_map(|gemfile| gemfile.gems.values());
    let own = own.filter_map(|gem| gem.path.clone());
    let locked = lock.iter().flat_map(|lock| lock.paths.iter().cloned());
    let paths = own
        .chain(locked)
        .filter_map(|to| resolve(path, &to))
        .filter(|to| to != path && !to.is_empty())
        .collect();
    let file = match &gemfile {
        Some(gemfile) => gemfile.file.clone(),
        None => dir.join(dir.first(&["Gemfile", "gems.rb", "config.ru"])?),
    };
    let mut project = Project {
        dir: path.to_owned(),
        file,
        gemfile,
        lock,
        framework: None,
        has_rackup: dir.has("config.ru"),
        paths,
        others: dirs
            .iter()
            .filter(|other| *other != path)
            .cloned()
            .collect(),
    };
    project.framework = FRAMEWORKS
        .iter()
        .find(|name| {
            let asked = project
                .gemfile
                .as_ref()
                .and_then(|gemfile| gemfile.gems.get(**name));
            asked.is_some_and(|gem| !gem.is_development)
        })
        .copied();
    Some(project)
}

fn app(scan: &mut Scan<'_>, project: &Project) {
    let found = match start::find(scan, project) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => {
            let reason = "nothing starts it: it has no `config.ru`, no Procfile and no program, so it holds a library or tools";
            scan.reject(&project.dir, LOOKS_LIKE, reason);
            return;
        }
        Err(refused) => Err(refused),
    };
    let kind = found.as_ref().map_or(Kind::Web, |start| start.kind);
    let mut draft = Draft::new(&project.dir, kind, "ruby", "bundler");
    let manifest = Evidence::new("build_system", "bundler", "ruby.manifest");
    draft.evidence.push(manifest.at(&project.file, None));
    if let Some(name) = project.framework {
        draft.spec.metadata.framework = Some(name.to_owned());
        let gem = project.gem(name).map(|mut gem| {
            "framework".clone_into(&mut gem.field);
            gem
        });
        draft.evidence.extend(gem);
    }
    let start = match found {
        Ok(start) => start,
        Err(refused) => {
            let problem = Problem::new(&refused.file, refused.line, refused.reason);
            scan.refuse(draft, problem.help(refused.help));
            return;
        }
    };
    match parts(scan, project, start, &mut draft) {
        Ok(()) => scan.drafts.push(draft),
        Err(problem) => scan.refuse(draft, problem),
    }
}

fn parts(
    scan: &mut Scan<'_>,
    project: &Project,
    start: Start,
    draft: &mut Draft,
) -> Result<(), Problem> {
    draft.spec.metadata.confidence = Some(start.confidence);
    draft.spec.metadata.reasoning = Some(start.reason.clone());
    draft.evidence.push(start.evidence.clone());
    if start.kind == Kind::Web {
        match &start.port {
            Some(port) => {
                draft.listens_on(port, "ruby.port");
                let port = port.value.to_string();
                draft.spec.runtime.env.insert("PORT".to_owned(), port);
            }
            None => draft.is_given_port(start.usual_port),
        }
    }
    let chosen = toolchain(scan, project).map_err(|error| unavailable(&project.file, error))?;
    draft.evidence.push(chosen.evidence.clone());
    supported(project)?;
    let native = native::find(scan, project);
    for (missing, place) in &native.missing {
        let file = place.file.as_deref().unwrap_or(&project.file);
        let message = format!(
            "the gem `{}` needs `{missing}`, which is not packaged",
            place.value
        );
        scan.warn(file, place.line, message);
    }
    draft.evidence.extend(native.evidence.clone());
    build::build(scan, project, &chosen, &native, draft)?;
    image::run(scan, project, &start, &chosen, &native, draft);
    image::processes(scan, project, &start, draft);
    Ok(())
}

/// What no build could do.
fn supported(project: &Project) -> Result<(), Problem> {
    if let Some(gemfile) = &project.gemfile
        && let Some((engine, line)) = &gemfile.engine
    {
        let message = format!("`{engine}` is not packaged: only Ruby itself is");
        return Err(Problem::new(&gemfile.file, Some(*line), message));
    }
    let Some(lock) = &project.lock else {
        return Ok(());
    };
    let serves = |platform: &str| {
        platform == "ruby" || (platform.contains("-linux") && !platform.ends_with("-musl"))
    };
    if lock.platforms.iter().any(|(platform, _)| serves(platform)) || lock.platforms.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = lock
        .platforms
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let line = lock.platforms.first().map(|(_, line)| *line);
    let message = format!(
        "locks gems for {} only, and not for Linux",
        names.join(", ")
    );
    Err(Problem::new(&lock.file, line, message)
        .help("run `bundle lock --add-platform x86_64-linux aarch64-linux`"))
}

/// The version: `.tool-versions`, `.ruby-version`, what the lock file notes, the Gemfile.
fn toolchain(scan: &mut Scan<'_>, project: &Project) -> Result<Chosen, version::Unavailable> {
    let mut sources = Vec::new();
    if let Some(dir) = scan.repo.dir(&project.dir) {
        sources.extend(scan.tool_versions(dir, &TOOL));
        sources.extend(version::version_files(dir, &[".ruby-version"]));
    }
    let gemfile = project.gemfile.as_ref();
    let asked = gemfile.and_then(|gemfile| Some((&gemfile.file, gemfile.ruby.as_ref()?)));
    let lock = project.lock.as_ref();
    let locked = lock.and_then(|lock| Some((&lock.file, lock.ruby.as_ref()?)));
    // The Ruby that the gems were locked with is the best of those that the Gemfile allows.
    let serves = locked.is_some_and(|(_, (text, _))| serves(scan, project, text));
    let locked = locked
        .filter(|_| serves)
        .map(|found| (found, "version.lock"));
    let asked = asked.map(|found| (found, "version.gemfile"));
    for ((file, (text, line)), rule) in locked.into_iter().chain(asked) {
        sources.push(Source {
            text: text.clone(),
            file: file.clone(),
            line: Some(*line),
            rule,
        });
    }
    let mut chosen = scan.toolchain(&TOOL, &sources)?;
    if let Some(written) = &mut chosen.evidence.written
        && chosen.evidence.rule == "version.gemfile"
    {
        // Several requirements stand in strings of their own.
        written.truncate(written.find(',').unwrap_or(written.len()));
    }
    Ok(chosen)
}

/// Whether the stream of a locked Ruby is maintained, and allowed by the Gemfile.
fn serves(scan: &Scan<'_>, project: &Project, locked: &str) -> bool {
    let numbers = version::numbers(locked);
    let streams = scan
        .catalog
        .streams(&Pattern::new(TOOL.prefix, TOOL.numbers, ""));
    let stream = streams
        .iter()
        .find(|stream| stream.status.is_maintained() && numbers.starts_with(&stream.numbers));
    let asked = project
        .gemfile
        .as_ref()
        .and_then(|gemfile| gemfile.ruby.as_ref());
    let range = asked.and_then(|(text, _)| requirement::parse(text).ok());
    stream.is_some_and(|stream| {
        let newest = version::numbers(stream.newest.upstream());
        range.is_none_or(|range| range.holds(&newest))
    })
}
