//! What only looks like an app: of a kind that is none.

/// What each is, and its files, which lie below a directory of their own.
pub(super) const TRAPS: &[(&str, &str)] = &[
    (
        "a package.json for tools only",
        r#"
-- package.json --
{ "private": true, "scripts": { "lint": "prettier --check .", "prepare": "husky" }, "devDependencies": { "husky": "^9.0.0", "prettier": "^3.6.0" } }
"#,
    ),
    (
        "a pyproject.toml with nothing but settings of tools",
        r#"
-- pyproject.toml --
[tool.ruff]
line-length = 100

[tool.mypy]
strict = true
-- scripts_of_all.py --
print("nothing")
"#,
    ),
    (
        "a Dockerfile only",
        r#"
-- Dockerfile --
FROM nginx
EXPOSE 80
CMD ["nginx", "-g", "daemon off;"]
-- README.md --
A proxy.
"#,
    ),
    (
        "a Storybook only",
        r#"
-- package.json --
{ "name": "@name@", "private": true, "scripts": { "start": "storybook dev -p 6006", "build": "tsc" }, "devDependencies": { "storybook": "^9.0.0" } }
-- src/Button.tsx --
export const Button = () => null;
"#,
    ),
    (
        "a Maven parent",
        r#"
-- pom.xml --
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId>
  <artifactId>@name@</artifactId>
  <version>1.0.0</version>
  <packaging>pom</packaging>
  <build>
    <pluginManagement>
      <plugins>
        <plugin>
          <groupId>org.springframework.boot</groupId>
          <artifactId>spring-boot-maven-plugin</artifactId>
        </plugin>
      </plugins>
    </pluginManagement>
  </build>
</project>
"#,
    ),
    (
        "a workspace whose globs match nothing",
        r#"
-- package.json --
{ "name": "@name@", "private": true, "workspaces": ["apps/*"], "scripts": { "start": "turbo run start" }, "dependencies": { "next": "^16.0.0" }, "devDependencies": { "turbo": "^2.5.0" } }
"#,
    ),
    (
        "a tree that git ignores",
        r#"
-- .gitignore --
# Written by tools.
/generated/
-- generated/server/package.json --
{"name": "generated", "scripts": {"start": "node i.js"}}
-- generated/server/i.js --
require('node:http').createServer().listen(1);
"#,
    ),
    (
        "placeholders within a manifest",
        r#"
-- skeleton/package.json --
{"name": "{{cookiecutter.slug}}", "scripts": {"start": "node i.js"}}
-- skeleton/i.js --
require('node:http').createServer().listen(1);
"#,
    ),
    (
        "an archetype of Maven",
        r#"
-- pom.xml --
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId>
  <artifactId>@name@</artifactId>
  <version>1.0.0</version>
  <packaging>maven-archetype</packaging>
</project>
-- src/main/resources/archetype-resources/pom.xml --
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>${groupId}</groupId>
  <artifactId>${artifactId}</artifactId>
  <version>${version}</version>
  <build>
    <plugins>
      <plugin>
        <groupId>org.springframework.boot</groupId>
        <artifactId>spring-boot-maven-plugin</artifactId>
      </plugin>
    </plugins>
  </build>
</project>
"#,
    ),
    (
        "the code of others beside a go.mod",
        r#"
-- go.mod --
module example.com/@name@

go 1.26
-- doc.go --
// Package lib has no program.
package lib
-- vendor/modules.txt --
# example.com/tool v1.0.0
-- vendor/example.com/tool/main.go --
package main

func main() {}
"#,
    ),
    (
        "targets of a fuzzer",
        r#"
-- Cargo.toml --
[package]
name = "@name@"
version = "0.1.0"
-- src/lib.rs --
//! A library.
-- fuzz/Cargo.toml --
[package]
name = "@name@-fuzz"
version = "0.0.0"
publish = false

[package.metadata]
cargo-fuzz = true

[dependencies]
libfuzzer-sys = "0.4"

[[bin]]
name = "parse"
path = "fuzz_targets/parse.rs"
-- fuzz/fuzz_targets/parse.rs --
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {});
"#,
    ),
    (
        "tasks of a Cargo workspace",
        r#"
-- Cargo.toml --
[workspace]
resolver = "3"
members = ["xtask"]
-- xtask/Cargo.toml --
[package]
name = "xtask"
version = "0.1.0"
-- xtask/src/main.rs --
fn main() {}
"#,
    ),
    (
        "a manifest that is broken",
        r#"
-- package.json --
{ "name": "@name@", "scripts": { "start": "node i.js"
-- i.js --
"#,
    ),
    (
        "a manifest that is no text",
        r#"
-- Cargo.toml --
@bytes@
"#,
    ),
    (
        "a Rails engine with its dummy",
        r#"
-- @name@.gemspec --
Gem::Specification.new do |spec|
  spec.name = "@name@"
  spec.version = "1.0.0"
  spec.add_dependency "rails"
end
-- Gemfile --
source "https://gems.example.com"

gemspec
-- test/dummy/config.ru --
run Rails.application
"#,
    ),
    (
        "the report of a tool",
        r#"
-- coverage/index.html --
<!doctype html>
<title>coverage</title>
-- coverage/lcov.info --
"#,
    ),
    (
        "an app for phones",
        r#"
-- pubspec.yaml --
name: @name_@
environment:
  sdk: ^3.5.0
dependencies:
  flutter:
    sdk: flutter
-- lib/main.dart --
void main() {}
"#,
    ),
    (
        "an app for Android",
        r#"
-- settings.gradle --
rootProject.name = '@name@'
-- build.gradle --
plugins {
    id 'com.android.application' version '8.13.0'
}
"#,
    ),
    (
        "an extension of an editor",
        r#"
-- package.json --
{ "name": "@name@", "engines": { "vscode": "^1.100.0" }, "main": "./out/extension.js", "contributes": {}, "scripts": { "vscode:prepublish": "tsc -p ." } }
-- src/extension.ts --
export function activate() {}
"#,
    ),
    (
        "a chart",
        r#"
-- Chart.yaml --
apiVersion: v2
name: @name@
version: 0.1.0
-- values.yaml --
image: example.com/@name@
-- templates/deployment.yaml --
metadata:
  name: {{ .Release.Name }}
"#,
    ),
    (
        "scripts that administrators run",
        r#"
-- install.sh --
#!/bin/sh
apk add curl
-- deploy/rollout.sh --
#!/bin/sh
kubectl apply -f .
"#,
    ),
    (
        "a template of .NET",
        r#"
-- content/.template.config/template.json --
{ "identity": "Example.@Name@", "sourceName": "Example" }
-- content/Example.csproj --
<Project Sdk="Microsoft.NET.Sdk.Web">
  <PropertyGroup>
    <TargetFramework>net10.0</TargetFramework>
  </PropertyGroup>
</Project>
-- content/Program.cs --
WebApplication.Create(args).Run();
"#,
    ),
    (
        "what a generator of apps copies",
        r#"
-- package.json --
{ "name": "create-@name@", "version": "1.0.0", "files": ["template"] , "main": "lib.js" }
-- lib.js --
exports.create = () => {};
-- template/package.json --
{ "name": "app", "scripts": { "start": "node server.js" } }
-- template/server.js --
require('node:http').createServer().listen(1);
"#,
    ),
    (
        "links that lead in a circle",
        r#"
-- again -> .. --
-- notes.txt --
@name@
"#,
    ),
    (
        "notebooks",
        r#"
-- requirements.txt --
jupyter
pandas
-- analysis.ipynb --
{ "cells": [{ "cell_type": "code", "source": ["app = Flask(__name__)"] }] }
"#,
    ),
    (
        "a generator within a module",
        r#"
-- go.mod --
module example.com/@name@

go 1.26
-- shapes.go --
package shapes

//go:generate go run ./internal/tools/names
-- internal/tools/names/main.go --
package main

func main() {}
"#,
    ),
    (
        "the logic of a Gradle build",
        r#"
-- settings.gradle.kts --
rootProject.name = "@name@"
-- build.gradle.kts --
plugins {
    `java-library`
}
-- buildSrc/build.gradle.kts --
plugins {
    `kotlin-dsl`
}
-- buildSrc/src/main/kotlin/Main.kt --
fun main() {}
"#,
    ),
    (
        "headers only",
        r#"
-- CMakeLists.txt --
cmake_minimum_required(VERSION 3.20)
project(headers CXX)
add_library(headers INTERFACE)
-- include/headers.hpp --
#pragma once
"#,
    ),
    (
        "containers of others",
        r##"
-- docker-compose.yml --
services:
  store:
    image: postgres:18
    ports: ["5432:5432"]
"##,
    ),
    (
        "an app with a window",
        r##"
-- package.json --
{ "name": "@name@", "main": "main.js", "scripts": { "start": "electron ." }, "devDependencies": { "electron": "^38.0.0" } }
-- main.js --
const { app, BrowserWindow } = require('electron');

app.whenReady().then(() => new BrowserWindow().loadFile('index.html'));
-- index.html --
<!doctype html>
<title>@name@</title>
"##,
    ),
    (
        "an extension of a browser",
        r##"
-- manifest.json --
{ "manifest_version": 3, "name": "@name@", "version": "1.0.0", "action": { "default_popup": "popup/index.html" } }
-- popup/index.html --
<!doctype html>
<title>@name@</title>
"##,
    ),
    (
        "an action of a workflow",
        r##"
-- action.yml --
name: "@name@"
runs:
  using: node24
  main: dist/index.js
-- package.json --
{ "name": "@name@", "private": true, "main": "dist/index.js", "scripts": { "build": "ncc build src/index.js" }, "dependencies": { "@actions/core": "^1.11.0" } }
-- src/index.js --
require('@actions/core').info('@name@');
-- dist/index.js --
require('@actions/core').info('@name@');
"##,
    ),
    (
        "an app for phones in JavaScript",
        r##"
-- package.json --
{ "name": "@name@", "main": "index.js", "scripts": { "start": "expo start", "android": "expo run:android" }, "dependencies": { "expo": "^54.0.0", "react-native": "0.81.0" } }
-- app.json --
{ "expo": { "name": "@name@", "platforms": ["ios", "android"] } }
-- index.js --
import { registerRootComponent } from 'expo';

registerRootComponent(() => null);
"##,
    ),
    (
        "tools of the repository itself",
        r##"
-- .github/actions/label/package.json --
{ "name": "label", "scripts": { "start": "node i.js" } }
-- .github/actions/label/i.js --
require("node:http").createServer().listen(1);
-- .github/workflows/build.yml --
on: push
"##,
    ),
];
