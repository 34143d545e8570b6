//! The file of `--metadata-file`: what became of the images, in the words of buildx.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::build::Solved;
use crate::oci::{Archive, Attestation};

use super::environment::Environment;
use super::failure::Failure;
use super::write;

/// What is told of the images of a run.
#[derive(Clone)]
pub(super) struct Metadata {
    file: Option<PathBuf>,
    detail: Detail,
    /// What the exporters said, by app, and whether it is of what was pushed.
    said: BTreeMap<String, (Fields, bool)>,
    /// The provenance of each app.
    provenance: BTreeMap<String, Fields>,
}

type Fields = BTreeMap<String, Value>;

/// How much of the provenance is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// Materials and parameters.
    Min,
    /// The whole graph too.
    Max,
    None,
}

const PROVENANCE: &str = "buildx.build.provenance";
const SLSA: &str = "https://slsa.dev/provenance/";

impl Metadata {
    pub(super) fn new(file: Option<PathBuf>, environment: &Environment) -> Self {
        Self {
            file,
            detail: Detail::read(environment),
            said: BTreeMap::new(),
            provenance: BTreeMap::new(),
        }
    }

    pub(super) fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// Notes what the exporters said: of what was pushed, else of the first outputs.
    pub(super) fn note(&mut self, app: &str, solved: &Solved, is_pushed: bool) {
        let known = self.said.get(app);
        if known.is_some_and(|(_, was_pushed)| *was_pushed || !is_pushed) {
            return;
        }
        let said = solved.received.values().map(|received| &received.metadata);
        let mut fields = Fields::new();
        for (key, value) in said.chain([&solved.response]).flatten() {
            let value = match key.as_str() {
                "containerimage.descriptor" => decoded(value).unwrap_or_default(),
                "containerimage.config.digest" | "containerimage.digest" | "image.name" => {
                    json!(value)
                }
                _ => continue,
            };
            fields.insert(key.clone(), value);
        }
        self.said.insert(app.to_owned(), (fields, is_pushed));
    }

    /// Notes the provenance in an archive of `app`.
    pub(super) fn attest(&mut self, app: &str, archive: &Archive) {
        let mut fields = Fields::new();
        for image in &archive.images {
            let mut attestations = image.attestations.iter();
            let found = attestations.find(|found| found.predicate_type.starts_with(SLSA));
            let Some(told) = found.and_then(|found| self.detail.of(found)) else {
                continue;
            };
            let key = match &image.descriptor.platform {
                Some(platform) if archive.images.len() > 1 => format!("{PROVENANCE}/{platform}"),
                _ => PROVENANCE.to_owned(),
            };
            fields.insert(key, told);
        }
        self.provenance.entry(app.to_owned()).or_insert(fields);
    }

    /// Writes the file: an object for one app, objects by name for several.
    pub(super) fn write(&self, is_one: bool) -> Result<(), Failure> {
        let Some(path) = self.file.as_ref().filter(|_| !self.said.is_empty()) else {
            return Ok(());
        };
        let none = Fields::new();
        let apps = self.said.iter().map(|(app, (said, _))| {
            let provenance = self.provenance.get(app).unwrap_or(&none);
            let fields: BTreeMap<_, _> = said.iter().chain(provenance).collect();
            (app, json!(fields))
        });
        let apps: BTreeMap<&String, Value> = apps.collect();
        let value = match (is_one, apps.values().next()) {
            (true, Some(only)) => only.clone(),
            _ => json!(apps),
        };
        write(path, format!("{value:#}\n").as_bytes())
    }
}

/// The JSON in a field of an exporter's answer.
pub(super) fn decoded(text: &str) -> Option<Value> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    serde_json::from_slice(&bytes).ok()
}

impl Detail {
    /// The variable is buildx's: <https://docs.docker.com/build/building/variables/#buildx_metadata_provenance>.
    fn read(environment: &Environment) -> Self {
        match environment.get("BUILDX_METADATA_PROVENANCE") {
            Some("max") => Self::Max,
            // The last six are what Go takes for false.
            Some("disabled" | "0" | "f" | "F" | "false" | "False" | "FALSE") => Self::None,
            _ => Self::Min,
        }
    }

    /// The predicate of version 0.2, which buildx tells whatever the version of the attestation is; `None` where it is not to
    /// be told or is none.
    fn of(self, attestation: &Attestation) -> Option<Value> {
        let predicate: Value = serde_json::from_slice(attestation.predicate()).ok()?;
        let mut told = match predicate.get("buildDefinition") {
            Some(_) => version_0_2(&predicate),
            None => predicate,
        };
        match self {
            Self::None => return None,
            Self::Max => {}
            Self::Min => {
                let fields = told.as_object_mut()?;
                fields.remove("buildConfig");
                fields.remove("metadata");
            }
        }
        Some(told)
    }
}

/// A predicate of version 1 in the words of version 0.2, as BuildKit translates it:
/// <https://github.com/moby/buildkit/blob/master/solver/llbsolver/provenance/types/types.go>.
fn version_0_2(predicate: &Value) -> Value {
    let (definition, run) = (&predicate["buildDefinition"], &predicate["runDetails"]);
    let external = &definition["externalParameters"];
    let mut environment = map(&definition["internalParameters"]);
    let graph = environment.remove("buildConfig");
    rename(&mut environment, "builderPlatform", "platform");
    let mut source = map(&external["configSource"]);
    rename(&mut source, "path", "entryPoint");
    let dependencies = definition["resolvedDependencies"].as_array();
    let materials = dependencies.into_iter().flatten();
    let materials: Vec<Value> = materials
        .map(|material| json!({"uri": material["uri"], "digest": material["digest"]}))
        .collect();
    let mut told = json!({
        "builder": {"id": run["builder"]["id"]},
        "buildType": "https://mobyproject.org/buildkit@v1",
        "materials": materials,
        "invocation": {
            "configSource": source,
            "parameters": external["request"],
            "environment": environment,
        },
    });
    if let Some(graph) = graph {
        told["buildConfig"] = graph;
    }
    if let Some(about) = run.get("metadata") {
        told["metadata"] = json!({
            "buildInvocationID": about["invocationId"],
            "buildStartedOn": about["startedOn"],
            "buildFinishedOn": about["finishedOn"],
            "completeness": {
                "parameters": about["buildkit_completeness"]["request"],
                "environment": true,
                "materials": about["buildkit_completeness"]["resolvedDependencies"],
            },
            "reproducible": about["buildkit_reproducible"] == true,
            "https://mobyproject.org/buildkit@v1#hermetic": about["buildkit_hermetic"] == true,
            "https://mobyproject.org/buildkit@v1#metadata": about["buildkit_metadata"],
        });
    }
    told
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn rename(map: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = map.remove(from) {
        map.insert(to.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provenance_is_told_in_the_words_that_readers_of_metadata_know() {
        let one = json!({
            "buildDefinition": {
                "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
                "externalParameters": {
                    "configSource": {"path": "a"},
                    "request": {"locals": [{"name": "context"}]},
                },
                "internalParameters": {
                    "buildConfig": {"llbDefinition": []},
                    "builderPlatform": "linux/amd64",
                    "ci": "b",
                },
                "resolvedDependencies": [{"uri": "http://c", "digest": {"sha256": "d"}, "name": "e"}],
            },
            "runDetails": {
                "builder": {"id": "f"},
                "metadata": {
                    "invocationId": "g",
                    "startedOn": "h",
                    "finishedOn": "i",
                    "buildkit_metadata": {"layers": {}},
                    "buildkit_completeness": {"request": true, "resolvedDependencies": false},
                },
            },
        });
        let expected = json!({
            "builder": {"id": "f"},
            "buildType": "https://mobyproject.org/buildkit@v1",
            "materials": [{"uri": "http://c", "digest": {"sha256": "d"}}],
            "invocation": {
                "configSource": {"entryPoint": "a"},
                "parameters": {"locals": [{"name": "context"}]},
                "environment": {"platform": "linux/amd64", "ci": "b"},
            },
            "buildConfig": {"llbDefinition": []},
            "metadata": {
                "buildInvocationID": "g",
                "buildStartedOn": "h",
                "buildFinishedOn": "i",
                "completeness": {"parameters": true, "environment": true, "materials": false},
                "reproducible": false,
                "https://mobyproject.org/buildkit@v1#hermetic": false,
                "https://mobyproject.org/buildkit@v1#metadata": {"layers": {}},
            },
        });
        assert_eq!(version_0_2(&one), expected);
    }

    #[test]
    fn the_variable_of_buildx_says_how_much_is_told() {
        for (value, detail) in [
            ("min", Detail::Min),
            ("max", Detail::Max),
            ("disabled", Detail::None),
            ("false", Detail::None),
            ("true", Detail::Min),
        ] {
            let environment = Environment::from([("BUILDX_METADATA_PROVENANCE", value)]);
            assert_eq!(Detail::read(&environment), detail, "{value}");
        }
        assert_eq!(Detail::read(&Environment::default()), Detail::Min);
    }
}
