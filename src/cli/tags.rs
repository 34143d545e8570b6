//! The flag `--tag`: the names of images.

use crate::oci::{ParseReferenceError, Reference};
use crate::progress::escape;

use super::args;
use super::failure::{Failure, all, refuse};
use super::output::Wrong;

const APP: &str = "{app}";

/// Refuses a name that no image can have; `{app}` in it stands for the app's name.
pub(super) fn check(name: &str) -> Result<(), Wrong> {
    let reference: Reference = name.replace(APP, "app").parse().map_err(|error| {
        let error: ParseReferenceError = error;
        Wrong::new(
            escape(&error.to_string()),
            "it is a name like registry.example/team/{app}:1.0",
        )
    })?;
    match reference.digest() {
        None => Ok(()),
        Some(_) => Err(Wrong::new(
            format!("`{name}` has a digest, which only the build can know"),
            "leave out what follows the `@`",
        )),
    }
}

/// Reads the flags.
pub(super) fn read(flags: &[String]) -> Result<Vec<String>, Failure> {
    all(args::given(flags).map(|flag| match check(flag.trim()) {
        Ok(()) => Ok(flag.trim().to_owned()),
        Err(wrong) => Err(named(flag, wrong)),
    }))
}

fn named(flag: &str, wrong: Wrong) -> Failure {
    // Where the two differ, the user looks for what was written.
    let written = match flag.contains(APP) {
        true => format!(" {}", escape(flag)),
        false => String::new(),
    };
    Failure::input(format!("`--tag{written}`: {}", wrong.reason)).hint(wrong.hint)
}

/// The names of each app's image, by the flags; without one, the app's own.
pub(super) fn of(apps: &[&str], flags: &[String]) -> Result<Vec<Vec<String>>, Failure> {
    let ambiguous = flags
        .iter()
        .filter(|flag| apps.len() > 1 && !flag.contains(APP));
    refuse(ambiguous.map(|flag| {
        Failure::input(format!(
            "`--tag {flag}` would name the images of {} apps alike",
            apps.len()
        ))
        .hint("put `{app}` into it, which stands for the app's name")
    }))?;
    all(apps.iter().map(|app| names(app, flags)))
}

fn names(app: &str, flags: &[String]) -> Result<Vec<String>, Failure> {
    if flags.is_empty() {
        return Ok(vec![format!("{app}:latest")]);
    }
    all(flags.iter().map(|flag| {
        let name = flag.replace(APP, app);
        // What can be a name with one app's name need not be one with another's.
        check(&name).map_err(|wrong| named(flag, wrong))?;
        Ok(name)
    }))
}
