//! Gradle's build scripts, in Groovy and Kotlin: blocks, plugins, dependencies, assignments.

mod brackets;
mod catalog;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::detect::repo::split;
use crate::detect::source::{Fact, Family, Source};

pub(super) use catalog::Catalog;

use brackets::Brackets;

/// A build script.
pub(super) struct Script {
    pub(super) file: String,
    pub(super) source: Source,
    braces: Brackets,
    parentheses: Brackets,
}

/// The places of one name that are looked at in a script: no script has more, and what is hostile costs little.
const MOST: usize = 2000;

/// The projects that settings may include.
const MEMBERS: usize = 20_000;

/// A plugin that a script names.
#[derive(Clone, Debug)]
pub(super) struct Plugin {
    pub(super) id: String,
    pub(super) version: Option<String>,
    /// Whether it is only put on the class path.
    pub(super) is_only_declared: bool,
    /// What stands on the line.
    pub(super) place: Fact<String>,
}

/// A dependency that a script names.
#[derive(Clone, Debug)]
pub(super) struct Dependency {
    /// The configuration: `implementation`.
    pub(super) scope: String,
    pub(super) what: Needed,
    pub(super) place: Fact<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Needed {
    /// `group:artifact`.
    Module(String),
    /// The path of a project: `:services:api`.
    Project(String),
}

/// The configurations of tests, and of what only compiles.
const NOT_SHIPPED: &[&str] = &[
    "test",
    "androidTest",
    "integrationTest",
    "testFixtures",
    "kapt",
    "ksp",
    "annotationProcessor",
];

impl Dependency {
    pub(super) fn is_shipped(&self) -> bool {
        !NOT_SHIPPED
            .iter()
            .any(|scope| self.scope.starts_with(scope))
    }
}

impl Script {
    pub(super) fn parse(file: &str, text: &str) -> Self {
        let source = Source::parse(text, Family::Jvm);
        Self {
            file: file.to_owned(),
            braces: Brackets::of(&source.code, b'{', b'}'),
            parentheses: Brackets::of(&source.code, b'(', b')'),
            source,
        }
    }

    fn fact(&self, at: usize, value: &str) -> Fact<String> {
        Fact {
            value: value.to_owned(),
            file: self.file.clone(),
            line: self.source.line(at),
        }
    }

    /// What is between the braces after `name`, for every block of that name.
    pub(super) fn blocks(&self, name: &str) -> Vec<Range<usize>> {
        self.blocks_within(name, 0..self.source.code.len())
    }

    fn blocks_within(&self, name: &str, range: Range<usize>) -> Vec<Range<usize>> {
        let code = &self.source.code;
        let places = self.source.all(name).filter(|at| range.contains(at));
        let blocks = places.take(MOST).filter_map(|at| {
            let after = at + name.len();
            let rest = code.get(after..)?;
            let skipped = rest.len() - rest.trim_start().len();
            let mut open = after + skipped;
            // `tasks.named("x") {`, `withType<Jar> {`: the braces follow the arguments.
            if code[open..].starts_with('(') {
                open = self.parentheses.closing(open)? + 1;
                open += code[open..].len() - code[open..].trim_start().len();
            }
            if !code.get(open..)?.starts_with('{') {
                return None;
            }
            Some(open + 1..self.braces.closing(open)?)
        });
        blocks.collect()
    }

    /// The strings that stand within a range.
    fn strings(&self, range: &Range<usize>) -> impl Iterator<Item = &(usize, String)> {
        let strings = &self.source.strings;
        let from = strings.partition_point(|(at, _)| *at < range.start);
        strings[from..].iter().take_while(|(at, _)| *at < range.end)
    }

    /// The plugins that the script names, in order.
    pub(super) fn plugins(&self, catalog: &Catalog) -> Vec<Plugin> {
        let mut found = Vec::new();
        let management = self.blocks("pluginManagement");
        for block in self.blocks("plugins") {
            // `pluginManagement { plugins { … } }` only declares.
            let is_management = management.iter().any(|outer| outer.contains(&block.start));
            if is_management {
                continue;
            }
            for (start, line) in lines(&self.source.code, block) {
                found.extend(self.plugin_line(start, line, catalog));
            }
        }
        let shared = ["subprojects", "allprojects"]
            .map(|name| self.blocks(name))
            .concat();
        for at in self.source.all("apply").take(MOST) {
            if shared.iter().any(|block| block.contains(&at)) {
                continue;
            }
            found.extend(self.applied(at));
        }
        found
    }

    /// The plugins that the script gives to all projects below its own.
    pub(super) fn shared_plugins(&self) -> Vec<Plugin> {
        let blocks = ["subprojects", "allprojects"]
            .map(|name| self.blocks(name))
            .concat();
        let places = self
            .source
            .all("apply")
            .take(MOST)
            .filter(|at| blocks.iter().any(|block| block.contains(at)));
        places.filter_map(|at| self.applied(at)).collect()
    }

    fn applied(&self, at: usize) -> Option<Plugin> {
        let rest = &self.source.code[at..];
        let line = rest.char_indices().take(300);
        let end = line.take_while(|(_, c)| *c != '\n').last();
        let line = &rest[..end.map_or(0, |(end, last)| end + last.len_utf8())];
        let plugin = line.find("plugin")?;
        let (from, id) = self.strings(&(at + plugin..at + line.len())).next()?;
        Some(Plugin {
            id: long_id(id),
            version: None,
            is_only_declared: false,
            place: self.fact(*from, id),
        })
    }

    /// One line of a `plugins` block.
    fn plugin_line(&self, start: usize, line: &str, catalog: &Catalog) -> Option<Plugin> {
        let code = line.trim();
        let at = start + line.len() - line.trim_start().len();
        let range = at..start + line.len();
        let mut strings = self.strings(&range);
        let is_only_declared = code.contains("apply false") || code.contains("apply(false)");
        let with = |id: String, version: Option<String>, written: &str| Plugin {
            id,
            version,
            is_only_declared,
            place: self.fact(at, written),
        };
        if let Some(rest) = code.strip_prefix("alias") {
            let name = rest
                .trim_start_matches(['(', ' '])
                .split([')', ' '])
                .next()?;
            let (_, alias) = name.split_once(".plugins.")?;
            let (id, version) = catalog.plugin(alias)?;
            return Some(with(id, version, name));
        }
        if code.starts_with("id") {
            let id = strings.next()?.1.clone();
            let version = strings.next().map(|(_, version)| version.clone());
            return Some(with(long_id(&id), version, &id));
        }
        if code.starts_with("kotlin(") {
            let name = strings.next()?.1.clone();
            let version = strings.next().map(|(_, version)| version.clone());
            return Some(with(format!("org.jetbrains.kotlin.{name}"), version, &name));
        }
        // `application`, `` `java-library` ``.
        let name = code.split_whitespace().next()?.trim_matches('`');
        let is_name = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '.');
        is_name.then(|| with(name.to_owned(), None, name))
    }

    /// The dependencies of the script's own project.
    pub(super) fn dependencies(&self, catalog: &Catalog) -> Vec<Dependency> {
        let mut found = Vec::new();
        let foreign = ["buildscript", "subprojects", "allprojects"]
            .map(|name| self.blocks(name))
            .concat();
        for block in self.blocks("dependencies") {
            if foreign.iter().any(|outer| outer.contains(&block.start)) {
                continue;
            }
            for (start, line) in lines(&self.source.code, block) {
                found.extend(self.dependency_line(start, line, catalog));
            }
        }
        found
    }

    fn dependency_line(&self, start: usize, line: &str, catalog: &Catalog) -> Vec<Dependency> {
        let code = line.trim();
        let scope: String = code.chars().take_while(|c| c.is_alphanumeric()).collect();
        if scope.is_empty() {
            return Vec::new();
        }
        let range = start..start + line.len();
        let text = self
            .strings(&range)
            .map(|(at, text)| (*at, text.as_str()))
            .next();
        let rest = &code[scope.len()..];
        let dependency = |what: Needed, place: Fact<String>| Dependency {
            scope: scope.clone(),
            what,
            place,
        };
        if rest.contains("project(") || rest.contains("project ") {
            return text
                .filter(|(_, path)| path.starts_with(':'))
                .map(|(at, path)| dependency(Needed::Project(path.to_owned()), self.fact(at, path)))
                .into_iter()
                .collect();
        }
        let word = |prefix: &str| -> Option<String> {
            let at = rest.find(prefix)?;
            let name = rest[at + prefix.len()..]
                .split(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_'))
                .next()?;
            Some(name.trim_end_matches(".get").to_owned())
        };
        if let Some(name) = word("projects.") {
            let path = format!(":{}", name.replace('.', ":"));
            return vec![dependency(Needed::Project(path), self.fact(start, &name))];
        }
        if let Some(name) = word("libs.") {
            let modules = catalog.modules(&name).into_iter();
            let place = self.fact(
                start + line.len() - line.trim_start().len(),
                &format!("libs.{name}"),
            );
            return modules
                .map(|module| dependency(Needed::Module(module), place.clone()))
                .collect();
        }
        let Some((at, text)) = text else {
            return Vec::new();
        };
        let module: Vec<&str> = text.split(':').take(2).collect();
        if module.len() < 2 {
            return Vec::new();
        }
        vec![dependency(
            Needed::Module(module.join(":")),
            self.fact(at, text),
        )]
    }

    /// The string that is given to `name`, at the top or in a block: `name = "x"`, `name.set("x")`, `name 'x'`, `name("x")`.
    pub(super) fn text(&self, name: &str, block: Option<&str>) -> Option<Fact<String>> {
        let ranges = match block {
            Some(block) => self.blocks(block),
            None => std::iter::once(0..self.source.code.len()).collect(),
        };
        let at_top = |at: usize| block.is_some() || self.braces.depth(at) == 0;
        for range in ranges {
            let places = self
                .source
                .all(name)
                .filter(|at| range.contains(at) && at_top(*at))
                .take(MOST);
            for at in places {
                if let Some((from, text)) = self.given(at + name.len()) {
                    return Some(self.fact(from, text));
                }
            }
        }
        None
    }

    /// Whether some line gives `name` a value, whatever it is.
    pub(super) fn sets(&self, name: &str) -> bool {
        let mut lines = self.source.code.lines().map(str::trim);
        lines.any(|line| {
            let rest = line.strip_prefix(name).unwrap_or_default().trim_start();
            rest.starts_with('=') || rest.starts_with(".set(") || rest.starts_with(['"', '\''])
        })
    }

    fn given(&self, after: usize) -> Option<(usize, &str)> {
        let mut between = String::new();
        let rest = self.source.code.get(after..)?.char_indices().take(200);
        let mut quote = None;
        for (at, character) in rest {
            match character {
                '\n' => return None,
                '"' | '\'' => {
                    quote = Some(at);
                    break;
                }
                other if other.is_whitespace() => {}
                other => between.push(other),
            }
        }
        let quote = quote?;
        if !matches!(
            between.as_str(),
            "" | "=" | ".set(" | "(" | ".convention(" | "=java.util.Optional.of("
        ) {
            return None;
        }
        let text = self.source.string_at(after + quote)?;
        // What is put together while it builds is not known.
        (!text.contains('$')).then_some((after + quote, text))
    }

    /// The words in the parentheses after `name`, or up to the end of the line: `JavaLanguageVersion.of(21)`.
    pub(super) fn argument(&self, name: &str) -> Option<Fact<String>> {
        self.source.all(name).take(MOST).find_map(|at| {
            let rest = &self.source.code[at + name.len()..];
            let end = rest.find([')', '\n', '{'])?;
            let code = rest[..end].trim_start_matches(['(', ' ', '=']).trim();
            let text = match self
                .source
                .string_at(at + name.len() + rest[..end].find(['"', '\'']).unwrap_or(0))
            {
                Some(text) if rest[..end].contains(['"', '\'']) => text.to_owned(),
                _ => code.to_owned(),
            };
            (!text.is_empty()).then(|| self.fact(at, &text))
        })
    }

    /// The projects that settings include, by path: `:services:api`.
    pub(super) fn includes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for at in self.source.all("include").take(MEMBERS) {
            let after = at + "include".len();
            let rest = &self.source.code[after..];
            if rest.starts_with(|c: char| c.is_alphanumeric()) {
                continue;
            }
            let blank = rest.len() - rest.trim_start().len();
            let end = if rest[blank..].starts_with('(') {
                self.parentheses.closing(after + blank).unwrap_or(after)
            } else {
                // Groovy's list goes on after a comma.
                let mut end = 0;
                for line in rest.split_inclusive('\n') {
                    end += line.len();
                    if !line.trim_end().ends_with(',') {
                        break;
                    }
                }
                after + end
            };
            if found.len() > MEMBERS {
                break;
            }
            for (_, path) in self.strings(&(after..end)).take(MEMBERS) {
                let path = path.trim_start_matches(':').replace('/', ":");
                found.push(format!(":{path}"));
            }
        }
        found.truncate(MEMBERS);
        found
    }

    /// Builds that settings include, by directory.
    pub(super) fn included_builds(&self) -> Vec<String> {
        let places = self.source.all("includeBuild").take(MOST);
        places
            .filter_map(|at| {
                self.given(at + "includeBuild".len())
                    .map(|(_, path)| path.to_owned())
            })
            .collect()
    }

    /// Where settings put a project: `project(":a").projectDir = file("x")`.
    pub(super) fn directories(&self) -> BTreeMap<String, String> {
        let places = self.source.all("projectDir").take(MEMBERS);
        let found = places.filter_map(|at| {
            let code = &self.source.code;
            let start = code[..at].rfind('\n').map_or(0, |at| at + 1);
            let end = code[at..].find('\n').map_or(code.len(), |end| at + end);
            let (_, path) = self.strings(&(start..at)).next()?;
            let (_, directory) = self.strings(&(at..end)).last()?;
            Some((path.clone(), directory.clone()))
        });
        found.collect()
    }
}

/// The lines of a range, with where each starts.
fn lines(code: &str, range: Range<usize>) -> impl Iterator<Item = (usize, &str)> {
    let mut at = range.start;
    code.get(range)
        .unwrap_or_default()
        .split_inclusive('\n')
        .flat_map(move |line| {
            let start = at;
            at += line.len();
            // Several statements may share a line.
            let mut from = start;
            line.split_inclusive(';')
                .map(move |part| {
                    let here = from;
                    from += part.len();
                    (here, part.trim_end_matches(['\n', ';']))
                })
                .collect::<Vec<_>>()
        })
}

/// The full ids of Gradle's own plugins and of some old short ones.
fn long_id(id: &str) -> String {
    match id {
        "kotlin" => "org.jetbrains.kotlin.jvm".to_owned(),
        "spring-boot" => "org.springframework.boot".to_owned(),
        other => other
            .strip_prefix("org.gradle.")
            .unwrap_or(other)
            .to_owned(),
    }
}

/// The name of a project by the directory that holds its script.
pub(super) fn directory_name(dir: &str) -> Option<&str> {
    let name = split(dir).1;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use crate::detect::document::Document;

    use super::*;

    #[test]
    fn both_languages_name_plugins_and_comments_do_not() {
        let groovy = "plugins {\n  id 'java'\n  // id 'war'\n  id \"org.springframework.boot\" version '3.4.1'\n  id 'x.y' apply false\n}\napply plugin: 'application'\n";
        let kotlin = "plugins {\n  application; `java-library`\n  kotlin(\"jvm\") version \"2.2.0\"\n  alias(libs.plugins.spring.boot)\n}\nsubprojects { apply(plugin = \"java\") }\n";
        let toml = "[versions]\nboot = \"3.5.0\"\n[plugins]\nspring-boot = { id = \"org.springframework.boot\", version.ref = \"boot\" }\n";
        let document =
            Document::parse("libs", toml, crate::detect::document::Syntax::Toml).unwrap();
        let catalog = Catalog::new(Some(Rc::new(document)));
        let ids = |text: &str| -> Vec<String> {
            let script = Script::parse("f", text);
            let plugins = script.plugins(&catalog).into_iter();
            plugins
                .map(|plugin| {
                    let version = plugin.version.unwrap_or_default();
                    format!("{}:{version}:{}", plugin.id, plugin.is_only_declared)
                })
                .collect()
        };
        assert_eq!(
            ids(groovy),
            [
                "java::false",
                "org.springframework.boot:3.4.1:false",
                "x.y::true",
                "application::false"
            ]
        );
        assert_eq!(
            ids(kotlin),
            [
                "application::false",
                "java-library::false",
                "org.jetbrains.kotlin.jvm:2.2.0:false",
                "org.springframework.boot:3.5.0:false"
            ]
        );
        assert_eq!(Script::parse("f", kotlin).shared_plugins().len(), 1);
    }

    #[test]
    fn settings_include_projects_in_every_form() {
        let script = Script::parse(
            "settings",
            "rootProject.name = 'shop'\ninclude 'a', ':b:c',\n  'd'\nincludeBuild 'build-logic'\ninclude(\":e\", \"f:g\")\n// include 'no'\nproject(':a').projectDir = file('modules/a')\n",
        );
        assert_eq!(script.includes(), [":a", ":b:c", ":d", ":e", ":f:g"]);
        assert_eq!(script.included_builds(), ["build-logic"]);
        assert_eq!(script.directories()[":a"], "modules/a");
        assert_eq!(script.text("rootProject.name", None).unwrap().value, "shop");
    }

    #[test]
    fn values_are_read_where_they_are_literal() {
        let script = Script::parse(
            "f",
            "version = \"1.2\"\napplication {\n  mainClass.set(\"a.Main\")\n}\nval x = \"$version-1\"\nname = \"a-${x}\"\njava { toolchain { languageVersion = JavaLanguageVersion.of(21) } }\nsourceCompatibility = '1.8'\n",
        );
        assert_eq!(script.text("version", None).unwrap().value, "1.2");
        assert_eq!(
            script.text("mainClass", Some("application")).unwrap().line,
            3
        );
        assert_eq!(script.text("name", None), None);
        assert_eq!(
            script.argument("JavaLanguageVersion.of").unwrap().value,
            "21"
        );
        assert_eq!(script.argument("sourceCompatibility").unwrap().value, "1.8");
    }
}
