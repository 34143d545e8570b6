//! Relative paths as the protocol writes them: clean, separated by `/`.

use std::cmp::Ordering;

/// Removes `.`, doubled slashes, and `..` with what it leaves; what is left of nothing is `.`.
///
/// Leading `..` of a relative path stay, those of an absolute one vanish, as in Go's `path.Clean`.
pub(super) fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    match (absolute, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// The protocol's order: component by component, so that a directory's content follows it at once.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    a.split('/').cmp(b.split('/'))
}

/// The directory that holds `path`; `None` at the top.
pub(super) fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

/// Whether `path` is `directory` or lies in it.
pub(super) fn is_within(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_agrees_with_go() {
        for (path, expected) in [
            ("", "."),
            ("./a//b/", "a/b"),
            ("a/../../b", "../b"),
            ("/../a/..", "/"),
            ("!./a", "!./a"),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }

    #[test]
    fn a_directory_comes_right_before_its_content() {
        let mut paths = ["a.txt", "a-b/y", "a/x", "a", "a-b", "ab", "a/x/y", "B"];
        paths.sort_by(|a, b| compare(a, b));
        assert_eq!(
            paths,
            ["B", "a", "a/x", "a/x/y", "a-b", "a-b/y", "a.txt", "ab"]
        );
    }
}
