//! What a run did, as data, as a summary and as text.

mod escape;
mod model;
mod summary;
mod text;
mod units;
mod write;

pub use model::{
    App, Artifact, Buildkit, Config, Evidence, Failure, Image, Kind, Layer, Outcome, Package,
    PackageIndex, Phase, ReadError, Report, Run, Steps, Transfer,
};
pub use summary::summary;
pub use text::text;
pub use write::WriteError;
