use super::{copies, found};
use crate::spec::Kind;

#[test]
fn a_site_of_hugo_is_built_and_served() {
    let found = found(&[
        ("blog/hugo.toml", "baseURL = 'https://a.example/'\n"),
        ("blog/content/_index.md", ""),
        ("blog/layouts/index.html", ""),
        ("blog/themes/x/hugo.toml", ""),
    ]);
    assert_eq!(found.names(), ["blog"]);
    let spec = found.spec("blog");
    assert_eq!(spec.metadata.kind, Some(Kind::Static));
    assert_eq!(spec.build.packages, ["hugo"]);
    assert_eq!(spec.build.commands, ["hugo --minify --destination /site"]);
    assert_eq!(copies(spec), ["/site -> /app"]);
    assert_eq!(spec.runtime.packages, ["nginx-mainline"]);
    assert_eq!(
        found.reason("blog/layouts"),
        "it belongs to the site `blog`"
    );
    assert_eq!(
        found.reason("blog/themes/x"),
        "it is a part of the site `blog`"
    );
}

#[test]
fn the_configuration_of_something_else_is_no_site() {
    let found = found(&[
        ("a/config.toml", "baseURL = 1\n"),
        ("b/config.toml", "[server]\nport = 1\n"),
        ("b/content/x.md", ""),
        ("c/conf.py", "x = 1\n"),
        ("c/index.md", ""),
        ("d/_config.yml", "name: x\n"),
        ("e/theme.toml", ""),
        ("e/hugo.toml", "baseURL = 'x'\n"),
        ("lib/docs/conf.py", "project = 'lib'\n"),
        ("lib/docs/index.rst", ""),
        ("lib/docs/requirements.txt", "sphinx\n"),
        ("lib/Cargo.toml", "[package]\nname = \"lib\"\n[lib]\n"),
        ("lib/src/lib.rs", ""),
    ]);
    assert!(found.names().is_empty(), "{:?}", found.names());
    assert!(found.refused.is_empty());
    assert_eq!(
        found.reason("e"),
        "`theme.toml` says that it is a theme for other sites"
    );
    assert_eq!(
        found.reason("lib/docs"),
        "it is the documentation of the project of `lib/Cargo.toml`"
    );
}

#[test]
fn the_tools_of_python_and_ruby_are_installed_as_their_files_say() {
    let found = found(&[
        ("m/mkdocs.yml", "site_name: x\n"),
        ("m/requirements.txt", "MkDocs==1.6.1\n"),
        ("s/conf.py", "project = 'x'\n"),
        ("s/index.rst", ""),
        ("s/requirements.txt", "sphinx\n"),
        ("j/_config.yml", "title: x\n"),
        ("j/Gemfile", "gem 'jekyll'\n"),
        ("j/.ruby-version", "ruby-3.3.1\n"),
    ]);
    assert_eq!(found.names(), ["j", "m", "s"]);
    assert_eq!(
        found.spec("m").build.install.commands,
        [
            "/usr/bin/python3.13 -m venv /venv",
            "/venv/bin/python -m pip install -r requirements.txt"
        ]
    );
    assert_eq!(
        found.spec("s").build.commands,
        ["/venv/bin/python -m sphinx -b html . /site"]
    );
    assert_eq!(
        found.spec("j").build.packages,
        ["build-base", "ruby-3.3", "ruby-3.3-dev", "ruby3.3-bundler"]
    );
}

#[test]
fn a_missing_tool_or_theme_is_refused_with_its_name() {
    let found = found(&[
        ("b/book.toml", "[book]\n"),
        ("b/src/SUMMARY.md", ""),
        ("h/hugo.toml", "theme = 'paper'\n"),
        ("m/mkdocs.yml", ""),
    ]);
    let reasons: Vec<&str> = found.refused.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "`mdbook` is not packaged",
            "its theme `paper` is not in the repository",
            "no requirements file beside it names `mkdocs`"
        ]
    );
}

#[test]
fn a_staticfile_names_the_root_of_a_site() {
    let found = found(&[
        ("site/Staticfile", "root: web/out\n"),
        ("site/web/out/index.html", ""),
        ("other/Staticfile", "root: nowhere\n"),
    ]);
    assert_eq!(found.names(), ["site"]);
    assert_eq!(found.spec("site").metadata.path, "site/web/out");
    assert_eq!(found.reason("other"), "its root `nowhere` does not exist");
}
