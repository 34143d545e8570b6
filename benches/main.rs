//! Measures peelbox's BuildKit client against buildctl, with the same graphs on the same daemon.
//!
//! One program in three roles: it measures, it is the process that waits for one measured command, and it is the client
//! under test, which uses the library as `peelbox` does. Without arguments it runs every case once, small, to see
//! that it still can.

#![expect(clippy::unwrap_used, reason = "what fails here ends the measurement")]

#[path = "../tests/support/apk.rs"]
mod apk;
mod case;
mod client;
mod detection;
mod forest;
mod measure;
mod ours;
mod start;
mod table;
#[path = "../tests/support/transfer.rs"]
mod transfer;

use std::io::Write as _;
use std::path::PathBuf;

use case::{Bench, Scale};
use table::Table;

const USAGE: &str = "usage: bench [--quick] [--only unchanged|files|large|export|memory|start|ci|detect]... [--pairs N] [--peelbox FILE] [--write DIR]

Needs PEELBOX_TESTBED_BUILDKIT_LATEST and PEELBOX_TESTBED_BUILDCTL; scripts/bench provides them.
";

fn main() {
    // The mode of what is written decides whether the daemon takes it for unchanged.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o022));
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("measure") => measure::wait_for(&arguments.split_off(1)),
        Some("client") => client::run(&arguments.split_off(1)),
        _ => bench(&arguments),
    }
}

#[derive(Default)]
struct Options {
    only: Vec<String>,
    pairs: Option<usize>,
    peelbox: Option<PathBuf>,
    write: Option<PathBuf>,
    is_quick: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Option<Self> {
        let mut options = Self {
            is_quick: arguments.is_empty(),
            ..Self::default()
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--quick" => options.is_quick = true,
                "--only" => options.only.push(rest.next()?.clone()),
                "--pairs" => options.pairs = Some(rest.next()?.parse().ok()?),
                "--peelbox" => options.peelbox = Some(rest.next()?.into()),
                "--write" => options.write = Some(rest.next()?.into()),
                _ => return None,
            }
        }
        Some(options)
    }
}

impl Options {
    fn wants(&self, case: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == case)
    }
}

fn bench(arguments: &[String]) {
    let Some(options) = Options::parse(arguments) else {
        let _ = std::io::stderr().write_all(USAGE.as_bytes()); // nobody reads it
        std::process::abort();
    };
    let scale = if options.is_quick {
        Scale::QUICK
    } else {
        Scale::FULL
    };
    let bench = Bench::new(scale, options.pairs);
    let mut table = Table::new(&bench);
    for case in case::CASES {
        if options.wants(case.name) {
            let row = table.add(bench.run(case));
            measure::tell(&row);
            bench.prune();
        }
    }
    if options.wants("memory") {
        table.memory(&bench.memory());
    }
    if let Some(peelbox) = &options.peelbox {
        if options.wants("detect") {
            let (folder, size) = (bench.folder.path(), scale.forest);
            table.detect(&detection::measure(peelbox, folder, size, bench.pairs));
        }
        if options.wants("start") {
            table.start(&start::measure(peelbox, bench.pairs * 3));
        }
        if options.wants("ci") {
            table.ci(&ours::measure(peelbox, &bench));
            bench.prune();
        }
    }
    let text = table.markdown();
    std::io::stdout().write_all(text.as_bytes()).unwrap();
    if let Some(folder) = &options.write {
        std::fs::write(folder.join("results.md"), text).unwrap();
        std::fs::write(folder.join("results.json"), table.json()).unwrap();
    }
}
