//! A static file server on the loopback address, with an access log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::{Result, say};

const MAX_HEAD: u64 = 64 * 1024;

struct Site {
    root: PathBuf,
    log: Mutex<File>,
}

struct Request {
    method: String,
    path: String,
    etag: Option<String>,
    is_last: bool,
}

/// Serves `root` until the process ends.
pub(crate) fn serve(root: &Path, port: u16, log: &Path, port_file: Option<&Path>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = listener.local_addr()?;
    let site = Arc::new(Site {
        root: root.canonicalize()?,
        log: Mutex::new(OpenOptions::new().create(true).append(true).open(log)?),
    });
    if let Some(path) = port_file {
        crate::make::write(path, format!("{}\n", address.port()).as_bytes())?;
    }
    say(&format!(
        "serving {} at http://{address}",
        site.root.display()
    ));
    for stream in listener.incoming() {
        let (stream, site) = (stream?, Arc::clone(&site));
        std::thread::spawn(move || {
            let _ = site.talk(&stream); // a client may go away at any time
        });
    }
    Ok(())
}

impl Site {
    fn talk(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(request) = read(&mut reader)? {
            self.answer(&request, stream)?;
            if request.is_last {
                break;
            }
        }
        Ok(())
    }

    fn answer(&self, request: &Request, mut stream: &TcpStream) -> io::Result<()> {
        if request.method != "GET" && request.method != "HEAD" {
            return self.refuse(request, stream, "405 Method Not Allowed");
        }
        let Some((mut file, metadata)) = self.open(&request.path) else {
            return self.refuse(request, stream, "404 Not Found");
        };
        let changed =
            i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        let etag = format!("\"{:x}-{changed:x}\"", metadata.len());
        let is_known = request.etag.as_ref().is_some_and(|known| {
            known
                .split(',')
                .any(|one| one.trim().trim_start_matches("W/") == etag || one.trim() == "*")
        });
        let (status, length) = if is_known {
            ("304 Not Modified", 0)
        } else {
            ("200 OK", metadata.len())
        };
        let mut head = format!("HTTP/1.1 {status}\r\nETag: {etag}\r\n");
        if !is_known {
            let kind = "application/octet-stream";
            head.push_str(&format!(
                "Content-Length: {length}\r\nContent-Type: {kind}\r\n"
            ));
        }
        head.push_str("\r\n");
        let body = if request.method == "HEAD" { 0 } else { length };
        self.note(request, status, body);
        stream.write_all(head.as_bytes())?;
        io::copy(&mut io::Read::by_ref(&mut file).take(body), &mut stream)?;
        Ok(())
    }

    fn refuse(&self, request: &Request, mut stream: &TcpStream, status: &str) -> io::Result<()> {
        let body = format!("{status}\n");
        let shown = if request.method == "HEAD" { "" } else { &body };
        self.note(request, status, shown.len() as u64);
        let length = body.len();
        let kind = "text/plain";
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nContent-Type: {kind}\r\n\r\n{shown}"
        )
    }

    /// A regular file below the root, by the path of a request.
    fn open(&self, path: &str) -> Option<(File, fs::Metadata)> {
        let path = Path::new(path.split(['?', '#']).next()?.trim_start_matches('/'));
        if !path
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return None;
        }
        let path = self.root.join(path).canonicalize().ok()?;
        if !path.starts_with(&self.root) {
            return None;
        }
        let file = File::open(path).ok()?;
        let metadata = file.metadata().ok()?;
        metadata.is_file().then_some((file, metadata))
    }

    fn note(&self, request: &Request, status: &str, bytes: u64) {
        let code = status.split(' ').next().unwrap_or_default();
        let path: String = request.path.chars().filter(|c| !c.is_control()).collect();
        if let Ok(mut log) = self.log.lock() {
            let _ = writeln!(log, "{} {path} {code} {bytes}", request.method); // a full disk is no reason to stop
        }
    }
}

/// Reads one request; none at the end of the connection.
fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        reader
            .by_ref()
            .take(MAX_HEAD)
            .read_until(b'\n', &mut head)?;
        if head.len() == before || head.len() as u64 > MAX_HEAD {
            return Ok(None);
        }
        if head.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    if !parsed.parse(&head).is_ok_and(|status| status.is_complete()) {
        return Ok(None);
    }
    let field = |name: &str| {
        let found = parsed
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).into_owned())
    };
    let connection = field("connection").unwrap_or_default().to_ascii_lowercase();
    let is_last = connection.contains("close")
        || (parsed.version == Some(0) && !connection.contains("keep-alive"))
        || field("content-length").is_some_and(|length| length != "0");
    Ok(Some(Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        etag: field("if-none-match"),
        is_last,
    }))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Mutex;

    use super::{File, Site, fs};

    /// What the server answers to a text, and what it notes.
    fn exchange(request: &str) -> (String, String) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repo");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("index"), "hello").unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        let log = dir.path().join("log");
        let site = Site {
            root: root.canonicalize().unwrap(),
            log: Mutex::new(File::create(&log).unwrap()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let (server, _) = listener.accept().unwrap();
        site.talk(&server).unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        (answer, fs::read_to_string(log).unwrap())
    }

    #[test]
    fn a_file_comes_with_its_length() {
        let (answer, log) = exchange("GET /index HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(answer.contains("\r\nContent-Length: 5\r\n") && answer.ends_with("\r\n\r\nhello"));
        assert_eq!(log, "GET /index 200 5\n");
    }

    #[test]
    fn a_head_request_gets_no_body() {
        let (answer, log) = exchange("HEAD /index HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(answer.contains("\r\nContent-Length: 5\r\n") && answer.ends_with("\r\n\r\n"));
        assert_eq!(log, "HEAD /index 200 0\n");
    }

    #[test]
    fn a_file_that_the_client_knows_is_not_sent_again() {
        let (answer, log) = exchange("GET /index HTTP/1.1\r\nIf-None-Match: *\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 304 ") && answer.contains("\r\nETag: \""));
        assert_eq!(log, "GET /index 304 0\n");
    }

    #[test]
    fn nothing_outside_of_the_folder_is_served() {
        for path in ["/../secret", "/link", "//etc/passwd", "/", "/./index"] {
            let (answer, _) = exchange(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
            assert!(
                !answer.contains("secret") && !answer.contains("root:"),
                "{path}: {answer}"
            );
        }
    }

    #[test]
    fn a_connection_is_kept_for_the_next_request() {
        let request = "GET /index HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2);
        assert_eq!(exchange(&request).1, "GET /index 200 5\nGET /index 200 5\n");
    }

    #[test]
    fn a_request_that_is_none_ends_the_connection() {
        assert_eq!(exchange("nonsense\r\n\r\n"), (String::new(), String::new()));
    }

    #[test]
    fn another_method_is_refused() {
        let (answer, log) = exchange("PUT /index HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 405 "));
        assert_eq!(log, "PUT /index 405 23\n");
    }
}
