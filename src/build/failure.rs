//! Why an app could not be built.

use std::collections::BTreeMap;

use crate::buildkit::AsError;
use crate::buildkit::Error;
use crate::buildkit::llb::MarshalError;
use crate::oci::Digest;
use crate::wolfi::Unsatisfiable;

use super::base::BaseError;
use super::packages::PackageError;

/// A failed build in the user's words.
#[derive(Debug)]
pub struct Failure {
    /// The step that failed, such as `build 2/3: npm run build`.
    pub step: Option<String>,
    /// The exit code of its command.
    pub exit_code: Option<u32>,
    /// The last lines that it wrote.
    pub log: Vec<String>,
    /// Whether everything was built, and an exporter failed.
    pub is_of_export: bool,
    /// What went wrong.
    pub cause: Cause,
}

/// What can go wrong while an app is built.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// A call to the daemon failed; with [`Failure::step`] it is that step that failed.
    #[error(transparent)]
    Daemon(#[from] Error),
    /// The base image cannot be used.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// A package cannot be used.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The packages of the image do not go together with those that the built files need.
    #[error("the packages of the image do not go together: {0}")]
    Unsatisfiable(#[from] Unsatisfiable),
    /// A directory lies where every image has a link of the base layout.
    #[error(
        "runtime.copy makes the directory `{directory}`, which is a link to `{target}` in the image"
    )]
    Linked {
        /// The directory, as it would lie in the image.
        directory: String,
        /// Where the link leads.
        target: &'static str,
    },
    /// A built file needs a library that no package provides.
    #[error(
        "`{file}` needs the library `{library}`, which no package of the index provides and the build did not make"
    )]
    Library {
        /// The built file, as it lies in the image.
        file: String,
        /// The library's soname.
        library: String,
    },
    /// A built program names a loader that Wolfi does not have.
    #[error("`{file}` needs the loader `{loader}`: it was built for another system")]
    Loader {
        /// The built file.
        file: String,
        /// Its program interpreter.
        loader: String,
    },
    /// A built file cannot be read as what it claims to be.
    #[error("`{file}` is no valid ELF file: {reason}")]
    Elf {
        /// The built file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The program of a command is not in the image.
    #[error("the image has no `{program}`, which `{process}` runs")]
    Program {
        /// The field of the spec that names it.
        process: String,
        /// The program.
        program: String,
    },
    /// The program of a command may not be run.
    #[error("`{program}`, which `{process}` runs, is not executable")]
    NotExecutable {
        /// The field of the spec that names it.
        process: String,
        /// The program.
        program: String,
    },
    /// The program of a command was built for another machine.
    #[error("`{program}`, which `{process}` runs, was not built for {platform}")]
    Machine {
        /// The field of the spec that names it.
        process: String,
        /// The program.
        program: String,
        /// The platform of the image.
        platform: String,
    },
    /// A program would not start: its loader does not find a library.
    #[error(
        "`{process}` cannot start: `{file}` needs the library `{library}`, which is not where it is looked for"
    )]
    Loading {
        /// The field of the spec that names it.
        process: String,
        /// The program, or a library of it.
        file: String,
        /// The library's soname.
        library: String,
    },
    /// The file that an interpreter is given is not in the image.
    #[error("`{process}` has `{program}` run `{script}`, which the image does not have")]
    Script {
        /// The field of the spec that names it.
        process: String,
        /// The interpreter.
        program: String,
        /// The file, as the command names it.
        script: String,
    },
    /// The program of a command is a script whose interpreter is not in the image.
    #[error(
        "`{program}`, which `{process}` runs, is a script for `{interpreter}`, which the image does not have"
    )]
    Interpreter {
        /// The field of the spec that names it.
        process: String,
        /// The script.
        program: String,
        /// What its first line names.
        interpreter: String,
    },
    /// The graph cannot be encoded.
    #[error(transparent)]
    Marshal(#[from] MarshalError),
    /// The SBOM could not be made.
    #[error("the SBOM cannot be made: {0}")]
    Sbom(String),
}

impl AsError for Cause {
    fn as_error(&self) -> Option<&Error> {
        match self {
            Self::Daemon(error) => Some(error),
            _ => None,
        }
    }
}

impl Failure {
    /// Puts a name to the step that failed; `is_built` says whether the image was handed to the exporters.
    pub(super) fn new(
        cause: Cause,
        steps: &BTreeMap<Digest, String>,
        is_built: bool,
        tail: impl FnOnce(Digest) -> Vec<String>,
    ) -> Self {
        let remote = cause.as_error().and_then(Error::remote);
        let vertex = remote.and_then(|error| error.vertex);
        let exit_code = remote.and_then(|error| error.exit_code);
        let step = vertex.and_then(|vertex| steps.get(&vertex).cloned());
        Self {
            is_of_export: is_built && remote.is_some() && step.is_none(),
            step,
            exit_code,
            log: vertex.map(tail).unwrap_or_default(),
            cause,
        }
    }
}
