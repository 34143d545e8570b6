//! What the daemon gets of a directory, held against what buildctl sends of it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::future::pending;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use buildkit_proto::pb;
use peelbox::buildkit::fsutil::{Filter, Listing};
use peelbox::buildkit::llb::{Local, State};
use peelbox::buildkit::{
    BuiltImage, Client, DockerHost, Error, Export, Job, Outcome, Services, Session, Target,
};
use peelbox::oci::Platform;
use prost::Message as _;

/// A directory with everything in it that is not an ordinary file, or has no ordinary name.
fn odd(root: &Path) {
    for (path, content) in [
        ("a line\nbreak", "1"),
        ("a/x", "2"),
        ("a-b/y", "3"),
        ("a.txt", "4"),
        (" spaces and \"quotes\" \\ $", "5"),
        ("größe/名前", "6"),
        (&*format!("{}/{}", "d".repeat(255), "f".repeat(255)), "7"),
        (&*format!("{}deep", "level/".repeat(200)), "8"),
        (".hidden", "9"),
        ("empty", ""),
        ("setuid", "10"),
        ("private", "11"),
        ("large", &*"0123456789abcdef".repeat(100_000)),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fs::create_dir(root.join("empty directory")).unwrap();
    fs::create_dir(root.join("sticky")).unwrap();
    let sparse = || -> std::io::Result<()> {
        let mut file = File::create(root.join("sparse"))?;
        file.seek(SeekFrom::Start(3 << 20))?;
        file.write_all(b"end")?;
        file.set_len(5 << 20)
    };
    sparse().unwrap();
    for (link, target) in [
        ("loop-a", "loop-b"),
        ("loop-b", "loop-a"),
        ("self", "self"),
        ("dangling", "nowhere/at all"),
        ("absolute", "/etc/passwd"),
        ("outside", "../../.."),
        ("to-directory", "a"),
    ] {
        symlink(target, root.join(link)).unwrap();
    }
    for name in ["a/hard", "zzz"] {
        fs::hard_link(root.join("a.txt"), root.join(name)).unwrap();
    }
    let made = Command::new("mkfifo").arg(root.join("pipe")).status();
    assert!(made.unwrap().success());
    for (path, mode) in [("setuid", 0o6755), ("private", 0o400), ("sticky", 0o1777)] {
        fs::set_permissions(root.join(path), Permissions::from_mode(mode)).unwrap();
    }
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789);
    for path in ["a.txt", "large", "a"] {
        File::open(root.join(path))
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
}

/// What a tar file says of its entries, in their order.
fn entries(tar: &Path) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(File::open(tar).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let header = entry.header();
        let facts = format!(
            "{:?} {:o} {}:{} {} -> {:?} {}",
            header.entry_type(),
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mtime().unwrap(),
            entry
                .link_name_bytes()
                .map(|name| String::from_utf8_lossy(&name).into_owned()),
            peelbox::oci::Digest::of(&content),
        );
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        (path, facts)
    });
    entries.collect()
}

fn definition(hint: &str) -> pb::Definition {
    let local = Local::new("context").shared_key_hint(hint);
    State::from(local).marshal().unwrap().proto().clone()
}

/// Has the directory exported by buildctl.
fn theirs(root: &Path, hint: &str, tar: &Path) {
    let mut buildctl = Command::new(support::variable("PEELBOX_TESTBED_BUILDCTL"))
        .arg(format!(
            "--addr={}",
            support::variable("PEELBOX_TESTBED_BUILDKIT_LATEST")
        ))
        .args(["build", "--progress=plain"])
        .arg(format!("--local=context={}", root.display()))
        .arg(format!("--output=type=tar,dest={}", tar.display()))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = definition(hint).encode_to_vec();
    buildctl.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = buildctl.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Has the directory exported by the library.
async fn ours(root: &Path, hint: &str, tar: PathBuf) -> Result<(), String> {
    let endpoint = support::variable("PEELBOX_TESTBED_BUILDKIT_LATEST")
        .parse()
        .unwrap();
    let client = Client::connect(endpoint, &DockerHost::default().into())
        .await
        .unwrap();
    let listing = Listing::read(root, &Filter::everything()).unwrap();
    built(&client, listing, hint, tar).await
}

async fn built(client: &Client, listing: Listing, hint: &str, tar: PathBuf) -> Result<(), String> {
    let services = Services {
        name: "test".to_owned(),
        locals: BTreeMap::from([("context".to_owned(), listing.into())]),
        ..Services::default()
    };
    let session = Session::start(client, services).await.unwrap();
    let job = Job {
        exports: vec![Export {
            kind: "tar".to_owned(),
            attributes: BTreeMap::new(),
            target: Target::File(tar),
        }],
        ..Job::default()
    };
    let build = client.build::<(), Error>(
        &session,
        job,
        pending(),
        |_| {},
        async |gateway| {
            let outcome = BuiltImage {
                reference: gateway.solve(definition(hint)).await?,
                config: br#"{"os":"linux","architecture":"amd64"}"#.to_vec(),
                attestations: Vec::new(),
                platform: Platform::linux("amd64"),
            };
            let outcome = Outcome::from(outcome);
            Ok((outcome, ()))
        },
    );
    let built = build.await.map(drop).map_err(|error| error.to_string());
    session.close().await;
    built
}

fn hint() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_gets_of_an_odd_directory_what_buildctl_would_send() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    odd(&root);
    let tar = |name: &str| folder.path().join(name);
    theirs(&root, &hint(), &tar("theirs"));
    ours(&root, &hint(), tar("ours")).await.unwrap();
    let (ours, theirs) = (entries(&tar("ours")), entries(&tar("theirs")));
    assert!(ours.len() > 220, "{}", ours.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_vanishes_before_it_is_sent_ends_the_build_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("stays"), "1").unwrap();
    fs::write(root.join("vanishes"), "2").unwrap();
    let listing = Listing::read(&root, &Filter::everything()).unwrap();
    fs::remove_file(root.join("vanishes")).unwrap();
    let endpoint = support::variable("PEELBOX_TESTBED_BUILDKIT_LATEST")
        .parse()
        .unwrap();
    let client = Client::connect(endpoint, &DockerHost::default().into())
        .await
        .unwrap();
    let built = built(&client, listing, &hint(), folder.path().join("tar")).await;
    let error = built.unwrap_err();
    assert!(
        error.contains("/vanishes`: No such file or directory"),
        "{error}"
    );
}
