//! What every run that builds starts with.

use std::path::{Path, PathBuf};

use crate::build::{Packages, Variant};
use crate::image::Plan;
use crate::oci::Platform;
use crate::wolfi::Freshness;

use super::args::Building;
use super::display::Mode;
use super::environment::Environment;
use super::failure::{Exit, Failure, Problem};
use super::index::{self, Source, Stop};
use super::inputs;
use super::interrupt::Interrupt;
use super::setup::{self, Ready, Sources};

/// The repository and the packages, before it is known what is built of them.
pub(super) struct Start<'a> {
    pub(super) interrupt: Interrupt,
    /// The packages for the first platform.
    pub(super) source: Source,
    /// How much is shown.
    pub(super) mode: Mode,
    building: &'a Building,
    environment: &'a Environment,
    sources: Sources,
    platform: Platform,
    /// The other platforms and their packages.
    others: Vec<(Platform, Source)>,
}

impl<'a> Start<'a> {
    /// Opens the package index for the repository at `path`.
    pub(super) async fn open(
        path: &Path,
        building: &'a Building,
        environment: &'a Environment,
        freshness: Freshness,
    ) -> Result<Self, Stop> {
        let interrupt = Interrupt::listen()?;
        let sources = setup::sources(path)?;
        let mode = Mode::new(building, environment);
        let mut opened = Vec::new();
        for (platform, architecture) in setup::targets(&building.platform)? {
            let source = index::open(environment, architecture, freshness);
            let source = interrupt.cuts(source).await?;
            if mode.is_for_people() {
                source.warn();
            }
            opened.push((platform, source));
        }
        let others = opened.split_off(1);
        let (platform, source) = opened.remove(0);
        Ok(Self {
            interrupt,
            source,
            mode,
            building,
            environment,
            sources,
            platform,
            others,
        })
    }

    /// The plans of the apps to build, by platform.
    pub(super) fn plans(&self) -> Result<Vec<Vec<Plan<'_>>>, Failure> {
        let mut targets = vec![(&self.source.index, &self.platform)];
        targets.extend(
            self.others
                .iter()
                .map(|(platform, source)| (&source.index, platform)),
        );
        inputs::plans(&self.sources, self.building, self.environment, &targets)
    }

    /// Finds the daemon and opens the session for `plans`; `output` is no part of the sources.
    pub(super) async fn prepare(
        &self,
        plans: &[Vec<Plan<'_>>],
        output: &[PathBuf],
    ) -> Result<Ready, Failure> {
        let mut platforms = vec![self.platform.clone()];
        platforms.extend(self.others.iter().map(|(platform, _)| platform.clone()));
        let prepared = setup::prepare(
            self.building,
            self.environment,
            &self.sources,
            &platforms,
            plans.first().map_or(&[], Vec::as_slice),
            output,
        );
        let ready = self.interrupt.cuts(prepared).await?;
        runs(plans.iter().flatten(), &ready.found.daemon.platforms)?;
        Ok(ready)
    }

    /// The packages of the plans by platform, verified.
    pub(super) async fn packages(
        &self,
        plans: &[Vec<Plan<'_>>],
    ) -> Result<Vec<Packages<'_>>, Stop> {
        let others = self.others.iter().map(|(_, source)| source);
        let mut packages = Vec::new();
        for (source, plans) in std::iter::once(&self.source).chain(others).zip(plans) {
            let verified = setup::packages(source, plans, self.mode);
            packages.push(self.interrupt.cuts(verified).await?);
        }
        Ok(packages)
    }

    /// The app of this number for the other platforms.
    pub(super) fn variants<'b>(
        &'b self,
        ready: &'b Ready,
        plans: &'b [Vec<Plan<'b>>],
        packages: &'b [Packages<'b>],
        number: usize,
    ) -> Vec<Variant<'b>> {
        let others = self.others.iter().zip(&ready.other_bases);
        let made = others.zip(plans.iter().zip(packages).skip(1));
        made.filter_map(|(((_, source), base), (plans, packages))| {
            Some(Variant {
                plan: plans.get(number)?,
                index: &source.index,
                packages,
                base,
            })
        })
        .collect()
    }
}

/// Refuses apps with steps that the daemon's machine cannot run.
fn runs<'a>(
    plans: impl Iterator<Item = &'a Plan<'a>>,
    platforms: &[String],
) -> Result<(), Failure> {
    let missing =
        plans.filter(|plan| plan.needs_base() && !platforms.contains(&plan.platform.to_string()));
    let problems: Vec<Problem> = missing
        .map(|plan| {
            let (name, platform) = (&plan.name, &plan.platform);
            Problem::new(format!(
                "app `{name}` has build steps, and this BuildKit cannot run them for {platform}: it has {}",
                platforms.join(", ")
            ))
            .hint(format!(
                "`docker run --privileged --rm tonistiigi/binfmt --install {}` gives its machine an emulator; `--buildkit` names one with a processor of that kind",
                platform.architecture
            ))
        })
        .collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Failure::several(Exit::Environment, problems)),
    }
}
