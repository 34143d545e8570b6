//! How a Ruby app is started: through the interpreter, in exec form.
//!
//! `bundle exec` runs a program found in `PATH` by its first line, which wants `env`, and the image has none. So programs
//! of gems are run by the interpreter itself, with `-rbundler/setup`, from the directory where Bundler puts them.

use std::collections::BTreeMap;

use crate::detect::explain::Evidence;
use crate::detect::repo::join;
use crate::detect::source::{Fact, Family, Source};
use crate::detect::start::{self, Word};

use super::{Kind, Project, Scan};

pub(super) const RUBY: &str = "/usr/bin/ruby";

/// Where the programs of the installed gems are.
pub(super) const PROGRAMS: &str = "/usr/local/bundle/bin";

/// What runs an app.
pub(super) struct Start {
    pub(super) kind: Kind,
    pub(super) command: Vec<String>,
    pub(super) port: Option<Fact<u16>>,
    /// The default of what is started, where nothing names a port.
    pub(super) usual_port: u16,
    pub(super) evidence: Evidence,
    pub(super) reason: String,
    pub(super) confidence: u8,
}

/// Programs that reload, watch or bundle others, and are for development.
const DEVELOPMENT: &[&str] = &[
    "bin/dev", "foreman", "guard", "overmind", "rerun", "shotgun", "spring",
];

/// Servers for Rack apps, best first: the gem, its port, and its arguments before and after the address.
const SERVERS: &[(&str, &str, u16, &[&str])] = &[
    ("puma", "puma", 9292, &["-b", "tcp://0.0.0.0:{port}"]),
    (
        "falcon",
        "falcon",
        9292,
        &["serve", "--bind", "http://0.0.0.0:{port}"],
    ),
    ("unicorn", "unicorn", 8080, &["-l", "0.0.0.0:{port}"]),
    (
        "thin",
        "thin",
        3000,
        &["start", "-a", "0.0.0.0", "-p", "{port}"],
    ),
    (
        "webrick",
        "rackup",
        9292,
        &["-s", "webrick", "-o", "0.0.0.0", "-p", "{port}"],
    ),
];

/// Finds what starts the app: nothing is no app, an error is one that cannot be started.
pub(super) fn find(scan: &mut Scan<'_>, project: &Project) -> Result<Option<Start>, Unstartable> {
    let hints = scan.hints(&project.dir);
    if let Some(line) = hints.processes.get("web") {
        return from_procfile(scan, project, line, "web").map(Some);
    }
    let dir = &project.dir;
    let is_rails = project.framework.is_some_and(|name| name == "rails");
    if is_rails && scan.repo.has(&join(dir, "config/application.rb")) {
        return rails(scan, project).map(Some);
    }
    if scan.repo.has(&join(dir, "config.ru")) {
        return rack(scan, project).map(Some);
    }
    if let Some(found) = script(scan, project) {
        return Ok(Some(found));
    }
    let only = hints.processes.iter().find(|(name, _)| *name != "release");
    match only {
        Some((name, line)) => from_procfile(scan, project, line, name).map(Some),
        None => Ok(None),
    }
}

/// Why an app cannot be started.
pub(super) struct Unstartable {
    pub(super) file: String,
    pub(super) line: Option<u64>,
    pub(super) reason: String,
    pub(super) help: &'static str,
}

fn from_procfile(
    scan: &Scan<'_>,
    project: &Project,
    line: &Fact<String>,
    name: &str,
) -> Result<Start, Unstartable> {
    let named = line
        .value
        .split([' ', '\'', '"'])
        .find(|word| word.ends_with(".rb"));
    let program = named.map(|name| join(&project.dir, name));
    let program = program.filter(|file| !file.ends_with("config/puma.rb"));
    let config = match program.and_then(|file| Some((scan.repo.text(&file).ok()?, file))) {
        Some((text, file)) => beside_port(&Source::parse(&text, Family::Ruby), &file),
        None => puma_port(scan, project),
    };
    let usual_port = usual_port(project);
    let port = config.as_ref().map_or(usual_port, |port| port.value);
    let command = resolve(scan, project, &line.value, port).map_err(|reason| Unstartable {
        file: line.file.clone(),
        line: Some(line.line),
        reason,
        help: "name one program there that runs without a shell",
    })?;
    let found = Evidence::new("start", command.join(" "), "hint.procfile");
    Ok(Start {
        kind: if name == "web" {
            Kind::Web
        } else {
            Kind::Worker
        },
        evidence: found.written(&line.value).at(&line.file, Some(line.line)),
        reason: format!(
            "`{}` line {} names its process `{name}`",
            line.file, line.line
        ),
        command,
        port: config,
        usual_port,
        confidence: 95,
    })
}

fn usual_port(project: &Project) -> u16 {
    match project.framework {
        Some("rails") => 3000,
        Some("hanami") => 2300,
        Some("sinatra") if !project.has_rackup => 4567,
        _ => 9292,
    }
}

fn rails(scan: &Scan<'_>, project: &Project) -> Result<Start, Unstartable> {
    let application = join(&project.dir, "config/application.rb");
    let port = puma_port(scan, project);
    let has_config = scan.repo.has(&join(&project.dir, "config/puma.rb"));
    let puma = project.gem("puma");
    let (command, evidence) = match puma {
        Some(gem) => {
            let config = ["-C", "config/puma.rb"].map(str::to_owned).to_vec();
            let address = ["-b", "tcp://0.0.0.0:3000"].map(str::to_owned).to_vec();
            let rest = if has_config { config } else { address };
            (
                program("puma", rest),
                placed(Evidence::new("start", "puma", "ruby.rails-puma"), gem),
            )
        }
        None if scan.repo.has(&join(&project.dir, "bin/rails")) => {
            let words = ["/app/bin/rails", "server", "-b", "0.0.0.0"];
            let command = std::iter::once(RUBY)
                .chain(words)
                .map(str::to_owned)
                .collect();
            let found = Evidence::new("start", "rails server", "ruby.rails-server");
            (command, found.at(&join(&project.dir, "bin/rails"), None))
        }
        None => {
            return Err(Unstartable {
                file: application,
                line: None,
                reason: "has no server: neither the gem `puma` nor `bin/rails` is there".to_owned(),
                help: "add the gem `puma`",
            });
        }
    };
    Ok(Start {
        kind: Kind::Web,
        command,
        port,
        usual_port: 3000,
        evidence,
        reason: format!("`{application}` is a Rails app"),
        confidence: 95,
    })
}

fn rack(scan: &Scan<'_>, project: &Project) -> Result<Start, Unstartable> {
    let file = join(&project.dir, "config.ru");
    let found = SERVERS
        .iter()
        .find_map(|server| Some((server, project.gem(server.0)?)));
    let Some(((_, name, usual, arguments), gem)) = found else {
        return Err(Unstartable {
            file,
            line: None,
            reason:
                "has no server: none of the gems puma, falcon, unicorn, thin and webrick is there"
                    .to_owned(),
            help: "add the gem `puma`",
        });
    };
    let usual_port = match usual_port(project) {
        9292 => *usual,
        other => other,
    };
    let port = puma_port(scan, project).filter(|_| *name == "puma");
    let config = join(&project.dir, &format!("config/{name}.rb"));
    let arguments: Vec<String> = if *name == "puma" && scan.repo.has(&config) {
        vec!["-C".to_owned(), "config/puma.rb".to_owned()]
    } else if *name == "unicorn" && scan.repo.has(&config) {
        vec!["-c".to_owned(), "config/unicorn.rb".to_owned()]
    } else {
        let number = usual_port.to_string();
        arguments
            .iter()
            .map(|word| word.replace("{port}", &number))
            .collect()
    };
    let evidence = placed(Evidence::new("start", *name, "ruby.rack-server"), gem);
    Ok(Start {
        kind: Kind::Web,
        command: program(name, arguments),
        port,
        usual_port,
        evidence,
        reason: format!("`{file}` is a Rack app"),
        confidence: 90,
    })
}

/// The one program of an app without `config.ru`, where it listens or is a worker.
fn script(scan: &Scan<'_>, project: &Project) -> Option<Start> {
    let dir = scan.repo.dir(&project.dir)?;
    let name = dir.first(&["app.rb", "main.rb", "server.rb", "bot.rb", "worker.rb"])?;
    let file = dir.join(name);
    let text = dir.text(name).ok()?;
    let source = Source::parse(&text, Family::Ruby);
    let classic = source
        .strings
        .iter()
        .find(|(at, text)| text == "sinatra" && source.code[..*at].trim_end().ends_with("require"));
    let listens = [
        "TCPServer.new",
        "HTTPServer.new",
        "Rackup::Server",
        "Puma::Server",
    ]
    .iter()
    .find_map(|call| Some((*call, source.find(call)?)));
    let (kind, written, at) = match (classic, listens) {
        (Some((at, _)), _) => (Kind::Web, "sinatra", *at),
        (None, Some((call, at))) => (Kind::Web, call, at),
        (None, None) if name.starts_with("app") => return None,
        (None, None) => (Kind::Worker, "", 0),
    };
    let evidence = Evidence::new("start", name, "ruby.script");
    let evidence = if written.is_empty() {
        evidence.at(&file, None)
    } else {
        evidence.written(written).at(&file, Some(source.line(at)))
    };
    let port = beside_port(&source, &file).or_else(|| set_port(&source, &file));
    let mut command = vec![RUBY.to_owned()];
    command.extend(
        project
            .gemfile
            .as_ref()
            .map(|_| "-rbundler/setup".to_owned()),
    );
    command.push(format!("/app/{name}"));
    Some(Start {
        kind,
        command,
        port,
        usual_port: usual_port(project),
        evidence,
        reason: format!("`{file}` is its program"),
        confidence: 75,
    })
}

/// The port that Puma's configuration names.
fn puma_port(scan: &Scan<'_>, project: &Project) -> Option<Fact<u16>> {
    let file = join(&project.dir, "config/puma.rb");
    let text = scan.repo.text(&file).ok()?;
    let source = Source::parse(&text, Family::Ruby);
    beside_port(&source, &file).or_else(|| {
        let at = source.find("port ")?;
        number(&source, at + "port ".len(), &file)
    })
}

/// The default beside a read of `PORT`: `ENV.fetch("PORT", 3000)`, `ENV.fetch("PORT") { 3000 }`, `ENV["PORT"] || "3000"`.
fn beside_port(source: &Source, file: &str) -> Option<Fact<u16>> {
    let mut strings = source.strings.iter();
    let (at, _) = strings.find(|(_, text)| text == "PORT")?;
    let line = source.line(*at);
    let text = strings
        .next()
        .filter(|(place, _)| source.line(*place) == line)
        .and_then(|(_, text)| crate::detect::source::port(text));
    match text {
        Some(value) => Some(Fact {
            value,
            line,
            file: file.to_owned(),
        }),
        None => number(source, at + "\"PORT\"".len(), file),
    }
}

/// The port that an app of Sinatra gives itself: `set :port, 8080`.
fn set_port(source: &Source, file: &str) -> Option<Fact<u16>> {
    let at = source.find("set :port,")?;
    number(source, at + "set :port,".len(), file)
}

/// The first number from `at` on, on the same line.
fn number(source: &Source, at: usize, file: &str) -> Option<Fact<u16>> {
    let rest = source.code.get(at..)?.split('\n').next()?;
    let start = rest.find(|c: char| c.is_ascii_digit())?;
    let digits = rest[start..].split(|c: char| !c.is_ascii_digit()).next()?;
    Some(Fact {
        value: crate::detect::source::port(digits)?,
        line: source.line(at),
        file: file.to_owned(),
    })
}

/// The same evidence at the place of a gem.
fn placed(found: Evidence, gem: Evidence) -> Evidence {
    Evidence {
        file: gem.file,
        line: gem.line,
        written: gem.written,
        ..found
    }
}

/// The program of a gem.
fn program(name: &str, arguments: Vec<String>) -> Vec<String> {
    let mut argv = vec![
        RUBY.to_owned(),
        "-rbundler/setup".to_owned(),
        format!("{PROGRAMS}/{name}"),
    ];
    argv.extend(arguments);
    argv
}

/// A line of a Procfile as the image can run it.
pub(super) fn resolve(
    scan: &Scan<'_>,
    project: &Project,
    line: &str,
    port: u16,
) -> Result<Vec<String>, String> {
    let commands = start::parse(line).map_err(|refusal| refusal.to_string())?;
    let [command] = commands.as_slice() else {
        return Err(format!("`{line}` is more than one command"));
    };
    let known: BTreeMap<&str, String> = [
        ("PORT", port.to_string()),
        ("RACK_ENV", "production".to_owned()),
        ("RAILS_ENV", "production".to_owned()),
    ]
    .into();
    let words = without_port(&command.words);
    let words: Result<Vec<String>, _> = words
        .iter()
        .map(|word| word.expand(&|name| known.get(name).cloned()))
        .collect();
    let mut words = words.map_err(|refusal| refusal.to_string())?;
    if words.starts_with(&["bundle".to_owned(), "exec".to_owned()]) {
        words.drain(..2);
    }
    let Some((first, arguments)) = words.split_first() else {
        return Err("it is empty".to_owned());
    };
    let name = first.trim_start_matches("./");
    if DEVELOPMENT.contains(&name) {
        return Err(format!("`{name}` is for development"));
    }
    let arguments = arguments.to_vec();
    if name == "ruby" {
        let mut argv = vec![RUBY.to_owned(), "-rbundler/setup".to_owned()];
        argv.extend(arguments);
        return Ok(argv);
    }
    // The app's own programs come before those of gems.
    let own = if name.contains('/') {
        name.to_owned()
    } else {
        format!("bin/{name}")
    };
    let file = join(&project.dir, &own);
    if let Ok(text) = scan.repo.text(&file) {
        if !text
            .lines()
            .next()
            .is_some_and(|line| line.contains("ruby"))
        {
            return Err(format!(
                "`{own}` is no program of Ruby, and the image has no shell"
            ));
        }
        let mut argv = vec![RUBY.to_owned(), format!("/app/{own}")];
        argv.extend(arguments);
        return Ok(argv);
    }
    if name.contains('/') {
        return Err(format!("`{name}` does not exist"));
    }
    if project.gemfile.is_none() {
        return Err(format!("`{name}` is not in the image"));
    }
    Ok(program(name, arguments))
}

/// `-p $PORT` of `rails server`, which reads `PORT` itself, is left out.
fn without_port(words: &[Word]) -> Vec<Word> {
    let literals: Vec<Option<String>> = words.iter().map(Word::literal).collect();
    let has = |text: &str| {
        literals
            .iter()
            .any(|word| word.as_deref().is_some_and(|w| w.ends_with(text)))
    };
    let is_rails =
        has("rails") && (has("server") || literals.iter().any(|word| word.as_deref() == Some("s")));
    let mut kept = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let is_flag = matches!(word.literal().as_deref(), Some("-p" | "--port"));
        if is_rails && is_flag && words.peek().is_some_and(|next| next.literal().is_none()) {
            words.next();
            continue;
        }
        kept.push(word.clone());
    }
    kept
}
