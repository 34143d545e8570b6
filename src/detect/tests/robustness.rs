use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};

use super::{found, index, write};
use crate::detect::{Repo, detect};

const FILES: &[(&str, &str)] = &[
    (
        "a/package.json",
        r#"{"name": "same", "scripts": {"start": "node i.js"}}"#,
    ),
    ("a/i.js", "app.listen(3000)"),
    (
        "b/package.json",
        r#"{"name": "same", "scripts": {"start": "node i.js"}}"#,
    ),
    ("b/i.js", ""),
    ("apps/x/go.mod", "module x\ngo 1.26\n"),
    ("apps/x/main.go", "package main\nfunc main() {}\n"),
    ("services/x/requirements.txt", "flask\ngunicorn\n"),
    ("services/x/app.py", "app = Flask(__name__)\n"),
    ("Cargo.toml", "[package]\nname = \"r\"\n"),
    ("src/main.rs", "fn main() {}"),
    ("site/index.html", ""),
];

fn explained(files: &[(&str, &str)]) -> (String, String) {
    let found = found(files);
    (found.explain_json(), found.explain_text())
}

#[test]
fn the_order_of_files_on_the_disk_changes_nothing() {
    let mut files = FILES.to_vec();
    let expected = explained(&files);
    files.reverse();
    assert_eq!(explained(&files), expected);
    files.rotate_left(4);
    files.swap(0, 5);
    assert_eq!(explained(&files), expected);
}

#[test]
fn names_come_from_paths_and_are_unique() {
    assert_eq!(
        found(FILES).names(),
        ["r", "a", "apps-x", "b", "services-x"]
    );
}

#[test]
fn one_broken_manifest_is_one_diagnostic_and_the_other_apps_stay() {
    let found = found(&[
        ("bad/package.json", "{\n  \"name\": \"bad\",\n  oops\n}"),
        ("worse/Cargo.toml", "[package]\nname = \n"),
        (
            "good/package.json",
            "\u{feff}{\r\n // comment\r\n \"name\": \"good\", /* x */\r\n \"scripts\": {\"start\": \"node i.js\",},\r\n}",
        ),
        ("good/i.js", ""),
    ]);
    assert_eq!(found.names(), ["good"]);
    let errors: Vec<String> = found
        .messages()
        .into_iter()
        .filter(|message| message.contains("valid"))
        .collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0].starts_with("bad/package.json:3: is not valid JSON: "),
        "{}",
        errors[0]
    );
    assert!(
        errors[1].starts_with("worse/Cargo.toml:2: is not valid TOML: "),
        "{}",
        errors[1]
    );
}

fn opened(make: impl Fn(&Path)) -> super::Detection {
    let root = tempfile::tempdir().unwrap();
    make(root.path());
    detect(&Repo::open(root.path()).unwrap(), &index())
}

#[test]
fn what_cannot_be_text_is_a_diagnostic() {
    let found = opened(|root| {
        write(root, &[("x/y", ""), ("a/y", "")]);
        std::fs::write(root.join("x/package.json"), b"{\n\"name\": \"\xff\"}").unwrap();
        std::fs::write(root.join("a/package.json"), vec![b' '; (2 << 20) + 1]).unwrap();
    });
    assert_eq!(
        found.messages(),
        [
            "a/package.json: is larger than 2 MiB",
            "x/package.json:2: is not valid UTF-8"
        ]
    );
}

#[cfg(unix)]
#[test]
fn links_lead_neither_around_in_circles_nor_out_of_the_repository() {
    let outside = tempfile::tempdir().unwrap();
    write(
        outside.path(),
        &[(
            "package.json",
            r#"{"name": "secret", "scripts": {"start": "node i.js"}}"#,
        )],
    );
    let found = opened(|root| {
        write(
            root,
            &[
                (
                    "a/package.json",
                    r#"{"name": "a", "scripts": {"start": "node i.js"}}"#,
                ),
                ("a/i.js", ""),
            ],
        );
        symlink(root, root.join("a/loop")).unwrap();
        symlink(outside.path(), root.join("out")).unwrap();
        std::fs::create_dir(root.join("b")).unwrap();
        symlink(
            outside.path().join("package.json"),
            root.join("b/package.json"),
        )
        .unwrap();
    });
    assert_eq!(found.names(), ["a"]);
    assert!(found.rejected.is_empty(), "{:?}", found.rejected);
}

#[test]
fn ignored_and_generated_directories_are_not_looked_at_without_git() {
    let app = r#"{"name": "a", "scripts": {"start": "node i.js"}}"#;
    let found = found(&[
        (".gitignore", "generated/\n"),
        (".dockerignore", "private\n**/*.tmp\n"),
        ("generated/package.json", app),
        ("private/package.json", app),
        ("deep/private/package.json", app),
        ("deep/private/i.js", ""),
        ("node_modules/x/package.json", app),
        ("py/pyvenv.cfg", ""),
        ("py/lib/package.json", app),
        ("build/package.json", app),
        ("build/i.js", ""),
        ("go.mod", "module m\ngo 1.26\n"),
        ("vendor/x/main.go", "package main\nfunc main() {}\n"),
    ]);
    assert_eq!(found.names(), ["build", "deep-private"]);
}

#[test]
fn an_empty_repository_holds_nothing() {
    let found = found(&[]);
    assert!(found.apps.is_empty() && found.rejected.is_empty() && found.diagnostics.is_empty());
    assert_eq!(found.explain_text(), "");
}

#[test]
fn hostile_names_stay_words() {
    let found = found(&[
        (
            "package.json",
            r#"{"private": true, "workspaces": ["apps/*"]}"#,
        ),
        ("package-lock.json", "{}"),
        (
            "apps/a b'; rm -rf $HOME/package.json",
            "{\"name\": \"x; touch /tmp/y\\n\", \"scripts\": {\"build\": \"tsc\", \"start\": \"node i.js\"}}",
        ),
        ("apps/a b'; rm -rf $HOME/i.js", ""),
    ]);
    let spec = &found.apps[0].spec;
    assert_eq!(spec.metadata.project_name, "a-b-rm-rf-home");
    for command in spec
        .build
        .commands
        .iter()
        .chain(&spec.build.install.commands)
    {
        let words = shlex::split(command).unwrap();
        assert!(
            !words.contains(&"touch".to_owned()) && !words.contains(&"rm".to_owned()),
            "{command}"
        );
    }
    assert!(!found.explain_text().contains("\n\n\n"));
}

#[test]
fn the_example_holds_eight_apps_and_none_of_its_look_alikes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/monorepo");
    let found = detect(&Repo::open(root).unwrap(), &index());
    let apps: Vec<String> = found
        .apps
        .iter()
        .map(|app| {
            let (metadata, runtime) = (&app.spec.metadata, &app.spec.runtime);
            let health = runtime
                .health
                .as_ref()
                .map_or("", |health| &health.endpoint);
            format!(
                "{} {:?} {health} {}",
                metadata.project_name,
                runtime.ports,
                runtime.command.join(" ")
            )
        })
        .collect();
    assert_eq!(
        apps,
        [
            "catalog [8000] /healthz /app/.venv/bin/python -m uvicorn app.main:app --host 0.0.0.0 --port 8000",
            "gateway [3000] /healthz node src/main.js",
            "ledger []  /app/.venv/bin/ledger",
            "orders-api [8080] /healthz /app/api",
            "orders-worker []  /app/worker",
            "pricing [3001] /healthz node dist/main.js",
            "search [8080] /healthz /app/search",
            "storefront [8080]  ",
        ]
    );
    assert_eq!(found.messages(), [""; 0]);
    for path in [
        "packages/server",
        "packages/tsconfig",
        "crates/terms",
        "e2e",
        "docs/snippets/client",
        "templates/service",
    ] {
        assert!(!found.reason(path).is_empty());
    }
}

/// Texts made of the parts that parsers stumble over, the same in every run.
fn tangles() -> impl Iterator<Item = String> {
    const PARTS: &[&str] = &[
        "'",
        "\"",
        "`",
        "\\",
        "é",
        "𝄞",
        "//",
        "/*",
        "*/",
        "#",
        "\n",
        "r#\"",
        "\"\"\"",
        "PORT",
        "process.env.PORT",
        "??",
        "||",
        "(",
        ")",
        ",",
        "{",
        "}",
        "[",
        "]",
        ".listen(",
        "port:",
        "3000",
        ":8080",
        "FastAPI(",
        "app = ",
        "def create_app():",
        " ",
        "$",
        "${",
        "}",
        "&&",
        "name = ",
        "import \"",
        "func main()",
        "uvicorn.run(",
        "port=",
        "function f(",
        "<<",
        "\u{feff}",
        "\0",
    ];
    let mut state = 7_u64;
    (0..3000).map(move |length| {
        let mut text = String::new();
        for _ in 0..(length % 40) {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(PARTS[(state >> 33) as usize % PARTS.len()]);
        }
        text
    })
}

#[test]
fn no_text_makes_a_parser_panic() {
    use crate::detect::document::{Document, Syntax};
    for text in tangles() {
        let _ = crate::detect::start::parse(&text);
        for syntax in [Syntax::Json, Syntax::Toml, Syntax::Yaml] {
            let _ = Document::parse("x", &text, syntax);
        }
    }
}

#[test]
fn no_source_makes_a_language_panic() {
    let texts: Vec<String> = tangles().collect();
    for chunk in texts.chunks(500) {
        let text = chunk.join("\n");
        found(&[
            (
                "js/package.json",
                r#"{"name": "a", "scripts": {"start": "node i.js"}, "dependencies": {"fastify": "5", "next": "1"}}"#,
            ),
            ("js/i.js", &text),
            (
                "next/package.json",
                r#"{"name": "a", "scripts": {"build": "next build"}, "dependencies": {"next": "1"}}"#,
            ),
            ("next/next.config.js", &text),
            ("next/app/p.js", &text),
            ("py/requirements.txt", "fastapi\nuvicorn\n"),
            ("py/main.py", &text),
            ("req/requirements.txt", &text),
            ("go/go.mod", "module m\n"),
            (
                "go/main.go",
                &format!("package main\nfunc main() {{}}\n{text}"),
            ),
            ("mod/go.mod", &text),
            ("rs/Cargo.toml", "[package]\nname = \"a\"\n"),
            ("rs/src/main.rs", &text),
            ("Procfile", &text),
            (".tool-versions", &text),
        ]);
    }
}

#[test]
fn an_explanation_hides_nothing_that_a_repository_says() {
    let name = "app\u{202e}gpj\u{200b}\u{1b}[2J";
    let found = found(&[
        (&format!("{name}/package.json"), "{"),
        (&format!("{name}/Cargo.toml"), "["),
    ]);
    let text = found.explain_text();
    assert!(
        text.contains(r"app\u{202e}gpj\u{200b}\u{1b}[2J/"),
        "{text:?}"
    );
    assert!(
        !text.contains(['\u{202e}', '\u{200b}', '\u{1b}']),
        "{text:?}"
    );
}

#[test]
fn the_explanation_names_evidence_and_reasons() {
    let found = found(&[
        (
            "web/package.json",
            "{\n\"name\": \"web\",\n\"scripts\": {\"start\": \"nodemon i.js\",\n\"start:prod\": \"node i.js\"}}",
        ),
        ("web/package-lock.json", "{}"),
        ("web/.nvmrc", "22\n"),
        ("web/i.js", "app.listen(3000)"),
        ("lib/Cargo.toml", "[package]\nname = \"lib\"\n"),
        ("bad/package.json", "{"),
    ]);
    assert_eq!(
        found.explain_text(),
        "\
web (web): node, npm
  the start script of `web/package.json`
  build_system npm from web/package-lock.json [node.lock-file]
  kind         web from web/i.js:1 `.listen` [node.listens]
  toolchain    nodejs-22 from web/.nvmrc:1 `22` [version.file]
                 `22` is satisfied by 22.23.2
  start        node i.js from web/package.json:4 [node.script.start:prod]
  port         3000 from web/i.js:1 [node.port]

not apps
  lib  a Rust crate: `lib` has no binary target: it is a library

error: bad/package.json:1: is not valid JSON: EOF while parsing an object
warning: web/.nvmrc:1: `nodejs-22` is no longer built: it stays in the index and gets no fixes; maintained are `nodejs-24`
"
    );
}

#[test]
fn what_git_keeps_is_detected_although_a_gitignore_names_it() {
    let root = tempfile::tempdir().unwrap();
    let manifest = r#"{"name":"x","scripts":{"start":"node i.js"}}"#;
    let files = [
        (".gitignore", "/generated/\n/other/\n"),
        (".dockerignore", "generated/hidden\n"),
        ("generated/web/package.json", manifest),
        ("generated/web/package-lock.json", "{}"),
        ("generated/web/i.js", "app.listen(3000)"),
        ("generated/web/node_modules/y/package.json", manifest),
        ("generated/hidden/package.json", manifest),
        ("other/package.json", manifest),
    ];
    write(root.path(), &files);
    symlink("other", root.path().join("link")).unwrap();
    let kept = files[2..7].iter().map(|(path, _)| PathBuf::from(path));
    let beside = ["link/package.json", "../x/package.json", "gone"].map(PathBuf::from);
    let kept: BTreeSet<PathBuf> = kept.chain(beside).collect();
    let mut repo = Repo::open(root.path()).unwrap();
    assert!(repo.has_ignored());
    repo.keep(&kept);
    let found = detect(&repo, &index());
    assert_eq!(found.names(), ["generated-web"]);
    let dirs: Vec<&str> = repo.dirs().map(|dir| dir.path()).collect();
    assert_eq!(dirs, ["", "generated", "generated/web"]);
}

#[test]
fn the_glob_of_a_path_escapes_what_buildkit_reads_as_a_pattern() {
    let found = found(&[
        (
            "apps/[slug]*x{a,b}/package.json",
            r#"{"name": "web", "scripts": {"start": "node i.js"}}"#,
        ),
        ("apps/[slug]*x{a,b}/package-lock.json", "{}"),
        ("apps/[slug]*x{a,b}/i.js", "app.listen(3000)"),
    ]);
    let spec = &found.apps[0].spec;
    let escaped = r"apps/\[slug\]\*x\{a,b\}";
    assert_eq!(spec.build.context, [format!("{escaped}/**")]);
    let files = &spec.build.install.files;
    assert!(
        files.contains(&format!("{escaped}/package.json")),
        "{files:?}"
    );
    let text = crate::spec::to_yaml(std::slice::from_ref(spec));
    crate::spec::load(Path::new("a.yaml"), text.as_bytes()).unwrap();
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    for number in 0..120 {
        let app = format!("group-{}/app-{number}", number % 7);
        let manifest = r#"{"name": "x", "scripts": {"start": "node i.js"}}"#;
        let (manifest_path, entry) = (
            format!("{app}/package.json"),
            format!("{app}/src/deep/i.js"),
        );
        write(
            root.path(),
            &[
                (&manifest_path, manifest),
                (&format!("{app}/i.js"), ""),
                (&entry, ""),
            ],
        );
    }
    write(
        root.path(),
        &[(".gitignore", "/group-3/\n*.log\n"), ("group-1/a.log", "")],
    );
    let explained = |threads: usize| {
        let repo = Repo::open_with(root.path(), NonZero::new(threads)).unwrap();
        detect(&repo, &index()).explain_json()
    };
    let expected = explained(1);
    assert_eq!(expected.matches("\"project_name\"").count(), 103);
    for threads in [2, 3, 8] {
        for _ in 0..3 {
            assert!(explained(threads) == expected, "{threads} threads");
        }
    }
}

#[test]
fn a_directory_that_is_too_deep_is_told_and_the_others_are_looked_at() {
    let root = tempfile::tempdir().unwrap();
    let app = r#"{"name": "x", "scripts": {"start": "node i.js"}}"#;
    let deep = "d/".repeat(400);
    let (manifest, entry) = (format!("{deep}package.json"), format!("{deep}i.js"));
    write(root.path(), &[(&manifest, app), (&entry, "")]);
    // Longer than a path may be, so it is made step by step.
    let name = "n".repeat(200);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut at = rustix::fs::open(root.path(), flags, Mode::empty()).unwrap();
    for _ in 0..30 {
        rustix::fs::mkdirat(&at, &*name, Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, &*name, flags, Mode::empty()).unwrap();
    }
    let found = detect(&Repo::open(root.path()).unwrap(), &index());
    assert_eq!(found.apps.len(), 1);
    assert_eq!(found.apps[0].spec.metadata.path, deep.trim_end_matches('/'));
    let messages = found.messages();
    let told = messages
        .iter()
        .filter(|message| message.ends_with("is left out: its path is too long"));
    assert_eq!(told.count(), 1, "{messages:?}");
}

#[test]
fn pipes_and_names_that_are_no_text_stop_nothing() {
    let found = opened(|root| {
        write(
            root,
            &[
                ("a/package.json", r#"{"scripts": {"start": "node i.js"}}"#),
                ("a/i.js", ""),
                ("b/x", ""),
            ],
        );
        for pipe in [
            ".gitignore",
            ".dockerignore",
            "b/package.json",
            "b/go.mod",
            "a/package-lock.json",
        ] {
            let made = rustix::fs::mknodat(CWD, root.join(pipe), FileType::Fifo, Mode::RWXU, 0);
            made.unwrap();
        }
        std::fs::write(root.join(OsStr::from_bytes(b"b/\xff.json")), "").unwrap();
    });
    assert_eq!(found.names(), ["a"]);
    let odd: Vec<String> = found
        .messages()
        .into_iter()
        .filter(|text| text.contains("UTF-8"))
        .collect();
    assert_eq!(odd, ["b/\u{fffd}.json: is left out: the name is not UTF-8"]);
}

#[test]
fn a_checkout_that_cannot_be_written_to_is_read_and_left_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), FILES);
    let allow = |mode| {
        for dir in ["", "a", "apps", "apps/x", "src"] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(root.path().join(dir), permissions).unwrap();
        }
    };
    let listed = |repo: &Repo| -> Vec<String> {
        let dirs = repo.dirs();
        dirs.flat_map(|dir| {
            dir.files()
                .iter()
                .map(|name| dir.join(name))
                .collect::<Vec<_>>()
        })
        .collect()
    };
    allow(0o555);
    let repo = Repo::open(root.path()).unwrap();
    let found = detect(&repo, &index());
    let after = Repo::open(root.path()).map(|repo| listed(&repo));
    allow(0o755);
    assert_eq!(found.apps.len(), 5);
    assert_eq!(after.unwrap(), listed(&repo));
}

#[test]
fn a_directory_that_cannot_be_read_is_told() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), FILES);
    let closed = root.path().join("services/x");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Who may read everything can read that too.
    let is_closed = closed.read_dir().is_err();
    let found = detect(&Repo::open(root.path()).unwrap(), &index());
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
    let told = found
        .messages()
        .into_iter()
        .find(|message| message.starts_with("services/x: is left out"));
    assert_eq!(told.is_some(), is_closed);
    assert_eq!(found.apps.len(), if is_closed { 4 } else { 5 });
}

#[test]
fn a_nearer_gitignore_takes_back_what_one_above_it_ignores() {
    let app = r#"{"scripts": {"start": "node i.js"}}"#;
    let found = found(&[
        (".gitignore", "gen/\n*.tmp\n/only-here/\n"),
        ("x/.gitignore", "!gen/\nout-*/\n"),
        ("x/gen/package.json", app),
        ("x/gen/i.js", ""),
        ("x/out-1/package.json", app),
        ("y/gen/package.json", app),
        ("y/only-here/package.json", app),
        ("y/only-here/i.js", ""),
        ("only-here/package.json", app),
    ]);
    assert_eq!(found.names(), ["x-gen", "y-only-here"]);
}
