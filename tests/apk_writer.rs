//! The writer of packages that other tests stand on.
#[path = "support/apk.rs"]
mod apk;

use std::io::Read as _;

use apk::{Key, Package, index, unsigned_index};
use flate2::read::{GzDecoder, MultiGzDecoder};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

fn sample() -> Package {
    Package::new("foo", "1.2.3-r0")
        .depends(["so:libc.so.6"])
        .provides(["cmd:foo=1.2.3-r0"])
        .file("usr/bin/foo", 0o755, "#!/bin/sh\n")
        .link("usr/bin/bar", "foo")
        .script(".post-install", "#!/bin/sh\n")
}

fn members(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut tar = tar::Archive::new(MultiGzDecoder::new(bytes));
    let mut found = Vec::new();
    for entry in tar.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("its content");
        found.push((path, content));
    }
    found
}

#[test]
fn the_members_of_a_package_concatenate_to_one_tar() {
    let built = sample().build(&Key::test());
    let names: Vec<String> = members(&built.bytes)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            ".SIGN.RSA256.test-only.rsa.pub",
            ".PKGINFO",
            ".post-install",
            "usr",
            "usr/bin",
            "usr/bin/bar",
            "usr/bin/foo",
            "var",
            "var/lib",
            "var/lib/db",
            "var/lib/db/sbom",
            "var/lib/db/sbom/foo-1.2.3-r0.spdx.json",
        ]
    );
}

#[test]
fn only_the_data_of_a_package_ends_its_tar() {
    let built = sample().build(&Key::test());
    let inflate = |bytes: &[u8]| {
        let mut plain = Vec::new();
        GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
        plain
    };
    let signature = inflate(&built.bytes[..built.control.start]);
    let data = inflate(&built.bytes[built.data.clone()]);
    assert_eq!(signature.len(), 1024, "a header and 512 bytes of signature");
    assert!(data.ends_with(&[0; 1024]));
    assert!(!inflate(&built.bytes[built.control.clone()]).ends_with(&[0; 1024]));
}

#[test]
fn the_signature_of_a_package_covers_its_control_member() {
    let key = Key::test();
    let built = sample().build(&key);
    let signature = &members(&built.bytes)[0].1;
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_der());
    public
        .verify(&built.bytes[built.control.clone()], signature)
        .unwrap();
    assert!(
        public
            .verify(&built.bytes[built.data.clone()], signature)
            .is_err()
    );
}

#[test]
fn the_signature_of_an_index_covers_what_follows_it() {
    let key = Key::test();
    let record = sample().build(&key).record;
    let plain = unsigned_index("test", [record.as_str()]);
    let signed = index("test", [record.as_str()], &key);
    let signature = &members(&signed)[0].1;
    assert!(signed.ends_with(&plain));
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_der());
    public.verify(&plain, signature).unwrap();
}

#[test]
fn the_same_package_gives_the_same_bytes() {
    assert_eq!(
        sample().build(&Key::test()).bytes,
        sample().build(&Key::test()).bytes
    );
}

#[test]
fn the_control_section_vouches_for_the_data() {
    let built = sample().build(&Key::test());
    let info = String::from_utf8(members(&built.bytes)[1].1.clone()).unwrap();
    let hash = apk::hex(&apk::sha256(&built.bytes[built.data.clone()]));
    assert!(info.ends_with(&format!("datahash = {hash}\n")));
}

#[test]
fn files_directories_and_links_count_in_the_installed_size() {
    let built = sample().without_sbom().build(&Key::test());
    let size = "#!/bin/sh\n".len() + "foo".len() + 2 * 4096;
    assert!(built.record.contains(&format!("\nI:{size}\n")));
}

#[test]
fn a_path_longer_than_a_tar_header_survives() {
    let path = format!("usr/share/{}/{}", "d".repeat(120), "f".repeat(150));
    let built = Package::new("long", "1-r0")
        .file(&path, 0o644, "x")
        .build(&Key::test());
    assert!(members(&built.bytes).iter().any(|(name, _)| *name == path));
}

#[test]
fn files_and_links_carry_their_checksum() {
    let built = sample().build(&Key::test());
    let mut tar = tar::Archive::new(MultiGzDecoder::new(built.bytes.as_slice()));
    let mut found = Vec::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        for record in entry.pax_extensions().unwrap().into_iter().flatten() {
            let record = record.unwrap();
            found.push(format!(
                "{path} {} {}",
                record.key().unwrap(),
                record.value().unwrap()
            ));
        }
    }
    let links: Vec<&String> = found
        .iter()
        .filter(|line| line.starts_with("usr/bin/bar "))
        .collect();
    let sum = "0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33";
    assert_eq!(
        links,
        [&format!("usr/bin/bar APK-TOOLS.checksum.SHA1 {sum}")]
    );
}

#[test]
fn the_public_key_is_written_as_the_tools_of_others_write_it() {
    let pem = Key::test().public_pem();
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\nMIICIjANBgkqhkiG9w0BAQEFAAOCAg8A"));
    assert!(pem.lines().all(|line| line.len() <= 64));
}
