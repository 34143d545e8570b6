use super::{command, copies, found};
use crate::spec::Kind;

const RACK: (&str, &str) = ("config.ru", "run App");

fn chosen(files: &[(&str, &str)]) -> String {
    let mut files = files.to_vec();
    files.push(RACK);
    let found = found(&files);
    let app = found.apps.first();
    let spec = &app
        .unwrap_or_else(|| panic!("{}", found.explain_text()))
        .spec;
    let ruby = spec
        .build
        .packages
        .iter()
        .find(|name| name.starts_with("ruby-") && !name.ends_with("-dev"));
    ruby.unwrap().clone()
}

#[test]
fn the_version_file_comes_first_then_the_locked_ruby_that_the_gemfile_allows() {
    let gemfile = ("Gemfile", "ruby '>= 3.3', '< 4'\ngem 'puma'");
    assert_eq!(chosen(&[gemfile]), "ruby-3.4");
    assert_eq!(chosen(&[gemfile, (".ruby-version", "3.3\n")]), "ruby-3.3");
    let lock =
        |ruby: &str| format!("GEM\n  specs:\n    puma (6.6.0)\n\nRUBY VERSION\n   ruby {ruby}\n");
    let (old, new, none) = (lock("3.3.1p55"), lock("4.0.0"), lock("2.7.8"));
    assert_eq!(chosen(&[gemfile, ("Gemfile.lock", &old)]), "ruby-3.3");
    assert_eq!(chosen(&[gemfile, ("Gemfile.lock", &new)]), "ruby-3.4");
    assert_eq!(chosen(&[gemfile, ("Gemfile.lock", &none)]), "ruby-3.4");
    assert_eq!(
        chosen(&[("Gemfile", "gem 'puma'"), (".tool-versions", "ruby 3.4.1")]),
        "ruby-3.4"
    );
}

#[test]
fn a_pinned_ruby_is_disabled_in_the_gemfile_and_a_contradiction_is_refused() {
    let pinned = found(&[
        ("web/Gemfile", "gem 'puma'\nruby '3.3.1'"),
        ("web/config.ru", "run App"),
    ]);
    let spec = pinned.spec("web");
    assert_eq!(spec.build.install.commands[0], "sed -i '2s/^/# /' Gemfile");
    assert_eq!(spec.build.commands[0], "sed -i '2s/^/# /' Gemfile");
    let against = found(&[
        ("web/Gemfile", "gem 'puma'\nruby '~> 3.3.0'"),
        ("web/config.ru", "run App"),
        ("web/.ruby-version", "3.4"),
    ]);
    assert!(against.refusal("web").contains("Bundler would refuse it"));
}

#[test]
fn a_rack_app_is_started_by_the_server_among_its_gems() {
    for (gemfile, more, expected) in [
        ("gem 'puma'", "config/x", "puma -b tcp://0.0.0.0:9292"),
        ("gem 'puma'", "config/puma.rb", "puma -C config/puma.rb"),
        (
            "gem 'falcon'\ngem 'webrick'",
            "x",
            "falcon serve --bind http://0.0.0.0:9292",
        ),
        (
            "gem 'unicorn'",
            "config/unicorn.rb",
            "unicorn -c config/unicorn.rb",
        ),
        (
            "gem 'webrick'\ngem 'rackup'",
            "x",
            "rackup -s webrick -o 0.0.0.0 -p 9292",
        ),
    ] {
        let found = found(&[("Gemfile", gemfile), RACK, (more, "")]);
        let expected = format!("/usr/bin/ruby -rbundler/setup /usr/local/bundle/bin/{expected}");
        assert_eq!(command(&found.apps[0].spec), expected);
    }
    let none = found(&[
        ("web/Gemfile", "gem 'puma', group: :development"),
        ("web/config.ru", ""),
    ]);
    assert!(none.refusal("web").starts_with("has no server"));
}

#[test]
fn lines_of_a_procfile_run_through_the_interpreter() {
    for (line, expected) in [
        (
            "bundle exec puma -p $PORT",
            Ok("-rbundler/setup /usr/local/bundle/bin/puma -p 9292"),
        ),
        (
            "RAILS_ENV=production bin/rails server -p $PORT",
            Ok("/app/bin/rails server"),
        ),
        (
            "bundle exec rails s -p ${PORT:-80} -b 0.0.0.0",
            Ok("/app/bin/rails s -b 0.0.0.0"),
        ),
        ("bundle exec ruby app.rb", Ok("-rbundler/setup app.rb")),
        ("bin/dev", Err("`bin/dev` is for development")),
        (
            "bundle exec rerun app.rb",
            Err("`rerun` is for development"),
        ),
        (
            "bundle exec puma | tee x",
            Err("a pipe needs a shell: `| tee x`"),
        ),
        ("bin/missing", Err("`bin/missing` does not exist")),
    ] {
        let procfile = format!("web: {line}");
        let found = found(&[
            ("web/Gemfile", "gem 'puma'"),
            ("web/Procfile", &procfile),
            ("web/bin/rails", "#!/usr/bin/env ruby\n"),
            ("web/bin/dev", "#!/usr/bin/env ruby\n"),
        ]);
        match expected {
            Ok(expected) => {
                let expected = format!("/usr/bin/ruby {expected}");
                assert_eq!(command(found.spec("web")), expected, "{line}");
            }
            Err(reason) => assert_eq!(found.refusal("web"), reason, "{line}"),
        }
    }
}

#[test]
fn gems_bring_the_libraries_that_they_are_compiled_against() {
    let gemfile =
        "gem 'puma'\ngem 'pg'\ngem 'nokogiri'\ngem 'sqlite3', group: :test\ngem 'rmagick'";
    let lock = "GEM\n  specs:\n    nokogiri (1.18.9-x86_64-linux-gnu)\n    pg (1.5.9)\n    puma (6.6.0)\n    sqlite3 (2.7.2)\n\nPLATFORMS\n  x86_64-linux\n";
    let found = found(&[("Gemfile", gemfile), ("Gemfile.lock", lock), RACK]);
    let spec = &found.apps[0].spec;
    let has = |name: &str| spec.build.packages.iter().any(|package| package == name);
    assert!(has("postgresql-18-dev") && has("imagemagick-7-dev") && has("build-base"));
    assert!(!has("libxml2-dev") && !has("sqlite-dev"));
    assert!(spec.runtime.packages.contains(&"libpq-18".to_owned()));
}

#[test]
fn libraries_tools_and_sites_are_no_apps() {
    let found = found(&[
        ("gem/Gemfile", "gemspec\ngem 'rails'"),
        ("gem/x.gemspec", ""),
        ("gem/config.ru", "run X"),
        ("tools/Gemfile", "gem 'fastlane'"),
        ("tools/Rakefile", ""),
        ("site/Gemfile", "gem 'jekyll'"),
        ("worker/Gemfile", "gem 'mail'"),
        ("worker/worker.rb", "loop { }"),
        ("spec/dummy/config.ru", "run X"),
        ("test/dummy/config.ru", "run X"),
    ]);
    assert_eq!(found.names(), ["worker"]);
    let worker = found.spec("worker");
    assert_eq!(worker.metadata.kind, Some(Kind::Worker));
    assert_eq!(
        command(worker),
        "/usr/bin/ruby -rbundler/setup /app/worker.rb"
    );
    assert!(found.reason("gem").contains("`x.gemspec`"));
    assert!(found.reason("tools").starts_with("nothing starts it"));
    assert_eq!(found.reason("test/dummy"), "`test` directories hold tests");
}

#[test]
fn assets_are_compiled_only_where_a_gem_makes_some() {
    let application = ("config/application.rb", "module Shop\nend");
    let rails = |gems: &str| {
        found(&[
            ("Gemfile", gems),
            application,
            ("log/.keep", ""),
            ("vendor/x.js", ""),
        ])
    };
    let with = rails("gem 'rails'\ngem 'puma'\ngem 'propshaft'");
    let spec = &with.apps[0].spec;
    assert_eq!(
        spec.build.commands,
        ["SECRET_KEY_BASE_DUMMY=1 RAILS_ENV=production bundle exec rails assets:precompile"]
    );
    assert_eq!(
        copies(spec),
        [
            "Gemfile -> Gemfile",
            "Gemfile.lock -> Gemfile.lock",
            "config -> config",
            "vendor -> vendor",
            "/usr/local/bundle -> /usr/local/bundle",
        ]
    );
    let without = rails("gem 'rails', '~> 7.1'\ngem 'puma'");
    assert!(without.apps[0].spec.build.commands.is_empty());
}

#[test]
fn the_port_is_the_default_beside_its_variable() {
    for (script, port) in [
        (
            "server = TCPServer.new(\"0.0.0.0\", Integer(ENV.fetch(\"PORT\", \"8080\")))",
            8080,
        ),
        (
            "port = ENV.fetch('PORT') { 7070 }\nTCPServer.new(port)",
            7070,
        ),
        (
            "port = ENV['PORT'] || 6060 # 5050\nTCPServer.new(port)",
            6060,
        ),
        ("# 1234\nTCPServer.new(ENV['PORT'])", 9292),
    ] {
        for procfile in ["web: bundle exec ruby app.rb", "console: x | y"] {
            let found = found(&[
                ("Gemfile", "gem 'own', path: 'own'"),
                ("Procfile", procfile),
                ("app.rb", script),
            ]);
            let spec = &found.apps[0].spec;
            assert_eq!(spec.runtime.ports, [port], "{script}");
            assert_eq!(spec.runtime.env["PORT"], port.to_string());
        }
    }
}

#[test]
fn a_generator_without_rules_is_told_and_not_passed_over() {
    let found = found(&[("site/Gemfile", "gem \"middleman\"\n")]);
    assert_eq!(
        found.reason("site"),
        "`middleman` builds a site of it, and how is not known: its files can be built elsewhere and served as they are"
    );
}

#[test]
fn a_port_that_a_program_sets_is_its_port() {
    let found = found(&[
        ("Gemfile", "gem 'sinatra'\ngem 'puma'\n"),
        ("app.rb", "require 'sinatra'\nset :port, 8090\n"),
    ]);
    assert_eq!(found.apps[0].spec.runtime.ports, [8090]);
}

#[test]
fn libraries_that_a_gem_loads_are_in_the_image() {
    let found = found(&[
        (
            "Gemfile",
            "gem 'puma'\ngem 'ffi'\ngem 'charlock_holmes'\ngem 'curb'\n",
        ),
        ("config.ru", ""),
    ]);
    let packages = &found.apps[0].spec.runtime.packages;
    for name in ["icu", "libcurl-openssl4", "libffi"] {
        assert!(packages.contains(&name.to_owned()), "{packages:?}");
    }
}
