//! Builds that fail.

use std::fs;

use insta::assert_snapshot;

use super::peelbox::Peelbox;

/// Builds one app whose `build` and `runtime` are given.
fn user(fields: &str) -> Peelbox {
    Peelbox::new().on_testbed().spec(&format!(
        "version: '1.0'\nmetadata: {{ project_name: web, path: . }}\n{fields}"
    ))
}

fn build(fields: &str) -> String {
    user(fields).run(&["ci", "--progress", "quiet"])
}

#[test]
fn a_file_that_the_build_did_not_leave_is_named() {
    assert_snapshot!(build("
build: { commands: [touch out] }
runtime: { copy: [{ from: dist/web, to: web }], command: [/app/web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed in build: the build left no `/src/dist/web`
      command: touch out
      at: universalbuild.yaml:4:21
      hint: runtime.copy lists it: does a command write it somewhere else, or need to be told to?
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
}

#[test]
fn a_file_in_the_place_of_a_directory_is_told() {
    assert_snapshot!(build("
build: { commands: [mkdir dist && touch dist/a web] }
runtime: { copy: [{ from: dist, to: web }, { from: web, to: web }], command: [/app/web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed in build: /src/web is a file, and /app/web is a directory already
      command: mkdir dist && touch dist/a web
      at: universalbuild.yaml:4:21
      hint: runtime.copy gives both the same place: end `to` with `/`, or name another one
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
}

#[test]
fn a_library_that_no_package_has_is_named_with_the_file_that_needs_it() {
    assert_snapshot!(build("
build:
  packages: [gcc, glibc-dev]
  commands:
    - |
      echo 'int one(){return 1;}' > one.c
      echo 'int one();int main(){return one();}' > web.c
      gcc -shared -fPIC -o libodd.so.1 -Wl,-soname,libodd.so.1 one.c
      gcc -o web web.c ./libodd.so.1
runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: `/app/web` needs the library `libodd.so.1`, which no package of the index provides and the build did not make
      hint: have the build leave it and copy it with runtime.copy, or link it statically
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
}

#[test]
fn a_command_that_the_image_does_not_have_is_named() {
    assert_snapshot!(build("
build: { commands: [touch server.js] }
runtime: { copy: [{ from: server.js, to: server.js }], command: [node, server.js] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: the image has no `node`, which `runtime.command` runs
      hint: add its package to runtime.packages, or copy it with runtime.copy
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
    assert_snapshot!(build("
build: { commands: ['echo > web; chmod +x web'] }
runtime: { copy: [{ from: web, to: web }], command: [/app/web], processes: { worker: [./work] } }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: the image has no `./work`, which `runtime.processes.worker` runs
      hint: add its package to runtime.packages, or copy it with runtime.copy
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
}

#[test]
fn a_command_that_may_not_be_run_is_named() {
    assert_snapshot!(build("
build: { commands: [touch web] }
runtime: { copy: [{ from: web, to: web }], command: [./web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: `./web`, which `runtime.command` runs, is not executable
      hint: give it the right with chmod +x, in git too: git update-index --chmod=+x
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
}

#[test]
fn a_script_whose_interpreter_is_missing_is_named_with_it() {
    assert_snapshot!(build("
build: { commands: ['printf \"#!/bin/bash\\necho\\n\" > web; chmod +x web'] }
runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: `/app/web`, which `runtime.command` runs, is a script for `/bin/bash`, which the image does not have
      hint: name the interpreter itself in runtime.command, and add its package to runtime.packages
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
    assert_snapshot!(build("
build: { commands: ['printf \"#!/usr/bin/env python3\\nprint()\\n\" > web; chmod +x web'] }
runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: `/app/web`, which `runtime.command` runs, is a script for `python3`, which the image does not have
      hint: name the interpreter itself in runtime.command, and add its package to runtime.packages
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
}

#[test]
fn a_step_that_fails_shows_its_command_its_code_and_its_last_lines() {
    assert_snapshot!(build("
build: { commands: [echo one, 'echo two; exit 7'] }
runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed in build 2/2 (exit code 7): its command failed
      command: echo two; exit 7
      at: universalbuild.yaml:4:31
      | two
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
    assert_snapshot!(build("
build: { commands: [pnpm install] }
runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed in build (exit code 127): its command failed
      command: pnpm install
      at: universalbuild.yaml:4:21
      | /bin/sh: line 0: pnpm: not found
      hint: a program was not found: add its package to build.packages
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
}

#[test]
fn a_step_that_is_killed_says_so() {
    assert_snapshot!(build("
build: { commands: ['kill -KILL $$'] }
runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed in build (exit code 137): its command was killed
      command: kill -KILL $$
      at: universalbuild.yaml:4:21
      | Killed
      hint: that is mostly for want of memory: give the daemon more, or let the command use less
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
    assert_snapshot!(build("
build: { commands: ['kill -SEGV $$'] }
runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed in build (exit code 139): its command crashed
      command: kill -SEGV $$
      at: universalbuild.yaml:4:21
      | Segmentation fault
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
}

const HOSTILE: &str = r#"
build:
  commands:
    - printf 'one\033[31mred\033[0m\rover\n\033]0;title\007\n\377\376bad\n::error::forged\n::add-mask::x\n</details><script>\n```\n'; head -c 100000 /dev/zero | tr '\0' A; exit 3
runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
"#;

#[test]
fn what_a_step_writes_cannot_steer_the_terminal_or_the_runner() {
    let user = user(HOSTILE);
    let summary = user.path("summary.md");
    let user = user.set("GITHUB_STEP_SUMMARY", summary.display().to_string());
    let output = user.command(&["ci"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let log = fs::read_to_string(user.repo().join("peelbox-out/web.log")).unwrap();
    let summary = fs::read_to_string(summary).unwrap();
    for text in [&stderr, &log, &summary] {
        let control = text
            .chars()
            .find(|char| char.is_control() && *char != '\n' && *char != '\t');
        assert_eq!(control, None, "{text}");
        let forged = text
            .lines()
            .find(|line| line.trim_start().starts_with("::error"));
        assert!(forged.is_none() || text == &summary, "{text}");
        assert!(text.lines().all(|line| line.len() < 20_000));
        assert!(text.contains("bad"), "{text}");
    }
    // In the summary it lies in a fence that it cannot close.
    let fence = summary.lines().find(|line| line.starts_with("````text"));
    assert!(fence.is_some(), "{summary}");
}

#[test]
fn a_base_image_must_be_there_and_be_wolfi() {
    let fields = "
build: { commands: [touch web] }
runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
";
    let registry = super::peelbox::testbed("PEELBOX_TESTBED_REGISTRY");
    let missing = user(fields).set("PEELBOX_BASE_IMAGE", format!("{registry}/no/such:1"));
    assert_snapshot!(missing.run(&["ci", "--progress", "quiet"]), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: the base image `[REGISTRY]/no/such:1` cannot be resolved: [REGISTRY]/no/such:1: not found
      hint: the daemon must reach that registry; PEELBOX_BASE_IMAGE names a copy in another one
    report and archives: [DIR]/repo/peelbox-out
    exit: 3
    "#);
    let refused = missing.unset("DOCKER_CONFIG");
    assert_snapshot!(refused.run(&["ci", "--progress", "quiet"]), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: the base image `[REGISTRY]/no/such:1` cannot be resolved: unexpected status from HEAD request to http://[REGISTRY]/v2/no/such/manifests/1: 401 Unauthorized
      hint: log in to the registry with `docker login`; DOCKER_CONFIG names the directory with the login
    report and archives: [DIR]/repo/peelbox-out
    exit: 3
    "#);
    let nobody = user(fields).set("PEELBOX_BASE_IMAGE", "127.0.0.1:1/wolfi-base");
    assert_snapshot!(nobody.run(&["ci", "--progress", "quiet"]), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: the base image `127.0.0.1:1/wolfi-base:latest` cannot be resolved: failed to do request: Head "http://127.0.0.1:1/v2/wolfi-base/manifests/latest": dial tcp 127.0.0.1:1: connect: connection refused
      hint: the daemon must reach that registry; PEELBOX_BASE_IMAGE names a copy in another one
    report and archives: [DIR]/repo/peelbox-out
    exit: 3
    "#);
    let other = user(fields).set("PEELBOX_BASE_IMAGE", other_system(&registry));
    assert_snapshot!(other.run(&["ci", "--progress", "quiet"]), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: the base image `[REGISTRY]/failures/other:1` is not Wolfi: its /etc/os-release says ID=debian
      hint: PEELBOX_BASE_IMAGE must be a copy of cgr.dev/chainguard/wolfi-base
    report and archives: [DIR]/repo/peelbox-out
    exit: 2
    "#);
}

/// Pushes an image of another system into the test bed's registry.
fn other_system(registry: &str) -> String {
    let name = format!("{registry}/failures/other:1");
    let directory = tempfile::tempdir().unwrap();
    let tar = directory.path().join("root.tar");
    let mut root = tar::Builder::new(fs::File::create(&tar).unwrap());
    let mut header = tar::Header::new_gnu();
    let text = b"ID=debian\nVERSION_ID=13\n";
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    root.append_data(&mut header, "etc/os-release", text.as_slice())
        .unwrap();
    root.finish().unwrap();
    for arguments in [
        vec!["import", tar.to_str().unwrap(), &name],
        vec!["push", &name],
    ] {
        let docker = super::peelbox::testbed("PEELBOX_TESTBED_DOCKER");
        let done = std::process::Command::new(docker)
            .args(&arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    name
}

#[test]
fn a_command_may_end_with_any_code() {
    assert_snapshot!(build("
build: { commands: [exit 66] }
runtime: { copy: [{ from: dist, to: web }], command: [/app/web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed in build (exit code 66): its command failed
      command: exit 66
      at: universalbuild.yaml:4:21
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
}

#[test]
fn a_directory_in_the_place_of_a_link_is_told_where_no_command_can_move_it() {
    let fields = "runtime: { copy: [{ from: dist, to: / }], command: [/bin/page] }\n";
    let user = user(fields).file("dist/bin/page", "");
    assert_snapshot!(user.run(&["ci", "--progress", "quiet"]), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed: runtime.copy makes the directory `/bin`, which is a link to `/usr/bin` in the image
      hint: copy what is in it with an entry of its own, whose `to` is where the link leads
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
    assert_snapshot!(build("
build: { commands: [mkdir -p dist/bin dist/usr/bin && touch dist/bin/web dist/usr/bin/web] }
runtime: { copy: [{ from: dist, to: / }], command: [/bin/web] }
"), @r#"
    app  result  size   time  digest
    web  failed        [TIME]
    1 app: 1 failed

    web failed in build: /bin/web and /usr/bin/web are one place in the image
      command: mkdir -p dist/bin dist/usr/bin && touch dist/bin/web dist/usr/bin/web
      at: universalbuild.yaml:4:21
      hint: in the image one of the two is a link to the other: leave one file out
    report and archives: [DIR]/repo/peelbox-out
    exit: 1
    "#);
}

#[test]
fn build_stops_where_every_other_app_would_fail_alike_as_ci_does() {
    let app = |name: &str| {
        format!(
            "- version: '1.0'\n  metadata: {{ project_name: {name}, path: . }}\n  build: {{ commands: [touch a] }}\n  runtime: {{ copy: [{{ from: a, to: a }}], command: [/app/a] }}\n"
        )
    };
    let user = Peelbox::new()
        .on_testbed()
        .set("PEELBOX_BASE_IMAGE", "127.0.0.1:1/wolfi-base:latest")
        .spec(&format!("{}{}{}", app("one"), app("two"), app("three")));
    let output = "type=oci,dest={app}.tar";
    let arguments = [
        "--tag",
        "{app}:1",
        "--output",
        output,
        "--progress",
        "quiet",
    ];
    let shown = user.run(&[&["build"][..], &arguments].concat());
    let told: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert!(told[0].starts_with("error: app `one` failed: "), "{shown}");
    let skipped = [
        "error: app `two` was not built",
        "error: app `three` was not built",
    ];
    assert_eq!(told[1..], skipped, "{shown}");
    assert!(shown.ends_with("exit: 3"), "{shown}");
}
