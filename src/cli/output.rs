//! `--output`: where images go, in the syntax of buildx.

use std::collections::BTreeMap;
use std::fmt;

use crate::progress::escape;

use super::failure::{Exit, Failure, Problem, all, refuse};
use super::inputs::list_or;
use super::{args, tags};

/// Where images go and in which form; `{app}` in it stands for the app's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// As it was given.
    text: String,
    pub(super) form: Form,
    /// Where it goes, for forms that leave the daemon.
    pub(super) dest: Option<Dest>,
    /// The names of the image, instead of those of `--tag`.
    pub(super) names: Vec<String>,
    /// What the daemon's exporter reads besides.
    pub(super) attributes: BTreeMap<String, String>,
}

/// What becomes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It is loaded into the Engine.
    Engine,
    /// A tarball that `docker load` reads.
    Docker,
    /// A tarball of an image layout.
    Oci,
    /// An image layout as a directory.
    Layout,
    /// Its files in a directory.
    Local,
    /// Its files in a tarball.
    Rootfs,
    /// It stays at the daemon, which may push it.
    Image,
}

/// A place at the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dest {
    Stdout,
    Path(String),
}

/// What the values of a key may be.
#[derive(Clone, Copy)]
enum Rule {
    Boolean,
    Compression,
    Level,
    Text,
}

/// A type of output as buildx names it, and its keys.
struct Type {
    name: &'static str,
    keys: &'static [&'static [(&'static str, Rule)]],
    has_dest: bool,
}

const ABOUT_IMAGES: &[(&str, Rule)] = &[
    ("compression", Rule::Compression),
    ("compression-level", Rule::Level),
    ("force-compression", Rule::Boolean),
    ("name", Rule::Text),
    ("oci-mediatypes", Rule::Boolean),
];
const ABOUT_FILES: &[(&str, Rule)] = &[("dest", Rule::Text)];
const ABOUT_LAYOUTS: &[(&str, Rule)] = &[("tar", Rule::Boolean)];
const ABOUT_PLATFORMS: &[(&str, Rule)] = &[("platform-split", Rule::Boolean)];
const ABOUT_REGISTRIES: &[(&str, Rule)] = &[
    ("name-canonical", Rule::Boolean),
    ("push", Rule::Boolean),
    ("push-by-digest", Rule::Boolean),
    ("registry.insecure", Rule::Boolean),
    ("store", Rule::Boolean),
];

// Sorted by name.
static TYPES: [Type; 7] = [
    Type {
        name: "docker",
        keys: &[ABOUT_FILES, ABOUT_IMAGES],
        has_dest: true,
    },
    Type {
        name: "image",
        keys: &[ABOUT_IMAGES, ABOUT_REGISTRIES],
        has_dest: false,
    },
    Type {
        name: "local",
        keys: &[ABOUT_FILES, ABOUT_PLATFORMS],
        has_dest: true,
    },
    Type {
        name: "oci",
        keys: &[ABOUT_FILES, ABOUT_IMAGES, ABOUT_LAYOUTS],
        has_dest: true,
    },
    Type {
        name: "registry",
        keys: &[ABOUT_IMAGES, ABOUT_REGISTRIES],
        has_dest: false,
    },
    Type {
        name: "rootfs",
        keys: &[ABOUT_FILES],
        has_dest: true,
    },
    Type {
        name: "tar",
        keys: &[ABOUT_FILES, ABOUT_IMAGES],
        has_dest: true,
    },
];

const COMPRESSIONS: [&str; 4] = ["estargz", "gzip", "uncompressed", "zstd"];
const ANNOTATION: &str = "annotation";
const FORMS: &str = "write type=docker, type=docker,dest=FILE, type=oci,dest=FILE, type=local,dest=DIR or type=image,push=true";

impl Type {
    fn rule(&self, key: &str) -> Option<Rule> {
        let mut keys = self.keys.iter().copied().flatten();
        keys.find(|(name, _)| *name == key).map(|(_, rule)| *rule)
    }

    /// Refuses a key that the type does not have, and a value that the key cannot have.
    fn check(&self, key: &str, value: &mut String) -> Result<(), Wrong> {
        match self.rule(key) {
            Some(rule) => check(key, value, rule),
            None if self.is_about_images() && key.starts_with(ANNOTATION) => annotation_key(key),
            None => Err(unknown_key(self, key)),
        }
    }

    fn is_about_images(&self) -> bool {
        self.rule("name").is_some()
    }

    fn names_of_keys(&self) -> Vec<String> {
        let keys = self.keys.iter().copied().flatten();
        let mut names: Vec<String> = keys.map(|(name, _)| (*name).to_owned()).collect();
        names.sort();
        names
    }
}

impl Output {
    /// The images of the Engine.
    pub(super) fn engine() -> Self {
        Self::bare("type=docker", Form::Engine, None)
    }

    /// The registries that the image's names tell.
    pub(super) fn push() -> Self {
        let attributes = BTreeMap::from([("push".to_owned(), "true".to_owned())]);
        Self {
            attributes,
            ..Self::bare("type=registry", Form::Image, None)
        }
    }

    fn bare(text: &str, form: Form, dest: Option<Dest>) -> Self {
        Self {
            text: text.to_owned(),
            form,
            dest,
            names: Vec::new(),
            attributes: BTreeMap::new(),
        }
    }

    /// Reads one `--output`: fields of comma-separated values, or a path alone.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        Self::read(text).map_err(|wrong| {
            let problems = wrong.into_iter().map(|Wrong { reason, hint }| {
                Problem::new(format!("`--output {}`: {reason}", escape(text))).hint(hint)
            });
            Failure::several(Exit::Input, problems.collect())
        })
    }

    fn read(text: &str) -> Result<Self, Vec<Wrong>> {
        if text == "-" {
            return Ok(Self::bare(text, Form::Docker, Some(Dest::Stdout)));
        }
        let fields = csv(text).map_err(|wrong| vec![wrong])?;
        if let [path] = &*fields
            && !path.contains('=')
        {
            if TYPES.iter().any(|known| known.name == path) {
                let hint = format!("`type={path}` names a type, `./{path}` a directory");
                return Err(vec![Wrong::new(
                    "it is a type and may be a directory",
                    hint,
                )]);
            }
            return Ok(Self::bare(
                text,
                Form::Local,
                Some(Dest::Path(path.clone())),
            ));
        }
        let (mut values, mut wrong) = (BTreeMap::new(), Vec::new());
        for field in &fields {
            match pair(field) {
                Ok((key, value)) => {
                    if values.insert(key.clone(), value).is_some() {
                        wrong.push(Wrong::new(format!("`{key}` is given twice"), FORMS));
                    }
                }
                Err(reason) => wrong.push(reason),
            }
        }
        let kind = match values.remove("type") {
            None => Err(Wrong::new("it has no type", FORMS)),
            Some(name) => {
                let kind = TYPES.iter().find(|known| known.name == name);
                kind.ok_or_else(|| unknown_type(&name))
            }
        };
        match kind {
            Ok(kind) => Self::of_type(text, kind, values, wrong),
            Err(reason) => {
                wrong.push(reason);
                Err(wrong)
            }
        }
    }

    fn of_type(
        text: &str,
        kind: &Type,
        mut values: BTreeMap<String, String>,
        mut wrong: Vec<Wrong>,
    ) -> Result<Self, Vec<Wrong>> {
        let mut attributes = BTreeMap::new();
        for (key, value) in &mut values {
            match kind.check(key, value) {
                Err(reason) => wrong.push(reason),
                Ok(()) if ["dest", "name", "tar"].contains(&key.as_str()) => {}
                Ok(()) => {
                    attributes.insert(key.clone(), value.clone());
                }
            }
        }
        wrong.extend(check_media_types(&attributes).err());
        let names = match names(values.get("name").map_or("", String::as_str)) {
            Ok(names) => names,
            Err(more) => {
                wrong.extend(more);
                Vec::new()
            }
        };
        let dest = values.remove("dest").map(|path| match path.as_str() {
            "-" => Dest::Stdout,
            _ => Dest::Path(path),
        });
        let form = match form(kind, &values, dest.as_ref()) {
            Ok(form) if wrong.is_empty() => form,
            Ok(_) => return Err(wrong),
            Err(reason) => {
                wrong.push(reason);
                return Err(wrong);
            }
        };
        if kind.name == "registry" {
            attributes
                .entry("push".to_owned())
                .or_insert_with(|| "true".to_owned());
        }
        Ok(Self {
            text: text.to_owned(),
            form,
            dest,
            names,
            attributes,
        })
    }

    /// Whether the image goes to a registry.
    pub(super) fn pushes(&self) -> bool {
        self.form == Form::Image && self.is("push")
    }

    /// Whether the attribute `key` is set.
    pub(super) fn is(&self, key: &str) -> bool {
        self.attributes
            .get(key)
            .is_some_and(|value| value == "true")
    }

    /// Whether a place for attestations is in it: neither file systems nor Docker's tarballs have one.
    pub(super) fn holds_attestations(&self, engine_holds: bool) -> bool {
        match self.form {
            Form::Engine => engine_holds,
            Form::Oci | Form::Layout | Form::Image => true,
            Form::Docker | Form::Local | Form::Rootfs => false,
        }
    }

    /// Whether the images of `apps` have a place each.
    fn tells(&self, apps: &[&str]) -> bool {
        let is_shared = match &self.dest {
            Some(Dest::Stdout) => true,
            Some(Dest::Path(path)) => !path.contains("{app}"),
            None => false,
        };
        apps.len() < 2 || !is_shared
    }

    fn overfull(&self, apps: usize) -> Failure {
        let (place, hint) = match &self.dest {
            Some(Dest::Path(path)) => (
                format!("`{}`", escape(path)),
                "put `{app}` into it, which stands for the app's name",
            ),
            _ => (
                "stdout".to_owned(),
                "name one of them with `--app`, or write to a file with `{app}` in its name",
            ),
        };
        Failure::input(format!(
            "`--output {self}`: {place} would hold the images of {apps} apps"
        ))
        .hint(hint)
    }

    fn place(&self, app: &str) -> Option<String> {
        match &self.dest {
            Some(Dest::Stdout) => Some("-".to_owned()),
            _ => Some(clean(&self.path(app)?)),
        }
    }

    /// The place of `app`; `None` at the daemon or the Engine, and for stdout.
    pub(super) fn path(&self, app: &str) -> Option<String> {
        match &self.dest {
            Some(Dest::Path(path)) => Some(path.replace("{app}", app)),
            _ => None,
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.text))
    }
}

/// Refuses outputs of which one would take the place of another; `apps` are the names of the apps.
pub(super) fn check_places(outputs: &[Output], apps: &[&str]) -> Result<(), Failure> {
    let shared = outputs.iter().filter(|output| !output.tells(apps));
    let mut wrong: Vec<Failure> = shared.map(|output| output.overfull(apps.len())).collect();
    let mut taken: BTreeMap<String, &Output> = BTreeMap::new();
    for output in outputs.iter().filter(|output| output.tells(apps)) {
        // With one app it is the same for all.
        let clash = apps
            .iter()
            .filter_map(|app| taken.insert(output.place(app)?, output))
            .next();
        wrong.extend(clash.map(|other| {
            Failure::input(format!(
                "`--output {output}` and `--output {other}` write to the same place"
            ))
            .hint("give each a place of its own")
        }));
    }
    refuse(wrong)
}

// `a/./b/` and `a/b` are one place.
fn clean(path: &str) -> String {
    let parts = path.split('/').filter(|part| !["", "."].contains(part));
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.collect::<Vec<_>>().join("/"))
}

/// What is wrong with an output or a name, and what would be right.
pub(super) struct Wrong {
    pub(super) reason: String,
    pub(super) hint: String,
}

impl Wrong {
    pub(super) fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: hint.into(),
        }
    }
}

/// The fields of a line of comma-separated values; a field in quotes may have commas, and `""` stands for a quote in it.
fn csv(text: &str) -> Result<Vec<String>, Wrong> {
    let quotes = || {
        Wrong::new(
            "its quotes do not match",
            r#"quote a whole field, as in `type=image,"name=a,b"`"#,
        )
    };
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let (field, behind) = rest
                .split_once(',')
                .map_or((rest, None), |(field, behind)| (field, Some(behind)));
            if field.contains('"') {
                return Err(quotes());
            }
            fields.push(field.trim().to_owned());
            match behind {
                Some(behind) => rest = behind,
                None => return Ok(fields),
            }
            continue;
        };
        let mut field = String::new();
        rest = quoted;
        loop {
            let (part, behind) = rest.split_once('"').ok_or_else(quotes)?;
            field.push_str(part);
            match behind.strip_prefix('"') {
                Some(behind) => {
                    field.push('"');
                    rest = behind;
                }
                None => {
                    rest = behind;
                    break;
                }
            }
        }
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if rest.is_empty() => return Ok(fields),
            None => return Err(quotes()),
        }
    }
}

fn pair(field: &str) -> Result<(String, String), Wrong> {
    let pair = field.split_once('=');
    let (key, value) = pair.ok_or_else(|| {
        Wrong::new(
            format!("`{}` is not understood", escape(field)),
            "each part is KEY=VALUE",
        )
    })?;
    // Annotations have keys of their own, whose case counts.
    let key = key.trim();
    let key = match key.to_ascii_lowercase().starts_with(ANNOTATION) {
        true => key.to_owned(),
        false => key.to_ascii_lowercase(),
    };
    if value.is_empty() {
        return Err(Wrong::new(
            format!("`{}` has no value", escape(&key)),
            FORMS,
        ));
    }
    Ok((key, value.to_owned()))
}

fn unknown_type(name: &str) -> Wrong {
    let names: Vec<&str> = TYPES.iter().map(|known| known.name).collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `type={near}`?"),
        None => format!("the types are {}", names.join(", ")),
    };
    Wrong::new(
        format!("there is no output of type `{}`", escape(name)),
        hint,
    )
}

fn unknown_key(kind: &Type, key: &str) -> Wrong {
    let name = kind.name;
    let reason = format!("type {name} has no key `{}`", escape(key));
    let keys = kind.names_of_keys();
    let hint = match key {
        "dest" if !kind.has_dest => "the image stays at the daemon or goes to a registry; type=oci,dest=FILE writes it to a file".to_owned(),
        "rewrite-timestamp" | "source-date-epoch" => "the times of everything in the image are set by `--source-date-epoch`".to_owned(),
        "push" => "type=image,push=true pushes".to_owned(),
        "tar" => "type=oci,tar=false writes a directory".to_owned(),
        _ => match nearest(key, keys.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", keys.join(", ")),
        },
    };
    Wrong::new(reason, hint)
}

fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::damerau_levenshtein(text, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min()
        .map(|(_, name)| name)
}

/// Refuses values that the key cannot have; booleans become `true` and `false`.
fn check(key: &str, value: &mut String, rule: Rule) -> Result<(), Wrong> {
    let wrong = |hint: String| {
        Err(Wrong::new(
            format!("`{key}` cannot be `{}`", escape(value)),
            hint,
        ))
    };
    match rule {
        Rule::Text => Ok(()),
        // What Go's strconv.ParseBool takes.
        Rule::Boolean => match value.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => {
                "true".clone_into(value);
                Ok(())
            }
            "0" | "f" | "F" | "FALSE" | "false" | "False" => {
                "false".clone_into(value);
                Ok(())
            }
            _ => wrong("it is true or false".to_owned()),
        },
        Rule::Compression if COMPRESSIONS.contains(&value.as_str()) => Ok(()),
        Rule::Compression => {
            let known: Vec<String> = COMPRESSIONS.iter().map(|&name| name.to_owned()).collect();
            wrong(format!("it is {}", list_or(&known)))
        }
        Rule::Level => match value.parse::<u8>() {
            Ok(0..=22) => Ok(()),
            _ => wrong("it is a number: 0 to 9 for gzip, 0 to 22 for zstd".to_owned()),
        },
    }
}

// BuildKit refuses it only when the image is built.
fn check_media_types(attributes: &BTreeMap<String, String>) -> Result<(), Wrong> {
    let get = |key: &str| attributes.get(key).map(String::as_str);
    let compression = get("compression").unwrap_or("gzip");
    if get("oci-mediatypes") == Some("false") && ["estargz", "zstd"].contains(&compression) {
        return Err(Wrong::new(
            format!("compression={compression} needs the media types of OCI"),
            "leave out oci-mediatypes=false",
        ));
    }
    let level = get("compression-level").and_then(|level| level.parse::<u8>().ok());
    if level.is_some_and(|level| level > 9) && compression != "zstd" {
        return Err(Wrong::new(
            format!("{compression} has no level above 9"),
            "compression=zstd has levels to 22",
        ));
    }
    Ok(())
}

fn form(
    kind: &Type,
    values: &BTreeMap<String, String>,
    dest: Option<&Dest>,
) -> Result<Form, Wrong> {
    let needs = |what: &str| {
        let hint = format!("write type={},dest={what}", kind.name);
        Wrong::new(format!("it needs dest={what}"), hint)
    };
    let is_tar = values.get("tar").is_none_or(|value| value == "true");
    match (kind.name, dest) {
        ("docker", None) => Ok(Form::Engine),
        ("docker", Some(_)) | ("tar", Some(_)) => Ok(Form::Docker),
        ("oci", Some(Dest::Stdout)) if !is_tar => Err(Wrong::new(
            "a directory cannot go to stdout",
            "leave out tar=false, or name a directory",
        )),
        ("oci", Some(_)) if is_tar => Ok(Form::Oci),
        ("oci", Some(_)) => Ok(Form::Layout),
        ("oci", None) if !is_tar => Err(needs("DIR")),
        ("local", Some(Dest::Stdout)) => Err(Wrong::new(
            "a directory cannot go to stdout",
            "type=rootfs,dest=- writes the files as a tar",
        )),
        ("local", Some(_)) => Ok(Form::Local),
        ("local", None) => Err(needs("DIR")),
        ("rootfs", Some(_)) => Ok(Form::Rootfs),
        ("image" | "registry", _) => Ok(Form::Image),
        _ => Err(needs("FILE")),
    }
}

/// The names of an image, separated by commas, `{app}` in them.
fn names(text: &str) -> Result<Vec<String>, Vec<Wrong>> {
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let (mut read, mut wrong) = (Vec::new(), Vec::new());
    for name in names {
        match tags::check(name) {
            Ok(()) => read.push(name.to_owned()),
            Err(reason) => wrong.push(reason),
        }
    }
    match wrong.is_empty() {
        true => Ok(read),
        false => Err(wrong),
    }
}

// https://github.com/moby/buildkit/blob/master/exporter/containerimage/exptypes/annotations.go
const LEVELS: [&str; 4] = [
    "index",
    "index-descriptor",
    "manifest",
    "manifest-descriptor",
];

fn annotation_key(key: &str) -> Result<(), Wrong> {
    let wrong = || {
        let hint = "write annotation.KEY, or annotation-LEVEL[PLATFORM].KEY with the level index, index-descriptor, manifest or manifest-descriptor";
        Wrong::new(format!("`{}` is no annotation", escape(key)), hint)
    };
    let rest = key.strip_prefix(ANNOTATION).ok_or_else(wrong)?;
    let (head, name) = rest.split_once('.').ok_or_else(wrong)?;
    let level = head
        .split_once('[')
        .map_or(Some(head), |(level, platform)| {
            platform.ends_with(']').then_some(level)
        });
    let level = level.ok_or_else(wrong)?;
    let is_known = level.is_empty()
        || level
            .strip_prefix('-')
            .is_some_and(|level| LEVELS.contains(&level));
    match is_known && !name.is_empty() {
        true => Ok(()),
        false => Err(wrong()),
    }
}

/// Reads `--annotation`: `[LEVEL[PLATFORM],…:]KEY=VALUE`, as attributes of exporters.
pub(super) fn annotations(flags: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let read: Vec<Vec<(String, String)>> = all(args::given(flags).map(annotation))?;
    Ok(read.into_iter().flatten().collect())
}

fn annotation(flag: &str) -> Result<Vec<(String, String)>, Failure> {
    let wrong = |reason: &str| {
        Failure::input(format!("`--annotation {}` {reason}", escape(flag))).hint(
            "write KEY=VALUE, or LEVEL:KEY=VALUE with the level index, index-descriptor, manifest or manifest-descriptor",
        )
    };
    let (left, value) = flag.split_once('=').ok_or_else(|| wrong("has no value"))?;
    // A key may have colons of its own: only a known level before the first one is one.
    let prefix = left.split_once(':').filter(|(levels, _)| {
        let mut each = levels.split(',');
        each.all(|level| LEVELS.contains(&level.split('[').next().unwrap_or_default().trim()))
    });
    let (levels, key) = prefix.unwrap_or(("manifest", left));
    if key.trim().is_empty() {
        return Err(wrong("has no key"));
    }
    let levels = levels.split(',').map(str::trim);
    levels
        .map(|level| match level.contains('[') == level.ends_with(']') {
            true => Ok((
                format!("{ANNOTATION}-{level}.{}", key.trim()),
                value.to_owned(),
            )),
            false => Err(wrong("has a platform that does not end")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let failure = Output::parse(text).unwrap_err();
        let problem = &failure.problems[0];
        format!("{} — {}", problem.message, problem.hints.join(" — "))
    }

    fn parsed(text: &str) -> (Form, Option<Dest>) {
        let output = Output::parse(text).unwrap();
        (output.form, output.dest)
    }

    fn path(path: &str) -> Option<Dest> {
        Some(Dest::Path(path.to_owned()))
    }

    #[test]
    fn every_type_has_its_form() {
        assert_eq!(parsed("type=docker"), (Form::Engine, None));
        assert_eq!(parsed("type=docker,dest=a"), (Form::Docker, path("a")));
        assert_eq!(
            parsed("dest={app}.tar,type=tar"),
            (Form::Docker, path("{app}.tar"))
        );
        assert_eq!(parsed("type=oci,dest=-"), (Form::Oci, Some(Dest::Stdout)));
        assert_eq!(parsed("type=oci,dest=a,tar=0"), (Form::Layout, path("a")));
        assert_eq!(parsed("type=local,dest=a"), (Form::Local, path("a")));
        assert_eq!(parsed("type=rootfs,dest=a"), (Form::Rootfs, path("a")));
        assert_eq!(parsed("out/dir"), (Form::Local, path("out/dir")));
        assert_eq!(parsed("-"), (Form::Docker, Some(Dest::Stdout)));
        assert!(Output::parse("type=registry").unwrap().pushes());
        assert!(!Output::parse("type=image").unwrap().pushes());
    }

    #[test]
    fn a_quoted_field_may_have_commas() {
        let output =
            Output::parse(r#"type=image,"name=a.example/{app}:1,b.example/{app}",push=true"#);
        assert_eq!(
            output.unwrap().names,
            ["a.example/{app}:1", "b.example/{app}"]
        );
        assert_eq!(
            csv(r#""say ""a,b""",c"#).ok(),
            Some(vec![r#"say "a,b""#.to_owned(), "c".to_owned()])
        );
        assert!(told(r#"type=image,"name=a"#).contains("its quotes do not match"));
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_right() {
        for (text, expected) in [
            ("type=oci", "it needs dest=FILE — write type=oci,dest=FILE"),
            (
                "type=locla,dest=a",
                "there is no output of type `locla` — did you mean `type=local`?",
            ),
            (
                "type=zip,dest=a",
                "there is no output of type `zip` — the types are docker, image, local, oci, registry, rootfs, tar",
            ),
            (
                "oci",
                "it is a type and may be a directory — `type=oci` names a type, `./oci` a directory",
            ),
            ("dest=a", "it has no type — write type=docker"),
        ] {
            let told = told(text);
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn a_key_or_value_that_cannot_be_is_told_with_one_that_can() {
        for (text, expected) in [
            (
                "type=oci,dest=a,compresion=zstd",
                "type oci has no key `compresion` — did you mean `compression`?",
            ),
            (
                "type=oci,dest=a,compression=lzma",
                "`compression` cannot be `lzma` — it is `estargz`, `gzip`, `uncompressed` or `zstd`",
            ),
            (
                "type=oci,dest=a,compression-level=high",
                "`compression-level` cannot be `high`",
            ),
            (
                "type=oci,dest=a,compression-level=15",
                "gzip has no level above 9",
            ),
            (
                "type=oci,dest=a,compression=zstd,oci-mediatypes=false",
                "compression=zstd needs the media types of OCI",
            ),
            (
                "type=image,push=yes",
                "`push` cannot be `yes` — it is true or false",
            ),
            (
                "type=image,dest=a",
                "type image has no key `dest` — the image stays at the daemon",
            ),
            (
                "type=docker,push=true",
                "type docker has no key `push` — type=image,push=true pushes",
            ),
            ("type=local,dest=-", "a directory cannot go to stdout"),
            ("type=oci,dest=a,dest=b", "`dest` is given twice"),
            (
                "type=oci,dest=a,name=A b",
                "`A b` is not an image reference",
            ),
            (
                "type=oci,dest=a,annotation-some.key=b",
                "`annotation-some.key` is no annotation",
            ),
            (
                "type=oci,dest=a,source-date-epoch=0",
                "set by `--source-date-epoch`",
            ),
        ] {
            let told = told(text);
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn two_images_never_go_to_one_place() {
        let outputs = |texts: &[&str]| -> Vec<Output> {
            texts
                .iter()
                .map(|text| Output::parse(text).unwrap())
                .collect()
        };
        let told = |texts: &[&str], apps: &[&str]| {
            let failure = check_places(&outputs(texts), apps).unwrap_err();
            failure.problems[0].message.clone()
        };
        assert_eq!(
            told(&["type=oci,dest=a.tar"], &["a", "b"]),
            "`--output type=oci,dest=a.tar`: `a.tar` would hold the images of 2 apps"
        );
        assert_eq!(
            told(&["type=oci,dest=./a", "type=local,dest=a/"], &["a"]),
            "`--output type=local,dest=a/` and `--output type=oci,dest=./a` write to the same place"
        );
        assert_eq!(
            told(&["-", "type=oci,dest=-"], &["a"]),
            "`--output type=oci,dest=-` and `--output -` write to the same place"
        );
        assert_eq!(
            told(&["-"], &["a", "b"]),
            "`--output -`: stdout would hold the images of 2 apps"
        );
        let fine = [
            "type=oci,dest={app}.tar",
            "type=docker",
            "type=local,dest={app}",
        ];
        assert_eq!(check_places(&outputs(&fine), &["a", "b"]), Ok(()));
    }

    #[test]
    fn annotations_are_attributes_of_exporters() {
        let flags = [
            "a=1",
            "index:b=2=3",
            "manifest[linux/amd64],manifest-descriptor:org.example:c=4",
        ];
        let attributes = annotations(&flags.map(str::to_owned)).unwrap();
        let attributes: Vec<(&str, &str)> = attributes
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect();
        assert_eq!(
            attributes,
            [
                ("annotation-index.b", "2=3"),
                ("annotation-manifest-descriptor.org.example:c", "4"),
                ("annotation-manifest.a", "1"),
                ("annotation-manifest[linux/amd64].org.example:c", "4"),
            ]
        );
        assert!(annotations(&["a".to_owned()]).is_err());
    }
}
