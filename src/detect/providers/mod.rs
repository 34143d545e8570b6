//! The languages.

mod deno;
mod go;
mod node;
mod python;
mod rust;
mod static_site;
mod unsupported;

pub(crate) use node::Packages as NodePackages;
#[cfg(test)]
pub(crate) use node::assets_below;

use super::provider::Provider;

/// Every language, in the order in which they look: JavaScript after the back ends whose assets it may build, and a static
/// site is what no other language claims.
pub(crate) static ALL: &[&dyn Provider] = &[
    &go::Go,
    &python::Python,
    &rust::Rust,
    &deno::Deno,
    &node::Node,
    &unsupported::Unsupported,
    &static_site::StaticSite,
];
