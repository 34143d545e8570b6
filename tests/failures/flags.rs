//! Flags and variables.

use insta::assert_snapshot;

use super::apk::Package;
use super::peelbox::Peelbox;
use super::repository::Files;

const ONE: &str = "
version: '1.0'
metadata: { project_name: web, path: . }
runtime: { packages: [busybox], copy: [{ from: web.sh, to: web.sh }], command: [/usr/bin/busybox, sh, web.sh] }
";
const TWO: &str = "
- version: '1.0'
  metadata: { project_name: web, path: . }
  runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
- version: '1.0'
  metadata: { project_name: api, path: . }
  runtime: { copy: [{ from: api, to: api }], command: [/app/api] }
";

fn busybox() -> Files {
    Files::new([Package::new("busybox", "1.38.0-r1")])
}

#[test]
fn a_command_that_was_removed_says_what_replaced_it() {
    let user = Peelbox::new();
    assert_snapshot!(user.run(&["frontend", "--help"]), @r#"
    error: there is no `peelbox frontend`: peelbox is no BuildKit frontend any more
    hint: `peelbox ci` builds every app of a repository, `peelbox build` one of them
    exit: 2
    "#);
    assert_snapshot!(user.run(&["detect", "--format", "dockerfile"]), @r#"
    error: there is no `--format dockerfile`: images are built without a Dockerfile
    hint: `--format yaml` prints the spec, which `peelbox build --spec` reads
    exit: 2
    "#);
    assert_snapshot!(user.run(&["build", "--tag", "web", "--context-name", "src"]), @r#"
    error: there is no `--context-name`: the sources are read from a directory
    hint: `--repo` names the directory of the sources
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--context-name=src"]), @r#"
    error: there is no `--context-name`: the sources are read from a directory
    hint: `peelbox ci DIR` names it, and `peelbox build --repo DIR`
    exit: 2
    "#);
}

#[test]
fn what_is_unknown_names_what_is_near() {
    let user = Peelbox::new();
    assert_snapshot!(user.run(&["cii"]), @r#"
    error: there is no command `cii`
    hint: did you mean `ci`?
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--output-dri", "x"]), @r#"
    error: `peelbox ci` takes no `--output-dri`
    hint: did you mean `--output-dir`?
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--zzz"]), @r#"
    error: `peelbox ci` takes no `--zzz`
    hint: `peelbox ci --help` says what it takes
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "a", "b"]), @r#"
    error: `peelbox ci` takes no `b`
    hint: `peelbox ci --help` says what it takes
    exit: 2
    "#);
    assert_snapshot!(user.run(&["detect", "--format", "yml"]), @r#"
    error: `--format` cannot be `yml`
    hint: it is `json`, `yaml` or `text`
    exit: 2
    "#);
    assert_snapshot!(user.run(&["completions", "tcsh"]), @r#"
    error: `<SHELL>` cannot be `tcsh`
    hint: it is `bash`, `elvish`, `fish`, `powershell` or `zsh`
    exit: 2
    "#);
}

#[test]
fn what_is_missing_is_named() {
    let user = Peelbox::new();
    assert_snapshot!(user.run(&["build"]), @r#"
    error: `--tag <NAME>` is missing
    hint: `peelbox build --help` says what it takes
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--tag"]), @r#"
    error: `--tag` needs a value
    hint: `peelbox ci --help` says what it takes
    exit: 2
    "#);
    assert_snapshot!(user.run(&["packages", "check"]), @r#"
    error: `<PACKAGES>...` is missing
    hint: `peelbox packages check --help` says what it takes
    exit: 2
    "#);
    assert_snapshot!(user.run(&["packages"]).lines().next().unwrap(), @"Asks the package index");
}

#[test]
fn a_wrong_value_names_the_flag_or_the_variable_it_comes_from() {
    let user = Peelbox::new();
    assert_snapshot!(user.run(&["ci", "--source-date-epoch", "now"]), @r#"
    error: `--source-date-epoch` cannot be `now`: invalid digit found in string
    hint: `peelbox ci --help` says what it takes
    exit: 2
    "#);
    let user = Peelbox::new().set("SOURCE_DATE_EPOCH", "now");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: SOURCE_DATE_EPOCH cannot be `now`: invalid digit found in string
    hint: `peelbox ci --help` says what it takes
    exit: 2
    "#);
    let user = Peelbox::new().set("PEELBOX_PROGRESS", "loud");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: PEELBOX_PROGRESS cannot be `loud`
    hint: it is `auto`, `tty`, `plain`, `quiet` or `rawjson`
    exit: 2
    "#);
    let user = Peelbox::new().set("PEELBOX_NO_SBOM", "perhaps");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: PEELBOX_NO_SBOM cannot be `perhaps`: value was not a boolean
    hint: `peelbox ci --help` says what it takes
    exit: 2
    "#);
}

#[test]
fn variables_that_cannot_be_used_are_named() {
    let user = Peelbox::new().set("PEELBOX_APK_REPOSITORY", "packages.example/os");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: PEELBOX_APK_REPOSITORY: `packages.example/os` is not the address of a package repository
    hint: it is an address like https://packages.wolfi.dev/os
    exit: 2
    "#);
    let user = Peelbox::new().set(
        "PEELBOX_APK_REPOSITORY",
        "https://me:geheim@packages.example/os",
    );
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: PEELBOX_APK_REPOSITORY: the address of the package repository holds a name or password
    hint: it would show in logs and provenance: use a mirror that needs none
    exit: 2
    "#);
    let user = Peelbox::new().set("PEELBOX_APK_KEY", "/nonexistent/key.rsa.pub");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: PEELBOX_APK_KEY: cannot read `/nonexistent/key.rsa.pub`: No such file or directory (os error 2)
    exit: 2
    "#);
    let user = Peelbox::new().file("key.rsa.pub", "no key");
    let user = user.set("PEELBOX_APK_KEY", "key.rsa.pub");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: PEELBOX_APK_KEY: `key.rsa.pub` holds no public key in PEM form
    hint: it is the .rsa.pub file of the key that the repository is signed with, under its own name
    exit: 2
    "#);
}

#[test]
fn addresses_that_cannot_be_read_are_named_with_their_variable() {
    let user = Peelbox::new().set("DOCKER_HOST", "/var/run/docker.sock");
    assert_snapshot!(user.run(&["doctor"]), @r#"
    error: DOCKER_HOST: `/var/run/docker.sock` has no scheme
    hint: it is unix:///PATH or tcp://HOST:PORT
    error: cannot fetch `http://127.0.0.1:1/os/x86_64/APKINDEX.tar.gz`: Connection refused (os error 111)
    hint: is the network up? HTTPS_PROXY and HTTP_PROXY name a proxy, PEELBOX_APK_REPOSITORY a mirror
    exit: 3
    "#);
    let user = Peelbox::new().set("BUILDKIT_HOST", "/run/buildkit/buildkitd.sock");
    assert_snapshot!(user.run(&["doctor"]), @r#"
    error: BUILDKIT_HOST: `/run/buildkit/buildkitd.sock` has no scheme
    hint: it is unix:///PATH, tcp://HOST:PORT, docker-container://NAME, podman-container://NAME, kube-pod://POD?context=&namespace=&container=, ssh://USER@HOST:PORT/SOCKET, docker:// or docker:///SOCKET
    error: cannot fetch `http://127.0.0.1:1/os/x86_64/APKINDEX.tar.gz`: Connection refused (os error 111)
    hint: is the network up? HTTPS_PROXY and HTTP_PROXY name a proxy, PEELBOX_APK_REPOSITORY a mirror
    exit: 3
    "#);
    let user = Peelbox::new().set("PEELBOX_BUILDKIT", "tcp://localhost");
    assert_snapshot!(user.run(&["doctor"]), @r#"
    error: PEELBOX_BUILDKIT: `tcp://localhost` needs host:port behind `tcp://`
    hint: it is unix:///PATH, tcp://HOST:PORT, docker-container://NAME, podman-container://NAME, kube-pod://POD?context=&namespace=&container=, ssh://USER@HOST:PORT/SOCKET, docker:// or docker:///SOCKET
    error: cannot fetch `http://127.0.0.1:1/os/x86_64/APKINDEX.tar.gz`: Connection refused (os error 111)
    hint: is the network up? HTTPS_PROXY and HTTP_PROXY name a proxy, PEELBOX_APK_REPOSITORY a mirror
    exit: 3
    "#);
    let served = busybox().serve();
    let user = Peelbox::new()
        .with(&served)
        .spec(ONE)
        .set("PEELBOX_BASE_IMAGE", "Wolfi Base");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: PEELBOX_BASE_IMAGE: `Wolfi Base` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`
    hint: it names a copy of cgr.dev/chainguard/wolfi-base
    exit: 2
    "#);
}

#[test]
fn tags_must_be_names_and_tell_apps_apart() {
    let served = busybox().serve();
    let user = Peelbox::new().with(&served).spec(TWO);
    assert_snapshot!(user.run(&["ci", "--tag", "example.com/team/all:1"]), @r#"
    error: `--tag example.com/team/all:1` would name the images of 2 apps alike
    hint: put `{app}` into it, which stands for the app's name
    exit: 2
    "#);
    let user = Peelbox::new().with(&served).spec(ONE);
    assert_snapshot!(user.run(&["ci", "--tag", "Example/{app}:1"]), @r#"
    error: `--tag Example/{app}:1`: `Example/app:1` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`
    hint: it is a name like registry.example/team/{app}:1.0
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--tag", "example.com/{App}:1"]), @r#"
    error: `--tag`: `example.com/{App}:1` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`
    hint: it is a name like registry.example/team/{app}:1.0
    exit: 2
    "#);
    let digest = "0000000000000000000000000000000000000000000000000000000000000000";
    assert_snapshot!(user.run(&["ci", "--tag", &format!("web@sha256:{digest}")]), @r#"
    error: `--tag`: `web@sha256:0000000000000000000000000000000000000000000000000000000000000000` has a digest, which only the build can know
    hint: leave out what follows the `@`
    exit: 2
    "#);
}

#[test]
fn secrets_labels_and_certificates_are_checked_before_a_daemon_is_looked_for() {
    let served = busybox().serve();
    let user = Peelbox::new().with(&served).spec(ONE);
    assert_snapshot!(user.run(&["ci", "--secret", "token"]), @r#"
    error: `--secret` has an unknown field: a part without `=`
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--secret", "id=token,src=token.txt"]), @r#"
    error: `--secret id=token`: cannot read `token.txt`: No such file or directory (os error 2)
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--secret", "id=token,env=TOKEN"]), @r#"
    error: `--secret id=token`: the variable `TOKEN` is not set
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--secret", "id=token"]), @r#"
    error: `--secret id=token`: the variable `token` is not set
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--secret", "id=token,src=a,env=B"]), @r#"
    error: `--secret id=token` has both src and env
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--secret", "id=token,scr=a"]), @r#"
    error: `--secret` has an unknown field: scr
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--label", "team"]), @r#"
    error: `--label team` has no key
    hint: write --label KEY=VALUE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--ca-certificates", "ca.pem"]), @r#"
    error: `--ca-certificates`: cannot read `ca.pem`: No such file or directory (os error 2)
    exit: 2
    "#);
    let user = user.set("SSL_CERT_FILE", "/nonexistent/ca.pem");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: SSL_CERT_FILE: cannot read `/nonexistent/ca.pem`: No such file or directory (os error 2)
    exit: 2
    "#);
}

#[test]
fn a_docker_configuration_that_is_broken_is_not_passed_over() {
    let served = busybox().serve();
    let user = Peelbox::new()
        .with(&served)
        .spec(ONE)
        .file("docker/config.json", "{");
    let user = user.set("DOCKER_CONFIG", "docker");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: `docker/config.json` is no Docker configuration: EOF while parsing an object at line 1 column 1
    hint: logins for registries are read from it; DOCKER_CONFIG names another directory
    exit: 2
    "#);
}

#[test]
fn a_secret_that_an_app_needs_must_be_given() {
    let served = busybox().serve();
    let spec = TWO.replace(
        "path: . }",
        "path: . }\n  build: { commands: [make], secrets: [{ id: token, env: TOKEN }] }",
    );
    let user = Peelbox::new().with(&served).spec(&spec);
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: app `web` needs the secret `token`
    hint: give it with `--secret id=token,src=FILE` or `--secret id=token,env=VARIABLE`
    error: app `api` needs the secret `token`
    hint: give it with `--secret id=token,src=FILE` or `--secret id=token,env=VARIABLE`
    exit: 2
    "#);
}

#[test]
fn an_app_that_is_not_there_is_told_with_those_that_are() {
    let served = busybox().serve();
    let user = Peelbox::new().with(&served).spec(TWO);
    assert_snapshot!(user.run(&["ci", "--app", "wbe"]), @r#"
    error: no app matches `--app wbe`
    hint: there is `web` and `api`
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--app", "a[pi"]), @r#"
    error: `--app a[pi` is no pattern: unclosed character class; missing ']'
    hint: `*` stands for any text
    exit: 2
    "#);
}
