//! Certificates as Java reads them: a key store that holds nothing secret.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The password that everybody uses for stores without secrets; it only tells damaged ones.
const PASSWORD: &str = "changeit";

/// A store in Java's own format with the certificates of `pem`; `None` where it holds none.
///
/// The format is that of `sun.security.provider.JavaKeyStore`: what it begins with, its version, the entries, and a digest.
pub(super) fn of_pem(pem: &[u8]) -> Option<Vec<u8>> {
    const MAGIC: u32 = 0xFEED_FEED;
    const VERSION: u32 = 2;
    const TRUSTED: u32 = 2;
    let found = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    let found: Vec<CertificateDer<'_>> = found.collect();
    let count = u32::try_from(found.len()).ok().filter(|count| *count > 0)?;
    let mut store = Vec::new();
    for number in [MAGIC, VERSION, count] {
        store.extend(number.to_be_bytes());
    }
    for (number, certificate) in found.iter().enumerate() {
        store.extend(TRUSTED.to_be_bytes());
        put_text(&mut store, &format!("peelbox-{number}"));
        store.extend(0_u64.to_be_bytes()); // when it was added: the same in every store
        put_text(&mut store, "X.509");
        store.extend(u32::try_from(certificate.len()).ok()?.to_be_bytes());
        store.extend_from_slice(certificate);
    }
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    let password: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect();
    digest.update(&password);
    digest.update(b"Mighty Aphrodite");
    digest.update(&store);
    store.extend_from_slice(digest.finish().as_ref());
    Some(store)
}

/// A short text with its length before it.
fn put_text(store: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    store.extend(length.to_be_bytes());
    store.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_has_every_certificate_and_the_digest_of_all_before_it() {
        let pem = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n# another\n-----BEGIN CERTIFICATE-----\nBAU=\n-----END CERTIFICATE-----\n";
        let store = of_pem(pem.as_bytes()).unwrap();
        assert_eq!(&store[..12], b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x02");
        let entry = b"\0\0\0\x02\0\x09peelbox-1\0\0\0\0\0\0\0\0\0\x05X.509\0\0\0\x02\x04\x05";
        let digest = store.len() - 20;
        assert_eq!(&store[digest - entry.len()..digest], entry);
        assert_eq!(of_pem(b"nothing"), None);
    }
}
