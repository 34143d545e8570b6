//! The two halves of an app's build: what is built, and the image that it becomes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::buildkit::fsutil::Sent;
use crate::buildkit::llb::{FileOp, Mkfile, Network, Proxy, State};
use crate::buildkit::{
    Attestation, BuildError, BuildReference, BuiltImage, CANCELED, Cache, Client, Export, Gateway,
    Job, Outcome, Received, Session, StatusResponse,
};
use crate::image::{
    Certificates, Context, Origin, PinnedPackage, Plan, RootFiles, Steps, config, lower_build,
    lower_image, lower_root,
};
use crate::oci::Digest;
use crate::progress::{Mask, MaskedStatus, Tail};
use crate::wolfi::{Atom, Closure, Index, resolve};

use super::base::Base;
use super::cache::{Caches, Failed};
use super::document::document;
use super::failure::{Cause, Failure};
use super::inspect::{Files, inspect};
use super::inventory::{self, EvidenceCount, Inventory};
use super::packages::{Packages, VerifiedPackage};
use super::programs;

/// What all apps of a run share.
pub struct Run<'a> {
    /// The daemon.
    pub client: &'a Client,
    /// The session that all builds use.
    pub session: &'a Session,
    /// The package index.
    pub index: &'a Index,
    /// The packages, verified.
    pub packages: &'a Packages<'a>,
    /// The base image.
    pub base: &'a Base,
    /// What the user chose.
    pub options: &'a Options,
}

/// The same app for another platform.
pub struct Variant<'a> {
    /// Its plan for that platform.
    pub plan: &'a Plan<'a>,
    /// The package index of that architecture.
    pub index: &'a Index,
    /// The packages, verified.
    pub packages: &'a Packages<'a>,
    /// The base image for that platform.
    pub base: &'a Base,
}

/// What the user chose for all apps of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository as the daemon reads it.
    pub context: Context,
    /// The repository on disk, whose lock files name the libraries of an app.
    pub repository: PathBuf,
    /// Certificates for the build steps.
    pub certificates: Option<Certificates>,
    /// Proxies for the build steps.
    pub proxy: Proxy,
    /// Variables of the build steps whose values are secrets of the session, by the ids of those.
    pub secret_env: BTreeMap<String, String>,
    /// What no text may tell.
    pub mask: Mask,
    /// The SSH agents of the session that build steps may use, by id.
    pub agents: Vec<String>,
    /// Where the results of steps come from and go to, by app.
    pub caches: BTreeMap<String, Caches>,
    /// The network of the build steps.
    pub network: Network,
    /// The hosts that build steps know besides, with their addresses.
    pub hosts: Vec<(String, IpAddr)>,
    /// Whether steps run again although nothing changed.
    pub no_cache: bool,
    /// Whether an SBOM is attached.
    pub sbom: bool,
    /// The parameters of BuildKit's provenance, such as `mode=max`; `None` attaches none.
    pub provenance: Option<String>,
    /// The time of everything in the images, seconds since 1970.
    pub epoch: i64,
    /// Where the sources come from.
    pub origin: Origin,
}

impl Options {
    // The daemon has to be asked for it, and may refuse.
    fn entitlements(&self) -> Vec<String> {
        match self.network {
            Network::Host => vec!["network.host".to_owned()],
            Network::Sandbox | Network::None => Vec::new(),
        }
    }
}

/// An app that was built.
#[derive(Clone, Debug, Default)]
pub struct Solved {
    /// What the exporters said and how much they sent, by the index of the export.
    pub received: BTreeMap<usize, Received>,
    /// What the daemon said at the end.
    pub response: BTreeMap<String, String>,
    /// The packages of the image, name and version.
    pub packages: Vec<(String, String)>,
    /// How many libraries of each ecosystem the SBOM lists beside the packages.
    pub libraries: BTreeMap<String, u64>,
    /// How many of them are listed on which evidence.
    pub evidence: EvidenceCount,
    /// The number of steps of the build, and of those that were cached.
    pub steps: StepCount,
    /// What is less complete than it could be.
    pub warnings: Vec<String>,
    /// What was sent of the repository for this app.
    pub sent: Sent,
    /// The same for the other platforms: their packages, libraries and warnings.
    pub others: Vec<Self>,
}

/// How many steps a build had; fetching what it starts from is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepCount {
    /// All.
    pub total: u64,
    /// Those whose result the daemon had already.
    pub cached: u64,
}

const SPDX: &str = "https://spdx.dev/Document";
const SBOM_PATH: &str = "/sbom.spdx.json";
// What fits on a screen below the error.
const TAIL: usize = 20;
const ACCOUNTS_LIMIT: u64 = 1 << 20;

type Observer = Box<dyn FnMut(&StatusResponse) + Send>;

/// Why an attempt at a build failed.
enum Fault {
    Build(Box<Failure>),
    /// Only because of a cache that it should write.
    Cache {
        warning: String,
        left: Vec<Cache>,
    },
}

/// What a build gathers on its way, for error messages.
struct Journal {
    names: Mutex<BTreeMap<Digest, String>>,
    steps: Mutex<BTreeSet<Digest>>,
    seen: Arc<Mutex<Seen>>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            names: Mutex::default(),
            steps: Mutex::default(),
            seen: Arc::new(Mutex::new(Seen {
                tail: Tail::new(TAIL),
                ended: BTreeMap::new(),
                caches: Failed::default(),
            })),
        }
    }
}

/// What the daemon said.
struct Seen {
    tail: Tail,
    /// The operations that ended, and whether their result was there already.
    ended: BTreeMap<String, bool>,
    /// What failed with caches.
    caches: Failed,
}

impl Seen {
    fn feed(&mut self, event: &StatusResponse) {
        self.tail.feed(event);
        self.caches.feed(event);
        for vertex in event
            .vertexes
            .iter()
            .filter(|vertex| vertex.completed.is_some())
            // The daemon gives up what it began, where a result further on turns out to be there.
            .filter(|vertex| !vertex.error.ends_with(CANCELED))
        {
            self.ended.insert(vertex.digest.clone(), vertex.cached);
        }
    }
}

/// Those who look at the status stream.
struct Watch<O> {
    masked: MaskedStatus,
    seen: Arc<Mutex<Seen>>,
    observe: O,
}

impl<O: FnMut(&StatusResponse)> Watch<O> {
    fn feed(&mut self, event: StatusResponse) {
        let event = self.masked.feed(event);
        self.show(&event);
    }

    fn finish(&mut self) {
        let rest = self.masked.finish();
        self.show(&rest);
    }

    fn show(&mut self, event: &StatusResponse) {
        lock(&self.seen).feed(event);
        (self.observe)(event);
    }
}

impl Journal {
    async fn solve(&self, gateway: &Gateway, state: &State) -> Result<BuildReference, Cause> {
        let definition = state.marshal()?;
        let named = definition
            .vertices()
            .iter()
            .filter_map(|(digest, name)| Some((*digest, name.clone()?)));
        lock(&self.names).extend(named);
        lock(&self.steps).extend(definition.steps());
        Ok(gateway.solve(definition.proto().clone()).await?)
    }

    fn failure(&self, cause: Cause) -> Failure {
        Failure::new(cause, &lock(&self.names), |vertex| {
            lock(&self.seen).tail.lines(&vertex.to_string())
        })
    }

    fn count(&self) -> StepCount {
        let seen = lock(&self.seen);
        let ended: Vec<bool> = lock(&self.steps)
            .iter()
            .filter_map(|digest| seen.ended.get(&digest.to_string()).copied())
            .collect();
        let cached = ended.iter().filter(|cached| **cached).count();
        StepCount {
            total: ended.len() as u64,
            cached: cached as u64,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run<'_> {
    /// Builds `plan`, and the same for the other platforms that `variants` has, and makes `exports` of it.
    ///
    /// Status events go to `observe` as they arrive, without the values of secrets. When `interrupt` completes, the build is
    /// cancelled. A cache that cannot be read or written is a warning.
    ///
    /// # Errors
    /// With the step that failed, in the user's words.
    pub async fn build(
        &self,
        plan: &Plan<'_>,
        variants: &[Variant<'_>],
        exports: Vec<Export>,
        interrupt: impl Future<Output = ()>,
        observe: impl FnMut(&StatusResponse) + Send + 'static,
    ) -> Result<Solved, Failure> {
        let mut interrupt = pin!(interrupt);
        let observe: Arc<Mutex<Observer>> = Arc::new(Mutex::new(Box::new(observe)));
        let none = Caches::default();
        let caches = self.options.caches.get(&plan.name).unwrap_or(&none);
        let (imports, mut warnings) = caches.imports();
        let mut job = Job {
            exports,
            attributes: self.attributes(),
            cache_imports: imports,
            cache_exports: caches.exports(),
            entitlements: self.options.entitlements(),
        };
        let _ = self.session.take_sent(); // what other apps sent is theirs
        let mut solved = loop {
            let attempt = self.attempt(plan, variants, job.clone(), &mut interrupt, &observe);
            match attempt.await {
                Ok(solved) => break solved,
                Err(Fault::Build(failure)) => return Err(*failure),
                // Each time fewer are left, and to begin again costs little: steps that ran are cached by now.
                Err(Fault::Cache { warning, left }) => {
                    warnings.push(warning);
                    job.cache_exports = left;
                }
            }
        };
        warnings.extend(caches.finish(&solved.response));
        warnings.append(&mut solved.warnings);
        Ok(Solved { warnings, ..solved })
    }

    fn attributes(&self) -> BTreeMap<String, String> {
        let mut attributes = BTreeMap::from([(
            "build-arg:SOURCE_DATE_EPOCH".to_owned(),
            self.options.epoch.to_string(),
        )]);
        if let Some(provenance) = &self.options.provenance {
            attributes.insert("attest:provenance".to_owned(), provenance.clone());
        }
        attributes
    }

    async fn attempt(
        &self,
        plan: &Plan<'_>,
        variants: &[Variant<'_>],
        job: Job,
        interrupt: impl Future<Output = ()>,
        observe: &Arc<Mutex<Observer>>,
    ) -> Result<Solved, Fault> {
        let journal = Journal::default();
        let shown = Arc::clone(observe);
        let watch = Arc::new(Mutex::new(Watch {
            masked: MaskedStatus::new(self.options.mask.clone()),
            seen: Arc::clone(&journal.seen),
            observe: move |event: &StatusResponse| lock(&shown)(event),
        }));
        let watching = Arc::clone(&watch);
        let status = move |event: StatusResponse| lock(&watching).feed(event);
        let mut left = job.cache_exports.clone();
        let built = self
            .client
            .build(self.session, job, interrupt, status, async |gateway| {
                self.drive(plan, variants, gateway, &journal).await
            })
            .await;
        lock(&watch).finish();
        let failed = |cause| Err(Fault::Build(Box::new(journal.failure(cause))));
        let (response, mut solved) = match built {
            Ok(built) => built,
            Err(BuildError::Drive(cause)) => return failed(cause),
            Err(BuildError::Daemon(error)) => {
                let failures = lock(&journal.seen).caches.warnings().clone();
                return match Caches::blame(&error, &failures, &mut left) {
                    Some(warning) => Err(Fault::Cache {
                        warning: self.options.mask.text(&warning).into_owned(),
                        left,
                    }),
                    None => failed(Cause::Daemon(error)),
                };
            }
        };
        let warnings = lock(&journal.seen).caches.warnings().clone();
        solved.warnings.extend(warnings.into_values());
        Ok(Solved {
            received: self.session.received(),
            response: response.exporter,
            sent: self.session.take_sent(),
            steps: journal.count(),
            ..solved
        })
    }

    async fn drive(
        &self,
        plan: &Plan<'_>,
        variants: &[Variant<'_>],
        gateway: &Gateway,
        journal: &Journal,
    ) -> Result<(Outcome, Solved), Cause> {
        let (image, mut solved) = self.image(plan, gateway, journal).await?;
        let mut outcome = Outcome::from(image);
        for variant in variants {
            let run = Run {
                index: variant.index,
                packages: variant.packages,
                base: variant.base,
                ..*self
            };
            let (image, more) = run.image(variant.plan, gateway, journal).await?;
            outcome.others.push(image);
            solved.others.push(more);
        }
        Ok((outcome, solved))
    }

    async fn image(
        &self,
        plan: &Plan<'_>,
        gateway: &Gateway,
        journal: &Journal,
    ) -> Result<(BuiltImage, Solved), Cause> {
        let built = self.first_half(plan, gateway, journal).await?;
        self.second_half(plan, gateway, journal, built).await
    }

    /// Runs the build steps and looks at what they made.
    async fn first_half(
        &self,
        plan: &Plan<'_>,
        gateway: &Gateway,
        journal: &Journal,
    ) -> Result<Built, Cause> {
        let verified = self
            .packages
            .verified(plan.build_packages.packages())
            .await?;
        let packages: Vec<PinnedPackage> = verified.iter().map(VerifiedPackage::source).collect();
        let base = match plan.needs_base() {
            true => Some(self.base.resolve(gateway).await?),
            false => None,
        };
        let steps = Steps {
            base,
            packages: &packages,
            context: &self.options.context,
            certificates: self.options.certificates.as_ref(),
            proxy: &self.options.proxy,
            secret_env: &self.options.secret_env,
            agents: &self.options.agents,
            network: self.options.network,
            hosts: &self.options.hosts,
            no_cache: self.options.no_cache,
        };
        let output = lower_build(plan, &steps);
        let reference = journal.solve(gateway, &output).await?;
        let files = inspect(gateway, &reference).await?;
        let inventory =
            inventory::take(plan, &self.options.repository, gateway, &reference, &files).await?;
        Ok(Built {
            output,
            files,
            inventory,
        })
    }

    /// Completes the packages by what the built files need, and makes the image.
    async fn second_half(
        &self,
        plan: &Plan<'_>,
        gateway: &Gateway,
        journal: &Journal,
        built: Built,
    ) -> Result<(BuiltImage, Solved), Cause> {
        let closure = self.closure(plan, &built.files)?;
        let verified = self.packages.verified(closure.packages()).await?;
        let sources: Vec<PinnedPackage> = verified.iter().map(VerifiedPackage::source).collect();
        let newest = closure
            .packages()
            .map(|package| package.build_time)
            .max()
            .unwrap_or_default();
        let time = newest.min(self.options.epoch);
        let root = lower_root(&plan.name, &plan.platform, &sources, time);
        let reference = journal.solve(gateway, &root).await?;
        let base = Base::system(gateway, &reference).await?;
        let document = document(
            plan,
            self.options,
            &base,
            &closure,
            &verified,
            built.inventory.libraries(),
        )?;
        let files = RootFiles {
            passwd: account(gateway, &reference, "/etc/passwd", &passwd(plan)).await?,
            group: account(gateway, &reference, "/etc/group", &group(plan)).await?,
            sbom: document.json.clone(),
        };
        let image = lower_image(plan, &root, &built.output, &files, self.options.epoch);
        let image = journal.solve(gateway, &image).await?;
        programs::check(gateway, &image, plan).await?;
        let attestations = match self.options.sbom {
            true => vec![self.attest(gateway, journal, &document.json).await?],
            false => Vec::new(),
        };
        let mut origin = self.options.origin.clone();
        origin.base = self.base.pinned().filter(|_| plan.needs_base()).cloned();
        let image = BuiltImage {
            reference: image,
            config: config(plan, &origin, self.options.epoch).to_json(),
            attestations,
            platform: plan.platform.clone(),
        };
        let warnings = document.warnings.iter().map(ToString::to_string);
        let solved = Solved {
            packages: closure
                .packages()
                .map(|package| (package.name.clone(), package.version.to_string()))
                .collect(),
            libraries: built.inventory.ecosystems(),
            evidence: built.inventory.evidence(),
            warnings: warnings.chain(built.inventory.warnings).collect(),
            ..Solved::default()
        };
        Ok((image, solved))
    }

    /// The packages of the image: what the plan asks for, and what the built files need.
    fn closure(&self, plan: &Plan<'_>, files: &Files) -> Result<Closure<'_>, Cause> {
        let mut world = plan.world.clone();
        for (library, wanted) in &files.sonames {
            let atom = format!("so:{library}");
            if self.index.check(&atom).is_ok() {
                world.push(Atom::any(&atom));
            } else if !wanted.is_brought {
                return Err(Cause::Library {
                    file: wanted.file.clone(),
                    library: library.clone(),
                });
            }
        }
        Ok(resolve(self.index, &world)?)
    }

    async fn attest(
        &self,
        gateway: &Gateway,
        journal: &Journal,
        document: &[u8],
    ) -> Result<Attestation, Cause> {
        let file = Mkfile::new(SBOM_PATH, document.to_vec()).modified(self.options.epoch);
        let state = FileOp::on(&State::scratch())
            .mkfile(file)
            .with("SBOM")
            .state();
        Ok(Attestation {
            reference: journal.solve(gateway, &state).await?,
            path: SBOM_PATH.to_owned(),
            predicate_type: SPDX.to_owned(),
        })
    }
}

/// What the build steps made.
struct Built {
    output: State,
    files: Files,
    inventory: Inventory,
}

const ROOT: u32 = 0;

fn passwd(plan: &Plan<'_>) -> Option<String> {
    let (uid, gid) = plan.user;
    (uid != ROOT).then(|| {
        format!(
            "nonroot:x:{uid}:{gid}:nonroot:{}:/sbin/nologin",
            plan.workdir
        )
    })
}

fn group(plan: &Plan<'_>) -> Option<String> {
    let (_, gid) = plan.user;
    (gid != ROOT).then(|| format!("nonroot:x:{gid}:"))
}

/// The accounts of the packages with ours behind them, unless its number is taken.
async fn account(
    gateway: &Gateway,
    root: &BuildReference,
    path: &str,
    line: &Option<String>,
) -> Result<Vec<u8>, Cause> {
    let Some(line) = line else {
        return Ok(Vec::new());
    };
    let mut text = match gateway.stat(root, path).await? {
        Some(_) => String::from_utf8_lossy(&gateway.read_file(root, path, ACCOUNTS_LIMIT).await?)
            .into_owned(),
        None => String::new(),
    };
    let number = line.split(':').nth(2);
    if text.lines().any(|known| known.split(':').nth(2) == number) {
        return Ok(Vec::new());
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
    Ok(text.into_bytes())
}
