//! Running a command.

use std::collections::BTreeMap;

use buildkit_proto::pb;

use super::state::resolve;
use super::vertex::{Inputs, Vertex};
use super::{Metadata, Mount, Output, State};

/// What BuildKit writes where a mount is no output.
const NO_OUTPUT: i64 = -1;

/// A command, what it sees and how it is run; [`State::run`] puts it on a root file system.
#[derive(Clone, Debug)]
pub struct Exec {
    args: Vec<String>,
    env: BTreeMap<String, String>,
    dir: Option<String>,
    user: Option<String>,
    mounts: BTreeMap<String, Mount>,
    root: Mount,
    secrets: BTreeMap<String, pb::SecretEnv>,
    hosts: Vec<pb::HostIp>,
    proxy: Option<Proxy>,
    network: Network,
    security: Security,
    metadata: Metadata,
}

/// The network of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// A network of its own with a way out.
    #[default]
    Sandbox,
    /// The daemon's. Needs the entitlement `network.host`.
    Host,
    /// None but loopback.
    None,
}

/// The confinement of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// The usual container.
    #[default]
    Sandbox,
    /// All privileges. Needs the entitlement `security.insecure`.
    Insecure,
}

/// Proxies for a command: set as variables in upper and lower case, but no part of the cache key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// `HTTP_PROXY`.
    pub http: String,
    /// `HTTPS_PROXY`.
    pub https: String,
    /// `FTP_PROXY`.
    pub ftp: String,
    /// `ALL_PROXY`.
    pub all: String,
    /// `NO_PROXY`.
    pub none: String,
}

/// An exec put on a root file system: the states it leaves.
#[derive(Clone, Debug)]
pub struct Ran {
    root: State,
    mounts: BTreeMap<String, State>,
}

impl Ran {
    /// The root file system after the command, or as it was if it was mounted read-only.
    #[must_use]
    pub fn root(&self) -> &State {
        &self.root
    }

    /// What the command left at the writable mount `target`; `None` if there is no such mount.
    #[must_use]
    pub fn mount(&self, target: &str) -> Option<&State> {
        self.mounts.get(&resolve("/", target))
    }
}

impl Exec {
    /// Runs `program` with `args`, without a shell.
    #[must_use]
    pub fn new(
        program: impl Into<String>,
        args: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let args = args.into_iter().map(Into::into);
        Self {
            args: std::iter::once(program.into()).chain(args).collect(),
            env: BTreeMap::new(),
            dir: None,
            user: None,
            mounts: BTreeMap::new(),
            root: Mount::scratch("/"),
            secrets: BTreeMap::new(),
            hosts: Vec::new(),
            proxy: None,
            network: Network::default(),
            security: Security::default(),
            metadata: Metadata::default(),
        }
    }

    /// Runs `script` with `/bin/sh -c`.
    #[must_use]
    pub fn shell(script: impl Into<String>) -> Self {
        Self::new("/bin/sh", ["-c".to_owned(), script.into()])
    }

    /// Sets an environment variable, over that of the state.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets the working directory, relative to that of the state.
    #[must_use]
    pub fn dir(mut self, path: impl Into<String>) -> Self {
        self.dir = Some(path.into());
        self
    }

    /// Sets the user, a name or number, optionally with `:group`.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Adds a mount; one at the same target is replaced. One at `/` is replaced by the root file system.
    #[must_use]
    pub fn mount(mut self, mut mount: Mount) -> Self {
        mount.target = resolve("/", &mount.target);
        self.mounts.insert(mount.target.clone(), mount);
        self
    }

    /// Mounts the root file system read-only; it is no output then.
    #[must_use]
    pub fn readonly_root(mut self) -> Self {
        self.root = self.root.readonly();
        self
    }

    /// Sets the variable `name` to the session's secret `id`, whose value is no part of the cache key.
    #[must_use]
    pub fn secret_env(self, name: impl Into<String>, id: impl Into<String>) -> Self {
        self.secret_variable(name.into(), id.into(), false)
    }

    /// The same, unless the session has no such secret; the id is a part of the cache key either way.
    #[must_use]
    pub fn optional_secret_env(self, name: impl Into<String>, id: impl Into<String>) -> Self {
        self.secret_variable(name.into(), id.into(), true)
    }

    fn secret_variable(mut self, name: String, id: String, optional: bool) -> Self {
        let secret = pb::SecretEnv { id, name, optional };
        self.secrets.insert(secret.name.clone(), secret);
        self
    }

    /// Adds a line to the command's `/etc/hosts`.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>, address: std::net::IpAddr) -> Self {
        self.hosts.push(pb::HostIp {
            host: name.into(),
            ip: address.to_string(),
        });
        self
    }

    /// Sets the proxies.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Chooses the network.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Chooses the confinement.
    #[must_use]
    pub fn security(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// Sets name, group, location and cache behaviour.
    #[must_use]
    pub fn with(mut self, metadata: impl Into<Metadata>) -> Self {
        self.metadata = metadata.into();
        self
    }

    pub(super) fn on(mut self, state: &State) -> Ran {
        let mut root = self.root.clone();
        root.source = state.output().cloned();
        self.mounts.insert("/".to_owned(), root);
        let mounts = std::mem::take(&mut self.mounts);

        let mut inputs = Inputs::default();
        let mut outputs: BTreeMap<String, u32> = BTreeMap::new();
        // In the order of targets, so that `/` comes before `/a` and that before `/a/b`.
        let mounts = mounts.into_iter().map(|(target, mount)| {
            let input = inputs.index(mount.source.as_ref());
            let output = if mount.is_output() {
                let index = u32::try_from(outputs.len()).expect("an exec has few mounts");
                outputs.insert(target, index);
                i64::from(index)
            } else {
                NO_OUTPUT
            };
            mount.proto(input, output)
        });
        let mounts = mounts.collect();
        let (op, metadata) = self.proto(state, mounts);
        let output = Vertex::create(pb::op::Op::Exec(op), inputs, state.target(), metadata);
        ran(state, &output, outputs)
    }

    fn proto(self, state: &State, mounts: Vec<pb::Mount>) -> (pb::ExecOp, Metadata) {
        let mut env = state.variables().clone();
        env.extend(self.env);
        let dir = self.dir.unwrap_or_default();
        let op = pb::ExecOp {
            meta: Some(pb::Meta {
                args: self.args,
                env: env
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect(),
                cwd: resolve(state.directory(), &dir),
                user: self.user.unwrap_or_else(|| state.username().to_owned()),
                proxy_env: self.proxy.map(Proxy::proto),
                extra_hosts: self.hosts,
                // The directories that mount points need in the root must not stay in its layer.
                remove_mount_stubs_recursive: true,
                ..pb::Meta::default()
            }),
            mounts,
            network: self.network.proto().into(),
            security: self.security.proto().into(),
            secretenv: self.secrets.into_values().collect(),
            cdi_devices: Vec::new(),
        };
        (op, self.metadata)
    }
}

fn ran(state: &State, output: &Output, outputs: BTreeMap<String, u32>) -> Ran {
    let mut mounts: BTreeMap<String, State> = outputs
        .into_iter()
        .map(|(target, index)| (target, state.with_output(Some(output.sibling(index)))))
        .collect();
    Ran {
        root: mounts.remove("/").unwrap_or_else(|| state.clone()),
        mounts,
    }
}

impl Proxy {
    fn proto(self) -> pb::ProxyEnv {
        pb::ProxyEnv {
            http_proxy: self.http,
            https_proxy: self.https,
            ftp_proxy: self.ftp,
            no_proxy: self.none,
            all_proxy: self.all,
        }
    }
}

impl Network {
    fn proto(self) -> pb::NetMode {
        match self {
            Self::Sandbox => pb::NetMode::Unset,
            Self::Host => pb::NetMode::Host,
            Self::None => pb::NetMode::None,
        }
    }
}

impl Security {
    fn proto(self) -> pb::SecurityMode {
        match self {
            Self::Sandbox => pb::SecurityMode::Sandbox,
            Self::Insecure => pb::SecurityMode::Insecure,
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::{Local, Sharing};
    use super::*;

    fn decoded(state: &State) -> (pb::Op, pb::ExecOp) {
        let bytes = state.output().unwrap().vertex().encoded().to_vec();
        let op = pb::Op::decode(&bytes[..]).unwrap();
        let Some(pb::op::Op::Exec(exec)) = op.op.clone() else {
            panic!("not an exec");
        };
        (op, exec)
    }

    #[test]
    fn every_writable_bind_is_an_output_in_the_order_of_targets() {
        let source = State::from(Local::new("src"));
        let exec = Exec::shell("make")
            .mount(Mount::scratch("/peelbox-out/"))
            .mount(Mount::bind("/src", &source).readonly().selector("app"))
            .mount(Mount::cache("/cache", "id", Sharing::Locked))
            .mount(Mount::bind("/a", &source))
            .mount(Mount::tmpfs("/tmp", 0))
            .mount(Mount::secret("/run/secrets/token", "token").optional())
            .mount(Mount::bind("/b", &source).discard())
            .mount(Mount::ssh("/run/ssh", "default"));
        let ran = source.run(exec);
        let (op, exec) = decoded(ran.root());
        let mounts: Vec<_> = exec
            .mounts
            .iter()
            .map(|mount| (mount.dest.as_str(), mount.input, mount.output))
            .collect();
        assert_eq!(
            mounts,
            [
                ("/", 0, 0),
                ("/a", 0, 1),
                ("/b", 0, -1),
                ("/cache", -1, -1),
                ("/peelbox-out", -1, 2),
                ("/run/secrets/token", -1, -1),
                ("/run/ssh", -1, -1),
                ("/src", 0, -1),
                ("/tmp", -1, -1),
            ]
        );
        assert_eq!(op.inputs.len(), 1, "one input serves every mount of it");
        let index = |target| ran.mount(target).unwrap().output().unwrap().proto().index;
        assert_eq!((index("/a"), index("/peelbox-out")), (1, 2));
        assert!(ran.mount("/src").is_none() && ran.mount("/cache").is_none());
    }

    #[test]
    fn a_read_only_root_is_no_output() {
        let root = State::from(Local::new("root"));
        let ran = root.run(
            Exec::shell("true")
                .readonly_root()
                .mount(Mount::scratch("/out")),
        );
        assert_eq!(ran.root().output(), root.output());
        let out = ran.mount("/out").unwrap().output().unwrap();
        assert_eq!(out.proto().index, 0);
    }

    #[test]
    fn the_command_inherits_from_the_state() {
        let state = State::scratch()
            .env("A", "state")
            .env("B", "state")
            .dir("/src")
            .user("65532");
        let exec = Exec::new("make", ["all"]).env("B", "exec").dir("app");
        let (_, op) = decoded(state.run(exec).root());
        let meta = op.meta.unwrap();
        assert_eq!(meta.args, ["make", "all"]);
        assert_eq!(meta.env, ["A=state", "B=exec"]);
        assert_eq!((&*meta.cwd, &*meta.user), ("/src/app", "65532"));
    }
}
