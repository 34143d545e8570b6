//! The `peelbox` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    peelbox::cli::main()
}
