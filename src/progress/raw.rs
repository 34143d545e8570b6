//! The status stream as JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buildkit_proto::google::protobuf::Timestamp;
use buildkit_proto::pb;
use serde::Serialize;

use crate::buildkit as control;

/// Makes a JSON object of a message, on one line without its end.
///
/// It has the names and forms that `buildctl` and `docker buildx` print with `--progress=rawjson`, which are those of
/// [`SolveStatus`](https://github.com/moby/buildkit/blob/v0.33.1/client/graph.go) in BuildKit's own client: times as
/// RFC 3339 with nanoseconds, bytes as base64, what is empty left out. The graph that a source belongs to is left out.
#[must_use]
pub fn json(status: &control::StatusResponse) -> String {
    let status = Status {
        vertexes: status.vertexes.iter().map(vertex).collect(),
        statuses: status.statuses.iter().map(transfer).collect(),
        logs: status.logs.iter().map(log).collect(),
        warnings: status.warnings.iter().map(warning).collect(),
    };
    // Text, numbers and lists always have a form in JSON.
    serde_json::to_string(&status).unwrap_or_default()
}

#[derive(Serialize)]
struct Status<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vertexes: Vec<Vertex<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<Transfer<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<Log<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning<'a>>,
}

#[derive(Serialize)]
struct Vertex<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    digest: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    inputs: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    cached: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    error: &'a str,
    #[serde(rename = "progressGroup", skip_serializing_if = "Option::is_none")]
    progress_group: Option<Group<'a>>,
}

#[derive(Serialize)]
struct Group<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    weak: bool,
}

#[derive(Serialize)]
struct Transfer<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    vertex: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    total: i64,
    current: i64,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<String>,
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    vertex: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    stream: i64,
    data: String,
    timestamp: String,
}

#[derive(Serialize)]
struct Warning<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    vertex: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    level: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    short: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detail: Vec<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    url: &'a str,
    #[serde(rename = "sourceInfo", skip_serializing_if = "Option::is_none")]
    source: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    range: Vec<BTreeMap<&'static str, Position>>,
}

#[derive(Serialize)]
struct Source<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    filename: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    data: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    language: &'a str,
}

#[derive(Serialize)]
struct Position {
    #[serde(skip_serializing_if = "is_default")]
    line: i32,
    #[serde(skip_serializing_if = "is_default")]
    character: i32,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn vertex(vertex: &control::Vertex) -> Vertex<'_> {
    Vertex {
        digest: &vertex.digest,
        inputs: &vertex.inputs,
        name: &vertex.name,
        started: vertex.started.as_ref().map(time),
        completed: vertex.completed.as_ref().map(time),
        cached: vertex.cached,
        error: &vertex.error,
        progress_group: vertex.progress_group.as_ref().map(|group| Group {
            id: &group.id,
            name: &group.name,
            weak: group.weak,
        }),
    }
}

fn transfer(status: &control::VertexStatus) -> Transfer<'_> {
    Transfer {
        id: &status.id,
        vertex: &status.vertex,
        name: &status.name,
        total: status.total,
        current: status.current,
        timestamp: time(&status.timestamp.unwrap_or_default()),
        started: status.started.as_ref().map(time),
        completed: status.completed.as_ref().map(time),
    }
}

fn log(log: &control::VertexLog) -> Log<'_> {
    Log {
        vertex: &log.vertex,
        stream: log.stream,
        data: STANDARD.encode(&log.msg),
        timestamp: time(&log.timestamp.unwrap_or_default()),
    }
}

fn warning(warning: &control::VertexWarning) -> Warning<'_> {
    let detail = warning.detail.iter();
    let ranges = warning.ranges.iter();
    Warning {
        vertex: &warning.vertex,
        level: warning.level,
        short: STANDARD.encode(&warning.short),
        detail: detail.map(|line| STANDARD.encode(line)).collect(),
        url: &warning.url,
        source: warning.info.as_ref().map(|info| Source {
            filename: &info.filename,
            data: STANDARD.encode(&info.data),
            language: &info.language,
        }),
        range: ranges.map(range).collect(),
    }
}

fn range(range: &pb::Range) -> BTreeMap<&'static str, Position> {
    let ends = [("start", &range.start), ("end", &range.end)].into_iter();
    ends.filter_map(|(name, position)| {
        let position = position.as_ref()?;
        let position = Position {
            line: position.line,
            character: position.character,
        };
        Some((name, position))
    })
    .collect()
}

fn time(timestamp: &Timestamp) -> String {
    jiff::Timestamp::new(timestamp.seconds, timestamp.nanos)
        .unwrap_or_default()
        .to_string()
}
