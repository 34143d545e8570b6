//! Wolfi's packages.

mod atom;
mod cache;
mod calendar;
mod gzip;
mod identity;
mod index;
mod keys;
mod package;
mod pins;
mod repository;
mod resolve;
mod signed;
mod slots;
mod solver;
mod stream;
mod suggest;
#[cfg(test)]
mod testing;
mod unsatisfiable;
mod untar;
mod version;

pub use atom::{Atom, Constraint, ParseAtomError, Provide, Relation};
pub use calendar::{Calendar, Upkeep};
pub use identity::{Identity, ParseIdentityError};
pub use index::{Index, Package, UnknownPackage};
pub use keys::{Keys, ParseKeyError, SignatureError};
pub use package::{Fault, PackageError, PackageInfo, Verified, Verifier};
pub use pins::{Pinned, Pins};
pub use repository::{Fetched, Freshness, Repository, RepositoryError};
pub use resolve::{Closure, Member, Reason, resolve};
pub use signed::IndexError;
pub use stream::{Choice, NoStream, Pattern, Status, Stream, choose, streams};
pub use unsatisfiable::{Demand, Problem, Rejected, Unsatisfiable};
pub use untar::{Entry, EntryKind, TarError};
pub use version::Version;
