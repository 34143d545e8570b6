//! Packages as they should be, and as they should not.

use super::super::index::Index;
use super::super::testing::{Apk, Dice, KEY_NAME, Made, gzip, keys, member, sections, sign};
use super::*;
use crate::oci::Digest;

fn verify(made: &Made, bytes: &[u8], piece: usize) -> Result<Verified, PackageError> {
    let index = Index::parse(made.record.as_bytes(), "test");
    let name = index.names().next().unwrap();
    let mut verifier = Verifier::new(index.newest(name).unwrap(), &keys());
    for piece in bytes.chunks(piece) {
        verifier.push(piece)?;
    }
    verifier.finish()
}

fn check(made: &Made) -> Result<Verified, PackageError> {
    verify(made, &made.file, 100)
}

fn fault(made: &Made) -> Fault {
    check(made).unwrap_err().fault
}

fn foo() -> Apk {
    Apk::new("foo", "1.2-r0")
        .directory("usr")
        .directory("usr/bin")
        .file("usr/bin/foo", b"#!/bin/false\n")
        .link("usr/bin/bar", "foo")
        .file("var/lib/db/sbom/foo-1.2-r0.spdx.json", b"{}")
}

#[test]
fn a_good_package_is_described() {
    let mut apk = foo();
    apk.info.push_str(
        "license = MIT\nlicense = ISC\n# depend = no\ndepend = so:libc.so.6\ntriggers = /a /b\n",
    );
    apk.scripts = member(".post-install", b'0', b"#!/bin/sh\n", "");
    let made = apk.make();
    let verified = check(&made).unwrap();
    assert_eq!(verified.sha256, Digest::of(&made.file));
    assert_eq!(verified.size, made.file.len() as u64);
    assert_eq!(verified.info.license, ["MIT", "ISC"]);
    assert_eq!(verified.info.depends, ["so:libc.so.6"]);
    assert_eq!(verified.info.triggers, ["/a", "/b"]);
    assert_eq!(verified.sbom.as_deref(), Some(b"{}".as_slice()));
    let signature = format!(".SIGN.RSA256.{KEY_NAME}");
    assert_eq!(
        verified.leftovers,
        [signature.as_str(), ".PKGINFO", ".post-install"]
    );
    let entries: Vec<(&str, EntryKind)> = verified
        .entries
        .iter()
        .map(|entry| (entry.path.as_str(), entry.kind))
        .collect();
    assert_eq!(
        entries,
        [
            ("usr", EntryKind::Directory),
            ("usr/bin", EntryKind::Directory),
            ("usr/bin/foo", EntryKind::File),
            ("usr/bin/bar", EntryKind::Symlink),
            ("var/lib/db/sbom/foo-1.2-r0.spdx.json", EntryKind::File),
        ]
    );
    assert_eq!(verified.entries[3].link.as_deref(), Some("foo"));
}

#[test]
fn the_size_of_the_pieces_does_not_matter() {
    let made = foo().make();
    let expected = check(&made).unwrap();
    for piece in [1, 7, 511, 512, 513, made.file.len()] {
        assert_eq!(
            verify(&made, &made.file, piece).as_ref(),
            Ok(&expected),
            "{piece}"
        );
    }
}

#[test]
fn another_package_under_a_good_index_is_refused() {
    let (ours, mut other) = (foo().make(), foo().file("usr/more", b"").make());
    other.file.clone_from(&ours.file);
    let size = ours.file.len();
    let record = other
        .record
        .lines()
        .map(|line| match line.strip_prefix("S:") {
            Some(_) => format!("S:{size}\n"),
            None => format!("{line}\n"),
        });
    other.record = record.collect();
    assert!(matches!(fault(&other), Fault::Identity { .. }));
}

#[test]
fn a_package_that_describes_another_is_refused() {
    let mut apk = foo();
    apk.info = "pkgname = foo\npkgver = 1.3-r0\n".to_owned();
    assert_eq!(
        fault(&apk.make()),
        Fault::Name {
            found: "foo-1.3-r0".to_owned()
        }
    );
    let error = check(&apk.make()).unwrap_err().to_string();
    let expected = "package `foo-1.2-r0` is not what the index lists: it calls itself `foo-1.3-r0`";
    assert_eq!(error, expected);
}

#[test]
fn a_signature_is_needed_and_must_be_of_a_trusted_key() {
    let mut made = foo().make();
    let mut verifier = Verifier::new(
        Index::parse(made.record.as_bytes(), "test")
            .newest("foo")
            .unwrap(),
        &Keys::wolfi(),
    );
    let names = vec![KEY_NAME.to_owned()];
    let error = verifier.push(&made.file).unwrap_err();
    assert_eq!(error.fault, SignatureError::UnknownKey { names }.into());
    assert!(verifier.finish().is_err());

    let signature = sections(&made.file)[0].len();
    let rest = made.file.split_off(signature);
    let unsigned = Made {
        file: rest.clone(),
        record: record_of(&made, rest.len()),
    };
    assert_eq!(fault(&unsigned), SignatureError::Unsigned.into());
    let file = [sign("RSA256", b"something else"), rest].concat();
    let altered = Made {
        record: record_of(&made, file.len()),
        file,
    };
    let name = KEY_NAME.to_owned();
    assert_eq!(fault(&altered), SignatureError::Altered { name }.into());
}

fn record_of(made: &Made, size: usize) -> String {
    let lines = made.record.lines().filter(|line| !line.starts_with("S:"));
    lines
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        .trim_end()
        .to_owned()
        + &format!("\nS:{size}\n")
}

#[test]
fn other_data_behind_a_good_control_section_is_refused() {
    let made = foo().make();
    let data = gzip(&[member("usr/evil", b'0', b"x", ""), vec![0; 1024]].concat());
    let length = made.file.len() - sections(&made.file)[2].len();
    let file = [&made.file[..length], &data].concat();
    let swapped = Made {
        record: record_of(&made, file.len()),
        file,
    };
    assert!(matches!(fault(&swapped), Fault::Data { .. }));
}

#[test]
fn a_file_of_another_size_is_refused() {
    let made = foo().make();
    let longer = [made.file.as_slice(), b"x"].concat();
    let error = verify(&made, &longer, 64).unwrap_err();
    assert!(matches!(error.fault, Fault::Size { .. }));
    let longer = Made {
        record: record_of(&made, longer.len()),
        file: longer,
    };
    assert_eq!(fault(&longer), Fault::Trailing);
}

#[test]
fn paths_that_leave_the_root_are_refused() {
    for path in [
        "../x",
        "/etc/passwd",
        "usr/../../x",
        "usr//x",
        "./x",
        "a\u{1b}b",
        "usr/.",
    ] {
        let made = Apk::new("foo", "1").file(path, b"").make();
        assert!(
            matches!(fault(&made), Fault::Tar(TarError::Path { .. })),
            "{path}"
        );
    }
}

#[test]
fn a_file_below_a_link_is_refused() {
    let made = Apk::new("foo", "1")
        .link("usr/x", "/etc")
        .file("usr/x/passwd", b"")
        .make();
    let path = "usr/x/passwd".to_owned();
    assert_eq!(fault(&made), TarError::BelowLink { path }.into());
}

#[test]
fn a_hard_link_leads_to_a_file_of_the_package() {
    let good = Apk::new("foo", "1")
        .file("a", b"x")
        .raw(&member("b", b'1', b"", "a"))
        .make();
    assert_eq!(check(&good).unwrap().entries[1].link.as_deref(), Some("a"));
    for target in ["etc/passwd", "../a", "/a"] {
        let made = Apk::new("foo", "1")
            .raw(&member("b", b'1', b"", target))
            .make();
        assert!(
            matches!(fault(&made), Fault::Tar(TarError::Link { .. })),
            "{target}"
        );
    }
}

#[test]
fn devices_and_pipes_are_refused() {
    for kind in [b'3', b'4', b'6'] {
        let made = Apk::new("foo", "1")
            .raw(&member("dev/x", kind, b"", ""))
            .make();
        assert!(matches!(fault(&made), Fault::Tar(TarError::Kind { .. })));
    }
}

#[test]
fn an_extended_header_names_the_entry_behind_it() {
    let path = format!("usr/{}", "long/".repeat(60)) + "x";
    let sum = "a".repeat(40);
    let records = [
        format!("path={path}"),
        format!("APK-TOOLS.checksum.SHA1={sum}"),
    ];
    let records: String = records.iter().map(|record| pax(record)).collect();
    let made = Apk::new("foo", "1")
        .raw(&member("PaxHeader", b'x', records.as_bytes(), ""))
        .file("short", b"x")
        .file("next", b"")
        .make();
    let entries = check(&made).unwrap().entries;
    assert_eq!(
        (entries[0].path.as_str(), entries[0].sha1.as_ref()),
        (path.as_str(), Some(&sum))
    );
    assert_eq!(
        (entries[1].path.as_str(), entries[1].sha1.as_ref()),
        ("next", None)
    );
}

fn pax(record: &str) -> String {
    let mut length = record.len() + 3;
    while format!("{length} {record}\n").len() != length {
        length += 1;
    }
    format!("{length} {record}\n")
}

#[test]
fn an_end_mark_before_the_data_is_refused() {
    let mut apk = foo();
    apk.scripts = vec![0; 1024];
    assert_eq!(fault(&apk.make()), Fault::EndMark { section: 2 });
}

#[test]
fn data_that_unpacks_without_end_is_given_up() {
    let made = Apk::new("foo", "1")
        .file("zeros", &vec![0; 100 << 20])
        .make();
    assert_eq!(fault(&made), Fault::TooLarge { section: 3 });
}

#[test]
fn real_directories_of_merged_names_are_reported() {
    let made = Apk::new("foo", "1")
        .directory("lib")
        .file("lib/libfoo.so", b"")
        .file("usr/lib/ok", b"")
        .file("usr/sbin/foo", b"")
        .link("bin", "usr/bin")
        .file("libexec/x", b"")
        .make();
    let verified = check(&made).unwrap();
    let breakers: Vec<&str> = verified
        .merge_breakers()
        .map(|entry| entry.path.as_str())
        .collect();
    assert_eq!(breakers, ["lib", "lib/libfoo.so", "usr/sbin/foo"]);
}

#[test]
fn a_package_without_files_is_one_too() {
    let verified = check(&Apk::new("meta", "1").make()).unwrap();
    assert_eq!((verified.entries.len(), verified.sbom), (0, None));
}

#[test]
fn no_altered_or_shortened_package_is_accepted() {
    let made = foo().make();
    for length in 0..made.file.len() {
        assert!(
            verify(&made, &made.file[..length], 97).is_err(),
            "{length} bytes"
        );
    }
    let signature = sections(&made.file)[0].len();
    let mut dice = Dice(11);
    for _ in 0..3000 {
        let mut altered = made.file.clone();
        let at = dice.roll(altered.len());
        altered[at] ^= 1 << dice.roll(8);
        // The signature section covers, and is covered by, nothing: its own header may differ.
        if let Ok(verified) = verify(&made, &altered, 97) {
            assert!(at < signature, "byte {at}");
            assert_eq!(verified.entries.len(), 5);
        }
    }
}
