//! Repositories that cannot be built.

use insta::assert_snapshot;

use super::apk::Package;
use super::peelbox::Peelbox;
use super::repository::{Files, Repository};

fn node() -> Repository {
    let node = Package::new("nodejs-24", "24.19.0-r0").provides(["nodejs=24.19.0-r0"]);
    let npm = Package::new("npm", "12.2.0-r0");
    Files::new([
        node,
        npm,
        Package::new("build-base", "1-r0"),
        Package::new("busybox", "1.38.0-r1"),
    ])
    .serve()
}

#[test]
fn a_repository_is_a_directory_that_exists() {
    let user = Peelbox::new().file("main.go", "package main");
    assert_snapshot!(user.run(&["ci", "no/such/dir"]), @r#"
    error: `no/such/dir` is not a repository: No such file or directory (os error 2)
    hint: name the directory of the sources
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "main.go"]), @r#"
    error: `main.go` is not a repository: it is no directory
    hint: name the directory of the sources
    exit: 2
    "#);
    assert_snapshot!(user.run(&["detect", "no/such/dir"]), @r#"
    error: `no/such/dir` is not a repository: No such file or directory (os error 2)
    hint: name the directory of the sources
    exit: 2
    "#);
}

#[test]
fn a_repository_without_apps_says_what_was_looked_at() {
    let served = node();
    let user = Peelbox::new().with(&served);
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: there is no app in this repository
    hint: `peelbox detect --explain` says more
    hint: or describe the apps in universalbuild.yaml; `peelbox schema` prints what it may have
    exit: 2
    "#);
    assert_snapshot!(user.run(&["detect"]), @r#"
    error: there is no app in this repository
    hint: `peelbox detect --explain` says more
    hint: or describe the apps in universalbuild.yaml; `peelbox schema` prints what it may have
    exit: 2
    "#);
    let user = user.file(
        "lib/package.json",
        r#"{"name":"lib","version":"1.0.0","main":"index.js"}"#,
    );
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: there is no app in this repository
      lib, a Node.js package: it has no start script, and none of its entry files listens
    hint: `peelbox detect --explain` says more
    hint: or describe the apps in universalbuild.yaml; `peelbox schema` prints what it may have
    exit: 2
    "#);
}

#[test]
fn a_start_script_that_needs_a_shell_is_quoted() {
    let served = node();
    let user = Peelbox::new().with(&served).file(
        "web/package.json",
        r#"{"name":"web","scripts":{"start":"node migrate.js && node server.js | tee log"},"dependencies":{"express":"5"}}"#,
    );
    let user = user.file("web/server.js", "require('express')().listen(3000)");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: web/package.json:1: app `web` cannot be built: the start script cannot become a command: a pipe needs a shell: `| tee log`
    hint: add a script `start:prod` that is one command
    hint: `--app` builds others alone; `hide: true` in peelbox.yaml leaves an app out
    exit: 2
    "#);
}

#[test]
fn a_manifest_that_cannot_be_read_is_named_with_its_line() {
    let served = node();
    let user = Peelbox::new()
        .with(&served)
        .file("web/package.json", "{\n  \"name\": \"web\",\n  oops\n}");
    let user = user
        .file("api/go.mod", "modul x\n")
        .file("api/main.go", "package main");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: api/go.mod: has no `module` line
    error: web/package.json:3: is not valid JSON: key must be a string
    exit: 2
    "#);
    assert_snapshot!(user.run(&["detect"]), @r#"
    error: api/go.mod: has no `module` line
    error: web/package.json:3: is not valid JSON: key must be a string
    exit: 2
    "#);
}
