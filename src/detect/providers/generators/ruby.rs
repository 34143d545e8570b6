//! Jekyll, which Bundler installs.

use crate::detect::document::Syntax;
use crate::detect::explain::Evidence;
use crate::detect::provider::{Draft, Problem, Scan, literal_glob, unavailable};
use crate::detect::repo::Dir;
use crate::detect::source::{Family, Source};
use crate::detect::version::{self, Tool, Want};

use super::{SITE, Site, answer, documented, draft};

const TOOL: Tool = Tool {
    name: "Ruby",
    asdf: &["ruby"],
    prefix: "ruby-",
    numbers: 2,
    default: Some("ruby"),
    read: ruby,
};

fn ruby(source: &version::Source) -> Result<Want, String> {
    let text = source.text.trim();
    version::exact(text.strip_prefix("ruby-").unwrap_or(text)).map(Want::Prefix)
}

/// A Jekyll site.
pub(super) fn jekyll(scan: &mut Scan<'_>, dir: Dir<'_>) -> Site {
    // Hexo's configuration has the same name.
    if dir.has("package.json") && !dir.has("Gemfile") {
        return Site::Other;
    }
    let Some(name) = dir.first(&["_config.yml", "_config.yaml"]) else {
        return Site::Other;
    };
    let manifest = dir.join(name);
    let Some(document) = scan.document(&manifest, Syntax::Yaml) else {
        return Site::Other;
    };
    let gem = dir.text("Gemfile").ok().and_then(|text| gem(&text));
    let Some((line, gem)) = gem else {
        let is_site = ["_layouts", "_posts", "_includes"]
            .iter()
            .any(|name| dir.has_dir(name))
            || document.get(&["theme"]).is_some()
            || document.get(&["remote_theme"]).is_some();
        if !is_site {
            return Site::Other;
        }
        if let Some(project) = documented(scan, dir) {
            return Site::Not(format!(
                "it is the documentation of the project of `{project}`"
            ));
        }
        let draft = draft(scan, dir.path(), "jekyll", &manifest, "a Jekyll site");
        let message = "no `Gemfile` beside it names `jekyll`";
        let help = "add a `Gemfile` with `gem \"jekyll\"`, and its lock file";
        return Site::Refused(draft, Problem::new(&manifest, None, message).help(help));
    };
    let mut draft = draft(scan, dir.path(), "jekyll", &manifest, "a Jekyll site");
    draft.evidence.push(
        Evidence::new("install", &gem, "static.gemfile").at(&dir.join("Gemfile"), Some(line)),
    );
    let problem = install(scan, &mut draft, dir, &manifest);
    let command = format!("bundle exec jekyll build --destination {SITE}");
    draft.spec.build.commands.push(command);
    answer(scan, draft, &manifest, problem)
}

/// The gem that brings Jekyll.
fn gem(text: &str) -> Option<(u64, String)> {
    let source = Source::parse(text, Family::Ruby);
    source.all("gem").find_map(|at| {
        let name = source.string_at(at + "gem".len())?;
        matches!(name, "jekyll" | "github-pages").then(|| (source.line(at), name.to_owned()))
    })
}

fn install(
    scan: &mut Scan<'_>,
    draft: &mut Draft,
    dir: Dir<'_>,
    manifest: &str,
) -> Option<Problem> {
    let mut sources = scan.tool_versions(dir, &TOOL);
    sources.extend(version::version_files(dir, &[".ruby-version"]));
    let chosen = match scan.toolchain(&TOOL, &sources) {
        Ok(chosen) => chosen,
        Err(error) => return Some(unavailable(manifest, error)),
    };
    draft.evidence.push(chosen.evidence.clone());
    let stream = &chosen.stream;
    let names = [
        "build-base".to_owned(),
        stream.package.clone(),
        format!("{}-dev", stream.package),
        format!("ruby{}-bundler", stream.name),
    ];
    let mut problem = None;
    for name in names {
        match scan.catalog.package(&name) {
            Some(package) => draft.spec.build.packages.push(package),
            None => {
                let message = format!("the index has no package `{name}`");
                problem = problem.or(Some(Problem::new(manifest, None, message)));
            }
        }
    }
    let build = &mut draft.spec.build;
    for (name, value) in [
        ("BUNDLE_PATH", "/bundle"),
        ("JEKYLL_ENV", "production"),
        ("LANG", "C.UTF-8"),
    ] {
        build.env.insert(name.to_owned(), value.to_owned());
    }
    let lock = dir.join("Gemfile.lock");
    let mut files = vec![literal_glob(&dir.join("Gemfile"))];
    if scan.repo.has(&lock) {
        build
            .env
            .insert("BUNDLE_FROZEN".to_owned(), "true".to_owned());
        files.push(literal_glob(&lock));
    } else {
        let message = "has no `Gemfile.lock`: the build takes whatever versions are newest";
        scan.warn(&dir.join("Gemfile"), None, message);
    }
    // A gem specification beside it is read by the Gemfile.
    let specification = dir.files().iter().find(|name| name.ends_with(".gemspec"));
    let install = "bundle install".to_owned();
    if specification.is_some() {
        draft.spec.build.commands.push(install);
    } else {
        draft.spec.build.install.files = files;
        draft.spec.build.install.commands = vec![install];
    }
    problem
}
