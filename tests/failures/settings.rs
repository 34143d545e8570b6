//! Flags and variables are read before anything else: nobody listens where the package index should be, and no daemon is there.

use std::fs;

use insta::assert_snapshot;

use super::peelbox::Peelbox;

const SPEC: &str = "
version: '1.0'
metadata: { project_name: web, path: . }
runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
";

fn files(user: &Peelbox) -> Vec<String> {
    let directories = [user.repo(), user.path("home")];
    let entries = directories
        .iter()
        .flat_map(|directory| fs::read_dir(directory).unwrap());
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const DAEMON: [&str; 4] = [
    "--buildkit=localhost:1234",
    "--tls-cert=c.pem",
    "--cache-from=type=inline",
    "--cache-to=type=s3,sise=1,key=2",
];
const STEPS: [&str; 11] = [
    "--platform=linux/riscv9,windows/amd64",
    "--build-arg=1=x",
    "--add-host=db",
    "--add-host=db\u{7}\n::error::x:1.2.3",
    "--cache-to=type=local,dest=a,mode=big,compression=lzma",
    "--ssh=a/b",
    "--ssh=git=/nonexistent/socket",
    "--secret=id=token,env=TOKEN",
    "--secret=token",
    "--secret=id=key,src=\u{1b}[31m",
    "--ca-certificates=ca.pem",
];
const IMAGES: [&str; 8] = [
    "--app=a[pi",
    "--entrypoint='a",
    "--annotation=team",
    "--output=type=oci,compresion=zstd,compression=lzma",
    "--output=type=zip",
    "--tag=Web",
    "--tag=web@sha256:1",
    "--metadata-file=no/such/directory/metadata.json",
];

/// What `ci` says to the flags, where it writes nothing.
fn told(user: &Peelbox, flags: &[&str]) -> String {
    let before = files(user);
    let told = user.run(&[&["ci"], flags].concat());
    assert_eq!(files(user), before);
    told
}

#[test]
fn everything_that_is_wrong_with_the_environment_is_told_at_once() {
    let user = Peelbox::new()
        .spec(SPEC)
        .set("PEELBOX_BASE_IMAGE", "Wolfi Base")
        .set("PEELBOX_APK_REPOSITORY", "packages.example")
        .set("PEELBOX_APK_KEY", "/nonexistent/key.rsa.pub")
        .set("PEELBOX_BUILDKIT_IMAGE", "Build Kit")
        .set("PEELBOX_LABEL", "a=1\nteam\n\nowner")
        .set("DOCKER_AUTH_CONFIG", "{")
        .set("DOCKER_HOST", "docker.sock")
        .set("SSL_CERT_FILE", "/nonexistent/ca.pem");
    assert_snapshot!(told(&user, &DAEMON), @r#"
    error: `--label team` has no key
    hint: write --label KEY=VALUE
    error: `--label owner` has no key
    hint: write --label KEY=VALUE
    error: PEELBOX_BASE_IMAGE: `Wolfi Base` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`
    hint: it names a copy of cgr.dev/chainguard/wolfi-base
    error: PEELBOX_APK_REPOSITORY: `packages.example` is not the address of a package repository
    hint: it is an address like https://packages.wolfi.dev/os
    error: PEELBOX_APK_KEY: cannot read `/nonexistent/key.rsa.pub`: No such file or directory (os error 2)
    error: SSL_CERT_FILE: cannot read `/nonexistent/ca.pem`: No such file or directory (os error 2)
    error: DOCKER_HOST: `docker.sock` has no scheme
    hint: it is unix:///PATH or tcp://HOST:PORT
    error: `--buildkit`: `localhost:1234` has no scheme
    hint: it is unix:///PATH, tcp://HOST:PORT, docker-container://NAME, podman-container://NAME, kube-pod://POD?context=&namespace=&container=, ssh://USER@HOST:PORT/SOCKET, docker:// or docker:///SOCKET
    error: `--tls-cert` is there without `--tls-key`
    hint: write --tls-ca FILE for TLS, and --tls-cert FILE --tls-key FILE too for a daemon that demands a client certificate, or --tls-dir DIR
    error: TLS needs `--tls-ca`: only what it names is trusted
    hint: write --tls-ca FILE for TLS, and --tls-cert FILE --tls-key FILE too for a daemon that demands a client certificate, or --tls-dir DIR
    error: PEELBOX_BUILDKIT_IMAGE: `Build Kit` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`
    hint: it names a copy of docker.io/moby/buildkit:v0.33.1
    error: DOCKER_AUTH_CONFIG is no Docker configuration: EOF while parsing an object at line 1 column 1
    hint: it is what `docker login` writes: {"auths": {"HOST": {"auth": "…"}}}
    error: `--cache-from`: an inline cache is read from its image
    hint: write type=registry,ref=IMAGE
    error: `--cache-to type=s3` has no attribute `key`
    hint: it takes access_key_id, blobs_prefix, bucket, endpoint_url, ignore-error, manifests_prefix, mode, name, prefix, region, secret_access_key, session_token, touch_refresh, upload_parallelism, use_path_style
    error: `--cache-to type=s3` has no attribute `sise`
    hint: it takes access_key_id, blobs_prefix, bucket, endpoint_url, ignore-error, manifests_prefix, mode, name, prefix, region, secret_access_key, session_token, touch_refresh, upload_parallelism, use_path_style
    exit: 2
    "#);
}

#[test]
fn everything_that_is_wrong_with_build_steps_is_told_at_once() {
    assert_snapshot!(told(&Peelbox::new().spec(SPEC), &STEPS), @r#"
    error: `--build-arg` has a name that no variable can have
    hint: write KEY=VALUE, or KEY for the value that the variable has here
    error: `--platform linux/riscv9`: Wolfi is not made for it
    hint: there is linux/amd64 and linux/arm64
    error: `--platform windows/amd64`: Wolfi is not made for it
    hint: there is linux/amd64 and linux/arm64
    error: `--cache-to type=local` has an unknown compression
    hint: it is one of estargz, gzip, uncompressed, zstd
    error: `--cache-to type=local` has an unknown mode
    hint: it is one of max, min
    error: `--ssh a/b`: an id has letters, digits, `-`, `_`
    hint: write default, or ID=SOCKET
    error: `--ssh git`: cannot read `/nonexistent/socket`: No such file or directory (os error 2)
    hint: write default, or ID=SOCKET
    error: `--add-host db`: it has no address
    hint: write NAME:ADDRESS, as in db.internal:10.0.0.7
    error: `--add-host db\u{7}`: it has no address
    hint: write NAME:ADDRESS, as in db.internal:10.0.0.7
    error: `--add-host ::error::x:1.2.3`: it has no usable name
    hint: write NAME:ADDRESS, as in db.internal:10.0.0.7
    error: `--secret id=token`: the variable `TOKEN` is not set
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    error: `--secret` has an unknown field: a part without `=`
    hint: write id=NAME,src=FILE or id=NAME,env=VARIABLE
    error: `--secret id=key`: cannot read `\u{1b}[31m`: No such file or directory (os error 2)
    error: `--ca-certificates`: cannot read `ca.pem`: No such file or directory (os error 2)
    exit: 2
    "#);
}

#[test]
fn everything_that_is_wrong_with_images_is_told_at_once() {
    assert_snapshot!(told(&Peelbox::new().spec(SPEC), &IMAGES), @r#"
    error: `--app a[pi` is no pattern: unclosed character class; missing ']'
    hint: `*` stands for any text
    error: `--entrypoint 'a`: its quotes do not match
    hint: write it as in a shell, or as a JSON array: '["node", "server.js"]'; no shell is involved
    error: `--tag`: `Web` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`
    hint: it is a name like registry.example/team/{app}:1.0
    error: `--tag`: `web@sha256:1` is not an image reference: its digest is not sha256:<64 hex digits>
    hint: it is a name like registry.example/team/{app}:1.0
    error: `--output type=oci,compresion=zstd,compression=lzma`: type oci has no key `compresion`
    hint: did you mean `compression`?
    error: `--output type=oci,compresion=zstd,compression=lzma`: `compression` cannot be `lzma`
    hint: it is `estargz`, `gzip`, `uncompressed` or `zstd`
    error: `--output type=oci,compresion=zstd,compression=lzma`: it needs dest=FILE
    hint: write type=oci,dest=FILE
    error: `--output type=zip`: there is no output of type `zip`
    hint: the types are docker, image, local, oci, registry, rootfs, tar
    error: `--annotation team` has no value
    hint: write KEY=VALUE, or LEVEL:KEY=VALUE with the level index, index-descriptor, manifest or manifest-descriptor
    error: `--metadata-file`: cannot write `no/such/directory/metadata.json`: No such file or directory (os error 2)
    exit: 2
    "#);
}

#[test]
fn a_key_is_not_read_and_the_way_to_an_agent_is_told() {
    let user = Peelbox::new().spec(SPEC).file("my key", "-----BEGIN");
    assert_snapshot!(told(&user, &["--ssh", "git=my key"]), @r#"
    error: `--ssh git`: `my key` is a file, and keys are not read from files
    hint: an agent holds keys: eval "$(ssh-agent)" starts one, `ssh-add 'my key'` gives it this one, and `--ssh git` takes what it holds
    exit: 2
    "#);
    assert_snapshot!(told(&user, &["--ssh", "git=."]), @r#"
    error: `--ssh git`: `.` is no socket of an agent
    hint: an agent holds the keys: eval "$(ssh-agent)" starts one, and ssh-add adds a key
    exit: 2
    "#);
}

#[test]
fn build_tells_the_same() {
    let user = Peelbox::new().spec(SPEC);
    let flags = [&DAEMON[..], &STEPS, &IMAGES].concat();
    let build = user.run(&[&["build"], &*flags].concat());
    assert_eq!(build, told(&user, &flags));
}

const ALONE: [(&str, &str); 22] = [
    (
        "--buildkit=localhost",
        "`--buildkit`: `localhost` has no scheme",
    ),
    (
        "--tls-ca=ca.pem",
        "cannot read `ca.pem`: No such file or directory (os error 2)",
    ),
    (
        "--tls-server-name=daemon",
        "TLS needs `--tls-ca`: only what it names is trusted",
    ),
    (
        "--platform=linux/s390x",
        "`--platform linux/s390x`: Wolfi is not made for it",
    ),
    (
        "--app=a[pi",
        "`--app a[pi` is no pattern: unclosed character class; missing ']'",
    ),
    (
        "--entrypoint='a",
        "`--entrypoint 'a`: its quotes do not match",
    ),
    (
        "--build-arg=a b=x",
        "`--build-arg` has a name that no variable can have",
    ),
    (
        "--add-host=db:1.2.3",
        "`--add-host db:1.2.3`: `1.2.3` is no address",
    ),
    (
        "--cache-from=type=ftp",
        "`--cache-from`: there is no cache of type `ftp`",
    ),
    (
        "--cache-to=type=local,dest=",
        "`--cache-to`: the dest is empty",
    ),
    (
        "--cache-to=Name:1",
        "`--cache-to`: `Name:1` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`",
    ),
    ("--ssh=default", "`--ssh default`: SSH_AUTH_SOCK is not set"),
    (
        "--secret=id=a,env=B",
        "`--secret id=a`: the variable `B` is not set",
    ),
    (
        "--ca-certificates=ca.pem",
        "`--ca-certificates`: cannot read `ca.pem`: No such file or directory (os error 2)",
    ),
    ("--label=team", "`--label team` has no key"),
    ("--annotation==x", "`--annotation =x` has no key"),
    (
        "--output=type=oci",
        "`--output type=oci`: it needs dest=FILE",
    ),
    ("--push", "an image that is pushed needs a name"),
    (
        "--tag=Web",
        "`--tag`: `Web` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`",
    ),
    (
        "--metadata-file=no/m.json",
        "`--metadata-file`: cannot write `no/m.json`: No such file or directory (os error 2)",
    ),
    (
        "--spec=no.yaml",
        "cannot read the spec file `no.yaml`: No such file or directory (os error 2)",
    ),
    (
        "nowhere",
        "`nowhere` is not a repository: No such file or directory (os error 2)",
    ),
];

#[test]
fn each_is_told_alone_too() {
    for (flag, message) in ALONE {
        let user = Peelbox::new().set("BUILDKIT_HOST", "tcp://127.0.0.1:1");
        let told = user.run(&["ci", flag]);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines.first(),
            Some(&&*format!("error: {message}")),
            "{flag}"
        );
        assert_eq!(lines.last(), Some(&"exit: 2"), "{flag}");
        assert_eq!(told.matches("error: ").count(), 1, "{told}");
    }
}

#[test]
fn what_depends_on_the_apps_is_told_at_once_too() {
    let served = super::repository::Files::new([]).serve();
    let user = Peelbox::new().with(&served).spec(
        "
- version: '1.0'
  metadata: { project_name: web, path: . }
  build: { commands: [make], secrets: [{ id: token, env: TOKEN }] }
  runtime: { copy: [{ from: web, to: web }], command: [/app/web] }
- version: '1.0'
  metadata: { project_name: api, path: . }
  runtime: { copy: [{ from: api, to: api }], command: [/app/api] }
",
    );
    let flags = [
        "ci",
        "--tag=example.com/all:1",
        "--cache-to=type=registry,ref=example.com/cache",
        "--output=type=oci,dest=image.tar",
        "--output=type=local,dest=image.tar/{app}",
    ];
    assert_snapshot!(user.run(&flags), @r#"
    error: `--tag example.com/all:1` would name the images of 2 apps alike
    hint: put `{app}` into it, which stands for the app's name
    error: `--output type=oci,dest=image.tar`: `image.tar` would hold the images of 2 apps
    hint: put `{app}` into it, which stands for the app's name
    error: `--cache-to type=registry`: 2 apps would overwrite each other's cache
    hint: put `{app}` into its ref, which stands for the app's name
    error: app `web` needs the secret `token`
    hint: give it with `--secret id=token,src=FILE` or `--secret id=token,env=VARIABLE`
    exit: 2
    "#);
    assert!(!user.repo().join("peelbox-out").exists());
}
