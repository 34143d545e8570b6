//! The base image, as an archive that every Docker Engine loads.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use tar::{Archive, EntryType};

use crate::apk::{self, Key, Node, Tar};
use crate::make::{Made, write};
use crate::recipe::Recipe;
use crate::{Result, say};

const NAME: &str = "cgr.dev/chainguard/wolfi-base:latest";
const NONROOT: u64 = 65532;
const CREATED: &str = "2026-08-22T00:00:00Z";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin";
const REPOSITORIES: &str = "https://apk.cgr.dev/chainguard\n";

/// Writes `wolfi-base.tar`, if it would be another one.
pub(crate) fn image(
    out: &Path,
    recipes: &[Recipe],
    made: &BTreeMap<String, Made>,
    signer: &Key,
) -> Result<()> {
    let members: Vec<&Made> = recipes
        .iter()
        .filter(|recipe| recipe.base)
        .filter_map(|recipe| made.get(&recipe.name))
        .collect();
    let mut text = format!("4\n{}\n", apk::hex(&apk::sha256(signer.public_der())));
    for one in &members {
        text.push_str(&one.record);
    }
    let (archive, stamp) = (out.join("wolfi-base.tar"), out.join("state/.wolfi-base"));
    let key = apk::hex(&apk::sha256(text.as_bytes()));
    if archive.exists() && fs::read_to_string(&stamp).is_ok_and(|old| old == key) {
        return Ok(());
    }
    let mut tree = BTreeMap::new();
    for one in &members {
        add(
            &fs::read(out.join("repo/x86_64").join(&one.file))?,
            &mut tree,
        )?;
    }
    finish(&mut tree, &members)?;
    let mut layer = Tar::new();
    for (path, node) in &tree {
        layer.node(path, node)?;
        if path == "home" {
            layer.home("home/nonroot", 0o700, NONROOT);
        }
    }
    let bytes = oci(&layer.end())?;
    write(&archive, &bytes)?;
    fs::write(stamp, key)?;
    say(&format!(
        "base image: {} packages, {} bytes",
        members.len(),
        bytes.len()
    ));
    Ok(())
}

/// Lays the data of a package over the tree.
fn add(bytes: &[u8], tree: &mut BTreeMap<String, Node>) -> Result<()> {
    let mut archive = Archive::new(MultiGzDecoder::new(bytes));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry
            .path()?
            .to_str()
            .ok_or("a path is no UTF-8")?
            .to_owned();
        if path.starts_with('.') {
            continue;
        }
        let mode = entry.header().mode()?;
        let node = match entry.header().entry_type() {
            EntryType::Directory => Node::Directory { mode },
            EntryType::Symlink => {
                let target = entry.link_name()?.ok_or("a link has no text")?;
                Node::Link {
                    target: target.to_string_lossy().into_owned(),
                }
            }
            _ => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                Node::File {
                    mode,
                    content: apk::Content::Bytes(content),
                }
            }
        };
        // A directory that is there keeps the mode of the package that made it on purpose.
        if !(matches!(node, Node::Directory { mode: 0o755 }) && tree.contains_key(&path)) {
            tree.insert(path, node);
        }
    }
    Ok(())
}

/// What the builder of the real image adds: the account, repositories, applet links, the database.
fn finish(tree: &mut BTreeMap<String, Node>, members: &[&Made]) -> Result<()> {
    append(
        tree,
        "etc/passwd",
        "nonroot:x:65532:65532:Account created by apko:/home/nonroot:/bin/sh\n",
    )?;
    append(tree, "etc/group", "nonroot:x:65532:\n")?;
    append(tree, "etc/shadow", "nonroot:!::0:::::\n")?;
    let file = |text: &str| Node::File {
        mode: 0o644,
        content: apk::Content::Bytes(text.as_bytes().to_vec()),
    };
    tree.insert("etc/apk/repositories".to_owned(), file(REPOSITORIES));
    tree.insert("etc/apk/arch".to_owned(), file("x86_64\n"));
    tree.insert("etc/apk/world".to_owned(), file("wolfi-base\n"));
    let applets = match tree.get("etc/busybox-paths.d/busybox") {
        Some(Node::File { content, .. }) => String::from_utf8(content.read()?)?,
        _ => return Err("busybox does not list its applets".into()),
    };
    for applet in applets.lines() {
        let name = applet.rsplit('/').next().unwrap_or_default();
        let link = Node::Link {
            target: "/usr/bin/busybox".to_owned(),
        };
        tree.entry(format!("usr/bin/{name}")).or_insert(link);
    }
    let mut database = String::new();
    for one in members {
        database.push_str(&one.record);
        database.push('\n');
    }
    for directory in ["usr/lib/apk", "usr/lib/apk/db", "etc/apk"] {
        tree.entry(directory.to_owned())
            .or_insert(Node::Directory { mode: 0o755 });
    }
    tree.insert("usr/lib/apk/db/installed".to_owned(), file(&database));
    Ok(())
}

fn append(tree: &mut BTreeMap<String, Node>, path: &str, line: &str) -> Result<()> {
    match tree.get_mut(path) {
        Some(Node::File {
            content: apk::Content::Bytes(bytes),
            ..
        }) => {
            bytes.extend_from_slice(line.as_bytes());
            Ok(())
        }
        _ => Err(format!("no package has `{path}`").into()),
    }
}

/// One layer as an OCI layout that is a `docker save` archive too.
fn oci(layer: &[u8]) -> Result<Vec<u8>> {
    let blob = |bytes: &[u8]| apk::hex(&apk::sha256(bytes));
    let diff = blob(layer);
    let config = serde_json::to_vec(&json!({
        "architecture": "amd64",
        "os": "linux",
        "created": CREATED,
        "author": "peelbox test stand-in",
        "config": {
            "Env": [format!("PATH={PATH}"), "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
            "Cmd": ["/bin/sh", "-l"],
            "Labels": { "org.opencontainers.image.title": "test stand-in of wolfi-base" },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff}")] },
        "history": [{ "created": CREATED, "created_by": "peelbox test stand-in" }],
    }))?;
    let descriptor = |kind: &str, bytes: &[u8]| {
        json!({
            "mediaType": format!("application/vnd.oci.image.{kind}"),
            "digest": format!("sha256:{}", blob(bytes)),
            "size": bytes.len(),
        })
    };
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", &config),
        "layers": [descriptor("layer.v1.tar", layer)],
    }))?;
    let mut entry: Value = descriptor("manifest.v1+json", &manifest);
    entry["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    entry["annotations"] = json!({
        "io.containerd.image.name": NAME,
        "org.opencontainers.image.ref.name": "latest",
    });
    let index = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    }))?;
    let path = |bytes: &[u8]| format!("blobs/sha256/{}", blob(bytes));
    let legacy = serde_json::to_vec(&json!([{
        "Config": path(&config),
        "RepoTags": [NAME],
        "Layers": [path(layer)],
    }]))?;
    let mut tar = Tar::new();
    for folder in ["blobs", "blobs/sha256"] {
        tar.node(folder, &Node::Directory { mode: 0o755 })?;
    }
    for bytes in [layer, &config, &manifest] {
        tar.file(&path(bytes), 0o644, bytes);
    }
    tar.file("index.json", 0o644, &index);
    tar.file("manifest.json", 0o644, &legacy);
    tar.file("oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#);
    Ok(tar.end())
}
