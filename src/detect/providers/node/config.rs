//! Configuration that is written as code: the object that a file exports, as far as it can be known without running it.
//!
//! Variables of the environment are known as well: the build sees those that the spec gives it, and no others.

mod evaluate;
mod token;

use crate::detect::provider::Scan;
use crate::detect::repo::join;

use evaluate::Evaluator;

/// What an expression gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `undefined`, `null`, or a variable of the environment that the build does not have.
    Nothing,
    Bool(bool),
    Text(String),
    Array(Vec<Self>),
    /// Keys with their values and lines, in the order of the source.
    Object(Vec<(String, Self, u64)>),
    /// A call: what is called, as its module says or as it is named, and its arguments.
    Call(String, Vec<Self>),
    /// A function, with what it returns.
    Function(Box<Self>),
    /// One of several.
    Either(Vec<Self>),
    /// Only running it would tell.
    Unknown,
}

impl Value {
    /// What is left of a value where it is used as a configuration: what functions return, what wrappers are given.
    fn settled(&self) -> &Self {
        match self {
            Self::Function(returned) => returned.settled(),
            Self::Call(_, arguments) => arguments
                .iter()
                .map(Self::settled)
                .find(|value| matches!(value, Self::Object(_) | Self::Either(_)))
                .unwrap_or(&Self::Unknown),
            other => other,
        }
    }

    fn key(&self, key: &str) -> (Self, Option<u64>) {
        match self.settled() {
            Self::Object(members) => {
                let found = members.iter().rfind(|(name, _, _)| name == key);
                let is_open = members.iter().any(|(name, _, _)| name == SPREAD);
                match found {
                    Some((_, value, line)) => (value.clone(), Some(*line)),
                    None if is_open => (Self::Unknown, None),
                    None => (Self::Nothing, None),
                }
            }
            Self::Either(values) => {
                let found: Vec<(Self, Option<u64>)> =
                    values.iter().map(|value| value.key(key)).collect();
                let line = found.iter().find_map(|(_, line)| *line);
                let values = found.into_iter().map(|(value, _)| value).collect();
                (either(values), line)
            }
            Self::Unknown => (Self::Unknown, None),
            _ => (Self::Nothing, None),
        }
    }
}

/// The key that stands for members which cannot be known.
const SPREAD: &str = "...";

/// One of several values, or the one that all of them are.
fn either(mut values: Vec<Value>) -> Value {
    values.dedup();
    match values.len() {
        0 => Value::Nothing,
        1 => values.remove(0),
        _ => Value::Either(values),
    }
}

/// A configuration file.
pub(super) struct Config {
    /// Relative to the repository's root.
    pub(super) file: String,
    root: Value,
    strings: Vec<(String, u64)>,
    /// `config.output = …` after the object was written, by the last name.
    assigned: Vec<(String, Value, u64)>,
}

/// A value of a configuration, with its place.
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) line: Option<u64>,
}

impl Setting {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is(&self, wanted: bool) -> bool {
        self.value == Value::Bool(wanted)
    }

    /// Whether only running the configuration would tell.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(
            self.value,
            Value::Unknown | Value::Either(_) | Value::Call(..) | Value::Function(_)
        )
    }

    /// What is called, where the value is a call.
    pub(super) fn called(&self) -> Option<&str> {
        match &self.value {
            Value::Call(name, _) => Some(name),
            _ => None,
        }
    }

    /// A key of the object that a call is given first.
    pub(super) fn option(&self, key: &str) -> Option<String> {
        let Value::Call(_, arguments) = &self.value else {
            return None;
        };
        match arguments.first()?.key(key).0 {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Config {
    /// Reads the configuration `stem` of a directory, in whichever of its spellings it exists.
    pub(super) fn read(scan: &Scan<'_>, dir: &str, stem: &str) -> Option<Self> {
        let file = find(scan, dir, stem)?;
        let text = scan.repo.text(&file).ok()?;
        Some(Self::parse(&file, &text))
    }

    fn parse(file: &str, text: &str) -> Self {
        let tokens = token::tokens(text);
        let mut evaluator = Evaluator::new(&tokens);
        Self {
            file: file.to_owned(),
            root: evaluator.exported(),
            strings: token::strings(&tokens),
            assigned: evaluator.assigned(),
        }
    }

    /// The value at a path of keys.
    pub(super) fn at(&self, keys: &[&str]) -> Setting {
        let mut value = self.root.clone();
        let mut line = None;
        for key in keys {
            let (next, at) = value.key(key);
            value = next;
            line = at;
        }
        let last = keys.last().copied().unwrap_or_default();
        for (_, later, at) in self.assigned.iter().filter(|(name, _, _)| name == last) {
            value = later.clone();
            line = Some(*at);
        }
        Setting { value, line }
    }

    /// The line on which a text stands, as a string of its own.
    pub(super) fn string(&self, text: &str) -> Option<u64> {
        let found = self.strings.iter().find(|(string, _)| string == text);
        found.map(|(_, line)| *line)
    }
}

/// The path of the configuration `stem` in a directory.
pub(super) fn find(scan: &Scan<'_>, dir: &str, stem: &str) -> Option<String> {
    let dir = scan.repo.dir(dir)?;
    ["ts", "mts", "mjs", "js", "cjs", "cts"]
        .iter()
        .map(|ending| format!("{stem}.{ending}"))
        .find(|name| dir.has(name))
        .map(|name| join(dir.path(), &name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, keys: &[&str]) -> Value {
        Config::parse("c.ts", text).at(keys).value
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn the_exported_object_is_found_however_it_is_written() {
        for source in [
            "export default { output: 'export' }",
            "module.exports = { output: 'export' };",
            "const c: NextConfig = { output: 'export' };\nexport default c;",
            "export default defineConfig({ output: `export` })",
            "export default defineConfig(({ mode }) => ({ output: \"export\" }))",
            "export default async function config(phase) { const c = { output: 'export' }; return c; }",
            "module.exports = withA({ x: 1 })(withB({ output: 'export' }))",
            "const base = { output: 'export' };\nexport default { ...base, a: [1, { output: 'x' }] } satisfies Config;",
            "const output = 'export';\nmodule.exports = { output };",
            "module.exports = (phase) => { return { output: 'export' } }",
            "export default { output: process.env.NODE_ENV === 'production' ? 'export' : undefined } as Config",
            "export default { output: process.env.A ? 'standalone' : 'export' }",
            "const c = {};\nc.output = 'export';\nexport default c",
            "import type { A } from 'a'\nconst c = { async rewrites() { return [{ output: 1 }] }, output: ('export') }\nexport default c",
            "const c = { webpack: (config, { dev }) => { if (dev) { return config } return config }, output: 'export' }\nmodule.exports = c",
        ] {
            assert_eq!(at(source, &["output"]), text("export"), "{source}");
        }
    }

    #[test]
    fn keys_elsewhere_and_in_comments_are_not_the_key() {
        for source in [
            "export default { // output: 'export'\n }",
            "export default { images: { output: 'export' } }",
            "const other = { output: 'export' }; export default {}",
            "export default { /* output: 'export', */ a: \"output: 'export'\" }",
        ] {
            assert_eq!(at(source, &["output"]), Value::Nothing, "{source}");
        }
    }

    #[test]
    fn what_only_a_run_would_tell_is_unknown() {
        for source in [
            "export default { output: compute() }",
            "export default { ...require('./base') }",
            "const c = {}; if (x) { c.output = 'export' } export default c",
            "export default (x) => { if (x) { return { output: 'a' } } return { output: 'b' } }",
            "import c from './c'; export default c",
        ] {
            let setting = Config::parse("c", source).at(&["output"]);
            let is_known = matches!(setting.value, Value::Nothing | Value::Text(_));
            assert!(!is_known, "{source}: {:?}", setting.value);
        }
    }

    #[test]
    fn an_adapter_is_named_by_its_module() {
        let source = "import node from '@astrojs/node';\nexport default defineConfig({\n  adapter: node({ mode: 'middleware' }) })";
        let config = Config::parse("c", source);
        let adapter = config.at(&["adapter"]);
        assert_eq!(adapter.called(), Some("@astrojs/node"));
        assert_eq!(adapter.option("mode").as_deref(), Some("middleware"));
        assert_eq!(adapter.line, Some(3));
    }

    #[test]
    fn hostile_text_costs_little() {
        let deep = "export default ".to_owned() + &"[".repeat(100_000);
        let cycle = "const a = b; const b = a; export default a";
        let wide = format!(
            "const a0 = {{}};{} export default a40",
            (1..41)
                .map(|n| format!("const a{n} = {{ x: a{}, y: a{} }};", n - 1, n - 1))
                .collect::<String>()
        );
        for source in [
            deep.as_str(),
            cycle,
            &wide,
            "export default",
            "export default (((",
            "`",
            "module.exports =",
        ] {
            let _ = Config::parse("c", source).at(&["a", "b"]);
        }
    }
}
