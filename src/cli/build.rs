//! `peelbox build`: the images of a spec file, or of detection, loaded into the Engine, written to files or pushed.

use std::collections::BTreeSet;
use std::process::ExitCode;

use crate::build::{Run, Variant};
use crate::buildkit::StatusResponse;
use crate::image::Plan;
use crate::progress::{Title, escape};
use crate::wolfi::Freshness;

use super::args::Build;
use super::ci::title;
use super::delivery::{Delivered, Delivery};
use super::display::{Display, Mode};
use super::environment::Environment;
use super::failure::{Exit, Failure, Problem};
use super::index::Stop;
use super::interrupt::Interrupt;
use super::output::Output;
use super::settings::{Flags, Settings};
use super::setup::Ready;
use super::start::Start;
use super::{index, outcome, print};

/// Builds.
pub(super) async fn run(arguments: &Build, environment: &Environment) -> Result<ExitCode, Failure> {
    refuse_removed(arguments)?;
    let flags = Flags {
        path: &arguments.repo,
        building: &arguments.building,
        delivering: &arguments.delivering,
        tags: &arguments.tag,
        fallback: Some(Output::engine()),
    };
    let settings = Settings::read(&flags, environment)?;
    index::up_to_date(async |freshness| attempt(&settings, freshness).await).await
}

async fn attempt(settings: &Settings, freshness: Freshness) -> Result<ExitCode, Stop> {
    let start = Start::open(settings, freshness).await?;
    let (interrupt, mode) = (&start.interrupt, settings.mode);
    let all = start.plans()?;
    let plans = all.first().map_or(&[][..], Vec::as_slice);
    let fitted = settings.fit(plans)?;
    let own = settings.order.files(plans);
    let mut ready = start.prepare(&all, fitted.caches, &own).await?;
    let mut delivery = Delivery::new(&settings.order);
    let lacking = delivery.prepare(&ready, 0).await?;
    ready.warnings.extend(lacking);
    if mode.is_for_people() {
        ready.warn();
    }
    let packages = start.packages(&all).await?;
    let mut failures: Vec<Failed> = Vec::new();
    for (at, (plan, names)) in plans.iter().zip(&fitted.names).enumerate() {
        let tried = if interrupt.is_raised() {
            Err(Failed::skipped(plan, Exit::Interrupted))
        } else if let Some(last) = failures.last().filter(|last| last.ends_the_run) {
            Err(Failed::skipped(plan, last.exit))
        } else if at > 0
            && let Err(lost) = interrupt.cuts(ready.renew()).await
        {
            Err(Failed::unreached(plan, lost))
        } else {
            let job = Job {
                run: &start.run(&ready, &packages),
                variants: &start.variants(&all, &packages, at),
                ready: &ready,
                mode,
                title: title(plan, at + 1, plans.len()),
                interrupt,
            };
            job.app(plan, names, &mut delivery).await?
        };
        failures.extend(tried.err());
    }
    ready.session.close().await;
    delivery.write_metadata(plans.len() == 1)?;
    Ok(end(failures)?)
}

fn end(failures: Vec<Failed>) -> Result<ExitCode, Failure> {
    let Some(exit) = failures.iter().map(|failed| failed.exit).max() else {
        return Ok(ExitCode::SUCCESS);
    };
    let problems = failures.into_iter().map(|failed| failed.problem);
    Err(Failure::several(exit, problems.collect()))
}

/// An app without an image.
struct Failed {
    problem: Problem,
    exit: Exit,
    /// Whether every other app would fail alike.
    ends_the_run: bool,
}

impl Failed {
    fn new(plan: &Plan<'_>, failure: &crate::build::Failure, ready: &Ready) -> Self {
        if let Some(failure) = ready.unlisted() {
            return Self::unreached(plan, failure);
        }
        Self {
            problem: problem(plan, failure, ready),
            exit: outcome::exit(failure),
            ends_the_run: outcome::ends_the_run(failure),
        }
    }

    // The daemon is gone for good, or the user did not want to wait for it.
    fn unreached(plan: &Plan<'_>, lost: Failure) -> Self {
        let exit = lost.exit;
        let problem = lost.problems.into_iter().next();
        match problem.filter(|_| exit != Exit::Interrupted) {
            Some(problem) => Self {
                problem,
                exit,
                ends_the_run: true,
            },
            None => Self::skipped(plan, exit),
        }
    }

    fn skipped(plan: &Plan<'_>, exit: Exit) -> Self {
        let reason = match exit {
            Exit::Interrupted => ": interrupted",
            _ => "",
        };
        Self {
            problem: Problem::new(format!("app `{}` was not built{reason}", plan.name)),
            exit,
            ends_the_run: true,
        }
    }
}

fn refuse_removed(arguments: &Build) -> Result<(), Failure> {
    match arguments.context_name {
        None => Ok(()),
        Some(_) => Err(Failure::input(
            "there is no `--context-name`: the sources are read from a directory",
        )
        .hint("`--repo` names the directory of the sources")),
    }
}

struct Job<'a> {
    run: &'a Run<'a>,
    variants: &'a [Variant<'a>],
    ready: &'a Ready,
    mode: Mode,
    title: Title,
    interrupt: &'a Interrupt,
}

impl Job<'_> {
    async fn app(
        &self,
        plan: &Plan<'_>,
        names: &[String],
        delivery: &mut Delivery,
    ) -> Result<Result<(), Failed>, Failure> {
        let display = Display::new(self.mode, self.title.clone(), None, self.interrupt);
        let mut delivered = Vec::new();
        let mut failed = None;
        let rounds = delivery.rounds(self.ready, &plan.name, names, None)?;
        for (number, round) in rounds.into_iter().enumerate() {
            let options = round.options(&self.ready.options, number == 0);
            let run = Run {
                options: &options,
                ..*self.run
            };
            let shown = display.clone();
            let observe = move |event: &StatusResponse| shown.feed(event);
            let exports = round.exports();
            let built = run.build(
                plan,
                self.variants,
                exports,
                self.interrupt.raised(),
                observe,
            );
            match built.await {
                Ok(solved) => delivered.extend(delivery.finish(round, &plan.name, &solved).await?),
                Err(failure) => {
                    failed = Some(Failed::new(plan, &failure, self.ready));
                    break;
                }
            }
        }
        display.finish().await;
        if !delivery.has_stdout() {
            tell(&delivered)?;
        }
        Ok(failed.map_or(Ok(()), Err))
    }
}

/// Tells where the images are and by which digests, each once.
fn tell(delivered: &[Delivered]) -> Result<(), Failure> {
    let mut told = BTreeSet::new();
    for image in delivered {
        let line = match (image.digest, image.is_pushed) {
            (Some(digest), true) => format!("{}@{digest}\n", image.name),
            (Some(digest), false) => format!("{} {digest}\n", image.name),
            (None, _) => format!("{}\n", image.name),
        };
        if told.insert(line.clone()) {
            print(&line)?;
        }
    }
    Ok(())
}

fn problem(plan: &Plan<'_>, failure: &crate::build::Failure, ready: &Ready) -> Problem {
    let told = outcome::failed(&plan.name, failure, ready);
    let step = told
        .step
        .map(|step| format!(" in {step}"))
        .unwrap_or_default();
    let mut message = format!(
        "app `{}` failed{}: {}",
        plan.name,
        escape(&step),
        escape(&told.message)
    );
    if let Some(command) = &told.command {
        message.push_str(&format!("\ncommand: {}", escape(command)));
    }
    if let Some(place) = &told.place {
        message.push_str(&format!("\nat: {}", escape(place)));
    }
    for line in &told.log {
        message.push_str(&format!("\n| {line}"));
    }
    told.hint
        .iter()
        .fold(Problem::new(message), |problem, hint| problem.hint(hint))
}
