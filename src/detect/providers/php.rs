//! PHP: Composer projects, and plain pages.
//!
//! What answers HTTP, and why, is said in `server`. Laravel's configuration is never cached by the build: that would freeze the
//! key and the environment of the machine that builds. Sessions, views and caches are written at run time, so their
//! directories belong to the user that the image runs as.

mod constraint;
mod extensions;
mod process;
mod project;
mod server;

use std::collections::BTreeSet;

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{
    Draft, Problem, Provider, Scan, literal_glob, shown, tree_glob, unavailable,
};
use crate::detect::repo::join;
use crate::detect::source;
use crate::detect::version::{self, Chosen, Tool};
use crate::spec::{Copy, Kind};

use extensions::{Extensions, Packages, package};
use project::Project;

pub(crate) struct Php;

const TOOL: Tool = Tool {
    name: "PHP",
    asdf: &["php"],
    prefix: "php-",
    numbers: 2,
    default: Some("php"),
    read: constraint::read,
};

const LOOKS_LIKE: &str = "a PHP project";

/// What Composer itself needs, and what makes it quick.
const COMPOSERS: &[&str] = &[
    "ctype", "curl", "iconv", "mbstring", "openssl", "phar", "zip",
];

const LANGUAGE: Language = Language {
    name: "PHP",
    build_systems: &["composer", "php"],
    frameworks: &[
        "cakephp",
        "codeigniter",
        "drupal",
        "laravel",
        "slim",
        "symfony",
        "wordpress",
        "yii",
    ],
    manifests: &["composer.json", "index.php"],
};

impl Provider for Php {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let dirs = project::dirs(scan);
        for dir in &dirs {
            let Some(project) = project::read(scan, dir, &dirs) else {
                continue;
            };
            if passed_over(scan, dir, LOOKS_LIKE, false) {
                continue;
            }
            match project::start(scan, &project) {
                Ok(start) => app(scan, &project, start),
                Err(reason) => scan.reject(dir, LOOKS_LIKE, reason),
            }
        }
    }
}

/// What runs the app.
pub(super) struct Start {
    kind: Kind,
    /// How its pages are served, where it has some.
    site: Option<server::Site>,
    /// What is run where nothing is served.
    command: Vec<String>,
    evidence: Evidence,
    reason: String,
    confidence: u8,
}

fn app(scan: &mut Scan<'_>, project: &Project, start: Start) {
    let build_system = if project.manifest.is_some() {
        "composer"
    } else {
        "php"
    };
    let mut draft = Draft::new(&project.dir, start.kind, "php", build_system);
    draft.fallback = project.name();
    let found = Evidence::new("build_system", build_system, "php.manifest");
    draft.evidence.push(found.at(&project.file, None));
    describe(&mut draft, project, &start);
    match parts(scan, project, &start, &mut draft) {
        Ok(()) => scan.drafts.push(draft),
        Err(problem) => scan.refuse(draft, problem),
    }
}

fn describe(draft: &mut Draft, project: &Project, start: &Start) {
    let metadata = &mut draft.spec.metadata;
    metadata.framework = project.framework.map(|framework| framework.name.to_owned());
    metadata.confidence = Some(start.confidence);
    metadata.reasoning = Some(start.reason.clone());
    draft.evidence.push(start.evidence.clone());
    draft.evidence.extend(project.framework_evidence.clone());
    if start.site.is_some() {
        draft.is_given_port(server::PORT);
        let mut server = Evidence::new("server", "Apache with PHP as its module", "php.server");
        server.note = Some("one program that answers HTTP: PHP-FPM would need a second one in front of it and a supervisor over both, and `php -S` is a development server".to_owned());
        draft.evidence.push(server);
    }
}

fn parts(
    scan: &mut Scan<'_>,
    project: &Project,
    start: &Start,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let chosen = toolchain(scan, project).map_err(|error| unavailable(&project.file, error))?;
    draft.evidence.push(chosen.evidence.clone());
    let base = project.framework.map_or(&[][..], |found| found.extensions);
    let php = chosen.stream.package.clone();
    let extensions = Extensions::find(scan, project, base).packages(scan, &php);
    draft.evidence.extend(extensions.evidence.clone());
    if let Some((name, evidence)) = extensions.missing.first() {
        let file = evidence.file.as_deref().unwrap_or(&project.file);
        let message = format!("the PHP extension `{name}` is not packaged for `{php}`");
        return Err(Problem::new(file, evidence.line, message).help(format!(
            "do without `ext-{name}`, or build the image with a Dockerfile that compiles it"
        )));
    }
    build(scan, project, start, &chosen, &extensions, draft)?;
    run(scan, project, start, &php, &extensions, draft)?;
    process::add(scan, project, start, draft);
    Ok(())
}

/// The version: `.tool-versions`, `.php-version`, then Composer's `config.platform.php`, `require.php` and lock file.
fn toolchain(scan: &mut Scan<'_>, project: &Project) -> Result<Chosen, version::Unavailable> {
    let mut sources = Vec::new();
    if let Some(dir) = scan.repo.dir(&project.dir) {
        sources.extend(scan.tool_versions(dir, &TOOL));
        sources.extend(version::version_files(dir, &[".php-version"]));
    }
    let mut from = |document: Option<&Document>, keys: &[&str], rule: &'static str| {
        sources.extend(document.and_then(|document| version::manifest(document, keys, rule)));
    };
    let manifest = project.manifest.as_deref();
    let lock = project.lock.as_ref();
    from(manifest, &["config", "platform", "php"], "version.platform");
    from(manifest, &["require", "php"], "version.composer");
    from(lock, &["platform-overrides", "php"], "version.platform");
    from(lock, &["platform", "php"], "version.composer");
    scan.toolchain(&TOOL, &sources)
}

fn build(
    scan: &mut Scan<'_>,
    project: &Project,
    start: &Start,
    chosen: &Chosen,
    extensions: &Packages,
    draft: &mut Draft,
) -> Result<(), Problem> {
    if project.manifest.is_some() {
        composer(scan, project, chosen, extensions, draft)?;
    }
    if let Some(assets) = super::node::assets(scan, &project.dir, LOOKS_LIKE)? {
        draft.with_assets(assets);
    }
    let build = &mut draft.spec.build;
    if !project.dir.is_empty() {
        let own = tree_glob(&project.dir);
        let inside = own.trim_end_matches("**");
        let mut context: BTreeSet<String> = build.install.files.iter().cloned().collect();
        context.retain(|glob| !glob.starts_with(inside));
        context.extend(project.path_repositories.iter().map(|dir| tree_glob(dir)));
        context.insert(own.clone());
        build.context = context.into_iter().collect();
    }
    if let Some(site) = &start.site {
        let config = server::write(site);
        draft.spec.build.commands.push(config);
    }
    Ok(())
}

fn composer(
    scan: &mut Scan<'_>,
    project: &Project,
    chosen: &Chosen,
    extensions: &Packages,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let php = &chosen.stream.package;
    let Some(composer) = scan.catalog.package("composer") else {
        return Err(Problem::new(
            &project.file,
            None,
            "Composer is not packaged",
        ));
    };
    let build = &mut draft.spec.build;
    build.packages = vec![php.clone(), composer];
    let own = COMPOSERS.iter().filter_map(|name| package(scan, php, name));
    build
        .packages
        .extend(own.chain(extensions.names.iter().cloned()));
    build.packages.sort();
    build.packages.dedup();
    let env = [
        ("COMPOSER_ALLOW_SUPERUSER", "1"),
        ("COMPOSER_CACHE_DIR", "/root/.cache/composer"),
        ("COMPOSER_HOME", "/root/.composer"),
        ("COMPOSER_MIRROR_PATH_REPOS", "1"),
        ("COMPOSER_NO_INTERACTION", "1"),
    ];
    let own = project.framework.map_or(&[][..], |found| found.env);
    build.env.extend(
        env.iter()
            .chain(own)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    build.cache = vec!["/root/.cache/composer".to_owned()];
    let mut files = vec![project.file.clone()];
    match &project.lock {
        Some(lock) => files.push(lock.file.clone()),
        None => {
            let message = "has no `composer.lock`: the build takes whatever versions are newest";
            scan.warn(&project.file, None, message);
        }
    }
    let dir = scan.repo.dir(&project.dir);
    files.extend(
        dir.filter(|dir| dir.has("symfony.lock"))
            .map(|dir| dir.join("symfony.lock")),
    );
    let mut files: Vec<String> = files.iter().map(|file| literal_glob(file)).collect();
    files.extend(project.path_repositories.iter().map(|dir| tree_glob(dir)));
    files.extend(project.patches.iter().map(|dir| tree_glob(dir)));
    build.install.files = files;
    // Where the manifest pins a release that is not packaged, the stream's own serves, and Composer has to be told.
    let relaxed = project.constraint().is_some_and(|constraint| {
        !constraint.holds(&version::numbers(chosen.stream.newest.upstream()))
    }) && project.platform().is_none();
    let relaxed = if relaxed {
        " --ignore-platform-req=php"
    } else {
        ""
    };
    build.install.commands = vec![format!(
        "composer install --no-dev --no-interaction --no-progress --no-scripts --no-autoloader{relaxed}"
    )];
    build.commands = project::after_source(project, scan, relaxed);
    Ok(())
}

fn run(
    scan: &mut Scan<'_>,
    project: &Project,
    start: &Start,
    php: &str,
    extensions: &Packages,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let mut packages = vec![php.to_owned()];
    packages.extend(extensions.names.iter().cloned());
    packages.extend(package(scan, php, "opcache"));
    packages.extend(scan.catalog.package("ca-certificates-bundle"));
    packages.extend(scan.catalog.package("tzdata"));
    if start.site.is_some() {
        let module = format!("{php}-apache");
        let server = scan.catalog.package("apache2");
        let (Some(server), true) = (server, scan.catalog.has(&module)) else {
            let message = format!(
                "the index has no web server for `{php}`: it needs `apache2` and `{module}`"
            );
            return Err(Problem::new(&project.file, None, message));
        };
        packages.extend([server, module]);
    }
    packages.sort();
    packages.dedup();
    let health = start.site.as_ref().and_then(|_| {
        let own = source::own(
            scan.repo,
            &project.dir,
            &project.others,
            &["php"],
            source::Family::Php,
        );
        source::health(&own).or_else(|| source::health(&project.pages))
    });
    if let Some(health) = health {
        draft.answers(&health);
    }
    let runtime = &mut draft.spec.runtime;
    runtime.packages = packages;
    let env = project.framework.map_or(&[][..], |found| found.env);
    runtime.env.extend(
        env.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    runtime.copy = project::shipped(scan, project, start.site.as_ref());
    runtime.command.clone_from(&start.command);
    if start.site.is_some() {
        runtime.command = server::command();
        runtime.copy.push(Copy {
            from: server::BUILT.to_owned(),
            to: server::CONFIG.to_owned(),
        });
    }
    writable(scan, project, draft);
    Ok(())
}

/// Gives the user of the image the directories that the framework writes to.
fn writable(scan: &Scan<'_>, project: &Project, draft: &mut Draft) {
    let Some(framework) = project.framework else {
        return;
    };
    let mut owned = Vec::new();
    for dir in framework.writable {
        draft.spec.runtime.writable.push((*dir).to_owned());
        let found = Evidence::new("writable", *dir, "php.framework-writes");
        draft.evidence.push(found);
        if scan.repo.dir(&join(&project.dir, dir)).is_some() {
            owned.push(*dir);
        }
    }
    if !owned.is_empty() {
        let command = format!("chown -R 65532:65532 {}", owned.join(" "));
        draft.spec.build.commands.push(command);
    }
}
