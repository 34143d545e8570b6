//! The SPDX documents that Wolfi's packages carry.

use std::collections::{BTreeMap, BTreeSet};

use packageurl::PackageUrl;
use serde::Deserialize;

use super::Checksum;
use super::field::is_download_location;

/// The largest document that is read, in bytes.
const LARGEST: usize = 8 << 20;
/// The most packages that one apk reaches: its recipe and its sources.
const MOST: usize = 100;
/// The longest text that is taken over, in bytes.
const LONGEST: usize = 1000;
/// The longest licence text that is taken over, in bytes.
const LONGEST_LICENSE: usize = 100_000;

/// What a package's own document says about it.
#[derive(Debug, Default)]
pub(super) struct Inner {
    /// The package itself.
    pub(super) described: Part,
    /// What it reaches: its recipe, its sources.
    pub(super) parts: Vec<Part>,
    /// How they hang together, as indexes into `parts`; `None` is the package itself.
    pub(super) relationships: Vec<(Option<usize>, &'static str, Option<usize>)>,
    /// The texts of licences that are not on SPDX's list.
    pub(super) texts: BTreeMap<String, String>,
}

/// A package of an inner document, cleaned.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: String,
    pub(super) download: Option<String>,
    pub(super) supplier: Option<String>,
    pub(super) originator: Option<String>,
    pub(super) checksums: Vec<Checksum>,
    pub(super) purls: Vec<String>,
    pub(super) cpes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDocument {
    #[serde(default)]
    spdx_version: String,
    #[serde(default)]
    document_describes: Vec<String>,
    #[serde(default)]
    packages: Vec<RawPackage>,
    #[serde(default)]
    relationships: Vec<RawRelationship>,
    #[serde(default)]
    has_extracted_licensing_infos: Vec<RawLicense>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPackage {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(default)]
    version_info: String,
    #[serde(default)]
    license_declared: String,
    #[serde(default)]
    download_location: String,
    #[serde(default)]
    supplier: String,
    #[serde(default)]
    originator: String,
    #[serde(default)]
    primary_package_purpose: String,
    #[serde(default)]
    checksums: Vec<RawChecksum>,
    #[serde(default)]
    external_refs: Vec<RawReference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawChecksum {
    algorithm: String,
    checksum_value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReference {
    reference_locator: String,
    reference_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRelationship {
    spdx_element_id: String,
    relationship_type: String,
    related_spdx_element: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLicense {
    license_id: String,
    #[serde(default)]
    extracted_text: String,
}

/// The relationships that lead from a package to what it was made of.
static FOLLOWED: &[&str] = &["CONTAINS", "DEPENDS_ON", "DESCRIBED_BY", "GENERATED_FROM"];

/// Reads the document of the apk `name` in `version`; the error says in a few words why it is of no use.
pub(super) fn parse(bytes: &[u8], name: &str, version: &str) -> Result<Inner, String> {
    if bytes.len() > LARGEST {
        return Err(format!("it has more than {LARGEST} bytes"));
    }
    let document: RawDocument = serde_json::from_slice(bytes).map_err(|error| {
        // The parser quotes what it finds.
        let error = error.to_string();
        let error: String = error.escape_debug().take(200).collect();
        format!("it does not parse: {error}")
    })?;
    if !document.spdx_version.starts_with("SPDX-2.") {
        return Err("it is not SPDX 2".to_owned());
    }
    let packages: BTreeMap<&str, &RawPackage> = document
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package))
        .collect();
    let is_it = |package: &&RawPackage| package.name == name && package.version_info == version;
    // Those that the document describes come first: its recipe may have the same name and version.
    let describes = document
        .relationships
        .iter()
        .filter(|edge| edge.relationship_type == "DESCRIBES")
        .map(|edge| &edge.related_spdx_element);
    let root = document
        .document_describes
        .iter()
        .chain(describes)
        .filter_map(|id| packages.get(id.as_str()).copied())
        .find(is_it)
        .or_else(|| document.packages.iter().find(is_it))
        .ok_or_else(|| "it does not describe the package".to_owned())?;
    let (reached, relationships) = reach(&root.id, &packages, &document.relationships)?;
    let texts = document.has_extracted_licensing_infos.into_iter();
    Ok(Inner {
        described: clean(root),
        parts: reached.iter().map(|id| clean(packages[id])).collect(),
        relationships,
        texts: texts
            .filter(|license| license.extracted_text.len() <= LONGEST_LICENSE)
            .filter(|license| !license.extracted_text.trim().is_empty())
            .map(|license| (license.license_id, license.extracted_text))
            .collect(),
    })
}

type Edge = (Option<usize>, &'static str, Option<usize>);

/// Walks from the described package to all that it reaches, nearest first.
fn reach<'d>(
    root: &'d str,
    packages: &BTreeMap<&'d str, &RawPackage>,
    relationships: &'d [RawRelationship],
) -> Result<(Vec<&'d str>, Vec<Edge>), String> {
    let mut edges: BTreeMap<&str, BTreeSet<(&'static str, &str)>> = BTreeMap::new();
    for edge in relationships {
        let kind = FOLLOWED
            .iter()
            .find(|kind| **kind == edge.relationship_type);
        if let Some(kind) = kind {
            let targets = edges.entry(&edge.spdx_element_id).or_default();
            targets.insert((kind, &edge.related_spdx_element));
        }
    }
    let mut reached: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    let mut next: usize = 0;
    let mut from = Some(root);
    while let Some(id) = from {
        let source = next.checked_sub(1);
        for (kind, target) in edges.get(id).into_iter().flatten() {
            let is_part = packages
                .get(target)
                .is_some_and(|package| package.primary_package_purpose != "OPERATING-SYSTEM");
            if !is_part {
                continue;
            }
            let at = if *target == root {
                None
            } else if let Some(at) = reached.iter().position(|known| known == target) {
                Some(at)
            } else {
                reached.push(target);
                Some(reached.len() - 1)
            };
            found.push((source, *kind, at));
        }
        if reached.len() > MOST {
            return Err(format!("it leads to more than {MOST} packages"));
        }
        from = reached.get(next).copied();
        next += 1;
    }
    Ok((reached, found))
}

fn clean(raw: &RawPackage) -> Part {
    let references = |kind: &str| {
        raw.external_refs
            .iter()
            .filter(move |reference| reference.reference_type == kind)
            .map(|reference| reference.reference_locator.as_str())
            .filter(|locator| locator.len() <= LONGEST)
            .take(20)
            .collect::<Vec<&str>>()
    };
    Part {
        name: text(&raw.name),
        version: text(&raw.version_info),
        license: raw.license_declared.clone(),
        download: is_download_location(&raw.download_location)
            .then(|| raw.download_location.clone()),
        supplier: actor(&raw.supplier),
        originator: actor(&raw.originator),
        checksums: raw
            .checksums
            .iter()
            .take(10)
            .filter_map(|sum| Checksum::new(&sum.algorithm, &sum.checksum_value))
            .collect(),
        purls: references("purl")
            .into_iter()
            .filter_map(|locator| locator.parse::<PackageUrl<'_>>().ok())
            .map(|purl| purl.to_string())
            .collect(),
        cpes: references("cpe23Type")
            .into_iter()
            .filter(|cpe| is_cpe(cpe))
            .map(str::to_owned)
            .collect(),
    }
}

/// One line of bounded length.
fn text(raw: &str) -> String {
    raw.chars()
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect()
}

/// `Organization: …` or `Person: …`.
fn actor(raw: &str) -> Option<String> {
    let (kind, name) = raw.split_once(": ")?;
    let is_actor = matches!(kind, "Organization" | "Person") && !name.trim().is_empty();
    (is_actor && !raw.contains(char::is_control) && raw.len() <= LONGEST).then(|| raw.to_owned())
}

/// Whether it is a CPE 2.3 name of the plain kind, whose language is not given.
fn is_cpe(cpe: &str) -> bool {
    let fields: Vec<&str> = cpe.split(':').collect();
    let ["cpe", "2.3", "a" | "o" | "h", rest @ ..] = fields.as_slice() else {
        return false;
    };
    let is_plain = |field: &&str| {
        matches!(*field, "*" | "-")
            || (!field.is_empty()
                && field
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)))
    };
    rest.len() == 10 && rest.iter().all(is_plain) && matches!(rest[5], "*" | "-")
}
