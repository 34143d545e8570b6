//! What documents say of images, and that nobody's text can make them say else.

use super::super::{Ecosystem, System};
use super::*;
use crate::oci::Platform;

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
