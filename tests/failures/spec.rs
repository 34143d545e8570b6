//! Spec files.

use std::fs;

use insta::assert_snapshot;

use super::apk::Package;
use super::peelbox::Peelbox;
use super::repository::Files;

fn user() -> Peelbox {
    let served = Files::new([Package::new("busybox", "1.38.0-r1")]).serve();
    Peelbox::new().with(&served)
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let user = user();
    assert_snapshot!(user.run(&["ci", "--spec", "none.yaml"]), @r#"
    error: cannot read the spec file `none.yaml`: No such file or directory (os error 2)
    hint: `peelbox detect --format yaml --output universalbuild.yaml` writes one
    exit: 2
    "#);
    fs::create_dir(user.repo().join("dir.yaml")).unwrap();
    assert_snapshot!(user.run(&["ci", "--spec", "dir.yaml"]), @r#"
    error: cannot read the spec file `dir.yaml`: Is a directory (os error 21)
    exit: 2
    "#);
    let user = user.file("big.yaml", vec![b'#'; (16 << 20) + 1]);
    assert_snapshot!(user.run(&["ci", "--spec", "big.yaml"]), @r#"
    error: the spec file `big.yaml` has more than 16 MiB
    exit: 2
    "#);
    let user = user.file("latin.yaml", b"version: \"1.0\" # \xe9\n");
    assert_snapshot!(user.run(&["ci", "--spec", "latin.yaml"]), @r#"
    error: latin.yaml:1:18: not valid YAML: a byte that is no UTF-8
    exit: 2
    "#);
}

#[test]
fn broken_yaml_has_a_line_and_a_column() {
    let user = user().spec("version: \"1.0\"\nmetadata: {project_name: web\nruntime: []\n");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: universalbuild.yaml:3:8: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
    exit: 2
    "#);
    let user = user.file("x.json", "{\"version\": \"1.0\",\n \"metadata\": }");
    assert_snapshot!(user.run(&["ci", "--spec", "x.json"]), @r#"
    error: x.json:2:14: not valid JSON: expected value
    exit: 2
    "#);
    let user = user.spec("");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: universalbuild.yaml:1:1: there is no spec in it
    hint: `peelbox schema` prints what a spec may have
    exit: 2
    "#);
}

#[test]
fn every_problem_of_a_file_is_told_at_once() {
    let user = user().spec(
        "
- version: '1.0'
  metadata: { project_name: web, path: ., kind: website }
  build: { base: wolfi, comands: [make] }
  runtime: { base: scratch, prot: [80], ports: http, command: ./web }
- version: '1.0'
  metadata: { project_name: Web, path: 7 }
  runtime: { copy: [{ from: a }], command: [x] }
",
    );
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: universalbuild.yaml:3:49: `metadata.kind` is "website": a kind is one of web, worker, cli and static
    error: universalbuild.yaml:4:12: there is no key `build.base`, its place is taken by `build.packages`: images are assembled from Wolfi packages, so there is no base image to choose; what an app needs is listed in `packages`
    error: universalbuild.yaml:4:25: unknown key `build.comands`, the nearest known one is `build.commands`
    error: universalbuild.yaml:5:14: there is no key `runtime.base`, its place is taken by `runtime.packages`: images are assembled from Wolfi packages, so there is no base image to choose; what an app needs is listed in `packages`
    error: universalbuild.yaml:5:29: unknown key `runtime.prot`, the nearest known one is `runtime.ports`
    error: universalbuild.yaml:5:48: `runtime.ports` must be a list, but is a text
    error: universalbuild.yaml:5:63: `runtime.command` must be a list, but is a text
    error: universalbuild.yaml:7:29: the app name "Web" is taken: it comes out as `web`, as the one in line 3 does
    error: universalbuild.yaml:7:40: `metadata.path` must be a text, but is a number
    error: universalbuild.yaml:8:21: `runtime.copy[0].to` is missing
    hint: `peelbox schema` prints what a spec may have
    exit: 2
    "#);
}

#[test]
fn a_spec_that_reads_well_may_still_not_be_built() {
    let user = user().spec(
        "
- version: '1.0'
  metadata: { project_name: web, path: . }
- version: '1.0'
  metadata: { project_name: api, path: api }
  runtime: { copy: [{ from: /usr/bin/foo, to: foo }, { from: a, to: b }], command: [foo] }
",
    );
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: app `web`, runtime.copy: nothing is copied into the image
    hint: list what the app needs to run, each with `from` and `to`
    error: app `web`, runtime.command: there is no command to run
    hint: give it as a list of words; no shell is involved
    error: app `api`, runtime.copy: `/usr/bin/foo` is outside of the app, and no command builds it
    hint: take it from the app's own directory, or add the command that makes it to build.commands
    exit: 2
    "#);
}

#[test]
fn a_pattern_that_buildkit_would_read_otherwise_is_refused() {
    let user = user().spec(
        "version: \"1.0\"\nmetadata: {project_name: web}\nbuild:\n  context:\n  - src/**\n  - 'lib/{a,b}/**'\n  \
         install:\n    files: ['[!a]*', '[*]']\n",
    );
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: universalbuild.yaml:6:5: `build.context[1]` is "lib/{a,b}/**": it is no glob: there are no alternatives in braces
    hint: write a pattern for each; `\{` stands for the brace itself
    error: universalbuild.yaml:8:13: `build.install.files[0]` is "[!a]*": it is no glob: a class of other characters is written `[^…]`
    error: universalbuild.yaml:8:22: `build.install.files[1]` is "[*]": it is no glob: in a class there is no `*` or `?`
    hint: `peelbox schema` prints what a spec may have
    exit: 2
    "#);
}
