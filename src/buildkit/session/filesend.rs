//! The place where exporters put archives.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use buildkit_proto::moby::filesync::v1::BytesMessage;
use buildkit_proto::moby::filesync::v1::file_send_server::FileSend;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, BufWriter};
use tonic::{Request, Response, Status, Streaming};

use super::Shared;

/// What an exporter sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The number of bytes written.
    pub bytes: u64,
    /// What the exporter said of it, such as `containerimage.digest`.
    ///
    /// The answer to the solve merges all exporters' words; only these are certain to be of this one.
    pub metadata: BTreeMap<String, String>,
}

#[derive(Clone, Default)]
pub(super) struct Receiver {
    state: Shared<State>,
}

#[derive(Default)]
struct State {
    files: Vec<Option<PathBuf>>,
    received: BTreeMap<usize, Received>,
}

// A write buffer that lets the kernel work in large pieces without holding much of an image.
const BUFFER: usize = 1 << 20;

impl Receiver {
    fn state(&self) -> MutexGuard<'_, State> {
        Mutex::lock(&self.state).unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn expect(&self, files: Vec<Option<PathBuf>>) {
        *self.state() = State {
            files,
            received: BTreeMap::new(),
        };
    }

    pub(super) fn received(&self) -> BTreeMap<usize, Received> {
        self.state().received.clone()
    }
}

#[tonic::async_trait]
impl FileSend for Receiver {
    type DiffCopyStream = futures_util::stream::Empty<Result<BytesMessage, Status>>;

    async fn diff_copy(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::DiffCopyStream>, Status> {
        // Absent before v0.13, where there is one exporter only.
        let header = request.metadata().get("buildkit-attachable-exporter-id");
        let index = header
            .and_then(|id| id.to_str().ok())
            .map_or(Some(0), |id| id.parse().ok());
        let file = index.and_then(|index| {
            self.state()
                .files
                .get(index)
                .cloned()
                .flatten()
                .map(|file| (index, file))
        });
        let Some((index, path)) = file else {
            return Err(Status::not_found(
                "no file was asked for under this exporter id",
            ));
        };
        let metadata = request
            .metadata()
            .iter()
            .filter_map(|entry| match entry {
                tonic::metadata::KeyAndValueRef::Ascii(key, value) => {
                    let key = key.as_str().strip_prefix("exporter-md-")?;
                    Some((key.to_owned(), value.to_str().ok()?.to_owned()))
                }
                tonic::metadata::KeyAndValueRef::Binary(..) => None,
            })
            .collect();
        let failed = |error: std::io::Error| {
            Status::internal(format!("cannot write `{}`: {error}", path.display()))
        };
        let mut file = BufWriter::with_capacity(BUFFER, File::create(&path).await.map_err(failed)?);
        let mut messages = request.into_inner();
        let mut bytes = 0;
        while let Some(message) = messages.message().await? {
            file.write_all(&message.data).await.map_err(failed)?;
            bytes += message.data.len() as u64;
        }
        file.flush().await.map_err(failed)?;
        self.state()
            .received
            .insert(index, Received { bytes, metadata });
        Ok(Response::new(futures_util::stream::empty()))
    }
}
