//! Collecting a graph into the form that BuildKit takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use buildkit_proto::pb;
use prost::Message as _;

use super::vertex::encode;
use super::{Location, Metadata, SourceFile, State, Vertex};
use crate::oci::Digest;

/// The daemon's limit of a gRPC message, 16 MiB, less 1 MiB for what else a solve request holds.
const MAX_BYTES: usize = 15 << 20;

/// A graph of operations in the order of their dependencies, ready to be solved.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    proto: pb::Definition,
    head: Digest,
    names: BTreeMap<Digest, Option<String>>,
}

/// A state that cannot be sent.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MarshalError {
    /// The state is the empty file system; BuildKit refuses a graph without operations.
    #[error("an empty file system has no operations to solve")]
    Scratch,
    /// The operations exceed what one message may hold.
    #[error("the build graph has {bytes} bytes, and BuildKit takes {MAX_BYTES}")]
    TooLarge {
        /// The size of all operations with their metadata.
        bytes: usize,
    },
}

impl Definition {
    pub(super) fn of(state: &State) -> Result<Self, MarshalError> {
        let output = state.output().ok_or(MarshalError::Scratch)?;
        let mut collected = Collected::default();
        collected.collect(output.vertex());
        let mut proto = collected.definition();
        // The last operation has an input and no kind: it names the output that is wanted.
        proto.def.push(encode(pb::Op {
            inputs: vec![output.proto()],
            ..pb::Op::default()
        }));
        let bytes = prost::Message::encoded_len(&proto);
        if bytes > MAX_BYTES {
            return Err(MarshalError::TooLarge { bytes });
        }
        let names = collected.metadata.iter();
        Ok(Self {
            proto,
            head: output.vertex().digest(),
            names: names
                .map(|(digest, metadata)| (*digest, metadata.name().map(str::to_owned)))
                .collect(),
        })
    }

    /// The message to send.
    #[must_use]
    pub fn proto(&self) -> &pb::Definition {
        &self.proto
    }

    /// The digest of the operation that produces the state.
    #[must_use]
    pub fn head(&self) -> Digest {
        self.head
    }

    /// The digests of the operations that do work: everything but sources and the end.
    #[must_use]
    pub fn steps(&self) -> BTreeSet<Digest> {
        let is_step = |bytes: &&Vec<u8>| {
            let op = pb::Op::decode(bytes.as_slice()).ok().and_then(|op| op.op);
            op.is_some_and(|op| !matches!(op, pb::op::Op::Source(_)))
        };
        self.proto
            .def
            .iter()
            .filter(is_step)
            .map(|bytes| Digest::of(bytes))
            .collect()
    }

    /// The digests of all operations, as status and errors name them, each with the name it was given.
    #[must_use]
    pub fn vertices(&self) -> &BTreeMap<Digest, Option<String>> {
        &self.names
    }
}

impl From<Definition> for pb::Definition {
    fn from(definition: Definition) -> Self {
        definition.proto
    }
}

#[derive(Default)]
struct Collected {
    encoded: Vec<Vec<u8>>,
    metadata: BTreeMap<Digest, Metadata>,
}

impl Collected {
    /// Adds `head` and everything it depends on, dependencies first, equal operations once.
    fn collect(&mut self, head: &Arc<Vertex>) {
        // Known by address, because equal operations can differ in metadata; only asked for membership.
        let mut seen = BTreeSet::from([Arc::as_ptr(head)]);
        let mut stack = vec![(head, 0)];
        while let Some((vertex, next)) = stack.pop() {
            let Some(input) = vertex.inputs().get(next) else {
                self.add(vertex);
                continue;
            };
            stack.push((vertex, next + 1));
            if seen.insert(Arc::as_ptr(input.vertex())) {
                stack.push((input.vertex(), 0));
            }
        }
    }

    fn add(&mut self, vertex: &Vertex) {
        if let Some(known) = self.metadata.get_mut(&vertex.digest()) {
            known.merge(vertex.metadata());
            return;
        }
        self.encoded.push(vertex.encoded().to_vec());
        self.metadata
            .insert(vertex.digest(), vertex.metadata().clone());
    }

    fn definition(&mut self) -> pb::Definition {
        let metadata = self.metadata.iter();
        pb::Definition {
            def: std::mem::take(&mut self.encoded),
            metadata: metadata
                .map(|(digest, metadata)| (digest.to_string(), metadata.proto()))
                .collect(),
            source: self.source(),
        }
    }

    fn source(&self) -> Option<pb::Source> {
        let mut files: Vec<Arc<SourceFile>> = Vec::new();
        let mut locations = BTreeMap::new();
        for (digest, metadata) in &self.metadata {
            let Some(location) = metadata.location() else {
                continue;
            };
            let index = file_index(&mut files, &location.file);
            locations.insert(digest.to_string(), location_proto(index, location));
        }
        (!files.is_empty()).then(|| pb::Source {
            locations,
            infos: files.iter().map(|file| info_proto(file)).collect(),
        })
    }
}

fn file_index(files: &mut Vec<Arc<SourceFile>>, file: &Arc<SourceFile>) -> i32 {
    let known = files.iter().position(|known| known == file);
    let index = known.unwrap_or_else(|| {
        files.push(Arc::clone(file));
        files.len() - 1
    });
    i32::try_from(index).unwrap_or(i32::MAX)
}

fn location_proto(source_index: i32, location: &Location) -> pb::Locations {
    let position = |line| {
        Some(pb::Position {
            line: i32::try_from(line).unwrap_or(i32::MAX),
            character: 0,
        })
    };
    pb::Locations {
        locations: vec![pb::Location {
            source_index,
            ranges: vec![pb::Range {
                start: position(location.first),
                end: position(location.last),
            }],
        }],
    }
}

fn info_proto(file: &SourceFile) -> pb::SourceInfo {
    pb::SourceInfo {
        filename: file.filename.clone(),
        data: file.data.clone(),
        definition: None,
        language: file.language.clone(),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::{Copy, Exec, FileOp, Http, Local, Mount, merge};
    use super::*;

    fn graph() -> State {
        let source = State::from(Local::new("src").exclude(["*.log"]).with("source"));
        let package = State::from(Http::new("https://example.test/a.apk"));
        let root = FileOp::on(&State::scratch())
            .copy(&package, Copy::new("/a.apk", "/").unpack())
            .copy(&source, Copy::new("/", "/src"))
            .state();
        let built = root.run(Exec::shell("make").mount(Mount::scratch("/out")));
        merge([&root, built.mount("/out").unwrap(), &package], "image")
    }

    #[test]
    fn the_same_graph_has_the_same_bytes_a_thousand_times() {
        let first = graph().marshal().unwrap();
        let bytes = first.proto().encode_to_vec();
        for _ in 0..1000 {
            assert_eq!(graph().marshal().unwrap().proto().encode_to_vec(), bytes);
        }
    }

    #[test]
    fn dependencies_come_first_and_the_last_operation_only_points() {
        let definition = graph().marshal().unwrap();
        let mut known = BTreeSet::new();
        for bytes in &definition.proto().def {
            let op = pb::Op::decode(&bytes[..]).unwrap();
            assert!(op.inputs.iter().all(|input| known.contains(&input.digest)));
            known.insert(Digest::of(bytes).to_string());
        }
        let last = definition.proto().def.last().unwrap();
        let last = pb::Op::decode(&last[..]).unwrap();
        assert_eq!((last.op, last.platform), (None, None));
        assert_eq!(last.inputs[0].digest, definition.head().to_string());
        assert_eq!(definition.vertices().len(), known.len() - 1);
    }

    #[test]
    fn equal_operations_are_sent_once_and_keep_what_either_asks_for() {
        let one = State::from(Local::new("a").with(Metadata::default().ignore_cache()));
        let other = State::from(Local::new("a").with("named"));
        let definition = merge([&one, &other], "both").marshal().unwrap();
        assert_eq!(definition.proto().def.len(), 3);
        let digest = one.output().unwrap().vertex().digest();
        let metadata = &definition.proto().metadata[&digest.to_string()];
        assert!(metadata.ignore_cache);
        assert_eq!(metadata.description["llb.customname"], "named");
    }

    #[test]
    fn the_digest_does_not_depend_on_metadata() {
        let plain = State::from(Local::new("a"));
        let named = State::from(Local::new("a").with(Metadata::named("x").ignore_cache()));
        assert_eq!(plain.output(), named.output());
    }

    #[test]
    fn scratch_has_no_definition() {
        assert_eq!(State::scratch().marshal(), Err(MarshalError::Scratch));
    }

    #[test]
    fn a_source_file_is_sent_once_for_all_its_locations() {
        let file = Arc::new(SourceFile {
            filename: "peelbox.yaml".to_owned(),
            language: "YAML".to_owned(),
            data: b"a\nb\n".to_vec(),
        });
        let at = |line| {
            Metadata::default().at(Location {
                file: Arc::clone(&file),
                first: line,
                last: line,
            })
        };
        let one = State::from(Local::new("a").with(at(1)));
        let other = State::from(Local::new("b").with(at(2)));
        let definition = merge([&one, &other], "m").marshal().unwrap();
        let source = definition.proto().source.as_ref().unwrap();
        assert_eq!((source.infos.len(), source.locations.len()), (1, 2));
        let digest = other.output().unwrap().vertex().digest().to_string();
        let range = source.locations[&digest].locations[0].ranges[0];
        assert_eq!(range.start.unwrap().line, 2);
    }

    #[test]
    fn shared_inputs_do_not_multiply_the_work() {
        // 2^64 paths lead to the source: walking each would not end.
        let mut state = State::from(Local::new("a"));
        for _ in 0..64 {
            state = merge([&state, &state], "m");
        }
        assert_eq!(state.marshal().unwrap().proto().def.len(), 66);
    }

    #[test]
    fn a_graph_beyond_the_message_limit_is_refused() {
        let script = "x".repeat(MAX_BYTES);
        let state = State::scratch().run(Exec::shell(script)).root().clone();
        assert!(matches!(
            state.marshal(),
            Err(MarshalError::TooLarge { bytes }) if bytes > MAX_BYTES
        ));
    }
}
