//! The build of a Ruby app: Bundler, and the assets of its framework.

use std::collections::BTreeSet;

use crate::detect::provider::{Draft, Problem, Scan, literal_glob, tree_glob};
use crate::detect::version::{self, Chosen};

use super::gemfile::Gemfile;
use super::{BUNDLE, LOOKS_LIKE, Project, native, requirement};

/// The command that keeps Bundler from refusing the release of Ruby that is packaged, where the Gemfile pins another one.
fn relax(
    scan: &mut Scan<'_>,
    project: &Project,
    chosen: &Chosen,
) -> Result<Option<String>, Problem> {
    let Some(gemfile) = &project.gemfile else {
        return Ok(None);
    };
    let packaged = chosen.stream.newest.upstream();
    let numbers = version::numbers(packaged);
    let (line, wanted) = match (&gemfile.ruby, gemfile.ruby_file) {
        (Some((text, line)), _) => match requirement::parse(text) {
            Ok(range) if !range.holds(&numbers) => (*line, text.clone()),
            _ => return Ok(None),
        },
        (None, Some(line)) => {
            let wanted = chosen.evidence.written.clone().unwrap_or_default();
            if wanted.trim_start_matches("ruby-") == packaged {
                return Ok(None);
            }
            (line, wanted)
        }
        (None, None) => return Ok(None),
    };
    let wanted_numbers = version::numbers(wanted.trim_start_matches(|c: char| !c.is_ascii_digit()));
    if !wanted_numbers.starts_with(&chosen.stream.numbers) {
        let message = format!(
            "asks for Ruby `{wanted}`, but {packaged} was chosen, and Bundler would refuse it"
        );
        return Err(Problem::new(&gemfile.file, Some(line), message)
            .help("let the Gemfile and the version file agree"));
    }
    let message = format!(
        "pins Ruby `{wanted}`; the build runs with {packaged}, and disables this line for it"
    );
    scan.warn(&gemfile.file, Some(line), message);
    let name = gemfile.file.rsplit('/').next().unwrap_or("Gemfile");
    Ok(Some(format!("sed -i '{line}s/^/# /' {name}")))
}

pub(super) fn build(
    scan: &mut Scan<'_>,
    project: &Project,
    chosen: &Chosen,
    native: &native::Native,
    draft: &mut Draft,
) -> Result<(), Problem> {
    if let Some(gemfile) = &project.gemfile {
        bundler(scan, project, gemfile, chosen, native, draft)?;
    }
    if let Some(assets) = super::super::node::assets(scan, &project.dir, LOOKS_LIKE)? {
        draft.with_assets(assets);
        if project.gem("jsbundling-rails").is_some() {
            // They are there already, and built.
            let env = &mut draft.spec.build.env;
            env.insert("SKIP_JS_BUILD".to_owned(), "1".to_owned());
            env.insert("SKIP_YARN_INSTALL".to_owned(), "1".to_owned());
        }
    }
    precompile(project, draft);
    if !project.dir.is_empty() {
        let build = &mut draft.spec.build;
        let own = tree_glob(&project.dir);
        let inside = own.trim_end_matches("**");
        let mut context: BTreeSet<String> = build.install.files.iter().cloned().collect();
        context.retain(|glob| !glob.starts_with(inside));
        context.insert(own.clone());
        build.context = context.into_iter().collect();
    }
    Ok(())
}

fn bundler(
    scan: &mut Scan<'_>,
    project: &Project,
    gemfile: &Gemfile,
    chosen: &Chosen,
    native: &native::Native,
    draft: &mut Draft,
) -> Result<(), Problem> {
    let ruby = &chosen.stream.package;
    let bundler = bundler_package(scan, chosen).ok_or_else(|| {
        Problem::new(
            &project.file,
            None,
            format!("Bundler is not packaged for `{ruby}`"),
        )
    })?;
    let relaxed = relax(scan, project, chosen)?;
    let build = &mut draft.spec.build;
    build.packages = vec![ruby.clone(), bundler];
    if project.has_gems() {
        let names = [
            format!("{ruby}-dev"),
            "build-base".to_owned(),
            "pkgconf".to_owned(),
        ];
        build
            .packages
            .extend(names.iter().filter_map(|name| scan.catalog.package(name)));
        build.packages.extend(native.build.iter().cloned());
    }
    let has_git = project.lock.as_ref().is_some_and(|lock| lock.has_git);
    if has_git || gemfile.gems.values().any(|gem| gem.is_git) {
        build.packages.extend(scan.catalog.package("git"));
    }
    build.packages.sort();
    build.packages.dedup();
    let mut files = vec![literal_glob(&gemfile.file)];
    let mut env = settings();
    match &project.lock {
        Some(lock) => {
            files.push(literal_glob(&lock.file));
            env.push(("BUNDLE_DEPLOYMENT", "1"));
        }
        None => {
            let message = "has no lock file: the build takes whatever versions are newest";
            scan.warn(&gemfile.file, None, message);
        }
    }
    let dir = scan.repo.dir(&project.dir);
    for name in [".ruby-version", ".tool-versions"] {
        files.extend(
            dir.filter(|dir| dir.has(name))
                .map(|dir| literal_glob(&dir.join(name))),
        );
    }
    files.extend(project.paths.iter().map(|dir| tree_glob(dir)));
    build.install.files = files;
    build.install.commands = relaxed.iter().cloned().collect();
    build.install.commands.push("bundle install".to_owned());
    // A place for programs that does not name the release of Ruby.
    build.install.commands.push(format!(
        "mkdir -p {BUNDLE} && cd {BUNDLE} && if [ -d ruby ]; then ln -sfn ruby/*/bin bin; fi"
    ));
    build.commands = relaxed.into_iter().collect();
    build.cache = vec!["/root/.bundle/cache".to_owned()];
    env.push(("BUNDLE_GLOBAL_GEM_CACHE", "true"));
    build.env.extend(owned(&env));
    Ok(())
}

/// Bundler's settings, at build and at run time; it is to be the packaged one, whatever wrote the lock file.
pub(super) fn settings() -> Vec<(&'static str, &'static str)> {
    vec![
        ("BUNDLE_PATH", BUNDLE),
        ("BUNDLE_VERSION", "system"),
        ("BUNDLE_WITHOUT", "development:test"),
    ]
}

pub(super) fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(super) fn bundler_package(scan: &Scan<'_>, chosen: &Chosen) -> Option<String> {
    let name = format!("ruby{}-bundler", chosen.stream.name);
    scan.catalog.has(&name).then_some(name)
}

/// The assets of Rails and Hanami, where a gem makes some.
fn precompile(project: &Project, draft: &mut Draft) {
    let pipeline = [
        "sprockets-rails",
        "propshaft",
        "sprockets",
        "vite_rails",
        "shakapacker",
    ]
    .iter()
    .find_map(|name| project.gem(name));
    let command = match (project.framework, &pipeline) {
        (Some("rails"), Some(_)) => {
            // Before 7.1 Rails knows of no dummy.
            let knows_dummy = project
                .locked("rails")
                .is_none_or(|version| version >= vec![7, 1]);
            let key = if knows_dummy {
                "SECRET_KEY_BASE_DUMMY"
            } else {
                "SECRET_KEY_BASE"
            };
            format!("{key}=1 RAILS_ENV=production bundle exec rails assets:precompile")
        }
        (Some("hanami"), _) if project.gem("hanami-assets").is_some() => {
            "HANAMI_ENV=production bundle exec hanami assets compile".to_owned()
        }
        _ => return,
    };
    if let Some(gem) = pipeline.or_else(|| project.gem("hanami-assets")) {
        let mut found = gem;
        "assets".clone_into(&mut found.field);
        found.value.clone_from(&command);
        "ruby.assets".clone_into(&mut found.rule);
        draft.evidence.push(found);
    }
    draft.spec.build.commands.push(command);
}
