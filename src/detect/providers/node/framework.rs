//! Frameworks whose build decides what is served.

use std::collections::BTreeMap;

use crate::detect::document::Syntax;
use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan, quoted};
use crate::detect::repo::{join, relative};
use crate::detect::source::{Fact, Family, Source};
use crate::spec::{Copy, Kind};

use super::Project;
use super::entry::{Server, complete, module};

/// What a package's build leaves.
pub(super) enum Output {
    Server(Box<Server>),
    /// A directory of files, relative to the app's.
    Files {
        framework: String,
        dir: String,
        evidence: Box<Evidence>,
        env: BTreeMap<String, String>,
    },
}

impl Output {
    pub(super) fn files(framework: &str, dir: &str, rule: &str) -> Self {
        let evidence = Box::new(Evidence::new("static", dir, rule));
        Self::Files {
            framework: framework.to_owned(),
            dir: dir.to_owned(),
            evidence,
            env: BTreeMap::new(),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Server(_) => Kind::Web,
            Self::Files { .. } => Kind::Static,
        }
    }

    fn at(mut self, file: &str, line: Option<u64>) -> Self {
        match &mut self {
            Self::Files { evidence, .. } => **evidence = (**evidence).clone().at(file, line),
            Self::Server(server) => {
                if let Some(first) = server.evidence.first_mut() {
                    *first = first.clone().at(file, line);
                }
            }
        }
        self
    }
}

/// A configuration of a framework, in any of its spellings.
struct Config {
    file: String,
    source: Source,
}

fn config(scan: &Scan<'_>, project: &Project<'_>, stem: &str) -> Option<Config> {
    ["ts", "mts", "mjs", "js", "cjs", "cts"]
        .iter()
        .find_map(|ending| {
            let file = join(&project.package.dir, &format!("{stem}.{ending}"));
            let text = scan.repo.text(&file).ok()?;
            Some(Config {
                file,
                source: Source::parse(&text, Family::Script),
            })
        })
}

impl Config {
    /// The text that a key is given, within a part of the file.
    fn text(&self, key: &str, from: usize, to: usize) -> Option<(&str, u64)> {
        self.source
            .all(key)
            .filter(|at| (from..to).contains(at))
            .find_map(|at| {
                let after = at + key.len();
                let rest = self.source.code.get(after..)?;
                let colon = rest
                    .find(|c: char| !c.is_whitespace())
                    .filter(|found| rest[*found..].starts_with(':'))?;
                Some((
                    self.source.string_at(after + colon + 1)?,
                    self.source.line(at),
                ))
            })
    }

    fn anywhere(&self, key: &str) -> Option<(&str, u64)> {
        self.text(key, 0, usize::MAX)
    }

    /// The part between the braces of `key: { … }`.
    fn block(&self, key: &str) -> Option<(usize, usize)> {
        self.source.all(key).find_map(|at| {
            let rest = self.source.code.get(at + key.len()..)?;
            let trimmed = rest.trim_start().strip_prefix(':')?.trim_start();
            let start = self.source.code.len() - trimmed.len();
            if !trimmed.starts_with('{') {
                return None;
            }
            let mut depth = 0_usize;
            for (offset, byte) in trimmed.bytes().enumerate() {
                match byte {
                    b'{' => depth += 1,
                    b'}' if depth == 1 => return Some((start, start + offset)),
                    b'}' => depth -= 1,
                    _ => {}
                }
            }
            None
        })
    }

    fn is_false(&self, key: &str) -> Option<u64> {
        self.source.all(key).find_map(|at| {
            let rest = self.source.code[at + key.len()..]
                .trim_start()
                .strip_prefix(':')?;
            rest.trim_start()
                .starts_with("false")
                .then(|| self.source.line(at))
        })
    }
}

/// The output of a framework that serves by itself or decides whether it does.
pub(super) fn output(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
) -> Result<Option<Output>, Problem> {
    let package = project.package;
    if !project.has_build() {
        return Ok(None);
    }
    let output = if package.has("next") {
        next(scan, project)?
    } else if package.has("nuxt") {
        Some(nuxt(scan, project))
    } else if package.has("@remix-run/node") || package.has("@react-router/dev") {
        router(scan, project)?
    } else if package.has("@sveltejs/kit") {
        svelte(scan, project)?
    } else if package.has("astro") {
        astro(scan, project)
    } else {
        None
    };
    Ok(output)
}

fn listening(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
    framework: &str,
    port: u16,
    mut server: Server,
    rule: &str,
) -> Output {
    server.framework = Some(framework.to_owned());
    server.port = Some(Fact {
        value: port,
        file: String::new(),
        line: 0,
    });
    server.listens = true;
    server.confidence = 95;
    server.reason = format!("a {framework} app with a build, from the dependencies");
    let line = ["dependencies", "devDependencies"]
        .iter()
        .find_map(|table| {
            project.package.document.line(&[
                table,
                if framework == "nextjs" {
                    "next"
                } else {
                    framework
                },
            ])
        });
    let evidence = Evidence::new("start", server.arguments.join(" "), rule)
        .at(&project.package.document.file, line);
    Output::Server(Box::new(complete(scan, project, server, evidence)))
}

/// Whether there are pages, without which `next` in the dependencies is a tool or belongs to another member.
fn has_pages(scan: &Scan<'_>, project: &Project<'_>) -> bool {
    ["app", "pages", "src/app", "src/pages"]
        .iter()
        .any(|name| scan.repo.dir(&join(&project.package.dir, name)).is_some())
}

fn next(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Option<Output>, Problem> {
    if !has_pages(scan, project) {
        return Ok(None);
    }
    let config = config(scan, project, "next.config");
    let found = config.as_ref().and_then(|config| {
        config
            .anywhere("output")
            .map(|(text, line)| (text, config.file.clone(), line))
    });
    let dist = config
        .as_ref()
        .and_then(|config| config.anywhere("distDir"))
        .map_or(".next", |(dir, _)| dir)
        .to_owned();
    let telemetry = BTreeMap::from([("NEXT_TELEMETRY_DISABLED".to_owned(), "1".to_owned())]);
    let env = BTreeMap::from([
        ("HOSTNAME".to_owned(), "0.0.0.0".to_owned()),
        ("PORT".to_owned(), "3000".to_owned()),
    ]);
    let server = Server {
        env,
        build_env: telemetry.clone(),
        writable: vec![format!("{dist}/cache")],
        ..Server::default()
    };
    match found {
        Some(("export", file, line)) => {
            let dir = if dist == ".next" { "out" } else { &dist };
            let mut output = Output::files("nextjs", dir, "node.next.export").at(&file, Some(line));
            if let Output::Files { env, .. } = &mut output {
                *env = telemetry;
            }
            Ok(Some(output))
        }
        Some(("standalone", file, line)) => {
            let server = standalone(scan, project, &dist, server);
            let output = listening(
                scan,
                project,
                "nextjs",
                3000,
                server,
                "node.next.standalone",
            );
            Ok(Some(output.at(&file, Some(line))))
        }
        _ => {
            let server = next_start(scan, project, &dist, server)?;
            Ok(Some(listening(
                scan,
                project,
                "nextjs",
                3000,
                server,
                "node.next.start",
            )))
        }
    }
}

/// The server that a standalone build brings along, at its place in the workspace.
fn standalone(scan: &Scan<'_>, project: &Project<'_>, dist: &str, server: Server) -> Server {
    let place = relative(&project.manager.root, &project.package.dir);
    let place = if place == "." { String::new() } else { place };
    let copy = |from: &str, to: String| Copy {
        from: from.to_owned(),
        to,
    };
    let to = |name: &str| join("/app", &join(&place, name));
    let files = format!("{dist}/static");
    let mut copies = vec![
        copy(&format!("{dist}/standalone"), "/app".to_owned()),
        copy(&files, to(&files)),
    ];
    if scan
        .repo
        .dir(&join(&project.package.dir, "public"))
        .is_some()
    {
        copies.push(copy("public", to("public")));
    }
    Server {
        arguments: vec!["server.js".to_owned()],
        directory: Some(place),
        bundle: Some(copies),
        ..server
    }
}

fn next_start(
    scan: &Scan<'_>,
    project: &Project<'_>,
    dist: &str,
    server: Server,
) -> Result<Server, Problem> {
    let document = &project.package.document;
    if !project.package.dependencies.contains("next") {
        let message = "`next` is a development dependency, but it is what serves the app";
        return Err(Problem::new(
            &document.file,
            document.line(&["devDependencies", "next"]),
            message,
        )
        .help("move `next` to `dependencies`, or set `output: 'standalone'`"));
    }
    let bin = join(&module(scan, project, "next"), "dist/bin/next");
    Ok(Server {
        arguments: vec![bin, "start".to_owned()],
        output: Some(dist.to_owned()),
        extra: ["cjs", "js", "mjs", "ts"]
            .map(|ending| format!("next.config.{ending}"))
            .to_vec(),
        // The cache of the bundler is of no use at run time, and differs from build to build.
        after: vec![format!("rm -rf {}", quoted(&format!("{dist}/cache")))],
        ..server
    })
}

fn nuxt(scan: &mut Scan<'_>, project: &Project<'_>) -> Output {
    let build = project
        .package
        .script(project.build_script())
        .unwrap_or_default()
        .to_owned();
    if build.contains("generate") {
        let line = project.package.script_line("build");
        return Output::files("nuxt", ".output/public", "node.nuxt.generate")
            .at(&project.package.document.file, line);
    }
    let server = Server {
        arguments: vec!["server/index.mjs".to_owned()],
        bundle: Some(vec![Copy {
            from: ".output".to_owned(),
            to: "/app".to_owned(),
        }]),
        env: BTreeMap::from([
            ("HOST".to_owned(), "0.0.0.0".to_owned()),
            ("PORT".to_owned(), "3000".to_owned()),
        ]),
        build_env: BTreeMap::from([("NUXT_TELEMETRY_DISABLED".to_owned(), "1".to_owned())]),
        ..Server::default()
    };
    listening(scan, project, "nuxt", 3000, server, "node.nuxt.server")
}

fn router(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Option<Output>, Problem> {
    let config = config(scan, project, "react-router.config");
    if let Some(config) = &config
        && let Some(line) = config.is_false("ssr")
    {
        let output = Output::files("react-router", "build/client", "node.react-router.spa");
        return Ok(Some(output.at(&config.file, Some(line))));
    }
    let (framework, package, path) = if project.package.has("@react-router/dev") {
        ("react-router", "@react-router/serve", "bin.cjs")
    } else {
        ("remix", "@remix-run/serve", "dist/cli.js")
    };
    if !project.package.dependencies.contains(package) {
        // A server of its own: its start script names it.
        return Ok(None);
    }
    let bin = join(&module(scan, project, package), path);
    let server = Server {
        arguments: vec![bin, "build/server/index.js".to_owned()],
        output: Some("build".to_owned()),
        env: BTreeMap::from([("PORT".to_owned(), "3000".to_owned())]),
        ..Server::default()
    };
    Ok(Some(listening(
        scan,
        project,
        framework,
        3000,
        server,
        "node.router.serve",
    )))
}

fn svelte(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Option<Output>, Problem> {
    let package = project.package;
    if package.has("@sveltejs/adapter-static") {
        let line = package
            .document
            .line(&["devDependencies", "@sveltejs/adapter-static"]);
        return Ok(Some(
            Output::files("sveltekit", "build", "node.sveltekit.static")
                .at(&package.document.file, line),
        ));
    }
    if !package.has("@sveltejs/adapter-node") {
        let message = "the SvelteKit adapter decides what is built, and neither `adapter-node` nor `adapter-static` is there";
        return Err(Problem::new(
            &package.document.file,
            package.document.line(&["devDependencies"]),
            message,
        )
        .help("add `@sveltejs/adapter-node`"));
    }
    let server = Server {
        arguments: vec!["build/index.js".to_owned()],
        output: Some("build".to_owned()),
        env: BTreeMap::from([
            ("HOST".to_owned(), "0.0.0.0".to_owned()),
            ("PORT".to_owned(), "3000".to_owned()),
        ]),
        ..Server::default()
    };
    Ok(Some(listening(
        scan,
        project,
        "sveltekit",
        3000,
        server,
        "node.sveltekit.node",
    )))
}

fn astro(scan: &mut Scan<'_>, project: &Project<'_>) -> Option<Output> {
    let config = config(scan, project, "astro.config")?;
    let dist = config
        .anywhere("outDir")
        .map_or("dist", |(dir, _)| dir)
        .trim_matches(['.', '/'])
        .to_owned();
    // Only an adapter that the configuration imports is in use.
    let is_node = config
        .source
        .strings
        .iter()
        .any(|(_, text)| text == "@astrojs/node");
    if !is_node {
        return Some(Output::files("astro", &dist, "node.astro.static").at(&config.file, None));
    }
    let server = Server {
        arguments: vec![format!("{dist}/server/entry.mjs")],
        output: Some(dist),
        env: BTreeMap::from([
            ("HOST".to_owned(), "0.0.0.0".to_owned()),
            ("PORT".to_owned(), "4321".to_owned()),
        ]),
        ..Server::default()
    };
    Some(listening(scan, project, "astro", 4321, server, "node.astro.node").at(&config.file, None))
}

/// The output of a bundler or site generator, of a package that starts no server of its own.
pub(super) fn bundle(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
) -> Result<Option<Output>, Problem> {
    let package = project.package;
    let dir = scan.repo.dir(&package.dir);
    if !project.has_build() {
        return Ok(None);
    }
    let script = package
        .script(project.build_script())
        .unwrap_or_default()
        .to_owned();
    let line = package.script_line(project.build_script());
    let file = package.document.file.clone();
    if package.has("@angular/core") && dir.is_some_and(|dir| dir.has("angular.json")) {
        return angular(scan, project);
    }
    if package.has("@nestjs/core") {
        return Ok(nest(scan, project));
    }
    for (name, framework, output) in GENERATORS {
        if package.has(name) {
            let output = Output::files(framework, output, &format!("node.{framework}"));
            return Ok(Some(output.at(&file, line)));
        }
    }
    if package.has("vitepress") && script.contains("vitepress build") {
        let root = script
            .split_whitespace()
            .skip_while(|word| *word != "build")
            .nth(1)
            .filter(|word| !word.starts_with(['-', '&']))
            .unwrap_or("");
        return Ok(Some(
            Output::files(
                "vitepress",
                &join(root, ".vitepress/dist"),
                "node.vitepress",
            )
            .at(&file, line),
        ));
    }
    if package.has("vite") && dir.is_some_and(|dir| dir.has("index.html")) {
        return Ok(Some(vite(scan, project, &script).at(&file, line)));
    }
    Ok(None)
}

/// Packages of generators, with the directory that each writes.
const GENERATORS: &[(&str, &str, &str)] = &[
    ("@11ty/eleventy", "eleventy", "_site"),
    ("@docusaurus/core", "docusaurus", "build"),
    ("@vue/cli-service", "vue-cli", "dist"),
    ("gatsby", "gatsby", "public"),
    ("react-scripts", "create-react-app", "build"),
];

fn vite(scan: &Scan<'_>, project: &Project<'_>, script: &str) -> Output {
    let words: Vec<&str> = script.split_whitespace().collect();
    let flag = words
        .iter()
        .position(|word| *word == "--outDir")
        .and_then(|at| words.get(at + 1))
        .copied();
    let config = config(scan, project, "vite.config");
    let configured = config.as_ref().and_then(|config| {
        let (from, to) = config.block("build")?;
        config
            .text("outDir", from, to)
            .map(|(text, _)| text.to_owned())
    });
    let dir = flag
        .map(str::to_owned)
        .or(configured)
        .unwrap_or_else(|| "dist".to_owned());
    Output::files(
        "vite",
        dir.trim_start_matches("./").trim_end_matches('/'),
        "node.vite",
    )
}

fn nest(scan: &mut Scan<'_>, project: &Project<'_>) -> Option<Output> {
    let dir = scan.repo.dir(&project.package.dir)?;
    if !dir.has("nest-cli.json") {
        return None;
    }
    let server = Server {
        arguments: vec!["dist/main.js".to_owned()],
        output: Some("dist".to_owned()),
        extra: vec![dir.join("src/main.ts")],
        ..Server::default()
    };
    let mut output = listening(scan, project, "nestjs", 3000, server, "node.nest.main")
        .at(&dir.join("nest-cli.json"), None);
    if let Output::Server(server) = &mut output {
        server.confidence = 85;
    }
    Some(output)
}

fn angular(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Option<Output>, Problem> {
    let file = join(&project.package.dir, "angular.json");
    let Some(document) = scan.document(&file, Syntax::Json) else {
        return Ok(None);
    };
    let apps: Vec<&str> = document
        .keys(&["projects"])
        .into_iter()
        .filter(|name| document.str(&["projects", name, "projectType"]) == Some("application"))
        .collect();
    let [name] = apps.as_slice() else {
        let message = format!("holds {} applications, of which none is chosen", apps.len());
        return Err(Problem::new(&file, document.line(&["projects"]), message));
    };
    let build = |keys: &[&str]| {
        let mut path = vec!["projects", name, "architect", "build"];
        path.extend(keys);
        document.get(&path).cloned()
    };
    let builder = build(&["builder"])
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default();
    if build(&["options", "ssr"]).is_some_and(|ssr| !ssr.is_null() && ssr != false) {
        return Err(Problem::new(
            &file,
            document.line(&["projects", name]),
            "renders on a server, which is not supported for Angular",
        ));
    }
    let base = build(&["options", "outputPath"]);
    let text = base.as_ref().and_then(|value| {
        value
            .as_str()
            .or_else(|| value.get("base").and_then(|base| base.as_str()))
    });
    let mut dir = text.map_or_else(|| format!("dist/{name}"), str::to_owned);
    let browser = base
        .as_ref()
        .and_then(|value| value.get("browser"))
        .and_then(|value| value.as_str())
        .unwrap_or("browser");
    if builder.ends_with(":application") && !browser.is_empty() {
        dir = join(&dir, browser);
    }
    Ok(Some(
        Output::files("angular", &dir, "node.angular")
            .at(&file, document.line(&["projects", name])),
    ))
}
