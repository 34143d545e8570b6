//! A stand-in for the token service of a registry: it signs tokens for one user, as the specification of
//! [token authentication](https://distribution.github.io/distribution/spec/auth/jwt/) wants them.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::json;

/// A registry that takes only tokens of its own service.
pub(crate) struct TokenRegistry {
    pub(crate) address: String,
    process: Child,
    /// The scopes for which tokens were given.
    pub(crate) given: Arc<Mutex<Vec<String>>>,
    /// The programs that had the password, as they call themselves.
    pub(crate) askers: Arc<Mutex<BTreeSet<String>>>,
}

struct Service {
    user: String,
    password: String,
    certificate: String,
    key: EcdsaKeyPair,
    given: Arc<Mutex<Vec<String>>>,
    askers: Arc<Mutex<BTreeSet<String>>>,
}

const ISSUER: &str = "stand-in";
const NAME: &str = "registry.test";

impl TokenRegistry {
    /// Starts `program` with its data in `folder`; `user` may push and pull with `password`.
    pub(crate) fn start(program: &str, folder: &Path, user: &str, password: &str) -> Self {
        let (key, certificate) = identity(folder);
        let given = Arc::new(Mutex::new(Vec::new()));
        let askers = Arc::new(Mutex::new(BTreeSet::new()));
        let service = Service {
            user: user.to_owned(),
            password: password.to_owned(),
            certificate,
            key,
            given: Arc::clone(&given),
            askers: Arc::clone(&askers),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let realm = format!("http://{}/token", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                service.answer(&stream.unwrap());
            }
        });
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let address = format!("127.0.0.1:{port}");
        let configuration = json!({
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": folder.join("data")}},
            "http": {"addr": address},
            "auth": {"token": {
                "realm": realm,
                "service": NAME,
                "issuer": ISSUER,
                "rootcertbundle": folder.join("certificate.pem"),
            }},
        });
        let file = folder.join("registry.yml");
        fs::write(&file, configuration.to_string()).unwrap();
        let process = Command::new(program)
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("registry.log")).unwrap())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(&address).is_err() {
            assert!(Instant::now() < until, "the registry does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self {
            address,
            process,
            given,
            askers,
        }
    }
}

impl Drop for TokenRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn identity(folder: &Path) -> (EcdsaKeyPair, String) {
    let run = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(folder)
            .output();
        let output = output.unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    run(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-out",
        "key.pem",
    ]);
    run(&[
        "pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER", "-out", "key.der",
    ]);
    run(&[
        "req",
        "-x509",
        "-key",
        "key.pem",
        "-subj",
        "/CN=stand-in",
        "-days",
        "2",
        "-out",
        "certificate.pem",
    ]);
    let key = fs::read(folder.join("key.der")).unwrap();
    let key =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &SystemRandom::new());
    let pem = fs::read_to_string(folder.join("certificate.pem")).unwrap();
    let certificate = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    (key.unwrap(), certificate)
}

/// What is asked of the service.
struct Question {
    method: String,
    target: String,
    basic: Option<String>,
    asker: String,
    form: String,
}

impl Question {
    fn read(stream: &TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let mut words = line.split_whitespace().map(str::to_owned);
        let method = words.next().unwrap_or_default();
        let target = words.next().unwrap_or_default();
        let (mut basic, mut length, mut asker) = (None, 0, String::new());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let Some((name, value)) = header.trim().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => basic = value.strip_prefix("Basic ").map(str::to_owned),
                "user-agent" => value.clone_into(&mut asker),
                "content-length" => length = value.parse().unwrap(),
                _ => {}
            }
        }
        let mut form = vec![0; length];
        reader.read_exact(&mut form).unwrap();
        Self {
            method,
            target,
            basic,
            asker,
            form: String::from_utf8(form).unwrap(),
        }
    }
}

impl Service {
    fn answer(&self, mut stream: &TcpStream) {
        let Question {
            method,
            target,
            basic,
            asker,
            form,
        } = Question::read(stream);
        let query = match method.as_str() {
            "POST" => form,
            _ => target
                .split_once('?')
                .map_or("", |(_, query)| query)
                .to_owned(),
        };
        let fields: Vec<(String, String)> = query
            .split('&')
            .filter_map(|field| field.split_once('='))
            .map(|(name, value)| (name.to_owned(), decoded(value)))
            .collect();
        let field = |name: &str| {
            let found = fields.iter().find(|(known, _)| known == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let pair = basic.map_or_else(
            || format!("{}:{}", field("username"), field("password")),
            |basic| String::from_utf8(BASE64_STANDARD.decode(basic).unwrap()).unwrap(),
        );
        let is_known = pair == format!("{}:{}", self.user, self.password);
        if is_known {
            self.askers.lock().unwrap().insert(asker);
        }
        let scopes = fields.iter().filter(|(name, _)| name == "scope");
        let scopes: Vec<&str> = scopes.flat_map(|(_, value)| value.split(' ')).collect();
        let (status, body) = match is_known {
            true => ("200 OK", self.token(&scopes)),
            false => (
                "401 Unauthorized",
                r#"{"details":"wrong login"}"#.to_owned(),
            ),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes());
    }

    fn token(&self, scopes: &[&str]) -> String {
        self.given
            .lock()
            .unwrap()
            .extend(scopes.iter().map(|&scope| scope.to_owned()));
        let access: Vec<_> = scopes
            .iter()
            .filter_map(|scope| {
                let (kind, rest) = scope.split_once(':')?;
                let (name, actions) = rest.rsplit_once(':')?;
                let actions: Vec<&str> = actions.split(',').collect();
                Some(json!({"type": kind, "name": name, "actions": actions}))
            })
            .collect();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [self.certificate]});
        let claims = json!({
            "iss": ISSUER, "sub": self.user, "aud": NAME, "jti": now.to_string(), "access": access,
            "iat": now - 10, "nbf": now - 10, "exp": now + 600,
        });
        let encoded = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encoded(&header), encoded(&claims));
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        let token = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
        json!({"token": token, "access_token": token, "expires_in": 600}).to_string()
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}
