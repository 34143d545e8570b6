//! A Java key store (JKS, version 2) of trusted certificates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::{Result, apk};

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
const TRUSTED: u32 = 2;
const PASSWORD: &str = "changeit";
// What the format mixes into its digest.
const SALT: &[u8] = b"Mighty Aphrodite";

/// Writes a store of PEM certificates, by name.
pub(crate) fn write(certificates: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut store = Vec::new();
    for number in [MAGIC, VERSION, u32::try_from(certificates.len())?] {
        store.extend(number.to_be_bytes());
    }
    for (name, pem) in certificates {
        let pem = std::str::from_utf8(pem)?;
        let body: String = pem
            .lines()
            .skip_while(|line| !line.starts_with("-----BEGIN CERTIFICATE"))
            .skip(1)
            .take_while(|line| !line.starts_with("-----"))
            .collect();
        let der = BASE64.decode(body)?;
        store.extend(TRUSTED.to_be_bytes());
        text(&mut store, &name.trim_end_matches(".crt").to_lowercase())?;
        store.extend((apk::EPOCH * 1000).to_be_bytes());
        text(&mut store, "X.509")?;
        store.extend(u32::try_from(der.len())?.to_be_bytes());
        store.extend(der);
    }
    let mut digested: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect();
    digested.extend(SALT);
    digested.extend(&store);
    store.extend(apk::sha1(&digested));
    Ok(store)
}

fn text(store: &mut Vec<u8>, text: &str) -> Result<()> {
    store.extend(u16::try_from(text.len())?.to_be_bytes());
    store.extend(text.as_bytes());
    Ok(())
}
