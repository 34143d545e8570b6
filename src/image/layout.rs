//! Where things lie in the build stage and in the image.

/// The repository in the build stage.
pub(crate) const SOURCE: &str = "/src";
/// The mount that takes what is shipped, while the last build command runs.
pub(crate) const OUTPUT: &str = "/peelbox/out";
/// What is learned beside what is shipped, below the mount that takes it; no image has it.
pub(crate) const ASIDE: &str = "/.peelbox";
/// The list of crates that Cargo gives, among the files that the build leaves.
pub const CRATES: &str = "/.peelbox/crates";
/// What the installed packages say of themselves, among the files that the build leaves: a line with size and name of each
/// file, an empty line, and the files.
pub const MANIFESTS: &str = "/.peelbox/manifests";
/// The default working directory of an image.
pub(crate) const WORKDIR: &str = "/app";
/// The user of an image, by number: Kubernetes' `runAsNonRoot` needs one.
pub(crate) const USER: u32 = 65532;
/// The one user that may read everything.
pub(crate) const ROOT: u32 = 0;
/// The search path of build steps and images.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin";
/// Where SPDX documents of packages and apps lie in an image.
pub(crate) const SBOMS: &str = "/var/lib/db/sbom";

/// Joins `path` to the absolute `base` unless it is absolute itself; `None` where it climbs out of the root.
pub(crate) fn join(base: &str, path: &str) -> Option<String> {
    let start = if path.starts_with('/') { "" } else { base };
    let mut parts: Vec<&str> = Vec::new();
    for part in start.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// The links of Wolfi's base layout and where they lead.
static LINKS: [(&str, &str); 9] = [
    ("/bin", "/usr/bin"),
    ("/lib", "/usr/lib"),
    ("/lib64", "/usr/lib"),
    ("/sbin", "/usr/bin"),
    ("/usr/lib64", "/usr/lib"),
    ("/usr/local/lib64", "/usr/local/lib"),
    ("/usr/sbin", "/usr/bin"),
    ("/var/lock", "/run/lock"),
    ("/var/run", "/run"),
];

/// The links of the base layout, with where they lead.
pub(crate) fn links() -> impl Iterator<Item = (&'static str, &'static str)> {
    LINKS.iter().copied()
}

/// Where the clean, absolute `path` leads, which is a link of the base layout in every image; `None` for all others.
#[must_use]
pub fn link(path: &str) -> Option<&'static str> {
    links().find_map(|(link, target)| (link == path).then_some(target))
}

/// The clean, absolute `path` without the links of the base layout: a directory that is copied onto a link is refused
/// by BuildKit.
pub(crate) fn unlinked(path: &str) -> String {
    LINKS
        .iter()
        .find_map(|(link, target)| {
            let rest = path.strip_prefix(link)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{target}{rest}"))
        })
        .unwrap_or_else(|| path.to_owned())
}

/// Whether `path` is written as a directory: what is copied to it keeps its name.
pub(crate) fn is_directory(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_base_layout_are_followed() {
        assert_eq!(unlinked("/bin/app"), "/usr/bin/app");
        assert_eq!(unlinked("/usr/sbin"), "/usr/bin");
        assert_eq!(unlinked("/binary"), "/binary");
    }

    #[test]
    fn a_directory_is_told_by_the_end_of_its_path() {
        let paths = [".", "bin/", "bin/.", "/", "..", ""];
        assert!(paths.into_iter().all(is_directory));
        assert!(!["bin", ".env", "a/..b"].into_iter().any(is_directory));
    }

    #[test]
    fn a_path_cannot_climb_out_of_the_root() {
        assert_eq!(join("/src/a", "../b").as_deref(), Some("/src/b"));
        assert_eq!(join("/src", "/etc/./x").as_deref(), Some("/etc/x"));
        assert_eq!(join("/src", "../../x"), None);
    }
}
