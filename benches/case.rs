//! What is measured, and how.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use peelbox::buildkit::llb::{Copy, FileOp, Local, State};
use prost::Message as _;
use tempfile::TempDir;

use crate::forest::Size;
use crate::measure::{Cost, cost, mebibytes, median, tell};

/// The name of what is sent, by which it is found in the daemon again.
pub(crate) const LOCAL: &str = "peelbox-bench";

/// How large the contexts are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    files: usize,
    large: u64,
    /// What `large` is held against, where the size should not matter.
    small: u64,
    image: u64,
    pub(crate) apps: usize,
    /// The repository whose apps are found.
    pub(crate) forest: Size,
    pairs: usize,
}

impl Scale {
    pub(crate) const FULL: Self = Self {
        files: 100_000,
        large: 1 << 30,
        small: 64 << 20,
        image: 300 << 20,
        apps: 20,
        forest: Size::FULL,
        pairs: 7,
    };
    pub(crate) const QUICK: Self = Self {
        files: 300,
        large: 4 << 20,
        small: 1 << 20,
        image: 4 << 20,
        apps: 2,
        forest: Size::SMALL,
        pairs: 1,
    };
}

/// One row of the table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    kind: Kind,
    pub(crate) bar: Bar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The daemon has all of it already.
    Unchanged,
    /// The daemon has never seen it.
    First { is_large: bool },
    /// The image is there and is written to a file.
    Export,
}

impl Kind {
    /// Whether it is about many files.
    fn has_files(self) -> bool {
        matches!(self, Self::Unchanged | Self::First { is_large: false })
    }
}

/// What the medians are held against; the first three relative to buildctl.
#[derive(Clone, Copy)]
pub(crate) struct Bar {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    pub(crate) memory: Option<f64>,
    /// In MiB.
    pub(crate) resident: Option<f64>,
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "unchanged",
        kind: Kind::Unchanged,
        bar: Bar {
            wall: 0.5,
            cpu: 0.2,
            memory: Some(0.5),
            resident: None,
        },
    },
    Case {
        name: "files",
        kind: Kind::First { is_large: false },
        bar: Bar {
            wall: 1.0,
            cpu: 0.6,
            memory: Some(0.6),
            resident: None,
        },
    },
    Case {
        name: "large",
        kind: Kind::First { is_large: true },
        bar: Bar {
            wall: 0.6,
            cpu: 0.4,
            memory: None,
            resident: Some(64.0),
        },
    },
    Case {
        name: "export",
        kind: Kind::Export,
        bar: Bar {
            wall: 0.8,
            cpu: 0.5,
            memory: None,
            resident: Some(32.0),
        },
    },
];

/// The costs of the runs of a case, pair by pair.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) bar: Bar,
    pub(crate) ours: Vec<Cost>,
    pub(crate) theirs: Vec<Cost>,
    /// The load average over the last minute, before each pair.
    pub(crate) loads: Vec<f64>,
}

/// What the size of a file that is sent does to the memory of who sends it: sizes and peaks, in MiB.
pub(crate) struct Memory {
    pub(crate) small: (u64, f64),
    pub(crate) large: (u64, f64),
    /// The load average before.
    pub(crate) load: f64,
}

/// The daemon, the other client, and a folder for what both send.
pub(crate) struct Bench {
    scale: Scale,
    pub(crate) pairs: usize,
    pub(crate) endpoint: String,
    buildctl: PathBuf,
    pub(crate) folder: TempDir,
}

#[derive(Clone, Copy)]
enum Client {
    Ours,
    Buildctl,
}

impl Bench {
    pub(crate) fn new(scale: Scale, pairs: Option<usize>) -> Self {
        let variable = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/bench"))
        };
        Self {
            scale,
            pairs: pairs.unwrap_or(scale.pairs),
            endpoint: variable("PEELBOX_TESTBED_BUILDKIT_LATEST"),
            buildctl: variable("PEELBOX_TESTBED_BUILDCTL").into(),
            folder: tempfile::Builder::new().prefix("bench-").tempdir().unwrap(),
        }
    }

    /// The version of the other client.
    pub(crate) fn buildctl_version(&self) -> String {
        let output = Command::new(&self.buildctl).arg("--version").output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        text.split_whitespace().nth(2).unwrap_or("?").to_owned()
    }

    /// The version of the daemon.
    pub(crate) fn daemon_version(&self) -> String {
        let mut command = Command::new(&self.buildctl);
        command.arg(format!("--addr={}", self.endpoint));
        let output = command.args(["debug", "info"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().nth(2).unwrap_or("?").to_owned()
    }

    pub(crate) fn apps(&self) -> usize {
        self.scale.apps
    }

    pub(crate) fn run(&self, case: &Case) -> Measured {
        self.fill(case.kind);
        if !matches!(case.kind, Kind::First { .. }) {
            // Twice, since a daemon that still holds what the last build used begins anew.
            for _ in 0..2 {
                self.build(case, Client::Ours, 0);
                self.build(case, Client::Buildctl, 0);
            }
            tell(&format!("{}: the daemon has it", case.name));
        }
        let mut measured = Measured {
            name: case.name,
            title: self.title(case.kind),
            bar: case.bar,
            ours: Vec::new(),
            theirs: Vec::new(),
            loads: Vec::new(),
        };
        for pair in 0..self.pairs {
            measured.loads.push(load());
            // Neither always comes second.
            let order = if pair % 2 == 0 {
                [Client::Ours, Client::Buildctl]
            } else {
                [Client::Buildctl, Client::Ours]
            };
            for client in order {
                let cost = self.build(case, client, pair);
                match client {
                    Client::Ours => measured.ours.push(cost),
                    Client::Buildctl => measured.theirs.push(cost),
                }
            }
            self.told(&measured, pair);
            // Not between the two, which the deletion would keep apart.
            if matches!(case.kind, Kind::First { .. }) {
                self.prune();
            }
        }
        // The next case may need the many files too.
        if !case.kind.has_files() {
            fs::remove_dir_all(self.context(case.kind)).unwrap();
        }
        measured
    }

    /// Tells who waits what a pair came to.
    fn told(&self, measured: &Measured, pair: usize) {
        let seconds = |costs: &[Cost]| costs.last().map_or(0.0, |cost| cost.wall / 1000.0);
        tell(&format!(
            "{}: pair {} of {}: {:.2} to {:.2} s, load {:.1}",
            measured.name,
            pair + 1,
            self.pairs,
            seconds(&measured.ours),
            seconds(&measured.theirs),
            measured.loads.last().copied().unwrap_or_default()
        ));
    }

    /// The peak memory of our client for a small file and for a large one, in MiB.
    pub(crate) fn memory(&self) -> Memory {
        let case = Case {
            name: "memory",
            kind: Kind::First { is_large: true },
            bar: Bar {
                wall: 0.0,
                cpu: 0.0,
                memory: None,
                resident: None,
            },
        };
        let context = self.context(case.kind);
        let Scale { small, large, .. } = self.scale;
        let load = load();
        let [small, large] = [small, large].map(|size| {
            fs::create_dir_all(&context).unwrap();
            let mut random = File::open("/dev/urandom").unwrap();
            write(&context.join("large"), &mut random, size);
            let costs = (0..3).map(|run| {
                let cost = self.build(&case, Client::Ours, run);
                self.prune();
                cost
            });
            let peak = median(costs.map(|cost| mebibytes(cost.memory)));
            fs::remove_dir_all(&context).unwrap();
            tell(&format!("memory: {peak:.1} MiB for {} MiB", size >> 20));
            (size >> 20, peak)
        });
        Memory { small, large, load }
    }

    /// The directory that is sent.
    fn context(&self, kind: Kind) -> PathBuf {
        self.folder.path().join(match kind.has_files() {
            true => "files",
            false => "content",
        })
    }

    fn title(&self, kind: Kind) -> String {
        let Scale {
            files,
            large,
            image,
            ..
        } = self.scale;
        match kind {
            Kind::Unchanged => format!("no-op rebuild, {files} files"),
            Kind::First { is_large: false } => format!("first transfer, {files} files of 4 KiB"),
            Kind::First { is_large: true } => {
                format!("first transfer, one file of {} MiB", large >> 20)
            }
            Kind::Export => format!("OCI archive of {} MiB to disk", image >> 20),
        }
    }

    fn fill(&self, kind: Kind) {
        let context = &self.context(kind);
        if context.exists() {
            return;
        }
        let started = Instant::now();
        let mut random = File::open("/dev/urandom").unwrap();
        match kind {
            Kind::Unchanged | Kind::First { is_large: false } => {
                for file in 0..self.scale.files {
                    let folder = context.join(format!("directory-{:04}", file / 100));
                    if file % 100 == 0 {
                        fs::create_dir_all(&folder).unwrap();
                    }
                    write(
                        &folder.join(format!("file-{file:06}")),
                        &mut random,
                        4 << 10,
                    );
                }
            }
            Kind::First { is_large: true } => {
                fs::create_dir_all(context).unwrap();
                write(&context.join("large"), &mut random, self.scale.large);
            }
            Kind::Export => {
                fs::create_dir_all(context).unwrap();
                write(&context.join("content"), &mut random, self.scale.image);
            }
        }
        let took = started.elapsed().as_secs_f64();
        tell(&format!("the files to send took {took:.1} s"));
    }

    fn build(&self, case: &Case, client: Client, run: usize) -> Cost {
        let folder = self.folder.path();
        let who = match client {
            Client::Ours => "ours",
            Client::Buildctl => "buildctl",
        };
        // A first transfer has a hint of its own, so that the daemon knows nothing that it could compare with.
        let hint = match case.kind {
            Kind::First { .. } => format!("{}-{who}-{run}", folder.display()),
            Kind::Unchanged | Kind::Export => format!("{}-{}", folder.display(), case.name),
        };
        let definition = folder.join("definition");
        fs::write(&definition, graph(case.kind, &hint)).unwrap();
        let output = folder.join("image.tar");
        let context = self.context(case.kind).display().to_string();
        let mut command = match client {
            Client::Ours => self.ours(&context),
            Client::Buildctl => self.theirs(&context),
        };
        if case.kind == Kind::Export {
            let file = output.display();
            match client {
                Client::Ours => command.push(file.to_string()),
                Client::Buildctl => command.push(format!("--output=type=oci,dest={file}")),
            }
        }
        let cost = cost(&command, &definition, &folder.join("log"));
        if case.kind == Kind::Export {
            assert!(fs::metadata(&output).unwrap().len() > self.scale.image);
            fs::remove_file(output).unwrap();
        }
        cost
    }

    fn ours(&self, context: &str) -> Vec<String> {
        let program = std::env::current_exe().unwrap().display().to_string();
        vec![
            program,
            "client".to_owned(),
            self.endpoint.clone(),
            context.to_owned(),
        ]
    }

    fn theirs(&self, context: &str) -> Vec<String> {
        vec![
            self.buildctl.display().to_string(),
            format!("--addr={}", self.endpoint),
            "build".to_owned(),
            "--progress=plain".to_owned(),
            format!("--local={LOCAL}={context}"),
        ]
    }

    /// Removes from the daemon what nothing uses any more: the contexts that were sent.
    pub(crate) fn prune(&self) {
        let started = Instant::now();
        let pruned = Command::new(&self.buildctl)
            .arg(format!("--addr={}", self.endpoint))
            .args(["prune", &format!("--filter=description~={LOCAL}")])
            .output()
            .unwrap();
        assert!(pruned.status.success(), "cannot prune");
        let took = started.elapsed().as_secs_f64();
        if took > 1.0 {
            tell(&format!("the daemon took {took:.1} s to forget it"));
        }
    }
}

fn graph(kind: Kind, hint: &str) -> Vec<u8> {
    let local = State::from(Local::new(LOCAL).shared_key_hint(hint));
    let state = match kind {
        Kind::Unchanged | Kind::First { .. } => local,
        Kind::Export => FileOp::on(&State::scratch())
            .copy(&local, Copy::new("/content", format!("/{LOCAL}")))
            .state(),
    };
    state.marshal().unwrap().proto().encode_to_vec()
}

/// Writes a file of random content with a time that is the same in every run.
fn write(path: &Path, random: &mut File, size: u64) {
    let mut file = File::create(path).unwrap();
    std::io::copy(&mut random.take(size), &mut file).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    file.set_modified(time).unwrap();
}

/// The load average over the last minute.
pub(crate) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
