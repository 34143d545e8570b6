//! Holds detection to this: no text of a repository becomes shell, leaves its directory, or names a package.
//!
//! Every word of every manifest of the fixtures is made hostile, one at a time, and its repository is detected again.
//! Each run takes a part of them; `PEELBOX_HOSTILE=STEP` takes every STEP-th.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "support/index.rs"]
mod index;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use index::index;
use peelbox::detect::{Detection, Repo, detect};
use peelbox::spec::{self, Spec};

/// One word of so many is made hostile unless told otherwise.
const USUALLY: usize = 149;
/// Larger files of fixtures are lock files and the like.
const LARGEST: u64 = 16 << 10;
/// What stands in the place of a word, or after it; a shell would run `pwned`.
const HOSTILE: &[&str] = &[
    ";pwned;",
    "$(pwned)",
    "`pwned`",
    " pwned ",
    "'pwned'",
    "\\\"pwned",
    "../../../gone",
    "/../../gone",
    "-é𝄞",
    "\\n;pwned",
];

/// Unoptimised, on a machine that does much else.
const LONG: Duration = Duration::from_secs(10);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Copies what is in `from`, and notes its files.
fn copy(from: &Path, to: &Path, files: &mut Vec<(PathBuf, String)>) {
    fs::create_dir_all(to).unwrap();
    let entries = fs::read_dir(from).unwrap().map(Result::unwrap);
    let mut entries: Vec<_> = entries.map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let file = to.join(path.file_name().unwrap());
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            copy(&path, &file, files);
        } else if metadata.is_file() {
            fs::copy(&path, &file).unwrap();
            if let Ok(text) = fs::read_to_string(&path)
                && metadata.len() <= LARGEST
            {
                files.push((file, text));
            }
        }
    }
}

/// Where the words of a text begin and end.
fn words(text: &str) -> Vec<(usize, usize)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.@/:".contains(c);
    let mut words = Vec::new();
    let mut start = None;
    for (at, character) in text.char_indices().chain([(text.len(), ' ')]) {
        match (is_word(character), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                words.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// Whether a shell that reads `command` would take `pwned` for something else than a part of a quoted word.
fn is_run(command: &str) -> bool {
    let (mut single, mut double) = (false, false);
    // What `"$(` opens is read anew.
    let mut outer = Vec::new();
    let mut rest = command.chars();
    loop {
        let is_quoted = single || double;
        let text = rest.as_str();
        if !is_quoted && text.starts_with("pwned") || double && text.starts_with("`pwned") {
            return true;
        }
        match rest.next() {
            Some('\\') if !single => drop(rest.next()),
            Some('$') if !single && rest.as_str().starts_with('(') => {
                rest.next();
                outer.push(std::mem::take(&mut double));
            }
            Some(')') if !is_quoted && !outer.is_empty() => double = outer.pop().unwrap(),
            Some('\'') if !double => single = !single,
            Some('"') if !single => double = !double,
            Some(_) => {}
            None => return is_quoted,
        }
    }
}

/// Whether a path leads above the directory that it begins in.
fn leaves(path: &str) -> bool {
    let mut depth = 0_i32;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

fn judge(spec: &Spec, is_of_a_person: bool, names: &BTreeSet<String>, wrong: &mut Vec<String>) {
    let commands = spec
        .build
        .commands
        .iter()
        .chain(&spec.build.install.commands);
    for command in commands.filter(|_| !is_of_a_person) {
        if is_run(command) {
            wrong.push(format!("command {command}"));
        }
    }
    let packages = spec.build.packages.iter().chain(&spec.runtime.packages);
    for package in packages.filter(|package| !names.contains(*package)) {
        wrong.push(format!("package {package}"));
    }
    let below = format!("src/{}/", spec.metadata.path);
    for copy in &spec.runtime.copy {
        let from = match copy.from.strip_prefix('/') {
            Some(from) => from.to_owned(),
            None => format!("{below}{}", copy.from),
        };
        let parts: Vec<&str> = from
            .split('/')
            .filter(|part| !["", "."].contains(part))
            .collect();
        let is_whole = copy.from == ".";
        let stays = !leaves(&from)
            && (is_whole || parts.len() > 1 || ["out", "site"].contains(&from.as_str()));
        if !stays || leaves(&copy.to) || copy.to.contains("..") {
            wrong.push(format!("copy {} -> {}", copy.from, copy.to));
        }
    }
    for dir in spec.runtime.writable.iter().chain(&spec.runtime.workdir) {
        if dir.contains("..") {
            wrong.push(format!("directory {dir}"));
        }
    }
    for file in spec
        .build
        .install
        .files
        .iter()
        .chain(&spec.build.context)
        .chain(&spec.build.cache)
    {
        if leaves(file.trim_start_matches('!')) {
            wrong.push(format!("file {file}"));
        }
    }
}

fn judged(found: &Detection, is_of_a_person: bool, names: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for app in &found.apps {
        judge(&app.spec, is_of_a_person, names, &mut wrong);
    }
    let specs: Vec<Spec> = found.apps.iter().map(|app| app.spec.clone()).collect();
    if !specs.is_empty() {
        let text = spec::to_yaml(&specs);
        match spec::load(Path::new("detected.yaml"), text.as_bytes()) {
            Err(errors) => wrong.push(format!("load {errors}")),
            Ok(again) if again != specs => {
                wrong.push("a spec that is read is another one".to_owned());
            }
            Ok(_) => {}
        }
    }
    let _ = (found.explain_text().len(), found.explain_json().len());
    wrong
}

#[test]
fn no_word_of_a_repository_becomes_shell_or_leaves_it() {
    let step = std::env::var("PEELBOX_HOSTILE").ok();
    let step = step.map_or(USUALLY, |step| step.parse().unwrap());
    let index = index();
    let packages = fs::read_to_string(root().join("tests/fixtures/packages.txt")).unwrap();
    let names = packages.lines().filter_map(|line| line.split(' ').next());
    let names: BTreeSet<String> = names.map(str::to_owned).collect();
    let folder = tempfile::tempdir().unwrap();
    let entries = fs::read_dir(root().join("tests/fixtures/detect")).unwrap();
    let mut fixtures: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    fixtures.retain(|path| path.is_dir());
    fixtures.sort();
    let (mut count, mut wrong) = (0, Vec::new());
    for fixture in fixtures {
        let to = folder.path().join(fixture.file_name().unwrap());
        let mut files = Vec::new();
        copy(&fixture, &to, &mut files);
        for (file, text) in files {
            for (from, end) in words(&text) {
                for (number, hostile) in HOSTILE.iter().enumerate() {
                    count += 1;
                    if count % step != 0 {
                        continue;
                    }
                    let at = if number % 2 == 0 { end } else { from + 1 };
                    let changed = format!("{}{hostile}{}", &text[..at], &text[end..]);
                    fs::write(&file, changed).unwrap();
                    let found = detect(&Repo::open(&to).unwrap(), &index);
                    let name = file.strip_prefix(folder.path()).unwrap().display();
                    let word = &text[from..end];
                    // Commands that people write for peelbox are shell already.
                    let is_of_a_person = file.ends_with("peelbox.yaml");
                    for wrong_here in judged(&found, is_of_a_person, &names) {
                        wrong.push(format!("{name}: `{word}` with `{hostile}`: {wrong_here}"));
                    }
                }
            }
            fs::write(&file, &text).unwrap();
        }
        fs::remove_dir_all(&to).unwrap();
    }
    assert!(count > 1000);
    assert!(
        wrong.is_empty(),
        "{}\n{} of {count}",
        wrong.join("\n"),
        wrong.len()
    );
}

/// A repository: its name, the path of its large file, the text of that before, what is repeated, and behind, and its other files.
///
/// A `#` in what is repeated becomes a number.
type Large = (
    &'static str,
    &'static str,
    [&'static str; 3],
    &'static [(&'static str, &'static str)],
);

/// How long the text of a large file is.
const SIZE: usize = 1 << 20;

const START: &str =
    r#"{"name": "a", "scripts": {"start": "node i.js"}, "dependencies": {"express": "5"}}"#;
const PACKAGE: &[(&str, &str)] = &[("package.json", START), ("package-lock.json", "{}")];
const LISTENS: &[(&str, &str)] = &[("i.js", "a.listen(1)")];
const NEXT: &[(&str, &str)] = &[
    (
        "package.json",
        r#"{"name": "a", "scripts": {"build": "next build"}, "dependencies": {"next": "1"}}"#,
    ),
    ("app/p.js", ""),
];
const MEMBERS: &[(&str, &str)] = &[
    ("package.json", r#"{"name": "r", "private": true}"#),
    ("p/a/package.json", START),
];
const MAIN: (&str, &str) = (
    "src/main/java/A.java",
    "class A { public static void main(String[] a) {} }",
);
const JAVA: &[(&str, &str)] = &[MAIN];
const GRADLE: &[(&str, &str)] = &[("build.gradle", ""), ("a/build.gradle", "")];
const SBT: &[(&str, &str)] = &[("build.sbt", "enablePlugins(JavaAppPackaging)")];
const SCALA: &[(&str, &str)] = &[
    ("src/main/scala/A.scala", "object A extends App"),
    ("a1/src/main/scala/A.scala", "object A extends App"),
];
const RACK: &[(&str, &str)] = &[("config.ru", "")];
const PUMA: &[(&str, &str)] = &[("config.ru", ""), ("Gemfile", "gem 'puma'")];
const PHP: &[(&str, &str)] = &[("public/index.php", "<?php")];
const MKDOCS: &[(&str, &str)] = &[("mkdocs.yml", "site_name: a")];

#[rustfmt::skip]
const LARGE: &[Large] = &[
    ("calls of a function", "i.js", ["function f(p) { app.listen(process.env.PORT || p) }", "f(", ""], PACKAGE),
    ("reads", "i.js", ["app.listen(1);", "process.env.PORT||ab;", ""], PACKAGE),
    ("reads and constants", "i.js", ["function a(b){app.listen(1);", "process.env.PORT||ab;const ab =;", ""], PACKAGE),
    ("listeners", "i.js", ["", ".listen( port:", ""], PACKAGE),
    ("strings", "i.js", ["app.listen(1);", "'' ", ""], PACKAGE),
    ("strings and blanks", "i.js", ["app.listen(1);", "'a'        ", ""], PACKAGE),
    ("strings and comments", "i.js", ["app.listen(1);", "'a'/*bcdefghijklm*/", ""], PACKAGE),
    ("imports", "i.js", ["app.listen(1);", "require('./x');", ""], PACKAGE),
    ("routes", "i.js", ["app.listen(1);", "get('/health'", ""], PACKAGE),
    ("types", "next.config.js", ["", "const a: ", ""], NEXT),
    ("functions", "next.config.js", ["export default [[", "function ", ""], NEXT),
    ("lists of functions", "next.config.js", ["export default [[", "function,", ""], NEXT),
    ("arrows", "next.config.js", ["export default ", "a=>", ""], NEXT),
    ("parentheses", "next.config.js", ["export default ", "(a) ", ""], NEXT),
    ("sums", "next.config.js", ["export default {output: 'a'", "+'aaaaaaaaaaaa'", "}"], NEXT),
    ("members", "next.config.js", ["export default {output: a", ".b.c", "}"], NEXT),
    ("assignments", "next.config.js", ["export default {};", "c.output = [1,2,3];", ""], NEXT),
    ("objects", "next.config.js", ["export default {", "a:{b:{c:[1]}},", "}"], NEXT),
    ("a script", "package.json", ["{\"name\":\"a\",\"scripts\":{\"start\":\"node i.js ", "'a'", "\"}}"], LISTENS),
    ("joined commands", "package.json", ["{\"name\":\"a\",\"scripts\":{\"start\":\"node i.js ", "&& cd a && b ", "\"}}"], LISTENS),
    ("directories", "package.json", ["{\"name\":\"a\",\"scripts\":{\"start\":\"", "cd a && ", "node i.js\"}}"], LISTENS),
    ("ranges", "package.json", ["{\"name\":\"a\",\"scripts\":{\"start\":\"node i.js\"},\"engines\":{\"node\":\"", ">=1 || ", "20\"}}"], LISTENS),
    ("workspaces", "pnpm-workspace.yaml", ["packages:\n", "- '{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}*'\n", ""], MEMBERS),
    ("braces", "pnpm-workspace.yaml", ["packages:\n- '", "{a,b}", "'\n"], MEMBERS),
    ("stars", "pnpm-workspace.yaml", ["packages:\n- '", "**/a*", "'\n"], MEMBERS),
    ("plugins", "build.gradle", ["", "plugins {", ""], JAVA),
    ("empty plugins", "build.gradle", ["", "plugins {}", ""], JAVA),
    ("dependencies", "build.gradle", ["plugins { id 'application' }\n", "dependencies {", ""], JAVA),
    ("applied plugins", "build.gradle", ["", "subprojects {} apply ", ""], JAVA),
    ("versions", "build.gradle", ["plugins { id 'application' }\napplication {", "version ", ""], JAVA),
    ("blocks of versions", "build.gradle", ["plugins { id 'org.springframework.boot' }\n", "version {", ""], JAVA),
    ("a deep project", "settings.gradle", ["include '", ":a", "'"], GRADLE),
    ("a list of projects", "settings.gradle", ["include ", "'a:b#',", ""], GRADLE),
    ("projects", "settings.gradle", ["", "include 'a#'\n", ""], GRADLE),
    ("projects in a line", "settings.gradle", ["", "include 'a' ", ""], GRADLE),
    ("moved projects", "settings.gradle", ["include 'a'\n", "project(':a').projectDir = file('b')\n", ""], GRADLE),
    ("objects of Scala", "src/main/scala/A.scala", ["", "object ", ""], SBT),
    ("lines of Scala", "src/main/scala/A.scala", ["", "object a\n", ""], SBT),
    ("projects of Scala", "build.sbt", ["", "lazy val a# = project.in(file(\".\"))\n", ""], SCALA),
    ("names of Scala", "build.sbt", ["", "lazy val a# = project.dependsOn(a1)\n", ""], SCALA),
    ("plugins of Maven", "pom.xml", ["<project><artifactId>a</artifactId><version>1</version><build><plugins>", "<plugin><artifactId>p</artifactId></plugin>", "</plugins></build></project>"], JAVA),
    ("dependencies of Maven", "pom.xml", ["<project><artifactId>a</artifactId><version>1</version><dependencies>", "<dependency><groupId>${a}</groupId><artifactId>p</artifactId></dependency>", "</dependencies></project>"], JAVA),
    ("profiles", "pom.xml", ["<project><artifactId>a</artifactId><version>1</version><profiles>", "<profile><modules><module>.</module></modules></profile>", "</profiles></project>"], JAVA),
    ("gems", "Gemfile", ["", "gem 'a'\n", ""], RACK),
    ("a list of gems", "Gemfile", ["gem 'a',", "'b',\n", ""], RACK),
    ("groups", "Gemfile", ["", "group :a do\n", ""], RACK),
    ("locked gems", "Gemfile.lock", ["GEM\n", "    a (1)\n", ""], PUMA),
    ("pages", "index.php", ["<?php ", "<?= 'a' ?>", ""], &[]),
    ("repositories", "composer.json", ["{\"repositories\": [", "{\"type\":\"path\",\"url\":\"a\"},", "{}]}"], PHP),
    ("constraints", "composer.json", ["{\"require\": {\"php\": \"", "^8.1 || ", "^8\"}}"], PHP),
    ("variables of an image", "Dockerfile", ["FROM a\nENV A=1 ", "A#=$A \\\n", ""], PACKAGE),
    ("stages", "Dockerfile", ["FROM a AS a\n", "ENV V#=1\nFROM a AS b#\n", ""], PACKAGE),
    ("ports", "Dockerfile", ["FROM a\nEXPOSE ", "# ", ""], PACKAGE),
    ("services", "compose.yaml", ["services:\n", "  s#: {build: ., ports: [\"1\"]}\n", ""], PACKAGE),
    ("workloads", "k8s/a.yaml", ["", "---\nkind: Deployment\n", ""], PACKAGE),
    ("processes", "Procfile", ["", "w#: node i.js\n", ""], PACKAGE),
    ("a task", "deno.json", ["{\"tasks\":{\"start\":\"deno run ", "a ", "\"}}"], &[]),
    ("keywords", "project.clj", ["(defproject a ", ":main ", ""], &[]),
    ("requirements", "requirements.txt", ["", "mkdocs-a\n", ""], MKDOCS),
    ("overrides", "peelbox.yaml", ["apps:\n", "- path: a#\n", ""], PACKAGE),
];

/// A text as long as a file may be, or nearly.
fn filled([start, part, end]: [&str; 3]) -> String {
    let mut text = start.to_owned();
    for number in 0.. {
        if text.len() > SIZE {
            break;
        }
        text.push_str(&part.replace('#', &number.to_string()));
    }
    text + end
}

#[test]
fn no_large_file_takes_long() {
    let mut slow = Vec::new();
    for (name, path, parts, more) in LARGE {
        let folder = tempfile::tempdir().unwrap();
        let large = filled(*parts);
        let more = more.iter().copied();
        for (path, text) in more.chain([(*path, large.as_str())]) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let (sender, done) = channel();
        let path = folder.path().to_owned();
        thread::spawn(move || {
            let found = detect(&Repo::open(path).unwrap(), &index());
            let _ = sender.send(found.explain_text().len() + found.explain_json().len());
        });
        if let Err(error) = done.recv_timeout(LONG) {
            slow.push(format!("{name}: {error}"));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}
