use super::{PACKAGES, command, copies, found, write};
use crate::detect::{Repo, detect};
use crate::wolfi::Index;

const FILES: &[(&str, &str)] = &[
    (
        "deno.json",
        "{\n\"tasks\": {\"start\": \"deno run --allow-net main.ts\", \"dev\": \"deno run --watch main.ts\"}}",
    ),
    ("deno.lock", "{}"),
    (
        "main.ts",
        "Deno.serve({ port: 8100 }, () => new Response());",
    ),
];

#[test]
fn an_app_is_recognised_and_refused_while_deno_is_not_packaged() {
    let found = found(FILES);
    assert_eq!(found.names(), [""; 0]);
    let refused = &found.refused[0];
    assert_eq!(refused.reason, "Deno is not packaged");
    assert_eq!(
        (refused.file.as_str(), refused.line),
        ("deno.json", Some(2))
    );
    assert_eq!(refused.spec.runtime.ports, [8100]);
}

#[test]
fn where_deno_is_packaged_its_modules_are_shipped_with_the_app() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), FILES);
    let mut text = String::new();
    for line in PACKAGES
        .lines()
        .chain(["deno 2.5.0-r0"])
        .filter(|line| !line.starts_with('#'))
    {
        let mut words = line.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        text.push_str(&format!(
            "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:{name}\nV:{version}\n\n"
        ));
    }
    let index = Index::parse(text.as_bytes(), "a test");
    let found = detect(&Repo::open(root.path()).unwrap(), &index);
    let spec = found.spec("app");
    assert_eq!(
        spec.build.commands,
        ["deno install --frozen --entrypoint main.ts"]
    );
    assert_eq!(command(spec), "deno run --cached-only --allow-net main.ts");
    assert!(copies(spec).contains(&"/app/.deno -> /app/.deno".to_owned()));
}

#[test]
fn tools_and_remote_imports_elsewhere_make_no_app() {
    let found = found(&[
        ("deno.json", "{\"lint\": {}}"),
        (
            "package.json",
            "{\"name\": \"a\", \"scripts\": {\"start\": \"node i.js\"}}",
        ),
        ("i.js", ""),
        (
            "scripts/main.ts",
            "import a from \"https://example.com/a.ts\";",
        ),
    ]);
    assert_eq!(found.names(), ["a"]);
    assert!(found.refused.is_empty());
}

#[test]
fn a_task_that_only_a_shell_runs_is_refused() {
    for task in [
        "deno task build && deno run -A main.ts",
        "deno run -A --port $PORT main.ts",
        "cd src && deno run -A main.ts",
    ] {
        let manifest = format!("{{\"name\": \"a\", \"tasks\": {{\"start\": \"{task}\"}}}}");
        let found = found(&[("deno.json", &manifest), ("main.ts", "Deno.serve(f)")]);
        assert_ne!(found.refusal("a"), "Deno is not packaged", "{task}");
    }
}
