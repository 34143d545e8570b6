//! A package repository on this machine, with packages made for a test.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::apk::{self, Key, Package};

const INDEX: &str = "APKINDEX.tar.gz";

/// A server that answers as long as the test runs.
pub(crate) struct Repository {
    address: SocketAddr,
    pub(crate) key: Key,
}

/// The files of a repository, by name, or by architecture and name.
pub(crate) struct Files {
    answers: BTreeMap<String, Vec<u8>>,
    key: Key,
}

impl Files {
    /// The packages that every image has, and `packages`.
    pub(crate) fn new(packages: impl IntoIterator<Item = Package>) -> Self {
        let key = Key::test();
        let base = [
            Package::new("wolfi-baselayout", "20230201-r29"),
            Package::new("ca-certificates-bundle", "20260611-r0"),
        ];
        let mut answers = BTreeMap::new();
        let mut records = Vec::new();
        for package in base.into_iter().chain(packages) {
            let built = package.build(&key);
            let name = format!("{}-{}.apk", package.name, package.version);
            answers.insert(name, answer("200 OK", &built.bytes));
            records.push(built.record);
        }
        let index = apk::index("made for a test", records.iter().map(String::as_str), &key);
        answers.insert(INDEX.to_owned(), answer("200 OK", &index));
        Self { answers, key }
    }

    /// Serves other packages for `architecture`.
    #[allow(dead_code, reason = "only the tests of platforms need it")]
    pub(crate) fn with_architecture(
        mut self,
        architecture: &str,
        packages: impl IntoIterator<Item = Package>,
    ) -> Self {
        let packages = packages.into_iter().map(|mut package| {
            architecture.clone_into(&mut package.architecture);
            package
        });
        let mut files = Self::new(packages);
        let named = std::mem::take(&mut files.answers).into_iter();
        self.answers
            .extend(named.map(|(name, answer)| (format!("{architecture}/{name}"), answer)));
        self
    }

    /// Serves other bytes as the index.
    pub(crate) fn with_index(self, bytes: &[u8]) -> Self {
        self.with_answer(INDEX, "200 OK", bytes)
    }

    /// Serves the bytes that `change` makes of a file.
    pub(crate) fn changed(self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = body(&self.answers[name]);
        change(&mut bytes);
        self.with_answer(name, "200 OK", &bytes)
    }

    /// Answers for `name` with `status`.
    pub(crate) fn with_answer(mut self, name: &str, status: &str, bytes: &[u8]) -> Self {
        self.answers.insert(name.to_owned(), answer(status, bytes));
        self
    }

    /// Starts to serve.
    pub(crate) fn serve(self) -> Repository {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers = self.answers;
        // It ends with the process: nobody waits for it.
        thread::spawn(move || {
            for stream in listener.incoming() {
                respond(stream.unwrap(), &answers);
            }
        });
        Repository {
            address,
            key: self.key,
        }
    }
}

impl Repository {
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/os", self.address)
    }
}

fn respond(mut stream: TcpStream, answers: &BTreeMap<String, Vec<u8>>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(length) if length > 0 => request.extend_from_slice(&piece[..length]),
            _ => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap();
    let name = path.rsplit('/').next().unwrap();
    let parts: Vec<&str> = path.rsplitn(3, '/').collect();
    let own = answers.get(&format!("{}/{name}", parts[1]));
    let missing = answer("404 Not Found", b"");
    let found = own.or(answers.get(name)).unwrap_or(&missing);
    let _ = stream.write_all(found); // a client may have seen enough
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn body(answer: &[u8]) -> Vec<u8> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
    answer[head.unwrap() + 4..].to_vec()
}
