//! From a spec to an image: a plan that can be built, its graph, and its configuration.

mod base;
mod calls;
mod config;
mod crates;
mod layout;
mod libraries;
mod lower;
mod plan;
mod script;
mod site;

pub use base::BaseImage;
pub use calls::{Call, calls};
pub use config::{Origin, config};
pub use layout::{CRATES, MANIFESTS, link};
pub use libraries::{Needs, NeedsError, Pages, Shebang, section, shebang};
pub use lower::{
    Certificates, Context, PinnedPackage, RootFiles, Steps, lower_build, lower_image, lower_root,
};
pub use plan::{
    CacheMount, CopyPath, Plan, Problem, ProblemKind, Scope, Solved, plan, plan_beside,
};
pub use script::script;
