//! The SPDX document of an image, from what it was assembled from.

use std::collections::BTreeMap;

use crate::image::Plan;
use crate::sbom::{self, Apk, App, Document, Image, Library};
use crate::wolfi::Closure;

use super::app::Options;
use super::base::System;
use super::failure::Cause;
use super::packages::VerifiedPackage;

const SUPPLIER: &str = "Wolfi";

/// Writes the document of the image of `plan`.
pub(super) fn document(
    plan: &Plan<'_>,
    options: &Options,
    system: &System,
    closure: &Closure<'_>,
    packages: &[VerifiedPackage<'_>],
    libraries: Vec<Library>,
) -> Result<Document, Cause> {
    let providers = providers(closure);
    let image = Image {
        name: plan.name.clone(),
        platform: plan.platform.clone(),
        created: options.epoch,
        system: (!system.id.is_empty()).then(|| sbom::System {
            id: system.id.clone(),
            version: system.version.clone(),
        }),
        apks: packages
            .iter()
            .map(|package| apk(package, &providers))
            .collect(),
        app: Some(App {
            name: plan.name.clone(),
            version: None,
            repository: options.origin.source.clone(),
            commit: options.origin.revision.clone(),
            files: plan.copies.iter().map(|copy| copy.to.clone()).collect(),
            libraries,
        }),
    };
    sbom::write(&image).map_err(|error| Cause::Sbom(error.to_string()))
}

/// Every name that the closure has or provides, with the package that has it.
fn providers<'a>(closure: &Closure<'a>) -> BTreeMap<&'a str, &'a str> {
    let mut providers = BTreeMap::new();
    for package in closure.packages() {
        for provide in &package.provides {
            providers
                .entry(provide.name.as_str())
                .or_insert(package.name.as_str());
        }
    }
    for package in closure.packages() {
        providers.insert(package.name.as_str(), package.name.as_str());
    }
    providers
}

fn apk<'a>(verified: &'a VerifiedPackage<'_>, providers: &BTreeMap<&str, &str>) -> Apk<'a> {
    let package = verified.package;
    let mut depends: Vec<String> = package
        .depends
        .iter()
        .filter(|atom| !atom.conflict)
        .filter_map(|atom| providers.get(atom.name.as_str()))
        .filter(|name| **name != package.name)
        .map(|name| (*name).to_owned())
        .collect();
    depends.sort();
    depends.dedup();
    Apk {
        name: package.name.clone(),
        version: package.version.to_string(),
        architecture: package.architecture.clone(),
        license: package.license.clone(),
        origin: package.origin.clone(),
        description: (!package.description.is_empty()).then(|| package.description.clone()),
        url: verified.url.clone(),
        sha256: Some(verified.pinned.sha256),
        identity: package.identity.to_string(),
        supplier: SUPPLIER.to_owned(),
        depends,
        inner: verified.pinned.sbom.as_deref(),
    }
}
