//! `peelbox build`: the images of a spec file, or of detection, loaded into the Engine or written to files.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::build::Run;
use crate::buildkit::DockerApi;
use crate::image::Plan;
use crate::oci::{Archive, Digest};
use crate::progress::{Title, escape};
use crate::wolfi::Freshness;

use super::args::Build;
use super::ci::{tags, title};
use super::display::{Display, Mode};
use super::environment::Environment;
use super::failure::{Exit, Failure, Problem, causes};
use super::index::Stop;
use super::interrupt::Interrupt;
use super::setup::Ready;
use super::start::Start;
use super::{discover, index, outcome, outputs, print, say, setup, unwritable};

/// Where images go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Output {
    /// Into the images of the Engine.
    Engine,
    /// Into a file, `{app}` in its name.
    File {
        exporter: &'static str,
        path: String,
    },
}

const FORMS: &str =
    "write type=docker, type=docker,dest=FILE, type=tar,dest=FILE or type=oci,dest=FILE";

impl Output {
    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong =
            |reason: String| Failure::input(format!("`--output {text}`: {reason}")).hint(FORMS);
        let mut kind = None;
        let mut file = None;
        for field in text.split(',') {
            match field.split_once('=') {
                Some(("type", value)) => kind = Some(value),
                Some(("dest", value)) if !value.is_empty() => file = Some(value.to_owned()),
                _ => return Err(wrong(format!("`{field}` is not understood"))),
            }
        }
        match (kind, file) {
            (Some("docker"), None) => Ok(Self::Engine),
            (Some("docker" | "tar"), Some(path)) => Ok(Self::File {
                exporter: "docker",
                path,
            }),
            (Some("oci"), Some(path)) => Ok(Self::File {
                exporter: "oci",
                path,
            }),
            (Some("oci" | "tar"), None) => Err(wrong("it needs dest=FILE".to_owned())),
            (Some(other), _) => Err(wrong(format!("there is no output of type `{other}`"))),
            (None, _) => Err(wrong("it has no type".to_owned())),
        }
    }

    fn check(&self, plans: &[Plan<'_>]) -> Result<(), Failure> {
        match self {
            Self::File { path, .. } if plans.len() > 1 && !path.contains("{app}") => {
                Err(Failure::input(format!(
                    "`--output`: `{path}` would hold the images of {} apps",
                    plans.len()
                ))
                .hint("put `{app}` into it, which stands for the app's name"))
            }
            _ => Ok(()),
        }
    }
}

/// Builds.
pub(super) async fn run(arguments: &Build, environment: &Environment) -> Result<ExitCode, Failure> {
    index::up_to_date(async |freshness| attempt(arguments, environment, freshness).await).await
}

async fn attempt(
    arguments: &Build,
    environment: &Environment,
    freshness: Freshness,
) -> Result<ExitCode, Stop> {
    refuse_removed(arguments)?;
    let output = Output::parse(&arguments.output)?;
    let building = &arguments.building;
    let start = Start::open(&arguments.repo, building, environment, freshness).await?;
    let (interrupt, source, mode) = (&start.interrupt, &start.source, start.mode);
    let plans = start.plans()?;
    output.check(&plans)?;
    let tags = tags(&arguments.tag, &plans)?;
    let mut ready = start.prepare(&plans, None).await?;
    if mode.is_for_people() {
        ready.warn();
    }
    let engine = engine(&output, &mut ready).await?;
    let packages = interrupt
        .cuts(setup::packages(source, &plans, mode))
        .await?;
    let mut failures: Vec<Failed> = Vec::new();
    for (at, (plan, names)) in plans.iter().zip(&tags).enumerate() {
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
                run: &ready.run(source, &packages),
                ready: &ready,
                mode,
                title: title(plan, at + 1, plans.len()),
                interrupt,
            };
            job.app(plan, names, &output, engine.as_ref()).await?
        };
        failures.extend(tried.err());
    }
    ready.session.close().await;
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

/// The Engine that images are loaded into.
struct Engine {
    api: DockerApi,
    has_containerd_store: bool,
}

async fn engine(output: &Output, ready: &mut Ready) -> Result<Option<Engine>, Failure> {
    match output {
        Output::Engine => {}
        Output::File { exporter, .. } => {
            // A Docker archive has no place for them.
            if *exporter == "docker" {
                ready.options.sbom = false;
                ready.options.provenance = None;
            }
            return Ok(None);
        }
    }
    let failed =
        |error| discover::unreachable(&error).hint("`--output type=oci,dest=FILE` needs no Engine");
    let api = DockerApi::new(&ready.found.docker).map_err(failed)?;
    let engine = api.engine().await.map_err(failed)?;
    if !engine.has_containerd_store && (ready.options.sbom || ready.options.provenance.is_some()) {
        say(
            "warning: this Engine keeps its images outside of containerd and cannot hold attestations: they are left out\n",
        );
        ready.options.sbom = false;
        ready.options.provenance = None;
    }
    Ok(Some(Engine {
        api,
        has_containerd_store: engine.has_containerd_store,
    }))
}

struct Job<'a> {
    run: &'a Run<'a>,
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
        output: &Output,
        engine: Option<&Engine>,
    ) -> Result<Result<(), Failed>, Failure> {
        let (exporter, target) = match output {
            Output::File { exporter, path } => (
                *exporter,
                Some(PathBuf::from(path.replace("{app}", &plan.name))),
            ),
            Output::Engine if engine.is_some_and(|engine| engine.has_containerd_store) => {
                ("oci", None)
            }
            Output::Engine => ("docker", None),
        };
        let partial = partial(target.as_deref())?;
        let rewrites = self.ready.capabilities.can_rewrite_timestamps();
        let export = outputs::archive(
            exporter,
            names,
            self.ready.options.epoch,
            rewrites,
            partial.path(),
        );
        let display = Display::new(self.mode, self.title.clone(), None, self.interrupt);
        let shown = display.clone();
        let built = self
            .run
            .build(plan, vec![export], self.interrupt.raised(), move |event| {
                shown.feed(event);
            })
            .await;
        display.finish().await;
        if let Err(failure) = built {
            return Ok(Err(Failed::new(plan, &failure, self.ready)));
        }
        let digest = match exporter {
            "oci" => Some(manifest(partial.path())?),
            _ => None,
        };
        match (&target, engine) {
            (Some(path), _) => keep(partial, path)?,
            (None, Some(engine)) => engine
                .api
                .load(partial.path())
                .await
                .map_err(|error| discover::unreachable(&error))?,
            (None, None) => {}
        }
        for name in names {
            let digest = digest.map(|digest| format!(" {digest}"));
            print(&format!("{name}{}\n", digest.unwrap_or_default()))?;
        }
        Ok(Ok(()))
    }
}

fn manifest(archive: &Path) -> Result<Digest, Failure> {
    let archive = Archive::read(archive).map_err(|error| Failure::environment(causes(&error)))?;
    let image = outputs::image(&archive).map_err(Failure::environment)?;
    Ok(image.descriptor.digest)
}

/// Gives the image its final name; a temporary file is its owner's alone, an output is not.
fn keep(partial: tempfile::NamedTempFile, path: &Path) -> Result<(), Failure> {
    partial
        .as_file()
        .set_permissions(Permissions::from_mode(0o644))
        .and_then(|()| Ok(partial.persist(path)?))
        .map_err(|error| unwritable(path, &error))?;
    Ok(())
}

// The file gets its final name when it is whole.
fn partial(target: Option<&Path>) -> Result<tempfile::NamedTempFile, Failure> {
    let directory = target
        .and_then(Path::parent)
        .filter(|parent| !parent.as_os_str().is_empty());
    let made = match (target, directory) {
        (Some(_), Some(directory)) => tempfile::NamedTempFile::new_in(directory),
        (Some(_), None) => tempfile::NamedTempFile::new_in("."),
        (None, _) => tempfile::NamedTempFile::new(),
    };
    let place = target.map_or_else(std::env::temp_dir, Path::to_owned);
    made.map_err(|error| unwritable(&place, &error))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_one_of_a_few_forms() {
        let file = |exporter, path: &str| Output::File {
            exporter,
            path: path.to_owned(),
        };
        assert_eq!(Output::parse("type=docker"), Ok(Output::Engine));
        assert_eq!(
            Output::parse("type=tar,dest=a.tar"),
            Ok(file("docker", "a.tar"))
        );
        assert_eq!(
            Output::parse("dest={app}.tar,type=oci"),
            Ok(file("oci", "{app}.tar"))
        );
        for (text, message) in [
            ("type=oci", "`--output type=oci`: it needs dest=FILE"),
            (
                "type=zip,dest=a",
                "`--output type=zip,dest=a`: there is no output of type `zip`",
            ),
            ("oci", "`--output oci`: `oci` is not understood"),
            ("dest=a", "`--output dest=a`: it has no type"),
        ] {
            assert_eq!(
                Output::parse(text).unwrap_err().problems[0].message,
                message
            );
        }
    }
}
