//! Texts that are written to make detection slow, large or wrong.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::{found, found_with};
use crate::detect::document::{Document, Syntax};

/// Linear work on what is tried here ends in a part of it, also without optimisation on a machine that does much else.
const SOON: Duration = Duration::from_secs(40);
/// What is quadratic in so many bytes takes minutes.
const LARGE: usize = 256 << 10;

/// A part of a text that is repeated, with numbers for `{n}`.
fn many(part: &str) -> String {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < LARGE {
        text.push_str(&part.replace("{n}", &number.to_string()));
        number += 1;
    }
    text
}

fn ends_soon(what: &str, work: impl FnOnce() + Send + 'static) {
    let (sender, done) = channel();
    let worker = thread::spawn(move || {
        work();
        sender.send(()).unwrap();
    });
    let ended = done.recv_timeout(SOON);
    assert!(ended.is_ok() || worker.is_finished(), "{what} does not end");
    worker.join().unwrap();
}

/// What it is, a file with its text, and the files beside it.
type Case<'a> = (&'a str, &'a str, String, &'a [(&'a str, &'a str)]);

/// Holds repositories with one file of these texts to be detected soon; the others stand beside it.
fn are_soon_detected(cases: &[Case<'_>]) {
    for (what, file, text, beside) in cases {
        let mut files = beside.to_vec();
        files.push((file, text));
        let owned: Vec<(String, String)> = files
            .iter()
            .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
            .collect();
        ends_soon(what, move || {
            let files: Vec<(&str, &str)> = owned
                .iter()
                .map(|(file, text)| (file.as_str(), text.as_str()))
                .collect();
            found(&files);
        });
    }
}

#[test]
fn variables_that_double_stay_small() {
    let doubled = |set: &dyn Fn(usize) -> String| (0..64).map(set).collect::<String>();
    let nothing = |reference: &dyn Fn(usize) -> String| {
        let levels = (0..15).map(|n| format!("V{n} = {}\n", reference(n + 1).repeat(300)));
        levels.collect::<String>()
    };
    let properties = |text: &str| {
        let levels = (0..15).map(|n| {
            let inner = format!("$(V{})", n + 1).repeat(300);
            format!("<V{n}>{inner}</V{n}>")
        });
        let levels: String = levels.collect();
        format!(
            "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PropertyGroup>{levels}<V15></V15>\
             <TargetFrameworks>{text}</TargetFrameworks></PropertyGroup></Project>"
        )
    };
    are_soon_detected(&[
        (
            "a doubled variable of CMake",
            "CMakeLists.txt",
            format!(
                "project(a)\nset(V0 xxxxxxxx)\n{}add_executable(a ${{V64}} a.c)\n",
                doubled(&|n| format!("set(V{} ${{V{n}}}${{V{n}}})\n", n + 1))
            ),
            &[("a.c", "int main() {}")],
        ),
        (
            "a long variable of CMake in many others",
            "CMakeLists.txt",
            format!(
                "project(a)\nset(V {})\n{}add_executable(a a.c)\n",
                "x".repeat(60_000),
                many("set(W{n} ${V})\n")
            ),
            &[("a.c", "int main() {}")],
        ),
        (
            "variables of make that come to nothing",
            "Makefile",
            format!(
                "{}V15 =\na: $(V0)\n\tcc -o a a.c\n",
                nothing(&|n| format!("$(V{n})"))
            ),
            &[("a.c", "int main() {}")],
        ),
        (
            "properties that come to nothing",
            "a.csproj",
            properties("$(V0)net10.0;net9.0"),
            &[("Program.cs", "")],
        ),
        (
            "properties in which nothing is found",
            "a.csproj",
            properties("net10.0;$(V0)"),
            &[("Program.cs", "")],
        ),
    ]);
}

#[test]
fn many_rules_of_make_stay_small() {
    let targets: String = (0..3000).map(|n| format!("t{n} ")).collect();
    let needs: String = (0..3000).map(|n| format!("n{n} ")).collect();
    are_soon_detected(&[
        (
            "targets with needs",
            "Makefile",
            format!(
                "a: a.c\n\tcc -o a a.c\n{}",
                format!("{targets}: {needs}\n").repeat(20)
            ),
            &[("a.c", "int main() {}")],
        ),
        (
            "targets with recipes",
            "Makefile",
            format!("a: a.c\n\tcc -o a a.c\n{targets}:\n{}", many("\tx\n")),
            &[("a.c", "int main() {}")],
        ),
        (
            "libraries",
            "Makefile",
            format!("a: a.c\n\tcc -o a a.c {}\n", many("-l{n} ")),
            &[("a.c", "int main() {}")],
        ),
    ]);
}

#[test]
fn many_programs_of_one_build_are_read_in_time() {
    are_soon_detected(&[
        (
            "executables of CMake",
            "CMakeLists.txt",
            format!(
                "project(a)\n{}",
                many("add_executable(a{n} a.c)\nadd_test(x a{n})\n")
            ),
            &[("a.c", "int main() {}")],
        ),
        (
            "executables of Meson",
            "meson.build",
            format!("project('a')\n{}", many("executable('a{n}', 'a.c')\n")),
            &[("a.c", "int main() {}")],
        ),
        (
            "calls of Meson that never end",
            "meson.build",
            format!("project('a')\n{}", many("executable(")),
            &[("a.c", "int main() {}")],
        ),
        (
            "programs of automake",
            "Makefile.am",
            format!("bin_PROGRAMS = {}\n", many("a{n} ")),
            &[("configure.ac", "AC_INIT(a)"), ("a.c", "int main() {}")],
        ),
        (
            "binary targets of Cargo",
            "Cargo.toml",
            format!(
                "[package]\nname = \"a\"\n{}",
                many("[[bin]]\nname = \"a{n}\"\npath = \"src/{n}.rs\"\n")
            ),
            &[("src/main.rs", "fn main() {}")],
        ),
    ]);
}

#[test]
fn many_programs_in_one_manifest_are_read_in_time() {
    are_soon_detected(&[
        (
            "executables of Zig",
            "build.zig",
            many("b.addExecutable(.{ .name = \"a{n}\" });\n"),
            &[("a.zig", "")],
        ),
        (
            "calls of Zig that name nothing",
            "build.zig",
            many("addExecutable("),
            &[],
        ),
        (
            "targets of Swift",
            "Package.swift",
            many(".executableTarget(name: \"a{n}\"),\n"),
            &[("Sources/a.swift", "")],
        ),
        (
            "executables of Cabal",
            "a.cabal",
            many("executable a{n}\n"),
            &[("Main.hs", "main = pure ()")],
        ),
        (
            "targets of Crystal",
            "shard.yml",
            format!("targets:\n{}", many("  a{n}: {main: a.cr}\n")),
            &[("a.cr", "")],
        ),
        (
            "programs of Nim",
            "a.nimble",
            format!("bin = @[{}]", many("\"a{n}\", ")),
            &[],
        ),
        ("words of Nim on one line", "a.nimble", many("bin "), &[]),
    ]);
}

#[test]
fn many_lists_in_one_manifest_are_read_in_time() {
    are_soon_detected(&[
        (
            "executables of dune",
            "dune",
            many("(executable (name a{n}))\n"),
            &[("dune-project", "(lang dune 3.0)"), ("a.ml", "")],
        ),
        (
            "lists of dune that never end",
            "dune",
            many("(executable "),
            &[("dune-project", "(lang dune 3.0)")],
        ),
        (
            "releases of rebar3",
            "rebar.config",
            many("{release, {a{n}, \"1\"}, []}.\n"),
            &[("src/a.erl", "")],
        ),
        (
            "releases of Mix",
            "mix.exs",
            format!(
                "app: :a, mod: {{A, []}}, releases: [{}]",
                many("a{n}: [],\n")
            ),
            &[("lib/a.ex", "")],
        ),
        (
            "requirements of Perl",
            "cpanfile",
            many("requires 'A{n}';"),
            &[("app.pl", "")],
        ),
    ]);
}

#[test]
fn calls_in_sources_are_read_in_time() {
    are_soon_detected(&[
        (
            "servers of Python with texts",
            "main.py",
            many("serve(\"x\")\n"),
            &[("requirements.txt", "")],
        ),
        (
            "calls of Python that never end",
            "main.py",
            many("serve('x', "),
            &[("requirements.txt", "")],
        ),
        (
            "factories of Python",
            "main.py",
            many("def create_{n}():\n  return Flask()\n"),
            &[("requirements.txt", "flask\ngunicorn\n")],
        ),
        (
            "included requirements",
            "requirements.txt",
            many("-r other.txt\n"),
            &[("main.py", "")],
        ),
        (
            "names of ports in C",
            "main.c",
            many("htons(a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p);\n"),
            &[("CMakeLists.txt", "project(a)\nadd_executable(a main.c)")],
        ),
    ]);
}

#[test]
fn paths_of_keys_take_no_more_room_than_their_manifest() {
    let long = "k".repeat(4000);
    let open: String = (0..60).map(|_| format!("{{\"{long}\":")).collect();
    let json = format!("{open}{{{}\"z\":0}}{}", many("\"a{n}\":0,"), "}".repeat(60));
    ends_soon("JSON", move || {
        let document = Document::parse("a.json", &json, Syntax::Json).unwrap();
        assert_eq!(document.line(&["none"]), None);
    });
    let table = format!("[{}]\n", vec![long; 60].join("."));
    let toml = format!("first = 1\n{table}{}", many("a{n} = 0\n"));
    ends_soon("TOML", move || {
        let document = Document::parse("a.toml", &toml, Syntax::Toml).unwrap();
        assert_eq!(document.line(&["first"]), Some(1));
    });
}

#[test]
fn what_is_named_again_and_again_is_refused_instead_of_repeated() {
    let list = "[0,0,0,0,0,0,0,0,0,0]";
    let yaml = format!(
        "a: &a [{}]\nb:\n{}",
        vec![list; 3000].join(","),
        many("  k{n}: *a\n")
    );
    ends_soon("YAML", move || {
        assert!(Document::parse("a.yaml", &yaml, Syntax::Yaml).is_err());
    });
    for (syntax, text) in [
        (Syntax::Toml, format!("{}a = 1", many("a."))),
        (Syntax::Toml, format!("[{}a]", many("a."))),
        (Syntax::Toml, format!("a = {}", many("["))),
        (Syntax::Json, many("[")),
        (Syntax::Yaml, many("[")),
        (Syntax::Yaml, many("- ")),
        (Syntax::Yaml, many("? ")),
    ] {
        ends_soon("depth", move || {
            let _ = Document::parse("a", &text, syntax);
        });
    }
    let attributes = format!("<Project {}/>", many("a{n}='' "));
    ends_soon("attributes", move || {
        assert!(crate::detect::xml::Element::parse(&attributes).is_err());
    });
    let deep = many("<a>");
    ends_soon("elements", move || {
        let _ = crate::detect::xml::Element::parse(&deep);
    });
}

#[test]
fn a_key_behind_a_letter_of_two_bytes_is_read() {
    let found = found(&[
        (
            "mix.exs",
            "app: :a, mod: {A, []}, releases: [é: [applications: [é: :permanent]], ünit: []]",
        ),
        ("lib/a.ex", ""),
    ]);
    assert_eq!(
        found.refused.len() + found.apps.len(),
        1,
        "{}",
        found.explain_text()
    );
}

#[test]
fn the_highest_number_of_a_kit_has_no_next_one() {
    for policy in ["disable", "latestPatch", "latestFeature", "latestMinor"] {
        let json = format!(
            r#"{{"sdk": {{"version": "{0}.{0}.{0}", "rollForward": "{policy}"}}}}"#,
            u64::MAX
        );
        let found = found(&[
            ("global.json", &json),
            (
                "a.csproj",
                r#"<Project Sdk="Microsoft.NET.Sdk.Web"><PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup></Project>"#,
            ),
        ]);
        assert_eq!(found.refused.len(), 1, "{policy}");
    }
}

/// The toolchains that the index lacks, so that what would be built is seen as well.
const MORE: &str = "ghc 9.10.1-r0\nstack 3.1.1-r0\ncabal 3.12.0-r0\nswift 6.0.0-r0\ncrystal 1.14.0-r0\nshards 0.18.0-r0\n";

#[test]
fn names_of_programs_are_words_of_commands() {
    let evil = "a;touch${IFS}x";
    let cabal = format!("name: a\nexecutable {evil}\n  main-is: Main.hs\n");
    let hpack = format!("executables:\n  '{evil}':\n    main: Main.hs\n");
    let shard = format!("name: a\ntargets:\n  '{evil}':\n    main: a.cr\n");
    let swift = format!("let package = Package(targets: [.executableTarget(name: \"{evil}\")])");
    let found = found_with(
        &[
            ("cabal/a.cabal", &cabal),
            ("stack/package.yaml", &hpack),
            ("stack/stack.yaml", "resolver: lts-23.0\n"),
            ("crystal/shard.yml", &shard),
            ("swift/Package.swift", &swift),
            (
                "dotnet/a.csproj",
                "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PropertyGroup><TargetFrameworks>net9.0;net10.0`touch x`</TargetFrameworks></PropertyGroup></Project>",
            ),
        ],
        MORE,
    );
    for app in &found.apps {
        for command in &app.spec.build.commands {
            let words = shlex::split(command).unwrap();
            assert!(!command.contains('`'), "{command}");
            assert!(
                !command.contains(evil) || words.iter().any(|word| word.contains(evil)),
                "{command}"
            );
            assert!(
                !command.contains(';') || command.contains('\''),
                "{command}"
            );
        }
    }
    assert_eq!(found.apps.len(), 5, "{}", found.explain_text());
}

#[test]
fn a_program_whose_name_leads_elsewhere_is_refused() {
    let found = found(&[
        (
            "cargo/Cargo.toml",
            "[package]\nname = \"a\"\n[[bin]]\nname = \"../../bin/x\"\npath = \"src/main.rs\"\n",
        ),
        ("cargo/src/main.rs", "fn main() {}"),
        (
            "cmake/CMakeLists.txt",
            "project(a)\nadd_executable(a a.c)\nset_target_properties(a PROPERTIES OUTPUT_NAME ../../bin/x)\n",
        ),
        ("cmake/a.c", "int main() {}"),
        (
            "install/CMakeLists.txt",
            "project(a)\nadd_executable(a a.c)\ninstall(TARGETS a DESTINATION ../../../usr/bin)\n",
        ),
        ("install/a.c", "int main() {}"),
        ("go/go.mod", "module example.com/..\n\ngo 1.26\n"),
        ("go/main.go", "package main\n\nfunc main() {}\n"),
    ]);
    assert_eq!(found.names(), [""; 0]);
    let reasons: Vec<&str> = found
        .refused
        .iter()
        .map(|app| app.reason.as_str())
        .collect();
    assert_eq!(reasons.len(), 4);
    assert!(
        reasons.iter().all(|reason| reason.contains("`..`")),
        "{reasons:?}"
    );
}
