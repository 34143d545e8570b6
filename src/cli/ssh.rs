//! The flag `--ssh`: the agents that build steps may use.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::failure::Failure;

const FORM: &str = "write default, or ID=SOCKET";
const AGENT: &str =
    "an agent holds the keys: eval \"$(ssh-agent)\" starts one, and ssh-add adds a key";

/// The sockets of the agents, by id.
pub(super) fn agents(
    flags: &[String],
    environment: &Environment,
) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut agents = BTreeMap::new();
    for flag in flags.iter().map(|flag| flag.trim()) {
        if flag.is_empty() {
            continue;
        }
        let (id, socket) = agent(flag, environment)?;
        if agents.insert(id.clone(), socket).is_some() {
            return Err(Failure::input(format!("`--ssh {id}` is given twice")));
        }
    }
    Ok(agents)
}

fn agent(flag: &str, environment: &Environment) -> Result<(String, PathBuf), Failure> {
    let (id, path) = match flag.split_once('=') {
        Some((id, path)) => (id, Some(path)),
        None => (flag, None),
    };
    // It becomes part of a path in the build steps.
    let is_usable = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    if id.is_empty() || !id.chars().all(is_usable) {
        return Err(Failure::input(format!(
            "`--ssh {flag}`: an id has letters, digits, `-`, `_`"
        ))
        .hint(FORM));
    }
    let path = match path.filter(|path| !path.is_empty()) {
        Some(path) => path,
        None => environment.get("SSH_AUTH_SOCK").ok_or_else(|| {
            Failure::input(format!("`--ssh {flag}`: SSH_AUTH_SOCK is not set")).hint(AGENT)
        })?,
    };
    let kind = std::fs::metadata(path).map_err(|error| {
        Failure::input(format!("`--ssh {id}`: cannot read `{path}`: {error}")).hint(FORM)
    })?;
    if !kind.file_type().is_socket() {
        return Err(
            Failure::input(format!("`--ssh {id}`: `{path}` is no socket of an agent"))
                .hint(format!("keys are not read from files; {AGENT}")),
        );
    }
    Ok((id.to_owned(), Path::new(path).to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn message(flags: &[&str], environment: &Environment) -> String {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let failure = agents(&flags, environment).unwrap_err();
        failure.problems[0].message.clone()
    }

    #[test]
    fn an_agent_is_the_one_of_the_environment_or_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        let text = path.display().to_string();
        let environment = Environment::from([("SSH_AUTH_SOCK", text.as_str())]);
        let flags = ["default".to_owned(), format!("git={text}"), String::new()];
        let agents = agents(&flags, &environment).unwrap();
        assert_eq!(agents.into_keys().collect::<Vec<_>>(), ["default", "git"]);
        assert_eq!(
            message(&["a", "a"], &environment),
            "`--ssh a` is given twice"
        );
    }

    #[test]
    fn a_key_is_no_agent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id_ed25519");
        std::fs::write(&path, "").unwrap();
        let path = path.display();
        assert_eq!(
            message(&[&format!("default={path}")], &Environment::default()),
            format!("`--ssh default`: `{path}` is no socket of an agent")
        );
        assert_eq!(
            message(&["default"], &Environment::default()),
            "`--ssh default`: SSH_AUTH_SOCK is not set"
        );
        assert!(message(&["../x"], &Environment::default()).contains("an id has"));
    }
}
