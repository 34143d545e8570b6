//! The languages.

mod beam;
mod clojure;
mod crystal;
mod dart;
mod deno;
mod dotnet;
mod elixir;
mod erlang;
mod generators;
mod gleam;
mod go;
mod haskell;
mod julia;
mod jvm;
mod lua;
mod native;
mod nim;
mod node;
mod ocaml;
mod packaged;
mod perl;
mod php;
mod python;
mod r;
mod ruby;
mod rust;
mod scala;
mod shell;
mod static_site;
mod swift;
mod zig;

pub(crate) use node::Packages as NodePackages;
#[cfg(test)]
pub(crate) use node::assets_below;

use super::provider::Provider;

/// Every language, in the order in which they look: JavaScript after the back ends whose assets it may build, and a static
/// site is what no other language claims; scripts come last, since nearly everything has some.
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
    &zig::Zig,
    &dart::Dart,
    &swift::Swift,
    &haskell::Haskell,
    &crystal::Crystal,
    &ocaml::OCaml,
    &nim::Nim,
    &julia::Julia,
    &r::R,
    &perl::Perl,
    &lua::Lua,
    &native::Native,
    &generators::Generators,
    &node::Node,
    &static_site::StaticSite,
    &shell::Shell,
];
