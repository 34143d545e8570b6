//! `peelbox doctor`: what a build would use, and what is missing.

use std::process::ExitCode;

use crate::build::{Base, BaseError};
use crate::buildkit::{BuildError, Capabilities, Error, Job, Services, Session, Stores};
use crate::oci::Platform;
use crate::progress::escape;
use crate::wolfi::Freshness;

use super::args::Doctor;
use super::discover::{self, Found, Wanted};
use super::environment::Environment;
use super::failure::{Failure, causes};
use super::{base, index, login, outcome, print, say, target};

/// Checks daemon, base image and package index, and tells each.
pub(super) async fn run(
    arguments: &Doctor,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let (platform, architecture) = target::target()?;
    let mut failures = Vec::new();
    match find(arguments, environment).await {
        Ok(found) => daemon(&found, environment, &platform, &mut failures).await?,
        Err(failure) => failures.push(failure),
    }
    let source = match index::Origin::read(environment) {
        Ok(origin) => index::open(&origin, architecture, Freshness::Day).await,
        Err(failure) => Err(failure),
    };
    match source {
        Ok(source) => {
            print(&format!(
                "package index: {} packages, {}\n",
                source.index.len(),
                source.repository.url()
            ))?;
            source.warn();
        }
        Err(failure) => failures.push(failure),
    }
    let Some(exit) = failures.iter().map(|failure| failure.exit).max() else {
        print("everything that a build needs is there\n")?;
        return Ok(ExitCode::SUCCESS);
    };
    let problems = failures.into_iter().flat_map(|failure| failure.problems);
    let problems = problems.collect();
    Err(Failure::several(exit, problems))
}

async fn find(arguments: &Doctor, environment: &Environment) -> Result<Found, Failure> {
    let wanted = Wanted::read(&arguments.connection, environment)?;
    discover::discover(&wanted, say).await
}

async fn daemon(
    found: &Found,
    environment: &Environment,
    platform: &Platform,
    failures: &mut Vec<Failure>,
) -> Result<(), Failure> {
    describe(found)?;
    if let Err(error) = found.daemon.check_version() {
        failures.push(discover::too_old(found, &error));
        return Ok(());
    }
    let base = base::read(environment, platform)?;
    let services = Services {
        name: "doctor".to_owned(),
        auth: login::auth(environment)?,
        stores: Stores {
            layouts: base.layouts(),
            ..Stores::default()
        },
        ..Services::default()
    };
    let (capabilities, base) = match ask(found, services, &base).await {
        Ok(answers) => answers,
        Err(failure) => {
            failures.push(failure);
            return Ok(());
        }
    };
    if let Err(error) = capabilities.check(&found.daemon) {
        failures.push(discover::too_old(found, &error));
    }
    list(&capabilities)?;
    match base {
        Ok(reference) => print(&format!("base image: {reference}\n")).map(|_| ()),
        Err(error) => {
            failures.push(Failure::environment(causes(&error)).hint(outcome::base_hint(&error)));
            Ok(())
        }
    }
}

fn describe(found: &Found) -> Result<(), Failure> {
    let daemon = &found.daemon;
    let kind = match &found.engine {
        Some(engine) => format!("the BuildKit of Docker Engine {}", engine.version),
        None if daemon.is_docker => "the BuildKit of a Docker Engine".to_owned(),
        None => "BuildKit".to_owned(),
    };
    let version = daemon.version.as_ref().map(|version| format!(" {version}"));
    print(&format!(
        "daemon: {} ({}): {kind}{}\nplatforms: {}\n",
        found.client.endpoint(),
        found.reason,
        version.unwrap_or_else(|| ", version unknown".to_owned()),
        daemon.platforms.join(", ")
    ))?;
    for note in &found.notes {
        print(&format!("note: {}\n", escape(note)))?;
    }
    Ok(())
}

fn list(capabilities: &Capabilities) -> Result<(), Failure> {
    let lines = [
        (
            "several outputs in one build",
            capabilities.has_several_exporters(),
        ),
        (
            "the same commit gives the same digests",
            capabilities.can_rewrite_timestamps(),
        ),
    ];
    for (what, has) in lines {
        let answer = match has {
            true => "yes",
            false => "no, that needs BuildKit 0.13",
        };
        print(&format!("{what}: {answer}\n"))?;
    }
    Ok(())
}

/// What the daemon can do, and the base image as it resolves it.
type Answers = (Capabilities, Result<String, BaseError>);

async fn ask(found: &Found, services: Services, base: &Base) -> Result<Answers, Failure> {
    let failed = |error: &Error| Failure::environment(causes(error));
    let session = Session::start(&found.client, services)
        .await
        .map_err(|error| failed(&error))?;
    let capabilities = found
        .client
        .capabilities(&session)
        .await
        .map_err(|error| failed(&error))?;
    let mut answer = None;
    let ended: Result<_, BuildError<Error>> = found
        .client
        .build::<(), Error>(
            &session,
            Job::default(),
            std::future::pending(),
            |_| {},
            async |gateway| {
                answer = Some(base.resolve(gateway).await.map(ToString::to_string));
                Err(Error::Interrupted) // nothing is to be built
            },
        )
        .await;
    session.close().await;
    match (answer, ended) {
        (Some(answer), _) => Ok((capabilities, answer)),
        (None, Err(BuildError::Daemon(error) | BuildError::Drive(error))) => Err(failed(&error)),
        (None, Ok(_)) => Err(failed(&Error::Interrupted)),
    }
}
