//! The client against a real daemon.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex};

use peelbox::buildkit::fsutil::{Filter, Sent, Walk};
use peelbox::buildkit::llb::{
    Copy, Exec, FileOp, Http, Image, Local, Mkdir, Mkfile, Mount, Network, Owner, Rm, Sharing,
    State, diff, merge,
};
use peelbox::buildkit::{
    Attestation, Auth, BuildError, BuiltImage, Client, DockerConfig, Endpoint, Error, Export, Job,
    Outcome, Services, Session, StatusResponse, Target,
};
use peelbox::oci::{Platform, Reference};

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
#[expect(
    clippy::too_many_lines,
    reason = "it is one build from its first call to its last"
)]
async fn a_gateway_build_reads_its_files_and_exports_an_attested_image() {
    let client = support::client().await;
    let session = support::session(&client).await;
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join("image.tar");
    let job = Job {
        exports: vec![Export {
            kind: "oci".to_owned(),
            attributes: [("name".to_owned(), "example.test/app:1".to_owned())].into(),
            target: Target::File(tar.clone()),
        }],
        attributes: [("attest:provenance".to_owned(), "mode=max".to_owned())].into(),
        ..Job::default()
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
                    .extend(event.vertexes.into_iter().map(|vertex| vertex.digest));
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
                let outcome = BuiltImage {
                    reference,
                    config: config(),
                    attestations: vec![attestation],
                    platform: Platform::linux("amd64"),
                };
                let outcome = Outcome::from(outcome);
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
    let walk = Walk::start(root, Filter::for_context(root).unwrap()).unwrap();
    let services = Services {
        name: "test".to_owned(),
        locals: [("context".to_owned(), walk)].into(),
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
        let solved = support::asked(client, &session, async |gateway| {
            gateway.solve(definition.proto().clone()).await
        });
        solved.await.unwrap();
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
    // A daemon that still holds what the last build used begins anew, so any try may come too early.
    let mut again = sent;
    for _ in 0..20 {
        again = copied(&client, folder.path(), &hint, 1).await;
        if again.files == 0 {
            break;
        }
    }
    assert_eq!(again.files, 0, "{again:?}");
    let mut sent = again;
    for change in 0..20 {
        std::fs::write(folder.path().join("d1/f1"), format!("{change:07}")).unwrap();
        sent = copied(&client, folder.path(), &hint, 1).await;
        if sent.files == 1 {
            break;
        }
    }
    assert_eq!((sent.files, sent.bytes), (1, 7), "{sent:?}");
}

/// Solves `state` and gives what the daemon said meanwhile: the digests of its vertices, and how it ended.
async fn watched(
    client: &Client,
    session: &Session,
    state: &State,
) -> (BTreeSet<String>, Result<(), Error>) {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let events = Arc::clone(&seen);
    let watch = move |event: StatusResponse| {
        let digests = event.vertexes.into_iter().map(|vertex| vertex.digest);
        events.lock().unwrap().extend(digests);
    };
    let definition = state.marshal().unwrap();
    let mut ended = Ok(());
    let build =
        client.build::<(), Error>(session, Job::default(), pending(), watch, async |gateway| {
            ended = gateway.solve(definition.proto().clone()).await.map(|_| ());
            Err(Error::Interrupted)
        });
    let _ = build.await; // it was given up on purpose
    let digests = seen.lock().unwrap().clone();
    (digests, ended)
}

/// The base image of the daemon under test, with what is needed to get it.
async fn base(client: &Client, folder: &std::path::Path) -> (Session, State) {
    std::fs::write(folder.join("file"), "content").unwrap();
    let walk = Walk::start(folder, Filter::everything()).unwrap();
    let keychain = DockerConfig::load(support::variable("DOCKER_CONFIG").as_ref()).unwrap();
    let services = Services {
        name: "test".to_owned(),
        locals: [("context".to_owned(), walk)].into(),
        auth: Auth::new(Arc::new(keychain)),
        ..Services::default()
    };
    let session = Session::start(client, services).await.unwrap();
    // Standalone daemons have no images of their own; they ask the registry of the test bed, with its login.
    let name = match support::endpoint() {
        Endpoint::Docker(_) => "cgr.dev/chainguard/wolfi-base:latest".to_owned(),
        _ => support::variable("PEELBOX_TESTBED_BASE_IMAGE_REGISTRY"),
    };
    let reference: Reference = name.parse().unwrap();
    let platform = Platform::linux("amd64");
    let resolved = support::asked(client, &session, async |gateway| {
        gateway.resolve_image(&reference, &platform, "base").await
    });
    let resolved = resolved.await.expect("the base image resolves");
    let pinned = reference.pinned(resolved.digest);
    (
        session,
        State::from(Image::new(&pinned).platform(&platform)).platform(&platform),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_operation_has_the_digest_that_the_daemon_computes() {
    let client = support::client().await;
    let folder = tempfile::tempdir().unwrap();
    let (session, base) = base(&client, folder.path()).await;
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let repository = support::variable("PEELBOX_APK_REPOSITORY");
    let http = State::from(
        Http::new(format!("{repository}/x86_64/APKINDEX.tar.gz"))
            .filename("index")
            .mode(0o644),
    );
    let local = State::from(
        Local::new("context")
            .shared_key_hint(&nonce)
            .session(session.id()),
    );
    let files = FileOp::on(&base)
        .copy(
            &http,
            Copy::new("/index", "/index")
                .unpack()
                .owner(Owner { uid: 1, gid: 2 }),
        )
        .copy(
            &local,
            Copy::new("/", "/src")
                .contents()
                .parents()
                .include(["*"])
                .exclude(["none"])
                .modified(7),
        )
        .mkdir(Mkdir::new("/made/here").parents().mode(0o700))
        .mkfile(Mkfile::new("/nonce", nonce.clone()).modified(0))
        .rm(Rm::new("/absent*").wildcard().allow_not_found())
        .with("files")
        .state();
    let exec =
        Exec::shell("cat /nonce /cache/* 2>/dev/null; echo made > /out/file; test -d /bound")
            .env("EMPTY", "")
            .dir("/src")
            .host("nowhere.test", std::net::Ipv4Addr::LOCALHOST.into())
            .network(Network::None)
            .mount(Mount::scratch("/out"))
            .mount(Mount::bind("/bound", &local).readonly())
            .mount(Mount::cache("/cache", &nonce, Sharing::Locked))
            .mount(Mount::tmpfs("/tmp", 0))
            .mount(Mount::secret("/secret", "none").optional());
    let ran = files.run(exec.with("exec"));
    let changed = diff(&files, ran.root(), "changed");
    let merged = merge([&files, &changed, ran.mount("/out").unwrap()], "merged");
    let ours: BTreeSet<String> = merged
        .marshal()
        .unwrap()
        .vertices()
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        ours.len(),
        7,
        "image, http, local, file, exec, diff and merge"
    );
    let (theirs, ended) = watched(&client, &session, &merged).await;
    ended.unwrap();
    let missing: Vec<&String> = ours.difference(&theirs).collect();
    assert!(
        missing.is_empty(),
        "the daemon knows other digests than {missing:?}"
    );
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_command_gives_its_exit_code_however_long_its_details_are() {
    let client = support::client().await;
    let folder = tempfile::tempdir().unwrap();
    let (session, base) = base(&client, folder.path()).await;
    // The details repeat the command; beyond 16 KiB of them a connection with the usual limit on headers breaks.
    let script = format!("exit 7 # {}", "x".repeat(60_000));
    let state = base.run(Exec::shell(script)).root().clone();
    let (_, ended) = watched(&client, &session, &state).await;
    let error = ended.unwrap_err();
    let remote = error.remote().unwrap_or_else(|| panic!("{error}"));
    assert_eq!(remote.exit_code, Some(7), "{}", remote.message);
    assert!(remote.vertex.is_some());
    session.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_any_size_can_be_listed() {
    let client = support::client().await;
    let folder = tempfile::tempdir().unwrap();
    let (session, base) = base(&client, folder.path()).await;
    // Some 25 MB, which is more than one message holds.
    let long = "x".repeat(230);
    let script = format!(
        "mkdir /out/[dir] && cd /out && touch '[dir]/inner' other && seq 90000 | sed 's/.*/chunk-&.{long}/' | xargs touch"
    );
    let exec = Exec::shell(script).mount(Mount::scratch("/out"));
    let ran = base.run(exec);
    let definition = ran.mount("/out").unwrap().marshal().unwrap();
    let listed = support::asked(&client, &session, async |gateway| {
        let reference = gateway.solve(definition.proto().clone()).await?;
        gateway.read_dir(&reference, "/").await
    });
    let listed = listed.await.unwrap();
    let names: BTreeSet<&str> = listed.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!((listed.len(), names.len()), (90_002, 90_002));
    assert!(names.contains("[dir]") && names.contains("other"));
    assert!(names.contains(format!("chunk-4711.{long}").as_str()));
    session.close().await;
}

#[test]
fn the_same_graph_has_the_same_bytes_a_thousand_times() {
    let encode = || {
        let source = State::from(Http::new("https://example.test/a.apk"));
        let root = FileOp::on(&State::scratch())
            .copy(&source, Copy::new("/a.apk", "/").unpack())
            .state();
        let ran = root.run(
            Exec::shell("true")
                .env("B", "2")
                .env("A", "1")
                .mount(Mount::scratch("/out")),
        );
        let definition = merge([ran.root(), ran.mount("/out").unwrap()], "all")
            .marshal()
            .unwrap();
        definition.proto().def.concat()
    };
    let first = encode();
    assert!((0..1000).all(|_| encode() == first));
}
