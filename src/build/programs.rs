//! Whether the programs that an image runs are in it.

use crate::buildkit::{BuildReference, Error, Gateway};
use crate::image::{Plan, shebang};

use super::failure::Cause;

const HEAD: u64 = 256;

/// Checks the command and every process of `plan` against the image's file system.
///
/// # Errors
/// When a program, or the interpreter that a script names, is not there.
pub(super) async fn check(
    gateway: &Gateway,
    image: &BuildReference,
    plan: &Plan<'_>,
) -> Result<(), Cause> {
    let command = std::iter::once(("command", &plan.command));
    let processes = plan
        .processes
        .iter()
        .map(|(name, argv)| (name.as_str(), argv));
    for (process, argv) in command.chain(processes) {
        let Some(program) = argv.first() else {
            continue;
        };
        let Some(path) = find(gateway, image, plan, program).await? else {
            return Err(Cause::Program {
                process: process.to_owned(),
                program: program.clone(),
            });
        };
        let head = gateway.read_range(image, &path, 0, HEAD).await?;
        let Some(script) = shebang(&head) else {
            continue;
        };
        let missing = |interpreter: &str| Cause::Interpreter {
            process: process.to_owned(),
            program: program.clone(),
            interpreter: interpreter.to_owned(),
        };
        if gateway.stat(image, &script.interpreter).await?.is_none() {
            return Err(missing(&script.interpreter));
        }
        // `env` looks for what it runs as a shell would.
        if let Some(name) = script.program()
            && find(gateway, image, plan, &name).await?.is_none()
        {
            return Err(missing(&name));
        }
    }
    Ok(())
}

/// Where the kernel or `execvp` would find `program`.
async fn find(
    gateway: &Gateway,
    image: &BuildReference,
    plan: &Plan<'_>,
    program: &str,
) -> Result<Option<String>, Error> {
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
    for candidate in candidates {
        if gateway
            .stat(image, &candidate)
            .await?
            .is_some_and(|stat| !stat.is_directory)
        {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}
