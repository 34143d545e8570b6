//! What every run that builds starts with.

use std::path::{Path, PathBuf};

use crate::image::Plan;
use crate::oci::Platform;
use crate::wolfi::Freshness;

use super::args::Building;
use super::display::Mode;
use super::environment::Environment;
use super::failure::Failure;
use super::index::{self, Source, Stop};
use super::inputs;
use super::interrupt::Interrupt;
use super::setup::{self, Ready, Sources};

/// The repository and the packages, before it is known what is built of them.
pub(super) struct Start<'a> {
    pub(super) interrupt: Interrupt,
    pub(super) source: Source,
    /// How much is shown.
    pub(super) mode: Mode,
    building: &'a Building,
    environment: &'a Environment,
    sources: Sources,
    platform: Platform,
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
        let (platform, architecture) = setup::target()?;
        let source = interrupt
            .cuts(index::open(environment, architecture, freshness))
            .await?;
        let mode = Mode::new(building, environment);
        if mode.is_for_people() {
            source.warn();
        }
        Ok(Self {
            interrupt,
            source,
            mode,
            building,
            environment,
            sources,
            platform,
        })
    }

    /// The plans of the apps to build.
    pub(super) fn plans(&self) -> Result<Vec<Plan<'_>>, Failure> {
        let (index, platform) = (&self.source.index, &self.platform);
        inputs::plans(
            &self.sources,
            self.building,
            self.environment,
            index,
            platform,
        )
    }

    /// Finds the daemon and opens the session for `plans`; `output` is no part of the sources.
    pub(super) async fn prepare(
        &self,
        plans: &[Plan<'_>],
        output: &[PathBuf],
    ) -> Result<Ready, Failure> {
        let prepared = setup::prepare(
            self.building,
            self.environment,
            &self.sources,
            plans,
            output,
        );
        self.interrupt.cuts(prepared).await
    }
}
