//! What a command sees beside its root file system.

use buildkit_proto::pb;

use super::{Output, State};

/// Something mounted into the root file system of an exec.
#[derive(Clone, Debug)]
pub struct Mount {
    pub(super) target: String,
    pub(super) source: Option<Output>,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Bind {
        selector: String,
        readonly: bool,
        discard: bool,
    },
    Cache {
        id: String,
        sharing: Sharing,
    },
    Tmpfs {
        size: i64,
    },
    Secret(pb::SecretOpt),
    Ssh(pb::SshOpt),
}

/// What happens when two execs want one cache mount at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Both use it.
    Shared,
    /// The second gets one of its own.
    Private,
    /// The second waits.
    Locked,
}

impl Mount {
    /// Mounts `state` at `target`. What the command writes there is an output of the exec.
    #[must_use]
    pub fn bind(target: impl Into<String>, state: &State) -> Self {
        Self::bind_output(target.into(), state.output().cloned())
    }

    /// Mounts an empty directory at `target` that becomes an output of the exec.
    #[must_use]
    pub fn scratch(target: impl Into<String>) -> Self {
        Self::bind_output(target.into(), None)
    }

    /// Mounts a directory that stays with the daemon between runs, under an `id` that all its clients share.
    #[must_use]
    pub fn cache(target: impl Into<String>, id: impl Into<String>, sharing: Sharing) -> Self {
        let id = id.into();
        Self::new(target, Kind::Cache { id, sharing })
    }

    /// Mounts an empty directory in memory, of at most `size` bytes; 0 is the daemon's default.
    #[must_use]
    pub fn tmpfs(target: impl Into<String>, size: u32) -> Self {
        let size = i64::from(size);
        Self::new(target, Kind::Tmpfs { size })
    }

    /// Mounts the session's secret `id` as a file that only root reads. The exec fails if there is none.
    #[must_use]
    pub fn secret(target: impl Into<String>, id: impl Into<String>) -> Self {
        let secret = pb::SecretOpt {
            id: id.into(),
            mode: 0o400,
            ..pb::SecretOpt::default()
        };
        Self::new(target, Kind::Secret(secret))
    }

    /// Mounts the session's SSH agent `id` as a socket that only root uses. The exec fails if there is none.
    #[must_use]
    pub fn ssh(target: impl Into<String>, id: impl Into<String>) -> Self {
        let ssh = pb::SshOpt {
            id: id.into(),
            mode: 0o600,
            ..pb::SshOpt::default()
        };
        Self::new(target, Kind::Ssh(ssh))
    }

    /// Mounts a bind read-only; it is no output then. Other mounts are unchanged.
    #[must_use]
    pub fn readonly(mut self) -> Self {
        if let Kind::Bind { readonly, .. } = &mut self.kind {
            *readonly = true;
        }
        self
    }

    /// Lets the command write to a bind, but throws away what it wrote. Other mounts are unchanged.
    #[must_use]
    pub fn discard(mut self) -> Self {
        if let Kind::Bind { discard, .. } = &mut self.kind {
            *discard = true;
        }
        self
    }

    /// Mounts only `path` of the bound state. Other mounts are unchanged.
    #[must_use]
    pub fn selector(mut self, path: impl Into<String>) -> Self {
        if let Kind::Bind { selector, .. } = &mut self.kind {
            *selector = path.into();
        }
        self
    }

    /// Lets the exec run without the secret or agent if the session has none. Other mounts are unchanged.
    #[must_use]
    pub fn optional(mut self) -> Self {
        match &mut self.kind {
            Kind::Secret(secret) => secret.optional = true,
            Kind::Ssh(ssh) => ssh.optional = true,
            Kind::Bind { .. } | Kind::Cache { .. } | Kind::Tmpfs { .. } => {}
        }
        self
    }

    /// Whether what the command writes here is an output of the exec.
    pub(super) fn is_output(&self) -> bool {
        matches!(
            self.kind,
            Kind::Bind {
                readonly: false,
                discard: false,
                ..
            }
        )
    }

    pub(super) fn bind_output(target: String, source: Option<Output>) -> Self {
        let kind = Kind::Bind {
            selector: String::new(),
            readonly: false,
            discard: false,
        };
        Self {
            source,
            ..Self::new(target, kind)
        }
    }

    /// The message for the mount of input `input` with output `output`, each `-1` for none.
    pub(super) fn proto(self, input: i64, output: i64) -> pb::Mount {
        let mut mount = pb::Mount {
            input,
            dest: self.target,
            output,
            ..pb::Mount::default()
        };
        match self.kind {
            Kind::Bind {
                selector, readonly, ..
            } => {
                mount.selector = selector;
                mount.readonly = readonly;
            }
            Kind::Cache { id, sharing } => {
                mount.mount_type = pb::MountType::Cache.into();
                mount.cache_opt = Some(pb::CacheOpt {
                    id,
                    sharing: sharing.proto().into(),
                });
            }
            Kind::Tmpfs { size } => {
                mount.mount_type = pb::MountType::Tmpfs.into();
                mount.tmpfs_opt = Some(pb::TmpfsOpt { size });
            }
            Kind::Secret(secret) => {
                mount.mount_type = pb::MountType::Secret.into();
                mount.secret_opt = Some(secret);
            }
            Kind::Ssh(ssh) => {
                mount.mount_type = pb::MountType::Ssh.into();
                mount.ssh_opt = Some(ssh);
            }
        }
        mount
    }

    fn new(target: impl Into<String>, kind: Kind) -> Self {
        Self {
            target: target.into(),
            source: None,
            kind,
        }
    }
}

impl Sharing {
    fn proto(self) -> pb::CacheSharingOpt {
        match self {
            Self::Shared => pb::CacheSharingOpt::Shared,
            Self::Private => pb::CacheSharingOpt::Private,
            Self::Locked => pb::CacheSharingOpt::Locked,
        }
    }
}
