//! From what happened to what is told of it.

use std::time::Duration;

use crate::build::{self, BaseError, Cause, PackageError, Solved};
use crate::buildkit::Error;
use crate::image::Plan;
use crate::oci::{Archive, ArchivedImage, Descriptor};
use crate::progress::Mask;
use crate::report;
use crate::wolfi::Fault;

use super::failure::{Exit, causes};
use super::index;
use super::inputs;
use super::setup::Ready;

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
        evidence: report::Evidence::default(),
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
        pushed: Vec::new(),
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
    app.evidence = report::Evidence {
        seen: solved.evidence.seen,
        linked: solved.evidence.linked,
        locked: solved.evidence.locked,
    };
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

/// What went wrong with an app, in the user's words and without the values of secrets.
pub(super) fn failed(app: &str, failure: &build::Failure, ready: &Ready) -> report::Failure {
    let failed = masked(failure, &ready.options.mask);
    let place = match (&ready.spec, &failed.step) {
        (Some(file), Some(step)) if failed.command.is_some() => inputs::place(file, app, step),
        _ => None,
    };
    report::Failure { place, ..failed }
}

fn masked(failure: &build::Failure, mask: &Mask) -> report::Failure {
    let failed = told(failure);
    let clean = |text: String| mask.text(&text).into_owned();
    report::Failure {
        step: failed.step.map(clean),
        command: failed.command.map(clean),
        message: clean(failed.message),
        log: failed.log.into_iter().map(clean).collect(),
        ..failed
    }
}

fn told(failure: &build::Failure) -> report::Failure {
    let (step, command) = match &failure.step {
        Some(name) => split(name),
        None => (None, None),
    };
    report::Failure {
        step,
        command,
        place: None,
        // That one is not the command's.
        exit_code: failure
            .exit_code
            .filter(|_| not_collected(failure).is_none())
            .map(i64::from),
        message: message(failure),
        hint: hint(failure).map(str::to_owned),
        log: log(failure),
    }
}

/// The exit code that an app's failure asks for.
pub(super) fn exit(failure: &build::Failure) -> Exit {
    match &failure.cause {
        Cause::Daemon(Error::Interrupted) => Exit::Interrupted,
        Cause::Base(BaseError::Foreign { .. }) => Exit::Input,
        Cause::Daemon(Error::Transport(_) | Error::Session(_) | Error::Silent { .. })
        | Cause::Base(_)
        | Cause::Package(_) => Exit::Environment,
        Cause::Daemon(Error::Remote(error))
            if ours(&error.message).is_some() || refused(&error.message).is_some() =>
        {
            Exit::Environment
        }
        _ => Exit::App,
    }
}

/// Whether a registry did not take an image that was built.
pub(super) fn is_of_push(failure: &build::Failure) -> bool {
    let message = match &failure.cause {
        Cause::Daemon(Error::Remote(error)) => &error.message,
        _ => return false,
    };
    failure.is_of_export && message.contains(PUSH)
}

/// Whether every other app would fail alike.
pub(super) fn ends_the_run(failure: &build::Failure) -> bool {
    match &failure.cause {
        Cause::Daemon(Error::Transport(_) | Error::Session(_) | Error::Silent { .. })
        | Cause::Base(_) => true,
        Cause::Daemon(Error::Remote(error)) => ours(&error.message).is_some(),
        _ => false,
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
    if let Some(why) = not_collected(failure) {
        return match why.strip_prefix(LEFT_NOTHING) {
            Some(path) => format!("{LEFT_NOTHING}`{path}`"),
            None => why.to_owned(),
        };
    }
    match (&failure.cause, failure.exit_code) {
        (Cause::Daemon(Error::Remote(_)), Some(137)) => "its command was killed".to_owned(),
        (Cause::Daemon(Error::Remote(_)), Some(139)) => "its command crashed".to_owned(),
        (Cause::Daemon(Error::Remote(_)), Some(_)) if failure.step.is_some() => ENDED.to_owned(),
        (Cause::Daemon(Error::Remote(error)), None) => match mismatch(&error.message) {
            Some((got, wanted)) => {
                format!("its file has the digest {got}, and was verified with {wanted}")
            }
            None => ours(&error.message)
                .unwrap_or_else(|| plain(&error.message))
                .to_owned(),
        },
        (cause, _) => causes(cause),
    }
}

const ENDED: &str = "its command failed";
// The step that collects what is shipped ends like this where it cannot, and writes why as the last it does. A command of the
// user's may end like this too.
const NOT_COLLECTED: u32 = 66;
const WHY: &str = "peelbox runtime.copy: ";
const ONE_PLACE: &str = " are one place in the image";
const LEFT_NOTHING: &str = "the build left no ";

fn not_collected(failure: &build::Failure) -> Option<&str> {
    let last = failure.log.last()?.strip_prefix(WHY)?;
    (failure.exit_code == Some(NOT_COLLECTED)).then_some(last)
}

// The last lines of the step, without what the message says.
fn log(failure: &build::Failure) -> Vec<String> {
    let is_told = usize::from(not_collected(failure).is_some());
    failure.log[..failure.log.len() - is_told].to_vec()
}

// What this side of the session answered comes back as an error of the daemon, with what it was doing before it.
fn ours(message: &str) -> Option<&str> {
    let (_, text) = message
        .rsplit_once("rpc error: code = ")
        .and_then(|(_, rest)| rest.split_once(" desc = "))?;
    text.starts_with("cannot write `").then_some(text)
}

// Errors that passed several hands name gRPC's code first.
fn plain(message: &str) -> &str {
    message
        .strip_prefix("rpc error: code = ")
        .and_then(|rest| rest.split_once(" desc = "))
        .map_or(message, |(_, text)| text)
}

// `digest mismatch sha256:<got>: sha256:<wanted>` is all that the daemon says of a file that is another one.
fn mismatch(message: &str) -> Option<(&str, &str)> {
    let (_, digests) = message.split_once("digest mismatch ")?;
    digests.split_once(": ")
}

fn hint(failure: &build::Failure) -> Option<&'static str> {
    Some(match &failure.cause {
        Cause::Daemon(Error::Remote(error)) => return remote_hint(failure, &error.message),
        Cause::Daemon(Error::Transport(_) | Error::Session(_) | Error::Silent { .. }) => {
            "is the daemon still running?"
        }
        Cause::Linked { .. } => {
            "copy what is in it with an entry of its own, whose `to` is where the link leads"
        }
        Cause::Library { .. } => {
            "have the build leave it and copy it with runtime.copy, or link it statically"
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
            "name the interpreter itself in runtime.command, and add its package to runtime.packages"
        }
        Cause::Base(error) => base_hint(error),
        Cause::Package(error) => package_hint(error),
        _ => return None,
    })
}

fn remote_hint(failure: &build::Failure, message: &str) -> Option<&'static str> {
    if mismatch(message).is_some() {
        return Some(
            "the repository changed a file that it had published, or something between it and the daemon did",
        );
    }
    if ours(message).is_some() {
        return Some("make room there, or name another directory with `--output-dir`");
    }
    if let Some(why) = not_collected(failure) {
        if why.ends_with(ONE_PLACE) {
            return Some("in the image one of the two is a link to the other: leave one file out");
        }
        return Some(match why.starts_with(LEFT_NOTHING) {
            true => {
                "runtime.copy lists it: does a command write it somewhere else, or need to be told to?"
            }
            false => {
                "runtime.copy gives both the same place: end `to` with `/`, or name another one"
            }
        });
    }
    if let Some(hint) = refused(message) {
        return Some(hint);
    }
    match failure.exit_code? {
        126 => Some("the program is not executable, or for another system"),
        127 => Some("a program was not found: add its package to build.packages"),
        137 => Some(
            "that is mostly for want of memory: give the daemon more, or let the command use less",
        ),
        _ => None,
    }
}

// How BuildKit begins what it says of a push that failed.
const PUSH: &str = "failed to push ";

// What the environment has to allow.
fn refused(message: &str) -> Option<&'static str> {
    if message.contains("granting entitlement network.host") {
        return Some(
            "start buildkitd with `--allow-insecure-entitlement network.host`, or leave out `--network host`",
        );
    }
    if let Some(hint) = token_hint(message) {
        return Some(hint);
    }
    if !message.contains(PUSH) {
        return None;
    }
    Some(match denies(message) {
        true => LOG_IN,
        false => {
            "the daemon must reach the registry; one without a certificate that is not on this machine needs `--output type=registry,registry.insecure=true`"
        }
    })
}

const LOG_IN: &str = "log in to the registry with `docker login`; DOCKER_CONFIG names the directory with the login, DOCKER_AUTH_CONFIG can hold it";

// What the session says of a token service passes through the daemon, which may leave out what it was for.
fn token_hint(message: &str) -> Option<&'static str> {
    if message.contains("cannot ask the token service `") {
        return Some(
            "this machine must reach it too; with BUILDKIT_NO_CLIENT_TOKEN=1 the daemon asks it, and gets the password for that",
        );
    }
    if message.contains("as its token service, to which the password would go unencrypted") {
        return Some(
            "it must be served over HTTPS; with BUILDKIT_NO_CLIENT_TOKEN=1 the daemon gets the password and asks it all the same",
        );
    }
    let (_, told) = message.split_once("the token service `")?;
    let is_denied = [" answers 401 ", " answers 403 "];
    let is_denied = is_denied.iter().any(|answer| told.contains(answer));
    is_denied.then_some(LOG_IN)
}

fn denies(text: &str) -> bool {
    [
        "401",
        "403",
        "denied",
        "authorization failed",
        "failed to authorize",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// What to do about a base image that cannot be used.
pub(super) fn base_hint(error: &BaseError) -> &'static str {
    let told = causes(error);
    if let Some(hint) = token_hint(&told) {
        return hint;
    }
    match error {
        BaseError::Foreign { .. } => {
            "PEELBOX_BASE_IMAGE must be a copy of cgr.dev/chainguard/wolfi-base"
        }
        BaseError::Unresolved { .. } if denies(&told) => {
            "log in to the registry with `docker login`; DOCKER_CONFIG names the directory with the login"
        }
        BaseError::Unresolved { .. } => {
            "the daemon must reach that registry; PEELBOX_BASE_IMAGE names a copy in another one"
        }
    }
}

/// What to do about a package that cannot be used.
pub(super) fn package_hint(error: &PackageError) -> &'static str {
    match error {
        PackageError::Download { .. } => index::unreached(error),
        PackageError::Status { status, .. } if matches!(status.as_u16(), 404 | 410) => {
            "the index lists a file that the repository does not have: that is for its owner to mend"
        }
        PackageError::Status { status, .. } => index::refused(*status),
        PackageError::Untrusted { fault, .. } => match fault {
            Fault::Truncated | Fault::Gzip { section: 1 } => {
                "the server or a proxy sent something else: open the address in a browser"
            }
            _ => {
                "the repository, or something between it and this machine, changed the file: peelbox does not use it"
            }
        },
        PackageError::Layout { .. } => {
            "this package cannot be part of an image; choose another one"
        }
        PackageError::Local { .. } => {
            "serve the repository over HTTP and set PEELBOX_APK_REPOSITORY to that"
        }
        PackageError::Address(_) => "its record in the index is not usable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_went_round_the_daemon_is_ours() {
        let full =
            "rpc error: code = Internal desc = cannot write `/out/a`: No space left on device";
        assert_eq!(
            ours(full),
            Some("cannot write `/out/a`: No space left on device")
        );
        assert_eq!(ours(&format!("failed to copy to tar: {full}")), ours(full));
        assert_eq!(ours("cannot write `/out/a`: no"), None);
        assert_eq!(ours("rpc error: code = Unknown desc = no such image"), None);
        assert_eq!(
            plain("rpc error: code = Unknown desc = no such image"),
            "no such image"
        );
    }

    #[test]
    fn what_keeps_tokens_from_being_fetched_here_is_told_from_each_other() {
        let hinted = |message: &str| token_hint(message).map(|hint| &hint[..22]);
        for (message, hint) in [
            (
                "cannot ask the token service `https://a.example/` of `b.example`: timed out",
                Some("this machine must reac"),
            ),
            (
                "the registry `b.example` names `http://a.example/` as its token service, to which the password would go unencrypted",
                Some("it must be served over"),
            ),
            (
                "failed to authorize: the token service `https://a.example/` of `b.example` answers 401 Unauthorized",
                Some("log in to the registry"),
            ),
            (
                "the token service `http://127.0.0.1:40123/` of `b.example` answers 503 Service Unavailable",
                None,
            ),
        ] {
            assert_eq!(hinted(message), hint, "{message}");
        }
    }

    #[test]
    fn a_step_is_told_from_its_command() {
        let pair =
            |step: &str, command: Option<&str>| (Some(step.to_owned()), command.map(str::to_owned));
        assert_eq!(
            split("[web] build 1/2: make: all"),
            pair("build 1/2", Some("make: all"))
        );
        assert_eq!(split("[web] source"), pair("source", None));
    }

    #[test]
    fn a_command_that_ends_with_the_code_of_the_collecting_step_is_told_as_itself() {
        let failure = |log: &[&str]| {
            let error = Error::from(tonic::Status::unknown("exit code: 66"));
            masked(
                &build::Failure {
                    step: Some("[web] build 1/1: ./check".to_owned()),
                    exit_code: Some(66),
                    is_of_export: false,
                    log: log.iter().map(|line| (*line).to_owned()).collect(),
                    cause: Cause::Daemon(error),
                },
                &Mask::default(),
            )
        };
        let own = "peelbox runtime.copy: the build left no /src/dist";
        let collected = failure(&["done", own]);
        assert_eq!(collected.message, "the build left no `/src/dist`");
        assert_eq!(
            (collected.exit_code, collected.log),
            (None, vec!["done".to_owned()])
        );
        for log in [&["no input"][..], &[own, "no input"], &[]] {
            let told = failure(log);
            assert_eq!(told.message, ENDED);
            assert_eq!((told.exit_code, told.hint), (Some(66), None));
            assert_eq!(told.log, log);
        }
    }

    #[test]
    fn a_digest_mismatch_names_both() {
        assert_eq!(
            mismatch("a: digest mismatch sha256:1: sha256:2"),
            Some(("sha256:1", "sha256:2"))
        );
        assert_eq!(mismatch("no digest"), None);
    }
}
