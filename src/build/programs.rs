//! Whether the programs that an image runs are in it.

use crate::buildkit::{BuildReference, Gateway};
use crate::image::{Plan, Shebang, script, shebang};
use crate::oci::Platform;

use super::failure::Cause;
use super::loading;

const HEAD: u64 = 256;

/// Checks the command and every process of `plan` against the image's file system.
///
/// # Errors
/// When a program is not there or cannot be run, or when what it runs is not there: the interpreter that a script names, or
/// the script that an interpreter is given.
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
        let process = process.as_str();
        let Some(program) = argv.first() else {
            continue;
        };
        let path = find(gateway, image, plan, process, program).await?;
        let head = gateway.read_range(image, &path, 0, HEAD).await?;
        if is_foreign(&head, &plan.platform) {
            return Err(Cause::Machine {
                process: process.to_owned(),
                program: program.clone(),
                platform: plan.platform.to_string(),
            });
        }
        match shebang(&head) {
            Some(script) => {
                interpreter(gateway, image, plan, process, program, &script).await?;
            }
            None => loading::check(gateway, image, plan, process, &path).await?,
        }
        file(gateway, image, plan, process, argv).await?;
    }
    Ok(())
}

/// Checks what the first line of a script names.
async fn interpreter(
    gateway: &Gateway,
    image: &BuildReference,
    plan: &Plan<'_>,
    process: &str,
    program: &str,
    script: &Shebang,
) -> Result<(), Cause> {
    let missing = |interpreter: &str| Cause::Interpreter {
        process: process.to_owned(),
        program: program.to_owned(),
        interpreter: interpreter.to_owned(),
    };
    if gateway.stat(image, &script.interpreter).await?.is_none() {
        // Nobody wants `env` itself.
        return Err(missing(
            &script
                .program()
                .unwrap_or_else(|| script.interpreter.clone()),
        ));
    }
    // `env` looks for what it runs as a shell would.
    let runs = match script.program() {
        Some(name) => match find(gateway, image, plan, process, &name).await {
            Err(Cause::Program { .. }) => return Err(missing(&name)),
            found => found?,
        },
        None => script.interpreter.clone(),
    };
    loading::check(gateway, image, plan, process, &runs).await
}

/// Checks the file that an interpreter is given.
async fn file(
    gateway: &Gateway,
    image: &BuildReference,
    plan: &Plan<'_>,
    process: &str,
    argv: &[String],
) -> Result<(), Cause> {
    let files = script(argv);
    let Some(named) = files.first() else {
        return Ok(());
    };
    for file in &files {
        let path = within(plan, file);
        // What lies there comes with a volume.
        let is_mounted = plan
            .writable
            .iter()
            .any(|directory| path.starts_with(&format!("{directory}/")));
        if is_mounted || gateway.stat(image, &path).await?.is_some() {
            return Ok(());
        }
    }
    Err(Cause::Script {
        process: process.to_owned(),
        program: argv.first().cloned().unwrap_or_default(),
        script: named.clone(),
    })
}

fn within(plan: &Plan<'_>, path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!(
            "{}/{}",
            plan.workdir.trim_end_matches('/'),
            path.trim_start_matches("./")
        )
    }
}

// https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html: the machine stands at 18, in the file's byte order, which is
// the same for both.
fn is_foreign(head: &[u8], platform: &Platform) -> bool {
    let machine = match platform.architecture.as_str() {
        "amd64" => [62, 0],
        "arm64" => [183, 0],
        _ => return false,
    };
    head.starts_with(b"\x7fELF") && head.get(18..20).is_some_and(|bytes| bytes != machine)
}

/// Where the kernel or `execvp` would find `program`.
async fn find(
    gateway: &Gateway,
    image: &BuildReference,
    plan: &Plan<'_>,
    process: &str,
    program: &str,
) -> Result<String, Cause> {
    let candidates: Vec<String> = if program.contains('/') {
        vec![within(plan, program)]
    } else {
        let path = plan.env.get("PATH").map(String::as_str).unwrap_or_default();
        path.split(':')
            .filter(|entry| !entry.is_empty())
            .map(|entry| format!("{entry}/{program}"))
            .collect()
    };
    let mut is_refused = false;
    for candidate in candidates {
        match gateway.stat(image, &candidate).await? {
            Some(stat) if stat.is_file && stat.permissions & 0o111 != 0 => return Ok(candidate),
            Some(stat) if stat.is_file => is_refused = true,
            _ => {}
        }
    }
    let (process, program) = (process.to_owned(), program.to_owned());
    Err(match is_refused {
        true => Cause::NotExecutable { process, program },
        false => Cause::Program { process, program },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_for_another_machine_is_told_by_its_header() {
        let mut head = b"\x7fELF".to_vec();
        head.resize(64, 0);
        head[18] = 183;
        assert!(is_foreign(&head, &Platform::linux("amd64")));
        assert!(!is_foreign(&head, &Platform::linux("arm64")));
        assert!(!is_foreign(b"#!/bin/sh", &Platform::linux("amd64")));
    }
}
