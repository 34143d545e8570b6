//! What `peelbox ci` costs on top of a daemon that has nothing left to do.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::json;

use crate::case::{Bench, load};
use crate::measure::{Cost, cost, median, tell};

/// The runs, and what goes through the connection in one of them.
pub(crate) struct Runs {
    pub(crate) apps: usize,
    pub(crate) files: usize,
    /// How often the repository's files were listed to the daemon.
    pub(crate) transfers: u64,
    pub(crate) costs: Vec<Cost>,
    pub(crate) load: f64,
}

/// The files that no app has for itself.
const SHARED: usize = 10_000;

pub(crate) fn measure(peelbox: &Path, bench: &Bench) -> Runs {
    let repository = bench.folder.path().join("repository");
    let files = fill(&repository, bench.apps());
    let run = |endpoint: &str| {
        let command = [
            "env",
            &format!(
                "PEELBOX_BASE_IMAGE={}",
                variable("PEELBOX_TESTBED_BASE_IMAGE_REGISTRY")
            ),
            &format!(
                "PEELBOX_CACHE_DIR={}",
                bench.folder.path().join("cache").display()
            ),
            &peelbox.display().to_string(),
            "ci",
            "--quiet",
            "--buildkit",
            endpoint,
            "--output-dir",
            &bench.folder.path().join("out").display().to_string(),
            &repository.display().to_string(),
        ]
        .map(str::to_owned);
        cost(
            &command,
            "/dev/null".as_ref(),
            &bench.folder.path().join("log"),
        )
    };
    // The first run builds, the second has the daemon know every file.
    run(&bench.endpoint);
    run(&bench.endpoint);
    let load = load();
    let costs = (0..bench.pairs).map(|number| {
        let cost = run(&bench.endpoint);
        let wall = cost.wall / 1000.0;
        tell(&format!(
            "ci: run {} of {}: {wall:.2} s",
            number + 1,
            bench.pairs
        ));
        cost
    });
    let costs = costs.collect();
    let socket = bench.folder.path().join("counting.sock");
    let sent = count(
        &socket,
        bench.endpoint.strip_prefix("unix://").unwrap().to_owned(),
    );
    run(&format!("unix://{}", socket.display()));
    let listed = sent.iter().map(|count| count.load(Ordering::Relaxed)).max();
    Runs {
        apps: bench.apps(),
        files,
        transfers: listed.unwrap_or_default(),
        costs,
        load,
    }
}

/// Files whose paths are looked for in what is sent: several, since one may be cut in two by a frame of HTTP/2.
const SOUGHT: [&str; 3] = [
    "number-000/source-000042.txt",
    "number-050/source-005042.txt",
    "number-099/source-009942.txt",
];

type Counts = [AtomicU64; SOUGHT.len()];

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/bench"))
}

/// Makes a repository of apps that each take one directory of it, and says how many files it has.
fn fill(repository: &Path, apps: usize) -> usize {
    let mut specs = Vec::new();
    for app in 0..apps {
        let name = format!("app-{app:02}");
        let folder = repository.join(&name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("index.html"), &name).unwrap();
        specs.push(json!({
            "version": "1.0",
            "metadata": { "project_name": name, "path": name, "kind": "static" },
            "build": { "context": [format!("{name}/**")] },
            "runtime": { "packages": ["nginx"], "copy": [{ "from": ".", "to": "/app" }], "ports": [8080] },
        }));
    }
    let text = serde_json::to_vec(&specs).unwrap();
    fs::write(repository.join("universalbuild.json"), text).unwrap();
    for file in 0..SHARED {
        let folder = repository.join(format!("libraries/of-everybody/number-{:03}", file / 100));
        if file % 100 == 0 {
            fs::create_dir_all(&folder).unwrap();
        }
        fs::write(folder.join(format!("source-{file:06}.txt")), "text").unwrap();
    }
    apps + 1 + SHARED
}

/// Passes connections on to the daemon's socket and counts how often the paths that are looked for go there.
fn count(socket: &Path, daemon: String) -> Arc<Counts> {
    let listener = UnixListener::bind(socket).unwrap();
    let sent = Arc::new(Counts::default());
    let counter = Arc::clone(&sent);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (client, counter) = (stream.unwrap(), Arc::clone(&counter));
            let there = UnixStream::connect(&daemon).unwrap();
            let back = (there.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || pass(client, there, Some(&counter)));
            thread::spawn(move || pass(back.0, back.1, None));
        }
    });
    sent
}

fn pass(mut from: UnixStream, mut to: UnixStream, counts: Option<&Counts>) {
    let mut buffer = vec![0; 64 << 10];
    let mut seen = Vec::new();
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if let Some(counts) = counts {
            look(&mut seen, &buffer[..length], counts);
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write); // it may be gone
}

/// Counts what ends in `bytes`; `seen` is the end of what came before.
fn look(seen: &mut Vec<u8>, bytes: &[u8], counts: &Counts) {
    seen.extend_from_slice(bytes);
    for (path, count) in SOUGHT.iter().zip(counts) {
        let found = seen
            .windows(path.len())
            .filter(|window| *window == path.as_bytes());
        count.fetch_add(found.count() as u64, Ordering::Relaxed);
    }
    // All that are looked for are of one length, and this is less than one of them.
    let kept = seen.len().min(SOUGHT[0].len() - 1);
    seen.drain(..seen.len() - kept);
}

impl Runs {
    /// The median over the runs.
    pub(crate) fn median(&self, pick: fn(&Cost) -> f64) -> f64 {
        median(self.costs.iter().map(pick))
    }
}
