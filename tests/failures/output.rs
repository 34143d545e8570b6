//! Places to write to.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use insta::assert_snapshot;

use super::apk::Package;
use super::peelbox::Peelbox;
use super::repository::Files;

const SPEC: &str = "
version: '1.0'
metadata: { project_name: web, path: . }
runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
";

#[test]
fn an_output_directory_that_cannot_be_made_is_named() {
    let served = Files::new([]).serve();
    let packages = Files::new([Package::new("nginx", "1.29.3-r0")]).serve();
    let user = Peelbox::new().with(&served).spec(SPEC).file("taken", "");
    assert_snapshot!(user.run(&["ci", "--output-dir", "taken"]), @r#"
    error: cannot make the directory `taken`: File exists (os error 17)
    hint: `--output-dir` names another one
    exit: 3
    "#);
    assert_snapshot!(user.run(&["ci", "--output-dir", "taken/below"]), @r#"
    error: cannot make the directory `taken/below`: Not a directory (os error 20)
    hint: `--output-dir` names another one
    exit: 3
    "#);
    assert_snapshot!(user.run(&["ci", "--output-dir", "/proc/peelbox"]), @r#"
    error: cannot make the directory `/proc/peelbox`: No such file or directory (os error 2)
    hint: `--output-dir` names another one
    exit: 3
    "#);
    let user = Peelbox::new()
        .with(&packages)
        .file("site/index.html", "<h1>hi</h1>");
    assert_snapshot!(user.run(&["detect", "--output", "no/such/dir/spec.yaml"]), @r#"
    error: cannot write `no/such/dir/spec.yaml`: No such file or directory (os error 2)
    exit: 3
    "#);
}

#[test]
fn who_closes_stdout_has_seen_enough() {
    let user = Peelbox::new();
    let mut child = user
        .command(&["schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_snapshot!(user.shown(&output), @"exit: 0");
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = user
        .command(&["schema"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_snapshot!(user.shown(&output), @r#"
    error: cannot write to stdout: No space left on device (os error 28)
    exit: 3
    "#);
}

/// A file system of 64 KiB; `None` where nothing may be mounted.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(path: &'a Path) -> Option<Self> {
        fs::create_dir(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(path)
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(path))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status(); // the test has said what it had to
    }
}

#[test]
fn a_full_disk_leaves_no_half_archive() {
    let user = Peelbox::new().on_testbed().file("web", vec![7; 100_000]).spec("
version: '1.0'
metadata: { project_name: web, path: . }
runtime: { packages: [busybox], copy: [{ from: web, to: web }], command: [/usr/bin/busybox, cat, web] }
");
    let path = user.path("small");
    let Some(small) = Small::mount(&path) else {
        return; // not root
    };
    assert_snapshot!(user.run(&["ci", "--output-dir", path.to_str().unwrap(), "--progress", "quiet"]), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: cannot write `[DIR]/small/.web.oci.tar.partial`: No space left on device (os error 28)
      hint: make room there, or name another directory with `--output-dir`
    report and archives: [DIR]/small
    exit: 3
    "#);
    let left: Vec<_> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().contains("oci.tar")),
        "{left:?}"
    );
    drop(small);
}
