//! The keys that sign indexes and packages.

use std::collections::BTreeMap;

use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaParameters, UnparsedPublicKey,
};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;

use crate::oci::{Digest, Hasher};

const WOLFI_NAME: &str = "wolfi-signing.rsa.pub";
const WOLFI: &[u8] = include_bytes!("wolfi-signing.rsa.pub");

/// The member of a signed archive that holds a signature is named `.SIGN.<kind>.<key file name>`.
pub(super) const SIGNATURE_PREFIX: &str = ".SIGN.";

/// Public RSA keys that are trusted, by their file names, under which signatures refer to them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Keys(BTreeMap<String, Vec<u8>>);

/// A file that is no RSA public key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseKeyError {
    /// There is no `PUBLIC KEY` section of PEM.
    #[error("`{name}` holds no public key in PEM form")]
    Pem {
        /// The key's file name.
        name: String,
    },
    /// The key is of another kind than RSA, or malformed.
    #[error("`{name}` holds no RSA key")]
    Kind {
        /// The key's file name.
        name: String,
    },
    /// The name cannot be the end of a member name.
    #[error("`{name}` is not the file name of a key")]
    Name {
        /// The key's file name.
        name: String,
    },
}

/// Why a signature does not hold.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignatureError {
    /// There is no signature at all.
    #[error("it is not signed")]
    Unsigned,
    /// It is signed, by keys that are not trusted.
    #[error("it is signed with `{}`, which is not a trusted key", names.join("`, `"))]
    UnknownKey {
        /// The file names of the keys that it is signed with.
        names: Vec<String>,
    },
    /// A trusted key is named, but the signature is not for these bytes, or not of that key.
    #[error(
        "its signature with `{name}` is wrong: it was altered, or signed with another key of that name"
    )]
    Altered {
        /// The file name of the key.
        name: String,
    },
}

/// A signature as it stands in an archive.
pub(super) struct Signature {
    pub(super) member: String,
    pub(super) bytes: Vec<u8>,
}

impl Keys {
    /// The key of public Wolfi, which is part of the program.
    #[must_use]
    pub fn wolfi() -> Self {
        Self::default().with(WOLFI_NAME, WOLFI).unwrap_or_default() // the test `the_embedded_key_is_wolfis` reads it
    }

    /// Trusts one more key: `name` is the file name that signatures refer to, `pem` the content of the file.
    ///
    /// # Errors
    ///
    /// The name is no file name, or the content no RSA public key (PEM, SubjectPublicKeyInfo).
    pub fn with(mut self, name: &str, pem: &[u8]) -> Result<Self, ParseKeyError> {
        let is_name = !name.is_empty()
            && name.len() <= 200
            && name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'/');
        let name = name.to_owned();
        if !is_name {
            return Err(ParseKeyError::Name { name });
        }
        let Ok(info) = SubjectPublicKeyInfoDer::from_pem_slice(pem) else {
            return Err(ParseKeyError::Pem { name });
        };
        let Some(key) = rsa_key(&info) else {
            return Err(ParseKeyError::Kind { name });
        };
        self.0.insert(name, key.to_vec());
        Ok(self)
    }

    /// A digest of all keys and their names.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        let mut hasher = Hasher::new();
        for (name, key) in &self.0 {
            hasher.update(name.as_bytes());
            hasher.update(&[0]);
            hasher.update(&(key.len() as u64).to_be_bytes());
            hasher.update(key);
        }
        hasher.finish()
    }

    /// Checks that one of `signatures` is that of a trusted key over `message`, and names the key.
    pub(super) fn verify(
        &self,
        signatures: &[Signature],
        message: &[u8],
    ) -> Result<&str, SignatureError> {
        let mut unknown = Vec::new();
        let mut altered = None;
        for signature in signatures {
            let Some((kind, name)) = signature
                .member
                .strip_prefix(SIGNATURE_PREFIX)
                .and_then(|rest| rest.split_once('.'))
            else {
                continue;
            };
            let Some((name, key)) = self.0.get_key_value(name) else {
                unknown.push(name.to_owned());
                continue;
            };
            let holds = parameters(kind).is_some_and(|parameters| {
                let key = UnparsedPublicKey::new(parameters, key);
                key.verify(message, &signature.bytes).is_ok()
            });
            if holds {
                return Ok(name);
            }
            altered = Some(name.clone());
        }
        Err(match altered {
            Some(name) => SignatureError::Altered { name },
            None if unknown.is_empty() => SignatureError::Unsigned,
            None => SignatureError::UnknownKey { names: unknown },
        })
    }
}

fn parameters(kind: &str) -> Option<&'static RsaParameters> {
    match kind {
        "RSA" => Some(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
        "RSA256" => Some(&RSA_PKCS1_2048_8192_SHA256),
        "RSA512" => Some(&RSA_PKCS1_2048_8192_SHA512),
        _ => None,
    }
}

// The RSAPublicKey inside a SubjectPublicKeyInfo, RFC 8017 A.1:
// SEQUENCE { SEQUENCE { OID rsaEncryption, NULL }, BIT STRING { RSAPublicKey } }
fn rsa_key(info: &[u8]) -> Option<&[u8]> {
    const RSA_ENCRYPTION: &[u8] = &[
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let (body, rest) = der_value(info, 0x30)?;
    let (algorithm, body) = der_value(body, 0x30)?;
    let (bits, end) = der_value(body, 0x03)?;
    let key = bits.strip_prefix(&[0])?;
    (algorithm == RSA_ENCRYPTION && rest.is_empty() && end.is_empty()).then_some(key)
}

// The content of the DER value at the start, which has the given tag, and what follows it.
fn der_value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let bytes = bytes.strip_prefix(&[tag])?;
    let (&first, bytes) = bytes.split_first()?;
    let (length, bytes) = match first {
        0..=0x7f => (usize::from(first), bytes),
        0x81..=0x84 => {
            let (length, bytes) = bytes.split_at_checked(usize::from(first - 0x80))?;
            let length = length
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, bytes)
        }
        _ => return None,
    };
    bytes.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{KEY_NAME, PUBLIC_KEY};
    use super::*;

    #[test]
    fn the_embedded_key_is_wolfis() {
        assert_eq!(
            Digest::of(WOLFI).to_string(),
            "sha256:f0031424cf46f7db780ce63a45f0fd6aa6f85f601e6bb3b7a91fe3d4d5b7d2cc"
        );
        assert_eq!(Keys::wolfi().0.keys().collect::<Vec<_>>(), [WOLFI_NAME]);
    }

    #[test]
    fn what_is_no_rsa_key_is_refused_by_kind() {
        let error = |name: &str, pem: &str| Keys::default().with(name, pem.as_bytes()).unwrap_err();
        let key = String::from_utf8(PUBLIC_KEY.to_vec()).unwrap();
        assert_eq!(
            error("a.pub", "no key").to_string(),
            "`a.pub` holds no public key in PEM form"
        );
        // An Ed25519 key.
        let other = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        assert_eq!(
            error("a.pub", other).to_string(),
            "`a.pub` holds no RSA key"
        );
        assert_eq!(
            error("../a.pub", &key).to_string(),
            "`../a.pub` is not the file name of a key"
        );
    }

    #[test]
    fn the_fingerprint_depends_on_key_and_name() {
        let one = Keys::default().with(KEY_NAME, PUBLIC_KEY).unwrap();
        let renamed = Keys::default().with("other.pub", PUBLIC_KEY).unwrap();
        let both = Keys::wolfi().with(KEY_NAME, PUBLIC_KEY).unwrap();
        assert_ne!(one.fingerprint(), renamed.fingerprint());
        assert_ne!(one.fingerprint(), both.fingerprint());
        assert_eq!(one.fingerprint(), one.clone().fingerprint());
    }
}
