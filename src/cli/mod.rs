//! The program: flags and environment become options, options become a run, a run becomes an exit code.

mod args;
mod base;
mod build;
mod builder;
mod cache;
mod ci;
mod delivery;
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
mod login;
mod metadata;
mod outcome;
mod output;
mod outputs;
mod packages;
mod place;
mod secrets;
mod settings;
mod setup;
mod ssh;
mod start;
mod steps;
mod tags;
mod target;
mod tls;
mod truststore;
mod usage;

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;

use args::{Cli, Command};
use environment::Environment;
use failure::Failure;

/// Runs the program on the process's own arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    let environment = Environment::read();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let ended = match usage::parse(&arguments, &environment) {
        Ok(arguments) => run(arguments.command, &environment),
        Err(error) => match usage::failure(&error, &texts(&arguments), &environment) {
            Some(failure) => Err(failure),
            None => {
                let _ = error.print(); // there is nobody else to tell
                return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
            }
        },
    };
    ended.unwrap_or_else(|failure| {
        say(&failure.render());
        ExitCode::from(failure.exit as u8)
    })
}

// For messages only.
fn texts(arguments: &[OsString]) -> Vec<String> {
    let texts = arguments.iter().map(|argument| argument.to_string_lossy());
    texts.map(Cow::into_owned).collect()
}

fn run(command: Command, environment: &Environment) -> Result<ExitCode, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // installed already is as good
    // Detection seldom has anything to wait for: threads would take longer to start than that.
    let mut builder = match command {
        Command::Detect(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::environment(format!("cannot start: {error}")))?;
    match command {
        Command::Schema(arguments) => {
            let schema = match arguments.overrides {
                true => crate::spec::overrides_schema(),
                false => crate::spec::schema(),
            };
            print(&format!("{schema:#}\n"))
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "peelbox", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::Builder(order) => runtime.block_on(builder::run(&order, environment)),
        Command::DialStdio(connection) => runtime.block_on(dial::dial(&connection, environment)),
        Command::Ci(arguments) => runtime.block_on(ci::run(&arguments, environment)),
        Command::Frontend { .. } => Err(Failure::input(
            "there is no `peelbox frontend`: peelbox is no BuildKit frontend any more",
        )
        .hint("`peelbox ci` builds every app of a repository, `peelbox build` one of them")),
        Command::Detect(arguments) => runtime.block_on(detect::run(&arguments, environment)),
        Command::Packages(question) => runtime.block_on(packages::run(&question, environment)),
        Command::Doctor(arguments) => runtime.block_on(doctor::run(&arguments, environment)),
        Command::Build(arguments) => runtime.block_on(build::run(&arguments, environment)),
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
    written().map_err(|error| unwritable(path, &error))
}

/// The failure for a file that cannot be written.
fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let text = error.to_string();
    // Temporary files tell their own names, which nobody knows.
    let reason = text
        .split_once(" at path \"")
        .map_or(&*text, |(reason, _)| reason);
    Failure::environment(format!("cannot write `{}`: {reason}", path.display()))
}

/// Writes a message to stderr.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes()); // there is nobody else to tell
}
