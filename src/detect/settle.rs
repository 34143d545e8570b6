//! What is done with every app once all rules have spoken: no text of a repository brings a value that a spec must not hold.

use crate::spec::{self, Spec};

use super::explain::Severity;
use super::provider::{Draft, Problem, Scan};
use super::repo::{join, resolve};

/// Gives paths that lead through `..` their plain form, and refuses the apps whose specs nobody could build.
pub(super) fn settle(scan: &mut Scan<'_>) {
    let mut warnings = Vec::new();
    for draft in &mut scan.drafts {
        let path = draft.path.clone();
        plain(&mut draft.spec, &path);
        if draft.refusal.is_none() {
            warnings.extend(without_health(draft));
            draft.refusal = refusal(draft);
        }
    }
    for (file, line, message) in warnings {
        scan.tell(Severity::Warning, &file, line, message, None);
    }
}

/// The repository is at `/src` when an app is built; its own directory is where relative paths start.
fn plain(spec: &mut Spec, dir: &str) {
    let copies = spec.runtime.copy.iter_mut().map(|copy| &mut copy.from);
    for path in copies.chain(&mut spec.build.cache) {
        if !path.split('/').any(|part| part == "..") {
            continue;
        }
        let full = match path.strip_prefix("/src/") {
            Some(below) => resolve("", below),
            None => resolve(dir, path),
        };
        if let Some(full) = full.filter(|full| !full.is_empty()) {
            *path = join("/src", &full);
        }
    }
}

/// Takes back a route that no request can name.
fn without_health(draft: &mut Draft) -> Option<(String, Option<u64>, String)> {
    let (key, value, reason) =
        spec::fault(&draft.spec).filter(|(key, ..)| *key == "runtime.health")?;
    draft.spec.runtime.health = None;
    let at = draft
        .evidence
        .iter()
        .position(|found| found.field == "health");
    let found = at.map(|at| draft.evidence.remove(at))?;
    let message = format!("`{key}` would be `{value}`, which is no route: {reason}");
    Some((found.file.unwrap_or_default(), found.line, message))
}

fn refusal(draft: &Draft) -> Option<Problem> {
    let (key, value, reason) = spec::fault(&draft.spec)?;
    let says = |text: &str| !text.is_empty() && value.contains(text);
    let mut placed = draft.evidence.iter().filter(|found| found.file.is_some());
    let place = placed
        .clone()
        .find(|found| says(&found.value) || found.written.as_deref().is_some_and(says))
        .or_else(|| placed.next());
    let (file, line) = place.map_or((draft.path.clone(), None), |found| {
        (found.file.clone().unwrap_or_default(), found.line)
    });
    let value: String = value.chars().take(200).collect();
    let message = format!("`{key}` would hold `{value}`: {reason}");
    let help = "write a plain name there, or describe the app in `peelbox.yaml`";
    Some(Problem::new(&file, line, message).help(help))
}
