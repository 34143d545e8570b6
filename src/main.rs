//! The `peelbox` program.

fn main() {}
