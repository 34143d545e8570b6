//! What was measured, for people and for programs.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::case::{Bench, Measured, Memory};
use crate::detection::Detected;
use crate::measure::{Cost, mebibytes, median};
use crate::ours::Runs;
use crate::start::Start;

/// The rows so far.
pub(crate) struct Table {
    rows: Vec<Row>,
    machine: String,
    buildctl: String,
    daemon: String,
    date: String,
    pairs: usize,
    json: Vec<Value>,
}

struct Row {
    cells: [String; 5],
}

impl Row {
    fn text(&self) -> String {
        format!("| {} |", self.cells.join(" | "))
    }
}

impl Table {
    pub(crate) fn new(bench: &Bench) -> Self {
        Self {
            rows: Vec::new(),
            machine: machine(),
            buildctl: bench.buildctl_version(),
            daemon: bench.daemon_version(),
            date: jiff::Timestamp::now().strftime("%F").to_string(),
            pairs: bench.pairs,
            json: Vec::new(),
        }
    }

    /// Adds a case and gives its row.
    pub(crate) fn add(&mut self, measured: Measured) -> String {
        let of = |costs: &[Cost], pick: fn(&Cost) -> f64| median(costs.iter().map(pick));
        // Pair by pair, so that what else the machine did falls on both.
        let ratio = |pick: fn(&Cost) -> f64| {
            let pairs = measured.ours.iter().zip(&measured.theirs);
            median(pairs.map(|(ours, theirs)| pick(ours) / pick(theirs)))
        };
        let picks: [fn(&Cost) -> f64; 3] = [
            |cost| cost.wall / 1000.0,
            |cost| cost.cpu / 1000.0,
            |cost| mebibytes(cost.memory),
        ];
        let [wall, cpu, memory] = picks.map(|pick| Numbers {
            ratio: ratio(pick),
            ours: of(&measured.ours, pick),
            theirs: of(&measured.theirs, pick),
        });
        let bar = measured.bar;
        let memory_cell = match (bar.memory, bar.resident) {
            (Some(bar), _) => memory.cell("MiB", bar),
            (None, bar) => format!(
                "{:.0} MiB (≤ {:.0}{}), {:.2} × of {:.0} MiB",
                memory.ours,
                bar.unwrap_or_default(),
                missed(bar.is_some_and(|bar| memory.ours > bar)),
                memory.ratio,
                memory.theirs
            ),
        };
        let loads = measured.loads.iter().copied();
        self.rows.push(Row {
            cells: [
                measured.title.clone(),
                wall.cell("s", bar.wall),
                cpu.cell("s", bar.cpu),
                memory_cell,
                format!("{:.1}", median(loads.clone())),
            ],
        });
        self.json.push(json!({
            "case": measured.name,
            "title": measured.title,
            "bar": { "wall": bar.wall, "cpu": bar.cpu, "memory": bar.memory, "resident_mib": bar.resident },
            "ratio": { "wall": wall.ratio, "cpu": cpu.ratio, "memory": memory.ratio },
            "peelbox": measured.ours,
            "buildctl": measured.theirs,
            "load": loads.collect::<Vec<_>>(),
        }));
        self.rows.last().map(Row::text).unwrap_or_default()
    }

    pub(crate) fn memory(&mut self, memory: &Memory) {
        let ((small, before), (large, after)) = (memory.small, memory.large);
        let ratio = after / before;
        self.single(
            format!("first transfer, one file of {large} MiB instead of {small} MiB"),
            String::new(),
            String::new(),
            format!(
                "{ratio:.2} × (≤ 1.5{}): {after:.1} to {before:.1} MiB",
                missed(ratio > 1.5)
            ),
            memory.load,
        );
        self.json.push(
            json!({ "case": "memory", "sizes_mib": [small, large], "peaks_mib": [before, after],
            "load": memory.load }),
        );
    }

    pub(crate) fn start(&mut self, start: &Start) {
        self.single(
            "start of the program to its first call".to_owned(),
            format!("{:.1} ms (≤ 10{})", start.wall, missed(start.wall > 10.0)),
            String::new(),
            String::new(),
            start.load,
        );
        self.single(
            "release program".to_owned(),
            String::new(),
            String::new(),
            format!(
                "{:.1} MiB on disk (≤ 12{})",
                start.size,
                missed(start.size > 12.0)
            ),
            start.load,
        );
        self.json.push(json!({ "case": "start", "wall_ms": start.wall, "size_mib": start.size, "load": start.load }));
    }

    pub(crate) fn ci(&mut self, runs: &Runs) {
        let per_app = runs.median(|cost| cost.cpu) / 1000.0 / runs.apps as f64;
        let transfers = runs.transfers;
        self.single(
            format!(
                "no-op `peelbox ci` of {} apps in {} files, whose list is sent {transfers} × (≤ 1{})",
                runs.apps,
                runs.files,
                missed(transfers > 1)
            ),
            format!("{:.2} s", runs.median(|cost| cost.wall) / 1000.0),
            format!("{per_app:.3} s per app (≤ 0.1{})", missed(per_app > 0.1)),
            format!("{:.0} MiB", runs.median(|cost| mebibytes(cost.memory))),
            runs.load,
        );
        self.json.push(
            json!({ "case": "ci", "apps": runs.apps, "files": runs.files, "transfers": transfers,
            "peelbox": runs.costs, "load": runs.load }),
        );
    }

    pub(crate) fn detect(&mut self, detected: &Detected) {
        let ratio = detected.ratio();
        let seconds = |costs: &[Cost]| median(costs.iter().map(|cost| cost.wall)) / 1000.0;
        let memory = median(detected.ours.iter().map(|cost| mebibytes(cost.memory)));
        self.single(
            format!(
                "`peelbox detect`, {} apps of {} kinds in {} files",
                detected.apps, detected.kinds, detected.files
            ),
            format!(
                "{ratio:.2} × of `find -type f` (≤ 1.5{}): {:.2} to {:.2} s",
                missed(ratio > 1.5),
                seconds(&detected.ours),
                seconds(&detected.listing)
            ),
            format!(
                "{:.2} s",
                median(detected.ours.iter().map(|cost| cost.cpu)) / 1000.0
            ),
            format!("{memory:.0} MiB (≤ 100{})", missed(memory > 100.0)),
            detected.load,
        );
        let small = median(detected.beyond_start.iter().copied());
        self.single(
            "`peelbox detect`, one small app, beyond the start of the program".to_owned(),
            format!("{small:.1} ms (≤ 5{})", missed(small > 5.0)),
            String::new(),
            String::new(),
            detected.load,
        );
        self.json.push(json!({ "case": "detect", "apps": detected.apps, "kinds": detected.kinds, "files": detected.files,
            "peelbox": detected.ours, "find": detected.listing, "beyond_start_ms": detected.beyond_start, "load": detected.load }));
    }

    fn single(&mut self, title: String, wall: String, cpu: String, memory: String, load: f64) {
        self.rows.push(Row {
            cells: [title, wall, cpu, memory, format!("{load:.1}")],
        });
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from(
            "| case | wall time | processor time | peak memory | load |\n|---|---|---|---|--:|\n",
        );
        for row in &self.rows {
            let _ = writeln!(text, "{}", row.text()); // strings take everything
        }
        let _ = write!(
            text,
            "\npeelbox relative to buildctl {}, medians of {} interleaved pairs, with the medians of both behind it \
             and the bar in brackets (✗: missed). The load is the average of the last minute before. Measured on {} with BuildKit {} on a machine with {}.\n",
            self.buildctl, self.pairs, self.date, self.daemon, self.machine
        );
        text
    }

    pub(crate) fn json(&self) -> String {
        let value = json!({
            "buildctl": self.buildctl,
            "buildkit": self.daemon,
            "date": self.date,
            "machine": self.machine,
            "pairs": self.pairs,
            "cases": self.json,
        });
        format!("{value:#}\n")
    }
}

struct Numbers {
    ratio: f64,
    ours: f64,
    theirs: f64,
}

impl Numbers {
    fn cell(&self, unit: &str, bar: f64) -> String {
        let digits = if unit == "s" { 2 } else { 0 };
        format!(
            "{:.2} × (≤ {bar}{}): {:.digits$} to {:.digits$} {unit}",
            self.ratio,
            missed(self.ratio > bar),
            self.ours,
            self.theirs
        )
    }
}

fn missed(is_missed: bool) -> &'static str {
    if is_missed { " ✗" } else { "" }
}

fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = read("/proc/cpuinfo");
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    let memory = read("/proc/meminfo");
    let memory = memory.split_whitespace().nth(1);
    let memory: u64 = memory.and_then(|text| text.parse().ok()).unwrap_or(0);
    format!(
        "{cores} cores ({}), {} GiB of memory and Linux {}",
        model.map_or("unknown", |(_, model)| model),
        (memory + (1 << 19)) >> 20,
        read("/proc/sys/kernel/osrelease").trim()
    )
}
