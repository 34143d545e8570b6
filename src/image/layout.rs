//! Where things lie in the build stage and in the image.

/// The repository in the build stage.
pub(crate) const SOURCE: &str = "/src";
/// The mount that takes what is shipped, while the last build command runs.
pub(crate) const OUTPUT: &str = "/peelbox/out";
/// The default working directory of an image.
pub(crate) const WORKDIR: &str = "/app";
/// The user of an image, by number: Kubernetes' `runAsNonRoot` needs one.
pub(crate) const USER: u32 = 65532;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_climb_out_of_the_root() {
        assert_eq!(join("/src/a", "../b").as_deref(), Some("/src/b"));
        assert_eq!(join("/src", "/etc/./x").as_deref(), Some("/etc/x"));
        assert_eq!(join("/src", "../../x"), None);
    }
}
