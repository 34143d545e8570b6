//! `peelbox ci` of the example repository against a real daemon, and the images that come out of it, run.
//!
//! The runs follow each other, since each one is about what is different from the one before: first, unchanged, with options, with
//! one file changed, with one app broken. Every test forces the run that it looks at, whichever test comes first.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "support/image.rs"]
mod image;
#[path = "support/run.rs"]
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;
use tar::EntryType;

use image::{Apk, Image, parents, sha256};
use run::{Container, Run, ci, copy, load, printed};
use support::variable;

/// The apps of examples/monorepo/README.md with the directories they lie in.
const APPS: [(&str, &str); 8] = [
    ("catalog", "services/catalog"),
    ("gateway", "services/gateway"),
    ("ledger", "services/ledger"),
    ("orders-api", "services/orders"),
    ("orders-worker", "services/orders"),
    ("pricing", "services/pricing"),
    ("search", "services/search"),
    ("storefront", "sites/storefront"),
];
/// The web services with their ports and a text that only the running program can answer with.
const SERVICES: [(&str, u16, &str); 5] = [
    ("catalog", 8000, "python"),
    ("gateway", 3000, "node"),
    ("orders-api", 8080, "go1."),
    ("pricing", 3001, "node"),
    ("search", 8080, "sqlite"),
];
const DATE: &str = "2026-01-01T00:00:00Z";
const EPOCH: u64 = 1_767_225_600;
/// Directories of packages' bookkeeping that no image has.
const DROPPED: [&str; 4] = ["etc/apk", "lib/apk", "usr/lib/apk", "var/cache/apk"];
const CHANGED: &str = "services/pricing/src/basket.ts";

/// The repository: a copy at a path that stays, since the names of cache directories come from it.
struct Shop {
    folder: PathBuf,
    repository: PathBuf,
    cache: tempfile::TempDir,
    _lock: File,
}

static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("monorepo");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let repository = folder.join("repository");
    for old in ["repository", "out"] {
        let _ = fs::remove_dir_all(folder.join(old)); // there may be none
    }
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/monorepo"),
        &repository,
    );
    commit(&repository);
    Shop {
        folder,
        repository,
        cache: tempfile::tempdir().unwrap(),
        _lock: lock,
    }
});

impl Shop {
    fn command(&self, out: &Path, options: &[&str]) -> Command {
        let mut command = ci(&self.repository, self.cache.path(), out);
        command.args(options);
        command
    }

    fn ci(&self, out: &str, options: &[&str]) -> Run {
        let out = self.folder.join("out").join(out);
        run::run(self.command(&out, options), &out)
    }

    fn tag(&self, app: &str) -> String {
        // What runs in other checkouts at the same time has images of its own.
        let name = sha256(self.folder.as_os_str().as_encoded_bytes());
        format!("localhost/peelbox-{}/{app}:1", &name[..12])
    }
}

fn commit(repository: &Path) {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(repository)
            .args(["-c", "user.name=test", "-c", "user.email=test@localhost"])
            .args(["-c", "commit.gpgsign=false"])
            .args(arguments)
            .env("GIT_AUTHOR_DATE", DATE)
            .env("GIT_COMMITTER_DATE", DATE)
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "bookshop"]);
}

/// The first run, and what it left.
struct First {
    run: Run,
    images: BTreeMap<String, Image>,
    /// The packages that the SBOMs name, by `name-version`.
    packages: BTreeMap<String, Apk>,
}

static FIRST: LazyLock<First> = LazyLock::new(|| {
    let tag = SHOP.tag("{app}");
    let run = SHOP.ci("first", &["--tag", &tag]).ended(0);
    let images: BTreeMap<String, Image> = APPS
        .iter()
        .map(|(app, _)| {
            let archive = run.out.join(format!("{app}.oci.tar"));
            ((*app).to_owned(), Image::read(&archive))
        })
        .collect();
    let names: BTreeSet<String> = APPS
        .iter()
        .flat_map(|(app, _)| apks(&sbom(&run, app)))
        .collect();
    First {
        packages: download(names),
        run,
        images,
    }
});

/// A run, and how many files the package repository was asked for meanwhile.
struct Counted {
    run: Run,
    requests: usize,
}

static SECOND: LazyLock<Counted> = LazyLock::new(|| {
    LazyLock::force(&FIRST);
    let tag = SHOP.tag("{app}");
    let again = || {
        let before = requests();
        let run = SHOP.ci("second", &["--tag", &tag]).ended(0);
        Counted {
            run,
            requests: requests() - before,
        }
    };
    // The log does not tell who asked, and the test bed may have other users.
    let mut second = again();
    for _ in 0..2 {
        if second.requests > 0 {
            second = again();
        }
    }
    second
});

/// Two runs with options whose output directory is in the repository.
static OPTIONS: LazyLock<(Run, Run)> = LazyLock::new(|| {
    LazyLock::force(&SECOND);
    let out = SHOP.repository.join("peelbox-out");
    let options = [
        "--app",
        "orders-*",
        "--tag",
        "registry.example/shop/{app}:1",
        "--label",
        "org.example.team=books",
        "--no-sbom",
        "--no-provenance",
    ];
    let run = || run::run(SHOP.command(&out, &options), &out).ended(0);
    let runs = (run(), run());
    let kept = SHOP.folder.join("out/options");
    fs::rename(&out, &kept).unwrap();
    let moved = |run: Run| Run {
        out: kept.clone(),
        ..run
    };
    (moved(runs.0), moved(runs.1))
});

static TOUCHED: LazyLock<Run> = LazyLock::new(|| {
    LazyLock::force(&OPTIONS);
    let file = SHOP.repository.join(CHANGED);
    let text = fs::read_to_string(&file).unwrap();
    // Another run of this test must not have built the same.
    let nonce = uuid::Uuid::new_v4();
    fs::write(
        &file,
        format!("{text}\nexport const touched = \"{nonce}\";\n"),
    )
    .unwrap();
    SHOP.ci("touched", &[]).ended(0)
});

static BROKEN: LazyLock<Run> = LazyLock::new(|| {
    LazyLock::force(&TOUCHED);
    let out = SHOP.folder.join("out/broken");
    fs::create_dir_all(&out).unwrap();
    for stale in [
        "pricing.oci.tar",
        "pricing.spdx.json",
        "pricing.provenance.json",
    ] {
        fs::write(out.join(stale), "of an earlier run").unwrap();
    }
    let file = SHOP.repository.join("services/pricing/src/main.ts");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\nconst broken: = ;\n")).unwrap();
    SHOP.ci("broken", &[]).ended(1)
});

/// The stand-in's address, where there is one.
fn standin() -> Option<String> {
    std::env::var("PEELBOX_APK_REPOSITORY").ok()
}

/// How often the stand-in was asked for a file; the real Wolfi does not tell.
fn requests() -> usize {
    if standin().is_none() {
        return 0;
    }
    let log = fs::read_to_string(variable("PEELBOX_TESTBED_ACCESS_LOG")).unwrap();
    log.lines().filter(|line| line.starts_with("GET ")).count()
}

fn sbom(run: &Run, app: &str) -> Value {
    let bytes = fs::read(run.out.join(format!("{app}.spdx.json"))).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// The package URLs of a document that start with `prefix`, without it and without qualifiers.
fn purls(document: &Value, prefix: &str) -> BTreeSet<String> {
    let packages = document["packages"].as_array().unwrap();
    let references = packages
        .iter()
        .flat_map(|package| package["externalRefs"].as_array().into_iter().flatten());
    references
        .filter_map(|reference| reference["referenceLocator"].as_str()?.strip_prefix(prefix))
        .map(|purl| purl.split('?').next().unwrap().replace("%2B", "+"))
        .collect()
}

/// The `name-version` of the apks that a document names.
fn apks(document: &Value) -> BTreeSet<String> {
    let purls = purls(document, "pkg:apk/wolfi/");
    purls.iter().map(|purl| purl.replace('@', "-")).collect()
}

fn url(package: &str) -> String {
    let repository = standin().unwrap_or_else(|| "https://packages.wolfi.dev/os".to_owned());
    format!("{repository}/x86_64/{package}.apk")
}

#[tokio::main]
async fn download(names: BTreeSet<String>) -> BTreeMap<String, Apk> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // installed already is as good
    let client = reqwest::Client::new();
    let mut packages = BTreeMap::new();
    for name in names {
        let answer = client.get(url(&name)).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let bytes = answer.unwrap().bytes().await.unwrap();
        packages.insert(name, Apk::read(&bytes));
    }
    packages
}

fn rewrites_times() -> bool {
    let report = FIRST.run.report();
    let warnings = report["warnings"].as_array().cloned().unwrap_or_default();
    !warnings
        .iter()
        .any(|warning| warning.as_str().unwrap().contains("older than 0.13"))
}

#[test]
fn exactly_the_apps_of_the_readme_are_found_and_built() {
    let readme = fs::read_to_string(SHOP.repository.join("README.md")).unwrap();
    let listed = readme
        .lines()
        .filter(|line| line.starts_with("| `se") || line.starts_with("| `si"))
        .count();
    assert_eq!(listed, APPS.len());
    assert_eq!(FIRST.run.names(), APPS.map(|(name, _)| name.to_owned()));
    for (name, path) in APPS {
        let app = FIRST.run.app(name);
        assert_eq!(
            (&app["path"], &app["outcome"]),
            (&path.into(), &"built".into())
        );
        assert_eq!(
            app["image"]["manifest"].as_str(),
            Some(FIRST.images[name].manifest.as_str())
        );
    }
    assert_eq!(FIRST.run.report()["complete"], true);
    let checked = Command::new("sha256sum")
        .args(["--check", "--strict", "checksums.txt"])
        .current_dir(&FIRST.run.out)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn every_web_service_answers_on_a_read_only_file_system_and_ends_at_once() {
    for (app, port, text) in SERVICES {
        let config = &FIRST.images[app].config["config"];
        assert_eq!(config["User"], "65532:65532", "{app}");
        load(&FIRST.run.out.join(format!("{app}.oci.tar")));
        answers(app, port, text, &[]);
        if text == "node" {
            answers(app, port, text, &["--user", "65532", "--cap-drop", "ALL"]);
        }
    }
}

fn answers(app: &str, port: u16, text: &str, options: &[&str]) {
    let container = Container::start(&SHOP.tag(app), Some(port), options);
    let (status, body) = container.get(port, "/healthz");
    assert_eq!(status, 200, "{app}: {body}\n{}", container.log());
    assert!(body.contains(text), "{app}: {body}");
    ends(app, &container);
}

fn ends(app: &str, container: &Container) {
    let (took, code) = container.stop();
    assert!(took < Duration::from_secs(8), "{app} took {took:?} to end");
    // 143 is a program that does not catch SIGTERM and is ended by it.
    assert!(
        [0, 143].contains(&code),
        "{app} ended with {code}\n{}",
        container.log()
    );
}

#[test]
fn workers_do_their_work_on_a_read_only_file_system() {
    for app in ["ledger", "orders-worker"] {
        load(&FIRST.run.out.join(format!("{app}.oci.tar")));
    }
    let ledger = Container::start(&SHOP.tag("ledger"), None, &[]);
    assert_eq!(ledger.exit_code(), 0, "{}", ledger.log());
    assert!(
        ledger.log().contains("worker: libpq 18"),
        "{}",
        ledger.log()
    );
    let worker = Container::start(
        &SHOP.tag("orders-worker"),
        None,
        &["--env", "INTERVAL=100ms"],
    );
    worker.await_log("orders-worker: placed ");
    assert!(worker.is_running());
    ends("orders-worker", &worker);
}

#[test]
fn the_static_site_has_its_pages_and_its_page_for_what_is_missing() {
    load(&FIRST.run.out.join("storefront.oci.tar"));
    for options in [&[][..], &["--user", "65532", "--cap-drop", "ALL"]] {
        let container = Container::start(&SHOP.tag("storefront"), Some(8080), options);
        let page = |name: &str| {
            fs::read_to_string(SHOP.repository.join("sites/storefront").join(name)).unwrap()
        };
        assert_eq!(container.get(8080, "/"), (200, page("index.html")));
        assert_eq!(container.get(8080, "/style.css"), (200, page("style.css")));
        assert_eq!(container.get(8080, "/no/such"), (404, page("404.html")));
        ends("storefront", &container);
    }
}

#[test]
fn an_image_has_two_layers_and_neither_shell_nor_apk() {
    for (app, image) in &FIRST.images {
        assert_eq!(image.layers.len(), 2, "{app}");
        assert_eq!(
            image.config["history"].as_array().unwrap().len(),
            2,
            "{app}"
        );
        let files = image.flattened();
        let unwanted = [
            "bin/sh",
            "usr/bin/sh",
            "bin/busybox",
            "usr/bin/busybox",
            "sbin/apk",
            "usr/bin/apk",
            "usr/lib/apk",
            "lib/apk",
            "etc/apk",
        ];
        for path in unwanted {
            assert!(!files.contains_key(path), "{app}: {path}");
        }
        let stray = files.keys().find(|path| {
            path.starts_with('.') || path.starts_with("src/") || path.starts_with("peelbox/")
        });
        assert_eq!(stray, None, "{app}");
    }
}

#[test]
fn layer_one_is_made_of_the_packages_of_the_sbom_and_nothing_else() {
    for (app, image) in &FIRST.images {
        let named = apks(&sbom(&FIRST.run, app));
        let packages: Vec<&Apk> = named.iter().map(|name| &FIRST.packages[name]).collect();
        let is_dropped = |path: &str| {
            DROPPED
                .iter()
                .any(|drop| path == *drop || path.starts_with(&format!("{drop}/")))
        };
        let expected: BTreeSet<&String> = packages
            .iter()
            .flat_map(|package| &package.entries)
            .filter(|(path, entry)| entry.kind != EntryType::Directory && !is_dropped(path))
            .map(|(path, _)| path)
            .collect();
        let layer = &image.layers[0];
        let found: BTreeSet<&String> = layer
            .iter()
            .filter(|(_, entry)| entry.kind != EntryType::Directory)
            .map(|(path, _)| path)
            .collect();
        assert_eq!(found, expected, "{app}");
        for (path, entry) in layer {
            let from: Vec<_> = packages
                .iter()
                .filter_map(|package| package.entries.get(path))
                .collect();
            let is_same = |other: &&&image::Entry| {
                (other.mode, other.owner) == (entry.mode, entry.owner)
                    && (entry.kind == EntryType::Directory
                        || other.kind == entry.kind
                            && other.target == entry.target
                            && other.sha256 == entry.sha256)
            };
            match entry.kind {
                // Packages may leave out the directories above their files.
                EntryType::Directory if from.is_empty() => {
                    assert!(
                        parents(found.iter().copied()).contains(path),
                        "{app}: {path}"
                    );
                }
                _ => assert!(
                    from.iter().any(|other| is_same(&other)),
                    "{app}: {path} {entry:?} {from:?}"
                ),
            }
        }
    }
}

#[test]
fn layer_two_belongs_to_root_and_has_no_file_that_everybody_may_change() {
    for (app, image) in &FIRST.images {
        for (path, entry) in &image.layers[1] {
            let is_writable = path.starts_with("var/lib/peelbox") && app == "storefront";
            let owner = if is_writable { (65532, 65532) } else { (0, 0) };
            assert_eq!(entry.owner, owner, "{app}: {path}");
            if entry.kind != EntryType::Symlink {
                assert_eq!(
                    entry.mode & 0o7022,
                    0,
                    "{app}: {path} has mode {:o}",
                    entry.mode
                );
                assert_eq!(
                    entry.mode & 0o444,
                    0o444,
                    "{app}: {path} has mode {:o}",
                    entry.mode
                );
            }
            assert!(!path.contains(".wh."), "{app}: {path}");
        }
    }
}

#[test]
fn every_time_in_an_image_is_that_of_the_commit() {
    for (app, image) in &FIRST.images {
        assert_eq!(image.config["created"], DATE, "{app}");
        for entry in image.config["history"].as_array().unwrap() {
            assert_eq!(entry["created"], DATE, "{app}");
        }
        if rewrites_times() {
            for (path, entry) in image.layers.iter().flatten() {
                assert!(entry.time <= EPOCH, "{app}: {path} is of {}", entry.time);
            }
        }
    }
}

#[test]
fn no_image_has_a_file_of_another_app() {
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    walk(&SHOP.repository, &mut |path, bytes| {
        sources.insert(sha256(bytes), path);
    });
    for (app, path) in APPS {
        let mut allowed = vec![format!("{path}/")];
        if ["gateway", "pricing"].contains(&app) {
            allowed.push("packages/server/".to_owned());
        }
        let layer = &FIRST.images[app].layers[1];
        let mut known = 0;
        for (file, entry) in layer.iter().filter(|(_, entry)| entry.size > 0) {
            if let Some(source) = sources.get(&entry.sha256) {
                let is_own = allowed.iter().any(|prefix| source.starts_with(prefix));
                assert!(is_own, "{app}: {file} is {source}");
                known += 1;
            }
        }
        let is_compiled = ["orders-api", "orders-worker", "search"].contains(&app);
        assert_eq!(
            known == 0,
            is_compiled,
            "{app}: {known} files of the repository"
        );
    }
}

fn walk(root: &Path, take: &mut impl FnMut(String, &[u8])) {
    for entry in ignore::WalkBuilder::new(root)
        .standard_filters(false)
        .build()
    {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap();
        if entry.file_type().unwrap().is_file() && !path.starts_with(".git/") {
            take(path.to_owned(), &fs::read(entry.path()).unwrap());
        }
    }
}

#[test]
fn the_attestations_are_the_files_beside_the_archive() {
    for (app, image) in &FIRST.images {
        let kinds: Vec<&str> = image.statements.keys().map(String::as_str).collect();
        let [provenance, spdx] = kinds[..] else {
            panic!("{app}: {kinds:?}")
        };
        assert!(
            provenance.starts_with("https://slsa.dev/provenance/"),
            "{provenance}"
        );
        assert_eq!(spdx, "https://spdx.dev/Document");
        let beside =
            |ending: &str| fs::read(FIRST.run.out.join(format!("{app}.{ending}"))).unwrap();
        assert!(
            image.statements[provenance] == beside("provenance.json"),
            "{app}"
        );
        // The predicate is the last member of the statement, taken as it stands.
        let mut end = beside("spdx.json");
        end.push(b'}');
        assert!(image.statements[spdx].ends_with(&end), "{app}");
        for statement in image.statements.values() {
            let statement: Value = serde_json::from_slice(statement).unwrap();
            let digest = statement["subject"][0]["digest"]["sha256"]
                .as_str()
                .unwrap();
            assert_eq!(format!("sha256:{digest}"), image.manifest, "{app}");
        }
        let inside = format!("var/lib/db/sbom/{app}.spdx.json");
        assert_eq!(
            image.layers[1][&inside].sha256,
            sha256(&beside("spdx.json")),
            "{app}"
        );
    }
}

#[test]
fn the_provenance_names_every_package_with_address_and_digest() {
    for (app, image) in &FIRST.images {
        let (_, statement) = image.statements.first_key_value().unwrap();
        let statement: Value = serde_json::from_slice(statement).unwrap();
        let predicate = &statement["predicate"];
        let materials = match predicate["materials"].as_array() {
            Some(materials) => materials,
            None => predicate["buildDefinition"]["resolvedDependencies"]
                .as_array()
                .unwrap(),
        };
        let named: BTreeSet<(&str, &str)> = materials
            .iter()
            .filter_map(|material| {
                Some((
                    material["uri"].as_str()?,
                    material["digest"]["sha256"].as_str()?,
                ))
            })
            .collect();
        for package in apks(&sbom(&FIRST.run, app)) {
            let digest = FIRST.packages[&package].sha256.as_str();
            assert!(
                named.contains(&(url(&package).as_str(), digest)),
                "{app}: {package}\n{named:#?}"
            );
        }
        let has_base = named
            .iter()
            .any(|(uri, _)| uri.contains("chainguard/wolfi-base"));
        assert_eq!(has_base, app != "storefront", "{named:#?}");
    }
}

#[test]
fn the_sbom_lists_the_libraries_that_are_shipped_and_no_others() {
    let listed = |app: &str, kind: &str| purls(&sbom(&FIRST.run, app), &format!("pkg:{kind}/"));
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let bare = |names: BTreeSet<String>| {
        let name = |purl: &String| purl.rsplit_once('@').unwrap().0.replace("%40", "@");
        names.iter().map(name).collect::<BTreeSet<String>>()
    };
    assert_eq!(
        bare(listed("gateway", "npm")),
        set(&["@hono/node-server", "hono"])
    );
    assert_eq!(bare(listed("pricing", "npm")), set(&["currency.js"]));
    for app in ["gateway", "pricing"] {
        assert_eq!(
            bare(listed(app, "npm")),
            modules(&FIRST.images[app]),
            "{app}"
        );
    }
    for app in ["catalog", "ledger"] {
        let shipped = distributions(&FIRST.images[app]);
        assert!(shipped.contains(if app == "catalog" {
            "fastapi"
        } else {
            "psycopg2"
        }));
        assert_eq!(
            FIRST.run.app(app)["libraries"]["pypi"],
            shipped.len(),
            "{app}"
        );
        let missing: Vec<_> = shipped
            .difference(&bare(listed(app, "pypi")))
            .cloned()
            .collect();
        assert!(missing.is_empty(), "{app}: {missing:?}");
    }
    for app in ["orders-api", "orders-worker"] {
        assert_eq!(
            bare(listed(app, "golang")),
            set(&["github.com/google/uuid", "stdlib"]),
            "{app}"
        );
    }
    assert_eq!(bare(listed("search", "cargo")), set(&CRATES));
    assert_eq!(FIRST.run.app("storefront")["libraries"], Value::Null);
}

/// What `cargo tree -p search -e normal --target x86_64-unknown-linux-gnu` says, without the repository's own.
const CRATES: [&str; 16] = [
    "ascii",
    "bitflags",
    "chunked_transfer",
    "errno",
    "fallible-iterator",
    "fallible-streaming-iterator",
    "httpdate",
    "libc",
    "libsqlite3-sys",
    "log",
    "percent-encoding",
    "rusqlite",
    "signal-hook",
    "signal-hook-registry",
    "smallvec",
    "tiny_http",
];

/// The npm packages in an image, without links to the repository's own.
fn modules(image: &Image) -> BTreeSet<String> {
    let manifests = image.layers[1]
        .keys()
        .filter_map(|path| path.strip_suffix("/package.json"));
    let names = manifests.filter_map(|path| Some(path.rsplit_once("node_modules/")?.1.to_owned()));
    names
        .filter(|name| name.split('/').count() == 1 + usize::from(name.starts_with('@')))
        .collect()
}

/// The Python distributions in an image, by their normal names.
fn distributions(image: &Image) -> BTreeSet<String> {
    let records = image.layers[1]
        .keys()
        .filter_map(|path| path.strip_suffix(".dist-info/METADATA"));
    let names = records.filter_map(|path| path.rsplit('/').next()?.rsplit_once('-'));
    names
        .map(|(name, _)| name.to_lowercase().replace(['_', '.'], "-"))
        .collect()
}

#[test]
fn skopeo_and_spdx_tools_have_no_complaint() {
    let (skopeo, tools) = (
        variable("PEELBOX_TESTBED_SKOPEO"),
        variable("PEELBOX_TESTBED_SPDX_TOOLS"),
    );
    for (app, _) in APPS {
        let archive = FIRST.run.out.join(format!("{app}.oci.tar"));
        let said = printed(
            &skopeo,
            &["inspect", &format!("oci-archive:{}", archive.display())],
        );
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["Layers"].as_array().unwrap().len(), 2, "{app}");
        assert_eq!(said["Labels"]["org.opencontainers.image.title"], app);
        let document = FIRST.run.out.join(format!("{app}.spdx.json"));
        printed(&tools, &["-i", document.to_str().unwrap()]);
    }
}

#[test]
fn an_unchanged_repository_costs_no_transfer_no_download_and_no_step() {
    for (app, _) in APPS {
        let report = SECOND.run.app(app);
        assert_eq!(
            report["sent"],
            serde_json::json!({"files": 0, "bytes": 0}),
            "{app}"
        );
        assert_eq!(report["steps"]["cached"], report["steps"]["total"], "{app}");
        assert!(report["steps"]["total"].as_u64() > Some(1), "{app}");
    }
    assert_eq!(SECOND.requests, 0);
}

#[test]
fn the_same_commit_gives_the_same_images() {
    if rewrites_times() {
        for (app, _) in APPS {
            assert_eq!(SECOND.run.manifest(app), FIRST.run.manifest(app), "{app}");
        }
    }
    for (app, _) in APPS {
        let name = format!("{app}.spdx.json");
        let read = |run: &Run| fs::read(run.out.join(&name)).unwrap();
        assert!(read(&SECOND.run) == read(&FIRST.run), "{app}");
    }
}

#[test]
fn options_choose_name_and_label_what_is_built() {
    let (run, again) = &*OPTIONS;
    assert_eq!(run.names(), ["orders-api", "orders-worker"]);
    assert_eq!(
        run.files(),
        [
            "checksums.txt",
            "orders-api.log",
            "orders-api.oci.tar",
            "orders-worker.log",
            "orders-worker.oci.tar",
            "report.json",
            "summary.md",
        ]
    );
    for app in ["orders-api", "orders-worker"] {
        let image = Image::read(&run.out.join(format!("{app}.oci.tar")));
        assert!(image.statements.is_empty());
        assert_eq!(
            image.config["config"]["Labels"]["org.example.team"],
            "books"
        );
        assert!(image.holds(format!("registry.example/shop/{app}:1").as_bytes()));
        assert_eq!(
            run.app(app)["image"]["tags"][0],
            format!("registry.example/shop/{app}:1")
        );
        // The first run's files lie in the repository when the second one starts.
        let second = again.app(app);
        assert_eq!(second["sent"]["files"], 0, "{app}");
        assert_eq!(second["steps"]["cached"], second["steps"]["total"], "{app}");
    }
}

#[test]
fn a_changed_file_is_sent_alone_and_builds_its_app_alone() {
    for (app, _) in APPS {
        let report = TOUCHED.app(app);
        let is_changed = app == "pricing";
        assert_eq!(
            report["steps"]["cached"] != report["steps"]["total"],
            is_changed,
            "{app}"
        );
        if rewrites_times() {
            assert_eq!(
                TOUCHED.manifest(app) != FIRST.run.manifest(app),
                is_changed,
                "{app}"
            );
        }
    }
    let report = TOUCHED.report();
    let sum = |field: &str| {
        let apps = report["apps"].as_array().unwrap();
        apps.iter()
            .map(|app| app["sent"][field].as_u64().unwrap())
            .sum::<u64>()
    };
    let size = fs::metadata(SHOP.repository.join(CHANGED)).unwrap().len();
    assert_eq!((sum("files"), sum("bytes")), (1, size));
}

#[test]
fn a_broken_app_does_not_keep_the_others_from_being_built() {
    for (app, _) in APPS {
        let outcome = if app == "pricing" { "failed" } else { "built" };
        assert_eq!(BROKEN.app(app)["outcome"], outcome, "{app}");
        assert_eq!(
            BROKEN.out.join(format!("{app}.oci.tar")).exists(),
            outcome == "built",
            "{app}"
        );
    }
    assert_eq!(BROKEN.report()["complete"], true);
    let left: Vec<String> = BROKEN
        .files()
        .into_iter()
        .filter(|file| file.contains("pricing"))
        .collect();
    assert_eq!(left, ["pricing.log"]);
}

#[test]
fn a_broken_app_is_told_of_with_step_command_exit_code_and_log() {
    let error = &BROKEN.app("pricing")["error"];
    let command = "cd ../.. && npm run build -w @bookshop/pricing";
    assert_eq!(error["command"], command);
    assert_eq!(error["step"], "build 1/4");
    let code = error["exit_code"].as_i64().unwrap();
    assert!(code > 0);
    let log: Vec<&str> = error["log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    assert!(
        log.iter()
            .any(|line| line.contains("src/main.ts") && line.contains("error TS")),
        "{log:#?}"
    );
    let told = BROKEN
        .stderr
        .rsplit_once("8 apps: 7 built, 1 failed")
        .unwrap()
        .1;
    let mut expected = vec![
        "pricing failed in build 1/4".to_owned(),
        format!("exit code {code}"),
        command.to_owned(),
    ];
    expected.extend(log.iter().map(|line| line.trim_end().to_owned()));
    for text in expected {
        assert!(told.contains(&text), "`{text}` is not in:\n{told}");
    }
    let kept = fs::read_to_string(BROKEN.out.join("pricing.log")).unwrap();
    assert!(kept.contains("error TS"), "{kept}");
}
