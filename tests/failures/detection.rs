//! Apps that are recognised and cannot be built, overrides that cannot be meant, and strict runs.

use insta::assert_snapshot;

use super::apk::Package;
use super::peelbox::Peelbox;
use super::repository::{Files, Repository};

const GO: &str = "package main\n\nfunc main() {}\n";

fn go() -> Repository {
    Files::new([
        Package::new("go-1.27", "1.27.0-r0"),
        Package::new("ca-certificates-bundle", "1-r0"),
        Package::new("tzdata", "1-r0"),
        Package::new("build-base", "1-r0"),
        Package::new("busybox", "1.38.0-r1"),
    ])
    .serve()
}

/// A repository with an app that can be built and two that cannot.
fn user() -> Peelbox {
    Peelbox::new()
        .with(&go())
        .file("good/go.mod", "module good\n\ngo 1.26\n")
        .file("good/main.go", GO)
        .file("late/go.mod", "module late\n\ngo 1.99\n")
        .file("late/main.go", GO)
        .file("later/go.mod", "module later\n\ngo 1.98\n")
        .file("later/main.go", GO)
}

#[test]
fn the_good_apps_are_printed_and_every_refusal_is_told() {
    let user = user();
    assert_snapshot!(user.run(&["detect", "--format", "text"]), @r#"
    stdout:
    app   path  kind    built with  runs
    good  good  worker  go, go      /app/good
    stderr:
    error: late/go.mod:3: app `late` cannot be built: Go `1.99` is not packaged
    hint: the maintained ones are `go-1.27`
    error: later/go.mod:3: app `later` cannot be built: Go `1.98` is not packaged
    hint: the maintained ones are `go-1.27`
    hint: `--app` builds others alone; `hide: true` in peelbox.yaml leaves an app out
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: late/go.mod:3: app `late` cannot be built: Go `1.99` is not packaged
    hint: the maintained ones are `go-1.27`
    error: later/go.mod:3: app `later` cannot be built: Go `1.98` is not packaged
    hint: the maintained ones are `go-1.27`
    hint: `--app` builds others alone; `hide: true` in peelbox.yaml leaves an app out
    exit: 2
    "#);
}

#[test]
fn what_is_not_chosen_stops_nothing() {
    let user = user().file("web/package.json", "{");
    assert_snapshot!(user.run(&["detect", "--format", "text", "--app", "good"]), @r#"
    stdout:
    app   path  kind    built with  runs
    good  good  worker  go, go      /app/good
    stderr:
    warning: web/package.json:1: is not valid JSON: EOF while parsing an object
    exit: 0
    "#);
    assert_snapshot!(user.run(&["detect", "--format", "text", "--app", "late"]), @r#"
    warning: web/package.json:1: is not valid JSON: EOF while parsing an object
    error: late/go.mod:3: app `late` cannot be built: Go `1.99` is not packaged
    hint: the maintained ones are `go-1.27`
    hint: `hide: true` in peelbox.yaml leaves an app out
    exit: 2
    "#);
    assert_snapshot!(user.run(&["detect", "--app", "none"]), @r#"
    error: no app matches `--app none`
    hint: there is `good`, `late` and `later`
    exit: 2
    "#);
    // The next thing that is missing is BuildKit.
    assert_snapshot!(user.run(&["build", "--app", "good", "--tag", "x"]), @r#"
    warning: web/package.json:1: is not valid JSON: EOF while parsing an object
    error: no BuildKit was found
      tried unix:///run/buildkit/buildkitd.sock: no such socket
      tried docker://: no Engine at unix://[DIR]/docker.sock
    hint: start a buildkitd or a Docker Engine, or name one with `--buildkit` or BUILDKIT_HOST
    exit: 3
    "#);
}

#[test]
fn what_is_hidden_is_not_built() {
    let user = user().file(
        "peelbox.yaml",
        "apps:\n  late: {hide: true}\n  later: {hide: true}\n",
    );
    assert_snapshot!(user.run(&["detect", "--format", "text"]), @r#"
    stdout:
    app   path  kind    built with  runs
    good  good  worker  go, go      /app/good
    stderr:
    exit: 0
    "#);
}

#[test]
fn overrides_that_cannot_be_meant_are_told_all_at_once() {
    let user = user().file(
        "peelbox.yaml",
        "apps:\n  god:\n    hide: true\n  good:\n    runtme: {}\n    runtime: {ports: [0]}\n",
    );
    assert_snapshot!(user.run(&["detect", "--format", "text", "--app", "good"]), @r#"
    stdout:
    app   path  kind    built with  runs
    good  good  worker  go, go      /app/good
    stderr:
    error: peelbox.yaml:5:5: unknown key `apps.good.runtme`, the nearest known one is `apps.good.runtime`
    error: peelbox.yaml:6:23: `runtime.ports[0]` is 0: it must be a whole number from 1 to 65535
    hint: `peelbox schema --overrides` prints what it may have
    exit: 2
    "#);
    let user = user.file("peelbox.yaml", "apps:\n  god: {hide: true}\n");
    assert_snapshot!(user.run(&["detect", "--format", "text", "--app", "good"]), @r#"
    stdout:
    app   path  kind    built with  runs
    good  good  worker  go, go      /app/good
    stderr:
    error: peelbox.yaml:2:3: there is no app `god`, the nearest one is `good`
    hint: `add: true` makes an app of what is written here; `peelbox detect` prints what there is
    exit: 2
    "#);
}

#[test]
fn overrides_beside_a_spec_file_are_said_to_be_in_vain() {
    let user = Peelbox::new()
        .with(&go())
        .file("peelbox.yaml", "hide: true\n")
        .spec("version: \"1.0\"\nmetadata: {project_name: x}\nruntime: {copy: [{from: /x, to: x}], command: [/app/x], packages: [nothing]}\n");
    assert_snapshot!(user.run(&["ci"]), @r#"
    warning: peelbox.yaml is not read, which changes what is detected: the apps come from `universalbuild.yaml`
    error: app `x`, runtime.packages: no package is named `nothing`
    hint: `peelbox packages search WORD` looks in descriptions too
    error: app `x`, runtime.copy: `/x` is outside of the app, and no command builds it
    hint: take it from the app's own directory, or add the command that makes it to build.commands
    exit: 2
    "#);
}

#[test]
fn a_strict_run_is_stopped_by_warnings() {
    let user = Peelbox::new()
        .with(&go())
        .file("good/go.mod", "module good\n\ngo 1.26\n")
        .file("good/main.go", "package main\n\nimport \"net/http\"\n\nfunc main() {\n\thttp.ListenAndServe(\":8080\", nil)\n}\n")
        .file("good/Dockerfile", "FROM scratch\nEXPOSE 80\n");
    assert_snapshot!(user.run(&["detect", "--format", "text"]), @r#"
    stdout:
    app   path  kind  built with  runs
    good  good  web   go, go      /app/good
    stderr:
    warning: good/Dockerfile:2: says port 80, but the app in `good` listens on 8080 by `good/main.go:6`
    exit: 0
    "#);
    assert_snapshot!(user.run(&["detect", "--format", "text", "--strict"]), @r#"
    stdout:
    app   path  kind  built with  runs
    good  good  web   go, go      /app/good
    stderr:
    error: good/Dockerfile:2: says port 80, but the app in `good` listens on 8080 by `good/main.go:6`
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--strict"]), @r#"
    error: good/Dockerfile:2: says port 80, but the app in `good` listens on 8080 by `good/main.go:6`
    exit: 2
    "#);
}
