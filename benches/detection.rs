//! What it costs to find the apps of a repository, beside a bare listing of its files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::apk;
use crate::case::load;
use crate::forest::{self, Made, Size, Truth};
use crate::measure::{Cost, median, spent};

/// The packages of Wolfi, roughly.
const PACKAGES: usize = 11_165;

/// What was measured.
pub(crate) struct Detected {
    pub(crate) apps: usize,
    pub(crate) kinds: usize,
    pub(crate) files: usize,
    pub(crate) ours: Vec<Cost>,
    /// `find -type f` on the same files, before or after each.
    pub(crate) listing: Vec<Cost>,
    /// What detection of one small app takes longer than `peelbox --version`, in milliseconds.
    pub(crate) beyond_start: Vec<f64>,
    pub(crate) load: f64,
}

/// Finds the apps of a repository of `size`, `pairs` times and as often those of a small one three times; all have to be right.
pub(crate) fn measure(peelbox: &Path, folder: &Path, size: Size, pairs: usize) -> Detected {
    let program = Program::new(peelbox, folder);
    let repository = folder.join("forest");
    let truth = forest::grow(&repository, size);
    program.check(&repository, &truth);
    let small = folder.join("small");
    fs::create_dir(&small).unwrap();
    fs::write(
        small.join("package.json"),
        "{\"name\": \"small\", \"scripts\": {\"start\": \"node server.js\"}}\n",
    )
    .unwrap();
    fs::write(
        small.join("package-lock.json"),
        "{\"lockfileVersion\": 3}\n",
    )
    .unwrap();
    fs::write(small.join("server.js"), "listen(process.env.PORT);\n").unwrap();
    let shown = repository.display().to_string();
    let find = ["find", &shown, "-type", "f"].map(str::to_owned);
    let mut detected = Detected {
        apps: truth.apps.len(),
        kinds: truth.kinds,
        files: truth.files,
        ours: Vec::new(),
        listing: Vec::new(),
        beyond_start: Vec::new(),
        load: load(),
    };
    for pair in 0..pairs {
        // Neither always comes second.
        for is_ours in [pair % 2 == 0, pair % 2 != 0] {
            if is_ours {
                let cost = program.cost(&["detect", "--format", "json", &shown]);
                detected.ours.push(cost);
            } else {
                let cost = spent(&find, "/dev/null".as_ref(), &program.log);
                detected.listing.push(cost);
            }
        }
    }
    let shown = small.display().to_string();
    for _ in 0..pairs * 3 {
        let start = program.cost(&["--version"]);
        let all = program.cost(&["detect", "--format", "json", &shown]);
        detected.beyond_start.push(all.wall - start.wall);
    }
    fs::remove_dir_all(repository).unwrap();
    detected
}

impl Detected {
    /// The median of how much longer it takes than the listing.
    pub(crate) fn ratio(&self) -> f64 {
        let pairs = self.ours.iter().zip(&self.listing);
        median(pairs.map(|(ours, listing)| ours.wall / listing.wall))
    }
}

/// The program with a package index of usual size, which it has in its cache.
struct Program {
    words: Vec<String>,
    log: PathBuf,
}

impl Program {
    fn new(peelbox: &Path, folder: &Path) -> Self {
        let key = apk::Key::test();
        let public = folder.join(key.name());
        fs::write(&public, key.public_pem()).unwrap();
        let index = index(&key);
        let words = [
            "env",
            &format!("PEELBOX_APK_REPOSITORY={}", serve(index)),
            &format!("PEELBOX_APK_KEY={}", public.display()),
            &format!("PEELBOX_CACHE_DIR={}", folder.join("detection").display()),
            &peelbox.display().to_string(),
        ];
        Self {
            words: words.map(str::to_owned).to_vec(),
            log: folder.join("log"),
        }
    }

    fn command(&self, arguments: &[&str]) -> Vec<String> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        self.words.iter().cloned().chain(arguments).collect()
    }

    fn cost(&self, arguments: &[&str]) -> Cost {
        spent(&self.command(arguments), "/dev/null".as_ref(), &self.log)
    }

    /// Whether what is found is what is true; this also fills the cache of the index.
    fn check(&self, repository: &Path, truth: &Truth) {
        let shown = repository.display().to_string();
        let command = self.command(&["detect", "--explain", "--format", "json", &shown]);
        let output = Command::new(&command[0])
            .args(&command[1..])
            .output()
            .unwrap();
        // A run that cannot resolve the packages of its apps spends its time on looking for names that are alike.
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("no package is named"), "{errors}");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let lists = ["apps", "refused"].map(|list| found[list].as_array().unwrap());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let made: BTreeMap<String, Made> = lists
            .into_iter()
            .flatten()
            .map(|app| &app["spec"]["metadata"])
            .map(|metadata| {
                let made = (text(&metadata["language"]), text(&metadata["build_system"]));
                (text(&metadata["path"]), made)
            })
            .collect();
        assert!(made == truth.apps, "what is found is not what is there");
    }
}

/// A signed index with the names of the fixtures, and others until there are as many as usual.
fn index(key: &apk::Key) -> Vec<u8> {
    let names = include_str!("../tests/fixtures/packages.txt");
    let names = names.lines().filter(|line| !line.starts_with('#'));
    let mut records: Vec<String> = names
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut next = || words.next().unwrap_or_default();
            record(next(), next(), next())
        })
        .collect();
    for number in records.len()..PACKAGES {
        let name = format!("some-library-{number}");
        let provides = format!("cmd:{name}=1.{number}-r0 so:lib{name}.so.1=1");
        records.push(record(&name, &format!("1.{number}-r0"), &provides));
    }
    apk::index("bench", records.iter().map(String::as_str), key)
}

fn record(name: &str, version: &str, provides: &str) -> String {
    format!(
        "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:{name}\nV:{version}\nA:x86_64\nS:1024\nI:4096\nT:What {name} does, in a line of usual length\n\
         U:https://example.com/{name}\nL:Apache-2.0\no:{name}\nm:us\nt:1787356800\nc:0123456789012345678901234567890123456789\np:{provides}\n"
    )
}

/// Answers every request with `file`; gives the address.
fn serve(file: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let _ = lines
                .take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
                .count();
            let length = file.len();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()); // the other side may be gone
            let _ = stream.write_all(&file);
        }
    });
    format!("http://{address}")
}
