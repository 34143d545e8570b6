//! What git knows of the sources, asked with commands that run nothing of the repository's own configuration.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
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

/// The files in `directory`, relative to it, that git keeps although a `.gitignore` names them. There are none outside of a git
/// repository, or without git.
///
/// # Errors
/// What git says where it does not tell.
pub(super) fn kept(directory: &Path) -> Result<BTreeSet<PathBuf>, String> {
    const ARGUMENTS: [&str; 7] = [
        "-c",
        "core.fsmonitor=false", // it may name a program
        "ls-files",
        "-z",
        "--cached",
        "--ignored",
        "--exclude-per-directory=.gitignore",
    ];
    let is_repository = directory
        .ancestors()
        .any(|above| above.join(".git").exists());
    if !is_repository {
        return Ok(BTreeSet::new());
    }
    let Ok(output) = command(directory, &ARGUMENTS).output() else {
        return Ok(BTreeSet::new());
    };
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let line = text.lines().find(|line| !line.trim().is_empty());
        return Err(line.unwrap_or("it says nothing").trim().to_owned());
    }
    let paths = output.stdout.split(|byte| *byte == 0);
    Ok(paths
        .filter(|path| !path.is_empty())
        .map(|path| PathBuf::from(OsStr::from_bytes(path)))
        .collect())
}

fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let output = command(directory, arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .env("LC_ALL", "C")
        // A partial clone asks for nothing over the network.
        .env("GIT_NO_LAZY_FETCH", "1")
        .stdin(Stdio::null());
    // In a hook they tell of the repository that the hook belongs to.
    for variable in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE"] {
        command.env_remove(variable);
    }
    command
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
    fn what_was_added_by_force_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let write = |path: &str, text: &str| {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), text).unwrap();
        };
        write(".gitignore", "*.env\n/web/dist/\n");
        for path in [
            "app.env",
            "other.env",
            "plain",
            "web/dist/ü/a.js",
            "web/dist/b.js",
        ] {
            write(path, "");
        }
        git(root, &["init", "-q"]).unwrap();
        let added = ["add", "-f", "app.env", ".gitignore", "plain", "web/dist/ü"];
        git(root, &added).unwrap();
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect();
        assert_eq!(kept(root), Ok(paths(&["app.env", "web/dist/ü/a.js"])));
        // A directory of it is a repository too, whose files have their paths from there.
        assert_eq!(kept(&root.join("web")), Ok(paths(&["dist/ü/a.js"])));
    }

    #[test]
    fn a_directory_outside_of_git_keeps_nothing_and_a_broken_repository_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(kept(folder.path()), Ok(BTreeSet::new()));
        std::fs::write(folder.path().join(".git"), "gitdir: gone\n").unwrap();
        let said = kept(folder.path()).unwrap_err();
        assert!(said.starts_with("fatal: not a git repository"), "{said}");
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
