//! Caches of build steps outside of the daemon: nothing that goes wrong with them fails a build.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::buildkit::{CANCELED, Cache, Directory, Error, StatusResponse};
use crate::oci::{Descriptor, Digest};

/// Where the results of an app's steps come from and go to.
#[derive(Clone, Debug, Default)]
pub struct Caches {
    /// Where the daemon looks for results.
    pub imports: Vec<Place>,
    /// Where the daemon writes results.
    pub exports: Vec<Place>,
}

/// One cache.
#[derive(Clone, Debug)]
pub struct Place {
    /// What the daemon is told of it.
    pub cache: Cache,
    /// The directory of a local cache.
    pub local: Option<Local>,
}

/// A local cache, which this side of the session holds.
#[derive(Clone, Debug)]
pub struct Local {
    /// Its directory.
    pub directory: Arc<Directory>,
    /// Its name there.
    pub name: Name,
}

/// What is taken from a local cache, or what it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// What has this tag.
    Tag(String),
    /// What has this digest.
    Digest(Digest),
}

// The answer of every exporter whose cache is an image.
const MANIFEST: &str = "cache.manifest";
const DIGEST: &str = "digest";

impl Caches {
    /// What the daemon is told to import, and what is left out, with the reason.
    pub(super) fn imports(&self) -> (Vec<Cache>, Vec<String>) {
        let mut imports = Vec::new();
        let mut warnings = Vec::new();
        for place in &self.imports {
            match place.import() {
                Ok(cache) => imports.push(cache),
                Err(reason) => warnings.push(reason),
            }
        }
        (imports, warnings)
    }

    /// What the daemon is told to export.
    pub(super) fn exports(&self) -> Vec<Cache> {
        let exports = self.exports.iter();
        exports.map(|place| place.cache.clone()).collect()
    }

    /// Names what the daemon wrote into local caches; gives what went wrong.
    pub(super) fn finish(&self, response: &BTreeMap<String, String>) -> Vec<String> {
        let locals = self.exports.iter().filter_map(|place| place.local.as_ref());
        let warnings = locals.filter_map(|local| local.finish(response).err());
        warnings.collect()
    }

    /// `error` of a build as a warning, if only its `exports` of caches are why it failed; these are then without those
    /// that did.
    pub(super) fn blame(
        error: &Error,
        failed: &BTreeMap<String, String>,
        exports: &mut Vec<Cache>,
    ) -> Option<String> {
        if exports.is_empty() {
            return None;
        }
        let message = &error.remote()?.message;
        if let Some((_, warning)) = failed.iter().find(|(_, text)| is_export(text)) {
            exports.clear();
            return Some(warning.clone());
        }
        let kind = refused(message)?;
        let known = exports.len();
        exports.retain(|cache| cache.kind != kind);
        if exports.len() == known {
            exports.clear();
        }
        Some(format!("the cache is not written: {message}"))
    }
}

impl Place {
    fn import(&self) -> Result<Cache, String> {
        let mut cache = self.cache.clone();
        if let Some(local) = &self.local {
            let digest = local.digest()?.to_string();
            cache.attributes.insert(DIGEST.to_owned(), digest);
        }
        Ok(cache)
    }
}

impl Local {
    fn digest(&self) -> Result<Digest, String> {
        let path = self.directory.path().display();
        let failed =
            |error: std::io::Error| format!("the cache in `{path}` cannot be read: {error}");
        let digest = match &self.name {
            Name::Digest(digest) => *digest,
            Name::Tag(tag) => match self.directory.find(tag).map_err(failed)? {
                Some(descriptor) => descriptor.digest,
                None => {
                    return Err(format!(
                        "the cache in `{path}` has nothing tagged `{tag}` yet"
                    ));
                }
            },
        };
        match self.directory.blob(digest).map_err(failed)? {
            Some(_) => Ok(digest),
            None => Err(format!("the cache in `{path}` does not have {digest}")),
        }
    }

    fn finish(&self, response: &BTreeMap<String, String>) -> Result<(), String> {
        let Name::Tag(tag) = &self.name else {
            return Ok(());
        };
        // Without it nothing could be cached, or the export failed, which is told already.
        let Some(manifest) = response.get(MANIFEST) else {
            return Ok(());
        };
        let path = self.directory.path().display();
        let descriptor: Descriptor = serde_json::from_str(manifest)
            .map_err(|error| format!("the cache in `{path}` has no usable manifest: {error}"))?;
        self.directory
            .name(descriptor, tag)
            .map_err(|error| format!("the cache in `{path}` cannot be named `{tag}`: {error}"))
    }
}

/// What failed of the daemon's dealings with caches, by vertex.
#[derive(Debug, Default)]
pub(super) struct Failed(BTreeMap<String, String>);

impl Failed {
    pub(super) fn feed(&mut self, event: &StatusResponse) {
        for vertex in &event.vertexes {
            let is_ours = is_export(&vertex.name) || is_import(&vertex.name);
            if is_ours && !vertex.error.is_empty() && !vertex.error.ends_with(CANCELED) {
                let warning = format!("{}: {}", name(&vertex.name), vertex.error);
                self.0.insert(vertex.digest.clone(), warning);
            }
        }
    }

    pub(super) fn warnings(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

// https://github.com/moby/buildkit/blob/master/solver/llbsolver/bridge.go
fn is_import(text: &str) -> bool {
    text.starts_with("importing cache manifest from ")
}

// Every exporter has a name of its own: https://github.com/moby/buildkit/tree/master/cache/remotecache
fn is_export(text: &str) -> bool {
    [
        "exporting cache",
        "exporting content cache",
        "exporting to GitHub",
        "exporting inline cache",
    ]
    .iter()
    .any(|start| text.starts_with(start))
}

/// The kind of the cache that the daemon refuses before it builds anything.
// https://github.com/moby/buildkit/blob/master/control/control.go
fn refused(message: &str) -> Option<&str> {
    let (_, unknown) = message
        .split_once("unknown cache exporter: \"")
        .unwrap_or_default();
    let (_, broken) = message
        .split_once("failed to configure ")
        .unwrap_or_default();
    let kind = unknown.split_once('"').map(|(kind, _)| kind);
    kind.or_else(|| Some(broken.split_once(" cache exporter")?.0))
}

// The number behind the kind is a hash of all attributes, which tells nobody anything.
fn name(vertex: &str) -> &str {
    match vertex.rsplit_once(':') {
        Some((name, number)) if is_import(vertex) && number.len() > 12 && is_number(number) => name,
        _ => vertex,
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use crate::buildkit::Vertex;

    use super::*;

    fn event(name: &str, error: &str) -> StatusResponse {
        StatusResponse {
            vertexes: vec![Vertex {
                digest: name.to_owned(),
                name: name.to_owned(),
                error: error.to_owned(),
                ..Vertex::default()
            }],
            ..StatusResponse::default()
        }
    }

    #[test]
    fn what_failed_with_a_cache_is_a_warning_and_a_failed_step_is_none() {
        let mut failed = Failed::default();
        failed.feed(&event("[web] build: make", "exit code: 1"));
        failed.feed(&event("exporting cache to registry", "context canceled"));
        failed.feed(&event("exporting to GitHub Actions Cache", "no"));
        failed.feed(&event(
            "importing cache manifest from gha:11235813213455891442",
            "not found",
        ));
        failed.feed(&event(
            "importing cache manifest from r.test:5000/c:1",
            "no",
        ));
        let warnings: Vec<&String> = failed.warnings().values().collect();
        assert_eq!(
            warnings,
            [
                "exporting to GitHub Actions Cache: no",
                "importing cache manifest from gha: not found",
                "importing cache manifest from r.test:5000/c:1: no",
            ]
        );
    }

    #[test]
    fn a_cache_that_the_daemon_refuses_is_told_from_the_others() {
        assert_eq!(refused("rpc: unknown cache exporter: \"s3\""), Some("s3"));
        assert_eq!(
            refused("failed to configure gha cache exporter: token not set"),
            Some("gha")
        );
        assert_eq!(
            refused("failed to configure registry cache importer: no"),
            None
        );
        assert_eq!(refused("exit code: 1"), None);
    }

    #[test]
    fn a_local_cache_that_has_nothing_yet_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none");
        let caches = Caches {
            imports: vec![Place {
                cache: Cache::default(),
                local: Some(Local {
                    directory: Arc::new(Directory::new(path.clone())),
                    name: Name::Tag("latest".to_owned()),
                }),
            }],
            ..Caches::default()
        };
        let (imports, warnings) = caches.imports();
        let path = path.display();
        assert!(imports.is_empty());
        assert_eq!(
            warnings,
            [format!(
                "the cache in `{path}` has nothing tagged `latest` yet"
            )]
        );
    }
}
