//! A daemon that is there and does nothing any more.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::peelbox::{Peelbox, testbed};

/// A buildkitd of the test's own, which may be treated badly.
struct Daemon {
    process: Child,
    endpoint: String,
}

impl Daemon {
    fn start(folder: &Path) -> Self {
        let socket = folder.join("buildkitd.sock");
        let registry = testbed("PEELBOX_TESTBED_REGISTRY");
        let configuration = format!(
            r#"
            root = "{folder}/root"
            [grpc]
            address = ["unix://{socket}"]
            [otel]
            socketPath = "{folder}/otel.sock"
            [worker.oci]
            enabled = true
            binary = "runc"
            networkMode = "host"
            [worker.containerd]
            enabled = false
            [registry."{registry}"]
            http = true
            "#,
            folder = folder.display(),
            socket = socket.display(),
        );
        fs::write(folder.join("buildkitd.toml"), configuration).unwrap();
        let program = testbed("PEELBOX_TESTBED_BUILDCTL").replace("/buildctl", "/buildkitd");
        let log = fs::File::create(folder.join("log")).unwrap();
        let process = Command::new(program)
            .arg("--config")
            .arg(folder.join("buildkitd.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while !socket.exists() {
            let log = || fs::read_to_string(folder.join("log")).unwrap();
            assert!(Instant::now() < until, "{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Self {
            process,
            endpoint: format!("unix://{}", socket.display()),
        }
    }

    fn send(&self, signal: Signal) {
        let id = Pid::from_child(&self.process);
        kill_process(id, signal).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Its steps end with it.
        self.send(Signal::CONT);
        self.send(Signal::TERM);
        self.process.wait().unwrap();
    }
}

#[test]
fn a_daemon_that_freezes_during_a_build_is_given_up() {
    let user = Peelbox::new().on_testbed().spec(
        "
version: '1.0'
metadata: { project_name: web, path: . }
build: { commands: ['echo the step \\has begun; sleep 300'] }
runtime: { packages: [busybox], copy: [{ from: out, to: out }], command: [/usr/bin/busybox, 'true'] }
",
    );
    let folder = user.path("daemon");
    fs::create_dir(&folder).unwrap();
    let daemon = Daemon::start(&folder);
    let user = user.buildkit(&daemon.endpoint);
    let mut command = user.command(&["ci", "--progress", "plain"]);
    let mut peelbox = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(peelbox.stderr.take().unwrap());
    let mut line = String::new();
    // The daemon names the step by its command, which is not what that prints.
    while !line.contains("the step has begun") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "it ended");
    }
    daemon.send(Signal::STOP);
    let frozen = Instant::now();
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    let took = frozen.elapsed();
    assert_eq!(peelbox.wait().unwrap().code(), Some(3), "{rest}");
    let expected = "\
web failed: the connection to the daemon failed: nothing comes from it any more, not even an answer to a PING
  hint: is the daemon still running?
";
    assert!(rest.contains(expected), "{rest}");
    assert!(took < Duration::from_secs(90), "{took:?}");
}
