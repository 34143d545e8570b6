//! What is shown of real builds: their streams were recorded with `--progress rawjson`.

use std::time::Duration;

use serde_json::Value;

use super::replay::messages;
use super::*;
use crate::buildkit::StatusResponse;

// peelbox, a build that ran all of its steps.
const COLD: &str = include_str!("../../tests/fixtures/progress/cold.jsonl");
// The same once more.
const CACHED: &str = include_str!("../../tests/fixtures/progress/cached.jsonl");
// One whose second command fails.
const FAILED: &str = include_str!("../../tests/fixtures/progress/failed.jsonl");
// One that was interrupted in its first command.
const CANCELED: &str = include_str!("../../tests/fixtures/progress/canceled.jsonl");
// buildctl v0.33.1, with all results from the cache in a registry.
const IMPORT: &str = include_str!("../../tests/fixtures/progress/import.jsonl");
// docker buildx, with warnings.
const BUILDX: &str = include_str!("../../tests/fixtures/progress/buildx.jsonl");

const WIDE: Size = Size {
    columns: 100,
    rows: 30,
};

fn title(number: usize, of: usize) -> Title {
    Title {
        name: "hello".to_owned(),
        path: "apps/hello".to_owned(),
        number,
        of,
    }
}

/// The latest time of a message, in nanoseconds.
fn latest(message: &StatusResponse) -> i64 {
    let mut steps = Steps::new(Detail::Steps);
    steps.feed(message);
    steps.now()
}

/// Feeds a recording as it came, and calls `look` whenever `every` has passed.
fn play(
    recording: &str,
    board: &mut Board,
    every: Duration,
    mut look: impl FnMut(&mut Board, Duration),
) {
    let messages = messages(recording);
    let first = messages.iter().map(latest).find(|at| *at > 0).unwrap();
    let mut at = Duration::ZERO;
    let mut next = every;
    for message in messages {
        let time = u64::try_from(latest(&message) - first).unwrap_or(0);
        at = at.max(Duration::from_nanos(time));
        while next < at {
            board.advance(next, &Marks::UNICODE);
            look(board, next);
            next += every;
        }
        board.advance(at, &Marks::UNICODE);
        board.feed(&message, at, &Marks::UNICODE);
    }
}

fn texts(lines: &[Line]) -> String {
    let lines = lines.iter().map(|line| line.text().trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// What stays of a recording.
fn record(recording: &str, of: usize, is_verbose: bool) -> String {
    let mut board = Board::new(title(1, of), is_verbose);
    play(recording, &mut board, Duration::from_millis(100), |_, _| {});
    board.finish(&Marks::UNICODE);
    texts(&board.settled(WIDE, &Marks::UNICODE))
}

/// The frame of a recording at a time, in milliseconds.
fn frame(recording: &str, at: u64, size: Size) -> String {
    let mut board = Board::new(title(2, 8), false);
    let mut frame = String::new();
    play(
        recording,
        &mut board,
        Duration::from_millis(at),
        |board, time| {
            if frame.is_empty() {
                frame = texts(&board.live(time, size, &Marks::UNICODE));
            }
        },
    );
    frame
}

fn plain(recording: &str) -> String {
    let mut plain = Plain::new(Detail::Steps);
    let messages = messages(recording);
    let mut lines: Vec<String> = messages
        .iter()
        .flat_map(|message| plain.feed(message))
        .collect();
    lines.extend(plain.finish());
    lines.join("\n")
}

#[test]
fn dump() {
    for (n, r) in [COLD, CACHED, FAILED, CANCELED, IMPORT, BUILDX]
        .iter()
        .enumerate()
    {
        eprintln!("==== {n} plain\n{}", plain(r));
        eprintln!("==== {n} record\n{}", record(r, 2, false));
        eprintln!("==== {n} verbose\n{}", record(r, 1, true));
        for at in [300, 1200, 2000, 3000, 4000, 6000] {
            eprintln!("---- {n} {at}\n{}", frame(r, at, WIDE));
        }
    }
}

#[test]
fn the_json_is_that_of_other_clients() {
    for recording in [IMPORT, BUILDX] {
        for (line, message) in recording.lines().zip(messages(recording)) {
            let theirs: Value = serde_json::from_str(line).unwrap();
            let ours: Value = serde_json::from_str(&json(&message)).unwrap();
            assert_eq!(ours, theirs);
        }
    }
}
