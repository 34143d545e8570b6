//! From what happened to what is told of it.

use std::time::Duration;

use crate::build::{self, BaseError, Cause, PackageError, Solved};
use crate::buildkit::Error;
use crate::image::Plan;
use crate::oci::{Archive, ArchivedImage, Descriptor};
use crate::report;

use super::failure::Exit;

/// The entry of an app, before anything is known of it.
pub(super) fn app(plan: &Plan<'_>, outcome: report::Outcome, duration: Duration) -> report::App {
    report::App {
        name: plan.name.clone(),
        path: plan.path.clone(),
        platform: Some(plan.platform.clone()),
        outcome,
        image: None,
        artifacts: Vec::new(),
        packages: Vec::new(),
        libraries: std::collections::BTreeMap::new(),
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        phases: Vec::new(),
        steps: report::Steps::default(),
        sent: report::Transfer::default(),
        warnings: Vec::new(),
        error: None,
    }
}

/// Completes the entry of an app that was built.
pub(super) fn built(
    mut app: report::App,
    solved: &Solved,
    archive: &Archive,
    image: &ArchivedImage,
) -> report::App {
    let config = &image.config.config;
    let command = config
        .entrypoint
        .iter()
        .chain(&config.cmd)
        .cloned()
        .collect();
    let layer = |layer: &Descriptor| report::Layer {
        digest: layer.digest,
        size: layer.size,
    };
    let root = archive.roots.first().map(|root| root.digest);
    app.image = Some(report::Image {
        tags: Vec::new(),
        manifest: image.descriptor.digest,
        index: root.filter(|digest| *digest != image.descriptor.digest),
        size: image.manifest.config.size
            + image
                .manifest
                .layers
                .iter()
                .map(|layer| layer.size)
                .sum::<u64>(),
        layers: image.manifest.layers.iter().map(layer).collect(),
        config: report::Config {
            user: config.user.clone(),
            workdir: config.working_dir.clone(),
            command,
            ports: config.exposed_ports.keys().cloned().collect(),
        },
    });
    let package = |(name, version): &(String, String)| report::Package {
        name: name.clone(),
        version: version.clone(),
    };
    app.packages = solved.packages.iter().map(package).collect();
    app.libraries.clone_from(&solved.libraries);
    app.steps = report::Steps {
        cached: solved.steps.cached,
        total: solved.steps.total,
    };
    app.sent = report::Transfer {
        files: solved.sent.files,
        bytes: solved.sent.bytes,
    };
    app.warnings.clone_from(&solved.warnings);
    app
}

/// What went wrong with an app, in the user's words.
pub(super) fn failed(failure: &build::Failure) -> report::Failure {
    let (step, command) = match &failure.step {
        Some(name) => split(name),
        None => (None, None),
    };
    report::Failure {
        step,
        command,
        exit_code: failure.exit_code.map(i64::from),
        message: message(failure),
        hint: hint(failure).map(str::to_owned),
        log: failure.log.clone(),
    }
}

/// The exit code that an app's failure asks for.
pub(super) fn exit(failure: &build::Failure) -> Exit {
    match &failure.cause {
        Cause::Daemon(Error::Interrupted) => Exit::Interrupted,
        Cause::Daemon(Error::Transport(_) | Error::Session(_))
        | Cause::Base(_)
        | Cause::Package(_) => Exit::Environment,
        _ => Exit::App,
    }
}

// `[app] build 1/2: npm run build` is how a step is shown while it runs.
fn split(name: &str) -> (Option<String>, Option<String>) {
    let name = name.split_once("] ").map_or(name, |(_, rest)| rest);
    match name.split_once(": ") {
        Some((step, command)) => (Some(step.to_owned()), Some(command.to_owned())),
        None => (Some(name.to_owned()), None),
    }
}

fn message(failure: &build::Failure) -> String {
    match (&failure.cause, failure.exit_code) {
        (Cause::Daemon(Error::Remote(_)), Some(code)) if failure.step.is_some() => {
            format!("its command ended with exit code {code}")
        }
        (Cause::Daemon(Error::Remote(error)), None) => match mismatch(&error.message) {
            Some((got, wanted)) => {
                format!("its file has the digest {got}, and was verified with {wanted}")
            }
            None => error.message.clone(),
        },
        (cause, _) => cause.to_string(),
    }
}

// `digest mismatch sha256:<got>: sha256:<wanted>` is all that the daemon says of a file that is another one.
fn mismatch(message: &str) -> Option<(&str, &str)> {
    let (_, digests) = message.split_once("digest mismatch ")?;
    digests.split_once(": ")
}

fn hint(failure: &build::Failure) -> Option<&'static str> {
    Some(match &failure.cause {
        Cause::Daemon(Error::Remote(error)) if mismatch(&error.message).is_some() => {
            "the repository changed a file that it had published, or something between it and the daemon did"
        }
        Cause::Daemon(Error::Remote(_)) if failure.exit_code == Some(66) => {
            "runtime.copy names what the build must leave; does the command write it somewhere else?"
        }
        Cause::Daemon(Error::Transport(_) | Error::Session(_)) => "is the daemon still running?",
        Cause::Library { .. } => {
            "add the package that has it to runtime.packages, or link it statically"
        }
        Cause::Loader { .. } => {
            "build it in the build stage, or use a release for glibc instead of one for another C library"
        }
        Cause::Program { .. } => {
            "add its package to runtime.packages, or copy it with runtime.copy"
        }
        Cause::NotExecutable { .. } => {
            "give it the right with chmod +x, in git too: git update-index --chmod=+x"
        }
        Cause::Machine { .. } => "build it for the platform of the image",
        Cause::Loading { .. } => {
            "ship it with runtime.copy to where the program looks (its RUNPATH, such as $ORIGIN/lib), or set LD_LIBRARY_PATH in runtime.env"
        }
        Cause::Script { .. } => {
            "does the build write it somewhere else? runtime.command runs in runtime.workdir; runtime.copy says what is there"
        }
        Cause::Interpreter { .. } => {
            "run the interpreter directly in runtime.command, or add its package to runtime.packages"
        }
        Cause::Base(BaseError::Unresolved { .. }) => {
            "PEELBOX_BASE_IMAGE names a copy of it in a registry that can be reached"
        }
        Cause::Base(BaseError::Foreign { .. }) => {
            "PEELBOX_BASE_IMAGE must be a copy of cgr.dev/chainguard/wolfi-base"
        }
        Cause::Package(error) => package_hint(error),
        _ => return None,
    })
}

/// What to do about a package that cannot be used.
pub(super) fn package_hint(error: &PackageError) -> &'static str {
    match error {
        PackageError::Download { .. } => {
            "is the network up? SSL_CERT_FILE and HTTPS_PROXY are honoured; the index may be older than the repository"
        }
        PackageError::Untrusted { .. } => {
            "the repository or something between it and this machine changed the file: do not use it until you know why"
        }
        PackageError::Layout { .. } => {
            "this package cannot be part of an image; choose another one"
        }
        PackageError::Local { .. } => {
            "serve the repository over HTTP and set PEELBOX_APK_REPOSITORY to that"
        }
        PackageError::Address(_) => "its record in the index is not usable",
    }
}
