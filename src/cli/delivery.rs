//! The outputs of a run: what the daemon makes of each image, and what is told of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::build::{self, Options, Solved};
use crate::buildkit::{DockerApi, Export, Target};
use crate::image::Plan;
use crate::oci::{Archive, Descriptor, Digest, Index, Reference, media_type};

use super::args::{self, Delivering};
use super::discover;
use super::environment::Environment;
use super::failure::{Exit, Failure, causes, refuse, unreadable};
use super::metadata::{Metadata, decoded};
use super::output::{self, Dest, Form, Output};
use super::place::{self, Place};
use super::setup::Ready;
use super::{outcome, outputs};

/// What is to become of the images of a run.
#[derive(Clone)]
pub(super) struct Order {
    outputs: Vec<Output>,
    /// Attributes of exporters.
    annotations: BTreeMap<String, String>,
    metadata: Metadata,
}

/// What becomes of the images of a run.
pub(super) struct Delivery {
    order: Order,
    engine: Option<Engine>,
    metadata: Metadata,
}

/// The Engine that images are loaded into.
struct Engine {
    api: DockerApi,
    has_containerd_store: bool,
}

/// Outputs that the daemon makes in one build.
pub(super) struct Round {
    /// Whether attestations go with them.
    is_attested: bool,
    parcels: Vec<Parcel>,
}

/// One output of one app.
struct Parcel {
    export: Export,
    names: Vec<String>,
    place: Place,
}

/// An image at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) name: String,
    /// The digest of its manifest, or of what was pushed; `None` where there is no manifest.
    pub(super) digest: Option<Digest>,
    pub(super) is_pushed: bool,
}

impl Order {
    /// What the flags ask for; `fallback` if they ask for nothing. `tags` are the names that the user gives to images.
    pub(super) fn read(
        flags: &Delivering,
        tags: &[String],
        fallback: Option<Output>,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let mut wrong = Vec::new();
        let mut outputs = Vec::new();
        for text in args::given(&flags.output) {
            match Output::parse(text.trim()) {
                Ok(output) => outputs.push(output),
                Err(failure) => wrong.push(failure),
            }
        }
        let is_silent = outputs.is_empty() && wrong.is_empty();
        let annotations = output::annotations(&flags.annotation);
        wrong.extend(annotations.as_ref().err().cloned());
        let mut order = Self {
            outputs,
            annotations: annotations.unwrap_or_default(),
            metadata: Metadata::new(flags.metadata_file.clone(), environment),
        };
        let mut pushed = order.outputs.iter().filter(|output| output.pushes());
        if flags.push && !pushed.any(|output| output.names.is_empty()) {
            order.outputs.push(Output::push());
        }
        if is_silent && !flags.push {
            order.outputs.extend(fallback);
        }
        wrong.extend(order.unusable(tags));
        refuse(wrong)?;
        Ok(order)
    }

    /// What cannot be, whatever is built.
    fn unusable(&self, tags: &[String]) -> Vec<Failure> {
        let mut wrong = Vec::new();
        for output in &self.outputs {
            if output.dest == Some(Dest::Stdout) {
                wrong.extend(place::check_stdout(output).err());
            }
            if !output.pushes() {
                continue;
            }
            let names = match output.names.is_empty() {
                true => tags,
                false => &output.names,
            };
            if names.is_empty() {
                wrong.push(
                    Failure::input("an image that is pushed needs a name")
                        .hint("`--tag registry.example/team/{app}:1.0` gives it one"),
                );
            }
            wrong.extend(names.iter().filter(|name| is_nobodys(name)).map(|name| {
                Failure::input(format!(
                    "`{name}` cannot be pushed: it names no registry, and no account of Docker Hub"
                ))
                .hint("write REGISTRY/NAME:TAG, or ACCOUNT/NAME:TAG for Docker Hub")
            }));
        }
        if let Some(path) = self.metadata.file() {
            let told = |mut failure: Failure| {
                failure.exit = Exit::Input;
                for problem in &mut failure.problems {
                    problem.message = format!("`--metadata-file`: {}", problem.message);
                }
                failure
            };
            wrong.extend(Place::file(path).err().map(told));
        }
        wrong
    }

    /// Refuses outputs that `apps` would have in common.
    pub(super) fn check(&self, apps: &[&str]) -> Result<(), Failure> {
        output::check_places(&self.outputs, apps)
    }

    /// The files that outputs write, which are no sources.
    pub(super) fn files(&self, plans: &[Plan<'_>]) -> Vec<PathBuf> {
        let archives = self
            .outputs
            .iter()
            .filter(|output| matches!(output.form, Form::Docker | Form::Oci | Form::Rootfs));
        let archives = archives.flat_map(|output| {
            let paths = plans.iter().filter_map(|plan| output.path(&plan.name));
            paths.map(PathBuf::from)
        });
        let all = archives.chain(self.metadata.file().cloned());
        // A place that is not there is no source either.
        all.filter_map(|path| path.canonicalize().ok()).collect()
    }
}

impl Delivery {
    pub(super) fn new(order: &Order) -> Self {
        Self {
            order: order.clone(),
            engine: None,
            metadata: order.metadata.clone(),
        }
    }

    /// Finds what the outputs need beside the daemon, and says what they will lack; there are `others` besides.
    pub(super) async fn prepare(
        &mut self,
        ready: &Ready,
        others: usize,
    ) -> Result<Vec<String>, Failure> {
        let mut warnings = Vec::new();
        if self
            .order
            .outputs
            .iter()
            .any(|output| output.form == Form::Engine)
        {
            let engine = engine(ready).await?;
            if !engine.has_containerd_store && attests(ready) {
                warnings.push("this Engine keeps its images outside of containerd and cannot hold attestations: they are left out".to_owned());
            }
            self.engine = Some(engine);
        }
        if self.order.outputs.len() + others > 1 && !ready.capabilities.has_several_exporters() {
            warnings.push("this BuildKit is older than 0.13 and makes one output at a time: they follow one after the other".to_owned());
        }
        let is_known = |wanted: &str| {
            let mut keys = self.order.annotations.keys();
            keys.any(|key| key.starts_with(wanted))
        };
        let is_attested = |output| self.is_attested(output, ready);
        let has_index =
            self.order.outputs.iter().any(is_attested) || (others > 0 && attests(ready));
        if is_known("annotation-index") && !has_index {
            return Err(Failure::input(
                "`--annotation`: there is no index to annotate, since the image has no attestations",
            )
            .hint("annotate the manifest: `--annotation manifest:KEY=VALUE`"));
        }
        Ok(warnings)
    }

    fn is_attested(&self, output: &Output, ready: &Ready) -> bool {
        let has_store = self
            .engine
            .as_ref()
            .is_some_and(|engine| engine.has_containerd_store);
        let has_types = output
            .attributes
            .get("oci-mediatypes")
            .is_none_or(|value| value == "true");
        attests(ready) && has_types && output.holds_attestations(has_store)
    }

    /// The archive that a run keeps of every app.
    pub(super) fn archive(&self, ready: &Ready, names: &[String], file: &Path) -> Export {
        let rewrites = ready.capabilities.can_rewrite_timestamps();
        let mut attributes = outputs::attributes(names, ready.options.epoch, rewrites);
        attributes.extend(self.annotations(attests(ready)));
        Export {
            kind: "oci".to_owned(),
            attributes,
            target: Target::File(file.to_owned()),
        }
    }

    /// The builds that make the outputs of `app`, and `own` besides.
    pub(super) fn rounds(
        &self,
        ready: &Ready,
        app: &str,
        tags: &[String],
        own: Option<Export>,
    ) -> Result<Vec<Round>, Failure> {
        let mut rounds: Vec<Round> = Vec::new();
        let several = ready.capabilities.has_several_exporters();
        if let Some(export) = own {
            rounds.push(Round {
                is_attested: attests(ready),
                parcels: vec![Parcel {
                    export,
                    names: Vec::new(),
                    place: Place::Own,
                }],
            });
        }
        // What is pushed comes first, so that it goes with the archive: it is the same image then, provenance and all.
        let (pushed, other): (Vec<&Output>, Vec<&Output>) = self
            .order
            .outputs
            .iter()
            .partition(|output| output.pushes());
        for output in pushed.into_iter().chain(other) {
            let is_attested = self.is_attested(output, ready);
            for parcel in self.parcels(output, ready, app, tags)? {
                let fits = |round: &&mut Round| {
                    several && round.is_attested == is_attested && round.agrees(&parcel)
                };
                match rounds.iter_mut().find(fits) {
                    Some(round) => round.parcels.push(parcel),
                    None => rounds.push(Round {
                        is_attested,
                        parcels: vec![parcel],
                    }),
                }
            }
        }
        for round in &mut rounds {
            // Of several exporters the last one's answer counts.
            round.parcels.sort_by_key(Parcel::asks);
        }
        Ok(rounds)
    }

    fn parcels(
        &self,
        output: &Output,
        ready: &Ready,
        app: &str,
        tags: &[String],
    ) -> Result<Vec<Parcel>, Failure> {
        let own = output.names.iter().map(|name| name.replace("{app}", app));
        let names = match output.names.is_empty() {
            true => tags.to_vec(),
            false => own.collect(),
        };
        let path = output.path(app).map(PathBuf::from);
        let place = match (output.form, &output.dest, &path) {
            (Form::Engine, ..) => Place::engine()?,
            (Form::Image, ..) => return Ok(self.images(output, ready, &names)),
            (_, Some(Dest::Stdout), _) => Place::stdout()?,
            (Form::Local, _, Some(path)) => Place::files(path)?,
            (Form::Layout, _, Some(path)) => Place::layout(path)?,
            (_, _, Some(path)) => Place::file(path)?,
            (_, _, None) => Place::Daemon,
        };
        Ok(vec![Parcel {
            export: self.export(output, ready, &names, place.target()),
            names,
            place,
        }])
    }

    // Registries on this machine have no certificates: the others are not asked without.
    fn images(&self, output: &Output, ready: &Ready, names: &[String]) -> Vec<Parcel> {
        let (near, far): (Vec<String>, Vec<String>) =
            names.iter().cloned().partition(|name| is_loopback(name));
        let both = [(near, true), (far, false)].into_iter();
        let parcels = both.filter(|(names, _)| !names.is_empty());
        parcels
            .map(|(names, is_near)| {
                let mut export = self.export(output, ready, &names, Target::Daemon);
                let attributes = &mut export.attributes;
                if is_near && output.pushes() {
                    attributes
                        .entry("registry.insecure".to_owned())
                        .or_insert_with(|| "true".to_owned());
                }
                if output.pushes() {
                    // What is pushed is not kept besides, as long as nobody asks for it.
                    attributes
                        .entry("store".to_owned())
                        .or_insert_with(|| "false".to_owned());
                }
                Parcel {
                    export,
                    names,
                    place: Place::Daemon,
                }
            })
            .collect()
    }

    fn export(&self, output: &Output, ready: &Ready, names: &[String], target: Target) -> Export {
        let is_attested = self.is_attested(output, ready);
        let kind = match output.form {
            // Only with the store of containerd does an Engine read the layout that has a place for attestations.
            Form::Engine if is_attested => "oci",
            Form::Engine | Form::Docker => "docker",
            Form::Oci | Form::Layout => "oci",
            Form::Local => "local",
            Form::Rootfs => "tar",
            Form::Image => "image",
        };
        let epoch = ready.options.epoch;
        let mut attributes = match output.form {
            Form::Local | Form::Rootfs => {
                BTreeMap::from([("source-date-epoch".to_owned(), epoch.to_string())])
            }
            _ => {
                let rewrites = ready.capabilities.can_rewrite_timestamps();
                let mut attributes = outputs::attributes(names, epoch, rewrites);
                attributes.extend(self.annotations(is_attested));
                attributes
            }
        };
        attributes.extend(output.attributes.clone());
        if output.attributes.contains_key("compression") {
            // Layers that the daemon has already are taken as they are compressed.
            attributes
                .entry("force-compression".to_owned())
                .or_insert_with(|| "true".to_owned());
        }
        if output.form == Form::Layout {
            attributes.insert("tar".to_owned(), "false".to_owned());
        }
        Export {
            kind: kind.to_owned(),
            attributes,
            target,
        }
    }

    /// The annotations of an image; without attestations there is no index.
    fn annotations(&self, is_attested: bool) -> BTreeMap<String, String> {
        let all = self.order.annotations.clone().into_iter();
        all.filter(|(key, _)| is_attested || !key.starts_with("annotation-index"))
            .collect()
    }

    /// Brings the outputs of `round` to their places.
    pub(super) async fn finish(
        &mut self,
        round: Round,
        app: &str,
        solved: &Solved,
    ) -> Result<Vec<Delivered>, Failure> {
        let is_pushed = round.parcels.iter().any(Parcel::pushes);
        self.metadata.note(app, solved, is_pushed);
        let mut delivered = Vec::new();
        for parcel in round.parcels {
            delivered.extend(self.deliver(parcel, app, solved).await?);
        }
        Ok(delivered)
    }

    async fn deliver(
        &mut self,
        parcel: Parcel,
        app: &str,
        solved: &Solved,
    ) -> Result<Vec<Delivered>, Failure> {
        let pushes = parcel.pushes();
        let is_layout = parcel.export.kind == "oci";
        let names = parcel.names;
        let digest = match parcel.place {
            Place::Own => return Ok(Vec::new()),
            Place::Daemon => digest(&solved.response),
            Place::Engine(partial) => {
                let digest = self.archived(partial.path(), app, is_layout)?;
                if let Some(engine) = &self.engine {
                    let loaded = engine.api.load(partial.path()).await;
                    loaded.map_err(|error| discover::unreachable(&error))?;
                }
                digest
            }
            Place::Stdout(partial) => {
                place::pour(&partial)?;
                return Ok(Vec::new());
            }
            Place::File {
                partial,
                path,
                is_ordinary,
            } => {
                let digest = self.archived(partial.path(), app, is_layout)?;
                place::keep(partial, &path, is_ordinary)?;
                digest
            }
            Place::Files { partial, path } => {
                place::settle(partial, &path)?;
                None
            }
            Place::Layout { partial, path } => {
                let root = descriptor(&solved.response).ok_or_else(|| {
                    Failure::environment("the daemon does not say what it wrote into the layout")
                })?;
                place::publish(partial, &path, &root, &tagged(&names))?;
                listed(&path, &root)?
            }
        };
        let told = names.into_iter().map(|name| Delivered {
            name,
            digest,
            is_pushed: pushes,
        });
        Ok(told.collect())
    }

    /// The digest of the image in an archive of `app`; Docker's has none.
    fn archived(
        &mut self,
        path: &Path,
        app: &str,
        is_layout: bool,
    ) -> Result<Option<Digest>, Failure> {
        if !is_layout {
            return Ok(None);
        }
        let archive = Archive::read(path).map_err(|error| Failure::environment(causes(&error)))?;
        self.attest(app, &archive);
        // Several images are known by their index.
        let root = archive.roots.first().filter(|_| archive.images.len() > 1);
        match root {
            Some(root) => Ok(Some(root.digest)),
            None => {
                let image = outputs::image(&archive).map_err(Failure::environment)?;
                Ok(Some(image.descriptor.digest))
            }
        }
    }

    /// Whether stdout has an image, and place for nothing else.
    pub(super) fn has_stdout(&self) -> bool {
        self.order
            .outputs
            .iter()
            .any(|output| output.dest == Some(Dest::Stdout))
    }

    /// Notes what an archive of `app` tells of its image.
    pub(super) fn attest(&mut self, app: &str, archive: &Archive) {
        self.metadata.attest(app, archive);
    }

    /// Writes the file that `--metadata-file` names.
    pub(super) fn write_metadata(&self, is_one: bool) -> Result<(), Failure> {
        self.metadata.write(is_one)
    }
}

impl Round {
    /// The options of the build that makes these outputs; caches are written by the first.
    pub(super) fn options(&self, options: &Options, is_first: bool) -> Options {
        let mut options = options.clone();
        if !self.is_attested {
            options.sbom = false;
            options.provenance = None;
        }
        if !is_first {
            options.caches.clear();
            // What the first one ran again is new.
            options.no_cache = false;
        }
        options
    }

    /// What of these outputs can be made although the build ended with `failure`, which is about another one; `None` where
    /// that is nothing, or the caller's own is not among them.
    pub(super) fn rest(mut self, failure: &build::Failure) -> Option<Self> {
        let is_own = |parcel: &Parcel| matches!(parcel.place, Place::Own);
        if !failure.is_of_export || !self.parcels.iter().any(is_own) {
            return None;
        }
        let all = self.parcels.len();
        match outcome::is_of_push(failure) {
            true => self.parcels.retain(|parcel| !parcel.pushes()),
            // It does not say which.
            false => self.parcels.retain(is_own),
        }
        (self.parcels.len() < all).then_some(self)
    }

    pub(super) fn exports(&self) -> Vec<Export> {
        let parcels = self.parcels.iter();
        parcels.map(|parcel| parcel.export.clone()).collect()
    }

    // There is one answer for all outputs of a build: those that need it must be of one image.
    fn agrees(&self, parcel: &Parcel) -> bool {
        let mut asking = self.parcels.iter().filter(|known| known.asks());
        !parcel.asks() || asking.all(|known| known.image() == parcel.image())
    }
}

impl Parcel {
    /// Whether only the answer to the build tells what became of it.
    fn asks(&self) -> bool {
        matches!(self.place, Place::Daemon | Place::Layout { .. })
    }

    /// What the digest of the image depends on.
    fn image(&self) -> BTreeMap<&str, &str> {
        let attributes = self.export.attributes.iter();
        let about = attributes.filter(|(key, _)| !ABOUT_PLACES.contains(&key.as_str()));
        about.map(|(key, value)| (&**key, &**value)).collect()
    }

    fn pushes(&self) -> bool {
        self.export.kind == "image"
            && self
                .export
                .attributes
                .get("push")
                .is_some_and(|push| push == "true")
    }
}

// The attributes that say only where an image goes.
const ABOUT_PLACES: [&str; 6] = [
    "name-canonical",
    "push",
    "push-by-digest",
    "registry.insecure",
    "store",
    "tar",
];

fn attests(ready: &Ready) -> bool {
    ready.options.sbom || ready.options.provenance.is_some()
}

async fn engine(ready: &Ready) -> Result<Engine, Failure> {
    let failed =
        |error| discover::unreachable(&error).hint("`--output type=oci,dest=FILE` needs no Engine");
    let api = DockerApi::new(&ready.found.docker).map_err(failed)?;
    let engine = api.engine().await.map_err(failed)?;
    Ok(Engine {
        api,
        has_containerd_store: engine.has_containerd_store,
    })
}

/// The digest of the image that `root` describes in the layout at `path`.
fn listed(path: &Path, root: &Descriptor) -> Result<Option<Digest>, Failure> {
    if root.media_type != media_type::INDEX {
        return Ok(Some(root.digest));
    }
    let blob = path.join("blobs/sha256").join(root.digest.hex());
    let bytes = std::fs::read(&blob).map_err(|error| unreadable("the layout", &blob, &error))?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| {
        Failure::environment(format!("the index of the image is none: {error}"))
    })?;
    let is_image = |listed: &&Descriptor| {
        let platform = listed.platform.as_ref();
        platform.is_none_or(|platform| platform.os != "unknown")
    };
    let mut images = index.manifests.iter().filter(is_image);
    let first = images.next().map(|image| image.digest);
    // Several are known by their index.
    Ok(first
        .filter(|_| images.next().is_none())
        .or(Some(root.digest)))
}

fn descriptor(response: &BTreeMap<String, String>) -> Option<Descriptor> {
    let value = decoded(response.get("containerimage.descriptor")?)?;
    serde_json::from_value(value).ok()
}

/// The digest of what the last exporter made.
pub(super) fn digest(response: &BTreeMap<String, String>) -> Option<Digest> {
    response.get("containerimage.digest")?.parse().ok()
}

/// Names as containerd knows them, each with its tag.
fn tagged(names: &[String]) -> Vec<(String, String)> {
    let references = names
        .iter()
        .filter_map(|name| name.parse::<Reference>().ok());
    references
        .map(|reference| {
            let reference = reference.or_latest();
            let tag = reference.tag().unwrap_or("latest").to_owned();
            (reference.to_string(), tag)
        })
        .collect()
}

/// Whether nobody can push under this name.
fn is_nobodys(name: &str) -> bool {
    let reference: Result<Reference, _> = name.replace("{app}", "app").parse();
    reference.is_ok_and(|reference| {
        reference.registry() == "docker.io" && reference.repository().starts_with("library/")
    })
}

/// Whether the registry of an image is on this machine.
fn is_loopback(name: &str) -> bool {
    let Ok(reference) = name.parse::<Reference>() else {
        return false;
    };
    let registry = reference.registry();
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_on_this_machine_needs_no_certificate() {
        for name in [
            "localhost/a",
            "localhost:5000/a",
            "127.0.0.1:5000/a:1",
            "127.1.2.3/a",
        ] {
            assert!(is_loopback(name), "{name}");
        }
        for name in ["a", "docker.io/a", "localhost.example/a", "10.0.0.1:5000/a"] {
            assert!(!is_loopback(name), "{name}");
        }
    }

    #[test]
    fn names_in_a_layout_have_tags() {
        assert_eq!(
            tagged(&["a.example/b:1".to_owned(), "c".to_owned()]),
            [
                ("a.example/b:1".to_owned(), "1".to_owned()),
                ("docker.io/library/c:latest".to_owned(), "latest".to_owned()),
            ]
        );
    }
}
