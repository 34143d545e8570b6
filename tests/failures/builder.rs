//! The BuildKit that peelbox starts in a container.
//!
//! The image is the test bed's stand-in for `moby/buildkit`: the real buildkitd on a root of its own.

use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::peelbox::{Peelbox, docker, testbed};

/// The one container of that name that an Engine can have; tests take turns, in whatever process they run.
struct Turn(File);

impl Turn {
    fn take() -> Self {
        let path = Path::new(&testbed("PEELBOX_TESTBED_DIR")).join("builder.lock");
        let file = File::create(path).unwrap();
        file.lock().unwrap();
        // The test bed's Engine may be that of the machine, and somebody may work with it.
        let name = "name=^peelbox-buildkitd$";
        let images = docker(&["ps", "--all", "--filter", name, "--format", "{{.Image}}"]);
        let registry = testbed("PEELBOX_TESTBED_REGISTRY");
        assert!(
            images.is_empty() || images.contains("peelbox-testbed-") || images.contains(&registry),
            "the Engine has a container `peelbox-buildkitd` that is not of a test: {images}"
        );
        user().run(&["builder", "rm"]);
        Self(file)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        user().run(&["builder", "rm"]);
        self.0.unlock().unwrap();
    }
}

/// The image of the test bed's own container, whatever its version.
fn image() -> String {
    let container = testbed("PEELBOX_TESTBED_CONTAINER");
    let name = container.trim_start_matches("docker-container://");
    docker(&["inspect", "--format", "{{.Config.Image}}", name])
}

/// Somebody who names no daemon, and has the test bed's Engine.
fn user() -> Peelbox {
    let image = image();
    let (_, version) = image.rsplit_once(':').unwrap();
    Peelbox::new()
        .on_testbed()
        .unset("BUILDKIT_HOST")
        .set("DOCKER_HOST", testbed("DOCKER_HOST"))
        .set("PEELBOX_BUILDKIT_IMAGE", &image)
        .set("PEELBOX_BUILDKIT_NETWORK", "host")
        .hide(version.trim_start_matches('v'), "[VERSION]")
        .hide(
            &docker(&["version", "--format", "{{.Server.Version}}"]),
            "[ENGINE]",
        )
}

fn id() -> String {
    docker(&["inspect", "--format", "{{.Id}}", "peelbox-buildkitd"])
}

#[test]
fn a_container_is_started_found_again_stopped_and_removed() {
    let _turn = Turn::take();
    let user = user();
    let started = user.doctor();
    assert_snapshot!(started, @r#"
    stdout:
    daemon: docker-container://peelbox-buildkitd (the container runs): BuildKit [VERSION]
    several outputs in one build: yes
    the same commit gives the same digests: yes
    everything that a build needs is there
    stderr:
    starting BuildKit in the container peelbox-buildkitd
    exit: 0
    "#);
    let first = id();
    assert_snapshot!(user.run(&["builder", "ls"]), @r#"
    stdout:
    peelbox-buildkitd	running	docker.io/library/peelbox-testbed-buildkitd:v[VERSION]
    stderr:
    exit: 0
    "#);
    assert_snapshot!(user.doctor(), @r#"
    stdout:
    daemon: docker-container://peelbox-buildkitd (the container runs): BuildKit [VERSION]
    several outputs in one build: yes
    the same commit gives the same digests: yes
    everything that a build needs is there
    stderr:
    exit: 0
    "#);
    assert_snapshot!(user.run(&["builder", "stop"]), @r#"
    stdout:
    peelbox-buildkitd
    stderr:
    exit: 0
    "#);
    assert_snapshot!(user.run(&["builder", "ls"]), @r#"
    stdout:
    peelbox-buildkitd	stopped	docker.io/library/peelbox-testbed-buildkitd:v[VERSION]
    stderr:
    exit: 0
    "#);
    // It is the same one with what it has cached.
    assert_eq!(user.doctor(), started);
    assert_eq!(id(), first);
    assert_snapshot!(user.run(&["builder", "rm", "peelbox-buildkitd"]), @r#"
    stdout:
    peelbox-buildkitd
    stderr:
    exit: 0
    "#);
    assert_snapshot!(user.run(&["builder", "rm", "peelbox-buildkitd"]), @"exit: 0");
    assert_snapshot!(user.run(&["builder", "ls"]), @"exit: 0");
    let name = "name=^peelbox-buildkitd$";
    assert_eq!(docker(&["volume", "ls", "--quiet", "--filter", name]), "");
}

#[test]
fn an_app_is_built_in_the_container_that_was_started() {
    let _turn = Turn::take();
    let user = user().spec(
        "
version: '1.0'
metadata: { project_name: web, path: . }
build: { commands: [date > out] }
runtime: { packages: [busybox], copy: [{ from: out, to: out }], command: [/usr/bin/busybox, 'true'] }
",
    );
    let told = user.run(&["ci", "--progress", "plain"]);
    assert!(told.ends_with("exit: 0"), "{told}");
    assert!(
        told.contains("starting BuildKit in the container peelbox-buildkitd"),
        "{told}"
    );
    assert!(user.repo().join("peelbox-out/web.oci.tar").exists());
}

#[test]
fn two_that_start_at_once_get_the_same() {
    let _turn = Turn::take();
    let runs: Vec<_> = (0..3).map(|_| thread::spawn(|| user().doctor())).collect();
    for run in runs {
        let told = run.join().unwrap();
        assert!(
            told.contains("everything that a build needs is there"),
            "{told}"
        );
    }
    assert_eq!(
        docker(&["ps", "--quiet", "--filter", "name=^peelbox-buildkitd$"])
            .lines()
            .count(),
        1
    );
}

#[test]
fn a_container_of_another_image_is_kept_and_said() {
    let _turn = Turn::take();
    docker(&["tag", &image(), "peelbox-testbed-other:1"]);
    let told = user()
        .set("PEELBOX_BUILDKIT_IMAGE", "peelbox-testbed-other:1")
        .doctor();
    assert!(
        told.contains("everything that a build needs is there"),
        "{told}"
    );
    assert_snapshot!(user().doctor(), @r#"
    stdout:
    daemon: docker-container://peelbox-buildkitd (the container runs): BuildKit [VERSION]
    note: the container `peelbox-buildkitd` was made of `docker.io/library/peelbox-testbed-other:1`, and would now be made of `docker.io/library/peelbox-testbed-buildkitd:v[VERSION]`: `peelbox builder rm` makes room for that
    several outputs in one build: yes
    the same commit gives the same digests: yes
    everything that a build needs is there
    stderr:
    exit: 0
    "#);
    docker(&["rmi", "peelbox-testbed-other:1"]);
}

#[test]
fn a_container_of_somebody_else_is_left_alone() {
    let _turn = Turn::take();
    docker(&["create", "--name", "peelbox-buildkitd", &image()]);
    let told = user().doctor();
    let ruled = user().run(&["builder", "rm", "peelbox-buildkitd"]);
    let listed = user().run(&["builder", "ls"]);
    docker(&["rm", "peelbox-buildkitd"]);
    assert_snapshot!(told, @r#"
    stdout:
    daemon: docker:// (the Engine has the containerd image store): the BuildKit of Docker Engine [ENGINE], version unknown
    note: docker-container://peelbox-buildkitd: the container `peelbox-buildkitd` does not run, and was not made by peelbox; the BuildKit of the Engine is used
    several outputs in one build: yes
    the same commit gives the same digests: yes
    everything that a build needs is there
    stderr:
    exit: 0
    "#);
    assert_snapshot!(ruled, @r#"
    error: the container `peelbox-buildkitd` was not made by peelbox
    hint: `peelbox builder ls` lists those that were; Docker removes others
    exit: 2
    "#);
    assert_eq!(listed, "exit: 0");
}

#[test]
fn an_image_that_cannot_be_pulled_costs_little_and_the_engine_serves() {
    let _turn = Turn::take();
    let user = user();
    let missing = format!("{}/no/such:1", testbed("PEELBOX_TESTBED_REGISTRY"));
    let user = user.set("PEELBOX_BUILDKIT_IMAGE", missing);
    let dialed = user.command(&["dial-stdio"]).output().unwrap().stderr;
    let dialed = String::from_utf8(dialed).unwrap();
    let note = "note: docker-container://peelbox-buildkitd: cannot pull `";
    assert!(dialed.starts_with(note), "{dialed}");
    assert_snapshot!(user.doctor(), @r#"
    stdout:
    daemon: docker:// (the Engine has the containerd image store): the BuildKit of Docker Engine [ENGINE], version unknown
    note: docker-container://peelbox-buildkitd: cannot pull `[REGISTRY]/no/such:1`: manifest unknown: manifest unknown; the BuildKit of the Engine is used
    several outputs in one build: yes
    the same commit gives the same digests: yes
    everything that a build needs is there
    stderr:
    exit: 0
    "#);
    // Packets to this network go nowhere: https://www.rfc-editor.org/rfc/rfc5737
    let user = user.set("PEELBOX_BUILDKIT_IMAGE", "192.0.2.1:5000/buildkit:1");
    let started = Instant::now();
    let told = user.doctor();
    let took = started.elapsed();
    assert!(
        told.contains("the BuildKit of the Engine is used"),
        "{told}"
    );
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn the_name_of_an_image_is_checked() {
    let user = Peelbox::new()
        .set("DOCKER_HOST", testbed("DOCKER_HOST"))
        .set("PEELBOX_BUILDKIT_IMAGE", "Not An Image");
    assert_snapshot!(user.run(&["dial-stdio"]), @r#"
    error: PEELBOX_BUILDKIT_IMAGE: `Not An Image` is not an image reference: a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`
    hint: it names a copy of docker.io/moby/buildkit:v0.33.1
    exit: 2
    "#);
}

#[test]
fn an_image_is_pulled_with_the_login_of_docker() {
    let _turn = Turn::take();
    let pulled = format!(
        "{}/failures/buildkit:1",
        testbed("PEELBOX_TESTBED_REGISTRY")
    );
    docker(&["tag", &image(), &pulled]);
    docker(&["push", "--quiet", &pulled]);
    docker(&["rmi", &pulled]);
    let user = user().set("PEELBOX_BUILDKIT_IMAGE", &pulled);
    let refused = user.path("home").display().to_string();
    let told = user.set("DOCKER_CONFIG", refused).doctor();
    assert!(
        told.contains("; the BuildKit of the Engine is used"),
        "{told}"
    );
    let user = self::user().set("PEELBOX_BUILDKIT_IMAGE", &pulled);
    let told = user.doctor();
    user.run(&["builder", "rm"]);
    docker(&["rmi", &pulled]);
    assert!(
        told.starts_with("stdout:\ndaemon: docker-container://peelbox-buildkitd"),
        "{told}"
    );
    assert!(
        told.contains("pulling [REGISTRY]/failures/buildkit:1 for the container"),
        "{told}"
    );
}
