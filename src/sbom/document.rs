//! The SPDX 2.3 document of an image.

use std::collections::{BTreeMap, BTreeSet};

use super::checksum::Checksum;
use super::field::{date, is_download_location, line, short_hash, without_user};
use super::image::{Apk, App, Image};
use super::inner::{self, Inner, Part};
use super::license::Licenses;
use super::purl::{Evidence, Library, purl};
use super::spdx::{
    CreationInfo, ExtractedLicense, NO_ASSERTION, Package, RawDocument, Relationship, as_go,
};
use crate::oci::Digest;

#[cfg(test)]
mod tests;

/// The largest document, in bytes: what BuildKit takes as an attestation.
const LARGEST: usize = 40 << 20;

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
