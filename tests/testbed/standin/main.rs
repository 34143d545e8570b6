//! Makes and serves a stand-in of Wolfi: a signed package repository and a base image, of ordinary
//! packages under Wolfi's names. It is a test double.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[path = "../../support/apk.rs"]
mod apk;
mod base;
mod check;
mod elf;
mod inputs;
mod keystore;
mod make;
mod recipe;
mod serve;
mod stage;

/// What fails here is read by the person who runs the test bed.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A stand-in of Wolfi for tests
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes the repository and the base image; what is there and unchanged stays
    Make {
        /// How much is made
        #[arg(long, value_enum, default_value = "small")]
        set: recipe::Set,
        /// The folder it is made in
        #[arg(long)]
        out: PathBuf,
        /// Keeps the unpacked inputs, for work on the recipes
        #[arg(long)]
        keep_unpacked: bool,
    },
    /// Serves a folder over HTTP on the loopback address
    Serve {
        /// The folder
        #[arg(long)]
        dir: PathBuf,
        /// The port; 0 takes a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Where requests are noted, one line each: METHOD PATH STATUS BYTES
        #[arg(long)]
        log: PathBuf,
        /// Where the port is written
        #[arg(long)]
        port_file: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Make {
            set,
            out,
            keep_unpacked,
        } => std::path::absolute(&out)
            .map_err(Into::into)
            .and_then(|out| make::make(set, &out, keep_unpacked)),
        Command::Serve {
            dir,
            port,
            log,
            port_file,
        } => serve::serve(&dir, port, &log, port_file.as_deref()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Says something to the person who runs it.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "standin: {text}"); // nobody may be there to read it
}
