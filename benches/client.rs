//! The client under test: what `buildctl build` does, with the library.

use std::io::Read as _;
use std::path::PathBuf;

use buildkit_proto::pb;
use peelbox::buildkit::fsutil::{Filter, Walk};
use peelbox::buildkit::{Access, Client, Target};
use prost::Message as _;

use crate::case::LOCAL;
use crate::transfer;

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
    let walk = {
        // What the program sends of sources.
        let filter = Filter::for_context(directory.as_ref()).unwrap();
        Walk::start(directory.as_ref(), filter).unwrap()
    };
    let access = Access::default();
    let client = Client::connect(endpoint.parse().unwrap(), &access);
    let client = client.await.unwrap();
    let target = output.map(|file| ("oci", Target::File(file)));
    let built = transfer::build(&client, LOCAL, walk, definition, target).await;
    built.unwrap();
}
