use super::{command, copies, found};
use crate::spec::Kind;

#[test]
fn every_main_package_is_an_app() {
    let found = found(&[
        (
            "go.mod",
            "module example.com/shop/v2\n\ngo 1.25.0\n\nrequire (\n\tgithub.com/go-chi/chi/v5 v5.2.0\n)\n",
        ),
        ("go.sum", ""),
        (
            "cmd/api/main.go",
            "package main\n\nimport (\n\t\"net/http\"\n\t\"example.com/shop/v2/internal/web\"\n)\n\nfunc main() {\n\thttp.ListenAndServe(\":9000\", web.Routes())\n}\n",
        ),
        ("cmd/job/main.go", "package main\n\nfunc main() {}\n"),
        (
            "internal/web/web.go",
            "package web\n\nfunc Routes() { mux.Handle(\"GET /healthz\", ok); t.ParseGlob(\"templates/*.html\") }\n",
        ),
        (
            "internal/web/web_test.go",
            "package web\nfunc x() { f(\":1234\") }\n",
        ),
        ("templates/index.html", ""),
        ("static/unused.css", ""),
        ("tools/gen/main.go", "package main\n\nfunc main() {}\n"),
        (
            "ignored.go",
            "//go:build ignore\n\npackage main\n\nfunc main() {}\n",
        ),
    ]);
    assert_eq!(found.names(), ["api", "job"]);
    let spec = found.spec("api");
    assert_eq!(spec.metadata.path, ".");
    assert_eq!(spec.metadata.kind, Some(Kind::Web));
    assert_eq!(spec.build.packages, ["go-1.27"]);
    assert_eq!(spec.build.install.files, ["go.mod", "go.sum"]);
    assert_eq!(spec.build.install.commands, ["go mod download"]);
    assert_eq!(
        spec.build.commands,
        ["go build -trimpath -buildvcs=false -ldflags '-s -w' -o /out/api ./cmd/api"]
    );
    assert_eq!(spec.build.env["CGO_ENABLED"], "0");
    assert_eq!(copies(spec), ["/out/api -> api", "templates -> templates"]);
    assert_eq!(command(spec), "/app/api");
    assert_eq!(spec.runtime.ports, [9000]);
    assert_eq!(spec.runtime.health.as_ref().unwrap().endpoint, "/healthz");
    assert_eq!(spec.runtime.packages, ["ca-certificates-bundle", "tzdata"]);
    let job = found.spec("job");
    assert_eq!(job.metadata.kind, Some(Kind::Worker));
    assert!(
        job.runtime.health.is_none(),
        "what another program of the module serves is not its own"
    );
    assert_eq!(
        found.reason("tools/gen"),
        "`tools` directories hold tools for developers"
    );
}

#[test]
fn a_member_of_a_workspace_is_built_with_the_modules_that_it_needs() {
    let found = found(&[
        (
            "go.work",
            "go 1.26.0\n\nuse (\n\t./services/api\n\t./libs/log\n\t./libs/other\n)\n",
        ),
        (
            "services/api/go.mod",
            "module acme/api\ngo 1.26.0\nrequire acme/log v0.0.0\n",
        ),
        ("services/api/main.go", "package main\nfunc main() {}\n"),
        ("libs/log/go.mod", "module acme/log\ngo 1.26.0\n"),
        ("libs/log/log.go", "package log\n"),
        ("libs/other/go.mod", "module acme/other\ngo 1.26.0\n"),
        ("libs/other/o.go", "package other\n"),
    ]);
    assert_eq!(found.names(), ["api"]);
    let spec = found.spec("api");
    assert_eq!(
        spec.build.install.files,
        [
            "libs/log/go.mod",
            "libs/other/go.mod",
            "services/api/go.mod",
            "go.work"
        ]
    );
    assert!(spec.build.context.contains(&"libs/log/**".to_owned()));
    assert!(spec.build.context.contains(&"libs/other/go.mod".to_owned()));
    assert!(!spec.build.context.contains(&"libs/other/**".to_owned()));
    assert_eq!(
        spec.build.commands,
        ["go build -trimpath -buildvcs=false -ldflags '-s -w' -o /out/api ."]
    );
    assert_eq!(
        found.reason("libs/log"),
        "it has no `package main` with a `func main`: it is a library"
    );
}

#[test]
fn cgo_brings_a_compiler_and_a_libc() {
    let found = found(&[
        (
            "go.mod",
            "module acme/db\ngo 1.26\nrequire github.com/mattn/go-sqlite3 v1.14.0\n",
        ),
        (
            "main.go",
            "package main\n\nimport _ \"github.com/mattn/go-sqlite3\"\n\nfunc main() {}\n",
        ),
    ]);
    let spec = found.spec("db");
    assert_eq!(spec.build.packages, ["go-1.27", "build-base"]);
    assert_eq!(spec.build.env["CGO_ENABLED"], "1");
    assert_eq!(
        spec.runtime.packages,
        ["ca-certificates-bundle", "glibc-2.43", "libgcc", "tzdata"]
    );
}

#[test]
fn a_go_line_is_a_minimum_that_has_to_be_packaged() {
    let main = ("main.go", "package main\nfunc main() {}\n");
    let new = found(&[("go.mod", "module a\n\ngo 1.28\n"), main]);
    let refused = &new.refused[0];
    assert_eq!(
        (refused.file.as_str(), refused.line, refused.reason.as_str()),
        ("go.mod", Some(3), "Go `1.28` is not packaged")
    );
    assert_eq!(
        refused.help.as_deref(),
        Some("the maintained ones are `go-1.26`, `go-1.27`")
    );
    let old = found(&[("go.mod", "module a\n\ngo 1.18\n"), main]);
    assert_eq!(old.spec("a").build.packages, ["go-1.27"]);
}

#[test]
fn a_toolchain_line_is_a_wish_and_a_version_file_a_pin() {
    let main = ("main.go", "package main\nfunc main() {}\n");
    let wish = found(&[
        ("go.mod", "module a\n\ngo 1.25\ntoolchain go1.99.1\n"),
        main,
    ]);
    assert_eq!(wish.spec("a").build.packages, ["go-1.27"]);
    assert_eq!(
        wish.messages(),
        ["go.mod:4: Go `go1.99.1` is not packaged; `go-1.27` is used, which the `go` line allows"]
    );
    let pin = found(&[
        ("go.mod", "module a\n\ngo 1.25\n"),
        (".go-version", "1.26\n"),
        main,
    ]);
    assert_eq!(pin.spec("a").build.packages, ["go-1.26"]);
    let candidate = found(&[("go.mod", "module a\n\ngo 1.27rc1\n"), main]);
    assert_eq!(candidate.spec("a").build.packages, ["go-1.27"]);
}

#[test]
fn only_files_that_are_built_for_linux_count() {
    let found = found(&[
        ("go.mod", "module a\ngo 1.26\n"),
        ("main.go", "package main\nfunc main() {}\n"),
        (
            "main_windows.go",
            "package main\nfunc init() { http.ListenAndServe(\":1\", nil) }\n",
        ),
        (
            "cmd/old/main.go",
            "//go:build (windows || darwin) && !linux\n\npackage main\nfunc main() {}\n",
        ),
    ]);
    assert_eq!(found.names(), ["a"]);
    assert_eq!(found.spec("a").metadata.kind, Some(Kind::Worker));
}

#[test]
fn what_is_embedded_is_not_copied_and_a_generator_is_no_app() {
    let found = found(&[
        ("go.mod", "module a\ngo 1.26\n"),
        (
            "main.go",
            "package main\n\nimport \"embed\"\n\n//go:generate go run ./internal/makekinds\n\n//go:embed templates/*\nvar t embed.FS\n\nfunc main() { parse(t, \"templates/x.html\"); read(\"config.yaml\"); open(\"web/index.html\") }\n",
        ),
        ("templates/x.html", ""),
        ("web/index.html", ""),
        ("config.yaml", ""),
        ("other.yaml", ""),
        (
            "internal/makekinds/main.go",
            "package main\nfunc main() {}\n",
        ),
    ]);
    assert_eq!(
        copies(found.spec("a")),
        ["/out/a -> a", "web -> web", "config.yaml -> config.yaml"]
    );
    assert_eq!(
        found.reason("internal/makekinds"),
        "`//go:generate` runs it: it makes sources of this module"
    );
}

#[test]
fn a_program_without_a_module_needs_the_standard_library_only() {
    let alone = found(&[
        (
            "main.go",
            "package main\n\nimport \"net/http\"\n\nfunc main() { http.ListenAndServe(\":8080\", nil) }\n",
        ),
        ("util.go", "package main\n"),
        ("scripts/x/main.go", "package main\nfunc main() {}\n"),
    ]);
    assert_eq!(alone.names(), ["app"]);
    assert_eq!(
        alone.spec("app").build.commands,
        ["go build -trimpath -buildvcs=false -ldflags '-s -w' -o /out/app main.go util.go"]
    );
    let foreign = found(&[(
        "main.go",
        "package main\n\nimport \"github.com/x/y\"\n\nfunc main() { y.Z() }\n",
    )]);
    assert_eq!(
        foreign.refused[0].reason,
        "imports `github.com/x/y`, but there is no `go.mod`"
    );
}

#[test]
fn a_subcommand_that_serves_is_part_of_the_command() {
    let found = found(&[
        (
            "go.mod",
            "module a\ngo 1.26\nrequire github.com/spf13/cobra v1.9.0\n",
        ),
        (
            "main.go",
            "package main\n\nimport (\n\t\"github.com/spf13/cobra\"\n)\n\nfunc main() { c := cobra.Command{Use: \"serve [flags]\"}; http.ListenAndServe(\":7000\", nil) }\n",
        ),
    ]);
    assert_eq!(command(found.spec("a")), "/app/a serve");
}

#[test]
fn private_modules_need_a_login_at_build_time() {
    let found = found(&[
        (
            "go.mod",
            "module a\ngo 1.26\nrequire git.acme.internal/log v1.0.0\n",
        ),
        ("main.go", "package main\nfunc main() {}\n"),
        ("Makefile", "export GOPRIVATE=git.acme.internal/*\n"),
    ]);
    let build = &found.spec("a").build;
    assert_eq!(build.env["GOPRIVATE"], "git.acme.internal/*");
    assert_eq!(build.secrets[0].id, "netrc");
}

#[test]
fn what_is_embedded_and_not_there_is_built_by_the_front_end_that_leaves_it() {
    let main = "package main\n\nimport \"embed\"\n\n//go:embed web/dist/*\nvar pages embed.FS\n\nfunc main() { http.ListenAndServe(\":8080\", nil) }\n";
    let package = r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}}"#;
    let mut files = vec![
        ("go.mod", "module ex.com/a\n\ngo 1.26\n"),
        ("main.go", main),
        ("web/package.json", package),
        ("web/package-lock.json", "{}"),
        ("web/index.html", ""),
    ];
    let built = found(&files);
    assert_eq!(built.names(), ["a"]);
    let build = &built.spec("a").build;
    assert_eq!(build.install.commands, ["cd web && npm ci"]);
    assert_eq!(
        build.install.files,
        ["web/package-lock.json", "web/package.json"]
    );
    assert_eq!(build.commands[0], "cd web && npm run build");
    assert!(build.commands[1].starts_with("go build "));
    assert!(
        build
            .packages
            .iter()
            .any(|name| name.starts_with("nodejs-"))
    );
    files[1].1 = "package main\n\nfunc main() { http.ListenAndServe(\":8080\", nil) }\n";
    assert_eq!(found(&files).names(), ["a", "web"]);
}
