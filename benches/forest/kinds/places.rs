//! What only looks like an app: by where it lies, or by what lies beside it.

/// What each is, and its files, which lie below a directory of their own.
pub(super) const TRAPS: &[(&str, &str)] = &[
    (
        "test data with a server",
        r#"
-- fixtures/web/package.json --
{"name": "fixture", "scripts": {"start": "node i.js"}}
-- fixtures/web/i.js --
"#,
    ),
    (
        "an example in Go",
        r#"
-- examples/hello/go.mod --
module hello

go 1.26
-- examples/hello/main.go --
package main

func main() {}
"#,
    ),
    (
        "a template whose path has a placeholder",
        r#"
-- templates/{{ name }}/package.json --
{"name": "{{ name }}", "scripts": {"start": "node i.js"}}
-- templates/{{ name }}/i.js --
"#,
    ),
    (
        "packages that are installed",
        r#"
-- node_modules/x/package.json --
{"name": "x", "scripts": {"start": "node i.js"}}
-- node_modules/x/i.js --
"#,
    ),
    (
        "a virtual environment",
        r#"
-- environment/pyvenv.cfg --
home = /usr/bin
-- environment/lib/app.py --
app = Flask(__name__)
-- environment/lib/requirements.txt --
flask
gunicorn
"#,
    ),
    (
        "a module as test data",
        r#"
-- testdata/module/go.mod --
module m
-- testdata/module/main.go --
package main

func main() {}
"#,
    ),
    (
        "a preset of rules",
        r#"
-- package.json --
{"name": "@name@", "version": "1.0.0", "main": "index.js", "peerDependencies": {"eslint": "9"}}
-- index.js --
module.exports = { rules: {} };
"#,
    ),
    (
        "a preset of TypeScript",
        r#"
-- tsconfig/package.json --
{"name": "tsconfig-@name@", "files": ["base.json"]}
-- tsconfig/base.json --
{}
"#,
    ),
    (
        "tests in a browser",
        r#"
-- e2e/package.json --
{"name": "e2e", "scripts": {"start": "playwright test", "test": "playwright test"}}
"#,
    ),
    (
        "a Makefile of a manual",
        r#"
-- Makefile --
docs:
	make -C manual html
"#,
    ),
    (
        "a library among tools",
        r#"
-- tools/Cargo.toml --
[package]
name = "@name@"

[lib]
path = "lib.rs"
-- tools/lib.rs --
"#,
    ),
    (
        "a snippet of documentation",
        r#"
-- docs/snippets/server/package.json --
{"name": "snippet", "scripts": {"start": "node i.js"}}
-- docs/snippets/server/i.js --
"#,
    ),
    (
        "sources of others",
        r#"
-- third_party/zlib/CMakeLists.txt --
cmake_minimum_required(VERSION 3.20)
project(zlib C)
add_executable(minigzip m.c)
-- third_party/zlib/m.c --
int main(void) { return 0; }
"#,
    ),
    (
        "a program within a test",
        r#"
-- main_test.go --
package main

func main() {}
-- go.mod --
module example.com/@name@

go 1.26
"#,
    ),
    (
        "a test project",
        r#"
-- tests/Web.Tests/Web.Tests.csproj --
<Project Sdk="Microsoft.NET.Sdk.Web">
  <ItemGroup>
    <PackageReference Include="Microsoft.NET.Test.Sdk" Version="17.0.0" />
  </ItemGroup>
</Project>
"#,
    ),
    (
        "an addon of Node.js",
        r#"
-- binding.gyp --
{ 'targets': [{ 'target_name': 'addon', 'sources': ['addon.c'] }] }
-- package.json --
{"name": "@name@", "main": "index.js", "gypfile": true}
-- addon.c --
int main(void) { return 0; }
"#,
    ),
    (
        "requirements of the tests",
        r#"
-- requirements-dev.txt --
pytest
-- conftest.py --
import pytest
"#,
    ),
    (
        "a benchmark",
        r#"
-- benches/load/go.mod --
module load
-- benches/load/main.go --
package main

func main() {}
"#,
    ),
    (
        "a script that Go ignores",
        r#"
-- gen.go --
//go:build ignore

package main

func main() {}
-- go.mod --
module example.com/@name@

go 1.26
"#,
    ),
    (
        "a sample site",
        r#"
-- samples/site/index.html --
<!doctype html>
<title>sample</title>
"#,
    ),
];
