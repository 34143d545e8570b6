//! Apps that are members of workspaces.

use super::{Kind, member};
use crate::forest::sources::{CSHARP, GO, JAVA, JAVASCRIPT, KOTLIN, PYTHON, RUST, TYPESCRIPT};

pub(super) const APPS: &[Kind] = &[
    member(
        "front",
        "node",
        "pnpm",
        TYPESCRIPT,
        r#"
-- package.json --
{
  "name": "@front/@name@",
  "private": true,
  "type": "module",
  "scripts": {
    "build": "vite build"
  },
  "devDependencies": {
    "vite": "^7.0.0"
  }
}
-- index.html --
<!doctype html>
<html lang="en">
  <head>
    <title>@name@</title>
  </head>
  <body>
    <script type="module" src="/src/main.ts"></script>
  </body>
</html>
-- vite.config.ts --
import { defineConfig } from 'vite';

export default defineConfig({});
-- src/main.ts --
document.body.append('@name@');
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

[dependencies]
@library@ = { path = "../../crates/@library@" }
-- src/main.rs --
fn main() {
    println!("@name@");
}
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
  "private": true,
  "scripts": { "build": "astro build", "dev": "astro dev", "preview": "astro preview" },
  "dependencies": {
    "@shop/@library@": "*",
    "astro": "^5.0.0"
  }
}
-- astro.config.mjs --
import { defineConfig } from 'astro/config';

export default defineConfig({ site: 'https://example.com' });
-- src/pages/index.astro --
---
---
<p>@name@</p>
"#,
    ),
    member(
        "suite",
        "node",
        "npm",
        TYPESCRIPT,
        r#"
-- project.json --
{
  "name": "@name@",
  "projectType": "application",
  "targets": {
    "build": {
      "executor": "@nx/esbuild:esbuild",
      "options": { "platform": "node", "outputPath": "dist/@dir@", "main": "@dir@/src/main.ts" },
      "configurations": { "production": {} }
    },
    "serve": { "executor": "@nx/js:node" }
  }
}
-- src/main.ts --
import express from 'express';

express().listen(process.env.PORT ?? 3333);
"#,
    ),
    member(
        "orbit",
        "node",
        "npm",
        JAVASCRIPT,
        r#"
-- package.json --
{ "name": "@orbit/@name@", "version": "1.0.0", "private": true }
-- moon.yml --
type: application
tasks:
  build:
    command: node copy.mjs src dist
    outputs: [dist]
  start:
    command: node dist/tracker.js
    local: true
-- copy.mjs --
import { cpSync } from 'node:fs';

cpSync(process.argv[2], process.argv[3], { recursive: true });
-- src/tracker.js --
require('node:http').createServer((request, response) => response.end('@name@')).listen(process.env.PORT || 6100);
"#,
    ),
    member(
        "herd",
        "node",
        "npm",
        JAVASCRIPT,
        r#"
-- package.json --
{
  "name": "@herd/@name@",
  "version": "1.0.0",
  "private": true,
  "scripts": { "build": "node build.js", "start": "node lib/server.js" },
  "dependencies": {
    "@herd/@library@": "^1.0.0",
    "left-pad": "^1.3.0"
  }
}
-- build.js --
require('node:fs').cpSync('src', 'lib', { recursive: true });
-- src/server.js --
require('node:http').createServer((request, response) => response.end('@name@')).listen(6200);
"#,
    ),
    member(
        "office",
        "node",
        "rush",
        JAVASCRIPT,
        r#"
-- package.json --
{
  "name": "office-@name@",
  "private": true,
  "scripts": { "build": "", "start": "node sync.js" }
}
-- sync.js --
setInterval(() => fetch('https://example.com/@name@'), 60_000);
"#,
    ),
    member(
        "harbour",
        "node",
        "yarn-berry",
        JAVASCRIPT,
        r#"
-- package.json --
{
  "name": "@harbour/@name@",
  "private": true,
  "scripts": { "start": "NODE_OPTIONS='--enable-source-maps' node index.mjs" }
}
-- index.mjs --
import { createServer } from 'node:http';

createServer((request, response) => response.end('@name@')).listen(4510);
"#,
    ),
    member(
        "radio",
        "node",
        "bun",
        JAVASCRIPT,
        r#"
-- package.json --
{
  "name": "@radio/@name@",
  "private": true,
  "scripts": { "start": "bun index.mjs" }
}
-- index.mjs --
Bun.serve({ port: 4500, fetch: () => new Response('@name@') });
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
dependencies = ["starlette", "uvicorn"]

[project.scripts]
@name@ = "@name_@.server:main"

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
-- src/@name_@/__init__.py --
-- src/@name_@/server.py --
import uvicorn
from starlette.applications import Starlette

app = Starlette()


def main():
    uvicorn.run(app, host="0.0.0.0", port=8000)
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
-- main.go --
package main

import (
	"net"
)

func main() {
	net.Listen("tcp", ":7070")
}
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
  <dependencies>
    <dependency><groupId>bank</groupId><artifactId>bank-@library@</artifactId><version>1.0.0</version></dependency>
  </dependencies>
  <build>
    <plugins>
      <plugin>
        <artifactId>maven-shade-plugin</artifactId>
        <version>3.6.0</version>
        <executions>
          <execution>
            <phase>package</phase>
            <goals>
              <goal>shade</goal>
            </goals>
            <configuration>
              <transformers>
                <transformer implementation="org.apache.maven.plugins.shade.resource.ManifestResourceTransformer">
                  <mainClass>bank.Main</mainClass>
                </transformer>
              </transformers>
            </configuration>
          </execution>
        </executions>
      </plugin>
    </plugins>
  </build>
</project>
-- src/main/java/bank/Main.java --
package bank;

public class Main {
    public static void main(String[] arguments) {
        System.out.println("@name@");
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
    application
}

dependencies {
    implementation(project(":libs:@library@"))
}

application {
    mainClass = "market.MainKt"
}
-- src/main/kotlin/market/Main.kt --
package market

import com.sun.net.httpserver.HttpServer
import java.net.InetSocketAddress

fun main() {
    HttpServer.create(InetSocketAddress(8050), 0).start()
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
<Project Sdk="Microsoft.NET.Sdk.Worker">
  <PropertyGroup>
    <AssemblyName>@name@-worker</AssemblyName>
  </PropertyGroup>
  <ItemGroup>
    <ProjectReference Include="..\@library@\Company.@Library@.csproj" />
  </ItemGroup>
</Project>
-- Program.cs --
var host = Host.CreateApplicationBuilder(args).Build();
host.Run();
"#,
    ),
];
