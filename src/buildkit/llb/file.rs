//! Changing files without running a command.
//!
//! [`FileOp`] chains any number of actions into one operation, which makes one layer.

use buildkit_proto::pb;
use buildkit_proto::pb::file_action::Action;

use super::state::resolve;
use super::vertex::{Inputs, Vertex};
use super::{Metadata, Output, State};

/// What BuildKit writes where an action's result is not an output of the operation, or an optional value is unset.
const UNSET: i64 = -1;

/// A chain of file actions, each on the result of the one before.
#[derive(Clone, Debug)]
pub struct FileOp {
    base: State,
    actions: Vec<(Action, Option<Output>)>,
    metadata: Metadata,
}

impl FileOp {
    /// Starts from the file system of `base`. Relative paths are below its working directory.
    #[must_use]
    pub fn on(base: &State) -> Self {
        Self {
            base: base.clone(),
            actions: Vec::new(),
            metadata: Metadata::default(),
        }
    }

    /// Copies from the file system of `source`.
    #[must_use]
    pub fn copy(mut self, source: &State, copy: Copy) -> Self {
        let mut action = copy.0;
        action.src = resolve(source.directory(), &action.src);
        action.dest = destination(self.base.directory(), &action.dest);
        self.actions
            .push((Action::Copy(action), source.output().cloned()));
        self
    }

    /// Makes a directory.
    #[must_use]
    pub fn mkdir(self, mkdir: Mkdir) -> Self {
        let mut action = mkdir.0;
        action.path = resolve(self.base.directory(), &action.path);
        self.add(Action::Mkdir(action))
    }

    /// Writes a file.
    #[must_use]
    pub fn mkfile(self, mkfile: Mkfile) -> Self {
        let mut action = mkfile.0;
        action.path = resolve(self.base.directory(), &action.path);
        self.add(Action::Mkfile(action))
    }

    /// Removes files.
    #[must_use]
    pub fn rm(self, rm: Rm) -> Self {
        let mut action = rm.0;
        action.path = resolve(self.base.directory(), &action.path);
        self.add(Action::Rm(action))
    }

    /// Makes a symbolic link. Needs BuildKit 0.19 (`file.symlink.create`).
    #[must_use]
    pub fn symlink(self, symlink: Symlink) -> Self {
        let mut action = symlink.0;
        action.newpath = resolve(self.base.directory(), &action.newpath);
        self.add(Action::Symlink(action))
    }

    /// Sets name, group, location and cache behaviour.
    #[must_use]
    pub fn with(mut self, metadata: impl Into<Metadata>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// The file system after the last action; without any action the one it started from.
    #[must_use]
    pub fn state(self) -> State {
        let Some(last) = self.actions.len().checked_sub(1) else {
            return self.base;
        };
        let mut inputs = Inputs::default();
        let base = inputs.index(self.base.output());
        let indexed: Vec<(Action, i64)> = self
            .actions
            .into_iter()
            .map(|(action, source)| (action, inputs.index(source.as_ref())))
            .collect();
        // Results of earlier actions are numbered behind the inputs of the operation.
        let first = inputs.len();
        let actions = (0_i64..).zip(indexed);
        let actions = actions.map(|(at, (action, secondary_input))| pb::FileAction {
            input: if at == 0 { base } else { first + at - 1 },
            secondary_input,
            output: if usize::try_from(at) == Ok(last) {
                0
            } else {
                UNSET
            },
            action: Some(action),
        });
        let op = pb::op::Op::File(pb::FileOp {
            actions: actions.collect(),
        });
        let output = Vertex::create(op, inputs, None, self.metadata);
        self.base.with_output(Some(output))
    }

    fn add(mut self, action: Action) -> Self {
        self.actions.push((action, None));
        self
    }
}

/// The numeric owner of what an action writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// What to copy to where, and how.
///
/// Without options this is `cp -a` of one path: modes, owners, times and links stay as they are; a directory is
/// copied into an existing destination directory, and becomes the destination where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy(pb::FileActionCopy);

impl Copy {
    /// Copies `from` of the source to `to`. A `to` that ends in `/` is a directory to copy into.
    #[must_use]
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self(pb::FileActionCopy {
            src: from.into(),
            dest: to.into(),
            mode: -1,
            timestamp: UNSET,
            ..pb::FileActionCopy::default()
        })
    }

    /// Unpacks the source if it is a tar archive, compressed or not, and copies it if not.
    #[must_use]
    pub fn unpack(mut self) -> Self {
        self.0.attempt_unpack_docker_compatibility = true;
        self
    }

    /// Makes the missing parents of the destination.
    #[must_use]
    pub fn parents(mut self) -> Self {
        self.0.create_dest_path = true;
        self
    }

    /// Takes `from` as a pattern (`*`, `?`, `[…]` in every component), of which something must match.
    #[must_use]
    pub fn wildcard(mut self) -> Self {
        self.0.allow_wildcard = true;
        self
    }

    /// Takes `from` as a pattern of which nothing need match.
    #[must_use]
    pub fn optional_wildcard(mut self) -> Self {
        self.0.allow_empty_wildcard = true;
        self.wildcard()
    }

    /// Copies what a symbolic link at `from` points to.
    #[must_use]
    pub fn follow_symlinks(mut self) -> Self {
        self.0.follow_symlink = true;
        self
    }

    /// Copies what is in a directory rather than the directory itself.
    #[must_use]
    pub fn contents(mut self) -> Self {
        self.0.dir_copy_contents = true;
        self
    }

    /// Replaces whatever is in the way: a directory by a file, a link by a directory. Needs BuildKit 0.14
    /// (`file.copy.alwaysreplaceexistingdestpaths`).
    #[must_use]
    pub fn replace(mut self) -> Self {
        self.0.always_replace_existing_dest_paths = true;
        self
    }

    /// Copies only what matches one of `patterns`, relative to `from`.
    #[must_use]
    pub fn include(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.include_patterns = patterns.into_iter().map(Into::into).collect();
        self
    }

    /// Leaves out what matches `patterns`, relative to `from`, by the rules of `.dockerignore`.
    #[must_use]
    pub fn exclude(mut self, patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.exclude_patterns = patterns.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the permission bits of everything copied.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.0.mode = permissions(mode);
        self
    }

    /// Sets the owner of everything copied.
    #[must_use]
    pub fn owner(mut self, owner: Owner) -> Self {
        self.0.owner = Some(owner.proto());
        self
    }

    /// Sets the modification time of everything copied, in seconds of the Unix epoch.
    #[must_use]
    pub fn modified(mut self, seconds: i64) -> Self {
        self.0.timestamp = nanoseconds(seconds);
        self
    }
}

/// A directory to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mkdir(pb::FileActionMkDir);

impl Mkdir {
    /// Makes `path`, mode 0755. It must not exist, and its parent must.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self(pb::FileActionMkDir {
            path: path.into(),
            mode: 0o755,
            timestamp: UNSET,
            ..pb::FileActionMkDir::default()
        })
    }

    /// Makes missing parents, and accepts that the directory exists.
    #[must_use]
    pub fn parents(mut self) -> Self {
        self.0.make_parents = true;
        self
    }

    /// Sets the permission bits.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.0.mode = permissions(mode);
        self
    }

    /// Sets the owner.
    #[must_use]
    pub fn owner(mut self, owner: Owner) -> Self {
        self.0.owner = Some(owner.proto());
        self
    }

    /// Sets the modification time, in seconds of the Unix epoch.
    #[must_use]
    pub fn modified(mut self, seconds: i64) -> Self {
        self.0.timestamp = nanoseconds(seconds);
        self
    }
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mkfile(pb::FileActionMkFile);

impl Mkfile {
    /// Writes `data` to `path`, mode 0644, over what is there. The parent must exist.
    #[must_use]
    pub fn new(path: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self(pb::FileActionMkFile {
            path: path.into(),
            mode: 0o644,
            data: data.into(),
            owner: None,
            timestamp: UNSET,
        })
    }

    /// Sets the permission bits.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.0.mode = permissions(mode);
        self
    }

    /// Sets the owner.
    #[must_use]
    pub fn owner(mut self, owner: Owner) -> Self {
        self.0.owner = Some(owner.proto());
        self
    }

    /// Sets the modification time, in seconds of the Unix epoch.
    #[must_use]
    pub fn modified(mut self, seconds: i64) -> Self {
        self.0.timestamp = nanoseconds(seconds);
        self
    }
}

/// Files to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rm(pb::FileActionRm);

impl Rm {
    /// Removes `path` with all that is in it.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self(pb::FileActionRm {
            path: path.into(),
            ..pb::FileActionRm::default()
        })
    }

    /// Takes the path as a pattern.
    #[must_use]
    pub fn wildcard(mut self) -> Self {
        self.0.allow_wildcard = true;
        self
    }

    /// Accepts that there is nothing to remove.
    #[must_use]
    pub fn allow_not_found(mut self) -> Self {
        self.0.allow_not_found = true;
        self
    }
}

/// A symbolic link to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symlink(pb::FileActionSymlink);

impl Symlink {
    /// Makes `path` point to `target`, which is written as it stands.
    #[must_use]
    pub fn new(target: impl Into<String>, path: impl Into<String>) -> Self {
        Self(pb::FileActionSymlink {
            oldpath: target.into(),
            newpath: path.into(),
            owner: None,
            timestamp: UNSET,
        })
    }

    /// Sets the owner.
    #[must_use]
    pub fn owner(mut self, owner: Owner) -> Self {
        self.0.owner = Some(owner.proto());
        self
    }

    /// Sets the modification time, in seconds of the Unix epoch.
    #[must_use]
    pub fn modified(mut self, seconds: i64) -> Self {
        self.0.timestamp = nanoseconds(seconds);
        self
    }
}

impl Owner {
    fn proto(self) -> pb::ChownOpt {
        let id = |id| {
            Some(pb::UserOpt {
                user: Some(pb::user_opt::User::ById(id)),
            })
        };
        pb::ChownOpt {
            user: id(self.uid),
            group: id(self.gid),
        }
    }
}

fn permissions(mode: u32) -> i32 {
    i32::try_from(mode & 0o777).expect("nine bits")
}

fn nanoseconds(seconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000)
}

/// `path` below `parent`, with the `/` or `/.` at its end that tells BuildKit to copy into a directory.
fn destination(parent: &str, path: &str) -> String {
    let clean = resolve(parent, path);
    let slash = if clean == "/" { "" } else { "/" };
    if path.ends_with("/.") {
        format!("{clean}{slash}.")
    } else if path.ends_with('/') {
        format!("{clean}{slash}")
    } else {
        clean
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::{Http, Local};
    use super::*;

    fn decoded(state: &State) -> (pb::Op, Vec<pb::FileAction>) {
        let bytes = state.output().unwrap().vertex().encoded().to_vec();
        let op = pb::Op::decode(&bytes[..]).unwrap();
        let Some(pb::op::Op::File(file)) = op.op.clone() else {
            panic!("not a file operation");
        };
        (op, file.actions)
    }

    #[test]
    fn every_action_works_on_the_result_of_the_one_before() {
        let one = State::from(Http::new("https://example.test/one.apk"));
        let two = State::from(Http::new("https://example.test/two.apk"));
        let root = FileOp::on(&State::scratch())
            .copy(&one, Copy::new("/one.apk", "/").unpack())
            .copy(&two, Copy::new("/two.apk", "/").unpack())
            .copy(&one, Copy::new("/one.apk", "/kept"))
            .rm(Rm::new("/.PKGINFO"))
            .state();
        let (op, actions) = decoded(&root);
        assert_eq!(op.inputs.len(), 2);
        let indices: Vec<_> = actions
            .iter()
            .map(|action| (action.input, action.secondary_input, action.output))
            .collect();
        assert_eq!(indices, [(-1, 0, -1), (2, 1, -1), (3, 0, -1), (4, -1, 0)]);
    }

    #[test]
    fn a_base_is_the_first_input() {
        let base = State::from(Local::new("base"));
        let state = FileOp::on(&base).mkdir(Mkdir::new("/app")).state();
        let (op, actions) = decoded(&state);
        assert_eq!(op.inputs, [base.output().unwrap().proto()]);
        assert_eq!((actions[0].input, actions[0].output), (0, 0));
        assert_eq!(op.platform, None, "file operations have no platform");
    }

    #[test]
    fn unset_values_are_minus_one() {
        let base = State::scratch().dir("/app");
        let state = FileOp::on(&base)
            .copy(&base, Copy::new("a", "b/"))
            .mkfile(Mkfile::new("c", "text").mode(0o4755).modified(1))
            .state();
        let (_, actions) = decoded(&state);
        let Some(Action::Copy(copy)) = &actions[0].action else {
            panic!("not a copy");
        };
        assert_eq!((&*copy.src, &*copy.dest), ("/app/a", "/app/b/"));
        assert_eq!((copy.mode, copy.timestamp), (-1, -1));
        let Some(Action::Mkfile(file)) = &actions[1].action else {
            panic!("not a file");
        };
        assert_eq!((file.mode, file.timestamp), (0o755, 1_000_000_000));
    }

    #[test]
    fn nothing_to_do_is_no_operation() {
        let base = State::from(Local::new("base"));
        assert_eq!(FileOp::on(&base).state().output(), base.output());
    }

    #[test]
    fn the_end_of_a_destination_is_kept() {
        for (path, kept) in [
            ("/", "/"),
            ("a/", "/w/a/"),
            ("a/.", "/w/a/."),
            ("/.", "/."),
            (".", "/w"),
            ("/a/../b", "/b"),
        ] {
            assert_eq!(destination("/w", path), kept, "{path}");
        }
    }
}
