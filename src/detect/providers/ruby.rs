//! Ruby: Bundler, with Rails, Sinatra, Hanami and other apps of Rack.
//!
//! Gems are installed into one directory, which has the same path in the image. Bootsnap is not warmed up by the build: its keys
//! hold the path and the time of every file, and both differ in the image. Rails writes its process id, caches and
//! uploads below directories of its own, so these belong to the user that the image runs as.

mod gemfile;
mod native;
mod requirement;
mod start;

use std::collections::BTreeSet;

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{
    Draft, Problem, Provider, Scan, literal_glob, tree_glob, unavailable,
};
use crate::detect::repo::{is_within, join, resolve};
use crate::detect::source::{self, Family};
use crate::detect::version::{self, Chosen, Source, Tool};
use crate::spec::{Copy, Health, Kind};
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

/// Names that are not shipped.
const LEFT_OUT: &[&str] = &[
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "Makefile",
    "Procfile",
    "Procfile.dev",
    "README.md",
    "app.json",
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docs",
    "examples",
    "log",
    "node_modules",
    "package-lock.json",
    "package.json",
    "peelbox.yaml",
    "pnpm-lock.yaml",
    "spec",
    "storage",
    "test",
    "tmp",
    "universalbuild.json",
    "universalbuild.yaml",
    "yarn.lock",
];

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
                let is_gemspec = |name: &&String| name.ends_with(".gemspec");
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
    build(scan, project, &chosen, &native, draft)?;
    run(scan, project, &start, &chosen, &native, draft);
    processes(scan, project, &start, draft);
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

/// The command that keeps Bundler from refusing the release of Ruby that is packaged, where the Gemfile pins another one.
fn relax(
    scan: &mut Scan<'_>,
    project: &Project,
    chosen: &Chosen,
) -> Result<Option<String>, Problem> {
    let Some(gemfile) = &project.gemfile else {
        return Ok(None);
    };
    let packaged = chosen.stream.newest.upstream();
    let numbers = version::numbers(packaged);
    let (line, wanted) = match (&gemfile.ruby, gemfile.ruby_file) {
        (Some((text, line)), _) => match requirement::parse(text) {
            Ok(range) if !range.holds(&numbers) => (*line, text.clone()),
            _ => return Ok(None),
        },
        (None, Some(line)) => {
            let wanted = chosen.evidence.written.clone().unwrap_or_default();
            if wanted.trim_start_matches("ruby-") == packaged {
                return Ok(None);
            }
            (line, wanted)
        }
        (None, None) => return Ok(None),
    };
    let wanted_numbers = version::numbers(wanted.trim_start_matches(|c: char| !c.is_ascii_digit()));
    if !wanted_numbers.starts_with(&chosen.stream.numbers) {
        let message = format!(
            "asks for Ruby `{wanted}`, but {packaged} was chosen, and Bundler would refuse it"
        );
        return Err(Problem::new(&gemfile.file, Some(line), message)
            .help("let the Gemfile and the version file agree"));
    }
    let message = format!(
        "pins Ruby `{wanted}`; the build runs with {packaged}, and disables this line for it"
    );
    scan.warn(&gemfile.file, Some(line), message);
    let name = gemfile.file.rsplit('/').next().unwrap_or("Gemfile");
    Ok(Some(format!("sed -i '{line}s/^/# /' {name}")))
}

fn build(
    scan: &mut Scan<'_>,
    project: &Project,
    chosen: &Chosen,
    native: &native::Native,
    draft: &mut Draft,
) -> Result<(), Problem> {
    if let Some(gemfile) = &project.gemfile {
        bundler(scan, project, gemfile, chosen, native, draft)?;
    }
    if let Some(assets) = super::node::assets(scan, &project.dir, LOOKS_LIKE)? {
        draft.with_assets(assets);
        if project.gem("jsbundling-rails").is_some() {
            // They are there already, and built.
            let env = &mut draft.spec.build.env;
            env.insert("SKIP_JS_BUILD".to_owned(), "1".to_owned());
            env.insert("SKIP_YARN_INSTALL".to_owned(), "1".to_owned());
        }
    }
    precompile(project, draft);
    if !project.dir.is_empty() {
        let build = &mut draft.spec.build;
        let own = tree_glob(&project.dir);
        let inside = own.trim_end_matches("**");
        let mut context: BTreeSet<String> = build.install.files.iter().cloned().collect();
        context.retain(|glob| !glob.starts_with(inside));
        context.insert(own.clone());
        build.context = context.into_iter().collect();
    }
    Ok(())
}

fn bundler(
    scan: &mut Scan<'_>,
    project: &Project,
    gemfile: &Gemfile,
    chosen: &Chosen,
    native: &native::Native,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let ruby = &chosen.stream.package;
    let bundler = bundler_package(scan, chosen).ok_or_else(|| {
        Problem::new(
            &project.file,
            None,
            format!("Bundler is not packaged for `{ruby}`"),
        )
    })?;
    let relaxed = relax(scan, project, chosen)?;
    let build = &mut draft.spec.build;
    build.packages = vec![ruby.clone(), bundler];
    if project.has_gems() {
        let names = [
            format!("{ruby}-dev"),
            "build-base".to_owned(),
            "pkgconf".to_owned(),
        ];
        build
            .packages
            .extend(names.iter().filter_map(|name| scan.catalog.package(name)));
        build.packages.extend(native.build.iter().cloned());
    }
    let has_git = project.lock.as_ref().is_some_and(|lock| lock.has_git);
    if has_git || gemfile.gems.values().any(|gem| gem.is_git) {
        build.packages.extend(scan.catalog.package("git"));
    }
    build.packages.sort();
    build.packages.dedup();
    let mut files = vec![literal_glob(&gemfile.file)];
    let mut env = settings();
    match &project.lock {
        Some(lock) => {
            files.push(literal_glob(&lock.file));
            env.push(("BUNDLE_DEPLOYMENT", "1"));
        }
        None => {
            let message = "has no lock file: the build takes whatever versions are newest";
            scan.warn(&gemfile.file, None, message);
        }
    }
    let dir = scan.repo.dir(&project.dir);
    for name in [".ruby-version", ".tool-versions"] {
        files.extend(
            dir.filter(|dir| dir.has(name))
                .map(|dir| literal_glob(&dir.join(name))),
        );
    }
    files.extend(project.paths.iter().map(|dir| tree_glob(dir)));
    build.install.files = files;
    build.install.commands = relaxed.iter().cloned().collect();
    build.install.commands.push("bundle install".to_owned());
    // A place for programs that does not name the release of Ruby.
    build.install.commands.push(format!(
        "mkdir -p {BUNDLE} && cd {BUNDLE} && if [ -d ruby ]; then ln -sfn ruby/*/bin bin; fi"
    ));
    build.commands = relaxed.into_iter().collect();
    build.cache = vec!["/root/.bundle/cache".to_owned()];
    env.push(("BUNDLE_GLOBAL_GEM_CACHE", "true"));
    build.env.extend(owned(&env));
    Ok(())
}

/// Bundler's settings, at build and at run time; it is to be the packaged one, whatever wrote the lock file.
fn settings() -> Vec<(&'static str, &'static str)> {
    vec![
        ("BUNDLE_PATH", BUNDLE),
        ("BUNDLE_VERSION", "system"),
        ("BUNDLE_WITHOUT", "development:test"),
    ]
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn bundler_package(scan: &Scan<'_>, chosen: &Chosen) -> Option<String> {
    let name = format!("ruby{}-bundler", chosen.stream.name);
    scan.catalog.has(&name).then_some(name)
}

/// The assets of Rails and Hanami, where a gem makes some.
fn precompile(project: &Project, draft: &mut Draft) {
    let pipeline = [
        "sprockets-rails",
        "propshaft",
        "sprockets",
        "vite_rails",
        "shakapacker",
    ]
    .iter()
    .find_map(|name| project.gem(name));
    let command = match (project.framework, &pipeline) {
        (Some("rails"), Some(_)) => {
            // Before 7.1 Rails knows of no dummy.
            let knows_dummy = project
                .locked("rails")
                .is_none_or(|version| version >= vec![7, 1]);
            let key = if knows_dummy {
                "SECRET_KEY_BASE_DUMMY"
            } else {
                "SECRET_KEY_BASE"
            };
            format!("{key}=1 RAILS_ENV=production bundle exec rails assets:precompile")
        }
        (Some("hanami"), _) if project.gem("hanami-assets").is_some() => {
            "HANAMI_ENV=production bundle exec hanami assets compile".to_owned()
        }
        _ => return,
    };
    if let Some(gem) = pipeline.or_else(|| project.gem("hanami-assets")) {
        let mut found = gem;
        "assets".clone_into(&mut found.field);
        found.value.clone_from(&command);
        "ruby.assets".clone_into(&mut found.rule);
        draft.evidence.push(found);
    }
    draft.spec.build.commands.push(command);
}

fn run(
    scan: &mut Scan<'_>,
    project: &Project,
    start: &Start,
    chosen: &Chosen,
    native: &native::Native,
    draft: &mut Draft,
) {
    let mut packages = vec![chosen.stream.package.clone()];
    packages.extend(
        project
            .gemfile
            .as_ref()
            .and_then(|_| bundler_package(scan, chosen)),
    );
    for name in ["ca-certificates-bundle", "tzdata"] {
        packages.extend(scan.catalog.package(name));
    }
    packages.extend(native.runtime.iter().cloned());
    packages.sort();
    packages.dedup();
    let writable: &[&str] = if project.framework == Some("rails") {
        &[
            "log",
            "storage",
            "tmp",
            "tmp/cache",
            "tmp/pids",
            "tmp/sockets",
        ]
    } else {
        &[]
    };
    if start.kind == Kind::Web {
        let files = source::own(
            scan.repo,
            &project.dir,
            &project.others,
            &["rb", "ru"],
            Family::Ruby,
        );
        answers(&files, draft);
    }
    for dir in writable {
        let found = Evidence::new("writable", *dir, "ruby.rails-writes");
        draft.evidence.push(found);
    }
    let runtime = &mut draft.spec.runtime;
    runtime.writable = writable.iter().map(|dir| (*dir).to_owned()).collect();
    runtime.packages = packages;
    runtime.env.extend(owned(&environment(project)));
    runtime.command.clone_from(&start.command);
    runtime.copy = shipped(scan, project);
}

fn environment(project: &Project) -> Vec<(&'static str, &'static str)> {
    let mut env = vec![
        ("APP_ENV", "production"),
        ("LANG", "C.UTF-8"),
        ("RACK_ENV", "production"),
    ];
    if project.gemfile.is_some() {
        env.extend(settings());
        // Nothing is to be written at a start, not even the lock file that the build made.
        let is_locked = project.lock.is_some();
        env.push((
            if is_locked {
                "BUNDLE_DEPLOYMENT"
            } else {
                "BUNDLE_FROZEN"
            },
            "1",
        ));
    }
    let own: &[(&str, &str)] = match project.framework {
        Some("rails") => &[
            ("BOOTSNAP_READONLY", "1"),
            ("RAILS_ENV", "production"),
            ("RAILS_LOG_TO_STDOUT", "1"),
            ("RAILS_SERVE_STATIC_FILES", "1"),
        ],
        Some("hanami") => &[
            ("HANAMI_ENV", "production"),
            ("HANAMI_SERVE_ASSETS", "true"),
        ],
        _ => &[],
    };
    env.extend(own);
    env
}

/// Declares the route that answers; Rails writes its own without the slash: `get "up" => "rails/health#show"`.
fn answers(files: &[source::File], draft: &mut Draft) {
    let routes = files
        .iter()
        .find(|file| file.path.ends_with("config/routes.rb"));
    let rails = routes.and_then(|file| {
        let (at, _) = file.source.strings.iter().find(|(_, text)| text == "up")?;
        Some((file, file.source.line(*at)))
    });
    let Some((file, line)) = rails else {
        if let Some(health) = source::health(files) {
            draft.answers(&health);
        }
        return;
    };
    draft.spec.runtime.health = Some(Health {
        endpoint: "/up".to_owned(),
    });
    let found = Evidence::new("health", "/up", "ruby.rails-health").written("up");
    draft.evidence.push(found.at(&file.path, Some(line)));
}

fn shipped(scan: &Scan<'_>, project: &Project) -> Vec<Copy> {
    let Some(dir) = scan.repo.dir(&project.dir) else {
        return Vec::new();
    };
    let is_wanted = |name: &&String| {
        let is_hidden = name.starts_with('.') && *name != ".ruby-version";
        !is_hidden && !LEFT_OUT.contains(&name.as_str()) && !source::is_test_file(name)
    };
    let is_other = |name: &&String| {
        let path = dir.join(name);
        let holds = |other: &String| is_within(other, &path);
        project.others.iter().any(holds) && !project.paths.iter().any(holds)
    };
    let mut names: BTreeSet<String> = dir.files().iter().filter(is_wanted).cloned().collect();
    let dirs = dir.dirs().iter().filter(is_wanted);
    names.extend(dirs.filter(|name| !is_other(name)).cloned());
    if scan.repo.has_pruned(&dir.join("vendor")) {
        names.insert("vendor".to_owned());
    }
    if project.gemfile.is_some() && project.lock.is_none() {
        // Bundler writes it, and reads it again at every start.
        names.insert("Gemfile.lock".to_owned());
    }
    let mut copies: Vec<Copy> = names
        .into_iter()
        .map(|name| Copy {
            from: name.clone(),
            to: name,
        })
        .collect();
    if project.gemfile.is_some() {
        copies.push(Copy {
            from: BUNDLE.to_owned(),
            to: BUNDLE.to_owned(),
        });
    }
    copies
}

/// The other processes of the Procfile, and the migrations of Rails.
fn processes(scan: &mut Scan<'_>, project: &Project, start: &Start, draft: &mut Draft) {
    let hints = scan.hints(&project.dir);
    for (name, line) in hints.processes.iter().filter(|(name, _)| *name != "web") {
        match start::resolve(scan, project, &line.value, start.usual_port) {
            Ok(argv) if argv != start.command => {
                let found = Evidence::new("process", argv.join(" "), "hint.procfile");
                let found = found.written(&line.value).at(&line.file, Some(line.line));
                draft.evidence.push(found);
                draft.spec.runtime.processes.insert(name.clone(), argv);
            }
            Ok(_) => {}
            Err(reason) => {
                let message = format!("the process `{name}` is left out: {reason}");
                scan.warn(&line.file, Some(line.line), message);
            }
        }
    }
    let migrations = join(&project.dir, "db/migrate");
    let has_migrations = scan
        .repo
        .dir(&migrations)
        .is_some_and(|dir| !dir.files().is_empty());
    let has_program = scan.repo.has(&join(&project.dir, "bin/rails"));
    let processes = &mut draft.spec.runtime.processes;
    if project.framework == Some("rails")
        && has_migrations
        && has_program
        && !processes.contains_key("release")
    {
        let argv = [start::RUBY, "/app/bin/rails", "db:migrate"]
            .map(str::to_owned)
            .to_vec();
        let mut found = Evidence::new("process", argv.join(" "), "ruby.migrations");
        found.note =
            Some("it is run once before a release, never by the build or at start".to_owned());
        draft.evidence.push(found.at(&migrations, None));
        processes.insert("release".to_owned(), argv);
    }
}
