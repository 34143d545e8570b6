//! Maven's project files: inheritance, properties, plugins, dependencies and modules.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::detect::provider::{Scan, lookalike};
use crate::detect::repo::{join, resolve, split};
use crate::detect::source::Fact;
use crate::detect::xml::Element;

/// The longest line of parents that is followed, and the deepest nesting of properties.
const DEEPEST: usize = 16;

/// Properties that are looked up for one project, at most.
const STEPS: usize = 20_000;

/// The project files of a repository, by path.
pub(super) struct Poms {
    poms: BTreeMap<String, Pom>,
    /// The aggregator that lists each one: its file, and the profile that does.
    owners: BTreeMap<String, (String, Option<String>)>,
}

pub(super) struct Pom {
    pub(super) file: String,
    pub(super) dir: String,
    pub(super) root: Rc<Element>,
}

/// A project file with its parents that lie in the repository, nearest first.
#[derive(Clone)]
pub(super) struct Project<'p> {
    pub(super) chain: Vec<&'p Pom>,
    /// Properties that were looked up: those that name each other several times multiply.
    steps: Cell<usize>,
}

/// A parent that comes from a registry.
pub(super) struct External {
    pub(super) artifact: Fact<String>,
    pub(super) version: Fact<String>,
}

/// A dependency as one of the files declares it.
pub(super) struct Dependency {
    pub(super) group: String,
    pub(super) artifact: String,
    pub(super) scope: String,
    pub(super) file: String,
    pub(super) line: u64,
}

/// A plugin: where it is declared, and every element that configures it, nearest first.
pub(super) struct Plugin<'p> {
    pub(super) file: String,
    pub(super) line: u64,
    /// Whether the project itself declares it, and no parent.
    pub(super) is_own: bool,
    elements: Vec<(&'p Pom, &'p Element)>,
}

impl Poms {
    /// Reads every project file; what lies among test data is told, as what it `looks_like`.
    pub(super) fn read(scan: &mut Scan<'_>, looks_like: &str) -> Self {
        let mut poms = BTreeMap::new();
        let dirs = scan.dirs_with(&["pom.xml"]);
        let apart: Vec<String> = dirs.iter().map(|dir| dir.join("pom.xml")).collect();
        // What lies among test data counts only where a build names it.
        let is_usual = |file: &&String| lookalike(split(file).0).is_none();
        let mut queue: Vec<String> = apart.iter().filter(is_usual).cloned().collect();
        while let Some(file) = queue.pop() {
            if poms.contains_key(&file) {
                continue;
            }
            let Some(root) = scan.xml(&file) else {
                continue;
            };
            if root.name != "project" {
                continue;
            }
            let pom = Pom {
                dir: split(&file).0.to_owned(),
                file: file.clone(),
                root,
            };
            // A parent or a module may have a file of another name.
            queue.extend(pom.parent_file().filter(|file| scan.repo.has(file)));
            let modules = pom.modules();
            let files = modules.iter().map(|(file, _)| file.clone());
            queue.extend(files.filter(|file| scan.repo.has(file)));
            poms.insert(file, pom);
        }
        for file in apart.iter().filter(|file| !poms.contains_key(*file)) {
            if let Some(reason) = lookalike(split(file).0) {
                scan.reject(split(file).0, looks_like, reason);
            }
        }
        let mut owners = BTreeMap::new();
        for pom in poms.values() {
            for (file, profile) in pom.modules() {
                if poms.contains_key(&file) && file != pom.file {
                    let owner = (pom.file.clone(), profile);
                    owners.entry(file).or_insert(owner);
                }
            }
        }
        Self { poms, owners }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Pom> {
        self.poms.values()
    }

    /// The project with its parents.
    pub(super) fn project<'p>(&'p self, pom: &'p Pom) -> Project<'p> {
        let mut chain = vec![pom];
        while let Some(last) = chain.last()
            && chain.len() < DEEPEST
            && let Some(parent) = last.parent_file().and_then(|file| self.poms.get(&file))
            // Maven takes the file only if it is the parent that is named.
            && last.root.text_at(&["parent", "artifactId"]) == parent.root.text_at(&["artifactId"])
            && !chain.iter().any(|pom| pom.file == parent.file)
        {
            chain.push(parent);
        }
        Project {
            chain,
            steps: Cell::new(0),
        }
    }

    /// The outermost aggregator of a project, and the profiles that must be on for it to be a part of the build.
    pub(super) fn reactor(&self, pom: &Pom) -> Option<(&Pom, Vec<String>)> {
        let mut file = &pom.file;
        let mut profiles = Vec::new();
        for _ in 0..DEEPEST {
            let Some((owner, profile)) = self.owners.get(file) else {
                break;
            };
            profiles.extend(profile.clone());
            file = owner;
        }
        (file != &pom.file).then(|| self.poms.get(file).map(|pom| (pom, profiles)))?
    }

    /// Everything that the aggregator lists, itself included.
    pub(super) fn members<'p>(&'p self, root: &'p Pom) -> Vec<&'p Pom> {
        let mut found = vec![root];
        let mut at = 0;
        while let Some(pom) = found.get(at).copied() {
            for (file, _) in pom.modules() {
                if let Some(module) = self.poms.get(&file)
                    && !found.iter().any(|known| known.file == module.file)
                {
                    found.push(module);
                }
            }
            at += 1;
        }
        found.sort_by(|a, b| a.file.cmp(&b.file));
        found
    }
}

impl Pom {
    /// Where the parent is looked for; an empty path sends Maven to a registry.
    fn parent_file(&self) -> Option<String> {
        let parent = self.root.at(&["parent"])?;
        let path = match parent.at(&["relativePath"]) {
            Some(path) if path.text.is_empty() => return None,
            Some(path) => path.text.as_str(),
            None => "../pom.xml",
        };
        let found = resolve(&self.dir, path)?;
        Some(if found.ends_with(".xml") {
            found
        } else {
            join(&found, "pom.xml")
        })
    }

    /// The files of its modules, and the profile that lists each, where it is not always on.
    pub(super) fn modules(&self) -> Vec<(String, Option<String>)> {
        let mut found = Vec::new();
        let mut add = |element: &Element, profile: Option<String>| {
            for list in ["modules", "subprojects"] {
                let Some(list) = element.at(&[list]) else {
                    continue;
                };
                for module in &list.children {
                    let Some(path) = resolve(&self.dir, &module.text.replace('\\', "/")) else {
                        continue;
                    };
                    let file = if path.ends_with(".xml") {
                        path
                    } else {
                        join(&path, "pom.xml")
                    };
                    found.push((file, profile.clone()));
                }
            }
        };
        add(&self.root, None);
        for profile in self.profiles() {
            let id = profile.text_at(&["id"]).map(str::to_owned);
            add(profile, id.filter(|_| !is_active(profile)));
        }
        found
    }

    fn profiles(&self) -> impl Iterator<Item = &Element> {
        let list = self.root.all("profiles");
        list.flat_map(|profiles| profiles.all("profile"))
    }

    /// The project itself, and its profiles that are on by themselves, which come first.
    fn layers(&self) -> Vec<&Element> {
        let mut layers: Vec<&Element> = self.profiles().filter(|one| is_active(one)).collect();
        layers.push(&self.root);
        layers
    }
}

fn is_active(profile: &Element) -> bool {
    profile.text_at(&["activation", "activeByDefault"]) == Some("true")
}

impl<'p> Project<'p> {
    pub(super) fn own(&self) -> &'p Pom {
        self.chain[0]
    }

    /// The parent that no file of the repository is.
    pub(super) fn external(&self) -> Option<External> {
        let last = self.chain.last()?;
        let parent = last.root.at(&["parent"])?;
        let version = parent.at(&["version"])?;
        Some(External {
            artifact: self.value(last, parent.at(&["artifactId"])?)?,
            version: self.value(last, version)?,
        })
    }

    /// An element's text with its properties replaced; the place is where the text is written as it is.
    pub(super) fn value(&self, pom: &Pom, element: &Element) -> Option<Fact<String>> {
        if let Some(name) = only_property(&element.text) {
            return self.property(name);
        }
        Some(Fact {
            value: self.interpolate(&element.text)?,
            file: pom.file.clone(),
            line: element.line,
        })
    }

    /// The first element at `path`, from the project up.
    pub(super) fn first(&self, path: &[&str]) -> Option<Fact<String>> {
        self.chain.iter().find_map(|pom| {
            let element = pom.layers().into_iter().find_map(|layer| layer.at(path))?;
            (!element.text.is_empty()).then(|| self.value(pom, element))?
        })
    }

    /// A property, followed to where its value is written.
    pub(super) fn property(&self, name: &str) -> Option<Fact<String>> {
        self.property_within(name, DEEPEST)
    }

    fn property_within(&self, name: &str, depth: usize) -> Option<Fact<String>> {
        let depth = depth.checked_sub(1)?;
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > STEPS {
            return None;
        }
        for pom in &self.chain {
            let found = pom
                .layers()
                .into_iter()
                .find_map(|layer| layer.at(&["properties", name]));
            let Some(element) = found else { continue };
            if let Some(inner) = only_property(&element.text) {
                return self.property_within(inner, depth);
            }
            return Some(Fact {
                value: self.interpolate_within(&element.text, depth)?,
                file: pom.file.clone(),
                line: element.line,
            });
        }
        self.model(
            name.strip_prefix("project.")
                .or(name.strip_prefix("pom."))
                .unwrap_or(name),
            depth,
        )
    }

    /// What the model itself says: `project.version`.
    fn model(&self, name: &str, depth: usize) -> Option<Fact<String>> {
        let own = self.own();
        let paths: &[&[&str]] = match name {
            "version" => &[&["version"], &["parent", "version"]],
            "groupId" => &[&["groupId"], &["parent", "groupId"]],
            "artifactId" => &[&["artifactId"]],
            "packaging" => &[&["packaging"]],
            "parent.version" => &[&["parent", "version"]],
            "parent.artifactId" => &[&["parent", "artifactId"]],
            _ => return None,
        };
        let element = paths.iter().find_map(|path| own.root.at(path))?;
        if let Some(inner) = only_property(&element.text) {
            return self.property_within(inner, depth);
        }
        Some(Fact {
            value: self.interpolate_within(&element.text, depth)?,
            file: own.file.clone(),
            line: element.line,
        })
    }

    /// A text with its properties replaced; nothing where one is not known.
    pub(super) fn interpolate(&self, text: &str) -> Option<String> {
        self.interpolate_within(text, DEEPEST)
    }

    fn interpolate_within(&self, text: &str, depth: usize) -> Option<String> {
        let mut done = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}')?;
            done.push_str(before);
            done.push_str(&self.property_within(name, depth)?.value);
            // Properties that double each other must not fill the memory.
            if done.len() > 4096 {
                return None;
            }
            rest = after;
        }
        done.push_str(rest);
        Some(done)
    }

    /// A plugin that takes part in the build of the project.
    pub(super) fn plugin(&self, artifact: &str) -> Option<Plugin<'p>> {
        let mut declared = Vec::new();
        let mut managed = Vec::new();
        for pom in &self.chain {
            for layer in pom.layers() {
                for (path, list) in [
                    (&["build", "plugins"][..], &mut declared),
                    (&["build", "pluginManagement", "plugins"], &mut managed),
                ] {
                    let plugins = layer
                        .at(path)
                        .into_iter()
                        .flat_map(|list| list.all("plugin"));
                    let named =
                        plugins.filter(|one| one.text_at(&["artifactId"]) == Some(artifact));
                    // A parent may keep a plugin to itself.
                    let inherited = named.filter(|one| {
                        pom.file == self.own().file || one.text_at(&["inherited"]) != Some("false")
                    });
                    list.extend(inherited.map(|one| (*pom, one)));
                }
            }
        }
        let (pom, first) = *declared.first()?;
        let line = first
            .at(&["artifactId"])
            .map_or(first.line, |name| name.line);
        declared.extend(managed);
        Some(Plugin {
            file: pom.file.clone(),
            line,
            is_own: pom.file == self.own().file,
            elements: declared,
        })
    }

    /// The dependencies, inherited ones included.
    pub(super) fn dependencies(&self) -> Vec<Dependency> {
        let mut found = Vec::new();
        for pom in &self.chain {
            let lists = pom
                .layers()
                .into_iter()
                .filter_map(|layer| layer.at(&["dependencies"]));
            for element in lists.flat_map(|list| list.all("dependency")) {
                let text = |name: &str| {
                    let text = element.text_at(&[name])?;
                    Some(self.interpolate(text).unwrap_or_else(|| text.to_owned()))
                };
                let (Some(group), Some(artifact)) = (text("groupId"), text("artifactId")) else {
                    continue;
                };
                found.push(Dependency {
                    group,
                    scope: text("scope").unwrap_or_else(|| "compile".to_owned()),
                    file: pom.file.clone(),
                    line: element
                        .at(&["artifactId"])
                        .map_or(element.line, |name| name.line),
                    artifact,
                });
            }
        }
        found
    }

    /// Group and artifact.
    pub(super) fn coordinates(&self) -> (String, String) {
        let text = |name: &str| self.model(name, DEEPEST).map(|fact| fact.value);
        (
            text("groupId").unwrap_or_default(),
            text("artifactId").unwrap_or_default(),
        )
    }
}

impl Plugin<'_> {
    /// What configures it at `path`, for all executions or for one.
    pub(super) fn configured(&self, project: &Project<'_>, path: &[&str]) -> Option<Fact<String>> {
        let mut full = vec!["configuration"];
        full.extend(path);
        self.elements.iter().find_map(|(pom, element)| {
            let executions = element.at(&["executions"]);
            let executions = executions
                .into_iter()
                .flat_map(|list| list.all("execution"));
            let found = std::iter::once(*element)
                .chain(executions)
                .find_map(|place| place.at(&full).filter(|found| !found.text.is_empty()))?;
            project.value(pom, found)
        })
    }

    /// The first element of this name anywhere in its configuration that has a text.
    pub(super) fn anywhere(&self, project: &Project<'_>, name: &str) -> Option<Fact<String>> {
        self.elements.iter().find_map(|(pom, element)| {
            let everything = element.everything();
            let found = everything
                .into_iter()
                .find(|one| one.name == name && !one.text.is_empty())?;
            project.value(pom, found)
        })
    }

    /// Whether an execution runs this goal.
    pub(super) fn runs(&self, goal: &str) -> bool {
        let everything = self.elements.iter().flat_map(|(_, one)| one.everything());
        let mut goals = everything.filter(|one| one.name == "goal");
        goals.any(|one| one.text == goal)
    }

    /// Where the goal is written.
    pub(super) fn is_true(&self, project: &Project<'_>, name: &str) -> bool {
        self.configured(project, &[name])
            .is_some_and(|found| found.value == "true")
    }
}

/// The name in `${name}`, where that is all.
fn only_property(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    (!name.contains(['$', '{', '}'])).then_some(name)
}
