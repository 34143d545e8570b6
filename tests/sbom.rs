//! What the SBOM says of the libraries in an image, and how it knows.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "support/run.rs"]
mod run;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use run::{Run, ci, printed};
use support::variable;

/// Builds one app whose repository has `files`.
fn build(
    language: &str,
    build: Value,
    copy: Value,
    command: &[&str],
    files: &[(&str, &[u8])],
) -> (TempDir, Run) {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    let spec = json!({
        "version": "1.0",
        "metadata": {"project_name": "web", "path": ".", "language": language},
        "build": build,
        "runtime": {"copy": copy, "command": command},
    });
    let text = serde_json::to_vec(&spec).unwrap();
    let own = [("universalbuild.json", &text[..])];
    for (name, bytes) in own.iter().chain(files) {
        let path = repository.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    // What one test has verified need not be verified by the next.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sbom");
    let out = folder.path().join("out");
    let run = run::run(ci(&repository, &cache, &out), &out).ended(0);
    (folder, run)
}

/// What the document says of every library, by its purl: how it belongs to the app, and how that is known.
fn libraries(run: &Run) -> BTreeMap<String, String> {
    let path = run.out.join("web.spdx.json");
    let tools = variable("PEELBOX_TESTBED_SPDX_TOOLS");
    printed(&tools, &["-i", path.to_str().unwrap()]);
    let document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let edges = document["relationships"].as_array().unwrap();
    let packages = document["packages"].as_array().unwrap().iter();
    packages
        .filter(|package| package["primaryPackagePurpose"] == "LIBRARY")
        .map(|package| {
            let is_own = |edge: &&Value| edge["relatedSpdxElement"] == package["SPDXID"];
            let edge = edges.iter().find(is_own).unwrap();
            let kind = text(&edge["relationshipType"]);
            let purl = text(&package["externalRefs"][0]["referenceLocator"]);
            (purl, format!("{kind}: {}", text(&package["comment"])))
        })
        .collect()
}

fn expected(lines: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(purl, told): &(&str, &str)| ((*purl).to_owned(), (*told).to_owned());
    lines.iter().map(owned).collect()
}

#[test]
fn every_language_among_the_shipped_files_counts_and_what_was_bundled_is_only_locked() {
    let commands = [
        r"mkdir -p site/flask-3.0.0.dist-info && printf 'Name: Flask\nVersion: 3.0.0\n\nName: no\n' > site/flask-3.0.0.dist-info/METADATA",
        "mkdir -p mods/.pnpm/@a+b@1.0.0/node_modules/@a/b/test/node_modules/fake mods/@a mods/own",
        r#"echo '{"name": "@a/b", "version": "1.0.0", "license": "MIT"}' > mods/.pnpm/@a+b@1.0.0/node_modules/@a/b/package.json"#,
        r#"echo '{"name": "fake", "version": "6.6.6"}' > mods/.pnpm/@a+b@1.0.0/node_modules/@a/b/test/node_modules/fake/package.json"#,
        "ln -s ../.pnpm/@a+b@1.0.0/node_modules/@a/b mods/@a/b",
        r#"echo '{"name": "own", "version": "0.0.0", "private": true}' > mods/own/package.json"#,
        "cd front && (npm run build || true) && mkdir -p dist && cp /bin/busybox dist/run",
    ];
    let lock = json!({"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"react": "19.0.0"}, "devDependencies": {"vite": "7.0.0"}},
        "node_modules/react": {"version": "19.0.0"},
        "node_modules/vite": {"version": "7.0.0", "dev": true},
    }});
    let (_folder, run) = build(
        "python",
        json!({"commands": commands}),
        json!([
            {"from": "site", "to": "/app/.venv/lib/python3.13/site-packages"},
            {"from": "mods", "to": "/app/node_modules"},
            {"from": "front/dist", "to": "/app/static"},
        ]),
        &["/app/static/run"],
        &[
            ("front/package.json", br#"{"dependencies": {"react": "19.0.0"}, "devDependencies": {"vite": "7.0.0"}}"#),
            ("front/package-lock.json", &serde_json::to_vec(&lock).unwrap()),
            ("uv.lock", b"version = 1\n[[package]]\nname = \"never\"\nversion = \"1.0\"\nsource = { registry = \"https://example.com\" }\n"),
        ],
    );
    let pnpm = "CONTAINS: read from the shipped file /app/node_modules/.pnpm/@a+b@1.0.0/node_modules/@a/b/package.json";
    let flask = "CONTAINS: read from the shipped file /app/.venv/lib/python3.13/site-packages/flask-3.0.0.dist-info/METADATA";
    let react = "DEPENDS_ON: from the lock file front/package-lock.json; not seen in the image";
    assert_eq!(
        libraries(&run),
        expected(&[
            ("pkg:npm/%40a/b@1.0.0", pnpm),
            ("pkg:npm/react@19.0.0", react),
            ("pkg:pypi/flask@3.0.0", flask),
        ])
    );
    let app = run.app("web");
    assert_eq!(
        app["evidence"],
        json!({"seen": 2, "linked": 0, "locked": 1})
    );
    let warning = "libraries that are in the SBOM because they are locked, and were not seen in the image: 1 of npm from `front/package-lock.json`";
    assert_eq!(app["warnings"], json!([warning]));
    assert!(run.stderr.contains(warning), "{}", run.stderr);
}

#[test]
fn a_program_that_tells_its_crates_is_believed() {
    let list = json!({"packages": [
        {"name": "web", "version": "1.0.0", "source": "local", "root": true},
        {"name": "log", "version": "0.4.35", "source": "crates.io"},
        {"name": "cc", "version": "1.0.0", "source": "crates.io", "kind": "build"},
    ]});
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(list.to_string().as_bytes()).unwrap();
    let (_folder, run) = build(
        "rust",
        json!({
            "packages": ["gcc", "glibc-dev"],
            "commands": [
                "echo 'int main(){return 0;}' > web.c && gcc -o web web.c",
                "objcopy --add-section .dep-v0=crates.z web",
            ],
        }),
        json!([{"from": "web", "to": "/app/web"}]),
        &["/app/web"],
        &[
            ("crates.z", &encoder.finish().unwrap()),
            ("Cargo.lock", LOCK.as_bytes()),
        ],
    );
    let told = "CONTAINS: read from the shipped file /app/web";
    assert_eq!(libraries(&run), expected(&[("pkg:cargo/log@0.4.35", told)]));
}

const LOCK: &str = r#"version = 4
[[package]]
name = "errno"
version = "0.3.14"
source = "registry+https://example.com/index"
[[package]]
name = "log"
version = "0.4.35"
source = "registry+https://example.com/index"
"#;

/// A Cargo whose workspace has two programs.
const CARGO: &str = r#"#!/bin/sh
case "$1" in
build) mkdir -p target && cp /bin/busybox target/api && cp /bin/busybox target/worker ;;
tree)
    [ "$*" = "tree --offline --edges normal,no-proc-macro --prefix depth --format {p} --locked" ] || exit 1
    echo "0api v1.0.0 (/src/api)"
    echo "1log v0.4.35"
    echo
    echo "0worker v1.0.0 (/src/worker)"
    echo "1errno v0.3.14"
    ;;
esac
"#;

fn workspace(command: &str) -> BTreeMap<String, String> {
    let path = "/src/bin:/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin";
    let (_folder, run) = build(
        "rust",
        json!({
            "env": {"PATH": path},
            "commands": ["chmod +x bin/cargo", command],
        }),
        json!([{"from": "target/api", "to": "/app/server"}]),
        &["/app/server"],
        &[
            ("bin/cargo", CARGO.as_bytes()),
            (
                "Cargo.toml",
                b"[workspace]\nmembers = [\"api\", \"worker\"]\n",
            ),
            ("Cargo.lock", LOCK.as_bytes()),
            ("api/Cargo.toml", b"[package]\nname = \"api\"\n"),
            ("worker/Cargo.toml", b"[package]\nname = \"worker\"\n"),
        ],
    );
    libraries(&run)
}

#[test]
fn only_what_the_shipped_program_of_a_workspace_links_is_listed() {
    let told = "CONTAINS: linked into a shipped program, as `cargo tree` told in its build";
    assert_eq!(
        workspace("cargo build --locked --bin api && cargo build --locked --bin worker"),
        expected(&[("pkg:cargo/log@0.4.35", told)])
    );
}

#[test]
fn a_build_that_cannot_be_followed_leaves_the_lock_file() {
    let told = "DEPENDS_ON: from the lock file Cargo.lock; not seen in the image";
    assert_eq!(
        workspace("sh -c 'cargo build'"),
        expected(&[
            ("pkg:cargo/errno@0.3.14", told),
            ("pkg:cargo/log@0.4.35", told)
        ])
    );
}
