//! Finds books by the words of their titles: `GET /search/<words>`.

mod index;

use std::{env, error::Error, sync::Arc, thread};

use percent_encoding::percent_decode_str;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use tiny_http::{Header, Method, Request, Response, Server};

use index::Index;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let port: u16 = env::var("PORT").map_or(Ok(8080), |port| port.parse())?;
    let index = Index::of_all_titles()?;
    let server = Arc::new(Server::http(("0.0.0.0", port))?);
    println!("search: listening on 0.0.0.0:{port}");

    // As PID 1 a process has no default action for these signals: unhandled, they would be lost.
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let stopped = Arc::clone(&server);
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            stopped.unblock();
        }
    });

    while let Ok(request) = server.recv() {
        if let Err(error) = answer(&index, request) {
            eprintln!("search: {error}");
        }
    }
    Ok(())
}

fn answer(index: &Index, request: Request) -> Result<(), Box<dyn Error + Send + Sync>> {
    let path = percent_decode_str(request.url())
        .decode_utf8_lossy()
        .into_owned();
    let (status, body) = match (request.method(), path.strip_prefix("/search/")) {
        (Method::Get, Some(text)) => (200, list(&index.find(&terms::words(text))?)),
        (Method::Get, None) if path == "/healthz" => {
            let sqlite = rusqlite::version();
            (200, format!(r#"{{"status":"ok","sqlite":"{sqlite}"}}"#))
        }
        _ => (404, r#"{"error":"not found"}"#.to_owned()),
    };
    let json =
        Header::from_bytes("content-type", "application/json").expect("both are plain ASCII");
    request.respond(
        Response::from_string(body)
            .with_status_code(status)
            .with_header(json),
    )?;
    Ok(())
}

/// Titles as a JSON array; no title holds a character that JSON would have to escape.
fn list(titles: &[String]) -> String {
    let quoted: Vec<String> = titles.iter().map(|title| format!("\"{title}\"")).collect();
    format!("[{}]", quoted.join(","))
}
