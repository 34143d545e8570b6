//! Docker's configuration file: logins, credential helpers, credential stores.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::auth::Keychain;

/// The logins of `docker login`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DockerConfig {
    auths: BTreeMap<String, Login>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
    /// Logins that come before all others.
    #[serde(skip)]
    first: BTreeMap<String, Login>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase", default)]
struct Login {
    auth: String,
    identitytoken: String,
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// A Docker configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DockerConfigError {
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is no configuration.
    #[error("`{path}` is no Docker configuration: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

// Docker Hub is asked for by its registry's host but filed under the address of its old index:
// https://github.com/docker/cli/blob/master/cli/config/configfile/file.go
const DOCKER_HUB: [&str; 3] = ["registry-1.docker.io", "docker.io", "index.docker.io"];
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
// What a helper prints when it has no login for a host.
const NOT_FOUND: &str = "credentials not found";

impl DockerConfig {
    /// Reads `config.json` of `directory`; a missing file is an empty configuration.
    ///
    /// # Errors
    /// When the file is there and cannot be used.
    pub fn load(directory: &Path) -> Result<Self, DockerConfigError> {
        let path = directory.join("config.json");
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| DockerConfigError::Parse { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(DockerConfigError::Read { path, source }),
        }
    }
}

impl DockerConfig {
    /// The same with the `auths` of `text` before all other logins, as Docker reads its variable `DOCKER_AUTH_CONFIG`.
    ///
    /// # Errors
    /// When the text is no configuration; the error does not repeat it.
    pub fn with_logins(self, text: &str) -> Result<Self, serde_json::Error> {
        let first: Self = serde_json::from_str(text)?;
        Ok(Self {
            first: first.auths,
            ..self
        })
    }
}

fn login<'a>(logins: &'a BTreeMap<String, Login>, host: &str, key: &str) -> Option<&'a Login> {
    let is_hub = key != host;
    logins
        .iter()
        .find(|(name, _)| name.as_str() == key || (!is_hub && hostname(name) == host))
        .map(|(_, login)| login)
}

impl Keychain for DockerConfig {
    fn credentials(&self, host: &str) -> Result<Option<(String, String)>, String> {
        let hub = DOCKER_HUB.contains(&host);
        let key = if hub { DOCKER_HUB_KEY } else { host };
        let told = |login: &Login| {
            login
                .credentials()
                .map_err(|reason| format!("login for {host}: {reason}"))
        };
        if let Some(login) = login(&self.first, host, key) {
            return told(login);
        }
        let helper = self
            .cred_helpers
            .get(host)
            .or_else(|| self.cred_helpers.get(key))
            .unwrap_or(&self.creds_store);
        if !helper.is_empty() {
            return ask(helper, key);
        }
        login(&self.auths, host, key).map_or(Ok(None), told)
    }
}

impl Login {
    fn credentials(&self) -> Result<Option<(String, String)>, &'static str> {
        if !self.identitytoken.is_empty() {
            return Ok(Some((String::new(), self.identitytoken.clone())));
        }
        if self.auth.is_empty() {
            return Ok(
                (!self.username.is_empty()).then(|| (self.username.clone(), self.password.clone()))
            );
        }
        let bytes = STANDARD
            .decode(self.auth.trim())
            .map_err(|_| "`auth` is not base64")?;
        let text = String::from_utf8(bytes).map_err(|_| "`auth` is not text")?;
        let (user, password) = text.split_once(':').ok_or("`auth` has no colon")?;
        Ok(Some((
            user.to_owned(),
            password.trim_end_matches('\0').to_owned(),
        )))
    }
}

// Old entries are addresses: `https://registry.example/v1/`.
fn hostname(key: &str) -> &str {
    let rest = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    rest.split('/').next().unwrap_or(rest)
}

fn ask(helper: &str, host: &str) -> Result<Option<(String, String)>, String> {
    let program = format!("docker-credential-{helper}");
    if helper.contains('/') {
        return Err(format!("`{program}` is no program name"));
    }
    let failed = |error: io::Error| format!("cannot run `{program}`: {error}");
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(host.as_bytes()); // a helper that does not read says why on its own
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        let answer: HelperAnswer = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("`{program}` answers no JSON: {error}"))?;
        let user = if answer.username == "<token>" {
            String::new()
        } else {
            answer.username
        };
        return Ok(Some((user, answer.secret)));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    if said.contains(NOT_FOUND) {
        Ok(None)
    } else {
        Err(format!("`{program}` failed: {}", said.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> DockerConfig {
        serde_json::from_str(text).unwrap()
    }

    fn pair(user: &str, secret: &str) -> Option<(String, String)> {
        Some((user.to_owned(), secret.to_owned()))
    }

    #[test]
    fn logins_are_found_by_host_address_and_for_docker_hub() {
        let config = config(
            r#"{"auths": {
                "https://index.docker.io/v1/": {"auth": "aHViOnB3"},
                "127.0.0.1:5000": {"auth": "dTpwOnc="},
                "https://old.example/v1/": {"username": "old", "password": "pw"},
                "token.example": {"identitytoken": "abc"}
            }, "HttpHeaders": {}}"#,
        );
        assert_eq!(
            config.credentials("registry-1.docker.io"),
            Ok(pair("hub", "pw"))
        );
        assert_eq!(config.credentials("127.0.0.1:5000"), Ok(pair("u", "p:w")));
        assert_eq!(config.credentials("old.example"), Ok(pair("old", "pw")));
        assert_eq!(config.credentials("token.example"), Ok(pair("", "abc")));
        assert_eq!(config.credentials("other.example"), Ok(None));
    }

    #[test]
    fn a_broken_login_is_an_error_and_not_an_anonymous_one() {
        let config = config(
            r#"{"auths": {"a.example": {"auth": "!"}}, "credHelpers": {"b.example": "no-such-helper-here"}}"#,
        );
        assert_eq!(
            config.credentials("a.example").unwrap_err(),
            "login for a.example: `auth` is not base64"
        );
        let error = config.credentials("b.example").unwrap_err();
        assert!(
            error.starts_with("cannot run `docker-credential-no-such-helper-here`: "),
            "{error}"
        );
    }

    #[test]
    fn logins_of_the_environment_come_before_helpers_and_files() {
        let file = config(
            r#"{"auths": {"b.example": {"auth": "ZjpwYg=="}}, "credsStore": "no-such-helper-here"}"#,
        );
        let config = file
            .with_logins(r#"{"auths": {"a.example": {"auth": "ZTpwYQ=="}}}"#)
            .unwrap();
        assert_eq!(config.credentials("a.example"), Ok(pair("e", "pa")));
        assert!(
            config.credentials("b.example").is_err(),
            "that is the store's"
        );
        let error = DockerConfig::default().with_logins("hunter2").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn no_file_is_an_empty_configuration() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            DockerConfig::load(folder.path()).unwrap().credentials("a"),
            Ok(None)
        );
    }
}
