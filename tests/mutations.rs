//! Holds detection to this: no text makes it panic, hang or take much memory.
//!
//! Every file of every fixture is changed in many ways, the same in every run, and its repository is detected again.
//! `PEELBOX_MUTATIONS=SECONDS` says for how long.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "support/index.rs"]
mod index;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use index::index;
use peelbox::detect::{Repo, detect};

/// For how long it is tried unless told otherwise.
const USUALLY: u64 = 20;
/// No repository of some files takes so long, not even unoptimised on a machine that does much else.
const HANGS: Duration = Duration::from_secs(30);
/// Most that all of it may take, in KiB.
const MEMORY: u64 = 512 << 10;
/// Larger files of fixtures are left as they are.
const LARGEST: u64 = 64 << 10;

/// What parsers stumble over.
const TOKENS: &[&str] = &[
    "\0",
    "\u{feff}",
    "\u{2028}",
    "é",
    "𝄞",
    "\r\n",
    "\r",
    "\n",
    "\t",
    " ",
    "\\",
    "\\u",
    "\\x",
    "\"",
    "'",
    "`",
    "\"\"\"",
    "'''",
    "r#\"",
    "#",
    "//",
    "/*",
    "*/",
    "<!--",
    "-->",
    "<![CDATA[",
    "&a",
    "&#x;",
    "<a",
    "/>",
    "</",
    "<?",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "{{",
    "${",
    "${a:-",
    "$(",
    "#{",
    "%{",
    "@{",
    "*",
    "**",
    "?",
    "!",
    "!!",
    "^",
    "~",
    "~>",
    ">=",
    "<",
    "||",
    "|",
    "|-",
    "&&",
    ";",
    ",",
    ":",
    "::",
    "=",
    "==",
    "=>",
    "->",
    "-",
    "--",
    "..",
    "../../..",
    "/",
    ".",
    "0",
    "-1",
    "1.8",
    "1e999",
    "0x",
    "1.x.x",
    "latest",
    "99999999999999999999999999",
    "18446744073709551616",
    "null",
    "true",
    "do",
    "end",
    "begin",
    "def ",
    "fn(",
    "func main()",
    "if ",
    "<<EOF",
    "<<~RUBY",
    "<<: *a",
    "- &a [*a]",
    "? :",
    "---",
    "...",
    "%YAML",
    "[[",
    "]]",
    "[a.b]",
    "[package]",
    "a.b.c = 1",
    "FROM ",
    "ENV ",
    "EXPOSE ",
    "CMD [",
    "web: ",
    "release: ",
    "exec ",
    "PORT",
    "$PORT",
    "${PORT}",
    "npm run ",
    "npx ",
    "cross-env ",
    "bundle exec ",
    "lts/*",
    "file:",
    "workspace:*",
    "\u{1b}[31m",
];

/// What is repeated many times.
const NESTING: &[&str] = &[
    "[", "{", "(", "{\"a\":", "[[", "<a>", "a: {", "- ", "a:\n  ", "\"", "(a ", "do\n", "if a\n",
    "${", "$(", "\\", "/*", "a.", "#{\"", "!", "-", "begin ", "||", "&a [", "a = [", "{a = ",
    "../", "*", "**/", "{a,",
];

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.roll(of.len())]
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of a fixture, in the fixture's copy.
struct Seed {
    fixture: PathBuf,
    file: PathBuf,
    bytes: Vec<u8>,
}

/// Copies what is in `from`, and notes its files.
fn copy(from: &Path, to: &Path, fixture: &Path, seeds: &mut Vec<Seed>) {
    fs::create_dir_all(to).unwrap();
    let entries = fs::read_dir(from).unwrap().map(Result::unwrap);
    let mut entries: Vec<_> = entries.map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let file = to.join(path.file_name().unwrap());
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            copy(&path, &file, fixture, seeds);
        } else if metadata.is_file() {
            let bytes = fs::read(&path).unwrap();
            fs::write(&file, &bytes).unwrap();
            if metadata.len() <= LARGEST {
                let fixture = fixture.to_owned();
                seeds.push(Seed {
                    fixture,
                    file,
                    bytes,
                });
            }
        }
    }
}

fn seeds(folder: &Path) -> Vec<Seed> {
    let mut fixtures: Vec<PathBuf> = fs::read_dir(root().join("tests/fixtures/detect"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    fixtures.push(root().join("examples/monorepo"));
    fixtures.sort();
    let mut seeds = Vec::new();
    for fixture in fixtures {
        let to = folder.join(fixture.file_name().unwrap());
        copy(&fixture, &to, &to, &mut seeds);
    }
    seeds
}

/// Changes `bytes` a little, or much; `other` is another file to take something from.
fn mutated(bytes: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(bytes.len() + 1);
        let end = (at + 1 + dice.roll(24)).min(bytes.len());
        match dice.roll(12) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
            1 if at < bytes.len() => bytes[at] = (dice.roll(256)) as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].repeat(1 + dice.roll(40));
                bytes.splice(at..at, again);
            }
            5 => {
                let from = dice.roll(other.len() + 1);
                let to = (from + dice.roll(200)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            6 => {
                let many = dice
                    .pick(NESTING)
                    .repeat([10, 200, 5000, 60_000][dice.roll(4)]);
                bytes.splice(at..at, many.into_bytes());
            }
            7 => {
                // A line moves.
                let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                let line = lines.get(dice.roll(lines.len())).map(|line| line.to_vec());
                bytes.splice(at..at, line.unwrap_or_default());
            }
            8 => {
                // A word becomes another.
                let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                let from = bytes[..at].iter().rposition(|byte| !is_word(byte));
                let from = from.map_or(0, |from| from + 1);
                let to = bytes[at..].iter().position(|byte| !is_word(byte));
                let to = to.map_or(bytes.len(), |to| at + to);
                bytes.splice(from..to, dice.pick(TOKENS).bytes());
            }
            _ => {
                bytes.splice(at..at, dice.pick(TOKENS).bytes());
            }
        }
    }
    bytes
}

/// Detects in the repositories that come, and answers when it is done.
fn work(repositories: &Receiver<PathBuf>, done: &Sender<()>) {
    let index = index();
    for repository in repositories {
        let found = detect(&Repo::open(repository).unwrap(), &index);
        // What it says must be fit to be written too.
        let _ = (found.explain_text().len(), found.explain_json().len());
        done.send(()).unwrap();
    }
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}

#[test]
fn no_change_of_a_file_makes_detection_panic_or_hang() {
    let seconds = std::env::var("PEELBOX_MUTATIONS").ok();
    let seconds = seconds.map_or(USUALLY, |seconds| seconds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let seeds = seeds(folder.path());
    let (sender, repositories) = channel();
    let (finished, done) = channel();
    let worker = thread::spawn(move || work(&repositories, &finished));
    let started = Instant::now();
    let mut dice = Dice(4);
    let mut count = 0;
    // Where the process ends, this says what it was at.
    let case = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutation");
    while started.elapsed() < Duration::from_secs(seconds) {
        let seed = &seeds[dice.roll(seeds.len())];
        let other = &seeds[dice.roll(seeds.len())];
        let bytes = mutated(&seed.bytes, &other.bytes, &mut dice);
        fs::write(&seed.file, &bytes).unwrap();
        let name = seed.file.strip_prefix(folder.path()).unwrap();
        fs::write(
            &case,
            [format!("{}\n", name.display()).as_bytes(), &bytes].concat(),
        )
        .unwrap();
        sender.send(seed.fixture.clone()).unwrap();
        if let Err(error) = done.recv_timeout(HANGS) {
            let (name, case) = (name.display(), case.display());
            panic!("mutation {count} of {name}, which is in {case}: {error}");
        }
        fs::write(&seed.file, &seed.bytes).unwrap();
        count += 1;
    }
    drop(sender);
    worker.join().unwrap();
    assert!(count > 20, "only {count} mutations");
    let peak = peak();
    assert!(peak < MEMORY, "{peak} KiB after {count} mutations");
}
