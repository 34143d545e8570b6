//! Names: from paths, unique, and the same whatever else is in the repository.

use super::found;

const MOD: &str = "module example.com/m\n\ngo 1.26\n";
const GO: &str = "package main\n\nfunc main() {}\n";

/// The names of Go programs at these paths, in the order of the paths.
fn names(paths: &[&str]) -> Vec<String> {
    let files: Vec<(String, &str)> = paths
        .iter()
        .flat_map(|path| {
            [
                (format!("{path}/go.mod"), MOD),
                (format!("{path}/main.go"), GO),
            ]
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    let found = found(&files);
    assert!(found.refused.is_empty());
    found.names().into_iter().map(str::to_owned).collect()
}

#[test]
fn manifests_with_one_name_are_two_apps_with_the_names_of_their_directories() {
    let manifest = r#"{"name": "same", "scripts": {"start": "node i.js"}}"#;
    let found = found(&[
        ("apps/left/package.json", manifest),
        ("apps/left/i.js", "app.listen(3000)"),
        ("apps/right/package.json", manifest),
        ("apps/right/i.js", "app.listen(3000)"),
    ]);
    assert_eq!(found.names(), ["left", "right"]);
}

#[test]
fn a_short_name_that_two_have_is_lengthened_for_both() {
    assert_eq!(
        names(&["apps/api", "services/api"]),
        ["apps-api", "services-api"]
    );
    // Nobody else's name depends on it.
    assert_eq!(
        names(&["apps/api", "apps/web", "services/api", "services/mail"]),
        ["apps-api", "web", "services-api", "mail"]
    );
}

#[test]
fn an_app_with_a_name_of_its_own_renames_nobody() {
    let few = names(&["apps/a", "apps/b", "services/c/d"]);
    assert_eq!(few, ["a", "b", "c-d"]);
    let more = names(&[
        "apps/a",
        "apps/aa",
        "apps/b",
        "libs/x",
        "services/c/d",
        "services/c/e",
    ]);
    assert_eq!(more, ["a", "aa", "b", "x", "c-d", "c-e"]);
}

#[test]
fn names_that_differ_in_their_case_or_marks_only_are_numbered() {
    assert_eq!(names(&["API", "api"]), ["api-go", "api-go-2"]);
    assert_eq!(
        names(&["a/b", "a-b", "a_b"]),
        ["a-b-go", "a-b-go-2", "a-b-go-3"]
    );
    // A long name that is another one's short name.
    let found = names(&["apps/api", "services/api", "services-api"]);
    let unique: std::collections::BTreeSet<&String> = found.iter().collect();
    assert_eq!(unique.len(), 3, "{found:?}");
}

#[test]
fn programs_of_one_module_are_called_by_their_target() {
    let found = found(&[
        ("desk/go.mod", MOD),
        ("desk/cmd/api/main.go", GO),
        ("desk/cmd/desk/main.go", GO),
        ("desk/cmd/desk-worker/main.go", GO),
        ("api/go.mod", MOD),
        ("api/main.go", GO),
    ]);
    assert_eq!(found.names(), ["api", "desk-api", "desk", "desk-worker"]);
}

#[test]
fn a_target_with_the_name_of_another_directory_is_lengthened_by_its_own() {
    let found = found(&[
        ("go.mod", MOD),
        ("cmd/web/main.go", GO),
        (
            "web/package.json",
            r#"{"name": "x", "scripts": {"start": "node i.js"}}"#,
        ),
        ("web/i.js", "app.listen(3000)"),
    ]);
    let names = found.names();
    let unique: std::collections::BTreeSet<&&str> = names.iter().collect();
    assert_eq!(unique.len(), 2, "{names:?}");
    assert_eq!(names, ["web-go", "web-node"]);
}

#[test]
fn a_name_is_one_that_an_image_may_have() {
    assert_eq!(names(&["apps/Über Shop (2)"]), ["ber-shop-2"]);
    assert_eq!(names(&["apps/---"]), ["m"]);
}
