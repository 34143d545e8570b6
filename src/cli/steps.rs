//! How build steps run and what the image starts, where flags say otherwise than the spec.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::buildkit::llb::Proxy;
use crate::image::Plan;
use crate::progress::escape;
use crate::spec::Spec;

use super::args;
use super::environment::Environment;
use super::failure::{Failure, all, refuse};

/// The build arguments of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// Variables of the build steps.
    variables: BTreeMap<String, String>,
    /// Proxies, which are no variables: they are not a part of the cache key.
    proxies: BTreeMap<String, String>,
    /// What the user should know.
    pub(super) warnings: Vec<String>,
}

impl Arguments {
    /// Reads `--build-arg`: `KEY=VALUE`, or `KEY` for the value that the variable has here.
    pub(super) fn read(flags: &[String], environment: &Environment) -> Result<Self, Failure> {
        let mut read = Self::default();
        refuse(args::given(flags).filter_map(|flag| read.add(flag, environment).err()))?;
        Ok(read)
    }

    fn add(&mut self, flag: &str, environment: &Environment) -> Result<(), Failure> {
        let (name, given) = match flag.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value)),
            None => (flag.trim(), environment.get(flag.trim())),
        };
        if !is_variable(name) {
            // What is no name may be a value, and that a secret.
            return Err(
                Failure::input("`--build-arg` has a name that no variable can have")
                    .hint("write KEY=VALUE, or KEY for the value that the variable has here"),
            );
        }
        let Some(value) = given else {
            self.warnings.push(format!(
                "`--build-arg {name}`: there is no variable of that name here, so it is left out"
            ));
            return Ok(());
        };
        if is_proxy(name) {
            self.proxies.insert(name.to_uppercase(), value.to_owned());
            return Ok(());
        }
        if is_credential(name, value) {
            self.warnings.push(format!(
                "`--build-arg {name}` looks like a credential, but build arguments are told in the provenance: give it with `--secret id={name},env={name}` and list it under build.secrets"
            ));
        }
        self.variables.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Gives the variables to the steps of every plan.
    pub(super) fn apply(&self, plans: &mut [Plan<'_>]) {
        for plan in plans {
            plan.build_env.extend(self.variables.clone());
        }
    }

    /// The proxies of the build steps, if they are not those of the environment.
    pub(super) fn proxy(&self, mut proxy: Proxy) -> Proxy {
        for (name, place) in [
            ("HTTP_PROXY", &mut proxy.http),
            ("HTTPS_PROXY", &mut proxy.https),
            ("FTP_PROXY", &mut proxy.ftp),
            ("ALL_PROXY", &mut proxy.all),
            ("NO_PROXY", &mut proxy.none),
        ] {
            if let Some(value) = self.proxies.get(name) {
                place.clone_from(value);
            }
        }
        proxy
    }
}

fn is_variable(name: &str) -> bool {
    let is_first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    name.starts_with(is_first)
        && name
            .chars()
            .all(|letter| is_first(letter) || letter.is_ascii_digit())
}

fn is_proxy(name: &str) -> bool {
    let name = name.to_uppercase();
    [
        "ALL_PROXY",
        "FTP_PROXY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
    ]
    .contains(&name.as_str())
}

// Words of names that stand for what nobody should read.
const SECRET_WORDS: [&str; 12] = [
    "APIKEY",
    "AUTH",
    "CREDENTIAL",
    "CREDENTIALS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PAT",
    "PRIVATE",
    "SECRET",
    "SECRETS",
    "TOKEN",
];
const SECRET_PAIRS: [&str; 4] = ["ACCESS_KEY", "API_KEY", "ENCRYPTION_KEY", "SIGNING_KEY"];
// How the tokens of well-known services begin.
const SECRET_BEGINNINGS: [&str; 13] = [
    "-----BEGIN",
    "AKIA",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "npm_",
    "pypi-",
    "sk_live_",
    "xoxb-",
    "xoxp-",
];

fn is_credential(name: &str, value: &str) -> bool {
    let name = name.to_uppercase();
    let mut words = name.split('_');
    let has_user = |value: &str| {
        let rest = value.split_once("://").map(|(_, rest)| rest);
        let host = rest.and_then(|rest| rest.split('/').next());
        host.and_then(|host| host.split_once('@'))
            .is_some_and(|(user, _)| user.contains(':'))
    };
    words.any(|word| SECRET_WORDS.contains(&word))
        || SECRET_PAIRS.iter().any(|pair| name.contains(pair))
        || SECRET_BEGINNINGS
            .iter()
            .any(|begin| value.starts_with(begin))
        || has_user(value)
}

/// Reads `--add-host`: `NAME:ADDRESS` or `NAME=ADDRESS`.
pub(super) fn hosts(flags: &[String]) -> Result<Vec<(String, IpAddr)>, Failure> {
    all(args::given(flags).map(|flag| host(flag.trim())))
}

fn host(flag: &str) -> Result<(String, IpAddr), Failure> {
    let wrong = |reason: &str| {
        Failure::input(format!("`--add-host {}`: {reason}", escape(flag)))
            .hint("write NAME:ADDRESS, as in db.internal:10.0.0.7")
    };
    // An address may have colons itself.
    let pair = flag.split_once('=').or_else(|| flag.split_once(':'));
    let (name, address) = pair.ok_or_else(|| wrong("it has no address"))?;
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || !name.chars().all(is_letter) {
        return Err(wrong("it has no usable name"));
    }
    let address = address.trim_start_matches('[').trim_end_matches(']');
    match address.parse() {
        Ok(address) => Ok((name.to_owned(), address)),
        Err(_) if address == "host-gateway" => Err(wrong(
            "only an Engine knows what `host-gateway` stands for, and not every BuildKit is one",
        )),
        Err(_) => Err(wrong(&format!("`{}` is no address", escape(address)))),
    }
}

/// Reads `--label`: `KEY=VALUE`.
pub(super) fn labels(flags: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    all(args::given(flags).map(|flag| {
        let pair = flag.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) = pair.ok_or_else(|| {
            Failure::input(format!("`--label {}` has no key", escape(flag)))
                .hint("write --label KEY=VALUE")
        })?;
        Ok((key.to_owned(), value.to_owned()))
    }))
}

/// Reads `--entrypoint`.
pub(super) fn entrypoint(text: Option<&str>) -> Result<Option<Vec<String>>, Failure> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    text.map(words).transpose()
}

/// Puts the command of `--entrypoint` in place of that of the one app.
pub(super) fn start(specs: &mut [Spec], entrypoint: Option<&[String]>) -> Result<(), Failure> {
    let Some(command) = entrypoint else {
        return Ok(());
    };
    match specs {
        [spec] => {
            spec.runtime.command = command.to_vec();
            Ok(())
        }
        specs => Err(Failure::input(format!(
            "`--entrypoint` would be the command of {} apps",
            specs.len()
        ))
        .hint("name one of them with `--app`")),
    }
}

/// A command as words: a JSON array, or as a shell would take it apart.
fn words(text: &str) -> Result<Vec<String>, Failure> {
    let wrong = |reason: String| {
        Failure::input(format!("`--entrypoint {}`: {reason}", escape(text))).hint(
            r#"write it as in a shell, or as a JSON array: '["node", "server.js"]'; no shell is involved"#,
        )
    };
    let words = match text.starts_with('[') {
        true => serde_json::from_str::<Vec<String>>(text)
            .map_err(|error| wrong(format!("it is no array of strings: {error}")))?,
        false => shlex::split(text).ok_or_else(|| wrong("its quotes do not match".to_owned()))?,
    };
    match words.first() {
        Some(program) if !program.is_empty() && words.iter().all(|word| !word.contains('\0')) => {
            Ok(words)
        }
        _ => Err(wrong("it names no program".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: &[&str]) -> Arguments {
        let environment = Environment::from([("VERSION", "1.2")]);
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Arguments::read(&flags, &environment).unwrap()
    }

    #[test]
    fn a_build_argument_has_a_value_or_that_of_the_variable() {
        let arguments = read(&["A=b=c", "VERSION", "EMPTY=", "GONE", "http_proxy=http://p"]);
        let variables: Vec<_> = arguments
            .variables
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(variables, [("A", "b=c"), ("EMPTY", ""), ("VERSION", "1.2")]);
        assert_eq!(arguments.warnings.len(), 1);
        assert!(arguments.warnings[0].contains("`--build-arg GONE`"));
        assert_eq!(arguments.proxy(Proxy::default()).http, "http://p");
    }

    #[test]
    fn what_looks_like_a_credential_is_told_but_not_its_value() {
        for flag in [
            "NPM_TOKEN=hunter2",
            "db_password=hunter2",
            "AWS_SECRET_ACCESS_KEY=hunter2",
            "X=ghp_hunter2",
            "INDEX=https://me:hunter2@host.example/simple",
        ] {
            let warnings = read(&[flag]).warnings;
            assert!(warnings[0].contains("--secret"), "{flag}");
            assert!(!warnings[0].contains("hunter2"), "{warnings:?}");
        }
        for flag in [
            "PATH_PREFIX=a",
            "AUTHOR=me",
            "INDEX=https://host.example/@scope/a:b",
            "COMPAT=1",
        ] {
            assert_eq!(read(&[flag]).warnings, Vec::<String>::new(), "{flag}");
        }
    }

    #[test]
    fn a_host_has_a_name_and_an_address() {
        let given = ["a:10.0.0.1", "b.c=::1", "d:[fe80::1]"].map(str::to_owned);
        let told: Vec<String> = hosts(&given)
            .unwrap()
            .into_iter()
            .map(|(name, address)| format!("{name} {address}"))
            .collect();
        assert_eq!(told, ["a 10.0.0.1", "b.c ::1", "d fe80::1"]);
        for flag in ["a", ":1.2.3.4", "a:host-gateway", "a:1.2.3", "a b:1.2.3.4"] {
            assert!(hosts(&[flag.to_owned()]).is_err(), "{flag}");
        }
    }

    #[test]
    fn a_command_is_words_or_an_array() {
        assert_eq!(
            words("node 'my server.js' --port=1").unwrap(),
            ["node", "my server.js", "--port=1"]
        );
        assert_eq!(
            words(r#"["sh", "-c", "a b"]"#).unwrap(),
            ["sh", "-c", "a b"]
        );
        for text in ["'a", "[1]", "[]", r#"[""]"#] {
            assert!(words(text).is_err(), "{text}");
        }
    }
}
