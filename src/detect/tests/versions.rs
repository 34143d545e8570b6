//! Versions: which source wins, what its text means, and which stream answers it.

use super::{Detection, found};

/// A Node.js app with the engines that it asks for, and files that say more.
fn node(engines: &str, more: &[(&str, &str)]) -> Detection {
    let manifest = format!(
        "{{\"name\": \"a\",\n\"engines\": {{\"node\": \"{engines}\"}},\n\"scripts\": {{\"start\": \"node i.js\"}}}}"
    );
    let mut files = vec![
        ("apps/a/package.json", manifest.as_str()),
        ("apps/a/i.js", "app.listen(3000)"),
        ("apps/a/package-lock.json", "{}"),
    ];
    files.extend(more);
    found(&files)
}

fn toolchain(found: &Detection) -> String {
    match found.evidence("a", "toolchain").as_slice() {
        [one] => one.clone(),
        several => panic!("{several:?}\n{}", found.explain_text()),
    }
}

#[test]
fn a_range_of_npm_is_answered_by_the_best_maintained_stream_in_it() {
    for (range, package, warning) in [
        ("*", "nodejs-24", None),
        (">=20", "nodejs-24", None),
        (">=20 <25", "nodejs-24", None),
        ("^24.1 || ^22.3", "nodejs-24", None),
        ("22.x || 24.x", "nodejs-24", None),
        ("18 - 24", "nodejs-24", None),
        (
            ">=20 <23",
            "nodejs-22",
            Some("`nodejs-22` is no longer built"),
        ),
        ("^22.3", "nodejs-22", Some("`nodejs-22` is no longer built")),
    ] {
        let found = node(range, &[]);
        let chosen = toolchain(&found);
        assert!(
            chosen.starts_with(&format!("{package} apps/a/package.json:")),
            "{range}: {chosen}"
        );
        let messages = found.messages().join("\n");
        match warning {
            None => assert_eq!(messages, "", "{range}"),
            Some(warning) => {
                assert!(
                    messages.starts_with("apps/a/package.json:"),
                    "{range}: {messages}"
                );
                assert!(messages.contains(warning), "{range}: {messages}");
            }
        }
    }
}

#[test]
fn the_aliases_of_nvm_are_known() {
    for (text, package) in [
        ("lts/*", "nodejs-24"),
        ("node", "nodejs-24"),
        ("stable", "nodejs-24"),
        ("system", "nodejs-24"),
        ("lts/krypton", "nodejs-24"),
        ("lts/Jod", "nodejs-22"),
        ("v22", "nodejs-22"),
        ("# comment\n\n 22.1 # and more\n24\n", "nodejs-22"),
    ] {
        let found = node("*", &[("apps/a/.nvmrc", text)]);
        let chosen = toolchain(&found);
        assert!(
            chosen.starts_with(&format!("{package} apps/a/.nvmrc:")),
            "{text}: {chosen}"
        );
        // A stream that gets no fixes is told at the file that asks for it.
        let is_told = found.messages().iter().any(|message| {
            message.starts_with("apps/a/.nvmrc:") && message.contains("no longer built")
        });
        assert_eq!(is_told, package == "nodejs-22", "{text}");
    }
}

#[test]
fn text_that_is_no_version_is_told_and_the_next_source_counts() {
    for text in [
        "iojs",
        "lts/none",
        "1.8.x.y",
        "\u{1f600}",
        "latest-22 of all",
        "$(x)",
    ] {
        let found = node("24", &[("apps/a/.nvmrc", text)]);
        assert!(
            toolchain(&found).starts_with("nodejs-24 apps/a/package.json:"),
            "{text}: {}",
            toolchain(&found)
        );
        let messages = found.messages();
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(
            messages[0].starts_with("apps/a/.nvmrc:1: `"),
            "{messages:?}"
        );
        assert!(
            messages[0].contains("is not a Node.js version"),
            "{messages:?}"
        );
    }
}

#[test]
fn every_file_of_mise_is_read_in_every_form() {
    for (path, text, line) in [
        ("apps/a/mise.toml", "[tools]\nnode = \"22\"\n", 2),
        ("apps/a/.mise.toml", "[tools]\nnode = ['22', '24']\n", 2),
        (
            "apps/a/mise/config.toml",
            "[tools.node]\nversion = \"22.1\"\n",
            2,
        ),
        (
            "apps/.mise/config.toml",
            "tools.nodejs = { version = \"22\" }\n",
            1,
        ),
        (
            "apps/.config/mise.toml",
            "[tools]\n\"core:node\" = \"prefix:22\"\n",
            2,
        ),
        (".config/mise/config.toml", "[tools]\nnode = 22\n", 2),
        (
            "mise.toml",
            "[[tools.node]]\nversion = \"22\"\n[[tools.node]]\nversion = \"24\"\n",
            2,
        ),
        (
            ".tool-versions",
            "# all\npython 3.13\nnodejs 22.1.0 24.0.0\n",
            3,
        ),
    ] {
        let found = node("*", &[(path, text)]);
        let rule = if path.ends_with("toml") {
            "mise"
        } else {
            "tool-versions"
        };
        assert_eq!(
            toolchain(&found),
            format!("nodejs-22 {path}:{line} version.{rule}"),
            "{text}"
        );
    }
}

#[test]
fn the_nearest_file_wins_and_a_better_kind_in_one_directory() {
    let mise = "[tools]\nnode = \"26\"\n";
    for (more, expected) in [
        (
            vec![("mise.toml", mise), ("apps/a/.nvmrc", "24")],
            "nodejs-24 apps/a/.nvmrc:1 version.file",
        ),
        (
            vec![("apps/.config/mise.toml", mise), (".nvmrc", "24")],
            "nodejs-26 apps/.config/mise.toml:2 version.mise",
        ),
        (
            vec![
                ("apps/a/mise.toml", mise),
                ("apps/a/.tool-versions", "nodejs 24\n"),
                ("apps/a/.nvmrc", "22"),
            ],
            "nodejs-26 apps/a/mise.toml:2 version.mise",
        ),
        (
            vec![
                ("apps/a/.tool-versions", "node 26\n"),
                ("apps/a/.nvmrc", "24"),
            ],
            "nodejs-26 apps/a/.tool-versions:1 version.tool-versions",
        ),
        // A file at the root says which one; the manifest only which ones would do.
        (vec![(".nvmrc", "26")], "nodejs-26 .nvmrc:1 version.file"),
    ] {
        let found = node(">=24", &more);
        assert_eq!(toolchain(&found), expected);
    }
}

#[test]
fn sources_that_contradict_each_other_are_told_with_both_places() {
    let found = node("^22", &[("apps/a/.nvmrc", "24")]);
    assert_eq!(toolchain(&found), "nodejs-24 apps/a/.nvmrc:1 version.file");
    assert_eq!(
        found.messages(),
        ["apps/a/package.json:2: Node.js `^22` contradicts `24` in `apps/a/.nvmrc`, which wins"]
    );
    let app = &found.apps[0];
    let losing = &app
        .evidence
        .iter()
        .find(|e| e.field == "toolchain")
        .unwrap()
        .losing;
    assert_eq!((losing[0].value.as_str(), losing[0].line), ("^22", Some(2)));
}

#[test]
fn a_version_that_is_not_packaged_is_refused_or_has_a_substitute_of_its_stream() {
    let found = node("24.0.1", &[]);
    assert!(toolchain(&found).starts_with("nodejs-24 "));
    assert!(found.messages()[0].contains("`24.0.1` is not packaged; `nodejs-24`"));
    let found = node("12", &[]);
    assert!(found.apps.is_empty());
}

#[test]
fn python_specifiers_are_ranges() {
    for (requires, package) in [
        (">=3.10,<3.13", "python-3.12"),
        ("~=3.11.2", "python-3.11"),
        ("==3.12.*", "python-3.12"),
        (">=3.9,!=3.13.*", "python-3.14"),
        ("^3.11", "python-3"),
    ] {
        let found = found(&[
            (
                "a/pyproject.toml",
                &format!("[project]\nname = \"a\"\nrequires-python = \"{requires}\"\n"),
            ),
            ("a/main.py", "print()\n"),
        ]);
        let chosen = toolchain(&found);
        assert!(chosen.starts_with(package), "{requires}: {chosen}");
    }
}
