//! From a repository to small, auditable, running container images, without a Dockerfile.
//!
//! Five layers; a module imports lower layers only (`tests/layers.rs` holds them to it):
//!
//! ```text
//! 4  cli                                  flags and environment → options, order of things, exit codes, advice
//! 3  build                                one app through BuildKit: joins client, packages, image and SBOM
//! 2  detect  image  progress  report      stages: values in, values out; they do not know each other
//! 1  buildkit  sbom  spec  wolfi          leaves: one outside thing each; they do not know each other
//! 0  oci  text                            vocabulary: Digest, Descriptor, Platform, Reference, config, archive; visible text
//! ```
//!
//! A run turns one value into the next: `Spec → Plan → Built → Definition → Solved → Archive → Report`.

pub mod build;
pub mod buildkit;
pub mod cli;
pub mod detect;
pub mod image;
pub mod oci;
pub mod progress;
pub mod report;
pub mod sbom;
pub mod spec;
pub mod text;
pub mod wolfi;
