//! The kinds of apps, of libraries and of look-alikes that grow in the forest.
//!
//! In paths and texts `@name@` is the name of what grows there, `@Name@` the same as a type would be called and `@name_@` as a
//! variable would.

/// Files: their paths and texts.
type Files = &'static [(&'static str, &'static str)];

/// A kind of app or library.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// As `metadata.language` has it.
    pub(crate) language: &'static str,
    /// As `metadata.build_system` has it.
    pub(crate) build_system: &'static str,
    /// What its workspace is called, for one that has its root there.
    pub(crate) home: Option<&'static str>,
    /// The files that make it what it is.
    pub(crate) files: Files,
    /// One of the many sources beside them.
    pub(crate) source: Source,
}

/// The file that a kind has many of; `@part@` and `@unit@` are numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) path: &'static str,
    pub(crate) text: &'static str,
}

const fn kind(
    language: &'static str,
    build_system: &'static str,
    source: Source,
    files: Files,
) -> Kind {
    Kind {
        language,
        build_system,
        home: None,
        files,
        source,
    }
}

const fn member(
    home: &'static str,
    language: &'static str,
    build_system: &'static str,
    source: Source,
    files: Files,
) -> Kind {
    Kind {
        language,
        build_system,
        home: Some(home),
        files,
        source,
    }
}

const JAVASCRIPT: Source = Source {
    path: "src/part-@part@/unit-@unit@.js",
    text: "import { part } from './unit-00.js';\n\n// Port 9@unit@ is nobody's.\nexport function unit@unit@(value) {\n  return part(value, '@name@');\n}\n",
};
const TYPESCRIPT: Source = Source {
    path: "src/part-@part@/unit-@unit@.ts",
    text: "import type { Part } from './types';\n\nexport const unit@unit@ = (part: Part): string => `${part.name} of @name@`;\n",
};
const PYTHON: Source = Source {
    path: "@name_@/part_@part@/unit_@unit@.py",
    text: "import json\n\n\ndef unit_@unit@(value):\n    \"\"\"Not an `app = Flask(__name__)`.\"\"\"\n    return json.dumps({\"@name@\": value})\n",
};
const GO: Source = Source {
    path: "internal/part@part@/unit@unit@.go",
    text: "package part@part@\n\nimport \"strings\"\n\n// Unit@unit@ is no func main() {}.\nfunc Unit@unit@(text string) string {\n\treturn strings.ToUpper(text)\n}\n",
};
const RUST: Source = Source {
    path: "src/part_@part@/unit_@unit@.rs",
    text: "//! fn main() {} is elsewhere.\n\npub fn unit_@unit@(value: &str) -> String {\n    value.to_uppercase()\n}\n",
};
const JAVA: Source = Source {
    path: "src/main/java/example/part@part@/Unit@unit@.java",
    text: "package example.part@part@;\n\nfinal class Unit@unit@ {\n    String text(String value) {\n        return value.trim();\n    }\n}\n",
};
const KOTLIN: Source = Source {
    path: "src/main/kotlin/example/part@part@/Unit@unit@.kt",
    text: "package example.part@part@\n\ninternal fun unit@unit@(value: String) = value.trim()\n",
};
const SCALA: Source = Source {
    path: "src/main/scala/example/part@part@/Unit@unit@.scala",
    text: "package example.part@part@\n\nfinal case class Unit@unit@(value: String)\n",
};
const CLOJURE: Source = Source {
    path: "src/@name_@/part@part@/unit@unit@.clj",
    text: "(ns @name@.part@part@.unit@unit@)\n\n(defn unit [value] (str value))\n",
};
const CSHARP: Source = Source {
    path: "Parts/Part@part@/Unit@unit@.cs",
    text: "namespace Example.Part@part@;\n\npublic sealed record Unit@unit@(string Value);\n",
};
const FSHARP: Source = Source {
    path: "Parts/Part@part@/Unit@unit@.fs",
    text: "module Example.Part@part@.Unit@unit@\n\nlet unit value = value + 1\n",
};
const VISUAL_BASIC: Source = Source {
    path: "Parts/Part@part@/Unit@unit@.vb",
    text: "Public Class Unit@unit@\n    Public Property Value As String\nEnd Class\n",
};
const PHP: Source = Source {
    path: "src/Part@part@/Unit@unit@.php",
    text: "<?php\n\nnamespace Example\\Part@part@;\n\nfinal class Unit@unit@\n{\n}\n",
};
const RUBY: Source = Source {
    path: "lib/@name_@/part_@part@/unit_@unit@.rb",
    text: "# frozen_string_literal: true\n\nmodule Part@part@\n  Unit@unit@ = Struct.new(:value)\nend\n",
};
const ELIXIR: Source = Source {
    path: "lib/@name_@/part_@part@/unit_@unit@.ex",
    text: "defmodule Part@part@.Unit@unit@ do\n  def unit(value), do: value\nend\n",
};
const ERLANG: Source = Source {
    path: "src/part_@part@/unit_@part@_@unit@.erl",
    text: "-module(unit_@part@_@unit@).\n-export([unit/1]).\n\nunit(Value) -> Value.\n",
};
const GLEAM: Source = Source {
    path: "src/part_@part@/unit_@unit@.gleam",
    text: "pub fn unit(value) {\n  value\n}\n",
};
const STYLES: Source = Source {
    path: "assets/part-@part@/unit-@unit@.css",
    text: ".unit-@unit@ {\n  color: rebeccapurple;\n}\n",
};

/// Every kind of app; a new one is an entry here.
pub(crate) const APPS: &[Kind] = &[
    kind(
        "go",
        "go",
        GO,
        &[
            ("go.mod", "module example.com/@name@\n\ngo 1.26\n"),
            (
                "main.go",
                "package main\n\nimport \"net/http\"\n\nfunc main() {\n\thttp.ListenAndServe(\":8080\", nil)\n}\n",
            ),
        ],
    ),
    kind(
        "node",
        "npm",
        JAVASCRIPT,
        &[
            (
                "package.json",
                "{\n  \"name\": \"@name@\",\n  \"type\": \"module\",\n  \"scripts\": {\n    \"start\": \"node server.js\"\n  }\n}\n",
            ),
            (
                "package-lock.json",
                "{\n  \"name\": \"@name@\",\n  \"lockfileVersion\": 3,\n  \"packages\": { \"\": { \"name\": \"@name@\" } }\n}\n",
            ),
            (
                "server.js",
                "import { createServer } from 'node:http';\n\ncreateServer((_, answer) => answer.end('@name@')).listen(process.env.PORT ?? 3000);\n",
            ),
        ],
    ),
    kind(
        "node",
        "yarn",
        JAVASCRIPT,
        &[
            (
                "package.json",
                "{\n  \"name\": \"@name@\",\n  \"packageManager\": \"yarn@1.22.22\",\n  \"scripts\": {\n    \"start\": \"node server.js\"\n  }\n}\n",
            ),
            (
                "yarn.lock",
                "# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.\n# yarn lockfile v1\n\n",
            ),
            (
                "server.js",
                "require('node:http').createServer((_, answer) => answer.end('@name@')).listen(process.env.PORT || 3000);\n",
            ),
        ],
    ),
    kind(
        "node",
        "bun",
        TYPESCRIPT,
        &[
            (
                "package.json",
                "{\n  \"name\": \"@name@\",\n  \"packageManager\": \"bun@1.3.0\",\n  \"scripts\": {\n    \"start\": \"bun server.ts\"\n  }\n}\n",
            ),
            (
                "bun.lock",
                "{\n  \"lockfileVersion\": 1,\n  \"workspaces\": { \"\": { \"name\": \"@name@\" } },\n  \"packages\": {}\n}\n",
            ),
            (
                "server.ts",
                "Bun.serve({ port: process.env.PORT ?? 3000, fetch: () => new Response('@name@') });\n",
            ),
        ],
    ),
    member(
        "front",
        "node",
        "pnpm",
        TYPESCRIPT,
        &[
            (
                "package.json",
                "{\n  \"name\": \"@front/@name@\",\n  \"private\": true,\n  \"type\": \"module\",\n  \"scripts\": {\n    \"build\": \"vite build\"\n  },\n  \"devDependencies\": {\n    \"vite\": \"^7.0.0\"\n  }\n}\n",
            ),
            (
                "index.html",
                "<!doctype html>\n<html lang=\"en\">\n  <head>\n    <title>@name@</title>\n  </head>\n  <body>\n    <script type=\"module\" src=\"/src/main.ts\"></script>\n  </body>\n</html>\n",
            ),
            (
                "vite.config.ts",
                "import { defineConfig } from 'vite';\n\nexport default defineConfig({});\n",
            ),
            ("src/main.ts", "document.body.append('@name@');\n"),
        ],
    ),
    kind(
        "python",
        "pip",
        PYTHON,
        &[
            ("requirements.txt", "flask==3.1.2\ngunicorn==23.0.0\n"),
            (
                "app.py",
                "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get(\"/\")\ndef home():\n    return \"@name@\"\n",
            ),
        ],
    ),
    kind(
        "python",
        "uv",
        PYTHON,
        &[
            (
                "pyproject.toml",
                "[project]\nname = \"@name@\"\nversion = \"0.1.0\"\nrequires-python = \">=3.12\"\ndependencies = [\"fastapi\", \"uvicorn\"]\n",
            ),
            (
                "uv.lock",
                "version = 1\nrevision = 3\nrequires-python = \">=3.12\"\n\n[[package]]\nname = \"@name@\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\ndependencies = [\n    { name = \"fastapi\" },\n    { name = \"uvicorn\" },\n]\n\n[[package]]\nname = \"fastapi\"\nversion = \"0.120.0\"\n\n[[package]]\nname = \"uvicorn\"\nversion = \"0.38.0\"\n",
            ),
            (
                "main.py",
                "from fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get(\"/\")\ndef home():\n    return \"@name@\"\n",
            ),
        ],
    ),
    kind(
        "python",
        "poetry",
        PYTHON,
        &[
            (
                "pyproject.toml",
                "[tool.poetry]\nname = \"@name@\"\nversion = \"0.1.0\"\ndescription = \"\"\nauthors = []\npackage-mode = false\n\n[tool.poetry.dependencies]\npython = \"^3.12\"\nflask = \"^3.1\"\ngunicorn = \"^23.0\"\n\n[build-system]\nrequires = [\"poetry-core\"]\nbuild-backend = \"poetry.core.masonry.api\"\n",
            ),
            (
                "poetry.lock",
                "# This file is automatically @generated by Poetry 2.2.1 and should not be changed by hand.\n\n[[package]]\nname = \"flask\"\nversion = \"3.1.2\"\n\n[[package]]\nname = \"gunicorn\"\nversion = \"23.0.0\"\n\n[metadata]\nlock-version = \"2.1\"\npython-versions = \"^3.12\"\ncontent-hash = \"0\"\n",
            ),
            (
                "app.py",
                "from flask import Flask\n\napp = Flask(__name__)\n",
            ),
        ],
    ),
    kind(
        "rust",
        "cargo",
        RUST,
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"@name@\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
            ),
            (
                "Cargo.lock",
                "version = 4\n\n[[package]]\nname = \"@name@\"\nversion = \"0.1.0\"\n",
            ),
            (
                "src/main.rs",
                "use std::net::TcpListener;\n\nfn main() {\n    let listener = TcpListener::bind(\"0.0.0.0:8080\").unwrap();\n    for _ in listener.incoming() {}\n}\n",
            ),
        ],
    ),
    member(
        "native",
        "rust",
        "cargo",
        RUST,
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"@name@\"\nversion.workspace = true\nedition.workspace = true\n",
            ),
            ("src/main.rs", "fn main() {\n    println!(\"@name@\");\n}\n"),
        ],
    ),
    kind(
        "static",
        "none",
        STYLES,
        &[(
            "index.html",
            "<!doctype html>\n<html lang=\"en\">\n  <title>@name@</title>\n</html>\n",
        )],
    ),
    kind(
        "java",
        "maven",
        JAVA,
        &[
            (
                "pom.xml",
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <modelVersion>4.0.0</modelVersion>\n  <parent>\n    <groupId>org.springframework.boot</groupId>\n    <artifactId>spring-boot-starter-parent</artifactId>\n    <version>3.5.6</version>\n    <relativePath/>\n  </parent>\n  <groupId>example</groupId>\n  <artifactId>@name@</artifactId>\n  <version>1.0.0</version>\n  <properties>\n    <java.version>21</java.version>\n  </properties>\n  <dependencies>\n    <dependency>\n      <groupId>org.springframework.boot</groupId>\n      <artifactId>spring-boot-starter-web</artifactId>\n    </dependency>\n  </dependencies>\n  <build>\n    <plugins>\n      <plugin>\n        <groupId>org.springframework.boot</groupId>\n        <artifactId>spring-boot-maven-plugin</artifactId>\n      </plugin>\n    </plugins>\n  </build>\n</project>\n",
            ),
            (
                "src/main/java/example/Main.java",
                "package example;\n\nimport org.springframework.boot.SpringApplication;\nimport org.springframework.boot.autoconfigure.SpringBootApplication;\n\n@SpringBootApplication\npublic class Main {\n    public static void main(String[] arguments) {\n        SpringApplication.run(Main.class, arguments);\n    }\n}\n",
            ),
        ],
    ),
    kind(
        "java",
        "gradle",
        JAVA,
        &[
            ("settings.gradle", "rootProject.name = '@name@'\n"),
            (
                "build.gradle",
                "plugins {\n    id 'application'\n}\n\napplication {\n    mainClass = 'example.Main'\n}\n",
            ),
            (
                "src/main/java/example/Main.java",
                "package example;\n\npublic class Main {\n    public static void main(String[] arguments) {\n    }\n}\n",
            ),
        ],
    ),
    kind(
        "kotlin",
        "gradle",
        KOTLIN,
        &[
            ("settings.gradle.kts", "rootProject.name = \"@name@\"\n"),
            (
                "build.gradle.kts",
                "plugins {\n    kotlin(\"jvm\") version \"2.2.20\"\n    application\n}\n\nkotlin {\n    jvmToolchain(21)\n}\n\napplication {\n    mainClass.set(\"example.MainKt\")\n}\n",
            ),
            (
                "src/main/kotlin/example/Main.kt",
                "package example\n\nfun main() {\n    println(\"@name@\")\n}\n",
            ),
        ],
    ),
    kind(
        "scala",
        "sbt",
        SCALA,
        &[
            (
                "build.sbt",
                "ThisBuild / scalaVersion := \"3.3.6\"\n\nlazy val root = (project in file(\".\"))\n  .enablePlugins(JavaAppPackaging)\n  .settings(\n    name := \"@name@\",\n    Compile / mainClass := Some(\"example.Main\")\n  )\n",
            ),
            ("project/build.properties", "sbt.version=1.11.4\n"),
            (
                "project/plugins.sbt",
                "addSbtPlugin(\"com.github.sbt\" % \"sbt-native-packager\" % \"1.11.1\")\n",
            ),
            (
                "src/main/scala/example/Main.scala",
                "package example\n\nobject Main extends App {\n  println(\"@name@\")\n}\n",
            ),
        ],
    ),
    kind(
        "clojure",
        "leiningen",
        CLOJURE,
        &[
            (
                "project.clj",
                "(defproject example/@name@ \"0.1.0\"\n  :dependencies [[org.clojure/clojure \"1.12.0\"]]\n  :main ^:skip-aot @name@.core\n  :uberjar-name \"@name@.jar\"\n  :profiles {:uberjar {:aot :all}})\n",
            ),
            (
                "src/@name_@/core.clj",
                "(ns @name@.core\n  (:gen-class))\n\n(defn -main [& _]\n  (println \"@name@\"))\n",
            ),
        ],
    ),
    kind(
        "csharp",
        "dotnet",
        CSHARP,
        &[
            (
                "@Name@.csproj",
                "<Project Sdk=\"Microsoft.NET.Sdk.Web\">\n\n  <PropertyGroup>\n    <TargetFramework>net10.0</TargetFramework>\n  </PropertyGroup>\n\n</Project>\n",
            ),
            (
                "Program.cs",
                "var app = WebApplication.CreateBuilder(args).Build();\napp.MapGet(\"/\", () => \"@name@\");\napp.Run();\n",
            ),
        ],
    ),
    kind(
        "fsharp",
        "dotnet",
        FSHARP,
        &[
            (
                "@Name@.fsproj",
                "<Project Sdk=\"Microsoft.NET.Sdk\">\n\n  <PropertyGroup>\n    <OutputType>Exe</OutputType>\n    <TargetFramework>net10.0</TargetFramework>\n  </PropertyGroup>\n\n  <ItemGroup>\n    <Compile Include=\"Program.fs\" />\n  </ItemGroup>\n\n</Project>\n",
            ),
            ("Program.fs", "printfn \"@name@\"\n"),
        ],
    ),
    kind(
        "vb",
        "dotnet",
        VISUAL_BASIC,
        &[
            (
                "@Name@.vbproj",
                "<Project Sdk=\"Microsoft.NET.Sdk\">\n\n  <PropertyGroup>\n    <OutputType>Exe</OutputType>\n    <TargetFramework>net10.0</TargetFramework>\n  </PropertyGroup>\n\n</Project>\n",
            ),
            (
                "Program.vb",
                "Module Program\n    Sub Main()\n        Console.WriteLine(\"@name@\")\n    End Sub\nEnd Module\n",
            ),
        ],
    ),
    kind(
        "php",
        "composer",
        PHP,
        &[
            (
                "composer.json",
                "{\n    \"name\": \"example/@name@\",\n    \"type\": \"project\",\n    \"require\": { \"php\": \">=8.2\" },\n    \"autoload\": { \"psr-4\": { \"Example\\\\\": \"src/\" } }\n}\n",
            ),
            (
                "composer.lock",
                "{\n    \"content-hash\": \"0\",\n    \"packages\": [],\n    \"packages-dev\": []\n}\n",
            ),
            (
                "public/index.php",
                "<?php\n\nrequire __DIR__ . '/../vendor/autoload.php';\n\necho '@name@';\n",
            ),
        ],
    ),
    kind(
        "php",
        "php",
        PHP,
        &[("index.php", "<?php\n\necho '@name@';\n")],
    ),
    kind(
        "ruby",
        "bundler",
        RUBY,
        &[
            (
                "Gemfile",
                "source \"https://gems.example.com\"\n\ngem \"rackup\"\ngem \"puma\"\n",
            ),
            (
                "Gemfile.lock",
                "GEM\n  remote: https://gems.example.com/\n  specs:\n    puma (7.0.4)\n    rack (3.2.3)\n    rackup (2.2.1)\n      rack (>= 3)\n\nPLATFORMS\n  ruby\n  x86_64-linux\n\nDEPENDENCIES\n  puma\n  rackup\n\nBUNDLED WITH\n   2.7.2\n",
            ),
            ("config.ru", "run ->(_env) { [200, {}, [\"@name@\"]] }\n"),
        ],
    ),
    kind(
        "elixir",
        "mix",
        ELIXIR,
        &[
            (
                "mix.exs",
                "defmodule @Name@.MixProject do\n  use Mix.Project\n\n  def project do\n    [app: :@name_@, version: \"0.1.0\", elixir: \"~> 1.18\", deps: []]\n  end\n\n  def application do\n    [extra_applications: [:logger], mod: {@Name@.Application, []}]\n  end\nend\n",
            ),
            (
                "lib/@name_@/application.ex",
                "defmodule @Name@.Application do\n  use Application\n\n  def start(_type, _arguments), do: Supervisor.start_link([], strategy: :one_for_one)\nend\n",
            ),
        ],
    ),
    kind(
        "erlang",
        "rebar3",
        ERLANG,
        &[
            (
                "rebar.config",
                "{erl_opts, [debug_info]}.\n{deps, []}.\n\n{relx, [{release, {@name_@, \"1.0.0\"}, [@name_@, sasl]}]}.\n",
            ),
            (
                "src/@name_@.app.src",
                "{application, @name_@,\n [{vsn, \"1.0.0\"}, {mod, {@name_@_app, []}}, {applications, [kernel, stdlib]}]}.\n",
            ),
            (
                "src/@name_@_app.erl",
                "-module(@name_@_app).\n-behaviour(application).\n-export([start/2, stop/1]).\n\nstart(_, _) -> {ok, self()}.\nstop(_) -> ok.\n",
            ),
        ],
    ),
    kind(
        "gleam",
        "gleam",
        GLEAM,
        &[
            (
                "gleam.toml",
                "name = \"@name_@\"\nversion = \"1.0.0\"\ngleam = \">= 1.11.0\"\n\n[dependencies]\ngleam_stdlib = \">= 0.44.0 and < 2.0.0\"\n",
            ),
            (
                "src/@name_@.gleam",
                "import gleam/io\n\npub fn main() {\n  io.println(\"@name@\")\n}\n",
            ),
        ],
    ),
    kind(
        "deno",
        "deno",
        TYPESCRIPT,
        &[
            (
                "deno.json",
                "{\n  \"tasks\": {\n    \"start\": \"deno run --allow-net main.ts\"\n  }\n}\n",
            ),
            (
                "main.ts",
                "Deno.serve({ port: 8000 }, () => new Response('@name@'));\n",
            ),
        ],
    ),
];

/// Every kind of library: like an app, with nothing to run.
pub(crate) const LIBRARIES: &[Kind] = &[
    kind(
        "node",
        "npm",
        JAVASCRIPT,
        &[
            (
                "package.json",
                "{\n  \"name\": \"@name@\",\n  \"version\": \"1.0.0\",\n  \"main\": \"index.js\",\n  \"files\": [\"index.js\"],\n  \"scripts\": {\n    \"test\": \"node --test\"\n  }\n}\n",
            ),
            ("index.js", "exports.name = '@name@';\n"),
        ],
    ),
    member(
        "front",
        "node",
        "pnpm",
        TYPESCRIPT,
        &[
            (
                "package.json",
                "{\n  \"name\": \"@front/@name@\",\n  \"version\": \"0.0.0\",\n  \"private\": true,\n  \"exports\": \"./src/index.ts\"\n}\n",
            ),
            ("src/index.ts", "export const name = '@name@';\n"),
        ],
    ),
    kind(
        "python",
        "uv",
        PYTHON,
        &[
            (
                "pyproject.toml",
                "[project]\nname = \"@name@\"\nversion = \"0.1.0\"\nrequires-python = \">=3.12\"\n\n[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n",
            ),
            ("@name_@/__init__.py", "NAME = \"@name@\"\n"),
        ],
    ),
    kind(
        "go",
        "go",
        GO,
        &[
            ("go.mod", "module example.com/@name@\n\ngo 1.26\n"),
            (
                "@name_@.go",
                "package @name_@\n\n// Name is a name.\nconst Name = \"@name@\"\n",
            ),
        ],
    ),
    member(
        "native",
        "rust",
        "cargo",
        RUST,
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"@name@\"\nversion.workspace = true\nedition.workspace = true\n",
            ),
            (
                "src/lib.rs",
                "//! A library.\n\npub const NAME: &str = \"@name@\";\n",
            ),
        ],
    ),
    kind(
        "java",
        "maven",
        JAVA,
        &[(
            "pom.xml",
            "<project>\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>example</groupId>\n  <artifactId>@name@</artifactId>\n  <version>1.0.0</version>\n</project>\n",
        )],
    ),
    kind(
        "java",
        "gradle",
        JAVA,
        &[
            ("settings.gradle", "rootProject.name = '@name@'\n"),
            ("build.gradle", "plugins {\n    id 'java-library'\n}\n"),
        ],
    ),
    kind(
        "csharp",
        "dotnet",
        CSHARP,
        &[(
            "@Name@.csproj",
            "<Project Sdk=\"Microsoft.NET.Sdk\">\n\n  <PropertyGroup>\n    <TargetFramework>net10.0</TargetFramework>\n  </PropertyGroup>\n\n</Project>\n",
        )],
    ),
    kind(
        "php",
        "composer",
        PHP,
        &[(
            "composer.json",
            "{\n    \"name\": \"example/@name@\",\n    \"type\": \"library\",\n    \"autoload\": { \"psr-4\": { \"Example\\\\\": \"src/\" } }\n}\n",
        )],
    ),
    kind(
        "ruby",
        "bundler",
        RUBY,
        &[
            (
                "@name@.gemspec",
                "Gem::Specification.new do |spec|\n  spec.name = \"@name@\"\n  spec.version = \"1.0.0\"\n  spec.summary = \"A library\"\n  spec.authors = [\"us\"]\nend\n",
            ),
            (
                "Gemfile",
                "source \"https://gems.example.com\"\n\ngemspec\n",
            ),
        ],
    ),
];

/// What only looks like an app: its files, below a directory of its own.
pub(crate) const TRAPS: &[Files] = &[
    &[
        (
            "fixtures/web/package.json",
            "{\"name\": \"fixture\", \"scripts\": {\"start\": \"node i.js\"}}\n",
        ),
        ("fixtures/web/i.js", ""),
    ],
    &[
        ("examples/hello/go.mod", "module hello\n\ngo 1.26\n"),
        ("examples/hello/main.go", "package main\n\nfunc main() {}\n"),
    ],
    &[
        (
            "templates/{{ name }}/package.json",
            "{\"name\": \"{{ name }}\", \"scripts\": {\"start\": \"node i.js\"}}\n",
        ),
        ("templates/{{ name }}/i.js", ""),
    ],
    &[
        (
            "node_modules/x/package.json",
            "{\"name\": \"x\", \"scripts\": {\"start\": \"node i.js\"}}\n",
        ),
        ("node_modules/x/i.js", ""),
    ],
    &[
        ("environment/pyvenv.cfg", "home = /usr/bin\n"),
        ("environment/lib/app.py", "app = Flask(__name__)\n"),
        ("environment/lib/requirements.txt", "flask\ngunicorn\n"),
    ],
    &[
        ("testdata/module/go.mod", "module m\n"),
        (
            "testdata/module/main.go",
            "package main\n\nfunc main() {}\n",
        ),
    ],
    &[
        (
            "package.json",
            "{\"name\": \"@name@\", \"version\": \"1.0.0\", \"main\": \"index.js\", \"peerDependencies\": {\"eslint\": \"9\"}}\n",
        ),
        ("index.js", "module.exports = { rules: {} };\n"),
    ],
    &[
        (
            "tsconfig/package.json",
            "{\"name\": \"tsconfig-@name@\", \"files\": [\"base.json\"]}\n",
        ),
        ("tsconfig/base.json", "{}\n"),
    ],
    &[(
        "e2e/package.json",
        "{\"name\": \"e2e\", \"scripts\": {\"start\": \"playwright test\", \"test\": \"playwright test\"}}\n",
    )],
    &[("Makefile", "docs:\n\tmake -C manual html\n")],
    &[
        (
            "tools/Cargo.toml",
            "[package]\nname = \"@name@\"\n\n[lib]\npath = \"lib.rs\"\n",
        ),
        ("tools/lib.rs", ""),
    ],
    &[
        (
            "docs/snippets/server/package.json",
            "{\"name\": \"snippet\", \"scripts\": {\"start\": \"node i.js\"}}\n",
        ),
        ("docs/snippets/server/i.js", ""),
    ],
    &[
        (
            "third_party/zlib/CMakeLists.txt",
            "cmake_minimum_required(VERSION 3.20)\nproject(zlib C)\nadd_executable(minigzip m.c)\n",
        ),
        ("third_party/zlib/m.c", "int main(void) { return 0; }\n"),
    ],
    &[
        ("main_test.go", "package main\n\nfunc main() {}\n"),
        ("go.mod", "module example.com/@name@\n\ngo 1.26\n"),
    ],
    &[(
        "tests/Web.Tests/Web.Tests.csproj",
        "<Project Sdk=\"Microsoft.NET.Sdk.Web\">\n  <ItemGroup>\n    <PackageReference Include=\"Microsoft.NET.Test.Sdk\" Version=\"17.0.0\" />\n  </ItemGroup>\n</Project>\n",
    )],
    &[
        (
            "binding.gyp",
            "{ 'targets': [{ 'target_name': 'addon', 'sources': ['addon.c'] }] }\n",
        ),
        (
            "package.json",
            "{\"name\": \"@name@\", \"main\": \"index.js\", \"gypfile\": true}\n",
        ),
        ("addon.c", "int main(void) { return 0; }\n"),
    ],
    &[
        ("requirements-dev.txt", "pytest\n"),
        ("conftest.py", "import pytest\n"),
    ],
    &[
        ("benches/load/go.mod", "module load\n"),
        ("benches/load/main.go", "package main\n\nfunc main() {}\n"),
    ],
    &[
        (
            "gen.go",
            "//go:build ignore\n\npackage main\n\nfunc main() {}\n",
        ),
        ("go.mod", "module example.com/@name@\n\ngo 1.26\n"),
    ],
    &[(
        "samples/site/index.html",
        "<!doctype html>\n<title>sample</title>\n",
    )],
];

/// The roots of the workspaces: `home`, the directory of apps and of libraries in it, and what is at its root.
pub(crate) const HOMES: &[(&str, &str, &str, Files)] = &[
    (
        "front",
        "apps",
        "packages",
        &[
            (
                "package.json",
                "{\n  \"name\": \"front\",\n  \"private\": true,\n  \"packageManager\": \"pnpm@10.18.0\",\n  \"devDependencies\": {\n    \"vite\": \"^7.0.0\"\n  }\n}\n",
            ),
            (
                "pnpm-workspace.yaml",
                "packages:\n  - apps/*\n  - packages/*\n",
            ),
            (
                "pnpm-lock.yaml",
                "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n\nimporters: {}\n",
            ),
        ],
    ),
    (
        "native",
        "apps",
        "crates",
        &[
            (
                "Cargo.toml",
                "[workspace]\nresolver = \"3\"\nmembers = [\"apps/*\", \"crates/*\"]\n\n[workspace.package]\nversion = \"0.1.0\"\nedition = \"2024\"\n",
            ),
            ("Cargo.lock", "version = 4\n"),
        ],
    ),
];
