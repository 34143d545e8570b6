//! The port that a program listens on, from its sources.

use crate::detect::source::{self, Fact, File};

/// The default beside a read of `PORT`, else the number that a call to listen is given.
pub(super) fn find(files: &[File]) -> Option<Fact<u16>> {
    let beside_read = files.iter().find_map(|file| {
        reads(file).into_iter().find_map(|at| {
            let value = literal(file, at).or_else(|| through_name(files, file, at))?;
            Some(fact(file, at, value))
        })
    });
    beside_read.or_else(|| files.iter().find_map(listened))
}

/// Whether any of the sources reads `PORT` from the environment.
pub(super) fn is_read(files: &[File]) -> bool {
    files.iter().any(|file| !reads(file).is_empty())
}

/// The places in a file that are looked at, and the text of a call that is: no program has more, and what is hostile costs little.
const MOST: usize = 64;
const LONGEST: usize = 4096;

fn fact(file: &File, at: usize, value: u16) -> Fact<u16> {
    Fact {
        value,
        file: file.path.clone(),
        line: file.source.line(at),
    }
}

/// The ends of all reads of `PORT`: `env.PORT`, `env["PORT"]`, `const { PORT } = process.env`.
fn reads(file: &File) -> Vec<usize> {
    let source = &file.source;
    let mut found: Vec<usize> = ["process.env.PORT", "Bun.env.PORT", "env.PORT"]
        .iter()
        .flat_map(|read| source.all(read).map(|at| at + read.len()))
        .filter(|end| !source.code[*end..].starts_with(|c: char| c == '_' || c.is_alphanumeric()))
        .collect();
    found.extend(
        source
            .all("env[")
            .map(|at| at + 4)
            .filter(|end| source.string_at(*end) == Some("PORT")),
    );
    found.extend(source.all("PORT =").map(|at| at + 4).filter(|end| {
        let line = source.code[*end..].lines().next().unwrap_or_default();
        line.contains("process.env")
    }));
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST);
    found
}

/// The number, or the text that is one, right behind a read: `?? 3000`, `|| "3000"`.
fn literal(file: &File, end: usize) -> Option<u16> {
    let source = &file.source;
    source.number_after(end, 40).or_else(|| {
        let beside = source
            .strings
            .iter()
            .find(|(at, text)| *at > end && *at - end < 20 && source::port(text).is_some());
        beside.and_then(|(_, text)| source::port(text))
    })
}

/// The number behind a name that a read falls back to: a constant, or a parameter that the program gives a number for.
fn through_name(files: &[File], file: &File, end: usize) -> Option<u16> {
    let rest = file.source.code.get(end..)?.trim_start();
    let rest = rest.strip_prefix([']', ')']).unwrap_or(rest).trim_start();
    let name = word(
        rest.strip_prefix("??")
            .or_else(|| rest.strip_prefix("||"))?
            .trim_start(),
    );
    if name.is_empty() {
        return None;
    }
    let constant = format!("const {name} =");
    let value = files.iter().find_map(|file| {
        let at = file.source.find(&constant)?;
        file.source.number_after(at + constant.len(), 12)
    });
    value.or_else(|| {
        let (function, position) = parameter(&file.source.code[..end], name)?;
        files
            .iter()
            .find_map(|file| argument(file, function, position))
    })
}

fn word(text: &str) -> &str {
    let end = text
        .find(|c: char| c != '_' && c != '$' && !c.is_alphanumeric())
        .unwrap_or(text.len());
    &text[..end]
}

/// The function around a place whose parameter has this name, and the parameter's position.
fn parameter<'c>(before: &'c str, name: &str) -> Option<(&'c str, usize)> {
    let at = before.rfind("function ")? + "function ".len();
    let function = word(&before[at..]);
    let list = before[at + function.len()..]
        .strip_prefix('(')?
        .split(')')
        .next()?;
    let position = list
        .split(',')
        .position(|parameter| word(parameter.trim()) == name)?;
    (!function.is_empty()).then_some((function, position))
}

/// The number that a call gives for a parameter.
fn argument(file: &File, function: &str, position: usize) -> Option<u16> {
    let call = format!("{function}(");
    file.source.all(&call).take(MOST).find_map(|at| {
        let mut depth = 0_usize;
        let mut index = 0_usize;
        let start = at + call.len();
        let text = file.source.code[start..].bytes().take(LONGEST);
        for (offset, byte) in text.enumerate() {
            let is_end = byte == b')' && depth == 0;
            if index == position && (is_end || byte == b',' && depth == 0) {
                let code = &file.source.code[..start + offset];
                let argument = code.rsplit([',', '(']).next().unwrap_or_default();
                return source::port(argument.trim());
            }
            match byte {
                b'(' | b'[' | b'{' => depth += 1,
                _ if is_end => return None,
                b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
                b',' if depth == 0 => index += 1,
                _ => {}
            }
        }
        None
    })
}

/// The number in `.listen(3000)`, `.listen({ port: 3000 })`, `serve({ fetch, port: 3000 })`.
fn listened(file: &File) -> Option<Fact<u16>> {
    let source = &file.source;
    for call in [".listen(", "serve("] {
        for at in source.all(call).take(MOST) {
            let start = at + call.len();
            let rest = source.code[start..].trim_start();
            let number = rest
                .starts_with(|c: char| c.is_ascii_digit())
                .then(|| source.number_after(start, 16))
                .flatten();
            let part: String = rest.chars().take(160).collect();
            let key = part.split(';').next().unwrap_or_default().find("port:");
            let keyed = key.and_then(|key| {
                let offset = source.code.len() - rest.len();
                source.number_after(offset + key + "port:".len(), 12)
            });
            if let Some(value) = number.or(keyed) {
                return Some(fact(file, at, value));
            }
        }
    }
    None
}
