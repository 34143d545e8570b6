//! What `peelbox ci` shows of builds: to terminals, to files, to programs.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "support/run.rs"]
mod run;

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::{Value, json};
use tempfile::TempDir;

use run::{Run, ci};

/// A repository of one site whose build runs `commands`, and beside it cache and output directory.
fn site(commands: &[&str]) -> TempDir {
    let spec = json!([{
        "version": "1.0",
        "metadata": {"project_name": "page", "path": ".", "kind": "static"},
        "build": {"context": ["public/**"], "commands": commands},
        "runtime": {
            "packages": ["nginx"],
            "copy": [{"from": "public", "to": "/app"}],
            "ports": [8080],
        },
    }]);
    let folder = tempfile::tempdir().unwrap();
    let public = folder.path().join("repository/public");
    fs::create_dir_all(&public).unwrap();
    // No other build has it in its cache.
    fs::write(public.join("index.html"), uuid::Uuid::new_v4().to_string()).unwrap();
    let text = serde_json::to_vec_pretty(&spec).unwrap();
    fs::write(folder.path().join("repository/universalbuild.json"), text).unwrap();
    folder
}

fn command(folder: &TempDir, options: &[&str]) -> Command {
    let path = |name| folder.path().join(name);
    let mut command = ci(&path("repository"), &path("cache"), &path("out"));
    command
        .args(options)
        .env("TERM", "xterm-256color")
        .env("LC_ALL", "C.UTF-8")
        .env_remove("CI")
        .env_remove("NO_COLOR");
    command
}

fn ran(folder: &TempDir, options: &[&str]) -> Run {
    run::run(command(folder, options), &folder.path().join("out"))
}

/// The end of a terminal that its owner has.
struct Terminal(OwnedFd);

impl Terminal {
    fn new(columns: u16, rows: u16) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let terminal = Self(terminal);
        terminal.resize(columns, rows);
        terminal
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.0, size).unwrap();
    }

    /// Starts a program with its stderr at the terminal.
    fn start(&self, mut command: Command) -> Child {
        let name = ptsname(&self.0, Vec::new()).unwrap();
        let name = Path::new(name.to_str().unwrap());
        let end: File = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)
            .unwrap();
        command.stdout(Stdio::null()).stderr(end).spawn().unwrap()
    }

    /// Reads until no program has the terminal any more.
    fn read(&self) -> JoinHandle<String> {
        let mut file = File::from(self.0.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut shown = Vec::new();
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = file.read(&mut buffer) {
                shown.extend_from_slice(&buffer[..count]);
            }
            // The terminal adds a return to each line end.
            String::from_utf8(shown).unwrap().replace("\r\r\n", "\n")
        })
    }
}

#[track_caller]
fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Fails unless the terminal is as it was: the cursor is seen, lines go on in the next row, nothing is withheld.
#[track_caller]
fn is_restored(shown: &str) {
    for (on, off) in [("?25h", "?25l"), ("?7h", "?7l"), ("?2026l", "?2026h")] {
        let (on, off) = (shown.rfind(on), shown.rfind(off));
        assert!(off.is_some(), "{shown:?}");
        assert!(on > off, "{shown:?}");
    }
}

#[test]
fn a_terminal_shows_what_runs_and_keeps_what_ran() {
    let folder = site(&["echo one; sleep 1; echo two; sleep 1"]);
    let terminal = Terminal::new(90, 20);
    let shown = terminal.read();
    let mut child = terminal.start(command(&folder, &[]));
    wait("it does not end", || {
        terminal.resize(60, 12);
        child.try_wait().unwrap().is_some()
    });
    assert!(child.wait().unwrap().success());
    drop(terminal);
    let shown = shown.join().unwrap();
    is_restored(&shown);
    assert!(shown.contains("building page (.)\u{1b}[0m\n"), "{shown:?}");
    assert!(
        shown.contains("│ \u{1b}[0m\u{1b}[2mone\u{1b}[0m"),
        "{shown:?}"
    );
    // What follows the last frame stays.
    let record = &shown[..shown.rfind("page  built").unwrap()];
    assert!(
        record.contains("build: echo one; sleep 1; echo two; sleep 1\n"),
        "{shown:?}"
    );
}

#[test]
fn a_terminal_without_colours_or_movement_gets_none() {
    let folder = site(&["echo one"]);
    let shown = |name: &str, value: &str| {
        let terminal = Terminal::new(90, 20);
        let shown = terminal.read();
        let mut command = command(&folder, &[]);
        command.env(name, value);
        assert!(terminal.start(command).wait().unwrap().success());
        drop(terminal);
        shown.join().unwrap()
    };
    let colourless = shown("NO_COLOR", "1");
    is_restored(&colourless);
    assert!(!colourless.contains("\u{1b}[2m"), "{colourless:?}");
    for (name, value) in [
        ("TERM", "dumb"),
        ("CI", "true"),
        ("PEELBOX_PROGRESS", "plain"),
    ] {
        let lines = shown(name, value);
        assert!(!lines.contains('\u{1b}'), "{lines:?}");
        assert!(lines.contains("\n#1 "), "{lines:?}");
    }
}

#[test]
fn an_interrupt_leaves_the_terminal_as_it_was() {
    let folder = site(&["echo asleep; sleep 600"]);
    let terminal = Terminal::new(90, 20);
    let shown = terminal.read();
    let mut child = terminal.start(command(&folder, &[]));
    let log = folder.path().join("out/page.log");
    std::thread::sleep(Duration::from_secs(1));
    wait("it does not begin", || log.exists());
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(500));
        let pid = child.id().to_string();
        // The second one finds nobody if the first was quick.
        let _ = Command::new("sh")
            .args(["-c", "kill -s INT \"$0\"", &pid])
            .status();
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(terminal);
    is_restored(&shown.join().unwrap());
}

#[test]
fn who_does_not_read_does_not_stop_the_build() {
    // More than pipes and terminals hold, less than the daemon clips.
    let folder = site(&[
        "for n in $(seq 2000); do echo $n 01234567890123456789012345678901234567890123456789; done",
    ]);
    let log = folder.path().join("out/page.log");
    let has_ended = || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        log.contains("sending tarball")
    };
    for options in [["--progress", "plain"], ["--progress", "rawjson"]] {
        let started = command(&folder, &options)
            .arg("--no-cache")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let child = started.unwrap();
        wait("the build does not end", has_ended);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert!(output.stderr.len() > 100_000);
        fs::remove_file(&log).unwrap();
    }
    let terminal = Terminal::new(90, 20);
    let mut child = terminal.start(command(&folder, &["--verbose", "--no-cache"]));
    wait("the build does not end", has_ended);
    let shown = terminal.read();
    assert!(child.wait().unwrap().success());
    drop(terminal);
    is_restored(&shown.join().unwrap());
}

#[test]
fn quiet_is_the_digest_alone() {
    let folder = site(&[]);
    for options in [&["--quiet"][..], &["--progress", "quiet"], &["-qv"]] {
        let run = ran(&folder, options).ended(0);
        assert_eq!(run.stderr, "");
        assert_eq!(run.stdout, format!("page {}\n", run.manifest("page")));
    }
}

#[test]
fn rawjson_is_an_object_on_each_line() {
    let folder = site(&["echo hello"]);
    let run = ran(&folder, &["--progress", "rawjson"]).ended(0);
    assert_eq!(run.stdout, format!("page {}\n", run.manifest("page")));
    let messages: Vec<Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let all = |list: &str| {
        let lists = messages
            .iter()
            .filter_map(|message| message[list].as_array());
        lists.flatten().cloned().collect::<Vec<Value>>()
    };
    let names = all("vertexes");
    assert!(
        names
            .iter()
            .any(|vertex| vertex["name"] == "[page] build: echo hello")
    );
    assert!(all("logs").iter().any(|log| log["data"] == "aGVsbG8K"));
    assert!(
        all("statuses")
            .iter()
            .any(|status| status["id"] == "sending tarball")
    );
}

#[test]
fn verbose_lines_have_every_operation() {
    let folder = site(&["echo hello"]);
    let brief = ran(&folder, &["--progress", "plain"]).ended(0).stderr;
    let verbose = ran(&folder, &["--progress", "plain", "--verbose"])
        .ended(0)
        .stderr;
    assert!(!brief.contains("package nginx"), "{brief}");
    assert!(verbose.contains("package nginx"), "{verbose}");
}
