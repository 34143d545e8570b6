//! Recorded status streams, as `--progress rawjson` prints them.

use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buildkit_proto::google::protobuf::Timestamp;
use buildkit_proto::pb::{Position, ProgressGroup, Range, SourceInfo};
use serde_json::Value;

use crate::buildkit::{StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning};

/// The messages of a recording.
pub(super) fn messages(recording: &str) -> Vec<StatusResponse> {
    recording.lines().map(message).collect()
}

fn message(line: &str) -> StatusResponse {
    let value: Value = serde_json::from_str(line).unwrap();
    StatusResponse {
        vertexes: list(&value, "vertexes").map(vertex).collect(),
        statuses: list(&value, "statuses").map(transfer).collect(),
        logs: list(&value, "logs").map(log).collect(),
        warnings: list(&value, "warnings").map(warning).collect(),
    }
}

fn vertex(value: &Value) -> Vertex {
    let group = &value["progressGroup"];
    Vertex {
        digest: text(&value["digest"]),
        inputs: list(value, "inputs").map(text).collect(),
        name: text(&value["name"]),
        cached: value["cached"].as_bool().unwrap_or_default(),
        started: time(&value["started"]),
        completed: time(&value["completed"]),
        error: text(&value["error"]),
        progress_group: group.is_object().then(|| ProgressGroup {
            id: text(&group["id"]),
            name: text(&group["name"]),
            weak: group["weak"].as_bool().unwrap_or_default(),
        }),
    }
}

fn transfer(value: &Value) -> VertexStatus {
    VertexStatus {
        id: text(&value["id"]),
        vertex: text(&value["vertex"]),
        name: text(&value["name"]),
        current: number(&value["current"]),
        total: number(&value["total"]),
        timestamp: time(&value["timestamp"]),
        started: time(&value["started"]),
        completed: time(&value["completed"]),
    }
}

fn log(value: &Value) -> VertexLog {
    VertexLog {
        vertex: text(&value["vertex"]),
        timestamp: time(&value["timestamp"]),
        stream: number(&value["stream"]),
        msg: bytes(&value["data"]),
    }
}

fn warning(value: &Value) -> VertexWarning {
    VertexWarning {
        vertex: text(&value["vertex"]),
        level: number(&value["level"]),
        short: bytes(&value["short"]),
        detail: list(value, "detail").map(bytes).collect(),
        url: text(&value["url"]),
        info: value["sourceInfo"].is_object().then(|| SourceInfo {
            filename: text(&value["sourceInfo"]["filename"]),
            data: bytes(&value["sourceInfo"]["data"]),
            language: text(&value["sourceInfo"]["language"]),
            definition: None,
        }),
        ranges: list(value, "range").map(range).collect(),
    }
}

fn range(value: &Value) -> Range {
    let position = |name: &str| {
        let position = value.get(name)?;
        Some(Position {
            line: number(&position["line"]),
            character: number(&position["character"]),
        })
    };
    Range {
        start: position("start"),
        end: position("end"),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn number<T: TryFrom<i64, Error: Debug> + Default>(value: &Value) -> T {
    T::try_from(value.as_i64().unwrap_or_default()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(text(value)).unwrap()
}

fn time(value: &Value) -> Option<Timestamp> {
    let time: jiff::Timestamp = value.as_str()?.parse().unwrap();
    Some(Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    })
}
