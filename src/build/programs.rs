//! Whether the programs that an image runs are in it.

use crate::buildkit::{BuildReference, Error, Gateway};
use crate::image::{Plan, shebang};

use super::failure::Cause;

const HEAD: u64 = 256;

/// Checks the command and every process of `plan` against the image's file system.
///
/// # Errors
/// When a program, or the interpreter that a script names, is not there or may not be run.
pub(super) async fn check(
    gateway: &Gateway,
    image: &BuildReference,
    plan: &Plan<'_>,
) -> Result<(), Cause> {
    let command = std::iter::once(("runtime.command".to_owned(), &plan.command));
    let processes = plan
        .processes
        .iter()
        .map(|(name, argv)| (format!("runtime.processes.{name}"), argv));
    for (process, argv) in command.chain(processes) {
        if let Some(program) = argv.first() {
            check_program(gateway, image, plan, process, program).await?;
        }
    }
    Ok(())
}

async fn check_program(
    gateway: &Gateway,
    image: &BuildReference,
    plan: &Plan<'_>,
    process: String,
    program: &str,
) -> Result<(), Cause> {
    let program = program.to_owned();
    let path = match find(gateway, image, plan, &program).await? {
        Found::Program(path) => path,
        Found::File => return Err(Cause::NotExecutable { process, program }),
        Found::Nothing => return Err(Cause::Program { process, program }),
    };
    let head = gateway.read_range(image, &path, 0, HEAD).await?;
    let Some(script) = shebang(&head) else {
        return Ok(());
    };
    // `env` looks for what it runs as a shell would.
    let looked_for = script.program();
    let is_there = gateway.stat(image, &script.interpreter).await?.is_some()
        && match &looked_for {
            Some(name) => matches!(find(gateway, image, plan, name).await?, Found::Program(_)),
            None => true,
        };
    if is_there {
        return Ok(());
    }
    Err(Cause::Interpreter {
        process,
        program,
        interpreter: looked_for.unwrap_or(script.interpreter),
    })
}

/// What lies where a program is looked for.
enum Found {
    /// A program, at this path.
    Program(String),
    /// A file that may not be run.
    File,
    Nothing,
}

/// Where the kernel or `execvp` would find `program`.
async fn find(
    gateway: &Gateway,
    image: &BuildReference,
    plan: &Plan<'_>,
    program: &str,
) -> Result<Found, Error> {
    let candidates: Vec<String> = if program.starts_with('/') {
        vec![program.to_owned()]
    } else if program.contains('/') {
        vec![format!("{}/{program}", plan.workdir.trim_end_matches('/'))]
    } else {
        let path = plan.env.get("PATH").map(String::as_str).unwrap_or_default();
        path.split(':')
            .filter(|entry| !entry.is_empty())
            .map(|entry| format!("{entry}/{program}"))
            .collect()
    };
    let mut found = Found::Nothing;
    for candidate in candidates {
        match gateway.stat(image, &candidate).await? {
            // The permissions of a link say nothing.
            Some(stat)
                if stat.link.is_some() || stat.permissions & 0o111 != 0 && !stat.is_directory =>
            {
                return Ok(Found::Program(candidate));
            }
            Some(stat) if !stat.is_directory => found = Found::File,
            _ => {}
        }
    }
    Ok(found)
}
