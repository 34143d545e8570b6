//! Holds detection to this: no text makes it panic, hang or take much memory, and none becomes more than a word of a command.
//!
//! Every file of every fixture is changed in many ways, the same in every run, and its repository is detected again.
//! `PEELBOX_MUTATIONS=SECONDS` says for how long, `PEELBOX_FIXTURES=NAME,…` with which fixtures.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "support/index.rs"]
mod index;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use index::{index, index_with};
use peelbox::detect::{Detection, Repo, detect};
use peelbox::spec;
use peelbox::wolfi::Index;

/// For how long it is tried unless told otherwise.
const USUALLY: u64 = 20;
/// No repository of some files takes so long, not even unoptimised on a machine that does much else.
const HANGS: Duration = Duration::from_secs(30);
/// Most that all of it may take, in KiB.
const MEMORY: u64 = 512 << 10;
/// What a part of a text that is repeated comes to at most.
const LONG: usize = 256 << 10;
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

/// For how long each of the tests tries.
fn seconds() -> Duration {
    let seconds = std::env::var("PEELBOX_MUTATIONS").ok();
    let seconds = seconds.map_or(USUALLY, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
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
    if let Ok(wanted) = std::env::var("PEELBOX_FIXTURES") {
        let is_wanted = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            wanted.split(',').any(|start| name.starts_with(start))
        };
        fixtures.retain(is_wanted);
    }
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
                // What takes long for each is found by very many of them.
                let times =
                    [1 + dice.roll(40), LONG / (end - at).max(1)][usize::from(dice.roll(8) == 0)];
                let again = bytes[at..end].repeat(times);
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
    let seconds = seconds();
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
    while started.elapsed() < seconds {
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

/// What a name becomes that would be more than a word of a command, or lie elsewhere.
const EVIL: &[&str] = &[
    "$(canary)",
    "`canary`",
    "'canary",
    "\"canary",
    ";canary",
    " canary",
    "/../../canary",
];

/// The characters of a command as a shell takes them, each with whether it still means something to it; quotes are NULs.
fn taken(command: &str) -> Vec<(char, bool)> {
    let mut taken = Vec::new();
    let mut quote = None;
    // The quotes around each command whose output is a part of this one.
    let mut outer: Vec<Option<char>> = Vec::new();
    let mut characters = command.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None | Some('"'), '$') if characters.peek() == Some(&'(') => {
                taken.push((character, true));
                outer.push(quote.take());
            }
            (None, ')') if !outer.is_empty() => {
                taken.push((character, true));
                quote = outer.pop().flatten();
            }
            (None, '\'' | '"') => {
                quote = Some(character);
                taken.push(('\0', true));
            }
            (Some(open), character) if open == character => {
                quote = None;
                taken.push(('\0', true));
            }
            (None, '\\') => taken.extend(characters.next().map(|escaped| (escaped, false))),
            (Some('"'), '$' | '`') | (None, _) => taken.push((character, true)),
            (Some(_), character) => taken.push((character, false)),
        }
    }
    let open = (quote, outer.len());
    assert_eq!(open, (None, 0), "a quote is not closed in: {command}");
    taken
}

#[test]
fn the_reader_of_commands_knows_quotes_within_quotes() {
    let free = |command: &str, evil: &str| is_free(command, "x", evil);
    assert!(!free(
        "cp \"$(find a -path \"*/x'canary\")\" /out",
        "x'canary"
    ));
    assert!(free("cp \"$(find a -path *x;canary)\" /out", "x;canary"));
    assert!(!free("cp 'x;canary' /out", "x;canary"));
    assert!(free("cp \"x$(canary)\" /out", "x$(canary)"));
    assert!(!free(
        "cp \"$(find . -path 'x$(canary)')\" /out",
        "x$(canary)"
    ));
}

/// Whether what follows a word in `evil` still means something to the shell that runs the command.
fn is_free(command: &str, word: &str, evil: &str) -> bool {
    // What is between the marks of a quoted document means nothing to it.
    let command = match command.contains("<<'") {
        true => command.lines().next().unwrap_or_default(),
        false => command,
    };
    let taken = taken(command);
    let wanted: Vec<char> = evil.chars().collect();
    let after = word.chars().count();
    let is_it = |window: &[(char, bool)]| {
        let mut pairs = window.iter().zip(&wanted);
        let is_quote = |c: char| matches!(c, '\'' | '"');
        pairs.all(|((found, _), c)| found == c || (*found == '\0' && is_quote(*c)))
            && window[after].1
            && !matches!(wanted[after], '/')
    };
    taken.windows(wanted.len()).any(is_it)
}

/// What is wrong with the specs of a repository whose names are hostile.
fn wrong(found: &Detection, index: &Index, word: &str, evil: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for app in &found.apps {
        let spec = &app.spec;
        let commands = spec
            .build
            .commands
            .iter()
            .chain(&spec.build.install.commands);
        wrong.extend(
            commands
                .filter(|command| is_free(command, word, evil))
                .cloned(),
        );
        let packages = spec.build.packages.iter().chain(&spec.runtime.packages);
        wrong.extend(packages.filter(|name| index.check(name).is_err()).cloned());
        let text = spec::to_yaml(std::slice::from_ref(spec));
        if let Err(errors) = spec::load(Path::new("a.yaml"), text.as_bytes()) {
            wrong.push(errors.to_string());
        }
        let argv = spec.runtime.command.first();
        let leaves = |word: &&String| word.split('/').any(|part| part == "..");
        wrong.extend(argv.filter(leaves).cloned());
    }
    wrong
}

/// The words of what is found in a fixture that may come from its files.
fn words(found: &Detection) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for app in &found.apps {
        let (build, runtime) = (&app.spec.build, &app.spec.runtime);
        let copies = runtime.copy.iter().flat_map(|copy| [&copy.from, &copy.to]);
        let texts = build.commands.iter().chain(&build.install.commands);
        let texts = texts
            .chain(&runtime.command)
            .chain(copies)
            .chain(&build.context);
        for text in texts.chain(runtime.processes.values().flatten()) {
            let is_part = |c: char| c == '_' || c == '-' || c.is_alphanumeric();
            let found = text.split(|c| !is_part(c)).filter(|word| word.len() > 2);
            words.extend(found.map(str::to_owned));
        }
    }
    words
}

/// Writes the fixture at `from` to `to` with `word` replaced by `evil` in names and texts; whether it was anywhere.
fn replaced(from: &Path, to: &Path, word: &str, evil: &str) -> bool {
    let mut is_found = false;
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let new = name.replace(word, &evil.replace('/', "-"));
        is_found |= new != name;
        let to = to.join(new);
        if entry.file_type().unwrap().is_dir() {
            is_found |= replaced(&entry.path(), &to, word, evil);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            // In these, people write commands themselves.
            if matches!(name.as_str(), "peelbox.yaml" | "universalbuild.yaml") {
                fs::write(to, text).unwrap();
                continue;
            }
            let new = text.replace(word, evil);
            is_found |= new != text;
            fs::write(to, new).unwrap();
        }
    }
    is_found
}

#[test]
fn no_name_becomes_more_than_a_word_or_leads_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    // With what the index lacks, for the commands that would come of it.
    let index = index_with(&[
        "cabal",
        "crystal",
        "ghc",
        "shards",
        "stack",
        "swift",
        "erl28-elixir-1.19",
    ]);
    let seeds = seeds(folder.path());
    let fixtures: BTreeSet<&PathBuf> = seeds.iter().map(|seed| &seed.fixture).collect();
    let mut cases: Vec<(&PathBuf, String, &str)> = Vec::new();
    for fixture in fixtures {
        for word in words(&detect(&Repo::open(fixture).unwrap(), &index)) {
            cases.extend(EVIL.iter().map(|more| (fixture, word.clone(), *more)));
        }
    }
    let scratch = folder.path().join("scratch");
    let mut bad = BTreeSet::new();
    let mut dice = Dice(5);
    let (started, seconds) = (Instant::now(), seconds());
    while !cases.is_empty() && started.elapsed() < seconds {
        let (fixture, word, more) = cases.swap_remove(dice.roll(cases.len()));
        let evil = format!("{word}{more}");
        if replaced(fixture, &scratch, &word, &evil) {
            let found = detect(&Repo::open(&scratch).unwrap(), &index);
            let wrong = wrong(&found, &index, &word, &evil).into_iter();
            let name = fixture.file_name().unwrap().to_string_lossy();
            bad.extend(wrong.map(|what| format!("{name}: {evil}: {what}")));
        }
        fs::remove_dir_all(&scratch).unwrap();
    }
    let bad: Vec<String> = bad.into_iter().collect();
    assert!(bad.is_empty(), "{} cases:\n{}", bad.len(), bad.join("\n"));
}
