//! Images and caches that do not come from the daemon, and agents that it reaches through the session.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "support/gha.rs"]
mod gha;
#[path = "support/image.rs"]
mod image;
#[path = "support/run.rs"]
mod run;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use image::{Image, sha256};
use peelbox::buildkit::llb::{OciLayout, State};
use peelbox::buildkit::{Services, Session, Stores};
use peelbox::oci::{Layout, Platform};
use run::{Run, ci, printed};
use support::variable;

/// A repository with a page whose build step no daemon has run before.
struct Site {
    folder: TempDir,
    nonce: String,
    host: String,
}

/// What the step prints; its command has it in no log.
const MARK: &str = "ran-42";

impl Site {
    /// Apps for the daemon under test.
    fn new(apps: &[&str]) -> Self {
        Self::on(&variable("BUILDKIT_HOST"), apps)
    }

    /// Apps for the daemon at `host`.
    fn on(host: &str, apps: &[&str]) -> Self {
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let command = format!("printf 'ran-%s\\n' $((6*7)); : {nonce}");
        Self::with(host, apps, &nonce, &[command])
    }

    fn with(host: &str, apps: &[&str], nonce: &str, commands: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let public = folder.path().join("repository/public");
        fs::create_dir_all(&public).unwrap();
        fs::write(public.join("index.html"), nonce).unwrap();
        let site = |app: &&str| {
            json!({
                "version": "1.0",
                "metadata": {"project_name": app, "path": ".", "kind": "static"},
                "build": {"context": ["public/**", "tools/**"], "commands": commands},
                "runtime": {"packages": ["nginx"], "copy": [{"from": "public", "to": "/app"}]},
            })
        };
        let specs: Vec<Value> = apps.iter().map(site).collect();
        let text = serde_json::to_vec(&specs).unwrap();
        fs::write(folder.path().join("repository/universalbuild.json"), text).unwrap();
        Self {
            folder,
            nonce: nonce.to_owned(),
            host: host.to_owned(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, options: &[&str]) -> Command {
        // What one run has verified need not be verified by the next.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stores");
        let mut command = ci(&self.path("repository"), &cache, &self.path("out"));
        command.args(options).env("BUILDKIT_HOST", &self.host);
        if !self.host.starts_with("docker://") {
            let base = variable("PEELBOX_TESTBED_BASE_IMAGE_REGISTRY");
            command.env("PEELBOX_BASE_IMAGE", base);
        }
        command
    }

    fn run(&self, options: &[&str], environment: &[(&str, &str)]) -> Run {
        let mut command = self.command(options);
        command.envs(environment.iter().copied());
        run::run(command, &self.path("out"))
    }

    fn log(&self, app: &str) -> String {
        fs::read_to_string(self.path("out").join(format!("{app}.log"))).unwrap()
    }

    /// Makes the daemon forget the step, and nothing that other tests need.
    fn forget(&self) {
        // A daemon before 0.14 removes nothing by its description.
        let listed = self.buildctl(&["du", "--verbose"]);
        let records: Vec<&str> = listed
            .split("ID:")
            .filter(|record| record.contains(&self.nonce))
            .filter_map(|record| record.split_whitespace().next())
            .collect();
        assert!(!records.is_empty(), "{listed}");
        for record in records {
            let filter = format!("id~={record}");
            match self.host.starts_with("docker://") {
                true => self.buildctl(&["prune", "--force", "--filter", &filter]),
                false => self.buildctl(&["prune", "--filter", &filter]),
            };
        }
    }

    fn buildctl(&self, arguments: &[&str]) -> String {
        let docker = variable("PEELBOX_TESTBED_DOCKER");
        let (program, first) = match self.host.split_once("://") {
            Some(("docker", _)) => (docker, vec!["buildx"]),
            Some(("docker-container", name)) => (docker, vec!["exec", name, "buildctl"]),
            _ => (
                variable("PEELBOX_TESTBED_BUILDCTL"),
                vec!["--addr", &self.host],
            ),
        };
        let mut command = Command::new(program);
        if let Some(socket) = self.host.strip_prefix("docker://") {
            command.env("DOCKER_HOST", format!("unix://{socket}"));
        }
        let output = command.args(first).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Fails unless what a build with `to` wrote makes it unnecessary to run the step again in one with `from`.
    #[track_caller]
    fn is_served(&self, to: &str, from: &str, environment: &[(&str, &str)]) {
        for (option, runs_again) in [
            (Some(("--cache-to", to)), true),
            // Or else the daemon would know the step anyhow.
            (None, true),
            (Some(("--cache-from", from)), false),
        ] {
            let is_first = option.is_some_and(|(name, _)| name == "--cache-to");
            if !is_first {
                self.forget();
            }
            let options = option.map_or(Vec::new(), |(name, value)| vec![name, value]);
            let run = self.run(&options, environment).ended(0);
            let log = self.log("page");
            assert_eq!(log.contains(MARK), runs_again, "{options:?}\n{log}");
            assert_eq!(run.app("page").get("warnings"), None, "{}", run.stderr);
        }
    }
}

fn latest() -> String {
    variable("PEELBOX_TESTBED_BUILDKIT_LATEST")
}

fn warnings(run: &Run, app: &str) -> Vec<String> {
    let app = run.app(app);
    let warnings = app["warnings"].as_array().into_iter().flatten();
    warnings
        .map(|warning| warning.as_str().unwrap().to_owned())
        .collect()
}

/// Whether `text` is in a file below `path`, as it is.
fn is_told(path: &Path, text: &str) -> bool {
    let files = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files = files.filter(|path| path.extension().is_none_or(|ending| ending != "tar"));
    files.any(|path| {
        let bytes = fs::read(&path).unwrap();
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    })
}

/// An image layout with one file for each architecture.
struct Written {
    folder: TempDir,
}

impl Written {
    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let hex = sha256(bytes);
        let blobs = self.folder.path().join("layout/blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        fs::write(blobs.join(&hex), bytes).unwrap();
        let digest = format!("sha256:{hex}");
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    fn image(&self, architecture: &str) -> Value {
        let kind = |name: &str| format!("application/vnd.oci.image.{name}");
        let mut layer = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(architecture.len() as u64);
        header.set_mode(0o644);
        let path = "architecture";
        layer
            .append_data(&mut header, path, architecture.as_bytes())
            .unwrap();
        let layer = layer.into_inner().unwrap();
        let rootfs = json!({"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))]});
        let config = json!({"os": "linux", "architecture": architecture, "rootfs": rootfs});
        let config = self.blob(&kind("config.v1+json"), config.to_string().as_bytes());
        let layer = self.blob(&kind("layer.v1.tar"), &layer);
        let media_type = kind("manifest.v1+json");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": config,
            "layers": [layer],
        });
        let mut descriptor = self.blob(&media_type, manifest.to_string().as_bytes());
        descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
        descriptor
    }

    /// The layout's directory and its tarball.
    fn write(architectures: &[&str]) -> (Self, [PathBuf; 2]) {
        let written = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = |manifests: Vec<Value>| {
            json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}).to_string()
        };
        let manifests = architectures.iter().map(|one| written.image(one)).collect();
        let root = written.blob(media_type, index(manifests).as_bytes());
        let directory = written.folder.path().join("layout");
        fs::write(directory.join("index.json"), index(vec![root])).unwrap();
        fs::write(
            directory.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .unwrap();
        let tarball = written.folder.path().join("layout.tar");
        let mut tar = tar::Builder::new(fs::File::create(&tarball).unwrap());
        tar.append_dir_all(".", &directory).unwrap();
        tar.finish().unwrap();
        (written, [directory, tarball])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_layout_is_read_where_it_lies_for_each_platform() {
    let client = support::client().await;
    let architectures = ["amd64", "arm64"];
    let (_folder, paths) = Written::write(&architectures);
    for path in paths {
        let layout = Arc::new(Layout::open(&path).unwrap());
        let stores = Stores {
            layouts: [("layout".to_owned(), Arc::clone(&layout))].into(),
            ..Stores::default()
        };
        let services = Services {
            stores,
            ..Services::default()
        };
        let session = Session::start(&client, services).await.unwrap();
        for architecture in architectures {
            let platform = Platform::linux(architecture);
            let digest = layout.find(None, &platform).unwrap().digest;
            let source = OciLayout::new("layout", digest).platform(&platform);
            let definition = State::from(source).marshal().unwrap();
            let text = support::asked(&client, &session, async |gateway| {
                let image = gateway.solve(definition.proto().clone()).await?;
                gateway.read_file(&image, "/architecture", 100).await
            });
            let text = text.await.unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), architecture);
        }
        session.close().await;
    }
}

/// Copies the test bed's base image out of its registry.
fn copy_base(to: &str) {
    let config = variable("DOCKER_CONFIG");
    let from = variable("PEELBOX_TESTBED_BASE_IMAGE_REGISTRY");
    let arguments = [
        "--insecure-policy",
        "copy",
        "--quiet",
        "--all",
        "--src-tls-verify=false",
        "--src-authfile",
        &format!("{config}/config.json"),
        &format!("docker://{from}"),
        to,
    ];
    printed(&variable("PEELBOX_TESTBED_SKOPEO"), &arguments);
}

#[test]
fn the_base_image_may_be_an_image_layout() {
    let site = Site::new(&["page"]);
    let (directory, tarball) = (site.path("base"), site.path("base.tar"));
    let (directory, tarball) = (directory.display(), tarball.display());
    copy_base(&format!("oci:{directory}:1"));
    copy_base(&format!("oci-archive:{tarball}:1"));
    let index = fs::read(site.path("base/index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let base = index["manifests"][0]["digest"].as_str().unwrap();
    let mut digests = Vec::new();
    for text in [
        format!("oci-layout://{directory}"),
        format!("oci-layout://{tarball}:1"),
    ] {
        let run = site.run(&[], &[("PEELBOX_BASE_IMAGE", &text)]).ended(0);
        digests.push(run.manifest("page"));
        let image = Image::read(&run.out.join("page.oci.tar"));
        assert_eq!(
            image.config["config"]["Labels"]["peelbox.build.base.digest"],
            base
        );
        let mut statements = image.statements.iter();
        let (kind, provenance) = statements
            .find(|(kind, _)| kind.starts_with("https://slsa.dev/provenance/"))
            .unwrap();
        let provenance: Value = serde_json::from_slice(provenance).unwrap();
        let predicate = &provenance["predicate"];
        // Older daemons know the older version only.
        let materials = match kind.ends_with("/v1") {
            true => &predicate["buildDefinition"]["resolvedDependencies"],
            false => &predicate["materials"],
        };
        let mut materials = materials.as_array().unwrap().iter();
        let sha256 = &base["sha256:".len()..];
        assert!(
            materials.any(|material| material["digest"]["sha256"] == sha256),
            "{provenance}"
        );
    }
    // The tarball's manifest is the same, whatever it is packed in.
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_base_image_that_is_not_wolfi_is_refused_from_a_layout_too() {
    let site = Site::new(&["page"]);
    let (_folder, [directory, _]) = Written::write(&["amd64"]);
    let path = directory.display();
    for (text, message) in [
        (
            format!("oci-layout://{path}"),
            format!("the base image `oci-layout://{path}` is not Wolfi"),
        ),
        (
            format!("oci-layout://{path}:2"),
            format!("PEELBOX_BASE_IMAGE: `{path}` has no image `2`"),
        ),
    ] {
        let run = site.run(&[], &[("PEELBOX_BASE_IMAGE", &text)]).ended(2);
        assert!(run.stderr.contains(&message), "{}", run.stderr);
    }
}

#[test]
fn a_local_cache_saves_a_daemon_a_step() {
    let site = Site::new(&["page"]);
    let path = site.path("cache");
    let path = path.display();
    site.is_served(
        &format!("type=local,dest={path}/{{app}}"),
        &format!("type=local,src={path}/{{app}}"),
        &[],
    );
    let folder = fs::metadata(site.path("cache/page/index.json")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o644);
    let files = fs::read_dir(site.path("cache/page/blobs/sha256")).unwrap();
    for file in files {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(sha256(&fs::read(&path).unwrap()), name);
    }
}

#[test]
fn a_cache_in_a_registry_saves_a_daemon_a_step() {
    let site = Site::new(&["page"]);
    let registry = variable("PEELBOX_TESTBED_REGISTRY");
    let cache = format!("type=registry,ref={registry}/cache/{{app}}:{}", site.nonce);
    site.is_served(&cache, &cache, &[]);
}

#[test]
fn a_cache_in_an_s3_compatible_store_saves_a_daemon_a_step() {
    let site = Site::on(&latest(), &["page"]);
    let endpoint = variable("PEELBOX_TESTBED_S3");
    let cache = format!(
        "type=s3,region=test,bucket=cache,endpoint_url={endpoint},use_path_style=true,name={}",
        site.nonce
    );
    let login = [
        ("AWS_ACCESS_KEY_ID", "peelbox"),
        ("AWS_SECRET_ACCESS_KEY", "the-secret-of-s3"),
    ];
    site.is_served(&cache, &cache, &login);
    assert!(!is_told(&site.path("out"), "the-secret-of-s3"));
}

#[test]
fn a_cache_in_an_azure_compatible_store_saves_a_daemon_a_step() {
    let site = Site::on(&latest(), &["page"]);
    let endpoint = variable("PEELBOX_TESTBED_AZBLOB");
    let cache = format!(
        "type=azblob,account_url={endpoint},container=cache,name={}",
        site.nonce
    );
    // The one that every Azurite has.
    let key =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let account = format!("{cache},account_name=devstoreaccount1");
    site.is_served(&account, &account, &[("AZURE_STORAGE_KEY", key)]);
    assert!(!is_told(&site.path("out"), key));
}

#[test]
fn a_cache_as_githubs_saves_a_daemon_a_step() {
    let site = Site::on(&latest(), &["page"]);
    let (service, token) = (gha::CacheService::start(), gha::token());
    let url = service.url();
    let runner = [
        ("ACTIONS_CACHE_SERVICE_V2", "True"),
        ("ACTIONS_RESULTS_URL", url.as_str()),
        ("ACTIONS_RUNTIME_TOKEN", token.as_str()),
    ];
    site.is_served("type=gha", "type=gha", &runner);
    assert!(service.was_asked_with(&token));
    assert!(
        service.keys().iter().any(|key| key.contains("index-page-")),
        "{:?}",
        service.keys()
    );
    assert!(!is_told(&site.path("out"), &token));
}

#[test]
fn an_inline_cache_is_part_of_the_image() {
    let site = Site::on(&latest(), &["page"]);
    let run = site.run(&["--cache-to", "type=inline"], &[]).ended(0);
    let archive = run.out.join("page.oci.tar");
    let image = Image::read(&archive);
    assert!(
        !image.config["moby.buildkit.cache.v0"].is_null(),
        "{}",
        image.config
    );
    let registry = variable("PEELBOX_TESTBED_REGISTRY");
    let name = format!("{registry}/cache/inline:{}", site.nonce);
    let config = variable("DOCKER_CONFIG");
    let arguments = [
        "--insecure-policy",
        "copy",
        "--quiet",
        "--all",
        "--dest-tls-verify=false",
        "--dest-authfile",
        &format!("{config}/config.json"),
        &format!("oci-archive:{}", archive.display()),
        &format!("docker://{name}"),
    ];
    printed(&variable("PEELBOX_TESTBED_SKOPEO"), &arguments);
    site.forget();
    let run = site.run(&["--cache-from", &name], &[]).ended(0);
    assert_eq!(warnings(&run, "page"), [""; 0]);
}

#[test]
fn a_cache_that_fails_is_a_warning_and_no_secret_is_told() {
    let site = Site::new(&["page"]);
    let options = [
        "--cache-to",
        "type=s3,region=r,bucket=b,endpoint_url=http://127.0.0.1:1,access_key_id=a,secret_access_key=hunter22",
        "--cache-to",
        "type=registry,ref=127.0.0.1:1/cache",
        "--cache-to",
        "type=gha,url=http://127.0.0.1:1/,token=hunter33",
        "--cache-from",
        "type=registry,ref=127.0.0.1:1/cache",
        "--cache-from",
        "type=local,src=/nonexistent",
    ];
    let run = site.run(&options, &[]).ended(0);
    assert!(site.log("page").contains(MARK));
    let warnings = warnings(&run, "page");
    let has = |text: &str| warnings.iter().any(|warning| warning.contains(text));
    for text in [
        "the cache in `/nonexistent` has nothing tagged `latest` yet",
        "importing cache manifest from 127.0.0.1:1/cache:latest: ",
        "gha cache exporter: ",
    ] {
        assert!(has(text), "{text}: {warnings:#?}");
    }
    assert!(
        has("exporting cache to registry: ") || has("exporting content cache: "),
        "{warnings:#?}"
    );
    // An Engine does not know this kind.
    assert!(
        has("unknown cache exporter: \"s3\"") || has("Amazon S3: ") || has("cache to s3: "),
        "{warnings:#?}"
    );
    for secret in ["hunter22", "hunter33"] {
        assert!(!run.stderr.contains(secret) && !is_told(&run.out, secret));
    }
}

#[test]
fn several_apps_have_a_cache_each() {
    let site = Site::new(&["one", "two"]);
    let path = site.path("cache");
    let alike = format!("type=local,dest={}", path.display());
    let run = site.run(&["--cache-to", &alike], &[]).ended(2);
    let message = "`--cache-to type=local`: 2 apps would overwrite each other's cache";
    assert!(run.stderr.contains(message), "{}", run.stderr);
    site.run(&["--cache-to", &format!("{alike}/{{app}}")], &[])
        .ended(0);
    for app in ["one", "two"] {
        assert!(path.join(app).join("index.json").is_file());
    }
}

#[test]
fn a_cache_in_the_repository_is_no_source() {
    let site = Site::new(&["page"]);
    let path = site.path("repository/kept");
    let cache = format!("type=local,dest={}", path.display());
    let first = site.run(&["--cache-to", &cache], &[]).ended(0);
    assert_ne!(first.app("page")["sent"]["files"], 0);
    assert!(path.join("index.json").is_file());
    let second = site.run(&["--cache-to", &cache], &[]).ended(0);
    assert_eq!(second.app("page")["sent"]["files"], 0);
}

/// An agent with a key; it ends with the value.
struct Agent {
    folder: TempDir,
    child: Child,
}

impl Agent {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let child = Command::new("ssh-agent")
            .args(["-D", "-a", &path("socket")])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self { folder, child };
        let path = |name: &str| agent.folder.path().join(name).display().to_string();
        let key = path("key");
        let arguments = [
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "of a test",
            "-f",
            &key,
        ];
        printed("ssh-keygen", &arguments);
        while !agent.folder.path().join("socket").exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        agent.add(&[&key]);
        agent
    }

    fn socket(&self) -> String {
        self.folder.path().join("socket").display().to_string()
    }

    fn add(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("ssh-add");
        command.args(arguments).env("SSH_AUTH_SOCK", self.socket());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

/// Copies `ssh-add` of this machine, with the libraries that it needs beside the C library's own.
fn copy_ssh_add(to: &Path) {
    fs::create_dir_all(to).unwrap();
    let program = printed("sh", &["-c", "command -v ssh-add"]);
    let program = program.trim();
    fs::copy(program, to.join("ssh-add")).unwrap();
    let listed = printed("ldd", &[program]);
    let libraries = listed.lines().filter_map(|line| line.split("=> ").nth(1));
    for library in libraries.filter_map(|line| line.split(' ').next()) {
        let name = library.rsplit('/').next().unwrap();
        let is_own = ["libc.so.6", "libm.so.6"].contains(&name) || !library.starts_with('/');
        if !is_own {
            fs::copy(library, to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_step_uses_the_keys_of_an_agent_and_cannot_change_it() {
    let agent = Agent::start();
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let command = format!(
        "export LD_LIBRARY_PATH=/src/tools; : {nonce}
tools/ssh-add -l && tools/ssh-add -T tools/key.pub && ! tools/ssh-add -D && tools/ssh-add -l &&
! SSH_AUTH_SOCK=/run/peelbox/ssh-agent/other.sock tools/ssh-add tools/more &&
printf 'ran-%s\\n' $((6*7))"
    );
    let host = variable("BUILDKIT_HOST");
    let site = Site::with(&host, &["page"], &nonce, &[command]);
    let tools = site.path("repository/tools");
    copy_ssh_add(&tools);
    fs::copy(agent.folder.path().join("key.pub"), tools.join("key.pub")).unwrap();
    let more = tools.join("more").display().to_string();
    let arguments = ["-q", "-t", "ed25519", "-N", "", "-C", "more", "-f", &more];
    printed("ssh-keygen", &arguments);
    let known = agent.add(&["-l"]);
    let socket = agent.socket();
    let other = format!("other={socket}");
    let run = site
        .run(
            &["--ssh", "default", "--ssh", &other],
            &[("SSH_AUTH_SOCK", &socket)],
        )
        .ended(0);
    let log = site.log("page");
    assert!(log.contains(MARK), "{log}");
    assert_eq!(log.matches(known.trim()).count(), 2, "{log}");
    assert_eq!(agent.add(&["-l"]), known);
    let image = Image::read(&run.out.join("page.oci.tar"));
    assert!(
        !image
            .flattened()
            .keys()
            .any(|path| path.contains("ssh-agent"))
    );
    assert!(!is_told(&run.out, &socket));
    let image = fs::read_to_string(agent.folder.path().join("key")).unwrap();
    let run = site.run(&["--ssh", "default=/etc/hostname"], &[]).ended(2);
    assert!(
        run.stderr.contains("keys are not read from files"),
        "{}",
        run.stderr
    );
    assert!(!is_told(&run.out, image.lines().nth(2).unwrap()));
}
