//! The languages.

mod beam;
mod elixir;
mod erlang;
mod gleam;
mod go;
mod node;
mod php;
mod python;
mod ruby;
mod rust;
mod static_site;
mod unsupported;

use super::provider::Provider;

/// Every language, in the order in which they look: JavaScript after the back ends whose assets it may build, and a static
/// site is what no other language claims.
pub(crate) static ALL: &[&dyn Provider] = &[
    &elixir::Elixir,
    &erlang::Erlang,
    &gleam::Gleam,
    &go::Go,
    &php::Php,
    &python::Python,
    &ruby::Ruby,
    &rust::Rust,
    &node::Node,
    &unsupported::Unsupported,
    &static_site::StaticSite,
];
