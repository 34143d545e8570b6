//! Build constraints: which files are part of a build for Linux.

/// The operating systems and architectures that Go knows, which are constraints as the ends of file names
/// (<https://pkg.go.dev/internal/syslist>).
const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];

const ARCHITECTURES: &[&str] = &[
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

/// The architectures that images are made for.
const BUILT: &[&str] = &["amd64", "arm64"];

/// Whether a file is part of an ordinary build for Linux on one of the architectures that images are made for.
pub(super) fn is_built(name: &str, text: &str) -> bool {
    BUILT
        .iter()
        .any(|architecture| has_name(name, architecture) && allows(text, architecture))
}

/// Whether the end of a file's name allows it: `_linux`, `_arm64`, `_linux_arm64`.
fn has_name(name: &str, architecture: &str) -> bool {
    let stem = name.strip_suffix(".go").unwrap_or(name);
    let stem = stem.strip_suffix("_test").unwrap_or(stem);
    // What stands before the first underscore is the name itself.
    let Some((_, ends)) = stem.split_once('_') else {
        return true;
    };
    let ends: Vec<&str> = ends.rsplit('_').collect();
    match ends.as_slice() {
        [last, system, ..] if ARCHITECTURES.contains(last) && SYSTEMS.contains(system) => {
            *last == architecture && *system == "linux"
        }
        [last, ..] if ARCHITECTURES.contains(last) => *last == architecture,
        [last, ..] if SYSTEMS.contains(last) => *last == "linux",
        _ => true,
    }
}

/// Whether the constraint before the package clause allows it.
fn allows(text: &str, architecture: &str) -> bool {
    let head = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("package "));
    let mut old = Vec::new();
    for line in head {
        if let Some(expression) = line.strip_prefix("//go:build ") {
            return evaluate(expression, architecture);
        }
        let comment = line.strip_prefix("//").map(str::trim_start);
        if let Some(options) = comment.and_then(|text| text.strip_prefix("+build ")) {
            old.push(options.to_owned());
        }
    }
    // Lines of the old form are all to be true; in one of them, blanks are "or" and commas are "and".
    old.iter().all(|line| {
        line.split_whitespace().any(|option| {
            option.split(',').all(|term| match term.strip_prefix('!') {
                Some(term) => !is_tag(term, architecture),
                None => is_tag(term, architecture),
            })
        })
    })
}

/// Whether a tag is set in an ordinary build: the platform, the compiler, its version.
fn is_tag(tag: &str, architecture: &str) -> bool {
    matches!(tag, "linux" | "unix" | "gc" | "cgo") || tag == architecture || tag.starts_with("go1.")
}

/// The deepest nesting of parentheses that is followed.
const DEEPEST: usize = 50;

/// The value of an expression of `||`, `&&`, `!` and parentheses; one that is malformed is true, as Go will say what is wrong.
fn evaluate(expression: &str, architecture: &str) -> bool {
    let mut parser = Parser {
        rest: expression,
        architecture,
        depth: 0,
    };
    parser.or().unwrap_or(true)
}

struct Parser<'a> {
    rest: &'a str,
    architecture: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn eat(&mut self, mark: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn or(&mut self) -> Option<bool> {
        let mut value = self.and()?;
        while self.eat("||") {
            value |= self.and()?;
        }
        Some(value)
    }

    fn and(&mut self) -> Option<bool> {
        let mut value = self.not()?;
        while self.eat("&&") {
            value &= self.not()?;
        }
        Some(value)
    }

    fn not(&mut self) -> Option<bool> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let value = if self.eat("!") {
            self.not().map(|value| !value)
        } else if self.eat("(") {
            let value = self.or();
            if self.eat(")") { value } else { None }
        } else {
            self.tag()
        };
        self.depth -= 1;
        value
    }

    fn tag(&mut self) -> Option<bool> {
        self.rest = self.rest.trim_start();
        let is_tag_character = |c: char| c == '_' || c == '.' || c.is_alphanumeric();
        let end = self
            .rest
            .find(|c| !is_tag_character(c))
            .unwrap_or(self.rest.len());
        let (tag, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!tag.is_empty()).then(|| is_tag(tag, self.architecture))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_decides_whether_a_file_is_built() {
        for (line, is_in) in [
            ("//go:build linux", true),
            ("//go:build windows", false),
            ("//go:build !windows", true),
            ("//go:build linux && amd64", true),
            ("//go:build (darwin || linux) && !arm", true),
            ("//go:build linux && (386 || wasm)", false),
            ("//go:build ignore", false),
            ("//go:build tools", false),
            ("//go:build integration || e2e", false),
            ("//go:build go1.21 && unix", true),
            ("//go:build !(linux && !cgo)", true),
            ("// +build linux,amd64 darwin", true),
            ("// +build ignore", false),
            ("// +build linux\n// +build !amd64,!arm64", false),
            ("// a comment\n//go:build ignore", false),
            ("//go:build ((", true),
        ] {
            let text = format!("{line}\n\npackage main\n");
            assert_eq!(is_built("main.go", &text), is_in, "{line}");
        }
        assert!(
            is_built("main.go", "package main\n\n//go:build ignore\n"),
            "behind the package clause it is a comment"
        );
    }

    #[test]
    fn the_end_of_a_name_is_a_constraint() {
        for (name, is_in) in [
            ("main_windows.go", false),
            ("main_linux.go", true),
            ("main_arm64.go", true),
            ("main_linux_amd64.go", true),
            ("main_linux_s390x.go", false),
            ("main_darwin_arm64.go", false),
            ("windows.go", true),
            ("main_unix.go", true),
            ("wasm_exec.go", true),
        ] {
            assert_eq!(is_built(name, "package main\n"), is_in, "{name}");
        }
    }
}
