//! `peelbox packages`: questions to the package index.

use std::process::ExitCode;

use crate::wolfi::{Freshness, Index};

use super::args::Packages;
use super::environment::Environment;
use super::failure::{Exit, Failure, Problem};
use super::{index, inputs, print, target};

// What fits on a few screens; a search with more hits wants more words.
const MOST: usize = 200;

/// Answers.
pub(super) async fn run(
    question: &Packages,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let (_, architecture) = target::target()?;
    let packages = index::Origin::read(environment)?;
    let source = index::open(&packages, architecture, Freshness::Day).await?;
    source.warn();
    match question {
        Packages::Check { packages } => check(&source.index, packages),
        Packages::Search { words } => search(&source.index, words),
        Packages::Versions { package } => versions(&source.index, package),
    }
}

fn check(index: &Index, packages: &[String]) -> Result<ExitCode, Failure> {
    let mut found = String::new();
    let mut problems = Vec::new();
    for name in packages {
        match index.check(name) {
            Ok(package) => {
                found.push_str(&format!("{name}: {}-{}\n", package.name, package.version));
            }
            Err(error) => problems.push(inputs::unknown(Problem::new(error.to_string()), &error)),
        }
    }
    print(&found)?;
    if problems.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failure::several(Exit::Input, problems))
    }
}

fn search(index: &Index, words: &[String]) -> Result<ExitCode, Failure> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = index.search(&words);
    if found.is_empty() {
        return Err(
            Failure::input(format!("no package matches `{}`", words.join(" ")))
                .hint("try fewer or shorter words"),
        );
    }
    let mut lines: Vec<String> = found
        .iter()
        .take(MOST)
        .map(|package| {
            format!(
                "{} {} - {}\n",
                package.name, package.version, package.description
            )
        })
        .collect();
    if found.len() > MOST {
        lines.push(format!("and {} more\n", found.len() - MOST));
    }
    print(&lines.concat())
}

fn versions(index: &Index, name: &str) -> Result<ExitCode, Failure> {
    let lines: Vec<String> = index
        .packages(name)
        .map(|package| format!("{}\n", package.version))
        .collect();
    if lines.is_empty() {
        return match index.check(name) {
            // A name that is only provided has the versions of its providers.
            Ok(_) => {
                let providers: Vec<String> = index
                    .providers(name)
                    .map(|package| format!("{}-{}\n", package.name, package.version))
                    .collect();
                print(&providers.concat())
            }
            Err(error) => Err(Failure::several(
                Exit::Input,
                vec![inputs::unknown(Problem::new(error.to_string()), &error)],
            )),
        };
    }
    print(&lines.concat())
}
