//! Checksums in the words of SPDX.

use base64::Engine as _;
use serde::Serialize;

/// A checksum in the words of SPDX.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Checksum {
    algorithm: &'static str,
    #[serde(rename = "checksumValue")]
    value: String,
}

impl Checksum {
    /// A checksum from its algorithm (`SHA1`, `SHA256`, `SHA384`, `SHA512`, `MD5`; case and hyphens do not
    /// matter) and its hex digits; `None` where they do not fit.
    #[must_use]
    pub fn new(algorithm: &str, hex: &str) -> Option<Self> {
        const ALGORITHMS: &[(&str, usize)] = &[
            ("MD5", 32),
            ("SHA1", 40),
            ("SHA256", 64),
            ("SHA384", 96),
            ("SHA512", 128),
        ];
        let name = algorithm.replace('-', "").to_ascii_uppercase();
        let (algorithm, length) = ALGORITHMS.iter().find(|(known, _)| *known == name)?;
        let is_hex = hex.len() == *length && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| Self {
            algorithm,
            value: hex.to_ascii_lowercase(),
        })
    }

    /// A checksum whose sum is given in base64, as in npm's `sha512-…` and apk's `Q1…`.
    pub(super) fn from_base64(algorithm: &str, base64: &str) -> Option<Self> {
        let bytes = base64::prelude::BASE64_STANDARD.decode(base64).ok()?;
        Self::new(algorithm, &hex(&bytes))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
