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
    error: not there yet
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--context-name=src"]), @r#"
    error: unexpected argument '--context-name' found

      tip: to pass '--context-name' as a value, use '-- --context-name'

    Usage: peelbox ci [OPTIONS] [PATH]

    For more information, try '--help'.
    exit: 2
    "#);
}

#[test]
fn what_is_unknown_names_what_is_near() {
    let user = Peelbox::new();
    assert_snapshot!(user.run(&["cii"]), @r#"
    error: unrecognized subcommand 'cii'

      tip: a similar subcommand exists: 'ci'

    Usage: peelbox <COMMAND>

    For more information, try '--help'.
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--output-dri", "x"]), @r#"
    error: unexpected argument '--output-dri' found

      tip: a similar argument exists: '--output-dir'

    Usage: peelbox ci --output-dir <DIR> [PATH]

    For more information, try '--help'.
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--zzz"]), @r#"
    error: unexpected argument '--zzz' found

      tip: to pass '--zzz' as a value, use '-- --zzz'

    Usage: peelbox ci [OPTIONS] [PATH]

    For more information, try '--help'.
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "a", "b"]), @r#"
    error: unexpected argument 'b' found

    Usage: peelbox ci [OPTIONS] [PATH]

    For more information, try '--help'.
    exit: 2
    "#);
    assert_snapshot!(user.run(&["detect", "--format", "yml"]), @r#"
    error: invalid value 'yml' for '--format <FORMAT>'
      [possible values: json, yaml, text]

      tip: a similar value exists: 'yaml'

    For more information, try '--help'.
    exit: 2
    "#);
    assert_snapshot!(user.run(&["completions", "tcsh"]), @r#"
    error: invalid value 'tcsh' for '<SHELL>'
      [possible values: bash, elvish, fish, powershell, zsh]

      tip: a similar value exists: 'zsh'

    For more information, try '--help'.
    exit: 2
    "#);
}

#[test]
fn what_is_missing_is_named() {
    let user = Peelbox::new();
    assert_snapshot!(user.run(&["build"]), @r#"
    error: the following required arguments were not provided:
      --tag <NAME>

    Usage: peelbox build --tag <NAME>

    For more information, try '--help'.
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--tag"]), @r#"
    error: a value is required for '--tag <NAME>' but none was supplied

    For more information, try '--help'.
    exit: 2
    "#);
    assert_snapshot!(user.run(&["packages", "check"]), @r#"
    error: the following required arguments were not provided:
      <PACKAGES>...

    Usage: peelbox packages check <PACKAGES>...

    For more information, try '--help'.
    exit: 2
    "#);
    assert_snapshot!(user.run(&["packages"]).lines().next().unwrap(), @"Asks the package index");
}

#[test]
fn a_wrong_value_names_the_flag_or_the_variable_it_comes_from() {
    let user = Peelbox::new();
    assert_snapshot!(user.run(&["ci", "--source-date-epoch", "now"]), @r#"
    error: invalid value 'now' for '--source-date-epoch <SECONDS>': invalid digit found in string

    For more information, try '--help'.
    exit: 2
    "#);
    let user = Peelbox::new().set("SOURCE_DATE_EPOCH", "now");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: invalid value 'now' for '--source-date-epoch <SECONDS>': invalid digit found in string

    For more information, try '--help'.
    exit: 2
    "#);
    let user = Peelbox::new().set("PEELBOX_PROGRESS", "loud");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: invalid value 'loud' for '--progress <PROGRESS>'
      [possible values: auto, plain, quiet]

    For more information, try '--help'.
    exit: 2
    "#);
    let user = Peelbox::new().set("PEELBOX_NO_SBOM", "perhaps");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: invalid value 'perhaps' for '--no-sbom'
      [possible values: true, false]

    For more information, try '--help'.
    exit: 2
    "#);
}

#[test]
fn variables_that_cannot_be_used_are_named() {
    let user = Peelbox::new().set("PEELBOX_APK_REPOSITORY", "packages.example/os");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: PEELBOX_APK_REPOSITORY: `packages.example/os` is not the address of a package repository
    hint: an address like https://packages.wolfi.dev/os
    exit: 2
    "#);
    let user = Peelbox::new().set(
        "PEELBOX_APK_REPOSITORY",
        "https://me:geheim@packages.example/os",
    );
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: PEELBOX_APK_REPOSITORY: the address of the package repository holds a name or password
    hint: an address like https://packages.wolfi.dev/os
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
    let user = Peelbox::new().set("DOCKER_HOST", "/var/run/docker.sock");
    assert_snapshot!(user.run(&["doctor"]), @r#"
    error: DOCKER_HOST: `/var/run/docker.sock` has no scheme
    hint: unix:///PATH and tcp://HOST:PORT are understood
    error: cannot fetch `http://127.0.0.1:1/os/x86_64/APKINDEX.tar.gz`: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    hint: is the network up, and is PEELBOX_APK_REPOSITORY right? SSL_CERT_FILE and HTTPS_PROXY are honoured
    exit: 3
    "#);
    let user = Peelbox::new().set("BUILDKIT_HOST", "/run/buildkit/buildkitd.sock");
    assert_snapshot!(user.run(&["doctor"]), @r#"
    error: BUILDKIT_HOST: `/run/buildkit/buildkitd.sock` has no scheme
    hint: unix:///PATH, tcp://HOST:PORT, docker-container://NAME and docker://[/SOCKET] are understood
    error: cannot fetch `http://127.0.0.1:1/os/x86_64/APKINDEX.tar.gz`: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    hint: is the network up, and is PEELBOX_APK_REPOSITORY right? SSL_CERT_FILE and HTTPS_PROXY are honoured
    exit: 3
    "#);
    let user = Peelbox::new().set("PEELBOX_BUILDKIT", "tcp://localhost");
    assert_snapshot!(user.run(&["doctor"]), @r#"
    error: --buildkit: `tcp://localhost` needs host:port behind `tcp://`
    hint: unix:///PATH, tcp://HOST:PORT, docker-container://NAME and docker://[/SOCKET] are understood
    error: cannot fetch `http://127.0.0.1:1/os/x86_64/APKINDEX.tar.gz`: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    hint: is the network up, and is PEELBOX_APK_REPOSITORY right? SSL_CERT_FILE and HTTPS_PROXY are honoured
    exit: 3
    "#);
    let served = busybox().serve();
    let user = Peelbox::new()
        .with(&served)
        .spec(ONE)
        .set("PEELBOX_BASE_IMAGE", "Wolfi Base");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: PEELBOX_BASE_IMAGE: `Wolfi Base` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`
    hint: it is a copy of cgr.dev/chainguard/wolfi-base
    exit: 2
    "#);
}

#[test]
fn tags_must_be_names_and_tell_apps_apart() {
    let served = busybox().serve();
    let user = Peelbox::new().with(&served).spec(TWO);
    assert_snapshot!(user.run(&["ci", "--tag", "example.com/team/all:1"]), @r#"
    error: --tag example.com/team/all:1 would name the images of 2 apps alike
    hint: put {app} into it, which stands for the app's name
    exit: 2
    "#);
    let user = Peelbox::new().with(&served).spec(ONE);
    assert_snapshot!(user.run(&["ci", "--tag", "Example/{app}:1"]), @r#"
    error: --tag: `Example/web:1` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`
    hint: a name like registry.example/team/{app}:1.0
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--tag", "example.com/{App}:1"]), @r#"
    error: --tag: `example.com/{App}:1` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`
    hint: a name like registry.example/team/{app}:1.0
    exit: 2
    "#);
    let digest = "0000000000000000000000000000000000000000000000000000000000000000";
    assert_snapshot!(user.run(&["ci", "--tag", &format!("web@sha256:{digest}")]), @r#"
    error: --tag: `web@sha256:0000000000000000000000000000000000000000000000000000000000000000` has a digest, which only the build can know
    exit: 2
    "#);
}

#[test]
fn secrets_labels_and_certificates_are_checked_before_a_daemon_is_looked_for() {
    let served = busybox().serve();
    let user = Peelbox::new().with(&served).spec(ONE);
    assert_snapshot!(user.run(&["ci", "--secret", "token"]), @r#"
    error: a --secret has no id
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--secret", "id=token,src=token.txt"]), @r#"
    error: --secret id=token: cannot read `token.txt`: No such file or directory (os error 2)
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--secret", "id=token,env=TOKEN"]), @r#"
    error: --secret id=token: the variable `TOKEN` is not set
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--secret", "id=token"]), @r#"
    error: --secret id=token: the variable `token` is not set
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--secret", "id=token,src=a,env=B"]), @r#"
    error: --secret id=token has both src and env
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--secret", "id=token,scr=a"]), @r#"
    error: --secret id=token: the variable `token` is not set
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--label", "team"]), @r#"
    error: --label team has no `=`
    hint: write --label KEY=VALUE
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--ca-certificates", "ca.pem"]), @r#"
    error: --ca-certificates: cannot read `ca.pem`: No such file or directory (os error 2)
    exit: 2
    "#);
    let user = user.set("SSL_CERT_FILE", "/nonexistent/ca.pem");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: cannot set up HTTP: builder error
    hint: is SSL_CERT_FILE a file of certificates?
    exit: 3
    "#);
}

#[test]
fn a_docker_configuration_that_is_broken_is_not_passed_over() {
    let served = busybox().serve();
    let user = Peelbox::new()
        .with(&served)
        .spec(ONE)
        .file("docker/config.json", "{");
    let user = user
        .set("DOCKER_CONFIG", "docker")
        .buildkit(&super::peelbox::testbed("PEELBOX_TESTBED_BUILDKIT_LATEST"));
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: `docker/config.json` is no Docker configuration: EOF while parsing an object at line 1 column 1
    hint: DOCKER_CONFIG names another directory
    exit: 2
    "#);
}

#[test]
fn an_app_that_is_not_there_is_told_with_those_that_are() {
    let served = busybox().serve();
    let user = Peelbox::new().with(&served).spec(TWO);
    assert_snapshot!(user.run(&["ci", "--app", "wbe"]), @r#"
    error: no app matches `wbe`
    hint: there are: web, api
    exit: 2
    "#);
    assert_snapshot!(user.run(&["ci", "--app", "a[pi"]), @r#"
    error: --app a[pi: unclosed character class; missing ']'
    hint: `*` stands for any text
    exit: 2
    "#);
}
