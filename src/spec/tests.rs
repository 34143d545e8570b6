//! Spec files as people write them.

use std::path::Path;

use super::{Errors, Spec, load, overrides, overrides_schema, place, schema, to_json, to_yaml};

fn yaml(text: &str) -> Result<Vec<Spec>, Errors> {
    load(Path::new("universalbuild.yaml"), text.as_bytes())
}

fn json(text: &str) -> Result<Vec<Spec>, Errors> {
    load(Path::new("universalbuild.json"), text.as_bytes())
}

fn problems(result: Result<Vec<Spec>, Errors>) -> String {
    result.unwrap_err().to_string()
}

const FULL: &str = r#"
version: "1.0"
metadata:
  project_name: "@acme/Web Shop"
  path: ./services//web/
  kind: web
  language: node
  build_system: npm
  framework: next
  confidence: 95
  reasoning: |
    package.json has a start script
build:
  packages: [nodejs-22, npm=10.9.0-r0, python-3.13~3.13]
  env: { CI: true, LEVEL: 3, NAME: "yes" }
  install:
    files: [package.json, "services/*/package.json"]
    commands: [npm ci]
  commands:
    - npm run build
    - |
      echo one
      echo two
  cache: [/root/.npm, .next/cache]
  secrets: [{ id: npmrc, target: /root/.npmrc }, { id: token, env: TOKEN }]
  context: ["services/web/**"]
runtime:
  packages: [nodejs-22]
  env: { PORT: 8080 }
  copy: [{ from: .next/standalone, to: . }]
  command: [node, server.js]
  processes: { worker: [node, worker.js] }
  ports: [8080, 9090]
  health: { endpoint: /healthz }
  user: 1000
  workdir: /srv
  labels: { team: shop }
  writable: [/srv/data, tmp]
  smoke: { path: /, expect: { status: 200 } }
"#;

#[test]
fn a_spec_with_every_field_is_read() {
    let specs = yaml(FULL).unwrap();
    let [spec] = specs.as_slice() else {
        panic!("{specs:?}")
    };
    assert_eq!(spec.slug(), "acme-web-shop");
    assert_eq!(spec.metadata.path, "services/web");
    assert_eq!(spec.metadata.confidence, Some(95));
    assert_eq!(spec.build.env["CI"], "true");
    assert_eq!(spec.build.env["NAME"], "yes");
    assert_eq!(spec.build.commands[1], "echo one\necho two\n");
    assert_eq!(
        spec.build.secrets[0].target.as_deref(),
        Some("/root/.npmrc")
    );
    assert_eq!(spec.runtime.env["PORT"], "8080");
    assert_eq!(spec.runtime.user.as_deref(), Some("1000"));
    assert_eq!(spec.runtime.ports, [8080, 9090]);
    assert_eq!(spec.runtime.smoke["expect"]["status"], 200);
}

/// Texts that YAML or JSON could take for something else.
fn nasty() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        "1.0",
        "0x10",
        "~",
        "null",
        "yes",
        "on",
        "true",
        "- a",
        "a: b",
        "#x",
        "'",
        "\"",
        "{",
        "[a]",
        "*a",
        "&a",
        "!x",
        "%x",
        "@x",
        "`x`",
        "a\nb",
        "a\n",
        "\na",
        " a ",
        "a\n\n\nb\n\n",
        "tab\there",
        "é\u{1F600}",
        "\u{2028}",
        "\u{feff}x",
        "12e03",
        "-.inf",
        "=",
        "<<",
        "a #b",
        "a\\b",
        "|",
        ">",
        "?",
        "-",
        "a\r\nb",
        "\u{85}",
        "\u{7f}",
        "\u{1b}[0m",
        "08",
        "1_000",
        "2026-11-20",
        "12:30",
        "\ttab",
        "  two\n one",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("long ".repeat(60));
    texts
}

#[test]
fn what_is_written_loads_back_equal_in_both_languages() {
    let mut specs = yaml(FULL).unwrap();
    let env = &mut specs[0].runtime.env;
    env.extend(
        nasty()
            .into_iter()
            .enumerate()
            .map(|(at, text)| (format!("V{at}"), text)),
    );
    specs[0].runtime.command = vec!["~".into(), "8080".into(), "true".into(), "a: b".into()];
    specs[0].runtime.labels.extend([
        ("~".to_owned(), String::new()),
        ("1".into(), "x".into()),
        ("a: b".into(), "y".into()),
    ]);
    let second = yaml("{version: 1.0, metadata: {project_name: api}}").unwrap();
    for specs in [specs.clone(), [specs, second].concat()] {
        let (as_json, as_yaml) = (to_json(&specs), to_yaml(&specs));
        assert_eq!(json(&as_json), Ok(specs.clone()), "{as_json}");
        assert_eq!(yaml(&as_yaml), Ok(specs), "{as_yaml}");
        assert!(!as_json.contains("null,"), "{as_json}");
    }
}

#[test]
fn defaults_are_not_written() {
    let specs =
        yaml("{version: 1.0, metadata: {project_name: api, path: null}, build: null}").unwrap();
    assert_eq!(
        to_yaml(&specs),
        "version: \"1.0\"\nmetadata:\n  project_name: api\nruntime: {}\n"
    );
}

#[test]
fn every_problem_of_a_file_is_listed_with_its_place() {
    let text = r#"- version: "2.0"
  metadata:
    project_name: api
    path: ../api
    confidence: 101
    kind: service
  build:
    base: alpine
    commands: npm run build
    env: { 1X: a, OK: [a] }
    comands: [make]
    secrets:
      - { id: a, env: A, target: /a }
      - { env: B }
  runtime:
    command: ["", run]
    ports: [0, 80, 80, "81"]
    user: node
    workdir: app
    health: { endpoint: healthz }
    processes: { worker: [], "a b": [x] }
    writable: [data/../..]
- metadata: { project_name: API }
  version: "1.0"
  ports: [80]
  runtime: {user: 1:2:3, user: "1"}
"#;
    insta::assert_snapshot!(problems(yaml(text)), @r#"
    universalbuild.yaml:1:12: `version` is "2.0": this peelbox reads version "1.0"
    universalbuild.yaml:4:11: `metadata.path` is "../api": a path must not hold `..`
    universalbuild.yaml:5:17: `metadata.confidence` is 101: it must be a whole number from 0 to 100
    universalbuild.yaml:6:11: `metadata.kind` is "service": a kind is one of web, worker, cli and static
    universalbuild.yaml:8:5: there is no key `build.base`, its place is taken by `build.packages`: images are assembled from Wolfi packages, so there is no base image to choose; what an app needs is listed in `packages`
    universalbuild.yaml:9:15: `build.commands` must be a list, but is a text
    universalbuild.yaml:10:12: `build.env` is "1X": a variable's name is made of letters, digits, `_`, `.` and `-` and does not start with a digit
    universalbuild.yaml:10:23: `build.env.OK` must be a text, but is a list
    universalbuild.yaml:11:5: unknown key `build.comands`, the nearest known one is `build.commands`
    universalbuild.yaml:13:34: `build.secrets[0].target` is "/a": a secret is a variable or a file, and `env` is given too
    universalbuild.yaml:14:9: `build.secrets[1].id` is missing
    universalbuild.yaml:16:15: `runtime.command[0]` is "": an element of a command is empty
    universalbuild.yaml:17:13: `runtime.ports[0]` is 0: it must be a whole number from 1 to 65535
    universalbuild.yaml:17:20: `runtime.ports[2]` is 80: it is listed twice
    universalbuild.yaml:17:24: `runtime.ports[3]` must be a whole number, but is a text
    universalbuild.yaml:18:11: `runtime.user` is "node": a user is written in numbers, as uid or uid:gid
    universalbuild.yaml:19:14: `runtime.workdir` is "app": it must be absolute
    universalbuild.yaml:20:25: `runtime.health.endpoint` is "healthz": it must start with `/`
    universalbuild.yaml:21:26: `runtime.processes.worker` is []: it has no command
    universalbuild.yaml:21:30: `runtime.processes` is "a b": a name is made of at most 100 letters, digits, `_`, `.` and `-` and starts with a letter or digit
    universalbuild.yaml:22:16: `runtime.writable[0]` is "data/../..": a path must not hold `..`
    universalbuild.yaml:23:29: the app name "API" is taken: it comes out as `api`, as the one in line 3 does
    universalbuild.yaml:25:3: unknown key `ports`, the nearest known one is `runtime.ports`
    universalbuild.yaml:26:19: `runtime.user` is "1:2:3": a user is written in numbers, as uid or uid:gid
    universalbuild.yaml:26:26: key `runtime.user` is given twice, first in line 26
    "#);
}

#[test]
fn json_is_read_strictly() {
    let text = "{\n  \"version\": \"1.0\",\n  \"metadata\": {\"project_name\": \"a\",},\n}";
    insta::assert_snapshot!(problems(json(text)), @"universalbuild.json:3:36: not valid JSON: trailing comma");
    assert!(json("{version: \"1.0\"}").is_err());
    assert!(
        json("{\"version\": \"1.0\", // x\n \"metadata\": {\"project_name\": \"a\"}}").is_err()
    );
    let escaped = r#"{"version": "1.0", "metadata": {"project_name": "\u0061\ud83d\ude00\/"}}"#;
    assert_eq!(
        json(escaped).unwrap()[0].metadata.project_name,
        "a\u{1F600}/"
    );
}

#[test]
fn places_in_json_count_characters() {
    let text = "[\n  {\"version\": \"1.0\", \"metadata\": {\"project_name\": \"é\u{1F600}a\", \"x\": 1, \"path\": \"/\"}}]";
    insta::assert_snapshot!(problems(json(text)), @r#"
    universalbuild.json:2:58: unknown key `metadata.x`
    universalbuild.json:2:74: `metadata.path` is "/": it must be relative
    "#);
}

#[test]
fn files_that_are_no_spec_are_refused() {
    for (text, expected) in [
        ("", "universalbuild.yaml:1:1: there is no spec in it"),
        ("~", "universalbuild.yaml:1:1: there is no spec in it"),
        ("[]", "universalbuild.yaml:1:1: there is no spec in it"),
        (
            "hello",
            "universalbuild.yaml:1:1: `spec` must be a map, but is a text",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "universalbuild.yaml:2:1: not valid YAML: a second document; several apps are written as a list",
        ),
        (
            "a: !ruby/object x",
            "universalbuild.yaml:1:17: not valid YAML: a tag that means nothing here: \"!ruby/object\"",
        ),
        (
            "? [a]\n: b",
            "universalbuild.yaml:1:3: not valid YAML: a key that is a list",
        ),
        (
            "a: &a [*a]",
            "universalbuild.yaml:1:8: not valid YAML: an alias inside of what it names",
        ),
    ] {
        assert_eq!(problems(yaml(text)), expected);
    }
    let error = load(Path::new("x.yaml"), b"a: b\nc: \xff").unwrap_err();
    assert_eq!(
        error.to_string(),
        "x.yaml:2:4: not valid YAML: a byte that is no UTF-8"
    );
}

#[test]
fn bombs_are_refused() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        laughs += &format!("a{level}: &a{level} [{alias}]\n");
    }
    assert!(problems(yaml(&laughs)).contains("more than 200000 values"));
    for deep in [
        "[".repeat(100_000),
        "- ".repeat(100_000),
        "{\"a\":".repeat(100_000),
    ] {
        assert!(problems(yaml(&deep)).starts_with("universalbuild.yaml:1:"));
        assert!(problems(json(&deep)).starts_with("universalbuild.json:1:"));
    }
    assert!(
        problems(json(&format!("[{}0]", "0,".repeat(300_000)))).contains("more than 200000 values")
    );
    assert!(problems(yaml(&" ".repeat(5 << 20))).contains("more than 4194304 bytes"));
}

#[test]
fn an_alias_is_read_as_what_it_names() {
    let text =
        "{version: 1.0, metadata: {project_name: a}, build: {env: &e {A: b}}, runtime: {env: *e}}";
    let specs = yaml(text).unwrap();
    assert_eq!(specs[0].runtime.env, specs[0].build.env);
}

#[test]
fn hostile_keys_are_shown_escaped() {
    let text = "{\"version\": \"1.0\", \"metadata\": {\"project_name\": \"a\"}, \"\\u001b[31m\\n::error::\": 1}";
    let shown = problems(json(text));
    assert!(
        shown.contains(r"unknown key `\u{1b}[31m\n::error::`"),
        "{shown}"
    );
}

#[test]
fn the_schema_knows_every_field() {
    let schema = schema();
    let fields = |name: &str| -> Vec<&String> {
        schema["$defs"][name]["properties"]
            .as_object()
            .unwrap()
            .keys()
            .collect()
    };
    assert_eq!(fields("Spec"), ["version", "metadata", "build", "runtime"]);
    assert!(fields("Runtime").iter().any(|key| *key == "processes"));
    assert_eq!(schema["$defs"]["Spec"]["additionalProperties"], false);
    assert_eq!(schema["anyOf"][1]["items"]["$ref"], "#/$defs/Spec");
}

#[test]
fn slugs_fit_file_names_and_tags() {
    for (name, expected) in [
        ("API", "api"),
        ("@acme/web.shop", "acme-web-shop"),
        ("--x--", "x"),
        ("a__b", "a-b"),
    ] {
        assert_eq!(super::write::slug(name), expected);
    }
    assert_eq!(super::write::slug(&"ab-".repeat(100)).len(), 100);
}

#[test]
fn a_command_is_found_where_it_is_written() {
    let yaml = "- version: '1.0'\n  metadata: { project_name: one }\n- version: '1.0'\n  metadata: { project_name: two }\n  build:\n    install:\n      commands: [a, b]\n    commands:\n    - make\n    - |\n      make check\n";
    let at = |name, keys: &[&str], number| {
        place(Path::new("a.yaml"), yaml.as_bytes(), name, keys, number)
    };
    assert_eq!(at("two", &["build", "commands"], 1), Some((9, 7)));
    assert_eq!(at("two", &["build", "commands"], 2), Some((11, 7)));
    assert_eq!(at("two", &["build", "commands"], 3), None);
    assert_eq!(at("two", &["build", "commands"], 0), None);
    assert_eq!(
        at("two", &["build", "install", "commands"], 2),
        Some((7, 21))
    );
    assert_eq!(at("one", &["build", "commands"], 1), None);
    let json = br#"{"metadata": {"project_name": "a"},
 "build": {"commands": ["x"]}}"#;
    assert_eq!(
        place(Path::new("a.json"), json, "a", &["build", "commands"], 1),
        Some((2, 25))
    );
}

#[test]
fn the_schema_of_overrides_asks_for_nothing_and_knows_every_key() {
    let schema = overrides_schema();
    assert!(schema.get("required").is_none());
    let keys = |value: &serde_json::Value| -> Vec<String> {
        let mut keys: Vec<String> = value["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        keys.sort();
        keys
    };
    assert_eq!(
        keys(&schema),
        [
            "add", "apps", "build", "entry", "hide", "metadata", "runtime", "version"
        ]
    );
    assert_eq!(
        keys(&schema["$defs"]["App"]),
        [
            "add", "build", "entry", "hide", "metadata", "runtime", "version"
        ]
    );
    assert!(schema["$defs"]["Metadata"].get("required").is_none());
    let packages = &schema["$defs"]["Runtime"]["properties"]["packages"];
    assert_eq!(packages["items"]["anyOf"][1]["const"], "...");
    assert_eq!(packages["type"], serde_json::json!(["array", "null"]));
    assert!(schema["$defs"]["Copy"].get("required").is_some());
}

#[test]
fn an_override_is_merged_by_the_rules_of_its_fields() {
    let spec = yaml(FULL).unwrap().remove(0);
    let text = "runtime:\n  copy: [..., {from: a, to: b}]\n  health: null\n  smoke: {path: /x}\n  user: 7\nbuild:\n  install: {files: [yarn.lock, ...]}\n  secrets: null\n  commands: [..., npm run build]\n  packages: [npm=10.9.0-r0, ...]\n";
    let found = overrides(Path::new("peelbox.yaml"), text.as_bytes()).unwrap();
    let (merged, changes) = found[0].apply(&spec).unwrap();
    assert_eq!(merged.runtime.copy.len(), 2);
    assert_eq!(merged.runtime.health, None);
    assert_eq!(merged.runtime.smoke["path"], "/x");
    assert_eq!(merged.runtime.smoke["expect"], spec.runtime.smoke["expect"]);
    assert_eq!(merged.runtime.user.as_deref(), Some("7"));
    assert_eq!(
        merged.build.install.files,
        ["yarn.lock", "package.json", "services/*/package.json"]
    );
    assert!(merged.build.secrets.is_empty());
    // A command may be run twice; a package is there once.
    assert_eq!(merged.build.commands.len(), 3);
    assert_eq!(
        merged.build.packages,
        ["npm=10.9.0-r0", "nodejs-22", "python-3.13~3.13"]
    );
    let fields: Vec<&str> = changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "runtime.copy",
            "runtime.health",
            "runtime.smoke.path",
            "runtime.user",
            "build.install.files",
            "build.secrets",
            "build.commands",
            "build.packages"
        ]
    );
    assert_eq!((changes[1].value.as_str(), changes[1].line), ("", 3));
}
