//! The flag `--ssh`: the agents that build steps may use.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use crate::progress::escape;

use super::args;
use super::environment::Environment;
use super::failure::{Failure, all, refuse};

const FORM: &str = "write default, or ID=SOCKET";
const AGENT: &str =
    "an agent holds the keys: eval \"$(ssh-agent)\" starts one, and ssh-add adds a key";

/// The sockets of the agents, by id.
pub(super) fn agents(
    flags: &[String],
    environment: &Environment,
) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let read = args::given(flags).map(|flag| agent(flag.trim(), environment));
    let mut agents = BTreeMap::new();
    let read: Vec<(String, PathBuf)> = all(read)?;
    refuse(read.into_iter().filter_map(|(id, socket)| {
        let twice = Failure::input(format!("`--ssh {id}` is given twice"));
        agents.insert(id, socket).map(|_| twice)
    }))?;
    Ok(agents)
}

fn agent(flag: &str, environment: &Environment) -> Result<(String, PathBuf), Failure> {
    let (id, path) = match flag.split_once('=') {
        Some((id, path)) => (id, Some(path)),
        None => (flag, None),
    };
    let wrong =
        |flag: &str, message: &str| Failure::input(format!("`--ssh {}`: {message}", escape(flag)));
    // It becomes part of a path in the build steps.
    let is_usable = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    if id.is_empty() || !id.chars().all(is_usable) {
        return Err(wrong(flag, "an id has letters, digits, `-`, `_`").hint(FORM));
    }
    let path = match path.filter(|path| !path.is_empty()) {
        Some(path) => path,
        None => environment
            .get("SSH_AUTH_SOCK")
            .ok_or_else(|| wrong(id, "SSH_AUTH_SOCK is not set").hint(AGENT))?,
    };
    let shown = escape(path);
    let kind = std::fs::metadata(path)
        .map_err(|error| wrong(id, &format!("cannot read `{shown}`: {error}")).hint(FORM))?
        .file_type();
    if kind.is_file() {
        let quoted = shlex::try_quote(&shown).unwrap_or_default();
        return Err(wrong(id, &format!("`{shown}` is a file, and keys are not read from files"))
            .hint(format!(
                "an agent holds keys: eval \"$(ssh-agent)\" starts one, `ssh-add {quoted}` gives it this one, and `--ssh {id}` takes what it holds"
            )));
    }
    match kind.is_socket() {
        true => Ok((id.to_owned(), Path::new(path).to_owned())),
        false => Err(wrong(id, &format!("`{shown}` is no socket of an agent")).hint(AGENT)),
    }
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
            format!("`--ssh default`: `{path}` is a file, and keys are not read from files")
        );
        assert_eq!(
            message(&["default"], &Environment::default()),
            "`--ssh default`: SSH_AUTH_SOCK is not set"
        );
        assert!(message(&["../x"], &Environment::default()).contains("an id has"));
    }
}
