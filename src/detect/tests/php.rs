use super::{command, copies, found};
use crate::spec::Kind;

const INDEX: (&str, &str) = ("public/index.php", "<?php echo 1;");

fn packages(composer: &str, more: &[(&str, &str)]) -> Vec<String> {
    let mut files = vec![("composer.json", composer), INDEX];
    files.extend(more);
    found(&files).apps[0].spec.runtime.packages.clone()
}

fn chosen(composer: &str, more: &[(&str, &str)]) -> String {
    let packages = packages(composer, more);
    let php = packages.iter().find(|name| name.starts_with("php-"));
    php.unwrap_or_else(|| panic!("{packages:?}")).clone()
}

#[test]
fn the_platform_comes_before_the_constraint_and_that_before_the_lock_file() {
    let both = r#"{"require": {"php": ">=8.2"}, "config": {"platform": {"php": "8.3.1"}}}"#;
    assert_eq!(chosen(both, &[]), "php-8.3");
    assert_eq!(
        chosen(r#"{"require": {"php": "~8.2.0 || ~8.3.0"}}"#, &[]),
        "php-8.3"
    );
    let lock = ("composer.lock", r#"{"platform": {"php": "8.2.*"}}"#);
    assert_eq!(chosen("{}", &[lock]), "php-8.2");
    assert_eq!(
        chosen(
            r#"{"require": {"php": "^8.4"}}"#,
            &[(".php-version", "8.4\n")]
        ),
        "php-8.4"
    );
}

#[test]
fn a_release_that_is_not_packaged_is_replaced_by_its_stream_and_composer_is_told() {
    let found = found(&[
        (
            "composer.json",
            r#"{"name": "a/app", "require": {"php": "8.2.1"}}"#,
        ),
        INDEX,
    ]);
    let spec = found.spec("app");
    assert!(spec.build.install.commands[0].ends_with("--ignore-platform-req=php"));
    assert!(spec.build.commands[0].ends_with("--ignore-platform-req=php"));
    assert!(
        found
            .messages()
            .iter()
            .any(|m| m.contains("`8.2.1` is not packaged; `php-8.2`")),
        "{:?}",
        found.messages()
    );
}

#[test]
fn extensions_are_installed_with_what_they_load_first_and_built_in_ones_are_not() {
    let packages = packages(
        r#"{"require": {"php": "8.4.*", "ext-json": "*", "ext-pdo_mysql": "*", "ext-Zend-OPcache": "*"}}"#,
        &[(
            "composer.lock",
            r#"{"packages": [{"require": {"ext-intl": "*"}}], "packages-dev": [{"require": {"ext-gmp": "*"}}]}"#,
        )],
    );
    assert_eq!(
        packages,
        [
            "apache2",
            "ca-certificates-bundle",
            "php-8.4",
            "php-8.4-apache",
            "php-8.4-intl",
            "php-8.4-mysqlnd",
            "php-8.4-opcache",
            "php-8.4-pdo",
            "php-8.4-pdo_mysql",
            "tzdata",
        ]
    );
}

#[test]
fn extensions_that_do_not_exist_are_refused_with_the_line_that_wants_them() {
    let found = found(&[
        (
            "composer.json",
            "{\"name\": \"a/app\", \"require\": {\n\"ext-vanished\": \"*\"}}",
        ),
        INDEX,
    ]);
    assert!(found.apps.is_empty());
    assert_eq!(
        found.refusal("app"),
        "the PHP extension `vanished` is not packaged for `php-8.5`"
    );
    assert_eq!(found.refused[0].line, Some(2));
}

#[test]
fn calls_in_code_count_and_those_in_pages_comments_and_strings_do_not() {
    let names = packages(
        r#"{"require": {"php": "8.4.*"}}"#,
        &[(
            "src/a.php",
            "<p>It's curl_init( in a page</p>\n<?php\n#[Attr('x')]\n// imagecreatetruecolor(\n$a = 'bcadd(';\n$b = mb_strlen($a);\n$c = new PDO('sqlite:/tmp/x');\n",
        )],
    );
    let extensions: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_prefix("php-8.4-"))
        .filter(|name| !["apache", "opcache"].contains(name))
        .collect();
    assert_eq!(extensions, ["mbstring", "pdo", "pdo_sqlite"]);
}

#[test]
fn the_web_server_is_told_where_the_pages_are() {
    for (files, docroot, fallback, overrides) in [
        (
            &[("composer.json", "{}"), INDEX][..],
            "/app/public",
            true,
            "None",
        ),
        (
            &[("index.php", "<?php"), ("about.php", "<?php")],
            "/app",
            false,
            "None",
        ),
        (
            &[("web/index.php", "<?php"), ("web/.htaccess", "")],
            "/app/web",
            true,
            "All",
        ),
    ] {
        let found = found(files);
        let spec = &found.apps[0].spec;
        let config = spec.build.commands.last().unwrap();
        assert!(
            config.contains(&format!("DocumentRoot \"{docroot}\"")),
            "{config}"
        );
        assert_eq!(config.contains("FallbackResource /index.php"), fallback);
        assert!(config.contains(&format!("AllowOverride {overrides}\n  Options")));
        assert_eq!(
            command(spec),
            "/usr/bin/httpd -D FOREGROUND -f /etc/peelbox/httpd.conf"
        );
        assert_eq!(spec.metadata.kind, Some(Kind::Web));
        assert_eq!(spec.runtime.env["PORT"], "8080");
    }
}

#[test]
fn what_has_no_pages_is_a_program_or_no_app() {
    let found = found(&[
        (
            "cli/composer.json",
            r#"{"type": "project", "bin": ["bin/run"]}"#,
        ),
        ("cli/bin/run", "#!/usr/bin/env php\n<?php"),
        ("lib/composer.json", r#"{"type": "library"}"#),
        ("lib/index.php", "<?php"),
        ("bundle/composer.json", r#"{"type": "symfony-bundle"}"#),
        (
            "two/composer.json",
            r#"{"type": "project", "bin": ["a", "b"]}"#,
        ),
        ("page/index.php", "<p>plain</p>"),
        ("broken/composer.json", "{"),
        ("broken/index.php", "<?php"),
    ]);
    assert_eq!(found.names(), ["cli"]);
    let cli = found.spec("cli");
    assert_eq!(cli.metadata.kind, Some(Kind::Cli));
    assert_eq!(command(cli), "/usr/bin/php /app/bin/run");
    assert_eq!(
        found.reason("lib"),
        "its type is `library` in `lib/composer.json`"
    );
    assert_eq!(found.reason("page"), "`page/index.php` holds no PHP");
    assert!(
        found
            .reason("two")
            .contains("it is a library or holds tools")
    );
    assert!(
        found
            .messages()
            .iter()
            .any(|m| m.starts_with("broken/composer.json:1"))
    );
}

#[test]
fn development_servers_of_a_procfile_are_not_processes() {
    let found = found(&[
        ("composer.json", r#"{"name": "a/app", "type": "project"}"#),
        INDEX,
        (
            "Procfile",
            "web: vendor/bin/heroku-php-nginx public/\ndev: php -S 0.0.0.0:$PORT\nworker: ./bin/work --fast\n",
        ),
        ("bin/work", "#!/usr/bin/env php\n<?php"),
        ("tests/a.php", "<?php"),
        (".env", "SECRET=1"),
    ]);
    let spec = found.spec("app");
    assert_eq!(
        spec.runtime.processes.keys().collect::<Vec<_>>(),
        ["worker"]
    );
    assert_eq!(
        spec.runtime.processes["worker"],
        ["/usr/bin/php", "bin/work", "--fast"]
    );
    assert_eq!(
        copies(spec),
        [
            "bin -> bin",
            "composer.json -> composer.json",
            "public -> public",
            "vendor -> vendor",
            "/out/httpd.conf -> /etc/peelbox/httpd.conf",
        ]
    );
}

#[test]
fn a_program_that_is_not_there_starts_nothing() {
    let found = found(&[(
        "composer.json",
        r#"{"name": "x/a", "type": "project", "bin": ["bin/gone"]}"#,
    )]);
    assert!(found.reason(".").contains("names no single program"));
}
