//! What is shown of real builds: their streams were recorded with `--progress rawjson`.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::line::Tone;
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

fn texts(lines: &[Line]) -> Vec<String> {
    let lines = lines.iter().map(|line| line.text().trim_end().to_owned());
    lines.collect()
}

/// What stays of a recording.
fn record(recording: &str, of: usize, is_verbose: bool) -> Vec<String> {
    let mut board = Board::new(title(1, of), is_verbose);
    play(recording, &mut board, Duration::from_millis(100), |_, _| {});
    board.finish(&Marks::UNICODE);
    texts(&board.settled(WIDE, &Marks::UNICODE))
}

/// The frame of a recording at a time, in milliseconds.
fn frame(recording: &str, at: u64, size: Size) -> Vec<String> {
    let mut board = Board::new(title(2, 8), false);
    let mut frame = Vec::new();
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

fn plain(recording: &str) -> Vec<String> {
    let mut plain = Plain::new(Detail::Steps);
    let messages = messages(recording);
    let mut lines: Vec<String> = messages
        .iter()
        .flat_map(|message| plain.feed(message))
        .collect();
    lines.extend(plain.finish());
    lines
}

#[test]
fn a_cold_build_leaves_a_line_for_each_step_that_took_time() {
    assert_eq!(
        record(COLD, 2, false),
        [
            "building hello (apps/hello), app 1 of 2",
            "  ✓     1.1s  3 build packages",
            r#"  ✓     1.5s  build 1/2: for n in 1 2 3; do echo "step $n of 3"; sleep 0.4; done; echo progress >&2"#,
            r#"  ✓     0.7s  build 2/2: printf 'wörks\n10%%\r50%%\r100%%\ndone' && cp hello.txt /out.txt"#,
            "  ✓     0.2s  app layer",
            "  ✓     2.6s  exporting to oci image format",
            "              3 steps cached, 4 steps in less than 0.1s",
        ]
    );
}

#[test]
fn a_cached_build_leaves_few_lines() {
    assert_eq!(
        record(CACHED, 1, false),
        [
            "building hello (apps/hello)",
            "  ✓     0.2s  base image",
            "  ✓     0.7s  exporting to oci image format",
            "              8 steps cached, 2 steps in less than 0.1s",
        ]
    );
}

#[test]
fn a_step_that_failed_leaves_its_output_and_what_came_of_it() {
    assert_eq!(
        record(FAILED, 2, false),
        [
            "building hello (apps/hello), app 1 of 2",
            "  ✓     0.3s  source of the repository",
            "  ✓     0.3s  base image",
            r#"  ✓     1.7s  build 1/2: for n in 1 2 3; do echo "step $n of 3"; sleep 0.4; done; echo progress >&2"#,
            r#"  ✗   failed  build 2/2: printf 'wörks\n10%%\r50%%\r100%%\ndone' && cp absent.txt /out.txt"#,
            "              │ wörks",
            "              │ 100%",
            "              │ cp: can't stat 'absent.txt': No such file or directory",
            "              │ done",
            "              exit code: 1",
            "              2 steps cached, 1 step in less than 0.1s",
        ]
    );
}

#[test]
fn the_output_of_a_single_app_is_not_told_twice() {
    assert_eq!(
        record(FAILED, 1, false)[4..],
        [
            r#"  ✗   failed  build 2/2: printf 'wörks\n10%%\r50%%\r100%%\ndone' && cp absent.txt /out.txt"#,
            "              exit code: 1",
            "              2 steps cached, 1 step in less than 0.1s",
        ]
    );
}

#[test]
fn what_was_interrupted_is_no_failure() {
    assert_eq!(
        record(CANCELED, 1, false),
        [
            "building hello (apps/hello)",
            r#"  –  stopped  build 1/2: for n in 1 2 3; do echo "step $n of 3"; sleep 20; done; echo progress >&2"#,
            "              2 steps cached, 3 steps in less than 0.1s",
        ]
    );
}

#[test]
fn what_is_pulled_after_all_is_told_of_though_it_was_cached() {
    assert_eq!(
        record(IMPORT, 1, false),
        [
            "building hello (apps/hello)",
            "  ✓     0.6s  [4/4] RUN echo two && cp /blob /blob2",
            "  ✓     2.0s  exporting to oci image format",
            "              2 steps cached, 7 steps in less than 0.1s",
        ]
    );
}

#[test]
fn warnings_stay() {
    assert_eq!(
        record(BUILDX, 1, false),
        [
            "building hello (apps/hello)",
            "  !           WARN: FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)",
            "  !           WARN: The 'as' keyword should match the case of the 'from' keyword",
            "  !           WARN: https://docs.docker.com/go/dockerfile/rule/from-as-casing/",
            "  !           WARN: JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals (line 3)",
            "  !           WARN: JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
            "  !           WARN: https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
            "  ✓     0.1s  exporting to oci image format",
            "              4 steps in less than 0.1s",
        ]
    );
}

#[test]
fn a_verbose_record_has_every_operation_and_all_output() {
    assert_eq!(
        record(FAILED, 2, true),
        [
            "building hello (apps/hello), app 1 of 2",
            "  ✓   cached  base image",
            "  ✓     0.3s  source of the repository",
            "  ✓     0.0s  package ca-certificates-bundle-20260816-r1",
            "  ✓     0.0s  package busybox-1.38.0-r1",
            "  ✓     0.0s  package wolfi-baselayout-20230201-r29",
            "  ✓   cached  source",
            "  ✓   cached  3 build packages",
            "build 1/2 │ step 1 of 3",
            "  ✓     0.3s  base image",
            "build 1/2 │ step 2 of 3",
            "build 1/2 │ step 3 of 3",
            "build 1/2 │ progress",
            r#"  ✓     1.7s  build 1/2: for n in 1 2 3; do echo "step $n of 3"; sleep 0.4; done; echo progress >&2"#,
            "build 2/2 │ wörks",
            "build 2/2 │ 100%",
            "build 2/2 │ cp: can't stat 'absent.txt': No such file or directory",
            "build 2/2 │ done",
            r#"  ✗   failed  build 2/2: printf 'wörks\n10%%\r50%%\r100%%\ndone' && cp absent.txt /out.txt"#,
            "              exit code: 1",
        ]
    );
}

#[test]
fn a_frame_shows_what_runs_with_its_last_output() {
    assert_eq!(
        frame(COLD, 300, WIDE),
        [
            "  ⠸     0.3s  3 build packages  ━━━━━━━━━───",
            "  ⠸     0.3s  2/8 hello  1 step done, 1 cached",
        ]
    );
    assert_eq!(
        frame(COLD, 2000, WIDE),
        [
            r#"  ⠋     0.8s  build 1/2: for n in 1 2 3; do echo "step $n of 3"; sleep 0.4; done; echo progress >&2"#,
            "              │ step 1 of 3",
            "              │ step 2 of 3",
            "  ⠋     2.0s  2/8 hello  5 steps done, 1 cached",
        ]
    );
    assert_eq!(
        frame(COLD, 6000, WIDE),
        [
            "  ⠋     1.8s  exporting to oci image format",
            "              exporting attestation manifest sha256:9c6f64e0f7b6",
            "  ⠋     6.0s  2/8 hello  11 steps done, 3 cached",
        ]
    );
}

#[test]
fn a_frame_shows_how_far_downloads_are() {
    assert_eq!(
        frame(IMPORT, 870, WIDE),
        [
            "  ⠇     0.4s  [4/4] RUN echo two && cp /blob /blob2",
            "              sha256:c4945079c0c7  ━━━━━━━─────────────────  8.4MB / 25.2MB",
            "              sha256:671303636a0d  ━━━━━━━━━━━━━━──────────  15.7MB / 25.2MB",
            "  ⠇     0.5s  exporting to oci image format",
            "  ⠇     0.9s  2/8 hello  4 steps done, 2 cached",
        ]
    );
}

#[test]
fn a_frame_fits_into_a_small_terminal() {
    let size = |columns, rows| Size { columns, rows };
    assert_eq!(
        frame(COLD, 2000, size(40, 4)),
        [
            "  ⠋     0.8s  build 1/2: for n in 1 2 …",
            "              │ step 2 of 3",
            "  ⠋     2.0s  2/8 hello  5 steps done,…",
        ]
    );
    assert_eq!(
        frame(COLD, 2000, size(24, 3)),
        ["  ⠋     0.8s  build 1/…", "  ⠋     2.0s  2/8 hello",]
    );
    assert_eq!(frame(COLD, 2000, size(24, 1)), ["  ⠋     2.0s  2/8 hello",]);
}

#[test]
fn plain_lines_of_a_cold_build() {
    assert_eq!(
        plain(COLD),
        [
            "#1 base image",
            "#2 base image",
            "#2 resolve 127.0.0.1:21923/chainguard/wolfi-base:latest@sha256:f047a193e5a758a9221b0051a4afb56560086fe28cd4bfc3f441242f5484d7a3 0.0s done",
            "#3 source of the repository",
            "#2 CACHED",
            "#4 [hello] 3 build packages",
            "#3 transferring 557B 0.0s done",
            "#1 DONE 0.0s",
            "#3 DONE 0.0s",
            "#4 DONE 1.1s",
            "#5 [hello] source",
            "#5 DONE 0.0s",
            r#"#6 [hello] build 1/2: for n in 1 2 3; do echo "step $n of 3"; sleep 0.4; done; echo progress >&2"#,
            "#6 0.12 step 1 of 3",
            "#6 0.54 step 2 of 3",
            "#6 0.94 step 3 of 3",
            "#6 1.34 progress",
            "#6 DONE 1.5s",
            r#"#7 [hello] build 2/2: printf 'wörks\n10%%\r50%%\r100%%\ndone' && cp hello.txt /out.txt"#,
            "#7 0.44 wörks",
            "#7 0.44 100%",
            "#7 0.73 done",
            "#8 [hello] 3 runtime packages",
            "#9 [hello] package layer",
            "#8 CACHED",
            "#7 DONE 0.7s",
            "#9 CACHED",
            "#10 [hello] app layer",
            "#11 SBOM",
            "#12 exporting to oci image format",
            "#12 exporting layers 0.1s done",
            "#12 rewriting layers with source-date-epoch 0 (1970-01-01 00:00:00 +0000 UTC) 1.0s done",
            "#10 DONE 0.2s",
            "#11 DONE 0.1s",
            "#12 exporting manifest sha256:b8155850d8ea3b4593d7d6c27ce728906fb20ed3cf58107f7926b3ef3ec08237 0.1s done",
            "#12 exporting config sha256:34ecf5048a9e8aed28610e90aeb2f817eb6acda5768841342a1a0511a2f1063f 0.3s done",
            "#12 exporting attestation manifest sha256:9c6f64e0f7b6c85d62985b85572e569afc220870397867844ad31dcdbdd53e76 0.1s done",
            "#12 exporting manifest list sha256:528ae6a79a7074ce31d2c06ca101a31117e44317f4417244b4c88d9216653954 0.2s done",
            "#12 sending tarball 0.4s done",
            "#12 DONE 2.6s",
        ]
    );
}

#[test]
fn plain_lines_of_a_build_that_fails() {
    assert_eq!(
        plain(FAILED),
        [
            "#1 base image",
            "#2 base image",
            "#2 resolve 127.0.0.1:21923/chainguard/wolfi-base:latest@sha256:f047a193e5a758a9221b0051a4afb56560086fe28cd4bfc3f441242f5484d7a3 0.0s done",
            "#3 source of the repository",
            "#3 transferring 558B 0.0s done",
            "#2 CACHED",
            "#3 DONE 0.3s",
            "#4 [hello] 3 build packages",
            "#5 [hello] source",
            r#"#6 [hello] build 1/2: for n in 1 2 3; do echo "step $n of 3"; sleep 0.4; done; echo progress >&2"#,
            "#5 CACHED",
            "#4 DONE 0.0s",
            "#6 0.37 step 1 of 3",
            "#6 0.77 step 2 of 3",
            "#1 DONE 0.3s",
            "#6 1.17 step 3 of 3",
            "#6 1.57 progress",
            "#6 DONE 1.7s",
            r#"#7 [hello] build 2/2: printf 'wörks\n10%%\r50%%\r100%%\ndone' && cp absent.txt /out.txt"#,
            "#7 0.16 wörks",
            "#7 0.16 100%",
            "#7 0.17 cp: can't stat 'absent.txt': No such file or directory",
            "#7 0.27 done",
            "#7 ERROR: exit code: 1",
        ]
    );
}

#[test]
fn plain_lines_of_a_build_from_a_cache_in_a_registry() {
    assert_eq!(
        plain(IMPORT),
        [
            "#1 [internal] load build definition from Dockerfile",
            "#1 transferring 200B 0.0s done",
            "#2 [internal] load metadata for 127.0.0.1:21923/chainguard/wolfi-base:latest",
            "#3 [auth] sharing credentials for 127.0.0.1:21923",
            "#4 [internal] load .dockerignore",
            "#4 transferring 2B 0.0s done",
            "#5 importing cache manifest from 127.0.0.1:21923/progress/cache:1",
            "#6 [internal] load build context",
            "#7 [1/4] FROM 127.0.0.1:21923/chainguard/wolfi-base:latest@sha256:f047a193e5a758a9221b0051a4afb56560086fe28cd4bfc3f441242f5484d7a3",
            "#7 resolve 127.0.0.1:21923/chainguard/wolfi-base:latest@sha256:f047a193e5a758a9221b0051a4afb56560086fe28cd4bfc3f441242f5484d7a3 0.0s done",
            "#5 inferred cache manifest type: application/vnd.oci.image.manifest.v1+json 0.0s done",
            "#6 transferring 61B 0.0s done",
            "#6 DONE 0.0s",
            "#7 DONE 0.0s",
            "#8 [2/4] COPY a.txt /",
            "#9 [3/4] RUN echo one; sleep 1; dd if=/dev/urandom of=/blob bs=1M count=24",
            "#10 [4/4] RUN echo two && cp /blob /blob2",
            "#9 CACHED",
            "#8 CACHED",
            "#11 exporting to oci image format",
            "#11 exporting layers 0.0s done",
            "#11 exporting manifest sha256:6a6e4fad14e6f7415f315bbeeeef29ef222cef4862ec525026ffecf139bed67f 0.0s done",
            "#11 exporting config sha256:c040c8e235104ffa6747f829639423ef1069b82f4e94580aafe038e40f383985 0.0s done",
            "#10 sha256:8d99d6d7a2b33a6727cb26decec92ced8bc3d3cfcdcdf317df564f79cf6d1aaa 127B / 127B 0.1s done",
            "#10 sha256:c4945079c0c76a74c40ead5e0566f2099b47bc6e2af88fb9e4faa2369675d0f9 25.2MB / 25.2MB 0.3s done",
            "#10 sha256:671303636a0d4cf64f609282c15e9d1a644de46e5532258ba649403204d7662c 25.2MB / 25.2MB 0.4s done",
            "#1 DONE 0.1s",
            "#11 sending tarball 1.3s done",
            "#2 DONE 0.0s",
            "#3 DONE 0.0s",
            "#4 DONE 0.1s",
            "#10 DONE 0.6s",
            "#5 DONE 0.1s",
            "#11 DONE 2.0s",
        ]
    );
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

/// As much of a terminal as a [`Screen`] needs; any other sequence fails the test.
#[derive(Default)]
struct Terminal {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// The private modes that were changed.
    modes: BTreeMap<String, bool>,
}

impl Terminal {
    fn write(&mut self, text: &str) {
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            match char {
                '\r' => self.column = 0,
                '\n' => self.row += 1,
                '\x1b' => {
                    assert_eq!(chars.next(), Some('['));
                    let mut parameters = String::new();
                    let end = chars.find(|char| {
                        let is_end = char.is_ascii_alphabetic();
                        if !is_end {
                            parameters.push(*char);
                        }
                        is_end
                    });
                    self.control(end.unwrap(), &parameters);
                }
                char => {
                    assert!(!char.is_control(), "{char:?} in {text:?}");
                    let (row, column) = (self.row, self.column);
                    let row = self.row(row);
                    row.resize(row.len().max(column + 1), ' ');
                    row[column] = char;
                    self.column += 1;
                }
            }
        }
    }

    fn row(&mut self, row: usize) -> &mut Vec<char> {
        let rows = self.rows.len().max(row + 1);
        self.rows.resize(rows, Vec::new());
        &mut self.rows[row]
    }

    fn control(&mut self, end: char, parameters: &str) {
        let (row, column) = (self.row, self.column);
        match (end, parameters) {
            ('A', up) => self.row -= up.parse::<usize>().unwrap(),
            ('K', "") => self.row(row).truncate(column),
            ('J', "") => {
                self.row(row).truncate(column);
                self.rows.truncate(row + 1);
            }
            ('m', _) => {}
            ('h' | 'l', mode) => {
                self.modes.insert(mode.to_owned(), end == 'h');
            }
            other => panic!("{other:?}"),
        }
    }

    fn lines(&self) -> Vec<String> {
        let rows = self.rows.iter().map(|row| row.iter().collect::<String>());
        let mut lines: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }
}

#[test]
fn frame_after_frame_leaves_exactly_what_stays() {
    for recording in [COLD, CACHED, FAILED, CANCELED, IMPORT, BUILDX] {
        let mut terminal = Terminal::default();
        let mut screen = Screen::new(true);
        let mut board = Board::new(title(1, 2), false);
        let mut stays = Vec::new();
        play(
            recording,
            &mut board,
            Duration::from_millis(70),
            |board, at| {
                let settled = board.settled(WIDE, &Marks::UNICODE);
                let live = board.live(at, WIDE, &Marks::UNICODE);
                terminal.write(&screen.frame(&settled, &live, WIDE));
                stays.extend(texts(&settled));
                assert_eq!(terminal.lines(), [stays.clone(), texts(&live)].concat());
                assert_eq!(terminal.row, stays.len() + live.len() - 1);
                // The cursor, lines that go on in the next row, updates at once.
                let modes = [("?25", true), ("?7", true), ("?2026", false)];
                assert!(modes.iter().all(|(mode, on)| terminal.modes[*mode] == *on));
            },
        );
        board.finish(&Marks::UNICODE);
        let settled = board.settled(WIDE, &Marks::UNICODE);
        terminal.write(&screen.frame(&settled, &[], WIDE));
        assert_eq!(terminal.lines(), record(recording, 2, false));
        assert_eq!((terminal.row, terminal.column), (terminal.lines().len(), 0));
    }
}

#[test]
fn every_frame_fits_into_every_terminal() {
    for columns in [1, 2, 3, 5, 13, 14, 15, 20, 40, 80, 200] {
        for rows in [1, 2, 3, 4, 7, 60] {
            let size = Size { columns, rows };
            let mut board = Board::new(title(1, 2), true);
            play(
                IMPORT,
                &mut board,
                Duration::from_millis(50),
                |board, at| {
                    for marks in [Marks::UNICODE, Marks::ASCII] {
                        let live = board.live(at, size, &marks);
                        assert!(
                            !live.is_empty() && live.len() <= (rows - 1).max(1),
                            "{size:?}"
                        );
                        let widest = live.iter().map(Line::width).max().unwrap();
                        assert!(widest <= (columns - 1).max(1), "{size:?} {live:?}");
                    }
                },
            );
        }
    }
}

#[test]
fn a_terminal_that_became_narrower_shows_lines_in_more_rows() {
    let size = |columns, rows| Size { columns, rows };
    let line = |width| Line::default().with(Tone::Plain, "x".repeat(width));
    let live = [line(79), line(40), line(0), line(79)];
    for (size, up) in [
        (size(80, 24), "\r\x1b[3A"),
        (size(100, 24), "\r\x1b[3A"),
        (size(40, 24), "\r\x1b[4A"),
        (size(20, 24), "\r\x1b[7A"),
        (size(20, 5), "\r\x1b[4A"),
        (size(20, 1), "\r"),
    ] {
        let mut screen = Screen::new(false);
        screen.frame(
            &[],
            &live,
            Size {
                columns: 80,
                rows: 24,
            },
        );
        let frame = screen.frame(&[], &[], size);
        let rest = frame.strip_prefix("\x1b[?2026h\x1b[?25l").unwrap();
        let rest = rest
            .strip_prefix(up)
            .unwrap_or_else(|| panic!("{size:?} {rest:?}"));
        assert!(rest.starts_with("\x1b[?7l"), "{size:?} {rest:?}");
    }
}

#[test]
fn text_of_a_build_does_not_get_to_the_terminal_raw() {
    let nasty = "\x1b[2J\x1b]0;title\x07\u{9b}31m\u{202e}\x08\ttab\x1b[31mred\x1b[0m";
    let message = |name: &str| {
        let vertex = |digest: &str| {
            format!(r#"{{"digest":"{digest}","name":{name},"started":"2026-01-01T00:00:00Z"}}"#,)
        };
        let data = STANDARD.encode(format!("{nasty}\n{nasty}"));
        format!(
            r#"{{"vertexes":[{}],"logs":[{{"vertex":"a","stream":1,"data":"{data}","timestamp":"2026-01-01T00:00:01Z"}}],"statuses":[{{"id":{name},"vertex":"a","current":1,"total":3,"timestamp":"2026-01-01T00:00:01Z"}}],"warnings":[{{"vertex":"a","short":"{data}","url":{name}}}]}}"#,
            vertex("a"),
        )
    };
    let name = serde_json::to_string(nasty).unwrap();
    let failure = format!(
        r#"{{"vertexes":[{{"digest":"a","name":{name},"started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:02Z","error":{name}}}]}}"#,
    );
    for is_verbose in [false, true] {
        let mut terminal = Terminal::default();
        let mut screen = Screen::new(true);
        let hostile = Title {
            name: nasty.to_owned(),
            path: nasty.to_owned(),
            number: 1,
            of: 2,
        };
        let mut board = Board::new(hostile, is_verbose);
        for message in messages(&format!("{}\n{failure}", message(&name))) {
            board.feed(&message, Duration::ZERO, &Marks::UNICODE);
            let settled = board.settled(WIDE, &Marks::UNICODE);
            let live = board.live(Duration::ZERO, WIDE, &Marks::UNICODE);
            terminal.write(&screen.frame(&settled, &live, WIDE));
        }
        let shown = terminal.lines().join("\n");
        assert!(!shown.contains('\u{202e}'), "{shown}");
        assert!(
            shown.contains("\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{9b}31m\\u{202e}\\u{8} tabred"),
            "{shown}"
        );
    }
}

#[test]
fn what_no_terminal_takes_does_not_fill_the_memory() {
    let mut board = Board::new(title(1, 1), true);
    let message = messages(
        r#"{"logs":[{"vertex":"a","stream":1,"data":"eAo=","timestamp":"2026-01-01T00:00:00Z"}]}"#,
    );
    for _ in 0..5000 {
        board.feed(&message[0], Duration::ZERO, &Marks::UNICODE);
    }
    let settled = texts(&board.settled(WIDE, &Marks::UNICODE));
    assert_eq!(settled.len(), 2001);
    assert_eq!(settled[0], "(3001 lines are left out here)");
    assert_eq!(settled[2000], "a │ x");
}

#[test]
fn a_step_takes_one_row_however_long_its_name_is() {
    let size = Size {
        columns: 40,
        rows: 10,
    };
    let mut board = Board::new(title(1, 2), true);
    play(COLD, &mut board, Duration::from_secs(60), |_, _| {});
    let lines = texts(&board.settled(size, &Marks::UNICODE));
    let rows = lines.iter().filter(|line| line.contains("build 1/2:"));
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows, ["  ✓     1.5s  build 1/2: for n in 1 2 …"]);
}
