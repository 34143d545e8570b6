//! The languages.

mod beam;
mod clojure;
mod deno;
mod dotnet;
mod elixir;
mod erlang;
mod gleam;
mod go;
mod jvm;
mod node;
mod php;
mod python;
mod ruby;
mod rust;
mod scala;
mod static_site;
mod unsupported;

pub(crate) use node::Packages as NodePackages;
#[cfg(test)]
pub(crate) use node::assets_below;

use super::provider::Provider;

/// Every language, in the order in which they look: JavaScript after the back ends whose assets it may build, and a static
/// site is what no other language claims.
pub(crate) static ALL: &[&dyn Provider] = &[
    &clojure::Clojure,
    &dotnet::DotNet,
    &go::Go,
    &jvm::Jvm,
    &elixir::Elixir,
    &erlang::Erlang,
    &gleam::Gleam,
    &php::Php,
    &python::Python,
    &ruby::Ruby,
    &rust::Rust,
    &deno::Deno,
    &scala::Scala,
    &node::Node,
    &unsupported::Unsupported,
    &static_site::StaticSite,
];
