//! What the configuration of a framework says: `application.properties`, `application.yml`, `application.conf`.

use crate::detect::document::{Document, Syntax};
use crate::detect::provider::Scan;
use crate::detect::repo::join;
use crate::detect::source::{Fact, port};

const PLACES: &[&str] = &[
    "src/main/resources",
    "src/main/resources/config",
    "config",
    "resources",
    "conf",
];

/// The value of a dotted key in the configuration of the app in `dir`.
pub(super) fn value(scan: &Scan<'_>, dir: &str, key: &str) -> Option<Fact<String>> {
    for place in PLACES {
        let place = join(dir, place);
        if let Some(found) = in_properties(scan, &join(&place, "application.properties"), key) {
            return Some(found);
        }
        for name in ["application.yml", "application.yaml"] {
            if let Some(found) = in_yaml(scan, &join(&place, name), key) {
                return Some(found);
            }
        }
    }
    None
}

/// The port at a dotted key, also as the default of a variable: `${PORT:8080}`.
pub(super) fn port_at(scan: &Scan<'_>, dir: &str, key: &str) -> Option<Fact<u16>> {
    let found = value(scan, dir, key)?;
    Some(Fact {
        value: port(literal(&found.value)?.trim())?,
        file: found.file,
        line: found.line,
    })
}

/// A value without a variable around it; nothing where the variable has no default.
pub(super) fn literal(value: &str) -> Option<&str> {
    let Some(inside) = value.strip_prefix("${") else {
        // Ktor writes `$PORT:8080`.
        return match value.strip_prefix('$') {
            Some(rest) => rest.split_once(':').map(|(_, default)| default),
            None => Some(value),
        };
    };
    let (_, default) = inside.strip_suffix('}')?.split_once(':')?;
    literal(default.trim_matches('`'))
}

fn in_properties(scan: &Scan<'_>, file: &str, key: &str) -> Option<Fact<String>> {
    if !scan.repo.has(file) {
        return None;
    }
    let text = scan.repo.text(file).ok()?;
    let lines = text.lines().zip(1..);
    // What comes after such a line holds for a profile only.
    let mut lines = lines.take_while(|(line, _)| !line.starts_with("#---"));
    lines.find_map(|(line, number)| {
        let line = line.trim();
        if line.starts_with(['#', '!']) {
            return None;
        }
        let (name, value) = line.split_once(['=', ':'])?;
        (name.trim() == key).then(|| Fact {
            value: value.trim().to_owned(),
            file: file.to_owned(),
            line: number,
        })
    })
}

fn in_yaml(scan: &Scan<'_>, file: &str, key: &str) -> Option<Fact<String>> {
    if !scan.repo.has(file) {
        return None;
    }
    let text = scan.repo.text(file).ok()?;
    // Maven puts values in the place of `@name@`, which is no YAML before.
    let text = text.replace('@', "_");
    let start = text.strip_prefix("---").map_or(0, |_| 3);
    let end = text[start..]
        .find("\n---")
        .map_or(text.len(), |at| start + at);
    // The file belongs to the app: what is wrong with it is told when it starts.
    let document = Document::parse(file, &text[..end], Syntax::Yaml).ok()?;
    let parts: Vec<&str> = key.split('.').collect();
    // Keys may be nested, dotted, or both.
    for split in (0..parts.len()).rev() {
        let tail = parts[split..].join(".");
        let mut keys = parts[..split].to_vec();
        keys.push(&tail);
        let Some(found) = document.get(&keys) else {
            continue;
        };
        let value = match found {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(flag) => flag.to_string(),
            _ => continue,
        };
        return Some(Fact {
            value,
            file: file.to_owned(),
            line: document.line(&keys)?,
        });
    }
    None
}

/// The first port that Ktor's own configuration names.
pub(super) fn hocon_port(scan: &Scan<'_>, dir: &str) -> Option<Fact<u16>> {
    let file = join(dir, "src/main/resources/application.conf");
    let file = if scan.repo.has(&file) {
        file
    } else {
        join(dir, "resources/application.conf")
    };
    if !scan.repo.has(&file) {
        return None;
    }
    let text = scan.repo.text(&file).ok()?;
    text.lines().zip(1..).find_map(|(line, number)| {
        let rest = line.trim().strip_prefix("port")?;
        let value = rest.trim_start().strip_prefix(['=', ':'])?;
        Some(Fact {
            value: port(value.trim().trim_matches('"'))?,
            file: file.clone(),
            line: number,
        })
    })
}
