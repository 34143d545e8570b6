//! Libraries that stand alone: like apps, with nothing to run.

use super::{Kind, kind};
use crate::forest::sources::{
    C, CLOJURE, CPP, CRYSTAL, CSHARP, DART, ELIXIR, ERLANG, GLEAM, GO, HASKELL, JAVA, JAVASCRIPT,
    JULIA, LUA, NIM, OCAML, PERL, PHP, PYTHON, R, RUBY, SCALA, SWIFT, TYPESCRIPT, ZIG,
};

pub(super) const LIBRARIES: &[Kind] = &[
    kind(
        "node",
        "npm",
        JAVASCRIPT,
        r#"
-- package.json --
{
  "name": "@name@",
  "version": "1.0.0",
  "main": "index.js",
  "files": ["index.js"],
  "scripts": {
    "test": "node --test"
  }
}
-- index.js --
exports.name = '@name@';
"#,
    ),
    kind(
        "python",
        "uv",
        PYTHON,
        r#"
-- pyproject.toml --
[project]
name = "@name@"
version = "0.1.0"
requires-python = ">=3.12"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
-- @name_@/__init__.py --
NAME = "@name@"
"#,
    ),
    kind(
        "go",
        "go",
        GO,
        r#"
-- go.mod --
module example.com/@name@

go 1.26
-- @name_@.go --
package @name_@

// Name is a name.
const Name = "@name@"
"#,
    ),
    kind(
        "java",
        "maven",
        JAVA,
        r#"
-- pom.xml --
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId>
  <artifactId>@name@</artifactId>
  <version>1.0.0</version>
</project>
"#,
    ),
    kind(
        "java",
        "gradle",
        JAVA,
        r#"
-- settings.gradle --
rootProject.name = '@name@'
-- build.gradle --
plugins {
    id 'java-library'
}
"#,
    ),
    kind(
        "csharp",
        "dotnet",
        CSHARP,
        r#"
-- @Name@.csproj --
<Project Sdk="Microsoft.NET.Sdk">

  <PropertyGroup>
    <TargetFramework>net10.0</TargetFramework>
  </PropertyGroup>

</Project>
"#,
    ),
    kind(
        "php",
        "composer",
        PHP,
        r#"
-- composer.json --
{
    "name": "example/@name@",
    "type": "library",
    "autoload": { "psr-4": { "Example\\": "src/" } }
}
"#,
    ),
    kind(
        "ruby",
        "bundler",
        RUBY,
        r#"
-- @name@.gemspec --
Gem::Specification.new do |spec|
  spec.name = "@name@"
  spec.version = "1.0.0"
  spec.summary = "A library"
  spec.authors = ["us"]
end
-- Gemfile --
source "https://gems.example.com"

gemspec
"#,
    ),
    kind(
        "python",
        "poetry",
        PYTHON,
        r#"
-- pyproject.toml --
[tool.poetry]
name = "@name@"
version = "0.1.0"
description = ""
authors = []
packages = [{ include = "@name_@" }]

[tool.poetry.dependencies]
python = "^3.12"

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
-- @name_@/__init__.py --
-- tests/app.py --
from flask import Flask

app = Flask(__name__)
"#,
    ),
    kind(
        "python",
        "setuptools",
        PYTHON,
        r#"
-- setup.py --
from setuptools import setup

setup(name="@name@", version="1.0.0", packages=["@name_@"])
-- @name_@/__init__.py --
-- docs/conf.py --
project = "@name@"
"#,
    ),
    kind(
        "scala",
        "sbt",
        SCALA,
        r#"
-- build.sbt --
ThisBuild / scalaVersion := "3.3.6"

lazy val root = (project in file(".")).settings(name := "@name@")
-- project/build.properties --
sbt.version=1.11.4
"#,
    ),
    kind(
        "clojure",
        "leiningen",
        CLOJURE,
        r#"
-- project.clj --
(defproject example/@name@ "0.1.0"
  :description "No :main in here"
  :dependencies [[org.clojure/clojure "1.12.0"]])
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

  def project, do: [app: :@name_@, version: "0.1.0", package: [licenses: ["MIT"]], deps: []]
  def application, do: [extra_applications: [:logger]]
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
-- src/@name_@.app.src --
{application, @name_@, [{vsn, "1.0.0"}, {applications, [kernel, stdlib]}]}.
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
-- src/@name_@.gleam --
pub fn greet(name: String) -> String {
  "Hello, " <> name
}
"#,
    ),
    kind(
        "deno",
        "deno",
        TYPESCRIPT,
        r#"
-- deno.json --
{ "name": "@company/@name@", "version": "1.0.0", "exports": "./mod.ts" }
-- mod.ts --
export const name = '@name@';
"#,
    ),
    kind(
        "zig",
        "zig",
        ZIG,
        r#"
-- build.zig --
const std = @import("std");

pub fn build(b: *std.Build) void {
    _ = b.addModule("@name_@", .{ .root_source_file = b.path("shapes.zig") });
}
-- shapes.zig --
pub const sides = 3;
"#,
    ),
    kind(
        "swift",
        "swiftpm",
        SWIFT,
        r#"
-- Package.swift --
// swift-tools-version:5.10
import PackageDescription

let package = Package(name: "@Name@", targets: [.target(name: "@Name@")])
"#,
    ),
    kind(
        "haskell",
        "cabal",
        HASKELL,
        r#"
-- @name@.cabal --
cabal-version: 2.4
name: @name@
version: 0.1.0

library
  exposed-modules: Pure
"#,
    ),
    kind(
        "crystal",
        "shards",
        CRYSTAL,
        r#"
-- shard.yml --
name: @name_@
version: 0.1.0
-- src/@name_@.cr --
module Ropes
end
"#,
    ),
    kind(
        "nim",
        "nimble",
        NIM,
        r#"
-- @name_@.nimble --
version = "0.1.0"
srcDir = "src"
-- src/@name_@.nim --
proc wave*() = discard
"#,
    ),
    kind(
        "ocaml",
        "dune",
        OCAML,
        r#"
-- dune-project --
(lang dune 3.16)
-- src/dune --
(library
 (name @name_@))
-- src/@name_@.ml --
let answer = 42
"#,
    ),
    kind(
        "dart",
        "dart",
        DART,
        r#"
-- pubspec.yaml --
name: @name_@
environment:
  sdk: ^3.5.0
-- lib/@name_@.dart --
int cents(int whole) => whole * 100;
"#,
    ),
    kind(
        "c++",
        "cmake",
        CPP,
        r#"
-- CMakeLists.txt --
cmake_minimum_required(VERSION 3.20)
project(@name_@ CXX)
add_library(@name_@ SHARED @name_@.cpp)
if(BUILD_TESTING)
  add_executable(check tests/check.cpp)
endif()
-- @name_@.cpp --
int shapes() { return 3; }
-- tests/check.cpp --
int main() { return 0; }
"#,
    ),
    kind(
        "c",
        "meson",
        C,
        r#"
-- meson.build --
project('@name@', 'c')
library('@name_@', 'shapes.c')
-- shapes.c --
int sides(void) { return 3; }
"#,
    ),
    kind(
        "c",
        "make",
        C,
        r#"
-- Makefile --
all: lib@name_@.a

lib@name_@.a: shapes.o
	$(AR) rcs $@ $^
-- shapes.c --
int sides(void) { return 3; }
"#,
    ),
    kind(
        "perl",
        "cpanm",
        PERL,
        r#"
-- Makefile.PL --
use ExtUtils::MakeMaker;

WriteMakefile(NAME => 'Rope');
-- lib/Rope.pm --
package Rope;

1;
"#,
    ),
    kind(
        "lua",
        "luarocks",
        LUA,
        r#"
-- @name@-1.0-1.rockspec --
package = "@name@"
version = "1.0-1"
-- coral.lua --
return {}
"#,
    ),
    kind(
        "r",
        "r",
        R,
        r#"
-- DESCRIPTION --
Package: knots
Version: 0.1
-- R/knots.R --
knots <- function() 1
"#,
    ),
    kind(
        "julia",
        "pkg",
        JULIA,
        r#"
-- Project.toml --
name = "Rings"
uuid = "5b1f3d51-9c0b-4e64-8f6e-1b8c6ad1f0a2"
-- src/Rings.jl --
module Rings
end
"#,
    ),
];
