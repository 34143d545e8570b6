//! Names that may have been meant.

use super::index::Index;

const LIMIT: usize = 5;

/// The names of the index nearest to `name`, best first, at most five.
///
/// Near are: the same letters and digits with other separators (`nodejs20`, `nodejs-20`), one name being a leading
/// part of the other up to a separator (`nodejs-99`, `nodejs`), and up to two wrong letters (`ngnix`, `nginx`).
pub(super) fn near(index: &Index, name: &str) -> Vec<String> {
    let wanted = name.to_lowercase();
    let squeezed: String = squeeze(&wanted).collect();
    let stem =
        wanted.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '_'));
    let mut found: Vec<(usize, usize, &str)> = index
        .all_names()
        .filter(|(candidate, real)| *real || !candidate.contains(':'))
        .filter_map(|(candidate, _)| {
            let distance = distance(&wanted, &squeezed, stem, candidate)?;
            Some((distance, candidate.len(), candidate))
        })
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .take(LIMIT)
        .map(|(_, _, candidate)| candidate.to_owned())
        .collect()
}

// Half steps, so that a part of a name ranks between one wrong letter and two. There are ten thousand candidates and more: what cannot be near is
// told by its length and its first letters.
fn distance(wanted: &str, squeezed: &str, stem: &str, candidate: &str) -> Option<usize> {
    if squeeze(candidate).eq(squeezed.chars()) {
        return Some(0);
    }
    let allowed = match wanted.len() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let by_letters = (wanted.len().abs_diff(candidate.len()) <= allowed)
        .then(|| strsim::osa_distance(wanted, &candidate.to_lowercase()))
        .filter(|edits| *edits <= allowed)
        .map(|edits| edits * 2);
    let by_stem = (stem.len() >= 2 && is_stem_of(stem, candidate)).then_some(3);
    by_letters.into_iter().chain(by_stem).min()
}

fn is_stem_of(stem: &str, candidate: &str) -> bool {
    let (Some(first), Some(rest)) = (candidate.get(..stem.len()), candidate.get(stem.len()..))
    else {
        return false;
    };
    let is_number = |rest: &str| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    first.eq_ignore_ascii_case(stem)
        && (rest.is_empty() || rest.strip_prefix('-').is_some_and(is_number))
}

fn squeeze(name: &str) -> impl Iterator<Item = char> {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase())
}
