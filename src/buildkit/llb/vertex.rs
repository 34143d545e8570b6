//! Encoded operations, each with its digest.

use std::sync::Arc;

use buildkit_proto::pb;
use prost::Message as _;

use super::Metadata;
use crate::oci::{Digest, Platform};

/// One operation of the graph: its encoding, the digest of that encoding, and the operations it reads from.
#[derive(Debug)]
pub struct Vertex {
    encoded: Vec<u8>,
    digest: Digest,
    inputs: Vec<Output>,
    metadata: Metadata,
}

/// One of the results of an operation; an exec has one for its root and one for each writable mount.
#[derive(Clone, Debug)]
pub struct Output {
    vertex: Arc<Vertex>,
    index: u32,
}

impl Vertex {
    /// The digest under which the daemon reports this operation.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub(super) fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    pub(super) fn inputs(&self) -> &[Output] {
        &self.inputs
    }

    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Encodes `op` as the daemon would, hashes it and gives its first output.
    pub(super) fn create(
        op: pb::op::Op,
        inputs: Inputs,
        platform: Option<&Platform>,
        metadata: Metadata,
    ) -> Output {
        let inputs = inputs.0;
        let encoded = encode(pb::Op {
            inputs: inputs.iter().map(Output::proto).collect(),
            platform: platform.map(platform_proto),
            constraints: Some(pb::WorkerConstraints::default()),
            op: Some(op),
        });
        Output {
            vertex: Arc::new(Self {
                digest: Digest::of(&encoded),
                encoded,
                inputs,
                metadata,
            }),
            index: 0,
        }
    }
}

impl Output {
    /// The operation that produces this output.
    #[must_use]
    pub fn vertex(&self) -> &Arc<Vertex> {
        &self.vertex
    }

    /// The same operation's output number `index`, counted from 0.
    pub(super) fn sibling(&self, index: u32) -> Self {
        Self {
            vertex: Arc::clone(&self.vertex),
            index,
        }
    }

    pub(super) fn proto(&self) -> pb::Input {
        pb::Input {
            digest: self.vertex.digest.to_string(),
            index: i64::from(self.index),
        }
    }
}

/// Equal when the same output of equal operations, wherever they are in memory.
impl PartialEq for Output {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && self.vertex.digest == other.vertex.digest
    }
}

impl Eq for Output {}

/// The inputs of an operation under construction, each of them once.
#[derive(Default)]
pub(super) struct Inputs(Vec<Output>);

impl Inputs {
    /// What BuildKit writes where an operation starts from scratch instead of from an input.
    const SCRATCH: i64 = -1;

    /// The index by which the operation refers to `output`, `-1` for scratch.
    pub(super) fn index(&mut self, output: Option<&Output>) -> i64 {
        let Some(output) = output else {
            return Self::SCRATCH;
        };
        let known = self.0.iter().position(|input| input == output);
        let index = known.unwrap_or_else(|| {
            self.0.push(output.clone());
            self.0.len() - 1
        });
        i64::try_from(index).expect("a vector has at most isize::MAX elements")
    }

    /// The index of `output` without looking for it among the earlier ones.
    pub(super) fn push(&mut self, output: &Output) -> i64 {
        self.0.push(output.clone());
        self.len() - 1
    }

    pub(super) fn len(&self) -> i64 {
        i64::try_from(self.0.len()).expect("a vector has at most isize::MAX elements")
    }
}

/// Encodes an operation in the field order of Go's encoder.
///
/// The daemon decodes every operation, encodes it again and takes the digest of that. Go writes the members of a
/// oneof behind all other fields, prost by their number; with prost's order the digests of status and errors would
/// not be ours ([`recomputeDigests`]).
///
/// [`recomputeDigests`]: https://github.com/moby/buildkit/blob/master/solver/llbsolver/vertex.go
pub(super) fn encode(mut op: pb::Op) -> Vec<u8> {
    let kind = op.op.take();
    let mut bytes = op.encode_to_vec();
    if kind.is_some() {
        let kind = pb::Op {
            op: kind,
            ..pb::Op::default()
        };
        kind.encode(&mut bytes)
            .expect("a vector grows as far as an encoding needs");
    }
    bytes
}

fn platform_proto(platform: &Platform) -> pb::Platform {
    pb::Platform {
        architecture: platform.architecture.clone(),
        os: platform.os.clone(),
        variant: platform.variant.clone().unwrap_or_default(),
        ..pb::Platform::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_an_operation_is_encoded_last() {
        let op = pb::Op {
            inputs: Vec::new(),
            platform: Some(platform_proto(&Platform::linux("amd64"))),
            constraints: Some(pb::WorkerConstraints::default()),
            op: Some(pb::op::Op::Source(pb::SourceOp {
                identifier: "local://a".to_owned(),
                attrs: [("k".to_owned(), "v".to_owned())].into(),
            })),
        };
        let platform = b"\x52\x0e\x0a\x05amd64\x12\x05linux";
        let constraints = b"\x5a\x00";
        let source = b"\x1a\x13\x0a\x09local://a\x12\x06\x0a\x01k\x12\x01v";
        assert_eq!(
            encode(op),
            [&platform[..], constraints, source].concat(),
            "tags 10, 11, then 3"
        );
    }
}
