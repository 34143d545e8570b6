//! MSBuild's project files: properties with their defaults from above, references, solutions.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::detect::provider::{Scan, lookalike};
use crate::detect::repo::{Dir, join, resolve, split, upwards};
use crate::detect::source::Fact;
use crate::detect::xml::Element;

/// The deepest nesting of properties, and the longest line of imports.
const DEEPEST: usize = 16;

/// Properties that are looked up for one, at most: those within one another would multiply.
const LOOKUPS: usize = 200;

/// Where a template for `dotnet new` has its settings: beside what is copied.
const TEMPLATE: (&str, &str) = (".template.config", "template.json");

/// The endings of project files, with the language.
pub(super) const LANGUAGES: &[(&str, &str)] = &[
    (".csproj", "csharp"),
    (".fsproj", "fsharp"),
    (".vbproj", "vb"),
];

/// A project with the files that it takes its defaults from.
pub(super) struct Project {
    pub(super) file: String,
    pub(super) dir: String,
    /// The file's name without its ending.
    pub(super) name: String,
    pub(super) language: &'static str,
    root: Rc<Element>,
    /// `Directory.Build.props` and what it imports, nearest first.
    defaults: Vec<(String, Rc<Element>)>,
    references: OnceCell<BTreeSet<String>>,
}

/// Reads every project of the repository, by path; what lies among examples is told, as what it `looks_like`.
pub(super) fn projects(scan: &mut Scan<'_>, looks_like: &str) -> BTreeMap<String, Project> {
    let endings: Vec<&str> = LANGUAGES.iter().map(|(ending, _)| *ending).collect();
    let mut projects = BTreeMap::new();
    for dir in scan.dirs_with(&endings) {
        if let Some(reason) = lookalike(dir.path()) {
            scan.reject(dir.path(), looks_like, reason);
            continue;
        }
        if let Some(file) = template(dir) {
            let reason = format!("`{file}` says that it is a template");
            scan.reject(dir.path(), looks_like, reason);
            continue;
        }
        for name in dir.files() {
            let Some((ending, language)) =
                LANGUAGES.iter().find(|(ending, _)| name.ends_with(ending))
            else {
                continue;
            };
            let file = dir.join(name);
            let Some(root) = scan.xml(&file) else {
                continue;
            };
            if root.name != "Project" {
                continue;
            }
            projects.insert(
                file.clone(),
                Project {
                    file,
                    dir: dir.path().to_owned(),
                    name: name.trim_end_matches(ending).to_owned(),
                    language,
                    root,
                    defaults: defaults(scan, dir.path()),
                    references: OnceCell::new(),
                },
            );
        }
    }
    projects
}

/// The file, in the directory or above, that makes it what `dotnet new` copies.
fn template(dir: Dir<'_>) -> Option<String> {
    let mut above = dir.upwards().filter(|above| !above.path().is_empty());
    let above = above.find(|above| {
        let settings = above.below(TEMPLATE.0);
        settings.is_some_and(|settings| settings.has(TEMPLATE.1))
    })?;
    Some(join(&above.join(TEMPLATE.0), TEMPLATE.1))
}

/// The nearest `Directory.Build.props`, the files that it imports, and the next one where it asks for that.
fn defaults(scan: &mut Scan<'_>, dir: &str) -> Vec<(String, Rc<Element>)> {
    let mut found: Vec<(String, Rc<Element>)> = Vec::new();
    let mut queue: Vec<String> = above(scan, dir, "Directory.Build.props")
        .into_iter()
        .collect();
    while let Some(file) = queue.pop() {
        if found.len() == DEEPEST || found.iter().any(|(known, _)| *known == file) {
            continue;
        }
        let Some(root) = scan.xml(&file) else {
            continue;
        };
        let place = split(&file).0.to_owned();
        for import in imports(&root) {
            if import.contains("GetPathOfFileAbove") {
                if !place.is_empty() {
                    queue.extend(above(scan, split(&place).0, "Directory.Build.props"));
                }
            } else if let Some(path) = literal_path(&place, &import) {
                queue.push(path);
            }
        }
        found.push((file, root));
    }
    found
}

fn imports(root: &Element) -> Vec<String> {
    let imports = root
        .all("Import")
        .filter_map(|import| import.attribute("Project"));
    imports.map(str::to_owned).collect()
}

/// The nearest file of this name, from `dir` upwards.
pub(super) fn above(scan: &Scan<'_>, dir: &str, name: &str) -> Option<String> {
    let mut places = upwards(dir).map(|dir| join(dir, name));
    places.find(|file| scan.repo.has(file))
}

/// A path as MSBuild writes it, seen from `dir`.
fn literal_path(dir: &str, path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    let path = path
        .trim_start_matches("$(MSBuildThisFileDirectory)")
        .trim_start_matches("$(MSBuildProjectDirectory)")
        .trim_start_matches('/');
    (!path.contains("$(")).then(|| resolve(dir, path))?
}

/// Whether an element holds for a release that is built for Linux.
fn holds(element: &Element) -> bool {
    let Some(condition) = element.attribute("Condition") else {
        return true;
    };
    let plain: String = condition.chars().filter(|c| !c.is_whitespace()).collect();
    plain.eq_ignore_ascii_case("'$(Configuration)'=='Release'")
        || plain.eq_ignore_ascii_case("'$(Configuration)|$(Platform)'=='Release|AnyCPU'")
}

/// Whether an element only gives a value where there is none.
fn is_default(element: &Element, name: &str) -> bool {
    let condition = element.attribute("Condition").unwrap_or_default();
    let plain: String = condition.chars().filter(|c| !c.is_whitespace()).collect();
    plain == format!("'$({name})'==''")
}

impl Project {
    /// Every file whose properties count, the project's own first.
    fn layers(&self) -> impl Iterator<Item = (&str, &Rc<Element>)> {
        let defaults = self
            .defaults
            .iter()
            .map(|(file, root)| (file.as_str(), root));
        std::iter::once((self.file.as_str(), &self.root)).chain(defaults)
    }

    /// The files that it takes its defaults from.
    pub(super) fn default_files(&self) -> impl Iterator<Item = &String> {
        self.defaults.iter().map(|(file, _)| file)
    }

    /// The kits that the project is built with, by name.
    pub(super) fn sdks(&self) -> Vec<Fact<String>> {
        let fact = |text: &str, line: u64| Fact {
            value: text.split('/').next().unwrap_or_default().to_owned(),
            file: self.file.clone(),
            line,
        };
        let own = self.root.attribute("Sdk").unwrap_or_default();
        let mut found: Vec<Fact<String>> = own
            .split(';')
            .filter(|name| !name.is_empty())
            .map(|name| fact(name, self.root.line))
            .collect();
        for (tag, attribute) in [("Sdk", "Name"), ("Import", "Sdk")] {
            let elements = self.root.all(tag);
            found
                .extend(elements.filter_map(|one| Some(fact(one.attribute(attribute)?, one.line))));
        }
        found
    }

    /// A property as it holds for a release; nothing where a part of it is not known.
    pub(super) fn property(&self, name: &str) -> Option<Fact<String>> {
        let mut lookups = LOOKUPS;
        self.property_within(name, DEEPEST, &mut lookups)
    }

    fn property_within(
        &self,
        name: &str,
        depth: usize,
        lookups: &mut usize,
    ) -> Option<Fact<String>> {
        let depth = depth.checked_sub(1)?;
        *lookups = lookups.checked_sub(1)?;
        let mut fallback = None;
        for (file, root) in self.layers() {
            let groups: Vec<&Element> = root
                .all("PropertyGroup")
                .filter(|group| holds(group))
                .collect();
            let found = groups
                .iter()
                .rev()
                .flat_map(|group| group.children.iter().rev());
            for element in found.filter(|one| one.name.eq_ignore_ascii_case(name)) {
                let mut given = || {
                    if let Some(inner) = only_property(&element.text) {
                        return self.property_within(inner, depth, lookups);
                    }
                    Some(Fact {
                        value: self.interpolate(&element.text, depth, lookups)?,
                        file: file.to_owned(),
                        line: element.line,
                    })
                };
                if holds(element) {
                    return given();
                }
                if is_default(element, name) && fallback.is_none() {
                    fallback = given();
                }
            }
        }
        fallback
    }

    fn interpolate(&self, text: &str, depth: usize, lookups: &mut usize) -> Option<String> {
        let mut done = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("$(") {
            let (name, after) = after.split_once(')')?;
            done.push_str(before);
            match name {
                "MSBuildProjectName" | "AssemblyName"
                    if name == "MSBuildProjectName" || depth == 0 =>
                {
                    done.push_str(&self.name);
                }
                _ => done.push_str(&self.property_within(name, depth, lookups)?.value),
            }
            if done.len() > 4096 {
                return None;
            }
            rest = after;
        }
        done.push_str(rest);
        Some(done)
    }

    /// Where `part` of a property's value is written as it is.
    pub(super) fn place(&self, name: &str, part: &str) -> Option<Fact<String>> {
        let mut lookups = LOOKUPS;
        self.place_within(name, part, DEEPEST, &mut lookups)
    }

    fn place_within(
        &self,
        name: &str,
        part: &str,
        depth: usize,
        lookups: &mut usize,
    ) -> Option<Fact<String>> {
        let depth = depth.checked_sub(1)?;
        *lookups = lookups.checked_sub(1)?;
        for (file, root) in self.layers() {
            let groups = root.all("PropertyGroup").filter(|group| holds(group));
            for element in groups
                .flat_map(|group| &group.children)
                .filter(|one| one.name.eq_ignore_ascii_case(name))
            {
                if element.text.contains(part) {
                    return Some(Fact {
                        value: part.to_owned(),
                        file: file.to_owned(),
                        line: element.line,
                    });
                }
                let mut inner = element
                    .text
                    .split("$(")
                    .skip(1)
                    .filter_map(|rest| rest.split(')').next());
                let found = inner.find_map(|name| self.place_within(name, part, depth, lookups));
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// Whether a property is true.
    pub(super) fn is_true(&self, name: &str) -> Option<Fact<String>> {
        self.property(name)
            .filter(|found| found.value.eq_ignore_ascii_case("true"))
    }

    /// What items of a kind include, from the project and its defaults.
    pub(super) fn items(&self, kind: &str) -> Vec<Fact<String>> {
        let mut found = Vec::new();
        for (file, root) in self.layers() {
            for group in root.all("ItemGroup") {
                for item in group.all(kind) {
                    let text = item
                        .attribute("Include")
                        .or_else(|| item.attribute("Update"));
                    let names = text
                        .unwrap_or_default()
                        .split(';')
                        .filter(|name| !name.is_empty());
                    found.extend(names.map(|name| Fact {
                        value: name.trim().to_owned(),
                        file: file.to_owned(),
                        line: item.line,
                    }));
                }
            }
        }
        found
    }

    /// The project files that it refers to.
    pub(super) fn references(&self) -> &BTreeSet<String> {
        self.references.get_or_init(|| {
            let items = self.items("ProjectReference");
            let paths = items
                .iter()
                .filter_map(|item| literal_path(&self.dir, &item.value));
            paths.collect()
        })
    }

    /// Directories outside of its own that it takes files from.
    pub(super) fn linked(&self) -> BTreeSet<String> {
        let groups = self.root.all("ItemGroup").flat_map(|group| &group.children);
        let items = groups.filter(|item| item.name != "ProjectReference");
        let paths = items.filter_map(|item| item.attribute("Include"));
        let outside = paths
            .flat_map(|paths| paths.split(';'))
            .filter(|path| path.starts_with(".."));
        let found = outside.filter_map(|path| {
            let path = path.replace('\\', "/");
            let literal = path.split(['*', '$']).next().unwrap_or_default();
            let is_glob = literal.len() < path.len();
            let place = if is_glob {
                literal.rsplit_once('/')?.0
            } else {
                literal
            };
            resolve(&self.dir, place).filter(|place| !place.is_empty())
        });
        found.collect()
    }

    /// Commands that its targets run.
    pub(super) fn commands(&self) -> Vec<Fact<String>> {
        let everything = self.root.everything();
        let commands = everything.into_iter().filter(|one| one.name == "Exec");
        let found = commands.filter_map(|one| {
            Some(Fact {
                value: one.attribute("Command")?.to_owned(),
                file: self.file.clone(),
                line: one.line,
            })
        });
        found.collect()
    }

    /// Whether it is of the old form, which only Windows builds.
    pub(super) fn is_old(&self) -> bool {
        self.sdks().is_empty()
            && (self.root.attribute("ToolsVersion").is_some()
                || self.root.at(&["Import"]).is_some())
    }

    /// The line of the outermost element.
    pub(super) fn line(&self) -> u64 {
        self.root.line
    }
}

/// The name in `$(name)`, where that is all.
fn only_property(text: &str) -> Option<&str> {
    let name = text.strip_prefix("$(")?.strip_suffix(')')?;
    let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name && name != "MSBuildProjectName").then_some(name)
}

/// Where the solutions of the repository name each project.
pub(super) fn solutions(scan: &mut Scan<'_>) -> BTreeMap<String, Fact<String>> {
    let mut found = BTreeMap::new();
    for dir in scan.dirs_with(&[".sln", ".slnx"]) {
        for name in dir.files() {
            let file = dir.join(name);
            let mut named: Vec<(String, u64)> = Vec::new();
            if name.ends_with(".slnx") {
                if let Some(root) = scan.xml(&file) {
                    let projects = root
                        .everything()
                        .into_iter()
                        .filter(|one| one.name == "Project");
                    named.extend(
                        projects
                            .filter_map(|one| Some((one.attribute("Path")?.to_owned(), one.line))),
                    );
                }
            } else if name.ends_with(".sln")
                && let Ok(text) = dir.text(name)
            {
                let lines = text
                    .lines()
                    .zip(1..)
                    .filter(|(line, _)| line.starts_with("Project("));
                named.extend(lines.filter_map(|(line, number)| {
                    // Kind, name, path and identity stand in quotes.
                    Some((line.split('"').nth(5)?.to_owned(), number))
                }));
            }
            for (path, line) in named {
                if let Some(project) = literal_path(dir.path(), &path) {
                    let fact = Fact {
                        value: path,
                        file: file.clone(),
                        line,
                    };
                    found.entry(project).or_insert(fact);
                }
            }
        }
    }
    found
}
