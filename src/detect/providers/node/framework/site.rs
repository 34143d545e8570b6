//! Bundlers and site generators: what they leave only needs to be served.

use crate::detect::document::Syntax;
use crate::detect::explain::Evidence;
use crate::detect::provider::{Problem, Scan};
use crate::detect::repo::{join, resolve};

use super::super::Project;
use super::super::config::Config;
use super::super::steps;
use super::{Output, config, decisive, path};

/// Generators: package, framework, output, flag that names another, configuration and key that do.
struct Generator {
    package: &'static str,
    framework: &'static str,
    output: &'static str,
    flags: &'static [&'static str],
    setting: Option<(&'static str, &'static [&'static str])>,
}

const GENERATORS: &[Generator] = &[
    Generator {
        package: "@docusaurus/core",
        framework: "docusaurus",
        output: "build",
        flags: &["--out-dir"],
        setting: None,
    },
    Generator {
        package: "gatsby",
        framework: "gatsby",
        output: "public",
        flags: &[],
        setting: None,
    },
    Generator {
        package: "@11ty/eleventy",
        framework: "eleventy",
        output: "_site",
        flags: &["--output"],
        setting: None,
    },
    Generator {
        package: "@vue/cli-service",
        framework: "vue-cli",
        output: "dist",
        flags: &["--dest"],
        setting: Some(("vue.config", &["outputDir"])),
    },
    Generator {
        package: "react-scripts",
        framework: "create-react-app",
        output: "build",
        flags: &[],
        setting: None,
    },
];

/// The directory that a flag of the build script names, where it is written out.
fn flagged(project: &Project<'_>, names: &[&str]) -> Result<Option<String>, Problem> {
    let words = shlex::split(project.build_text()).unwrap_or_default();
    let found = words.iter().enumerate().find_map(|(at, word)| {
        let name = names.iter().find(|name| word.starts_with(**name))?;
        match word[name.len()..].strip_prefix('=') {
            Some(value) => Some(path(value)),
            None if word == name => words.get(at + 1).map(|value| path(value)),
            None => None,
        }
    });
    let Some(dir) = found else {
        return Ok(None);
    };
    if !dir.contains(['$', '`']) {
        return Ok(Some(dir));
    }
    let script = project.build_script();
    let file = project.package.script_file(script);
    let message = format!("`{}` is `{dir}`, which only a run would tell", names[0]);
    Err(
        Problem::new(file, project.package.script_line(script), message)
            .help("write the directory as it is"),
    )
}

/// The output of whichever generator or bundler the package is built with.
pub(super) fn output(
    scan: &mut Scan<'_>,
    project: &Project<'_>,
) -> Result<Option<Output>, Problem> {
    let generator = GENERATORS.iter().find(|generator| {
        super::uses(scan, project, generator.package) && !project.package.inherits
    });
    if let Some(generator) = generator {
        return generated(scan, project, generator).map(Some);
    }
    if let Some(output) = vitepress(scan, project)? {
        return Ok(Some(output));
    }
    vite(scan, project)
}

fn generated(
    scan: &Scan<'_>,
    project: &Project<'_>,
    generator: &Generator,
) -> Result<Output, Problem> {
    let rule = format!("node.{}", generator.framework);
    if let Some(dir) = flagged(project, generator.flags)? {
        return Ok(Output::files(Some(generator.framework), &dir, &rule).by_script(project));
    }
    if let Some((stem, keys)) = generator.setting
        && let Some(config) = config(scan, project, stem)
    {
        let setting = config.at(keys);
        decisive(&config, keys[keys.len() - 1], &setting)?;
        if let Some(text) = setting.text() {
            let output = Output::files(Some(generator.framework), &path(text), &rule);
            return Ok(output.at(&config.file, setting.line, keys[keys.len() - 1]));
        }
    }
    if generator.framework == "eleventy"
        && let Some((dir, file, line)) = eleventy(scan, project)
    {
        let output = Output::files(Some("eleventy"), &path(&dir), &rule);
        return Ok(output.at(&file, line, "output"));
    }
    if generator.framework == "create-react-app"
        && let Some(dir) = flagged(project, &["BUILD_PATH"])?
    {
        return Ok(Output::files(Some(generator.framework), &dir, &rule).by_script(project));
    }
    let output = Output::files(Some(generator.framework), generator.output, &rule);
    Ok(output.by_script(project))
}

/// The output directory that the configuration of Eleventy names.
fn eleventy(scan: &Scan<'_>, project: &Project<'_>) -> Option<(String, String, Option<u64>)> {
    for stem in ["eleventy.config", ".eleventy"] {
        let Some(config) = config(scan, project, stem) else {
            continue;
        };
        let setting = config.at(&["dir", "output"]);
        return Some((
            setting.text()?.to_owned(),
            config.file.clone(),
            setting.line,
        ));
    }
    None
}

fn vitepress(scan: &Scan<'_>, project: &Project<'_>) -> Result<Option<Output>, Problem> {
    if !project.package.has("vitepress") || !project.build_text().contains("vitepress build") {
        return Ok(None);
    }
    let root = project
        .build_text()
        .split_whitespace()
        .skip_while(|word| *word != "build")
        .nth(1)
        .filter(|word| !word.starts_with(['-', '&']))
        .map(path)
        .unwrap_or_default();
    if let Some(dir) = flagged(project, &["--outDir"])? {
        let output = Output::files(Some("vitepress"), &dir, "node.vitepress");
        return Ok(Some(output.by_script(project)));
    }
    let place = join(&project.package.dir, &join(&root, ".vitepress"));
    if let Some(config) = Config::read(scan, &place, "config") {
        let setting = config.at(&["outDir"]);
        decisive(&config, "outDir", &setting)?;
        if let Some(text) = setting.text() {
            let dir = resolve(&root, text).unwrap_or_else(|| path(text));
            let output = Output::files(Some("vitepress"), &dir, "node.vitepress");
            return Ok(Some(output.at(&config.file, setting.line, "outDir")));
        }
    }
    let dir = join(&root, ".vitepress/dist");
    let output = Output::files(Some("vitepress"), &dir, "node.vitepress");
    Ok(Some(output.by_script(project)))
}

/// A file and the line in it that decide a setting.
type Place = (String, Option<u64>);

/// What Vite writes, seen from the app's directory, with the configuration that says so.
fn vite_dir(scan: &Scan<'_>, project: &Project<'_>) -> Result<(String, Option<Place>), Problem> {
    if let Some(dir) = flagged(project, &["--outDir"])? {
        return Ok((dir, None));
    }
    let Some(config) = config(scan, project, "vite.config") else {
        return Ok(("dist".to_owned(), None));
    };
    let setting = config.at(&["build", "outDir"]);
    // A configuration that is put together elsewhere rarely moves the output.
    if setting.line.is_some() {
        decisive(&config, "build.outDir", &setting)?;
    }
    let root = config.at(&["root"]);
    let root = root.text().map(path).unwrap_or_default();
    let Some(text) = setting.text() else {
        return Ok((join(&root, "dist"), None));
    };
    let below = path(text);
    let dir = if below.starts_with("..") {
        let base = join(&project.package.dir, &root);
        match resolve(&base, &below) {
            Some(full) => join("/src", &full),
            None => below,
        }
    } else {
        join(&root, &below)
    };
    Ok((dir, Some((config.file.clone(), setting.line))))
}

fn vite(scan: &Scan<'_>, project: &Project<'_>) -> Result<Option<Output>, Problem> {
    let package = project.package;
    if !project.uses(scan, "vite", &["vite.config"]) {
        return Ok(None);
    }
    let root = config(scan, project, "vite.config")
        .and_then(|config| config.at(&["root"]).text().map(path))
        .unwrap_or_default();
    let page = join(&join(&package.dir, &root), "index.html");
    if !scan.repo.has(&page) {
        return Ok(None);
    }
    let (dir, said) = vite_dir(scan, project)?;
    let output = Output::files(Some("vite"), &dir, "node.vite");
    Ok(Some(match said {
        Some((file, line)) => output.at(&file, line, "outDir"),
        None => output.by_script(project),
    }))
}

/// The directory that a bundler writes for a server of the app's own.
pub(in super::super) fn out_dir(scan: &Scan<'_>, project: &Project<'_>) -> Option<String> {
    if !project.has_build() {
        return None;
    }
    let package = project.package;
    if package.has("@react-router/dev") || package.has("@remix-run/react") {
        return Some("build".to_owned());
    }
    if package.has("astro") {
        return Some("dist".to_owned());
    }
    let text = project.build_text();
    if package.has("vite") && text.contains("vite build") {
        let (dir, _) = vite_dir(scan, project).ok()?;
        // One that builds the client and the server apart writes to a directory below.
        let first = dir.split('/').next().unwrap_or_default().to_owned();
        return (!first.is_empty()).then_some(first);
    }
    GENERATORS
        .iter()
        .find(|generator| package.has(generator.package))
        .map(|generator| generator.output.to_owned())
}

/// An app of Expo that is exported for the web.
pub(super) fn expo(scan: &mut Scan<'_>, project: &Project<'_>) -> Result<Option<Output>, Problem> {
    let package = project.package;
    if !package.has("expo") || !package.has("react-native-web") || package.inherits {
        return Ok(None);
    }
    let file = join(&package.dir, "app.json");
    let (mode, file, line) = if let Some(document) = scan.document(&file, Syntax::Json) {
        let keys = ["expo", "web", "output"];
        (
            document.str(&keys).map(str::to_owned),
            file,
            document.line(&keys),
        )
    } else if let Some(config) = config(scan, project, "app.config") {
        let mut setting = config.at(&["web", "output"]);
        if setting.text().is_none() {
            setting = config.at(&["expo", "web", "output"]);
        }
        decisive(&config, "web.output", &setting)?;
        (
            setting.text().map(str::to_owned),
            config.file.clone(),
            setting.line,
        )
    } else {
        return Ok(None);
    };
    let written = mode.clone().unwrap_or_default();
    match mode.as_deref() {
        Some("static" | "single") => {}
        Some("server") => {
            let message = "Expo renders on a server, whose routes need a server of the app's own";
            return Err(
                Problem::new(&file, line, message).help("set `web.output` to `static` or `single`")
            );
        }
        _ => return Ok(None),
    }
    let mut output = Output::files(Some("expo"), "dist", "node.expo").at(&file, line, &written);
    if !project.build_text().contains("expo export") {
        let command = steps::exec(project, "expo export --platform web");
        output
            .evidence
            .push(Evidence::new("build", &command, "node.expo.export-default"));
        output.build = Some(vec![command]);
    }
    Ok(Some(output))
}
