//! The application objects of a project: `app = FastAPI(` in a file.

use crate::detect::explain::{Candidate, Evidence};
use crate::detect::provider::{Problem, Scan};
use crate::detect::source::File;
use crate::spec::Kind;

use super::{Project, Start, below, module, stem};

/// An application object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) module: String,
    /// The variable, or the factory.
    pub(super) name: String,
    pub(super) is_factory: bool,
    pub(super) file: String,
    pub(super) line: u64,
    pub(super) framework: &'static str,
    /// What stands on its line.
    pub(super) written: String,
    /// Those that were not taken.
    pub(super) losing: Vec<Candidate>,
    /// What else decided for it.
    pub(super) decided: Option<Evidence>,
}

impl Object {
    /// `module:variable`, as servers name it.
    pub(super) fn target(&self) -> String {
        format!("{}:{}", self.module, self.name)
    }
}

/// Constructors of applications, with the framework.
const CONSTRUCTORS: &[(&str, &str)] = &[
    ("FastAPI(", "fastapi"),
    ("Flask(", "flask"),
    ("Litestar(", "litestar"),
    ("Quart(", "quart"),
    ("Sanic(", "sanic"),
    ("Starlette(", "starlette"),
];

/// Files that usually hold the application, best first; others come after them.
pub(super) const NAMES: &[&str] = &[
    "asgi",
    "wsgi",
    "main",
    "app",
    "server",
    "api",
    "application",
    "__init__",
    "run",
];

/// The only application object, or the best by name; two of the same rank are a question that others may answer.
pub(super) fn choose(
    scan: &mut Scan<'_>,
    project: &Project,
    files: &[File],
) -> Result<Option<Object>, Box<Start>> {
    let mut objects = objects(project, files);
    objects.sort_by(|a, b| (a.0, a.1, &a.2.file, a.2.line).cmp(&(b.0, b.1, &b.2.file, b.2.line)));
    let Some((rank, depth, first)) = objects.first().cloned() else {
        return Ok(None);
    };
    if let Some(object) = named_elsewhere(scan, project, &objects) {
        return Ok(Some(object));
    }
    let rest = &objects[1..];
    let equal = rest
        .iter()
        .find(|(r, d, other)| (*r, *d) == (rank, depth) && other.file != first.file);
    if let Some((_, _, other)) = equal {
        return Err(Box::new(question(&first, other)));
    }
    let losing = rest.iter().map(|(_, _, other)| candidate(other));
    Ok(Some(Object {
        losing: losing.collect(),
        ..first
    }))
}

fn candidate(other: &Object) -> Candidate {
    Candidate {
        value: other.target(),
        file: Some(other.file.clone()),
        line: Some(other.line),
        reason: "the other one is nearer to what applications are usually called".to_owned(),
    }
}

/// An app that cannot be started because two applications are as likely as each other.
fn question(first: &Object, other: &Object) -> Start {
    let message = format!(
        "two applications are equally likely: `{}` and `{}`",
        first.target(),
        other.target()
    );
    let problem = Problem::new(&first.file, Some(first.line), message)
        .help(format!("name one in peelbox.yaml: `entry: {}`, or with a Procfile line such as `web: uvicorn package.module:app`", first.target()));
    Start {
        kind: Some(Kind::Web),
        framework: Some(first.framework.to_owned()),
        evidence: vec![evidence(first), kind(first)],
        confidence: 50,
        reason: format!(
            "`{}` and `{}` both make an application",
            first.file, other.file
        ),
        problem: Some(problem),
        ..Start::default()
    }
}

/// The evidence for the framework of an application.
pub(super) fn evidence(object: &Object) -> Evidence {
    Evidence::new("framework", object.framework, "python.application")
        .at(&object.file, Some(object.line))
        .written(object.written.clone())
}

/// The evidence for what an application is.
pub(super) fn kind(object: &Object) -> Evidence {
    Evidence::new("kind", "web", "python.application")
        .at(&object.file, Some(object.line))
        .written(object.written.clone())
}

/// The application that a Dockerfile or its kin serves.
fn named_elsewhere(
    scan: &mut Scan<'_>,
    project: &Project,
    objects: &[(usize, usize, Object)],
) -> Option<Object> {
    if objects.len() < 2 {
        return None;
    }
    let hints = scan.hints(&project.dir);
    hints.commands.iter().find_map(|command| {
        let has = |target: &str| {
            let word = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '[' | ']');
            command.value.split(word).any(|part| part == target)
        };
        let (_, _, object) = objects.iter().find(|(_, _, o)| has(&o.target()))?;
        let target = object.target();
        let evidence = Evidence::new("start", &target, "python.named-elsewhere")
            .at(&command.file, Some(command.line));
        let losing = objects.iter().map(|(_, _, other)| other);
        let losing = losing.filter(|other| other.target() != target);
        Some(Object {
            decided: Some(evidence),
            losing: losing.map(candidate).collect(),
            ..object.clone()
        })
    })
}

/// The application of a file: the one with this name, or the first.
pub(super) fn named(
    project: &Project,
    files: &[File],
    path: &str,
    name: Option<&str>,
) -> Option<Object> {
    let objects = objects(project, files).into_iter();
    let mut objects = objects.map(|(_, _, object)| object);
    objects.find(|object| object.file == path && name.is_none_or(|name| object.name == name))
}

/// Every application object and factory, with its rank and depth.
fn objects(project: &Project, files: &[File]) -> Vec<(usize, usize, Object)> {
    let mut objects: Vec<(usize, usize, Object)> = Vec::new();
    for file in files {
        let Some((module, _)) = module(project, &file.path) else {
            continue;
        };
        for found in definitions(file) {
            objects.push((
                rank(file) + if found.is_factory { 100 } else { 0 },
                depth(project, file),
                Object {
                    module: module.clone(),
                    name: found.name,
                    is_factory: found.is_factory,
                    file: file.path.clone(),
                    line: file.source.line(found.at),
                    framework: found.framework,
                    written: found.written,
                    losing: Vec::new(),
                    decided: None,
                },
            ));
        }
    }
    // Each of them is looked for in every file.
    const FACTORIES: usize = 20;
    let factories: Vec<Object> = objects
        .iter()
        .filter(|(_, _, object)| object.is_factory)
        .take(FACTORIES)
        .map(|(_, _, object)| object.clone())
        .collect();
    for file in files {
        let Some((module, _)) = module(project, &file.path) else {
            continue;
        };
        for factory in &factories {
            let Some((name, at)) = made_by(file, &factory.name) else {
                continue;
            };
            let object = Object {
                module: module.clone(),
                name,
                is_factory: false,
                file: file.path.clone(),
                line: file.source.line(at),
                written: format!("{}(", factory.name),
                ..factory.clone()
            };
            objects.push((rank(file), depth(project, file), object));
        }
    }
    objects
}

fn rank(file: &File) -> usize {
    let stem = stem(file);
    let known = NAMES.iter().position(|name| *name == stem);
    known.unwrap_or(NAMES.len())
}

fn depth(project: &Project, file: &File) -> usize {
    below(project, &file.path)
        .trim_start_matches("src/")
        .matches('/')
        .count()
}

/// A variable at the top level that a call of the factory makes: `app = create_app()`.
fn made_by(file: &File, factory: &str) -> Option<(String, usize)> {
    let mut at = 0;
    for line in file.source.code.split_inclusive('\n') {
        if let Some((name, value)) = line.split_once('=')
            && value.trim_start().starts_with(&format!("{factory}("))
            && is_name(name.trim())
            && !line.starts_with([' ', '\t'])
        {
            return Some((name.trim().to_owned(), at));
        }
        at += line.len();
    }
    None
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c == '_' || c.is_alphanumeric())
}

/// An application object or factory at the top level of a file.
struct Definition {
    name: String,
    is_factory: bool,
    at: usize,
    framework: &'static str,
    written: String,
}

fn definitions(file: &File) -> Vec<Definition> {
    let mut found = Vec::new();
    let mut factory: Option<(String, usize)> = None;
    let mut at = 0;
    for line in file.source.code.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let indented = trimmed.len() < line.len();
        if !indented && (line.starts_with("def ") || line.starts_with("async def ")) {
            let signature = signature(&file.source.code[at..]);
            factory = called_without_arguments(signature).map(|name| (name, at));
        } else if !indented && !trimmed.is_empty() && !trimmed.starts_with(['#', ')', '@']) {
            factory = None;
        }
        for (constructor, framework) in CONSTRUCTORS {
            let Some(position) = call(line, constructor) else {
                continue;
            };
            if !indented {
                let before = line[..position].trim();
                let name = before.trim_end_matches(['=', ' ']).split(':').next();
                let name = name.unwrap_or_default().trim();
                if before.ends_with('=') && is_name(name) {
                    found.push(Definition {
                        name: name.to_owned(),
                        is_factory: false,
                        at,
                        framework,
                        written: (*constructor).to_owned(),
                    });
                }
            } else if let Some((name, place)) = factory.take() {
                found.push(Definition {
                    written: format!("def {name}"),
                    name,
                    is_factory: true,
                    at: place,
                    framework,
                });
            }
        }
        at += line.len();
    }
    found
}

/// A definition up to the parenthesis that closes its arguments, which may stand on lines of their own.
fn signature(code: &str) -> &str {
    const LONGEST: usize = 2000;
    let mut depth = 0_usize;
    let end = code.char_indices().take(LONGEST).find(|(_, character)| {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => return false,
        }
        depth == 0
    });
    end.map_or("", |(at, _)| &code[..=at])
}

/// The name of the factory that is defined; one that takes arguments cannot be called by a server.
fn called_without_arguments(signature: &str) -> Option<String> {
    let (name, rest) = signature.split("def ").nth(1)?.split_once('(')?;
    let arguments = rest.strip_suffix(')')?;
    let mut depth = 0_usize;
    let mut arguments = arguments.split(|character| {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    let optional = arguments.all(|argument| {
        let argument = argument.trim();
        argument.is_empty() || argument.starts_with('*') || argument.contains('=')
    });
    let is_factory = ["create_", "make_", "build_", "get_", "app_factory"]
        .iter()
        .any(|start| name.starts_with(start));
    (optional && is_factory).then(|| name.trim().to_owned())
}

fn call(line: &str, constructor: &str) -> Option<usize> {
    line.match_indices(constructor)
        .map(|(at, _)| at)
        .find(|at| !line[..*at].ends_with(|c: char| c == '_' || c.is_alphanumeric()))
        .map(|at| {
            if line[..at].ends_with('.') {
                line[..at].rfind([' ', '=']).map_or(0, |space| space + 1)
            } else {
                at
            }
        })
}
