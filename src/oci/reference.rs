//! Image references.

use std::fmt;
use std::str::FromStr;

use super::Digest;

/// An image reference in its full form: `registry/repository[:tag][@digest]`.
///
/// The short forms of Docker are completed as `distribution/reference` does: `nginx` is
/// `docker.io/library/nginx`. A tag is not added: [`Reference::tag`] is `None` where none was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that is no image reference.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not an image reference: {reason}")]
pub struct ParseReferenceError {
    text: String,
    reason: &'static str,
}

impl Reference {
    /// The registry's host and port, such as `cgr.dev` or `127.0.0.1:5000`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path in the registry, such as `chainguard/wolfi-base`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one was given.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was given.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same reference pinned to `digest`.
    #[must_use]
    pub fn pinned(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }

    /// The same reference with tag `latest` where it has neither tag nor digest.
    #[must_use]
    pub fn or_latest(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some("latest".to_owned());
        }
        self
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ParseReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |reason| ParseReferenceError {
            text: text.to_owned(),
            reason,
        };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (
                name,
                Some(
                    digest
                        .parse()
                        .map_err(|_| error("its digest is not sha256:<64 hex digits>"))?,
                ),
            ),
            None => (text, None),
        };
        // A colon behind the last slash starts a tag; one before it belongs to the registry's port.
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(error(
                "a tag has at most 128 letters, digits, `_`, `.`, `-` and starts with a letter, digit or `_`",
            ));
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
                (first, rest.to_owned())
            }
            Some(_) => ("docker.io", name.to_owned()),
            None => ("docker.io", format!("library/{name}")),
        };
        if !path.split('/').all(is_component) {
            return Err(error(
                "a name has lower-case letters and digits, separated by `/`, `.`, `_`, `__` or `-`",
            ));
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository: path,
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag
            .bytes()
            .all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_component(part: &str) -> bool {
    let alphanumeric = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    alphanumeric(part.bytes().next())
        && alphanumeric(part.bytes().last())
        && part
            .bytes()
            .all(|byte| alphanumeric(Some(byte)) || matches!(byte, b'.' | b'_' | b'-'))
        && !part.contains("..")
        && !part.contains("___")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_completed() {
        for (text, full) in [
            ("nginx", "docker.io/library/nginx"),
            ("grafana/loki:3", "docker.io/grafana/loki:3"),
            ("localhost/a", "localhost/a"),
            ("127.0.0.1:5000/a/b:1.0", "127.0.0.1:5000/a/b:1.0"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), full);
        }
    }

    #[test]
    fn what_a_registry_would_refuse_is_refused() {
        for text in [
            "",
            "UPPER",
            "a//b",
            "a:",
            "a:b c",
            "a@sha256:12",
            "-a",
            "a/../b",
            "a\nb",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
    }
}
