//! What git knows of the sources, asked with commands that run nothing of the repository's own configuration.

use std::path::Path;
use std::process::{Command, Stdio};

/// The commit of a work tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Commit {
    /// Its id.
    pub(super) id: String,
    /// When it was committed, seconds since 1970.
    pub(super) time: i64,
    /// The address of the repository it came from, without credentials.
    pub(super) source: Option<String>,
}

/// The commit checked out in `directory`; `None` outside of a git repository, or without git.
pub(super) fn commit(directory: &Path) -> Option<Commit> {
    let id = git(directory, &["rev-parse", "--verify", "HEAD^{commit}"])?
        .trim()
        .to_owned();
    // `git log` would run what `gpg.program` names where `log.showSignature` is set; plumbing does not.
    let time = committed(&git(directory, &["cat-file", "commit", &id])?)?;
    let source = origin(directory);
    Some(Commit { id, time, source })
}

/// The address of the repository that `directory` was cloned from, without credentials.
pub(super) fn origin(directory: &Path) -> Option<String> {
    let url = git(directory, &["config", "--get", "remote.origin.url"])?;
    address(url.trim())
}

/// The files in `directory` that git keeps although a `.gitignore` names them.
pub(super) fn ignored(directory: &Path) -> Vec<String> {
    const ARGUMENTS: [&str; 7] = [
        "-c",
        "core.fsmonitor=false", // it may name a program
        "ls-files",
        "-z",
        "--cached",
        "--ignored",
        "--exclude-per-directory=.gitignore",
    ];
    let listed = git(directory, &ARGUMENTS).unwrap_or_default();
    listed.split_terminator('\0').map(str::to_owned).collect()
}

fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn committed(object: &str) -> Option<i64> {
    let headers = object.split("\n\n").next()?;
    let line = headers
        .lines()
        .find_map(|line| line.strip_prefix("committer "))?;
    line.rsplit(' ').nth(1)?.parse().ok()
}

// https://git-scm.com/docs/git-fetch#URLS
fn address(url: &str) -> Option<String> {
    let bare = |path: &str| {
        path.trim_end_matches('/')
            .trim_end_matches(".git")
            .to_owned()
    };
    if let Some((scheme, rest)) = url.split_once("://") {
        if !matches!(scheme, "https" | "http" | "ssh" | "git") {
            return None;
        }
        let (host, path) = rest.split_once('/')?;
        let host = host.rsplit('@').next()?;
        let host = if scheme == "ssh" {
            host.split(':').next()?
        } else {
            host
        };
        let scheme = if scheme == "http" { "http" } else { "https" };
        return Some(format!("{scheme}://{host}/{}", bare(path)));
    }
    let (host, path) = url.split_once(':')?;
    let host = host.rsplit('@').next()?;
    (!host.is_empty() && !host.contains('/'))
        .then(|| format!("https://{host}/{}", bare(path.trim_start_matches('/'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committer_line_gives_the_time() {
        let object = "tree 0\nauthor A <a@b> 1 +0000\ncommitter C D <c@d> 1700000000 +0100\n\ncommitter X <x> 5 +0000\n";
        assert_eq!(committed(object), Some(1_700_000_000));
        assert_eq!(committed("tree 0\n\nnothing"), None);
    }

    #[test]
    fn a_file_that_was_added_by_force_is_ignored_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".gitignore"), "*.env\n").unwrap();
        std::fs::write(folder.path().join("app.env"), "").unwrap();
        std::fs::write(folder.path().join("other.env"), "").unwrap();
        git(folder.path(), &["init", "-q"]).unwrap();
        git(folder.path(), &["add", "-f", "app.env", ".gitignore"]).unwrap();
        assert_eq!(ignored(folder.path()), ["app.env"]);
    }

    #[test]
    fn an_address_has_no_credentials() {
        for (url, expected) in [
            (
                "https://user:token@github.com/a/b.git",
                Some("https://github.com/a/b"),
            ),
            ("git@github.com:a/b.git", Some("https://github.com/a/b")),
            (
                "ssh://git@host.example:2222/a/b",
                Some("https://host.example/a/b"),
            ),
            ("/srv/git/a.git", None),
            ("file:///srv/git/a.git", None),
        ] {
            assert_eq!(address(url).as_deref(), expected, "{url}");
        }
    }
}
