//! Images that would not start, or are of other sources, are not made.

mod support;

#[path = "support/run.rs"]
mod run;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use run::{ci, run};

const PROGRAM: &str = "printf 'int f(void){return 7;}' > f.c; printf 'int f(void); int main(void){return f()-7;}' > m.c
mkdir lib && gcc -shared -fPIC -o lib/libfoo.so f.c && gcc -o m m.c -Llib -lfoo";

fn app(name: &str, commands: &[&str], copies: &[(&str, &str)], command: &[&str]) -> Value {
    let copies: Vec<Value> = copies
        .iter()
        .map(|(from, to)| json!({"from": from, "to": to}))
        .collect();
    let compiles = commands.iter().any(|command| command.contains("gcc"));
    json!({
        "version": "1.0",
        "metadata": {"project_name": name, "path": ".", "kind": "cli"},
        "build": {"packages": if compiles { vec!["build-base"] } else { vec![] }, "commands": commands},
        "runtime": {
            "packages": if compiles { vec![] } else { vec!["nodejs"] },
            "copy": copies,
            "command": command,
        },
    })
}

#[test]
fn what_would_not_start_is_told_and_what_would_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    fs::create_dir(&repository).unwrap();
    fs::write(repository.join("main.js"), "console.log(1)\n").unwrap();
    fs::set_permissions(
        repository.join("main.js"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let lost = format!("{PROGRAM} -Wl,-rpath,$PWD/lib");
    let beside = format!("{PROGRAM} -Wl,-rpath,'$ORIGIN/lib'");
    let library = [("m", "."), ("lib", "lib")];
    let script = [("main.js", ".")];
    let node = ["node", "main.js"];
    let specs = [
        app("lost", &[&lost], &library, &["./m"]),
        app("beside", &[&beside], &library, &["./m"]),
        app(
            "elsewhere",
            &["true"],
            &[("main.js", "dist/main.js")],
            &node,
        ),
        app("plain", &["true"], &script, &["./main.js"]),
        app("pipe", &["mkfifo x.so"], &[(".", ".")], &node),
        app(
            "linked",
            &["true"],
            &[("main.js", "/lib/x/")],
            &["node", "/lib/x/main.js"],
        ),
    ];
    let text = serde_json::to_vec(&specs).unwrap();
    fs::write(repository.join("universalbuild.json"), text).unwrap();
    let path = |name| folder.path().join(name);
    let done = run(ci(&repository, &path("cache"), &path("out")), &path("out")).ended(1);
    let message = |name| {
        done.app(name)["error"]["message"]
            .as_str()
            .map(str::to_owned)
    };
    assert_eq!(
        message("lost").as_deref(),
        Some(
            "`runtime.command` cannot start: `/app/m` needs the library `libfoo.so`, which is not where it is looked for"
        )
    );
    assert_eq!(
        message("elsewhere").as_deref(),
        Some("`runtime.command` has `node` run `main.js`, which the image does not have")
    );
    assert_eq!(
        message("plain").as_deref(),
        Some("`./main.js`, which `runtime.command` runs, is not executable")
    );
    for name in ["beside", "pipe", "linked"] {
        assert_eq!(message(name), None, "{name}");
    }
}

#[test]
fn an_app_that_was_skipped_has_no_files_of_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    fs::create_dir(path("repository")).unwrap();
    fs::create_dir(path("out")).unwrap();
    fs::write(path("repository").join("main.js"), "").unwrap();
    fs::write(path("out").join("b.oci.tar"), "old").unwrap();
    let specs = ["a", "b"].map(|name| {
        let copies = [("main.js", ".")];
        app(name, &["exit 5"], &copies, &["node", "main.js"])
    });
    let text = serde_json::to_vec(&specs).unwrap();
    fs::write(path("repository").join("universalbuild.json"), text).unwrap();
    let mut command = ci(&path("repository"), &path("cache"), &path("out"));
    command.arg("--fail-fast");
    let done = run(command, &path("out")).ended(1);
    assert_eq!(done.app("b")["outcome"], "skipped");
    assert!(!done.files().contains(&"b.oci.tar".to_owned()));
}

#[test]
fn what_changed_to_and_fro_is_built_from_what_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    fs::create_dir_all(path("repository").join("src")).unwrap();
    let manifest = "[package]\nname = \"fro\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    fs::write(path("repository").join("Cargo.toml"), manifest).unwrap();
    // A daemon that has run this test before would not run its steps again.
    let nonce = uuid::Uuid::new_v4().simple();
    let mut logs = Vec::new();
    for (step, text) in [("1", "one"), ("1", "two"), ("2", "one")] {
        let source = format!("fn main() {{ println!(\"this is {text}\"); }}\n");
        fs::write(path("repository").join("src/main.rs"), source).unwrap();
        let copies = [("/target/release/fro", ".")];
        let command = "cargo build --release && /target/release/fro";
        let mut spec = app("fro", &[command], &copies, &["./fro"]);
        spec["build"] = json!({
            "context": ["src/**", "Cargo.toml"],
            "packages": ["rust", "build-base"],
            "commands": [command],
            "env": {"CARGO_TARGET_DIR": "/target", "STEP": format!("{nonce} {step}")},
            "cache": ["/target"],
        });
        spec["runtime"]["packages"] = json!([]);
        let text = serde_json::to_vec(&[spec]).unwrap();
        fs::write(path("repository").join("universalbuild.json"), text).unwrap();
        let out = path("out");
        run(ci(&path("repository"), &path("cache"), &out), &out).ended(0);
        logs.push(fs::read_to_string(out.join("fro.log")).unwrap());
    }
    assert!(logs[1].contains("this is two"), "{}", logs[1]);
    assert!(logs[2].contains("this is one"), "{}", logs[2]);
}
