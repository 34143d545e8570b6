//! The file that an interpreter is told to run.

/// How an interpreter reads its arguments.
struct Interpreter {
    /// Its name, to which digits and dots may be added.
    name: &'static str,
    /// Flags that stand alone.
    flags: &'static [&'static str],
    /// Flags whose value is the next argument.
    valued: &'static [&'static str],
    /// What it adds to a name that is no file.
    endings: &'static [&'static str],
}

// Only flags whose form is certain: after any other it is not known which argument is the file.
static INTERPRETERS: [Interpreter; 2] = [
    // https://nodejs.org/api/cli.html
    Interpreter {
        name: "node",
        flags: &[
            "--enable-source-maps",
            "--expose-gc",
            "--no-deprecation",
            "--no-warnings",
            "--preserve-symlinks",
            "--preserve-symlinks-main",
            "--trace-deprecation",
            "--trace-warnings",
            "--use-openssl-ca",
        ],
        valued: &[
            "--conditions",
            "--import",
            "--loader",
            "--require",
            "-C",
            "-r",
        ],
        endings: &[".js", ".json", ".node"],
    },
    // https://docs.python.org/3/using/cmdline.html
    Interpreter {
        name: "python",
        flags: &[
            "-B", "-E", "-I", "-O", "-OO", "-P", "-S", "-b", "-d", "-q", "-s", "-u", "-v", "-x",
        ],
        valued: &["-W", "-X"],
        endings: &[],
    },
];

/// The paths one of which `argv` has an interpreter run, the first that is there; empty where it runs something else,
/// or that cannot be told.
#[must_use]
pub fn script(argv: &[String]) -> Vec<String> {
    let Some((program, arguments)) = argv.split_first() else {
        return Vec::new();
    };
    let name = program.rsplit('/').next().unwrap_or(program);
    if name == "java" {
        return jar(arguments);
    }
    let name = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let Some(interpreter) = INTERPRETERS.iter().find(|known| known.name == name) else {
        return Vec::new();
    };
    let Some(file) = interpreter.file(arguments) else {
        return Vec::new();
    };
    std::iter::once(file.to_owned())
        .chain(interpreter.endings.iter().map(|end| format!("{file}{end}")))
        .collect()
}

impl Interpreter {
    fn file<'a>(&self, arguments: &'a [String]) -> Option<&'a str> {
        let mut arguments = arguments.iter().map(String::as_str);
        loop {
            match arguments.next()? {
                "--" => return arguments.next(),
                flag if self.flags.contains(&flag) => {}
                flag if self.valued.contains(&flag) => {
                    arguments.next();
                }
                flag if flag.starts_with("--") && flag.contains('=') => {
                    // What is given as text is no file.
                    if flag.starts_with("--eval=") || flag.starts_with("--print=") {
                        return None;
                    }
                }
                flag if flag.starts_with('-') => return None,
                file => return Some(file),
            }
        }
    }
}

fn jar(arguments: &[String]) -> Vec<String> {
    let mut arguments = arguments
        .iter()
        .skip_while(|flag| flag.starts_with('-') && *flag != "-jar");
    match arguments.next() {
        Some(flag) if flag == "-jar" => arguments.next().cloned().into_iter().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(command: &str) -> Option<String> {
        let argv: Vec<String> = command.split(' ').map(str::to_owned).collect();
        script(&argv).into_iter().next()
    }

    #[test]
    fn the_file_stands_behind_the_flags() {
        for (command, expected) in [
            ("node dist/main.js --port 1", "dist/main.js"),
            ("/usr/bin/node --enable-source-maps -r ./a.js b", "b"),
            ("node --max-old-space-size=400 -- c.js", "c.js"),
            ("python3.13 -u -X dev app.py", "app.py"),
            ("java -Xmx1g -jar app.jar", "app.jar"),
        ] {
            assert_eq!(first(command).as_deref(), Some(expected), "{command}");
        }
    }

    #[test]
    fn what_is_not_certain_is_no_file() {
        for command in [
            "node",
            "node -e 1",
            "node --eval=1 x",
            "node --inspect-port 1 x.js",
            "python -m app",
            "java -cp a Main",
            "gunicorn app:app",
        ] {
            assert_eq!(first(command), None, "{command}");
        }
    }

    #[test]
    fn node_completes_a_name() {
        let argv = ["node", "main"].map(str::to_owned);
        assert_eq!(script(&argv)[..2], ["main", "main.js"]);
    }
}
