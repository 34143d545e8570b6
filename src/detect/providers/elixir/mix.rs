//! What `mix.exs` says.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::source::{Fact, Family, Source};

/// A release that a project names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) name: Fact<String>,
    /// The apps that it starts, where it says so.
    pub(super) apps: BTreeSet<String>,
}

/// A project of Mix.
#[derive(Clone, Debug, Default)]
pub(super) struct Mix {
    /// Its path.
    pub(super) file: String,
    pub(super) app: Option<Fact<String>>,
    /// The requirement for Elixir.
    pub(super) elixir: Option<Fact<String>>,
    /// The module that starts with the app: without one it is a library.
    pub(super) module: Option<u64>,
    /// Where the apps of an umbrella are.
    pub(super) apps_path: Option<Fact<String>>,
    pub(super) releases: Vec<Release>,
    /// Its dependencies, without those for development and tests, with their lines.
    pub(super) deps: BTreeMap<String, u64>,
    /// The aliases that it defines.
    pub(super) aliases: BTreeSet<String>,
    /// The line that makes it a program of one file.
    pub(super) escript: Option<u64>,
    /// The line that describes it for a registry.
    pub(super) package: Option<u64>,
}

impl Mix {
    pub(super) fn parse(file: &str, text: &str) -> Self {
        let source = Source::parse(text, Family::Elixir);
        let line = |key: &str| source.find(key).map(|at| source.line(at));
        let fact = |value: String, at: usize| Fact {
            value,
            file: file.to_owned(),
            line: source.line(at),
        };
        let text_after = |key: &str| {
            let at = source.find(key)? + key.len();
            Some(fact(source.string_at(at)?.to_owned(), at))
        };
        let app = source.find("app: :").map(|at| {
            let start = at + "app: :".len();
            fact(word(&source.code[start..]), start)
        });
        let mut found = Self {
            file: file.to_owned(),
            app,
            elixir: text_after("elixir:"),
            module: line("mod: {"),
            apps_path: text_after("apps_path:"),
            escript: line("escript:"),
            package: line("package:"),
            ..Self::default()
        };
        found.releases(&source, file);
        found.deps(&source);
        found.aliases(&source);
        found
    }

    /// The keys of the list behind `releases:`, or in the function of that name.
    fn releases(&mut self, source: &Source, file: &str) {
        let Some(at) = source
            .find("releases: [")
            .or_else(|| source.find("releases do"))
        else {
            return;
        };
        let Some(open) = source.code[at..].find('[').map(|open| at + open) else {
            return;
        };
        for (place, name, depth) in keys(&source.code, open) {
            if depth == 1 {
                let name = Fact {
                    value: name,
                    file: file.to_owned(),
                    line: source.line(place),
                };
                self.releases.push(Release {
                    name,
                    apps: BTreeSet::new(),
                });
            } else if depth == 3
                && let Some(release) = self.releases.last_mut()
            {
                release.apps.insert(name);
            }
        }
    }

    fn deps(&mut self, source: &Source) {
        let start = source.find("deps do").or_else(|| source.find("deps: ["));
        let Some(start) = start else { return };
        let end = source.code[start..]
            .find("\n  end")
            .map_or(source.code.len(), |end| start + end);
        for at in source.all("{:").filter(|at| (start..end).contains(at)) {
            let tuple = &source.code[at..];
            let tuple = &tuple[..tuple.find('}').unwrap_or(tuple.len())];
            let only = tuple.find("only:").map(|at| &tuple[at..]);
            if only.is_none_or(|only| only.contains(":prod")) {
                self.deps.insert(word(&tuple[2..]), source.line(at));
            }
        }
    }

    /// Quoted keys: `"assets.deploy": [...]`.
    fn aliases(&mut self, source: &Source) {
        for (at, text) in &source.strings {
            if source.code[at + text.len()..]
                .get(2..)
                .is_some_and(|rest| rest.starts_with(':'))
            {
                self.aliases.insert(text.clone());
            }
        }
    }
}

/// The keys of the list that opens at `open`, with their places and how deep they stand in it.
fn keys(code: &str, open: usize) -> Vec<(usize, String, usize)> {
    let mut depth = 0_usize;
    let mut keys = Vec::new();
    for (offset, character) in code[open..].char_indices() {
        let place = open + offset;
        match character {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return keys;
                }
            }
            ':' if code[place + 1..].starts_with([' ', '\n']) => {
                let before = &code[open..place];
                let is_part = |byte: &u8| *byte == b'_' || byte.is_ascii_alphanumeric();
                let length = before.bytes().rev().take_while(is_part).count();
                let start = before.len() - length;
                if length > 0 {
                    keys.push((place, before[start..].to_owned(), depth));
                }
            }
            _ => {}
        }
    }
    keys
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| *c == '_' || c.is_ascii_alphanumeric())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_read_without_its_comments() {
        let mix = Mix::parse(
            "mix.exs",
            r#"defmodule Shop.MixProject do
  use Mix.Project

  # app: :wrong, apps_path: "wrong"
  def project do
    [
      version: "0.1.0",
      elixir: "~> 1.15",
      app: :shop,
      releases: [
        store: [include_executables_for: [:unix]],
        worker: [applications: [shop: :permanent]]
      ],
      aliases: aliases(),
      deps: deps()
    ]
  end

  def application, do: [mod: {Shop.Application, []}]

  defp deps do
    [
      {:phoenix, "~> 1.8"},
      {:credo, "~> 1.7", only: [:dev, :test], runtime: false},
      {:bandit, "~> 1.5"}
    ]
  end

  defp aliases do
    ["assets.deploy": ["esbuild shop --minify", "phx.digest"], setup: ["deps.get"]]
  end
end
"#,
        );
        let value = |fact: &Option<Fact<String>>| fact.as_ref().map(|f| (f.value.clone(), f.line));
        assert_eq!(value(&mix.app), Some(("shop".to_owned(), 9)));
        assert_eq!(value(&mix.elixir), Some(("~> 1.15".to_owned(), 8)));
        assert_eq!(value(&mix.apps_path), None);
        let releases: Vec<(&str, usize)> = mix
            .releases
            .iter()
            .map(|release| (release.name.value.as_str(), release.apps.len()))
            .collect();
        assert_eq!(releases, [("store", 0), ("worker", 1)]);
        let deps: Vec<&str> = mix.deps.keys().map(String::as_str).collect();
        assert_eq!(deps, ["bandit", "phoenix"]);
        assert!(mix.aliases.contains("assets.deploy"));
        assert_eq!(mix.module, Some(19));
    }
}
