//! What a language's rules see of a repository, and what they leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::rc::Rc;
use std::sync::OnceLock;

use crate::spec::{Health, Kind, Metadata, Spec};

use super::catalog::Catalog;
use super::document::{Document, Syntax};
use super::explain::{Diagnostic, Evidence, Rejected, Severity};
use super::hints::{self, Gathered, Hints};
use super::language::Language;
use super::overrides::Asked;
use super::providers;
use super::repo::{Dir, Repo, is_within};
use super::source::Fact;
use super::version::{Chosen, Source, Tool, Unavailable};
use super::workspace::Workspace;
use super::xml::Element;

/// The rules for one language.
pub(crate) trait Provider: Sync {
    /// What the rules are for.
    fn language(&self) -> &'static Language;

    /// Whether they depend on what others found or claimed; such a language comes behind all that do not.
    fn looks_at_others(&self) -> bool {
        false
    }

    /// Adds every app of the language, and every directory that only looks like one.
    fn detect(&self, scan: &mut Scan<'_>);
}

/// An app before it has its name.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// The app's directory; empty for the root.
    pub(crate) path: String,
    /// The directory it is named after, where that is another one.
    pub(crate) named_after: Option<String>,
    /// The target in it, where a directory can hold several.
    pub(crate) target: Option<String>,
    /// The name for an app at the root, where the path gives none.
    pub(crate) fallback: Option<String>,
    pub(crate) spec: Spec,
    pub(crate) evidence: Vec<Evidence>,
    /// Why it cannot be built, although it is an app: its spec is what is known of it.
    pub(crate) refusal: Option<Problem>,
}

impl Draft {
    /// A draft with nothing but what it is.
    pub(crate) fn new(path: &str, kind: Kind, language: &str, build_system: &str) -> Self {
        let metadata = Metadata {
            project_name: String::new(),
            path: shown(path).to_owned(),
            kind: Some(kind),
            language: Some(language.to_owned()),
            build_system: Some(build_system.to_owned()),
            framework: None,
            confidence: None,
            reasoning: None,
        };
        let spec = Spec {
            version: "1.0".to_owned(),
            metadata,
            build: crate::spec::Build::default(),
            runtime: crate::spec::Runtime::default(),
        };
        Self {
            path: path.to_owned(),
            named_after: None,
            target: None,
            fallback: None,
            spec,
            evidence: Vec::new(),
            refusal: None,
        }
    }

    /// Says why the app is of its kind: the rule, and the place of what is written there; without one it is what is left.
    pub(crate) fn is_so(&mut self, rule: &str, place: Option<(&str, Option<u64>, &str)>) {
        let Some(kind) = self.spec.metadata.kind else {
            return;
        };
        let evidence = Evidence::new("kind", kind_word(kind), rule);
        self.evidence.push(match place {
            Some((file, Some(line), written)) => evidence.at(file, Some(line)).written(written),
            Some((file, None, _)) => evidence.at(file, None),
            None => evidence,
        });
    }

    /// Declares a port; one that stands on no line is the default of its framework.
    pub(crate) fn listens_on(&mut self, port: &Fact<u16>, rule: &str) {
        self.spec.runtime.ports = vec![port.value];
        let rule = if port.line == 0 {
            "port.framework-default"
        } else {
            rule
        };
        let found = Evidence::new("port", port.value.to_string(), rule);
        self.evidence.push(if port.line == 0 {
            found
        } else {
            found.at(&port.file, Some(port.line))
        });
    }

    /// Gives an app that reads `PORT`, without a default that could be found, the usual one.
    pub(crate) fn is_given_port(&mut self, port: u16) {
        self.spec.runtime.ports = vec![port];
        self.spec
            .runtime
            .env
            .insert("PORT".to_owned(), port.to_string());
        self.evidence
            .push(Evidence::new("port", port.to_string(), "port.default"));
    }

    /// Declares the route that answers whether the app is well.
    pub(crate) fn answers(&mut self, health: &Fact<String>) {
        self.spec.runtime.health = Some(Health {
            endpoint: health.value.clone(),
        });
        let found = Evidence::new("health", &health.value, "health.route");
        self.evidence
            .push(found.at(&health.file, Some(health.line)));
    }
}

/// A kind as specs have it.
pub(crate) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Web => "web",
        Kind::Worker => "worker",
        Kind::Cli => "cli",
        Kind::Static => "static",
    }
}

/// What is the same for all languages.
pub(crate) struct Ground<'a> {
    repo: &'a Repo,
    catalog: &'a Catalog<'a>,
    asked: &'a Asked,
    /// The directories that hold each of the manifests.
    manifests: Manifests<'a>,
    /// The files that may hold hints.
    hint_files: hints::Files,
    gathered: OnceLock<Gathered>,
}

impl<'a> Ground<'a> {
    pub(crate) fn new(repo: &'a Repo, catalog: &'a Catalog<'a>, asked: &'a Asked) -> Self {
        let (manifests, hint_files) = files(repo);
        Self {
            repo,
            catalog,
            asked,
            manifests,
            hint_files,
            gathered: OnceLock::new(),
        }
    }

    /// How many places there are that a language may look at.
    pub(crate) fn places(&self) -> usize {
        self.manifests.values().map(Vec::len).sum()
    }

    /// All hints.
    pub(crate) fn gathered(&self) -> &Gathered {
        self.gathered.get_or_init(|| {
            let dirs = self.manifests.values().flatten();
            let dirs = dirs.map(|dir| dir.path().to_owned()).collect();
            hints::gather(self.repo, &self.hint_files, dirs)
        })
    }
}

/// A repository while its apps are looked for.
pub(crate) struct Scan<'a> {
    ground: &'a Ground<'a>,
    pub(crate) repo: &'a Repo,
    pub(crate) catalog: &'a Catalog<'a>,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) rejected: BTreeSet<Rejected>,
    pub(crate) diagnostics: BTreeSet<Diagnostic>,
    /// The directories whose files are built as a part of another app, by path: what that app is.
    pub(crate) claims: BTreeMap<String, String>,
    documents: BTreeMap<String, Option<Rc<Document>>>,
    elements: BTreeMap<String, Option<Rc<Element>>>,
    /// What users name as the entry point, by directory, and whether a language asked.
    entries: BTreeMap<String, (Fact<String>, bool)>,
    hints: BTreeMap<String, Rc<Hints>>,
    /// The packages of Node.js, once they were asked for.
    pub(crate) node: Option<Rc<providers::NodePackages>>,
    /// The Cargo workspaces that were asked for, by root.
    pub(crate) cargo: BTreeMap<String, Option<Rc<Workspace>>>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(ground: &'a Ground<'a>) -> Self {
        let asked = ground.asked;
        Self {
            ground,
            repo: ground.repo,
            catalog: ground.catalog,
            drafts: Vec::new(),
            rejected: BTreeSet::new(),
            diagnostics: BTreeSet::new(),
            claims: BTreeMap::new(),
            documents: BTreeMap::new(),
            elements: BTreeMap::new(),
            entries: asked
                .entries
                .iter()
                .map(|(dir, entry)| (dir.clone(), (entry.clone(), false)))
                .collect(),
            hints: BTreeMap::new(),
            node: None,
            cargo: BTreeMap::new(),
        }
    }

    /// The parsed manifest at `path`; a broken one is a diagnostic, once, and no document.
    pub(crate) fn document(&mut self, path: &str, syntax: Syntax) -> Option<Rc<Document>> {
        if let Some(document) = self.documents.get(path) {
            return document.clone();
        }
        let document = if self.repo.has(path) {
            self.parse(path, syntax)
        } else {
            None
        };
        self.documents.insert(path.to_owned(), document.clone());
        document
    }

    /// The directories that hold one of the manifests, each once, sorted by path. A language lists its manifests.
    pub(crate) fn dirs_with(&self, manifests: &[&str]) -> Vec<Dir<'a>> {
        let found = manifests
            .iter()
            .filter_map(|name| self.ground.manifests.get(name));
        let found = found.flatten().map(|dir| (dir.path(), *dir));
        let found: BTreeMap<&str, Dir<'a>> = found.collect();
        found.into_values().collect()
    }

    /// The parsed XML manifest at `path`; a broken one is a diagnostic, once, and no element.
    pub(crate) fn xml(&mut self, path: &str) -> Option<Rc<Element>> {
        if let Some(element) = self.elements.get(path) {
            return element.clone();
        }
        let element = if self.repo.has(path) {
            let parsed = match self.repo.text(path) {
                Ok(text) => Element::parse(&text).map_err(|bad| (bad.line, bad.message)),
                Err(unreadable) => Err((unreadable.line, unreadable.message)),
            };
            match parsed {
                Ok(element) => Some(Rc::new(element)),
                Err((line, message)) => {
                    self.tell(Severity::Error, path, line, message, None);
                    None
                }
            }
        } else {
            None
        };
        self.elements.insert(path.to_owned(), element.clone());
        element
    }

    /// What files that are no manifests say of the directory: Procfile, Dockerfile, compose and their kin.
    pub(crate) fn hints(&mut self, dir: &str) -> Rc<Hints> {
        if let Some(hints) = self.hints.get(dir) {
            return Rc::clone(hints);
        }
        let gathered = self.ground.gathered();
        let hints = Rc::new(gathered.hints.get(dir).cloned().unwrap_or_default());
        self.hints.insert(dir.to_owned(), Rc::clone(&hints));
        hints
    }

    /// What `peelbox.yaml` names as the entry point of the app in `dir`: a file or target relative to it, or `module:object`.
    ///
    /// It wins over everything that a language would choose; asking is taking it.
    pub(crate) fn entry(&mut self, dir: &str) -> Option<Fact<String>> {
        let (entry, is_taken) = self.entries.get_mut(dir)?;
        *is_taken = true;
        Some(entry.clone())
    }

    /// Whether `peelbox.yaml` names the directory: then its name is no reason to pass over it.
    pub(crate) fn is_asked_for(&self, dir: &str) -> bool {
        self.ground.asked.dirs.contains(dir)
    }

    /// The directories whose entry point a language has asked for.
    pub(crate) fn taken(&self) -> BTreeSet<String> {
        let entries = self.entries.iter();
        entries
            .filter(|(_, (_, is_taken))| *is_taken)
            .map(|(dir, _)| dir.clone())
            .collect()
    }

    /// What was found since this was asked last.
    pub(crate) fn take(&mut self) -> Findings {
        Findings {
            drafts: mem::take(&mut self.drafts),
            rejected: mem::take(&mut self.rejected),
            diagnostics: mem::take(&mut self.diagnostics),
            claims: mem::take(&mut self.claims),
        }
    }

    /// Adds what was found elsewhere; who claimed a directory first has it.
    pub(crate) fn add(&mut self, mut found: Findings) {
        self.drafts.append(&mut found.drafts);
        self.rejected.append(&mut found.rejected);
        self.diagnostics.append(&mut found.diagnostics);
        for (dir, owner) in found.claims {
            self.claims.entry(dir).or_insert(owner);
        }
    }

    fn parse(&mut self, path: &str, syntax: Syntax) -> Option<Rc<Document>> {
        let (line, message) = match self.repo.text(path) {
            Ok(text) => match Document::parse(path, &text, syntax) {
                Ok(document) => return Some(Rc::new(document)),
                Err(malformed) => (malformed.line, malformed.message),
            },
            Err(unreadable) => (unreadable.line, unreadable.message),
        };
        self.tell(Severity::Error, path, line, message, None);
        None
    }

    /// Adds a diagnostic.
    pub(crate) fn tell(
        &mut self,
        severity: Severity,
        file: &str,
        line: Option<u64>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let message = message.into();
        self.diagnostics.insert(Diagnostic {
            file: file.to_owned(),
            line,
            column: None,
            severity,
            message,
            help,
        });
    }

    /// Says that there is nothing of the name that users give an entry point.
    pub(crate) fn no_entry(&mut self, entry: &Fact<String>, message: String) {
        let line = Some(entry.line);
        self.tell(Severity::Error, &entry.file, line, message, None);
    }

    /// Adds a warning without advice.
    pub(crate) fn warn(&mut self, file: &str, line: Option<u64>, message: impl Into<String>) {
        self.tell(Severity::Warning, file, line, message, None);
    }

    /// Records that a directory is no app.
    pub(crate) fn reject(&mut self, path: &str, looked_like: &str, reason: impl Into<String>) {
        self.rejected.insert(Rejected {
            path: shown(path).to_owned(),
            looked_like: looked_like.to_owned(),
            reason: reason.into(),
        });
    }

    /// Adds an app that is recognised and cannot be built: everything that is known of it, and why.
    pub(crate) fn refuse(&mut self, mut draft: Draft, problem: Problem) {
        draft.refusal = Some(problem);
        self.drafts.push(draft);
    }

    /// The stream for `sources`; what is to be said about it becomes diagnostics.
    pub(crate) fn toolchain(
        &mut self,
        tool: &Tool<'_>,
        sources: &[Source],
    ) -> Result<Chosen, Unavailable> {
        let chosen = super::version::choose(self.catalog, tool, sources)?;
        for (file, line, message) in &chosen.warnings {
            self.warn(file, *line, message.clone());
        }
        Ok(chosen)
    }

    /// What `.tool-versions` and `mise.toml` ask for, seen from `dir`.
    pub(crate) fn tool_versions(&mut self, dir: Dir<'_>, tool: &Tool<'_>) -> Vec<Source> {
        super::version::tool_versions(dir, tool, &mut |path| self.document(path, Syntax::Toml))
    }

    /// Whether a draft exists whose directory is `path` or lies above it.
    pub(crate) fn is_claimed(&self, path: &str) -> bool {
        self.drafts.iter().any(|draft| is_within(path, &draft.path))
    }
}

/// What a language found.
pub(crate) struct Findings {
    drafts: Vec<Draft>,
    rejected: BTreeSet<Rejected>,
    diagnostics: BTreeSet<Diagnostic>,
    claims: BTreeMap<String, String>,
}

/// The directories that hold each of the manifests.
type Manifests<'a> = BTreeMap<&'static str, Vec<Dir<'a>>>;

/// Where the manifests of all languages are, and the files that may hold hints.
fn files(repo: &Repo) -> (Manifests<'_>, hints::Files) {
    let listed = providers::ALL
        .iter()
        .flat_map(|provider| provider.language().manifests);
    let is_ending = |name: &&str| name.starts_with('.') && !name[1..].contains('/');
    let names: BTreeSet<&'static str> = listed.copied().collect();
    let endings: BTreeSet<&'static str> = names.iter().copied().filter(is_ending).collect();
    let (known_names, known_endings) = (Marks::of(&names), Marks::of(&endings));
    let mut found: Manifests<'_> = BTreeMap::new();
    let mut hint_files = hints::Files::new();
    let mut here: Vec<&str> = Vec::new();
    for dir in repo.dirs() {
        hints::note(dir, &mut hint_files);
        for file in dir.files() {
            if known_names.has(file) {
                here.extend(names.get(file.as_str()));
            }
            if let Some(at) = file.rfind('.')
                && known_endings.has(&file[at..])
            {
                here.extend(endings.get(&file[at..]));
            }
        }
        here.sort_unstable();
        here.dedup();
        for name in here.drain(..) {
            found.entry(name).or_default().push(dir);
        }
    }
    (found, hint_files)
}

/// Tells most of what is not among some words without comparing them.
struct Marks([u64; 16]);

impl Marks {
    fn of(words: &BTreeSet<&'static str>) -> Self {
        let mut marks = Self([0; 16]);
        for word in words {
            let mark = Self::mark(word);
            marks.0[mark >> 6] |= 1 << (mark & 63);
        }
        marks
    }

    fn has(&self, word: &str) -> bool {
        let mark = Self::mark(word);
        self.0[mark >> 6] & (1 << (mark & 63)) != 0
    }

    fn mark(word: &str) -> usize {
        let bytes = word.as_bytes();
        let at = |at: usize| bytes.get(at).copied().map_or(0, usize::from);
        (at(1) * 31 + at(bytes.len().saturating_sub(2)) * 7 + bytes.len() * 131) & 1023
    }
}

/// Why an app cannot be built as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) file: String,
    pub(crate) line: Option<u64>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Problem {
    pub(crate) fn new(file: &str, line: Option<u64>, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The same for a stream that does not exist, told for the manifest of the app.
pub(crate) fn unavailable(manifest: &str, error: Unavailable) -> Problem {
    Problem {
        file: error.file.unwrap_or_else(|| manifest.to_owned()),
        line: error.line,
        message: error.message,
        help: error.help,
    }
}

/// The path as users see it: the root is `.`.
pub(crate) fn shown(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

/// A path as a glob that matches it alone.
///
/// It is BuildKit that matches, which takes back what a character means with a backslash, and only that way:
/// <https://github.com/moby/patternmatcher/blob/v0.6.0/patternmatcher.go>.
pub(crate) fn literal_glob(path: &str) -> String {
    let mut glob = String::with_capacity(path.len());
    for character in path.chars() {
        // Those of patterns, of lists of patterns, and of the regular expressions that they become.
        if matches!(
            character,
            '!' | '*' | '?' | '[' | '\\' | ']' | '^' | '{' | '}'
        ) {
            glob.push('\\');
        }
        glob.push(character);
    }
    glob
}

/// The glob for a directory and all below it.
pub(crate) fn tree_glob(path: &str) -> String {
    if path.is_empty() {
        "**".to_owned()
    } else {
        format!("{}/**", literal_glob(path))
    }
}

/// A word for `/bin/sh`; a path or name that no shell can hold does not come out of the walk.
pub(crate) fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| "''".to_owned(), std::borrow::Cow::into_owned)
}

/// Why directories of this name hold no apps, although they hold manifests; `path` is relative to the root.
pub(crate) fn lookalike(path: &str) -> Option<String> {
    path.split('/')
        .find_map(|part| {
            let found = LOOKALIKES
                .binary_search_by_key(&part, |(name, _)| name)
                .ok()?;
            let what = LOOKALIKES[found].1;
            Some(format!("`{part}` directories hold {what}"))
        })
        .or_else(|| {
            (path.contains("{{") || path.contains("<%") || path.contains("${"))
                .then(|| "its path holds a placeholder: it is a template".to_owned())
        })
}

/// Sorted by name, for the binary search.
const LOOKALIKES: &[(&str, &str)] = &[
    (".circleci", "the project's own tools"),
    (".devcontainer", "the project's own tools"),
    (".github", "the project's own tools"),
    (".gitlab", "the project's own tools"),
    (".storybook", "the project's own tools"),
    (".vscode", "the project's own tools"),
    ("__fixtures__", "test data"),
    ("__mocks__", "test data"),
    ("__tests__", "tests"),
    ("bench", "benchmarks"),
    ("benches", "benchmarks"),
    ("benchmark", "benchmarks"),
    ("benchmarks", "benchmarks"),
    ("cypress", "tests"),
    ("demo", "examples"),
    ("demos", "examples"),
    ("e2e", "tests"),
    ("example", "examples"),
    ("examples", "examples"),
    ("fixture", "test data"),
    ("fixtures", "test data"),
    ("playwright", "tests"),
    ("sample", "examples"),
    ("samples", "examples"),
    ("snippets", "snippets of documentation"),
    ("template", "templates"),
    ("templates", "templates"),
    ("test", "tests"),
    ("testdata", "test data"),
    ("tests", "tests"),
    ("third-party", "the code of others"),
    ("third_party", "the code of others"),
    ("xtask", "tooling"),
];
