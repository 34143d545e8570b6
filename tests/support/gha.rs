//! A stand-in for GitHub's cache service, of the second version of its protocol: what BuildKit asks of it, and no more.
//!
//! The calls are those of `github.actions.results.api.v1.CacheService` in JSON, and blobs go to and fro as they do with
//! Azure's storage.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A server that answers as long as the test runs.
pub(crate) struct CacheService {
    address: SocketAddr,
    store: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    /// Finished entries, oldest first.
    entries: Vec<(String, Vec<u8>)>,
    /// Blobs on their way, by key: the blocks that were sent, and what they make.
    uploads: BTreeMap<String, Upload>,
    /// What clients sent as their right to ask.
    tokens: Vec<String>,
}

#[derive(Default)]
struct Upload {
    blocks: BTreeMap<String, Vec<u8>>,
    whole: Vec<u8>,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl CacheService {
    /// Starts to serve.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let store = Arc::new(Mutex::new(Store::default()));
        let shared = Arc::clone(&store);
        // It ends with the process: nobody waits for it.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let store = Arc::clone(&shared);
                thread::spawn(move || serve(&stream, &store, address));
            }
        });
        Self { address, store }
    }

    /// What a runner has as `ACTIONS_RESULTS_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The keys of the finished entries.
    pub(crate) fn keys(&self) -> Vec<String> {
        let store = self.store.lock().unwrap();
        store.entries.iter().map(|(key, _)| key.clone()).collect()
    }

    /// Whether every client had the right to ask that `token` gives.
    pub(crate) fn was_asked_with(&self, token: &str) -> bool {
        let store = self.store.lock().unwrap();
        let expected = format!("Bearer {token}");
        !store.tokens.is_empty() && store.tokens.iter().all(|token| *token == expected)
    }
}

/// A token as a runner has it; nobody checks its signature.
pub(crate) fn token() -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let scopes = json!([{"Scope": "refs/heads/main", "Permission": 3}]).to_string();
    let claims = json!({"ac": scopes, "nbf": 0, "exp": 4_000_000_000_u64});
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let signature = URL_SAFE_NO_PAD.encode("a signature that nobody checks");
    format!("{}.{}.{signature}", encode(&header), encode(&claims))
}

fn serve(stream: &TcpStream, store: &Mutex<Store>, address: SocketAddr) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let (status, headers, body) = answer(&request, store, address);
        let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("\r\n");
        let mut stream = stream;
        let sent = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(&body));
        if sent.is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = || {
        let mut text = String::new();
        let length = reader.read_line(&mut text).ok()?;
        (length > 0).then(|| text.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length");
    let length = length.map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
    })
}

type Answer = (&'static str, Vec<(&'static str, String)>, Vec<u8>);

fn answer(request: &Request, store: &Mutex<Store>, address: SocketAddr) -> Answer {
    let mut store = store.lock().unwrap();
    if let Some(key) = request.path.strip_prefix("/blob/") {
        return blob(request, &unescaped(key), &mut store);
    }
    let token = request.headers.get("authorization");
    store.tokens.push(token.cloned().unwrap_or_default());
    let message: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let key = message["key"].as_str().unwrap_or_default().to_owned();
    let url = |key: &str| format!("http://{address}/blob/{}?sig=secret", escaped(key));
    let answer = match request.path.rsplit('/').next() {
        Some("CreateCacheEntry") => {
            let is_known = store.entries.iter().any(|(known, _)| *known == key);
            match is_known {
                true => {
                    let error = json!({"code": "already_exists", "msg": "it is there"});
                    return json_answer("409 Conflict", &error);
                }
                false => {
                    store.uploads.insert(key.clone(), Upload::default());
                    json!({"ok": true, "signed_upload_url": url(&key)})
                }
            }
        }
        Some("FinalizeCacheEntryUpload") => {
            let upload = store.uploads.remove(&key).unwrap();
            // Numbers of 64 bits may be texts in JSON.
            let size = message["size_bytes"].to_string();
            assert_eq!(size.trim_matches('"'), upload.whole.len().to_string());
            store.entries.push((key, upload.whole));
            json!({"ok": true, "entry_id": store.entries.len().to_string()})
        }
        Some("GetCacheEntryDownloadURL") => {
            let wanted = message["restore_keys"].as_array().into_iter().flatten();
            let wanted = wanted.filter_map(Value::as_str).chain([key.as_str()]);
            let entries = &store.entries;
            let newest = |wanted: &str| {
                entries
                    .iter()
                    .rev()
                    .find(|(key, _)| key.starts_with(wanted))
            };
            match wanted.filter_map(newest).next() {
                Some((key, _)) => {
                    json!({"ok": true, "signed_download_url": url(key), "matched_key": key})
                }
                None => json!({"ok": false}),
            }
        }
        other => panic!("nobody should call {other:?}"),
    };
    json_answer("200 OK", &answer)
}

fn json_answer(status: &'static str, value: &Value) -> Answer {
    let headers = vec![("Content-Type", "application/json".to_owned())];
    (status, headers, value.to_string().into_bytes())
}

/// What Azure's storage does: a blob is put whole or block by block, and read by ranges.
fn blob(request: &Request, key: &str, store: &mut Store) -> Answer {
    let id = ("x-ms-request-id", "1".to_owned());
    let query = |name: &str| {
        let mut pairs = request
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(known, _)| *known == name)
            .map(|(_, value)| unescaped(value))
    };
    if request.method == "PUT" {
        let upload = store.uploads.get_mut(key).unwrap();
        match query("comp").as_deref() {
            Some("block") => {
                let block = query("blockid").unwrap();
                upload.blocks.insert(block, request.body.clone());
            }
            Some("blocklist") => {
                let list = String::from_utf8(request.body.clone()).unwrap();
                let ids = list.split("<Latest>").skip(1);
                let ids = ids.map(|rest| rest.split('<').next().unwrap());
                upload.whole = ids.flat_map(|id| upload.blocks[id].clone()).collect();
            }
            _ => upload.whole.clone_from(&request.body),
        }
        return ("201 Created", vec![id], Vec::new());
    }
    let (_, bytes) = store
        .entries
        .iter()
        .find(|(known, _)| known == key)
        .unwrap();
    let range = request
        .headers
        .get("x-ms-range")
        .or(request.headers.get("range"));
    let start = range.and_then(|range| {
        range
            .strip_prefix("bytes=")?
            .split('-')
            .next()?
            .parse()
            .ok()
    });
    let start: usize = start.unwrap_or_default();
    let (last, size) = (bytes.len().saturating_sub(1), bytes.len());
    let headers = vec![
        id,
        ("Content-Range", format!("bytes {start}-{last}/{size}")),
    ];
    ("206 Partial Content", headers, bytes[start..].to_vec())
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}
