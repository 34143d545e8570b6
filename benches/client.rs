//! The client under test: what `buildctl build` does, with the library.

use std::collections::BTreeMap;
use std::future::pending;
use std::io::Read as _;
use std::path::PathBuf;

use buildkit_proto::pb;
use peelbox::buildkit::fsutil::{Filter, Walk};
use peelbox::buildkit::{
    Access, BuiltImage, Client, Error, Export, Job, Outcome, Services, Session, Target,
};
use peelbox::oci::Platform;
use prost::Message as _;

use crate::case::LOCAL;

const CONFIG: &str = r#"{"os":"linux","architecture":"amd64"}"#;

/// `ENDPOINT DIRECTORY [OUTPUT]`, with a definition on standard input.
pub(crate) fn run(arguments: &[String]) {
    let mut definition = Vec::new();
    std::io::stdin().read_to_end(&mut definition).unwrap();
    let definition = pb::Definition::decode(&*definition).unwrap();
    // As many threads as `peelbox` has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let output = arguments.get(2).map(PathBuf::from);
    runtime.block_on(build(
        &arguments[0],
        arguments[1].clone(),
        output,
        definition,
    ));
}

async fn build(
    endpoint: &str,
    directory: String,
    output: Option<PathBuf>,
    definition: pb::Definition,
) {
    let walk = Walk::start(directory.as_ref(), Filter::everything()).unwrap();
    let access = Access::default();
    let client = Client::connect(endpoint.parse().unwrap(), &access);
    let client = client.await.unwrap();
    let services = Services {
        name: "bench".to_owned(),
        locals: BTreeMap::from([(LOCAL.to_owned(), walk)]),
        ..Services::default()
    };
    let session = Session::start(&client, services).await.unwrap();
    let exports = output.map(|file| Export {
        kind: "oci".to_owned(),
        attributes: BTreeMap::new(),
        target: Target::File(file),
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
                config: CONFIG.into(),
                attestations: Vec::new(),
                platform: Platform::linux("amd64"),
            };
            let outcome = Outcome::from(outcome);
            Ok((outcome, ()))
        },
    );
    build.await.unwrap();
    session.close().await;
}
