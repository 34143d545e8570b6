//! What the tests that need a daemon share.

#![allow(dead_code, reason = "every test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use peelbox::buildkit::{
    BuildError, Client, DockerHost, Endpoint, Error, Gateway, Job, Services, Session,
};

/// A variable of the test bed; the test fails without it.
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run scripts/testbed up, then eval \"$(scripts/testbed env)\"")
    })
}

/// The daemon under test.
pub(crate) fn endpoint() -> Endpoint {
    variable("BUILDKIT_HOST").parse().unwrap()
}

/// The Engine of the test bed.
pub(crate) fn docker_host() -> DockerHost {
    variable("DOCKER_HOST").parse().unwrap()
}

/// A client of the daemon under test.
pub(crate) async fn client() -> Client {
    Client::connect(endpoint(), &docker_host().into())
        .await
        .unwrap()
}

/// A session that offers nothing but exports.
pub(crate) async fn session(client: &Client) -> Session {
    Session::start(
        client,
        Services {
            name: "test".to_owned(),
            ..Services::default()
        },
    )
    .await
    .unwrap()
}

/// What `drive` gets from a build that is given up then.
///
/// # Errors
/// That of `drive`.
pub(crate) async fn asked<T>(
    client: &Client,
    session: &Session,
    drive: impl AsyncFnOnce(&Gateway) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut got = None;
    let job = Job::default();
    let build = client.build::<(), Error>(
        session,
        job,
        std::future::pending(),
        |_| {},
        async |gateway| {
            got = Some(drive(gateway).await?);
            Err(Error::Interrupted)
        },
    );
    match (build.await, got) {
        (Err(BuildError::Drive(Error::Interrupted)), Some(got)) => Ok(got),
        (Err(BuildError::Drive(error) | BuildError::Daemon(error)), _) => Err(error),
        (Ok(_), _) => panic!("a build that was given up has a result"),
    }
}
