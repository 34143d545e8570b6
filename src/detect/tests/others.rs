use super::{command, copies, found};
use crate::spec::Kind;

#[test]
fn an_executable_of_zig_is_built_for_any_machine() {
    let found = found(&[
        (
            "build.zig",
            "const t = b.standardTargetOptions(.{});\n// b.addExecutable(.{ .name = \"old\" });\nconst e = b.addExecutable(.{\n .name = \"ping\",\n});\ne.linkLibC();\nconst t2 = b.addExecutable(.{ .name = \"ping-bench\" });\n",
        ),
        (
            "src/main.zig",
            "const a = parseIp(\"0.0.0.0\", 8091); a.listen(.{});",
        ),
    ]);
    assert_eq!(found.names(), ["ping"]);
    let spec = found.spec("ping");
    assert_eq!(spec.metadata.kind, Some(Kind::Web));
    assert_eq!(spec.runtime.ports, [8091]);
    assert_eq!(
        spec.build.commands,
        ["zig build --release=safe -Dcpu=baseline --prefix /out"]
    );
    assert_eq!(copies(spec), ["/out/bin/ping -> ping"]);
    assert!(
        spec.runtime
            .packages
            .iter()
            .any(|name| name.starts_with("glibc"))
    );
}

#[test]
fn a_program_of_dart_is_compiled() {
    let found = found(&[
        ("a/pubspec.yaml", "name: a\nenvironment:\n  sdk: ^3.0.0\n"),
        ("a/bin/a.dart", "void main() {}"),
        ("b/pubspec.yaml", "name: b\nenvironment:\n  sdk: ^2.0.0\n"),
        ("b/bin/b.dart", "void main() {}"),
        ("c/pubspec.yaml", "name: c\n"),
        ("c/lib/c.dart", "int x() => 1;"),
    ]);
    assert_eq!(found.names(), ["a"]);
    assert_eq!(
        found.spec("a").build.commands,
        ["mkdir -p /out && dart compile exe bin/a.dart -o /out/a"]
    );
    assert_eq!(
        found.refused[0].reason,
        "asks for Dart `^2.0.0`, and 3.13.1 is packaged"
    );
    assert_eq!(
        found.reason("c"),
        "no file in `bin` has a `main`: it is a library"
    );
}

#[test]
fn a_language_without_a_toolchain_is_recognised_and_refused() {
    let found = found(&[
        (
            "swift/Package.swift",
            "let p = Package(targets: [.executableTarget(name: \"App\")])",
        ),
        ("swift/Sources/App/main.swift", "import Vapor\n"),
        ("hs/x.cabal", "executable served\n  main-is: Main.hs\n"),
        (
            "cr/shard.yml",
            "name: x\ntargets:\n  served:\n    main: x.cr\n",
        ),
        ("nim/x.nimble", "# bin = @[\"no\"]\nbin = @[\"served\"]\n"),
        ("jl/Project.toml", "[deps]\nHTTP = \"1\"\n"),
        ("jl/main.jl", "HTTP.serve(f, \"0.0.0.0\", 8081)\n"),
    ]);
    assert!(found.names().is_empty(), "{:?}", found.names());
    let refused: Vec<String> = found
        .refused
        .iter()
        .map(|r| format!("{}: {}", r.spec.metadata.project_name, r.reason))
        .collect();
    assert_eq!(
        refused,
        [
            "cr-served: Crystal is not packaged: the index has no `crystal`",
            "hs-served: Haskell is not packaged: the index has no `ghc`",
            "jl: Julia is not packaged: the index has no `julia`",
            "nim-served: Nim is not packaged: the index has no `nim`",
            "swift-app: Swift is not packaged: the index has no `swift`",
        ]
    );
    assert_eq!(found.refused[4].spec.runtime.ports, [8080]);
}

#[test]
fn libraries_of_these_languages_are_no_apps() {
    let found = found(&[
        (
            "swift/Package.swift",
            "let p = Package(targets: [.target(name: \"X\")])",
        ),
        ("hs/x.cabal", "library\n  exposed-modules: X\n"),
        ("cr/shard.yml", "name: x\n"),
        ("nim/x.nimble", "version = \"1\"\n"),
        ("jl/Project.toml", "name = \"X\"\nuuid = \"1\"\n"),
        ("ml/dune-project", ""),
        ("ml/dune", "(library (name x))"),
        ("zig/build.zig", "_ = b.addModule(\"x\", .{});"),
        ("pl/Makefile.PL", ""),
        ("r/DESCRIPTION", "Package: x\n"),
        ("r/R/x.R", ""),
    ]);
    assert!(found.names().is_empty(), "{:?}", found.names());
    assert!(found.refused.is_empty(), "{:?}", found.refused);
    assert_eq!(found.rejected.len(), 9, "{:?}", found.rejected);
}

#[test]
fn dune_builds_what_needs_no_foreign_library() {
    let found = found(&[
        ("a/dune-project", "(lang dune 3.0)"),
        (
            "a/bin/dune",
            "(executable\n (name server)\n (libraries unix core))",
        ),
        ("a/lib/dune", "(library (name core))"),
        ("b/dune-project", "(lang dune 3.0)"),
        ("b/dune", "(executable (name main) (libraries lwt))"),
    ]);
    assert_eq!(found.names(), ["a-server"]);
    assert_eq!(
        found.spec("a-server").build.commands,
        ["dune build --profile release ./bin/server.exe"]
    );
    assert_eq!(
        found.refused[0].reason,
        "needs the library `lwt`, which is not packaged"
    );
}

#[test]
fn an_app_of_perl_gets_a_server_for_production() {
    let found = found(&[
        ("a/app.psgi", ""),
        ("a/cpanfile", "requires 'Starman';\n"),
        ("b/app.psgi", ""),
        ("c/app.pl", ""),
        (
            "c/cpanfile",
            "requires 'Mojolicious';\non test => sub {\n requires 'Starman';\n};\n",
        ),
    ]);
    assert_eq!(found.names(), ["a", "c"]);
    assert_eq!(
        command(found.spec("a")),
        "/usr/bin/perl /app/local/bin/plackup -E deployment -s Starman --port 5000 /app/app.psgi"
    );
    assert_eq!(
        command(found.spec("c")),
        "/usr/bin/perl /app/app.pl prefork -m production -l http://*:3000"
    );
    assert_eq!(found.refused.len(), 1);
}

#[test]
fn a_script_that_is_all_there_is_brings_its_shell_with_a_warning() {
    let found = found(&[
        ("a/start.sh", "#!/usr/bin/env bash\necho a\n"),
        ("b/start.sh", "#!/usr/bin/fish\n"),
        ("c/start.sh", "#!/bin/sh\n"),
        ("c/go.mod", "module c\n"),
        ("c/main.go", "package main\nfunc main() {}\n"),
    ]);
    assert_eq!(found.names(), ["a", "c"]);
    let spec = found.spec("a");
    assert_eq!(command(spec), "/bin/bash /app/start.sh");
    assert_eq!(spec.runtime.packages, ["bash", "busybox"]);
    assert_eq!(
        found.messages(),
        ["a/start.sh:1: is a shell script: the image gets `bash`, and with it a shell"]
    );
    assert_eq!(found.refused.len(), 1);
    assert_eq!(found.reason("c"), "`start.sh` belongs to the app in `c`");
}
