//! What becomes of the hints once every language has looked.

use crate::detect::explain::{Candidate, Evidence};
use crate::detect::provider::{Draft, Scan, shown};
use crate::detect::repo::{is_within, split, upwards};
use crate::detect::slug;
use crate::detect::source::Fact;
use crate::spec::{Health, Kind};

use super::{Gathered, Hints, place, procfile};

/// Gives the apps what only hints know of them, and says where hints and apps contradict each other.
pub(crate) fn apply(scan: &mut Scan<'_>, gathered: &Gathered) {
    for (file, line, message) in &gathered.warnings {
        scan.warn(file, *line, message.clone());
    }
    let mut all = gathered.hints.clone();
    for workload in &gathered.workloads {
        if let Some(dir) = owner(&scan.drafts, &workload.names) {
            let mut hints = workload.hints.clone();
            hints.add(all.remove(&dir).unwrap_or_default());
            all.insert(dir, hints);
        }
    }
    for (dir, hints) in &all {
        let drafts = drafts_at(&scan.drafts, dir);
        procfile::apply(scan, &drafts, hints);
        match drafts.as_slice() {
            [one] => {
                let mut warnings = Vec::new();
                Applied {
                    draft: &mut scan.drafts[*one],
                    hints,
                    warnings: &mut warnings,
                }
                .all();
                for (file, line, message) in warnings {
                    scan.warn(&file, line, message);
                }
            }
            [] => unclaimed(scan, dir, hints),
            // What is said of a directory with several apps is said of none of them.
            _ => {}
        }
    }
}

/// The directory of the only app that is known by the best of `names`.
fn owner(drafts: &[Draft], names: &[String]) -> Option<String> {
    names.iter().map(|name| slug(name)).find_map(|name| {
        let mut found = drafts.iter().filter(|draft| {
            let known = [
                draft.fallback.as_deref(),
                draft.target.as_deref(),
                Some(split(&draft.path).1),
            ];
            let mut known = known.into_iter().flatten();
            !name.is_empty() && known.any(|known| slug(known) == name)
        });
        let first = found.next()?;
        found.next().is_none().then(|| first.path.clone())
    })
}

/// The apps that hints for a directory are about: those in it, those whose entry is there, else the only one below it.
fn drafts_at(drafts: &[Draft], dir: &str) -> Vec<usize> {
    let those = |is_one: &dyn Fn(&Draft) -> bool| -> Vec<usize> {
        let all = drafts.iter().enumerate();
        all.filter(|(_, draft)| is_one(draft))
            .map(|(at, _)| at)
            .collect()
    };
    let entered = |draft: &Draft| {
        let mut entries = draft.evidence.iter().filter(|found| found.field == "entry");
        entries.any(|found| {
            let file = found.file.as_deref().unwrap_or_default();
            split(file).0 == dir
        })
    };
    for found in [
        those(&|draft| draft.path == dir),
        those(&entered),
        those(&|draft| is_within(&draft.path, dir)),
    ] {
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// Says that others take a directory for an app, where no language does.
fn unclaimed(scan: &mut Scan<'_>, dir: &str, hints: &Hints) {
    let Some(named) = hints.named.first() else {
        return;
    };
    let is_part = upwards(dir).any(|above| scan.claims.contains_key(above))
        || (!dir.is_empty()
            && scan
                .drafts
                .iter()
                .any(|draft| !draft.path.is_empty() && is_within(dir, &draft.path)));
    if is_part {
        return;
    }
    let at = place(&named.file, named.line);
    let rejected = scan
        .rejected
        .iter()
        .find(|rejected| rejected.path == shown(dir));
    let Some(rejected) = rejected else {
        let reason = format!(
            "{} in {at} makes an app of it, and no language knows it",
            named.value
        );
        scan.reject(dir, "an app", reason);
        return;
    };
    let is_deployed = hints.named.iter().find(|named| {
        let name = split(&named.file).1;
        !super::docker::is_file(name) && name != "Procfile"
    });
    if let Some(named) = is_deployed.cloned() {
        let message = format!(
            "{} is built from `{}`, which is taken for no app: {}",
            named.value,
            shown(dir),
            rejected.reason
        );
        let line = (named.line > 0).then_some(named.line);
        scan.warn(&named.file, line, message);
    }
}

/// Hints on their way into a draft.
struct Applied<'a> {
    draft: &'a mut Draft,
    hints: &'a Hints,
    warnings: &'a mut Vec<(String, Option<u64>, String)>,
}

fn found<T>(field: &str, value: String, rule: &str, fact: &Fact<T>) -> Evidence {
    let line = (fact.line > 0).then_some(fact.line);
    Evidence::new(field, value, rule).at(&fact.file, line)
}

impl Applied<'_> {
    fn all(&mut self) {
        self.port();
        self.kind();
        self.health();
        self.environment();
        let has_start = self.draft.evidence.iter().any(|e| e.field == "start");
        if self.draft.refusal.is_some()
            && !has_start
            && let Some(command) = self.hints.commands.first()
        {
            let words = shlex::split(&command.value).unwrap_or_default();
            let start = found("start", command.value.clone(), "start.hint", command);
            let start = start.note("what another file runs; it is not taken over");
            let first = words.into_iter().next().unwrap_or_default();
            self.draft.evidence.push(start.written(first));
        }
    }

    fn port(&mut self) {
        let kind = self.draft.spec.metadata.kind;
        let Some(best) = self.hints.ports.first() else {
            return;
        };
        let runtime = &mut self.draft.spec.runtime;
        let known = runtime.ports.clone();
        let is_known = |port: &&Fact<u16>| known.contains(&port.value);
        let given = self
            .draft
            .evidence
            .iter()
            .position(|found| found.field == "port" && found.rule == "port.default");
        match (kind, known.first()) {
            (Some(Kind::Static | Kind::Cli), _) => {}
            (_, None) => {
                runtime.ports = vec![best.value];
                let evidence = self.hinted(best);
                self.draft.evidence.push(evidence);
            }
            _ if self.hints.ports.iter().any(|port| is_known(&port)) => {}
            // The app reads PORT, and the value was only a habit.
            (_, Some(old))
                if given.is_some() && runtime.env.get("PORT") == Some(&old.to_string()) =>
            {
                runtime.ports = vec![best.value];
                runtime
                    .env
                    .insert("PORT".to_owned(), best.value.to_string());
                let mut evidence = self.hinted(best);
                evidence.losing.push(Candidate {
                    value: old.to_string(),
                    file: None,
                    line: None,
                    reason: "it is only the usual one".to_owned(),
                });
                if let Some(at) = given {
                    self.draft.evidence[at] = evidence;
                }
            }
            (_, Some(_)) => self.contradicted(&known),
        }
    }

    /// The evidence for a port that hints name.
    fn hinted(&self, best: &Fact<u16>) -> Evidence {
        let mut evidence = found("port", best.value.to_string(), "port.hint", best);
        let others = self.hints.ports.iter().skip(1);
        evidence.losing = others
            .filter(|other| other.file != best.file)
            .map(|other| candidate(other, "a source of higher rank wins"))
            .collect();
        evidence
    }

    fn contradicted(&mut self, known: &[u16]) {
        let listens: Vec<String> = known.iter().map(u16::to_string).collect();
        let evidence = self.draft.evidence.iter_mut();
        let mut evidence = evidence.filter(|found| found.field == "port");
        let evidence = evidence.next();
        let by = evidence.as_ref().and_then(|found| {
            let file = found.file.as_deref()?;
            Some(format!(
                " by {}",
                place(file, found.line.unwrap_or_default())
            ))
        });
        let by = by.unwrap_or_else(|| " by default".to_owned());
        let mut losing = Vec::new();
        let mut files: Vec<&str> = Vec::new();
        for port in &self.hints.ports {
            losing.push(candidate(port, "the app itself says otherwise"));
            if files.contains(&port.file.as_str()) {
                continue;
            }
            files.push(&port.file);
            let message = format!(
                "says port {}, but the app in `{}` listens on {}{by}",
                port.value,
                shown(&self.draft.path),
                listens.join(", ")
            );
            let line = (port.line > 0).then_some(port.line);
            self.warnings.push((port.file.clone(), line, message));
        }
        if let Some(evidence) = evidence {
            evidence.losing.extend(losing);
        }
    }

    /// A program that listens in a way that no rule knows is told by who speaks HTTP with it.
    fn kind(&mut self) {
        if let Some(web) = &self.hints.web
            && self.draft.spec.metadata.kind == Some(Kind::Worker)
            && !self.draft.spec.runtime.ports.is_empty()
        {
            self.draft.spec.metadata.kind = Some(Kind::Web);
            self.draft.evidence.retain(|found| found.field != "kind");
            let kind = found("kind", "web".to_owned(), "kind.hint", web);
            self.draft.evidence.push(kind.written(&web.value));
        }
    }

    fn health(&mut self) {
        let runtime = &mut self.draft.spec.runtime;
        let is_asked = self
            .hints
            .health_port
            .is_none_or(|port| runtime.ports.contains(&port));
        if let Some(health) = &self.hints.health
            && runtime.health.is_none()
            && is_asked
            && !runtime.ports.is_empty()
            && self.draft.spec.metadata.kind == Some(Kind::Web)
        {
            let endpoint = health.value.clone();
            let evidence = found("health", endpoint.clone(), "health.hint", health);
            runtime.health = Some(Health { endpoint });
            self.draft.evidence.push(evidence);
        }
    }

    /// The variables that others give the app, and this spec does not.
    fn environment(&mut self) {
        if self.draft.spec.metadata.kind == Some(Kind::Static) {
            return;
        }
        for (name, fact) in self.hints.environment.iter().take(100) {
            if !self.draft.spec.runtime.env.contains_key(name) {
                let expected = found("environment", name.clone(), "environment.hint", fact);
                self.draft.evidence.push(expected);
            }
        }
    }
}

fn candidate(port: &Fact<u16>, reason: &str) -> Candidate {
    Candidate {
        value: port.value.to_string(),
        file: Some(port.file.clone()),
        line: (port.line > 0).then_some(port.line),
        reason: reason.to_owned(),
    }
}
