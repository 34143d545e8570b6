use super::{command, copies, found};
use crate::spec::Kind;

#[test]
fn pages_that_belong_to_nothing_are_a_site() {
    let found = found(&[
        ("sites/shop/index.html", ""),
        ("sites/shop/css/a.css", ""),
        ("sites/shop/.env", ""),
        ("sites/shop/README.md", ""),
        ("landing/public/index.html", ""),
        (
            "app/package.json",
            r#"{"name": "app", "scripts": {"test": "x"}}"#,
        ),
        ("app/public/index.html", ""),
        ("examples/page/index.html", ""),
    ]);
    assert_eq!(found.names(), ["landing", "shop"]);
    let spec = found.spec("shop");
    assert_eq!(spec.metadata.kind, Some(Kind::Static));
    assert_eq!(copies(spec), ["css -> css", "index.html -> index.html"]);
    assert_eq!(spec.runtime.packages, ["nginx-mainline"]);
    assert_eq!(spec.runtime.ports, [8080]);
    assert_eq!(command(spec), "");
    assert_eq!(spec.build.context, ["sites/shop/**"]);
    assert_eq!(found.reason("app/public"), "it belongs to `app`");
    assert_eq!(
        found.reason("examples/page"),
        "`examples` directories hold examples"
    );
}

#[test]
fn manifests_of_other_languages_are_named() {
    let found = found(&[
        ("web/composer.json", "{}"),
        ("gem/Gemfile", ""),
        ("fixtures/x/pom.xml", ""),
    ]);
    let rejected: Vec<String> = found
        .rejected
        .iter()
        .map(|r| format!("{}: {}: {}", r.path, r.looked_like, r.reason))
        .collect();
    assert_eq!(
        rejected,
        [
            "fixtures/x: a Maven project: `fixtures` directories hold test data",
            "gem: a Ruby project: nothing starts it: it has no `config.ru`, no Procfile and no program, so it holds a library or tools",
            "web: a PHP project: it has no `index.php` in a directory of pages, and names no single program: it is a library or holds tools",
        ]
    );
}

#[test]
fn a_report_of_a_tool_is_no_site_and_a_site_about_reports_is_one() {
    let found = found(&[
        ("coverage/index.html", ""),
        ("coverage/lcov.info", ""),
        ("coverage/src/index.html", ""),
        ("library/htmlcov/index.html", ""),
        ("insurance/coverage/index.html", ""),
    ]);
    assert_eq!(found.names(), ["insurance-coverage"]);
    for path in ["coverage", "coverage/src"] {
        assert_eq!(
            found.reason(path),
            "`coverage/lcov.info` says that it is a report of tests"
        );
    }
    assert_eq!(
        found.reason("library/htmlcov"),
        "`htmlcov` directories hold reports of tools"
    );
}

#[test]
fn pages_of_a_browser_extension_are_no_site_and_those_of_a_web_app_are() {
    let found = found(&[
        (
            "clipper/manifest.json",
            r#"{"manifest_version": 3, "name": "clipper"}"#,
        ),
        ("clipper/popup/index.html", ""),
        (
            "pocket/manifest.json",
            r#"{"name": "pocket", "display": "standalone"}"#,
        ),
        ("pocket/index.html", ""),
    ]);
    assert_eq!(found.names(), ["pocket"]);
    assert_eq!(
        found.reason("clipper/popup"),
        "it belongs to the browser extension of `clipper/manifest.json`"
    );
}
