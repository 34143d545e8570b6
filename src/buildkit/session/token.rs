//! Bearer tokens for registries, fetched on this side: the daemon gets the token and never the password.
//!
//! The service answers as the specifications of the
//! [token](https://distribution.github.io/distribution/spec/auth/token/) and its
//! [OAuth variant](https://distribution.github.io/distribution/spec/auth/oauth/) say.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use buildkit_proto::moby::filesync::v1::{FetchTokenRequest, FetchTokenResponse};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Deserialize;

/// The daemon waits 60 s for a token.
const TIMEOUT: Duration = Duration::from_secs(45);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_ANSWER: usize = 1 << 20;
const MAX_REDIRECTS: usize = 5;

/// What the specification gives tokens that do not say how long they last, in seconds.
const EXPIRES_IN: i64 = 60;

/// A token that could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    #[error("the registry `{host}` names `{realm}` as its token service, which is no address")]
    Realm { host: String, realm: String },
    #[error(
        "the registry `{host}` names `{realm}` as its token service, to which the password would go unencrypted"
    )]
    Unencrypted { host: String, realm: String },
    #[error("cannot ask the token service `{realm}` of `{host}`: {reason}")]
    Unreachable {
        host: String,
        realm: String,
        reason: String,
    },
    #[error("the token service `{realm}` of `{host}` answers {status}")]
    Refused {
        host: String,
        realm: String,
        status: StatusCode,
    },
    #[error("the token service `{realm}` of `{host}` answers without a token")]
    Answer { host: String, realm: String },
}

/// Fetches tokens, and proves to a daemon that it is still the same that does.
///
/// A daemon keeps what it got for a session, and hands it to another session that can sign with the same key. Ours is
/// made anew for every run: one made from the password would let the daemon guess passwords.
pub(super) struct Tokens {
    seed: hmac::Key,
    http: OnceLock<Client>,
}

impl Tokens {
    /// `None` if the system has no random numbers.
    pub(super) fn new() -> Option<Self> {
        let seed = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        let http = OnceLock::new();
        Some(Self { seed, http })
    }

    /// The public key for the registry at `host` towards the daemon that has `salt`.
    pub(super) fn public_key(&self, host: &str, salt: &[u8]) -> Option<Vec<u8>> {
        let key = self.key(host, salt)?;
        Some(key.public_key().as_ref().to_vec())
    }

    /// `payload` behind its signature, as NaCl's `crypto_sign` writes it.
    pub(super) fn signed(&self, host: &str, salt: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
        let signature = self.key(host, salt)?.sign(payload);
        Some([signature.as_ref(), payload].concat())
    }

    fn key(&self, host: &str, salt: &[u8]) -> Option<Ed25519KeyPair> {
        let mut context = hmac::Context::with_key(&self.seed);
        context.update(salt);
        context.update(host.as_bytes());
        Ed25519KeyPair::from_seed_unchecked(context.sign().as_ref()).ok()
    }

    /// A token for what `request` asks; an identity token has an empty user name.
    pub(super) async fn fetch(
        &self,
        request: &FetchTokenRequest,
        (user, secret): &(String, String),
    ) -> Result<FetchTokenResponse, TokenError> {
        let realm = realm(request)?;
        let http = self.http();
        let http = http.map_err(|error| unreachable(request, &realm, &error))?;
        let asked = Asked {
            http,
            realm,
            request,
        };
        if user.is_empty() {
            let identity = [("grant_type", "refresh_token"), ("refresh_token", secret)];
            let answer = asked.ended(asked.post(&identity)).await?;
            return asked.token(answer).await;
        }
        let answer = asked
            .ended(asked.get().basic_auth(user, Some(secret)))
            .await?;
        // Some know only the other way: https://github.com/moby/buildkit/blob/master/util/resolver/authorizer.go
        let is_other = [
            StatusCode::UNAUTHORIZED,
            StatusCode::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED,
        ]
        .contains(&answer.status());
        if !is_other {
            return asked.token(answer).await;
        }
        let password = [
            ("grant_type", "password"),
            ("username", user),
            ("password", secret),
        ];
        let answer = asked.ended(asked.post(&password)).await?;
        asked.token(answer).await
    }

    fn http(&self) -> reqwest::Result<&Client> {
        if let Some(client) = self.http.get() {
            return Ok(client);
        }
        let _ = rustls::crypto::ring::default_provider().install_default(); // installed already is as good
        let client = Client::builder()
            .user_agent(concat!("peelbox/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(Policy::custom(redirected))
            .build()?;
        Ok(self.http.get_or_init(|| client))
    }
}

/// A password goes nowhere but to whom it was meant for.
fn redirected(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let previous = attempt.previous();
    let origin = previous.last().map(Url::origin);
    if previous.len() < MAX_REDIRECTS && origin == Some(attempt.url().origin()) {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// The address of the token service. It is the registry's word, or its impostor's: what is not encrypted may go to the
/// registry itself, or stay on this machine.
fn realm(request: &FetchTokenRequest) -> Result<Url, TokenError> {
    let (host, realm) = (request.host.clone(), request.realm.clone());
    let url = match Url::parse(&realm) {
        Ok(url) if url.username().is_empty() && url.password().is_none() => url,
        _ => return Err(TokenError::Realm { host, realm }),
    };
    let name = url.host_str().unwrap_or_default();
    let address = name.trim_matches(['[', ']']).parse();
    let is_near = name == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback());
    let registry = Url::parse(&format!("http://{host}"));
    let is_registry = registry.is_ok_and(|registry| registry.host_str() == Some(name));
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_near || is_registry => Ok(url),
        "http" => Err(TokenError::Unencrypted { host, realm }),
        _ => Err(TokenError::Realm { host, realm }),
    }
}

/// A question to a token service.
struct Asked<'a> {
    http: &'a Client,
    realm: Url,
    request: &'a FetchTokenRequest,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    expires_in: Option<i64>,
    issued_at: Option<String>,
}

impl Asked<'_> {
    fn get(&self) -> RequestBuilder {
        let mut url = self.realm.clone();
        {
            let mut query = url.query_pairs_mut();
            if !self.request.service.is_empty() {
                query.append_pair("service", &self.request.service);
            }
            for scope in &self.request.scopes {
                query.append_pair("scope", scope);
            }
        }
        self.http.get(url)
    }

    fn post(&self, login: &[(&str, &str)]) -> RequestBuilder {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("service", &self.request.service)
            .append_pair("client_id", &self.request.client_id)
            .append_pair("scope", &self.request.scopes.join(" "))
            .extend_pairs(login);
        let kind = "application/x-www-form-urlencoded";
        let post = self.http.post(self.realm.clone());
        post.header(http::header::CONTENT_TYPE, kind)
            .body(form.finish())
    }

    async fn ended(&self, request: RequestBuilder) -> Result<Response, TokenError> {
        request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    async fn token(&self, mut answer: Response) -> Result<FetchTokenResponse, TokenError> {
        let status = answer.status();
        let (host, realm) = (self.request.host.clone(), self.realm.to_string());
        if !status.is_success() {
            return Err(TokenError::Refused {
                host,
                realm,
                status,
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|error| self.unreachable(&error))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(TokenError::Answer { host, realm });
            }
        }
        let Ok(answer) = serde_json::from_slice::<Answer>(&body) else {
            return Err(TokenError::Answer { host, realm });
        };
        // Both are the same where there are both.
        let token = match answer.access_token.is_empty() {
            true => answer.token,
            false => answer.access_token,
        };
        if token.is_empty() {
            return Err(TokenError::Answer { host, realm });
        }
        let issued: Option<jiff::Timestamp> = answer.issued_at.and_then(|time| time.parse().ok());
        Ok(FetchTokenResponse {
            token,
            expires_in: answer
                .expires_in
                .filter(|time| *time > 0)
                .unwrap_or(EXPIRES_IN),
            issued_at: issued.map_or(0, jiff::Timestamp::as_second),
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> TokenError {
        unreachable(self.request, &self.realm, error)
    }
}

fn unreachable(request: &FetchTokenRequest, realm: &Url, error: &reqwest::Error) -> TokenError {
    // What is outermost repeats the address.
    let causes = std::iter::successors(error.source(), |&error| error.source());
    let reason = causes
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string);
    TokenError::Unreachable {
        host: request.host.clone(),
        realm: realm.to_string(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    /// A token service that gives these answers, one per connection, and what it was asked.
    fn service(answers: Vec<String>) -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let realm = format!("http://{}/token?a=b", listener.local_addr().unwrap());
        let (asked, questions) = mpsc::channel();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut question = Vec::new();
                let mut buffer = [0; 4096];
                let is_whole = |question: &[u8]| {
                    let text = String::from_utf8_lossy(question).into_owned();
                    text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                        head.starts_with("GET ") || body.ends_with("pass+w%C3%B6rd")
                    })
                };
                while !is_whole(&question) {
                    let length = stream.read(&mut buffer).unwrap();
                    question.extend_from_slice(&buffer[..length]);
                }
                let _ = asked.send(String::from_utf8(question).unwrap()); // the test may have seen enough
                let _ = stream.write_all(answer.as_bytes()); // the client may have seen enough
            }
        });
        (realm, questions)
    }

    fn answer(status: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    }

    fn request(host: &str, realm: &str) -> FetchTokenRequest {
        FetchTokenRequest {
            client_id: "buildkit-client".to_owned(),
            host: host.to_owned(),
            realm: realm.to_owned(),
            service: "registry".to_owned(),
            scopes: vec![
                "repository:a/b:pull".to_owned(),
                "repository:c:pull".to_owned(),
            ],
        }
    }

    async fn fetch(realm: &str, user: &str) -> Result<FetchTokenResponse, String> {
        let login = (user.to_owned(), "pass wörd".to_owned());
        let tokens = Tokens::new().unwrap();
        let request = request("registry.example", realm);
        tokens
            .fetch(&request, &login)
            .await
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_signed_is_verified_with_the_key_that_was_given() {
        let tokens = Tokens::new().unwrap();
        let public = tokens.public_key("a", b"salt").unwrap();
        let signed = tokens.signed("a", b"salt", b"payload").unwrap();
        let (signature, payload) = signed.split_at(64);
        assert_eq!((public.len(), payload), (32, &b"payload"[..]));
        UnparsedPublicKey::new(&ED25519, &public)
            .verify(payload, signature)
            .unwrap();
        for (host, salt) in [("b", "salt"), ("a", "other")] {
            assert_ne!(tokens.public_key(host, salt.as_bytes()).unwrap(), public);
        }
        assert_ne!(
            Tokens::new().unwrap().public_key("a", b"salt").unwrap(),
            public
        );
    }

    #[test]
    fn a_password_goes_unencrypted_only_to_the_registry_or_this_machine() {
        let goes = |host: &str, to: &str| realm(&request(host, to)).map(String::from);
        for (host, to) in [
            ("a.example", "https://auth.example/token"),
            ("a.example:5000", "http://a.example:5001/token"),
            ("[fd00::1]:5000", "http://[fd00::1]/token"),
            ("a.example", "http://127.0.0.1:5001/token"),
            ("a.example", "http://[::1]/token"),
            ("a.example", "http://localhost/token"),
        ] {
            assert_eq!(goes(host, to).unwrap(), to);
        }
        for to in [
            "http://auth.example/token",
            "http://127.0.0.1.example/",
            "http://localhost.example/",
        ] {
            let error = goes("a.example", to).unwrap_err();
            assert!(matches!(error, TokenError::Unencrypted { .. }), "{to}");
        }
        for to in [
            "",
            "/token",
            "ftp://a.example/",
            "https://me:pw@a.example/",
            "file:///etc/passwd",
        ] {
            let error = goes("a.example", to).unwrap_err();
            assert!(matches!(error, TokenError::Realm { .. }), "{to}");
        }
    }

    #[tokio::test]
    async fn a_login_is_sent_as_basic_authentication() {
        let body = r#"{"token": "abc", "expires_in": 300, "issued_at": "1970-01-01T00:01:00Z"}"#;
        let (realm, questions) = service(vec![answer("200 OK", body)]);
        let token = fetch(&realm, "me").await.unwrap();
        assert_eq!(
            (&*token.token, token.expires_in, token.issued_at),
            ("abc", 300, 60)
        );
        let question = questions.recv().unwrap();
        let expected = "GET /token?a=b&service=registry&scope=repository%3Aa%2Fb%3Apull&scope=repository%3Ac%3Apull HTTP/1.1\r\n";
        assert!(question.starts_with(expected), "{question}");
        assert!(
            question.contains("\r\nauthorization: Basic bWU6cGFzcyB3w7ZyZA==\r\n"),
            "{question}"
        );
    }

    #[tokio::test]
    async fn an_identity_token_is_sent_as_a_form() {
        let (realm, questions) = service(vec![answer("200 OK", r#"{"access_token": "abc"}"#)]);
        let token = fetch(&realm, "").await.unwrap();
        assert_eq!(
            (&*token.token, token.expires_in, token.issued_at),
            ("abc", 60, 0)
        );
        let question = questions.recv().unwrap();
        assert!(
            question.starts_with("POST /token?a=b HTTP/1.1\r\n"),
            "{question}"
        );
        let form = "\r\n\r\nservice=registry&client_id=buildkit-client&scope=repository%3Aa%2Fb%3Apull+repository%3Ac%3Apull&grant_type=refresh_token&refresh_token=pass+w%C3%B6rd";
        assert!(question.ends_with(form), "{question}");
    }

    #[tokio::test]
    async fn a_service_that_wants_the_login_in_a_form_gets_it() {
        let answers = [
            answer("404 Not Found", ""),
            answer("200 OK", r#"{"access_token": "abc"}"#),
        ];
        let (realm, questions) = service(answers.into());
        assert_eq!(fetch(&realm, "me").await.unwrap().token, "abc");
        assert!(questions.recv().unwrap().starts_with("GET "));
        let question = questions.recv().unwrap();
        assert!(
            question.ends_with("&grant_type=password&username=me&password=pass+w%C3%B6rd"),
            "{question}"
        );
    }

    #[tokio::test]
    async fn a_password_does_not_follow_a_redirect_elsewhere() {
        let (elsewhere, questions) = service(vec![answer("200 OK", r#"{"token": "abc"}"#)]);
        let moved = |to: &str| answer(&format!("307 Temporary Redirect\r\nLocation: {to}"), "");
        for user in ["me", ""] {
            let (realm, _questions) = service(vec![moved(&elsewhere)]);
            let error = fetch(&realm, user).await.unwrap_err();
            assert!(
                error.ends_with(" answers 307 Temporary Redirect"),
                "{error}"
            );
        }
        assert!(questions.try_recv().is_err());
        let (realm, _questions) = service(vec![
            moved("/other"),
            answer("200 OK", r#"{"token": "abc"}"#),
        ]);
        assert_eq!(fetch(&realm, "me").await.unwrap().token, "abc");
    }

    #[tokio::test]
    async fn an_answer_that_is_no_token_is_told_without_the_password() {
        let long = format!(r#"{{"token": "{}"}}"#, "x".repeat(MAX_ANSWER));
        for (given, told) in [
            (answer("200 OK", "{}"), "answers without a token"),
            (answer("200 OK", "no JSON"), "answers without a token"),
            (answer("200 OK", &long), "answers without a token"),
            (
                answer("503 Service Unavailable", ""),
                "answers 503 Service Unavailable",
            ),
        ] {
            let (realm, _questions) = service(vec![given]);
            let error = fetch(&realm, "me").await.unwrap_err();
            assert_eq!(
                error,
                format!("the token service `{realm}` of `registry.example` {told}")
            );
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let realm = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let error = fetch(&realm, "me").await.unwrap_err();
        let told = format!(
            "cannot ask the token service `{realm}` of `registry.example`: Connection refused (os error 111)"
        );
        assert_eq!(error, told);
    }
}
