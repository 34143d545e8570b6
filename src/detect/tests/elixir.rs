use super::{command, found, found_with};
use crate::spec::Kind;

const MIX: (&str, &str) = (
    "mix.exs",
    "def project, do: [app: :shop, version: \"0.1.0\", elixir: \"~> 1.18\"]\ndef application, do: [mod: {Shop.Application, []}]\n\n  defp deps do\n    [{:phoenix, \"~> 1.8\"}]\n  end\n",
);

#[test]
fn without_a_package_an_app_is_recognised_and_refused() {
    let found = found(&[
        MIX,
        ("assets/package.json", r#"{"scripts": {"build": "x"}}"#),
    ]);
    assert_eq!(found.refusal("shop"), "Elixir is not packaged");
    let spec = &found.refused[0].spec;
    assert_eq!(spec.metadata.framework.as_deref(), Some("phoenix"));
    assert_eq!(spec.metadata.kind, Some(Kind::Web));
    assert_eq!(spec.runtime.ports, [4000]);
    assert!(
        found
            .reason("assets")
            .starts_with("it builds the assets of")
    );
}

#[test]
fn the_index_decides_whether_it_is_built() {
    let packages =
        "erl27-elixir-1.17 1.17.3-r3\nerl27-elixir-1.18 1.18.4-r2\nerl28-elixir-1.19 1.19.5-r1";
    let built = found_with(&[MIX], packages);
    let spec = built.spec("shop");
    assert_eq!(
        spec.build.packages,
        ["erl28-elixir-1.19", "erlang-28", "git"]
    );
    assert_eq!(
        command(spec),
        "/app/erts/bin/erlexec -noshell -s elixir start_cli -mode embedded -config /app/releases/current/sys -boot /app/releases/current/start -boot_var RELEASE_LIB /app/lib -args_file /app/releases/current/vm.args -extra --no-halt"
    );
    assert_eq!(spec.runtime.env["PHX_SERVER"], "true");
    assert!(
        !spec
            .build
            .commands
            .iter()
            .any(|command| command.contains("assets"))
    );
    assert!(built.messages()[0].contains("`erl28-elixir-1.19` is no longer built"));
    let asked = found_with(
        &[
            MIX,
            (".tool-versions", "erlang 27.2\nelixir 1.18.4-otp-27\n"),
        ],
        packages,
    );
    assert_eq!(asked.spec("shop").build.packages[0], "erl27-elixir-1.18");
    let too_old = found_with(&[MIX], "erl27-elixir-1.17 1.17.3-r3");
    assert_eq!(too_old.refusal("shop"), "Elixir `~> 1.18` is not packaged");
}

#[test]
fn an_umbrella_gives_the_apps_that_its_releases_name() {
    let found = found(&[
        (
            "mix.exs",
            "def project, do: [\n  apps_path: \"apps\",\n  releases: [web: [applications: [web: :permanent]], jobs: [applications: [core: :permanent]]]\n]",
        ),
        (
            "apps/core/mix.exs",
            "def project, do: [app: :core]\nmod: {Core, []}",
        ),
        (
            "apps/web/mix.exs",
            "def project, do: [app: :web]\nmod: {Web, []}\n  defp deps do\n    [{:phoenix, \"~> 1.8\"}]\n  end",
        ),
    ]);
    let kinds: Vec<_> = found
        .refused
        .iter()
        .map(|app| {
            (
                app.spec.metadata.project_name.as_str(),
                app.spec.metadata.kind,
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [("jobs", Some(Kind::Worker)), ("web", Some(Kind::Web))]
    );
    assert_eq!(
        found.reason("apps/core"),
        "it is a part of the umbrella `.`"
    );
}

#[test]
fn erlang_is_built_where_rebar3_is_packaged() {
    let rebar = (
        "rebar.config",
        "% {release, {wrong, \"1\"}, []}\n{deps, [cowboy]}.\n{relx, [{release, {clock, \"1.0\"}, [clock]}]}.",
    );
    let source = (
        "src/clock.erl",
        "start() -> gen_tcp:listen(list_to_integer(os:getenv(\"PORT\", \"9000\")), []).",
    );
    let built = found(&[rebar, source, (".tool-versions", "erlang 28.0.1\n")]);
    let spec = built.spec("clock");
    assert!(spec.build.packages.contains(&"erl28-rebar3".to_owned()));
    assert_eq!(
        spec.build.install.commands,
        ["rebar3 as prod compile --deps_only"]
    );
    assert_eq!(spec.runtime.ports, [9000]);
    assert!(command(spec).starts_with("/app/erts/bin/erlexec -noshell -mode embedded"));
    let library = found(&[("rebar.config", "{deps, []}.")]);
    assert!(library.reason(".").contains("names no release"));
}

#[test]
fn gleam_is_recognised() {
    let found = found(&[
        (
            "gleam.toml",
            "name = \"book\"\n[dependencies]\nmist = \"5\"\n",
        ),
        ("src/book.gleam", "pub fn main() {\n}\n"),
        ("lib/gleam.toml", "name = \"lib\"\n"),
        ("js/gleam.toml", "name = \"js\"\ntarget = \"javascript\"\n"),
        ("js/src/js.gleam", "pub fn main() {\n}\n"),
    ]);
    assert_eq!(found.refusal("book"), "Gleam is not packaged");
    assert!(found.refusal("js").starts_with("compiles to JavaScript"));
    assert!(found.reason("lib").ends_with("it is a library"));
}
