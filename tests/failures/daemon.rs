//! Daemons that are missing, old, or something else.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use insta::assert_snapshot;

use super::apk::Package;
use super::peelbox::{Peelbox, docker, testbed};
use super::repository::{Files, Repository};

pub(super) fn repository() -> Repository {
    Files::new([Package::new("busybox", "1.38.0-r1")]).serve()
}

pub(super) fn user(served: &Repository) -> Peelbox {
    Peelbox::new().with(served).file("web.sh", "echo").spec(
        "
version: '1.0'
metadata: { project_name: web, path: . }
runtime: { packages: [busybox], copy: [{ from: web.sh, to: web.sh }], command: [/usr/bin/busybox, sh, web.sh] }
",
    )
}

/// Gives every connection to `serve`, as long as the test runs.
fn listen(path: &Path, serve: impl Fn(UnixStream) + Send + 'static) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
        }
    });
}

/// Reads a request without a body; `None` where it is none of HTTP/1.1.
fn request(stream: &mut UnixStream) -> Option<String> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).ok()?;
    (!request.starts_with("PRI ")).then_some(request)
}

fn answer(stream: &mut UnixStream, status: &str, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nApi-Version: 1.51\r\nContent-Length: {length}\r\n\r\n"
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes()); // a client may have seen enough
}

#[test]
fn without_any_daemon_all_that_was_tried_is_told() {
    let served = repository();
    assert_snapshot!(user(&served).run(&["ci"]), @r#"
    error: no BuildKit was found
      tried unix:///run/buildkit/buildkitd.sock: no such socket
      tried docker://: no Engine at unix://[DIR]/docker.sock
    hint: start a buildkitd or a Docker Engine, or name one with `--buildkit` or BUILDKIT_HOST
    exit: 3
    "#);
    let user = user(&served);
    let runtime = user.path("run").display().to_string();
    assert_snapshot!(user.set("XDG_RUNTIME_DIR", runtime).run(&["doctor"]), @r#"
    stdout:
    package index: 3 packages, http://[SERVER]/os
    stderr:
    error: no BuildKit was found
      tried unix:///run/buildkit/buildkitd.sock: no such socket
      tried unix://[DIR]/run/buildkit/buildkitd.sock: no such socket
      tried docker://: no Engine at unix://[DIR]/docker.sock
    hint: start a buildkitd or a Docker Engine, or name one with `--buildkit` or BUILDKIT_HOST
    exit: 3
    "#);
}

#[test]
fn a_socket_that_nobody_listens_on_is_named() {
    let served = repository();
    let user = user(&served);
    let path = user.path("dead.sock");
    drop(UnixListener::bind(&path).unwrap());
    let user = user.buildkit(&format!("unix://{}", path.display()));
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: cannot connect to `unix://[DAEMON]`: Connection refused (os error 111)
    hint: is the daemon running, and is this its address?
    exit: 3
    "#);
    let user = user.buildkit("unix:///nonexistent/buildkitd.sock");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: cannot connect to `unix://[DAEMON]`: No such file or directory (os error 2)
    hint: is the daemon running, and is this its address?
    exit: 3
    "#);
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let user = user.buildkit(&format!("tcp://{free}"));
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: cannot connect to `tcp://[DAEMON]`: Connection refused (os error 111)
    hint: is the daemon running, and is this its address?
    exit: 3
    "#);
    let user = user.buildkit("tcp://buildkitd.invalid:1234");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: cannot connect to `tcp://[DAEMON]`: failed to lookup address information: Name or service not known
    hint: is the daemon running, and is this its address?
    exit: 3
    "#);
}

#[test]
fn a_peer_that_is_no_buildkit_is_told_from_one_that_is_not_there() {
    let served = repository();
    let http = user(&served);
    let path = http.path("http.sock");
    listen(&path, |mut stream| {
        let mut bytes = [0; 24];
        let _ = stream.read(&mut bytes); // whatever it says, this is the answer
        answer(&mut stream, "400 Bad Request", "{}");
    });
    let http = http.buildkit(&format!("unix://{}", path.display()));
    assert_snapshot!(http.run(&["ci"]), @r#"
    error: `unix://[DAEMON]` does not answer as BuildKit: it does not speak gRPC, or has hung up
    hint: it must be a buildkitd; the socket of a Docker Engine is written docker:///PATH
    exit: 3
    "#);

    let garbage = user(&served);
    let path = garbage.path("garbage.sock");
    listen(&path, |mut stream| {
        let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 40]); // a TLS alert
        let _ = stream.shutdown(Shutdown::Write); // it may be closed
    });
    let garbage = garbage.buildkit(&format!("unix://{}", path.display()));
    assert_snapshot!(garbage.run(&["ci"]), @r#"
    error: `unix://[DAEMON]` does not answer as BuildKit: it does not speak gRPC, or has hung up
    hint: it must be a buildkitd; the socket of a Docker Engine is written docker:///PATH
    exit: 3
    "#);

    let closed = user(&served);
    let path = closed.path("closed.sock");
    listen(&path, drop);
    let closed = closed.buildkit(&format!("unix://{}", path.display()));
    assert_snapshot!(closed.run(&["ci"]), @r#"
    error: `unix://[DAEMON]` does not answer as BuildKit: it does not speak gRPC, or has hung up
    hint: it must be a buildkitd; the socket of a Docker Engine is written docker:///PATH
    exit: 3
    "#);

    let engine = user(&served);
    let docker = testbed("DOCKER_HOST");
    let engine = engine.buildkit(&docker);
    assert_snapshot!(engine.run(&["ci"]), @r#"
    error: `unix://[DAEMON]` does not answer as BuildKit: it does not speak gRPC, or has hung up
    hint: it must be a buildkitd; the socket of a Docker Engine is written docker:///PATH
    exit: 3
    "#);
}

#[test]
fn a_peer_that_says_nothing_is_given_up() {
    let served = repository();
    let user = user(&served);
    let path = user.path("silent.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let user = user.buildkit(&format!("unix://{}", path.display()));
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: `unix://[DAEMON]` did not answer within 15 s
    hint: is the daemon running, and is this its address?
    exit: 3
    "#);
}

#[test]
fn a_daemon_that_is_too_old_says_which_version_is_needed() {
    let served = repository();
    let endpoint = testbed("PEELBOX_TESTBED_ENGINE_20");
    let host = endpoint.replace("docker://", "unix://");
    let version = docker(&[
        "--host",
        &host,
        "version",
        "--format",
        "{{.Server.Version}}",
    ]);
    let user = user(&served).hide(&version, "[ENGINE]").buildkit(&endpoint);
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: `docker://[DAEMON]` of Docker Engine [ENGINE]: this BuildKit is older than 0.11.0
    hint: BuildKit 0.11 or newer is needed, which Docker Engine 23 and Docker Desktop 4.17 have: update it, or name another daemon with `--buildkit` or BUILDKIT_HOST
    exit: 3
    "#);
    assert_snapshot!(user.run(&["doctor"]), @r#"
    stdout:
    daemon: docker://[DAEMON] (named by BUILDKIT_HOST): the BuildKit of Docker Engine [ENGINE], version unknown
    platforms: linux/386, linux/amd64
    package index: 3 packages, http://[SERVER]/os
    stderr:
    error: `docker://[DAEMON]` of Docker Engine [ENGINE]: this BuildKit is older than 0.11.0
    hint: BuildKit 0.11 or newer is needed, which Docker Engine 23 and Docker Desktop 4.17 have: update it, or name another daemon with `--buildkit` or BUILDKIT_HOST
    exit: 3
    "#);
}

/// An Engine that says what an Engine 24 with the classic image store says.
fn classic_engine(path: &Path) {
    listen(path, |mut stream| {
        while let Some(request) = request(&mut stream) {
            let path = request.split(' ').nth(1).unwrap_or_default();
            match path.rsplit('/').next() {
                Some("version") => answer(
                    &mut stream,
                    "200 OK",
                    r#"{"Version":"24.0.7","ApiVersion":"1.43","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}"#,
                ),
                Some("info") => answer(
                    &mut stream,
                    "200 OK",
                    r#"{"ID":"a","ServerVersion":"24.0.7","Driver":"overlay2","DriverStatus":[["Backing Filesystem","extfs"],["Supports d_type","true"]]}"#,
                ),
                _ if path.contains("/distribution/") => answer(
                    &mut stream,
                    "500 Internal Server Error",
                    r#"{"message":"dial tcp: lookup registry-1.docker.io: no such host"}"#,
                ),
                _ => answer(
                    &mut stream,
                    "404 Not Found",
                    r#"{"message":"No such container: peelbox-buildkitd"}"#,
                ),
            }
        }
    });
}

#[test]
fn an_engine_without_the_containerd_store_says_how_to_turn_it_on() {
    let served = repository();
    let user = user(&served);
    classic_engine(&user.path("docker.sock"));
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: no BuildKit was found
      tried unix:///run/buildkit/buildkitd.sock: no such socket
      tried docker-container://peelbox-buildkitd: cannot pull `docker.io/moby/buildkit:v0.33.1`: dial tcp: lookup registry-1.docker.io: no such host
      tried docker://: Docker Engine 24.0.7 keeps its images outside of containerd
    hint: turn on "containerd-snapshotter" under "features" in the Engine's daemon.json (in Docker Desktop: Settings, General, containerd) and restart it
    hint: PEELBOX_BUILDKIT_IMAGE names a copy of moby/buildkit that the Engine has or can pull
    exit: 3
    "#);
    let user = user.buildkit("docker://");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: `docker://` does not answer as BuildKit: it does not speak gRPC, or has hung up
    hint: it must be a buildkitd; the socket of a Docker Engine is written docker:///PATH
    exit: 3
    "#);
}

#[test]
fn an_engine_without_the_upgrade_is_spoken_to_natively() {
    let served = repository();
    let user = user(&served);
    let path = user.path("engine-29.sock");
    let daemon = testbed("PEELBOX_TESTBED_BUILDKIT_LATEST");
    let daemon = daemon.trim_start_matches("unix://").to_owned();
    listen(&path, move |mut stream| {
        let mut first = [0; 4];
        stream.read_exact(&mut first).unwrap();
        if &first == b"POST" {
            let _ = request(&mut stream); // the rest of it
            answer(
                &mut stream,
                "404 Not Found",
                r#"{"message":"page not found"}"#,
            );
            return;
        }
        let mut inner = UnixStream::connect(&daemon).unwrap();
        inner.write_all(&first).unwrap();
        let (mut up, mut down) = (stream.try_clone().unwrap(), inner.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut up, &mut inner));
        thread::spawn(move || std::io::copy(&mut down, &mut stream));
    });
    let user = user.buildkit(&format!("docker://{}", path.display()));
    // The build ends where the first app is looked at: the packages of this repository are empty.
    let told = user.run(&["ci", "--progress", "quiet"]);
    assert!(
        told.contains("the image has no `/usr/bin/busybox`"),
        "{told}"
    );
}

#[test]
fn a_container_that_cannot_be_used_is_named() {
    let served = repository();
    let user = user(&served).set("DOCKER_HOST", testbed("DOCKER_HOST"));
    let user = user.buildkit("docker-container://peelbox-no-such");
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: cannot reach buildkitd in the container `[DAEMON]`: No such container: [DAEMON]
    hint: the container must run and have buildctl in it, as moby/buildkit does
    exit: 3
    "#);
    let image = testbed("PEELBOX_TESTBED_BASE_IMAGE_REGISTRY");
    let stopped = Container::create("peelbox-failures-stopped", &image, false);
    let user = user
        .hide(
            &docker(&["inspect", "--format", "{{.Id}}", &stopped.0]),
            "[ID]",
        )
        .buildkit(&format!("docker-container://{}", stopped.0));
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: cannot reach buildkitd in the container `[DAEMON]`: container [ID] is not running
    hint: the container must run and have buildctl in it, as moby/buildkit does
    exit: 3
    "#);
    let running = Container::create("peelbox-failures-running", &image, true);
    let user = user.buildkit(&format!("docker-container://{}", running.0));
    assert_snapshot!(user.run(&["ci"]), @r#"
    error: cannot reach buildkitd in the container `[DAEMON]`: OCI runtime exec failed: exec failed: unable to start container process: exec: "buildctl": executable file not found in $PATH
    hint: the container must run and have buildctl in it, as moby/buildkit does
    exit: 3
    "#);
}

/// A container of the test bed's Engine that ends with the test.
struct Container(String);

impl Container {
    fn create(name: &str, image: &str, is_running: bool) -> Self {
        // Another run of these tests may use the same Engine.
        let name = format!("{name}-{}", std::process::id());
        docker(&["create", "--name", &name, image, "sleep", "600"]);
        if is_running {
            docker(&["start", &name]);
        }
        Self(name)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let program = testbed("PEELBOX_TESTBED_DOCKER");
        let _ = Command::new(program).args(["rm", "-f", &self.0]).output(); // the test says what matters
    }
}
