//! Texts as the fields of SPDX take them.

use crate::oci::Digest;

/// Seconds since 1970 as SPDX writes a date; one that no calendar has is the first of them.
pub(super) fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

/// Twelve hex digits that stand for `bytes`.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    let mut hex = Digest::of(bytes).hex();
    hex.truncate(12);
    hex
}

/// One line of bounded length.
pub(super) fn line(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(1000)
        .collect()
}

/// A URL without user, password, query and fragment: tokens are found in all of them.
pub(super) fn without_user(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// Whether SPDX takes `text` as a download location: an HTTP URL, or one of git over it, whose host is a domain name.
///
/// See <https://spdx.github.io/spdx-spec/v2.3/package-information/#77-package-download-location-field>; addresses
/// and bare host names are refused by the validators in use.
pub(super) fn is_download_location(text: &str) -> bool {
    let plain = text.strip_prefix("git+").unwrap_or(text);
    let Some(rest) = plain
        .strip_prefix("https://")
        .or(plain.strip_prefix("http://"))
    else {
        return false;
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "1"));
    let labels: Vec<&str> = host.split(['.', '-']).collect();
    let is_label =
        |label: &&str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let top = host.rsplit_once('.').map_or("", |(_, top)| top);
    text.len() <= 2000
        && labels.len() <= 100
        && labels.iter().all(is_label)
        && top.len() >= 2
        && (top.len() <= 5 || plain.len() == text.len())
        && top.bytes().all(|byte| byte.is_ascii_alphabetic())
        && port.parse::<u16>().is_ok()
        && path.bytes().all(|byte| byte.is_ascii_graphic())
}
