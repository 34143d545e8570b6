//! Names that may have been meant.

use super::index::Index;

const LIMIT: usize = 5;

/// The names of the index nearest to `name`, best first, at most five.
///
/// Near are: the same letters and digits with other separators (`nodejs20`, `nodejs-20`), one name being a leading
/// part of the other up to a separator (`nodejs-99`, `nodejs`), and up to two wrong letters (`ngnix`, `nginx`).
pub(super) fn near(index: &Index, name: &str) -> Vec<String> {
    let wanted = name.to_lowercase();
    let squeezed = squeeze(&wanted);
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

// Half steps, so that a part of a name ranks between one wrong letter and two.
fn distance(wanted: &str, squeezed: &str, stem: &str, candidate: &str) -> Option<usize> {
    let lower = candidate.to_lowercase();
    if lower == wanted || squeeze(&lower) == squeezed {
        return Some(0);
    }
    let allowed = match wanted.len() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let edits = edits(wanted.as_bytes(), lower.as_bytes(), allowed);
    let by_letters = edits.map(|edits| edits * 2);
    let by_stem = (stem.len() >= 2 && is_stem_of(stem, &lower)).then_some(3);
    by_letters.into_iter().chain(by_stem).min()
}

fn is_stem_of(stem: &str, candidate: &str) -> bool {
    candidate.strip_prefix(stem).is_some_and(|rest| {
        rest.is_empty()
            || rest
                .strip_prefix('-')
                .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    })
}

fn squeeze(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric()).collect()
}

// Insertions, removals, replacements and swaps of neighbours that turn one into the other, if at most `limit`.
fn edits(left: &[u8], right: &[u8], limit: usize) -> Option<usize> {
    if left.len().abs_diff(right.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for row in 1..=left.len() {
        let mut current = vec![row];
        for column in 1..=right.len() {
            let same = left[row - 1] == right[column - 1];
            let mut best = (last[column - 1] + usize::from(!same))
                .min(last[column] + 1)
                .min(current[column - 1] + 1);
            let swapped = row > 1
                && column > 1
                && left[row - 1] == right[column - 2]
                && left[row - 2] == right[column - 1];
            if swapped {
                best = best.min(before[column - 2] + 1);
            }
            current.push(best);
        }
        if current.iter().all(|edits| *edits > limit) {
            return None;
        }
        before = std::mem::replace(&mut last, current);
    }
    last.last().copied().filter(|edits| *edits <= limit)
}
