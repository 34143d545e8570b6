//! What `peelbox ci` costs on top of a daemon that has nothing left to do.

use std::path::Path;

use crate::case::Bench;

/// One run.
pub(crate) struct Run {
    pub(crate) apps: usize,
    pub(crate) files: usize,
    pub(crate) transfers: usize,
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    pub(crate) memory: i64,
}

pub(crate) fn measure(_peelbox: &Path, bench: &Bench) -> Run {
    Run {
        apps: bench.apps(),
        files: 0,
        transfers: 0,
        wall: 0.0,
        cpu: 0.0,
        memory: 0,
    }
}
