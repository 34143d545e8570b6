//! Apps for the virtual machine of Erlang.

use super::{Kind, kind};
use crate::forest::sources::{ELIXIR, ERLANG, GLEAM, MARKDOWN};

pub(super) const APPS: &[Kind] = &[
    kind(
        "elixir",
        "mix",
        ELIXIR,
        r#"
-- mix.exs --
defmodule @Name@.MixProject do
  use Mix.Project

  def project do
    [app: :@name_@, version: "0.1.0", elixir: "~> 1.18", deps: []]
  end

  def application do
    [extra_applications: [:logger], mod: {@Name@.Application, []}]
  end
end
-- lib/@name_@/application.ex --
defmodule @Name@.Application do
  use Application

  def start(_type, _arguments), do: Supervisor.start_link([], strategy: :one_for_one)
end
"#,
    ),
    kind(
        "erlang",
        "rebar3",
        ERLANG,
        r#"
-- rebar.config --
{erl_opts, [debug_info]}.
{deps, []}.

{relx, [{release, {@name_@, "1.0.0"}, [@name_@, sasl]}]}.
-- src/@name_@.app.src --
{application, @name_@,
 [{vsn, "1.0.0"}, {mod, {@name_@_app, []}}, {applications, [kernel, stdlib]}]}.
-- src/@name_@_app.erl --
-module(@name_@_app).
-behaviour(application).
-export([start/2, stop/1]).

start(_, _) -> {ok, self()}.
stop(_) -> ok.
"#,
    ),
    kind(
        "gleam",
        "gleam",
        GLEAM,
        r#"
-- gleam.toml --
name = "@name_@"
version = "1.0.0"
gleam = ">= 1.11.0"

[dependencies]
gleam_stdlib = ">= 0.44.0 and < 2.0.0"
-- src/@name_@.gleam --
import gleam/io

pub fn main() {
  io.println("@name@")
}
"#,
    ),
    kind(
        "elixir",
        "mix",
        ELIXIR,
        r#"
-- mix.exs --
defmodule @Name@.MixProject do
  use Mix.Project

  def project do
    [
      # app: :old,
      version: "0.1.0",
      app: :@name_@,
      elixir: "~> 1.17",
      aliases: ["assets.deploy": ["phx.digest"]],
      deps: [{:phoenix, "~> 1.8"}, {:bandit, "~> 1.5"}]
    ]
  end

  def application, do: [mod: {@Name@.Application, []}]
end
-- mix.lock --
%{
}
-- lib/@name_@/application.ex --
defmodule @Name@.Application do
  use Application

  def start(_type, _arguments), do: Supervisor.start_link([@Name@Web.Endpoint], strategy: :one_for_one)
end
-- assets/package.json --
{ "dependencies": { "topbar": "^3.0.0" }, "scripts": { "build": "node build.js" } }
-- assets/js/app.js --
import topbar from "topbar"
"#,
    ),
    kind(
        "elixir",
        "mix",
        MARKDOWN,
        r#"
-- mix.exs --
defmodule @Name@.MixProject do
  use Mix.Project

  def project do
    [apps_path: "apps", version: "0.1.0", deps: [], releases: [@name_@: [applications: [@name_@_core: :permanent]]]]
  end
end
-- apps/@name_@_core/mix.exs --
defmodule @Name@Core.MixProject do
  use Mix.Project

  def project, do: [app: :@name_@_core, version: "0.1.0", deps: []]
  def application, do: [mod: {@Name@Core.Application, []}]
end
-- apps/@name_@_core/lib/core.ex --
defmodule @Name@Core.Application do
  use Application

  def start(_type, _arguments), do: Supervisor.start_link([], strategy: :one_for_one)
end
"#,
    ),
];
