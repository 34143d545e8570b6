//! Small apps of many kinds: detected, built by a real daemon, and run as they come out.
//!
//! Each folder of tests/fixtures/apps is a repository of its own, with nothing in it that tells peelbox what to do.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "support/image.rs"]
mod image;
#[path = "support/run.rs"]
mod run;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

use image::{Image, sha256};
use run::{Container, Run, ci, load};
use support::variable;

/// What the image of an app has to do.
enum Does {
    /// Answers a request for each path with a body that has the text beside it.
    Answers(u16, &'static [(&'static str, &'static str)]),
    /// Prints the text, and ends.
    Prints(&'static str),
}

use Does::{Answers, Prints};

/// Per folder what its image does, and the beginnings of the purls of what its SBOM has to name.
macro_rules! apps {
    ($($folder:ident: $does:expr, [$($library:expr),*];)*) => {
        const FOLDERS: &[&str] = &[$(stringify!($folder)),*];
        $(
            #[test]
            fn $folder() {
                works(stringify!($folder), &$does, &[$($library),*]);
            }
        )*
    };
}

apps! {
    c_make: Answers(8080, &[("/", "c by make")]), [];
    c_meson: Answers(8080, &[("/", "c by meson")]), [];
    cpp_cmake: Answers(8080, &[("/", "c++ by cmake")]), [];
    go_cgo: Prints("the sum is 42"), ["pkg:golang/stdlib@"];
    go_module: Answers(8080, &[("/", "clock by go1.")]), ["pkg:golang/stdlib@", "pkg:golang/github.com/go-chi/chi/v5@"];
    java_maven: Answers(8080, &[("/", "java 2")]), [];
    java_maven_spring: Answers(8080, &[("/", "orders by spring boot"), ("/actuator/health", "UP")]), [];
    node_berry_hono: Answers(3000, &[("/", "hono on yarn berry")]), ["pkg:npm/hono@", "pkg:npm/%40hono/node-server@"];
    node_bun_elysia: Answers(3000, &[("/", "elysia on bun object")]), ["pkg:npm/elysia@"];
    node_npm_astro: Answers(8080, &[("/", "made of 2 words")]), ["pkg:npm/astro@"];
    node_npm_express: Answers(3000, &[("/", "express on npm with node true")]), ["pkg:npm/express@"];
    node_npm_next: Answers(3000, &[("/", "next standalone")]), ["pkg:npm/next@", "pkg:npm/react@"];
    node_npm_sveltekit: Answers(3000, &[("/", "svelte on the server")]), [];
    node_npm_workspace: Answers(3000, &[("/", "words of the workspace")]), [];
    node_pnpm_fastify: Answers(3000, &[("/", r#"{"framework":"fastify","manager":"pnpm"}"#)]), ["pkg:npm/fastify@"];
    node_pnpm_vite: Answers(8080, &[("/", "/assets/index-")]), [];
    node_yarn_koa: Answers(3000, &[("/", "koa on yarn")]), ["pkg:npm/koa@"];
    php_composer: Answers(8080, &[("/any/page", "words of composer at /any/page")]), ["pkg:composer/example/words@1.0.0"];
    php_plain: Answers(8080, &[("/", "php 8 without composer")]), [];
    python_pdm_bottle: Answers(8000, &[("/", r#"{"framework": "bottle", "manager": "pdm"}"#)]), ["pkg:pypi/bottle@"];
    python_pip_flask: Answers(8000, &[("/", r#"{"framework":"flask","manager":"pip"}"#)]), ["pkg:pypi/flask@3.1.2", "pkg:pypi/werkzeug@"];
    python_pipenv_starlette: Answers(8000, &[("/", r#"{"framework":"starlette","manager":"words of pipenv"}"#)]), ["pkg:pypi/starlette@", "pkg:pypi/words@1.0.0"];
    python_poetry_words: Answers(8000, &[("/", "words of poetry")]), ["pkg:pypi/words@1.0.0"];
    python_setuptools_django: Answers(8000, &[("/", r#""style": "/static/site.css""#), ("/static/site.css", "color")]), ["pkg:pypi/django@5.2.19", "pkg:pypi/sqlparse@"];
    python_uv_fastapi: Answers(8000, &[("/", r#"{"framework":"fastapi","manager":"uv"}"#)]), ["pkg:pypi/fastapi@", "pkg:pypi/pydantic@"];
    ruby_socket: Answers(8080, &[("/", "words of ruby")]), [];
    rust_workspace: Answers(8080, &[("/", "words of rust")]), ["pkg:cargo/axum@", "pkg:cargo/hyper@"];
    static_html: Answers(8080, &[("/", "nothing but pages")]), [];
    static_hugo: Answers(8080, &[("/", "Made by <strong>hugo</strong>")]), [];
}

/// Shells, and programs that build or install, without the versions that their names may end with.
const TOOLS: &[&str] = &[
    "apk", "apt-get", "ar", "as", "ash", "bash", "bun", "bundle", "busybox", "c++", "cargo", "cc",
    "cmake", "composer", "corepack", "g++", "gcc", "gem", "git", "go", "gradle", "hugo", "jar",
    "javac", "ld", "make", "meson", "mvn", "ninja", "node-gyp", "npm", "npx", "pdm", "pip",
    "pipenv", "pnpm", "poetry", "rustc", "samu", "sh", "uv", "yarn",
];

/// Tools of [`TOOLS`] that the program of a folder is run by, or that come in one package with what it is run by.
const IS_RUN_BY: &[(&str, &str)] = &[
    ("bun", "node_bun_elysia"),
    ("bundle", "ruby_socket"),
    ("gem", "ruby_socket"),
];

/// Where the apps are built: copies at paths that stay, since the names of cache directories come from them.
struct Workshop {
    folder: PathBuf,
    _lock: File,
}

static WORKSHOP: LazyLock<Workshop> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("apps");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    for old in ["repositories", "out", "cache"] {
        let _ = fs::remove_dir_all(folder.join(old)); // there may be none
    }
    Workshop {
        folder,
        _lock: lock,
    }
});

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/apps")
}

fn works(folder: &str, does: &Does, libraries: &[&str]) {
    let name = folder.replace('_', "-");
    let repository = WORKSHOP.folder.join("repositories").join(&name);
    run::copy(&fixtures().join(&name), &repository);
    let out = WORKSHOP.folder.join("out").join(&name);
    // What runs in other checkouts at the same time has images of its own.
    let place = sha256(WORKSHOP.folder.as_os_str().as_encoded_bytes());
    let tag = format!("localhost/peelbox-{}/{name}:1", &place[..12]);
    let mut command = ci(&repository, &WORKSHOP.folder.join("cache"), &out);
    command.args(["--tag", &tag]);
    let run = run::run(command, &out).ended(0);
    assert!(!repository.join("universalbuild.yaml").exists());
    let app = only(&run);
    let archive = out.join(format!("{app}.oci.tar"));
    let image = Image::read(&archive);
    assert_eq!(image.config["config"]["User"], "65532:65532");
    has_no_tools(&image, folder);
    names(&out.join(format!("{app}.spdx.json")), libraries);
    load(&archive);
    fs::remove_file(archive).unwrap();
    let loaded = Loaded(tag);
    let writable = writable(&repository);
    let mut options = vec!["--cap-drop", "ALL"];
    options.extend(writable.iter().flat_map(|path| ["--tmpfs", path]));
    match does {
        Answers(port, pages) => answers(&loaded.0, *port, &options, pages),
        Prints(text) => {
            let container = Container::start(&loaded.0, None, &options);
            assert_eq!(container.exit_code(), 0, "{}", container.log());
            assert!(container.log().contains(text), "{}", container.log());
        }
    }
}

/// The one app that a repository has.
fn only(run: &Run) -> String {
    let names = run.names();
    assert_eq!(names.len(), 1, "{names:?}\n{}", run.stderr);
    names.into_iter().next().unwrap()
}

/// Fails if there is a shell in the image, or a program that builds or installs.
fn has_no_tools(image: &Image, folder: &str) {
    let files = image.flattened();
    let found: Vec<&String> = files
        .keys()
        .filter(|path| path.rsplit('/').nth(1).is_some_and(|dir| dir == "bin"))
        .filter(|path| !path.contains("/node_modules/"))
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap();
            let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
            TOOLS.contains(&name) && !IS_RUN_BY.contains(&(name, folder))
        })
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Fails unless the SBOM names a library for each of these beginnings of purls.
fn names(sbom: &Path, libraries: &[&str]) {
    let document: Value = serde_json::from_slice(&fs::read(sbom).unwrap()).unwrap();
    let packages = document["packages"].as_array().unwrap().iter();
    let purls: Vec<&str> = packages
        .filter(|package| package["primaryPackagePurpose"] == "LIBRARY")
        .map(|package| {
            package["externalRefs"][0]["referenceLocator"]
                .as_str()
                .unwrap()
        })
        .collect();
    for library in libraries {
        assert!(
            purls.iter().any(|purl| purl.starts_with(library)),
            "{library} is not among {purls:?}"
        );
    }
}

/// The directories that the one app of a repository is said to write to.
fn writable(repository: &Path) -> Vec<String> {
    let printed = run::printed(
        env!("CARGO_BIN_EXE_peelbox"),
        &["detect", "--format", "json", repository.to_str().unwrap()],
    );
    let spec: Value = serde_json::from_str(&printed).unwrap();
    let paths = spec["runtime"]["writable"].as_array();
    let paths = paths.into_iter().flatten();
    let workdir = Path::new(spec["runtime"]["workdir"].as_str().unwrap_or("/app"));
    paths
        .map(|path| workdir.join(path.as_str().unwrap()))
        .map(|path| path.into_os_string().into_string().unwrap())
        .collect()
}

fn answers(tag: &str, port: u16, options: &[&str], pages: &[(&str, &str)]) {
    let container = Container::start(tag, Some(port), options);
    for (path, text) in pages {
        let (status, body) = container.get(port, path);
        assert_eq!(status, 200, "{path}: {body}\n{}", container.log());
        assert!(body.contains(text), "{path}: {body}\n{}", container.log());
    }
    assert_eq!(container.users(), ["65532"]);
    let (took, code) = container.stop();
    assert!(took < Duration::from_secs(8), "it took {took:?} to end");
    // 143 is a program that does not catch SIGTERM and is ended by it.
    assert!(
        [0, 143].contains(&code),
        "it ended with {code}\n{}",
        container.log()
    );
}

/// An image in the Engine; it goes with the value.
struct Loaded(String);

impl Drop for Loaded {
    fn drop(&mut self) {
        let _ = Command::new(variable("PEELBOX_TESTBED_DOCKER"))
            .args(["image", "rm", "--force", &self.0])
            .output();
    }
}

#[test]
fn every_fixture_is_built_and_run() {
    let mut found: Vec<String> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.replace('-', "_"))
        .collect();
    found.sort();
    assert_eq!(found, FOLDERS);
}
