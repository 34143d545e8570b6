//! A package repository over HTTP, as a server on this machine answers.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/apk.rs"]
mod apk;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use peelbox::wolfi::{Fetched, Freshness, Keys, Repository, RepositoryError, Verifier};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Answers one request per entry of `answers`, in their order, and returns the requests.
struct Server {
    address: SocketAddr,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    fn start(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                while !request.ends_with(b"\r\n\r\n") {
                    let length = stream.read(&mut piece).unwrap();
                    request.extend_from_slice(&piece[..length]);
                }
                let _ = stream.write_all(&answer); // a client may have seen enough
                requests.push(String::from_utf8(request).unwrap());
            }
            requests
        });
        Self { address, thread }
    }

    fn url(&self) -> String {
        format!("http://{}/os", self.address)
    }

    fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn keys() -> Keys {
    let key = apk::Key::test();
    Keys::default()
        .with(key.name(), key.public_pem().as_bytes())
        .unwrap()
}

fn foo() -> apk::Built {
    apk::Package::new("foo", "1.2-r0")
        .file("usr/bin/foo", 0o755, b"#!/bin/false\n".as_slice())
        .build(&apk::Key::test())
}

fn index() -> Vec<u8> {
    apk::index(
        "made for a test",
        [foo().record.as_str()],
        &apk::Key::test(),
    )
}

struct User {
    http: reqwest::Client,
    cache: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default(); // another test may have done it
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            cache: tempfile::tempdir().unwrap(),
        }
    }

    async fn fetch(
        &self,
        url: &str,
        hours: u32,
        freshness: Freshness,
    ) -> Result<Fetched, RepositoryError> {
        let now = SystemTime::UNIX_EPOCH + HOUR * hours;
        let repository = Repository::new(url, keys()).unwrap();
        let cache: Option<&Path> = Some(self.cache.path());
        repository
            .index(&self.http, "x86_64", cache, now, freshness)
            .await
    }
}

#[tokio::test]
async fn an_index_is_asked_for_once_a_day() {
    let user = User::new();
    let server = Server::start(vec![
        answer("200 OK", "ETag: \"one\"\r\n", &index()),
        answer("304 Not Modified", "", b""),
        answer("200 OK", "ETag: \"two\"\r\n", &index()),
    ]);
    let url = server.url();
    let first = user.fetch(&url, 1000, Freshness::Day).await.unwrap();
    assert_eq!(first.index.names().collect::<Vec<_>>(), ["foo"]);
    assert_eq!(first.age, Duration::ZERO);
    assert!(first.stale.is_none());
    let second = user.fetch(&url, 1023, Freshness::Day).await.unwrap();
    assert_eq!(second.age, HOUR * 23);
    assert!(second.stale.is_none());
    assert_eq!(second.index.digest(), first.index.digest());
    // A day old: the server is asked, and says that it is still the one.
    let third = user.fetch(&url, 1024, Freshness::Day).await.unwrap();
    assert_eq!(third.age, Duration::ZERO);
    assert!(third.stale.is_none());
    let fourth = user.fetch(&url, 1047, Freshness::Day).await.unwrap();
    assert_eq!(fourth.age, HOUR * 23);
    let fifth = user.fetch(&url, 1047, Freshness::Now).await.unwrap();
    assert_eq!(fifth.age, Duration::ZERO);
    let requests = server.requests();
    assert!(requests[0].starts_with("GET /os/x86_64/APKINDEX.tar.gz HTTP/1.1\r\n"));
    assert!(!requests[0].contains("if-none-match"));
    assert!(requests[1].contains("if-none-match: \"one\"\r\n"));
    assert!(requests[2].contains("if-none-match: \"one\"\r\n"));
}

#[tokio::test]
async fn an_old_index_serves_where_the_server_does_not() {
    let user = User::new();
    let server = Server::start(vec![
        answer("200 OK", "", &index()),
        answer("503 Service Unavailable", "", b""),
    ]);
    let url = server.url();
    user.fetch(&url, 1000, Freshness::Day).await.unwrap();
    let stale = user.fetch(&url, 1100, Freshness::Day).await.unwrap();
    assert_eq!(stale.age, HOUR * 100);
    let reason = stale.stale.unwrap().to_string();
    assert!(
        reason.ends_with("the server says 503 Service Unavailable"),
        "{reason}"
    );
    server.requests();
    // Now nobody listens.
    let stale = user.fetch(&url, 1101, Freshness::Day).await.unwrap();
    assert!(stale.stale.is_some());
    let offline = user.fetch(&url, 1101, Freshness::Offline).await.unwrap();
    assert_eq!(offline.age, HOUR * 101);
    assert!(offline.stale.is_none());
}

#[tokio::test]
async fn an_index_that_cannot_be_trusted_is_an_error_in_spite_of_an_old_one() {
    let user = User::new();
    let mut altered = index();
    let last = altered.len() - 20;
    altered[last] ^= 1;
    let server = Server::start(vec![
        answer("200 OK", "", &index()),
        answer("200 OK", "", &altered),
    ]);
    let url = server.url();
    user.fetch(&url, 1000, Freshness::Day).await.unwrap();
    let error = user.fetch(&url, 1100, Freshness::Day).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Index { .. }), "{error}");
    server.requests();
}

#[tokio::test]
async fn without_an_index_every_failure_says_what_was_asked() {
    let user = User::new();
    let server = Server::start(vec![answer("404 Not Found", "", b"")]);
    let url = server.url();
    let error = user.fetch(&url, 1000, Freshness::Day).await.unwrap_err();
    let expected =
        format!("cannot fetch `{url}/x86_64/APKINDEX.tar.gz`: the server says 404 Not Found");
    assert_eq!(error.to_string(), expected);
    server.requests();
    let error = user.fetch(&url, 1000, Freshness::Day).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Fetch { .. }), "{error}");
    let error = user
        .fetch(&url, 1000, Freshness::Offline)
        .await
        .unwrap_err();
    assert!(matches!(error, RepositoryError::Offline { .. }), "{error}");
}

#[tokio::test]
async fn a_transfer_that_breaks_off_is_an_error() {
    let user = User::new();
    let mut cut = answer("200 OK", "", &index());
    cut.truncate(cut.len() - 100);
    let server = Server::start(vec![cut]);
    let error = user
        .fetch(&server.url(), 1000, Freshness::Day)
        .await
        .unwrap_err();
    assert!(matches!(error, RepositoryError::Fetch { .. }), "{error}");
    server.requests();
}

#[tokio::test]
async fn a_damaged_cache_is_fetched_anew() {
    let user = User::new();
    let server = Server::start(vec![
        answer("200 OK", "", &index()),
        answer("200 OK", "", &index()),
    ]);
    let url = server.url();
    user.fetch(&url, 1000, Freshness::Day).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(user.cache.path()).unwrap().collect();
    let [Ok(file)] = files.as_slice() else {
        panic!("{files:?}");
    };
    let mut bytes = std::fs::read(file.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file.path(), bytes).unwrap();
    let fetched = user.fetch(&url, 1001, Freshness::Day).await.unwrap();
    assert_eq!(fetched.age, Duration::ZERO);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_package_of_another_maker_is_what_its_index_says() {
    let user = User::new();
    let server = Server::start(vec![answer("200 OK", "", &index())]);
    let fetched = user
        .fetch(&server.url(), 1000, Freshness::Day)
        .await
        .unwrap();
    server.requests();
    let package = fetched.index.newest("foo").unwrap();
    let mut verifier = Verifier::new(package, &keys());
    verifier.push(&foo().bytes).unwrap();
    let verified = verifier.finish().unwrap();
    assert!(
        verified
            .entries
            .iter()
            .any(|entry| entry.path == "usr/bin/foo")
    );
    assert!(verified.sbom.is_some());
}
