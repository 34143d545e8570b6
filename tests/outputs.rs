//! Where images go: every kind of output and of login, against real daemons and registries. The credential helper and the token
//! service are stand-ins.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "support/image.rs"]
mod image;
#[path = "support/run.rs"]
mod run;
#[path = "support/token.rs"]
mod token;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use image::Image;
use run::{ci, ended};
use support::variable;
use token::TokenRegistry;

/// A site, and for `commands` one that is built.
fn site(name: &str, commands: &[&str]) -> Value {
    json!({
        "version": "1.0",
        "metadata": {"project_name": name, "kind": "static"},
        "build": {"context": ["public/**"], "commands": commands},
        "runtime": {
            "packages": ["nginx"],
            "copy": [{"from": "public", "to": "/app"}],
            "ports": [8080],
        },
    })
}

/// A repository, and beside it a directory for what is made of it.
struct Folder(TempDir);

impl Folder {
    fn new(specs: &[Value]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let public = folder.path().join("repository/public");
        fs::create_dir_all(&public).unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        fs::write(public.join("index.html"), "<p>hello</p>\n").unwrap();
        let spec = folder.path().join("repository/universalbuild.json");
        fs::write(spec, serde_json::to_vec_pretty(specs).unwrap()).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `peelbox build` at the daemon that the variable `buildkit` names, in the directory `out`.
    fn build(&self, buildkit: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peelbox"));
        command
            .args(["build", "--progress", "plain", "--repo"])
            .arg(self.path("repository"))
            .env("PEELBOX_BUILDKIT", variable(buildkit))
            .env_remove("SOURCE_DATE_EPOCH")
            .current_dir(self.path("out"))
            .stdin(Stdio::null());
        if !variable(buildkit).starts_with("docker://") {
            let base = variable("PEELBOX_TESTBED_BASE_IMAGE_REGISTRY");
            command.env("PEELBOX_BASE_IMAGE", base);
        }
        command
    }
}

const LATEST: &str = "PEELBOX_TESTBED_BUILDKIT_LATEST";
const OLD: &str = "PEELBOX_TESTBED_BUILDKIT_0_11";
const ENGINE: &str = "BUILDKIT_HOST";

fn succeeded(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    (stdout, stderr)
}

fn made(command: &mut Command) -> (String, String) {
    succeeded(&command.output().unwrap())
}

fn failed(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    stderr
}

/// A name that no other test has, in the registry at `address`.
fn name(address: &str, app: &str) -> String {
    format!(
        "{address}/outputs/{}/{app}:1.0",
        uuid::Uuid::new_v4().simple()
    )
}

fn skopeo(arguments: &[&str]) -> String {
    let program = variable("PEELBOX_TESTBED_SKOPEO");
    made(
        Command::new(program)
            .arg("--insecure-policy")
            .args(arguments),
    )
    .0
}

/// Pulls `name` with all that belongs to it.
fn pulled(name: &str, folder: &Folder, login: &Path) -> Image {
    let file = folder.path("pulled.tar");
    let _ = fs::remove_file(&file);
    let (from, to) = (
        format!("docker://{name}"),
        format!("oci-archive:{}", file.display()),
    );
    let login = login.display().to_string();
    skopeo(&[
        "copy",
        "--all",
        "--src-tls-verify=false",
        "--authfile",
        &login,
        &from,
        &to,
    ]);
    Image::read(&file)
}

fn testbed_login() -> PathBuf {
    Path::new(&variable("DOCKER_CONFIG")).join("config.json")
}

fn entries(tar: &Path) -> BTreeSet<String> {
    let mut archive = tar::Archive::new(fs::File::open(tar).unwrap());
    let entries = archive.entries().unwrap();
    let paths = entries.map(|entry| entry.unwrap().path().unwrap().display().to_string());
    paths
        .map(|path| path.trim_start_matches("./").to_owned())
        .collect()
}

const SPDX: &str = "https://spdx.dev/Document";

#[test]
fn one_call_makes_every_kind_of_output() {
    let folder = Folder::new(&[site("page", &[])]);
    let mut command = folder.build(LATEST);
    command.args(["--tag", "registry.test/page:1", "-o", "type=oci,dest=a.tar"]);
    command.args(["-o", "type=oci,dest=layout,tar=false", "-o", "files"]);
    command.args([
        "-o",
        "type=rootfs,dest=root.tar",
        "-o",
        "type=tar,dest=docker.tar",
    ]);
    command.args([
        "-o",
        "type=oci,dest={app}.zstd.tar,compression=zstd,name=other.test/{app}",
    ]);
    let (stdout, _) = made(&mut command);
    let out = folder.path("out");
    let image = Image::read(&out.join("a.tar"));
    assert!(image.statements.contains_key(SPDX));
    assert!(
        stdout.contains(&format!("registry.test/page:1 {}\n", image.manifest)),
        "{stdout}"
    );

    let layout = format!("oci:{}:1", out.join("layout").display());
    let index: Value = serde_json::from_str(&skopeo(&["inspect", "--raw", &layout])).unwrap();
    assert_eq!(index["manifests"][0]["digest"], image.manifest);
    skopeo(&[
        "copy",
        &layout,
        &format!("oci-archive:{}", out.join("copy.tar").display()),
    ]);

    let page = fs::read_to_string(out.join("files/app/index.html")).unwrap();
    assert_eq!(page, "<p>hello</p>\n");
    let mode = fs::metadata(out.join("files/usr/bin/nginx"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
    let files = entries(&out.join("root.tar"));
    assert!(files.contains("app/index.html") && !files.contains("provenance.json"));
    let docker = entries(&out.join("docker.tar"));
    assert!(docker.contains("manifest.json"), "{docker:?}");
    let zstd = format!("oci-archive:{}", out.join("page.zstd.tar").display());
    let unpacked = folder.path("zstd");
    skopeo(&["copy", &zstd, &format!("dir:{}", unpacked.display())]);
    let manifest = fs::read_to_string(unpacked.join("manifest.json")).unwrap();
    let layers = [
        manifest.matches("tar+zstd").count(),
        manifest.matches("tar+gzip").count(),
    ];
    assert_eq!(layers, [2, 0], "{manifest}");
    assert!(stdout.contains("other.test/page sha256:"), "{stdout}");
    // Nothing half made is left.
    let left = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(
        !left
            .into_iter()
            .any(|name| name.to_string_lossy().starts_with('.'))
    );
}

#[test]
fn an_old_daemon_makes_one_output_after_the_other() {
    let folder = Folder::new(&[site("page", &[])]);
    // A daemon that rewrites no times has two results where two builds of the same run at the same time.
    let page = uuid::Uuid::new_v4().to_string();
    fs::write(folder.path("repository/public/index.html"), page).unwrap();
    let name = name(&variable("PEELBOX_TESTBED_REGISTRY"), "page");
    let out = folder.path("left");
    let mut command = ci(&folder.path("repository"), &folder.path("cache"), &out);
    command
        .env("PEELBOX_BUILDKIT", variable(OLD))
        .current_dir(folder.path("out"));
    command.env(
        "PEELBOX_OUTPUT",
        "type=local,dest=files\ntype=oci,tar=false,dest=layout",
    );
    command.args(["--push", "--tag", &name]);
    let output = command.output().unwrap();
    let run = ended(&output, std::time::Duration::ZERO, &out).ended(0);
    let told = run.stderr.matches("one output at a time").count();
    assert_eq!(told, 1, "{}", run.stderr);
    assert!(folder.path("out/files/app/index.html").is_file());
    assert!(folder.path("out/layout/index.json").is_file());
    let image = pulled(&name, &folder, &testbed_login());
    assert_eq!(image.manifest, run.manifest("page"));
}

#[test]
fn what_is_pushed_is_what_the_report_says_with_its_sbom() {
    for buildkit in [LATEST, ENGINE] {
        let folder = Folder::new(&[site("page", &[]), site("shop", &[])]);
        let address = variable("PEELBOX_TESTBED_REGISTRY");
        let name = name(&address, "{app}");
        let out = folder.path("left");
        let mut command = ci(&folder.path("repository"), &folder.path("cache"), &out);
        command.env("PEELBOX_BUILDKIT", variable(buildkit));
        let metadata = folder.path("metadata.json");
        command
            .args(["--push", "--tag", &name, "--metadata-file"])
            .arg(&metadata);
        let output = command.output().unwrap();
        let run = ended(&output, std::time::Duration::ZERO, &out).ended(0);
        let metadata: Value = serde_json::from_slice(&fs::read(metadata).unwrap()).unwrap();
        for app in ["page", "shop"] {
            let name = name.replace("{app}", app);
            let image = pulled(&name, &folder, &testbed_login());
            assert_eq!(image.manifest, run.manifest(app));
            let sbom = fs::read(out.join(format!("{app}.spdx.json"))).unwrap();
            let statement: Value = serde_json::from_slice(&image.statements[SPDX]).unwrap();
            assert_eq!(
                statement["predicate"],
                serde_json::from_slice::<Value>(&sbom).unwrap()
            );
            let index = &run.app(app)["image"]["index"];
            let pushed = format!("{name}@{}", index.as_str().unwrap());
            assert_eq!(run.app(app)["image"]["pushed"], json!([pushed]));
            assert_eq!(metadata[app]["containerimage.digest"], *index);
            assert_eq!(metadata[app]["image.name"], name);
        }
    }
}

#[test]
fn metadata_has_the_form_that_buildx_gives_it() {
    let folder = Folder::new(&[site("page", &[])]);
    let address = variable("PEELBOX_TESTBED_REGISTRY");
    let (ours, theirs) = (name(&address, "page"), name(&address, "page"));
    made(
        folder
            .build(ENGINE)
            .args(["--push", "--tag", &ours, "--metadata-file", "ours.json"]),
    );
    fs::write(
        folder.path("repository/Dockerfile"),
        "FROM scratch\nCOPY public /\n",
    )
    .unwrap();
    let mut buildx = Command::new(variable("PEELBOX_TESTBED_DOCKER"));
    buildx.args([
        "buildx",
        "build",
        "--push",
        "--tag",
        &theirs,
        "--metadata-file",
    ]);
    buildx
        .arg(folder.path("theirs.json"))
        .arg(folder.path("repository"));
    made(&mut buildx);
    let read = |path: &str| -> Value {
        serde_json::from_slice(&fs::read(folder.path(path)).unwrap()).unwrap()
    };
    let (ours, theirs) = (read("out/ours.json"), read("theirs.json"));
    let shape = |value: &Value| -> BTreeSet<String> {
        let fields = value.as_object().unwrap().iter();
        let about_images = fields.filter(|(key, _)| !key.starts_with("buildx."));
        about_images
            .map(|(key, value)| {
                format!(
                    "{key} {}",
                    if value.is_object() { "object" } else { "text" }
                )
            })
            .collect()
    };
    assert_eq!(shape(&ours), shape(&theirs));
    let descriptor = "containerimage.descriptor";
    assert_eq!(shape(&ours[descriptor]), shape(&theirs[descriptor]));
    assert_eq!(ours[descriptor]["digest"], ours["containerimage.digest"]);
}

/// A Docker configuration of `config`, with `helper` as what prints a login.
fn login(folder: &Folder, config: &Value, helper: &str) -> PathBuf {
    let directory = folder.path("docker");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("config.json"), config.to_string()).unwrap();
    let program = directory.join("docker-credential-stand-in");
    fs::write(&program, format!("#!/bin/sh\n{helper}\n")).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    directory
}

/// The user and the password of the test bed's registry.
fn password() -> (String, String) {
    let config: Value = serde_json::from_slice(&fs::read(testbed_login()).unwrap()).unwrap();
    let auth = config["auths"][variable("PEELBOX_TESTBED_REGISTRY")]["auth"]
        .as_str()
        .unwrap()
        .to_owned();
    let pair = String::from_utf8(BASE64_STANDARD.decode(auth).unwrap()).unwrap();
    let (user, password) = pair.split_once(':').unwrap();
    (user.to_owned(), password.to_owned())
}

#[test]
fn logins_come_from_helpers_stores_and_the_environment() {
    let folder = Folder::new(&[site("page", &[])]);
    let address = variable("PEELBOX_TESTBED_REGISTRY");
    let (user, secret) = password();
    let answer = json!({"ServerURL": address, "Username": user, "Secret": secret});
    // It answers for the one registry that it is asked for on stdin.
    let helper = format!(
        "test \"$1\" = get && read -r host; test \"$host\" = '{address}' && echo '{answer}'"
    );
    let path =
        |directory: &Path| format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
    for config in [
        json!({"credHelpers": {&address: "stand-in"}}),
        json!({"credsStore": "stand-in"}),
    ] {
        let directory = login(&folder, &config, &helper);
        let mut command = folder.build(LATEST);
        command.args(["--push", "--tag", &name(&address, "page")]);
        command
            .env("DOCKER_CONFIG", &directory)
            .env("PATH", path(&directory));
        let (_, stderr) = made(&mut command);
        assert!(!stderr.contains(&secret));
    }
    let auth = BASE64_STANDARD.encode(format!("{user}:{secret}"));
    let mut command = folder.build(LATEST);
    command.args(["--push", "--tag", &name(&address, "page")]);
    command.env("DOCKER_CONFIG", folder.path("none"));
    command.env(
        "DOCKER_AUTH_CONFIG",
        json!({"auths": {&address: {"auth": auth}}}).to_string(),
    );
    made(&mut command);
}

#[test]
fn a_push_without_a_login_says_what_to_do() {
    let folder = Folder::new(&[site("page", &[])]);
    let address = variable("PEELBOX_TESTBED_REGISTRY");
    let mut command = folder.build(LATEST);
    command.args(["--push", "--tag", &name(&address, "page")]);
    command.env("DOCKER_CONFIG", folder.path("none"));
    let told = failed(&mut command, 3);
    assert!(
        told.contains("error: app `page` failed: failed to push "),
        "{told}"
    );
    assert!(
        told.contains("hint: log in to the registry with `docker login`"),
        "{told}"
    );
}

#[test]
fn a_registry_that_wants_tokens_gets_them() {
    let folder = Folder::new(&[site("page", &[])]);
    let registry = tempfile::tempdir().unwrap();
    let program = variable("PEELBOX_TESTBED_REGISTRY_PROGRAM");
    let registry = TokenRegistry::start(&program, registry.path(), "pusher", "word:with%signs");
    let auth = BASE64_STANDARD.encode("pusher:word:with%signs");
    let config = json!({"auths": {&registry.address: {"auth": auth}}});
    let directory = login(&folder, &config, "exit 1");
    for buildkit in [LATEST, ENGINE, OLD] {
        let name = name(&registry.address, "page");
        let mut command = folder.build(buildkit);
        command
            .args(["--push", "--tag", &name])
            .env("DOCKER_CONFIG", &directory);
        let (stdout, _) = made(&mut command);
        assert!(stdout.starts_with(&format!("{name}@sha256:")), "{stdout}");
        let image = pulled(&name, &folder, &directory.join("config.json"));
        assert!(image.statements.contains_key(SPDX));
    }
    let given = registry.given.lock().unwrap().join(" ");
    assert!(given.contains(":pull,push"), "{given}");
    let wrong =
        json!({"auths": {&registry.address: {"auth": BASE64_STANDARD.encode("pusher:other")}}});
    let directory = login(&folder, &wrong, "exit 1");
    let mut command = folder.build(LATEST);
    command
        .args(["--push", "--tag", &name(&registry.address, "page")])
        .env("DOCKER_CONFIG", &directory);
    let told = failed(&mut command, 3);
    assert!(told.contains("hint: log in to the registry"), "{told}");
}

#[test]
fn a_tarball_on_stdout_is_what_the_engine_loads() {
    let folder = Folder::new(&[site("page", &[])]);
    let name = format!("outputs.test/{}:1", uuid::Uuid::new_v4().simple());
    let mut command = folder.build(LATEST);
    let output = command.args(["--tag", &name, "-o", "-"]).output().unwrap();
    assert!(output.status.success());
    let file = folder.path("stdout.tar");
    fs::write(&file, &output.stdout).unwrap();
    let docker = variable("PEELBOX_TESTBED_DOCKER");
    made(Command::new(&docker).args(["load", "--input"]).arg(&file));
    made(Command::new(&docker).args(["image", "rm", &name]));
}

#[test]
fn an_image_goes_into_the_engine_unless_something_else_is_asked_for() {
    let docker = variable("PEELBOX_TESTBED_DOCKER");
    for buildkit in [ENGINE, LATEST] {
        let folder = Folder::new(&[site("page", &[])]);
        let name = format!("outputs.test/{}:1", uuid::Uuid::new_v4().simple());
        made(folder.build(buildkit).args(["--tag", &name]));
        let version = ["run", "--rm", "--entrypoint", "nginx", &name, "-v"];
        made(Command::new(&docker).args(version));
        made(Command::new(&docker).args(["image", "rm", &name]));
    }
}

#[test]
fn an_output_has_the_names_that_buildx_has_for_it() {
    let folder = Folder::new(&[site("page", &[])]);
    let address = variable("PEELBOX_TESTBED_REGISTRY");
    let (image, registry) = (name(&address, "page"), name(&address, "page"));
    let mut command = folder.build(LATEST);
    command.args(["--tag", "a.test/page", "-o", "type=local,dest=files"]);
    command.args(["-o", "type=docker,dest=a.tar", "-o", "type=tar,dest=b.tar"]);
    command.args(["-o", &format!("type=image,push=true,name={image}")]);
    command.args(["-o", &format!("type=registry,name={registry}")]);
    made(&mut command);
    let out = folder.path("out");
    assert!(out.join("files/app/index.html").is_file());
    let archives = ["a.tar", "b.tar"].map(|file| entries(&out.join(file)));
    assert!(archives[0].contains("manifest.json"));
    assert_eq!(archives[0], archives[1]);
    let pushed = [image, registry].map(|name| pulled(&name, &folder, &testbed_login()).manifest);
    assert_eq!(pushed[0], pushed[1]);
}

#[test]
fn annotations_are_where_they_were_asked_for() {
    let folder = Folder::new(&[site("page", &[])]);
    let mut command = folder.build(LATEST);
    command.args([
        "--tag",
        "a.test/page",
        "-o",
        "type=oci,dest=a.tar,annotation.one=1",
    ]);
    command.args(["--annotation", "two=2", "--annotation", "index:three=3"]);
    command.args(["--annotation", "manifest-descriptor:four=4"]);
    made(&mut command);
    let archive = format!("oci-archive:{}", folder.path("out/a.tar").display());
    let index: Value = serde_json::from_str(&skopeo(&["inspect", "--raw", &archive])).unwrap();
    assert_eq!(index["annotations"], json!({"three": "3"}));
    assert_eq!(index["manifests"][0]["annotations"], json!({"four": "4"}));
    let image = Image::read(&folder.path("out/a.tar"));
    let layout = folder.path("layout");
    skopeo(&["copy", &archive, &format!("oci:{}", layout.display())]);
    let hex = image.manifest.strip_prefix("sha256:").unwrap();
    let manifest = fs::read(layout.join("blobs/sha256").join(hex)).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["annotations"], json!({"one": "1", "two": "2"}));
    let mut command = folder.build(LATEST);
    command.args([
        "--tag",
        "a",
        "-o",
        "type=docker,dest=d.tar",
        "--annotation",
        "index:a=b",
    ]);
    let told = failed(&mut command, 2);
    assert!(told.contains("there is no index to annotate"), "{told}");
}

#[test]
fn flags_decide_how_steps_run_and_what_starts() {
    let step = "mkdir -p public; { echo \"$GIVEN $HERE\"; grep db.test /etc/hosts; ls /sys/class/net; } > public/told";
    let folder = Folder::new(&[site("page", &[step])]);
    let mut command = folder.build(LATEST);
    command.args([
        "--tag",
        "a.test/page",
        "-o",
        "files",
        "-o",
        "type=oci,dest=a.tar",
    ]);
    command
        .args(["--build-arg", "GIVEN=a b", "--build-arg", "HERE"])
        .env("HERE", "from here");
    command.args(["--add-host", "db.test:10.1.2.3", "--network", "none"]);
    command.args([
        "--entrypoint",
        "nginx -g 'daemon off;'",
        "--build-arg",
        "NPM_TOKEN=hunter2",
    ]);
    let (_, stderr) = made(&mut command);
    let told = fs::read_to_string(folder.path("out/files/app/told")).unwrap();
    assert_eq!(told, "a b from here\n10.1.2.3\tdb.test\nlo\n");
    let image = Image::read(&folder.path("out/a.tar"));
    assert_eq!(
        image.config["config"]["Entrypoint"],
        json!(["nginx", "-g", "daemon off;"])
    );
    assert!(
        stderr.contains("`--build-arg NPM_TOKEN` looks like a credential"),
        "{stderr}"
    );
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn the_network_of_the_daemon_is_for_those_to_whom_it_is_granted() {
    // Nothing of an earlier run is the answer.
    let step = format!("ls /sys/class/net > public/told # {}", uuid::Uuid::new_v4());
    let folder = Folder::new(&[site("page", &[&step])]);
    let mut command = folder.build(LATEST);
    command.args(["--tag", "a.test/page", "-o", "files", "--network", "host"]);
    let told = failed(&mut command, 3);
    assert!(
        told.contains("--allow-insecure-entitlement network.host"),
        "{told}"
    );
    // An Engine grants it.
    let mut command = folder.build(ENGINE);
    command.args(["--tag", "a.test/page", "-o", "files", "--network", "host"]);
    made(&mut command);
    let told = fs::read_to_string(folder.path("out/files/app/told")).unwrap();
    let here = fs::read_dir("/sys/class/net").unwrap();
    let here = here.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // Those of containers come and go.
    let lasting: Vec<String> = here.filter(|name| !name.starts_with("veth")).collect();
    assert!(
        lasting.len() > 1
            && lasting
                .iter()
                .all(|name| told.lines().any(|line| line == name)),
        "{told}"
    );
}
