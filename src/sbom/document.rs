//! The SPDX 2.3 document of an image.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use serde::Serialize;

use super::inner::{self, Inner, Part};
use super::license::Licenses;
use super::purl::{Evidence, Library, purl};
use crate::oci::{Digest, Platform};

/// The largest document, in bytes: what BuildKit takes as an attestation.
const LARGEST: usize = 40 << 20;
const NO_ASSERTION: &str = "NOASSERTION";

/// An image and what is in it.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// Its name, such as the app's.
    pub name: String,
    /// What it runs on.
    pub platform: Platform,
    /// When it was made, in seconds since 1970: the source date epoch.
    pub created: i64,
    /// Its operating system.
    pub system: Option<System>,
    /// The apk packages that its root was assembled from.
    pub apks: Vec<Apk<'a>>,
    /// The app in it.
    pub app: Option<App>,
}

/// An operating system as its `os-release` names it.
#[derive(Clone, Debug)]
pub struct System {
    /// `ID`, such as `wolfi`.
    pub id: String,
    /// `VERSION_ID`.
    pub version: String,
}

/// An apk package.
#[derive(Clone, Debug, Default)]
pub struct Apk<'a> {
    /// Its name.
    pub name: String,
    /// Its version with release: `2.41-r3`.
    pub version: String,
    /// Its architecture in apk's words: `x86_64`, `aarch64`, `noarch`.
    pub architecture: String,
    /// Its licence as the index has it.
    pub license: String,
    /// The source package it was made from.
    pub origin: String,
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// Where its file comes from; user names and passwords in it are left out.
    pub url: String,
    /// The digest of its file.
    pub sha256: Option<Digest>,
    /// Its identity as the index has it: `Q1` and the SHA-1 of its control section in base64.
    pub identity: String,
    /// Who supplies it, such as `Wolfi`.
    pub supplier: String,
    /// The names of the packages of this image that it depends on.
    pub depends: Vec<String>,
    /// The SPDX document that it carries.
    pub inner: Option<&'a [u8]>,
}

/// The app of an image.
#[derive(Clone, Debug, Default)]
pub struct App {
    /// Its name.
    pub name: String,
    /// Its version, where it has one.
    pub version: Option<String>,
    /// The URL of the repository it was built from.
    pub repository: Option<String>,
    /// The commit it was built from.
    pub commit: Option<String>,
    /// Where it lies in the image: absolute paths of files and directories.
    pub files: Vec<String>,
    /// The libraries that are shipped with it.
    pub libraries: Vec<Library>,
}

/// A checksum in the words of SPDX.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Checksum {
    algorithm: &'static str,
    #[serde(rename = "checksumValue")]
    value: String,
}

impl Checksum {
    /// A checksum from its algorithm (`SHA1`, `SHA256`, `SHA384`, `SHA512`, `MD5`; case and hyphens do not
    /// matter) and its hex digits; `None` where they do not fit.
    #[must_use]
    pub fn new(algorithm: &str, hex: &str) -> Option<Self> {
        const ALGORITHMS: &[(&str, usize)] = &[
            ("MD5", 32),
            ("SHA1", 40),
            ("SHA256", 64),
            ("SHA384", 96),
            ("SHA512", 128),
        ];
        let name = algorithm.replace('-', "").to_ascii_uppercase();
        let (algorithm, length) = ALGORITHMS.iter().find(|(known, _)| *known == name)?;
        let is_hex = hex.len() == *length && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| Self {
            algorithm,
            value: hex.to_ascii_lowercase(),
        })
    }

    /// A checksum whose sum is given in base64, as in npm's `sha512-…` and apk's `Q1…`.
    pub(super) fn from_base64(algorithm: &str, base64: &str) -> Option<Self> {
        let bytes = base64::prelude::BASE64_STANDARD.decode(base64).ok()?;
        Self::new(algorithm, &hex(&bytes))
    }
}

/// A document and what could not be used for it.
#[derive(Clone, Debug)]
pub struct Document {
    /// SPDX 2.3 as compact JSON; the same image gives the same bytes.
    pub json: Vec<u8>,
    /// What is not as complete as it could be.
    pub warnings: Vec<Warning>,
}

/// An apk whose own document is of no use; it is listed with what the index says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SPDX document inside of `{package}` is not used: {reason}")]
pub struct Warning {
    /// The apk.
    pub package: String,
    /// What is wrong with its document.
    pub reason: String,
}

/// A document that BuildKit would not take as an attestation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SPDX document has {size} bytes, more than {LARGEST}")]
pub struct TooLarge {
    /// Its size in bytes.
    pub size: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RawDocument {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: CreationInfo,
    packages: Vec<Package>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<ExtractedLicense>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreationInfo {
    created: String,
    creators: Vec<String>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: String,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version_info: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    package_file_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    originator: Option<String>,
    download_location: String,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_package_purpose: Option<&'static str>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtractedLicense {
    license_id: String,
    extracted_text: String,
    name: String,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

impl Package {
    fn new(id: String, name: &str, version: &str) -> Self {
        Self {
            id,
            // A package must have a name.
            name: line(if name.trim().is_empty() {
                "unnamed"
            } else {
                name
            }),
            version_info: line(version),
            package_file_name: None,
            supplier: None,
            originator: None,
            download_location: NO_ASSERTION.to_owned(),
            files_analyzed: false,
            checksums: Vec::new(),
            source_info: None,
            license_concluded: NO_ASSERTION,
            license_declared: NO_ASSERTION.to_owned(),
            copyright_text: NO_ASSERTION,
            description: None,
            comment: None,
            external_refs: Vec::new(),
            primary_package_purpose: None,
        }
    }

    fn add_purl(&mut self, purl: Option<String>) {
        self.external_refs.extend(purl.map(|purl| Reference {
            reference_category: "PACKAGE-MANAGER",
            reference_type: "purl",
            reference_locator: purl,
        }));
    }

    fn add_cpe(&mut self, cpe: &str) {
        self.external_refs.push(Reference {
            reference_category: "SECURITY",
            reference_type: "cpe23Type",
            reference_locator: cpe.to_owned(),
        });
    }
}

/// Writes the document of `image`.
///
/// An inner document that is malformed, or is about something else, is left out with a warning.
///
/// # Errors
///
/// If the document would be larger than BuildKit takes.
pub fn write(image: &Image<'_>) -> Result<Document, TooLarge> {
    let mut writer = Writer::default();
    let root = writer.image(image);
    if let Some(system) = &image.system {
        let id = writer.id("OperatingSystem", &system.id, &system.version);
        let mut package = Package::new(id.clone(), &system.id, &system.version);
        package.primary_package_purpose = Some("OPERATING-SYSTEM");
        writer.packages.push(package);
        writer.relate(&root, "CONTAINS", &id);
    }
    writer.apks(&root, &image.apks);
    if let Some(app) = &image.app {
        writer.app(&root, app);
    }
    writer.finish(image)
}

/// A document in the making.
#[derive(Default)]
struct Writer {
    packages: Vec<Package>,
    parts: BTreeMap<String, Package>,
    ids: BTreeSet<String>,
    relationships: BTreeSet<Relationship>,
    licenses: Licenses,
    warnings: Vec<Warning>,
}

impl Writer {
    /// An id that no other package has.
    fn id(&mut self, kind: &str, name: &str, version: &str) -> String {
        let plain = |text: &str| -> String {
            text.chars()
                .take(150)
                .map(|c| match c {
                    c if c.is_ascii_alphanumeric() || c == '.' => c,
                    _ => '-',
                })
                .collect()
        };
        let mut id = format!("SPDXRef-{kind}-{}", plain(name));
        if !version.is_empty() {
            id = format!("{id}-{}", plain(version));
        }
        if !self.ids.insert(id.clone()) {
            id = format!(
                "{id}-{}",
                short_hash(format!("{name}\n{version}").as_bytes())
            );
            let first = id.clone();
            let mut count = 2;
            while !self.ids.insert(id.clone()) {
                id = format!("{first}-{count}");
                count += 1;
            }
        }
        id
    }

    fn relate(&mut self, from: &str, kind: &'static str, to: &str) {
        self.relationships.insert(Relationship {
            spdx_element_id: from.to_owned(),
            relationship_type: kind,
            related_spdx_element: to.to_owned(),
        });
    }

    fn image(&mut self, image: &Image<'_>) -> String {
        let id = self.id("Image", &image.name, "");
        let mut package = Package::new(id.clone(), &image.name, "");
        package.description = Some(format!("container image for {}", image.platform));
        package.primary_package_purpose = Some("CONTAINER");
        self.packages.push(package);
        self.relate("SPDXRef-DOCUMENT", "DESCRIBES", &id);
        id
    }

    fn apks(&mut self, root: &str, apks: &[Apk<'_>]) {
        let sorted: BTreeMap<(&str, &str), &Apk<'_>> = apks
            .iter()
            .map(|apk| ((apk.name.as_str(), apk.version.as_str()), apk))
            .collect();
        let mut ids: BTreeMap<&str, String> = BTreeMap::new();
        for apk in sorted.values() {
            let id = self.apk(apk);
            self.relate(root, "CONTAINS", &id);
            ids.insert(&apk.name, id);
        }
        for apk in sorted.values() {
            let needed = apk.depends.iter().filter(|name| **name != apk.name);
            for needed in needed.filter_map(|name| ids.get(name.as_str())) {
                self.relate(&ids[apk.name.as_str()], "DEPENDS_ON", needed);
            }
        }
    }

    fn apk(&mut self, apk: &Apk<'_>) -> String {
        let inner = self.parsed(apk);
        let id = self.id("Package-apk", &apk.name, &apk.version);
        let mut package = Package::new(id.clone(), &apk.name, &apk.version);
        let supplier = line(&apk.supplier);
        let supplier = (!supplier.is_empty()).then(|| format!("Organization: {supplier}"));
        package.originator = inner.described.originator.clone().or(supplier.clone());
        package.supplier = supplier.or(inner.described.supplier.clone());
        let url = without_user(&apk.url);
        package.package_file_name = url
            .rsplit('/')
            .next()
            .map(line)
            .filter(|name| !name.is_empty());
        if is_download_location(&url) {
            package.download_location = url;
        }
        package.checksums = checksums(apk);
        if !apk.origin.is_empty() {
            package.source_info = Some(format!(
                "built from the source package {}",
                line(&apk.origin)
            ));
        }
        package.description = apk.description.as_deref().map(line);
        // The index has the first licence only, the inner document all of them.
        let declared = match inner.described.license.trim() {
            "" | NO_ASSERTION => &apk.license,
            declared => declared,
        };
        package.license_declared = self.licenses.declare(declared, &inner.texts);
        let qualifiers = [("arch", apk.architecture.as_str()), ("distro", "wolfi")];
        package.add_purl(purl(
            "apk",
            Some("wolfi"),
            &apk.name,
            &apk.version,
            &qualifiers,
        ));
        inner
            .described
            .cpes
            .iter()
            .for_each(|cpe| package.add_cpe(cpe));
        self.packages.push(package);
        self.inner(&id, &inner);
        id
    }

    /// What the apk's own document says; nothing where it has none or a bad one.
    fn parsed(&mut self, apk: &Apk<'_>) -> Inner {
        let parsed = apk
            .inner
            .map(|bytes| inner::parse(bytes, &apk.name, &apk.version));
        parsed
            .unwrap_or_else(|| Ok(Inner::default()))
            .unwrap_or_else(|reason| {
                let package = apk.name.clone();
                self.warnings.push(Warning { package, reason });
                Inner::default()
            })
    }

    /// Adds what an apk was made of; equal packages of several apks become one.
    fn inner(&mut self, apk: &str, inner: &Inner) {
        let ids: Vec<String> = inner
            .parts
            .iter()
            .map(|part| {
                let license = self.licenses.declare(&part.license, &inner.texts);
                let mut package = source(part, license);
                let content = serde_json::to_vec(&package).unwrap_or_default();
                let name: String = part
                    .name
                    .chars()
                    .take(100)
                    .map(|c| {
                        if c.is_ascii_alphanumeric() || c == '.' {
                            c
                        } else {
                            '-'
                        }
                    })
                    .collect();
                package.id = format!("SPDXRef-Source-{name}-{}", short_hash(&content));
                let id = package.id.clone();
                self.parts.insert(id.clone(), package);
                id
            })
            .collect();
        let name = |at: Option<usize>| at.map_or(apk, |at| ids[at].as_str()).to_owned();
        for (from, kind, to) in &inner.relationships {
            self.relate(&name(*from), kind, &name(*to));
        }
    }

    fn app(&mut self, root: &str, app: &App) {
        let version = app
            .version
            .as_deref()
            .or(app.commit.as_deref())
            .unwrap_or("");
        let id = self.id("App", &app.name, version);
        let mut package = Package::new(id.clone(), &app.name, version);
        package.primary_package_purpose = Some("APPLICATION");
        let repository = app.repository.as_deref().map(without_user);
        if let Some(commit) = &app.commit {
            let from = repository
                .as_deref()
                .map(|url| format!(" of {}", line(url)));
            let from = from.unwrap_or_default();
            package.source_info = Some(format!("built from commit {}{from}", line(commit)));
        }
        if let (Some(url), Some(commit)) = (&repository, &app.commit) {
            let location = format!("git+{url}@{commit}");
            if is_download_location(&location) {
                package.download_location = location;
            }
        }
        if !app.files.is_empty() {
            let files: BTreeSet<&str> = app.files.iter().map(String::as_str).collect();
            let files: Vec<String> = files.into_iter().take(1000).map(line).collect();
            package.comment = Some(format!("in the image at {}", files.join(", ")));
        }
        package.add_purl(purl("generic", None, &app.name, version, &[]));
        self.packages.push(package);
        self.relate(root, "CONTAINS", &id);
        let libraries: BTreeSet<&Library> = app.libraries.iter().collect();
        for library in libraries {
            let is_locked = matches!(library.evidence, Some(Evidence::Locked(_)));
            let kind = if is_locked { "DEPENDS_ON" } else { "CONTAINS" };
            let library = self.library(library);
            self.relate(&id, kind, &library);
        }
    }

    fn library(&mut self, library: &Library) -> String {
        let kind = format!("Package-{}", library.ecosystem.name());
        let id = self.id(&kind, &library.name, &library.version);
        let mut package = Package::new(id.clone(), &library.name, &library.version);
        package.checksums.clone_from(&library.checksums);
        let source = library.source.as_deref().map(without_user);
        if let Some(source) = source.filter(|source| is_download_location(source)) {
            package.download_location = source;
        }
        if let Some(license) = &library.license {
            package.license_declared = self.licenses.declare(license, &BTreeMap::new());
        }
        package.add_purl(library.purl());
        let evidence = library.evidence.as_ref();
        package.comment = evidence.map(|evidence| line(&evidence.to_string()));
        package.primary_package_purpose = Some("LIBRARY");
        self.packages.push(package);
        id
    }

    fn finish(self, image: &Image<'_>) -> Result<Document, TooLarge> {
        let extracted = self.licenses.into_extracted().into_iter();
        let mut packages = self.packages;
        packages.extend(self.parts.into_values());
        let mut document = RawDocument {
            spdx_version: "SPDX-2.3",
            data_license: "CC0-1.0",
            id: "SPDXRef-DOCUMENT",
            name: line(&image.name),
            document_namespace: String::new(),
            creation_info: CreationInfo {
                created: date(image.created),
                creators: vec![format!("Tool: peelbox-{}", env!("CARGO_PKG_VERSION"))],
            },
            packages,
            has_extracted_licensing_infos: extracted
                .map(|(license_id, extracted)| ExtractedLicense {
                    license_id,
                    extracted_text: extracted.text,
                    name: extracted.name,
                })
                .collect(),
            relationships: self.relationships.into_iter().collect(),
        };
        // Every key is a string, so there is nothing that JSON cannot hold.
        let content = serde_json::to_vec(&document).unwrap_or_default();
        document.document_namespace = format!(
            "https://spdx.org/spdxdocs/peelbox/{}",
            Digest::of(&content).hex()
        );
        let json = as_go(&serde_json::to_string(&document).unwrap_or_default());
        if json.len() > LARGEST {
            return Err(TooLarge { size: json.len() });
        }
        Ok(Document {
            json,
            warnings: self.warnings,
        })
    }
}

fn checksums(apk: &Apk<'_>) -> Vec<Checksum> {
    let sum = apk
        .sha256
        .and_then(|sum| Checksum::new("SHA256", &sum.hex()));
    let identity = apk.identity.strip_prefix("Q1");
    let identity = identity.and_then(|sum| Checksum::from_base64("SHA1", sum));
    identity.into_iter().chain(sum).collect()
}

/// Escapes what Go's encoder escapes, so that the document in an attestation, which BuildKit encodes again, keeps its bytes.
///
/// These characters stand only inside of strings. See <https://pkg.go.dev/encoding/json#HTMLEscape>.
fn as_go(json: &str) -> Vec<u8> {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '&' => escaped.push_str("\\u0026"),
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            c => escaped.push(c),
        }
    }
    escaped.into_bytes()
}

/// A recipe or a source that an apk was made from; its id is made from the rest.
fn source(part: &Part, license: String) -> Package {
    let mut package = Package::new(String::new(), &part.name, &part.version);
    package.supplier.clone_from(&part.supplier);
    package.originator.clone_from(&part.originator);
    if let Some(download) = &part.download {
        package.download_location = without_user(download);
    }
    package.checksums.clone_from(&part.checksums);
    package.license_declared = license;
    for purl in &part.purls {
        package.add_purl(Some(purl.clone()));
    }
    part.cpes.iter().for_each(|cpe| package.add_cpe(cpe));
    package.primary_package_purpose = Some("SOURCE");
    package
}

/// Seconds since 1970 as SPDX writes a date; one that no calendar has is the first of them.
fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

/// Twelve hex digits that stand for `bytes`.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    let mut hex = Digest::of(bytes).hex();
    hex.truncate(12);
    hex
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One line of bounded length.
fn line(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(1000)
        .collect()
}

/// A URL without user, password, query and fragment: tokens are found in all of them.
fn without_user(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// Whether SPDX takes `text` as a download location: an HTTP URL, or one of git over it, whose host is a domain name.
///
/// See <https://spdx.github.io/spdx-spec/v2.3/package-information/#77-package-download-location-field>; addresses
/// and bare host names are refused by the validators in use.
pub(super) fn is_download_location(text: &str) -> bool {
    let plain = text.strip_prefix("git+").unwrap_or(text);
    let Some(rest) = plain
        .strip_prefix("https://")
        .or(plain.strip_prefix("http://"))
    else {
        return false;
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "1"));
    let labels: Vec<&str> = host.split(['.', '-']).collect();
    let is_label =
        |label: &&str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let top = host.rsplit_once('.').map_or("", |(_, top)| top);
    text.len() <= 2000
        && labels.len() <= 100
        && labels.iter().all(is_label)
        && top.len() >= 2
        && (top.len() <= 5 || plain.len() == text.len())
        && top.bytes().all(|byte| byte.is_ascii_alphabetic())
        && port.parse::<u16>().is_ok()
        && path.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
