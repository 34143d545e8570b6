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
