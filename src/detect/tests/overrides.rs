//! What users say against detection.

use super::{Detection, command, found};

use crate::spec::Kind;

const MOD: &str = "module example.com/m\n\ngo 1.26\n";
const GO: &str = "package main\n\nimport (\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc main() {\n\thttp.ListenAndServe(\":\"+os.Getenv(\"PORT\"), nil)\n}\n";

/// Two web apps in Go, with what else is there.
fn services(more: &[(&str, &str)]) -> Detection {
    let mut files = vec![
        ("services/api/go.mod", MOD),
        ("services/api/main.go", GO),
        ("services/mail/go.mod", MOD),
        ("services/mail/main.go", GO),
    ];
    files.extend(more);
    found(&files)
}

fn errors(found: &Detection) -> Vec<String> {
    let errors = found.diagnostics.iter();
    errors
        .map(|error| {
            let (line, column) = (error.line.unwrap_or(0), error.column.unwrap_or(0));
            format!("{}:{line}:{column}: {}", error.file, error.message)
        })
        .collect()
}

#[test]
fn a_part_of_a_spec_is_merged_over_what_was_detected() {
    let text = "\
apps:
  api:
    metadata: { kind: worker, project_name: Shop API }
    build:
      packages: [git, ..., make]
      env: { CGO_ENABLED: null, LEVEL: 3 }
      commands: [make]
    runtime:
      ports: [9000]
      command: [..., --verbose]
      labels: { team: shop }
      processes: { release: [/app/m, migrate] }
      user: 1000
";
    let found = services(&[("peelbox.yaml", text)]);
    assert_eq!(errors(&found), [""; 0]);
    let before = services(&[]);
    let (old, new) = (before.spec("api"), found.spec("Shop API"));
    assert_eq!(
        new.build.packages,
        ["git", old.build.packages[0].as_str(), "make"]
    );
    assert_eq!(new.build.commands, ["make"]);
    assert!(!new.build.env.contains_key("CGO_ENABLED"));
    assert_eq!(new.build.env["LEVEL"], "3");
    assert_eq!(new.build.env["GOTOOLCHAIN"], "local");
    assert_eq!(new.metadata.kind, Some(Kind::Worker));
    assert_eq!(command(new), format!("{} --verbose", command(old)));
    assert_eq!(new.runtime.ports, [9000]);
    assert_eq!(new.runtime.processes["release"], ["/app/m", "migrate"]);
    assert_eq!(new.runtime.user.as_deref(), Some("1000"));
    assert_eq!(new.build.cache, old.build.cache);
    assert_eq!(found.names(), ["Shop API", "mail"]);
    assert_eq!(found.spec("mail"), before.spec("mail"));
}

#[test]
fn every_changed_field_has_evidence_and_the_old_value_is_among_the_losers() {
    let text = "apps:\n  services/api:\n    runtime:\n      ports: [9000]\n";
    let found = services(&[("peelbox.yaml", text)]);
    assert_eq!(errors(&found), [""; 0]);
    let app = found
        .apps
        .iter()
        .find(|app| app.spec.metadata.project_name == "api");
    let app = app.unwrap();
    // The app reads PORT, so it is told the new one.
    assert_eq!(app.spec.runtime.env["PORT"], "9000");
    let port = app
        .evidence
        .iter()
        .find(|found| found.field == "port")
        .unwrap();
    assert_eq!(
        (port.value.as_str(), port.rule.as_str(), port.line),
        ("9000", "override", Some(4))
    );
    assert_eq!(port.written.as_deref(), Some("ports"));
    assert_eq!(port.losing[0].value, "8080");
    assert_eq!(port.losing[0].reason, "`peelbox.yaml` overrides it");
    assert_eq!(
        found.evidence("api", "runtime.env.PORT"),
        ["9000 peelbox.yaml:4 override"]
    );
}

#[test]
fn a_file_in_an_app_is_about_that_app_and_wins_over_the_root() {
    let found = services(&[
        (
            "peelbox.yaml",
            "apps:\n  api: {runtime: {ports: [1], env: {A: root, B: root}}}\n",
        ),
        (
            "services/api/peelbox.yml",
            "runtime:\n  ports: [2]\n  env: {A: own}\n  health: {endpoint: /up}\n",
        ),
        ("services/mail/peelbox.yaml", "# nothing yet\n"),
    ]);
    assert_eq!(errors(&found), [""; 0]);
    let runtime = &found.spec("api").runtime;
    assert_eq!(runtime.ports, [2]);
    assert_eq!(
        (runtime.env["A"].as_str(), runtime.env["B"].as_str()),
        ("own", "root")
    );
    assert_eq!(runtime.health.as_ref().unwrap().endpoint, "/up");
}

#[test]
fn an_app_is_hidden_and_another_one_is_added() {
    let text = "\
apps:
  services/mail: {hide: true}
  legacy:
    add: true
    metadata: {path: old/legacy, kind: web}
    build:
      packages: [make]
      commands: [make]
    runtime:
      packages: [glibc]
      copy: [{from: legacy, to: legacy}]
      command: [/app/legacy]
  old/other: {add: true, runtime: {command: [/x]}}
";
    let found = services(&[("peelbox.yaml", text)]);
    assert_eq!(errors(&found), [""; 0]);
    assert_eq!(found.names(), ["legacy", "other", "api"]);
    let legacy = found.spec("legacy");
    assert_eq!(legacy.metadata.path, "old/legacy");
    assert_eq!(legacy.version, "1.0");
    assert_eq!(found.spec("other").metadata.path, "old/other");
    assert_eq!(found.reason("services/mail"), "`peelbox.yaml:2` hides it");
}

#[test]
fn what_matches_nothing_or_says_nothing_known_is_told_with_its_place_all_at_once() {
    let found = services(&[
        (
            "peelbox.yaml",
            "apps:\n  apii: {hide: true}\n  lib: {hide: true}\n  api:\n    metadata: {path: x}\n  mail: {entry: x, add: true}\n  services: {}\n",
        ),
        (
            "services/mail/peelbox.yaml",
            "hide: maybe\nruntme: {}\nruntime:\n  prot: 1\n  ports: [..., 1, ..., x]\nbuild: []\napps:\n  x: {ad: true, apps: {}}\n",
        ),
        ("lib/go.mod", MOD),
        ("lib/lib.go", "package lib\n"),
        ("services/peelbox.yaml", "runtime: {}\n"),
        ("services/peelbox.yml", "runtime: {}\n"),
        ("lib/peelbox.yaml", "{\n"),
    ]);
    assert_eq!(
        errors(&found),
        [
            "lib/peelbox.yaml:1:1: not valid YAML: unclosed bracket '{'",
            "peelbox.yaml:2:3: there is no app `apii`, the nearest one is `api`",
            "peelbox.yaml:3:3: `lib` is no app: it has no `package main` with a `func main`: it is a library",
            "peelbox.yaml:4:3: the app `api` is in `services/api`",
            "peelbox.yaml:6:3: there is an app `mail` already",
            "peelbox.yaml:7:3: there is no app `services`, the nearest one is `services/api`",
            "services/mail/peelbox.yaml:1:7: `hide` must be true or false, but is a text",
            "services/mail/peelbox.yaml:2:1: unknown key `runtme`, the nearest known one is `runtime`",
            "services/mail/peelbox.yaml:4:3: unknown key `runtime.prot`, the nearest known one is `runtime.ports`",
            "services/mail/peelbox.yaml:5:19: `runtime.ports` is \"...\": what was detected is in the list twice",
            "services/mail/peelbox.yaml:5:24: `runtime.ports[3]` must be a whole number, but is a text",
            "services/mail/peelbox.yaml:6:8: `build` must be a map, but is a list",
            "services/mail/peelbox.yaml:8:7: unknown key `apps.x.ad`, the nearest known one is `apps.x.add`",
            "services/mail/peelbox.yaml:8:17: unknown key `apps.x.apps`, the nearest known one is `apps.x.add`",
            "services/peelbox.yaml:1:1: there is no app in `services`, the nearest one is `services/api`",
            "services/peelbox.yml:0:0: `peelbox.yaml` beside it is the one that is read",
        ]
    );
    assert_eq!(found.names(), ["api", "mail"]);
}

#[test]
fn an_entry_answers_a_question_of_python() {
    let files = [
        ("a/requirements.txt", "flask\ngunicorn\n"),
        ("a/one/main.py", "app = Flask(__name__)\n"),
        (
            "a/two/main.py",
            "app = Flask(__name__)\ndef create_app():\n    return Flask(__name__)\n",
        ),
        ("a/one/__init__.py", ""),
        ("a/two/__init__.py", ""),
        ("a/job.py", "print()\n"),
    ];
    for (entry, started) in [
        (
            "two.main:app",
            "gunicorn --bind 0.0.0.0:8000 --worker-tmp-dir /dev/shm two.main:app",
        ),
        (
            "two.main:create_app()",
            "gunicorn --bind 0.0.0.0:8000 --worker-tmp-dir /dev/shm two.main:create_app()",
        ),
        (
            "one/main.py",
            "gunicorn --bind 0.0.0.0:8000 --worker-tmp-dir /dev/shm one.main:app",
        ),
        ("job.py", "job.py"),
    ] {
        let text = format!("entry: {entry}\n");
        let mut files = files.to_vec();
        files.push(("a/peelbox.yaml", &text));
        let found = found(&files);
        assert_eq!(errors(&found), [""; 0], "{entry}");
        let command = command(found.spec("a"));
        assert!(command.ends_with(started), "{command}");
        assert!(found.evidence("a", "start").len() + found.evidence("a", "entry").len() > 0);
        assert!(found.apps[0].evidence.iter().any(|e| e.rule == "override"));
    }
    for (entry, message) in [
        (
            "three",
            "a/peelbox.yaml:1: `three` is no module or file of the project",
        ),
        (
            "one.main:no",
            "a/peelbox.yaml:1: `a/one/main.py` has no application `no`",
        ),
    ] {
        let text = format!("entry: {entry}\n");
        let mut files = files.to_vec();
        files.push(("a/peelbox.yaml", &text));
        let found = found(&files);
        let app = &found.refused[0];
        let told = format!("{}:{}: {}", app.file, app.line.unwrap(), app.reason);
        assert_eq!(told, message);
    }
}

#[test]
fn an_entry_names_one_program_of_several() {
    let found = found(&[
        ("go.mod", MOD),
        ("cmd/a/main.go", GO),
        ("cmd/b/main.go", GO),
        (
            "rs/Cargo.toml",
            "[package]\nname = \"r\"\nversion = \"1.0.0\"\n",
        ),
        ("rs/Cargo.lock", "version = 4\n"),
        ("rs/src/main.rs", "fn main() {}\n"),
        ("rs/src/bin/job.rs", "fn main() {}\n"),
        (
            "web/package.json",
            "{\"name\": \"web\", \"scripts\": {\"start\": \"a; b\", \"go\": \"node x.js\"}}",
        ),
        ("web/package-lock.json", "{}"),
        ("web/x.js", "app.listen(3000)"),
        ("web/y.js", "app.listen(3001)"),
        (
            "peelbox.yaml",
            "entry: ./cmd/b\napps:\n  rs: {entry: job}\n  web: {entry: y.js}\n",
        ),
    ]);
    assert_eq!(errors(&found), [""; 0]);
    assert_eq!(found.names(), ["b", "rs-job", "web"]);
    assert_eq!(
        found.reason("cmd/a"),
        "`peelbox.yaml:1` names `./cmd/b` as the entry"
    );
    assert_eq!(command(found.spec("web")), "node y.js");
    assert_eq!(
        found.evidence("b", "entry").last().unwrap(),
        "./cmd/b peelbox.yaml:1 override"
    );
}

#[test]
fn an_entry_that_no_rule_takes_is_an_error() {
    let found = found(&[
        ("landing/index.html", ""),
        ("peelbox.yaml", "apps:\n  landing:\n    entry: other.html\n"),
    ]);
    assert_eq!(
        errors(&found),
        [
            "peelbox.yaml:2:3: `entry` changes nothing for `landing`: static has nothing to choose there"
        ]
    );
}

#[test]
fn a_name_leads_to_the_entry_of_its_directory() {
    let found = found(&[
        (
            "backend/web/package.json",
            "{\"name\": \"x\", \"scripts\": {\"start\": \"node x.js\"}}",
        ),
        ("backend/web/package-lock.json", "{}"),
        ("backend/web/x.js", "app.listen(3000)"),
        ("backend/web/y.js", "app.listen(3001)"),
        ("peelbox.yaml", "apps:\n  backend-web: {entry: y.js}\n"),
    ]);
    assert_eq!(errors(&found), [""; 0]);
    assert_eq!(command(found.spec("backend-web")), "node y.js");
    assert_eq!(found.spec("backend-web").runtime.ports, [3001]);
}

#[test]
fn a_directory_that_is_named_is_not_passed_over() {
    let files = [("examples/shop/go.mod", MOD), ("examples/shop/main.go", GO)];
    assert_eq!(found(&files).names(), [""; 0]);
    let mut files = files.to_vec();
    files.push(("peelbox.yaml", "apps:\n  examples/shop: {}\n"));
    assert_eq!(found(&files).names(), ["examples-shop"]);
}

#[test]
fn hiding_what_cannot_be_read_silences_it() {
    let found = services(&[
        ("bad/package.json", "{"),
        ("peelbox.yaml", "apps:\n  bad: {hide: true}\n"),
    ]);
    assert_eq!(errors(&found), [""; 0]);
}

#[test]
fn two_apps_do_not_come_out_with_one_name() {
    let found = services(&[(
        "peelbox.yaml",
        "apps:\n  api:\n    metadata:\n      project_name: MAIL\n",
    )]);
    assert_eq!(
        errors(&found),
        [
            "peelbox.yaml:4:0: the apps in `services/api` and `services/mail` would both be called `mail`"
        ]
    );
}
