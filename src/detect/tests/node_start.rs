use super::{command, copies, found};

const LOCK: (&str, &str) = ("package-lock.json", "{}");

fn app(manifest: &str, more: &[(&str, &str)]) -> super::Detection {
    let mut files = vec![("package.json", manifest), LOCK];
    files.extend_from_slice(more);
    found(&files)
}

#[test]
fn a_procfile_speaks_before_the_framework_and_brings_its_processes() {
    let manifest = r#"{"name": "a", "scripts": {"build": "next build", "start": "next start"}, "dependencies": {"next": "15"}}"#;
    let files = [
        ("app/page.js", ""),
        ("server.js", "http.createServer(next).listen(4000)"),
        ("jobs/worker.js", ""),
        (
            "Procfile",
            "web: node server.js\nworker: node jobs/worker.js\nrelease: node gone.js\n",
        ),
    ];
    let found = app(manifest, &files);
    let spec = found.spec("a");
    assert_eq!(command(spec), "node server.js");
    assert_eq!(spec.metadata.framework.as_deref(), Some("nextjs"));
    assert_eq!(spec.runtime.ports, [4000]);
    assert_eq!(spec.runtime.env["PORT"], "4000");
    assert_eq!(spec.runtime.processes["worker"], ["node", "jobs/worker.js"]);
    let copies = copies(spec);
    for name in [".next", "jobs", "server.js"] {
        assert!(
            copies.contains(&format!("{name} -> /app/{name}")),
            "{copies:?}"
        );
    }
    // Its file is not there.
    assert!(!spec.runtime.processes.contains_key("release"));
    assert_eq!(
        found.messages(),
        ["Procfile:3: the process `release` cannot become a command: `node gone.js`"]
    );

    // What only names the framework's own server changes nothing.
    let found = app(
        manifest,
        &[("app/page.js", ""), ("Procfile", "web: npm start\n")],
    );
    assert_eq!(
        command(found.spec("a")),
        "node node_modules/next/dist/bin/next start"
    );
    assert_eq!(found.messages(), [""; 0]);
}

#[test]
fn a_bundle_has_no_room_for_other_processes_which_is_told() {
    let found = app(
        r#"{"name": "a", "scripts": {"build": "nuxt build"}, "dependencies": {"nuxt": "4"}}"#,
        &[
            ("server.js", ""),
            ("Procfile", "web: node server.js\nworker: node server.js\n"),
        ],
    );
    assert_eq!(command(found.spec("a")), "node server/index.mjs");
    assert!(found.spec("a").runtime.processes.is_empty());
    assert_eq!(
        found.messages(),
        [
            "Procfile:1: names a server of its own, and the build leaves one with all that it needs, which is started",
            "Procfile:2: the process `worker` cannot become a command: `node server.js`",
        ]
    );
}

#[test]
fn a_process_beside_the_build_brings_its_sources() {
    let found = app(
        r#"{"name": "a", "scripts": {"build": "tsc", "start": "node dist/main.js"}, "dependencies": {"koa": "2"}}"#,
        &[
            (
                "tsconfig.json",
                r#"{"compilerOptions": {"outDir": "dist"}}"#,
            ),
            ("main.ts", "koa.listen(3000)"),
            ("scripts/clean.js", ""),
            ("Procfile", "web: npm start\nclean: node scripts/clean.js\n"),
        ],
    );
    let copies = copies(found.spec("a"));
    for name in ["dist", "scripts"] {
        assert!(
            copies.contains(&format!("{name} -> /app/{name}")),
            "{copies:?}"
        );
    }
    assert_eq!(
        found.evidence("a", "process"),
        ["node scripts/clean.js Procfile:2 hint.procfile"]
    );
}

#[test]
fn the_port_that_a_start_script_names_holds() {
    let port = |script: &str, more: &[(&str, &str)]| -> (Vec<u16>, String, Vec<String>) {
        let manifest = format!(
            "{{\"name\": \"a\", \"dependencies\": {{\"koa\": \"2\", \"next\": \"15\"}}, \"scripts\": {{\"build\": \"next build\",\n\"start\": \"{script}\"}}}}"
        );
        let found = app(&manifest, more);
        let spec = found.spec("a");
        let env = spec.runtime.env.get("PORT").cloned().unwrap_or_default();
        let evidence = found.evidence("a", "port");
        (spec.runtime.ports.clone(), env, evidence)
    };
    let server = [("i.js", "koa.listen(process.env.PORT)")];
    assert_eq!(
        port("PORT=8081 node i.js", &server),
        (
            vec![8081],
            "8081".to_owned(),
            vec!["8081 package.json:2 node.port".to_owned()]
        )
    );
    assert_eq!(
        port("node i.js --port ${PORT:-5001}", &server),
        (
            vec![5001],
            String::new(),
            vec!["5001 package.json:2 node.port-argument".to_owned()]
        )
    );
    let pages = [("app/page.js", "")];
    for script in [
        "next start -p 8082",
        "PORT=8082 next start",
        "next start --port=8082",
    ] {
        assert_eq!(
            port(script, &pages),
            (
                vec![8082],
                "8082".to_owned(),
                vec!["8082 package.json:2 node.port".to_owned()]
            ),
            "{script}"
        );
    }
    assert_eq!(port("next start", &pages).0, [3000]);
}

#[test]
fn a_file_of_variables_is_no_part_of_the_command() {
    for script in [
        "node --env-file=.env i.js",
        "node --env-file .env i.js",
        "node --env-file-if-exists=.env i.js",
    ] {
        let manifest = format!("{{\"name\": \"a\", \"scripts\": {{\"start\": \"{script}\"}}}}");
        let found = app(&manifest, &[("i.js", "app.listen(3000)")]);
        assert_eq!(command(found.spec("a")), "node i.js");
        assert_eq!(
            found.messages(),
            [
                "package.json:1: reads variables from `.env`, which is not in the image: they are expected in its environment"
            ]
        );
    }
    let manifest = r#"{"name": "a", "scripts": {"start": "node i.js --env-file=x"}}"#;
    let found = app(manifest, &[("i.js", "app.listen(3000)")]);
    assert_eq!(command(found.spec("a")), "node i.js --env-file=x");
}

#[test]
fn the_output_that_a_build_script_names_is_read_as_a_shell_reads_it() {
    let output = |script: &str| {
        let script = script.replace('"', "\\\"");
        let manifest = format!(
            "{{\"name\": \"a\", \"scripts\": {{\"build\": \"{script}\"}}, \"devDependencies\": {{\"vite\": \"7\"}}}}"
        );
        app(&manifest, &[("index.html", "")])
    };
    let found = output("vite build --outDir \"my site\" && echo done");
    assert_eq!(copies(found.spec("a")), ["my site -> /app"]);
    let found = output("vite build --outDir ../site");
    assert_eq!(
        found.refusal("a"),
        "`runtime.copy` would hold `../site`: a path must not hold `..`"
    );
    let found = output("vite build --outDir=$OUT");
    assert_eq!(
        found.refusal("a"),
        "`--outDir` is `$OUT`, which only a run would tell"
    );
}

#[test]
fn an_output_beside_the_app_is_taken_from_its_place_in_the_repository() {
    let found = found(&[
        (
            "apps/web/package.json",
            r#"{"name": "web", "scripts": {"build": "vite build --outDir ../../dist/web"}, "devDependencies": {"vite": "7"}}"#,
        ),
        ("apps/web/index.html", ""),
    ]);
    assert_eq!(copies(found.spec("web")), ["/src/dist/web -> /app"]);
}

#[test]
fn scripts_that_call_each_other_many_times_end() {
    let scripts: Vec<String> = (0..7)
        .map(|n| {
            let calls = vec![format!("npm run s{}", n + 1); 30].join(" && ");
            format!(r#""s{n}": "{calls}""#)
        })
        .collect();
    let manifest = format!(
        r#"{{"name": "a", "scripts": {{"start": "npm run s0 && node i.js", {}, "s7": "tsc"}}}}"#,
        scripts.join(", ")
    );
    let found = app(&manifest, &[("i.js", "app.listen(3000)")]);
    assert!(
        found.refusal("a").contains("runs before the start"),
        "{}",
        found.refusal("a")
    );
}

#[test]
fn a_file_server_is_told_apart_from_its_options() {
    for script in [
        "serve -l tcp://0.0.0.0:3000 -s out",
        "serve -c serve.json out",
        "http-server out -p 8080 -c-1",
        "http-server -a 0.0.0.0 ./out",
    ] {
        let manifest = format!(
            "{{\"name\": \"a\", \"scripts\": {{\"build\": \"make-site\", \"start\": \"{script}\"}}}}"
        );
        let found = app(&manifest, &[]);
        let copies = copies(found.spec("a"));
        assert_eq!(copies.len(), 1);
        assert!(
            copies[0].trim_start_matches("./") == "out -> /app",
            "{script}: {copies:?}"
        );
    }
}

#[test]
fn a_root_that_starts_a_file_of_a_member_is_no_app_of_its_own() {
    let found = found(&[
        (
            "package.json",
            r#"{"name": "root", "workspaces": ["apps/*"], "scripts": {"start": "node apps/api/server.js"}}"#,
        ),
        LOCK,
        (
            "apps/api/package.json",
            r#"{"name": "api", "dependencies": {"express": "5"}}"#,
        ),
        ("apps/api/server.js", "express().listen(3000)"),
    ]);
    assert_eq!(found.names(), ["api"]);
    assert_eq!(
        found.reason("."),
        "its start script starts another package: `apps/api`"
    );
}

#[test]
fn a_script_that_exports_files_needs_no_server() {
    let found = app(
        r#"{"name": "a", "scripts": {"build": "next build && next export", "start": "next start"}, "dependencies": {"next": "12"}}"#,
        &[("pages/index.js", "")],
    );
    assert_eq!(copies(found.spec("a")), ["out -> /app"]);
}

#[test]
fn bun_serves_what_an_entry_exports() {
    let bun = |source: &str| {
        let found = found(&[
            (
                "package.json",
                r#"{"name": "a", "scripts": {"start": "bun src/index.ts"}, "dependencies": {"hono": "4"}}"#,
            ),
            ("bun.lock", "{}"),
            ("src/index.ts", source),
        ]);
        let spec = found.spec("a");
        (spec.metadata.kind, spec.runtime.ports.clone())
    };
    let web = Some(crate::spec::Kind::Web);
    assert_eq!(
        bun("const app = new Hono();\nexport default { port: 3005, fetch: app.fetch };"),
        (web, vec![3005])
    );
    assert_eq!(
        bun("const app = new Hono();\nexport default app;"),
        (web, vec![3000])
    );
    assert_eq!(
        bun("export default { jobs: [] };"),
        (Some(crate::spec::Kind::Worker), vec![])
    );
}

#[test]
fn a_directory_stands_for_the_main_of_its_manifest() {
    let found = app(
        r#"{"name": "a", "main": "dist/index.js", "scripts": {"build": "tsup src/index.ts", "start": "node ."}, "dependencies": {"koa": "2"}}"#,
        &[("src/index.ts", "koa.listen(8082)")],
    );
    let spec = found.spec("a");
    assert_eq!(command(spec), "node .");
    assert!(copies(spec).contains(&"dist -> /app/dist".to_owned()));
    assert_eq!(spec.runtime.ports, [8082]);
}

#[test]
fn a_server_that_is_started_beside_a_development_server_is_not_forgotten() {
    let manifest = |start: &str| {
        format!(
            r#"{{"name": "a", "scripts": {{"build": "vite build", "start": "{start}"}}, "devDependencies": {{"vite": "7"}}}}"#
        )
    };
    let files = [("index.html", ""), ("api.js", "app.listen(4000)")];
    let both = manifest(r#"concurrently \"node api.js\" \"vite preview\""#);
    let found = app(&both, &files);
    assert_eq!(
        found.messages(),
        [
            "package.json:1: the start script cannot become a command: `concurrently node api.js vite preview` starts several programs at once; the files of the build are served instead"
        ]
    );
    let development = manifest(r#"concurrently \"nodemon api.js\" \"vite\""#);
    assert_eq!(app(&development, &files).messages(), [""; 0]);
}
