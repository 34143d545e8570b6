//! Apps in languages that compile to programs.

use super::{Kind, kind};
use crate::forest::sources::{CRYSTAL, DART, GO, HASKELL, NIM, OCAML, RUST, SWIFT, ZIG};

pub(super) const APPS: &[Kind] = &[
    kind(
        "go",
        "go",
        GO,
        r#"
-- go.mod --
module example.com/@name@

go 1.26
-- main.go --
package main

import "net/http"

func main() {
	http.ListenAndServe(":8080", nil)
}
"#,
    ),
    kind(
        "rust",
        "cargo",
        RUST,
        r#"
-- Cargo.toml --
[package]
name = "@name@"
version = "0.1.0"
edition = "2024"
-- Cargo.lock --
version = 4

[[package]]
name = "@name@"
version = "0.1.0"
-- src/main.rs --
use std::net::TcpListener;

fn main() {
    let listener = TcpListener::bind("0.0.0.0:8080").unwrap();
    for _ in listener.incoming() {}
}
"#,
    ),
    kind(
        "go",
        "go",
        GO,
        r#"
-- go.mod --
module example.com/platform/@name@/v2

go 1.25.0

require github.com/gin-gonic/gin v1.11.0
-- go.sum --
-- cmd/@name@/main.go --
package main

import "github.com/gin-gonic/gin"

func main() {
	gin.Default().Run(":9100")
}
-- tools.go --
//go:build tools

package tools
"#,
    ),
    kind(
        "rust",
        "cargo",
        RUST,
        r#"
-- Cargo.toml --
[package]
name = "@name@"
version = "0.1.0"
edition = "2021"

[[bin]]
name = "@name@-server"
path = "src/server.rs"

[dependencies]
axum = "0.8"
tokio = { version = "1", features = ["full"] }
-- Cargo.lock --
version = 4
-- src/lib.rs --
//! The library of the program.
-- src/server.rs --
#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:3000").await.unwrap();
    axum::serve(listener, axum::Router::new()).await.unwrap();
}
-- examples/load.rs --
fn main() {}
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
    const exe = b.addExecutable(.{
        .name = "@name@",
        .root_module = b.createModule(.{
            .root_source_file = b.path("src/main.zig"),
            .target = b.standardTargetOptions(.{}),
            .optimize = b.standardOptimizeOption(.{}),
        }),
    });
    b.installArtifact(exe);
}
-- build.zig.zon --
.{
    .name = .@name_@,
    .version = "0.1.0",
    .minimum_zig_version = "0.14.0",
    .paths = .{""},
}
-- src/main.zig --
const std = @import("std");

pub fn main() !void {
    const address = try std.net.Address.parseIp("0.0.0.0", 8090);
    var server = try address.listen(.{});
    while (true) (try server.accept()).stream.close();
}
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

let package = Package(
    name: "@name@",
    dependencies: [.package(url: "https://example.com/vapor.git", from: "4.99.0")],
    targets: [
        .executableTarget(name: "Server", dependencies: [.product(name: "Vapor", package: "vapor")]),
        .testTarget(name: "ServerTests", dependencies: ["Server"]),
    ]
)
-- Sources/Server/main.swift --
import Vapor

let app = try await Application.make()
try await app.execute()
"#,
    ),
    kind(
        "haskell",
        "stack",
        HASKELL,
        r#"
-- stack.yaml --
resolver: lts-22.30
packages:
- .
-- package.yaml --
name: @name@
dependencies:
- base
executables:
  @name@-server:
    main: Main.hs
    source-dirs: app
    dependencies:
    - scotty
-- app/Main.hs --
{-# LANGUAGE OverloadedStrings #-}
module Main where

import Web.Scotty

main :: IO ()
main = scotty 3003 $ get "/" $ text "@name@"
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

executable @name@
  main-is: Main.hs
  build-depends: base
  hs-source-dirs: app

test-suite spec
  type: exitcode-stdio-1.0
  main-is: Spec.hs
-- app/Main.hs --
module Main where

main :: IO ()
main = putStrLn "@name@"
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
dependencies:
  kemal:
    github: kemalcr/kemal
targets:
  @name_@:
    main: src/@name_@.cr
crystal: ">= 1.12.0"
-- src/@name_@.cr --
require "kemal"

get "/" { "@name@" }
Kemal.run
"#,
    ),
    kind(
        "nim",
        "nimble",
        NIM,
        r#"
-- @name_@.nimble --
version = "0.1.0"
bin = @["@name_@"]
requires "nim >= 2.0.0", "jester >= 0.6.0"
-- @name_@.nim --
import jester

routes:
  get "/":
    resp "@name@"
"#,
    ),
    kind(
        "ocaml",
        "dune",
        OCAML,
        r#"
-- dune-project --
(lang dune 3.16)
-- bin/dune --
; the server
(executable
 (name main)
 (public_name @name@)
 (libraries unix))
-- bin/main.ml --
let () =
  let server = Unix.socket Unix.PF_INET Unix.SOCK_STREAM 0 in
  Unix.bind server (Unix.ADDR_INET (Unix.inet_addr_any, 8070));
  Unix.listen server 8
-- test/dune --
(test
 (name check))
-- test/check.ml --
let () = ()
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
dependencies:
  shelf: ^1.4.0
-- bin/server.dart --
import 'package:shelf/shelf.dart';
import 'package:shelf/shelf_io.dart' as shelf_io;

void main() async {
  await shelf_io.serve((request) => Response.ok('@name@'), '0.0.0.0', 8081);
}
"#,
    ),
];
