//! Libraries that are members of workspaces, for the apps there.

use super::{Kind, member};
use crate::forest::sources::{CSHARP, GO, JAVA, JAVASCRIPT, KOTLIN, PYTHON, RUST, TYPESCRIPT};

pub(super) const LIBRARIES: &[Kind] = &[
    member(
        "front",
        "node",
        "pnpm",
        TYPESCRIPT,
        r#"
-- package.json --
{
  "name": "@front/@name@",
  "version": "0.0.0",
  "private": true,
  "exports": "./src/index.ts"
}
-- src/index.ts --
export const name = '@name@';
"#,
    ),
    member(
        "native",
        "rust",
        "cargo",
        RUST,
        r#"
-- Cargo.toml --
[package]
name = "@name@"
version.workspace = true
edition.workspace = true
-- src/lib.rs --
//! A library.

pub const NAME: &str = "@name@";
"#,
    ),
    member(
        "shop/web",
        "node",
        "npm",
        TYPESCRIPT,
        r#"
-- package.json --
{
  "name": "@shop/@name@",
  "version": "0.1.0",
  "exports": { ".": "./src/index.ts" },
  "types": "./src/index.ts",
  "scripts": { "build": "tsc", "start": "storybook dev -p 6006" }
}
-- src/index.ts --
export const ui = '@name@';
"#,
    ),
    member(
        "suite",
        "node",
        "npm",
        TYPESCRIPT,
        r#"
-- project.json --
{ "name": "@name@", "projectType": "library", "targets": { "build": { "executor": "@nx/js:tsc" } } }
-- src/index.ts --
export const items = ['@name@'];
"#,
    ),
    member(
        "orbit",
        "node",
        "npm",
        JAVASCRIPT,
        r#"
-- moon.yml --
type: library
-- package.json --
{ "name": "@orbit/@name@", "version": "1.0.0", "main": "index.js" }
-- index.js --
exports.tau = 2 * Math.PI;
"#,
    ),
    member(
        "herd",
        "node",
        "npm",
        JAVASCRIPT,
        r#"
-- package.json --
{ "name": "@herd/@name@", "version": "1.0.0", "main": "index.js", "publishConfig": { "access": "public" } }
-- index.js --
exports.herd = ['@name@'];
"#,
    ),
    member(
        "office",
        "node",
        "rush",
        TYPESCRIPT,
        r#"
-- package.json --
{ "name": "office-@name@", "version": "1.0.0", "main": "lib/index.js", "scripts": { "build": "tsc" } }
-- src/index.ts --
export const base = '/@name@';
"#,
    ),
    member(
        "harbour",
        "node",
        "yarn-berry",
        JAVASCRIPT,
        r#"
-- package.json --
{ "name": "@harbour/@name@", "version": "1.0.0", "type": "module", "exports": "./index.js" }
-- index.js --
export const goods = '@name@';
"#,
    ),
    member(
        "radio",
        "node",
        "bun",
        JAVASCRIPT,
        r#"
-- package.json --
{ "name": "@radio/@name@", "version": "1.0.0", "type": "module", "main": "index.js" }
-- index.js --
export const station = '@name@';
"#,
    ),
    member(
        "lab/snakes",
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
-- src/@name_@/__init__.py --
NAME = "@name@"
"#,
    ),
    member(
        "gophers",
        "go",
        "go",
        GO,
        r#"
-- go.mod --
module example.com/gophers/@name@

go 1.26
-- log.go --
// Package log is no program: package main is elsewhere.
package log
"#,
    ),
    member(
        "bank",
        "java",
        "maven",
        JAVA,
        r#"
-- pom.xml --
<project>
  <modelVersion>4.0.0</modelVersion>
  <parent>
    <groupId>bank</groupId>
    <artifactId>bank</artifactId>
    <version>1.0.0</version>
    <relativePath>../../pom.xml</relativePath>
  </parent>
  <artifactId>bank-@name@</artifactId>
</project>
-- src/main/java/bank/Money.java --
package bank;

public record Money(long cents) {
    /** For trying it out. */
    public static void main(String[] arguments) {
        System.out.println(new Money(1));
    }
}
"#,
    ),
    member(
        "market",
        "kotlin",
        "gradle",
        KOTLIN,
        r#"
-- build.gradle.kts --
plugins {
    kotlin("jvm")
    `java-library`
}
"#,
    ),
    member(
        "studio",
        "csharp",
        "dotnet",
        CSHARP,
        r#"
-- Company.@Name@.csproj --
<Project Sdk="Microsoft.NET.Sdk">
  <!-- <OutputType>Exe</OutputType> -->
  <PropertyGroup>
    <Nullable>enable</Nullable>
  </PropertyGroup>
</Project>
"#,
    ),
];
