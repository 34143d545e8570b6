//! Deno: a configuration of its own, or an entry that imports what only Deno fetches.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::detect::document::{Document, Syntax};
use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::passed_over;
use crate::detect::provider::{Draft, Problem, Provider, Scan, tree_glob};
use crate::detect::repo::{Dir, join, resolve};
use crate::detect::source::{self, Fact, Family};
use crate::detect::start;
use crate::detect::workspace;
use crate::spec::{Copy, Kind};

pub(crate) struct Deno;

const LOOKS_LIKE: &str = "a Deno project";

const LANGUAGE: Language = Language {
    name: "Deno",
    build_systems: &["deno"],
    frameworks: &["fresh", "oak"],
    manifests: &["deno.json", "deno.jsonc"],
};

/// The files that start an app by their name, likeliest first.
const ENTRIES: &[&str] = &[
    "main.ts",
    "main.js",
    "main.mts",
    "main.mjs",
    "index.ts",
    "index.js",
    "server.ts",
    "mod.ts",
];

/// Where the modules lie that an app needs.
const MODULES: &str = "/app/.deno";

impl Provider for Deno {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        let dirs = scan.dirs_with(LANGUAGE.manifests);
        let mut members: Vec<String> = Vec::new();
        for dir in &dirs {
            let Some(document) = document(scan, *dir) else {
                continue;
            };
            let patterns = document.strings(&["workspace"]);
            let patterns = if patterns.is_empty() {
                document.strings(&["workspace", "members"])
            } else {
                patterns
            };
            for marker in LANGUAGE.manifests {
                members.extend(workspace::expand(scan.repo, dir.path(), &patterns, marker));
            }
        }
        for dir in &dirs {
            let is_member = members.iter().any(|member| member == dir.path());
            if passed_over(scan, dir.path(), LOOKS_LIKE, is_member) {
                continue;
            }
            let Some(document) = document(scan, *dir) else {
                continue;
            };
            detect_project(scan, *dir, &document);
        }
        bare(scan);
    }
}

fn document(scan: &mut Scan<'_>, dir: Dir<'_>) -> Option<Rc<Document>> {
    let name = dir.first(LANGUAGE.manifests)?;
    scan.document(&dir.join(name), Syntax::Json)
}

/// What starts an app.
struct Start {
    /// The words behind `deno run`: permissions, the entry, its arguments.
    arguments: Vec<String>,
    /// What the task sets before it.
    env: BTreeMap<String, String>,
    entry: String,
    serves: bool,
    evidence: Evidence,
}

fn detect_project(scan: &mut Scan<'_>, dir: Dir<'_>, document: &Rc<Document>) {
    let task = document
        .str(&["tasks", "start"])
        .or_else(|| document.str(&["tasks", "start", "command"]));
    if dir.has("package.json") && task.is_none() {
        // It configures the tools of a Node.js package.
        scan.reject(
            dir.path(),
            LOOKS_LIKE,
            "it has a package.json and no task `start`",
        );
        return;
    }
    let found = match task {
        Some(task) => by_task(document, dir, task),
        None => by_file(scan, dir).map(Ok),
    };
    match found {
        Some(Ok(start)) => app(scan, dir, Some(document), start),
        Some(Err(problem)) => {
            let mut draft = draft(scan, dir);
            describe(Some(document), &mut draft);
            scan.refuse(draft, problem);
        }
        None => {
            let reason = if document.get(&["workspace"]).is_some() {
                "it is the root of a workspace"
            } else if document.get(&["exports"]).is_some() {
                "it is a library: it has `exports` and no task `start`"
            } else {
                "it has no task `start`, and none of its entry files listens"
            };
            scan.reject(dir.path(), LOOKS_LIKE, reason);
        }
    }
}

fn by_task(document: &Document, dir: Dir<'_>, task: &str) -> Option<Result<Start, Problem>> {
    let keys = ["tasks", "start"];
    let line = document.line(&keys);
    let refused = |message: String| {
        Some(Err(Problem::new(&document.file, line, message)
            .help("make the task `start` one `deno run` with a file")))
    };
    let commands = match start::parse(task) {
        Ok(commands) => commands,
        Err(refusal) => return refused(format!("the task cannot become a command: {refusal}")),
    };
    let [command] = commands.as_slice() else {
        return refused(format!("`{task}` is not one command"));
    };
    let literal = |word: &start::Word| word.literal();
    let words: Option<Vec<String>> = command.words.iter().map(literal).collect();
    let env = command.env.iter();
    let env = env.map(|(name, value)| Some((name.clone(), value.literal()?)));
    let (Some(words), Some(env), None) = (words, env.collect(), &command.directory) else {
        return refused(format!("`{task}` needs a shell for its variables"));
    };
    if words
        .iter()
        .any(|word| word == "--watch" || word.starts_with("--watch="))
    {
        return refused(format!("`{task}` is a development server"));
    }
    let (serves, rest) = match words.as_slice() {
        [deno, verb, rest @ ..] if deno == "deno" && verb == "run" => (false, rest),
        [deno, verb, rest @ ..] if deno == "deno" && verb == "serve" => (true, rest),
        _ => return refused(format!("`{task}` is no `deno run`")),
    };
    let Some(entry) = rest.iter().find(|word| !word.starts_with('-')) else {
        return refused(format!("`{task}` names no file"));
    };
    if resolve(dir.path(), entry).is_none() {
        return refused(format!("`{entry}` is outside of the repository"));
    }
    Some(Ok(Start {
        arguments: rest.to_vec(),
        env,
        entry: entry.clone(),
        serves,
        evidence: Evidence::new("start", task, "deno.task").at(&document.file, line),
    }))
}

fn by_file(scan: &Scan<'_>, dir: Dir<'_>) -> Option<Start> {
    ENTRIES.iter().find_map(|name| {
        let text = scan.repo.text(&dir.join(name)).ok()?;
        let parsed = source::Source::parse(&text, Family::Script);
        let at = ["Deno.serve(", ".listen(", "serve("]
            .iter()
            .find_map(|call| parsed.find(call).map(|at| (call.trim_end_matches('('), at)));
        let (call, at) = at?;
        let evidence = Evidence::new("start", *name, "deno.listening-file")
            .at(&dir.join(name), Some(parsed.line(at)))
            .written(call);
        // Without a task nobody says what it may do; an app in a container has what the container has.
        Some(Start {
            arguments: vec!["-A".to_owned(), (*name).to_owned()],
            env: BTreeMap::new(),
            entry: (*name).to_owned(),
            serves: false,
            evidence,
        })
    })
}

/// An app at the root without a configuration, whose entry imports what only Deno fetches.
fn bare(scan: &mut Scan<'_>) {
    let Some(root) = scan.repo.dir("") else {
        return;
    };
    let others = ["package.json", "deno.json", "deno.jsonc"];
    if root.first(&others).is_some() {
        return;
    }
    let found = ENTRIES.iter().find_map(|name| {
        let text = scan.repo.text(name).ok()?;
        let (module, line) = super::node::imports_deno(&text)?;
        Some((*name, module, line))
    });
    let Some((name, module, line)) = found else {
        return;
    };
    let evidence = Evidence::new("start", name, "deno.remote-import")
        .at(name, Some(line))
        .written(module);
    let start = Start {
        arguments: vec!["-A".to_owned(), name.to_owned()],
        env: BTreeMap::new(),
        entry: name.to_owned(),
        serves: false,
        evidence,
    };
    app(scan, root, None, start);
}

fn draft(scan: &mut Scan<'_>, dir: Dir<'_>) -> Draft {
    let mut draft = Draft::new(dir.path(), Kind::Web, "deno", "deno");
    if !dir.path().is_empty() {
        draft.spec.build.context = vec![tree_glob(dir.path())];
    }
    for name in [".deno-version", ".dvmrc"] {
        if let Ok(text) = scan.repo.text(&dir.join(name)) {
            let version = text.lines().next().unwrap_or_default().trim().to_owned();
            let found = Evidence::new("toolchain", version, "version.file");
            draft.evidence.push(found.at(&dir.join(name), Some(1)));
        }
    }
    draft
}

/// Frameworks by what their imports begin with.
const FRAMEWORKS: &[(&str, &str)] = &[
    ("jsr:@fresh/core", "fresh"),
    ("jsr:@oak/oak", "oak"),
    ("https://deno.land/x/fresh", "fresh"),
    ("https://deno.land/x/oak", "oak"),
];

/// Fills in what the configuration says, beside what starts.
fn describe(document: Option<&Document>, draft: &mut Draft) {
    let Some(document) = document else { return };
    draft.fallback = document.str(&["name"]).map(str::to_owned);
    let named = document.keys(&["imports"]).into_iter().find_map(|key| {
        let target = document.str(&["imports", key])?;
        let (_, name) = FRAMEWORKS
            .iter()
            .find(|(start, _)| target.starts_with(start))?;
        Some((*name, target.to_owned(), document.line(&["imports", key])))
    });
    if let Some((name, target, line)) = named {
        draft.spec.metadata.framework = Some(name.to_owned());
        let found = Evidence::new("framework", name, "deno.import").at(&document.file, line);
        draft.evidence.push(found.written(target));
    }
}

fn app(scan: &mut Scan<'_>, dir: Dir<'_>, document: Option<&Rc<Document>>, start: Start) {
    let mut draft = draft(scan, dir);
    describe(document.map(AsRef::as_ref), &mut draft);
    facts(scan, dir, &start, &mut draft);
    draft.evidence.push(start.evidence.clone());
    let file = start.evidence.file.clone().unwrap_or_default();
    let Some(deno) = scan.catalog.package("deno") else {
        let problem = Problem::new(&file, start.evidence.line, "Deno is not packaged")
            .help("build it elsewhere with `deno compile`, or run it with Node.js");
        scan.refuse(draft, problem);
        return;
    };
    build(scan, dir, &deno, &start, &mut draft);
    scan.drafts.push(draft);
}

/// Port, route and kind, from the sources.
fn facts(scan: &Scan<'_>, dir: Dir<'_>, start: &Start, draft: &mut Draft) {
    let endings = ["ts", "tsx", "js", "jsx", "mts", "mjs"];
    let mut files = source::own(scan.repo, dir.path(), &[], &endings, Family::Script);
    let entry = join(dir.path(), &start.entry);
    files.sort_by_key(|file| file.path != entry);
    let call = files.iter().find_map(|file| {
        let at = file
            .source
            .find("Deno.serve")
            .or_else(|| file.source.find(".listen("))?;
        Some((file.path.clone(), file.source.line(at)))
    });
    let kind = match &call {
        Some((file, line)) => {
            let text = scan.repo.text(file).unwrap_or_default();
            let index = usize::try_from(*line).unwrap_or(1).saturating_sub(1);
            let written = text.lines().nth(index).unwrap_or_default().trim();
            Evidence::new("kind", "web", "deno.listens")
                .at(file, Some(*line))
                .written(written)
        }
        None if start.serves || draft.spec.metadata.framework.is_some() => {
            Evidence::new("kind", "web", "deno.serves")
        }
        None => {
            draft.spec.metadata.kind = Some(Kind::Worker);
            Evidence::new("kind", "worker", "deno.listens")
        }
    };
    draft.evidence.push(kind);
    if draft.spec.metadata.kind != Some(Kind::Web) {
        return;
    }
    let port = files.iter().find_map(|file| {
        file.source.all("port:").find_map(|at| {
            let value = file.source.number_after(at + "port:".len(), 12)?;
            Some(Fact {
                value,
                file: file.path.clone(),
                line: file.source.line(at),
            })
        })
    });
    let port = port.unwrap_or(Fact {
        value: 8000,
        file: String::new(),
        line: 0,
    });
    draft.listens_on(&port, "deno.port");
    if let Some(health) = source::health(&files) {
        draft.answers(&health);
    }
}

/// Fills in build and run: the modules are fetched in the build and shipped beside the sources.
fn build(scan: &Scan<'_>, dir: Dir<'_>, deno: &str, start: &Start, draft: &mut Draft) {
    let toolchain = Evidence::new("toolchain", deno, "deno.package-default");
    draft.evidence.push(toolchain);
    let spec = &mut draft.spec;
    spec.build.packages = vec![deno.to_owned()];
    spec.build
        .env
        .insert("DENO_DIR".to_owned(), MODULES.to_owned());
    let frozen = if dir.has("deno.lock") {
        " --frozen"
    } else {
        ""
    };
    let entry = crate::detect::provider::quoted(&start.entry);
    if let Some(text) = document_task(dir, "build") {
        spec.build.commands.push(text);
    }
    spec.build
        .commands
        .push(format!("deno install{frozen} --entrypoint {entry}"));
    spec.runtime.packages = vec![deno.to_owned()];
    spec.runtime
        .packages
        .extend(scan.catalog.package("ca-certificates-bundle"));
    spec.runtime.env.extend(start.env.clone());
    spec.runtime
        .env
        .insert("DENO_DIR".to_owned(), MODULES.to_owned());
    spec.runtime
        .env
        .insert("DENO_NO_UPDATE_CHECK".to_owned(), "1".to_owned());
    let names = dir.files().iter().chain(dir.dirs()).filter(|name| {
        !name.starts_with('.') && !source::is_test_file(name) && name.as_str() != "Dockerfile"
    });
    spec.runtime.copy = names
        .map(|name| Copy {
            from: name.to_string(),
            to: format!("/app/{name}"),
        })
        .collect();
    spec.runtime.copy.push(Copy {
        from: MODULES.to_owned(),
        to: MODULES.to_owned(),
    });
    spec.runtime.copy.sort();
    let verb = if start.serves { "serve" } else { "run" };
    let mut command = vec![
        "deno".to_owned(),
        verb.to_owned(),
        "--cached-only".to_owned(),
    ];
    command.extend(start.arguments.iter().cloned());
    spec.runtime.command = command;
    spec.metadata.confidence = Some(80);
    spec.metadata.reasoning = Some(format!("`{}` is run by Deno", start.entry));
}

/// The command that runs a task, where the configuration has it.
fn document_task(dir: Dir<'_>, name: &str) -> Option<String> {
    let file = dir.first(LANGUAGE.manifests)?;
    let text = dir.text(file).ok()?;
    let document = Document::parse(file, &text, Syntax::Json).ok()?;
    document.get(&["tasks", name])?;
    Some(format!("deno task {name}"))
}
