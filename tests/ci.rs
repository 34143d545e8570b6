//! `peelbox ci` of small repositories with a spec file: interrupts, secrets, wrong input.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "support/image.rs"]
mod image;
#[path = "support/run.rs"]
mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use image::{Image, contains, sha256};
use run::{Run, ci, ended};

/// A site whose build runs `commands`.
fn site(name: &str, commands: &[&str]) -> Value {
    json!({
        "version": "1.0",
        "metadata": {"project_name": name, "path": ".", "kind": "static"},
        "build": {"context": ["public/**"], "commands": commands},
        "runtime": {
            "packages": ["nginx"],
            "copy": [{"from": "public", "to": "/app"}],
            "ports": [8080],
        },
    })
}

/// A repository with a page and a spec file, and beside it the cache and the output directory.
fn repository(specs: &[Value]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let public = folder.path().join("repository/public");
    fs::create_dir_all(&public).unwrap();
    fs::write(public.join("index.html"), "<p>hello</p>\n").unwrap();
    let text = serde_json::to_vec_pretty(specs).unwrap();
    fs::write(folder.path().join("repository/universalbuild.json"), text).unwrap();
    folder
}

fn command(folder: &Path) -> Command {
    let path = |name| folder.join(name);
    ci(&path("repository"), &path("cache"), &path("out"))
}

fn run(folder: &TempDir, options: &[&str]) -> Run {
    let mut command = command(folder.path());
    command.args(options);
    run::run(command, &folder.path().join("out"))
}

/// How long a step sleeps; no other process on the machine has the same number of seconds.
fn moment() -> String {
    let number = uuid::Uuid::new_v4().as_u128() % 1_000_000;
    format!("{}", 5_000_000 + number)
}

/// Whether a process runs `sleep` for that long.
fn sleeps(moment: &str) -> bool {
    let line = format!("sleep\0{moment}\0");
    let processes = fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .any(|found| found.ends_with(line.as_bytes()))
}

#[track_caller]
fn wait(what: &str, seconds: u64, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !is_so() {
        assert!(Instant::now() < until, "{what} after {seconds} s");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts a run and waits until its second app sleeps.
fn asleep(folder: &TempDir, moment: &str) -> Child {
    let started = command(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.unwrap();
    // It says less than a pipe holds before it sleeps.
    let until = Instant::now() + Duration::from_secs(120);
    while !sleeps(moment) {
        if child.try_wait().unwrap().is_some() || Instant::now() > until {
            let _ = child.kill();
            panic!("it does not sleep: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    // Every shell has it built in; as a program it need not be there.
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid])
        .status();
    assert!(sent.unwrap().success());
}

fn slow(moment: &str) -> TempDir {
    let sleep = format!("sleep {moment}");
    repository(&[site("page", &[]), site("slow", &["true", &sleep])])
}

#[test]
fn an_interrupt_ends_the_run_and_leaves_nothing_half_done() {
    for name in ["INT", "TERM"] {
        let moment = moment();
        let folder = slow(&moment);
        let child = asleep(&folder, &moment);
        let from = Instant::now();
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let run = ended(&output, from.elapsed(), &folder.path().join("out")).ended(130);
        assert!(run.took < Duration::from_secs(8), "{:?}", run.took);
        wait("the step still runs", 10, || !sleeps(&moment));
        assert_eq!(run.report()["complete"], false);
        assert_eq!(run.app("page")["outcome"], "built");
        assert_ne!(run.app("slow")["outcome"], "built");
        let left: Vec<String> = run
            .files()
            .into_iter()
            .filter(|file| file.contains("slow") || file.contains("partial"))
            .collect();
        assert_eq!(left, ["slow.log"]);
        Image::read(&run.out.join("page.oci.tar"));
    }
}

#[test]
fn a_killed_run_leaves_a_report_that_says_so_and_no_step_that_runs_on() {
    let moment = moment();
    let folder = slow(&moment);
    let out = folder.path().join("out");
    fs::create_dir_all(&out).unwrap();
    let stale = r#"{"version":1,"complete":true,"run":{"peelbox":"","started":""},"apps":[]}"#;
    fs::write(out.join("report.json"), stale).unwrap();
    fs::write(out.join("slow.oci.tar"), "of an earlier run").unwrap();
    let child = asleep(&folder, &moment);
    signal(&child, "KILL");
    let output = child.wait_with_output().unwrap();
    let run = ended(&output, Duration::ZERO, &out);
    assert_eq!(run.code, None);
    wait("the step still runs", 60, || !sleeps(&moment));
    assert_eq!(run.report()["complete"], false);
    assert_eq!(run.names(), ["page"]);
    assert!(!run.files().contains(&"slow.oci.tar".to_owned()));
}

#[test]
fn a_run_that_is_killed_in_its_first_app_is_not_taken_for_the_one_before() {
    let moment = moment();
    let sleep = format!("sleep {moment}");
    let folder = repository(&[site("slow", &[&sleep])]);
    let out = folder.path().join("out");
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("report.json"), r#"{"version":1,"complete":true}"#).unwrap();
    let child = asleep(&folder, &moment);
    signal(&child, "KILL");
    let output = child.wait_with_output().unwrap();
    let run = ended(&output, Duration::ZERO, &out);
    assert_eq!(run.report()["complete"], false);
    assert!(run.names().is_empty());
    wait("the step still runs", 60, || !sleeps(&moment));
}

#[test]
fn a_secret_that_a_step_prints_is_masked_everywhere() {
    let token = format!("token-{}", uuid::Uuid::new_v4().simple());
    let line = format!("line-{}", uuid::Uuid::new_v4().simple());
    let mut spec = site(
        "loud",
        &[
            // Cut within the value, a second apart.
            r#"head=${TOKEN%??????????}; printf 'at once: %s\nin parts: %s' "$TOKEN" "$head"; sleep 1; echo "${TOKEN#$head}""#,
            r#"cat /run/secrets/file; printf 'user:%s' "$TOKEN" | base64 -w 0; echo; echo "$TOKEN" >&2; exit 3"#,
        ],
    );
    spec["build"]["secrets"] = json!([{"id": "token", "env": "TOKEN"}, {"id": "file"}]);
    let folder = repository(&[spec]);
    let nonce = uuid::Uuid::new_v4().to_string();
    fs::write(folder.path().join("repository/public/nonce"), nonce).unwrap();
    let file = folder.path().join("file");
    fs::write(&file, format!("first\n{line}\n")).unwrap();
    let mut command = command(folder.path());
    command
        .args(["--progress", "plain"])
        .args(["--secret", "id=token,env=SHOP_TOKEN"])
        .args(["--secret", &format!("id=file,src={}", file.display())])
        .env("SHOP_TOKEN", &token);
    let run = run::run(command, &folder.path().join("out")).ended(1);
    // What of the base64 cannot be shared with neighbours.
    let encoded = base64(format!("user:{token}").as_bytes());
    let encoded = &encoded[8..encoded.len() - 4];
    for needle in [&token, &line, encoded, &token[..token.len() - 10]] {
        for name in run.files() {
            let mut reader = fs::File::open(run.out.join(&name)).unwrap();
            assert!(
                !contains(&mut reader, needle.as_bytes()),
                "{needle} is in {name}"
            );
        }
        let shown = run.stdout.clone() + &run.stderr;
        assert!(!shown.contains(needle), "{needle}: {shown}");
    }
    let log = fs::read_to_string(run.out.join("loud.log")).unwrap();
    for text in [&log, &run.stderr] {
        assert!(text.contains("at once: ***"), "{text}");
        assert!(text.contains("in parts: ***"), "{text}");
    }
    let app = run.app("loud");
    let told = app["error"]["log"].as_array().unwrap();
    let mut told: Vec<&str> = told.iter().map(|line| line.as_str().unwrap()).collect();
    told.sort_unstable(); // the order of the two streams is the daemon's
    assert!(
        matches!(told[..], ["***", "***", encoded] if encoded.starts_with("dXNlcj") && encoded.contains("***")),
        "{told:?}"
    );
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

#[test]
fn secrets_reach_the_steps_and_nothing_else() {
    let secret = |name: &str| format!("{name}-{}", uuid::Uuid::new_v4().simple());
    let values = [secret("token"), secret("file"), secret("certificate")];
    let mut spec = site(
        "page",
        &[
            r#"printf %s "$TOKEN" | sha256sum > public/token"#,
            "sha256sum < /run/secrets/file > public/file",
            r#"sha256sum < "$SSL_CERT_FILE" > public/certificate"#,
        ],
    );
    spec["build"]["secrets"] = json!([{"id": "token", "env": "TOKEN"}, {"id": "file"}]);
    let folder = repository(&[spec]);
    // A step is cached whatever its secrets are, so another run of this test must not have the same steps.
    let nonce = uuid::Uuid::new_v4().to_string();
    fs::write(folder.path().join("repository/public/nonce"), nonce).unwrap();
    let [token, file, certificate] = &values;
    // What a step has made with other secrets is taken from the cache.
    let fresh = folder.path().join("repository/public/fresh");
    fs::write(fresh, secret("fresh")).unwrap();
    fs::write(folder.path().join("file"), file).unwrap();
    fs::write(folder.path().join("certificate"), certificate).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut command = command(folder.path());
    command
        .args(["--secret", "id=token,env=SHOP_TOKEN"])
        .args(["--secret", &format!("id=file,src={}", path("file"))])
        .args(["--ca-certificates", &path("certificate")])
        // With the layers of the build stage, of which the image has none.
        .args([
            "--cache-to",
            &format!("type=local,mode=max,dest={}", path("cache")),
        ])
        .env("SHOP_TOKEN", token);
    let run = run::run(command, &folder.path().join("out")).ended(0);
    let image = Image::read(&run.out.join("page.oci.tar"));
    let expected: BTreeMap<&str, &String> = ["token", "file", "certificate"]
        .into_iter()
        .zip(&values)
        .collect();
    for (name, value) in expected {
        let line = format!("{}  -\n", sha256(value.as_bytes()));
        let found = &image.layers[1][&format!("app/{name}")].sha256;
        assert_eq!(
            *found,
            sha256(line.as_bytes()),
            "{name} did not reach its step"
        );
        let needle = value.as_bytes();
        assert!(!image.holds(needle), "{name} is in the image");
        for file in run.files() {
            let mut reader = fs::File::open(run.out.join(&file)).unwrap();
            assert!(!contains(&mut reader, needle), "{name} is in {file}");
        }
        assert!(
            !run.stdout.contains(value) && !run.stderr.contains(value),
            "{name}"
        );
        assert!(!is_cached(&folder.path().join("cache"), needle), "{name}");
    }
}

/// Whether `needle` is anywhere in a cache, layers unpacked.
fn is_cached(cache: &Path, needle: &[u8]) -> bool {
    let blobs: Vec<_> = fs::read_dir(cache.join("blobs/sha256"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    // The source, what was built, and the two layers of the image.
    assert!(blobs.len() > 5, "{blobs:?}");
    blobs.iter().any(|path| {
        let open = || fs::File::open(path).unwrap();
        contains(&mut open(), needle) || contains(&mut MultiGzDecoder::new(open()), needle)
    })
}

#[test]
fn wrong_input_is_told_before_anything_is_built() {
    let folder = repository(&[site("page", &[]), site("other", &[])]);
    let wrong = [
        (&["--app", "nope-*"][..], "nope-*"),
        (&["--tag", "shop/all:1"], "{app}"),
        (&["--tag", "Shop/{app}:1"], "--tag"),
        (&["--label", "team"], "--label team"),
        (&["--secret", "src=x"], "--secret"),
    ];
    for (options, text) in wrong {
        let run = run(&folder, options).ended(2);
        assert!(run.stderr.contains(text), "{}", run.stderr);
        assert!(!run.out.join("report.json").exists(), "{options:?}");
    }
}

/// Runs as a step of GitHub Actions, and gives what became of the site's step.
fn in_actions(folder: &TempDir, event: &str, name: &str) -> Value {
    let mut command = command(folder.path());
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", event)
        .env("GITHUB_REF", name)
        .env_remove("PEELBOX_CACHE_SCOPE")
        .env_remove("GITHUB_STEP_SUMMARY");
    let run = run::run(command, &folder.path().join("out")).ended(0);
    let image = Image::read(&run.out.join("page.oci.tar"));
    json!(image.layers[1]["app/left"].sha256)
}

#[test]
fn what_a_pull_request_leaves_in_a_cache_reaches_no_build_of_a_branch() {
    let repository_with = |words: &str| {
        let add = format!("echo {words} >> /root/.cache/tool/left");
        let mut spec = site("page", &[&add, "cp /root/.cache/tool/left public"]);
        spec["build"]["cache"] = json!(["/root/.cache/tool"]);
        serde_json::to_vec(&[spec]).unwrap()
    };
    let folder = repository(&[]);
    let build = |words: &str, event: &str, name: &str| {
        let spec = folder.path().join("repository/universalbuild.json");
        fs::write(spec, repository_with(words)).unwrap();
        in_actions(&folder, event, name)
    };
    let left = |text: &str| json!(sha256(text.as_bytes()));
    let pull = ("pull_request", "refs/pull/7/merge");
    let main = "refs/heads/main";
    assert_eq!(build("bad", pull.0, pull.1), left("bad\n"));
    // Now the pull request is what is merged, so the steps of both are the same.
    assert_eq!(build("good", pull.0, pull.1), left("bad\ngood\n"));
    assert_eq!(build("good", "push", main), left("good\n"));
    // The branch's own caches stay.
    assert_eq!(build("more", "schedule", main), left("good\nmore\n"));
}

#[test]
fn what_git_keeps_is_shipped_although_a_gitignore_names_it() {
    let folder = repository(&[site("page", &[])]);
    let repository = folder.path().join("repository");
    fs::write(repository.join(".gitignore"), "*.txt\n").unwrap();
    for name in ["forced.txt", "other.txt"] {
        fs::write(repository.join("public").join(name), "").unwrap();
    }
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(&repository).args(arguments);
        assert!(git.status().unwrap().success());
    };
    git(&["init", "-q"]);
    git(&["add", "-f", "public/forced.txt"]);
    let run = run(&folder, &[]).ended(0);
    let image = Image::read(&run.out.join("page.oci.tar"));
    let files: Vec<&String> = image.layers[1].keys().collect();
    let texts = files.iter().filter(|path| path.ends_with(".txt"));
    assert_eq!(texts.collect::<Vec<_>>(), [&"app/forced.txt"]);
}

#[test]
fn names_that_read_as_patterns_are_built_as_detected() {
    let folder = repository(&[]);
    let repository = folder.path().join("repository");
    fs::remove_file(repository.join("universalbuild.json")).unwrap();
    fs::remove_dir_all(repository.join("public")).unwrap();
    let write = |path: &str, text: &str| {
        let path = repository.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for path in ["[slug]*x", "!{a,b}^?", "sx"] {
        write(&format!("sites/{path}/index.html"), path);
        write(&format!("sites/{path}/[id].html"), "");
    }
    let run = run(&folder, &[]).ended(0);
    let mut found = Vec::new();
    for name in run.names() {
        let image = Image::read(&run.out.join(format!("{name}.oci.tar")));
        assert!(image.layers[1].contains_key("app/[id].html"), "{name}");
        found.push(image.layers[1]["app/index.html"].sha256.clone());
    }
    found.sort();
    let mut expected = ["[slug]*x", "!{a,b}^?", "sx"].map(|path| sha256(path.as_bytes()));
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn patterns_of_a_spec_take_a_name_as_it_is_after_a_backslash() {
    let mut spec = site(
        "page",
        &["find . -type f | sort > /tmp/list && mv /tmp/list public/found"],
    );
    spec["build"]["context"] = json!(["public/**", r"pages/\[id\].js"]);
    spec["build"]["install"] = json!({
        "files": [r"pages/\[id\].js", r"d\*/**"],
        "commands": ["find . -type f | sort > /tmp/list && mkdir public && mv /tmp/list public/installed"],
    });
    let folder = repository(&[spec]);
    for path in ["pages/[id].js", "pages/i.js", "d*/e", "dx/e"] {
        let path = folder.path().join("repository").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let run = run(&folder, &[]).ended(0);
    let image = Image::read(&run.out.join("page.oci.tar"));
    let listed = |name: &str| image.layers[1][name].sha256.clone();
    let installed = "./d*/e\n./pages/[id].js\n";
    assert_eq!(listed("app/installed"), sha256(installed.as_bytes()));
    let found = "./d*/e\n./pages/[id].js\n./public/index.html\n./public/installed\n";
    assert_eq!(listed("app/found"), sha256(found.as_bytes()));
}

#[test]
fn a_tree_of_the_build_is_laid_over_the_links_of_the_image() {
    let make = "mkdir -p tree/bin tree/lib/x && touch tree/bin/tool tree/lib/x/data";
    let mut spec = site("page", &[make]);
    let copy = spec["runtime"]["copy"].as_array_mut().unwrap();
    copy.push(json!({"from": "tree", "to": "/"}));
    let folder = repository(&[spec]);
    let run = run(&folder, &[]).ended(0);
    let image = Image::read(&run.out.join("page.oci.tar"));
    let files = &image.layers[1];
    assert!(files.contains_key("usr/bin/tool") && files.contains_key("usr/lib/x/data"));
    assert!(!files.contains_key("bin") && !files.contains_key("lib"));
}

/// How often a directory was opened since it is watched: by whomever, in one run or in many.
struct Opened(rustix::fd::OwnedFd);

impl Opened {
    fn watch(directory: &Path) -> Self {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
        // Without the second kind those of the first would be joined to one.
        let kinds = WatchFlags::OPEN | WatchFlags::CLOSE_NOWRITE;
        add_watch(&watch, directory, kinds).unwrap();
        Self(watch)
    }

    fn count(self) -> usize {
        use rustix::fs::inotify::{ReadFlags, Reader};
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.0, &mut buffer);
        let mut count = 0;
        while let Ok(event) = reader.next() {
            let is_opening = event.events().contains(ReadFlags::OPEN);
            count += usize::from(is_opening && event.file_name().is_none());
        }
        count
    }
}

#[test]
fn the_sources_are_walked_once_for_all_apps() {
    let folder = repository(&[
        site("first", &[]),
        site("second", &[]),
        site("third", &["true"]),
    ]);
    let opened = Opened::watch(&folder.path().join("repository/public"));
    let run = run(&folder, &[]).ended(0);
    assert_eq!(run.names(), ["first", "second", "third"]);
    assert_eq!(opened.count(), 1);
    let opened = Opened::watch(&folder.path().join("repository/public"));
    fs::read_dir(folder.path().join("repository/public")).unwrap();
    fs::read_dir(folder.path().join("repository/public")).unwrap();
    assert_eq!(opened.count(), 2, "what is counted");
}

#[test]
fn sources_that_cannot_be_sent_are_wrong_input_and_end_the_run() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = repository(&[site("first", &[]), site("second", &[])]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    fs::write(folder.path().join("repository").join(name), "").unwrap();
    let run = run(&folder, &[]).ended(2);
    let told = "the name `caf\u{fffd}` is not UTF-8, and cannot be sent";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    assert!(run.stderr.contains(".dockerignore"), "{}", run.stderr);
    assert_eq!(run.app("first")["error"]["message"], told);
    assert_eq!(run.app("second")["outcome"], "skipped");
}
