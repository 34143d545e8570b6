//! The roots of workspaces.

/// A workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    /// Its directory.
    pub(crate) path: &'static str,
    /// The directory in it that holds the apps.
    pub(crate) apps: &'static str,
    /// The one that holds the libraries.
    pub(crate) libraries: &'static str,
    /// What lies at its root; a line with `@member@`, the path of a member, or `@project@`, the same for Gradle, stands
    /// there once for every member.
    pub(crate) files: &'static str,
}

const fn home(
    path: &'static str,
    apps: &'static str,
    libraries: &'static str,
    files: &'static str,
) -> Home {
    Home {
        path,
        apps,
        libraries,
        files,
    }
}

/// Every workspace.
pub(crate) const HOMES: &[Home] = &[
    home(
        "front",
        "apps",
        "packages",
        r#"
-- package.json --
{
  "name": "front",
  "private": true,
  "packageManager": "pnpm@10.18.0",
  "devDependencies": {
    "vite": "^7.0.0"
  }
}
-- pnpm-workspace.yaml --
packages:
  - apps/*
  - packages/*
  - "!packages/archive"
-- pnpm-lock.yaml --
lockfileVersion: '9.0'

settings:
  autoInstallPeers: true

importers: {}
"#,
    ),
    home(
        "native",
        "apps",
        "crates",
        r#"
-- Cargo.toml --
[workspace]
resolver = "3"
members = ["apps/*", "crates/*"]

[workspace.package]
version = "0.1.0"
edition = "2024"
-- Cargo.lock --
version = 4
"#,
    ),
    home(
        "shop/web",
        "sites",
        "packages/shared",
        r#"
-- package.json --
{
  "name": "shop",
  "private": true,
  "packageManager": "npm@12.0.0",
  "workspaces": ["sites/*", "packages/**"],
  "scripts": { "build": "turbo run build", "start": "turbo run start" },
  "dependencies": { "next": "^16.0.0" },
  "devDependencies": { "turbo": "^2.5.0" }
}
-- package-lock.json --
{ "name": "shop", "lockfileVersion": 3, "packages": { "": { "name": "shop" } } }
-- turbo.json --
{
  // Tasks of all.
  "tasks": { "build": { "dependsOn": ["^build"], "outputs": ["dist/**"] } }
}
"#,
    ),
    home(
        "suite",
        "apps",
        "libs",
        r#"
-- package.json --
{
  "name": "suite",
  "private": true,
  "scripts": { "start": "nx serve", "build": "nx run-many -t build" },
  "dependencies": { "express": "^5.1.0", "next": "^16.0.0", "react": "^19.0.0" },
  "devDependencies": { "@nx/esbuild": "^21.0.0", "nx": "^21.0.0" }
}
-- package-lock.json --
{ "name": "suite", "lockfileVersion": 3, "packages": { "": { "name": "suite" } } }
-- nx.json --
{ "defaultBase": "main" }
"#,
    ),
    home(
        "orbit",
        "apps",
        "packages",
        r#"
-- package.json --
{
  "name": "orbit",
  "private": true,
  "workspaces": { "packages": ["apps/*", "packages/*"] },
  "devDependencies": { "@moonrepo/cli": "^1.37.0" }
}
-- package-lock.json --
{ "name": "orbit", "lockfileVersion": 3, "packages": { "": { "name": "orbit" } } }
-- .moon/workspace.yml --
projects:
  - apps/*
  - packages/*
"#,
    ),
    home(
        "herd",
        "packages",
        "packages",
        r#"
-- package.json --
{ "name": "herd", "private": true, "workspaces": ["packages/*"], "devDependencies": { "lerna": "^8.2.0" } }
-- package-lock.json --
{ "name": "herd", "lockfileVersion": 3, "packages": { "": { "name": "herd" } } }
-- lerna.json --
{ "version": "1.0.0", "npmClient": "npm" }
"#,
    ),
    home(
        "office",
        "apps",
        "libraries",
        r#"
-- rush.json --
/* Rush allows comments. */
{
  "rushVersion": "5.153.0",
  "pnpmVersion": "9.15.0",
  "nodeSupportedVersionRange": ">=22.0.0 <25.0.0",
  "projects": [
    { "packageName": "office-@name@", "projectFolder": "@member@" },
  ]
}
-- common/config/rush/pnpm-lock.yaml --
lockfileVersion: '9.0'
-- common/scripts/install-run-rush.js --
// Rush writes this file.
"#,
    ),
    home(
        "harbour",
        "ships",
        "goods",
        r#"
-- package.json --
{ "name": "harbour", "private": true, "packageManager": "yarn@4.9.2", "workspaces": ["ships/*", "goods/*"] }
-- .yarnrc.yml --
nodeLinker: node-modules
-- yarn.lock --
__metadata:
  version: 8
"#,
    ),
    home(
        "radio",
        "apps",
        "packages",
        r#"
-- package.json --
{ "name": "radio", "private": true, "workspaces": ["apps/*", "packages/*"] }
-- bun.lock --
{
  "lockfileVersion": 1,
  "workspaces": { "": { "name": "radio", }, },
  "packages": {},
}
"#,
    ),
    home(
        "lab/snakes",
        "services",
        "packages",
        r#"
-- pyproject.toml --
[project]
name = "snakes"
version = "0.0.0"
requires-python = ">=3.12"

[tool.uv.workspace]
members = ["services/*", "packages/*"]

[tool.ruff]
line-length = 100
-- uv.lock --
version = 1
requires-python = ">=3.12"
"#,
    ),
    home(
        "gophers",
        "services",
        "libs",
        r#"
-- go.work --
go 1.26

use (
	./@member@
)
"#,
    ),
    home(
        "bank",
        "services",
        "modules",
        r#"
-- pom.xml --
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>bank</groupId>
  <artifactId>bank</artifactId>
  <version>1.0.0</version>
  <packaging>pom</packaging>
  <modules>
    <module>@member@</module>
  </modules>
  <properties>
    <maven.compiler.release>21</maven.compiler.release>
  </properties>
</project>
"#,
    ),
    home(
        "market",
        "apps",
        "libs",
        r#"
-- settings.gradle.kts --
pluginManagement {
    includeBuild("build-logic")
}

rootProject.name = "market"

include(":@project@")
-- build.gradle.kts --
plugins {
    kotlin("jvm") version "2.2.20" apply false
}
-- build-logic/settings.gradle.kts --
rootProject.name = "build-logic"
-- build-logic/build.gradle.kts --
plugins {
    `kotlin-dsl`
}
"#,
    ),
    home(
        "studio",
        "src",
        "src",
        r#"
-- Studio.slnx --
<Solution>
  <Folder Name="/src/">
    <Project Path="@member@/Company.@Name@.csproj" />
  </Folder>
</Solution>
-- Directory.Build.props --
<Project>
  <PropertyGroup>
    <TargetFramework>net10.0</TargetFramework>
  </PropertyGroup>
</Project>
"#,
    ),
];
