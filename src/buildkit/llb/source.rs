//! Operations that bring files into the graph from outside.
//!
//! The attribute names are those of BuildKit's [`solver/pb/attr.go`].
//!
//! [`solver/pb/attr.go`]: https://github.com/moby/buildkit/blob/master/solver/pb/attr.go

use std::collections::BTreeMap;

use buildkit_proto::pb;

use super::vertex::{Inputs, Vertex};
use super::{Metadata, State};
use crate::oci::{Digest, Platform, Reference};

/// A source under construction: identifier, attributes, platform, metadata.
#[derive(Clone, Debug)]
struct Source {
    identifier: String,
    attributes: BTreeMap<String, String>,
    platform: Option<Platform>,
    metadata: Metadata,
}

impl Source {
    fn new(identifier: String) -> Self {
        Self {
            identifier,
            attributes: BTreeMap::new(),
            platform: None,
            metadata: Metadata::default(),
        }
    }

    /// Sets an attribute. One with an empty key or value means the same as none and is left out: prost and Go encode
    /// empty map values differently, and the daemon's digest would not be ours.
    fn set(&mut self, key: &str, value: impl Into<String>) {
        let value = value.into();
        if key.is_empty() || value.is_empty() {
            self.attributes.remove(key);
        } else {
            self.attributes.insert(key.to_owned(), value);
        }
    }

    fn set_list(&mut self, key: &str, values: impl IntoIterator<Item = impl Into<String>>) {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        let json = if values.is_empty() {
            String::new()
        } else {
            serde_json::Value::from(values).to_string()
        };
        self.set(key, json);
    }

    fn state(self) -> State {
        let op = pb::op::Op::Source(pb::SourceOp {
            identifier: self.identifier,
            attrs: self.attributes,
        });
        let output = Vertex::create(op, Inputs::default(), self.platform.as_ref(), self.metadata);
        let state = State::scratch().with_output(Some(output));
        match &self.platform {
            Some(platform) => state.platform(platform),
            None => state,
        }
    }
}

/// Writes what every source has: metadata, and the way to a state.
macro_rules! source {
    ($name:ident) => {
        impl $name {
            /// Sets name, group, location and cache behaviour.
            #[must_use]
            pub fn with(mut self, metadata: impl Into<Metadata>) -> Self {
                self.0.metadata = metadata.into();
                self
            }
        }

        impl From<$name> for State {
            fn from(source: $name) -> Self {
                source.0.state()
            }
        }
    };
}

source!(Image);
source!(Local);
source!(Http);
source!(OciLayout);

/// An image of a registry.
#[derive(Clone, Debug)]
pub struct Image(Source);

/// Where the daemon looks for an image by tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveMode {
    /// As the daemon is configured.
    Default,
    /// In the registry, always.
    ForcePull,
    /// In the daemon's own store first.
    PreferLocal,
}

impl Image {
    /// Takes the image `reference`; `latest` where it has neither tag nor digest.
    #[must_use]
    pub fn new(reference: &Reference) -> Self {
        let reference = reference.clone().or_latest();
        Self(Source::new(format!("docker-image://{reference}")))
    }

    /// Chooses the image of `platform`; without this the daemon takes its own platform.
    #[must_use]
    pub fn platform(mut self, platform: &Platform) -> Self {
        self.0.platform = Some(platform.clone());
        self
    }

    /// Chooses where the image is looked for.
    #[must_use]
    pub fn resolve(mut self, mode: ResolveMode) -> Self {
        let mode = match mode {
            ResolveMode::Default => "",
            ResolveMode::ForcePull => "pull",
            ResolveMode::PreferLocal => "local",
        };
        self.0.set("image.resolvemode", mode);
        self
    }

    /// Marks the image as a tool of the build in the daemon's usage records.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.0.set("image.recordtype", "internal");
        self
    }
}

/// A directory of the client, sent through the session.
#[derive(Clone, Debug)]
pub struct Local(Source);

/// How the daemon finds out which files of a directory have changed since the last transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differ {
    /// By size, modification time, mode, owner, device and link name; the daemon's default.
    Metadata,
    /// Not at all: every file is sent again.
    None,
}

impl Local {
    /// Takes the directory that the client's session offers under `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Source::new(format!("local://{name}")))
    }

    /// Sends only what matches one of `patterns`.
    #[must_use]
    pub fn include(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.set_list("local.includepattern", patterns);
        self
    }

    /// Leaves out what matches `patterns`, by the rules of `.dockerignore`.
    #[must_use]
    pub fn exclude(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.set_list("local.excludepatterns", patterns);
        self
    }

    /// Sends only `paths` and what symbolic links on them point to.
    #[must_use]
    pub fn follow(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.set_list("local.followpaths", paths);
        self
    }

    /// Sets what the daemon finds the previous transfer by, next to the name. Two directories under one name and hint
    /// evict each other.
    #[must_use]
    pub fn shared_key_hint(mut self, hint: &str) -> Self {
        self.0.set("local.sharedkeyhint", hint);
        self
    }

    /// Takes the directory from session `id` rather than from the session of the solve.
    #[must_use]
    pub fn session(mut self, id: &str) -> Self {
        self.0.set("local.session", id);
        self
    }

    /// Tells this source from equal ones of other runs: the daemon joins operations with one digest that run at the
    /// same time, though they belong to different clients.
    #[must_use]
    pub fn unique(mut self, id: &str) -> Self {
        self.0.set("local.unique", id);
        self
    }

    /// Chooses how changes are found.
    #[must_use]
    pub fn differ(mut self, differ: Differ) -> Self {
        let differ = match differ {
            Differ::Metadata => "metadata",
            Differ::None => "none",
        };
        self.0.set("local.differ", differ);
        self
    }
}

/// A file fetched by the daemon over HTTP; the state holds that one file.
#[derive(Clone, Debug)]
pub struct Http(Source);

impl Http {
    /// Fetches `url`, which starts with `http://` or `https://`. The file has the last part of the path as its name.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(Source::new(url.into()))
    }

    /// Pins the content. The daemon asks the server for nothing it has under this checksum.
    #[must_use]
    pub fn checksum(mut self, digest: Digest) -> Self {
        self.0.set("http.checksum", digest.to_string());
        self
    }

    /// Names the file.
    #[must_use]
    pub fn filename(mut self, name: &str) -> Self {
        self.0.set("http.filename", name);
        self
    }

    /// Sets the permission bits of the file, `0600` without this.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.0.set("http.perm", format!("0{:o}", mode & 0o777));
        self
    }

    /// Sets the owner of the file, root without this.
    #[must_use]
    pub fn owner(mut self, uid: u32, gid: u32) -> Self {
        self.0.set("http.uid", uid.to_string());
        self.0.set("http.gid", gid.to_string());
        self
    }

    /// Sends the session's secret `id` as the `Authorization` header. Needs BuildKit 0.19.
    #[must_use]
    pub fn authorization(mut self, id: &str) -> Self {
        self.0.set("http.authheadersecret", id);
        self
    }
}

/// An image of a content store that the client's session serves. Needs BuildKit 0.11.
#[derive(Clone, Debug)]
pub struct OciLayout(Source);

impl OciLayout {
    /// Takes the image with the manifest or index `digest` from the session's store `store`.
    #[must_use]
    pub fn new(store: &str, digest: Digest) -> Self {
        // The daemon parses a full reference, of which only the digest matters beside `oci.store`.
        let mut source = Source::new(format!("oci-layout://localhost/layout@{digest}"));
        source.set("oci.store", store);
        Self(source)
    }

    /// Takes the store from session `id` rather than from the session of the solve.
    #[must_use]
    pub fn session(mut self, id: &str) -> Self {
        self.0.set("oci.session", id);
        self
    }

    /// Chooses the image of `platform`; without this the daemon takes its own platform.
    #[must_use]
    pub fn platform(mut self, platform: &Platform) -> Self {
        self.0.platform = Some(platform.clone());
        self
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn decoded(state: impl Into<State>) -> pb::SourceOp {
        let state = state.into();
        let bytes = state.output().unwrap().vertex().encoded().to_vec();
        let Some(pb::op::Op::Source(op)) = pb::Op::decode(&bytes[..]).unwrap().op else {
            panic!("not a source");
        };
        op
    }

    #[test]
    fn an_empty_attribute_is_left_out() {
        let local = Local::new("a")
            .include([""; 0])
            .shared_key_hint("")
            .session("")
            .exclude(["x"])
            .exclude([""; 0]);
        assert_eq!(decoded(local).attrs, BTreeMap::new());
    }

    #[test]
    fn attributes_have_the_names_that_buildkit_reads() {
        let local = Local::new("context")
            .include(["src", "a\"b"])
            .exclude(["*.log"])
            .follow(["link"])
            .shared_key_hint("hint")
            .unique("u")
            .differ(Differ::None);
        let expected = [
            ("local.differ", "none"),
            ("local.excludepatterns", r#"["*.log"]"#),
            ("local.followpaths", r#"["link"]"#),
            ("local.includepattern", r#"["src","a\"b"]"#),
            ("local.sharedkeyhint", "hint"),
            ("local.unique", "u"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(decoded(local).attrs, BTreeMap::from(expected));
    }

    #[test]
    fn a_package_is_pinned_and_named() {
        let http = Http::new("https://example.test/a.apk")
            .checksum(Digest::of(b""))
            .filename("a")
            .mode(0o644)
            .owner(0, 65532);
        let op = decoded(http);
        assert_eq!(op.identifier, "https://example.test/a.apk");
        let checksum = Digest::of(b"").to_string();
        let expected = [
            ("http.checksum", checksum.as_str()),
            ("http.filename", "a"),
            ("http.gid", "65532"),
            ("http.perm", "0644"),
            ("http.uid", "0"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(op.attrs, BTreeMap::from(expected));
    }

    #[test]
    fn an_image_without_a_tag_is_the_latest() {
        let image = Image::new(&"wolfi".parse().unwrap()).resolve(ResolveMode::Default);
        let op = decoded(image);
        assert_eq!(
            op.identifier,
            "docker-image://docker.io/library/wolfi:latest"
        );
        assert!(op.attrs.is_empty());
    }
}
