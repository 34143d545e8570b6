//! The package index.

use std::fs;

use insta::assert_snapshot;

use super::apk::{self, Key, Package};
use super::peelbox::Peelbox;
use super::repository::Files;

fn busybox() -> Files {
    Files::new([Package::new("busybox", "1.38.0-r1")])
}

#[test]
fn an_index_must_be_signed_by_a_key_that_is_trusted() {
    let record = Package::new("busybox", "1.38.0-r1")
        .build(&Key::test())
        .record;
    let unsigned = apk::unsigned_index("made for a test", [record.as_str()]);
    let served = busybox().with_index(&unsigned).serve();
    assert_snapshot!(Peelbox::new().with(&served).run(&["packages", "check", "busybox"]), @r#"
    error: `http://[SERVER]/os/x86_64/APKINDEX.tar.gz` is no package index to trust: it is not signed
    hint: only signed repositories are used: sign it, for instance with `melange sign-index`
    exit: 3
    "#);

    let other = Key::test().renamed("other.rsa.pub");
    let foreign = apk::index("made for a test", [record.as_str()], &other);
    let served = busybox().with_index(&foreign).serve();
    assert_snapshot!(Peelbox::new().with(&served).run(&["packages", "check", "busybox"]), @r#"
    error: `http://[SERVER]/os/x86_64/APKINDEX.tar.gz` is no package index to trust: it is signed with `other.rsa.pub`, which is not a trusted key
    hint: PEELBOX_APK_KEY names the public key of a repository that you trust
    exit: 3
    "#);

    let served = busybox().changed("APKINDEX.tar.gz", |bytes| {
        let last = bytes.len() - 20;
        bytes[last] ^= 1;
    });
    let served = served.serve();
    assert_snapshot!(Peelbox::new().with(&served).run(&["packages", "check", "busybox"]), @r#"
    error: `http://[SERVER]/os/x86_64/APKINDEX.tar.gz` is no package index to trust: its signature with `test-only.rsa.pub` is wrong: it was altered, or signed with another key of that name
    hint: something changed the index, or PEELBOX_APK_KEY is another key: peelbox does not use it
    exit: 3
    "#);

    // Without a key it is held to be Wolfi's own.
    let served = busybox().serve();
    let user = Peelbox::new().with(&served).unset("PEELBOX_APK_KEY");
    assert_snapshot!(user.run(&["packages", "check", "busybox"]), @r#"
    error: `http://[SERVER]/os/x86_64/APKINDEX.tar.gz` is no package index to trust: it is signed with `test-only.rsa.pub`, which is not a trusted key
    hint: PEELBOX_APK_KEY names the public key of a repository that you trust
    exit: 3
    "#);
}

#[test]
fn what_is_no_index_is_told_apart() {
    let html = b"<!DOCTYPE html><html><body>Sign in</body></html>";
    let served = busybox().with_index(html).serve();
    assert_snapshot!(Peelbox::new().with(&served).run(&["packages", "check", "busybox"]), @r#"
    error: `http://[SERVER]/os/x86_64/APKINDEX.tar.gz` is no package index to trust: it is not gzip, or cut short
    hint: is this an apk repository, without the architecture, or does a proxy answer with a page of its own?
    exit: 3
    "#);
    let served = busybox().changed("APKINDEX.tar.gz", |bytes| bytes.truncate(400));
    let served = served.serve();
    assert_snapshot!(Peelbox::new().with(&served).run(&["packages", "check", "busybox"]), @r#"
    error: `http://[SERVER]/os/x86_64/APKINDEX.tar.gz` is no package index to trust: it is not gzip, or cut short
    hint: is this an apk repository, without the architecture, or does a proxy answer with a page of its own?
    exit: 3
    "#);
    let served = busybox().with_index(b"").serve();
    assert_snapshot!(Peelbox::new().with(&served).run(&["packages", "check", "busybox"]), @r#"
    error: `http://[SERVER]/os/x86_64/APKINDEX.tar.gz` is no package index to trust: it is not gzip, or cut short
    hint: is this an apk repository, without the architecture, or does a proxy answer with a page of its own?
    exit: 3
    "#);
}

#[test]
fn a_server_that_refuses_is_quoted() {
    for (status, expected) in [
        ("404 Not Found", "404"),
        ("403 Forbidden", "403"),
        ("503 Service Unavailable", "503"),
    ] {
        let served = busybox()
            .with_answer("APKINDEX.tar.gz", status, b"")
            .serve();
        let told = Peelbox::new()
            .with(&served)
            .run(&["packages", "check", "busybox"]);
        assert!(told.contains(expected), "{told}");
        if expected == "404" {
            assert_snapshot!(told, @r#"
            error: cannot fetch `http://[SERVER]/os/x86_64/APKINDEX.tar.gz`: the server says 404 Not Found
            hint: PEELBOX_APK_REPOSITORY is the address of an apk repository, without the architecture
            exit: 3
            "#);
        }
    }
    assert_snapshot!(Peelbox::new().run(&["packages", "check", "busybox"]), @r#"
    error: cannot fetch `http://127.0.0.1:1/os/x86_64/APKINDEX.tar.gz`: Connection refused (os error 111)
    hint: is the network up? HTTPS_PROXY and HTTP_PROXY name a proxy, PEELBOX_APK_REPOSITORY a mirror
    exit: 3
    "#);
    let user = Peelbox::new().set("PEELBOX_APK_REPOSITORY", "http://packages.invalid/os");
    assert_snapshot!(user.run(&["packages", "check", "busybox"]), @r#"
    error: cannot fetch `http://packages.invalid/os/x86_64/APKINDEX.tar.gz`: error resolving DNS: failed to lookup address information: Name or service not known
    hint: is the network up? HTTPS_PROXY and HTTP_PROXY name a proxy, PEELBOX_APK_REPOSITORY a mirror
    exit: 3
    "#);
}

#[test]
fn an_old_copy_is_used_with_a_warning() {
    let served = busybox().serve();
    let user = Peelbox::new().with(&served);
    assert_snapshot!(user.run(&["packages", "check", "busybox"]), @r#"
    stdout:
    busybox: busybox-1.38.0-r1
    stderr:
    exit: 0
    "#);
    age(&user);
    let user = user.set("HTTP_PROXY", "http://127.0.0.1:1");
    assert_snapshot!(user.run(&["packages", "check", "busybox"]), @r#"
    stdout:
    busybox: busybox-1.38.0-r1
    stderr:
    warning: the package index is 48 hours old and could not be refreshed: cannot fetch `http://[SERVER]/os/x86_64/APKINDEX.tar.gz`: Connection refused (os error 111)
    exit: 0
    "#);
}

/// Makes the cached index two days older than it is: its time is text, and a checksum of all stands at the end.
fn age(user: &Peelbox) {
    const SUM: usize = 4;
    const KEY: &[u8] = b"\"checked\":";
    let directory = user.path("home/.cache/peelbox/index");
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let key = bytes.windows(KEY.len()).position(|part| part == KEY);
        let digits = key.unwrap() + KEY.len()..key.unwrap() + KEY.len() + 10;
        let checked = std::str::from_utf8(&bytes[digits.clone()]).unwrap();
        let checked: u64 = checked.parse().unwrap();
        let older = (checked - 2 * 24 * 60 * 60).to_string();
        bytes[digits].copy_from_slice(older.as_bytes());
        bytes.truncate(bytes.len() - SUM);
        let mut sum = flate2::Crc::new();
        sum.update(&bytes);
        bytes.extend_from_slice(&sum.sum().to_le_bytes());
        fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn a_directory_is_no_repository_for_a_daemon() {
    let user = Peelbox::new();
    let url = format!("file://{}", user.repo().display());
    let user = user.set("PEELBOX_APK_REPOSITORY", url);
    assert_snapshot!(user.run(&["packages", "check", "busybox"]), @r#"
    error: cannot read `[DIR]/repo/x86_64/APKINDEX.tar.gz`: No such file or directory (os error 2)
    hint: a repository in a directory has an index for every architecture
    exit: 3
    "#);
}
