//! What build steps get without leaving a trace: secrets, certificates, the logins of proxies.

use std::collections::BTreeMap;
use std::path::Path;

use crate::buildkit::llb::Proxy;
use crate::image::{Certificates, Plan};
use crate::progress::escape;

use super::args;
use super::environment::Environment;
use super::failure::{Exit, Failure, Problem, all, unreadable};
use super::truststore;

const CERTIFICATES: &str = "peelbox-ca-certificates";
const TRUST_STORE: &str = "peelbox-ca-certificates-for-java";
const SECRET_LIMIT: usize = 500 << 10;

/// What the session gives to build steps.
pub(super) struct Hidden {
    /// The secrets of the session, by id.
    pub(super) secrets: BTreeMap<String, Vec<u8>>,
    /// Certificates among them.
    pub(super) certificates: Option<Certificates>,
    /// The proxies that are no secret.
    pub(super) proxy: Proxy,
    /// Variables whose values are secrets, by the ids of those.
    pub(super) variables: BTreeMap<String, String>,
}

impl Hidden {
    pub(super) fn new(
        mut secrets: BTreeMap<String, Vec<u8>>,
        certificates: Option<Vec<u8>>,
        mut proxy: Proxy,
    ) -> Self {
        let variables = hide(&mut proxy, &mut secrets);
        Self {
            // They are no secret, but shall leave no trace either.
            certificates: certificates.map(|bytes| {
                let store = truststore::of_pem(&bytes);
                let store = store.filter(|store| store.len() <= SECRET_LIMIT);
                secrets.insert(CERTIFICATES.to_owned(), bytes);
                Certificates {
                    secret: CERTIFICATES.to_owned(),
                    trust_store: store.map(|store| {
                        secrets.insert(TRUST_STORE.to_owned(), store);
                        TRUST_STORE.to_owned()
                    }),
                }
            }),
            secrets,
            proxy,
            variables,
        }
    }

    /// What no text may tell.
    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        // Certificates are given as a secret, which they are not.
        let is_certificates = |id: &String| {
            let given = self.certificates.iter();
            given
                .flat_map(|given| given.trust_store.iter().chain([&given.secret]))
                .any(|certificates| certificates == id)
        };
        let all = self.secrets.iter();
        all.filter(move |(id, _)| !is_certificates(id))
            .map(|(_, value)| value.as_slice())
    }

    /// Refuses a run whose apps need secrets that were not given; all of them are told.
    pub(super) fn check(&self, plans: &[Plan<'_>]) -> Result<(), Failure> {
        let mut problems = Vec::new();
        for plan in plans {
            let missing = plan
                .secrets
                .iter()
                .filter(|secret| !self.secrets.contains_key(&secret.id));
            problems.extend(missing.map(|secret| {
                let id = &secret.id;
                Problem::new(format!("app `{}` needs the secret `{id}`", plan.name)).hint(format!(
                    "give it with `--secret id={id},src=FILE` or `--secret id={id},env=VARIABLE`"
                ))
            }));
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Failure::several(Exit::Input, problems)),
        }
    }
}

/// The certificates that build steps trust besides the usual ones; `flag` is `--ca-certificates`.
pub(super) fn certificates(
    flag: Option<&Path>,
    environment: &Environment,
) -> Result<Option<Vec<u8>>, Failure> {
    let (path, origin) = match (flag, environment.certificates()) {
        (Some(path), _) => (path.to_owned(), "`--ca-certificates`"),
        (None, Some(path)) => (path, "SSL_CERT_FILE"),
        (None, None) => return Ok(None),
    };
    let bytes = std::fs::read(&path).map_err(|error| unreadable(origin, &path, &error))?;
    if bytes.len() > SECRET_LIMIT {
        return Err(Failure::input(format!("{origin}: `{}` has more than {} KiB", path.display(), SECRET_LIMIT >> 10))
            .hint("build steps get it as a secret, which BuildKit limits: give only the certificates that are needed"));
    }
    Ok(Some(bytes))
}

const SECRET_FORM: &str = "write id=NAME,src=FILE or id=NAME,env=VARIABLE";

/// Reads `--secret`: the secrets by id.
pub(super) fn read(
    flags: &[String],
    environment: &Environment,
) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    all(args::given(flags).map(|flag| secret(flag.trim(), environment)))
}

/// Reads `id=NAME,src=FILE` and `id=NAME,env=VARIABLE`.
fn secret(flag: &str, environment: &Environment) -> Result<(String, Vec<u8>), Failure> {
    let (mut id, mut file, mut variable) = (None, None, None);
    for field in flag.split(',') {
        match field.split_once('=') {
            Some(("id", value)) if !value.is_empty() => id = Some(value),
            Some(("src" | "source", value)) => file = Some(value),
            Some(("env", value)) => variable = Some(value),
            Some(("type", "file" | "env")) => {} // Docker's way to tell which of the two it is
            // A value is not repeated: it may be the secret itself.
            field => {
                let name = field.map_or("a part without `=`", |(name, _)| name);
                return Err(Failure::input(format!(
                    "`--secret` has an unknown field: {}",
                    escape(name)
                ))
                .hint(SECRET_FORM));
            }
        }
    }
    let id = id.ok_or_else(|| Failure::input("`--secret` has no id").hint(SECRET_FORM))?;
    let origin = format!("`--secret id={}`", escape(id));
    let value = match (file, variable) {
        (Some(_), Some(_)) => {
            return Err(Failure::input(format!("{origin} has both src and env")).hint(SECRET_FORM));
        }
        (Some(path), None) => {
            let path = Path::new(path);
            std::fs::read(path).map_err(|error| unreadable(&origin, path, &error))?
        }
        (None, variable) => {
            let name = variable.unwrap_or(id);
            let value = environment.get(name).ok_or_else(|| {
                Failure::input(format!(
                    "{origin}: the variable `{}` is not set",
                    escape(name)
                ))
                .hint(SECRET_FORM)
            })?;
            value.as_bytes().to_vec()
        }
    };
    if value.len() > SECRET_LIMIT {
        return Err(
            Failure::input(format!("{origin} has more than {} KiB", SECRET_LIMIT >> 10))
                .hint("that is the most that BuildKit takes"),
        );
    }
    Ok((id.to_owned(), value))
}

/// Makes secrets of the proxies of which credentials are a part: what BuildKit takes as proxies stands in the provenance.
/// Gives the ids of the secrets by variable.
fn hide(proxy: &mut Proxy, secrets: &mut BTreeMap<String, Vec<u8>>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (name, value) in [
        ("http_proxy", &mut proxy.http),
        ("https_proxy", &mut proxy.https),
        ("ftp_proxy", &mut proxy.ftp),
        ("all_proxy", &mut proxy.all),
    ] {
        if value.contains('@') {
            let id = format!("peelbox-{name}");
            secrets.insert(id.clone(), std::mem::take(value).into_bytes());
            variables.insert(name.to_uppercase(), id.clone());
            variables.insert(name.to_owned(), id);
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_with_credentials_is_a_secret() {
        let mut proxy = Proxy {
            http: "http://proxy.example:3128".to_owned(),
            https: "http://user:word@proxy.example:3128".to_owned(),
            ..Proxy::default()
        };
        let mut secrets = BTreeMap::new();
        let variables = hide(&mut proxy, &mut secrets);
        assert_eq!(proxy.http, "http://proxy.example:3128");
        assert_eq!(proxy.https, "");
        assert_eq!(variables.len(), 2);
        let secret = &secrets[&variables["HTTPS_PROXY"]];
        assert_eq!(secret, b"http://user:word@proxy.example:3128");
    }

    #[test]
    fn certificates_are_no_secret_but_what_is_named_like_them_is() {
        let mask = |given: Option<&[u8]>| {
            let secrets = BTreeMap::from([(CERTIFICATES.to_owned(), b"hunter2".to_vec())]);
            let hidden = Hidden::new(secrets, given.map(<[u8]>::to_vec), Proxy::default());
            hidden.values().map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(mask(None), [b"hunter2"]);
        assert!(mask(Some(b"PEM")).is_empty());
    }

    fn given(flag: &str) -> Result<(String, String), String> {
        let environment = Environment::from([("TOKEN", "from TOKEN"), ("npm", "from npm")]);
        match secret(flag, &environment) {
            Ok((id, value)) => Ok((id, String::from_utf8(value).unwrap())),
            Err(failure) => Err(failure.problems[0].message.clone()),
        }
    }

    #[test]
    fn a_secret_comes_from_a_file_or_a_variable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        std::fs::write(&path, "from a file").unwrap();
        let flag = format!("type=file,id=a,src={}", path.display());
        let pair = |id: &str, value: &str| Ok((id.to_owned(), value.to_owned()));
        assert_eq!(given(&flag), pair("a", "from a file"));
        assert_eq!(given("id=a,env=TOKEN"), pair("a", "from TOKEN"));
        assert_eq!(given("id=npm"), pair("npm", "from npm"));
    }

    #[test]
    fn a_message_about_a_secret_does_not_repeat_what_may_be_it() {
        for flag in ["hunter2", "id=a,hunter2", "id=a,value=hunter2"] {
            let message = given(flag).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
