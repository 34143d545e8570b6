//! The gateway API: what a frontend may ask of the daemon while a build runs.

use std::collections::BTreeMap;
use std::time::Duration;

use buildkit_proto::fsutil::types::Stat;
use buildkit_proto::google::rpc;
use buildkit_proto::moby::buildkit::v1::apicaps::ApiCap;
use buildkit_proto::moby::buildkit::v1::frontend::llb_bridge_client::LlbBridgeClient;
use buildkit_proto::moby::buildkit::v1::frontend::{self, result};
use buildkit_proto::pb;
use serde_json::json;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request};

use super::client::{Capabilities, Client, MAX_MESSAGE, answered};
use super::error::Error;
use super::names::Names;
use super::solve::Cache;
use crate::oci::{Digest, Platform, Reference};

/// One build as its frontend sees it.
///
/// Calls carry the build's id; the daemon waits up to three seconds for a build it does not know yet.
#[derive(Clone)]
pub struct Gateway {
    client: LlbBridgeClient<Channel>,
    build_id: AsciiMetadataValue,
    patience: Duration,
    /// Goes with every solve: the daemon reads the imports of the whole build only where it is the frontend.
    imports: Vec<frontend::CacheOptionsEntry>,
}

/// A solved definition: a file system that can be read, exported, or attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildReference {
    id: String,
}

/// A file of a [`BuildReference`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStat {
    /// Its path as the daemon gives it: a base name in a directory listing.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// The target of a symbolic link.
    pub link: Option<String>,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Whether it is a regular file: neither directory nor link, pipe, socket or device.
    pub is_file: bool,
    /// Its permission bits.
    pub permissions: u32,
}

/// An image's digest and its configuration as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageConfigBytes {
    /// The digest of the manifest or index.
    pub digest: Digest,
    /// The configuration, JSON.
    pub config: Vec<u8>,
}

/// What a build returns: the result of the one [`Gateway`] `Return` that every build must make.
///
/// It cannot be empty: a `Return` with neither result nor error takes the daemon down.
#[derive(Debug)]
pub struct Outcome {
    /// The image.
    pub first: BuiltImage,
    /// The same for other platforms: with them the result is an index.
    pub others: Vec<BuiltImage>,
}

impl From<BuiltImage> for Outcome {
    fn from(first: BuiltImage) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }
}

/// An image for one platform.
#[derive(Debug)]
pub struct BuiltImage {
    /// The image's file system.
    pub reference: BuildReference,
    /// The image's configuration, JSON with `os` and `architecture`.
    pub config: Vec<u8>,
    /// The attestations about the image.
    pub attestations: Vec<Attestation>,
    /// The image's platform, under which attestations are filed.
    pub platform: Platform,
}

/// An in-toto predicate about the image that is built.
#[derive(Debug)]
pub struct Attestation {
    /// The file system that holds the predicate.
    pub reference: BuildReference,
    /// The predicate's path in it.
    pub path: String,
    /// The predicate's type, such as `https://spdx.dev/Document`.
    pub predicate_type: String,
}

// Go's os.FileMode, which fsutil sends instead of st_mode.
const MODE_DIRECTORY: u32 = 1 << 31;
const MODE_SYMLINK: u32 = 1 << 27;
// These two, device, pipe, socket, character device, and what Go cannot name.
const MODE_TYPE: u32 =
    MODE_DIRECTORY | MODE_SYMLINK | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;
// The registry is asked, and the daemon's own images where it does not answer.
const RESOLVE_MODE: &str = "default";
// One message must hold the answer.
const READ_PAGE: i64 = 8 << 20;
// More than any image has in one directory; it bounds the memory that a build can make this take.
const MOST_NAMES: usize = 2_000_000;

impl Gateway {
    pub(super) fn new(client: &Client, build_id: AsciiMetadataValue, imports: &[Cache]) -> Self {
        let bridge = LlbBridgeClient::new(client.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        let imports = imports.iter().map(|cache| frontend::CacheOptionsEntry {
            r#type: cache.kind.clone(),
            attrs: cache.attributes.clone().into_iter().collect(),
        });
        Self {
            client: bridge,
            build_id,
            patience: client.patience,
            imports: imports.collect(),
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("buildkit-controlapi-buildid", self.build_id.clone());
        request
    }

    /// Asks what the daemon can do.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn ping(&self) -> Result<Capabilities, Error> {
        let mut client = self.client.clone();
        let answer = client.ping(self.request(frontend::PingRequest {}));
        let answer = answered("Ping", self.patience, answer).await?.into_inner();
        let names = |capabilities: Vec<ApiCap>| {
            capabilities
                .into_iter()
                .filter(|capability| capability.enabled)
                .map(|capability| capability.id)
                .collect()
        };
        Ok(Capabilities {
            gateway: names(answer.frontend_api_caps),
            llb: names(answer.llb_caps),
        })
    }

    /// Solves `definition` to its end.
    ///
    /// # Errors
    /// When a vertex fails, with the facts of it.
    pub async fn solve(&self, definition: pb::Definition) -> Result<BuildReference, Error> {
        let request = frontend::SolveRequest {
            definition: Some(definition),
            allow_result_return: true,
            allow_result_array_ref: true,
            evaluate: true,
            cache_imports: self.imports.clone(),
            ..Default::default()
        };
        let answer = self
            .client
            .clone()
            .solve(self.request(request))
            .await?
            .into_inner();
        match answer.result.and_then(|result| result.result) {
            Some(result::Result::Ref(reference)) => Ok(BuildReference { id: reference.id }),
            Some(result::Result::RefDeprecated(id)) => Ok(BuildReference { id }),
            _ => Err(Error::Incomplete {
                call: "Solve",
                missing: "reference",
            }),
        }
    }

    /// Reads `length` bytes of a file from `offset` on; fewer at its end.
    ///
    /// # Errors
    /// When there is no such file.
    pub async fn read_range(
        &self,
        reference: &BuildReference,
        path: &str,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, Error> {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let request = frontend::ReadFileRequest {
            r#ref: reference.id.clone(),
            file_path: path.to_owned(),
            range: Some(frontend::FileRange {
                offset: signed(offset),
                length: signed(length).min(READ_PAGE),
            }),
            mount_index: 0,
        };
        Ok(self
            .client
            .clone()
            .read_file(self.request(request))
            .await?
            .into_inner()
            .data)
    }

    /// Reads a whole file of at most `limit` bytes, page by page.
    ///
    /// # Errors
    /// When there is no such file, or it is larger than `limit`.
    pub async fn read_file(
        &self,
        reference: &BuildReference,
        path: &str,
        limit: u64,
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.read_pages(reference, path, |page| {
            bytes.extend_from_slice(page);
            bytes.len() as u64 <= limit
        })
        .await?;
        if bytes.len() as u64 > limit {
            return Err(Error::Incomplete {
                call: "ReadFile",
                missing: "bound on the file's size",
            });
        }
        Ok(bytes)
    }

    /// Reads a whole file page by page into `sink`, which says whether to go on.
    ///
    /// # Errors
    /// When there is no such file.
    pub async fn read_pages(
        &self,
        reference: &BuildReference,
        path: &str,
        mut sink: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), Error> {
        let mut offset = 0;
        loop {
            let page = self
                .read_range(reference, path, offset, READ_PAGE as u64)
                .await?;
            offset += page.len() as u64;
            if page.is_empty() || !sink(&page) || page.len() < READ_PAGE as usize {
                return Ok(());
            }
        }
    }

    /// Lists a directory, sorted by name, however many names it has.
    ///
    /// # Errors
    /// When there is no such directory, or it has more than two million names.
    pub async fn read_dir(
        &self,
        reference: &BuildReference,
        path: &str,
    ) -> Result<Vec<FileStat>, Error> {
        let mut found = BTreeMap::new();
        let mut parts = vec![Names::all()];
        while let Some(part) = parts.pop() {
            match self.read_names(reference, path, part.pattern()).await {
                Ok(entries) => found.extend(entries),
                Err(error) if is_too_long(&error) => match part.split() {
                    Some(split) => parts.extend(split.into_iter().filter(|part| !part.is_empty())),
                    None => return Err(error),
                },
                Err(error) => return Err(error),
            }
            if found.len() > MOST_NAMES {
                return Err(Error::Incomplete {
                    call: "ReadDir",
                    missing: "bound on the number of names",
                });
            }
        }
        Ok(found.into_values().collect())
    }

    async fn read_names(
        &self,
        reference: &BuildReference,
        path: &str,
        pattern: String,
    ) -> Result<Vec<(String, FileStat)>, Error> {
        let request = frontend::ReadDirRequest {
            r#ref: reference.id.clone(),
            dir_path: path.to_owned(),
            include_pattern: pattern,
            mount_index: 0,
        };
        let mut client = self.client.clone();
        let answer = client.read_dir(self.request(request)).await?.into_inner();
        let entries = answer.entries.into_iter().map(FileStat::from);
        // A pattern has the daemon look into directories too.
        let direct = entries.filter(|entry| !entry.path.contains('/'));
        Ok(direct.map(|entry| (entry.path.clone(), entry)).collect())
    }

    /// Describes a file; `None` where there is none.
    ///
    /// # Errors
    /// When the call fails for another reason.
    pub async fn stat(
        &self,
        reference: &BuildReference,
        path: &str,
    ) -> Result<Option<FileStat>, Error> {
        let request = frontend::StatFileRequest {
            r#ref: reference.id.clone(),
            path: path.to_owned(),
            mount_index: 0,
        };
        match self
            .client
            .clone()
            .stat_file(self.request(request))
            .await
            .map_err(Error::from)
        {
            Ok(answer) => Ok(answer.into_inner().stat.map(FileStat::from)),
            Err(Error::Remote(error)) if is_absent(&error.message) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Resolves an image to its digest and configuration.
    ///
    /// # Errors
    /// When neither the daemon's images nor the registry have it.
    pub async fn resolve_image(
        &self,
        reference: &Reference,
        platform: &Platform,
        log_name: &str,
    ) -> Result<ImageConfigBytes, Error> {
        let request = frontend::ResolveSourceMetaRequest {
            source: Some(pb::SourceOp {
                identifier: format!("docker-image://{reference}"),
                ..Default::default()
            }),
            platform: Some(proto_platform(platform)),
            log_name: log_name.to_owned(),
            resolve_mode: RESOLVE_MODE.to_owned(),
            ..Default::default()
        };
        let answer = self
            .client
            .clone()
            .resolve_source_meta(self.request(request))
            .await;
        match answer.map_err(Error::from) {
            Ok(answer) => {
                let image = answer.into_inner().image.unwrap_or_default();
                resolved("ResolveSourceMeta", &image.digest, image.config)
            }
            // The call came with v0.13.
            Err(Error::Remote(error)) if error.is_unimplemented() => {
                self.resolve_config(reference, platform, log_name).await
            }
            Err(error) => Err(error),
        }
    }

    async fn resolve_config(
        &self,
        reference: &Reference,
        platform: &Platform,
        log_name: &str,
    ) -> Result<ImageConfigBytes, Error> {
        let request = frontend::ResolveImageConfigRequest {
            r#ref: reference.to_string(),
            platform: Some(proto_platform(platform)),
            resolve_mode: RESOLVE_MODE.to_owned(),
            log_name: log_name.to_owned(),
            ..Default::default()
        };
        let answer = self
            .client
            .clone()
            .resolve_image_config(self.request(request))
            .await?
            .into_inner();
        resolved("ResolveImageConfig", &answer.digest, answer.config)
    }

    pub(super) async fn return_outcome(&self, outcome: Outcome) -> Result<(), Error> {
        self.return_request(frontend::ReturnRequest {
            result: Some(returned(outcome)),
            error: None,
        })
        .await
    }

    pub(super) async fn return_error(&self, mut status: rpc::Status) -> Result<(), Error> {
        // An error whose code is OK would be none.
        if status.code == Code::Ok as i32 {
            status.code = Code::Unknown as i32;
        }
        self.return_request(frontend::ReturnRequest {
            result: None,
            error: Some(status),
        })
        .await
    }

    async fn return_request(&self, request: frontend::ReturnRequest) -> Result<(), Error> {
        let mut client = self.client.clone();
        let answer = client.r#return(self.request(request));
        answered("Return", self.patience, answer).await?;
        Ok(())
    }
}

fn proto_reference(reference: BuildReference) -> frontend::Ref {
    frontend::Ref {
        id: reference.id,
        def: None,
    }
}

// How several platforms are told apart:
// https://github.com/moby/buildkit/blob/master/exporter/containerimage/exptypes/types.go
fn returned(outcome: Outcome) -> frontend::Result {
    let images: Vec<BuiltImage> = std::iter::once(outcome.first)
        .chain(outcome.others)
        .collect();
    let is_one = images.len() == 1;
    let mut result = frontend::Result::default();
    let mut references = BTreeMap::new();
    let mut platforms = Vec::new();
    for image in images {
        // A wrong key is dropped without a word: it must be the normalised platform of the configuration.
        let key = image.platform.to_string();
        let config = match is_one {
            true => "containerimage.config".to_owned(),
            false => format!("containerimage.config/{key}"),
        };
        result.metadata.insert(config, image.config);
        if !image.attestations.is_empty() {
            let attestation = image
                .attestations
                .into_iter()
                .map(proto_attestation)
                .collect();
            let attestations = frontend::Attestations { attestation };
            result.attestations.insert(key.clone(), attestations);
        }
        platforms.push(json!({"ID": key, "Platform": image.platform}));
        references.insert(key, proto_reference(image.reference));
    }
    if !is_one {
        let platforms = json!({"Platforms": platforms}).to_string().into_bytes();
        result
            .metadata
            .insert("refs.platforms".to_owned(), platforms);
    }
    result.result = match (is_one, references.pop_first()) {
        (true, Some((_, only))) => Some(result::Result::Ref(only)),
        (_, first) => Some(result::Result::Refs(frontend::RefMap {
            refs: first.into_iter().chain(references).collect(),
        })),
    };
    result
}

fn proto_attestation(attestation: Attestation) -> frontend::Attestation {
    frontend::Attestation {
        kind: frontend::AttestationKind::InToto.into(),
        r#ref: Some(proto_reference(attestation.reference)),
        path: attestation.path,
        in_toto_predicate_type: attestation.predicate_type,
        ..Default::default()
    }
}

fn proto_platform(platform: &Platform) -> pb::Platform {
    pb::Platform {
        os: platform.os.clone(),
        architecture: platform.architecture.clone(),
        variant: platform.variant.clone().unwrap_or_default(),
        ..Default::default()
    }
}

fn resolved(call: &'static str, digest: &str, config: Vec<u8>) -> Result<ImageConfigBytes, Error> {
    let digest = digest.parse().map_err(|_| Error::Incomplete {
        call,
        missing: "digest",
    })?;
    Ok(ImageConfigBytes { digest, config })
}

// The daemon says one, this side of the connection the other.
fn is_too_long(error: &Error) -> bool {
    let code = error.remote().map(|error| error.code);
    matches!(code, Some(Code::ResourceExhausted | Code::OutOfRange))
}

// Go's words for ENOENT and ENOTDIR: https://pkg.go.dev/syscall#Errno.Error.
fn is_absent(message: &str) -> bool {
    ["no such file or directory", "not a directory"]
        .iter()
        .any(|reason| message.contains(reason))
}

impl From<Stat> for FileStat {
    fn from(stat: Stat) -> Self {
        Self {
            is_directory: stat.mode & MODE_DIRECTORY != 0,
            is_file: stat.mode & MODE_TYPE == 0,
            permissions: stat.mode & 0o777,
            size: u64::try_from(stat.size).unwrap_or_default(),
            link: (stat.mode & MODE_SYMLINK != 0).then_some(stat.linkname),
            path: stat.path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(mode: u32) -> FileStat {
        FileStat::from(Stat {
            mode,
            ..Stat::default()
        })
    }

    #[test]
    fn a_pipe_is_no_file() {
        assert!(stat(0o4755).is_file);
        assert!(!stat(1 << 25 | 0o644).is_file);
        assert!(!stat(MODE_SYMLINK | 0o777).is_file);
    }

    #[test]
    fn a_path_below_a_file_is_absent() {
        assert!(is_absent("stat /app/main.js/x: not a directory"));
        assert!(!is_absent("permission denied"));
    }
}
