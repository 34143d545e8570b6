//! `peelbox ci`: every app of a repository, one after the other.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::build::{self, Packages, Run};
use crate::buildkit::Export;
use crate::oci::Archive;
use crate::progress::Mode;

use super::args::{Ci, Progress};
use super::display::Display;
use super::environment::Environment;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::{index, inputs, say, setup};

pub(super) async fn ci(arguments: &Ci, environment: &Environment) -> Result<ExitCode, Failure> {
    let interrupt = Interrupt::listen()?;
    let repository = setup::repository(&arguments.path)?;
    let (platform, architecture) = setup::target()?;
    let source = index::open(environment, architecture).await?;
    let file = inputs::spec_file(&repository, arguments.building.spec.as_deref());
    let specs = match file {
        Some(file) => inputs::load(&file)?,
        None => super::detect::specs(&repository, &source.index)?,
    };
    let specs = inputs::select(specs, &arguments.building.app)?;
    let plans = inputs::plan(&specs, &source.index, &platform, &setup::scope(&repository))?;
    let ready = setup::prepare(&arguments.building, environment, &repository, &platform).await?;
    let packages = Packages::new(
        &source.repository,
        architecture,
        source.http.clone(),
        source.pins.clone(),
    )
    .map_err(|e| Failure::environment(e.to_string()))?;
    let run = Run {
        client: &ready.found.client,
        session: &ready.session,
        index: &source.index,
        packages: &packages,
        base: &ready.base,
        options: &ready.options,
    };
    std::fs::create_dir_all(&arguments.output_dir).unwrap();
    for plan in &plans {
        let tar = arguments.output_dir.join(format!("{}.oci.tar", plan.name));
        let exports = vec![oci(
            &tar,
            &[format!("{}:latest", plan.name)],
            ready.options.epoch,
            ready.capabilities.can_rewrite_timestamps(),
        )];
        let display = Display::new(Mode::Full, None);
        let shown = display.clone();
        let built = run
            .build(plan, exports, interrupt.raised(), move |event| {
                shown.feed(event)
            })
            .await;
        display.finish();
        match built {
            Ok(solved) => {
                say(&format!(
                    "{} {:?} {:?}\n",
                    plan.name, solved.received, solved.packages
                ));
                let archive =
                    Archive::read(&tar).map_err(|e| Failure::environment(format!("{e:?}")))?;
                say(&format!(
                    "{:?}\n",
                    archive
                        .images
                        .iter()
                        .map(|i| (
                            i.descriptor.digest,
                            i.manifest.layers.len(),
                            i.attestations
                                .iter()
                                .map(|a| a.predicate_type.clone())
                                .collect::<Vec<_>>()
                        ))
                        .collect::<Vec<_>>()
                ));
            }
            Err(failure) => say(&format!("{failure:?}\n")),
        }
    }
    ready.session.close().await;
    Ok(ExitCode::SUCCESS)
}

fn oci(file: &Path, names: &[String], epoch: i64, rewrites: bool) -> Export {
    let mut attributes = BTreeMap::from([
        ("name".to_owned(), names.join(",")),
        ("oci-mediatypes".to_owned(), "true".to_owned()),
        ("oci-artifact".to_owned(), "false".to_owned()),
        ("compression".to_owned(), "gzip".to_owned()),
        ("source-date-epoch".to_owned(), epoch.to_string()),
    ]);
    if rewrites {
        attributes.insert("rewrite-timestamp".to_owned(), "true".to_owned());
    }
    Export {
        kind: "oci".to_owned(),
        attributes,
        file: Some(file.to_owned()),
    }
}
