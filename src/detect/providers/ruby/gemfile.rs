//! Gemfiles and their lock files.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::repo::Dir;
use crate::detect::source::{Family, Source};

/// A gem that a Gemfile asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gem {
    pub(super) line: u64,
    /// Whether it is needed for development or tests only.
    pub(super) is_development: bool,
    /// Its directory, where it lies in the repository.
    pub(super) path: Option<String>,
    pub(super) is_git: bool,
}

/// What a Gemfile says.
#[derive(Clone, Debug, Default)]
pub(super) struct Gemfile {
    /// Its path.
    pub(super) file: String,
    pub(super) gems: BTreeMap<String, Gem>,
    /// The requirement for Ruby, and its line.
    pub(super) ruby: Option<(String, u64)>,
    /// The line that takes Ruby's version from another file.
    pub(super) ruby_file: Option<u64>,
    /// Another implementation of Ruby that it asks for.
    pub(super) engine: Option<(String, u64)>,
    /// Whether it takes its dependencies from a gemspec.
    pub(super) has_gemspec: bool,
}

/// What a lock file says.
#[derive(Clone, Debug, Default)]
pub(super) struct Lock {
    /// Its path.
    pub(super) file: String,
    /// The versions of every gem, with their platforms, and the line of the first.
    pub(super) gems: BTreeMap<String, (Vec<String>, u64)>,
    /// Where gems lie in the repository, relative to the lock file.
    pub(super) paths: BTreeSet<String>,
    pub(super) platforms: Vec<(String, u64)>,
    pub(super) ruby: Option<(String, u64)>,
    pub(super) has_remote: bool,
    pub(super) has_git: bool,
}

/// The groups that are not installed.
const DEVELOPMENT: &[&str] = &[":development", ":test"];

impl Gemfile {
    pub(super) fn read(dir: Dir<'_>) -> Option<Self> {
        let name = dir.first(&["Gemfile", "gems.rb"])?;
        let text = dir.text(name).ok()?;
        let mut gemfile = Self::parse(&text);
        gemfile.file = dir.join(name);
        Some(gemfile)
    }

    fn parse(text: &str) -> Self {
        let source = Source::parse(text, Family::Ruby);
        let mut found = Self::default();
        // For every open block, whether it is a group for development.
        let mut open: Vec<bool> = Vec::new();
        for (at, statement) in statements(&source.code) {
            let trimmed = statement.trim_start();
            let at = at + (statement.len() - trimmed.len());
            let trimmed = trimmed.trim_end();
            let word = trimmed.split([' ', '(', '\n']).next().unwrap_or_default();
            let line = source.line(at);
            let strings = strings(&source, at, trimmed.len());
            match word {
                "end" => {
                    open.pop();
                }
                "gem" => {
                    let inherits = open.contains(&true);
                    if let Some((name, gem)) = gem(trimmed, &strings, inherits, line) {
                        found.gems.entry(name).or_insert(gem);
                    }
                }
                "gemspec" => found.has_gemspec = true,
                "ruby" => found.ruby_line(trimmed, &strings, line),
                _ => {}
            }
            let is_block = trimmed.ends_with(" do") || trimmed.contains(" do |");
            if is_block || ["if", "unless", "case"].contains(&word) {
                open.push(word == "group" && is_development(trimmed));
            }
        }
        found
    }

    fn ruby_line(&mut self, statement: &str, strings: &[(usize, String)], line: u64) {
        let engine = statement.find("engine:");
        if let Some(at) = engine
            && let Some((_, name)) = strings.iter().find(|(place, _)| *place > at)
        {
            self.engine = Some((name.clone(), line)).filter(|(name, _)| name != "ruby");
        }
        if statement.contains("file:") {
            self.ruby_file = Some(line);
            return;
        }
        let end = engine.unwrap_or(usize::MAX);
        let versions: Vec<&str> = strings
            .iter()
            .filter(|(place, _)| *place < end)
            .map(|(_, text)| text.as_str())
            .collect();
        if !versions.is_empty() {
            self.ruby = Some((versions.join(", "), line));
        }
    }
}

/// The statements with their places: lines, joined where one ends with a comma.
fn statements(code: &str) -> Vec<(usize, String)> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    let mut at = 0;
    let mut is_open = false;
    for line in code.split_inclusive('\n') {
        match statements.last_mut() {
            Some((_, statement)) if is_open => statement.push_str(line),
            _ => statements.push((at, line.to_owned())),
        }
        is_open = line.trim_end().ends_with(',') || (is_open && line.trim().is_empty());
        at += line.len();
    }
    statements
}

/// The strings of a statement, with their places in it.
fn strings(source: &Source, at: usize, length: usize) -> Vec<(usize, String)> {
    let first = source.strings.partition_point(|(place, _)| *place < at);
    let inside = source.strings[first..]
        .iter()
        .take_while(|(place, _)| *place < at + length);
    inside
        .map(|(place, text)| (place - at, text.clone()))
        .collect()
}

fn gem(
    statement: &str,
    strings: &[(usize, String)],
    inherits: bool,
    line: u64,
) -> Option<(String, Gem)> {
    let (_, name) = strings.first()?;
    let after = |key: &str| {
        let at = statement.find(key)?;
        strings.iter().find(|(place, _)| *place > at)
    };
    let group = statement
        .find("group:")
        .or_else(|| statement.find("groups:"))
        .map(|at| &statement[at..]);
    let gem = Gem {
        line,
        is_development: inherits || group.is_some_and(is_development),
        path: after(" path:").map(|(_, path)| path.clone()),
        is_git: after(" git:").is_some() || after(" github:").is_some(),
    };
    Some((name.clone(), gem))
}

/// Whether all the groups that a text names are for development.
fn is_development(text: &str) -> bool {
    let symbols: Vec<&str> = text
        .split(|c: char| c != ':' && c != '_' && !c.is_ascii_alphanumeric())
        .filter(|word| word.starts_with(':') && word.len() > 1)
        .collect();
    !symbols.is_empty() && symbols.iter().all(|word| DEVELOPMENT.contains(word))
}

impl Lock {
    pub(super) fn read(dir: Dir<'_>, repo: &crate::detect::Repo) -> Option<Self> {
        let name = dir.first(&["Gemfile.lock", "gems.locked"])?;
        let file = dir.join(name);
        let mut lock = Self::parse(&repo.lock(&file)?);
        lock.file = file;
        Some(lock)
    }

    fn parse(text: &str) -> Self {
        let mut lock = Self::default();
        let mut section = "";
        for (line, number) in text.lines().zip(1..) {
            if !line.starts_with(' ') {
                section = line.trim();
                lock.has_git |= section == "GIT";
                continue;
            }
            let entry = line.trim();
            match section {
                "GEM" | "GIT" | "PATH" => {
                    if let Some(path) = entry.strip_prefix("remote: ")
                        && section == "PATH"
                    {
                        lock.paths.insert(path.to_owned());
                    }
                    if let Some((name, version)) = spec(line) {
                        lock.has_remote |= section != "PATH";
                        let known = lock.gems.entry(name.to_owned());
                        known
                            .or_insert((Vec::new(), number))
                            .0
                            .push(version.to_owned());
                    }
                }
                "PLATFORMS" => lock.platforms.push((entry.to_owned(), number)),
                "RUBY VERSION" => {
                    let version = entry.strip_prefix("ruby ").unwrap_or(entry);
                    lock.ruby = Some((version.to_owned(), number));
                }
                _ => {}
            }
        }
        lock
    }
}

/// The gem and the version of a line such as `    rack (3.1.8)`; what it depends on stands deeper.
fn spec(line: &str) -> Option<(&str, &str)> {
    let entry = line
        .strip_prefix("    ")
        .filter(|rest| !rest.starts_with(' '))?;
    let (name, version) = entry.split_once(" (")?;
    Some((name, version.trim_end_matches(')')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gems_are_told_from_comments_and_by_group() {
        let gemfile = Gemfile::parse(
            r#"
source "https://gems.example.com"
ruby '~> 3.3', engine: "ruby"
# gem "rails"
gem "puma", ">= 5"
gem 'own',
  path: "gems/own"
gem("fork", github: "example/fork")
gem "debug", group: :development
gem "both", groups: [:development, :production]
group :development, :test do
  gem "rspec"
  platforms :mri do
    gem "byebug"
  end
end
group :production do
  gem "pg"
end
gem "last" if true
"#,
        );
        let shown: Vec<String> = gemfile
            .gems
            .iter()
            .map(|(name, gem)| {
                let path = gem.path.as_deref().unwrap_or("");
                format!("{name}:{} {} {path}", gem.line, gem.is_development)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "both:10 false ",
                "byebug:14 true ",
                "debug:9 true ",
                "fork:8 false ",
                "last:20 false ",
                "own:6 false gems/own",
                "pg:18 false ",
                "puma:5 false ",
                "rspec:12 true ",
            ]
        );
        assert!(gemfile.gems["fork"].is_git);
        assert_eq!(gemfile.ruby, Some(("~> 3.3".to_owned(), 3)));
        assert_eq!(gemfile.engine, None);
    }

    #[test]
    fn a_lock_file_gives_gems_platforms_and_ruby() {
        let lock = Lock::parse(
            "PATH\n  remote: gems/own\n  specs:\n    own (1.0)\n\nGEM\n  remote: https://gems.example.com/\n  specs:\n    nokogiri (1.18.9-x86_64-linux-gnu)\n      racc (~> 1.4)\n    nokogiri (1.18.9)\n\nPLATFORMS\n  ruby\n  x86_64-linux\n\nRUBY VERSION\n   ruby 3.3.1p55\n\nBUNDLED WITH\n   2.5.9\n",
        );
        assert_eq!(
            lock.gems["nokogiri"].0,
            ["1.18.9-x86_64-linux-gnu", "1.18.9"]
        );
        assert!(!lock.gems.contains_key("racc"));
        assert_eq!(lock.ruby, Some(("3.3.1p55".to_owned(), 18)));
        assert_eq!(lock.platforms.len(), 2);
        assert!(lock.has_remote && lock.paths.contains("gems/own"));
    }
}
