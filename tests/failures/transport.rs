//! Daemons behind TLS, and behind programs.
//!
//! TLS and `ssh://` meet the real things: a buildkitd and an OpenSSH server of the test bed. `podman` and `kubectl` are
//! stand-ins: scripts that write down how they are called and connect to a buildkitd of the test bed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use insta::assert_snapshot;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::daemon;
use super::peelbox::{Peelbox, testbed};

/// A user of the daemon behind TLS.
fn user() -> Peelbox {
    let endpoint = testbed("PEELBOX_TESTBED_TLS");
    Peelbox::new()
        .on_testbed()
        .hide(&testbed("PEELBOX_TESTBED_TLS_DIR"), "[TLS]")
        .buildkit(&endpoint)
}

fn file(name: &str) -> String {
    let path = Path::new(&testbed("PEELBOX_TESTBED_TLS_DIR")).join(name);
    path.display().to_string()
}

#[test]
fn a_daemon_that_demands_a_certificate_is_reached_with_one() {
    let directory = user().set("PEELBOX_TLS_DIR", file(""));
    assert_snapshot!(directory.doctor(), @r#"
    stdout:
    daemon: tcp://[DAEMON] (named by BUILDKIT_HOST): BuildKit 0.33.1
    several outputs in one build: yes
    the same commit gives the same digests: yes
    everything that a build needs is there
    stderr:
    exit: 0
    "#);
    let files = user()
        .set("PEELBOX_TLS_CA", file("ca.pem"))
        .set("PEELBOX_TLS_CERT", file("cert.pem"))
        .set("PEELBOX_TLS_KEY", file("key.pem"))
        .set("PEELBOX_TLS_SERVER_NAME", "buildkitd.testbed");
    assert_eq!(files.doctor(), directory.doctor());
}

#[test]
fn the_directory_of_a_kubernetes_secret_serves_too() {
    let user = user();
    for (from, to) in [
        ("ca.pem", "ca.crt"),
        ("cert.pem", "tls.crt"),
        ("key.pem", "tls.key"),
    ] {
        fs::copy(file(from), user.path("home").join(to)).unwrap();
    }
    let directory = user.path("home").display().to_string();
    let told = user.set("PEELBOX_TLS_DIR", directory).doctor();
    assert!(
        told.contains("everything that a build needs is there"),
        "{told}"
    );
}

#[test]
fn what_keeps_tls_from_working_is_told_from_each_other() {
    let ca = || user().set("PEELBOX_TLS_CA", file("ca.pem"));
    assert_snapshot!(ca().doctor(), @r#"
    stdout:
    stderr:
    error: cannot connect to `tcp://[DAEMON]`: it demands a client certificate
    hint: give one with `--tls-cert` and `--tls-key`, or with `--tls-dir`
    exit: 3
    "#);
    let other_authority = user().set("PEELBOX_TLS_CA", file("other/ca.pem"));
    assert_snapshot!(other_authority.doctor(), @r#"
    stdout:
    stderr:
    error: cannot connect to `tcp://[DAEMON]`: its certificate is not signed by the given CA
    hint: `--tls-ca` (in `--tls-dir`: ca.pem) must be the certificate of the authority that signed the daemon's
    exit: 3
    "#);
    let other_client = ca()
        .set("PEELBOX_TLS_CERT", file("other/cert.pem"))
        .set("PEELBOX_TLS_KEY", file("other/key.pem"));
    assert_snapshot!(other_client.doctor(), @r#"
    stdout:
    stderr:
    error: cannot connect to `tcp://[DAEMON]`: it refuses the client certificate (UnknownCA)
    hint: it must not be expired, and be signed by the authority that the daemon was given as `ca`
    exit: 3
    "#);
    let other_name = user()
        .set("PEELBOX_TLS_DIR", file(""))
        .set("PEELBOX_TLS_SERVER_NAME", "buildkitd.example");
    assert_snapshot!(other_name.doctor(), @r#"
    stdout:
    stderr:
    error: cannot connect to `tcp://[DAEMON]`: its certificate is not for `buildkitd.example`, but for 127.0.0.1, buildkitd.testbed
    hint: `--tls-server-name` says which name its certificate must have
    exit: 3
    "#);
    let plain = testbed("PEELBOX_TESTBED_BUILDKIT_LATEST_TCP");
    assert_snapshot!(ca().buildkit(&plain).doctor(), @r#"
    stdout:
    stderr:
    error: cannot connect to `tcp://[DAEMON]`: it does not speak TLS
    hint: is this its port for TLS? without TLS flags it is spoken to without
    exit: 3
    "#);
    assert_snapshot!(user().doctor(), @r#"
    stdout:
    stderr:
    error: `tcp://[DAEMON]` speaks TLS
    hint: `--tls-ca FILE` names the certificate of the authority that signed its own; `--tls-dir DIR` has a client certificate too
    exit: 3
    "#);
}

/// A server with the certificate of the test bed that has expired; no daemon starts with one.
fn expired() -> String {
    let certificate = fs::read(file("expired/cert.pem")).unwrap();
    let key = fs::read(file("expired/key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(&certificate).unwrap()],
            PrivateKeyDer::from_pem_slice(&key).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let _ = connection.complete_io(&mut stream); // the client refuses
            let _ = stream.flush();
        }
    });
    format!("tcp://{address}")
}

#[test]
fn a_certificate_that_has_expired_is_refused() {
    let user = user()
        .set("PEELBOX_TLS_CA", file("ca.pem"))
        .buildkit(&expired());
    assert_snapshot!(user.doctor(), @r#"
    stdout:
    stderr:
    error: cannot connect to `tcp://[DAEMON]`: its certificate has expired
    hint: the daemon needs a new one; or is this machine's clock wrong?
    exit: 3
    "#);
}

#[test]
fn tls_files_that_cannot_be_used_are_named_before_anything_is_connected_to() {
    let with = |certificate: &str, key: &str| {
        user()
            .set("PEELBOX_TLS_CA", file("ca.pem"))
            .set("PEELBOX_TLS_CERT", file(certificate))
            .set("PEELBOX_TLS_KEY", file(key))
            .run(&["dial-stdio"])
    };
    assert_snapshot!(with("cert.pem", "no-such-key.pem"), @r#"
    error: cannot read `[TLS]/no-such-key.pem`: No such file or directory (os error 2)
    hint: may this user read it?
    exit: 2
    "#);
    assert_snapshot!(with("cert.pem", "ca.pem"), @r#"
    error: `[TLS]/ca.pem` holds no PEM private key
    hint: it has a line -----BEGIN PRIVATE KEY-----, or that of an RSA or EC key
    exit: 2
    "#);
    assert_snapshot!(with("cert.pem", "encrypted-key.pem"), @r#"
    error: the private key in `[TLS]/encrypted-key.pem` is encrypted
    hint: `openssl pkey -in FILE -out OTHER` writes it without a password
    exit: 2
    "#);
    assert_snapshot!(with("cert.pem", "other/key.pem"), @r#"
    error: the key in `[TLS]/other/key.pem` is not that of the certificate in `[TLS]/cert.pem`
    hint: give the two that were made for each other
    exit: 2
    "#);
    assert_snapshot!(with("key.pem", "key.pem"), @r#"
    error: `[TLS]/key.pem` holds no PEM certificate
    hint: it begins with -----BEGIN CERTIFICATE-----
    exit: 2
    "#);
}

#[test]
fn tls_flags_that_do_not_go_together_are_refused() {
    let user = user();
    let dial = |arguments: &[&str]| user.run(&[&["dial-stdio"], arguments].concat());
    assert_snapshot!(dial(&["--tls-cert", "a"]), @r#"
    error: `--tls-cert` is there without `--tls-key`
    hint: write --tls-ca FILE for TLS, and --tls-cert FILE --tls-key FILE too for a daemon that demands a client certificate, or --tls-dir DIR
    error: TLS needs `--tls-ca`: only what it names is trusted
    hint: write --tls-ca FILE for TLS, and --tls-cert FILE --tls-key FILE too for a daemon that demands a client certificate, or --tls-dir DIR
    exit: 2
    "#);
    assert_snapshot!(dial(&["--tls-server-name", "a"]), @r#"
    error: TLS needs `--tls-ca`: only what it names is trusted
    hint: write --tls-ca FILE for TLS, and --tls-cert FILE --tls-key FILE too for a daemon that demands a client certificate, or --tls-dir DIR
    exit: 2
    "#);
    assert_snapshot!(dial(&["--tls-dir", "a", "--tls-ca", "b"]), @r#"
    error: `--tls-dir` is there together with `--tls-ca`, `--tls-cert` or `--tls-key`
    hint: the directory has all of them: leave the others out
    exit: 2
    "#);
    assert_snapshot!(dial(&["--tls-dir", "."]), @r#"
    error: `--tls-dir`: `.` has neither ca.pem nor ca.crt, neither cert.pem nor tls.crt, neither key.pem nor tls.key
    hint: it holds ca.pem, cert.pem and key.pem, or ca.crt, tls.crt and tls.key; `--tls-ca` alone serves where no client certificate is demanded
    exit: 2
    "#);
    assert_snapshot!(dial(&["--tls-ca", "a", "--buildkit", "unix:///a.sock"]), @r#"
    error: `--tls-ca` is for tcp://, and not for `unix:///a.sock`
    hint: leave it out, or name the daemon with `--buildkit tcp://HOST:PORT`
    error: cannot read `a`: No such file or directory (os error 2)
    hint: may this user read it?
    exit: 2
    "#);
    let unnamed = user.unset("BUILDKIT_HOST");
    assert_snapshot!(unnamed.run(&["dial-stdio", "--tls-ca", "a"]), @r#"
    error: `--tls-ca` is there, and no daemon is named
    hint: name it with `--buildkit tcp://HOST:PORT` or BUILDKIT_HOST
    error: cannot read `a`: No such file or directory (os error 2)
    hint: may this user read it?
    exit: 2
    "#);
}

/// Has `name` in the user's PATH: a stand-in that writes down how it is called, and then does what `script` says.
fn standin(user: Peelbox, name: &str, script: &str) -> (Peelbox, PathBuf) {
    let record = user.path("called");
    let path = user.path("bin").join(name);
    let text = format!(
        "#!/bin/sh\n# A stand-in of {name} for tests.\necho \"${{0##*/}} $*\" >>'{}'\n{script}\n",
        record.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (user, record)
}

/// The end of a stand-in's script that is a connection to the newest BuildKit of the test bed.
fn connects() -> String {
    let buildctl = testbed("PEELBOX_TESTBED_BUILDCTL");
    let daemon = testbed("PEELBOX_TESTBED_BUILDKIT_LATEST");
    format!("exec '{buildctl}' --addr '{daemon}' dial-stdio")
}

#[test]
fn podman_and_kubectl_carry_the_connection() {
    for (endpoint, program, called) in [
        (
            "podman-container://buildkitd",
            "podman",
            "podman exec -i buildkitd buildctl dial-stdio\n",
        ),
        (
            "kube-pod://buildkitd-0?context=a%2Fb&namespace=ci&container=c",
            "kubectl",
            "kubectl --context=a/b --namespace=ci exec --container=c -i buildkitd-0 -- buildctl dial-stdio\n",
        ),
    ] {
        let user = Peelbox::new().on_testbed().buildkit(endpoint);
        let (user, record) = standin(user, program, &connects());
        let told = user.doctor();
        assert!(
            told.contains("everything that a build needs is there"),
            "{told}"
        );
        assert_eq!(fs::read_to_string(record).unwrap(), called);
    }
}

#[test]
fn ssh_carries_the_connection() {
    let path = format!("{}:/usr/bin:/bin", testbed("PEELBOX_TESTBED_SSH_BIN"));
    let endpoint = testbed("PEELBOX_TESTBED_SSH");
    let user = Peelbox::new()
        .on_testbed()
        .set("PATH", path)
        .hide(&testbed("PEELBOX_TESTBED_DIR"), "[TESTBED]")
        .buildkit(&endpoint);
    assert_snapshot!(user.doctor(), @r#"
    stdout:
    daemon: ssh://[DAEMON] (named by BUILDKIT_HOST): BuildKit 0.33.1
    several outputs in one build: yes
    the same commit gives the same digests: yes
    everything that a build needs is there
    stderr:
    exit: 0
    "#);
    let elsewhere = user.buildkit(&format!("{endpoint}.not"));
    assert_snapshot!(elsewhere.doctor(), @r#"
    stdout:
    stderr:
    error: cannot reach `ssh://[DAEMON]` through `ssh`: error: dial unix [TESTBED]/run/tls/buildkitd.sock.not: connect: no such file or directory
    hint: ssh must log in there without asking anything, and find buildctl: `ssh HOST buildctl --version` shows it
    exit: 3
    "#);
    let (server, _) = endpoint
        .trim_start_matches("ssh://root@")
        .split_once('/')
        .unwrap();
    let stranger = elsewhere
        .hide(server.split_once(':').unwrap().1, "[PORT]")
        .buildkit(&format!("ssh://nobody@{server}"));
    assert_snapshot!(stranger.doctor(), @r#"
    stdout:
    stderr:
    error: cannot reach `ssh://[DAEMON]` through `ssh`: nobody@127.0.0.1: Permission denied (publickey).
    hint: ssh must log in there without asking anything, and find buildctl: `ssh HOST buildctl --version` shows it
    exit: 3
    "#);
}

#[test]
fn a_program_that_does_not_connect_is_quoted() {
    let served = daemon::repository();
    let user = || daemon::user(&served).buildkit("podman-container://buildkitd");
    assert_snapshot!(user().run(&["ci"]), @r#"
    error: `podman-container://[DAEMON]` needs the program `podman`: No such file or directory (os error 2)
    hint: install it, and have it in PATH
    exit: 3
    "#);
    let says = |script: &str| standin(user(), "podman", script).0.run(&["ci"]);
    assert_snapshot!(
        says(r#"printf 'Error: no container with name "buildkitd"\n\033[31mfound\n' >&2; exit 125"#), @r#"
        error: cannot reach `podman-container://[DAEMON]` through `podman`: Error: no container with name "[DAEMON]"
          \u{1b}[31mfound
        hint: the container must run and have buildctl in it, as moby/buildkit does
        exit: 3
        "#
    );
    assert_snapshot!(says("exit 3"), @r#"
    error: cannot reach `podman-container://[DAEMON]` through `podman`: `podman` ended with exit status: 3
    hint: the container must run and have buildctl in it, as moby/buildkit does
    exit: 3
    "#);
    assert_snapshot!(says("echo 'a greeting where HTTP/2 should be'; read -r _"), @r#"
    error: cannot reach `podman-container://[DAEMON]` through `podman`: a greeting where HTTP/2 should be
    hint: the container must run and have buildctl in it, as moby/buildkit does
    exit: 3
    "#);
    let pod = daemon::user(&served).buildkit("kube-pod://buildkitd-0");
    let script = "echo 'error: unable to upgrade connection' >&2; exit 1";
    assert_snapshot!(standin(pod, "kubectl", script).0.run(&["dial-stdio"]), @r#"
    error: cannot reach `kube-pod://[DAEMON]` through `kubectl`: error: unable to upgrade connection
    hint: `kubectl exec` into that pod must work, and buildctl be in it, as in moby/buildkit
    exit: 3
    "#);
}

#[test]
fn an_address_is_checked_before_a_program_is_started() {
    let served = daemon::repository();
    for endpoint in [
        "ssh://-oProxyCommand=x",
        "kube-pod://-n",
        "ssh://me:hunter2@a",
    ] {
        let user = daemon::user(&served).set("BUILDKIT_HOST", endpoint);
        let (user, record) = standin(user, "ssh", "exit 1");
        let (user, _) = standin(user, "kubectl", "exit 1");
        let told = user.run(&["ci"]);
        assert!(
            told.ends_with("exit: 2") && !told.contains("hunter2"),
            "{told}"
        );
        assert!(!record.exists(), "{endpoint}");
    }
}

#[test]
fn a_program_ends_with_the_connection() {
    let user = Peelbox::new()
        .on_testbed()
        .buildkit("podman-container://buildkitd");
    let ended = user.path("ended");
    let script = format!(
        "trap : EXIT\n{}\necho $? >'{}'",
        connects().trim_start_matches("exec "),
        ended.display()
    );
    let (user, _) = standin(user, "podman", &script);
    let mut child = user.command(&["dial-stdio"]);
    let mut child = child
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 9];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(ended.exists());
}

#[test]
fn an_app_is_built_behind_tls_and_through_ssh_alike() {
    let build = |user: Peelbox| {
        let user = user.spec(
            "
version: '1.0'
metadata: { project_name: web, path: . }
build: { commands: ['echo web > out'] }
runtime: { packages: [busybox], copy: [{ from: out, to: out }], command: [/usr/bin/busybox, cat, out] }
",
        );
        let told = user.run(&["ci", "--progress", "quiet", "--source-date-epoch", "0"]);
        assert!(told.ends_with("exit: 0"), "{told}");
        let report = fs::read(user.repo().join("peelbox-out/report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        report["apps"][0]["image"]["manifest"].to_string()
    };
    let path = format!("{}:/usr/bin:/bin", testbed("PEELBOX_TESTBED_SSH_BIN"));
    let through_ssh = Peelbox::new()
        .on_testbed()
        .set("PATH", path)
        .buildkit(&testbed("PEELBOX_TESTBED_SSH"));
    let behind_tls = user().set("PEELBOX_TLS_DIR", file(""));
    assert_eq!(build(through_ssh), build(behind_tls));
}
