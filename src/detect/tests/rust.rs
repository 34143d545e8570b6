use super::{command, copies, found};
use crate::spec::Kind;

#[test]
fn every_binary_target_of_a_workspace_is_an_app() {
    let found = found(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"crates/old\"]\n[workspace.package]\nrust-version = \"1.90\"\n[workspace.dependencies]\ncore = { path = \"crates/core\" }\n",
        ),
        (
            "Cargo.lock",
            "[[package]]\nname = \"axum\"\ndependencies = [\n \"openssl-sys 0.9.1\",\n]\n\n[[package]]\nname = \"clap\"\ndependencies = [\n \"curl-sys\",\n]\n\n[[package]]\nname = \"curl-sys\"\n\n[[package]]\nname = \"openssl-sys\"\ndependencies = [\n \"pkg-config\",\n]\n",
        ),
        (
            "crates/api/Cargo.toml",
            "[package]\nname = \"api\"\nrust-version.workspace = true\n[dependencies]\naxum = \"0.8\"\ncore.workspace = true\n",
        ),
        (
            "crates/api/src/main.rs",
            "// \"0.0.0.0:1\"\nfn main() { let l = TcpListener::bind(\"0.0.0.0:7000\"); app.route(\"/healthz\", get(ok)); }",
        ),
        ("crates/api/src/bin/tool.rs", "fn main() {}"),
        ("crates/core/Cargo.toml", "[package]\nname = \"core\"\n"),
        ("crates/core/src/lib.rs", ""),
        (
            "crates/cli/Cargo.toml",
            "[package]\nname = \"cli\"\nautobins = false\n[[bin]]\nname = \"acme\"\npath = \"src/run.rs\"\nrequired-features = [\"full\"]\n[dependencies]\nclap = \"4\"\n",
        ),
        ("crates/cli/src/run.rs", "fn main() {}"),
        ("xtask/Cargo.toml", "[package]\nname = \"xtask\"\n"),
        ("xtask/src/main.rs", "fn main() {}"),
    ]);
    assert_eq!(found.names(), ["api", "api-tool", "cli-acme"]);
    let spec = found.spec("api");
    assert_eq!(spec.metadata.framework.as_deref(), Some("axum"));
    assert_eq!(
        spec.build.packages,
        ["build-base", "openssl-dev", "pkgconf", "rust-1.97"]
    );
    assert_eq!(
        spec.build.commands,
        ["cargo build --release --locked -p api --bin api"]
    );
    assert_eq!(
        spec.build.cache,
        ["/root/.cargo/git", "/root/.cargo/registry", "/target"]
    );
    assert_eq!(copies(spec), ["/target/release/api -> api"]);
    assert_eq!(command(spec), "/app/api");
    assert_eq!(spec.runtime.ports, [7000]);
    assert_eq!(spec.runtime.health.as_ref().unwrap().endpoint, "/healthz");
    assert_eq!(
        spec.build.context,
        [
            "Cargo.lock",
            "Cargo.toml",
            "crates/api/**",
            "crates/cli/Cargo.toml",
            "crates/cli/src/**",
            "crates/core/**"
        ]
    );
    let cli = found.spec("cli-acme");
    assert_eq!(cli.metadata.kind, Some(Kind::Cli));
    assert_eq!(
        cli.build.commands,
        ["cargo build --release --locked -p cli --bin acme --features full"]
    );
    assert!(
        cli.build.packages.contains(&"curl-dev".to_owned())
            && !cli.build.packages.contains(&"openssl-dev".to_owned()),
        "what another member of the workspace needs is not its own"
    );
    assert_eq!(found.spec("api-tool").metadata.kind, Some(Kind::Worker));
    assert_eq!(
        found.reason("crates/core"),
        "`core` has no binary target: it is a library"
    );
    assert_eq!(found.reason("xtask"), "`xtask` directories hold tooling");
}

#[test]
fn a_channel_is_a_pin_and_a_rust_version_a_minimum() {
    let files = [
        (
            "Cargo.toml",
            "[package]\nname = \"a\"\nrust-version = \"1.80\"\n",
        ),
        ("Cargo.lock", ""),
        ("src/main.rs", "fn main() {}"),
    ];
    assert_eq!(
        found(&files).spec("a").build.packages,
        ["build-base", "rust-1.97"]
    );
    let mut pinned = files.to_vec();
    pinned.push(("rust-toolchain.toml", "[toolchain]\nchannel = \"1.96.0\"\n"));
    let pinned = found(&pinned);
    assert_eq!(pinned.spec("a").build.packages, ["build-base", "rust-1.96"]);
    assert_eq!(
        pinned.messages(),
        [
            "rust-toolchain.toml:2: Rust `1.96.0` is not packaged; `rust-1.96` 1.96.1 of the same stream is used"
        ]
    );
    let mut nightly = files.to_vec();
    nightly.push(("rust-toolchain", "nightly-2026-01-01\n"));
    assert_eq!(
        found(&nightly).messages(),
        [
            "rust-toolchain:1: `nightly-2026-01-01` is not a Rust version: only releases are packaged"
        ]
    );
}

#[test]
fn no_lock_file_is_told() {
    let found = found(&[
        ("Cargo.toml", "[package]\nname = \"a\"\n"),
        ("src/main.rs", "fn main() {}"),
    ]);
    assert_eq!(
        found.spec("a").build.commands,
        ["cargo build --release -p a --bin a"]
    );
    assert_eq!(
        found.messages(),
        ["Cargo.toml: has no `Cargo.lock`: the build takes whatever versions are newest"]
    );
}

#[test]
fn a_fixed_target_is_refused() {
    let found = found(&[
        ("Cargo.toml", "[package]\nname = \"a\"\n"),
        ("Cargo.lock", ""),
        ("src/main.rs", "fn main() {}"),
        (
            ".cargo/config.toml",
            "[build]\ntarget = \"wasm32-wasip1\"\n",
        ),
    ]);
    let refused = &found.refused[0];
    assert_eq!(
        (refused.file.as_str(), refused.line, refused.reason.as_str()),
        (
            ".cargo/config.toml",
            Some(2),
            "fixes the target to `wasm32-wasip1`, whatever the platform of the image is"
        )
    );
    assert_eq!(refused.spec.metadata.language.as_deref(), Some("rust"));
}

#[test]
fn the_default_program_has_the_name_of_the_crate() {
    let found = found(&[
        (
            "srv/Cargo.toml",
            "[package]\nname = \"srv\"\ndefault-run = \"serve\"\n",
        ),
        ("srv/Cargo.lock", ""),
        ("srv/src/bin/serve.rs", "fn main() {}"),
        ("srv/src/bin/seed/main.rs", "fn main() {}"),
    ]);
    assert_eq!(found.names(), ["srv", "srv-seed"]);
    assert_eq!(command(found.spec("srv")), "/app/serve");
}

#[test]
fn queries_are_checked_against_what_was_written_down() {
    let files = [
        (
            "Cargo.toml",
            "[package]\nname = \"a\"\n[dependencies]\nsqlx = \"0.8\"\n",
        ),
        ("Cargo.lock", ""),
        ("src/main.rs", "fn main() { sqlx::query!(\"select 1\"); }"),
    ];
    let bare = found(&files);
    assert_eq!(
        bare.refused[0].reason,
        "`query!` is checked against a database when it is compiled, and there is no `.sqlx` directory"
    );
    let mut prepared = files.to_vec();
    prepared.push((".sqlx/query-1.json", "{}"));
    let prepared = found(&prepared);
    assert_eq!(prepared.spec("a").build.env["SQLX_OFFLINE"], "true");
}

#[test]
fn a_linker_of_the_configuration_is_a_package() {
    let found = found(&[
        ("Cargo.toml", "[package]\nname = \"a\"\n"),
        ("Cargo.lock", ""),
        ("src/main.rs", "fn main() {}"),
        (
            ".cargo/config.toml",
            "[target.x86_64-unknown-linux-gnu]\nlinker = \"clang\"\nrustflags = [\"-C\", \"link-arg=-fuse-ld=mold\"]\n",
        ),
    ]);
    assert_eq!(
        found.spec("a").build.packages,
        ["build-base", "clang-22", "mold", "rust-1.97"]
    );
}

#[test]
fn what_is_opened_by_a_relative_path_is_copied_and_what_is_built_in_is_not() {
    let found = found(&[
        ("Cargo.toml", "[package]\nname = \"a\"\n"),
        ("Cargo.lock", ""),
        (
            "src/main.rs",
            "fn main() { serve(\"static\"); include_str!(\"../assets/a.txt\"); open(\"pages/x.html\"); let s = include_dir!(\"built\"); }",
        ),
        ("static/x.css", ""),
        ("pages/x.html", ""),
        ("built/x", ""),
        ("unused/x", ""),
    ]);
    assert_eq!(
        copies(found.spec("a")),
        [
            "/target/release/a -> a",
            "pages -> pages",
            "static -> static"
        ]
    );
}

#[test]
fn a_target_with_a_path_of_its_own_is_read_with_the_modules_beside_it() {
    let found = found(&[
        (
            "Cargo.toml",
            "[package]\nname = \"shop\"\n[[bin]]\nname = \"server\"\npath = \"./cmd/server/start.rs\"\n[[bin]]\nname = \"gone\"\npath = \"cmd/gone.rs\"\n",
        ),
        ("Cargo.lock", ""),
        (
            "cmd/server/start.rs",
            "mod listen;\nfn main() { listen::run() }",
        ),
        (
            "cmd/server/listen.rs",
            "pub fn run() { TcpListener::bind(\"0.0.0.0:7001\"); }",
        ),
        (
            "cmd/server/other.rs",
            "pub fn run() { TcpListener::bind(\"0.0.0.0:1111\"); }",
        ),
        ("src/main.rs", "fn main() {}"),
    ]);
    assert_eq!(found.names(), ["shop", "server"]);
    let spec = found.spec("server");
    assert_eq!(spec.metadata.kind, Some(Kind::Web));
    assert_eq!(spec.runtime.ports, [7001]);
    assert_eq!(
        spec.build.commands,
        ["cargo build --release --locked -p shop --bin server"]
    );
    assert_eq!(
        found.evidence("server", "entry"),
        ["server Cargo.toml:4 rust.bin-table"]
    );
    assert_eq!(found.spec("shop").metadata.kind, Some(Kind::Worker));
}

#[test]
fn what_cargo_loads_of_the_repository_is_there_when_it_builds() {
    let found = found(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"app\", \"lib\"]\n[patch.crates-io]\nsmall = { path = \"patched/small\" }\n",
        ),
        ("Cargo.lock", ""),
        (
            "app/Cargo.toml",
            "[package]\nname = \"app\"\n[target.'cfg(unix)'.dependencies]\nunix = { path = \"../unix\" }\n[dev-dependencies]\ntried = { path = \"../tried\" }\n",
        ),
        ("app/src/main.rs", "fn main() {}"),
        (
            "lib/Cargo.toml",
            "[package]\nname = \"lib\"\n[[bench]]\nname = \"speed\"\nharness = false\n[[test]]\nname = \"all\"\npath = \"checks/all.rs\"\n",
        ),
        ("lib/src/lib.rs", ""),
        ("lib/benches/speed.rs", ""),
        ("unix/Cargo.toml", "[package]\nname = \"unix\"\n"),
        ("unix/src/lib.rs", ""),
        ("tried/Cargo.toml", "[package]\nname = \"tried\"\n"),
        ("tried/src/lib.rs", ""),
        ("patched/small/Cargo.toml", "[package]\nname = \"small\"\n"),
        ("patched/small/src/lib.rs", ""),
    ]);
    assert_eq!(
        found.spec("app").build.context,
        [
            "Cargo.lock",
            "Cargo.toml",
            "app/**",
            "lib/Cargo.toml",
            "lib/benches/**",
            "lib/src/**",
            "patched/small/**",
            "tried/Cargo.toml",
            "tried/src/**",
            "unix/**"
        ]
    );
}

#[test]
fn the_servers_of_each_framework_are_known() {
    for (call, port) in [
        (
            "axum::Server::bind(&\"0.0.0.0:7002\".parse().unwrap());",
            7002,
        ),
        ("TcpListener::new(\"0.0.0.0:7003\").bind().await;", 7003),
        (
            "rocket::custom(config); // 1\nlet a = \"0.0.0.0:7004\";",
            7004,
        ),
    ] {
        let found = found(&[
            ("Cargo.toml", "[package]\nname = \"web\"\n"),
            ("src/main.rs", &format!("fn main() {{ {call} }}")),
        ]);
        let spec = found.spec("web");
        assert_eq!(spec.metadata.kind, Some(Kind::Web), "{call}");
        assert_eq!(spec.runtime.ports, [port], "{call}");
    }
}

#[test]
fn an_address_as_a_pair_names_the_port() {
    for (call, port, is_local) in [
        (".bind((\"0.0.0.0\", 8082))", 8082, false),
        (".bind((\"127.0.0.1\", 8083))", 8083, true),
        (".run(([127, 0, 0, 1], 3030))", 3030, true),
        (
            "TcpListener::bind((Ipv4Addr::UNSPECIFIED, 8084))",
            8084,
            false,
        ),
    ] {
        let found = found(&[
            (
                "Cargo.toml",
                "[package]\nname = \"web\"\n[dependencies]\nactix-web = \"4\"\n",
            ),
            ("Cargo.lock", ""),
            (
                "src/main.rs",
                &format!("fn main() {{ HttpServer::new(App::new){call}; }}"),
            ),
        ]);
        assert_eq!(found.spec("web").runtime.ports, [port], "{call}");
        let warned = found.messages().iter().any(|m| m.contains("loopback"));
        assert_eq!(warned, is_local, "{call}");
    }
}

#[test]
fn the_settings_of_rocket_are_shipped_and_name_the_port() {
    let found = found(&[
        (
            "Cargo.toml",
            "[package]\nname = \"web\"\n[dependencies]\nrocket = \"0.5\"\n",
        ),
        ("Cargo.lock", ""),
        (
            "src/main.rs",
            "#[launch]\nfn rocket() -> _ { rocket::build() }",
        ),
        (
            "Rocket.toml",
            "[default]\naddress = \"127.0.0.1\"\nport = 8123\n[debug]\nport = 1\n",
        ),
    ]);
    let spec = found.spec("web");
    assert_eq!(spec.runtime.ports, [8123]);
    assert_eq!(
        found.evidence("web", "port"),
        ["8123 Rocket.toml:3 rust.address"]
    );
    assert_eq!(
        copies(spec),
        ["/target/release/web -> web", "Rocket.toml -> Rocket.toml"]
    );
    assert_eq!(spec.runtime.env["ROCKET_ADDRESS"], "0.0.0.0");
}
