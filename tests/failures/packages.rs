//! Packages that are asked for, and packages that are not what they should be.

use insta::assert_snapshot;

use super::apk::{Key, Package};
use super::peelbox::{Peelbox, testbed};
use super::repository::Files;

fn node() -> Files {
    let node = |stream: &str, version: &str| {
        Package::new(&format!("nodejs-{stream}"), version).provides([format!("nodejs={version}")])
    };
    Files::new([
        node("24", "24.19.0-r0"),
        node("26", "26.10.0-r0"),
        Package::new("busybox", "1.38.0-r1").provides(["cmd:sh=1.38.0-r1"]),
        Package::new("old-tool", "1.0-r0").depends(["busybox<1"]),
    ])
}

#[test]
fn every_wrong_package_of_every_app_is_told_at_once() {
    let served = node().serve();
    let user = Peelbox::new().with(&served).spec(
        "
- version: '1.0'
  metadata: { project_name: web, path: web }
  build: { packages: [nodejs20, busibox, nodejs-24=99] }
  runtime: { packages: [nodejs-24~24, cmd:sh], copy: [{ from: a, to: a }], command: [a] }
- version: '1.0'
  metadata: { project_name: api, path: api }
  runtime: { packages: [qqqqqqqq, nodejs=3, old-tool], copy: [{ from: a, to: a }], command: [a] }
",
    );
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: app `web`, build.packages: no package is named `nodejs20`
    hint: did you mean `nodejs`, `nodejs-24` or `nodejs-26`?
    error: app `web`, build.packages: no package is named `busibox`
    hint: did you mean `busybox`?
    error: app `web`, build.packages: no version of `nodejs-24` satisfies `nodejs-24=99`
    hint: there is `24.19.0-r0`
    error: app `api`, runtime.packages: no package is named `qqqqqqqq`
    hint: `peelbox packages search WORD` looks in descriptions too
    error: app `api`, runtime.packages: no version of `nodejs` satisfies `nodejs=3`
    hint: there is `26.10.0-r0` and `24.19.0-r0`
    error: app `api`, runtime.packages: the packages of the image do not go together: no version satisfies `busybox<1`, asked for by `old-tool-1.0-r0` (`busybox<1`); there is 1.38.0-r1
    hint: `peelbox packages versions NAME` lists the versions that there are
    exit: 2
    "#);
}

#[test]
fn packages_that_do_not_go_together_are_told_with_what_asks_for_them() {
    let served = Files::new([
        Package::new("busybox", "1.38.0-r1"),
        Package::new("web-server", "2.0-r0").depends(["tls-4"]),
        Package::new("tls-4", "4.0-r0").depends(["!tls-3"]),
        Package::new("tls-3", "3.0-r0"),
        Package::new("old-tool", "1.0-r0").depends(["busybox<1"]),
    ]);
    let served = served.serve();
    let user = Peelbox::new().with(&served).spec(
        "
- version: '1.0'
  metadata: { project_name: web, path: web }
  runtime: { packages: [web-server, tls-3], copy: [{ from: a, to: a }], command: [a] }
- version: '1.0'
  metadata: { project_name: tool, path: tool }
  build: { packages: [old-tool, 'busybox~1.38'] }
  runtime: { copy: [{ from: a, to: a }], command: [a] }
",
    );
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: app `web`, runtime.packages: the packages of the image do not go together: `tls-4-4.0-r0` (`!tls-3`) excludes `tls-3-3.0-r0`, asked for by the request (`tls-3`)
    hint: `peelbox packages versions NAME` lists the versions that there are
    error: app `tool`, build.packages: the packages of the build do not go together: no version satisfies `busybox<1`, asked for by `old-tool-1.0-r0` (`busybox<1`); there is 1.38.0-r1
    hint: `peelbox packages versions NAME` lists the versions that there are
    exit: 2
    "#);
}

#[test]
fn a_package_is_written_as_a_name_and_perhaps_a_version() {
    let served = node().serve();
    let user = Peelbox::new().with(&served).spec(
        "
version: '1.0'
metadata: { project_name: web, path: web }
build: { packages: ['busybox^1', 'a b', 'busybox=', 'busybox@edge', 'cmd:sh>1'] }
",
    );
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: universalbuild.yaml:4:21: `build.packages[0]` is "busybox^1": a package is written as name, name=version or name~version
    error: universalbuild.yaml:4:34: `build.packages[1]` is "a b": a package is written as name, name=version or name~version
    error: universalbuild.yaml:4:41: `build.packages[2]` is "busybox=": its version does not start with a digit or holds other characters than letters, digits, `.`, `_` and `-`
    error: universalbuild.yaml:4:53: `build.packages[3]` is "busybox@edge": a package is written as name, name=version or name~version
    error: universalbuild.yaml:4:69: `build.packages[4]` is "cmd:sh>1": a package is written as name, name=version or name~version
    hint: `peelbox schema` prints what a spec may have
    exit: 2
    "#);
}

#[test]
fn packages_are_checked_by_name() {
    let served = node().serve();
    let user = Peelbox::new().with(&served);
    assert_snapshot!(user.run(&["packages", "check", "nodejs", "nodejs20", "nodejs-24=99", "nodejs-24~24", "a b", ""]), @r#"
    stdout:
    nodejs: nodejs-26-26.10.0-r0
    nodejs-24~24: nodejs-24-24.19.0-r0
    stderr:
    error: no package is named `nodejs20`
    hint: did you mean `nodejs`, `nodejs-24` or `nodejs-26`?
    error: no version of `nodejs-24` satisfies `nodejs-24=99`
    hint: there is `24.19.0-r0`
    error: `a b` does not begin with a package name
    hint: a package is written as name, name=version or name~version
    error: `` does not begin with a package name
    hint: a package is written as name, name=version or name~version
    exit: 2
    "#);
    assert_snapshot!(user.run(&["packages", "check", "--", "-x"]), @r#"
    error: no package is named `-x`
    hint: `peelbox packages search WORD` looks in descriptions too
    exit: 2
    "#);
    assert_snapshot!(user.run(&["packages", "search", "qqqq"]), @r#"
    error: no package matches `qqqq`
    hint: try fewer or shorter words
    exit: 2
    "#);
    assert_snapshot!(user.run(&["packages", "versions", "nodejs"]), @r#"
    stdout:
    nodejs-24-24.19.0-r0
    nodejs-26-26.10.0-r0
    stderr:
    exit: 0
    "#);
    assert_snapshot!(user.run(&["packages", "versions", "nodejs-22"]), @r#"
    error: no package is named `nodejs-22`
    hint: did you mean `nodejs-24`, `nodejs-26` or `nodejs`?
    exit: 2
    "#);
}

/// A build with the package `busybox` as `files` has it.
fn build(files: Files) -> String {
    let served = files.serve();
    let user = Peelbox::new().with(&served).spec(
        "
version: '1.0'
metadata: { project_name: web, path: . }
runtime: { packages: [busybox], copy: [{ from: web.sh, to: web.sh }], command: [/usr/bin/busybox, sh, web.sh] }
",
    );
    let user = user
        .file("web.sh", "echo")
        .buildkit(&testbed("PEELBOX_TESTBED_BUILDKIT_LATEST"));
    let told = user.run(&["ci"]);
    assert!(
        !user.repo().join("peelbox-out/report.json").exists(),
        "an app was begun: {told}"
    );
    told
}

const BUSYBOX: &str = "busybox-1.38.0-r1.apk";

#[test]
fn a_package_is_used_only_if_it_is_the_one_of_the_index() {
    let flipped = node().changed(BUSYBOX, |bytes| {
        let last = bytes.len() - 40;
        bytes[last] ^= 1;
    });
    assert_snapshot!(build(flipped), @r#"
    error: the package `busybox-1.38.0-r1` from `http://[SERVER]/os/x86_64/busybox-1.38.0-r1.apk` is not the one of the index: its section 3 is not gzip
    hint: the repository, or something between it and this machine, changed the file: peelbox does not use it
    exit: 3
    "#);
    let other = Package::new("old-tool", "1.0-r0").build(&Key::test()).bytes;
    assert_snapshot!(build(node().with_answer(BUSYBOX, "200 OK", &other)), @r#"
    error: the package `busybox-1.38.0-r1` from `http://[SERVER]/os/x86_64/busybox-1.38.0-r1.apk` is not the one of the index: its identity is `Q1FHXHB3HYrK5q0W/q7yBkoWoywlE=`, not `Q17tUN+H/bOoSBUmuqjgcNLyIITmo=`
    hint: the repository, or something between it and this machine, changed the file: peelbox does not use it
    exit: 3
    "#);
    let again = Package::new("busybox", "1.38.0-r1")
        .license("MIT")
        .build(&Key::test())
        .bytes;
    assert_snapshot!(build(node().with_answer(BUSYBOX, "200 OK", &again)), @r#"
    error: the package `busybox-1.38.0-r1` from `http://[SERVER]/os/x86_64/busybox-1.38.0-r1.apk` is not the one of the index: its identity is `Q10AHES7VCDkSg9QbL5OXoepgvUuI=`, not `Q17tUN+H/bOoSBUmuqjgcNLyIITmo=`
    hint: the repository, or something between it and this machine, changed the file: peelbox does not use it
    exit: 3
    "#);
    let unsigned = Package::new("busybox", "1.38.0-r1").build_unsigned().bytes;
    assert_snapshot!(build(node().with_answer(BUSYBOX, "200 OK", &unsigned)), @r#"
    error: the package `busybox-1.38.0-r1` from `http://[SERVER]/os/x86_64/busybox-1.38.0-r1.apk` is not the one of the index: it is not signed
    hint: the repository, or something between it and this machine, changed the file: peelbox does not use it
    exit: 3
    "#);
    let html = b"<!DOCTYPE html><html><body>Sign in</body></html>";
    assert_snapshot!(build(node().with_answer(BUSYBOX, "200 OK", html)), @r#"
    error: the package `busybox-1.38.0-r1` from `http://[SERVER]/os/x86_64/busybox-1.38.0-r1.apk` is not the one of the index: its section 1 is not gzip
    hint: the server or a proxy sent something else: open the address in a browser
    exit: 3
    "#);
}

#[test]
fn a_package_that_does_not_arrive_is_named() {
    let cut = node().changed(BUSYBOX, |bytes| bytes.truncate(bytes.len() / 2));
    assert_snapshot!(build(cut), @r#"
    error: the package `busybox-1.38.0-r1` from `http://[SERVER]/os/x86_64/busybox-1.38.0-r1.apk` is not the one of the index: it is cut short
    hint: the server or a proxy sent something else: open the address in a browser
    exit: 3
    "#);
    assert_snapshot!(build(node().with_answer(BUSYBOX, "404 Not Found", b"")), @r#"
    error: cannot download the package `busybox-1.38.0-r1` from `http://[SERVER]/os/x86_64/busybox-1.38.0-r1.apk`: the server says 404 Not Found
    hint: the index lists a file that the repository does not have: that is for its owner to mend
    exit: 3
    "#);
    assert_snapshot!(build(node().with_answer(BUSYBOX, "403 Forbidden", b"")), @r#"
    error: cannot download the package `busybox-1.38.0-r1` from `http://[SERVER]/os/x86_64/busybox-1.38.0-r1.apk`: the server says 403 Forbidden
    hint: the server or a proxy does not let this machine in
    exit: 3
    "#);
}
