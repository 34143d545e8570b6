//! What every run that builds starts with.

use std::path::PathBuf;

use crate::build::{Packages, Run, Variant};
use crate::image::Plan;
use crate::wolfi::Freshness;

use super::failure::{Exit, Failure, Problem};
use super::index::{self, Source, Stop};
use super::interrupt::Interrupt;
use super::settings::Settings;
use super::setup::{self, Ready, Sources};
use super::{cache, inputs};

/// The repository and the packages, before it is known what is built of them.
pub(super) struct Start<'a> {
    pub(super) interrupt: Interrupt,
    /// The packages for the first platform.
    pub(super) source: Source,
    settings: &'a Settings,
    sources: Sources,
    /// The packages for the other platforms.
    others: Vec<Source>,
}

impl<'a> Start<'a> {
    /// Opens the package index.
    pub(super) async fn open(settings: &'a Settings, freshness: Freshness) -> Result<Self, Stop> {
        let interrupt = Interrupt::listen()?;
        let sources = setup::sources(&settings.repository);
        let mut opened = Vec::new();
        for target in &settings.targets {
            let source = index::open(&settings.packages, target.architecture, freshness);
            let source = interrupt.cuts(source).await?;
            if settings.mode.is_for_people() {
                source.warn();
            }
            opened.push(source);
        }
        let others = opened.split_off(1);
        Ok(Self {
            interrupt,
            source: opened.remove(0),
            settings,
            sources,
            others,
        })
    }

    /// The plans of the apps to build, by platform.
    pub(super) fn plans(&self) -> Result<Vec<Vec<Plan<'_>>>, Failure> {
        let opened = std::iter::once(&self.source).chain(&self.others);
        let targets = opened.zip(&self.settings.targets);
        let targets: Vec<_> = targets
            .map(|(source, target)| (&source.index, &target.platform))
            .collect();
        inputs::plans(&self.sources, &self.settings.choice, &targets)
    }

    /// Finds the daemon and opens the session for `plans`; `output` is no part of the sources.
    pub(super) async fn prepare(
        &self,
        plans: &[Vec<Plan<'_>>],
        caches: cache::Parsed,
        output: &[PathBuf],
    ) -> Result<Ready, Failure> {
        let prepared = setup::prepare(self.settings, &self.sources, caches, output);
        let ready = self.interrupt.cuts(prepared).await?;
        runs(plans.iter().flatten(), &ready.found.daemon.platforms)?;
        Ok(ready)
    }

    /// What all apps of the run share.
    pub(super) fn run<'b>(&'b self, ready: &'b Ready, packages: &'b [Packages<'b>]) -> Run<'b> {
        Run {
            client: &ready.found.client,
            session: &ready.session,
            index: &self.source.index,
            packages: &packages[0],
            base: &self.settings.targets[0].base,
            options: &ready.options,
        }
    }

    /// The packages of the plans by platform, verified.
    pub(super) async fn packages(
        &self,
        plans: &[Vec<Plan<'_>>],
    ) -> Result<Vec<Packages<'_>>, Stop> {
        let opened = std::iter::once(&self.source).chain(&self.others);
        let mut packages = Vec::new();
        for (source, plans) in opened.zip(plans) {
            let verified = setup::packages(source, plans, self.settings.mode);
            packages.push(self.interrupt.cuts(verified).await?);
        }
        Ok(packages)
    }

    /// The app of this number for the other platforms.
    pub(super) fn variants<'b>(
        &'b self,
        plans: &'b [Vec<Plan<'b>>],
        packages: &'b [Packages<'b>],
        number: usize,
    ) -> Vec<Variant<'b>> {
        let others = self.others.iter().zip(self.settings.targets.iter().skip(1));
        let made = others.zip(plans.iter().zip(packages).skip(1));
        made.filter_map(|((source, target), (plans, packages))| {
            Some(Variant {
                plan: plans.get(number)?,
                index: &source.index,
                packages,
                base: &target.base,
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
