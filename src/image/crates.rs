//! The command that lists the crates which a Rust build links into its programs.

use super::plan::Plan;

// Those that decide which features and packages are built.
const WITH_VALUE: [&str; 6] = [
    "--features",
    "--manifest-path",
    "--package",
    "--target",
    "-F",
    "-p",
];
const ALONE: [&str; 3] = ["--all-features", "--locked", "--no-default-features"];

/// The command, if `plan` builds with a plain `cargo build`, and once.
///
/// A lock file names the crates of all platforms, of build scripts and of macros too, and only Cargo can tell them apart.
pub(super) fn list_crates(plan: &Plan<'_>) -> Option<String> {
    list(&plan.commands)
}

fn list(commands: &[String]) -> Option<String> {
    let mut builds = commands.iter().filter(|command| command.contains("cargo "));
    let (Some(build), None) = (builds.next(), builds.next()) else {
        return None;
    };
    if build.contains(['&', '|', ';', '$', '`', '<', '>', '\n']) {
        return None;
    }
    let words = shlex::split(build)?;
    let [cargo, command, options @ ..] = &words[..] else {
        return None;
    };
    if cargo != "cargo" || command != "build" {
        return None;
    }
    let mut listing = vec![
        "cargo",
        "tree",
        "--offline",
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}",
    ];
    let mut options = options.iter().map(String::as_str);
    while let Some(option) = options.next() {
        let name = option.split_once('=').map_or(option, |(name, _)| name);
        if ALONE.contains(&option) || WITH_VALUE.contains(&name) {
            listing.push(option);
            if name == option && WITH_VALUE.contains(&name) {
                listing.push(options.next()?);
            }
        }
    }
    shlex::try_join(listing).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(commands: &[&str]) -> Option<String> {
        let commands: Vec<String> = commands
            .iter()
            .map(|command| (*command).to_owned())
            .collect();
        list(&commands)
    }

    #[test]
    fn what_decides_the_crates_is_taken_over_and_the_rest_is_not() {
        assert_eq!(
            listing(&[
                "sh prepare",
                "cargo build --release --locked -p 'my app' --bin x --features=a,b -F c --jobs 2"
            ])
            .unwrap(),
            "cargo tree --offline --edges 'normal,no-proc-macro' --prefix none --no-dedupe --format '{p}' --locked -p 'my app' '--features=a,b' -F c"
        );
    }

    #[test]
    fn a_build_that_is_not_plain_is_not_guessed_at() {
        assert_eq!(listing(&["cd x && cargo build"]), None);
        assert_eq!(listing(&["cargo build", "cargo build -p y"]), None);
        assert_eq!(listing(&["cargo build -p"]), None);
        assert_eq!(listing(&["make"]), None);
    }
}
