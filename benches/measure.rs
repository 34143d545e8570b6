//! What one command costs.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

/// The cost of one run of a command.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Cost {
    /// From its start to its end, in milliseconds.
    pub(crate) wall: f64,
    /// The processor time of it and its children, in milliseconds.
    pub(crate) cpu: f64,
    /// The most memory that one of them had resident, in KiB.
    pub(crate) memory: i64,
    ok: bool,
}

/// Runs `command` with `input` as its standard input; it has to succeed.
pub(crate) fn cost(command: &[String], input: &Path, log: &Path) -> Cost {
    let cost = spent(command, input, log);
    assert!(
        cost.ok,
        "{command:?} failed: {}",
        std::fs::read_to_string(log).unwrap()
    );
    cost
}

/// Runs `command` with `input` as its standard input, whatever it says in the end.
///
/// The system counts the children of a process together, and a child starts with the peak of who started it: so a
/// small process of its own waits for each.
pub(crate) fn spent(command: &[String], input: &Path, log: &Path) -> Cost {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("measure")
        .args(command)
        .stdin(std::fs::File::open(input).unwrap())
        .stderr(std::fs::File::create(log).unwrap())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The process between: it waits for `command` and prints what that cost.
pub(crate) fn wait_for(command: &[String]) {
    let started = Instant::now();
    let status = Command::new(&command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    let wall = started.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    let cpu = micros(usage.user_time()) + micros(usage.system_time());
    let cost = Cost {
        wall: milliseconds(wall),
        cpu: milliseconds(Duration::from_micros(u64::try_from(cpu).unwrap())),
        memory: usage.max_rss(),
        ok: status.success(),
    };
    let text = serde_json::to_vec(&cost).unwrap();
    std::io::stdout().write_all(&text).unwrap();
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The middle one of `values`.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

pub(crate) fn mebibytes(kibibytes: i64) -> f64 {
    f64::from(i32::try_from(kibibytes).unwrap()) / 1024.0
}

/// A line for who waits.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {text}"); // nobody reads it
}
