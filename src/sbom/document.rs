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
mod tests {
    use super::super::Ecosystem;
    use super::*;

    const INNER: &str = r#"{"SPDXID":"SPDXRef-DOCUMENT","spdxVersion":"SPDX-2.3","documentDescribes":["SPDXRef-Package-a"],
        "packages":[
          {"SPDXID":"SPDXRef-Package-a","name":"a","versionInfo":"1-r0","licenseDeclared":"MIT AND LicenseRef-own","originator":"Organization: Wolfi"},
          {"SPDXID":"SPDXRef-recipe","name":"a.yaml","versionInfo":"c0ffee","licenseDeclared":"Apache-2.0","externalRefs":[
            {"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:github/wolfi-dev/os@c0ffee#a.yaml"}]},
          {"SPDXID":"SPDXRef-source","name":"a","versionInfo":"1","externalRefs":[
            {"referenceType":"purl","referenceLocator":"no purl"}]},
          {"SPDXID":"SPDXRef-os","name":"wolfi","primaryPackagePurpose":"OPERATING-SYSTEM"},
          {"SPDXID":"SPDXRef-loose","name":"loose"}],
        "files":[{"SPDXID":"SPDXRef-File"}],
        "hasExtractedLicensingInfos":[{"licenseId":"LicenseRef-own","extractedText":"do as you like"}],
        "relationships":[
          {"spdxElementId":"SPDXRef-Package-a","relationshipType":"DESCRIBED_BY","relatedSpdxElement":"SPDXRef-recipe"},
          {"spdxElementId":"SPDXRef-recipe","relationshipType":"GENERATED_FROM","relatedSpdxElement":"SPDXRef-source"},
          {"spdxElementId":"SPDXRef-source","relationshipType":"CONTAINS","relatedSpdxElement":"SPDXRef-Package-a"},
          {"spdxElementId":"SPDXRef-Package-a","relationshipType":"CONTAINS","relatedSpdxElement":"SPDXRef-File"},
          {"spdxElementId":"SPDXRef-Package-a","relationshipType":"CONTAINS","relatedSpdxElement":"SPDXRef-os"}]}"#;

    fn apk(name: &str) -> Apk<'static> {
        Apk {
            name: name.to_owned(),
            version: "1-r0".to_owned(),
            architecture: "x86_64".to_owned(),
            license: "MIT".to_owned(),
            origin: "a".to_owned(),
            url: format!(
                "https://user:secret@packages.wolfi.dev/os/x86_64/{name}-1-r0.apk?token=secret"
            ),
            sha256: Some(Digest::of(name.as_bytes())),
            identity: "Q1eVpkasfqZAukAXFYbgwt4xAMZWU=".to_owned(),
            supplier: "Wolfi".to_owned(),
            ..Apk::default()
        }
    }

    fn image(apks: Vec<Apk<'_>>) -> Image<'_> {
        Image {
            name: "web".to_owned(),
            platform: Platform::linux("amd64"),
            created: 1_700_000_000,
            system: Some(System {
                id: "wolfi".to_owned(),
                version: "20230201".to_owned(),
            }),
            apks,
            app: None,
        }
    }

    fn json(image: &Image<'_>) -> serde_json::Value {
        serde_json::from_slice(&write(image).unwrap().json).unwrap()
    }

    fn names(document: &[u8]) -> Vec<String> {
        let document: serde_json::Value = serde_json::from_slice(document).unwrap();
        let packages = document["packages"].as_array().unwrap();
        packages
            .iter()
            .map(|package| package["name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn an_apk_is_listed_with_purl_and_checksums_and_without_secrets() {
        let document = json(&image(vec![apk("a")]));
        assert_eq!(document["creationInfo"]["created"], "2023-11-14T22:13:20Z");
        insta::assert_snapshot!(serde_json::to_string_pretty(&document["packages"][2]).unwrap(), @r#"
        {
          "SPDXID": "SPDXRef-Package-apk-a-1-r0",
          "name": "a",
          "versionInfo": "1-r0",
          "packageFileName": "a-1-r0.apk",
          "supplier": "Organization: Wolfi",
          "originator": "Organization: Wolfi",
          "downloadLocation": "https://packages.wolfi.dev/os/x86_64/a-1-r0.apk",
          "filesAnalyzed": false,
          "checksums": [
            {
              "algorithm": "SHA1",
              "checksumValue": "795a646ac7ea640ba40171586e0c2de3100c6565"
            },
            {
              "algorithm": "SHA256",
              "checksumValue": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
            }
          ],
          "sourceInfo": "built from the source package a",
          "licenseConcluded": "NOASSERTION",
          "licenseDeclared": "MIT",
          "copyrightText": "NOASSERTION",
          "externalRefs": [
            {
              "referenceCategory": "PACKAGE-MANAGER",
              "referenceType": "purl",
              "referenceLocator": "pkg:apk/wolfi/a@1-r0?arch=x86_64&distro=wolfi"
            }
          ]
        }
        "#);
        assert!(!document.to_string().contains("secret"));
    }

    #[test]
    fn an_inner_document_gives_licenses_recipe_and_source() {
        let mut a = apk("a");
        a.inner = Some(INNER.as_bytes());
        let document = json(&image(vec![a]));
        let edges: Vec<String> = document["relationships"]
            .as_array()
            .unwrap()
            .iter()
            .map(|edge| {
                format!(
                    "{} {} {}",
                    edge["spdxElementId"], edge["relationshipType"], edge["relatedSpdxElement"]
                )
                .replace('"', "")
            })
            .collect();
        insta::assert_snapshot!(edges.join("\n"), @r#"
        SPDXRef-DOCUMENT DESCRIBES SPDXRef-Image-web
        SPDXRef-Image-web CONTAINS SPDXRef-OperatingSystem-wolfi-20230201
        SPDXRef-Image-web CONTAINS SPDXRef-Package-apk-a-1-r0
        SPDXRef-Package-apk-a-1-r0 DESCRIBED_BY SPDXRef-Source-a.yaml-cc7fb6566067
        SPDXRef-Source-a-9e4a6d1d7e41 CONTAINS SPDXRef-Package-apk-a-1-r0
        SPDXRef-Source-a.yaml-cc7fb6566067 GENERATED_FROM SPDXRef-Source-a-9e4a6d1d7e41
        "#);
        assert_eq!(
            document["packages"][2]["licenseDeclared"],
            "MIT AND LicenseRef-own"
        );
        assert_eq!(
            document["hasExtractedLicensingInfos"][0]["extractedText"],
            "do as you like"
        );
        let names: Vec<String> = document["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|package| package["name"].to_string())
            .collect();
        assert_eq!(
            names,
            ["\"web\"", "\"wolfi\"", "\"a\"", "\"a\"", "\"a.yaml\""]
        );
    }

    #[test]
    fn equal_sources_of_two_packages_are_one() {
        let inner = INNER.replace(
            "\"name\":\"a\",\"versionInfo\":\"1-r0\"",
            "\"name\":\"b\",\"versionInfo\":\"1-r0\"",
        );
        let (mut a, mut b) = (apk("a"), apk("b"));
        a.inner = Some(INNER.as_bytes());
        b.inner = Some(inner.as_bytes());
        let document = json(&image(vec![b, a]));
        assert_eq!(document["packages"].as_array().unwrap().len(), 2 + 2 + 2);
    }

    #[test]
    fn a_hostile_inner_document_leaves_the_entry_of_the_index() {
        let bomb = "[".repeat(1 << 20);
        let many: Vec<String> = (0..200)
            .map(|at| format!("{{\"SPDXID\":\"p{at}\",\"name\":\"x\"}}"))
            .collect();
        let edges: Vec<String> = (0..200).map(|at| format!("{{\"spdxElementId\":\"r\",\"relationshipType\":\"CONTAINS\",\"relatedSpdxElement\":\"p{at}\"}}")).collect();
        let many = format!(
            "{{\"spdxVersion\":\"SPDX-2.3\",\"packages\":[{{\"SPDXID\":\"r\",\"name\":\"a\",\"versionInfo\":\"1-r0\"}},{}],\"relationships\":[{}]}}",
            many.join(","),
            edges.join(",")
        );
        for (inner, expected) in [
            (
                "",
                "it does not parse: EOF while parsing a value at line 1 column 0",
            ),
            (
                bomb.as_str(),
                "it does not parse: invalid type: sequence, expected a string at line 1 column 1",
            ),
            ("{}", "it is not SPDX 2"),
            (
                &INNER.replace("1-r0", "2-r0"),
                "it does not describe the package",
            ),
            (&many, "it leads to more than 100 packages"),
        ] {
            let mut a = apk("a");
            a.inner = Some(inner.as_bytes());
            let document = write(&image(vec![a])).unwrap();
            let reason = &document.warnings[0].reason;
            assert!(
                reason == expected
                    || expected.starts_with("it does not parse")
                        && reason.starts_with("it does not parse"),
                "{reason}"
            );
            assert_eq!(document.warnings[0].package, "a");
            assert!(names(&document.json).contains(&"a".to_owned()));
        }
    }

    #[test]
    fn order_and_repetition_do_not_change_the_bytes() {
        let (mut a, b) = (apk("a"), apk("b"));
        a.depends = vec!["b".to_owned(), "gone".to_owned(), "a".to_owned()];
        let one = write(&image(vec![a.clone(), b.clone()])).unwrap().json;
        let two = write(&image(vec![b, a.clone(), a])).unwrap().json;
        assert_eq!(one, two);
        let text = String::from_utf8(one).unwrap();
        assert_eq!(text.matches("DEPENDS_ON").count(), 1);
    }

    #[test]
    fn the_bytes_survive_the_encoder_of_go() {
        let mut a = apk("a");
        a.description = Some("<b> & \u{2028}\u{2029}".to_owned());
        let json = String::from_utf8(write(&image(vec![a])).unwrap().json).unwrap();
        assert!(
            json.contains(r#""\u003cb\u003e \u0026 \u2028\u2029""#),
            "{json}"
        );
        assert!(json.contains(r"arch=x86_64\u0026distro=wolfi"));
    }

    #[test]
    fn another_content_is_another_namespace() {
        let namespace = |image: &Image<'_>| json(image)["documentNamespace"].to_string();
        let one = image(vec![apk("a")]);
        let mut two = one.clone();
        two.created += 1;
        assert_ne!(namespace(&one), namespace(&two));
    }

    #[test]
    fn names_that_sanitise_alike_keep_ids_of_their_own() {
        let mut image = image(vec![]);
        let names = ["@a/b", "-a-b", "a\nb", "a b", "\u{1b}[31m", "", "é"];
        let library = |name: &&str| Library::new(Ecosystem::Npm, name, "1");
        image.app = Some(App {
            name: "web".to_owned(),
            libraries: names.iter().map(library).collect(),
            ..App::default()
        });
        let document = json(&image);
        let ids: BTreeSet<String> = document["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|package| package["SPDXID"].to_string())
            .collect();
        assert_eq!(ids.len(), 3 + names.len());
    }

    #[test]
    fn only_urls_that_validators_take_are_download_locations() {
        for (url, expected) in [
            ("https://packages.wolfi.dev/os/x.apk", true),
            ("https://example.com:8443/x", true),
            ("git+https://github.com/a/b@c0ffee", true),
            ("https://files.example/x", true),
            ("http://127.0.0.1:8000/x.apk", false),
            ("http://localhost/x", false),
            ("file:///etc/passwd", false),
            ("https://a..b.com/", false),
            ("https://a.com/ x", false),
            ("", false),
        ] {
            assert_eq!(is_download_location(url), expected, "{url}");
        }
    }

    #[test]
    fn what_was_seen_is_contained_and_what_is_only_locked_is_depended_on() {
        let mut image = image(vec![]);
        let library = |name: &str| Library::new(Ecosystem::Npm, name, "1");
        image.app = Some(App {
            name: "web".to_owned(),
            libraries: vec![
                library("a").with(Evidence::Seen("/app/a\n".to_owned())),
                library("b").with(Evidence::Linked("cargo tree")),
                library("c").with(Evidence::Locked("yarn.lock".to_owned())),
            ],
            ..App::default()
        });
        let document = json(&image);
        let edges = document["relationships"].as_array().unwrap().iter();
        let of = |id: &str| {
            let mut edges = edges.clone();
            let edge = edges.find(|edge| edge["relatedSpdxElement"] == id).unwrap();
            edge["relationshipType"].as_str().unwrap().to_owned()
        };
        let told: Vec<String> = document["packages"].as_array().unwrap()[3..]
            .iter()
            .map(|package| {
                let kind = of(package["SPDXID"].as_str().unwrap());
                format!("{kind}: {}", package["comment"].as_str().unwrap())
            })
            .collect();
        assert_eq!(
            told,
            [
                "CONTAINS: read from the shipped file /app/a",
                "CONTAINS: linked into a shipped program, as `cargo tree` told in its build",
                "DEPENDS_ON: from the lock file yarn.lock; not seen in the image",
            ]
        );
    }

    #[test]
    fn apps_libraries_and_packages_have_purls() {
        let mut image = image(vec![apk("a")]);
        image.app = Some(App {
            name: "web".to_owned(),
            version: Some("1.2.3".to_owned()),
            libraries: vec![Library::new(Ecosystem::Npm, "@x/y", "2.0.0")],
            ..App::default()
        });
        let document = json(&image);
        let packages = document["packages"].as_array().unwrap();
        let mut purls: Vec<&str> = packages
            .iter()
            .filter_map(|package| package["externalRefs"][0]["referenceLocator"].as_str())
            .collect();
        purls.sort_unstable();
        assert_eq!(
            purls,
            [
                "pkg:apk/wolfi/a@1-r0?arch=x86_64&distro=wolfi",
                "pkg:generic/web@1.2.3",
                "pkg:npm/%40x/y@2.0.0"
            ]
        );
    }
}
