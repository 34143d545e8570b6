//! What the sources of a module say: its main classes, and where it listens.

use crate::detect::provider::Scan;
use crate::detect::repo::{join, split};
use crate::detect::source::{self, Fact, Family, File, port};

/// The sources of a module, read once.
pub(in crate::detect::providers) struct Sources {
    pub(in crate::detect::providers) files: Vec<File>,
}

/// Calls after which a program waits for connections.
const LISTEN: &[&str] = &[
    "HttpServer.create(",
    "HttpsServer.create(",
    "ServerSocket(",
    "ServerSocketChannel.open(",
    "Javalin.create(",
    "Undertow.builder(",
    "createHttpServer(",
    "embeddedServer(",
    "EngineMain",
    "NettyServerBuilder",
    "ServerBuilder.forPort(",
    "ServerBootstrap(",
    "WebServer.builder(",
    "SpringApplication.run",
    "run-jetty",
    "run-server",
    "EmberServerBuilder",
    "BlazeServerBuilder",
    "Http().newServerAt(",
    "Server.serve(",
];

/// Calls whose argument is a port.
const PORTS: &[&str] = &[
    "InetSocketAddress(",
    "ServerSocket(",
    "embeddedServer(",
    "forPort(",
    "newServerAt(",
    ".listen(",
    ".start(",
    ".port(",
    "withPort(",
];

impl Sources {
    /// Reads what the module in `dir` compiles; tests are left out.
    pub(in crate::detect::providers) fn read(scan: &Scan<'_>, dir: &str) -> Self {
        let mut files = Vec::new();
        for place in ["src/main", "src/jvmMain"] {
            let place = join(dir, place);
            if scan.repo.dir(&place).is_some() {
                let extensions = ["java", "kt", "scala", "groovy"];
                files.extend(source::own(
                    scan.repo,
                    &place,
                    &[],
                    &extensions,
                    Family::Jvm,
                ));
            }
        }
        // Ktor's and Amper's short layout.
        let short = join(dir, "src");
        if files.is_empty() && scan.repo.dir(&short).is_some() {
            files = source::own(scan.repo, &short, &[], &["kt", "java"], Family::Jvm);
        }
        Self { files }
    }

    /// The classes with a main method, by their full names; the place is that of the method.
    pub(in crate::detect::providers) fn mains(&self) -> Vec<Fact<String>> {
        let mut mains: Vec<Fact<String>> = self.files.iter().filter_map(main_class).collect();
        mains.sort_by(|a, b| a.value.cmp(&b.value));
        mains
    }

    /// Where the program starts to listen: the call.
    pub(in crate::detect::providers) fn listens(&self) -> Option<Fact<String>> {
        source::call(&self.files, LISTEN)
    }

    /// The port in a call that listens, or beside a read of `PORT`.
    pub(in crate::detect::providers) fn port(&self) -> Option<Fact<u16>> {
        let beside = self.files.iter().find_map(|file| {
            let strings = &file.source.strings;
            let (at, _) = strings.iter().find(|(_, text)| text == "PORT")?;
            let in_string = strings.iter().find_map(|(other, text)| {
                let is_near = *other > *at && *other - *at < 200;
                port(text).filter(|_| is_near).map(|port| (port, *other))
            });
            let number = || file.source.number_after(*at, 200).map(|port| (port, *at));
            let (value, at) = in_string.or_else(number)?;
            Some(Fact {
                value,
                file: file.path.clone(),
                line: file.source.line(at),
            })
        });
        beside.or_else(|| {
            self.files.iter().find_map(|file| {
                PORTS.iter().find_map(|call| {
                    let at = file.source.find(call)?;
                    let after = at + call.len();
                    let number = file.source.number_after(after, 60);
                    // `port"8080"` of Scala.
                    let in_string = || {
                        let mut strings = file.source.strings.iter();
                        let (_, text) =
                            strings.find(|(place, _)| (after..after + 8).contains(place))?;
                        port(text)
                    };
                    let value = number.or_else(in_string)?;
                    Some(Fact {
                        value,
                        file: file.path.clone(),
                        line: file.source.line(at),
                    })
                })
            })
        })
    }

    /// Whether the port comes from the environment.
    pub(in crate::detect::providers) fn reads_port(&self) -> bool {
        let mut strings = self.files.iter().flat_map(|file| &file.source.strings);
        strings.any(|(_, text)| text == "PORT")
    }

    pub(in crate::detect::providers) fn health(&self) -> Option<Fact<String>> {
        source::health(&self.files)
    }

    /// Where `word` stands as code.
    pub(super) fn find(&self, word: &str) -> Option<Fact<String>> {
        self.files.iter().find_map(|file| {
            let at = file.source.find(word)?;
            Some(Fact {
                value: word.to_owned(),
                file: file.path.clone(),
                line: file.source.line(at),
            })
        })
    }
}

/// The full name of the class whose main method a file holds.
fn main_class(file: &File) -> Option<Fact<String>> {
    let name = split(&file.path).1;
    let (stem, extension) = name.rsplit_once('.')?;
    let source = &file.source;
    let (at, class) = match extension {
        "java" | "groovy" => (source.find("static void main(")?, stem.to_owned()),
        "kt" => kotlin_main(file, stem)?,
        "scala" => scala_main(file)?,
        _ => return None,
    };
    let package = source
        .code
        .lines()
        .find_map(|line| line.trim().strip_prefix("package "));
    let package = package.map(|name| name.trim().trim_end_matches(';').trim());
    let value = match package {
        Some(package) if !package.is_empty() => format!("{package}.{class}"),
        _ => class,
    };
    Some(Fact {
        value,
        file: file.path.clone(),
        line: source.line(at),
    })
}

/// A top-level `main`, whose class is named after the file, or one in an object.
fn kotlin_main(file: &File, stem: &str) -> Option<(usize, String)> {
    let source = &file.source;
    let at = ["fun main(", "suspend fun main("]
        .iter()
        .find_map(|call| source.find(call))?;
    let line = &source.code[source.code[..at].rfind('\n').map_or(0, |at| at + 1)..at];
    if line.starts_with([' ', '\t']) {
        let object = source.code[..at].rfind("object ")?;
        let name = source.code[object + 7..]
            .split(|c: char| !c.is_alphanumeric())
            .next()?;
        return (!name.is_empty()).then(|| (at, name.to_owned()));
    }
    if let Some(renamed) = source.find("@file:JvmName(")
        && let Some(name) = source.string_at(renamed + "@file:JvmName(".len())
    {
        return Some((at, name.to_owned()));
    }
    let mut letters = stem.chars();
    let first = letters.next()?.to_ascii_uppercase();
    Some((at, format!("{first}{}Kt", letters.as_str())))
}

/// The objects of a file that are looked at.
const MOST: usize = 2000;

/// `@main def run`, `object Main extends App`, or an object with a main method.
fn scala_main(file: &File) -> Option<(usize, String)> {
    let source = &file.source;
    let word = |at: usize| -> Option<String> {
        let rest = source.code[at..].trim_start();
        let name = rest
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .next()?;
        (!name.is_empty()).then(|| name.to_owned())
    };
    if let Some(at) = source
        .find("@main def ")
        .or_else(|| source.code.find("@main def "))
    {
        return Some((at, word(at + "@main def ".len())?));
    }
    let main = source.find("def main(").unwrap_or(0);
    let is_app = |at: &usize| {
        let head = source.code[*at..].chars().take(200);
        let head: String = head
            .take_while(|c| !matches!(c, '{' | ':' | '\n'))
            .collect();
        let apps = ["extends App", "extends IOApp", "extends ZIOAppDefault"];
        apps.iter().any(|text| head.contains(text))
    };
    // The method belongs to the object that stands right before it.
    let holder = || source.all("object ").take_while(|at| *at < main).last();
    let at = source
        .all("object ")
        .take(MOST)
        .find(is_app)
        .or_else(holder)?;
    Some((at, word(at + "object ".len())?))
}
