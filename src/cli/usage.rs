//! Command lines that cannot be read.

use std::error::Error as _;
use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _, Error, FromArgMatches as _};

use super::args::Cli;
use super::environment::Environment;
use super::failure::{Failure, Problem};
use super::inputs::list_or;

/// Reads the command line, with the variables that stand for flags; an empty one counts as unset.
pub(super) fn parse(arguments: &[OsString], environment: &Environment) -> Result<Cli, Error> {
    let matches = without_empty(Cli::command(), environment).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

// A workflow sets every variable, to nothing where its input was not given.
fn without_empty(command: Command, environment: &Environment) -> Command {
    let command = command.mut_args(|argument| {
        let name = argument.get_env().and_then(|name| name.to_str());
        match name.is_some_and(|name| environment.get(name).is_none()) {
            true => argument.env(Resettable::Reset),
            false => argument,
        }
    });
    command.mut_subcommands(|command| without_empty(command, environment))
}

/// What clap objects to, in the words of all other errors; `None` for help and versions, which are no errors.
pub(super) fn failure(
    error: &Error,
    arguments: &[String],
    environment: &Environment,
) -> Option<Failure> {
    let problem = match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
        ErrorKind::UnknownArgument => unknown(error, arguments),
        ErrorKind::InvalidSubcommand => {
            let name = text(error, ContextKind::InvalidSubcommand);
            let told = Problem::new(format!("there is no command `{name}`"));
            meant(
                told,
                error,
                ContextKind::SuggestedSubcommand,
                "`peelbox --help` lists them",
            )
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            value(error, arguments, environment)
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = texts(error, ContextKind::InvalidArg);
            let is = if missing.len() == 1 { "is" } else { "are" };
            let quoted: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
            Problem::new(format!("{} {is} missing", quoted.join(" and "))).hint(help(arguments))
        }
        _ => Problem::new(first_line(error)).hint(help(arguments)),
    };
    let mut failure = Failure::input(problem.message);
    for hint in problem.hints {
        failure = failure.hint(hint);
    }
    Some(failure)
}

fn unknown(error: &Error, arguments: &[String]) -> Problem {
    let name = text(error, ContextKind::InvalidArg);
    if name.starts_with("--context-name") {
        return Problem::new("there is no `--context-name`: the sources are read from a directory")
            .hint("`peelbox ci DIR` names it, and `peelbox build --repo DIR`");
    }
    let told = Problem::new(format!("`{}` takes no `{name}`", command(arguments)));
    meant(told, error, ContextKind::SuggestedArg, &help(arguments))
}

fn value(error: &Error, arguments: &[String], environment: &Environment) -> Problem {
    let argument = text(error, ContextKind::InvalidArg);
    let name = argument.split(' ').next().unwrap_or_default();
    let value = text(error, ContextKind::InvalidValue);
    let valid = texts(error, ContextKind::ValidValue);
    if value.is_empty() && variable(name, "", arguments, environment).is_none() {
        return Problem::new(format!("`{name}` needs a value")).hint(help(arguments));
    }
    let place = variable(name, &value, arguments, environment).unwrap_or(format!("`{name}`"));
    let reason = error.source().map(|reason| format!(": {reason}"));
    let told = Problem::new(format!(
        "{place} cannot be `{value}`{}",
        reason.unwrap_or_default()
    ));
    match valid.is_empty() {
        true => told.hint(help(arguments)),
        false => told.hint(format!("it is {}", list_or(&valid))),
    }
}

/// The variable that `value` comes from, where it is none of the arguments.
fn variable(
    flag: &str,
    value: &str,
    arguments: &[String],
    environment: &Environment,
) -> Option<String> {
    let is_given = arguments.iter().any(|argument| {
        argument == flag
            || argument
                .strip_prefix(flag)
                .is_some_and(|rest| rest.starts_with('='))
    });
    let name = environment_name(&Cli::command(), flag.strip_prefix("--")?)?;
    (!is_given && environment.get(&name) == Some(value)).then_some(name)
}

fn environment_name(command: &Command, long: &str) -> Option<String> {
    let own = command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(long))
        .and_then(|argument| Some(argument.get_env()?.to_str()?.to_owned()));
    own.or_else(|| {
        command
            .get_subcommands()
            .find_map(|command| environment_name(command, long))
    })
}

/// Adds what may have been meant, else where to look.
fn meant(told: Problem, error: &Error, kind: ContextKind, otherwise: &str) -> Problem {
    let near = texts(error, kind);
    match near.is_empty() {
        true => told.hint(otherwise),
        false => told.hint(format!("did you mean {}?", list_or(&near))),
    }
}

fn help(arguments: &[String]) -> String {
    format!("`{} --help` says what it takes", command(arguments))
}

/// The command that is meant, such as `peelbox packages check`.
fn command(arguments: &[String]) -> String {
    let mut command = &Cli::command();
    let mut names = vec!["peelbox"];
    for argument in arguments.iter().skip(1) {
        match command.find_subcommand(argument) {
            Some(found) => command = found,
            None => break,
        }
        names.push(argument);
    }
    names.join(" ")
}

fn first_line(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").replace('\'', "`")
}

fn text(error: &Error, kind: ContextKind) -> String {
    texts(error, kind).into_iter().next().unwrap_or_default()
}

fn texts(error: &Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::StyledStr(text)) => vec![text.to_string()],
        _ => Vec::new(),
    }
}
