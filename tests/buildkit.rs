//! The client against a real daemon.

mod support;

use std::future::pending;
use std::sync::{Arc, Mutex};

use peelbox::buildkit::fsutil::{Filter, Listing, Sent};
use peelbox::buildkit::llb::{Copy, FileOp, Local, Mkdir, Mkfile, State};
use peelbox::buildkit::{
    Attestation, BuildError, Client, Error, Export, Job, Outcome, Services, Session,
};
use peelbox::oci::Platform;

fn config() -> Vec<u8> {
    br#"{"os":"linux","architecture":"amd64","created":"1970-01-01T00:00:00Z","history":[{"created":"1970-01-01T00:00:00Z","created_by":"peelbox"}]}"#.to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_says_who_it_is_and_what_it_can() {
    let client = support::client().await;
    let daemon = client.daemon().await.unwrap();
    assert!(
        daemon.platforms.contains(&"linux/amd64".to_owned()),
        "{daemon:?}"
    );
    let session = support::session(&client).await;
    let capabilities = client.capabilities(&session).await.unwrap();
    capabilities.check(&daemon).unwrap();
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_build_reads_its_files_and_exports_an_attested_image() {
    let client = support::client().await;
    let session = support::session(&client).await;
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join("image.tar");
    let job = Job {
        exports: vec![Export {
            kind: "oci".to_owned(),
            attributes: [("name".to_owned(), "example.test/app:1".to_owned())].into(),
            file: Some(tar.clone()),
        }],
        attributes: [("attest:provenance".to_owned(), "mode=max".to_owned())].into(),
    };
    let state = FileOp::on(&State::scratch())
        .mkfile(Mkfile::new("/hello", "world"))
        .with("write hello")
        .state();
    let sbom = FileOp::on(&State::scratch())
        .mkfile(Mkfile::new("/sbom.json", "{\"spdxVersion\":\"SPDX-2.3\"}"))
        .state();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let events = Arc::clone(&seen);
    let definition = state.marshal().unwrap();
    let ours = definition.vertices().keys().next().unwrap().to_string();
    let (response, text) = client
        .build::<_, Error>(
            &session,
            job,
            pending(),
            move |event| {
                events
                    .lock()
                    .unwrap()
                    .extend(event.vertexes.into_iter().map(|vertex| vertex.digest))
            },
            async |gateway| {
                let reference = gateway.solve(definition.proto().clone()).await?;
                let text = gateway.read_file(&reference, "/hello", 100).await?;
                assert_eq!(gateway.stat(&reference, "/nope").await?, None);
                let entries = gateway.read_dir(&reference, "/").await?;
                assert_eq!(
                    entries
                        .iter()
                        .map(|entry| entry.path.as_str())
                        .collect::<Vec<_>>(),
                    ["hello"]
                );
                let attached = gateway
                    .solve(sbom.marshal().unwrap().proto().clone())
                    .await?;
                let attestation = Attestation {
                    reference: attached,
                    path: "/sbom.json".to_owned(),
                    predicate_type: "https://spdx.dev/Document".to_owned(),
                };
                let outcome = Outcome {
                    reference,
                    config: config(),
                    attestations: vec![attestation],
                    platform: Platform::linux("amd64"),
                };
                Ok((outcome, text))
            },
        )
        .await
        .unwrap();
    assert_eq!(text, b"world");
    assert!(
        response.exporter.contains_key("containerimage.digest"),
        "{response:?}"
    );
    assert!(
        session.received()[&0]
            .metadata
            .contains_key("containerimage.digest")
            || !support::endpoint().to_string().starts_with("docker")
    );
    assert!(std::fs::metadata(&tar).unwrap().len() > 1000);
    assert!(
        seen.lock().unwrap().contains(&ours),
        "the daemon computed other digests than {ours}"
    );
    let archive = std::fs::read(&tar).unwrap();
    let find = |text: &str| {
        archive
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(find("SPDX-2.3") && find("https://slsa.dev/provenance/"));
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_names_its_vertex() {
    let client = support::client().await;
    let session = support::session(&client).await;
    let state = FileOp::on(&State::scratch())
        .mkfile(Mkfile::new("/a", ""))
        .mkdir(Mkdir::new("/missing/parent"))
        .state();
    let definition = state.marshal().unwrap();
    let failed = client
        .build::<(), Error>(
            &session,
            Job::default(),
            pending(),
            |_| {},
            async |gateway| Err(gateway.solve(definition.proto().clone()).await.unwrap_err()),
        )
        .await
        .unwrap_err();
    let BuildError::Drive(error) = failed else {
        panic!("{failed}")
    };
    let remote = error.remote().unwrap();
    assert!(remote.message.contains("missing"), "{remote}");
    assert!(
        remote
            .vertex
            .is_some_and(|vertex| definition.vertices().contains_key(&vertex)),
        "{remote:?}"
    );
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_a_build_at_once() {
    let client = support::client().await;
    let session = support::session(&client).await;
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let started = std::time::Instant::now();
    let ended = client
        .build::<(), Error>(
            &session,
            Job::default(),
            async {
                let _ = receive.await;
            },
            |_| {},
            async |gateway| {
                gateway.ping().await?;
                send.send(()).unwrap();
                pending().await
            },
        )
        .await;
    assert!(matches!(ended, Err(BuildError::Daemon(Error::Interrupted))));
    assert!(started.elapsed().as_secs() < 8, "{:?}", started.elapsed());
    session.close().await;
}

fn tree(root: &std::path::Path, directories: usize, files: usize) {
    for directory in 0..directories {
        let path = root.join(format!("d{directory}"));
        std::fs::create_dir(&path).unwrap();
        for file in 0..files {
            std::fs::write(path.join(format!("f{file}")), format!("{directory} {file}")).unwrap();
        }
    }
}

/// Solves a copy of everything in `root` and says what was sent for it.
async fn copied(client: &Client, root: &std::path::Path, hint: &str, solves: usize) -> Sent {
    let listing = Listing::read(root, &Filter::for_context(root).unwrap()).unwrap();
    let services = Services {
        name: "test".to_owned(),
        locals: [("context".to_owned(), Arc::new(listing))].into(),
        ..Services::default()
    };
    let session = Session::start(client, services).await.unwrap();
    for solve in 0..solves {
        let source = State::from(
            Local::new("context")
                .shared_key_hint(hint)
                .session(session.id()),
        );
        let state = FileOp::on(&State::scratch())
            .copy(
                &source,
                Copy::new("/", format!("/{hint}{solve}"))
                    .contents()
                    .parents(),
            )
            .state();
        let definition = state.marshal().unwrap();
        let done = client
            .build::<(), Error>(
                &session,
                Job::default(),
                pending(),
                |_| {},
                async |gateway| {
                    gateway.solve(definition.proto().clone()).await?;
                    Err(Error::Interrupted)
                },
            )
            .await;
        assert!(
            matches!(done, Err(BuildError::Drive(Error::Interrupted))),
            "{done:?}"
        );
    }
    let sent = session.take_sent();
    session.close().await;
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_files_are_not_sent_again_and_one_transfer_serves_all_builds_of_a_session() {
    let client = support::client().await;
    let folder = tempfile::tempdir().unwrap();
    // More small requests than h2's budget for unread frames would bear.
    tree(folder.path(), 50, 100);
    std::fs::write(folder.path().join(".dockerignore"), "d0/\n").unwrap();
    let hint = uuid::Uuid::new_v4().simple().to_string();
    let sent = copied(&client, folder.path(), &hint, 3).await;
    assert_eq!((sent.files, sent.stats), (4901, 49 + 4901), "{sent:?}");
    // A daemon that still holds what the last build used begins anew, so the second try may come too early.
    let mut again = sent;
    for _ in 0..20 {
        again = copied(&client, folder.path(), &hint, 1).await;
        if again.files == 0 {
            break;
        }
    }
    assert_eq!(again.files, 0, "{again:?}");
    std::fs::write(folder.path().join("d1/f1"), "changed").unwrap();
    let sent = copied(&client, folder.path(), &hint, 1).await;
    assert_eq!((sent.files, sent.bytes), (1, 7), "{sent:?}");
}
