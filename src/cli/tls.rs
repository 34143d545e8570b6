//! The TLS flags.

use std::path::Path;

use crate::buildkit::{Endpoint, Tls, TlsError, TlsFiles};

use super::args::Connection;
use super::failure::{Failure, refuse};

const FORM: &str = "write --tls-ca FILE for TLS, and --tls-cert FILE --tls-key FILE too for a daemon that demands a client certificate, or --tls-dir DIR";

/// What the flags say of TLS.
pub(super) fn load(connection: &Connection) -> Result<Option<Tls>, Failure> {
    if given(connection).is_none() {
        return Ok(None);
    }
    let files = match &connection.tls_dir {
        Some(directory) => in_directory(connection, directory)?,
        None => files(connection)?,
    };
    Tls::load(&files, connection.tls_server_name.as_deref())
        .map(Some)
        .map_err(|error| unusable(&error))
}

/// Refuses TLS for a daemon that is spoken to without; `endpoint` is `None` where no daemon was named.
pub(super) fn check(connection: &Connection, endpoint: Option<&Endpoint>) -> Result<(), Failure> {
    let Some(first) = given(connection) else {
        return Ok(());
    };
    match endpoint {
        Some(Endpoint::Tcp(_)) => Ok(()),
        Some(other) => Err(
            Failure::input(format!("{first} is for tcp://, and not for `{other}`"))
                .hint("leave it out, or name the daemon with `--buildkit tcp://HOST:PORT`"),
        ),
        None => Err(
            Failure::input(format!("{first} is there, and no daemon is named"))
                .hint("name it with `--buildkit tcp://HOST:PORT` or BUILDKIT_HOST"),
        ),
    }
}

fn given(connection: &Connection) -> Option<&'static str> {
    let Connection {
        tls_ca,
        tls_cert,
        tls_key,
        tls_dir,
        tls_server_name,
        buildkit: _,
    } = connection;
    let given = [
        (tls_ca.is_some(), "`--tls-ca`"),
        (tls_cert.is_some(), "`--tls-cert`"),
        (tls_key.is_some(), "`--tls-key`"),
        (tls_dir.is_some(), "`--tls-dir`"),
        (tls_server_name.is_some(), "`--tls-server-name`"),
    ];
    given
        .into_iter()
        .find_map(|(is_given, name)| is_given.then_some(name))
}

fn files(connection: &Connection) -> Result<TlsFiles, Failure> {
    let wrong = |message: &str| Failure::input(message).hint(FORM);
    let lonely = match (&connection.tls_cert, &connection.tls_key) {
        (Some(_), None) => Some("`--tls-cert` is there without `--tls-key`"),
        (None, Some(_)) => Some("`--tls-key` is there without `--tls-cert`"),
        _ => None,
    };
    let client = connection.tls_cert.clone().zip(connection.tls_key.clone());
    let ca = connection.tls_ca.clone();
    let ca = ca.ok_or_else(|| wrong("TLS needs `--tls-ca`: only what it names is trusted"));
    refuse(lonely.map(wrong).into_iter().chain(ca.clone().err()))?;
    Ok(TlsFiles { ca: ca?, client })
}

/// The names are those that `buildctl --tlsdir` knows:
/// <https://github.com/moby/buildkit/blob/master/cmd/buildctl/common/common.go>.
fn in_directory(connection: &Connection, directory: &Path) -> Result<TlsFiles, Failure> {
    if connection.tls_ca.is_some() || connection.tls_cert.is_some() || connection.tls_key.is_some()
    {
        return Err(Failure::input(
            "`--tls-dir` is there together with `--tls-ca`, `--tls-cert` or `--tls-key`",
        )
        .hint("the directory has all of them: leave the others out"));
    }
    let one_of = |names: [&str; 2]| {
        let mut paths = names.iter().map(|name| directory.join(name));
        let [one, other] = names;
        let found = paths.find(|path| path.exists());
        found.ok_or_else(|| format!("neither {one} nor {other}"))
    };
    let found = [
        ["ca.pem", "ca.crt"],
        ["cert.pem", "tls.crt"],
        ["key.pem", "tls.key"],
    ]
    .map(one_of);
    match found {
        [Ok(ca), Ok(certificate), Ok(key)] => Ok(TlsFiles {
            ca,
            client: Some((certificate, key)),
        }),
        found => {
            let missing: Vec<String> = found.into_iter().filter_map(Result::err).collect();
            Err(Failure::input(format!(
                "`--tls-dir`: `{}` has {}",
                directory.display(),
                missing.join(", ")
            ))
            .hint("it holds ca.pem, cert.pem and key.pem, or ca.crt, tls.crt and tls.key; `--tls-ca` alone serves where no client certificate is demanded"))
        }
    }
}

fn unusable(error: &TlsError) -> Failure {
    let hint = match error {
        TlsError::Read { .. } => "may this user read it?",
        TlsError::NoCertificate { .. } => "it begins with -----BEGIN CERTIFICATE-----",
        TlsError::NoKey { .. } => {
            "it has a line -----BEGIN PRIVATE KEY-----, or that of an RSA or EC key"
        }
        TlsError::EncryptedKey { .. } => {
            "`openssl pkey -in FILE -out OTHER` writes it without a password"
        }
        TlsError::OtherKey { .. } => "give the two that were made for each other",
        TlsError::Unusable { .. } => "have it made anew",
        TlsError::ServerName(_) => "`--tls-server-name` is a name like buildkitd.example",
    };
    Failure::input(error.to_string()).hint(hint)
}
