//! `peelbox doctor`: what a build would use, and what is missing.

use std::process::ExitCode;

use crate::build::Base;
use crate::buildkit::{BuildError, Capabilities, Error, Gateway, Job, Services, Session};
use crate::oci::Platform;
use crate::wolfi::Freshness;

use super::args::Doctor;
use super::discover::{self, Found};
use super::environment::Environment;
use super::failure::{Exit, Failure};
use super::{index, print, setup};

/// Checks daemon, base image and package index, and tells each.
pub(super) async fn run(
    arguments: &Doctor,
    environment: &Environment,
) -> Result<ExitCode, Failure> {
    let (platform, architecture) = setup::target()?;
    let mut failures = Vec::new();
    match discover::discover(arguments.connection.buildkit.as_deref(), environment).await {
        Ok(found) => daemon(&found, environment, &platform, &mut failures).await?,
        Err(failure) => failures.push(failure),
    }
    match index::open(environment, architecture, Freshness::Day).await {
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
    let problems = failures
        .into_iter()
        .flat_map(|failure| failure.problems)
        .collect();
    Err(Failure { exit, problems })
}

async fn daemon(
    found: &Found,
    environment: &Environment,
    platform: &Platform,
    failures: &mut Vec<Failure>,
) -> Result<(), Failure> {
    let version = found
        .daemon
        .version
        .as_ref()
        .map_or_else(|| "version unknown".to_owned(), ToString::to_string);
    let kind = if found.daemon.is_docker {
        "the BuildKit of a Docker Engine"
    } else {
        "BuildKit"
    };
    let endpoint = found.client.endpoint();
    print(&format!(
        "daemon: {endpoint} ({}): {kind}, {version}\n",
        found.reason
    ))?;
    print(&format!(
        "platforms: {}\n",
        found.daemon.platforms.join(", ")
    ))?;
    if let Err(error) = found.daemon.check_version() {
        failures.push(discover::too_old(endpoint, &error));
        return Ok(());
    }
    let services = Services {
        name: "doctor".to_owned(),
        auth: setup::auth(environment)?,
        ..Services::default()
    };
    let asked = ask(found, services, environment, platform).await;
    let (capabilities, base) = match asked {
        Ok(answers) => answers,
        Err(failure) => {
            failures.push(failure);
            return Ok(());
        }
    };
    if let Err(error) = capabilities.check(&found.daemon) {
        failures.push(discover::too_old(endpoint, &error));
    }
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
        print(&format!(
            "{what}: {}\n",
            if has {
                "yes"
            } else {
                "no, that needs BuildKit 0.13"
            }
        ))?;
    }
    match base {
        Ok(reference) => print(&format!("base image: {reference}\n")).map(|_| ()),
        Err(text) => {
            failures.push(
                Failure::new(Exit::Environment, text).hint(
                    "PEELBOX_BASE_IMAGE names a copy of it in a registry that can be reached",
                ),
            );
            Ok(())
        }
    }
}

async fn ask(
    found: &Found,
    services: Services,
    environment: &Environment,
    platform: &Platform,
) -> Result<(Capabilities, Result<String, String>), Failure> {
    let failed = |error: &Error| Failure::environment(error.to_string()).hint(discover::NEEDED);
    let session = Session::start(&found.client, services)
        .await
        .map_err(|error| failed(&error))?;
    let capabilities = found
        .client
        .capabilities(&session)
        .await
        .map_err(|error| failed(&error))?;
    let base = setup::base(environment, platform)?;
    let mut answer = Err(String::new());
    let ended: Result<_, BuildError<Error>> = found
        .client
        .build::<(), Error>(
            &session,
            Job::default(),
            std::future::pending(),
            |_| {},
            async |gateway| {
                answer = resolve(&base, gateway).await;
                Err(Error::Interrupted) // nothing is to be built
            },
        )
        .await;
    drop(ended); // it was given up on purpose
    session.close().await;
    Ok((capabilities, answer))
}

async fn resolve(base: &Base, gateway: &Gateway) -> Result<String, String> {
    base.resolve(gateway)
        .await
        .map(ToString::to_string)
        .map_err(|error| error.to_string())
}
