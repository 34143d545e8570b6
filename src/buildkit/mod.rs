//! A client for BuildKit's gRPC protocol.

pub mod llb;
pub mod session;
