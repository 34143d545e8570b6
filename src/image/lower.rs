//! From a plan to BuildKit's graph.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::buildkit::llb::{
    Copy, Exec, FileOp, Http, Local, Metadata, Mkdir, Mkfile, Mount, Network, Owner, ProgressGroup,
    Proxy, Rm, Sharing, State,
};
use crate::oci::{Digest, Platform};

use super::base::BaseImage;
use super::crates::list_crates;
use super::layout::{ASIDE, CRATES, OUTPUT, ROOT, SBOMS, SOURCE, links};
use super::plan::Plan;

/// A package that was verified, as the graph takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedPackage {
    /// `name-version`.
    pub name: String,
    /// Its file in the repository.
    pub file_name: String,
    /// Where it lies.
    pub url: String,
    /// The digest of the file.
    pub sha256: Digest,
    /// Members of the file that are no part of the root file system, as absolute paths.
    pub leftovers: Vec<String>,
}

/// The repository as the daemon reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The name of the local directory in the session.
    pub name: String,
    /// What tells this directory from others of the same name, from run to run.
    pub shared_key_hint: String,
    /// The session that offers it.
    pub session: String,
}

/// Certificates of a company's own authority, for the build steps alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The id of the secret that holds them, PEM.
    pub secret: String,
    /// The id of the secret that holds them as a key store of Java's own format, if they can be one.
    pub trust_store: Option<String>,
}

/// What the steps of a build need beside the plan.
#[derive(Clone, Debug)]
pub struct Steps<'a> {
    /// The base image; `None` where nothing runs.
    pub base: Option<&'a BaseImage>,
    /// The packages of the build stage, in the order of unpacking.
    pub packages: &'a [PinnedPackage],
    /// The repository.
    pub context: &'a Context,
    /// Certificates for the steps.
    pub certificates: Option<&'a Certificates>,
    /// Proxies for the steps; they are never part of a cache key.
    pub proxy: &'a Proxy,
    /// Variables of the steps whose values are secrets, by the ids of those.
    pub secret_env: &'a BTreeMap<String, String>,
    /// The SSH agents of the session that steps may use, by id.
    pub agents: &'a [String],
    /// The network of the steps.
    pub network: Network,
    /// The hosts that the steps know besides, with their addresses.
    pub hosts: &'a [(String, IpAddr)],
    /// Whether steps run again although nothing changed.
    pub no_cache: bool,
}

const TRUST: &str = "PEELBOX_CACHE_SCOPE";
// Of several agents, the one of this id is the one that programs find by themselves.
const AGENT: &str = "default";
const CERTIFICATES: &str = "/run/peelbox/ca-certificates.crt";
const TRUST_STORE: &str = "/run/peelbox/ca-certificates.jks";
// The variable from which every Java program takes options, whoever starts it.
const JAVA_OPTIONS: &str = "JAVA_TOOL_OPTIONS";
// What curl, OpenSSL, Python, Node, git, cargo and the Go and Rust TLS stacks read.
const CERTIFICATE_VARIABLES: [&str; 7] = [
    "CARGO_HTTP_CAINFO",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
];

// Runs the last command, then copies while cache mounts are still there. Paths are arguments, never script text.
// The second command lists what only the build knows of what is shipped; without its list there is a less exact one.
const COLLECT: &str = r#"/bin/sh -c "$1" || exit $?
if [ -n "$2" ]; then
    mkdir -p "$(dirname "$3")"
    /bin/sh -c "$2" > "$3" 2> /dev/null || rm -f "$3"
fi
out=$4
shift 4
while [ $# -gt 1 ]; do
    if [ ! -e "$1" ]; then
        echo "peelbox runtime.copy: the build left no $1" >&2
        exit 66
    fi
    if [ -d "$1" ]; then
        mkdir -p "$2" && cp -af "$1/." "${2%/}/" || exit $?
    else
        mkdir -p "${2%/*}" || exit $?
        case "$2" in
        */) ;;
        *)
            if [ -d "$2" ]; then
                echo "peelbox runtime.copy: $1 is a file, and ${2#"$out"} is a directory already" >&2
                exit 66
            fi
            ;;
        esac
        cp -afH "$1" "$2" || exit $?
    fi
    shift 2
done"#;
// Follows a link of the image's base layout: what was copied to a directory in its place goes to where it leads.
const FOLLOW: &str = r#"
follow() {
    if [ ! -d "$out$1" ] || [ -L "$out$1" ]; then return; fi
    mkdir -p "$out$2" || exit $?
    both=$(cd "$out$1" && find . ! -type d -exec test -e "$out$2/{}" \; -print | head -n 1)
    if [ -n "$both" ]; then
        both=${both#.}
        echo "peelbox runtime.copy: $1$both and $2$both are one place in the image" >&2
        exit 66
    fi
    cp -a "$out$1/." "$out$2/" && rm -r "$out$1" || exit $?
}"#;
// Puts what packages say of themselves into one file, which is read in one call where the daemon would take thousands: a line
// with size and name of each, an empty line, and what is in them.
const GATHER: &str = r#"
cd "$out" || exit $?
names=$(mktemp)
find . -type f \( -path '*/node_modules/*/package.json' -o -path '*.dist-info/METADATA' \) -print0 2> /dev/null | sort -z > "$names"
if [ -s "$names" ]; then
    manifests=$out/.peelbox/manifests
    mkdir -p "${manifests%/*}"
    { xargs -0 stat -c '%s %n' < "$names" && echo && xargs -0 cat < "$names"; } > "$manifests" 2> /dev/null || rm -f "$manifests"
fi
rm -f "$names" || :"#;
// What the build made for root alone cannot be read by the user that the image runs as.
const OPEN: &str = "\nchmod -R a+rX /peelbox/out";

fn follow() -> String {
    let calls = links().map(|(link, target)| format!("\nfollow {link} {target}"));
    format!("{FOLLOW}{}", calls.collect::<String>())
}

/// `command`, which for Cargo makes all sources new first.
///
/// Cargo takes a file that is older than its last build for one that is in it. In a step that has a cached directory of
/// builds that is wrong: the daemon goes by the content of files, and gives an old copy of what has changed to and fro.
fn command(plan: &Plan<'_>, command: &str) -> String {
    if !command.contains("cargo") || plan.caches.is_empty() {
        return command.to_owned();
    }
    let below = format!("{SOURCE}/");
    let caches = plan.caches.iter().map(|cache| &cache.target);
    let pruned: String = caches
        .filter(|target| target.starts_with(&below))
        .filter_map(|target| shlex::try_quote(target).ok())
        .map(|target| format!("-path {target} -prune -o "))
        .collect();
    format!("find {SOURCE} {pruned}-type f -exec touch -c {{}} + || exit $?\n{command}")
}

/// Lowers the build of `plan` to the state that holds what is shipped.
#[must_use]
pub fn lower_build(plan: &Plan<'_>, steps: &Steps<'_>) -> State {
    let context = context(steps.context);
    let Some(base) = steps.base.filter(|_| plan.needs_base()) else {
        return copy_from_context(plan, &context);
    };
    let mut state = base.state(&plan.platform, &format!("[{}] base image", plan.name));
    state = unpack(
        &state,
        steps.packages,
        &format!("[{}] {}", plan.name, counted(steps.packages, "build")),
        &[],
    );
    for (name, value) in &plan.build_env {
        state = state.env(name, value);
    }
    state = state.dir(SOURCE);
    if !plan.install.is_empty() {
        state = copy_source(
            &state,
            &context,
            &plan.install_files,
            &format!("[{}] files to install from", plan.name),
        );
        for (number, command) in plan.install.iter().enumerate() {
            let name = step_name(plan, "install", number, plan.install.len(), command);
            state = prepared(plan, steps, Exec::shell(command.clone()))
                .with_name(name)
                .run_on(&state, plan);
        }
    }
    state = copy_source(
        &state,
        &context,
        &plan.context,
        &format!("[{}] source", plan.name),
    );
    let (last, commands) = plan
        .commands
        .split_last()
        .map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
    for (number, line) in commands.iter().enumerate() {
        let name = step_name(plan, "build", number, plan.commands.len(), line);
        state = prepared(plan, steps, Exec::shell(command(plan, line)))
            .with_name(name)
            .run_on(&state, plan);
    }
    collect(plan, steps, &state, last)
}

fn collect(plan: &Plan<'_>, steps: &Steps<'_>, state: &State, last: Option<&String>) -> State {
    let open = if plan.user.0 == ROOT { "" } else { OPEN };
    let script = format!("{COLLECT}{}{GATHER}{open}", follow());
    let mut arguments = vec!["-c".to_owned(), script, "sh".to_owned()];
    arguments.push(last.map_or_else(|| ":".to_owned(), |line| command(plan, line)));
    arguments.push(list_crates(plan).unwrap_or_default());
    arguments.extend([format!("{OUTPUT}{CRATES}"), OUTPUT.to_owned()]);
    for copy in &plan.copies {
        arguments.extend([copy.from.clone(), format!("{OUTPUT}{}", copy.to)]);
    }
    let count = plan.commands.len();
    let name = last.map_or_else(
        || format!("[{}] collect what is shipped", plan.name),
        |line| step_name(plan, "build", count - 1, count, line),
    );
    let step = prepared(
        plan,
        steps,
        Exec::new("/bin/sh", arguments).mount(Mount::scratch(OUTPUT)),
    )
    .with_name(name);
    let ran = state.clone().dir(&plan.directory).run(step.exec());
    ran.mount(OUTPUT).cloned().unwrap_or_else(State::scratch)
}

// Without any command nothing needs a container: the files go straight into the image.
fn copy_from_context(plan: &Plan<'_>, context: &State) -> State {
    let mut files = FileOp::on(&State::scratch());
    for copy in &plan.copies {
        let from = copy
            .from
            .strip_prefix(SOURCE)
            .filter(|from| !from.is_empty())
            .unwrap_or("/");
        files = files.copy(
            context,
            Copy::new(from, &copy.to)
                .contents()
                .follow_symlinks()
                .parents(),
        );
    }
    files
        .with(format!("[{}] files", plan.name))
        .state()
        .platform(&plan.platform)
}

struct Step {
    exec: Exec,
    name: String,
    no_cache: bool,
}

impl Step {
    fn with_name(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    fn exec(self) -> Exec {
        let metadata = Metadata::named(self.name);
        self.exec.with(if self.no_cache {
            metadata.ignore_cache()
        } else {
            metadata
        })
    }

    fn run_on(self, state: &State, plan: &Plan<'_>) -> State {
        state
            .clone()
            .dir(&plan.directory)
            .run(self.exec())
            .root()
            .clone()
            .dir(SOURCE)
    }
}

fn prepared(plan: &Plan<'_>, steps: &Steps<'_>, mut exec: Exec) -> Step {
    for cache in &plan.caches {
        let sharing = if cache.locked {
            Sharing::Locked
        } else {
            Sharing::Shared
        };
        exec = exec.mount(Mount::cache(&cache.target, &cache.id, sharing));
    }
    if let (Some(trust), [_, ..]) = (&plan.trust, &*plan.caches) {
        // The names of cache directories are no part of a step's cache key. Without this, what a step has made of a directory
        // that somebody else filled would be taken for what it makes of its own. No step sees a secret that nobody has.
        exec = exec.optional_secret_env(TRUST, format!("peelbox-cache-scope-{trust}"));
    }
    for secret in &plan.secrets {
        exec = match &secret.env {
            Some(variable) => exec.secret_env(variable, &secret.id),
            None => {
                let target = secret
                    .target
                    .clone()
                    .unwrap_or_else(|| format!("/run/secrets/{}", secret.id));
                exec.mount(Mount::secret(target, &secret.id))
            }
        };
    }
    if let Some(certificates) = steps.certificates {
        exec = exec.mount(Mount::secret(CERTIFICATES, &certificates.secret));
        for variable in CERTIFICATE_VARIABLES {
            exec = exec.env(variable, CERTIFICATES);
        }
        if let Some(store) = &certificates.trust_store {
            let trust = format!(
                "-Djavax.net.ssl.trustStore={TRUST_STORE} -Djavax.net.ssl.trustStoreType=JKS"
            );
            let own = plan.build_env.get(JAVA_OPTIONS);
            let options = own.map_or_else(|| trust.clone(), |own| format!("{own} {trust}"));
            exec = exec.mount(Mount::secret(TRUST_STORE, store));
            exec = exec.env(JAVA_OPTIONS, options);
        }
    }
    exec = exec.network(steps.network);
    for (name, address) in steps.hosts {
        exec = exec.host(name, *address);
    }
    for (variable, id) in steps.secret_env {
        exec = exec.secret_env(variable, id);
    }
    exec = exec.proxy(steps.proxy.clone());
    exec = with_agents(exec, steps.agents);
    Step {
        exec,
        name: String::new(),
        no_cache: steps.no_cache,
    }
}

/// Mounts the agents as sockets, which are there while the command runs and in no layer.
fn with_agents(mut exec: Exec, agents: &[String]) -> Exec {
    let socket = |id: &str| format!("/run/peelbox/ssh-agent/{id}.sock");
    for id in agents {
        exec = exec.mount(Mount::ssh(socket(id), id));
    }
    let found = agents.iter().find(|id| *id == AGENT);
    match found.or(agents.first()) {
        Some(id) => exec.env("SSH_AUTH_SOCK", socket(id)),
        None => exec,
    }
}

fn step_name(plan: &Plan<'_>, phase: &str, number: usize, of: usize, command: &str) -> String {
    let position = if of > 1 {
        format!(" {}/{of}", number + 1)
    } else {
        String::new()
    };
    format!(
        "[{}] {phase}{position}: {}",
        plan.name,
        command.lines().next().unwrap_or_default()
    )
}

fn context(context: &Context) -> State {
    let source = Local::new(&context.name)
        .shared_key_hint(&context.shared_key_hint)
        .session(&context.session);
    State::from(source.with("source of the repository"))
}

fn copy_source(state: &State, context: &State, patterns: &[String], name: &str) -> State {
    let copy = Copy::new("/", SOURCE)
        .contents()
        .parents()
        .include(patterns.iter().cloned());
    FileOp::on(state).copy(context, copy).with(name).state()
}

fn counted(packages: &[PinnedPackage], stage: &str) -> String {
    let ending = if packages.len() == 1 { "" } else { "s" };
    format!("{} {stage} package{ending}", packages.len())
}

// One op for all packages: one snapshot, and in an image one layer.
fn unpack(base: &State, packages: &[PinnedPackage], name: &str, drop: &[&str]) -> State {
    // A display shows the packages and their unpacking as one step.
    let group = |weak| ProgressGroup {
        id: name.to_owned(),
        name: name.to_owned(),
        weak,
    };
    let mut files = FileOp::on(base);
    let mut leftovers = BTreeMap::new();
    for package in packages {
        let source = Http::new(&package.url)
            .checksum(package.sha256)
            .filename(&package.file_name);
        let label = Metadata::named(format!("package {}", package.name)).group(group(true));
        let source = State::from(source.with(label));
        files = files.copy(
            &source,
            Copy::new(format!("/{}", package.file_name), "/").unpack(),
        );
        leftovers.extend(package.leftovers.iter().map(|path| (path.clone(), ())));
    }
    for path in leftovers
        .into_keys()
        .chain(drop.iter().map(|path| (*path).to_owned()))
    {
        files = files.rm(Rm::new(path).allow_not_found());
    }
    files
        .with(Metadata::named(name).group(group(false)))
        .state()
}

// What of the packages' own bookkeeping has no place in an image.
const DROPPED: [&str; 5] = [
    "/etc/apk",
    "/lib/apk",
    "/usr/lib/apk",
    "/var/cache/apk",
    "/var/log/apk.log",
];

/// Lowers the image's first layer: its packages and nothing else, with every time at `time` (seconds).
///
/// Unpacking and removing leave the time of the run in directories. A copy with one time for all makes the layer the
/// same whenever it is built, and for every commit and app with the same packages.
#[must_use]
pub fn lower_root(name: &str, platform: &Platform, packages: &[PinnedPackage], time: i64) -> State {
    let label = format!("[{name}] {}", counted(packages, "runtime"));
    let scratch = State::scratch().platform(platform);
    let unpacked = unpack(&scratch, packages, &label, &DROPPED);
    let copy = Copy::new("/", "/").contents().modified(time);
    FileOp::on(&scratch)
        .copy(&unpacked, copy)
        .with(format!("[{name}] package layer"))
        .state()
}

/// Files of the image's second layer beside what was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootFiles {
    /// `/etc/passwd` with the image's user in it.
    pub passwd: Vec<u8>,
    /// `/etc/group` with the image's group in it.
    pub group: Vec<u8>,
    /// The app's SPDX document.
    pub sbom: Vec<u8>,
}

/// Lowers the image: the built files as the second layer on `root`, with every time at `epoch` (seconds).
#[must_use]
pub fn lower_image(
    plan: &Plan<'_>,
    root: &State,
    output: &State,
    files: &RootFiles,
    epoch: i64,
) -> State {
    let owner = Owner {
        uid: plan.user.0,
        gid: plan.user.1,
    };
    let directory = |path: &str| Mkdir::new(path).parents().modified(epoch);
    let mut layer = FileOp::on(root)
        .mkdir(directory(&plan.workdir).owner(owner))
        .mkdir(directory("/etc"))
        .mkdir(directory(SBOMS))
        .copy(output, Copy::new("/", "/").contents().modified(epoch));
    if plan.needs_base() {
        layer = layer.rm(Rm::new(ASIDE).allow_not_found());
    }
    for path in &plan.writable {
        layer = layer.mkdir(directory(path).owner(owner));
    }
    let sbom = format!("{SBOMS}/{}.spdx.json", plan.name);
    let own = [
        ("/etc/passwd", &files.passwd),
        ("/etc/group", &files.group),
        (sbom.as_str(), &files.sbom),
    ];
    let planned = plan.files.iter().map(|(path, data)| (path.as_str(), data));
    for (path, data) in own
        .into_iter()
        .chain(planned)
        .filter(|(_, data)| !data.is_empty())
    {
        if let Some((parent, _)) = path
            .rsplit_once('/')
            .filter(|(parent, _)| !parent.is_empty())
        {
            layer = layer.mkdir(directory(parent));
        }
        layer = layer.mkfile(Mkfile::new(path, data.clone()).mode(0o644).modified(epoch));
    }
    layer.with(format!("[{}] app layer", plan.name)).state()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::process::{Command, Output};

    use super::*;

    fn collect(directory: &Path, command: &str, copies: &[(&str, &str)]) -> Output {
        let path = |path: &str| format!("{}/{path}", directory.display());
        let copies = copies.iter().flat_map(|(from, to)| [path(from), path(to)]);
        let script = format!("{COLLECT}{}{GATHER}", follow());
        Command::new("sh")
            .args(["-c", &script, "sh", command, "", "", &path("out")])
            .args(copies)
            .output()
            .unwrap()
    }

    #[test]
    fn a_file_keeps_its_name_in_a_directory_and_a_link_is_what_it_points_to() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir(at("dist")).unwrap();
        fs::write(at("dist/main.js"), "main").unwrap();
        symlink("main.js", at("dist/link.js")).unwrap();
        symlink(at("dist"), at("latest")).unwrap();
        let copies = [
            ("dist/main.js", "out/app/bin/"),
            ("dist/link.js", "out/app/first.js"),
            ("latest", "out/app/second"),
            ("dist", "out/app/second"),
        ];
        let output = collect(folder.path(), ":", &copies);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(output.status.success());
        assert_eq!(fs::read(at("out/app/bin/main.js")).unwrap(), b"main");
        assert!(!at("out/app/first.js").is_symlink());
        assert_eq!(fs::read(at("out/app/first.js")).unwrap(), b"main");
        assert_eq!(fs::read(at("out/app/second/main.js")).unwrap(), b"main");
        assert!(at("out/app/second/link.js").is_symlink());
    }

    #[test]
    fn what_packages_say_of_themselves_is_put_together() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for (path, text) in [
            ("m/b/package.json", "{ }\n"),
            ("m/a\nb/package.json", ""),
            ("m/b/index.js", "no"),
            ("s/x-1.dist-info/METADATA", "Name: x"),
            ("s/package.json", "no"),
        ] {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), text).unwrap();
        }
        let copies = [("m", "out/node_modules"), ("s", "out/site")];
        let output = collect(folder.path(), ":", &copies);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let expected = "0 ./node_modules/a\nb/package.json\n4 ./node_modules/b/package.json\n7 ./site/x-1.dist-info/METADATA\n\n{ }\nName: x";
        assert_eq!(
            fs::read_to_string(at("out/.peelbox/manifests")).unwrap(),
            expected
        );
    }

    #[test]
    fn a_file_does_not_vanish_in_a_directory_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("dist")).unwrap();
        fs::write(folder.path().join("main.js"), "").unwrap();
        let copies = [("dist", "out/app"), ("main.js", "out/app")];
        let output = collect(folder.path(), ":", &copies);
        assert_eq!(output.status.code(), Some(66));
        assert!(String::from_utf8_lossy(&output.stderr).ends_with("is a directory already\n"));
    }

    #[test]
    fn what_is_copied_over_a_link_of_the_base_layout_goes_where_it_leads() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["dist/bin/tool", "dist/lib/x/y.so", "dist/usr/lib/x/z.so"] {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), path).unwrap();
        }
        symlink("../lib/x/y.so", at("dist/bin/link")).unwrap();
        symlink("usr/bin", at("dist/sbin")).unwrap();
        let output = collect(folder.path(), ":", &[("dist", "out")]);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(output.status.success());
        assert!(!at("out/bin").exists() && !at("out/lib").exists());
        assert_eq!(fs::read(at("out/usr/bin/tool")).unwrap(), b"dist/bin/tool");
        assert_eq!(
            fs::read(at("out/usr/bin/link")).unwrap(),
            b"dist/lib/x/y.so"
        );
        assert!(at("out/usr/lib/x/z.so").exists() && at("out/sbin").is_symlink());
        fs::create_dir_all(at("dist/usr/bin")).unwrap();
        fs::write(at("dist/usr/bin/tool"), "other").unwrap();
        fs::remove_dir_all(at("out")).unwrap();
        let output = collect(folder.path(), ":", &[("dist", "out")]);
        assert_eq!(output.status.code(), Some(66));
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "peelbox runtime.copy: /bin/tool and /usr/bin/tool are one place in the image\n"
        );
    }

    #[test]
    fn what_is_not_there_ends_the_build() {
        let folder = tempfile::tempdir().unwrap();
        symlink("nowhere", folder.path().join("link")).unwrap();
        let copies = [("link", "out/app")];
        assert_eq!(collect(folder.path(), ":", &copies).status.code(), Some(66));
        let output = collect(folder.path(), "exit 7", &copies);
        assert_eq!(output.status.code(), Some(7));
    }
}
