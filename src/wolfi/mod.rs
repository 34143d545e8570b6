//! Wolfi's packages.

mod atom;
mod calendar;
mod identity;
mod index;
mod resolve;
mod solver;
mod stream;
mod suggest;
mod unsatisfiable;
mod version;

pub use atom::{Atom, Constraint, ParseAtomError, Provide, Relation};
pub use calendar::{Calendar, ParseCalendarError, Upkeep};
pub use identity::{Identity, ParseIdentityError};
pub use index::{Index, Package, UnknownPackage};
pub use resolve::{Closure, Member, Reason, resolve};
pub use stream::{Choice, NoStream, Pattern, Status, Stream, choose, streams};
pub use unsatisfiable::{Demand, Problem, Rejected, Unsatisfiable};
pub use version::Version;
