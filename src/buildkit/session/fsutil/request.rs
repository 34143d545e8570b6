//! What the daemon asks of a file transfer, from the metadata of its call.

use std::borrow::Cow;

use tonic::metadata::MetadataMap;

use super::glob::GlobError;
use super::selection::Selection;

/// The most values of one key; a source with more patterns is none of ours.
const MAX_VALUES: usize = 100_000;

/// A call of `FileSync/DiffCopy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name of the local source.
    pub name: String,
    /// What of it to send.
    pub selection: Selection,
}

/// Metadata that is not understood.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A value is not ASCII text.
    #[error("the daemon sent a `{key}` that is not text")]
    Text {
        /// The metadata key.
        key: &'static str,
    },
    /// There are more values than any source has.
    #[error("the daemon sent more than {MAX_VALUES} `{key}`")]
    TooMany {
        /// The metadata key.
        key: &'static str,
    },
    /// A pattern is malformed.
    #[error("the daemon sent a file pattern that means nothing")]
    Pattern(#[from] GlobError),
}

impl Request {
    /// Reads the metadata of a call ([`session/filesync`]).
    ///
    /// [`session/filesync`]: https://github.com/moby/buildkit/blob/master/session/filesync/filesync.go
    ///
    /// # Errors
    ///
    /// A value is not text, or a pattern is malformed.
    pub fn parse(metadata: &MetadataMap) -> Result<Self, RequestError> {
        let name = values(metadata, "dir-name")?;
        let selection = Selection::new(
            values(metadata, "include-patterns")?,
            &values(metadata, "exclude-patterns")?,
            values(metadata, "followpaths")?,
        )?;
        Ok(Self {
            name: name.into_iter().next().unwrap_or_default(),
            selection,
        })
    }
}

/// The values of `key`. If one had a character outside ASCII, the daemon escaped all of them and says so.
fn values(metadata: &MetadataMap, key: &'static str) -> Result<Vec<String>, RequestError> {
    let is_escaped = metadata
        .get(format!("{key}-encoded"))
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"));
    let values = metadata.get_all(key).iter().take(MAX_VALUES + 1);
    let values: Vec<String> = values
        .map(|value| {
            let value = value.to_str().map_err(|_| RequestError::Text { key })?;
            let value = if is_escaped {
                unescape(value).ok_or(RequestError::Text { key })?
            } else {
                Cow::Borrowed(value)
            };
            Ok(value.into_owned())
        })
        .collect::<Result<_, RequestError>>()?;
    if values.len() > MAX_VALUES {
        return Err(RequestError::TooMany { key });
    }
    Ok(values)
}

/// Undoes Go's `url.QueryEscape`; `None` if `text` is not of its making.
fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (rest.next()?, rest.next()?);
                let digit = |byte: u8| char::from(byte).to_digit(16);
                u8::try_from(digit(high)? << 4 | digit(low)?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pairs: &[(&'static str, &str)]) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        for (key, value) in pairs {
            metadata.append(*key, value.parse().unwrap());
        }
        metadata
    }

    #[test]
    fn patterns_outside_ascii_arrive_escaped() {
        let metadata = metadata(&[
            ("dir-name", "context"),
            ("exclude-patterns", "sub%2F%C3%A9.txt"),
            ("exclude-patterns", "a+b%2Fc"),
            ("exclude-patterns-encoded", "1"),
            ("include-patterns", "100%+1"),
        ]);
        let request = Request::parse(&metadata).unwrap();
        let exclude = ["sub/é.txt".to_owned(), "a b/c".to_owned()];
        let include = vec!["100%+1".to_owned()];
        let selection = Selection::new(include, &exclude, Vec::new()).unwrap();
        assert_eq!(request.name, "context");
        assert_eq!(request.selection, selection);
    }

    #[test]
    fn a_broken_escape_is_refused() {
        for value in ["%", "%4", "%zz", "%ff"] {
            let metadata = metadata(&[("followpaths", value), ("followpaths-encoded", "1")]);
            assert!(Request::parse(&metadata).is_err(), "{value}");
        }
    }
}
