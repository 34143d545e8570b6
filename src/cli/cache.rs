//! The flags `--cache-from` and `--cache-to`, in buildx's words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::build::{Caches, Local, Name, Place};
use crate::buildkit::{Cache, Directory};
use crate::oci::Reference;
use crate::progress::escape;

use super::args;
use super::environment::Environment;
use super::failure::{Failure, all, refuse};

/// What the flags say, for any app.
#[derive(Default)]
pub(super) struct Templates {
    imports: Vec<Template>,
    exports: Vec<Template>,
    /// What is left out, and why.
    pub(super) warnings: Vec<String>,
}

/// The caches of a run.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Those of each app, by its name.
    pub(super) caches: BTreeMap<String, Caches>,
    /// The directories of local ones, by the names that the session gives them.
    pub(super) directories: BTreeMap<String, Arc<Directory>>,
}

/// A kind of cache.
struct Kind {
    name: &'static str,
    /// What it takes in both directions.
    both: &'static [&'static str],
    import: &'static [&'static str],
    export: &'static [&'static str],
    needed: &'static [&'static str],
    /// What tells one cache from another.
    place: &'static [&'static str],
    secrets: &'static [&'static str],
}

const LAYERS: [&str; 7] = [
    "compression",
    "compression-level",
    "force-compression",
    "ignore-error",
    "image-manifest",
    "mode",
    "oci-mediatypes",
];

/// Their attributes: <https://docs.docker.com/build/cache/backends/>. Sorted by name.
static KINDS: [Kind; 6] = [
    Kind {
        name: "azblob",
        both: &[
            "account_name",
            "account_url",
            "blobs_prefix",
            "container",
            "manifests_prefix",
            "name",
            "prefix",
            "secret_access_key",
        ],
        import: &[],
        export: &["ignore-error", "mode"],
        needed: &["account_url"],
        place: &[
            "account_url",
            "container",
            "manifests_prefix",
            "name",
            "prefix",
        ],
        secrets: &["secret_access_key"],
    },
    Kind {
        name: "gha",
        both: &[
            "ghtoken",
            "repository",
            "scope",
            "timeout",
            "token",
            "url",
            "url_v2",
            "version",
        ],
        import: &[],
        export: &["ignore-error", "mode"],
        needed: &[],
        place: &["scope"],
        secrets: &["ghtoken", "token"],
    },
    Kind {
        name: "inline",
        both: &[],
        import: &[],
        export: &[],
        needed: &[],
        place: &[],
        secrets: &[],
    },
    Kind {
        name: "local",
        both: &["tag"],
        import: &["digest", "src"],
        export: &["dest"],
        needed: &["dest", "src"],
        place: &["dest", "tag"],
        secrets: &[],
    },
    Kind {
        name: "registry",
        both: &["ref", "registry.insecure"],
        import: &[],
        export: &[],
        needed: &["ref"],
        place: &["ref"],
        secrets: &[],
    },
    Kind {
        name: "s3",
        both: &[
            "access_key_id",
            "blobs_prefix",
            "bucket",
            "endpoint_url",
            "manifests_prefix",
            "name",
            "prefix",
            "region",
            "secret_access_key",
            "session_token",
            "use_path_style",
        ],
        import: &[],
        export: &[
            "ignore-error",
            "mode",
            "touch_refresh",
            "upload_parallelism",
        ],
        needed: &["bucket", "region"],
        place: &["bucket", "manifests_prefix", "name", "prefix"],
        secrets: &["secret_access_key", "session_token"],
    },
];

/// Which way a flag goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    From,
    To,
}

/// A flag, with what the environment adds, and `{app}` where the app's name goes.
struct Template {
    kind: &'static Kind,
    attributes: BTreeMap<String, String>,
}

// The attributes of which not every value is one.
const VALUES: [(&str, &[&str]); 2] = [
    ("compression", &["estargz", "gzip", "uncompressed", "zstd"]),
    ("mode", &["max", "min"]),
];
const APP: &str = "{app}";
const LATEST: &str = "latest";

impl Templates {
    /// Reads the flags.
    pub(super) fn read(
        from: &[String],
        to: &[String],
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let mut read = Self::default();
        let mut wrong = Vec::new();
        for (flags, way) in [(from, Way::From), (to, Way::To)] {
            for flag in args::given(flags) {
                let template = match Template::parse(flag.trim(), way, environment) {
                    Ok(Ok(template)) => template,
                    Ok(Err(warning)) => {
                        read.warnings.push(warning);
                        continue;
                    }
                    Err(failure) => {
                        wrong.push(failure);
                        continue;
                    }
                };
                // What it says of any app it says of one.
                wrong.extend(template.place(way, 0, "app").err());
                match way {
                    Way::From => read.imports.push(template),
                    Way::To => read.exports.push(template),
                }
            }
        }
        let mut locals = read.exports.iter().filter(|export| export.is_local());
        wrong.extend(locals.nth(1).map(|_| {
            Failure::input("only one `--cache-to type=local` can be written in a build")
                .hint("give the other one another type, or copy the directory")
        }));
        refuse(wrong)?;
        // What the last exporter says of its manifest is what counts, and only local ones ask.
        read.exports.sort_by_key(Template::is_local);
        Ok(read)
    }

    /// Passwords among the attributes.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let all = self.imports.iter().chain(&self.exports);
        all.flat_map(Template::secrets)
    }

    /// The caches of the apps of a run.
    pub(super) fn of(&self, apps: &[&str]) -> Result<Parsed, Failure> {
        let overwritten = self.exports.iter().filter_map(|export| {
            let is_shared = apps.len() > 1 && !export.tells_apps();
            is_shared.then(|| export.overwritten(apps.len()))
        });
        refuse(overwritten)?;
        let mut parsed = Parsed::default();
        for app in apps {
            let caches = Caches {
                imports: parsed.places(&self.imports, Way::From, app)?,
                exports: parsed.places(&self.exports, Way::To, app)?,
            };
            parsed.caches.insert((*app).to_owned(), caches);
        }
        Ok(parsed)
    }
}

impl Parsed {
    fn places(
        &mut self,
        templates: &[Template],
        way: Way,
        app: &str,
    ) -> Result<Vec<Place>, Failure> {
        let templates = templates.iter().enumerate();
        all(templates.map(|(number, template)| {
            let (cache, local) = template.place(way, number, app)?;
            let local = local.map(|(name, local)| {
                self.directories.insert(name, Arc::clone(&local.directory));
                local
            });
            Ok(Place { cache, local })
        }))
    }
}

impl Way {
    fn flag(self) -> &'static str {
        match self {
            Self::From => "--cache-from",
            Self::To => "--cache-to",
        }
    }
}

impl Kind {
    fn takes(&self, way: Way) -> Vec<&'static str> {
        let own = match way {
            Way::From => self.import,
            Way::To => self.export,
        };
        let layers: &[&str] = match (way, self.name) {
            (Way::To, "local" | "registry") => &LAYERS,
            _ => &[],
        };
        let mut names = [self.both, own, layers].concat();
        names.sort_unstable();
        names
    }
}

impl Template {
    /// Reads a flag; the inner error is why it is left out.
    fn parse(
        flag: &str,
        way: Way,
        environment: &Environment,
    ) -> Result<Result<Self, String>, Failure> {
        let mut fields = fields(flag, way)?;
        let kind = fields.remove("type").unwrap_or_default();
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let known = KINDS
            .iter()
            .find(|known| known.name == kind && (way == Way::To || known.name != "inline"));
        let Some(kind) = known else {
            let reason = match kind.as_str() {
                "" => "it has no type".to_owned(),
                "inline" => "an inline cache is read from its image".to_owned(),
                other => format!("there is no cache of type `{}`", escape(other)),
            };
            let hint = match kind.as_str() {
                "inline" => "write type=registry,ref=IMAGE".to_owned(),
                _ => format!("the types are {}", names.join(", ")),
            };
            return Err(Failure::input(format!("`{}`: {reason}", way.flag())).hint(hint));
        };
        let taken = kind.takes(way);
        let origin = format!("`{} type={}`", way.flag(), kind.name);
        let unknown = fields.keys().filter(|name| !taken.contains(&name.as_str()));
        refuse(unknown.map(|name| {
            let hint = match taken.is_empty() {
                true => "it takes none".to_owned(),
                false => format!("it takes {}", taken.join(", ")),
            };
            Failure::input(format!("{origin} has no attribute `{name}`")).hint(hint)
        }))?;
        let mut template = Self {
            kind,
            attributes: fields,
        };
        if let Err(warning) = template.complete(environment) {
            return Ok(Err(format!("{origin} is left out: {warning}")));
        }
        template.validate(way, &origin)?;
        Ok(Ok(template))
    }

    fn validate(&self, way: Way, origin: &str) -> Result<(), Failure> {
        let taken = self.kind.takes(way);
        let needed = self.kind.needed.iter();
        let missing = needed
            .filter(|name| taken.contains(name) && !self.attributes.contains_key(**name))
            .map(|name| {
                Failure::input(format!("{origin} has no {name}"))
                    .hint(format!("write type={},{name}=…", self.kind.name))
            });
        let unknown = VALUES.iter().filter_map(|(name, values)| {
            let value = self.attributes.get(*name)?;
            (!values.contains(&value.as_str())).then(|| {
                Failure::input(format!("{origin} has an unknown {name}"))
                    .hint(format!("it is one of {}", values.join(", ")))
            })
        });
        refuse(missing.chain(unknown))
    }

    /// Adds what the environment knows; the error is why there is no such cache here.
    fn complete(&mut self, environment: &Environment) -> Result<(), String> {
        match self.kind.name {
            "gha" => self.complete_gha(environment)?,
            "s3" => self.complete_s3(environment),
            "azblob" => {
                self.fill("secret_access_key", environment.get("AZURE_STORAGE_KEY"));
                self.fill("name", Some(APP));
            }
            _ => {}
        }
        Ok(())
    }

    // https://github.com/actions/toolkit/blob/main/packages/cache/src/internal/config.ts
    fn complete_gha(&mut self, environment: &Environment) -> Result<(), String> {
        let results = environment.get("ACTIONS_RESULTS_URL");
        let is_true = |value: &str| matches!(value.to_lowercase().as_str(), "true" | "1");
        let is_v2 = match self.attributes.get("version") {
            Some(version) => version == "2",
            None => environment
                .get("ACTIONS_CACHE_SERVICE_V2")
                .is_some_and(is_true),
        };
        if is_v2 {
            self.fill("url_v2", results);
        }
        self.fill("url", environment.get("ACTIONS_CACHE_URL").or(results));
        self.fill("token", environment.get("ACTIONS_RUNTIME_TOKEN"));
        self.fill("scope", Some(APP));
        let has = |name: &str| self.attributes.contains_key(name);
        if !has("token") {
            return Err("ACTIONS_RUNTIME_TOKEN is not set".to_owned());
        }
        match has("url") || has("url_v2") {
            true => Ok(()),
            false => Err("ACTIONS_RESULTS_URL is not set".to_owned()),
        }
    }

    fn complete_s3(&mut self, environment: &Environment) {
        let region = environment
            .get("AWS_REGION")
            .or(environment.get("AWS_DEFAULT_REGION"));
        self.fill("region", region);
        self.fill("bucket", environment.get("AWS_BUCKET"));
        self.fill("name", Some(APP));
        // Parts of different logins do not go together.
        let own = ["access_key_id", "secret_access_key", "session_token"];
        if !own.iter().any(|name| self.attributes.contains_key(*name)) {
            self.fill("access_key_id", environment.get("AWS_ACCESS_KEY_ID"));
            self.fill(
                "secret_access_key",
                environment.get("AWS_SECRET_ACCESS_KEY"),
            );
            self.fill("session_token", environment.get("AWS_SESSION_TOKEN"));
        }
    }

    fn fill(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.attributes
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }

    fn is_local(&self) -> bool {
        self.kind.name == "local"
    }

    /// Whether the caches of two apps are not one.
    fn tells_apps(&self) -> bool {
        let place = self.kind.place;
        let mut values = place.iter().filter_map(|name| self.attributes.get(*name));
        place.is_empty() || values.any(|value| value.contains(APP))
    }

    fn overwritten(&self, apps: usize) -> Failure {
        let kind = self.kind.name;
        let name = match kind {
            "registry" => "ref",
            "local" => "dest",
            "gha" => "scope",
            _ => "name",
        };
        Failure::input(format!(
            "`--cache-to type={kind}`: {apps} apps would overwrite each other's cache"
        ))
        .hint(format!(
            "put `{APP}` into its {name}, which stands for the app's name"
        ))
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        let values = self.kind.secrets.iter();
        values.filter_map(|name| self.attributes.get(*name).map(String::as_str))
    }

    /// The cache of `app`, and its directory with the name that the session gives it.
    fn place(
        &self,
        way: Way,
        number: usize,
        app: &str,
    ) -> Result<(Cache, Option<(String, Local)>), Failure> {
        let mut attributes: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.attributes {
            let value = match self.kind.secrets.contains(&name.as_str()) {
                true => value.clone(),
                false => value.replace(APP, app),
            };
            attributes.insert(name.clone(), value);
        }
        if way == Way::To && self.kind.name != "inline" {
            let mut fill = |name: &str, value: &str| {
                let entry = attributes.entry(name.to_owned());
                entry.or_insert_with(|| value.to_owned());
            };
            // The steps of the build stage are what is worth keeping; the image has only their result.
            fill("mode", "max");
            fill("ignore-error", "true");
        }
        if let Some(reference) = attributes.get_mut("ref") {
            *reference = canonical(reference, way)?;
        }
        let local = match self.is_local() {
            true => Some(local(&mut attributes, way, number, app)?),
            false => None,
        };
        let cache = Cache {
            kind: self.kind.name.to_owned(),
            attributes,
        };
        Ok((cache, local))
    }
}

/// Splits a flag; a text without `=` is the name of an image.
fn fields(flag: &str, way: Way) -> Result<BTreeMap<String, String>, Failure> {
    let own = |text: &str| text.to_owned();
    if !flag.contains('=') {
        return Ok(BTreeMap::from([
            (own("type"), own("registry")),
            (own("ref"), own(flag)),
        ]));
    }
    let mut fields = BTreeMap::new();
    for field in flag.split(',') {
        // Neither is repeated: it may be a secret.
        let Some((name, value)) = field.split_once('=') else {
            return Err(
                Failure::input(format!("`{}` has a part without `=`", way.flag()))
                    .hint("write type=TYPE,NAME=VALUE,…"),
            );
        };
        let name = name.trim().to_lowercase();
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(Failure::input(format!(
                "`{}` has an attribute without a usable name",
                way.flag()
            ))
            .hint("write type=TYPE,NAME=VALUE,…"));
        }
        if fields.insert(name.clone(), own(value)).is_some() {
            return Err(Failure::input(format!(
                "`{}` has the attribute `{name}` twice",
                way.flag()
            )));
        }
    }
    Ok(fields)
}

fn canonical(text: &str, way: Way) -> Result<String, Failure> {
    let reference: Result<Reference, _> = text.parse();
    match reference {
        Ok(reference) if way == Way::To && reference.digest().is_some() => Err(Failure::input(
            format!("`--cache-to`: `{text}` has a digest, which only the build can know"),
        )
        .hint("leave out what follows the `@`")),
        Ok(reference) => Ok(reference.or_latest().to_string()),
        Err(error) => Err(Failure::input(format!("`{}`: {error}", way.flag()))
            .hint(format!("a name like registry.example/cache/{APP}:main"))),
    }
}

/// Takes the attributes of a local cache that are for this side of the session.
fn local(
    attributes: &mut BTreeMap<String, String>,
    way: Way,
    number: usize,
    app: &str,
) -> Result<(String, Local), Failure> {
    let key = match way {
        Way::From => "src",
        Way::To => "dest",
    };
    // The daemon need not know the names of our directories.
    let name = format!("{key}-{number}-{app}");
    let path = attributes
        .insert(key.to_owned(), name.clone())
        .filter(|path| !path.is_empty())
        .ok_or_else(|| Failure::input(format!("`{}`: the {key} is empty", way.flag())))?;
    let tag = attributes.remove("tag").unwrap_or(LATEST.to_owned());
    let image = match attributes.remove("digest") {
        None => Name::Tag(tag),
        Some(digest) => Name::Digest(
            digest
                .parse()
                .map_err(|error| Failure::input(format!("`{}`: {error}", way.flag())))?,
        ),
    };
    let directory = Arc::new(Directory::new(absolute(Path::new(&path))));
    Ok((
        name,
        Local {
            directory,
            name: image,
        },
    ))
}

/// `path` from the root on, links followed as far as it exists.
fn absolute(path: &Path) -> PathBuf {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = full
        .ancestors()
        .find_map(|known| Some((known, known.canonicalize().ok()?)));
    match known {
        Some((known, real)) => match full.strip_prefix(known) {
            Ok(rest) if rest.as_os_str().is_empty() => real,
            Ok(rest) => real.join(rest),
            Err(_) => full,
        },
        None => full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(flag: &str, way: Way, environment: &[(&str, &str)]) -> Result<Template, String> {
        let environment = Environment::from_iter(environment.iter().copied());
        match Template::parse(flag, way, &environment) {
            Ok(parsed) => parsed,
            Err(failure) => Err(failure.problems[0].message.clone()),
        }
    }

    fn cache(flag: &str, way: Way, environment: &[(&str, &str)]) -> BTreeMap<String, String> {
        let template = template(flag, way, environment).unwrap();
        let (cache, _) = template.place(way, 0, "web").unwrap();
        cache.attributes
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn a_cache_is_written_whole_and_never_fails_a_build() {
        assert_eq!(
            cache("type=registry,ref=r.test/c/{app}", Way::To, &[]),
            map(&[
                ("ignore-error", "true"),
                ("mode", "max"),
                ("ref", "r.test/c/web:latest"),
            ])
        );
        assert_eq!(cache("type=inline", Way::To, &[]), map(&[]));
        let min = cache("type=registry,ref=r.test/c,mode=min", Way::To, &[]);
        assert_eq!(min["mode"], "min");
    }

    #[test]
    fn a_name_alone_is_one_of_a_registry() {
        let attributes = cache("r.test/c:main", Way::From, &[]);
        assert_eq!(attributes, map(&[("ref", "r.test/c:main")]));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (flag, way, message) in [
            (
                "type=ftp",
                Way::To,
                "`--cache-to`: there is no cache of type `ftp`",
            ),
            ("ref=a", Way::To, "`--cache-to`: it has no type"),
            (
                "type=inline",
                Way::From,
                "`--cache-from`: an inline cache is read from its image",
            ),
            (
                "type=inline,mode=max",
                Way::To,
                "`--cache-to type=inline` has no attribute `mode`",
            ),
            (
                "type=registry,ref=a,mode=max",
                Way::From,
                "`--cache-from type=registry` has no attribute `mode`",
            ),
            ("type=local", Way::To, "`--cache-to type=local` has no dest"),
            (
                "type=local",
                Way::From,
                "`--cache-from type=local` has no src",
            ),
            (
                "type=local,dest=a,mode=big",
                Way::To,
                "`--cache-to type=local` has an unknown mode",
            ),
            (
                "type=s3,region=x",
                Way::To,
                "`--cache-to type=s3` has no bucket",
            ),
        ] {
            assert_eq!(template(flag, way, &[]).err().unwrap(), message);
        }
    }

    #[test]
    fn a_message_does_not_repeat_what_may_be_a_secret() {
        for flag in [
            "type=s3,hunter2",
            "type=s3,hunter2 x=1",
            "type=s3,secret_access_key=hunter2",
            "type=gha,token=hunter2,mode=hunter2",
        ] {
            let message = template(flag, Way::To, &[]).err().unwrap();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn the_cache_of_github_is_where_the_runner_says() {
        let runner = [
            ("ACTIONS_CACHE_SERVICE_V2", "True"),
            ("ACTIONS_RESULTS_URL", "https://results.test/"),
            ("ACTIONS_RUNTIME_TOKEN", "token"),
        ];
        assert_eq!(
            cache("type=gha", Way::From, &runner),
            map(&[
                ("scope", "web"),
                ("token", "token"),
                ("url", "https://results.test/"),
                ("url_v2", "https://results.test/"),
            ])
        );
        assert_eq!(
            template("type=gha", Way::To, &runner[..2]).err().unwrap(),
            "`--cache-to type=gha` is left out: ACTIONS_RUNTIME_TOKEN is not set"
        );
    }

    #[test]
    fn a_login_for_s3_is_taken_whole_or_not_at_all() {
        let environment = [
            ("AWS_REGION", "eu-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "session"),
        ];
        let attributes = cache("type=s3,bucket=b", Way::From, &environment);
        assert_eq!(attributes["secret_access_key"], "secret");
        assert_eq!(attributes["name"], "web");
        let attributes = cache(
            "type=s3,bucket=b,access_key_id=a,secret_access_key=s",
            Way::From,
            &environment,
        );
        assert_eq!(attributes.get("session_token"), None);
        assert_eq!(attributes["region"], "eu-1");
    }

    #[test]
    fn several_apps_do_not_overwrite_each_other() {
        let read = |flags: &[&str]| {
            let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
            Templates::read(&[], &flags, &Environment::default())
        };
        let ambiguous = read(&["type=registry,ref=r.test/c"]).unwrap();
        assert!(ambiguous.of(&["web"]).is_ok());
        let failure = ambiguous.of(&["web", "api"]).unwrap_err();
        assert_eq!(
            failure.problems[0].message,
            "`--cache-to type=registry`: 2 apps would overwrite each other's cache"
        );
        for flag in [
            "type=registry,ref=r.test/c/{app}",
            "type=local,dest=/c/{app}",
            "type=local,dest=/c,tag={app}",
            "type=inline",
            "type=s3,bucket=b,region=r",
        ] {
            assert!(read(&[flag]).unwrap().of(&["web", "api"]).is_ok(), "{flag}");
        }
        assert!(read(&["type=local,dest=/a", "type=local,dest=/b"]).is_err());
    }

    #[test]
    fn the_daemon_does_not_learn_the_name_of_a_directory() {
        let template = template("type=local,dest=/c/{app},tag=t", Way::To, &[]).unwrap();
        let (cache, local) = template.place(Way::To, 0, "web").unwrap();
        let (name, local) = local.unwrap();
        assert_eq!(cache.attributes["dest"], name);
        assert!(!format!("{:?}", cache.attributes).contains("/c"));
        assert_eq!(local.directory.path(), Path::new("/c/web"));
        assert_eq!(local.name, Name::Tag("t".to_owned()));
    }
}
