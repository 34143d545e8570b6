//! The command that lists the crates which a Rust build links into its programs.

use super::calls::{Call, read};
use super::plan::Plan;

// What decides which packages and features are built, with a value and without.
const WITH_VALUE: [&str; 9] = [
    "--config",
    "--exclude",
    "--features",
    "--manifest-path",
    "--package",
    "--target",
    "-F",
    "-p",
    "-Z",
];
const ALONE: [&str; 6] = [
    "--all",
    "--all-features",
    "--frozen",
    "--locked",
    "--no-default-features",
    "--workspace",
];
// Commands that build nothing that could be shipped; of any other it is not known.
const ASIDE: [&str; 22] = [
    "add",
    "bench",
    "c",
    "check",
    "clean",
    "clippy",
    "d",
    "deny",
    "doc",
    "fetch",
    "fmt",
    "generate-lockfile",
    "metadata",
    "nextest",
    "r",
    "run",
    "t",
    "test",
    "tree",
    "update",
    "vendor",
    "version",
];

/// The command, if `plan` builds with Cargo and in a way that can be followed.
///
/// A lock file names the crates of all platforms, of build scripts and of macros too, and only Cargo can tell them apart.
pub(super) fn list_crates(plan: &Plan<'_>) -> Option<String> {
    list(&plan.commands, &plan.directory)
}

fn list(commands: &[String], directory: &str) -> Option<String> {
    let mut listings: Vec<String> = Vec::new();
    for call in commands.iter().flat_map(|command| read(command, directory)) {
        let listing = match call.words[0].as_str() {
            "cargo" => listing(&call)?,
            // `env cargo …`, `sh -c 'cargo …'`
            _ if call
                .words
                .iter()
                .any(|word| word.split_whitespace().any(|word| word == "cargo")) =>
            {
                return None;
            }
            _ => continue,
        };
        listings.extend(listing.filter(|listing| !listings.contains(listing)));
    }
    (!listings.is_empty()).then(|| listings.join(" && "))
}

/// The listing for one call of Cargo, if it builds; an outer `None` where it cannot be followed.
#[expect(clippy::option_option, reason = "the outer one ends the search")]
fn listing(call: &Call) -> Option<Option<String>> {
    let words: Vec<&str> = call.words[1..].iter().map(String::as_str).collect();
    let (toolchain, words) = match &words[..] {
        [first, rest @ ..] if first.starts_with('+') => (Some(*first), rest),
        words => (None, words),
    };
    let words = match words {
        ["auditable", words @ ..] => words,
        words => words,
    };
    let (command, options) = words.split_first()?;
    if ASIDE.contains(command) {
        return Some(None);
    }
    let path = option(options, "--path");
    match *command {
        "b" | "build" | "rustc" => {}
        "install" if path.is_some() => {}
        // A tool of the build.
        "install" => return Some(None),
        _ => return None,
    }
    let options = options
        .split(|word| *word == "--")
        .next()
        .unwrap_or_default();
    let mut listing: Vec<String> = Vec::new();
    if !call.variables.is_empty() {
        listing.push("env".to_owned());
        listing.extend(call.variables.iter().cloned());
    }
    listing.push("cargo".to_owned());
    listing.extend(toolchain.map(str::to_owned));
    listing.extend(
        "tree --offline --edges normal,no-proc-macro --prefix depth --format {p}"
            .split(' ')
            .map(str::to_owned),
    );
    if let Some(path) = path {
        listing.extend(["--manifest-path".to_owned(), format!("{path}/Cargo.toml")]);
    }
    listing.extend(deciding(options)?.into_iter().map(str::to_owned));
    if listing.iter().any(|word| word.contains(['$', '`', '*'])) {
        return None;
    }
    let listing = shlex::try_join(listing.iter().map(String::as_str)).ok()?;
    let directory = shlex::try_quote(call.directory.as_deref()?)
        .ok()?
        .into_owned();
    Some(Some(format!("cd {directory} && {listing}")))
}

/// The options that decide what is built; `None` where one has no value.
fn deciding<'a>(options: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut kept = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let name = option.split_once('=').map_or(*option, |(name, _)| name);
        let has_value = WITH_VALUE.contains(&name);
        let is_joined = name != *option
            || ["-F", "-p", "-Z"]
                .iter()
                .any(|short| option.starts_with(short) && option.len() > 2);
        if is_joined && (has_value || !option.starts_with("--")) || ALONE.contains(option) {
            kept.push(*option);
        } else if has_value {
            kept.extend([*option, *options.next()?]);
        }
    }
    Some(kept)
}

/// The value of an option.
fn option<'a>(options: &[&'a str], name: &str) -> Option<&'a str> {
    let at = options.iter().position(|option| option.starts_with(name))?;
    match options[at].strip_prefix(name)? {
        "" => options.get(at + 1).copied(),
        joined => joined.strip_prefix('='),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(commands: &[&str]) -> Option<String> {
        let commands: Vec<String> = commands
            .iter()
            .map(|command| (*command).to_owned())
            .collect();
        let listing = list(&commands, "/src/app")?;
        let shown = listing.replace(
            "tree --offline --edges 'normal,no-proc-macro' --prefix depth --format '{p}'",
            "TREE",
        );
        Some(shown)
    }

    #[test]
    fn what_decides_the_crates_is_taken_over_and_the_rest_is_not() {
        assert_eq!(
            listing(&[
                "sh prepare",
                "cargo build --release --locked -p 'my app' --bin x --features=a,b -F c -pd --jobs 2"
            ])
            .unwrap(),
            "cd /src/app && cargo TREE --locked -p 'my app' '--features=a,b' -F c -pd"
        );
    }

    #[test]
    fn every_build_is_listed_where_it_runs_and_each_once() {
        assert_eq!(
            listing(&[
                "cargo fetch && cargo test",
                "cd .. && A=1 cargo +nightly build --bin x && (cd b; cargo auditable build -- -C x)",
                "cargo install --path tool --root /out; cargo install sqlx-cli",
                "cd .. && A=1 cargo +nightly build --bin y",
            ])
            .unwrap(),
            "cd /src && env 'A=1' cargo +nightly TREE \
             && cd /src/b && cargo TREE \
             && cd /src/app && cargo TREE --manifest-path tool/Cargo.toml"
        );
    }

    #[test]
    fn a_build_that_cannot_be_followed_is_not_guessed_at() {
        assert_eq!(listing(&["cd $x && cargo build"]), None);
        assert_eq!(listing(&["cargo build -p $NAME"]), None);
        assert_eq!(listing(&["cargo build -p"]), None);
        assert_eq!(listing(&["cargo build", "cargo leptos build"]), None);
        assert_eq!(listing(&["cargo build", "sh -c 'cargo build -p y'"]), None);
        assert_eq!(listing(&["make"]), None);
        assert_eq!(listing(&["cargo test"]), None);
    }
}
