//! What the daemon gets of a directory, held against what buildctl sends of it.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;
#[path = "support/transfer.rs"]
mod transfer;

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use buildkit_proto::pb;
use peelbox::buildkit::fsutil::{Filter, Listing};
use peelbox::buildkit::llb::{Local, State};
use peelbox::buildkit::{Access, Client, Target};
use prost::Message as _;
use rustix::fs::XattrFlags;
use rustix::thread::CapabilitySet;

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

type Entries = Vec<(String, String)>;

/// The digest of no content.
const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What pax headers say of an entry beside what goes into every header.
fn attributes(entry: &mut tar::Entry<'_, File>) -> String {
    let Some(extensions) = entry.pax_extensions().unwrap() else {
        return String::new();
    };
    let mut attributes: Vec<String> = extensions
        .map(Result::unwrap)
        .filter(|extension| extension.key().unwrap().starts_with("SCHILY."))
        .map(|extension| {
            let value = String::from_utf8_lossy(extension.value_bytes());
            format!("{}={value:?}", extension.key().unwrap())
        })
        .collect();
    attributes.sort();
    attributes.join(" ")
}

/// What a tar file says of its entries, in their order.
fn entries(tar: &Path) -> Entries {
    let mut archive = tar::Archive::new(File::open(tar).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let attributes = attributes(&mut entry);
        let header = entry.header();
        let facts = format!(
            "{:?} {:o} {}:{} {} -> {:?} {} {attributes}",
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

/// Has the directory exported by buildctl, which must say so.
fn theirs(root: &Path, tar: &Path) -> Result<(), String> {
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
    let bytes = definition(&hint()).encode_to_vec();
    buildctl.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = buildctl.wait_with_output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Has the directory listed and exported by the library.
async fn ours(root: &Path, tar: &Path) -> Result<(), String> {
    let listing = Listing::read(root, &Filter::everything()).map_err(|error| error.to_string())?;
    sent(listing, &hint(), tar).await
}

/// Has exported what was listed, as it is by now.
async fn sent(listing: Listing, hint: &str, tar: &Path) -> Result<(), String> {
    let endpoint = support::variable("PEELBOX_TESTBED_BUILDKIT_LATEST");
    let client = Client::connect(endpoint.parse().unwrap(), &Access::default()).await;
    let target = ("tar", Target::File(tar.to_owned()));
    transfer::build(
        &client.unwrap(),
        "context",
        listing,
        definition(hint),
        Some(target),
    )
    .await
}

fn hint() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// What both clients make of a directory; it goes with the value.
struct Both {
    ours: Entries,
    theirs: Entries,
}

impl Both {
    async fn of(root: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tar = |name: &str| folder.path().join(name);
        theirs(root, &tar("theirs")).unwrap();
        ours(root, &tar("ours")).await.unwrap();
        Self {
            ours: entries(&tar("ours")),
            theirs: entries(&tar("theirs")),
        }
    }
}

/// Runs `work` where it may not read what its permissions forbid, though this be root.
fn without_privileges<T: Send + 'static>(work: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        let privileges = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
        let mut sets = rustix::thread::capabilities(None).unwrap();
        // Programs that root starts get back what is in this set; others have none to lose.
        for privilege in privileges {
            let _ = rustix::thread::remove_capability_from_bounding_set(privilege);
        }
        sets.effective -= privileges;
        sets.permitted -= privileges;
        sets.inheritable -= privileges;
        rustix::thread::set_capabilities(None, sets).unwrap();
        // The threads that this starts are as this one.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(work())
    });
    thread.join().unwrap()
}

fn forbid(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_gets_of_an_odd_directory_what_buildctl_would_send() {
    let folder = tempfile::tempdir().unwrap();
    odd(folder.path());
    let Both { ours, theirs } = Both::of(folder.path()).await;
    assert!(ours.len() > 220, "{}", ours.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn extended_attributes_arrive_as_from_buildctl() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("directory")).unwrap();
    fs::write(root.join("file"), "1").unwrap();
    fs::hard_link(root.join("file"), root.join("link")).unwrap();
    let long = "0123456789".repeat(200);
    let many: Vec<String> = (0..80)
        .map(|number| format!("user.a-name-of-many-{number:02}"))
        .collect();
    let mut attributes = vec![
        ("directory", "user.of-a-directory", "yes"),
        ("file", "user.note", "größe \0="),
        ("file", "user.Ünï", "1"),
        ("file", "user.long", &long),
        ("file", "user.empty", ""),
    ];
    fs::write(root.join("many"), "2").unwrap();
    attributes.extend(many.iter().map(|name| ("many", &**name, "1")));
    for (path, name, value) in attributes {
        let path = root.join(path);
        rustix::fs::lsetxattr(&path, name, value.as_bytes(), XattrFlags::empty()).unwrap();
    }
    let Both { ours, theirs } = Both::of(root).await;
    assert_eq!(ours, theirs);
    let of = |path: &str| {
        ours.iter()
            .find(|(name, _)| name == path)
            .unwrap()
            .1
            .clone()
    };
    assert!(
        of("directory/").contains(r#"SCHILY.xattr.user.of-a-directory="yes""#),
        "{ours:#?}"
    );
    assert!(
        of("file").contains(r#"SCHILY.xattr.user.note="größe \0=""#),
        "{ours:#?}"
    );
    assert!(of("file").contains(&long), "{ours:#?}");
    assert_eq!(of("many").matches("SCHILY.xattr.user.").count(), 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_left_out_and_no_empty_file_as_buildctl_makes_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("file"), "1").unwrap();
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    let Both { ours, mut theirs } = Both::of(root).await;
    let at = theirs.iter().position(|(path, _)| path == "socket");
    let (_, socket) = theirs.remove(at.unwrap());
    assert!(
        socket.starts_with("Regular") && socket.contains(EMPTY),
        "{socket}"
    );
    assert_eq!(ours, theirs);
}

#[test]
fn a_file_that_may_not_be_read_ends_the_build_with_its_name_where_buildctl_sends_it_empty() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("file"), "1").unwrap();
    fs::write(root.join("secret"), "2").unwrap();
    forbid(&root.join("secret"));
    let tar = folder.path().join("tar");
    let made = (root.clone(), tar.clone());
    let (ours, theirs) =
        without_privileges(async move || (ours(&made.0, &made.1).await, theirs(&made.0, &made.1)));
    let error = ours.unwrap_err();
    let expected = format!(
        "cannot read `{}`: Permission denied",
        root.join("secret").display()
    );
    assert!(error.contains(&expected), "{error}");
    theirs.unwrap();
    let (_, secret) = entries(&tar).pop().unwrap();
    assert!(secret.contains(EMPTY), "{secret}");
}

#[test]
fn a_directory_that_may_not_be_read_is_refused_as_by_buildctl() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("private/inner")).unwrap();
    forbid(&root.join("private"));
    let tar = folder.path().join("tar");
    let made = root.clone();
    let (ours, theirs) =
        without_privileges(async move || (ours(&made, &tar).await, theirs(&made, &tar)));
    let path = root.join("private");
    assert_eq!(
        ours.unwrap_err(),
        format!("cannot read `{}`", path.display())
    );
    let error = theirs.unwrap_err();
    assert!(error.contains("private: permission denied"), "{error}");
    // So that it can be removed by others than root.
    fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_or_link_that_is_not_utf_8_is_refused_where_buildctl_sends_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    let odd = OsStr::from_bytes(b"caf\xe9");
    fs::create_dir(&file).unwrap();
    fs::write(file.join(odd), "1").unwrap();
    fs::create_dir(&link).unwrap();
    symlink(odd, link.join("link")).unwrap();
    let tar = folder.path().join("tar");
    let error = ours(&file, &tar).await.unwrap_err();
    assert_eq!(
        error,
        "the name `caf\u{fffd}` is not UTF-8, and cannot be sent"
    );
    let error = ours(&link, &tar).await.unwrap_err();
    let expected = "the link `link` points to a name that is not UTF-8, and cannot be sent";
    assert_eq!(error, expected);
    theirs(&file, &tar).unwrap();
    let mut archive = tar::Archive::new(File::open(&tar).unwrap());
    let entry = archive.entries().unwrap().next().unwrap().unwrap();
    assert_eq!(&*entry.path_bytes(), odd.as_bytes());
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
    let error = sent(listing, &hint(), &folder.path().join("tar")).await;
    let error = error.unwrap_err();
    assert!(
        error.contains("/vanishes`: No such file or directory"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_before_it_is_sent_arrives_whole_with_the_next_build() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let tar = folder.path().join("tar");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("grows"), "1234").unwrap();
    fs::write(root.join("shrinks"), "1234").unwrap();
    let listing = Listing::read(&root, &Filter::everything()).unwrap();
    fs::write(root.join("grows"), "abcdef").unwrap();
    fs::write(root.join("shrinks"), "ab").unwrap();
    let content = || -> Vec<String> {
        let mut archive = tar::Archive::new(File::open(&tar).unwrap());
        let entries = archive.entries().unwrap();
        entries
            .map(|entry| std::io::read_to_string(entry.unwrap()).unwrap())
            .collect()
    };
    let hint = hint();
    sent(listing, &hint, &tar).await.unwrap();
    assert_eq!(content(), ["abcd", "ab"]);
    let listing = Listing::read(&root, &Filter::everything()).unwrap();
    sent(listing, &hint, &tar).await.unwrap();
    assert_eq!(content(), ["abcdef", "ab"]);
}
