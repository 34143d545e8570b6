//! What flags and environment say of a run that builds.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::build::Base;
use crate::buildkit::Auth;
use crate::buildkit::llb::Network;
use crate::image::Plan;
use crate::oci::Platform;
use crate::progress::{Mask, escape};

use super::args::{self, Building, Delivering, Provenance};
use super::delivery::Order;
use super::discover;
use super::display::Mode;
use super::environment::Environment;
use super::failure::{Failure, all, refuse};
use super::inputs::Choice;
use super::output::Output;
use super::secrets::{self, Hidden};
use super::{base, cache, index, login, ssh, steps, tags, target};

/// The flags of a command that builds.
pub(super) struct Flags<'a> {
    /// The repository.
    pub(super) path: &'a Path,
    pub(super) building: &'a Building,
    pub(super) delivering: &'a Delivering,
    pub(super) tags: &'a [String],
    /// Where images go that no flag sends anywhere.
    pub(super) fallback: Option<Output>,
}

/// What a run does: all that can be known of it without a network and without a daemon.
pub(super) struct Settings {
    /// The absolute path of the repository.
    pub(super) repository: PathBuf,
    pub(super) choice: Choice,
    /// What images are built for; there is at least one.
    pub(super) targets: Vec<Target>,
    pub(super) packages: index::Origin,
    pub(super) daemon: discover::Wanted,
    pub(super) auth: Auth,
    pub(super) hidden: Hidden,
    /// The sockets of SSH agents, by id.
    pub(super) agents: BTreeMap<String, PathBuf>,
    pub(super) caches: cache::Templates,
    pub(super) order: Order,
    pub(super) mode: Mode,
    /// The source date epoch, where one was given.
    pub(super) epoch: Option<i64>,
    pub(super) steps: Steps,
    tags: Vec<String>,
}

/// A platform that images are built for.
pub(super) struct Target {
    pub(super) platform: Platform,
    /// In apk's words.
    pub(super) architecture: &'static str,
    /// The base image of its build steps.
    pub(super) base: Base,
}

/// How build steps run, and what is attached to images.
pub(super) struct Steps {
    pub(super) network: Network,
    pub(super) hosts: Vec<(String, IpAddr)>,
    pub(super) no_cache: bool,
    pub(super) sbom: bool,
    pub(super) provenance: Option<String>,
}

/// What a run is for the apps that were found.
pub(super) struct Fitted {
    /// The names of each app's image.
    pub(super) names: Vec<Vec<String>>,
    pub(super) caches: cache::Parsed,
}

impl Settings {
    /// Reads flags and environment; everything that is wrong is told at once.
    pub(super) fn read(flags: &Flags<'_>, environment: &Environment) -> Result<Self, Failure> {
        let building = flags.building;
        let repository = repository(flags.path);
        let known = repository.as_deref().ok();
        let choice = Choice::read(building, known, environment);
        let targets = targets(&building.platform, environment);
        let packages = index::Origin::read(environment);
        let daemon = discover::Wanted::read(&building.connection, environment);
        let auth = login::auth(environment);
        let caches = cache::Templates::read(&building.cache_from, &building.cache_to, environment);
        let agents = ssh::agents(&building.ssh, environment);
        let steps = Steps::read(building);
        let secrets = secrets::read(&building.secret, environment);
        let certificates = secrets::certificates(building.ca_certificates.as_deref(), environment);
        let tags = tags::read(flags.tags);
        let names = tags.as_deref().unwrap_or(flags.tags);
        let order = Order::read(flags.delivering, names, flags.fallback.clone(), environment);
        let wrong = [
            repository.as_ref().err(),
            choice.as_ref().err(),
            targets.as_ref().err(),
            packages.as_ref().err(),
            daemon.as_ref().err(),
            auth.as_ref().err(),
            caches.as_ref().err(),
            agents.as_ref().err(),
            steps.as_ref().err(),
            secrets.as_ref().err(),
            certificates.as_ref().err(),
            tags.as_ref().err(),
            order.as_ref().err(),
        ];
        refuse(wrong.into_iter().flatten().cloned())?;
        let choice = choice?;
        let proxy = choice.arguments.proxy(environment.proxy());
        Ok(Self {
            repository: repository?,
            hidden: Hidden::new(secrets?, certificates?, proxy),
            choice,
            targets: targets?,
            packages: packages?,
            daemon: daemon?,
            auth: auth?,
            agents: agents?,
            caches: caches?,
            order: order?,
            mode: Mode::new(building, environment),
            epoch: building.source_date_epoch,
            tags: tags?,
            steps: steps?,
        })
    }

    /// What is wanted of `plans`; everything that does not go with them is told at once.
    pub(super) fn fit(&self, plans: &[Plan<'_>]) -> Result<Fitted, Failure> {
        let apps: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
        let names = tags::of(&apps, &self.tags);
        let caches = self.caches.of(&apps);
        let wrong = [
            names.as_ref().err().cloned(),
            self.order.check(&apps).err(),
            caches.as_ref().err().cloned(),
            self.hidden.check(plans).err(),
        ];
        refuse(wrong.into_iter().flatten())?;
        Ok(Fitted {
            names: names?,
            caches: caches?,
        })
    }
}

impl Settings {
    /// What no text may tell.
    pub(super) fn mask(&self) -> Mask {
        let caches = self.caches.secrets().map(str::as_bytes);
        Mask::new(self.hidden.values().chain(caches))
    }
}

impl Steps {
    fn read(building: &Building) -> Result<Self, Failure> {
        Ok(Self {
            network: match building.network {
                args::Network::Default => Network::Sandbox,
                args::Network::Host => Network::Host,
                args::Network::None => Network::None,
            },
            hosts: steps::hosts(&building.add_host)?,
            no_cache: building.no_cache,
            sbom: !building.no_sbom && !building.no_attestations,
            provenance: provenance(building),
        })
    }
}

/// The platforms, each with its base image.
fn targets(flags: &[String], environment: &Environment) -> Result<Vec<Target>, Failure> {
    let platforms = target::targets(flags);
    // A base image can be wrong for any platform.
    let known = platforms.clone().or_else(|_| target::targets(&[]));
    let targets = all(known?.into_iter().map(|(platform, architecture)| {
        Ok(Target {
            base: base::read(environment, &platform)?,
            platform,
            architecture,
        })
    }));
    let wrong = [platforms.as_ref().err(), targets.as_ref().err()];
    refuse(wrong.into_iter().flatten().cloned())?;
    targets
}

fn provenance(building: &Building) -> Option<String> {
    if building.no_provenance || building.no_attestations {
        return None;
    }
    let mode = match building.provenance {
        Provenance::Min => "min",
        Provenance::Max => "max",
    };
    // The default version differs between releases of BuildKit.
    Some(format!("mode={mode},version=v1"))
}

/// The absolute path of the repository at `path`.
pub(super) fn repository(path: &Path) -> Result<PathBuf, Failure> {
    let wrong = |reason: String| {
        Failure::input(format!(
            "`{}` is not a repository: {reason}",
            escape(&path.to_string_lossy())
        ))
        .hint("name the directory of the sources")
    };
    let absolute = path
        .canonicalize()
        .map_err(|error| wrong(error.to_string()))?;
    if absolute.is_dir() {
        Ok(absolute)
    } else {
        Err(wrong("it is no directory".to_owned()))
    }
}
