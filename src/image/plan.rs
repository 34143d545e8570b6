//! A spec whose packages resolve and whose output is decided.

use std::collections::BTreeMap;

use crate::oci::Platform;
use crate::spec::{self, Kind, Spec};
use crate::wolfi::{Atom, Closure, Index, ParseAtomError, UnknownPackage, Unsatisfiable, resolve};

use super::layout::{PATH, SOURCE, USER, WORKDIR, is_directory, join, unlinked};
use super::site;

/// How one app is built and what its image holds, with every decision taken that needs no build.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// The app's name, as in files and tags.
    pub name: String,
    /// The app's directory, relative to the repository's root.
    pub path: String,
    /// Its programming language, in lower case.
    pub language: Option<String>,
    /// The platform it is built for.
    pub platform: Platform,
    /// The app's directory in the build stage.
    pub directory: String,
    /// The packages of the build stage.
    pub build_packages: Closure<'a>,
    /// What the image asks for, before the needs of the built files are known.
    pub world: Vec<Atom>,
    /// The packages of the image, as far as they are known before the build.
    pub runtime_packages: Closure<'a>,
    /// The files of the dependency step, globs relative to the repository's root.
    pub install_files: Vec<String>,
    /// The commands of the dependency step.
    pub install: Vec<String>,
    /// What the build may see of the repository, globs relative to its root; empty is all of it.
    pub context: Vec<String>,
    /// The build commands.
    pub commands: Vec<String>,
    /// The environment of the build steps.
    pub build_env: BTreeMap<String, String>,
    /// The directories kept between builds.
    pub caches: Vec<CacheMount>,
    /// Who may write to them, where that is not everybody: what a step has made of them is for the same builds only.
    pub trust: Option<String>,
    /// The secrets that the steps may read.
    pub secrets: Vec<spec::Secret>,
    /// What is shipped.
    pub copies: Vec<CopyPath>,
    /// The environment of the image.
    pub env: BTreeMap<String, String>,
    /// The command of the image.
    pub command: Vec<String>,
    /// Further commands of the image, by name.
    pub processes: BTreeMap<String, Vec<String>>,
    /// The ports it listens on.
    pub ports: Vec<u16>,
    /// The user and group it runs as.
    pub user: (u32, u32),
    /// The directory it runs in.
    pub workdir: String,
    /// The directories it may write to.
    pub writable: Vec<String>,
    /// The labels of the image.
    pub labels: BTreeMap<String, String>,
    /// The path of its health route.
    pub health: Option<String>,
    /// Files that the image needs beside what was built, by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Plan<'_> {
    /// Whether anything runs in the build stage; files that are only copied need no base image.
    #[must_use]
    pub fn needs_base(&self) -> bool {
        !self.install.is_empty() || !self.commands.is_empty()
    }
}

/// Which builds share cache directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// What tells them from all others, a part of the names of the directories.
    pub name: String,
    /// Whether there are others at the same daemon that are not to be trusted.
    pub is_closed: bool,
}

/// A directory kept between builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheMount {
    /// Its path in the build stage.
    pub target: String,
    /// Its name at the daemon.
    pub id: String,
    /// Whether only one build at a time may use it.
    pub locked: bool,
}

/// A path of the build stage and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyPath {
    /// An absolute path of the build stage.
    pub from: String,
    /// An absolute path of the image. At its end a `/` says that a file goes into it under its own name; a directory
    /// always becomes it.
    pub to: String,
}

/// Why a spec cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("`{app}`: {kind}")]
pub struct Problem {
    /// The app's name.
    pub app: String,
    /// The field of the spec.
    pub field: &'static str,
    /// What is wrong with it.
    pub kind: ProblemKind,
}

/// What can be wrong with a spec that reads well.
#[derive(Debug, thiserror::Error)]
pub enum ProblemKind {
    /// A package entry is not understood.
    #[error(transparent)]
    Atom(#[from] ParseAtomError),
    /// A package is not in the index.
    #[error(transparent)]
    Unknown(#[from] UnknownPackage),
    /// The packages do not go together.
    #[error("the packages of {stage} do not go together: {source}")]
    Unsatisfiable {
        /// `the build` or `the image`.
        stage: &'static str,
        /// Why not.
        source: Unsatisfiable,
    },
    /// Nothing says what is shipped.
    #[error("nothing is copied into the image")]
    NothingToShip,
    /// Nothing says how it runs.
    #[error("there is no command to run")]
    NoCommand,
    /// A path leads out of where it must stay.
    #[error("`{0}` leads out of the file system")]
    Path(String),
    /// Files are taken from a place where no step has put any.
    #[error("`{0}` is outside of the app, and no command builds it")]
    NotBuilt(String),
}

/// Decides how `spec` is built for `platform` with the packages of `index`; `scope` says who shares its cache
/// directories.
///
/// # Errors
/// Every problem of the spec.
pub fn plan<'a>(
    spec: &Spec,
    index: &'a Index,
    platform: &Platform,
    scope: &Scope,
) -> Result<Plan<'a>, Vec<Problem>> {
    plan_beside(&mut Solved::default(), spec, index, platform, scope)
}

/// The packages that requests came to, by the words of the request: many apps ask for the same ones.
#[derive(Debug, Default)]
pub struct Solved<'a>(BTreeMap<Vec<String>, Closure<'a>>);

/// The same as [`plan`] for one of several apps, which have `solved` and `index` in common.
///
/// # Errors
///
/// As [`plan`].
pub fn plan_beside<'a>(
    solved: &mut Solved<'a>,
    spec: &Spec,
    index: &'a Index,
    platform: &Platform,
    scope: &Scope,
) -> Result<Plan<'a>, Vec<Problem>> {
    let name = spec.slug();
    let mut problems = Problems {
        app: name.clone(),
        found: Vec::new(),
    };
    let site = spec.metadata.kind == Some(Kind::Static) && spec.runtime.command.is_empty();
    let build_world = problems.world(index, "build.packages", &spec.build.packages);
    let build_packages =
        problems.resolve(solved, index, "build.packages", "the build", &build_world);
    let world = problems.world(index, "runtime.packages", &runtime(spec));
    let runtime_packages = problems.resolve(solved, index, "runtime.packages", "the image", &world);
    let paths = Paths::read(spec, &name, &scope.name, &mut problems);
    if spec.runtime.command.is_empty() && !site {
        problems.add("runtime.command", ProblemKind::NoCommand);
    }
    let (Some(build_packages), Some(runtime_packages), []) =
        (build_packages, runtime_packages, &problems.found[..])
    else {
        return Err(problems.found);
    };
    let mut plan = Plan {
        path: spec.metadata.path.clone(),
        language: spec.metadata.language.clone(),
        platform: platform.clone(),
        build_packages,
        runtime_packages,
        world,
        install_files: spec.build.install.files.clone(),
        install: spec.build.install.commands.clone(),
        context: spec.build.context.clone(),
        commands: spec.build.commands.clone(),
        build_env: build_env(spec),
        caches: paths.caches,
        trust: scope.is_closed.then(|| scope.name.clone()),
        secrets: spec.build.secrets.clone(),
        copies: paths.copies,
        env: image_env(spec),
        command: spec.runtime.command.clone(),
        processes: spec.runtime.processes.clone(),
        ports: spec.runtime.ports.clone(),
        user: user(spec),
        writable: paths.writable,
        workdir: paths.workdir,
        labels: spec.runtime.labels.clone(),
        health: health(spec),
        files: BTreeMap::new(),
        name,
        directory: paths.directory,
    };
    if site {
        site::serve(&mut plan);
    }
    Ok(plan)
}

fn runtime(spec: &Spec) -> Vec<String> {
    let always = ["wolfi-baselayout", "ca-certificates-bundle"].map(str::to_owned);
    let asked = spec.runtime.packages.iter().cloned();
    always.into_iter().chain(asked).collect()
}

fn health(spec: &Spec) -> Option<String> {
    let health = spec.runtime.health.as_ref()?;
    Some(health.endpoint.clone())
}

/// The paths of a spec, made absolute.
struct Paths {
    directory: String,
    workdir: String,
    copies: Vec<CopyPath>,
    caches: Vec<CacheMount>,
    writable: Vec<String>,
}

impl Paths {
    fn read(spec: &Spec, name: &str, scope: &str, problems: &mut Problems) -> Self {
        let directory = problems.path("metadata.path", SOURCE, &spec.metadata.path);
        let workdir = spec.runtime.workdir.as_deref().unwrap_or(WORKDIR);
        let workdir = problems.path("runtime.workdir", "/", workdir);
        let writable = spec.runtime.writable.iter();
        Self {
            copies: copies(spec, &directory, &workdir, problems),
            caches: caches(spec, name, &directory, scope, problems),
            writable: writable
                .map(|path| problems.path("runtime.writable", &workdir, path))
                .collect(),
            directory,
            workdir,
        }
    }
}

fn copies(spec: &Spec, directory: &str, workdir: &str, problems: &mut Problems) -> Vec<CopyPath> {
    if spec.runtime.copy.is_empty() {
        problems.add("runtime.copy", ProblemKind::NothingToShip);
    }
    let is_built = !spec.build.commands.is_empty() || !spec.build.install.commands.is_empty();
    let mut copies = Vec::new();
    for copy in &spec.runtime.copy {
        let from = problems.path("runtime.copy", directory, &copy.from);
        let mut to = unlinked(&problems.path("runtime.copy", workdir, &copy.to));
        if is_directory(&copy.to) && to != "/" {
            to.push('/');
        }
        if !is_built && from != SOURCE && !from.starts_with(&format!("{SOURCE}/")) {
            problems.add("runtime.copy", ProblemKind::NotBuilt(copy.from.clone()));
        }
        copies.push(CopyPath { from, to });
    }
    copies
}

fn build_env(spec: &Spec) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([
        ("PATH".to_owned(), PATH.to_owned()),
        ("HOME".to_owned(), "/root".to_owned()),
    ]);
    env.extend(spec.build.env.clone());
    env
}

fn image_env(spec: &Spec) -> BTreeMap<String, String> {
    let certificates = (
        "SSL_CERT_FILE".to_owned(),
        "/etc/ssl/certs/ca-certificates.crt".to_owned(),
    );
    let mut env = BTreeMap::from([("PATH".to_owned(), PATH.to_owned()), certificates]);
    env.extend(spec.runtime.env.clone());
    env
}

// A download cache lies below the home directory, and its tool can share it: it belongs to the repository. Everything else,
// such as a directory of build results, belongs to the app alone, and to one build at a time.
fn caches(
    spec: &Spec,
    name: &str,
    directory: &str,
    scope: &str,
    problems: &mut Problems,
) -> Vec<CacheMount> {
    let mount = |path: &String| {
        let target = problems.path("build.cache", directory, path);
        let locked = !target.starts_with("/root/");
        let id = if locked {
            format!("peelbox/{scope}/{name}{target}")
        } else {
            format!("peelbox/{scope}{target}")
        };
        CacheMount { target, id, locked }
    };
    spec.build.cache.iter().map(mount).collect()
}

fn user(spec: &Spec) -> (u32, u32) {
    let text = spec.runtime.user.clone().unwrap_or_default();
    let (uid, gid) = text
        .split_once(':')
        .map_or((text.as_str(), None), |(uid, gid)| (uid, Some(gid)));
    let uid = uid.parse().unwrap_or(USER);
    (uid, gid.and_then(|gid| gid.parse().ok()).unwrap_or(uid))
}

struct Problems {
    app: String,
    found: Vec<Problem>,
}

impl Problems {
    fn add(&mut self, field: &'static str, kind: ProblemKind) {
        self.found.push(Problem {
            app: self.app.clone(),
            field,
            kind,
        });
    }

    fn path(&mut self, field: &'static str, base: &str, path: &str) -> String {
        join(base, path).unwrap_or_else(|| {
            self.add(field, ProblemKind::Path(path.to_owned()));
            "/".to_owned()
        })
    }

    // Every unknown name is told at once; only a list without one is worth resolving.
    fn world(&mut self, index: &Index, field: &'static str, entries: &[String]) -> Vec<Atom> {
        let mut world = Vec::new();
        for entry in entries {
            match entry.parse::<Atom>() {
                Err(error) => self.add(field, error.into()),
                Ok(atom) => match index.check(entry) {
                    Ok(_) => world.push(atom),
                    Err(error) => self.add(field, error.into()),
                },
            }
        }
        world
    }

    fn resolve<'a>(
        &mut self,
        solved: &mut Solved<'a>,
        index: &'a Index,
        field: &'static str,
        stage: &'static str,
        world: &[Atom],
    ) -> Option<Closure<'a>> {
        let words: Vec<String> = world.iter().map(ToString::to_string).collect();
        if let Some(closure) = solved.0.get(&words) {
            return Some(closure.clone());
        }
        match resolve(index, world) {
            Ok(closure) => {
                solved.0.insert(words, closure.clone());
                Some(closure)
            }
            Err(source) => {
                self.add(field, ProblemKind::Unsatisfiable { stage, source });
                None
            }
        }
    }
}
