//! What `buildctl build` does with one directory, done with the library.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::future::pending;

use buildkit_proto::pb;
use peelbox::buildkit::fsutil::Walk;
use peelbox::buildkit::{
    BuiltImage, Client, Error, Export, Job, Outcome, Services, Session, Target,
};
use peelbox::oci::Platform;

/// Solves `definition` with `directory` as the local directory `name`, and exports the result where there is a target
/// for it: the exporter's kind goes with it.
pub(crate) async fn build(
    client: &Client,
    name: &str,
    directory: impl Into<Walk>,
    definition: pb::Definition,
    target: Option<(&str, Target)>,
) -> Result<(), String> {
    let services = Services {
        name: "test".to_owned(),
        locals: BTreeMap::from([(name.to_owned(), directory.into())]),
        ..Services::default()
    };
    let session = Session::start(client, services).await.unwrap();
    let exports = target.map(|(kind, target)| Export {
        kind: kind.to_owned(),
        attributes: BTreeMap::new(),
        target,
    });
    let job = Job {
        exports: exports.into_iter().collect(),
        ..Job::default()
    };
    let build = client.build::<(), Error>(
        &session,
        job,
        pending(),
        |_| {},
        async |gateway| {
            let outcome = BuiltImage {
                reference: gateway.solve(definition).await?,
                config: br#"{"os":"linux","architecture":"amd64"}"#.to_vec(),
                attestations: Vec::new(),
                platform: Platform::linux("amd64"),
            };
            let outcome = Outcome::from(outcome);
            Ok((outcome, ()))
        },
    );
    let built = build.await.map(drop).map_err(|error| error.to_string());
    session.close().await;
    built
}
