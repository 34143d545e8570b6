//! Recorded status streams, as `--progress rawjson` prints them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buildkit_proto::google::protobuf::Timestamp;
use buildkit_proto::pb::ProgressGroup;
use serde_json::Value;

use crate::buildkit::{StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning};

/// The messages of a recording.
pub(super) fn messages(recording: &str) -> Vec<StatusResponse> {
    recording.lines().map(message).collect()
}

fn message(line: &str) -> StatusResponse {
    let value: Value = serde_json::from_str(line).unwrap();
    let list = |name: &str| value[name].as_array().cloned().unwrap_or_default();
    StatusResponse {
        vertexes: list("vertexes").iter().map(vertex).collect(),
        statuses: list("statuses").iter().map(transfer).collect(),
        logs: list("logs").iter().map(log).collect(),
        warnings: list("warnings").iter().map(warning).collect(),
    }
}

fn vertex(value: &Value) -> Vertex {
    let inputs = value["inputs"].as_array().into_iter().flatten();
    let group = &value["progressGroup"];
    Vertex {
        digest: text(&value["digest"]),
        inputs: inputs.map(text).collect(),
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
        current: value["current"].as_i64().unwrap_or_default(),
        total: value["total"].as_i64().unwrap_or_default(),
        timestamp: time(&value["timestamp"]),
        started: time(&value["started"]),
        completed: time(&value["completed"]),
    }
}

fn log(value: &Value) -> VertexLog {
    VertexLog {
        vertex: text(&value["vertex"]),
        timestamp: time(&value["timestamp"]),
        stream: value["stream"].as_i64().unwrap_or_default(),
        msg: bytes(&value["data"]),
    }
}

fn warning(value: &Value) -> VertexWarning {
    let detail = value["detail"].as_array().into_iter().flatten();
    VertexWarning {
        vertex: text(&value["vertex"]),
        level: value["level"].as_i64().unwrap_or_default(),
        short: bytes(&value["short"]),
        detail: detail.map(bytes).collect(),
        url: text(&value["url"]),
        ..VertexWarning::default()
    }
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
