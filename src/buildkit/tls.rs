//! TLS to a daemon: the files it takes, the handshake, and why it failed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error as Fault, InconsistentKeys,
    InvalidMessage, RootCertStore,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::complaint::{Complaint, Overheard};
use super::connect::Stream;

/// The files of a TLS connection, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authorities that may have signed the daemon's certificate; no others are trusted.
    pub ca: PathBuf,
    /// The client's certificate with its chain, and the key of it.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// What a TLS connection to a daemon takes.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    has_client_certificate: bool,
}

/// Files that no TLS connection can be made with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file holds no certificate.
    #[error("`{path}` holds no PEM certificate")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no private key.
    #[error("`{path}` holds no PEM private key")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The private key is encrypted.
    #[error("the private key in `{path}` is encrypted")]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// The key belongs to another certificate.
    #[error("the key in `{key}` is not that of the certificate in `{certificate}`")]
    OtherKey {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A certificate or key cannot be used.
    #[error("`{path}` cannot be used: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The name of the server is none.
    #[error("`{0}` is neither the name nor the address of a server")]
    ServerName(String),
}

/// Why a TLS connection failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The daemon's certificate is not signed by a given authority.
    #[error("its certificate is not signed by the given CA")]
    UnknownIssuer,
    /// The daemon's certificate is too old.
    #[error("its certificate has expired")]
    Expired,
    /// The daemon's certificate is from the future.
    #[error("its certificate is not valid yet")]
    NotYetValid,
    /// The daemon's certificate is for another name.
    #[error("its certificate is not for `{expected}`, but for {}", presented.join(", "))]
    Name {
        /// The name that was asked for.
        expected: String,
        /// The names in the certificate.
        presented: Vec<String>,
    },
    /// The daemon wants a certificate of the client, and there is none.
    #[error("it demands a client certificate")]
    NoClientCertificate,
    /// The daemon does not want this client.
    #[error("it refuses the client certificate ({0})")]
    ClientCertificate(String),
    /// The daemon speaks without TLS, or is none.
    #[error("it does not speak TLS")]
    Plain,
    /// Anything else.
    #[error("TLS failed: {0}")]
    Other(String),
}

// It holds certificates of a few kilobytes each; bundles of a whole system have some hundred.
// Of daemons that wait for the client's first word.
const FIRST_WORD: Duration = Duration::from_millis(300);
const MAX_FILE: u64 = 4 << 20;

impl Tls {
    /// Reads `files`; the daemon must prove to be `server_name`, by default the host of its address.
    ///
    /// # Errors
    /// When a file cannot be read or does not hold what it should.
    pub fn load(files: &TlsFiles, server_name: Option<&str>) -> Result<Self, TlsError> {
        let server_name = server_name.map(name_of).transpose()?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&files.ca)? {
            roots.add(certificate).map_err(|error| TlsError::Unusable {
                path: files.ca.clone(),
                reason: error.to_string(),
            })?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Unusable {
                path: files.ca.clone(),
                reason: error.to_string(),
            })?
            .with_root_certificates(roots);
        let mut config = match &files.client {
            None => builder.with_no_client_auth(),
            Some((certificate, path)) => builder
                .with_client_auth_cert(certificates(certificate)?, key(path)?)
                .map_err(|error| unfit(&error, certificate, path))?,
        };
        // gRPC servers refuse a client that does not name it.
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            server_name,
            has_client_certificate: files.client.is_some(),
        })
    }

    /// Shakes hands over `stream` with the daemon at `address`, which is `host:port`.
    ///
    /// A daemon that refuses the client says so only when it is first read from: `complaint` takes that.
    pub(super) async fn wrap(
        &self,
        stream: Stream,
        address: &str,
        complaint: &Complaint,
    ) -> Result<Stream, TlsFault> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => name_of(host).map_err(|error| TlsFault::Other(error.to_string()))?,
        };
        let connected = TlsConnector::from(Arc::clone(&self.config))
            .connect(name, stream)
            .await;
        let mut stream = BufReader::new(connected.map_err(|error| self.fault(&error))?);
        // In TLS 1.3 the daemon judges the client after the handshake. Writing to a connection that it has closed by then
        // would lose its reason; gRPC's servers in Go speak first, so that waiting for them costs nothing.
        if let Ok(Err(error)) = timeout(FIRST_WORD, stream.fill_buf()).await {
            return Err(self.fault(&error));
        }
        let (this, complaint) = (self.clone(), complaint.clone());
        let overhear = move |error: &io::Error| complaint.fault(this.fault(error));
        Ok(Box::new(Overheard::new(stream, overhear)))
    }

    fn fault(&self, error: &io::Error) -> TlsFault {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(fault) => self.explain(fault),
            None if error.kind() == io::ErrorKind::UnexpectedEof => TlsFault::Plain,
            None => TlsFault::Other(error.to_string()),
        }
    }

    fn explain(&self, fault: &Fault) -> TlsFault {
        match fault {
            Fault::InvalidCertificate(error) => certificate_fault(error),
            Fault::InvalidMessage(InvalidMessage::InvalidContentType) => TlsFault::Plain,
            Fault::AlertReceived(AlertDescription::CertificateRequired) => {
                TlsFault::NoClientCertificate
            }
            // What TLS 1.2 has in place of that.
            Fault::AlertReceived(
                AlertDescription::BadCertificate | AlertDescription::HandshakeFailure,
            ) if !self.has_client_certificate => TlsFault::NoClientCertificate,
            Fault::AlertReceived(
                alert @ (AlertDescription::BadCertificate
                | AlertDescription::UnknownCA
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::AccessDenied),
            ) if self.has_client_certificate => TlsFault::ClientCertificate(format!("{alert:?}")),
            other => TlsFault::Other(other.to_string()),
        }
    }
}

fn certificate_fault(error: &CertificateError) -> TlsFault {
    match error {
        // An authority of the same name with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFault::NotYetValid
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => TlsFault::Name {
            expected: expected.to_str().into_owned(),
            presented: presented.iter().map(|name| plain(name)).collect(),
        },
        other => TlsFault::Other(other.to_string()),
    }
}

// rustls writes `DnsName("a.example")` and `IpAddress(127.0.0.1)`.
fn plain(name: &str) -> String {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

fn name_of(text: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(text.to_owned()).map_err(|_| TlsError::ServerName(text.to_owned()))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read {
        path: path.to_owned(),
        source,
    };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    std::fs::read(path).map_err(failed)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&bytes).collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| TlsError::NoCertificate {
            path: path.to_owned(),
        })
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.contains("Proc-Type: 4,ENCRYPTED")
    {
        return Err(TlsError::EncryptedKey {
            path: path.to_owned(),
        });
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| TlsError::NoKey {
        path: path.to_owned(),
    })
}

fn unfit(error: &Fault, certificate: &Path, key: &Path) -> TlsError {
    match error {
        Fault::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::OtherKey {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        },
        other => TlsError::Unusable {
            path: key.to_owned(),
            reason: other.to_string(),
        },
    }
}

/// Whether what listens behind `stream` answers TLS's greeting with a record of TLS.
pub(super) async fn is_spoken(mut stream: Stream) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    // A ClientHello of TLS 1.0 without any cipher: whoever knows TLS answers with an alert.
    const HELLO: [u8; 46] = {
        let mut hello = [0; 46];
        let head = [0x16, 3, 1, 0, 41, 1, 0, 0, 37, 3, 3];
        let mut at = 0;
        while at < head.len() {
            hello[at] = head[at];
            at += 1;
        }
        hello
    };
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    if stream.write_all(&HELLO).await.is_err() {
        return false;
    }
    let mut answer = [0; 2];
    let read = stream.read_exact(&mut answer).await;
    read.is_ok() && matches!(answer, [ALERT | HANDSHAKE, 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(files: &TlsFiles) -> String {
        Tls::load(files, None).unwrap_err().to_string()
    }

    #[test]
    fn files_that_hold_something_else_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.pem");
        let shown = path.display().to_string();
        let files = TlsFiles {
            ca: path.clone(),
            client: None,
        };
        assert_eq!(
            error(&files),
            format!("cannot read `{shown}`: No such file or directory (os error 2)")
        );
        for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\n!\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(
                error(&files),
                format!("`{shown}` holds no PEM certificate"),
                "{text}"
            );
        }
        std::fs::write(
            &path,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        )
        .unwrap();
        let message = error(&files);
        let start = format!("`{shown}` cannot be used: ");
        assert!(message.starts_with(&start), "{message}");
    }

    #[test]
    fn a_key_that_is_encrypted_is_told_from_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        for (text, message) in [
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
                format!("the private key in `{}` is encrypted", path.display()),
            ),
            (
                "secret words",
                format!("`{}` holds no PEM private key", path.display()),
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(key(&path).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_server_is_named_by_name_or_address() {
        for text in ["buildkitd.example", "127.0.0.1", "::1"] {
            assert!(name_of(text).is_ok(), "{text}");
        }
        assert_eq!(
            name_of("a b").unwrap_err().to_string(),
            "`a b` is neither the name nor the address of a server"
        );
    }
}
