//! What one file system adds to another.

use buildkit_proto::pb;

use super::vertex::{Inputs, Vertex};
use super::{Metadata, State};

/// The files that `upper` adds to, changes in or removes from `lower`, as a state to [`merge`](super::merge()).
///
/// Against scratch that is `upper` itself. Needs BuildKit 0.10 (`diffop`).
#[must_use]
pub fn diff(lower: &State, upper: &State, metadata: impl Into<Metadata>) -> State {
    let Some(base) = lower.output() else {
        return upper.clone();
    };
    let mut inputs = Inputs::default();
    let op = pb::DiffOp {
        lower: Some(pb::LowerDiffInput {
            input: inputs.push(base),
        }),
        upper: Some(pb::UpperDiffInput {
            input: match upper.output() {
                Some(output) => inputs.push(output),
                None => inputs.index(None),
            },
        }),
    };
    let output = Vertex::create(pb::op::Op::Diff(op), inputs, None, metadata.into());
    lower.with_output(Some(output))
}

#[cfg(test)]
mod tests {
    use super::super::Local;
    use super::*;

    #[test]
    fn the_difference_to_scratch_is_the_state_itself() {
        let local = State::from(Local::new("a"));
        assert_eq!(
            diff(&State::scratch(), &local, "d").output(),
            local.output()
        );
    }
}
