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

use image::{Image, sha256};
use run::{Container, Run, ci, load};
use support::variable;

/// What the image of an app has to do.
enum Does {
    /// Answers a request with a body that has the text in it.
    Answers(u16, &'static str, &'static str),
    /// Prints the text, and ends.
    Prints(&'static str),
}

use Does::{Answers, Prints};

macro_rules! apps {
    ($($folder:ident: $does:expr;)*) => {
        const FOLDERS: &[&str] = &[$(stringify!($folder)),*];
        $(
            #[test]
            fn $folder() {
                works(stringify!($folder), &$does);
            }
        )*
    };
}

apps! {
    c_make: Answers(8080, "/", "c by make");
    c_meson: Answers(8080, "/", "c by meson");
    cpp_cmake: Answers(8080, "/", "c++ by cmake");
    go_cgo: Prints("the sum is 42");
    go_module: Answers(8080, "/", "clock by go1.");
    java_maven: Answers(8080, "/", "java 2");
    node_berry_hono: Answers(3000, "/", "hono on yarn berry");
    node_bun_elysia: Answers(3000, "/", "elysia on bun object");
    node_npm_astro: Answers(8080, "/", "made of 2 words");
    node_npm_express: Answers(3000, "/", "express on npm with node true");
    node_npm_next: Answers(3000, "/", "next standalone");
    node_npm_sveltekit: Answers(3000, "/", "svelte on the server");
    node_npm_workspace: Answers(3000, "/", "words of the workspace");
    node_pnpm_fastify: Answers(3000, "/", r#"{"framework":"fastify","manager":"pnpm"}"#);
    node_pnpm_vite: Answers(8080, "/", "/assets/index-");
    node_yarn_koa: Answers(3000, "/", "koa on yarn");
    php_composer: Answers(8080, "/any/page", "words of composer at /any/page");
    php_plain: Answers(8080, "/", "php 8 without composer");
    python_pdm_bottle: Answers(8000, "/", r#"{"framework": "bottle", "manager": "pdm"}"#);
    python_pip_flask: Answers(8000, "/", r#"{"framework":"flask","manager":"pip"}"#);
    python_pipenv_starlette: Answers(8000, "/", r#"{"framework":"starlette","manager":"pipenv"}"#);
    python_uv_fastapi: Answers(8000, "/", r#"{"framework":"fastapi","manager":"uv"}"#);
    ruby_socket: Answers(8080, "/", "words of ruby");
    rust_workspace: Answers(8080, "/", "words of rust");
    static_html: Answers(8080, "/", "nothing but pages");
    static_hugo: Answers(8080, "/", "Made by <strong>hugo</strong>");
}

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

fn works(folder: &str, does: &Does) {
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
    let archive = archive(&run);
    let config = Image::read(&archive).config["config"].clone();
    assert_eq!(config["User"], "65532:65532");
    load(&archive);
    fs::remove_file(archive).unwrap();
    let loaded = Loaded(tag);
    match does {
        Answers(port, path, text) => answers(&loaded.0, *port, path, text),
        Prints(text) => {
            let container = Container::start(&loaded.0, None, &["--cap-drop", "ALL"]);
            assert_eq!(container.exit_code(), 0, "{}", container.log());
            assert!(container.log().contains(text), "{}", container.log());
        }
    }
}

/// The archive of the one app that a repository has.
fn archive(run: &Run) -> PathBuf {
    let names = run.names();
    assert_eq!(names.len(), 1, "{names:?}\n{}", run.stderr);
    run.out.join(format!("{}.oci.tar", names[0]))
}

fn answers(tag: &str, port: u16, path: &str, text: &str) {
    let container = Container::start(tag, Some(port), &["--cap-drop", "ALL"]);
    let (status, body) = container.get(port, path);
    assert_eq!(status, 200, "{body}\n{}", container.log());
    assert!(body.contains(text), "{body}\n{}", container.log());
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
