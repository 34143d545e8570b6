//! SPDX documents, read back.

use serde::Deserialize;

/// The largest document that is read, in bytes: what BuildKit takes as an attestation.
const LARGEST: usize = 40 << 20;

/// A package of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its version; empty where none is given.
    pub version: String,
    /// Its purl; the image and the operating system have none.
    pub purl: Option<String>,
    /// The licence it declares, where that is known.
    pub license: Option<String>,
}

/// A text that is no SPDX 2 document in JSON.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is larger than any document of ours.
    #[error("the SPDX document has more than {LARGEST} bytes")]
    TooLarge,
    /// It is not JSON or lacks what a document has.
    #[error("the SPDX document does not parse")]
    Json(#[from] serde_json::Error),
    /// It is of another version.
    #[error("{0:?} is not SPDX 2")]
    Version(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: String,
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    name: String,
    #[serde(default)]
    version_info: String,
    #[serde(default)]
    license_declared: Option<String>,
    #[serde(default)]
    external_refs: Vec<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    reference_type: String,
    reference_locator: String,
}

/// Lists the packages of an SPDX 2 document in JSON, sorted.
///
/// # Errors
///
/// If `bytes` are no such document.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, ReadError> {
    if bytes.len() > LARGEST {
        return Err(ReadError::TooLarge);
    }
    let document: Document = serde_json::from_slice(bytes)?;
    if !document.spdx_version.starts_with("SPDX-2.") {
        return Err(ReadError::Version(document.spdx_version));
    }
    let entry = |package: Package| Entry {
        name: package.name,
        version: package.version_info,
        purl: package
            .external_refs
            .into_iter()
            .find(|reference| reference.reference_type == "purl")
            .map(|reference| reference.reference_locator),
        license: package
            .license_declared
            .filter(|license| license != "NOASSERTION"),
    };
    let mut entries: Vec<Entry> = document.packages.into_iter().map(entry).collect();
    entries.sort();
    Ok(entries)
}
