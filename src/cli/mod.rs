//! The program: flags and environment become options, options become a run, a run becomes an exit code.

mod args;
mod ci;
mod detect;
mod dial;
mod discover;
mod display;
mod doctor;
mod environment;
mod failure;
mod git;
mod index;
mod inputs;
mod interrupt;
mod outcome;
mod outputs;
mod packages;
mod setup;

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::{Cli, Command};
use environment::Environment;
use failure::Failure;

/// Runs the program on the process's own arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Cli::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print(); // there is nobody else to tell
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(arguments.command, &Environment::read()) {
        Ok(code) => code,
        Err(failure) => {
            say(&failure.render());
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(command: Command, environment: &Environment) -> Result<ExitCode, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // installed already is as good
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::environment(format!("cannot start: {error}")))?;
    match command {
        Command::Schema => print(&format!("{:#}\n", crate::spec::schema())),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "peelbox", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::DialStdio(connection) => runtime.block_on(dial::dial(&connection, environment)),
        Command::Ci(arguments) => runtime.block_on(ci::run(&arguments, environment)),
        Command::Frontend { .. } => Err(Failure::input(
            "there is no `peelbox frontend`: peelbox is no BuildKit frontend any more",
        )
        .hint("`peelbox ci` builds every app of a repository, `peelbox build` one of them")),
        Command::Detect(arguments) => runtime.block_on(detect::run(&arguments, environment)),
        Command::Packages(question) => runtime.block_on(packages::run(&question, environment)),
        Command::Doctor(arguments) => runtime.block_on(doctor::run(&arguments, environment)),
        Command::Build(_) => Err(Failure::input("not there yet")),
    }
}

/// Writes data to stdout.
fn print(text: &str) -> Result<ExitCode, Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // Who closes the pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::environment(format!(
            "cannot write to stdout: {error}"
        ))),
    }
}

/// Writes a file under a temporary name beside it and renames it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = || -> io::Result<()> {
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(bytes)?;
        file.as_file()
            .set_permissions(Permissions::from_mode(0o644))?;
        file.persist(path)?;
        Ok(())
    };
    written().map_err(|error| {
        Failure::environment(format!("cannot write `{}`: {error}", path.display()))
    })
}

/// Writes a message to stderr.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes()); // there is nobody else to tell
}
