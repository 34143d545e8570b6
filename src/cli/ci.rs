//! `peelbox ci`: every app of a repository, one after the other.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use crate::build::{self, Options, Run, Solved, Variant};
use crate::buildkit::StatusResponse;
use crate::image::Plan;
use crate::progress::{Title, escape};
use crate::report::{self, Outcome, Report};
use crate::wolfi::Freshness;

use super::args::Ci;
use super::delivery::{Delivered, Delivery, Round};
use super::display::{Display, Mode};
use super::environment::Environment;
use super::failure::{Exit, Failure, causes};
use super::index::{Source, Stop};
use super::interrupt::Interrupt;
use super::outputs::{self, Files};
use super::settings::{Flags, Settings};
use super::setup::Ready;
use super::start::Start;
use super::{index, outcome, print, say, setup, write};

/// Builds.
pub(super) async fn run(arguments: &Ci, environment: &Environment) -> Result<ExitCode, Failure> {
    let flags = Flags {
        path: &arguments.path,
        building: &arguments.building,
        delivering: &arguments.delivering,
        tags: &arguments.tag,
        fallback: None,
    };
    let settings = Settings::read(&flags, environment)?;
    let summary = environment.get("GITHUB_STEP_SUMMARY").map(Path::new);
    index::up_to_date(async |freshness| attempt(arguments, &settings, summary, freshness).await)
        .await
}

async fn attempt(
    arguments: &Ci,
    settings: &Settings,
    summary: Option<&Path>,
    freshness: Freshness,
) -> Result<ExitCode, Stop> {
    let start = Start::open(settings, freshness).await?;
    let (interrupt, source, mode) = (&start.interrupt, &start.source, settings.mode);
    let all = start.plans()?;
    let plans = all.first().map_or(&[][..], Vec::as_slice);
    let fitted = settings.fit(plans)?;
    let output = setup::output_directory(&arguments.output_dir)?;
    let _lock = outputs::lock(&output)?; // until the run ends
    let mut own = settings.order.files(plans);
    own.push(output.clone());
    let mut ready = start.prepare(&all, fitted.caches, &own).await?;
    let mut delivery = Delivery::new(&settings.order);
    let lacking = delivery.prepare(&ready, 1).await?;
    ready.warnings.extend(lacking);
    let packages = start.packages(&all).await?;
    let mut report = begin(&ready, source);
    save(&report, &output)?; // in place of an earlier run's, should this one be killed
    clear(&output, &all)?;
    let mut exit = None;
    let mut is_over = false;
    for (at, (plan, names)) in plans.iter().zip(&fitted.names).enumerate() {
        is_over |= interrupt.is_raised() || (arguments.fail_fast && exit.is_some());
        let lost = match is_over || at == 0 {
            true => None,
            false => interrupt.cuts(ready.renew()).await.err(),
        };
        is_over |= interrupt.is_raised();
        let job = Job {
            run: start.run(&ready, &packages),
            variants: &start.variants(&all, &packages, at),
            ready: &ready,
            output: &output,
            mode,
            interrupt,
            of: plans.len(),
        };
        let tried = match lost {
            _ if is_over => Tried::skipped(plan),
            Some(lost) => Tried::unreached(plan, &lost),
            None => job.app(plan, names, at + 1, &mut delivery).await?,
        };
        exit = exit.max(tried.exit);
        is_over |= tried.ends_the_run;
        for app in [tried.app].into_iter().chain(tried.others) {
            report.add(app);
        }
        save(&report, &output)?;
    }
    ready.session.close().await;
    delivery.write_metadata(plans.len() == 1)?;
    if interrupt.is_raised() {
        exit = Some(Exit::Interrupted);
    }
    Ok(end(report, exit, &output, summary, mode)?)
}

/// Removes what an earlier run left of the same apps.
fn clear(output: &Path, plans: &[Vec<Plan<'_>>]) -> Result<(), Failure> {
    for (number, plans) in plans.iter().enumerate() {
        for plan in plans {
            let files = Files::new(output, &plan.name);
            match number {
                0 => files.clear()?,
                _ => files.for_other(&plan.platform).clear()?,
            }
        }
    }
    Ok(())
}

/// What became of one app.
struct Tried {
    app: report::App,
    /// The same for other platforms.
    others: Vec<report::App>,
    /// The exit code that its failure asks for.
    exit: Option<Exit>,
    /// Whether every other app would fail alike.
    ends_the_run: bool,
}

impl Tried {
    fn of(app: report::App) -> Self {
        Self {
            app,
            others: Vec::new(),
            exit: None,
            ends_the_run: false,
        }
    }

    fn skipped(plan: &Plan<'_>) -> Self {
        Self::of(outcome::app(plan, Outcome::Skipped, Duration::ZERO))
    }

    // The daemon is gone for good.
    fn unreached(plan: &Plan<'_>, lost: &Failure) -> Self {
        let mut app = outcome::app(plan, Outcome::Failed, Duration::ZERO);
        app.error = Some(told(lost));
        Self::failed(app, lost.exit, true)
    }

    fn failed(app: report::App, exit: Exit, ends_the_run: bool) -> Self {
        Self {
            exit: Some(exit),
            ends_the_run,
            ..Self::of(app)
        }
    }
}

/// What it takes to build the apps of a run.
struct Job<'a> {
    run: Run<'a>,
    variants: &'a [Variant<'a>],
    ready: &'a Ready,
    output: &'a Path,
    mode: Mode,
    interrupt: &'a Interrupt,
    /// How many apps the run has.
    of: usize,
}

impl Job<'_> {
    /// Builds one app; its failure is part of the answer, only what stops the whole run is an error.
    async fn app(
        &self,
        plan: &Plan<'_>,
        names: &[String],
        number: usize,
        delivery: &mut Delivery,
    ) -> Result<Tried, Failure> {
        let started = Instant::now();
        let files = Files::new(self.output, &plan.name);
        let title = title(plan, number, self.of);
        let display = Display::new(self.mode, title, Some(files.log()?), self.interrupt);
        let made = self.build(plan, names, &files, delivery, &display).await;
        display.finish().await;
        let mut tried = match &made.solved {
            Some(solved) => self.taken(plan, started, &files, solved, delivery)?,
            None => {
                let _ = std::fs::remove_file(files.partial()); // it may never have been made
                Tried::of(outcome::app(plan, Outcome::Failed, started.elapsed()))
            }
        };
        let apps = std::iter::once(&mut tried.app).chain(&mut tried.others);
        for image in apps.filter_map(|app| app.image.as_mut()) {
            image.pushed = pushed(&made.delivered);
            image.tags = names.to_vec();
        }
        if let Some(fault) = made.fault {
            fault.mark(&mut tried, self.ready);
        }
        for other in &mut tried.others {
            if let Some(platform) = &other.platform {
                other.artifacts = files.for_other(platform).artifacts()?;
            }
        }
        tried.app.artifacts = files.artifacts()?;
        self.tell(&tried.app)?;
        Ok(tried)
    }

    /// Makes the archive and all other outputs of an app.
    async fn build(
        &self,
        plan: &Plan<'_>,
        names: &[String],
        files: &Files,
        delivery: &mut Delivery,
        display: &Display,
    ) -> Made {
        let mut made = Made::default();
        let own = delivery.archive(self.ready, names, &files.partial());
        let rounds = delivery.rounds(self.ready, &plan.name, names, Some(own));
        let ended = match rounds {
            Ok(rounds) => {
                self.rounds(plan, rounds, files, delivery, display, &mut made)
                    .await
            }
            Err(failure) => Err(failure.into()),
        };
        made.fault = ended.err();
        made
    }

    async fn rounds(
        &self,
        plan: &Plan<'_>,
        rounds: Vec<Round>,
        files: &Files,
        delivery: &mut Delivery,
        display: &Display,
        made: &mut Made,
    ) -> Result<(), Fault> {
        for round in rounds {
            let options = round.options(&self.ready.options, made.solved.is_none());
            match self.solve(plan, &options, &round, display).await {
                Ok(solved) => made.take(round, plan, solved, delivery).await?,
                Err(failure) => {
                    // The archive is what a run keeps, wherever else the image cannot go. Every step is cached by now.
                    if let Some(rest) = round.rest(&failure) {
                        let _ = std::fs::remove_file(files.partial()); // it may never have been made
                        let options = Options {
                            no_cache: false,
                            ..options
                        };
                        if let Ok(solved) = self.solve(plan, &options, &rest, display).await {
                            made.take(rest, plan, solved, delivery).await?;
                        }
                    }
                    return Err(failure.into());
                }
            }
        }
        Ok(())
    }

    async fn solve(
        &self,
        plan: &Plan<'_>,
        options: &Options,
        round: &Round,
        display: &Display,
    ) -> Result<Solved, build::Failure> {
        let run = Run {
            options,
            ..self.run
        };
        let shown = display.clone();
        let observe = move |event: &StatusResponse| shown.feed(event);
        let (exports, interrupt) = (round.exports(), self.interrupt.raised());
        run.build(plan, self.variants, exports, interrupt, observe)
            .await
    }

    /// The app whose archive has arrived.
    fn taken(
        &self,
        plan: &Plan<'_>,
        started: Instant,
        files: &Files,
        solved: &Solved,
        delivery: &mut Delivery,
    ) -> Result<Tried, Failure> {
        let archive = match files.finish(&plan.platform) {
            Ok(archive) => archive,
            Err(reason) => {
                let mut app = outcome::app(plan, Outcome::Failed, started.elapsed());
                app.error = Some(report::Failure {
                    message: format!("the archive is not usable: {reason}"),
                    ..report::Failure::default()
                });
                return Ok(Tried::failed(app, Exit::Environment, false));
            }
        };
        delivery.attest(&plan.name, &archive);
        let built = |plan: &Plan<'_>, solved: &Solved| {
            let image = outputs::image_for(&archive, &plan.platform).ok_or_else(|| {
                let platform = &plan.platform;
                Failure::environment(format!("the archive holds no image for {platform}"))
            })?;
            let app = outcome::app(plan, Outcome::Built, started.elapsed());
            Ok::<_, Failure>(outcome::built(app, solved, &archive, image))
        };
        let others = self.variants.iter().zip(&solved.others);
        Ok(Tried {
            app: built(plan, solved)?,
            others: others
                .map(|(variant, solved)| built(variant.plan, solved))
                .collect::<Result<_, _>>()?,
            exit: None,
            ends_the_run: false,
        })
    }

    // What failed and why is told at the end; among many apps it is also told where their logs end.
    fn tell(&self, app: &report::App) -> Result<(), Failure> {
        match (&app.image, &app.error) {
            (Some(image), None) if !self.mode.is_for_people() => {
                // Several images are known by their index.
                let several = image.index.filter(|_| !self.variants.is_empty());
                let digest = several.unwrap_or(image.manifest);
                print(&format!("{} {digest}\n", app.name)).map(|_| ())
            }
            (_, Some(error)) if self.mode.is_for_people() && self.of > 1 => {
                let step = error.step.as_ref().map(|step| format!(" in {step}"));
                let step = step.unwrap_or_default();
                let message = escape(&error.message);
                say(&format!(
                    "{} failed{}: {message}\n",
                    app.name,
                    escape(&step)
                ));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// What was made of an app.
#[derive(Default)]
struct Made {
    /// The build that made the archive.
    solved: Option<Solved>,
    delivered: Vec<Delivered>,
    fault: Option<Fault>,
}

impl Made {
    async fn take(
        &mut self,
        round: Round,
        plan: &Plan<'_>,
        solved: Solved,
        delivery: &mut Delivery,
    ) -> Result<(), Failure> {
        let delivered = delivery.finish(round, &plan.name, &solved).await;
        // The archive is there, whatever becomes of the rest.
        self.solved.get_or_insert(solved);
        self.delivered.extend(delivered?);
        Ok(())
    }
}

/// Why an app has no image, or not at all of its places.
enum Fault {
    Build(Box<build::Failure>),
    Place(Failure),
}

impl From<build::Failure> for Fault {
    fn from(failure: build::Failure) -> Self {
        Self::Build(Box::new(failure))
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Place(failure)
    }
}

impl Fault {
    fn told(&self, app: &str, ready: &Ready) -> report::Failure {
        match self {
            Self::Build(failure) => outcome::failed(app, failure, ready),
            Self::Place(failure) => told(failure),
        }
    }

    /// Makes a failure of what was tried; what was made of it all the same stays.
    fn mark(&self, tried: &mut Tried, ready: &Ready) {
        let unlisted = ready.unlisted();
        let error = match &unlisted {
            Some(failure) => told(failure),
            None => self.told(&tried.app.name, ready),
        };
        for app in std::iter::once(&mut tried.app).chain(&mut tried.others) {
            app.outcome = Outcome::Failed;
            app.error = Some(error.clone());
        }
        let (exit, ends_the_run) = match (unlisted, self) {
            (Some(failure), _) => (failure.exit, true),
            (None, Self::Build(failure)) => {
                (outcome::exit(failure), outcome::ends_the_run(failure))
            }
            (None, Self::Place(failure)) => (failure.exit, false),
        };
        tried.exit = Some(exit);
        tried.ends_the_run = ends_the_run;
    }
}

fn told(failure: &Failure) -> report::Failure {
    let problem = failure.problems.first();
    report::Failure {
        message: problem
            .map(|problem| problem.message.clone())
            .unwrap_or_default(),
        hint: problem.and_then(|problem| problem.hints.first().cloned()),
        ..report::Failure::default()
    }
}

/// What was pushed, as references that a registry gives exactly this for.
fn pushed(delivered: &[Delivered]) -> Vec<String> {
    let pushed = delivered.iter().filter(|image| image.is_pushed);
    pushed
        .filter_map(|image| Some(format!("{}@{}", image.name, image.digest?)))
        .collect()
}

/// What the display of an app is about.
pub(super) fn title(plan: &Plan<'_>, number: usize, of: usize) -> Title {
    Title {
        name: plan.name.clone(),
        path: plan.path.clone(),
        number,
        of,
    }
}

fn begin(ready: &Ready, source: &Source) -> Report {
    let daemon = &ready.found.daemon;
    let mut report = Report::new(report::Run {
        peelbox: env!("CARGO_PKG_VERSION").to_owned(),
        started: now(),
        finished: None,
        repository: ready.options.origin.source.clone(),
        commit: ready.options.origin.revision.clone(),
        buildkit: Some(report::Buildkit {
            endpoint: ready.found.client.endpoint().to_string(),
            version: daemon.version.as_ref().map(ToString::to_string),
        }),
        index: Some(report::PackageIndex {
            digest: source.index.digest(),
            age: source.age.as_secs(),
        }),
    });
    report.warnings.extend(source.warning.clone());
    report.warnings.extend(ready.warnings.iter().cloned());
    report
}

// A report is about one run: it is the one place that tells when it was.
fn now() -> String {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    jiff::Timestamp::from_second(seconds)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

fn save(report: &Report, output: &Path) -> Result<(), Failure> {
    report
        .write(output)
        .map_err(|error| Failure::environment(causes(&error)))
}

fn end(
    mut report: Report,
    exit: Option<Exit>,
    output: &Path,
    shown: Option<&Path>,
    mode: Mode,
) -> Result<ExitCode, Failure> {
    report.complete = exit != Some(Exit::Interrupted);
    report.run.finished = Some(now());
    save(&report, output)?;
    let summary = report::summary(&report);
    write(&output.join("summary.md"), summary.as_bytes())?;
    if let Some(path) = shown {
        append(path, &summary)?;
    }
    let failed = report.apps.iter().any(|app| app.error.is_some());
    if mode.is_for_people() || failed {
        say(&report::text(&report, None));
        say(&format!("report and archives: {}\n", output.display()));
    }
    Ok(exit.map_or(ExitCode::SUCCESS, |exit| ExitCode::from(exit as u8)))
}

// The runner gives every step a file to which several programs of the step may write.
fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| {
            Failure::environment(format!(
                "GITHUB_STEP_SUMMARY: cannot write `{}`: {error}",
                path.display()
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_cannot_be_written_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let gone = directory.path().join("gone");
        let failure = save(&Report::new(report::Run::default()), &gone).unwrap_err();
        let message = &failure.problems[0].message;
        let expected = format!("cannot write `{}`: ", gone.join("report.json").display());
        assert!(message.starts_with(&expected), "{message}");
        assert!(message.contains("No such file or directory"), "{message}");
    }
}
