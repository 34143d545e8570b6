//! Content stores: image layouts of the client that the daemon reads from, and directories that it writes caches to.

mod directory;
mod proto;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::Shared;
use crate::oci::{Blob, Digest, Layout};
pub use directory::Directory;
use directory::{WriteError, Writer};
pub(super) use proto::ContentServer;
use proto::{
    AbortRequest, Action, Empty, Info, InfoRequest, InfoResponse, ReadRequest, ReadResponse,
    WriteRequest, WriteResponse,
};

/// The content stores of a session, each with a name that sources and caches give.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    /// Image layouts, read-only; LLB's `oci-layout` sources name them.
    pub layouts: BTreeMap<String, Arc<Layout>>,
    /// Directories of caches; the attributes `src` and `dest` of local caches name them.
    pub caches: BTreeMap<String, Arc<Directory>>,
}

/// The service that the daemon calls.
#[derive(Clone)]
pub(super) struct Content {
    stores: Arc<Stores>,
    /// The writes under way, by store and reference.
    writes: Shared<BTreeSet<(String, String)>>,
}

// https://github.com/moby/buildkit/blob/master/session/content/attachable.go
const STORE: &str = "buildkit-attachable-store-id";
const LAYOUT: &str = "oci:";
const CACHE: &str = "local:";
// What the daemon asks for at a time; two are on their way at most.
const PAGE: usize = 1 << 20;
const QUEUE: usize = 2;
// One daemon writes a few layers at a time.
const MOST_WRITES: usize = 64;

impl Content {
    pub(super) fn new(stores: Stores) -> Self {
        Self {
            stores: Arc::new(stores),
            writes: Shared::default(),
        }
    }

    fn find(&self, store: &str, digest: &str) -> Result<(Digest, Blob), Status> {
        let digest: Digest = digest
            .parse()
            .map_err(|error| Status::invalid_argument(format!("{error}")))?;
        let found = match self.store(store)? {
            Store::Layout(layout) => layout.blob(digest),
            Store::Cache(directory) => directory.blob(digest),
        };
        let blob = found.map_err(|error| failed(&error))?;
        let blob = blob.ok_or_else(|| Status::not_found(format!("there is no blob {digest}")))?;
        Ok((digest, blob))
    }

    fn store(&self, id: &str) -> Result<Store<'_>, Status> {
        let layout = id
            .strip_prefix(LAYOUT)
            .and_then(|name| self.stores.layouts.get(name))
            .map(|layout| Store::Layout(layout));
        let cache = id
            .strip_prefix(CACHE)
            .and_then(|name| self.stores.caches.get(name));
        layout
            .or(cache.map(Store::Cache))
            .ok_or_else(|| Status::not_found(format!("there is no content store `{id}`")))
    }

    fn info(&self, request: &Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        let (digest, blob) = self.find(&id(request)?, &request.get_ref().digest)?;
        Ok(Response::new(InfoResponse {
            info: Some(Info {
                digest: digest.to_string(),
                size: signed(blob.size()),
            }),
        }))
    }

    fn read(
        &self,
        request: &Request<ReadRequest>,
    ) -> Result<Response<ReceiverStream<Result<ReadResponse, Status>>>, Status> {
        let message = request.get_ref();
        let (_, blob) = self.find(&id(request)?, &message.digest)?;
        let start = u64::try_from(message.offset).unwrap_or_default();
        let left = blob.size().checked_sub(start).ok_or_else(|| {
            Status::out_of_range(format!("the blob has only {} bytes", blob.size()))
        })?;
        let length = match u64::try_from(message.size) {
            Ok(0) | Err(_) => left,
            Ok(size) => size.min(left),
        };
        let (pages, stream) = mpsc::channel(QUEUE);
        // It ends with the blob, or when nobody takes pages any more.
        tokio::task::spawn_blocking(move || send(&blob, start, length, &pages));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn write(
        self,
        request: Request<Streaming<WriteRequest>>,
    ) -> Result<Response<ReceiverStream<Result<WriteResponse, Status>>>, Status> {
        let id = id(&request)?;
        let Store::Cache(directory) = self.store(&id)? else {
            return Err(Status::permission_denied("an image layout is read only"));
        };
        let directory = Arc::clone(directory);
        let mut messages = request.into_inner();
        let first = messages
            .message()
            .await?
            .filter(|message| !message.reference.is_empty())
            .ok_or_else(|| Status::invalid_argument("the first message has no reference"))?;
        let lock = self.lock(id, first.reference.clone())?;
        let (answers, stream) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let _lock = lock;
            if let Err(status) = take(&directory, first, &mut messages, &answers).await {
                let _ = answers.send(Err(status)).await; // the daemon may be gone
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    /// There is nothing to clean up: a write ends with its stream.
    fn abort(&self, request: &Request<AbortRequest>) -> Result<Response<Empty>, Status> {
        self.store(&id(request)?)?;
        let reference = &request.get_ref().reference;
        Err(Status::not_found(format!("nothing writes `{reference}`")))
    }

    fn lock(&self, store: String, reference: String) -> Result<Lock, Status> {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        if writes.len() >= MOST_WRITES {
            return Err(Status::unavailable("too many blobs are written at a time"));
        }
        let write = (store, reference);
        if !writes.insert(write.clone()) {
            let text = format!("`{}` is being written by somebody else", write.1);
            return Err(Status::unavailable(text));
        }
        Ok(Lock {
            writes: Arc::clone(&self.writes),
            write,
        })
    }
}

enum Store<'a> {
    Layout(&'a Layout),
    Cache(&'a Arc<Directory>),
}

/// The right to be the only one that writes under a reference.
struct Lock {
    writes: Arc<Mutex<BTreeSet<(String, String)>>>,
    write: (String, String),
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.remove(&self.write);
    }
}

fn id<T>(request: &Request<T>) -> Result<String, Status> {
    let value = request.metadata().get(STORE);
    let id = value.and_then(|value| value.to_str().ok());
    id.map(str::to_owned)
        .ok_or_else(|| Status::invalid_argument("no content store is named"))
}

fn failed(error: &io::Error) -> Status {
    Status::internal(error.to_string())
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn send(blob: &Blob, start: u64, length: u64, pages: &mpsc::Sender<Result<ReadResponse, Status>>) {
    let mut sent = 0;
    while sent < length {
        let size = usize::try_from(length - sent).map_or(PAGE, |left| left.min(PAGE));
        let mut data = vec![0; size];
        let page = match blob.read_at(start + sent, &mut data) {
            Ok(0) => return,
            Ok(read) => {
                data.truncate(read);
                let offset = signed(start + sent);
                sent += read as u64;
                Ok(ReadResponse { offset, data })
            }
            Err(error) => Err(failed(&error)),
        };
        let is_last = page.is_err();
        if pages.blocking_send(page).is_err() || is_last {
            return;
        }
    }
}

/// Takes one blob: every message is answered with how far it has come.
async fn take(
    directory: &Arc<Directory>,
    first: WriteRequest,
    messages: &mut Streaming<WriteRequest>,
    answers: &mpsc::Sender<Result<WriteResponse, Status>>,
) -> Result<(), Status> {
    let store = Arc::clone(directory);
    let mut writer = blocking(move || store.create().map_err(WriteError::from)).await?;
    let mut expected = Expected::default();
    let mut next = Some(first);
    while let Some(message) = next {
        expected.learn(&message)?;
        if let Some(digest) = expected.digest {
            let store = Arc::clone(directory);
            if blocking(move || store.blob(digest).map_err(WriteError::from))
                .await?
                .is_some()
            {
                return Err(Status::already_exists(format!(
                    "blob {digest} is there already"
                )));
            }
        }
        let action = Action::try_from(message.action)
            .map_err(|_| Status::invalid_argument("an unknown action"))?;
        if action != Action::Stat {
            writer = blocking(move || write(writer, &message)).await?;
        }
        let mut answer = WriteResponse {
            action: action.into(),
            offset: signed(writer.length()),
            total: signed(expected.size.unwrap_or_default()),
            digest: writer.digest().to_string(),
        };
        if action == Action::Commit {
            let (size, digest) = (expected.size, expected.digest);
            let digest = blocking(move || writer.commit(size, digest)).await?;
            answer.digest = digest.to_string();
            let _ = answers.send(Ok(answer)).await; // it is kept all the same
            return Ok(());
        }
        if answers.send(Ok(answer)).await.is_err() {
            return Ok(());
        }
        next = messages.message().await?;
    }
    Ok(())
}

/// What the daemon said of the blob so far.
#[derive(Default)]
struct Expected {
    size: Option<u64>,
    digest: Option<Digest>,
}

impl Expected {
    fn learn(&mut self, message: &WriteRequest) -> Result<(), Status> {
        if let Some(size) = u64::try_from(message.total).ok().filter(|size| *size > 0) {
            self.size = Some(size);
        }
        if !message.expected.is_empty() {
            let digest = message.expected.parse();
            self.digest =
                Some(digest.map_err(|error| Status::invalid_argument(format!("{error}")))?);
        }
        Ok(())
    }
}

fn write(mut writer: Writer, message: &WriteRequest) -> Result<Writer, WriteError> {
    let length = writer.length();
    match u64::try_from(message.offset).unwrap_or_default() {
        0 if length > 0 && !message.data.is_empty() => writer.reset()?,
        // A commit without data need not say where it is.
        0 => {}
        offset if offset == length => {}
        expected => {
            return Err(WriteError::Size {
                expected,
                actual: length,
            });
        }
    }
    writer.write(&message.data)?;
    Ok(writer)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WriteError> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Status::internal(error.to_string()))?;
    done.map_err(|error| match &error {
        WriteError::Io(error) => failed(error),
        WriteError::Size { .. } => Status::out_of_range(error.to_string()),
        WriteError::Digest { .. } => Status::failed_precondition(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(path: &std::path::Path) -> Content {
        let directory = Arc::new(Directory::new(path.to_owned()));
        Content::new(Stores {
            caches: [("web".to_owned(), directory)].into(),
            ..Stores::default()
        })
    }

    fn request(offset: i64, data: &[u8]) -> WriteRequest {
        WriteRequest {
            action: Action::Write.into(),
            offset,
            data: data.to_vec(),
            ..WriteRequest::default()
        }
    }

    #[test]
    fn a_store_is_found_by_its_kind_and_name() {
        let folder = tempfile::tempdir().unwrap();
        let content = content(folder.path());
        assert!(matches!(content.store("local:web"), Ok(Store::Cache(_))));
        for id in ["web", "oci:web", "local:", "local:../web", "local:/etc"] {
            assert!(content.store(id).is_err(), "{id}");
        }
        let digest = Digest::of(b"").to_string();
        assert_eq!(
            content.find("local:web", &digest).unwrap_err().code(),
            tonic::Code::NotFound
        );
        let error = content.find("local:web", "../../etc/passwd").unwrap_err();
        assert_eq!(error.code(), tonic::Code::InvalidArgument);
    }

    #[test]
    fn data_is_taken_at_the_end_or_from_the_start_again() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Directory::new(folder.path().to_owned()).create().unwrap();
        let writer = write(writer, &request(0, b"abc")).unwrap();
        let writer = write(writer, &request(3, b"d")).unwrap();
        assert_eq!(writer.digest(), Digest::of(b"abcd"));
        let writer = write(writer, &request(0, b"xy")).unwrap();
        assert_eq!(writer.digest(), Digest::of(b"xy"));
        let error = write(writer, &request(7, b"z")).err().unwrap();
        assert_eq!(error.to_string(), "the blob has 2 bytes instead of 7");
    }

    #[test]
    fn one_at_a_time_writes_under_a_reference() {
        let folder = tempfile::tempdir().unwrap();
        let content = content(folder.path());
        let lock = |name: &str| content.lock("local:web".to_owned(), name.to_owned());
        let first = lock("a").unwrap();
        assert!(lock("a").is_err() && lock("b").is_ok());
        drop(first);
        assert!(lock("a").is_ok());
    }
}
