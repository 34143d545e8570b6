//! What a directory of PHP says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::detect::document::Document;
use crate::detect::explain::Evidence;
use crate::detect::range::Range;
use crate::detect::repo::{Dir, Repo, is_within, join, resolve, split};
use crate::detect::source::{Family, File, Source};
use crate::spec::{Copy, Kind};

use super::server::{self, Site};
use super::{Scan, Start, Syntax, constraint, shown};

/// A framework, and what it brings.
pub(super) struct Framework {
    pub(super) name: &'static str,
    /// The Composer packages that are it.
    packages: &'static [&'static str],
    /// Where its pages are.
    docroot: &'static str,
    /// What its documentation asks for beyond what PHP has built in.
    pub(super) extensions: &'static [&'static str],
    pub(super) env: &'static [(&'static str, &'static str)],
    pub(super) writable: &'static [&'static str],
}

/// What is built upon another one comes first.
static FRAMEWORKS: &[Framework] = &[
    Framework {
        name: "laravel",
        packages: &["laravel/framework"],
        docroot: "public",
        // https://laravel.com/docs/12.x/deployment
        extensions: &[
            "ctype", "curl", "dom", "fileinfo", "mbstring", "openssl", "pdo", "xml",
        ],
        env: &[
            ("APP_DEBUG", "false"),
            ("APP_ENV", "production"),
            ("LOG_CHANNEL", "stderr"),
        ],
        writable: &["bootstrap/cache", "storage"],
    },
    Framework {
        name: "symfony",
        packages: &["symfony/framework-bundle"],
        docroot: "public",
        // https://symfony.com/doc/current/setup.html
        extensions: &["ctype", "iconv", "simplexml"],
        env: &[("APP_DEBUG", "0"), ("APP_ENV", "prod")],
        writable: &["var"],
    },
    Framework {
        name: "cakephp",
        packages: &["cakephp/cakephp"],
        docroot: "webroot",
        extensions: &["intl", "mbstring", "simplexml"],
        env: &[("DEBUG", "false")],
        writable: &["logs", "tmp"],
    },
    Framework {
        name: "codeigniter",
        packages: &["codeigniter4/framework"],
        docroot: "public",
        extensions: &["intl", "mbstring"],
        env: &[("CI_ENVIRONMENT", "production")],
        writable: &["writable"],
    },
    Framework {
        name: "drupal",
        packages: &["drupal/core", "drupal/core-recommended"],
        docroot: "web",
        extensions: &["dom", "gd", "mbstring", "pdo", "simplexml", "xml"],
        env: &[],
        writable: &["web/sites/default/files"],
    },
    Framework {
        name: "yii",
        packages: &["yiisoft/yii2"],
        docroot: "web",
        extensions: &["ctype", "mbstring"],
        env: &[("YII_DEBUG", "false"), ("YII_ENV", "prod")],
        writable: &["runtime", "web/assets"],
    },
    Framework {
        name: "slim",
        packages: &["slim/slim"],
        docroot: "public",
        extensions: &[],
        env: &[],
        writable: &[],
    },
    Framework {
        name: "wordpress",
        packages: &["johnpbloch/wordpress-core", "roots/wordpress"],
        docroot: "web",
        extensions: &[
            "curl", "dom", "exif", "fileinfo", "gd", "iconv", "intl", "mbstring", "mysqli",
            "openssl", "xml", "zip",
        ],
        env: &[],
        writable: &["wp-content/uploads"],
    },
];

/// Where pages are, by convention, best first.
const DOCROOTS: &[&str] = &["public", "web", "webroot", "htdocs", "html", "www"];

/// Names that are not shipped.
const LEFT_OUT: &[&str] = &[
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "Makefile",
    "Procfile",
    "README.md",
    "app.json",
    "compose.yaml",
    "compose.yml",
    "docker",
    "docker-compose.yaml",
    "docker-compose.yml",
    "docs",
    "examples",
    "node_modules",
    "package-lock.json",
    "package.json",
    "peelbox.yaml",
    "phpstan.neon",
    "phpunit.xml",
    "phpunit.xml.dist",
    "pnpm-lock.yaml",
    "spec",
    "test",
    "tests",
    "universalbuild.json",
    "universalbuild.yaml",
    "vite.config.js",
    "vite.config.ts",
    "yarn.lock",
];

/// A directory of PHP.
pub(super) struct Project {
    pub(super) dir: String,
    /// The file that stands for it in messages.
    pub(super) file: String,
    pub(super) manifest: Option<Rc<Document>>,
    pub(super) lock: Option<Document>,
    pub(super) framework: Option<&'static Framework>,
    pub(super) framework_evidence: Option<Evidence>,
    /// Directories of packages that it takes from the repository.
    pub(super) path_repositories: Vec<String>,
    /// Directories of patches that are applied when packages are installed.
    pub(super) patches: Vec<String>,
    /// The directories of other projects.
    pub(super) others: Vec<String>,
    /// The programs that are asked for pages.
    pub(super) pages: Vec<File>,
}

/// The directories that are projects: those with a manifest, and those that hold or own pages without one.
pub(super) fn dirs(scan: &Scan<'_>) -> Vec<String> {
    let composer = scan.dirs_with(&["composer.json"]);
    let mut dirs: BTreeSet<String> = composer.iter().map(|dir| dir.path().to_owned()).collect();
    for dir in scan.dirs_with(&["index.php"]) {
        let (parent, name) = split(dir.path());
        let owner = if DOCROOTS.contains(&name) {
            parent
        } else {
            dir.path()
        };
        // Sorted by path, so the outer one of two comes first.
        if !dirs.iter().any(|known| is_within(owner, known)) {
            dirs.insert(owner.to_owned());
        }
    }
    dirs.into_iter().collect()
}

pub(super) fn read(scan: &mut Scan<'_>, path: &str, dirs: &[String]) -> Option<Project> {
    let dir = scan.repo.dir(path)?;
    let file = dir.join("composer.json");
    let manifest = scan.document(&file, Syntax::Json);
    if manifest.is_none() && dir.has("composer.json") {
        // It is broken, and that was said.
        return None;
    }
    let lock_file = dir.join("composer.lock");
    let lock = scan
        .repo
        .lock(&lock_file)
        .filter(|_| manifest.is_some())
        .and_then(|text| Document::parse(&lock_file, &text, Syntax::Json).ok());
    let mut project = Project {
        dir: path.to_owned(),
        file,
        manifest,
        lock,
        framework: None,
        framework_evidence: None,
        path_repositories: Vec::new(),
        patches: Vec::new(),
        others: dirs
            .iter()
            .filter(|other| *other != path)
            .cloned()
            .collect(),
        pages: Vec::new(),
    };
    project.framework(dir);
    project.neighbours(scan.repo, dir);
    if let Some((_, page)) = project.docroot(scan)
        && let Ok(text) = scan.repo.text(&page)
    {
        project.pages.push(File {
            path: page.clone(),
            source: Source::parse(&text, Family::Php),
        });
        if project.manifest.is_none() {
            project.file = page;
        }
    }
    Some(project)
}

impl Project {
    /// The package's name without its vendor.
    pub(super) fn name(&self) -> Option<String> {
        let name = self.manifest.as_ref()?.str(&["name"])?;
        Some(split(name).1.to_owned())
    }

    /// What `require.php` asks for.
    pub(super) fn constraint(&self) -> Option<Range> {
        constraint::parse(self.manifest.as_ref()?.str(&["require", "php"])?).ok()
    }

    /// The version that Composer is told to take the machine for.
    pub(super) fn platform(&self) -> Option<&str> {
        self.manifest.as_ref()?.str(&["config", "platform", "php"])
    }

    pub(super) fn requires(&self, name: &str) -> bool {
        let keys = ["require", name];
        self.manifest
            .as_ref()
            .is_some_and(|manifest| manifest.get(&keys).is_some())
    }

    fn framework(&mut self, dir: Dir<'_>) {
        if let Some(manifest) = &self.manifest {
            for framework in FRAMEWORKS {
                for name in framework.packages {
                    if manifest.get(&["require", name]).is_some() {
                        let line = manifest.line(&["require", name]);
                        let found = Evidence::new("framework", framework.name, "php.dependency");
                        let found = found.written(*name).at(&manifest.file, line);
                        self.framework = Some(framework);
                        self.framework_evidence = Some(found);
                        return;
                    }
                }
            }
        }
        if dir.has("wp-load.php") && dir.has_dir("wp-includes") {
            self.framework = FRAMEWORKS.iter().find(|known| known.name == "wordpress");
            let found = Evidence::new("framework", "wordpress", "php.wordpress");
            self.framework_evidence = Some(found.at(&dir.join("wp-load.php"), None));
        }
    }

    /// Packages and patches that the repository itself holds.
    fn neighbours(&mut self, repo: &Repo, dir: Dir<'_>) {
        let Some(manifest) = &self.manifest else {
            return;
        };
        let repositories = manifest.get(&["repositories"]);
        let listed: Vec<&serde_json::Value> = match repositories {
            Some(serde_json::Value::Array(list)) => list.iter().collect(),
            Some(serde_json::Value::Object(map)) => map.values().collect(),
            _ => Vec::new(),
        };
        for repository in listed {
            let text = |key: &str| repository.get(key).and_then(serde_json::Value::as_str);
            let (Some("path"), Some(url)) = (text("type"), text("url")) else {
                continue;
            };
            // `packages/*`: the directory above says enough.
            let plain = url.split('*').next().unwrap_or_default();
            let resolved = resolve(&self.dir, plain.trim_end_matches('/'));
            let is_there =
                |path: &String| *path != self.dir && !path.is_empty() && repo.dir(path).is_some();
            self.path_repositories.extend(resolved.filter(is_there));
        }
        if dir.has_dir("patches") {
            self.patches.push(dir.join("patches"));
        }
    }

    /// The directory of the pages, relative to the project, and the page that answers.
    fn docroot(&self, scan: &Scan<'_>) -> Option<(String, String)> {
        let conventional = self.framework.map(|framework| framework.docroot);
        let candidates = conventional.into_iter().chain(DOCROOTS.iter().copied());
        for docroot in candidates.chain([""]) {
            let page = join(&join(&self.dir, docroot), "index.php");
            if scan.repo.has(&page) {
                return Some((docroot.to_owned(), page));
            }
        }
        // Composer writes Drupal's pages.
        let scaffold = ["extra", "drupal-scaffold", "locations", "web-root"];
        let manifest = self.manifest.as_ref()?;
        let root = manifest.str(&scaffold)?.trim_matches(['/', '.']);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let is_known = self.framework.is_some_and(|found| found.name == "drupal");
        (is_known && root.chars().all(is_plain))
            .then(|| (root.to_owned(), join(&join(&self.dir, root), "index.php")))
    }
}

/// What runs the project, or why it is no app.
pub(super) fn start(scan: &mut Scan<'_>, project: &Project) -> Result<Start, String> {
    if let Some(reason) = library(scan, project) {
        return Err(reason);
    }
    if let Some((docroot, page)) = project.docroot(scan) {
        let has_code = project
            .pages
            .iter()
            .any(|page| page.source.find("<?").is_some());
        if !has_code && scan.repo.has(&page) {
            return Err(format!("`{page}` holds no PHP"));
        }
        let dir = join(&project.dir, &docroot);
        let dir = scan.repo.dir(&dir);
        return Ok(web(
            project,
            server::site(dir, &docroot, project.framework.is_some()),
            &page,
        ));
    }
    program(scan, project).ok_or_else(|| {
        "it has no `index.php` in a directory of pages, and names no single program: it is a library or holds tools".to_owned()
    })
}

fn web(project: &Project, site: Site, page: &str) -> Start {
    let rule = if project.pages.is_empty() {
        "php.scaffold"
    } else {
        "php.front-controller"
    };
    let entry = Evidence::new("entry", page, rule);
    let entry = match project.pages.first() {
        Some(found) => {
            let at = found.source.find("<?").unwrap_or(0);
            entry.written("<?").at(page, Some(found.source.line(at)))
        }
        None => entry.at(&project.file, None),
    };
    let what = match project.framework {
        Some(framework) => format!(
            "it is a {} app, and `{page}` answers its requests",
            framework.name
        ),
        None => format!("`{page}` is a page of PHP"),
    };
    Start {
        kind: Kind::Web,
        site: Some(site),
        command: Vec::new(),
        evidence: entry,
        reason: what,
        confidence: if project.framework.is_some() { 95 } else { 80 },
    }
}

/// Why the manifest says that it is no app, unless something else names it as one.
fn library(scan: &mut Scan<'_>, project: &Project) -> Option<String> {
    let manifest = project.manifest.as_ref()?;
    let kind = manifest.str(&["type"]).filter(|kind| *kind != "project")?;
    let hints = scan.hints(&project.dir);
    let is_named = !hints.named.is_empty() || !hints.processes.is_empty();
    (!is_named).then(|| format!("its type is `{kind}` in `{}`", manifest.file))
}

/// The one program of a project without pages.
fn program(scan: &mut Scan<'_>, project: &Project) -> Option<Start> {
    let dir = scan.repo.dir(&project.dir)?;
    let manifest = project.manifest.as_ref()?;
    let listed = manifest.strings(&["bin"]);
    let console = ["artisan", "bin/console"]
        .into_iter()
        .find(|name| scan.repo.has(&join(dir.path(), name)));
    let (name, evidence) = match (listed.as_slice(), console) {
        ([one], _)
            if manifest.str(&["type"]) == Some("project") && is_there(scan, dir.path(), one) =>
        {
            let found = Evidence::new("entry", *one, "php.bin");
            (
                (*one).to_owned(),
                found.at(&manifest.file, manifest.line(&["bin", "0"])),
            )
        }
        (_, Some(name)) => {
            let found = Evidence::new("entry", name, "php.console");
            (name.to_owned(), found.at(&dir.join(name), None))
        }
        _ => return None,
    };
    let reason = format!("`{name}` in `{}` is its only program", shown(dir.path()));
    Some(Start {
        kind: Kind::Cli,
        site: None,
        command: vec!["/usr/bin/php".to_owned(), format!("/app/{name}")],
        evidence,
        reason,
        confidence: 70,
    })
}

fn is_there(scan: &Scan<'_>, dir: &str, file: &str) -> bool {
    resolve(dir, file).is_some_and(|file| is_within(&file, dir) && scan.repo.has(&file))
}

/// The commands that need the whole source: the autoloader, and the scripts that Composer held back.
pub(super) fn after_source(project: &Project, scan: &Scan<'_>, relaxed: &str) -> Vec<String> {
    let mut commands = vec![format!(
        "composer dump-autoload --no-dev --no-interaction --optimize{relaxed}"
    )];
    let Some(manifest) = &project.manifest else {
        return commands;
    };
    if manifest.get(&["scripts", "post-install-cmd"]).is_some() {
        commands.push("composer run-script --no-dev --no-interaction post-install-cmd".to_owned());
    }
    let has_console = scan.repo.has(&join(&project.dir, "bin/console"));
    if project.requires("symfony/asset-mapper") && has_console {
        commands.push("php bin/console asset-map:compile".to_owned());
    }
    commands
}

/// What of the project is shipped.
pub(super) fn shipped(scan: &Scan<'_>, project: &Project, site: Option<&Site>) -> Vec<Copy> {
    let Some(dir) = scan.repo.dir(&project.dir) else {
        return Vec::new();
    };
    let docroot = site.map_or("", |site| site.docroot.as_str());
    let is_wanted = |name: &&crate::detect::repo::Name| {
        let name = name.as_str();
        let is_site = name == docroot;
        let is_hidden = name.starts_with('.') && name != ".htaccess" && name != ".well-known";
        // Symfony's defaults are committed, and read at run time.
        let is_settings = name == ".env" && project.framework.is_some_and(|f| f.name == "symfony");
        let is_written = project.framework.is_some_and(|f| f.name == "symfony") && name == "var";
        is_site || (is_settings || !is_hidden) && !LEFT_OUT.contains(&name) && !is_written
    };
    let mut names: BTreeMap<&str, ()> = dir
        .files()
        .iter()
        .filter(is_wanted)
        .map(|name| (name.as_str(), ()))
        .collect();
    let holds_other = |name: &str| {
        let path = dir.join(name);
        project.others.iter().any(|other| is_within(other, &path))
            || project
                .path_repositories
                .iter()
                .any(|other| is_within(other, &path))
    };
    let dirs = dir.dirs().iter().filter(is_wanted);
    names.extend(
        dirs.filter(|name| !holds_other(name) || *name == docroot)
            .map(|name| (name.as_str(), ())),
    );
    if project.manifest.is_some() {
        names.insert("vendor", ());
    }
    if !docroot.is_empty() {
        names.insert(docroot, ());
    }
    let copies = names.into_keys().map(|name| Copy {
        from: name.to_owned(),
        to: name.to_owned(),
    });
    copies.collect()
}
