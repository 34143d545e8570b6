//! Programs: those of Streamlit and Gradio, packages with a `__main__`, files that are run by their name.

use std::collections::BTreeMap;

use crate::detect::explain::Evidence;
use crate::detect::provider::Scan;
use crate::detect::repo::split;
use crate::detect::source::{self, File};
use crate::spec::Kind;

use super::application::NAMES;
use super::{Project, Start, below, default_port, facts, line_of, module, python, stem};

/// What runs a program in a browser's place.
struct Interactive {
    name: &'static str,
    port: u16,
    health: Option<&'static str>,
}

const INTERACTIVE: &[Interactive] = &[
    Interactive {
        name: "streamlit",
        port: 8501,
        health: Some("/_stcore/health"),
    },
    Interactive {
        name: "gradio",
        port: 7860,
        health: None,
    },
];

/// The start of a program of Streamlit or Gradio.
pub(super) fn interactive(project: &Project, files: &[File]) -> Option<Start> {
    INTERACTIVE.iter().find_map(|tool| {
        if !project.direct.contains(tool.name) {
            return None;
        }
        let (file, line) = importer(files, tool.name)?;
        Some(run_interactive(project, file, line, tool))
    })
}

/// The file that imports a module, the best by name, with the line.
fn importer<'f>(files: &'f [File], name: &str) -> Option<(&'f File, u64)> {
    let rank = |file: &File| {
        let known = NAMES.iter().chain(&["streamlit_app", "Home", "demo"]);
        let named = known.clone().position(|known| *known == stem(file));
        let launches = name != "gradio" || file.source.find("launch(").is_some();
        (
            !launches,
            file.path.matches('/').count(),
            named.unwrap_or(99),
            file.path.clone(),
        )
    };
    let imports = files.iter().filter_map(|file| {
        let is_import = |line: &str| {
            let rest = line.strip_prefix("import ").or(line.strip_prefix("from "));
            rest.and_then(|rest| rest.strip_prefix(name))
                .is_some_and(|rest| !rest.starts_with(|c: char| c == '_' || c.is_alphanumeric()))
        };
        let at = file.source.code.lines().position(is_import)?;
        Some((file, at as u64 + 1))
    });
    imports.min_by_key(|(file, _)| rank(file))
}

fn run_interactive(project: &Project, file: &File, line: u64, tool: &Interactive) -> Start {
    let path = below(project, &file.path);
    let number = tool.port.to_string();
    let mut env = BTreeMap::new();
    let command = if tool.name == "streamlit" {
        let listen = ["--server.address", "0.0.0.0", "--server.port", &number];
        let rest = [
            "--server.headless",
            "true",
            "--browser.gatherUsageStats",
            "false",
        ];
        python(&[&["-m", "streamlit", "run", path][..], &listen, &rest].concat())
    } else {
        env.insert("GRADIO_ANALYTICS_ENABLED".to_owned(), "False".to_owned());
        env.insert("GRADIO_SERVER_NAME".to_owned(), "0.0.0.0".to_owned());
        env.insert("GRADIO_SERVER_PORT".to_owned(), number);
        python(&[path])
    };
    let rule = format!("python.{}", tool.name);
    let found = |field: &str, value: &str| {
        Evidence::new(field, value, &rule)
            .at(&file.path, Some(line))
            .written(tool.name)
    };
    let mut evidence = vec![
        found("framework", tool.name),
        found("kind", "web"),
        found("start", path),
    ];
    evidence.extend(
        tool.health
            .map(|path| Evidence::new("health", path, "health.framework-default")),
    );
    Start {
        kind: Some(Kind::Web),
        command,
        env,
        framework: Some(tool.name.to_owned()),
        port: Some(default_port(tool.port)),
        framework_health: tool.health,
        evidence,
        confidence: 90,
        reason: format!("`{}` is a {} program", file.path, tool.name),
        ..Start::default()
    }
}

/// A program without a framework: `__main__`, or a file that is run by its name.
pub(super) fn start(scan: &mut Scan<'_>, project: &Project, files: &[File]) -> Option<Start> {
    let top = |file: &File| below(project, &file.path).matches('/').count();
    let main = files
        .iter()
        .filter(|file| split(&file.path).1 == "__main__.py")
        .min_by_key(|file| (top(file), file.path.clone()));
    let (file, command, rule, line) = match main {
        Some(file) => {
            let package = split(&file.path).0;
            let (name, _) = module(project, &format!("{package}.py"))?;
            (file, python(&["-m", &name]), "python.main-module", 1)
        }
        None => plain(project, files, &top)?,
    };
    let (kind, fact) = facts::kind(files);
    let written = line_of(scan, &file.path, line);
    let mut chosen = Evidence::new("start", command[1..].join(" "), rule);
    chosen = if written.is_empty() {
        chosen.at(&file.path, None)
    } else {
        chosen.at(&file.path, Some(line)).written(written)
    };
    let mut evidence = vec![chosen, facts::of_kind(kind, fact.as_ref())];
    let framework = facts::framework(project).map(|(name, found)| {
        evidence.push(found);
        name
    });
    if kind == Kind::Web
        && let Some((file, line)) = facts::is_local(files)
    {
        let message =
            "listens on the loopback address, which nothing outside the container reaches";
        scan.warn(&file, Some(line), message);
    }
    // aiohttp's own default.
    let default = (framework.as_deref() == Some("aiohttp")).then(|| default_port(8080));
    Some(Start {
        kind: Some(kind),
        command,
        needs_src_path: below(project, &file.path).starts_with("src/"),
        framework,
        port: facts::port(files).or(default).filter(|_| kind == Kind::Web),
        reads_port: facts::reads_port(files),
        health: source::health(files),
        evidence,
        confidence: 75,
        reason: format!("`{}` is the program of the project", file.path),
        ..Start::default()
    })
}

type Program<'f> = (&'f File, Vec<String>, &'static str, u64);

/// The file that is run by its name.
fn plain<'f>(
    project: &Project,
    files: &'f [File],
    top: &dyn Fn(&File) -> usize,
) -> Option<Program<'f>> {
    const FILES: &[&str] = &[
        "main",
        "app",
        "server",
        "run",
        "worker",
        "bot",
        "start",
        "hello",
        "consumer",
        "scheduler",
    ];
    let guard = |file: &File| {
        let mut lines = file.source.code.lines();
        lines
            .position(|line| line.starts_with("if __name__ =="))
            .map(|at| at as u64 + 1)
    };
    let file = FILES.iter().find_map(|name| {
        files
            .iter()
            .filter(|file| stem(file) == *name)
            .filter(|file| guard(file).is_some() || top(file) == 0)
            .min_by_key(|file| (top(file), file.path.clone()))
    })?;
    let path = below(project, &file.path);
    let command = match module(project, &file.path) {
        Some((name, _)) if path.contains('/') => python(&["-m", &name]),
        _ => python(&[path]),
    };
    Some((file, command, "python.main-file", guard(file).unwrap_or(1)))
}
