//! Laying file systems over each other.

use buildkit_proto::pb;

use super::vertex::{Inputs, Vertex};
use super::{Metadata, State};

/// Lays `states` over each other, the later ones on top, without copying a file.
///
/// Scratch has no effect; one state or none is given back as it is. Environment and directory are those of the first.
/// Needs BuildKit 0.10 (`mergeop`).
#[must_use]
pub fn merge<'a>(
    states: impl IntoIterator<Item = &'a State>,
    metadata: impl Into<Metadata>,
) -> State {
    let states: Vec<&State> = states
        .into_iter()
        .filter(|state| state.output().is_some())
        .collect();
    let [first, _, ..] = states.as_slice() else {
        return states
            .first()
            .map_or_else(State::scratch, |&state| state.clone());
    };
    let mut inputs = Inputs::default();
    let op = pb::MergeOp {
        inputs: states
            .iter()
            .filter_map(|state| state.output())
            .map(|output| pb::MergeInput {
                input: inputs.push(output),
            })
            .collect(),
    };
    let output = Vertex::create(pb::op::Op::Merge(op), inputs, None, metadata.into());
    first.with_output(Some(output))
}

#[cfg(test)]
mod tests {
    use super::super::Local;
    use super::*;

    #[test]
    fn scratch_is_left_out() {
        let local = State::from(Local::new("a"));
        let merged = merge([&State::scratch(), &local], "m");
        assert_eq!(merged.output(), local.output());
        assert!(merge([], "m").output().is_none());
    }

    #[test]
    fn the_same_state_twice_is_two_inputs() {
        let local = State::from(Local::new("a"));
        let merged = merge([&local, &local], "m");
        assert_eq!(merged.output().unwrap().vertex().inputs().len(), 2);
    }
}
