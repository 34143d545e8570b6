//! Whole transfers against a receiver that does what the daemon does.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use buildkit_proto::fsutil::types::{Packet, Stat, packet::PacketType};
use futures_util::StreamExt as _;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::super::wire::Packets;
use super::outbox::packet;
use super::*;

/// A directory with these files; a path that ends in `/` is a directory.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let at = root.path().join(path);
        if path.ends_with('/') {
            fs::create_dir_all(at).unwrap();
        } else {
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, content).unwrap();
        }
    }
    root
}

fn listing(root: &Path) -> Arc<Listing> {
    Arc::new(Listing::read(root, &Filter::everything()).unwrap())
}

fn select(include: &[&str], exclude: &[&str], follow: &[&str]) -> Selection {
    let owned = |patterns: &[&str]| -> Vec<String> {
        patterns.iter().map(|&pattern| pattern.to_owned()).collect()
    };
    Selection::new(owned(include), &owned(exclude), owned(follow)).unwrap()
}

/// The packets that a transfer puts out.
pub(super) fn packets(outgoing: Outgoing) -> Packets {
    Packets::new(tonic::body::Body::new(outgoing))
}

/// What arrived: the stats in order, and the content by id.
#[derive(Debug, Default)]
struct Arrived {
    stats: Vec<Stat>,
    content: BTreeMap<u32, Vec<u8>>,
    error: Option<String>,
}

impl Arrived {
    fn paths(&self) -> Vec<&str> {
        self.stats.iter().map(|stat| stat.path.as_str()).collect()
    }
}

fn is_wanted(stat: &Stat) -> bool {
    stat.mode & !0o777 == 0 && stat.linkname.is_empty()
}

/// Asks for the files that `wants` takes once the list is there, and finishes.
async fn transfer(
    listing: &Arc<Listing>,
    selection: Selection,
    wants: impl Fn(&Stat) -> bool,
) -> (Result<Sent, SendError>, Arrived) {
    let (requests, requested) = mpsc::channel(1);
    let (out, outgoing) = outbox();
    let mut outgoing = packets(outgoing);
    let requested = ReceiverStream::new(requested);
    let sending = tokio::spawn(send(
        Listing::clone(listing).into(),
        selection,
        requested,
        out,
    ));
    let mut arrived = Arrived::default();
    let mut open = 0;
    let mut listed = false;
    while let Some(next) = outgoing.next().await {
        let next = next.unwrap();
        match next.r#type() {
            PacketType::PacketStat => match next.stat {
                Some(stat) => arrived.stats.push(stat),
                None => {
                    listed = true;
                    let ids = (0_u32..).zip(&arrived.stats);
                    for (id, _) in ids.filter(|(_, stat)| wants(stat)) {
                        open += 1;
                        let request = Packet {
                            id,
                            ..packet(PacketType::PacketReq)
                        };
                        let _ = requests.send(Ok(request)).await; // the sender may have given up
                    }
                }
            },
            PacketType::PacketData => {
                let content = arrived.content.entry(next.id).or_default();
                content.extend(&next.data);
                open -= usize::from(next.data.is_empty());
            }
            PacketType::PacketErr => {
                arrived.error = Some(String::from_utf8(next.data).unwrap());
                break;
            }
            PacketType::PacketFin | PacketType::PacketReq => {}
        }
        if listed && open == 0 {
            let _ = requests.send(Ok(packet(PacketType::PacketFin))).await; // once is enough
        }
    }
    (sending.await.unwrap(), arrived)
}

#[tokio::test]
async fn entries_arrive_in_the_order_that_the_daemon_insists_on() {
    let root = directory(&[
        ("a/x", ""),
        ("a-b/y", ""),
        ("a.txt", ""),
        ("Z", ""),
        ("a/x.d/z", ""),
        ("é", ""),
    ]);
    let (_, arrived) = transfer(&listing(root.path()), Selection::default(), |_| false).await;
    assert_eq!(
        arrived.paths(),
        [
            "Z", "a", "a/x", "a/x.d", "a/x.d/z", "a-b", "a-b/y", "a.txt", "é"
        ]
    );
}

#[tokio::test]
async fn files_arrive_whole() {
    let long = "0123456789abcdef".repeat(100_000);
    let root = directory(&[("empty", ""), ("long", &long), ("sub/short", "text")]);
    let (sent, arrived) = transfer(&listing(root.path()), Selection::default(), is_wanted).await;
    let bytes = long.len() as u64 + 4;
    let expected = Sent {
        stats: 4,
        files: 3,
        bytes,
    };
    assert_eq!(sent.unwrap(), expected);
    assert_eq!(arrived.paths(), ["empty", "long", "sub", "sub/short"]);
    assert_eq!(arrived.content[&0], b"");
    assert!(arrived.content[&1] == long.as_bytes());
    assert_eq!(arrived.content[&3], b"text");
}

#[tokio::test]
async fn ten_thousand_requests_at_once_are_served() {
    let root = tempfile::tempdir().unwrap();
    for number in 0..10_000 {
        fs::write(root.path().join(format!("{number}")), "x").unwrap();
    }
    let (sent, arrived) = transfer(&listing(root.path()), Selection::default(), is_wanted).await;
    assert_eq!(
        (sent.unwrap().files, arrived.content.len()),
        (10_000, 10_000)
    );
}

#[test]
fn sources_have_the_modes_that_git_keeps() {
    let root = directory(&[("dir/", ""), ("tool", ""), ("text", "")]);
    for (path, mode) in [("dir", 0o2770), ("tool", 0o700), ("text", 0o666)] {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(root.path().join(path), permissions).unwrap();
    }
    fs::hard_link(root.path().join("text"), root.path().join("twin")).unwrap();
    let filter = Filter::for_context(root.path()).unwrap();
    let listing = Listing::read(root.path(), &filter).unwrap();
    assert_eq!(
        listing.get("twin").unwrap().kind(),
        &Kind::File { link: None }
    );
    let mode = |path: &str| listing.get(path).unwrap().mode();
    assert_eq!(mode("dir"), 1 << 31 | 0o755);
    assert_eq!((mode("tool"), mode("text")), (0o755, 0o644));
}

#[test]
fn sources_have_no_extended_attributes() {
    let root = directory(&[("file", "")]);
    let (path, flags) = (root.path().join("file"), rustix::fs::XattrFlags::empty());
    for (name, value) in [("user.note", &b"1\xff"[..]), ("user.other", b"")] {
        rustix::fs::lsetxattr(&path, name, value, flags).unwrap();
    }
    let attributes = |filter: &Filter| {
        let listing = Listing::read(root.path(), filter).unwrap();
        let entry = listing.get("file").unwrap();
        let all = entry.attributes();
        all.map(|(name, value)| (name.to_owned(), value.to_vec()))
            .collect::<Vec<_>>()
    };
    assert_eq!(attributes(&Filter::for_context(root.path()).unwrap()), []);
    let all = attributes(&Filter::everything());
    let [(first, value), (other, none)] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!((&**first, &**value), ("user.note", &b"1\xff"[..]));
    assert_eq!((&**other, &**none), ("user.other", &b""[..]));
}

#[tokio::test]
async fn modes_are_those_of_go() {
    let root = directory(&[("dir/", ""), ("file", ""), ("setuid", "")]);
    let mode = |path: &str, mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(root.path().join(path), permissions).unwrap();
    };
    mode("dir", 0o755);
    mode("file", 0o640);
    mode("setuid", 0o4755);
    symlink("file", root.path().join("link")).unwrap();
    let listing = listing(root.path());
    let (_, arrived) = transfer(&listing, Selection::default(), |_| false).await;
    let stats = arrived.stats;
    let modes: Vec<u32> = stats.iter().map(|stat| stat.mode).collect();
    assert_eq!(modes, [2_147_484_141, 0o640, 134_218_239, 8_389_101]);
    let link = &stats[2];
    assert_eq!((link.size, link.linkname.as_str()), (4, "file"));
    assert!(stats.iter().all(|stat| (stat.uid, stat.gid) == (0, 0)));
}

#[tokio::test]
async fn a_hard_link_points_to_the_first_name_that_is_sent() {
    let root = directory(&[("big.bin", "12345"), ("sub/", "")]);
    for name in ["sub/hard", "zzz"] {
        fs::hard_link(root.path().join("big.bin"), root.path().join(name)).unwrap();
    }
    let listing = listing(root.path());
    let (_, whole) = transfer(&listing, Selection::default(), is_wanted).await;
    let links: Vec<_> = whole.stats.iter().map(|stat| &*stat.linkname).collect();
    assert_eq!(whole.paths(), ["big.bin", "sub", "sub/hard", "zzz"]);
    assert_eq!(links, ["", "", "big.bin", "big.bin"]);
    assert_eq!(whole.stats[2].size, 5);

    let (_, filtered) = transfer(&listing, select(&[], &["*.bin"], &[]), is_wanted).await;
    let links: Vec<_> = filtered.stats.iter().map(|stat| &*stat.linkname).collect();
    assert_eq!(filtered.paths(), ["sub", "sub/hard", "zzz"]);
    assert_eq!(links, ["", "", "sub/hard"]);
    assert_eq!(filtered.content[&1], b"12345");
}

#[tokio::test]
async fn what_is_included_brings_its_parents() {
    let root = directory(&[
        ("a/b/c.txt", ""),
        ("a/b/d.md", ""),
        ("a/e/f.md", ""),
        ("g/h.txt", ""),
        ("i/", ""),
    ]);
    let listing = listing(root.path());
    for (include, exclude, expected) in [
        (
            &["**/*.txt"][..],
            &[][..],
            &["a", "a/b", "a/b/c.txt", "g", "g/h.txt"][..],
        ),
        (&["a"], &["a/b"], &["a", "a/e", "a/e/f.md"]),
        (&["a"], &["a/*", "!a/e"], &["a", "a/e", "a/e/f.md"]),
        (&[], &["*", "!a/b/*.md"], &["a", "a/b", "a/b/d.md"]),
        (&["i", "!i"], &[], &[]),
        (&["nothing"], &[], &[]),
    ] {
        let (_, arrived) = transfer(&listing, select(include, exclude, &[]), |_| false).await;
        assert_eq!(arrived.paths(), expected, "{include:?} without {exclude:?}");
    }
}

#[tokio::test]
async fn patterns_outside_ascii_select() {
    let root = directory(&[("sub/é.txt", ""), ("sub/e.txt", "")]);
    let selection = select(&[], &["sub/é.*"], &[]);
    let (_, arrived) = transfer(&listing(root.path()), selection, |_| false).await;
    assert_eq!(arrived.paths(), ["sub", "sub/e.txt"]);
}

#[tokio::test]
async fn followed_links_bring_what_they_point_to() {
    let root = directory(&[("real/deep/file", ""), ("real/other", ""), ("else", "")]);
    let link = |target: &str, path: &str| symlink(target, root.path().join(path)).unwrap();
    link("real/deep", "link");
    link("/link/file", "chain");
    link("loop/on", "loop");
    link("../../../else", "real/up");
    let listing = listing(root.path());
    for (follow, expected) in [
        (
            &["chain"][..],
            &["chain", "link", "real", "real/deep", "real/deep/file"][..],
        ),
        (&["loop"], &["loop"]),
        (&["real/u*"], &["else", "real", "real/up"]),
        (&["missing/x"], &[]),
        (&["real/other"], &["real", "real/other"]),
    ] {
        let (_, arrived) = transfer(&listing, select(&[], &[], follow), |_| false).await;
        assert_eq!(arrived.paths(), expected, "{follow:?}");
    }
    let (_, arrived) = transfer(&listing, select(&[], &[], &["/"]), |_| false).await;
    assert_eq!(arrived.paths().len(), listing.entries().len());
}

#[tokio::test]
async fn a_file_that_vanished_ends_the_transfer_with_its_name() {
    let root = directory(&[("dir/file", "x"), ("other", "x")]);
    let listing = listing(root.path());
    fs::remove_dir_all(root.path().join("dir")).unwrap();
    fs::write(root.path().join("dir"), "").unwrap();
    let (sent, arrived) = transfer(&listing, Selection::default(), is_wanted).await;
    assert!(matches!(sent, Err(SendError::Read { .. })));
    let error = arrived.error.unwrap();
    assert!(
        error.starts_with("cannot read `") && error.contains("/dir/file`: Not a directory"),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_became_something_else_is_not_sent() {
    let root = directory(&[("file", "x")]);
    let listing = listing(root.path());
    fs::remove_file(root.path().join("file")).unwrap();
    symlink("/etc/passwd", root.path().join("file")).unwrap();
    let (sent, arrived) = transfer(&listing, Selection::default(), is_wanted).await;
    assert!(matches!(sent, Err(SendError::Changed { .. })));
    assert!(
        arrived
            .error
            .unwrap()
            .ends_with("/file` is no longer a file")
    );
}

#[tokio::test]
async fn what_is_no_file_cannot_be_asked_for() {
    let root = directory(&[("dir/", "")]);
    let (sent, _) = transfer(&listing(root.path()), Selection::default(), |_| true).await;
    assert!(matches!(sent, Err(SendError::Id { id: 0 })));
}

#[test]
fn a_context_is_the_sources_alone() {
    let root = directory(&[
        (".git/HEAD", ""),
        (".gitignore", "target\n*.log\n!keep.log\n"),
        (".dockerignore", "docs/*\n!docs/api\nnode_modules\n"),
        (".hidden", ""),
        ("docs/api/x", ""),
        ("docs/y", ""),
        ("keep.log", ""),
        ("node_modules/m/i.js", ""),
        ("sub/.git", "gitdir: elsewhere"),
        ("sub/.gitignore", "/out\n"),
        ("sub/a.log", ""),
        ("sub/out/x", ""),
        ("target/debug/x", ""),
        ("web/node_modules/x", ""),
    ]);
    let filter = Filter::for_context(root.path()).unwrap();
    let listing = Listing::read(root.path(), &filter).unwrap();
    let paths: Vec<&str> = listing.entries().iter().map(Entry::path).collect();
    assert_eq!(
        paths,
        [
            ".dockerignore",
            ".gitignore",
            ".hidden",
            "docs",
            "docs/api",
            "docs/api/x",
            "keep.log",
            "sub",
            "sub/.gitignore",
            "web",
            "web/node_modules",
            "web/node_modules/x",
        ]
    );
}

#[test]
fn a_directory_that_is_excluded_stays_out_though_it_is_read() {
    let root = directory(&[(".dockerignore", "*\n!a/b/keep\n"), ("a/b/c/x", "")]);
    let filter = Filter::for_context(root.path()).unwrap();
    let listing = Listing::read(root.path(), &filter).unwrap();
    assert_eq!(listing.entries(), []);
}

#[test]
fn sockets_are_left_out_and_names_that_are_not_text_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let root = directory(&[("a", "")]);
    let socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
    let listing = listing(root.path());
    assert_eq!(listing.skipped(), ["socket"]);
    assert_eq!(listing.entries().len(), 1);
    drop(socket);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    fs::write(root.path().join(name), "").unwrap();
    let error = Listing::read(root.path(), &Filter::everything()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the name `caf\u{fffd}` is not UTF-8, and cannot be sent"
    );
}

#[test]
fn a_bad_ignore_file_is_named() {
    let root = directory(&[(".dockerignore", "a[\n")]);
    let error = Filter::for_context(root.path()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with(".dockerignore` has a pattern that means nothing")
    );
}

#[test]
fn what_git_keeps_is_sent_although_a_gitignore_names_it() {
    let root = directory(&[
        (".gitignore", "dist/\n*.env\n"),
        ("a.env", ""),
        ("b.env", ""),
        ("dist-2/c", ""),
        ("dist/.gitignore", "x"),
        ("dist/app/main.js", ""),
        ("dist/app/other.js", ""),
        ("dist/secret", ""),
        ("out/d.env", ""),
        ("src/main.js", ""),
        ("zoo", ""),
    ]);
    fs::write(root.path().join(".dockerignore"), "dist/secret\n").unwrap();
    symlink("src", root.path().join("link.env")).unwrap();
    let filter = Filter::for_context(root.path()).unwrap();
    let filter = filter.without(root.path().canonicalize().unwrap().join("out"));
    let kept = [
        "a.env",
        "dist/app/main.js",
        "dist/gone",
        "dist/secret",
        "link.env/main.js",
        "out/d.env",
        "src/main.js",
        "../escaped",
        "/etc/passwd",
        ".git/config",
    ];
    let filter = filter.keeping(kept.map(PathBuf::from));
    let listing = Listing::read(root.path(), &filter).unwrap();
    let paths: Vec<&str> = listing.entries().iter().map(Entry::path).collect();
    let expected = [
        ".dockerignore",
        ".gitignore",
        "a.env",
        "dist",
        "dist/app",
        "dist/app/main.js",
        "dist-2",
        "dist-2/c",
        "src",
        "src/main.js",
        "zoo",
    ];
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn a_file_that_changes_its_size_is_sent_as_it_is_then_but_never_longer_than_it_was_listed() {
    let root = directory(&[("grown", "1234"), ("shrunk", "1234"), ("emptied", "1234")]);
    let listing = listing(root.path());
    for (path, content) in [("grown", "123456"), ("shrunk", "12"), ("emptied", "")] {
        fs::write(root.path().join(path), content).unwrap();
    }
    let (sent, arrived) = transfer(&listing, Selection::default(), is_wanted).await;
    assert_eq!(sent.unwrap().bytes, 6);
    assert_eq!(arrived.paths(), ["emptied", "grown", "shrunk"]);
    assert_eq!(arrived.content[&0], b"");
    assert_eq!(arrived.content[&1], b"1234");
    assert_eq!(arrived.content[&2], b"12");
}

#[tokio::test]
async fn a_large_file_that_shrinks_ends_where_it_ends() {
    let root = directory(&[("large", &"0123456789abcdef".repeat(60_000))]);
    let listing = listing(root.path());
    let now = "fedcba9876543210".repeat(25_000);
    fs::write(root.path().join("large"), &now).unwrap();
    let (_, arrived) = transfer(&listing, Selection::default(), is_wanted).await;
    assert!(arrived.content[&0] == now.as_bytes());
}

#[tokio::test]
async fn a_pipe_or_socket_in_the_place_of_a_file_is_not_waited_for() {
    let root = directory(&[("file", "x")]);
    let listing = listing(root.path());
    fs::remove_file(root.path().join("file")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(root.path().join("file")).unwrap();
    let (sent, _) = transfer(&listing, Selection::default(), is_wanted).await;
    assert!(matches!(sent, Err(SendError::Changed { .. })));
    drop(socket);
    fs::remove_file(root.path().join("file")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(root.path().join("file"))
        .status();
    assert!(made.unwrap().success());
    let (sent, _) = transfer(&listing, Selection::default(), is_wanted).await;
    assert!(matches!(sent, Err(SendError::Changed { .. })));
}

#[tokio::test]
async fn a_receiver_that_goes_away_ends_the_threads_that_wait_for_it() {
    let root = directory(&[("large", &"x".repeat(8 << 20))]);
    let listing = listing(root.path());
    let (requests, requested) = mpsc::channel(1);
    let (out, outgoing) = outbox();
    let requested = ReceiverStream::new(requested);
    let sending = tokio::spawn(send(
        Listing::clone(&listing).into(),
        Selection::default(),
        requested,
        out,
    ));
    let request = Packet {
        id: 0,
        ..packet(PacketType::PacketReq)
    };
    requests.send(Ok(request)).await.unwrap();
    // All buffers are full by the time that nobody wants them any more.
    let mut outgoing = packets(outgoing);
    for _ in 0..3 {
        outgoing.next().await.unwrap().unwrap();
    }
    drop(outgoing);
    assert!(matches!(sending.await.unwrap(), Err(SendError::Ended)));
}
