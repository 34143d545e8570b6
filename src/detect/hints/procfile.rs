//! Procfiles of programs: their lines name what was built, and with which arguments it is run.

use std::collections::BTreeMap;

use crate::detect::explain::{Candidate, Evidence};
use crate::detect::provider::{Draft, Scan};
use crate::detect::source::Fact;
use crate::detect::start;
use crate::spec::Kind;

use super::Hints;

/// The port that a line is given for `$PORT` where nothing else is known.
const PORT: u16 = 8080;

/// One line as arguments behind the program.
struct Line<'h> {
    name: &'h str,
    fact: &'h Fact<String>,
    program: String,
    arguments: Vec<start::Word>,
    env: BTreeMap<String, start::Word>,
}

/// Gives the lines for a directory to those of its apps whose program they run; interpreters' languages read theirs themselves.
pub(super) fn apply(scan: &mut Scan<'_>, drafts: &[usize], hints: &Hints) {
    let drafts: Vec<usize> = drafts
        .iter()
        .copied()
        .filter(|at| program(&scan.drafts[*at]).is_some())
        .collect();
    if drafts.is_empty() {
        return;
    }
    let mut lines: BTreeMap<usize, Vec<Line<'_>>> = BTreeMap::new();
    for (name, fact) in &hints.processes {
        let taken = read(name, fact).and_then(|line| {
            let mut drafts = drafts.iter();
            let runs = |at: &&usize| program(&scan.drafts[**at]) == Some(&line.program);
            match drafts.find(runs) {
                Some(at) => Ok((*at, line)),
                None => Err(format!("`{}` is not what the build makes", line.program)),
            }
        });
        match taken {
            Ok((at, line)) => lines.entry(at).or_default().push(line),
            Err(why) => {
                let message = format!("the process `{name}` is left out: {why}");
                scan.warn(&fact.file, Some(fact.line), message);
            }
        }
    }
    for (at, lines) in lines {
        let is = |name: &str| lines.iter().position(|line| line.name == name);
        let main = is("web").or_else(|| is("worker"));
        let main = main.or((lines.len() == 1).then_some(0));
        for (number, line) in lines.iter().enumerate() {
            let draft = &mut scan.drafts[at];
            if let Err(why) = run(draft, line, main == Some(number)) {
                let message = format!("the process `{}` is left out: {why}", line.name);
                scan.warn(&line.fact.file, Some(line.fact.line), message);
            }
        }
    }
}

/// The name of the program that an app is, where it is one of its own and no file for an interpreter.
fn program(draft: &Draft) -> Option<&str> {
    let path = draft.spec.runtime.command.first()?;
    let below = path.strip_prefix("/app/")?;
    let is_own = draft.refusal.is_none() && !below.starts_with(['.', '/']);
    let is_release = draft
        .evidence
        .iter()
        .any(|found| found.rule == "beam.release");
    (is_own && !is_release).then(|| below.rsplit('/').next().unwrap_or(below))
}

fn read<'h>(name: &'h str, fact: &'h Fact<String>) -> Result<Line<'h>, String> {
    let commands = start::parse(&fact.value).map_err(|refusal| refusal.to_string())?;
    let [command] = commands.as_slice() else {
        return Err("it is more than one command, which needs a shell".to_owned());
    };
    if command.directory.is_some() {
        return Err("it runs in another directory".to_owned());
    }
    let words = command.words.split_first();
    let (first, arguments) = words.ok_or_else(|| "it is an empty command".to_owned())?;
    let first = first
        .literal()
        .ok_or_else(|| "its program is computed".to_owned())?;
    Ok(Line {
        name,
        fact,
        program: first.rsplit('/').next().unwrap_or(&first).to_owned(),
        arguments: arguments.to_vec(),
        env: command.env.clone(),
    })
}

/// Starts an app as a line says, or adds the line as a process beside it.
fn run(draft: &mut Draft, line: &Line<'_>, is_main: bool) -> Result<(), String> {
    let runtime = &draft.spec.runtime;
    let port = runtime.ports.first().copied().unwrap_or(PORT);
    let value = |name: &str| (name == "PORT").then(|| port.to_string());
    let expand = |word: &start::Word| word.expand(&value).map_err(|refusal| refusal.to_string());
    let mut argv: Vec<String> = runtime.command.iter().take(1).cloned().collect();
    for word in &line.arguments {
        argv.push(expand(word)?);
    }
    let mut env = BTreeMap::new();
    for (name, word) in &line.env {
        let value = expand(word)?;
        if runtime.env.get(name).is_some_and(|known| *known != value) {
            return Err(format!("it sets `{name}` to another value"));
        }
        env.insert(name.clone(), value);
    }
    draft.spec.runtime.env.extend(env);
    let Fact { file, line: at, .. } = line.fact;
    if !is_main {
        let found = Evidence::new("process", line.name, "start.procfile");
        draft.evidence.push(found.at(file, Some(*at)));
        let processes = &mut draft.spec.runtime.processes;
        processes.insert(line.name.to_owned(), argv);
        return Ok(());
    }
    let mut found = Evidence::new("start", &line.fact.value, "start.procfile").at(file, Some(*at));
    let before = std::mem::replace(&mut draft.spec.runtime.command, argv);
    if before != draft.spec.runtime.command {
        found.losing.push(Candidate {
            value: before.join(" "),
            file: None,
            line: None,
            reason: "the Procfile says how it is run".to_owned(),
        });
    }
    draft.evidence.push(found);
    if line.name == "web" && draft.spec.metadata.kind != Some(Kind::Web) {
        draft.spec.metadata.kind = Some(Kind::Web);
        draft.evidence.retain(|found| found.field != "kind");
        draft.is_so("start.procfile", Some((file, Some(*at), "web")));
    }
    if line.name == "web" && draft.spec.runtime.ports.is_empty() {
        draft.is_given_port(PORT);
    }
    Ok(())
}
