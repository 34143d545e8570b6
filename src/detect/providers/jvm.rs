//! Java and Kotlin, built with Maven or Gradle.

mod build;
mod facts;
mod gradle;
pub(super) mod java;
mod maven;
mod pom;
mod project;
mod script;
mod settings;

use crate::detect::explain::Evidence;
use crate::detect::language::Language;
use crate::detect::provider::{Draft, Problem, Provider, Scan};
use crate::detect::repo::join;

use super::node;

pub(super) use facts::Sources;
pub(super) use project::JAVA;

pub(crate) struct Jvm;

const LANGUAGE: Language = Language {
    name: "Java, Kotlin",
    build_systems: &["gradle", "maven"],
    frameworks: &["ktor", "micronaut", "quarkus", "spring-boot"],
    manifests: &[
        "build.gradle",
        "build.gradle.kts",
        "pom.xml",
        "settings.gradle",
        "settings.gradle.kts",
    ],
};

impl Provider for Jvm {
    fn language(&self) -> &'static Language {
        &LANGUAGE
    }

    fn detect(&self, scan: &mut Scan<'_>) {
        maven::detect(scan);
        gradle::detect(scan);
    }
}

/// The front end beside a build is a part of its app.
fn with_front_end(scan: &mut Scan<'_>, draft: &mut Draft, what: &str) -> Result<(), Problem> {
    let path = draft.path.clone();
    if scan.repo.has(&join(&path, "package.json"))
        && let Some(assets) = node::assets(scan, &path, what)?
    {
        draft.with_assets(assets);
    }
    Ok(())
}

/// A build tool that fetches Node.js by itself, outside of any index.
fn warn_of_own_node(scan: &mut Scan<'_>, draft: &mut Draft, plugin: &str, file: &str, line: u64) {
    scan.tell(
        crate::detect::explain::Severity::Warning,
        file,
        Some(line),
        format!(
            "`{plugin}` downloads Node.js while it builds: no index vouches for that program"
        ),
        Some("build the front end with a package.json of its own, which peelbox gives Node.js from the index".to_owned()),
    );
    for library in ["libgcc", "libstdc++"] {
        if let Some(package) = scan.catalog.package(library) {
            draft.spec.build.packages.push(package);
        }
    }
    draft
        .evidence
        .push(Evidence::new("assets", plugin, "jvm.downloads-node").at(file, Some(line)));
}
