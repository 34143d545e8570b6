use super::{command, copies, found};
use crate::spec::Kind;

const LOCK: (&str, &str) = (
    "package-lock.json",
    r#"{"lockfileVersion": 3, "packages": {}}"#,
);

/// Why the app of this name cannot be built, with its place.
fn refusal(found: &super::Detection, name: &str) -> String {
    let refused = found
        .refused
        .iter()
        .find(|refused| refused.spec.metadata.project_name == name)
        .unwrap_or_else(|| panic!("`{name}` is not refused:\n{}", found.explain_text()));
    let line = refused
        .line
        .map(|line| format!(":{line}"))
        .unwrap_or_default();
    format!("{}{line}: {}", refused.file, refused.reason)
}

fn app(manifest: &str, more: &[(&str, &str)]) -> super::Detection {
    let mut files = vec![("package.json", manifest), LOCK];
    files.extend_from_slice(more);
    found(&files)
}

#[test]
fn an_express_app_is_installed_pruned_and_started_by_node() {
    let found = app(
        r#"{"name": "@acme/shop", "scripts": {"start": "node server.js"}, "dependencies": {"express": "5"}}"#,
        &[
            (
                "server.js",
                "const app = express();\napp.get('/healthz', ok);\napp.listen(process.env.PORT || 4000);",
            ),
            ("lib/db.js", "const pool = { port: 5432 };"),
            ("test/server.test.js", ""),
            ("README.md", ""),
        ],
    );
    let spec = found.spec("shop");
    assert_eq!(spec.metadata.kind, Some(Kind::Web));
    assert_eq!(spec.metadata.framework.as_deref(), Some("express"));
    assert_eq!(spec.build.packages, ["nodejs-24", "npm-12"]);
    assert_eq!(
        spec.build.install.files,
        ["package-lock.json", "package.json"]
    );
    assert_eq!(spec.build.install.commands, ["npm ci"]);
    assert_eq!(
        spec.build.commands,
        [
            "npm prune --omit=dev --ignore-scripts",
            "mkdir -p node_modules"
        ]
    );
    assert_eq!(spec.build.cache, ["/root/.npm"]);
    assert_eq!(
        copies(spec),
        [
            "lib -> /app/lib",
            "node_modules -> /app/node_modules",
            "package.json -> /app/package.json",
            "server.js -> /app/server.js"
        ]
    );
    assert_eq!(
        spec.runtime.packages,
        ["ca-certificates-bundle", "nodejs-24"]
    );
    assert_eq!(command(spec), "node server.js");
    assert_eq!(spec.runtime.ports, [4000]);
    assert_eq!(spec.runtime.health.as_ref().unwrap().endpoint, "/healthz");
    assert_eq!(spec.runtime.env["NODE_ENV"], "production");
}

#[test]
fn a_typescript_app_is_started_from_what_tsc_writes() {
    let found = app(
        r#"{"name": "api", "scripts": {"build": "tsc", "start": "node out/main.js", "dev": "tsx watch src/main.ts"},
            "dependencies": {"hono": "4"}, "devDependencies": {"typescript": "5"}}"#,
        &[
            (
                "tsconfig.json",
                "{\n  // where it goes\n  \"compilerOptions\": {\"rootDir\": \"src\", \"outDir\": \"./out\",},\n}",
            ),
            ("src/main.ts", "serve({ fetch: app.fetch, port: 3456 });"),
            ("public/logo.svg", ""),
        ],
    );
    let spec = found.spec("api");
    assert_eq!(spec.build.commands[0], "npm run build");
    assert_eq!(command(spec), "node out/main.js");
    assert_eq!(spec.runtime.ports, [3456]);
    assert_eq!(
        copies(spec),
        [
            "node_modules -> /app/node_modules",
            "out -> /app/out",
            "package.json -> /app/package.json",
            "public -> /app/public"
        ]
    );
}

#[test]
fn a_start_that_nothing_builds_is_refused() {
    let found = app(
        r#"{"name": "a", "scripts": {"start": "node dist/main.js"}}"#,
        &[],
    );
    assert_eq!(found.names(), [""; 0]);
    assert_eq!(
        refusal(&found, "a"),
        "package.json:1: the start script runs `dist/main.js`, which neither exists nor is built"
    );
}

#[test]
fn a_workspace_member_is_built_after_what_it_depends_on_and_shipped_with_it() {
    let found = found(&[
        (
            "package.json",
            r#"{"private": true, "workspaces": ["apps/*", "packages/*", "!packages/legacy"]}"#,
        ),
        (
            "package-lock.json",
            r#"{"lockfileVersion": 3, "packages": {"node_modules/express": {}}}"#,
        ),
        ("tsconfig.base.json", "{}"),
        (
            "apps/web/package.json",
            r#"{"name": "@acme/web", "scripts": {"build": "tsc", "start": "node dist/main.js"},
            "dependencies": {"@acme/ui": "*", "express": "5"}, "devDependencies": {"@acme/config": "*"}}"#,
        ),
        (
            "apps/web/tsconfig.json",
            r#"{"extends": "../../tsconfig.base.json", "compilerOptions": {"outDir": "dist", "rootDir": "src"}}"#,
        ),
        ("apps/web/src/main.ts", "app.listen(8000)"),
        (
            "apps/other/package.json",
            r#"{"name": "other", "scripts": {"start": "node index.js"}}"#,
        ),
        ("apps/other/index.js", "setInterval(work, 1000)"),
        (
            "packages/ui/package.json",
            r#"{"name": "@acme/ui", "main": "dist/index.js", "scripts": {"build": "tsc"}, "dependencies": {"@acme/core": "*"}}"#,
        ),
        (
            "packages/core/package.json",
            r#"{"name": "@acme/core", "main": "index.js", "scripts": {"build": "tsc"}}"#,
        ),
        (
            "packages/config/package.json",
            r#"{"name": "@acme/config"}"#,
        ),
        ("packages/legacy/package.json", r#"{"name": "legacy"}"#),
    ]);
    assert_eq!(found.names(), ["other", "web"]);
    let spec = found.spec("web");
    assert_eq!(
        spec.build.install.files,
        [
            "apps/other/package.json",
            "apps/web/package.json",
            "package-lock.json",
            "package.json",
            "packages/config/package.json",
            "packages/core/package.json",
            "packages/ui/package.json"
        ]
    );
    assert_eq!(spec.build.install.commands, ["cd ../.. && npm ci"]);
    assert_eq!(
        spec.build.commands,
        [
            "cd ../.. && npm run build -w @acme/core",
            "cd ../.. && npm run build -w @acme/ui",
            "cd ../.. && npm run build -w @acme/web",
            "cd ../.. && npm ci --omit=dev --ignore-scripts --prefer-offline -w @acme/web",
            "cd ../.. && rm -f node_modules/@acme/config",
            "mkdir -p ../../node_modules node_modules",
        ]
    );
    assert_eq!(
        copies(spec),
        [
            "/src/node_modules -> /app/node_modules",
            "/src/packages/core -> /app/packages/core",
            "/src/packages/ui -> /app/packages/ui",
            "dist -> /app/apps/web/dist",
            "node_modules -> /app/apps/web/node_modules",
            "package.json -> /app/apps/web/package.json",
        ]
    );
    assert_eq!(spec.runtime.workdir.as_deref(), Some("/app/apps/web"));
    assert!(
        spec.build
            .context
            .contains(&"tsconfig.base.json".to_owned())
    );
    assert!(
        !spec
            .build
            .context
            .iter()
            .any(|glob| glob.contains("other/**") || glob.contains("legacy"))
    );
    assert_eq!(found.spec("other").metadata.kind, Some(Kind::Worker));
    assert_eq!(
        found.reason("."),
        "it is the root of a workspace with 5 members"
    );
    assert!(
        found
            .reason("packages/core")
            .starts_with("it is a library: `packages/ui` depends on it")
    );
}

#[test]
fn a_member_of_a_pnpm_workspace_is_deployed() {
    let found = found(&[
        (
            "package.json",
            r#"{"private": true, "packageManager": "pnpm@9.1.0+sha512.abc"}"#,
        ),
        (
            "pnpm-workspace.yaml",
            "packages:\n  - 'apps/**'\n  - libs/{a,b}\n",
        ),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
        (
            "apps/x/api/package.json",
            r#"{"name": "api", "scripts": {"start": "node index.js"}, "dependencies": {"a": "workspace:*"}}"#,
        ),
        ("apps/x/api/index.js", "app.listen(8080)"),
        (
            "libs/a/package.json",
            r#"{"name": "a", "main": "index.js", "scripts": {"build": "tsc"}}"#,
        ),
        (
            "libs/c/package.json",
            r#"{"name": "c", "main": "index.js"}"#,
        ),
    ]);
    let spec = found.spec("x-api");
    assert_eq!(spec.build.packages, ["nodejs-24", "pnpm-11.8"]);
    assert_eq!(
        spec.build.install.commands,
        ["cd ../../.. && pnpm install --frozen-lockfile --prefer-offline"]
    );
    assert_eq!(
        spec.build.commands,
        [
            "cd ../../.. && pnpm --filter api... run --if-present build",
            "cd ../../.. && pnpm --filter api deploy --prod --legacy /out && rm -f /out/node_modules/.modules.yaml /out/node_modules/.pnpm-workspace-state-v1.json",
        ]
    );
    assert_eq!(
        copies(spec),
        [
            "/out/node_modules -> /app/node_modules",
            "index.js -> /app/index.js",
            "package.json -> /app/package.json"
        ]
    );
    assert_eq!(spec.runtime.workdir, None);
    assert!(
        !spec
            .build
            .install
            .files
            .iter()
            .any(|file| file.starts_with("libs/c"))
    );
}

#[test]
fn the_flavour_of_yarn_comes_from_its_lock_file() {
    let manifest =
        r#"{"name": "a", "scripts": {"start": "node i.js"}, "dependencies": {"koa": "3"}}"#;
    let classic = found(&[
        ("package.json", manifest),
        ("yarn.lock", "# yarn lockfile v1\n"),
        ("i.js", "app.listen(3000)"),
    ]);
    assert_eq!(classic.spec("a").build.packages, ["nodejs-24", "yarn"]);
    assert_eq!(
        classic.spec("a").build.install.commands,
        ["yarn install --frozen-lockfile --non-interactive"]
    );
    let berry = found(&[
        ("package.json", manifest),
        ("yarn.lock", "__metadata:\n  version: 8\n"),
        ("i.js", "app.listen(3000)"),
    ]);
    assert_eq!(berry.spec("a").build.packages, ["nodejs-24", "yarn-berry"]);
    assert_eq!(
        berry.spec("a").build.env["YARN_NODE_LINKER"],
        "node-modules"
    );
    assert_eq!(
        berry.spec("a").build.commands[0],
        "yarn workspaces focus --production"
    );
}

#[test]
fn two_lock_files_are_told_and_the_declared_manager_wins() {
    let found = app(
        r#"{"name": "a", "packageManager": "npm@12.0.0", "scripts": {"start": "node i.js"}}"#,
        &[("pnpm-lock.yaml", "lockfileVersion: '9.0'"), ("i.js", "")],
    );
    assert_eq!(
        found.spec("a").metadata.build_system.as_deref(),
        Some("npm")
    );
    assert_eq!(
        found.messages(),
        ["pnpm-lock.yaml: is a lock file of pnpm, but npm is used"]
    );
}

#[test]
fn development_servers_start_nothing() {
    for script in [
        "nodemon server.js",
        "next dev -p 3000",
        "vite --host 0.0.0.0",
        "node --watch server.js",
        "ng serve --port 80",
        "npm run dev",
        "NODE_ENV=production nest start",
        "npx tsx watch a.ts",
        "react-scripts start",
    ] {
        let manifest = format!(
            r#"{{"name": "a", "scripts": {{"start": "{script}", "dev": "nodemon x.js"}}}}"#
        );
        let found = app(&manifest, &[]);
        assert_eq!(found.names(), [""; 0], "{script}");
        assert!(
            found.reason(".").contains("development server"),
            "{script}: {}",
            found.reason(".")
        );
    }
}

#[test]
fn scripts_are_followed_to_their_program() {
    for (script, expected) in [
        (
            "npm run serve",
            "node --enable-source-maps server.js --flag",
        ),
        (
            "npm run serve -- --more",
            "node --enable-source-maps server.js --flag --more",
        ),
        ("yarn serve", "node --enable-source-maps server.js --flag"),
        ("exec node 'server.js'", "node server.js"),
        ("dotenv -e .env -- node server.js", "node server.js"),
        ("npm run build && node server.js", "node server.js"),
        (
            "node -r dotenv/config server",
            "node -r dotenv/config server",
        ),
    ] {
        let manifest = format!(
            r#"{{"name": "a", "scripts": {{"start": "{script}", "build": "tsc", "serve": "A=1 node --enable-source-maps server.js --flag"}}}}"#
        );
        let found = app(&manifest, &[("server.js", "")]);
        assert_eq!(command(found.spec("a")), expected, "{script}");
    }
    let nested = app(
        r#"{"name": "a", "scripts": {"start": "cd server && A=2 npm run x", "x": "A=1 B=3 node server.js"}}"#,
        &[("server.js", ""), ("server/server.js", "")],
    );
    let spec = nested.spec("a");
    assert_eq!(
        (
            spec.runtime.env["A"].as_str(),
            spec.runtime.env["B"].as_str()
        ),
        ("1", "3")
    );
    assert_eq!(spec.runtime.workdir.as_deref(), Some("/app/server"));
}

#[test]
fn a_script_that_needs_a_shell_is_refused_with_its_text() {
    for (script, text) in [
        (
            "node warm.js && node server.js",
            "`node warm.js` runs before the start, which needs a shell",
        ),
        ("node server.js | pino", "a pipe needs a shell: `| pino`"),
        ("npm run start", "scripts call each other without an end"),
        (
            "concurrently-x a b",
            "`concurrently-x` is no program whose place in the image is known",
        ),
        (
            "npm run missing",
            "`npm run missing` calls the script `missing`, which does not exist",
        ),
    ] {
        let manifest = format!("{{\"name\": \"a\",\n\"scripts\": {{\n\"start\": \"{script}\"}}}}");
        let found = app(&manifest, &[("server.js", ""), ("migrate.js", "")]);
        assert_eq!(
            refusal(&found, "a"),
            format!("package.json:3: the start script cannot become a command: {text}")
        );
    }
}

#[test]
fn a_vite_build_is_served_as_files() {
    let found = app(
        r#"{"name": "shop", "scripts": {"dev": "vite", "build": "vite build", "start": "vite preview"}, "devDependencies": {"vite": "7"}}"#,
        &[
            ("index.html", "<div id=root>"),
            (
                "vite.config.ts",
                "export default { other: { outDir: 'no' }, /* outDir: 'x' */ build: { outDir: './www' } }",
            ),
            ("public/robots.txt", ""),
        ],
    );
    let spec = found.spec("shop");
    assert_eq!(spec.metadata.kind, Some(Kind::Static));
    assert_eq!(spec.build.commands, ["npm run build"]);
    assert_eq!(copies(spec), ["www -> /app"]);
    assert_eq!(spec.runtime.packages, ["nginx-mainline"]);
    assert_eq!(spec.runtime.ports, [8080]);
    assert!(spec.runtime.command.is_empty());
}

#[test]
fn next_is_a_server_a_bundle_or_files_by_its_configuration() {
    let manifest = r#"{"name": "site", "scripts": {"build": "next build", "start": "next start", "dev": "next dev"}, "dependencies": {"next": "16"}}"#;
    let page = ("app/page.tsx", "");
    let plain = app(
        manifest,
        &[
            page,
            (
                "next.config.js",
                "module.exports = { /* output: 'export' */ }",
            ),
        ],
    );
    let spec = plain.spec("site");
    assert_eq!(command(spec), "node node_modules/next/dist/bin/next start");
    assert_eq!(spec.runtime.ports, [3000]);
    assert!(
        spec.build
            .commands
            .contains(&"rm -rf .next/cache".to_owned())
    );
    assert_eq!(spec.runtime.writable, [".next/cache"]);

    let standalone = app(
        manifest,
        &[
            page,
            ("public/a.png", ""),
            (
                "next.config.mjs",
                "export default { output: \"standalone\" }",
            ),
        ],
    );
    let spec = standalone.spec("site");
    assert_eq!(command(spec), "node server.js");
    assert_eq!(
        copies(spec),
        [
            ".next/standalone -> /app",
            ".next/static -> /app/.next/static",
            "public -> /app/public"
        ]
    );
    assert_eq!(spec.runtime.env["HOSTNAME"], "0.0.0.0");
    assert_eq!(spec.build.commands, ["npm run build"]);

    let export = app(
        manifest,
        &[
            page,
            (
                "next.config.ts",
                "const c: NextConfig = { output: 'export' }; export default c",
            ),
        ],
    );
    assert_eq!(copies(export.spec("site")), ["out -> /app"]);
}

#[test]
fn frameworks_decide_what_is_served() {
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: &[Case<'_>] = &[
        (
            r#""dependencies": {"nuxt": "4"}"#,
            "nuxt build",
            &[],
            "node server/index.mjs | .output -> /app",
        ),
        (
            r#""dependencies": {"nuxt": "4"}"#,
            "nuxt generate",
            &[],
            " | .output/public -> /app",
        ),
        (
            r#""devDependencies": {"@sveltejs/kit": "2", "@sveltejs/adapter-static": "3"}"#,
            "vite build",
            &[],
            " | build -> /app",
        ),
        (
            r#""devDependencies": {"@sveltejs/kit": "2", "@sveltejs/adapter-node": "5"}"#,
            "vite build",
            &[],
            "node build/index.js | build -> /app/build, package.json -> /app/package.json",
        ),
        (
            r#""dependencies": {"astro": "5"}"#,
            "astro build",
            &[("astro.config.mjs", "export default {}")],
            " | dist -> /app",
        ),
        (
            r#""dependencies": {"react-scripts": "5"}"#,
            "react-scripts build",
            &[],
            " | build -> /app",
        ),
        (
            r#""dependencies": {"@docusaurus/core": "3"}"#,
            "docusaurus build",
            &[],
            " | build -> /app",
        ),
    ];
    for (dependencies, build, files, expected) in cases {
        let manifest =
            format!(r#"{{"name": "site", "scripts": {{"build": "{build}"}}, {dependencies}}}"#);
        let found = app(&manifest, files);
        let spec = found.spec("site");
        assert_eq!(
            format!("{} | {}", command(spec), copies(spec).join(", ")),
            *expected,
            "{dependencies} {build}"
        );
    }
}

#[test]
fn angular_is_served_from_the_directory_that_its_builder_writes() {
    let found = app(
        r#"{"name": "a", "scripts": {"build": "ng build", "start": "ng serve"}, "dependencies": {"@angular/core": "20"}}"#,
        &[(
            "angular.json",
            r#"{"projects": {"shop": {"projectType": "application",
            "architect": {"build": {"builder": "@angular/build:application", "options": {"outputPath": "dist/shop"}}}}}}"#,
        )],
    );
    assert_eq!(copies(found.spec("a")), ["dist/shop/browser -> /app"]);
}

#[test]
fn the_engine_range_is_a_range_and_the_best_maintained_stream_wins() {
    for (engines, expected) in [
        (">=18", "nodejs-24"),
        (">=22 <25", "nodejs-24"),
        ("^26", "nodejs-26"),
        ("*", "nodejs-24"),
        ("24.x", "nodejs-24"),
        ("^22 || ^26", "nodejs-26"),
    ] {
        let manifest = format!(
            r#"{{"name": "a", "engines": {{"node": "{engines}"}}, "scripts": {{"start": "node i.js"}}}}"#
        );
        let found = app(&manifest, &[("i.js", "")]);
        assert_eq!(found.spec("a").build.packages[0], expected, "{engines}");
    }
}

#[test]
fn a_version_file_is_read_with_comments_and_wins_over_engines() {
    let found = app(
        "{\"name\": \"a\",\n\"engines\": {\"node\": \">=24\"}, \"scripts\": {\"start\": \"node i.js\"}}",
        &[("i.js", ""), (".nvmrc", "# ours\n\nv22.1.0\n")],
    );
    assert_eq!(found.spec("a").build.packages[0], "nodejs-22");
    assert_eq!(
        found.messages(),
        [
            ".nvmrc:3: Node.js `v22.1.0` is not packaged; `nodejs-22` 22.23.2 of the same stream is used",
            ".nvmrc:3: `nodejs-22` is no longer built: it stays in the index and gets no fixes; maintained are `nodejs-24`",
            "package.json:2: Node.js `>=24` contradicts `v22.1.0` in `.nvmrc`, which wins",
        ]
    );
}

#[test]
fn a_version_that_is_not_packaged_costs_only_its_own_app() {
    let found = found(&[
        (
            "old/package.json",
            r#"{"name": "old", "engines": {"node": "18"}, "scripts": {"start": "node i.js"}}"#,
        ),
        ("old/i.js", ""),
        (
            "new/package.json",
            r#"{"name": "new", "scripts": {"start": "node i.js"}}"#,
        ),
        ("new/i.js", ""),
    ]);
    assert_eq!(found.names(), ["new"]);
    assert_eq!(
        refusal(&found, "old"),
        "old/package.json:1: Node.js `18` is not packaged"
    );
}

#[test]
fn native_addons_bring_a_compiler_and_may_run_their_scripts() {
    let found = found(&[
        (
            "package.json",
            r#"{"name": "a", "scripts": {"start": "node i.js"}, "dependencies": {"bcrypt": "5"}}"#,
        ),
        (
            "package-lock.json",
            r#"{"packages": {"node_modules/bcrypt": {"hasInstallScript": true}, "node_modules/node-addon-api": {}}}"#,
        ),
        ("i.js", ""),
        (".npmrc", "//npm.acme.test/:_authToken=${NPM_TOKEN}\n"),
    ]);
    let spec = found.spec("a");
    assert_eq!(
        spec.build.packages,
        ["build-base", "nodejs-24", "npm-12", "python-3.13"]
    );
    assert_eq!(
        spec.build.env["NPM_CONFIG_DANGEROUSLY_ALLOW_ALL_SCRIPTS"],
        "true"
    );
    assert_eq!(spec.build.secrets[0].env.as_deref(), Some("NPM_TOKEN"));
}

#[test]
fn assets_of_a_back_end_are_no_app_of_their_own() {
    let found = app(
        r#"{"name": "assets", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}}"#,
        &[("index.html", ""), ("manage.py", "")],
    );
    assert_eq!(
        found.reason("."),
        "beside `manage.py` it builds the assets of the Django app"
    );
}

#[test]
fn fastify_without_a_host_is_told() {
    let found = app(
        r#"{"name": "a", "scripts": {"start": "node i.js"}, "dependencies": {"fastify": "5"}}"#,
        &[("i.js", "\nawait app.listen({ port: 3000 });")],
    );
    assert_eq!(
        found.messages(),
        ["i.js:2: listens on the loopback address, which nothing outside the container reaches"]
    );
}

#[test]
fn vitepress_writes_below_the_directory_that_its_script_names() {
    let manifest = r#"{"name": "site", "scripts": {"build": "vitepress build docs"}, "devDependencies": {"vitepress": "1"}}"#;
    assert_eq!(
        copies(app(manifest, &[]).spec("site")),
        ["docs/.vitepress/dist -> /app"]
    );
}

#[test]
fn a_hook_around_the_start_that_does_more_than_build_is_refused() {
    let manifest = |hook: &str| {
        format!(
            "{{\"name\": \"a\", \"scripts\": {{\n\"prestart\": \"{hook}\",\n\"start\": \"node i.js\", \"build\": \"tsc\"}}}}"
        )
    };
    let builds = app(&manifest("npm run build"), &[("i.js", "")]);
    assert_eq!(command(builds.spec("a")), "node i.js");
    let warms = app(&manifest("node warm.js"), &[("i.js", "")]);
    assert_eq!(
        refusal(&warms, "a"),
        "package.json:2: `prestart` runs `node warm.js` around the start, which nothing does in an image"
    );
    let migrates = app(
        &manifest("node migrate.js"),
        &[("i.js", ""), ("migrate.js", "")],
    );
    let spec = migrates.spec("a");
    assert_eq!(command(spec), "node i.js");
    assert_eq!(spec.runtime.processes["release"], ["node", "migrate.js"]);
}

#[test]
fn the_port_is_followed_through_a_function_of_a_shared_library() {
    let found = found(&[
        ("package.json", r#"{"private": true, "workspaces": ["*"]}"#),
        ("package-lock.json", "{}"),
        ("run/package.json", r#"{"name": "run", "main": "i.js"}"#),
        (
            "run/i.js",
            "export function run(name, server, fallback) {\n  server.listen(process.env.PORT ?? fallback);\n}",
        ),
        (
            "web/package.json",
            r#"{"name": "web", "scripts": {"start": "node m.js"}, "dependencies": {"run": "*"}}"#,
        ),
        (
            "web/m.js",
            "import { run } from 'run';\nrun('web', make({ timeout: 9999 }, () => 5), 3001);",
        ),
    ]);
    assert_eq!(found.spec("web").runtime.ports, [3001]);
}

#[test]
fn a_start_in_the_directory_of_another_package_is_its_start() {
    let found = app(
        r#"{"name": "root", "scripts": {"start": "cd server && npm start"}}"#,
        &[
            (
                "server/package.json",
                r#"{"name": "s", "scripts": {"start": "node i.js"}}"#,
            ),
            ("server/i.js", ""),
        ],
    );
    assert_eq!(found.names(), ["server"]);
    assert_eq!(
        found.reason("."),
        "its start script starts other packages: `npm start`"
    );
}

#[test]
fn scripts_that_run_on_installation_get_the_source_of_their_members() {
    let found = found(&[
        (
            "package.json",
            r#"{"private": true, "workspaces": ["*"], "scripts": {"prepare": "husky"}}"#,
        ),
        ("package-lock.json", "{}"),
        (
            "a/package.json",
            r#"{"name": "a", "scripts": {"start": "node i.js"}}"#,
        ),
        ("a/i.js", ""),
        (
            "b/package.json",
            r#"{"name": "b", "scripts": {"prepare": "tsc"}}"#,
        ),
        (
            "c/package.json",
            r#"{"name": "c", "scripts": {"prepare": "husky install"}}"#,
        ),
    ]);
    let spec = found.spec("a");
    assert_eq!(spec.build.install.files, spec.build.context);
    assert!(spec.build.context.contains(&"b/**".to_owned()));
    assert!(!spec.build.context.contains(&"c/**".to_owned()));
}

#[test]
fn a_procfile_names_the_processes() {
    let found = app(
        r#"{"name": "a", "scripts": {"start": "nodemon i.js", "job": "node job.js --all"}}"#,
        &[
            (
                "Procfile",
                "web: node i.js\nworker: npm run job\nclock: node a.js | tee log\n",
            ),
            ("i.js", "app.listen(3000)"),
            ("job.js", ""),
        ],
    );
    let spec = found.spec("a");
    assert_eq!(command(spec), "node i.js");
    assert_eq!(
        spec.runtime.processes.keys().collect::<Vec<_>>(),
        ["worker"]
    );
    assert_eq!(
        spec.runtime.processes["worker"],
        ["node", "job.js", "--all"]
    );
    assert_eq!(
        found.messages(),
        ["Procfile:3: the process `clock` cannot become a command: `node a.js | tee log`"]
    );
}

#[test]
fn every_manager_installs_builds_and_prunes_in_its_own_words() {
    let cases: &[(&str, &str, &[&str], &[&str])] = &[
        (
            "package-lock.json",
            "{}",
            &["npm ci"],
            &["npm run build", "npm prune --omit=dev --ignore-scripts"],
        ),
        (
            "yarn.lock",
            "# yarn lockfile v1\n",
            &["yarn install --frozen-lockfile --non-interactive"],
            &[
                "yarn run build",
                "yarn install --production --frozen-lockfile --ignore-scripts --prefer-offline --non-interactive",
            ],
        ),
        (
            "yarn.lock",
            "__metadata:\n  version: 10\n",
            &["yarn install --immutable"],
            &["yarn run build", "yarn workspaces focus --production"],
        ),
        (
            "pnpm-lock.yaml",
            "lockfileVersion: '9.0'\n",
            &["pnpm install --frozen-lockfile --prefer-offline"],
            &[
                "pnpm run build",
                "pnpm prune --prod --ignore-scripts && rm -f node_modules/.modules.yaml node_modules/.pnpm-workspace-state-v1.json",
            ],
        ),
        (
            "bun.lock",
            "{}",
            &["bun install --frozen-lockfile --linker=hoisted"],
            &[
                "bun run build",
                "rm -rf node_modules && bun install --production --linker=hoisted --frozen-lockfile",
            ],
        ),
    ];
    for (lock, text, install, build) in cases {
        let found = found(&[
            (
                "package.json",
                r#"{"name": "a", "scripts": {"build": "node b.js", "start": "node i.js"}, "dependencies": {"koa": "3"}}"#,
            ),
            (lock, text),
            ("i.js", "app.listen(3000)"),
        ]);
        let spec = found.spec("a");
        assert_eq!(spec.build.install.commands, *install, "{lock}");
        assert_eq!(spec.build.commands[..2], **build, "{lock}");
        assert_eq!(found.messages(), [""; 0], "{lock}");
    }
}

#[test]
fn the_manager_is_named_by_the_surest_source() {
    // Keys of the manifest, files beside it, the manager.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: &[Case<'_>] = &[
        // A Yarn in the repository, over everything else.
        (
            r#""packageManager": "pnpm@10.0.0""#,
            &[
                (".yarnrc.yml", "yarnPath: .yarn/releases/yarn-4.5.0.cjs\n"),
                (".yarn/releases/yarn-4.5.0.cjs", ""),
            ],
            "yarn-berry",
        ),
        (
            r#""packageManager": "yarn@1.22.22""#,
            &[("pnpm-lock.yaml", "")],
            "yarn",
        ),
        (
            r#""packageManager": "yarn@4.1.0+sha224.abc""#,
            &[],
            "yarn-berry",
        ),
        (
            r#""devEngines": {"packageManager": {"name": "pnpm", "version": "11"}}"#,
            &[("package-lock.json", "{}")],
            "pnpm",
        ),
        (r#""engines": {"pnpm": "9"}"#, &[("bun.lock", "{}")], "bun"),
        (r#""engines": {"bun": "1"}"#, &[], "bun"),
        (r#""engines": {"node": "24"}"#, &[], "npm"),
    ];
    for (key, files, expected) in cases {
        let manifest = format!(r#"{{"name": "a", {key}, "scripts": {{"start": "node i.js"}}}}"#);
        let mut all = vec![("package.json", manifest.as_str()), ("i.js", "")];
        all.extend_from_slice(files);
        let found = found(&all);
        let system = found
            .apps
            .iter()
            .map(|app| &app.spec)
            .chain(found.refused.iter().map(|app| &app.spec))
            .find_map(|spec| spec.metadata.build_system.clone());
        assert_eq!(system.as_deref(), Some(*expected), "{key}");
    }
}

#[test]
fn a_yarn_in_the_repository_is_run_by_node_and_needs_no_package() {
    let found = found(&[
        (
            "package.json",
            r#"{"private": true, "workspaces": ["apps/*"]}"#,
        ),
        (".yarnrc.yml", "yarnPath: .yarn/releases/yarn-3.8.0.cjs\n"),
        (".yarn/releases/yarn-3.8.0.cjs", ""),
        ("yarn.lock", "__metadata:\n  version: 6\n"),
        (
            "apps/web/package.json",
            r#"{"name": "web", "scripts": {"build": "tsc", "start": "node i.js"}, "dependencies": {"koa": "3"}}"#,
        ),
        ("apps/web/i.js", "app.listen(3000)"),
    ]);
    let spec = found.spec("web");
    assert_eq!(spec.build.packages, ["nodejs-24"]);
    assert_eq!(
        spec.build.install.commands,
        ["cd ../.. && node .yarn/releases/yarn-3.8.0.cjs install --immutable"]
    );
    assert_eq!(
        spec.build.commands[0],
        "node ../../.yarn/releases/yarn-3.8.0.cjs run build"
    );
    assert!(
        found.messages()[0].contains("`plugin-workspace-tools` is not there"),
        "{:?}",
        found.messages()
    );
}

#[test]
fn a_lock_file_that_the_packaged_manager_cannot_read_is_refused_or_told() {
    let manifest = r#"{"name": "a", "scripts": {"start": "node i.js"}}"#;
    let pnpm = found(&[
        ("package.json", manifest),
        ("pnpm-lock.yaml", "lockfileVersion: 5.4\n"),
        ("i.js", ""),
    ]);
    assert_eq!(
        refusal(&pnpm, "a"),
        "pnpm-lock.yaml:1: is of version 5.4, which the packaged pnpm no longer reads"
    );
    let yarn = found(&[
        ("package.json", manifest),
        ("yarn.lock", "__metadata:\n  version: 8\n"),
        ("i.js", ""),
    ]);
    assert_eq!(
        yarn.spec("a").build.install.commands,
        ["yarn install --no-immutable"]
    );
    assert!(yarn.messages()[0].starts_with("yarn.lock:2: is of version 8"));
}

#[test]
fn assets_are_built_by_their_manager_in_the_directory_below_a_back_end() {
    let root = tempfile::tempdir().unwrap();
    super::write(
        root.path(),
        &[
            ("shop/mix.exs", ""),
            (
                "package.json",
                r#"{"private": true, "workspaces": ["shop/*"]}"#,
            ),
            ("yarn.lock", "# yarn lockfile v1\n"),
            (
                "shop/assets/package.json",
                r#"{"name": "assets", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "7"}}"#,
            ),
            (
                "shop/server/package.json",
                r#"{"name": "s", "scripts": {"build": "tsc", "start": "node i.js"}}"#,
            ),
            ("shop/server/i.js", "app.listen(3000)"),
        ],
    );
    let repo = crate::detect::Repo::open(root.path()).unwrap();
    let index = super::index();
    let catalog = crate::detect::catalog::Catalog::new(&index);
    let asked = crate::detect::overrides::Asked::default();
    let ground = crate::detect::provider::Ground::new(&repo, &catalog, &asked);
    let mut scan = crate::detect::provider::Scan::new(&ground);
    let assets =
        crate::detect::providers::assets_below(&mut scan, "shop", "shop/assets", "the shop");
    let assets = assets.unwrap().unwrap();
    assert_eq!(assets.packages, ["yarn", "nodejs-24"]);
    assert_eq!(
        assets.install,
        ["cd assets && cd ../.. && yarn install --frozen-lockfile --non-interactive"]
    );
    assert_eq!(assets.commands, ["cd assets && yarn run build"]);
    assert!(assets.files.contains(&"yarn.lock".to_owned()));
    assert_eq!(scan.claims["shop/assets"], "the shop");
    // One that serves is an app, and no stage of another.
    let served =
        crate::detect::providers::assets_below(&mut scan, "shop", "shop/server", "the shop");
    assert!(served.unwrap().is_none());
}

#[test]
fn typescript_without_a_build_needs_a_node_that_takes_the_types_away() {
    let manifest = |engine: &str| {
        format!(
            r#"{{"name": "a", "engines": {{"node": "{engine}"}}, "scripts": {{"start": "node i.ts"}}}}"#
        )
    };
    let plain = [
        ("i.ts", "import { b } from './b.ts';\nserve(b);"),
        ("b.ts", "export const b: number = 1;"),
    ];
    assert_eq!(command(app(&manifest("24"), &plain).spec("a")), "node i.ts");
    let without_ending = [("i.ts", "import { b } from './b';\n"), ("b.ts", "")];
    assert!(refusal(&app(&manifest("24"), &without_ending), "a").contains("node finds no `./b`"));
    let with_enum = [("i.ts", "export enum Level { Low }\n")];
    assert!(
        refusal(&app(&manifest("24"), &with_enum), "a").contains("more than node takes types from")
    );
}

#[test]
fn a_listener_that_the_program_does_not_load_is_not_its_own() {
    let found = app(
        r#"{"name": "a", "scripts": {"start": "node src/job.js"}}"#,
        &[
            ("src/job.js", "const { run } = require('./run');\nrun();"),
            ("src/run.js", "exports.run = () => setInterval(work, 1000);"),
            ("tools/preview.js", "http.createServer(show).listen(9000);"),
        ],
    );
    assert_eq!(found.spec("a").metadata.kind, Some(Kind::Worker));
    assert_eq!(found.spec("a").runtime.ports, [0_u16; 0]);
}

#[test]
fn a_workspace_that_matches_nothing_is_told() {
    let found = app(r#"{"name": "a", "workspaces": ["apps/*"]}"#, &[]);
    assert_eq!(
        found.messages(),
        ["package.json:1: names workspaces that match no package"]
    );
}

#[test]
fn a_private_program_among_apps_is_a_tool_of_the_command_line() {
    let files = |manifest| {
        found(&[
            (
                "package.json",
                r#"{"private": true, "workspaces": ["*/*"]}"#,
            ),
            ("package-lock.json", "{}"),
            ("apps/sync/package.json", manifest),
            ("apps/sync/cli.js", "console.log(1)"),
        ])
    };
    let tool = files(r#"{"name": "sync", "private": true, "bin": {"sync": "./cli.js"}}"#);
    assert_eq!(tool.spec("sync").metadata.kind, Some(Kind::Cli));
    assert_eq!(command(tool.spec("sync")), "node cli.js");
    let published = files(r#"{"name": "sync", "bin": {"sync": "./cli.js"}, "files": ["cli.js"]}"#);
    assert_eq!(published.names(), [""; 0]);
}

#[test]
fn an_app_with_windows_and_the_tools_of_a_repository_are_no_apps() {
    let server = "require('http').createServer().listen(3000)";
    let start = r#"{"name": "a", "scripts": {"start": "node i.js"}}"#;
    let found = found(&[
        (
            "desk/package.json",
            r#"{"name": "desk", "main": "main.js", "scripts": {"start": "electron ."}}"#,
        ),
        ("desk/main.js", ""),
        (
            "both/package.json",
            r#"{"name": "both", "scripts": {"start": "electron .", "start:prod": "node i.js"}}"#,
        ),
        ("both/i.js", server),
        (".github/actions/label/package.json", start),
        (".github/actions/label/i.js", server),
        ("github/package.json", start),
        ("github/i.js", server),
    ]);
    assert_eq!(found.names(), ["both", "github"]);
    assert_eq!(
        found.reason("desk"),
        "`electron` starts it: it is an app with windows of its own, for desktops"
    );
    assert_eq!(
        found.reason(".github/actions/label"),
        "`.github` directories hold the project's own tools"
    );
}
