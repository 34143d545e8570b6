//! What the tests that need a daemon share.

#![allow(dead_code, reason = "every test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use peelbox::buildkit::{Client, DockerHost, Endpoint, Services, Session};

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
