//! Images for several platforms, at a daemon whose machine has one of them.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "support/apk.rs"]
mod apk;
#[path = "failures/repository.rs"]
#[allow(
    dead_code,
    reason = "every test that includes this file uses its own part of it"
)]
mod repository;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use apk::Package;
use repository::{Files, Repository};
use serde_json::{Value, json};
use support::variable;
use tempfile::TempDir;

/// A program of nothing but its head, for the processor of this number: it is never run.
fn program(machine: u16) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0".to_vec();
    bytes.extend(machine.to_le_bytes());
    bytes.extend([1, 0, 0, 0]);
    bytes.extend([0; 8 + 8 + 8 + 4]);
    bytes.extend([64, 0, 56, 0, 0, 0, 64, 0, 0, 0, 0, 0]);
    bytes
}

fn hello(machine: u16) -> Package {
    Package::new("hello", "1.0-r0").file("usr/bin/hello", 0o755, program(machine))
}

const AMD64: u16 = 62;
const ARM64: u16 = 183;

/// The repository of packages for both architectures.
fn packages() -> Repository {
    Files::new([hello(AMD64)])
        .with_architecture("aarch64", [hello(ARM64)])
        .serve()
}

fn sources(commands: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let spec = json!({
        "version": "1.0",
        "metadata": {"project_name": "page"},
        "build": {"commands": commands},
        "runtime": {
            "packages": ["hello"],
            "copy": [{"from": "page.txt", "to": "/app/page.txt"}],
            "command": ["hello"],
        },
    });
    fs::create_dir(folder.path().join("repository")).unwrap();
    let file = |name: &str| folder.path().join("repository").join(name);
    fs::write(file("page.txt"), "hello\n").unwrap();
    fs::write(file("universalbuild.json"), spec.to_string()).unwrap();
    folder
}

fn peelbox(folder: &Path, packages: &Repository, arguments: &[&str]) -> Output {
    let key = folder.join(packages.key.name());
    fs::write(&key, packages.key.public_pem()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_peelbox"))
        .args(arguments)
        .current_dir(folder)
        .env(
            "PEELBOX_BUILDKIT",
            variable("PEELBOX_TESTBED_BUILDKIT_LATEST"),
        )
        .env(
            "PEELBOX_BASE_IMAGE",
            variable("PEELBOX_TESTBED_BASE_IMAGE_REGISTRY"),
        )
        .env("PEELBOX_APK_REPOSITORY", packages.url())
        .env("PEELBOX_APK_KEY", &key)
        .env("PEELBOX_CACHE_DIR", folder.join("cache"))
        .env_remove("SOURCE_DATE_EPOCH")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn skopeo(arguments: &[&str]) -> Vec<u8> {
    let program = variable("PEELBOX_TESTBED_SKOPEO");
    let output = Command::new(program)
        .arg("--insecure-policy")
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// The platforms of the images of an index, and what is attested of them.
fn platforms(index: &Value) -> (BTreeSet<String>, usize) {
    let manifests = index["manifests"].as_array().unwrap();
    let is_attestation =
        |one: &&Value| one["annotations"]["vnd.docker.reference.type"] == "attestation-manifest";
    let attestations = manifests.iter().filter(is_attestation).count();
    let images = manifests.iter().filter(|one| !is_attestation(one));
    let names = images.map(|one| {
        format!(
            "{}/{}",
            one["platform"]["os"].as_str().unwrap(),
            one["platform"]["architecture"].as_str().unwrap()
        )
    });
    (names.collect(), attestations)
}

fn both() -> BTreeSet<String> {
    ["linux/amd64", "linux/arm64"].map(str::to_owned).into()
}

#[test]
fn an_app_without_steps_is_made_for_every_platform_without_an_emulator() {
    let (folder, packages) = (sources(&[]), packages());
    let address = variable("PEELBOX_TESTBED_REGISTRY");
    let name = format!("{address}/platforms/{}:1", uuid::Uuid::new_v4().simple());
    let output = peelbox(
        folder.path(),
        &packages,
        &[
            "build",
            "--repo",
            "repository",
            "--platform",
            "linux/amd64,linux/arm64/v8",
            "--tag",
            &name,
            "--push",
            "-o",
            "type=oci,dest=both.tar",
            "-o",
            "files",
        ],
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let archive = format!("oci-archive:{}", folder.path().join("both.tar").display());
    let index: Value = serde_json::from_slice(&skopeo(&["inspect", "--raw", &archive])).unwrap();
    assert_eq!(platforms(&index), (both(), 2));
    let remote = format!("docker://{name}");
    let login = format!("{}/config.json", variable("DOCKER_CONFIG"));
    let pushed = skopeo(&[
        "inspect",
        "--raw",
        "--tls-verify=false",
        "--authfile",
        &login,
        &remote,
    ]);
    assert_eq!(serde_json::from_slice::<Value>(&pushed).unwrap(), index);
    assert_each_has_its_own(folder.path(), &archive);
}

/// Every platform has its program and the page, and its configuration says so.
#[track_caller]
fn assert_each_has_its_own(folder: &Path, archive: &str) {
    for (architecture, machine) in [("amd64", AMD64), ("arm64", ARM64)] {
        let directory = folder.join("files").join(format!("linux_{architecture}"));
        assert_eq!(
            fs::read(directory.join("usr/bin/hello")).unwrap(),
            program(machine)
        );
        assert_eq!(
            fs::read(directory.join("app/page.txt")).unwrap(),
            b"hello\n"
        );
        let config = skopeo(&[
            "--override-arch",
            architecture,
            "inspect",
            "--config",
            archive,
        ]);
        let config: Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(config["architecture"], architecture);
        assert_eq!(config["config"]["Entrypoint"], json!(["hello"]));
    }
}

#[test]
fn ci_reports_the_image_of_every_platform() {
    let (folder, packages) = (sources(&[]), packages());
    let arguments = [
        "ci",
        "repository",
        "--output-dir",
        "out",
        "--platform",
        "linux/amd64,linux/arm64",
    ];
    let output = peelbox(folder.path(), &packages, &arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read = |name: &str| fs::read(folder.path().join("out").join(name)).unwrap();
    let report: Value = serde_json::from_slice(&read("report.json")).unwrap();
    let apps = report["apps"].as_array().unwrap();
    let names: BTreeSet<String> = apps
        .iter()
        .map(|app| {
            format!(
                "{}/{}",
                app["platform"]["os"].as_str().unwrap(),
                app["platform"]["architecture"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!((names, apps.len()), (both(), 2));
    assert_ne!(apps[0]["image"]["manifest"], apps[1]["image"]["manifest"]);
    assert_eq!(apps[0]["image"]["index"], apps[1]["image"]["index"]);
    for file in [
        "page.oci.tar",
        "page.spdx.json",
        "page.linux-arm64.spdx.json",
        "page.provenance.json",
    ] {
        assert!(!read(file).is_empty());
    }
    assert_ne!(read("page.spdx.json"), read("page.linux-arm64.spdx.json"));
}

#[test]
fn an_app_with_steps_needs_a_daemon_that_can_run_them() {
    let (folder, packages) = (sources(&["true"]), packages());
    let arguments = [
        "build",
        "--repo",
        "repository",
        "--platform",
        "linux/arm64",
        "--tag",
        "a",
        "-o",
        "a",
    ];
    let output = peelbox(folder.path(), &packages, &arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    let expected = "error: app `page` has build steps, and this BuildKit cannot run them for linux/arm64: it has ";
    assert!(told.contains(expected), "{told}");
    assert!(told.contains("tonistiigi/binfmt --install arm64"), "{told}");
    assert!(!folder.path().join("a").exists());
    let arguments = [
        "build",
        "--repo",
        "repository",
        "--platform",
        "linux/riscv64",
        "--tag",
        "a",
    ];
    let output = peelbox(folder.path(), &packages, &arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("`--platform linux/riscv64`: Wolfi is not made for it"),
        "{told}"
    );
}
