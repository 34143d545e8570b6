//! Runs the program and the images that it makes.
#![allow(
    dead_code,
    reason = "every test that includes this file uses its own part of it"
)]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::variable;

/// What a run of `peelbox ci` left.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
    /// The output directory.
    pub(crate) out: PathBuf,
}

impl Run {
    /// The run's `report.json`.
    pub(crate) fn report(&self) -> Value {
        let bytes = fs::read(self.out.join("report.json"))
            .unwrap_or_else(|error| panic!("report.json: {error}\n{}", self.stderr));
        serde_json::from_slice(&bytes).unwrap()
    }

    /// The report's entry of an app.
    pub(crate) fn app(&self, name: &str) -> Value {
        let report = self.report();
        let apps = report["apps"].as_array().unwrap();
        apps.iter()
            .find(|app| app["name"] == name)
            .unwrap_or_else(|| panic!("no {name} in the report\n{}", self.stderr))
            .clone()
    }

    /// The names of the apps in the report.
    pub(crate) fn names(&self) -> Vec<String> {
        let report = self.report();
        let apps = report["apps"].as_array().unwrap();
        apps.iter()
            .map(|app| app["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The digest of an app's image.
    pub(crate) fn manifest(&self, name: &str) -> String {
        let app = self.app(name);
        let digest = app["image"]["manifest"].as_str();
        digest
            .unwrap_or_else(|| panic!("{name} has no image\n{}", self.stderr))
            .to_owned()
    }

    /// The files in the output directory.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = fs::read_dir(&self.out)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        files
    }

    /// Fails unless the run ended with `code`.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        self
    }
}

/// `peelbox ci` of `repository` with a cache of its own.
pub(crate) fn ci(repository: &Path, cache: &Path, out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peelbox"));
    command
        .arg("ci")
        .arg(repository)
        .arg("--output-dir")
        .arg(out)
        .env("PEELBOX_CACHE_DIR", cache)
        .env_remove("SOURCE_DATE_EPOCH")
        .stdin(Stdio::null());
    // Another daemon than the test bed's Engines has the base image from the registry.
    if !variable("BUILDKIT_HOST").starts_with("docker://") {
        let base = variable("PEELBOX_TESTBED_BASE_IMAGE_REGISTRY");
        command.env("PEELBOX_BASE_IMAGE", base);
    }
    command
}

/// Runs a command made by [`ci`] to its end.
pub(crate) fn run(mut command: Command, out: &Path) -> Run {
    let started = Instant::now();
    let output = command.output().unwrap();
    ended(&output, started.elapsed(), out)
}

/// What is left of a run that has ended.
pub(crate) fn ended(output: &Output, took: Duration, out: &Path) -> Run {
    Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        took,
        out: out.to_owned(),
    }
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => fs::copy(entry.path(), target).map(|_| ()).unwrap(),
        }
    }
}

/// Runs a program and gives what it prints; it must succeed.
#[track_caller]
pub(crate) fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("`{program}`: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the Engine's client.
#[track_caller]
pub(crate) fn docker(arguments: &[&str]) -> String {
    printed(&variable("PEELBOX_TESTBED_DOCKER"), arguments)
        .trim()
        .to_owned()
}

/// Loads an archive into the Engine.
pub(crate) fn load(archive: &Path) {
    docker(&["load", "--quiet", "--input", archive.to_str().unwrap()]);
}

/// A container on a read-only file system; it is removed with the value.
pub(crate) struct Container {
    id: String,
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new(variable("PEELBOX_TESTBED_DOCKER"))
            .args(["rm", "--force", "--volumes", &self.id])
            .output();
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Container {
    /// Starts `image` as it is, with a port of its own on loopback for `port`.
    pub(crate) fn start(image: &str, port: Option<u16>, options: &[&str]) -> Self {
        let publish = port.map(|port| format!("127.0.0.1::{port}"));
        let mut arguments = vec!["run", "--detach", "--read-only"];
        if let Some(publish) = &publish {
            arguments.extend(["--publish", publish]);
        }
        arguments.extend(options);
        arguments.push(image);
        Self {
            id: docker(&arguments),
        }
    }

    /// What it printed so far, both streams.
    pub(crate) fn log(&self) -> String {
        let output = Command::new(variable("PEELBOX_TESTBED_DOCKER"))
            .args(["logs", &self.id])
            .output()
            .unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    pub(crate) fn is_running(&self) -> bool {
        docker(&["inspect", "--format", "{{.State.Running}}", &self.id]) == "true"
    }

    /// Waits until it has printed `text`.
    pub(crate) fn await_log(&self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            assert!(
                Instant::now() < until,
                "`{text}` is not in the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until it ends by itself, and gives its exit code.
    pub(crate) fn exit_code(&self) -> i32 {
        let until = Instant::now() + PATIENCE;
        while self.is_running() {
            assert!(Instant::now() < until, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        let code = docker(&["inspect", "--format", "{{.State.ExitCode}}", &self.id]);
        code.parse().unwrap()
    }

    /// Asks for `path` until something answers; gives status and body.
    pub(crate) fn get(&self, port: u16, path: &str) -> (u16, String) {
        let address = docker(&["port", &self.id, &format!("{port}/tcp")]);
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = get(&address, path) {
                return answer;
            }
            assert!(
                Instant::now() < until && self.is_running(),
                "nothing answers at {address}:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The users that its processes run as, as numbers, each once.
    pub(crate) fn users(&self) -> Vec<String> {
        let printed = docker(&["top", &self.id, "-eo", "pid,uid"]);
        let rows = printed.lines().skip(1);
        let users: BTreeSet<&str> = rows
            .filter_map(|row| row.split_whitespace().nth(1))
            .collect();
        users.into_iter().map(str::to_owned).collect()
    }

    /// Sends SIGTERM and gives how long it took to end, and its exit code.
    pub(crate) fn stop(&self) -> (Duration, i32) {
        let started = Instant::now();
        docker(&["stop", "--timeout", "20", &self.id]);
        (started.elapsed(), self.exit_code())
    }
}

// The Engine's proxy accepts connections before the program in the container does, and then ends them.
fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
