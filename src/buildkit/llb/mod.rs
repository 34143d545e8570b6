//! LLB, the graph of operations that BuildKit solves.
//!
//! A [`State`] is a file system that a graph of operations produces, with the environment, directory, user and
//! platform that operations on it start from. Operations are encoded when they are added, so every vertex knows
//! its digest at once; [`State::marshal`] only collects them.
//!
//! ```
//! use peelbox::buildkit::llb::{Copy, Exec, FileOp, Http, Mount, Rm, State};
//!
//! let package = State::from(Http::new("https://example.test/glibc-2.40-r0.apk"));
//! let root = FileOp::on(&State::scratch())
//!     .copy(&package, Copy::new("/*.apk", "/").wildcard().unpack())
//!     .rm(Rm::new("/.SIGN*").wildcard().allow_not_found())
//!     .with("unpack glibc")
//!     .state();
//! let ran = root.run(Exec::shell("make").mount(Mount::scratch("/out")));
//! let definition = ran.mount("/out").unwrap().marshal().unwrap();
//! assert_eq!(definition.proto().def.len(), 4);
//! ```

mod diff;
mod exec;
mod file;
mod marshal;
mod merge;
mod metadata;
mod mount;
mod source;
mod state;
mod vertex;

pub use diff::diff;
pub use exec::{Exec, Network, Proxy, Ran, Security};
pub use file::{Copy, FileOp, Mkdir, Mkfile, Owner, Rm, Symlink};
pub use marshal::{Definition, MarshalError};
pub use merge::merge;
pub use metadata::{Location, Metadata, ProgressGroup, SourceFile};
pub use mount::{Mount, Sharing};
pub use source::{Differ, Http, Image, Local, OciLayout, ResolveMode};
pub use state::State;
pub use vertex::{Output, Vertex};
