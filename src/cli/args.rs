//! The command line.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// From a repository to small, auditable, running container images, without a Dockerfile.
#[derive(Debug, Parser)]
#[command(
    name = "peelbox",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 an app failed to build, 2 wrong input, 3 the environment, 130 interrupted."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Builds every app of a repository, and leaves an OCI archive, an SBOM and provenance of each
    Ci(Ci),
    /// Builds the apps of a spec file, or of detection, and loads, writes or pushes their images
    Build(Build),
    /// Prints the spec of every app of a repository
    Detect(Detect),
    /// Asks the package index
    #[command(subcommand)]
    Packages(Packages),
    /// Says which BuildKit would be used, what it can do, and what is missing; starts a container where a build would
    Doctor(Doctor),
    /// Prints the JSON Schema of the spec
    Schema(Schema),
    /// Prints the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The BuildKit containers that peelbox has started
    #[command(subcommand)]
    Builder(Builder),
    /// Connects stdin and stdout to the chosen daemon
    DialStdio(Connection),
    /// Removed: a build needs no frontend image
    #[command(hide = true, disable_help_flag = true)]
    Frontend {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<String>,
    },
}

/// Which daemon.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Connection {
    /// The BuildKit to use: unix://PATH, tcp://HOST:PORT, docker-container://NAME, podman-container://NAME,
    /// kube-pod://POD?context=&namespace=&container=, ssh://USER@HOST:PORT/SOCKET, docker:// or docker:///SOCKET
    #[arg(long, value_name = "ADDR", env = "PEELBOX_BUILDKIT")]
    pub(super) buildkit: Option<String>,
    /// The authorities that may have signed the certificate of a tcp:// daemon; PEM, as all of these files
    #[arg(long, value_name = "FILE", env = "PEELBOX_TLS_CA")]
    pub(super) tls_ca: Option<PathBuf>,
    /// The client's certificate, for a daemon that demands one
    #[arg(long, value_name = "FILE", env = "PEELBOX_TLS_CERT")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The key of the client's certificate
    #[arg(long, value_name = "FILE", env = "PEELBOX_TLS_KEY")]
    pub(super) tls_key: Option<PathBuf>,
    /// A directory with all three: ca.pem, cert.pem and key.pem, or ca.crt, tls.crt and tls.key
    #[arg(long, value_name = "DIR", env = "PEELBOX_TLS_DIR")]
    pub(super) tls_dir: Option<PathBuf>,
    /// The name that the daemon's certificate must have; the host of its address otherwise
    #[arg(long, value_name = "NAME", env = "PEELBOX_TLS_SERVER_NAME")]
    pub(super) tls_server_name: Option<String>,
}

/// How a build runs.
#[derive(Args, Clone, Debug)]
pub(super) struct Building {
    #[command(flatten)]
    pub(super) connection: Connection,
    /// The spec file; without one, universalbuild.yaml, .yml or .json of the repository, or detection
    #[arg(long, value_name = "FILE", env = "PEELBOX_SPEC")]
    pub(super) spec: Option<PathBuf>,
    /// Builds only the apps of this name; `*` stands for any text (repeatable)
    #[arg(long, value_name = "NAME", env = "PEELBOX_APP", value_delimiter = ',')]
    pub(super) app: Vec<String>,
    /// Takes what detection is not sure of for wrong: its warnings stop the run
    #[arg(long, env = "PEELBOX_STRICT", value_parser = BoolishValueParser::new())]
    pub(super) strict: bool,
    /// How progress is shown
    #[arg(long, value_enum, default_value_t = Progress::Auto, env = "PEELBOX_PROGRESS")]
    pub(super) progress: Progress,
    /// Shows errors and the digests only
    #[arg(short, long, env = "PEELBOX_QUIET", value_parser = BoolishValueParser::new())]
    pub(super) quiet: bool,
    /// Shows every operation and all output
    #[arg(short, long, env = "PEELBOX_VERBOSE", value_parser = BoolishValueParser::new())]
    pub(super) verbose: bool,
    /// Attaches no SBOM
    #[arg(long, env = "PEELBOX_NO_SBOM", value_parser = BoolishValueParser::new())]
    pub(super) no_sbom: bool,
    /// Attaches no provenance
    #[arg(long, env = "PEELBOX_NO_PROVENANCE", value_parser = BoolishValueParser::new())]
    pub(super) no_provenance: bool,
    /// Attaches neither SBOM nor provenance
    #[arg(long, env = "PEELBOX_NO_ATTESTATIONS", value_parser = BoolishValueParser::new())]
    pub(super) no_attestations: bool,
    /// How much the provenance tells
    #[arg(long, value_enum, default_value_t = Provenance::Max, env = "PEELBOX_PROVENANCE")]
    pub(super) provenance: Provenance,
    /// Runs every step again
    #[arg(long, env = "PEELBOX_NO_CACHE", value_parser = BoolishValueParser::new())]
    pub(super) no_cache: bool,
    /// Who shares the cache directories of build steps: builds of this repository with the same name here. In GitHub Actions
    /// by default the runs of a branch, or of a pull request; elsewhere all
    #[arg(long, value_name = "NAME", env = "PEELBOX_CACHE_SCOPE")]
    pub(super) cache_scope: Option<String>,
    /// Where results of build steps come from, in buildx's words: type=registry,ref=NAME, type=local,src=DIR, type=gha, type=s3,… or type=azblob,… (repeatable)
    #[arg(
        long,
        value_name = "CACHE",
        env = "PEELBOX_CACHE_FROM",
        value_delimiter = '\n'
    )]
    pub(super) cache_from: Vec<String>,
    /// Where results of build steps go: as --cache-from, but type=local,dest=DIR, and type=inline; `{app}` stands for the app's name (repeatable)
    #[arg(
        long,
        value_name = "CACHE",
        env = "PEELBOX_CACHE_TO",
        value_delimiter = '\n'
    )]
    pub(super) cache_to: Vec<String>,
    /// An SSH agent for build steps: default, which is the one of SSH_AUTH_SOCK, or ID=SOCKET (repeatable)
    #[arg(
        long,
        value_name = "AGENT",
        env = "PEELBOX_SSH",
        value_delimiter = '\n'
    )]
    pub(super) ssh: Vec<String>,
    /// A secret for build steps: id=NAME,src=FILE or id=NAME,env=VARIABLE (repeatable)
    #[arg(
        long,
        value_name = "SECRET",
        env = "PEELBOX_SECRET",
        value_delimiter = '\n'
    )]
    pub(super) secret: Vec<String>,
    /// A variable of build steps: KEY=VALUE, or KEY for its value here. Provenance tells it: for what is secret there is
    /// --secret (repeatable)
    #[arg(
        long,
        value_name = "KEY=VALUE",
        env = "PEELBOX_BUILD_ARG",
        value_delimiter = '\n'
    )]
    pub(super) build_arg: Vec<String>,
    /// The platforms of the images: linux/amd64, linux/arm64; several make an index (default: that of this machine)
    #[arg(
        long,
        value_name = "PLATFORM",
        env = "PEELBOX_PLATFORM",
        value_delimiter = ','
    )]
    pub(super) platform: Vec<String>,
    /// The network of build steps
    #[arg(long, value_enum, default_value_t = Network::Default, env = "PEELBOX_NETWORK")]
    pub(super) network: Network,
    /// A host that build steps know: NAME:ADDRESS (repeatable)
    #[arg(
        long,
        value_name = "HOST",
        env = "PEELBOX_ADD_HOST",
        value_delimiter = ','
    )]
    pub(super) add_host: Vec<String>,
    /// The command of the image, as words or as a JSON array, instead of that of the spec or of detection; for one app
    #[arg(long, value_name = "COMMAND", env = "PEELBOX_ENTRYPOINT")]
    pub(super) entrypoint: Option<String>,
    /// A label of every image: KEY=VALUE (repeatable)
    #[arg(
        long,
        value_name = "KEY=VALUE",
        env = "PEELBOX_LABEL",
        value_delimiter = '\n'
    )]
    pub(super) label: Vec<String>,
    /// Certificates that build steps trust besides the usual ones; SSL_CERT_FILE where it is set
    #[arg(long, value_name = "FILE", env = "PEELBOX_CA_CERTIFICATES")]
    pub(super) ca_certificates: Option<PathBuf>,
    /// The time of everything in the images, in seconds since 1970; the time of the commit in a git repository
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH")]
    pub(super) source_date_epoch: Option<i64>,
}

/// Where images go.
#[derive(Args, Clone, Debug)]
pub(super) struct Delivering {
    /// Where images go, in buildx's words; `{app}` in dest and name stands for the app's name (repeatable):
    /// type=docker, the Engine; type=docker,dest=FILE, a tarball for it, also as type=tar; type=oci,dest=FILE, or a
    /// directory with tar=false; type=local,dest=DIR or a bare DIR, the image's files; type=rootfs,dest=FILE, its files as
    /// a tarball, which buildx calls tar; type=image,push=true or type=registry, a registry. `-` as FILE is stdout
    #[arg(
        short,
        long,
        value_name = "OUTPUT",
        env = "PEELBOX_OUTPUT",
        value_delimiter = '\n'
    )]
    pub(super) output: Vec<String>,
    /// Pushes every image under its names, with the logins of the Docker configuration
    #[arg(long, env = "PEELBOX_PUSH", value_parser = BoolishValueParser::new())]
    pub(super) push: bool,
    /// Writes what became of the images to a file, in the form of `docker buildx build`; of several apps in that of `bake`
    #[arg(long, value_name = "FILE", env = "PEELBOX_METADATA_FILE")]
    pub(super) metadata_file: Option<PathBuf>,
    /// An annotation of every image: KEY=VALUE, or LEVEL:KEY=VALUE with the level index, index-descriptor, manifest or
    /// manifest-descriptor (repeatable)
    #[arg(
        long,
        value_name = "KEY=VALUE",
        env = "PEELBOX_ANNOTATION",
        value_delimiter = '\n'
    )]
    pub(super) annotation: Vec<String>,
}

#[derive(Args, Debug)]
pub(super) struct Ci {
    /// The repository
    #[arg(default_value = ".", env = "PEELBOX_PATH")]
    pub(super) path: PathBuf,
    #[command(flatten)]
    pub(super) building: Building,
    #[command(flatten)]
    pub(super) delivering: Delivering,
    /// The name of the images; `{app}` stands for the app's name (repeatable)
    #[arg(
        long,
        visible_alias = "image",
        value_name = "NAME",
        env = "PEELBOX_TAG",
        value_delimiter = ','
    )]
    pub(super) tag: Vec<String>,
    /// Where archives, SBOMs, provenance, logs and the report go
    #[arg(
        long,
        value_name = "DIR",
        default_value = "peelbox-out",
        env = "PEELBOX_OUTPUT_DIR"
    )]
    pub(super) output_dir: PathBuf,
    /// Stops after the first app that fails
    #[arg(long, env = "PEELBOX_FAIL_FAST", value_parser = BoolishValueParser::new())]
    pub(super) fail_fast: bool,
}

#[derive(Args, Debug)]
pub(super) struct Build {
    #[command(flatten)]
    pub(super) building: Building,
    #[command(flatten)]
    pub(super) delivering: Delivering,
    /// The name of the image; `{app}` stands for the app's name, and must be there when several are built (repeatable)
    #[arg(long, visible_alias = "image", value_name = "NAME", required = true)]
    pub(super) tag: Vec<String>,
    /// The repository
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) repo: PathBuf,
    /// Removed
    #[arg(long, hide = true)]
    pub(super) context_name: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Detect {
    /// The repository
    #[arg(default_value = ".")]
    pub(super) path: PathBuf,
    /// How the specs are written: JSON where the output is no terminal, text where it is one
    #[arg(long, value_enum)]
    pub(super) format: Option<Format>,
    /// Writes to a file
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Prints only the apps of this name; `*` stands for any text (repeatable)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) app: Vec<String>,
    /// Prints the evidence for everything that was found, and why other directories are no apps
    #[arg(long)]
    pub(super) explain: bool,
    /// Takes what detection is not sure of for wrong: its warnings become errors
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Args, Debug)]
pub(super) struct Schema {
    /// That of peelbox.yaml, which overrides what was detected
    #[arg(long)]
    pub(super) overrides: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Packages {
    /// Checks that packages are in the index
    Check {
        /// Packages, as name, name=version or name~version
        #[arg(required = true)]
        packages: Vec<String>,
    },
    /// Searches names and descriptions
    Search {
        /// Words that must all be found
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Lists the versions of a package
    Versions {
        /// The package
        package: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Builder {
    /// Lists them: name, state, image
    Ls,
    /// Stops them; the next build that needs one starts it again
    Stop {
        /// Only the one of this name
        name: Option<String>,
    },
    /// Removes them with their cache
    Rm {
        /// Only the one of this name
        name: Option<String>,
        /// Keeps the cache for the next one of that name
        #[arg(long)]
        keep_state: bool,
    },
}

#[derive(Args, Debug)]
pub(super) struct Doctor {
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Progress {
    /// tty where stderr is a terminal, else plain
    Auto,
    /// What runs now, drawn anew again and again; plain where stderr is no terminal
    Tty,
    /// Lines
    Plain,
    /// Errors and the digests only
    Quiet,
    /// The status messages of BuildKit, a JSON object on each line
    Rawjson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Network {
    /// One of their own, with a way out
    Default,
    /// The daemon's; it must allow it
    Host,
    /// None
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Provenance {
    /// Materials and parameters
    Min,
    /// The whole graph too
    Max,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// JSON: an object for one app, an array for several
    Json,
    /// YAML, likewise
    Yaml,
    /// A table for people
    Text,
    /// Removed
    #[value(hide = true)]
    Dockerfile,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_flag_of_ci_has_a_variable_of_its_name() {
        let command = Cli::command();
        let ci = command.find_subcommand("ci").unwrap();
        for argument in ci.get_arguments() {
            let Some(long) = argument.get_long() else {
                continue;
            };
            let variable = argument.get_env().map(|name| name.to_str().unwrap());
            let expected = match long {
                // Known to every tool that makes reproducible things.
                "source-date-epoch" => "SOURCE_DATE_EPOCH".to_owned(),
                long => format!("PEELBOX_{}", long.replace('-', "_").to_uppercase()),
            };
            assert_eq!(variable, Some(expected.as_str()), "--{long}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_flag_says_what_it_is_for() {
        fn check(command: &clap::Command) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name}");
            for argument in command
                .get_arguments()
                .filter(|argument| !argument.is_hide_set())
            {
                assert!(
                    argument.get_help().is_some(),
                    "{name} {}",
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
