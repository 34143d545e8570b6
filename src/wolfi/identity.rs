//! The identity of a package: the hash of its control section.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// `Q1` and the base64 of the SHA-1 of a package's compressed control section, as the field `C:` of an index has it.
///
/// An index record without one gets the zero identity, which no package has.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity([u8; 20]);

/// A text that is no identity.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an identity of the form Q1<base64 of a SHA-1>")]
pub struct ParseIdentityError(String);

impl Identity {
    /// Wraps the 20 bytes of a SHA-1 sum.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// Whether the identity is known: an index record may lack it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.0 != [0; 20]
    }

    /// The SHA-1 sum in hex digits.
    #[must_use]
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        self.0
            .iter()
            .fold(String::with_capacity(40), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
                hex
            })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Q1{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Identity {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("Q1")
            .and_then(|base64| STANDARD.decode(base64).ok())
            .and_then(|bytes| <[u8; 20]>::try_from(bytes).ok())
            .map(Self)
            .ok_or_else(|| ParseIdentityError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_back_as_written() {
        let text = "Q14rMw23N1pjIQ+K64F3WtmO8K5VY=";
        assert_eq!(text.parse::<Identity>().unwrap().to_string(), text);
    }

    #[test]
    fn what_is_no_sha1_is_refused() {
        for text in ["", "Q1", "Q14rMw23", "4rMw23N1pjIQ+K64F3WtmO8K5VY=", "Q1é"] {
            assert!(text.parse::<Identity>().is_err(), "{text}");
        }
    }
}
