//! Connections that are lost while a run goes on.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::peelbox::{Peelbox, testbed};

/// Stands between the program and the daemon, and ends a connection where it is told to.
struct Proxy {
    address: String,
    connections: Arc<AtomicUsize>,
}

/// Where a connection ends.
#[derive(Clone)]
enum Cut {
    Never,
    /// When the program sends something while the file exists; only the first connection, or all of them.
    SinceFile(PathBuf, bool),
    /// When the daemon has sent this text.
    Behind(&'static str),
}

impl Cut {
    fn is_at(&self, number: usize, is_from_daemon: bool, bytes: &[u8]) -> bool {
        match self {
            Self::Never => false,
            Self::SinceFile(file, all) => !is_from_daemon && (*all || number == 0) && file.exists(),
            Self::Behind(text) => {
                let mut windows = bytes.windows(text.len());
                is_from_daemon && windows.any(|window| window == text.as_bytes())
            }
        }
    }
}

impl Proxy {
    fn start(cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let daemon = testbed("PEELBOX_TESTBED_BUILDKIT_LATEST");
        let daemon = daemon.trim_start_matches("unix://").to_owned();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        thread::spawn(move || {
            for client in listener.incoming() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let (one, other) = (cut.clone(), cut.clone());
                let (client, daemon) = (client.unwrap(), UnixStream::connect(&daemon).unwrap());
                let (up, down) = (client.try_clone().unwrap(), daemon.try_clone().unwrap());
                thread::spawn(move || pass(client, down, |bytes| one.is_at(number, false, bytes)));
                thread::spawn(move || pass(daemon, up, |bytes| other.is_at(number, true, bytes)));
            }
        });
        Self {
            address,
            connections,
        }
    }
}

/// One end of a connection.
trait End: Read + Write {
    fn end(&self);
}

impl End for TcpStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both); // it may have ended by itself
    }
}

impl End for UnixStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both); // it may have ended by itself
    }
}

fn pass(mut from: impl End, mut to: impl End, is_over: impl Fn(&[u8]) -> bool) {
    let mut bytes = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        let bytes = &bytes[..length];
        if is_over(bytes) || to.write_all(bytes).is_err() {
            break;
        }
    }
    from.end();
    to.end();
}

/// A user with two apps, the second of which runs `command`.
fn user(command: &str) -> Peelbox {
    let app = |name: &str, command: &str| {
        format!(
            "
- version: '1.0'
  metadata: {{ project_name: {name}, path: . }}
  build: {{ commands: ['{command}'] }}
  runtime: {{ packages: [busybox], copy: [{{ from: out, to: out }}], command: [/usr/bin/busybox, 'true'] }}
"
        )
    };
    let specs = app("one", "date > out") + &app("two", command);
    Peelbox::new().on_testbed().spec(&specs)
}

fn out(user: &Peelbox, name: &str) -> PathBuf {
    user.repo().join("peelbox-out").join(name)
}

fn report(user: &Peelbox) -> serde_json::Value {
    serde_json::from_slice(&fs::read(out(user, "report.json")).unwrap()).unwrap()
}

#[test]
fn a_connection_that_is_lost_between_two_apps_is_made_anew() {
    let user = user("date > out");
    let archive = out(&user, "one.oci.tar");
    // The archive has its name when the solve is over; what the program sends next is about the next app.
    let proxy = Proxy::start(Cut::SinceFile(archive, false));
    let user = user.buildkit(&format!("tcp://{}", proxy.address));
    let told = user.run(&["ci", "--progress", "plain", "--no-cache"]);
    assert!(told.ends_with("exit: 0"), "{told}");
    let line = format!(
        "the connection to tcp://{} was lost: connecting again",
        "[DAEMON]"
    );
    assert!(told.contains(&line), "{told}");
    assert!(out(&user, "two.oci.tar").exists());
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn who_wants_errors_and_digests_only_is_not_told_of_it() {
    let user = user("date > out");
    let archive = out(&user, "one.oci.tar");
    let proxy = Proxy::start(Cut::SinceFile(archive, false));
    let user = user.buildkit(&format!("tcp://{}", proxy.address));
    let told = user.run(&["ci", "--quiet", "--no-cache"]);
    let (stdout, stderr) = told.split_once("stderr:\n").unwrap();
    assert_eq!(stderr, "exit: 0");
    assert_eq!(stdout.matches(" sha256:").count(), 2, "{stdout}");
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn all_apps_share_one_connection() {
    let user = user("date > out");
    let proxy = Proxy::start(Cut::Never);
    let user = user.buildkit(&format!("tcp://{}", proxy.address));
    let told = user.run(&["ci", "--progress", "plain"]);
    assert!(told.ends_with("exit: 0"), "{told}");
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_connection_that_is_lost_within_a_solve_ends_the_run() {
    // The daemon names the step by its command, and the proxy waits for what that prints.
    let user = user("echo the step \\has begun; sleep 60; date > out");
    let proxy = Proxy::start(Cut::Behind("the step has begun"));
    let user = user.buildkit(&format!("tcp://{}", proxy.address));
    let told = user.run(&["ci", "--progress", "plain", "--no-cache"]);
    assert!(told.ends_with("exit: 3"), "{told}");
    assert!(
        told.contains("hint: is the daemon still running?"),
        "{told}"
    );
    let report = report(&user);
    let outcomes: Vec<_> = report["apps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|app| &app["outcome"])
        .collect();
    assert_eq!(outcomes, ["built", "failed"]);
    assert_eq!(proxy.connections.load(Ordering::SeqCst), 1, "{told}");
}

#[test]
fn a_daemon_that_stays_away_ends_the_run() {
    let user = user("date > out");
    let archive = out(&user, "one.oci.tar");
    let proxy = Proxy::start(Cut::SinceFile(archive, true));
    let user = user.buildkit(&format!("tcp://{}", proxy.address));
    let told = user.run(&["ci", "--progress", "plain", "--no-cache"]);
    assert!(told.ends_with("exit: 3"), "{told}");
    assert!(told.contains("does not answer as BuildKit"), "{told}");
    // The first, and six attempts to replace it; after each a look at whether it is TLS that is spoken there.
    let connections = proxy.connections.load(Ordering::SeqCst);
    assert!((7..=14).contains(&connections), "{connections}\n{told}");
}
