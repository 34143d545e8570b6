//! The Python that a project asks for.

use crate::detect::document::Syntax;
use crate::detect::explain::Evidence;
use crate::detect::provider::Scan;
use crate::detect::repo::join;
use crate::detect::version::{self, Source, Tool, Unavailable, Want};
use crate::wolfi::{Pattern, Stream};

use super::Project;
use super::dependencies::{inline_metadata, setup_cfg, setup_py};
use super::manager::Manager;

/// Python, as everything that is made with it asks for it.
pub(in super::super) const TOOL: Tool = Tool {
    name: "Python",
    asdf: &["python"],
    prefix: "python-",
    numbers: 2,
    default: Some("python3"),
    read,
};

/// The Python that was chosen.
pub(super) struct Interpreter {
    /// Its package.
    pub(super) package: String,
    /// The stream's numbers: `3.13`.
    pub(super) numbers: String,
    pub(super) evidence: Evidence,
}

impl Interpreter {
    /// Where it is, in the build and in the image.
    pub(super) fn path(&self) -> String {
        format!("/usr/bin/{}", self.package.replacen("python-", "python", 1))
    }
}

/// Python's constraints, with the wildcards of Poetry and Pipenv that name no operator.
fn read(source: &Source) -> Result<Want, String> {
    if let Some(prefix) = source.text.trim().strip_suffix(".*")
        && let Ok(numbers) = version::exact(prefix)
    {
        return Ok(Want::Prefix(numbers));
    }
    version::python(source)
}

/// The best Python for what the project asks for, best source first.
pub(super) fn choose(scan: &mut Scan<'_>, project: &Project) -> Result<Interpreter, Unavailable> {
    let sources = sources(scan, project);
    if let Some(source) = sources.first()
        && let Some(wanted) = free_threaded(&source.text)
    {
        return choose_free_threaded(scan, source, &wanted);
    }
    let chosen = scan.toolchain(&TOOL, &sources)?;
    Ok(Interpreter {
        package: chosen.stream.package.clone(),
        numbers: chosen.stream.name,
        evidence: chosen.evidence,
    })
}

fn sources(scan: &mut Scan<'_>, project: &Project) -> Vec<Source> {
    let mut sources = Vec::new();
    if let Some(dir) = scan.repo.dir(&project.dir) {
        sources.extend(scan.tool_versions(dir, &TOOL));
        sources.extend(version::version_files(
            dir,
            &[".python-version", "runtime.txt"],
        ));
    }
    if let Some(document) = &project.pipfile {
        for key in ["python_full_version", "python_version"] {
            let keys = ["requires", key];
            sources.extend(version::manifest(document, &keys, "version.pipfile"));
        }
    }
    if let Some(document) = &project.pyproject {
        let keys = ["project", "requires-python"];
        sources.extend(version::manifest(
            document,
            &keys,
            "version.requires-python",
        ));
        let keys = ["tool", "poetry", "dependencies", "python"];
        sources.extend(version::manifest(document, &keys, "version.poetry"));
    }
    if matches!(project.manager, Manager::Project(_)) {
        let key = "python_requires";
        let found = setup_cfg(scan, &project.dir, key).into_iter();
        let found = found.chain(setup_py(scan, &project.dir, key)).next();
        sources.extend(found.map(|(text, file, line)| Source {
            text,
            file,
            line: Some(line),
            rule: "version.setup",
        }));
    }
    if let Manager::Inline(file) = &project.manager {
        let file = join(&project.dir, file);
        let document = inline_metadata(scan, &file);
        let text = document.and_then(|d| d.str(&["requires-python"]).map(str::to_owned));
        sources.extend(text.map(|text| Source {
            text,
            file,
            line: None,
            rule: "version.inline-metadata",
        }));
    }
    sources.extend(locked(scan, project));
    sources
}

/// What the lock file was made for.
fn locked(scan: &mut Scan<'_>, project: &Project) -> Option<Source> {
    let (file, key) = match &project.manager {
        Manager::Uv(Some(root)) => (join(root, "uv.lock"), "requires-python = \""),
        Manager::Poetry => (join(&project.dir, "poetry.lock"), "python-versions = \""),
        Manager::Pdm(true) => (join(&project.dir, "pdm.lock"), "requires_python = \""),
        Manager::Pipenv(true) => {
            let file = join(&project.dir, "Pipfile.lock");
            let document = scan.document(&file, Syntax::Json)?;
            let keys = ["_meta", "requires", "python_version"];
            return version::manifest(&document, &keys, "version.lock");
        }
        _ => return None,
    };
    let text = scan.repo.lock(&file)?;
    // Poetry says it at the end, after the same key of every package.
    let mut lines = text.lines().zip(1_u64..).filter_map(|(line, number)| {
        let value = line.strip_prefix(key)?.strip_suffix('"')?;
        Some((number, value.to_owned()))
    });
    let (line, text) = if project.manager == Manager::Poetry {
        lines.last()
    } else {
        lines.next()
    }?;
    Some(Source {
        text,
        file,
        line: Some(line),
        rule: "version.lock",
    })
}

/// The numbers of a version whose suffix asks for the build without a global lock: `3.14t`.
fn free_threaded(text: &str) -> Option<Vec<u64>> {
    let text = text.trim();
    let text = text
        .strip_prefix("python-")
        .or_else(|| text.strip_prefix("cpython-"))
        .unwrap_or(text);
    let numbers = text
        .strip_suffix('t')
        .or_else(|| text.strip_suffix("+freethreaded"))?;
    version::exact(numbers).ok()
}

fn choose_free_threaded(
    scan: &mut Scan<'_>,
    source: &Source,
    wanted: &[u64],
) -> Result<Interpreter, Unavailable> {
    let streams = scan.catalog.streams(&Pattern::new("python-", 2, "t"));
    let fits = |stream: &&Stream| {
        let length = wanted.len().min(stream.numbers.len());
        stream.numbers[..length] == wanted[..length]
    };
    let Some(stream) = streams.iter().rfind(fits) else {
        let known: Vec<String> = streams
            .iter()
            .map(|stream| format!("`{}`", stream.package))
            .collect();
        return Err(Unavailable {
            file: Some(source.file.clone()),
            line: source.line,
            message: format!("the free-threaded Python `{}` is not packaged", source.text),
            help: (!known.is_empty()).then(|| format!("packaged are {}", known.join(", "))),
        });
    };
    let newest = stream.newest.upstream();
    if wanted.len() > 2
        && !newest.starts_with(
            &wanted
                .iter()
                .map(u64::to_string)
                .collect::<Vec<_>>()
                .join("."),
        )
    {
        let message = format!(
            "Python `{}` is not packaged; `{}` {newest} of the same stream is used",
            source.text, stream.package
        );
        scan.warn(&source.file, source.line, message);
    }
    let numbers: Vec<String> = stream.numbers.iter().map(u64::to_string).collect();
    let evidence = Evidence::new("toolchain", &stream.package, source.rule)
        .at(&source.file, source.line)
        .written(source.text.clone())
        .note("the suffix asks for the build without a global lock");
    Ok(Interpreter {
        package: stream.package.clone(),
        numbers: numbers.join("."),
        evidence,
    })
}
