//! Recorded streams and what is shown of them.

use buildkit_proto::google::protobuf::Timestamp;
use buildkit_proto::pb::ProgressGroup;

use super::*;
use crate::buildkit::{StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning};

/// A point in time, in milliseconds.
#[expect(clippy::unnecessary_wraps, reason = "as the messages have it")]
fn at(milliseconds: i64) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: 1_700_000_000 + milliseconds / 1000,
        nanos: i32::try_from(milliseconds % 1000).unwrap() * 1_000_000,
    })
}

fn vertex(digest: &str, inputs: &[&str]) -> Vertex {
    Vertex {
        digest: digest.to_owned(),
        name: format!("[{digest}]"),
        inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
        ..Vertex::default()
    }
}

fn started(digest: &str, inputs: &[&str], start: i64) -> Vertex {
    Vertex {
        started: at(start),
        ..vertex(digest, inputs)
    }
}

fn completed(digest: &str, inputs: &[&str], start: i64, end: i64) -> Vertex {
    Vertex {
        completed: at(end),
        ..started(digest, inputs, start)
    }
}

fn cached(vertex: Vertex) -> Vertex {
    Vertex {
        cached: true,
        ..vertex
    }
}

fn failed(vertex: Vertex, error: &str) -> Vertex {
    Vertex {
        error: error.to_owned(),
        ..vertex
    }
}

fn vertices(vertexes: Vec<Vertex>) -> StatusResponse {
    StatusResponse {
        vertexes,
        ..StatusResponse::default()
    }
}

fn log(digest: &str, time: i64, msg: &[u8]) -> StatusResponse {
    let log = VertexLog {
        vertex: digest.to_owned(),
        timestamp: at(time),
        stream: 1,
        msg: msg.to_vec(),
    };
    StatusResponse {
        logs: vec![log],
        ..StatusResponse::default()
    }
}

fn progress(id: &str, amount: (i64, i64), time: i64, end: Option<i64>) -> StatusResponse {
    let status = VertexStatus {
        id: id.to_owned(),
        vertex: "a".to_owned(),
        current: amount.0,
        total: amount.1,
        timestamp: at(time),
        started: at(0),
        completed: end.and_then(at),
        ..VertexStatus::default()
    };
    StatusResponse {
        statuses: vec![status],
        ..StatusResponse::default()
    }
}

fn plain(stream: &[StatusResponse]) -> Vec<String> {
    let mut plain = Plain::new(Detail::Steps);
    let mut lines: Vec<String> = stream
        .iter()
        .flat_map(|status| plain.feed(status))
        .collect();
    lines.extend(plain.finish());
    lines
}

#[test]
fn a_build_reads_from_top_to_bottom() {
    let stream = [
        vertices(vec![
            vertex("a", &[]),
            vertex("b", &["a"]),
            vertex("c", &["b"]),
        ]),
        vertices(vec![started("a", &[], 0)]),
        vertices(vec![completed("a", &[], 0, 1250)]),
        vertices(vec![started("b", &["a"], 1300)]),
        log("b", 1400, b"hello\nwor"),
        log("b", 1500, b"ld"),
        vertices(vec![completed("b", &["a"], 1300, 2000)]),
        vertices(vec![cached(completed("c", &["b"], 2000, 2000))]),
    ];
    assert_eq!(
        plain(&stream),
        [
            "#1 [a]",
            "#1 DONE 1.2s",
            "#2 [b]",
            "#2 0.10 hello",
            "#2 0.70 world",
            "#2 DONE 0.7s",
            "#3 [c]",
            "#3 CACHED",
        ]
    );
}

#[test]
fn a_source_that_runs_for_each_cache_key_ends_once() {
    let stream = [
        vertices(vec![completed("a", &[], 0, 10)]),
        vertices(vec![completed("a", &[], 20, 30)]),
        vertices(vec![started("a", &[], 40)]),
        progress("transferring context:", (2_500_000, 0), 3000, Some(3000)),
        vertices(vec![completed("a", &[], 40, 3100)]),
    ];
    assert_eq!(
        plain(&stream),
        [
            "#1 [a]",
            "#1 transferring context: 2.5MB 3.0s done",
            "#1 DONE 3.1s",
        ]
    );
}

#[test]
fn the_last_word_on_a_cached_result_counts() {
    let pull = |start| Vertex {
        inputs: Vec::new(),
        ..completed("b", &[], start, start + 5)
    };
    let stream = [
        vertices(vec![cached(completed("b", &["a"], 0, 1))]),
        vertices(vec![pull(10), pull(20), pull(30)]),
        vertices(vec![cached(completed("b", &["a"], 40, 41))]),
    ];
    assert_eq!(plain(&stream), ["#1 [b]", "#1 CACHED"]);
}

#[test]
fn an_event_without_inputs_does_not_erase_them() {
    let stream = [
        vertices(vec![completed("a", &[], 0, 10)]),
        vertices(vec![vertex("b", &["a"])]),
        vertices(vec![started("b", &[], 20)]),
    ];
    let mut steps = Steps::new(Detail::Steps);
    let events: Vec<Event> = stream
        .iter()
        .flat_map(|status| steps.feed(status))
        .collect();
    let ended = events
        .iter()
        .any(|event| matches!(event.what, What::Ended(_)));
    assert!(ended, "`b` has started, so `a` has ended: {events:?}");
}

#[test]
fn an_end_is_told_after_a_second_though_nobody_needs_the_result() {
    let mut plain = Plain::new(Detail::Steps);
    plain.feed(&vertices(vec![
        completed("a", &[], 0, 10),
        started("b", &[], 0),
    ]));
    assert_eq!(plain.feed(&log("b", 900, b"x\n")), ["#2 0.90 x"]);
    let later = plain.feed(&log("b", 1200, b"y\n"));
    assert_eq!(later, ["#2 1.20 y", "#1 DONE 0.0s"]);
}

#[test]
fn what_failed_is_told_at_once_and_what_was_stopped_is_no_failure() {
    let error = "process \"/bin/sh -c make\" did not complete successfully: exit code: 2";
    let stream = [
        vertices(vec![started("a", &[], 0), started("b", &[], 0)]),
        log("a", 100, b"make: *** no rule"),
        vertices(vec![failed(completed("a", &[], 0, 200), error)]),
        vertices(vec![failed(
            completed("b", &[], 0, 210),
            "solve: context canceled",
        )]),
    ];
    assert_eq!(
        plain(&stream),
        [
            "#1 [a]",
            "#2 [b]",
            "#1 0.20 make: *** no rule",
            "#1 ERROR: exit code: 2",
            "#2 CANCELED",
        ]
    );
}

#[test]
fn a_stream_that_breaks_off_leaves_no_step_open() {
    let stream = [
        vertices(vec![started("a", &[], 0)]),
        log("a", 100, b"unfinished"),
    ];
    assert_eq!(
        plain(&stream),
        ["#1 [a]", "#1 0.10 unfinished", "#1 CANCELED"]
    );
}

#[test]
fn a_group_is_one_step_that_weak_members_do_not_show() {
    let member = |vertex: Vertex, weak| Vertex {
        progress_group: Some(ProgressGroup {
            id: "packages".to_owned(),
            name: "fetch packages".to_owned(),
            weak,
        }),
        ..vertex
    };
    let stream = [
        vertices(vec![member(completed("a", &[], 0, 2000), true)]),
        vertices(vec![member(completed("b", &[], 500, 1000), false)]),
        vertices(vec![member(completed("c", &[], 2500, 3000), false)]),
    ];
    assert_eq!(plain(&stream), ["#1 fetch packages", "#1 DONE 2.5s"]);
    assert_eq!(plain(&stream[..1]), [""; 0]);
}

#[test]
fn chunks_may_cut_characters_and_overwrite_lines() {
    let text = "10%\r20%\r100%\ngrün\r\n".as_bytes();
    let (first, second) = text.split_at(text.len() - 4);
    let stream = [
        vertices(vec![started("a", &[], 0)]),
        log("a", 100, first),
        log("a", 200, second),
        vertices(vec![completed("a", &[], 0, 300)]),
    ];
    assert_eq!(
        plain(&stream),
        ["#1 [a]", "#1 0.10 100%", "#1 0.20 grün", "#1 DONE 0.3s"]
    );
    let mut file = LogFile::new(Vec::new());
    for status in &stream {
        file.feed(status).unwrap();
    }
    let file = String::from_utf8(file.finish().unwrap()).unwrap();
    assert_eq!(
        file,
        "#1 [a]\n#1 started 2023-11-14T22:13:20.000Z\n#1 0.100 10%\n#1 0.100 20%\n#1 0.100 100%\n#1 0.200 grün\n#1 DONE 0.3s\n"
    );
}

#[test]
fn names_and_errors_cannot_forge_lines() {
    let named = Vertex {
        name: "a\n#9 DONE\u{1b}[2J".to_owned(),
        ..failed(completed("a", &[], 0, 1), "one\n::error::two\u{1b}c")
    };
    let warning = VertexWarning {
        vertex: "a".to_owned(),
        short: b"short\nforged".to_vec(),
        url: "https://example.test".to_owned(),
        ..VertexWarning::default()
    };
    let stream = [StatusResponse {
        warnings: vec![warning],
        ..vertices(vec![named])
    }];
    assert_eq!(
        plain(&stream),
        [
            "#1 a #9 DONE\\u{1b}[2J",
            "#1 WARN: short forged",
            "#1 WARN: https://example.test",
            "#1 ERROR: one",
            "#1 ERROR: ::error::two\\u{1b}c",
        ]
    );
}

#[test]
fn a_long_transfer_shows_that_it_lives() {
    let stream = [
        vertices(vec![started("a", &[], 0)]),
        progress("layer", (10, 20_000_000), 100, None),
        progress("layer", (1_234_000, 20_000_000), 5_100, None),
        progress("layer", (2_000_000, 20_000_000), 6_000, None),
        progress("layer", (20_000_000, 20_000_000), 7_000, Some(7_000)),
        progress("layer", (20_000_000, 20_000_000), 8_000, Some(7_000)),
    ];
    let mut lines = plain(&stream);
    lines.pop();
    assert_eq!(
        lines,
        [
            "#1 [a]",
            "#1 layer 1.2MB / 20.0MB",
            "#1 layer 20.0MB / 20.0MB 7.0s done",
        ]
    );
}

#[test]
fn the_tail_keeps_the_last_lines_only() {
    let mut tail = Tail::new(2);
    for number in 0..5 {
        tail.feed(&log("a", number, format!("{number}\n").as_bytes()));
    }
    assert_eq!(tail.lines("a"), ["3", "4"]);
    tail.feed(&log("a", 6, b"unfinished"));
    assert_eq!(tail.lines("a"), ["4", "unfinished"]);
    assert!(tail.lines("b").is_empty());
}

#[test]
fn output_of_an_unknown_operation_is_not_lost() {
    let stream = [log("sha256:12", 0, b"text\n")];
    assert_eq!(plain(&stream), ["#1 sha256:12", "#1 0.00 text"]);
}

#[test]
fn what_was_stopped_may_run_again() {
    let stopped = failed(completed("a", &[], 0, 100), "context canceled");
    let stream = [
        vertices(vec![stopped, started("b", &["a"], 150)]),
        log("b", 3000, b"x\n"),
        vertices(vec![started("a", &[], 4000)]),
        vertices(vec![completed("a", &[], 4000, 5000)]),
        vertices(vec![completed("b", &["a"], 150, 6000)]),
    ];
    assert_eq!(
        plain(&stream),
        [
            "#1 [a]",
            "#2 [b]",
            "#2 2.85 x",
            "#1 DONE 1.1s",
            "#2 DONE 5.8s"
        ]
    );
}

#[test]
fn the_real_error_outlives_the_end_of_the_job() {
    let fails = failed(completed("a", &[], 0, 100), "exit code: 2");
    let closed = failed(completed("a", &[], 0, 120), "context canceled");
    let stream = [vertices(vec![fails]), vertices(vec![closed])];
    assert_eq!(plain(&stream), ["#1 [a]", "#1 ERROR: exit code: 2"]);
}

#[test]
fn a_hidden_group_hides_its_transfers_too() {
    let member = Vertex {
        progress_group: Some(ProgressGroup {
            id: "packages".to_owned(),
            name: "fetch packages".to_owned(),
            weak: true,
        }),
        ..completed("a", &[], 0, 100)
    };
    let stream = [
        vertices(vec![member]),
        progress("layer", (10, 10), 50, Some(50)),
    ];
    assert_eq!(plain(&stream), [""; 0]);
}

#[test]
fn the_log_has_the_members_of_groups_and_the_last_state_of_transfers() {
    let member = |vertex: Vertex| Vertex {
        progress_group: Some(ProgressGroup {
            id: "packages".to_owned(),
            name: "fetch packages".to_owned(),
            weak: true,
        }),
        ..vertex
    };
    let stream = [
        vertices(vec![
            member(started("a", &[], 0)),
            member(cached(completed("b", &[], 5, 6))),
        ]),
        progress("layer", (10, 300), 50, None),
        progress("layer", (20, 300), 60, None),
        vertices(vec![member(failed(completed("a", &[], 0, 100), "gone"))]),
    ];
    let mut file = LogFile::new(Vec::new());
    for status in &stream {
        file.feed(status).unwrap();
    }
    let file = String::from_utf8(file.finish().unwrap()).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(
        lines,
        [
            "#1 [a]",
            "#1 started 2023-11-14T22:13:20.000Z",
            "#2 [b]",
            "#2 started 2023-11-14T22:13:20.005Z",
            "#1 layer 20B / 300B",
            "#1 ERROR: gone",
            "#2 CACHED",
        ]
    );
}
